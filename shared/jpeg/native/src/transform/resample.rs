//! Chroma of 4:4:4 and 4:2:2 brought to 4:2:0 in the DCT domain.
//!
//! Taking means of neighbouring values is linear, and so is the DCT (T.81 A.3.3), so each coefficient of the coarser
//! block is a fixed sum of those of the finer blocks. Along one direction, of eight values: `fold` gives the
//! 4-point DCT of the means of pairs, `join` makes the 8-point DCT of two such halves.

use crate::geometry::block::{BLOCK_AREA, BLOCK_SIDE};
use crate::geometry::layout::Layout;
use crate::geometry::sampling::Sampling;

/// How many blocks are computed side by side; the compiler makes vectors of them.
const LANES: usize = 8;
type Lane = [f32; LANES];
/// Eight coefficients along one direction, and half as many.
type Line = [Lane; BLOCK_SIDE];
type HalfLine = [Lane; BLOCK_SIDE / 2];
/// Blocks side by side, in lines of equal vertical frequency.
type Blocks = [Line; BLOCK_SIDE];

/// cos(k pi / 16) / sqrt 2 and sin(k pi / 16) / sqrt 2 for k = 0 to 3.
const FOLD: [(f32, f32); 4] = [
    (0.707_106_77, 0.0),
    (0.693_519_95, 0.137_949_69),
    (0.653_281_5, 0.270_598_05),
    (0.587_937_8, 0.392_847_48),
];

/// Odd rows of the 8-point DCT, their first four values, in terms of the 4-point DCT's rows.
const JOIN_ODD: [[f32; 4]; 4] = [
    [0.640_728_9, 0.293_968_9, -0.052_791_06, 0.016_183_784],
    [-0.224_994_05, 0.559_367_5, 0.362_943_74, -0.068_974_845],
    [0.150_336_22, -0.249_214_8, 0.543_183_7, 0.346_759_97],
    [-0.127_448_9, 0.196_423_74, -0.265_398_6, 0.612_158_54],
];

/// sqrt 8 times the last column of the DCT: the first coefficient of eight values like the last.
const END: [f32; 8] = [
    1.0,
    -1.387_039_9,
    1.306_563,
    -1.175_875_5,
    1.0,
    -0.785_694_96,
    0.541_196_1,
    -0.275_899_38,
];

/// A function that brings the chroma of a frame of this layout, one slice for each component, to 4:2:0: Cb, then Cr.
pub type Resample<T> = fn(&Layout, &[Vec<T>], &mut [T]);

/// Bring dequantised chroma to 4:2:0; a grey frame gives zeros. Where the number of blocks is odd, the last values are
/// repeated.
pub fn chroma_to_420(layout: &Layout, chroma: &[Vec<f32>], c: &mut [f32]) {
    let (cb, cr) = c.split_at_mut(c.len() / 2);
    let components = layout.components().iter().skip(1).zip(chroma);
    for ((component, values), out) in components.zip([&mut *cb, &mut *cr]) {
        let fine = Fine {
            values,
            rows: component.block_rows,
            columns: component.block_columns,
        };
        match layout.sampling {
            Sampling::Grey | Sampling::Yuv420 => out.copy_from_slice(values),
            Sampling::Yuv422 => fine.halve::<false>(out),
            Sampling::Yuv444 => fine.halve::<true>(out),
        }
    }
    if layout.sampling == Sampling::Grey {
        c.fill(0.0);
    }
}

/// 64 planes of a component with more chroma than 4:2:0 has.
#[derive(Clone, Copy)]
struct Fine<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
}

impl Fine<'_> {
    /// Halve the number of block rows and, where `BOTH`, the number of block columns.
    fn halve<const BOTH: bool>(&self, out: &mut [f32]) {
        let columns = if BOTH {
            (self.columns + 1) / 2
        } else {
            self.columns
        };
        let area = out.len() / BLOCK_AREA;
        for row in 0..(self.rows + 1) / 2 {
            for first in (0..columns).step_by(LANES) {
                let upper = self.row::<BOTH>(2 * row, first);
                let lower = (2 * row + 1 < self.rows).then(|| self.row::<BOTH>(2 * row + 1, first));
                let lanes = LANES.min(columns - first);
                for horizontal in 0..BLOCK_SIDE {
                    let upper = column(&upper, horizontal);
                    let lower = lower
                        .as_ref()
                        .map_or_else(|| repeat_end(&upper), |lower| column(lower, horizontal));
                    for (vertical, lane) in join(&fold(&upper), &fold(&lower)).iter().enumerate() {
                        let start = (vertical * BLOCK_SIDE + horizontal) * area + row * columns + first;
                        store(lane, &mut out[start..start + lanes]);
                    }
                }
            }
        }
    }

    /// Blocks of a row, where `BOTH` halved in width, from block `first` of the result on.
    fn row<const BOTH: bool>(&self, row: usize, first: usize) -> Blocks {
        let mut blocks = [[[0.0; LANES]; BLOCK_SIDE]; BLOCK_SIDE];
        for (vertical, line) in blocks.iter_mut().enumerate() {
            if BOTH {
                *line = self.halved_line(row, first, vertical);
            } else {
                for (horizontal, lane) in line.iter_mut().enumerate() {
                    *lane = self.read(vertical * BLOCK_SIDE + horizontal, row, first);
                }
            }
        }
        blocks
    }

    /// The coefficients of one vertical frequency, halved in width.
    #[inline]
    fn halved_line(&self, row: usize, first: usize, vertical: usize) -> Line {
        let (mut left, mut right) = ([[0.0; LANES]; BLOCK_SIDE], [[0.0; LANES]; BLOCK_SIDE]);
        for (horizontal, (left, right)) in left.iter_mut().zip(&mut right).enumerate() {
            let pairs: [f32; 2 * LANES] = self.read(vertical * BLOCK_SIDE + horizontal, row, 2 * first);
            for lane in 0..LANES {
                left[lane] = pairs[2 * lane];
                right[lane] = pairs[2 * lane + 1];
            }
        }
        let last = self.columns / 2;
        if self.columns % 2 == 1 && (first..first + LANES).contains(&last) {
            let repeated = repeat_end(&left);
            for (right, repeated) in right.iter_mut().zip(&repeated) {
                right[last - first] = repeated[last - first];
            }
        }
        join(&fold(&left), &fold(&right))
    }

    /// One frequency of `N` blocks from (row, column) on. Beyond the end of the row the values mean nothing.
    #[inline]
    fn read<const N: usize>(&self, frequency: usize, row: usize, column: usize) -> [f32; N] {
        let start = (frequency * self.rows + row) * self.columns + column;
        let values = &self.values[start..];
        let mut out = [0.0; N];
        // The length is a constant wherever possible: 64 copies of variable length would take longer than the sums.
        match values.get(..N) {
            Some(values) => out.copy_from_slice(values),
            None => out[..values.len()].copy_from_slice(values),
        }
        out
    }
}

#[inline]
fn store(lane: &Lane, out: &mut [f32]) {
    match <&mut Lane>::try_from(&mut *out) {
        Ok(out) => *out = *lane,
        Err(_) => out.copy_from_slice(&lane[..out.len()]),
    }
}

/// The coefficients of one horizontal frequency.
#[inline]
fn column(blocks: &Blocks, horizontal: usize) -> Line {
    std::array::from_fn(|vertical| blocks[vertical][horizontal])
}

/// 4-point DCT of the means of pairs: frequencies above 4 alias, 4 itself averages out.
#[inline]
fn fold(line: &Line) -> HalfLine {
    let mut out = [[0.0; LANES]; 4];
    for (k, out) in out.iter_mut().enumerate() {
        let (cosine, sine) = FOLD[k];
        let (low, high) = (&line[k], &line[(BLOCK_SIDE - k) % BLOCK_SIDE]);
        for lane in 0..LANES {
            out[lane] = cosine * low[lane] - sine * high[lane];
        }
    }
    out
}

/// 8-point DCT of two halves: even rows look alike on both, odd rows with the sign turned; reversed in time, a
/// half's odd frequencies change their sign.
#[inline]
fn join(first: &HalfLine, second: &HalfLine) -> Line {
    let mut out = [[0.0; LANES]; BLOCK_SIDE];
    let mut differences = [[0.0; LANES]; 4];
    for k in 0..4 {
        let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
        for lane in 0..LANES {
            let mirrored = sign * second[k][lane];
            out[2 * k][lane] = FOLD[0].0 * (first[k][lane] + mirrored);
            differences[k][lane] = first[k][lane] - mirrored;
        }
    }
    for (row, weights) in JOIN_ODD.iter().enumerate() {
        for lane in 0..LANES {
            let sum = |k: usize| weights[k] * differences[k][lane];
            out[2 * row + 1][lane] = sum(0) + sum(1) + sum(2) + sum(3);
        }
    }
    out
}

/// The line whose values all equal the last value of this line.
fn repeat_end(line: &Line) -> Line {
    let mut out = [[0.0; LANES]; BLOCK_SIDE];
    for (frequency, values) in line.iter().enumerate() {
        for lane in 0..LANES {
            out[0][lane] += END[frequency] * values[lane];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    /// Orthonormal DCT of `points` values.
    fn basis(points: u8, frequency: u8, value: u8) -> f64 {
        let phase = f64::from((2 * value + 1) * frequency) * PI / f64::from(2 * points);
        let norm = if frequency == 0 { 1.0 } else { 2.0 };
        (norm / f64::from(points)).sqrt() * phase.cos()
    }

    #[test]
    fn the_constants_are_what_their_names_say() {
        for (k, (cosine, sine)) in (0_u8..).zip(FOLD) {
            let angle = f64::from(k) * PI / 16.0;
            for (found, exact) in [(cosine, angle.cos()), (sine, angle.sin())] {
                assert!((f64::from(found) - exact * 0.5_f64.sqrt()).abs() < 1e-7);
            }
        }
        for (row, weights) in (1_u8..).step_by(2).zip(JOIN_ODD) {
            for (k, weight) in (0_u8..).zip(weights) {
                let exact: f64 = (0..4).map(|n| basis(8, row, n) * basis(4, k, n)).sum();
                assert!((f64::from(weight) - exact).abs() < 1e-7);
            }
        }
        for (frequency, end) in (0_u8..).zip(END) {
            assert!((f64::from(end) - 8.0_f64.sqrt() * basis(8, frequency, 7)).abs() < 1e-6);
        }
    }

    #[test]
    fn each_cosine_halves_like_its_values() {
        for (half, frequency) in (0..2_u8).flat_map(|half| (0..8_u8).map(move |frequency| (half, frequency)))
        {
            let value = |n: u8| {
                if n / 8 == half {
                    basis(8, frequency, n % 8)
                } else {
                    0.0
                }
            };
            let mut lines = [[[0.0; LANES]; BLOCK_SIDE]; 2];
            lines[usize::from(half)][usize::from(frequency)] = [1.0; LANES];
            let found = join(&fold(&lines[0]), &fold(&lines[1]));
            for (row, found) in (0_u8..).zip(found) {
                let mean = |n: u8| (value(2 * n) + value(2 * n + 1)) / 2.0;
                let exact: f64 = (0..8).map(|n| mean(n) * basis(8, row, n)).sum();
                assert!(
                    (f64::from(found[3]) - exact).abs() < 1e-6,
                    "{half} {frequency} to {row}"
                );
            }
        }
    }
}

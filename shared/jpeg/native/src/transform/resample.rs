//! Chroma of other samplings brought to 4:2:0 in the DCT domain.

use crate::geometry::block::{BLOCK_AREA, BLOCK_SIDE};
use crate::geometry::layout::Layout;
use crate::geometry::sampling::Sampling;
use crate::transform::lines::{double, halve, repeat_end, Lane, Line, LANES};

/// Blocks side by side, in lines of equal vertical frequency.
type Blocks = [Line; BLOCK_SIDE];

/// A function that brings the chroma of a frame of this layout, one slice for each component, to 4:2:0: Cb, then Cr.
pub type Resample<T> = fn(&Layout, &[Vec<T>], &mut [T]);

/// Bring dequantised chroma to 4:2:0; a grey frame gives zeros. Where the number of blocks is odd, the last values are
/// repeated. 4:1:1 has half as many columns as 4:2:0: each value stands twice.
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
            Sampling::Yuv440 => fine.halve_columns(out),
            Sampling::Yuv411 => {
                let columns = out.len() / BLOCK_AREA / ((fine.rows + 1) / 2);
                let values = &fine.doubled_columns(columns);
                Fine {
                    values,
                    columns,
                    ..fine
                }
                .halve::<false>(out);
            }
        }
    }
    if layout.sampling == Sampling::Grey {
        c.fill(0.0);
    }
}

/// 64 planes of a component of another sampling than 4:2:0.
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
                    for (vertical, lane) in halve(&upper, &lower).iter().enumerate() {
                        let start = (vertical * BLOCK_SIDE + horizontal) * area + row * columns + first;
                        store(lane, &mut out[start..start + lanes]);
                    }
                }
            }
        }
    }

    /// Halve the number of block columns.
    fn halve_columns(&self, out: &mut [f32]) {
        let columns = (self.columns + 1) / 2;
        for (row, vertical) in (0..self.rows).flat_map(|row| (0..BLOCK_SIDE).map(move |v| (row, v))) {
            for first in (0..columns).step_by(LANES) {
                let lanes = LANES.min(columns - first);
                for (horizontal, lane) in self.halved_line(row, first, vertical).iter().enumerate() {
                    let frequency = vertical * BLOCK_SIDE + horizontal;
                    let start = (frequency * self.rows + row) * columns + first;
                    store(lane, &mut out[start..start + lanes]);
                }
            }
        }
    }

    /// The same planes with each value twice in a row, in `columns` block columns: twice as many, or one less.
    fn doubled_columns(&self, columns: usize) -> Vec<f32> {
        let mut out = vec![0.0; BLOCK_AREA * self.rows * columns];
        for (row, vertical) in (0..self.rows).flat_map(|row| (0..BLOCK_SIDE).map(move |v| (row, v))) {
            for first in (0..self.columns).step_by(LANES) {
                let line = [0, 1, 2, 3, 4, 5, 6, 7].map(|u| self.read(vertical * BLOCK_SIDE + u, row, first));
                let (left, right) = double(&line);
                for (horizontal, (left, right)) in left.iter().zip(&right).enumerate() {
                    let start = ((vertical * BLOCK_SIDE + horizontal) * self.rows + row) * columns;
                    let out = &mut out[start + 2 * first..start + columns];
                    let pairs = left.iter().zip(right).flat_map(|(&left, &right)| [left, right]);
                    out.iter_mut().zip(pairs).for_each(|(out, value)| *out = value);
                }
            }
        }
        out
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
        halve(&left, &right)
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

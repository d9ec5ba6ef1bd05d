//! Eight values along one direction halved or doubled in number, in the DCT domain.
//!
//! Taking means of neighbouring values is linear, and so is the DCT (T.81 A.3.3), so each coefficient of the coarser
//! block is a fixed sum of those of the finer blocks: `fold` gives the 4-point DCT of the means of pairs, `join` makes the
//! 8-point DCT of two such halves. Repeating values is the transpose of taking means, twice: `part` and `unfold`.

use crate::geometry::block::BLOCK_SIDE;

/// How many blocks are computed side by side; the compiler makes vectors of them.
pub const LANES: usize = 8;
pub type Lane = [f32; LANES];
/// Eight coefficients along one direction, and half as many.
pub type Line = [Lane; BLOCK_SIDE];
type HalfLine = [Lane; BLOCK_SIDE / 2];
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

/// The coefficients of the means of neighbouring values of two blocks.
#[inline]
pub fn halve(first: &Line, second: &Line) -> Line {
    join(&fold(first), &fold(second))
}

/// The coefficients of the two blocks in which each value of a block stands twice.
#[inline]
pub fn double(line: &Line) -> (Line, Line) {
    let (first, second) = part(line);
    (unfold(&first), unfold(&second))
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

/// The transpose of `join`.
#[inline]
fn part(line: &Line) -> (HalfLine, HalfLine) {
    let (mut first, mut second) = ([[0.0; LANES]; 4], [[0.0; LANES]; 4]);
    for k in 0..4 {
        let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
        for lane in 0..LANES {
            let even = FOLD[0].0 * line[2 * k][lane];
            let odd = |row: usize| JOIN_ODD[row][k] * line[2 * row + 1][lane];
            let odd = odd(0) + odd(1) + odd(2) + odd(3);
            first[k][lane] = even + odd;
            second[k][lane] = sign * (even - odd);
        }
    }
    (first, second)
}

/// Twice the transpose of `fold`.
#[inline]
fn unfold(half: &HalfLine) -> Line {
    let mut out = [[0.0; LANES]; BLOCK_SIDE];
    for (k, &(cosine, sine)) in FOLD.iter().enumerate() {
        for lane in 0..LANES {
            out[k][lane] = 2.0 * cosine * half[k][lane];
            if k > 0 {
                out[BLOCK_SIDE - k][lane] = -2.0 * sine * half[k][lane];
            }
        }
    }
    out
}

/// The line whose values all equal the last value of this line.
pub fn repeat_end(line: &Line) -> Line {
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

    #[test]
    fn each_cosine_doubles_like_its_values() {
        for frequency in 0..8_u8 {
            let mut line = [[0.0; LANES]; BLOCK_SIDE];
            line[usize::from(frequency)] = [1.0; LANES];
            let (first, second) = double(&line);
            for (half, found) in [(0, first), (4, second)] {
                for (row, found) in (0_u8..).zip(found) {
                    let value = |n: u8| basis(8, frequency, half + n / 2);
                    let exact: f64 = (0..8).map(|n| value(n) * basis(8, row, n)).sum();
                    assert!(
                        (f64::from(found[3]) - exact).abs() < 1e-6,
                        "{half} {frequency} to {row}"
                    );
                }
            }
        }
    }
}

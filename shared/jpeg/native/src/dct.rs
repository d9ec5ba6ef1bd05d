//! Forward DCT of a block in 13-bit fixed point, bit for bit what the "islow" transform of libjpeg gives:
//! the 12-multiplication factorisation of Loeffler, Ligtenberg and Moschytz, rows first, outputs times 8.

use crate::lanes::{Narrow, Wide};
use crate::layout::BLOCK_SIDE;

/// Eight vectors of eight: samples as columns, coefficients as rows.
pub type Block = [Narrow; BLOCK_SIDE];

const FRACTION_BITS: i32 = 13;
const ROW_PASS_BITS: i32 = 2;

const C_0_298631336: i16 = 2446;
const C_0_390180644: i16 = 3196;
const C_0_541196100: i16 = 4433;
const C_0_765366865: i16 = 6270;
const C_0_899976223: i16 = 7373;
const C_1_175875602: i16 = 9633;
const C_1_501321110: i16 = 12299;
const C_1_847759065: i16 = 15137;
const C_1_961570560: i16 = 16069;
const C_2_053119869: i16 = 16819;
const C_2_562915447: i16 = 20995;
const C_3_072711026: i16 = 25172;

/// Coefficients times 8, rows of equal vertical frequency, of level-shifted samples given as columns.
///
/// Sums stay within 16 bits: a sample has 8 bits, a row sum 11, scaled by 4 it has 13, a column sum 16.
#[inline]
pub fn forward(columns: &Block) -> Block {
    let rows_done = transpose(&transform::<true>(columns));
    transform::<false>(&rows_done)
}

/// Swap the two directions of a block.
#[inline]
pub fn transpose(block: &Block) -> Block {
    let mut out = [Narrow([0; BLOCK_SIDE]); BLOCK_SIDE];
    for (y, row) in out.iter_mut().enumerate() {
        for (value, column) in row.0.iter_mut().zip(block) {
            *value = column.0[y];
        }
    }
    out
}

/// One dimension, eight lines at once: the row pass keeps two more bits, the column pass rounds them away.
#[inline]
fn transform<const ROW_PASS: bool>(lines: &Block) -> Block {
    let [l0, l1, l2, l3, l4, l5, l6, l7] = *lines;
    let [even0, even2, even4, even6] = even::<ROW_PASS>([l0 + l7, l1 + l6, l2 + l5, l3 + l4]);
    let [odd1, odd3, odd5, odd7] = odd::<ROW_PASS>([l3 - l4, l2 - l5, l1 - l6, l0 - l7]);
    [even0, odd1, even2, odd3, even4, odd5, even6, odd7]
}

/// Frequencies 0, 2, 4, 6 from the sums of mirrored samples.
#[inline]
fn even<const ROW_PASS: bool>(sums: [Narrow; 4]) -> [Narrow; 4] {
    let (outer, outer_difference) = (sums[0] + sums[3], sums[0] - sums[3]);
    let (inner, inner_difference) = (sums[1] + sums[2], sums[1] - sums[2]);
    let shared = (inner_difference + outer_difference) * C_0_541196100;
    [
        whole::<ROW_PASS>(outer + inner),
        scaled::<ROW_PASS>(shared + outer_difference * C_0_765366865),
        whole::<ROW_PASS>(outer - inner),
        scaled::<ROW_PASS>(shared - inner_difference * C_1_847759065),
    ]
}

/// Frequencies 1, 3, 5, 7 from the differences of mirrored samples, inner pair first.
#[inline]
fn odd<const ROW_PASS: bool>(differences: [Narrow; 4]) -> [Narrow; 4] {
    let [inner, second, third, outer] = differences;
    let ends = (inner + outer) * C_0_899976223;
    let middle = (second + third) * C_2_562915447;
    let rotation = (inner + third + second + outer) * C_1_175875602;
    let left = rotation - (inner + third) * C_1_961570560;
    let right = rotation - (second + outer) * C_0_390180644;
    [
        scaled::<ROW_PASS>(outer * C_1_501321110 - ends + right),
        scaled::<ROW_PASS>(third * C_3_072711026 - middle + left),
        scaled::<ROW_PASS>(second * C_2_053119869 - middle + right),
        scaled::<ROW_PASS>(inner * C_0_298631336 - ends + left),
    ]
}

/// A sum that met no multiplication.
#[inline]
fn whole<const ROW_PASS: bool>(sum: Narrow) -> Narrow {
    if ROW_PASS {
        sum.times_power(ROW_PASS_BITS)
    } else {
        sum.widen().round_shift(ROW_PASS_BITS)
    }
}

/// A sum of products with 13-bit constants.
#[inline]
fn scaled<const ROW_PASS: bool>(sum: Wide) -> Narrow {
    if ROW_PASS {
        sum.round_shift(FRACTION_BITS - ROW_PASS_BITS)
    } else {
        sum.round_shift(FRACTION_BITS + ROW_PASS_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{FRAC_1_SQRT_2, PI};

    fn exact(columns: &Block, horizontal: u8, vertical: u8) -> f64 {
        let norm = |frequency: u8| if frequency == 0 { FRAC_1_SQRT_2 } else { 1.0 };
        let basis = |at: u8, frequency: u8| (f64::from(2 * at + 1) * f64::from(frequency) * PI / 16.0).cos();
        let mut sum = 0.0;
        for (x, column) in (0..).zip(columns) {
            for (y, &sample) in (0..).zip(&column.0) {
                sum += f64::from(sample) * basis(x, horizontal) * basis(y, vertical);
            }
        }
        sum * norm(horizontal) * norm(vertical) / 4.0
    }

    fn check(columns: &Block) {
        for (vertical, row) in (0..).zip(&forward(columns)) {
            for (horizontal, &value) in (0..).zip(&row.0) {
                let error = f64::from(value) - 8.0 * exact(columns, horizontal, vertical);
                assert!(
                    error.abs() < 2.5,
                    "frequency ({vertical}, {horizontal}) is off by {error}"
                );
            }
        }
    }

    #[test]
    fn it_is_the_dct_of_t_81_a_3_3_times_8_within_rounding() {
        let mut state = 1_u32;
        for _ in 0..200 {
            let mut columns = [Narrow([0; 8]); 8];
            for sample in columns.iter_mut().flat_map(|column| &mut column.0) {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample = (state >> 24) as i16 - 128;
            }
            check(&columns);
        }
    }

    #[test]
    fn the_extreme_samples_of_each_frequency_do_not_overflow() {
        for vertical in 0..8_u8 {
            for horizontal in 0..8_u8 {
                for sign in [1.0, -1.0] {
                    let mut columns = [Narrow([0; 8]); 8];
                    for (x, column) in (0..8_u8).zip(&mut columns) {
                        for (y, sample) in (0..8_u8).zip(&mut column.0) {
                            let phase = |at: u8, frequency: u8| {
                                (f64::from(2 * at + 1) * f64::from(frequency) * PI / 16.0).cos()
                            };
                            let basis = sign * phase(x, horizontal) * phase(y, vertical);
                            *sample = if basis < 0.0 { -128 } else { 127 };
                        }
                    }
                    check(&columns);
                }
            }
        }
    }
}

//! Forward DCT of a block in 13-bit fixed point, bit for bit what the "islow" transform of libjpeg gives:
//! the 12-multiplication factorisation of Loeffler, Ligtenberg and Moschytz, rows first, outputs times 8.

use crate::geometry::block::{BLOCK_AREA, BLOCK_SIDE};

/// Eight lines of eight: component values by columns, or coefficients by rows. All lines go through the same
/// arithmetic side by side, of which the compiler makes vectors.
pub type Block = [i16; BLOCK_AREA];

pub const FRACTION_BITS: i32 = 13;
pub const ROW_PASS_BITS: i32 = 2;

pub const C_0_298631336: i32 = 2446;
pub const C_0_390180644: i32 = 3196;
pub const C_0_541196100: i32 = 4433;
pub const C_0_765366865: i32 = 6270;
pub const C_0_899976223: i32 = 7373;
pub const C_1_175875602: i32 = 9633;
pub const C_1_501321110: i32 = 12299;
pub const C_1_847759065: i32 = 15137;
pub const C_1_961570560: i32 = 16069;
pub const C_2_053119869: i32 = 16819;
pub const C_2_562915447: i32 = 20995;
pub const C_3_072711026: i32 = 25172;

/// The coefficients times 8, in rows of equal vertical frequency, of values less 128 given by columns.
///
/// All sums fit 16 bits: a value has 8 bits, a row sum 11 (13 when scaled by 4), and a column sum 16.
#[inline]
pub fn forward(columns: &Block) -> Block {
    let rows_done = transpose(&transform::<true>(columns));
    transform::<false>(&rows_done)
}

/// Swap rows and columns of a block.
#[inline]
pub fn transpose(block: &Block) -> Block {
    let mut out = [0; BLOCK_AREA];
    for y in 0..BLOCK_SIDE {
        for x in 0..BLOCK_SIDE {
            out[y * BLOCK_SIDE + x] = block[x * BLOCK_SIDE + y];
        }
    }
    out
}

/// Transform eight lines along one direction. The row pass keeps two more bits, which the column pass rounds away.
#[inline(never)]
fn transform<const ROW_PASS: bool>(lines: &Block) -> Block {
    let mut out = [0; BLOCK_AREA];
    for lane in 0..BLOCK_SIDE {
        let at = |index: usize| lines[index * BLOCK_SIDE + lane];
        let sums = [at(0) + at(7), at(1) + at(6), at(2) + at(5), at(3) + at(4)];
        let differences = [at(3) - at(4), at(2) - at(5), at(1) - at(6), at(0) - at(7)];
        let [even0, even2, even4, even6] = even::<ROW_PASS>(sums);
        let [odd1, odd3, odd5, odd7] = odd::<ROW_PASS>(differences);
        let values = [even0, odd1, even2, odd3, even4, odd5, even6, odd7];
        for (index, value) in values.into_iter().enumerate() {
            out[index * BLOCK_SIDE + lane] = value;
        }
    }
    out
}

/// Frequencies 0, 2, 4, 6 from the sums of mirrored values.
#[inline]
fn even<const ROW_PASS: bool>(sums: [i16; 4]) -> [i16; 4] {
    let (outer, outer_difference) = (sums[0] + sums[3], sums[0] - sums[3]);
    let (inner, inner_difference) = (sums[1] + sums[2], sums[1] - sums[2]);
    let shared = times(inner_difference + outer_difference, C_0_541196100);
    [
        whole::<ROW_PASS>(outer + inner),
        scaled::<ROW_PASS>(shared + times(outer_difference, C_0_765366865)),
        whole::<ROW_PASS>(outer - inner),
        scaled::<ROW_PASS>(shared - times(inner_difference, C_1_847759065)),
    ]
}

/// Frequencies 1, 3, 5, 7 from the differences of mirrored values, inner pair first.
#[inline]
fn odd<const ROW_PASS: bool>(differences: [i16; 4]) -> [i16; 4] {
    let [inner, second, third, outer] = differences;
    let ends = times(inner + outer, C_0_899976223);
    let middle = times(second + third, C_2_562915447);
    let rotation = times(inner + third + second + outer, C_1_175875602);
    let left = rotation - times(inner + third, C_1_961570560);
    let right = rotation - times(second + outer, C_0_390180644);
    [
        scaled::<ROW_PASS>(times(outer, C_1_501321110) - ends + right),
        scaled::<ROW_PASS>(times(third, C_3_072711026) - middle + left),
        scaled::<ROW_PASS>(times(second, C_2_053119869) - middle + right),
        scaled::<ROW_PASS>(times(inner, C_0_298631336) - ends + left),
    ]
}

/// 16 by 16 bits to 32: two instructions for eight lanes, where 32 by 32 bits would take six on plain SSE2.
#[inline]
fn times(value: i16, constant: i32) -> i32 {
    i32::from(value) * constant
}

/// The result of a sum without a multiplication.
#[inline]
fn whole<const ROW_PASS: bool>(sum: i16) -> i16 {
    if ROW_PASS {
        sum << ROW_PASS_BITS
    } else {
        round_shift(i32::from(sum), ROW_PASS_BITS)
    }
}

/// The result of a sum of products with 13-bit constants.
#[inline]
fn scaled<const ROW_PASS: bool>(sum: i32) -> i16 {
    if ROW_PASS {
        round_shift(sum, FRACTION_BITS - ROW_PASS_BITS)
    } else {
        round_shift(sum, FRACTION_BITS + ROW_PASS_BITS)
    }
}

#[inline]
fn round_shift(value: i32, bits: i32) -> i16 {
    ((value + (1 << (bits - 1))) >> bits) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{FRAC_1_SQRT_2, PI};

    fn basis(at: usize, frequency: usize) -> f64 {
        let phase = ((2 * at + 1) * frequency) as u8;
        (f64::from(phase) * PI / 16.0).cos()
    }

    fn exact(columns: &Block, horizontal: usize, vertical: usize) -> f64 {
        let norm = |frequency: usize| if frequency == 0 { FRAC_1_SQRT_2 } else { 1.0 };
        let mut sum = 0.0;
        for (index, &value) in columns.iter().enumerate() {
            sum += f64::from(value) * basis(index / 8, horizontal) * basis(index % 8, vertical);
        }
        sum * norm(horizontal) * norm(vertical) / 4.0
    }

    fn check(columns: &Block) {
        for (index, &value) in forward(columns).iter().enumerate() {
            let error = f64::from(value) - 8.0 * exact(columns, index % 8, index / 8);
            assert!(error.abs() < 2.5, "frequency {index} is off by {error}");
        }
    }

    #[test]
    fn it_is_the_dct_of_t_81_a_3_3_times_8_within_rounding() {
        let mut state = 1_u32;
        for _ in 0..200 {
            let mut columns = [0; 64];
            for value in &mut columns {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = (state >> 24) as i16 - 128;
            }
            check(&columns);
        }
    }

    #[test]
    fn the_extreme_values_of_each_frequency_do_not_overflow() {
        for frequency in 0..64 {
            for sign in [1.0, -1.0] {
                let mut columns = [0; 64];
                for (index, value) in columns.iter_mut().enumerate() {
                    let wave = sign * basis(index / 8, frequency % 8) * basis(index % 8, frequency / 8);
                    *value = if wave < 0.0 { -128 } else { 127 };
                }
                check(&columns);
            }
        }
    }
}

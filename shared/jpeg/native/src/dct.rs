//! Forward DCT of a block in 13-bit fixed point, bit for bit what the "islow" transform of libjpeg gives:
//! the 12-multiplication factorisation of Loeffler, Ligtenberg and Moschytz, rows first, outputs times 8.

use crate::layout::BLOCK_SIDE;

/// Eight values that go through the same arithmetic.
type Lanes = [i32; BLOCK_SIDE];
pub type Block = [Lanes; BLOCK_SIDE];

const FRACTION_BITS: i32 = 13;
const ROW_PASS_BITS: i32 = 2;

const C_0_298631336: i32 = 2446;
const C_0_390180644: i32 = 3196;
const C_0_541196100: i32 = 4433;
const C_0_765366865: i32 = 6270;
const C_0_899976223: i32 = 7373;
const C_1_175875602: i32 = 9633;
const C_1_501321110: i32 = 12299;
const C_1_847759065: i32 = 15137;
const C_1_961570560: i32 = 16069;
const C_2_053119869: i32 = 16819;
const C_2_562915447: i32 = 20995;
const C_3_072711026: i32 = 25172;

/// Coefficients times 8, `[vertical][horizontal]` frequency, of level-shifted samples given as columns:
/// `columns[x][y]`.
#[inline]
pub fn forward(columns: &Block) -> Block {
    let rows_done = transpose(&transform::<true>(columns));
    transform::<false>(&rows_done)
}

#[inline]
fn transpose(block: &Block) -> Block {
    let mut out = [[0; BLOCK_SIDE]; BLOCK_SIDE];
    for (y, row) in out.iter_mut().enumerate() {
        for (x, value) in row.iter_mut().enumerate() {
            *value = block[x][y];
        }
    }
    out
}

/// One dimension over eight lanes: the row pass keeps two more bits, the column pass rounds them away.
#[inline]
fn transform<const ROW_PASS: bool>(input: &Block) -> Block {
    let mut out = [[0; BLOCK_SIDE]; BLOCK_SIDE];
    for lane in 0..BLOCK_SIDE {
        let at = |index: usize| input[index][lane];
        let sums = [at(0) + at(7), at(1) + at(6), at(2) + at(5), at(3) + at(4)];
        let differences = [at(3) - at(4), at(2) - at(5), at(1) - at(6), at(0) - at(7)];
        even::<ROW_PASS>(sums, &mut out, lane);
        odd::<ROW_PASS>(differences, &mut out, lane);
    }
    out
}

#[inline(always)]
fn even<const ROW_PASS: bool>(s: [i32; 4], out: &mut Block, lane: usize) {
    let (outer, outer_difference) = (s[0] + s[3], s[0] - s[3]);
    let (inner, inner_difference) = (s[1] + s[2], s[1] - s[2]);
    out[0][lane] = whole::<ROW_PASS>(outer + inner);
    out[4][lane] = whole::<ROW_PASS>(outer - inner);
    let shared = (inner_difference + outer_difference) * C_0_541196100;
    out[2][lane] = scaled::<ROW_PASS>(shared + outer_difference * C_0_765366865);
    out[6][lane] = scaled::<ROW_PASS>(shared - inner_difference * C_1_847759065);
}

#[inline(always)]
fn odd<const ROW_PASS: bool>(d: [i32; 4], out: &mut Block, lane: usize) {
    let a = -(d[0] + d[3]) * C_0_899976223;
    let b = -(d[1] + d[2]) * C_2_562915447;
    let rotation = (d[0] + d[2] + d[1] + d[3]) * C_1_175875602;
    let c = rotation - (d[0] + d[2]) * C_1_961570560;
    let e = rotation - (d[1] + d[3]) * C_0_390180644;
    out[7][lane] = scaled::<ROW_PASS>(d[0] * C_0_298631336 + a + c);
    out[5][lane] = scaled::<ROW_PASS>(d[1] * C_2_053119869 + b + e);
    out[3][lane] = scaled::<ROW_PASS>(d[2] * C_3_072711026 + b + c);
    out[1][lane] = scaled::<ROW_PASS>(d[3] * C_1_501321110 + a + e);
}

/// A sum that met no multiplication.
#[inline(always)]
fn whole<const ROW_PASS: bool>(value: i32) -> i32 {
    if ROW_PASS {
        value << ROW_PASS_BITS
    } else {
        round_shift(value, ROW_PASS_BITS)
    }
}

/// A sum of products with 13-bit constants.
#[inline(always)]
fn scaled<const ROW_PASS: bool>(value: i32) -> i32 {
    if ROW_PASS {
        round_shift(value, FRACTION_BITS - ROW_PASS_BITS)
    } else {
        round_shift(value, FRACTION_BITS + ROW_PASS_BITS)
    }
}

#[inline(always)]
fn round_shift(value: i32, bits: i32) -> i32 {
    (value + (1 << (bits - 1))) >> bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{FRAC_1_SQRT_2, PI};

    fn exact(columns: &Block, u: usize, v: usize) -> f64 {
        let norm = |k: usize| if k == 0 { FRAC_1_SQRT_2 } else { 1.0 };
        let basis = |x: usize, k: usize| ((2 * x + 1) as f64 * k as f64 * PI / 16.0).cos();
        let mut sum = 0.0;
        for (x, column) in columns.iter().enumerate() {
            for (y, &sample) in column.iter().enumerate() {
                sum += f64::from(sample) * basis(x, u) * basis(y, v);
            }
        }
        sum * norm(u) * norm(v) / 4.0
    }

    #[test]
    fn it_is_the_dct_of_t_81_a_3_3_times_8_within_rounding() {
        let mut state = 1_u32;
        for _ in 0..200 {
            let mut columns = [[0; 8]; 8];
            for sample in columns.iter_mut().flatten() {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample = (state >> 24) as i32 - 128;
            }
            let out = forward(&columns);
            for v in 0..8 {
                for u in 0..8 {
                    let error = f64::from(out[v][u]) - 8.0 * exact(&columns, u, v);
                    assert!(error.abs() < 2.5, "frequency ({v}, {u}) is off by {error}");
                }
            }
        }
    }
}

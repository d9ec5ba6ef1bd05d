//! The kernels for AVX2: two blocks at a time, one in each 128-bit half of a vector, and rows in steps of 32 pixels.

mod blocks;
mod rows;

use crate::simd::kernels::Kernels;

pub const KERNELS: Kernels = Kernels {
    convert_row: rows::convert_row,
    convert_row_to_luma: rows::convert_row_to_luma,
    halve_both: rows::halve_both,
    halve_width: rows::halve_width,
    transform: blocks::transform,
    quantise: blocks::quantise,
    transform_and_quantise: blocks::transform_and_quantise,
};

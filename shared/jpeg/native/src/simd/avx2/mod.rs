//! AVX2: two blocks side by side, one in each 128-bit half of a vector; rows by 32 samples a step.

mod blocks;
mod rows;

use super::Kernels;

pub const KERNELS: Kernels = Kernels {
    convert_row: rows::convert_row,
    convert_row_to_luma: rows::convert_row_to_luma,
    halve_both: rows::halve_both,
    halve_width: rows::halve_width,
    transform: blocks::transform,
    quantise: blocks::quantise,
    transform_and_quantise: blocks::transform_and_quantise,
};

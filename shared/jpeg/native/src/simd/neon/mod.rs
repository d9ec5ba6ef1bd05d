//! The kernels for NEON, which every 64-bit ARM processor has: one block at a time, and rows in steps of 16 pixels.

// Newer compilers know that, and call its intrinsics safe.
#![allow(unused_unsafe)]

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

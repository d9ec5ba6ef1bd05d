//! NEON: one block a vector; rows by 16 samples a step. Every processor of 64 bits has it.

// Newer compilers know that, and call its intrinsics safe.
#![allow(unused_unsafe)]

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

//! Scalar kernels, in safe code; compilers make vectors of most of it.

use crate::geometry::block::{BLOCK_AREA, BLOCK_SIDE};
use crate::simd::kernels::{Kernels, Lines};
use crate::transform::colour;
use crate::transform::dct::{self, Block};
use crate::transform::levels::Levels;
use crate::transform::quantiser::Quantiser;

pub const KERNELS: Kernels = Kernels {
    convert_row: colour::convert_row,
    convert_row_to_luma: colour::convert_row_to_luma,
    halve_both: colour::halve_both,
    halve_width: colour::halve_width,
    transform,
    quantise,
    transform_and_quantise,
};

fn transform(lines: Lines<'_>, coefficients: &mut [Block]) {
    for (column, block) in coefficients.iter_mut().enumerate() {
        *block = dct::forward(&columns_of(lines, column));
    }
}

fn quantise(coefficients: &[Block], quantiser: &Quantiser, levels: &mut [Levels]) {
    for (levels, block) in levels.iter_mut().zip(coefficients) {
        *levels = Levels::from_natural(&quantiser.levels(block));
    }
}

fn transform_and_quantise(lines: Lines<'_>, quantiser: &Quantiser, levels: &mut [Levels]) {
    for (column, levels) in levels.iter_mut().enumerate() {
        let block = dct::forward(&columns_of(lines, column));
        *levels = Levels::from_natural(&quantiser.levels(&block));
    }
}

/// The values of a block less 128 (T.81 A.3.1), as columns.
#[inline]
fn columns_of(lines: Lines<'_>, column: usize) -> Block {
    let mut rows = [0; BLOCK_AREA];
    for (y, shifted) in rows.chunks_exact_mut(BLOCK_SIDE).enumerate() {
        let start = y * lines.stride + column * BLOCK_SIDE;
        let line = &lines.values[start..start + BLOCK_SIDE];
        for (shifted, &value) in shifted.iter_mut().zip(line) {
            *shifted = i16::from(value) - 128;
        }
    }
    dct::transpose(&rows)
}

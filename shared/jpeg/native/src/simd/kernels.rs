//! The functions that each instruction set has.

use crate::transform::colour;
use crate::transform::dct::Block;
use crate::transform::levels::Levels;
use crate::transform::quantiser::Quantiser;

/// Eight lines of component values, `stride` apart: the blocks of a row, side by side.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    pub values: &'a [u8],
    pub stride: usize,
}

/// Converts a row of RGB pixels into rows of Y, Cb and Cr.
pub type ConvertRow = fn(&[u8], &mut [u8], &mut [u8], &mut [u8]);

/// The functions of one instruction set.
#[derive(Clone, Copy)]
pub struct Kernels {
    pub convert_row: ConvertRow,
    /// Converts a row of RGB pixels into a row of Y.
    pub convert_row_to_luma: fn(&[u8], &mut [u8]),
    /// Downsamples two rows into one of half the length.
    pub halve_both: fn(&[u8], &[u8], &mut [u8]),
    /// Downsamples a row into one of half the length.
    pub halve_width: fn(&[u8], &mut [u8]),
    /// Transforms component values into coefficients times 8, as many blocks as the second argument has.
    pub transform: fn(Lines<'_>, &mut [Block]),
    /// Quantises coefficients times 8 into levels.
    pub quantise: fn(&[Block], &Quantiser, &mut [Levels]),
    /// Transforms component values and quantises their coefficients.
    pub transform_and_quantise: fn(Lines<'_>, &Quantiser, &mut [Levels]),
}

impl Kernels {
    /// These kernels for pixels that are YCbCr already.
    pub fn of_ycbcr(self) -> Self {
        Self {
            convert_row: colour::split_row,
            convert_row_to_luma: colour::split_luma,
            ..self
        }
    }
}

//! The arithmetic of encoding, once a vector extension: every level gives the same bits.
//!
//! The scalar code in `colour`, `dct` and `quant` says what is right; the other levels are held against it.

#![allow(unsafe_code)]
// A kernel is compiled for its instructions only where everything in it is inlined.
#![allow(clippy::inline_always)]

#[cfg(target_arch = "x86_64")]
mod avx2;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(test)]
mod tests;

use crate::colour;
use crate::dct::Block;
use crate::levels::Levels;
use crate::quant::Quantiser;

/// Which instructions the kernels use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// What the compiler makes of scalar code for the oldest processor of the platform.
    Portable = 0,
    /// Of 64-bit ARM, where it is always there.
    Neon = 1,
    /// Of most x86-64 processors since 2013.
    Avx2 = 2,
}

impl Level {
    const ALL: [Self; 3] = [Self::Portable, Self::Neon, Self::Avx2];

    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|level| *level as u8 == code)
    }

    /// The levels that this processor has, the fastest last.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|level| level.kernels().is_some())
    }

    /// The kernels of the last one.
    #[cfg(test)]
    pub fn fastest() -> Kernels {
        Self::available().last().and_then(Self::kernels).unwrap()
    }

    /// Its kernels, where the processor has what they need.
    pub fn kernels(self) -> Option<Kernels> {
        match self {
            Self::Portable => Some(portable::KERNELS),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Some(neon::KERNELS),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 if is_x86_feature_detected!("avx2") => Some(avx2::KERNELS),
            _ => None,
        }
    }
}

/// Eight lines of samples, `stride` apart: blocks side by side.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    pub samples: &'a [u8],
    pub stride: usize,
}

/// Interleaved RGB into Y, Cb, Cr.
type ConvertRow = fn(&[u8], &mut [u8], &mut [u8], &mut [u8]);

/// One level's functions. Rows have one length; a downsampled one has half of it.
#[derive(Clone, Copy)]
pub struct Kernels {
    pub convert_row: ConvertRow,
    /// Interleaved RGB into Y.
    pub convert_row_to_luma: fn(&[u8], &mut [u8]),
    /// Two rows into one of half the length.
    pub halve_both: fn(&[u8], &[u8], &mut [u8]),
    /// A row into one of half the length.
    pub halve_width: fn(&[u8], &mut [u8]),
    /// Samples into coefficients times 8, as many blocks as are asked for.
    pub transform: fn(Lines<'_>, &mut [Block]),
    /// Coefficients times 8 into levels.
    pub quantise: fn(&[Block], &Quantiser, &mut [Levels]),
    /// Both at once.
    pub transform_and_quantise: fn(Lines<'_>, &Quantiser, &mut [Levels]),
}

impl Kernels {
    /// The same for images that are YCbCr already.
    pub fn of_ycbcr(self) -> Self {
        Self {
            convert_row: colour::split_row,
            convert_row_to_luma: colour::split_luma,
            ..self
        }
    }
}

/// Where steps of `step` samples begin in a row that is at least as long; the last may overlap the one before.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn steps(width: usize, step: usize) -> impl Iterator<Item = usize> {
    (0..width).step_by(step).map(move |start| start.min(width - step))
}

/// The longest step of any level.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const LONGEST_STEP: usize = 32;

/// `convert` for a row shorter than a step, by way of rows that are long enough.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn convert_short_row(convert: ConvertRow, rgb: &[u8], y: &mut [u8], cb: &mut [u8], cr: &mut [u8]) {
    let mut long_rgb = [0; 3 * LONGEST_STEP];
    long_rgb[..rgb.len()].copy_from_slice(rgb);
    let mut long_rows = [[0; LONGEST_STEP]; 3];
    let [first, second, third] = &mut long_rows;
    convert(&long_rgb, first, second, third);
    for (row, long_row) in [y, cb, cr].into_iter().zip(long_rows) {
        row.copy_from_slice(&long_row[..row.len()]);
    }
}

/// `convert` for the luma of such a row.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn convert_short_row_to_luma(convert: ConvertRow, rgb: &[u8], y: &mut [u8]) {
    let [mut cb, mut cr] = [[0; LONGEST_STEP]; 2];
    let width = y.len();
    convert_short_row(convert, rgb, y, &mut cb[..width], &mut cr[..width]);
}

//! Rows of any length for kernels that take a fixed number of pixels at a time.

use crate::simd::kernels::ConvertRow;

/// Where steps of `step` pixels begin in a row that has at least as many. The last step may overlap the one before.
pub fn steps(width: usize, step: usize) -> impl Iterator<Item = usize> {
    (0..width).step_by(step).map(move |start| start.min(width - step))
}

/// The longest step of any instruction set.
const LONGEST_STEP: usize = 32;

/// Convert a row that is shorter than a step with `convert`, by way of rows that are long enough.
pub fn convert_short_row(convert: ConvertRow, rgb: &[u8], y: &mut [u8], cb: &mut [u8], cr: &mut [u8]) {
    let mut long_rgb = [0; 3 * LONGEST_STEP];
    long_rgb[..rgb.len()].copy_from_slice(rgb);
    let mut long_rows = [[0; LONGEST_STEP]; 3];
    let [first, second, third] = &mut long_rows;
    convert(&long_rgb, first, second, third);
    for (row, long_row) in [y, cb, cr].into_iter().zip(long_rows) {
        row.copy_from_slice(&long_row[..row.len()]);
    }
}

/// Convert a row that is shorter than a step into luma with `convert`.
pub fn convert_short_row_to_luma(convert: ConvertRow, rgb: &[u8], y: &mut [u8]) {
    let [mut cb, mut cr] = [[0; LONGEST_STEP]; 2];
    let width = y.len();
    convert_short_row(convert, rgb, y, &mut cb[..width], &mut cr[..width]);
}

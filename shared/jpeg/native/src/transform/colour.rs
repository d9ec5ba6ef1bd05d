//! RGB to YCbCr (JFIF), YCbCr to its components, and chroma downsampling, in the fixed point of libjpeg.

pub const FRACTION_BITS: i32 = 16;
pub const HALF: i32 = 1 << (FRACTION_BITS - 1);
/// 128, and slightly less than a half, so that pure blue or red stays at 255.
pub const CHROMA_OFFSET: i32 = (128 << FRACTION_BITS) + HALF - 1;

// JFIF's 0.299, 0.587 and 0.114 for luma; chroma takes a half of its own colour and a half, in all, of the others.
pub const R_TO_Y: i32 = 19595;
pub const G_TO_Y: i32 = 38470;
pub const B_TO_Y: i32 = 7471;
pub const R_TO_CB: i32 = -11058;
pub const G_TO_CB: i32 = -21710;
pub const G_TO_CR: i32 = -27439;
pub const B_TO_CR: i32 = -5329;

/// One row of interleaved RGB into three rows of the same length.
pub fn convert_row(rgb: &[u8], y: &mut [u8], cb: &mut [u8], cr: &mut [u8]) {
    let values = y.iter_mut().zip(cb).zip(cr);
    for (pixel, ((y, cb), cr)) in rgb.chunks_exact(3).zip(values) {
        (*y, *cb, *cr) = convert([pixel[0], pixel[1], pixel[2]]);
    }
}

/// One row of interleaved RGB into a row of Y.
pub fn convert_row_to_luma(rgb: &[u8], y: &mut [u8]) {
    for (pixel, y) in rgb.chunks_exact(3).zip(y) {
        *y = convert([pixel[0], pixel[1], pixel[2]]).0;
    }
}

/// One row of interleaved YCbCr into its three rows.
// By index, as LLVM 14 (rustc 1.63) crashes over the vectors that it would make of iterators for ARM.
pub fn split_row(ycbcr: &[u8], y: &mut [u8], cb: &mut [u8], cr: &mut [u8]) {
    for (index, pixel) in ycbcr.chunks_exact(3).enumerate() {
        y[index] = pixel[0];
        cb[index] = pixel[1];
        cr[index] = pixel[2];
    }
}

/// One row of interleaved YCbCr into its row of Y.
pub fn split_luma(ycbcr: &[u8], y: &mut [u8]) {
    for (index, pixel) in ycbcr.chunks_exact(3).enumerate() {
        y[index] = pixel[0];
    }
}

// LLVM 14 (rustc 1.63) crashes over the vectors that it makes of this for ARM, which has better ones in `simd`.
#[cfg_attr(target_arch = "aarch64", inline(never))]
#[cfg_attr(not(target_arch = "aarch64"), inline)]
fn convert(pixel: [u8; 3]) -> (u8, u8, u8) {
    let [r, g, b] = pixel.map(i32::from);
    let whole = |sum: i32| (sum >> FRACTION_BITS) as u8;
    (
        whole(R_TO_Y * r + G_TO_Y * g + B_TO_Y * b + HALF),
        whole(R_TO_CB * r + G_TO_CB * g + HALF * b + CHROMA_OFFSET),
        whole(HALF * r + G_TO_CR * g + B_TO_CR * b + CHROMA_OFFSET),
    )
}

/// One pixel of RGB from Y and, both less 128, Cb and Cr (JFIF), rounded and clamped.
pub fn to_rgb(y: f32, cb: f32, cr: f32) -> [u8; 3] {
    let colours = [
        y + 1.402 * cr,
        y - 0.344_136_3 * cb - 0.714_136_3 * cr,
        y + 1.772 * cb,
    ];
    colours.map(to_byte)
}

/// The nearest of the values that a byte has.
pub fn to_byte(value: f32) -> u8 {
    (value + 0.5) as u8
}

/// The means of 2 x 2 values. Halves are rounded down and up in turn, so that no bias builds up.
pub fn halve_both(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
    for (column, (out, (a, b))) in out.iter_mut().zip(pairs).enumerate() {
        let sum = u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]);
        *out = ((sum + 1 + (column as u16 & 1)) >> 2) as u8;
    }
}

/// The means of 2 neighbouring values of a row. Halves are rounded down and up in turn.
pub fn halve_width(row: &[u8], out: &mut [u8]) {
    for (column, (out, pair)) in out.iter_mut().zip(row.chunks_exact(2)).enumerate() {
        *out = ((u16::from(pair[0]) + u16::from(pair[1]) + (column as u16 & 1)) >> 1) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_keep_their_jfif_values() {
        let rgb = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0];
        let (mut y, mut cb, mut cr) = ([0; 5], [0; 5], [0; 5]);
        convert_row(&rgb, &mut y, &mut cb, &mut cr);
        assert_eq!(y, [76, 150, 29, 255, 0]);
        assert_eq!(cb, [85, 44, 255, 128, 128]);
        assert_eq!(cr, [255, 21, 107, 128, 128]);
    }

    #[test]
    fn halves_round_down_and_up_in_turn() {
        let mut out = [0; 2];
        halve_both(&[1, 1, 1, 1], &[0, 0, 0, 0], &mut out);
        assert_eq!(out, [0, 1]);
        halve_width(&[0, 1, 0, 1], &mut out);
        assert_eq!(out, [0, 1]);
    }
}

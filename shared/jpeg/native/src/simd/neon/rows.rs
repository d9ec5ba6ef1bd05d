//! Colour conversion and downsampling of 16 pixels at a time.

#[allow(clippy::wildcard_imports)]
use std::arch::aarch64::*;

use crate::simd::short_rows::{convert_short_row, convert_short_row_to_luma, steps};
use crate::transform::colour::{
    self, B_TO_CR, B_TO_Y, CHROMA_OFFSET, FRACTION_BITS, G_TO_CB, G_TO_CR, G_TO_Y, HALF, R_TO_CB, R_TO_Y,
};

/// Pixels in one step of colour conversion.
const STEP: usize = 16;
/// Values in one step of downsampling, counted after it.
const HALVED: usize = 8;

pub fn convert_row(rgb: &[u8], y: &mut [u8], cb: &mut [u8], cr: &mut [u8]) {
    if y.len() < STEP {
        return convert_short_row(convert_row, rgb, y, cb, cr);
    }
    for start in steps(y.len(), STEP) {
        let [first, second] = Pixels::load(&rgb[3 * start..]);
        store(first.luma(), second.luma(), &mut y[start..]);
        store(first.blueness(), second.blueness(), &mut cb[start..]);
        store(first.redness(), second.redness(), &mut cr[start..]);
    }
}

pub fn convert_row_to_luma(rgb: &[u8], y: &mut [u8]) {
    if y.len() < STEP {
        return convert_short_row_to_luma(convert_row, rgb, y);
    }
    for start in steps(y.len(), STEP) {
        let [first, second] = Pixels::load(&rgb[3 * start..]);
        store(first.luma(), second.luma(), &mut y[start..]);
    }
}

/// Eight pixels, with 16 bits for each colour.
struct Pixels {
    r: uint16x8_t,
    g: uint16x8_t,
    b: uint16x8_t,
}

impl Pixels {
    #[inline(always)]
    fn load(rgb: &[u8]) -> [Self; 2] {
        let rgb = &rgb[..3 * STEP];
        // SAFETY: there is NEON; 24 bytes can be read at either pointer.
        unsafe {
            [
                Self::widened(vld3_u8(rgb.as_ptr())),
                Self::widened(vld3_u8(rgb.as_ptr().add(24))),
            ]
        }
    }

    #[inline(always)]
    fn widened(uint8x8x3_t(r, g, b): uint8x8x3_t) -> Self {
        // SAFETY: there is NEON.
        unsafe {
            Self {
                r: vmovl_u8(r),
                g: vmovl_u8(g),
                b: vmovl_u8(b),
            }
        }
    }

    #[inline(always)]
    fn luma(&self) -> uint16x8_t {
        weighted([self.r, self.g, self.b], [R_TO_Y, G_TO_Y, B_TO_Y], HALF)
    }

    #[inline(always)]
    fn blueness(&self) -> uint16x8_t {
        weighted([self.r, self.g, self.b], [R_TO_CB, G_TO_CB, HALF], CHROMA_OFFSET)
    }

    #[inline(always)]
    fn redness(&self) -> uint16x8_t {
        weighted([self.r, self.g, self.b], [HALF, G_TO_CR, B_TO_CR], CHROMA_OFFSET)
    }
}

/// The weighted sums and the offset without their fractions.
#[inline(always)]
fn weighted(colours: [uint16x8_t; 3], weights: [i32; 3], offset: i32) -> uint16x8_t {
    // SAFETY: there is NEON.
    unsafe {
        let mut lower = vdupq_n_u32(offset as u32);
        let mut upper = lower;
        for (colour, weight) in colours.into_iter().zip(weights) {
            let magnitude = weight.unsigned_abs() as u16;
            if weight < 0 {
                lower = vmlsl_n_u16(lower, vget_low_u16(colour), magnitude);
                upper = vmlsl_high_n_u16(upper, colour, magnitude);
            } else {
                lower = vmlal_n_u16(lower, vget_low_u16(colour), magnitude);
                upper = vmlal_high_n_u16(upper, colour, magnitude);
            }
        }
        vshrn_high_n_u32::<FRACTION_BITS>(vshrn_n_u32::<FRACTION_BITS>(lower), upper)
    }
}

#[inline(always)]
fn store(first: uint16x8_t, second: uint16x8_t, out: &mut [u8]) {
    let out = &mut out[..STEP];
    // SAFETY: there is NEON; `out` has 16 bytes.
    unsafe { vst1q_u8(out.as_mut_ptr(), vmovn_high_u16(vmovn_u16(first), second)) }
}

pub fn halve_both(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    let whole = out.len() / HALVED * HALVED;
    for start in (0..whole).step_by(HALVED) {
        let (upper, lower) = (load(&upper[2 * start..]), load(&lower[2 * start..]));
        // SAFETY: there is NEON.
        unsafe {
            let sums = vpadalq_u8(vpaddlq_u8(upper), lower);
            let biased = vaddq_u16(sums, in_turn(1, 2));
            store_half(vshrn_n_u16::<2>(biased), &mut out[start..]);
        }
    }
    colour::halve_both(&upper[2 * whole..], &lower[2 * whole..], &mut out[whole..]);
}

pub fn halve_width(row: &[u8], out: &mut [u8]) {
    let whole = out.len() / HALVED * HALVED;
    for start in (0..whole).step_by(HALVED) {
        // SAFETY: there is NEON.
        unsafe {
            let biased = vaddq_u16(vpaddlq_u8(load(&row[2 * start..])), in_turn(0, 1));
            store_half(vshrn_n_u16::<1>(biased), &mut out[start..]);
        }
    }
    colour::halve_width(&row[2 * whole..], &mut out[whole..]);
}

#[inline(always)]
fn load(row: &[u8]) -> uint8x16_t {
    let row = &row[..2 * HALVED];
    // SAFETY: there is NEON; `row` has 16 bytes.
    unsafe { vld1q_u8(row.as_ptr()) }
}

#[inline(always)]
fn in_turn(even: u32, odd: u32) -> uint16x8_t {
    // SAFETY: there is NEON.
    unsafe { vreinterpretq_u16_u32(vdupq_n_u32(odd << 16 | even)) }
}

#[inline(always)]
fn store_half(values: uint8x8_t, out: &mut [u8]) {
    let out = &mut out[..HALVED];
    // SAFETY: there is NEON; `out` has 8 bytes.
    unsafe { vst1_u8(out.as_mut_ptr(), values) }
}

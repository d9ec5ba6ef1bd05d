//! The block kernels for vectors of 128 bits, which hold a line of one block.

#[allow(clippy::wildcard_imports)]
use std::arch::aarch64::*;

use crate::geometry::block::{BLOCK_SIDE, ZIGZAG};
use crate::simd::lanes::{block_kernels, Lanes};
use crate::transform::levels::Levels;

block_kernels!("neon", Line);

/// A line of one block.
#[derive(Clone, Copy)]
struct Line(int16x8_t);

impl Lanes for Line {
    const BLOCKS: usize = 1;
    /// Lanes 0 to 3, then 4 to 7.
    type Wide = [int32x4_t; 2];

    #[inline(always)]
    unsafe fn load_values(values: *const u8) -> Self {
        // SAFETY: 8 values can be read.
        unsafe {
            let values = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(values)));
            Self(vsubq_s16(values, vdupq_n_s16(128)))
        }
    }

    #[inline(always)]
    unsafe fn load_line(line: *const i16) -> Self {
        // SAFETY: 8 items can be read.
        Self(unsafe { vld1q_s16(line) })
    }

    #[inline(always)]
    unsafe fn store_line(self, line: *mut i16) {
        // SAFETY: 8 items can be written.
        unsafe { vst1q_s16(line, self.0) }
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        // SAFETY: there is NEON.
        Self(unsafe { vaddq_s16(self.0, other.0) })
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        // SAFETY: there is NEON.
        Self(unsafe { vsubq_s16(self.0, other.0) })
    }

    #[inline(always)]
    fn shifted_left<const BITS: i32>(self) -> Self {
        // SAFETY: there is NEON.
        Self(unsafe { vshlq_n_s16::<BITS>(self.0) })
    }

    #[inline(always)]
    fn rounded_right<const BITS: i32>(self) -> Self {
        // SAFETY: there is NEON.
        Self(unsafe { vrshrq_n_s16::<BITS>(self.0) })
    }

    #[inline(always)]
    fn products(self, other: Self, factors: [i16; 2]) -> Self::Wide {
        // SAFETY: there is NEON.
        unsafe {
            let lower = vmull_n_s16(vget_low_s16(self.0), factors[0]);
            let upper = vmull_high_n_s16(self.0, factors[0]);
            [
                vmlal_n_s16(lower, vget_low_s16(other.0), factors[1]),
                vmlal_high_n_s16(upper, other.0, factors[1]),
            ]
        }
    }

    #[inline(always)]
    fn wide_plus(left: Self::Wide, right: Self::Wide) -> Self::Wide {
        // SAFETY: there is NEON.
        unsafe { [vaddq_s32(left[0], right[0]), vaddq_s32(left[1], right[1])] }
    }

    #[inline(always)]
    fn narrowed<const BITS: i32>(wide: Self::Wide) -> Self {
        // SAFETY: there is NEON.
        unsafe {
            let lower = vrshrn_n_s32::<BITS>(wide[0]);
            Self(vrshrn_high_n_s32::<BITS>(lower, wide[1]))
        }
    }

    #[inline(always)]
    fn interleaved(self, other: Self) -> [Self; 2] {
        // SAFETY: there is NEON.
        unsafe {
            [
                Self(vzip1q_s16(self.0, other.0)),
                Self(vzip2q_s16(self.0, other.0)),
            ]
        }
    }

    #[inline(always)]
    fn quantised(self, line: [[u16; BLOCK_SIDE]; 3]) -> Self {
        // SAFETY: there is NEON.
        unsafe {
            let [halves, reciprocals, scales] = &line;
            let dividend = vaddq_u16(vreinterpretq_u16_s16(vabsq_s16(self.0)), load(halves));
            let quotient = upper_half(dividend, load(reciprocals));
            let magnitude = vreinterpretq_s16_u16(upper_half(quotient, load(scales)));
            let sign = vshrq_n_s16::<15>(self.0);
            Self(vsubq_s16(veorq_s16(magnitude, sign), sign))
        }
    }

    #[inline(always)]
    fn store_levels(lines: [Self; BLOCK_SIDE], levels: &mut [Levels]) {
        levels[0].nonzero = 0;
        for (index, line) in zigzag(lines).into_iter().enumerate() {
            let start = index * BLOCK_SIDE;
            let target = &mut levels[0].zigzag[start..start + BLOCK_SIDE];
            // SAFETY: there is NEON; the target has 8 items.
            unsafe {
                vst1q_s16(target.as_mut_ptr(), line.0);
                let bits = vandq_u16(vtstq_s16(line.0, line.0), load(&[1, 2, 4, 8, 16, 32, 64, 128]));
                levels[0].nonzero |= u64::from(vaddvq_u16(bits)) << start;
            }
        }
    }
}

#[inline(always)]
fn load(entries: &[u16; BLOCK_SIDE]) -> uint16x8_t {
    // SAFETY: there is NEON; 8 items can be read.
    unsafe { vld1q_u16(entries.as_ptr()) }
}

/// Bits 16 to 31 of each product.
#[inline(always)]
fn upper_half(left: uint16x8_t, right: uint16x8_t) -> uint16x8_t {
    // SAFETY: there is NEON.
    unsafe {
        let lower = vmull_u16(vget_low_u16(left), vget_low_u16(right));
        let upper = vmull_high_u16(left, right);
        vuzp2q_u16(vreinterpretq_u16_u32(lower), vreinterpretq_u16_u32(upper))
    }
}

/// Lines of eight levels in zig-zag order, from lines in natural order: each half of the block is a table of 64
/// bytes, and gives those that lie in it.
#[inline(always)]
fn zigzag(lines: [Line; BLOCK_SIDE]) -> [Line; BLOCK_SIDE] {
    let mut found = lines;
    // SAFETY: there is NEON; the picks of a line are 16 bytes.
    unsafe {
        let upper = bytes([lines[0], lines[1], lines[2], lines[3]]);
        let lower = bytes([lines[4], lines[5], lines[6], lines[7]]);
        for (line, picks) in found.iter_mut().zip(&PICKS) {
            let picks = vld1q_u8(picks.as_ptr());
            let of_upper = vqtbl4q_u8(upper, picks);
            let of_both = vqtbx4q_u8(of_upper, lower, vsubq_u8(picks, vdupq_n_u8(64)));
            *line = Line(vreinterpretq_s16_u8(of_both));
        }
    }
    found
}

#[inline(always)]
fn bytes(lines: [Line; 4]) -> uint8x16x4_t {
    // SAFETY: there is NEON.
    unsafe {
        uint8x16x4_t(
            vreinterpretq_u8_s16(lines[0].0),
            vreinterpretq_u8_s16(lines[1].0),
            vreinterpretq_u8_s16(lines[2].0),
            vreinterpretq_u8_s16(lines[3].0),
        )
    }
}

/// For each line in zig-zag order: which bytes of the block it takes.
const PICKS: [[u8; 16]; BLOCK_SIDE] = picks();

const fn picks() -> [[u8; 16]; BLOCK_SIDE] {
    let mut found = [[0; 16]; BLOCK_SIDE];
    let mut at = 0;
    while at < 128 {
        found[at / 16][at % 16] = ZIGZAG[at / 2] * 2 + at as u8 % 2;
        at += 1;
    }
    found
}

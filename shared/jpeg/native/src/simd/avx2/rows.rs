//! Colour conversion and downsampling of 32 pixels at a time.

#[allow(clippy::wildcard_imports)]
use std::arch::x86_64::*;

use crate::simd::short_rows::{convert_short_row, convert_short_row_to_luma, steps};
use crate::transform::colour::{
    self, B_TO_CR, B_TO_Y, CHROMA_OFFSET, FRACTION_BITS, G_TO_CB, G_TO_CR, G_TO_Y, HALF, R_TO_CB, R_TO_Y,
};

/// Pixels in one step of colour conversion.
const STEP: usize = 32;
/// Values in one step of downsampling, counted after it.
const HALVED: usize = 16;

/// Half of the weight `HALF`, which a factor of 16 bits cannot hold: two factors share such a weight.
const QUARTER: i32 = HALF / 2;

pub fn convert_row(rgb: &[u8], y: &mut [u8], cb: &mut [u8], cr: &mut [u8]) {
    // SAFETY: only `KERNELS` names it, which is handed out where there is AVX2.
    unsafe { convert(rgb, y, cb, cr) }
}

pub fn convert_row_to_luma(rgb: &[u8], y: &mut [u8]) {
    // SAFETY: only `KERNELS` names it, which is handed out where there is AVX2.
    unsafe { convert_to_luma(rgb, y) }
}

pub fn halve_both(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    // SAFETY: only `KERNELS` names it, which is handed out where there is AVX2.
    unsafe { halve_both_ways(upper, lower, out) }
}

pub fn halve_width(row: &[u8], out: &mut [u8]) {
    // SAFETY: only `KERNELS` names it, which is handed out where there is AVX2.
    unsafe { halve_one_way(row, out) }
}

#[target_feature(enable = "avx2")]
unsafe fn convert(rgb: &[u8], y: &mut [u8], cb: &mut [u8], cr: &mut [u8]) {
    if y.len() < STEP {
        return convert_short_row(convert_row, rgb, y, cb, cr);
    }
    for start in steps(y.len(), STEP) {
        // SAFETY: there is AVX2.
        let [first, second] = unsafe { Pixels::load(&rgb[3 * start..]) };
        store(first.luma(), second.luma(), &mut y[start..]);
        store(first.blueness(), second.blueness(), &mut cb[start..]);
        store(first.redness(), second.redness(), &mut cr[start..]);
    }
}

#[target_feature(enable = "avx2")]
unsafe fn convert_to_luma(rgb: &[u8], y: &mut [u8]) {
    if y.len() < STEP {
        return convert_short_row_to_luma(convert_row, rgb, y);
    }
    for start in steps(y.len(), STEP) {
        // SAFETY: there is AVX2.
        let [first, second] = unsafe { Pixels::load(&rgb[3 * start..]) };
        store(first.luma(), second.luma(), &mut y[start..]);
    }
}

/// Two colours of 16 pixels in turn, 16 bits each: pixels 0 to 3 of each half, then 4 to 7.
type Pairs = [__m256i; 2];

/// 16 pixels as pairs of their colours. Where there is a value, there is AVX2.
struct Pixels {
    rg: Pairs,
    rb: Pairs,
    gb: Pairs,
}

impl Pixels {
    /// 32 pixels: the first value has pixels 0 to 7 and 16 to 23, so that `store` puts all in order.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[inline(always)]
    unsafe fn load(rgb: &[u8]) -> [Self; 2] {
        let rgb = &rgb[..3 * STEP];
        // SAFETY: there is AVX2; the last 24 bytes begin at 72.
        unsafe {
            let start = rgb.as_ptr();
            [
                Self::spread(start, start.add(48)),
                Self::spread(start.add(24), start.add(72)),
            ]
        }
    }

    /// Eight pixels at `first`, eight at `second`.
    ///
    /// # Safety
    /// The processor has AVX2; 24 bytes can be read at either pointer.
    #[inline(always)]
    unsafe fn spread(first: *const u8, second: *const u8) -> Self {
        // SAFETY: as above. The upper load begins before the fifth pixel to read nothing behind the eighth.
        unsafe {
            let lower = both(first, second);
            let upper = both(first.add(8), second.add(8));
            Self {
                rg: [pick(lower, &RG_LOWER), pick(upper, &RG_UPPER)],
                rb: [pick(lower, &RB_LOWER), pick(upper, &RB_UPPER)],
                gb: [pick(lower, &GB_LOWER), pick(upper, &GB_UPPER)],
            }
        }
    }

    #[inline(always)]
    fn luma(&self) -> __m256i {
        let (rg, gb) = ([R_TO_Y, G_TO_Y - QUARTER], [QUARTER, B_TO_Y]);
        weighted(self.rg, rg, self.gb, gb, HALF)
    }

    #[inline(always)]
    fn blueness(&self) -> __m256i {
        let (rb, gb) = ([R_TO_CB, QUARTER], [G_TO_CB, QUARTER]);
        weighted(self.rb, rb, self.gb, gb, CHROMA_OFFSET)
    }

    #[inline(always)]
    fn redness(&self) -> __m256i {
        let (rg, rb) = ([QUARTER, G_TO_CR], [QUARTER, B_TO_CR]);
        weighted(self.rg, rg, self.rb, rb, CHROMA_OFFSET)
    }
}

/// # Safety
/// The processor has AVX2; 16 bytes can be read at either pointer.
#[inline(always)]
unsafe fn both(first: *const u8, second: *const u8) -> __m256i {
    // SAFETY: as above.
    unsafe { _mm256_set_m128i(_mm_loadu_si128(second.cast()), _mm_loadu_si128(first.cast())) }
}

#[inline(always)]
fn pick(bytes: __m256i, picks: &[u8; 32]) -> __m256i {
    // SAFETY: where there is a vector, there is AVX2; 32 bytes can be read.
    unsafe { _mm256_shuffle_epi8(bytes, _mm256_loadu_si256(picks.as_ptr().cast())) }
}

const RG_LOWER: [u8; 32] = picks(0, 0, 1);
const RG_UPPER: [u8; 32] = picks(4, 0, 1);
const RB_LOWER: [u8; 32] = picks(0, 0, 2);
const RB_UPPER: [u8; 32] = picks(4, 0, 2);
const GB_LOWER: [u8; 32] = picks(0, 1, 2);
const GB_UPPER: [u8; 32] = picks(4, 1, 2);

/// Where two colours of the four pixels from byte `start` on lie, a zero (0x80) behind each.
const fn picks(start: u8, one: u8, other: u8) -> [u8; 32] {
    let mut found = [0x80; 32];
    let mut at = 0;
    while at < 32 {
        let pixel = start + at as u8 % 16 / 4 * 3;
        found[at] = pixel + one;
        found[at + 2] = pixel + other;
        at += 4;
    }
    found
}

/// The weighted sums and the offset without their fractions, 16 bits each, pixels in order in each half.
#[inline(always)]
fn weighted(
    one: Pairs,
    one_weights: [i32; 2],
    other: Pairs,
    other_weights: [i32; 2],
    offset: i32,
) -> __m256i {
    // SAFETY: where there are vectors, there is AVX2.
    unsafe {
        let (one_weights, other_weights) = (in_pairs(one_weights), in_pairs(other_weights));
        let offset = _mm256_set1_epi32(offset);
        let lower = _mm256_add_epi32(_mm256_madd_epi16(one[0], one_weights), offset);
        let upper = _mm256_add_epi32(_mm256_madd_epi16(one[1], one_weights), offset);
        let lower = _mm256_add_epi32(lower, _mm256_madd_epi16(other[0], other_weights));
        let upper = _mm256_add_epi32(upper, _mm256_madd_epi16(other[1], other_weights));
        _mm256_packs_epi32(
            _mm256_srai_epi32::<FRACTION_BITS>(lower),
            _mm256_srai_epi32::<FRACTION_BITS>(upper),
        )
    }
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn in_pairs(weights: [i32; 2]) -> __m256i {
    // SAFETY: there is AVX2.
    unsafe { _mm256_set1_epi32(weights[1] << 16 | (weights[0] & 0xFFFF)) }
}

/// Store 32 values, taken from the halves of two vectors in turn.
#[inline(always)]
fn store(first: __m256i, second: __m256i, out: &mut [u8]) {
    let out = &mut out[..STEP];
    // SAFETY: where there are vectors, there is AVX2; `out` has 32 bytes.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm256_packus_epi16(first, second)) };
}

#[target_feature(enable = "avx2")]
unsafe fn halve_both_ways(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    let whole = out.len() / HALVED * HALVED;
    for start in (0..whole).step_by(HALVED) {
        // SAFETY: there is AVX2.
        unsafe {
            let sums = _mm256_add_epi16(pair_sums(&upper[2 * start..]), pair_sums(&lower[2 * start..]));
            let biased = _mm256_add_epi16(sums, _mm256_set1_epi32(0x0002_0001));
            store_half(_mm256_srli_epi16::<2>(biased), &mut out[start..]);
        }
    }
    colour::halve_both(&upper[2 * whole..], &lower[2 * whole..], &mut out[whole..]);
}

#[target_feature(enable = "avx2")]
unsafe fn halve_one_way(row: &[u8], out: &mut [u8]) {
    let whole = out.len() / HALVED * HALVED;
    for start in (0..whole).step_by(HALVED) {
        // SAFETY: there is AVX2.
        unsafe {
            let biased = _mm256_add_epi16(pair_sums(&row[2 * start..]), _mm256_set1_epi32(0x0001_0000));
            store_half(_mm256_srli_epi16::<1>(biased), &mut out[start..]);
        }
    }
    colour::halve_width(&row[2 * whole..], &mut out[whole..]);
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn pair_sums(row: &[u8]) -> __m256i {
    let row = &row[..2 * HALVED];
    // SAFETY: there is AVX2; `row` has 32 bytes.
    unsafe { _mm256_maddubs_epi16(_mm256_loadu_si256(row.as_ptr().cast()), _mm256_set1_epi8(1)) }
}

#[inline(always)]
fn store_half(values: __m256i, out: &mut [u8]) {
    let out = &mut out[..HALVED];
    // SAFETY: where there is a vector, there is AVX2; `out` has 16 bytes.
    unsafe {
        let (lower, upper) = (
            _mm256_castsi256_si128(values),
            _mm256_extracti128_si256::<1>(values),
        );
        _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_packus_epi16(lower, upper));
    }
}

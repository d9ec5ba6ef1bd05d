//! The block kernels for vectors of 256 bits, which hold a line of two blocks.

#[allow(clippy::wildcard_imports)]
use std::arch::x86_64::*;

use crate::geometry::block::{BLOCK_AREA, BLOCK_SIDE, ZIGZAG};
use crate::simd::lanes::{block_kernels, Lanes};
use crate::transform::levels::Levels;

block_kernels!("avx2", TwoLines);

/// Lines of two blocks. Where there is one, there is AVX2.
#[derive(Clone, Copy)]
struct TwoLines(__m256i);

impl Lanes for TwoLines {
    const BLOCKS: usize = 2;
    /// Lanes 0 to 3 of each block, then 4 to 7.
    type Wide = [__m256i; 2];

    #[inline(always)]
    unsafe fn load_values(values: *const u8) -> Self {
        // SAFETY: 16 values can be read.
        unsafe {
            let values = _mm256_cvtepu8_epi16(_mm_loadu_si128(values.cast()));
            Self(_mm256_sub_epi16(values, _mm256_set1_epi16(128)))
        }
    }

    #[inline(always)]
    unsafe fn load_line(line: *const i16) -> Self {
        // SAFETY: 8 items can be read there, and 8 more one block later.
        unsafe {
            let (first, second) = (line.cast(), line.add(BLOCK_AREA).cast());
            Self(_mm256_set_m128i(_mm_loadu_si128(second), _mm_loadu_si128(first)))
        }
    }

    #[inline(always)]
    unsafe fn store_line(self, line: *mut i16) {
        // SAFETY: as in `load_line`.
        unsafe {
            _mm_storeu_si128(line.cast(), _mm256_castsi256_si128(self.0));
            let second = line.add(BLOCK_AREA).cast();
            _mm_storeu_si128(second, _mm256_extracti128_si256::<1>(self.0));
        }
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        // SAFETY: there is AVX2.
        Self(unsafe { _mm256_add_epi16(self.0, other.0) })
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        // SAFETY: there is AVX2.
        Self(unsafe { _mm256_sub_epi16(self.0, other.0) })
    }

    #[inline(always)]
    fn shifted_left<const BITS: i32>(self) -> Self {
        // SAFETY: there is AVX2.
        Self(unsafe { _mm256_slli_epi16::<BITS>(self.0) })
    }

    #[inline(always)]
    fn rounded_right<const BITS: i32>(self) -> Self {
        // SAFETY: there is AVX2.
        unsafe {
            let half = _mm256_set1_epi16(1 << (BITS - 1));
            Self(_mm256_srai_epi16::<BITS>(_mm256_add_epi16(self.0, half)))
        }
    }

    #[inline(always)]
    fn products(self, other: Self, factors: [i16; 2]) -> Self::Wide {
        let factors = (i32::from(factors[1]) << 16) | i32::from(factors[0] as u16);
        // SAFETY: there is AVX2.
        unsafe {
            let factors = _mm256_set1_epi32(factors);
            [
                _mm256_madd_epi16(_mm256_unpacklo_epi16(self.0, other.0), factors),
                _mm256_madd_epi16(_mm256_unpackhi_epi16(self.0, other.0), factors),
            ]
        }
    }

    #[inline(always)]
    fn wide_plus(left: Self::Wide, right: Self::Wide) -> Self::Wide {
        // SAFETY: there is AVX2.
        unsafe {
            [
                _mm256_add_epi32(left[0], right[0]),
                _mm256_add_epi32(left[1], right[1]),
            ]
        }
    }

    #[inline(always)]
    fn narrowed<const BITS: i32>(wide: Self::Wide) -> Self {
        // SAFETY: there is AVX2.
        unsafe {
            let half = _mm256_set1_epi32(1 << (BITS - 1));
            let low = _mm256_srai_epi32::<BITS>(_mm256_add_epi32(wide[0], half));
            let high = _mm256_srai_epi32::<BITS>(_mm256_add_epi32(wide[1], half));
            Self(_mm256_packs_epi32(low, high))
        }
    }

    #[inline(always)]
    fn interleaved(self, other: Self) -> [Self; 2] {
        // SAFETY: there is AVX2.
        unsafe {
            [
                Self(_mm256_unpacklo_epi16(self.0, other.0)),
                Self(_mm256_unpackhi_epi16(self.0, other.0)),
            ]
        }
    }

    #[inline(always)]
    fn quantised(self, line: [[u16; BLOCK_SIDE]; 3]) -> Self {
        // SAFETY: there is AVX2.
        unsafe {
            let [halves, reciprocals, scales] = &line;
            let dividend = _mm256_add_epi16(_mm256_abs_epi16(self.0), in_both_halves(halves));
            let quotient = _mm256_mulhi_epu16(dividend, in_both_halves(reciprocals));
            let magnitude = _mm256_mulhi_epu16(quotient, in_both_halves(scales));
            Self(_mm256_sign_epi16(magnitude, self.0))
        }
    }

    #[inline(always)]
    fn store_levels(lines: [Self; BLOCK_SIDE], levels: &mut [Levels]) {
        let (first, second) = match levels {
            [first, second] => (first, second),
            _ => return,
        };
        let mut nonzero = [0; 2];
        for (pair, two_lines) in zigzag(lines).chunks_exact(2).enumerate() {
            for (line, zigzag) in two_lines.iter().enumerate() {
                let start = (2 * pair + line) * BLOCK_SIDE;
                let (first, second) = (&mut first.zigzag[start..], &mut second.zigzag[start..]);
                assert!(first.len() >= BLOCK_SIDE && second.len() >= BLOCK_SIDE);
                // SAFETY: there is AVX2.
                unsafe {
                    _mm_storeu_si128(first.as_mut_ptr().cast(), _mm256_castsi256_si128(zigzag.0));
                    _mm_storeu_si128(
                        second.as_mut_ptr().cast(),
                        _mm256_extracti128_si256::<1>(zigzag.0),
                    );
                }
            }
            // SAFETY: there is AVX2.
            unsafe {
                let bytes = _mm256_packs_epi16(two_lines[0].0, two_lines[1].0);
                let zeros = _mm256_cmpeq_epi8(bytes, _mm256_setzero_si256());
                let found = !_mm256_movemask_epi8(zeros) as u32;
                nonzero[0] |= u64::from(found & 0xFFFF) << (16 * pair);
                nonzero[1] |= u64::from(found >> 16) << (16 * pair);
            }
        }
        first.nonzero = nonzero[0];
        second.nonzero = nonzero[1];
    }
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn in_both_halves(entries: &[u16; BLOCK_SIDE]) -> __m256i {
    // SAFETY: 16 bytes can be read.
    unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(entries.as_ptr().cast())) }
}

/// Lines of eight levels in zig-zag order, from lines in natural order: each takes its levels out of the few lines
/// that hold them.
#[inline(always)]
fn zigzag(lines: [TwoLines; BLOCK_SIDE]) -> [TwoLines; BLOCK_SIDE] {
    macro_rules! gather {
        ($position:literal: $($line:literal)+) => {{
            const PICKS: [[u8; 32]; BLOCK_SIDE] = picks($position);
            // SAFETY: there is AVX2; the picks of a line are 32 bytes.
            TwoLines(unsafe {
                let mut found = _mm256_setzero_si256();
                $(
                    let picks = _mm256_loadu_si256(PICKS[$line].as_ptr().cast());
                    found = _mm256_or_si256(found, _mm256_shuffle_epi8(lines[$line].0, picks));
                )+
                found
            })
        }};
    }
    [
        gather!(0: 0 1 2),
        gather!(1: 0 1 2 3 4),
        gather!(2: 1 2 3 4 5 6),
        gather!(3: 0 1 2 3),
        gather!(4: 4 5 6 7),
        gather!(5: 1 2 3 4 5 6),
        gather!(6: 3 4 5 6 7),
        gather!(7: 5 6 7),
    ]
}

/// For each natural line: where the bytes of zig-zag line `position` lie in it, 0x80 where they do not.
const fn picks(position: usize) -> [[u8; 32]; BLOCK_SIDE] {
    let mut found = [[0x80; 32]; BLOCK_SIDE];
    let mut at = 0;
    while at < 32 {
        let index = ZIGZAG[position * BLOCK_SIDE + at / 2 % BLOCK_SIDE];
        found[index as usize / BLOCK_SIDE][at] = index % 8 * 2 + at as u8 % 2;
        at += 1;
    }
    found
}

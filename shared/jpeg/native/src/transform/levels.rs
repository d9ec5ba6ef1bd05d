//! A quantised block in the form that entropy coding reads: levels in zig-zag order, and which of them are not zero.

use std::num::NonZeroU64;

use crate::geometry::block::{BLOCK_AREA, ZIGZAG};
use crate::transform::dct::Block;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// The levels by zig-zag position, DC first; of AC only those that `nonzero` names count.
    pub zigzag: [i16; BLOCK_AREA],
    /// Bit p is set where the level at position p is not zero.
    pub nonzero: u64,
}

impl Levels {
    pub const ZERO: Self = Self {
        zigzag: [0; BLOCK_AREA],
        nonzero: 0,
    };

    /// The block with these levels in natural order.
    pub fn from_natural(natural: &Block) -> Self {
        let mut levels = Self::ZERO;
        for (position, &index) in ZIGZAG.iter().enumerate() {
            let level = natural[index as usize & 63];
            levels.zigzag[position] = level;
            levels.nonzero |= u64::from(level != 0) << position;
        }
        levels
    }

    /// Clamp levels to those that 8-bit baseline has codes for. No 8-bit picture has others.
    pub fn keep_codable(&mut self) {
        let [dc, ac @ ..] = &mut self.zigzag;
        *dc = (*dc).clamp(-1024, 1023);
        for level in ac {
            *level = (*level).clamp(-1023, 1023);
        }
    }

    /// Read neighbouring blocks from planes of `area` levels, from block `first` on.
    pub fn gather(planes: &[i16], area: usize, first: usize, blocks: &mut [Self]) {
        let mut masks = [0; LANES];
        for (first, blocks) in (first..).step_by(LANES).zip(blocks.chunks_mut(LANES)) {
            let masks = &mut masks[..blocks.len()];
            find_nonzero(planes, area, first, masks);
            for ((offset, levels), &mask) in (first..).zip(blocks).zip(masks.iter()) {
                levels.nonzero = mask;
                levels.zigzag[0] = planes[offset];
                let mut left = mask & !1;
                while let Some(some_left) = NonZeroU64::new(left) {
                    let position = some_left.trailing_zeros() as usize & 63;
                    levels.zigzag[position] = planes[usize::from(ZIGZAG[position]) * area + offset];
                    left &= left - 1;
                }
            }
        }
    }

    /// The natural index and the value of every level that is not zero, in zig-zag order.
    pub fn nonzero_natural(&self) -> impl Iterator<Item = (usize, i16)> + '_ {
        let mut left = self.nonzero;
        std::iter::from_fn(move || {
            let position = NonZeroU64::new(left)?.trailing_zeros() as usize & 63;
            left &= left - 1;
            Some((ZIGZAG[position] as usize, self.zigzag[position]))
        })
    }
}

/// How many blocks are compared side by side.
const LANES: usize = 16;
/// How many zig-zag positions one lane has bits for.
const LANE_BITS: usize = 16;

/// Find which levels are not zero (as in `Levels::nonzero`) of neighbouring blocks in planes of `area` levels each,
/// from block `first` on.
pub fn find_nonzero(planes: &[i16], area: usize, first: usize, masks: &mut [u64]) {
    for (first, masks) in (first..).step_by(LANES).zip(masks.chunks_mut(LANES)) {
        masks.fill(0);
        for (chunk, naturals) in ZIGZAG.chunks_exact(LANE_BITS).enumerate() {
            let mut bits = [0_u16; LANES];
            for (bit, &natural) in naturals.iter().enumerate() {
                let levels = &planes[usize::from(natural) * area + first..][..masks.len()];
                for (bits, &level) in bits.iter_mut().zip(levels) {
                    *bits |= u16::from(level != 0) << bit;
                }
            }
            for (mask, bits) in masks.iter_mut().zip(bits) {
                *mask |= u64::from(bits) << (chunk * LANE_BITS);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_a_block_come_back_with_their_natural_indices() {
        let mut natural = [0; BLOCK_AREA];
        for (index, level) in (0..).zip(&mut natural).step_by(5) {
            *level = 40 - index;
        }
        let levels = Levels::from_natural(&natural);
        let mut back = [0; BLOCK_AREA];
        for (index, level) in levels.nonzero_natural() {
            assert_ne!(level, 0);
            back[index] = level;
        }
        assert_eq!(back, natural);
        assert_eq!(levels.nonzero.count_ones(), 12);
    }
}

//! The levels of a component while scan after scan brings more of their bits.

use crate::decoding::coefficient::Coefficient;
use crate::geometry::block::{BLOCK_AREA, ZIGZAG};
use crate::tables::quantisation::QuantTable;

/// How many blocks are copied to the planes together: 64 bytes of levels, one cache line.
const TILE: usize = 32;

/// All blocks of a component, row by row.
pub struct Blocks {
    /// Levels by zig-zag position.
    pub levels: Vec<[i16; BLOCK_AREA]>,
    /// Of each block, bit p is set where the AC level at position p is not zero.
    pub nonzero: Vec<u64>,
}

impl Blocks {
    pub fn new(count: usize) -> Self {
        Self {
            levels: vec![[0; BLOCK_AREA]; count],
            nonzero: vec![0; count],
        }
    }

    /// Fill a component's planes.
    pub fn write_to<T: Coefficient>(&self, plane: &mut [T], quant: &QuantTable) {
        let area = self.levels.len();
        for (first, tile) in (0..).step_by(TILE).zip(self.levels.chunks(TILE)) {
            for (position, &natural) in ZIGZAG.iter().enumerate() {
                let natural = usize::from(natural);
                let step = f32::from(quant[natural]);
                let items = &mut plane[natural * area + first..];
                for (item, levels) in items.iter_mut().zip(tile) {
                    *item = T::from_level(i32::from(levels[position]), step);
                }
            }
        }
    }
}

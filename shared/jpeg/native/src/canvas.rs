//! Where decoded blocks go: straight to their planes or, where those are badly apart, by way of bands.
//!
//! Pictures hardly notice; it keeps a hostile frame, every coefficient of which is coded, from taking its time.

use crate::layout::{BLOCK_AREA, ZIGZAG};
use crate::scan_decode::{Coefficient, Part, Plane, ScanPlan};

/// Planes a multiple of this many items apart compete for the few places a cache has for their addresses.
const CROWDED_AREA: usize = 512;
/// From this size on, a frame of dense blocks would take many times as long for it.
const CROWDED_BLOCKS: usize = 1 << 16;
/// Bytes a block: with fewer there are too few coefficients to matter.
const CROWDED_BYTES: usize = 4;
/// Blocks whose coefficients are brought to their planes together: 64 bytes of levels, a line of the cache.
const TILE: usize = 32;

/// In a band the 64 coefficients of a block stand side by side, by zig-zag position here.
static TOGETHER: [u32; BLOCK_AREA] = {
    let mut starts = [0; BLOCK_AREA];
    let mut position = 0;
    while position < BLOCK_AREA {
        starts[position] = ZIGZAG[position] as u32;
        position += 1;
    }
    starts
};

pub struct Canvas<'c, 'p, T> {
    planes: &'c mut [Plane<'p, T>],
    /// A row of MCUs, a component each.
    bands: Option<[Vec<T>; 3]>,
}

impl<'c, 'p, T: Coefficient> Canvas<'c, 'p, T> {
    /// For a scan whose data are among the next `bytes`.
    pub fn new(plan: &ScanPlan, planes: &'c mut [Plane<'p, T>], bytes: usize) -> Self {
        let blocks = plan.layout.blocks();
        let is_crowded = plan
            .parts
            .iter()
            .any(|part| part.layout.area() % CROWDED_AREA == 0)
            && blocks >= CROWDED_BLOCKS
            && bytes >= CROWDED_BYTES * blocks;
        let bands = is_crowded.then(|| {
            let mut bands = [Vec::new(), Vec::new(), Vec::new()];
            for part in &plan.parts {
                let (rows, _) = plan.blocks_of_mcu(part);
                let length = BLOCK_AREA * rows * part.layout.block_columns;
                bands[part.component] = vec![T::default(); length];
            }
            bands
        });
        Self { planes, bands }
    }

    /// Memory for the block at `row` and `column`, the MCU row's `row_inside`: where its positions start, and it.
    #[inline]
    pub fn block<'t>(
        &'t mut self,
        part: &'t Part,
        (row_inside, row, column): (usize, usize, usize),
    ) -> (&'t mut [T], &'t [u32; BLOCK_AREA], usize) {
        let columns = part.layout.block_columns;
        match &mut self.bands {
            None => {
                let plane = &mut *self.planes[part.component].data;
                (plane, &part.starts, row * columns + column)
            }
            Some(bands) => {
                let block = BLOCK_AREA * (row_inside * columns + column);
                (&mut bands[part.component], &TOGETHER, block)
            }
        }
    }

    /// To be called behind the last MCU of each row.
    pub fn end_row(&mut self, plan: &ScanPlan, mcu_row: usize) {
        let bands = match &mut self.bands {
            Some(bands) => bands,
            None => return,
        };
        for part in &plan.parts {
            let band = &mut bands[part.component][..];
            let plane = &mut *self.planes[part.component].data;
            let (rows, _) = plan.blocks_of_mcu(part);
            let columns = part.layout.block_columns;
            let first = mcu_row * rows;
            let rows = rows.min(part.layout.block_rows - first);
            for (row, blocks) in (first..first + rows).zip(band.chunks_exact(BLOCK_AREA * columns)) {
                take_apart(blocks, plane, (part.layout.area(), row * columns));
            }
            band.fill(T::default());
        }
    }
}

/// Bring blocks to planes of `area` items, from item `start` of each on.
fn take_apart<T: Coefficient>(blocks: &[T], plane: &mut [T], (area, start): (usize, usize)) {
    for (tile, blocks) in blocks.chunks(BLOCK_AREA * TILE).enumerate() {
        for natural in 0..BLOCK_AREA {
            let items = &mut plane[natural * area + start + tile * TILE..];
            for (item, block) in items.iter_mut().zip(blocks.chunks_exact(BLOCK_AREA)) {
                *item = block[natural];
            }
        }
    }
}

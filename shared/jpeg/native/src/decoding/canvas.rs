//! Where decoded blocks go: straight to the planes or, where the cache would suffer, first to bands.
//!
//! Usual frames gain little from bands. They keep a hostile frame, in which every coefficient is coded, from taking
//! many times as long.

use crate::decoding::coefficient::{Coefficient, Plane};
use crate::decoding::scan_component::ScanComponent;
use crate::decoding::scan_plan::ScanPlan;
use crate::geometry::block::{BLOCK_AREA, ZIGZAG};

/// Planes whose distance is a multiple of this many items compete for the same few lines of the cache.
const CROWDED_AREA: usize = 512;
/// With this many blocks or more, a frame of dense blocks would take many times as long without bands.
const CROWDED_BLOCKS: usize = 1 << 16;
/// Bytes per block; a frame with fewer has too few coefficients to need bands.
const CROWDED_BYTES: usize = 4;
/// The number of blocks that are copied from a band to the planes together: 64 bytes of levels, one cache line.
const TILE: usize = 32;

/// Where each coefficient of a block stands in a band, by zig-zag position: the 64 of a block stand side by side.
static TOGETHER: [u32; BLOCK_AREA] = {
    let mut starts = [0; BLOCK_AREA];
    let mut position = 0;
    while position < BLOCK_AREA {
        starts[position] = ZIGZAG[position] as u32;
        position += 1;
    }
    starts
};

/// The memory that the blocks of a scan are decoded into.
pub struct Canvas<'c, 'p, T> {
    planes: &'c mut [Plane<'p, T>],
    /// One for each component, as high as a row of MCUs.
    bands: Option<[Vec<T>; 3]>,
}

impl<'c, 'p, T: Coefficient> Canvas<'c, 'p, T> {
    /// A canvas for a scan that has at most `bytes` bytes.
    pub fn new(plan: &ScanPlan, planes: &'c mut [Plane<'p, T>], bytes: usize) -> Self {
        let blocks = plan.layout.blocks();
        let is_crowded = plan
            .components
            .iter()
            .any(|component| component.layout.area() % CROWDED_AREA == 0)
            && blocks >= CROWDED_BLOCKS
            && bytes >= CROWDED_BYTES * blocks;
        let bands = is_crowded.then(|| {
            let mut bands = [Vec::new(), Vec::new(), Vec::new()];
            for component in &plan.components {
                let (rows, _) = plan.blocks_of_mcu(component);
                let length = BLOCK_AREA * rows * component.layout.block_columns;
                bands[component.component] = vec![T::default(); length];
            }
            bands
        });
        Self { planes, bands }
    }

    /// The memory for the block at `row` and `column`, which is in block row `row_inside` of its MCU row: the items,
    /// where each zig-zag position starts in them, and the block's own offset from there.
    #[inline]
    pub fn block<'t>(
        &'t mut self,
        component: &'t ScanComponent,
        (row_inside, row, column): (usize, usize, usize),
    ) -> (&'t mut [T], &'t [u32; BLOCK_AREA], usize) {
        let columns = component.layout.block_columns;
        match &mut self.bands {
            None => {
                let plane = &mut *self.planes[component.component].data;
                (plane, &component.starts, row * columns + column)
            }
            Some(bands) => {
                let block = BLOCK_AREA * (row_inside * columns + column);
                (&mut bands[component.component], &TOGETHER, block)
            }
        }
    }

    /// Bring a finished row of MCUs to the planes. It must be called after the last MCU of each row.
    pub fn end_row(&mut self, plan: &ScanPlan, mcu_row: usize) {
        let bands = match &mut self.bands {
            Some(bands) => bands,
            None => return,
        };
        for component in &plan.components {
            let band = &mut bands[component.component][..];
            let plane = &mut *self.planes[component.component].data;
            let (rows, _) = plan.blocks_of_mcu(component);
            let columns = component.layout.block_columns;
            let first = mcu_row * rows;
            let rows = rows.min(component.layout.block_rows - first);
            for (row, blocks) in (first..first + rows).zip(band.chunks_exact(BLOCK_AREA * columns)) {
                take_apart(blocks, plane, (component.layout.area(), row * columns));
            }
            band.fill(T::default());
        }
    }
}

/// Copy the coefficients of a row of blocks to planes of `area` items, from item `start` of each plane on.
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

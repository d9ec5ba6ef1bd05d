//! Quantised blocks into planes of levels.

use crate::encoding::scan::BlockSource;
use crate::geometry::layout::Layout;
use crate::transform::levels::Levels;

/// How many blocks are read before they are copied to the planes.
const RUN_BLOCKS: usize = 16;

/// Fill planes with all levels of a frame: one slice for each component, 64 planes in natural order.
pub fn write_planes(layout: &Layout, source: &mut impl BlockSource, planes: &mut [&mut [i16]]) {
    let mut blocks = [Levels::ZERO; RUN_BLOCKS];
    for plane in planes.iter_mut() {
        plane.fill(0);
    }
    for mcu_row in 0..layout.mcu_rows {
        source.start_row(mcu_row);
        for (index, component) in layout.components().iter().enumerate() {
            for row in component.rows_of(mcu_row) {
                for column in (0..component.block_columns).step_by(RUN_BLOCKS) {
                    let count = RUN_BLOCKS.min(component.block_columns - column);
                    source.read(index, row, column, &mut blocks[..count]);
                    let offset = row * component.block_columns + column;
                    scatter(&blocks[..count], &mut planes[index][offset..], component.area());
                }
            }
        }
    }
}

/// Write the levels of neighbouring blocks to planes of zeros that are `area` items apart.
fn scatter(blocks: &[Levels], planes: &mut [i16], area: usize) {
    for (column, levels) in blocks.iter().enumerate() {
        for (index, level) in levels.nonzero_natural() {
            planes[index * area + column] = level;
        }
    }
}

//! Where the blocks of a scan go, worked out once for all frames of one prefix.

use crate::decoding::scan_component::ScanComponent;
use crate::decoding::scan_plan::ScanPlan;

/// The planes of two frames with more blocks would push each other out of the cache.
const MAX_BLOCKS: usize = 1 << 13;

/// Where one block of the scan goes.
pub struct Slot {
    /// Index of its component in the scan.
    pub component: u32,
    /// Index of the block in the component's planes.
    pub block: u32,
}

/// The slots of an interleaved scan's blocks in the order of the scan. `None` where some blocks only pad, where there
/// are restart markers, or where there are too many blocks.
pub fn slots(plan: &ScanPlan) -> Option<Vec<Slot>> {
    let is_padded = |component: &ScanComponent| {
        (component.layout.block_rows, component.layout.block_columns)
            != (
                plan.layout.mcu_rows * component.layout.vertical,
                plan.layout.mcu_columns * component.layout.horizontal,
            )
    };
    let blocks = plan.layout.blocks();
    if plan.restart_interval > 0
        || plan.components.len() != 3
        || plan.components.iter().any(is_padded)
        || blocks > MAX_BLOCKS
    {
        return None;
    }
    let mut slots = Vec::with_capacity(blocks);
    for mcu in 0..plan.layout.mcu_rows * plan.layout.mcu_columns {
        let (mcu_row, mcu_column) = (mcu / plan.layout.mcu_columns, mcu % plan.layout.mcu_columns);
        for (component, layout) in (0..).zip(plan.components.iter().map(|component| component.layout)) {
            for row in mcu_row * layout.vertical..(mcu_row + 1) * layout.vertical {
                for column in mcu_column * layout.horizontal..(mcu_column + 1) * layout.horizontal {
                    let block = (row * layout.block_columns + column) as u32;
                    slots.push(Slot { component, block });
                }
            }
        }
    }
    Some(slots)
}

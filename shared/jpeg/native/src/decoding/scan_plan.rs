//! What decoding a scan takes: its components and the order of their blocks (T.81 A.2).

use crate::decoding::scan_component::ScanComponent;
use crate::geometry::layout::Layout;

/// A scan as its header and the segments before it describe it.
pub struct ScanPlan {
    pub layout: Layout,
    pub components: Vec<ScanComponent>,
    /// MCUs between restart markers; 0 where there are none.
    pub restart_interval: usize,
}

impl ScanPlan {
    /// The number of MCU rows and columns: a lone component's MCUs are its blocks (T.81 A.2.2).
    pub fn mcu_grid(&self) -> (usize, usize) {
        match &self.components[..] {
            [lone] => (lone.layout.block_rows, lone.layout.block_columns),
            _ => (self.layout.mcu_rows, self.layout.mcu_columns),
        }
    }

    /// The number of block rows and columns that a component has in an MCU.
    pub fn blocks_of_mcu(&self, component: &ScanComponent) -> (usize, usize) {
        match self.components.len() {
            1 => (1, 1),
            _ => (component.layout.vertical, component.layout.horizontal),
        }
    }
}

//! A component of a scan: its layout, its tables, and where its coefficients go.

use std::sync::Arc;

use crate::decoding::coefficient::Coefficient;
use crate::entropy::decode_table::DecodeTable;
use crate::geometry::block::{BLOCK_AREA, ZIGZAG};
use crate::geometry::layout::{ComponentLayout, Layout};
use crate::tables::quantisation::QuantTable;

/// One component of a scan, and what it takes to decode it.
pub struct ScanComponent {
    /// Its index in the frame.
    pub component: usize,
    pub layout: ComponentLayout,
    pub dc: Arc<DecodeTable>,
    pub ac: Arc<DecodeTable>,
    /// By zig-zag position: where the frequency's plane begins.
    pub starts: [u32; BLOCK_AREA],
    /// By zig-zag position: the frequency's step.
    pub steps: [f32; BLOCK_AREA],
}

impl ScanComponent {
    pub fn new(
        component: usize,
        layout: &Layout,
        tables: (Arc<DecodeTable>, Arc<DecodeTable>),
        quant: &QuantTable,
    ) -> Self {
        let layout = layout.components()[component];
        Self {
            component,
            layout,
            dc: tables.0,
            ac: tables.1,
            starts: ZIGZAG.map(|natural| u32::from(natural) * layout.area() as u32),
            steps: ZIGZAG.map(|natural| f32::from(quant[usize::from(natural)])),
        }
    }

    /// Write a level to the block and zig-zag position of the component's planes.
    #[inline]
    pub fn put<T: Coefficient>(&self, plane: &mut [T], block: usize, position: usize, level: i32) {
        plane[self.starts[position] as usize + block] = T::from_level(level, self.steps[position]);
    }
}

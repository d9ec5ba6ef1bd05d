//! A frame's levels in memory of their own, for when they are not yet what the caller wants.

use crate::decoder::{Decoder, Workspace};
use crate::error::Result;
use crate::layout::{ComponentLayout, Layout, BLOCK_AREA};
use crate::quant::QuantTable;
use crate::scan_decode::Plane;

pub struct DecodedFrame {
    pub layout: Layout,
    /// 64 planes a component, natural order.
    pub levels: Vec<Vec<i16>>,
    pub quant: Vec<QuantTable>,
}

impl DecodedFrame {
    /// Decode a frame whose layout pleases `require`; before that nothing is allocated.
    pub fn read(
        decoder: &Decoder,
        data: &[u8],
        workspace: &mut Workspace,
        require: impl Fn(&Layout) -> Result<()>,
    ) -> Result<Self> {
        let layout = decoder.probe(data)?;
        require(&layout)?;
        let areas = layout.components().iter().map(ComponentLayout::area);
        let mut levels: Vec<Vec<i16>> = areas.map(|area| vec![0; BLOCK_AREA * area]).collect();
        let mut planes: Vec<Plane<'_, i16>> = levels.iter_mut().map(|data| Plane { data }).collect();
        let found = decoder.decode(data, &mut planes, workspace, require)?;
        Ok(Self {
            layout,
            levels,
            quant: found.quant().to_vec(),
        })
    }

    pub fn planes(&self) -> Vec<&[i16]> {
        self.levels.iter().map(Vec::as_slice).collect()
    }
}

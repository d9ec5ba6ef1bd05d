//! Blocks of unquantised coefficients that exist already, as a source of levels.

use crate::dct::Block;
use crate::error::{Error, Result};
use crate::layout::{ComponentLayout, Layout, BLOCK_AREA};
use crate::levels::Levels;
use crate::pixels::Quantisation;
use crate::scan_encode::BlockSource;

/// Planes of coefficients times 8 and how to quantise them.
pub struct CoefficientSource<'a> {
    layout: Layout,
    planes: &'a [&'a [i16]],
    quantisation: Quantisation<'a>,
    blocks: Vec<Block>,
}

impl<'a> CoefficientSource<'a> {
    /// One slice of 64 planes, natural order, a component.
    pub fn new(layout: Layout, planes: &'a [&'a [i16]], quantisation: Quantisation<'a>) -> Result<Self> {
        let areas = layout.components().iter().map(ComponentLayout::area);
        let lengths = planes.iter().map(|plane| plane.len());
        if !lengths.eq(areas.map(|area| BLOCK_AREA * area)) {
            return Err(Error::invalid_argument("the planes do not match the size"));
        }
        Ok(Self {
            layout,
            planes,
            quantisation,
            blocks: Vec::new(),
        })
    }
}

impl BlockSource for CoefficientSource<'_> {
    fn start_row(&mut self, _mcu_row: usize) {}

    fn read(&mut self, component: usize, row: usize, column: usize, blocks: &mut [Levels]) {
        let layout = &self.layout.components()[component];
        let first = row * layout.block_columns + column;
        self.blocks.resize(blocks.len(), [0; BLOCK_AREA]);
        for (frequency, plane) in self.planes[component].chunks_exact(layout.area()).enumerate() {
            for (block, &coefficient) in self.blocks.iter_mut().zip(&plane[first..]) {
                block[frequency] = coefficient;
            }
        }
        let Quantisation {
            quantisers,
            kernels,
            refinement,
        } = self.quantisation;
        (kernels.quantise)(&self.blocks, &quantisers[component], blocks);
        blocks.iter_mut().for_each(Levels::keep_codable);
        if let Some(refinement) = refinement {
            refinement.refine(component, &self.blocks, blocks);
        }
    }
}

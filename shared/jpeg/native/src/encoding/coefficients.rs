//! Blocks from planes of levels, or from planes of coefficients that are quantised on the way.

use crate::encoding::quantisation::Quantisation;
use crate::encoding::scan::BlockSource;
use crate::error::{Error, Result};
use crate::geometry::block::BLOCK_AREA;
use crate::geometry::layout::{ComponentLayout, Layout};
use crate::transform::dct::Block;
use crate::transform::levels::Levels;

/// Planes of coefficients times 8 and how to quantise them.
pub struct CoefficientSource<'a> {
    layout: Layout,
    planes: &'a [&'a [i16]],
    quantisation: Quantisation<'a>,
    blocks: Vec<Block>,
}

impl<'a> CoefficientSource<'a> {
    /// A source of the blocks of `planes`: one slice for each component, 64 planes in natural order.
    pub fn new(layout: Layout, planes: &'a [&'a [i16]], quantisation: Quantisation<'a>) -> Result<Self> {
        require_size(&layout, planes)?;
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

/// Planes of levels.
pub struct LevelSource<'a> {
    layout: Layout,
    planes: &'a [&'a [i16]],
}

impl<'a> LevelSource<'a> {
    /// A source of the blocks of `planes`, whose levels must have codes in 8-bit baseline: DC differences of 11 bits, AC
    /// levels of 10.
    pub fn new(layout: Layout, planes: &'a [&'a [i16]]) -> Result<Self> {
        require_size(&layout, planes)?;
        for (plane, component) in planes.iter().zip(layout.components()) {
            let (dc, ac) = plane.split_at(component.area());
            if !lie_within(dc, -1024, 1023) {
                return Err(Error::invalid_argument("a DC level is outside -1024..1023"));
            }
            if !lie_within(ac, -1023, 1023) {
                return Err(Error::invalid_argument("an AC level is outside -1023..1023"));
            }
        }
        Ok(Self { layout, planes })
    }
}

impl BlockSource for LevelSource<'_> {
    fn start_row(&mut self, _mcu_row: usize) {}

    fn read(&mut self, component: usize, row: usize, column: usize, blocks: &mut [Levels]) {
        let layout = &self.layout.components()[component];
        let first = row * layout.block_columns + column;
        Levels::gather(self.planes[component], layout.area(), first, blocks);
    }
}

fn require_size(layout: &Layout, planes: &[&[i16]]) -> Result<()> {
    let areas = layout.components().iter().map(ComponentLayout::area);
    let lengths = planes.iter().map(|plane| plane.len());
    if lengths.eq(areas.map(|area| BLOCK_AREA * area)) {
        Ok(())
    } else {
        Err(Error::invalid_argument("the planes do not match the size"))
    }
}

/// Whether all levels lie between `least` and `most`. All are looked at, so that the compiler makes vectors of it.
fn lie_within(levels: &[i16], least: i16, most: i16) -> bool {
    let outside = levels.iter().map(|&level| level < least || level > most);
    !outside.fold(false, |any, one| any | one)
}

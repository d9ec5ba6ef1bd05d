//! From samples to quantised blocks: colour, chroma, DCT, quantisation, one MCU row at a time.

use crate::dct::Block;
use crate::error::{Error, Result};
use crate::layout::{div_ceil, Layout, Sampling, BLOCK_AREA, BLOCK_SIDE};
use crate::levels::Levels;
use crate::quant::Quantiser;
use crate::scan_encode::BlockSource;
use crate::simd::{Kernels, Lines};

/// Strips are as wide as this many samples a time, so that vectors of two blocks never leave them.
const STRIDE_UNIT: usize = 2 * BLOCK_SIDE;
/// Blocks that `quantise_into` has between quantisation and planes.
const RUN_BLOCKS: usize = 16;

/// An image in memory: rows of interleaved RGB or YCbCr (3 channels) or grey (1).
#[derive(Clone, Copy)]
pub struct Image<'a> {
    pub pixels: &'a [u8],
    pub channels: usize,
}

impl<'a> Image<'a> {
    /// `count` images of the layout's size out of the memory of all of them.
    ///
    /// # Errors
    /// The pixels are more or fewer, or grey where the layout has colour.
    pub fn require(&self, layout: &Layout, count: usize) -> Result<()> {
        if self.channels == 1 && layout.sampling != Sampling::Grey {
            return Err(Error::invalid_argument(
                "grey pixels for tables of a colour sampling",
            ));
        }
        if self.pixels.len() != count * layout.height * layout.width * self.channels {
            return Err(Error::invalid_argument("the pixels do not fill the images"));
        }
        Ok(())
    }

    /// One image after the other, each of so many pixels.
    pub fn each(self, area: usize) -> impl Iterator<Item = Image<'a>> {
        self.pixels
            .chunks_exact(area * self.channels)
            .map(move |pixels| Image { pixels, ..self })
    }
}

/// Derived from tables once, used for every image.
#[derive(Clone, Copy)]
pub struct Quantisation<'a> {
    /// One a component.
    pub quantisers: &'a [Quantiser],
    pub kernels: &'a Kernels,
    pub refinement: Option<&'a dyn Refinement>,
}

/// Changes levels between quantisation and coding.
pub trait Refinement {
    /// `coefficients` are those of the blocks before quantisation, times 8, natural order.
    fn refine(&self, component: usize, coefficients: &[Block], levels: &mut [Levels]);
}

/// Rows of one component that one MCU row covers, as wide as its MCUs or a little wider.
struct Strip {
    samples: Vec<u8>,
    stride: usize,
}

impl Strip {
    fn new(rows: usize, width: usize) -> Self {
        let stride = div_ceil(width, STRIDE_UNIT) * STRIDE_UNIT;
        Self {
            samples: vec![0; rows * stride],
            stride,
        }
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.samples[row * self.stride..(row + 1) * self.stride]
    }

    fn row_mut(&mut self, row: usize) -> &mut [u8] {
        &mut self.samples[row * self.stride..(row + 1) * self.stride]
    }

    fn repeat_row_above(&mut self, row: usize) {
        let start = row * self.stride;
        self.samples.copy_within(start - self.stride..start, start);
    }

    /// The eight lines of a row of blocks, from `column` on.
    fn lines(&self, row: usize, column: usize) -> Lines<'_> {
        Lines {
            samples: &self.samples[row * BLOCK_SIDE * self.stride + column * BLOCK_SIDE..],
            stride: self.stride,
        }
    }
}

/// Memory for one MCU row of images of one size.
pub struct Strips {
    luma: Strip,
    /// Cb and Cr as sampled.
    chroma: [Strip; 2],
    /// As many rows of Cb and Cr before downsampling as make one after it; none in 4:4:4.
    full_chroma: [Strip; 2],
    /// Coefficients for the refinement.
    coefficients: Vec<Block>,
}

impl Strips {
    pub fn new(layout: &Layout) -> Self {
        let (h, v) = layout.sampling.luma_factors();
        let width = layout.mcu_columns * BLOCK_SIDE;
        let chroma_rows = if layout.sampling == Sampling::Grey {
            0
        } else {
            BLOCK_SIDE
        };
        let chroma = || Strip::new(chroma_rows, width);
        let full_chroma = || Strip::new(if h > 1 { v } else { 0 }, chroma().stride * h);
        Self {
            luma: Strip::new(BLOCK_SIDE * v, width * h),
            chroma: [chroma(), chroma()],
            full_chroma: [full_chroma(), full_chroma()],
            coefficients: Vec::new(),
        }
    }
}

/// The blocks of one image.
pub struct PixelSource<'a> {
    image: Image<'a>,
    layout: Layout,
    quantisation: Quantisation<'a>,
    strips: &'a mut Strips,
    mcu_row: usize,
}

impl<'a> PixelSource<'a> {
    /// The image and the strips must be those of the layout.
    pub fn new(
        layout: Layout,
        image: Image<'a>,
        quantisation: Quantisation<'a>,
        strips: &'a mut Strips,
    ) -> Self {
        Self {
            image,
            layout,
            quantisation,
            strips,
            mcu_row: 0,
        }
    }

    /// Rows beyond the image repeat its last one, after downsampling where that is done (as libjpeg does).
    fn load_rows(&mut self, mcu_row: usize) {
        let (_, v) = self.layout.sampling.luma_factors();
        for row in 0..BLOCK_SIDE {
            let first = (mcu_row * BLOCK_SIDE + row) * v;
            for line in 0..v {
                if first + line < self.layout.height {
                    self.load_row(first + line, row, line);
                } else {
                    self.strips.luma.repeat_row_above(row * v + line);
                }
            }
            if self.layout.sampling != Sampling::Grey {
                self.load_chroma_row(row, self.layout.height.saturating_sub(first).min(v));
            }
        }
    }

    /// Columns beyond the image repeat its last one.
    fn load_row(&mut self, image_row: usize, row: usize, line: usize) {
        let (h, v) = self.layout.sampling.luma_factors();
        let width = self.layout.width;
        let length = width * self.image.channels;
        let source = &self.image.pixels[image_row * length..(image_row + 1) * length];
        let luma = self.strips.luma.row_mut(row * v + line);
        let kernels = self.quantisation.kernels;
        match (self.image.channels, self.layout.sampling) {
            (1, _) => luma[..width].copy_from_slice(source),
            (_, Sampling::Grey) => (kernels.convert_row_to_luma)(source, &mut luma[..width]),
            _ => {
                let (planes, line) = if h > 1 {
                    (&mut self.strips.full_chroma, line)
                } else {
                    (&mut self.strips.chroma, row)
                };
                let [cb, cr] = planes;
                let (cb, cr) = (cb.row_mut(line), cr.row_mut(line));
                (kernels.convert_row)(source, &mut luma[..width], &mut cb[..width], &mut cr[..width]);
                repeat_last(cb, width);
                repeat_last(cr, width);
            }
        }
        repeat_last(luma, width);
    }

    /// A row of chroma out of the `lines` that the image has of it, which may be none.
    fn load_chroma_row(&mut self, row: usize, lines: usize) {
        let (h, v) = self.layout.sampling.luma_factors();
        let kernels = self.quantisation.kernels;
        for (full, chroma) in self.strips.full_chroma.iter().zip(&mut self.strips.chroma) {
            match (lines, h, v) {
                (0, _, _) => chroma.repeat_row_above(row),
                (_, 1, _) => (),
                (_, _, 1) => (kernels.halve_width)(full.row(0), chroma.row_mut(row)),
                _ => (kernels.halve_both)(full.row(0), full.row(lines - 1), chroma.row_mut(row)),
            }
        }
    }

    /// Quantise the whole image into planes of 64 frequencies, natural order, one slice a component.
    pub fn quantise_into(&mut self, planes: &mut [&mut [i16]]) {
        let layout = self.layout;
        let mut blocks = [Levels::ZERO; RUN_BLOCKS];
        for plane in planes.iter_mut() {
            plane.fill(0);
        }
        for mcu_row in 0..layout.mcu_rows {
            self.start_row(mcu_row);
            for (index, component) in layout.components().iter().enumerate() {
                let end = ((mcu_row + 1) * component.vertical).min(component.block_rows);
                for row in mcu_row * component.vertical..end {
                    for column in (0..component.block_columns).step_by(RUN_BLOCKS) {
                        let count = RUN_BLOCKS.min(component.block_columns - column);
                        self.read(index, row, column, &mut blocks[..count]);
                        let offset = row * component.block_columns + column;
                        scatter(&blocks[..count], &mut planes[index][offset..], component.area());
                    }
                }
            }
        }
    }
}

/// Levels of neighbouring blocks into zeroed planes `area` items apart.
fn scatter(blocks: &[Levels], planes: &mut [i16], area: usize) {
    for (column, levels) in blocks.iter().enumerate() {
        for (index, level) in levels.nonzero_natural() {
            planes[index * area + column] = level;
        }
    }
}

fn repeat_last(row: &mut [u8], width: usize) {
    let last = row[width - 1];
    row[width..].fill(last);
}

impl BlockSource for PixelSource<'_> {
    fn start_row(&mut self, mcu_row: usize) {
        self.load_rows(mcu_row);
        self.mcu_row = mcu_row;
    }

    fn read(&mut self, component: usize, row: usize, column: usize, blocks: &mut [Levels]) {
        let strip = if component == 0 {
            &self.strips.luma
        } else {
            &self.strips.chroma[component - 1]
        };
        let first = self.mcu_row * self.layout.components()[component].vertical;
        let lines = strip.lines(row - first, column);
        let Quantisation {
            quantisers,
            kernels,
            refinement,
        } = self.quantisation;
        match refinement {
            None => (kernels.transform_and_quantise)(lines, &quantisers[component], blocks),
            Some(refinement) => {
                self.strips.coefficients.resize(blocks.len(), [0; BLOCK_AREA]);
                (kernels.transform)(lines, &mut self.strips.coefficients);
                (kernels.quantise)(&self.strips.coefficients, &quantisers[component], blocks);
                refinement.refine(component, &self.strips.coefficients, blocks);
            }
        }
    }
}

//! From pixels to quantised blocks: colour, downsampling, DCT and quantisation, one MCU row at a time.

use crate::encoding::image::Image;
use crate::encoding::quantisation::Quantisation;
use crate::encoding::scan::BlockSource;
use crate::geometry::block::{BLOCK_AREA, BLOCK_SIDE};
use crate::geometry::layout::{div_ceil, Layout};
use crate::geometry::sampling::Sampling;
use crate::simd::kernels::Lines;
use crate::transform::dct::Block;
use crate::transform::levels::Levels;

/// The width of a strip is a multiple of this, so that vectors of two blocks never leave it.
const STRIDE_UNIT: usize = 2 * BLOCK_SIDE;

/// The rows of one component in one MCU row, as wide as its MCUs or a little wider.
struct Strip {
    values: Vec<u8>,
    stride: usize,
}

impl Strip {
    fn new(rows: usize, width: usize) -> Self {
        let stride = div_ceil(width, STRIDE_UNIT) * STRIDE_UNIT;
        Self {
            values: vec![0; rows * stride],
            stride,
        }
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.values[row * self.stride..(row + 1) * self.stride]
    }

    fn row_mut(&mut self, row: usize) -> &mut [u8] {
        &mut self.values[row * self.stride..(row + 1) * self.stride]
    }

    fn repeat_row_above(&mut self, row: usize) {
        let start = row * self.stride;
        self.values.copy_within(start - self.stride..start, start);
    }

    /// The eight lines of a row of blocks, from block `column` on.
    fn lines(&self, row: usize, column: usize) -> Lines<'_> {
        Lines {
            values: &self.values[row * BLOCK_SIDE * self.stride + column * BLOCK_SIDE..],
            stride: self.stride,
        }
    }
}

/// Memory for one MCU row of images of one size.
pub struct Strips {
    luma: Strip,
    /// Cb and Cr after downsampling.
    chroma: [Strip; 2],
    /// The rows of Cb and Cr that downsampling makes one row of; none in 4:4:4.
    full_chroma: [Strip; 2],
    /// What the refinement reads.
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
        let full_chroma = || Strip::new(if h * v > 1 { v } else { 0 }, chroma().stride * h);
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
    /// The blocks of an image of this layout; the strips must be the layout's too.
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

    /// Load an MCU row. Rows below the image repeat its last row, chroma after downsampling (as libjpeg does).
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

    /// Load a row of pixels. Columns beyond the image repeat its last one.
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
                let (planes, line) = if h * v > 1 {
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

    /// Make a row of chroma of the `lines` rows that the image has for it, which may be none.
    fn load_chroma_row(&mut self, row: usize, lines: usize) {
        let (h, v) = self.layout.sampling.luma_factors();
        let kernels = self.quantisation.kernels;
        for (full, chroma) in self.strips.full_chroma.iter().zip(&mut self.strips.chroma) {
            match (lines, h, v) {
                (0, _, _) => chroma.repeat_row_above(row),
                (_, 1, 1) => (),
                (_, 2, 1) => (kernels.halve_width)(full.row(0), chroma.row_mut(row)),
                (_, 2, 2) => (kernels.halve_both)(full.row(0), full.row(lines - 1), chroma.row_mut(row)),
                _ => take_means(&[full.row(0), full.row(lines - 1)][..v], h, chroma.row_mut(row)),
            }
        }
    }
}

/// Fill `out` with the means of `h` neighbouring values of each row, halves rounded up (as libjpeg does).
fn take_means(rows: &[&[u8]], h: usize, out: &mut [u8]) {
    let count = rows.len() * h;
    for (column, out) in out.iter_mut().enumerate() {
        let values = rows.iter().flat_map(|row| &row[column * h..(column + 1) * h]);
        let sum: usize = values.map(|&value| usize::from(value)).sum();
        *out = ((sum + count / 2) / count) as u8;
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

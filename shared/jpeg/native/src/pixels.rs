//! From samples to quantised blocks: colour, chroma, DCT, quantisation, one MCU row at a time.

use crate::colour;
use crate::dct;
use crate::error::{Error, Result};
use crate::layout::{div_ceil, Layout, Sampling, BLOCK_AREA, BLOCK_SIDE};
use crate::quant::Quantiser;
use crate::scan_encode::BlockSource;

/// An image in memory: rows of interleaved RGB (3 channels) or grey (1).
#[derive(Clone, Copy)]
pub struct Image<'a> {
    pub pixels: &'a [u8],
    pub channels: usize,
}

/// Rows of one component that one MCU row covers, as wide as its MCUs.
struct Strip {
    samples: Vec<u8>,
    stride: usize,
}

impl Strip {
    fn new(rows: usize, stride: usize) -> Self {
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

    /// The block at (row, column) of the strip, level-shifted, as columns.
    #[inline]
    fn block(&self, row: usize, column: usize) -> dct::Block {
        let mut rows = [0; BLOCK_AREA];
        for (y, shifted) in rows.chunks_exact_mut(BLOCK_SIDE).enumerate() {
            let start = (row * BLOCK_SIDE + y) * self.stride + column * BLOCK_SIDE;
            let samples = &self.samples[start..start + BLOCK_SIDE];
            for (value, &sample) in shifted.iter_mut().zip(samples) {
                *value = i16::from(sample) - 128;
            }
        }
        dct::transpose(&rows)
    }
}

/// The blocks of images of one size, one image after the other.
pub struct PixelSource<'a> {
    image: Image<'a>,
    layout: Layout,
    quantisers: &'a [Quantiser],
    /// At the resolution of the image: luma, and chroma before downsampling.
    full: [Strip; 3],
    /// Downsampled Cb and Cr; unused in 4:4:4.
    chroma: [Strip; 2],
    mcu_row: usize,
}

impl<'a> PixelSource<'a> {
    pub fn new(layout: Layout, image: Image<'a>, quantisers: &'a [Quantiser]) -> Result<Self> {
        if image.pixels.len() != layout.height * layout.width * image.channels {
            return Err(Error::invalid_argument("the pixels do not fill the image"));
        }
        if image.channels == 1 && layout.sampling != Sampling::Grey {
            return Err(Error::invalid_argument(
                "grey pixels for tables of a colour sampling",
            ));
        }
        let (h, v) = layout.sampling.luma_factors();
        let stride = layout.mcu_columns * BLOCK_SIDE * h;
        let colour_rows = if layout.sampling == Sampling::Grey {
            0
        } else {
            BLOCK_SIDE * v
        };
        let chroma_rows = if h > 1 { BLOCK_SIDE } else { 0 };
        let full = |rows| Strip::new(rows, stride);
        let chroma = || Strip::new(chroma_rows, stride / h);
        Ok(Self {
            image,
            layout,
            quantisers,
            full: [full(BLOCK_SIDE * v), full(colour_rows), full(colour_rows)],
            chroma: [chroma(), chroma()],
            mcu_row: 0,
        })
    }

    /// Go on with another image of the same size.
    pub fn replace_pixels(&mut self, pixels: &'a [u8]) {
        assert_eq!(pixels.len(), self.image.pixels.len());
        self.image.pixels = pixels;
    }

    /// Rows beyond the image repeat its last one.
    fn load_rows(&mut self, mcu_row: usize) {
        let (_, v) = self.layout.sampling.luma_factors();
        for row in 0..BLOCK_SIDE * v {
            let image_row = mcu_row * BLOCK_SIDE * v + row;
            if image_row < self.layout.height {
                self.load_row(image_row, row);
            } else {
                self.full[0].repeat_row_above(row);
                if self.layout.sampling != Sampling::Grey {
                    self.full[1].repeat_row_above(row);
                    self.full[2].repeat_row_above(row);
                }
            }
        }
    }

    /// Columns beyond the image repeat its last one.
    fn load_row(&mut self, image_row: usize, row: usize) {
        let width = self.layout.width;
        let length = width * self.image.channels;
        let source = &self.image.pixels[image_row * length..(image_row + 1) * length];
        let [y, cb, cr] = &mut self.full;
        match (self.image.channels, self.layout.sampling) {
            (1, _) => y.row_mut(row)[..width].copy_from_slice(source),
            (_, Sampling::Grey) => colour::convert_row_to_luma(source, &mut y.row_mut(row)[..width]),
            _ => {
                let (cb, cr) = (cb.row_mut(row), cr.row_mut(row));
                colour::convert_row(
                    source,
                    &mut y.row_mut(row)[..width],
                    &mut cb[..width],
                    &mut cr[..width],
                );
                repeat_last(cb, width);
                repeat_last(cr, width);
            }
        }
        repeat_last(y.row_mut(row), width);
    }

    /// libjpeg downsamples the image's rows, then repeats the last *downsampled* row.
    fn downsample(&mut self, mcu_row: usize) {
        let (h, v) = self.layout.sampling.luma_factors();
        if h == 1 {
            return;
        }
        let rows = div_ceil(self.layout.height, v);
        for (full, chroma) in self.full[1..].iter().zip(&mut self.chroma) {
            for row in 0..BLOCK_SIDE {
                if mcu_row * BLOCK_SIDE + row >= rows {
                    chroma.repeat_row_above(row);
                } else if v == 2 {
                    colour::halve_both(full.row(2 * row), full.row(2 * row + 1), chroma.row_mut(row));
                } else {
                    colour::halve_width(full.row(row), chroma.row_mut(row));
                }
            }
        }
    }

    /// Quantise the whole image into planes of 64 frequencies, natural order, one slice a component.
    pub fn quantise_into(&mut self, planes: &mut [&mut [i16]]) {
        let layout = self.layout;
        let mut levels = [0; BLOCK_AREA];
        for mcu_row in 0..layout.mcu_rows {
            self.start_row(mcu_row);
            for (index, component) in layout.components().iter().enumerate() {
                let area = component.area();
                let end = ((mcu_row + 1) * component.vertical).min(component.block_rows);
                for row in mcu_row * component.vertical..end {
                    for column in 0..component.block_columns {
                        self.levels(index, row, column, &mut levels);
                        let offset = row * component.block_columns + column;
                        let targets = planes[index][offset..].iter_mut().step_by(area);
                        for (target, &level) in targets.zip(&levels) {
                            *target = level;
                        }
                    }
                }
            }
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
        if self.layout.sampling != Sampling::Grey {
            self.downsample(mcu_row);
        }
        self.mcu_row = mcu_row;
    }

    #[inline]
    fn levels(&mut self, component: usize, row: usize, column: usize, levels: &mut [i16; BLOCK_AREA]) {
        let is_downsampled = component > 0 && self.layout.sampling.luma_factors().0 > 1;
        let strip = if is_downsampled {
            &self.chroma[component - 1]
        } else {
            &self.full[component]
        };
        let first = self.mcu_row * self.layout.components()[component].vertical;
        let columns = strip.block(row - first, column);
        self.quantisers[component].levels(&dct::forward(&columns), levels);
    }
}

//! From stream to stream or to levels: to other tables, other steps, coarser sampling or another size.
//!
//! Where the size stays, all of it happens to coefficients. Otherwise the pixels of the new picture are computed, and no
//! others.

pub mod new_size;
mod resized;
mod source;
mod turned;

use crate::decoding::decoder::Decoder;
use crate::encoding::encoder::{Encoder, StreamKind};
use crate::encoding::image::Image;
use crate::error::{Error, Result};
use crate::geometry::block::BLOCK_AREA;
use crate::geometry::layout::{ComponentLayout, Layout};
use crate::geometry::sampling::Sampling;
use crate::transcode::new_size::NewSize;
use crate::transcode::resized::{resized, Pixels};
use crate::transcode::source::Source;
use crate::transcode::turned::{turned, turned_layout};

/// What is left to do for a frame.
enum Rest {
    /// To code its levels, which stay.
    Levels(Vec<Vec<i16>>),
    /// To quantise its coefficients times 8.
    Coefficients(Vec<Vec<i16>>),
    /// To transform and quantise its pixels.
    Pixels(Pixels),
}

/// Decode a frame and code it with the encoder's tables, turned upright and brought to the new size if there is
/// one.
///
/// The levels stay where nothing is to be resized, steps and sampling are equal and the encoder neither masks nor
/// optimises. Otherwise they are quantised as if they came from pixels.
pub fn transcode(
    decoder: &Decoder,
    encoder: &Encoder,
    data: &[u8],
    size: Option<&NewSize>,
    kind: StreamKind,
) -> Result<Vec<u8>> {
    let (layout, rest) = brought(decoder, encoder, data, size)?;
    match rest {
        Rest::Levels(levels) => encoder.encode_levels(layout, &slices(&levels), kind),
        Rest::Coefficients(coefficients) => encoder.encode_coefficients(layout, &slices(&coefficients), kind),
        Rest::Pixels(pixels) => {
            let mut out = Vec::new();
            encoder.encode(layout, pixels.image(), kind, &mut out)?;
            Ok(out)
        }
    }
}

/// Decode a frame into the levels that coding it with the encoder's tables would send: 64 planes of `y` and 128 of `c`,
/// which is empty for grey tables.
pub fn transcode_levels(
    decoder: &Decoder,
    encoder: &Encoder,
    data: &[u8],
    size: &NewSize,
    (y, c): (&mut [i16], &mut [i16]),
) -> Result<()> {
    let (layout, rest) = brought(decoder, encoder, data, Some(size))?;
    require_planes(&layout, y, c)?;
    let (cb, cr) = c.split_at_mut(c.len() / 2);
    let mut planes = [&mut *y, cb, cr];
    match rest {
        Rest::Levels(levels) => {
            for (plane, levels) in planes.iter_mut().zip(&levels) {
                plane.copy_from_slice(levels);
            }
            Ok(())
        }
        Rest::Coefficients(coefficients) => {
            encoder.quantise_coefficients(&layout, &slices(&coefficients), &mut planes)
        }
        Rest::Pixels(pixels) => encoder.quantise_all(layout, pixels.image(), 1, (y, c), 1),
    }
}

fn brought(
    decoder: &Decoder,
    encoder: &Encoder,
    data: &[u8],
    size: Option<&NewSize>,
) -> Result<(Layout, Rest)> {
    let mut source = Source::read(decoder, data)?;
    if let Some(size) = size {
        size.require_within(&source)?;
        if let Some(layout) = turned_layout(&source, size) {
            source = turned(source, layout);
        } else {
            let layout = encoder.layout(size.height, size.width)?;
            return Ok((layout, Rest::Pixels(resized(&source, size, layout.sampling))));
        }
    }
    let layout = encoder.layout(source.layout.height, source.layout.width)?;
    let is_same_sampling = layout.sampling == source.layout.sampling;
    if is_same_sampling && encoder.keeps_levels_of(&source.quant) {
        let mut levels = source.levels;
        levels.iter_mut().zip(layout.components()).for_each(keep_codable);
        return Ok((layout, Rest::Levels(levels)));
    }
    Ok((layout, Rest::Coefficients(source.coefficients(layout.sampling)?)))
}

fn slices(planes: &[Vec<i16>]) -> Vec<&[i16]> {
    planes.iter().map(Vec::as_slice).collect()
}

/// Clamp DC levels to those that have codes. Only a damaged stream has others.
fn keep_codable((levels, component): (&mut Vec<i16>, &ComponentLayout)) {
    for level in &mut levels[..component.area()] {
        *level = (*level).clamp(-1024, 1023);
    }
}

/// Refuse planes that are not those of a 4:2:0 or grey frame of this layout.
fn require_planes(layout: &Layout, y: &[i16], c: &[i16]) -> Result<()> {
    let area = |index: usize| layout.components().get(index).map_or(0, ComponentLayout::area);
    let is_known = matches!(layout.sampling, Sampling::Grey | Sampling::Yuv420);
    if is_known && y.len() == BLOCK_AREA * area(0) && c.len() == 2 * BLOCK_AREA * area(1) {
        Ok(())
    } else {
        Err(Error::invalid_argument("the planes do not match the new size"))
    }
}

impl Pixels {
    fn image(&self) -> Image<'_> {
        Image {
            pixels: &self.values,
            channels: self.channels,
        }
    }
}

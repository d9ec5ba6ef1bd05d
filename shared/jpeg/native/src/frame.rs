//! The frame header (T.81 B.2.2): size, components, sampling, and which of them we read.

use crate::error::{Error, Result};
use crate::layout::{Layout, Sampling};
use crate::markers::Limits;

#[derive(Clone, Copy, Debug, Default)]
pub struct Component {
    pub id: u8,
    /// Sampling factors: horizontal, vertical.
    factors: (usize, usize),
    pub quant_slot: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub layout: Layout,
    components: [Component; 3],
}

impl Frame {
    /// The body of an SOF segment whose marker stood at offset `at`.
    pub fn parse(marker: u8, body: &[u8], at: usize, limits: &Limits) -> Result<Self> {
        if body.len() < 6 || body.len() != 6 + 3 * usize::from(body[5]) {
            return Err(Error::corrupt(at, "a frame header (SOF) of the wrong length"));
        }
        if body[0] != 8 {
            return Err(unsupported(&format!(
                "{} bits a sample (SOF{})",
                body[0],
                marker & 15
            )));
        }
        let height = usize::from(u16::from_be_bytes([body[1], body[2]]));
        let width = usize::from(u16::from_be_bytes([body[3], body[4]]));
        require_size(height, width, at, limits)?;
        let components = components_of(&body[6..], at)?;
        let mut factors = components.map(|component| component.factors);
        let factors = &mut factors[..usize::from(body[5])];
        let sampling = sampling_of(factors, at)?;
        if sampling == Sampling::Grey {
            // T.81 A.2.2: a lone component is not interleaved, its factors mean nothing.
            factors[0] = (1, 1);
        }
        let layout = Layout::new(height, width, sampling, factors);
        Ok(Self { layout, components })
    }

    pub fn components(&self) -> &[Component] {
        &self.components[..self.layout.components().len()]
    }
}

fn require_size(height: usize, width: usize, at: usize, limits: &Limits) -> Result<()> {
    if height == 0 {
        return Err(unsupported("a height given late (DNL)"));
    }
    if width == 0 {
        return Err(Error::corrupt(at, "a frame of width 0"));
    }
    Limits::require("max_side", limits.side, height.max(width) as u64)?;
    Limits::require("max_pixels", limits.pixels, height as u64 * width as u64)
}

/// One component or three.
fn components_of(rows: &[u8], at: usize) -> Result<[Component; 3]> {
    let count = rows.len() / 3;
    if count != 1 && count != 3 {
        return Err(unsupported(&format!("{count} components")));
    }
    let mut components = [Component::default(); 3];
    for (index, row) in rows.chunks_exact(3).enumerate() {
        let (horizontal, vertical) = (usize::from(row[1] >> 4), usize::from(row[1] & 15));
        let is_named_twice = components[..index].iter().any(|earlier| earlier.id == row[0]);
        if row[2] > 3 || is_named_twice || !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
            return Err(Error::corrupt(
                at,
                format!("component {} is malformed or named twice", row[0]),
            ));
        }
        components[index] = Component {
            id: row[0],
            factors: (horizontal, vertical),
            quant_slot: usize::from(row[2]),
        };
    }
    Ok(components)
}

/// What the components' sampling factors amount to.
fn sampling_of(factors: &[(usize, usize)], at: usize) -> Result<Sampling> {
    let (luma, chroma) = match *factors {
        [luma, cb, cr] if cb == cr => (luma, cb),
        [_, _, _] => return Err(unsupported("chroma components of different sampling")),
        _ => return Ok(Sampling::Grey),
    };
    if factors
        .iter()
        .map(|&(horizontal, vertical)| horizontal * vertical)
        .sum::<usize>()
        > 10
    {
        return Err(Error::corrupt(at, "more than 10 blocks an MCU"));
    }
    [Sampling::Yuv444, Sampling::Yuv422, Sampling::Yuv420]
        .into_iter()
        .find(|sampling| {
            let (horizontal, vertical) = sampling.luma_factors();
            luma == (chroma.0 * horizontal, chroma.1 * vertical)
        })
        .ok_or_else(|| unsupported(&format!("sampling factors {luma:?} over {chroma:?}")))
}

/// What application segments say about the colours of three components.
#[derive(Clone, Copy, Debug, Default)]
pub struct Colours {
    pub is_jfif: bool,
    pub adobe_transform: Option<u8>,
}

impl Colours {
    /// Refuse RGB, told from `YCbCr` the way libjpeg does.
    pub fn require_ycbcr(self, frame: &Frame) -> Result<()> {
        let named_rgb = frame
            .components()
            .iter()
            .map(|component| component.id)
            .eq(*b"RGB");
        let is_rgb = match self.adobe_transform {
            _ if self.is_jfif || frame.layout.sampling == Sampling::Grey => false,
            Some(transform) => transform == 0,
            None => named_rgb,
        };
        if is_rgb {
            Err(unsupported("RGB components"))
        } else {
            Ok(())
        }
    }
}

pub fn unsupported(what: &str) -> Error {
    Error::unsupported(format!(
        "{what}: what is read is 8-bit sequential Huffman JPEG, grey or YCbCr in 4:2:0, 4:2:2 or 4:4:4"
    ))
}

/// The name of a process (T.81 table B.1) that we do not read.
pub fn refused_process(marker: u8) -> &'static str {
    match marker {
        0xC2 => "progressive (SOF2)",
        0xC3 => "lossless (SOF3)",
        0xC5..=0xC7 => "hierarchical, Huffman coded (SOF5 to SOF7)",
        0xC8 => "JPEG extensions (JPG)",
        0xC9 => "arithmetic coding, sequential (SOF9)",
        0xCA => "arithmetic coding, progressive (SOF10)",
        0xCB => "arithmetic coding, lossless (SOF11)",
        0xCC => "arithmetic coding (DAC)",
        0xCD..=0xCF => "hierarchical, arithmetic coding (SOF13 to SOF15)",
        0xDE | 0xDF => "hierarchical (DHP, EXP)",
        _ => "an unknown marker",
    }
}

//! The frame header (T.81 B.2.2): size, components and sampling, and which of them are read.

use crate::error::{Error, Result};
use crate::geometry::layout::Layout;
use crate::geometry::sampling::Sampling;
use crate::syntax::limits::Limits;
use crate::syntax::markers::SOF2;
use crate::syntax::unsupported::unsupported;

#[derive(Clone, Copy, Debug, Default)]
pub struct Component {
    pub id: u8,
    /// Sampling factors: horizontal, vertical.
    factors: (usize, usize),
    /// Destination of its quantisation table (Tq).
    pub quant_destination: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub layout: Layout,
    /// Its scans bring its coefficients bit by bit (T.81 annex G).
    pub is_progressive: bool,
    components: [Component; 3],
}

impl Frame {
    /// Read the body of an SOF segment whose marker stood at offset `at`.
    pub fn parse(marker: u8, body: &[u8], at: usize, limits: &Limits) -> Result<Self> {
        if body.len() < 6 || body.len() != 6 + 3 * usize::from(body[5]) {
            return Err(Error::corrupt(at, "a frame header (SOF) of the wrong length"));
        }
        if body[0] != 8 {
            return Err(unsupported(&format!(
                "{} bits a component value (SOF{})",
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
        Ok(Self {
            layout,
            is_progressive: marker == SOF2,
            components,
        })
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

/// The components of the frame: one, or three.
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
            quant_destination: usize::from(row[2]),
        };
    }
    Ok(components)
}

/// The sampling that the components' sampling factors say (T.81 A.1.1).
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
    Sampling::ALL
        .into_iter()
        .filter(|&sampling| sampling != Sampling::Grey)
        .find(|sampling| {
            let (horizontal, vertical) = sampling.luma_factors();
            luma == (chroma.0 * horizontal, chroma.1 * vertical)
        })
        .ok_or_else(|| unsupported(&format!("sampling factors {luma:?} over {chroma:?}")))
}

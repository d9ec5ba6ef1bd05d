//! A decoded frame on its way to other tables, still in coefficients.

use crate::decoding::coefficient::Plane;
use crate::decoding::decoder::{Decoder, Probed, Workspace};
use crate::error::{Error, Result};
use crate::geometry::block::BLOCK_AREA;
use crate::geometry::layout::{ComponentLayout, Layout};
use crate::geometry::orientation::Orientation;
use crate::geometry::sampling::Sampling;
use crate::tables::quantisation::QuantTable;
use crate::transform::quantiser::MOST_TIMES_8;
use crate::transform::resample::chroma_to_420;

/// A decoded frame.
pub struct Source {
    pub layout: Layout,
    pub orientation: Orientation,
    /// One slice for each component: 64 planes in natural order.
    pub levels: Vec<Vec<i16>>,
    pub quant: Vec<QuantTable>,
}

impl Source {
    pub fn read(decoder: &Decoder, data: &[u8]) -> Result<Self> {
        let Probed { layout, orientation } = decoder.probe(data)?;
        let orientation = Orientation::from_exif(orientation);
        let areas = layout.components().iter().map(ComponentLayout::area);
        let mut levels: Vec<Vec<i16>> = areas.map(|area| vec![0; BLOCK_AREA * area]).collect();
        let mut planes: Vec<Plane<'_, i16>> = levels.iter_mut().map(|data| Plane { data }).collect();
        let found = decoder.decode(data, &mut planes, &mut Workspace::default(), |_| Ok(()))?;
        Ok(Self {
            layout,
            orientation,
            levels,
            quant: found.quant().to_vec(),
        })
    }

    /// (height, width) of the picture when it stands upright.
    pub fn upright_size(&self) -> (usize, usize) {
        self.orientation.turned((self.layout.height, self.layout.width))
    }

    /// The coefficients times 8 of each component, brought to `sampling`.
    pub fn coefficients(&self, sampling: Sampling) -> Result<Vec<Vec<i16>>> {
        let own = self.layout.sampling;
        let same = (0..self.levels.len()).map(|component| self.times_8(component));
        match sampling {
            _ if sampling == own => Ok(same.collect()),
            Sampling::Grey => Ok(same.take(1).collect()),
            Sampling::Yuv420 => Ok(same.take(1).chain(self.chroma_420()?).collect()),
            _ => Err(Error::unsupported(format!(
                "a frame in {own} cannot be brought to {sampling}"
            ))),
        }
    }

    fn times_8(&self, component: usize) -> Vec<i16> {
        self.each_level(component, |level, step| {
            times_8(8 * i32::from(step) * i32::from(level))
        })
    }

    fn dequantised(&self, component: usize) -> Vec<f32> {
        self.each_level(component, |level, step| f32::from(level) * f32::from(step))
    }

    fn each_level<T: Default + Clone>(&self, component: usize, scaled: impl Fn(i16, u8) -> T) -> Vec<T> {
        let area = self.layout.components()[component].area();
        let mut out = vec![T::default(); self.levels[component].len()];
        let planes = self.levels[component]
            .chunks_exact(area)
            .zip(out.chunks_exact_mut(area));
        for ((levels, out), &step) in planes.zip(&self.quant[component]) {
            for (out, &level) in out.iter_mut().zip(levels) {
                *out = scaled(level, step);
            }
        }
        out
    }

    fn chroma_420(&self) -> Result<[Vec<i16>; 2]> {
        let Layout { height, width, .. } = self.layout;
        let area = Layout::of_image(height, width, Sampling::Yuv420)?.components()[1].area();
        let fine: Vec<Vec<f32>> = (1..self.levels.len())
            .map(|component| self.dequantised(component))
            .collect();
        let mut coarse = vec![0.0; 2 * BLOCK_AREA * area];
        chroma_to_420(&self.layout, &fine, &mut coarse);
        // Fractions of a coefficient times 8 are cut off. Quantisation cuts them off anyway, so that no level depends on them.
        let (cb, cr) = coarse.split_at(BLOCK_AREA * area);
        Ok([cb, cr].map(|plane| plane.iter().map(|&value| times_8((8.0 * value) as i32)).collect()))
    }
}

fn times_8(value: i32) -> i16 {
    let most = i32::from(MOST_TIMES_8);
    value.clamp(-most, most) as i16
}

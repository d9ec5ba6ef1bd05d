//! The pixels of a frame brought to another size: upright, the wanted part of the picture, and no others.

use crate::geometry::layout::{div_ceil, Layout};
use crate::geometry::sampling::Sampling;
use crate::transcode::new_size::{NewSize, Part};
use crate::transcode::source::Source;
use crate::transform::axis::{Axis, Filter, Upsampling, Windows};
use crate::transform::colour::{to_byte, to_rgb};
use crate::transform::resize;

/// Rows of pixels: of RGB where there are three channels, of luma where there is one.
pub struct Pixels {
    pub values: Vec<u8>,
    pub channels: usize,
}

/// Bring a frame to a new size, as pixels for an encoder of this sampling.
pub fn resized(source: &Source, size: &NewSize, sampling: Sampling) -> Pixels {
    let channels = sampling.components();
    let axes = Axes::new(source, size);
    let planes: Vec<Vec<f32>> = (0..source.levels.len().min(channels))
        .map(|component| axes.resize(source, component))
        .collect();
    let mut values = Vec::with_capacity(channels * size.height * size.width);
    // The new picture as it lies in the stored one's directions; its planes hold column by column.
    let (height, _) = source.orientation.turned((size.height, size.width));
    for row in 0..size.height {
        for column in 0..size.width {
            let (row, column) = source.orientation.turned((row, column));
            let at = column * height + row;
            let of = |component: usize| planes.get(component).map_or(0.0, |plane| plane[at]);
            let luma = of(0) + 128.0;
            if channels == 1 {
                values.push(to_byte(luma));
            } else {
                values.extend(to_rgb(luma, of(1), of(2)));
            }
        }
    }
    Pixels { values, channels }
}

/// Both directions of the stored picture.
struct Axes {
    rows: (Axis, Windows),
    columns: (Axis, Windows),
}

impl Axes {
    fn new(source: &Source, size: &NewSize) -> Self {
        let orientation = source.orientation;
        let (down, across) = orientation.turned(((size.down, size.height), (size.across, size.width)));
        let axis = |length, (part, outputs): (Part, usize), is_reversed| {
            let axis = Axis {
                length,
                start: part.start,
                extent: part.extent,
                outputs,
                is_reversed,
            };
            let windows = Windows::new(&axis);
            (axis, windows)
        };
        Self {
            rows: axis(source.layout.height, down, orientation.reverses_rows),
            columns: axis(source.layout.width, across, orientation.reverses_columns),
        }
    }

    /// The values of a component, less 128, at the new pixels.
    fn resize(&self, source: &Source, component: usize) -> Vec<f32> {
        let (down, across) = upsampling(&source.layout, component);
        let rows = Filter::new(&self.rows.0, &self.rows.1, down);
        let columns = Filter::new(&self.columns.0, &self.columns.1, across);
        let component = resize::Source {
            levels: &source.levels[component],
            quant: &source.quant[component],
            layout: &source.layout.components()[component],
        };
        resize::resize(&component, &rows, &columns)
    }
}

/// How libjpeg upsamples a component along columns and along rows: smoothly by two, unless there are too few samples in
/// a row; by four it repeats.
fn upsampling(layout: &Layout, component: usize) -> (Upsampling, Upsampling) {
    let (h, v) = if component == 0 {
        (1, 1)
    } else {
        layout.sampling.luma_factors()
    };
    let columns = div_ceil(layout.width, h);
    let is_smooth = h == 1 || (h == 2 && columns > 2);
    let by = |factor, samples| Upsampling {
        factor,
        is_smooth: is_smooth && factor == 2,
        samples,
    };
    (by(v, div_ceil(layout.height, v)), by(h, columns))
}

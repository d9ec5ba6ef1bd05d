//! A picture turned upright in the DCT domain, exactly: blocks change places, and coefficients with them.
//!
//! A cosine runs backwards as itself, with its sign turned where the frequency is odd (T.81 A.3.3).

use crate::geometry::block::{BLOCK_AREA, BLOCK_SIDE};
use crate::geometry::layout::{ComponentLayout, Layout};
use crate::geometry::orientation::Orientation;
use crate::geometry::sampling::Sampling;
use crate::tables::quantisation::QuantTable;
use crate::transcode::new_size::NewSize;
use crate::transcode::source::Source;

/// The layout of the source as an upright picture of the new size, where that takes no resampling.
pub fn turned_layout(source: &Source, size: &NewSize) -> Option<Layout> {
    if !size.keeps_all_of(source) {
        return None;
    }
    if source.orientation.is_upright() {
        return Some(source.layout);
    }
    Layout::of_image(size.height, size.width, sampling_of(source)?).ok()
}

/// The source as an upright picture of this layout.
pub fn turned(source: Source, layout: Layout) -> Source {
    let orientation = source.orientation;
    if orientation.is_upright() {
        return source;
    }
    let components = source.layout.components().iter().zip(&source.levels);
    Source {
        layout,
        orientation: Orientation::from_exif(1),
        levels: components
            .map(|(component, levels)| turned_levels(orientation, component, levels))
            .collect(),
        quant: source
            .quant
            .iter()
            .map(|table| turned_steps(orientation, table))
            .collect(),
    }
}

/// The sampling of the turned picture; `None` where blocks cannot be turned: a side that is reversed ends inside an MCU, or
/// nobody reads the sampling.
fn sampling_of(source: &Source) -> Option<Sampling> {
    let Layout {
        height,
        width,
        sampling,
        ..
    } = source.layout;
    let orientation = source.orientation;
    let (h, v) = sampling.luma_factors();
    let has_whole_columns = !orientation.reverses_columns || width % (BLOCK_SIDE * h) == 0;
    let has_whole_rows = !orientation.reverses_rows || height % (BLOCK_SIDE * v) == 0;
    let turned = if orientation.is_transposed {
        sampling.transposed()
    } else {
        Some(sampling)
    };
    turned.filter(|_| has_whole_columns && has_whole_rows)
}

/// The 64 planes of a component, each with its blocks in their new places.
fn turned_levels(orientation: Orientation, component: &ComponentLayout, levels: &[i16]) -> Vec<i16> {
    let area = component.area();
    let mut out = vec![0; levels.len()];
    for (natural, plane) in levels.chunks_exact(area).enumerate() {
        let (vertical, horizontal) = (natural / BLOCK_SIDE, natural % BLOCK_SIDE);
        let is_negated = (orientation.reverses_columns && horizontal % 2 == 1)
            != (orientation.reverses_rows && vertical % 2 == 1);
        let out = &mut out[area * turned_frequency(orientation, natural)..][..area];
        for (block, &level) in plane.iter().enumerate() {
            let place = turned_block(orientation, component, block);
            out[place] = if is_negated { level.wrapping_neg() } else { level };
        }
    }
    out
}

fn turned_block(orientation: Orientation, component: &ComponentLayout, block: usize) -> usize {
    let ComponentLayout {
        block_rows,
        block_columns,
        ..
    } = *component;
    let reversed = |at: usize, count: usize, is_so: bool| if is_so { count - 1 - at } else { at };
    let row = reversed(block / block_columns, block_rows, orientation.reverses_rows);
    let column = reversed(block % block_columns, block_columns, orientation.reverses_columns);
    let (row, column) = orientation.turned((row, column));
    let (_, columns) = orientation.turned((block_rows, block_columns));
    row * columns + column
}

fn turned_frequency(orientation: Orientation, natural: usize) -> usize {
    let (vertical, horizontal) = orientation.turned((natural / BLOCK_SIDE, natural % BLOCK_SIDE));
    vertical * BLOCK_SIDE + horizontal
}

fn turned_steps(orientation: Orientation, table: &QuantTable) -> QuantTable {
    let mut out = [0; BLOCK_AREA];
    for (natural, &step) in table.iter().enumerate() {
        out[turned_frequency(orientation, natural)] = step;
    }
    out
}

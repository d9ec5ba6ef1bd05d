//! Symbol counts, bit costs and Huffman fit across the border.

use crate::encoding::encoder::Encoder;
use crate::entropy::statistics::count_symbols;
use crate::error::{Error, Result};
use crate::ffi::buffers::{bytes, bytes_mut};
use crate::ffi::failure::{guard, Failure};
use crate::ffi::tables::{sampling_of, write_table, HuffmanTable};
use crate::geometry::block::BLOCK_AREA;
use crate::geometry::layout::{ComponentLayout, Layout};
use crate::tables::fit::fit;
use crate::tables::huffman::Class;

/// Levels of `count` frames of one size: where the 64 planes of each component of the first frame begin, how many
/// items they have, and how many items further on those of the next frame begin.
#[repr(C)]
pub struct Levels {
    pub count: usize,
    pub height: usize,
    pub width: usize,
    pub sampling: u8,
    pub planes: [*const i16; 3],
    pub lengths: [usize; 3],
    pub strides: [usize; 3],
}

/// The layout and, frame by frame, one slice of 64 planes a component.
unsafe fn frames_of(levels: &Levels) -> Result<(Layout, impl Iterator<Item = Vec<&[i16]>>)> {
    let layout = Layout::of_image(levels.height, levels.width, sampling_of(levels.sampling)?)?;
    let areas = layout.components().iter().map(ComponentLayout::area);
    if levels.count > 0
        && !areas
            .zip(levels.lengths)
            .all(|(area, length)| length == BLOCK_AREA * area)
    {
        return Err(Error::invalid_argument("the planes do not match the size"));
    }
    let frames = (0..levels.count).map(move |frame| {
        (0..layout.components().len())
            .map(|index| {
                // SAFETY: module contract; each frame's planes are there, `strides` apart.
                unsafe {
                    let first = levels.planes[index].add(frame * levels.strides[index]);
                    bytes(first, levels.lengths[index])
                }
            })
            .collect()
    });
    Ok((layout, frames))
}

/// Add the symbols of all frames to `counts` (4 x 256).
#[no_mangle]
pub unsafe extern "C" fn dctwire_count_symbols(
    levels: *const Levels,
    counts: *mut u64,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let (layout, frames) = frames_of(&*levels)?;
            let mut found = [[0; 256]; 4];
            for planes in frames {
                count_symbols(&layout, &planes, &mut found)?;
            }
            for (total, &more) in bytes_mut(counts, 4 * 256).iter_mut().zip(found.iter().flatten()) {
                *total += more;
            }
            Ok(())
        })
    }
}

/// Entropy-coded bits of each frame under the encoder's tables, `levels.count` numbers.
#[no_mangle]
pub unsafe extern "C" fn dctwire_scan_bits(
    encoder: *const Encoder,
    levels: *const Levels,
    bits: *mut u64,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let (layout, frames) = frames_of(&*levels)?;
            for (bits, planes) in bytes_mut(bits, (*levels).count).iter_mut().zip(frames) {
                *bits = (*encoder).scan_bits(&layout, &planes)?;
            }
            Ok(())
        })
    }
}

/// The optimal table for 256 counts; class 0 DC, 1 AC.
#[no_mangle]
pub unsafe extern "C" fn dctwire_fit(
    counts: *const u64,
    class: u8,
    table: *mut HuffmanTable,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let mut own = [0; 256];
            own.copy_from_slice(bytes(counts, 256));
            let class = if class == 0 { Class::Dc } else { Class::Ac };
            write_table(&fit(&own, class), &mut *table);
            Ok(())
        })
    }
}

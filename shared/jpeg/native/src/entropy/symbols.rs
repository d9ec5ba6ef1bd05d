//! The Huffman symbols that coding a frame's levels takes (T.81 F.1.2), without writing them.

use crate::error::{Error, Result};
use crate::geometry::block::ZIGZAG;
use crate::geometry::layout::{ComponentLayout, Layout};
use crate::tables::huffman::{MAX_AC_SIZE, MAX_DC_SIZE};
use crate::transform::levels::find_nonzero;

/// The symbol of sixteen zeros (ZRL), and that of a block whose other levels are zero (EOB).
const ZERO_RUN: u8 = 0xF0;
const BLOCK_END: u8 = 0x00;

/// How many blocks are searched for non-zero levels together, plane by plane.
const BLOCKS_AT_ONCE: usize = 256;

/// Call `visit` with the table and the symbol of every code in the scan, in no particular order. Tables are DC and AC of
/// luma (0, 1), then DC and AC of chroma (2, 3). Blocks that only pad the last MCUs count like the others.
///
/// # Errors
/// A level or a difference has no code in 8-bit baseline.
pub fn each_symbol(layout: &Layout, planes: &[&[i16]], mut visit: impl FnMut(usize, u8)) -> Result<()> {
    for (index, (component, plane)) in layout.components().iter().zip(planes).enumerate() {
        let tables = 2 * index.min(1);
        each_dc_symbol(layout, component, plane, |symbol| visit(tables, symbol))?;
        each_ac_symbol(component.area(), plane, |symbol| visit(tables + 1, symbol))?;
        for _ in 0..layout.padding_blocks(component) {
            visit(tables, 0);
            visit(tables + 1, BLOCK_END);
        }
    }
    Ok(())
}

/// Call `visit` with the size of each difference between DC levels, in the order of the MCUs.
fn each_dc_symbol(
    layout: &Layout,
    component: &ComponentLayout,
    plane: &[i16],
    mut visit: impl FnMut(u8),
) -> Result<()> {
    let mut predictor = 0;
    for mcu_row in 0..layout.mcu_rows {
        let rows = component.rows_of(mcu_row);
        for mcu_column in 0..layout.mcu_columns {
            for row in rows.clone() {
                for column in component.columns_of(mcu_column) {
                    let level = i32::from(plane[row * component.block_columns + column]);
                    visit(size_of(level - predictor, MAX_DC_SIZE)?);
                    predictor = level;
                }
            }
        }
    }
    Ok(())
}

/// Call `visit` with each run/size symbol of all blocks. Planes are searched as a whole; single levels are read only
/// where they are not zero.
fn each_ac_symbol(area: usize, plane: &[i16], mut visit: impl FnMut(u8)) -> Result<()> {
    let mut masks = [0; BLOCKS_AT_ONCE];
    for first in (0..area).step_by(BLOCKS_AT_ONCE) {
        let masks = &mut masks[..BLOCKS_AT_ONCE.min(area - first)];
        find_nonzero(plane, area, first, masks);
        for (block, &mask) in (first..).zip(masks.iter()) {
            let level = |position: u32| plane[usize::from(ZIGZAG[position as usize]) * area + block];
            each_run(mask & !1, |run, position| {
                for _ in 0..run / 16 {
                    visit(ZERO_RUN);
                }
                let size = size_of(i32::from(level(position)), MAX_AC_SIZE)?;
                visit((run as u8 % 16) << 4 | size);
                Ok(())
            })?;
            if mask >> 63 == 0 {
                visit(BLOCK_END);
            }
        }
    }
    Ok(())
}

/// Call `visit` for each position set in `mask` with the number of zeros before it, and the position.
#[inline]
fn each_run(mut mask: u64, mut visit: impl FnMut(u32, u32) -> Result<()>) -> Result<()> {
    let mut next = 1;
    while mask != 0 {
        let position = mask.trailing_zeros();
        visit(position - next, position)?;
        next = position + 1;
        mask &= mask - 1;
    }
    Ok(())
}

/// The number of bits of the magnitude (SSSS of T.81 tables F.1 and F.2), which must be at most `most`.
#[inline]
fn size_of(value: i32, most: u8) -> Result<u8> {
    let size = (32 - value.unsigned_abs().leading_zeros()) as u8;
    if size > most {
        return Err(Error::invalid_argument(format!(
            "a level or difference of {value} has no code"
        )));
    }
    Ok(size)
}

//! Entropy decoding of one scan into planes of coefficients (T.81 F.2, figures F.12 to F.17).

use crate::bits::BitReader;
use crate::error::{Error, Result};
use crate::huffman::DecodeTable;
use crate::layout::{ComponentLayout, Layout, BLOCK_AREA, ZIGZAG};
use crate::markers::RST0;
use crate::quant::QuantTable;

/// The DC level of 8-bit samples is far inside; beyond it a stream only means harm.
const MAX_DC_LEVEL: i32 = 2047;

/// A coefficient as the caller wants it.
pub trait Coefficient: Copy + Default + Send {
    fn from_level(level: i32, step: u8) -> Self;
}

/// The quantised level itself.
impl Coefficient for i16 {
    #[inline]
    fn from_level(level: i32, _step: u8) -> Self {
        level as i16
    }
}

/// Dequantised.
impl Coefficient for f32 {
    #[inline]
    fn from_level(level: i32, step: u8) -> Self {
        f32::from(level as i16) * f32::from(step)
    }
}

/// One component's 64 frequency planes, natural order, `area` coefficients each.
pub struct Plane<'a, T> {
    pub data: &'a mut [T],
}

/// One component of a scan with what it takes to read it.
pub struct Part<'t> {
    pub component: usize,
    pub dc: &'t DecodeTable,
    pub ac: &'t DecodeTable,
    pub quant: QuantTable,
}

/// Decode the scan at `start`; the offset of the marker behind it.
///
/// Planes must hold zeros: only what is not zero is written.
pub fn decode_scan<T: Coefficient>(
    data: &[u8],
    start: usize,
    layout: &Layout,
    parts: &[Part<'_>],
    planes: &mut [Plane<'_, T>],
    restart_interval: usize,
) -> Result<usize> {
    let (mcu_rows, mcu_columns) = mcu_grid(layout, parts);
    let mut reader = BitReader::new(data, start);
    let mut predictors = [0; 3];
    let mut until_restart = restart_interval;
    let mut restarts = 0_u8;
    for mcu_row in 0..mcu_rows {
        for mcu_column in 0..mcu_columns {
            if restart_interval > 0 {
                if until_restart == 0 {
                    reader = pass_restart(data, reader.end()?, restarts)?;
                    predictors = [0; 3];
                    restarts = (restarts + 1) % 8;
                    until_restart = restart_interval;
                }
                until_restart -= 1;
            }
            decode_mcu(
                &mut reader,
                layout,
                parts,
                planes,
                &mut predictors,
                (mcu_row, mcu_column),
            )?;
            if reader.is_overdrawn() {
                return Err(Error::scan(reader.position(), "the scan ends inside a block"));
            }
        }
    }
    reader.end()
}

/// Rows and columns of the scan's MCUs: a lone component's are its blocks (T.81 A.2.2).
fn mcu_grid(layout: &Layout, parts: &[Part<'_>]) -> (usize, usize) {
    match parts {
        [part] => {
            let component = &layout.components()[part.component];
            (component.block_rows, component.block_columns)
        }
        _ => (layout.mcu_rows, layout.mcu_columns),
    }
}

#[inline]
fn decode_mcu<T: Coefficient>(
    reader: &mut BitReader<'_>,
    layout: &Layout,
    parts: &[Part<'_>],
    planes: &mut [Plane<'_, T>],
    predictors: &mut [i32; 3],
    (mcu_row, mcu_column): (usize, usize),
) -> Result<()> {
    for (part, predictor) in parts.iter().zip(predictors) {
        let component = &layout.components()[part.component];
        let plane = &mut *planes[part.component].data;
        let (rows, columns) = match parts.len() {
            1 => (1, 1),
            _ => (component.vertical, component.horizontal),
        };
        for row in mcu_row * rows..(mcu_row + 1) * rows {
            for column in mcu_column * columns..(mcu_column + 1) * columns {
                decode_into(reader, part, predictor, component, plane, (row, column))?;
            }
        }
    }
    Ok(())
}

/// A reader behind the restart marker at `position`, which must be number `expected`.
fn pass_restart(data: &[u8], position: usize, expected: u8) -> Result<BitReader<'_>> {
    let rest = data.get(position..).unwrap_or_default();
    let fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
    match rest.get(fill) {
        Some(&code) if code == RST0 + expected => Ok(BitReader::new(data, position + fill + 1)),
        _ => Err(Error::scan(
            position,
            format!("restart marker {expected} is missing"),
        )),
    }
}

/// Decode one block into its plane, or into nowhere where it only pads the MCU.
#[inline]
fn decode_into<T: Coefficient>(
    reader: &mut BitReader<'_>,
    part: &Part<'_>,
    predictor: &mut i32,
    component: &ComponentLayout,
    plane: &mut [T],
    (row, column): (usize, usize),
) -> Result<()> {
    if row >= component.block_rows || column >= component.block_columns {
        return decode_block(reader, part, predictor, |_, _| {});
    }
    let area = component.area();
    let offset = row * component.block_columns + column;
    decode_block(reader, part, predictor, |natural, level| {
        plane[natural * area + offset] = T::from_level(level, part.quant[natural]);
    })
}

/// One block's codes: difference of DC (F.2.2.1), then runs and levels (F.2.2.2).
#[inline]
fn decode_block(
    reader: &mut BitReader<'_>,
    part: &Part<'_>,
    predictor: &mut i32,
    mut put: impl FnMut(usize, i32),
) -> Result<()> {
    let (_, difference) = decode_entry(reader, part.dc)?;
    *predictor += difference;
    if predictor.abs() > MAX_DC_LEVEL {
        return Err(Error::scan(
            reader.position(),
            format!("a DC level of {predictor}"),
        ));
    }
    if *predictor != 0 {
        put(0, *predictor);
    }
    let mut position = 1;
    while position < BLOCK_AREA {
        let (run, level) = match decode_entry(reader, part.ac)? {
            (BLOCK_END, _) => break,
            entry => entry,
        };
        position += run as usize;
        if position >= BLOCK_AREA {
            return Err(Error::scan(
                reader.position(),
                "a run goes past the end of its block",
            ));
        }
        if level != 0 {
            put(usize::from(ZIGZAG[position]), level);
        }
        position += 1;
    }
    Ok(())
}

/// Stands where the run would.
const BLOCK_END: u32 = 16;

/// (run, value) of the next code and its value bits.
#[inline]
fn decode_entry(reader: &mut BitReader<'_>, table: &DecodeTable) -> Result<(u32, i32)> {
    reader.refill();
    let entry = table.entry(reader.peek16());
    if entry.is_invalid() {
        return Err(bad_code(reader));
    }
    reader.skip(entry.bits());
    if entry.is_block_end() {
        return Ok((BLOCK_END, 0));
    }
    let value = match entry.size() {
        0 => entry.value(),
        size => crate::huffman::extend(reader.take(size), size),
    };
    Ok((entry.run(), value))
}

#[cold]
fn bad_code(reader: &BitReader<'_>) -> Error {
    if reader.is_at_end() {
        Error::scan(reader.position(), "the scan ends inside a block")
    } else {
        Error::scan(reader.position(), "a code that is not in its Huffman table")
    }
}

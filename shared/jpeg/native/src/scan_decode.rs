//! Entropy decoding of one scan into planes of coefficients (T.81 F.2, figures F.12 to F.17).

// What is not inlined forces a reader's state out of the registers.
#![allow(clippy::inline_always)]

use std::sync::Arc;

use crate::canvas::Canvas;
use crate::decode_table::{DecodeTable, Entry};
use crate::error::{Error, Result};
use crate::layout::{ComponentLayout, Layout, BLOCK_AREA, ZIGZAG};
use crate::markers::RST0;
use crate::quant::QuantTable;
use crate::resample::{chroma_to_420, Resample};
use crate::segment::{BitReader, Segment};

/// The DC level of 8-bit samples is far inside; beyond it a stream only means harm.
const MAX_DC_LEVEL: i32 = 2047;
/// Codes that a refill is enough for: 10 bits each with their values, where the first look-up holds them.
pub const PLAIN_CODES: usize = 5;

/// A coefficient as the caller wants it.
pub trait Coefficient: Copy + Default + Send {
    /// How chroma of another sampling enters a 4:2:0 batch, where it can.
    const RESAMPLE: Option<Resample<Self>>;

    fn from_level(level: i32, step: f32) -> Self;
}

/// The quantised level itself.
impl Coefficient for i16 {
    const RESAMPLE: Option<Resample<Self>> = None;

    #[inline]
    fn from_level(level: i32, _step: f32) -> Self {
        level as i16
    }
}

/// Dequantised.
impl Coefficient for f32 {
    const RESAMPLE: Option<Resample<Self>> = Some(chroma_to_420);

    // A level has 12 bits at most.
    #[allow(clippy::cast_precision_loss)]
    #[inline]
    fn from_level(level: i32, step: f32) -> Self {
        level as f32 * step
    }
}

/// One component's 64 frequency planes, natural order, `area` coefficients each.
pub struct Plane<'a, T> {
    pub data: &'a mut [T],
}

/// One component of a scan with what it takes to read it.
pub struct Part {
    /// Index in the frame.
    pub component: usize,
    pub layout: ComponentLayout,
    dc: Arc<DecodeTable>,
    pub ac: Arc<DecodeTable>,
    /// By zig-zag position: where the frequency's plane begins, and its step.
    pub starts: [u32; BLOCK_AREA],
    steps: [f32; BLOCK_AREA],
}

impl Part {
    pub fn new(
        component: usize,
        layout: &Layout,
        tables: (Arc<DecodeTable>, Arc<DecodeTable>),
        quant: &QuantTable,
    ) -> Self {
        let layout = layout.components()[component];
        Self {
            component,
            layout,
            dc: tables.0,
            ac: tables.1,
            starts: ZIGZAG.map(|natural| u32::from(natural) * layout.area() as u32),
            steps: ZIGZAG.map(|natural| f32::from(quant[usize::from(natural)])),
        }
    }
}

/// A scan as its header describes it.
pub struct ScanPlan {
    pub layout: Layout,
    pub parts: Vec<Part>,
    /// MCUs; 0 where there are no restart markers.
    pub restart_interval: usize,
}

impl ScanPlan {
    /// Decode the scan whose data begin at `start`; the offset of the marker behind it.
    ///
    /// Planes must hold zeros: only what is coded is written.
    pub fn decode<T: Coefficient>(
        &self,
        data: &[u8],
        start: usize,
        planes: &mut [Plane<'_, T>],
        segment: &mut Segment,
    ) -> Result<usize> {
        let (mcu_rows, mcu_columns) = self.mcu_grid();
        let mcus = mcu_rows * mcu_columns;
        let interval = if self.restart_interval == 0 {
            mcus
        } else {
            self.restart_interval
        };
        let mut canvas = Canvas::new(self, planes, data.len() - start);
        let mut start = start;
        let mut first = 0;
        for restart in (0..8).cycle() {
            segment.load(data, start);
            let last = mcus.min(first + interval);
            self.decode_segment(data, segment, first..last, mcu_columns, &mut canvas)?;
            if last == mcus {
                break;
            }
            start = pass_restart(data, segment.end(), restart)?;
            first = last;
        }
        Ok(segment.end())
    }

    /// Rows and columns of the scan's MCUs: a lone component's are its blocks (T.81 A.2.2).
    fn mcu_grid(&self) -> (usize, usize) {
        match &self.parts[..] {
            [part] => (part.layout.block_rows, part.layout.block_columns),
            _ => (self.layout.mcu_rows, self.layout.mcu_columns),
        }
    }

    /// Rows and columns of a component's blocks in an MCU.
    pub fn blocks_of_mcu(&self, part: &Part) -> (usize, usize) {
        match self.parts.len() {
            1 => (1, 1),
            _ => (part.layout.vertical, part.layout.horizontal),
        }
    }

    fn decode_segment<T: Coefficient>(
        &self,
        data: &[u8],
        segment: &Segment,
        mcus: std::ops::Range<usize>,
        mcu_columns: usize,
        canvas: &mut Canvas<'_, '_, T>,
    ) -> Result<()> {
        let mut reader = segment.reader();
        let mut predictors = [0; 3];
        let (mut row, mut column) = (mcus.start / mcu_columns, mcus.start % mcu_columns);
        for _ in mcus {
            let decoded = self.decode_mcu(&mut reader, canvas, &mut predictors, (row, column));
            if reader.bits_left() < 0 {
                return Err(Error::scan(segment.end(), Fault::End.to_string()));
            }
            decoded.map_err(|fault| Error::scan(segment.offset(data, &reader), fault.to_string()))?;
            column += 1;
            if column == mcu_columns {
                canvas.end_row(self, row);
                (row, column) = (row + 1, 0);
            }
        }
        if reader.bits_left() >= 8 {
            let at = segment.offset(data, &reader);
            return Err(Error::scan(at, "bytes are left over after the last block"));
        }
        Ok(())
    }

    #[inline]
    fn decode_mcu<T: Coefficient>(
        &self,
        reader: &mut BitReader<'_>,
        canvas: &mut Canvas<'_, '_, T>,
        predictors: &mut [i32; 3],
        (mcu_row, mcu_column): (usize, usize),
    ) -> std::result::Result<(), Fault> {
        for (part, predictor) in self.parts.iter().zip(predictors) {
            let (rows, columns) = self.blocks_of_mcu(part);
            for row in mcu_row * rows..(mcu_row + 1) * rows {
                for column in mcu_column * columns..(mcu_column + 1) * columns {
                    if row < part.layout.block_rows && column < part.layout.block_columns {
                        let (items, starts, block) = canvas.block(part, (row % rows, row, column));
                        decode_block(reader, part, predictor, |position, level| {
                            items[starts[position] as usize + block] =
                                T::from_level(level, part.steps[position]);
                        })?;
                    } else {
                        // It only pads the MCU.
                        decode_block(reader, part, predictor, |_, _| {})?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Where the entropy-coded data go on behind the restart marker at `position`, which must be number `expected`.
fn pass_restart(data: &[u8], position: usize, expected: u8) -> Result<usize> {
    let rest = data.get(position..).unwrap_or_default();
    let fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
    match rest.get(fill) {
        Some(&code) if code == RST0 + expected => Ok(position + fill + 1),
        _ => Err(Error::scan(
            position,
            format!("restart marker {expected} is missing"),
        )),
    }
}

/// What can be wrong inside a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    End,
    NoCode,
    Run,
    DcLevel(i32),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::End => out.write_str("the scan ends inside a block"),
            Self::NoCode => out.write_str("a code that is not in its Huffman table"),
            Self::Run => out.write_str("a run goes past the end of its block"),
            Self::DcLevel(level) => write!(out, "a DC level of {level}"),
        }
    }
}

/// Decode one block (T.81 F.2.2), each coefficient handed to `put` with its zig-zag position.
#[inline]
fn decode_block(
    reader: &mut BitReader<'_>,
    part: &Part,
    predictor: &mut i32,
    mut put: impl FnMut(usize, i32),
) -> std::result::Result<(), Fault> {
    put(0, part.next_dc(reader, predictor)?);
    let mut position = 0;
    // Of the DC level's refill enough is left for two.
    if decode_codes::<2>(reader, part, &mut position, &mut put)? {
        return Ok(());
    }
    loop {
        reader.refill();
        if decode_codes::<PLAIN_CODES>(reader, part, &mut position, &mut put)? {
            return Ok(());
        }
    }
}

/// At most so many codes, fewer where one of them is not plain; whether the block ended.
#[inline(always)]
fn decode_codes<const COUNT: usize>(
    reader: &mut BitReader<'_>,
    part: &Part,
    position: &mut usize,
    put: &mut impl FnMut(usize, i32),
) -> std::result::Result<bool, Fault> {
    for _ in 0..COUNT {
        let entry = part.ac.first(reader.window());
        if let Some(target) = entry.target(*position) {
            reader.skip(entry.raw_skip());
            *position = target;
            put(target, entry.value());
            continue;
        }
        match part.next_other(reader, *position, entry)? {
            Some((target, level)) => {
                *position = target;
                put(target, level);
                break;
            }
            None => return Ok(true),
        }
    }
    Ok(false)
}

impl Part {
    /// The next block's DC level (F.2.2.1), whatever was refilled before.
    #[inline(always)]
    pub fn next_dc(
        &self,
        reader: &mut BitReader<'_>,
        predictor: &mut i32,
    ) -> std::result::Result<i32, Fault> {
        reader.refill();
        let (skip, difference) = self.dc.difference(reader.window()).ok_or(Fault::NoCode)?;
        reader.skip(skip);
        *predictor += difference;
        if predictor.abs() > MAX_DC_LEVEL {
            return Err(Fault::DcLevel(*predictor));
        }
        Ok(*predictor)
    }

    /// What `entry` means where it is not plain: a coefficient and its position, or the end of the block (`None`).
    /// There may be less left of a refill than a code after it.
    #[inline(always)]
    pub fn next_other(
        &self,
        reader: &mut BitReader<'_>,
        position: usize,
        entry: Entry,
    ) -> std::result::Result<Option<(usize, i32)>, Fault> {
        if position == BLOCK_AREA - 1 {
            return Ok(None);
        }
        if entry.is_block_end() {
            reader.skip(entry.raw_skip());
            return Ok(None);
        }
        reader.refill();
        let entry = self.ac.whole(entry, reader.window());
        if let Some(target) = entry.target(position) {
            reader.skip(entry.raw_skip());
            Ok(Some((target, entry.value())))
        } else if entry.is_block_end() {
            reader.skip(entry.raw_skip());
            Ok(None)
        } else if entry.is_invalid() {
            Err(Fault::NoCode)
        } else {
            Err(Fault::Run)
        }
    }

    #[inline]
    pub fn put<T: Coefficient>(&self, plane: &mut [T], block: usize, position: usize, level: i32) {
        plane[self.starts[position] as usize + block] = T::from_level(level, self.steps[position]);
    }
}

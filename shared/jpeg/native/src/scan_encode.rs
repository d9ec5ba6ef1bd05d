//! Entropy coding of a whole frame in one interleaved scan with given tables (T.81 F.1.2).

use crate::bits::BitWriter;
use crate::huffman::{EncodeTable, Spec};
use crate::layout::{Layout, BLOCK_AREA, ZIGZAG};

/// Where quantised blocks come from, MCU row by MCU row.
pub trait BlockSource {
    /// Called before the blocks of an MCU row are asked for.
    fn start_row(&mut self, mcu_row: usize);

    /// Levels, natural order, of a block inside the component.
    fn levels(&mut self, component: usize, row: usize, column: usize, levels: &mut [i16; BLOCK_AREA]);
}

/// DC and AC codes of one component.
#[derive(Clone, Debug)]
pub struct Codes {
    dc: EncodeTable,
    ac: EncodeTable,
}

impl Codes {
    pub fn new(dc: &Spec, ac: &Spec) -> Self {
        Self {
            dc: EncodeTable::new(dc),
            ac: EncodeTable::new(ac),
        }
    }
}

/// Append the scan's bytes: `codes` holds luma's, then chroma's.
pub fn encode_scan(layout: &Layout, source: &mut impl BlockSource, codes: &[Codes], out: &mut Vec<u8>) {
    let mut writer = BitWriter::new(out);
    let mut predictors = [0; 3];
    for mcu_row in 0..layout.mcu_rows {
        source.start_row(mcu_row);
        for mcu_column in 0..layout.mcu_columns {
            encode_mcu(
                layout,
                source,
                codes,
                (mcu_row, mcu_column),
                &mut predictors,
                &mut writer,
            );
        }
    }
    writer.finish();
}

fn encode_mcu(
    layout: &Layout,
    source: &mut impl BlockSource,
    codes: &[Codes],
    (mcu_row, mcu_column): (usize, usize),
    predictors: &mut [i32; 3],
    writer: &mut BitWriter<'_>,
) {
    let mut levels = [0; BLOCK_AREA];
    for (index, component) in layout.components().iter().enumerate() {
        let codes = &codes[index.min(1)];
        for row in mcu_row * component.vertical..(mcu_row + 1) * component.vertical {
            for column in mcu_column * component.horizontal..(mcu_column + 1) * component.horizontal {
                if row < component.block_rows && column < component.block_columns {
                    source.levels(index, row, column, &mut levels);
                    encode_block(&levels, &mut predictors[index], codes, writer);
                } else {
                    encode_padding(codes, writer);
                }
            }
        }
    }
}

/// The cheapest block: the DC level of the one before, nothing else (as libjpeg pads).
fn encode_padding(codes: &Codes, writer: &mut BitWriter<'_>) {
    let (code, length) = codes.dc.code(0);
    writer.put(code, length);
    let (code, length) = codes.ac.code(0);
    writer.put(code, length);
}

#[inline]
fn encode_block(levels: &[i16; BLOCK_AREA], predictor: &mut i32, codes: &Codes, writer: &mut BitWriter<'_>) {
    let dc = i32::from(levels[0]);
    put_value(&codes.dc, 0, dc - *predictor, writer);
    *predictor = dc;
    let mut zigzag = [0; BLOCK_AREA];
    let mut left = 0_u64;
    for (position, &natural) in ZIGZAG.iter().enumerate() {
        let level = levels[natural as usize];
        zigzag[position] = level;
        left |= u64::from(level != 0) << position;
    }
    left &= !1;
    let mut next = 1;
    while left != 0 {
        let position = left.trailing_zeros();
        let mut run = position - next;
        while run > 15 {
            let (code, length) = codes.ac.code(0xF0);
            writer.put(code, length);
            run -= 16;
        }
        put_value(&codes.ac, run, i32::from(zigzag[position as usize & 63]), writer);
        next = position + 1;
        left &= left - 1;
    }
    if next < BLOCK_AREA as u32 {
        let (code, length) = codes.ac.code(0x00);
        writer.put(code, length);
    }
}

/// A run/size code and the value's bits (T.81 F.1.2.1.1, F.1.2.2.1).
#[inline]
fn put_value(table: &EncodeTable, run: u32, value: i32, writer: &mut BitWriter<'_>) {
    let size = 32 - value.unsigned_abs().leading_zeros();
    let bits = (value - i32::from(value < 0)) as u32 & ((1 << size) - 1);
    let (code, length) = table.code((run << 4 | size) as u8);
    debug_assert!(length > 0, "every legal symbol has a code");
    writer.put(code << size | bits, length + size);
}

//! Entropy coding of a whole frame in one interleaved scan with given tables (T.81 F.1.2).

use std::num::{NonZeroU32, NonZeroU64};
use std::ops::Range;

use crate::entropy::bit_writer::BitWriter;
use crate::entropy::encode_table::EncodeTable;
use crate::geometry::block::BLOCK_AREA;
use crate::geometry::layout::{ComponentLayout, Layout};
use crate::tables::huffman::Spec;
use crate::transform::levels::Levels;

/// How many MCUs are quantised before they are coded: few enough for the fastest cache, and enough for vectors that hold
/// several blocks.
const GROUP_MCUS: usize = 8;

const ZERO_RUN: u8 = 0xF0;
const END_OF_BLOCK: u8 = 0x00;

/// Where quantised blocks come from, MCU row by MCU row.
pub trait BlockSource {
    /// Called before the blocks of an MCU row are asked for.
    fn start_row(&mut self, mcu_row: usize);

    /// The levels of neighbouring blocks of one row, all inside the component, the first at `column`.
    fn read(&mut self, component: usize, row: usize, column: usize, blocks: &mut [Levels]);
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

/// Encode a scan and append it to `out`. `codes` has those of luma, then those of chroma; `group` was made for the layout.
pub fn encode_scan(
    layout: &Layout,
    source: &mut impl BlockSource,
    codes: &[Codes],
    group: &mut Group,
    out: &mut Vec<u8>,
) {
    let mut writer = BitWriter::new(out);
    group.start_scan();
    for mcu_row in 0..layout.mcu_rows {
        source.start_row(mcu_row);
        for first in (0..layout.mcu_columns).step_by(GROUP_MCUS) {
            let mcus = first..(first + GROUP_MCUS).min(layout.mcu_columns);
            group.read(source, mcu_row, &mcus);
            writer = group.encode(mcus.len(), codes, writer);
        }
    }
    writer.finish();
}

/// Neighbouring MCUs between quantisation and coding.
pub struct Group {
    components: Vec<GroupComponent>,
}

/// The blocks of one component: `vertical` rows of those of `GROUP_MCUS` MCUs.
struct GroupComponent {
    layout: ComponentLayout,
    blocks: Vec<Levels>,
    stride: usize,
    /// How many columns and rows lie inside the component; the other blocks pad the last MCUs.
    columns: usize,
    rows: usize,
    /// The DC level of the last block.
    predictor: i32,
}

impl Group {
    pub fn new(layout: &Layout) -> Self {
        let mcus = GROUP_MCUS.min(layout.mcu_columns);
        let components = layout.components().iter().map(|&layout| GroupComponent {
            layout,
            blocks: vec![Levels::ZERO; layout.vertical * layout.horizontal * mcus],
            stride: layout.horizontal * mcus,
            columns: 0,
            rows: 0,
            predictor: 0,
        });
        Self {
            components: components.collect(),
        }
    }

    /// Begin another image.
    fn start_scan(&mut self) {
        for component in &mut self.components {
            component.predictor = 0;
        }
    }

    fn read(&mut self, source: &mut impl BlockSource, mcu_row: usize, mcus: &Range<usize>) {
        for (index, component) in self.components.iter_mut().enumerate() {
            component.read(source, index, mcu_row, mcus);
        }
    }

    /// Encode the first `mcus` MCUs. The writer is passed and returned by value, so that it stays in registers.
    fn encode<'a>(&mut self, mcus: usize, codes: &[Codes], mut writer: BitWriter<'a>) -> BitWriter<'a> {
        for mcu in 0..mcus {
            for (index, component) in self.components.iter_mut().enumerate() {
                component.encode_mcu(mcu, &codes[index.min(1)], &mut writer);
            }
        }
        writer
    }
}

impl GroupComponent {
    fn read(&mut self, source: &mut impl BlockSource, index: usize, mcu_row: usize, mcus: &Range<usize>) {
        let (first_row, first_column) = (
            mcu_row * self.layout.vertical,
            mcus.start * self.layout.horizontal,
        );
        self.rows = self.layout.vertical.min(self.layout.block_rows - first_row);
        self.columns = (mcus.len() * self.layout.horizontal).min(self.layout.block_columns - first_column);
        let rows = self.blocks.chunks_exact_mut(self.stride).take(self.rows);
        for (row, blocks) in (first_row..).zip(rows) {
            source.read(index, row, first_column, &mut blocks[..self.columns]);
        }
    }

    #[inline]
    fn encode_mcu(&mut self, mcu: usize, codes: &Codes, writer: &mut BitWriter<'_>) {
        for row in 0..self.layout.vertical {
            for column in mcu * self.layout.horizontal..(mcu + 1) * self.layout.horizontal {
                if row < self.rows && column < self.columns {
                    let levels = &self.blocks[row * self.stride + column];
                    encode_block(levels, &mut self.predictor, codes, writer);
                } else {
                    encode_padding(codes, writer);
                }
            }
        }
    }
}

/// Encode a block that only pads: the DC level of the last block and no AC levels, as libjpeg pads.
fn encode_padding(codes: &Codes, writer: &mut BitWriter<'_>) {
    put_symbol(&codes.dc, 0, writer);
    put_symbol(&codes.ac, END_OF_BLOCK, writer);
}

#[inline]
fn encode_block(levels: &Levels, predictor: &mut i32, codes: &Codes, writer: &mut BitWriter<'_>) {
    let dc = i32::from(levels.zigzag[0]);
    put_value(&codes.dc, 0, dc - *predictor, writer);
    *predictor = dc;
    let mut next = 1;
    let mut left = levels.nonzero & !1;
    while let Some(some_left) = NonZeroU64::new(left) {
        let position = some_left.trailing_zeros();
        let mut run = position - next;
        while run > 15 {
            put_symbol(&codes.ac, ZERO_RUN, writer);
            run -= 16;
        }
        let level = i32::from(levels.zigzag[position as usize & 63]);
        put_value(&codes.ac, run, level, writer);
        next = position + 1;
        left &= left - 1;
    }
    if next < BLOCK_AREA as u32 {
        put_symbol(&codes.ac, END_OF_BLOCK, writer);
    }
}

#[inline]
fn put_symbol(table: &EncodeTable, symbol: u8, writer: &mut BitWriter<'_>) {
    let (code, length) = table.code(symbol);
    writer.put(code, length);
}

/// Write a run/size code and the bits of the value (T.81 F.1.2.1, F.1.2.2).
#[inline]
fn put_value(table: &EncodeTable, run: u32, value: i32, writer: &mut BitWriter<'_>) {
    let size = NonZeroU32::new(value.unsigned_abs()).map_or(0, |magnitude| 32 - magnitude.leading_zeros());
    let bits = (value - i32::from(value < 0)) as u32 & ((1 << size) - 1);
    let (code, length) = table.code((run << 4 | size) as u8);
    debug_assert!(length > 0, "every legal symbol has a code");
    writer.put(code | bits, length);
}

//! The scans of DC levels (T.81 G.1.2.1): their higher bits as differences, then each lower bit as it is.

use std::ops::Range;

use crate::decoding::fault::Fault;
use crate::decoding::progressive::blocks::Blocks;
use crate::decoding::segments::{require_end, within};
use crate::decoding::sequential::MAX_DC_LEVEL;
use crate::entropy::code_table::CodeTable;
use crate::entropy::receive::{receive, receive_and_extend};
use crate::entropy::segment::{BitReader, Segment};
use crate::error::Result;
use crate::geometry::layout::Layout;
use crate::syntax::scan_header::ScanHeader;
use crate::tables::huffman::MAX_DC_SIZE;

/// A scan of DC levels, of one component or of several interleaved.
pub struct DcScan {
    pub layout: Layout,
    pub header: ScanHeader,
    /// The table of each component of a first scan; none where a scan refines.
    pub tables: Vec<CodeTable>,
}

impl DcScan {
    /// Decode the MCUs of one entropy-coded segment.
    pub fn decode_segment(
        &self,
        data: &[u8],
        segment: &Segment,
        mcus: Range<usize>,
        blocks: &mut [Blocks],
    ) -> Result<()> {
        let (_, mcu_columns) = self.header.mcu_grid(&self.layout);
        let mut reader = segment.reader();
        let mut predictors = [0; 3];
        for mcu in mcus {
            let place = (mcu / mcu_columns, mcu % mcu_columns);
            let decoded = self.decode_mcu(&mut reader, &mut predictors, place, blocks);
            within(decoded, data, segment, &reader)?;
        }
        require_end(segment, data, &reader)
    }

    fn decode_mcu(
        &self,
        reader: &mut BitReader<'_>,
        predictors: &mut [i32; 3],
        (mcu_row, mcu_column): (usize, usize),
        blocks: &mut [Blocks],
    ) -> std::result::Result<(), Fault> {
        for (place, selected) in self.header.components().iter().enumerate() {
            let component = &self.layout.components()[selected.index];
            let (rows, columns) = match self.header.components().len() {
                1 => (1, 1),
                _ => (component.vertical, component.horizontal),
            };
            for row in mcu_row * rows..(mcu_row + 1) * rows {
                for column in mcu_column * columns..(mcu_column + 1) * columns {
                    let bits = self.decode_block(reader, place, &mut predictors[place])?;
                    // A block that only pads the MCU is decoded and dropped.
                    if row < component.block_rows && column < component.block_columns {
                        let block = row * component.block_columns + column;
                        blocks[selected.index].levels[block][0] |= bits;
                    }
                }
            }
        }
        Ok(())
    }

    /// The bits that the scan brings of a block's DC level.
    fn decode_block(
        &self,
        reader: &mut BitReader<'_>,
        place: usize,
        predictor: &mut i32,
    ) -> std::result::Result<i16, Fault> {
        let low = self.header.span.low;
        let level = if let Some(table) = self.tables.get(place) {
            let size = table.read(reader).filter(|&size| size <= MAX_DC_SIZE);
            *predictor += receive_and_extend(reader, u32::from(size.ok_or(Fault::NoCode)?));
            *predictor << low
        } else {
            (receive(reader, 1) << low) as i32
        };
        if level.abs() > MAX_DC_LEVEL {
            return Err(Fault::DcLevel(level));
        }
        Ok(level as i16)
    }
}

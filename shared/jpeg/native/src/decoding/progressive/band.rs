//! The scans of a band of AC levels (T.81 G.1.2.2, G.1.2.3): of one component, block by block.

use std::num::NonZeroU64;
use std::ops::Range;

use crate::decoding::fault::Fault;
use crate::decoding::progressive::blocks::Blocks;
use crate::decoding::segments::{require_end, within};
use crate::entropy::code_table::CodeTable;
use crate::entropy::receive::{receive, receive_and_extend};
use crate::entropy::segment::{BitReader, Segment};
use crate::error::{Error, Result};
use crate::geometry::block::BLOCK_AREA;
use crate::syntax::scan_header::Span;
use crate::tables::huffman::MAX_AC_SIZE;

/// The AC levels of 8-bit pictures are inside this bound, like those that sequential scans can code.
const MAX_AC_LEVEL: i32 = 1023;

/// A scan of the AC levels at the zig-zag positions of a band.
pub struct BandScan {
    pub span: Span,
    pub table: CodeTable,
}

/// The block that is being decoded.
struct Block<'b> {
    levels: &'b mut [i16; BLOCK_AREA],
    nonzero: &'b mut u64,
}

impl BandScan {
    /// Decode the blocks of one entropy-coded segment.
    pub fn decode_segment(
        &self,
        data: &[u8],
        segment: &Segment,
        blocks: Range<usize>,
        component: &mut Blocks,
    ) -> Result<()> {
        let mut reader = segment.reader();
        let levels = &mut component.levels[blocks.clone()];
        let mut each = levels.iter_mut().zip(&mut component.nonzero[blocks]);
        while let Some((levels, nonzero)) = each.next() {
            let mut block = Block { levels, nonzero };
            let decoded = self.decode_block(&mut reader, &mut block);
            let ended = within(decoded, data, segment, &reader)?;
            for _ in 0..ended {
                let (levels, nonzero) = each.next().ok_or_else(|| {
                    Error::scan(segment.offset(data, &reader), Fault::EndedBlocks.to_string())
                })?;
                self.correct(&mut reader, &mut Block { levels, nonzero }, self.span.start);
                within(Ok(()), data, segment, &reader)?;
            }
        }
        require_end(segment, data, &reader)
    }

    /// Decode a block. Return how many blocks behind it have ended before they begin (EOBRUN less this block).
    fn decode_block(
        &self,
        reader: &mut BitReader<'_>,
        block: &mut Block<'_>,
    ) -> std::result::Result<u32, Fault> {
        let mut position = self.span.start;
        while position <= self.span.end {
            let symbol = self.table.read(reader).ok_or(Fault::NoCode)?;
            let (run, size) = (u32::from(symbol >> 4), symbol & 15);
            if size == 0 && run < 15 {
                let ended = (1 << run) + receive(reader, run) - 1;
                self.correct(reader, block, position);
                return Ok(ended);
            }
            let level = self.level(reader, size)?;
            let target = self.pass(reader, block, position, run)?;
            if level != 0 {
                block.levels[target] = level;
                *block.nonzero |= 1 << target;
            }
            position = target + 1;
        }
        Ok(0)
    }

    /// The level that a symbol of this size brings; 0 for ZRL, which stands for 16 zeros.
    fn level(&self, reader: &mut BitReader<'_>, size: u8) -> std::result::Result<i16, Fault> {
        let most = if self.span.is_first() { MAX_AC_SIZE } else { 1 };
        if size > most {
            return Err(Fault::NoCode);
        }
        let level = receive_and_extend(reader, u32::from(size)) << self.span.low;
        if level.abs() > MAX_AC_LEVEL {
            return Err(Fault::AcLevel(level));
        }
        Ok(level as i16)
    }

    /// Go from `position` over `run` levels that are zero to the next one that is; correct the others on the way.
    fn pass(
        &self,
        reader: &mut BitReader<'_>,
        block: &mut Block<'_>,
        position: usize,
        mut run: u32,
    ) -> std::result::Result<usize, Fault> {
        for target in position..=self.span.end {
            if *block.nonzero >> target & 1 == 1 {
                self.correct_one(reader, block, target);
            } else if run == 0 {
                return Ok(target);
            } else {
                run -= 1;
            }
        }
        Err(Fault::Run)
    }

    /// Correct all levels of the band from `position` on that are not zero. In a first scan there are none.
    fn correct(&self, reader: &mut BitReader<'_>, block: &mut Block<'_>, position: usize) {
        let mut left =
            *block.nonzero & (u64::MAX << position) & (u64::MAX >> (BLOCK_AREA - 1 - self.span.end));
        while let Some(some_left) = NonZeroU64::new(left) {
            self.correct_one(reader, block, some_left.trailing_zeros() as usize);
            left &= left - 1;
        }
    }

    /// Add the next bit to the magnitude of a level.
    fn correct_one(&self, reader: &mut BitReader<'_>, block: &mut Block<'_>, position: usize) {
        let bit = (receive(reader, 1) as i16) << self.span.low;
        let level = &mut block.levels[position];
        *level += bit * level.signum();
    }
}

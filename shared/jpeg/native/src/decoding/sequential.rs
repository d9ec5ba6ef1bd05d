//! One block as sequential JPEG codes it: a DC difference, then runs of zeros and AC levels (T.81 F.2.2).

// What is not inlined forces a reader's state out of the registers.
#![allow(clippy::inline_always)]

use crate::decoding::fault::Fault;
use crate::decoding::scan_component::ScanComponent;
use crate::entropy::decode_table::Entry;
use crate::entropy::segment::BitReader;
use crate::geometry::block::BLOCK_AREA;

/// The DC levels of 8-bit pictures are far inside this bound; only a harmful stream goes beyond it.
pub const MAX_DC_LEVEL: i32 = 2047;
/// A refill is enough for this many codes that the first look-up holds whole: each has 10 bits with its value.
pub const CODES_A_REFILL: usize = 5;

/// Decode one block (T.81 F.2.2): call `put` with the zig-zag position and the level of each coefficient.
#[inline]
pub fn decode_block(
    reader: &mut BitReader<'_>,
    component: &ScanComponent,
    predictor: &mut i32,
    mut put: impl FnMut(usize, i32),
) -> std::result::Result<(), Fault> {
    put(0, component.next_dc(reader, predictor)?);
    let mut position = 0;
    // After the DC level, what its refill loaded is enough for two more codes.
    if decode_codes::<2>(reader, component, &mut position, &mut put)? {
        return Ok(());
    }
    loop {
        reader.refill();
        if decode_codes::<CODES_A_REFILL>(reader, component, &mut position, &mut put)? {
            return Ok(());
        }
    }
}

/// Decode `COUNT` codes, or fewer where one takes the slow path; true where the block ended.
#[inline(always)]
fn decode_codes<const COUNT: usize>(
    reader: &mut BitReader<'_>,
    component: &ScanComponent,
    position: &mut usize,
    put: &mut impl FnMut(usize, i32),
) -> std::result::Result<bool, Fault> {
    for _ in 0..COUNT {
        let entry = component.ac.first(reader.window());
        if let Some(target) = entry.target(*position) {
            reader.skip(entry.raw_skip());
            *position = target;
            put(target, entry.value());
            continue;
        }
        match component.slow_path(reader, *position, entry)? {
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

impl ScanComponent {
    /// Decode the DC level that begins a block (T.81 F.2.2.1). It refills the reader itself.
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

    /// Decode a code whose first look-up gave no coefficient inside the block: the zig-zag position and the level of
    /// the next coefficient, or `None` where the block ends.
    ///
    /// The reader must be refilled before another code is read.
    #[inline(always)]
    pub fn slow_path(
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
}

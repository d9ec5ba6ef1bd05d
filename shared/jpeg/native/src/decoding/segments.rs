//! The entropy-coded segments of a scan, one restart interval each (T.81 B.2.1, E.2.4), and how they may end.

use std::ops::Range;

use crate::decoding::fault::Fault;
use crate::entropy::segment::{BitReader, Segment};
use crate::error::{Error, Result};
use crate::syntax::markers::{EOI, RST0};

/// Load one segment after the other of a scan whose data begin at `start`, and have `decode` decode its MCUs. Return
/// the offset of what stands behind the scan.
///
/// An interval of 0 means that the scan is one segment. Where intervals are defined, some encoders write a restart
/// marker behind the last one, too.
pub fn each_segment(
    data: &[u8],
    mut start: usize,
    (mcus, restart_interval): (usize, usize),
    segment: &mut Segment,
    mut decode: impl FnMut(&Segment, Range<usize>) -> Result<()>,
) -> Result<usize> {
    let interval = if restart_interval == 0 {
        mcus
    } else {
        restart_interval
    };
    let mut first = 0;
    let mut expected = 0;
    loop {
        segment.load(data, start);
        let last = mcus.min(first + interval);
        decode(segment, first..last)?;
        let end = segment.end();
        let behind = behind_restart(data, end, expected);
        if last == mcus {
            return Ok(if restart_interval == 0 {
                end
            } else {
                behind.unwrap_or(end)
            });
        }
        start = behind.ok_or_else(|| Error::scan(end, format!("restart marker {expected} is missing")))?;
        first = last;
        expected = (expected + 1) % 8;
    }
}

/// The offset behind the restart marker at `position` if it is number `expected`.
fn behind_restart(data: &[u8], position: usize, expected: u8) -> Option<usize> {
    let rest = data.get(position..)?;
    let fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
    match rest.get(fill) {
        Some(&code) if code == RST0 + expected => Some(position + fill + 1),
        _ => None,
    }
}

/// What decoding with `reader` gave, if all of its bits were the segment's.
#[inline]
pub fn within<R>(
    decoded: std::result::Result<R, Fault>,
    data: &[u8],
    segment: &Segment,
    reader: &BitReader<'_>,
) -> Result<R> {
    if reader.bits_left() < 0 {
        return Err(Error::scan(segment.end(), Fault::End.to_string()));
    }
    decoded.map_err(|fault| Error::scan(segment.offset(data, reader), fault.to_string()))
}

/// Refuse bytes behind the last block of a segment, but for zeros with which some encoders pad it.
///
/// The zeros may also be what is left of a damaged scan, and then the last blocks were decoded from some of them. So
/// the byte before them must have bits of its own, or all its bits must be: where it is zero itself, the blocks end
/// with it, as an encoder's do that fills the last byte with ones (T.81 F.1.2.3), and the byte before is not zero. The
/// blocks owe one byte to what may be padding then, and no more.
pub fn require_end(segment: &Segment, data: &[u8], reader: &BitReader<'_>) -> Result<()> {
    if reader.bits_left() < 8 {
        return Ok(());
    }
    let (used, left) = segment.used_and_left(reader);
    let message = match left.iter().any(|&byte| byte != 0) {
        true => "bytes are left over after the last block",
        false if !is_own_end(used, reader.bits_left() % 8 == 0) => {
            "zero bytes are left over, and the last block may have been decoded from some of them"
        }
        false => return Ok(()),
    };
    Err(Error::scan(segment.offset(data, reader), message))
}

/// Whether the last of these bytes is the blocks' own, whose bits are all used where `is_used_up`.
fn is_own_end(used: &[u8], is_used_up: bool) -> bool {
    match used {
        [.., before, 0] => is_used_up && *before != 0,
        [0] => false,
        _ => true,
    }
}

/// Whether `behind` a scan the image ends at once: with EOI, or with the data.
pub fn is_end_of_image(behind: &[u8]) -> bool {
    behind.is_empty() || behind.starts_with(&[0xFF, EOI])
}

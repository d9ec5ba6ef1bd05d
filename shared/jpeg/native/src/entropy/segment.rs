//! The reader of an entropy-coded segment: byte stuffing is removed, then bits are read (T.81 F.1.2.3, figure F.18).

use crate::entropy::stuffing::before_ff;

/// How many zeros stand behind a segment's bytes, so that the last bytes can be loaded like all others.
const PADDING: usize = 8;

/// One entropy-coded segment without its stuffing. The memory is used for one segment after the other.
#[derive(Default)]
pub struct Segment {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Segment {
    /// Load the segment that begins at `start` and ends at the next marker or at the end of the data.
    pub fn load(&mut self, data: &[u8], start: usize) {
        let mut at = start;
        self.bytes.clear();
        self.bytes.reserve(data.len().saturating_sub(start) + PADDING);
        loop {
            let rest = data.get(at..).unwrap_or_default();
            let (plain, behind) = rest.split_at(before_ff(rest));
            self.bytes.extend_from_slice(plain);
            at += plain.len();
            if !behind.starts_with(&[0xFF, 0]) {
                break;
            }
            self.bytes.push(0xFF);
            at += 2;
        }
        self.bytes.extend([0; PADDING]);
        self.start = start;
        self.end = at;
    }

    pub fn reader(&self) -> BitReader<'_> {
        BitReader {
            rest: &self.bytes,
            window: 0,
            available: 0,
            lent: 0,
        }
    }

    /// Offset in `data` of the marker that ends the segment.
    pub fn end(&self) -> usize {
        self.end
    }

    /// The segment's bytes, without stuffing, that `reader` has begun to consume, and those that it has not.
    pub fn used_and_left(&self, reader: &BitReader<'_>) -> (&[u8], &[u8]) {
        let bytes = &self.bytes[..self.bytes.len() - PADDING];
        let left = (reader.bits_left().max(0) / 8) as usize;
        bytes.split_at(bytes.len() - left)
    }

    /// Offset in `data` of the first byte that `reader` has not begun to consume.
    pub fn offset(&self, data: &[u8], reader: &BitReader<'_>) -> usize {
        let mut at = self.start;
        for _ in self.used_and_left(reader).0 {
            at += if data[at] == 0xFF { 2 } else { 1 };
        }
        at
    }
}

/// Reads the bits of a segment. Behind its end it lends zeros.
#[derive(Clone)]
pub struct BitReader<'a> {
    rest: &'a [u8],
    /// Next bits first. Bits below `available` are either zero or already those of the bytes that follow.
    window: u64,
    /// Number of bits in the window, modulo 64: the bits above the low six mean nothing.
    available: u32,
    /// How many bytes of zeros were lent.
    lent: u32,
}

impl BitReader<'_> {
    /// Make at least 56 bits available: enough for two codes of 16 bits with values of 11 bits.
    #[inline]
    pub fn refill(&mut self) {
        let available = self.available & 63;
        let taken = (63 - available) >> 3;
        if let Some(chunk) = self.rest.get(..8) {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(chunk);
            self.window |= u64::from_be_bytes(bytes) >> available;
            self.rest = &self.rest[taken as usize..];
        } else {
            self.lend(taken);
        }
        self.available = available | 0x38;
    }

    /// Count zeros that are lent. Fewer than eight bytes are left in `rest` then, all of them padding.
    #[cold]
    fn lend(&mut self, taken: u32) {
        self.lent += taken;
    }

    /// How many bits of the segment are not consumed yet; negative where lent zeros were consumed.
    #[inline]
    pub fn bits_left(&self) -> i64 {
        let unloaded = self.rest.len() as i64 - PADDING as i64;
        8 * (unloaded - i64::from(self.lent)) + i64::from(self.available & 63)
    }

    /// The next bits; the first of them is the highest.
    #[inline]
    pub fn window(&self) -> u64 {
        self.window
    }

    /// Consume the number of bits that the low six bits of `count` say.
    #[inline]
    pub fn skip(&mut self, count: u32) {
        self.window = self.window.wrapping_shl(count);
        self.available = self.available.wrapping_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::bit_writer::BitWriter;

    /// A reader's next bits, at most 27 of them.
    fn take(reader: &mut BitReader<'_>, count: u32) -> u32 {
        reader.refill();
        let bits = (reader.window() >> 32 >> (32 - count)) as u32;
        reader.skip(count);
        bits
    }

    #[test]
    fn bits_come_back_through_stuffing_wherever_it_stands() {
        for lead in 0..8 {
            let words: Vec<(u32, u32)> = (0_u32..2000)
                .map(|i| {
                    let count = if i == 0 { lead + 1 } else { i % 16 + 1 };
                    let bits = if i % 3 == 0 {
                        u32::MAX
                    } else {
                        i.wrapping_mul(2_654_435_761)
                    };
                    (bits & ((1 << count) - 1), count)
                })
                .collect();
            let mut data = vec![0xAA; 5];
            let mut writer = BitWriter::new(&mut data);
            for &(bits, count) in &words {
                writer.put(bits, count);
            }
            writer.finish();
            let length = data.len();
            data.extend([0xFF, 0xD9, 0xFF]);
            let mut segment = Segment::default();
            segment.load(&data, 5);
            let mut reader = segment.reader();
            for &(bits, count) in &words {
                assert_eq!(take(&mut reader, count), bits);
            }
            assert_eq!(segment.end(), length);
            assert_eq!(segment.offset(&data, &reader), length);
            assert!((0..8).contains(&reader.bits_left()));
        }
    }

    #[test]
    fn bits_behind_the_end_are_zeros_and_owed() {
        let mut segment = Segment::default();
        segment.load(&[0xAB], 0);
        let mut reader = segment.reader();
        assert_eq!(take(&mut reader, 9), 0xAB << 1);
        assert_eq!(reader.bits_left(), -1);
        for _ in 0..100 {
            assert_eq!(take(&mut reader, 27), 0);
        }
        assert_eq!(reader.bits_left(), -2701);
    }

    #[test]
    fn an_offset_counts_stuffed_bytes_twice() {
        let data = [0xFF, 0x00, 0x12, 0xFF, 0x00, 0x34, 0xFF, 0xD9];
        let mut segment = Segment::default();
        segment.load(&data, 0);
        let mut reader = segment.reader();
        for offset in [2, 3, 5, 6] {
            take(&mut reader, 8);
            assert_eq!(segment.offset(&data, &reader), offset);
        }
    }

    #[test]
    fn a_segment_ends_at_a_marker_fill_bytes_or_the_end_of_the_data() {
        for (data, end) in [
            (&[1, 2, 0xFF, 0xD0, 3][..], 2),
            (&[1, 0xFF, 0xFF, 0xD9], 1),
            (&[1, 2, 3], 3),
            (&[1, 2, 0xFF], 2),
            (&[], 0),
        ] {
            let mut segment = Segment::default();
            segment.load(data, 0);
            assert_eq!(segment.end(), end);
            assert_eq!(segment.reader().bits_left(), 8 * end as i64);
        }
    }
}

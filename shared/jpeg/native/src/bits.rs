//! Entropy-coded bytes in, bit by bit, stuffing removed (T.81 figure F.18).

use crate::error::{Error, Result};

/// Whether any byte of the word is 0xFF.
#[inline]
pub fn contains_ff(word: u64) -> bool {
    let inverted = !word;
    inverted.wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 != 0
}

/// Reads an entropy-coded segment up to the next marker; past its end it lends zeros and remembers.
pub struct BitReader<'a> {
    data: &'a [u8],
    position: usize,
    /// Next bits first. Bits below `available` are either zero or already those of the bytes that follow.
    window: u64,
    available: u32,
    /// Zeros lent after the segment's end.
    lent: u32,
}

impl<'a> BitReader<'a> {
    pub fn new(data: &'a [u8], position: usize) -> Self {
        Self {
            data,
            position,
            window: 0,
            available: 0,
            lent: 0,
        }
    }

    /// Make at least 32 bits available.
    #[inline]
    pub fn refill(&mut self) {
        if self.available >= 32 {
            return;
        }
        if let Some(chunk) = self.data.get(self.position..self.position + 8) {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(chunk);
            let word = u64::from_be_bytes(bytes);
            if !contains_ff(word) {
                self.window |= word >> self.available;
                self.position += ((63 - self.available) >> 3) as usize;
                self.available |= 0b11_1000;
                return;
            }
        }
        self.refill_by_bytes();
    }

    fn refill_by_bytes(&mut self) {
        while self.available <= 56 {
            let byte = match (self.data.get(self.position), self.data.get(self.position + 1)) {
                (Some(0xFF), Some(0)) => {
                    self.position += 2;
                    0xFF
                }
                (Some(0xFF) | None, _) => {
                    self.lent += 8;
                    0
                }
                (Some(&byte), _) => {
                    self.position += 1;
                    byte
                }
            };
            self.window |= u64::from(byte) << (56 - self.available);
            self.available += 8;
        }
    }

    /// The next 16 bits, not consumed. At least that many must be available.
    #[inline]
    pub fn peek16(&self) -> u32 {
        (self.window >> 48) as u32
    }

    #[inline]
    pub fn skip(&mut self, count: u32) {
        self.window <<= count;
        self.available -= count;
    }

    /// Consume `count` bits, 1 to 16.
    #[inline]
    pub fn take(&mut self, count: u32) -> u32 {
        let bits = (self.window >> (64 - count)) as u32;
        self.skip(count);
        bits
    }

    /// Whether more bits were consumed than the segment has.
    #[inline]
    pub fn is_overdrawn(&self) -> bool {
        self.available < self.lent
    }

    /// Whether the segment's bytes are all in the window already.
    pub fn is_at_end(&self) -> bool {
        self.lent > 0
    }

    pub fn position(&self) -> usize {
        self.position
    }

    /// Offset of the marker that ends the segment.
    ///
    /// # Errors
    /// Bytes are left over before it, or bits were consumed that it does not have.
    pub fn end(&self) -> Result<usize> {
        if self.is_overdrawn() {
            return Err(Error::scan(self.position, "the scan ends inside a block"));
        }
        let at_marker = match (self.data.get(self.position), self.data.get(self.position + 1)) {
            (None, _) => true,
            (Some(0xFF), next) => next != Some(&0),
            _ => false,
        };
        if self.available - self.lent >= 8 || !at_marker {
            return Err(Error::scan(
                self.position,
                "bytes are left over after the last block",
            ));
        }
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bit_writer::BitWriter;

    #[test]
    fn ff_is_found_in_any_byte_and_nowhere_else() {
        for shift in (0..64).step_by(8) {
            assert!(contains_ff(0xFF << shift));
            assert!(!contains_ff(0xFE << shift));
        }
        assert!(!contains_ff(0x7F80_FE01_00AA_55F0));
    }

    #[test]
    fn bits_come_back_through_stuffing() {
        let mut out = Vec::new();
        let mut writer = BitWriter::new(&mut out);
        let words: Vec<(u32, u32)> = (0_u32..2000)
            .map(|i| {
                let count = i % 16 + 1;
                let bits = if i % 3 == 0 {
                    u32::MAX
                } else {
                    i.wrapping_mul(2_654_435_761)
                };
                (bits & ((1 << count) - 1), count)
            })
            .collect();
        for &(bits, count) in &words {
            writer.put(bits, count);
        }
        writer.finish();
        let length = out.len();
        out.extend([0xFF, 0xD9]);
        let mut reader = BitReader::new(&out, 0);
        for &(bits, count) in &words {
            reader.refill();
            assert_eq!(reader.take(count), bits);
        }
        assert_eq!(reader.end(), Ok(length));
    }

    #[test]
    fn reading_past_the_end_is_noticed() {
        let mut reader = BitReader::new(&[0xAB], 0);
        reader.refill();
        reader.take(9);
        assert!(reader.is_overdrawn());
        assert!(reader.end().is_err());
    }

    #[test]
    fn bytes_left_over_are_noticed() {
        let mut reader = BitReader::new(&[0xAB, 0xCD, 0xFF, 0xD9], 0);
        reader.refill();
        reader.take(3);
        assert!(reader.end().is_err());
    }
}

//! Entropy-coded bytes out: codes packed bit by bit, a zero stuffed after each 0xFF (T.81 F.1.2.3).

use crate::stuffing::contains_ff;

/// Writes codes into a byte vector.
pub struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Bits not handed out yet, the last one lowest; above them lies what was handed out already.
    window: u64,
    /// Bits of the window that are free.
    free: u32,
}

impl<'a> BitWriter<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            window: 0,
            free: 64,
        }
    }

    /// Append the low `count` (at most 32) bits; the higher ones must be zero.
    #[inline]
    pub fn put(&mut self, bits: u32, count: u32) {
        let bits = u64::from(bits);
        if self.free > count {
            self.free -= count;
            self.window = self.window << count | bits;
        } else {
            // The word takes what still fits; the rest stays, and what the word took goes out of the top later.
            let rest = count - self.free;
            push_word(self.out, (self.window << (self.free & 63)) | (bits >> rest));
            self.window = bits;
            self.free = 64 - rest;
        }
    }

    /// Fill the last byte with ones (T.81 F.1.2.3) and hand everything out.
    pub fn finish(mut self) {
        let fill = self.free % 8;
        self.put((1 << fill) - 1, fill);
        let bytes = (self.window << (self.free & 63)).to_be_bytes();
        push_stuffed(self.out, &bytes[..(64 - self.free as usize) / 8]);
    }
}

#[inline]
fn push_word(out: &mut Vec<u8>, word: u64) {
    let bytes = word.to_be_bytes();
    if contains_ff(word) {
        push_stuffed(out, &bytes);
    } else {
        out.extend_from_slice(&bytes);
    }
}

#[cold]
#[inline(never)]
fn push_stuffed(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        out.push(byte);
        if byte == 0xFF {
            out.push(0);
        }
    }
}

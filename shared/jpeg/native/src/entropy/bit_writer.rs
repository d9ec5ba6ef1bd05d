//! The writer of entropy-coded bytes: codes are packed bit by bit, and a zero is stuffed after each 0xFF (T.81 F.1.2.3).

use crate::entropy::stuffing::contains_ff;

/// Writes codes into a byte vector.
pub struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Bits that are not written yet; the last one is the lowest. The bits above them are written already.
    window: u64,
    /// How many bits of the window are free.
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

    /// Append the low `count` bits (at most 32). The higher ones must be zero.
    #[inline]
    pub fn put(&mut self, bits: u32, count: u32) {
        let bits = u64::from(bits);
        if self.free > count {
            self.free -= count;
            self.window = self.window << count | bits;
        } else {
            // The word takes the bits that still fit. The others stay, and later bits push the written ones out at the top.
            let rest = count - self.free;
            push_word(self.out, (self.window << (self.free & 63)) | (bits >> rest));
            self.window = bits;
            self.free = 64 - rest;
        }
    }

    /// Fill the last byte with ones (T.81 F.1.2.3) and write all that is left.
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

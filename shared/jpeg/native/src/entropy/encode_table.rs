//! The codes that a Huffman table gives to symbols, ready to be written.

use crate::tables::huffman::Spec;

/// The code of each symbol, with room behind it for the bits of a value.
#[derive(Clone, Debug)]
pub struct EncodeTable {
    /// Of each symbol, from the lowest bit: the bits of code and value (5 bits), then the code with zeros where the
    /// value goes (at most 16 + 11 bits).
    entries: [u32; 256],
}

impl EncodeTable {
    pub fn new(spec: &Spec) -> Self {
        let mut entries = [0; 256];
        for (symbol, code, length) in spec.codes() {
            let size = u32::from(symbol & 15);
            entries[symbol as usize] = code << size << 5 | (length + size);
        }
        Self { entries }
    }

    /// The code with zeros where the value's bits go, and the number of bits of both; 0 bits where there is no code.
    #[inline]
    pub fn code(&self, symbol: u8) -> (u32, u32) {
        let entry = self.entries[symbol as usize];
        (entry >> 5, entry & 31)
    }
}

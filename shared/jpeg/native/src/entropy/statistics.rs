//! How often each Huffman symbol occurs in planes of levels, and how many bits their codes take.

use crate::entropy::symbols::each_symbol;
use crate::error::Result;
use crate::geometry::layout::Layout;
use crate::tables::huffman::Spec;

/// The counts of each symbol by table: DC and AC of luma, then DC and AC of chroma.
pub type SymbolCounts = [[u64; 256]; 4];

/// Count the symbols that coding these levels takes. `planes` has one slice of 64 planes for each component.
pub fn count_symbols(layout: &Layout, planes: &[&[i16]], counts: &mut SymbolCounts) -> Result<()> {
    each_symbol(layout, planes, |table, symbol| {
        counts[table][usize::from(symbol)] += 1;
    })
}

/// The bits of each symbol's code and of the value behind it, by table: DC and AC of luma, then DC and AC of chroma.
#[derive(Clone, Debug)]
pub struct CodeLengths([[u8; 256]; 4]);

impl CodeLengths {
    pub fn new(huffman: &[Spec]) -> Self {
        let mut lengths = [[0; 256]; 4];
        for (table, spec) in lengths.iter_mut().zip(huffman) {
            for (symbol, _, length) in spec.codes() {
                table[usize::from(symbol)] = length as u8 + (symbol & 15);
            }
        }
        Self(lengths)
    }

    /// The bits of an AC symbol's code and value; component 0 is luma, any other chroma.
    pub fn ac(&self, component: usize, symbol: u8) -> u8 {
        self.0[2 * component.min(1) + 1][usize::from(symbol)]
    }

    /// The bits of a scan of these levels, before the last byte is filled and zeros are stuffed.
    pub fn scan_bits(&self, layout: &Layout, planes: &[&[i16]]) -> Result<u64> {
        let mut bits = 0;
        each_symbol(layout, planes, |table, symbol| {
            bits += u64::from(self.0[table][usize::from(symbol)]);
        })?;
        Ok(bits)
    }
}

//! How often each Huffman symbol occurs in planes of levels, and how many bits their codes take.

use crate::error::Result;
use crate::huffman::Spec;
use crate::layout::Layout;
use crate::symbols::each_symbol;

/// Counts by symbol: DC and AC of luma, DC and AC of chroma.
pub type SymbolCounts = [[u64; 256]; 4];

/// Count what coding these planes (one slice of 64 planes a component) emits.
pub fn count_symbols(layout: &Layout, planes: &[&[i16]], counts: &mut SymbolCounts) -> Result<()> {
    each_symbol(layout, planes, |table, symbol| {
        counts[table][usize::from(symbol)] += 1;
    })
}

/// Bits of each symbol's code and of the value behind it, by table: DC and AC of luma, DC and AC of chroma.
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

    /// Bits of one AC symbol's code and value; `component` 0 is luma.
    pub fn ac(&self, component: usize, symbol: u8) -> u8 {
        self.0[2 * component.min(1) + 1][usize::from(symbol)]
    }

    /// Entropy-coded bits of a scan of these planes, before the last byte is filled up and zeros are stuffed.
    pub fn scan_bits(&self, layout: &Layout, planes: &[&[i16]]) -> Result<u64> {
        let mut bits = 0;
        each_symbol(layout, planes, |table, symbol| {
            bits += u64::from(self.0[table][usize::from(symbol)]);
        })?;
        Ok(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::{Encoder, StreamKind};
    use crate::layout::{ComponentLayout, Sampling, BLOCK_AREA};
    use crate::simd::Level;
    use crate::tables::tests::some_tables;

    #[test]
    fn the_bits_are_those_of_the_scan_without_filling_and_stuffing() {
        for sampling in [
            Sampling::Grey,
            Sampling::Yuv444,
            Sampling::Yuv422,
            Sampling::Yuv420,
        ] {
            let set = some_tables(sampling, &[3, 5, 7][..sampling.components()]);
            let layout = Layout::of_image(20, 33, sampling).unwrap();
            let areas = layout.components().iter().map(ComponentLayout::area);
            let levels: Vec<Vec<i16>> = areas
                .map(|area| {
                    (0..BLOCK_AREA * area)
                        .map(|index| {
                            if index % 3 == 0 {
                                (index * 37 % 2047) as i16 - 1023
                            } else {
                                0
                            }
                        })
                        .collect()
                })
                .collect();
            let planes: Vec<&[i16]> = levels.iter().map(Vec::as_slice).collect();
            let bits = CodeLengths::new(&set.huffman)
                .scan_bits(&layout, &planes)
                .unwrap();
            let scan = Encoder::new(set, *b"tablesid", Level::fastest())
                .encode_levels(layout, &planes, StreamKind::Scan)
                .unwrap();
            let stuffed = scan.windows(2).filter(|pair| *pair == [0xFF, 0]).count();
            assert_eq!((bits as usize + 7) / 8, scan.len() - stuffed);
        }
    }
}

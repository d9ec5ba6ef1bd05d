//! The look-up that reads a Huffman code as its symbol, whatever the symbol means (T.81 F.2.2.3).

use crate::entropy::segment::BitReader;
use crate::tables::huffman::{Spec, MAX_CODE_BITS};

/// Bits of the first look-up.
const FIRST_BITS: u32 = 8;

/// What codes of one length beyond the first look-up share.
#[derive(Clone, Copy, Default)]
struct Longer {
    /// The first 16 bits that no code of this length or a shorter one begins with.
    end: u32,
    /// What is added to a code to give the place of its symbol, modulo 2^32.
    offset: u32,
}

/// The codes of one Huffman table.
pub struct CodeTable {
    /// By the first bits: the symbol and the length of its code, which is 0 where the code is longer.
    first: [(u8, u8); 1 << FIRST_BITS],
    /// By the length of the code.
    longer: [Longer; MAX_CODE_BITS + 1],
    symbols: [u8; 256],
}

impl CodeTable {
    pub fn new(spec: &Spec) -> Self {
        let mut table = Self {
            first: [(0, 0); 1 << FIRST_BITS],
            longer: [Longer::default(); MAX_CODE_BITS + 1],
            symbols: spec.symbols,
        };
        for (place, (symbol, code, length)) in (0_u32..).zip(spec.codes()) {
            if length <= FIRST_BITS {
                let places = &mut table.first[(code << (FIRST_BITS - length)) as usize..];
                places[..1 << (FIRST_BITS - length)].fill((symbol, length as u8));
            }
            table.longer[length as usize] = Longer {
                end: (code + 1) << (MAX_CODE_BITS as u32 - length),
                offset: place.wrapping_sub(code),
            };
        }
        table
    }

    /// DECODE (T.81 figure F.16): the symbol of the next code; `None` where the bits are no code.
    #[inline]
    pub fn read(&self, reader: &mut BitReader<'_>) -> Option<u8> {
        reader.refill();
        let bits = (reader.window() >> 48) as u32;
        let (symbol, length) = self.first[(bits >> (16 - FIRST_BITS)) as usize];
        if length > 0 {
            reader.skip(u32::from(length));
            return Some(symbol);
        }
        let length = (FIRST_BITS + 1..=16).find(|&length| bits < self.longer[length as usize].end)?;
        reader.skip(length);
        let code = bits >> (16 - length);
        let place = code.wrapping_add(self.longer[length as usize].offset);
        self.symbols.get(place as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::bit_writer::BitWriter;
    use crate::entropy::segment::Segment;
    use crate::tables::annex_k;

    #[test]
    fn every_code_of_every_length_reads_back_and_no_other_bits_do() {
        for spec in &annex_k::HUFFMAN {
            let table = CodeTable::new(spec);
            let mut data = Vec::new();
            let mut writer = BitWriter::new(&mut data);
            for (_, code, length) in spec.codes() {
                writer.put(code, length);
            }
            writer.finish();
            let mut segment = Segment::default();
            segment.load(&data, 0);
            let mut reader = segment.reader();
            for (symbol, _, _) in spec.codes() {
                assert_eq!(table.read(&mut reader), Some(symbol));
            }
            segment.load(&[0xFF, 0, 0xFF, 0], 0);
            assert_eq!(table.read(&mut segment.reader()), None);
        }
    }

    #[test]
    fn a_table_without_codes_reads_nothing() {
        let table = CodeTable::new(&Spec::new([0; 16], &[]).unwrap());
        let mut segment = Segment::default();
        segment.load(&[0, 0, 0], 0);
        assert_eq!(table.read(&mut segment.reader()), None);
    }
}

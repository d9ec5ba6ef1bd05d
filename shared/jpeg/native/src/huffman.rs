//! Huffman tables: their specification (T.81 annex C), the codes to write and the look-up to read them.

use crate::error::{Error, Result};

pub const MAX_CODE_BITS: usize = 16;
/// Bits of the first look-up; longer codes take the canonical search (T.81 figure F.16).
pub const LOOKUP_BITS: u32 = 10;
pub const MAX_DC_SIZE: u8 = 11;
pub const MAX_AC_SIZE: u8 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Dc,
    Ac,
}

/// BITS and HUFFVAL of T.81 annex C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    pub counts: [u8; MAX_CODE_BITS],
    pub symbols: [u8; 256],
}

impl Spec {
    /// A checked table: at most 256 codes, no code that does not fit its length, none of all ones.
    pub fn new(counts: [u8; MAX_CODE_BITS], values: &[u8]) -> std::result::Result<Self, String> {
        let total: usize = counts.iter().map(|&n| n as usize).sum();
        if total > 256 || total != values.len() {
            return Err(format!("{total} codes for {} symbols", values.len()));
        }
        let mut code = 0_u32;
        for (index, &count) in counts.iter().enumerate() {
            code += u32::from(count);
            // T.81 annex C: no code may be all ones, so the next free code must still fit.
            if count > 0 && code >= 1 << (index + 1) {
                return Err(format!("the codes of {} bits overflow their length", index + 1));
            }
            code <<= 1;
        }
        let mut symbols = [0; 256];
        symbols[..total].copy_from_slice(values);
        Ok(Self { counts, symbols })
    }

    pub fn values(&self) -> &[u8] {
        let total: usize = self.counts.iter().map(|&n| n as usize).sum();
        &self.symbols[..total]
    }

    /// Every (symbol, code, length) in order of code (T.81 figures C.1, C.2).
    pub fn codes(&self) -> impl Iterator<Item = (u8, u32, u32)> + '_ {
        let lengths = (1_u32..)
            .zip(self.counts)
            .flat_map(|(length, count)| std::iter::repeat(length).take(count as usize));
        let mut code = 0_u32;
        let mut previous = 0_u32;
        self.values().iter().zip(lengths).map(move |(&symbol, length)| {
            code <<= length - previous;
            previous = length;
            let own = code;
            code += 1;
            (symbol, own, length)
        })
    }

    /// Refuse anything but exactly the legal symbols of 8-bit baseline, each once.
    pub fn require_all_symbols(&self, class: Class) -> std::result::Result<(), String> {
        let legal = legal_symbols(class);
        let mut seen = [false; 256];
        for &symbol in self.values() {
            if !legal.contains(&symbol) {
                return Err(format!(
                    "symbol {symbol:#04x} is not legal in an 8-bit {class:?} table"
                ));
            }
            if std::mem::replace(&mut seen[symbol as usize], true) {
                return Err(format!("symbol {symbol:#04x} has two codes"));
            }
        }
        match legal.iter().find(|&&symbol| !seen[symbol as usize]) {
            Some(symbol) => Err(format!("symbol {symbol:#04x} has no code")),
            None => Ok(()),
        }
    }
}

/// The 12 DC sizes, or the 162 AC run/size pairs (T.81 tables F.1, F.2).
pub fn legal_symbols(class: Class) -> Vec<u8> {
    match class {
        Class::Dc => (0..=MAX_DC_SIZE).collect(),
        Class::Ac => (0..=255).filter(|&symbol| is_legal_ac(symbol)).collect(),
    }
}

fn is_legal_ac(symbol: u8) -> bool {
    let size = symbol & 15;
    symbol == 0x00 || symbol == 0xF0 || (1..=MAX_AC_SIZE).contains(&size)
}

/// What coding each symbol takes: its code with room for the value's bits behind, and the bits of both together.
#[derive(Clone, Debug)]
pub struct EncodeTable {
    /// Low to high: bits (5), code and room (at most 16 + 11).
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

    /// (code with as many zeros behind as the symbol has value bits, bits of both); 0 bits where there is no code.
    #[inline]
    pub fn code(&self, symbol: u8) -> (u32, u32) {
        let entry = self.entries[symbol as usize];
        (entry >> 5, entry & 31)
    }
}

/// What one code says. Low to high: bits to skip (8), run (4), bits of value still to read (4), value (16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry(u32);

impl Entry {
    const BLOCK_END: u32 = 0x80;
    const INVALID: Self = Self(0);

    fn new(symbol: u8, length: u32, class: Class) -> Self {
        let (run, size) = match class {
            Class::Dc if symbol <= MAX_DC_SIZE => (0, u32::from(symbol)),
            Class::Ac if symbol == 0 => return Self(Self::BLOCK_END | length),
            Class::Ac if is_legal_ac(symbol) => (u32::from(symbol >> 4), u32::from(symbol & 15)),
            _ => return Self::INVALID,
        };
        Self(length | run << 8 | size << 12)
    }

    /// The same with its value read from `following`, the look-up's bits after the code, where they suffice.
    fn with_value(self, following: u32, spare: u32) -> Self {
        let size = self.size();
        if size == 0 || size > spare || self.is_block_end() {
            return self;
        }
        let value = extend(following >> (spare - size), size);
        Self((self.bits() + size) | self.run() << 8 | (value as u32) << 16)
    }

    #[inline]
    pub fn is_invalid(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub fn is_block_end(self) -> bool {
        self.0 & Self::BLOCK_END != 0
    }

    #[inline]
    pub fn bits(self) -> u32 {
        self.0 & 0x7F
    }

    #[inline]
    pub fn run(self) -> u32 {
        self.0 >> 8 & 15
    }

    #[inline]
    pub fn size(self) -> u32 {
        self.0 >> 12 & 15
    }

    #[inline]
    pub fn value(self) -> i32 {
        self.0 as i32 >> 16
    }
}

/// EXTEND of T.81 figure F.12.
#[inline]
pub fn extend(bits: u32, size: u32) -> i32 {
    let value = bits as i32;
    if bits >> (size - 1) == 0 {
        value - (1 << size) + 1
    } else {
        value
    }
}

/// Look-up of 10 bits for short codes, canonical search for the rest.
#[derive(Clone, Debug)]
pub struct DecodeTable {
    lookup: Box<[Entry; 1 << LOOKUP_BITS]>,
    /// For each length: first code past it, aligned to 16 bits; 0 where the length has no codes.
    ends: [u32; MAX_CODE_BITS + 1],
    /// For each length: index of its first symbol minus its first code.
    offsets: [i32; MAX_CODE_BITS + 1],
    symbols: [u8; 256],
    class: Class,
}

impl DecodeTable {
    pub fn new(spec: &Spec, class: Class) -> Self {
        let mut table = Self {
            lookup: Box::new([Entry::INVALID; 1 << LOOKUP_BITS]),
            ends: [0; MAX_CODE_BITS + 1],
            offsets: [0; MAX_CODE_BITS + 1],
            symbols: spec.symbols,
            class,
        };
        for (index, (symbol, code, length)) in (0_i32..).zip(spec.codes()) {
            table.ends[length as usize] = (code + 1) << (16 - length);
            table.offsets[length as usize] = index - code as i32;
            if length <= LOOKUP_BITS {
                table.fill(Entry::new(symbol, length, class), code, length);
            }
        }
        table
    }

    fn fill(&mut self, entry: Entry, code: u32, length: u32) {
        let spare = LOOKUP_BITS - length;
        let first = (code << spare) as usize;
        let slots = &mut self.lookup[first..first + (1 << spare)];
        for (following, slot) in (0..).zip(slots) {
            *slot = entry.with_value(following, spare);
        }
    }

    /// The entry for the next 16 bits of the stream; invalid where no code matches.
    #[inline]
    pub fn entry(&self, next16: u32) -> Entry {
        let entry = self.lookup[(next16 >> (16 - LOOKUP_BITS)) as usize & ((1 << LOOKUP_BITS) - 1)];
        if entry.is_invalid() {
            self.search(next16)
        } else {
            entry
        }
    }

    #[cold]
    fn search(&self, next16: u32) -> Entry {
        for length in 1..=MAX_CODE_BITS {
            if next16 < self.ends[length] {
                let code = (next16 >> (16 - length)) as i32;
                let index = (self.offsets[length] + code) as usize & 255;
                return Entry::new(self.symbols[index], length as u32, self.class);
            }
        }
        Entry::INVALID
    }
}

/// A table out of a stream or from a caller, its fault worded by `place`.
pub fn checked(counts: [u8; 16], values: &[u8], place: &str) -> Result<Spec> {
    Spec::new(counts, values).map_err(|fault| Error::invalid_tables(format!("{place}: {fault}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(usize, u8)]) -> [u8; 16] {
        let mut counts = [0; 16];
        for &(length, count) in pairs {
            counts[length - 1] = count;
        }
        counts
    }

    #[test]
    fn a_code_of_all_ones_is_refused() {
        assert!(Spec::new(counts(&[(1, 1), (2, 2)]), &[0, 1, 2]).is_err());
        assert!(Spec::new(counts(&[(1, 1), (2, 1)]), &[0, 1]).is_ok());
    }

    #[test]
    fn more_codes_than_fit_are_refused() {
        assert!(Spec::new(counts(&[(1, 3)]), &[0, 1, 2]).is_err());
    }

    #[test]
    fn there_are_12_and_162_legal_symbols() {
        assert_eq!(legal_symbols(Class::Dc).len(), 12);
        assert_eq!(legal_symbols(Class::Ac).len(), 162);
    }

    #[test]
    fn extend_follows_figure_f_12() {
        assert_eq!(
            [extend(0, 1), extend(1, 1), extend(0, 2), extend(3, 2)],
            [-1, 1, -3, 3]
        );
        assert_eq!([extend(0, 11), extend(2047, 11)], [-2047, 2047]);
    }

    #[test]
    fn every_code_reads_back_as_its_symbol_short_or_long() {
        let spec = Spec::new(
            counts(&[(1, 1), (4, 3), (12, 5), (16, 2)]),
            &[2, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10],
        )
        .unwrap();
        let encode = EncodeTable::new(&spec);
        let decode = DecodeTable::new(&spec, Class::Dc);
        for &symbol in spec.values() {
            let size = u32::from(symbol);
            let (code, bits) = encode.code(symbol);
            let (code, length) = (code >> size, bits - size);
            let entry = decode.entry(code << (16 - length));
            let inline = u32::from(symbol) + length <= LOOKUP_BITS && symbol > 0;
            let expected = if inline {
                (length + u32::from(symbol), 0)
            } else {
                (length, u32::from(symbol))
            };
            assert_eq!((entry.bits(), entry.size()), expected, "symbol {symbol}");
        }
        assert!(decode.entry(0xFFFF).is_invalid());
    }
}

//! The look-ups that read Huffman codes and the values behind them (T.81 F.2.2.1 to F.2.2.4).

use crate::geometry::block::BLOCK_AREA;
use crate::tables::huffman::{is_legal_ac, Class, Spec, MAX_DC_SIZE};

/// Bits of the first look-up; the rest of a longer code takes the second.
const FIRST_BITS: u32 = 10;
const SECOND_BITS: u32 = 16 - FIRST_BITS;

/// What the next bits of a segment say. From the lowest bit: bits to skip (8), reach (8), detail (16).
///
/// The reach is the distance from the last coefficient to the one that is coded here, run + 1; the detail is its value.
/// A reach of 64 or more leads out of any block, so that one test finds the block's end and all that takes the slow path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(u32);

/// The reach of a block's end.
const BLOCK_END: u32 = 64;
/// Added to the reach where the look-up does not hold the value: the detail is the value's size, which the bits to skip
/// include.
const UNREAD: u32 = 128;
/// The reach where the code goes on: the detail is the number of its second look-up.
const SECOND: u32 = 192;
const NO_CODE: u32 = 255;

impl Entry {
    const INVALID: Self = Self(NO_CODE << 8);

    fn new(skip: u32, reach: u32, detail: u32) -> Self {
        Self(skip | reach << 8 | detail << 16)
    }

    /// The entry for a code whose value is not read yet.
    fn of(symbol: u8, length: u32, class: Class) -> Self {
        let (run, size) = match class {
            Class::Dc if symbol <= MAX_DC_SIZE => (0, u32::from(symbol)),
            Class::Ac if symbol == 0 => return Self::new(length, BLOCK_END, 0),
            Class::Ac if is_legal_ac(symbol) => (u32::from(symbol >> 4), u32::from(symbol & 15)),
            _ => return Self::INVALID,
        };
        Self::new(length + size, UNREAD + run + 1, size)
    }

    /// This entry with the value read that stands behind the code at the top of `window`.
    fn read(self, window: u64) -> Self {
        if self.reach() & !63 != UNREAD as usize {
            return self;
        }
        Self::new(
            self.skip(),
            self.reach() as u32 & 63,
            self.unread_value(window) as u32,
        )
    }

    /// The value that is not read yet, by RECEIVE and EXTEND (T.81 F.2.2.1).
    #[inline]
    fn unread_value(self, window: u64) -> i32 {
        let mask = (1_u32 << (self.0 >> 16)).wrapping_sub(1);
        let bits = window.rotate_left(self.0) as u32 & mask;
        if bits > mask >> 1 {
            bits as i32
        } else {
            bits.wrapping_sub(mask) as i32
        }
    }

    fn skip(self) -> u32 {
        self.0 & 63
    }

    /// The bits to skip, modulo 64, so that a shift needs no mask.
    #[inline]
    pub fn raw_skip(self) -> u32 {
        self.0
    }

    #[inline]
    fn reach(self) -> usize {
        (self.0 >> 8 & 0xFF) as usize
    }

    /// The position of its coefficient if the last one stood at `position`; `None` where that is outside the block.
    #[inline]
    pub fn target(self, position: usize) -> Option<usize> {
        let target = position + self.reach();
        if target < BLOCK_AREA {
            Some(target)
        } else {
            None
        }
    }

    #[inline]
    pub fn value(self) -> i32 {
        self.0 as i32 >> 16
    }

    #[inline]
    pub fn is_block_end(self) -> bool {
        self.reach() == BLOCK_END as usize
    }

    #[inline]
    pub fn is_invalid(self) -> bool {
        self == Self::INVALID
    }
}

/// The entries of the first look-up.
#[derive(Clone, Debug)]
pub struct FirstEntries([Entry; 1 << FIRST_BITS]);

impl FirstEntries {
    /// The entry for the bits at the top of `window`.
    #[inline]
    pub fn at(&self, window: u64) -> Entry {
        self.0[(window >> (64 - FIRST_BITS)) as usize]
    }
}

/// A first look-up of 10 bits, and one of 6 for each beginning of longer codes.
#[derive(Clone, Debug)]
pub struct DecodeTable {
    spec: Spec,
    class: Class,
    first: Box<FirstEntries>,
    second: Vec<[Entry; 1 << SECOND_BITS]>,
}

impl DecodeTable {
    pub fn new(spec: &Spec, class: Class) -> Self {
        let mut table = Self {
            spec: *spec,
            class,
            first: Box::new(FirstEntries([Entry::INVALID; 1 << FIRST_BITS])),
            second: Vec::new(),
        };
        for (symbol, code, length) in spec.codes() {
            let entry = Entry::of(symbol, length, class);
            if length <= FIRST_BITS {
                table.fill_first(entry, code << (FIRST_BITS - length), length);
            } else {
                table.fill_second(entry, code << (16 - length), length);
            }
        }
        table
    }

    fn fill_first(&mut self, entry: Entry, start: u32, length: u32) {
        let entries = &mut self.first.0[start as usize..][..1 << (FIRST_BITS - length)];
        for (index, place) in (u64::from(start)..).zip(entries) {
            let fits = self.class == Class::Ac && entry.skip() <= FIRST_BITS;
            *place = if fits {
                entry.read(index << (64 - FIRST_BITS))
            } else {
                entry
            };
        }
    }

    fn fill_second(&mut self, entry: Entry, start: u32, length: u32) {
        let first = &mut self.first.0[(start >> SECOND_BITS) as usize];
        if *first == Entry::INVALID {
            *first = Entry::new(0, SECOND, self.second.len() as u32);
            self.second.push([Entry::INVALID; 1 << SECOND_BITS]);
        }
        let start = (start & ((1 << SECOND_BITS) - 1)) as usize;
        let entries = self.second.last_mut().map(|entries| &mut entries[start..]);
        for place in entries.into_iter().flatten().take(1 << (16 - length)) {
            *place = entry;
        }
    }

    pub fn is_of(&self, spec: &Spec, class: Class) -> bool {
        self.class == class && self.spec == *spec
    }

    /// The entry for the bits at the top of `window`.
    #[inline]
    pub fn first(&self, window: u64) -> Entry {
        self.first.at(window)
    }

    /// The first look-up.
    #[inline]
    pub fn first_entries(&self) -> &FirstEntries {
        &self.first
    }

    /// The whole entry for a first entry of an AC table: a value, the end of the block, or invalid.
    #[inline(never)]
    pub fn whole(&self, first: Entry, window: u64) -> Entry {
        self.second(first, window).read(window)
    }

    #[inline]
    fn second(&self, first: Entry, window: u64) -> Entry {
        if first.reach() != SECOND as usize {
            return first;
        }
        let index = (window >> 48) as usize & ((1 << SECOND_BITS) - 1);
        let entries = self.second.get((first.0 >> 16) as usize);
        entries.map_or(Entry::INVALID, |entries| entries[index])
    }

    /// The bits to skip (modulo 64) and the value of the DC difference at the top of `window`.
    #[inline]
    pub fn difference(&self, window: u64) -> Option<(u32, i32)> {
        // The first look-up holds no DC differences: few are short enough.
        match self.second(self.first(window), window) {
            Entry::INVALID => None,
            entry => Some((entry.raw_skip(), entry.unread_value(window))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::encode_table::EncodeTable;

    fn spec(pairs: &[(usize, u8)], symbols: &[u8]) -> Spec {
        let mut counts = [0; 16];
        for &(length, count) in pairs {
            counts[length - 1] = count;
        }
        Spec::new(counts, symbols).unwrap()
    }

    /// The value that `window` begins with, and the bits of it and its code.
    fn read(table: &DecodeTable, window: u64) -> Option<(u32, i32)> {
        let entry = match table.class {
            Class::Dc => return table.difference(window).map(|(skip, value)| (skip & 63, value)),
            Class::Ac => table.whole(table.first(window), window),
        };
        (entry.reach() < 64).then(|| (entry.skip(), entry.value()))
    }

    #[test]
    fn every_code_reads_back_with_every_value_short_or_long() {
        let symbols = [2, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10];
        let spec = spec(&[(1, 1), (4, 3), (12, 5), (16, 2)], &symbols);
        let encode = EncodeTable::new(&spec);
        for class in [Class::Dc, Class::Ac] {
            let decode = DecodeTable::new(&spec, class);
            for size in symbols
                .into_iter()
                .map(u32::from)
                .filter(|&size| class == Class::Dc || size > 0)
            {
                let (code, bits) = encode.code(size as u8);
                let (code, length) = (code >> size, bits - size);
                for value_bits in 0..1_u64 << size {
                    let window = u64::from(code) << (64 - length) | value_bits << (64 - length - size) | 1;
                    let is_negative = size > 0 && value_bits >> (size - 1) == 0;
                    let value = value_bits as i32 - if is_negative { (1 << size) - 1 } else { 0 };
                    assert_eq!(read(&decode, window), Some((length + size, value)), "size {size}");
                }
            }
        }
    }

    #[test]
    fn bits_that_are_no_code_are_told() {
        let short = DecodeTable::new(&spec(&[(2, 1)], &[1]), Class::Ac);
        let long = DecodeTable::new(&spec(&[(1, 1), (13, 1)], &[1, 0]), Class::Ac);
        for window in [u64::MAX, 1 << 62] {
            assert_eq!(read(&short, window), None);
        }
        assert_eq!(read(&long, u64::MAX), None);
        assert_eq!(read(&long, 0x8008 << 48), None);
        assert!(long.whole(long.first(1 << 63), 1 << 63).is_block_end());
    }

    #[test]
    fn symbols_that_8_bit_jpeg_does_not_have_are_no_codes() {
        for (class, symbol) in [
            (Class::Dc, 12),
            (Class::Ac, 0x0B),
            (Class::Ac, 0x10),
            (Class::Ac, 0xE0),
        ] {
            for length in [1, 12] {
                assert_eq!(
                    read(&DecodeTable::new(&spec(&[(length, 1)], &[symbol]), class), 0),
                    None
                );
            }
        }
    }
}

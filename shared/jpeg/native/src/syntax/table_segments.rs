//! The segments that hold tables (T.81 B.2.4.1, B.2.4.2): DQT and DHT, read and written.

use crate::error::{Error, Result};
use crate::geometry::block::ZIGZAG;
use crate::syntax::markers::{self, write_segment};
use crate::syntax::unsupported::unsupported;
use crate::tables::huffman::Spec;
use crate::tables::quantisation::QuantTable;
use crate::tables::table_set::TableSet;

/// The tables that a stream has defined so far, by destination.
pub struct DefinedTables {
    pub quant: [Option<QuantTable>; 4],
    pub dc: [Option<Spec>; 4],
    pub ac: [Option<Spec>; 4],
    /// There was a DQT or a DHT: the stream brings its own tables.
    pub are_any: bool,
}

impl DefinedTables {
    pub const NONE: Self = Self {
        quant: [None; 4],
        dc: [None; 4],
        ac: [None; 4],
        are_any: false,
    };

    /// Read the body of a DQT segment whose marker stood at offset `at`.
    pub fn read_dqt(&mut self, mut body: &[u8], at: usize) -> Result<()> {
        self.are_any = true;
        while let Some((&first, rest)) = body.split_first() {
            let (precision, destination) = (first >> 4, usize::from(first & 15));
            if precision > 1 || destination > 3 {
                return Err(Error::corrupt(
                    at,
                    format!("quantisation table {destination} of precision {precision}"),
                ));
            }
            let size = 64 << precision;
            if rest.len() < size {
                return Err(Error::corrupt(at, "a quantisation table (DQT) is cut short"));
            }
            let (values, rest) = rest.split_at(size);
            let mut table = [0; 64];
            for (position, &natural) in ZIGZAG.iter().enumerate() {
                table[natural as usize] = step(values, precision, position, at)?;
            }
            self.quant[destination] = Some(table);
            body = rest;
        }
        Ok(())
    }

    /// Read the body of a DHT segment whose marker stood at offset `at`.
    pub fn read_dht(&mut self, mut body: &[u8], at: usize) -> Result<()> {
        self.are_any = true;
        while let Some((&first, rest)) = body.split_first() {
            let (class, destination) = (first >> 4, usize::from(first & 15));
            if class > 1 || destination > 3 {
                return Err(Error::corrupt(
                    at,
                    format!("Huffman table {destination} of class {class}"),
                ));
            }
            let cut = || Error::corrupt(at, "a Huffman table (DHT) is cut short");
            let counts: [u8; 16] = rest.get(..16).and_then(|b| b.try_into().ok()).ok_or_else(cut)?;
            let total = counts.iter().map(|&count| usize::from(count)).sum::<usize>();
            let values = rest.get(16..16 + total).ok_or_else(cut)?;
            let spec = Spec::new(counts, values).map_err(|fault| {
                Error::corrupt(at, format!("Huffman table {class}/{destination}: {fault}"))
            })?;
            let tables = if class == 0 { &mut self.dc } else { &mut self.ac };
            tables[destination] = Some(spec);
            body = &rest[16 + total..];
        }
        Ok(())
    }
}

/// The step at a zig-zag position of a table of 8 or 16 bits (precision 0 or 1).
fn step(values: &[u8], precision: u8, position: usize, at: usize) -> Result<u8> {
    let value = match precision {
        0 => u16::from(values[position]),
        _ => u16::from_be_bytes([values[2 * position], values[2 * position + 1]]),
    };
    match u8::try_from(value) {
        Ok(0) => Err(Error::corrupt(at, "a quantisation table holds a zero")),
        Ok(step) => Ok(step),
        Err(_) => Err(unsupported("quantisation steps above 255")),
    }
}

/// Append a DQT segment with the set's quantisation tables, each once.
pub fn write_dqt(set: &TableSet, out: &mut Vec<u8>) {
    let destinations = set.quant_destinations();
    let mut body = Vec::with_capacity(3 * 65);
    let mut written = 0;
    for (table, &destination) in set.quant.iter().zip(&destinations) {
        if destination == written {
            body.push(destination);
            body.extend(ZIGZAG.iter().map(|&natural| table[natural as usize]));
            written += 1;
        }
    }
    write_segment(out, markers::DQT, &body);
}

/// Append a DHT segment with the set's Huffman tables.
pub fn write_dht(set: &TableSet, out: &mut Vec<u8>) {
    let mut body = Vec::with_capacity(420);
    for (index, spec) in (0_u8..).zip(&set.huffman) {
        body.push(((index % 2) << 4) | (index / 2));
        body.extend(spec.counts);
        body.extend(spec.values());
    }
    write_segment(out, markers::DHT, &body);
}

//! A table set and its canonical tables-only stream (T.81 B.5).

use crate::error::{Error, Result};
use crate::huffman::{Class, Spec};
use crate::layout::{Sampling, ZIGZAG};
use crate::markers::{self, Limits};
use crate::quant::QuantTable;
use crate::stream::{Stop, Stream};

pub type TablesId = [u8; 8];

/// What our APP10 segments begin with.
pub const APP10_TAG: [u8; 2] = *b"DW";

/// Everything both ends must know to exchange abbreviated frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSet {
    pub sampling: Sampling,
    /// One table a component.
    pub quant: Vec<QuantTable>,
    /// DC and AC of luma, then DC and AC of chroma.
    pub huffman: Vec<Spec>,
}

impl TableSet {
    pub fn new(sampling: Sampling, quant: Vec<QuantTable>, huffman: Vec<Spec>) -> Result<Self> {
        if let Some(component) = quant.iter().position(|table| table.contains(&0)) {
            return Err(Error::invalid_tables(format!(
                "quantisation table {component} has a zero"
            )));
        }
        for (index, spec) in huffman.iter().enumerate() {
            let class = if index % 2 == 0 { Class::Dc } else { Class::Ac };
            spec.require_all_symbols(class)
                .map_err(|fault| Error::invalid_tables(format!("Huffman table {index}: {fault}")))?;
        }
        Ok(Self {
            sampling,
            quant,
            huffman,
        })
    }

    /// DQT destination of each component: equal tables share one, in order of first use.
    pub fn quant_slots(&self) -> [u8; 3] {
        let mut slots = [0; 3];
        let mut next = 0;
        for component in 0..self.quant.len() {
            let same = (0..component).find(|&earlier| self.quant[earlier] == self.quant[component]);
            slots[component] = same.map_or(next, |earlier| slots[earlier]);
            next = next.max(slots[component] + 1);
        }
        slots
    }

    /// SOI, APP10, DQT, DHT (left out for the quantisation id), EOI.
    pub fn to_stream(&self, with_huffman: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(704);
        markers::write_marker(&mut out, markers::SOI);
        let sampling = [APP10_TAG[0], APP10_TAG[1], self.sampling_byte()];
        markers::write_segment(&mut out, markers::APP10, &sampling);
        self.write_quant(&mut out);
        if with_huffman {
            self.write_huffman(&mut out);
        }
        markers::write_marker(&mut out, markers::EOI);
        out
    }

    /// Low half the sampling, high half the DQT destinations of Cb and Cr: with two tables for three
    /// components the DQT alone would not say whose they are.
    fn sampling_byte(&self) -> u8 {
        let slots = self.quant_slots();
        self.sampling as u8 | slots[1] << 4 | slots[2] << 6
    }

    pub fn write_quant(&self, out: &mut Vec<u8>) {
        let slots = self.quant_slots();
        let mut body = Vec::with_capacity(3 * 65);
        let mut written = 0;
        for (table, &slot) in self.quant.iter().zip(&slots) {
            if slot == written {
                body.push(slot);
                body.extend(ZIGZAG.iter().map(|&natural| table[natural as usize]));
                written += 1;
            }
        }
        markers::write_segment(out, markers::DQT, &body);
    }

    pub fn write_huffman(&self, out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(420);
        for (index, spec) in (0_u8..).zip(&self.huffman) {
            body.push(((index % 2) << 4) | (index / 2));
            body.extend(spec.counts);
            body.extend(spec.values());
        }
        markers::write_segment(out, markers::DHT, &body);
    }

    /// The inverse of `to_stream`; anything else, even other bytes for the same tables, is refused, so that
    /// one table set has one identity.
    pub fn from_stream(data: &[u8]) -> Result<Self> {
        let set = Self::parse(data).map_err(|error| Error::invalid_tables(error.message))?;
        if set.to_stream(true) == data {
            Ok(set)
        } else {
            Err(Error::invalid_tables("not a canonical tables-only stream"))
        }
    }

    fn parse(data: &[u8]) -> Result<Self> {
        let mut stream = Stream::new(data, Limits::default())?;
        if !matches!(stream.next_stop()?, Stop::End) || stream.frame.is_some() {
            return Err(Error::invalid_tables("a frame stands where only tables may"));
        }
        let byte = stream
            .sampling_claim
            .ok_or_else(|| Error::invalid_tables("the APP10 segment that names the sampling is missing"))?;
        let sampling = Sampling::from_code(byte & 15)
            .ok_or_else(|| Error::invalid_tables(format!("unknown sampling {}", byte & 15)))?;
        let slots = [0, usize::from(byte >> 4 & 3), usize::from(byte >> 6)];
        let components = sampling.components();
        let quant = slots[..components]
            .iter()
            .map(|&slot| stream.quant[slot])
            .collect::<Option<Vec<_>>>();
        let classes = [stream.dc[0], stream.ac[0], stream.dc[1], stream.ac[1]];
        let huffman = classes[..huffman_tables(sampling)]
            .iter()
            .copied()
            .collect::<Option<Vec<_>>>();
        match (quant, huffman) {
            (Some(quant), Some(huffman)) => Self::new(sampling, quant, huffman),
            (None, _) => Err(Error::invalid_tables("a quantisation table is missing")),
            (_, None) => Err(Error::invalid_tables("a Huffman table is missing")),
        }
    }
}

/// How many Huffman tables a set for this sampling has.
pub fn huffman_tables(sampling: Sampling) -> usize {
    if sampling == Sampling::Grey {
        2
    } else {
        4
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::fit::fit;

    /// A legal set: every symbol once, nearly equal lengths.
    pub fn some_tables(sampling: Sampling, quant: &[u8]) -> TableSet {
        let huffman = (0..huffman_tables(sampling))
            .map(|index| fit(&[0; 256], if index % 2 == 0 { Class::Dc } else { Class::Ac }))
            .collect();
        TableSet::new(sampling, quant.iter().map(|&step| [step; 64]).collect(), huffman).unwrap()
    }

    #[test]
    fn a_stream_gives_its_tables_back_whoever_shares() {
        for quant in [[1, 1, 1], [1, 1, 2], [1, 2, 1], [1, 2, 2], [1, 2, 3]] {
            let set = some_tables(Sampling::Yuv420, &quant);
            assert_eq!(TableSet::from_stream(&set.to_stream(true)), Ok(set));
        }
        let grey = some_tables(Sampling::Grey, &[9]);
        assert_eq!(TableSet::from_stream(&grey.to_stream(true)), Ok(grey));
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_refused_or_another_set() {
        let set = some_tables(Sampling::Yuv420, &[1, 2, 3]);
        let stream = set.to_stream(true);
        for index in 0..stream.len() {
            assert!(TableSet::from_stream(&stream[..index]).is_err());
            let mut changed = stream.clone();
            changed[index] ^= 1;
            assert_ne!(TableSet::from_stream(&changed), Ok(set.clone()));
        }
    }
}

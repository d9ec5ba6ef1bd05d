//! The canonical tables-only stream of a table set (T.81 B.5).

use crate::error::{Error, Result};
use crate::geometry::sampling::Sampling;
use crate::syntax::limits::Limits;
use crate::syntax::markers::{self, write_marker, write_segment};
use crate::syntax::stream::{Stop, Stream};
use crate::syntax::table_segments::{write_dht, write_dqt};
use crate::tables::table_set::{huffman_tables, TableSet};
use crate::tables_id::APP10_TAG;

/// The stream of a set: SOI, APP10, DQT, DHT and EOI. The DHT is left out where the quantisation id is computed.
pub fn write_tables(set: &TableSet, with_huffman: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(704);
    write_marker(&mut out, markers::SOI);
    let sampling = [APP10_TAG[0], APP10_TAG[1], sampling_byte(set)];
    write_segment(&mut out, markers::APP10, &sampling);
    write_dqt(set, &mut out);
    if with_huffman {
        write_dht(set, &mut out);
    }
    write_marker(&mut out, markers::EOI);
    out
}

/// The last byte of APP10's body: the sampling in the low half, the DQT destinations of Cb and Cr in the high half.
///
/// With two tables for three components the DQT alone would not say whose they are.
fn sampling_byte(set: &TableSet) -> u8 {
    let destinations = set.quant_destinations();
    set.sampling as u8 | destinations[1] << 4 | destinations[2] << 6
}

/// The set of a stream that `write_tables` wrote.
///
/// Anything else is refused, even other bytes for the same tables, so that one table set has one identity.
pub fn read_tables(data: &[u8]) -> Result<TableSet> {
    let set = parse(data).map_err(|error| Error::invalid_tables(error.message))?;
    if write_tables(&set, true) == data {
        Ok(set)
    } else {
        Err(Error::invalid_tables("not a canonical tables-only stream"))
    }
}

fn parse(data: &[u8]) -> Result<TableSet> {
    let mut stream = Stream::new(data, Limits::default())?;
    if !matches!(stream.next_stop()?, Stop::End) || stream.frame.is_some() {
        return Err(Error::invalid_tables("a frame stands where only tables may"));
    }
    let byte = stream
        .sampling_claim
        .ok_or_else(|| Error::invalid_tables("the APP10 segment that names the sampling is missing"))?;
    let sampling = Sampling::from_code(byte & 15)
        .ok_or_else(|| Error::invalid_tables(format!("unknown sampling {}", byte & 15)))?;
    let destinations = [0, usize::from(byte >> 4 & 3), usize::from(byte >> 6)];
    let components = sampling.components();
    let quant = destinations[..components]
        .iter()
        .map(|&destination| stream.tables.quant[destination])
        .collect::<Option<Vec<_>>>();
    let classes = [
        stream.tables.dc[0],
        stream.tables.ac[0],
        stream.tables.dc[1],
        stream.tables.ac[1],
    ];
    let huffman = classes[..huffman_tables(sampling)]
        .iter()
        .copied()
        .collect::<Option<Vec<_>>>();
    match (quant, huffman) {
        (Some(quant), Some(huffman)) => TableSet::new(sampling, quant, huffman),
        (None, _) => Err(Error::invalid_tables("a quantisation table is missing")),
        (_, None) => Err(Error::invalid_tables("a Huffman table is missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::fixtures::some_tables;

    #[test]
    fn a_stream_gives_its_tables_back_whoever_shares() {
        for quant in [[1, 1, 1], [1, 1, 2], [1, 2, 1], [1, 2, 2], [1, 2, 3]] {
            let set = some_tables(Sampling::Yuv420, &quant);
            assert_eq!(read_tables(&write_tables(&set, true)), Ok(set));
        }
        let grey = some_tables(Sampling::Grey, &[9]);
        assert_eq!(read_tables(&write_tables(&grey, true)), Ok(grey));
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_refused_or_another_set() {
        let set = some_tables(Sampling::Yuv420, &[1, 2, 3]);
        let stream = write_tables(&set, true);
        for index in 0..stream.len() {
            assert!(read_tables(&stream[..index]).is_err());
            let mut changed = stream.clone();
            changed[index] ^= 1;
            assert_ne!(read_tables(&changed), Ok(set.clone()));
        }
    }
}

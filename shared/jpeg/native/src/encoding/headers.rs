//! What stands before a scan in the frames that are written.

use crate::geometry::layout::Layout;
use crate::syntax::markers::{self, write_marker, write_segment};
use crate::syntax::table_segments::{write_dht, write_dqt};
use crate::tables::table_set::TableSet;
use crate::tables_id::{TablesId, APP10_TAG, TABLES_ID_BYTES};

/// Append what an abbreviated frame begins with: SOI, and an APP10 that names the tables.
pub fn write_abbreviated_start(id: TablesId, out: &mut Vec<u8>) {
    write_marker(out, markers::SOI);
    let mut claim = [0; APP10_TAG.len() + TABLES_ID_BYTES];
    claim[..APP10_TAG.len()].copy_from_slice(&APP10_TAG);
    claim[APP10_TAG.len()..].copy_from_slice(&id);
    write_segment(out, markers::APP10, &claim);
}

/// Append what an interchange frame begins with: SOI, JFIF's APP0, DQT and DHT.
pub fn write_interchange_start(set: &TableSet, out: &mut Vec<u8>) {
    write_marker(out, markers::SOI);
    write_segment(out, markers::APP0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    write_dqt(set, out);
    write_dht(set, out);
}

/// Append the frame header (SOF0) and the scan header (SOS) of one interleaved scan.
pub fn write_headers(set: &TableSet, layout: &Layout, out: &mut Vec<u8>) {
    let destinations = set.quant_destinations();
    let count = layout.components().len() as u8;
    let [height, width] = [layout.height, layout.width].map(|side| (side as u16).to_be_bytes());
    let (mut frame, mut scan) = (Vec::with_capacity(15), Vec::with_capacity(10));
    frame.extend([8, height[0], height[1], width[0], width[1], count]);
    scan.push(count);
    for (id, (component, destination)) in (1_u8..).zip(layout.components().iter().zip(destinations)) {
        let factors = (component.horizontal << 4 | component.vertical) as u8;
        frame.extend([id, factors, destination]);
        scan.extend([id, if id == 1 { 0x00 } else { 0x11 }]);
    }
    scan.extend([0, 63, 0]);
    write_segment(out, markers::SOF0, &frame);
    write_segment(out, markers::SOS, &scan);
}

//! Marker codes (T.81 table B.1), and how marker segments are written.

pub const SOF0: u8 = 0xC0;
pub const SOF2: u8 = 0xC2;
pub const DHT: u8 = 0xC4;
pub const RST0: u8 = 0xD0;
pub const SOI: u8 = 0xD8;
pub const EOI: u8 = 0xD9;
pub const SOS: u8 = 0xDA;
pub const DQT: u8 = 0xDB;
pub const DNL: u8 = 0xDC;
pub const DRI: u8 = 0xDD;
pub const APP0: u8 = 0xE0;
pub const APP1: u8 = 0xE1;
pub const APP10: u8 = 0xEA;
pub const APP14: u8 = 0xEE;
pub const COM: u8 = 0xFE;

/// Append a marker that stands alone.
pub fn write_marker(out: &mut Vec<u8>, marker: u8) {
    out.extend([0xFF, marker]);
}

/// Append a marker segment: its marker, its length and its body (T.81 B.1.1.4).
pub fn write_segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    write_marker(out, marker);
    out.extend(((body.len() + 2) as u16).to_be_bytes());
    out.extend(body);
}

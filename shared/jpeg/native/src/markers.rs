//! Marker codes (T.81 table B.1), how segments are written, and what reading them may cost.

use crate::error::{Error, Result};

pub const SOF0: u8 = 0xC0;
pub const SOF1: u8 = 0xC1;
pub const DHT: u8 = 0xC4;
pub const RST0: u8 = 0xD0;
pub const SOI: u8 = 0xD8;
pub const EOI: u8 = 0xD9;
pub const SOS: u8 = 0xDA;
pub const DQT: u8 = 0xDB;
pub const DNL: u8 = 0xDC;
pub const DRI: u8 = 0xDD;
pub const APP0: u8 = 0xE0;
pub const APP10: u8 = 0xEA;
pub const APP14: u8 = 0xEE;
pub const COM: u8 = 0xFE;

pub fn write_marker(out: &mut Vec<u8>, marker: u8) {
    out.extend([0xFF, marker]);
}

/// Marker, length, body.
pub fn write_segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    write_marker(out, marker);
    out.extend(((body.len() + 2) as u16).to_be_bytes());
    out.extend(body);
}

/// What a stream may cost, checked before anything is allocated.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub bytes: u64,
    pub pixels: u64,
    pub side: u64,
    pub scans: u64,
    pub markers: u64,
    /// Restart markers a scan.
    pub restarts: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            pixels: 16 << 20,
            side: 65500,
            scans: 3,
            markers: 1000,
            restarts: 1 << 16,
        }
    }
}

impl Limits {
    pub fn require(name: &str, limit: u64, actual: u64) -> Result<()> {
        if actual > limit {
            Err(Error::over_limit(name, limit, actual))
        } else {
            Ok(())
        }
    }
}

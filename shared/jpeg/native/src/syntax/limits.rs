//! What reading a stream may cost.

use crate::error::{Error, Result};

/// The most of each that a stream may have, checked before anything is allocated.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub bytes: u64,
    pub pixels: u64,
    pub side: u64,
    pub scans: u64,
    pub markers: u64,
    /// Restart markers in one scan.
    pub restarts: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            pixels: 16 << 20,
            side: 65500,
            scans: 64,
            markers: 1000,
            restarts: 1 << 16,
        }
    }
}

impl Limits {
    /// Refuse `actual` where it is above the limit of that name.
    pub fn require(name: &str, limit: u64, actual: u64) -> Result<()> {
        if actual > limit {
            Err(Error::over_limit(name, limit, actual))
        } else {
            Ok(())
        }
    }
}

//! Which bits of which coefficients the scans of a frame have brought (T.81 G.1.1.1).

use crate::error::{Error, Result};
use crate::geometry::block::BLOCK_AREA;
use crate::syntax::scan_header::{ScanHeader, Span};

/// The lowest bit (Al) of each coefficient that a scan has brought, by component of the frame and zig-zag position;
/// `None` where no scan has had the coefficient.
pub struct Progression([[Option<u8>; BLOCK_AREA]; 3]);

impl Progression {
    pub const NONE: Self = Self([[None; BLOCK_AREA]; 3]);

    /// Note what a scan brings. Each bit comes once, the higher before the lower, and DC before AC.
    pub fn add(&mut self, scan: &ScanHeader) -> Result<()> {
        let Span {
            start,
            end,
            high,
            low,
        } = scan.span;
        for component in scan.components() {
            let lowest = &mut self.0[component.index];
            if start > 0 && lowest[0].is_none() {
                return Err(Error::corrupt(
                    scan.start,
                    "AC coefficients before the DC coefficient",
                ));
            }
            let band = &mut lowest[start..=end];
            if scan.span.is_first() && band.iter().any(Option::is_some) {
                return Err(Error::corrupt(scan.start, "a component is scanned twice"));
            }
            if !scan.span.is_first() && band.iter().any(|&lowest| lowest != Some(high)) {
                return Err(Error::corrupt(
                    scan.start,
                    "a scan refines bits that do not come next",
                ));
            }
            band.fill(Some(low));
        }
        Ok(())
    }

    /// Refuse a frame of so many components, whose data end at offset `at`, that lacks a bit of a coefficient.
    pub fn require_whole(&self, components: usize, at: usize) -> Result<()> {
        let lowest = &self.0[..components];
        if lowest.iter().any(|lowest| lowest[0].is_none()) {
            return Err(Error::corrupt(at, "a component has no scan"));
        }
        if lowest.iter().flatten().any(|&lowest| lowest != Some(0)) {
            return Err(Error::corrupt(
                at,
                "the progression is not whole: scans that bring the last bits are missing",
            ));
        }
        Ok(())
    }
}

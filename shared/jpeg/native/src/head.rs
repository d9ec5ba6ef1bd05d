//! Everything before a frame's scan, read once for all frames that begin alike.

use crate::layout::BLOCK_AREA;
use crate::markers::Limits;
use crate::pairs::{places, Place, SharedScan};
use crate::quant::QuantTable;
use crate::scan_decode::ScanPlan;
use crate::stream::require_bytes;
use crate::tables::TablesId;

/// All bytes up to the entropy-coded ones, and what they came to.
pub struct Head {
    bytes: Vec<u8>,
    pub plan: ScanPlan,
    pub decoded: Decoded,
    /// Where the blocks of frames go that are decoded two at a time, once there were such frames.
    places: Option<Vec<Place>>,
}

impl Head {
    /// Longer ones are read anew: what one frame made us remember would stay as long as its decoder.
    pub const MOST_BYTES: usize = 1 << 12;

    /// The head of a frame whose only scan is as planned.
    pub fn new(bytes: &[u8], plan: ScanPlan, decoded: Decoded) -> Self {
        Self {
            bytes: bytes.to_vec(),
            plan,
            decoded,
            places: None,
        }
    }

    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Whether a frame begins with these very bytes, so that reading them again would end like this.
    pub fn is_of(&self, data: &[u8], limits: &Limits) -> bool {
        data.starts_with(&self.bytes)
            && data.len() as u64 <= limits.bytes
            && require_bytes(&self.plan.layout, self.bytes.len(), data.len()).is_ok()
    }

    /// The scan for two at a time; `None` where it is not of the kind that is read so.
    pub fn shared_scan(&mut self) -> Option<SharedScan<'_>> {
        if self.places.is_none() {
            self.places = places(&self.plan);
        }
        Some(SharedScan {
            start: self.bytes.len(),
            parts: self.plan.parts[..].try_into().ok()?,
            places: self.places.as_ref()?,
        })
    }
}

/// What a decoded frame was.
#[derive(Clone, Copy, Debug)]
pub struct Decoded {
    quant: [QuantTable; 3],
    components: usize,
    pub tables_id: Option<TablesId>,
}

impl Decoded {
    pub fn new(quant: [Option<QuantTable>; 3], components: usize, tables_id: Option<TablesId>) -> Self {
        Self {
            quant: quant.map(|table| table.unwrap_or([0; BLOCK_AREA])),
            components,
            tables_id,
        }
    }

    /// The steps of each component.
    pub fn quant(&self) -> &[QuantTable] {
        &self.quant[..self.components]
    }
}

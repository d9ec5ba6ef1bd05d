//! The prefix: all of a frame before its scan, read once for all frames that begin with the same bytes.

use crate::decoding::paired::shared_scan::SharedScan;
use crate::decoding::paired::slot::{slots, Slot};
use crate::decoding::scan_plan::ScanPlan;
use crate::geometry::block::BLOCK_AREA;
use crate::syntax::limits::Limits;
use crate::syntax::scan_header::{require_bytes, SEQUENTIAL_BLOCK_BITS};
use crate::tables::quantisation::QuantTable;
use crate::tables_id::TablesId;

/// The bytes of a prefix, and what reading them gave.
pub struct Prefix {
    bytes: Vec<u8>,
    pub plan: ScanPlan,
    pub decoded: Decoded,
    /// Where the blocks go of frames that are decoded two at a time; made when there are such frames.
    slots: Option<Vec<Slot>>,
}

impl Prefix {
    /// A longer prefix is not kept: it would take memory for as long as the decoder lives.
    pub const MOST_BYTES: usize = 1 << 12;

    /// The prefix of a frame whose only scan is decoded by `plan`.
    pub fn new(bytes: &[u8], plan: ScanPlan, decoded: Decoded) -> Self {
        Self {
            bytes: bytes.to_vec(),
            plan,
            decoded,
            slots: None,
        }
    }

    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Whether a frame begins with this prefix, so that reading its markers would give the same.
    pub fn is_of(&self, data: &[u8], limits: &Limits) -> bool {
        data.starts_with(&self.bytes)
            && data.len() as u64 <= limits.bytes
            && require_bytes(
                &self.plan.layout,
                SEQUENTIAL_BLOCK_BITS,
                self.bytes.len(),
                data.len(),
            )
            .is_ok()
    }

    /// The scan to decode frames two at a time by; `None` where it is not of the kind that allows it.
    pub fn shared_scan(&mut self) -> Option<SharedScan<'_>> {
        if self.slots.is_none() {
            self.slots = slots(&self.plan);
        }
        Some(SharedScan {
            start: self.bytes.len(),
            components: self.plan.components[..].try_into().ok()?,
            slots: self.slots.as_ref()?,
        })
    }
}

/// What a decoded frame said of its tables.
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

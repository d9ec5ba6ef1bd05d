//! Tables where scans look for them, and those derived lately.

use std::sync::{Arc, RwLock};

use crate::decode_table::DecodeTable;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::huffman::{Class, Spec};
use crate::quant::QuantTable;
use crate::stream::{Scan, ScanComponent, Stream};
use crate::tables::{TableSet, TablesId};

/// DC and AC table of a component.
pub type Pair = (Arc<DecodeTable>, Arc<DecodeTable>);

/// The tables abbreviated frames refer to, each in the slot its canonical stream would put it.
pub struct Known {
    pub id: TablesId,
    pub set: TableSet,
    pub slots: Slots,
}

impl Known {
    pub fn new(set: TableSet, id: TablesId) -> Self {
        let mut slots = Slots::default();
        for (table, slot) in set.quant.iter().zip(set.quant_slots()) {
            slots.quant[usize::from(slot)] = Some(*table);
        }
        for (slot, pair) in set.huffman.chunks_exact(2).enumerate() {
            slots.dc[slot] = Some(Arc::new(DecodeTable::new(&pair[0], Class::Dc)));
            slots.ac[slot] = Some(Arc::new(DecodeTable::new(&pair[1], Class::Ac)));
        }
        Self { id, set, slots }
    }
}

#[derive(Default)]
pub struct Slots {
    quant: [Option<QuantTable>; 4],
    dc: [Option<Arc<DecodeTable>>; 4],
    ac: [Option<Arc<DecodeTable>>; 4],
}

impl Slots {
    /// What the stream defined and this scan uses.
    pub fn of_scan(
        stream: &Stream<'_>,
        scan: &Scan,
        derive: impl Fn(&Spec, Class) -> Arc<DecodeTable>,
    ) -> Self {
        let mut slots = Self {
            quant: stream.quant,
            ..Self::default()
        };
        for component in scan.components() {
            let (dc, ac) = (component.dc_slot, component.ac_slot);
            slots.dc[dc] = stream.dc[dc].as_ref().map(|spec| derive(spec, Class::Dc));
            slots.ac[ac] = stream.ac[ac].as_ref().map(|spec| derive(spec, Class::Ac));
        }
        slots
    }

    /// The Huffman tables and the steps of a component.
    pub fn of_component(
        &self,
        frame: &Frame,
        scanned: &ScanComponent,
        at: usize,
    ) -> Result<(Pair, QuantTable)> {
        let missing = |what: &str, slot: usize| {
            Error::corrupt(
                at,
                format!("the scan uses {what} table {slot}, which the stream does not define"),
            )
        };
        let quant_slot = frame.components()[scanned.index].quant_slot;
        let dc = self.dc[scanned.dc_slot].as_ref();
        let ac = self.ac[scanned.ac_slot].as_ref();
        let tables = (
            Arc::clone(dc.ok_or_else(|| missing("DC Huffman", scanned.dc_slot))?),
            Arc::clone(ac.ok_or_else(|| missing("AC Huffman", scanned.ac_slot))?),
        );
        let quant = self.quant[quant_slot].ok_or_else(|| missing("quantisation", quant_slot))?;
        Ok((tables, quant))
    }

    pub fn find(&self, spec: &Spec, class: Class) -> Option<Arc<DecodeTable>> {
        let mut tables = self.dc.iter().chain(&self.ac).flatten();
        tables.find(|table| table.is_of(spec, class)).cloned()
    }
}

/// The tables derived last, for streams that bring the same ones again and again.
///
/// Nobody waits here: a process forked while another thread has the lock would wait for ever.
#[derive(Default)]
pub struct Recent {
    tables: RwLock<Vec<Arc<DecodeTable>>>,
}

impl Recent {
    /// Enough for two streams of four tables each.
    const KEPT: usize = 8;

    /// The table of `spec`, derived where it is none of the last, or none can be looked at.
    pub fn table(&self, spec: &Spec, class: Class) -> Arc<DecodeTable> {
        self.found(spec, class).unwrap_or_else(|| {
            let derived = Arc::new(DecodeTable::new(spec, class));
            if let Ok(mut tables) = self.tables.try_write() {
                tables.truncate(Self::KEPT - 1);
                tables.insert(0, Arc::clone(&derived));
            }
            derived
        })
    }

    fn found(&self, spec: &Spec, class: Class) -> Option<Arc<DecodeTable>> {
        let tables = self.tables.try_read().ok()?;
        tables.iter().find(|table| table.is_of(spec, class)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Sampling;
    use crate::tables::tests::some_tables;

    #[test]
    fn a_table_is_derived_once_and_again_where_a_lock_stays_taken() {
        let recent = Recent::default();
        let spec = some_tables(Sampling::Grey, &[1]).huffman[0];
        let first = recent.table(&spec, Class::Dc);
        assert!(Arc::ptr_eq(&first, &recent.table(&spec, Class::Dc)));
        let _taken = recent.tables.write();
        assert!(recent.table(&spec, Class::Dc).is_of(&spec, Class::Dc));
    }
}

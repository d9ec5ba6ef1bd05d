//! The tables of a scan, each in the destination that headers name it by (T.81 B.2.4).

use std::sync::Arc;

use crate::entropy::decode_table::DecodeTable;
use crate::error::{Error, Result};
use crate::syntax::frame_header::Frame;
use crate::syntax::scan_header::{ScanHeader, SelectedComponent};
use crate::syntax::stream::Stream;
use crate::tables::huffman::{Class, Spec};
use crate::tables::quantisation::QuantTable;
use crate::tables::table_set::TableSet;
use crate::tables_id::TablesId;

/// The DC and the AC table of a component.
pub type Pair = (Arc<DecodeTable>, Arc<DecodeTable>);

/// The tables that abbreviated frames are decoded by, each in the destination where its tables-only stream puts it.
pub struct Known {
    pub id: TablesId,
    pub set: TableSet,
    pub destinations: Destinations,
}

impl Known {
    pub fn new(set: TableSet, id: TablesId) -> Self {
        let mut destinations = Destinations::default();
        for (table, destination) in set.quant.iter().zip(set.quant_destinations()) {
            destinations.quant[usize::from(destination)] = Some(*table);
        }
        for (destination, pair) in set.huffman.chunks_exact(2).enumerate() {
            destinations.dc[destination] = Some(Arc::new(DecodeTable::new(&pair[0], Class::Dc)));
            destinations.ac[destination] = Some(Arc::new(DecodeTable::new(&pair[1], Class::Ac)));
        }
        Self {
            id,
            set,
            destinations,
        }
    }
}

/// Tables by destination.
#[derive(Default)]
pub struct Destinations {
    quant: [Option<QuantTable>; 4],
    dc: [Option<Arc<DecodeTable>>; 4],
    ac: [Option<Arc<DecodeTable>>; 4],
}

impl Destinations {
    /// The tables that this scan uses, the stream's own or those of annex K that it may leave out.
    pub fn of_scan(
        stream: &Stream<'_>,
        scan: &ScanHeader,
        derive: impl Fn(&Spec, Class) -> Arc<DecodeTable>,
    ) -> Self {
        let mut destinations = Self {
            quant: stream.tables.quant,
            ..Self::default()
        };
        for component in scan.components() {
            let (dc, ac) = (component.dc_destination, component.ac_destination);
            destinations.dc[dc] = stream.huffman(Class::Dc, dc).map(|spec| derive(spec, Class::Dc));
            destinations.ac[ac] = stream.huffman(Class::Ac, ac).map(|spec| derive(spec, Class::Ac));
        }
        destinations
    }

    /// The Huffman tables and the steps of a component of the scan.
    pub fn of_component(
        &self,
        frame: &Frame,
        scanned: &SelectedComponent,
        at: usize,
    ) -> Result<(Pair, QuantTable)> {
        let missing = |what: &str, destination: usize| {
            Error::corrupt(
                at,
                format!("the scan uses {what} table {destination}, which the stream does not define"),
            )
        };
        let quant_destination = frame.components()[scanned.index].quant_destination;
        let dc = self.dc[scanned.dc_destination].as_ref();
        let ac = self.ac[scanned.ac_destination].as_ref();
        let tables = (
            Arc::clone(dc.ok_or_else(|| missing("DC Huffman", scanned.dc_destination))?),
            Arc::clone(ac.ok_or_else(|| missing("AC Huffman", scanned.ac_destination))?),
        );
        let quant =
            self.quant[quant_destination].ok_or_else(|| missing("quantisation", quant_destination))?;
        Ok((tables, quant))
    }

    /// The table derived from `spec`, if it is among these.
    pub fn find(&self, spec: &Spec, class: Class) -> Option<Arc<DecodeTable>> {
        let mut tables = self.dc.iter().chain(&self.ac).flatten();
        tables.find(|table| table.is_of(spec, class)).cloned()
    }
}

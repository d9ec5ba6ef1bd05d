//! What a frame's markers say, nothing decoded.

use crate::error::{Error, Result};
use crate::frame::{Component, Frame};
use crate::layout::Layout;
use crate::markers::Limits;
use crate::quant::QuantTable;
use crate::stream::{Scan, Stop, Stream};
use crate::tables::TablesId;

/// What a frame's markers say.
#[derive(Clone, Debug)]
pub struct FrameInfo {
    pub layout: Layout,
    pub is_abbreviated: bool,
    pub tables_id: Option<TablesId>,
    pub quant: Option<Vec<QuantTable>>,
    pub scan_bytes: usize,
}

/// Read all markers, no entropy-coded data.
pub fn inspect(data: &[u8], limits: Limits) -> Result<FrameInfo> {
    let mut stream = Stream::new(data, limits)?;
    let mut scan_bytes = 0;
    let mut quant = [None; 3];
    let mut is_scanned = [false; 3];
    let mut tables_id = None;
    while let Stop::Scan(scan) = stream.next_stop()? {
        let end = stream.scan_end(scan.start)?;
        scan_bytes += end - scan.start;
        let frame = require_frame(&stream, end)?;
        for component in scan.components() {
            quant[component.index] = stream.quant[frame.components()[component.index].quant_slot];
            if std::mem::replace(&mut is_scanned[component.index], true) {
                return Err(scanned_twice(scan.start));
            }
        }
        if stream.has_tables {
            require_tables(&stream, &scan, frame.components())?;
        }
        stream.resume_at(end);
        // What stands behind the last scan is not what the frame is decoded by.
        tables_id = stream.tables_id;
    }
    let frame = require_frame(&stream, data.len())?;
    let components = frame.layout.components().len();
    let quant = quant[..components].iter().copied().collect::<Option<Vec<_>>>();
    if is_scanned[..components].contains(&false) {
        return Err(not_scanned(data.len()));
    }
    Ok(FrameInfo {
        layout: frame.layout,
        is_abbreviated: quant.is_none(),
        tables_id,
        quant,
        scan_bytes,
    })
}

pub fn require_frame(stream: &Stream<'_>, at: usize) -> Result<Frame> {
    stream
        .frame
        .ok_or_else(|| Error::corrupt(at, "there is no frame (SOF)"))
}

pub fn scanned_twice(at: usize) -> Error {
    Error::corrupt(at, "a component is scanned twice")
}

pub fn not_scanned(at: usize) -> Error {
    Error::corrupt(at, "a component has no scan")
}

fn require_tables(stream: &Stream<'_>, scan: &Scan, components: &[Component]) -> Result<()> {
    let has_all = scan.components().iter().all(|scanned| {
        stream.dc[scanned.dc_slot].is_some()
            && stream.ac[scanned.ac_slot].is_some()
            && stream.quant[components[scanned.index].quant_slot].is_some()
    });
    if has_all {
        Ok(())
    } else {
        Err(Error::corrupt(
            scan.start,
            "the scan uses a table (DQT or DHT) that the stream does not define",
        ))
    }
}

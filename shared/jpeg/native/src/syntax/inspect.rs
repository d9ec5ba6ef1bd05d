//! What a frame's markers say, read without decoding its scans.

use crate::error::{Error, Result};
use crate::geometry::layout::Layout;
use crate::syntax::frame_header::Component;
use crate::syntax::limits::Limits;
use crate::syntax::scan_header::ScanHeader;
use crate::syntax::stream::{Stop, Stream};
use crate::tables::huffman::Class;
use crate::tables::quantisation::QuantTable;
use crate::tables_id::TablesId;

/// What a frame's markers say.
#[derive(Clone, Debug)]
pub struct FrameInfo {
    pub layout: Layout,
    pub is_abbreviated: bool,
    pub tables_id: Option<TablesId>,
    pub quant: Option<Vec<QuantTable>>,
    pub scan_bytes: usize,
    pub orientation: u8,
}

/// Read all markers of a frame, but none of its entropy-coded data: whether a scan is whole, only decoding tells.
pub fn inspect(data: &[u8], limits: Limits) -> Result<FrameInfo> {
    let mut stream = Stream::new(data, limits)?;
    let mut scan_bytes = 0;
    let mut quant = [None; 3];
    let mut tables_id = None;
    while let Stop::Scan(scan) = stream.next_stop()? {
        let end = stream.scan_end(scan.start);
        scan_bytes += end - scan.start;
        let frame = stream.require_frame(end)?;
        for component in scan.components() {
            let destination = frame.components()[component.index].quant_destination;
            quant[component.index] = quant[component.index].or(stream.tables.quant[destination]);
        }
        if stream.tables.are_any || frame.is_progressive {
            require_tables(&stream, &scan, frame.components())?;
        }
        stream.resume_at(end);
        // A tables id behind the last scan comes too late to name the tables that the frame is decoded by.
        tables_id = stream.tables_id;
    }
    let frame = stream.require_whole(data.len())?;
    let components = frame.layout.components().len();
    let quant = quant[..components].iter().copied().collect::<Option<Vec<_>>>();
    Ok(FrameInfo {
        layout: frame.layout,
        is_abbreviated: quant.is_none(),
        tables_id,
        quant,
        scan_bytes,
        orientation: stream.orientation(),
    })
}

fn require_tables(stream: &Stream<'_>, scan: &ScanHeader, components: &[Component]) -> Result<()> {
    let is_there =
        |class, destination| !scan.has_codes(class) || stream.huffman(class, destination).is_some();
    let has_all = scan.components().iter().all(|scanned| {
        is_there(Class::Dc, scanned.dc_destination)
            && is_there(Class::Ac, scanned.ac_destination)
            && stream.tables.quant[components[scanned.index].quant_destination].is_some()
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

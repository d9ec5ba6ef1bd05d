//! A progressive frame: scan by scan into blocks, then as a whole into planes (T.81 G.2).

use crate::decoding::coefficient::{Coefficient, Plane};
use crate::decoding::prefix::Decoded;
use crate::decoding::progressive::band::BandScan;
use crate::decoding::progressive::blocks::Blocks;
use crate::decoding::progressive::dc::DcScan;
use crate::decoding::segments::each_segment;
use crate::entropy::code_table::CodeTable;
use crate::entropy::segment::Segment;
use crate::error::{Error, Result};
use crate::geometry::layout::ComponentLayout;
use crate::syntax::frame_header::Frame;
use crate::syntax::scan_header::ScanHeader;
use crate::syntax::stream::{Stop, Stream};
use crate::tables::huffman::Class;
use crate::tables::quantisation::QuantTable;

/// Decode a frame whose markers are read up to its first scan. The planes are written when all scans are decoded.
pub fn decode_frame<T: Coefficient>(
    data: &[u8],
    stream: &mut Stream<'_>,
    (frame, first): (&Frame, ScanHeader),
    planes: &mut [Plane<'_, T>],
    segment: &mut Segment,
) -> Result<Decoded> {
    let areas = frame.layout.components().iter().map(ComponentLayout::area);
    let mut blocks: Vec<Blocks> = areas.map(Blocks::new).collect();
    let mut quant = [None; 3];
    let (mut stop, mut tables_id) = (Stop::Scan(first), None);
    while let Stop::Scan(scan) = stop {
        keep_steps(stream, frame, &scan, &mut quant)?;
        let end = decode_scan(data, stream, frame, scan, &mut blocks, segment)?;
        stream.resume_at(end);
        // A tables id behind the last scan comes too late, as in sequential frames.
        tables_id = stream.tables_id;
        stop = stream.next_stop()?;
    }
    stream.require_whole(data.len())?;
    let decoded = Decoded::new(quant, blocks.len(), tables_id);
    for ((blocks, plane), quant) in blocks.iter().zip(planes).zip(decoded.quant()) {
        blocks.write_to(plane.data, quant);
    }
    Ok(decoded)
}

/// Keep the steps of components that are scanned for the first time: later tables are others' (T.81 B.2.4.1).
fn keep_steps(
    stream: &Stream<'_>,
    frame: &Frame,
    scan: &ScanHeader,
    quant: &mut [Option<QuantTable>; 3],
) -> Result<()> {
    for selected in scan.components() {
        let destination = frame.components()[selected.index].quant_destination;
        let steps = quant[selected.index].or(stream.tables.quant[destination]);
        quant[selected.index] = Some(steps.ok_or_else(|| missing(scan, "quantisation", destination))?);
    }
    Ok(())
}

/// Decode a scan into the blocks; the offset of what stands behind it.
fn decode_scan(
    data: &[u8],
    stream: &Stream<'_>,
    frame: &Frame,
    scan: ScanHeader,
    blocks: &mut [Blocks],
    segment: &mut Segment,
) -> Result<usize> {
    let (rows, columns) = scan.mcu_grid(&frame.layout);
    let intervals = (rows * columns, stream.restart_interval);
    let table = |class, destination| {
        let spec = stream.huffman(class, destination);
        spec.map(CodeTable::new)
            .ok_or_else(|| missing(&scan, "Huffman", destination))
    };
    if scan.span.start == 0 {
        let used = scan.components().iter().filter(|_| scan.span.is_first());
        let tables = used.map(|selected| table(Class::Dc, selected.dc_destination));
        let dc = DcScan {
            layout: frame.layout,
            header: scan,
            tables: tables.collect::<Result<_>>()?,
        };
        return each_segment(data, scan.start, intervals, segment, |segment, mcus| {
            dc.decode_segment(data, segment, mcus, blocks)
        });
    }
    let selected = scan.components()[0];
    let band = BandScan {
        span: scan.span,
        table: table(Class::Ac, selected.ac_destination)?,
    };
    each_segment(data, scan.start, intervals, segment, |segment, mcus| {
        band.decode_segment(data, segment, mcus, &mut blocks[selected.index])
    })
}

fn missing(scan: &ScanHeader, what: &str, destination: usize) -> Error {
    Error::corrupt(
        scan.start,
        format!("the scan uses {what} table {destination}, which the stream does not define"),
    )
}

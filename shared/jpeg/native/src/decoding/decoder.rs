//! From a stream to its coefficients. A stream is decoded whole or refused.

use std::sync::Arc;

use crate::decoding::coefficient::{Coefficient, Plane};
use crate::decoding::destinations::{Destinations, Known};
use crate::decoding::prefix::{Decoded, Prefix};
use crate::decoding::progressive::frame::decode_frame;
use crate::decoding::recent::RecentTables;
use crate::decoding::scan_component::ScanComponent;
use crate::decoding::scan_plan::ScanPlan;
use crate::decoding::segments::is_end_of_image;
use crate::entropy::decode_table::DecodeTable;
use crate::entropy::segment::Segment;
use crate::error::{Error, Result};
use crate::geometry::layout::Layout;
use crate::syntax::frame_header::Frame;
use crate::syntax::limits::Limits;
use crate::syntax::scan_header::ScanHeader;
use crate::syntax::stream::{Stop, Stream};
use crate::tables::huffman::{Class, Spec};
use crate::tables::quantisation::QuantTable;
use crate::tables::table_set::TableSet;
use crate::tables_id::TablesId;

/// Decodes frames. What its tables need is derived once.
pub struct Decoder {
    pub(super) limits: Limits,
    pub(super) known: Option<Known>,
    recent: RecentTables,
}

/// What a frame says before its first scan.
pub struct Probed {
    /// What the planes for `Decoder::decode` are allocated by.
    pub layout: Layout,
    /// How the picture must be turned to stand upright: 1 to 8, as in Exif.
    pub orientation: u8,
}

/// What decoding a frame leaves for the next one: memory, and the prefix that the next one will probably have too.
#[derive(Default)]
pub struct Workspace {
    pub(super) segments: [Segment; 2],
    pub(crate) prefix: Option<Prefix>,
}

impl Decoder {
    pub fn new(tables: Option<(TableSet, TablesId)>, limits: Limits) -> Self {
        Self {
            limits,
            known: tables.map(|(set, id)| Known::new(set, id)),
            recent: RecentTables::default(),
        }
    }

    /// What a frame says up to its first scan.
    pub fn probe(&self, data: &[u8]) -> Result<Probed> {
        let mut stream = Stream::new(data, self.limits)?;
        let stop = stream.next_stop()?;
        let frame = stream.require_frame(data.len())?;
        match stop {
            Stop::Scan(_) => Ok(Probed {
                layout: frame.layout,
                orientation: stream.orientation(),
            }),
            // Without a scan there are no bytes that the size could be held against.
            Stop::End => Err(Error::corrupt(data.len(), "a component has no scan")),
        }
    }

    /// Decode into planes that hold zeros and fit the frame's layout. `require` may refuse the layout before anything
    /// is written.
    pub fn decode<T: Coefficient>(
        &self,
        data: &[u8],
        planes: &mut [Plane<'_, T>],
        workspace: &mut Workspace,
        require: impl Fn(&Layout) -> Result<()>,
    ) -> Result<Decoded> {
        if let Some(prefix) = workspace
            .prefix
            .as_ref()
            .filter(|prefix| prefix.is_of(data, &self.limits))
        {
            require(&prefix.plan.layout)?;
            let end = prefix
                .plan
                .decode(data, prefix.length(), planes, &mut workspace.segments[0])?;
            if is_end_of_image(&data[end..]) {
                return Ok(prefix.decoded);
            }
        }
        self.decode_by_markers(data, planes, workspace, require)
    }

    /// Decode a frame whose markers must be read first.
    fn decode_by_markers<T: Coefficient>(
        &self,
        data: &[u8],
        planes: &mut [Plane<'_, T>],
        workspace: &mut Workspace,
        require: impl Fn(&Layout) -> Result<()>,
    ) -> Result<Decoded> {
        let mut stream = Stream::new(data, self.limits)?;
        let mut quant = [None; 3];
        let (mut first, mut tables_id) = (None, None);
        while let Stop::Scan(scan) = stream.next_stop()? {
            let frame = stream.require_frame(scan.start)?;
            require(&frame.layout)?;
            if frame.is_progressive {
                let segment = &mut workspace.segments[0];
                return decode_frame(data, &mut stream, (&frame, scan), planes, segment);
            }
            let plan = self.plan(&stream, &scan, &frame, &mut quant)?;
            let end = plan.decode(data, scan.start, planes, &mut workspace.segments[0])?;
            stream.resume_at(end);
            // A tables id behind the last scan comes too late, and is no part of the prefix.
            tables_id = stream.tables_id;
            first.get_or_insert((scan.start, plan));
        }
        let components = stream.require_whole(data.len())?.components().len();
        let decoded = Decoded::new(quant, components, tables_id);
        workspace.prefix = first
            .filter(|(start, plan)| plan.components.len() == components && *start <= Prefix::MOST_BYTES)
            .map(|(start, plan)| Prefix::new(&data[..start], plan, decoded));
        Ok(decoded)
    }

    /// What decoding this scan takes. The steps of its components are written to `quant`.
    fn plan(
        &self,
        stream: &Stream<'_>,
        scan: &ScanHeader,
        frame: &Frame,
        quant: &mut [Option<QuantTable>; 3],
    ) -> Result<ScanPlan> {
        let own;
        let destinations = if stream.tables.are_any {
            own = Destinations::of_scan(stream, scan, |spec, class| self.table(spec, class));
            &own
        } else {
            &self.known_for(stream, frame)?.destinations
        };
        let mut components = Vec::with_capacity(3);
        for selected in scan.components() {
            let (tables, steps) = destinations.of_component(frame, selected, scan.start)?;
            quant[selected.index] = Some(steps);
            components.push(ScanComponent::new(selected.index, &frame.layout, tables, &steps));
        }
        Ok(ScanPlan {
            layout: frame.layout,
            components,
            restart_interval: stream.restart_interval,
        })
    }

    /// The decoding table of `spec`, one of the decoder's own where it has such a one.
    fn table(&self, spec: &Spec, class: Class) -> Arc<DecodeTable> {
        let known = self
            .known
            .as_ref()
            .and_then(|known| known.destinations.find(spec, class));
        known.unwrap_or_else(|| self.recent.table(spec, class))
    }

    /// The decoder's tables, which must be those that this abbreviated frame was coded with.
    fn known_for(&self, stream: &Stream<'_>, frame: &Frame) -> Result<&Known> {
        let known = self.known.as_ref().ok_or_else(|| {
            Error::unknown_tables(
                stream.tables_id,
                "the frame is abbreviated, and the decoder has no tables",
            )
        })?;
        match stream.tables_id {
            Some(id) if id != known.id => Err(Error::unknown_tables(
                Some(id),
                "the frame was coded with other tables than the decoder's",
            )),
            id if frame.layout.sampling != known.set.sampling => Err(Error::unknown_tables(
                id,
                "the frame's sampling is not that of the tables",
            )),
            _ => Ok(known),
        }
    }
}

//! From a stream to its coefficients: tables looked up, scans decoded, nothing accepted half.

use std::sync::Arc;

use crate::batch::{Geometry, Row};
use crate::decode_table::DecodeTable;
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::head::{Decoded, Head};
use crate::huffman::{Class, Spec};
use crate::inspect::{not_scanned, require_frame, scanned_twice};
use crate::layout::{ComponentLayout, Layout, BLOCK_AREA};
use crate::markers::{Limits, EOI};
use crate::quant::QuantTable;
use crate::resample::Resample;
use crate::scan_decode::{Coefficient, Part, Plane, ScanPlan};
use crate::segment::Segment;
use crate::slots::{Known, Recent, Slots};
use crate::stream::{Scan, Stop, Stream};
use crate::tables::{TableSet, TablesId};

/// Decodes frames; what tables need is derived once.
pub struct Decoder {
    limits: Limits,
    known: Option<Known>,
    recent: Recent,
}

/// What decoding a frame leaves for the next one: memory, and the head it will probably have too.
#[derive(Default)]
pub struct Workspace {
    segments: [Segment; 2],
    head: Option<Head>,
}

impl Decoder {
    pub fn new(tables: Option<(TableSet, TablesId)>, limits: Limits) -> Self {
        Self {
            limits,
            known: tables.map(|(set, id)| Known::new(set, id)),
            recent: Recent::default(),
        }
    }

    /// Size of the frame, read up to its first scan: enough to allocate for `decode`.
    pub fn probe(&self, data: &[u8]) -> Result<Layout> {
        let mut stream = Stream::new(data, self.limits)?;
        let stop = stream.next_stop()?;
        let frame = require_frame(&stream, data.len())?;
        match stop {
            Stop::Scan(_) => Ok(frame.layout),
            // Only a scan's bytes vouch for the size.
            Stop::End => Err(not_scanned(data.len())),
        }
    }

    /// Decode into planes that hold zeros and have the frame's layout, which `require` sees before anything is
    /// written.
    pub fn decode<T: Coefficient>(
        &self,
        data: &[u8],
        planes: &mut [Plane<'_, T>],
        workspace: &mut Workspace,
        require: impl Fn(&Layout) -> Result<()>,
    ) -> Result<Decoded> {
        if let Some(head) = workspace
            .head
            .as_ref()
            .filter(|head| head.is_of(data, &self.limits))
        {
            require(&head.plan.layout)?;
            let end = head
                .plan
                .decode(data, head.length(), planes, &mut workspace.segments[0])?;
            if data[end..].starts_with(&[0xFF, EOI]) {
                return Ok(head.decoded);
            }
        }
        self.decode_by_markers(data, planes, workspace, require)
    }

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
            let frame = require_frame(&stream, scan.start)?;
            require(&frame.layout)?;
            let plan = self.plan(&stream, &scan, &frame, &mut quant)?;
            let end = plan.decode(data, scan.start, planes, &mut workspace.segments[0])?;
            stream.resume_at(end);
            // What stands behind the last scan names nothing, nor may it be remembered with the head.
            tables_id = stream.tables_id;
            first.get_or_insert((scan.start, plan));
        }
        let layout = require_frame(&stream, data.len())?.layout;
        let components = layout.components().len();
        if quant[..components].contains(&None) {
            return Err(not_scanned(data.len()));
        }
        let decoded = Decoded::new(quant, components, tables_id);
        workspace.head = first
            .filter(|(start, plan)| plan.parts.len() == components && *start <= Head::MOST_BYTES)
            .map(|(start, plan)| Head::new(&data[..start], plan, decoded));
        Ok(decoded)
    }

    /// What reading this scan takes; its components' steps go to `quant`.
    fn plan(
        &self,
        stream: &Stream<'_>,
        scan: &Scan,
        frame: &Frame,
        quant: &mut [Option<QuantTable>; 3],
    ) -> Result<ScanPlan> {
        let own;
        let slots = if stream.has_tables {
            own = Slots::of_scan(stream, scan, |spec, class| self.table(spec, class));
            &own
        } else {
            &self.known_for(stream, frame)?.slots
        };
        let mut parts = Vec::with_capacity(3);
        for component in scan.components() {
            if quant[component.index].is_some() {
                return Err(scanned_twice(scan.start));
            }
            let (tables, steps) = slots.of_component(frame, component, scan.start)?;
            quant[component.index] = Some(steps);
            parts.push(Part::new(component.index, &frame.layout, tables, &steps));
        }
        Ok(ScanPlan {
            layout: frame.layout,
            parts,
            restart_interval: stream.restart_interval,
        })
    }

    fn table(&self, spec: &Spec, class: Class) -> Arc<DecodeTable> {
        let known = self
            .known
            .as_ref()
            .and_then(|known| known.slots.find(spec, class));
        known.unwrap_or_else(|| self.recent.table(spec, class))
    }

    /// Our tables, where they are what this abbreviated frame is coded with.
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

    /// Decode one frame of the batch's size into its row, which holds zeros: 4:2:0, or what resamples to it.
    ///
    /// After an error the row holds what was decoded so far.
    pub fn decode_row<T: Coefficient>(
        &self,
        data: &[u8],
        geometry: Geometry,
        y: &mut [T],
        c: &mut [T],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let (cb, cr) = c.split_at_mut(c.len() / 2);
        let mut planes = [Plane { data: y }, Plane { data: cb }, Plane { data: cr }];
        let found = self.decode(data, &mut planes, workspace, |layout| geometry.require(layout));
        let decoded = match (found, T::RESAMPLE) {
            (Err(error), Some(resample)) if error.kind == Kind::Unsupported => {
                return self.decode_resampled(data, geometry, y, c, workspace, resample);
            }
            (found, _) => found?,
        };
        if geometry.is_levels {
            self.require_same_steps(&decoded)?;
        }
        Ok(())
    }

    /// The same for a frame of another sampling.
    fn decode_resampled<T: Coefficient>(
        &self,
        data: &[u8],
        geometry: Geometry,
        y: &mut [T],
        c: &mut [T],
        workspace: &mut Workspace,
        resample: Resample<T>,
    ) -> Result<()> {
        let layout = self.probe(data)?;
        geometry.require_size(&layout)?;
        let areas = layout.components()[1..].iter().map(ComponentLayout::area);
        let mut chroma: Vec<Vec<T>> = areas.map(|area| vec![T::default(); BLOCK_AREA * area]).collect();
        let mut planes = vec![Plane { data: y }];
        planes.extend(chroma.iter_mut().map(|data| Plane { data }));
        self.decode(data, &mut planes, workspace, |layout| {
            geometry.require_size(layout)
        })?;
        resample(&layout, &chroma, c);
        Ok(())
    }

    /// Decode as many of the first rows as have the head that was read last, two at a time; how many have it.
    ///
    /// Those that are not done then have a fault, or more behind their scan than its end.
    pub fn decode_alike<T: Coefficient>(
        &self,
        geometry: Geometry,
        rows: &mut [Row<'_, T>],
        workspace: &mut Workspace,
    ) -> usize {
        let Workspace { head, segments } = workspace;
        let head = match head {
            Some(head) if geometry.require(&head.plan.layout).is_ok() && self.has_steps(geometry, head) => {
                head
            }
            _ => return 0,
        };
        let alike = rows
            .iter()
            .take_while(|row| head.is_of(row.frame, &self.limits))
            .count();
        match head.shared_scan() {
            Some(scan) if alike > 1 => scan.decode_all(&mut rows[..alike], segments),
            _ => return 0,
        }
        alike
    }

    fn has_steps(&self, geometry: Geometry, head: &Head) -> bool {
        !geometry.is_levels || self.require_same_steps(&head.decoded).is_ok()
    }

    /// Levels of different tables must not meet in one batch.
    fn require_same_steps(&self, decoded: &Decoded) -> Result<()> {
        match &self.known {
            Some(known) if known.set.quant[..] != *decoded.quant() => Err(Error::unknown_tables(
                decoded.tables_id,
                "the frame's steps are not the batch's; only dequantised batches take them",
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::{Encoder, StreamKind};
    use crate::layout::Sampling;
    use crate::simd::Level;
    use crate::tables::tests::some_tables;

    const ID: TablesId = *b"tablesid";

    /// Levels of a 20 x 33 image, all different.
    fn levels(layout: &Layout) -> Vec<Vec<i16>> {
        let lengths = layout
            .components()
            .iter()
            .map(|component| BLOCK_AREA * component.area());
        lengths
            .map(|length| {
                (0..length)
                    .map(|index| (index * 37 % 2047) as i16 - 1023)
                    .collect()
            })
            .collect()
    }

    fn decode(decoder: &Decoder, stream: &[u8]) -> Result<Vec<Vec<i16>>> {
        decode_with(decoder, stream, &mut Workspace::default())
    }

    fn decode_with(decoder: &Decoder, stream: &[u8], workspace: &mut Workspace) -> Result<Vec<Vec<i16>>> {
        let layout = decoder.probe(stream)?;
        let mut data: Vec<Vec<i16>> = layout
            .components()
            .iter()
            .map(|component| vec![0; BLOCK_AREA * component.area()])
            .collect();
        let mut planes: Vec<Plane<'_, i16>> = data.iter_mut().map(|data| Plane { data }).collect();
        decoder.decode(stream, &mut planes, workspace, |_| Ok(()))?;
        Ok(data)
    }

    #[test]
    fn levels_come_back_in_every_sampling_and_every_cut_is_refused() {
        for sampling in [
            Sampling::Grey,
            Sampling::Yuv444,
            Sampling::Yuv422,
            Sampling::Yuv420,
        ] {
            let set = some_tables(sampling, &[3, 5, 7][..sampling.components()]);
            let layout = Layout::of_image(20, 33, sampling).unwrap();
            let levels = levels(&layout);
            let planes: Vec<&[i16]> = levels.iter().map(Vec::as_slice).collect();
            let encoder = Encoder::new(set.clone(), ID, Level::fastest());
            let decoder = Decoder::new(Some((set, ID)), Limits::default());
            for kind in [StreamKind::Interchange, StreamKind::Abbreviated] {
                let stream = encoder.encode_levels(layout, &planes, kind).unwrap();
                assert_eq!(decode(&decoder, &stream).as_ref(), Ok(&levels));
                for length in (0..stream.len()).step_by(7) {
                    assert!(decode(&decoder, &stream[..length]).is_err());
                }
            }
        }
    }

    #[test]
    fn only_a_short_head_is_remembered() {
        let layout = Layout::of_image(8, 8, Sampling::Grey).unwrap();
        let stream = Encoder::new(some_tables(Sampling::Grey, &[3]), ID, Level::fastest())
            .encode_levels(layout, &[&[0; 64]], StreamKind::Interchange)
            .unwrap();
        let decoder = Decoder::new(None, Limits::default());
        for (length, is_remembered) in [(2, true), (Head::MOST_BYTES, false)] {
            let comment = [
                &[0xFF, 0xFE],
                &(length as u16).to_be_bytes()[..],
                &vec![0; length - 2],
            ]
            .concat();
            let mut workspace = Workspace::default();
            let commented = [&stream[..2], &comment, &stream[2..]].concat();
            decode_with(&decoder, &commented, &mut workspace).unwrap();
            assert_eq!(workspace.head.is_some(), is_remembered);
        }
    }

    #[test]
    fn tables_that_are_not_at_hand_are_named() {
        let set = some_tables(Sampling::Grey, &[3]);
        let layout = Layout::of_image(8, 8, Sampling::Grey).unwrap();
        let stream = Encoder::new(set, ID, Level::fastest())
            .encode_levels(layout, &[&[0; 64]], StreamKind::Abbreviated)
            .unwrap();
        let error = decode(&Decoder::new(None, Limits::default()), &stream).unwrap_err();
        assert_eq!((error.kind, error.tables_id), (Kind::UnknownTables, Some(ID)));
    }
}

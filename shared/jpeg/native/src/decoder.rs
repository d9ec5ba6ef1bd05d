//! From a stream to its coefficients: tables looked up, scans decoded, nothing accepted half.

use crate::error::{Error, Result};
use crate::frame::{Component, Frame};
use crate::huffman::{Class, DecodeTable, Spec};
use crate::layout::{Layout, Sampling};
use crate::markers::Limits;
use crate::quant::QuantTable;
use crate::scan_decode::{decode_scan, Coefficient, Part, Plane};
use crate::stream::{Scan, ScanComponent, Stop, Stream};
use crate::tables::{TableSet, TablesId};

/// Decodes frames; what its own tables need is derived once.
pub struct Decoder {
    limits: Limits,
    known: Option<Known>,
}

/// The tables abbreviated frames refer to, each in the slot its canonical stream would put it.
struct Known {
    id: TablesId,
    set: TableSet,
    slots: Slots,
}

#[derive(Default)]
struct Slots {
    quant: [Option<QuantTable>; 4],
    dc: [Option<DecodeTable>; 4],
    ac: [Option<DecodeTable>; 4],
}

impl Slots {
    fn of(set: &TableSet) -> Self {
        let mut slots = Self::default();
        for (table, slot) in set.quant.iter().zip(set.quant_slots()) {
            slots.quant[usize::from(slot)] = Some(*table);
        }
        for (slot, pair) in set.huffman.chunks_exact(2).enumerate() {
            slots.dc[slot] = Some(DecodeTable::new(&pair[0], Class::Dc));
            slots.ac[slot] = Some(DecodeTable::new(&pair[1], Class::Ac));
        }
        slots
    }

    /// Take over what the stream defined and this scan uses.
    fn update(&mut self, stream: &Stream<'_>, scan: &Scan) {
        self.quant = stream.quant;
        for component in scan.components() {
            derive(&mut self.dc, &stream.dc, component.dc_slot, Class::Dc);
            derive(&mut self.ac, &stream.ac, component.ac_slot, Class::Ac);
        }
    }

    fn part(&self, frame: &Frame, scanned: &ScanComponent, at: usize) -> Result<Part<'_>> {
        let missing = |what: &str, slot: usize| {
            Error::corrupt(
                at,
                format!("the scan uses {what} table {slot}, which the stream does not define"),
            )
        };
        let quant_slot = frame.components()[scanned.index].quant_slot;
        Ok(Part {
            component: scanned.index,
            dc: self.dc[scanned.dc_slot]
                .as_ref()
                .ok_or_else(|| missing("DC Huffman", scanned.dc_slot))?,
            ac: self.ac[scanned.ac_slot]
                .as_ref()
                .ok_or_else(|| missing("AC Huffman", scanned.ac_slot))?,
            quant: self.quant[quant_slot].ok_or_else(|| missing("quantisation", quant_slot))?,
        })
    }
}

fn derive(derived: &mut [Option<DecodeTable>; 4], specs: &[Option<Spec>; 4], slot: usize, class: Class) {
    derived[slot] = specs[slot].as_ref().map(|spec| DecodeTable::new(spec, class));
}

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
    }
    let frame = require_frame(&stream, data.len())?;
    let components = frame.layout.components().len();
    let quant = quant[..components].iter().copied().collect::<Option<Vec<_>>>();
    if is_scanned[..components].contains(&false) {
        return Err(not_scanned(data.len()));
    }
    Ok(FrameInfo {
        layout: frame.layout,
        is_abbreviated: !stream.has_tables,
        tables_id: stream.tables_id,
        quant,
        scan_bytes,
    })
}

fn require_frame(stream: &Stream<'_>, at: usize) -> Result<Frame> {
    stream
        .frame
        .ok_or_else(|| Error::corrupt(at, "there is no frame (SOF)"))
}

fn scanned_twice(at: usize) -> Error {
    Error::corrupt(at, "a component is scanned twice")
}

fn not_scanned(at: usize) -> Error {
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

impl Decoder {
    pub fn new(tables: Option<(TableSet, TablesId)>, limits: Limits) -> Self {
        let known = tables.map(|(set, id)| Known {
            id,
            slots: Slots::of(&set),
            set,
        });
        Self { limits, known }
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

    /// Decode into planes that hold zeros and have the frame's layout; the step table of each component.
    ///
    /// `require` sees the layout before anything is written.
    pub fn decode<T: Coefficient>(
        &self,
        data: &[u8],
        planes: &mut [Plane<'_, T>],
        require: impl Fn(&Layout) -> Result<()>,
    ) -> Result<Decoded> {
        let mut stream = Stream::new(data, self.limits)?;
        let mut own = Slots::default();
        let mut quant = [None; 3];
        while let Stop::Scan(scan) = stream.next_stop()? {
            let frame = require_frame(&stream, scan.start)?;
            require(&frame.layout)?;
            let slots = self.slots_for(&stream, &scan, &frame, &mut own)?;
            let scanned = scan.components();
            let mut parts = Vec::with_capacity(3);
            for component in scanned {
                if quant[component.index].is_some() {
                    return Err(scanned_twice(scan.start));
                }
                let part = slots.part(&frame, component, scan.start)?;
                quant[component.index] = Some(part.quant);
                parts.push(part);
            }
            let end = decode_scan(
                data,
                scan.start,
                &frame.layout,
                &parts,
                planes,
                stream.restart_interval,
            )?;
            stream.resume_at(end);
        }
        let layout = require_frame(&stream, data.len())?.layout;
        let quant = quant[..layout.components().len()]
            .iter()
            .copied()
            .collect::<Option<Vec<_>>>();
        Ok(Decoded {
            quant: quant.ok_or_else(|| not_scanned(data.len()))?,
            tables_id: stream.tables_id,
        })
    }

    /// The tables this scan is coded with: the stream's own if it has any, else ours.
    fn slots_for<'s>(
        &'s self,
        stream: &Stream<'_>,
        scan: &Scan,
        frame: &Frame,
        own: &'s mut Slots,
    ) -> Result<&'s Slots> {
        if stream.has_tables {
            own.update(stream, scan);
            return Ok(own);
        }
        let known = self.known.as_ref().ok_or_else(|| {
            Error::unknown_tables(stream.tables_id, "the frame is abbreviated, no tables are given")
        })?;
        match stream.tables_id {
            Some(id) if id != known.id => Err(Error::unknown_tables(
                Some(id),
                "the frame was coded with other tables",
            )),
            id if frame.layout.sampling != known.set.sampling => Err(Error::unknown_tables(
                id,
                "the frame's sampling is not that of the tables",
            )),
            _ => Ok(&known.slots),
        }
    }

    /// Decode one frame of exactly `height` x `width`, 4:2:0, into its row of a batch.
    ///
    /// After an error the row holds what was decoded so far.
    pub fn decode_row<T: Coefficient>(
        &self,
        data: &[u8],
        (height, width): (usize, usize),
        y: &mut [T],
        c: &mut [T],
        is_levels: bool,
    ) -> Result<()> {
        y.fill(T::default());
        c.fill(T::default());
        let (cb, cr) = c.split_at_mut(c.len() / 2);
        let mut planes = [Plane { data: y }, Plane { data: cb }, Plane { data: cr }];
        let decoded = self.decode(data, &mut planes, |layout| {
            require_geometry(layout, height, width)
        })?;
        if is_levels {
            self.require_same_steps(&decoded)?;
        }
        Ok(())
    }

    /// Levels of different tables must not meet in one batch.
    fn require_same_steps(&self, decoded: &Decoded) -> Result<()> {
        match &self.known {
            Some(known) if known.set.quant != decoded.quant => Err(Error::unknown_tables(
                decoded.tables_id,
                "the frame's quantisation tables are not the batch's",
            )),
            _ => Ok(()),
        }
    }
}

fn require_geometry(layout: &Layout, height: usize, width: usize) -> Result<()> {
    if layout.sampling == Sampling::Yuv420 && (layout.height, layout.width) == (height, width) {
        return Ok(());
    }
    Err(Error::unsupported(format!(
        "a frame of {} x {} in {:?} does not fit a batch of {height} x {width} in Yuv420",
        layout.height, layout.width, layout.sampling
    )))
}

/// What a decoded frame was.
#[derive(Clone, Debug)]
pub struct Decoded {
    pub quant: Vec<QuantTable>,
    pub tables_id: Option<TablesId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::{Encoder, StreamKind};
    use crate::error::Kind;
    use crate::layout::BLOCK_AREA;
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
        let layout = decoder.probe(stream)?;
        let mut data: Vec<Vec<i16>> = layout
            .components()
            .iter()
            .map(|component| vec![0; BLOCK_AREA * component.area()])
            .collect();
        let mut planes: Vec<Plane<'_, i16>> = data.iter_mut().map(|data| Plane { data }).collect();
        decoder.decode(stream, &mut planes, |_| Ok(()))?;
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

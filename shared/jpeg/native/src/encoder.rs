//! From pixels or coefficients to a stream with given tables.

use std::sync::Mutex;

use crate::coefficients::{CoefficientSource, LevelSource};
use crate::error::{Error, Result};
use crate::layout::{div_ceil, ComponentLayout, Layout, BLOCK_AREA};
use crate::markers::{self, write_marker, write_segment};
use crate::pixels::{Image, PixelSource, Quantisation, Refinement, Strips};
use crate::quant::{QuantTable, Quantiser, Rounding};
use crate::rdo::{Optimiser, Tradeoff};
use crate::scan_encode::{encode_scan, BlockSource, Codes, Group};
use crate::share_out::share_out;
use crate::simd::Kernels;
use crate::statistics::CodeLengths;
use crate::tables::{TableSet, TablesId, APP10_TAG};

/// Workspaces kept for later calls: as many as threads are likely to encode at once.
const MOST_IDLE: usize = 16;

/// Which bytes to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// With its tables: any JPEG library reads it.
    Interchange,
    /// Without tables, naming them in APP10 (T.81 B.5).
    Abbreviated,
    /// Only the entropy-coded bytes.
    Scan,
}

impl StreamKind {
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Interchange),
            1 => Some(Self::Abbreviated),
            2 => Some(Self::Scan),
            _ => None,
        }
    }
}

/// Encodes images; everything its tables need is derived once.
pub struct Encoder {
    set: TableSet,
    id: TablesId,
    quantisers: Vec<Quantiser>,
    codes: Vec<Codes>,
    lengths: CodeLengths,
    kernels: Kernels,
    optimiser: Option<Optimiser>,
    idle: Mutex<Vec<Workspace>>,
}

/// Memory that is used for one image after the other.
struct Workspace {
    layout: Layout,
    strips: Strips,
    group: Group,
}

impl Workspace {
    fn new(layout: Layout) -> Self {
        Self {
            layout,
            strips: Strips::new(&layout),
            group: Group::new(&layout),
        }
    }
}

impl Encoder {
    pub fn new(set: TableSet, id: TablesId, kernels: Kernels) -> Self {
        Self {
            quantisers: set.quant.iter().map(Quantiser::new).collect(),
            codes: set
                .huffman
                .chunks_exact(2)
                .map(|pair| Codes::new(&pair[0], &pair[1]))
                .collect(),
            lengths: CodeLengths::new(&set.huffman),
            set,
            id,
            kernels,
            optimiser: None,
            idle: Mutex::default(),
        }
    }

    /// The same with another choice of levels: how to round in each component, and what bits are worth.
    pub fn with_quantisation(mut self, rounding: &[Rounding], tradeoff: Option<&Tradeoff>) -> Self {
        let tables = self.set.quant.iter().zip(rounding);
        self.quantisers = tables
            .map(|(table, rounding)| Quantiser::rounding(table, rounding))
            .collect();
        self.optimiser = tradeoff.map(|tradeoff| Optimiser::new(tradeoff, &self.set.quant, &self.lengths));
        self
    }

    pub fn layout(&self, height: usize, width: usize) -> Result<Layout> {
        Layout::of_image(height, width, self.set.sampling)
    }

    /// Encode images of one size on at most `threads` threads: the streams one behind the other, and where they end.
    pub fn encode_all(
        &self,
        layout: Layout,
        images: Image<'_>,
        count: usize,
        kind: StreamKind,
        threads: usize,
    ) -> Result<(Vec<u8>, Vec<usize>)> {
        images.require(&layout, count)?;
        let threads = threads.clamp(1, count.max(1));
        // Several parts a thread, for not all images take as long; one part where it would only be copied.
        let parts = if threads == 1 { 1 } else { 4 * threads };
        let area = layout.height * layout.width;
        let share = div_ceil(count, parts).max(1) * area * images.channels;
        let mut parts: Vec<Part<'_>> = images.pixels.chunks(share).map(Part::new).collect();
        share_out(
            parts.iter_mut(),
            threads,
            &mut (),
            || (),
            |part, ()| {
                let pixels = std::mem::take(&mut part.pixels);
                self.with_workspace(layout, |workspace| {
                    for image in (Image { pixels, ..images }).each(area) {
                        self.encode_image(image, kind, workspace, &mut part.streams);
                        part.ends.push(part.streams.len());
                    }
                });
            },
        );
        Ok(Part::joined(parts))
    }

    /// Encode one image, its stream appended to `out`.
    pub fn encode(
        &self,
        layout: Layout,
        image: Image<'_>,
        kind: StreamKind,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        image.require(&layout, 1)?;
        self.with_workspace(layout, |workspace| self.encode_image(image, kind, workspace, out));
        Ok(())
    }

    fn encode_image(&self, image: Image<'_>, kind: StreamKind, workspace: &mut Workspace, out: &mut Vec<u8>) {
        let layout = workspace.layout;
        let mut source = PixelSource::new(layout, image, self.quantisation(), &mut workspace.strips);
        self.write_frame(&layout, &mut source, kind, &mut workspace.group, out);
    }

    /// Quantise images of one size into `y` (64 planes each) and `c` (128 each, empty when grey), on threads.
    pub fn quantise_all(
        &self,
        layout: Layout,
        images: Image<'_>,
        count: usize,
        (y, c): (&mut [i16], &mut [i16]),
        threads: usize,
    ) -> Result<()> {
        images.require(&layout, count)?;
        let area = |index: usize| layout.components().get(index).map_or(0, ComponentLayout::area);
        let (y_length, c_length) = (BLOCK_AREA * area(0), 2 * BLOCK_AREA * area(1));
        if y.len() != count * y_length || c.len() != count * c_length {
            return Err(Error::invalid_argument("the planes do not match the images"));
        }
        let y_rows = y.chunks_exact_mut(y_length);
        // Grey images have none: as many empty ones.
        let c_rows = c
            .chunks_exact_mut(c_length.max(1))
            .chain(std::iter::repeat_with(<&mut [i16]>::default));
        let rows = images.each(layout.height * layout.width).zip(y_rows).zip(c_rows);
        share_out(
            rows,
            threads,
            &mut (),
            || (),
            |((image, y), c), ()| {
                let (cb, cr) = c.split_at_mut(c_length / 2);
                self.with_workspace(layout, |workspace| {
                    PixelSource::new(layout, image, self.quantisation(), &mut workspace.strips)
                        .quantise_into(&mut [y, cb, cr]);
                });
            },
        );
        Ok(())
    }

    /// Do `work` with memory that an earlier call left, where that was for the same layout. Nobody waits for it: a
    /// process forked while another thread has the lock would wait for ever.
    fn with_workspace<R>(&self, layout: Layout, work: impl FnOnce(&mut Workspace) -> R) -> R {
        let idle = || self.idle.try_lock().ok();
        let left = idle().and_then(|mut idle| idle.pop());
        let left = left.filter(|left| left.layout == layout);
        let mut workspace = left.unwrap_or_else(|| Workspace::new(layout));
        let result = work(&mut workspace);
        if let Some(mut idle) = idle().filter(|idle| idle.len() < MOST_IDLE) {
            idle.push(workspace);
        }
        result
    }

    fn quantisation(&self) -> Quantisation<'_> {
        let optimiser = self.optimiser.as_ref();
        Quantisation {
            quantisers: &self.quantisers,
            kernels: &self.kernels,
            refinement: optimiser.map(|optimiser| optimiser as &dyn Refinement),
        }
    }

    /// Entropy-code levels as they are: one slice of 64 planes, natural order, a component.
    pub fn encode_levels(&self, layout: Layout, planes: &[&[i16]], kind: StreamKind) -> Result<Vec<u8>> {
        let mut source = LevelSource::new(layout, planes)?;
        let mut out = Vec::new();
        self.write_frame(&layout, &mut source, kind, &mut Group::new(&layout), &mut out);
        Ok(out)
    }

    /// Quantise and code coefficients times 8, planes as above.
    pub fn encode_coefficients(
        &self,
        layout: Layout,
        planes: &[&[i16]],
        kind: StreamKind,
    ) -> Result<Vec<u8>> {
        let mut source = CoefficientSource::new(layout, planes, self.quantisation())?;
        let mut out = Vec::new();
        self.write_frame(&layout, &mut source, kind, &mut Group::new(&layout), &mut out);
        Ok(out)
    }

    /// Whether quantising what was quantised with these steps would change nothing.
    pub fn keeps_levels_of(&self, quant: &[QuantTable]) -> bool {
        let masks_any = self.quantisers.iter().any(Quantiser::masks_any);
        self.set.quant == quant && self.optimiser.is_none() && !masks_any
    }

    /// Bits that `encode_levels` would write into the scan, before it fills the last byte and stuffs zeros.
    pub fn scan_bits(&self, layout: &Layout, planes: &[&[i16]]) -> Result<u64> {
        if layout.sampling != self.set.sampling {
            return Err(Error::invalid_argument(format!(
                "levels in {}, the tables are for {}",
                layout.sampling, self.set.sampling
            )));
        }
        self.lengths.scan_bits(layout, planes)
    }

    fn write_frame(
        &self,
        layout: &Layout,
        source: &mut impl BlockSource,
        kind: StreamKind,
        group: &mut Group,
        out: &mut Vec<u8>,
    ) {
        match kind {
            StreamKind::Scan => return encode_scan(layout, source, &self.codes, group, out),
            StreamKind::Abbreviated => self.write_abbreviated_head(out),
            StreamKind::Interchange => self.write_interchange_head(out),
        }
        self.write_frame_headers(layout, out);
        encode_scan(layout, source, &self.codes, group, out);
        write_marker(out, markers::EOI);
    }

    fn write_abbreviated_head(&self, out: &mut Vec<u8>) {
        write_marker(out, markers::SOI);
        let mut claim = [0; 10];
        claim[..2].copy_from_slice(&APP10_TAG);
        claim[2..].copy_from_slice(&self.id);
        write_segment(out, markers::APP10, &claim);
    }

    fn write_interchange_head(&self, out: &mut Vec<u8>) {
        write_marker(out, markers::SOI);
        write_segment(out, markers::APP0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
        self.set.write_quant(out);
        self.set.write_huffman(out);
    }

    /// SOF0 and SOS of one interleaved scan.
    fn write_frame_headers(&self, layout: &Layout, out: &mut Vec<u8>) {
        let slots = self.set.quant_slots();
        let count = layout.components().len() as u8;
        let [height, width] = [layout.height, layout.width].map(|side| (side as u16).to_be_bytes());
        let (mut frame, mut scan) = (Vec::with_capacity(15), Vec::with_capacity(10));
        frame.extend([8, height[0], height[1], width[0], width[1], count]);
        scan.push(count);
        for (id, (component, slot)) in (1_u8..).zip(layout.components().iter().zip(slots)) {
            let factors = (component.horizontal << 4 | component.vertical) as u8;
            frame.extend([id, factors, slot]);
            scan.extend([id, if id == 1 { 0x00 } else { 0x11 }]);
        }
        scan.extend([0, 63, 0]);
        write_segment(out, markers::SOF0, &frame);
        write_segment(out, markers::SOS, &scan);
    }
}

/// Images of a batch and their streams.
struct Part<'a> {
    pixels: &'a [u8],
    streams: Vec<u8>,
    /// Where in `streams` each one ends.
    ends: Vec<usize>,
}

impl<'a> Part<'a> {
    fn new(pixels: &'a [u8]) -> Self {
        Self {
            pixels,
            streams: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn joined(parts: Vec<Self>) -> (Vec<u8>, Vec<usize>) {
        let mut parts = parts.into_iter();
        let (mut streams, mut ends) = parts
            .next()
            .map(|first| (first.streams, first.ends))
            .unwrap_or_default();
        for part in parts {
            ends.extend(part.ends.iter().map(|end| streams.len() + end));
            streams.extend_from_slice(&part.streams);
        }
        (streams, ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Sampling;
    use crate::simd::Level;
    use crate::tables::tests::some_tables;

    #[test]
    fn a_lock_that_stays_taken_stops_nobody() {
        let encoder = Encoder::new(some_tables(Sampling::Grey, &[3]), [0; 8], Level::fastest());
        let _taken = encoder.idle.lock();
        let layout = encoder.layout(8, 8).unwrap();
        let pixels = &[7; 64];
        let image = Image { pixels, channels: 1 };
        assert!(encoder
            .encode(layout, image, StreamKind::Scan, &mut Vec::new())
            .is_ok());
    }

    #[test]
    fn only_so_many_workspaces_are_kept() {
        fn nested(encoder: &Encoder, layout: Layout, depth: usize) {
            if depth > 0 {
                encoder.with_workspace(layout, |_| nested(encoder, layout, depth - 1));
            }
        }
        let encoder = Encoder::new(some_tables(Sampling::Grey, &[3]), [0; 8], Level::fastest());
        nested(&encoder, encoder.layout(8, 8).unwrap(), MOST_IDLE + 5);
        assert_eq!(encoder.idle.lock().unwrap().len(), MOST_IDLE);
    }
}

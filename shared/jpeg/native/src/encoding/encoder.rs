//! From pixels or coefficients to a stream with given tables.

use std::sync::Mutex;

use crate::encoding::coefficients::{CoefficientSource, LevelSource};
use crate::encoding::headers::{write_abbreviated_start, write_headers, write_interchange_start};
use crate::encoding::image::Image;
use crate::encoding::pixels::{PixelSource, Strips};
use crate::encoding::planes::write_planes;
use crate::encoding::quantisation::{Quantisation, Refinement};
use crate::encoding::rdo::{Optimiser, Tradeoff};
use crate::encoding::scan::{encode_scan, BlockSource, Codes, Group};
use crate::encoding::share::Share;
use crate::entropy::statistics::CodeLengths;
use crate::error::{Error, Result};
use crate::geometry::block::BLOCK_AREA;
use crate::geometry::layout::{div_ceil, ComponentLayout, Layout};
use crate::share_out::share_out;
use crate::simd::kernels::Kernels;
use crate::syntax::markers::{write_marker, EOI};
use crate::tables::quantisation::QuantTable;
use crate::tables::table_set::TableSet;
use crate::tables_id::TablesId;
use crate::transform::quantiser::{Quantiser, Rounding};

/// How many workspaces are kept for later calls: as many as threads are likely to encode at once.
const MOST_IDLE: usize = 16;

/// Which bytes of a frame are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// The frame with its tables: any JPEG library reads it.
    Interchange,
    /// The frame without tables (T.81 B.5); an APP10 names them.
    Abbreviated,
    /// The entropy-coded bytes alone.
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

/// Encodes images. What its tables need is derived once.
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

/// Memory that one image after the other uses.
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

    /// This encoder with another way to choose levels: how each component is rounded, and what bits are worth.
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

    /// Encode images of one size on at most `threads` threads. Return the streams one behind the other, and where each
    /// of them ends.
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
        // Several shares for each thread: not all images take equally long. One thread takes one share, which saves a copy.
        let shares = if threads == 1 { 1 } else { 4 * threads };
        let area = layout.height * layout.width;
        let pixels_a_share = div_ceil(count, shares).max(1) * area * images.channels;
        let mut shares: Vec<Share<'_>> = images.pixels.chunks(pixels_a_share).map(Share::new).collect();
        share_out(
            shares.iter_mut(),
            threads,
            &mut (),
            || (),
            |share, ()| {
                let pixels = std::mem::take(&mut share.pixels);
                self.with_workspace(layout, |workspace| {
                    for image in (Image { pixels, ..images }).each(area) {
                        self.encode_image(image, kind, workspace, &mut share.streams);
                        share.ends.push(share.streams.len());
                    }
                });
            },
        );
        Ok(Share::joined(shares))
    }

    /// Encode one image, and append its stream to `out`.
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

    /// Quantise images of one size on at most `threads` threads: each into 64 planes of `y` and 128 of `c`, which is
    /// empty for grey.
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
        // A grey image has no chroma: its row is empty.
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
                    let strips = &mut workspace.strips;
                    let mut source = PixelSource::new(layout, image, self.quantisation(), strips);
                    write_planes(&layout, &mut source, &mut [y, cb, cr]);
                });
            },
        );
        Ok(())
    }

    /// Quantise coefficients times 8 into planes of levels. Both have one slice for each component: 64 planes in natural
    /// order.
    pub fn quantise_coefficients(
        &self,
        layout: &Layout,
        planes: &[&[i16]],
        levels: &mut [&mut [i16]],
    ) -> Result<()> {
        let mut source = CoefficientSource::new(*layout, planes, self.quantisation())?;
        write_planes(layout, &mut source, levels);
        Ok(())
    }

    /// Do `work` with the memory that an earlier call for the same layout left, or with new memory.
    ///
    /// No thread waits for the lock: a process forked while another thread holds the lock would wait for ever.
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

    /// Entropy-code levels as they are. `planes` has one slice for each component: 64 planes in natural order.
    pub fn encode_levels(&self, layout: Layout, planes: &[&[i16]], kind: StreamKind) -> Result<Vec<u8>> {
        let mut source = LevelSource::new(layout, planes)?;
        let mut out = Vec::new();
        self.write_frame(&layout, &mut source, kind, &mut Group::new(&layout), &mut out);
        Ok(out)
    }

    /// Quantise and code coefficients times 8. `planes` has one slice for each component: 64 planes in natural order.
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

    /// Whether coefficients quantised with these steps would keep their levels if this encoder quantised them.
    pub fn keeps_levels_of(&self, quant: &[QuantTable]) -> bool {
        let masks_any = self.quantisers.iter().any(Quantiser::masks_any);
        self.set.quant == quant && self.optimiser.is_none() && !masks_any
    }

    /// The number of bits that `encode_levels` would write into the scan, before the last byte is filled and zeros are
    /// stuffed.
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
            StreamKind::Abbreviated => write_abbreviated_start(self.id, out),
            StreamKind::Interchange => write_interchange_start(&self.set, out),
        }
        write_headers(&self.set, layout, out);
        encode_scan(layout, source, &self.codes, group, out);
        write_marker(out, EOI);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::sampling::Sampling;
    use crate::simd::instructions::InstructionSet;
    use crate::tables::fixtures::some_tables;

    #[test]
    fn a_lock_that_stays_taken_stops_nobody() {
        let encoder = Encoder::new(
            some_tables(Sampling::Grey, &[3]),
            [0; 8],
            InstructionSet::fastest(),
        );
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
        let encoder = Encoder::new(
            some_tables(Sampling::Grey, &[3]),
            [0; 8],
            InstructionSet::fastest(),
        );
        nested(&encoder, encoder.layout(8, 8).unwrap(), MOST_IDLE + 5);
        assert_eq!(encoder.idle.lock().unwrap().len(), MOST_IDLE);
    }
}

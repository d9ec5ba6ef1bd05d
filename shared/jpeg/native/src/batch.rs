//! Many frames at once, a row of the planes each, on some threads.

use crate::decoder::{Decoder, Workspace};
use crate::error::{contain, Error, Result};
use crate::layout::{div_ceil, Layout, Sampling};
use crate::scan_decode::Coefficient;
use crate::share_out::share_out;

/// One frame of a batch, where it goes and what went wrong.
pub struct Row<'a, T> {
    pub frame: &'a [u8],
    pub y: &'a mut [T],
    pub c: &'a mut [T],
    pub is_done: bool,
    pub error: Option<Error>,
}

impl<'a, T: Coefficient> Row<'a, T> {
    pub fn new(frame: &'a [u8], y: &'a mut [T], c: &'a mut [T]) -> Self {
        Self {
            frame,
            y,
            c,
            is_done: false,
            error: None,
        }
    }

    pub fn clear(&mut self) {
        self.y.fill(T::default());
        self.c.fill(T::default());
    }
}

/// What all frames of a batch have in common.
#[derive(Clone, Copy)]
pub struct Geometry {
    pub height: usize,
    pub width: usize,
    /// Levels are wanted, so that steps must be the decoder's.
    pub is_levels: bool,
}

impl Geometry {
    pub fn require(&self, layout: &Layout) -> Result<()> {
        self.require_size(layout)?;
        if layout.sampling == Sampling::Yuv420 {
            Ok(())
        } else {
            Err(self.misfit(layout))
        }
    }

    pub fn require_size(&self, layout: &Layout) -> Result<()> {
        if (layout.height, layout.width) == (self.height, self.width) {
            Ok(())
        } else {
            Err(self.misfit(layout))
        }
    }

    fn misfit(&self, layout: &Layout) -> Error {
        let (height, width) = (self.height, self.width);
        Error::unsupported(format!(
            "a frame of {} x {} in {} does not fit a batch of {height} x {width} in 4:2:0",
            layout.height, layout.width, layout.sampling
        ))
    }
}

/// Decode each frame into its row on at most `threads` threads, this one among them. A row with an error is zeros.
pub fn decode_rows<T: Coefficient>(
    decoder: &Decoder,
    geometry: Geometry,
    rows: &mut [Row<'_, T>],
    workspace: &mut Workspace,
    threads: usize,
) {
    let threads = threads.clamp(1, rows.len().max(1));
    // Several parts a thread, for not all frames take as long and not all threads begin at once.
    let share = div_ceil(rows.len(), 4 * threads).max(1);
    share_out(
        rows.chunks_mut(share),
        threads,
        workspace,
        Workspace::default,
        |part, workspace| decode_part(decoder, geometry, part, workspace),
    );
}

/// Frames that begin alike together, and every other one by itself.
fn decode_part<T: Coefficient>(
    decoder: &Decoder,
    geometry: Geometry,
    mut rows: &mut [Row<'_, T>],
    workspace: &mut Workspace,
) {
    while !rows.is_empty() {
        let alike = contain(|| Ok(decoder.decode_alike(geometry, rows, workspace)));
        let (first, others) = rows.split_at_mut(alike.unwrap_or(1).max(1));
        for row in first.iter_mut().filter(|row| !row.is_done) {
            decode_row(decoder, geometry, row, workspace);
        }
        rows = others;
    }
}

/// One frame by itself.
pub fn decode_row<T: Coefficient>(
    decoder: &Decoder,
    geometry: Geometry,
    row: &mut Row<'_, T>,
    workspace: &mut Workspace,
) {
    row.clear();
    row.error = contain(|| decoder.decode_row(row.frame, geometry, row.y, row.c, workspace)).err();
    if row.error.is_some() {
        row.clear();
    }
    row.is_done = true;
}

//! Many frames at once, each into its row of the planes, on several threads.

use crate::decoding::coefficient::Coefficient;
use crate::decoding::decoder::{Decoder, Workspace};
use crate::decoding::row::{BatchSize, Row};
use crate::error::contain;
use crate::geometry::layout::div_ceil;
use crate::share_out::share_out;

/// Decode each frame into its row on at most `threads` threads, the calling one among them. A row with an error is
/// filled with zeros.
pub fn decode_rows<T: Coefficient>(
    decoder: &Decoder,
    size: BatchSize,
    rows: &mut [Row<'_, T>],
    workspace: &mut Workspace,
    threads: usize,
) {
    let threads = threads.clamp(1, rows.len().max(1));
    // Several shares for each thread: not all frames take equally long, and not all threads begin at once.
    let frames_a_share = div_ceil(rows.len(), 4 * threads).max(1);
    share_out(
        rows.chunks_mut(frames_a_share),
        threads,
        workspace,
        Workspace::default,
        |share, workspace| decode_share(decoder, size, share, workspace),
    );
}

/// Decode consecutive frames of the same prefix together, and any other frame by itself.
fn decode_share<T: Coefficient>(
    decoder: &Decoder,
    size: BatchSize,
    mut rows: &mut [Row<'_, T>],
    workspace: &mut Workspace,
) {
    while !rows.is_empty() {
        let alike = contain(|| Ok(decoder.decode_alike(size, rows, workspace)));
        let (first, others) = rows.split_at_mut(alike.unwrap_or(1).max(1));
        for row in first.iter_mut().filter(|row| !row.is_done) {
            decode_row(decoder, size, row, workspace);
        }
        rows = others;
    }
}

/// Decode one frame by itself.
pub fn decode_row<T: Coefficient>(
    decoder: &Decoder,
    size: BatchSize,
    row: &mut Row<'_, T>,
    workspace: &mut Workspace,
) {
    row.clear();
    row.error = contain(|| decoder.decode_row(row.frame, size, row.y, row.c, workspace)).err();
    if row.error.is_some() {
        row.clear();
    }
    row.is_done = true;
}

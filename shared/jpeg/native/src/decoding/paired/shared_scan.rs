//! The scans of frames with one prefix, decoded two at a time.

use std::mem::take;

use crate::decoding::coefficient::Coefficient;
use crate::decoding::paired::cursor::Stop;
use crate::decoding::paired::lane::{run_both, Lane};
use crate::decoding::paired::slot::Slot;
use crate::decoding::row::Row;
use crate::decoding::scan_component::ScanComponent;
use crate::decoding::segments::{is_end_of_image, require_end};
use crate::entropy::segment::Segment;

/// A row whose frame is being decoded.
struct Running<'a, T> {
    lane: Lane<'a, T>,
    data: &'a [u8],
    segment: &'a Segment,
    is_done: &'a mut bool,
}

impl<'a, T: Coefficient> Running<'a, T> {
    fn begin(scan: SharedScan<'a>, row: &'a mut Row<'_, T>, segment: &'a mut Segment) -> Self {
        segment.load(row.frame, scan.start);
        let segment = &*segment;
        row.clear();
        let (cb, cr) = row.c.split_at_mut(row.c.len() / 2);
        let mut planes = [&mut *row.y, cb, cr];
        let order = [0, 1, 2].map(|index| take(&mut planes[scan.components[index].component]));
        Self {
            lane: Lane::new(scan.components, scan.slots, order, segment.reader()),
            data: row.frame,
            segment,
            is_done: &mut row.is_done,
        }
    }

    fn run(mut self) {
        let stop = self.lane.run();
        self.finish(stop);
    }

    fn finish(self, stop: Stop) {
        let reader = &self.lane.cursor.reader;
        *self.is_done = stop == Stop::Done
            && reader.bits_left() >= 0
            && require_end(self.segment, self.data, reader).is_ok()
            && is_end_of_image(&self.data[self.segment.end()..]);
    }
}

/// What the scans of frames with one prefix have in common: all but their data.
#[derive(Clone, Copy)]
pub struct SharedScan<'a> {
    /// Offset of the scan's first byte.
    pub start: usize,
    /// In the order of the scan.
    pub components: &'a [ScanComponent; 3],
    pub slots: &'a [Slot],
}

impl<'a> SharedScan<'a> {
    /// Decode the rows' frames, two at a time. A row without a fault is done then; any other is left as it is.
    pub fn decode_all<T: Coefficient>(
        self,
        rows: &'a mut [Row<'_, T>],
        [left_segment, right_segment]: &mut [Segment; 2],
    ) {
        let mut rows = rows.iter_mut();
        let mut left = match rows.next() {
            Some(row) => Running::begin(self, row, left_segment),
            None => return,
        };
        let mut right = match rows.next() {
            Some(row) => Running::begin(self, row, right_segment),
            None => return left.run(),
        };
        loop {
            let (left_lane, right_lane, is_left, stop) = run_both(left.lane, right.lane);
            left.lane = left_lane;
            right.lane = right_lane;
            if is_left {
                left.finish(stop);
                left = match rows.next() {
                    Some(row) => Running::begin(self, row, left_segment),
                    None => return right.run(),
                };
            } else {
                right.finish(stop);
                right = match rows.next() {
                    Some(row) => Running::begin(self, row, right_segment),
                    None => return left.run(),
                };
            }
        }
    }
}

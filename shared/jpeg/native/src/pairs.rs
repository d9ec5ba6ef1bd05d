//! Two frames at a time in one thread: while one waits for its look-up, the other goes on.
//!
//! A code's length must be known before the next one can be looked up, so that a processor has little else to do while
//! it reads a scan. Only frames without a fault come out of here; what is wrong with another one is told by whoever
//! decodes it alone.

// What is not inlined forces both lanes' state out of the registers.
#![allow(clippy::inline_always)]

use std::mem::take;
use std::slice::Iter;

use crate::batch::Row;
use crate::decode_table::{Entry, FirstEntries};
use crate::markers::EOI;
use crate::scan_decode::{Coefficient, Part, ScanPlan, PLAIN_CODES};
use crate::segment::{BitReader, Segment};

/// Planes of larger frames would push each other out of the cache.
const MAX_BLOCKS: usize = 1 << 13;

/// Where a block goes: index of its part, and of the block in the part's planes.
pub struct Place {
    part: u32,
    block: u32,
}

/// The blocks of an interleaved scan in their order; `None` where some only pad, restart markers stand between, or
/// they are too many.
pub fn places(plan: &ScanPlan) -> Option<Vec<Place>> {
    let is_padded = |part: &Part| {
        (part.layout.block_rows, part.layout.block_columns)
            != (
                plan.layout.mcu_rows * part.layout.vertical,
                plan.layout.mcu_columns * part.layout.horizontal,
            )
    };
    let blocks = plan.layout.blocks();
    if plan.restart_interval > 0
        || plan.parts.len() != 3
        || plan.parts.iter().any(is_padded)
        || blocks > MAX_BLOCKS
    {
        return None;
    }
    let mut places = Vec::with_capacity(blocks);
    for mcu in 0..plan.layout.mcu_rows * plan.layout.mcu_columns {
        let (mcu_row, mcu_column) = (mcu / plan.layout.mcu_columns, mcu % plan.layout.mcu_columns);
        for (part, layout) in (0..).zip(plan.parts.iter().map(|part| part.layout)) {
            for row in mcu_row * layout.vertical..(mcu_row + 1) * layout.vertical {
                for column in mcu_column * layout.horizontal..(mcu_column + 1) * layout.horizontal {
                    let block = (row * layout.block_columns + column) as u32;
                    places.push(Place { part, block });
                }
            }
        }
    }
    Some(places)
}

/// Why a lane stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Done,
    Fault,
}

/// The block a lane is at, apart from the rest so that it stays in registers.
struct Block<'a, T> {
    reader: BitReader<'a>,
    part: &'a Part,
    /// The part's look-up of AC codes.
    codes: &'a FirstEntries,
    plane: &'a mut [T],
    index: usize,
    position: usize,
}

/// What a lane needs from block to block.
struct Course<'a, T> {
    parts: &'a [Part; 3],
    places: Iter<'a, Place>,
    /// Without the one that the block is in, which stands at this index.
    planes: [&'a mut [T]; 3],
    taken: usize,
    predictors: [i32; 3],
}

impl<'a, T: Coefficient> Block<'a, T> {
    /// A coefficient that one look-up finds; otherwise what was found.
    #[inline]
    fn step(&mut self) -> Result<(), Entry> {
        let entry = self.codes.at(self.reader.window());
        let position = entry.target(self.position).ok_or(entry)?;
        self.reader.skip(entry.raw_skip());
        self.position = position;
        self.part.put(self.plane, self.index, position, entry.value());
        Ok(())
    }

    /// Any other coefficient or, where the block has none left, the next block's first.
    #[inline(always)]
    fn turn(&mut self, course: &mut Course<'a, T>, entry: Entry) -> Result<(), Stop> {
        let next = self.part.next_other(&mut self.reader, self.position, entry);
        match next.map_err(|_| Stop::Fault)? {
            Some((position, level)) => {
                self.position = position;
                self.part.put(self.plane, self.index, position, level);
                Ok(())
            }
            None => self.go_on(course),
        }
    }

    #[inline(always)]
    fn go_on(&mut self, course: &mut Course<'a, T>) -> Result<(), Stop> {
        let place = course.places.next().ok_or(Stop::Done)?;
        let part = place.part as usize;
        if part != course.taken {
            course.planes[course.taken] = take(&mut self.plane);
            self.plane = take(&mut course.planes[part]);
            self.part = &course.parts[part];
            self.codes = self.part.ac.first_entries();
            course.taken = part;
        }
        self.index = place.block as usize;
        self.position = 0;
        let level = self.part.next_dc(&mut self.reader, &mut course.predictors[part]);
        let level = level.map_err(|_| Stop::Fault)?;
        self.part.put(self.plane, self.index, 0, level);
        Ok(())
    }
}

/// One frame on its way.
struct Lane<'a, T> {
    block: Block<'a, T>,
    course: Course<'a, T>,
    /// What became of the first block's beginning.
    start: Result<(), Stop>,
}

impl<'a, T: Coefficient> Lane<'a, T> {
    fn new(scan: SharedScan<'a>, mut planes: [&'a mut [T]; 3], reader: BitReader<'a>) -> Self {
        let mut block = Block {
            reader,
            part: &scan.parts[0],
            codes: scan.parts[0].ac.first_entries(),
            plane: take(&mut planes[0]),
            index: 0,
            position: 0,
        };
        let mut course = Course {
            parts: scan.parts,
            places: scan.places.iter(),
            planes,
            taken: 0,
            predictors: [0; 3],
        };
        let start = block.go_on(&mut course);
        Self { block, course, start }
    }

    /// Go on alone until it stops.
    fn run(&mut self) -> Stop {
        if let Err(stop) = self.start {
            return stop;
        }
        loop {
            self.block.reader.refill();
            for _ in 0..PLAIN_CODES {
                if let Err(entry) = self.block.step() {
                    if let Err(stop) = self.block.turn(&mut self.course, entry) {
                        return stop;
                    }
                    break;
                }
            }
        }
    }
}

/// Go on with both until one stops: both, whether the left one stopped, and why.
#[inline(never)]
fn run_both<'l, 'r, T: Coefficient>(
    left: Lane<'l, T>,
    right: Lane<'r, T>,
) -> (Lane<'l, T>, Lane<'r, T>, bool, Stop) {
    let (mut left_block, mut left_course) = (left.block, left.course);
    let (mut right_block, mut right_course) = (right.block, right.course);
    let (is_left, stop) = if let Err(stop) = left.start {
        (true, stop)
    } else if let Err(stop) = right.start {
        (false, stop)
    } else {
        loop {
            left_block.reader.refill();
            right_block.reader.refill();
            let (is_left, entry) = 'plain: loop {
                for _ in 0..PLAIN_CODES {
                    if let Err(entry) = left_block.step() {
                        break 'plain (true, entry);
                    }
                    if let Err(entry) = right_block.step() {
                        break 'plain (false, entry);
                    }
                }
                left_block.reader.refill();
                right_block.reader.refill();
            };
            let turned = if is_left {
                left_block.turn(&mut left_course, entry)
            } else {
                right_block.turn(&mut right_course, entry)
            };
            if let Err(stop) = turned {
                break (is_left, stop);
            }
        }
    };
    let left = Lane {
        block: left_block,
        course: left_course,
        start: left.start,
    };
    let right = Lane {
        block: right_block,
        course: right_course,
        start: right.start,
    };
    (left, right, is_left, stop)
}

/// A row's frame on its lane.
struct Running<'a, T> {
    lane: Lane<'a, T>,
    data: &'a [u8],
    end: usize,
    is_done: &'a mut bool,
}

impl<'a, T: Coefficient> Running<'a, T> {
    fn begin(scan: SharedScan<'a>, row: &'a mut Row<'_, T>, segment: &'a mut Segment) -> Self {
        segment.load(row.frame, scan.start);
        row.clear();
        let (cb, cr) = row.c.split_at_mut(row.c.len() / 2);
        let mut planes = [&mut *row.y, cb, cr];
        let order = [0, 1, 2].map(|index| take(&mut planes[scan.parts[index].component]));
        Self {
            lane: Lane::new(scan, order, segment.reader()),
            data: row.frame,
            end: segment.end(),
            is_done: &mut row.is_done,
        }
    }

    fn run(mut self) {
        let stop = self.lane.run();
        self.finish(stop);
    }

    fn finish(self, stop: Stop) {
        *self.is_done = stop == Stop::Done
            && (0..8).contains(&self.lane.block.reader.bits_left())
            && self.data[self.end..].starts_with(&[0xFF, EOI]);
    }
}

/// The scan of frames that have it in common, but for its data.
#[derive(Clone, Copy)]
pub struct SharedScan<'a> {
    /// Offset of the data.
    pub start: usize,
    pub parts: &'a [Part; 3],
    pub places: &'a [Place],
}

impl<'a> SharedScan<'a> {
    /// Decode frames into rows that hold zeros, two at a time; those that were without a fault are done then.
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

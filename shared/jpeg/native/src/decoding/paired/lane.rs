//! A lane: one frame that is decoded, alone or in turn with another.

use std::mem::take;

use crate::decoding::coefficient::Coefficient;
use crate::decoding::paired::cursor::{Course, Cursor, Stop};
use crate::decoding::paired::slot::Slot;
use crate::decoding::scan_component::ScanComponent;
use crate::decoding::sequential::CODES_A_REFILL;
use crate::entropy::segment::BitReader;

/// One frame that is being decoded.
pub struct Lane<'a, T> {
    pub cursor: Cursor<'a, T>,
    course: Course<'a, T>,
    /// Whether the first block could be begun.
    start: Result<(), Stop>,
}

impl<'a, T: Coefficient> Lane<'a, T> {
    pub fn new(
        components: &'a [ScanComponent; 3],
        slots: &'a [Slot],
        mut planes: [&'a mut [T]; 3],
        reader: BitReader<'a>,
    ) -> Self {
        let mut cursor = Cursor {
            reader,
            component: &components[0],
            codes: components[0].ac.first_entries(),
            plane: take(&mut planes[0]),
            index: 0,
            position: 0,
        };
        let mut course = Course {
            components,
            slots: slots.iter(),
            planes,
            taken: 0,
            predictors: [0; 3],
        };
        let start = cursor.next_block(&mut course);
        Self {
            cursor,
            course,
            start,
        }
    }

    /// Decode alone until the lane stops.
    pub fn run(&mut self) -> Stop {
        if let Err(stop) = self.start {
            return stop;
        }
        loop {
            self.cursor.reader.refill();
            for _ in 0..CODES_A_REFILL {
                if let Err(entry) = self.cursor.step() {
                    if let Err(stop) = self.cursor.slow_path(&mut self.course, entry) {
                        return stop;
                    }
                    break;
                }
            }
        }
    }
}

/// Decode both lanes in turn until one stops. Return both, whether the left one stopped, and why.
#[inline(never)]
pub fn run_both<'l, 'r, T: Coefficient>(
    left: Lane<'l, T>,
    right: Lane<'r, T>,
) -> (Lane<'l, T>, Lane<'r, T>, bool, Stop) {
    let (mut left_cursor, mut left_course) = (left.cursor, left.course);
    let (mut right_cursor, mut right_course) = (right.cursor, right.course);
    let (is_left, stop) = if let Err(stop) = left.start {
        (true, stop)
    } else if let Err(stop) = right.start {
        (false, stop)
    } else {
        loop {
            left_cursor.reader.refill();
            right_cursor.reader.refill();
            let (is_left, entry) = 'first_look_up: loop {
                for _ in 0..CODES_A_REFILL {
                    if let Err(entry) = left_cursor.step() {
                        break 'first_look_up (true, entry);
                    }
                    if let Err(entry) = right_cursor.step() {
                        break 'first_look_up (false, entry);
                    }
                }
                left_cursor.reader.refill();
                right_cursor.reader.refill();
            };
            let turned = if is_left {
                left_cursor.slow_path(&mut left_course, entry)
            } else {
                right_cursor.slow_path(&mut right_course, entry)
            };
            if let Err(stop) = turned {
                break (is_left, stop);
            }
        }
    };
    let left = Lane {
        cursor: left_cursor,
        course: left_course,
        start: left.start,
    };
    let right = Lane {
        cursor: right_cursor,
        course: right_course,
        start: right.start,
    };
    (left, right, is_left, stop)
}

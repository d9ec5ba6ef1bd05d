//! The cursor of a lane: from coefficient to coefficient, and from block to block.

// What is not inlined forces both lanes' state out of the registers.
#![allow(clippy::inline_always)]

use std::mem::take;
use std::slice::Iter;

use crate::decoding::coefficient::Coefficient;
use crate::decoding::paired::slot::Slot;
use crate::decoding::scan_component::ScanComponent;
use crate::entropy::decode_table::{Entry, FirstEntries};
use crate::entropy::segment::BitReader;

/// Why a lane stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All blocks are decoded.
    Done,
    /// The data are damaged.
    Fault,
}

/// The block that a lane decodes and the position in it. It is apart from the `Course` so that it stays in registers.
pub struct Cursor<'a, T> {
    pub reader: BitReader<'a>,
    pub component: &'a ScanComponent,
    /// The component's first look-up of AC codes.
    pub codes: &'a FirstEntries,
    /// The component's planes.
    pub plane: &'a mut [T],
    /// The block's index in the planes.
    pub index: usize,
    /// Zig-zag position of the last coefficient.
    pub position: usize,
}

/// What a lane needs only from block to block.
pub struct Course<'a, T> {
    pub components: &'a [ScanComponent; 3],
    pub slots: Iter<'a, Slot>,
    /// The planes of each component, but for those that the cursor has: their component's index is `taken`.
    pub planes: [&'a mut [T]; 3],
    pub taken: usize,
    pub predictors: [i32; 3],
}

impl<'a, T: Coefficient> Cursor<'a, T> {
    /// Decode a coefficient that the first look-up holds; where it does not, return the entry that it holds.
    #[inline]
    pub fn step(&mut self) -> Result<(), Entry> {
        let entry = self.codes.at(self.reader.window());
        let position = entry.target(self.position).ok_or(entry)?;
        self.reader.skip(entry.raw_skip());
        self.position = position;
        self.component
            .put(self.plane, self.index, position, entry.value());
        Ok(())
    }

    /// Decode a coefficient that takes more than the first look-up. Where the block has ended, begin the next block.
    #[inline(always)]
    pub fn slow_path(&mut self, course: &mut Course<'a, T>, entry: Entry) -> Result<(), Stop> {
        let next = self.component.slow_path(&mut self.reader, self.position, entry);
        match next.map_err(|_| Stop::Fault)? {
            Some((position, level)) => {
                self.position = position;
                self.component.put(self.plane, self.index, position, level);
                Ok(())
            }
            None => self.next_block(course),
        }
    }

    /// Decode the DC level of the next block, which may be another component's.
    #[inline(always)]
    pub fn next_block(&mut self, course: &mut Course<'a, T>) -> Result<(), Stop> {
        let slot = course.slots.next().ok_or(Stop::Done)?;
        let component = slot.component as usize;
        if component != course.taken {
            course.planes[course.taken] = take(&mut self.plane);
            self.plane = take(&mut course.planes[component]);
            self.component = &course.components[component];
            self.codes = self.component.ac.first_entries();
            course.taken = component;
        }
        self.index = slot.block as usize;
        self.position = 0;
        let level = self
            .component
            .next_dc(&mut self.reader, &mut course.predictors[component]);
        let level = level.map_err(|_| Stop::Fault)?;
        self.component.put(self.plane, self.index, 0, level);
        Ok(())
    }
}

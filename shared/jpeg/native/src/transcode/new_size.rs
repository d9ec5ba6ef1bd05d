//! The size that frames are brought to, and the part of the picture that becomes it.

// A side has 16 bits.
#![allow(clippy::cast_precision_loss)]

use crate::error::{Error, Result};
use crate::transcode::source::Source;

/// A size in pixels, and a part of the upright picture.
#[derive(Clone, Copy, Debug)]
pub struct NewSize {
    pub height: usize,
    pub width: usize,
    /// Along the columns of the upright picture, then along its rows.
    pub down: Part,
    pub across: Part,
}

/// Where a part begins and how long it is, in pixels and fractions of them.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub start: f64,
    pub extent: f64,
}

impl NewSize {
    /// Refuse a part that is empty or leaves the picture.
    pub fn require_within(&self, source: &Source) -> Result<()> {
        let (height, width) = source.upright_size();
        let is_inside = |part: Part, length: usize| {
            part.start >= 0.0 && part.extent > 0.0 && part.start + part.extent <= length as f64
        };
        let has_pixels = self.height > 0 && self.width > 0;
        if has_pixels && is_inside(self.down, height) && is_inside(self.across, width) {
            Ok(())
        } else {
            Err(Error::invalid_argument("the part to scale is not in the picture"))
        }
    }

    /// Whether nothing is cut off the picture and nothing scaled.
    // The least part that is cut off counts.
    #[allow(clippy::float_cmp)]
    pub fn keeps_all_of(&self, source: &Source) -> bool {
        let is_whole = |part: Part, length: usize| part.start == 0.0 && part.extent == length as f64;
        let (height, width) = source.upright_size();
        (self.height, self.width) == (height, width)
            && is_whole(self.down, height)
            && is_whole(self.across, width)
    }
}

//! The rows of a batch, and what a frame must be to fill one.

use crate::decoding::coefficient::Coefficient;
use crate::error::{Error, Result};
use crate::geometry::layout::Layout;
use crate::geometry::sampling::Sampling;

/// One frame of a batch, the row of the planes that it is decoded into, and what went wrong.
pub struct Row<'a, T> {
    pub frame: &'a [u8],
    pub y: &'a mut [T],
    pub c: &'a mut [T],
    /// The row holds the frame's coefficients, or zeros where there is an error.
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

    /// Fill the row with zeros.
    pub fn clear(&mut self) {
        self.y.fill(T::default());
        self.c.fill(T::default());
    }
}

/// What all frames of a batch must have in common.
#[derive(Clone, Copy)]
pub struct BatchSize {
    pub height: usize,
    pub width: usize,
    /// The planes take levels, so that all frames must have the steps of the decoder's tables.
    pub is_levels: bool,
}

impl BatchSize {
    /// Refuse a frame of another size or sampling.
    pub fn require(&self, layout: &Layout) -> Result<()> {
        self.require_size(layout)?;
        if layout.sampling == Sampling::Yuv420 {
            Ok(())
        } else {
            Err(self.misfit(layout))
        }
    }

    /// Refuse a frame of another size.
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

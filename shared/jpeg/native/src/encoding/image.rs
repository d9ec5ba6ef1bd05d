//! The images that are encoded: component values or colours side by side in memory.

use crate::error::{Error, Result};
use crate::geometry::layout::Layout;
use crate::geometry::sampling::Sampling;

/// One image or several: rows of pixels of three channels (RGB or YCbCr) or of one (grey).
#[derive(Clone, Copy)]
pub struct Image<'a> {
    pub pixels: &'a [u8],
    pub channels: usize,
}

impl<'a> Image<'a> {
    /// Refuse anything but `count` images of the layout's size.
    ///
    /// # Errors
    /// There are more or fewer pixels, or they are grey and the layout has colour.
    pub fn require(&self, layout: &Layout, count: usize) -> Result<()> {
        if self.channels == 1 && layout.sampling != Sampling::Grey {
            return Err(Error::invalid_argument(
                "grey pixels for tables of a colour sampling",
            ));
        }
        if self.pixels.len() != count * layout.height * layout.width * self.channels {
            return Err(Error::invalid_argument("the pixels do not fill the images"));
        }
        Ok(())
    }

    /// The images one by one, each of `area` pixels.
    pub fn each(self, area: usize) -> impl Iterator<Item = Image<'a>> {
        self.pixels
            .chunks_exact(area * self.channels)
            .map(move |pixels| Image { pixels, ..self })
    }
}

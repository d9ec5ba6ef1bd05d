//! How a frame divides into MCUs and blocks (T.81 A.1.1, A.2).

use std::ops::Range;

use crate::error::{Error, Result};
use crate::geometry::block::BLOCK_SIDE;
use crate::geometry::sampling::Sampling;

/// One component's sampling factors (T.81 A.1.1), and its size in blocks without those that only pad the last MCUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ComponentLayout {
    pub horizontal: usize,
    pub vertical: usize,
    pub block_rows: usize,
    pub block_columns: usize,
}

impl ComponentLayout {
    pub fn area(&self) -> usize {
        self.block_rows * self.block_columns
    }

    /// The block rows of an MCU row that lie inside the component.
    pub fn rows_of(&self, mcu_row: usize) -> Range<usize> {
        span(mcu_row, self.vertical, self.block_rows)
    }

    /// The block columns of an MCU column that lie inside the component.
    pub fn columns_of(&self, mcu_column: usize) -> Range<usize> {
        span(mcu_column, self.horizontal, self.block_columns)
    }
}

/// The grid of a whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub height: usize,
    pub width: usize,
    pub sampling: Sampling,
    pub mcu_rows: usize,
    pub mcu_columns: usize,
    components: [ComponentLayout; 3],
}

impl Layout {
    /// The grid for one or three components of these sampling factors (horizontal, vertical); the first has the largest.
    pub fn new(height: usize, width: usize, sampling: Sampling, factors: &[(usize, usize)]) -> Self {
        let (h_max, v_max) = factors[0];
        let mut components = [ComponentLayout::default(); 3];
        for (component, &(horizontal, vertical)) in components.iter_mut().zip(factors) {
            *component = ComponentLayout {
                horizontal,
                vertical,
                block_rows: div_ceil(div_ceil(height * vertical, v_max), BLOCK_SIDE),
                block_columns: div_ceil(div_ceil(width * horizontal, h_max), BLOCK_SIDE),
            };
        }
        Self {
            height,
            width,
            sampling,
            mcu_rows: div_ceil(height, BLOCK_SIDE * v_max),
            mcu_columns: div_ceil(width, BLOCK_SIDE * h_max),
            components,
        }
    }

    /// The grid that our encoder uses for an image of this size and sampling.
    pub fn of_image(height: usize, width: usize, sampling: Sampling) -> Result<Self> {
        if height == 0 || width == 0 || height > 65535 || width > 65535 {
            return Err(Error::invalid_argument(format!(
                "an image of {height} x {width} does not fit in a JPEG: each side must have 1 to 65535 pixels"
            )));
        }
        let factors = [sampling.luma_factors(), (1, 1), (1, 1)];
        Ok(Self::new(
            height,
            width,
            sampling,
            &factors[..sampling.components()],
        ))
    }

    pub fn components(&self) -> &[ComponentLayout] {
        &self.components[..self.sampling.components()]
    }

    /// The number of blocks that only pad a component's last MCUs.
    pub fn padding_blocks(&self, component: &ComponentLayout) -> usize {
        let blocks_an_mcu = component.horizontal * component.vertical;
        self.mcu_rows * self.mcu_columns * blocks_an_mcu - component.area()
    }

    /// The number of blocks of all components, without those that only pad the last MCUs.
    pub fn blocks(&self) -> usize {
        self.components().iter().map(ComponentLayout::area).sum()
    }
}

fn span(mcu: usize, blocks_an_mcu: usize, blocks: usize) -> Range<usize> {
    mcu * blocks_an_mcu..((mcu + 1) * blocks_an_mcu).min(blocks)
}

pub fn div_ceil(value: usize, by: usize) -> usize {
    (value + by - 1) / by
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_17_by_33_image_in_420_has_padded_mcus_but_unpadded_blocks() {
        let layout = Layout::of_image(17, 33, Sampling::Yuv420).unwrap();
        assert_eq!((layout.mcu_rows, layout.mcu_columns), (2, 3));
        assert_eq!(
            (
                layout.components()[0].block_rows,
                layout.components()[0].block_columns
            ),
            (3, 5)
        );
        assert_eq!(
            (
                layout.components()[1].block_rows,
                layout.components()[1].block_columns
            ),
            (2, 3)
        );
    }
}

//! How an image divides into MCUs and blocks (T.81 A.1.1, A.2).

use std::fmt;
use std::ops::Range;

use crate::error::{Error, Result};

pub const BLOCK_SIDE: usize = 8;
pub const BLOCK_AREA: usize = 64;

/// Natural (row by row) index of each zig-zag position, T.81 figure 5.
pub const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Sampling {
    Grey = 0,
    Yuv444 = 1,
    Yuv422 = 2,
    Yuv420 = 3,
}

impl fmt::Display for Sampling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Grey => "grey",
            Self::Yuv444 => "4:4:4",
            Self::Yuv422 => "4:2:2",
            Self::Yuv420 => "4:2:0",
        })
    }
}

impl Sampling {
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Grey, Self::Yuv444, Self::Yuv422, Self::Yuv420]
            .into_iter()
            .find(|sampling| *sampling as u8 == code)
    }

    pub fn components(self) -> usize {
        if self == Self::Grey {
            1
        } else {
            3
        }
    }

    /// Sampling factors (horizontal, vertical) of the first component; chroma has (1, 1).
    pub fn luma_factors(self) -> (usize, usize) {
        match self {
            Self::Grey | Self::Yuv444 => (1, 1),
            Self::Yuv422 => (2, 1),
            Self::Yuv420 => (2, 2),
        }
    }
}

/// One component's factors and its size in blocks, padding of the last MCUs not counted.
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

    /// Block rows of an MCU row, without those that only pad.
    pub fn rows_of(&self, mcu_row: usize) -> Range<usize> {
        span(mcu_row, self.vertical, self.block_rows)
    }

    /// Block columns of an MCU column, without those that only pad.
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
    /// The grid for `factors` (horizontal, vertical) of one or three components, the first the largest.
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

    /// The grid our own encoder uses for an image.
    pub fn of_image(height: usize, width: usize, sampling: Sampling) -> Result<Self> {
        if height == 0 || width == 0 || height > 65535 || width > 65535 {
            return Err(Error::invalid_argument(format!(
                "an image of {height} x {width} does not fit in a JPEG (1 to 65535 a side)"
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

    /// Blocks of a component's MCUs that lie outside it.
    pub fn padding_blocks(&self, component: &ComponentLayout) -> usize {
        let blocks_an_mcu = component.horizontal * component.vertical;
        self.mcu_rows * self.mcu_columns * blocks_an_mcu - component.area()
    }

    /// Blocks of all components, padding not counted.
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
    fn zigzag_is_a_permutation() {
        let mut seen = [false; 64];
        for index in ZIGZAG {
            seen[index as usize] = true;
        }
        assert!(seen.iter().all(|&s| s));
    }

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

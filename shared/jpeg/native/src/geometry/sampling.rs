//! The samplings that are read and written: how many components a frame has, and their sampling factors (T.81 A.1.1).

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Sampling {
    Grey = 0,
    Yuv444 = 1,
    Yuv422 = 2,
    Yuv420 = 3,
    Yuv440 = 4,
    Yuv411 = 5,
}

impl fmt::Display for Sampling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Grey => "grey",
            Self::Yuv444 => "4:4:4",
            Self::Yuv422 => "4:2:2",
            Self::Yuv420 => "4:2:0",
            Self::Yuv440 => "4:4:0",
            Self::Yuv411 => "4:1:1",
        })
    }
}

impl Sampling {
    pub const ALL: [Self; 6] = [
        Self::Grey,
        Self::Yuv444,
        Self::Yuv422,
        Self::Yuv420,
        Self::Yuv440,
        Self::Yuv411,
    ];

    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|sampling| *sampling as u8 == code)
    }

    pub fn components(self) -> usize {
        if self == Self::Grey {
            1
        } else {
            3
        }
    }

    /// The sampling of a frame whose rows and columns have changed places; `None` where none is read.
    pub fn transposed(self) -> Option<Self> {
        match self {
            Self::Grey | Self::Yuv444 | Self::Yuv420 => Some(self),
            Self::Yuv422 => Some(Self::Yuv440),
            Self::Yuv440 => Some(Self::Yuv422),
            Self::Yuv411 => None,
        }
    }

    /// The sampling factors (horizontal, vertical) of the first component; those of the others are (1, 1).
    pub fn luma_factors(self) -> (usize, usize) {
        match self {
            Self::Grey | Self::Yuv444 => (1, 1),
            Self::Yuv422 => (2, 1),
            Self::Yuv420 => (2, 2),
            Self::Yuv440 => (1, 2),
            Self::Yuv411 => (4, 1),
        }
    }
}

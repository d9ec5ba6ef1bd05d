//! How a stored picture is turned to stand upright (CIPA DC-008, tag 0x0112).

/// Columns and rows of the stored picture are reversed, then rows and columns change places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation {
    pub reverses_columns: bool,
    pub reverses_rows: bool,
    pub is_transposed: bool,
}

impl Orientation {
    /// The orientation of this number in Exif; of any but 2 to 8 the picture is upright as it is.
    pub fn from_exif(number: u8) -> Self {
        Self {
            reverses_columns: matches!(number, 2 | 3 | 7 | 8),
            reverses_rows: matches!(number, 3 | 4 | 6 | 7),
            is_transposed: matches!(number, 5..=8),
        }
    }

    pub fn is_upright(self) -> bool {
        self == Self::from_exif(1)
    }

    /// (height, width) of the upright picture from those of the stored one, or the other way round.
    pub fn turned<T>(self, (height, width): (T, T)) -> (T, T) {
        if self.is_transposed {
            (width, height)
        } else {
            (height, width)
        }
    }
}

//! How a picture must be turned to stand upright, as Exif says it (CIPA DC-008, tag 0x0112).

/// With this an APP1 segment says that it holds Exif.
const PREFIX: &[u8] = b"Exif\0\0";
const ORIENTATION: u16 = 0x0112;
const ENTRY_BYTES: usize = 12;
/// The orientation of a picture that is upright as it is.
pub const UPRIGHT: u8 = 1;

/// The orientation, 1 to 8, in an Exif block with or without its prefix.
///
/// It is the first entry of tag 0x0112 in the first directory (IFD0). Whatever is not one such number, or cannot be
/// reached, means 1, for a picture's orientation is no reason to refuse it.
pub fn exif_orientation(block: &[u8]) -> u8 {
    let tiff = block.strip_prefix(PREFIX).unwrap_or(block);
    in_first_directory(tiff)
        .filter(|orientation| (1..=8).contains(orientation))
        .map_or(UPRIGHT, |orientation| orientation as u8)
}

/// The orientation in the body of an APP1 segment; `None` where it is not Exif.
pub fn app1_orientation(body: &[u8]) -> Option<u8> {
    body.strip_prefix(PREFIX).map(exif_orientation)
}

fn in_first_directory(tiff: &[u8]) -> Option<u32> {
    let number = Numbers::of(tiff)?;
    if number.u16(tiff, 2)? != 42 {
        return None;
    }
    let directory = tiff.get(number.u32(tiff, 4)? as usize..)?;
    let count = usize::from(number.u16(directory, 0)?);
    let mut entries = directory[2..].chunks_exact(ENTRY_BYTES).take(count);
    let entry = entries.find(|entry| number.u16(entry, 0) == Some(ORIENTATION))?;
    if number.u32(entry, 4)? != 1 {
        return None;
    }
    // What is shorter than four bytes stands at their start (TIFF 6.0, section 2).
    match number.u16(entry, 2)? {
        1 => entry.get(8).copied().map(u32::from),
        3 => number.u16(entry, 8).map(u32::from),
        4 => number.u32(entry, 8),
        _ => None,
    }
}

/// Which of a number's bytes comes first.
#[derive(Clone, Copy)]
enum Numbers {
    LittleEndian,
    BigEndian,
}

impl Numbers {
    fn of(tiff: &[u8]) -> Option<Self> {
        match tiff.get(..2)? {
            b"II" => Some(Self::LittleEndian),
            b"MM" => Some(Self::BigEndian),
            _ => None,
        }
    }

    fn u16(self, data: &[u8], at: usize) -> Option<u16> {
        let bytes = data.get(at..)?.get(..2)?.try_into().ok()?;
        Some(match self {
            Self::LittleEndian => u16::from_le_bytes(bytes),
            Self::BigEndian => u16::from_be_bytes(bytes),
        })
    }

    fn u32(self, data: &[u8], at: usize) -> Option<u32> {
        let bytes = data.get(at..)?.get(..4)?.try_into().ok()?;
        Some(match self {
            Self::LittleEndian => u32::from_le_bytes(bytes),
            Self::BigEndian => u32::from_be_bytes(bytes),
        })
    }
}

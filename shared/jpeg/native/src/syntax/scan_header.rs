//! The scan header (T.81 B.2.3): which components a scan holds, and the destinations of their Huffman tables.

use crate::error::{Error, Result};
use crate::geometry::layout::Layout;
use crate::syntax::frame_header::Frame;

/// A component as the scan header names it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SelectedComponent {
    /// Its index in the frame.
    pub index: usize,
    /// Destination of its DC table (Td).
    pub dc_destination: usize,
    /// Destination of its AC table (Ta).
    pub ac_destination: usize,
}

/// A scan header, and where its scan begins.
#[derive(Clone, Copy, Debug)]
pub struct ScanHeader {
    components: [SelectedComponent; 3],
    count: usize,
    /// Offset of the first entropy-coded byte.
    pub start: usize,
}

impl ScanHeader {
    /// Read the body of an SOS segment that ends at offset `start`.
    pub fn parse(body: &[u8], frame: &Frame, start: usize) -> Result<Self> {
        let count = usize::from(body.first().copied().unwrap_or(0));
        if !(1..=3).contains(&count) || body.len() != 4 + 2 * count {
            return Err(Error::corrupt(start, "a scan header (SOS) of the wrong length"));
        }
        if body[1 + 2 * count..] != [0, 63, 0] {
            return Err(Error::corrupt(
                start,
                "a sequential scan must span coefficients 0 to 63",
            ));
        }
        let mut components = [SelectedComponent::default(); 3];
        for (component, row) in components.iter_mut().zip(body[1..].chunks_exact(2).take(count)) {
            *component = selected_component(frame, row, start)?;
        }
        Ok(Self {
            components,
            count,
            start,
        })
    }

    pub fn components(&self) -> &[SelectedComponent] {
        &self.components[..self.count]
    }

    /// The number of restart markers in the scan, given how many MCUs stand between two (0: there are none).
    pub fn restarts(&self, layout: &Layout, restart_interval: usize) -> usize {
        let mcus = match self.components() {
            [lone] => layout.components()[lone.index].area(),
            _ => layout.mcu_rows * layout.mcu_columns,
        };
        mcus.saturating_sub(1).checked_div(restart_interval).unwrap_or(0)
    }
}

fn selected_component(frame: &Frame, row: &[u8], at: usize) -> Result<SelectedComponent> {
    let index = frame
        .components()
        .iter()
        .position(|component| component.id == row[0]);
    let (dc_destination, ac_destination) = (usize::from(row[1] >> 4), usize::from(row[1] & 15));
    match index {
        Some(index) if dc_destination < 4 && ac_destination < 4 => Ok(SelectedComponent {
            index,
            dc_destination,
            ac_destination,
        }),
        _ => Err(Error::corrupt(
            at,
            format!("the scan names component {} wrongly", row[0]),
        )),
    }
}

/// Refuse a frame with more blocks than its bytes from `start` on could hold: the shortest block is two codes of one
/// bit.
pub fn require_bytes(layout: &Layout, start: usize, length: usize) -> Result<()> {
    let blocks = layout.blocks();
    if blocks > 4 * (length - start) {
        return Err(Error::scan(
            start,
            format!("{blocks} blocks cannot fit in the bytes left"),
        ));
    }
    Ok(())
}

pub fn scanned_twice(at: usize) -> Error {
    Error::corrupt(at, "a component is scanned twice")
}

pub fn not_scanned(at: usize) -> Error {
    Error::corrupt(at, "a component has no scan")
}

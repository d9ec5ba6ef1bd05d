//! The scan header (T.81 B.2.3): which components a scan holds, what of them, and by which Huffman tables.

use crate::error::{Error, Result};
use crate::geometry::layout::Layout;
use crate::syntax::frame_header::Frame;
use crate::tables::huffman::Class;

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

/// What a scan brings of its components' blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The zig-zag positions of the first (Ss) and the last (Se) coefficient.
    pub start: usize,
    pub end: usize,
    /// The lowest bit that earlier scans have brought (Ah); 0 in a first scan.
    pub high: u8,
    /// The lowest bit that this scan brings (Al).
    pub low: u8,
}

impl Span {
    /// All of each coefficient. Some encoders leave the fields at 0, which say nothing in a sequential scan.
    fn of_sequential(fields: [u8; 3], at: usize) -> Result<Self> {
        match fields {
            [0, 63 | 0, 0] => Ok(Self {
                start: 0,
                end: 63,
                high: 0,
                low: 0,
            }),
            _ => Err(Error::corrupt(
                at,
                "a sequential scan must span coefficients 0 to 63",
            )),
        }
    }

    /// DC alone, or a band of one component's AC; a first scan, or one bit more (T.81 G.1.1.1, B.2.3).
    fn of_progressive([start, end, bits]: [u8; 3], components: usize, at: usize) -> Result<Self> {
        let (high, low) = (bits >> 4, bits & 15);
        let is_dc = start == 0 && end == 0;
        let is_band = 0 < start && start <= end && end <= 63 && components == 1;
        let is_next = high == 0 || high == low + 1;
        if !(is_dc || is_band) || !is_next || low > 13 {
            return Err(Error::corrupt(
                at,
                format!("a progressive scan of coefficients {start} to {end}, bits {high} to {low}"),
            ));
        }
        Ok(Self {
            start: usize::from(start),
            end: usize::from(end),
            high,
            low,
        })
    }

    /// Whether no earlier scan has brought anything of these coefficients.
    pub fn is_first(self) -> bool {
        self.high == 0
    }
}

/// A scan header, and where its scan begins.
#[derive(Clone, Copy, Debug)]
pub struct ScanHeader {
    components: [SelectedComponent; 3],
    count: usize,
    pub span: Span,
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
        let fields = [body[1 + 2 * count], body[2 + 2 * count], body[3 + 2 * count]];
        let span = if frame.is_progressive {
            Span::of_progressive(fields, count, start)?
        } else {
            Span::of_sequential(fields, start)?
        };
        let mut components = [SelectedComponent::default(); 3];
        for (component, row) in components.iter_mut().zip(body[1..].chunks_exact(2).take(count)) {
            *component = selected_component(frame, row, start)?;
        }
        Ok(Self {
            components,
            count,
            span,
            start,
        })
    }

    pub fn components(&self) -> &[SelectedComponent] {
        &self.components[..self.count]
    }

    /// Whether the scan has codes of a table of this class.
    pub fn has_codes(&self, class: Class) -> bool {
        match class {
            Class::Dc => self.span.start == 0 && self.span.is_first(),
            Class::Ac => self.span.end > 0,
        }
    }

    /// The number of MCU rows and columns: a lone component's MCUs are its blocks (T.81 A.2.2).
    pub fn mcu_grid(&self, layout: &Layout) -> (usize, usize) {
        match self.components() {
            [lone] => {
                let component = &layout.components()[lone.index];
                (component.block_rows, component.block_columns)
            }
            _ => (layout.mcu_rows, layout.mcu_columns),
        }
    }

    /// The number of restart markers in the scan, given how many MCUs stand between two (0: there are none).
    pub fn restarts(&self, layout: &Layout, restart_interval: usize) -> usize {
        let (rows, columns) = self.mcu_grid(layout);
        (rows * columns)
            .saturating_sub(1)
            .checked_div(restart_interval)
            .unwrap_or(0)
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

/// The least bits that a block takes in the scans of a frame: one for each code that it must have.
pub const SEQUENTIAL_BLOCK_BITS: usize = 2;
pub const PROGRESSIVE_BLOCK_BITS: usize = 1;

/// Refuse a frame with more blocks, each of `block_bits` or more, than its bytes from `start` on could hold.
pub fn require_bytes(layout: &Layout, block_bits: usize, start: usize, length: usize) -> Result<()> {
    let blocks = layout.blocks();
    if blocks > 8 / block_bits * (length - start) {
        return Err(Error::scan(
            start,
            format!("{blocks} blocks cannot fit in the bytes left"),
        ));
    }
    Ok(())
}

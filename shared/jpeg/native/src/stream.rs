//! A stream walked from SOI to EOI (T.81 annex B), stopping at each scan.

use crate::error::{Error, Result};
use crate::frame::{refused_process, unsupported, Colours, Frame};
use crate::huffman::Spec;
use crate::layout::{Layout, ZIGZAG};
use crate::markers::{Limits, APP0, APP10, APP14, COM, DHT, DNL, DQT, DRI, EOI, RST0, SOF0, SOF1, SOI, SOS};
use crate::quant::QuantTable;
use crate::tables::{TablesId, APP10_TAG};

#[derive(Clone, Copy, Debug, Default)]
pub struct ScanComponent {
    /// Index in the frame.
    pub index: usize,
    pub dc_slot: usize,
    pub ac_slot: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Scan {
    components: [ScanComponent; 3],
    count: usize,
    /// Offset of the first entropy-coded byte.
    pub start: usize,
}

impl Scan {
    pub fn components(&self) -> &[ScanComponent] {
        &self.components[..self.count]
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Stop {
    Scan(Scan),
    End,
}

/// A stream being walked, and what its segments said so far.
pub struct Stream<'a> {
    data: &'a [u8],
    position: usize,
    limits: Limits,
    markers: u64,
    scans: u64,
    pub frame: Option<Frame>,
    pub quant: [Option<QuantTable>; 4],
    pub dc: [Option<Spec>; 4],
    pub ac: [Option<Spec>; 4],
    /// A DQT or DHT was met: the stream brings its own tables.
    pub has_tables: bool,
    pub restart_interval: usize,
    pub tables_id: Option<TablesId>,
    pub sampling_claim: Option<u8>,
    colours: Colours,
}

impl<'a> Stream<'a> {
    pub fn new(data: &'a [u8], limits: Limits) -> Result<Self> {
        Limits::require("max_bytes", limits.bytes, data.len() as u64)?;
        if data.get(..3) != Some(&[0xFF, SOI, 0xFF]) {
            return Err(Error::not_a_jpeg(
                "it does not begin with FF D8 FF (start of image)",
            ));
        }
        Ok(Self {
            data,
            position: 2,
            limits,
            markers: 0,
            scans: 0,
            frame: None,
            quant: [None; 4],
            dc: [None; 4],
            ac: [None; 4],
            has_tables: false,
            restart_interval: 0,
            tables_id: None,
            sampling_claim: None,
            colours: Colours::default(),
        })
    }

    /// Go on behind a scan whose end was found.
    pub fn resume_at(&mut self, position: usize) {
        self.position = position;
    }

    /// Offset of the marker that ends the entropy-coded data at `start`, restart markers passed over.
    pub fn scan_end(&self, start: usize) -> Result<usize> {
        let data = self.data;
        let mut position = start;
        while let Some(skip) = data[position..].iter().position(|&byte| byte == 0xFF) {
            position += skip;
            let after_fill = data[position..].iter().position(|&byte| byte != 0xFF);
            let next = after_fill.map(|fill| (position + fill, data[position + fill]));
            match next {
                Some((at, 0)) if at == position + 1 => position = at + 1,
                Some((at, marker)) if marker & 0xF8 == RST0 => position = at + 1,
                Some(_) => return Ok(position),
                None => break,
            }
        }
        Err(Error::scan(data.len(), "the data end inside a scan"))
    }

    /// Read segments up to the next scan, or the end of the image.
    pub fn next_stop(&mut self) -> Result<Stop> {
        loop {
            let at = self.position;
            let marker = self.marker()?;
            match marker {
                EOI => return Ok(Stop::End),
                SOI | RST0..=0xD7 | 0x00..=0xBF | 0xF0..=0xFD => {
                    return Err(Error::corrupt(
                        at,
                        format!("marker FF{marker:02X} has no place here"),
                    ))
                }
                DNL => return Err(unsupported("a height given late (DNL)")),
                _ => {}
            }
            let body = self.body()?;
            if marker == SOS {
                return self.scan(body).map(Stop::Scan);
            }
            self.segment(marker, body, at)?;
        }
    }

    /// The next marker's code, fill bytes passed over (T.81 B.1.1.2).
    fn marker(&mut self) -> Result<u8> {
        let at = self.position;
        let rest = self.data.get(at..).unwrap_or_default();
        let fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
        let code = rest.get(fill).copied();
        match code {
            None => Err(Error::corrupt(
                self.data.len(),
                "the data end before the end of image (EOI)",
            )),
            Some(byte) if fill == 0 => Err(Error::corrupt(
                at,
                format!("{byte:#04x} where a marker must stand"),
            )),
            Some(code) => {
                self.markers += 1;
                Limits::require("max_markers", self.limits.markers, self.markers)?;
                self.position = at + fill + 1;
                Ok(code)
            }
        }
    }

    /// The body of the segment whose length stands at the position.
    fn body(&mut self) -> Result<&'a [u8]> {
        let at = self.position;
        let cut = || Error::corrupt(self.data.len(), "the data end inside a marker segment");
        let length = self.data.get(at..at + 2).ok_or_else(cut)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        if length < 2 {
            return Err(Error::corrupt(at, format!("a segment of length {length}")));
        }
        let body = self.data.get(at + 2..at + length).ok_or_else(cut)?;
        self.position = at + length;
        Ok(body)
    }

    fn segment(&mut self, marker: u8, body: &[u8], at: usize) -> Result<()> {
        match marker {
            SOF0 | SOF1 if self.frame.is_some() => Err(Error::corrupt(at, "a second frame header (SOF)")),
            SOF0 | SOF1 => {
                self.frame = Some(Frame::parse(marker, body, at, &self.limits)?);
                Ok(())
            }
            DQT => self.quant_tables(body, at),
            DHT => self.huffman_tables(body, at),
            DRI => self.define_restart(body, at),
            APP0 if body.starts_with(b"JFIF\0") => {
                self.colours.is_jfif = true;
                Ok(())
            }
            APP10 => {
                self.claim(body);
                Ok(())
            }
            APP14 if body.starts_with(b"Adobe") => {
                self.colours.adobe_transform = body.get(11).copied();
                Ok(())
            }
            APP0..=0xEF | COM => Ok(()),
            _ => Err(unsupported(refused_process(marker))),
        }
    }

    fn claim(&mut self, body: &[u8]) {
        match body {
            [a, b, sampling] if [*a, *b] == APP10_TAG => self.sampling_claim = Some(*sampling),
            [a, b, id @ ..] if [*a, *b] == APP10_TAG => {
                if let Ok(id) = id.try_into() {
                    self.tables_id = Some(id);
                }
            }
            _ => {}
        }
    }

    fn define_restart(&mut self, body: &[u8], at: usize) -> Result<()> {
        match body {
            [high, low] => {
                self.restart_interval = usize::from(u16::from_be_bytes([*high, *low]));
                Ok(())
            }
            _ => Err(Error::corrupt(at, "a restart interval (DRI) of the wrong length")),
        }
    }

    fn quant_tables(&mut self, mut body: &[u8], at: usize) -> Result<()> {
        self.has_tables = true;
        while let Some((&head, rest)) = body.split_first() {
            let (precision, slot) = (head >> 4, usize::from(head & 15));
            if precision > 1 || slot > 3 {
                return Err(Error::corrupt(
                    at,
                    format!("quantisation table {slot} of precision {precision}"),
                ));
            }
            let size = 64 << precision;
            if rest.len() < size {
                return Err(Error::corrupt(at, "a quantisation table (DQT) is cut short"));
            }
            let (values, rest) = rest.split_at(size);
            let mut table = [0; 64];
            for (position, &natural) in ZIGZAG.iter().enumerate() {
                table[natural as usize] = step(values, precision, position, at)?;
            }
            self.quant[slot] = Some(table);
            body = rest;
        }
        Ok(())
    }

    fn huffman_tables(&mut self, mut body: &[u8], at: usize) -> Result<()> {
        self.has_tables = true;
        while let Some((&head, rest)) = body.split_first() {
            let (class, slot) = (head >> 4, usize::from(head & 15));
            if class > 1 || slot > 3 {
                return Err(Error::corrupt(
                    at,
                    format!("Huffman table {slot} of class {class}"),
                ));
            }
            let cut = || Error::corrupt(at, "a Huffman table (DHT) is cut short");
            let counts: [u8; 16] = rest.get(..16).and_then(|b| b.try_into().ok()).ok_or_else(cut)?;
            let total = counts.iter().map(|&count| usize::from(count)).sum::<usize>();
            let values = rest.get(16..16 + total).ok_or_else(cut)?;
            let spec = Spec::new(counts, values)
                .map_err(|fault| Error::corrupt(at, format!("Huffman table {class}/{slot}: {fault}")))?;
            let tables = if class == 0 { &mut self.dc } else { &mut self.ac };
            tables[slot] = Some(spec);
            body = &rest[16 + total..];
        }
        Ok(())
    }

    fn scan(&mut self, body: &[u8]) -> Result<Scan> {
        let start = self.position;
        self.scans += 1;
        Limits::require("max_scans", self.limits.scans, self.scans)?;
        let frame = self
            .frame
            .ok_or_else(|| Error::corrupt(start, "a scan (SOS) before the frame (SOF)"))?;
        self.colours.require_ycbcr(&frame)?;
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
        let mut components = [ScanComponent::default(); 3];
        for (component, row) in components.iter_mut().zip(body[1..].chunks_exact(2).take(count)) {
            *component = scan_component(&frame, row, start)?;
        }
        if self.scans == 1 {
            require_bytes(&frame.layout, start, self.data.len())?;
        }
        self.require_restarts(&frame, &components[..count])?;
        Ok(Scan {
            components,
            count,
            start,
        })
    }

    /// Hold the scan's restart markers to their limit before any of them is looked for.
    fn require_restarts(&self, frame: &Frame, scanned: &[ScanComponent]) -> Result<()> {
        let mcus = match scanned {
            [lone] => frame.layout.components()[lone.index].area(),
            _ => frame.layout.mcu_rows * frame.layout.mcu_columns,
        };
        let restarts = mcus
            .saturating_sub(1)
            .checked_div(self.restart_interval)
            .unwrap_or(0);
        Limits::require("max_restarts", self.limits.restarts, restarts as u64)
    }
}

/// Refuse more blocks than the bytes from `start` on could hold: the shortest block is two codes of one bit.
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

fn scan_component(frame: &Frame, row: &[u8], at: usize) -> Result<ScanComponent> {
    let index = frame
        .components()
        .iter()
        .position(|component| component.id == row[0]);
    let (dc_slot, ac_slot) = (usize::from(row[1] >> 4), usize::from(row[1] & 15));
    match index {
        Some(index) if dc_slot < 4 && ac_slot < 4 => Ok(ScanComponent {
            index,
            dc_slot,
            ac_slot,
        }),
        _ => Err(Error::corrupt(
            at,
            format!("the scan names component {} wrongly", row[0]),
        )),
    }
}

fn step(values: &[u8], precision: u8, position: usize, at: usize) -> Result<u8> {
    let value = match precision {
        0 => u16::from(values[position]),
        _ => u16::from_be_bytes([values[2 * position], values[2 * position + 1]]),
    };
    match u8::try_from(value) {
        Ok(0) => Err(Error::corrupt(at, "a quantisation table holds a zero")),
        Ok(step) => Ok(step),
        Err(_) => Err(unsupported("quantisation steps above 255")),
    }
}

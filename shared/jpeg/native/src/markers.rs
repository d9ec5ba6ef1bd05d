//! Marker segments (T.81 annex B): a stream is walked from SOI to EOI, stopping at each scan.

use crate::error::{Error, Result};
use crate::huffman::Spec;
use crate::layout::{Layout, Sampling, ZIGZAG};
use crate::quant::QuantTable;
use crate::tables::{TablesId, APP10_TAG};

pub const SOF0: u8 = 0xC0;
pub const SOF1: u8 = 0xC1;
pub const DHT: u8 = 0xC4;
pub const RST0: u8 = 0xD0;
pub const SOI: u8 = 0xD8;
pub const EOI: u8 = 0xD9;
pub const SOS: u8 = 0xDA;
pub const DQT: u8 = 0xDB;
pub const DNL: u8 = 0xDC;
pub const DRI: u8 = 0xDD;
pub const APP0: u8 = 0xE0;
pub const APP10: u8 = 0xEA;
pub const APP14: u8 = 0xEE;
pub const COM: u8 = 0xFE;

pub fn write_marker(out: &mut Vec<u8>, marker: u8) {
    out.extend([0xFF, marker]);
}

/// Marker, length, body.
pub fn write_segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    write_marker(out, marker);
    out.extend(((body.len() + 2) as u16).to_be_bytes());
    out.extend(body);
}

/// What a stream may cost, checked before anything is allocated.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub bytes: u64,
    pub pixels: u64,
    pub side: u64,
    pub scans: u64,
    pub markers: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            pixels: 16 << 20,
            side: 65500,
            scans: 3,
            markers: 1000,
        }
    }
}

impl Limits {
    fn require(name: &str, limit: u64, actual: u64) -> Result<()> {
        if actual > limit {
            Err(Error::over_limit(name, limit, actual))
        } else {
            Ok(())
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Component {
    pub id: u8,
    pub quant_slot: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub layout: Layout,
    pub components: [Component; 3],
}

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
    is_jfif: bool,
    adobe_transform: Option<u8>,
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
            is_jfif: false,
            adobe_transform: None,
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
            SOF0 | SOF1 => self.start_of_frame(marker, body, at),
            DQT => self.quant_tables(body, at),
            DHT => self.huffman_tables(body, at),
            DRI => self.define_restart(body, at),
            APP0 if body.starts_with(b"JFIF\0") => {
                self.is_jfif = true;
                Ok(())
            }
            APP10 => {
                self.claim(body);
                Ok(())
            }
            APP14 if body.starts_with(b"Adobe") => {
                self.adobe_transform = body.get(11).copied();
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

    fn start_of_frame(&mut self, marker: u8, body: &[u8], at: usize) -> Result<()> {
        if self.frame.is_some() {
            return Err(Error::corrupt(at, "a second frame header (SOF)"));
        }
        if body.len() < 6 || body.len() != 6 + 3 * usize::from(body[5]) {
            return Err(Error::corrupt(at, "a frame header (SOF) of the wrong length"));
        }
        if body[0] != 8 {
            return Err(unsupported(&format!(
                "{} bits a sample (SOF{})",
                body[0],
                marker & 15
            )));
        }
        let height = usize::from(u16::from_be_bytes([body[1], body[2]]));
        let width = usize::from(u16::from_be_bytes([body[3], body[4]]));
        self.require_size(height, width, at)?;
        let rows: Vec<&[u8]> = body[6..].chunks_exact(3).take(4).collect();
        let sampling = self.sampling_of(&rows, at)?;
        let mut components = [Component::default(); 3];
        let mut factors = [(1, 1); 3];
        for (index, row) in rows.iter().enumerate() {
            if row[2] > 3 || rows[..index].iter().any(|earlier| earlier[0] == row[0]) {
                return Err(Error::corrupt(
                    at,
                    format!("component {} is malformed or named twice", row[0]),
                ));
            }
            components[index] = Component {
                id: row[0],
                quant_slot: usize::from(row[2]),
            };
            factors[index] = (usize::from(row[1] >> 4), usize::from(row[1] & 15));
        }
        if sampling == Sampling::Grey {
            // T.81 A.2.2: a lone component is not interleaved, its factors mean nothing.
            factors[0] = (1, 1);
        }
        let layout = Layout::new(height, width, sampling, &factors[..sampling.components()]);
        self.frame = Some(Frame { layout, components });
        Ok(())
    }

    fn require_size(&self, height: usize, width: usize, at: usize) -> Result<()> {
        if height == 0 {
            return Err(unsupported("a height given late (DNL)"));
        }
        if width == 0 {
            return Err(Error::corrupt(at, "a frame of width 0"));
        }
        Limits::require("max_side", self.limits.side, height.max(width) as u64)?;
        Limits::require("max_pixels", self.limits.pixels, height as u64 * width as u64)
    }

    /// What the components' sampling factors and the colour markers amount to.
    fn sampling_of(&self, rows: &[&[u8]], at: usize) -> Result<Sampling> {
        let factors: Vec<(u8, u8)> = rows.iter().map(|row| (row[1] >> 4, row[1] & 15)).collect();
        if factors
            .iter()
            .any(|&(h, v)| !(1..=4).contains(&h) || !(1..=4).contains(&v))
        {
            return Err(Error::corrupt(at, "a sampling factor outside 1 to 4"));
        }
        let (luma, chroma) = match factors[..] {
            [_] => return Ok(Sampling::Grey),
            [luma, cb, cr] if cb == cr => (luma, cb),
            [_, _, _] => return Err(unsupported("chroma components of different sampling")),
            _ => return Err(unsupported(&format!("{} components", factors.len()))),
        };
        self.require_ycbcr(rows)?;
        if factors.iter().map(|&(h, v)| h * v).sum::<u8>() > 10 {
            return Err(Error::corrupt(at, "more than 10 blocks an MCU"));
        }
        [Sampling::Yuv444, Sampling::Yuv422, Sampling::Yuv420]
            .into_iter()
            .find(|sampling| {
                let (h, v) = sampling.luma_factors();
                luma == (chroma.0 * h as u8, chroma.1 * v as u8)
            })
            .ok_or_else(|| unsupported(&format!("sampling factors {luma:?} over {chroma:?}")))
    }

    /// Which colours three components are, the way libjpeg guesses.
    fn require_ycbcr(&self, rows: &[&[u8]]) -> Result<()> {
        let named_rgb = rows.iter().map(|row| row[0]).eq(*b"RGB");
        match self.adobe_transform {
            _ if self.is_jfif => Ok(()),
            Some(0) => Err(unsupported("RGB components")),
            None if named_rgb => Err(unsupported("RGB components")),
            _ => Ok(()),
        }
    }

    fn scan(&mut self, body: &[u8]) -> Result<Scan> {
        let start = self.position;
        self.scans += 1;
        Limits::require("max_scans", self.limits.scans, self.scans)?;
        let frame = self
            .frame
            .ok_or_else(|| Error::corrupt(start, "a scan (SOS) before the frame (SOF)"))?;
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
        // The shortest block is two codes of one bit: four blocks a byte.
        if self.scans == 1 && frame.layout.blocks() > 4 * (self.data.len() - start) {
            let blocks = frame.layout.blocks();
            return Err(Error::scan(
                start,
                format!("{blocks} blocks cannot fit in the bytes left"),
            ));
        }
        Ok(Scan {
            components,
            count,
            start,
        })
    }
}

fn scan_component(frame: &Frame, row: &[u8], at: usize) -> Result<ScanComponent> {
    let known = &frame.components[..frame.layout.components().len()];
    let index = known.iter().position(|component| component.id == row[0]);
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

fn unsupported(what: &str) -> Error {
    Error::unsupported(format!("{what}: only 8-bit sequential Huffman JPEG is read"))
}

/// The name of a process (T.81 table B.1) that we do not read.
fn refused_process(marker: u8) -> &'static str {
    match marker {
        0xC2 => "progressive (SOF2)",
        0xC3 => "lossless (SOF3)",
        0xC5..=0xC7 => "hierarchical, Huffman coded (SOF5 to SOF7)",
        0xC8 => "JPEG extensions (JPG)",
        0xC9 => "arithmetic coding, sequential (SOF9)",
        0xCA => "arithmetic coding, progressive (SOF10)",
        0xCB => "arithmetic coding, lossless (SOF11)",
        0xCC => "arithmetic coding (DAC)",
        0xCD..=0xCF => "hierarchical, arithmetic coding (SOF13 to SOF15)",
        0xDE | 0xDF => "hierarchical (DHP, EXP)",
        _ => "an unknown marker",
    }
}

//! The walk through a stream from SOI to EOI (T.81 annex B), which stops at each scan.

use crate::error::{Error, Result};
use crate::syntax::colours::Colours;
use crate::syntax::frame_header::Frame;
use crate::syntax::limits::Limits;
use crate::syntax::markers::{
    APP0, APP1, APP10, APP14, COM, DHT, DNL, DQT, DRI, EOI, RST0, SOF0, SOF2, SOI, SOS,
};
use crate::syntax::orientation::{app1_orientation, UPRIGHT};
use crate::syntax::progression::Progression;
use crate::syntax::scan_header::{require_bytes, ScanHeader, PROGRESSIVE_BLOCK_BITS, SEQUENTIAL_BLOCK_BITS};
use crate::syntax::table_segments::DefinedTables;
use crate::syntax::unsupported::{refused_process, unsupported};
use crate::tables::annex_k;
use crate::tables::huffman::{Class, Spec};
use crate::tables_id::{TablesId, APP10_TAG};

/// Where the walk stops.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    Scan(ScanHeader),
    End,
}

/// A stream that is being walked, and what its segments have said so far.
pub struct Stream<'a> {
    data: &'a [u8],
    position: usize,
    limits: Limits,
    markers: u64,
    scans: u64,
    pub frame: Option<Frame>,
    pub tables: DefinedTables,
    pub restart_interval: usize,
    pub tables_id: Option<TablesId>,
    pub sampling_claim: Option<u8>,
    /// What the first Exif segment says, where it stands before the first scan.
    orientation: Option<u8>,
    colours: Colours,
    progression: Progression,
}

impl<'a> Stream<'a> {
    pub fn new(data: &'a [u8], limits: Limits) -> Result<Self> {
        Limits::require("max_bytes", limits.bytes, data.len() as u64)?;
        let after_zeros = data.iter().skip(2).find(|&&byte| byte != 0);
        if !data.starts_with(&[0xFF, SOI]) || after_zeros != Some(&0xFF) {
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
            tables: DefinedTables::NONE,
            restart_interval: 0,
            tables_id: None,
            sampling_claim: None,
            orientation: None,
            colours: Colours::default(),
            progression: Progression::NONE,
        })
    }

    /// The frame header, which must have been met before offset `at`.
    pub fn require_frame(&self, at: usize) -> Result<Frame> {
        self.frame
            .ok_or_else(|| Error::corrupt(at, "there is no frame (SOF)"))
    }

    /// Refuse a stream, read to its end at offset `at`, whose scans have not brought every coefficient of its frame.
    pub fn require_whole(&self, at: usize) -> Result<Frame> {
        let frame = self.require_frame(at)?;
        self.progression.require_whole(frame.components().len(), at)?;
        Ok(frame)
    }

    /// How the picture must be turned to stand upright: 1 to 8, as Exif says it; 1 where nothing is said.
    pub fn orientation(&self) -> u8 {
        self.orientation.unwrap_or(UPRIGHT)
    }

    /// Go on at the marker behind a scan, whose offset the caller has found.
    pub fn resume_at(&mut self, position: usize) {
        self.position = position;
    }

    /// The offset of the marker that ends the scan whose data begin at `start`, or where the data end; restart markers
    /// do not end it.
    pub fn scan_end(&self, start: usize) -> usize {
        let data = self.data;
        let mut position = start;
        while let Some(skip) = data[position..].iter().position(|&byte| byte == 0xFF) {
            position += skip;
            let after_fill = data[position..].iter().position(|&byte| byte != 0xFF);
            let next = after_fill.map(|fill| (position + fill, data[position + fill]));
            match next {
                Some((at, 0)) if at == position + 1 => position = at + 1,
                Some((at, marker)) if marker & 0xF8 == RST0 => position = at + 1,
                Some(_) | None => return position,
            }
        }
        data.len()
    }

    /// A Huffman table as the stream defines it or, where it may leave it out, that of annex K.
    ///
    /// Many cameras leave them out, as motion JPEG does. A stream that names its tables may not, because its codes are
    /// others; nor may a progressive one, which annex K has no codes for. One without any table is abbreviated and
    /// never asks.
    pub fn huffman(&self, class: Class, destination: usize) -> Option<&Spec> {
        let own = match class {
            Class::Dc => &self.tables.dc,
            Class::Ac => &self.tables.ac,
        };
        let is_sequential = self.frame.map_or(false, |frame| !frame.is_progressive);
        let annex_k = if is_sequential && self.tables_id.is_none() {
            annex_k::huffman(class, destination)
        } else {
            None
        };
        own[destination].as_ref().or(annex_k)
    }

    /// Read segments up to the next scan or the end of the image (EOI).
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

    /// The code of the next marker; fill bytes before it are skipped (T.81 B.1.1.2), and zeros, which some cameras
    /// write between segments. Where the data end behind a scan, EOI is taken to stand there.
    fn marker(&mut self) -> Result<u8> {
        let rest = self.data.get(self.position..).unwrap_or_default();
        let at = self.position + rest.iter().take_while(|&&byte| byte == 0).count();
        let rest = self.data.get(at..).unwrap_or_default();
        let fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
        let code = rest.get(fill).copied();
        match code {
            None if self.scans > 0 => Ok(EOI),
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

    /// The body of the marker segment whose length stands at the current position.
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
            SOF0..=SOF2 if self.frame.is_some() => Err(Error::corrupt(at, "a second frame header (SOF)")),
            SOF0..=SOF2 => {
                self.frame = Some(Frame::parse(marker, body, at, &self.limits)?);
                Ok(())
            }
            DQT => self.tables.read_dqt(body, at),
            DHT => self.tables.read_dht(body, at),
            DRI => self.define_restart(body, at),
            APP0 if body.starts_with(b"JFIF\0") => {
                self.colours.is_jfif = true;
                Ok(())
            }
            APP1 => {
                if self.scans == 0 && self.orientation.is_none() {
                    self.orientation = app1_orientation(body);
                }
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

    /// Read the body of an APP10 segment: a sampling, a tables id, or nothing of ours.
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

    fn scan(&mut self, body: &[u8]) -> Result<ScanHeader> {
        let start = self.position;
        self.scans += 1;
        Limits::require("max_scans", self.limits.scans, self.scans)?;
        let frame = self
            .frame
            .ok_or_else(|| Error::corrupt(start, "a scan (SOS) before the frame (SOF)"))?;
        self.colours.require_ycbcr(&frame)?;
        let scan = ScanHeader::parse(body, &frame, start)?;
        if self.scans == 1 {
            let block_bits = if frame.is_progressive {
                PROGRESSIVE_BLOCK_BITS
            } else {
                SEQUENTIAL_BLOCK_BITS
            };
            require_bytes(&frame.layout, block_bits, start, self.data.len())?;
        }
        self.progression.add(&scan)?;
        // Held to their limit before any restart marker is looked for.
        let restarts = scan.restarts(&frame.layout, self.restart_interval);
        Limits::require("max_restarts", self.limits.restarts, restarts as u64)?;
        Ok(scan)
    }
}

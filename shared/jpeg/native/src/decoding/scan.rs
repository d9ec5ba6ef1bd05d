//! Decoding of a whole scan: its entropy-coded segments, MCU by MCU (T.81 E.2.3, E.2.4).

use crate::decoding::canvas::Canvas;
use crate::decoding::coefficient::{Coefficient, Plane};
use crate::decoding::scan_plan::ScanPlan;
use crate::decoding::sequential::{decode_block, Fault};
use crate::entropy::segment::{BitReader, Segment};
use crate::error::{Error, Result};
use crate::syntax::markers::RST0;

impl ScanPlan {
    /// Decode the scan whose data begin at `start`, and return the offset of the marker behind it.
    ///
    /// The planes must hold zeros: only levels that are coded are written.
    pub fn decode<T: Coefficient>(
        &self,
        data: &[u8],
        start: usize,
        planes: &mut [Plane<'_, T>],
        segment: &mut Segment,
    ) -> Result<usize> {
        let (mcu_rows, mcu_columns) = self.mcu_grid();
        let mcus = mcu_rows * mcu_columns;
        let interval = if self.restart_interval == 0 {
            mcus
        } else {
            self.restart_interval
        };
        let mut canvas = Canvas::new(self, planes, data.len() - start);
        let mut start = start;
        let mut first = 0;
        for restart in (0..8).cycle() {
            segment.load(data, start);
            let last = mcus.min(first + interval);
            self.decode_segment(data, segment, first..last, mcu_columns, &mut canvas)?;
            if last == mcus {
                break;
            }
            start = pass_restart(data, segment.end(), restart)?;
            first = last;
        }
        Ok(segment.end())
    }

    /// Decode the MCUs of one entropy-coded segment.
    fn decode_segment<T: Coefficient>(
        &self,
        data: &[u8],
        segment: &Segment,
        mcus: std::ops::Range<usize>,
        mcu_columns: usize,
        canvas: &mut Canvas<'_, '_, T>,
    ) -> Result<()> {
        let mut reader = segment.reader();
        let mut predictors = [0; 3];
        let (mut row, mut column) = (mcus.start / mcu_columns, mcus.start % mcu_columns);
        for _ in mcus {
            let decoded = self.decode_mcu(&mut reader, canvas, &mut predictors, (row, column));
            if reader.bits_left() < 0 {
                return Err(Error::scan(segment.end(), Fault::End.to_string()));
            }
            decoded.map_err(|fault| Error::scan(segment.offset(data, &reader), fault.to_string()))?;
            column += 1;
            if column == mcu_columns {
                canvas.end_row(self, row);
                (row, column) = (row + 1, 0);
            }
        }
        if reader.bits_left() >= 8 {
            let at = segment.offset(data, &reader);
            return Err(Error::scan(at, "bytes are left over after the last block"));
        }
        Ok(())
    }

    #[inline]
    fn decode_mcu<T: Coefficient>(
        &self,
        reader: &mut BitReader<'_>,
        canvas: &mut Canvas<'_, '_, T>,
        predictors: &mut [i32; 3],
        (mcu_row, mcu_column): (usize, usize),
    ) -> std::result::Result<(), Fault> {
        for (component, predictor) in self.components.iter().zip(predictors) {
            let (rows, columns) = self.blocks_of_mcu(component);
            for row in mcu_row * rows..(mcu_row + 1) * rows {
                for column in mcu_column * columns..(mcu_column + 1) * columns {
                    if row < component.layout.block_rows && column < component.layout.block_columns {
                        let (items, starts, block) = canvas.block(component, (row % rows, row, column));
                        decode_block(reader, component, predictor, |position, level| {
                            items[starts[position] as usize + block] =
                                T::from_level(level, component.steps[position]);
                        })?;
                    } else {
                        // The block only pads the MCU: it is decoded and dropped.
                        decode_block(reader, component, predictor, |_, _| {})?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Check that the restart marker at `position` is number `expected`; the offset of the first byte behind it.
fn pass_restart(data: &[u8], position: usize, expected: u8) -> Result<usize> {
    let rest = data.get(position..).unwrap_or_default();
    let fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
    match rest.get(fill) {
        Some(&code) if code == RST0 + expected => Ok(position + fill + 1),
        _ => Err(Error::scan(
            position,
            format!("restart marker {expected} is missing"),
        )),
    }
}

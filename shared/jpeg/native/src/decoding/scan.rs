//! Decoding of a whole scan: its entropy-coded segments, MCU by MCU (T.81 E.2.3, E.2.4).

use crate::decoding::canvas::Canvas;
use crate::decoding::coefficient::{Coefficient, Plane};
use crate::decoding::fault::Fault;
use crate::decoding::scan_plan::ScanPlan;
use crate::decoding::segments::{each_segment, require_end, within};
use crate::decoding::sequential::decode_block;
use crate::entropy::segment::{BitReader, Segment};
use crate::error::Result;

impl ScanPlan {
    /// Decode the scan whose data begin at `start`, and return the offset of what stands behind it.
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
        let mut canvas = Canvas::new(self, planes, data.len() - start);
        each_segment(
            data,
            start,
            (mcus, self.restart_interval),
            segment,
            |segment, mcus| self.decode_segment(data, segment, mcus, mcu_columns, &mut canvas),
        )
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
            within(decoded, data, segment, &reader)?;
            column += 1;
            if column == mcu_columns {
                canvas.end_row(self, row);
                (row, column) = (row + 1, 0);
            }
        }
        require_end(segment, data, &reader)
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

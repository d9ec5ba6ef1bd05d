//! Quantisation: division by steps, by default rounded to the nearest with halves away from zero, as in libjpeg.

use crate::geometry::block::{BLOCK_AREA, BLOCK_SIDE};
use crate::tables::quantisation::QuantTable;
use crate::transform::dct::Block;

/// The largest coefficient times 8 that is divided exactly; those of 8-bit pictures are far smaller.
pub const MOST_TIMES_8: i16 = 8 * 3968;

/// How quotients become levels, by frequency in natural order.
#[derive(Clone, Debug)]
pub struct Rounding {
    /// What is added to a quotient's magnitude before its fraction is cut off: 0 to 1/2 step. The smaller it is, the
    /// wider is the dead zone around zero.
    pub offsets: [f64; BLOCK_AREA],
    /// Whether the frequency's level is always zero.
    pub is_masked: [bool; BLOCK_AREA],
}

impl Rounding {
    /// Rounding to the nearest, as libjpeg does.
    pub const NEAREST: Self = Self {
        offsets: [0.5; BLOCK_AREA],
        is_masked: [false; BLOCK_AREA],
    };
}

/// Division by the steps of a table: two 16-bit multiplications, of which the upper halves are kept.
#[derive(Clone, Debug)]
pub struct Quantiser {
    offsets: [u16; BLOCK_AREA],
    reciprocals: [u16; BLOCK_AREA],
    scales: [u16; BLOCK_AREA],
}

impl Quantiser {
    /// Division with rounding to the nearest.
    pub fn new(table: &QuantTable) -> Self {
        Self::rounding(table, &Rounding::NEAREST)
    }

    /// Division with a rounding of one's own.
    ///
    /// With a = |x| + 8qo, the quotient of x by 8q, offset o added and the fraction cut off, is floor(a / 8q). For
    /// a below 2^15 and b bits with q <= 2^b, that is a * (floor(2^(15 + b) / q) + 1) / 2^(18 + b), rounded down:
    /// what the reciprocal is too large adds less than a * 8q / 2^(18 + b) <= a / 2^15 < 1 in units of 1 / 8q.
    pub fn rounding(table: &QuantTable, rounding: &Rounding) -> Self {
        let mut out = Self {
            offsets: [0; BLOCK_AREA],
            reciprocals: [0; BLOCK_AREA],
            scales: [0; BLOCK_AREA],
        };
        for (index, &step) in table.iter().enumerate() {
            let step = u32::from(step);
            let bits = step.next_power_of_two().trailing_zeros();
            out.offsets[index] = (f64::from(8 * step) * rounding.offsets[index]) as u16;
            if !rounding.is_masked[index] {
                out.reciprocals[index] = ((1_u32 << (15 + bits)) / step + 1) as u16;
            }
            out.scales[index] = 1 << (14 - bits);
        }
        out
    }

    /// Whether there is a frequency that is never coded.
    pub fn masks_any(&self) -> bool {
        self.reciprocals.contains(&0)
    }

    /// Offsets, reciprocals and scales of the eight frequencies of a line.
    #[inline]
    pub fn line(&self, line: usize) -> [[u16; BLOCK_SIDE]; 3] {
        [&self.offsets, &self.reciprocals, &self.scales].map(|entries| {
            let mut own = [0; BLOCK_SIDE];
            own.copy_from_slice(&entries[line * BLOCK_SIDE..(line + 1) * BLOCK_SIDE]);
            own
        })
    }

    /// The levels of coefficients times 8, in natural order.
    #[inline]
    pub fn levels(&self, coefficients: &Block) -> Block {
        let mut levels = [0; BLOCK_AREA];
        for index in 0..BLOCK_AREA {
            let value = coefficients[index];
            let dividend = value.unsigned_abs() + self.offsets[index];
            let quotient = upper_half(dividend, self.reciprocals[index]);
            let magnitude = upper_half(quotient, self.scales[index]) as i16;
            let sign = value >> 15;
            levels[index] = (magnitude ^ sign) - sign;
        }
        levels
    }
}

#[inline]
fn upper_half(left: u16, right: u16) -> u16 {
    ((u32::from(left) * u32::from(right)) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_equals_rounded_division_for_every_step_and_value() {
        for step in 1..=255_u8 {
            let quantiser = Quantiser::new(&[step; 64]);
            let divisor = 8 * i32::from(step);
            for first in (-MOST_TIMES_8..MOST_TIMES_8).step_by(64) {
                let mut block = [0; 64];
                for (value, slot) in (first..).zip(&mut block) {
                    *slot = value;
                }
                for (value, level) in (i32::from(first)..).zip(quantiser.levels(&block)) {
                    let expected = (value.abs() + divisor / 2) / divisor * value.signum();
                    assert_eq!(i32::from(level), expected, "{value} by {step}");
                }
            }
        }
    }

    #[test]
    fn a_smaller_offset_widens_the_dead_zone_and_a_masked_frequency_is_never_coded() {
        let rounding = Rounding {
            offsets: [0.3; BLOCK_AREA],
            ..Rounding::NEAREST
        };
        for step in [1, 2, 7, 10, 128, 255_u8] {
            let quantiser = Quantiser::rounding(&[step; 64], &rounding);
            let divisor = 8 * i32::from(step);
            for value in -MOST_TIMES_8..=MOST_TIMES_8 {
                let level = quantiser.levels(&[value; BLOCK_AREA])[5];
                let expected = (i32::from(value).abs() + 3 * divisor / 10) / divisor;
                assert_eq!(i32::from(level), expected * i32::from(value.signum()));
            }
        }
        let masked = Rounding {
            is_masked: [true; BLOCK_AREA],
            ..Rounding::NEAREST
        };
        let levels = Quantiser::rounding(&[1; 64], &masked).levels(&[MOST_TIMES_8; BLOCK_AREA]);
        assert_eq!(levels, [0; BLOCK_AREA]);
    }
}

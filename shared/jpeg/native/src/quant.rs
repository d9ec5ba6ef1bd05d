//! Quantisation: rounded division, halves away from zero, as libjpeg rounds.

use crate::dct::Block;
use crate::layout::{BLOCK_AREA, BLOCK_SIDE};

/// A 64-entry table in natural order, entries 1..255.
pub type QuantTable = [u8; BLOCK_AREA];

/// Division by the table's entries as two 16-bit multiplications, each keeping the upper half.
#[derive(Clone, Debug)]
pub struct Quantiser {
    halves: [u16; BLOCK_AREA],
    reciprocals: [u16; BLOCK_AREA],
    scales: [u16; BLOCK_AREA],
}

impl Quantiser {
    /// With a = |x| + 4q, the rounded quotient of x by 8q is floor(a / 8q). For a below 2^15 and b bits with
    /// q <= 2^b, that is a * (floor(2^(15 + b) / q) + 1) / 2^(18 + b), rounded down: what the reciprocal is too
    /// large adds less than a * 8q / 2^(18 + b) <= a / 2^15 < 1 in units of 1 / 8q.
    pub fn new(table: &QuantTable) -> Self {
        let mut out = Self {
            halves: [0; BLOCK_AREA],
            reciprocals: [0; BLOCK_AREA],
            scales: [0; BLOCK_AREA],
        };
        for (index, &step) in table.iter().enumerate() {
            let step = u32::from(step);
            let bits = step.next_power_of_two().trailing_zeros();
            out.halves[index] = 4 * step as u16;
            out.reciprocals[index] = ((1_u32 << (15 + bits)) / step + 1) as u16;
            out.scales[index] = 1 << (14 - bits);
        }
        out
    }

    /// Halves, reciprocals and scales of the eight frequencies of a line.
    #[inline]
    pub fn line(&self, line: usize) -> [[u16; BLOCK_SIDE]; 3] {
        [&self.halves, &self.reciprocals, &self.scales].map(|entries| {
            let mut own = [0; BLOCK_SIDE];
            own.copy_from_slice(&entries[line * BLOCK_SIDE..(line + 1) * BLOCK_SIDE]);
            own
        })
    }

    /// Levels, natural order, of coefficients times 8.
    #[inline]
    pub fn levels(&self, coefficients: &Block) -> Block {
        let mut levels = [0; BLOCK_AREA];
        for index in 0..BLOCK_AREA {
            let value = coefficients[index];
            let dividend = value.unsigned_abs() + self.halves[index];
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
            for first in (-9024..9024_i16).step_by(64) {
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
}

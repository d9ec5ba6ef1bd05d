//! Quantisation: rounded division, halves away from zero, as libjpeg rounds.

use crate::dct::Block;
use crate::layout::BLOCK_AREA;

/// A 64-entry table in natural order, entries 1..255.
pub type QuantTable = [u8; BLOCK_AREA];

const RECIPROCAL_BITS: u32 = 20;

/// Division by the table's entries as multiplication.
#[derive(Clone, Debug)]
pub struct Quantiser {
    reciprocals: [u32; BLOCK_AREA],
    halves: [u32; BLOCK_AREA],
}

impl Quantiser {
    pub fn new(table: &QuantTable) -> Self {
        let mut reciprocals = [0; BLOCK_AREA];
        let mut halves = [0; BLOCK_AREA];
        for ((reciprocal, half), &step) in reciprocals.iter_mut().zip(&mut halves).zip(table) {
            // floor((x + 4q) / 8q) = floor(floor((x + 4q) / 8) / q); that inner quotient is below 2^11, so
            // 20 bits are exact for every q up to 255 and the product fits 32 bits.
            *reciprocal = (1 << RECIPROCAL_BITS) / u32::from(step) + 1;
            *half = 4 * u32::from(step);
        }
        // For q = 1 the rounded-up reciprocal must not reach past the next integer: (x * (2^20 + 1)) >> 20 = x.
        Self { reciprocals, halves }
    }

    /// Levels, natural order, of coefficients times 8.
    #[inline]
    pub fn levels(&self, coefficients: &Block, levels: &mut [i16; BLOCK_AREA]) {
        for (row, values) in coefficients.iter().enumerate() {
            for (column, &value) in values.iter().enumerate() {
                let index = row * 8 + column;
                let magnitude = (value.unsigned_abs() + self.halves[index]) >> 3;
                let level = (magnitude.wrapping_mul(self.reciprocals[index]) >> RECIPROCAL_BITS) as i32;
                levels[index] = (if value < 0 { -level } else { level }) as i16;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_equals_rounded_division_for_every_step_and_value() {
        for step in 1..=255_u8 {
            let quantiser = Quantiser::new(&[step; 64]);
            let divisor = 8 * i32::from(step);
            for value in -9000..=9000_i32 {
                let mut levels = [0; 64];
                let mut block = [[0; 8]; 8];
                block[0][0] = value;
                quantiser.levels(&block, &mut levels);
                let expected = (value.abs() + divisor / 2) / divisor * value.signum();
                assert_eq!(i32::from(levels[0]), expected, "{value} by {step}");
            }
        }
    }
}

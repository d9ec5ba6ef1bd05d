//! Rate-distortion optimised quantisation: levels that cost more bits than they are worth are lowered or dropped.
//!
//! For each block the sum over AC frequencies of weight * (coefficient - step * level)^2, plus multiplier * bits, is
//! made small. A level may stay, go one towards zero, or become zero; bits are those of the given codes, the end of
//! the block included. DC stays, since its code depends on the block before.

use std::num::{NonZeroU32, NonZeroU64};

use crate::dct::Block;
use crate::huffman::MAX_AC_SIZE;
use crate::layout::{BLOCK_AREA, ZIGZAG};
use crate::levels::Levels;
use crate::pixels::Refinement;
use crate::quant::QuantTable;
use crate::statistics::CodeLengths;

/// What to weigh against each other.
#[derive(Clone, Debug)]
pub struct Tradeoff {
    /// Weighted squared error of coefficients that a bit is worth, above 0.
    pub multiplier: f64,
    /// Weights of squared errors by component and frequency, natural order, at least 0.
    pub weights: [[f64; BLOCK_AREA]; 3],
}

/// The trade-off under one table set.
#[derive(Clone, Debug)]
pub struct Optimiser(Vec<Costs>);

impl Optimiser {
    pub fn new(tradeoff: &Tradeoff, quant: &[QuantTable], lengths: &CodeLengths) -> Self {
        let costs = |(component, table)| Costs::new(tradeoff, component, table, lengths);
        Self(quant.iter().enumerate().map(costs).collect())
    }
}

impl Refinement for Optimiser {
    fn refine(&self, component: usize, coefficients: &[Block], levels: &mut [Levels]) {
        self.0[component].refine(coefficients, levels);
    }
}

/// What the levels of one component cost and what they are worth.
#[derive(Clone, Debug)]
struct Costs {
    /// Bits of codes and value by size and run (0 to 62).
    bits: [[f64; BLOCK_AREA]; 16],
    block_end_bits: f64,
    /// Steps times 8, by zig-zag position.
    steps: [i32; BLOCK_AREA],
    /// What 2 * (|coefficient| - value) + step must stay below where one less is worth a try, by zig-zag position.
    lowering_limits: [i32; BLOCK_AREA],
    /// Bits that a unit of squared error, of coefficients times 8, is worth, by zig-zag position.
    worths: [f64; BLOCK_AREA],
}

impl Costs {
    fn new(tradeoff: &Tradeoff, component: usize, table: &QuantTable, lengths: &CodeLengths) -> Self {
        let bits_of = |symbol: u8| f64::from(lengths.ac(component, symbol));
        let mut bits = [[0.0; BLOCK_AREA]; 16];
        for (size, row) in (0..=MAX_AC_SIZE).zip(&mut bits) {
            for (run, bits) in (0_u8..).zip(row) {
                *bits = f64::from(run / 16) * bits_of(0xF0) + bits_of((run % 16) << 4 | size);
            }
        }
        let mut out = Self {
            bits,
            block_end_bits: bits_of(0x00),
            steps: [0; BLOCK_AREA],
            lowering_limits: [0; BLOCK_AREA],
            worths: [0.0; BLOCK_AREA],
        };
        let most_saved = out.most_saved_by_lowering();
        for (position, &natural) in ZIGZAG.iter().enumerate() {
            let step = 8 * i32::from(table[usize::from(natural)]);
            let weight = tradeoff.weights[component][usize::from(natural)];
            let worth = weight / (64.0 * tradeoff.multiplier);
            out.steps[position] = step;
            out.worths[position] = worth;
            out.lowering_limits[position] = (most_saved / worth / f64::from(step)) as i32;
        }
        out
    }

    /// The most bits that a level of one binary digit less saves after the same run.
    fn most_saved_by_lowering(&self) -> f64 {
        let savings = self.bits[1..=usize::from(MAX_AC_SIZE)]
            .windows(2)
            .flat_map(|sizes| sizes[1].iter().zip(&sizes[0]).map(|(more, less)| more - less));
        savings.fold(0.0, f64::max)
    }

    /// Lower or drop AC levels of neighbouring blocks. `coefficients` are those before quantisation, times 8,
    /// natural order; the levels are theirs, rounded to the nearest or towards zero.
    fn refine(&self, coefficients: &[Block], blocks: &mut [Levels]) {
        let mut older = Older::new();
        for (coefficients, levels) in coefficients.iter().zip(blocks) {
            if levels.nonzero > 1 {
                self.refine_block(coefficients, levels, &mut older);
            }
        }
    }

    /// A walk from level to level that keeps, of all ways to choose so far, those that may still turn out best.
    #[inline]
    fn refine_block(&self, coefficients: &Block, levels: &mut Levels, older: &mut Older) {
        let ac = levels.nonzero & !1;
        let mut nearest = Way::START;
        older.count = 0;
        let mut left = ac;
        while let Some(some_left) = NonZeroU64::new(left) {
            let position = some_left.trailing_zeros();
            left &= left - 1;
            let index = position as usize & 63;
            let level = i32::from(levels.zigzag[index]);
            let coefficient = i32::from(coefficients[usize::from(ZIGZAG[index]) & 63]).abs();
            let magnitude = level.abs();
            let mut way = self.cheapest(nearest, older, position, coefficient, magnitude);
            if self.may_lower(index, coefficient, magnitude) {
                let lower = self.cheapest(nearest, older, position, coefficient, magnitude - 1);
                if lower.cost < way.cost {
                    way = lower;
                    levels.zigzag[index] -= level.signum() as i16;
                }
            }
            older.close(nearest, way.cost);
            nearest = way;
        }
        levels.keep(self.best_end(nearest, older).kept | 1);
    }

    /// The cheapest way on to this level.
    ///
    /// Costs are in bits, and relative to a block of zeros: what a level takes off the squared error is taken off
    /// its bits.
    #[inline]
    fn cheapest(&self, nearest: Way, older: &Older, position: u32, coefficient: i32, magnitude: i32) -> Way {
        let index = position as usize & 63;
        let value = magnitude * self.steps[index];
        let worth = f64::from(value * (2 * coefficient - value)) * self.worths[index];
        let runs = &self.bits[size_of(magnitude)];
        let mut best = nearest.extended(position, runs, worth);
        for way in older.ways() {
            let other = way.extended(position, runs, worth);
            if other.cost < best.cost {
                best = other;
            }
        }
        best
    }

    /// Whether one less may save more bits than it loses: a smaller size begins below each power of two.
    #[inline]
    fn may_lower(&self, index: usize, coefficient: i32, magnitude: i32) -> bool {
        let step = self.steps[index];
        let excess = 2 * (coefficient - magnitude * step) + step;
        magnitude > 1 && magnitude & (magnitude - 1) == 0 && excess < self.lowering_limits[index]
    }

    /// The cheapest way if all that follows is zero: of those left the oldest, unless the nearest needs no end of
    /// block (T.81 F.1.2.2).
    #[inline]
    fn best_end(&self, nearest: Way, older: &Older) -> Way {
        match older.ways().first() {
            Some(&oldest) if nearest.position < 63 || oldest.cost + self.block_end_bits < nearest.cost => {
                oldest
            }
            _ => nearest,
        }
    }
}

/// Binary digits of a magnitude (SSSS of T.81 table F.2).
#[inline]
fn size_of(magnitude: i32) -> usize {
    NonZeroU32::new(magnitude as u32).map_or(0, |magnitude| 32 - magnitude.leading_zeros() as usize) & 15
}

/// One choice of the levels up to a position.
#[derive(Clone, Copy)]
struct Way {
    cost: f64,
    /// Of its last level; 0, which is DC's, before the first.
    position: u32,
    /// A bit for each position whose level stays.
    kept: u64,
}

impl Way {
    const START: Self = Self {
        cost: 0.0,
        position: 0,
        kept: 0,
    };

    #[inline]
    fn extended(self, position: u32, runs: &[f64; BLOCK_AREA], worth: f64) -> Self {
        let run = (position - 1 - self.position) as usize & 63;
        Self {
            cost: self.cost + (runs[run] - worth),
            position,
            kept: self.kept | 1 << position,
        }
    }
}

/// Ways that drop the nearest level and are cheaper for it, cheapest and oldest first.
///
/// A way is closed once another one comes further at no more cost. Where a longer run has a shorter code that may lose
/// a little, never against leaving all levels as they are.
struct Older {
    ways: [Way; BLOCK_AREA],
    count: usize,
}

impl Older {
    fn new() -> Self {
        Self {
            ways: [Way::START; BLOCK_AREA],
            count: 0,
        }
    }

    #[inline]
    fn ways(&self) -> &[Way] {
        &self.ways[..self.count]
    }

    /// `nearest` is nearest no more: keep it and the others that are cheaper than the new one.
    #[inline]
    fn close(&mut self, nearest: Way, cost: f64) {
        if nearest.cost < cost {
            self.ways[self.count & 63] = nearest;
            self.count += 1;
        } else {
            while self.count > 0 && self.ways[(self.count - 1) & 63].cost >= cost {
                self.count -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Sampling;
    use crate::tables::tests::some_tables;

    /// Levels of steps of 10 for coefficients by zig-zag position, at what price a bit.
    fn refined(coefficients: &[(usize, i16)], multiplier: f64) -> Levels {
        let set = some_tables(Sampling::Grey, &[10]);
        let tradeoff = Tradeoff {
            multiplier,
            weights: [[1.0; BLOCK_AREA]; 3],
        };
        let optimiser = Optimiser::new(&tradeoff, &set.quant, &CodeLengths::new(&set.huffman));
        let mut block = [0; BLOCK_AREA];
        let mut natural = [0; BLOCK_AREA];
        for &(position, coefficient) in coefficients {
            block[usize::from(ZIGZAG[position])] = 8 * coefficient;
            natural[usize::from(ZIGZAG[position])] = (coefficient + 5 * coefficient.signum()) / 10;
        }
        let mut levels = [Levels::from_natural(&natural)];
        optimiser.refine(0, &[block], &mut levels);
        levels[0]
    }

    #[test]
    fn what_is_not_worth_its_bits_becomes_zero_and_dc_stays() {
        // A level of 1 takes 8 or 9 bits in these tables of nearly equal codes, and 2 x 10 x 6 - 100 off the error.
        let levels = refined(&[(0, 6), (3, 90), (20, -6)], 5.0);
        assert_eq!((levels.zigzag[0], levels.zigzag[3], levels.zigzag[20]), (1, 9, 0));
        assert_eq!(levels.nonzero, 1 | 1 << 3);
    }

    #[test]
    fn a_level_goes_one_down_where_that_saves_a_digit_for_little_error() {
        assert_eq!(refined(&[(1, 36)], 1.0).zigzag[1], 4);
        assert_eq!(refined(&[(1, -36)], 30.0).zigzag[1], -3);
    }

    #[test]
    fn where_bits_are_cheap_all_levels_stay() {
        let all: Vec<(usize, i16)> = (0..BLOCK_AREA).zip([7, -7, 23].into_iter().cycle()).collect();
        assert_eq!(refined(&all, 1e-6).nonzero, u64::MAX);
    }
}

//! Rate-distortion optimised quantisation: levels that cost more bits than they are worth are lowered or dropped.
//!
//! For each block the sum over AC frequencies of weight * (coefficient - step * level)^2, plus multiplier * bits, is
//! made small. A level may stay, go one towards zero, or become zero; bits are those of the given codes, the end of
//! the block included. DC stays, since its code depends on the block before.

use std::num::{NonZeroU32, NonZeroU64};

use crate::encoding::quantisation::Refinement;
use crate::entropy::statistics::CodeLengths;
use crate::geometry::block::{BLOCK_AREA, ZIGZAG};
use crate::tables::huffman::MAX_AC_SIZE;
use crate::tables::quantisation::QuantTable;
use crate::transform::dct::Block;
use crate::transform::levels::Levels;

/// What is weighed: squared error against bits.
#[derive(Clone, Debug)]
pub struct Tradeoff {
    /// The weighted squared error of coefficients that a bit is worth, above 0.
    pub multiplier: f64,
    /// Weights of squared errors by component and frequency, natural order, at least 0.
    pub weights: [[f64; BLOCK_AREA]; 3],
}

/// Optimises levels by one trade-off under one table set.
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
    /// The bits of codes and value by size and run (0 to 62).
    bits: [[f64; BLOCK_AREA]; 16],
    block_end_bits: f64,
    /// By zig-zag position.
    frequencies: [Frequency; BLOCK_AREA],
}

#[derive(Clone, Copy, Debug)]
struct Frequency {
    /// Its index in natural order.
    index: usize,
    /// Its step times 8, like the coefficients.
    step: i32,
    /// Lowering a level by one is tried only where 2 * (|coefficient| - value) + step is below this.
    lowering_limit: i32,
    /// The bits that one unit of squared error is worth.
    worth: f64,
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
        let most_saved = most_saved_by_lowering(&bits);
        let frequencies = ZIGZAG.map(|natural| {
            let index = usize::from(natural);
            let step = 8 * i32::from(table[index]);
            let worth = tradeoff.weights[component][index] / (64.0 * tradeoff.multiplier);
            Frequency {
                index,
                step,
                lowering_limit: (most_saved / worth / f64::from(step)) as i32,
                worth,
            }
        });
        Self {
            bits,
            block_end_bits: bits_of(0x00),
            frequencies,
        }
    }

    /// Lower or drop AC levels of neighbouring blocks. `coefficients` are those before quantisation, times 8 and in
    /// natural order; their levels are rounded to the nearest or towards zero.
    fn refine(&self, coefficients: &[Block], blocks: &mut [Levels]) {
        for (coefficients, levels) in coefficients.iter().zip(blocks) {
            if levels.nonzero > 1 {
                self.refine_block(coefficients, levels);
            }
        }
    }

    /// Walk from level to level. Of the ways to choose the levels so far, two are kept: the cheapest that keeps the last
    /// level, and the cheapest of the others. This is nearly as good as trying all ways, and never worse than leaving the
    /// levels as they are.
    #[inline]
    fn refine_block(&self, coefficients: &Block, levels: &mut Levels) {
        let mut ways = Ways {
            nearest: Way::START,
            cheapest: Way::START,
        };
        let mut left = levels.nonzero & !1;
        while let Some(some_left) = NonZeroU64::new(left) {
            let position = some_left.trailing_zeros();
            let frequency = &self.frequencies[position as usize & 63];
            let level = &mut levels.zigzag[position as usize & 63];
            let coefficient = i32::from(coefficients[frequency.index & 63]).abs();
            let (way, is_lowered) = self.way_on(ways, position, coefficient, i32::from(*level).abs());
            *level -= level.signum() * i16::from(is_lowered);
            ways = Ways {
                nearest: way,
                cheapest: ways.nearest.or(ways.cheapest),
            };
            left &= left - 1;
        }
        levels.nonzero &= self.end(ways).kept | 1;
    }

    /// The cheapest way that keeps the next level, and whether that way lowers it by one.
    #[inline]
    fn way_on(&self, ways: Ways, position: u32, coefficient: i32, magnitude: i32) -> (Way, bool) {
        let frequency = &self.frequencies[position as usize & 63];
        let value = magnitude * frequency.step;
        let worth = f64::from(value * (2 * coefficient - value)) * frequency.worth;
        let way = ways.on(position, &self.bits[size_of(magnitude)], worth);
        // Lowering by one loses this times the step. It saves bits only where the size changes: at a power of two.
        let excess = 2 * (coefficient - value) + frequency.step;
        let objections = (magnitude & (magnitude - 1))
            | i32::from(magnitude == 1)
            | i32::from(excess >= frequency.lowering_limit);
        // The objections are one number, since a branch on each of them would be hard to predict.
        if objections != 0 {
            return (way, false);
        }
        let worth = worth - f64::from(excess * frequency.step) * frequency.worth;
        let lower = ways.on(position, &self.bits[size_of(magnitude - 1)], worth);
        if lower.cost < way.cost {
            (lower, true)
        } else {
            (way, false)
        }
    }

    /// The cheaper way where all levels that follow are zero. After the last position there is no end of block (T.81
    /// F.1.2.2).
    #[inline]
    fn end(&self, ways: Ways) -> Way {
        let Ways {
            mut nearest,
            cheapest,
        } = ways;
        if nearest.position == BLOCK_AREA as u32 - 1 {
            nearest.cost -= self.block_end_bits;
        }
        nearest.or(cheapest)
    }
}

/// The most bits that a level of one binary digit less saves after the same run.
fn most_saved_by_lowering(bits: &[[f64; BLOCK_AREA]; 16]) -> f64 {
    let sizes = bits[1..=usize::from(MAX_AC_SIZE)].windows(2);
    let savings = sizes.flat_map(|pair| pair[1].iter().zip(&pair[0]).map(|(more, less)| more - less));
    savings.fold(0.0, f64::max)
}

/// Binary digits of a magnitude above 0 (SSSS of T.81 table F.2).
#[inline]
fn size_of(magnitude: i32) -> usize {
    NonZeroU32::new(magnitude as u32).map_or(0, |magnitude| 32 - magnitude.leading_zeros() as usize) & 15
}

/// One choice of the levels up to a position.
#[derive(Clone, Copy)]
struct Way {
    /// In bits and relative to a block of zeros: the worth of each level is subtracted.
    cost: f64,
    /// The position of its last level; 0, the position of DC, where it has none.
    position: u32,
    /// A bit for each position whose level is kept.
    kept: u64,
}

impl Way {
    const START: Self = Self {
        cost: 0.0,
        position: 0,
        kept: 0,
    };

    #[inline]
    fn extended(self, position: u32, bits: &[f64; BLOCK_AREA], worth: f64) -> Self {
        let run = (position - 1 - self.position) as usize & 63;
        Self {
            cost: self.cost + (bits[run] - worth),
            position,
            kept: self.kept | 1 << position,
        }
    }

    /// The cheaper of two ways; this one where they are equal.
    #[inline]
    fn or(self, other: Self) -> Self {
        if other.cost < self.cost {
            other
        } else {
            self
        }
    }
}

/// The two ways that are kept.
#[derive(Clone, Copy)]
struct Ways {
    /// The cheapest way that keeps the last level.
    nearest: Way,
    /// The cheapest of all ways that drop it.
    cheapest: Way,
}

impl Ways {
    /// The cheaper of the two ways on to a level at `position`, which takes these bits by run and is worth `worth` bits.
    #[inline]
    fn on(&self, position: u32, bits: &[f64; BLOCK_AREA], worth: f64) -> Way {
        let other = self.cheapest.extended(position, bits, worth);
        self.nearest.extended(position, bits, worth).or(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::sampling::Sampling;
    use crate::tables::fixtures::some_tables;

    /// The levels, by steps of 10, of coefficients given by zig-zag position, where a bit is worth `multiplier`.
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
        assert_eq!((levels.zigzag[0], levels.zigzag[3]), (1, 9));
        assert_eq!(levels.nonzero, 1 | 1 << 3);
    }

    #[test]
    fn a_level_goes_one_down_where_that_saves_a_digit_for_little_error() {
        assert_eq!(refined(&[(1, 36)], 1.0).zigzag[1], 4);
        assert_eq!(refined(&[(1, -36)], 30.0).zigzag[1], -3);
    }

    #[test]
    fn a_level_at_the_last_position_saves_the_end_of_block() {
        // 60 off the error at 2 a bit is worth 30 bits: less than such a level takes, more than it takes beyond an end.
        assert_eq!(refined(&[(63, 8)], 2.0).nonzero, 1 << 63);
        assert_eq!(refined(&[(62, 8)], 2.0).nonzero, 0);
    }

    #[test]
    fn where_bits_are_cheap_all_levels_stay() {
        let all: Vec<(usize, i16)> = (0..BLOCK_AREA).zip([7, -7, 23].into_iter().cycle()).collect();
        assert_eq!(refined(&all, 1e-6).nonzero, u64::MAX);
    }
}

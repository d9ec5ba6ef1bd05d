//! Resampling along one direction: the values of the new picture as sums of the coefficients of the old one.
//!
//! The inverse DCT, upsampling of chroma and the window of a good filter are linear, and each of them treats rows and
//! columns alone. So they are one sum for each new value, whose weights this module finds; no pixel of the old picture
//! is computed. The window is that of Pillow's LANCZOS and chroma is upsampled as libjpeg does it, so that the result is
//! what resizing the decoded picture gives, but for roundings.

// A side has 16 bits.
#![allow(clippy::cast_precision_loss)]

use std::f64::consts::PI;
use std::ops::Range;

use crate::geometry::block::BLOCK_SIDE;

/// How far Lanczos' window of three lobes reaches to each side, in values of the coarser of the two pictures.
const LOBES: f64 = 3.0;
/// Frequencies above this many times the new picture's highest one are left out: the window all but removes them.
const HEADROOM: f64 = 4.0;

/// What is asked along one direction of the stored picture.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Pixels of the stored picture.
    pub length: usize,
    /// Where the part begins that becomes the new picture, and how long it is, in pixels.
    pub start: f64,
    pub extent: f64,
    /// Values of the new picture.
    pub outputs: usize,
    /// The new picture runs against the stored one.
    pub is_reversed: bool,
}

/// How a component's samples become as many as there are pixels.
#[derive(Clone, Copy, Debug)]
pub struct Upsampling {
    /// Pixels a sample: 1, 2 or 4.
    pub factor: usize,
    /// Two pixels a sample lie a quarter before and behind it and are interpolated between neighbours ("fancy
    /// upsampling"); otherwise they repeat it.
    pub is_smooth: bool,
    pub samples: usize,
}

/// The weights of the pixels from `first` on.
struct Window {
    first: usize,
    weights: Vec<f64>,
}

/// For each value of the new picture, the weights of coefficients.
pub struct Filter {
    /// How many frequencies of a block have weights, the lowest: 1, 2, 4 or 8.
    pub frequencies: usize,
    pub sums: Vec<Sum>,
}

/// The weights of the blocks from `first` on: `frequencies` for each.
pub struct Sum {
    pub first: usize,
    pub weights: Vec<f32>,
}

impl Filter {
    /// The filter of a component along an axis.
    pub fn new(axis: &Axis, windows: &Windows, upsampling: Upsampling) -> Self {
        let frequencies = frequencies(axis, upsampling.factor);
        let basis = basis();
        let sums = windows.0.iter();
        let sums = sums.map(|window| upsampling.samples_of(window).sum(frequencies, &basis));
        Self {
            frequencies,
            sums: sums.collect(),
        }
    }

    /// The blocks that have weights in any sum.
    pub fn blocks(&self) -> Range<usize> {
        blocks_of(&self.sums, self.frequencies)
    }
}

/// The blocks that have weights in any of these sums, `frequencies` for each.
pub fn blocks_of(sums: &[Sum], frequencies: usize) -> Range<usize> {
    let first = sums.iter().map(|sum| sum.first).min();
    let end = sums
        .iter()
        .map(|sum| sum.first + sum.weights.len() / frequencies)
        .max();
    first.unwrap_or(0)..end.unwrap_or(0)
}

/// How many frequencies of a block are kept, as a reduced inverse DCT of as many points does: the fewest of 1, 2, 4 and
/// 8 that reach `HEADROOM` times the highest frequency of the new picture.
fn frequencies(axis: &Axis, factor: usize) -> usize {
    let values_a_sample = axis.outputs as f64 * factor as f64 / axis.extent;
    let wanted = BLOCK_SIDE as f64 * HEADROOM * values_a_sample;
    let enough = [1, 2, 4].into_iter().find(|&points| points as f64 >= wanted);
    enough.unwrap_or(BLOCK_SIDE)
}

/// The values of the eight cosines (T.81 A.3.3, one direction): `[value][frequency]`.
fn basis() -> [[f64; BLOCK_SIDE]; BLOCK_SIDE] {
    let mut basis = [[0.0; BLOCK_SIDE]; BLOCK_SIDE];
    for (value, row) in basis.iter_mut().enumerate() {
        for (frequency, entry) in row.iter_mut().enumerate() {
            let norm = if frequency == 0 { 0.125_f64.sqrt() } else { 0.5 };
            *entry = norm * (((2 * value + 1) * frequency) as f64 * PI / 16.0).cos();
        }
    }
    basis
}

/// One window for each value of the new picture, in its order.
pub struct Windows(Vec<Window>);

impl Windows {
    /// Lanczos' windows of three lobes, as wide as the coarser of both pictures demands, cut at the picture's ends.
    pub fn new(axis: &Axis) -> Self {
        let scale = axis.extent / axis.outputs as f64;
        let spread = scale.max(1.0);
        let reach = LOBES * spread;
        let start = if axis.is_reversed {
            axis.length as f64 - (axis.start + axis.extent)
        } else {
            axis.start
        };
        let windows = (0..axis.outputs).map(|output| {
            let centre = start + (output as f64 + 0.5) * scale;
            let first = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(axis.length).max(first + 1);
            let weights = (first..end).map(|pixel| lanczos((pixel as f64 - centre + 0.5) / spread));
            Window::normalised(first, weights.collect())
        });
        let mut windows: Vec<Window> = windows.collect();
        if axis.is_reversed {
            windows.reverse();
        }
        Self(windows)
    }
}

impl Window {
    fn normalised(first: usize, mut weights: Vec<f64>) -> Self {
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        Self { first, weights }
    }

    /// The weights of coefficients where these are the weights of samples.
    fn sum(&self, frequencies: usize, basis: &[[f64; BLOCK_SIDE]; BLOCK_SIDE]) -> Sum {
        let first = self.first / BLOCK_SIDE;
        let last = (self.first + self.weights.len() - 1) / BLOCK_SIDE;
        let mut weights = vec![0.0; (last + 1 - first) * frequencies];
        for (sample, weight) in (self.first..).zip(&self.weights) {
            let block = (sample / BLOCK_SIDE - first) * frequencies;
            let row = &basis[sample % BLOCK_SIDE][..frequencies];
            for (sum, value) in weights[block..].iter_mut().zip(row) {
                *sum += (weight * value) as f32;
            }
        }
        Sum { first, weights }
    }
}

impl Upsampling {
    /// The weights of samples where a window has those of pixels.
    fn samples_of(self, window: &Window) -> Window {
        let Self {
            factor,
            is_smooth,
            samples,
        } = self;
        let last = samples - 1;
        let first = (window.first / factor)
            .saturating_sub(usize::from(is_smooth))
            .min(last);
        let end = (window.first + window.weights.len() - 1) / factor + 1 + usize::from(is_smooth);
        let mut weights = vec![0.0; end.min(samples).max(first + 1) - first];
        for (pixel, weight) in (window.first..).zip(&window.weights) {
            let nearest = (pixel / factor).min(last);
            if is_smooth {
                let next = match pixel % 2 {
                    0 => nearest.saturating_sub(1),
                    _ => (nearest + 1).min(last),
                };
                weights[nearest - first] += 0.75 * weight;
                weights[next - first] += 0.25 * weight;
            } else {
                weights[nearest - first] += weight;
            }
        }
        Window { first, weights }
    }
}

/// sin(pi x) / (pi x), times the same of x / 3, within three of zero. sin(3a) = 3 sin a - 4 sin^3 a saves one sine.
fn lanczos(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    if x.abs() >= LOBES {
        return 0.0;
    }
    let third = PI * x / LOBES;
    let sine = third.sin();
    sine * sine * (3.0 - 4.0 * sine * sine) / (LOBES * third * third)
}

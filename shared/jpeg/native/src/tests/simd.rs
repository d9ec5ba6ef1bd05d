//! Every instruction set, against the portable code, bit for bit.

use crate::encoding::encoder::{Encoder, StreamKind};
use crate::encoding::image::Image;
use crate::geometry::block::{BLOCK_AREA, BLOCK_SIDE};
use crate::geometry::sampling::Sampling;
use crate::simd::instructions::InstructionSet;
use crate::simd::kernels::{Kernels, Lines};
use crate::simd::portable;
use crate::tables::fixtures::some_tables;
use crate::transform::levels::Levels;
use crate::transform::quantiser::Quantiser;

/// Blocks side by side in `lines`; odd, so that the last vector is not full.
const BLOCKS: usize = 5;
const STRIDE: usize = (BLOCKS + 1) * BLOCK_SIDE;
/// Longer than two steps of any instruction set.
const LONGEST_ROW: usize = 100;

fn others() -> impl Iterator<Item = Kernels> {
    let vectors = InstructionSet::available().filter(|&set| set != InstructionSet::Portable);
    vectors.filter_map(InstructionSet::kernels)
}

/// Numbers of 16 bits.
fn noise(seed: u32) -> impl Iterator<Item = u16> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as u16
    })
}

fn noisy_bytes(length: usize, seed: u32) -> Vec<u8> {
    noise(seed).map(|number| number as u8).take(length).collect()
}

fn extreme_bytes(length: usize, seed: u32) -> Vec<u8> {
    let bits = noise(seed).map(|number| number & 1 == 0);
    bits.map(|bit| if bit { 0 } else { 255 }).take(length).collect()
}

/// Eight lines in which every block holds the extremes of one frequency.
fn wave(frequency: usize, is_inverted: bool) -> Vec<u8> {
    let cosine = |at: usize, frequency: usize| {
        let phase = ((2 * at + 1) * frequency) as u8;
        (f64::from(phase) * std::f64::consts::PI / 16.0).cos()
    };
    let value_at = |index: usize| {
        let (x, y) = (index % STRIDE % BLOCK_SIDE, index / STRIDE);
        let value = cosine(x, frequency % BLOCK_SIDE) * cosine(y, frequency / BLOCK_SIDE);
        if (value < 0.0) == is_inverted {
            255
        } else {
            0
        }
    };
    (0..BLOCK_SIDE * STRIDE).map(value_at).collect()
}

fn quantiser(seed: u32) -> Quantiser {
    let mut table = [0; BLOCK_AREA];
    for (step, number) in table.iter_mut().zip(noise(seed)) {
        *step = (number % 255 + 1) as u8;
    }
    Quantiser::new(&table)
}

fn compare(kernels: Kernels, values: &[u8], quantiser: &Quantiser) {
    let lines = Lines {
        values,
        stride: STRIDE,
    };
    let (mut expected, mut found) = ([[0; BLOCK_AREA]; BLOCKS], [[1; BLOCK_AREA]; BLOCKS]);
    (portable::KERNELS.transform)(lines, &mut expected);
    (kernels.transform)(lines, &mut found);
    assert_eq!(expected, found);

    let mut expected_levels = [Levels::ZERO; BLOCKS];
    (portable::KERNELS.quantise)(&expected, quantiser, &mut expected_levels);
    for fused in [false, true] {
        let mut found_levels = [Levels {
            zigzag: [7; BLOCK_AREA],
            nonzero: 7,
        }; BLOCKS];
        if fused {
            (kernels.transform_and_quantise)(lines, quantiser, &mut found_levels);
        } else {
            (kernels.quantise)(&found, quantiser, &mut found_levels);
        }
        assert_eq!(expected_levels, found_levels);
    }
}

#[test]
fn blocks_become_the_same_levels() {
    for kernels in others().chain([portable::KERNELS]) {
        for seed in 0..300 {
            let length = BLOCK_SIDE * STRIDE;
            compare(kernels, &noisy_bytes(length, seed), &quantiser(seed));
            compare(kernels, &extreme_bytes(length, seed), &quantiser(seed));
        }
    }
}

#[test]
fn the_extremes_of_every_frequency_become_the_same_levels() {
    for kernels in others() {
        for frequency in 0..BLOCK_AREA {
            for step in [1, 2, 3, 255] {
                let quantiser = Quantiser::new(&[step; BLOCK_AREA]);
                compare(kernels, &wave(frequency, false), &quantiser);
                compare(kernels, &wave(frequency, true), &quantiser);
            }
        }
    }
}

#[test]
fn every_coefficient_is_quantised_alike_by_every_step() {
    for kernels in others() {
        for step in 1..=255 {
            let quantiser = Quantiser::new(&[step; BLOCK_AREA]);
            for first in (-9024..9024_i16).step_by(BLOCK_AREA) {
                let mut block = [0; BLOCK_AREA];
                for (value, slot) in (first..).zip(&mut block) {
                    *slot = value;
                }
                let (mut expected, mut found) = ([Levels::ZERO], [Levels::ZERO]);
                (portable::KERNELS.quantise)(&[block], &quantiser, &mut expected);
                (kernels.quantise)(&[block], &quantiser, &mut found);
                assert_eq!(expected, found);
            }
        }
    }
}

#[test]
fn rows_of_every_length_become_the_same_values() {
    for kernels in others() {
        for width in 1..=LONGEST_ROW {
            for rgb in [noisy_bytes(3 * width, 5), extreme_bytes(3 * width, 6)] {
                let converted = |kernels: Kernels| {
                    let (mut y, mut cb, mut cr) = (vec![1; width], vec![2; width], vec![3; width]);
                    let mut luma = vec![4; width];
                    (kernels.convert_row)(&rgb, &mut y, &mut cb, &mut cr);
                    (kernels.convert_row_to_luma)(&rgb, &mut luma);
                    (y, cb, cr, luma)
                };
                assert_eq!(converted(portable::KERNELS), converted(kernels));
            }
        }
    }
}

#[test]
fn every_colour_becomes_the_same_values() {
    for kernels in others() {
        for red in 0..=255 {
            let rgb: Vec<u8> = (0..=255)
                .flat_map(|green: u8| [red, green, green.wrapping_mul(37) ^ red])
                .collect();
            let converted = |kernels: Kernels| {
                let mut planes = [[0; 256]; 3];
                let [y, cb, cr] = &mut planes;
                (kernels.convert_row)(&rgb, y, cb, cr);
                planes
            };
            assert_eq!(converted(portable::KERNELS), converted(kernels));
        }
    }
}

#[test]
fn rows_of_every_length_are_downsampled_alike() {
    for kernels in others() {
        for width in 1..=LONGEST_ROW {
            let (upper, lower) = (noisy_bytes(2 * width, 7), noisy_bytes(2 * width, 8));
            let downsampled = |kernels: Kernels| {
                let (mut both, mut one) = (vec![0; width], vec![0; width]);
                (kernels.halve_both)(&upper, &lower, &mut both);
                (kernels.halve_width)(&upper, &mut one);
                (both, one)
            };
            assert_eq!(downsampled(portable::KERNELS), downsampled(kernels));
        }
    }
}

#[test]
fn images_of_any_size_become_the_same_streams() {
    let samplings = [
        Sampling::Grey,
        Sampling::Yuv444,
        Sampling::Yuv422,
        Sampling::Yuv420,
    ];
    for (sampling, (height, width)) in samplings.into_iter().flat_map(|sampling| {
        [(1, 1), (7, 9), (17, 33), (32, 32), (40, 71), (9, 150)].map(|size| (sampling, size))
    }) {
        let pixels = &noisy_bytes(3 * height * width, 9);
        let coded = |kernels: Kernels| {
            let set = some_tables(sampling, &[3, 5, 7][..sampling.components()]);
            let encoder = Encoder::new(set, *b"tablesid", kernels);
            let layout = encoder.layout(height, width).unwrap();
            let mut out = Vec::new();
            encoder
                .encode(layout, Image { pixels, channels: 3 }, StreamKind::Scan, &mut out)
                .unwrap();
            out
        };
        for kernels in others() {
            assert_eq!(coded(portable::KERNELS), coded(kernels));
        }
    }
}

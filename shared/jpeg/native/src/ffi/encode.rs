//! Encoding across the border.

use crate::encoding::encoder::{Encoder, StreamKind};
use crate::encoding::image::Image;
use crate::encoding::rdo::Tradeoff;
use crate::error::contain;
use crate::error::{Error, Result};
use crate::ffi::buffers::{bytes, bytes_mut, hand_over, take_back, Output};
use crate::ffi::failure::{guard, Failure};
use crate::ffi::tables::{table_set, Tables};
use crate::simd::instructions::InstructionSet;
use crate::simd::kernels::Kernels;
use crate::transform::quantiser::Rounding;

/// Images of one size: `count` x `height` x `width` x `channels` bytes.
#[repr(C)]
pub struct Images {
    pub pixels: *const u8,
    pub count: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    /// The most threads that share the work.
    pub threads: usize,
}

/// How coefficients become levels, by component and frequency in natural order.
#[repr(C)]
pub struct Quantisation {
    pub rounding: [[f64; 64]; 3],
    pub mask: [[u8; 64]; 3],
    /// Whether `multiplier` and `weights` count.
    pub has_tradeoff: u8,
    pub multiplier: f64,
    pub weights: [[f64; 64]; 3],
}

/// The instruction sets that this processor has: bit n for the one of code n.
#[no_mangle]
pub extern "C" fn dctwire_instruction_sets() -> u32 {
    InstructionSet::available().fold(0, |found, set| found | 1 << set as u8)
}

/// An encoder for these tables (their id is what its frames will name), or null. `quantisation` may be null:
/// rounding to the nearest. `simd` is the code of an instruction set that the processor has; pixels of three channels are YCbCr if `is_ycbcr`, else RGB.
#[no_mangle]
pub unsafe extern "C" fn dctwire_encoder_new(
    tables: *const Tables,
    quantisation: *const Quantisation,
    simd: u8,
    is_ycbcr: u8,
    failure: *mut Failure,
) -> *mut Encoder {
    let mut made = std::ptr::null_mut();
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let tables = &*tables;
            let kernels = match is_ycbcr {
                0 => kernels_of(simd)?,
                _ => kernels_of(simd)?.of_ycbcr(),
            };
            let encoder = Encoder::new(table_set(tables)?, tables.id, kernels);
            let encoder = match quantisation.as_ref() {
                Some(quantisation) => quantised_by(encoder, quantisation),
                None => encoder,
            };
            made = Box::into_raw(Box::new(encoder));
            Ok(())
        });
    }
    made
}

fn quantised_by(encoder: Encoder, quantisation: &Quantisation) -> Encoder {
    let components = quantisation.rounding.iter().zip(&quantisation.mask);
    let rounding: Vec<Rounding> = components
        .map(|(&offsets, mask)| Rounding {
            offsets,
            is_masked: mask.map(|masked| masked != 0),
        })
        .collect();
    let tradeoff = Tradeoff {
        multiplier: quantisation.multiplier,
        weights: quantisation.weights,
    };
    let is_wanted = quantisation.has_tradeoff != 0;
    encoder.with_quantisation(&rounding, is_wanted.then_some(&tradeoff))
}

fn kernels_of(simd: u8) -> Result<Kernels> {
    InstructionSet::from_code(simd)
        .and_then(InstructionSet::kernels)
        .ok_or_else(|| {
            Error::invalid_argument(format!(
                "this processor does not have the instruction set of code {simd}"
            ))
        })
}

#[no_mangle]
pub unsafe extern "C" fn dctwire_encoder_free(encoder: *mut Encoder) {
    let freed = contain(|| {
        // SAFETY: `dctwire_encoder_new` made it, and it is freed once.
        drop(unsafe { Box::from_raw(encoder) });
        Ok(())
    });
    debug_assert!(freed.is_ok());
}

/// Encode images of one size; stream kind 0 interchange, 1 abbreviated, 2 scan.
#[no_mangle]
pub unsafe extern "C" fn dctwire_encode(
    encoder: *const Encoder,
    images: *const Images,
    stream: u8,
    output: *mut Output,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; `pixels` has count x height x width x channels bytes.
    unsafe {
        guard(failure, || {
            let images = &*images;
            let layout = (*encoder).layout(images.height, images.width)?;
            let (streams, ends) = (*encoder).encode_all(
                layout,
                image_of(images),
                images.count,
                stream_kind(stream)?,
                images.threads,
            )?;
            hand_over(streams, ends, &mut *output);
            Ok(())
        })
    }
}

/// Encode one image of `height` x `width` x `channels` bytes. `output` is empty (all zero) or what an earlier call
/// left, whose memory is used again.
#[no_mangle]
pub unsafe extern "C" fn dctwire_encode_one(
    encoder: *const Encoder,
    pixels: *const u8,
    height: usize,
    width: usize,
    channels: usize,
    stream: u8,
    output: *mut Output,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; `pixels` has height x width x channels bytes.
    unsafe {
        guard(failure, || {
            let (mut out, ends) = take_back(&mut *output);
            out.clear();
            let layout = (*encoder).layout(height, width)?;
            let image = Image {
                pixels: bytes(pixels, height * width * channels),
                channels,
            };
            let result = (*encoder).encode(layout, image, stream_kind(stream)?, &mut out);
            hand_over(out, ends, &mut *output);
            result
        })
    }
}

unsafe fn image_of<'a>(images: &Images) -> Image<'a> {
    let length = images.count * images.height * images.width * images.channels;
    Image {
        // SAFETY: module contract.
        pixels: unsafe { bytes(images.pixels, length) },
        channels: images.channels,
    }
}

/// Quantise images of one size into `y` and `c` (`c_length` 0 for grey tables).
#[no_mangle]
pub unsafe extern "C" fn dctwire_quantise(
    encoder: *const Encoder,
    images: *const Images,
    y: *mut i16,
    y_length: usize,
    c: *mut i16,
    c_length: usize,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; `y` and `c` have the stated numbers of items and do not overlap.
    unsafe {
        guard(failure, || {
            let images = &*images;
            let layout = (*encoder).layout(images.height, images.width)?;
            let planes = (bytes_mut(y, y_length), bytes_mut(c, c_length));
            (*encoder).quantise_all(layout, image_of(images), images.count, planes, images.threads)
        })
    }
}

/// Entropy-code levels. `planes` points to the 64 planes of each component, `lengths` has the items of each.
#[no_mangle]
pub unsafe extern "C" fn dctwire_encode_levels(
    encoder: *const Encoder,
    height: usize,
    width: usize,
    planes: *const *const i16,
    lengths: *const usize,
    stream: u8,
    output: *mut Output,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; `planes` and `lengths` have one item a component.
    unsafe {
        guard(failure, || {
            let layout = (*encoder).layout(height, width)?;
            let count = layout.components().len();
            let planes: Vec<&[i16]> = bytes(planes, count)
                .iter()
                .zip(bytes(lengths, count))
                .map(|(&plane, &length)| bytes(plane, length))
                .collect();
            let out = (*encoder).encode_levels(layout, &planes, stream_kind(stream)?)?;
            let ends = vec![out.len()];
            hand_over(out, ends, &mut *output);
            Ok(())
        })
    }
}

pub fn stream_kind(code: u8) -> Result<StreamKind> {
    StreamKind::from_code(code).ok_or_else(|| Error::invalid_argument(format!("unknown stream kind {code}")))
}

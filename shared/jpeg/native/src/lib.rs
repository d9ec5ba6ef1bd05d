//! JPEG (ITU-T T.81) with given tables: pixels to streams, streams to quantised DCT coefficients.
//!
//! No crates. Only `ffi` and `simd` may hold `unsafe`; every other module is pure and knows nothing of Python.

#![deny(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::pedantic)]
#![deny(clippy::undocumented_unsafe_blocks)]
// Bit packing and sample arithmetic cast all the time; the values are bounded where they are made.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_lossless
)]

#[forbid(unsafe_code)]
mod batch;
#[forbid(unsafe_code)]
mod bit_writer;
#[forbid(unsafe_code)]
mod canvas;
#[forbid(unsafe_code)]
mod coefficients;
#[forbid(unsafe_code)]
mod colour;
#[forbid(unsafe_code)]
mod dct;
#[forbid(unsafe_code)]
mod decode_table;
#[forbid(unsafe_code)]
mod decoder;
#[forbid(unsafe_code)]
mod encoder;
#[forbid(unsafe_code)]
mod error;
mod ffi;
#[forbid(unsafe_code)]
mod fit;
#[forbid(unsafe_code)]
mod frame;
#[forbid(unsafe_code)]
mod head;
#[forbid(unsafe_code)]
mod huffman;
#[forbid(unsafe_code)]
mod inspect;
#[forbid(unsafe_code)]
mod layout;
#[forbid(unsafe_code)]
mod levels;
#[forbid(unsafe_code)]
mod markers;
#[forbid(unsafe_code)]
mod pairs;
#[forbid(unsafe_code)]
mod pixels;
#[forbid(unsafe_code)]
mod quant;
#[forbid(unsafe_code)]
mod rdo;
#[forbid(unsafe_code)]
mod resample;
#[forbid(unsafe_code)]
mod scan_decode;
#[forbid(unsafe_code)]
mod scan_encode;
#[forbid(unsafe_code)]
mod segment;
#[forbid(unsafe_code)]
mod share_out;
mod simd;
#[forbid(unsafe_code)]
mod slots;
#[forbid(unsafe_code)]
mod statistics;
#[forbid(unsafe_code)]
mod stream;
#[forbid(unsafe_code)]
mod stuffing;
#[forbid(unsafe_code)]
mod symbols;
#[forbid(unsafe_code)]
mod tables;
#[forbid(unsafe_code)]
mod transcode;

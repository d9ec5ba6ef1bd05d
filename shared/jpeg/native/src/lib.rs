//! JPEG (ITU-T T.81) with given tables: pixels to streams, streams to quantised DCT coefficients.
//!
//! No crates. Only `ffi` may hold `unsafe`; every other module is pure and knows nothing of Python.

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

mod batch;
mod bit_writer;
mod coefficients;
mod colour;
mod dct;
mod decode_table;
mod decoded_frame;
mod decoder;
mod encoder;
mod error;
mod ffi;
mod fit;
mod frame;
mod huffman;
mod inspect;
mod layout;
mod levels;
mod markers;
mod pixels;
mod quant;
mod rdo;
mod resample;
mod scan_decode;
mod scan_encode;
mod segment;
mod simd;
mod slots;
mod statistics;
mod stream;
mod stuffing;
mod symbols;
mod tables;
mod transcode;

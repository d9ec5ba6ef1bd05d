//! JPEG (ITU-T T.81) with given tables: pixels to streams, streams to quantised DCT coefficients.
//!
//! No crates. Only `ffi` and `simd` may hold `unsafe`; every other module is pure and knows nothing of Python.
//! Modules use each other only downwards, in the order that `tests/architecture/test_native_code.py` states.

#![deny(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::pedantic)]
#![deny(clippy::undocumented_unsafe_blocks)]
// Bit packing and fixed-point arithmetic cast all the time; the values are bounded where they are made.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_lossless
)]

#[forbid(unsafe_code)]
mod decoding;
#[forbid(unsafe_code)]
mod encoding;
#[forbid(unsafe_code)]
mod entropy;
#[forbid(unsafe_code)]
mod error;
mod ffi;
#[forbid(unsafe_code)]
mod geometry;
#[forbid(unsafe_code)]
mod share_out;
mod simd;
#[forbid(unsafe_code)]
mod syntax;
#[forbid(unsafe_code)]
mod tables;
#[forbid(unsafe_code)]
mod tables_id;
#[cfg(test)]
#[forbid(unsafe_code)]
mod tests;
#[forbid(unsafe_code)]
mod transcode;
#[forbid(unsafe_code)]
mod transform;

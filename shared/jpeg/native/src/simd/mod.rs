//! The arithmetic of encoding, once for each instruction set. All of them give the same bits.
//!
//! The scalar code in `transform` says what is right; the tests hold the other instruction sets against it.

#![allow(unsafe_code)]
// A kernel is compiled for its instructions only where everything in it is inlined.
#![allow(clippy::inline_always)]

#[cfg(target_arch = "x86_64")]
mod avx2;
pub mod instructions;
pub mod kernels;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod portable;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod short_rows;

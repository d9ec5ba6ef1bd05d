//! The C interface: pointers in, error codes out. Beside `simd` the only modules that may be unsafe.
//!
//! A function returns 0, or fills `failure` and returns the error's kind. It never unwinds. "Module contract" in a
//! `SAFETY` line means: pointers come from the Python side, which passes live, aligned buffers of at least the
//! stated length, or null where "may be null" is said.

#![allow(unsafe_code)]
// The one contract is stated above.
#![allow(clippy::missing_safety_doc)]

mod bound;
mod buffers;
mod decode;
mod encode;
mod failure;
mod statistics;
mod tables;
mod transcode;

//! Tests of several modules together. Those of one module stand in its own file.

mod border;
mod decoding;
mod simd;
mod statistics;

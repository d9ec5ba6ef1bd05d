//! The arithmetic between pixels and levels (T.81 annex A.3): colour, downsampling, DCT and quantisation.

pub mod axis;
pub mod colour;
pub mod dct;
pub mod levels;
pub mod lines;
pub mod quantiser;
pub mod resample;
pub mod resize;

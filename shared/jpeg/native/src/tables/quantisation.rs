//! The quantisation table (T.81 B.2.4.1).

use crate::geometry::block::BLOCK_AREA;

/// The 64 steps of a component in natural order, each 1 to 255.
pub type QuantTable = [u8; BLOCK_AREA];

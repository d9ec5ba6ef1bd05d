//! How a frame divides into components, MCUs and blocks (T.81 annex A).

pub mod block;
pub mod layout;
pub mod orientation;
pub mod sampling;

//! From pixels or coefficients to streams (T.81 F.1).

pub mod coefficients;
pub mod encoder;
pub mod headers;
pub mod image;
pub mod pixels;
pub mod planes;
pub mod quantisation;
pub mod rdo;
pub mod scan;
pub mod share;

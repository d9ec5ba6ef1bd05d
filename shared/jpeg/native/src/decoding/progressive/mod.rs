//! Progressive JPEG (T.81 annex G): each scan brings some bits of some coefficients; together they bring all.

pub mod band;
pub mod blocks;
pub mod dc;
pub mod frame;

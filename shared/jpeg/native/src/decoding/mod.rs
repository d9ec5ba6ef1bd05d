//! From streams to coefficients (T.81 F.2).

pub mod batch;
pub mod canvas;
pub mod coefficient;
pub mod decode_row;
pub mod decoder;
pub mod destinations;
pub mod fault;
pub mod paired;
pub mod prefix;
pub mod progressive;
pub mod recent;
pub mod row;
pub mod scan;
pub mod scan_component;
pub mod scan_plan;
pub mod segments;
pub mod sequential;

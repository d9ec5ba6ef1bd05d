//! The syntax of a stream (T.81 annex B): markers, marker segments and their order. Nothing is decoded here.

pub mod colours;
pub mod frame_header;
pub mod inspect;
pub mod limits;
pub mod markers;
pub mod orientation;
pub mod progression;
pub mod scan_header;
pub mod stream;
pub mod table_segments;
pub mod tables_stream;
pub mod unsupported;

//! Two frames at a time in one thread: while one waits for its look-up, the other goes on.
//!
//! A code's length must be known before the next code can be looked up, so that a processor has little else to do while
//! it reads a scan. Only frames without a fault are finished here. Any other frame is decoded once more alone, which tells
//! its fault.

pub mod cursor;
pub mod lane;
pub mod shared_scan;
pub mod slot;

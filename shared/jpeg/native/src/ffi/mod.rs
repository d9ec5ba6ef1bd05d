//! The C face: pointers in, codes out. The only modules that may be unsafe, and they do nothing else.
//!
//! Every function returns 0 or the error's kind, fills `failure` then, and never unwinds. "Module contract" in
//! a `SAFETY` line means: pointers come from the Python side, which passes live, aligned buffers of at least the
//! stated length, or null where "may be null" is said.

#![allow(unsafe_code)]
// The one contract is stated above.
#![allow(clippy::missing_safety_doc)]

mod bound;
mod decode;
mod encode;
mod statistics;
mod tables;

use std::{ptr, slice};

use crate::error::{contain, Error, Result};

const MESSAGE_BYTES: usize = 160;

#[repr(C)]
pub struct Failure {
    pub kind: i32,
    pub message_length: u32,
    pub limit: u64,
    pub actual: u64,
    pub has_tables_id: u8,
    pub tables_id: [u8; 8],
    pub message: [u8; 160],
}

/// Bytes that Rust owns until `dctwire_release`; `ends` has `count` offsets, one behind each stream.
#[repr(C)]
pub struct Output {
    pub data: *mut u8,
    pub length: usize,
    pub capacity: usize,
    pub ends: *mut usize,
    pub count: usize,
    pub ends_capacity: usize,
}

impl Output {
    const EMPTY: Self = Self {
        data: ptr::null_mut(),
        length: 0,
        capacity: 0,
        ends: ptr::null_mut(),
        count: 0,
        ends_capacity: 0,
    };
}

/// Run `work`, turn its error or panic into `failure` and the kind's number.
unsafe fn guard(failure: *mut Failure, work: impl FnOnce() -> Result<()>) -> i32 {
    let result = contain(work);
    match result {
        Ok(()) => 0,
        Err(error) => {
            // SAFETY: `failure` points to one writable `Failure` (module contract).
            describe(unsafe { &mut *failure }, &error);
            error.kind as i32
        }
    }
}

fn describe(failure: &mut Failure, error: &Error) {
    let length = error.message.len().min(MESSAGE_BYTES);
    failure.kind = error.kind as i32;
    failure.message[..length].copy_from_slice(&error.message.as_bytes()[..length]);
    failure.message_length = length as u32;
    failure.limit = error.limit;
    failure.actual = error.actual;
    failure.has_tables_id = u8::from(error.tables_id.is_some());
    failure.tables_id = error.tables_id.unwrap_or_default();
}

/// A slice that may be empty with any pointer.
unsafe fn bytes<'a, T>(data: *const T, length: usize) -> &'a [T] {
    if length == 0 {
        return &[];
    }
    // SAFETY: the caller passes `length` readable items at `data` (module contract).
    unsafe { slice::from_raw_parts(data, length) }
}

/// The same, writable.
unsafe fn bytes_mut<'a, T>(data: *mut T, length: usize) -> &'a mut [T] {
    if length == 0 {
        return &mut [];
    }
    // SAFETY: the caller passes `length` writable items at `data` that nothing else uses (module contract).
    unsafe { slice::from_raw_parts_mut(data, length) }
}

fn hand_over(data: Vec<u8>, ends: Vec<usize>, output: &mut Output) {
    let mut data = std::mem::ManuallyDrop::new(data);
    let mut ends = std::mem::ManuallyDrop::new(ends);
    *output = Output {
        data: data.as_mut_ptr(),
        length: data.len(),
        capacity: data.capacity(),
        ends: ends.as_mut_ptr(),
        count: ends.len(),
        ends_capacity: ends.capacity(),
    };
}

/// The inverse: `output` is empty again.
///
/// # Safety
/// `output` is all zero, or as `hand_over` left it.
unsafe fn take_back(output: &mut Output) -> (Vec<u8>, Vec<usize>) {
    let Output {
        data,
        length,
        capacity,
        ends,
        count,
        ends_capacity,
    } = std::mem::replace(output, Output::EMPTY);
    if data.is_null() {
        return (Vec::new(), Vec::new());
    }
    // SAFETY: `hand_over` made these parts of two vectors, and they are put together once.
    unsafe {
        (
            Vec::from_raw_parts(data, length, capacity),
            Vec::from_raw_parts(ends, count, ends_capacity),
        )
    }
}

/// Free what a function handed over; `output` is empty then.
#[no_mangle]
pub unsafe extern "C" fn dctwire_release(output: *mut Output) {
    let freed = contain(|| {
        // SAFETY: module contract.
        drop(unsafe { take_back(&mut *output) });
        Ok(())
    });
    debug_assert!(freed.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::Decoder;
    use crate::encoder::Encoder;
    use crate::error::Kind;

    #[test]
    fn handles_may_be_shared_by_threads() {
        fn shareable<T: Send + Sync>() {}
        shareable::<Encoder>();
        shareable::<Decoder>();
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let result = contain::<()>(|| panic!("this panic is part of a test"));
        assert_eq!(result.map_err(|error| error.kind), Err(Kind::Panic));
    }
}

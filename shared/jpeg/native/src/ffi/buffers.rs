//! Memory across the border: slices of the caller's, and vectors handed to the caller.

use std::{ptr, slice};

use crate::error::contain;

/// Streams that Rust owns until `dctwire_release`: their bytes, and in `ends` where each of the `count` streams ends.
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

/// The `length` items at `data`, which may be any pointer where `length` is 0.
pub unsafe fn bytes<'a, T>(data: *const T, length: usize) -> &'a [T] {
    if length == 0 {
        return &[];
    }
    // SAFETY: the caller passes `length` readable items at `data` (module contract).
    unsafe { slice::from_raw_parts(data, length) }
}

/// The `length` writable items at `data`, which may be any pointer where `length` is 0.
pub unsafe fn bytes_mut<'a, T>(data: *mut T, length: usize) -> &'a mut [T] {
    if length == 0 {
        return &mut [];
    }
    // SAFETY: the caller passes `length` writable items at `data` that nothing else uses (module contract).
    unsafe { slice::from_raw_parts_mut(data, length) }
}

/// Give vectors to the caller, who gives them back by `dctwire_release`.
pub fn hand_over(data: Vec<u8>, ends: Vec<usize>, output: &mut Output) {
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

/// Take back what `hand_over` gave; `output` is empty then.
///
/// # Safety
/// `output` is all zero, or as `hand_over` left it.
pub unsafe fn take_back(output: &mut Output) -> (Vec<u8>, Vec<usize>) {
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

//! Errors across the border.

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

/// Do `work`; where it fails or panics, fill `failure` and return the kind's number, otherwise 0.
pub unsafe fn guard(failure: *mut Failure, work: impl FnOnce() -> Result<()>) -> i32 {
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

/// Fill `failure` with what `error` says.
pub fn describe(failure: &mut Failure, error: &Error) {
    let length = error.message.len().min(MESSAGE_BYTES);
    failure.kind = error.kind as i32;
    failure.message[..length].copy_from_slice(&error.message.as_bytes()[..length]);
    failure.message_length = length as u32;
    failure.limit = error.limit;
    failure.actual = error.actual;
    failure.has_tables_id = u8::from(error.tables_id.is_some());
    failure.tables_id = error.tables_id.unwrap_or_default();
}

//! What can be wrong with a stream, as values: the kind decides the Python class.

use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::tables_id::TablesId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    NotAJpeg = 1,
    Unsupported = 2,
    Corrupt = 3,
    CorruptScan = 4,
    OverLimit = 5,
    UnknownTables = 6,
    InvalidTables = 7,
    InvalidArgument = 8,
    Panic = 9,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub kind: Kind,
    pub message: String,
    pub limit: u64,
    pub actual: u64,
    pub tables_id: Option<TablesId>,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            limit: 0,
            actual: 0,
            tables_id: None,
        }
    }

    pub fn not_a_jpeg(message: impl Into<String>) -> Self {
        Self::new(Kind::NotAJpeg, message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    pub fn corrupt(offset: usize, message: impl AsRef<str>) -> Self {
        Self::new(Kind::Corrupt, format!("byte {offset}: {}", message.as_ref()))
    }

    pub fn scan(offset: usize, message: impl AsRef<str>) -> Self {
        Self::new(Kind::CorruptScan, format!("byte {offset}: {}", message.as_ref()))
    }

    pub fn over_limit(name: &str, limit: u64, actual: u64) -> Self {
        let mut error = Self::new(Kind::OverLimit, name);
        error.limit = limit;
        error.actual = actual;
        error
    }

    pub fn unknown_tables(id: Option<TablesId>, message: impl Into<String>) -> Self {
        let mut error = Self::new(Kind::UnknownTables, message);
        error.tables_id = id;
        error
    }

    pub fn invalid_tables(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidTables, message)
    }

    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidArgument, message)
    }
}

/// Do `work`, and turn a panic in it into an error of kind `Panic`.
pub fn contain<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::new(Kind::Panic, "a fault inside the codec was contained")))
}

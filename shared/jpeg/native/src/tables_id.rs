//! What a frame names its tables by: a few bytes in an APP10 segment of ours.

/// The length of an id; `shared/jpeg/tables_id.py` and the structs of `ffi` agree, which the tests of tables hold.
pub const TABLES_ID_BYTES: usize = 8;

/// The first bytes of the SHA-256 of a tables-only stream.
pub type TablesId = [u8; TABLES_ID_BYTES];

/// The bytes that begin the body of each APP10 segment of ours.
pub const APP10_TAG: [u8; 2] = *b"DW";

//! What a frame names its tables by: eight bytes in an APP10 segment of ours.

/// The first eight bytes of the SHA-256 of a tables-only stream.
pub type TablesId = [u8; 8];

/// The bytes that begin the body of each APP10 segment of ours.
pub const APP10_TAG: [u8; 2] = *b"DW";

//! What is a JPEG but is not read: the processes of T.81 table B.1 other than sequential and progressive Huffman coding of 8 bits.

use crate::error::Error;

/// The error for a stream that has `what`, and what is read instead.
pub fn unsupported(what: &str) -> Error {
    Error::unsupported(format!(
        "{what}: only 8-bit Huffman JPEG is read, grey or YCbCr in 4:2:0, 4:2:2, 4:4:4, 4:4:0 or 4:1:1"
    ))
}

/// The name of a process (T.81 table B.1) that is not read, by its marker.
pub fn refused_process(marker: u8) -> &'static str {
    match marker {
        0xC3 => "lossless (SOF3)",
        0xC5..=0xC7 => "hierarchical, Huffman coded (SOF5 to SOF7)",
        0xC8 => "JPEG extensions (JPG)",
        0xC9 => "arithmetic coding, sequential (SOF9)",
        0xCA => "arithmetic coding, progressive (SOF10)",
        0xCB => "arithmetic coding, lossless (SOF11)",
        0xCC => "arithmetic coding (DAC)",
        0xCD..=0xCF => "hierarchical, arithmetic coding (SOF13 to SOF15)",
        0xDE | 0xDF => "hierarchical (DHP, EXP)",
        _ => "an unknown marker",
    }
}

//! Huffman codes and the bits of a scan (T.81 annexes C and F.1.2, F.2.2): read, written and counted.

pub mod bit_writer;
pub mod code_table;
pub mod decode_table;
pub mod encode_table;
pub mod receive;
pub mod segment;
pub mod statistics;
pub mod stuffing;
pub mod symbols;

//! Tables as values: quantisation (T.81 B.2.4.1), Huffman (annex C, K.2) and the set of all that a frame needs.

pub mod annex_k;
pub mod fit;
#[cfg(test)]
pub mod fixtures;
pub mod huffman;
pub mod quantisation;
pub mod table_set;

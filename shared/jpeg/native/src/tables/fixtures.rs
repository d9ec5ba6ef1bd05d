//! Table sets for the tests of any module.

use crate::geometry::sampling::Sampling;
use crate::tables::fit::fit;
use crate::tables::huffman::Class;
use crate::tables::table_set::{huffman_tables, TableSet};

/// A legal set whose Huffman codes all have nearly the same length; `quant` has the step of each component.
pub fn some_tables(sampling: Sampling, quant: &[u8]) -> TableSet {
    let huffman = (0..huffman_tables(sampling))
        .map(|index| fit(&[0; 256], if index % 2 == 0 { Class::Dc } else { Class::Ac }))
        .collect();
    TableSet::new(sampling, quant.iter().map(|&step| [step; 64]).collect(), huffman).unwrap()
}

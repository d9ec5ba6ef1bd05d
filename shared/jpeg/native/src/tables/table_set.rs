//! A table set: what both ends must know to exchange frames without tables in them.

use crate::error::{Error, Result};
use crate::geometry::sampling::Sampling;
use crate::tables::huffman::{Class, Spec};
use crate::tables::quantisation::QuantTable;

/// Quantisation and Huffman tables of a frame, and its sampling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSet {
    pub sampling: Sampling,
    /// One table for each component.
    pub quant: Vec<QuantTable>,
    /// DC and AC of luma, then DC and AC of chroma.
    pub huffman: Vec<Spec>,
}

impl TableSet {
    pub fn new(sampling: Sampling, quant: Vec<QuantTable>, huffman: Vec<Spec>) -> Result<Self> {
        if let Some(component) = quant.iter().position(|table| table.contains(&0)) {
            return Err(Error::invalid_tables(format!(
                "quantisation table {component} has a zero"
            )));
        }
        for (index, spec) in huffman.iter().enumerate() {
            let class = if index % 2 == 0 { Class::Dc } else { Class::Ac };
            spec.require_all_symbols(class)
                .map_err(|fault| Error::invalid_tables(format!("Huffman table {index}: {fault}")))?;
        }
        Ok(Self {
            sampling,
            quant,
            huffman,
        })
    }

    /// The DQT destination of each component: equal tables share one, and destinations are numbered by first use.
    pub fn quant_destinations(&self) -> [u8; 3] {
        let mut destinations = [0; 3];
        let mut next = 0;
        for component in 0..self.quant.len() {
            let same = (0..component).find(|&earlier| self.quant[earlier] == self.quant[component]);
            destinations[component] = same.map_or(next, |earlier| destinations[earlier]);
            next = next.max(destinations[component] + 1);
        }
        destinations
    }
}

/// How many Huffman tables a set for this sampling has.
pub fn huffman_tables(sampling: Sampling) -> usize {
    if sampling == Sampling::Grey {
        2
    } else {
        4
    }
}

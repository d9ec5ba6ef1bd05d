//! Table sets across the border.

use crate::error::{Error, Result};
use crate::ffi::buffers::{bytes, bytes_mut, hand_over, Output};
use crate::ffi::failure::{guard, Failure};
use crate::geometry::sampling::Sampling;
use crate::syntax::tables_stream::{read_tables, write_tables};
use crate::tables::annex_k;
use crate::tables::huffman::Spec;
use crate::tables::quantisation::QuantTable;
use crate::tables::table_set::{huffman_tables, TableSet};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct HuffmanTable {
    pub counts: [u8; 16],
    pub symbols: [u8; 256],
}

#[repr(C)]
pub struct Tables {
    pub sampling: u8,
    pub id: [u8; 8],
    pub quant: [[u8; 64]; 3],
    pub huffman: [HuffmanTable; 4],
}

pub fn table_set(tables: &Tables) -> Result<TableSet> {
    let sampling = sampling_of(tables.sampling)?;
    let specs = tables.huffman[..huffman_tables(sampling)].iter().enumerate();
    let huffman = specs
        .map(|(index, table)| spec_of(table, index))
        .collect::<Result<Vec<Spec>>>()?;
    let quant: Vec<QuantTable> = tables.quant[..sampling.components()].to_vec();
    TableSet::new(sampling, quant, huffman)
}

pub fn spec_of(table: &HuffmanTable, index: usize) -> Result<Spec> {
    let total: usize = table.counts.iter().map(|&count| usize::from(count)).sum();
    Spec::new(table.counts, &table.symbols[..total.min(256)])
        .map_err(|fault| Error::invalid_tables(format!("Huffman table {index}: {fault}")))
}

pub fn sampling_of(code: u8) -> Result<Sampling> {
    Sampling::from_code(code).ok_or_else(|| Error::invalid_argument(format!("unknown sampling {code}")))
}

pub fn write_table(spec: &Spec, table: &mut HuffmanTable) {
    table.counts = spec.counts;
    table.symbols = spec.symbols;
}

/// The Huffman tables of T.81 annex K: DC and AC of luminance, DC and AC of chrominance.
#[no_mangle]
pub unsafe extern "C" fn dctwire_annex_k(tables: *mut HuffmanTable, failure: *mut Failure) -> i32 {
    // SAFETY: module contract; `tables` has room for four.
    unsafe {
        guard(failure, || {
            let tables = bytes_mut(tables, annex_k::HUFFMAN.len());
            for (spec, table) in annex_k::HUFFMAN.iter().zip(tables) {
                write_table(spec, table);
            }
            Ok(())
        })
    }
}

/// Check a table set.
#[no_mangle]
pub unsafe extern "C" fn dctwire_tables_check(tables: *const Tables, failure: *mut Failure) -> i32 {
    // SAFETY: module contract.
    unsafe { guard(failure, || table_set(&*tables).map(|_| ())) }
}

/// The tables-only stream, with or without its Huffman tables.
#[no_mangle]
pub unsafe extern "C" fn dctwire_tables_write(
    tables: *const Tables,
    with_huffman: u8,
    output: *mut Output,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let stream = write_tables(&table_set(&*tables)?, with_huffman != 0);
            let ends = vec![stream.len()];
            hand_over(stream, ends, &mut *output);
            Ok(())
        })
    }
}

/// The table set of a canonical tables-only stream; its id is left to the caller.
#[no_mangle]
pub unsafe extern "C" fn dctwire_tables_read(
    data: *const u8,
    length: usize,
    tables: *mut Tables,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let set = read_tables(bytes(data, length))?;
            let tables = &mut *tables;
            tables.sampling = set.sampling as u8;
            tables.quant[..set.quant.len()].copy_from_slice(&set.quant);
            for (spec, table) in set.huffman.iter().zip(&mut tables.huffman) {
                write_table(spec, table);
            }
            Ok(())
        })
    }
}

//! A component resampled to another size, from its levels to values.

use std::ops::Range;

use crate::geometry::block::BLOCK_SIDE;
use crate::geometry::layout::ComponentLayout;
use crate::tables::quantisation::QuantTable;
use crate::transform::axis::{blocks_of, Filter, Sum};

/// How many new rows are summed together: their sums take at most 2 KiB for each block, or 33 MB for the widest picture.
const GROUP_ROWS: usize = 64;

/// The levels of a component and how to read them.
pub struct Source<'a> {
    pub levels: &'a [i16],
    pub quant: &'a QuantTable,
    pub layout: &'a ComponentLayout,
}

/// The values of a component in the new picture, column by column, less 128.
///
/// Rows are summed first, for all columns of blocks side by side; then columns are, for many new rows side by side. The
/// compiler makes vectors of both.
pub fn resize(source: &Source<'_>, rows: &Filter, columns: &Filter) -> Vec<f32> {
    let across = columns.blocks();
    let height = rows.sums.len();
    let mut out = vec![0.0; height * columns.sums.len()];
    for (first, group) in (0..).step_by(GROUP_ROWS).zip(rows.sums.chunks(GROUP_ROWS)) {
        let summed = sum_rows(source, (rows.frequencies, group), columns.frequencies, &across);
        for (values, sum) in out.chunks_exact_mut(height).zip(&columns.sums) {
            let values = &mut values[first..first + group.len()];
            let start = (sum.first - across.start) * columns.frequencies * group.len();
            for (&weight, summed) in sum.weights.iter().zip(summed[start..].chunks_exact(group.len())) {
                add(values, summed, weight);
            }
        }
    }
    out
}

/// Some new rows of the lowest horizontal frequencies of the columns of blocks `across`: `[block
/// column][frequency][new row]`.
fn sum_rows(
    source: &Source<'_>,
    (vertical_frequencies, rows): (usize, &[Sum]),
    horizontal_frequencies: usize,
    across: &Range<usize>,
) -> Vec<f32> {
    let (width, height) = (across.len(), rows.len());
    let mut line = vec![0.0; width];
    let mut sums = vec![0.0; horizontal_frequencies * height * width];
    for block_row in blocks_of(rows, vertical_frequencies) {
        let users = users_of(rows, vertical_frequencies, block_row);
        for vertical in 0..vertical_frequencies {
            for horizontal in 0..horizontal_frequencies {
                let natural = vertical * BLOCK_SIDE + horizontal;
                let start = natural * source.layout.area() + block_row * source.layout.block_columns;
                let levels = &source.levels[start + across.start..start + across.end];
                if levels.iter().fold(0, |any, level| any | level) == 0 {
                    continue;
                }
                dequantise(levels, source.quant[natural], &mut line);
                for (output, weights) in &users {
                    let start = (horizontal * height + output) * width;
                    add(&mut sums[start..start + width], &line, weights[vertical]);
                }
            }
        }
    }
    columns_first(&sums, horizontal_frequencies * height, width)
}

/// Which of the new rows a row of blocks has weights in, and those weights.
fn users_of(rows: &[Sum], frequencies: usize, block_row: usize) -> Vec<(usize, &[f32])> {
    let users = rows.iter().enumerate().filter_map(|(output, sum)| {
        let at = block_row.checked_sub(sum.first)? * frequencies;
        Some((output, sum.weights.get(at..at + frequencies)?))
    });
    users.collect()
}

#[inline]
fn dequantise(levels: &[i16], step: u8, out: &mut [f32]) {
    for (out, &level) in out.iter_mut().zip(levels) {
        *out = f32::from(level) * f32::from(step);
    }
}

#[inline]
fn add(sums: &mut [f32], values: &[f32], weight: f32) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += weight * value;
    }
}

/// `rows` x `columns` values, column by column.
fn columns_first(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for (row, line) in values.chunks_exact(columns.max(1)).enumerate() {
        for (column, &value) in line.iter().enumerate() {
            out[column * rows + row] = value;
        }
    }
    out
}

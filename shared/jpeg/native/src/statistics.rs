//! How often each Huffman symbol occurs in planes of levels.

use crate::error::{Error, Result};
use crate::layout::{Layout, BLOCK_AREA, ZIGZAG};

/// Counts by symbol: DC and AC of luma, DC and AC of chroma.
pub type SymbolCounts = [[u64; 256]; 4];

/// Count what coding these planes (one slice of 64 planes a component) would emit, padding not counted.
pub fn count_symbols(layout: &Layout, planes: &[&[i16]], counts: &mut SymbolCounts) -> Result<()> {
    let mut predictors = [0; 3];
    for mcu_row in 0..layout.mcu_rows {
        for mcu_column in 0..layout.mcu_columns {
            for (index, component) in layout.components().iter().enumerate() {
                let (dc, ac) = counts.split_at_mut(2 * index.min(1) + 1);
                let (dc, ac) = (&mut dc[2 * index.min(1)], &mut ac[0]);
                for row in mcu_row * component.vertical..(mcu_row + 1) * component.vertical {
                    for column in mcu_column * component.horizontal..(mcu_column + 1) * component.horizontal {
                        if row < component.block_rows && column < component.block_columns {
                            let offset = row * component.block_columns + column;
                            let block = Block {
                                plane: planes[index],
                                offset,
                                area: component.area(),
                            };
                            count_block(&block, &mut predictors[index], dc, ac)?;
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

struct Block<'a> {
    plane: &'a [i16],
    offset: usize,
    area: usize,
}

impl Block<'_> {
    fn level(&self, position: usize) -> i32 {
        i32::from(self.plane[usize::from(ZIGZAG[position]) * self.area + self.offset])
    }
}

fn count_block(
    block: &Block<'_>,
    predictor: &mut i32,
    dc: &mut [u64; 256],
    ac: &mut [u64; 256],
) -> Result<()> {
    let level = block.level(0);
    dc[usize::from(size_of(level - *predictor, 11)?)] += 1;
    *predictor = level;
    let mut run = 0;
    for position in 1..BLOCK_AREA {
        let level = block.level(position);
        if level == 0 {
            run += 1;
            continue;
        }
        ac[0xF0] += run / 16;
        ac[((run % 16) << 4) as usize | usize::from(size_of(level, 10)?)] += 1;
        run = 0;
    }
    ac[0] += u64::from(run > 0);
    Ok(())
}

fn size_of(value: i32, most: u8) -> Result<u8> {
    let size = (32 - value.unsigned_abs().leading_zeros()) as u8;
    if size > most {
        return Err(Error::invalid_argument(format!(
            "a level or difference of {value} has no code"
        )));
    }
    Ok(size)
}

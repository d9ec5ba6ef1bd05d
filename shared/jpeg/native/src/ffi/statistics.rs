//! Symbol counts and Huffman fit across the border.

use super::tables::{write_table, HuffmanTable};
use super::{bytes, bytes_mut, guard, Failure};
use crate::fit::fit;
use crate::huffman::Class;
use crate::layout::{Layout, Sampling, BLOCK_AREA};
use crate::statistics::count_symbols;

/// Add the symbols of `count` images' levels to `counts` (4 x 256).
#[no_mangle]
pub unsafe extern "C" fn dctwire_count_symbols(
    y: *const i16,
    c: *const i16,
    count: usize,
    height: usize,
    width: usize,
    counts: *mut u64,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; the planes are those of `count` 4:2:0 images of `height` x `width`.
    unsafe {
        guard(failure, || {
            let layout = Layout::of_image(height, width, Sampling::Yuv420)?;
            let y_row = BLOCK_AREA * layout.components()[0].area();
            let c_row = BLOCK_AREA * layout.components()[1].area();
            let mut found = [[0; 256]; 4];
            let rows = bytes(y, count * y_row)
                .chunks_exact(y_row)
                .zip(bytes(c, 2 * count * c_row).chunks_exact(2 * c_row));
            for (y, c) in rows {
                let (cb, cr) = c.split_at(c_row);
                count_symbols(&layout, &[y, cb, cr], &mut found)?;
            }
            for (total, &more) in bytes_mut(counts, 4 * 256).iter_mut().zip(found.iter().flatten()) {
                *total += more;
            }
            Ok(())
        })
    }
}

/// The optimal table for 256 counts; class 0 DC, 1 AC.
#[no_mangle]
pub unsafe extern "C" fn dctwire_fit(
    counts: *const u64,
    class: u8,
    table: *mut HuffmanTable,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let mut own = [0; 256];
            own.copy_from_slice(bytes(counts, 256));
            let class = if class == 0 { Class::Dc } else { Class::Ac };
            write_table(&fit(&own, class), &mut *table);
            Ok(())
        })
    }
}

//! Counted bits, against scans of our encoder.

use crate::encoding::encoder::{Encoder, StreamKind};
use crate::entropy::statistics::CodeLengths;
use crate::geometry::block::BLOCK_AREA;
use crate::geometry::layout::{ComponentLayout, Layout};
use crate::geometry::sampling::Sampling;
use crate::simd::instructions::InstructionSet;
use crate::tables::fixtures::some_tables;

#[test]
fn the_bits_are_those_of_the_scan_without_filling_and_stuffing() {
    for sampling in [
        Sampling::Grey,
        Sampling::Yuv444,
        Sampling::Yuv422,
        Sampling::Yuv420,
    ] {
        let set = some_tables(sampling, &[3, 5, 7][..sampling.components()]);
        let layout = Layout::of_image(20, 33, sampling).unwrap();
        let areas = layout.components().iter().map(ComponentLayout::area);
        let levels: Vec<Vec<i16>> = areas
            .map(|area| {
                (0..BLOCK_AREA * area)
                    .map(|index| {
                        if index % 3 == 0 {
                            (index * 37 % 2047) as i16 - 1023
                        } else {
                            0
                        }
                    })
                    .collect()
            })
            .collect();
        let planes: Vec<&[i16]> = levels.iter().map(Vec::as_slice).collect();
        let bits = CodeLengths::new(&set.huffman)
            .scan_bits(&layout, &planes)
            .unwrap();
        let scan = Encoder::new(set, *b"tablesid", InstructionSet::fastest())
            .encode_levels(layout, &planes, StreamKind::Scan)
            .unwrap();
        let stuffed = scan.windows(2).filter(|pair| *pair == [0xFF, 0]).count();
        assert_eq!((bits as usize + 7) / 8, scan.len() - stuffed);
    }
}

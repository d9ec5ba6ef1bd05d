//! Decoding, against streams of our encoder.

use crate::decoding::coefficient::Plane;
use crate::decoding::decoder::{Decoder, Workspace};
use crate::decoding::prefix::Prefix;
use crate::decoding::row::{BatchSize, Row};
use crate::encoding::encoder::{Encoder, StreamKind};
use crate::error::{Kind, Result};
use crate::geometry::block::BLOCK_AREA;
use crate::geometry::layout::Layout;
use crate::geometry::sampling::Sampling;
use crate::simd::instructions::InstructionSet;
use crate::syntax::limits::Limits;
use crate::tables::fixtures::some_tables;
use crate::tables_id::TablesId;

const ID: TablesId = *b"tablesid";

/// Levels of a 20 x 33 image, all different.
fn levels(layout: &Layout) -> Vec<Vec<i16>> {
    let lengths = layout
        .components()
        .iter()
        .map(|component| BLOCK_AREA * component.area());
    lengths
        .map(|length| {
            (0..length)
                .map(|index| (index * 37 % 2047) as i16 - 1023)
                .collect()
        })
        .collect()
}

fn decode(decoder: &Decoder, stream: &[u8]) -> Result<Vec<Vec<i16>>> {
    decode_with(decoder, stream, &mut Workspace::default())
}

fn decode_with(decoder: &Decoder, stream: &[u8], workspace: &mut Workspace) -> Result<Vec<Vec<i16>>> {
    let layout = decoder.probe(stream)?.layout;
    let mut data: Vec<Vec<i16>> = layout
        .components()
        .iter()
        .map(|component| vec![0; BLOCK_AREA * component.area()])
        .collect();
    let mut planes: Vec<Plane<'_, i16>> = data.iter_mut().map(|data| Plane { data }).collect();
    decoder.decode(stream, &mut planes, workspace, |_| Ok(()))?;
    Ok(data)
}

#[test]
fn levels_come_back_in_every_sampling_and_every_cut_but_of_eoi_is_refused() {
    for sampling in Sampling::ALL {
        let set = some_tables(sampling, &[3, 5, 7][..sampling.components()]);
        let layout = Layout::of_image(20, 33, sampling).unwrap();
        let levels = levels(&layout);
        let planes: Vec<&[i16]> = levels.iter().map(Vec::as_slice).collect();
        let encoder = Encoder::new(set.clone(), ID, InstructionSet::fastest());
        let decoder = Decoder::new(Some((set, ID)), Limits::default());
        for kind in [StreamKind::Interchange, StreamKind::Abbreviated] {
            let stream = encoder.encode_levels(layout, &planes, kind).unwrap();
            assert_eq!(decode(&decoder, &stream).as_ref(), Ok(&levels));
            for length in (0..stream.len() - 2).step_by(7) {
                assert!(decode(&decoder, &stream[..length]).is_err());
            }
        }
    }
}

#[test]
fn only_a_short_prefix_is_remembered() {
    let layout = Layout::of_image(8, 8, Sampling::Grey).unwrap();
    let stream = Encoder::new(some_tables(Sampling::Grey, &[3]), ID, InstructionSet::fastest())
        .encode_levels(layout, &[&[0; 64]], StreamKind::Interchange)
        .unwrap();
    let decoder = Decoder::new(None, Limits::default());
    for (length, is_remembered) in [(2, true), (Prefix::MOST_BYTES, false)] {
        let comment = [
            &[0xFF, 0xFE],
            &(length as u16).to_be_bytes()[..],
            &vec![0; length - 2],
        ]
        .concat();
        let mut workspace = Workspace::default();
        let commented = [&stream[..2], &comment, &stream[2..]].concat();
        decode_with(&decoder, &commented, &mut workspace).unwrap();
        assert_eq!(workspace.prefix.is_some(), is_remembered);
    }
}

#[test]
fn frames_of_one_prefix_are_decoded_once_also_without_eoi_or_with_padding() {
    let layout = Layout::of_image(16, 16, Sampling::Yuv420).unwrap();
    let set = some_tables(Sampling::Yuv420, &[3, 5, 7]);
    let planes = [&[-3; 256][..], &[-2; 64], &[-1; 64]];
    let stream = Encoder::new(set.clone(), ID, InstructionSet::fastest())
        .encode_levels(layout, &planes, StreamKind::Abbreviated)
        .unwrap();
    let scan = &stream[..stream.len() - 2];
    assert_ne!(scan.last(), Some(&0));
    let frames = [
        scan.to_vec(),
        [scan, &[0, 0, 0xFF, 0xD9]].concat(),
        stream.clone(),
    ];
    let decoder = Decoder::new(Some((set, ID)), Limits::default());
    let mut workspace = Workspace::default();
    decode_with(&decoder, &stream, &mut workspace).unwrap();
    let size = BatchSize {
        height: 16,
        width: 16,
        is_levels: true,
    };
    let (mut y, mut c) = ([0_i16; 3 * 256], [0_i16; 3 * 128]);
    let mut rows: Vec<Row<'_, i16>> = frames
        .iter()
        .zip(y.chunks_exact_mut(256).zip(c.chunks_exact_mut(128)))
        .map(|(frame, (y, c))| Row::new(frame, y, c))
        .collect();
    assert_eq!(decoder.decode_alike(size, &mut rows, &mut workspace), 3);
    assert!(rows.iter().all(|row| row.is_done));
    assert_eq!(y, [-3; 3 * 256]);
}

#[test]
fn tables_that_are_not_at_hand_are_named() {
    let set = some_tables(Sampling::Grey, &[3]);
    let layout = Layout::of_image(8, 8, Sampling::Grey).unwrap();
    let stream = Encoder::new(set, ID, InstructionSet::fastest())
        .encode_levels(layout, &[&[0; 64]], StreamKind::Abbreviated)
        .unwrap();
    let error = decode(&Decoder::new(None, Limits::default()), &stream).unwrap_err();
    assert_eq!((error.kind, error.tables_id), (Kind::UnknownTables, Some(ID)));
}

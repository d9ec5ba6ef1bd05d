//! The C face: pointers in, codes out. The only module that may be unsafe, and it does nothing else.
//!
//! Every function returns 0 or the error's kind, fills `failure` then, and never unwinds.

#![allow(unsafe_code)]
// Each entry has the same contract, stated once here: pointers come from the Python side, which passes
// live buffers of at least the stated length, or null where "may be null" is said.
#![allow(clippy::missing_safety_doc)]

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::slice;

use crate::decoder::{inspect, Decoder};
use crate::encoder::{Encoder, StreamKind};
use crate::error::{Error, Kind, Result};
use crate::fit::fit;
use crate::huffman::{checked, Class, Spec};
use crate::layout::{Layout, Sampling, BLOCK_AREA};
use crate::markers::Limits;
use crate::pixels::Image;
use crate::quant::QuantTable;
use crate::scan_decode::{Coefficient, Plane};
use crate::statistics::count_symbols;
use crate::tables::{huffman_tables, TableSet};

const MESSAGE_BYTES: usize = 160;

#[repr(C)]
pub struct Failure {
    pub kind: i32,
    pub message_length: u32,
    pub limit: u64,
    pub actual: u64,
    pub has_tables_id: u8,
    pub tables_id: [u8; 8],
    pub message: [u8; 160],
}

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

#[repr(C)]
pub struct StreamLimits {
    pub bytes: u64,
    pub pixels: u64,
    pub side: u64,
    pub scans: u64,
    pub markers: u64,
}

#[repr(C)]
pub struct Info {
    pub height: u32,
    pub width: u32,
    pub sampling: u8,
    pub is_abbreviated: u8,
    pub has_tables_id: u8,
    pub has_quant: u8,
    pub tables_id: [u8; 8],
    pub quant: [[u8; 64]; 3],
    pub block_rows: [u32; 3],
    pub block_columns: [u32; 3],
    pub scan_bytes: u64,
}

/// Bytes that Rust owns until `dctwire_release`; `ends` has `count` offsets, one behind each stream.
#[repr(C)]
pub struct Output {
    pub data: *mut u8,
    pub length: usize,
    pub capacity: usize,
    pub ends: *mut usize,
    pub count: usize,
    pub ends_capacity: usize,
}

/// Images of one size: `count` x `height` x `width` x `channels` bytes.
#[repr(C)]
pub struct Images {
    pub pixels: *const u8,
    pub count: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

/// Run `work`, turn its error or panic into `failure` and the kind's number.
unsafe fn guard(failure: *mut Failure, work: impl FnOnce() -> Result<()>) -> i32 {
    let result = contain(work);
    match result {
        Ok(()) => 0,
        Err(error) => {
            // SAFETY: `failure` points to one writable `Failure` (module contract).
            describe(unsafe { &mut *failure }, &error);
            error.kind as i32
        }
    }
}

fn contain(work: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::new(Kind::Panic, "a fault inside the codec was contained")))
}

fn describe(failure: &mut Failure, error: &Error) {
    let length = error.message.len().min(MESSAGE_BYTES);
    failure.kind = error.kind as i32;
    failure.message[..length].copy_from_slice(&error.message.as_bytes()[..length]);
    failure.message_length = length as u32;
    failure.limit = error.limit;
    failure.actual = error.actual;
    failure.has_tables_id = u8::from(error.tables_id.is_some());
    failure.tables_id = error.tables_id.unwrap_or_default();
}

/// A slice that may be empty with any pointer.
unsafe fn bytes<'a, T>(data: *const T, length: usize) -> &'a [T] {
    if length == 0 {
        return &[];
    }
    // SAFETY: the caller passes `length` readable items at `data` (module contract).
    unsafe { slice::from_raw_parts(data, length) }
}

/// The same, writable.
unsafe fn bytes_mut<'a, T>(data: *mut T, length: usize) -> &'a mut [T] {
    if length == 0 {
        return &mut [];
    }
    // SAFETY: the caller passes `length` writable items at `data` that nothing else uses (module contract).
    unsafe { slice::from_raw_parts_mut(data, length) }
}

fn table_set(tables: &Tables) -> Result<TableSet> {
    let sampling = sampling_of(tables.sampling)?;
    let specs = tables.huffman[..huffman_tables(sampling)].iter().enumerate();
    let huffman = specs
        .map(|(index, table)| spec_of(table, index))
        .collect::<Result<Vec<Spec>>>()?;
    let quant: Vec<QuantTable> = tables.quant[..sampling.components()].to_vec();
    TableSet::new(sampling, quant, huffman)
}

fn spec_of(table: &HuffmanTable, index: usize) -> Result<Spec> {
    let total: usize = table.counts.iter().map(|&count| usize::from(count)).sum();
    checked(
        table.counts,
        &table.symbols[..total.min(256)],
        &format!("Huffman table {index}"),
    )
}

fn sampling_of(code: u8) -> Result<Sampling> {
    Sampling::from_code(code).ok_or_else(|| Error::invalid_argument(format!("unknown sampling {code}")))
}

fn stream_kind(code: u8) -> Result<StreamKind> {
    StreamKind::from_code(code).ok_or_else(|| Error::invalid_argument(format!("unknown stream kind {code}")))
}

fn limits_of(limits: &StreamLimits) -> Limits {
    Limits {
        bytes: limits.bytes,
        pixels: limits.pixels,
        side: limits.side,
        scans: limits.scans,
        markers: limits.markers,
    }
}

fn write_table(spec: &Spec, table: &mut HuffmanTable) {
    table.counts = spec.counts;
    table.symbols = spec.symbols;
}

fn write_layout(layout: &Layout, info: &mut Info) {
    info.height = layout.height as u32;
    info.width = layout.width as u32;
    info.sampling = layout.sampling as u8;
    for (index, component) in layout.components().iter().enumerate() {
        info.block_rows[index] = component.block_rows as u32;
        info.block_columns[index] = component.block_columns as u32;
    }
}

fn write_quant(quant: &[QuantTable], info: &mut Info) {
    info.has_quant = 1;
    info.quant[..quant.len()].copy_from_slice(quant);
}

fn hand_over(data: Vec<u8>, ends: Vec<usize>, output: &mut Output) {
    let mut data = std::mem::ManuallyDrop::new(data);
    let mut ends = std::mem::ManuallyDrop::new(ends);
    *output = Output {
        data: data.as_mut_ptr(),
        length: data.len(),
        capacity: data.capacity(),
        ends: ends.as_mut_ptr(),
        count: ends.len(),
        ends_capacity: ends.capacity(),
    };
}

/// Free what a function handed over. `output` must not be used again.
#[no_mangle]
pub unsafe extern "C" fn dctwire_release(output: *mut Output) {
    // SAFETY: `hand_over` made these parts of two vectors, and they are released once.
    unsafe {
        let output = &*output;
        drop(Vec::from_raw_parts(output.data, output.length, output.capacity));
        drop(Vec::from_raw_parts(
            output.ends,
            output.count,
            output.ends_capacity,
        ));
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
            let stream = table_set(&*tables)?.to_stream(with_huffman != 0);
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
            let set = TableSet::from_stream(bytes(data, length))?;
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

/// What the markers of a frame say.
#[no_mangle]
pub unsafe extern "C" fn dctwire_inspect(
    data: *const u8,
    length: usize,
    limits: *const StreamLimits,
    info: *mut Info,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let found = inspect(bytes(data, length), limits_of(&*limits))?;
            let info = &mut *info;
            write_layout(&found.layout, info);
            if let Some(quant) = &found.quant {
                write_quant(quant, info);
            }
            info.is_abbreviated = u8::from(found.is_abbreviated);
            info.has_tables_id = u8::from(found.tables_id.is_some());
            info.tables_id = found.tables_id.unwrap_or_default();
            info.scan_bytes = found.scan_bytes as u64;
            Ok(())
        })
    }
}

/// An encoder for these tables (their id is what its frames will name), or null.
#[no_mangle]
pub unsafe extern "C" fn dctwire_encoder_new(tables: *const Tables, failure: *mut Failure) -> *mut Encoder {
    let mut made = std::ptr::null_mut();
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let tables = &*tables;
            made = Box::into_raw(Box::new(Encoder::new(table_set(tables)?, tables.id)));
            Ok(())
        });
    }
    made
}

#[no_mangle]
pub unsafe extern "C" fn dctwire_encoder_free(encoder: *mut Encoder) {
    // SAFETY: `dctwire_encoder_new` made it, and it is freed once.
    drop(unsafe { Box::from_raw(encoder) });
}

/// Encode images of one size; stream kind 0 interchange, 1 abbreviated, 2 scan.
#[no_mangle]
pub unsafe extern "C" fn dctwire_encode(
    encoder: *const Encoder,
    images: *const Images,
    stream: u8,
    output: *mut Output,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; `pixels` has count x height x width x channels bytes.
    unsafe {
        guard(failure, || {
            let images = &*images;
            let layout = (*encoder).layout(images.height, images.width)?;
            let mut out = Vec::new();
            let ends = (*encoder).encode_all(
                layout,
                image_of(images),
                images.count,
                stream_kind(stream)?,
                &mut out,
            )?;
            hand_over(out, ends, &mut *output);
            Ok(())
        })
    }
}

unsafe fn image_of<'a>(images: &Images) -> Image<'a> {
    let length = images.count * images.height * images.width * images.channels;
    Image {
        // SAFETY: module contract.
        pixels: unsafe { bytes(images.pixels, length) },
        channels: images.channels,
    }
}

/// Quantise images of one size into `y` and `c` (`c_length` 0 for grey tables).
#[no_mangle]
pub unsafe extern "C" fn dctwire_quantise(
    encoder: *const Encoder,
    images: *const Images,
    y: *mut i16,
    y_length: usize,
    c: *mut i16,
    c_length: usize,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; `y` and `c` have the stated numbers of items and do not overlap.
    unsafe {
        guard(failure, || {
            let images = &*images;
            let layout = (*encoder).layout(images.height, images.width)?;
            let (y, c) = (bytes_mut(y, y_length), bytes_mut(c, c_length));
            (*encoder).quantise_all(layout, image_of(images), images.count, y, c)
        })
    }
}

/// Entropy-code levels: three pointers to planes of 64 frequencies, as many items each as `lengths` says.
#[no_mangle]
pub unsafe extern "C" fn dctwire_encode_levels(
    encoder: *const Encoder,
    height: usize,
    width: usize,
    planes: *const *const i16,
    lengths: *const usize,
    stream: u8,
    output: *mut Output,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; `planes` and `lengths` have one item a component.
    unsafe {
        guard(failure, || {
            let layout = (*encoder).layout(height, width)?;
            let count = layout.components().len();
            let planes: Vec<&[i16]> = bytes(planes, count)
                .iter()
                .zip(bytes(lengths, count))
                .map(|(&plane, &length)| bytes(plane, length))
                .collect();
            let out = (*encoder).encode_levels(layout, &planes, stream_kind(stream)?)?;
            let ends = vec![out.len()];
            hand_over(out, ends, &mut *output);
            Ok(())
        })
    }
}

/// A decoder; `tables` may be null (interchange frames only).
#[no_mangle]
pub unsafe extern "C" fn dctwire_decoder_new(
    tables: *const Tables,
    limits: *const StreamLimits,
    failure: *mut Failure,
) -> *mut Decoder {
    let mut made = std::ptr::null_mut();
    // SAFETY: module contract; a null `tables` becomes `None`.
    unsafe {
        guard(failure, || {
            let known = match tables.as_ref() {
                Some(tables) => Some((table_set(tables)?, tables.id)),
                None => None,
            };
            made = Box::into_raw(Box::new(Decoder::new(known, limits_of(&*limits))));
            Ok(())
        });
    }
    made
}

#[no_mangle]
pub unsafe extern "C" fn dctwire_decoder_free(decoder: *mut Decoder) {
    // SAFETY: `dctwire_decoder_new` made it, and it is freed once.
    drop(unsafe { Box::from_raw(decoder) });
}

/// Size and sampling of a frame, read up to its first scan.
#[no_mangle]
pub unsafe extern "C" fn dctwire_probe(
    decoder: *const Decoder,
    data: *const u8,
    length: usize,
    info: *mut Info,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let layout = (*decoder).probe(bytes(data, length))?;
            write_layout(&layout, &mut *info);
            Ok(())
        })
    }
}

/// Decode one frame into zeroed planes of the size that `dctwire_probe` told.
#[no_mangle]
pub unsafe extern "C" fn dctwire_decode(
    decoder: *const Decoder,
    data: *const u8,
    length: usize,
    planes: *const *mut i16,
    info: *mut Info,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; `planes` has a pointer a component, each to 64 x rows x columns items as
    // `info` says, which `require` below holds the frame to.
    unsafe {
        guard(failure, || {
            let info = &mut *info;
            let count = sampling_of(info.sampling)?.components();
            let mut targets: Vec<Plane<'_, i16>> = Vec::with_capacity(3);
            for (index, &plane) in bytes(planes, count).iter().enumerate() {
                let area = info.block_rows[index] as usize * info.block_columns[index] as usize;
                targets.push(Plane {
                    data: bytes_mut(plane, BLOCK_AREA * area),
                });
            }
            let decoded = (*decoder).decode(bytes(data, length), &mut targets, |layout| {
                require_planes(layout, info)
            })?;
            write_quant(&decoded.quant, info);
            Ok(())
        })
    }
}

fn require_planes(layout: &Layout, info: &Info) -> Result<()> {
    let rows = layout
        .components()
        .iter()
        .map(|component| component.block_rows as u32);
    let columns = layout
        .components()
        .iter()
        .map(|component| component.block_columns as u32);
    let count = layout.components().len();
    if rows.eq(info.block_rows[..count].iter().copied())
        && columns.eq(info.block_columns[..count].iter().copied())
    {
        Ok(())
    } else {
        Err(Error::invalid_argument("the planes are not the frame's"))
    }
}

/// Where a batch of frames lies and goes: `y` and `c` are i16, or f32 when `dequantise` is set.
#[repr(C)]
pub struct Batch {
    pub frames: *const *const u8,
    pub lengths: *const usize,
    pub count: usize,
    pub height: usize,
    pub width: usize,
    pub y: *mut u8,
    pub c: *mut u8,
    pub dequantise: u8,
    pub threads: usize,
    /// One a frame; `kind` 0 where all went well.
    pub failures: *mut Failure,
}

/// Decode 4:2:0 frames of `height` x `width`, both multiples of 16, a row of the planes each.
#[no_mangle]
pub unsafe extern "C" fn dctwire_decode_batch(
    decoder: *const Decoder,
    batch: *const Batch,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; the planes have count x height x width and half as many aligned items.
    unsafe {
        guard(failure, || {
            let batch = &*batch;
            if batch.dequantise != 0 {
                decode_batch::<f32>(&*decoder, batch, false)
            } else {
                decode_batch::<i16>(&*decoder, batch, true)
            }
        })
    }
}

unsafe fn decode_batch<T: Coefficient>(decoder: &Decoder, batch: &Batch, is_levels: bool) -> Result<()> {
    let (count, size) = (batch.count, (batch.height, batch.width));
    if size.0 == 0 || size.1 == 0 || size.0 % 16 != 0 || size.1 % 16 != 0 {
        return Err(Error::invalid_argument(
            "a batch's height and width must be multiples of 16",
        ));
    }
    let y_row = size.0 * size.1;
    // SAFETY: as in `dctwire_decode_batch`.
    let (frames, y, c, failures) = unsafe {
        let lengths = bytes(batch.lengths, count);
        let frames: Vec<&[u8]> = bytes(batch.frames, count)
            .iter()
            .zip(lengths)
            .map(|(&data, &length)| bytes(data, length))
            .collect();
        let y = bytes_mut(batch.y.cast::<T>(), count * y_row);
        let c = bytes_mut(batch.c.cast::<T>(), count * y_row / 2);
        (frames, y, c, bytes_mut(batch.failures, count))
    };
    let share = crate::layout::div_ceil(count.max(1), batch.threads.max(1));
    let rows = frames
        .chunks(share)
        .zip(y.chunks_mut(share * y_row))
        .zip(c.chunks_mut(share * y_row / 2))
        .zip(failures.chunks_mut(share));
    let work = |(((frames, y), c), failures): (((&[&[u8]], &mut [T]), &mut [T]), &mut [Failure])| {
        let rows = y.chunks_mut(y_row).zip(c.chunks_mut(y_row / 2)).zip(failures);
        for (frame, ((y, c), failure)) in frames.iter().zip(rows) {
            if let Err(error) = contain(|| decoder.decode_row(frame, size, y, c, is_levels)) {
                y.fill(T::default());
                c.fill(T::default());
                describe(failure, &error);
            }
        }
    };
    if share >= count {
        rows.for_each(work);
    } else {
        std::thread::scope(|scope| {
            for part in rows {
                scope.spawn(move || work(part));
            }
        });
    }
    Ok(())
}

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

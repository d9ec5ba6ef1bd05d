//! Inspecting and decoding across the border.

use std::slice::ChunksMut;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::tables::{sampling_of, table_set, Tables};
use super::{bytes, bytes_mut, contain, describe, guard, Failure};
use crate::decoder::{inspect, Decoder};
use crate::error::{Error, Result};
use crate::layout::{div_ceil, Layout, BLOCK_AREA};
use crate::markers::Limits;
use crate::quant::QuantTable;
use crate::scan_decode::{Coefficient, Plane};

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
    let freed = contain(|| {
        // SAFETY: `dctwire_decoder_new` made it, and it is freed once.
        drop(unsafe { Box::from_raw(decoder) });
        Ok(())
    });
    debug_assert!(freed.is_ok());
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
            let found = (*decoder).decode(bytes(data, length), &mut targets, |layout| {
                require_planes(layout, info)
            })?;
            write_quant(&found.quant, info);
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
    let (frames, lengths, y, c, failures) = unsafe {
        (
            bytes(batch.frames, count),
            bytes(batch.lengths, count),
            bytes_mut(batch.y.cast::<T>(), count * y_row),
            bytes_mut(batch.c.cast::<T>(), count * y_row / 2),
            bytes_mut(batch.failures, count),
        )
    };
    let planes = y.chunks_exact_mut(y_row).zip(c.chunks_exact_mut(y_row / 2));
    let mut rows: Vec<Row<'_, T>> = frames
        .iter()
        .zip(lengths)
        .zip(planes)
        .zip(failures)
        .map(|(((&data, &length), (y, c)), failure)| Row {
            // SAFETY: as in `dctwire_decode_batch`.
            frame: unsafe { bytes(data, length) },
            y,
            c,
            failure,
        })
        .collect();
    share_out(&mut rows, batch.threads, |row| {
        row.decode(decoder, size, is_levels);
    });
    Ok(())
}

/// Do `work` on every row, on at most `threads` threads, this one among them.
fn share_out<R: Send>(rows: &mut [R], threads: usize, work: impl Fn(&mut R) + Sync) {
    let threads = threads.clamp(1, rows.len().max(1));
    let share = div_ceil(rows.len(), threads).max(1);
    let parts = Mutex::new(rows.chunks_mut(share));
    let work_on = || {
        while let Some(part) = next_part(&parts) {
            part.iter_mut().for_each(&work);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where the system grants no more threads, those that run do all the work.
            if thread::Builder::new().spawn_scoped(scope, work_on).is_err() {
                break;
            }
        }
        work_on();
    });
}

fn next_part<'a, R>(parts: &Mutex<ChunksMut<'a, R>>) -> Option<&'a mut [R]> {
    parts.lock().unwrap_or_else(PoisonError::into_inner).next()
}

/// One frame of a batch, where it goes and what went wrong.
struct Row<'a, T> {
    frame: &'a [u8],
    y: &'a mut [T],
    c: &'a mut [T],
    failure: &'a mut Failure,
}

impl<T: Coefficient> Row<'_, T> {
    fn decode(&mut self, decoder: &Decoder, size: (usize, usize), is_levels: bool) {
        let (y, c) = (&mut *self.y, &mut *self.c);
        if let Err(error) = contain(|| decoder.decode_row(self.frame, size, y, c, is_levels)) {
            self.y.fill(T::default());
            self.c.fill(T::default());
            describe(self.failure, &error);
        }
    }
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

//! Inspecting and decoding across the border.

use crate::decoding::coefficient::Plane;
use crate::decoding::decoder::{Decoder, Workspace};
use crate::error::{contain, Error, Result};
use crate::ffi::buffers::{bytes, bytes_mut};
use crate::ffi::failure::{guard, Failure};
use crate::ffi::tables::{sampling_of, table_set, Tables};
use crate::geometry::block::BLOCK_AREA;
use crate::geometry::layout::Layout;
use crate::syntax::inspect::inspect;
use crate::syntax::limits::Limits;
use crate::syntax::orientation::exif_orientation;
use crate::tables::quantisation::QuantTable;

#[repr(C)]
pub struct StreamLimits {
    pub bytes: u64,
    pub pixels: u64,
    pub side: u64,
    pub scans: u64,
    pub markers: u64,
    pub restarts: u64,
}

#[repr(C)]
pub struct Info {
    pub height: u32,
    pub width: u32,
    pub sampling: u8,
    pub is_abbreviated: u8,
    pub has_tables_id: u8,
    pub has_quant: u8,
    pub orientation: u8,
    pub tables_id: [u8; 8],
    pub quant: [[u8; 64]; 3],
    pub block_rows: [u32; 3],
    pub block_columns: [u32; 3],
    pub scan_bytes: u64,
}

/// Tell what the markers of a frame say.
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
            info.orientation = found.orientation;
            Ok(())
        })
    }
}

/// The orientation, 1 to 8, that an Exif block tells.
#[no_mangle]
pub unsafe extern "C" fn dctwire_exif_orientation(
    block: *const u8,
    length: usize,
    orientation: *mut u8,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; `orientation` has room for one.
    unsafe {
        guard(failure, || {
            *orientation = exif_orientation(bytes(block, length));
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

/// Tell the size, sampling and orientation of a frame, read up to its first scan.
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
            let probed = (*decoder).probe(bytes(data, length))?;
            write_layout(&probed.layout, &mut *info);
            (*info).orientation = probed.orientation;
            Ok(())
        })
    }
}

/// Decode one frame into zeros: one component behind the other, each of 64 x rows x columns items as `dctwire_probe`
/// tells.
#[no_mangle]
pub unsafe extern "C" fn dctwire_decode(
    decoder: *const Decoder,
    data: *const u8,
    length: usize,
    levels: *mut i16,
    info: *mut Info,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; `levels` has as many items as `info` says, to which `require_planes` holds the frame.
    unsafe {
        guard(failure, || {
            let info = &mut *info;
            let count = sampling_of(info.sampling)?.components();
            let areas = info.block_rows.iter().zip(&info.block_columns).take(count);
            let lengths = areas.map(|(&rows, &columns)| BLOCK_AREA * rows as usize * columns as usize);
            let mut rest = bytes_mut(levels, lengths.clone().sum());
            let mut planes = Vec::with_capacity(count);
            for length in lengths {
                let (data, behind) = rest.split_at_mut(length);
                planes.push(Plane { data });
                rest = behind;
            }
            let workspace = &mut Workspace::default();
            let found = (*decoder).decode(bytes(data, length), &mut planes, workspace, |layout| {
                require_planes(layout, info)
            })?;
            write_quant(found.quant(), info);
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

fn limits_of(limits: &StreamLimits) -> Limits {
    Limits {
        bytes: limits.bytes,
        pixels: limits.pixels,
        side: limits.side,
        scans: limits.scans,
        markers: limits.markers,
        restarts: limits.restarts,
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

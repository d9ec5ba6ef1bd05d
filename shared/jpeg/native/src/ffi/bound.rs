//! Decoding into planes that are bound once, across the border.

use std::sync::{Mutex, TryLockError};

use crate::decoding::batch::{decode_row, decode_rows};
use crate::decoding::coefficient::Coefficient;
use crate::decoding::decoder::{Decoder, Workspace};
use crate::decoding::row::{BatchSize, Row};
use crate::error::contain;
use crate::error::{Error, Result};
use crate::ffi::buffers::{bytes, bytes_mut};
use crate::ffi::failure::{describe, guard, Failure};

/// Rows of 4:2:0 frames: `y` has count x height x width items and `c` half as many, i16, or f32 when `dequantise`
/// is set.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Planes {
    pub y: *mut u8,
    pub c: *mut u8,
    pub count: usize,
    pub height: usize,
    pub width: usize,
    pub dequantise: u8,
}

/// A decoder with the planes that it fills.
pub struct BoundDecoder {
    decoder: *const Decoder,
    planes: Planes,
    /// Its lock is also that of the planes.
    workspace: Mutex<Workspace>,
}

/// What went wrong with one frame of a batch.
#[repr(C)]
pub struct FrameFailure {
    pub index: usize,
    pub failure: Failure,
}

/// Bind planes whose height and width are multiples of 16; they and the decoder must outlive what is returned.
#[no_mangle]
pub unsafe extern "C" fn dctwire_bound_new(
    decoder: *const Decoder,
    planes: *const Planes,
    failure: *mut Failure,
) -> *mut BoundDecoder {
    let mut made = std::ptr::null_mut();
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let planes = *planes;
            if planes.height == 0 || planes.width == 0 || planes.height % 16 != 0 || planes.width % 16 != 0 {
                return Err(Error::invalid_argument(
                    "the planes' height and width must be multiples of 16",
                ));
            }
            made = Box::into_raw(Box::new(BoundDecoder {
                decoder,
                planes,
                workspace: Mutex::default(),
            }));
            Ok(())
        });
    }
    made
}

#[no_mangle]
pub unsafe extern "C" fn dctwire_bound_free(bound: *mut BoundDecoder) {
    let freed = contain(|| {
        // SAFETY: `dctwire_bound_new` made it, and it is freed once.
        drop(unsafe { Box::from_raw(bound) });
        Ok(())
    });
    debug_assert!(freed.is_ok());
}

/// Decode one frame into planes that have one row.
#[no_mangle]
pub unsafe extern "C" fn dctwire_bound_decode(
    bound: *const BoundDecoder,
    frame: *const u8,
    length: usize,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let bound = &*bound;
            if bound.planes.count != 1 {
                return Err(Error::invalid_argument(format!(
                    "one frame for planes of {} rows: decode a batch of as many",
                    bound.planes.count
                )));
            }
            let frame = bytes(frame, length);
            bound.hold(|workspace| {
                if bound.planes.dequantise == 0 {
                    bound.decode::<i16>(frame, workspace)
                } else {
                    bound.decode::<f32>(frame, workspace)
                }
            })
        })
    }
}

/// Decode as many frames as the planes have rows. `frames` holds them one behind the other, `lengths` the bytes of
/// each, `failures` room for as many; those of the first `failed` are set.
#[no_mangle]
pub unsafe extern "C" fn dctwire_bound_decode_batch(
    bound: *const BoundDecoder,
    frames: *const u8,
    lengths: *const usize,
    threads: usize,
    failures: *mut FrameFailure,
    failed: *mut usize,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract.
    unsafe {
        guard(failure, || {
            let bound = &*bound;
            let lengths = bytes(lengths, bound.planes.count);
            let frames = bytes(frames, lengths.iter().sum());
            let errors = bound.hold(|workspace| {
                Ok(if bound.planes.dequantise == 0 {
                    bound.decode_batch::<i16>(frames, lengths, workspace, threads)
                } else {
                    bound.decode_batch::<f32>(frames, lengths, workspace, threads)
                })
            })?;
            *failed = errors.len();
            for (place, (index, error)) in errors.iter().enumerate() {
                let place = &mut *failures.add(place);
                place.index = *index;
                describe(&mut place.failure, error);
            }
            Ok(())
        })
    }
}

impl BoundDecoder {
    /// Do `work` while no other thread uses the planes; refuse where one does.
    fn hold<R>(&self, work: impl FnOnce(&mut Workspace) -> Result<R>) -> Result<R> {
        match self.workspace.try_lock() {
            Ok(mut workspace) => work(&mut workspace),
            Err(TryLockError::Poisoned(poisoned)) => work(&mut poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Error::invalid_argument(
                "another thread is decoding into these planes",
            )),
        }
    }

    /// The planes y and c of all rows.
    ///
    /// # Safety
    /// The planes hold items of `T`, and the workspace is held.
    #[allow(clippy::mut_from_ref)]
    unsafe fn planes<T: Coefficient>(&self) -> (&mut [T], &mut [T]) {
        let length = self.planes.count * self.planes.height * self.planes.width;
        // SAFETY: `Planes` says so, and only the holder of the workspace comes here.
        unsafe {
            (
                bytes_mut(self.planes.y.cast(), length),
                bytes_mut(self.planes.c.cast(), length / 2),
            )
        }
    }

    fn size(&self) -> BatchSize {
        BatchSize {
            height: self.planes.height,
            width: self.planes.width,
            is_levels: self.planes.dequantise == 0,
        }
    }

    /// # Safety
    /// As `planes`, and they are those of one frame.
    unsafe fn decode<T: Coefficient>(&self, frame: &[u8], workspace: &mut Workspace) -> Result<()> {
        // SAFETY: as above; the decoder outlives what is bound to it.
        let ((y, c), decoder) = unsafe { (self.planes::<T>(), &*self.decoder) };
        let mut row = Row::new(frame, y, c);
        decode_row(decoder, self.size(), &mut row, workspace);
        row.error.map_or(Ok(()), Err)
    }

    /// # Safety
    /// As `planes`.
    unsafe fn decode_batch<T: Coefficient>(
        &self,
        mut frames: &[u8],
        lengths: &[usize],
        workspace: &mut Workspace,
        threads: usize,
    ) -> Vec<(usize, Error)> {
        // SAFETY: as above; the decoder outlives what is bound to it.
        let ((y, c), decoder) = unsafe { (self.planes::<T>(), &*self.decoder) };
        let area = self.planes.height * self.planes.width;
        let planes = y.chunks_exact_mut(area).zip(c.chunks_exact_mut(area / 2));
        let mut rows: Vec<Row<'_, T>> = lengths
            .iter()
            .zip(planes)
            .map(|(&length, (y, c))| {
                let (frame, behind) = frames.split_at(length);
                frames = behind;
                Row::new(frame, y, c)
            })
            .collect();
        decode_rows(decoder, self.size(), &mut rows, workspace, threads);
        let errors = rows.into_iter().enumerate();
        errors
            .filter_map(|(index, row)| Some((index, row.error?)))
            .collect()
    }
}

//! Transcoding across the border.

use crate::decoding::decoder::Decoder;
use crate::encoding::encoder::Encoder;
use crate::ffi::buffers::{bytes, bytes_mut, hand_over, Output};
use crate::ffi::encode::stream_kind;
use crate::ffi::failure::{guard, Failure};
use crate::transcode::new_size::{NewSize, Part};
use crate::transcode::{transcode, transcode_levels};

/// The size that frames are brought to, and the part of the upright picture that becomes it.
#[repr(C)]
pub struct Resize {
    pub height: u32,
    pub width: u32,
    pub x: f64,
    pub y: f64,
    pub part_width: f64,
    pub part_height: f64,
}

impl Resize {
    fn new_size(&self) -> NewSize {
        NewSize {
            height: self.height as usize,
            width: self.width as usize,
            down: Part {
                start: self.y,
                extent: self.part_height,
            },
            across: Part {
                start: self.x,
                extent: self.part_width,
            },
        }
    }
}

/// Decode a frame and code it with the encoder's tables; `size` may be null, the frame keeps its own then.
#[no_mangle]
pub unsafe extern "C" fn dctwire_transcode(
    decoder: *const Decoder,
    encoder: *const Encoder,
    data: *const u8,
    length: usize,
    size: *const Resize,
    stream: u8,
    output: *mut Output,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; a null `size` becomes `None`.
    unsafe {
        guard(failure, || {
            let size = size.as_ref().map(Resize::new_size);
            let data = bytes(data, length);
            let out = transcode(&*decoder, &*encoder, data, size.as_ref(), stream_kind(stream)?)?;
            let ends = vec![out.len()];
            hand_over(out, ends, &mut *output);
            Ok(())
        })
    }
}

/// Decode a frame into the levels of `y` and `c` (`c_length` 0 for grey tables) that `dctwire_transcode` would code.
#[no_mangle]
pub unsafe extern "C" fn dctwire_transcode_levels(
    decoder: *const Decoder,
    encoder: *const Encoder,
    data: *const u8,
    length: usize,
    size: *const Resize,
    y: *mut i16,
    y_length: usize,
    c: *mut i16,
    c_length: usize,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: module contract; `y` and `c` have the stated numbers of items and do not overlap.
    unsafe {
        guard(failure, || {
            let planes = (bytes_mut(y, y_length), bytes_mut(c, c_length));
            let data = bytes(data, length);
            transcode_levels(&*decoder, &*encoder, data, &(*size).new_size(), planes)
        })
    }
}

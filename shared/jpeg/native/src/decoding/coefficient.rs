//! What decoding fills planes with: quantised levels, or coefficients multiplied by their steps.

use crate::transform::resample::{chroma_to_420, Resample};

/// A coefficient of the type that the caller wants.
pub trait Coefficient: Copy + Default + Send {
    /// How chroma of another sampling becomes 4:2:0; `None` where it cannot.
    const RESAMPLE: Option<Resample<Self>>;

    fn from_level(level: i32, step: f32) -> Self;
}

/// The quantised level itself.
impl Coefficient for i16 {
    const RESAMPLE: Option<Resample<Self>> = None;

    #[inline]
    fn from_level(level: i32, _step: f32) -> Self {
        level as i16
    }
}

/// The dequantised coefficient: level times step.
impl Coefficient for f32 {
    const RESAMPLE: Option<Resample<Self>> = Some(chroma_to_420);

    // A level has 12 bits at most.
    #[allow(clippy::cast_precision_loss)]
    #[inline]
    fn from_level(level: i32, step: f32) -> Self {
        level as f32 * step
    }
}

/// One component's coefficients: a plane of all its blocks for each of the 64 frequencies, in natural order.
pub struct Plane<'a, T> {
    pub data: &'a mut [T],
}

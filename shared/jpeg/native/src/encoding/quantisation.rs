//! How coefficients become levels in each component.

use crate::simd::kernels::Kernels;
use crate::transform::dct::Block;
use crate::transform::levels::Levels;
use crate::transform::quantiser::Quantiser;

/// What quantising takes, derived from tables once and used for every image.
#[derive(Clone, Copy)]
pub struct Quantisation<'a> {
    /// One for each component.
    pub quantisers: &'a [Quantiser],
    pub kernels: &'a Kernels,
    pub refinement: Option<&'a dyn Refinement>,
}

/// Changes levels between quantisation and coding.
pub trait Refinement {
    /// Change the levels of blocks. `coefficients` are those before quantisation, times 8 and in natural order.
    fn refine(&self, component: usize, coefficients: &[Block], levels: &mut [Levels]);
}

//! The instruction sets that there are kernels for, and which of them this processor has.

#[cfg(target_arch = "x86_64")]
use crate::simd::avx2;
use crate::simd::kernels::Kernels;
#[cfg(target_arch = "aarch64")]
use crate::simd::neon;
use crate::simd::portable;

/// The instructions that kernels use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum InstructionSet {
    /// What the compiler makes of scalar code for the oldest processor of the platform.
    Portable = 0,
    /// Every 64-bit ARM processor has it.
    Neon = 1,
    /// Most x86-64 processors since 2013 have it.
    Avx2 = 2,
}

impl InstructionSet {
    const ALL: [Self; 3] = [Self::Portable, Self::Neon, Self::Avx2];

    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|set| *set as u8 == code)
    }

    /// The instruction sets that this processor has, the fastest last.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|set| set.kernels().is_some())
    }

    /// The kernels of the fastest instruction set that this processor has.
    #[cfg(test)]
    pub fn fastest() -> Kernels {
        Self::available().last().and_then(Self::kernels).unwrap()
    }

    /// The kernels of this instruction set; `None` where the processor does not have it.
    pub fn kernels(self) -> Option<Kernels> {
        match self {
            Self::Portable => Some(portable::KERNELS),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Some(neon::KERNELS),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 if is_x86_feature_detected!("avx2") => Some(avx2::KERNELS),
            _ => None,
        }
    }
}

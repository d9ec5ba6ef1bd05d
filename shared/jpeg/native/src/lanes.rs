//! Vectors of eight integers, written so that the compiler keeps them in vector registers.

use std::ops::{Add, Mul, Sub};

/// Eight 16-bit values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Narrow(pub [i16; 8]);

/// Eight 32-bit values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wide([i32; 8]);

#[inline]
fn map<A: Copy, B: Default + Copy>(values: [A; 8], each: impl Fn(A) -> B) -> [B; 8] {
    let mut out = [B::default(); 8];
    for (slot, value) in out.iter_mut().zip(values) {
        *slot = each(value);
    }
    out
}

#[inline]
fn zip<A: Default + Copy>(left: [A; 8], right: [A; 8], each: impl Fn(A, A) -> A) -> [A; 8] {
    let mut out = [A::default(); 8];
    for (slot, (left, right)) in out.iter_mut().zip(left.into_iter().zip(right)) {
        *slot = each(left, right);
    }
    out
}

impl Narrow {
    #[inline]
    pub fn widen(self) -> Wide {
        Wide(map(self.0, i32::from))
    }

    /// Times 2 to the power of `bits`.
    #[inline]
    pub fn times_power(self, bits: i32) -> Self {
        Self(map(self.0, |value| value << bits))
    }
}

impl Wide {
    /// Divide by 2 to the power of `bits`, halves up; the quotients must have 16 bits.
    #[inline]
    pub fn round_shift(self, bits: i32) -> Narrow {
        Narrow(map(self.0, |value| ((value + (1 << (bits - 1))) >> bits) as i16))
    }
}

impl Add for Narrow {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        Self(zip(self.0, other.0, |left, right| left + right))
    }
}

impl Sub for Narrow {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(zip(self.0, other.0, |left, right| left - right))
    }
}

/// 16 by 16 bits to 32: a pair of instructions, where 32 by 32 bits would take six on plain SSE2.
impl Mul<i16> for Narrow {
    type Output = Wide;

    #[inline]
    fn mul(self, factor: i16) -> Wide {
        Wide(map(self.0, |value| i32::from(value) * i32::from(factor)))
    }
}

impl Add for Wide {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        Self(zip(self.0, other.0, |left, right| left + right))
    }
}

impl Sub for Wide {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(zip(self.0, other.0, |left, right| left - right))
    }
}

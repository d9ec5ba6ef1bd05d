//! The block kernels, written once for any vector of 16-bit lanes: the arithmetic of `dct` and `quant` with other
//! groupings of the same exact sums.

use crate::geometry::block::{BLOCK_AREA, BLOCK_SIDE};
use crate::simd::kernels::Lines;
use crate::transform::dct::{
    self, Block, C_0_298631336, C_0_390180644, C_0_541196100, C_0_765366865, C_0_899976223, C_1_175875602,
    C_1_501321110, C_1_847759065, C_1_961570560, C_2_053119869, C_2_562915447, C_3_072711026,
};
use crate::transform::levels::Levels;
use crate::transform::quantiser::Quantiser;

/// A line of one block or of several side by side, eight 16-bit lanes a block.
///
/// Only `unsafe` functions make a value from nothing, so that a value is proof that the processor has its
/// instructions, and the other functions are safe.
pub trait Lanes: Copy {
    /// Blocks side by side.
    const BLOCKS: usize;
    /// As many lanes, of 32 bits each.
    type Wide: Copy;

    /// Load component values less 128 (T.81 A.3.1).
    ///
    /// # Safety
    /// The processor has the instructions; 8 x BLOCKS values can be read.
    unsafe fn load_values(values: *const u8) -> Self;

    /// Load one line of each block.
    ///
    /// # Safety
    /// The processor has the instructions; BLOCKS blocks can be read, of which `line` is the first one's.
    unsafe fn load_line(line: *const i16) -> Self;

    /// # Safety
    /// As `load_line`, to write.
    unsafe fn store_line(self, line: *mut i16);

    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn shifted_left<const BITS: i32>(self) -> Self;
    /// Shifted right with its sign, halves rounded up.
    fn rounded_right<const BITS: i32>(self) -> Self;
    /// `self * factors[0] + other * factors[1]`.
    fn products(self, other: Self, factors: [i16; 2]) -> Self::Wide;
    fn wide_plus(left: Self::Wide, right: Self::Wide) -> Self::Wide;
    /// Shifted right with its sign, halves rounded up; the result fits 16 bits.
    fn narrowed<const BITS: i32>(wide: Self::Wide) -> Self;
    /// The lanes of two lines of each block in turn, beginning with `self`: the first eight of each, then the last
    /// eight.
    fn interleaved(self, other: Self) -> [Self; 2];
    /// The levels of a line of coefficients times 8; `line` is what `Quantiser::line` gives for it.
    fn quantised(self, line: [[u16; BLOCK_SIDE]; 3]) -> Self;
    /// Store the levels of each block in zig-zag order.
    fn store_levels(lines: [Self; BLOCK_SIDE], levels: &mut [Levels]);
}

/// Safe functions for a `Kernels`, compiled for the processor that `$feature` names.
macro_rules! block_kernels {
    ($feature:literal, $lanes:ty) => {
        block_kernels!(@one $feature, $lanes, transform(
            lines: crate::simd::kernels::Lines<'_>, coefficients: &mut [crate::transform::dct::Block]));
        block_kernels!(@one $feature, $lanes, quantise(
            coefficients: &[crate::transform::dct::Block], quantiser: &crate::transform::quantiser::Quantiser, levels: &mut [crate::transform::levels::Levels]));
        block_kernels!(@one $feature, $lanes, transform_and_quantise(
            lines: crate::simd::kernels::Lines<'_>, quantiser: &crate::transform::quantiser::Quantiser, levels: &mut [crate::transform::levels::Levels]));
    };
    (@one $feature:literal, $lanes:ty, $name:ident($($argument:ident: $kind:ty),+)) => {
        pub fn $name($($argument: $kind),+) {
            #[target_feature(enable = $feature)]
            unsafe fn compiled($($argument: $kind),+) {
                // SAFETY: the caller sees to it that the processor has the instructions.
                unsafe { crate::simd::lanes::$name::<$lanes>($($argument),+) }
            }
            // SAFETY: only a `Kernels` names this function, which `InstructionSet::kernels` hands out where the processor
            // has the instructions.
            unsafe { compiled($($argument),+) }
        }
    };
}
pub(super) use block_kernels;

/// The most blocks side by side of any instruction set.
const MOST_BLOCKS: usize = 2;

/// `Kernels::transform`.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
pub unsafe fn transform<V: Lanes>(lines: Lines<'_>, coefficients: &mut [Block]) {
    let mut spare = [[0; BLOCK_AREA]; MOST_BLOCKS];
    for (index, group) in coefficients.chunks_mut(V::BLOCKS).enumerate() {
        // SAFETY: the processor has the instructions.
        let rows = forward(unsafe { load::<V>(lines, index * V::BLOCKS) });
        for (line, row) in rows.into_iter().enumerate() {
            // SAFETY: `spare` has BLOCKS blocks of eight lines.
            unsafe { row.store_line(spare.as_mut_ptr().cast::<i16>().add(line * BLOCK_SIDE)) };
        }
        group.copy_from_slice(&spare[..group.len()]);
    }
}

/// `Kernels::quantise`.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
pub unsafe fn quantise<V: Lanes>(coefficients: &[Block], quantiser: &Quantiser, levels: &mut [Levels]) {
    let mut spare = [[0; BLOCK_AREA]; MOST_BLOCKS];
    for (group, levels) in coefficients.chunks(V::BLOCKS).zip(levels.chunks_mut(V::BLOCKS)) {
        spare[..group.len()].copy_from_slice(group);
        // SAFETY: the processor has the instructions; `spare` has BLOCKS blocks of eight lines.
        let line = |line: usize| unsafe { V::load_line(spare.as_ptr().cast::<i16>().add(line * BLOCK_SIDE)) };
        let rows = [
            line(0),
            line(1),
            line(2),
            line(3),
            line(4),
            line(5),
            line(6),
            line(7),
        ];
        store(quantised(rows, quantiser), levels);
    }
}

/// `Kernels::transform_and_quantise`.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
pub unsafe fn transform_and_quantise<V: Lanes>(
    lines: Lines<'_>,
    quantiser: &Quantiser,
    levels: &mut [Levels],
) {
    for (index, group) in levels.chunks_mut(V::BLOCKS).enumerate() {
        // SAFETY: the processor has the instructions.
        let rows = unsafe { load::<V>(lines, index * V::BLOCKS) };
        store(quantised(forward(rows), quantiser), group);
    }
}

/// The rows of BLOCKS blocks from block `first` on.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
unsafe fn load<V: Lanes>(lines: Lines<'_>, first: usize) -> [V; BLOCK_SIDE] {
    let start = first * BLOCK_SIDE;
    let values = &lines.values[start..start + 7 * lines.stride + V::BLOCKS * BLOCK_SIDE];
    // SAFETY: the processor has the instructions; the slice ends where the last line's values end.
    let row = |row: usize| unsafe { V::load_values(values.as_ptr().add(row * lines.stride)) };
    [row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)]
}

#[inline(always)]
fn store<V: Lanes>(rows: [V; BLOCK_SIDE], group: &mut [Levels]) {
    if group.len() == V::BLOCKS {
        V::store_levels(rows, group);
    } else {
        let mut spare = [Levels::ZERO; MOST_BLOCKS];
        V::store_levels(rows, &mut spare[..V::BLOCKS]);
        group.copy_from_slice(&spare[..group.len()]);
    }
}

#[inline(always)]
fn quantised<V: Lanes>(mut rows: [V; BLOCK_SIDE], quantiser: &Quantiser) -> [V; BLOCK_SIDE] {
    for (index, row) in rows.iter_mut().enumerate() {
        *row = row.quantised(quantiser.line(index));
    }
    rows
}

/// `dct::forward` of rows of values.
#[inline(always)]
fn forward<V: Lanes>(rows: [V; BLOCK_SIDE]) -> [V; BLOCK_SIDE] {
    let columns = transposed(rows);
    let rows = transposed(pass::<V, true>(columns));
    pass::<V, false>(rows)
}

/// Swap rows and columns of each block: interleaving the halves of a block three times turns an index of
/// three bits for the line and three for the lane by three bits.
#[inline(always)]
fn transposed<V: Lanes>(mut lines: [V; BLOCK_SIDE]) -> [V; BLOCK_SIDE] {
    for _ in 0..3 {
        let [zero, one] = lines[0].interleaved(lines[4]);
        let [two, three] = lines[1].interleaved(lines[5]);
        let [four, five] = lines[2].interleaved(lines[6]);
        let [six, seven] = lines[3].interleaved(lines[7]);
        lines = [zero, one, two, three, four, five, six, seven];
    }
    lines
}

#[inline(always)]
fn pass<V: Lanes, const ROW_PASS: bool>(at: [V; BLOCK_SIDE]) -> [V; BLOCK_SIDE] {
    let sums = [
        at[0].plus(at[7]),
        at[1].plus(at[6]),
        at[2].plus(at[5]),
        at[3].plus(at[4]),
    ];
    let differences = [
        at[3].minus(at[4]),
        at[2].minus(at[5]),
        at[1].minus(at[6]),
        at[0].minus(at[7]),
    ];
    let [even0, even2, even4, even6] = even::<V, ROW_PASS>(sums);
    let [odd1, odd3, odd5, odd7] = odd::<V, ROW_PASS>(differences);
    [even0, odd1, even2, odd3, even4, odd5, even6, odd7]
}

#[inline(always)]
fn even<V: Lanes, const ROW_PASS: bool>(sums: [V; 4]) -> [V; 4] {
    let (outer, outer_difference) = (sums[0].plus(sums[3]), sums[0].minus(sums[3]));
    let (inner, inner_difference) = (sums[1].plus(sums[2]), sums[1].minus(sums[2]));
    [
        whole::<V, ROW_PASS>(outer.plus(inner)),
        scaled::<V, ROW_PASS>(outer_difference.products(inner_difference, EVEN_2)),
        whole::<V, ROW_PASS>(outer.minus(inner)),
        scaled::<V, ROW_PASS>(outer_difference.products(inner_difference, EVEN_6)),
    ]
}

#[inline(always)]
fn odd<V: Lanes, const ROW_PASS: bool>(differences: [V; 4]) -> [V; 4] {
    let [inner, second, third, outer] = differences;
    let (left, right) = (inner.plus(third), second.plus(outer));
    let (of_left, of_right) = (left.products(right, ODD_LEFT), left.products(right, ODD_RIGHT));
    [
        scaled::<V, ROW_PASS>(V::wide_plus(outer.products(inner, ODD_1), of_right)),
        scaled::<V, ROW_PASS>(V::wide_plus(third.products(second, ODD_3), of_left)),
        scaled::<V, ROW_PASS>(V::wide_plus(third.products(second, ODD_5), of_right)),
        scaled::<V, ROW_PASS>(V::wide_plus(outer.products(inner, ODD_7), of_left)),
    ]
}

#[inline(always)]
fn whole<V: Lanes, const ROW_PASS: bool>(sum: V) -> V {
    if ROW_PASS {
        sum.shifted_left::<{ dct::ROW_PASS_BITS }>()
    } else {
        sum.rounded_right::<{ dct::ROW_PASS_BITS }>()
    }
}

#[inline(always)]
fn scaled<V: Lanes, const ROW_PASS: bool>(sum: V::Wide) -> V {
    if ROW_PASS {
        V::narrowed::<{ dct::FRACTION_BITS - dct::ROW_PASS_BITS }>(sum)
    } else {
        V::narrowed::<{ dct::FRACTION_BITS + dct::ROW_PASS_BITS }>(sum)
    }
}

// Each output as one sum of products, so that a factor may be the sum of several of `dct`'s.
const EVEN_2: [i16; 2] = factors(C_0_541196100 + C_0_765366865, C_0_541196100);
const EVEN_6: [i16; 2] = factors(C_0_541196100, C_0_541196100 - C_1_847759065);
const ODD_LEFT: [i16; 2] = factors(C_1_175875602 - C_1_961570560, C_1_175875602);
const ODD_RIGHT: [i16; 2] = factors(C_1_175875602, C_1_175875602 - C_0_390180644);
const ODD_1: [i16; 2] = factors(C_1_501321110 - C_0_899976223, -C_0_899976223);
const ODD_3: [i16; 2] = factors(C_3_072711026 - C_2_562915447, -C_2_562915447);
const ODD_5: [i16; 2] = factors(-C_2_562915447, C_2_053119869 - C_2_562915447);
const ODD_7: [i16; 2] = factors(-C_0_899976223, C_0_298631336 - C_0_899976223);

const fn factors(first: i32, second: i32) -> [i16; 2] {
    [first as i16, second as i16]
}

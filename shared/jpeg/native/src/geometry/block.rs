//! The block: eight rows of eight coefficients, and the zig-zag order in which they are coded (T.81 A.3.6, figure 5).

pub const BLOCK_SIDE: usize = 8;
pub const BLOCK_AREA: usize = 64;

/// The natural (row by row) index of the coefficient at each zig-zag position (T.81 figure 5).
pub const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zigzag_is_a_permutation() {
        let mut seen = [false; 64];
        for index in ZIGZAG {
            seen[index as usize] = true;
        }
        assert!(seen.iter().all(|&s| s));
    }
}

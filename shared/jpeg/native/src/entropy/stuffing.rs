//! Byte stuffing: in entropy-coded data a zero follows each 0xFF that begins no marker (T.81 F.1.2.3).

/// Whether any byte of the word is 0xFF.
#[inline]
pub fn contains_ff(word: u64) -> bool {
    ff_bits(word) != 0
}

/// How many bytes stand before the first 0xFF.
pub fn before_ff(data: &[u8]) -> usize {
    let mut passed = 0;
    for chunk in data.chunks_exact(8) {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(chunk);
        let found = ff_bits(u64::from_le_bytes(bytes));
        if found != 0 {
            return passed + found.trailing_zeros() as usize / 8;
        }
        passed += 8;
    }
    let rest = &data[passed..];
    passed + rest.iter().position(|&byte| byte == 0xFF).unwrap_or(rest.len())
}

/// The top bit of each byte that is 0xFF. Above the lowest such byte, bits of other bytes may be set too.
#[inline]
fn ff_bits(word: u64) -> u64 {
    (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ff_is_found_in_any_byte_and_nowhere_else() {
        for shift in (0..64).step_by(8) {
            assert!(contains_ff(0xFF << shift));
            assert!(!contains_ff(0xFE << shift));
        }
        assert!(!contains_ff(0x7F80_FE01_00AA_55F0));
    }

    #[test]
    fn the_bytes_before_the_first_ff_are_counted() {
        for length in 0..40 {
            let mut data = vec![0xFE; length];
            assert_eq!(before_ff(&data), length);
            for first in (0..length).rev() {
                data[first] = 0xFF;
                assert_eq!(before_ff(&data), first);
            }
        }
    }
}

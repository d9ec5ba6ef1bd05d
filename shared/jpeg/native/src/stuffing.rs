//! Byte stuffing: in entropy-coded data a zero follows each 0xFF that is no marker's (T.81 F.1.2.3).

/// Whether any byte of the word is 0xFF.
#[inline]
pub fn contains_ff(word: u64) -> bool {
    let inverted = !word;
    inverted.wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 != 0
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
}

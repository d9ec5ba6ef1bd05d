//! The specification of a Huffman table (T.81 annex C), and which symbols 8-bit baseline has.

pub const MAX_CODE_BITS: usize = 16;
pub const MAX_DC_SIZE: u8 = 11;
pub const MAX_AC_SIZE: u8 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Dc,
    Ac,
}

/// BITS and HUFFVAL of T.81 annex C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    pub counts: [u8; MAX_CODE_BITS],
    pub symbols: [u8; 256],
}

impl Spec {
    /// The table of these codes, checked: at most 256 codes, each fits its length, and none is all ones.
    pub fn new(counts: [u8; MAX_CODE_BITS], values: &[u8]) -> std::result::Result<Self, String> {
        let total: usize = counts.iter().map(|&n| n as usize).sum();
        if total > 256 || total != values.len() {
            return Err(format!("{total} codes for {} symbols", values.len()));
        }
        let mut code = 0_u32;
        for (index, &count) in counts.iter().enumerate() {
            code += u32::from(count);
            // T.81 annex C: no code may be all ones, so the next free code must still fit.
            if count > 0 && code >= 1 << (index + 1) {
                return Err(format!("the codes of {} bits overflow their length", index + 1));
            }
            code <<= 1;
        }
        let mut symbols = [0; 256];
        symbols[..total].copy_from_slice(values);
        Ok(Self { counts, symbols })
    }

    pub fn values(&self) -> &[u8] {
        let total: usize = self.counts.iter().map(|&n| n as usize).sum();
        &self.symbols[..total]
    }

    /// Every (symbol, code, length) in order of code (T.81 figures C.1, C.2).
    pub fn codes(&self) -> impl Iterator<Item = (u8, u32, u32)> + '_ {
        let lengths = (1_u32..)
            .zip(self.counts)
            .flat_map(|(length, count)| std::iter::repeat(length).take(count as usize));
        let mut code = 0_u32;
        let mut previous = 0_u32;
        self.values().iter().zip(lengths).map(move |(&symbol, length)| {
            code <<= length - previous;
            previous = length;
            let own = code;
            code += 1;
            (symbol, own, length)
        })
    }

    /// Refuse a table that does not have exactly one code for each legal symbol of 8-bit baseline.
    pub fn require_all_symbols(&self, class: Class) -> std::result::Result<(), String> {
        let legal = legal_symbols(class);
        let mut seen = [false; 256];
        for &symbol in self.values() {
            if !legal.contains(&symbol) {
                return Err(format!(
                    "symbol {symbol:#04x} is not legal in an 8-bit {class:?} table"
                ));
            }
            if std::mem::replace(&mut seen[symbol as usize], true) {
                return Err(format!("symbol {symbol:#04x} has two codes"));
            }
        }
        match legal.iter().find(|&&symbol| !seen[symbol as usize]) {
            Some(symbol) => Err(format!("symbol {symbol:#04x} has no code")),
            None => Ok(()),
        }
    }
}

/// The 12 DC sizes, or the 162 AC run/size pairs (T.81 tables F.1, F.2).
pub fn legal_symbols(class: Class) -> Vec<u8> {
    match class {
        Class::Dc => (0..=MAX_DC_SIZE).collect(),
        Class::Ac => (0..=255).filter(|&symbol| is_legal_ac(symbol)).collect(),
    }
}

pub fn is_legal_ac(symbol: u8) -> bool {
    let size = symbol & 15;
    symbol == 0x00 || symbol == 0xF0 || (1..=MAX_AC_SIZE).contains(&size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(usize, u8)]) -> [u8; 16] {
        let mut counts = [0; 16];
        for &(length, count) in pairs {
            counts[length - 1] = count;
        }
        counts
    }

    #[test]
    fn a_code_of_all_ones_is_refused() {
        assert!(Spec::new(counts(&[(1, 1), (2, 2)]), &[0, 1, 2]).is_err());
        assert!(Spec::new(counts(&[(1, 1), (2, 1)]), &[0, 1]).is_ok());
    }

    #[test]
    fn more_codes_than_fit_are_refused() {
        assert!(Spec::new(counts(&[(1, 3)]), &[0, 1, 2]).is_err());
    }

    #[test]
    fn there_are_12_and_162_legal_symbols() {
        assert_eq!(legal_symbols(Class::Dc).len(), 12);
        assert_eq!(legal_symbols(Class::Ac).len(), 162);
    }
}

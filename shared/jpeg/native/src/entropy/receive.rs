//! RECEIVE and EXTEND, one value at a time (T.81 F.2.2.1).

use crate::entropy::segment::BitReader;

/// The next `count` bits, at most 16, as an unsigned number.
#[inline]
pub fn receive(reader: &mut BitReader<'_>, count: u32) -> u32 {
    reader.refill();
    let bits = reader.window() >> 32 >> (32 - count);
    reader.skip(count);
    bits as u32
}

/// The next `size` bits as a number whose highest bit is 0 where it is negative.
#[inline]
pub fn receive_and_extend(reader: &mut BitReader<'_>, size: u32) -> i32 {
    let bits = receive(reader, size) as i32;
    let is_negative = size > 0 && bits >> (size - 1) == 0;
    if is_negative {
        bits + 1 - (1 << size)
    } else {
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::segment::Segment;

    #[test]
    fn values_are_those_of_table_f_1() {
        let mut segment = Segment::default();
        segment.load(&[0b1001_1010, 0b0000_1111], 0);
        let mut reader = segment.reader();
        let found = [1, 1, 2, 3, 0, 8].map(|size| receive_and_extend(&mut reader, size));
        assert_eq!(found, [1, -1, -2, 5, 0, -248]);
        assert_eq!(receive(&mut reader, 1), 1);
        assert_eq!(reader.bits_left(), 0);
    }
}

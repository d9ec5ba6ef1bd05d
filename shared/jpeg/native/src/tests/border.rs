//! What callers across the border rely on.

use crate::decoding::decoder::Decoder;
use crate::encoding::encoder::Encoder;
use crate::error::{contain, Kind};

#[test]
fn handles_may_be_shared_by_threads() {
    fn shareable<T: Send + Sync>() {}
    shareable::<Encoder>();
    shareable::<Decoder>();
}

#[test]
fn a_panic_becomes_an_error() {
    let result = contain::<()>(|| panic!("this panic is part of a test"));
    assert_eq!(result.map_err(|error| error.kind), Err(Kind::Panic));
}

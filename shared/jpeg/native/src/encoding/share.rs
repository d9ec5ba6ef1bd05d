//! What one thread at a time encodes of a batch.

/// Some images of a batch, and their streams.
pub struct Share<'a> {
    pub pixels: &'a [u8],
    pub streams: Vec<u8>,
    /// Where each stream ends in `streams`.
    pub ends: Vec<usize>,
}

impl<'a> Share<'a> {
    pub fn new(pixels: &'a [u8]) -> Self {
        Self {
            pixels,
            streams: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// The streams of all shares one behind the other, and where each of them ends.
    pub fn joined(shares: Vec<Self>) -> (Vec<u8>, Vec<usize>) {
        let mut shares = shares.into_iter();
        let (mut streams, mut ends) = shares
            .next()
            .map(|first| (first.streams, first.ends))
            .unwrap_or_default();
        for share in shares {
            ends.extend(share.ends.iter().map(|end| streams.len() + end));
            streams.extend_from_slice(&share.streams);
        }
        (streams, ends)
    }
}

//! What can be wrong inside an entropy-coded segment.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    End,
    NoCode,
    Run,
    DcLevel(i32),
    AcLevel(i32),
    EndedBlocks,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::End => out.write_str("the scan ends inside a block"),
            Self::NoCode => out.write_str("a code that is not in its Huffman table"),
            Self::Run => out.write_str("a run goes past the end of its block"),
            Self::DcLevel(level) => write!(out, "a DC level of {level}"),
            Self::AcLevel(level) => write!(out, "an AC level of {level}"),
            Self::EndedBlocks => out.write_str("a run of ended blocks goes past the last block"),
        }
    }
}

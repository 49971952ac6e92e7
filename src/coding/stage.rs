//! The types that all decoders share: a step, its result, and where coded data may end.

/// Undoes one coding.
pub(super) trait Stage: Send + Sync {
    /// Decodes until the input is used up, the output is full, or there is a fault. The output is not empty. No call
    /// follows a fault.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Progress;

    /// Says where the coded data stands after the last of the input. No other call follows.
    fn end(&mut self) -> End;

    /// Returns the message for data that ended too early.
    fn cut(&self) -> &'static str;

    /// Prepares for another body. Returns false if a new decoder is better.
    fn restart(&mut self) -> bool {
        false
    }
}

/// The bytes that a step took and gave, and the fault that follows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) consumed: usize,
    pub(super) produced: usize,
    pub(super) fault: Option<Corrupt>,
}

/// Says how the data breaks its coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt(pub(crate) &'static str);

/// Where coded data has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At its end.
    Whole,
    /// After a block: all data so far has been given, but the last block is missing, or the trailer is missing or short.
    AfterBlock,
    /// Anywhere else: a part of a block, or a trailer that contradicts the data.
    #[cfg_attr(
        not(any(feature = "gzip", feature = "brotli", feature = "zstd")),
        expect(dead_code, reason = "nothing is decoded")
    )]
    Inside,
}

/// The knowledge of what follows the input of a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// More input may follow.
    Open,
    /// Nothing follows. The data must be whole.
    Strict,
    /// Nothing follows, and the framing proves that the server sent no more. Data that ends after a block is accepted,
    /// because servers commonly flush and never finish, or leave the trailer out.
    Proven,
}

/// Most bytes that are skipped after the end of coded data, because servers pad. More is an error.
#[cfg(any(feature = "gzip", feature = "brotli"))]
pub(super) const SURPLUS: usize = 64 * 1024;

/// Counts the bytes after the end of coded data.
#[cfg(any(feature = "gzip", feature = "brotli"))]
#[derive(Debug, Default)]
pub(super) struct Surplus(usize);

#[cfg(any(feature = "gzip", feature = "brotli"))]
impl Surplus {
    pub(super) fn pass(&mut self, len: usize) -> Option<Corrupt> {
        self.0 = self.0.saturating_add(len);
        (self.0 > SURPLUS).then_some(Corrupt("the coded data has ended, and more follows"))
    }
}

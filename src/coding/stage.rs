//! What all decoders have in common: a step, its result, and where coded data may end.

/// One coding, undone.
pub(super) trait Stage: Send + Sync {
    /// Decodes until the input is used up, the output, which is not empty, is full, or there is a fault. It is not
    /// called again then.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Progress;

    /// Says where the coded data stands, after the last of it. It is not called again, nor is `step`.
    fn end(&mut self) -> End;

    /// Says that the data ended too early.
    fn cut(&self) -> &'static str;

    /// Starts again with another body. False if this is better made anew.
    fn restart(&mut self) -> bool {
        false
    }
}

/// What a step took and gave, and the fault behind that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) consumed: usize,
    pub(super) produced: usize,
    pub(super) fault: Option<Corrupt>,
}

/// The data is not what its coding says, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt(pub(crate) &'static str);

/// Says where coded data has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Where it may.
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

/// Says what follows the input of a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// More input may follow.
    Open,
    /// Nothing follows. The data has to be whole.
    Strict,
    /// Nothing follows, and the framing proves that the server sent no more. Data that ends after a block is taken: servers
    /// that flush and never finish, or leave the trailer out, are common.
    Proven,
}

/// Bytes that are passed over behind the end of coded data: servers pad. What is longer is no padding.
#[cfg(any(feature = "gzip", feature = "brotli"))]
pub(super) const SURPLUS: usize = 64 * 1024;

/// Counts what stands behind the end of coded data.
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

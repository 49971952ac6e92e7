//! The result of a look at a stream.

/// The state of a stream, as [`Transport::probe`](crate::Transport::probe) finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Probe {
    /// The stream is open, and no bytes have arrived.
    Quiet,
    /// Bytes have arrived.
    Readable,
    /// The peer has closed or reset the stream.
    Dead,
}

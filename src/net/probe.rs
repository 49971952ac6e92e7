//! What a look at a stream or a socket finds.

/// What [`Transport::probe`](crate::Transport::probe) finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Open, and nothing has arrived.
    Quiet,
    /// Bytes have arrived.
    Readable,
    /// The peer has closed or reset it.
    Dead,
}

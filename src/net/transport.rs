//! The byte stream a connection runs over.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Instant;

use super::abort::AbortCell;
pub use super::probe::Probe;
use crate::error::{Error, ErrorKind, Phase};
use crate::time::Until;

/// A connected, reliable byte stream: a TCP or Unix socket, TLS over one, or one of your own.
///
/// All methods take `&self`: one thread receives and one sends, at most, but they may do so at the same time.
/// A transport of your own comes from a [`Dialer`](crate::Dialer), which has an example.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Receives at least one byte into `buf`, or answers 0 at the orderly end of the stream.
    ///
    /// Errors with [`io::ErrorKind::TimedOut`] when `wait`'s deadline passes, and as soon as it can be noticed when
    /// `wait` is cancelled. An end that may be a truncation is [`io::ErrorKind::UnexpectedEof`].
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize>;

    /// Sends bytes from the front of `bufs` and answers how many, which may be fewer than there are.
    ///
    /// An error means that none of these bytes was accepted. The answer 0 is only for a `wait` that
    /// [watches the input](Wait::watches_input), when input arrived while there was no room to send.
    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize>;

    /// Sends what `send` has accepted but holds back, as an encrypting transport may. True when nothing is held back
    /// any more, which is the answer of a transport that never does so; false if it got on but has not come to the end,
    /// or if input arrived that `wait` watches.
    ///
    /// Errors if nothing got out before the deadline. Asked before each `send`, and at the end of a request.
    fn flush(&self, wait: &Wait<'_>) -> io::Result<bool> {
        let _ = wait;
        Ok(true)
    }

    /// How the stream stands, without blocking. Asked when nothing is expected: before a connection is used again.
    fn probe(&self) -> Probe;

    /// Whether bytes are held inside, received ones that no `recv` has given out or accepted ones that have not been
    /// sent. A connection with such bytes is not used again. A transport that buffers nothing has none, which is the
    /// default; one that wraps another passes the question on.
    fn has_buffered(&self) -> bool {
        false
    }

    /// Ends the stream in both directions; a thread blocked in it returns. May be called from any thread.
    fn abort(&self);

    /// What is known about the peer.
    fn info(&self) -> TransportInfo {
        TransportInfo::default()
    }
}

/// What a [`Transport`] knows about its peer.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TransportInfo {
    /// The address of the peer, where it has one.
    pub remote: Option<SocketAddr>,
    /// Whether the bytes are encrypted on their way.
    pub encrypted: bool,
}

/// How long an operation of a [`Transport`] may block, and what may end it early.
#[derive(Clone, Copy, Debug)]
pub struct Wait<'a> {
    pub(crate) until: Until<'a>,
    pub(crate) abort: Option<&'a AbortCell>,
    pub(crate) watch_input: bool,
    /// A `send` waits for room before each try and sends what fits, so that it never blocks inside the system while
    /// input arrives.
    pub(crate) poll_first: bool,
}

impl<'a> Wait<'a> {
    pub(crate) fn new(until: Until<'a>, abort: &'a AbortCell) -> Self {
        Wait { until, abort: Some(abort), watch_input: false, poll_first: false }
    }

    /// The point in time at which the operation fails with [`io::ErrorKind::TimedOut`]; `None` is never.
    pub fn deadline(&self) -> Option<Instant> {
        self.until.at()
    }

    /// Whether the operation was cancelled. Looked at before and after blocking.
    pub fn is_cancelled(&self) -> bool {
        self.abort.is_some_and(AbortCell::is_aborted)
    }

    /// Whether a `send` that finds no room answers 0 once input has arrived.
    pub fn watches_input(&self) -> bool {
        self.watch_input
    }

    /// What an operation of the dial failed with: the end of the wait, or else `kind`.
    pub(crate) fn failure(&self, error: io::Error, kind: ErrorKind, phase: Phase) -> Error {
        let kind = if self.is_cancelled() {
            ErrorKind::Closed
        } else if error.kind() == io::ErrorKind::TimedOut && self.until.is_past() {
            ErrorKind::Timeout(self.until.bound())
        } else {
            kind
        };
        Error::new(kind, phase).with_source(error)
    }
}

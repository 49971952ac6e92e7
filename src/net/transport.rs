//! The byte stream that a connection uses.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use super::abort::{AbortCause, AbortCell};
pub use super::probe::Probe;
use super::tls_info::TlsInfo;
use crate::error::{Bound, Error, ErrorKind, Phase, Reason};
use crate::time::{Deadline, Moment, Until};

/// The timeout of a plain call of a socket. It is longer than most responses take, and short enough to notice an abort whose wake
/// was lost.
pub(crate) const GUARD: Duration = Duration::from_millis(100);

/// Returns whether a plain call that begins now ends well before this time.
#[inline]
pub(super) fn has_time(now: Instant, at: Instant) -> bool {
    // A sum costs less than a difference.
    now.checked_add(2 * GUARD).is_some_and(|soon| soon <= at)
}

/// A connected, reliable byte stream: a TCP or Unix socket, TLS over a socket, or your own implementation.
///
/// All methods take `&self`. At most one thread receives and at most one thread sends, and both may do so at the same
/// time. A [`Dialer`](crate::Dialer) returns your own transport; its documentation has an example. It is implemented for
/// [`TcpStream`](std::net::TcpStream) and `UnixStream` of std, and by [`IoTransport`](crate::IoTransport) for any reader
/// and writer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a transport",
    note = "`hostpool::IoTransport` makes a transport of any reader and writer"
)]
pub trait Transport: Send + Sync {
    /// Receives at least one byte into `buf`, or returns 0 at the orderly end of the stream.
    ///
    /// # Errors
    /// - [`io::ErrorKind::TimedOut`] when the deadline of `wait` passes.
    /// - Any error as soon as the transport notices that `wait` is cancelled.
    /// - [`io::ErrorKind::UnexpectedEof`] at an end that may be a truncation.
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize>;

    /// Sends bytes from the front of `bufs` and returns their number, which may be less than all.
    ///
    /// Returns 0 only if `wait` [watches the input](Wait::watches_input), and input arrived while there was no room to
    /// send.
    ///
    /// # Errors
    /// Fails as [`recv`](Self::recv) does at the deadline and when `wait` is cancelled. An error means that the
    /// transport accepted none of these bytes.
    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize>;

    /// Sends bytes that `send` has accepted and still holds back, as an encrypting transport may do. It is called
    /// before each `send` but the first of a request, and at the end of a request. So a `send` first sends what is held
    /// back itself.
    ///
    /// Returns true when no bytes are held back. That is the default, for a transport that never holds bytes back.
    /// Returns false if only part of the bytes was sent, or if input arrived that `wait` watches.
    ///
    /// # Errors
    /// Fails if no byte was sent before the deadline, and when `wait` is cancelled.
    fn flush(&self, wait: &Wait<'_>) -> io::Result<bool> {
        let _ = wait;
        Ok(true)
    }

    /// Returns the state of the stream, without blocking. It is called when no bytes are expected: before a connection
    /// is used again.
    fn probe(&self) -> Probe;

    /// Returns whether the transport holds bytes: received bytes that no `recv` has returned yet, or accepted bytes
    /// that are not sent yet. A connection that holds bytes is not used again.
    ///
    /// The default is false, for a transport without buffers. A transport that wraps another one also asks the inner
    /// transport.
    fn has_buffered(&self) -> bool {
        false
    }

    /// Ends the direction to the peer: the peer reads what was sent, and then the end of the stream. The other direction
    /// stays open. No `send` follows.
    ///
    /// # Errors
    /// - [`io::ErrorKind::Unsupported`] if the transport cannot end one direction alone. That is the default.
    /// - Fails as [`send`](Self::send) does at the deadline and when `wait` is cancelled.
    #[doc(alias = "shutdown")]
    #[doc(alias = "half_close")]
    #[doc(alias = "close_notify")]
    fn close_write(&self, wait: &Wait<'_>) -> io::Result<()> {
        let _ = wait;
        Err(io::Error::new(io::ErrorKind::Unsupported, "the transport cannot end one direction alone"))
    }

    /// Ends the stream in both directions, so that a thread that is blocked in it returns. Any thread may call it.
    fn abort(&self);

    /// Returns what the transport knows about its peer.
    fn info(&self) -> TransportInfo {
        TransportInfo::default()
    }
}

impl fmt::Debug for dyn Transport + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Transport")
    }
}

impl io::Read for dyn Transport + '_ {
    /// Receives without a bound on time: [`recv`](Transport::recv) with [`Wait::new`].
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.recv(buf, &Wait::new())
    }
}

impl io::Write for dyn Transport + '_ {
    /// Sends without a bound on time: [`send`](Transport::send) with [`Wait::new`].
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        while !Transport::flush(self, &Wait::new())? {}
        self.send(&[IoSlice::new(buf)], &Wait::new())
    }

    fn flush(&mut self) -> io::Result<()> {
        while !Transport::flush(self, &Wait::new())? {}
        Ok(())
    }
}

/// Passes each call on to the transport that the pointer leads to, also those that have a default.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: Transport + ?Sized> Transport for $pointer {
            fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
                (**self).recv(buf, wait)
            }

            fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
                (**self).send(bufs, wait)
            }

            fn flush(&self, wait: &Wait<'_>) -> io::Result<bool> {
                (**self).flush(wait)
            }

            fn probe(&self) -> Probe {
                (**self).probe()
            }

            fn has_buffered(&self) -> bool {
                (**self).has_buffered()
            }

            fn close_write(&self, wait: &Wait<'_>) -> io::Result<()> {
                (**self).close_write(wait)
            }

            fn abort(&self) {
                (**self).abort();
            }

            fn info(&self) -> TransportInfo {
                (**self).info()
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);

/// The facts that a [`Transport`] knows about its peer.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TransportInfo {
    /// The address of the peer, if it has one.
    pub remote: Option<SocketAddr>,
    /// The local address of the connection, if it has one.
    pub local: Option<SocketAddr>,
    /// Whether the bytes are encrypted between here and the peer.
    pub encrypted: bool,
    /// The facts about TLS, if the bytes are encrypted by TLS and the transport tells them.
    pub tls: Option<TlsInfo>,
}

impl TransportInfo {
    /// Returns the facts about a peer without an address, whose stream is not encrypted.
    ///
    /// ```
    /// use hostpool::TransportInfo;
    ///
    /// let info = TransportInfo::new().remote(([192, 0, 2, 1], 443).into()).encrypted(true);
    /// assert!(info.encrypted);
    /// assert_eq!(info.remote.unwrap().port(), 443);
    /// ```
    pub const fn new() -> TransportInfo {
        TransportInfo { remote: None, local: None, encrypted: false, tls: None }
    }

    /// Sets the address of the peer.
    pub fn remote(self, address: SocketAddr) -> TransportInfo {
        TransportInfo { remote: Some(address), ..self }
    }

    /// Sets the local address of the connection.
    pub fn local(self, address: SocketAddr) -> TransportInfo {
        TransportInfo { local: Some(address), ..self }
    }

    /// Sets whether the bytes are encrypted between here and the peer.
    pub fn encrypted(self, encrypted: bool) -> TransportInfo {
        TransportInfo { encrypted, ..self }
    }

    /// Sets the facts about TLS. The bytes are encrypted then.
    pub fn tls(self, tls: TlsInfo) -> TransportInfo {
        TransportInfo { encrypted: true, tls: Some(tls), ..self }
    }
}

/// The limits of one operation of a [`Transport`]: how long it may block, and what ends it early.
#[derive(Clone, Copy, Debug)]
pub struct Wait<'a> {
    pub(crate) until: Until<'a>,
    pub(crate) abort: Option<&'a AbortCell>,
    pub(crate) watch_input: bool,
    /// A `send` waits for room before each try and then sends what fits. So it never blocks inside the system while
    /// input arrives.
    pub(crate) poll_first: bool,
    /// The clock was read for this operation, and a call that blocks for the guard ends well before the deadline. Only
    /// for one call of a plain socket.
    pub(crate) has_time: bool,
    /// A fire of the token wakes this wait without ending the connection, because the wait polls the token's
    /// [signal](crate::cancel::CancelToken::signal) beside the socket. Only for connections of this crate's own sockets.
    pub(crate) wakes: bool,
    /// A [wake](crate::net::waker::Waker) of the receiver ends this wait.
    pub(crate) is_receive: bool,
    /// The bytes that are flushed are the last of a request. No early response has arrived yet.
    pub(crate) is_last: bool,
    /// Another thread may use the other direction. A transport that encrypts does not receive in a `send` then, unless the
    /// wait watches the input. It also keeps what it has encrypted and could not send in time: these bytes count as
    /// accepted, and the next operation sends them first.
    #[cfg_attr(not(feature = "rustls"), allow(dead_code))]
    pub(crate) duplex: bool,
}

/// Limits for tests of your own transport, and for operations outside of a request. Within a request the client makes
/// them.
impl Wait<'static> {
    /// Returns limits that never end an operation.
    pub fn new() -> Wait<'static> {
        Wait {
            until: Until::NEVER,
            abort: None,
            watch_input: false,
            poll_first: false,
            has_time: false,
            wakes: false,
            is_receive: false,
            is_last: false,
            duplex: false,
        }
    }

    /// Returns limits that end an operation at this time.
    ///
    /// ```
    /// use hostpool::{Transport, Wait};
    /// use std::io::ErrorKind;
    /// use std::net::{TcpListener, TcpStream};
    /// use std::time::{Duration, Instant};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(listener.local_addr()?)?;
    /// let error = stream.recv(&mut [0; 16], &Wait::until(Instant::now())).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::TimedOut);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn until(at: Instant) -> Wait<'static> {
        Wait { until: Deadline::by(at, Bound::Total).into(), ..Wait::new() }
    }

    /// Returns limits of an operation that is cancelled already.
    ///
    /// ```
    /// use hostpool::Wait;
    ///
    /// assert!(Wait::cancelled().is_cancelled() && !Wait::new().is_cancelled());
    /// ```
    pub fn cancelled() -> Wait<'static> {
        static CANCELLED: LazyLock<AbortCell> = LazyLock::new(AbortCell::aborted);
        Wait { abort: Some(&CANCELLED), ..Wait::new() }
    }

    /// Sets whether a `send` that finds no room returns 0 when input arrives. Default: no.
    pub fn watch_input(self, watch: bool) -> Wait<'static> {
        Wait { watch_input: watch, ..self }
    }
}

impl Default for Wait<'static> {
    fn default() -> Self {
        Wait::new()
    }
}

impl<'a> Wait<'a> {
    /// Returns the limits of an operation of the call that ends at `until`, and that `abort` ends early.
    pub(crate) fn of(until: Until<'a>, abort: &'a AbortCell) -> Self {
        Wait { until, abort: Some(abort), ..Wait::new() }
    }

    /// Sets the moment of one call of a plain socket, which then does not read the clock again.
    #[inline]
    pub(crate) fn begin_at(&mut self, moment: &mut Moment) {
        if let Some(at) = self.until.at() {
            self.has_time = has_time(moment.get(), at);
        }
    }

    /// Returns the time at which the operation fails with [`io::ErrorKind::TimedOut`]; `None` means never.
    pub fn deadline(&self) -> Option<Instant> {
        self.until.at()
    }

    /// Returns whether the operation is cancelled. A transport asks this before it blocks and after it wakes.
    pub fn is_cancelled(&self) -> bool {
        self.until.is_fired() || self.abort.is_some_and(AbortCell::is_aborted)
    }

    /// Returns whether the client or the response was closed. Data that arrives then is not taken any more; after a
    /// cancelled call it is.
    pub(crate) fn is_closed(&self) -> bool {
        self.abort.is_some_and(|cell| cell.abort_cause() == Some(AbortCause::Closed))
    }

    /// Returns the error of a wait that another thread has ended: first for the token, then for the rest. `closed`
    /// says what was closed.
    pub(crate) fn ended(&self, phase: Phase, closed: impl FnOnce() -> Reason) -> Option<Error> {
        if let Some(error) = self.until.cancelled(phase) {
            return Some(error);
        }
        match self.abort?.abort_cause()? {
            AbortCause::Closed => Some(Error::new(closed(), phase)),
            AbortCause::Cancelled => Some(Error::new(Reason::all_cancelled(), phase)),
        }
    }

    /// Returns whether a `send` that finds no room returns 0 when input arrives.
    pub fn watches_input(&self) -> bool {
        self.watch_input
    }

    /// Returns the error of a dial's failed operation: `Cancelled`, `Closed` or `Timeout` if this wait has ended,
    /// otherwise `kind`.
    pub(crate) fn failure(&self, error: io::Error, kind: ErrorKind, phase: Phase) -> Error {
        let closed = || ErrorKind::Closed.because("the pool was closed during the call");
        match self.ended(phase, closed) {
            Some(ended) => ended.with_effect(error),
            None if error.kind() == io::ErrorKind::TimedOut && self.until.is_past() => {
                self.until.timed_out(phase).with_source(error)
            }
            None => Error::new(kind, phase).with_source(error),
        }
    }
}

//! A connection of a pool in the hands of the caller.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::terms::Terms;
use crate::cancel::CancelToken;
use crate::close_reason::CloseReason;
use crate::error::{Bound, Error, ErrorKind, Phase};
use crate::exchange::Wire;
use crate::net::transport::{Probe, Transport, Wait};
use crate::net::turn::Turn;
use crate::pool::PoolLease;
use crate::response::ConnectionInfo;
use crate::sync::thread_number;
use crate::time::Until;
use crate::urls::Origin;

/// A connection of a pool in the hands of the caller: the value of [`PoolManager::connect`](crate::PoolManager::connect),
/// and of `connect` of the other clients.
///
/// It is open, with TLS if the URL is `https`, and counts towards the limits of the pool until it is given up in one of
/// four ways:
///
/// | way | the connection | its slot |
/// |---|---|---|
/// | [`release`](Self::release) | goes back to the pool if it can carry a request, and is closed otherwise | free with it |
/// | [`close`](Self::close) | is closed | free after the close |
/// | drop | is closed | free after the close |
/// | [`detach`](Self::detach) | stays open and belongs to the caller | free at once |
///
/// It is read and written as a stream, also by reference. So one thread can read while another writes. A read waits no
/// longer than the [`read`](crate::Timeout::read) timeout of the call that made it, and a write no longer than
/// [`write`](crate::Timeout::write); [`set_timeout`](Self::set_timeout) sets others. A timeout loses no bytes, and the next read
/// goes on. The total timeout of the call ends with the call. The call's [`CancelToken`] and a close of the client end
/// reads and writes, too: the [`Error`](crate::Error) is inside the `io::Error`.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// use hostpool::PoolManager;
/// use std::io::{Read, Write};
///
/// let http = PoolManager::new();
/// let mut connection = http.connect(&url)?;
/// connection.write_all(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")?;
/// let mut response = [0; 43];
/// connection.read_exact(&mut response)?;
/// assert!(response.ends_with(b"hello"));
/// // The response was read to its end.
/// connection.release();
/// assert_eq!(http.stats().idle, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "HTTPConnection")]
#[must_use = "a connection that is dropped is closed"]
pub struct Connection {
    /// `None` once the connection is given up, which consumes this value.
    lease: Option<PoolLease>,
    origin: Arc<Origin>,
    info: ConnectionInfo,
    /// The connection may go back to the pool.
    reusable: bool,
    read: Option<Duration>,
    write: Option<Duration>,
    token: Option<CancelToken>,
    receiving: Arc<Turn>,
    sending: Arc<Turn>,
    /// How the caller has used the connection.
    used: AtomicU8,
}

/// Nothing was sent since the connection was taken or bytes were received.
const QUIET: u8 = 0;
/// Bytes were sent, and none were received since.
const ASKED: u8 = 1;
/// The caller has ended the direction to the peer.
const FINISHED: u8 = 2;
/// A read or write failed, or the peer has ended the stream.
const SPOILED: u8 = 3;

// A transport or a check of the caller's that panics leaves it unfit for the pool, and otherwise whole.
impl UnwindSafe for Connection {}
impl RefUnwindSafe for Connection {}

impl Connection {
    /// Returns a connection that was taken by a call with these timeouts and this token.
    pub(super) fn new(lease: PoolLease, origin: &Arc<Origin>, terms: Terms<'_>) -> Connection {
        let (timeout, token) = (terms.timeout(), terms.until.token());
        Connection {
            info: ConnectionInfo::of(&lease),
            lease: Some(lease),
            origin: origin.clone(),
            reusable: !terms.closes(),
            read: timeout.read,
            write: timeout.write,
            token: token.cloned(),
            receiving: Turn::new(),
            sending: Turn::new(),
            used: AtomicU8::new(QUIET),
        }
    }

    /// Returns the scheme, host and port that the connection leads to.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let connection = hostpool::PoolManager::new().connect(&url)?;
    /// assert_eq!(connection.origin().scheme(), "http");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the number of the connection, its peer, whether it is encrypted, and whether it was used before.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let http = hostpool::PoolManager::new();
    /// http.connect(&url)?.release();
    /// let connection = http.connect(&url)?;
    /// assert!(connection.info().reused && !connection.info().encrypted);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "remote_addr")]
    #[doc(alias = "peer_addr")]
    pub fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// Returns whether the connection has ended: the peer has closed it, the client was closed, the call was cancelled,
    /// or a read or write failed for another reason than its timeout.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let http = hostpool::PoolManager::new();
    /// let connection = http.connect(&url)?;
    /// assert!(!connection.is_closed());
    /// http.close();
    /// assert!(connection.is_closed());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "closed")]
    #[doc(alias = "is_connected")]
    pub fn is_closed(&self) -> bool {
        let Some(lease) = &self.lease else { return true };
        let cell = &lease.conn().cell;
        self.used.load(Ordering::Relaxed) == SPOILED || cell.is_aborted() || cell.look() == Probe::Dead
    }

    /// Sets how long a read and how long a write waits from now on. `None` is without a bound.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use std::io::{ErrorKind, Read};
    /// use std::time::Duration;
    ///
    /// let mut connection = hostpool::PoolManager::new().connect(&url)?;
    /// connection.set_timeout(Duration::from_millis(20), None);
    /// // The server waits for a request.
    /// assert_eq!(connection.read(&mut [0; 16]).unwrap_err().kind(), ErrorKind::TimedOut);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "set_read_timeout")]
    #[doc(alias = "set_write_timeout")]
    pub fn set_timeout(&mut self, read: impl Into<Option<Duration>>, write: impl Into<Option<Duration>>) {
        (self.read, self.write) = (read.into(), write.into());
    }

    /// Ends the direction to the peer: the peer reads what was written, and then the end of the stream. The other
    /// direction stays open. This is how the standard input of a container ends, for example. The connection cannot
    /// carry another request, so [`release`](Self::release) closes it.
    ///
    /// Over TLS it sends a close_notify. Some servers close the whole connection then. A second call does nothing.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`] if a dialer has opened the connection and its [`Transport`] cannot do it. The
    /// connection is then as it was. Otherwise the errors of a write.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let url = format!("http://{}/", listener.local_addr()?);
    /// use std::io::{Read, Write};
    ///
    /// // A server that sends back what it was sent, once it knows that this is all.
    /// let server = std::thread::spawn(move || {
    ///     let (mut stream, _) = listener.accept().unwrap();
    ///     let mut all = Vec::new();
    ///     stream.read_to_end(&mut all).unwrap();
    ///     stream.write_all(&all).unwrap();
    /// });
    /// let connection = hostpool::PoolManager::new().connect(&url)?;
    /// (&connection).write_all(b"input")?;
    /// connection.close_write()?;
    /// let mut output = String::new();
    /// (&connection).read_to_string(&mut output)?;
    /// assert_eq!(output, "input");
    /// # server.join().unwrap();
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "shutdown")]
    #[doc(alias = "write_eof")]
    #[doc(alias = "half_close")]
    pub fn close_write(&self) -> io::Result<()> {
        let is_finished = || self.used.load(Ordering::Relaxed) == FINISHED;
        // Neither the token nor a bound ends what is done.
        if is_finished() {
            return Ok(());
        }
        let mut refused = None;
        self.operate(&self.sending, (self.write, Bound::Write, Phase::Send), |wire, wait| {
            // Another thread may have had its turn meanwhile.
            if is_finished() {
                return Ok(0);
            }
            while !wire.flush(wait)? {}
            match wire.close_write(wait) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => refused = Some(error),
                result => {
                    result?;
                    self.note(FINISHED);
                }
            }
            Ok(0)
        })?;
        refused.map_or(Ok(()), Err)
    }

    /// Closes the connection, and then frees its slot.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let http = hostpool::PoolManager::new();
    /// http.connect(&url)?.close();
    /// assert_eq!(http.stats().open, 0);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn close(self) {}

    /// Gives the connection back to its pool, or to the caller that waits for it. Its caller vouches that the last
    /// response was read to its end, and that no part of a request is still to be sent: the next request begins where
    /// this use stops.
    ///
    /// The connection is closed instead if it is seen to be unfit for that:
    /// - bytes were sent, and none were received since: the response is still to come;
    /// - unread bytes have arrived, or the peer has closed the connection;
    /// - a read or write has failed, for another reason than its timeout, or [`close_write`](Self::close_write) was called;
    /// - the pool keeps no connection: it is full, closed, or [closes all of them](crate::ClientBuilder::force_close).
    ///
    /// The pool looks at it again before its next use. [`idle_timeout`](crate::ClientBuilder::idle_timeout) counts from
    /// here, and what a server had said about the connection before still counts.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use std::io::Write;
    ///
    /// let http = hostpool::PoolManager::new();
    /// http.connect(&url)?.release();
    /// assert_eq!(http.stats().idle, 1);
    ///
    /// let mut connection = http.connect(&url)?;
    /// connection.write_all(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")?;
    /// // Its response would be the next caller's.
    /// connection.release();
    /// assert_eq!(http.stats().open, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "release_conn")]
    pub fn release(mut self) {
        let Some(lease) = self.lease.take() else { return };
        match self.unfit(&lease) {
            None => lease.put_back(),
            Some(reason) => lease.discard(reason),
        }
    }

    /// Returns why the connection cannot carry the next request, if it is seen.
    fn unfit(&self, lease: &PoolLease) -> Option<CloseReason> {
        let connection = lease.conn();
        match self.used.load(Ordering::Relaxed) {
            SPOILED => return Some(CloseReason::Failed),
            ASKED => return Some(CloseReason::BodyAbandoned),
            FINISHED => return Some(CloseReason::NotReusable),
            _ if !self.reusable => return Some(CloseReason::NotReusable),
            _ if connection.wire.has_buffered() => return Some(CloseReason::UnexpectedBytes),
            _ => {}
        }
        match connection.wire.probe() {
            Probe::Readable => Some(CloseReason::UnexpectedBytes),
            Probe::Dead => Some(CloseReason::PeerClosed),
            // A connection that another thread has shut down must not be used again.
            Probe::Quiet => (!connection.cell.next_use()).then_some(CloseReason::Failed),
        }
    }

    /// Takes the transport out of the pool. Its slot is free at once, and from then on neither the limits of the pool nor
    /// its close nor the call's token concern it. The transport is closed when it is dropped.
    ///
    /// The returned value is a [`Transport`], and a reader and writer without timeouts. A [`Dialer`](crate::Dialer) may
    /// return it as the connection of another pool.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::PoolManager;
    /// use std::io::{Read, Write};
    ///
    /// let http = PoolManager::new();
    /// let mut stream = http.connect(&url)?.detach();
    /// assert_eq!(http.stats().open, 0);
    /// http.close();
    /// stream.write_all(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")?;
    /// let mut response = [0; 43];
    /// stream.read_exact(&mut response)?;
    /// assert!(response.ends_with(b"hello"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "into_inner")]
    pub fn detach(mut self) -> Box<dyn Transport> {
        // The lease is there: only methods that consume this value take it, and each value has one such call.
        let lease = self.lease.take().expect("a connection that was not given up");
        // First, so that an abort which comes now does not reach the stream.
        lease.conn().cell.forget();
        let pooled = *lease.detach();
        drop(pooled.record);
        Box::new(pooled.wire)
    }
}

/// Notes at its drop whether the thread panics: nobody knows then how far the stream was used.
struct SpoiledByPanic<'a>(&'a Connection);

impl Drop for SpoiledByPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.note(SPOILED);
        }
    }
}

/// Reading and writing.
impl Connection {
    fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.operate(&self.receiving, (self.read, Bound::Read, Phase::Head), |wire, wait| match wire.recv(buf, wait) {
            // An abort looks like an end of the stream.
            Ok(0) if !buf.is_empty() && wait.is_cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
            Ok(0) if !buf.is_empty() => {
                self.note(SPOILED);
                Ok(0)
            }
            Ok(len) => {
                self.note(QUIET);
                Ok(len)
            }
            Err(error) => Err(error),
        })
    }

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.operate(&self.sending, (self.write, Bound::Write, Phase::Send), |wire, wait| {
            while !wire.flush(wait)? {}
            if buf.is_empty() {
                return Ok(0);
            }
            self.note(ASKED);
            wire.send(&[IoSlice::new(buf)], wait)
        })
    }

    /// Runs one operation on the stream in its turn, under its bound.
    fn operate(
        &self,
        turn: &Arc<Turn>,
        (limit, bound, phase): (Option<Duration>, Bound, Phase),
        act: impl FnOnce(&Wire, &Wait<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let Some(lease) = &self.lease else { return Err(io::ErrorKind::NotConnected.into()) };
        let (wire, cell) = (&lease.conn().wire, &lease.conn().cell);
        cell.touch(thread_number());
        let until = self.token.as_ref().map_or(Until::NEVER, |token| Until::NEVER.with_token(token));
        let until = until.or_within(limit, bound);
        let _turn = turn.take(until, phase).map_err(Error::into_io)?;
        let _whole = SpoiledByPanic(self);
        match until.check(phase) {
            Ok(()) => {}
            // A bound of zero.
            Err(late) if late.is_timeout() => return Err(late.into_io()),
            Err(cancelled) => return Err(self.spoil(cancelled).into_io()),
        }
        let registered = until.register(|| cell.blocked());
        let wait = Wait { duplex: true, ..Wait::of(until, cell) };
        let result = act(wire, &wait);
        drop(registered);
        result.map_err(|error| {
            let closed = || ErrorKind::Closed.because("the client of the connection was closed");
            match wait.ended(phase, closed) {
                Some(ended) => self.spoil(ended.with_effect(error)).into_io(),
                None if error.kind() == io::ErrorKind::TimedOut && until.is_past() => {
                    until.timed_out(phase).with_source(error).into_io()
                }
                None => self.spoil(error),
            }
        })
    }

    /// Notes what the caller has done. What is finished or spoiled stays so.
    fn note(&self, used: u8) {
        let next = |was| (was < FINISHED || used > was).then_some(used);
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// Notes that the stream cannot go on after this error.
    fn spoil<E>(&self, error: E) -> E {
        self.note(SPOILED);
        error
    }
}

impl Read for &Connection {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(buf)
    }
}

impl Write for &Connection {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    /// Sends what an encrypted connection has accepted and holds back.
    fn flush(&mut self) -> io::Result<()> {
        self.send(&[]).map(drop)
    }
}

impl Read for Connection {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(buf)
    }
}

impl Write for Connection {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send(&[]).map(drop)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.discard(CloseReason::ClosedByCaller);
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("origin", &self.origin)
            .field("id", &self.info.id)
            .field("remote", &self.info.remote)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use crate::net::abort::AbortHandle;
    use std::net::TcpListener;
    use std::thread;

    /// A close that has found the connection in its pool before it is detached does not end it afterwards.
    #[test]
    fn an_abort_that_comes_after_the_detachment() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pools = crate::PoolManager::new();
        for detach in [true, false] {
            let connection = pools.connect(format!("http://{}/", listener.local_addr().unwrap())).unwrap();
            let abort = connection.lease.as_ref().unwrap().conn().cell.handle();
            let kept: Box<dyn Write> = if detach { Box::new(connection.detach()) } else { Box::new(connection) };
            assert_eq!(abort.abort(), !detach);
            let mut kept = kept;
            assert_eq!(kept.write(b"x").is_ok(), detach);
        }
    }

    /// A server that answers each request, and its URL.
    fn server() -> (std::net::SocketAddr, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    while stream.read(&mut [0; 4096]).is_ok_and(|len| len > 0) {
                        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
                    }
                });
            }
        });
        (address, format!("http://{address}/"))
    }

    /// An idle connection that is aborted is closed, and the call that opens another in its slot is not ended by it.
    #[test]
    fn an_abort_of_an_idle_connection() {
        let (_, url) = server();
        for end in [AbortHandle::cancel, AbortHandle::abort] {
            let pools = crate::PoolManager::new();
            let connection = pools.connect(&url).unwrap();
            let cell = connection.lease.as_ref().unwrap().conn().cell.clone();
            connection.release();
            assert_eq!(pools.stats().idle, 1);
            // As an end of all calls does that comes while the connection goes back.
            assert!(end(&cell.handle()));
            assert_eq!(pools.get(&url).send().unwrap().status(), 204);
            assert_eq!(pools.stats().created, 2);
        }
    }

    /// The slot of a connection of the crate's own goes to one of a dialer of the caller's, which no token's signal wakes.
    #[test]
    fn whose_connection_it_is() {
        let (address, url) = server();
        let pools = crate::PoolManager::builder().limit(1).build().unwrap();
        let is_own = |connection: &Connection| connection.lease.as_ref().unwrap().conn().cell.is_own();
        let connection = pools.connect(&url).unwrap();
        assert!(is_own(&connection));
        connection.release();
        let dialer = crate::dialer_fn(move |_, _| {
            let stream = std::net::TcpStream::connect(address).map_err(crate::Error::from)?;
            Ok(Box::new(crate::IoTransport::from_stream(stream)))
        });
        let other = pools.connection_from_context(crate::PoolContext::new(&url).unwrap().dialer(dialer)).unwrap();
        let connection = other.connect().unwrap();
        assert_eq!((pools.stats().open, is_own(&connection)), (1, false));
    }

    /// A read that waits for another thread's read does so under its own timeout and token.
    #[test]
    fn a_read_behind_another() {
        let (_, url) = server();
        let (pools, token) = (crate::PoolManager::new(), CancelToken::new());
        let mut connection = pools.connect(&url).unwrap();
        connection.set_timeout(Duration::from_millis(20), None);
        let turn = connection.receiving.take(Until::NEVER, Phase::Head).unwrap();
        assert_eq!((&connection).read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(turn);

        let connection = pools.get(&url).cancel_with(&token).connect().unwrap();
        let turn = connection.receiving.take(Until::NEVER, Phase::Head).unwrap();
        thread::scope(|scope| {
            let reader = scope.spawn(|| (&connection).read(&mut [0]).unwrap_err());
            token.cancel();
            let error = reader.join().unwrap();
            let error = crate::Error::from_io(&error).unwrap();
            assert_eq!(error.kind(), &ErrorKind::Cancelled);
        });
        drop(turn);
    }

    /// A direction that is closed stays closed, whatever ends the call later.
    #[test]
    fn a_second_close() {
        let (_, url) = server();
        let token = CancelToken::new();
        let connection = crate::PoolManager::new().get(&url).cancel_with(&token).connect().unwrap();
        connection.close_write().unwrap();
        token.cancel();
        connection.close_write().unwrap();
        assert!((&connection).write(b"x").is_err());
    }

    /// A transport of the caller's that panics in a read keeps its connection out of the pool.
    #[test]
    fn a_read_that_panics() {
        #[derive(Debug)]
        struct Panics;
        impl Transport for Panics {
            fn recv(&self, _: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
                panic!("of the transport")
            }
            fn send(&self, bufs: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
                Ok(bufs.iter().map(|buf| buf.len()).sum())
            }
            fn probe(&self) -> Probe {
                Probe::Quiet
            }
            fn abort(&self) {}
        }
        let dialer = crate::dialer_fn(|_, _| Ok(Box::new(Panics)));
        let pools = crate::PoolManager::builder().dialer(dialer).build().unwrap();
        for (panics, idle) in [(false, 1), (true, 0)] {
            let connection = pools.connect("http://a.example/").unwrap();
            if panics {
                std::panic::catch_unwind(|| (&connection).read(&mut [0])).unwrap_err();
            }
            connection.release();
            assert_eq!(pools.stats().idle, idle);
        }
    }
}

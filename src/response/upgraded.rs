//! Connections that speak another protocol than HTTP.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{ConnectionInfo, Held, Parts, Response};
use crate::cancel::CancelToken;
use crate::close_reason::CloseReason;
use crate::error::{Bound, Error, ErrorKind, Phase, ResponseHead, Result};
use crate::net::abort::AbortCell;
use crate::net::duplex::{Duplex, Link};
use crate::net::transport::Transport;
use crate::net::turn::Turn;
use crate::pool::PoolLease;
use crate::pool::key::Connection;
use crate::sync::Mutex;
use crate::time::{Deadline, Until};

/// A connection that the server has upgraded to another protocol, returned by [`Response::upgrade`].
///
/// It carries bytes in both directions, and implements [`Read`] and [`Write`] for itself and for a reference. One thread
/// may wait in a read while another writes, and neither delays the other, over TLS too: lend `&upgraded` to the threads
/// of a [scope](std::thread::scope), or give each of two threads a [half](Self::into_split).
///
/// - Bytes that arrived with the head of the response are read first.
/// - A read returns 0 at the orderly end: the peer has ended its direction. Writing may go on.
/// - The timeouts of the request ended with the head. A read and a write wait without bound, unless
///   [`set_read_timeout`](Self::set_read_timeout) or [`set_write_timeout`](Self::set_write_timeout) says otherwise. A read
///   that timed out has lost nothing.
/// - A [cancel token](CancelToken) of the request ends reads and writes as well. Another one can take its place by
///   [`set_cancel_token`](Self::set_cancel_token).
/// - The connection keeps its place in the pool, and counts for its limits, until it is [closed](Self::close) or dropped.
///   It is not used again. Closing the client or cancelling all its calls ends it.
/// - Dropping it never waits.
///
/// An error keeps its kind inside the [`io::Error`]: see [`Error::from_io`].
///
/// ```
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// # let url = format!("http://{}/", listener.local_addr().unwrap());
/// # std::thread::spawn(move || {
/// #     use std::io::{Read, Write};
/// #     let (mut stream, _) = listener.accept().unwrap();
/// #     let _ = stream.read(&mut [0; 4096]);
/// #     let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
/// #     let mut text = Vec::new();
/// #     let _ = stream.read_to_end(&mut text);
/// #     let _ = stream.write_all(&text);
/// # });
/// use std::io::{Read, Write};
/// use std::net::Shutdown;
/// use std::thread;
///
/// // A server that sends back what it gets:
/// let echo = hostpool::get(&url).upgrade_to("echo").send()?.upgrade()?;
/// let text = thread::scope(|scope| {
///     let reader = scope.spawn(|| std::io::read_to_string(&echo));
///     (&echo).write_all(b"hello")?;
///     echo.shutdown(Shutdown::Write)?;
///     reader.join().unwrap()
/// })?;
/// assert_eq!(text, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "hijack")]
#[doc(alias = "detach")]
#[doc(alias = "raw_stream")]
pub struct Upgraded {
    shared: Arc<Shared>,
}

/// The half of an [`Upgraded`] connection that reads: see [`Upgraded::into_split`].
#[derive(Debug)]
pub struct UpgradedReader(Arc<Shared>);

/// The half of an [`Upgraded`] connection that writes: see [`Upgraded::into_split`].
///
/// Dropping it ends the direction to the peer, as [`shutdown(Shutdown::Write)`](Upgraded::shutdown) does, as far as that
/// needs no waiting. The other half reads on.
#[derive(Debug)]
pub struct UpgradedWriter {
    shared: Arc<Shared>,
    /// Dropping it ends its direction.
    ends: bool,
}

struct Shared {
    stream: Duplex,
    reading: Direction,
    writing: Direction,
    /// The caller has ended the direction from the peer.
    reads_end: AtomicBool,
    head: ResponseHead,
    connection: ConnectionInfo,
}

// A panic elsewhere leaves it whole: none of the caller's code runs in it.
impl UnwindSafe for Shared {}
impl RefUnwindSafe for Shared {}

/// One direction: whose turn it is, and how long an operation may take.
struct Direction {
    turn: Arc<Turn>,
    bounds: Mutex<Bounds>,
}

#[derive(Clone)]
struct Bounds {
    timeout: Option<Duration>,
    token: Option<CancelToken>,
}

impl Direction {
    fn new(token: Option<CancelToken>) -> Direction {
        Direction { turn: Turn::new(), bounds: Mutex::new(Bounds { timeout: None, token }) }
    }

    /// Runs one operation when its turn has come, under the bounds that are set now.
    fn run<T>(&self, bound: Bound, run: impl FnOnce(Until<'_>) -> Result<T>) -> Result<T> {
        let Bounds { timeout, token } = self.bounds.lock().clone();
        let deadline = match timeout {
            None => Deadline::NEVER,
            Some(_) => Deadline::after(Instant::now(), timeout, bound),
        };
        let until = Until::from(deadline);
        let until = token.as_ref().map_or(until, |token| until.with_token(token));
        let _turn = self.turn.take(until, Phase::Upgraded)?;
        run(until)
    }
}

impl Shared {
    fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.reading.run(Bound::Read, |until| match self.reads_end.load(Ordering::Acquire) {
            true => Ok(0),
            false => self.stream.receive(buf, until),
        });
        read.map_err(|error| self.error(error))
    }

    fn write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.writing.run(Bound::Write, |until| self.stream.send(bufs, until)).map_err(|error| self.error(error))
    }

    fn flush(&self) -> io::Result<()> {
        self.writing.run(Bound::Write, |until| self.stream.flush(until)).map_err(|error| self.error(error))
    }

    fn shutdown_write(&self) -> io::Result<()> {
        let end = self.writing.run(Bound::Write, |until| self.stream.shutdown_write(until));
        end.map_err(|error| self.error(error))
    }

    fn error(&self, error: Error) -> io::Error {
        error.with_maybe_processed(true).with_request(&self.head.method, &self.head.url).into_io()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded")
            .field("status", &self.head.status)
            .field("url", &self.head.url)
            .field("closed", &self.stream.is_closed())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

/// # The directions
impl Upgraded {
    /// Ends one direction, or both.
    ///
    /// - `Shutdown::Write` tells the peer that no more comes, after all that was written. Reading goes on. It is how the
    ///   input of a program in a container ends. Over TCP and Unix sockets the peer gets a FIN, over TLS a close_notify.
    ///   A peer that speaks TLS 1.2 may close the whole connection then (RFC 5246, section 7.2.1).
    /// - `Shutdown::Read` makes later reads return 0. A read that waits now goes on; [`close`](Self::close) ends it.
    /// - `Shutdown::Both` ends the direction to the peer, and closes the connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if the connection is a [`Transport`] of the caller's that cannot end
    /// one direction alone, and the errors of a write.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// # let url = format!("http://{}/", listener.local_addr().unwrap());
    /// # std::thread::spawn(move || {
    /// #     use std::io::{Read, Write};
    /// #     let (mut stream, _) = listener.accept().unwrap();
    /// #     let _ = stream.read(&mut [0; 4096]);
    /// #     let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: sort\r\n\r\n");
    /// #     let mut text = String::new();
    /// #     let _ = stream.read_to_string(&mut text);
    /// #     let mut lines: Vec<_> = text.lines().collect();
    /// #     lines.sort();
    /// #     let _ = stream.write_all(lines.join("\n").as_bytes());
    /// # });
    /// use std::io::{Read, Write};
    /// use std::net::Shutdown;
    ///
    /// // A server that needs all of its input before it answers:
    /// let mut sort = hostpool::get(&url).upgrade_to("sort").send()?.upgrade()?;
    /// sort.write_all(b"b\na\n")?;
    /// sort.shutdown(Shutdown::Write)?;
    /// let mut sorted = String::new();
    /// sort.read_to_string(&mut sorted)?;
    /// assert_eq!(sorted, "a\nb");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "close_write")]
    #[doc(alias = "CloseWrite")]
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match how {
            Shutdown::Read => self.shared.reads_end.store(true, Ordering::Release),
            Shutdown::Write => return self.shared.shutdown_write(),
            Shutdown::Both => {
                let ended = self.shared.shutdown_write();
                self.close();
                return ended;
            }
        }
        Ok(())
    }

    /// Closes the connection, and ends the reads and writes that wait in other threads. They fail with
    /// [`ErrorKind::Closed`], and so do later ones. Its place in the pool is free then. It does not wait: bytes that were
    /// written and have not left may be lost, so call [`shutdown`](Self::shutdown) and read to the end before, where that
    /// matters.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quiet\r\n\r\n");
    /// use std::io::Read;
    /// use std::thread;
    ///
    /// // A server that says nothing:
    /// let quiet = hostpool::get(&url).upgrade_to("quiet").send()?.upgrade()?;
    /// thread::scope(|scope| {
    ///     let reader = scope.spawn(|| (&quiet).read(&mut [0; 16]));
    ///     quiet.close();
    ///     assert!(reader.join().unwrap().is_err());
    /// });
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn close(&self) {
        self.shared.stream.close();
    }

    /// Returns whether the connection was [closed](Self::close) here, by this value or with its client. The end that the
    /// peer has made is seen by a read.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quiet\r\n\r\n");
    /// let quiet = hostpool::get(&url).upgrade_to("quiet").send()?.upgrade()?;
    /// assert!(!quiet.is_closed());
    /// quiet.close();
    /// assert!(quiet.is_closed());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared.stream.is_closed()
    }

    /// Splits the connection into a half that reads and a half that writes, for two threads. The connection is closed when
    /// both are dropped. Dropping the writer tells the peer that no more comes.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// # let url = format!("http://{}/", listener.local_addr().unwrap());
    /// # std::thread::spawn(move || {
    /// #     use std::io::{Read, Write};
    /// #     let (mut stream, _) = listener.accept().unwrap();
    /// #     let _ = stream.read(&mut [0; 4096]);
    /// #     let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    /// #     let mut text = Vec::new();
    /// #     let _ = stream.read_to_end(&mut text);
    /// #     let _ = stream.write_all(&text);
    /// # });
    /// use std::io::Write;
    /// use std::thread;
    ///
    /// let echo = hostpool::get(&url).upgrade_to("echo").send()?.upgrade()?;
    /// let (reader, mut writer) = echo.into_split();
    /// let writing = thread::spawn(move || writer.write_all(b"hello"));
    /// assert_eq!(std::io::read_to_string(reader)?, "hello");
    /// writing.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "split")]
    pub fn into_split(self) -> (UpgradedReader, UpgradedWriter) {
        (UpgradedReader(self.shared.clone()), UpgradedWriter { shared: self.shared, ends: true })
    }
}

/// # The bounds
impl Upgraded {
    /// Sets how long a read may wait, its turn included. `None` is the default, and waits without bound. Zero takes only
    /// what has arrived. The read then fails with [`io::ErrorKind::TimedOut`], and nothing is lost.
    ///
    /// It holds from the next read on, for both halves of a [split](Self::into_split) connection too.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quiet\r\n\r\n");
    /// use std::io::{ErrorKind, Read};
    /// use std::time::Duration;
    ///
    /// // A server that says nothing:
    /// let mut quiet = hostpool::get(&url).upgrade_to("quiet").send()?.upgrade()?;
    /// quiet.set_read_timeout(Duration::from_millis(10));
    /// assert_eq!(quiet.read(&mut [0; 16]).unwrap_err().kind(), ErrorKind::TimedOut);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn set_read_timeout(&self, limit: impl Into<Option<Duration>>) {
        self.shared.reading.bounds.lock().timeout = limit.into();
    }

    /// Sets how long a write, a flush or a shutdown may wait, its turn included. `None` is the default, and waits without
    /// bound. A write that fails with [`io::ErrorKind::TimedOut`] has sent nothing of its bytes.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quiet\r\n\r\n");
    /// use std::io::{ErrorKind, Write};
    /// use std::time::Duration;
    ///
    /// let mut quiet = hostpool::get(&url).upgrade_to("quiet").send()?.upgrade()?;
    /// quiet.set_write_timeout(Duration::ZERO);
    /// assert_eq!(quiet.write(b"x").unwrap_err().kind(), ErrorKind::TimedOut);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn set_write_timeout(&self, limit: impl Into<Option<Duration>>) {
        self.shared.writing.bounds.lock().timeout = limit.into();
    }

    /// Returns how long a read may wait.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quiet\r\n\r\n");
    /// use std::time::Duration;
    ///
    /// let quiet = hostpool::get(&url).upgrade_to("quiet").send()?.upgrade()?;
    /// assert_eq!(quiet.read_timeout(), None);
    /// quiet.set_read_timeout(Duration::from_secs(9));
    /// assert_eq!(quiet.read_timeout(), Some(Duration::from_secs(9)));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn read_timeout(&self) -> Option<Duration> {
        self.shared.reading.bounds.lock().timeout
    }

    /// Returns how long a write may wait.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quiet\r\n\r\n");
    /// use std::time::Duration;
    ///
    /// let quiet = hostpool::get(&url).upgrade_to("quiet").send()?.upgrade()?;
    /// quiet.set_write_timeout(Duration::from_secs(9));
    /// assert_eq!(quiet.write_timeout(), Some(Duration::from_secs(9)));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn write_timeout(&self) -> Option<Duration> {
        self.shared.writing.bounds.lock().timeout
    }

    /// Sets the token that ends reads and writes from another thread, in place of the request's. `None` takes the
    /// request's away.
    ///
    /// The reads and writes that begin after this call end with [`ErrorKind::Cancelled`] when it fires. The connection
    /// stays open and nothing is lost, so that it can be used again under another token. Only a connection that a
    /// [`Dialer`](crate::Dialer) of the caller's has opened is ended.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quiet\r\n\r\n");
    /// use hostpool::{CancelToken, Error};
    /// use std::io::Read;
    /// use std::thread;
    ///
    /// // A server that says nothing:
    /// let quiet = hostpool::get(&url).upgrade_to("quiet").send()?.upgrade()?;
    /// let token = CancelToken::new();
    /// quiet.set_cancel_token(&token);
    /// let error = thread::scope(|scope| {
    ///     let reader = scope.spawn(|| (&quiet).read(&mut [0; 16]).unwrap_err());
    ///     token.cancel();
    ///     reader.join().unwrap()
    /// });
    /// assert!(Error::from_io(&error).unwrap().is_cancelled());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn set_cancel_token<'t>(&self, token: impl Into<Option<&'t CancelToken>>) {
        let token = token.into();
        // The old tokens are dropped outside of the locks: the last owner of one runs its drop.
        let replace = |direction: &Direction| std::mem::replace(&mut direction.bounds.lock().token, token.cloned());
        drop((replace(&self.shared.reading), replace(&self.shared.writing)));
    }
}

/// # The connection
impl Upgraded {
    /// Returns the head of the response: its status and headers.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quiet\r\n\r\n");
    /// let quiet = hostpool::get(&url).upgrade_to("quiet").send()?.upgrade()?;
    /// assert_eq!(quiet.head().status(), 101);
    /// assert_eq!(quiet.head().headers().get("Upgrade"), Some("quiet"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn head(&self) -> &ResponseHead {
        &self.shared.head
    }

    /// Returns the connection: its number, addresses, and the facts about TLS.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quiet\r\n\r\n");
    /// let quiet = hostpool::get(&url).upgrade_to("quiet").send()?.upgrade()?;
    /// assert!(!quiet.connection().encrypted);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn connection(&self) -> &ConnectionInfo {
        &self.shared.connection
    }

    /// Returns the address of the peer if it has one: the server, or the proxy.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quiet\r\n\r\n");
    /// let quiet = hostpool::get(&url).upgrade_to("quiet").send()?.upgrade()?;
    /// let address = quiet.peer_addr().unwrap();
    /// assert_eq!(format!("http://{address}/"), url);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "remote_addr")]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.shared.connection.remote
    }

    /// Returns the local address of the connection, if it has one.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quiet\r\n\r\n");
    /// let quiet = hostpool::get(&url).upgrade_to("quiet").send()?.upgrade()?;
    /// assert!(quiet.local_addr().unwrap().ip().is_loopback());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.shared.connection.local
    }
}

macro_rules! reads {
    ($($type:ty: |$value:ident| $shared:expr;)*) => {$(
        impl Read for $type {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let $value = self;
                $shared.read(buf)
            }
        }
    )*};
}

macro_rules! writes {
    ($($type:ty: |$value:ident| $shared:expr;)*) => {$(
        impl Write for $type {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.write_vectored(&[IoSlice::new(buf)])
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                let $value = self;
                $shared.write(bufs)
            }

            /// Waits until all that was written has left. Without TLS it has left already.
            fn flush(&mut self) -> io::Result<()> {
                let $value = self;
                $shared.flush()
            }
        }
    )*};
}

reads! {
    Upgraded: |upgraded| upgraded.shared;
    &Upgraded: |upgraded| upgraded.shared;
    UpgradedReader: |half| half.0;
    &UpgradedReader: |half| half.0;
}

writes! {
    Upgraded: |upgraded| upgraded.shared;
    &Upgraded: |upgraded| upgraded.shared;
    UpgradedWriter: |half| half.shared;
    &UpgradedWriter: |half| half.shared;
}

impl UpgradedReader {
    /// Returns the connection from its two halves.
    ///
    /// # Errors
    ///
    /// Returns both halves if they are of two connections.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quiet\r\n\r\n");
    /// let quiet = hostpool::get(&url).upgrade_to("quiet").send()?.upgrade()?;
    /// let (reader, writer) = quiet.into_split();
    /// let quiet = reader.reunite(writer).unwrap();
    /// assert!(!quiet.is_closed());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn reunite(
        self,
        mut writer: UpgradedWriter,
    ) -> std::result::Result<Upgraded, (UpgradedReader, UpgradedWriter)> {
        if !Arc::ptr_eq(&self.0, &writer.shared) {
            return Err((self, writer));
        }
        writer.ends = false;
        Ok(Upgraded { shared: self.0 })
    }
}

impl Drop for UpgradedWriter {
    fn drop(&mut self) {
        // After a fork, the parent goes on with the connection.
        if self.ends && !self.shared.stream.is_inherited() {
            let at_once = Deadline::after(Instant::now(), Some(Duration::ZERO), Bound::Write);
            // Nobody else writes, so the turn is free.
            let _ = self.shared.stream.shutdown_write(at_once.into());
        }
    }
}

/// What an upgraded connection is made of.
pub(crate) struct Taken {
    pub(crate) stream: Duplex,
    pub(crate) head: ResponseHead,
    pub(crate) connection: ConnectionInfo,
    pub(crate) token: Option<CancelToken>,
}

/// # Another protocol
impl Response {
    /// Takes the connection over, to speak another protocol on it.
    ///
    /// The response must be one of these:
    ///
    /// - a 101, to a request that has an `Upgrade` field: see [`upgrade_to`](crate::RequestBuilder::upgrade_to);
    /// - a 2xx to a `CONNECT` that was sent to a [proxy](crate::RequestBuilder::proxy): the connection leads to the
    ///   server then;
    /// - a 2xx whose body ends with the connection, of a server that answers so in place of a 101, as older Docker daemons
    ///   do. What is left of the body is read from the connection. A proxy that forwards must not lie between.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotUpgraded`] for any other response. [`Error::head`] has the response, with the start of its body.
    ///
    /// ```no_run
    /// use hostpool::{Method, Session, Url};
    /// use std::io::Write;
    /// use std::net::Shutdown;
    ///
    /// // Types into a program in a container, and shows what it says.
    /// let url = Url::unix("/run/docker.sock", "/v1.47/containers/shell/attach?stream=1&stdin=1&stdout=1")?;
    /// let mut attached = Session::new().post(url).upgrade_to("tcp").send()?.upgrade()?;
    /// attached.write_all(b"echo hello\n")?;
    /// attached.shutdown(Shutdown::Write)?;
    /// std::io::copy(&mut attached, &mut std::io::stdout())?;
    ///
    /// // A tunnel of the caller's own:
    /// let tunnel = Session::new()
    ///     .request(Method::CONNECT, "http://mail.example:25")
    ///     .proxy("http://proxy.example:3128")
    ///     .send()?
    ///     .upgrade()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "hijack")]
    #[doc(alias = "detach")]
    pub fn upgrade(self) -> Result<Upgraded> {
        let Taken { stream, head, connection, token } = self.take_connection(ErrorKind::NotUpgraded)?;
        let (reading, writing) = (Direction::new(token.clone()), Direction::new(token));
        let shared = Shared { stream, reading, writing, reads_end: AtomicBool::new(false), head, connection };
        Ok(Upgraded { shared: Arc::new(shared) })
    }

    /// Takes the connection out of the response. Fails with `refusal` if the server has not agreed.
    pub(crate) fn take_connection(mut self, refusal: ErrorKind) -> Result<Taken> {
        let connection = if self.may_upgrade() { self.connection() } else { None };
        let Some((connection, held)) = connection.and_then(|info| Some((info, self.inner.parts.held.take()?))) else {
            return Err(self.into_error(refusal));
        };
        let Held { lease, buffers, .. } = held;
        let first = buffers.filled().to_vec();
        self.inner.parts.common.buffers.put(buffers);
        // No thread holds it from here on: any thread may close it.
        lease.conn().cell.set_holder(0);
        let token = self.inner.parts.token.take();
        let head = self.to_head(Vec::new());
        Ok(Taken { stream: Duplex::new(Arc::new(Leased(Some(lease))), first), head, connection, token })
    }

    /// Returns whether the next bytes of the connection are the caller's.
    fn may_upgrade(&self) -> bool {
        let Parts { head, about, held: Some(held), .. } = &self.inner.parts else { return false };
        let is_raw = head.status.is_success() && about.request_body_complete && !held.reuse.forwarded;
        held.reuse.upgraded || is_raw && self.inner.pump.is_none() && self.inner.reader.is_until_close()
    }
}

/// The connection of a pool, whose place is free when it is closed.
struct Leased(Option<PoolLease>);

impl Leased {
    /// Only the drop takes the lease.
    fn connection(&self) -> &Connection {
        self.0.as_ref().expect("the lease is there until the drop").conn()
    }
}

impl Link for Leased {
    fn transport(&self) -> &dyn Transport {
        &self.connection().wire
    }

    fn cell(&self) -> &Arc<AbortCell> {
        &self.connection().cell
    }

    fn is_own(&self) -> bool {
        self.connection().cell.is_own()
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        if let Some(lease) = self.0.take() {
            lease.discard(CloseReason::Upgraded);
        }
    }
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    /// A child of a fork ends no direction: its parent uses the connection.
    #[test]
    fn a_fork() {
        for inherits in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let stream = Duplex::of(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
            let (mut peer, _) = listener.accept().unwrap();
            peer.set_nonblocking(true).unwrap();
            if inherits {
                stream.inherit();
            }
            let (_reader, writer) = upgraded(stream).into_split();
            drop(writer);
            let read = peer.read(&mut [0; 1]);
            match inherits {
                true => assert_eq!(read.unwrap_err().kind(), io::ErrorKind::WouldBlock),
                false => assert_eq!(read.unwrap(), 0),
            }
        }
    }

    fn upgraded(stream: Duplex) -> Upgraded {
        let head = ResponseHead {
            status: http::StatusCode::SWITCHING_PROTOCOLS,
            version: http::Version::HTTP_11,
            reason: "".into(),
            method: http::Method::GET,
            url: crate::Url::parse("http://h/").unwrap(),
            headers: crate::Headers::new(),
            body: Vec::new(),
            request_body_complete: true,
        };
        let (remote, local, tls, tunnel) = (None, None, None, None);
        let connection = ConnectionInfo { id: 1, remote, local, encrypted: false, tls, reused: false, tunnel };
        let (reading, writing) = (Direction::new(None), Direction::new(None));
        let shared = Shared { stream, reading, writing, reads_end: AtomicBool::new(false), head, connection };
        Upgraded { shared: Arc::new(shared) }
    }
}

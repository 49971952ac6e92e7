//! The connection that a response is read from.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Held, Response};
use crate::close_reason::CloseReason;
use crate::error::{Reason, ResponseHead};
use crate::net::tls_info::TlsInfo;
use crate::net::transport::{Probe, Transport};
use crate::pool::PoolLease;

/// The connection that a response is read from, returned by [`Response::connection`], or that the caller has, returned by
/// [`Connection::info`](crate::Connection::info).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The number of the connection, as a [`Listener`](crate::Listener) and the log show it. It starts at 1 and is
    /// unique in the process.
    pub id: u64,
    /// The address of the peer if it has one: the server, or the proxy.
    pub remote: Option<SocketAddr>,
    /// The local address of the connection, if it has one.
    pub local: Option<SocketAddr>,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// The facts about TLS: version, cipher suite, the server's certificates. `None` if the connection is not encrypted,
    /// or if its transport does not tell them.
    pub tls: Option<TlsInfo>,
    /// Whether the connection had carried a request before this one.
    pub reused: bool,
    /// The response by which an HTTP proxy opened the tunnel that the connection goes through. Some proxies name the exit
    /// address or a session in its headers.
    #[doc(alias = "OnProxyConnectResponse")]
    pub tunnel: Option<ResponseHead>,
}

impl ConnectionInfo {
    /// Returns the facts about a connection in use.
    pub(crate) fn of(lease: &PoolLease) -> ConnectionInfo {
        let (connection, reused) = (lease.conn(), lease.is_reused());
        let info = connection.wire.info();
        ConnectionInfo {
            id: connection.record.id(),
            remote: info.remote,
            local: info.local,
            tls: info.tls,
            encrypted: info.encrypted,
            reused,
            tunnel: connection.tunnel.as_deref().cloned(),
        }
    }
}

/// # The connection
impl Response {
    /// Returns the host of the [`url`](Self::url) in lower case. An IPv6 address stands in brackets. For a Unix socket
    /// it is the path.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// assert_eq!(hostpool::get(url).send()?.host(), "127.0.0.1");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn host(&self) -> &str {
        self.inner.parts.about.url.origin().host()
    }

    /// Returns the connection that the body is read from. Returns `None` if it is back in its pool or closed, for
    /// example because the body is empty or was read to its end.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let mut response = hostpool::get(url).send()?;
    /// let connection = response.connection().unwrap();
    /// assert!(!connection.encrypted && !connection.reused);
    /// response.load()?;
    /// assert_eq!(response.connection(), None);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "isclosed")]
    #[doc(alias = "closed")]
    pub fn connection(&self) -> Option<ConnectionInfo> {
        Some(ConnectionInfo::of(&self.inner.parts.held.as_ref()?.lease))
    }

    /// Returns how many bytes of the body have been received so far, without framing and before decoding.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use std::io::Read;
    ///
    /// let mut response = hostpool::get(url).send()?;
    /// response.read_exact(&mut [0; 3])?;
    /// assert_eq!(response.bytes_read(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tell")]
    #[doc(alias = "total_raw_bytes")]
    pub fn bytes_read(&self) -> u64 {
        self.inner.reader.received()
    }

    /// Returns how many bytes of the body are still to be received, if a `Content-Length` delimits it. It is 0 after
    /// the end, and if there can be no body, as after `HEAD`. Bytes are counted as by [`bytes_read`](Self::bytes_read).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use std::io::Read;
    ///
    /// let mut response = hostpool::get(url).send()?;
    /// response.read_exact(&mut [0; 3])?;
    /// assert_eq!(response.length_remaining(), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn length_remaining(&self) -> Option<u64> {
        self.inner.reader.remaining()
    }

    /// Closes the connection if the body has not been read to its end. Otherwise the connection is already back in its
    /// pool, and stays there.
    ///
    /// Later reads fail with [`ErrorKind::Closed`](crate::ErrorKind::Closed), unless the body was [loaded](Self::load)
    /// before. The head stays.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let mut response = hostpool::get(url).send()?;
    /// response.close();
    /// assert_eq!(response.status(), 200);
    /// assert!(response.bytes().unwrap_err().is_closed());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn close(&mut self) {
        if self.inner.parts.held.is_some() {
            self.abandon(CloseReason::BodyAbandoned);
            self.end_reading(Reason::closed_response());
        }
        self.drop_own();
    }

    /// Drops the rest of a body that comes from the caller.
    fn drop_own(&mut self) {
        if self.inner.reader.is_own() {
            self.inner.reader.fail(Reason::closed_response());
            self.end_reading(Reason::closed_response());
        }
    }

    /// Reads and discards the rest of the body, so that the connection returns to its pool.
    ///
    /// Dropping a response does the same, but does not wait. This method waits for the rest as a read would, under the
    /// same timeouts. The connection is closed if more than [`Limits::drain_bytes`](crate::Limits::drain_bytes) are
    /// left, 64 KiB by default, if it could not be used again, or if it fails. There is no error.
    ///
    /// Later reads fail with [`ErrorKind::Closed`](crate::ErrorKind::Closed), unless the body was [loaded](Self::load)
    /// or read to its end before. The head and the trailers stay.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let session = hostpool::Session::new();
    /// session.get(&url).send()?.release();
    /// assert!(session.get(&url).send()?.is_reused());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "release_conn")]
    #[doc(alias = "drain_conn")]
    pub fn release(&mut self) {
        self.release_within(Duration::MAX);
    }

    /// Discards a response that the client itself does not need. It waits for the rest of the body about as long as a
    /// new connection would take.
    pub(crate) fn throw_away(&mut self) {
        self.release_within(self.inner.parts.common.limits.drain_time);
    }

    /// Returns whether the connection can carry another request of the same call.
    pub(crate) fn can_go_on(&self) -> bool {
        self.inner.parts.held.as_ref().is_some_and(|held| held.reuse.reusable && held.reuse.kept_back)
    }

    /// Returns the certificate of the peer in DER.
    pub(crate) fn peer_certificate(&self) -> Option<Vec<u8>> {
        let held = self.inner.parts.held.as_ref()?;
        held.lease.conn().wire.info().tls?.chain.into_iter().next()
    }

    /// Gives the connection back after the body, as it is done for other responses.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_keeping_back(&mut self) {
        let Some(held) = &mut self.inner.parts.held else { return };
        if std::mem::take(&mut held.reuse.kept_back) {
            held.reuse.reusable &= !held.reuse.once;
            if self.inner.reader.is_done() {
                self.finish();
            }
        }
    }

    /// Discards a response that the client itself does not need, and returns its connection for the next request of the
    /// same call. Returns `None` if the connection can carry no further request.
    pub(crate) fn into_connection(mut self) -> Option<PoolLease> {
        self.drain(self.inner.parts.common.limits.drain_time);
        let Held { lease, buffers, reuse } = self.inner.parts.held.take()?;
        let is_doubtful = self.inner.reader.trailer_section().is_some_and(|trailers| trailers.doubtful);
        let is_over = self.inner.reader.is_done() && reuse.reusable && !is_doubtful;
        let goes_on = is_over && self.inner.reader.leftover(&lease.conn().wire, &buffers) == Probe::Quiet;
        self.inner.parts.common.buffers.put(buffers);
        match goes_on {
            true => Some(lease),
            false => {
                lease.discard(CloseReason::NotReusable);
                None
            }
        }
    }

    fn release_within(&mut self, drain_time: Duration) {
        self.end_keeping_back();
        if self.inner.parts.held.is_some() {
            self.drain(drain_time);
            self.abandon(CloseReason::BodyAbandoned);
            self.end_reading(Reason::closed_response());
        }
        self.drop_own();
    }
}

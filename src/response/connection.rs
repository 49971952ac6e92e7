//! A response and the connection it is read from.

use std::net::SocketAddr;
use std::time::Duration;

use super::Response;
use crate::close_reason::CloseReason;
use crate::error::ErrorKind;
use crate::net::transport::Transport;

/// The connection a response is being read from, as [`Response::connection`] gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Its number, as a [`Listener`](crate::Listener) and the log name it: from 1, and unique in the process.
    pub id: u64,
    /// The address of the peer, where it has one: the server, or the proxy in front of it.
    pub remote: Option<SocketAddr>,
    /// Whether the bytes are encrypted on their way.
    pub encrypted: bool,
    /// Whether it had carried a request before this one.
    pub reused: bool,
}

impl Response {
    /// The host of the [`url`](Self::url): in lower case, an IPv6 address in brackets; the path of a Unix socket.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// assert_eq!(hostpool::get(url).send()?.host(), "127.0.0.1");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn host(&self) -> &str {
        self.parts.about.url.origin().host()
    }

    /// The connection that the body is being read from. `None` once it went back to its pool or is closed: when the
    /// body was read to its end, or is empty.
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
        let connection = self.parts.held.as_ref()?.lease.conn();
        let info = connection.wire.info();
        Some(ConnectionInfo {
            id: connection.record.id(),
            remote: info.remote,
            encrypted: info.encrypted,
            reused: self.reused,
        })
    }

    /// Bytes of the body that have been received so far, without what frames them, and before any decoding.
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
        self.reader.received()
    }

    /// Bytes of the body that are still to be received, where its end is given by a `Content-Length`: 0 behind the end,
    /// and where there can be no body, as after `HEAD`. They count as [`bytes_read`](Self::bytes_read) does.
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
        self.reader.remaining()
    }

    /// Closes the connection, if the body has not been read to its end; otherwise it is back in its pool already, and
    /// stays there.
    ///
    /// Reading on fails with [`ErrorKind::Closed`], unless the body was [loaded](Self::load) before. The head stays.
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
        if self.parts.held.is_some() {
            self.abandon(CloseReason::BodyAbandoned);
            self.end_reading(ErrorKind::Closed);
        }
    }

    /// Finishes with the response: takes what is left of the body off the connection, so that it goes back to its pool.
    ///
    /// Dropping a response does the same, but waits for nothing. This waits for the rest as reading it would, under the
    /// same timeouts; where more than [`Limits::drain_bytes`](crate::Limits::drain_bytes) are left, 64 KiB by default,
    /// or the connection could not be used again, it is closed. There is no error: a connection that fails is closed.
    ///
    /// Reading on fails with [`ErrorKind::Closed`], unless the body was [loaded](Self::load) or read to its end before.
    /// The head stays, and so do the trailers.
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

    /// Finishes with a response that the client itself throws away: the rest of its body is worth about what a new
    /// connection would cost.
    pub(crate) fn throw_away(&mut self) {
        self.release_within(self.parts.common.limits.drain_time);
    }

    fn release_within(&mut self, drain_time: Duration) {
        if self.parts.held.is_some() {
            self.drain(drain_time);
            self.abandon(CloseReason::BodyAbandoned);
            self.end_reading(ErrorKind::Closed);
        }
    }
}

//! Responses: a head that is here, and a body that is read as it is asked for.

mod charset;
mod compat;
mod connection;
mod cookies;
mod decoded;
mod disposition;
mod fields;
mod history;
mod json;
mod lines;
mod links;
mod media;
mod output;
mod shutdown;
mod status;
mod text;
mod whole;

use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode, Version};

use crate::coding::Pump;
use crate::error::{Bound, Error, ErrorKind, Limit, Phase, ResponseHead, Result};
use crate::exchange::{BodyReader, Buffers, Common, Ending, Io};
use crate::h1::{Framing, Head, TransferCoding};
use crate::headers::Headers;
use crate::net::transport::{Probe, Transport};
use crate::observe;
use crate::pool::PoolLease;
use crate::pool::stats::CloseReason;
use crate::retry::Retry;
use crate::strictness::Strictness;
use crate::time::{Deadline, Stamp};
use crate::url::Url;

pub use compat::ResponseBody;
pub use connection::ConnectionInfo;
pub use disposition::ContentDisposition;
pub use lines::Lines;
pub use links::Link;
pub use media::MediaType;
pub use output::Chunks;
pub use shutdown::ShutdownHandle;

use whole::Kept;

/// First allocation for a body read as a whole, whatever length was announced: memory follows what arrives.
const FIRST_ALLOCATION: u64 = 64 * 1024;

/// Taking what has arrived already is not waiting, but it has to come to an end.
const AT_ONCE: Duration = Duration::from_millis(100);

/// A response whose head has arrived. Its body is read through [`io::Read`], or as a whole.
///
/// The connection goes back to its pool by itself when the body has been read to its end, and before that is known to
/// the caller. A response that is dropped earlier gives it back if the rest is there already and small
/// ([`Limits::drain_bytes`](crate::Limits::drain_bytes)), and closes it otherwise; dropping does not wait for more.
///
/// Content codings (gzip, deflate and, with their features, br and zstd) are undone as the body is read, whatever was
/// asked for, unless [`decode_content`](crate::RequestBuilder::decode_content) says otherwise: up to five of them.
/// [`headers`](Self::headers) keeps what the server said. A body that is cut, or no coded data, fails with
/// [`ErrorKind::Decode`]; one in a coding that is not known is given as it came, and so is a part of one (206). A list of
/// a known and an unknown coding fails with `Decode` too. Data that was flushed but not finished, or that lacks its
/// trailer, is taken with a warning in the log where Content-Length or the last chunk shows that the server sent no more.
///
/// ```no_run
/// use std::io::Read;
///
/// let mut response = hostpool::get("https://www.example.com/").send()?;
/// println!("{} {:?}", response.status(), response.headers().get("content-type"));
/// let mut start = [0; 1024];
/// let n = response.read(&mut start)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "ClientResponse")]
#[doc(alias = "HTTPResponse")]
#[doc(alias = "read1")]
#[doc(alias = "readinto")]
pub struct Response {
    head: Head,
    method: Method,
    url: Url,
    remote: Option<SocketAddr>,
    reused: bool,
    request_body_complete: bool,
    reader: BodyReader,
    /// Gone once the body is done or has failed.
    connection: Option<Held>,
    /// The body, once it was loaded, or why there is none.
    kept: Option<Box<Kept>>,
    history: Vec<ResponseHead>,
    /// How the policy for retries stands, where something was tried again.
    retries: Option<Box<Retry>>,
    common: Arc<Common>,
    /// Undoes the body's codings; gone once the body has ended or failed.
    pump: Option<Box<Pump>>,
    max_body: u64,
    strictness: Strictness,
    /// Bounds each wait for further bytes.
    read: Option<Duration>,
    deadline: Deadline,
}

/// What a response holds while its body is unread.
struct Held {
    lease: PoolLease,
    buffers: Buffers,
    reusable: bool,
    /// It would be reusable, had no head broken a rule that is tolerated.
    tolerated: bool,
    keep_until: Option<Stamp>,
}

impl Held {
    /// Returns whether the connection belongs to the process that this one was forked from, which reads on it.
    fn is_inherited(&self) -> bool {
        self.lease.conn().cell.is_inherited()
    }
}

/// What the engine makes a response of.
pub(crate) struct Parts {
    pub(crate) head: Head,
    pub(crate) framing: Framing,
    pub(crate) reusable: bool,
    pub(crate) tolerated: bool,
    pub(crate) keep_until: Option<Stamp>,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) history: Vec<ResponseHead>,
    pub(crate) retries: Option<Box<Retry>>,
    pub(crate) lease: PoolLease,
    pub(crate) buffers: Buffers,
    pub(crate) common: Arc<Common>,
    pub(crate) max_body: u64,
    pub(crate) strictness: Strictness,
    /// Content codings are undone.
    pub(crate) decode: bool,
    /// The body may end before its Content-Length.
    pub(crate) may_end_early: bool,
    /// Its end may be that of a TLS stream which its peer did not end.
    pub(crate) unclean_close: bool,
    pub(crate) ending: Ending,
    /// The whole request was sent.
    pub(crate) request_body_complete: bool,
    pub(crate) read: Option<Duration>,
    pub(crate) deadline: Deadline,
}

impl Response {
    pub(crate) fn new(parts: Parts) -> Response {
        let Parts {
            head,
            framing,
            reusable,
            tolerated,
            keep_until,
            method,
            url,
            history,
            retries,
            lease,
            buffers,
            common,
            max_body,
            strictness,
            decode,
            may_end_early,
            unclean_close,
            ending,
            request_body_complete,
            read,
            deadline,
        } = parts;
        let remote = lease.conn().wire.info().remote;
        let reused = lease.is_reused();
        let connection = Some(Held { lease, buffers, reusable, tolerated, keep_until });
        let mut reader = BodyReader::new(framing, strictness);
        if may_end_early {
            reader.allow_early_end();
        }
        if unclean_close {
            reader.allow_unclean_close();
        }
        reader.know_ending(ending);
        let kept = None;
        let mut response = Response {
            head,
            method,
            url,
            remote,
            reused,
            request_body_complete,
            reader,
            connection,
            kept,
            history,
            retries,
            common,
            pump: None,
            max_body,
            strictness,
            read,
            deadline,
        };
        if response.reader.is_done() {
            response.finish();
        } else if decode && response.head.facts.content_encoding {
            response.begin_decoding();
        }
        response
    }

    /// The status code.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::get(url).send()?;
    /// assert_eq!(response.status(), 404);
    /// assert!(response.status().is_client_error());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "status_code")]
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// Whether the status is below 400.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    /// assert!(!hostpool::get(url).send()?.ok());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn ok(&self) -> bool {
        self.head.status.as_u16() < 400
    }

    /// The reason phrase as the server sent it; empty if it sent none, or one that is not UTF-8.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n");
    /// assert_eq!(hostpool::get(url).send()?.reason(), "Fine");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn reason(&self) -> &str {
        self.head.reason()
    }

    /// The version of HTTP the server answered with.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::Version;
    ///
    /// assert_eq!(hostpool::get(url).send()?.version(), Version::HTTP_11);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "version_string")]
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// The header fields as they came: of a body that is decoded, Content-Encoding and Content-Length are those of the
    /// coded one.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nX-Tag: a\r\nx-tag: b\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::get(url).send()?;
    /// assert_eq!(response.headers().get_all("X-Tag").collect::<Vec<_>>(), ["a", "b"]);
    /// // As it was sent, byte for byte:
    /// let field = response.headers().iter().nth(1).unwrap();
    /// assert_eq!((field.name(), field.bytes()), ("x-tag", &b"b"[..]));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "raw_headers")]
    #[doc(alias = "getheader")]
    #[doc(alias = "getheaders")]
    #[doc(alias = "info")]
    pub fn headers(&self) -> &Headers {
        &self.head.headers
    }

    /// The method of the request.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::Method;
    ///
    /// assert_eq!(hostpool::head(url).send()?.method(), Method::HEAD);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL of the request.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// assert_eq!(hostpool::get(&*url).send()?.url().as_str(), url);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "geturl")]
    #[doc(alias = "real_url")]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The length that the server announced, where it did; for `HEAD` that of the body a `GET` would have. A body that
    /// is decoded has another.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// assert_eq!(hostpool::get(url).send()?.content_length(), Some(5));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn content_length(&self) -> Option<u64> {
        match self.head.facts.transfer_coding {
            TransferCoding::None => self.head.facts.content_length,
            _ => None,
        }
    }

    /// Whether the body comes in chunks (RFC 9112, section 7.1), whatever a `Content-Length` says besides.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    /// assert!(hostpool::get(url).send()?.is_chunked());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "chunked")]
    pub fn is_chunked(&self) -> bool {
        self.head.facts.transfer_coding == TransferCoding::Chunked
    }

    /// The address of the server, for TCP connections.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// let address = hostpool::get(url).send()?.remote_addr().unwrap();
    /// assert!(address.ip().is_loopback());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Whether the connection had carried a request before this one.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// let session = hostpool::Session::new();
    /// assert!(!session.get(&*url).send()?.is_reused());
    /// assert!(session.get(&*url).send()?.is_reused());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    /// Returns whether the whole request was sent, its body included; true where it has no body.
    ///
    /// False says that the server answered before it had the body, and that the rest never left:
    ///
    /// - The status is from 400 on: the client stops, as the server has refused the request.
    /// - It is a redirect that is followed with the body, which goes whole to the new place; so this concerns the
    ///   responses in [`history`](Self::history).
    /// - It came in place of the 100 that [`expect100`](crate::RequestBuilder::expect100) asks for.
    /// - The server closed the connection, or reset it, after a complete response. With another status than these the
    ///   client goes on with the body, and logs a warning when it cannot.
    ///
    /// "Sent" means that the system has taken the bytes; what a server makes of them its status says. Read a response
    /// to its end if its server answers before it has the body, as those that report progress do. Dropping it earlier
    /// closes the connection, and the system throws away what of the body it has not passed on by then.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::put(url).data("text").send()?;
    /// assert!(response.request_body_complete());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn request_body_complete(&self) -> bool {
        self.request_body_complete
    }

    /// The trailer fields of a chunked body that has been read to its end. They are no part of the headers
    /// (RFC 9110, section 6.5.1).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n");
    /// let mut response = hostpool::get(url).send()?;
    /// response.load()?;
    /// assert_eq!(response.trailers().get("X-Sum"), Some("1"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn trailers(&self) -> &Headers {
        self.reader.trailers()
    }

    /// Returns how many lines of the head, and of the trailers once the body has been read, were left out because they
    /// are no header fields: a line without a colon, a name that is not ASCII, a control character in a value. The lines
    /// that continue such a line are not counted. Their names are logged. 0 under
    /// [`Strictness::Strict`](crate::Strictness::Strict), which refuses such a response.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nPHP Warning:  Unable to load\r\nContent-Length: 5\r\n\r\nhello");
    /// // A line of the head is "PHP Warning:  Unable to load".
    /// let response = hostpool::get(url).send()?;
    /// assert_eq!(response.dropped_lines(), 1);
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn dropped_lines(&self) -> usize {
        let of_trailers = self.reader.trailer_section().map_or(0, |trailers| trailers.dropped.lines);
        self.head.facts.dropped_lines as usize + of_trailers
    }

    fn read_all(&mut self) -> Result<Vec<u8>> {
        let expected = self.reader.remaining().unwrap_or(0);
        // Coded, a body may also be longer than it is.
        if expected > self.max_body && self.pump.is_none() {
            return Err(self.error(Error::new(ErrorKind::LimitExceeded(Limit::Body), Phase::Body)));
        }
        let first = match self.pump {
            None => expected.min(FIRST_ALLOCATION),
            // Text is a fourth or less of itself when it is coded; growing costs a copy each time.
            Some(_) => expected.saturating_mul(8).min(2 * FIRST_ALLOCATION),
        };
        let mut body = vec![0; first as usize];
        let mut len = 0;
        loop {
            if len == body.len() {
                if self.reader.is_done() && self.pump.is_none() {
                    break;
                }
                body.resize((body.len() * 2).clamp(8 * 1024, body.len() + 4 * 1024 * 1024), 0);
            }
            match self.read_some(&mut body[len..])? {
                0 => break,
                n => len += n,
            }
            if len as u64 > self.max_body {
                return Err(self.error(Error::new(ErrorKind::LimitExceeded(Limit::Body), Phase::Body)));
            }
        }
        body.truncate(len);
        Ok(body)
    }

    /// Reads into `buf`; a failure closes the connection.
    fn read_some(&mut self, buf: &mut [u8]) -> Result<usize> {
        if self.pump.is_some() {
            return self.read_decoded(buf);
        }
        // A peer that is faster than the caller never lets a wait end by its deadline.
        if self.connection.is_some() && self.deadline.is_past() {
            return Err(self.late());
        }
        self.advance(buf).map_err(|error| {
            let error = self.name_coding(error);
            self.error(error)
        })
    }

    #[cold]
    fn late(&mut self) -> Error {
        let late = ErrorKind::Timeout(self.deadline.bound());
        self.reader.fail(late.clone());
        self.error(Error::new(late, Phase::Body))
    }

    /// Reads into `buf`, and gives the connection back once the body is done: before the last byte of a known length is
    /// handed out, or before the 0 that ends any other.
    fn advance(&mut self, buf: &mut [u8]) -> Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let Some(Held { lease, buffers, .. }) = &mut self.connection else {
            return match self.reader.failure() {
                None => Ok(0),
                Some(kind) => Err(Error::new(kind.clone(), Phase::Body)),
            };
        };
        let connection = lease.conn();
        let mut io = Io {
            wire: &connection.wire,
            buffers,
            limits: &self.common.limits,
            until: self.deadline.into(),
            read: self.read,
            cell: &connection.cell,
        };
        let len = self.reader.read(&mut io, buf)?;
        if self.reader.is_done() {
            self.finish();
        }
        Ok(len)
    }

    /// The body has been read, by its framing: the connection goes back unless something speaks against it.
    fn finish(&mut self) {
        let Some(held) = self.connection.take() else { return };
        let Held { lease, buffers, mut reusable, mut tolerated, keep_until } = held;
        if let Some(trailers) = self.reader.trailer_section().filter(|trailers| trailers.doubtful) {
            (reusable, tolerated) = (false, tolerated || reusable);
            if trailers.dropped.lines > 0 {
                observe::lines_dropped(&self.url, trailers.dropped.lines, &trailers.dropped.names);
            }
        }
        match reusable.then(|| self.reader.leftover(&lease.conn().wire, &buffers)) {
            None if tolerated => lease.discard(CloseReason::Tolerated),
            None => lease.discard(CloseReason::NotReusable),
            // One that a handle has shut down must not serve again; and from here on none reaches it.
            Some(Probe::Quiet) if lease.conn().cell.next_use() => lease.give_back(keep_until),
            Some(Probe::Quiet) => lease.discard(CloseReason::BodyAbandoned),
            Some(Probe::Readable) => lease.discard(CloseReason::UnexpectedBytes),
            Some(Probe::Dead) => lease.discard(CloseReason::PeerClosed),
        }
        self.common.buffers.put(buffers);
    }

    /// The body will not be read: the connection is closed.
    fn abandon(&mut self, reason: CloseReason) {
        if let Some(held) = self.connection.take() {
            held.lease.discard(reason);
            self.common.buffers.put(held.buffers);
        }
    }

    fn error(&mut self, error: Error) -> Error {
        self.abandon(CloseReason::Failed);
        error.with_maybe_processed(true).with_history(self.history.clone()).with_origin(self.url.shared_origin())
    }

    /// Takes the rest of the body off the connection if it comes within `patience` and is not too much.
    fn drain(&mut self, patience: Duration) {
        let limit = self.common.limits.drain_bytes;
        let worth_it = self.connection.as_ref().is_some_and(|held| held.reusable && !held.is_inherited())
            && self.reader.failure().is_none()
            && self.reader.remaining().is_none_or(|remaining| remaining <= limit);
        if !worth_it {
            return;
        }
        let ends = self.deadline.or_within(Some(patience.max(AT_ONCE)), Bound::Total);
        self.deadline = self.deadline.or_within(Some(patience), Bound::Total);
        let mut scratch = [0; 4 * 1024];
        let start = self.reader.received();
        while self.connection.is_some() && self.reader.received() - start <= limit {
            // What is there is taken, also where nothing is waited for; but not for ever.
            if ends.is_past() {
                return;
            }
            if self.advance(&mut scratch).is_err() {
                return;
            }
        }
    }
}

impl Read for Response {
    /// Errors keep their kind inside the `io::Error`: see [`Error::from_io`]. After an error there is no end of file,
    /// but the error again.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_next(buf).map_err(Error::into_io)
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        self.drain(Duration::ZERO);
        self.abandon(CloseReason::BodyAbandoned);
        if let Some(pump) = self.pump.take() {
            self.common.pumps.put(pump);
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.head.status)
            .field("version", &self.head.version)
            .field("url", &self.url)
            .field("headers", &self.head.headers)
            .finish_non_exhaustive()
    }
}

//! Responses: the head has arrived, and the body is received as the caller reads it.

// The methods stand on the page of `Response` in the order of these groups.
mod head;

mod json;
mod text;
mod whole;

mod lines;
mod output;

mod history;
mod status;

mod cookies;
mod disposition;
mod links;
mod media;

mod connection;
mod shutdown;

mod upgraded;

mod compat;
mod decoded;
mod made;

mod charset;
mod fields;
mod kept;
mod parts;
mod source;

use std::cell::OnceCell;
use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use crate::cancel::CancelToken;
use crate::close_reason::CloseReason;
use crate::coding::Pump;
use crate::error::{Bound, Error, ErrorKind, Limit, Phase, Result};
use crate::exchange::{BodyReader, Ending, Io};
use crate::h1::Framing;
use crate::net::transport::Probe;
use crate::observe;
use crate::sync::thread_number;
use crate::time::Until;
use crate::values::Values;

pub use compat::ResponseBody;
pub use connection::ConnectionInfo;
pub use disposition::ContentDisposition;
pub use lines::Lines;
pub use links::Link;
pub use made::ResponseBuilder;
pub use media::MediaType;
pub use output::Chunks;
pub(crate) use parts::{About, Arrival, Held, Parts, Reading, Reuse, Standing};
pub use shutdown::ShutdownHandle;
#[cfg(feature = "websocket")]
pub(crate) use upgraded::Taken;
pub use upgraded::{Upgraded, UpgradedReader, UpgradedWriter};

use kept::Kept;

/// The most bytes that are allocated first for a body that is read as a whole, whatever length was announced. Memory
/// follows the bytes that arrive.
const FIRST_ALLOCATION: u64 = 64 * 1024;

/// The shortest time for taking bytes that have arrived already. A drain that waits for nothing needs a bound too,
/// because a peer that keeps sending would prolong it for ever.
const AT_ONCE: Duration = Duration::from_millis(100);

/// A response whose head has arrived. Its body is read with [`io::Read`], or as a whole.
///
/// When the body has been read to its end, the connection returns to its pool before the last read returns. Dropping a
/// response earlier returns the connection if the rest of the body has arrived and is small
/// ([`Limits::drain_bytes`](crate::Limits::drain_bytes)), and closes it otherwise. Dropping never waits.
///
/// Up to five content codings (gzip, deflate and, with their features, br and zstd) are decoded as the body is read,
/// whatever the request asked for, unless [`decode_content`](crate::RequestBuilder::decode_content) is off.
/// [`headers`](Self::headers) still shows the fields that the server sent.
///
/// - A body whose coded data is cut or not valid fails with [`ErrorKind::Decode`], and so does a list with a known and
///   an unknown coding.
/// - A body in an unknown coding is returned as it came, and so is a part of a coded body (206).
/// - Coded data that was flushed but not finished, or that lacks its trailer, is accepted with a warning in the log if
///   Content-Length or the last chunk shows that the server sent no more.
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
    inner: Box<Inner>,
}

/// The state of a response. It is boxed, because a response is moved several times on its way to the caller.
struct Inner {
    parts: Parts,
    remote: Option<SocketAddr>,
    reused: bool,
    reader: BodyReader,
    /// The body if it was loaded, or the reason why it cannot be read any more.
    kept: Option<Kept>,
    /// Decodes the body. `None` if the body is not coded, has ended, or has failed.
    pump: Option<Box<Pump>>,
    /// Values of the caller's own.
    extensions: Values,
}

// What reads the body takes the response by value or by `&mut`, so nobody sees a half-read one after a panic.
impl UnwindSafe for Inner {}
impl RefUnwindSafe for Inner {}

impl Response {
    /// Makes a response whose body is delimited by `framing`. Returns the connection to its pool at once if there is no
    /// body.
    // Inlined: each move of the parts costs 60 instructions.
    #[inline(always)]
    pub(crate) fn new(parts: Parts, arrival: Arrival, framing: Framing, ending: Ending) -> Response {
        // The memory is there before the state, which is then made in place: it has 580 bytes.
        let space = Box::new_uninit();
        let reading = parts.reading;
        let (remote, reused) = match &parts.held {
            Some(held) => (held.lease.conn().wire.remote(), held.lease.is_reused()),
            None => (None, false),
        };
        let inner = Inner {
            remote,
            reused,
            reader: BodyReader::new(framing, reading.strictness),
            kept: None,
            pump: None,
            extensions: Values::NONE,
            parts,
        };
        let mut response = Response { inner: Box::write(space, inner) };
        let reader = &mut response.inner.reader;
        if reading.early_end {
            reader.allow_early_end();
        }
        if reading.unclean_close {
            reader.allow_unclean_close();
        }
        reader.know_ending(ending);
        reader.limit_to(arrival.most);
        reader.demand(arrival.rate);
        if response.inner.reader.is_done() {
            response.finish();
        } else if response.inner.parts.reading.decode && response.inner.parts.head.facts.content_encoding {
            response.begin_decoding();
        }
        response
    }

    fn read_all(&mut self) -> Result<Vec<u8>> {
        if self.inner.pump.is_none()
            && let Some(body) = self.inner.reader.take_own()
        {
            return Ok(body);
        }
        let expected = self.inner.reader.remaining().unwrap_or(0);
        // The length of a coded body does not bound the decoded length in either direction.
        if expected > self.inner.parts.reading.max_body && self.inner.pump.is_none() {
            return Err(self.error(Error::new(ErrorKind::LimitExceeded(Limit::Body), Phase::Body)));
        }
        if let Some(body) = self.take_arrived()? {
            return Ok(body);
        }
        let first = match self.inner.pump {
            None => expected.min(FIRST_ALLOCATION),
            // Coded text has a fourth of its length or less, and each growth of the buffer costs a copy.
            Some(_) => expected.saturating_mul(8).min(2 * FIRST_ALLOCATION),
        };
        let mut body = vec![0; first as usize];
        let mut len = 0;
        loop {
            if len == body.len() {
                if self.inner.reader.is_done() && self.inner.pump.is_none() {
                    break;
                }
                body.resize((body.len() * 2).clamp(8 * 1024, body.len() + 4 * 1024 * 1024), 0);
            }
            match self.read_some(&mut body[len..])? {
                0 => break,
                n => len += n,
            }
            if len as u64 > self.inner.parts.reading.max_body {
                return Err(self.error(Error::new(ErrorKind::LimitExceeded(Limit::Body), Phase::Body)));
            }
        }
        body.truncate(len);
        Ok(body)
    }

    /// Takes the rest of a body that is not coded, if all of it has arrived. Most small bodies arrive with the head.
    fn take_arrived(&mut self) -> Result<Option<Vec<u8>>> {
        let (None, Some(held)) = (&self.inner.pump, &mut self.inner.parts.held) else { return Ok(None) };
        if self.inner.parts.deadline.is_past() {
            return Err(self.late());
        }
        let body = self.inner.reader.take_arrived(&mut held.buffers);
        if body.is_some() {
            self.finish();
        }
        Ok(body)
    }

    /// Reads into `buf`. A failure closes the connection.
    fn read_some(&mut self, buf: &mut [u8]) -> Result<usize> {
        self.touch();
        if self.inner.pump.is_some() {
            return self.read_decoded(buf);
        }
        // Check the deadline here too: if the peer is faster than the caller, no wait ever reaches it.
        if self.inner.parts.held.is_some() && self.inner.parts.deadline.is_past() {
            return Err(self.late());
        }
        self.advance(buf).map_err(|error| {
            let error = self.name_coding(error);
            self.error(error)
        })
    }

    /// Notes that the connection is held by the thread that reads from it now.
    #[inline]
    fn touch(&self) {
        if let Some(held) = &self.inner.parts.held {
            held.lease.conn().cell.touch(thread_number());
        }
    }

    /// Notes that the connection is on its way to another thread: until that thread reads, nobody is known to hold it.
    pub(crate) fn hand_over(&self) {
        if let Some(held) = &self.inner.parts.held {
            held.lease.conn().cell.set_holder(0);
        }
    }

    /// Replaces the token of the call, if it is this one: from now on the other one ends the reads of the body.
    pub(crate) fn exchange_token(&mut self, of_call: &CancelToken, other: Option<CancelToken>) {
        if self.inner.parts.token.as_ref().is_some_and(|token| token.is(of_call)) {
            self.inner.parts.token = other;
        }
    }

    #[cold]
    fn late(&mut self) -> Error {
        let until = self.inner.parts.until();
        let late = until.cancelled(Phase::Body).unwrap_or_else(|| until.timed_out(Phase::Body));
        self.inner.reader.fail(late.reason().clone());
        self.error(late)
    }

    /// Reads into `buf`, and returns the connection to its pool when the body ends: before the last byte of a known
    /// length is returned, or before the 0 that ends a body of another kind.
    fn advance(&mut self, buf: &mut [u8]) -> Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let until = Until::new(self.inner.parts.deadline, self.inner.parts.token.as_ref());
        let Some(Held { lease, buffers, .. }) = &mut self.inner.parts.held else {
            return if self.inner.reader.is_done() { Ok(0) } else { self.inner.reader.read_own(buf) };
        };
        let connection = lease.conn();
        let mut io = Io {
            wire: &connection.wire,
            buffers,
            limits: &self.inner.parts.common.limits,
            until,
            read: self.inner.parts.read,
            cell: &connection.cell,
            registered: OnceCell::new(),
        };
        let result = self.inner.reader.read(&mut io, buf);
        // The fire must not reach the next user of the connection.
        drop(io);
        let len = result?;
        if self.inner.reader.is_done() {
            self.finish();
        }
        Ok(len)
    }

    /// Ends a body that has been read to the end of its framing: returns the connection to its pool, or closes it if it
    /// cannot be used again.
    fn finish(&mut self) {
        let stays = |held: &mut Held| held.reuse.kept_back || held.reuse.upgraded;
        let Some(held) = self.inner.parts.held.take_if(|held| !stays(held)) else { return };
        let Held { lease, buffers, reuse: Reuse { mut reusable, mut tolerated, keep_until, .. } } = held;
        if let Some(trailers) = self.inner.reader.trailer_section().filter(|trailers| trailers.doubtful) {
            (reusable, tolerated) = (false, tolerated || reusable);
            if trailers.dropped.lines > 0 {
                observe::lines_dropped(&self.inner.parts.about.url, trailers.dropped.lines, &trailers.dropped.names);
            }
        }
        match reusable.then(|| self.inner.reader.leftover(&lease.conn().wire, &buffers)) {
            None if tolerated => lease.discard(CloseReason::Tolerated),
            None => lease.discard(CloseReason::NotReusable),
            Some(Probe::Quiet) => lease.give_back(keep_until),
            Some(Probe::Readable) => lease.discard(CloseReason::UnexpectedBytes),
            Some(Probe::Dead) => lease.discard(CloseReason::PeerClosed),
        }
        self.inner.parts.common.buffers.put(buffers);
    }

    /// Closes the connection of a body that will not be read.
    fn abandon(&mut self, reason: CloseReason) {
        if let Some(held) = self.inner.parts.held.take() {
            held.lease.discard(reason);
            self.inner.parts.common.buffers.put(held.buffers);
        }
    }

    /// Gives the connection and the decoder of an unread body back, without waiting.
    #[inline]
    fn let_go(&mut self) {
        if self.inner.parts.held.is_some() {
            self.let_connection_go();
        }
        if let Some(pump) = self.inner.pump.take() {
            self.inner.parts.common.pumps.put(pump);
        }
    }

    #[inline(never)]
    fn let_connection_go(&mut self) {
        self.end_keeping_back();
        // Nothing waits here, so no check runs: it may panic, and this may be a drop during a panic.
        let token = self.inner.parts.token.take();
        if token.is_none_or(|token| !token.has_fired()) {
            self.drain(Duration::ZERO);
        }
        self.abandon(CloseReason::BodyAbandoned);
    }

    fn error(&mut self, error: Error) -> Error {
        self.abandon(CloseReason::Failed);
        error
            .with_maybe_processed(true)
            .with_history(self.inner.parts.about.history().to_vec())
            .with_request(&self.inner.parts.about.method, &self.inner.parts.about.url)
    }

    /// Takes the rest of the body off the connection if it comes within `drain_time` and is not longer than
    /// [`Limits::drain_bytes`](crate::Limits::drain_bytes).
    fn drain(&mut self, drain_time: Duration) {
        let limit = self.inner.parts.common.limits.drain_bytes;
        let worth_it = self.inner.parts.held.as_ref().is_some_and(|held| held.reuse.reusable && !held.is_inherited())
            && self.inner.reader.failure().is_none()
            && self.inner.reader.remaining().is_none_or(|remaining| remaining <= limit);
        if !worth_it {
            return;
        }
        let ends = self.inner.parts.deadline.or_within(Some(drain_time.max(AT_ONCE)), Bound::Total);
        self.inner.parts.deadline = self.inner.parts.deadline.or_within(Some(drain_time), Bound::Total);
        self.touch();
        let mut scratch = [0; 4 * 1024];
        let start = self.inner.reader.received();
        let is_open = |inner: &Inner| inner.parts.held.is_some() && !inner.reader.is_done();
        while is_open(&self.inner) && self.inner.reader.received() - start <= limit {
            // Bytes that have arrived are taken even if the drain does not wait, but not for ever.
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
    /// Reads the body. An error keeps its kind inside the `io::Error`: see [`Error::from_io`]. After an error, later
    /// reads return the error again and never the end of the body.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_next(buf).map_err(Error::into_io)
    }
}

impl Drop for Response {
    #[inline]
    fn drop(&mut self) {
        self.let_go();
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.inner.parts.head.status)
            .field("version", &self.inner.parts.head.version)
            .field("url", &self.inner.parts.about.url)
            .field("headers", &self.inner.parts.head.headers)
            .finish_non_exhaustive()
    }
}

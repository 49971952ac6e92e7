//! One request and one response over one transport. It knows no pool.

mod body;
mod buffers;
mod run;
mod upload;
mod wire;

use buffers::FreeList;

pub(crate) use body::{BodyReader, Ending, Io, ONE_CHUNK};
pub(crate) use buffers::Buffers;
pub(crate) use run::{Exchange, Received, Rules, Trace, Upload};
pub(crate) use wire::Wire;

use std::io;
use std::time::Duration;

use crate::coding::Spares;
use crate::error::{Bound, Error, ErrorKind, Phase};
use crate::limits::Limits;
use crate::net::abort::AbortCell;
use crate::net::transport::{Transport, Wait};
use crate::time::{Timeout, Until};

/// How long a server's word is waited for where nothing is said. It answers at once if it knows what is asked of it; if
/// not, it waits for the body.
const EXPECT: Duration = Duration::from_secs(1);

/// How long neither direction may move after an early response where there is no bound on reading.
const STALL: Duration = Duration::from_secs(60);

/// What the exchanges of a client share.
#[derive(Debug, Default)]
pub(crate) struct Common {
    pub(crate) buffers: FreeList,
    pub(crate) pumps: Spares,
    pub(crate) limits: Limits,
}

impl Common {
    pub(crate) fn new(limits: Limits) -> Common {
        Common { limits, ..Common::default() }
    }
}

/// What bounds the waits of one exchange. Nothing of it is ever state of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds<'a> {
    /// Of the whole request; while a head is received, also of that.
    pub(crate) until: Until<'a>,
    pub(crate) timeout: &'a Timeout,
    pub(crate) cell: &'a AbortCell,
}

impl<'a> Bounds<'a> {
    /// From now on, until a body is read with bounds of its own, the bound on the head counts too.
    fn begin_head(&mut self) {
        self.until = self.until.or_within(self.timeout.head, Bound::Head);
    }

    /// A peer that is faster than we are never lets a wait end by its deadline; so that is looked at in between.
    fn check(&self, phase: Phase) -> Result<(), Error> {
        match self.until.is_past() {
            true => Err(Error::new(ErrorKind::Timeout(self.until.bound()), phase)),
            false => Ok(()),
        }
    }

    fn read_until(&self) -> Until<'a> {
        self.until.or_within(self.timeout.read, Bound::Read)
    }

    /// Until when a server's word on an `Expect: 100-continue` is waited for.
    fn expect(&self) -> Until<'a> {
        self.until.or_within(Some(self.timeout.expect.unwrap_or(EXPECT)), Bound::Head)
    }

    /// A write also ends when a response begins to arrive.
    fn write(&self) -> Wait<'a> {
        let until = self.until.or_within(self.timeout.write, Bound::Write);
        Wait { watch_input: true, ..Wait::new(until, self.cell) }
    }

    /// A write after an early response: the first byte that moves in either direction ends the wait.
    fn write_on(&self, watch_input: bool) -> Wait<'a> {
        let until = self.until.or_within(self.timeout.write, Bound::Write);
        let until = until.or_within(Some(self.timeout.read.unwrap_or(STALL)), Bound::Read);
        Wait { watch_input, poll_first: true, ..Wait::new(until, self.cell) }
    }
}

/// What a failed send or receive means.
fn io_error(error: io::Error, wire: &Wire, wait: &Wait<'_>, phase: Phase) -> Error {
    let kind = if wait.is_cancelled() {
        ErrorKind::Closed
    } else {
        match error.kind() {
            io::ErrorKind::TimedOut if wait.until.is_past() => ErrorKind::Timeout(wait.until.bound()),
            io::ErrorKind::InvalidData if wire.info().encrypted => ErrorKind::Tls,
            _ if is_end(&error) && phase < Phase::Body => ErrorKind::Disconnected,
            _ => ErrorKind::Io,
        }
    };
    Error::new(kind, phase).with_source(error)
}

/// The peer, or something on the way, has ended the connection.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}

/// Transports that could tell a cut from an end say so when the end may be a cut: TLS without close_notify (RFC 8446,
/// section 6.1).
fn is_unclean_close(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

//! Reading a response's body by its framing.

use std::io;
use std::time::Duration;

use super::buffers::{Buffers, READ_AHEAD};
use super::failure::{io_error, is_end, is_unclean_close};
use super::outcome::Ending;
use super::wire::Wire;
use crate::error::{Bound, Error, ErrorKind, Phase, Result};
use crate::h1::{Chunked, Framing, Limits, Trailers};
use crate::headers::Headers;
use crate::net::abort::AbortCell;
use crate::net::transport::{Probe, Transport, Wait};
use crate::strictness::Strictness;
use crate::time::Until;

/// What fits into a buffer no longer than this is data of one chunk; more may be put together from several.
pub(crate) const ONE_CHUNK: usize = READ_AHEAD - 1;

/// Where a body is read from, and how long that may take: the deadline of the request, and the bound on each wait.
pub(crate) struct Io<'a> {
    pub(crate) wire: &'a Wire,
    pub(crate) buffers: &'a mut Buffers,
    pub(crate) limits: &'a Limits,
    pub(crate) until: Until<'a>,
    pub(crate) read: Option<Duration>,
    pub(crate) cell: &'a AbortCell,
}

impl<'a> Io<'a> {
    fn wait(&self) -> Wait<'a> {
        Wait::new(self.until.or_within(self.read, Bound::Read), self.cell)
    }
}

/// Decides where a body ends. After an error it never answers an end.
#[derive(Debug)]
pub(crate) struct BodyReader {
    state: State,
    received: u64,
    /// What Content-Length announced, where the framing is by it; 0 where there can be no body.
    expected: Option<u64>,
    /// The last bytes went from the transport straight to the caller, so that nobody has seen what is behind them.
    direct: bool,
    /// Bytes were received behind the end.
    surplus: bool,
    /// The connection may end before the length that was announced, and did.
    may_end_early: bool,
    ended_early: bool,
    /// A TLS stream that its peer did not end may end a body that nothing else delimits.
    unclean_close: bool,
    ending: Ending,
    trailers: Option<Box<Trailers>>,
}

#[derive(Debug)]
enum State {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    Done,
    Failed(ErrorKind),
}

impl BodyReader {
    pub(crate) fn new(framing: Framing, strictness: Strictness) -> BodyReader {
        let (state, expected) = match framing {
            Framing::Empty | Framing::Length(0) => (State::Done, Some(0)),
            Framing::Length(length) => (State::Length(length), Some(length)),
            Framing::Chunked => (State::Chunked(Chunked::new(strictness)), None),
            Framing::UntilClose => (State::UntilClose, None),
            // An upgrade has no body; whoever asked for one takes the connection over.
            Framing::Upgrade => (State::Done, None),
        };
        BodyReader {
            state,
            received: 0,
            expected,
            direct: false,
            surplus: false,
            may_end_early: false,
            ended_early: false,
            unclean_close: false,
            ending: Ending::Unknown,
            trailers: None,
        }
    }

    /// Takes the end of the connection for that of the body, also before its Content-Length.
    pub(crate) fn allow_early_end(&mut self) {
        self.may_end_early = true;
    }

    /// Takes the end of a TLS stream without close_notify for that of a body that nothing else delimits.
    pub(crate) fn allow_unclean_close(&mut self) {
        self.unclean_close = true;
    }

    /// Says what is known of the end of the connection.
    pub(crate) fn know_ending(&mut self, ending: Ending) {
        self.ending = ending;
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(crate) fn failure(&self) -> Option<&ErrorKind> {
        match &self.state {
            State::Failed(kind) => Some(kind),
            _ => None,
        }
    }

    /// The caller could not wait any longer: from now on every read answers that.
    pub(crate) fn fail(&mut self, kind: ErrorKind) {
        self.state = State::Failed(kind);
    }

    /// What has not been handed out of the length that Content-Length announced, where the framing is by it; 0 where
    /// there can be no body.
    pub(crate) fn remaining(&self) -> Option<u64> {
        self.expected.map(|expected| expected - self.received)
    }

    /// Bytes of the body handed out so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Nothing is left of the chunk whose data was handed out last.
    pub(crate) fn is_between_chunks(&self) -> bool {
        matches!(&self.state, State::Chunked(chunked) if chunked.data_left() == 0)
    }

    /// The trailer fields of a chunked body, once it is done.
    pub(crate) fn trailers(&self) -> &Headers {
        static NONE: Headers = Headers::new();
        self.trailers.as_deref().map_or(&NONE, |trailers| &trailers.fields)
    }

    /// The fault of the trailers, once the body is done.
    pub(crate) fn trailer_section(&self) -> Option<&Trailers> {
        self.trailers.as_deref()
    }

    /// What speaks against another use of the connection: bytes that belong to no response, or its end. Asked when the
    /// body is done; what nobody has looked at yet is looked at.
    pub(crate) fn leftover(&self, wire: &Wire, buffers: &Buffers) -> Probe {
        if self.ended_early {
            return Probe::Dead;
        }
        if self.surplus || !buffers.is_empty() || wire.has_buffered() {
            return Probe::Readable;
        }
        match self.direct || buffers.was_full() {
            true => wire.probe(),
            false => Probe::Quiet,
        }
    }

    /// Reads into `buf`, which is not empty; 0 is the end of the body.
    pub(crate) fn read(&mut self, io: &mut Io<'_>, buf: &mut [u8]) -> Result<usize> {
        let result = match &mut self.state {
            State::Done => return Ok(0),
            State::Failed(kind) => return Err(Error::new(kind.clone(), Phase::Body)),
            State::Length(_) => self.read_length(io, buf),
            State::Chunked(_) => self.read_chunked(io, buf),
            State::UntilClose => self.read_until_close(io, buf),
        };
        match &result {
            Ok(len) => self.received += *len as u64,
            Err(error) => self.state = State::Failed(error.kind().clone()),
        }
        result
    }

    fn read_length(&mut self, io: &mut Io<'_>, buf: &mut [u8]) -> Result<usize> {
        let State::Length(left) = self.state else { return Ok(0) };
        let len = self.read_data(io, buf, left)?;
        self.state = match left - len as u64 {
            left if left > 0 && !self.ended_early => State::Length(left),
            _ => State::Done,
        };
        Ok(len)
    }

    fn read_chunked(&mut self, io: &mut Io<'_>, buf: &mut [u8]) -> Result<usize> {
        loop {
            if io.buffers.is_empty() && buf.len() > ONE_CHUNK {
                match self.read_chunks_in_place(io, buf)? {
                    0 if !self.is_done() => continue,
                    len => return Ok(len),
                }
            }
            let State::Chunked(chunked) = &mut self.state else { return Ok(0) };
            if chunked.data_left() > 0 {
                let left = chunked.data_left();
                let len = self.read_data(io, buf, left)?;
                if let State::Chunked(chunked) = &mut self.state {
                    chunked.consume(len as u64);
                }
                return Ok(len);
            }
            let taken = chunked
                .advance(io.buffers.filled(), io.limits)
                .map_err(|fault| Error::new(fault.into(), Phase::Body))?;
            io.buffers.consume(taken);
            if chunked.is_done() {
                self.end_chunks();
                return Ok(0);
            }
            if io.buffers.is_empty() && chunked.data_left() == 0 {
                self.fill(io)?;
            }
        }
    }

    /// Receives chunks as they come into a large buffer, and moves their data together there: one call for many chunks.
    /// 0 is also the answer where all that came was framing.
    fn read_chunks_in_place(&mut self, io: &mut Io<'_>, buf: &mut [u8]) -> Result<usize> {
        let received = self.receive(io, buf)?;
        self.direct = received == buf.len();
        let State::Chunked(chunked) = &mut self.state else { return Ok(0) };
        let (mut seen, mut data) = (0, 0);
        while seen < received && !chunked.is_done() {
            let left = usize::try_from(chunked.data_left()).unwrap_or(usize::MAX).min(received - seen);
            buf.copy_within(seen..seen + left, data);
            chunked.consume(left as u64);
            (seen, data) = (seen + left, data + left);
            match chunked.advance(&buf[seen..received], io.limits) {
                Ok(taken) => seen += taken,
                // What came before is handed out first, however it was split.
                Err(fault) if data > 0 => {
                    self.state = State::Failed(fault.into());
                    return Ok(data);
                }
                Err(fault) => return Err(Error::new(fault.into(), Phase::Body)),
            }
        }
        if chunked.is_done() {
            self.surplus = seen < received;
            self.end_chunks();
        }
        Ok(data)
    }

    fn end_chunks(&mut self) {
        if let State::Chunked(chunked) = &mut self.state {
            self.trailers = chunked.take_trailers().map(Box::new);
            self.state = State::Done;
        }
    }

    /// Receives into `buf`, past the read-ahead, which is empty.
    fn receive(&mut self, io: &Io<'_>, buf: &mut [u8]) -> Result<usize> {
        let wait = io.wait();
        match io.wire.recv(buf, &wait) {
            Ok(0) => self.ended(io, &wait),
            Ok(len) => Ok(len),
            Err(error) => Err(self.broken(error, io, &wait)),
        }
    }

    fn read_until_close(&mut self, io: &mut Io<'_>, buf: &mut [u8]) -> Result<usize> {
        if !io.buffers.is_empty() {
            return Ok(io.buffers.copy_to(buf));
        }
        if self.ending == Ending::Seen {
            self.state = State::Done;
            return Ok(0);
        }
        let wait = io.wait();
        match io.wire.recv(buf, &wait) {
            Ok(0) if wait.is_cancelled() => Err(self.broken(io::ErrorKind::ConnectionAborted.into(), io, &wait)),
            // The end of a TLS stream is not the connection's: nobody on the way can make it up.
            Ok(0) if self.ending == Ending::Cut && !io.wire.info().encrypted => {
                Err(self.broken(io::ErrorKind::ConnectionReset.into(), io, &wait))
            }
            Ok(0) => {
                self.state = State::Done;
                Ok(0)
            }
            Ok(len) => Ok(len),
            Err(error) if self.accepts_as_end(&error) && !wait.is_cancelled() => {
                self.state = State::Done;
                Ok(0)
            }
            Err(error) => Err(self.broken(error, io, &wait)),
        }
    }

    fn accepts_as_end(&self, error: &io::Error) -> bool {
        self.unclean_close && self.ending != Ending::Cut && is_unclean_close(error)
    }

    /// At least one of the next `left` bytes.
    ///
    /// Large reads go from the transport straight into `buf`. The last piece of a body goes through the read-ahead,
    /// which shows whether more was sent than was announced.
    fn read_data(&mut self, io: &mut Io<'_>, buf: &mut [u8], left: u64) -> Result<usize> {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        if io.buffers.is_empty() {
            if most < READ_AHEAD {
                self.fill(io)?;
            } else {
                self.direct = true;
                return self.receive(io, &mut buf[..most]);
            }
        }
        self.direct = false;
        Ok(io.buffers.copy_to(&mut buf[..most]))
    }

    fn fill(&mut self, io: &mut Io<'_>) -> Result<()> {
        let wait = io.wait();
        match io.buffers.fill(io.wire, &wait) {
            Ok(0) => self.ended(io, &wait).map(drop),
            Ok(_) => Ok(()),
            Err(error) => Err(self.broken(error, io, &wait)),
        }
    }

    /// The peer ended the connection, in good order, inside the body.
    fn ended(&mut self, io: &Io<'_>, wait: &Wait<'_>) -> Result<usize> {
        if self.may_end_early && matches!(self.state, State::Length(_)) && !wait.is_cancelled() {
            self.ended_early = true;
            return Ok(0);
        }
        Err(self.broken(io::ErrorKind::UnexpectedEof.into(), io, wait))
    }

    /// The connection ended or failed inside the body.
    fn broken(&self, error: io::Error, io: &Io<'_>, wait: &Wait<'_>) -> Error {
        if is_end(&error) && !wait.is_cancelled() {
            let kind = ErrorKind::IncompleteBody { received: self.received, expected: self.expected };
            return Error::new(kind, Phase::Body).with_source(error);
        }
        io_error(error, io.wire, wait, Phase::Body)
    }
}

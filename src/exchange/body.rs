//! Reading a response's body by its framing.

use std::cell::OnceCell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::buffers::{Buffers, READ_AHEAD};
use super::failure::{io_error, is_end, is_unclean_close};
use super::outcome::Ending;
use super::pattern::{Layout, NOTHING_ASIDE, Pattern};
use super::wire::Wire;
use crate::body::Input;
use crate::cancel::CancelToken;
use crate::error::{Bound, Error, ErrorKind, Limit, Phase, Reason, Result};
use crate::h1::{Chunked, Fault, Framing, Limits, Trailers};
use crate::headers::Headers;
use crate::net::abort::{AbortCell, Cancellable};
use crate::net::transport::{Probe, Transport, Wait};
use crate::strictness::Strictness;
use crate::time::{Meter, Rate, Until};

/// The longest buffer that one read fills from one chunk only. A read into a longer buffer may join several chunks.
pub(crate) const ONE_CHUNK: usize = READ_AHEAD - 1;

/// The error of a body that is longer than the caller allows.
const TOO_LONG: Reason = Reason::new(ErrorKind::LimitExceeded(Limit::WireBody));

/// The source of a body, and the bounds on reading: the deadline of the request, and the timeout of each wait.
pub(crate) struct Io<'a> {
    pub(crate) wire: &'a Wire,
    pub(crate) buffers: &'a mut Buffers,
    pub(crate) limits: &'a Limits,
    pub(crate) until: Until<'a>,
    pub(crate) read: Option<Duration>,
    pub(crate) cell: &'a Arc<AbortCell>,
    /// Lets the token end the waits. Set before the first one: most small bodies are there already.
    pub(crate) registered: OnceCell<Cancellable<'a>>,
}

impl<'a> Io<'a> {
    /// Lets the token end the waits from now on. Fails if it has fired.
    #[inline(never)]
    fn register(&self, token: &'a CancelToken) -> Result<()> {
        self.registered.get_or_init(|| self.cell.cancellable_by(token));
        if token.is_over() { Err(token.error(Phase::Body)) } else { Ok(()) }
    }

    /// Begins a wait for bytes. Fails if the body is too slow.
    fn wait(&self, meter: &mut Option<Box<Meter>>) -> Result<Wait<'a>> {
        if let Some(token) = self.until.token() {
            self.register(token)?;
        }
        let mut until = self.until.or_within(self.read, Bound::Read);
        if let Some(meter) = meter {
            let slow = || Error::new(ErrorKind::Timeout(Bound::Rate), Phase::Body);
            until = meter.begin(Instant::now(), until).ok_or_else(slow)?;
        }
        Ok(Wait::of(until, self.cell))
    }
}

/// Reads a body and decides where it ends. After an error it never reports an end.
#[derive(Debug)]
pub(crate) struct BodyReader {
    state: State,
    /// The source of a body that comes from the caller.
    own: Option<Box<Input>>,
    received: u64,
    /// The most bytes that are received.
    most: u64,
    /// The Content-Length, if it frames the body; 0 for a response that cannot have a body.
    expected: Option<u64>,
    /// The last bytes went from the transport straight into the caller's buffer. Bytes after them may wait in the
    /// transport unseen.
    direct: bool,
    /// Bytes were received after the end of the body.
    surplus: bool,
    /// The connection may end before the announced length.
    may_end_early: bool,
    /// The connection ended before the announced length, and that was allowed.
    ended_early: bool,
    /// The end of a TLS stream without close_notify ends a body that nothing else delimits.
    unclean_close: bool,
    ending: Ending,
    trailers: Option<Box<Trailers>>,
    pattern: Pattern,
    /// Measures the speed, if a lowest one is set.
    meter: Option<Box<Meter>>,
}

#[derive(Debug)]
enum State {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    Done,
    Failed(Box<Reason>),
    /// The bytes come from the caller, not from a connection.
    Own,
}

/// Returns the error of a read of a response for that of the caller's reader. An error of this crate inside it is taken
/// out, because the reader may read another response.
fn of_own(error: Error, received: u64) -> Error {
    let reason = match *error.kind() {
        ErrorKind::BodyLength { declared, read } if read < declared => {
            ErrorKind::IncompleteBody { received, expected: Some(declared) }.into()
        }
        ErrorKind::BodyRead => {
            let inner = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
            inner.and_then(Error::from_io).map_or(ErrorKind::Io.into(), |inner| inner.reason().clone())
        }
        _ => return error.with_phase(Phase::Body),
    };
    error.with_kind(reason).with_phase(Phase::Body)
}

impl BodyReader {
    /// Returns whether only the end of the connection delimits the body, and nothing has failed so far.
    pub(crate) fn is_until_close(&self) -> bool {
        matches!(self.state, State::UntilClose)
    }

    pub(crate) fn new(framing: Framing, strictness: Strictness) -> BodyReader {
        let (state, expected) = match framing {
            Framing::Empty | Framing::Length(0) => (State::Done, Some(0)),
            Framing::Length(length) => (State::Length(length), Some(length)),
            Framing::Chunked => (State::Chunked(Chunked::new(strictness)), None),
            Framing::UntilClose => (State::UntilClose, None),
            // An upgrade has no body: the caller takes the connection over.
            Framing::Upgrade => (State::Done, None),
        };
        BodyReader {
            state,
            own: None,
            received: 0,
            most: u64::MAX,
            expected,
            direct: false,
            surplus: false,
            may_end_early: false,
            ended_early: false,
            unclean_close: false,
            ending: Ending::Unknown,
            trailers: None,
            pattern: Pattern::default(),
            meter: None,
        }
    }

    /// Makes the reader of a body that comes from the caller. The length is that of the input, whatever a
    /// Content-Length says.
    pub(crate) fn own(input: Input) -> BodyReader {
        let nothing = BodyReader::new(Framing::Empty, Strictness::default());
        match input.length() {
            Some(0) => nothing,
            length => BodyReader { state: State::Own, expected: length, own: Some(Box::new(input)), ..nothing },
        }
    }

    /// Accepts the end of the connection as the end of the body, also before its Content-Length.
    pub(crate) fn allow_early_end(&mut self) {
        self.may_end_early = true;
    }

    /// Accepts the end of a TLS stream without close_notify as the end of a body that nothing else delimits.
    pub(crate) fn allow_unclean_close(&mut self) {
        self.unclean_close = true;
    }

    /// Limits the bytes that are received. A body that announces more fails at the first read.
    pub(crate) fn limit_to(&mut self, most: u64) {
        self.most = most;
        if self.expected.is_some_and(|expected| expected > most) {
            self.state = State::Failed(Box::new(TOO_LONG));
        }
    }

    /// Sets the lowest speed.
    pub(crate) fn demand(&mut self, rate: Option<Rate>) {
        self.meter = Meter::new(rate).map(Box::new);
    }

    /// Ends a wait for bytes.
    fn waited(&mut self, received: &io::Result<usize>) {
        if let Some(meter) = &mut self.meter {
            meter.end(Instant::now(), *received.as_ref().unwrap_or(&0) as u64);
        }
    }

    /// Sets how the connection ended, if sending has seen that.
    pub(crate) fn know_ending(&mut self, ending: Ending) {
        self.ending = ending;
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(crate) fn failure(&self) -> Option<&Reason> {
        match &self.state {
            State::Failed(reason) => Some(reason),
            _ => None,
        }
    }

    /// Returns whether the body comes from the caller and has not been read to its end.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.state, State::Own)
    }

    /// Lets every read from now on fail with `kind`: the caller could not wait any longer.
    pub(crate) fn fail(&mut self, reason: impl Into<Reason>) {
        self.state = State::Failed(Box::new(reason.into()));
        self.own = None;
    }

    /// Takes the rest of a body that comes from the caller and lies in memory.
    pub(crate) fn take_own(&mut self) -> Option<Vec<u8>> {
        let bytes = self.own.as_mut()?.take_memory()?;
        self.received += bytes.len() as u64;
        self.end_own(State::Done);
        Some(bytes)
    }

    /// Reads bytes that come from the caller into `buf`, which is not empty. Returns 0 at the end of the body, and for
    /// any other body that has not failed.
    #[cold]
    pub(crate) fn read_own(&mut self, buf: &mut [u8]) -> Result<usize> {
        let (State::Own, Some(input)) = (&self.state, &mut self.own) else {
            return match &self.state {
                State::Failed(reason) => Err(Error::new(Reason::clone(reason), Phase::Body)),
                _ => Ok(0),
            };
        };
        let result = input.pull(buf).map_err(|error| of_own(error, self.received));
        match &result {
            Ok(0) => self.end_own(State::Done),
            Ok(len) => self.received += *len as u64,
            Err(error) => self.end_own(State::Failed(Box::new(error.reason().clone()))),
        }
        result
    }

    /// Ends the reading of a body that comes from the caller, and drops the caller's reader.
    fn end_own(&mut self, state: State) {
        (self.state, self.own) = (state, None);
    }

    /// Takes the rest of a body with a Content-Length, if all of it has arrived.
    pub(crate) fn take_arrived(&mut self, buffers: &mut Buffers) -> Option<Vec<u8>> {
        let State::Length(left) = self.state else { return None };
        let body = buffers.filled().get(..usize::try_from(left).ok()?)?.to_vec();
        buffers.consume(body.len());
        self.received += left;
        self.direct = false;
        self.state = State::Done;
        Some(body)
    }

    /// Returns how much of the Content-Length is still to be read, if it frames the body; 0 for a response that cannot
    /// have a body.
    pub(crate) fn remaining(&self) -> Option<u64> {
        self.expected.map(|expected| expected - self.received)
    }

    /// Returns the number of bytes of the body that were read so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Returns whether the last read ended with the end of a chunk.
    pub(crate) fn is_between_chunks(&self) -> bool {
        matches!(&self.state, State::Chunked(chunked) if chunked.data_left() == 0)
    }

    /// Returns the trailer fields of a chunked body, after its end.
    pub(crate) fn trailers(&self) -> &Headers {
        static NONE: Headers = Headers::new();
        self.trailers.as_deref().map_or(&NONE, |trailers| &trailers.fields)
    }

    /// Returns the trailer section, after the end of the body.
    pub(crate) fn trailer_section(&self) -> Option<&Trailers> {
        self.trailers.as_deref()
    }

    /// Returns what forbids another use of the connection: surplus bytes, or its end. It is called at the end of the
    /// body, and looks at the transport if bytes may wait there unseen.
    #[inline(always)]
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

    /// Reads into `buf`, which is not empty. Returns 0 at the end of the body.
    pub(crate) fn read(&mut self, io: &mut Io<'_>, buf: &mut [u8]) -> Result<usize> {
        let room = self.most.saturating_sub(self.received);
        match buf.len() as u64 > room {
            true => self.read_up_to(io, buf, room),
            false => self.read_some(io, buf),
        }
    }

    /// Reads into `buf`, for which the limit leaves only this room. Without room only the end of the body is no error.
    #[cold]
    fn read_up_to(&mut self, io: &mut Io<'_>, buf: &mut [u8], room: u64) -> Result<usize> {
        if let Some(buf) = buf.get_mut(..room as usize).filter(|buf| !buf.is_empty()) {
            return self.read_some(io, buf);
        }
        match self.read_some(io, &mut [0])? {
            0 => Ok(0),
            _ => {
                self.state = State::Failed(Box::new(TOO_LONG));
                Err(Error::new(TOO_LONG, Phase::Body))
            }
        }
    }

    fn read_some(&mut self, io: &mut Io<'_>, buf: &mut [u8]) -> Result<usize> {
        let result = match &mut self.state {
            State::Done => return Ok(0),
            State::Failed(_) | State::Own => return self.read_own(buf),
            State::Length(_) => self.read_length(io, buf),
            State::Chunked(_) => self.read_chunked(io, buf),
            State::UntilClose => self.read_until_close(io, buf),
        };
        let result = result.map_err(|error| match &self.meter {
            Some(meter) => meter.explain(error),
            None => error,
        });
        match &result {
            Ok(len) => self.received += *len as u64,
            Err(error) => self.state = State::Failed(Box::new(error.reason().clone())),
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
                .map_err(|fault| Error::new(ErrorKind::from(fault), Phase::Body))?;
            self.pattern.note(taken, chunked.data_left());
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

    /// Receives chunks with their framing into a large buffer, and joins their data there: one call takes many chunks.
    /// Returns 0 also if only framing arrived.
    fn read_chunks_in_place(&mut self, io: &mut Io<'_>, buf: &mut [u8]) -> Result<usize> {
        let State::Chunked(chunked) = &self.state else { return Ok(0) };
        let layout = match io.wire.scatters() {
            true => self.pattern.layout(chunked.data_left(), buf.len()),
            false => None,
        };
        let Some(layout) = layout else {
            let received = self.receive(io, buf)?;
            self.direct = received == buf.len();
            return self.join_chunks(io.limits, buf, 0, 0, received);
        };
        self.read_by_layout(io, buf, &layout)
    }

    /// Receives chunks with their framing aside, as far as they are of the expected sizes.
    fn read_by_layout(&mut self, io: &Io<'_>, buf: &mut [u8], layout: &Layout) -> Result<usize> {
        let mut aside = NOTHING_ASIDE;
        let wait = io.wait(&mut self.meter)?;
        let received = layout.receive(io.wire, buf, &mut aside, &wait);
        self.waited(&received);
        let received = self.arrived(received, io, &wait)?;
        self.direct = received == buf.len();
        let (mut data, mut left) = (0, received);
        for chunk in 0..layout.chunks() {
            let State::Chunked(chunked) = &mut self.state else { break };
            let arrived = layout.data(chunk).min(left);
            chunked.consume(arrived as u64);
            (data, left) = (data + arrived, left - arrived);
            if left == 0 {
                break;
            }
            let framing = &aside[chunk][..layout.framing(chunk).min(left)];
            let taken = match chunked.advance(framing, io.limits) {
                Ok(taken) => taken,
                Err(fault) => return self.broken_off(data, fault),
            };
            self.pattern.note(taken, chunked.data_left());
            left -= taken;
            if !layout.fits(taken, chunk, chunked.data_left()) {
                layout.line_up(chunk, taken, data + left, buf, &aside);
                break;
            }
        }
        self.join_chunks(io.limits, buf, data, data, data + left)
    }

    /// Takes chunks with their framing out of `buf`, from `seen` to `end`, and moves their data to the `data` bytes of
    /// it at the front.
    fn join_chunks(
        &mut self,
        limits: &Limits,
        buf: &mut [u8],
        mut seen: usize,
        mut data: usize,
        end: usize,
    ) -> Result<usize> {
        let State::Chunked(chunked) = &mut self.state else { return Ok(data) };
        while seen < end && !chunked.is_done() {
            let left = usize::try_from(chunked.data_left()).unwrap_or(usize::MAX).min(end - seen);
            if seen > data {
                buf.copy_within(seen..seen + left, data);
            }
            chunked.consume(left as u64);
            (seen, data) = (seen + left, data + left);
            match chunked.advance(&buf[seen..end], limits) {
                Ok(taken) => {
                    self.pattern.note(taken, chunked.data_left());
                    seen += taken;
                }
                Err(fault) => return self.broken_off(data, fault),
            }
        }
        if chunked.is_done() {
            self.surplus = seen < end;
            self.end_chunks();
        }
        Ok(data)
    }

    /// Returns the data before a fault first, so that the result does not depend on how the bytes were split.
    fn broken_off(&mut self, data: usize, fault: Fault) -> Result<usize> {
        if data == 0 {
            return Err(Error::new(ErrorKind::from(fault), Phase::Body));
        }
        self.state = State::Failed(Box::new(ErrorKind::from(fault).into()));
        Ok(data)
    }

    fn end_chunks(&mut self) {
        if let State::Chunked(chunked) = &mut self.state {
            self.trailers = chunked.take_trailers().map(Box::new);
            self.state = State::Done;
        }
    }

    /// Receives straight into `buf`. The read-ahead is empty.
    fn receive(&mut self, io: &Io<'_>, buf: &mut [u8]) -> Result<usize> {
        let wait = io.wait(&mut self.meter)?;
        let received = io.wire.recv(buf, &wait);
        self.waited(&received);
        self.arrived(received, io, &wait)
    }

    fn arrived(&mut self, received: io::Result<usize>, io: &Io<'_>, wait: &Wait<'_>) -> Result<usize> {
        match received {
            Ok(0) => self.ended(io, wait),
            Ok(len) => Ok(len),
            Err(error) => Err(self.broken(error, io, wait)),
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
        let wait = io.wait(&mut self.meter)?;
        let received = io.wire.recv(buf, &wait);
        self.waited(&received);
        match received {
            Ok(0) if wait.is_cancelled() => Err(self.broken(io::ErrorKind::ConnectionAborted.into(), io, &wait)),
            // The end of a TLS stream is authentic: close_notify cannot be forged, and a reset does not look like it.
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

    /// Reads at least one of the next `left` bytes of data.
    ///
    /// Large reads go from the transport straight into `buf`. The last piece of a body goes through the read-ahead,
    /// which shows whether the peer sent more than it announced.
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
        let wait = io.wait(&mut self.meter)?;
        let received = io.buffers.fill(io.wire, &wait);
        self.waited(&received);
        match received {
            Ok(0) => self.ended(io, &wait).map(drop),
            Ok(_) => Ok(()),
            Err(error) => Err(self.broken(error, io, &wait)),
        }
    }

    /// Decides about an orderly end of the connection inside the body.
    fn ended(&mut self, io: &Io<'_>, wait: &Wait<'_>) -> Result<usize> {
        if self.may_end_early && matches!(self.state, State::Length(_)) && !wait.is_cancelled() {
            self.ended_early = true;
            return Ok(0);
        }
        Err(self.broken(io::ErrorKind::UnexpectedEof.into(), io, wait))
    }

    /// Returns the error for a connection that ended or failed inside the body.
    fn broken(&self, error: io::Error, io: &Io<'_>, wait: &Wait<'_>) -> Error {
        if is_end(&error) && !wait.is_cancelled() {
            let kind = ErrorKind::IncompleteBody { received: self.received, expected: self.expected };
            return Error::new(kind, Phase::Body).with_source(error);
        }
        io_error(error, io.wire, wait, Phase::Body)
    }
}

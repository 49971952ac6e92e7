//! Sending a request and receiving the head of its response.

use std::io::{self, IoSlice};

use http::{Method, StatusCode};

use super::body::Ending;
use super::buffers::Buffers;
use super::upload::Early;
use super::wire::Wire;
use super::{Bounds, io_error, is_end};
use crate::body::{Outgoing, PIECE};
use crate::error::{Error, ErrorKind, Limit, Phase, Violation};
use crate::h1::{self, Decision, Dropped, Fault, Framing, Head, Limits, Scanner};
use crate::net::transport::{Probe, Transport, Wait};
use crate::strictness::Strictness;
use crate::time::Until;

/// How much of a body may leave between two looks for an early answer. A peer that has answered and reads no more is
/// noticed at once: there is no room then.
pub(super) const LOOK: usize = 8 * PIECE;

/// One request and its response's head.
pub(crate) struct Exchange<'a> {
    pub(super) wire: &'a Wire,
    pub(super) buffers: &'a mut Buffers,
    pub(super) limits: &'a Limits,
    pub(super) strictness: Strictness,
    pub(super) bounds: Bounds<'a>,
    /// The connection has carried a request before.
    reused: bool,
    /// Nothing of the next head has come: a blank line before it is passed over.
    between: bool,
    /// An interim response leaves in doubt where the next response begins.
    doubtful: bool,
    /// Lines of interim responses that were left out.
    dropped: Option<Box<Dropped>>,
    /// Where in the head that is arriving the search for its end stands.
    scanner: Scanner,
    /// Bytes of the last head.
    head_bytes: usize,
    /// Interim responses so far, and their bytes.
    interim: (usize, usize),
    /// Bytes of the head that the transport took.
    head_sent: usize,
    pub(super) trace: Trace,
    /// Set once the final head has come while the request was leaving.
    pub(super) early: Option<Early>,
    /// The head of a response that an error is about.
    pub(super) answer: Option<Box<Head>>,
}

/// The caller's rules for one exchange.
pub(crate) struct Rules<'r> {
    /// There is a body, and the head asks for a 100 before it.
    pub(crate) expects: bool,
    /// Whether a response with this head is a redirect that is followed with the body.
    pub(crate) resends: &'r dyn Fn(&Head) -> bool,
    /// The end of a TLS stream without close_notify ends a body that nothing else delimits.
    pub(crate) unclean_close: bool,
}

/// The fate of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    /// It was sent, or the request has no body.
    Whole,
    /// The response stopped it, or kept it from leaving.
    Stopped,
    /// The peer closed the connection while it was leaving.
    Closed,
}

/// How far an exchange came, whatever became of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trace {
    /// Bytes of the request that the transport took.
    pub(crate) accepted: usize,
    /// Bytes of the response that arrived.
    pub(crate) received: usize,
    /// The head says that a body follows once the server asks for it, and none of that has left.
    pub(crate) withheld: bool,
    /// The bytes that arrived on a reused connection begin no response: they are the rest of an earlier one.
    pub(crate) stale: bool,
}

/// A response's head, and what it says about its body and the connection.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) head: Head,
    pub(crate) framing: Framing,
    /// The connection may carry another request once the body has been read.
    pub(crate) reusable: bool,
    /// It could, had no head broken a rule that is tolerated.
    pub(crate) tolerated: bool,
    /// This is all that came in answer to the whole request, or to one whose body was withheld.
    pub(crate) plain: bool,
    pub(crate) upload: Upload,
    pub(crate) ending: Ending,
}

impl<'a> Exchange<'a> {
    /// `buffers.out` holds the encoded head. A connection that is `reused` has carried a request before.
    pub(crate) fn new(
        wire: &'a Wire,
        buffers: &'a mut Buffers,
        limits: &'a Limits,
        strictness: Strictness,
        bounds: Bounds<'a>,
        reused: bool,
    ) -> Self {
        Exchange {
            wire,
            buffers,
            limits,
            strictness,
            bounds,
            reused,
            between: true,
            doubtful: false,
            dropped: None,
            scanner: Scanner::new(),
            head_bytes: 0,
            interim: (0, 0),
            head_sent: 0,
            trace: Trace::default(),
            early: None,
            answer: None,
        }
    }

    pub(crate) fn trace(&self) -> Trace {
        self.trace
    }

    /// The head of the response that an error of `run` is about, if one had arrived.
    pub(crate) fn take_answer(&mut self) -> Option<Box<Head>> {
        self.answer.take()
    }

    /// Sends the request and receives the head of its response; where that comes early, also what of its body comes
    /// while the request leaves.
    pub(crate) fn run(
        &mut self,
        method: &Method,
        mut body: Outgoing<'_>,
        rules: &Rules<'_>,
    ) -> Result<Received, Error> {
        match self.send_request(&mut body, rules.expects) {
            Ok(None) => {
                self.bounds.begin_head();
                let head = self.receive_final()?;
                self.judge(method, head, true)
            }
            // In place of a 100 it keeps the body here, whatever it says.
            Ok(Some(early)) if self.trace.withheld => self.judge(method, early, false),
            Ok(Some(early)) => {
                let early = self.judge(method, early, false)?;
                self.send_on(early, &mut body, rules)
            }
            // The peer may have refused the request and closed; its answer is worth more than our broken pipe.
            Err(error) if self.trace.accepted > 0 && *error.kind() == ErrorKind::Disconnected => {
                self.bounds.begin_head();
                match self.receive_final().and_then(|head| self.judge(method, head, false)) {
                    Ok(received) => self.answered_and_closed(received, error, rules),
                    // A peer that is no server has said so.
                    Err(answer) => Err(if answer.kind().is_of_the_peer() { answer } else { error }),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Sends head and body; or answers the final head that arrived first, and the rest is not sent then.
    fn send_request(&mut self, body: &mut Outgoing<'_>, expects: bool) -> Result<Option<Head>, Error> {
        if expects {
            self.trace.withheld = true;
            if let Some(head) = self.send(&mut Outgoing::Bytes(&[]))? {
                return Ok(Some(head));
            }
            if let Some(head) = self.await_continue()? {
                return Ok(Some(head));
            }
            self.trace.withheld = false;
        }
        self.send(body)
    }

    /// Sends what is left of the head, and this body after it; or answers the final head that came first.
    pub(super) fn send(&mut self, body: &mut Outgoing<'_>) -> Result<Option<Head>, Error> {
        // Bytes since the last look. A first one is not due before something has left, unless there is something to see:
        // what came with a 100 is here already, and no wait on the transport notices it.
        let mut unseen = 0;
        let mut look = !self.buffers.is_empty();
        loop {
            // A peer that refuses a request says so before its end.
            if look && let Some(head) = self.look()? {
                return Ok(Some(head));
            }
            if !self.flush()? {
                self.bounds.check(Phase::Send)?;
                look = true;
                continue;
            }
            let sent = self.send_piece(body)?;
            unseen = if look { sent } else { unseen + sent };
            // Less than a piece: there was no room for more, or a reader takes its time.
            look = sent < PIECE || unseen >= LOOK;
            if self.head_sent == self.buffers.out.len() && body.is_done() && self.flush()? {
                return Ok(None);
            }
        }
    }

    /// Whether all that was accepted is out. Each call is a write of its own.
    fn flush(&self) -> Result<bool, Error> {
        if matches!(self.wire, Wire::Stream(_)) {
            return Ok(true);
        }
        let wait = self.write();
        self.wire.flush(&wait).map_err(|error| io_error(error, self.wire, &wait, Phase::Send))
    }

    /// Sends of what is left of the head, and of a piece of the body.
    fn send_piece(&mut self, body: &mut Outgoing<'_>) -> Result<usize, Error> {
        // A reader may take its time: the bound on the write is counted from then on, and that on the whole may be
        // past.
        let piece = body.piece()?;
        self.bounds.check(Phase::Send)?;
        let head = &self.buffers.out[self.head_sent..];
        let both = [IoSlice::new(head), IoSlice::new(piece)];
        let bufs = match (head.is_empty(), piece.is_empty()) {
            (true, true) => return Ok(0),
            (true, false) => &both[1..],
            (false, true) => &both[..1],
            (false, false) => &both[..],
        };
        let wait = self.write();
        let sent = self.wire.send(bufs, &wait).map_err(|error| io_error(error, self.wire, &wait, Phase::Send))?;
        let of_head = sent.min(head.len());
        self.head_sent += of_head;
        body.advance(sent - of_head);
        self.trace.accepted += sent;
        Ok(sent)
    }

    /// How long a write may take, and what ends it.
    fn write(&self) -> Wait<'a> {
        match &self.early {
            None => self.bounds.write(),
            Some(early) => self.bounds.write_on(early.takes_in()),
        }
    }

    /// Looks for the final head, and once that is known takes in what follows it.
    fn look(&mut self) -> Result<Option<Head>, Error> {
        match self.early {
            None => self.early(),
            Some(_) => self.take_in().map(|()| None),
        }
    }

    /// The final head, if it has arrived. Interim ones are passed over, and the request goes on: 100 and 103 are no
    /// answers (RFC 9110, section 15.2). Does not block: a head of which a part has come may wait for our body.
    fn early(&mut self) -> Result<Option<Head>, Error> {
        loop {
            match self.buffered_head()? {
                Some(head) if !self.is_interim(&head)? => return Ok(Some(head)),
                Some(_) => {}
                None if self.wire.probe() == Probe::Quiet => return Ok(None),
                None => self.fill(self.bounds.read_until())?,
            }
        }
    }

    /// Waits for a 100, or for as long as may be waited; a final head that comes in its place is given.
    fn await_continue(&mut self) -> Result<Option<Head>, Error> {
        let until = self.bounds.expect();
        loop {
            match self.buffered_head()? {
                Some(head) if !self.is_interim(&head)? => return Ok(Some(head)),
                Some(head) if head.status == StatusCode::CONTINUE => return Ok(None),
                Some(_) => {}
                None => match self.fill(until) {
                    Ok(()) => {}
                    // A server that does not know what is asked of it waits for the body (RFC 9110, section 10.1.1).
                    Err(error) if error.is_timeout() && !self.bounds.until.is_past() => return Ok(None),
                    Err(error) => return Err(error),
                },
            }
        }
    }

    fn receive_final(&mut self) -> Result<Head, Error> {
        loop {
            let head = self.receive_head()?;
            if !self.is_interim(&head)? {
                return Ok(head);
            }
        }
    }

    #[inline]
    fn is_interim(&mut self, head: &Head) -> Result<bool, Error> {
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(false);
        }
        self.doubtful |= h1::interim_ends(&head.facts);
        if let Some(dropped) = &head.dropped {
            self.dropped.get_or_insert_default().extend(dropped);
        }
        self.interim.0 += 1;
        self.interim.1 = self.interim.1.saturating_add(self.head_bytes);
        match self.interim.0 > self.limits.interim_responses || self.interim.1 > self.limits.interim_bytes {
            true => Err(refused(Limit::Interim.into())),
            false => Ok(true),
        }
    }

    /// `complete` says that the whole request was sent.
    fn judge(&mut self, method: &Method, mut head: Head, complete: bool) -> Result<Received, Error> {
        let Decision { framing, reusable, tolerated } =
            h1::decide(method, head.version, head.status, &head.facts, self.strictness)
                .map_err(|violation| Error::violation(violation, Phase::Head))?;
        if framing == Framing::Upgrade {
            return Err(Error::violation(Violation::UnexpectedUpgrade, Phase::Head));
        }
        let plain = (complete || self.trace.withheld) && self.interim.0 == 0;
        if let Some(dropped) = self.dropped.take() {
            head.dropped.get_or_insert_default().extend(&dropped);
        }
        let (tolerated, reusable) = (tolerated || (reusable && self.doubtful), reusable && !self.doubtful);
        let upload = if complete { Upload::Whole } else { Upload::Stopped };
        let (reusable, tolerated) = (reusable && complete, tolerated && complete);
        Ok(Received { head, framing, reusable, tolerated, plain, upload, ending: Ending::Unknown })
    }

    fn receive_head(&mut self) -> Result<Head, Error> {
        loop {
            if let Some(head) = self.buffered_head()? {
                return Ok(head);
            }
            self.fill(self.bounds.read_until())?;
        }
    }

    /// A head that has arrived as a whole.
    fn buffered_head(&mut self) -> Result<Option<Head>, Error> {
        if !self.pass_blank_line() {
            return Ok(None);
        }
        let received = self.scanner.receive(self.buffers.filled(), self.limits, self.strictness);
        let Some((head, len)) = received.map_err(|fault| self.refused(fault))? else { return Ok(None) };
        self.buffers.consume(len);
        self.head_bytes = len;
        self.between = true;
        Ok(Some(head))
    }

    /// Some servers send a CRLF too many after a body, or one before each response. One is passed over before a head
    /// (RFC 9112, section 2.2, has servers do so before a request). False while too little has come to tell.
    fn pass_blank_line(&mut self) -> bool {
        if self.between {
            match self.buffers.filled() {
                b"" | b"\r" => return false,
                [b'\r', b'\n', ..] => self.buffers.consume(2),
                _ => {}
            }
            self.between = false;
        }
        true
    }

    /// The bytes that came cannot be read. Where it does not even begin a status line, on a connection that was used before and
    /// as the first thing in answer to this request, it is the rest of an earlier response: a body after a 304, a last
    /// chunk after a 204.
    fn refused(&mut self, fault: Fault) -> Error {
        let is_first = self.reused && self.interim.0 == 0;
        self.trace.stale = is_first && !h1::begins_status_line(self.buffers.filled(), self.strictness);
        refused(fault)
    }

    fn fill(&mut self, until: Until<'a>) -> Result<(), Error> {
        self.bounds.check(Phase::Head)?;
        let wait = Wait::new(until, self.bounds.cell);
        match self.buffers.fill(self.wire, &wait) {
            Ok(1..) if wait.is_cancelled() => {
                Err(io_error(io::ErrorKind::ConnectionAborted.into(), self.wire, &wait, Phase::Head))
            }
            Ok(len @ 1..) => {
                self.trace.received += len;
                Ok(())
            }
            Ok(_) => Err(self.ended(io::ErrorKind::UnexpectedEof.into(), &wait)),
            Err(error) if is_end(&error) => Err(self.ended(error, &wait)),
            Err(error) => Err(io_error(error, self.wire, &wait, Phase::Head)),
        }
    }

    /// The end of the connection inside the head, or in front of it.
    fn ended(&mut self, error: io::Error, wait: &Wait<'_>) -> Error {
        let only_blank = matches!(self.buffers.filled(), b"" | b"\r");
        self.trace.stale = self.reused && self.interim.0 == 0 && only_blank;
        if !only_blank && !wait.is_cancelled() {
            return Error::violation(Violation::IncompleteHead, Phase::Head).with_source(error);
        }
        io_error(error, self.wire, wait, Phase::Head)
    }
}

fn refused(fault: Fault) -> Error {
    Error::new(fault.into(), Phase::Head)
}

//! Sending a request and receiving the head of its response.

use std::io::{self, IoSlice};

use http::{Method, StatusCode};

use super::buffers::Buffers;
use super::wire::Wire;
use super::{Bounds, io_error, is_end};
use crate::error::{Error, ErrorKind, Limit, Phase, Violation};
use crate::h1::{self, Decision, Fault, Framing, Head, Limits, Scanner};
use crate::net::transport::{Probe, Transport, Wait};

/// A body up to this size leaves with the head, in one send; a larger one in pieces of this size.
const PIECE: usize = 128 * 1024;

/// One request and its response's head.
pub(crate) struct Exchange<'a> {
    wire: &'a Wire,
    buffers: &'a mut Buffers,
    limits: &'a Limits,
    bounds: Bounds<'a>,
    /// Further responses can follow only a first one: a blank line in front of that is passed over.
    first: bool,
    /// Interim responses so far.
    interim: usize,
    /// Bytes of the request that the transport took.
    pub(crate) accepted: usize,
    /// Bytes of the response that arrived.
    pub(crate) received: usize,
}

/// A response's head, and what it says about its body and the connection.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) head: Head,
    pub(crate) framing: Framing,
    /// The connection may carry another request once the body has been read.
    pub(crate) reusable: bool,
    /// The whole request was sent, and this is all that came in answer.
    pub(crate) plain: bool,
}

impl<'a> Exchange<'a> {
    /// `buffers.out` holds the encoded head. On a connection that was `reused` nothing stands in front of a response.
    pub(crate) fn new(
        wire: &'a Wire,
        buffers: &'a mut Buffers,
        limits: &'a Limits,
        bounds: Bounds<'a>,
        reused: bool,
    ) -> Self {
        Exchange { wire, buffers, limits, bounds, first: !reused, interim: 0, accepted: 0, received: 0 }
    }

    pub(crate) fn run(&mut self, method: &Method, body: &[u8]) -> Result<Received, Error> {
        match self.send(body) {
            Ok(None) => {
                self.bounds.begin_head();
                let head = self.receive_final()?;
                self.judge(method, head, true)
            }
            Ok(Some(early)) => self.judge(method, early, false),
            // The peer may have refused the request and closed; its answer is worth more than our broken pipe.
            Err(error) if self.accepted > 0 && *error.kind() == ErrorKind::Disconnected => {
                self.bounds.begin_head();
                let answer = self.receive_final().and_then(|head| self.judge(method, head, false));
                answer.map_err(|_| error)
            }
            Err(error) => Err(error),
        }
    }

    /// Sends head and body; or answers the final head that arrived first, and the rest is not sent then.
    fn send(&mut self, body: &[u8]) -> Result<Option<Head>, Error> {
        let total = self.buffers.out.len() + body.len();
        let mut look = false;
        loop {
            self.bounds.check(Phase::Send)?;
            // Between pieces, and when there was no room: a peer that refuses a request says so before its end.
            if look && let Some(head) = self.early()? {
                return Ok(Some(head));
            }
            look = true;
            if !self.flush()? {
                continue;
            }
            if self.accepted < total {
                self.send_piece(body)?;
            }
            if self.accepted == total && self.flush()? {
                return Ok(None);
            }
        }
    }

    /// Whether all that was accepted is out. Each call is a write of its own.
    fn flush(&self) -> Result<bool, Error> {
        if matches!(self.wire, Wire::Stream(_)) {
            return Ok(true);
        }
        let wait = self.bounds.write();
        self.wire.flush(&wait).map_err(|error| io_error(error, self.wire, &wait, Phase::Send))
    }

    /// What is left of the head, and a piece of the body.
    fn send_piece(&mut self, body: &[u8]) -> Result<(), Error> {
        let wait = self.bounds.write();
        let head = &self.buffers.out[self.accepted.min(self.buffers.out.len())..];
        let sent_of_body = self.accepted.saturating_sub(self.buffers.out.len());
        let piece = &body[sent_of_body..][..PIECE.min(body.len() - sent_of_body)];
        let both = [IoSlice::new(head), IoSlice::new(piece)];
        let bufs = match (head.is_empty(), piece.is_empty()) {
            (true, _) => &both[1..],
            (false, true) => &both[..1],
            (false, false) => &both[..],
        };
        let sent = self.wire.send(bufs, &wait);
        self.accepted += sent.map_err(|error| io_error(error, self.wire, &wait, Phase::Send))?;
        Ok(())
    }

    /// The final head, if one has begun to arrive. Interim ones are passed over, and the request goes on: 100 and 103
    /// are no answers (RFC 9110, section 15.2).
    fn early(&mut self) -> Result<Option<Head>, Error> {
        while !self.buffers.is_empty() || self.wire.probe() != Probe::Quiet {
            let head = self.receive_head()?;
            if !self.is_interim(&head)? {
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    fn receive_final(&mut self) -> Result<Head, Error> {
        loop {
            let head = self.receive_head()?;
            if !self.is_interim(&head)? {
                return Ok(head);
            }
        }
    }

    fn is_interim(&mut self, head: &Head) -> Result<bool, Error> {
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(false);
        }
        self.interim += 1;
        match self.interim > self.limits.interim {
            true => Err(refused(Limit::Interim.into())),
            false => Ok(true),
        }
    }

    /// `complete` says that the whole request was sent.
    fn judge(&self, method: &Method, head: Head, complete: bool) -> Result<Received, Error> {
        let Decision { framing, reusable } = h1::decide(method, head.version, head.status, &head.facts)
            .map_err(|violation| Error::violation(violation, Phase::Head))?;
        if framing == Framing::Upgrade {
            return Err(Error::violation(Violation::UnexpectedUpgrade, Phase::Head));
        }
        Ok(Received { head, framing, reusable: reusable && complete, plain: complete && self.interim == 0 })
    }

    fn receive_head(&mut self) -> Result<Head, Error> {
        self.skip_blank_line()?;
        let mut scanner = Scanner::new();
        loop {
            if let Some(len) = scanner.advance(self.buffers.filled(), self.limits).map_err(refused)? {
                let head = h1::parse(&self.buffers.filled()[..len], self.limits).map_err(refused)?;
                self.buffers.consume(len);
                return Ok(head);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), Error> {
        self.bounds.check(Phase::Head)?;
        let wait = self.bounds.read();
        match self.buffers.fill(self.wire, &wait) {
            Ok(1..) if wait.is_cancelled() => {
                Err(io_error(io::ErrorKind::ConnectionAborted.into(), self.wire, &wait, Phase::Head))
            }
            Ok(len @ 1..) => {
                self.received += len;
                Ok(())
            }
            Ok(_) => Err(self.ended(io::ErrorKind::UnexpectedEof.into(), &wait)),
            Err(error) if is_end(&error) => Err(self.ended(error, &wait)),
            Err(error) => Err(io_error(error, self.wire, &wait, Phase::Head)),
        }
    }

    /// The end of the connection inside the head, or in front of it.
    fn ended(&self, error: io::Error, wait: &Wait<'_>) -> Error {
        if self.received > 0 && !wait.is_cancelled() {
            return Error::violation(Violation::IncompleteHead, Phase::Head).with_source(error);
        }
        io_error(error, self.wire, wait, Phase::Head)
    }

    /// Some servers send a CRLF too many behind a body. In front of the first response of a connection one is passed
    /// over (RFC 9112, section 2.2); later it would be a byte that belongs to no response.
    fn skip_blank_line(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.first) {
            return Ok(());
        }
        if self.buffers.is_empty() {
            self.fill()?;
        }
        while self.buffers.filled() == b"\r" {
            self.fill()?;
        }
        if self.buffers.filled().starts_with(b"\r\n") {
            self.buffers.consume(2);
        }
        Ok(())
    }
}

fn refused(fault: Fault) -> Error {
    Error::new(fault.into(), Phase::Head)
}

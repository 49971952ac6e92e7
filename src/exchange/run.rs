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
    pub(crate) wire: &'a Wire,
    /// `out` holds the encoded head.
    pub(crate) buffers: &'a mut Buffers,
    pub(crate) limits: &'a Limits,
    pub(crate) bounds: Bounds<'a>,
    /// The connection has carried a request before.
    pub(crate) reused: bool,
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
}

impl Exchange<'_> {
    pub(crate) fn run(&mut self, method: &Method, body: &[u8]) -> Result<Received, Error> {
        let complete = match self.send(body) {
            Ok(complete) => complete,
            // The peer may have refused the request and closed; its answer is worth more than our broken pipe.
            Err(error) if self.accepted > 0 && *error.kind() == ErrorKind::Disconnected => {
                let answer = self.receive(method);
                return match answer {
                    Ok(received) => Ok(Received { reusable: false, ..received }),
                    Err(_) => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        let received = self.receive(method)?;
        Ok(Received { reusable: received.reusable && complete, ..received })
    }

    /// Sends head and body. False if a response began to arrive first: the rest is not sent then.
    fn send(&mut self, body: &[u8]) -> Result<bool, Error> {
        let total = self.buffers.out.len() + body.len();
        while self.accepted < total {
            let looked_for_answer = self.accepted > 0;
            if looked_for_answer && self.wire.probe() != Probe::Quiet {
                return Ok(false);
            }
            let head = &self.buffers.out[self.accepted.min(self.buffers.out.len())..];
            let sent_of_body = self.accepted.saturating_sub(self.buffers.out.len());
            let piece = &body[sent_of_body..][..PIECE.min(body.len() - sent_of_body)];
            let wait = self.bounds.write();
            let both = [IoSlice::new(head), IoSlice::new(piece)];
            let bufs = match (head.is_empty(), piece.is_empty()) {
                (true, _) => &both[1..],
                (false, true) => &both[..1],
                (false, false) => &both[..],
            };
            match self.wire.send(bufs, &wait) {
                Ok(0) => return Ok(false),
                Ok(len) => self.accepted += len,
                Err(error) => return Err(io_error(error, self.wire, &wait, Phase::Send)),
            }
        }
        Ok(true)
    }

    fn receive(&mut self, method: &Method) -> Result<Received, Error> {
        self.bounds.begin_head();
        self.skip_blank_line()?;
        for _ in 0..=self.limits.interim {
            let head = self.receive_head()?;
            if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS {
                continue;
            }
            let Decision { framing, reusable } = h1::decide(method, head.version, head.status, &head.facts)
                .map_err(|violation| Error::violation(violation, Phase::Head))?;
            if framing == Framing::Upgrade {
                return Err(Error::violation(Violation::UnexpectedUpgrade, Phase::Head));
            }
            return Ok(Received { head, framing, reusable });
        }
        Err(refused(Limit::Interim.into()))
    }

    fn receive_head(&mut self) -> Result<Head, Error> {
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
        if self.buffers.is_empty() {
            self.fill()?;
        }
        if self.reused {
            return Ok(());
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

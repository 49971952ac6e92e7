//! Receiving heads, and the body of an early response as far as the limit allows.

use std::io;

use http::StatusCode;

use super::early::{Input, LOOK};
use super::failure::{io_error, is_end, is_unclean_close};
use super::state::Exchange;
use crate::error::{Error, ErrorKind, Limit, Phase, Violation};
use crate::h1::{self, Fault, Head};
use crate::net::transport::{Probe, Transport, Wait};
use crate::time::{Moment, Until};

impl<'a> Exchange<'a> {
    /// Returns the final head, if it has arrived. Skips interim heads: 100 and 103 do not stop the request (RFC 9110,
    /// section 15.2). Does not block, because the server may send the rest of a head only after it has the body.
    pub(super) fn early_head(&mut self) -> Result<Option<Head>, Error> {
        loop {
            match self.buffered_head()? {
                Some(head) if !self.is_interim(&head)? => return Ok(Some(head)),
                Some(_) => {}
                None if self.wire.probe() == Probe::Quiet => return Ok(None),
                None => self.fill(Phase::Send)?,
            }
        }
    }

    /// Waits for a 100. Returns `None` when it arrives or when its time is over, and the final head if that arrives
    /// instead.
    pub(super) fn await_continue(&mut self) -> Result<Option<Head>, Error> {
        let until = self.bounds.expect();
        loop {
            match self.buffered_head()? {
                Some(head) if !self.is_interim(&head)? => return Ok(Some(head)),
                Some(head) if head.status == StatusCode::CONTINUE => return Ok(None),
                Some(_) => {}
                None => match self.fill_until(until, Moment::default(), Phase::Head) {
                    Ok(()) => {}
                    // A server that does not know `Expect` waits for the body (RFC 9110, section 10.1.1).
                    Err(error) if error.is_timeout() && !error.ends_call() && !self.bounds.until.is_past() => {
                        return Ok(None);
                    }
                    Err(error) => return Err(error),
                },
            }
        }
    }

    /// Waits for the final head, from this moment on.
    // This and what it calls is inlined: a head has 128 bytes, and each return moved it once more.
    #[inline(always)]
    pub(super) fn receive_final(&mut self, mut moment: Moment) -> Result<Head, Error> {
        loop {
            match self.buffered_head()? {
                Some(head) if !self.is_interim(&head)? => return Ok(head),
                Some(_) => moment = Moment::default(),
                None => self.fill_from(std::mem::take(&mut moment), Phase::Head)?,
            }
        }
    }

    /// Returns whether this is an interim head, and counts it. Fails if there are too many.
    #[inline(always)]
    fn is_interim(&mut self, head: &Head) -> Result<bool, Error> {
        match !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            true => Ok(false),
            false => self.count_interim(head),
        }
    }

    #[cold]
    fn count_interim(&mut self, head: &Head) -> Result<bool, Error> {
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

    /// Takes the next head out of the buffers, if all of it has arrived.
    #[inline(always)]
    fn buffered_head(&mut self) -> Result<Option<Head>, Error> {
        if !self.skip_blank_line() {
            return Ok(None);
        }
        let received = self.scanner.receive(self.buffers.filled(), self.limits, self.strictness);
        let Some((head, len)) = received.map_err(|fault| self.refuse_head(fault))? else { return Ok(None) };
        self.buffers.consume(len);
        self.head_bytes = len;
        self.between = true;
        Ok(Some(head))
    }

    /// Skips one blank line before a head. Some servers send a surplus CRLF after a body, or one before each response.
    /// RFC 9112, section 2.2, lets servers skip one before a request. Returns false while too few bytes have arrived to
    /// tell.
    fn skip_blank_line(&mut self) -> bool {
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

    /// Returns the error for bytes that are not a valid head, and notes whether they are the rest of an earlier
    /// response: a body after a 304, or a last chunk after a 204. They are, if the connection is a reused one, no
    /// response to this request came before them, and they do not begin a status line.
    fn refuse_head(&mut self, fault: Fault) -> Error {
        let is_first = self.reused && self.interim.0 == 0;
        self.trace.stale = is_first && !h1::begins_status_line(self.buffers.filled(), self.strictness);
        // The alert of a server that speaks TLS, or its own first message.
        let is_tls = matches!(self.buffers.filled(), [0x15 | 0x16, 0x03, ..]) && !self.wire.info().encrypted;
        // The first frame of a server that speaks HTTP/2 alone: its length, then the type of SETTINGS (RFC 9113, 3.4).
        let is_http2 = matches!(self.buffers.filled(), [0, _, _, 4, ..]);
        match fault {
            Fault::Violation(Violation::StatusLine) if is_tls => {
                refused(fault).because("it looks like TLS; is the URL https rather than http?")
            }
            Fault::Violation(Violation::StatusLine) if is_http2 => {
                refused(fault).because("it looks like HTTP/2, which is not spoken here")
            }
            _ => refused(fault),
        }
    }

    /// Receives once into the buffers, within the read timeout.
    fn fill(&mut self, phase: Phase) -> Result<(), Error> {
        self.fill_from(Moment::default(), phase)
    }

    /// Receives once into the buffers, within the read timeout from this moment on.
    // One call for both ends of a wait: their 48 bytes are not passed on.
    #[inline(never)]
    fn fill_from(&mut self, mut moment: Moment, phase: Phase) -> Result<(), Error> {
        self.fill_until(self.bounds.read_until(&mut moment), moment, phase)
    }

    /// Receives once into the buffers, from this moment on. `phase` is that of a wait which the call's own end ends: an
    /// early look belongs to the sending.
    #[inline(always)]
    fn fill_until(&mut self, until: Until<'a>, mut moment: Moment, phase: Phase) -> Result<(), Error> {
        self.bounds.until.check_at(&mut moment, phase)?;
        let mut wait = Wait::of(until, self.bounds.cell);
        if self.wire.is_plain() {
            wait.begin_at(&mut moment);
        }
        match self.buffers.fill(self.wire, &wait) {
            Ok(1..) if wait.is_closed() => {
                Err(io_error(io::ErrorKind::ConnectionAborted.into(), self.wire, &wait, Phase::Head))
            }
            Ok(0) if wait.is_cancelled() => Err(io_error(io::ErrorKind::UnexpectedEof.into(), self.wire, &wait, phase)),
            Err(error) if wait.is_cancelled() => Err(io_error(error, self.wire, &wait, phase)),
            Ok(len @ 1..) => {
                self.trace.received += len;
                Ok(())
            }
            Ok(_) => Err(self.ended(io::ErrorKind::UnexpectedEof.into(), &wait)),
            Err(error) if is_end(&error) => Err(self.ended(error, &wait)),
            Err(error) => Err(io_error(error, self.wire, &wait, Phase::Head)),
        }
    }

    /// Returns the error for a connection that ended inside the head or before it.
    fn ended(&mut self, error: io::Error, wait: &Wait<'_>) -> Error {
        let only_blank = matches!(self.buffers.filled(), b"" | b"\r");
        self.trace.stale = self.reused && self.interim.0 == 0 && only_blank;
        if !only_blank && !wait.is_cancelled() {
            return Error::violation(Violation::IncompleteHead, Phase::Head).with_source(error);
        }
        io_error(error, self.wire, wait, Phase::Head)
    }

    /// Receives what has arrived of an early response, without waiting. Stops after `LOOK` bytes, so that a fast
    /// response does not hold up the body.
    pub(super) fn take_in(&mut self) -> Result<(), Error> {
        let mut taken = 0;
        while let Some(early) = self.early.as_mut().filter(|early| early.takes_in() && taken < LOOK) {
            match self.wire.arrived() {
                Probe::Quiet => break,
                Probe::Readable => {}
                // The probe may have taken the error of a reset.
                Probe::Dead => early.reset = true,
            }
            taken += self.receive_early()?;
        }
        Ok(())
    }

    /// Receives once from an early response, up to the limit. Returns 0 at the end of the stream.
    pub(super) fn receive_early(&mut self) -> Result<usize, Error> {
        self.bounds.check(Phase::Send)?;
        let Some(early) = &mut self.early else { return Ok(0) };
        let wait = Wait::of(self.bounds.read_until(&mut Moment::default()), self.bounds.cell);
        let room = self.limits.early_response.saturating_sub(self.buffers.filled().len());
        let len = match self.buffers.fill_at_most(room, self.wire, &wait) {
            Ok(len) if wait.is_closed() || len == 0 && wait.is_cancelled() => {
                return Err(io_error(io::ErrorKind::ConnectionAborted.into(), self.wire, &wait, Phase::Send));
            }
            Ok(0) => {
                early.input = Input::Ended { clean: !early.reset || self.wire.info().encrypted };
                0
            }
            Err(error) if is_unclean_close(&error) => {
                early.input = Input::Ended { clean: early.unclean_close && !early.reset };
                0
            }
            Ok(len) => len,
            Err(error) => return Err(io_error(error, self.wire, &wait, Phase::Send)),
        };
        if len >= room {
            early.input = Input::Full;
        }
        self.trace.received += len;
        if let Some(meter) = &mut self.meter {
            // A server that answers at length before it reads on is not slow.
            meter.add(len as u64);
        }
        Ok(len)
    }

    /// Returns the state of the direction from the peer, for an early response.
    pub(super) fn input(&self) -> Input {
        self.early.as_ref().map_or(Input::Full, |early| early.input)
    }
}

fn refused(fault: Fault) -> Error {
    Error::new(ErrorKind::from(fault), Phase::Head)
}

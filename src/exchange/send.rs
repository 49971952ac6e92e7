//! Sending the head and the body of a request, with looks for an early response.

use std::io::{self, IoSlice};
use std::time::Instant;

use super::early::LOOK;
use super::failure::io_error;
use super::state::Exchange;
use super::wire::Wire;
use crate::body::{Outgoing, PIECE};
use crate::error::{Bound, Error, ErrorKind, Phase};
use crate::h1::Head;
use crate::net::transport::{Transport, Wait};
use crate::time::Moment;

impl<'a> Exchange<'a> {
    /// Sends head and body. Returns the final head if that arrives first; the rest is then not sent.
    pub(super) fn send_request(&mut self, body: &mut Outgoing<'_>, expects: bool) -> Result<Option<Head>, Error> {
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

    /// Sends the rest of the head, and this body after it. Returns the final head if that arrives first.
    pub(super) fn send(&mut self, body: &mut Outgoing<'_>) -> Result<Option<Head>, Error> {
        // Bytes sent since the last look.
        let mut unseen = 0;
        // The first look is due after the first bytes are sent. It is due at once where bytes are buffered: they came
        // with a 100, and no wait on the transport notices them.
        let mut look = !self.buffers.is_empty();
        loop {
            // A peer may refuse a request before all of it is sent.
            if look && let Some(head) = self.look()? {
                return Ok(Some(head));
            }
            // Before the first bytes there is nothing of this request to flush, and the transport sends its own rest first.
            if (self.head_sent > 0 || look) && !self.flush(false)? {
                self.bounds.check(Phase::Send)?;
                look = true;
                continue;
            }
            let sent = self.send_piece(body)?;
            unseen = if look { sent } else { unseen + sent };
            // Less than a piece was sent: the transport had no room for more, or the body's reader is slow.
            look = sent < PIECE || unseen >= LOOK;
            if self.head_sent == self.buffers.out.len() && body.is_done() {
                if self.flush(true)? {
                    return Ok(None);
                }
                // Input may have ended the flush.
                look = true;
            }
        }
    }

    /// Sends what the transport holds back: the last of the request, or a part. Returns whether nothing is left. Each
    /// call has the full write timeout.
    #[inline(always)]
    fn flush(&mut self, is_last: bool) -> Result<bool, Error> {
        if matches!(self.wire, Wire::Stream(_)) { Ok(true) } else { self.flush_foreign(is_last) }
    }

    #[inline(never)]
    fn flush_foreign(&mut self, is_last: bool) -> Result<bool, Error> {
        let mut wait = self.write(&mut Moment::default());
        wait.is_last = is_last && self.early.is_none();
        self.measure(&mut wait)?;
        let flushed = self.wire.flush(&wait);
        if let (Some(meter), Ok(_)) = (&mut self.meter, &flushed) {
            meter.end_unmeasured(Instant::now());
        }
        flushed.map_err(|error| self.unsent(error, &wait))
    }

    /// Sends once, from the rest of the head and a piece of the body. Returns the number of bytes sent.
    fn send_piece(&mut self, body: &mut Outgoing<'_>) -> Result<usize, Error> {
        // The body's reader may be slow. So the write timeout begins after it, and the deadline is checked again.
        let piece = body.piece()?;
        let mut moment = Moment::default();
        self.bounds.until.check_at(&mut moment, Phase::Send)?;
        let (head_left, has_piece) = (self.buffers.out.len() - self.head_sent, !piece.is_empty());
        if head_left == 0 && !has_piece {
            return Ok(0);
        }
        let mut wait = self.write(&mut moment);
        if self.wire.is_plain() {
            wait.begin_at(&mut moment);
        }
        if has_piece {
            self.measure(&mut wait)?;
        }
        let both = [IoSlice::new(&self.buffers.out[self.head_sent..]), IoSlice::new(piece)];
        let bufs = match (head_left > 0, has_piece) {
            (false, _) => &both[1..],
            (true, false) => &both[..1],
            (true, true) => &both[..],
        };
        let sent = self.wire.send(bufs, &wait).map_err(|error| self.unsent(error, &wait))?;
        let of_head = sent.min(head_left);
        if let Some(meter) = self.meter.as_mut().filter(|_| has_piece) {
            meter.end(Instant::now(), (sent - of_head) as u64);
        }
        self.head_sent += of_head;
        body.advance(sent - of_head);
        self.trace.accepted += sent;
        Ok(sent)
    }

    /// Returns the wait of the next write, which begins at this moment.
    #[inline(always)]
    fn write(&self, moment: &mut Moment) -> Wait<'a> {
        match &self.early {
            None => self.bounds.write(moment),
            Some(early) => self.bounds.write_on(early.takes_in()),
        }
    }

    /// Begins to measure a wait in which a part of the body moves. Fails if the body is too slow.
    fn measure(&mut self, wait: &mut Wait<'a>) -> Result<(), Error> {
        if let Some(meter) = &mut self.meter {
            match meter.begin(Instant::now(), wait.until) {
                Some(until) => wait.until = until,
                None => return Err(meter.explain(Error::new(ErrorKind::Timeout(Bound::Rate), Phase::Send))),
            }
        }
        Ok(())
    }

    /// Returns the error of bytes that could not be sent.
    #[cold]
    fn unsent(&self, error: io::Error, wait: &Wait<'_>) -> Error {
        let error = io_error(error, self.wire, wait, Phase::Send);
        match &self.meter {
            Some(meter) => meter.explain(error),
            None => error,
        }
    }

    /// Looks for the final head. After that head, receives what has arrived of the response instead.
    fn look(&mut self) -> Result<Option<Head>, Error> {
        match self.early {
            None => self.early_head(),
            Some(_) => self.take_in().map(|()| None),
        }
    }
}

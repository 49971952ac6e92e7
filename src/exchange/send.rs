//! Sending a request: its head and its body, with looks for an early response.

use std::io::IoSlice;

use super::early::LOOK;
use super::failure::io_error;
use super::state::Exchange;
use super::wire::Wire;
use crate::body::{Outgoing, PIECE};
use crate::error::{Error, Phase};
use crate::h1::Head;
use crate::net::transport::{Transport, Wait};

impl<'a> Exchange<'a> {
    /// Sends head and body; or answers the final head that arrived first, and the rest is not sent then.
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
}

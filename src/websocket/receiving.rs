//! The receiving side.

use std::time::{Duration, Instant};

use super::core::Core;
use super::decoder::Event;
use super::failure::Failure;
use super::fault::Fault;
use super::message::{CloseFrame, LOST, Message, NO_CODE, Payload};
use super::reader::Reader;
use super::sending::is_loss;
use super::state::{By, Ours, State, Turn};
use super::stream::Stream;
use crate::error::{Bound, Error, ErrorKind, Phase, Result};
use crate::time::{Deadline, Until};

/// How long a thread in `receive` waits for the server to end the stream after both close frames.
const MOMENT: Duration = Duration::from_millis(100);

/// How long a server that has broken a rule may take to receive its close frame and to end the connection.
const FAULT: Duration = Duration::from_secs(1);

/// The most bytes that are received and dropped before a connection is closed. Unread bytes would make the close a
/// reset, which may destroy our close frame.
pub(super) const DROPPED: usize = 1 << 20;

impl<S: Stream> Core<S> {
    /// Returns the next message or the end. A second receive waits for its turn.
    pub(crate) fn receive(&self, until: Until<'_>) -> Result<Message> {
        let _held = self.take(Turn::Receive, until)?;
        let mut reader = self.reader.lock();
        if let Some(message) = reader.take_kept() {
            return Ok(message);
        }
        self.advance(&mut reader, until, true)
    }

    /// Receives until there is something for the caller. `tells` is false for a thread in `close`, which leaves the end
    /// to be told to the next receive.
    pub(crate) fn advance(&self, reader: &mut Reader, until: Until<'_>, tells: bool) -> Result<Message> {
        let mut has_received = false;
        loop {
            match reader.next() {
                Ok(Some(Event::Message(message))) => return Ok(message),
                Ok(Some(Event::Ping(payload))) if self.settings.autoping => {
                    self.queue(By::Receiver, |state| state.pong = Some(payload));
                }
                Ok(Some(Event::Ping(payload))) => return Ok(Message::Ping(payload.to_vec())),
                Ok(Some(Event::Pong(_))) if self.settings.autoping => {}
                Ok(Some(Event::Pong(payload))) => return Ok(Message::Pong(payload.to_vec())),
                Ok(Some(Event::Close(frame))) => self.closed_by_peer(frame, until),
                Ok(None) => {
                    if let Some(end) = self.end(reader, tells) {
                        return end;
                    }
                    // What has arrived counts, also after the end of the wait. A peer that sends pings or single bytes
                    // without end does not make the wait longer.
                    if std::mem::replace(&mut has_received, true) {
                        until.check(Phase::Upgraded)?;
                    }
                    self.fill(reader, until)?;
                }
                Err(fault) => self.broken_by_peer(fault),
            }
        }
    }

    /// Returns the end, if it has come. It is told once.
    fn end(&self, reader: &mut Reader, tells: bool) -> Option<Result<Message>> {
        if reader.is_told {
            return Some(Ok(Message::Closed));
        }
        let state = self.board.lock();
        let end = match (&state.theirs, &state.failure) {
            (Some(frame), _) => Ok(Message::Close(frame.clone())),
            (None, Some(failure)) => Err(failure.error()),
            (None, None) if state.over => Ok(Message::Closed),
            (None, None) => return None,
        };
        reader.is_told = tells;
        Some(end)
    }

    /// Receives some bytes. Sends what waits first, as nobody else may.
    fn fill(&self, reader: &mut Reader, until: Until<'_>) -> Result<()> {
        // If another thread has the turn, it wakes this one for what it leaves.
        let (serves, wait) = {
            let mut state = self.board.lock();
            (state.waits() && state.take(Turn::Wire), self.bounded(&state, until))
        };
        let served = match if serves { self.serve(wait) } else { Ok(true) } {
            // The server may have sent something, and its close frame, before it ended the connection.
            Err(error) if is_loss(&error) && !self.stream.is_closed() => Ok(true),
            served => served,
        };
        if matches!(served, Ok(false)) && self.board.lock().waits() {
            // It came while the turn was given back.
            return Ok(());
        }
        let received = served.and_then(|_| self.stream.receive(reader.room(), wait));
        match received {
            // Another thread has left something to be sent.
            Ok(None) => {}
            Ok(Some(0)) => self.fail(Failure::lost()),
            Ok(Some(len)) => {
                reader.received(len);
                self.note_life();
            }
            Err(error) if *error.kind() == ErrorKind::Timeout(Bound::Heartbeat) => self.beat(),
            Err(error) if self.stream.is_closed() || !is_passing(&error) => self.fail(Failure::from(&error)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Returns the wait with the time of the next ping, or of the end of the wait for its pong. Once this side closes, no
    /// ping is sent, and the closing has a bound of its own.
    fn bounded<'t>(&self, state: &State, until: Until<'t>) -> Until<'t> {
        let own = if state.ours == Ours::None {
            let due = |interval| state.pinged.or(state.life)?.checked_add(interval);
            self.settings.heartbeat.and_then(due).map(|at| Deadline::by(at, Bound::Heartbeat))
        } else {
            state.leaves_by.map(|at| Deadline::by(at, Bound::Close))
        };
        own.map_or(until, |own| until.with_deadline(until.deadline().earlier(own)))
    }

    /// Sends a ping, or ends the connection if nothing has come after the last one.
    fn beat(&self) {
        let Some(interval) = self.settings.heartbeat else { return };
        let now = Instant::now();
        let missed = {
            let state = self.board.lock();
            // Another thread has begun to close, which has a bound of its own.
            if state.ours != Ours::None {
                return;
            }
            // Bytes of ours may have moved meanwhile.
            state.pinged.is_some_and(|at| now.saturating_duration_since(at) >= interval)
        };
        if missed {
            let error = Error::timeout(Bound::Heartbeat, Some(interval), Phase::Upgraded);
            return self.fail(Failure::from(&error));
        }
        self.queue(By::Receiver, |state| {
            let quiet = state.life.is_none_or(|life| now.saturating_duration_since(life) >= interval);
            if quiet && state.pinged.is_none() && state.ours == Ours::None {
                state.ping = Some(Payload::default());
                state.pinged = Some(now);
            }
        });
    }

    /// The server has sent its close frame.
    fn closed_by_peer(&self, frame: CloseFrame, until: Until<'_>) {
        let code = frame.code;
        let finishes = {
            let mut state = self.board.lock();
            state.theirs = Some(frame);
            if state.ours == Ours::None && self.settings.autoclose {
                state.ours = Ours::Queued;
                // The same code (RFC 6455, section 5.5.1).
                state.close = Some(reply(code));
            }
            state.ours != Ours::None && !state.closing
        };
        // The thread in `close` does the rest.
        self.board.tell_all();
        if finishes {
            self.end_handshake(until);
        }
    }

    /// Sends what is left of our close frame, and waits a moment for the end of the stream: the server should end it first
    /// (section 7.1.1).
    fn end_handshake(&self, until: Until<'_>) {
        let whole = Deadline::NEVER.or_within(Some(self.settings.close_timeout), Bound::Close);
        let whole = until.with_deadline(whole);
        if self.send_close(whole).is_err() {
            return self.finish();
        }
        let moment = Deadline::NEVER.or_within(Some(MOMENT), Bound::Close);
        self.drain(until.with_deadline(moment.earlier(whole.deadline())));
        self.finish();
    }

    /// Ends this side's direction, and drops what still comes until the server ends its own. For the receiver.
    pub(super) fn drain(&self, until: Until<'_>) {
        // A transport of the caller's may not be able to. Then the server ends the stream after its close frame.
        let _ = self.stream.shutdown_write(until);
        let (mut scratch, mut left) = ([0; 4096], DROPPED);
        while left > 0 && !until.is_past() {
            match self.stream.receive(&mut scratch, until) {
                Ok(None) => {}
                Ok(Some(len @ 1..)) => left -= len.min(left),
                Ok(Some(0)) | Err(_) => return,
            }
        }
    }

    /// The server has broken a rule: it is told so (section 7.1.7).
    fn broken_by_peer(&self, fault: Fault) {
        {
            let mut state = self.board.lock();
            state.failure.get_or_insert(Failure::of(fault));
            if state.ours == Ours::None {
                state.ours = Ours::Queued;
                state.close = Some(reply(fault.code()));
            }
        }
        self.board.tell_all();
        let moment = Deadline::NEVER.or_within(Some(self.settings.close_timeout.min(FAULT)), Bound::Close);
        if self.send_close(moment.into()).is_ok() {
            self.drain(moment.into());
        }
        self.finish();
    }
}

/// Returns the payload of a close frame that answers one with this code.
pub(crate) fn reply(code: u16) -> Payload {
    match code {
        NO_CODE | LOST => Payload::default(),
        code => CloseFrame::payload(code, "").unwrap_or_default(),
    }
}

/// Returns whether the connection goes on after a receive that failed. A server that has not closed in time is not waited
/// for again.
fn is_passing(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Timeout(bound) => *bound != Bound::Close,
        kind => *kind == ErrorKind::Cancelled,
    }
}

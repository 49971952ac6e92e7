//! The sending side: messages in frames, control frames between them, and the out-buffer.

use std::io::Read;
use std::time::{Duration, Instant};

use super::core::Core;
use super::failure::Failure;
use super::frame::{Head, Kind};
use super::message::{LOST, Payload};
use super::state::{By, Ours, State, Turn, refused};
use super::stream::Stream;
use super::wire::{KEPT, Outgoing, Wire};
use crate::error::{Bound, Error, ErrorKind, Phase, Result};
use crate::time::{Deadline, Until};

/// The most bytes of a message in one frame. A longer message is sent in fragments, so that a ping gets its pong, and a
/// close its reply, while it leaves.
pub(crate) const FRAGMENT: usize = 128 * 1024;

/// How long a write takes that has waited for room. To copy a fragment takes the system a hundredth of it.
const WAITED: Duration = Duration::from_millis(10);

/// What a send did before it failed.
struct Stopped {
    error: Error,
    /// Bytes of its own frame have left, so no other frame can follow.
    inside: bool,
}

impl<S: Stream> Core<S> {
    /// Returns the ends of a write, or of the wait for a turn to send, that begins now.
    fn sending(&self) -> Until<'_> {
        let deadline = Deadline::NEVER.or_within(self.settings.send_timeout, Bound::Write);
        let until = Until::from(deadline);
        self.token.as_ref().map_or(until, |token| until.with_token(token))
    }

    /// Sends one message.
    pub(crate) fn send(&self, kind: Kind, message: &[u8]) -> Result<()> {
        let _held = self.take(Turn::Message, self.sending()).map_err(|error| self.reason(error))?;
        let mut open = Open::new(self, kind);
        let mut pieces = message.chunks(FRAGMENT);
        let mut piece = pieces.next().unwrap_or_default();
        loop {
            let next = pieces.next();
            open.push(piece, next.is_none(), self.sending())?;
            match next {
                Some(next) => piece = next,
                None => return Ok(()),
            }
        }
    }

    /// Sends one message whose bytes come from a reader, in fragments as they come.
    pub(crate) fn send_from(&self, kind: Kind, reader: &mut dyn Read) -> Result<u64> {
        let _held = self.take(Turn::Message, self.sending()).map_err(|error| self.reason(error))?;
        let mut open = Open::new(self, kind);
        let (mut sent, mut text) = (0, Utf8::new(kind));
        // Two pieces, because the last one says that it is the last.
        let mut piece = Vec::new();
        read_piece(reader, &mut piece)?;
        loop {
            let mut next = Vec::new();
            let is_last = piece.len() < FRAGMENT || {
                read_piece(reader, &mut next)?;
                next.is_empty()
            };
            text.check(&piece, is_last)?;
            open.push(&piece, is_last, self.sending())?;
            sent += piece.len() as u64;
            if is_last {
                return Ok(sent);
            }
            piece = next;
        }
    }

    /// Sends one control frame. It may go between the fragments of a message.
    pub(crate) fn send_control(&self, kind: Kind, payload: &[u8]) -> Result<()> {
        let head = Head { kind, is_final: true, compressed: false, len: payload.len() as u64 };
        self.send_frame(head, payload, self.sending()).map_err(|stopped| self.reason(stopped.error))
    }

    /// Sends one frame. What waits in the slots goes before it.
    fn send_frame(&self, head: Head, payload: &[u8], until: Until<'_>) -> Result<(), Stopped> {
        let outside = |error| Stopped { error, inside: false };
        let mut held = self.take(Turn::Wire, until).map_err(outside)?;
        let mut wire = self.wire.lock();
        {
            let mut state = self.board.lock();
            if state.refuses_data() {
                return Err(outside(refused(&state)));
            }
            // What waits behind a rest goes later, so that the buffer does not grow with each send that times out.
            if !wire.has_rest() {
                wire.take_slots(&mut state).map_err(outside)?;
            }
        }
        let mark = wire.mark();
        wire.write(head, payload).map_err(outside)?;
        let Err(error) = self.push(&mut wire, || self.sending()) else {
            held.by = By::Sender;
            return Ok(());
        };
        if is_loss(&error) && !self.stream.is_closed() {
            // The receiver meets the end, after what the server has sent before it.
            let lost = Failure::from(&error);
            let error = lost.error();
            self.board.lock().lost.get_or_insert(lost);
            return Err(Stopped { error, inside: true });
        }
        // Nothing of the frame has left, if the connection still holds: it is taken back.
        let inside = wire.has_begun(mark);
        if self.stream.is_closed() || inside {
            let failure = Failure::from(&error);
            drop(wire);
            self.fail(failure);
            return Err(Stopped { error, inside: true });
        }
        wire.take_back(mark);
        Err(outside(error))
    }

    /// Sends the whole out-buffer. `until` is asked for the ends of each write.
    fn push<'t>(&self, wire: &mut Wire, until: impl Fn() -> Until<'t>) -> Result<()> {
        while wire.has_rest() {
            let len = self.moving(until(), |step| self.stream.send(wire.rest(), step))?;
            wire.took(len);
        }
        while !self.moving(until(), |step| self.stream.flush(step))? {
            until().check(Phase::Upgraded)?;
        }
        Ok(())
    }

    /// Runs a write. If it has waited for room, the server has shown life: its acknowledgements made the room.
    ///
    /// With a heartbeat the write runs in steps of half an interval. A call that waits does not show that bytes move:
    /// systems report room late, and TLS reports a record once the whole of it has left. The next step takes what room
    /// there is, unless it is shorter than two ticks of the guard: then it waits for the report.
    fn moving<T>(&self, until: Until<'_>, run: impl Fn(Until<'_>) -> Result<T>) -> Result<T> {
        let Some(interval) = self.settings.heartbeat else { return run(until) };
        let half = (interval / 2).max(Duration::from_millis(1));
        let begun = Instant::now();
        loop {
            let step = Deadline::NEVER.or_within(Some(half), Bound::Heartbeat);
            let moved = run(until.with_deadline(until.deadline().earlier(step)));
            match &moved {
                Err(error) if *error.kind() == ErrorKind::Timeout(Bound::Heartbeat) => continue,
                // A write that returns at once shows nothing: the system takes bytes for a server that is gone.
                Ok(_) if begun.elapsed() >= half.min(WAITED) => self.note_life(),
                _ => {}
            }
            return moved;
        }
    }

    /// Sends the close frame that waits in its slot, and all before it. Waits for the turn and for room.
    pub(crate) fn send_close(&self, until: Until<'_>) -> Result<()> {
        let _held = self.take(Turn::Wire, until)?;
        let mut wire = self.wire.lock();
        wire.take_slots(&mut self.board.lock())?;
        self.push(&mut wire, || until)
    }

    /// Puts control frames into their slots, and sends them now if nobody sends. Otherwise the sender does it.
    pub(crate) fn queue(&self, by: By, fill: impl FnOnce(&mut State)) {
        let mut state = self.board.lock();
        fill(&mut state);
        if state.take(Turn::Wire) {
            drop(state);
            self.release_wire(by);
        }
    }

    /// Gives the turn to send back, once nothing waits or nothing more fits. Then the receiver sends the rest, and is
    /// woken for it: it may have begun to sleep while the rest was on its way, and it cannot know that it stays.
    pub(crate) fn release_wire(&self, by: By) {
        let mut wire = self.wire.lock();
        let (mut is_full, mut waits_until) = (false, None);
        loop {
            let mut state = self.board.lock();
            let takes = !is_full && !state.over && !wire.has_rest() && state.has_slots();
            if takes && let Err(error) = wire.take_slots(&mut state) {
                drop(state);
                self.fail(Failure::from(&error));
                continue;
            }
            if is_full || state.over || !wire.has_rest() {
                state.rest = wire.has_rest() && !state.over;
                let wakes = state.waits() && by != By::Receiver;
                drop(wire);
                self.board.free(&mut state, Turn::Wire);
                drop(state);
                if wakes {
                    self.stream.wake();
                }
                return;
            }
            drop(state);
            match self.stream.send_now(wire.rest()) {
                Ok(len @ 1..) => wire.took(len),
                // A receiver over a transport of the caller's does not hear a wake.
                Ok(_) if by == By::Sender && !self.stream.can_wake() => {
                    let bound = Some(self.settings.close_timeout);
                    let until = *waits_until.get_or_insert_with(|| self.sending().or_within(bound, Bound::Close));
                    is_full = self.push(&mut wire, || until).is_err();
                }
                // The receiver meets a loss, after the data that came before it.
                Ok(_) | Err(_) => is_full = true,
            }
        }
    }

    /// Sends what waits while the receiver waits for input. Returns true once there is input, and false once nothing
    /// waits. The turn to send is taken.
    pub(crate) fn serve(&self, until: Until<'_>) -> Result<bool> {
        let _held = Held(self);
        let mut wire = self.wire.lock();
        loop {
            if !wire.has_rest() {
                let mut state = self.board.lock();
                if state.over || !state.has_slots() {
                    return Ok(false);
                }
                wire.take_slots(&mut state)?;
            }
            match self.stream.send_or_input(wire.rest(), until)? {
                0 => return Ok(true),
                len => wire.took(len),
            }
        }
    }
}

/// The receiver's turn to send. It was taken together with a look at the state.
struct Held<'a, S: Stream>(&'a Core<S>);

impl<S: Stream> Drop for Held<'_, S> {
    fn drop(&mut self) {
        self.0.release_wire(By::Receiver);
    }
}

/// Returns whether nothing more can be sent. What has arrived may still be received.
pub(super) fn is_loss(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Io | ErrorKind::Tls | ErrorKind::Closed)
}

/// A message whose first frame may have left. Dropped before its last one, it ends the connection: the server would take
/// the next message for the rest of this one.
struct Open<'a, S: Stream> {
    core: &'a Core<S>,
    kind: Kind,
    begun: bool,
    is_complete: bool,
}

impl<'a, S: Stream> Open<'a, S> {
    fn new(core: &'a Core<S>, kind: Kind) -> Self {
        Open { core, kind, begun: false, is_complete: false }
    }

    /// Sends a part of the message.
    fn push(&mut self, piece: &[u8], is_last: bool, until: Until<'_>) -> Result<()> {
        let mut outgoing = self.core.outgoing.lock();
        let Outgoing { deflater, packed } = &mut *outgoing;
        let result = match deflater {
            None => self.send(piece, false, is_last, until),
            Some(deflater) => {
                // Refused before the window takes anything in.
                if let Some(error) = self.refused() {
                    return Err(error);
                }
                packed.clear();
                deflater.push(piece, is_last, packed).map_err(broken)?;
                if packed.is_empty() && !is_last {
                    return Ok(());
                }
                self.send(packed, true, is_last, until)
            }
        };
        if packed.len() <= KEPT && packed.capacity() > KEPT {
            *packed = Vec::new();
        }
        result.map_err(|stopped| {
            if !stopped.inside
                && let Some(deflater) = deflater
            {
                // The server has not seen what the window holds.
                deflater.forget();
            }
            if self.is_owed() {
                // The message cannot go on later.
                self.core.fail(Failure::from(&stopped.error));
            }
            self.core.reason(stopped.error)
        })
    }

    /// Returns whether the server expects the rest of the message. After a close it expects nothing more of it, and after
    /// a loss nothing more reaches it.
    fn is_owed(&self) -> bool {
        let state = self.core.board.lock();
        self.begun && !self.is_complete && state.ours == Ours::None && state.lost.is_none()
    }

    fn refused(&self) -> Option<Error> {
        let state = self.core.board.lock();
        state.refuses_data().then(|| refused(&state))
    }

    fn send(&mut self, payload: &[u8], compressed: bool, is_final: bool, until: Until<'_>) -> Result<(), Stopped> {
        let kind = if self.begun { Kind::Continuation } else { self.kind };
        let compressed = compressed && !self.begun;
        let head = Head { kind, is_final, compressed, len: payload.len() as u64 };
        self.core.send_frame(head, payload, until)?;
        self.begun = true;
        self.is_complete = is_final;
        Ok(())
    }
}

impl<S: Stream> Drop for Open<'_, S> {
    fn drop(&mut self) {
        if self.is_owed() {
            self.core.fail(Failure::new(ErrorKind::Closed.because("a message was not sent to its end"), LOST));
        }
    }
}

fn broken(why: &'static str) -> Error {
    Error::new(ErrorKind::Io, Phase::Upgraded).because(why)
}

/// Reads up to a whole fragment. Memory follows what the reader gives.
fn read_piece(reader: &mut dyn Read, piece: &mut Vec<u8>) -> Result<()> {
    let read = reader.take(FRAGMENT as u64).read_to_end(piece);
    read.map(drop).map_err(|error| Error::new(ErrorKind::BodyRead, Phase::Upgraded).with_own_source(error))
}

/// The check of a text that is sent piece by piece.
struct Utf8(Option<super::assembly::Validator>);

impl Utf8 {
    fn new(kind: Kind) -> Utf8 {
        Utf8((kind == Kind::Text).then(Default::default))
    }

    fn check(&mut self, piece: &[u8], is_last: bool) -> Result<()> {
        let Some(validator) = &mut self.0 else { return Ok(()) };
        let is_text = validator.push(piece) && (!is_last || validator.is_complete());
        if is_text { Ok(()) } else { Err(Error::request("the reader of a text message gave bytes that are not UTF-8")) }
    }
}

/// Returns the payload of a control frame.
pub(crate) fn control(bytes: &[u8]) -> Result<Payload> {
    Payload::new(bytes).ok_or_else(|| Error::request("a ping or pong has at most 125 bytes"))
}

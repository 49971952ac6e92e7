//! One connection, shared by its threads.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::decoder::Decoder;
use super::deflate::Agreed;
use super::failure::Failure;
use super::reader::Reader;
use super::settings::Settings;
use super::state::{Board, By, Ours, State, Turn};
use super::stream::Stream;
use super::wire::{Outgoing, Wire};
use crate::cancel::{Blocked, CancelToken};
use crate::error::{Error, Result};
use crate::sync::Mutex;
use crate::time::Until;

/// A connection with its locks.
///
/// Locks are taken in this order: the receiver's, the message's, the wire's, and the state's, which is the only one that
/// threads meet at. The other three belong to the thread that has the turn of that name, so nobody waits for them: a
/// thread waits for a turn, with its deadline and its token.
#[derive(Debug)]
pub(crate) struct Core<S: Stream> {
    pub(crate) stream: S,
    pub(crate) settings: Settings,
    pub(crate) token: Option<CancelToken>,
    pub(crate) board: Arc<Board>,
    pub(crate) reader: Mutex<Reader>,
    pub(crate) outgoing: Mutex<Outgoing>,
    pub(crate) wire: Mutex<Wire>,
}

impl<S: Stream> Core<S> {
    pub(crate) fn new(stream: S, settings: Settings, agreed: Option<Agreed>, token: Option<CancelToken>) -> Core<S> {
        let life = settings.heartbeat.map(|_| Instant::now());
        let decoder = Decoder::new(settings.bounds(), agreed.map(|agreed| agreed.inflater()));
        let deflater = agreed.and_then(|agreed| agreed.deflater());
        Core {
            stream,
            settings,
            token,
            board: Arc::new(Board::new(life)),
            reader: Mutex::new(Reader::new(decoder)),
            outgoing: Mutex::new(Outgoing::new(deflater)),
            wire: Mutex::new(Wire::new()),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// The deadline or the token of `until`.
    pub(crate) fn take(&self, turn: Turn, until: Until<'_>) -> Result<Held<'_, S>> {
        if !self.board.lock().take(turn) {
            self.wait_for(turn, until, |state| state.take(turn).then_some(()))?;
        }
        Ok(Held { core: self, turn, by: By::Drop })
    }

    /// Waits until `found` returns something: see [`Board::wait`]. The token wakes this wait.
    pub(crate) fn wait_for<T>(
        &self,
        turn: Turn,
        until: Until<'_>,
        found: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T> {
        let _registered = until.register(|| {
            let blocked: Weak<dyn Blocked> = Arc::<Board>::downgrade(&self.board);
            (blocked, 0)
        });
        self.board.wait(turn, until, found)
    }

    /// Ends the connection for this reason, unless it is over already. Threads that are blocked in it return.
    pub(crate) fn fail(&self, failure: Failure) {
        let mut state = self.board.lock();
        if state.over {
            return;
        }
        // The first reason counts. A loss after the closing handshake is none.
        if state.theirs.is_none() || state.ours == Ours::None {
            let failure = state.lost.take().unwrap_or(failure);
            state.failure.get_or_insert(failure);
        }
        state.over = true;
        drop(state);
        self.board.tell_all();
        self.stream.close();
    }

    /// Ends a connection whose closing is complete.
    pub(crate) fn finish(&self) {
        self.board.lock().over = true;
        self.board.tell_all();
        self.stream.close();
    }

    /// Returns the error of an operation that has failed: the reason why the connection is over, or the error itself.
    pub(crate) fn reason(&self, error: Error) -> Error {
        match self.board.lock().failed() {
            Some(failure) => failure.error(),
            None => error,
        }
    }

    /// Notes that the server has shown life.
    pub(crate) fn note_life(&self) {
        if self.settings.heartbeat.is_some() {
            let mut state = self.board.lock();
            (state.life, state.pinged) = (Some(Instant::now()), None);
        }
    }
}

/// A turn, until it is dropped. That of the wire is given back by [`Core::release_wire`], which looks for what waits.
pub(crate) struct Held<'a, S: Stream> {
    core: &'a Core<S>,
    turn: Turn,
    /// Who gives the turn of the wire back. Nobody waits, unless a sender has succeeded: one that failed has used up its
    /// time.
    pub(super) by: By,
}

impl<S: Stream> Drop for Held<'_, S> {
    fn drop(&mut self) {
        match self.turn {
            Turn::Wire => self.core.release_wire(self.by),
            turn => self.core.board.free(&mut self.core.board.lock(), turn),
        }
    }
}

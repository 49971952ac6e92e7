//! Who does what at the moment, what waits to be sent, and how far the closing has come.
//!
//! One small lock covers all of it, so that "nobody sends" and "nothing waits" are one decision: whoever stops sending
//! has seen, under the same lock, that nothing waits. The lock is never held while bytes move.

use std::time::Instant;

use super::failure::Failure;
use super::message::{CloseFrame, Payload};
use crate::cancel::Blocked;
use crate::error::{ErrorKind, Phase, Result};
use crate::sync::{Condvar, Mutex, MutexGuard, wait_until};
use crate::time::Until;

/// The rights of which one thread at a time has each, in the order in which a thread may take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// To receive and to decode.
    Receive,
    /// To send the frames of one message.
    Message,
    /// To send bytes.
    Wire,
}

const TURNS: usize = 3;

/// Who gives the turn to send back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The receiver, which looks for what waits before it sleeps.
    Receiver,
    /// A thread that has sent, and may wait.
    Sender,
    /// A drop, or a call that has failed. It never waits.
    Drop,
}

/// How far this side's close frame has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ours {
    None,
    /// It waits. No data frame begins any more.
    Queued,
    /// It is in the out-buffer, or has left.
    Written,
}

#[derive(Debug)]
pub(crate) struct State {
    taken: [bool; TURNS],
    /// The three slots of control frames that wait.
    pub(crate) pong: Option<Payload>,
    pub(crate) ping: Option<Payload>,
    pub(crate) close: Option<Payload>,
    /// The out-buffer has bytes that did not fit, and nobody sends.
    pub(crate) rest: bool,
    pub(crate) ours: Ours,
    /// A thread is in `close`, and finishes the closing.
    pub(crate) closing: bool,
    /// The server's close frame.
    pub(crate) theirs: Option<CloseFrame>,
    pub(crate) failure: Option<Failure>,
    /// A send has failed: nothing more can be sent. The receiver goes on to the end of what has arrived.
    pub(crate) lost: Option<Failure>,
    /// One half is gone: when the wait for the server's close ends.
    pub(crate) leaves_by: Option<Instant>,
    /// The connection is closed.
    pub(crate) over: bool,
    /// When the server last showed life: bytes came, or it made room for ours. Only with a heartbeat.
    pub(crate) life: Option<Instant>,
    /// When the ping was sent that nothing has come after.
    pub(crate) pinged: Option<Instant>,
}

impl State {
    /// Returns whether control frames or a rest wait to be sent.
    pub(crate) fn waits(&self) -> bool {
        self.rest || self.has_slots()
    }

    pub(crate) fn has_slots(&self) -> bool {
        self.pong.is_some() || self.ping.is_some() || self.close.is_some()
    }

    /// Takes a turn that is free.
    pub(crate) fn take(&mut self, turn: Turn) -> bool {
        !std::mem::replace(&mut self.taken[turn as usize], true)
    }

    /// Returns whether no message may begin or go on.
    pub(crate) fn refuses_data(&self) -> bool {
        self.is_ending() || self.lost.is_some()
    }

    /// Returns whether this side closes, or the connection has failed.
    pub(crate) fn is_ending(&self) -> bool {
        self.ours != Ours::None || self.failure.is_some() || self.over
    }

    /// Returns whether one half has begun to close, and nobody waits for the end in `close`.
    pub(crate) fn is_left(&self) -> bool {
        let has_ended = self.theirs.is_some() || self.failure.is_some() || self.over;
        self.leaves_by.is_some() && !self.closing && !has_ended
    }

    /// Returns the failure that callers are told. The server's close frame says more than a send that failed.
    pub(crate) fn failed(&self) -> Option<&Failure> {
        self.failure.as_ref().or_else(|| self.lost.as_ref().filter(|_| self.theirs.is_none()))
    }
}

/// The state with what waits for its changes.
#[derive(Debug)]
pub(crate) struct Board {
    state: Mutex<State>,
    /// One for each turn. That of `Receive` is also for the thread in `close`.
    freed: [Condvar; TURNS],
}

impl Board {
    pub(crate) fn new(life: Option<Instant>) -> Board {
        let state = State {
            taken: [false; TURNS],
            pong: None,
            ping: None,
            close: None,
            rest: false,
            ours: Ours::None,
            closing: false,
            theirs: None,
            failure: None,
            lost: None,
            leaves_by: None,
            over: false,
            life,
            pinged: None,
        };
        Board { state: Mutex::new(state), freed: [Condvar::new(), Condvar::new(), Condvar::new()] }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Gives a turn back. A thread that waits for it gets it.
    pub(crate) fn free(&self, state: &mut State, turn: Turn) {
        state.taken[turn as usize] = false;
        self.tell(turn);
    }

    fn tell(&self, turn: Turn) {
        match turn {
            // The thread in `close` may be one of several that wait.
            Turn::Receive => {
                self.freed[turn as usize].notify_all();
            }
            Turn::Message | Turn::Wire => {
                self.freed[turn as usize].notify_one();
            }
        }
    }

    /// Wakes every thread that waits for a turn: the connection is over.
    pub(crate) fn tell_all(&self) {
        for freed in &self.freed {
            freed.notify_all();
        }
    }

    /// Waits until `found` returns something.
    ///
    /// # Errors
    /// The deadline or the token of `until`. What is there in that moment still counts.
    pub(crate) fn wait<T>(
        &self,
        turn: Turn,
        until: Until<'_>,
        mut found: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T> {
        let mut state = self.lock();
        loop {
            if let Some(found) = found(&mut state) {
                return Ok(found);
            }
            if until.is_fired() || until.is_past() {
                // A turn that was given to this thread goes to the next one.
                self.tell(turn);
                drop(state);
                until.check(Phase::Upgraded)?;
                state = self.lock();
                continue;
            }
            match until.slice_end() {
                None => self.freed[turn as usize].wait(&mut state),
                Some(at) => drop(wait_until(&self.freed[turn as usize], &mut state, at)),
            }
            if until.slice().is_some() {
                drop(state);
                until.tick();
                state = self.lock();
            }
        }
    }
}

/// A fired token wakes the threads that wait for a turn, and these ask it.
impl Blocked for Board {
    fn cancel(&self, _: u64) {
        drop(self.lock());
        self.tell_all();
    }
}

/// Returns the error of an operation on a connection that is over.
pub(crate) fn refused(state: &State) -> crate::error::Error {
    match state.failed() {
        Some(failure) => failure.error(),
        None => crate::error::Error::new(ErrorKind::Closed.because("the WebSocket is closed"), Phase::Upgraded),
    }
}

//! The closing handshake (RFC 6455, section 7), and the end without one.

use std::time::{Duration, Instant};

use super::core::Core;
use super::failure::Failure;
use super::message::{CloseFrame, LOST};
use super::receiving::{DROPPED, reply};
use super::sending::is_loss;
use super::state::{By, Ours, Turn};
use super::stream::Stream;
use crate::error::{Bound, Error, Phase, Result};
use crate::time::{Deadline, Until};

impl<S: Stream> Core<S> {
    /// Closes the connection, and waits for the server's close frame and for its end of the stream. Returns whether this
    /// call has begun the closing.
    ///
    /// # Errors
    /// The code or the reason cannot be sent.
    pub(crate) fn close(&self, code: u16, reason: &str) -> Result<bool> {
        let payload = CloseFrame::payload(code, reason).map_err(Error::request)?;
        // After a fork, the parent goes on with the connection.
        if self.stream.is_inherited() {
            return Ok(false);
        }
        let until = Until::from(Deadline::NEVER.or_within(Some(self.settings.close_timeout), Bound::Close));
        let begins = {
            let mut state = self.board.lock();
            let begins = !state.is_ending();
            if !begins && !state.is_left() {
                return Ok(false);
            }
            state.closing = true;
            if begins {
                state.ours = Ours::Queued;
                state.close = Some(payload);
            }
            begins
        };
        if let Err(error) = self.handshake(until) {
            self.fail(Failure::from(&error));
        }
        self.board.lock().closing = false;
        Ok(begins)
    }

    fn handshake(&self, until: Until<'_>) -> Result<()> {
        match self.send_close(until) {
            // The server may have sent its close before it ended the connection.
            Err(error) if !is_loss(&error) => return Err(error),
            _ => {}
        }
        while self.awaits_peer(until)? {
            // Nobody receives. What comes before the close is kept for whoever does.
            let mut reader = self.reader.lock();
            let message = self.advance(&mut reader, until, false);
            if let Ok(message) = message
                && !message.is_close()
            {
                reader.keep(message, self.settings.bounds().message);
            }
            drop(reader);
            let mut state = self.board.lock();
            self.board.free(&mut state, Turn::Receive);
            if until.is_past() && state.theirs.is_none() {
                return Err(until.timed_out(Phase::Upgraded));
            }
        }
        if self.board.lock().over {
            return Ok(());
        }
        // The other thread has seen the close, and returns.
        if let Ok(_held) = self.take(Turn::Receive, until) {
            self.drain(until);
        }
        self.finish();
        Ok(())
    }

    /// Waits until the server's close has come, and returns false then. Returns true with the turn to receive, if nobody
    /// else receives.
    fn awaits_peer(&self, until: Until<'_>) -> Result<bool> {
        self.wait_for(Turn::Receive, until, |state| {
            let has_ended = state.theirs.is_some() || state.failure.is_some() || state.over;
            if has_ended { Some(false) } else { state.take(Turn::Receive).then_some(true) }
        })
    }

    /// Begins to close without waiting: one half is gone. The other half sees the rest, within the bound of a close. Also
    /// sends what did not fit before.
    pub(crate) fn leave(&self, code: u16) {
        // After a fork, the parent goes on with the connection.
        if self.stream.is_inherited() {
            return;
        }
        let by = Instant::now().checked_add(self.settings.close_timeout);
        let mut begins = false;
        self.queue(By::Drop, |state| {
            begins = !state.is_ending();
            if begins {
                (state.ours, state.leaves_by) = (Ours::Queued, by);
                state.close = Some(reply(code));
            }
        });
        if begins {
            // A receiver that sleeps learns of the bound.
            self.stream.wake();
        }
    }

    /// Closes without waiting: nobody has the connection any more. One close frame is sent if it fits, and then a FIN.
    pub(crate) fn abandon(&self) {
        if self.stream.is_inherited() {
            return;
        }
        self.leave(GOING_AWAY);
        if self.board.lock().over {
            return;
        }
        // What has arrived is dropped, so that the close is no reset.
        let now = Until::from(Deadline::NEVER.or_within(Some(Duration::ZERO), Bound::Close));
        if self.stream.shutdown_write(now).is_ok() {
            let (mut scratch, mut left) = ([0; 4096], DROPPED);
            while left > 0 && self.stream.has_input() {
                match self.stream.receive(&mut scratch, now) {
                    Ok(None) => {}
                    Ok(Some(len @ 1..)) => left -= len.min(left),
                    Ok(Some(0)) | Err(_) => break,
                }
            }
        }
        self.finish();
    }

    /// Returns the close code, once there is one.
    pub(crate) fn close_code(&self) -> Option<u16> {
        let state = self.board.lock();
        match (&state.theirs, state.failed()) {
            (Some(frame), _) => Some(frame.code),
            (None, Some(failure)) => Some(failure.code),
            (None, None) => state.over.then_some(LOST),
        }
    }
}

/// The code of a caller that goes without a close (RFC 6455, section 7.4.1).
pub(crate) const GOING_AWAY: u16 = 1001;

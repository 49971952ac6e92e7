//! The right to use one direction of a connection.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::cancel::Blocked;
use crate::error::{Phase, Result};
use crate::sync::{Condvar, Mutex, wait_until};
use crate::time::Until;

/// A lock that is waited for under a deadline and a token, and that may be held while a thread is blocked in a socket.
#[derive(Default)]
pub(crate) struct Turn {
    is_taken: Mutex<bool>,
    free: Condvar,
}

/// Keeps the turn until it is dropped.
#[must_use]
pub(crate) struct Taken<'a>(&'a Turn);

impl Turn {
    pub(crate) fn new() -> Arc<Turn> {
        Arc::default()
    }

    /// Waits for the turn.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) at the deadline, and
    /// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) when the token fires. A turn that is free is taken without a
    /// look at either.
    pub(crate) fn take<'a>(self: &'a Arc<Self>, until: Until<'_>, phase: Phase) -> Result<Taken<'a>> {
        let mut is_taken = self.is_taken.lock();
        if *is_taken {
            // The token is registered with before it is asked, or a fire between the two would wake nobody.
            let _registered = until.register(|| {
                let turn: Weak<dyn Blocked> = Arc::<Turn>::downgrade(self);
                (turn, 0)
            });
            while *is_taken {
                if until.is_fired() {
                    // The panic of a check goes on from here.
                    drop(is_taken);
                    return Err(until.token().map_or_else(|| until.timed_out(phase), |token| token.error(phase)));
                }
                match until.slice_end() {
                    None => self.free.wait(&mut is_taken),
                    Some(at) if !wait_until(&self.free, &mut is_taken, at) || !*is_taken => {}
                    Some(_) if until.is_past() => return Err(until.timed_out(phase)),
                    Some(_) => {
                        drop(is_taken);
                        until.tick();
                        is_taken = self.is_taken.lock();
                    }
                }
            }
        }
        *is_taken = true;
        Ok(Taken(self))
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.is_taken.lock() = false;
        self.0.free.notify_one();
    }
}

/// A thread that waits for the turn.
impl Blocked for Turn {
    fn cancel(&self, _: u64) {
        // A thread that asked its token before the fire waits by the time that the lock is free.
        drop(self.is_taken.lock());
        self.free.notify_all();
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Turn(taken: {})", *self.is_taken.lock())
    }
}

//! Tokens that end calls from other threads.
//!
//! Whatever blocks a call registers with the call's token, then asks whether the token has fired, and then blocks. It
//! leaves the list when its wait ends. So a fire wakes it at once, and a token that serves a million calls holds only
//! those that wait now, and the open connections whose last call it served.

mod list;
#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests;
mod token;

use std::panic::{self, AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Phase, Result};

pub(crate) use list::{Blocked, Registration};
pub use token::{CancelToken, OnCancel};
pub(crate) use token::{Kept, Run};

/// How often a wait that has a check runs it. Sockets wait for as long at a time anyway.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// The caller's function that may end a call.
#[derive(Clone)]
pub(crate) struct Check(Arc<dyn Fn() -> Result<()> + Send + Sync>);

/// The check of one call, and when it ran last.
struct Running {
    check: Check,
    born: Instant,
    /// The milliseconds from `born` to the last run.
    last: AtomicU64,
}

impl Running {
    fn new(check: Check) -> Running {
        Running { check, born: Instant::now(), last: AtomicU64::new(0) }
    }

    /// Returns whether the last run was a tick ago.
    fn is_due(&self) -> bool {
        self.now().saturating_sub(self.last.load(Ordering::Relaxed)) >= TICK.as_millis() as u64
    }

    /// Runs the caller's function. Returns how it ended the call, or `None` if the call goes on.
    fn run(&self) -> Option<Ended> {
        self.last.store(self.now(), Ordering::Relaxed);
        match panic::catch_unwind(AssertUnwindSafe(|| (self.check.0)())) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Ended::Refused(error)),
            Err(payload) => Some(Ended::Panicked(payload)),
        }
    }

    fn now(&self) -> u64 {
        self.born.elapsed().as_millis() as u64
    }
}

impl Check {
    pub(crate) fn new(check: impl Fn() -> Result<()> + Send + Sync + 'static) -> Check {
        Check(Arc::new(check))
    }
}

// A check that panics ends its call, and the panic goes on. It may run again for another call.
impl UnwindSafe for Check {}
impl RefUnwindSafe for Check {}

/// How a check has ended its call.
enum Ended {
    Refused(Error),
    Panicked(Box<dyn std::any::Any + Send>),
}

impl Ended {
    /// Returns the error of the call. A panic of the check goes on here, outside of all locks.
    fn into_error(self, phase: Phase) -> Error {
        match self {
            Ended::Refused(error) if *error.kind() == ErrorKind::Custom => error.with_phase(phase).of_check(),
            Ended::Refused(error) => error.of_check(),
            Ended::Panicked(payload) => panic::resume_unwind(payload),
        }
    }
}

//! Wakes the thread that receives from an upgraded connection.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::signal::Signal;

/// Ends the receive of a connection without ending the connection. A wake that comes before the receive ends the next
/// one.
#[derive(Debug, Default)]
pub(crate) struct Waker {
    is_woken: AtomicBool,
    /// Opened by the first receive that waits for longer than a moment.
    signal: OnceLock<Signal>,
}

impl Waker {
    /// Wakes the receiver.
    pub(crate) fn wake(&self) {
        // The receiver opens the signal before it asks for the mark. One of the two sees what the other has done.
        if !self.is_woken.swap(true, Ordering::SeqCst)
            && let Some(signal) = self.signal.get()
        {
            signal.give();
        }
    }

    /// Returns whether a wake has come that was not taken yet.
    pub(crate) fn is_woken(&self) -> bool {
        self.is_woken.load(Ordering::SeqCst)
    }

    /// Takes a wake, and returns whether there was one. Only for the receiver.
    pub(crate) fn take(&self) -> bool {
        self.is_woken() && self.is_woken.swap(false, Ordering::SeqCst)
    }

    pub(super) fn signal(&self) -> io::Result<&Signal> {
        if let Some(signal) = self.signal.get() {
            return Ok(signal);
        }
        let signal = Signal::new()?;
        Ok(self.signal.get_or_init(|| signal))
    }
}

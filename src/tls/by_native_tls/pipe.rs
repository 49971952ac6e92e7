//! The two byte queues that native-tls takes for a connection.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The largest queue that is kept while it is empty. A request's head fits in. What idle connections keep adds up.
const KEPT: usize = 2 * 1024;

/// Both queues. A clone has the same ones: the library owns one, and drops it when a handshake fails. The alert about the
/// failure is read from another.
#[derive(Clone, Default)]
pub(super) struct Pipe(Arc<Mutex<Queues>>);

#[derive(Default)]
struct Queues {
    /// Ciphertext for the library, and how much of it was taken.
    incoming: Vec<u8>,
    taken: usize,
    /// Ciphertext of the library.
    outgoing: Vec<u8>,
}

impl Pipe {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds ciphertext of the peer.
    pub(super) fn give(&self, input: &[u8]) {
        self.queues().incoming.extend_from_slice(input);
    }

    /// Returns whether ciphertext of the library waits.
    pub(super) fn has_output(&self) -> bool {
        !self.queues().outgoing.is_empty()
    }

    /// Moves the ciphertext of the library to the end of `to`.
    pub(super) fn take_output(&self, to: &mut Vec<u8>) {
        let outgoing = &mut self.queues().outgoing;
        to.append(outgoing);
        if outgoing.capacity() > KEPT {
            *outgoing = Vec::new();
        }
    }

    /// Drops the ciphertext of the library.
    pub(super) fn drop_output(&self) {
        self.queues().outgoing.clear();
    }
}

impl Read for Pipe {
    /// Fails with `WouldBlock` if there is nothing, also after the end of the transport. With the end passed on as 0, the
    /// libraries show a cut in the same way as a close_notify.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let queues = &mut *self.queues();
        let rest = &queues.incoming[queues.taken..];
        if rest.is_empty() && !buf.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        queues.taken += len;
        if queues.taken == queues.incoming.len() {
            queues.taken = 0;
            queues.incoming.clear();
            if queues.incoming.capacity() > KEPT {
                queues.incoming = Vec::new();
            }
        }
        Ok(len)
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.queues().outgoing.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pipe")
    }
}

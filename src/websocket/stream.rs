//! What a WebSocket needs of its connection: bytes in both directions at once.

use std::io::IoSlice;

use crate::error::Result;
use crate::net::duplex::Duplex;
use crate::time::Until;

/// A connection in both directions. [`Duplex`] is the one; the models have another.
pub(crate) trait Stream: Send + Sync + 'static {
    /// Receives at least one byte; 0 is the end. Returns `None` after a [`wake`](Self::wake).
    fn receive(&self, buf: &mut [u8], until: Until<'_>) -> Result<Option<usize>>;

    /// Sends at least one byte. Waits for room.
    fn send(&self, bytes: &[u8], until: Until<'_>) -> Result<usize>;

    /// Sends what fits without waiting.
    fn send_now(&self, bytes: &[u8]) -> Result<usize>;

    /// Sends what fits, after a wait for room or for input. Returns 0 if input has come. Only for the receiver.
    fn send_or_input(&self, bytes: &[u8], until: Until<'_>) -> Result<usize>;

    /// Waits until all sent bytes have left. Returns false if only a part of them has at the deadline.
    fn flush(&self, until: Until<'_>) -> Result<bool>;

    /// Ends the direction to the peer.
    fn shutdown_write(&self, until: Until<'_>) -> Result<()>;

    /// Returns whether a receive would return at once.
    fn has_input(&self) -> bool;

    /// Ends the receive that blocks, or else the next one.
    fn wake(&self);

    /// Returns whether a wake ends a receive that blocks. Otherwise it ends the next one alone.
    fn can_wake(&self) -> bool;

    /// Closes the connection. Any thread may do it, and blocked ones return.
    fn close(&self);

    /// Returns whether the connection was closed by this side.
    fn is_closed(&self) -> bool;

    /// Returns whether another process uses the connection, from which this one was forked.
    fn is_inherited(&self) -> bool;
}

impl Stream for Duplex {
    fn receive(&self, buf: &mut [u8], until: Until<'_>) -> Result<Option<usize>> {
        self.receive_or_wake(buf, until)
    }

    fn send(&self, bytes: &[u8], until: Until<'_>) -> Result<usize> {
        Duplex::send(self, &[IoSlice::new(bytes)], until)
    }

    fn send_now(&self, bytes: &[u8]) -> Result<usize> {
        Duplex::send_now(self, &[IoSlice::new(bytes)])
    }

    fn send_or_input(&self, bytes: &[u8], until: Until<'_>) -> Result<usize> {
        Duplex::send_or_input(self, &[IoSlice::new(bytes)], until)
    }

    fn flush(&self, until: Until<'_>) -> Result<bool> {
        self.flush_some(until)
    }

    fn shutdown_write(&self, until: Until<'_>) -> Result<()> {
        Duplex::shutdown_write(self, until)
    }

    fn has_input(&self) -> bool {
        Duplex::has_input(self)
    }

    fn wake(&self) {
        Duplex::wake(self);
    }

    fn can_wake(&self) -> bool {
        Duplex::can_wake(self)
    }

    fn close(&self) {
        Duplex::close(self);
    }

    fn is_closed(&self) -> bool {
        Duplex::is_closed(self)
    }

    fn is_inherited(&self) -> bool {
        Duplex::is_inherited(self)
    }
}

//! Received ciphertext that rustls has not taken yet, and the buffer that it lies in.
//!
//! The buffer belongs to the thread while nothing is left in it, so an idle connection owns none. A connection keeps it
//! while something is left: nothing is moved or allocated for that.

use std::cell::Cell;

/// The size of the buffer: two records of the largest size. So large bodies take fewer calls, and the buffer still fits
/// into the cache.
const SCRATCH: usize = 36 * 1024;

thread_local! {
    static SCRATCHES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Takes the thread's buffer to receive into.
///
/// The thread's place for it may be gone: another destructor of the thread may drop a response after it.
pub(super) fn take_scratch() -> Vec<u8> {
    let mut scratch = SCRATCHES.try_with(Cell::take).unwrap_or_default();
    scratch.resize(SCRATCH, 0);
    scratch
}

/// Gives a buffer back to the thread.
pub(super) fn give_back(scratch: Vec<u8>) {
    let _ = SCRATCHES.try_with(|place| place.set(scratch));
}

#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// The buffer, while something is left in it.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Backlog {
    /// Returns what is left.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Adds the first `len` bytes of `scratch`.
    pub(super) fn put(&mut self, mut scratch: Vec<u8>, len: usize) {
        if self.start < self.end {
            // Nobody receives before all is taken. If somebody did, no byte may be lost.
            self.bytes.truncate(self.end);
            self.bytes.extend_from_slice(&scratch[..len]);
            self.end = self.bytes.len();
            return;
        }
        std::mem::swap(&mut self.bytes, &mut scratch);
        (self.start, self.end) = (0, len);
    }

    /// Removes the first `len` bytes of what is left.
    pub(super) fn consume(&mut self, len: usize) {
        self.start += len;
        if self.start >= self.end {
            self.clear();
        }
    }

    /// Drops what is left.
    pub(super) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
        if self.bytes.capacity() > 0 {
            give_back(std::mem::take(&mut self.bytes));
        }
    }
}

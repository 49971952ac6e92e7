//! The buffers of an exchange.
//!
//! An exchange takes them from a free list, and they go back there after it. So an idle connection owns no buffer.

use std::io;

use super::wire::Wire;
use crate::net::transport::{Transport, Wait};
use crate::sync::Mutex;

/// The size of the read-ahead. It holds most responses whole, so that they take one call.
pub(crate) const READ_AHEAD: usize = 16 * 1024;

/// The largest send buffer that is kept. It holds a head and a small body.
const OUT_KEPT: usize = 64 * 1024;

/// The read-ahead of a response, and the bytes that are about to be sent.
#[derive(Debug)]
pub(crate) struct Buffers {
    pub(crate) out: Vec<u8>,
    /// The read-ahead. It is zeroed once and then only overwritten.
    input: Vec<u8>,
    start: usize,
    end: usize,
    /// The last receive filled all the room, so that more may wait in the transport.
    full: bool,
}

impl Buffers {
    fn new() -> Buffers {
        Buffers { out: Vec::with_capacity(1024), input: vec![0; READ_AHEAD], start: 0, end: 0, full: false }
    }

    /// Returns the received bytes that are not consumed yet.
    pub(crate) fn filled(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Drops the first `len` received bytes.
    pub(crate) fn consume(&mut self, len: usize) {
        self.start = (self.start + len).min(self.end);
        if self.is_empty() {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Moves bytes from the read-ahead to `buf`, and returns their number.
    pub(crate) fn copy_to(&mut self, buf: &mut [u8]) -> usize {
        let len = buf.len().min(self.end - self.start);
        buf[..len].copy_from_slice(&self.filled()[..len]);
        self.consume(len);
        len
    }

    /// Receives once, after the bytes that are there. Makes room first. The read-ahead grows with the bytes that have
    /// arrived, never by an announced length, and its users bound how much they leave in it.
    pub(crate) fn fill(&mut self, wire: &Wire, wait: &Wait<'_>) -> io::Result<usize> {
        self.fill_at_most(usize::MAX, wire, wait)
    }

    /// Receives as `fill` does, but at most `most` bytes. A `most` of 0 counts as 1.
    pub(crate) fn fill_at_most(&mut self, most: usize, wire: &Wire, wait: &Wait<'_>) -> io::Result<usize> {
        if self.end == self.input.len() {
            if self.start > 0 {
                self.input.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                self.input.resize(self.input.len() * 2, 0);
            }
        }
        let room = self.input.len().min(self.end.saturating_add(most.max(1)));
        let len = wire.recv(&mut self.input[self.end..room], wait)?;
        self.end += len;
        self.full = self.end == self.input.len();
        Ok(len)
    }

    /// Returns whether more bytes may wait in the transport after those received.
    pub(crate) fn was_full(&self) -> bool {
        self.full
    }

    fn reset(&mut self) {
        self.full = false;
        self.start = 0;
        self.end = 0;
        self.out.clear();
        if self.input.len() > READ_AHEAD {
            self.input.truncate(READ_AHEAD);
            self.input.shrink_to_fit();
        }
        if self.out.capacity() > OUT_KEPT {
            self.out = Vec::with_capacity(1024);
        }
    }
}

/// Keeps buffers that no exchange uses now. They are boxed, because they move several times in each exchange.
#[derive(Debug, Default)]
#[allow(clippy::vec_box, reason = "a pointer is moved instead of 72 bytes")]
pub(crate) struct FreeList(Mutex<Vec<Box<Buffers>>>);

impl FreeList {
    /// The number of buffers that are kept. It covers the threads that are commonly busy at once, and is about a
    /// megabyte.
    const KEPT: usize = 64;

    #[inline(always)]
    pub(crate) fn take(&self) -> Box<Buffers> {
        let kept = self.0.lock().pop();
        kept.unwrap_or_else(|| Box::new(Buffers::new()))
    }

    pub(crate) fn put(&self, mut buffers: Box<Buffers>) {
        buffers.reset();
        let mut list = self.0.lock();
        if list.len() < Self::KEPT {
            list.push(buffers);
        }
    }
}

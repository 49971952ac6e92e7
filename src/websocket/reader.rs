//! What was received and not returned yet.

use std::collections::VecDeque;
use std::mem;

use super::decoder::{Decoder, Event};
use super::fault::Fault;
use super::message::Message;

/// The buffer that bytes are received into. It grows with the first long frame: a message of 64 KiB then comes in one
/// receive.
const BUFFER: usize = 8 * 1024;
const LARGE: usize = 128 * 1024;

/// The side of the thread that receives.
#[derive(Debug)]
pub(crate) struct Reader {
    decoder: Decoder,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Messages that a thread in `close` has received.
    kept: VecDeque<Message>,
    kept_bytes: u64,
    /// The end was told, and only `Closed` is left.
    pub(super) is_told: bool,
}

impl Reader {
    pub(crate) fn new(decoder: Decoder) -> Reader {
        let (buffer, kept) = (Vec::new(), VecDeque::new());
        Reader { decoder, buffer, start: 0, end: 0, kept, kept_bytes: 0, is_told: false }
    }

    /// Keeps a message for a later receive, as long as there are not more bytes than a message may have.
    pub(crate) fn keep(&mut self, message: Message, most: u64) {
        let len = message.as_bytes().map_or(0, <[u8]>::len) as u64 + mem::size_of::<Message>() as u64;
        if self.kept_bytes.saturating_add(len) <= most {
            self.kept_bytes += len;
            self.kept.push_back(message);
        }
    }

    /// Returns the first of the kept messages.
    pub(super) fn take_kept(&mut self) -> Option<Message> {
        let message = self.kept.pop_front()?;
        if self.kept.is_empty() {
            self.kept_bytes = 0;
        }
        Some(message)
    }

    /// Decodes what was received, up to the next event.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Fault> {
        let mut input = &self.buffer[self.start..self.end];
        let event = self.decoder.next(&mut input);
        self.start = self.end - input.len();
        event
    }

    /// Notes that so many bytes are in the room.
    pub(super) fn received(&mut self, len: usize) {
        self.end = len;
    }

    /// Returns the room for the next receive. All that was received has been decoded.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let len = if self.decoder.due() > BUFFER as u64 { LARGE } else { BUFFER };
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        (self.start, self.end) = (0, 0);
        &mut self.buffer
    }
}

//! One message as it grows, with its limit and the check of its text.

use super::fault::Fault;
use super::message::Message;

/// The most bytes that are reserved before more than that has been received.
const FIRST: usize = 4096;

/// The data of a message that has come so far. Memory follows the bytes that came, not those that were announced.
#[derive(Debug)]
pub(crate) struct Assembly {
    data: Data,
    max: usize,
}

#[derive(Debug)]
enum Data {
    Binary(Vec<u8>),
    /// A text, and the start of a letter that is cut.
    Text(String, Cut),
}

/// The first bytes of a letter whose rest has not come.
#[derive(Debug, Default)]
struct Cut {
    bytes: [u8; 4],
    len: usize,
}

impl Assembly {
    pub(crate) fn new(is_text: bool, max: u64) -> Assembly {
        let data = match is_text {
            true => Data::Text(String::new(), Cut::default()),
            false => Data::Binary(Vec::new()),
        };
        Assembly { data, max: usize::try_from(max).unwrap_or(usize::MAX) }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.data {
            Data::Binary(bytes) => bytes.len(),
            Data::Text(text, cut) => text.len() + cut.len,
        }
    }

    /// Makes room for `coming` bytes, if as many have come already.
    pub(crate) fn reserve(&mut self, coming: u64, now: usize) {
        let most = self.len().max(now).max(FIRST);
        let room = usize::try_from(coming).map_or(most, |coming| coming.min(most));
        match &mut self.data {
            Data::Binary(bytes) if bytes.capacity() - bytes.len() < now => bytes.reserve_exact(room),
            Data::Text(text, _) if text.capacity() - text.len() < now => text.reserve_exact(room),
            _ => {}
        }
    }

    /// Appends bytes. Fails at the first byte that makes the message too long or no text.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.max - self.len().min(self.max) < bytes.len() {
            return Err(Fault::MessageBytes);
        }
        match &mut self.data {
            Data::Binary(data) => data.extend_from_slice(bytes),
            Data::Text(text, cut) => push_text(text, cut, bytes)?,
        }
        Ok(())
    }

    /// Returns the whole message. Fails if a text ends inside a letter.
    pub(crate) fn finish(self) -> Result<Message, Fault> {
        match self.data {
            Data::Binary(bytes) => Ok(Message::Binary(bytes)),
            Data::Text(text, Cut { len: 0, .. }) => Ok(Message::Text(text)),
            Data::Text(..) => Err(Fault::Text),
        }
    }
}

/// The check of a text whose bytes nobody keeps.
#[derive(Debug, Default)]
pub(crate) struct Validator {
    cut: Cut,
}

impl Validator {
    /// Takes a part, and returns whether all so far is the start of a text.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        push_text(&mut Sink, &mut self.cut, bytes).is_ok()
    }

    /// Returns whether no letter is cut.
    pub(crate) fn is_complete(&self) -> bool {
        self.cut.len == 0
    }
}

/// Where the letters of a text go.
trait Letters {
    fn take(&mut self, letters: &str);
}

impl Letters for String {
    fn take(&mut self, letters: &str) {
        self.push_str(letters);
    }
}

struct Sink;

impl Letters for Sink {
    fn take(&mut self, _: &str) {}
}

fn push_text(text: &mut impl Letters, cut: &mut Cut, mut bytes: &[u8]) -> Result<(), Fault> {
    while cut.len > 0
        && let Some((&next, rest)) = bytes.split_first()
    {
        cut.bytes[cut.len] = next;
        cut.len += 1;
        bytes = rest;
        match std::str::from_utf8(&cut.bytes[..cut.len]) {
            Ok(letter) => {
                text.take(letter);
                cut.len = 0;
            }
            // Unfinished, and not wrong. A letter has at most four bytes.
            Err(error) if error.error_len().is_none() => {}
            Err(_) => return Err(Fault::Text),
        }
    }
    match std::str::from_utf8(bytes) {
        Ok(more) => text.take(more),
        Err(error) if error.error_len().is_none() => {
            let (whole, rest) = bytes.split_at(error.valid_up_to());
            text.take(std::str::from_utf8(whole).map_err(|_| Fault::Text)?);
            cut.bytes[..rest.len()].copy_from_slice(rest);
            cut.len = rest.len();
        }
        Err(_) => return Err(Fault::Text),
    }
    Ok(())
}

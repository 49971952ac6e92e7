//! Bodies of every kind, some of which break.

use std::io::{self, Cursor, Read};

use super::super::input::Input;
use crate::body::Body;

/// A body, and what of it a server is to see.
pub(super) struct Made {
    pub(super) body: Body,
    pub(super) len: usize,
    /// It comes to an end, and to the right one.
    pub(super) whole: bool,
    /// The server is asked for its word before it is sent.
    pub(super) expect: bool,
}

impl Made {
    pub(super) fn bytes(len: usize) -> Made {
        Made { body: Body::from(vec![b'x'; len]), len, whole: true, expect: false }
    }

    pub(super) fn read(input: &mut Input<'_>) -> Made {
        let (small, shape) = (usize::from(input.byte()), input.byte());
        // Some do not fit what is kept of a reader's bytes.
        let len = if shape & 0x10 == 0 { small } else { 150_000 + small };
        let data = || Cursor::new(vec![b'x'; len]);
        let (body, whole) = match shape & 7 {
            0 => (Body::from(vec![b'x'; len]), true),
            1 => (Body::reader(data()), true),
            2 => (Body::sized(data(), len as u64), true),
            3 => (Body::seekable(data()), true),
            4 => (Body::factory(move || Ok(Cursor::new(vec![b'x'; len])), None), true),
            5 => (Body::reader(data().chain(Broken)), false),
            6 => (Body::sized(data(), len as u64 + 1), false),
            _ => (Body::sized(data(), len.saturating_sub(1) as u64), len == 0),
        };
        Made { body, len, whole, expect: shape & 8 != 0 }
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Other.into())
    }
}

//! Early responses: a response that arrives while its request is still being sent.
//!
//! A client goes on with the body unless it knows that the server does not want it (RFC 9110, section 7.5). Servers
//! that report progress, echo, or take a stream respond at once and read to the end. The status alone decides.

use http::StatusCode;

use crate::body::PIECE;
use crate::h1::{Chunked, Framing, Limits};
use crate::strictness::Strictness;

/// The bytes of a body that are sent between two looks for an early response. A peer that responds and then stops
/// reading is noticed sooner: a send that finds no room looks at once.
pub(super) const LOOK: usize = 8 * PIECE;

/// Returns whether a final response stops the body that is being sent. An error does. A redirect that `resends` the
/// body does too, because the whole body goes to the new place.
pub(super) fn stops(status: StatusCode, resends: bool) -> bool {
    status.as_u16() >= 400 || resends
}

/// The state of an early response, from its head until the rest of the request is sent.
pub(super) struct Early {
    pub(super) input: Input,
    /// A reset may have been reported already. Systems report it once, so the next end may be the reset, not an orderly
    /// end.
    pub(super) reset: bool,
    /// The end of a TLS stream without close_notify ends a body that nothing else delimits.
    pub(super) unclean_close: bool,
}

/// The direction from the peer.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Input {
    Open,
    /// The limit on an early response is reached. The rest stays in the transport.
    Full,
    /// The peer has ended its direction. It may still read.
    Ended {
        clean: bool,
    },
}

impl Early {
    /// Returns whether more of the response may be received.
    pub(super) fn takes_in(&self) -> bool {
        self.input == Input::Open
    }
}

/// Counts how much of a body has arrived, without taking it out of the buffers.
pub(super) struct Arrived {
    pub(super) framing: ByFraming,
    /// Buffered bytes that have been examined.
    seen: usize,
    /// Examined bytes that are data.
    pub(super) data: u64,
}

pub(super) enum ByFraming {
    Length(u64),
    Chunked(Chunked),
    Close,
}

impl Arrived {
    pub(super) fn new(framing: Framing, strictness: Strictness) -> Arrived {
        let framing = match framing {
            Framing::Empty | Framing::Upgrade => ByFraming::Length(0),
            Framing::Length(length) => ByFraming::Length(length),
            Framing::Chunked => ByFraming::Chunked(Chunked::new(strictness)),
            Framing::UntilClose => ByFraming::Close,
        };
        Arrived { framing, seen: 0, data: 0 }
    }

    /// Returns whether the whole body is in `filled`, which holds all bytes that have arrived so far.
    ///
    /// Returns true for malformed chunks too: waiting for more is useless, and the body's reader reports the error.
    pub(super) fn is_whole(&mut self, filled: &[u8], limits: &Limits) -> bool {
        let chunked = match &mut self.framing {
            ByFraming::Chunked(chunked) => chunked,
            ByFraming::Length(length) => {
                self.data = (filled.len() as u64).min(*length);
                return self.data == *length;
            }
            ByFraming::Close => {
                self.data = filled.len() as u64;
                return false;
            }
        };
        while self.seen < filled.len() && !chunked.is_done() {
            let left = usize::try_from(chunked.data_left()).unwrap_or(usize::MAX).min(filled.len() - self.seen);
            chunked.consume(left as u64);
            self.seen += left;
            self.data += left as u64;
            match chunked.advance(&filled[self.seen..], limits) {
                Ok(taken) => self.seen += taken,
                Err(_) => return true,
            }
        }
        chunked.is_done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RW-01: the status alone decides about the body.
    #[test]
    fn which_responses_stop_a_body() {
        let table = [
            (200, false, false),
            (201, false, false),
            (204, false, false),
            (299, false, false),
            (300, false, false),
            (301, false, false),
            (301, true, true),
            (302, true, true),
            (303, false, false),
            (304, false, false),
            (307, false, false),
            (307, true, true),
            (308, true, true),
            (399, false, false),
            (400, false, true),
            (401, false, true),
            (413, false, true),
            (417, false, true),
            (500, false, true),
            (503, false, true),
            (599, false, true),
            (600, false, true),
            (999, false, true),
        ];
        for (status, resends, expected) in table {
            assert_eq!(stops(StatusCode::from_u16(status).unwrap(), resends), expected, "{status} {resends}");
        }
    }

    #[test]
    fn how_much_of_a_body_has_arrived() {
        let chunks = "3\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n";
        let table = [
            ("no body", Framing::Empty, "", true, 0),
            ("no body, and surplus", Framing::Empty, "x", true, 0),
            ("of no length", Framing::Length(0), "", true, 0),
            ("a part", Framing::Length(3), "ab", false, 2),
            ("all", Framing::Length(3), "abc", true, 3),
            ("more", Framing::Length(3), "abcd", true, 3),
            ("until the close", Framing::UntilClose, "abc", false, 3),
            ("chunks", Framing::Chunked, chunks, true, 5),
            ("chunks, no more than the data", Framing::Chunked, &chunks[..13], false, 5),
            ("chunks without the last line", Framing::Chunked, &chunks[..chunks.len() - 1], false, 5),
            ("no chunks", Framing::Chunked, "x", true, 0),
        ];
        let limits = Limits::new();
        for (row, framing, bytes, whole, data) in table {
            let mut at_once = Arrived::new(framing, Strictness::Tolerant);
            assert_eq!((at_once.is_whole(bytes.as_bytes(), &limits), at_once.data), (whole, data), "{row}");
            let mut by_byte = Arrived::new(framing, Strictness::Tolerant);
            let ends = (0..=bytes.len()).map(|end| by_byte.is_whole(&bytes.as_bytes()[..end], &limits)).last();
            assert_eq!((ends, by_byte.data), (Some(whole), data), "{row}, byte by byte");
        }
    }
}

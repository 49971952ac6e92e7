//! Early responses: the response to a request that is still leaving.
//!
//! A client goes on with its body unless it knows that nobody wants it (RFC 9110, section 7.5): servers that report
//! progress, echo, or take a stream answer at once and read to the end. The status alone decides.

use std::io;

use http::StatusCode;

use super::body::Ending;
use super::run::{Exchange, LOOK, Received, Rules, Upload};
use super::wire::Wire;
use super::{io_error, is_unclean_close};
use crate::body::Outgoing;
use crate::error::{Bound, Error, ErrorKind, Limit, Phase};
use crate::h1::{Chunked, Framing, Limits};
use crate::net::transport::{Probe, Transport, Wait};
use crate::strictness::Strictness;

/// Returns whether a final response stops the body that is leaving: an error does, and a redirect that `resends` the
/// body, which goes whole to the new place.
fn stops(status: StatusCode, resends: bool) -> bool {
    status.as_u16() >= 400 || resends
}

/// An early response whose head has come, while the rest of its request leaves.
pub(super) struct Early {
    input: Input,
    /// The error of a reset may have been taken: the next end is not one that the peer has meant.
    reset: bool,
    unclean_close: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Input {
    Open,
    /// As much is here as may be taken in; the rest stays in the transport.
    Full,
    /// The peer has ended its direction: it may still read.
    Ended {
        clean: bool,
    },
}

impl Early {
    /// Returns whether what comes of the response is taken in.
    pub(super) fn takes_in(&self) -> bool {
        self.input == Input::Open
    }
}

impl Exchange<'_> {
    /// Goes on with a request whose final head has come before its end, unless that stops the body.
    pub(super) fn send_on(
        &mut self,
        received: Received,
        body: &mut Outgoing<'_>,
        rules: &Rules<'_>,
    ) -> Result<Received, Error> {
        if stops(received.head.status, (rules.resends)(&received.head)) {
            return Ok(received);
        }
        self.begin_early(rules);
        match self.send(body) {
            Ok(_) => Ok(Received { upload: Upload::Whole, ending: self.ending(Ending::Unknown), ..received }),
            Err(error) if *error.kind() == ErrorKind::Disconnected => self.settle(received, error),
            Err(error) => {
                self.answer = Some(Box::new(received.head));
                Err(self.stalled(error))
            }
        }
    }

    /// Decides about a response that was found after the connection had failed under the request.
    pub(super) fn answered_and_closed(
        &mut self,
        received: Received,
        error: Error,
        rules: &Rules<'_>,
    ) -> Result<Received, Error> {
        if self.trace.withheld || stops(received.head.status, (rules.resends)(&received.head)) {
            let ending = if self.is_reset(&error) { Ending::Cut } else { Ending::Unknown };
            return Ok(Received { ending, ..received });
        }
        self.begin_early(rules);
        self.settle(received, error)
    }

    fn begin_early(&mut self, rules: &Rules<'_>) {
        let full = self.buffers.filled().len() >= self.limits.early_response;
        let input = if full { Input::Full } else { Input::Open };
        self.early = Some(Early { input, reset: false, unclean_close: rules.unclean_close });
    }

    /// Takes in what has arrived, without waiting, and not so much at once that the body could not leave.
    pub(super) fn take_in(&mut self) -> Result<(), Error> {
        let mut taken = 0;
        while let Some(early) = self.early.as_mut().filter(|early| early.takes_in() && taken < LOOK) {
            match self.wire.arrived() {
                Probe::Quiet => break,
                Probe::Readable => {}
                // The look may have taken the error of a reset.
                Probe::Dead => early.reset = true,
            }
            taken += self.receive_early()?;
        }
        Ok(())
    }

    fn input(&self) -> Input {
        self.early.as_ref().map_or(Input::Full, |early| early.input)
    }

    /// Receives once, up to the limit. 0 where there is no more to take in.
    fn receive_early(&mut self) -> Result<usize, Error> {
        self.bounds.check(Phase::Send)?;
        let Some(early) = &mut self.early else { return Ok(0) };
        let wait = Wait::new(self.bounds.read_until(), self.bounds.cell);
        let room = self.limits.early_response.saturating_sub(self.buffers.filled().len());
        let len = match self.buffers.fill_at_most(room, self.wire, &wait) {
            Ok(_) if wait.is_cancelled() => {
                return Err(io_error(io::ErrorKind::ConnectionAborted.into(), self.wire, &wait, Phase::Send));
            }
            Ok(0) => {
                early.input = Input::Ended { clean: !early.reset || self.wire.info().encrypted };
                0
            }
            Err(error) if is_unclean_close(&error) => {
                early.input = Input::Ended { clean: early.unclean_close && !early.reset };
                0
            }
            Ok(len) => len,
            Err(error) => return Err(io_error(error, self.wire, &wait, Phase::Send)),
        };
        if len >= room {
            early.input = Input::Full;
        }
        self.trace.received += len;
        Ok(len)
    }

    /// The peer has closed the connection, or reset it, while the request was leaving: a response that has arrived
    /// whole is the answer all the same.
    fn settle(&mut self, received: Received, error: Error) -> Result<Received, Error> {
        let cut = self.is_reset(&error);
        if let Some(early) = &mut self.early {
            early.reset = cut;
        }
        let mut arrived = Arrived::new(received.framing, self.strictness);
        let error = match self.arrives_whole(&mut arrived) {
            Ok(true) => {
                let ending = self.ending(if cut { Ending::Cut } else { Ending::Unknown });
                return Ok(Received { upload: Upload::Closed, ending, ..received });
            }
            // The peer may have ended only the direction to it: then the rest was waited for.
            Err(late) if late.is_timeout() || late.is_closed() => late,
            Ok(false) | Err(_) => {
                let expected = if let Framing::Length(length) = received.framing { Some(length) } else { None };
                error.with_kind(ErrorKind::IncompleteBody { received: arrived.data, expected })
            }
        };
        self.answer = Some(Box::new(received.head));
        Err(error)
    }

    /// Takes in what is left of a response, and says whether that is all of it. One that is too large is left to its
    /// reader, if its framing tells the reader where it ends.
    fn arrives_whole(&mut self, arrived: &mut Arrived) -> Result<bool, Error> {
        loop {
            if arrived.is_whole(self.buffers.filled(), self.limits) {
                return Ok(true);
            }
            match self.input() {
                Input::Full => return Ok(!matches!(arrived.framing, ByFraming::Close)),
                Input::Ended { clean } => return Ok(clean && matches!(arrived.framing, ByFraming::Close)),
                Input::Open => self.receive_early()?,
            };
        }
    }

    /// Tells the reader about an end that was seen. It holds, whatever became of the connection since.
    fn ending(&self, otherwise: Ending) -> Ending {
        if self.input() == (Input::Ended { clean: true }) { Ending::Seen } else { otherwise }
    }

    /// Returns whether this error of a send may have taken the place of the reset that reading would have met: systems
    /// report a reset once, and an orderly end from then on. For a plain socket that was ended in good order before
    /// Linux has another error.
    fn is_reset(&self, error: &Error) -> bool {
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
        let tells = matches!(self.wire, Wire::Stream(_)) && cfg!(any(target_os = "linux", target_os = "android"));
        !(tells && source.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
    }

    /// Where the response was too large to be taken in, the limit on that is what held the body up.
    fn stalled(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Timeout(Bound::Read | Bound::Write) if self.input() == Input::Full => {
                error.with_kind(ErrorKind::LimitExceeded(Limit::EarlyResponse))
            }
            _ => error,
        }
    }
}

/// How much of a body has arrived.
struct Arrived {
    framing: ByFraming,
    /// Bytes of what is there that have been looked at, and those of them that are data.
    seen: usize,
    data: u64,
}

enum ByFraming {
    Length(u64),
    Chunked(Chunked),
    Close,
}

impl Arrived {
    fn new(framing: Framing, strictness: Strictness) -> Arrived {
        let framing = match framing {
            Framing::Empty | Framing::Upgrade => ByFraming::Length(0),
            Framing::Length(length) => ByFraming::Length(length),
            Framing::Chunked => ByFraming::Chunked(Chunked::new(strictness)),
            Framing::UntilClose => ByFraming::Close,
        };
        Arrived { framing, seen: 0, data: 0 }
    }

    /// `filled` is all that has come so far. Of chunks that are malformed the reader says so: no more is waited for.
    fn is_whole(&mut self, filled: &[u8], limits: &Limits) -> bool {
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

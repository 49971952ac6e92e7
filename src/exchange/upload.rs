//! What becomes of a request whose response has come early.

use std::io;

use super::early::{Arrived, ByFraming, Early, Input, stops};
use super::outcome::{Ending, Received, Rules, Upload};
use super::state::Exchange;
use super::wire::Wire;
use crate::body::Outgoing;
use crate::error::{Bound, Error, ErrorKind, Limit};
use crate::h1::Framing;

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

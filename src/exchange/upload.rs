//! Going on with a request, or stopping it, after an early response.

use std::io;

use super::early::{Arrived, ByFraming, Early, Input, stops};
use super::failure::is_disconnected;
use super::outcome::{Ending, Received, Rules, Upload};
use super::state::Exchange;
use super::wire::Wire;
use crate::body::Outgoing;
use crate::error::{Bound, Error, ErrorKind, Limit};
use crate::h1::Framing;

impl Exchange<'_> {
    /// Goes on with a request after an early final head, unless that head stops the body.
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
            Err(error) if is_disconnected(&error) => self.settle(received, error),
            Err(error) => {
                self.trace.answer = Some(Box::new(received.head));
                Err(self.stalled(error))
            }
        }
    }

    /// Decides about a response that was received after sending the request had failed.
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

    /// Starts to receive the rest of an early response while the body is sent.
    fn begin_early(&mut self, rules: &Rules<'_>) {
        let full = self.buffers.filled().len() >= self.limits.early_response;
        let input = if full { Input::Full } else { Input::Open };
        self.early = Some(Early { input, reset: false, unclean_close: rules.unclean_close });
    }

    /// Decides about an early response after the peer has closed or reset the connection while the request was sent. A
    /// response that has arrived whole is still valid.
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
            // The peer may have closed only its receiving side. Then the rest was waited for, and this error ended the
            // wait.
            Err(late) if late.is_timeout() || late.ends_call() => late,
            Ok(false) | Err(_) => {
                let expected = if let Framing::Length(length) = received.framing { Some(length) } else { None };
                error.with_kind(ErrorKind::IncompleteBody { received: arrived.data, expected })
            }
        };
        self.trace.answer = Some(Box::new(received.head));
        Err(error)
    }

    /// Receives the rest of a response, and returns whether all of it has arrived.
    ///
    /// Returns true for a response above the limit too, if its framing tells where it ends: its reader then receives
    /// the rest, or meets the error.
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

    /// Returns the ending for the body's reader: `Seen` if an orderly end was seen, else `otherwise`. An orderly end
    /// stays valid, whatever happens to the connection later.
    fn ending(&self, otherwise: Ending) -> Ending {
        if self.input() == (Input::Ended { clean: true }) { Ending::Seen } else { otherwise }
    }

    /// Returns whether this error of a send may have been a reset, which a later read does not meet again: systems
    /// report a reset once, and an orderly end after that. On Linux a plain socket tells the two apart: if the peer
    /// ended its direction in an orderly way before, the error is a broken pipe.
    fn is_reset(&self, error: &Error) -> bool {
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
        let tells = matches!(self.wire, Wire::Stream(_)) && cfg!(any(target_os = "linux", target_os = "android"));
        !(tells && source.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
    }

    /// Returns the error for a body that got stuck. Names the limit on early responses if reading had stopped there:
    /// then the limit held the body up.
    fn stalled(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Timeout(Bound::Read | Bound::Write) if self.input() == Input::Full => {
                error.with_kind(ErrorKind::LimitExceeded(Limit::EarlyResponse))
            }
            _ => error,
        }
    }
}

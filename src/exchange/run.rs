//! The course of an exchange: send the request, receive the head, decide what it means.

use http::Method;

use super::failure::is_disconnected;
use super::outcome::{Ending, Received, Rules, Upload};
use super::state::Exchange;
use crate::body::Outgoing;
use crate::error::{Error, Phase, Violation};
use crate::h1::{self, Decision, Framing, Head};

impl Exchange<'_> {
    /// Sends the request and receives the head of its response. Also receives the start of the response's body, if the
    /// response is early and the request's body goes on. It is a part of its caller, because a call and the way back of the
    /// response cost a request 150 instructions.
    #[inline(always)]
    pub(crate) fn run(
        &mut self,
        method: &Method,
        mut body: Outgoing<'_>,
        rules: &Rules<'_>,
    ) -> Result<Received, Error> {
        match self.send_request(&mut body, rules.expects) {
            Ok(None) => {
                let begun = self.bounds.begin_head();
                let head = self.receive_final(begun)?;
                self.judge(method, head, true)
            }
            // A final response instead of a 100 stops the body, whatever its status.
            Ok(Some(early)) if self.trace.withheld => self.judge(method, early, false),
            Ok(Some(early)) => {
                let early = self.judge(method, early, false)?;
                self.send_on(early, &mut body, rules)
            }
            // The peer may have refused the request and closed. Its response tells more than the failed send.
            Err(error) if self.trace.accepted > 0 && is_disconnected(&error) => {
                let begun = self.bounds.begin_head();
                match self.receive_final(begun).and_then(|head| self.judge(method, head, false)) {
                    Ok(received) => self.answered_and_closed(received, error, rules),
                    // A peer that does not speak HTTP has sent bytes that show it. The caller may end this wait, too.
                    Err(answer) if answer.kind().is_of_the_peer() || answer.ends_call() => Err(answer),
                    Err(_) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Decides what a final head means for the body and the connection. `complete` says that the whole request was
    /// sent.
    #[inline(always)]
    fn judge(&mut self, method: &Method, mut head: Head, complete: bool) -> Result<Received, Error> {
        let Decision { framing, reusable, tolerated } =
            h1::decide(method, head.version, head.status, &head.facts, self.strictness)
                .map_err(|violation| Error::violation(violation, Phase::Head))?;
        // Another protocol begins after the whole request (RFC 9110, section 7.8).
        if framing == Framing::Upgrade && !complete {
            return Err(Error::violation(Violation::UnexpectedUpgrade, Phase::Head));
        }
        let plain = (complete || self.trace.withheld) && self.interim.0 == 0;
        if let Some(dropped) = self.dropped.take() {
            head.dropped.get_or_insert_default().extend(&dropped);
        }
        let (tolerated, reusable) = (tolerated || (reusable && self.doubtful), reusable && !self.doubtful);
        let upload = if complete { Upload::Whole } else { Upload::Stopped };
        let (reusable, tolerated) = (reusable && complete, tolerated && complete);
        Ok(Received { head, framing, reusable, tolerated, plain, upload, ending: Ending::Unknown })
    }
}

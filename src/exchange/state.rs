//! The state of one exchange. What is done with it is in the files above.

use super::bounds::Bounds;
use super::buffers::Buffers;
use super::early::Early;
use super::outcome::Trace;
use super::wire::Wire;
use crate::h1::{Dropped, Head, Limits, Scanner};
use crate::strictness::Strictness;

/// One request and its response's head.
pub(crate) struct Exchange<'a> {
    pub(super) wire: &'a Wire,
    pub(super) buffers: &'a mut Buffers,
    pub(super) limits: &'a Limits,
    pub(super) strictness: Strictness,
    pub(super) bounds: Bounds<'a>,
    /// The connection has carried a request before.
    pub(super) reused: bool,
    /// Nothing of the next head has come: a blank line before it is passed over.
    pub(super) between: bool,
    /// An interim response leaves in doubt where the next response begins.
    pub(super) doubtful: bool,
    /// Lines of interim responses that were left out.
    pub(super) dropped: Option<Box<Dropped>>,
    /// Where in the head that is arriving the search for its end stands.
    pub(super) scanner: Scanner,
    /// Bytes of the last head.
    pub(super) head_bytes: usize,
    /// Interim responses so far, and their bytes.
    pub(super) interim: (usize, usize),
    /// Bytes of the head that the transport took.
    pub(super) head_sent: usize,
    pub(super) trace: Trace,
    /// Set once the final head has come while the request was leaving.
    pub(super) early: Option<Early>,
    /// The head of a response that an error is about.
    pub(super) answer: Option<Box<Head>>,
}

impl<'a> Exchange<'a> {
    /// `buffers.out` holds the encoded head. A connection that is `reused` has carried a request before.
    pub(crate) fn new(
        wire: &'a Wire,
        buffers: &'a mut Buffers,
        limits: &'a Limits,
        strictness: Strictness,
        bounds: Bounds<'a>,
        reused: bool,
    ) -> Self {
        Exchange {
            wire,
            buffers,
            limits,
            strictness,
            bounds,
            reused,
            between: true,
            doubtful: false,
            dropped: None,
            scanner: Scanner::new(),
            head_bytes: 0,
            interim: (0, 0),
            head_sent: 0,
            trace: Trace::default(),
            early: None,
            answer: None,
        }
    }

    pub(crate) fn trace(&self) -> Trace {
        self.trace
    }

    /// The head of the response that an error of `run` is about, if one had arrived.
    pub(crate) fn take_answer(&mut self) -> Option<Box<Head>> {
        self.answer.take()
    }
}

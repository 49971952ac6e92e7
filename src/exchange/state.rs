//! The state of one exchange. Its methods are in `receive`, `send`, `upload` and `run`.

use super::bounds::Bounds;
use super::buffers::Buffers;
use super::early::Early;
use super::outcome::Trace;
use super::wire::Wire;
use crate::h1::{Dropped, Limits, Scanner};
use crate::strictness::Strictness;
use crate::time::Meter;

/// Sends one request and receives the head of its response.
pub(crate) struct Exchange<'a> {
    pub(super) wire: &'a Wire,
    pub(super) buffers: &'a mut Buffers,
    pub(super) limits: &'a Limits,
    pub(super) strictness: Strictness,
    pub(super) bounds: Bounds<'a>,
    /// The connection has carried a request before.
    pub(super) reused: bool,
    /// No byte of the next head has arrived. A blank line before it is skipped.
    pub(super) between: bool,
    /// An interim response makes it doubtful where the next response begins.
    pub(super) doubtful: bool,
    /// Lines that were dropped from interim responses.
    pub(super) dropped: Option<Box<Dropped>>,
    /// The search for the end of the head that is arriving.
    pub(super) scanner: Scanner,
    /// The length of the last head.
    pub(super) head_bytes: usize,
    /// The number of interim responses so far, and their bytes.
    pub(super) interim: (usize, usize),
    /// Bytes of the request's head that the transport has accepted.
    pub(super) head_sent: usize,
    pub(super) trace: &'a mut Trace,
    /// Set from the head of an early response that does not stop the body.
    pub(super) early: Option<Early>,
    /// Measures the speed of the request's body, if a lowest one is set.
    pub(super) meter: Option<Meter>,
}

impl<'a> Exchange<'a> {
    /// Prepares an exchange. `buffers.out` holds the encoded head; `reused` says that the connection has carried a
    /// request before.
    pub(crate) fn new(
        wire: &'a Wire,
        buffers: &'a mut Buffers,
        limits: &'a Limits,
        strictness: Strictness,
        bounds: Bounds<'a>,
        reused: bool,
        trace: &'a mut Trace,
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
            trace,
            early: None,
            meter: Meter::new(bounds.timeout.rate),
        }
    }
}

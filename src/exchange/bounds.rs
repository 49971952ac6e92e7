//! The bounds on the waits of an exchange.

use std::time::Duration;

use crate::error::{Bound, Error, Phase};
use crate::net::abort::AbortCell;
use crate::net::transport::Wait;
use crate::time::{Moment, Timeout, Until};

/// The wait for a 100 where no timeout is set. A server that knows `Expect` responds at once; any other server waits
/// for the body.
const EXPECT: Duration = Duration::from_secs(1);

/// The longest time in which neither direction moves after an early response, where no read timeout is set.
const STALL: Duration = Duration::from_secs(60);

/// The bounds on the waits of one exchange. They are never state of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds<'a> {
    /// The deadline of the whole request; while a head is received, also that of the head.
    pub(crate) until: Until<'a>,
    pub(crate) timeout: &'a Timeout,
    pub(crate) cell: &'a AbortCell,
}

impl<'a> Bounds<'a> {
    /// Starts the bound on the head, and returns the moment. It counts until the end of the exchange: reading the body has
    /// bounds of its own.
    pub(super) fn begin_head(&mut self) -> Moment {
        let mut moment = Moment::default();
        self.until = self.until.or_within_at(&mut moment, self.timeout.head, Bound::Head);
        moment
    }

    /// Fails if the token has fired or the deadline has passed. A peer that is faster than this client never lets a
    /// wait reach either, so both are checked between waits.
    pub(super) fn check(&self, phase: Phase) -> Result<(), Error> {
        self.until.check(phase)
    }

    /// Returns the end of one wait for input, which begins at this moment.
    pub(super) fn read_until(&self, moment: &mut Moment) -> Until<'a> {
        self.until.or_within_at(moment, self.timeout.read, Bound::Read)
    }

    /// Returns the end of the wait for the response to an `Expect: 100-continue`.
    pub(super) fn expect(&self) -> Until<'a> {
        self.until.or_within(Some(self.timeout.expect.unwrap_or(EXPECT)), Bound::Head)
    }

    /// Returns the wait of a write that begins at this moment. It also ends when a response begins to arrive.
    pub(super) fn write(&self, moment: &mut Moment) -> Wait<'a> {
        let until = self.until.or_within_at(moment, self.timeout.write, Bound::Write);
        Wait { watch_input: true, ..Wait::of(until, self.cell) }
    }

    /// Returns the wait of a write after an early response. The first byte that moves in either direction ends it.
    pub(super) fn write_on(&self, watch_input: bool) -> Wait<'a> {
        let until = self.until.or_within(self.timeout.write, Bound::Write);
        let until = until.or_within(Some(self.timeout.read.unwrap_or(STALL)), Bound::Read);
        Wait { watch_input, poll_first: true, ..Wait::of(until, self.cell) }
    }
}

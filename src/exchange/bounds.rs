//! What bounds the waits of an exchange.

use std::time::Duration;

use crate::error::{Bound, Error, ErrorKind, Phase};
use crate::net::abort::AbortCell;
use crate::net::transport::Wait;
use crate::time::{Timeout, Until};

/// How long a server's word is waited for where nothing is said. It answers at once if it knows what is asked of it; if
/// not, it waits for the body.
const EXPECT: Duration = Duration::from_secs(1);

/// How long neither direction may move after an early response where there is no bound on reading.
const STALL: Duration = Duration::from_secs(60);

/// What bounds the waits of one exchange. Nothing of it is ever state of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds<'a> {
    /// Of the whole request; while a head is received, also of that.
    pub(crate) until: Until<'a>,
    pub(crate) timeout: &'a Timeout,
    pub(crate) cell: &'a AbortCell,
}

impl<'a> Bounds<'a> {
    /// From now on, until a body is read with bounds of its own, the bound on the head counts too.
    pub(super) fn begin_head(&mut self) {
        self.until = self.until.or_within(self.timeout.head, Bound::Head);
    }

    /// A peer that is faster than we are never lets a wait end by its deadline; so that is looked at in between.
    pub(super) fn check(&self, phase: Phase) -> Result<(), Error> {
        match self.until.is_past() {
            true => Err(Error::new(ErrorKind::Timeout(self.until.bound()), phase)),
            false => Ok(()),
        }
    }

    pub(super) fn read_until(&self) -> Until<'a> {
        self.until.or_within(self.timeout.read, Bound::Read)
    }

    /// Until when a server's word on an `Expect: 100-continue` is waited for.
    pub(super) fn expect(&self) -> Until<'a> {
        self.until.or_within(Some(self.timeout.expect.unwrap_or(EXPECT)), Bound::Head)
    }

    /// A write also ends when a response begins to arrive.
    pub(super) fn write(&self) -> Wait<'a> {
        let until = self.until.or_within(self.timeout.write, Bound::Write);
        Wait { watch_input: true, ..Wait::new(until, self.cell) }
    }

    /// A write after an early response: the first byte that moves in either direction ends the wait.
    pub(super) fn write_on(&self, watch_input: bool) -> Wait<'a> {
        let until = self.until.or_within(self.timeout.write, Bound::Write);
        let until = until.or_within(Some(self.timeout.read.unwrap_or(STALL)), Bound::Read);
        Wait { watch_input, poll_first: true, ..Wait::new(until, self.cell) }
    }
}

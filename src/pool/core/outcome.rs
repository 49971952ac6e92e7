//! What the core answers: grants, tickets, and connections to close.

use crate::close_reason::CloseReason;
use crate::pool::arena::Id;
use crate::time::Stamp;

/// A place in the queue. Tickets are ordered by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(super) serial: u64,
    pub(super) waiter: Id,
}

/// A unit in a caller's hands; given back by exactly one of `opened`, `checkin`, `discard`, `settle`, `renew`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnitId(pub(super) Id);

/// What a caller of `checkout` may do.
#[derive(Debug)]
pub(crate) enum Grant<C> {
    /// Use this connection.
    Conn(Idle<C>),
    /// Open a connection.
    Permit { unit: UnitId },
}

/// A connection that was idle, and is the caller's now.
#[derive(Debug)]
pub(crate) struct Idle<C> {
    pub(crate) unit: UnitId,
    pub(crate) conn: C,
    /// When it was given back.
    pub(crate) since: Stamp,
    /// One that was idle no longer than this was dead.
    pub(crate) suspect: bool,
}

#[derive(Debug)]
pub(crate) enum Checkout<C> {
    Granted(Grant<C>),
    Queued(Ticket),
    Closed,
}

/// How a queued caller stands.
#[derive(Debug)]
pub(crate) enum Turn<C> {
    Waiting,
    Granted(Grant<C>),
    Closed,
    /// Ended from outside, or by the caller's own `cancel`.
    Cancelled,
}

/// A connection to close, and what becomes of its unit then.
#[derive(Debug)]
#[must_use = "the connection must be closed and its unit settled"]
pub(crate) struct Victim<C> {
    pub(crate) conn: C,
    pub(crate) reason: CloseReason,
    pub(crate) settle: Settle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settle {
    /// The caller dials in its place.
    Kept,
    /// The unit ends; whoever is next gets a permit.
    Release(UnitId),
    /// The unit's place goes to its own endpoint's oldest waiter, who wants another key.
    PassOn(UnitId),
}

/// At most two, so that what one operation does for others stays bounded.
pub(crate) type Victims<C> = [Option<Victim<C>>; 2];

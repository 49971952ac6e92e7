//! The core's answers: grants, tickets, and connections to close.

use crate::close_reason::CloseReason;
use crate::pool::arena::Id;
use crate::time::Stamp;

/// A place in the queue. An older ticket has a smaller serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(super) serial: u64,
    pub(super) waiter: Id,
}

/// A unit that a caller owns. `opened` and `renew` change its state. `checkin`, `discard`, `replace_dead` and `settle`
/// take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnitId(pub(super) Id);

/// A checkout's grant to a caller.
#[derive(Debug)]
pub(crate) enum Grant<C> {
    /// A connection that was idle.
    Conn(Idle<C>),
    /// The right to open a connection.
    Permit { unit: UnitId },
}

/// A connection that was idle and now belongs to a caller.
#[derive(Debug)]
pub(crate) struct Idle<C> {
    pub(crate) unit: UnitId,
    pub(crate) conn: C,
    /// The time at which it was given back.
    pub(crate) since: Stamp,
    /// True if a connection of its endpoint that had been idle no longer than this one was found dead.
    pub(crate) suspect: bool,
}

#[derive(Debug)]
pub(crate) enum Checkout<C> {
    Granted(Grant<C>),
    Queued(Ticket),
    Closed,
}

/// The state of a queued caller.
#[derive(Debug)]
pub(crate) enum Turn<C> {
    Waiting,
    Granted(Grant<C>),
    Closed,
    /// The wait was ended, by another thread or by `cancel`.
    Cancelled,
}

/// A connection to close, and what becomes of its unit afterwards.
#[derive(Debug)]
#[must_use = "the connection must be closed and its unit settled"]
pub(crate) struct Victim<C> {
    pub(crate) conn: C,
    pub(crate) reason: CloseReason,
    pub(crate) settle: Settle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settle {
    /// The unit stays with the caller, who dials in it.
    Kept,
    /// The unit ends. The next waiter gets a permit.
    Release(UnitId),
    /// The unit goes to the oldest waiter of its endpoint, who waits for another key.
    PassOn(UnitId),
}

/// Connections to close. There are at most two, so that the work of one operation is bounded.
pub(crate) type Victims<C> = [Option<Victim<C>>; 2];

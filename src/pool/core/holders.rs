//! Which thread holds the connections that a caller waits for.
//!
//! A caller that waits for connections of its own thread may wait for ever: the thread cannot give them back while it
//! waits. The pool cannot know it. A response may be on its way to another thread, and counts for that thread from the
//! first read there on.

use std::time::Duration;

use super::outcome::Ticket;
use super::state::{Core, State, Unit, WaiterTurn};
use crate::pool::types::{CoreTypes, Key, Touched};

/// The connections of a thread among those that have to come back before its turn comes.
#[derive(Debug)]
pub(crate) struct Holding<A> {
    /// The abort handle of one of them.
    pub(crate) one: Option<A>,
    /// How long the thread has held all of them, as far as this was asked. `None` if another thread holds one.
    pub(crate) alone_for: Option<Duration>,
    /// The thread holds a connection of the pool, perhaps one that it does not wait for.
    pub(crate) any: bool,
}

/// The connections that a refused caller waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pressure {
    /// The number of them that were not idle.
    pub(crate) in_use: usize,
    /// The number of them that the caller's own thread holds.
    pub(crate) held_here: usize,
    /// The number of callers that wait for the same endpoint.
    pub(crate) queued: usize,
}

impl<P: CoreTypes> Core<P> {
    /// Returns what `thread` holds of the connections that this ticket waits for. `waited` is the time since the wait
    /// began. Returns `None` if the ticket does not wait any more.
    ///
    /// While a thread waits it takes nothing and reads nothing. So if it holds all connections at two times, no other
    /// thread has touched or released one in between.
    pub(crate) fn held_by(&mut self, ticket: Ticket, thread: u64, waited: Duration) -> Option<Holding<P::Abort>> {
        let waiter = self.waiter(ticket).filter(|waiter| waiter.turn == WaiterTurn::Waiting)?;
        let (endpoint, since) = (self.entries[waiter.entry].endpoint, waiter.alone_since);
        // An endpoint below its own limit waits for the total limit, and so for any unit.
        let for_any = self.has_own_room(endpoint);
        let (mut one, mut all, mut any) = (None, true, false);
        for (_, unit) in self.units.iter() {
            let (own, awaited) = (unit.is_held_by(thread), for_any || unit.endpoint == endpoint);
            any |= own;
            match own {
                true if awaited => one = one.or(Some(unit)),
                false if awaited => all = false,
                _ => {}
            }
        }
        let (one, all) = (one.map(|unit| unit.abort.clone()), all && one.is_some());
        let since = all.then(|| since.unwrap_or(waited));
        self.waiters[ticket.waiter].alone_since = since;
        Some(Holding { one, alone_for: since.map(|since| waited.saturating_sub(since)), any })
    }

    /// Returns what a caller of `thread` meets who waits for this key.
    pub(crate) fn pressure(&self, key: &P::Key, thread: u64) -> Pressure {
        // An endpoint that is not known any more had no connection: its caller waited for the total limit.
        let endpoint = self.hosts.get(&key.endpoint()).copied();
        let queued = endpoint.map_or(0, |endpoint| self.endpoints[endpoint].queue.len());
        let endpoint = endpoint.filter(|&endpoint| !self.has_own_room(endpoint));
        let in_use = match endpoint.map(|endpoint| &self.endpoints[endpoint]) {
            Some(endpoint) => endpoint.open - endpoint.idle,
            None => self.units.len() - self.idle.len(),
        };
        let awaited = |unit: &Unit<P>| endpoint.is_none_or(|endpoint| unit.endpoint == endpoint);
        let own = self.units.iter().filter(|(_, unit)| awaited(unit) && unit.is_held_by(thread));
        Pressure { in_use, held_here: own.count(), queued }
    }
}

impl<P: CoreTypes> Unit<P> {
    /// Returns whether this thread opens the connection or uses it.
    fn is_held_by(&self, thread: u64) -> bool {
        matches!(self.state, State::Leased | State::Dialing) && self.abort.holder() == thread
    }
}

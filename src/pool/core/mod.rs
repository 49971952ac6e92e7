//! Decides for the pool: which caller gets a connection, which may open one, which waits, and what is closed.
//!
//! `Core` does no I/O, reads no clock, runs no user code and drops no connection. It hands out every connection that
//! must be closed: the caller closes it after the lock is released and then settles its unit. The core is generic over
//! the connection, so tests pool integers.
//!
//! A *unit* is one slot under the limits. It has one owner at a time: the idle list, the waiter that it was granted to,
//! or a caller, who dials, uses the connection or closes it. A unit ends only when its socket is closed.
//!
//! `audit` checks these invariants:
//! - units of an endpoint <= its limit; all units, less those whose slot was passed on while they close, <= the total
//!   limit;
//! - all idle connections <= `max_idle`;
//! - an endpoint with waiters has no idle connection, and is at its own limit or the total limit is reached;
//! - if only the total limit holds a waiter back, no endpoint has an idle connection.

use super::arena::{Id, Link};
use super::types::{CoreTypes, Ending, Touched, Wake};
use crate::close_reason::CloseReason;
use crate::time::Stamp;

#[cfg(any(test, fuzzing))]
mod audit;
mod holders;
mod idle;
mod keys;
#[cfg(test)]
mod keys_tests;
#[cfg(all(any(test, fuzzing), not(any(hostpool_loom, hostpool_shuttle))))]
pub(crate) mod model;
mod outcome;
#[cfg(test)]
pub(super) mod script;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use holders::{Holding, Pressure};
use idle::Place;
#[cfg(test)]
pub(crate) use idle::SeenIdle;
pub(crate) use keys::PinId;
pub(crate) use outcome::{Checkout, Grant, Idle, Settle, Ticket, Turn, UnitId, Victim, Victims};
pub(crate) use state::Core;
use state::{State, Unit, Waiter, WaiterTurn};

/// The number of hand-overs in a row, within one endpoint, that may pass an older waiter whom only the total limit
/// holds back. After them the next connection is closed for the oldest such waiter: a busy host must not starve the
/// others.
const HANDOVERS_IN_A_ROW: u32 = 16;

impl<P: CoreTypes> Core<P> {
    /// Returns a connection, a permit to open one, or a place in the queue, together with connections that the caller
    /// has to close first.
    ///
    /// `thread` is the number of the caller's thread. `abort` and `waker` are called only if their values are needed.
    pub(crate) fn checkout(
        &mut self,
        key: &P::Key,
        now: Stamp,
        thread: u64,
        abort: impl Fn() -> P::Abort,
        waker: impl Fn() -> P::Waker,
    ) -> (Checkout<P::Conn>, Victims<P::Conn>) {
        if self.closed {
            return (Checkout::Closed, [None, None]);
        }
        let entry = self.find_or_add_entry(key);
        let endpoint = self.entries[entry].endpoint;
        if self.endpoints[endpoint].queue.is_empty() {
            if let Some(unit) = self.entries[entry].idle.newest() {
                return self.take_newest(unit, now, thread);
            }
            if self.has_own_room(endpoint) && self.has_total_room() {
                let unit = self.new_unit(entry, thread, abort());
                return (Checkout::Granted(Grant::Permit { unit }), self.sweep(now));
            }
            if let Some((unit, victim)) = self.make_room(entry, endpoint, thread, &abort) {
                return (Checkout::Granted(Grant::Permit { unit }), [Some(victim), None]);
            }
        }
        let ticket = self.enqueue(entry, endpoint, waker(), abort());
        (Checkout::Queued(ticket), [None, None])
    }

    fn take_newest(&mut self, id: Id, now: Stamp, thread: u64) -> (Checkout<P::Conn>, Victims<P::Conn>) {
        let expired = self.units[id].expires.is_some_and(|at| at <= now);
        let conn = self.take_idle(id);
        if expired {
            // The unit stays: the caller closes the connection and dials in its place.
            let reason = self.expiry_reason(id, now);
            self.count_closed(id, reason);
            self.begin_anew(id);
            self.set_dialing(id, thread);
            let victim = Victim { conn, reason, settle: Settle::Kept };
            return (Checkout::Granted(Grant::Permit { unit: UnitId(id) }), [Some(victim), None]);
        }
        self.count_reuse(self.units[id].entry);
        (Checkout::Granted(Grant::Conn(self.lease(id, conn, now, thread))), self.sweep(now))
    }

    /// Closes an idle connection so that the caller need not wait. If the endpoint is at its own limit, this is its
    /// oldest idle connection, which has another key. Otherwise it is the oldest idle connection of all endpoints.
    fn make_room(
        &mut self,
        entry: Id,
        endpoint: Id,
        thread: u64,
        abort: impl Fn() -> P::Abort,
    ) -> Option<(UnitId, Victim<P::Conn>)> {
        let own = !self.has_own_room(endpoint);
        let victim = if own { self.oldest_of(endpoint) } else { self.idle.oldest() }?;
        let conn = self.take_idle(victim);
        let reason = CloseReason::EvictedForLimit;
        self.count_closed(victim, reason);
        if self.units[victim].endpoint == endpoint {
            self.move_to_entry(victim, entry);
            self.begin_anew(victim);
            self.set_dialing(victim, thread);
            return Some((UnitId(victim), Victim { conn, reason, settle: Settle::Kept }));
        }
        // The victim counts for its own endpoint until it is closed. Its slot under the total limit goes to the caller,
        // who closes the victim before dialing.
        let unit = &mut self.units[victim];
        unit.state = State::Closing;
        unit.transferred = true;
        self.transferred += 1;
        let unit = self.new_unit(entry, thread, abort());
        Some((unit, Victim { conn, reason, settle: Settle::Release(UnitId(victim)) }))
    }

    /// Returns what became of a ticket. Every answer but `Waiting` ends the ticket.
    pub(crate) fn turn(&mut self, ticket: Ticket, now: Stamp, thread: u64) -> Turn<P::Conn> {
        match self.waiter(ticket).map(|waiter| waiter.turn) {
            Some(WaiterTurn::Waiting) => Turn::Waiting,
            Some(WaiterTurn::Granted(unit)) => {
                self.end_waiter(ticket.waiter);
                let grant = match self.units[unit].conn.take() {
                    Some(conn) => Grant::Conn(self.lease(unit, conn, now, thread)),
                    None => {
                        self.set_dialing(unit, thread);
                        Grant::Permit { unit: UnitId(unit) }
                    }
                };
                Turn::Granted(grant)
            }
            Some(WaiterTurn::Closed) => {
                self.end_waiter(ticket.waiter);
                Turn::Closed
            }
            Some(WaiterTurn::Cancelled) => {
                self.end_waiter(ticket.waiter);
                Turn::Cancelled
            }
            None => Turn::Cancelled,
        }
    }

    /// Ends a wait. Returns the grant if it came first, so that it is not lost.
    pub(crate) fn cancel(&mut self, ticket: Ticket, now: Stamp, thread: u64) -> Turn<P::Conn> {
        self.interrupt(ticket);
        self.turn(ticket, now, thread)
    }

    /// Ends a wait from another thread. The waiter wakes and finds `Cancelled`, unless its turn had come already.
    pub(crate) fn interrupt(&mut self, ticket: Ticket) {
        let Some(waiter) = self.waiter(ticket) else { return };
        if waiter.turn != WaiterTurn::Waiting {
            return;
        }
        let endpoint = self.entries[waiter.entry].endpoint;
        self.endpoints[endpoint].queue.unlink(&mut self.waiters, ticket.waiter);
        let waiter = &mut self.waiters[ticket.waiter];
        waiter.turn = WaiterTurn::Cancelled;
        waiter.waker.wake();
        self.update_held(endpoint);
    }

    fn waiter(&self, ticket: Ticket) -> Option<&Waiter<P>> {
        self.waiters.get(ticket.waiter).filter(|waiter| waiter.ticket == ticket.serial)
    }

    fn end_waiter(&mut self, id: Id) {
        if let Some(waiter) = self.waiters.remove(id) {
            self.unref(waiter.entry);
        }
    }

    /// Notes that the dial of a permit succeeded.
    pub(crate) fn opened(&mut self, unit: UnitId, now: Stamp) {
        let unit = &mut self.units[unit.0];
        unit.state = State::Leased;
        unit.born = Some(now);
        let entry = unit.entry;
        self.dialing -= 1;
        self.count_opened(entry);
    }

    /// Takes a connection back. Hands it to the oldest waiter, or keeps it idle, or returns it as an error if it has to
    /// be closed. If more connections are idle then than `max_idle` allows, returns the one that has been idle for
    /// longest, to be closed.
    ///
    /// `keep_until` is the time until which the server keeps the connection, by its own word.
    pub(crate) fn checkin(
        &mut self,
        unit: UnitId,
        conn: P::Conn,
        now: Stamp,
        keep_until: Option<Stamp>,
    ) -> Result<Option<Victim<P::Conn>>, Victim<P::Conn>> {
        let id = unit.0;
        // Callers read the clock before they get the lock, so an earlier time may come later. It must not put the list
        // out of order.
        let now = self.idle.newest().and_then(|newest| self.units[newest].since).map_or(now, |since| now.max(since));
        let Unit { endpoint, entry, born, .. } = self.units[id];
        let expires = self.expiry(born, now, keep_until);
        match self.place_of(id, now, expires) {
            Err((reason, settle)) => {
                self.units[id].state = State::Closing;
                self.count_closed(id, reason);
                return Err(Victim { conn, reason, settle });
            }
            Ok(mut place) => {
                let is_idle = place.endpoint.queue.is_empty();
                let links = if is_idle { place.list(id) } else { [Link::UNLINKED; 2] };
                let unit = &mut place.units[id];
                (unit.since, unit.expires, unit.conn, unit.links) = (Some(now), expires, Some(conn), links);
                if is_idle {
                    unit.state = State::Idle;
                    return Ok(match self.settings.max_idle.is_some_and(|most| self.idle.len() > most) {
                        true => self.evict_oldest(CloseReason::EvictedForLimit),
                        false => None,
                    });
                }
            }
        }
        self.count_reuse(entry);
        self.count(entry, |stats| stats.handed_over += 1);
        self.grant_oldest(endpoint, id);
        Ok(None)
    }

    /// Returns where a connection that comes back is kept; or why it is not kept, and what becomes of its unit.
    // It returns the entries that it has looked up: this saves 40 instructions each time.
    #[inline(always)]
    fn place_of(&mut self, id: Id, now: Stamp, expires: Option<Stamp>) -> Result<Place<'_, P>, (CloseReason, Settle)> {
        let release = Settle::Release(UnitId(id));
        let Core { settings, closed, entries, endpoints, units, idle, waiters, held_by_total, .. } = self;
        let unit = &units[id];
        let (endpoint, entry) = (&mut endpoints[unit.endpoint], &mut entries[unit.entry]);
        if *closed {
            return Err((CloseReason::PoolClosed, release));
        }
        if unit.serial < entry.retired_before {
            return Err((entry.retired_for, release));
        }
        if expires.is_some_and(|at| at <= now) {
            return Err((settings.expiry_reason(unit.born, now), release));
        }
        if let Some(oldest) = endpoint.queue.oldest() {
            let oldest = &waiters[oldest];
            // A hand-over counts only if it passes an older waiter. The slot of a closed connection goes to the oldest
            // ticket of all endpoints.
            let overtakes = held_by_total.first().is_some_and(|&(ticket, _)| ticket < oldest.ticket);
            endpoint.handovers = if overtakes { endpoint.handovers + 1 } else { 0 };
            if endpoint.handovers > HANDOVERS_IN_A_ROW {
                endpoint.handovers = 0;
                return Err((CloseReason::EvictedForLimit, release));
            }
            if oldest.entry != unit.entry {
                return Err((CloseReason::EvictedForLimit, Settle::PassOn(UnitId(id))));
            }
            return Ok(Place { units, idle, endpoint, entry });
        }
        endpoint.handovers = 0;
        if !held_by_total.is_empty() {
            return Err((CloseReason::EvictedForLimit, release));
        }
        match settings.idle_limit.is_some_and(|limit| endpoint.idle >= limit) {
            true => Err((CloseReason::PoolFull, release)),
            false => Ok(Place { units, idle, endpoint, entry }),
        }
    }

    /// Ends a unit whose connection or dial has ended. Its socket is closed already.
    #[must_use = "a victim must be closed and settled"]
    pub(crate) fn discard(&mut self, unit: UnitId, ending: Ending) -> Option<Victim<P::Conn>> {
        match ending {
            Ending::Unused => {}
            Ending::DialFailed => self.count(self.units[unit.0].entry, |stats| stats.dial_failures += 1),
            Ending::Closed(reason) => self.count_closed(unit.0, reason),
        }
        self.settle(Settle::Release(unit))
    }

    /// Ends a unit whose connection is closed, or passes it on. Returns a further connection that has to be closed, if
    /// there is one.
    #[must_use = "a victim must be closed and settled"]
    pub(crate) fn settle(&mut self, settle: Settle) -> Option<Victim<P::Conn>> {
        match settle {
            Settle::Kept => {}
            Settle::Release(unit) => self.release(unit.0),
            Settle::PassOn(unit) => {
                let endpoint = self.units[unit.0].endpoint;
                match self.endpoints[endpoint].queue.oldest() {
                    Some(oldest) => {
                        self.move_to_entry(unit.0, self.waiters[oldest].entry);
                        self.begin_anew(unit.0);
                        self.grant_oldest(endpoint, unit.0);
                    }
                    None => self.release(unit.0),
                }
            }
        }
        self.evict_for_held()
    }

    /// Closes an idle connection if only the total limit holds a waiter back. That can happen here: the waiter's own
    /// endpoint was full with a connection whose slot had been passed on, and which is closed only now.
    fn evict_for_held(&mut self) -> Option<Victim<P::Conn>> {
        if self.held_by_total.is_empty() {
            return None;
        }
        self.evict_oldest(CloseReason::EvictedForLimit)
    }

    /// Uses the unit of a leased connection, which is closed, to dial another. Connections of the endpoint that have
    /// been idle as long are looked at before use from now on.
    pub(crate) fn renew(&mut self, unit: UnitId, since: Stamp, reason: CloseReason) {
        self.count_closed(unit.0, reason);
        self.suspect(unit.0, since);
        self.set_dialing(unit.0, self.units[unit.0].abort.holder());
    }

    /// Replaces a connection that was found dead at checkout and is closed. Another idle connection takes its place if
    /// there is one. Otherwise its unit is used to dial.
    pub(crate) fn replace_dead(
        &mut self,
        unit: UnitId,
        since: Stamp,
        reason: CloseReason,
        now: Stamp,
    ) -> (Grant<P::Conn>, Option<Victim<P::Conn>>) {
        let entry = self.units[unit.0].entry;
        self.uncount_reuse(entry);
        let next = self.entries[entry].idle.newest();
        let Some(next) = next.filter(|&next| self.units[next].expires.is_none_or(|at| at > now)) else {
            self.begin_anew(unit.0);
            self.renew(unit, since, reason);
            return (Grant::Permit { unit }, None);
        };
        self.count_closed(unit.0, reason);
        self.suspect(unit.0, since);
        self.count_reuse(entry);
        let conn = self.take_idle(next);
        let grant = Grant::Conn(self.lease(next, conn, now, self.units[unit.0].abort.holder()));
        (grant, self.settle(Settle::Release(unit)))
    }

    fn suspect(&mut self, id: Id, since: Stamp) {
        let until = &mut self.endpoints[self.units[id].endpoint].suspect_until;
        *until = Some(until.map_or(since, |until| until.max(since)));
    }

    /// Returns the abort handles of all connections that callers use or open; with a key, of its connections.
    pub(crate) fn aborts(&self, key: Option<&P::Key>) -> Vec<P::Abort> {
        let entry = key.map(|key| self.keys.get(key).copied());
        let out = |unit: &&Unit<P>| {
            matches!(unit.state, State::Dialing | State::Leased | State::Granted)
                && entry.is_none_or(|entry| entry == Some(unit.entry))
        };
        self.units.iter().map(|(_, unit)| unit).filter(out).map(|unit| unit.abort.clone()).collect()
    }

    /// Ends all waits; with a key, those for it.
    pub(crate) fn interrupt_all(&mut self, key: Option<&P::Key>) {
        let entry = key.map(|key| self.keys.get(key).copied());
        let is_meant = |waiter: &Waiter<P>| entry.is_none_or(|entry| entry == Some(waiter.entry));
        let tickets: Vec<Ticket> = self
            .waiters
            .iter()
            .filter(|(_, waiter)| is_meant(waiter))
            .map(|(id, waiter)| Ticket { serial: waiter.ticket, waiter: id })
            .collect();
        for ticket in tickets {
            self.interrupt(ticket);
        }
    }

    /// Returns the time at which the connection of a unit expired or will expire, as it was when it came back last.
    pub(crate) fn expires(&self, unit: UnitId) -> Option<Stamp> {
        self.units[unit.0].expires
    }

    pub(crate) fn abort_of(&self, unit: UnitId) -> P::Abort {
        self.units[unit.0].abort.clone()
    }

    /// Closes the pool: refuses later callers, wakes all waiters, and returns every idle connection, to be closed.
    pub(crate) fn close(&mut self) -> Vec<Victim<P::Conn>> {
        self.closed = true;
        let waiting: Vec<Id> =
            self.waiters.iter().filter(|(_, w)| w.turn == WaiterTurn::Waiting).map(|w| w.0).collect();
        self.close_waits(waiting);
        self.drain_idle(CloseReason::PoolClosed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns whether no connection is open, being opened or being closed.
    pub(crate) fn is_empty(&self) -> bool {
        self.units.len() == 0
    }

    /// Returns every idle connection, to be closed. Connections in use are closed when they come back. Waiters stay.
    pub(crate) fn retire_idle(&mut self) -> Vec<Victim<P::Conn>> {
        for entry in self.entries.iter_mut() {
            (entry.retired_before, entry.retired_for) = (self.next_serial, CloseReason::Retired);
        }
        self.drain_idle(CloseReason::Retired)
    }

    /// Does the same in a child of `fork`, except for the unit that is dialed here.
    pub(crate) fn retire_all_but(&mut self, dialing: UnitId) -> Vec<Victim<P::Conn>> {
        let victims = self.retire_idle();
        self.units[dialing.0].serial = self.next_serial;
        self.next_serial += 1;
        victims
    }

    /// Does the same for one key. Connections that are opened later are kept again.
    pub(crate) fn retire(&mut self, key: &P::Key) -> Vec<Victim<P::Conn>> {
        self.end_key(key, CloseReason::Retired)
    }

    /// Retires a key and wakes its waiters, to whom the pool is closed. Later callers are served.
    pub(crate) fn close_key(&mut self, key: &P::Key) -> Vec<Victim<P::Conn>> {
        let Some(&entry) = self.keys.get(key) else { return Vec::new() };
        let queue = self.endpoints[self.entries[entry].endpoint].queue;
        let waiting = queue.iter(&self.waiters).filter(|&id| self.waiters[id].entry == entry).collect();
        self.close_waits(waiting);
        self.end_key(key, CloseReason::PoolClosed)
    }

    fn end_key(&mut self, key: &P::Key, reason: CloseReason) -> Vec<Victim<P::Conn>> {
        let Some(&id) = self.keys.get(key) else { return Vec::new() };
        let entry = &mut self.entries[id];
        (entry.retired_before, entry.retired_for) = (self.next_serial, reason);
        let mut victims = Vec::with_capacity(entry.idle.len());
        while let Some(oldest) = self.entries[id].idle.oldest() {
            victims.push(self.evict(oldest, reason));
        }
        victims
    }

    fn close_waits(&mut self, waiting: Vec<Id>) {
        for id in waiting {
            let endpoint = self.entries[self.waiters[id].entry].endpoint;
            self.endpoints[endpoint].queue.unlink(&mut self.waiters, id);
            let waiter = &mut self.waiters[id];
            waiter.turn = WaiterTurn::Closed;
            waiter.waker.wake();
            self.update_held(endpoint);
        }
    }

    fn drain_idle(&mut self, reason: CloseReason) -> Vec<Victim<P::Conn>> {
        let mut victims = Vec::with_capacity(self.idle.len());
        while let Some(id) = self.idle.oldest() {
            victims.push(self.evict(id, reason));
        }
        victims
    }

    fn has_own_room(&self, endpoint: Id) -> bool {
        self.settings.open_limit.is_none_or(|limit| self.endpoints[endpoint].open < limit)
    }

    fn has_total_room(&self) -> bool {
        self.settings.total_limit.is_none_or(|limit| self.units.len() - self.transferred < limit)
    }

    fn new_unit(&mut self, entry: Id, thread: u64, abort: P::Abort) -> UnitId {
        let endpoint = self.entries[entry].endpoint;
        self.entries[entry].refs += 1;
        self.endpoints[endpoint].open += 1;
        let id = self.units.insert(Unit {
            entry,
            endpoint,
            serial: 0,
            conn: None,
            abort,
            state: State::Closing,
            born: None,
            since: None,
            expires: None,
            transferred: false,
            links: [Link::UNLINKED; 2],
        });
        self.set_dialing(id, thread);
        UnitId(id)
    }

    /// Keeps the call that gets the unit of an idle connection from being ended by what came before it. The close of the
    /// pool ends it all the same, and so does a cancel of all calls, which it finds by their count.
    fn begin_anew(&mut self, id: Id) {
        if !self.is_closed() {
            self.units[id].abort.begin_anew();
        }
    }

    /// Gives the unit to a caller, who opens a connection in it.
    fn set_dialing(&mut self, id: Id, thread: u64) {
        let unit = &mut self.units[id];
        unit.state = State::Dialing;
        unit.abort.set_holder(thread);
        unit.serial = self.next_serial;
        unit.since = None;
        self.next_serial += 1;
        self.dialing += 1;
    }

    fn enqueue(&mut self, entry: Id, endpoint: Id, waker: P::Waker, abort: P::Abort) -> Ticket {
        self.entries[entry].refs += 1;
        let serial = self.next_serial;
        self.next_serial += 1;
        let (turn, alone_since, link) = (WaiterTurn::Waiting, None, Link::UNLINKED);
        let waiter = self.waiters.insert(Waiter { ticket: serial, entry, waker, abort, turn, alone_since, link });
        self.endpoints[endpoint].queue.push(&mut self.waiters, waiter);
        self.update_held(endpoint);
        Ticket { serial, waiter }
    }

    fn grant_oldest(&mut self, endpoint: Id, unit: Id) {
        let Some(oldest) = self.endpoints[endpoint].queue.oldest() else { return };
        self.units[unit].state = State::Granted;
        self.endpoints[endpoint].queue.unlink(&mut self.waiters, oldest);
        let waiter = &mut self.waiters[oldest];
        waiter.turn = WaiterTurn::Granted(unit);
        waiter.waker.wake();
        self.update_held(endpoint);
    }

    fn release(&mut self, id: Id) {
        let Some(unit) = self.units.remove(id) else { return };
        self.dialing -= usize::from(unit.state == State::Dialing);
        self.transferred -= usize::from(unit.transferred);
        let endpoint = unit.endpoint;
        self.endpoints[endpoint].open -= 1;
        self.update_held(endpoint);
        self.grant_permits();
        self.unref(unit.entry);
    }

    /// Updates `held_by_total` after the endpoint's queue or its number of units changed.
    fn update_held(&mut self, id: Id) {
        let room = self.has_own_room(id);
        let endpoint = &mut self.endpoints[id];
        let oldest = endpoint.queue.oldest().filter(|_| room).map(|waiter| self.waiters[waiter].ticket);
        if endpoint.held == oldest {
            return;
        }
        if let Some(ticket) = std::mem::replace(&mut endpoint.held, oldest) {
            self.held_by_total.remove(&(ticket, id));
        }
        if let Some(ticket) = oldest {
            self.held_by_total.insert((ticket, id));
        }
    }

    /// Grants permits to the oldest waiters that only the total limit holds back, as long as it has room.
    fn grant_permits(&mut self) {
        while self.has_total_room() {
            let Some(&(_, endpoint)) = self.held_by_total.first() else { return };
            let Some(oldest) = self.endpoints[endpoint].queue.oldest() else { return };
            let waiter = &self.waiters[oldest];
            let (entry, abort) = (waiter.entry, waiter.abort.clone());
            // The unit is granted and not yet dialed. `turn` notes the thread and counts the dial.
            let unit = self.new_unit(entry, 0, abort);
            self.dialing -= 1;
            self.grant_oldest(endpoint, unit.0);
        }
    }
}

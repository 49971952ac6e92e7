//! The pool's decisions: who gets a connection, who may open one, who waits, what is closed.
//!
//! `Core` does no I/O, reads no clock, runs no user code and drops no connection: whatever is to be closed is handed to
//! the caller, who closes it after the lock is gone and then settles its unit. It is generic over the connection, so
//! that tests pool integers.
//!
//! A *unit* is one place under the limits, and has one owner at a time: the idle list, a waiter it was granted to, or a
//! caller (who dials, uses the connection, or closes it). It ends only when its socket is closed.
//!
//! Invariants, which `audit` checks:
//! - units of an endpoint <= its limit; all units, less those whose place was passed on while they close, <= the total;
//! - all idle connections <= `max_idle`;
//! - an endpoint with waiters has no idle connection, and is at its own limit or the total is full;
//! - if a waiter is held back by the total alone, no endpoint has an idle connection.

use super::arena::{Id, Link};
use super::types::{CoreTypes, Ending, Wake};
use crate::close_reason::CloseReason;
use crate::time::Stamp;

#[cfg(any(test, fuzzing))]
mod audit;
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

#[cfg(test)]
pub(crate) use idle::SeenIdle;
pub(crate) use keys::PinId;
pub(crate) use outcome::{Checkout, Grant, Idle, Settle, Ticket, Turn, UnitId, Victim, Victims};
pub(crate) use state::Core;
use state::{State, Unit, Waiter, WaiterTurn};

/// After so many hand-overs in a row within one endpoint, each past an older waiter that only the total holds back, the
/// next connection is closed for the oldest of these: a busy host must not starve the rest.
const HANDOVERS_IN_A_ROW: u32 = 16;

impl<P: CoreTypes> Core<P> {
    /// A connection, a permit to open one, or a place in the queue; and what has to be closed, first of all.
    ///
    /// `by` is the caller's thread. `abort` and `waker` are made only where they are needed.
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
            // Its unit stays: the caller closes it and dials in its place.
            let reason = self.expiry_reason(id, now);
            self.count_closed(id, reason);
            self.set_dialing(id, thread);
            let victim = Victim { conn, reason, settle: Settle::Kept };
            return (Checkout::Granted(Grant::Permit { unit: UnitId(id) }), [Some(victim), None]);
        }
        self.count(self.units[id].entry, |stats| stats.reused += 1);
        (Checkout::Granted(Grant::Conn(self.lease(id, conn, now, thread))), self.sweep(now))
    }

    /// Closes an idle connection rather than making the caller wait: one of the own endpoint with another key where its
    /// own limit is reached, else the one of all that sat idle for longest.
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
            self.set_dialing(victim, thread);
            return Some((UnitId(victim), Victim { conn, reason, settle: Settle::Kept }));
        }
        // The victim still counts for its own endpoint until it is closed; its place under the total goes to the
        // caller, who closes it before dialing.
        let unit = &mut self.units[victim];
        unit.state = State::Closing;
        unit.transferred = true;
        self.transferred += 1;
        let unit = self.new_unit(entry, thread, abort());
        Some((unit, Victim { conn, reason, settle: Settle::Release(UnitId(victim)) }))
    }

    /// What became of a ticket. Anything but `Waiting` ends it.
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

    /// Ends a wait. A grant that came first is not lost: it is the answer.
    pub(crate) fn cancel(&mut self, ticket: Ticket, now: Stamp, thread: u64) -> Turn<P::Conn> {
        self.interrupt(ticket);
        self.turn(ticket, now, thread)
    }

    /// Ends a wait from outside: its thread wakes and finds `Cancelled`, unless its turn had come.
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

    /// The dial of a permit succeeded.
    pub(crate) fn opened(&mut self, unit: UnitId, now: Stamp) {
        let unit = &mut self.units[unit.0];
        unit.state = State::Leased;
        unit.born = Some(now);
        let entry = unit.entry;
        self.dialing -= 1;
        self.count(entry, |stats| stats.created += 1);
    }

    /// Takes a connection back, or hands it over to the oldest waiter; or answers why it has to be closed. Where more
    /// are idle then than `max_idle` allows, the one that has been idle for longest is closed in its place.
    ///
    /// `keep_until` is the server's own word on how long it keeps the connection.
    pub(crate) fn checkin(
        &mut self,
        unit: UnitId,
        conn: P::Conn,
        now: Stamp,
        keep_until: Option<Stamp>,
    ) -> Result<Option<Victim<P::Conn>>, Victim<P::Conn>> {
        let id = unit.0;
        let Unit { endpoint, entry, born, .. } = self.units[id];
        // Callers read the clock before they get the lock: a time that comes late must not put the list out of order.
        let now = self.idle.newest().and_then(|newest| self.units[newest].since).map_or(now, |since| now.max(since));
        let expires = self.expiry(born, now, keep_until);
        if let Some((reason, settle)) = self.refusal(id, now, expires) {
            self.units[id].state = State::Closing;
            self.count_closed(id, reason);
            return Err(Victim { conn, reason, settle });
        }
        let unit = &mut self.units[id];
        unit.since = Some(now);
        unit.expires = expires;
        unit.conn = Some(conn);
        if self.endpoints[endpoint].queue.is_empty() {
            unit.state = State::Idle;
            self.list_idle(id, endpoint, entry);
            if self.settings.max_idle.is_some_and(|most| self.idle.len() > most) {
                return Ok(self.evict_oldest(CloseReason::EvictedForLimit));
            }
        } else {
            self.count(entry, |stats| {
                stats.reused += 1;
                stats.handed_over += 1;
            });
            self.grant_oldest(endpoint, id);
        }
        Ok(None)
    }

    /// Why a connection that comes back is not kept, and what becomes of its unit.
    fn refusal(&mut self, id: Id, now: Stamp, expires: Option<Stamp>) -> Option<(CloseReason, Settle)> {
        let release = Settle::Release(UnitId(id));
        let unit = &self.units[id];
        let endpoint = &mut self.endpoints[unit.endpoint];
        if self.closed {
            return Some((CloseReason::PoolClosed, release));
        }
        let entry = &self.entries[unit.entry];
        if unit.serial < entry.retired_before {
            return Some((entry.retired_for, release));
        }
        if expires.is_some_and(|at| at <= now) {
            return Some((self.expiry_reason(id, now), release));
        }
        if let Some(oldest) = endpoint.queue.oldest() {
            let oldest = &self.waiters[oldest];
            // Only what overtakes counts: the place of a closed connection goes to the oldest ticket of all.
            let overtakes = self.held_by_total.first().is_some_and(|&(ticket, _)| ticket < oldest.ticket);
            endpoint.handovers = if overtakes { endpoint.handovers + 1 } else { 0 };
            if endpoint.handovers > HANDOVERS_IN_A_ROW {
                endpoint.handovers = 0;
                return Some((CloseReason::EvictedForLimit, release));
            }
            let same_key = oldest.entry == unit.entry;
            return (!same_key).then_some((CloseReason::EvictedForLimit, Settle::PassOn(UnitId(id))));
        }
        endpoint.handovers = 0;
        if !self.held_by_total.is_empty() {
            return Some((CloseReason::EvictedForLimit, release));
        }
        let full = self.settings.idle_limit.is_some_and(|limit| endpoint.idle >= limit);
        full.then_some((CloseReason::PoolFull, release))
    }

    /// The connection of this unit, or its dial, has ended, and the socket is closed.
    #[must_use = "a victim must be closed and settled"]
    pub(crate) fn discard(&mut self, unit: UnitId, ending: Ending) -> Option<Victim<P::Conn>> {
        match ending {
            Ending::Unused => {}
            Ending::DialFailed => self.count(self.units[unit.0].entry, |stats| stats.dial_failures += 1),
            Ending::Closed(reason) => self.count_closed(unit.0, reason),
        }
        self.settle(Settle::Release(unit))
    }

    /// The connection of a victim is closed: its unit ends or goes on. One more may have to follow it.
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
                        self.grant_oldest(endpoint, unit.0);
                    }
                    None => self.release(unit.0),
                }
            }
        }
        self.evict_for_held()
    }

    /// A waiter can come to be held back by the total while others sit idle: when its own endpoint was full with a
    /// connection whose place had been passed on, and which is closed only now.
    fn evict_for_held(&mut self) -> Option<Victim<P::Conn>> {
        if self.held_by_total.is_empty() {
            return None;
        }
        self.evict_oldest(CloseReason::EvictedForLimit)
    }

    /// A leased connection is closed; its unit is used to dial another. What sat idle as long is no longer trusted.
    pub(crate) fn renew(&mut self, unit: UnitId, since: Stamp, reason: CloseReason) {
        self.count_closed(unit.0, reason);
        self.suspect(unit.0, since);
        self.set_dialing(unit.0, self.units[unit.0].holder);
    }

    /// A connection just checked out is found dead, and closed. Another idle one takes its place where there is one;
    /// else its unit is used to dial.
    pub(crate) fn replace_dead(
        &mut self,
        unit: UnitId,
        since: Stamp,
        reason: CloseReason,
        now: Stamp,
    ) -> (Grant<P::Conn>, Option<Victim<P::Conn>>) {
        let entry = self.units[unit.0].entry;
        self.count(entry, |stats| stats.reused -= 1);
        let next = self.entries[entry].idle.newest();
        let Some(next) = next.filter(|&next| self.units[next].expires.is_none_or(|at| at > now)) else {
            self.renew(unit, since, reason);
            return (Grant::Permit { unit }, None);
        };
        self.count_closed(unit.0, reason);
        self.suspect(unit.0, since);
        self.count(entry, |stats| stats.reused += 1);
        let conn = self.take_idle(next);
        let grant = Grant::Conn(self.lease(next, conn, now, self.units[unit.0].holder));
        (grant, self.settle(Settle::Release(unit)))
    }

    fn suspect(&mut self, id: Id, since: Stamp) {
        let until = &mut self.endpoints[self.units[id].endpoint].suspect_until;
        *until = Some(until.map_or(since, |until| until.max(since)));
    }

    /// Reaches into every connection that a caller has or opens.
    pub(crate) fn aborts(&self) -> Vec<P::Abort> {
        let out = |unit: &&Unit<P>| matches!(unit.state, State::Dialing | State::Leased | State::Granted);
        self.units.iter().map(|(_, unit)| unit).filter(out).map(|unit| unit.abort.clone()).collect()
    }

    /// Of the units that have to come back before this ticket's turn comes: one that this thread took, and whether it
    /// took them all.
    pub(crate) fn held_by(&self, ticket: Ticket, thread: u64) -> Option<(P::Abort, bool)> {
        let waiter = self.waiter(ticket).filter(|waiter| waiter.turn == WaiterTurn::Waiting)?;
        let endpoint = self.entries[waiter.entry].endpoint;
        // With room of its own it waits for the total, and so for any.
        let any = self.has_own_room(endpoint);
        let (mut held, mut all) = (None, true);
        for (_, unit) in self.units.iter().filter(|(_, unit)| any || unit.endpoint == endpoint) {
            match unit.holder == thread && matches!(unit.state, State::Leased | State::Dialing) {
                true => held = held.or(Some(unit)),
                false => all = false,
            }
        }
        held.map(|unit| (unit.abort.clone(), all))
    }

    pub(crate) fn abort_of(&self, unit: UnitId) -> P::Abort {
        self.units[unit.0].abort.clone()
    }

    /// Refuses all that comes, wakes all that wait, and gives out every idle connection to be closed.
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

    /// Nothing is open, or being opened or closed.
    pub(crate) fn is_empty(&self) -> bool {
        self.units.len() == 0
    }

    /// Gives out every idle connection to be closed; those in use now are closed when they come back. Waiters stay.
    pub(crate) fn retire_idle(&mut self) -> Vec<Victim<P::Conn>> {
        for entry in self.entries.iter_mut() {
            (entry.retired_before, entry.retired_for) = (self.next_serial, CloseReason::Retired);
        }
        self.drain_idle(CloseReason::Retired)
    }

    /// The same in a child of `fork`, but for the unit that is dialed here.
    pub(crate) fn retire_all_but(&mut self, dialing: UnitId) -> Vec<Victim<P::Conn>> {
        let victims = self.retire_idle();
        self.units[dialing.0].serial = self.next_serial;
        self.next_serial += 1;
        victims
    }

    /// The same for one key: its later connections are kept again.
    pub(crate) fn retire(&mut self, key: &P::Key) -> Vec<Victim<P::Conn>> {
        self.end_key(key, CloseReason::Retired)
    }

    /// Retires a key, and wakes who waits for it: to them the pool is closed. Whoever comes later is served.
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
            holder: thread,
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

    /// The unit is in the hands of a caller who opens a connection for it.
    fn set_dialing(&mut self, id: Id, thread: u64) {
        let unit = &mut self.units[id];
        unit.state = State::Dialing;
        unit.holder = thread;
        unit.serial = self.next_serial;
        unit.since = None;
        self.next_serial += 1;
        self.dialing += 1;
    }

    fn enqueue(&mut self, entry: Id, endpoint: Id, waker: P::Waker, abort: P::Abort) -> Ticket {
        self.entries[entry].refs += 1;
        let serial = self.next_serial;
        self.next_serial += 1;
        let turn = WaiterTurn::Waiting;
        let link = Link::UNLINKED;
        let waiter = self.waiters.insert(Waiter { ticket: serial, entry, waker, abort, turn, link });
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

    /// Brings `held_by_total` up to date after the endpoint's queue or its count changed.
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

    /// Gives permits to the oldest of those that the total held back, while it has room.
    fn grant_permits(&mut self) {
        while self.has_total_room() {
            let Some(&(_, endpoint)) = self.held_by_total.first() else { return };
            let Some(oldest) = self.endpoints[endpoint].queue.oldest() else { return };
            let waiter = &self.waiters[oldest];
            let (entry, abort) = (waiter.entry, waiter.abort.clone());
            // Its waiter has no number here, and takes it by `turn`.
            let unit = self.new_unit(entry, 0, abort);
            self.dialing -= 1;
            self.grant_oldest(endpoint, unit.0);
        }
    }
}

//! Checks what has to hold after every step, computed anew from the arenas.

use std::collections::BTreeSet;

use super::outcome::{Checkout, Grant, Victims};
use super::state::{Core, KeyEntry, State, Waiter, WaiterTurn};
use crate::pool::arena::{Arena, Id, Linked, List};
use crate::pool::types::CoreTypes;
use crate::time::Stamp;

impl<P: CoreTypes> Core<P> {
    /// Panics if the core contradicts itself.
    pub(crate) fn audit(&self) {
        self.audit_units();
        self.audit_idle();
        self.audit_counts();
        self.audit_queues();
        self.audit_grants();
        self.audit_held();
        self.audit_keys();
    }

    /// Checks out as a gate does: `reuse` first, then `checkout`.
    pub(crate) fn reuse_or_checkout(
        &mut self,
        key: &P::Key,
        now: Stamp,
        thread: u64,
        abort: impl Fn() -> P::Abort,
        waker: impl Fn() -> P::Waker,
    ) -> (Checkout<P::Conn>, Victims<P::Conn>) {
        match self.reuse(key, now, thread) {
            Some(idle) => (Checkout::Granted(Grant::Conn(idle)), [None, None]),
            None => self.checkout(key, now, thread, abort, waker),
        }
    }

    /// Returns the oldest ticket that waits.
    #[cfg(test)]
    pub(crate) fn oldest_ticket(&self) -> Option<super::outcome::Ticket> {
        let waiting = self.waiters.iter().filter(|(_, waiter)| waiter.turn == WaiterTurn::Waiting);
        waiting
            .map(|(id, waiter)| super::outcome::Ticket { serial: waiter.ticket, waiter: id })
            .min_by_key(|ticket| ticket.serial)
    }

    /// Returns whether no key is known and nothing is open or waiting.
    pub(crate) fn is_blank(&self) -> bool {
        [self.entries.len(), self.endpoints.len(), self.units.len(), self.waiters.len(), self.idle.len()] == [0; 5]
    }

    /// Returns the number of places that the arenas and maps have reserved, free ones included.
    #[cfg(test)]
    pub(crate) fn footprint(&self) -> usize {
        let arenas = self.entries.slots() + self.endpoints.slots() + self.units.slots() + self.waiters.slots();
        arenas + self.keys.capacity() + self.hosts.capacity()
    }

    fn audit_units(&self) {
        for (id, unit) in self.units.iter() {
            assert_eq!(self.entries[unit.entry].endpoint, unit.endpoint, "{id:?} has a key of another endpoint");
            let holds = unit.conn.is_some();
            match unit.state {
                State::Idle => assert!(holds, "{id:?} is idle without a connection"),
                State::Granted => {}
                state => assert!(!holds, "{id:?} is {state:?}, and its connection is in the core"),
            }
            assert!(!unit.transferred || unit.state == State::Closing, "the place of {id:?} is passed on too early");
        }
    }

    /// Idle units are in both lists. No other unit is.
    fn audit_idle(&self) {
        let all = members(&self.idle, &self.units);
        let idle: BTreeSet<Id> = self.units.iter().filter(|(_, unit)| unit.state == State::Idle).map(|u| u.0).collect();
        assert_eq!(all.iter().copied().collect::<BTreeSet<_>>(), idle, "the idle list is not the idle units");
        assert!(self.settings.max_idle.is_none_or(|most| all.len() <= most), "{} idle units", all.len());
        let times: Vec<_> = all.iter().map(|&id| self.units[id].since).collect();
        assert!(times.iter().all(Option::is_some) && times.is_sorted(), "the idle list is out of order");
        for (id, endpoint) in self.endpoints.iter() {
            let own = all.iter().filter(|&&unit| self.units[unit].endpoint == id).count();
            assert_eq!(endpoint.idle, own, "idle units of endpoint {id:?}");
        }
        // The list of a key keeps the order of the list of all.
        for (id, entry) in self.entries.iter() {
            let own: Vec<_> = all.iter().copied().filter(|&unit| self.units[unit].entry == id).collect();
            assert_eq!(members(&entry.idle, &self.units), own, "the idle list of key {id:?}");
        }
    }

    fn audit_counts(&self) {
        let count = |state| self.units.iter().filter(|(_, unit)| unit.state == state).count();
        assert_eq!(self.dialing, count(State::Dialing), "units that dial");
        let transferred = self.units.iter().filter(|(_, unit)| unit.transferred).count();
        assert_eq!(self.transferred, transferred, "units whose place is passed on");
        let counted = self.units.len() - transferred;
        assert!(self.settings.total_limit.is_none_or(|limit| counted <= limit), "{counted} units in all");
        for (id, endpoint) in self.endpoints.iter() {
            let open = self.units.iter().filter(|(_, unit)| unit.endpoint == id).count();
            assert_eq!(endpoint.open, open, "units of endpoint {id:?}");
            assert!(self.settings.open_limit.is_none_or(|limit| open <= limit), "{open} units at endpoint {id:?}");
        }
    }

    /// The queue of an endpoint has its waiters by age. A caller waits only if there is no room.
    fn audit_queues(&self) {
        for (id, endpoint) in self.endpoints.iter() {
            let mut waiting: Vec<_> = self.waiting_at(id).map(|(waiter, it)| (it.ticket, waiter)).collect();
            waiting.sort();
            let waiting: Vec<_> = waiting.into_iter().map(|(_, waiter)| waiter).collect();
            assert_eq!(members(&endpoint.queue, &self.waiters), waiting, "the queue of endpoint {id:?}");
            if !waiting.is_empty() {
                assert!(endpoint.idle == 0, "endpoint {id:?} has waiters and idle connections");
                let full = !self.has_own_room(id) || !self.has_total_room();
                assert!(full && !self.closed, "endpoint {id:?} has waiters and room");
            }
        }
    }

    fn audit_grants(&self) {
        let mut granted = BTreeSet::new();
        for (id, waiter) in self.waiters.iter() {
            let WaiterTurn::Granted(unit) = waiter.turn else { continue };
            assert!(granted.insert(unit), "{unit:?} is granted twice");
            assert_eq!(self.units[unit].state, State::Granted, "the grant of waiter {id:?}");
            assert_eq!(self.units[unit].entry, waiter.entry, "waiter {id:?} is granted another key");
        }
        let units = self.units.iter().filter(|(_, unit)| unit.state == State::Granted).map(|unit| unit.0);
        assert_eq!(granted, units.collect(), "a unit is granted to nobody");
    }

    fn audit_held(&self) {
        let mut held = BTreeSet::new();
        for (id, endpoint) in self.endpoints.iter() {
            let oldest = self.waiting_at(id).map(|(_, waiter)| waiter.ticket).min().filter(|_| self.has_own_room(id));
            assert_eq!(endpoint.held, oldest, "the ticket by which endpoint {id:?} is held back");
            held.extend(oldest.map(|ticket| (ticket, id)));
        }
        assert_eq!(self.held_by_total, held, "who is held back by the total alone");
        // Not while a unit closes: settling it evicts the next connection.
        let closing = self.units.iter().any(|(_, unit)| unit.state == State::Closing);
        assert!(
            held.is_empty() || self.idle.is_empty() || closing,
            "a connection idles while the total holds one back"
        );
    }

    /// Keys and endpoints are found by name, and exist as long as something refers to them.
    fn audit_keys(&self) {
        assert_eq!(self.keys.len(), self.entries.len());
        for (id, entry) in self.entries.iter() {
            let KeyEntry { key, endpoint, refs, pins, .. } = entry;
            assert_eq!(self.keys.get(key), Some(&id), "a key leads elsewhere");
            assert!(self.endpoints.get(*endpoint).is_some(), "a key outlives its endpoint");
            let units = self.units.iter().filter(|(_, unit)| unit.entry == id).count();
            let waiters = self.waiters.iter().filter(|(_, waiter)| waiter.entry == id).count();
            assert_eq!(*refs, units + waiters + pins, "references to key {id:?}");
            assert!(*refs > 0, "nothing refers to key {id:?}");
        }
        assert_eq!(self.hosts.len(), self.endpoints.len());
        for (id, endpoint) in self.endpoints.iter() {
            assert_eq!(self.hosts.get(&endpoint.name), Some(&id), "an endpoint's name leads elsewhere");
            let keys: BTreeSet<Id> =
                self.entries.iter().filter(|(_, entry)| entry.endpoint == id).map(|it| it.0).collect();
            let listed: BTreeSet<Id> = members(&endpoint.keys, &self.entries).into_iter().collect();
            assert_eq!(listed, keys, "keys of endpoint {id:?}");
            assert!(!keys.is_empty(), "endpoint {id:?} has no keys");
        }
    }

    fn waiting_at(&self, endpoint: Id) -> impl Iterator<Item = (Id, &Waiter<P>)> {
        let here = move |waiter: &Waiter<P>| self.entries[waiter.entry].endpoint == endpoint;
        self.waiters.iter().filter(move |(_, waiter)| waiter.turn == WaiterTurn::Waiting && here(waiter))
    }
}

/// Returns the members from the oldest to the newest. Checks the ends and the length of the list.
fn members<const LIST: usize, T: Linked>(list: &List<LIST>, arena: &Arena<T>) -> Vec<Id> {
    let ids: Vec<Id> = list.iter(arena).collect();
    assert_eq!((list.oldest(), list.newest()), (ids.first().copied(), ids.last().copied()), "the ends of a list");
    assert_eq!(list.len(), ids.len(), "the length of a list");
    ids
}

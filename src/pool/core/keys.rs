//! Keys and endpoints: finds, adds and forgets them, and keeps their counts.

use std::time::Duration;

use super::outcome::UnitId;
use super::state::{Core, Endpoint, KeyEntry, State, WaiterTurn};
use crate::close_reason::CloseReason;
use crate::pool::arena::{Id, Link, List};
use crate::pool::stats::{KeyCounts, PoolStats};
use crate::pool::types::{CoreTypes, Key};

/// A pinned key. The key and its counts are remembered until `unpin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PinId(Id);

impl<P: CoreTypes> Core<P> {
    #[inline]
    pub(super) fn count_reuse(&mut self, entry: Id) {
        self.stats.reused += 1;
        self.entries[entry].counts.reused += 1;
    }

    /// Takes a count of a reuse back: the connection turned out to be dead.
    pub(super) fn uncount_reuse(&mut self, entry: Id) {
        self.stats.reused -= 1;
        self.entries[entry].counts.reused -= 1;
    }

    pub(super) fn count_opened(&mut self, entry: Id) {
        self.stats.created += 1;
        self.entries[entry].counts.created += 1;
    }

    /// Counts anything else.
    pub(super) fn count(&mut self, entry: Id, count: impl Fn(&mut PoolStats)) {
        count(&mut self.stats);
        count(self.entries[entry].counts.others());
    }

    pub(super) fn count_closed(&mut self, unit: Id, reason: CloseReason) {
        self.count(self.units[unit].entry, |stats| stats.count_closed(reason));
    }

    /// Counts for a key that may be forgotten already.
    fn count_for(&mut self, key: &P::Key, count: impl Fn(&mut PoolStats)) {
        match self.keys.get(key) {
            Some(&entry) => self.count(entry, count),
            None => count(&mut self.stats),
        }
    }

    pub(crate) fn count_wait(&mut self, key: &P::Key, waited: Duration, gave_up: bool) {
        self.count_for(key, |stats| {
            stats.count_wait(waited);
            stats.timeouts += u64::from(gave_up);
        });
    }

    pub(crate) fn count_replay(&mut self, key: &P::Key) {
        self.count_for(key, |stats| stats.replayed += 1);
    }

    /// Returns how many connections of the unit's key were closed because the pool was full, since the key became
    /// known.
    pub(crate) fn surplus(&self, unit: UnitId) -> u64 {
        self.entries[self.units[unit.0].entry].counts.closed(CloseReason::PoolFull)
    }

    pub(crate) fn stats(&self) -> PoolStats {
        let idle = self.idle.len();
        let open = self.units.len();
        let waiting = self.waiters.iter().filter(|(_, waiter)| waiter.turn == WaiterTurn::Waiting).count();
        PoolStats {
            open,
            idle,
            in_use: open - idle - self.dialing,
            dialing: self.dialing,
            waiting,
            ..self.shown.of(self.stats)
        }
    }

    /// Returns the state and the counts of one key. They are remembered while a connection of the key is open, a caller
    /// waits for one, or the key is pinned.
    pub(crate) fn stats_of(&self, key: &P::Key) -> PoolStats {
        let Some(&id) = self.keys.get(key) else { return PoolStats::default() };
        let units = || self.units.iter().map(|(_, unit)| unit).filter(|unit| unit.entry == id);
        let dialing = units().filter(|unit| unit.state == State::Dialing).count();
        let (open, entry) = (units().count(), &self.entries[id]);
        let idle = entry.idle.len();
        let queue = &self.endpoints[entry.endpoint].queue;
        let waiting = queue.iter(&self.waiters).filter(|&waiter| self.waiters[waiter].entry == id).count();
        PoolStats { open, idle, in_use: open - idle - dialing, dialing, waiting, ..entry.counts.stats() }
    }

    pub(crate) fn pin(&mut self, key: &P::Key) -> PinId {
        let id = self.find_or_add_entry(key);
        let entry = &mut self.entries[id];
        entry.refs += 1;
        entry.pins += 1;
        PinId(id)
    }

    /// Returns whether the key has a connection, a permit, a waiter, or another pin beside one.
    pub(crate) fn is_used(&self, key: &P::Key) -> bool {
        self.keys.get(key).is_some_and(|&entry| self.entries[entry].refs > 1)
    }

    pub(crate) fn unpin(&mut self, pin: PinId) {
        self.entries[pin.0].pins -= 1;
        self.unref(pin.0);
    }

    /// Returns the entry of a key. Adds it, and its endpoint, if they are not known.
    pub(super) fn find_or_add_entry(&mut self, key: &P::Key) -> Id {
        if let Some(&entry) = self.keys.get(key) {
            return entry;
        }
        let name = key.endpoint();
        let endpoint = match self.hosts.get(&name) {
            Some(&endpoint) => endpoint,
            None => {
                let endpoint = self.endpoints.insert(Endpoint {
                    name: name.clone(),
                    open: 0,
                    idle: 0,
                    queue: List::new(),
                    held: None,
                    handovers: 0,
                    suspect_until: None,
                    keys: List::new(),
                });
                self.hosts.insert(name, endpoint);
                endpoint
            }
        };
        let entry = self.entries.insert(KeyEntry {
            key: key.clone(),
            endpoint,
            idle: List::new(),
            refs: 0,
            pins: 0,
            retired_before: 0,
            retired_for: CloseReason::Retired,
            counts: KeyCounts::default(),
            link: Link::UNLINKED,
        });
        self.endpoints[endpoint].keys.push(&mut self.entries, entry);
        self.keys.insert(key.clone(), entry);
        entry
    }

    /// Drops a reference to a key. A key without references is forgotten, and an endpoint with its last key.
    pub(super) fn unref(&mut self, id: Id) {
        let entry = &mut self.entries[id];
        entry.refs -= 1;
        if entry.refs > 0 {
            return;
        }
        let endpoint = entry.endpoint;
        self.keys.remove(&entry.key);
        self.endpoints[endpoint].keys.unlink(&mut self.entries, id);
        self.forgotten.extend(self.entries.remove(id).map(|entry| entry.key));
        if self.endpoints[endpoint].keys.is_empty()
            && let Some(endpoint) = self.endpoints.remove(endpoint)
        {
            self.hosts.remove(&endpoint.name);
        }
    }

    /// Returns the keys that were forgotten. A key may be the last owner of the user's dialer, whose drop is foreign
    /// code, so the caller drops the keys after the lock is released.
    pub(crate) fn take_forgotten(&mut self) -> Vec<P::Key> {
        std::mem::take(&mut self.forgotten)
    }

    /// Moves a unit to another key of its endpoint.
    pub(super) fn move_to_entry(&mut self, unit: Id, entry: Id) {
        let old = std::mem::replace(&mut self.units[unit].entry, entry);
        self.entries[entry].refs += 1;
        self.unref(old);
    }
}

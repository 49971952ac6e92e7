//! What blocks the calls of one token.

use std::collections::VecDeque;
use std::sync::Weak;

use super::CancelToken;

/// Something that a call is blocked in: a place in a queue, a connection, an answer, a sleep.
pub(crate) trait Blocked: Send + Sync {
    /// Ends the wait of this generation. Does nothing if that wait has ended.
    ///
    /// The flag of the token is set before, so a wait that asks after this call finds it set.
    fn cancel(&self, generation: u64);

    /// Fires a token that is blocked in its parent, and returns what is blocked in it. Returns `None` for anything else.
    fn fire(&self) -> Option<Fired> {
        None
    }
}

/// The list of one token. It holds nobody alive.
#[derive(Default)]
pub(super) struct List {
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    next: u64,
}

pub(crate) struct Entry {
    serial: u64,
    blocked: Weak<dyn Blocked>,
    generation: u64,
}

/// The place of an entry. After a fire another entry may have its slot, so the serial tells them apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    slot: usize,
    serial: u64,
}

impl List {
    pub(super) fn add(&mut self, blocked: Weak<dyn Blocked>, generation: u64) -> Place {
        let serial = self.next;
        self.next += 1;
        let entry = Some(Entry { serial, blocked, generation });
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        Place { slot, serial }
    }

    pub(super) fn remove(&mut self, place: Place) {
        let Some(slot) = self.entries.get_mut(place.slot) else { return };
        if slot.as_ref().is_some_and(|entry| entry.serial == place.serial) {
            *slot = None;
            self.free.push(place.slot);
        }
    }

    /// Takes all entries out.
    pub(super) fn take(&mut self) -> Fired {
        self.free.clear();
        Fired(std::mem::take(&mut self.entries).into())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.entries.capacity() + self.free.capacity()
    }
}

/// The entries of a token that has fired.
#[derive(Default)]
pub(crate) struct Fired(VecDeque<Option<Entry>>);

impl Fired {
    /// Wakes all of them. Must be called without a lock. A panic of one keeps no other from being woken.
    ///
    /// A child adds its own entries to these, because a line of children may be longer than the stack is deep.
    pub(super) fn wake(mut self) {
        while let Some(entry) = self.0.pop_front() {
            let Some(entry) = entry else { continue };
            let more = crate::contain::contain(|| {
                let blocked = entry.blocked.upgrade()?;
                let more = blocked.fire();
                if more.is_none() {
                    blocked.cancel(entry.generation);
                }
                more
            });
            if let Some(Some(more)) = more {
                self.0.extend(more.0);
            }
        }
    }
}

/// Keeps an entry in the list of a token until it is dropped.
pub(crate) struct Registration<'t> {
    pub(super) token: &'t CancelToken,
    pub(super) place: Place,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.token.remove(self.place);
    }
}

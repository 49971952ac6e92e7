//! Tells which process this is. A child of `fork` has copies of its parent's connections, locks and thread counts, and
//! none of its threads.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;

/// How often a child tries a lock that a thread of its parent may hold for good.
const ATTEMPTS: usize = 1000;

/// The process in which something was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Home(u32);

impl Home {
    /// Returns the calling process. One system call.
    pub(crate) fn here() -> Home {
        Home(std::process::id())
    }

    /// Returns another process than the calling one, as a child of `fork` sees its parent.
    #[cfg(test)]
    pub(crate) fn elsewhere() -> Home {
        Home(std::process::id() + 1)
    }

    /// Returns whether this is the calling process; something without a home belongs to every process. If it is another
    /// process, that one still uses what was made there. One system call.
    pub(crate) fn is_here(self) -> bool {
        self == Home::default() || self == Home::here()
    }

    /// Stores this home in `last`. Returns whether another home was stored there.
    pub(crate) fn replaces(self, last: &AtomicU32) -> bool {
        last.load(Ordering::Relaxed) != self.0 && last.swap(self.0, Ordering::Relaxed) != self.0
    }

    /// Returns this home as a value for [`replaces`](Self::replaces).
    pub(crate) fn stored(self) -> AtomicU32 {
        AtomicU32::new(self.0)
    }
}

/// A static value that each process makes anew.
pub(crate) struct PerProcess<T> {
    make: fn() -> T,
    slot: Slot<T>,
}

impl<T: Clone> PerProcess<T> {
    pub(crate) const fn new(make: fn() -> T) -> PerProcess<T> {
        PerProcess { make, slot: Slot::new() }
    }

    /// Returns the value of this process.
    pub(crate) fn get(&self) -> T {
        self.slot.get_or(self.make)
    }
}

/// A place for the value of each process. Threads that a child does not have may hold locks in its parent's value.
pub(crate) struct Slot<T> {
    /// The process whose threads release every lock of `value`; 0 before the first use.
    home: AtomicU32,
    value: Mutex<Option<(u32, T)>>,
}

impl<T: Clone> Slot<T> {
    pub(crate) const fn new() -> Slot<T> {
        Slot { home: AtomicU32::new(0), value: Mutex::new(None) }
    }

    /// Returns the value of this process. If there is none yet, `make` makes it.
    pub(crate) fn get_or(&self, make: impl Fn() -> T) -> T {
        let here = std::process::id();
        // The lock was held at the fork and is never released. Each call then gets a value of its own.
        let Some(mut value) = self.lock(here) else { return make() };
        if let Some((home, value)) = &*value
            && *home == here
        {
            return value.clone();
        }
        let new = make();
        // The parent's value is leaked: its drop could wait for locks that the parent's threads hold.
        mem::forget(value.replace((here, new.clone())));
        self.home.store(here, Ordering::Relaxed);
        new
    }

    /// Takes the value out, if this process made it. The value of another process is leaked.
    pub(crate) fn take(&mut self) -> Option<T> {
        let value = self.value.get_mut().unwrap_or_else(PoisonError::into_inner);
        match value.take()? {
            (home, value) if home == std::process::id() => Some(value),
            of_parent => {
                mem::forget(of_parent);
                None
            }
        }
    }

    fn lock(&self, here: u32) -> Option<MutexGuard<'_, Option<(u32, T)>>> {
        let home =
            self.home.compare_exchange(0, here, Ordering::Relaxed, Ordering::Relaxed).unwrap_or_else(|home| home);
        if home == 0 || home == here {
            return Some(self.value.lock().unwrap_or_else(PoisonError::into_inner));
        }
        for _ in 0..ATTEMPTS {
            match self.value.try_lock() {
                Ok(value) => return Some(value),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => thread::yield_now(),
            }
        }
        None
    }
}

impl<T> fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerProcess")
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn made() -> Arc<()> {
        Arc::new(())
    }

    /// The number of another process stands for a fork.
    #[test]
    fn each_process_has_its_own() {
        let here = std::process::id();
        let all = PerProcess::new(made);
        let first = all.get();
        assert!(Arc::ptr_eq(&first, &all.get()));
        let parent = all.slot.value.lock().unwrap().take().map(|(_, value)| (here + 1, value));
        *all.slot.value.lock().unwrap() = parent;
        all.slot.home.store(here + 1, Ordering::Relaxed);
        let second = all.get();
        assert!(!Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&second, &all.get()));
        assert_eq!(all.slot.home.load(Ordering::Relaxed), here);
    }

    /// A thread of the parent held the lock: the child is served all the same.
    #[test]
    fn a_lock_that_nobody_gives_back() {
        let all = PerProcess::new(made);
        let first = all.get();
        let held = all.slot.value.lock().unwrap();
        all.slot.home.store(std::process::id() + 1, Ordering::Relaxed);
        assert!(!Arc::ptr_eq(&first, &all.get()));
        drop(held);
        assert!(Arc::ptr_eq(&first, &all.get()), "the lock is free, and the value is of this process");
    }

    /// Only the value of this process is given out. That of a parent is not dropped.
    #[test]
    fn taking() {
        let mut slot = Slot::new();
        assert!(slot.take().is_none());
        let mine = slot.get_or(made);
        assert!(slot.take().is_some_and(|taken| Arc::ptr_eq(&taken, &mine)) && slot.take().is_none());
        *slot.value.lock().unwrap() = Some((std::process::id() + 1, mine.clone()));
        assert!(slot.take().is_none());
        assert_eq!(Arc::strong_count(&mine), 2);
    }

    #[test]
    fn homes() {
        let (here, parent) = (Home::here(), Home(std::process::id() + 1));
        assert!(here.is_here() && Home::default().is_here() && !parent.is_here());
        let last = parent.stored();
        assert!(here.replaces(&last) && !here.replaces(&last));
    }
}

//! A thread that looks after idle connections, where one is asked for.
//!
//! It is there while any connection is open, holds the pool weakly, and sleeps in between. Sockets are looked at
//! without the lock; what is found closed is taken out only if it has not been used meanwhile.

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::core::Key;
use super::gate::{Gate, Pooled};
use super::key::verdict;
use crate::contain::contain;
use crate::observe;
use crate::sync::standing::{Condvar, Mutex, wait_until};
use crate::time::Stamp;

pub(super) struct Reaper {
    every: Duration,
    is_running: AtomicBool,
    bell: Arc<Bell>,
    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    looks: AtomicU64,
}

/// Ends the sleep of the thread for good.
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// False once it has rung.
    fn sleep(&self, time: Duration) -> bool {
        let mut rung = self.rung.lock();
        let until = Instant::now().checked_add(time);
        let mut is_over = false;
        while !*rung && !is_over {
            match until {
                Some(until) => is_over = wait_until(&self.changed, &mut rung, until),
                None => self.changed.wait(&mut rung),
            }
        }
        !*rung
    }
}

impl Reaper {
    pub(super) fn new(every: Duration) -> Reaper {
        let bell = Arc::new(Bell { rung: Mutex::new(false), changed: Condvar::new() });
        Reaper {
            every,
            is_running: AtomicBool::new(false),
            bell,
            #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
            looks: AtomicU64::new(0),
        }
    }

    /// Whether the caller is to start the thread. Asked, as its end is decided on, under the pool's lock.
    pub(super) fn begins(&self) -> bool {
        !self.is_running.swap(true, Ordering::Relaxed)
    }

    /// Its thread has not come along into this process.
    pub(super) fn is_gone(&self) {
        self.is_running.store(false, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        *self.bell.rung.lock() = true;
        self.bell.changed.notify_one();
    }

    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    pub(super) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    /// How often it has looked.
    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    pub(super) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    pub(super) fn start<K: Key, C: Pooled>(&self, gate: &Arc<Gate<K, C>>) {
        let (gate, every, bell) = (Arc::downgrade(gate), self.every, Arc::clone(&self.bell));
        let thread = thread::Builder::new().name("hostpool-reaper".to_string());
        if let Err(error) = thread.spawn(move || run(&gate, every, &bell)) {
            // The next connection that is opened tries again.
            self.is_running.store(false, Ordering::Relaxed);
            observe::no_reaper(&error);
        }
    }
}

fn run<K: Key, C: Pooled>(gate: &Weak<Gate<K, C>>, every: Duration, bell: &Bell) {
    while bell.sleep(every) {
        let Some(gate) = gate.upgrade() else { return };
        // A transport of the caller's may panic as it is closed. Its unit is back all the same.
        if contain(|| gate.reap()) == Some(false) {
            return;
        }
    }
    if let Some(reaper) = gate.upgrade().as_ref().and_then(|gate| gate.reaper()) {
        reaper.is_running.store(false, Ordering::Relaxed);
    }
}

impl<K: Key, C: Pooled> Gate<K, C> {
    /// Closes what sits idle and has expired, or was closed by its peer. False when nothing is open any more.
    fn reap(&self) -> bool {
        #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
        self.reaper().map(|reaper| reaper.looks.fetch_add(1, Ordering::Relaxed));
        let (expired, sitting) = {
            let mut core = self.lock();
            if core.is_empty() {
                self.reaper().inspect(|reaper| reaper.is_running.store(false, Ordering::Relaxed));
                return false;
            }
            (core.expire(Stamp::now()), core.sitting())
        };
        self.bury(expired);
        let dead: Vec<_> =
            sitting.into_iter().filter_map(|(unit, cell)| Some((unit, verdict(cell.look()).err()?))).collect();
        if dead.is_empty() {
            return true;
        }
        let victims: Vec<_> = {
            let mut core = self.lock();
            dead.into_iter().filter_map(|(unit, reason)| core.evict_sitting(unit, reason)).collect()
        };
        self.bury(victims);
        true
    }
}

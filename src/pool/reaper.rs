//! A thread that looks at idle connections at intervals, if the pool asks for one.
//!
//! The thread knows nothing of the pool: a closure makes each look and says whether another one is needed.

use std::sync::Arc;
#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::observe;
use crate::sync::standing::{Condvar, Mutex, wait_until};

pub(super) struct Reaper {
    every: Duration,
    shared: Arc<Shared>,
}

/// The state that the pool and the thread share.
struct Shared {
    is_running: AtomicBool,
    /// True once the pool is closed. The thread then ends.
    ended: Mutex<bool>,
    changed: Condvar,
    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    looks: AtomicU64,
}

impl Shared {
    /// Sleeps for `time`. Returns false if the pool was closed.
    fn sleep(&self, time: Duration) -> bool {
        let mut ended = self.ended.lock();
        let until = Instant::now().checked_add(time);
        let mut is_over = false;
        while !*ended && !is_over {
            match until {
                Some(until) => is_over = wait_until(&self.changed, &mut ended, until),
                None => self.changed.wait(&mut ended),
            }
        }
        !*ended
    }

    /// Makes a look after each interval, until `look` returns false or the pool is closed.
    fn run(&self, every: Duration, mut look: impl FnMut() -> bool) {
        while self.sleep(every) {
            #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
            self.looks.fetch_add(1, Ordering::Relaxed);
            if !look() {
                // `look` has called `stops`. By now another thread may run, so the flag is not touched here.
                return;
            }
        }
        self.is_running.store(false, Ordering::Relaxed);
    }
}

impl Reaper {
    pub(super) fn new(every: Duration) -> Reaper {
        let shared = Shared {
            is_running: AtomicBool::new(false),
            ended: Mutex::new(false),
            changed: Condvar::new(),
            #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
            looks: AtomicU64::new(0),
        };
        Reaper { every, shared: Arc::new(shared) }
    }

    /// Returns whether the caller has to start the thread. Called under the pool's lock, as [`stops`](Self::stops) is:
    /// a connection that opens while the thread ends gets a new thread.
    pub(super) fn begins(&self) -> bool {
        !self.shared.is_running.swap(true, Ordering::Relaxed)
    }

    /// Notes that the thread ends, or that it did not come along into a child of `fork`.
    pub(super) fn stops(&self) {
        self.shared.is_running.store(false, Ordering::Relaxed);
    }

    /// Ends the thread for good.
    pub(super) fn end(&self) {
        *self.shared.ended.lock() = true;
        self.shared.changed.notify_one();
    }

    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    pub(super) fn is_running(&self) -> bool {
        self.shared.is_running.load(Ordering::Relaxed)
    }

    /// Returns the number of looks so far.
    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    pub(super) fn looks(&self) -> u64 {
        self.shared.looks.load(Ordering::Relaxed)
    }

    /// Starts the thread. A `look` that returns false has called [`stops`](Self::stops), or its pool is gone.
    pub(super) fn start(&self, look: impl FnMut() -> bool + Send + 'static) {
        let (shared, every) = (Arc::clone(&self.shared), self.every);
        let thread = thread::Builder::new().name("hostpool-reaper".to_string());
        if let Err(error) = thread.spawn(move || shared.run(every, look)) {
            // The next connection that is opened tries again.
            self.stops();
            observe::no_reaper(&error);
        }
    }
}

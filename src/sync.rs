//! The locks of the pool, and the numbers of threads, chosen once for the whole crate.
//!
//! Outside model checking they are parking_lot's: without poisoning, and with a condition variable that moves a woken
//! thread onto the mutex instead of waking it twice. Under `--cfg hostpool_loom` and `--cfg hostpool_shuttle` the same
//! names are the checkers' types with parking_lot's interface, so the code that is checked is the code that ships.
//! Neither checker fires a timed wait. There `wait_until` waits for a notification and then says that the deadline
//! passed as well. That is the harder case: a turn that comes while the wait times out. In a model another thread ends
//! each wait whose turn does not come.

#[cfg(not(all(test, any(hostpool_loom, hostpool_shuttle))))]
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

#[cfg(all(test, any(hostpool_loom, hostpool_shuttle)))]
pub(crate) use self::modelled::{Condvar, Mutex, MutexGuard};
#[cfg(all(test, any(hostpool_loom, hostpool_shuttle)))]
pub(crate) use parking_lot::RwLock;

/// Returns the number of the calling thread, from 1.
#[cfg(not(all(test, any(hostpool_loom, hostpool_shuttle))))]
#[inline]
pub(crate) fn thread_number() -> u64 {
    use std::cell::Cell;
    use std::thread::LocalKey;

    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }

    #[cold]
    fn new(number: &'static LocalKey<Cell<u64>>) -> u64 {
        number.set(next_number());
        number.get()
    }

    match NUMBER.get() {
        0 => new(&NUMBER),
        number => number,
    }
}

fn next_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};

    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Waits for a notification or until the deadline. Returns true if the deadline passed.
#[cfg(not(all(test, any(hostpool_loom, hostpool_shuttle))))]
pub(crate) fn wait_until<T>(condvar: &Condvar, guard: &mut MutexGuard<'_, T>, deadline: std::time::Instant) -> bool {
    condvar.wait_until(guard, deadline).timed_out()
}

#[cfg(all(test, any(hostpool_loom, hostpool_shuttle)))]
pub(crate) use self::modelled::{thread_number, wait_until};

/// Defines locks with parking_lot's interface over those of std or of a checker.
macro_rules! wrapped {
    ($($locks:tt)+) => {
        use std::ops::{Deref, DerefMut};
        use std::sync::PoisonError;
        use std::time::Instant;

        use $($locks)+ as locks;

        #[derive(Debug)]
        pub(crate) struct Mutex<T>(locks::Mutex<T>);

        impl<T> Mutex<T> {
            pub(crate) fn new(value: T) -> Self {
                Mutex(locks::Mutex::new(value))
            }

            pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
                MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
            }

            #[allow(dead_code, reason = "for what is modelled")]
            pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
                self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
            }
        }

        impl<T: Default> Default for Mutex<T> {
            fn default() -> Self {
                Mutex::new(T::default())
            }
        }

        /// The option is empty only inside `wait`, which takes the inner guard by value and puts it back.
        pub(crate) struct MutexGuard<'a, T>(Option<locks::MutexGuard<'a, T>>);

        impl<T> Deref for MutexGuard<'_, T> {
            type Target = T;

            fn deref(&self) -> &T {
                self.0.as_deref().expect("present except inside wait")
            }
        }

        impl<T> DerefMut for MutexGuard<'_, T> {
            fn deref_mut(&mut self) -> &mut T {
                self.0.as_deref_mut().expect("present except inside wait")
            }
        }

        #[derive(Debug, Default)]
        pub(crate) struct Condvar(locks::Condvar);

        impl Condvar {
            pub(crate) fn new() -> Self {
                Condvar(locks::Condvar::new())
            }

            pub(crate) fn notify_one(&self) {
                self.0.notify_one();
            }

            #[allow(dead_code, reason = "for what is modelled")]
            pub(crate) fn notify_all(&self) {
                self.0.notify_all();
            }

            pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
                let inner = guard.0.take().expect("present except inside wait");
                guard.0 = Some(self.0.wait(inner).unwrap_or_else(PoisonError::into_inner));
            }
        }
    };
}

/// std's locks, for threads that wait while nothing happens: lookup threads and the reaper.
///
/// parking_lot keeps all waiting threads of the process in one table. A child of `fork` has a copy of the table without
/// the threads. When one of the child's own threads waits or is woken, it may walk over the remains without end (3 of
/// 100 children, measured). std's locks wait on their own address.
pub(crate) mod standing {
    wrapped!(std::sync);

    /// Waits for a notification or until the deadline. Returns true if the deadline passed.
    pub(crate) fn wait_until<T>(condvar: &Condvar, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> bool {
        let inner = guard.0.take().expect("present except inside wait");
        let left = deadline.saturating_duration_since(Instant::now());
        let (inner, ended) = condvar.0.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner);
        guard.0 = Some(inner);
        ended.timed_out()
    }
}

#[cfg(all(test, any(hostpool_loom, hostpool_shuttle)))]
mod modelled {
    #[cfg(hostpool_loom)]
    wrapped!(loom::sync);
    #[cfg(all(hostpool_shuttle, not(hostpool_loom)))]
    wrapped!(shuttle::sync);

    #[cfg(hostpool_loom)]
    use loom::thread_local;
    #[cfg(all(hostpool_shuttle, not(hostpool_loom)))]
    use shuttle::thread_local;

    thread_local! {
        static NUMBER: u64 = super::next_number();
    }

    /// Returns the number of the modelled thread. All of them run on one thread of the system.
    pub(crate) fn thread_number() -> u64 {
        NUMBER.with(|number| *number)
    }

    pub(crate) fn wait_until<T>(condvar: &Condvar, guard: &mut MutexGuard<'_, T>, _deadline: Instant) -> bool {
        condvar.wait(guard);
        true
    }
}

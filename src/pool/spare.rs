//! The objects of a wait, which a thread keeps for its next wait: a busy pool does not allocate for each caller.

use std::cell::OnceCell;
use std::sync::Arc;

use super::types::{Touched, Wake};
use crate::net::abort::AbortCell;
use crate::sync::Condvar;

impl Wake for Arc<Condvar> {
    fn wake(&self) {
        self.notify_one();
    }
}

impl Touched for Arc<AbortCell> {
    #[inline]
    fn holder(&self) -> u64 {
        AbortCell::holder(self)
    }

    #[inline]
    fn set_holder(&self, thread: u64) {
        AbortCell::set_holder(self, thread);
    }

    fn begin_anew(&self) {
        AbortCell::begin_anew(self);
    }
}

/// The condition that wakes one waiting caller, and the cell of the connection that the caller may open. Both are made
/// when they are asked for. What nobody else holds at the end is kept for the next wait of the thread.
#[derive(Default)]
pub(super) struct Spare {
    waker: OnceCell<Arc<Condvar>>,
    abort: OnceCell<Arc<AbortCell>>,
}

impl Spare {
    pub(super) fn waker(&self) -> &Arc<Condvar> {
        self.waker.get_or_init(|| kept::take(&kept::WAKER).unwrap_or_else(|| Arc::new(Condvar::new())))
    }

    /// Returns a cell. A caller that has not asked for a waker first does not wait: it opens a connection, which keeps
    /// the cell, and gets a new one.
    pub(super) fn abort(&self) -> Arc<AbortCell> {
        let new = || Arc::new(AbortCell::new());
        match self.waker.get() {
            None => new(),
            Some(_) => self.abort.get_or_init(|| kept::take(&kept::ABORT).unwrap_or_else(new)).clone(),
        }
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        // Another thread may have aborted a connection whose caller panics.
        if self.waker.get().is_none() || std::thread::panicking() {
            return;
        }
        kept::put(&kept::WAKER, self.waker.take());
        kept::put(&kept::ABORT, self.abort.take());
    }
}

#[cfg(not(all(test, any(hostpool_loom, hostpool_shuttle))))]
mod kept {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::thread::LocalKey;

    use crate::net::abort::AbortCell;
    use crate::sync::Condvar;

    pub(super) type Kept<T> = Cell<Option<Arc<T>>>;

    thread_local! {
        pub(super) static WAKER: Kept<Condvar> = const { Cell::new(None) };
        pub(super) static ABORT: Kept<AbortCell> = const { Cell::new(None) };
    }

    /// Returns the kept value. A thread that is ending keeps none.
    pub(super) fn take<T>(kept: &'static LocalKey<Kept<T>>) -> Option<Arc<T>> {
        kept.try_with(Cell::take).ok().flatten()
    }

    /// Keeps a value that nobody else holds: no waiter, no unit and no handle. So it is as good as new.
    pub(super) fn put<T>(kept: &'static LocalKey<Kept<T>>, value: Option<Arc<T>>) {
        let unshared = value.and_then(|mut value| Arc::get_mut(&mut value).is_some().then_some(value));
        if unshared.is_some() {
            let _ = kept.try_with(|kept| kept.set(unshared));
        }
    }
}

/// The threads of a model share one thread of the system, and a model's locks end with it. Nothing is kept there.
#[cfg(all(test, any(hostpool_loom, hostpool_shuttle)))]
mod kept {
    use std::sync::Arc;

    pub(super) const WAKER: () = ();
    pub(super) const ABORT: () = ();

    pub(super) fn take<T>((): &()) -> Option<Arc<T>> {
        None
    }

    pub(super) fn put<T>((): &(), _: Option<Arc<T>>) {}
}

//! Runs foreign code in places where its panic must not end our own work.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the user's code and contains its panic. Nothing could be done about the panic, and the panic hook has reported
/// it.
///
/// Returns `None` if it panicked. The value that it panicked with is leaked, because its drop may panic again.
pub(crate) fn contain<R>(run: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(run)).map_err(mem::forget).ok()
}

/// Drops values that may be the user's, each by itself: two panics at once would end the process.
pub(crate) fn drop_contained<T>(all: impl IntoIterator<Item = T>) {
    for one in all {
        contain(|| drop(one));
    }
}

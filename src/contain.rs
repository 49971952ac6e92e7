//! Running what is not ours, where a panic must not end what we are in the middle of.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the caller's code where nobody could do anything about its panic: the hook has reported it.
///
/// `None` says that it panicked. What it panicked with is forgotten, as that may panic once more when it is dropped.
pub(crate) fn contain<R>(run: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(run)).map_err(mem::forget).ok()
}

/// Drops what may be the caller's, one after the other: two panics at once would end the process.
pub(crate) fn drop_contained<T>(all: impl IntoIterator<Item = T>) {
    for one in all {
        contain(|| drop(one));
    }
}

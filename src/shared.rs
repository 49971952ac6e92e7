//! Values of the caller that are already behind the pointer which this crate keeps.

use std::any::Any;

/// Returns a clone of `value` if it is a `P`, such as an `Arc<dyn Dialer>` that was given as an `impl Dialer`. It need
/// not be wrapped again, and two values that share one pointer can be told to be the same.
pub(crate) fn already<P: Clone + 'static>(value: &dyn Any) -> Option<P> {
    value.downcast_ref::<P>().cloned()
}

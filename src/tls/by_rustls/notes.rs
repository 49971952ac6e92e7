//! What the callbacks of rustls note about the handshake on this thread.
//!
//! rustls calls them while it processes a message, with nothing that tells the connection. Session resumption asks that
//! all connections share the same callbacks, so each notes for its thread, and the connection takes the notes when
//! rustls returns.

use std::cell::RefCell;

use crate::error::TlsFailure;

/// The notes of one step of a handshake.
#[derive(Default)]
pub(super) struct Notes {
    /// Why the server's certificate was refused.
    pub(super) refusal: Option<TlsFailure>,
    /// The server asked for a client certificate. The value tells whether it got one.
    pub(super) asked: Option<bool>,
}

thread_local! {
    static NOTES: RefCell<Notes> = RefCell::default();
}

/// Runs a step of a handshake, and returns what was noted meanwhile.
pub(super) fn during<R>(step: impl FnOnce() -> R) -> (R, Notes) {
    let result = step();
    // The place is gone while the thread ends. Then a failure is told by rustls alone.
    (result, NOTES.try_with(|notes| notes.take()).unwrap_or_default())
}

pub(super) fn refused(failure: TlsFailure) {
    let _ = NOTES.try_with(|notes| notes.borrow_mut().refusal = Some(failure));
}

pub(super) fn asked(answered: bool) {
    let _ = NOTES.try_with(|notes| notes.borrow_mut().asked = Some(answered));
}

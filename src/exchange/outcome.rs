//! The values that go into an exchange and come out of it.

use crate::h1::{Framing, Head};

/// The caller's rules for one exchange.
pub(crate) struct Rules<'r> {
    /// There is a body, and the head asks for a 100 before it.
    pub(crate) expects: bool,
    /// Whether a response with this head is a redirect that is followed with the body.
    pub(crate) resends: &'r dyn Fn(&Head) -> bool,
    /// The end of a TLS stream without close_notify ends a body that nothing else delimits.
    pub(crate) unclean_close: bool,
}

/// The fate of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    /// It was sent, or the request has no body.
    Whole,
    /// The response stopped it, or kept it from leaving.
    Stopped,
    /// The peer closed the connection while it was leaving.
    Closed,
}

/// How far an exchange came, whatever became of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trace {
    /// Bytes of the request that the transport took.
    pub(crate) accepted: usize,
    /// Bytes of the response that arrived.
    pub(crate) received: usize,
    /// The head says that a body follows once the server asks for it, and none of that has left.
    pub(crate) withheld: bool,
    /// The bytes that arrived on a reused connection begin no response: they are the rest of an earlier one.
    pub(crate) stale: bool,
}

/// A response's head, and what it says about its body and the connection.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) head: Head,
    pub(crate) framing: Framing,
    /// The connection may carry another request once the body has been read.
    pub(crate) reusable: bool,
    /// It could, had no head broken a rule that is tolerated.
    pub(crate) tolerated: bool,
    /// This is all that came in answer to the whole request, or to one whose body was withheld.
    pub(crate) plain: bool,
    pub(crate) upload: Upload,
    pub(crate) ending: Ending,
}

/// The end of the connection as sending has seen it. Reading cannot see it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Unknown,
    /// The peer has ended its direction in good order, and all that it sent is in the buffers.
    Seen,
    /// It has reset the connection.
    Cut,
}

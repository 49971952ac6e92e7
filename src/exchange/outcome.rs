//! The rules that an exchange is given, and the values that it returns.

use crate::h1::{Framing, Head};

/// The caller's rules for one exchange.
pub(crate) struct Rules<'r> {
    /// The request has a body, and its head asks for a 100 before the body.
    pub(crate) expects: bool,
    /// Returns whether a response with this head is a redirect that the client follows with the body.
    pub(crate) resends: &'r dyn Fn(&Head) -> bool,
    /// The end of a TLS stream without close_notify ends a body that nothing else delimits.
    pub(crate) unclean_close: bool,
}

/// How the sending of a request's body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    /// The whole body was sent, or the request has no body.
    Whole,
    /// The response stopped the body, or came before any of it was sent.
    Stopped,
    /// The peer closed the connection while the body was being sent.
    Closed,
}

/// How far an exchange came. It is also valid after an error.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// Bytes of the request that the transport took.
    pub(crate) accepted: usize,
    /// Bytes of the response that arrived.
    pub(crate) received: usize,
    /// The head announces a body that waits for a 100, and none of the body was sent.
    pub(crate) withheld: bool,
    /// The connection is a reused one. It ended before a response, or the bytes that arrived are the rest of an earlier
    /// response.
    pub(crate) stale: bool,
    /// The head of the response that the error of the exchange is about, if a head had arrived.
    pub(crate) answer: Option<Box<Head>>,
}

/// A response's head, and its meaning for the body and the connection.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) head: Head,
    pub(crate) framing: Framing,
    /// The connection may carry another request once the body has been read.
    pub(crate) reusable: bool,
    /// The connection would be reusable if no head had broken a rule that is tolerated.
    pub(crate) tolerated: bool,
    /// No interim response came before this head, and the request was sent whole or its body was withheld.
    pub(crate) plain: bool,
    pub(crate) upload: Upload,
    pub(crate) ending: Ending,
}

/// The end of the connection, as it was seen while the request was sent. Reading the body cannot see it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Unknown,
    /// The peer has ended its direction in an orderly way, and all its bytes are in the buffers.
    Seen,
    /// The peer has reset the connection, or may have.
    Cut,
}

//! The pure part: bytes in, messages out.

mod decoding;
mod framing;
mod peer;
mod sockets;

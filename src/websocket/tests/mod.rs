//! The pure part: bytes in, messages out.

mod decoding;
mod ending;
mod framing;
mod life;
mod peer;
mod sockets;

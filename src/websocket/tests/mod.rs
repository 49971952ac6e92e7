//! The pure part: bytes in, messages out.

mod decoding;
mod ending;
#[path = "../../../tests/support/frames.rs"]
mod frames;
mod framing;
mod life;
mod peer;
mod sending;
mod sockets;

//! The fault matrix: every way in which a peer, a socket, a clock or the caller's own code can fail, with the error it
//! must give and what must hold behind each.
//!
//! One file a group, one table a kind of row, and one runner. Row ids name lines of the requirements.

#[cfg(feature = "websocket")]
#[allow(dead_code, reason = "for the tests of WebSockets")]
#[path = "../websocket/frames.rs"]
mod frames;
#[path = "../support/memory.rs"]
mod memory;
#[cfg(feature = "websocket")]
#[allow(dead_code, reason = "for the tests of WebSockets")]
#[path = "../websocket/peers.rs"]
mod peers;
#[path = "../support/mod.rs"]
mod support;
#[cfg(all(feature = "native-roots", feature = "rustls"))]
#[path = "../support/tls.rs"]
mod tls;
#[cfg(feature = "websocket")]
#[path = "../support/frames.rs"]
mod wire;

mod bodies;
mod cancelling;
mod connecting;
mod ending;
#[cfg(feature = "rustls")]
mod handshakes;
mod heads;
mod idle;
mod invariants;
mod limits;
mod panics;
#[cfg(target_os = "linux")]
mod process;
mod readers;
mod rows;
mod sending;
#[cfg(target_os = "linux")]
mod signals;
mod splits;
mod time;
#[cfg(feature = "websocket")]
mod websockets;

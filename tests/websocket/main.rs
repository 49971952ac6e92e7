//! WebSockets over real sockets.
#![cfg(feature = "websocket")]

#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "rustls")]
#[path = "../support/tls.rs"]
mod tls;
#[path = "../support/frames.rs"]
mod wire;

mod frames;
mod handshakes;
mod messages;
mod peers;
mod refusals;
mod ways;

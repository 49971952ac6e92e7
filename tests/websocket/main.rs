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
#[cfg(target_os = "linux")]
mod full;
mod handshakes;
mod messages;
mod peers;
mod refusals;
mod reports;
mod streams;
mod ways;

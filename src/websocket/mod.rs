//! WebSockets (RFC 6455), for threads.

mod assembly;
mod builder;
mod closing;
mod core;
mod decoder;
mod deflate;
mod failure;
mod fault;
mod frame;
mod halves;
mod handshake;
mod message;
#[cfg(all(test, hostpool_shuttle, not(hostpool_loom)))]
mod models;
mod reader;
mod receiving;
mod sending;
mod settings;
mod socket;
mod state;
mod stream;
#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests;
mod wire;

pub(crate) use builder::Hooks;
pub use builder::WebSocketBuilder;
pub use deflate::PerMessageDeflate;
pub use halves::{IntoMessages, Messages, WebSocketReceiver, WebSocketSender};
pub use message::{CloseFrame, Message};
pub use socket::WebSocket;
#[cfg(any(test, fuzzing))]
#[allow(unused_imports, reason = "for the fuzz target, which the models have not")]
pub(crate) use {
    decoder::{Bounds, Decoder, Event},
    frame::{HEAD, Head, Kind},
    message::Payload,
};

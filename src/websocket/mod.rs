//! WebSockets (RFC 6455), for threads.

mod assembly;
mod builder;
mod decoder;
mod deflate;
mod fault;
mod frame;
mod handshake;
mod message;
mod settings;
mod socket;
#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests;

pub(crate) use builder::Hooks;
pub use builder::WebSocketBuilder;
pub use deflate::PerMessageDeflate;
pub use message::{CloseFrame, Message};
pub use socket::WebSocket;

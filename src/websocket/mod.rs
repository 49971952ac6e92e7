//! WebSockets (RFC 6455), for threads.

mod assembly;
mod decoder;
mod deflate;
mod fault;
mod frame;
mod handshake;
mod message;
mod settings;
#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests;

pub use deflate::PerMessageDeflate;
pub use message::{CloseFrame, Message};
pub(crate) use settings::{Opened, Settings};

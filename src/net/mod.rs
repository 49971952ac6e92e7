//! Sockets: opening them, waiting on them, interrupting them.
//!
//! Every wait of the crate on a socket is in [`wait`]; nothing else polls.

pub(crate) mod abort;
pub(crate) mod connect;
pub(crate) mod descriptors;
// A part of it is for WebSockets alone.
#[cfg_attr(not(feature = "websocket"), allow(dead_code))]
pub(crate) mod duplex;
pub(crate) mod io_transport;
pub(crate) mod names;
pub(crate) mod options;
mod plan;
pub(crate) mod probe;
pub(crate) mod race;
pub(crate) mod sockets;
pub(crate) mod stream;
pub(crate) mod tcp;
pub(crate) mod tls_info;
pub(crate) mod transport;
pub(crate) mod turn;
#[cfg(all(test, hostpool_shuttle, not(hostpool_loom)))]
mod turn_models;
pub(crate) mod wait;
#[cfg_attr(not(feature = "websocket"), allow(dead_code))]
pub(crate) mod waker;

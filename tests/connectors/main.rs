//! Connectors, connections in the hands of the caller, and the sockets below them, over real sockets.

#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "rustls")]
#[path = "../support/tls.rs"]
mod tls;

mod connections;
mod presets;
mod sockets;
#[cfg(unix)]
mod unix;

use support::{Server, answers, ok};

/// A server that answers any number of requests on each connection.
fn steady() -> Server {
    Server::with(|_| answers(ok("fine")))
}

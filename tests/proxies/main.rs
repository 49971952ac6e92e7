//! Requests through proxies: forwarding, tunnels, credentials, pools, and proxies that break the rules.

#[path = "../support/ntlm.rs"]
mod ntlm;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "rustls")]
#[path = "../support/tls.rs"]
mod tls;

mod connectors;
mod credentials;
mod forwarding;
mod managers;
mod pools;
mod relay;
mod rounds;
mod scripted;
#[cfg(all(feature = "rustls", feature = "log"))]
mod secrets;
#[cfg(feature = "rustls")]
mod secured;
#[cfg(unix)]
mod sockets;

use relay::Relay;
use support::{Server, answers, ok};

/// A server that answers everything with its name.
fn origin(name: &str) -> Server {
    Server::new(vec![answers(ok(name))])
}

/// The lines of a head that stand in some place, without their ends.
fn lines(head: &str) -> Vec<&str> {
    head.split("\r\n").filter(|line| !line.is_empty()).collect()
}

/// Base64 of a login, as Basic credentials have it.
fn basic(login: &str, password: &str) -> String {
    hostpool::BasicAuth::new(login, password).encode().unwrap()
}

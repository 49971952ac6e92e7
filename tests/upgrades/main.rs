//! Connections that change to another protocol: after a 101, a CONNECT, or a 200 with a raw stream.

#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "rustls")]
#[path = "../support/tls.rs"]
mod tls;

mod agreed;
mod directions;
mod ending;
mod peers;
mod tunnels;

use hostpool::{Error, ErrorKind};

/// The kind of the error inside.
fn kind(error: &std::io::Error) -> ErrorKind {
    Error::from_io(error).unwrap_or_else(|| panic!("{error}: an error of the crate")).kind().clone()
}

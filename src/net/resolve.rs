//! Names to addresses, by the system's resolver.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use super::transport::Wait;
use crate::url::Origin;

/// The addresses of a host, in the order in which they are to be tried. An IP literal is its own answer, without a
/// lookup. A lookup runs on the caller's thread and cannot be interrupted.
pub(crate) fn addresses(origin: &Origin, wait: &Wait<'_>) -> io::Result<Vec<SocketAddr>> {
    let port = origin.port().unwrap_or_default();
    if let Some(address) = origin.address() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let addresses: Vec<_> = (origin.host(), port).to_socket_addrs()?.collect();
    // The lookup may have taken longer than it was given.
    if wait.is_cancelled() || wait.deadline.is_past() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(addresses)
}

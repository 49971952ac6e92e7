//! The behaviour of real servers, and the result for a user: the same bytes over real sockets for a session, a manager
//! and a pool.

#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "rustls")]
#[path = "../support/tls.rs"]
mod tls;

mod files;
mod framing;
mod idle;
mod text;
mod uploads;
mod urls;

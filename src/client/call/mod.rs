//! Runs one call, from `send` to its last response: the deadline, then the middleware, then a loop of requests.

mod connect;
mod credentials;
mod download;
mod fields;
mod journey;
mod resume;
mod send;
mod tries;

pub(super) use connect::connect;
pub(super) use download::download;
pub(super) use send::{begin, send};

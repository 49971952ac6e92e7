//! What real servers do, and what a user gets: the same bytes over real sockets for a session, a manager and a pool.

#[path = "../support/mod.rs"]
mod support;

mod files;
mod framing;
mod idle;
mod text;
mod uploads;
mod urls;

//! What a user of the crate sees over real sockets, against servers that follow a script.

#[path = "../support/mod.rs"]
mod support;

mod bodies;
#[cfg(feature = "gzip")]
mod coding;
mod deadlines;
mod downloads;
mod http_crate;
mod limits;
mod multipart;
mod observing;
mod pooling;
mod replay;
mod requests;
mod response;
mod responses;
mod sending;

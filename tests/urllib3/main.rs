//! What urllib3's own tests assert, row by row, in tables: each group has a file, and each row its id.

#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "rustls")]
#[path = "../support/tls.rs"]
mod tls;

mod bodies;
mod chunks;
mod connections;
mod decoding;
mod fields;
mod headers;
mod helpers;
mod lifecycle;
mod managers;
mod pools;
mod redirects;
mod requests;
mod responses;
mod retries;
mod scripts;
mod timeouts;
mod urls;

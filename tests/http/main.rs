//! What a user of the crate sees over real sockets, against servers that follow a script.

#[path = "../support/mod.rs"]
mod support;

mod bodies;
#[cfg(feature = "gzip")]
mod coding;
mod deadlines;
mod downloads;
mod holders;
mod http_crate;
mod limits;
mod managers;
mod multipart;
mod observing;
mod pooling;
mod rates;
mod reaping;
mod replay;
mod requests;
mod response;
mod responses;
mod retrying;
mod sending;
mod streams;
mod transports;

fn headers(fields: &[(&str, &str)]) -> hostpool::Headers {
    hostpool::Headers::from_pairs(fields.iter().copied()).unwrap()
}

/// Answers a request by less than the head says.
fn broken(head: &str, body: &str) -> Vec<support::Step> {
    vec![support::Step::Request, support::Step::Send(format!("HTTP/1.1 {head}\r\n\r\n{body}").into_bytes())]
}

//! What a user of a session sees over real sockets: redirects, cookies, credentials, middleware.

#[path = "../support/ntlm.rs"]
mod ntlm;
#[path = "../support/mod.rs"]
mod support;

mod auth;
mod builders;
mod cookies;
mod lifetime;
mod made;
mod middleware;
mod moving;
mod redirect_when;
mod redirects;
mod secrets;
mod settings;
mod trust;

use support::{Server, Step};

/// The head of a redirect with a short body.
fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 5\r\n\r\nmoved").into_bytes()
}

/// Answers each request of a connection by the next of these, and the last one from then on.
fn in_turn(answers: impl IntoIterator<Item = Vec<u8>>) -> Vec<Step> {
    let mut steps: Vec<Step> = answers.into_iter().flat_map(|bytes| [Step::Request, Step::Send(bytes)]).collect();
    let last = steps.split_off(steps.len() - 2);
    steps.push(Step::Forever(last));
    steps
}

/// The values of a field of a request as it came, in order.
fn values<'a>(request: &'a str, name: &str) -> Vec<&'a str> {
    let head = request.split("\r\n\r\n").next().unwrap_or_default();
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

/// What stands behind the head.
fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn request_line(request: &str) -> &str {
    request.lines().next().unwrap_or_default()
}

fn line_server(answers: impl IntoIterator<Item = Vec<u8>>) -> Server {
    Server::new(vec![in_turn(answers)])
}

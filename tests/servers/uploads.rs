//! Requests with a body to servers that answer early, refuse, or close: rows RW-01, RW-19 and RW-44.
//!
//! A server is told by the path of a request what to do with it, and reports how much of the body it got. Small bodies
//! leave before an early response can be seen, so what is asked of every cell is that the flag and the server agree.

mod early;
mod endings;
// Only Linux tells the other end of a Unix socket.
#[cfg(target_os = "linux")]
mod half_closed;
mod refused;
mod server;

use hostpool::{ConnectionPool, Error, PoolManager, RequestBuilder, Response, Session};

use self::server::Host;
use crate::support::GIVE_UP;

const MB: usize = 1_000_000;

/// The fate of a body.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It goes on to its end.
    On,
    /// It stops, if it has not left before.
    Stops,
    /// It goes on until the connection ends.
    Breaks,
}

/// The table: what the server does, what becomes of the body, and whether another request follows. A POST becomes a GET
/// after 302 and 303 with a session.
const TABLE: [(&str, Fate, Option<&str>); 13] = [
    ("late", Fate::On, None),
    ("200", Fate::On, None),
    ("200-close", Fate::On, None),
    ("200-old", Fate::On, None),
    ("200-ends", Fate::On, None),
    ("200-chunks", Fate::On, None),
    ("302", Fate::On, Some("GET")),
    ("303", Fate::On, Some("GET")),
    ("307", Fate::Stops, Some("POST")),
    ("401", Fate::Stops, None),
    ("413", Fate::Stops, None),
    ("closes", Fate::Breaks, None),
    ("resets", Fate::Breaks, None),
];

/// Sends one body, and holds the response against the table.
fn check(
    host: &Host,
    send: impl FnOnce(&str) -> Result<Response, Error>,
    row: (&str, Fate, Option<&str>),
    size: usize,
) {
    let (what, fate, then) = row;
    let path = host.path(what);
    let id = format!("RW-01 {} {what} {size}", host.name);
    let response = send(&path).unwrap_or_else(|error| panic!("{id}: {error}"));
    let status = what.parse().ok().filter(|_| then.is_none()).unwrap_or(200);
    assert_eq!(response.status().as_u16(), status, "{id}");
    let first = response.history().first().map_or(response.request_body_complete(), |hop| hop.request_body_complete());
    if then.is_some() {
        assert!(response.request_body_complete(), "{id}: the last request");
        assert_eq!(response.history().len(), 1, "{id}");
    }
    // Until the response is read, what is left of it keeps the connection.
    assert_eq!(response.text().unwrap(), "early", "{id}");
    let seen = host.reports.of(&path).whole;
    match fate {
        Fate::On => assert_eq!((first, seen), (true, Some(size)), "{id}"),
        Fate::Stops => assert_eq!(seen, first.then_some(size), "{id}"),
        // Bytes that the system has taken may have been thrown away.
        Fate::Breaks => {}
    }
    assert!(fate == Fate::On || size < 30 * MB || !first, "{id}: more than any system takes");
    if let Some(method) = then {
        let (number, _) = path[1..].split_once('/').unwrap();
        let last = host.reports.of(&format!("/{number}/late"));
        let size = if method == "GET" { 0 } else { size };
        assert_eq!((&*last.method, last.whole), (method, Some(size)), "{id}");
    }
}

fn matrix(host: &Host, sizes: &[usize]) {
    let session = host.session().build().unwrap();
    for row in TABLE {
        for &size in sizes {
            for chunked in [false, true] {
                let send = |path: &str| {
                    let request = session.post(format!("{}{path}", host.url)).data(vec![b'x'; size]);
                    request.chunked(chunked).send()
                };
                check(host, send, row, size);
            }
        }
    }
}

const SMALL: [usize; 5] = [0, MB / 10, 9 * MB / 10, 12 * MB / 10, 3 * MB];

#[test]
fn early_responses_in_clear() {
    matrix(&Host::plain(), &SMALL);
}

#[test]
fn early_responses_to_thirty_megabytes() {
    matrix(&Host::plain(), &[30 * MB]);
}

#[cfg(unix)]
#[test]
fn early_responses_over_a_unix_socket() {
    matrix(&Host::unix(), &[0, MB / 10, 9 * MB / 10, 12 * MB / 10, 3 * MB, 30 * MB]);
}

#[cfg(feature = "rustls")]
#[test]
fn early_responses_over_tls() {
    matrix(&Host::tls(), &SMALL);
}

#[cfg(feature = "rustls")]
#[test]
fn early_responses_to_thirty_megabytes_over_tls() {
    matrix(&Host::tls(), &[30 * MB]);
}

fn hosts() -> Vec<Host> {
    vec![
        Host::plain(),
        #[cfg(unix)]
        Host::unix(),
        #[cfg(feature = "rustls")]
        Host::tls(),
    ]
}

/// Clients of each kind, and how each sends a PUT.
fn clients(url: &str) -> Vec<(&'static str, RequestBuilder)> {
    let pool = ConnectionPool::builder(url).timeout(GIVE_UP).build().unwrap();
    let manager = PoolManager::builder().timeout(GIVE_UP).build().unwrap();
    let session = Session::builder().timeout(GIVE_UP).build().unwrap();
    vec![
        ("a pool", pool.put("/")),
        ("a manager", manager.put(format!("{url}/"))),
        ("a session", session.put(format!("{url}/"))),
    ]
}

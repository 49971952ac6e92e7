//! Responses that refuse a body, and bodies of responses that the client throws away.

use std::io;
use std::time::Duration;

use hostpool::{Body, ErrorKind, Limits, Phase, RequestBuilder, Retry, Session, Timeout};

#[cfg(feature = "digest-auth")]
use super::MB;
use super::clients;
use crate::support::{GIVE_UP, Server, Step, answer, header, ok};

/// A challenge stops the body, which goes whole with the answer.
#[cfg(feature = "digest-auth")]
#[test]
fn a_challenge_to_a_large_body() {
    let challenge = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\
                     WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256\r\n\r\n";
    let first = vec![Step::Head, Step::Send(challenge.into()), Step::UntilClosed];
    let server = Server::new(vec![first, answer(ok("taken"))]);
    let session = Session::builder().auth(hostpool::DigestAuth::new("u", "p")).timeout(GIVE_UP).build().unwrap();
    let response = session.post(server.url("/")).data(vec![b'x'; 30 * MB]).send().unwrap();
    assert!(response.request_body_complete(), "RW-01");
    assert_eq!(response.text().unwrap(), "taken", "RW-01");
    let requests = server.seen.requests();
    assert!(requests[0].contains("Authorization: Digest") && requests[0].ends_with(&"x".repeat(30 * MB)), "RW-01");
}

/// RW-19: the server does not know the expectation; without it the request is asked for as a whole.
#[test]
fn an_expectation_that_fails() {
    let refusal = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno";
    let refuses = || vec![Step::Head, Step::Send(refusal.into()), Step::UntilClosed];
    let body = |kind| match kind {
        "bytes" => Body::from("the body"),
        _ => Body::reader(io::Cursor::new("the body")),
    };
    let by_header = |request: RequestBuilder| request.header("Expect", "100-continue");
    for kind in ["bytes", "a reader"] {
        for at in 0..3 {
            for in_header in [false, true] {
                let server = Server::new(vec![refuses(), answer(ok("taken"))]);
                let (client, request) = clients(&server.url("")).swap_remove(at);
                let id = format!("RW-19 {client}, {kind}, {in_header}");
                let request = if in_header { by_header(request) } else { request.expect100(true) };
                let timeout = Timeout::new().total(GIVE_UP).expect(GIVE_UP);
                let response = request.data(body(kind)).timeout(timeout).send().unwrap();
                assert!(response.request_body_complete() && response.history().is_empty(), "{id}");
                assert!(response.retries().is_none(), "{id}: no retry");
                assert_eq!(response.text().unwrap(), "taken", "{id}");
                assert_eq!(server.seen.accepted(), 2, "{id}");
                let requests = server.seen.requests();
                assert!(header(&requests[0], "Expect").is_none() && requests[0].contains("the body"), "{id}");
            }
        }
    }
}

/// RW-19: a second 417 is about something else, and so is one to a request that expects nothing.
#[test]
fn an_expectation_that_fails_again() {
    let refusal = b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno".to_vec();
    let again = Server::new(vec![vec![Step::Head, Step::Send(refusal.clone()), Step::UntilClosed], answer(&refusal)]);
    let unasked = Server::new(vec![answer(&refusal)]);
    // What a reader has given cannot be had again.
    let mut spent = vec![Step::Head, Step::Record(300_000), Step::Send(refusal)];
    spent.push(Step::UntilClosed);
    let spent = Server::new(vec![spent]);
    let session = Session::builder().timeout(GIVE_UP).build().unwrap();
    let reader = || Body::sized(io::Cursor::new(vec![b'x'; 400_000]), 400_000);
    let now = Timeout::new().expect(Duration::ZERO).total(GIVE_UP);
    for (id, server, request, heads) in [
        ("again", &again, session.put(again.url("/")).data("x").expect100(true), 2),
        ("unasked", &unasked, session.put(unasked.url("/")).data("x"), 1),
        ("spent", &spent, session.put(spent.url("/")).data(reader()).expect100(true).timeout(now), 1),
    ] {
        let response = request.send().unwrap();
        assert_eq!(response.status(), 417, "RW-19 {id}");
        assert_eq!(server.seen.accepted(), heads, "RW-19 {id}");
    }
}

/// RW-27: a 101 that was asked for is the response, and any other breaks HTTP.
#[test]
fn a_switch_of_protocols() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    for at in 0..3 {
        for asked in [true, false] {
            let server = Server::new(vec![answer(switching)]);
            let (client, request) = clients(&server.url("")).swap_remove(at);
            let request = if asked { request.header("Upgrade", "websocket") } else { request };
            let result = request.retries(Retry::off()).send();
            if asked {
                assert_eq!(result.unwrap().status(), 101, "RW-27 {client}");
                continue;
            }
            let error = result.unwrap_err();
            let unexpected = ErrorKind::Protocol(hostpool::Violation::UnexpectedUpgrade);
            assert_eq!((error.kind(), error.phase()), (&unexpected, Phase::Head), "RW-27 {client}");
        }
    }
}

/// RW-24: what the client throws away is waited for as long as the limit says, and for no longer.
#[test]
fn a_body_that_is_thrown_away_and_stalls() {
    let late = |line: &str| {
        let head = format!("HTTP/1.1 {line}\r\nContent-Length: 4\r\n\r\nab").into_bytes();
        vec![Step::Request, Step::Send(head), Step::Pause(Duration::from_secs(4)), Step::Send(b"cd".to_vec())]
    };
    // The five seconds that this once took let the rest come.
    for (id, time) in [("by default", None), ("nothing", Some(Duration::ZERO))] {
        for (line, kind) in [
            ("404 Not Found", ErrorKind::Status(http_status(404))),
            ("302 Found\r\nLocation: /", ErrorKind::TooManyRedirects),
        ] {
            let server = Server::new(vec![late(line)]);
            let limits = time.map_or(Limits::new(), |time| Limits::new().drain_time(time));
            let session = Session::builder().limits(limits).raise_for_status(true).max_redirects(0).build().unwrap();
            let error = session.get(server.url("/")).send().unwrap_err();
            assert_eq!(error.kind(), &kind, "RW-24 {id}");
            assert_eq!(error.head().unwrap().body(), b"ab", "RW-24 {id} {line}");
        }
    }
}

fn http_status(code: u16) -> hostpool::StatusCode {
    hostpool::StatusCode::from_u16(code).unwrap()
}

/// RW-24: with time to wait the connections of responses that are not the last serve again.
#[test]
fn a_body_that_is_thrown_away_and_comes_late() {
    let late = |line: &str| {
        let head = format!("HTTP/1.1 {line}\r\nContent-Length: 4\r\n\r\nab").into_bytes();
        vec![Step::Request, Step::Send(head), Step::Pause(Duration::from_millis(300)), Step::Send(b"cd".to_vec())]
    };
    for (id, line) in [("a redirect", "302 Found\r\nLocation: /"), ("a retry", "503 Busy\r\nRetry-After: 0")] {
        for (time, connections) in [(Duration::ZERO, 2), (Duration::MAX, 1)] {
            let server = Server::new(vec![[late(line), answer(ok("next"))].concat(), answer(ok("next"))]);
            let limits = Limits::new().drain_time(time);
            let session = Session::builder().limits(limits).retries(Retry::new(2)).timeout(GIVE_UP).build().unwrap();
            assert_eq!(session.get(server.url("/")).send().unwrap().text().unwrap(), "next", "RW-24 {id}");
            assert_eq!(server.seen.accepted(), connections, "RW-24 {id} {time:?}");
        }
    }
}

//! When the connection goes back, and what can be read after that.

use std::io::Read;
use std::time::Duration;

use hostpool::{CloseReason, ConnectionPool, Error, ErrorKind, Limits, Response, Violation};

use super::fetch;
use crate::support::{GIVE_UP, Server, Step, answer, answers, ok};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A server whose first connection answers with that, and then as long as it is used again.
fn server(first: Vec<Step>) -> (Server, ConnectionPool) {
    let server = Server::new(vec![[first, answers(ok("same"))].concat(), answers(ok("new"))]);
    let pool = ConnectionPool::builder(server.url(""))
        .retries(hostpool::Retry::off())
        .timeout(GIVE_UP)
        .probe_after(Duration::ZERO)
        .build()
        .unwrap();
    (server, pool)
}

/// Rows B122 to B131: what the body is, and whether its connection is used again.
#[test]
fn bodies() {
    let incomplete = |received| Err(ErrorKind::incomplete_body(received, Some(10)));
    let cut = vec![Step::Request, Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".into())];
    let split = format!("{CHUNKED}2;ext=1\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: 1\r\n\r\n");
    let drip = vec![Step::Request, Step::Drip(split.into(), Duration::ZERO)];
    let two_lengths = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello";
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let table = [
        ("B122", "HEAD", answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), Ok(""), true),
        ("B124", "GET", answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"), Ok(""), false),
        ("B125", "GET", [cut, vec![Step::HalfClose, Step::UntilClosed]].concat(), incomplete(5), false),
        ("B127, B128", "GET", drip, Ok("hello"), true),
        ("B130", "GET", answer(two_lengths), Err(ErrorKind::Protocol(Violation::ConflictingContentLength)), false),
        ("B130 both", "GET", answer(both), Ok("hello"), false),
        ("B131", "GET", [answer("HTTP/1.1 200 OK\r\n\r\nhello"), vec![Step::HalfClose]].concat(), Ok("hello"), false),
    ];
    for (id, method, script, expected, kept) in table {
        let (_server, pool) = server(script);
        let result = pool.request(method.parse().unwrap(), "/").send().and_then(Response::bytes);
        let result = result.map_err(|error| error.kind().clone());
        assert_eq!(result, expected.map(|body| body.as_bytes().to_vec()), "{id}");
        let next = pool.get("/").send().unwrap().text().unwrap();
        assert_eq!(next == "same", kept, "{id}");
    }
}

/// Rows RS-02, RS-09, RS-15, RS-17, B155: the ways of ending a response, and reading behind them.
#[test]
fn close_and_release() {
    let whole = || answer(ok("hello"));
    let late =
        || vec![Step::Request, Step::Send(ok("hello")[..40].into()), Step::Hold, Step::Send(ok("hello")[40..].into())];
    let long = || answer(ok(&"x".repeat(100_000)));
    let broken = || answer(format!("{CHUNKED}xyz\r\n"));
    type End = fn(&mut Response);
    let table: [(&str, Vec<Step>, End, bool, ErrorKind); 6] = [
        ("close", whole(), Response::close, false, ErrorKind::Closed),
        ("release", whole(), Response::release, true, ErrorKind::Closed),
        ("release waits", late(), Response::release, true, ErrorKind::Closed),
        ("release of much", long(), Response::release, false, ErrorKind::Closed),
        ("release of until close", answer("HTTP/1.1 200 OK\r\n\r\nhello"), Response::release, false, ErrorKind::Closed),
        ("release of what is broken", broken(), Response::release, false, ErrorKind::Closed),
    ];
    for (id, script, end, kept, kind) in table {
        let (server, pool) = server(script);
        let mut response = pool.get("/").send().unwrap();
        let connection = response.connection().unwrap();
        assert_eq!((connection.remote, connection.encrypted), (Some(server.addr), false), "{id}");
        server.gate.open();
        end(&mut response);
        assert_eq!((response.connection(), pool.stats().in_use), (None, 0), "{id}");
        assert_eq!(pool.stats().idle, usize::from(kept), "{id}");
        // The head is still there, the body is not, in whatever way it is asked for.
        assert_eq!(response.status(), 200, "{id}");
        let error = response.read(&mut [0; 10]).unwrap_err();
        assert_eq!(Error::from_io(&error).unwrap().kind(), &kind, "{id}");
        let errors = [
            response.load().map(drop).unwrap_err(),
            response.chunks(3).next().unwrap().unwrap_err(),
            response.lines().next().unwrap().unwrap_err(),
            response.copy_to(&mut Vec::new()).unwrap_err(),
            response.text().unwrap_err(),
        ];
        for error in errors {
            assert_eq!((error.kind(), error.maybe_processed()), (&kind, true), "{id}: {error}");
        }
        let next = pool.get("/").send().unwrap().text().unwrap();
        assert_eq!(next == "same", kept, "{id}");
    }
}

/// The limit on what is drained holds for `release` too, to the byte.
#[test]
fn release_is_bounded() {
    for (size, kept) in [(1000, true), (1001, false)] {
        let chunked = format!("{CHUNKED}{size:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(size));
        for bytes in [ok(&"x".repeat(size)), chunked.into_bytes()] {
            let server = Server::new(vec![answers(bytes)]);
            let limits = Limits::new().drain_bytes(1000);
            let pool = ConnectionPool::builder(server.url(""))
                .retries(hostpool::Retry::off())
                .limits(limits)
                .timeout(GIVE_UP)
                .build()
                .unwrap();
            pool.get("/").send().unwrap().release();
            assert_eq!(pool.stats().closed(CloseReason::BodyAbandoned), u64::from(!kept), "{size}");
        }
    }
}

/// What was read to its end before stays at its end, and a failure stays that failure.
#[test]
fn closing_later_changes_nothing() {
    for end in [Response::close as fn(&mut Response), Response::release] {
        let (_server, mut response) = fetch(ok("hello"));
        assert_eq!(std::io::read_to_string(&mut response).unwrap(), "hello");
        end(&mut response);
        assert_eq!(response.read(&mut [0; 10]).unwrap(), 0);
        let (_server, mut response) = fetch(format!("{CHUNKED}xyz\r\n"));
        response.read(&mut [0; 10]).unwrap_err();
        end(&mut response);
        let error = response.bytes().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Protocol(Violation::ChunkSize));
    }
}

/// Rows B121, B155, RSP-01: what was loaded is read as often as one likes, also when the connection is gone.
#[test]
fn loaded() {
    type Read = fn(Response) -> Vec<u8>;
    let read_all = |mut response: Response| {
        let mut body = Vec::new();
        response.read_to_end(&mut body).unwrap();
        body
    };
    let ways: [(&str, Read); 7] = [
        ("bytes", |response| response.bytes().unwrap()),
        ("text", |response| response.text().unwrap().into_bytes()),
        ("json_with", |response| response.json_with(|text| Ok::<_, String>(text.as_bytes().to_vec())).unwrap()),
        ("read", read_all),
        ("chunks", |mut response| response.chunks(2).flat_map(Result::unwrap).collect()),
        ("lines", |mut response| response.lines().flat_map(|line| line.unwrap().into_bytes()).collect()),
        ("into_http", |response| std::io::read_to_string(response.into_http().unwrap().into_body()).unwrap().into()),
    ];
    for (way, read) in ways {
        for end in [None, Some(Response::close as fn(&mut Response)), Some(Response::release)] {
            let (server, pool) = server(answer(ok("hello")));
            let mut response = pool.get("/").send().unwrap();
            assert_eq!(response.load().unwrap(), b"hello", "{way}");
            assert_eq!((response.connection(), pool.stats().idle), (None, 1), "{way}");
            drop(server);
            end.iter().for_each(|end| end(&mut response));
            assert_eq!(response.load().unwrap(), b"hello", "{way}");
            assert_eq!(read(response), b"hello", "{way}");
        }
    }
}

/// `Read` gives a loaded body out once, while `bytes` gives all of it; and what was read before is not in it.
#[test]
fn loaded_in_part() {
    let (_server, mut response) = fetch(ok("hello"));
    response.read_exact(&mut [0; 2]).unwrap();
    assert_eq!(response.load().unwrap(), b"llo");
    response.read_exact(&mut [0; 2]).unwrap();
    assert_eq!((response.bytes_read(), response.read(&mut [0; 9]).unwrap()), (5, 1));
    assert_eq!(response.read(&mut [0; 9]).unwrap(), 0);
    assert_eq!(response.bytes().unwrap(), b"llo");
}

/// Row B125: a body that is too long or breaks off is no shorter body for whoever asks again.
#[test]
fn what_cannot_be_loaded() {
    let limits = Limits::new().max_body(4);
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    for bytes in [ok("hello"), format!("{CHUNKED}5\r\nhello\r\n0\r\n\r\n").into_bytes(), cut.into()] {
        let server = Server::new(vec![answer(bytes)]);
        let pool = ConnectionPool::builder(server.url(""))
            .retries(hostpool::Retry::off())
            .limits(limits)
            .timeout(GIVE_UP)
            .build()
            .unwrap();
        let mut response = pool.get("/").send().unwrap();
        let kind = response.load().unwrap_err().kind().clone();
        assert_eq!(pool.stats().in_use, 0);
        assert_eq!(Error::from_io(&response.read(&mut [0; 9]).unwrap_err()).unwrap().kind(), &kind);
        assert_eq!(response.load().unwrap_err().kind(), &kind);
        assert_eq!(response.bytes().unwrap_err().kind(), &kind);
    }
}

/// Rows RS-10 and RSP-06: `Read` in small pieces, and nothing into nothing.
#[test]
fn read() {
    let (_server, mut response) = fetch(ok("foo"));
    let mut buf = [0; 2];
    let mut seen = Vec::new();
    for size in [0, 1, 2, 2, 0] {
        let len = response.read(&mut buf[..size]).unwrap();
        seen.push(String::from_utf8(buf[..len].to_vec()).unwrap());
    }
    assert_eq!(seen, ["", "f", "oo", "", ""]);
}

/// As a response of the `http` crate: head, body and trailers.
#[test]
fn into_http() {
    let (_server, response) = fetch(
        "HTTP/1.1 418 Teapot\r\nX-A: 1\r\nx-a: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: 1\r\n\r\n",
    );
    let mut response = response.into_http().unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (418, hostpool::Version::HTTP_11));
    assert_eq!(response.headers().get_all("X-A").iter().collect::<Vec<_>>(), ["1", "2"]);
    let mut text = String::new();
    response.body_mut().read_to_string(&mut text).unwrap();
    assert_eq!((&*text, response.body().trailers().get("t")), ("hi", Some("1")));
    assert_eq!(response.into_body().into_response().host(), "127.0.0.1");
    let (_server, response) = fetch("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(response.into_http().unwrap().version(), hostpool::Version::HTTP_10);
}

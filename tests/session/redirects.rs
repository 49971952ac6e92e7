//! Redirects, as the servers at both ends of them see it.

use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hostpool::{Body, Compress, ConnectionPool, ErrorKind, PoolManager, RequestBuilder, Retry, Session, Timeout};

use crate::support::{GIVE_UP, Server, Step, answers, ok};
use crate::{body as body_of, in_turn, line_server, redirect, request_line, values};

/// What arrives behind a redirect within one origin.
#[derive(Clone, Copy)]
struct Hop {
    row: &'static str,
    method: &'static str,
    status: u16,
    location: &'static str,
    request: fn(RequestBuilder) -> RequestBuilder,
    line: &'static str,
    body: &'static str,
    has: &'static [(&'static str, &'static str)],
    lacks: &'static [&'static str],
}

const HOP: Hop = Hop {
    row: "",
    method: "GET",
    status: 302,
    location: "/next",
    request: |request| request,
    line: "GET /next HTTP/1.1",
    body: "",
    has: &[],
    lacks: &[],
};

const OF_A_BODY: &[&str] = &["Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Expect"];

#[test]
fn within_one_origin() {
    let post = Hop { method: "POST", request: |request| request.form([("a", "b")]), ..HOP };
    let to_get = Hop { lacks: OF_A_BODY, ..post };
    let table = [
        Hop { row: "B94 301", status: 301, ..to_get },
        Hop { row: "B94 302", ..to_get },
        Hop { row: "A1.15 B95 303", status: 303, ..to_get },
        Hop {
            row: "A1.15 chunked",
            status: 303,
            request: |request| {
                request
                    .data(Body::reader(&b"abc"[..]))
                    .header("Content-Encoding", "x")
                    .compress(Compress::Off)
                    .expect100(false)
            },
            ..to_get
        },
        Hop {
            row: "A1.15 in chunks",
            status: 303,
            request: |request| request.data("text").chunked(true).encoding("utf-8").on_upload_progress(|_, _| ()),
            ..to_get
        },
        Hop {
            row: "kept 301",
            status: 301,
            request: |request| request.form([("a", "b")]).keep_method(true),
            line: "POST /next HTTP/1.1",
            body: "a=b",
            ..post
        },
        Hop {
            row: "kept 302",
            request: |request| request.form([("a", "b")]).keep_method(true),
            line: "POST /next HTTP/1.1",
            body: "a=b",
            ..post
        },
        Hop {
            row: "kept, but 303",
            status: 303,
            request: |request| request.form([("a", "b")]).keep_method(true),
            ..to_get
        },
        Hop { row: "B95 PUT", status: 303, method: "PUT", ..to_get },
        Hop { row: "B95 GET with a body", status: 303, method: "GET", ..to_get },
        Hop {
            row: "A1.15 whatever is about a body",
            status: 303,
            request: |request| {
                let fields = ["Content-Range", "content-disposition", "Content-MD5", "Content-Digest", "Repr-Digest"];
                fields.iter().fold(request.data("abc"), |request, name| request.header(name, "x"))
            },
            lacks: &["Content-Range", "Content-Disposition", "Content-MD5", "Content-Digest", "Repr-Digest"],
            ..to_get
        },
        Hop { row: "B95 HEAD", status: 303, method: "HEAD", line: "HEAD /next HTTP/1.1", ..HOP },
        Hop { row: "B97 PUT", status: 301, method: "PUT", line: "PUT /next HTTP/1.1", body: "a=b", ..post },
        Hop { row: "B97 DELETE", method: "DELETE", line: "DELETE /next HTTP/1.1", ..HOP },
        Hop {
            row: "B98 307",
            status: 307,
            line: "POST /next HTTP/1.1",
            body: "a=b",
            has: &[("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", "3")],
            ..post
        },
        Hop { row: "B98 308", status: 308, line: "POST /next HTTP/1.1", body: "a=b", ..post },
        Hop { row: "B106", location: "c?d", line: "GET /a/c?d HTTP/1.1", ..HOP },
        Hop { row: "B109", request: |request| request.params([("q", "1")]), ..HOP },
        Hop { row: "B110", location: "/x?y#z", line: "GET /x?y HTTP/1.1", ..HOP },
        Hop { row: "B119", location: "/%2f%7E", line: "GET /%2f%7E HTTP/1.1", ..HOP },
        Hop { row: "A1.22", location: "/a%0d%0aX:%20y\t\u{e9}", line: "GET /a%0d%0aX:%20y%C3%A9 HTTP/1.1", ..HOP },
        Hop {
            row: "B112 same origin",
            request: |request| request.header("Authorization", "Bearer x").header("X-A", "1").cookie("c", "1"),
            has: &[("Authorization", "Bearer x"), ("X-A", "1"), ("Cookie", "c=1")],
            ..HOP
        },
    ];
    for hop in table {
        let row = hop.row;
        let answer = if hop.method == "HEAD" { b"HTTP/1.1 200 OK\r\n\r\n".to_vec() } else { ok("there") };
        let first = redirect(hop.status, hop.location);
        let first = if hop.method == "HEAD" { first[..first.len() - 5].to_vec() } else { first };
        let server = line_server([first, answer]);
        let session = Session::new();
        let request = session.request(hop.method.parse().unwrap(), server.url("/a/b#part"));
        let response = (hop.request)(request).send().unwrap_or_else(|error| panic!("{row}: {error}"));
        assert_eq!(response.status(), 200, "{row}");
        assert_eq!(response.url().target(), hop.line.split(' ').nth(1).unwrap(), "{row}");
        assert_eq!(response.url().fragment(), None, "B47 {row}");
        let [passed] = response.history() else { panic!("{row}") };
        assert_eq!(passed.url().fragment(), None, "B47 {row}");
        assert_eq!((passed.status().as_u16(), passed.method().as_str()), (hop.status, hop.method), "{row}");
        assert_eq!(server.seen.accepted(), 1, "{row}: the connection is used again");

        let requests = server.seen.requests();
        let [_, next] = &requests[..] else { panic!("{row}: {requests:?}") };
        assert_eq!((request_line(next), body_of(next)), (hop.line, hop.body), "{row}");
        for (name, value) in hop.has {
            assert_eq!(values(next, name), [*value], "{row}: {name}");
        }
        for name in hop.lacks {
            assert!(values(next, name).is_empty(), "{row}: {name}");
        }
    }
}

/// A client's own word on the method after a 301 or 302, and the request's.
#[test]
fn whether_a_post_stays_one() {
    type Post = fn(&str) -> RequestBuilder;
    let table: [(&str, Post, &str, &str); 6] = [
        ("session", |url| Session::builder().keep_method(true).build().unwrap().post(url), "POST", "text"),
        ("session, off", |url| Session::builder().keep_method(false).build().unwrap().post(url), "GET", ""),
        ("pools", |url| PoolManager::builder().keep_method(true).build().unwrap().post(url), "POST", "text"),
        ("pools, off", |url| PoolManager::builder().keep_method(false).build().unwrap().post(url), "GET", ""),
        ("request of a session", |url| Session::new().post(url).keep_method(true), "POST", "text"),
        ("request of a pool", |url| PoolManager::new().post(url).keep_method(false), "GET", ""),
    ];
    for (row, post, method, body) in table {
        for status in [301, 302] {
            let server = line_server([redirect(status, "/next"), ok("there")]);
            post(&server.url("/")).data("text").send().unwrap();
            let next = server.seen.requests().remove(1);
            let expected = format!("{method} /next HTTP/1.1");
            assert_eq!((request_line(&next), body_of(&next)), (&*expected, body), "{row} {status}");
        }
    }
}

/// What a request carries, and what of it reaches another origin.
struct Across {
    row: &'static str,
    session: fn() -> Session,
    request: fn(RequestBuilder) -> RequestBuilder,
    first: &'static [(&'static str, &'static str)],
    next: &'static [(&'static str, &'static str)],
    lacks: &'static [&'static str],
}

const ACROSS: Across =
    Across { row: "", session: Session::new, request: |request| request, first: &[], next: &[], lacks: &[] };

fn session_with(name: &str, value: &str) -> Session {
    Session::builder().header(name, value).build().unwrap()
}

const SECRETS: &[&str] = &["Authorization", "Cookie", "Proxy-Authorization"];

#[test]
fn across_origins() {
    let table = [
        Across {
            row: "B112 A1.3",
            request: |request| request.header("Authorization", "Bearer x").header("Cookie", "a=b").header("X-A", "1"),
            first: &[("Authorization", "Bearer x"), ("Cookie", "a=b"), ("X-A", "1")],
            next: &[("X-A", "1")],
            lacks: SECRETS,
            ..ACROSS
        },
        Across {
            row: "A1.8",
            request: |request| request.header("Authorization", "one").header("authorization", "two"),
            lacks: SECRETS,
            ..ACROSS
        },
        Across {
            row: "A1.8 proxy",
            request: |request| request.header("Proxy-Authorization", "one").header("proxy-authorization", "two"),
            lacks: SECRETS,
            ..ACROSS
        },
        Across {
            row: "A1.10 kept",
            request: |request| request.header("X-Api-Key", "1"),
            next: &[("X-Api-Key", "1")],
            ..ACROSS
        },
        Across {
            row: "A1.10 request",
            request: |request| request.header("X-Api-Key", "1").sensitive_headers(["x-api-key"]),
            first: &[("X-Api-Key", "1")],
            lacks: &["X-Api-Key"],
            ..ACROSS
        },
        Across {
            row: "A1.10 session",
            session: || {
                let builder = Session::builder().header("X-Api-Key", "1").header("X-B", "2");
                builder.sensitive_headers(["X-API-KEY"]).build().unwrap()
            },
            first: &[("X-Api-Key", "1"), ("X-B", "2")],
            next: &[("X-B", "2")],
            lacks: &["X-Api-Key"],
            ..ACROSS
        },
        Across {
            row: "A1.10 a header of the session, by the request's word",
            session: || session_with("X-Api-Key", "1"),
            request: |request| request.sensitive_headers(["x-api-key"]),
            first: &[("X-Api-Key", "1")],
            lacks: &["X-Api-Key"],
            ..ACROSS
        },
        Across {
            row: "A1.14",
            request: |request| request.cookie("a", "b"),
            first: &[("Cookie", "a=b")],
            lacks: SECRETS,
            ..ACROSS
        },
        Across {
            row: "B115 header",
            session: || session_with("Authorization", "Bearer x"),
            first: &[("Authorization", "Bearer x")],
            lacks: SECRETS,
            ..ACROSS
        },
        Across {
            row: "B115 cookies",
            session: || Session::builder().cookies([("a", "b")]).build().unwrap(),
            first: &[("Cookie", "a=b")],
            lacks: SECRETS,
            ..ACROSS
        },
        Across {
            row: "Origin and Referer",
            request: |request| request.header("Origin", "http://h").header("Referer", "http://h/secret"),
            lacks: &["Origin", "Referer"],
            ..ACROSS
        },
    ];
    for case in table {
        let row = case.row;
        let abroad = Server::with(|_| answers(ok("abroad")));
        let there = abroad.url("/1");
        let home = line_server([redirect(302, &there), ok("home")]);
        let session = (case.session)();
        let response = (case.request)(session.get(home.url("/"))).send().unwrap();
        assert_eq!(response.text().unwrap(), "abroad", "{row}");
        let (first, next) = (home.seen.requests().remove(0), abroad.seen.requests().remove(0));
        case.first.iter().for_each(|(name, value)| assert_eq!(values(&first, name), [*value], "{row}: {name}"));
        case.next.iter().for_each(|(name, value)| assert_eq!(values(&next, name), [*value], "{row}: {name}"));
        case.lacks.iter().for_each(|name| assert!(values(&next, name).is_empty(), "{row}: {name} in {next}"));
        assert_eq!(values(&next, "Host"), [abroad.addr.to_string()], "{row}");
    }
}

/// A chain that leaves and comes home: what was left behind stays behind.
#[test]
fn nothing_is_brought_back() {
    let home_url = Arc::new(OnceLock::<String>::new());
    let target = home_url.clone();
    let abroad = Server::with(move |_| in_turn([redirect(302, "/2"), redirect(302, target.get().unwrap())]));
    let home = line_server([redirect(302, &abroad.url("/1")), ok("home")]);
    home_url.set(home.url("/back")).unwrap();
    let session = session_with("Authorization", "Bearer session");
    let response = session.get(home.url("/")).cookie("a", "b").header("Cookie2", "c").send().unwrap();
    assert_eq!(response.history().len(), 3);
    let (home, abroad) = (home.seen.requests(), abroad.seen.requests());
    assert_eq!(values(&home[0], "Authorization"), ["Bearer session"]);
    for request in abroad.iter().chain(&home[1..]) {
        for name in ["Authorization", "Cookie", "Cookie2"] {
            assert!(values(request, name).is_empty(), "A1.6: {name} in {request}");
        }
    }
}

#[test]
fn refused() {
    let table = [
        ("B107 ftp", "ftp://h/", "it leads to another scheme than http(s)"),
        ("A1.19 file", "file:///etc/passwd", "it leads to another scheme than http(s)"),
        ("A1.19 javascript", "javascript:x", "it leads to another scheme than http(s)"),
        ("A1.19 unix", "http+unix://%2Frun%2Fx/", "it leads to a local socket"),
        ("no URL", "http://[", "the Location is no URL"),
        ("A1.23", "/a\r\nLocation: /b", "two Locations differ"),
    ];
    for (row, location, why) in table {
        let server = line_server([redirect(302, location), ok("there")]);
        let session = Session::new();
        let error = session.get(server.url("/")).send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidRedirect, "{row}");
        assert!(error.to_string().contains(why), "{row}: {error}");
        assert_eq!(error.head().map(|head| head.body()), Some(&b"moved"[..]), "{row}");
        assert!(error.maybe_processed(), "{row}");
        // Its connection is back.
        assert_eq!(session.connector().unwrap().stats().idle, 1, "{row}");
    }
}

#[test]
fn how_many_are_followed() {
    let server = Server::with(|_| answers(redirect(302, "/again")));
    let session = Session::builder().max_redirects(3).build().unwrap();
    let get = || session.get(server.url("/"));
    let table = [
        ("of the session", get(), 3),
        ("B103", get().max_redirects(5), 5),
        ("B104", get().max_redirects(0), 0),
        ("both", get().allow_redirects(true).max_redirects(1), 1),
    ];
    for (row, request, followed) in table {
        let before = server.seen.requests().len();
        let error = request.send().unwrap_err();
        assert_eq!((error.kind(), error.history().len()), (&ErrorKind::TooManyRedirects, followed), "{row}");
        assert_eq!(error.head().unwrap().status(), 302, "{row}");
        assert_eq!(server.seen.requests().len() - before, followed + 1, "{row}");
    }
    assert_eq!(Session::new().get(server.url("/")).send().unwrap_err().history().len(), 10, "RQ-10");
}

#[test]
fn not_followed() {
    let server = Server::with(|_| answers(redirect(302, "/again")));
    let head = Server::with(|_| answers(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n"));
    let session = Session::new();
    let unfollowed = Session::builder().allow_redirects(false).build().unwrap();
    let pools = PoolManager::new();
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let table = [
        ("B101 A1.25 request", session.get(server.url("/")).allow_redirects(false)),
        ("A1.25 session", unfollowed.get(server.url("/"))),
        ("A1.25 PoolManager", pools.get(server.url("/")).retries(Retry::off())),
        ("A1.25 ConnectionPool", pool.get("/").allow_redirects(false)),
        ("SH-05", session.head(head.url("/"))),
    ];
    for (row, request) in table {
        let response = request.send().unwrap();
        assert_eq!((response.status().as_u16(), response.history().len()), (302, 0), "{row}");
    }
    let no_location = line_server([b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nhi".to_vec()]);
    assert_eq!(session.get(no_location.url("/")).send().unwrap().text().unwrap(), "hi");
    // HEAD follows where it is asked to, and the free function by itself.
    let last = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let heads = line_server([b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n".to_vec(), last.clone()]);
    assert_eq!(session.head(heads.url("/")).allow_redirects(true).send().unwrap().status(), 200);
    let closing = |location: bool| {
        let first = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nConnection: close\r\n\r\n".to_vec();
        vec![Step::Request, Step::Send(if location { first } else { last.clone() })]
    };
    let heads = Server::new(vec![closing(true), closing(false)]);
    assert_eq!(hostpool::head(heads.url("/")).send().unwrap().status(), 200, "BA-10");
}

/// The host that a redirect may not leave for.
#[test]
fn a_pool_of_one_host_does_not_leave_it() {
    let abroad = Server::with(|_| answers(ok("abroad")));
    let home = line_server([redirect(302, &abroad.url("/?canary")), ok("home")]);
    let pool = ConnectionPool::builder(home.url("")).build().unwrap();
    let error = pool.get("/").allow_redirects(true).header("Authorization", "x").send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::HostChanged, "A1.12");
    let text = error.to_string();
    assert!(text.contains("than the pool: a redirect leads to http://") && !text.contains("canary"), "{text}");
    assert_eq!(abroad.seen.accepted(), 0, "A1.12");
}

#[test]
fn bodies_that_are_sent_again() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[b"-".repeat(100), b"the rest".to_vec()].concat()).unwrap();
    file.seek(SeekFrom::Start(100)).unwrap();
    let abroad = Server::with(|_| answers(ok("done")));
    for (row, body) in [("A1.18 B100", Body::from(file)), ("B98", Body::from("the rest"))] {
        let home = line_server([redirect(307, &abroad.url("/")), ok("home")]);
        let response = Session::new().post(home.url("/")).data(body).send().unwrap();
        assert_eq!(response.text().unwrap(), "done", "{row}");
        let (first, second) = (home.seen.requests().remove(0), abroad.seen.requests().pop().unwrap());
        assert_eq!((body_of(&first), body_of(&second)), ("the rest", "the rest"), "{row}");
        assert_eq!(values(&first, "Content-Length"), values(&second, "Content-Length"), "{row}");
    }
    // Of a reader that gave its bytes once, only what is still in the buffer can be.
    let home = line_server([redirect(307, &abroad.url("/")), ok("home")]);
    Session::new().post(home.url("/")).data(Body::reader(&b"once"[..])).send().unwrap();
    assert_eq!(body_of(&abroad.seen.requests().pop().unwrap()), "once");
    let before = abroad.seen.accepted();
    let home = line_server([redirect(307, &abroad.url("/")), ok("home")]);
    let large = Body::reader(std::io::repeat(7).take(1 << 20));
    let error = Session::new().post(home.url("/")).data(large).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::UnrewindableBody, "A1.17");
    assert_eq!(error.history().len(), 1, "A1.17");
    assert!(error.maybe_processed(), "A1.17");
    assert_eq!(abroad.seen.accepted(), before, "A1.17");
}

/// Nobody reads the body of a redirect, and so nobody decodes it: what it would expand to, or that it is none, does not
/// matter.
#[test]
fn coded_bodies_of_redirects() {
    let first = b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nno gzip";
    let server = line_server([first.to_vec(), ok("there")]);
    let response = Session::new().get(server.url("/")).send().unwrap();
    assert_eq!(response.text().unwrap(), "there", "A1.27 A9.3");
    assert_eq!(server.seen.accepted(), 1, "A1.27: the connection is used again");
}

/// A redirect's body is not worth more than a connection; and with one connection at most nothing is stuck.
#[test]
fn bodies_of_redirects() {
    let huge = |location: &str| {
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 10000000\r\n\r\n");
        [head.into_bytes(), vec![b'x'; 100_000]].concat()
    };
    let target = Server::with(|_| answers(ok("there")));
    let table = [("B118 A1.26", huge(&target.url("/"))), ("short", redirect(302, &target.url("/")))];
    for (row, first) in table {
        let server = Server::with(move |_| vec![Step::Request, Step::Send(first.clone()), Step::UntilClosed]);
        let pools = PoolManager::builder().limit(1).total_limit(1).build().unwrap();
        let session = Session::builder().connector(pools.clone()).build().unwrap();
        let response = session.get(server.url("/")).timeout(GIVE_UP).send().unwrap();
        assert_eq!(response.text().unwrap(), "there", "{row}");
        assert_eq!(pools.stats().open, 1, "{row}");
    }
}

/// A body that comes a moment later costs no connection.
#[test]
fn bodies_that_come_late() {
    let head = b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 5\r\n\r\n".to_vec();
    let late = [Step::Request, Step::Send(head), Step::Pause(Duration::from_millis(5)), Step::Send(b"moved".to_vec())];
    let server = Server::new(vec![late.into_iter().chain(answers(ok("there"))).collect()]);
    let response = Session::new().get(server.url("/")).timeout(GIVE_UP).send().unwrap();
    assert_eq!(response.text().unwrap(), "there", "B118");
    assert_eq!(server.seen.accepted(), 1, "B118");
}

#[test]
fn one_deadline_for_all() {
    let server = Server::with(|_| {
        let hop = [Step::Request, Step::Pause(Duration::from_millis(60)), Step::Send(redirect(302, "/again"))];
        vec![Step::Forever(hop.to_vec())]
    });
    let session = Session::builder().max_redirects(1000).build().unwrap();
    let total = Timeout::new().total(Duration::from_millis(300));
    let error = session.get(server.url("/")).timeout(total).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Timeout(hostpool::Bound::Total), "A1.28 B265");
    assert!(!error.history().is_empty() && error.maybe_processed());
}

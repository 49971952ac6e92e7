//! What a session and a request say, and what of it arrives.

use std::time::Duration;

use hostpool::{
    Bound, ErrorKind, Headers, InvalidUrl, PoolManager, RequestBuilder, Session, SessionBuilder, Timeout, TlsConfig,
    Version,
};

use crate::support::{GIVE_UP, Server, Step, answers, ok};
use crate::{request_line, values};

/// What one request of a session looks like.
struct Case {
    row: &'static str,
    session: fn(SessionBuilder) -> SessionBuilder,
    request: fn(RequestBuilder) -> RequestBuilder,
    /// Every value of each field, in order.
    sent: &'static [(&'static str, &'static [&'static str])],
}

const CASE: Case = Case { row: "", session: |session| session, request: |request| request, sent: &[] };

const AGENT: &str = concat!("hostpool/", env!("CARGO_PKG_VERSION"));

#[test]
fn headers() {
    let two = |session: SessionBuilder| session.header("X-A", "session").header("X-B", "session");
    let table = [
        Case {
            row: "B10",
            session: two,
            request: |request| request.header("x-a", "own"),
            sent: &[("X-A", &["own"]), ("X-B", &["session"])],
        },
        Case {
            row: "B11",
            session: two,
            request: |request| request.header("X-A", "1").header("X-A", "2"),
            sent: &[("X-A", &["1", "2"])],
        },
        Case { row: "B13 CS-08", session: two, sent: &[("X-A", &["session"]), ("X-B", &["session"])], ..CASE },
        Case { row: "automatic", sent: &[("User-Agent", &[AGENT]), ("Accept", &["*/*"])], ..CASE },
        Case {
            row: "B22 CS-09 RQ-07",
            session: |session| session.skip_auto_headers(["user-agent"]),
            request: |request| request.skip_auto_headers(["ACCEPT"]),
            sent: &[("User-Agent", &[]), ("Accept", &[])],
        },
        Case {
            row: "B53",
            request: |request| request.skip_auto_headers(["User-Agent"]),
            sent: &[("User-Agent", &[]), ("Accept", &["*/*"])],
            ..CASE
        },
        Case {
            row: "B55",
            request: |request| request.form([("a", "b")]).skip_auto_headers(["Content-Type"]),
            sent: &[("Content-Length", &["3"]), ("Content-Type", &[])],
            ..CASE
        },
        Case {
            row: "skipped but given",
            request: |request| request.skip_auto_headers(["User-Agent"]).header("User-Agent", "me"),
            sent: &[("User-Agent", &["me"])],
            ..CASE
        },
        Case {
            row: "B20 CS-07 RQ cookies",
            session: |session| session.cookies(vec![("a".to_owned(), "1".to_owned())]),
            request: |request| request.cookie("b", "2"),
            sent: &[("Cookie", &["a=1; b=2"])],
        },
        Case {
            row: "B221 in place of the jar's",
            session: |session| session.cookies([("a", "1")]),
            request: |request| request.cookies([("a", "own")]),
            sent: &[("Cookie", &["a=own"])],
        },
        Case {
            row: "a Cookie header stands alone",
            session: |session| session.cookies([("a", "1")]),
            request: |request| request.header("Cookie", "c=3"),
            sent: &[("Cookie", &["c=3"])],
        },
        Case {
            row: "RQ-12",
            request: |request| request.version(Version::HTTP_10),
            sent: &[("Connection", &["keep-alive"])],
            ..CASE
        },
    ];
    let server = Server::with(|_| answers(ok("there")));
    for case in table {
        let session = (case.session)(Session::builder()).build().unwrap();
        (case.request)(session.post(server.url("/"))).send().unwrap();
        let request = server.seen.requests().pop().unwrap();
        for (name, expected) in case.sent {
            assert_eq!(values(&request, name), *expected, "{}: {name}", case.row);
        }
        // Per-request cookies are not kept.
        session.post(server.url("/")).send().unwrap();
        let request = server.seen.requests().pop().unwrap();
        assert!(!request.contains("b=2") && !request.contains("own"), "B221 {}", case.row);
    }
}

#[test]
fn verbs() {
    let server = Server::with(|_| answers(b"HTTP/1.1 204 No Content\r\n\r\n"));
    let session = Session::new();
    let url = || server.url("/");
    let table = [
        ("SH-01", session.get(url()), "GET"),
        ("SH-02", session.post(url()).data("x"), "POST"),
        ("SH-03", session.put(url()).data("x"), "PUT"),
        ("SH-04", session.delete(url()), "DELETE"),
        ("SH-05", session.head(url()), "HEAD"),
        ("SH-06", session.options(url()), "OPTIONS"),
        ("SH-07", session.patch(url()).data("x"), "PATCH"),
        ("RQ-01 RQ-02", session.request("PURGE".parse().unwrap(), url()), "PURGE"),
        ("BA-10 get", hostpool::get(url()), "GET"),
        ("BA-10 post", hostpool::post(url()), "POST"),
        ("BA-10 put", hostpool::put(url()), "PUT"),
        ("BA-10 delete", hostpool::delete(url()), "DELETE"),
        ("BA-10 head", hostpool::head(url()), "HEAD"),
        ("BA-10 options", hostpool::options(url()), "OPTIONS"),
        ("BA-10 patch", hostpool::patch(url()), "PATCH"),
        ("BA-03", hostpool::request("PURGE".parse().unwrap(), url()), "PURGE"),
    ];
    for (row, request, method) in table {
        let response = request.send().unwrap();
        assert_eq!((response.status().as_u16(), response.method().as_str()), (204, method), "{row}");
        let seen = server.seen.requests().pop().unwrap();
        assert_eq!(request_line(&seen), format!("{method} / HTTP/1.1"), "{row}");
    }
}

#[test]
fn a_callers_headers_are_copied() {
    let server = Server::with(|_| answers(ok("there")));
    let mut headers = Headers::new();
    headers.append("X-A", "before").unwrap();
    let session = Session::builder().headers(headers.clone()).build().unwrap();
    headers.insert("X-A", "after").unwrap();
    session.get(server.url("/")).send().unwrap();
    assert_eq!(values(&server.seen.requests()[0], "X-A"), ["before"], "B14");
}

#[test]
fn versions() {
    let server = Server::with(|_| answers(ok("there")));
    let session = Session::builder().version(Version::HTTP_10).build().unwrap();
    for (row, request, version) in [
        ("CS-14", session.get(server.url("/")), "HTTP/1.0"),
        ("RQ-12", session.get(server.url("/")).version(Version::HTTP_11), "HTTP/1.1"),
    ] {
        request.send().unwrap();
        assert_eq!(request_line(&server.seen.requests().pop().unwrap()), format!("GET / {version}"), "{row}");
    }
}

#[test]
fn timeouts() {
    let server = Server::with(|_| vec![Step::Request, Step::UntilClosed]);
    let session = Session::builder().timeout(Duration::from_millis(30)).build().unwrap();
    let request = || session.get(server.url("/"));
    let read = Timeout::new().read(Duration::from_millis(30)).total(GIVE_UP);
    for (row, request, bound) in
        [("of the session", request(), Bound::Total), ("of the request", request().timeout(read), Bound::Read)]
    {
        assert_eq!(request.send().unwrap_err().kind(), &ErrorKind::Timeout(bound), "{row}");
    }
}

/// The server closes an idle connection in the moment a request is sent on it.
#[test]
fn whether_a_stale_connection_is_replaced() {
    let table = [
        ("of the session", Session::builder().retry_stale(false), None, false),
        ("of the request", Session::builder(), Some(false), false),
        ("the request's word counts", Session::builder().retry_stale(false), Some(true), true),
        ("by default", Session::builder(), None, true),
    ];
    for (row, builder, own, replaced) in table {
        let stale = vec![Step::Request, Step::Send(ok("first")), Step::Request];
        let server = Server::new(vec![stale, answers(ok("again"))]);
        let session = builder.build().unwrap();
        session.get(server.url("/")).send().unwrap().text().unwrap();
        let request = session.get(server.url("/")).timeout(GIVE_UP);
        let request = own.into_iter().fold(request, RequestBuilder::retry_stale);
        let kind = request.send().map(drop).map_err(|error| error.kind().clone());
        assert_eq!(kind, if replaced { Ok(()) } else { Err(ErrorKind::Disconnected) }, "B164 {row}");
    }
}

#[test]
fn base_urls() {
    let server = Server::with(|_| answers(ok("there")));
    let table = [
        ("B268 relative", "/foo/", "bar", "/foo/bar"),
        ("B268 rooted", "/foo/", "/bar", "/bar"),
        ("B268 query", "/foo/", "?a=b", "/foo/?a=b"),
        ("B268 up", "/foo/bar/", "../x", "/foo/x"),
        ("B268 none", "/foo/", "", "/foo/"),
        ("B268 encoded", "/", "a%2Fb", "/a%2Fb"),
    ];
    for (row, base, url, expected) in table {
        let session = Session::builder().base_url(server.url(base)).build().unwrap();
        session.get(url).send().unwrap();
        let request = server.seen.requests().pop().unwrap();
        assert_eq!(request_line(&request), format!("GET {expected} HTTP/1.1"), "{row}");
    }
    let session = Session::builder().base_url("http://127.0.0.1:1/").build().unwrap();
    session.get(server.url("/absolute")).send().unwrap();
    assert_eq!(request_line(&server.seen.requests().pop().unwrap()), "GET /absolute HTTP/1.1", "B268 absolute");
    for refused in ["http://h/a", "http://h/a/?b", "http://h/a/?b/", "no URL", "ftp://h/"] {
        assert!(Session::builder().base_url(refused).build().is_err(), "{refused}");
    }
}

#[test]
fn what_is_refused() {
    let session = Session::new();
    let get = |url: &str| session.get(url);
    let invalid = |error: InvalidUrl| ErrorKind::InvalidUrl(error);
    let h = "http://127.0.0.1:1/";
    let table: [(&str, RequestBuilder, Option<ErrorKind>); 11] = [
        ("B28", get("http://h:x/"), Some(invalid(InvalidUrl::Port))),
        ("B29", get("ftp://h/"), Some(invalid(InvalidUrl::UnsupportedScheme))),
        ("B29 call", get("call:+38"), Some(invalid(InvalidUrl::UnsupportedScheme))),
        ("B29 skype", get("skype:someone"), Some(invalid(InvalidUrl::UnsupportedScheme))),
        ("no scheme", get("/path"), Some(invalid(InvalidUrl::NoScheme))),
        ("RQ-12", get(h).version(Version::HTTP_2), None),
        ("A4 cookie name", get(h).cookie("a b", "c"), None),
        ("A4 cookie value", get(h).cookie("a", "b\r\nX: y"), None),
        ("B65", get(h).header("X-A", "b\r\nX: y"), None),
        ("A4.10", get(h).skip_auto_headers(["\u{17f}"]), None),
        ("sensitive", get(h).sensitive_headers([""]), None),
    ];
    for (row, request, kind) in table {
        let error = request.send().unwrap_err();
        assert!(!error.maybe_processed() && error.phase() == hostpool::Phase::Prepare, "{row}: {error}");
        if let Some(kind) = kind {
            assert_eq!(error.kind(), &kind, "{row}");
        }
    }
    let builder = Session::builder;
    for (row, builder) in [
        ("version", builder().version(Version::HTTP_2)),
        ("cookie", builder().cookies([("a", "b;c")])),
        ("header", builder().header("a b", "c")),
        ("skip", builder().skip_auto_headers([" "])),
        ("TLS twice", builder().connector(PoolManager::new()).tls(TlsConfig::default())),
        ("first error", builder().header("a b", "c").header("d", "e")),
    ] {
        assert!(builder.build().is_err(), "{row}");
    }
}

#[test]
fn statuses_that_are_errors() {
    let server = Server::with(|_| answers(b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnowhere"));
    let raising = Session::builder().raise_for_status(true).build().unwrap();
    let error = raising.get(server.url("/")).send().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Status(status) if status.as_u16() == 404));
    assert_eq!(error.head().unwrap().body(), b"nowhere");
    assert!(raising.get(server.url("/")).raise_for_status(false).send().is_ok());
    let session = Session::new();
    assert!(session.get(server.url("/")).send().is_ok());
    assert!(session.get(server.url("/")).raise_for_status(true).send().is_err());
}

#[test]
fn bodies_without_an_end() {
    let server = Server::with(|_| crate::support::answer(b"HTTP/1.1 200 OK\r\n\r\nuntil the end"));
    let session = Session::new();
    let get = |read| session.get(server.url("/")).read_until_eof(read).send().unwrap().text().unwrap();
    assert_eq!((get(true), get(false)), ("until the end".into(), String::new()), "B131 RQ-16");
    assert_eq!(session.connector().unwrap().stats().open, 0);
}

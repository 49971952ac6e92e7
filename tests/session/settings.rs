//! What a session and a request say, and what of it arrives.

use std::time::Duration;

use hostpool::{
    Bound, ErrorKind, Headers, InvalidUrl, Limit, Next, PoolManager, RedirectAction, Request, RequestBuilder, Session,
    SessionBuilder, Timeout, TlsConfig, Version,
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

/// A request tells each of its settings, by default and once it is set.
#[test]
fn what_a_request_tells() {
    type Row = (&'static str, fn(RequestBuilder) -> RequestBuilder, fn(&Request) -> String, [&'static str; 2]);
    let table: [Row; 20] = [
        ("max_wire_body", |r| r.max_wire_body(9), |r| format!("{:?}", r.max_wire_body()), ["None", "Some(9)"]),
        ("encoding", |r| r.encoding("latin1"), |r| format!("{:?}", r.encoding()), ["None", "Some(\"latin1\")"]),
        ("chunked", |r| r.chunked(true), |r| r.chunked().to_string(), ["false", "true"]),
        ("chunk_size", |r| r.chunk_size(7), |r| format!("{:?}", r.chunk_size()), ["None", "Some(7)"]),
        ("a size is chunked", |r| r.chunk_size(7), |r| r.chunked().to_string(), ["false", "true"]),
        ("request_target", |r| r.request_target("*"), |r| format!("{:?}", r.request_target()), ["None", "Some(\"*\")"]),
        ("read_until_eof", |r| r.read_until_eof(false), |r| r.read_until_eof().to_string(), ["true", "false"]),
        (
            "enforce_content_length",
            |r| r.enforce_content_length(false),
            |r| r.enforce_content_length().to_string(),
            ["true", "false"],
        ),
        (
            "allow_unclean_close",
            |r| r.allow_unclean_close(true),
            |r| format!("{:?}", r.allow_unclean_close()),
            ["None", "Some(true)"],
        ),
        ("release_conn", |r| r.release_conn(true), |r| r.release_conn().to_string(), ["false", "true"]),
        ("assert_same_host", |r| r.assert_same_host(false), |r| r.assert_same_host().to_string(), ["true", "false"]),
        (
            "skip_auto_headers",
            |r| r.skip_auto_headers(["Accept"]),
            |r| format!("{:?}", r.skip_auto_headers().collect::<Vec<_>>()),
            ["[]", "[\"Accept\"]"],
        ),
        ("keep_method", |r| r.keep_method(true), |r| format!("{:?}", r.keep_method()), ["None", "Some(true)"]),
        ("keep_method(false)", |r| r.keep_method(false), |r| format!("{:?}", r.keep_method()), ["None", "Some(false)"]),
        ("https_only", |r| r.https_only(true), |r| format!("{:?}", r.https_only()), ["None", "Some(true)"]),
        (
            "follow_off_socket",
            |r| r.follow_off_socket(true),
            |r| format!("{:?}", r.follow_off_socket()),
            ["None", "Some(true)"],
        ),
        (
            "redirect_when",
            |r| r.redirect_when(|_| RedirectAction::Stop),
            |r| r.redirect_when().is_some().to_string(),
            ["false", "true"],
        ),
        (
            "trust_origins",
            |r| r.trust_origins(["http://other.example:81"]),
            |r| format!("{:?}", r.trust_origins().map(|all| all.map(ToString::to_string).collect::<Vec<_>>())),
            ["None", "Some([\"http://other.example:81\"])"],
        ),
        (
            "sensitive_headers",
            |r| r.sensitive_headers(["X-Key"]),
            |r| format!("{:?}", r.sensitive_headers().collect::<Vec<_>>()),
            ["[]", "[\"X-Key\"]"],
        ),
        (
            "timeout",
            |r| r.timeout(Timeout::new().expect(Duration::ZERO).min_rate(9, Duration::from_secs(2))),
            |r| format!("{:?}", r.timeout().map(|t| (t.settings().expect, t.settings().min_rate, t.settings().total))),
            ["None", "Some((Some(0ns), Some((9, 2s)), None))"],
        ),
    ];
    let session = Session::new();
    for (row, set, tell, [default, expected]) in table {
        let request = || session.get("http://example.com/");
        assert_eq!(tell(&request().build().unwrap()), default, "{row}");
        assert_eq!(tell(&set(request()).build().unwrap()), expected, "{row}");
    }
}

/// What a middleware sets in place of what it has read holds for the request that it passes on.
#[test]
fn what_a_request_is_told() {
    let server = Server::with(|_| answers(ok("hello")));
    let with = |set: fn(&mut Request)| {
        let middleware = move |mut request: Request, next: Next<'_>| {
            set(&mut request);
            next.run(request)
        };
        Session::builder().middleware(middleware).build().unwrap().get(server.url("/")).send()?.text()
    };
    assert_eq!(with(|_| {}).unwrap(), "hello");
    let error = with(|request| *request.max_wire_body_mut() = Some(4)).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::LimitExceeded(Limit::WireBody));
    let error = with(|request| *request.https_only_mut() = Some(true)).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest);
}

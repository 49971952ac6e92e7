//! Which credentials go with a request, and which do not go elsewhere.

use std::sync::{Arc, OnceLock};

use hostpool::{Auth, AuthEncoding, BasicAuth, ErrorKind, Phase, RequestBuilder, Session, SessionBuilder};

use crate::support::{Server, answers, ok};
use crate::{in_turn, line_server, redirect, values};

/// `session:s`, `request:r` and `url:u` in Base64.
const SESSION: &str = "Basic c2Vzc2lvbjpz";
const REQUEST: &str = "Basic cmVxdWVzdDpy";
const URL: &str = "Basic dXJsOnU=";

struct Case {
    row: &'static str,
    session: fn(SessionBuilder) -> SessionBuilder,
    request: fn(RequestBuilder) -> RequestBuilder,
    /// In front of the host.
    userinfo: &'static str,
    sent: &'static [&'static str],
}

const CASE: Case = Case { row: "", session: |session| session, request: |request| request, userinfo: "", sent: &[] };

fn with_userinfo(server: &Server, userinfo: &str, path: &str) -> String {
    format!("http://{userinfo}{}{path}", server.addr)
}

#[test]
fn which_are_sent() {
    let table = [
        Case { row: "none", ..CASE },
        Case { row: "CS-10", session: |session| session.auth(("session", "s")), sent: &[SESSION], ..CASE },
        Case { row: "RQ-08", request: |request| request.auth(("request", "r")), sent: &[REQUEST], ..CASE },
        Case {
            row: "AU-05",
            request: |request| request.auth(BasicAuth::new("request", "r")),
            sent: &[REQUEST],
            ..CASE
        },
        Case { row: "basic_auth", request: |request| request.basic_auth("request", "r"), sent: &[REQUEST], ..CASE },
        Case { row: "bearer_auth", request: |request| request.bearer_auth("a.b=="), sent: &["Bearer a.b=="], ..CASE },
        Case {
            row: "bearer of a session",
            session: |session| session.auth(Auth::bearer("abc")),
            sent: &["Bearer abc"],
            ..CASE
        },
        Case {
            row: "B253 UTF-8",
            request: |request| request.auth(BasicAuth::new("test", "123\u{a3}").encoding(AuthEncoding::Utf8)),
            sent: &["Basic dGVzdDoxMjPCow=="],
            ..CASE
        },
        Case {
            row: "B16",
            session: |session| session.auth(("session", "s")),
            request: |request| request.auth(("request", "r")),
            sent: &[REQUEST],
            ..CASE
        },
        Case {
            row: "B16 over a header of the session",
            session: |session| session.header("authorization", "session"),
            request: |request| request.auth(("request", "r")),
            sent: &[REQUEST],
            ..CASE
        },
        Case {
            row: "a header over those of the session",
            session: |session| session.auth(("session", "s")),
            request: |request| request.header("Authorization", "own"),
            sent: &["own"],
            ..CASE
        },
        Case { row: "B18", userinfo: "url:u@", sent: &[URL], ..CASE },
        Case {
            row: "the URL's over those of the session",
            session: |session| session.auth(("session", "s")),
            userinfo: "url:u@",
            sent: &[URL],
            ..CASE
        },
        Case {
            row: "the URL's over a header of the session",
            session: |session| session.header("Authorization", "session"),
            userinfo: "url:u@",
            sent: &[URL],
            ..CASE
        },
        Case {
            row: "a header over the URL's",
            request: |request| request.header("Authorization", "own"),
            userinfo: "url:u@",
            sent: &["own"],
            ..CASE
        },
        Case {
            row: "the last word",
            request: |request| request.bearer_auth("x").auth(("request", "r")),
            sent: &[REQUEST],
            ..CASE
        },
    ];
    let server = Server::with(|_| answers(ok("there")));
    for case in table {
        let session = (case.session)(Session::builder()).build().unwrap();
        (case.request)(session.get(with_userinfo(&server, case.userinfo, "/"))).send().unwrap();
        let request = server.seen.requests().pop().unwrap();
        assert_eq!(values(&request, "Authorization"), case.sent, "{}: {request}", case.row);
    }
}

#[test]
fn contradictions() {
    let server = Server::with(|_| answers(ok("there")));
    let session = Session::builder().auth(("session", "s")).build().unwrap();
    let get = |userinfo: &str| session.get(with_userinfo(&server, userinfo, "/"));
    let table = [
        ("B17", get("").auth(("request", "canary")).header("authorization", "canary")),
        ("B17 bearer", get("").header("Authorization", "x").bearer_auth("canary")),
        ("B19", get("url:canary@").auth(("request", "canary"))),
        ("B19 login", get("url@").auth(("request", "canary"))),
        ("B254", get("").basic_auth("a:b", "canary")),
        ("B253", get("").basic_auth("a", "canary\u{20ac}")),
        ("A4 line end", get("").basic_auth("a", "canary\r\nX: y")),
        ("A4 token", get("").bearer_auth("canary\r\nX: y")),
    ];
    for (row, request) in table {
        let error = request.send().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "{row}: {error}");
        assert!(!error.maybe_processed() && error.phase() == Phase::Prepare, "{row}: {error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "A18 {row}: {error}");
    }
    assert_eq!(server.seen.accepted(), 0);
    let builder = Session::builder;
    let table = [
        ("B17 session", builder().header("Authorization", "x").auth(("a", "b"))),
        ("B254 session", builder().auth(("a:b", "c"))),
        ("token of a session", builder().auth(Auth::bearer("a b"))),
    ];
    for (row, builder) in table {
        assert!(builder.build().is_err(), "{row}");
    }
}

/// Where credentials go when a redirect leads on.
struct Hop {
    row: &'static str,
    case: Case,
    first: &'static [&'static str],
    next: &'static [&'static str],
}

fn hops() -> [Hop; 5] {
    let (session, request) = (
        Case { session: |session| session.auth(("session", "s")), ..CASE },
        Case { request: |request| request.auth(("request", "r")), ..CASE },
    );
    [
        Hop { row: "session", case: session, first: &[SESSION], next: &[SESSION] },
        Hop { row: "request", case: request, first: &[REQUEST], next: &[REQUEST] },
        Hop { row: "URL", case: Case { userinfo: "url:u@", ..CASE }, first: &[URL], next: &[URL] },
        Hop {
            row: "bearer",
            case: Case { request: |request| request.bearer_auth("abc"), ..CASE },
            first: &["Bearer abc"],
            next: &["Bearer abc"],
        },
        Hop {
            row: "header",
            case: Case { request: |request| request.header("Authorization", "own"), ..CASE },
            first: &["own"],
            next: &["own"],
        },
    ]
}

#[test]
fn along_redirects() {
    for Hop { row, case, first, next } in hops() {
        let server = line_server([redirect(302, "/2"), ok("there")]);
        let session = (case.session)(Session::builder()).build().unwrap();
        (case.request)(session.get(with_userinfo(&server, case.userinfo, "/"))).send().unwrap();
        let requests = server.seen.requests();
        assert_eq!(values(&requests[0], "Authorization"), first, "B112 {row}");
        assert_eq!(values(&requests[1], "Authorization"), next, "B112 {row}");
    }
    // The same origin in full, without the credentials that the URL before had.
    for Hop { row, case, next, .. } in hops() {
        let location = Arc::new(OnceLock::<String>::new());
        let there = location.clone();
        let server = Server::with(move |_| in_turn([redirect(302, there.get().unwrap()), ok("there")]));
        location.set(server.url("/2")).unwrap();
        let session = (case.session)(Session::builder()).build().unwrap();
        (case.request)(session.get(with_userinfo(&server, case.userinfo, "/"))).send().unwrap();
        assert_eq!(values(&server.seen.requests()[1], "Authorization"), next, "B112 {row}");
    }
    // Abroad, and back home: nothing is sent, and nothing is brought back.
    for Hop { row, case, first, .. } in hops() {
        let back = Arc::new(OnceLock::<String>::new());
        let home_url = back.clone();
        let abroad = Server::with(move |_| in_turn([redirect(302, "/2"), redirect(302, home_url.get().unwrap())]));
        let home = line_server([redirect(302, &abroad.url("/1")), ok("home")]);
        back.set(home.url("/back")).unwrap();
        let session = (case.session)(Session::builder()).build().unwrap();
        (case.request)(session.get(with_userinfo(&home, case.userinfo, "/"))).send().unwrap();
        let (home, abroad) = (home.seen.requests(), abroad.seen.requests());
        assert_eq!(values(&home[0], "Authorization"), first, "B115 {row}");
        assert_eq!(abroad.len(), 2, "{row}");
        for request in abroad.iter().chain(&home[1..]) {
            assert!(values(request, "Authorization").is_empty(), "B112 B113 B115 A1.6 {row}: {request}");
        }
    }
}

/// A redirect names credentials of its own.
#[test]
fn in_a_location() {
    for Hop { row, case, .. } in hops() {
        let abroad = line_server([redirect(302, "/2"), ok("abroad")]);
        let home = line_server([redirect(302, &with_userinfo(&abroad, "l:p@", "/1")), ok("home")]);
        let session = (case.session)(Session::builder()).build().unwrap();
        (case.request)(session.get(with_userinfo(&home, case.userinfo, "/"))).send().unwrap();
        for request in abroad.seen.requests() {
            assert_eq!(values(&request, "Authorization"), ["Basic bDpw"], "B116 {row}");
        }
    }
    // Within the origin, too.
    let location = Arc::new(OnceLock::<String>::new());
    let there = location.clone();
    let home = Server::with(move |_| in_turn([redirect(302, there.get().unwrap()), ok("home")]));
    location.set(with_userinfo(&home, "l:p@", "/2")).unwrap();
    Session::new().get(home.url("/")).auth(("request", "r")).send().unwrap();
    let sent: Vec<_> =
        home.seen.requests().iter().map(|request| values(request, "Authorization")[0].to_owned()).collect();
    assert_eq!(sent, [REQUEST, "Basic bDpw"], "B116");
}

//! Credentials that follow a redirect to the origins that a caller trusts, and to no other.

use std::sync::{Arc, OnceLock};

#[cfg(feature = "digest-auth")]
use hostpool::DigestAuth;
use hostpool::{ErrorKind, RequestBuilder, Session, SessionBuilder};

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
    userinfo: &'static str,
    /// What goes to home and to trusted origins alone.
    sent: (&'static str, &'static str),
}

const CASE: Case = Case {
    row: "",
    session: |session| session,
    request: |request| request,
    userinfo: "",
    sent: ("Authorization", REQUEST),
};

fn cases() -> [Case; 9] {
    [
        Case { row: "auth of the request", request: |request| request.auth(("request", "r")), ..CASE },
        Case {
            row: "auth of the session",
            session: |session| session.auth(("session", "s")),
            sent: ("Authorization", SESSION),
            ..CASE
        },
        Case { row: "login of the URL", userinfo: "url:u@", sent: ("Authorization", URL), ..CASE },
        Case {
            row: "field of the request",
            request: |request| request.header("Authorization", "own"),
            sent: ("Authorization", "own"),
            ..CASE
        },
        Case {
            row: "field of the session",
            session: |session| session.header("Authorization", "own"),
            sent: ("Authorization", "own"),
            ..CASE
        },
        Case {
            row: "Cookie of the request",
            request: |request| request.header("Cookie", "a=b"),
            sent: ("Cookie", "a=b"),
            ..CASE
        },
        Case {
            row: "cookie of the request",
            request: |request| request.cookie("a", "b"),
            sent: ("Cookie", "a=b"),
            ..CASE
        },
        Case {
            row: "cookie of the session",
            session: |session| session.cookies([("a", "b")]),
            sent: ("Cookie", "a=b"),
            ..CASE
        },
        Case {
            row: "sensitive header",
            session: |session| session.header("X-Key", "1").sensitive_headers(["X-Key"]),
            sent: ("X-Key", "1"),
            ..CASE
        },
    ]
}

impl Case {
    fn session(&self, trusted: &[String]) -> Session {
        (self.session)(Session::builder()).trust_origins(trusted).build().unwrap()
    }

    fn get(&self, session: &Session, server: &Server) -> RequestBuilder {
        (self.request)(session.get(server.url("/").replace("//", &format!("//{}", self.userinfo))))
    }

    /// Returns whether each of these requests has what the case sends.
    fn sent(&self, requests: &[String]) -> Vec<bool> {
        let (name, value) = self.sent;
        let has = |request: &String| {
            let found = values(request, name);
            assert!(found.is_empty() || found == [value], "{}: {request}", self.row);
            !found.is_empty()
        };
        requests.iter().map(has).collect()
    }
}

/// Two hops at a trusted origin, and home again: everything stays. At another port or host, nothing does.
#[test]
fn there_and_back() {
    for case in cases() {
        let row = case.row;
        for trusted in [true, false] {
            let back = Arc::new(OnceLock::<String>::new());
            let home_url = back.clone();
            let abroad = Server::with(move |_| in_turn([redirect(302, "/2"), redirect(302, home_url.get().unwrap())]));
            let home = line_server([redirect(302, &abroad.url("/1")), ok("home")]);
            back.set(home.url("/back")).unwrap();
            let other = format!("http://localhost:{}", abroad.addr.port());
            let named = if trusted { abroad.url("") } else { other };
            let session = case.session(&[named]);
            let response = case.get(&session, &home).header("Referer", "r").header("Origin", "o").send().unwrap();
            assert_eq!((response.status().as_u16(), response.history().len()), (200, 3), "{row}");
            let (home_saw, abroad_saw) = (home.seen.requests(), abroad.seen.requests());
            assert_eq!(case.sent(&home_saw), [true, trusted], "{row}");
            assert_eq!(case.sent(&abroad_saw), [trusted; 2], "{row}");
            for request in abroad_saw.iter().chain(&home_saw[1..]) {
                assert!(values(request, "Referer").is_empty() && values(request, "Origin").is_empty(), "{row}");
            }
            assert_eq!(values(&abroad_saw[0], "Host"), [abroad.addr.to_string()], "{row}");
        }
    }
}

/// Home, an origin that nobody trusts, a trusted one, and home: only home has seen anything, once.
#[test]
fn by_way_of_an_untrusted_origin() {
    for case in cases() {
        let back = Arc::new(OnceLock::<String>::new());
        let home_url = back.clone();
        let trusted = Server::with(move |_| in_turn([redirect(302, home_url.get().unwrap())]));
        let untrusted = line_server([redirect(302, &trusted.url("/2"))]);
        let home = line_server([redirect(302, &untrusted.url("/1")), ok("home")]);
        back.set(home.url("/back")).unwrap();
        case.get(&case.session(&[trusted.url("/")]), &home).send().unwrap();
        assert_eq!(case.sent(&home.seen.requests()), [true, false], "{}", case.row);
        assert_eq!(case.sent(&untrusted.seen.requests()), [false], "{}", case.row);
        assert_eq!(case.sent(&trusted.seen.requests()), [false], "{}", case.row);
    }
}

/// The request's list replaces the session's, also with nothing.
#[test]
fn of_the_request() {
    let abroad = Server::with(|_| answers(ok("abroad")));
    let table = [
        ("neither", vec![], None, false),
        ("the session's", vec![abroad.url("")], None, true),
        ("the request's", vec![], Some(vec![abroad.url("")]), true),
        ("taken back", vec![abroad.url("")], Some(vec![]), false),
    ];
    for (row, of_session, of_request, expected) in table {
        let case = Case { request: |request| request.auth(("request", "r")), ..CASE };
        let home = line_server([redirect(302, &abroad.url("/"))]);
        let request = case.get(&case.session(&of_session), &home);
        let request = match of_request {
            Some(trusted) => request.trust_origins(trusted),
            None => request,
        };
        request.send().unwrap();
        assert_eq!(case.sent(&abroad.seen.requests().split_off(abroad.seen.requests().len() - 1)), [expected], "{row}");
    }
}

/// A login that a server puts into a Location goes to the origin of that Location alone, and takes no other's place
/// at home.
#[test]
fn logins_of_a_location() {
    let back = Arc::new(OnceLock::<String>::new());
    let home_url = back.clone();
    let abroad = Server::with(move |_| in_turn([redirect(302, "/2"), redirect(302, home_url.get().unwrap())]));
    let there = abroad.url("/1").replace("//", "//l:p@");
    let home = line_server([redirect(302, &there), ok("home")]);
    back.set(home.url("/back")).unwrap();
    let session = Session::builder().auth(("session", "s")).trust_origins([abroad.url("")]).build().unwrap();
    session.get(home.url("/")).send().unwrap();
    let sent = |server: &Server| -> Vec<String> {
        server.seen.requests().iter().map(|request| values(request, "Authorization").concat()).collect()
    };
    assert_eq!(sent(&abroad), ["Basic bDpw", "Basic bDpw"]);
    assert_eq!(sent(&home), [SESSION, SESSION]);
}

/// Digest credentials answer the challenge of a trusted origin, and of no other.
#[test]
#[cfg(feature = "digest-auth")]
fn digest() {
    for trusted in [true, false] {
        let ask = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n\
                    Content-Length: 0\r\n\r\n";
        let abroad = line_server([ask.to_vec(), ok("in")]);
        let home = line_server([redirect(302, &abroad.url("/"))]);
        let origins = if trusted { vec![abroad.url("")] } else { vec![] };
        let session = Session::builder().auth(DigestAuth::new("a", "b")).trust_origins(origins).build().unwrap();
        let response = session.get(home.url("/")).send().unwrap();
        assert_eq!(response.status(), if trusted { 200 } else { 401 });
        let said: Vec<_> =
            abroad.seen.requests().iter().map(|request| values(request, "Authorization").len()).collect();
        assert_eq!(said, if trusted { vec![0, 1] } else { vec![0] });
    }
}

#[test]
fn what_is_no_origin() {
    for wrong in ["http://h/a", "http://h?a", "http://h/#a", "http://u@h"] {
        for error in [
            Session::builder().trust_origins([wrong]).build().unwrap_err(),
            hostpool::get("http://h/").trust_origins([wrong]).send().unwrap_err(),
        ] {
            assert!(matches!(error.kind(), ErrorKind::InvalidConfig), "{wrong}: {error}");
        }
    }
    let error = Session::builder().trust_origins(["example.com"]).build().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidUrl(_)), "{error}");
}

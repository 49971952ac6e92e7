//! Logins from a file: for whom the caller named, and for nobody else.

use std::sync::{Arc, OnceLock};

use hostpool::{Netrc, RequestBuilder, Session, SessionBuilder};

use crate::support::{Server, answers, ok};
use crate::{in_turn, line_server, redirect, values};

const FILE: &str = "machine 127.0.0.1 login alice password a\n\
                    machine localhost login trusted password secret\n\
                    default login anyone password d\n";

/// `alice:a`.
const ALICE: &str = "Basic YWxpY2U6YQ==";

fn session(build: impl FnOnce(SessionBuilder) -> SessionBuilder) -> Session {
    build(Session::builder().netrc(Netrc::parse(FILE).unwrap())).build().unwrap()
}

#[test]
fn for_the_host_of_the_url() {
    type Build = fn(SessionBuilder) -> SessionBuilder;
    type Request = fn(RequestBuilder) -> RequestBuilder;
    let (plain, request): (Build, Request) = (|session| session, |request| request);
    let table: [(&str, Build, Request, &str, &str); 12] = [
        ("E8 found", plain, request, "", ALICE),
        ("login in the URL", plain, request, "alice@", ALICE),
        ("encoded", plain, request, "%61lice@", ALICE),
        ("A11.3", plain, request, "bob@", "Basic Ym9iOg=="),
        ("A11.1", plain, request, "localhost:x@", "Basic bG9jYWxob3N0Ong="),
        ("A11.1 login of another host", plain, request, "trusted@", "Basic dHJ1c3RlZDo="),
        ("login of the default", plain, request, "anyone@", "Basic YW55b25lOg=="),
        ("empty password in the URL", plain, request, "alice:@", "Basic YWxpY2U6"),
        ("request", plain, |request| request.basic_auth("request", "r"), "", "Basic cmVxdWVzdDpy"),
        ("header", plain, |request| request.header("Authorization", "own"), "", "own"),
        ("session", |session| session.auth(("session", "s")), request, "", "Basic c2Vzc2lvbjpz"),
        ("header of the session", |session| session.header("Authorization", "own"), request, "", "own"),
    ];
    let server = Server::with(|_| answers(ok("there")));
    for (row, build, request, userinfo, expected) in table {
        let url = format!("http://{userinfo}{}/", server.addr);
        request(session(build).get(url)).send().unwrap();
        assert_eq!(values(&server.seen.requests().pop().unwrap(), "Authorization"), [expected], "{row}");
    }
    Session::new().get(server.url("/")).send().unwrap();
    assert!(values(&server.seen.requests().pop().unwrap(), "Authorization").is_empty(), "off unless asked for");
}

/// Abroad no entry is used: not that of the host, which the server chose, nor the default; nor at home again.
#[test]
fn along_redirects() {
    for (row, there) in [
        ("another port", "127.0.0.1"),
        ("a host with an entry", "localhost"),
        ("a login with an entry", "alice@127.0.0.1"),
        ("both", "trusted@localhost"),
    ] {
        let back = Arc::new(OnceLock::<String>::new());
        let home_url = back.clone();
        let abroad = Server::with(move |_| in_turn([redirect(302, "/2"), redirect(302, home_url.get().unwrap())]));
        let there = format!("http://{there}:{}/1", abroad.addr.port());
        let home = line_server([redirect(302, "/here"), redirect(302, &there), ok("home")]);
        back.set(home.url("/back")).unwrap();
        let response = session(|session| session).get(home.url("/")).send().unwrap();
        assert_eq!((response.history().len(), response.text().unwrap().as_str()), (4, "home"), "{row}");

        let (home, abroad) = (home.seen.requests(), abroad.seen.requests());
        for request in &home[..2] {
            assert_eq!(values(request, "Authorization"), [ALICE], "{row}: the same origin");
        }
        for request in abroad.iter().chain(&home[2..]) {
            // The Location names a login, and so it is sent (B116); without a password.
            let named = match there.split_once('@').map(|(login, _)| login) {
                Some("http://alice") => vec!["Basic YWxpY2U6"],
                Some(_) => vec!["Basic dHJ1c3RlZDo="],
                None => Vec::new(),
            };
            let expected = if abroad.contains(request) { named } else { Vec::new() };
            assert_eq!(values(request, "Authorization"), expected, "A11 {row}: {request}");
        }
    }
}

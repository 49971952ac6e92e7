//! One login for whatever scheme the server asks for.

use hostpool::{AnyAuth, DigestAuth, Session};

use super::digest::{Desk, LOGIN, ask, is_known};
use crate::support::ok;
use crate::{line_server, redirect, values};

/// `Mufasa:Circle of Life` in Base64.
const BASIC: &str = "Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl";
const DIGEST: &str = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";

/// A server that asks by this challenge, and takes these Basic credentials or any good digest.
fn desk(challenge: &'static str, basic: &'static str) -> Desk {
    Desk::new(move |request| match is_known(request) || values(request, "Authorization") == [basic] {
        true => ok("welcome"),
        false => ask(challenge),
    })
}

/// The schemes of all requests so far, `-` for none.
fn schemes(desk: &Desk) -> Vec<String> {
    let scheme = |request: &String| {
        values(request, "Authorization").first().map_or("-", |value| value.split(' ').next().unwrap()).to_owned()
    };
    desk.requests().iter().map(scheme).collect()
}

fn login() -> AnyAuth {
    AnyAuth::new(LOGIN.0, LOGIN.1)
}

#[test]
fn which_scheme_is_used() {
    let (both, other) = ("Basic realm=\"x\", Digest realm=\"r\", nonce=\"n\", qop=\"auth\"", "Negotiate, Bearer");
    let unknown = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-1, Basic realm=\"x\"";
    // The schemes that two calls send, and the status of both.
    type Row<'a> = (&'a str, &'static str, bool, &'a [&'a str], u16);
    let table: [Row<'_>; 9] = [
        ("Digest", DIGEST, false, &["-", "Digest", "Digest"], 200),
        ("both", both, false, &["-", "Digest", "Digest"], 200),
        ("both, by consent", both, true, &["-", "Digest", "Digest"], 200),
        ("Basic in clear", "Basic realm=\"x\"", false, &["-", "-"], 401),
        ("Basic in clear, by consent", "Basic realm=\"x\"", true, &["-", "Basic", "Basic"], 200),
        ("without a realm", "basic", true, &["-", "Basic", "Basic"], 200),
        ("a Digest that nobody can answer", unknown, true, &["-", "Basic", "Basic"], 200),
        ("another scheme", other, true, &["-", "-"], 401),
        ("none", "", true, &["-", "-"], 401),
    ];
    for (row, challenge, consent, expected, status) in table {
        let desk = desk(challenge, BASIC);
        let session = Session::builder().auth(login().basic_over_http(consent)).build().unwrap();
        for call in 1..=2 {
            let response = session.post(desk.url("/")).data("body").send().unwrap();
            assert_eq!(response.status(), status, "{row} {call}");
        }
        assert_eq!(schemes(&desk), expected, "{row}");
    }
}

/// An answer that is refused is not given again, and Basic is not tried after Digest.
#[test]
fn refused() {
    let table: [(&str, &str, &[&str]); 2] =
        [("Basic", "Basic realm=\"x\"", &["-", "Basic"]), ("Digest", DIGEST, &["-", "Digest"])];
    for (row, challenge, expected) in table {
        let desk = Desk::new(move |request| match values(request, "Authorization").first() {
            Some(value) if value.starts_with("Digest") => ask("Basic realm=\"x\""),
            _ => ask(challenge),
        });
        let session = Session::builder().auth(login().basic_over_http(true)).build().unwrap();
        for call in 1..=2 {
            assert_eq!(session.get(desk.url("/")).send().unwrap().status(), 401, "{row}");
            assert_eq!(schemes(&desk), expected.repeat(call), "{row}");
        }
    }
}

/// A server that changes its mind gets Digest as soon as it offers it, and Basic only after it has asked again.
#[test]
fn a_server_that_changes_its_scheme() {
    let desk = Desk::new(|request| match (values(request, "X-Wants")[0], values(request, "Authorization").first()) {
        ("Basic", Some(value)) if value.starts_with("Basic ") => ok("in"),
        ("Basic", _) => ask("Basic realm=\"x\""),
        (_, Some(_)) if is_known(request) => ok("in"),
        _ => ask(DIGEST),
    });
    let session = Session::builder().auth(login().basic_over_http(true)).build().unwrap();
    for wants in ["Basic", "Basic", "Digest", "Digest"] {
        assert_eq!(session.get(desk.url("/")).header("X-Wants", wants).send().unwrap().status(), 200, "{wants}");
    }
    assert_eq!(schemes(&desk), ["-", "Basic", "Basic", "Basic", "Digest", "Digest"]);
}

#[test]
fn characters_of_a_login() {
    // `u:£` in ISO-8859-1 and in UTF-8, and `u:€`, which ISO-8859-1 lacks.
    let table = [
        ("u", "\u{a3}", "Basic realm=x", Some("Basic dTqj")),
        ("u", "\u{a3}", "Basic realm=x, charset=\"utf-8\"", Some("Basic dTrCow==")),
        ("u", "\u{20ac}", "Basic realm=x", Some("Basic dTrigqw=")),
        ("a:b", "c", "Basic realm=x", None),
    ];
    for (user, password, challenge, expected) in table {
        let desk = Desk::new(move |request| match values(request, "Authorization").is_empty() {
            true => ask(challenge),
            false => ok("in"),
        });
        Session::new().get(desk.url("/")).auth(AnyAuth::new(user, password).basic_over_http(true)).send().unwrap();
        let sent = desk.requests().get(1).map(|request| values(request, "Authorization").concat());
        assert_eq!(sent.as_deref(), expected, "{user} {password} {challenge}");
    }
}

/// Another origin that asks gets nothing. A login of the URL is used by the same rules.
#[test]
fn origins_and_logins_of_urls() {
    for challenge in [DIGEST, "Basic realm=\"x\""] {
        let abroad = desk(challenge, BASIC);
        let home = line_server([redirect(302, &abroad.url("/"))]);
        let session = Session::builder().auth(login().basic_over_http(true)).build().unwrap();
        assert_eq!(session.get(home.url("/")).send().unwrap().status(), 401);
        assert_eq!(schemes(&abroad), ["-"]);
    }
    let desk = desk("Basic realm=\"x\"", "Basic dXJsOnU=");
    for (consent, status) in [(true, 200), (false, 401)] {
        let session = Session::builder().auth(login().basic_over_http(consent)).build().unwrap();
        let url = desk.url("/").replace("//", "//url:u@");
        assert_eq!(session.get(url).send().unwrap().status(), status, "{consent}");
    }
    assert_eq!(schemes(&desk), ["-", "Basic", "-"]);
    // Digest credentials never become Basic ones.
    let digest = Session::builder().auth(DigestAuth::new(LOGIN.0, LOGIN.1)).build().unwrap();
    assert_eq!(digest.get(desk.url("/")).send().unwrap().status(), 401);
    assert_eq!(Session::new().get(desk.url("/")).any_auth(LOGIN.0, LOGIN.1).send().unwrap().status(), 401);
    assert_eq!(schemes(&desk).last().unwrap(), "-");
}

#[test]
fn the_password_is_hidden() {
    let shown = format!("{:?} {:?}", login(), hostpool::Auth::from(login()));
    assert!(shown.contains(LOGIN.0) && !shown.contains(LOGIN.1), "{shown}");
}

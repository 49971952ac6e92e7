//! What names the caller, or is only for the caller's eyes, stands in no text that is written down.

use std::error::Error as _;
use std::fmt::Debug;

use hostpool::{Auth, BasicAuth, Body, CookieJar, Error, Headers, Request, Session, Url};

use crate::line_server;
use crate::support::{Server, answers};

/// Whatever is secret has this in it.
const CANARY: &str = "canary-7f3a";

fn clean(row: &str, shown: &str) {
    assert!(!shown.contains(CANARY), "A18.1 {row}: {shown}");
    // Nor does it stand there in base64.
    assert!(!shown.contains("Y2FuYXJ5"), "A18.1 {row}: {shown}");
}

fn shown(row: &str, value: &impl Debug) {
    clean(row, &format!("{value:?} {value:#?}"));
}

fn told(row: &str, error: &Error) {
    shown(row, error);
    told_but_for_debug(row, error);
    shown(row, &error.url());
}

/// Of an error about a response, `Debug` shows the start of the body.
fn told_but_for_debug(row: &str, error: &Error) {
    clean(row, &error.to_string());
    let mut cause = error.source();
    while let Some(error) = cause {
        clean(row, &format!("{error} {error:?}"));
        cause = error.source();
    }
}

fn request(url: &str) -> Request {
    let session = Session::new();
    let request = session.put(url).header("Authorization", CANARY).header("X-Key", CANARY).header("Cookie", CANARY);
    let request = request.header("Proxy-Authorization", CANARY).sensitive_headers(["x-key"]).cookie("n", CANARY);
    let request = request.data(Body::from(CANARY));
    shown("RequestBuilder", &request);
    request.build().unwrap()
}

#[test]
fn values() {
    let url = format!("http://user:{CANARY}@127.0.0.1:1/");
    let parsed = Url::parse(&url).unwrap();
    shown("Url", &parsed);
    clean("Url", &parsed.to_string());
    shown("Request", &request(&url));
    shown("Body", &Body::from(CANARY));
    shown("BasicAuth", &BasicAuth::new("user", CANARY));
    shown("Auth basic", &Auth::from(("user", CANARY)));
    shown("Auth bearer", &Auth::bearer(CANARY));
    let jar = CookieJar::new();
    jar.set(&parsed, &format!("name={CANARY}")).unwrap();
    shown("CookieJar", &jar);
    shown("Cookie", &jar.to_vec());
    let mut headers = Headers::new();
    for name in ["Authorization", "Cookie", "Set-Cookie", "Proxy-Authorization"] {
        headers.append(name, CANARY).unwrap();
    }
    shown("Headers", &headers);
    shown("ConnectionPoolBuilder", &hostpool::ConnectionPool::builder(&url));
    shown("ConnectionPool", &hostpool::ConnectionPool::builder(&url).build().unwrap());
    shown("PoolContext", &hostpool::PoolContext::new(&url).unwrap());
    let signed = Url::parse(&format!("http://h/?X-Amz-Signature={CANARY}#{CANARY}")).unwrap();
    shown("query of a Url", &signed);
    shown("query of a Request", &Request::new(hostpool::Method::GET, signed));
    let builder = || Session::builder().headers(headers.clone()).cookies([("n", CANARY)]).cookie_jar(jar.clone());
    shown("SessionBuilder", &builder());
    shown("SessionBuilder auth", &Session::builder().auth(("user", CANARY)).base_url(&*url));
    shown("Session", &builder().build().unwrap());
    let builder = || Session::builder().header("X-Key", CANARY).sensitive_headers(["x-key"]);
    shown("sensitive header of a session", &builder());
    shown("its requests", &builder().build().unwrap().get("http://h/"));
    let session = Session::builder().header("X-Key", CANARY).build().unwrap();
    shown("by a request's word", &session.get("http://h/").sensitive_headers(["X-Key"]));
    let session = Session::builder().sensitive_headers(["x-key"]).build().unwrap();
    shown("by the session's word", &session.get("http://h/").header("X-Key", CANARY));
    let mut headers = Headers::new();
    for location in [
        "//user:C@h/",
        "///user:C@h/",
        "//us\ter:C@h/",
        "/\\user:C@h/",
        "http:\\\\user:C@h/",
        "http://user:a,C@h/",
        "http://a\"C@h/",
        "<//u:C@h>",
    ] {
        headers.append("Location", location.replace('C', CANARY)).unwrap();
    }
    shown("Location", &headers);
}

#[test]
fn responses_and_errors() {
    let answer =
        format!("HTTP/1.1 404 No\r\nSet-Cookie: n={CANARY}\r\nContent-Length: {}\r\n\r\n{CANARY}", CANARY.len());
    let server = Server::with(move |_| answers(&answer));
    let url = format!("http://user:{CANARY}@{}/?{CANARY}#{CANARY}", server.addr);
    let session = Session::new();
    let response = session.execute(request(&url)).unwrap();
    shown("Response", &response);
    shown("Response cookies", &response.cookies());
    told_but_for_debug("status", &response.error_for_status().unwrap_err());
    told("no body", &session.execute(request(&url)).unwrap().error_for_status_ref().unwrap_err());

    let back = format!("http://user:{CANARY}@{}/x", server.addr);
    let looping = line_server([crate::redirect(302, &back)]);
    let followed = session.get(looping.url("/")).max_redirects(1).send().unwrap();
    shown("history", &followed.history());
    told("redirect", &session.get(looping.url("/")).max_redirects(0).send().unwrap_err());

    told(
        "refused",
        &session.execute(request(&format!("http://user:{CANARY}@127.0.0.1:1/?{CANARY}#{CANARY}"))).unwrap_err(),
    );
    told("no host", &session.get(format!("http://user:{CANARY}@/")).send().unwrap_err());
    told("port", &session.get(format!("http://user:{CANARY}@h:{CANARY}/")).send().unwrap_err());
    told(
        "header",
        &session.get("http://127.0.0.1:1/").header("Authorization", format!("{CANARY}\n")).send().unwrap_err(),
    );
    told("X-Key", &session.get("http://127.0.0.1:1/").header("X-Key", format!("{CANARY}\n")).send().unwrap_err());
    told(
        "auth",
        &session.get("http://127.0.0.1:1/").auth(("user", format!("{CANARY}\n").as_str())).send().unwrap_err(),
    );
    told("bearer", &session.get("http://127.0.0.1:1/").bearer_auth(format!("{CANARY}\n")).send().unwrap_err());
    told("cookie", &session.get("http://127.0.0.1:1/").cookie("n", &format!("{CANARY};")).send().unwrap_err());
    told("jar", &CookieJar::new().set(&Url::parse("http://h/").unwrap(), &format!("n={CANARY}\n")).unwrap_err());
    #[cfg(feature = "json")]
    told_but_for_debug("json", &session.get(server.url("/")).send().unwrap().json::<u8>().unwrap_err());
}

/// What a server sends is shown on one line, and not at length.
#[test]
fn text_of_a_server() {
    let location = format!("http://h\u{1b}[31m{}", "x".repeat(5000));
    let server =
        line_server([format!("HTTP/1.1 302 \u{202e}evil\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
            .replace('\u{1b}', "%1b")
            .into_bytes()]);
    let error = Session::new().get(server.url("/")).send().unwrap_err();
    let text = error.to_string();
    assert!(text.len() < 1024 && !text.contains(['\u{1b}', '\u{202e}', '\n']), "A18.3: {text}");
}

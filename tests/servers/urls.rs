//! URLs, redirects, retries and the errors that name them.

mod logins;
#[cfg(unix)]
mod sockets;
#[cfg(feature = "rustls")]
mod trust;

use std::error::Error as _;
use std::fmt::{Debug, Display};
use std::io;

use hostpool::{
    Body, ConnectionPool, DialContext, Dialer, Error, ErrorKind, Headers, InvalidUrl, Listener, Method, Netrc,
    PoolManager, Probe, Request, RequestBuilder, Retry, Session, Target, Transport, Url, Wait, observe,
};

use crate::support::{Server, Step, answer, answers, ok};

/// Builds a request of this method and path.
type Client = Box<dyn Fn(Method, &str) -> RequestBuilder>;

/// A session, a manager and a pool of this URL's host, each with the retries that the pools have by default.
fn clients(url: &str) -> Vec<(&'static str, Client)> {
    let session = Session::builder().retries(Retry::default()).build().unwrap();
    let (manager, pool) = (PoolManager::new(), ConnectionPool::builder(url).build().unwrap());
    let base = url.to_owned();
    let full = move |path: &str| format!("{base}{path}");
    let of_manager = full.clone();
    vec![
        ("session", Box::new(move |method, path| session.request(method, full(path)))),
        ("manager", Box::new(move |method, path| manager.request(method, of_manager(path)))),
        ("pool", Box::new(move |method, path| pool.request(method, path))),
    ]
}

fn head(status: u16, fields: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Moved\r\n{fields}Content-Length: 0\r\n\r\n").into_bytes()
}

fn line(request: &str) -> &str {
    request.lines().next().unwrap_or_default()
}

/// The values of a field of a request as it came, in order.
fn values<'a>(request: &'a str, name: &str) -> Vec<&'a str> {
    let head = request.split("\r\n\r\n").next().unwrap_or_default();
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

/// Each status by turns, so that the connection goes on.
#[test]
fn an_empty_location_is_no_redirect() {
    let table = [
        ("RW-18 302", 302, "Location: \r\n", Method::GET),
        ("RW-18 blank", 301, "Location:  \t \r\n", Method::GET),
        ("RW-18 303", 303, "Location:\r\n", Method::POST),
        ("RW-18 307 with a body", 307, "Location: \r\n", Method::POST),
        ("RW-18 308", 308, "Location: \r\n", Method::PUT),
        ("RW-60 two of them", 302, "Location:\r\nLocation: \r\n", Method::GET),
    ];
    for (row, status, fields, method) in table {
        let server = Server::with(move |_| answers(head(status, fields)));
        for (client, request) in clients(&server.url("")) {
            let before = server.seen.requests().len();
            let response = request(method.clone(), "/a").data("body").send().unwrap();
            assert_eq!(response.status(), status, "{row}, {client}");
            assert!(response.history().is_empty(), "{row}, {client}");
            assert_eq!(response.redirect_location(), None, "{row}, {client}");
            assert_eq!(server.seen.requests().len() - before, 1, "{row}, {client}: it is sent once");
        }
    }
}

#[test]
fn an_empty_location_beside_another() {
    let table = [
        ("RW-60 empty first", "Location:\r\nLocation: /b\r\n", "200"),
        ("RW-60 empty last", "Location: /b\r\nLocation: \r\n", "200"),
        ("RW-60 two that differ", "Location: /b\r\nLocation: \r\nLocation: /c\r\n", "two Locations differ"),
    ];
    for (row, fields, expected) in table {
        for number in 0..3 {
            let server = Server::new(vec![[answer(head(302, fields)), answers(ok("there"))].concat()]);
            let (client, request) = clients(&server.url("")).swap_remove(number);
            match request(Method::GET, "/a").send() {
                Ok(response) => {
                    assert_eq!(response.status().as_str(), expected, "{row}, {client}");
                    assert_eq!(line(&server.seen.requests()[1]), "GET /b HTTP/1.1", "{row}, {client}");
                }
                Err(error) => {
                    assert_eq!(error.kind(), &ErrorKind::InvalidRedirect, "{row}: {error}");
                    assert!(error.to_string().contains(expected), "{row}: {error}");
                    assert_eq!(server.seen.requests().len(), 1, "{row}, {client}");
                }
            }
        }
    }
}

/// RW-33: where a Location names no host, or one that others read differently.
#[test]
fn slashes_in_a_location() {
    let empty = "the Location has an empty host";
    let table = [
        ("RW-33 a path with the scheme", "http:/b", Ok("GET /b HTTP/1.1")),
        ("RW-33 a relative path with the scheme", "http:b", Ok("GET /x/b HTTP/1.1")),
        ("RW-33 three slashes", "http:///b/", Err(empty)),
        ("RW-33 three slashes alone", "///b/", Err(empty)),
        ("RW-33 backslashes", "\\\\\\b/", Err(empty)),
        ("RW-33 another scheme and a path", "https:/b/", Err(empty)),
    ];
    for (row, location, expected) in table {
        for number in 0..3 {
            let redirect = head(302, &format!("Location: {location}\r\n"));
            let server = Server::new(vec![[answer(redirect), answers(ok("there"))].concat()]);
            let (client, request) = clients(&server.url("")).swap_remove(number);
            let found = match request(Method::GET, "/x/a").send() {
                Ok(_) => Ok(server.seen.requests()[1].clone()),
                Err(error) => {
                    assert_eq!(error.kind(), &ErrorKind::InvalidRedirect, "{row}, {client}: {error}");
                    Err(error.to_string())
                }
            };
            match (&found, expected) {
                (Ok(request), Ok(expected)) => assert_eq!(line(request), expected, "{row}, {client}"),
                (Err(error), Err(why)) => assert!(error.contains(why), "{row}, {client}: {error}"),
                _ => panic!("{row}, {client}: {found:?}"),
            }
            assert_eq!(server.seen.requests().len(), 1 + usize::from(expected.is_ok()), "{row}, {client}");
        }
    }
}

#[test]
fn urls_of_the_caller() {
    let server = Server::with(|_| answers(ok("there")));
    let (host, port) = (server.addr.ip(), server.addr.port());
    let (no_host, control) = (InvalidUrl::NoHost, InvalidUrl::ControlCharacter);
    let table = [
        ("RW-33 one slash", format!("http:/{host}:{port}"), Some(no_host)),
        ("RW-33 none", format!("http:{host}:{port}/"), Some(no_host)),
        ("RW-33 three", format!("http:///{host}:{port}/"), Some(no_host)),
        ("RW-33 four", format!("http:////{host}:{port}/"), Some(no_host)),
        ("RW-33 a NUL before", format!("\0http://{host}:{port}/"), Some(control)),
        ("RW-33 a NUL after", format!("http://{host}:{port}/\0"), Some(control)),
        ("RW-33 an escape after", format!("http://{host}:{port}/a\u{1b} \n"), Some(control)),
        ("RW-33 a delete after", format!("http://{host}:{port}/a\u{7f}"), Some(control)),
        ("RW-33 white space around", format!(" \t\r\nhttp://{host}:{port}/ \n"), None),
    ];
    let (session, manager) = (Session::new(), PoolManager::new());
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    for (row, url, expected) in table {
        let kinds = [
            session.get(&url).send().map(drop),
            manager.get(&url).send().map(drop),
            pool.get(&url).send().map(drop),
            ConnectionPool::builder(&url).build().map(drop),
            manager.connection_from_url(&url).map(drop),
            Session::builder().base_url(&url).build().map(drop),
        ];
        for (place, found) in kinds.into_iter().enumerate() {
            // Text around the URL that a pool's target has, is its own.
            let expected = expected.map(ErrorKind::InvalidUrl);
            assert_eq!(found.err().map(|error| error.kind().clone()), expected, "{row}, {place}");
        }
    }
    assert_eq!(server.seen.requests().len(), 3, "what was refused was not sent");
    let text = session.get("http:/a").send().unwrap_err().to_string();
    assert!(text.contains("http://host/path"), "{text}");
}

#[test]
fn hosts_with_white_space() {
    let manager = PoolManager::new();
    for port in [None, Some(80)] {
        for host in ["127.0.0.1\n", "127.0.0.1 ", " 127.0.0.1", "127.0.0.1\t", "h\r", "\u{a0}h", "[::1] ", "::1\n", ""]
        {
            let error = manager.connection_from_host(host, port, "http").unwrap_err();
            let is_url = matches!(error.kind(), ErrorKind::InvalidUrl(_));
            assert!(is_url, "RW-38 {host:?} {port:?}: {error}");
        }
        for scheme in ["http ", " http", "http\n", "http\t"] {
            assert!(manager.connection_from_host("h", port, scheme).is_err(), "RW-38 {scheme:?}");
        }
        assert!(manager.connection_from_host("::1", port, "http").is_ok());
    }
}

/// A complete head that breaks a rule is not asked for again; a cut one is.
#[test]
fn heads_that_asking_again_does_not_mend() {
    let whole = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    let table = [
        ("RW-41 two lengths", whole("Content-Length: 1\r\nContent-Length: 2\r\n"), 1),
        ("RW-41 a length that is no number", whole("Content-Length: +1\r\n"), 1),
        ("RW-41 chunked is not last", whole("Transfer-Encoding: chunked, gzip\r\n"), 1),
        ("RW-41 a folded length", whole("Content-Length:\r\n 1\r\n"), 1),
        ("RW-41 a cut head", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n".to_owned(), 4),
        ("RW-41 nothing", String::new(), 4),
    ];
    for (row, bytes, sent) in table {
        let server = Server::with(move |_| answer(&bytes));
        for (client, request) in clients(&server.url("")) {
            let before = server.seen.accepted();
            let error = request(Method::GET, "/").send().unwrap_err();
            assert_eq!(server.seen.accepted() - before, sent, "{row}, {client}: {error}");
            assert_eq!(error.retries().len(), if sent > 1 { sent } else { 0 }, "{row}, {client}: {error}");
        }
    }
}

/// RW-34: `http`'s own flag keeps a value at its origin, whoever gave it.
#[test]
fn values_marked_as_sensitive() {
    let there = Server::with(|_| answers(ok("there")));
    let away = head(302, &format!("Location: {}\r\n", there.url("/away")));
    let here = Server::with(move |_| {
        vec![Step::Request, Step::Send(head(302, "Location: /b\r\n")), Step::Request, Step::Send(away.clone())]
    });
    let mut map = http::HeaderMap::new();
    let mut secret = http::HeaderValue::from_static("canary");
    secret.set_sensitive(true);
    map.insert("x-key", secret);
    map.append("x-key", http::HeaderValue::from_static("beside"));
    map.insert("x-open", http::HeaderValue::from_static("open"));
    let headers = Headers::from(&map);
    let of_session = Session::builder().headers(headers.clone()).build().unwrap();
    let of_manager = PoolManager::builder().headers(headers.clone()).build().unwrap();
    let mut made = Request::new(Method::GET, Url::parse(&here.url("/a")).unwrap());
    made.headers_mut().append_all(&headers).unwrap();
    let shown = format!("{made:?} {of_session:?} {headers:?}");
    assert!(!shown.contains("canary") && shown.contains("open"), "RW-34 {shown}");
    let (session, manager) = (Session::new(), PoolManager::new());
    let table: [(&str, hostpool::Result<hostpool::Response>); 5] = [
        ("a request of a session", session.get(here.url("/a")).headers(&headers).send()),
        ("a request of a manager", manager.get(here.url("/a")).headers(&headers).send()),
        ("a session", of_session.get(here.url("/a")).send()),
        ("a manager", of_manager.get(here.url("/a")).send()),
        ("a request that was made before", session.execute(made)),
    ];
    for (number, (row, response)) in table.into_iter().enumerate() {
        assert_eq!(response.unwrap().text().unwrap(), "there", "RW-34 {row}");
        let requests = here.seen.requests();
        for request in &requests[2 * number..2 * number + 2] {
            assert_eq!(values(request, "x-key"), ["canary", "beside"], "RW-34 {row}: at home");
        }
        let left = &there.seen.requests()[number];
        assert_eq!(values(left, "x-key"), [""; 0], "RW-34 {row}");
        assert_eq!(values(left, "x-open"), ["open"], "RW-34 {row}");
    }
}

const CANARY: &str = "canary-7f3a";

fn hides(row: &str, shown: &dyn Debug) {
    let text = format!("{shown:?} {shown:#?}");
    assert!(!text.contains(CANARY), "RW-65 {row}: {text}");
}

/// Shows each event that has a URL.
struct Events;

impl Listener for Events {
    fn answered(&self, event: &observe::Answered<'_>) {
        hides("answered", event);
    }
    fn retrying(&self, event: &observe::Retrying<'_>) {
        hides("retrying", event);
    }
    fn redirecting(&self, event: &observe::Redirecting<'_>) {
        hides("redirecting", event);
    }
}

/// RW-65: a signed URL is as good as a password, and `{:?}` ends up in logs.
#[test]
fn queries_are_not_shown() {
    let signed = format!("/a?X-Amz-Signature={CANARY}#{CANARY}");
    let next = head(302, &format!("Location: /b?sig={CANARY}\r\nLink: </c?{CANARY}>; rel=\"next\"\r\n"));
    let again = head(503, "Retry-After: 0\r\n");
    let last =
        format!("HTTP/1.1 200 OK\r\nRefresh: 0; url=\"/d?{CANARY}\"\r\nContent-Length: 2\r\n\r\nok").into_bytes();
    let script = [answer(next), answer(again), answer(last)].concat();
    let server = Server::with(move |_| script.clone());
    let url = server.url(&signed);
    hides("Url", &Url::parse(&url).unwrap());
    hides("Origin", Url::parse(&url).unwrap().origin());
    let manager = PoolManager::builder().listener(Events).build().unwrap();
    let retry = Retry::new(3).status_forcelist([503]);
    let request = manager.get(&url).retries(retry.clone());
    hides("RequestBuilder", &request);
    hides("Request", &request.try_clone().unwrap().build().unwrap());
    let response = request.send().unwrap();
    hides("Response", &response);
    hides("history", &response.history());
    hides("attempts", &response.retries().unwrap().history());
    let session = Session::builder().base_url(server.url("/")).retries(retry).build().unwrap();
    let response = session.get(&*signed).send().unwrap();
    hides("Response of a session", &response);
    let shown = format!("{:?}", Url::parse("http://u:p@h:81/a/b?c#d").unwrap());
    assert_eq!(shown, "Url(http://h:81/a/b?***#***)", "RW-65");
    let error = manager.get(&url).max_redirects(0).send().unwrap_err();
    hides("Error", &error);
    hides("its head", error.head().unwrap());
}

/// Every error's `Debug`, `Display` and chain stay short, whatever it is about.
#[track_caller]
fn is_short(row: &str, error: &Error) {
    let shown = |what: &str, shown: &dyn Display| {
        let len = shown.to_string().len();
        assert!(len < 4096, "RW-36 {row}, {what}: {len} bytes");
    };
    shown("Display", error);
    shown("Debug", &format_args!("{error:?}"));
    shown("pretty Debug", &format_args!("{error:#?}"));
    let (mut chain, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        shown("Debug of a cause", &format_args!("{error:?}"));
        shown("pretty Debug of a cause", &format_args!("{error:#?}"));
        chain.push_str(&error.to_string());
        cause = error.source();
    }
    shown("the chain", &chain);
}

#[test]
fn errors_are_short() {
    let long = "\u{20ac}x".repeat(20_000);
    let name = "x".repeat(60_000);
    let session = Session::new();
    let closed = Server::with(|_| vec![Step::Request]);
    let reader = |text: String| Body::reader(io::Read::chain(&b"a"[..], Failing(text)));
    let host = format!("http://{name}.invalid/");
    let errors = vec![
        ("a long name", session.get("http://h/").header(format!("{name}\u{20ac}"), "v").send().unwrap_err()),
        ("a long name of a bad value", session.get("http://h/").header(&name, "\n").send().unwrap_err()),
        (
            "a long name that is reserved",
            session.get("http://h/").header("Host", format!("a/{name}")).send().unwrap_err(),
        ),
        ("a long URL", session.get(format!("{host}{name}{name}")).send().unwrap_err()),
        ("a long host", session.get(&host).timeout(std::time::Duration::from_secs(5)).send().unwrap_err()),
        ("a long path", session.get(closed.url(&format!("/{}", &name[..50_000]))).send().unwrap_err()),
        ("a long socket", session.get(format!("http+unix://%2F{}/", &name[..50_000])).send().unwrap_err()),
        ("what a connection said", {
            let pool = ConnectionPool::builder("http://h").dialer(Talkative(long.clone())).retries(Retry::off());
            pool.build().unwrap().get("/").send().unwrap_err()
        }),
        ("a netrc file", Netrc::parse(&format!("machine h login \"{long}")).unwrap_err()),
        ("a redirect", {
            let away = head(302, &format!("Location: ftp://{}/\r\n", &name[..5000]));
            let server = Server::with(move |_| answers(&away));
            session.get(server.url("/")).send().unwrap_err()
        }),
        #[cfg(feature = "json")]
        ("JSON", {
            let body = format!("\"{}", &name);
            let server = Server::with(move |_| answers(ok(&body)));
            session.get(server.url("/")).send().unwrap().json::<u8>().unwrap_err()
        }),
    ];
    for (row, error) in &errors {
        is_short(row, error);
    }
    // What the caller's own code said is given back as it was, and shown in part.
    let own =
        [Error::custom(long.clone()), session.post(closed.url("/")).data(reader(long.clone())).send().unwrap_err()];
    for error in own {
        let cause = error.get_ref().map(ToString::to_string).or(error.source().map(ToString::to_string));
        assert_eq!(cause, Some(long.clone()), "RW-36");
        assert!([format!("{error:?}"), format!("{error:#?}"), error.to_string()].iter().all(|text| text.len() < 4096));
    }
}

/// A transport whose errors are long.
#[derive(Clone, Debug)]
struct Talkative(String);

impl Dialer for Talkative {
    fn dial(&self, _: &Target<'_>, _: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        Ok(Box::new(self.clone()))
    }
}

impl Transport for Talkative {
    fn recv(&self, _: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::ConnectionReset, self.0.clone()))
    }
    fn send(&self, bufs: &[io::IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }
    fn probe(&self) -> Probe {
        Probe::Dead
    }
    fn abort(&self) {}
}

struct Failing(String);

impl io::Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other(self.0.clone()))
    }
}

/// Fields that every request needs are not left out silently.
#[test]
fn fields_that_cannot_be_skipped() {
    let server = Server::with(|_| answers(ok("there")));
    for name in ["Host", "content-length", "Transfer-Encoding", "Content-Encoding"] {
        assert!(Session::builder().skip_auto_headers([name]).build().is_err(), "{name}");
        for (client, request) in clients(&server.url("")) {
            let error = request(Method::POST, "/").data("x").skip_auto_headers(["Accept", name]).send().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "{name}, {client}: {error}");
        }
    }
    assert!(server.seen.requests().is_empty());
}

//! Cookies between a session and the hosts it talks to.

use std::sync::{Arc, Mutex};

use hostpool::{
    CookieJar, CookieRequest, CookieStore, DialContext, Dialer, ErrorKind, NoCookies, PoolManager, Session, Target,
    TcpDialer, Transport, Url,
};

use crate::support::{Server, answers, ok};
use crate::{line_server, values};

/// Every host is the one server.
#[derive(Debug)]
struct Everywhere(Url);

impl Dialer for Everywhere {
    fn dial(&self, _: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        TcpDialer::new().dial(&Target::from(&self.0), context)
    }
}

fn everywhere(server: &Server) -> PoolManager {
    PoolManager::builder().dialer(Everywhere(Url::parse(&server.url("/")).unwrap())).build().unwrap()
}

fn setting(cookies: &[&str]) -> Vec<u8> {
    let fields: String = cookies.iter().map(|cookie| format!("Set-Cookie: {cookie}\r\n")).collect();
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n").into_bytes()
}

/// A host sets cookies; what a request to another URL has of them.
struct Case {
    row: &'static str,
    at: &'static str,
    set: &'static [&'static str],
    then: &'static str,
    sent: &'static [&'static str],
}

#[test]
fn where_cookies_go() {
    let subdomains: &[&str] = if cfg!(feature = "cookies") { &["n=1"] } else { &[] };
    let case = |row, at, set, then, sent| Case { row, at, set, then, sent };
    let table = [
        case("host only", "http://a.example/", &["n=1"], "http://a.example/x", &["n=1"]),
        case("B214 host only", "http://a.example/", &["n=1"], "http://b.a.example/", &[]),
        // Without the list of public suffixes a domain is no more than its host.
        case("B214", "http://a.example/", &["n=1; Domain=a.example"], "http://b.a.example/", subdomains),
        case("another port", "http://a.example/", &["n=1"], "http://a.example:81/", &["n=1"]),
        case("B215", "http://h.example/foo/bar", &["n=1"], "http://h.example/foo/x", &["n=1"]),
        case("A10.9", "http://h.example/foo/bar", &["n=1"], "http://h.example/foobar", &[]),
        case("B217", "http://h.example/", &["n=1", "n=1; Max-Age=0"], "http://h.example/", &[]),
        case("B218", "http://h.example/", &["n=1; Max-Age=99999999999999999999"], "http://h.example/", &["n=1"]),
        case("B220", "http://h.example/", &["n=1; Domain=other.example"], "http://other.example/", &[]),
        case("B223", "http://h.example/", &["n=\"a, b\"%20/="], "http://h.example/", &["n=\"a, b\"%20/="]),
        case("A10.2", "http://example.com/", &["n=1; Domain=ample.com"], "http://ample.com/", &[]),
        case("secure", "http://h.example/", &["n=1; Secure"], "http://h.example/", &[]),
        case(
            "order",
            "http://h.example/a/b",
            &["x=1; Path=/", "y=2", "z=3; Path=/"],
            "http://h.example/a/",
            &["y=2; x=1; z=3"],
        ),
        case("A10.6", "http://h.example/", &["__Host-n=1", "__secure-n=1"], "http://h.example/", &[]),
        case("B149", "http://h.example/a/", &["n=1; Path=/", "n=2; Path=/a"], "http://h.example/a/", &["n=2; n=1"]),
    ];
    for Case { row, at, set, then, sent } in table {
        let server = line_server([setting(set), ok("there")]);
        let session = Session::builder().connector(everywhere(&server)).build().unwrap();
        let response = session.get(at).send().unwrap();
        assert_eq!(response.cookies().len(), set.len(), "RS-11 {row}");
        session.get(then).send().unwrap();
        // Another origin has another connection, and there the first answer again.
        assert_eq!(values(&server.seen.requests()[1], "Cookie"), sent, "{row}");
    }
}

#[test]
fn by_name_the_last_counts() {
    let server = Server::with(|_| answers(setting(&["n=1", "n=2; Path=/a", "other=3"])));
    let response = Session::new().get(server.url("/")).send().unwrap();
    assert_eq!(response.cookie("n").unwrap().value(), "2", "B149");
    assert!(response.cookie("none").is_none());
}

/// The URL decides, whatever the Host header says.
#[test]
fn another_host_header() {
    let server = Server::with(|_| answers(setting(&["from=attacker"])));
    let jar = CookieJar::new();
    jar.set(&Url::parse("http://victim.example/").unwrap(), "secret=1").unwrap();
    let session = Session::builder().connector(everywhere(&server)).cookie_jar(jar.clone()).build().unwrap();
    session.get("http://attacker.example/").header("Host", "victim.example").send().unwrap();
    assert!(values(&server.seen.requests()[0], "Cookie").is_empty(), "A10.11");
    let victim = Url::parse("http://victim.example/").unwrap();
    assert!(jar.get(&victim, "from").is_none(), "A10.11");
}

#[test]
fn at_each_hop_anew() {
    let server = Server::with(|_| {
        let first = "HTTP/1.1 302 Found\r\nLocation: http://b.example/\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n";
        answers(first)
    });
    let session = Session::builder().connector(everywhere(&server)).max_redirects(1).build().unwrap();
    let url = Url::parse("http://b.example/").unwrap();
    session.cookies().unwrap().set(&url, "b=2").unwrap();
    session.get("http://a.example/").send().unwrap_err();
    let requests = server.seen.requests();
    assert!(values(&requests[0], "Cookie").is_empty());
    assert_eq!(values(&requests[1], "Cookie"), ["b=2"], "the jar is asked anew, and a's cookie stays with a");
    assert_eq!(session.cookies().unwrap().len(), 3, "both set one");
}

#[test]
fn other_stores() {
    /// Writes down what it is told.
    #[derive(Clone, Debug, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);

    impl CookieStore for Log {
        fn store(&self, url: &Url, set_cookie: &mut dyn Iterator<Item = &[u8]>) {
            let fields: Vec<_> = set_cookie.map(String::from_utf8_lossy).collect();
            self.0.lock().unwrap().push(format!("{} {}", url.target(), fields.join("|")));
        }

        fn cookie_header(&self, request: &CookieRequest<'_>) -> Option<Vec<u8>> {
            Some(format!("asked={}", request.url().target()).into_bytes())
        }
    }

    let server = Server::with(|_| answers(setting(&["a=1", "b=2"])));
    let log = Log::default();
    let session = Session::builder().cookie_store(log.clone()).build().unwrap();
    session.get(server.url("/x")).send().unwrap();
    assert_eq!(*log.0.lock().unwrap(), ["/x a=1|b=2"]);
    assert_eq!(values(&server.seen.requests()[0], "Cookie"), ["asked=/x"]);

    let none = Session::builder().cookie_store(NoCookies).build().unwrap();
    none.get(server.url("/")).send().unwrap();
    none.get(server.url("/")).send().unwrap();
    assert!(values(&server.seen.requests()[2], "Cookie").is_empty() && none.cookies().is_none());
    // The free functions keep none.
    hostpool::get(server.url("/")).send().unwrap();
    hostpool::get(server.url("/")).send().unwrap();
    assert!(values(&server.seen.requests()[4], "Cookie").is_empty(), "BA-01");
}

#[test]
fn many_threads_one_jar() {
    let server = Server::with(|n| answers(setting(&[&format!("n{n}=1; Path=/"), "shared=x; Path=/"])));
    let session = Session::new();
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| (0..4).for_each(|_| drop(session.get(server.url("/")).send().unwrap())));
        }
    });
    let connections = server.seen.accepted();
    assert_eq!(session.cookies().unwrap().len(), connections + 1, "A10.13");
}

/// What a store gives is looked at like any value of a header.
#[test]
fn stores_that_are_wrong() {
    #[derive(Debug)]
    struct Store(&'static [u8]);

    impl CookieStore for Store {
        fn store(&self, _: &Url, _: &mut dyn Iterator<Item = &[u8]>) {}

        fn cookie_header(&self, _: &CookieRequest<'_>) -> Option<Vec<u8>> {
            Some(self.0.to_vec())
        }
    }

    let server = Server::with(|_| answers(ok("there")));
    for value in ["a=1\r\nX-Evil: 1", "a=1\n", "a=\0", "\x7f"] {
        let session = Session::builder().cookie_store(Store(value.as_bytes())).build().unwrap();
        for request in [session.get(server.url("/")), session.get(server.url("/")).cookie("b", "2")] {
            let error = request.send().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "A4 {value:?}: {error}");
        }
    }
    assert_eq!(server.seen.accepted(), 0, "A4");
    let session = Session::builder().cookie_store(Store(b"")).build().unwrap();
    session.get(server.url("/")).send().unwrap();
    session.get(server.url("/")).cookie("b", "2").send().unwrap();
    let requests = server.seen.requests();
    assert!(values(&requests[0], "Cookie").is_empty());
    assert_eq!(values(&requests[1], "Cookie"), ["b=2"]);
}

/// In whatever order a builder is told.
#[test]
fn cookies_of_the_builder_and_a_jar() {
    let server = Server::with(|_| answers(ok("there")));
    let given = CookieJar::new;
    for (row, builder) in [
        ("cookies last", Session::builder().cookie_jar(given()).cookies([("a", "1")])),
        ("cookies first", Session::builder().cookies([("a", "1")]).cookie_jar(given())),
    ] {
        builder.build().unwrap().get(server.url("/")).send().unwrap();
        let request = server.seen.requests().pop().unwrap();
        assert_eq!(values(&request, "Cookie"), ["a=1"], "{row}");
    }
    for (row, builder) in [
        ("store last", Session::builder().cookies([("a", "1")]).cookie_store(NoCookies)),
        ("store first", Session::builder().cookie_store(NoCookies).cookies([("a", "1")])),
    ] {
        assert!(matches!(builder.build().unwrap_err().kind(), ErrorKind::InvalidConfig), "{row}");
    }
}

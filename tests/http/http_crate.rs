//! Requests and responses of the `http` crate, in and out.

use std::io::Read;

use hostpool::{
    Body, ConnectionPool, ErrorKind, Method, Phase, PoolManager, Request, Response, ResponseBody, Result, Session, Url,
    Version,
};

use crate::support::{Server, Step, answers, header};

const ANSWER: &str = "HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello";

/// What each client makes of a request: this crate's, and the `http` crate's with a text for its body.
struct Clients(Session, PoolManager, ConnectionPool);

impl Clients {
    fn of(server: &Server) -> Clients {
        let pool = ConnectionPool::builder(server.url("")).build().unwrap();
        Clients(Session::new(), PoolManager::new(), pool)
    }

    fn http(&self, request: &http::Request<&'static str>) -> [Result<Response>; 3] {
        let [one, two, three] = std::array::from_fn(|_| request.clone());
        [self.0.execute(one), self.1.execute(two), self.2.execute(three)]
    }

    fn own(&self, request: impl Fn() -> Request) -> [Result<Response>; 3] {
        [self.0.execute(request()), self.1.execute(request()), self.2.execute(request())]
    }
}

fn check(id: &str, response: Response, version: Version) {
    let response: http::Response<ResponseBody> = response.into_http().unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (201, version), "{id}");
    assert!(response.headers().get_all("X-A").iter().eq(["1", "2"]), "{id}");
    let mut text = String::new();
    response.into_body().read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello", "{id}");
}

#[test]
fn sent_by_every_client() {
    let server = Server::with(|_| answers(ANSWER));
    let clients = Clients::of(&server);
    let request = |method: &str, target: &str, version, fields: &[(&str, &str)], body: &'static str| {
        let mut request = http::Request::builder().method(method).uri(server.url(target)).version(version);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.extension("left here").body(body).unwrap()
    };
    let (http10, http11) = (Version::HTTP_10, Version::HTTP_11);
    let table = [
        ("GET", request("GET", "/a%2F/../b?c=%C3%A9&d", http11, &[], ""), "GET /a%2F/../b?c=%C3%A9&d HTTP/1.1", vec![]),
        ("no path", request("GET", "", http11, &[], ""), "GET / HTTP/1.1", vec![]),
        ("a query alone", request("GET", "?q", http11, &[], ""), "GET /?q HTTP/1.1", vec![]),
        (
            "headers",
            request("PURGE", "/", http11, &[("X-A", "1"), ("User-Agent", "own"), ("x-a", "2")], ""),
            "PURGE / HTTP/1.1",
            vec!["x-a: 1", "x-a: 2", "user-agent: own"],
        ),
        ("a body", request("PUT", "/", http11, &[], "data"), "PUT / HTTP/1.1", vec!["Content-Length: 4"]),
        ("HTTP/1.0", request("POST", "/", http10, &[], "data"), "POST / HTTP/1.0", vec!["Content-Length: 4"]),
    ];
    for (id, request, line, fields) in table {
        for response in clients.http(&request) {
            check(id, response.unwrap(), http11);
            let sent = server.seen.requests().pop().unwrap();
            assert_eq!(sent.split("\r\n").next(), Some(line), "{id}");
            for field in &fields {
                assert!(sent.contains(&format!("\r\n{field}\r\n")), "{id}: {sent}");
            }
            assert_eq!(sent.to_ascii_lowercase().matches("\r\nuser-agent: ").count(), 1, "{id}: {sent}");
            assert!(sent.ends_with(&format!("\r\n\r\n{}", request.body())), "{id}");
            assert_eq!(header(&sent, "Host"), Some(&*server.addr.to_string()), "{id}");
        }
        let [one, two, three] =
            clients.own(|| Request::try_from(request.clone()).unwrap_or_else(|error| panic!("{id}: {error}")));
        [one, two, three].into_iter().for_each(|response| check(id, response.unwrap(), http11));
        assert!(server.seen.requests().pop().unwrap().starts_with(line), "{id}");
    }
    assert_eq!(server.seen.accepted(), 3, "their connections are kept");
}

/// Whatever a body is made from, and none.
#[test]
fn bodies() {
    let server = Server::with(|_| answers(ANSWER));
    let session = Session::new();
    let post = || http::Request::post(server.url("/"));
    let sent = [
        session.execute(post().body(()).unwrap()),
        session.execute(post().body("text".to_owned()).unwrap()),
        session.execute(post().body(b"bytes".to_vec()).unwrap()),
        session.execute(post().body(Body::reader(&b"chunks"[..])).unwrap()),
    ];
    sent.into_iter().for_each(|response| check("bodies", response.unwrap(), Version::HTTP_11));
    let requests = server.seen.requests();
    let bodies: Vec<_> = requests.iter().map(|request| request.split_once("\r\n\r\n").unwrap().1).collect();
    assert_eq!(bodies, ["", "text", "bytes", "chunks"]);
    assert_eq!(header(&requests[0], "Content-Length"), Some("0"));
    assert_eq!(header(&requests[3], "Transfer-Encoding"), Some("chunked"));
}

/// A path is for a client that knows what it belongs to.
#[test]
fn paths() {
    let server = Server::with(|_| answers(ANSWER));
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let session = Session::builder().base_url(server.url("/base/")).build().unwrap();
    // One that begins with two slashes is a path as well, and names no host.
    for target in ["/", "/a/../b?c", "/a?b=//c", "//other.invalid/x"] {
        let request = || http::Request::get(target).body(()).unwrap();
        let resolved = if target.contains("..") { "/b?c" } else { target };
        for (id, expected) in [("pool", target), ("session", resolved)] {
            let response = if id == "pool" { pool.execute(request()) } else { session.execute(request()) };
            check(id, response.unwrap(), Version::HTTP_11);
            let sent = server.seen.requests().pop().unwrap();
            assert!(sent.starts_with(&format!("GET {expected} HTTP/1.1\r\n")), "{id}: {sent}");
        }
        for response in [Session::new().execute(request()), PoolManager::new().execute(request())] {
            assert!(matches!(response.unwrap_err().kind(), ErrorKind::InvalidUrl(_)), "{target}");
        }
    }
}

#[test]
fn refused() {
    let server = Server::new(vec![vec![Step::UntilClosed]]);
    let clients = Clients::of(&server);
    let request = |method: &str, uri: &str, version| {
        http::Request::builder().method(method).uri(uri).version(version).body("").unwrap()
    };
    let (url, version) = (server.url("/"), Version::HTTP_11);
    let mut table = vec![
        ("another scheme", request("GET", "ftp://h/", version)),
        ("an authority", request("GET", "example.com:80", version)),
        ("an asterisk", request("OPTIONS", "*", version)),
        ("a tunnel", request("CONNECT", &url, version)),
        ("a host that is none", request("GET", "http://127.1/", version)),
    ];
    for version in [Version::HTTP_09, Version::HTTP_2, Version::HTTP_3] {
        table.push(("a version", request("GET", &url, version)));
    }
    for (id, request) in table {
        for response in clients.http(&request) {
            let error = response.unwrap_err();
            assert_eq!((error.phase(), error.maybe_processed()), (Phase::Prepare, false), "{id}");
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::InvalidUrl(_) | ErrorKind::InvalidRequest), "{id}: {error}");
        }
    }
    // A pool has one host, however a request names another.
    let other = || http::Request::get("http://127.0.0.2:1/").body(()).unwrap();
    let own = Request::new(Method::GET, Url::parse("http://127.0.0.2:1/").unwrap());
    for response in [clients.2.execute(other()), clients.2.execute(own)] {
        assert_eq!(response.unwrap_err().kind(), &ErrorKind::HostChanged);
    }
    assert_eq!(server.seen.accepted(), 0);
}

/// What the `http` crate calls sensitive stays that.
#[test]
fn secrets() {
    let mut key = http::HeaderValue::from_static("canary");
    key.set_sensitive(true);
    let request = http::Request::get("http://user:canary@h/").header("x-key", key).body(()).unwrap();
    let request = Request::try_from(request).unwrap();
    assert_eq!(request.headers().get("X-Key"), Some("canary"));
    assert!(!format!("{request:?}").contains("canary"));
}

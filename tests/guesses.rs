//! What people type first, from the habits of other clients: it compiles, and the server gets what was meant.
//!
//! What does not compile leads to the right name by the compiler's own message; see the `on_unimplemented` attributes
//! of the traits.

#![allow(clippy::needless_borrows_for_generic_args, reason = "people write the borrow, and it has to compile")]

#[path = "support/mod.rs"]
mod support;

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use hostpool::multipart::{Form, Part};
use hostpool::{
    ConnectionPool, CookieJar, DialContext, Dialer, Headers, PoolManager, RedirectAction, RequestBuilder, Response,
    Result, Retry, RetryBudget, Session, StatusCode, Target, Timeout, Transport, Url, dialer_fn,
};

use crate::support::{GIVE_UP, Server, answer, answers, header, ok};

/// Sends the request, and returns it as the server got it.
fn sent(server: &Server, request: RequestBuilder) -> String {
    let response = request.timeout(GIVE_UP).send().unwrap();
    assert_eq!((response.status(), &*response.text().unwrap()), (StatusCode::OK, "done"));
    server.seen.requests().pop().unwrap()
}

fn server() -> Server {
    Server::with(|_| answers(ok("done")))
}

fn target(request: &str) -> &str {
    request.split(' ').nth(1).unwrap()
}

fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

/// A query or a form as a value of a type of the caller.
#[cfg(feature = "json")]
#[derive(serde::Serialize)]
struct Pairs {
    a: u32,
    b: &'static str,
}

#[test]
fn queries() {
    let (server, session) = (server(), Session::new());
    let get = || session.get(server.url("/find"));
    let owned = vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "x y".to_owned())];
    let requests = [
        get().query([("a", "1"), ("b", "x y")]),
        get().query(&[("a", "1"), ("b", "x y")]),
        get().query([("a", "1")]).query([("b", "x y")]),
        get().query(&owned),
        get().query(owned.clone()),
        get().params([("a", "1"), ("b", "x y")]),
        get().params(&[("a", "1"), ("b", "x y")]),
        #[cfg(feature = "json")]
        get().query(&Pairs { a: 1, b: "x y" }),
        #[cfg(feature = "json")]
        get().params(&Pairs { a: 1, b: "x y" }),
        #[cfg(feature = "json")]
        get().query(Pairs { a: 1, b: "x y" }),
    ];
    for (number, request) in requests.into_iter().enumerate() {
        assert_eq!(target(&sent(&server, request)), "/find?a=1&b=x+y", "{number}");
    }
    assert_eq!(target(&sent(&server, get().query(&HashMap::from([("a", 7)])))), "/find?a=7");
}

#[test]
fn forms() {
    let (server, session) = (server(), Session::new());
    let post = || session.post(server.url("/"));
    let requests = [
        post().form([("a", "1"), ("b", "x y")]),
        post().form(&[("a", "1"), ("b", "x y")]),
        post().form(&vec![("a", "1"), ("b", "x y")]),
        #[cfg(feature = "json")]
        post().form(&Pairs { a: 1, b: "x y" }),
        #[cfg(feature = "json")]
        post().form(Pairs { a: 1, b: "x y" }),
    ];
    for (number, request) in requests.into_iter().enumerate() {
        let request = sent(&server, request);
        assert_eq!(body(&request), "a=1&b=x+y", "{number}");
        assert_eq!(header(&request, "content-type"), Some("application/x-www-form-urlencoded"), "{number}");
    }
}

#[test]
fn bodies() {
    let (server, session) = (server(), Session::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "raw").unwrap();
    let post = || session.post(server.url("/"));
    let text = String::from("raw");
    let requests = [
        post().body("raw"),
        post().body(&text),
        post().body(text.clone()),
        post().body(b"raw"),
        post().body(*b"raw"),
        post().body(vec![b'r', b'a', b'w']),
        post().body(Cow::from("raw")),
        post().data("raw"),
        post().body(std::fs::File::open(&path).unwrap()),
    ];
    for (number, request) in requests.into_iter().enumerate() {
        assert_eq!(body(&sent(&server, request)), "raw", "{number}");
    }
}

#[test]
fn parts_of_forms() {
    let (server, session) = (server(), Session::new());
    for part in [Part::bytes("x").mime("image/own"), Part::bytes("x").content_type("image/own")] {
        let form = Form::new().part("picture", part.file_name("a.gif"));
        let request = sent(&server, session.post(server.url("/")).multipart(form));
        let expected = "name=\"picture\"; filename=\"a.gif\"\r\nContent-Type: image/own\r\n\r\nx\r\n";
        assert!(body(&request).contains(expected), "{request}");
    }
}

#[test]
fn progress() {
    let (server, session) = (server(), Session::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let (tell, told) = mpsc::channel();
    sent(&server, session.post(server.url("/")).body("raw").progress(move |done, all| tell.send((done, all)).unwrap()));
    assert_eq!(told.into_iter().last(), Some((3, Some(3))));
    let mut last = None;
    session.get(server.url("/")).download_with(&path, |done, all| last = Some((done, all))).unwrap();
    assert_eq!(last.take(), Some((4, Some(4))));
    session.get(server.url("/")).send().unwrap().save_to_with(&path, |done, all| last = Some((done, all))).unwrap();
    assert_eq!((last, std::fs::read(&path).unwrap()), (Some((4, Some(4))), b"done".to_vec()));
}

#[test]
fn retries() {
    let busy = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
    let budget = RetryBudget::new(100);
    let retries = [
        Retry::new(1).status_forcelist([502]),
        Retry::new(1).status_forcelist(vec![502, 503]),
        Retry::new(1).status_forcelist(&[502, 503]),
        Retry::new(1).status_forcelist(500..=504),
        Retry::new(1).status_forcelist([StatusCode::BAD_GATEWAY]),
        Retry::new(1).status_forcelist(&[StatusCode::BAD_GATEWAY]),
        Retry::new(1).status_forcelist([502]).budget(&budget),
        Retry::new(1).status_forcelist([502]).budget(budget.clone()),
    ];
    for (number, retry) in retries.into_iter().enumerate() {
        let server = Server::new(vec![[answer(busy), answers(ok("done"))].concat()]);
        sent(&server, Session::new().get(server.url("/")).retries(retry));
        assert_eq!(server.seen.requests().len(), 2, "{number}");
    }
    assert_eq!(budget.left(), 98);
}

#[test]
fn cookies() {
    let server = Server::with(|_| answers("HTTP/1.1 200 OK\r\nSet-Cookie: sid=7\r\nContent-Length: 4\r\n\r\ndone"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cookies");
    let session = Session::new();
    sent(&server, session.get(server.url("/")));
    let jar = session.cookies().unwrap();
    assert_eq!(jar.get(&Url::parse(&server.url("/")).unwrap(), "sid").unwrap().value(), "7");
    jar.save_netscape(&path).unwrap();
    let jar = CookieJar::load_netscape(&path).unwrap();
    let session = Session::builder().cookie_jar(jar).build().unwrap();
    sent(&server, session.get(server.url("/")));
}

#[test]
fn credentials() {
    let (server, session) = (server(), Session::new());
    let get = || session.get(server.url("/"));
    let token = String::from("token");
    let rows = [
        (get().basic_auth("u", "p"), "Basic dTpw"),
        (get().auth(("u", "p")), "Basic dTpw"),
        (get().bearer_auth("token"), "Bearer token"),
        (get().bearer_auth(&token), "Bearer token"),
        (get().bearer_auth(token.clone()), "Bearer token"),
        (get().header("Authorization", format!("Bearer {token}")), "Bearer token"),
    ];
    for (request, value) in rows {
        assert_eq!(header(&sent(&server, request), "authorization"), Some(value));
    }
}

#[test]
fn headers() {
    let (server, session) = (server(), Session::new());
    let get = || session.get(server.url("/"));
    let (own, map) = (Headers::from_pairs([("x-a", "7")]).unwrap(), HashMap::from([("x-a", "7")]));
    let mut of_http = http::HeaderMap::new();
    of_http.insert("x-a", http::HeaderValue::from_static("7"));
    let requests = [
        get().header("x-a", "7"),
        get().header("x-a", 7),
        get().header(String::from("x-a"), String::from("7")),
        get().header(http::HeaderName::from_static("x-a"), b"7"),
        get().headers(&own),
        get().headers(own.clone()),
        get().headers(&of_http),
        get().headers(of_http.clone()),
        get().headers([("x-a", "7")]),
        get().headers(&[("x-a", 7)]),
        get().headers(&map),
        get().headers(map.clone()),
        Session::builder().header("x-a", 7).build().unwrap().get(server.url("/")),
        Session::builder().headers(&of_http).build().unwrap().get(server.url("/")),
        PoolManager::builder().header("x-a", 7).build().unwrap().get(server.url("/")),
        ConnectionPool::builder(server.url("")).headers([("x-a", "7")]).build().unwrap().get("/"),
    ];
    for (number, request) in requests.into_iter().enumerate() {
        assert_eq!(header(&sent(&server, request), "x-a"), Some("7"), "{number}");
    }
    let request = sent(&server, get().user_agent("books/1.0").range(2..4));
    assert_eq!((header(&request, "user-agent"), header(&request, "range")), (Some("books/1.0"), Some("bytes=2-3")));
}

#[test]
fn redirects() {
    let moved = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n";
    let server = Server::with(move |_| answers(moved));
    let stop = Session::builder().redirect_when(|hop| match hop.to().path() {
        "/there" => RedirectAction::Stop,
        _ => RedirectAction::Follow,
    });
    for request in [
        stop.build().unwrap().get(server.url("/")),
        Session::new().get(server.url("/")).redirect_when(|_| RedirectAction::Stop),
        Session::new().get(server.url("/")).allow_redirects(false),
        Session::new().get(server.url("/")).max_redirects(0).retries(Retry::off()),
    ] {
        assert_eq!(request.send().unwrap().status(), 302);
    }
}

/// A connection of std is a transport as it is.
#[derive(Debug)]
struct Std(std::net::SocketAddr);

impl Dialer for Std {
    fn dial(&self, _: &Target<'_>, _: &DialContext<'_>) -> Result<Box<dyn Transport>> {
        Ok(Box::new(TcpStream::connect(self.0)?))
    }
}

#[test]
fn connections() {
    let server = server();
    let address = server.addr;
    let second = Duration::from_secs(1);
    let chosen: Box<dyn Dialer> = Box::new(Std(address));
    let by_function = dialer_fn(move |_, _| Ok(Box::new(TcpStream::connect(address)?)));
    let builders = [
        Session::builder().dialer(Std(address)).limit(8).pool_timeout(GIVE_UP).idle_timeout(second),
        Session::builder().dialer(chosen),
        Session::builder().dialer(by_function),
    ];
    for builder in builders {
        let request = sent(&server, builder.build().unwrap().get("http://books.example/"));
        assert_eq!(header(&request, "host"), Some("books.example"));
    }
    let near = Session::builder().source_address(Ipv4Addr::LOCALHOST).timeout(Timeout::new().connect(GIVE_UP));
    sent(&server, near.build().unwrap().get(server.url("/")));
}

#[cfg(unix)]
#[test]
fn unix_sockets() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket with a blank");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let served = std::thread::spawn(move || {
        (0..2).for_each(|_| {
            let mut stream = listener.accept().unwrap().0;
            let request = support::read_request(&mut stream).unwrap();
            assert!(request.starts_with(b"GET /version "));
            stream.write_all(&ok("done")).unwrap();
        });
    });
    let pool = ConnectionPool::unix(&path).build().unwrap();
    assert_eq!(pool.get("/version").send().unwrap().text().unwrap(), "done");
    let url = Url::unix(&path, "/version").unwrap();
    assert_eq!(hostpool::get(url).send().unwrap().text().unwrap(), "done");
    served.join().unwrap();
}

#[test]
fn middleware() {
    let server = server();
    let session = Session::builder().middleware(|request, next| next.run(request)).build().unwrap();
    let request = session.get(server.url("/")).middleware(|mut request, next| {
        request.headers_mut().insert("x-a", 7)?;
        next.run(request)
    });
    assert_eq!(header(&sent(&server, request), "x-a"), Some("7"));
    let stub = Session::builder().middleware(|_, _| Response::try_from(http::Response::new("stub"))).build().unwrap();
    assert_eq!(stub.get("http://books.example/").send().unwrap().text().unwrap(), "stub");
}

/// An iterator of lines leaves the function that asked for them.
fn lines(session: &Session, url: &str) -> Result<impl Iterator<Item = Result<String>> + use<>> {
    Ok(session.get(url).send()?.into_lines())
}

#[test]
fn lines_of_a_response() {
    let server = Server::with(|_| answers(ok("one\ntwo\n")));
    let all: Result<Vec<String>> = lines(&Session::new(), &server.url("/")).unwrap().collect();
    assert_eq!(all.unwrap(), ["one", "two"]);
    let mut response = Session::new().get(server.url("/")).send().unwrap();
    assert_eq!(response.lines().next().unwrap().unwrap(), "one");
}

#[test]
fn urls() {
    let (server, session) = (server(), Session::new());
    let text = server.url("/a");
    let (url, of_url) = (Url::parse(&text).unwrap(), url::Url::parse(&text).unwrap());
    let uri: http::Uri = text.parse().unwrap();
    let requests = [
        session.get(&*text),
        session.get(&text),
        session.get(text.clone()),
        session.get(format!("{}/{}", server.url(""), "a")),
        session.get(Cow::from(&*text)),
        session.get(&url),
        session.get(url.clone()),
        session.get(&of_url),
        session.get(of_url.clone()),
        session.get(&uri),
        session.get(uri.clone()),
        ConnectionPool::builder(server.url("")).build().unwrap().get(&uri),
        PoolManager::new().get(&uri),
        hostpool::get(&uri),
    ];
    for (number, request) in requests.into_iter().enumerate() {
        assert_eq!(target(&sent(&server, request)), "/a", "{number}");
    }
}

/// `?` takes the errors of std, and a status is asked for without taking the error apart.
#[test]
fn errors() {
    fn load() -> Result<Vec<u8>> {
        Ok(std::fs::read("/no/such/file")?)
    }
    let error = load().unwrap_err();
    assert!(error.to_string().contains("os error"), "{error}");
    let server = Server::with(|_| answers("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    let error = hostpool::get(server.url("/")).raise_for_status(true).send().unwrap_err();
    assert!(error.is_status() && error.status() == Some(StatusCode::NOT_FOUND), "{error}");
}

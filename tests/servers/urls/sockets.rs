//! Redirects of servers at Unix sockets.

use std::io::Write;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::thread;

use hostpool::{ConnectionPool, ErrorKind, InvalidUrl, Method, PoolManager, RequestBuilder, Retry, Session, Url};

use super::{clients, head, line, values};
use crate::support::{Server, answers, ok, read_request};

/// A server at a socket, which redirects `/old` and answers all else.
struct Socket {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
}

impl Socket {
    fn new(status: u16, location: &str) -> Socket {
        Socket::at("server.sock", status, location)
    }

    fn at(name: &str, status: u16, location: &str) -> Socket {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, redirect) = (requests.clone(), head(status, &format!("Location: {location}\r\n")));
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (seen, redirect) = (seen.clone(), redirect.clone());
                thread::spawn(move || {
                    while let Ok(request) = read_request(&mut stream) {
                        let request = String::from_utf8(request).unwrap();
                        let is_old = line(&request).contains(" /old ");
                        seen.lock().unwrap().push(request);
                        let answer = if is_old { redirect.clone() } else { ok("there") };
                        if stream.write_all(&answer).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        let url = format!("http+unix://{}", path.to_str().unwrap().replace('/', "%2F"));
        Socket { url, requests, folder }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

/// nginx writes the Host that it was sent into its Location.
#[test]
fn a_server_that_names_itself() {
    let table = [
        ("RW-29 nginx", 302, "http://localhost/index.html", None, Method::GET, "GET /index.html HTTP/1.1"),
        ("RW-29 307 with a body", 307, "http://localhost/index.html", None, Method::POST, "POST /index.html HTTP/1.1"),
        ("RW-29 308 with a body", 308, "//localhost/a?b", None, Method::PUT, "PUT /a?b HTTP/1.1"),
        (
            "RW-29 a Host of the caller's",
            307,
            "http://docker:99/a",
            Some("docker:99"),
            Method::POST,
            "POST /a HTTP/1.1",
        ),
        ("RW-29 a path", 307, "new", None, Method::POST, "POST /new HTTP/1.1"),
    ];
    for (row, status, location, host, method, next) in table {
        let socket = Socket::new(status, location);
        for (client, request) in clients(&socket.url) {
            let request = request(method.clone(), "/old").data("body").header("Authorization", "own");
            let request = host.into_iter().fold(request, |request, host| request.header("Host", host));
            let response = request.send().unwrap_or_else(|error| panic!("{row}, {client}: {error}"));
            assert!(response.url().as_str().starts_with(&*socket.url), "{row}, {client}");
            assert_eq!(response.text().unwrap(), "there", "{row}, {client}");
            let requests = socket.take();
            assert_eq!(requests.len(), 2, "{row}, {client}");
            assert_eq!(line(&requests[1]), next, "{row}, {client}");
            assert_eq!(values(&requests[1], "Host"), [host.unwrap_or("localhost")], "{row}, {client}");
            assert_eq!(values(&requests[1], "Authorization"), ["own"], "{row}, {client}: it is the same origin");
            assert!(requests[1].ends_with("\r\n\r\nbody"), "{row}, {client}: {}", requests[1]);
        }
    }
}

/// Nothing leaves the socket for the network unless that was allowed.
#[test]
fn away_from_the_socket() {
    let network = Server::with(|_| answers(ok("network")));
    let away = network.url("/away");
    let refused = ErrorKind::InvalidRedirect;
    type Make = fn(Method, &str) -> RequestBuilder;
    let session: Make = |method, url| Session::new().request(method, url);
    let manager: Make = |method, url| PoolManager::new().request(method, url);
    let pool: Make = |method, url| {
        let origin = Url::parse(url).unwrap().origin().to_string();
        ConnectionPool::builder(origin).retries(Retry::default()).build().unwrap().request(method, "/old")
    };
    let allowed: [(&str, Make); 4] = [
        ("session", |method, url| Session::builder().follow_off_socket(true).build().unwrap().request(method, url)),
        ("manager", |method, url| PoolManager::builder().follow_off_socket(true).build().unwrap().request(method, url)),
        ("request of a session", |method, url| Session::new().request(method, url).follow_off_socket(true)),
        ("request of a manager", |method, url| PoolManager::new().request(method, url).follow_off_socket(true)),
    ];
    for (status, method) in [(302, Method::GET), (307, Method::POST)] {
        let socket = Socket::new(status, &away);
        let old = format!("{}/old", socket.url);
        let send = |make: Make| make(method.clone(), &old).data("body").header("Authorization", "own").send();
        for (row, make, kind) in
            [("session", session, &refused), ("manager", manager, &refused), ("pool", pool, &ErrorKind::HostChanged)]
        {
            let error = send(make).unwrap_err();
            assert_eq!(error.kind(), kind, "RW-29 {status} {row}");
            let why = "it leads from a local socket to the network";
            assert_eq!(error.to_string().contains(why), *kind == refused, "RW-29 {status} {row}: {error}");
        }
        let back: Make = |method, url| {
            Session::builder().follow_off_socket(true).build().unwrap().request(method, url).follow_off_socket(false)
        };
        assert_eq!(send(back).unwrap_err().kind(), &refused, "RW-29 {status}: the request's word");
        assert_eq!(network.seen.accepted(), 0, "RW-29 {status}: nothing leaves");
        for (row, make) in allowed {
            assert_eq!(send(make).unwrap().text().unwrap(), "network", "RW-29 {status} {row}");
            let request = network.seen.requests().pop().unwrap();
            assert!(values(&request, "Authorization").is_empty(), "RW-29 {status} {row}: it is another origin");
        }
        network.seen.accepted.store(0, std::sync::atomic::Ordering::SeqCst);
    }
}

/// A socket is named by its path, whatever bytes the path has.
#[test]
fn by_path() {
    for name in ["server.sock", "a b%2F?#:@\u{e9}.sock"] {
        let socket = Socket::at(name, 307, "/new");
        let path = socket.folder.path().join(name);
        let pool = ConnectionPool::unix(&path).build().unwrap();
        assert_eq!(pool.get("/old?a=b").send().unwrap().text().unwrap(), "there", "{name}");
        let url = Url::unix(&path, "/old?a=b").unwrap();
        assert_eq!(Session::new().get(url).send().unwrap().text().unwrap(), "there", "{name}");
        assert!(socket.take().iter().all(|request| line(request) == "GET /old?a=b HTTP/1.1"), "{name}");
    }
    let error = ConnectionPool::unix("/a\0b").build().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidUrl(InvalidUrl::SocketPathNul));
}

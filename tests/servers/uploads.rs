//! Requests with a body to servers that answer early, refuse, or close: rows RW-01, RW-19 and RW-44.
//!
//! A server is told by the path of a request what to do with it, and reports how much of the body it got. Small bodies
//! leave before an early response can be seen, so what is asked of every cell is that the flag and the server agree.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use hostpool::{
    Body, Bound, ConnectionPool, Error, ErrorKind, Limit, Limits, Method, Phase, PoolManager, RequestBuilder, Response,
    Retry, Session, SessionBuilder, Timeout,
};

use crate::support::{PATIENCE, Server, Step, answer, eventually, header, ok, read_body, read_head};

const MB: usize = 1_000_000;

/// The server's end of a connection, whatever it runs over.
trait Peer: Read {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Ends the direction to the client.
    fn end(&mut self) -> io::Result<()>;

    /// The socket below, where it can be reset.
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }
}

impl Peer for TcpStream {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

#[cfg(unix)]
impl Peer for std::os::unix::net::UnixStream {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

#[cfg(feature = "rustls")]
impl Peer for crate::tls::Peer {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(256 * 1024).try_for_each(|piece| self.send(piece))
    }

    fn end(&mut self) -> io::Result<()> {
        self.goodbye()?;
        self.tcp.shutdown(Shutdown::Write)
    }

    fn tcp(&self) -> Option<&TcpStream> {
        Some(&self.tcp)
    }
}

/// What the server saw of one request.
#[derive(Clone, Debug, PartialEq)]
struct Report {
    /// The path, which no two requests have in common.
    path: String,
    method: String,
    /// The length of the body, if all of it came.
    whole: Option<usize>,
}

#[derive(Debug, Default)]
struct Reports {
    list: Mutex<Vec<Report>>,
    added: Condvar,
    /// Bytes of bodies read in lockstep.
    read: AtomicUsize,
}

impl Reports {
    fn add(&self, report: Report) {
        self.list.lock().unwrap().push(report);
        self.added.notify_all();
    }

    /// Waits for the report on the request with this path.
    fn of(&self, path: &str) -> Report {
        let list = self.list.lock().unwrap();
        let found = |list: &[Report]| list.iter().find(|report| report.path == path).cloned();
        let (list, _) = self.added.wait_timeout_while(list, PATIENCE, |list| found(list).is_none()).unwrap();
        found(&list).unwrap_or_else(|| panic!("no request for {path}"))
    }
}

/// Answers requests as their paths say, `/<number>/<what>`, as long as they come whole.
fn serve(peer: &mut impl Peer, reports: &Reports) -> io::Result<()> {
    // What waits for an acknowledgement would be lost with a reset.
    peer.tcp().map_or(Ok(()), |tcp| tcp.set_nodelay(true))?;
    while serve_one(peer, reports)? {}
    Ok(())
}

/// False if the connection ends.
fn serve_one(peer: &mut impl Peer, reports: &Reports) -> io::Result<bool> {
    let head = read_head(peer)?;
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut line = text.split(' ');
    let (method, path) = (line.next().unwrap().to_owned(), line.next().unwrap().to_owned());
    let (number, what) = path[1..].split_once('/').unwrap();
    let early = |head: &str| format!("HTTP/1.1 {head}\r\nContent-Length: 5\r\n\r\nearly").into_bytes();
    let redirect = |status: &str| early(&format!("{status}\r\nLocation: /{number}/late"));
    let report = |whole| reports.add(Report { path: path.clone(), method: method.clone(), whole });
    let mut after = Vec::new();
    match what {
        "200" => peer.put(&early("200 OK"))?,
        "200-close" | "closes" | "resets" => peer.put(&early("200 OK\r\nConnection: close"))?,
        "200-old" => peer.put(&[b"HTTP/1.0 ", &early("200 OK")[9..]].concat())?,
        "200-ends" => {
            peer.put(b"HTTP/1.0 200 OK\r\n\r\nearly")?;
            peer.end()?;
        }
        "200-chunks" => {
            peer.put(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nea\r\n")?;
            after = b"3\r\nrly\r\n0\r\n\r\n".to_vec();
        }
        "100-200" => peer.put(&[&b"HTTP/1.1 100 Continue\r\n\r\n"[..], &early("200 OK")].concat())?,
        "part" => peer.put(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\near")?,
        "302" | "303" | "307" | "308" => peer.put(&redirect(what))?,
        "401" | "413" | "503" => peer.put(&early(what))?,
        "900000" | "1100000" => {
            peer.put(format!("HTTP/1.1 200 OK\r\nContent-Length: {what}\r\n\r\n").as_bytes())?;
            peer.put(&vec![b'y'; what.parse().unwrap()])?;
        }
        "echo" => return echo(peer, &text).map(|()| false),
        "lockstep" => {
            peer.put(&early("200 OK"))?;
            return lockstep(peer, &text, reports).map(|()| false);
        }
        _ => after = early("200 OK"),
    }
    if ["closes", "resets", "part"].contains(&what) {
        report(None);
        // Where there is a body a part of it stays unread, and the close is a reset.
        if header(&text, "Content-Length") != Some("0") {
            peer.read_exact(&mut [0])?;
        }
        if let Some(tcp) = peer.tcp().filter(|_| what == "resets") {
            socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO))?;
        }
        return Ok(false);
    }
    let body = read_body(peer, &head);
    report(body.as_ref().ok().map(Vec::len));
    peer.put(&after)?;
    Ok(body.is_ok() && !["200-close", "200-old", "200-ends"].contains(&what))
}

/// Sends back what comes, and waits for the client to take it.
fn echo(peer: &mut impl Peer, head: &str) -> io::Result<()> {
    let mut left: usize = header(head, "Content-Length").unwrap().parse().unwrap();
    peer.put(format!("HTTP/1.1 200 OK\r\nContent-Length: {left}\r\n\r\n").as_bytes())?;
    let mut buf = vec![0; 64 * 1024];
    while left > 0 {
        let len = peer.read(&mut buf)?;
        if len == 0 {
            return Ok(());
        }
        peer.put(&buf[..len])?;
        left -= len;
    }
    while peer.read(&mut buf)? > 0 {}
    Ok(())
}

/// Tells of each piece as it comes.
fn lockstep(peer: &mut impl Peer, head: &str, reports: &Reports) -> io::Result<()> {
    struct Counted<'a, P>(&'a mut P, &'a AtomicUsize);
    impl<P: Read> Read for Counted<'_, P> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let len = self.0.read(buf)?;
            self.1.fetch_add(len, Ordering::SeqCst);
            Ok(len)
        }
    }
    let body = read_body(&mut Counted(peer, &reports.read), head.as_bytes())?;
    let path = head.split(' ').nth(1).unwrap().to_owned();
    reports.add(Report { path, method: "POST".into(), whole: Some(body.len()) });
    while peer.read(&mut [0; 1024])? > 0 {}
    Ok(())
}

/// A server over one kind of transport, and how a session comes to it.
struct Host {
    name: &'static str,
    url: String,
    reports: Arc<Reports>,
    numbers: AtomicUsize,
    configure: Box<dyn Fn(SessionBuilder) -> SessionBuilder>,
    _directory: Option<tempfile::TempDir>,
}

impl Host {
    fn new(name: &'static str, url: String, reports: Arc<Reports>) -> Host {
        let configure = Box::new(|builder| builder);
        Host { name, url, reports, numbers: AtomicUsize::new(0), configure, _directory: None }
    }

    fn plain() -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // What an echo leaves unread stays small.
        let socket = socket2::SockRef::from(&listener);
        socket.set_recv_buffer_size(256 * 1024).unwrap();
        socket.set_send_buffer_size(256 * 1024).unwrap();
        let (url, reports) = (format!("http://{}", listener.local_addr().unwrap()), Arc::new(Reports::default()));
        serve_all(move || listener.accept().map(|(stream, _)| stream), &reports);
        Host::new("plain", url, reports)
    }

    #[cfg(unix)]
    fn unix() -> Host {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let url = format!("http+unix://{}", path.to_str().unwrap().replace('/', "%2F"));
        let reports = Arc::new(Reports::default());
        serve_all(move || listener.accept().map(|(stream, _)| stream), &reports);
        Host { _directory: Some(directory), ..Host::new("unix", url, reports) }
    }

    #[cfg(feature = "rustls")]
    fn tls() -> Host {
        use crate::tls::{Authority, TlsServer};
        let authority = Authority::new();
        let reports = Arc::new(Reports::default());
        let server = TlsServer::new(authority.server(), {
            let reports = reports.clone();
            move |peer| serve(peer, &reports)
        });
        let tls = authority.trusted();
        let configure = Box::new(move |builder: SessionBuilder| builder.tls(tls.clone()));
        Host { configure, ..Host::new("tls", server.url(), reports) }
    }

    /// A path that no other request has.
    fn path(&self, what: &str) -> String {
        format!("/{}/{what}", self.numbers.fetch_add(1, Ordering::SeqCst))
    }

    fn session(&self) -> SessionBuilder {
        (self.configure)(Session::builder().timeout(PATIENCE))
    }
}

fn serve_all<P: Peer + Send + 'static>(accept: impl Fn() -> io::Result<P> + Send + 'static, reports: &Arc<Reports>) {
    let reports = reports.clone();
    thread::spawn(move || {
        while let Ok(mut peer) = accept() {
            let reports = reports.clone();
            thread::spawn(move || serve(&mut peer, &reports));
        }
    });
}

/// What becomes of a body.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It goes on to its end.
    On,
    /// It stops, if it has not left before.
    Stops,
    /// It goes on until the connection ends.
    Breaks,
}

/// The table: what the server does, what becomes of the body, and whether another request follows. A POST becomes a GET
/// after 302 and 303 with a session.
const TABLE: [(&str, Fate, Option<&str>); 13] = [
    ("late", Fate::On, None),
    ("200", Fate::On, None),
    ("200-close", Fate::On, None),
    ("200-old", Fate::On, None),
    ("200-ends", Fate::On, None),
    ("200-chunks", Fate::On, None),
    ("302", Fate::On, Some("GET")),
    ("303", Fate::On, Some("GET")),
    ("307", Fate::Stops, Some("POST")),
    ("401", Fate::Stops, None),
    ("413", Fate::Stops, None),
    ("closes", Fate::Breaks, None),
    ("resets", Fate::Breaks, None),
];

/// Sends one body, and holds the response against the table.
fn check(
    host: &Host,
    send: impl FnOnce(&str) -> Result<Response, Error>,
    row: (&str, Fate, Option<&str>),
    size: usize,
) {
    let (what, fate, then) = row;
    let path = host.path(what);
    let id = format!("RW-01 {} {what} {size}", host.name);
    let response = send(&path).unwrap_or_else(|error| panic!("{id}: {error}"));
    let status = what.parse().ok().filter(|_| then.is_none()).unwrap_or(200);
    assert_eq!(response.status().as_u16(), status, "{id}");
    let first = response.history().first().map_or(response.request_body_complete(), |hop| hop.request_body_complete());
    if then.is_some() {
        assert!(response.request_body_complete(), "{id}: the last request");
        assert_eq!(response.history().len(), 1, "{id}");
    }
    // Until the response is read, what is left of it keeps the connection.
    assert_eq!(response.text().unwrap(), "early", "{id}");
    let seen = host.reports.of(&path).whole;
    match fate {
        Fate::On => assert_eq!((first, seen), (true, Some(size)), "{id}"),
        Fate::Stops => assert_eq!(seen, first.then_some(size), "{id}"),
        // Bytes that the system has taken may have been thrown away.
        Fate::Breaks => {}
    }
    assert!(fate == Fate::On || size < 30 * MB || !first, "{id}: more than any system takes");
    if let Some(method) = then {
        let (number, _) = path[1..].split_once('/').unwrap();
        let last = host.reports.of(&format!("/{number}/late"));
        let size = if method == "GET" { 0 } else { size };
        assert_eq!((&*last.method, last.whole), (method, Some(size)), "{id}");
    }
}

fn matrix(host: &Host, sizes: &[usize]) {
    let session = host.session().build().unwrap();
    for row in TABLE {
        for &size in sizes {
            for chunked in [false, true] {
                let send = |path: &str| {
                    let request = session.post(format!("{}{path}", host.url)).data(vec![b'x'; size]);
                    request.chunked(chunked).send()
                };
                check(host, send, row, size);
            }
        }
    }
}

const SMALL: [usize; 5] = [0, MB / 10, 9 * MB / 10, 12 * MB / 10, 3 * MB];

#[test]
fn early_responses_in_clear() {
    matrix(&Host::plain(), &SMALL);
}

#[test]
fn early_responses_to_thirty_megabytes() {
    matrix(&Host::plain(), &[30 * MB]);
}

#[cfg(unix)]
#[test]
fn early_responses_over_a_unix_socket() {
    matrix(&Host::unix(), &[0, MB / 10, 9 * MB / 10, 12 * MB / 10, 3 * MB, 30 * MB]);
}

#[cfg(feature = "rustls")]
#[test]
fn early_responses_over_tls() {
    matrix(&Host::tls(), &SMALL);
}

#[cfg(feature = "rustls")]
#[test]
fn early_responses_to_thirty_megabytes_over_tls() {
    matrix(&Host::tls(), &[30 * MB]);
}

/// A redirect stops the body where it is followed with the same method. Where it is not followed the body goes on.
#[test]
fn redirects_by_client_and_method() {
    let host = Host::plain();
    let size = 30 * MB;
    let session = host.session().build().unwrap();
    let manager = PoolManager::builder().timeout(PATIENCE).build().unwrap();
    let pool = ConnectionPool::builder(&host.url).timeout(PATIENCE).build().unwrap();
    let url = |path: &str| format!("{}{path}", host.url);
    let body = |request: RequestBuilder| request.data(vec![b'x'; size]);
    check(&host, |path| body(session.put(url(path))).send(), ("302", Fate::Stops, Some("PUT")), size);
    check(&host, |path| body(session.post(url(path))).send(), ("308", Fate::Stops, Some("POST")), size);
    // A PoolManager and a ConnectionPool keep the method after a 302.
    check(&host, |path| body(manager.post(url(path))).send(), ("302", Fate::Stops, Some("POST")), size);
    check(&host, |path| body(pool.post(path)).redirect(true).send(), ("302", Fate::Stops, Some("POST")), size);
    type Send<'a> = &'a dyn Fn(&str) -> Result<Response, Error>;
    let unfollowed: [(&str, Send<'_>); 4] = [
        ("a session", &|path| body(session.post(url(path))).allow_redirects(false).send()),
        ("a manager", &|path| body(manager.post(url(path))).redirect(false).send()),
        ("no retries for it", &|path| body(manager.post(url(path))).retries(Retry::off()).send()),
        ("none left", &|path| {
            body(manager.post(url(path))).retries(Retry::new(3).redirect(0).raise_on_redirect(false)).send()
        }),
    ];
    for (row, send) in unfollowed {
        let path = host.path("307");
        let response = send(&path).unwrap();
        assert_eq!((response.status().as_u16(), response.request_body_complete()), (307, true), "{row}");
        drop(response);
        assert_eq!(host.reports.of(&path).whole, Some(size), "{row}");
    }
}

/// The rows without redirects for the pools.
#[test]
fn every_client() {
    let host = Host::plain();
    let pool = ConnectionPool::builder(&host.url).timeout(PATIENCE).build().unwrap();
    let manager = PoolManager::builder().timeout(PATIENCE).build().unwrap();
    for row in TABLE.into_iter().filter(|(.., then)| then.is_none()) {
        check(&host, |path| pool.post(path).data(vec![b'x'; 3 * MB]).send(), row, 3 * MB);
        let send = |path: &str| manager.post(format!("{}{path}", host.url)).data(vec![b'x'; 3 * MB]).send();
        check(&host, send, row, 3 * MB);
        assert_eq!(pool.stats().in_use, 0);
    }
}

fn hosts() -> Vec<Host> {
    vec![
        Host::plain(),
        #[cfg(unix)]
        Host::unix(),
        #[cfg(feature = "rustls")]
        Host::tls(),
    ]
}

/// Gives a piece once the server has read all before it, however long that takes.
struct Lockstep {
    reports: Arc<Reports>,
    given: usize,
    size: usize,
}

impl Read for Lockstep {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let start = self.given;
        eventually("the server reads on", || self.reports.read.load(Ordering::SeqCst) >= start);
        let len = buf.len().min(60_000).min(self.size - self.given);
        buf[..len].fill(b'x');
        self.given += len;
        Ok(len)
    }
}

#[test]
fn a_slow_reader() {
    for host in hosts() {
        let session = host.session().build().unwrap();
        let path = host.path("lockstep");
        let body = Body::reader(Lockstep { reports: host.reports.clone(), given: 0, size: 2 * MB });
        let response = session.post(format!("{}{path}", host.url)).data(body).send().unwrap();
        assert!(response.request_body_complete(), "{}", host.name);
        assert_eq!(response.text().unwrap(), "early", "{}", host.name);
        assert_eq!(host.reports.of(&path).whole, Some(2 * MB), "{}", host.name);
    }
}

/// After a 100 the body leaves, and the table holds; in place of a 100 any final status keeps the body here.
#[test]
fn after_a_question() {
    for host in hosts() {
        let session = host.session().build().unwrap();
        let timeout = Timeout::new().total(PATIENCE).expect(PATIENCE);
        let ask = |path: &str| {
            let request = session.post(format!("{}{path}", host.url)).data(vec![b'x'; 3 * MB]);
            request.expect100(true).timeout(timeout).send()
        };
        check(&host, ask, ("100-200", Fate::On, None), 3 * MB);
        for what in ["200", "200-close", "200-old", "413"] {
            let path = host.path(what);
            let response = ask(&path).unwrap();
            assert!(!response.request_body_complete(), "{} {what}", host.name);
            drop(response);
            assert_eq!(host.reports.of(&path).whole, None, "{} {what}", host.name);
        }
    }
}

/// Some servers write their response before they read on: up to the limit it is taken in, and the systems on both sides
/// take some more.
#[test]
fn servers_that_write_before_they_read() {
    for host in hosts() {
        let session = host.session().build().unwrap();
        // A Unix socket lets no blocked writer go on before the most part of what waits in it has been read.
        for what in ["900000", "1100000"].into_iter().filter(|what| host.name != "unix" || *what == "900000") {
            let path = host.path(what);
            let request = session.post(format!("{}{path}", host.url)).data(vec![b'x'; 3 * MB]);
            let response = request.send().unwrap_or_else(|error| panic!("{} {what}: {error}", host.name));
            assert!(response.request_body_complete(), "{} {what}", host.name);
            let body = response.bytes().unwrap();
            assert!(body.len().to_string() == what && body.iter().all(|&byte| byte == b'y'), "{} {what}", host.name);
            assert_eq!(host.reports.of(&path).whole, Some(3 * MB), "{} {what}", host.name);
        }
    }
}

#[test]
fn servers_that_echo() {
    for host in hosts() {
        // A Unix socket takes a fraction of a megabyte; TLS is slow in a build for tests.
        let size = if host.name == "plain" { 30 * MB } else { 12 * MB };
        let sent: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
        let url = || format!("{}{}", host.url, host.path("echo"));
        if host.name != "tls" {
            let timeout = Timeout::new().read(Duration::from_secs(1)).total(PATIENCE);
            let session = host.session().timeout(timeout).build().unwrap();
            let error = session.post(url()).data(sent.clone()).send().unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::LimitExceeded(Limit::EarlyResponse), "{}", host.name);
            assert_eq!(error.phase(), Phase::Send, "{}", host.name);
            assert_eq!(error.head().map(|head| head.status().as_u16()), Some(200), "{}", host.name);
            assert!(error.maybe_processed() && error.to_string().contains("Limits::early_response"), "{error}");
        }
        let session = host.session().limits(Limits::new().early_response(64 << 20)).build().unwrap();
        let response = session.post(url()).data(sent.clone()).send().unwrap();
        assert!(response.request_body_complete(), "{}", host.name);
        assert!(response.bytes().unwrap() == sent, "{}", host.name);
    }
}

/// A server that has answered and does nothing any more.
#[test]
fn neither_direction_moves() {
    let stalls = vec![Step::Head, Step::Send(ok("fine")), Step::Hold];
    for (bound, timeout) in [
        (Bound::Read, Timeout::new().read(Duration::from_millis(300))),
        (Bound::Write, Timeout::new().write(Duration::from_millis(300))),
        (Bound::Total, Timeout::new().total(Duration::from_millis(300))),
    ] {
        let server = Server::new(vec![stalls.clone()]);
        let pool = ConnectionPool::builder(&server.url("")).timeout(timeout).retries(Retry::off()).build().unwrap();
        let error = pool.post("/").data(vec![b'x'; 30 * MB]).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Send), "RW-01");
        let head = error.head().expect("the response's head");
        assert_eq!((head.status().as_u16(), head.request_body_complete()), (200, false), "RW-01");
        assert!(error.maybe_processed(), "RW-01");
        assert_eq!(pool.stats().open, 0, "RW-01");
    }
}

/// A response that is cut is not one, however much of the request had left.
#[test]
fn a_part_of_a_response_and_then_the_end() {
    for host in hosts() {
        let session = host.session().build().unwrap();
        let url = format!("{}{}", host.url, host.path("part"));
        let error = session.post(url).data(vec![b'x'; 30 * MB]).send().unwrap_err();
        let expected = ErrorKind::IncompleteBody { received: 3, expected: Some(5) };
        assert_eq!((error.kind(), error.phase()), (&expected, Phase::Send), "{}", host.name);
        assert_eq!(error.head().map(|head| head.status().as_u16()), Some(200), "{}", host.name);
    }
}

/// Only the end of the connection delimits the body, and a reset is not an end: the body is cut.
#[test]
fn a_body_without_end_and_then_a_reset() {
    for status in ["200 OK", "413 Content Too Large"] {
        let response = format!("HTTP/1.0 {status}\r\n\r\nearly").into_bytes();
        let server = Server::new(vec![vec![Step::Bytes(1000), Step::Send(response)]]);
        let result = Session::new().post(server.url("/")).data(vec![b'x'; 30 * MB]).send();
        let error = result.and_then(Response::text).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::IncompleteBody { received: 5, expected: None }, "{status}");
    }
}

/// RW-44: whatever the client is doing when the connection ends, the response is read.
#[test]
fn the_answer_of_a_server_that_closes_with_bytes_unread() {
    let host = Host::plain();
    let session = host.session().build().unwrap();
    for round in 0..40 {
        let size = [MB / 2, 4 * MB][round % 2];
        let row = [("closes", Fate::Breaks, None), ("resets", Fate::Breaks, None)][round / 2 % 2];
        check(&host, |path| session.post(format!("{}{path}", host.url)).data(vec![b'x'; size]).send(), row, size);
    }
}

/// A challenge stops the body, which goes whole with the answer.
#[cfg(feature = "digest-auth")]
#[test]
fn a_challenge_to_a_large_body() {
    let challenge = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\
                     WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256\r\n\r\n";
    let first = vec![Step::Head, Step::Send(challenge.into()), Step::UntilClosed];
    let server = Server::new(vec![first, answer(ok("taken"))]);
    let session = Session::builder().auth(hostpool::DigestAuth::new("u", "p")).timeout(PATIENCE).build().unwrap();
    let response = session.post(server.url("/")).data(vec![b'x'; 30 * MB]).send().unwrap();
    assert!(response.request_body_complete(), "RW-01");
    assert_eq!(response.text().unwrap(), "taken", "RW-01");
    let requests = server.seen.requests();
    assert!(requests[0].contains("Authorization: Digest") && requests[0].ends_with(&"x".repeat(30 * MB)), "RW-01");
}

/// Clients of each kind, and how each sends a PUT.
fn clients(url: &str) -> Vec<(&'static str, RequestBuilder)> {
    let pool = ConnectionPool::builder(url).timeout(PATIENCE).build().unwrap();
    let manager = PoolManager::builder().timeout(PATIENCE).build().unwrap();
    let session = Session::builder().timeout(PATIENCE).build().unwrap();
    vec![
        ("a pool", pool.put("/")),
        ("a manager", manager.put(format!("{url}/"))),
        ("a session", session.put(format!("{url}/"))),
    ]
}

/// RW-19: the server does not know the expectation; without it the request is asked for as a whole.
#[test]
fn an_expectation_that_fails() {
    let refusal = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno";
    let refuses = || vec![Step::Head, Step::Send(refusal.into()), Step::UntilClosed];
    let body = |kind| match kind {
        "bytes" => Body::from("the body"),
        _ => Body::reader(io::Cursor::new("the body")),
    };
    let by_header = |request: RequestBuilder| request.header("Expect", "100-continue");
    for kind in ["bytes", "a reader"] {
        for at in 0..3 {
            for in_header in [false, true] {
                let server = Server::new(vec![refuses(), answer(ok("taken"))]);
                let (client, request) = clients(&server.url("")).swap_remove(at);
                let id = format!("RW-19 {client}, {kind}, {in_header}");
                let request = if in_header { by_header(request) } else { request.expect100(true) };
                let timeout = Timeout::new().total(PATIENCE).expect(PATIENCE);
                let response = request.data(body(kind)).timeout(timeout).send().unwrap();
                assert!(response.request_body_complete() && response.history().is_empty(), "{id}");
                assert!(response.retries().is_none(), "{id}: no retry");
                assert_eq!(response.text().unwrap(), "taken", "{id}");
                assert_eq!(server.seen.accepted(), 2, "{id}");
                let requests = server.seen.requests();
                assert!(header(&requests[0], "Expect").is_none() && requests[0].contains("the body"), "{id}");
            }
        }
    }
}

/// RW-19: a second 417 is about something else, and so is one to a request that expects nothing.
#[test]
fn an_expectation_that_fails_again() {
    let refusal = b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno".to_vec();
    let again = Server::new(vec![vec![Step::Head, Step::Send(refusal.clone()), Step::UntilClosed], answer(&refusal)]);
    let unasked = Server::new(vec![answer(&refusal)]);
    // What a reader has given cannot be had again.
    let mut spent = vec![Step::Head, Step::Record(300_000), Step::Send(refusal)];
    spent.push(Step::UntilClosed);
    let spent = Server::new(vec![spent]);
    let session = Session::builder().timeout(PATIENCE).build().unwrap();
    let reader = || Body::sized(io::Cursor::new(vec![b'x'; 400_000]), 400_000);
    let now = Timeout::new().expect(Duration::ZERO).total(PATIENCE);
    for (id, server, request, heads) in [
        ("again", &again, session.put(again.url("/")).data("x").expect100(true), 2),
        ("unasked", &unasked, session.put(unasked.url("/")).data("x"), 1),
        ("spent", &spent, session.put(spent.url("/")).data(reader()).expect100(true).timeout(now), 1),
    ] {
        let response = request.send().unwrap();
        assert_eq!(response.status(), 417, "RW-19 {id}");
        assert_eq!(server.seen.accepted(), heads, "RW-19 {id}");
    }
}

/// RW-27: upgrades are not built yet; a 101 that was asked for is told apart from one that breaks HTTP.
#[test]
fn a_switch_of_protocols() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    for at in 0..3 {
        for asked in [true, false] {
            let server = Server::new(vec![answer(switching)]);
            let (client, request) = clients(&server.url("")).swap_remove(at);
            let request = if asked { request.header("Upgrade", "websocket") } else { request };
            let error = request.retries(Retry::off()).send().unwrap_err();
            assert_eq!(error.phase(), Phase::Head, "RW-27 {client}");
            match asked {
                true => assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "RW-27 {client}: {error}"),
                false => {
                    let unexpected = ErrorKind::Protocol(hostpool::Violation::UnexpectedUpgrade);
                    assert_eq!(error.kind(), &unexpected, "RW-27 {client}");
                }
            }
        }
    }
}

/// RW-24: what the client throws away is waited for as long as the limit says, and for no longer.
#[test]
fn a_body_that_is_thrown_away_and_stalls() {
    let late = |line: &str| {
        let head = format!("HTTP/1.1 {line}\r\nContent-Length: 4\r\n\r\nab").into_bytes();
        vec![Step::Request, Step::Send(head), Step::Pause(Duration::from_secs(4)), Step::Send(b"cd".to_vec())]
    };
    // The five seconds that this once took let the rest come.
    for (id, time) in [("by default", None), ("nothing", Some(Duration::ZERO))] {
        for (line, kind) in [
            ("404 Not Found", ErrorKind::Status(http_status(404))),
            ("302 Found\r\nLocation: /", ErrorKind::TooManyRedirects),
        ] {
            let server = Server::new(vec![late(line)]);
            let limits = time.map_or(Limits::new(), |time| Limits::new().drain_time(time));
            let session = Session::builder().limits(limits).raise_for_status(true).max_redirects(0).build().unwrap();
            let error = session.get(server.url("/")).send().unwrap_err();
            assert_eq!(error.kind(), &kind, "RW-24 {id}");
            assert_eq!(error.head().unwrap().body(), b"ab", "RW-24 {id} {line}");
        }
    }
}

fn http_status(code: u16) -> hostpool::StatusCode {
    hostpool::StatusCode::from_u16(code).unwrap()
}

/// RW-24: with time to wait the connections of responses that are not the last serve again.
#[test]
fn a_body_that_is_thrown_away_and_comes_late() {
    let late = |line: &str| {
        let head = format!("HTTP/1.1 {line}\r\nContent-Length: 4\r\n\r\nab").into_bytes();
        vec![Step::Request, Step::Send(head), Step::Pause(Duration::from_millis(300)), Step::Send(b"cd".to_vec())]
    };
    for (id, line) in [("a redirect", "302 Found\r\nLocation: /"), ("a retry", "503 Busy\r\nRetry-After: 0")] {
        for (time, connections) in [(Duration::ZERO, 2), (Duration::MAX, 1)] {
            let server = Server::new(vec![[late(line), answer(ok("next"))].concat(), answer(ok("next"))]);
            let limits = Limits::new().drain_time(time);
            let session = Session::builder().limits(limits).retries(Retry::new(2)).timeout(PATIENCE).build().unwrap();
            assert_eq!(session.get(server.url("/")).send().unwrap().text().unwrap(), "next", "RW-24 {id}");
            assert_eq!(server.seen.accepted(), connections, "RW-24 {id} {time:?}");
        }
    }
}

/// RW-16: a TLS stream that ends without close_notify.
#[cfg(feature = "rustls")]
#[test]
fn tls_that_ends_without_a_goodbye() {
    use crate::tls::{Authority, TlsServer};
    let authority = Authority::new();
    let server = TlsServer::new(authority.server(), |peer| {
        let request = peer.request()?;
        let text = String::from_utf8_lossy(&request).into_owned();
        peer.send(match text.split(' ').nth(1).unwrap() {
            "/close" => "HTTP/1.1 200 OK\r\n\r\nhello",
            "/length" => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            _ => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        })?;
        peer.tcp.shutdown(Shutdown::Write)?;
        peer.until_closed()
    });
    let (url, tls) = (server.url(), authority.trusted());
    let request = |client: usize, allow: bool, target: &str| match client {
        0 => {
            let pool = ConnectionPool::builder(&url).tls(tls.clone()).allow_unclean_close(allow).build().unwrap();
            pool.get(target)
        }
        1 => {
            let manager = PoolManager::builder().tls(tls.clone()).allow_unclean_close(allow).build().unwrap();
            manager.get(format!("{url}{target}"))
        }
        _ => {
            let session = Session::builder().tls(tls.clone()).allow_unclean_close(allow).build().unwrap();
            session.get(format!("{url}{target}"))
        }
    };
    let read = |request: RequestBuilder| request.timeout(PATIENCE).send().and_then(Response::text);
    for client in 0..3 {
        for (target, expected) in [("/close", None), ("/length", Some(9)), ("/chunks", None)] {
            let cut = ErrorKind::IncompleteBody { received: 5, expected };
            for (allow, own) in [(false, None), (true, Some(false)), (true, None), (false, Some(true))] {
                let id = format!("RW-16 {client} {target} {allow} {own:?}");
                let request = request(client, allow, target);
                let result = read(own.into_iter().fold(request, RequestBuilder::allow_unclean_close));
                match own.unwrap_or(allow) && target == "/close" {
                    true => assert_eq!(result.as_deref().ok(), Some("hello"), "{id}"),
                    false => assert_eq!(result.unwrap_err().kind(), &cut, "{id}"),
                }
            }
        }
    }
}

/// A TLS stream says itself where it ends, whatever becomes of the connection then. Without close_notify a reset is an
/// error, whatever is allowed.
#[cfg(feature = "rustls")]
#[test]
fn tls_that_ends_and_then_a_reset() {
    use crate::tls::{Authority, TlsServer, without_tickets};
    let authority = Authority::new();
    let server = TlsServer::new(without_tickets(authority.server()), |peer| {
        peer.tcp.set_nodelay(true)?;
        let head = read_head(peer)?;
        let target = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap().to_owned();
        peer.send(format!("HTTP/1.1 {} Answer\r\n\r\nearly", &target[1..4]))?;
        if target.ends_with("ended") {
            peer.goodbye()?;
        }
        socket2::SockRef::from(&peer.tcp).set_linger(Some(Duration::ZERO))
    });
    let session = Session::builder().tls(authority.trusted()).allow_unclean_close(true).timeout(PATIENCE);
    let session = session.build().unwrap();
    for (target, ended) in [("/200/ended", true), ("/413/ended", true), ("/200", false), ("/413", false)] {
        let request = session.post(format!("{}{target}", server.url())).data(vec![b'x'; 30 * MB]);
        let result = request.send().and_then(Response::text);
        match ended {
            true => assert_eq!(result.as_deref().ok(), Some("early"), "RW-16 {target}: {result:?}"),
            false => {
                let cut = ErrorKind::IncompleteBody { received: 5, expected: None };
                assert_eq!(result.unwrap_err().kind(), &cut, "RW-16 {target}");
            }
        }
    }
}

/// RW-16: what a plain connection says by a reset is no end, whatever is allowed.
#[test]
fn a_reset_is_no_unclean_close() {
    let response = b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec();
    let server = Server::new(vec![vec![Step::Bytes(10), Step::Send(response), Step::Tell("sent"), Step::Reset]]);
    let session = Session::builder().allow_unclean_close(true).timeout(PATIENCE).build().unwrap();
    let result = session.request(Method::GET, server.url("/")).send().and_then(Response::text);
    assert!(matches!(result.unwrap_err().kind(), ErrorKind::IncompleteBody { .. } | ErrorKind::Disconnected), "RW-16");
}

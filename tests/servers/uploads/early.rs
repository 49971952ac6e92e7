//! Bodies whose response comes before their end.

use std::io::{self, IoSlice, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hostpool::{
    Body, Bound, ConnectionPool, DialContext, Dialer, Error, ErrorKind, Limit, Limits, Phase, PoolManager, Probe,
    RequestBuilder, Response, Retry, Target, Timeout, Transport, Wait,
};

use super::server::{Host, Reports};
use super::{Fate, MB, TABLE, check, hosts};
use crate::support::{GIVE_UP, Server, Step, eventually, ok};

/// A redirect stops the body where it is followed with the same method. Where it is not followed the body goes on.
#[test]
fn redirects_by_client_and_method() {
    let host = Host::plain();
    let size = 30 * MB;
    let session = host.session().build().unwrap();
    let manager = PoolManager::builder().timeout(GIVE_UP).build().unwrap();
    let pool = ConnectionPool::builder(&host.url).timeout(GIVE_UP).build().unwrap();
    let url = |path: &str| format!("{}{path}", host.url);
    let body = |request: RequestBuilder| request.data(vec![b'x'; size]);
    check(&host, |path| body(session.put(url(path))).send(), ("302", Fate::Stops, Some("PUT")), size);
    check(&host, |path| body(session.post(url(path))).send(), ("308", Fate::Stops, Some("POST")), size);
    // A PoolManager and a ConnectionPool keep the method after a 302.
    check(&host, |path| body(manager.post(url(path))).send(), ("302", Fate::Stops, Some("POST")), size);
    check(&host, |path| body(pool.post(path)).allow_redirects(true).send(), ("302", Fate::Stops, Some("POST")), size);
    type Send<'a> = &'a dyn Fn(&str) -> Result<Response, Error>;
    let unfollowed: [(&str, Send<'_>); 4] = [
        ("a session", &|path| body(session.post(url(path))).allow_redirects(false).send()),
        ("a manager", &|path| body(manager.post(url(path))).allow_redirects(false).send()),
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
    let pool = ConnectionPool::builder(&host.url).timeout(GIVE_UP).build().unwrap();
    let manager = PoolManager::builder().timeout(GIVE_UP).build().unwrap();
    for row in TABLE.into_iter().filter(|(.., then)| then.is_none()) {
        check(&host, |path| pool.post(path).data(vec![b'x'; 3 * MB]).send(), row, 3 * MB);
        let send = |path: &str| manager.post(format!("{}{path}", host.url)).data(vec![b'x'; 3 * MB]).send();
        check(&host, send, row, 3 * MB);
        assert_eq!(pool.stats().in_use, 0);
    }
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
        let timeout = Timeout::new().total(GIVE_UP).expect(GIVE_UP);
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

/// A transport that takes one piece of a body and has no room for more, whose peer sends a 100 and its refusal at once.
#[derive(Debug, Default)]
struct OnePiece {
    sent: AtomicUsize,
    answered: AtomicBool,
}

impl Transport for OnePiece {
    fn recv(&self, buf: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
        let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n";
        if self.answered.swap(true, Ordering::SeqCst) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        buf[..answer.len()].copy_from_slice(answer);
        Ok(answer.len())
    }

    fn send(&self, bufs: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
        match self.sent.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Ok(bufs.iter().map(|buf| buf.len()).sum()),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn probe(&self) -> Probe {
        Probe::Quiet
    }

    fn abort(&self) {}
}

impl Dialer for OnePiece {
    fn dial(&self, _: &Target<'_>, _: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        Ok(Box::new(OnePiece::default()))
    }
}

/// Bytes that came with the 100 have left the transport: no wait for room would notice them.
#[test]
fn a_refusal_together_with_the_100() {
    let pool = ConnectionPool::builder("http://anywhere").dialer(OnePiece::default()).build().unwrap();
    let request = pool.post("/").data(vec![b'x'; MB]).expect100(true).timeout(GIVE_UP).retries(Retry::off());
    let response = request.send().unwrap();
    assert_eq!((response.status().as_u16(), response.request_body_complete()), (413, false), "RW-01");
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
            let timeout = Timeout::new().read(Duration::from_secs(1)).total(GIVE_UP);
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
        (Bound::Total, Timeout::new().total(Duration::from_secs(1))),
    ] {
        let server = Server::new(vec![stalls.clone()]);
        let pool = ConnectionPool::builder(server.url("")).timeout(timeout).retries(Retry::off()).build().unwrap();
        let error = pool.post("/").data(vec![b'x'; 30 * MB]).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Send), "RW-01");
        let head = error.head().expect("the response's head");
        assert_eq!((head.status().as_u16(), head.request_body_complete()), (200, false), "RW-01");
        assert!(error.maybe_processed(), "RW-01");
        assert_eq!(pool.stats().open, 0, "RW-01");
    }
}

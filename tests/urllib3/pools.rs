//! A pool of one host, as far as no network decides it, and what becomes of its places: POOL.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostpool::{
    Body, CloseReason, ConnectionPool, DialContext, Dialer, ErrorKind, Method, Probe, RequestBuilder, Result, Retry,
    Target, Timeout, Transport, Wait,
};

use crate::scripts::{Always, lines, outcome};
use crate::support::{Server, Step, answer, answers, eventually, ok};

#[test]
fn same_host() {
    let socket = "http+unix://%2Fvar%2Frun%2Fdocker.sock";
    // The pool, a URL, and whether it is of the same host.
    let table = [
        ("POOL-01 path", "http://google.com/", "/", true),
        ("POOL-01 itself", "http://google.com/", "http://google.com/", true),
        ("POOL-01 no path", "http://google.com/", "http://google.com", true),
        ("POOL-01 deep", "http://google.com/", "http://google.com/abra/cadabra", true),
        ("POOL-01 another", "http://google.com/", "http://www.google.com/", false),
        ("POOL-01 dot", "http://google.com/", "http://google.com./", false),
        ("POOL-03", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]", true),
        ("POOL-03 other way", "http://[fe80::1%eth0]/", "http://[fe80::1%25eth0]", true),
        ("POOL-03 none", "http://[fe80::1]/", "http://[fe80::1%25eth0]", false),
        ("POOL-04", "http://[::1]/", "http://[::1]", true),
        ("POOL-06", "http://[dead::beef]", "http://[dead::beef%en5]", false),
        ("POOL-07 http", "http://google.com/", "http://google.com:80/abracadabra", true),
        ("POOL-07 https", "https://google.com/", "https://google.com:443/abracadabra", true),
        ("POOL-07 other way", "http://google.com:80/", "http://google.com/abracadabra", true),
        ("POOL-07 no scheme", "http://google.com:80/", "google.com/abracadabra", true),
        ("POOL-07 other port", "http://google.com/", "http://google.com:8000/abra", false),
        ("POOL-07 other scheme", "http://google.com:80/", "https://google.com:80/", false),
        ("POOL-09 80", "http://google.com/", "http://google.com:0/", false),
        ("POOL-10", socket, "http+unix://%2Fvar%2Frun%2Fdocker.sock", true),
        ("POOL-10 path", socket, "http+unix://%2Fvar%2Frun%2Fdocker.sock/abracadabra", true),
        ("POOL-10 another", socket, "http+unix://%2Fvar%2Frun%2Fother.sock", false),
    ];
    for (row, pool, url, expected) in table {
        let pool = ConnectionPool::builder(pool).build().unwrap();
        assert_eq!(pool.is_same_host(url), expected, "{row}");
    }
}

#[test]
fn hosts_that_are_none() {
    let table = [
        ("POOL-09", "http://google.com:0/", "Port"),
        ("POOL-12 newline", "http://localhost\n/", "Authority"),
        ("POOL-12 space", "http://localhost /", "Authority"),
        ("POOL-12 inside", "http://local host/", "Authority"),
        ("POOL-12 v6", "http://[::1\n]/", "Authority"),
        ("POOL-13", "http://foo%.example/", "Host"),
        ("POOL-13 no digits", "http://foo%zz.example/", "Host"),
        ("POOL-16 none", "http://", "NoHost"),
        ("POOL-16 a port", "http://:80/", "NoHost"),
        ("POOL-16 nothing", "", "NoScheme"),
        ("PM-04", "http://@", "NoHost"),
        ("PM-21", "google.com", "NoScheme"),
        ("PM-22", "unknown://host", "UnsupportedScheme"),
    ];
    for (row, url, expected) in table {
        let refused = ConnectionPool::builder(url).build().expect_err(row);
        assert_eq!(format!("{:?}", refused.kind()), format!("InvalidUrl({expected})"), "{row}");
        let refused = hostpool::PoolManager::new().get(url).send().expect_err(row);
        assert_eq!(format!("{:?}", refused.kind()), format!("InvalidUrl({expected})"), "{row} by a manager");
    }
    // White space around a whole URL is taken off, as browsers do; none of it is ever part of a host.
    for url in ["http://localhost\n", " http://localhost "] {
        let trimmed = ConnectionPool::builder(url).build().unwrap();
        assert_eq!(trimmed.origin().to_string(), "http://localhost", "POOL-12");
    }
    for url in ["http://[2607:f8b0::e%25eth0]/", "http://[2607:f8b0::e%eth0]/"] {
        let zoned = ConnectionPool::builder(url).build().unwrap();
        assert_eq!((zoned.origin().host(), zoned.origin().zone()), ("[2607:f8b0::e]", Some("eth0")), "POOL-15");
    }
    let v6 = ConnectionPool::builder("http://[2607:F8B0::E]/").build().unwrap();
    assert_eq!(v6.origin().to_string(), "http://[2607:f8b0::e]", "POOL-15");
}

#[test]
fn targets() {
    let table = [
        ("POOL-39", "//v:h", "//v:h"),
        ("POOL-39 port", "//host:8080/path", "//host:8080/path"),
        ("POOL-39 host", "//host/path", "//host/path"),
        ("POOL-39 query", "//v:h?key=val", "//v:h?key=val"),
        ("POOL-39 /", "/", "/"),
        ("POOL-40 path", "HOST/path#fragment", "/path"),
        ("POOL-40 query", "HOST/path?x=1#fragment", "/path?x=1"),
        ("POOL-40 /", "/#fragment", "/"),
        ("POOL-40 ?", "/?x=1#", "/?x=1"),
        ("POOL-40 host alone", "HOST", "/"),
        ("POOL-40 query alone", "?x=1#", "/?x=1"),
    ];
    for (row, target, expected) in table {
        let server = Server::new(vec![answers(ok(""))]);
        let pool = ConnectionPool::builder(server.url("/")).build().unwrap();
        let target = target.replace("HOST", &server.url(""));
        assert_eq!(outcome(&pool.urlopen(Method::GET, &target).send()), "200", "{row}");
        assert_eq!(lines(&server), [format!("GET {expected}")], "{row}");
    }
}

#[test]
fn foreign_hosts() {
    let server = Server::new(vec![answers(ok(""))]);
    let pool = ConnectionPool::builder(server.url("/")).maxsize(1).block(true).build().unwrap();
    let table = [
        ("POOL-33", "http://example.test/x", true, "HostChanged", ""),
        ("POOL-33 scheme", "https://127.0.0.1/", true, "HostChanged", ""),
        ("POOL-33 not asserted", "http://example.test/x?y", false, "200", "GET http://example.test/x?y"),
        ("POOL-33 not asserted, own", "/x", false, "200", "GET /x"),
    ];
    for (row, url, assert, expected, line) in table {
        let before = lines(&server).len();
        let answered = pool.get(url).assert_same_host(assert).send();
        assert_eq!(outcome(&answered), expected, "{row}");
        assert_eq!(lines(&server).get(before).map_or("", String::as_str), line, "{row}");
        if let Err(error) = answered {
            assert!(!error.maybe_processed() && error.retries().is_empty(), "{row}: it is not tried at all");
        }
        assert_eq!(pool.stats().in_use, 0, "{row}");
    }
}

/// Answers once, and notes the deadlines it is given: of the dial, of sending, and of receiving head and body.
#[derive(Clone, Debug, Default)]
struct Noting(Arc<Mutex<Vec<(&'static str, bool)>>>, Arc<Mutex<usize>>);

impl Noting {
    fn note(&self, what: &'static str, bounded: bool) {
        let mut notes = self.0.lock().unwrap();
        if notes.last() != Some(&(what, bounded)) {
            notes.push((what, bounded));
        }
    }
}

impl Dialer for Noting {
    fn dial(&self, _: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>> {
        self.note("dial", context.deadline().is_some());
        Ok(Box::new(Noting(self.0.clone(), Arc::default())))
    }
}

impl Transport for Noting {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        let mut turn = self.1.lock().unwrap();
        *turn += 1;
        let (what, bytes) = match *turn {
            1 => ("head", &b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"[..]),
            _ => ("body", &b"done"[..]),
        };
        self.note(what, wait.deadline().is_some());
        buf[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        self.note("send", wait.deadline().is_some());
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn probe(&self) -> Probe {
        Probe::Quiet
    }

    fn abort(&self) {}
}

#[test]
fn timeouts_of_a_pool() {
    let hour = Duration::from_secs(3600);
    let none = [("dial", false), ("send", false), ("head", false), ("body", false)];
    let all = none.map(|(what, _)| (what, true));
    let table = [
        ("POOL-34", Timeout::default(), none),
        ("POOL-34 total", Timeout::new().total(hour), all),
        ("POOL-34 connect", Timeout::new().connect(hour), [("dial", true), none[1], none[2], none[3]]),
        ("POOL-34 head", Timeout::new().head(hour), [none[0], none[1], ("head", true), none[3]]),
        ("POOL-34 read", Timeout::new().read(hour), [none[0], none[1], ("head", true), ("body", true)]),
    ];
    for (row, timeout, expected) in table {
        let dialer = Noting::default();
        let builder = ConnectionPool::builder("http://example.test").dialer(dialer.clone());
        let builder = if row == "POOL-34" { builder } else { builder.timeout(timeout) };
        assert_eq!(builder.build().unwrap().get("/").send().unwrap().text().unwrap(), "done");
        assert_eq!(*dialer.0.lock().unwrap(), expected, "{row}");
    }
}

/// Sends over a pool of one place that is let go of in the end.
fn one_place(
    url: &str,
    set: impl Fn(RequestBuilder) -> RequestBuilder,
) -> (ConnectionPool, Result<hostpool::Response>) {
    let pool = ConnectionPool::builder(url).maxsize(1).block(true).pool_timeout(Duration::ZERO).build().unwrap();
    let answered = set(pool.get("/").preload_content(false)).send();
    (pool, answered)
}

#[test]
fn failures_leave_the_place_free() {
    let alert = vec![Step::Bytes(1), Step::Send(vec![21, 3, 3, 0, 2, 2, 40]), Step::UntilClosed];
    let garbage = || answer("no HTTP\r\n\r\n");
    let tls = if cfg!(feature = "rustls") { "Tls" } else { "Unsupported" };
    let table = [
        ("POOL-30", "https", alert, 0, tls),
        ("POOL-31", "http", garbage(), 1, "Protocol(StatusLine)"),
        ("POOL-31 none", "http", garbage(), 0, "Protocol(StatusLine)"),
        ("LIFE-03", "http", vec![Step::Request, Step::UntilClosed], 0, "Timeout(Head)"),
    ];
    for (row, scheme, script, retries, expected) in table {
        let server = Server::new(vec![script]);
        let url = format!("{scheme}://{}", server.addr);
        let soon = Timeout::new().head(Duration::from_millis(50));
        let (pool, answered) = one_place(&url, |request| request.retries(retries).timeout(soon));
        assert!(outcome(&answered).starts_with(expected), "{row}: {}", outcome(&answered));
        let tries = if tls == "Unsupported" && scheme == "https" { 0 } else { retries as usize + 1 };
        assert_eq!(server.seen.accepted(), tries, "{row}");
        assert_eq!((pool.stats().open, pool.stats().waiting), (0, 0), "{row}");
        let again = pool.get("/").retries(0).timeout(soon).send();
        assert_eq!(outcome(&again), outcome(&answered), "{row}: it is not the pool that refuses");
    }
}

#[cfg(feature = "rustls")]
#[test]
fn certificates() {
    use crate::tls::{Authority, TlsServer, dns};
    let (ours, other) = (Authority::new(), Authority::new());
    let elsewhere = ours.leaf(&[dns("elsewhere.test")]).server(rustls::ALL_VERSIONS);
    // Who signed the server's certificate, whom the client trusts, and how it ends.
    let table = [
        ("POOL-42", ours.server(), Some(&ours), "200"),
        ("POOL-42 by another", other.server(), Some(&ours), "Tls"),
        ("POOL-42 by default", ours.server(), None, "Tls"),
        ("POOL-30 certificate", other.server(), Some(&ours), "Tls"),
        ("CONN-16", elsewhere, Some(&ours), "Tls"),
    ];
    for (row, config, trusted, expected) in table {
        let (told, closed) = std::sync::mpsc::channel();
        let server = TlsServer::new(config, move |peer| {
            peer.request()?;
            peer.send(ok("done"))?;
            peer.until_closed()?;
            told.send(()).map_err(io::Error::other)
        });
        let builder = ConnectionPool::builder(server.url()).maxsize(1).block(true).pool_timeout(Duration::ZERO);
        let builder = trusted.into_iter().fold(builder, |builder, authority| builder.tls(authority.trusted()));
        let pool = builder.retries(0).build().unwrap();
        for _ in 0..2 {
            assert_eq!(outcome(&pool.get("/").send()), expected, "{row}");
            assert_eq!(pool.stats().in_use, 0, "{row}");
            pool.clear();
        }
        assert_eq!(pool.stats().open, 0, "{row}");
        drop(pool);
        if expected == "Tls" {
            // The handshakes that were refused have ended at the server, too.
            eventually(row, || server.seen.errors().len() == 2);
        } else {
            closed.recv_timeout(crate::support::GIVE_UP).unwrap();
        }
    }
}

#[test]
fn what_is_kept_behind_a_retry() {
    let slow = vec![Step::Request, Step::UntilClosed];
    let table = [
        ("POOL-37 timeout", slow),
        ("POOL-37 no HTTP", answer("no HTTP\r\n\r\n")),
        ("POOL-37 reset", vec![Step::Request, Step::Reset]),
        ("POOL-37 cut", vec![Step::Request]),
        ("POOL-37 half a head", answer("HTTP/1.1 200 OK\r\n")),
    ];
    for (row, first) in table {
        let server = Server::new(vec![first, answers(ok("done"))]);
        let soon = Timeout::new().head(Duration::from_millis(50));
        let (pool, answered) = one_place(&server.url(""), |request| request.retries(1).timeout(soon));
        let mut response = answered.unwrap_or_else(|error| panic!("{row}: {error}"));
        let stats = pool.stats();
        assert_eq!((stats.in_use, stats.idle, pool.num_connections()), (1, 0, 2), "{row}");
        assert!(response.connection().is_some(), "{row}");
        let none_left = pool.get("/").send().unwrap_err();
        assert!(matches!(none_left.kind(), ErrorKind::PoolTimeout { .. }), "{row}: {none_left}");
        response.release();
        assert!(response.connection().is_none(), "{row}");
        let stats = pool.stats();
        assert_eq!((stats.in_use, stats.idle, stats.open), (0, 1, 1), "{row}");
    }
}

#[test]
fn a_pool_is_of_its_host() {
    let server = Server::new(vec![answers(ok(""))]);
    let (dialer, asked) = Always::to(&server);
    let pool = ConnectionPool::builder("http://Example.TEST:81/").dialer(dialer).build().unwrap();
    for url in ["http://h/path", "http://h?x", "http://h//"] {
        let error = ConnectionPool::builder(url).build().unwrap_err();
        assert_eq!(error.kind(), &hostpool::ErrorKind::InvalidConfig, "{url}");
        assert_eq!(hostpool::connection_from_url(url).unwrap().origin().host(), "h", "{url}");
    }
    assert!(ConnectionPool::builder("http://h/#part").build().is_ok());
    assert_eq!((pool.scheme(), pool.origin().host(), pool.origin().port()), ("http", "example.test", Some(81)));
    pool.get("/").retries(Retry::off()).send().unwrap();
    assert_eq!(*asked.lock().unwrap(), ["http example.test Some(81)"]);
}

/// What callers do, each a letter with a response, and what comes of it.
fn play(pool: &ConnectionPool, moves: &str) -> String {
    let mut held = HashMap::new();
    let mut told = Vec::new();
    for step in moves.split(", ") {
        match step.split_once(' ') {
            Some(("take", who)) => match pool.get("/").send() {
                Ok(response) => {
                    told.push(if response.is_reused() { "idle" } else { "new" }.to_string());
                    held.insert(who, response);
                }
                Err(error) => told.extend(format!("{:?}", error.kind()).split(' ').next().map(str::to_string)),
            },
            Some(("give", who)) => assert_eq!(held.remove(who).unwrap().text().unwrap(), "done"),
            _ => pool.close(),
        }
    }
    let stats = pool.stats();
    let full = stats.closed(CloseReason::PoolFull);
    format!("{}; created {}, idle {}, full {full}", told.join(", "), stats.created, stats.idle)
}

#[test]
fn places() {
    let three = "take a, take b, give a, give b, take c, take d";
    let table = [
        ("POOL-18", true, "take a, take b", "new, PoolTimeout; created 1, idle 0, full 0"),
        ("POOL-18 given back", true, "take a, give a, take b", "new, idle; created 1, idle 0, full 0"),
        ("POOL-19", false, "take a, take b", "new, new; created 2, idle 0, full 0"),
        ("POOL-21", false, three, "new, new, idle, new; created 3, idle 0, full 1"),
        ("POOL-22", false, "take a, take b, give a, give b", "new, new; created 2, idle 1, full 1"),
        ("POOL-24", true, "take a, close, give a", "new; created 1, idle 0, full 0"),
        ("POOL-24 one idle", false, "take a, take b, give a, close, give b", "new, new; created 2, idle 0, full 0"),
        ("POOL-25", true, "take a, give a, close, take b", "new, Closed; created 1, idle 0, full 0"),
    ];
    for (row, block, moves, expected) in table {
        let server = Server::with(|_| answers(ok("done")));
        let soon = Duration::from_millis(10);
        let pool = ConnectionPool::builder(server.url("")).maxsize(1).block(block).pool_timeout(soon).build().unwrap();
        assert_eq!(play(&pool, moves), expected, "{row}");
        // What is not kept is closed.
        let open = pool.stats().open;
        eventually(row, || server.seen.open() == open);
    }
}

/// POOL-27: the end of its scope is the end of a pool; who still reads a response reads on.
#[test]
fn a_pool_that_goes_out_of_scope() {
    let server = Server::with(|_| answers(ok("done")));
    let response = {
        let pool = ConnectionPool::builder(server.url("")).build().unwrap();
        let [response, idle] = [(); 2].map(|()| pool.get("/").send().unwrap());
        assert_eq!(idle.text().unwrap(), "done");
        assert_eq!(pool.stats().idle, 1);
        response
    };
    eventually("the idle one is closed", || server.seen.open() == 1);
    assert_eq!(response.text().unwrap(), "done");
    eventually("the other is closed", || server.seen.open() == 0);
}

/// POOL-28: the error says which pool had none.
#[test]
fn the_text_of_an_empty_pool() {
    let server = Server::with(|_| answers(ok("done")));
    let pool = ConnectionPool::builder(server.url("")).limit(1).pool_timeout(Duration::ZERO).build().unwrap();
    let held = pool.get("/").send().unwrap();
    let error = pool.get("/").send().unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("no connection came free in ")
            && text.contains("(1 in use, 1 of them held by this thread, 0 more waiting)"),
        "{text}"
    );
    assert!(text.ends_with(&format!("(waiting for the pool, GET {}/)", pool.origin())), "{text}");
    drop(held);
}

/// POOL-36: what panics in the middle of a request has taken no place.
#[test]
fn places_outlive_panics() {
    struct Panics;

    impl io::Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }

    let server = Server::with(|_| answers(ok("done")));
    let pool = ConnectionPool::builder(server.url("")).maxsize(1).block(true).pool_timeout(Duration::ZERO);
    let pool = pool.build().unwrap();
    for row in ["POOL-36 nothing open", "POOL-36 one idle"] {
        let request = pool.post("/").data(Body::reader(Panics)).preload_content(false);
        assert!(catch_unwind(AssertUnwindSafe(|| request.send())).is_err(), "{row}");
        assert_eq!(pool.stats().in_use, 0, "{row}");
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "done", "{row}");
        assert_eq!(pool.stats().idle, 1, "{row}");
    }
}

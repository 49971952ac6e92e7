//! Bounds on time: each ends its wait, names itself, and gives the unit back.

use std::io::Read;
use std::time::{Duration, Instant};

use hostpool::{Bound, ConnectionPool, ErrorKind, Phase, Session, Timeout};

use crate::support::{GIVE_UP, Server, Step, answer, ok, without_hanging};

const SHORT: Duration = Duration::from_millis(500);

/// More than a busy machine needs, and less than anything that has forgotten its deadline.
const LATE: Duration = Duration::from_secs(2);

/// A peer that is faster than the caller never lets a wait end, and is late all the same.
#[test]
fn a_flood() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n".to_vec();
    let flood = vec![Step::Request, Step::Send(head), Step::Forever(vec![Step::Send(vec![b'x'; 1 << 16])])];
    let server = Server::new(vec![flood]);
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let started = Instant::now();
    let mut response = pool.get("/").timeout(SHORT).send().unwrap();
    let mut buf = [0; 16];
    let error = loop {
        if let Err(error) = response.read(&mut buf) {
            break error;
        }
        assert!(started.elapsed() < SHORT + LATE);
    };
    let kind = hostpool::Error::from_io(&error).unwrap().kind().clone();
    assert_eq!((kind, error.kind()), (ErrorKind::Timeout(Bound::Total), std::io::ErrorKind::TimedOut));
    assert!(response.read(&mut buf).is_err());
    assert_eq!(pool.stats().open, 0);
}

/// The same with the directions changed: a peer that takes whatever is sent.
#[test]
fn an_upload_without_end() {
    let server = Server::new(vec![vec![Step::Request, Step::Send(ok("warm")), Step::UntilClosed]]);
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    let request = pool.post("/").data(vec![0; 1 << 29]).timeout(Duration::from_millis(20));
    let started = Instant::now();
    let error = request.send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Total), Phase::Send));
    assert!(started.elapsed() < LATE);
}

/// A bound that has passed before anything is sent keeps it from being sent.
#[test]
fn nothing_leaves_after_the_deadline() {
    let server = Server::new(vec![[answer(ok("warm")), answer(ok("late")), vec![Step::UntilClosed]].concat()]);
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    let error = pool.post("/pay").data("x").timeout(Duration::ZERO).send().unwrap_err();
    assert!(error.is_timeout() && !error.maybe_processed(), "{error:?}");
    pool.get("/").send().unwrap();
    assert!(server.seen.requests().iter().all(|request| !request.contains("/pay")));
}

/// The transports of this module's tests that are none of the crate's own.
mod own {
    use std::io::{self, IoSlice};

    use hostpool::{DialContext, Dialer, Probe, Target, Transport, Wait};

    /// Never has room for a byte.
    #[derive(Debug)]
    pub struct Stuck;

    impl Dialer for Stuck {
        fn dial(&self, _: &Target<'_>, _: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
            Ok(Box::new(Stuck))
        }
    }

    impl Transport for Stuck {
        fn recv(&self, _: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
            Err(io::ErrorKind::TimedOut.into())
        }

        fn send(&self, _: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
            Ok(0)
        }

        fn probe(&self) -> Probe {
            Probe::Quiet
        }

        fn abort(&self) {}
    }
}

#[test]
fn a_transport_that_never_has_room() {
    let pool = ConnectionPool::builder("http://anywhere").dialer(own::Stuck).limit(1).build().unwrap();
    let request = pool.post("/").data("x").timeout(Duration::from_millis(50));
    let error = without_hanging(move || request.send()).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Total), Phase::Send));
    assert!(!error.maybe_processed());
    assert_eq!(pool.stats().open, 0);
}

/// The total bound covers the wait for the pool, and names itself there; the pool's own bound has its own kind.
#[test]
fn waiting_for_the_pool() {
    let server = Server::new(vec![vec![Step::Request, Step::Send(ok("")[..17].to_vec()), Step::Hold]]);
    let pool = ConnectionPool::builder(server.url("")).limit(1).build().unwrap();
    let holder = std::thread::spawn({
        let pool = pool.clone();
        move || pool.get("/").retries(hostpool::Retry::off()).timeout(GIVE_UP).send()
    });
    crate::support::eventually("the request", || server.seen.requests().len() == 1);
    let error = pool.get("/").timeout(SHORT).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Total), Phase::Pool));
    let error = pool.get("/").timeout(Timeout::new().pool(SHORT)).send().unwrap_err();
    let ErrorKind::PoolTimeout { waited, in_use, held_here, queued, .. } = error.kind().clone() else {
        panic!("{error}")
    };
    assert!(waited >= SHORT && error.is_timeout());
    assert_eq!((in_use, held_here, queued, error.phase()), (1, 0, 0, Phase::Pool));
    assert!(!error.maybe_processed());
    assert_eq!(pool.stats().timeouts, 2);
    server.gate.open();
    assert!(holder.join().unwrap().is_err());
}

/// A peer that never answers the handshake: each bound that covers it ends it and is named, whoever makes the TLS.
#[cfg(feature = "rustls")]
#[test]
fn a_handshake_without_an_answer() {
    use hostpool::{TcpDialer, TlsConfig, TlsDialer};

    let server = Server::new(vec![vec![Step::UntilClosed]]);
    let url = format!("https://{}/", server.addr);
    let short = Duration::from_millis(150);
    let table = [
        ("tls", Timeout::new().tls(short).connect(GIVE_UP), Bound::Tls),
        ("connect", Timeout::new().tls(GIVE_UP).connect(short), Bound::Connect),
        ("total", Timeout::from(short).tls(GIVE_UP), Bound::Total),
        ("a moment", Timeout::new().tls(Duration::from_nanos(1)), Bound::Tls),
    ];
    let dialer = TlsDialer::new(TcpDialer::new(), TlsConfig::default());
    for builder in [ConnectionPool::builder(&url).retries(0), ConnectionPool::builder(&url).retries(0).dialer(dialer)] {
        let pool = builder.build().unwrap();
        for (id, timeout, bound) in table {
            let request = pool.get("/").timeout(timeout);
            let error = without_hanging(move || request.send()).unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Tls), "{id}: {error}");
            assert!(error.is_connect() && !error.maybe_processed(), "{id}");
        }
        assert_eq!((pool.stats().open, pool.stats().dial_failures), (0, table.len() as u64));
    }
}

/// Row A19.1: no duration is too long or too short for arithmetic.
#[test]
fn any_duration() {
    let server = Server::with(|_| vec![Step::Request, Step::Send(ok("fine"))]);
    let all = |limit| {
        Timeout::new().total(limit).pool(limit).connect(limit).resolve(limit).write(limit).head(limit).read(limit)
    };
    for limit in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(1 << 40)] {
        let session = Session::builder().timeout(all(limit)).build().unwrap();
        assert_eq!(session.get(server.url("/")).send().unwrap().text().unwrap(), "fine");
    }
    for limit in [Duration::ZERO, Duration::from_nanos(1)] {
        let session = Session::builder().timeout(all(limit)).build().unwrap();
        let error = session.get(server.url("/")).send().unwrap_err();
        assert!(error.is_timeout(), "{error}");
        let pool = ConnectionPool::builder(server.url(""))
            .retries(0)
            .idle_timeout(limit)
            .max_age(limit)
            .pool_timeout(limit)
            .probe_after(Duration::MAX)
            .build()
            .unwrap();
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
    }
}

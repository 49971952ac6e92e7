//! Timeouts (TO).

use std::io::{self, IoSlice, Read};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hostpool::{
    Bound, ConnectionPool, DialContext, Dialer, ErrorKind, Phase, PoolManager, Probe, Target, Timeout, Transport, Wait,
};

use crate::support::{GIVE_UP, Server, Step, answers, ok, without_hanging};

const SHORT: Duration = Duration::from_millis(150);

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Takes down the deadlines of connecting and reading; its peer answers every request at once.
#[derive(Clone, Debug, Default)]
struct Recorder {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// How long connecting takes.
    slow: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    what: What,
    /// When it began.
    now: Instant,
    deadline: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Connect,
    Read,
}

impl Recorder {
    fn note(&self, what: What, deadline: Option<Instant>) {
        self.seen.lock().unwrap().push(Seen { what, now: Instant::now(), deadline });
    }

    fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

impl Dialer for Recorder {
    fn dial(&self, _: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        self.note(What::Connect, context.deadline());
        thread::sleep(self.slow);
        Ok(Box::new(Line { recorder: self.clone(), answer: Mutex::default() }))
    }
}

#[derive(Debug)]
struct Line {
    recorder: Recorder,
    answer: Mutex<io::Cursor<Vec<u8>>>,
}

impl Transport for Line {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        self.recorder.note(What::Read, wait.deadline());
        self.answer.lock().unwrap().read(buf)
    }

    fn send(&self, bufs: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
        *self.answer.lock().unwrap() = io::Cursor::new(ok(""));
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn probe(&self) -> Probe {
        Probe::Quiet
    }

    fn abort(&self) {}
}

/// A deadline is the clock plus the bound, and the clock was read between `after` and `before`.
fn is_in(deadline: Option<Instant>, limit: Option<Duration>, after: Instant, before: Instant) -> bool {
    match (deadline, limit) {
        (Some(at), Some(limit)) => after + limit <= at && at <= before + limit,
        (None, None) => true,
        _ => false,
    }
}

/// What bounds connecting and reading where the pool has one timeout and the request another, or none. The second
/// request of each row runs over the connection of the first, the third over one of another pool: bounds begin anew.
#[test]
fn what_the_bounds_come_to() {
    let new = Timeout::new;
    let table: [(&str, Timeout, [Option<u64>; 2]); 11] = [
        ("TO-03 total", Timeout::from(seconds(3)), [Some(3), Some(3)]),
        ("TO-03 total and connect", Timeout::from(seconds(3)).connect(seconds(2)), [Some(2), Some(3)]),
        ("TO-03 total and read", Timeout::from(seconds(3)).read(seconds(2)), [Some(3), Some(2)]),
        ("TO-04 clock not started", Timeout::from(seconds(10)).read(seconds(7)), [Some(10), Some(7)]),
        ("TO-06 unset read", new().connect(seconds(5)), [Some(5), None]),
        ("TO-16 both", new().connect(seconds(1)).read(seconds(1)), [Some(1), Some(1)]),
        ("TO-16 none", new(), [None, None]),
        ("TO-16 read", new().read(seconds(4)), [None, Some(4)]),
        ("TO-16 read and connect", new().read(seconds(4)).connect(seconds(5)), [Some(5), Some(4)]),
        ("TO-16 connect", new().connect(seconds(6)), [Some(6), None]),
        ("TO-16 no bound at all", new().read(Duration::MAX).connect(Duration::MAX), [None, None]),
    ];
    for (id, timeout, [connect, read]) in table {
        let another = Timeout::from(seconds(900)).connect(seconds(800)).read(seconds(700));
        for (of_pool, of_request) in [(timeout, None), (another, Some(timeout))] {
            let recorder = Recorder::default();
            let build = || {
                let builder = ConnectionPool::builder("http://anywhere").dialer(recorder.clone());
                builder.timeout(of_pool).build().unwrap()
            };
            let pools = [build(), build()];
            for (pool, dials) in [(&pools[0], true), (&pools[0], false), (&pools[1], true)] {
                let request = pool.get("/");
                let request = match of_request {
                    Some(timeout) => request.timeout(timeout),
                    None => request,
                };
                let after = Instant::now();
                request.send().unwrap().bytes().unwrap();
                let before = Instant::now();
                let seen = recorder.take();
                let expected: &[What] = if dials { &[What::Connect, What::Read] } else { &[What::Read] };
                assert_eq!(seen.iter().map(|seen| seen.what).collect::<Vec<_>>(), expected, "{id}");
                for Seen { what, deadline, .. } in seen {
                    let limit = if what == What::Connect { connect } else { read }.map(seconds);
                    assert!(is_in(deadline, limit, after, before), "{id}: {what:?} {deadline:?}");
                }
            }
        }
    }
}

/// TO-04, TO-09: time spent connecting is taken from the total, by the clock; it is not taken from `read`.
#[test]
fn time_spent_connecting() {
    let slow = Duration::from_millis(40);
    let table = [
        ("TO-04 5 s spent", seconds(7), seconds(7), seconds(7), false),
        ("TO-04 2 s spent", seconds(10), seconds(7), seconds(7), true),
        ("TO-09", seconds(10), seconds(20), seconds(10), false),
    ];
    for (id, total, read, limit, from_read) in table {
        let recorder = Recorder { slow, ..Recorder::default() };
        let pool = ConnectionPool::builder("http://anywhere").dialer(recorder.clone()).build().unwrap();
        let begun = Instant::now();
        pool.get("/").timeout(Timeout::from(total).read(read)).send().unwrap();
        let [connect, reading] = recorder.take()[..] else { panic!("{id}") };
        assert!(reading.now - connect.now >= slow);
        let (after, before) = match from_read {
            true => (connect.now + slow, reading.now),
            false => (begun, connect.now),
        };
        assert!(is_in(reading.deadline, Some(limit), after, before), "{id}: {reading:?}");
    }
}

/// TO-01: a bound of zero fails before anything is tried. There are no negative durations.
#[test]
fn bounds_of_zero() {
    // A server that answers at once: the bound fails the request, and not the server's silence.
    let server = Server::with(|_| answers(ok("there")));
    let pools = PoolManager::new();
    let zero = Duration::ZERO;
    let table = [
        ("TO-01 total", Timeout::from(zero), Bound::Total),
        ("TO-01 connect, total", Timeout::from(zero).connect(seconds(2)), Bound::Total),
        ("TO-01 connect", Timeout::new().connect(zero), Bound::Connect),
        ("TO-01 read", Timeout::new().read(zero), Bound::Read),
    ];
    for (id, timeout, bound) in table {
        let request = pools.get(server.url("/")).timeout(timeout);
        let error = without_hanging(move || request.send()).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Prepare), "{id}");
    }
    assert!(server.seen.requests().is_empty(), "TO-01: nothing was sent");
}

#[test]
fn what_is_shown() {
    let table = [
        ("TO-07", Timeout::from(seconds(3)).connect(seconds(1)).read(seconds(2)), "connect=1s, read=2s, total=3s"),
        ("TO-07 unset", Timeout::new().connect(seconds(1)), "connect=1s"),
        ("TO-07 nothing", Timeout::new(), ""),
    ];
    for (id, timeout, expected) in table {
        assert_eq!(timeout.to_string(), format!("Timeout({expected})"), "{id}");
    }
}

/// TO-10: the server answers after the request's timeout. The pool stays usable.
#[test]
fn a_server_that_is_late() {
    let late = vec![Step::Request, Step::Tell("asked"), Step::Hold, Step::Send(ok("late"))];
    let table = [
        ("TO-10 request", None, Some(Timeout::new().read(SHORT)), Bound::Read),
        ("TO-10 pool", Some(Timeout::new().read(SHORT)), None, Bound::Read),
        ("TO-10 shorter", Some(Timeout::new().read(GIVE_UP)), Some(Timeout::new().read(SHORT)), Bound::Read),
        ("TO-10 total", None, Some(Timeout::from(SHORT)), Bound::Total),
    ];
    for (id, of_pool, of_request, bound) in table {
        let server = Server::new(vec![late.clone(), answers(ok("fine"))]);
        let builder = ConnectionPool::builder(server.url("")).limit(1).retries(0);
        let pool = builder.timeout(of_pool.unwrap_or_default()).build().unwrap();
        let request = pool.get("/");
        let request = match of_request {
            Some(timeout) => request.timeout(timeout),
            None => request,
        };
        let error = without_hanging(move || request.send()).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Head), "{id}");
        assert!(error.is_timeout() && error.maybe_processed(), "{id}");
        server.wait_for("asked");
        for _ in 0..2 {
            let response = pool.get("/").timeout(GIVE_UP).send().unwrap();
            assert_eq!(response.text().unwrap(), "fine", "{id}");
        }
        assert_eq!((pool.stats().open, pool.stats().idle), (1, 1), "{id}");
    }
}

/// TO-12, TO-13: a peer that takes no connection. The request's bound counts in place of the pool's.
#[cfg(target_os = "linux")]
#[test]
fn a_peer_that_never_accepts() {
    use crate::support::Swallowing;

    let swallowing = Swallowing::new();
    let (short, long) = (Timeout::new().connect(SHORT), Timeout::new().connect(GIVE_UP * 5));
    let table = [
        ("TO-12", Some(short), None, Bound::Connect),
        ("TO-12 by the request", None, Some(short), Bound::Connect),
        ("TO-12 total", None, Some(Timeout::from(SHORT)), Bound::Total),
        ("TO-13", Some(long), Some(short), Bound::Connect),
        ("TO-13 total", Some(long), Some(Timeout::from(SHORT)), Bound::Total),
    ];
    for (id, of_pool, of_request, bound) in table {
        let builder = ConnectionPool::builder(format!("http://{}", swallowing.addr));
        let pool = builder.timeout(of_pool.unwrap_or_default()).build().unwrap();
        let request = pool.get("/");
        let request = match of_request {
            Some(timeout) => request.timeout(timeout),
            None => request,
        };
        let error = without_hanging(move || request.send()).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Connect), "{id}");
        assert!(error.is_connect() && !error.maybe_processed(), "{id}");
        assert_eq!(pool.stats().open, 0, "{id}");
    }
}

/// TO-15: one value in any number of requests, one after the other and at once: none finds it started.
#[test]
fn one_value_for_many() {
    let server = Server::with(|_| answers(ok("fine")));
    let timeout = Timeout::from(GIVE_UP).connect(GIVE_UP).read(GIVE_UP);
    let pools: Vec<_> =
        (0..2).map(|_| ConnectionPool::builder(server.url("")).timeout(timeout).build().unwrap()).collect();
    thread::scope(|scope| {
        for pool in &pools {
            for _ in 0..2 {
                scope.spawn(move || {
                    for _ in 0..3 {
                        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
                        assert_eq!(pool.get("/").timeout(timeout).send().unwrap().text().unwrap(), "fine");
                    }
                });
            }
        }
    });
    assert_eq!(server.seen.requests().len(), 24);
}

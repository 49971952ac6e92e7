//! Calls that wait for connections of their own thread, and responses that go to another one.

use std::io::Read;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hostpool::{ConnectionPool, ErrorKind, Phase, PoolManager, Response, Session, Timeout};

use crate::support::{GIVE_UP, Server, Step, answers, eventually, ok, without_hanging};

/// A body that does not arrive together with its head.
const BODY: usize = 300_000;

fn long() -> Server {
    Server::with(|_| answers(ok(&"x".repeat(BODY))))
}

/// One thread sends, others read, and there are fewer connections than readers. Nobody is refused, and each response
/// has its own body.
#[test]
fn a_producer_and_four_readers() {
    const RESPONSES: usize = 1000;
    let server = Server::with(|_| answers(ok("fine")));
    let pool = ConnectionPool::builder(server.url("")).limit(2).build().unwrap();
    let (give, take) = mpsc::channel::<Response>();
    let take = Arc::new(Mutex::new(take));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let take = Arc::clone(&take);
            thread::spawn(move || {
                let mut read = 0;
                loop {
                    let next = take.lock().unwrap().recv();
                    let Ok(response) = next else { return read };
                    assert_eq!(response.text().unwrap(), "fine");
                    read += 1;
                }
            })
        })
        .collect();
    let sent = pool.clone();
    without_hanging(move || (0..RESPONSES).for_each(|_| give.send(sent.get("/").send().unwrap()).unwrap()));
    let read: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    assert_eq!((read, server.seen.peak()), (RESPONSES, 2));
    assert_eq!((pool.stats().waiting, pool.stats().timeouts), (0, 0));
}

/// From its first read on, the thread that reads holds the connection, whichever way it reads.
#[test]
fn who_reads_is_the_holder() {
    type Begin = fn(&mut Response) -> usize;
    let ways: [(&str, Begin); 3] = [
        ("read", |response| response.read(&mut [0; 10]).unwrap()),
        ("chunks", |response| response.chunks(10).next().unwrap().unwrap().len()),
        ("lines", |response| response.lines().next().unwrap().unwrap().len()),
    ];
    let server = Server::with(|_| answers(ok(&"123456789\n".repeat(BODY / 10))));
    let pool = ConnectionPool::builder(server.url("")).limit(1).refuse_self_deadlock(true).build().unwrap();
    for (way, begin) in ways {
        let mut response = pool.get("/").send().unwrap();
        let id = response.connection().unwrap().id;
        // The caller's own thread has it, also if it was only moved.
        let error = pool.get("/").send().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldDeadlock { held, .. } if *held == id), "{way}: {error}");
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            let pool = &pool;
            scope.spawn(move || {
                assert!(begin(&mut response) > 0, "{way}");
                tell.send(()).unwrap();
                eventually("a wait", || pool.stats().waiting == 1);
                response.bytes().unwrap();
            });
            told.recv_timeout(GIVE_UP).unwrap();
            assert_eq!(pool.get("/").send().unwrap().bytes().unwrap().len(), BODY, "{way}");
        });
        // And back: a response that another thread has begun is this one's from its next read here.
        let mut response = pool.get("/").send().unwrap();
        let mut response = thread::spawn(move || {
            begin(&mut response);
            response
        })
        .join()
        .unwrap();
        let brief = || pool.get("/").timeout(Timeout::new().pool(Duration::ZERO)).send().unwrap_err();
        assert!(matches!(brief().kind(), ErrorKind::PoolTimeout { held_here: 0, .. }), "{way}");
        begin(&mut response);
        assert!(matches!(brief().kind(), ErrorKind::PoolTimeout { held_here: 1, .. }), "{way}");
        assert!(matches!(pool.get("/").send().unwrap_err().kind(), ErrorKind::WouldDeadlock { .. }), "{way}");
        response.bytes().unwrap();
    }
}

/// A thread that waits for the rest of a body, to discard it, holds the connection too.
#[test]
fn who_discards_the_rest_is_the_holder() {
    let body = ok(&"x".repeat(1000));
    let (start, rest) = body.split_at(body.len() - 500);
    let script = vec![Step::Request, Step::Send(start.to_vec()), Step::Hold, Step::Send(rest.to_vec())];
    let server = Server::new(vec![[script, answers(ok("fine"))].concat()]);
    let pool = ConnectionPool::builder(server.url("")).limit(1).refuse_self_deadlock(true).build().unwrap();
    let mut response = pool.get("/").send().unwrap();
    let held_here = || match pool.get("/").timeout(Timeout::new().pool(Duration::ZERO)).send().unwrap_err().kind() {
        ErrorKind::PoolTimeout { in_use: 1, held_here, .. } => *held_here,
        other => panic!("{other:?}"),
    };
    assert_eq!(held_here(), 1);
    thread::scope(|scope| {
        scope.spawn(move || response.release());
        eventually("a read", || held_here() == 0);
        scope.spawn(|| {
            eventually("a wait", || pool.stats().waiting == 1);
            server.gate.open();
        });
        let next = pool.get("/").send().unwrap();
        assert!(next.is_reused());
        assert_eq!(next.text().unwrap(), "fine");
    });
}

/// A wait with a bound says how many connections its own thread holds.
#[test]
fn a_bounded_wait_says_what_its_thread_holds() {
    let (server, other) = (long(), long());
    let brief = Timeout::new().pool(Duration::ZERO);
    let pools = PoolManager::builder().limit(2).total_limit(3).build().unwrap();
    let mut held = Vec::new();
    let refused = |url: String, in_use: usize, held_here: usize, text: &str| {
        let error = pools.get(url).timeout(brief).send().unwrap_err();
        let ErrorKind::PoolTimeout { in_use: used, held_here: own, queued: 0, .. } = *error.kind() else {
            panic!("{error}")
        };
        assert_eq!((used, own, error.phase()), (in_use, held_here, Phase::Pool), "{error}");
        assert!(error.is_timeout() && error.to_string().contains(text), "{error}");
    };
    let elsewhere = |server: &Server| {
        let mut response = pools.get(server.url("/")).send().unwrap();
        thread::scope(|scope| scope.spawn(move || response.read(&mut [0; 1]).map(|_| response)).join().unwrap())
            .unwrap()
    };
    held.push(pools.get(server.url("/")).send().unwrap());
    held.push(elsewhere(&server));
    refused(server.url("/"), 2, 1, "(2 in use, 1 of them held by this thread, 0 more waiting)");
    // The total limit: another host waits for any connection.
    held.push(elsewhere(&other));
    refused(other.url("/"), 3, 1, "(3 in use, 1 of them held by this thread, 0 more waiting)");
    held.remove(0);
    held.push(elsewhere(&server));
    refused(other.url("/"), 3, 0, "(3 in use, 0 more waiting)");
    drop(held);
    assert_eq!(pools.get(other.url("/")).send().unwrap().bytes().unwrap().len(), BODY);
}

/// Without any setting a call does not wait for ever for its own thread: a slip that is made quickly, and that would
/// otherwise be seen as a program that hangs.
#[test]
fn by_default_nobody_waits_for_itself_for_ever() {
    let (server, other) = (Arc::new(long()), long());
    let url = server.url("/");
    let limited = || PoolManager::builder().limit(1);
    let pool = ConnectionPool::builder(server.url("")).maxsize(1).block(true).build().unwrap();
    let pools = limited().build().unwrap();
    let total = PoolManager::builder().total_limit(1).build().unwrap();
    let session = Session::builder().connector(limited().build().unwrap()).build().unwrap();
    type Get = Box<dyn Fn(&str) -> hostpool::Result<Response> + Send>;
    let rows: [(&'static str, String, Get); 4] = [
        ("pool", url.clone(), Box::new(move |url| pool.get(url).send())),
        ("manager", url.clone(), Box::new(move |url| pools.get(url).send())),
        ("total limit", other.url("/"), Box::new(move |url| total.get(url).send())),
        ("session", url.clone(), Box::new(move |url| session.get(url).send())),
    ];
    let threads = rows.map(|(row, next, get)| {
        let url = url.clone();
        thread::spawn(move || {
            without_hanging(move || {
                let unread = get(&url).unwrap();
                let id = unread.connection().unwrap().id;
                let error = get(&next).unwrap_err();
                let is_it = matches!(error.kind(), ErrorKind::WouldDeadlock { held, .. } if *held == id);
                assert!(is_it && error.phase() == Phase::Pool, "{row}: {error}");
                assert!(!error.maybe_processed() && !error.is_timeout(), "{row}");
                // Nothing is lost by it.
                assert_eq!(unread.bytes().unwrap().len(), BODY, "{row}");
                assert_eq!(get(&next).unwrap().bytes().unwrap().len(), BODY, "{row}");
            });
        })
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

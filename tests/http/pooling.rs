//! Limits, waiting, idle connections, and closing, as the servers see them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hostpool::{CloseReason, ConnectionPool, ErrorKind, Phase, PoolManager, Session};

use crate::support::{GIVE_UP, Server, Step, answers, eventually, ok, refusing, without_hanging};

/// A server that answers any number of requests.
fn steady() -> Server {
    Server::with(|_| answers(ok("fine")))
}

fn open_at(server: &Server) -> usize {
    server.seen.open.load(Ordering::SeqCst)
}

#[test]
fn connections_are_used_again_last_in_first_out() {
    let server = steady();
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    for _ in 0..5 {
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
    }
    assert_eq!((server.seen.accepted(), pool.stats().reused), (1, 4));
    let three: Vec<_> = (0..3).map(|_| pool.get("/").header("X", "1").send().unwrap()).collect();
    three.into_iter().for_each(|response| drop(response.text().unwrap()));
    pool.get("/last").send().unwrap().text().unwrap();
    let requests = server.seen.requests.lock().unwrap();
    let (last, previous) = (requests.len() - 1, requests.len() - 2);
    assert_eq!(requests[last].0, requests[previous].0, "the one that came back last");
}

#[test]
fn a_limit_is_a_limit() {
    let server = steady();
    let pool = ConnectionPool::builder(server.url("")).maxsize(3).block(true).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
                }
            });
        }
    });
    assert_eq!((server.seen.peak(), server.seen.accepted()), (3, 3));
    let stats = pool.stats();
    assert_eq!((stats.created, stats.open, stats.idle, stats.waiting), (3, 3, 3, 0));
    assert!(stats.handed_over > 0);
    let text = format!("{pool:?}");
    assert!(text.contains("open 3 (at most 3 an endpoint), idle 3, in use 0, waiting 0"), "{text}");
}

/// Without `block` any number may be open; those that come back to a full pool are closed.
#[test]
fn maxsize_without_block() {
    let server = Server::with(|_| vec![Step::Request, Step::Hold, Step::Send(ok("fine")), Step::UntilClosed]);
    let pool = ConnectionPool::builder(server.url("")).maxsize(2).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| pool.get("/").send().unwrap().text().unwrap());
        }
        eventually("five at once", || open_at(&server) == 5);
        (0..5).for_each(|_| server.gate.open());
    });
    assert_eq!((pool.stats().idle, pool.stats().closed(CloseReason::PoolFull)), (2, 3));
    eventually("the closes", || open_at(&server) == 2);
}

/// Waiters are served in the order in which they came.
#[test]
fn first_come_first_served() {
    let server = steady();
    let pool = ConnectionPool::builder(server.url("")).limit(1).build().unwrap();
    let held = pool.get("/").send().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    // The unread body is short: the connection is out until the response is read or dropped.
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let (queue, order) = (pool.clone(), order.clone());
            let thread = thread::spawn(move || {
                let response = queue.get("/").send().unwrap();
                order.lock().unwrap().push(n);
                response.text().unwrap()
            });
            eventually("its place in the queue", || pool.stats().waiting == n + 1);
            thread
        })
        .collect();
    assert_eq!(held.text().unwrap(), "fine");
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), "fine"));
    assert_eq!(*order.lock().unwrap(), (0..8).collect::<Vec<_>>());
    assert_eq!(server.seen.accepted(), 1);
}

#[test]
fn a_pool_timeout_of_zero() {
    let server = steady();
    let pool = ConnectionPool::builder(server.url("")).limit(1).pool_timeout(Duration::ZERO).build().unwrap();
    let held = pool.get("/").send().unwrap();
    let error = pool.get("/").send().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::PoolTimeout { in_use: 1, queued: 0, .. }), "{error}");
    held.text().unwrap();
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
}

/// Pitfall 1: the unit of a dial that failed goes to the next.
#[test]
fn failing_dials_lose_nothing() {
    let (_held, address) = refusing();
    let pool =
        ConnectionPool::builder(format!("http://{address}")).retries(0).limit(2).pool_timeout(GIVE_UP).build().unwrap();
    let refused = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..125 {
                    let error = pool.get("/").send().unwrap_err();
                    assert_eq!(error.kind(), &ErrorKind::Connect);
                    refused.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!((refused.into_inner(), pool.stats().open, pool.stats().dial_failures), (1000, 0, 1000));
}

/// One limit over all hosts: the connection that was idle for longest makes room, and nobody waits while one is idle.
#[test]
fn the_total_over_many_hosts() {
    let servers: Vec<_> = (0..6).map(|_| steady()).collect();
    let manager = PoolManager::builder().total_limit(4).pool_timeout(GIVE_UP).build().unwrap();
    for round in 0..3 {
        for server in &servers {
            assert_eq!(manager.get(server.url("/")).send().unwrap().text().unwrap(), "fine", "round {round}");
            assert!(manager.stats().open <= 4);
        }
    }
    assert_eq!(manager.stats().closed(CloseReason::EvictedForLimit), 6 * 3 - 4);
    thread::scope(|scope| {
        for thread in 0..24 {
            let (manager, servers) = (&manager, &servers);
            scope.spawn(move || {
                for n in 0..20 {
                    let server = &servers[(thread + n) % servers.len()];
                    assert_eq!(manager.get(server.url("/")).send().unwrap().text().unwrap(), "fine");
                }
            });
        }
    });
    let stats = manager.stats();
    assert!(stats.open <= 4 && stats.in_use == 0 && stats.waiting == 0, "{stats:?}");
    eventually("the closes", || servers.iter().map(open_at).sum::<usize>() == stats.idle);
}

#[test]
fn idle_connections_expire() {
    let moment = Duration::from_millis(30);
    let keep_alive = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0, max=9\r\nContent-Length: 4\r\n\r\nfine";
    let builder = |server: &Server| ConnectionPool::builder(server.url(""));
    let (idle, age, word) = (steady(), steady(), Server::with(move |_| answers(keep_alive)));
    let table = [
        ("idle_timeout", builder(&idle).idle_timeout(moment), &idle, CloseReason::IdleTimeout),
        ("max_age", builder(&age).max_age(moment).idle_timeout(None), &age, CloseReason::MaxAge),
        ("the server's word", builder(&word).idle_timeout(None), &word, CloseReason::IdleTimeout),
    ];
    for (id, builder, server, reason) in table {
        let pool = builder.build().unwrap();
        pool.get("/").send().unwrap().text().unwrap();
        // The pool's clock has no events to wait for.
        thread::sleep(moment);
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine", "{id}");
        assert_eq!(server.seen.accepted(), 2, "{id}");
        assert!(pool.stats().closed(reason) > 0, "{id}");
    }
}

#[test]
fn clear_closes_what_is_idle_and_later_what_is_out() {
    let server = steady();
    let manager = PoolManager::new();
    let (idle, out) = (manager.get(server.url("/")).send().unwrap(), manager.get(server.url("/")).send().unwrap());
    idle.text().unwrap();
    assert_eq!(manager.stats().idle, 1);
    manager.clear();
    assert_eq!((manager.stats().idle, manager.stats().in_use), (0, 1));
    assert_eq!(out.text().unwrap(), "fine");
    assert_eq!((manager.stats().open, manager.stats().closed(CloseReason::Retired)), (0, 2));
    assert_eq!(manager.get(server.url("/")).send().unwrap().text().unwrap(), "fine");
}

/// Row A7.17: what is under way finishes, whoever waits is woken, and later calls fail.
#[test]
fn closing_a_pool() {
    let server = steady();
    let pool = ConnectionPool::builder(server.url("")).limit(2).build().unwrap();
    let (one, other) = (pool.get("/").send().unwrap(), pool.get("/").send().unwrap());
    let waiting = thread::spawn({
        let pool = pool.clone();
        move || pool.get("/").send().map(drop)
    });
    eventually("the wait", || pool.stats().waiting == 1);
    pool.close();
    assert_eq!(waiting.join().unwrap().unwrap_err().kind(), &ErrorKind::Closed);
    assert_eq!((one.text().unwrap(), other.text().unwrap()), ("fine".into(), "fine".into()));
    let error = pool.get("/").send().unwrap_err();
    assert!(pool.is_closed() && error.is_closed() && error.phase() == Phase::Pool, "{error}");
    assert_eq!((pool.stats().open, pool.stats().closed(CloseReason::PoolClosed)), (0, 2));
    eventually("the closes", || open_at(&server) == 0);
}

/// Closing a session ends every call, wherever it is.
#[test]
fn closing_a_session() {
    let silent = Server::new(vec![vec![Step::Request, Step::Tell("asked"), Step::UntilClosed]]);
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec();
    let stalled = Server::new(vec![vec![Step::Request, Step::Send(half), Step::Tell("half"), Step::UntilClosed]]);
    let pools = PoolManager::builder().limit(1).build().unwrap();
    let session = Session::builder().connector(pools.clone()).build().unwrap();
    let call = |url: String| {
        let session = session.clone();
        move || session.get(url).send().and_then(|response| response.bytes()).map(drop)
    };
    let threads = [("head", thread::spawn(call(silent.url("/")))), ("body", thread::spawn(call(stalled.url("/"))))];
    silent.wait_for("asked");
    stalled.wait_for("half");
    let queued = thread::spawn(call(silent.url("/")));
    eventually("the wait", || pools.stats().waiting == 1);
    session.close();
    for (id, thread) in threads.into_iter().chain([("queue", queued)]) {
        let error = without_hanging(move || thread.join().unwrap()).unwrap_err();
        assert!(error.is_closed(), "{id}: {error:?}");
    }
    assert!(session.is_closed());
    assert!(session.get(silent.url("/")).send().unwrap_err().is_closed());
    assert_eq!(pools.stats().open, 0);
}

#[test]
fn options_that_contradict_each_other() {
    let builder = || ConnectionPool::builder("http://h");
    let table = [
        ("limit and maxsize", builder().limit(2).maxsize(2).build()),
        ("limit 0", builder().limit(0).build()),
        ("block without a limit", builder().block(true).limit(None).build()),
        ("block with maxsize 0", builder().block(true).maxsize(0).build()),
        ("no URL", ConnectionPool::builder("h").build()),
    ];
    for (id, result) in table {
        let error = result.expect_err(id);
        assert_eq!(error.phase(), Phase::Prepare, "{id}");
    }
    assert!(PoolManager::builder().total_limit(0).build().is_err());
    assert!(Session::builder().connector(PoolManager::new()).tls(hostpool::TlsConfig::default()).build().is_err());
}

/// Who may go where.
#[test]
fn auto_traits() {
    fn shared<T: Clone + Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Session>();
    shared::<PoolManager>();
    shared::<ConnectionPool>();
    shared::<hostpool::TlsConfig>();
    sent::<hostpool::Request>();
    sent::<hostpool::RequestBuilder>();
    sent::<hostpool::Body>();
    sent::<hostpool::Response>();
    sent::<hostpool::Error>();
}

/// C76: a pool goes for another while it is in use. What is under way ends well and is closed then; who waits is served.
#[test]
fn a_pool_that_goes_while_it_is_in_use() {
    let [one, other] = [(); 2].map(|()| steady());
    let manager = PoolManager::builder().num_pools(1).limit(1).pool_timeout(GIVE_UP).build().unwrap();
    let get = |server: &Server| manager.get(server.url("/")).send().unwrap().text().unwrap();
    let held = manager.get(one.url("/")).send().unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| get(&one));
        eventually("a wait", || manager.stats().waiting == 1);
        assert_eq!(get(&other), "fine");
        assert_eq!((manager.num_pools(), open_at(&one)), (1, 1));
        assert_eq!(held.text().unwrap(), "fine");
        assert_eq!(waiter.join().unwrap(), "fine");
    });
    // What the waiter opened made its pool the last one known, and the other went, with its idle connection.
    assert_eq!(manager.stats().closed(CloseReason::Retired), 2);
    eventually("the close", || open_at(&other) == 0);
    assert_eq!(get(&one), "fine");
    assert_eq!((one.seen.accepted(), manager.stats().open), (2, 1));
}

//! The pools of a manager, as they come and go under those who use them.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use hostpool::{ConnectionPool, Method, PoolContext, PoolManager, PoolManagerBuilder, Retry, TcpDialer, TlsConfig};

use crate::headers;
use crate::support::{GIVE_UP, Server, Step, answers, eventually, header, ok, without_hanging};

/// Connects as usual, and does that when it is dropped.
struct Dropping<F: Fn()>(F);

impl<F: Fn() + Send + Sync> hostpool::Dialer for Dropping<F> {
    fn dial(
        &self,
        target: &hostpool::Target<'_>,
        context: &hostpool::DialContext<'_>,
    ) -> hostpool::Result<Box<dyn hostpool::Transport>> {
        TcpDialer::new().dial(target, context)
    }
}

impl<F: Fn()> Drop for Dropping<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl<F: Fn()> fmt::Debug for Dropping<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dropping")
    }
}

/// A manager, and a dialer that uses it as it is dropped, as any destructor may: to log how the pools stand.
fn logging(builder: PoolManagerBuilder) -> (&'static PoolManager, impl hostpool::Dialer, mpsc::Receiver<()>) {
    // It lives on: who is asked must be there, and owns the dialer meanwhile.
    let http: &PoolManager = Box::leak(Box::new(builder.build().unwrap()));
    let (tell, told) = mpsc::channel();
    let dialer = Dropping(move || {
        let _ = (http.stats(), http.num_pools());
        let _ = tell.send(());
    });
    (http, dialer, told)
}

/// Where the table of pools is the last owner of a dialer: its drop may use the client.
#[test]
fn a_dialer_is_dropped_outside_of_locks() {
    let (http, dialer, told) = logging(PoolManager::builder().num_pools(1));
    let context = PoolContext::new("http://127.0.0.1:1").unwrap();
    let pool = http.connection_from_context(context.dialer(dialer)).unwrap();
    drop(pool);
    // Another takes its place.
    thread::spawn(|| drop(http.connection_from_url("http://127.0.0.2:1")));
    told.recv_timeout(GIVE_UP).expect("the dialer's drop hangs");
}

/// The same in `clear`.
#[test]
fn a_dialer_is_dropped_outside_of_locks_by_clear() {
    let (http, dialer, told) = logging(PoolManager::builder());
    let context = PoolContext::new("http://127.0.0.1:1").unwrap();
    drop(http.connection_from_context(context.dialer(dialer)).unwrap());
    thread::spawn(|| http.clear());
    told.recv_timeout(GIVE_UP).expect("the dialer's drop hangs");
}

/// The same when the last view of a retired pool goes.
#[test]
fn a_dialer_is_dropped_outside_of_locks_by_a_view() {
    let (http, dialer, told) = logging(PoolManager::builder().num_pools(1));
    let context = PoolContext::new("http://127.0.0.1:1").unwrap();
    let pool = http.connection_from_context(context.dialer(dialer)).unwrap();
    drop(http.connection_from_url("http://127.0.0.2:1"));
    thread::spawn(|| drop(pool));
    told.recv_timeout(GIVE_UP).expect("the dialer's drop hangs");
}

/// The same with the last response.
#[test]
fn a_dialer_is_dropped_outside_of_locks_by_a_response() {
    let server = Server::new(vec![vec![
        Step::Request,
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec()),
        Step::UntilClosed,
    ]]);
    let (http, dialer, told) = logging(PoolManager::builder().num_pools(1));
    let context = PoolContext::new(server.url("")).unwrap();
    let pool = http.connection_from_context(context.dialer(dialer)).unwrap();
    let response = pool.get("/").send().unwrap();
    drop(http.connection_from_url("http://127.0.0.2:1"));
    drop(pool);
    thread::spawn(|| drop(response));
    told.recv_timeout(GIVE_UP).expect("the dialer's drop hangs");
}

/// What a redirect or a retry asks for is not sent by a closed pool of a manager.
#[test]
fn a_closed_view_sends_nothing_more() {
    let again = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
    let server = Server::new(vec![
        vec![Step::Request, Step::Tell("asked"), Step::Hold, Step::Send(again.into())],
        answers(ok("sent")),
    ]);
    let http = PoolManager::new();
    let pool = http.connection_from_url(server.url("")).unwrap();
    let call = thread::spawn({
        let pool = pool.clone();
        move || pool.get("/a").send().map(|response| response.status())
    });
    server.wait_for("asked");
    pool.close();
    server.gate.open();
    let result = call.join().unwrap();
    assert_eq!(server.seen.requests().len(), 1, "{result:?}");
    assert!(result.unwrap_err().is_closed());
}

/// Nor by one that stands alone.
#[test]
fn a_closed_pool_sends_nothing_more() {
    let again = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
    let server = Server::new(vec![
        vec![Step::Request, Step::Tell("asked"), Step::Hold, Step::Send(again.into())],
        answers(ok("sent")),
    ]);
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let call = thread::spawn({
        let pool = pool.clone();
        move || pool.get("/a").send().map(|response| response.status())
    });
    server.wait_for("asked");
    pool.close();
    server.gate.open();
    assert!(call.join().unwrap().unwrap_err().is_closed());
    assert_eq!(server.seen.requests().len(), 1);
}

/// Also for those who had it before it was retired and came back.
#[test]
fn a_pool_is_closed_for_all_who_have_it() {
    let server = Server::new(vec![answers(ok("a"))]);
    let http = PoolManager::builder().num_pools(1).build().unwrap();
    let first = http.connection_from_url(server.url("")).unwrap();
    drop(http.connection_from_url("http://127.0.0.2:1"));
    first.get("/").send().unwrap().bytes().unwrap();
    let second = http.connection_from_url(server.url("")).unwrap();
    assert!(first == second);
    second.close();
    assert!(second.is_closed());
    assert!(first.get("/").send().is_err(), "it is the same pool, and closed");
}

fn status(pool: ConnectionPool) -> hostpool::Result<hostpool::StatusCode> {
    pool.get("/").send().map(|response| response.status())
}

/// However the manager let go of it meanwhile, a pool that somebody has is one, and closing it fails all who wait by it.
#[test]
fn a_pool_that_somebody_has_is_one() {
    type Forget = fn(&PoolManager);
    let ways: [(&str, Option<usize>, Forget); 3] = [
        ("retired", Some(1), |http| drop(http.connection_from_url("http://127.0.0.2:1").unwrap())),
        ("cleared", Some(9), PoolManager::clear),
        ("one of very many", None, |http| {
            (0..4096).for_each(|port| drop(http.connection_from_host("127.0.0.2", port + 1, "http").unwrap()));
        }),
    ];
    for (row, num_pools, forget) in ways {
        for (waits_by_it, asks_again) in [(true, false), (true, true), (false, true)] {
            let server =
                Server::new(vec![vec![Step::Request, Step::Send(ok("long")[..40].to_vec()), Step::UntilClosed]]);
            let http = PoolManager::builder().num_pools(num_pools).maxsize(1).block(true).build().unwrap();
            let pool = http.connection_from_url(server.url("")).unwrap();
            let _held = pool.get("/").send().unwrap();
            thread::scope(|scope| {
                let first = waits_by_it.then(|| scope.spawn(|| status(pool.clone())));
                eventually("waiting", || http.stats().waiting == usize::from(waits_by_it));
                forget(&http);
                let again = asks_again.then(|| http.connection_from_url(server.url("")).unwrap());
                assert!(again.as_ref().is_none_or(|again| *again == pool), "{row}");
                let second = again.clone().map(|again| scope.spawn(|| status(again)));
                eventually("waiting", || http.stats().waiting == usize::from(waits_by_it) + usize::from(asks_again));
                pool.close();
                for waiter in first.into_iter().chain(second) {
                    assert!(waiter.join().unwrap().unwrap_err().is_closed(), "{row}");
                }
                assert!(again.is_none_or(|again| again.is_closed()), "{row}");
            });
            assert!(!http.connection_from_url(server.url("")).unwrap().is_closed(), "{row}: the manager has another");
        }
    }
}

/// What is idle is closed with it.
#[test]
fn a_pool_that_was_one_of_very_many_closes_what_is_idle() {
    let server = Server::new(vec![answers(ok("fine"))]);
    let http = PoolManager::builder().num_pools(None).build().unwrap();
    let pool = http.connection_from_url(server.url("")).unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    (0..4096).for_each(|port| drop(http.connection_from_host("127.0.0.2", port + 1, "http").unwrap()));
    pool.close();
    assert_eq!((pool.stats().idle, http.stats().idle), (0, 0));
}

/// It ends the pause between two tries.
#[test]
fn closing_a_retired_pool_ends_its_pauses() {
    let server = Server::new(vec![answers("HTTP/1.1 503 B\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n")]);
    let http = PoolManager::builder().num_pools(1).build().unwrap();
    let pool = http.connection_from_url(server.url("")).unwrap();
    let call = thread::spawn({
        let pool = pool.clone();
        move || pool.get("/").retries(1).send().map(|response| response.status())
    });
    eventually("the answer", || http.stats().idle == 1);
    drop(http.connection_from_url("http://127.0.0.2:1").unwrap());
    pool.close();
    assert!(call.join().unwrap().unwrap_err().is_closed());
}

/// Who is given a pool while another thread closes the one before waits for an open one.
#[test]
fn closing_a_pool_fails_nobody_who_has_its_successor() {
    let server = Server::with(|_| answers(ok("fine")));
    let http = PoolManager::builder().maxsize(1).block(true).build().unwrap();
    let (calls, closed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while closed.load(Ordering::SeqCst) < 200 {
                    let pool = http.connection_from_url(server.url("")).unwrap();
                    match pool.get("/").send().and_then(hostpool::Response::text) {
                        Ok(_) => _ = calls.fetch_add(1, Ordering::SeqCst),
                        Err(error) => assert!(error.is_closed() && pool.is_closed(), "{error}"),
                    }
                }
            });
        }
        scope.spawn(|| {
            for number in 0..200 {
                eventually("some calls", || calls.load(Ordering::SeqCst) >= number);
                http.connection_from_url(server.url("")).unwrap().close();
                closed.fetch_add(1, Ordering::SeqCst);
            }
        });
    });
}

/// What is closed is another than what took its place, and does nothing to it.
#[test]
fn a_closed_pool_and_its_successor() {
    let server = Server::new(vec![answers(ok("fine"))]);
    let http = PoolManager::new();
    let first = http.connection_from_url(server.url("")).unwrap();
    first.close();
    let second = http.connection_from_url(server.url("")).unwrap();
    assert!(first.is_closed() && !second.is_closed() && first != second && first == first.clone());
    second.get("/").send().unwrap().text().unwrap();
    first.clear();
    assert_eq!(second.stats().idle, 1);
}

/// Where the table of pools is the last owner of dialers that panic: nobody hears of it, and all is let go.
#[test]
fn dialers_that_panic_as_they_are_dropped() {
    for num_pools in [Some(9), None] {
        let server = Server::with(|_| answers(ok("fine")));
        let http = PoolManager::builder().num_pools(num_pools).build().unwrap();
        let dialer = || Dropping(|| resume_unwind(Box::new("on purpose")));
        let context = || PoolContext::new("http://127.0.0.2:1").unwrap().dialer(dialer());
        (0..2).for_each(|_| drop(http.connection_from_context(context()).unwrap()));
        http.get(server.url("/")).send().unwrap().text().unwrap();
        http.clear();
        assert_eq!((http.stats().idle, http.num_pools()), (0, 0));
        (0..2).for_each(|_| drop(http.connection_from_context(context()).unwrap()));
        (0..4096).for_each(|port| drop(http.connection_from_host("127.0.0.2", port + 1, "http").unwrap()));
    }
}

/// A call that was on its way as its pool was closed does not bring it back.
#[test]
fn a_closed_pool_is_not_given_out_again() {
    let server = Server::new(vec![answers(ok("fine"))]);
    let closing: Arc<Mutex<Option<ConnectionPool>>> = Arc::default();
    let slot = closing.clone();
    let http = PoolManager::builder().on_request(move |_| {
        if let Some(pool) = slot.lock().unwrap().take() {
            pool.close();
        }
        Ok(())
    });
    let http = http.build().unwrap();
    let pool = http.connection_from_url(server.url("")).unwrap();
    *closing.lock().unwrap() = Some(pool.clone());
    assert!(pool.get("/").send().unwrap_err().is_closed());
    let another = http.connection_from_url(server.url("")).unwrap();
    assert!(!another.is_closed(), "it was never open");
    assert_eq!(another.get("/").send().unwrap().text().unwrap(), "fine");
}

/// A pool that was retired while a call waited for it comes back with the connection that the call opens.
#[test]
fn a_retired_pool_keeps_nothing() {
    let server = Server::new(vec![vec![Step::Forever(vec![
        Step::Request,
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".to_vec()),
        Step::Hold,
        Step::Send(b"ok".to_vec()),
    ])]]);
    let other = Server::new(vec![answers(ok("other"))]);
    let http = PoolManager::builder().num_pools(1).maxsize(1).block(true).idle_timeout(None).build().unwrap();
    let held = http.get(server.url("/")).send().unwrap();
    let waiter = thread::spawn({
        let (http, url) = (http.clone(), server.url("/"));
        move || http.get(url).send().unwrap().bytes().unwrap()
    });
    eventually("waiting", || http.stats().waiting == 1);
    http.get(other.url("/")).send().unwrap().bytes().unwrap();
    server.gate.open();
    server.gate.open();
    drop(held);
    waiter.join().unwrap();
    let kept = (http.num_pools(), http.pool_stats().iter().map(|(_, stats)| stats.idle).sum::<usize>());
    assert_eq!((kept, http.stats().idle), ((1, 1), 1), "an idle connection that no pool of the manager has");
}

/// A context shows no secret.
#[test]
fn a_context_shows_no_secret() {
    let retry = Retry::new(3).remove_headers_on_redirect(["X-Key"]);
    let context = PoolContext::new("http://h").unwrap().headers(headers(&[("X-Key", "canary")])).retries(retry.clone());
    assert!(!format!("{context:?}").contains("canary"), "{context:?}");
}

/// A builder shows none either.
#[test]
fn a_builder_shows_no_secret() {
    let retry = Retry::new(3).remove_headers_on_redirect(["X-Key"]);
    let builder = PoolManager::builder().headers(headers(&[("X-Key", "canary")])).retries(retry);
    assert!(!format!("{builder:?}").contains("canary"), "{builder:?}");
}

/// A middleware that sends a request of its own to another host, through a pool of one.
#[test]
fn a_pool_of_one_host_sends_nothing_for_another() {
    let server = Server::new(vec![answers(ok("a"))]);
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let elsewhere = |_: hostpool::Request, next: hostpool::Next<'_>| {
        next.run(hostpool::Request::new(Method::GET, hostpool::Url::parse("http://other.example/").unwrap()))
    };
    let result = pool.get("/").middleware(elsewhere).send();
    assert!(result.is_err(), "{:?}", server.seen.requests());
}

/// What middleware adds is none of the caller's headers, which would replace the pool's.
#[test]
fn a_middleware_that_adds_a_header_keeps_the_pools() {
    let server = Server::new(vec![answers(ok("a"))]);
    let http = PoolManager::builder().headers(headers(&[("Authorization", "token")])).build().unwrap();
    let tag = |mut request: hostpool::Request, next: hostpool::Next<'_>| {
        request.headers_mut().append("X-Tag", "1")?;
        next.run(request)
    };
    http.get(server.url("/")).middleware(tag).send().unwrap();
    let requests = server.seen.requests();
    assert_eq!(header(&requests[0], "authorization"), Some("token"), "{requests:?}");
}

/// Socket options and a TLS configuration reach no dialer of the caller's.
#[test]
fn what_no_dialer_sees_is_refused_in_a_context_too() {
    let context = || PoolContext::new("https://127.0.0.1:1").unwrap();
    let http = PoolManager::builder().dialer(TcpDialer::new()).build().unwrap();
    assert!(http.connection_from_context(context().source_address(std::net::Ipv4Addr::LOCALHOST)).is_err());
    assert!(http.connection_from_context(context().tls(TlsConfig::default())).is_err());
    let own = context().tls(TlsConfig::default()).dialer(TcpDialer::new());
    assert!(PoolManager::new().connection_from_context(own).is_err());
    // The configuration of the manager is for its other pools.
    let http = PoolManager::builder().tls(TlsConfig::default()).build().unwrap();
    assert!(http.connection_from_context(context().dialer(TcpDialer::new())).is_ok());
}

/// As `request` takes it.
#[test]
fn what_is_requested_here_is_of_the_same_host() {
    let pool = ConnectionPool::builder("http://127.0.0.1:1").build().unwrap();
    for target in ["", "?q", "/p", "//other.example/p"] {
        let here = pool.get(target).build().unwrap().url().origin() == pool.origin();
        assert_eq!(pool.is_same_host(target), here, "{target}");
    }
}

mod memory {
    use super::*;
    use hostpool::{DialContext, Dialer, Probe, Target, Transport, Wait};
    use std::io::{self, IoSlice};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Debug, Default)]
    pub struct Counts {
        pub open: Mutex<std::collections::HashMap<String, usize>>,
        pub peak: Mutex<std::collections::HashMap<String, usize>>,
        pub total: AtomicUsize,
        pub peak_total: AtomicUsize,
        pub number: AtomicUsize,
    }

    #[derive(Debug, Clone)]
    pub struct Counting(pub Arc<Counts>);

    #[derive(Debug)]
    struct Line(Arc<Counts>, String, Mutex<(Vec<u8>, Vec<u8>, usize, bool)>);

    impl Dialer for Counting {
        fn dial(&self, target: &Target<'_>, _: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
            let name = format!("{target:?}");
            let mut open = self.0.open.lock().unwrap();
            let now = open.entry(name.clone()).or_default();
            *now += 1;
            let mut peak = self.0.peak.lock().unwrap();
            let most = peak.entry(name.clone()).or_default();
            *most = (*most).max(*now);
            drop((open, peak));
            let total = self.0.total.fetch_add(1, Ordering::SeqCst) + 1;
            self.0.peak_total.fetch_max(total, Ordering::SeqCst);
            let number = self.0.number.fetch_add(1, Ordering::SeqCst);
            if number % 17 == 3 {
                // A failed dial holds nothing.
                *self.0.open.lock().unwrap().get_mut(&name).unwrap() -= 1;
                self.0.total.fetch_sub(1, Ordering::SeqCst);
                return Err(hostpool::Error::custom("no"));
            }
            if number.is_multiple_of(5) {
                thread::sleep(Duration::from_micros(300));
            }
            Ok(Box::new(Line(self.0.clone(), name, Mutex::new((Vec::new(), Vec::new(), number, false)))))
        }
    }

    impl Drop for Line {
        fn drop(&mut self) {
            thread::sleep(Duration::from_micros(50));
            *self.0.open.lock().unwrap().get_mut(&self.1).unwrap() -= 1;
            self.0.total.fetch_sub(1, Ordering::SeqCst);
        }
    }

    impl Transport for Line {
        fn recv(&self, buf: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
            let mut line = self.2.lock().unwrap();
            if line.3 {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let len = line.1.len().min(buf.len());
            buf[..len].copy_from_slice(&line.1[..len]);
            line.1.drain(..len);
            Ok(len)
        }

        fn send(&self, bufs: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
            let mut line = self.2.lock().unwrap();
            let mut sent = 0;
            for buf in bufs {
                line.0.extend_from_slice(buf);
                sent += buf.len();
            }
            if line.0.ends_with(b"\r\n\r\n") {
                line.0.clear();
                line.2 += 7;
                let answer: &[u8] = match line.2 % 11 {
                    0 => b"",
                    1 => b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
                    2 => b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\nno",
                    3 => b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nno",
                    4 => b"HTTP/1.1 302 Found\r\nLocation: http://h1/x\r\nContent-Length: 2\r\n\r\nno",
                    _ => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                };
                line.1.extend_from_slice(answer);
            }
            Ok(sent)
        }

        fn probe(&self) -> Probe {
            let line = self.2.lock().unwrap();
            if line.3 || line.2 % 13 == 4 { Probe::Dead } else { Probe::Quiet }
        }

        fn abort(&self) {
            self.2.lock().unwrap().3 = true;
        }
    }
}

/// Limits, under threads that retire, close, clear and overtake.
#[test]
fn limits_hold_while_pools_come_and_go() {
    for (num_pools, total) in [(1, Some(3)), (2, Some(5)), (3, None), (2, Some(1))] {
        let counts = Arc::new(memory::Counts::default());
        let http = PoolManager::builder()
            .num_pools(num_pools)
            .total_limit(total)
            .maxsize(2)
            .block(true)
            .probe_after(Duration::ZERO)
            .dialer(memory::Counting(counts.clone()))
            .build()
            .unwrap();
        without_hanging({
            let http = http.clone();
            move || {
                thread::scope(|scope| {
                    for seed in 0..12_u64 {
                        let http = &http;
                        scope.spawn(move || {
                            let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
                            let mut views: Vec<ConnectionPool> = Vec::new();
                            for _ in 0..400 {
                                dice ^= dice << 13;
                                dice ^= dice >> 7;
                                dice ^= dice << 17;
                                let host = format!("http://h{}", dice % 4);
                                let pool_timeout = Duration::from_millis(dice >> 8 & 3);
                                match (dice >> 16) % 16 {
                                    0 => http.clear(),
                                    1 => views.clear(),
                                    2..5 => views.push(http.connection_from_url(&host).unwrap()),
                                    5 => {
                                        if let Some(view) = views.pop() {
                                            view.close();
                                        }
                                    }
                                    6 => drop(http.pool_stats()),
                                    7 => {
                                        if let Some(view) = views.last() {
                                            let _ = view.stats();
                                            view.clear();
                                        }
                                    }
                                    8..11 => {
                                        if let Some(view) = views.last() {
                                            let _ = view.get("/").pool_timeout(pool_timeout).send();
                                        }
                                    }
                                    _ => {
                                        let response = http.get(&host).pool_timeout(pool_timeout).send();
                                        if dice >> 20 & 1 == 0
                                            && let Ok(response) = response
                                        {
                                            let _ = response.bytes();
                                        }
                                    }
                                }
                            }
                        });
                    }
                });
            }
        });
        let stats = http.stats();
        assert_eq!((stats.in_use, stats.dialing, stats.waiting), (0, 0, 0), "{stats:?}");
        assert_eq!(stats.open, counts.total.load(std::sync::atomic::Ordering::SeqCst));
        for (host, peak) in &*counts.peak.lock().unwrap() {
            assert!(*peak <= 2, "{host}: {peak}");
        }
        let peak = counts.peak_total.load(std::sync::atomic::Ordering::SeqCst);
        assert!(total.is_none_or(|total| peak <= total), "{peak} of {total:?}");
        println!("{:?} {peak}", http.stats());
        http.clear();
        assert_eq!(counts.total.load(std::sync::atomic::Ordering::SeqCst), 0);
        for (_, stats) in http.pool_stats() {
            assert_eq!(stats.open, 0);
        }
    }
}

/// A URL of `https` does not go to a pool that speaks `http` with its host.
#[test]
fn an_https_url_is_not_sent_in_clear() {
    let server = Server::new(vec![answers(ok("a"))]);
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let result = pool.get("https://user:secret@bank.example/account").assert_same_host(false).send();
    assert!(server.seen.requests().is_empty(), "{result:?} {:?}", server.seen.requests());
}

/// Also of those who had the pool before the manager let go of it.
#[test]
fn a_close_ends_the_back_off_of_all_who_have_the_pool() {
    let server = Server::new(vec![answers("HTTP/1.1 503 B\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n")]);
    let http = PoolManager::new();
    let first = http.connection_from_url(server.url("")).unwrap();
    http.clear();
    let call = thread::spawn({
        let first = first.clone();
        move || first.get("/").retries(1).send().map(|response| response.status())
    });
    eventually("the answer", || server.seen.requests().len() == 1);
    let second = http.connection_from_url(server.url("")).unwrap();
    assert!(first == second);
    let began = Instant::now();
    second.close();
    let result = call.join().unwrap();
    assert!(began.elapsed() < GIVE_UP && result.is_err(), "{result:?}");
}

/// Closing twice is closing once: what the manager has opened since is another's.
#[test]
fn closing_a_view_twice_does_not_fail_its_successor() {
    let server = Server::new(vec![vec![Step::Forever(vec![
        Step::Request,
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".to_vec()),
        Step::Hold,
        Step::Send(b"ok".to_vec()),
    ])]]);
    let http = PoolManager::builder().maxsize(1).block(true).build().unwrap();
    let view = http.connection_from_url(server.url("")).unwrap();
    view.close();
    let held = http.get(server.url("/")).send().unwrap();
    let waiter = thread::spawn({
        let (http, url) = (http.clone(), server.url("/"));
        move || http.get(url).send().map(|response| response.status())
    });
    eventually("waiting", || http.stats().waiting == 1);
    view.close();
    server.gate.open();
    server.gate.open();
    drop(held);
    let result = waiter.join().unwrap();
    assert!(result.is_ok(), "{result:?}, though the manager is open");
}

/// A pool that is closed while one of its connections is replaced keeps the new one.
#[test]
fn a_closed_view_keeps_no_connection() {
    let again = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
    let server = Server::new(vec![
        vec![Step::Request, Step::Tell("asked"), Step::Hold, Step::Send(again.into())],
        answers(ok("sent")),
    ]);
    let http = PoolManager::builder().num_pools(1).build().unwrap();
    let pool = http.connection_from_url(server.url("")).unwrap();
    let call = thread::spawn({
        let pool = pool.clone();
        move || pool.get("/a").preload_content(true).send().map(|response| response.status())
    });
    server.wait_for("asked");
    pool.close();
    server.gate.open();
    let _ = call.join().unwrap();
    assert_eq!((http.stats().idle, http.num_pools()), (0, 0), "the closed pool is back in the manager");
}

/// A connection whose peer has sent a head and no body, so that its response keeps it.
#[derive(Debug)]
struct Unfinished(Mutex<&'static [u8]>);

impl hostpool::Transport for Unfinished {
    fn recv(&self, buf: &mut [u8], _: &hostpool::Wait<'_>) -> std::io::Result<usize> {
        std::io::Read::read(&mut *self.0.lock().unwrap(), buf)
    }

    fn send(&self, bufs: &[std::io::IoSlice<'_>], _: &hostpool::Wait<'_>) -> std::io::Result<usize> {
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn probe(&self) -> hostpool::Probe {
        hostpool::Probe::Quiet
    }

    fn abort(&self) {}
}

/// Dials unfinished connections.
#[derive(Debug)]
struct Endless;

impl hostpool::Dialer for Endless {
    fn dial(
        &self,
        _: &hostpool::Target<'_>,
        _: &hostpool::DialContext<'_>,
    ) -> hostpool::Result<Box<dyn hostpool::Transport>> {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        Ok(Box::new(Unfinished(Mutex::new(head))))
    }
}

/// Ten times as many hosts as the table of pools has room for, each with a response that is held: the limit of a host
/// holds although the table has forgotten the host.
#[test]
fn limits_hold_for_hosts_that_were_forgotten() {
    let table = [("a limit on pools", Some(64), 640), ("no limit on pools", None, 10_240)];
    for (row, num_pools, hosts) in table {
        let builder = PoolManager::builder().num_pools(num_pools).limit(1).pool_timeout(Duration::ZERO);
        let manager = builder.dialer(Endless).retries(Retry::off()).build().unwrap();
        let url = |host: usize| format!("http://host-{host}/");
        let held: Vec<_> = (0..hosts).map(|host| manager.get(url(host)).send().unwrap()).collect();
        for host in 0..hosts {
            let error = manager.get(url(host)).send().expect_err(row);
            let kind = error.kind();
            assert!(matches!(kind, hostpool::ErrorKind::PoolTimeout { in_use: 1, .. }), "{row}: {host}: {error}");
        }
        let stats = manager.stats();
        assert_eq!((stats.created, stats.in_use), (hosts as u64, hosts), "{row}");
        drop(held);
        assert_eq!(manager.stats().open, 0, "{row}");
        drop(manager.get(url(0)).send().expect(row));
    }
}

//! What is tried again, and what must not be.

use std::io::{self, Read, Seek, SeekFrom};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hostpool::{Body, ConnectionPool, Jitter, Method, PoolManager, Retry, RetryBudget, RetryCount, Session, Timeout};

use crate::support::{GIVE_UP, Server, Step, answer, answers, eventually, header, ok};
use crate::{broken, headers};

/// Though its preloaded body breaks off.
#[test]
fn preloaded_post_is_sent_once() {
    let server = Server::new(vec![broken("200 OK\r\nContent-Length: 10", "01234")]);
    let http = PoolManager::new();
    let error = http.urlopen(Method::POST, server.url("/")).data("x").send().unwrap_err();
    assert!(error.maybe_processed());
    assert_eq!(server.seen.requests().len(), 1);
}

/// A wait that no clock can hold is not begun.
#[test]
fn a_wait_without_end_is_no_closed_pool() {
    let server = Server::new(vec![answers(
        "HTTP/1.1 503 Busy\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n",
    )]);
    let retry = Retry::new(1).retry_after_max(Duration::MAX);
    let result = PoolManager::new().get(server.url("/")).retries(retry).send();
    assert_eq!(result.map(|response| response.status().as_u16()).map_err(|error| error.kind().clone()), Ok(503));
}

/// A status that is in no list is no error, also where its `Retry-After` outlasts the deadline.
#[test]
fn a_status_that_is_in_no_list_is_the_answer() {
    let server = Server::new(vec![answers("HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 4\r\n\r\nbusy")]);
    let http = PoolManager::new();
    let none_left = http.get(server.url("/")).retries(0).send().unwrap();
    assert_eq!(none_left.status(), 503);
    let late = http.get(server.url("/")).timeout(Duration::from_secs(10)).send();
    assert_eq!(late.map(|response| response.status().as_u16()).map_err(|error| error.kind().clone()), Ok(503));
}

/// The same with an empty budget.
#[test]
fn a_status_that_is_in_no_list_is_the_answer_without_a_budget() {
    let server = Server::new(vec![answers("HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbusy")]);
    let retry = Retry::new(3).budget(RetryBudget::new(0));
    let result = PoolManager::new().get(server.url("/")).retries(retry).send();
    assert_eq!(result.map(|response| response.status().as_u16()).map_err(|error| error.kind().clone()), Ok(503));
}

/// What is kept of tries is bounded, whatever a server does.
#[test]
fn the_history_of_tries_is_bounded() {
    let server = Server::with(move |_| {
        let busy = answer("HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n");
        let mut steps = Vec::new();
        (0..2000).for_each(|_| steps.extend(busy.clone()));
        steps.extend(answer(ok("done")));
        steps
    });
    let retry = Retry::new(RetryCount::Unlimited).connect(5);
    let path = "x".repeat(1000);
    let response = PoolManager::new().get(server.url(&format!("/{path}"))).retries(retry).send().unwrap();
    let len = response.retries().unwrap().history().len();
    assert!(len <= 256, "{len} attempts are kept");
}

/// A key that is not sent to this origin does not make a POST repeatable there.
#[test]
fn a_key_that_stays_behind_keys_nothing() {
    let there = Server::new(vec![vec![Step::Request]]);
    let here = Server::new(vec![answer(format!(
        "HTTP/1.1 307 There\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        there.url("/")
    ))]);
    let retry = Retry::new(5).remove_headers_on_redirect(["Idempotency-Key"]);
    let http = PoolManager::builder().headers(headers(&[("Idempotency-Key", "7")])).retries(retry).build().unwrap();
    http.post(here.url("/")).data("pay").send().unwrap_err();
    let requests = there.seen.requests();
    assert_eq!(requests.len(), 1, "{requests:#?}");
}

/// Deadlines against servers that drip.
#[test]
fn deadlines_hold_over_tries() {
    let drip = |head: &str| {
        vec![Step::Forever(vec![
            Step::Request,
            Step::Send(head.as_bytes().to_vec()),
            Step::Drip(vec![b'x'; 1000], Duration::from_millis(20)),
        ])]
    };
    let table = [
        ("503", drip("HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 1000\r\n\r\n")),
        ("302", drip("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 1000\r\n\r\n")),
        ("200", drip("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")),
        ("closes", vec![Step::Request]),
        ("resets", vec![Step::Request, Step::Reset]),
        ("half", broken("200 OK\r\nETag: \"a\"\r\nContent-Length: 10", "0")),
        (
            "half of a head",
            vec![Step::Request, Step::Send(b"HTTP/1.1 20".to_vec()), Step::Pause(Duration::from_secs(9))],
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (row, script) in table {
        let server = Server::new(vec![script]);
        let retry =
            || Retry::new(RetryCount::Unlimited).status_forcelist([503]).backoff_factor(Duration::from_millis(1));
        let http = PoolManager::new();
        let total = Timeout::from(Duration::from_millis(300));
        for way in 0..3 {
            let began = Instant::now();
            let request = http.get(server.url("/")).retries(retry()).timeout(total);
            let failed = match way {
                0 => request.preload_content(true).send().is_err(),
                1 => request.download(folder.path().join("x")).is_err(),
                _ => request.send().and_then(|response| response.bytes()).is_err(),
            };
            assert!(failed, "{row} {way}");
            assert!(began.elapsed() < GIVE_UP, "{row} {way} {:?}", began.elapsed());
        }
    }
}

/// Nothing secret goes to another origin, on any try there.
#[test]
fn secrets_stay_behind_on_all_tries() {
    let there = Server::new(vec![vec![Step::Request], vec![Step::Request], answers(ok("a"))]);
    let here = Server::new(vec![answers(format!(
        "HTTP/1.1 302 There\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        there.url("/")
    ))]);
    let retry = Retry::new(5).remove_headers_on_redirect(["X-Key"]);
    let fields = headers(&[("Authorization", "canary"), ("X-Key", "canary"), ("Cookie", "canary")]);
    let http = PoolManager::builder().headers(fields.clone()).retries(retry.clone()).build().unwrap();
    http.get(here.url("/")).send().unwrap();
    http.get(here.url("/")).headers(&fields).send().unwrap();
    let plain = PoolManager::builder().headers(fields.clone()).build().unwrap();
    plain.get(here.url("/")).retries(retry.clone()).send().unwrap();
    plain.get(here.url("/")).headers(&fields).retries(retry).cookie("a", "canary").send().unwrap();
    let requests = there.seen.requests();
    assert!(requests.len() > 4);
    assert!(requests.iter().all(|request| !request.contains("canary")), "{requests:#?}");
}

#[test]
fn absurd_policies_do_not_panic() {
    let server = Server::new(vec![answers("HTTP/1.1 503 B\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")]);
    let max = Duration::MAX;
    for jitter in [Jitter::None, Jitter::Added(max), Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
        let retry = Retry::new(u32::MAX).backoff_factor(max).backoff_max(max).retry_after_max(max).jitter(jitter);
        let timeout = Timeout::from(Duration::from_millis(50));
        let _ = PoolManager::new().get(server.url("/")).retries(retry).timeout(timeout).send();
    }
}

/// Also in a session, which does not count them.
#[test]
fn retry_off_returns_redirects_of_a_session_too() {
    let server = Server::new(vec![vec![
        Step::Request,
        Step::Send(b"HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n".to_vec()),
        Step::Request,
        Step::Send(ok("a")),
    ]]);
    assert_eq!(Session::new().get(server.url("/")).retries(Retry::off()).send().unwrap().status(), 302);
}

/// A back-off has no connection in its hands, and ends when the manager is closed.
#[test]
fn a_back_off_begins_with_no_connection() {
    let server = Server::new(vec![answers("HTTP/1.1 503 B\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")]);
    let http = PoolManager::builder().limit(1).build().unwrap();
    let call = thread::spawn({
        let (http, url) = (http.clone(), server.url("/"));
        move || http.get(url).retries(1).send()
    });
    eventually("asked", || server.seen.requests().len() == 1);
    eventually("idle", || http.stats().in_use == 0);
    http.close();
    assert!(call.join().unwrap().unwrap_err().is_closed());
}

/// What a pool's headers say of a body goes with it, when a 303 takes it off.
#[test]
fn a_303_takes_the_pools_content_fields_off() {
    let server = Server::new(vec![
        answer("HTTP/1.1 303 S\r\nConnection: close\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"),
        answers(ok("a")),
    ]);
    let http = PoolManager::builder().headers(headers(&[("Content-Type", "application/json")])).build().unwrap();
    http.post(server.url("/")).data("{}").send().unwrap();
    let requests = server.seen.requests();
    assert_eq!(header(&requests[1], "content-type"), None, "{requests:#?}");
}

/// However often a download goes on, it is one call, and adds to the budget once.
#[test]
fn a_download_is_one_call_for_the_budget() {
    let server = Server::with(|_| broken("200 OK\r\nContent-Length: 10", "half"));
    let budget = RetryBudget::new(2).per_hundred_calls(100);
    let folder = tempfile::tempdir().unwrap();
    let request = Session::new().get(server.url("/")).retries(Retry::new(20).budget(&budget));
    assert!(request.download(folder.path().join("file")).is_err());
    assert_eq!((server.seen.requests().len(), budget.left()), (3, 0));
}

/// A reader that goes to its start once, and not again.
struct Once(bool);

impl Read for Once {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        buf.fill(b'x');
        Ok(buf.len())
    }
}

impl Seek for Once {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::End(_) => Ok(LONG),
            SeekFrom::Current(_) => Ok(0),
            SeekFrom::Start(at) if !mem::replace(&mut self.0, true) => Ok(at),
            SeekFrom::Start(_) => Err(io::Error::other("not again")),
        }
    }
}

/// Makes a reader once, and not again.
fn once() -> impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync {
    let made = AtomicUsize::new(0);
    move || match made.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(Box::new(io::repeat(b'x').take(LONG))),
        _ => Err(io::Error::other("not again")),
    }
}

/// More than is sent at once.
const LONG: u64 = 300_000;

/// What cannot be tried takes nothing from the budget.
#[test]
fn a_body_that_does_not_go_back_takes_no_try() {
    let server = Server::with(|_| vec![Step::Head]);
    let budget = RetryBudget::new(5);
    let pool = ConnectionPool::builder(server.url("")).retries(Retry::new(3).budget(&budget)).build().unwrap();
    pool.put("/").data(Body::seekable(Once(false))).send().unwrap_err();
    assert_eq!((budget.left(), pool.stats().created, server.seen.accepted()), (5, 1, 1));
}

/// What cannot be sent once more is neither counted as sent nor as dialed.
#[test]
fn a_body_that_cannot_be_made_again_is_not_replayed() {
    let server = Server::with(|_| vec![Step::Request, Step::Send(ok("fine")), Step::Head]);
    let pool = ConnectionPool::builder(server.url("")).retries(0).build().unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    let error = pool.put("/").data(Body::factory(once(), LONG)).send().unwrap_err();
    let stats = pool.stats();
    assert_eq!((stats.dial_failures, stats.replayed, stats.open, pool.num_requests()), (0, 0, 0, 2), "{error}");
}

/// An answer in hand is worth more than a body that cannot be made again.
#[test]
fn an_answer_to_a_body_that_cannot_be_made_again() {
    let late = "HTTP/1.1 408 Late\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let server = Server::with(move |_| [answer(ok("fine")), answer(late)].concat());
    let pool = ConnectionPool::builder(server.url("")).retries(0).build().unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    let result = pool.put("/").data(Body::factory(once(), LONG)).send();
    assert_eq!(result.map(|response| response.status().as_u16()).map_err(|error| error.to_string()), Ok(408));

    let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno";
    let server = Server::with(move |_| answers(busy));
    let budget = RetryBudget::new(5);
    let retry = Retry::new(3).status_forcelist([503]).raise_on_status(false).budget(&budget);
    let pool = ConnectionPool::builder(server.url("")).retries(retry).build().unwrap();
    let result = pool.put("/").data(Body::seekable(Once(false))).send();
    assert_eq!(result.map(|response| response.status().as_u16()).map_err(|error| error.to_string()), Ok(503));
    assert_eq!((budget.left(), server.seen.requests().len()), (5, 1));
}

//! What a listener is told, and what it may do.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

use hostpool::observe::{
    Acquired, Answered, Closed, Dialed, Dialing, Redirecting, Released, Retrying, Waited, Waiting, WaitsForItself,
};
use hostpool::{ConnectionPool, ErrorKind, Listener, Phase, PoolManager, Response, Retry, RetryCount, Session};

use crate::support::{GIVE_UP, Server, Step, answer, answers, eventually, ok, refusing};

/// Notes events down as lines; connections by the order in which they were first heard of.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    ids: Vec<u64>,
    lines: Vec<String>,
}

impl Notes {
    fn note(&self, id: u64, line: impl fmt::Display) {
        let mut book = self.0.lock().unwrap();
        let number = book.ids.iter().position(|&known| known == id).unwrap_or_else(|| {
            book.ids.push(id);
            book.ids.len() - 1
        });
        book.lines.push(format!("{} {line}", number + 1));
    }

    fn note_wait(&self, line: &str) {
        self.0.lock().unwrap().lines.push(line.to_string());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().lines)
    }

    fn lines(&self) -> usize {
        self.0.lock().unwrap().lines.len()
    }
}

impl Listener for Notes {
    fn waiting(&self, event: &Waiting<'_>) {
        assert_eq!(event.origin.scheme(), "http");
        self.note_wait("waiting");
    }

    fn waited(&self, event: &Waited<'_>) {
        assert!(event.waited < GIVE_UP);
        self.note_wait(if event.granted { "granted" } else { "not granted" });
    }

    fn waits_for_itself(&self, event: &WaitsForItself<'_>) {
        self.note(event.held, if event.certain { "waits for itself" } else { "may wait for itself" });
    }

    fn dialing(&self, event: &Dialing<'_>) {
        self.note(event.id, "dialing");
    }

    fn dialed(&self, event: &Dialed<'_>) {
        assert!(event.took < GIVE_UP);
        match event.error {
            None => self.note(event.id, "dialed"),
            Some(error) => self.note(event.id, format_args!("not dialed: {error:?}")),
        }
    }

    fn acquired(&self, event: &Acquired<'_>) {
        assert!(event.reused || event.idle_for() == Duration::ZERO);
        self.note(event.id, if event.reused { "acquired again" } else { "acquired" });
    }

    fn released(&self, event: &Released<'_>) {
        self.note(event.id, "released");
    }

    fn retrying(&self, event: &Retrying<'_>) {
        self.note_wait(&format!("{}, try {} in {:?}: {}", event.method, event.attempt, event.wait, event.cause));
    }

    fn redirecting(&self, event: &Redirecting<'_>) {
        self.note_wait(&format!("{} from {} to {}", event.status.as_u16(), event.from.target(), event.to.target()));
    }

    fn closed(&self, event: &Closed<'_>) {
        assert!(event.age < GIVE_UP);
        self.note(event.id, format_args!("closed after {}: {:?}", event.requests, event.reason));
    }

    fn answered(&self, event: &Answered<'_>) {
        self.note(event.id, format_args!("{} {} {}", event.method, event.url.target(), event.status.as_u16()));
    }
}

fn steady() -> Server {
    Server::with(|_| answers(ok("fine")))
}

fn get(pool: &ConnectionPool, target: &str) {
    assert_eq!(pool.get(target).send().unwrap().text().unwrap(), "fine");
}

/// Each row: what happens to a pool that keeps one connection, and what is told of it.
#[test]
fn what_is_told() {
    type Act = fn(&ConnectionPool, &Server);
    let table: &[(&str, Act, &[&str])] = &[
        (
            "a new connection, and the same again",
            |pool, _| {
                get(pool, "/a?b");
                get(pool, "/c");
            },
            &[
                "1 dialing",
                "1 dialed",
                "1 acquired",
                "1 GET /a?b 200",
                "1 released",
                "1 acquired again",
                "1 GET /c 200",
                "1 released",
                "1 closed after 2: PoolClosed",
            ],
        ),
        (
            "a full pool",
            |pool, _| {
                let first = pool.get("/1").send().unwrap();
                get(pool, "/2");
                first.text().unwrap();
            },
            &[
                "1 dialing",
                "1 dialed",
                "1 acquired",
                "1 GET /1 200",
                "2 dialing",
                "2 dialed",
                "2 acquired",
                "2 GET /2 200",
                "2 released",
                "1 released",
                "1 closed after 1: PoolFull",
                "2 closed after 1: PoolClosed",
            ],
        ),
        (
            "a body that is not read",
            |pool, _| pool.get("/").send().unwrap().close(),
            &["1 dialing", "1 dialed", "1 acquired", "1 GET / 200", "1 closed after 1: BodyAbandoned"],
        ),
        (
            "a pool that is cleared",
            |pool, _| {
                get(pool, "/");
                pool.clear();
            },
            &["1 dialing", "1 dialed", "1 acquired", "1 GET / 200", "1 released", "1 closed after 1: Retired"],
        ),
        (
            "a connection that was closed while it was idle",
            |pool, server| {
                get(pool, "/");
                server.gate.open();
                eventually("its end", || server.seen.open() == 0);
                get(pool, "/");
            },
            &[
                "1 dialing",
                "1 dialed",
                "1 acquired",
                "1 GET / 200",
                "1 released",
                "1 closed after 1: PeerClosed",
                "2 dialing",
                "2 dialed",
                "2 acquired",
                "2 GET / 200",
                "2 released",
                "2 closed after 1: PoolClosed",
            ],
        ),
    ];
    for (row, act, expected) in table {
        let held = |_: usize| vec![Step::Request, Step::Send(ok("fine")), Step::Hold];
        let server = if row.contains("while it was idle") { Server::with(held) } else { steady() };
        let notes = Notes::default();
        let pool = ConnectionPool::builder(server.url("")).maxsize(1).probe_after(Duration::ZERO);
        let pool = pool.listener(notes.clone()).build().unwrap();
        act(&pool, &server);
        drop(pool);
        assert_eq!(notes.take(), *expected, "{row}");
    }
}

#[test]
fn a_dial_that_fails() {
    let (_held, address) = refusing();
    let notes = Notes::default();
    let builder = ConnectionPool::builder(format!("http://{address}")).retries(1);
    let pool = builder.listener(notes.clone()).build().unwrap();
    assert!(pool.get("/").send().is_err());
    let first = ["1 dialing", "1 not dialed: Connect", "GET, try 1 in 0ns: no connection could be opened"];
    assert_eq!(notes.take(), [&first[..], &["2 dialing", "2 not dialed: Connect"]].concat());
}

#[test]
fn statuses_and_redirects() {
    let head = |status, field: &str| format!("HTTP/1.1 {status} X\r\n{field}\r\nContent-Length: 0\r\n\r\n");
    let busy = Step::Send(head(503, "X-A: b").into());
    let moved = Step::Send(head(307, "Location: /there?secret").into());
    let script = vec![Step::Request, busy, Step::Request, moved, Step::Request, Step::Send(ok("fine")), Step::Hold];
    let server = Server::new(vec![script]);
    let notes = Notes::default();
    let builder = ConnectionPool::builder(server.url("")).listener(notes.clone());
    let pool = builder.retries(Retry::new(2).status_forcelist([503])).build().unwrap();
    assert_eq!(pool.get("/here").send().unwrap().text().unwrap(), "fine");
    let told = notes.take();
    let told: Vec<_> = told.iter().filter(|line| !line.starts_with("1 ")).collect();
    assert_eq!(told, ["GET, try 1 in 0ns: the status is 503 Service Unavailable", "307 from /here to /there?secret"]);
}

#[test]
fn a_connection_that_fails() {
    let server = Server::new(vec![vec![Step::Request, Step::Reset]]);
    let notes = Notes::default();
    let session = Session::builder().listener(notes.clone()).build().unwrap();
    assert!(session.get(server.url("/")).send().is_err());
    assert_eq!(notes.take(), ["1 dialing", "1 dialed", "1 acquired", "1 closed after 1: Failed"]);
}

/// A dead connection that was found by using it: the request goes out again on another.
#[test]
fn a_request_that_is_sent_again() {
    let server = Server::new(vec![vec![Step::Request, Step::Send(ok("fine")), Step::Request], answers(ok("fine"))]);
    let notes = Notes::default();
    let pool = ConnectionPool::builder(server.url("")).listener(notes.clone()).build().unwrap();
    get(&pool, "/1");
    get(&pool, "/2");
    let told = notes.take();
    let tail = ["1 acquired again", "1 closed after 2: PeerClosed", "2 dialing", "2 dialed", "2 acquired"];
    assert_eq!(told[5..10], tail, "{told:?}");
    assert_eq!(told[10..], ["2 GET /2 200", "2 released"]);
}

#[test]
fn who_waits() {
    let server = steady();
    let notes = Notes::default();
    let pool = ConnectionPool::builder(server.url("")).limit(1).listener(notes.clone()).build().unwrap();
    let held = pool.get("/").send().unwrap();
    notes.take();
    assert!(pool.get("/").timeout(hostpool::Timeout::new().pool(Duration::ZERO)).send().is_err());
    assert_eq!(notes.take(), ["waiting", "not granted"]);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| get(&pool, "/"));
        eventually("a wait", || pool.stats().waiting == 1 && notes.lines() == 1);
        held.text().unwrap();
        waiter.join().unwrap();
    });
    let told = notes.take();
    // Between the two threads there is no order.
    let (first, second): (Vec<&str>, Vec<&str>) = told
        .iter()
        .map(String::as_str)
        .partition(|line| ["waiting", "granted", "1 acquired again", "1 GET / 200"].contains(line));
    assert_eq!(first, ["waiting", "granted", "1 acquired again", "1 GET / 200"]);
    assert_eq!(second, ["1 released", "1 released"]);
    let held = pool.get("/").send().unwrap();
    notes.take();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| pool.get("/").send().unwrap_err());
        eventually("a wait", || pool.stats().waiting == 1 && notes.lines() == 1);
        pool.close();
        assert!(waiter.join().unwrap().is_closed());
    });
    assert_eq!(notes.take(), ["waiting", "not granted"]);
    drop(held);
}

/// A thread that would wait for what it has itself is told so, and with the option it does not.
#[test]
fn who_waits_for_itself() {
    let server = steady();
    let notes = Notes::default();
    let pool = ConnectionPool::builder(server.url("")).limit(1).listener(notes.clone());
    let pool = pool.refuse_self_deadlock(true).build().unwrap();
    let held = pool.get("/").send().unwrap();
    let id = held.connection().unwrap().id;
    notes.take();
    let error = pool.get("/").send().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldDeadlock { held, .. } if *held == id), "{error}");
    assert_eq!(error.phase(), Phase::Pool);
    assert!(!error.maybe_processed() && error.to_string().contains(&format!("connection {id}")), "{error}");
    assert_eq!(notes.take(), ["waiting", "1 waits for itself", "not granted"]);
    // With a bound the wait has an end of its own, and another thread has nothing to fear.
    let brief = hostpool::Timeout::new().pool(Duration::ZERO);
    assert!(matches!(pool.get("/").timeout(brief).send().unwrap_err().kind(), ErrorKind::PoolTimeout { .. }));
    assert_eq!(notes.take(), ["waiting", "not granted"]);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| get(&pool, "/"));
        eventually("a wait", || pool.stats().waiting == 1);
        held.text().unwrap();
        waiter.join().unwrap();
    });
    assert!(!notes.take().iter().any(|line| line.contains("itself")));
    get(&pool, "/");
}

/// Where others have a part of it the call waits, and is warned of all the same.
#[test]
fn who_may_wait_for_itself() {
    let server = steady();
    let notes = Notes::default();
    let pool = ConnectionPool::builder(server.url("")).limit(2).listener(notes.clone());
    let pool = pool.refuse_self_deadlock(true).build().unwrap();
    let own = pool.get("/").send().unwrap();
    let others = thread::scope(|scope| scope.spawn(|| pool.get("/").send().unwrap()).join().unwrap());
    thread::scope(|scope| {
        scope.spawn(|| {
            eventually("a warning", || notes.0.lock().unwrap().lines.iter().any(|line| line.ends_with("itself")));
            others.text().unwrap();
        });
        get(&pool, "/");
    });
    assert_eq!(notes.take().iter().filter(|line| *line == "1 may wait for itself").count(), 1);
    drop(own);
}

#[test]
fn a_connector_has_its_own_listener() {
    let pools = PoolManager::new();
    let error = Session::builder().connector(pools).listener(Notes::default()).build().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidConfig), "{error}");
}

#[test]
fn a_connection_has_one_number() {
    let server = steady();
    let notes = Notes::default();
    let session = Session::builder().listener(notes.clone()).build().unwrap();
    let ids: Vec<u64> = (0..2)
        .map(|_| {
            let response = session.get(server.url("/")).send().unwrap();
            let id = response.connection().unwrap().id;
            response.text().unwrap();
            id
        })
        .collect();
    assert_eq!(ids, [notes.0.lock().unwrap().ids[0]; 2]);
    assert!(ids[0] > 0);
}

/// Calls the pool from whatever it is told.
#[derive(Default)]
struct Caller {
    pool: Mutex<Weak<ConnectionPool>>,
    outcomes: Mutex<Vec<(&'static str, Result<(), ErrorKind>)>>,
}

impl Caller {
    fn call(&self, event: &'static str) {
        let Some(pool) = self.pool.lock().unwrap().upgrade() else { return };
        let outcome = pool.get("/from-inside").send().map(|response| drop(response.text().unwrap()));
        self.outcomes.lock().unwrap().push((event, outcome.map_err(|error| error.kind().clone())));
    }
}

struct Calling(Arc<Caller>);

impl Listener for Calling {
    fn waiting(&self, _: &Waiting<'_>) {
        self.0.call("waiting");
    }

    fn waited(&self, _: &Waited<'_>) {
        self.0.call("waited");
    }

    fn dialing(&self, _: &Dialing<'_>) {
        self.0.call("dialing");
    }

    fn dialed(&self, _: &Dialed<'_>) {
        self.0.call("dialed");
    }

    fn acquired(&self, _: &Acquired<'_>) {
        self.0.call("acquired");
    }

    fn released(&self, _: &Released<'_>) {
        self.0.call("released");
    }

    fn closed(&self, _: &Closed<'_>) {
        self.0.call("closed");
    }

    fn answered(&self, _: &Answered<'_>) {
        self.0.call("answered");
    }
}

/// C75: a callback that uses its own client is served where there is room, and fails at once where there is none. The
/// lock is free in either case.
#[test]
fn a_listener_may_call_its_own_client() {
    for limit in [1, 4] {
        let server = steady();
        let caller = Arc::new(Caller::default());
        let pool = ConnectionPool::builder(server.url("")).limit(limit).probe_after(Duration::ZERO);
        let pool = Arc::new(pool.listener(Calling(caller.clone())).build().unwrap());
        *caller.pool.lock().unwrap() = Arc::downgrade(&pool);
        get(&pool, "/1");
        get(&pool, "/2");
        pool.get("/3").send().unwrap().close();
        thread::scope(|scope| {
            let held = (0..limit).map(|_| pool.get("/").send().unwrap()).collect::<Vec<_>>();
            let waiter = scope.spawn(|| get(&pool, "/4"));
            eventually("a wait", || pool.stats().waiting == 1);
            drop(held);
            waiter.join().unwrap();
        });
        let outcomes = std::mem::take(&mut *caller.outcomes.lock().unwrap());
        let told = |event: &str| outcomes.iter().any(|outcome| outcome.0 == event);
        for event in ["waiting", "waited", "dialing", "dialed", "acquired", "released", "closed", "answered"] {
            assert!(told(event), "{event} with a limit of {limit}");
        }
        for (event, outcome) in &outcomes {
            match outcome {
                Ok(()) => assert!(limit > 1, "{event}"),
                Err(kind) => assert!(matches!(kind, ErrorKind::PoolTimeout { .. }), "{event}: {kind:?}"),
            }
        }
        assert!(limit == 1 || outcomes.iter().any(|outcome| outcome.1.is_ok()));
        let stats = pool.stats();
        assert_eq!((stats.in_use, stats.dialing, stats.waiting), (0, 0, 0));
    }
}

struct Panics;

impl Listener for Panics {
    fn waiting(&self, _: &Waiting<'_>) {
        unwind();
    }

    fn waited(&self, _: &Waited<'_>) {
        unwind();
    }

    fn dialing(&self, _: &Dialing<'_>) {
        unwind();
    }

    fn dialed(&self, _: &Dialed<'_>) {
        unwind();
    }

    fn acquired(&self, _: &Acquired<'_>) {
        unwind();
    }

    fn released(&self, _: &Released<'_>) {
        unwind();
    }

    fn closed(&self, _: &Closed<'_>) {
        unwind();
    }

    fn answered(&self, _: &Answered<'_>) {
        unwind();
    }
}

/// Without a message on the terminal.
fn unwind() {
    std::panic::resume_unwind(Box::new("on purpose"));
}

/// A panic ends the callback alone: the request goes on, and every place comes back, also while the caller unwinds.
#[test]
fn a_listener_may_panic() {
    let server = steady();
    let pool = ConnectionPool::builder(server.url("")).limit(1).listener(Panics).build().unwrap();
    get(&pool, "/");
    pool.get("/").send().unwrap().close();
    thread::scope(|scope| {
        let held = pool.get("/").send().unwrap();
        let waiter = scope.spawn(|| get(&pool, "/"));
        eventually("a wait", || pool.stats().waiting == 1);
        drop(held);
        waiter.join().unwrap();
    });
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _held = pool.get("/").send().unwrap();
        unwind();
    }));
    assert!(unwound.is_err());
    get(&pool, "/");
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.dialing, stats.waiting), (0, 0, 0));
    let (_held, address) = refusing();
    let pool = ConnectionPool::builder(format!("http://{address}")).limit(1).listener(Panics).build().unwrap();
    assert_eq!(pool.get("/").send().unwrap_err().kind(), &ErrorKind::Connect);
    assert_eq!(pool.stats().open, 0);
}

/// A dial ends for whoever heard of its beginning, also where the caller's dialer panics.
#[test]
fn a_dialer_that_panics() {
    #[derive(Debug)]
    struct Panics;

    impl hostpool::Dialer for Panics {
        fn dial(
            &self,
            _: &hostpool::Target<'_>,
            _: &hostpool::DialContext<'_>,
        ) -> hostpool::Result<Box<dyn hostpool::Transport>> {
            resume_unwind(Box::new("on purpose"))
        }
    }

    let notes = Notes::default();
    let pool = ConnectionPool::builder("http://127.0.0.1:1").dialer(Panics).listener(notes.clone()).build().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| pool.get("/").send())).is_err());
    assert_eq!(notes.take(), ["1 dialing", "1 not dialed: Custom"]);
    assert_eq!((pool.stats().open, pool.stats().dial_failures), (0, 1));
}

/// More tries than a history has.
#[test]
fn the_number_of_a_try() {
    let busy = b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n";
    let mut script: Vec<_> = (0..300).flat_map(|_| answer(busy)).collect();
    script.extend(answer(ok("fine")));
    let server = Server::new(vec![script]);
    let notes = Notes::default();
    let retry = Retry::new(RetryCount::Unlimited).status_forcelist([503]);
    let builder = ConnectionPool::builder(server.url("")).listener(notes.clone());
    get(&builder.retries(retry).build().unwrap(), "/");
    let told = notes.take();
    let last = told.iter().rfind(|line| line.contains("try")).unwrap();
    assert!(last.starts_with("GET, try 300 in"), "{last}");
}

/// Uses its own client once it is told of an answer.
struct Pushing {
    notes: Notes,
    push: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Listener for Pushing {
    fn dialing(&self, event: &Dialing<'_>) {
        self.notes.dialing(event);
    }

    fn acquired(&self, event: &Acquired<'_>) {
        self.notes.acquired(event);
    }

    fn answered(&self, _: &Answered<'_>) {
        let push = self.push.lock().unwrap().take();
        if let Some(push) = push {
            push();
        }
        self.notes.note_wait("pushed");
    }

    fn released(&self, event: &Released<'_>) {
        self.notes.released(event);
    }

    fn closed(&self, event: &Closed<'_>) {
        self.notes.closed(event);
    }
}

/// Of what is opened nobody is told without being told of its end, and the other way round, also where a listener uses
/// the client that it listens to.
#[test]
fn what_a_listener_does_to_connections() {
    type Act = fn(&ConnectionPool);
    let table: [(&str, Act, &[&str]); 2] = [
        (
            "it opens one, and nobody hears of it",
            |pool| get(pool, "/inside"),
            &["3 dialing", "3 acquired", "pushed", "3 released", "3 closed after 1: PoolClosed"],
        ),
        (
            "it closes those that are idle, and hears of it when it is done",
            |pool| pool.clear(),
            &["2 acquired again", "pushed", "1 closed after 1: Retired", "2 released", "2 closed after 2: Retired"],
        ),
    ];
    for (row, act, expected) in table {
        let server = steady();
        let pushing = Arc::new(Pushing { notes: Notes::default(), push: Mutex::default() });
        let pool = ConnectionPool::builder(server.url("")).maxsize(3).listener(pushing.clone()).build().unwrap();
        let two = [(); 2].map(|()| pool.get("/").send().unwrap());
        two.into_iter().for_each(|response| drop(response.text().unwrap()));
        if row.starts_with("it opens") {
            pool.clear();
        }
        let own = pool.clone();
        *pushing.push.lock().unwrap() = Some(Box::new(move || act(&own)));
        pushing.notes.take();
        get(&pool, "/");
        drop(pool);
        assert_eq!(pushing.notes.take(), expected, "{row}");
    }
}

/// Closes responses as it hears of connections that were closed.
#[derive(Default)]
struct Chain {
    next: Mutex<VecDeque<Vec<Response>>>,
    told: Mutex<Vec<u64>>,
}

impl Listener for Chain {
    fn closed(&self, event: &Closed<'_>) {
        self.told.lock().unwrap().push(event.id);
        let next = self.next.lock().unwrap().pop_front();
        next.into_iter().flatten().for_each(drop);
    }
}

/// Of what is closed meanwhile it is told in that order, and however long the chain is, no deeper for that.
#[test]
fn one_after_the_other() {
    let unread = ok("long")[..40].to_vec();
    let server = Server::with(move |_| vec![Step::Request, Step::Send(unread.clone()), Step::UntilClosed]);
    let chain = Arc::new(Chain::default());
    let pool = ConnectionPool::builder(server.url("")).listener(chain.clone()).build().unwrap();
    let responses: Vec<_> = (0..200).map(|_| pool.get("/").send().unwrap()).collect();
    let ids: Vec<_> = responses.iter().map(|response| response.connection().unwrap().id).collect();
    let mut responses = responses.into_iter();
    let first = responses.next();
    while let Some(one) = responses.next() {
        // By twos, and by ones.
        let other = if chain.next.lock().unwrap().len() < 50 { responses.next() } else { None };
        chain.next.lock().unwrap().push_back([Some(one), other].into_iter().flatten().collect());
    }
    drop(first);
    assert_eq!(*chain.told.lock().unwrap(), ids);
}

/// A listener that must not wait has not given up waiting.
#[test]
fn requests_of_a_listener_are_no_timeouts() {
    let server = steady();
    let pushing = Arc::new(Pushing { notes: Notes::default(), push: Mutex::default() });
    let pool = ConnectionPool::builder(server.url("")).limit(1).listener(pushing.clone()).build().unwrap();
    let own = pool.clone();
    *pushing.push.lock().unwrap() = Some(Box::new(move || assert!(own.get("/inside").send().is_err())));
    get(&pool, "/");
    assert_eq!((pool.stats().timeouts, server.seen.requests().len()), (0, 1));
}

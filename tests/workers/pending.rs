//! One submitted request.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use hostpool::{
    Bound, CancelToken, ConnectionPool, Error, ErrorKind, Next, Pending, PoolManager, Request, Response, Session,
};

use crate::Echo;
use crate::support::{GIVE_UP, Server, answers, ok, without_hanging};

fn is_free<P: Send + Sync + 'static>(pending: P) -> P {
    pending
}

/// Each client submits, requests of each kind, and the result has everything that `send` gives.
#[test]
fn clients_and_requests() {
    let server = Echo::new();
    let (session, manager) = (Session::builder().base_url(server.url("/")).build().unwrap(), PoolManager::new());
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let part = manager.connection_from_url(server.url("/")).unwrap();
    let http = |path: &str| http::Request::get(path).body(()).unwrap();
    let own = Request::try_from(http(&server.url("/own"))).unwrap();
    let pendings = [
        ("/session", session.submit(session.get("session"))),
        ("/relative", session.submit(http("/relative"))),
        ("/own", session.submit(own)),
        ("/manager", manager.submit(manager.get(server.url("/manager")))),
        ("/absolute", manager.submit(http(&server.url("/absolute")))),
        ("/pool", pool.submit(pool.get("/pool"))),
        ("/target", pool.submit(http("/target"))),
        ("/part", part.submit(part.get("/part"))),
        ("/other", session.submit(pool.get("/other"))),
        ("/free", session.submit(hostpool::get(server.url("/free")))),
    ];
    for (path, pending) in pendings {
        let response = is_free::<Pending>(pending).wait().unwrap();
        assert_eq!(response.url().path(), path);
        assert_eq!(response.text().unwrap(), path);
    }
    // A request that a client has begun is sent by that client.
    assert_eq!(pool.stats().created + pool.stats().reused, 3);
    let text = session.submit_with(session.get("read"), |response| response.text());
    assert_eq!(text.wait().unwrap(), "/read");
    assert_eq!(session.execute(session.get("begun")).unwrap().text().unwrap(), "/begun");
}

/// The result comes once, in whichever way it is asked for.
#[test]
fn waiting() {
    let server = Echo::new();
    let session = Session::new();
    let pending = session.submit(session.get(server.url("/hold")));
    server.has(1);
    assert!(pending.try_get().is_none() && pending.wait_timeout(Duration::ZERO).is_none() && !pending.is_done());
    assert!(format!("{pending:?}").contains("done: false"));
    server.release("/hold");
    let response = pending.wait_timeout(GIVE_UP).unwrap().unwrap();
    assert!(pending.is_done());
    let again = [pending.try_get().unwrap(), pending.wait_timeout(GIVE_UP).unwrap()];
    pending.cancel();
    for again in again.into_iter().chain([pending.wait()]) {
        assert_eq!(again.unwrap_err().kind(), &ErrorKind::InvalidRequest);
    }
    // The response does not belong to what gave it.
    assert_eq!(response.text().unwrap(), "/hold");
}

/// The errors name method and URL.
#[test]
fn errors() {
    let server = Echo::new();
    let session = Session::builder()
        .middleware(|request: Request, next: Next<'_>| match request.url().path() {
            "/panic" => panic!("boom"),
            "/owned" => panic!("{} {}", "big", "boom"),
            "/any" => std::panic::panic_any(7),
            _ => next.run(request),
        })
        .build()
        .unwrap();
    let refused = |_: Response| Err::<(), _>(Error::custom("not this one"));
    let unread = |_: Response| -> hostpool::Result<()> { panic!("in the reader") };
    let rows = [
        ("/panic", "the caller's own code panicked: boom", ErrorKind::Panicked),
        ("/owned", "the caller's own code panicked: big boom", ErrorKind::Panicked),
        ("/any", "the caller's own code panicked", ErrorKind::Panicked),
        ("/cut", "the peer closed the connection without a response", ErrorKind::Disconnected),
    ];
    for (path, text, kind) in rows {
        let error = session.submit(session.post(server.url(path))).wait().unwrap_err();
        assert_eq!((error.kind(), error.url().unwrap().path()), (&kind, path));
        let line = error.to_string();
        assert!(line.starts_with(text) && line.contains(&format!("POST {}", server.url(path))), "{line}");
    }
    let error = session.submit_with(session.get(server.url("/refused")), refused).wait().unwrap_err();
    assert_eq!((error.kind(), error.url().unwrap().path()), (&ErrorKind::Custom, "/refused"));
    let error = session.submit_with(session.get(server.url("/reader")), unread).wait().unwrap_err();
    assert_eq!((error.kind(), error.url().unwrap().path()), (&ErrorKind::Panicked, "/reader"));
    assert!(error.maybe_processed());
    // A request that cannot be built fails like one that cannot be sent.
    let error = session.submit(session.get("nowhere")).wait().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidUrl(_)), "{error}");
    // The threads go on.
    assert_eq!(session.submit(session.get(server.url("/fine"))).wait().unwrap().text().unwrap(), "/fine");
}

/// A cancelled or dropped request ends: in the queue it is not sent, and at the server its connection is closed.
#[test]
fn cancelling() {
    let server = Echo::new();
    let session = Session::builder().workers(1).build().unwrap();
    let get = |path: &str| session.submit(session.get(server.url(path)));
    let (running, queued, dropped) = (get("/hold/running"), get("/queued"), get("/dropped"));
    server.has(1);
    drop(dropped);
    queued.cancel();
    let error = queued.wait().unwrap_err();
    assert_eq!((error.kind(), error.url().unwrap().path()), (&ErrorKind::Cancelled, "/queued"));
    assert!(!error.maybe_processed());
    running.cancel();
    let error = running.wait().unwrap_err();
    assert_eq!((error.kind(), error.url().unwrap().path()), (&ErrorKind::Cancelled, "/hold/running"));
    server.lost(1);

    let running = get("/hold/dropped");
    server.has(2);
    drop(running);
    server.lost(2);
    assert_eq!(get("/last").wait().unwrap().text().unwrap(), "/last");
    assert_eq!(server.paths(), ["/hold/running", "/hold/dropped", "/last"]);

    // What has come is not taken away.
    let done = get("/done");
    while !done.is_done() {
        thread::yield_now();
    }
    done.cancel();
    assert_eq!(done.wait().unwrap().text().unwrap(), "/done");
}

/// A token of the caller ends requests in the queue at once, whatever the workers do, and so does its deadline.
#[test]
fn tokens_of_the_caller() {
    let server = Echo::new();
    let session = Session::builder().workers(1).build().unwrap();
    let running = session.submit(session.get(server.url("/hold")));
    server.has(1);

    let token = CancelToken::new();
    let get = |path: &str, token: &CancelToken| session.submit(session.get(server.url(path)).cancel_with(token));
    let (one, other) = (get("/one", &token), get("/other", &token));
    let (begin, begun) = channel();
    let waits = thread::spawn(move || {
        begin.send(()).unwrap();
        one.wait()
    });
    begun.recv().unwrap();
    token.cancel();
    let late = get("/late", &token);
    for result in [waits.join().unwrap(), other.wait(), late.wait()] {
        assert_eq!(result.unwrap_err().kind(), &ErrorKind::Cancelled);
    }
    let timed = get("/timed", &CancelToken::with_timeout(Duration::from_millis(20)));
    let looked = get("/looked", &CancelToken::with_timeout(Duration::from_millis(20)));
    let (looked, timed) = without_hanging(move || (looked.wait_timeout(Duration::MAX).unwrap(), timed.wait()));
    for (result, path) in [(timed, "/timed"), (looked, "/looked")] {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.url().unwrap().path()), (&ErrorKind::Timeout(Bound::Token), path));
    }

    // A pending request that is cancelled leaves the caller's token alone.
    let token = CancelToken::new();
    get("/mine", &token).cancel();
    assert!(!token.is_cancelled());
    server.release("/hold");
    running.wait().unwrap();
    assert_eq!(get("/mine", &token).wait().unwrap().text().unwrap(), "/mine");
    assert_eq!(server.paths(), ["/hold", "/mine"]);
}

/// Cancelling all calls of a client ends those that wait for a thread, too: for their callers they have begun.
#[test]
fn cancelling_all() {
    let server = Echo::new();
    let session = Session::builder().workers(1).build().unwrap();
    let get = |path: &str| session.submit(session.get(server.url(path)));
    let (running, queued) = (get("/hold"), get("/queued"));
    server.has(1);
    session.cancel_all();
    for (pending, path) in [(running, "/hold"), (queued, "/queued")] {
        let error = pending.wait().unwrap_err();
        assert_eq!((error.kind(), error.url().unwrap().path()), (&ErrorKind::Cancelled, path));
    }
    assert_eq!(get("/later").wait().unwrap().text().unwrap(), "/later");
    assert_eq!(server.paths(), ["/hold", "/later"]);
}

/// The caller takes the connection with the response: the worker is not taken for its holder.
#[test]
fn who_holds_the_connection() {
    let server = Server::with(|_| answers(ok(&"x".repeat(300_000))));
    let pool = ConnectionPool::builder(server.url("")).limit(1).workers(1).refuse_self_deadlock(true).build().unwrap();
    without_hanging(move || {
        let first = pool.submit(pool.get("/first")).wait().unwrap();
        let second = pool.submit(pool.get("/second"));
        while pool.stats().waiting == 0 {
            assert!(!second.is_done());
            thread::yield_now();
        }
        assert_eq!(first.text().unwrap().len(), 300_000);
        assert_eq!(second.wait().unwrap().text().unwrap().len(), 300_000);
    });
}

/// Borrowed clients and moved results work across the threads of a scope.
#[test]
fn in_a_scope() {
    let server = Echo::new();
    let session = Session::new();
    let texts = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let pending = session.submit(session.get(server.url(&format!("/{n}"))));
                scope.spawn(|| pending.wait().unwrap().text().unwrap())
            })
            .collect();
        let batch = scope.spawn(|| session.batch([session.get(server.url("/4"))]).next().unwrap());
        let texts: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(batch.join().unwrap().1.unwrap().text().unwrap(), "/4");
        texts
    });
    assert_eq!(texts, ["/0", "/1", "/2", "/3"]);
}

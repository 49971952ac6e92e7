//! The caller's own function that looks at something while a call waits, and may end it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hostpool::{
    ConnectionPool, Error, ErrorKind, IoTransport, Phase, PoolManager, RequestBuilder, Retry, Session, Timeout,
    dialer_fn,
};

use crate::support::{GIVE_UP, Server, Step, answers, ok, without_hanging};

#[derive(Debug)]
struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped by the user")
    }
}

impl std::error::Error for Stopped {}

/// Ends the call at the second look.
fn stopped(request: RequestBuilder) -> Error {
    let looks = AtomicUsize::new(0);
    let request = request.check_with(move || match looks.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(()),
        _ => Err(Error::custom(Stopped)),
    });
    without_hanging(move || request.send()?.bytes()).unwrap_err()
}

#[track_caller]
fn is_stopped(row: &str, error: &Error, phase: Phase) {
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Custom, phase), "{row}: {error:?}");
    assert!(error.get_ref().unwrap().is::<Stopped>(), "{row}: the caller gets its own error back");
    assert!(error.to_string().starts_with("stopped by the user ("), "{row}: {error}");
}

#[test]
fn in_the_queue() {
    let server = Server::with(|_| answers(ok("fine")));
    let pool = ConnectionPool::builder(server.url("")).limit(1).build().unwrap();
    for timeout in [Timeout::new(), Timeout::from(GIVE_UP)] {
        let held = pool.get("/").send().unwrap();
        let error = stopped(pool.get("/").timeout(timeout));
        is_stopped("queue", &error, Phase::Pool);
        assert_eq!((pool.stats().waiting, pool.stats().timeouts), (0, 0));
        drop(held);
    }
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
}

/// A call whose check says nothing ends by its own bound, and one without a bound by what it waits for.
#[test]
fn a_check_without_objection() {
    let server = Server::with(|_| answers(ok("fine")));
    let pool = ConnectionPool::builder(server.url("")).limit(1).check_with(|| Ok(())).build().unwrap();
    let held = pool.get("/").send().unwrap();
    let short = Timeout::new().pool(Duration::from_millis(250));
    let error = pool.get("/").timeout(short).send().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::PoolTimeout { .. }), "{error}");
    // The wait for one's own thread is refused as without a check, but not before its time.
    drop(held);
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
}

#[test]
fn while_the_server_is_silent() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec();
    let table = [
        ("head", vec![Step::Request, Step::UntilClosed], Timeout::new(), Phase::Head),
        ("head, bounded", vec![Step::Request, Step::UntilClosed], Timeout::from(GIVE_UP), Phase::Head),
        ("body", vec![Step::Request, Step::Send(half), Step::UntilClosed], Timeout::new(), Phase::Body),
    ];
    for (row, script, timeout, phase) in table {
        let server = Server::new(vec![script]);
        let pool = ConnectionPool::builder(server.url("")).retries(0).build().unwrap();
        is_stopped(row, &stopped(pool.get("/").timeout(timeout)), phase);
        assert_eq!(pool.stats().open, 0, "{row}");
    }
    let server = Server::new(vec![vec![Step::Head, Step::Hold]]);
    let pool = ConnectionPool::builder(server.url("")).retries(0).build().unwrap();
    is_stopped("upload", &stopped(pool.put("/").data(vec![0; 1 << 28])), Phase::Send);
}

#[cfg(target_os = "linux")]
#[test]
fn while_connecting() {
    let swallowing = crate::support::Swallowing::new();
    let pool = ConnectionPool::builder(format!("http://{}", swallowing.addr)).retries(0).build().unwrap();
    is_stopped("connect", &stopped(pool.get("/")), Phase::Connect);
}

#[test]
fn between_two_tries() {
    let server = Server::with(|_| answers("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 60\r\n\r\n"));
    let pools = PoolManager::builder().build().unwrap();
    let retry = Retry::new(3).status_forcelist([503]);
    is_stopped("back-off", &stopped(pools.get(server.url("/")).retries(retry)), Phase::Backoff);
}

/// Streams without deadlines of their own are waited for in the same way.
#[test]
fn over_a_stream_of_the_callers() {
    let dialer = dialer_fn(|_, _| {
        let (reader, writer) = io::pipe().map_err(Error::custom)?;
        // The pipe stays open, and nothing comes.
        Ok(Box::new(IoTransport::new(reader, io::sink()).on_end(move || drop(writer))))
    });
    let pool = ConnectionPool::builder("http://anywhere").dialer(dialer).retries(0).build().unwrap();
    is_stopped("stream", &stopped(pool.get("/")), Phase::Head);
}

/// A client's check holds for its requests, unless they have one of their own. It runs at no other time than in a wait.
#[test]
fn of_a_client() {
    let server = Server::new(vec![[answers(ok("fine"))].concat()]);
    let looks = Arc::new(AtomicUsize::new(0));
    let count = looks.clone();
    let check = move || {
        count.fetch_add(1, Ordering::SeqCst);
        Err(Error::custom(Stopped))
    };
    let session = Session::builder().check_with(check).build().unwrap();
    assert_eq!(session.get(server.url("/")).send().unwrap().text().unwrap(), "fine");
    assert_eq!(looks.load(Ordering::SeqCst), 0, "nothing took as long as a tick");
    let silent = Server::with(|_| vec![Step::Request, Step::UntilClosed]);
    let request = session.get(silent.url("/")).check_with(|| Err(Error::custom("the request's own")));
    let error = without_hanging(move || request.send()).unwrap_err();
    assert!(error.to_string().starts_with("the request's own"), "{error}");
    let request = session.get(silent.url("/"));
    let error = without_hanging(move || request.send()).unwrap_err();
    assert!(error.get_ref().unwrap().is::<Stopped>());
}

/// A server that is faster than the client never lets it wait. The check runs all the same.
#[test]
fn a_flood() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [&b"10000\r\n"[..], &[b'x'; 0x10000], b"\r\n"].concat();
    let server = Server::with(move |_| {
        vec![Step::Request, Step::Send(head.clone()), Step::Forever(vec![Step::Send(chunk.clone())])]
    });
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let request = pool.get("/").check_with(|| Err(Error::custom(Stopped)));
    let error = without_hanging(move || request.send()?.copy_to(&mut io::sink())).unwrap_err();
    assert!(error.get_ref().unwrap().is::<Stopped>(), "{error:?}");
    assert_eq!(pool.stats().open, 0);
}

/// A panic of the check is the caller's, and the slot comes back.
#[test]
fn a_panic() {
    let server = Server::with(|_| vec![Step::Request, Step::UntilClosed]);
    let pool = ConnectionPool::builder(server.url("")).limit(1).retries(0).build().unwrap();
    let request = pool.get("/").check_with(|| panic!("of the check"));
    let panicked = catch_unwind(AssertUnwindSafe(|| request.send())).unwrap_err();
    assert_eq!(panicked.downcast_ref(), Some(&"of the check"));
    assert_eq!((pool.stats().open, pool.stats().in_use), (0, 0));
}

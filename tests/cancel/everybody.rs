//! Ending all calls of a client, and closing it.

use std::thread::{self, JoinHandle};

use hostpool::{ConnectionPool, Error, ErrorKind, Phase, PoolManager, Retry, Session, Timeout};

use crate::support::{GIVE_UP, Server, Step, answers, eventually, ok, without_hanging};

type Call = JoinHandle<Result<Vec<u8>, Error>>;

/// Calls of one session that wait for the pool, for a head, for a body and for their next try.
fn waiting(session: &Session, server: &Server) -> Vec<(Phase, Call)> {
    let begin = |path: &str| {
        let request = session
            .get(server.url(path))
            .retries(Retry::new(1).status_forcelist([503]))
            .timeout(Timeout::new().pool(10 * GIVE_UP));
        thread::spawn(move || request.send()?.bytes())
    };
    let stats = || session.connector().unwrap().stats();
    let backoff = begin("/");
    eventually("the back-off", || stats().idle == 1 && server.seen.requests().len() == 1);
    let calls = [begin("/"), begin("/")];
    eventually("head and body", || server.seen.requests().len() == 3);
    let queued = begin("/");
    eventually("the queue", || stats().waiting == 1);
    let [head, body] = calls;
    vec![(Phase::Backoff, backoff), (Phase::Head, head), (Phase::Body, body), (Phase::Pool, queued)]
}

/// The first connection answers 503 and then nothing; the second sends half a body.
fn server() -> Server {
    let busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 60\r\n\r\n".to_vec();
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec();
    Server::with(move |n| match n {
        0 => vec![Step::Request, Step::Send(busy.clone()), Step::Request, Step::UntilClosed],
        1 => vec![Step::Request, Step::Send(half.clone()), Step::UntilClosed],
        _ => answers(ok("later")),
    })
}

fn session() -> Session {
    Session::builder().limit(2).build().unwrap()
}

#[test]
fn all_calls_are_cancelled() {
    let (server, session) = (server(), session());
    let calls = waiting(&session, &server);
    session.cancel_all();
    let mut phases = Vec::new();
    for (expected, call) in calls {
        let error = without_hanging(move || call.join().unwrap()).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Cancelled, "{expected:?}: {error:?}");
        assert!(error.to_string().starts_with("the call was cancelled: all calls of the client were cancelled ("));
        phases.push((expected, error.phase()));
    }
    // Which of the two got the half body is up to the scheduler.
    phases.iter_mut().for_each(|(expected, phase)| {
        if matches!((&expected, &phase), (Phase::Head, Phase::Body) | (Phase::Body, Phase::Head)) {
            *phase = *expected;
        }
    });
    assert!(phases.iter().all(|(expected, phase)| expected == phase), "{phases:?}");
    let stats = session.connector().unwrap().stats();
    assert_eq!((stats.in_use, stats.waiting, stats.dialing, stats.timeouts), (0, 0, 0, 0));
    assert_eq!(session.get(server.url("/")).send().unwrap().text().unwrap(), "later");
}

#[test]
fn a_close_ends_all_calls() {
    let (server, session) = (server(), session());
    let calls = waiting(&session, &server);
    session.close();
    for (phase, call) in calls {
        let error = without_hanging(move || call.join().unwrap()).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Closed, "{phase:?}: {error:?}");
    }
}

/// A dial that is cancelled with all others delivers nothing later.
#[cfg(target_os = "linux")]
#[test]
fn a_dial_is_cancelled() {
    let swallowing = crate::support::Swallowing::new();
    let pools = PoolManager::builder().retries(Retry::off()).build().unwrap();
    let request = pools.post(format!("http://{}/pay", swallowing.addr)).data("x");
    let call = thread::spawn(move || request.send());
    eventually("the dial", || pools.stats().dialing == 1);
    pools.cancel_all();
    let error = without_hanging(move || call.join().unwrap()).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Cancelled, Phase::Connect));
    assert!(!error.maybe_processed());
}

/// A call that is in the caller's own code meanwhile ends when it comes back.
#[test]
fn between_two_waits() {
    let server = Server::with(|_| answers(ok("fine")));
    let pools = PoolManager::new();
    let clone = pools.clone();
    let session = Session::builder()
        .connector(pools)
        .on_request(move |_| {
            clone.cancel_all();
            Ok(())
        })
        .build()
        .unwrap();
    let error = session.get(server.url("/")).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Cancelled, Phase::Pool));
    assert_eq!(server.seen.requests().len(), 0);
}

/// The calls of one pool of a manager end, and those of the others go on.
#[test]
fn one_pool_of_a_manager() {
    let script = |n| if n == 0 { vec![Step::Request, Step::UntilClosed] } else { answers(ok("later")) };
    let (one, other) = (Server::with(script), Server::with(script));
    let manager = PoolManager::builder().retries(Retry::off()).build().unwrap();
    let pool = manager.connection_from_url(one.url("/")).unwrap();
    let begin = |server: &Server| {
        let request = manager.get(server.url("/"));
        thread::spawn(move || request.send())
    };
    let calls = [begin(&one), begin(&other)];
    eventually("both", || one.seen.requests().len() == 1 && other.seen.requests().len() == 1);
    pool.cancel_all();
    let [first, second] = calls;
    assert!(without_hanging(move || first.join().unwrap()).unwrap_err().is_cancelled());
    assert!(!second.is_finished());
    manager.cancel_all();
    assert!(without_hanging(move || second.join().unwrap()).unwrap_err().is_cancelled());
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "later");
    let alone = ConnectionPool::builder(other.url("")).build().unwrap();
    alone.cancel_all();
    assert_eq!(alone.get("/").send().unwrap().text().unwrap(), "later");
}

//! A token that fires in each phase of a call, over real sockets.

use std::io::Read;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use hostpool::{
    Body, Bound, CancelToken, ConnectionPool, Error, ErrorKind, Phase, PoolManager, RequestBuilder, Retry, Session,
    Timeout,
};

use crate::support::{GIVE_UP, Server, Step, Swallowing, answers, eventually, ok, without_hanging};

/// A response whose body is a part of what it announces.
fn half() -> Step {
    Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec())
}

/// Sends the request in a thread, fires the token when `there` holds, and returns the error of the call.
fn cancelled_when(request: RequestBuilder, token: &CancelToken, what: &str, there: impl Fn() -> bool) -> Error {
    let call = thread::spawn(move || request.send()?.bytes());
    eventually(what, || there() || call.is_finished());
    token.cancel();
    without_hanging(move || call.join().unwrap()).unwrap_err()
}

#[track_caller]
fn cancelled(row: &str, error: &Error, phase: Phase) {
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Cancelled, phase), "{row}: {error:?}");
    assert!(error.is_cancelled() && !error.is_timeout() && !error.is_closed(), "{row}");
}

/// Nothing is sent, and no connection is opened.
#[test]
fn before_the_call() {
    let server = Server::with(|_| answers(ok("fine")));
    let (session, token) = (Session::new(), CancelToken::new());
    token.cancel();
    for request in [session.get(server.url("/")), session.post(server.url("/")).data("x")] {
        let error = request.cancel_with(&token).send().unwrap_err();
        cancelled("before", &error, Phase::Prepare);
        assert!(!error.maybe_processed());
        assert_eq!(
            error.to_string(),
            format!("the call was cancelled ({} {})", error.method().unwrap(), server.url("/"))
        );
    }
    assert_eq!((server.seen.accepted(), session.connector().unwrap().stats().created), (0, 0));
}

/// A caller in the queue leaves it, and those after it keep their place.
#[test]
fn in_the_queue() {
    let server = Server::with(|_| answers(ok("fine")));
    let pool = ConnectionPool::builder(server.url("")).limit(1).build().unwrap();
    let holder = pool.get("/held").send().unwrap();
    let token = CancelToken::new();
    let one = thread::spawn({
        let (pool, token) = (pool.clone(), token.clone());
        move || pool.get("/one").cancel_with(&token).timeout(GIVE_UP).send()
    });
    eventually("the first waiter", || pool.stats().waiting == 1);
    let other = thread::spawn({
        let pool = pool.clone();
        move || pool.get("/other").timeout(GIVE_UP).send()?.text()
    });
    eventually("the second waiter", || pool.stats().waiting == 2);
    token.cancel();
    let error = without_hanging(move || one.join().unwrap()).unwrap_err();
    cancelled("queue", &error, Phase::Pool);
    assert!(!error.maybe_processed());
    assert_eq!(pool.stats().timeouts, 0, "it is no timeout");
    drop(holder);
    assert_eq!(without_hanging(move || other.join().unwrap()).unwrap(), "fine");
    assert!(server.seen.requests().iter().all(|request| !request.starts_with("GET /one")));
}

/// The sleep between two tries ends at once, and there is no other try.
#[test]
fn between_two_tries() {
    let server = Server::with(|_| answers("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 60\r\n\r\n"));
    let pools = PoolManager::builder().build().unwrap();
    let token = CancelToken::new();
    let retry = Retry::new(3).status_forcelist([503]);
    let request = pools.get(server.url("/")).retries(retry).cancel_with(&token);
    let idle = || pools.stats().idle == 1 && server.seen.requests().len() == 1;
    let error = cancelled_when(request, &token, "the first answer", idle);
    cancelled("back-off", &error, Phase::Backoff);
    assert!(error.maybe_processed());
    assert_eq!((server.seen.requests().len(), error.retries().len()), (1, 1));
}

#[test]
fn while_connecting() {
    let swallowing = Swallowing::new();
    let pool = ConnectionPool::builder(format!("http://{}", swallowing.addr)).retries(0).build().unwrap();
    let token = CancelToken::new();
    let request = pool.post("/pay").data("x").cancel_with(&token);
    let error = cancelled_when(request, &token, "the dial", || pool.stats().dialing == 1);
    cancelled("connect", &error, Phase::Connect);
    assert!(!error.maybe_processed());
    assert_eq!((pool.stats().open, pool.stats().dial_failures), (0, 1));
}

#[cfg(feature = "rustls")]
#[test]
fn in_a_handshake() {
    let server = Server::with(|_| vec![Step::UntilClosed]);
    let pool = ConnectionPool::builder(format!("https://{}", server.addr)).retries(0).build().unwrap();
    let token = CancelToken::new();
    let request = pool.get("/").cancel_with(&token);
    let error = cancelled_when(request, &token, "the connection", || server.seen.accepted() == 1);
    // The client may not know yet that it is connected.
    assert!(matches!(error.phase(), Phase::Tls | Phase::Connect), "{error:?}");
    cancelled("TLS", &error, error.phase());
    assert_eq!(pool.stats().open, 0);
}

/// From here on the server may have acted on the request.
#[test]
fn while_the_server_is_silent() {
    type Row = (&'static str, Vec<Step>, fn(RequestBuilder) -> RequestBuilder, fn(&Server) -> bool, Phase);
    let table: [Row; 4] = [
        (
            "head",
            vec![Step::Request, Step::UntilClosed],
            |request| request,
            |server| server.seen.requests().len() == 1,
            Phase::Head,
        ),
        (
            "half a head",
            vec![Step::Request, Step::Send(b"HTTP/1.1 200 OK\r\nA: b\r\n".to_vec()), Step::UntilClosed],
            |request| request,
            |server| server.seen.requests().len() == 1,
            Phase::Head,
        ),
        (
            "100-continue",
            vec![Step::Head, Step::UntilClosed],
            |request| request.data("x").expect100(true).timeout(Timeout::new().expect(GIVE_UP)),
            |server| server.seen.heads.lock().unwrap().len() == 1,
            Phase::Head,
        ),
        (
            "an upload",
            vec![Step::Head, Step::Hold],
            |request| request.data(vec![0; 1 << 28]),
            |server| server.seen.heads.lock().unwrap().len() == 1,
            Phase::Send,
        ),
    ];
    for (row, script, shape, there, phase) in table {
        let server = Server::new(vec![script, answers(ok("next"))]);
        let pool = ConnectionPool::builder(server.url("")).retries(0).limit(1).build().unwrap();
        let token = CancelToken::new();
        let request = shape(pool.put("/").cancel_with(&token));
        let error = cancelled_when(request, &token, row, || there(&server));
        cancelled(row, &error, phase);
        assert_eq!(error.maybe_processed(), row != "100-continue", "{row}");
        assert_eq!(pool.stats().open, 0, "{row}");
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next", "{row}");
    }
}

/// Reads of a response are ended too, by whatever the caller reads it.
#[test]
fn in_the_body() {
    type Read = fn(hostpool::Response) -> Result<(), Error>;
    let reads: [(&str, Read); 3] = [
        ("bytes", |response| response.bytes().map(drop)),
        ("read", |mut response| {
            let mut all = Vec::new();
            response.read_to_end(&mut all).map(drop).map_err(Error::from)
        }),
        ("lines", |response| response.into_lines().try_for_each(|line| line.map(drop))),
    ];
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n".to_vec();
    let until_close = b"HTTP/1.1 200 OK\r\n\r\nhalf".to_vec();
    for head in [half(), Step::Send(chunked), Step::Send(until_close)] {
        for (row, read) in reads {
            let server = Server::new(vec![vec![Step::Request, head.clone(), Step::UntilClosed], answers(ok("next"))]);
            let pool = ConnectionPool::builder(server.url("")).limit(1).build().unwrap();
            let token = CancelToken::new();
            let response = pool.get("/").cancel_with(&token).send().unwrap();
            let (begin, begun) = channel();
            let reader = thread::spawn(move || {
                begin.send(()).unwrap();
                read(response)
            });
            begun.recv_timeout(GIVE_UP).unwrap();
            token.cancel();
            let error = without_hanging(move || reader.join().unwrap()).unwrap_err();
            cancelled(row, &error, Phase::Body);
            assert_eq!(pool.stats().open, 0, "{row}");
            assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next", "{row}");
        }
    }
}

/// The four answers are told apart.
#[test]
fn who_ended_the_call() {
    let server = Server::with(|_| vec![Step::Request, Step::UntilClosed]);
    let pool = ConnectionPool::builder(server.url("")).retries(0).build().unwrap();
    let short = Duration::from_millis(50);
    let never = CancelToken::new();
    let table = [
        ("token's deadline", CancelToken::with_timeout(short), Timeout::from(GIVE_UP), Bound::Token),
        ("total", CancelToken::with_timeout(GIVE_UP), Timeout::from(short), Bound::Total),
        ("total, no deadline", never, Timeout::from(short), Bound::Total),
        ("a phase's bound", CancelToken::with_timeout(GIVE_UP), Timeout::new().read(short).total(GIVE_UP), Bound::Read),
    ];
    for (row, token, timeout, bound) in table {
        let request = pool.get("/").cancel_with(&token).timeout(timeout);
        let error = without_hanging(move || request.send()).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Head), "{row}");
        assert!(error.is_timeout() && !error.is_cancelled(), "{row}");
    }
    // Both at once: the token comes first, fired or not.
    let token = CancelToken::with_timeout(Duration::ZERO);
    let request = |token: &CancelToken| pool.get("/").cancel_with(token).timeout(Duration::from_nanos(1));
    assert_eq!(request(&token).send().unwrap_err().kind(), &ErrorKind::Timeout(Bound::Token));
    token.cancel();
    assert_eq!(request(&token).send().unwrap_err().kind(), &ErrorKind::Cancelled);
}

/// A reader of the caller's own is waited for, and its call ends then.
#[test]
fn in_the_callers_own_reader() {
    struct Fires(CancelToken);

    impl Read for Fires {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            self.0.cancel();
            buf[0] = b'x';
            Ok(1)
        }
    }

    let server = Server::with(|_| vec![Step::Head, Step::UntilClosed]);
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let token = CancelToken::new();
    let request = pool.put("/").data(Body::reader(Fires(token.clone()))).cancel_with(&token);
    let error = without_hanging(move || request.send()).unwrap_err();
    cancelled("reader", &error, error.phase());
    assert_eq!(pool.stats().open, 0);
}

/// A redirect that came is not followed.
#[test]
fn after_a_redirect() {
    let redirect = "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n";
    let server = Server::with(move |_| answers(redirect));
    let token = CancelToken::new();
    let session = Session::builder()
        .on_request({
            let token = token.clone();
            move |request| {
                if request.url().path() == "/3" {
                    token.cancel();
                }
                Ok(())
            }
        })
        .build()
        .unwrap();
    let error = session.get(server.url("/3")).cancel_with(&token).send().unwrap_err();
    assert!(error.is_cancelled() && server.seen.requests().is_empty(), "{error:?}");
}

/// A token that a hook sets would end nothing, so it is refused. One that the request has already may be set again.
#[test]
fn a_token_of_a_hook() {
    let server = Server::with(|_| answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let token = CancelToken::new();
    let hook = token.clone();
    let session = Session::builder()
        .on_request(move |request| {
            request.cancel_with(&hook);
            Ok(())
        })
        .build()
        .unwrap();
    let error = session.get(server.url("/")).send().unwrap_err();
    assert!(*error.kind() == ErrorKind::InvalidRequest && server.seen.requests().is_empty(), "{error:?}");
    session.get(server.url("/")).cancel_with(&token).send().unwrap();
}

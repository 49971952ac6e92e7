//! What is tried again, how often and how soon: RETI, and kinds of failures by how far a request had come.

use std::io::{self, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::{Duration, Instant};

use hostpool::{
    Body, ConnectionPool, ErrorKind, Jitter, Method, Phase, PoolManager, RequestBuilder, Response, Result, Retry,
    RetryBudget, RetryCount, Session, Timeout,
};

use crate::scripts::{Refused, body, in_turn, line_server, outcome, redirect, reply, tried};
use crate::support::{GIVE_UP, Server, Step, answer, answers, eventually, ok, refusing};

fn busy() -> Vec<u8> {
    reply(503, "", "busy")
}

/// A 503 with this `Retry-After`.
fn later(value: &str) -> Vec<u8> {
    reply(503, &format!("Retry-After: {value}\r\n"), "later")
}

fn history(answered: &Result<Response>) -> Vec<String> {
    match answered {
        Ok(response) => tried(response.retries()),
        Err(error) => error.retries().iter().map(|past| format!("{:?}", past.cause())).collect(),
    }
}

/// Of the request, of its method and the first answer; how it ends, and how many requests that took.
type ByStatus = (&'static str, Retry, &'static str, Vec<u8>, &'static str, usize);

#[test]
fn by_status() {
    let teapot = || reply(418, "", "teapot");
    let listed = |retry: Retry| retry.status_forcelist([418]);
    let table: Vec<ByStatus> = vec![
        ("RETI-04 read", listed(Retry::new(3).read(1)), "GET", teapot(), "200", 2),
        ("RETI-04 total", listed(Retry::new(1)), "GET", teapot(), "200", 2),
        ("RETI-05", Retry::new(3).status_forcelist([413]), "GET", teapot(), "418", 1),
        ("RETI-07", listed(Retry::new(3)), "POST", teapot(), "418", 1),
        ("RETI-07 list", listed(Retry::new(3)).allowed_methods([Method::POST]), "GET", teapot(), "418", 1),
        ("RETI-07 listed", listed(Retry::new(3)).allowed_methods([Method::POST]), "POST", teapot(), "200", 2),
        ("RETI-07 any", listed(Retry::new(3)).any_method(), "POST", teapot(), "200", 2),
        ("RETI-08", 1.into(), "GET", teapot(), "418", 1),
        ("RETI-14 without a word", 1.into(), "GET", busy(), "503", 1),
        ("RETI-14 in the past", 1.into(), "GET", later("Sun, 06 Nov 1994 08:49:37 GMT"), "200", 2),
        ("RETI-14 zero", 1.into(), "GET", later("0"), "200", 2),
        ("RETI-14 no number", 1.into(), "GET", later("-1"), "503", 1),
        ("RETI-14 method", 1.into(), "POST", later("0"), "503", 1),
        ("RETI-14 not respected", Retry::new(3).respect_retry_after_header(false), "GET", later("0"), "503", 1),
        ("RETI-14 off", Retry::off(), "GET", later("0"), "503", 1),
        ("RETI-14 none left", 0.into(), "GET", later("0"), "503", 1),
        ("RETI-14 status off", Retry::new(3).status(RetryCount::Off), "GET", later("0"), "503", 1),
        ("a status below 400", Retry::new(3).status_forcelist([202]), "GET", reply(202, "", "soon"), "200", 2),
        ("HEAD", listed(Retry::new(3)), "HEAD", b"HTTP/1.1 418 Teapot\r\n\r\n".to_vec(), "200", 2),
        ("a 304", Retry::new(3).status_forcelist([304]), "GET", b"HTTP/1.1 304 Same\r\n\r\n".to_vec(), "200", 2),
    ];
    for (row, retry, method, first, expected, requests) in table {
        for preload in [true, false] {
            let last = if method == "HEAD" { b"HTTP/1.1 200 OK\r\n\r\n".to_vec() } else { ok("done") };
            let server = line_server([first.clone(), last]);
            let pool = ConnectionPool::builder(server.url("/")).maxsize(1).block(true).build().unwrap();
            let request = pool.urlopen(method.parse().unwrap(), "/p").preload_content(preload);
            let answered = request.retries(retry.clone()).send();
            assert_eq!(outcome(&answered), expected, "{row}");
            assert_eq!(server.seen.requests().len(), requests, "{row}");
            assert_eq!(server.seen.accepted(), 1, "{row}: all on one connection");
            let told = history(&answered);
            assert_eq!(told.len(), requests - 1, "{row}");
            drop(answered);
            assert_eq!(pool.stats().in_use, 0, "{row}");
        }
    }
}

#[test]
fn history_and_what_is_left() {
    let server = line_server([reply(418, "", "teapot"), ok("done")]);
    let pool = ConnectionPool::builder(server.url("/")).build().unwrap();
    let retry = Retry::new(2).status_forcelist([418]);
    let response = pool.urlopen(Method::GET, "/p?q").retries(retry.clone()).send().unwrap();
    assert_eq!(tried(response.retries()), ["GET /p?q 418"], "RETI-10 RSP-31");
    assert_eq!(response.retries().unwrap().total(), RetryCount::AtMost(1), "RETI-10");
    assert!(retry.history().is_empty(), "a policy is a value");
    let response = pool.urlopen(Method::GET, "/").retries(retry).send().unwrap();
    assert!(response.retries().is_none(), "RSP-31: nothing was tried again");
}

#[test]
fn statuses_that_do_not_pass() {
    let listed = || Retry::new(2).status_forcelist([500]);
    let table = [
        ("RETI-20 default", listed(), "Status(500)", 3),
        ("RETI-20 true", listed().raise_on_status(true), "Status(500)", 3),
        ("RETI-20 false", listed().raise_on_status(false), "500", 3),
        ("RETI-20 status", listed().status(1), "Status(500)", 2),
        ("RETI-20 none", Retry::new(0).status_forcelist([500]), "Status(500)", 1),
        ("RETI-20 off", Retry::off().status_forcelist([500]), "500", 1),
    ];
    for (row, retry, expected, requests) in table {
        let server = line_server([reply(500, "X-Id: 7\r\n", "sorry")]);
        let pool = ConnectionPool::builder(server.url("/")).retries(retry).maxsize(1).block(true).build().unwrap();
        let answered = pool.get("/").send();
        assert_eq!(outcome(&answered), expected, "{row}");
        assert_eq!(server.seen.requests().len(), requests, "{row}");
        match answered {
            Err(error) => {
                let head = error.head().unwrap();
                assert_eq!((head.headers().get("x-id"), head.body()), (Some("7"), &b"sorry"[..]), "{row}");
                assert_eq!(error.retries().len(), requests, "{row}: that of the last answer is told, too");
                assert!(error.maybe_processed(), "{row}");
            }
            Ok(response) => {
                let before = response.retries().map_or(0, |retry| retry.history().len());
                assert_eq!(before, requests - 1, "{row}: those before this one");
                assert_eq!(response.text().unwrap(), "sorry", "{row}");
            }
        }
        assert_eq!(pool.stats().in_use, 0, "{row}");
    }
}

/// What is waited for the first answer, by what it says.
#[test]
fn waits_that_a_server_asks_for() {
    let (milli, second) = (Duration::from_millis(1), Duration::from_secs(1));
    let short = || Retry::new(3).retry_after_max(milli);
    let moved = |value: &str| reply(303, &format!("Location: /there\r\nRetry-After: {value}\r\n"), "moved");
    let (future, past) = ("Sun, 06 Nov 2094 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT");
    let table: Vec<(&str, Retry, Vec<u8>, Duration)> = vec![
        ("RETI-14 429", short(), reply(429, "Retry-After: 1\r\n", ""), milli),
        ("RETI-14 503", Retry::new(3), later("1"), second),
        ("RETI-14 413", short(), reply(413, "Retry-After: 1\r\n", ""), milli),
        ("RETI-14 date", short(), later(future), milli),
        ("RETI-16 seconds", Retry::new(3), moved("1"), second),
        ("RETI-16 date", short(), moved(future), milli),
        ("RETI-16 past date", short(), moved(past), Duration::ZERO),
        ("RETI-16 no number", short(), moved("1.0"), Duration::ZERO),
        ("RETI-16 not respected", short().respect_retry_after_header(false), moved("1"), Duration::ZERO),
        ("zero, and a back-off", short().backoff_factor(second), later("0"), Duration::ZERO),
        ("in place of a back-off", short().status_forcelist([503]).backoff_factor(second), later("1"), milli),
    ];
    thread::scope(|scope| {
        for (row, retry, first, expected) in table {
            scope.spawn(move || {
                let server = line_server([first, ok("done")]);
                let pool = ConnectionPool::builder(server.url("/")).maxsize(1).block(true).build().unwrap();
                let started = Instant::now();
                let response = pool.urlopen(Method::GET, "/").retries(retry).send().unwrap();
                let waits: Vec<_> = response.retries().unwrap().history().iter().map(|past| past.waited()).collect();
                assert_eq!(waits, [expected], "{row}");
                assert!(started.elapsed() >= expected, "{row}");
                assert_eq!(response.text().unwrap(), "done", "{row}");
            });
        }
    });
}

/// A first connection that goes wrong, in front of good ones.
struct Fault {
    row: &'static str,
    first: Vec<Step>,
    request: fn(RequestBuilder) -> RequestBuilder,
    retry: Retry,
    expected: &'static str,
    /// Connections.
    accepted: usize,
}

fn get(request: RequestBuilder) -> RequestBuilder {
    request
}

fn cut() -> Vec<Step> {
    vec![Step::Request]
}

/// Breaks off inside the body.
fn torn() -> Vec<Step> {
    answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
}

fn silent() -> Vec<Step> {
    vec![Step::Request, Step::UntilClosed]
}

fn faults(method: &str) -> Vec<Fault> {
    let row = |row, first, request, retry, expected, accepted| Fault { row, first, request, retry, expected, accepted };
    let garbage = || answer("HTTP/0.5 200 OK\r\n\r\n");
    let torn_said = "IncompleteBody { received: 3, expected: Some(10) }";
    let (disconnected, status_line) = ("Disconnected", "Protocol(StatusLine)");
    let brief: fn(RequestBuilder) -> RequestBuilder = |request| request.timeout(Timeout::new().head(SOON));
    let any = || Retry::new(3).any_method();
    let keyed: fn(RequestBuilder) -> RequestBuilder = |request| request.header("Idempotency-Key", "7");
    let lazy: fn(RequestBuilder) -> RequestBuilder = |request| request.preload_content(false);
    let total: fn(RequestBuilder) -> RequestBuilder = |request| request.timeout(Timeout::new().total(SOON));
    match method {
        "GET" => vec![
            row("cut", cut(), get, 1.into(), "200", 2),
            row("cut, none left", cut(), get, 0.into(), disconnected, 1),
            row("cut, off", cut(), get, Retry::off(), disconnected, 1),
            row("cut, no reads", cut(), get, Retry::new(3).read(0), disconnected, 1),
            row("cut, reads off", cut(), get, Retry::new(3).read(RetryCount::Off), disconnected, 1),
            row("cut, other kinds", cut(), get, Retry::new(3).connect(0).status(0).other(0).redirect(0), "200", 2),
            row("reset", vec![Step::Request, Step::Reset], get, 1.into(), "200", 2),
            row("no HTTP", garbage(), get, 1.into(), "200", 2),
            row("no HTTP, none left", garbage(), get, 0.into(), status_line, 1),
            row("half a head", answer("HTTP/1.1 200 OK\r\nX: "), get, 1.into(), "200", 2),
            row("silence", silent(), brief, 1.into(), "200", 2),
            row("silence, none left", silent(), brief, 0.into(), "Timeout(Head)", 1),
            row("the end of all time", silent(), total, 3.into(), "Timeout(Total)", 1),
            row("a body that breaks off", torn(), get, 1.into(), "200", 2),
            row("a body that breaks off, none left", torn(), get, 0.into(), torn_said, 1),
            row("a body that breaks off later", torn(), lazy, 1.into(), "200", 1),
            row("broken chunks", chunks("zz\r\n"), get, 1.into(), "200", 2),
            row("too large a body", large(), |request| request.max_body(10), 3.into(), "LimitExceeded(Body)", 1),
        ],
        "POST" => vec![
            row("cut", cut(), get, 3.into(), disconnected, 1),
            row("cut, with a key", cut(), keyed, 1.into(), "200", 2),
            row("cut, any method", cut(), get, any(), "200", 2),
            row("no HTTP", garbage(), get, 3.into(), status_line, 1),
            row("silence", silent(), brief, 3.into(), "Timeout(Head)", 1),
            row("a body that breaks off", torn(), get, 3.into(), torn_said, 1),
            row("a body that breaks off, any method", torn(), get, any(), "200", 2),
        ],
        _ => vec![
            row("cut", cut(), get, 1.into(), "200", 2),
            row("cut, not listed", cut(), get, Retry::new(1).allowed_methods([Method::GET]), disconnected, 1),
        ],
    }
}

const SOON: Duration = Duration::from_millis(60);

fn chunks(framing: &str) -> Vec<Step> {
    answer(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{framing}"))
}

fn large() -> Vec<Step> {
    answer(ok(&"x".repeat(100)))
}

#[test]
fn by_how_far_the_request_had_come() {
    for method in ["GET", "POST", "PUT"] {
        for Fault { row, first, request, retry, expected, accepted } in faults(method) {
            let server = Server::new(vec![first, answers(ok("done"))]);
            let pool = ConnectionPool::builder(server.url("/")).maxsize(1).block(true).build().unwrap();
            let builder = request(pool.urlopen(method.parse().unwrap(), "/").data("sent").retries(retry));
            let answered = builder.send();
            assert_eq!(outcome(&answered), expected, "{method} {row}");
            assert_eq!(server.seen.accepted(), accepted, "{method} {row}");
            assert_eq!(pool.num_requests(), accepted as u64, "{method} {row}");
            if let Err(error) = &answered {
                assert!(error.maybe_processed(), "{method} {row}");
            } else if accepted == 2 {
                assert_eq!(history(&answered).len(), 1, "{method} {row}");
            }
            for sent in server.seen.requests() {
                assert_eq!(body(&sent), "sent", "{method} {row}");
            }
            drop(answered);
            assert_eq!(pool.stats().in_use, 0, "{method} {row}");
            assert_eq!(outcome(&pool.get("/").send()), "200", "{method} {row}: its place is free");
        }
    }
}

#[test]
fn before_a_byte_has_left() {
    let none = || Retry::new(3).read(0).status(0).other(0).redirect(0);
    // How often connecting is refused, how it ends, and how many connections were tried.
    let table = [
        ("once", "GET", 1, Retry::new(1), "200", 2),
        ("POST, whose method is not asked for", "POST", 2, Retry::new(2), "200", 3),
        ("by its own count", "POST", 3, none().connect(3), "200", 4),
        ("LIFE-35", "GET", 9, Retry::new(10).connect(3), "Connect", 4),
        ("RT-02", "GET", 9, Retry::new(2).connect(3), "Connect", 3),
        ("RT-03", "GET", 9, Retry::new(3).connect(2), "Connect", 3),
        ("LIFE-02 none", "GET", 9, Retry::new(0), "Connect", 1),
        ("none of its kind", "GET", 9, Retry::new(3).connect(0), "Connect", 1),
        ("off", "GET", 9, Retry::off(), "Connect", 1),
    ];
    for (row, method, times, retry, expected, tries) in table {
        let server = Server::new(vec![answers(ok("done"))]);
        let builder = ConnectionPool::builder(server.url("/")).dialer(Refused::times(times)).maxsize(1).block(true);
        let pool = builder.build().unwrap();
        // A reader is not begun, or not beyond its first piece, and can be sent.
        let request = pool.urlopen(method.parse().unwrap(), "/").data(Body::reader(Cursor::new("sent")));
        let answered = request.retries(retry).send();
        assert_eq!(outcome(&answered), expected, "{row}");
        assert_eq!(pool.num_requests(), tries, "{row}");
        assert_eq!(pool.stats().open, usize::from(expected == "200"), "{row}");
        match answered {
            Ok(_) => assert_eq!(body(&server.seen.requests()[0]), "sent", "{row}"),
            Err(error) => {
                assert_eq!((error.phase(), error.maybe_processed()), (Phase::Connect, false), "{row}");
                // Where there was a policy all tries are told, that which ended the call too.
                let told = if row == "off" { 1 } else { tries as usize };
                assert_eq!(error.retries().len(), told, "{row}");
            }
        }
    }
}

#[cfg(feature = "rustls")]
#[test]
fn handshakes() {
    let alert = |code| vec![Step::Bytes(1), Step::Send(vec![21, 3, 3, 0, 2, 2, code]), Step::UntilClosed];
    let (internal_error, handshake_failure) = (alert(80), alert(40));
    let table = [
        ("of their own kind", Retry::new(3).connect(0).read(0), &internal_error, 4),
        ("by its count", Retry::new(3).other(1), &internal_error, 2),
        ("none", Retry::new(3).other(0), &internal_error, 1),
        ("off", Retry::off(), &internal_error, 1),
        ("RW-31 the peer has decided", Retry::new(3), &handshake_failure, 1),
    ];
    for (row, retry, script, tries) in table {
        let server = Server::new(vec![script.clone()]);
        let url = format!("https://{}/", server.addr);
        let pool = ConnectionPool::builder(&url).retries(retry).maxsize(1).block(true).build().unwrap();
        let answered = pool.post("/").data("sent").send();
        assert_eq!(outcome(&answered), "Tls", "{row}");
        assert!(!answered.unwrap_err().maybe_processed(), "{row}");
        assert_eq!(server.seen.accepted(), tries, "{row}");
        assert_eq!(pool.stats().open, 0, "{row}");
    }
}

#[cfg(feature = "rustls")]
#[test]
fn encrypted_answers_that_break() {
    use crate::tls::{Authority, TlsServer};
    use std::io::Write;
    // A record that nobody sealed, in place of the answer.
    let table = [("RETI-22", "GET", 1.into(), "200", 2), ("RETI-22 POST", "POST", Retry::new(3), "Tls", 1)];
    for (row, method, retry, expected, accepted) in table {
        let authority = Authority::new();
        let server = TlsServer::new(authority.server(), |peer| {
            peer.request()?;
            if peer.number == 0 {
                return peer
                    .tcp
                    .write_all(&[23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
            }
            peer.send(ok("done"))?;
            peer.until_closed()
        });
        let pool = server.builder(&authority.trusted()).maxsize(1).block(true).build().unwrap();
        let answered = pool.urlopen(method.parse().unwrap(), "/").retries(retry).send();
        assert_eq!(outcome(&answered), expected, "{row}");
        assert_eq!(server.seen.accepted(), accepted, "{row}");
        assert_eq!(pool.stats().in_use, 0, "{row}");
    }
}

const LONG: usize = 64 * 1024;

fn long() -> Vec<u8> {
    (0..LONG).map(|number| number as u8 % 26 + b'a').collect()
}

#[test]
fn bodies() {
    let listed = || Retry::new(3).status_forcelist([503]);
    let seekable: fn() -> Body = || Body::seekable(Cursor::new(long()));
    let factory: fn() -> Body = || Body::factory(|| Ok(Cursor::new(long())), LONG as u64);
    let bytes: fn() -> Body = || Body::from(long());
    // Two pieces: the first is gone once the second is sent.
    let spent: fn() -> Body =
        || Body::reader(Cursor::new(long()).chain(Cursor::new(long())).chain(Cursor::new(long())));
    type Row<'a> = (&'a str, fn() -> Body, Vec<Step>, Retry, &'a str, usize);
    let table: Vec<Row<'_>> = vec![
        ("RETI-17", seekable, in_turn([busy(), ok("done")]), listed(), "200", 2),
        ("RETI-17 factory", factory, in_turn([busy(), ok("done")]), listed(), "200", 2),
        ("RETI-17 bytes", bytes, in_turn([busy(), ok("done")]), listed(), "200", 2),
        ("RETI-17 cut", seekable, cut(), Retry::new(1), "200", 2),
        ("RETI-19 status", spent, in_turn([busy(), ok("done")]), listed(), "503", 1),
        ("RETI-19 cut", spent, cut(), Retry::new(3), "Disconnected", 1),
    ];
    for (row, make, first, retry, expected, requests) in table {
        let server = Server::new(vec![first, answers(ok("done"))]);
        let pool = ConnectionPool::builder(server.url("/")).maxsize(1).block(true).build().unwrap();
        let answered = pool.urlopen(Method::PUT, "/").data(make()).retries(retry).send();
        assert_eq!(outcome(&answered), expected, "{row}");
        let arrived = server.seen.requests();
        assert_eq!(arrived.len(), requests, "{row}");
        let whole = String::from_utf8(long()).unwrap();
        let whole = if expected == "200" { whole } else { whole.repeat(3) };
        assert!(arrived.iter().all(|request| body(request) == whole), "{row}: all of it, each time");
    }
}

#[test]
fn body_pos() {
    let server = line_server([busy(), ok("done")]);
    let pool = ConnectionPool::builder(server.url("/")).build().unwrap();
    let request = pool.urlopen(Method::PUT, "/").data(Body::seekable(Cursor::new("head and body"))).body_pos(9);
    request.retries(Retry::new(1).status_forcelist([503])).send().unwrap();
    assert!(server.seen.requests().iter().all(|request| body(request) == "body"));
    assert_eq!(server.seen.requests().len(), 2);
    let refused = pool.put("/").data(Body::reader(Cursor::new("x"))).body_pos(1).send();
    assert!(matches!(refused.unwrap_err().kind(), ErrorKind::InvalidRequest));
}

#[test]
fn a_budget_of_many_clients() {
    let cutting = Server::new(vec![cut()]);
    let fine = line_server([redirect(302, "/there"), ok("done")]);
    let budget = RetryBudget::new(2);
    let client = || PoolManager::builder().retries(Retry::new(3).budget(&budget)).build().unwrap();
    let (one, other) = (client(), client());
    let ask = |client: &PoolManager, server: &Server| {
        let before = server.seen.requests().len();
        let said = outcome(&client.get(server.url("/")).send());
        (said, server.seen.requests().len() - before)
    };
    let disconnected = || "Disconnected".to_owned();
    assert_eq!(ask(&one, &cutting), (disconnected(), 3), "two of three retries");
    assert_eq!(ask(&other, &cutting), (disconnected(), 1), "nothing is left for the other");
    assert_eq!(ask(&other, &fine), ("200".into(), 2), "redirects take nothing");
    for _ in 0..7 {
        assert_eq!(ask(&one, &fine).0, "200");
    }
    // Nine calls are nine tenths, and this one is the tenth.
    assert_eq!(budget.left(), 0);
    assert_eq!(ask(&other, &cutting), (disconnected(), 2), "ten calls make up for one");
}

/// Waits that would outlast the call are not begun.
#[test]
fn waits_beyond_the_total() {
    let listed = || Retry::new(3).status_forcelist([503]);
    let total = Timeout::new().total(GIVE_UP);
    let table = [
        ("a Retry-After", listed(), later("3600"), "Status(503)"),
        ("answered", listed().raise_on_status(false), later("3600"), "503"),
        ("in no list", Retry::new(3), later("3600"), "503"),
        ("a back-off", listed().backoff_factor(GIVE_UP), busy(), "Status(503)"),
        ("a redirect's", Retry::new(3), reply(302, "Location: /\r\nRetry-After: 3600\r\n", ""), "TooManyRedirects"),
        (
            "a redirect's, answered",
            Retry::new(3).raise_on_redirect(false),
            reply(302, "Location: /\r\nRetry-After: 3600\r\n", ""),
            "302",
        ),
    ];
    for (row, retry, first, expected) in table {
        // The first retry after a back-off comes at once.
        let requests = if row == "a back-off" { 2 } else { 1 };
        let server = line_server([first]);
        let pool = ConnectionPool::builder(server.url("/")).maxsize(1).block(true).build().unwrap();
        let started = Instant::now();
        let answered = pool.get("/").retries(retry).timeout(total).send();
        assert_eq!(outcome(&answered), expected, "{row}");
        assert!(started.elapsed() < GIVE_UP, "{row}");
        assert_eq!(server.seen.requests().len(), requests, "{row}");
        drop(answered);
        assert_eq!(pool.stats().in_use, 0, "{row}");
    }
}

#[test]
fn sessions() {
    let hops = || [redirect(302, "/1"), redirect(302, "/2"), ok("done")];
    let server = Server::new(vec![in_turn(hops())]);
    let session = Session::builder().retries(0).build().unwrap();
    let response = session.get(server.url("/")).send().unwrap();
    assert_eq!(response.history().len(), 2, "redirects of a session have a count of their own");
    assert!(response.retries().is_none());

    // The first connection redirects and then answers nothing; the next one has more to say.
    let first = vec![Step::Request, Step::Send(redirect(302, "/1")), Step::Request];
    let table: [(&str, Option<Retry>, &str); 4] = [
        ("none by default", None, "Disconnected"),
        ("none", Some(0.into()), "Disconnected"),
        ("off, also for redirects", Some(Retry::off()), "302"),
        ("one", Some(1.into()), "200"),
    ];
    for (row, retry, expected) in table {
        let server = Server::new(vec![first.clone(), answers(ok("done"))]);
        // Without the silent replay of what an idle connection ends.
        let session = Session::builder().retry_stale(false).build().unwrap();
        let request = session.get(server.url("/"));
        let request = retry.into_iter().fold(request, |request, retry| request.retries(retry));
        let answered = request.send();
        assert_eq!(outcome(&answered), expected, "{row}");
        match answered {
            Ok(response) if expected == "302" => assert!(response.retries().is_none(), "{row}"),
            Ok(response) => {
                assert_eq!(tried(response.retries()), ["GET /1 Disconnected"], "{row}");
                assert_eq!((response.history().len(), response.url().target().as_str()), (1, "/1"), "{row}");
            }
            Err(error) => assert_eq!(error.history().len(), 1, "{row}"),
        }
    }
}

/// What a call has gone through, on a pool of one place, in front of another call.
type Before = (&'static str, Vec<Vec<Step>>, fn(&ConnectionPool) -> String, &'static str);

/// Panics where a body is read.
struct Panicking;

impl Read for Panicking {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        resume_unwind(Box::new("on purpose"))
    }
}

#[test]
fn one_place_is_enough() {
    let hop = || in_turn([redirect(302, "/there"), ok("done")]);
    fn send(request: RequestBuilder) -> String {
        outcome(&request.send())
    }
    let table: Vec<Before> = vec![
        ("C73 redirect", vec![hop()], |pool| send(pool.get("/")), "200"),
        ("C73 redirect that is not the last", vec![hop()], |pool| send(pool.get("/").retries(0)), "TooManyRedirects"),
        ("C73 redirect, not followed", vec![hop()], |pool| send(pool.get("/").allow_redirects(false)), "302"),
        (
            "C73 status",
            vec![in_turn([busy(), ok("done")])],
            |pool| send(pool.get("/").retries(Retry::new(1).status_forcelist([503]))),
            "200",
        ),
        (
            "C73 status, the last",
            vec![in_turn([busy(), ok("done")])],
            |pool| send(pool.get("/").retries(Retry::new(0).status_forcelist([503]))),
            "Status(503)",
        ),
        ("C73 error", vec![cut(), answers(ok("done"))], |pool| send(pool.get("/")), "200"),
        (
            "C73 error, the last",
            vec![cut(), answers(ok("done"))],
            |pool| send(pool.get("/").retries(0)),
            "Disconnected",
        ),
        ("C73 preload", vec![answers(ok("done"))], |pool| send(pool.urlopen(Method::GET, "/")), "200"),
        (
            "C73 preload of a body that breaks off",
            vec![torn(), answers(ok("done"))],
            |pool| send(pool.urlopen(Method::GET, "/")),
            "200",
        ),
        ("C73 dropped", vec![answers(ok("done"))], |pool| send(pool.get("/")), "200"),
        ("C73 released", vec![answers(ok("done"))], |pool| send(pool.get("/").release_conn(true)), "200"),
        (
            "C73 a body read to its end",
            vec![answers(ok("done"))],
            |pool| pool.get("/").send().unwrap().text().unwrap(),
            "done",
        ),
        (
            "C73 a body that is not there",
            vec![torn(), answers(ok("done"))],
            |pool| format!("{:?}", pool.get("/").send().unwrap().text().map_err(|error| error.phase())),
            "Err(Body)",
        ),
        (
            "C73 panic",
            vec![answers(ok("done"))],
            |pool| {
                let request = || send(pool.post("/").data(Body::sized(io::empty().chain(Panicking), 10)));
                format!("{}", catch_unwind(AssertUnwindSafe(request)).is_err())
            },
            "true",
        ),
        (
            "C73 panic, later",
            vec![vec![Step::Head, Step::UntilClosed], answers(ok("done"))],
            |pool| {
                let request =
                    || send(pool.post("/").data(Body::reader(Cursor::new(vec![b'x'; 1 << 20]).chain(Panicking))));
                format!("{}", catch_unwind(AssertUnwindSafe(request)).is_err())
            },
            "true",
        ),
        (
            "C73 refused by the client",
            vec![answers(ok("done"))],
            |pool| send(pool.get("http://other.example/")),
            "HostChanged",
        ),
    ];
    for (row, scripts, call, expected) in table {
        let server = Server::new(scripts);
        let builder = ConnectionPool::builder(server.url("/")).maxsize(1).block(true).pool_timeout(Duration::ZERO);
        let pool = builder.build().unwrap();
        assert_eq!(call(&pool), expected, "{row}");
        assert_eq!(pool.stats().in_use, 0, "{row}");
        assert_eq!(send(pool.get("/").allow_redirects(false)).len(), 3, "{row}: a status");
    }
    // A dial that fails leaves its place, too.
    let server = Server::new(vec![answers(ok("done"))]);
    let builder = ConnectionPool::builder(server.url("/")).dialer(Refused::times(1)).maxsize(1).block(true);
    let pool = builder.pool_timeout(Duration::ZERO).build().unwrap();
    assert_eq!(send(pool.get("/").retries(0)), "Connect", "C73 dial");
    assert_eq!(send(pool.get("/")), "200", "C73 dial");
}

/// Waits that have begun end with the client, and with a pool of it; with the error that says so.
#[test]
fn waits_end_when_the_client_is_closed() {
    type Closing = (&'static str, Retry, Vec<u8>, fn(&PoolManager, &ConnectionPool), bool);
    let (patient, listed) = (|| Retry::new(3).retry_after_max(GIVE_UP), || Retry::new(3).status_forcelist([503]));
    let moved = || reply(302, "Location: /\r\nRetry-After: 3600\r\n", "");
    let backoff = || listed().backoff_factor(3 * GIVE_UP).jitter(Jitter::Equal);
    let table: Vec<Closing> = vec![
        ("a Retry-After", patient(), later("3600"), |http, _| http.close(), false),
        ("a back-off", backoff(), busy(), |http, _| http.close(), false),
        ("a redirect's", patient(), moved(), |http, _| http.close(), false),
        ("by its pool", patient(), later("3600"), |http, _| http.close(), true),
        ("of its pool", patient(), later("3600"), |_, pool| pool.close(), true),
        ("of its pool, a back-off", backoff(), busy(), |_, pool| pool.close(), true),
    ];
    for (row, retry, first, close, by_pool) in table {
        let script = vec![Step::Request, Step::Send(first), Step::Tell("answered"), Step::UntilClosed];
        let server = Server::new(vec![script]);
        let http = PoolManager::builder().retries(retry).build().unwrap();
        let pool = http.connection_from_url(server.url("/")).unwrap();
        let started = Instant::now();
        thread::scope(|scope| {
            let call = scope.spawn(|| if by_pool { pool.get("/").send() } else { http.get(server.url("/")).send() });
            server.wait_for("answered");
            // Whoever waits has given the connection back before.
            eventually(row, || http.stats().idle == 1);
            close(&http, &pool);
            let error = call.join().unwrap().unwrap_err();
            assert!(error.is_closed() && error.maybe_processed(), "{row}: {error}");
            assert_eq!(error.retries().len(), 1, "{row}: why it waited is told");
        });
        assert!(started.elapsed() < GIVE_UP, "{row}");
        assert_eq!((server.seen.requests().len(), http.stats().open), (1, 0), "{row}");
    }
}

/// What is said names what went wrong, and nothing that did not.
#[test]
fn what_errors_say() {
    let (_port, nobody) = refusing();
    let server = Server::new(vec![silent(), in_turn([reply(500, "", "sorry")])]);
    let listed = Retry::new(1).status_forcelist([500]);
    let pool = ConnectionPool::builder(server.url("/")).build().unwrap();
    let alone = ConnectionPool::builder(format!("http://{nobody}")).build().unwrap();
    let table = [
        ("RT-20 read timeout", pool.get("/").timeout(Timeout::new().head(SOON)).retries(0), vec!["head", "timeout"]),
        ("RT-20 500", pool.get("/").retries(listed), vec!["500"]),
        ("RT-20 connect", alone.get("/").retries(1), vec!["connecting", "refused"]),
    ];
    for (row, request, words) in table {
        let error = request.send().unwrap_err();
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        let said: String = causes.map(|cause| format!("{cause}; ")).collect();
        for word in words {
            assert!(said.contains(word), "{row}: {said}");
        }
        assert!(!said.contains("redirect"), "{row}: {said}");
    }
}

//! Bodies from readers that break, requests that ask before they send, and answers that come too early: rows A4.3,
//! A4.4, A7.11, A7.13, A19.3, C30, C31, C33, C34, C35 and C37.

use std::io::{self, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::Duration;

use hostpool::{Body, CloseReason, ConnectionPool, ErrorKind, Phase, Timeout};

use crate::invariants::{exclusive, presentable, settled};
use crate::support::{GIVE_UP, Gate, Server, Step, answer, answers, eventually, ok};

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).retries(hostpool::Retry::off()).limit(1).timeout(GIVE_UP).build().unwrap()
}

/// Gives these bytes, and then this.
struct Then<F>(Cursor<Vec<u8>>, F);

impl<F: FnMut() -> io::Result<usize>> Read for Then<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buf)? {
            0 => (self.1)(),
            len => Ok(len),
        }
    }
}

fn then<F: FnMut() -> io::Result<usize>>(bytes: impl Into<Vec<u8>>, then: F) -> Then<F> {
    Then(Cursor::new(bytes.into()), then)
}

/// What a body does that ends its request, and what of the body may have left by then.
struct Broken {
    id: &'static str,
    body: Body,
    kind: ErrorKind,
    left: &'static [u8],
}

fn run_broken(row: Broken) {
    let Broken { id, body, kind, left } = row;
    let server = Server::new(vec![vec![Step::Head, Step::Rest], answer(ok("good"))]);
    let pool = pool(&server);
    let error = pool.put("/").data(body).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&kind, Phase::Send), "{id}");
    presentable(id, &error);
    let is_io = std::error::Error::source(&error).is_some_and(|source| source.is::<io::Error>());
    assert_eq!(is_io, kind == ErrorKind::BodyRead, "{id}");
    // What breaks at the first read has not come to a connection.
    let connections = usize::from(!left.is_empty());
    assert_eq!(pool.stats().closed(CloseReason::Failed), connections as u64, "{id}");
    assert_eq!(error.maybe_processed(), connections > 0, "{id}");
    eventually("the connection", || server.seen.accepted() == connections);
    settled(id, pool.stats());
    eventually("the end of the connection", || server.seen.open() == 0);
    let expected = if left.is_empty() { vec![] } else { vec![left.to_vec()] };
    assert_eq!(server.seen.rest(), expected, "{id}");
    if connections > 0 {
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good", "{id}");
        settled(id, pool.stats());
    }
}

#[test]
fn bodies_that_break() {
    let fails = || Err(io::ErrorKind::PermissionDenied.into());
    let length = |declared, read| ErrorKind::body_length(declared, read);
    let large = vec![b'x'; 300_000];
    let row = |id, body, kind, left| Broken { id, body, kind, left };
    let table = vec![
        row("A4.3 too many", Body::sized(Cursor::new("12345"), 3), length(3, 4), b""),
        row("A4.4 C34 too few", Body::sized(Cursor::new("12"), 3), length(3, 2), b"12"),
        row("C34 none", Body::sized(io::empty(), 3), length(3, 0), b""),
        row("fails at once", Body::reader(then("", fails)), ErrorKind::BodyRead, b""),
        row("fails midway, chunked", Body::reader(then("ab", fails)), ErrorKind::BodyRead, b"2\r\nab\r\n"),
        row("fails midway, by length", Body::sized(then("ab", fails), 9), ErrorKind::BodyRead, b"ab"),
    ];
    let exclusive = exclusive();
    for row in table {
        exclusive.row(row.id, move || run_broken(row));
    }
    // More than a piece: what leaves is only ever a part.
    let too_many = (Body::sized(Cursor::new(large.clone()), 299_999), 299_999);
    for (body, declared) in [too_many, (Body::sized(then(large, fails), 400_000), 400_000)] {
        exclusive.row("C34 a large one", move || {
            let server = Server::new(vec![vec![Step::Head, Step::Rest], answer(ok("good"))]);
            let pool = pool(&server);
            pool.put("/").data(body).send().unwrap_err();
            eventually("the connection ends", || server.seen.rest().len() == 1);
            assert!(server.seen.rest()[0].len() < declared);
            settled("C34", pool.stats());
        });
    }
}

/// Rows C33 and A19.3: a reader that panics costs its request alone.
#[test]
fn a_reader_that_panics() {
    let exclusive = exclusive();
    exclusive.row("C33 at once", || {
        let server = Server::new(vec![answers(ok("good"))]);
        let pool = pool(&server);
        let body = Body::reader(then("", || resume_unwind(Box::new("in the reader"))));
        catch_unwind(AssertUnwindSafe(|| pool.put("/").data(body).send())).unwrap_err();
        assert_eq!(pool.stats().created, 0);
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good");
        settled("C33", pool.stats());
    });
    for (id, first) in [("C33 behind a read", "ab"), ("C33 behind a byte", "a")] {
        exclusive.row(id, move || {
            let server = Server::new(vec![vec![Step::Head, Step::Rest], answers(ok("good"))]);
            let pool = pool(&server);
            let go = Gate::default();
            let body = Body::reader(then(first, {
                let (pool, go) = (pool.clone(), go.clone());
                move || {
                    // Somebody waits for the only place by now.
                    go.open();
                    eventually("the next in line", || pool.stats().waiting == 1);
                    // Without the message of a panic that nobody expected.
                    resume_unwind(Box::new("in the reader"))
                }
            }));
            let waiter = thread::spawn({
                let pool = pool.clone();
                move || {
                    eventually("the place is taken", || go.try_pass());
                    pool.get("/").send().unwrap().text().unwrap()
                }
            });
            let panicked = catch_unwind(AssertUnwindSafe(|| pool.put("/").data(body).send())).unwrap_err();
            assert_eq!(panicked.downcast_ref::<&str>(), Some(&"in the reader"));
            assert_eq!(waiter.join().unwrap(), "good");
            settled(id, pool.stats());
            assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good");
            assert!(server.seen.rest().iter().all(|rest| !rest.ends_with(b"0\r\n\r\n")), "no end was sent for it");
        });
    }
}

/// Rows C30, C31 and A7.13: a refusal before the end ends the upload. After any other response it goes on (RW-01).
#[test]
fn an_answer_before_the_end_of_an_endless_body() {
    let table = [
        ("C30 413 and close", "413 Content Too Large\r\nConnection: close", vec![]),
        ("C31 413, kept alive, nothing is read", "413 Content Too Large", vec![Step::Hold]),
    ];
    let exclusive = exclusive();
    for (id, line, after) in table {
        exclusive.row(id, move || {
            let response = format!("HTTP/1.1 {line}\r\nContent-Length: 6\r\n\r\nenough");
            let script = [vec![Step::Bytes(100_000), Step::Send(response.into())], after].concat();
            let server = Server::new(vec![script, answer(ok("good"))]);
            let pool = pool(&server);
            let gigabyte = Body::reader(io::repeat(7).take(1 << 30));
            let response = pool.put("/").data(gigabyte).send().unwrap();
            assert!(line.starts_with(response.status().as_str()), "{id}");
            assert_eq!(response.text().unwrap(), "enough", "{id}");
            assert_eq!(pool.stats().closed(CloseReason::NotReusable), 1, "{id}: half a request was sent");
            assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good", "{id}");
            assert_eq!(server.seen.accepted(), 2, "{id}");
            settled(id, pool.stats());
        });
    }
}

/// How a server answers a question, and what becomes of the body.
struct Asked {
    id: &'static str,
    script: Vec<Step>,
    status: u16,
    sent: bool,
    kept: bool,
}

fn run_asked(row: Asked) {
    let Asked { id, script, status, sent, kept } = row;
    let server = Server::new(vec![[vec![Step::Head], script].concat(), answers(ok("good"))]);
    let pool = pool(&server);
    // Where a word comes it is not the end of the wait that lets the body go.
    let wait = if id.contains("C35") { Duration::from_millis(50) } else { 2 * GIVE_UP };
    let timeout = Timeout::new().read(GIVE_UP).expect(wait);
    let request = pool.put("/").header("X-Id", "1").data("the body").expect100(true).timeout(timeout);
    let response = request.send().unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(response.status().as_u16(), status, "{id}");
    drop(response);
    assert_eq!(pool.get("/").send().unwrap().status(), 200, "{id}");
    assert_eq!(server.seen.accepted(), if kept { 1 } else { 2 }, "{id}");
    settled(id, pool.stats());
    eventually("the body", || !sent || server.seen.rest() == [b"the body".to_vec()]);
    if !sent {
        eventually("the connection ends", || server.seen.rest().len() == 1);
        assert_eq!(server.seen.rest(), [b"".to_vec()], "{id}: nothing of the body");
    }
}

#[test]
fn asking_before_sending() {
    let word = |text: &str| Step::Send(format!("HTTP/1.1 {text}\r\n\r\n").into());
    let half = |text: &str| Step::Send(text.into());
    let body = || Step::Record(8);
    let end = || [vec![Step::Send(ok("end"))], answers(ok("good"))].concat();
    let refused =
        |line: &str| vec![Step::Send(format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n").into()), Step::Rest];
    let row = |id, script: Vec<Step>, status, sent| Asked { id, script, status, sent, kept: sent };
    let table = vec![
        row("100", [vec![word("100 Continue"), body()], end()].concat(), 200, true),
        row("103, 100", [vec![word("103 Early Hints"), word("100 Continue"), body()], end()].concat(), 200, true),
        row("C35 silence", [vec![body()], end()].concat(), 200, true),
        row("C35 half a word", [vec![half("HTTP/1.1 1"), body(), half("00 Go\r\n\r\n")], end()].concat(), 200, true),
        row("A7.11 C37 401", refused("401 Unauthorized"), 401, false),
        row("A7.11 C37 200", refused("200 OK"), 200, false),
        row("103, then 413", [vec![word("103 Early Hints")], refused("413 Content Too Large")].concat(), 413, false),
    ];
    let exclusive = exclusive();
    for row in table {
        exclusive.row(row.id, move || run_asked(row));
    }
}

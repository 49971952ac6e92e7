//! Bodies of requests on their way: every kind of reader, asking before sending, and everything that can go wrong.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use hostpool::{Body, CloseReason, ConnectionPool, ErrorKind, Phase, Timeout};

use crate::support::{PATIENCE, Server, Step, answer, answers, eventually, header, ok};

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(&server.url("")).limit(1).timeout(PATIENCE).build().unwrap()
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

fn split(request: &str) -> (&str, &str) {
    request.split_once("\r\n\r\n").expect("a head")
}

#[test]
fn every_kind_arrives_as_it_is() {
    let large = "0123456789".repeat(50_000);
    let mut file = tempfile::tempfile().unwrap();
    write!(file, "skipped{large}").unwrap();
    file.seek(SeekFrom::Start(7)).unwrap();
    let mut cursor = Cursor::new(format!("##{large}"));
    cursor.set_position(2);
    let made = large.clone();
    let bytes = |text: &str| Cursor::new(text.to_owned());
    let length = Some(large.len().to_string());
    let table = [
        ("bytes", Body::from(&large), &large, length.clone()),
        ("a reader", Body::reader(bytes(&large)), &large, None),
        ("a short reader", Body::reader(bytes("short")), &"short".to_owned(), None),
        ("an empty reader", Body::reader(io::empty()), &String::new(), None),
        ("of known length", Body::sized(bytes(&large), large.len() as u64), &large, length.clone()),
        ("of no length", Body::sized(io::empty(), 0), &String::new(), Some("0".into())),
        ("seekable", Body::seekable(cursor), &large, length.clone()),
        ("a file", Body::from(file), &large, length.clone()),
        ("an empty file", Body::from(tempfile::tempfile().unwrap()), &String::new(), Some("0".into())),
        ("a factory", Body::factory(move || Ok(Cursor::new(made.clone())), None), &large, None),
    ];
    let server = Server::new(vec![answers(ok("got it"))]);
    let pool = pool(&server);
    for (at, (id, body, expected, length)) in table.into_iter().enumerate() {
        assert_eq!(pool.put("/").data(body).send().unwrap().text().unwrap(), "got it", "{id}");
        let requests = server.seen.requests();
        let (_, body) = split(&requests[at]);
        assert!(body == expected, "{id}: {} bytes", body.len());
        assert_eq!(header(&requests[at], "Content-Length"), length.as_deref(), "{id}");
        let coding = if length.is_none() { Some("chunked") } else { None };
        assert_eq!(header(&requests[at], "Transfer-Encoding"), coding, "{id}");
    }
    assert_eq!(server.seen.accepted(), 1, "one connection for all of them");
}

/// The system says that such a file has no bytes.
#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_made_up_as_it_is_read() {
    let server = Server::new(vec![answer(ok(""))]);
    let file = File::open("/proc/self/status").unwrap();
    pool(&server).post("/").data(file).send().unwrap();
    let requests = server.seen.requests();
    assert!(split(&requests[0]).1.starts_with("Name:"), "{requests:?}");
}

#[test]
fn the_users_length_for_a_reader_without_one() {
    let server = Server::new(vec![answers(ok(""))]);
    let pool = pool(&server);
    let send = |length: &str| {
        let body = Body::reader(Cursor::new("12345"));
        pool.post("/").header("Content-Length", length).data(body).send().map_err(|error| error.kind().clone())
    };
    send("5").unwrap();
    assert_eq!(header(&server.seen.requests()[0], "Transfer-Encoding"), None);
    assert_eq!(send("3").unwrap_err(), ErrorKind::BodyLength { declared: 3, read: 4 });
    assert_eq!(send("7").unwrap_err(), ErrorKind::BodyLength { declared: 7, read: 5 });
    assert!(matches!(send("x").unwrap_err(), ErrorKind::InvalidHeader(_)));
}

/// What a body does that ends its request, and what of the body may have left by then.
struct Broken {
    id: &'static str,
    body: Body,
    kind: ErrorKind,
    left: &'static [u8],
}

fn check_broken(row: Broken) {
    let Broken { id, body, kind, left } = row;
    let server = Server::new(vec![vec![Step::Head, Step::Rest], answer(ok("good"))]);
    let pool = pool(&server);
    let error = pool.put("/").data(body).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&kind, Phase::Send), "{id}");
    let is_io = std::error::Error::source(&error).is_some_and(|source| source.is::<io::Error>());
    assert_eq!(is_io, kind == ErrorKind::BodyRead, "{id}");
    let stats = pool.stats();
    assert_eq!((stats.open, stats.in_use, stats.closed(CloseReason::Failed)), (0, 0, 1), "{id}");
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good", "{id}");
    assert_eq!(server.seen.accepted(), 2, "{id}");
    let seen = server.seen.rest();
    // With nothing of the body the head has not left either.
    assert_eq!(seen, if left.is_empty() { vec![] } else { vec![left.to_vec()] }, "{id}");
}

#[test]
fn bodies_that_break() {
    let fails = || Err(io::ErrorKind::PermissionDenied.into());
    let length = |declared, read| ErrorKind::BodyLength { declared, read };
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
    table.into_iter().for_each(check_broken);
    // More than a piece: what leaves is only ever a part.
    let too_many = (Body::sized(Cursor::new(large.clone()), 299_999), 299_999);
    for (body, declared) in [too_many, (Body::sized(then(large, fails), 400_000), 400_000)] {
        let server = Server::new(vec![vec![Step::Head, Step::Rest], answer(ok("good"))]);
        let pool = pool(&server);
        pool.put("/").data(body).send().unwrap_err();
        eventually("the connection ends", || server.seen.rest().len() == 1);
        assert!(server.seen.rest()[0].len() < declared);
    }
}

/// Rows C33 and A19.3: a reader that panics costs its request alone.
#[test]
fn a_reader_that_panics() {
    for first in ["", "ab"] {
        let server = Server::new(vec![vec![Step::Head, Step::Rest], answers(ok("good"))]);
        let pool = pool(&server);
        let body = Body::reader(then(first, || panic!("in the reader")));
        // Somebody waits for the only place meanwhile.
        let waiter = std::thread::spawn({
            let pool = pool.clone();
            move || {
                eventually("the place is taken", || pool.stats().in_use == 1 || pool.stats().created > 0);
                pool.get("/").send().unwrap().text().unwrap()
            }
        });
        let panicked = catch_unwind(AssertUnwindSafe(|| pool.put("/").data(body).send())).unwrap_err();
        assert_eq!(panicked.downcast_ref::<&str>(), Some(&"in the reader"));
        assert_eq!(waiter.join().unwrap(), "good");
        assert_eq!((pool.stats().in_use, pool.stats().waiting), (0, 0));
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good");
        assert!(server.seen.rest().iter().all(|rest| !rest.ends_with(b"0\r\n\r\n")), "no end was sent for it");
    }
}

#[test]
fn a_reader_that_cannot_seek() {
    struct Unseekable;
    impl Read for Unseekable {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
    }
    impl Seek for Unseekable {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
    let server = Server::new(vec![answer(ok(""))]);
    let error = pool(&server).post("/").data(Body::seekable(Unseekable)).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::BodyRead, Phase::Prepare));
    assert_eq!((server.seen.accepted(), error.maybe_processed()), (0, false));
}

/// Rows C30, C31 and A7.13: an answer before the end ends the upload.
#[test]
fn an_answer_before_the_end_of_an_endless_body() {
    let table = [
        ("C30 413 and close", "413 Content Too Large\r\nConnection: close", vec![]),
        ("C31 200, kept alive, nothing is read", "200 OK", vec![Step::UntilClosed]),
    ];
    for (id, line, after) in table {
        let response = format!("HTTP/1.1 {line}\r\nContent-Length: 5\r\n\r\nenough");
        let script = [vec![Step::Bytes(100_000), Step::Send(response[..response.len() - 1].into())], after].concat();
        let server = Server::new(vec![script, answer(ok("good"))]);
        let pool = pool(&server);
        let gigabyte = Body::reader(io::repeat(7).take(1 << 30));
        let response = pool.put("/").data(gigabyte).send().unwrap();
        assert!(line.starts_with(response.status().as_str()), "{id}");
        drop(response);
        assert_eq!((pool.stats().open, pool.stats().in_use), (0, 0), "{id}: half a request was sent");
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good", "{id}");
        assert_eq!(server.seen.accepted(), 2, "{id}");
    }
}

/// A part of an answer says nothing yet; whoever has sent it may want the whole body first.
#[test]
fn half_an_answer_does_not_hold_the_body_up() {
    let size = 1 << 20;
    let server = Server::new(vec![vec![
        Step::Head,
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()),
        Step::Record(size),
        Step::Send(b"ngth: 4\r\n\r\ndone".to_vec()),
    ]]);
    let response = pool(&server).put("/").data(vec![7; size]).send().unwrap();
    assert_eq!(response.text().unwrap(), "done");
}

/// How a server answers a question, and what becomes of the body.
struct Asked {
    id: &'static str,
    script: Vec<Step>,
    status: u16,
    sent: bool,
    kept: bool,
}

fn check_asked(row: Asked) {
    let Asked { id, script, status, sent, kept } = row;
    let server = Server::new(vec![[vec![Step::Head], script].concat(), answers(ok("good"))]);
    let pool = pool(&server);
    let timeout = Timeout::new().read(PATIENCE).expect(Duration::from_millis(50));
    let request = pool.put("/").header("X-Id", "1").data("the body").expect100(true).timeout(timeout);
    let response = request.send().unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(response.status().as_u16(), status, "{id}");
    drop(response);
    assert_eq!(pool.get("/").send().unwrap().status(), 200, "{id}");
    assert_eq!(server.seen.accepted(), if kept { 1 } else { 2 }, "{id}");
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
        row("A7.11 C37 417", refused("417 Expectation Failed"), 417, false),
        row("A7.11 C37 401", refused("401 Unauthorized"), 401, false),
        row("A7.11 C37 200", refused("200 OK"), 200, false),
        row("103, then 413", [vec![word("103 Early Hints")], refused("413 Content Too Large")].concat(), 413, false),
    ];
    table.into_iter().for_each(check_asked);
}

//! Bodies of requests on their way. What can go wrong with them is with the other faults (`tests/faults/readers.rs`).

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use hostpool::{Body, Bound, ConnectionPool, ErrorKind, Phase};

use crate::support::{GIVE_UP, Server, Step, answer, answers, eventually, header, ok};

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).limit(1).timeout(GIVE_UP).build().unwrap()
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
    assert_eq!(send("3").unwrap_err(), ErrorKind::body_length(3, 4));
    assert_eq!(send("7").unwrap_err(), ErrorKind::body_length(7, 5));
    assert!(matches!(send("x").unwrap_err(), ErrorKind::InvalidHeader(_)));
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

/// Does something, and gives these bytes then.
struct After<F>(Option<F>, Cursor<&'static [u8]>);

impl<F: FnOnce()> Read for After<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(act) = self.0.take() {
            act();
        }
        self.1.read(buf)
    }
}

fn after<F: FnOnce() + Send + 'static>(act: F) -> After<F> {
    After(Some(act), Cursor::new(b"body"))
}

/// While a reader makes up its mind the idle connection may end, or be spoken on. Nothing has left by then: whatever
/// the method, the request goes out on another, and what was said is nobody's answer.
#[test]
fn what_happens_to_an_idle_connection_while_the_reader_thinks() {
    let table = [
        ("FIN", vec![Step::HalfClose, Step::Tell("done"), Step::UntilClosed]),
        ("RST", vec![Step::Tell("done"), Step::Reset]),
        ("a response", vec![Step::Send(ok("evil")), Step::Tell("done"), Step::UntilClosed]),
    ];
    for (id, then) in table {
        for chunked in [true, false] {
            let first = [vec![Step::Request, Step::Send(ok("first")), Step::Hold], then.clone()].concat();
            let server = Arc::new(Server::new(vec![first, answers(ok("good"))]));
            let pool = ConnectionPool::builder(server.url("")).limit(1).probe_after(Duration::ZERO).build().unwrap();
            assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "first");
            let reader = after({
                let server = server.clone();
                move || {
                    server.gate.open();
                    server.wait_for("done");
                    if id == "RST" {
                        eventually("the reset", || server.seen.open() == 0);
                    }
                }
            });
            let body = if chunked { Body::reader(reader) } else { Body::sized(reader, 4) };
            assert_eq!(pool.post("/").data(body).send().unwrap().text().unwrap(), "good", "{id}");
            assert_eq!((pool.stats().replayed, server.seen.requests().len()), (0, 2), "{id}");
        }
    }
}

/// A reader, or a seek, that takes longer than all may: nothing leaves any more.
#[test]
fn nothing_leaves_after_the_total() {
    struct SlowSeek(Cursor<Vec<u8>>);
    impl Read for SlowSeek {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read(buf)
        }
    }
    impl Seek for SlowSeek {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            std::thread::sleep(Duration::from_millis(100));
            self.0.seek(to)
        }
    }
    let late = || after(|| std::thread::sleep(Duration::from_millis(200)));
    let server = Server::new(vec![answers(ok("good"))]);
    let bodies = [
        ("a first read", Body::reader(late()), 0),
        ("a seek", Body::seekable(SlowSeek(Cursor::new(vec![1]))), 0),
        // The end of the body would make a whole request of it.
        ("a last read", Body::reader(Cursor::new(b"x").chain(late())), 1),
    ];
    for (id, body, connections) in bodies {
        let before = server.seen.accepted();
        let error = pool(&server).post("/").data(body).timeout(Duration::from_millis(100)).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Total), Phase::Send), "{id}");
        assert_eq!(error.maybe_processed(), connections > 0, "{id}");
        eventually("the connection", || server.seen.open() == 0 && server.seen.accepted() == before + connections);
        assert_eq!(server.seen.requests().len(), 0, "{id}: no whole request");
    }
}

/// A log goes on growing while it is sent: its length is what it was.
#[test]
fn a_file_that_grows() {
    struct Growing(File);
    impl Read for Growing {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let here = self.0.stream_position()?;
            self.0.seek(SeekFrom::End(0))?;
            self.0.write_all(b"another line\n")?;
            self.0.seek(SeekFrom::Start(here))?;
            self.0.read(buf)
        }
    }
    impl Seek for Growing {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    let server = Server::new(vec![answers(ok("good"))]);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[b'x'; 300_000]).unwrap();
    file.rewind().unwrap();
    pool(&server).put("/").data(Body::seekable(Growing(file))).send().unwrap();
    assert!(split(&server.seen.requests()[0]).1 == "x".repeat(300_000));
}

/// The caller's reader panics when it is dropped, behind an exchange that went well.
#[test]
fn a_reader_that_panics_as_it_is_dropped() {
    struct Bomb;
    impl Read for Bomb {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("dropped"));
        }
    }
    let server = Server::new(vec![answers(ok("good"))]);
    let pool = pool(&server);
    let panicked = catch_unwind(AssertUnwindSafe(|| pool.put("/").data(Body::reader(Bomb)).send())).unwrap_err();
    assert_eq!(panicked.downcast_ref::<&str>(), Some(&"dropped"));
    assert_eq!((pool.stats().in_use, pool.stats().waiting), (0, 0));
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good");
}

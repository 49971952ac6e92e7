//! Bodies of requests on their way. What can go wrong with them is with the other faults (`tests/faults/readers.rs`).

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use hostpool::{Body, ConnectionPool, ErrorKind, Phase};

use crate::support::{PATIENCE, Server, Step, answer, answers, header, ok};

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(&server.url("")).limit(1).timeout(PATIENCE).build().unwrap()
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

//! The bodies that pooled connections carry (LIFE).

use std::io::{Cursor, Read};
use std::time::Duration;

use hostpool::{Body, Bound, CloseReason, ConnectionPool, Error, ErrorKind, Response, Timeout};

use crate::support::{GIVE_UP, Server, Step, answer, answers, ok};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).limit(1).timeout(GIVE_UP).build().unwrap()
}

/// Rows LIFE-08, LIFE-12 and LIFE-14: a body that does not come, wherever it stops. The unit is back, and the next
/// request goes over another connection.
#[test]
fn that_do_not_come() {
    let table = [
        ("LIFE-08", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n".to_owned(), 0),
        ("LIFE-08 until close", "HTTP/1.1 200 OK\r\n\r\n".to_owned(), 0),
        ("LIFE-12", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_owned(), 5),
        ("LIFE-14", CHUNKED.to_owned(), 0),
        ("LIFE-14 behind a chunk", format!("{CHUNKED}5\r\nhello\r\n"), 5),
        ("LIFE-14 inside a chunk", format!("{CHUNKED}9\r\nhello"), 5),
        ("LIFE-14 before the last line end", format!("{CHUNKED}5\r\nhello\r\n0\r\n"), 5),
    ];
    for (id, response, received) in table {
        let server = Server::new(vec![[answer(response), vec![Step::UntilClosed]].concat(), answers(ok("next"))]);
        let pool = pool(&server);
        let timeout = Timeout::new().read(Duration::from_millis(50));
        let mut response = pool.get("/").timeout(timeout).send().unwrap();
        assert_eq!((pool.stats().in_use, response.status().as_u16()), (1, 200), "{id}");
        let mut body = vec![0; received];
        response.read_exact(&mut body).unwrap();
        for _ in 0..2 {
            let error = response.read(&mut [0; 10]).unwrap_err();
            assert_eq!(Error::from_io(&error).unwrap().kind(), &ErrorKind::Timeout(Bound::Read), "{id}");
            assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{id}");
            assert_eq!((pool.stats().in_use, pool.stats().open), (0, 0), "{id}: the unit is back");
        }
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next", "{id}");
        let stats = pool.stats();
        assert_eq!((stats.created, stats.closed(CloseReason::Failed), stats.replayed), (2, 1, 0), "{id}");
    }
}

/// Row LIFE-15: closing an unread response reaches the peer.
#[test]
fn that_are_closed() {
    for (id, part) in [("nothing", ""), ("a part", "hello")] {
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{part}");
        let script = [answer(response), vec![Step::Rest, Step::Tell("EOF")]].concat();
        let server = Server::new(vec![script]);
        let pool = pool(&server);
        let mut response = pool.get("/").send().unwrap();
        response.close();
        server.wait_for("EOF");
        assert_eq!((pool.stats().in_use, pool.stats().open), (0, 0), "LIFE-15 {id}");
        assert_eq!(response.status(), 200, "LIFE-15 {id}");
    }
}

/// Rows LIFE-24, LIFE-27 and LIFE-29: one connection, and one unit, however a body is read.
#[test]
fn that_are_read() {
    type Read = fn(Response) -> String;
    let twice: Read = |mut response| {
        let first = String::from_utf8(response.load().unwrap().to_vec()).unwrap();
        let second = String::from_utf8(response.load().unwrap().to_vec()).unwrap();
        response.release();
        response.close();
        assert_eq!(response.data(), Some(second.as_bytes()));
        format!("{first}|{second}")
    };
    let parts: Read = |mut response| {
        let mut start = [0; 5];
        response.read_exact(&mut start).unwrap();
        format!("{}|{}", String::from_utf8(start.to_vec()).unwrap(), response.text().unwrap())
    };
    let streamed: Read = |mut response| {
        let pieces: Vec<_> = response.chunks(3).map(|piece| String::from_utf8(piece.unwrap()).unwrap()).collect();
        pieces.join("|")
    };
    let chunks = format!("{CHUNKED}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    let table: [(&str, Vec<u8>, Read, &str); 6] = [
        ("LIFE-24", ok("hello world"), twice, "hello world|hello world"),
        ("LIFE-24 chunks", chunks.clone().into(), twice, "hello world|hello world"),
        ("LIFE-27", ok("hello world"), parts, "hello| world"),
        ("LIFE-27 chunks", chunks.clone().into(), parts, "hello| world"),
        ("LIFE-29", chunks.into(), streamed, "hel|lo |wor|ld"),
        ("LIFE-29 a length", ok("hello world"), streamed, "hel|lo |wor|ld"),
    ];
    for (id, response, read, expected) in table {
        let server = Server::new(vec![answers(response)]);
        let pool = pool(&server);
        for n in 1..=2 {
            let response = pool.get("/").send().unwrap();
            assert_eq!((pool.stats().in_use, pool.stats().idle), (1, 0), "{id}");
            assert_eq!(read(response), expected, "{id}");
            let stats = pool.stats();
            assert_eq!((stats.in_use, stats.idle, stats.open, stats.created), (0, 1, 1, 1), "{id}");
            assert_eq!(server.seen.requests().len(), n, "{id}");
        }
        assert_eq!(server.seen.accepted(), 1, "{id}");
    }
}

/// Row LIFE-33: the server answers, and ends the connection, before it has read the body.
#[test]
fn that_are_not_read() {
    const LENGTH: usize = 4 << 20;
    let large = || vec![b'x'; LENGTH];
    type Make = fn(Vec<u8>) -> Body;
    let made: [(&str, Make, bool); 3] = [
        ("plain", |bytes| Body::from(bytes), false),
        ("a reader", |bytes| Body::sized(Cursor::new(bytes), LENGTH as u64), false),
        ("chunked", |bytes| Body::reader(Cursor::new(bytes)), true),
    ];
    let refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nno such".to_vec();
    let mut ends = vec![("half", vec![Step::HalfClose, Step::UntilClosed])];
    // Elsewhere what was received before a reset may be lost.
    if cfg!(target_os = "linux") {
        ends.push(("closed", vec![]));
    }
    for (end, steps) in ends {
        for (kind, make, chunked) in made {
            let server = Server::new(vec![
                [vec![Step::Head, Step::Bytes(100_000), Step::Send(refusal.clone())], steps.clone()].concat(),
                answers(ok("next")),
            ]);
            let pool = pool(&server);
            let response = pool.post("/").data(make(large())).chunked(chunked).send().unwrap();
            assert_eq!(response.status(), 404, "LIFE-33 {kind}, {end}");
            assert_eq!(response.text().unwrap(), "no such", "LIFE-33 {kind}, {end}");
            assert_eq!(pool.stats().in_use, 0, "LIFE-33 {kind}, {end}");
            assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next", "LIFE-33 {kind}, {end}");
        }
    }
}

//! Limits by their settings: what is just allowed passes, one less does not, and the error names which it was.

use std::io::Read;
use std::time::Duration;

use hostpool::{CloseReason, ConnectionPool, ErrorKind, Limit, Limits, Phase, PoolManager, Session};

use crate::support::{PATIENCE, Server, Step, answer, answers, eventually, ok, within_patience};

/// The smallest setting under which this response is accepted.
struct Row {
    set: fn(usize) -> Limits,
    least: usize,
    response: String,
    limit: Limit,
    phase: Phase,
}

fn fetch(limits: Limits, response: &str) -> Result<Vec<u8>, (ErrorKind, Phase)> {
    let server = Server::new(vec![answer(response), answer(ok("good"))]);
    let pool = ConnectionPool::builder(&server.url("")).limit(1).timeout(PATIENCE).limits(limits).build().unwrap();
    let result = pool.get("/").send().and_then(|response| response.bytes());
    assert_eq!((pool.stats().in_use, pool.stats().open - pool.stats().idle), (0, 0));
    result.map_err(|error| (error.kind().clone(), error.phase()))
}

#[test]
fn each_is_held_to_the_byte() {
    let limits = Limits::new;
    let head = "HTTP/1.1 200 OK\r\nA: 1\r\nBcd: 23\r\nContent-Length: 3\r\n\r\n";
    let text = format!("{head}abc");
    let row = |set, least, response: &str, limit, phase| Row { set, least, response: response.into(), limit, phase };
    let of_head = |set, least, limit| row(set, least, &text, limit, Phase::Head);
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let hinted = [&interim.repeat(3), &text[..]].concat();
    let chunked = |body: &str| ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", body].concat();
    let trailers = chunked("3\r\nabc\r\n0\r\nT: 1\r\nUvw: 2\r\n\r\n");
    let extended = chunked("3;name=value\r\nabc\r\n0\r\n\r\n");
    let wordy = chunked(&format!("{}0\r\n\r\n", "1;abcdefghijklmnopqrstuvwxyz\r\nx\r\n".repeat(10)));
    let table = [
        of_head(|n| Limits::new().head_bytes(n), head.len(), Limit::HeadBytes),
        of_head(|n| Limits::new().head_fields(n), 3, Limit::HeadFields),
        of_head(|n| Limits::new().line_bytes(n), "Content-Length: 3\r\n".len(), Limit::LineBytes),
        of_head(|n| Limits::new().status_line_bytes(n), "HTTP/1.1 200 OK\r\n".len(), Limit::LineBytes),
        row(|n| Limits::new().interim_responses(n), 3, &hinted, Limit::Interim, Phase::Head),
        row(|n| Limits::new().interim_bytes(n), 3 * interim.len(), &hinted, Limit::Interim, Phase::Head),
        row(|n| Limits::new().trailer_fields(n), 2, &trailers, Limit::Trailers, Phase::Body),
        row(|n| Limits::new().trailer_bytes(n), "T: 1\r\nUvw: 2\r\n".len(), &trailers, Limit::Trailers, Phase::Body),
        row(|n| Limits::new().chunk_line_bytes(n), 14, &extended, Limit::ChunkFraming, Phase::Body),
        row(|n| Limits::new().chunk_framing_bytes(n as u64), 156, &wordy, Limit::ChunkFraming, Phase::Body),
        row(|n| Limits::new().max_body(n as u64), 3, &text, Limit::Body, Phase::Body),
        row(|n| Limits::new().max_body(n as u64), 3, &chunked("3\r\nabc\r\n0\r\n\r\n"), Limit::Body, Phase::Body),
    ];
    for (at, Row { set, least, response, limit, phase }) in table.into_iter().enumerate() {
        assert!(fetch(set(least), &response).is_ok(), "row {at}: {:?}", fetch(set(least), &response));
        assert_eq!(fetch(set(least - 1), &response), Err((ErrorKind::LimitExceeded(limit), phase)), "row {at}");
        assert!(fetch(limits(), &response).is_ok(), "row {at}: the defaults");
        assert!(fetch(set(usize::MAX), &response).is_ok(), "row {at}: without a limit");
    }
}

/// A thousand fields need more slots than lie on the stack.
#[test]
fn more_fields_than_by_default() {
    let response = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 2\r\n\r\nok", "A: b\r\n".repeat(1000));
    assert_eq!(fetch(Limits::new().head_fields(1001), &response).unwrap(), b"ok");
    let exceeded = (ErrorKind::LimitExceeded(Limit::HeadFields), Phase::Head);
    assert_eq!(fetch(Limits::new().head_fields(1000), &response), Err(exceeded.clone()));
    assert_eq!(fetch(Limits::new(), &response), Err(exceeded));
}

#[test]
fn every_client_takes_them_and_a_request_its_own_on_bodies() {
    let server = Server::new(vec![answers(ok("0123456789"))]);
    let url = server.url("/");
    let nine = Limits::new().max_body(9);
    let pool = ConnectionPool::builder(&url).limits(nine).build().unwrap();
    let manager = PoolManager::builder().limits(nine).build().unwrap();
    let session = Session::builder().limits(nine).build().unwrap();
    // A session's limits are its own, not those of the pools it is connected by.
    let connected = Session::builder().connector(manager.clone()).build().unwrap();
    let exceeded = Err(ErrorKind::LimitExceeded(Limit::Body));
    let clients: [&dyn Fn() -> hostpool::RequestBuilder; 3] =
        [&|| pool.get("/"), &|| manager.get(&url), &|| session.get(&url)];
    for request in clients {
        let read = |request: hostpool::RequestBuilder| {
            request.send().and_then(|response| response.text()).map_err(|error| error.kind().clone())
        };
        assert_eq!(read(request()), exceeded);
        assert_eq!(read(request().max_body(10)).as_deref(), Ok("0123456789"));
        assert_eq!(read(connected.get(&url).max_body(0)), exceeded);
    }
    assert_eq!(connected.get(&url).send().unwrap().text().unwrap(), "0123456789");
}

/// Of a body that was begun it is the rest that counts.
#[test]
fn the_rest_of_a_body() {
    let server = Server::new(vec![answers(ok("0123456789"))]);
    let pool = ConnectionPool::builder(&server.url("")).build().unwrap();
    let mut response = pool.get("/").max_body(4).send().unwrap();
    response.read_exact(&mut [0; 6]).unwrap();
    assert_eq!(response.bytes().unwrap(), b"6789");
}

/// A peer that always has more does not keep a drop, whatever may be drained.
#[test]
fn a_drain_of_a_flood() {
    let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 1 << 16], b"\r\n".to_vec()].concat();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let server =
        Server::new(vec![vec![Step::Request, Step::Send(head), Step::Forever(vec![Step::Send(chunk.repeat(16))])]]);
    let limits = Limits::new().drain_bytes(u64::MAX);
    let pool = ConnectionPool::builder(&server.url("")).limits(limits).build().unwrap();
    let response = pool.get("/").send().unwrap();
    within_patience(move || drop(response));
    assert_eq!(pool.stats().closed(CloseReason::BodyAbandoned), 1);
}

#[test]
fn what_is_drained_of_a_response_that_is_dropped() {
    let bytes = |n| Limits::new().drain_bytes(n);
    let table = [
        ("all of it", bytes(10), 1),
        ("one byte too many", bytes(9), 2),
        ("nothing", bytes(0), 2),
        ("without a limit", bytes(u64::MAX), 1),
    ];
    for (id, limits, connections) in table {
        let server = Server::new(vec![answers(ok("0123456789"))]);
        let pool = ConnectionPool::builder(&server.url("")).limits(limits).build().unwrap();
        for _ in 0..2 {
            drop(pool.get("/").send().unwrap());
        }
        assert_eq!(server.seen.accepted(), connections, "{id}");
    }
}

/// By default nothing is waited for: the rest is not there, and the connection is closed.
#[test]
fn how_long_a_drain_waits() {
    let table = [(Duration::ZERO, 2), (PATIENCE, 1), (Duration::MAX, 1)];
    for (time, connections) in table {
        let late = vec![
            Step::Request,
            Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab".to_vec()),
            Step::Hold,
            Step::Send(b"cd".to_vec()),
        ];
        let server = Server::new(vec![[late, answers(ok("next"))].concat(), answers(ok("next"))]);
        let limits = Limits::new().drain_time(time);
        let pool = ConnectionPool::builder(&server.url("")).limits(limits).build().unwrap();
        let response = pool.get("/").send().unwrap();
        let dropping = std::thread::spawn(move || drop(response));
        match time.is_zero() {
            true => eventually("the close", || pool.stats().closed(CloseReason::BodyAbandoned) == 1),
            // It is waiting by now; if it did not wait it would be done.
            false => {
                std::thread::sleep(Duration::from_millis(100));
                server.gate.open();
            }
        }
        dropping.join().unwrap();
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next");
        assert_eq!(server.seen.accepted(), connections, "{time:?}");
    }
}

/// A peer that drips on is not waited for longer than was said.
#[test]
fn a_drain_ends_in_time() {
    let drip = Step::Drip(vec![b'x'; 2000], Duration::from_millis(10));
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n".to_vec();
    let server = Server::new(vec![vec![Step::Request, Step::Send(head), drip]]);
    let limits = Limits::new().drain_time(Duration::from_millis(100));
    let pool = ConnectionPool::builder(&server.url("")).limits(limits).build().unwrap();
    let started = std::time::Instant::now();
    drop(pool.get("/").send().unwrap());
    assert!(started.elapsed() < PATIENCE / 4, "all of it takes longer");
    assert_eq!(pool.stats().closed(CloseReason::BodyAbandoned), 1);
}

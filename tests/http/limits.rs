//! Limits by their settings: what is just allowed passes, one less does not, and the error names which it was.

use std::io::Read;
use std::time::Duration;

use hostpool::{CloseReason, ConnectionPool, ErrorKind, Limit, Limits, Phase, PoolManager, Session, Timeout};

use crate::support::{GIVE_UP, Server, Step, answer, answers, ok, without_hanging};

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
    let pool = ConnectionPool::builder(server.url("")).limit(1).timeout(GIVE_UP).limits(limits).build().unwrap();
    let result = pool.get("/").send().and_then(|response| response.bytes());
    assert_eq!((pool.stats().in_use, pool.stats().open - pool.stats().idle), (0, 0));
    result.map_err(|error| (error.kind().clone(), error.phase()))
}

/// The limit on the bytes of the wire holds for each way of reading. What it allows is returned first, unless the head
/// announces more. Coded bytes count, and not what they expand to.
#[test]
fn bytes_of_the_wire() {
    let too_long = ErrorKind::LimitExceeded(Limit::WireBody);
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789".to_owned();
    let chunks =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n".to_owned();
    for (row, response, before) in [("length", &length, ""), ("chunks", &chunks, "0123456")] {
        let server = Server::with({
            let response = response.clone();
            move |_| answers(&response)
        });
        let client = |most| Session::builder().limits(Limits::new().max_wire_body(most)).build().unwrap();
        for buffer in [1, 4, 100_000] {
            let mut response = client(7).get(server.url("/")).timeout(GIVE_UP).send().unwrap();
            let (mut read, mut buf) = (Vec::new(), vec![0; buffer]);
            let error = loop {
                match response.read(&mut buf) {
                    Ok(0) => panic!("{row} {buffer}: it ended"),
                    Ok(len) => read.extend_from_slice(&buf[..len]),
                    Err(error) => break error,
                }
            };
            let error = error.get_ref().unwrap().downcast_ref::<hostpool::Error>().unwrap();
            assert_eq!((error.kind(), &*read), (&too_long, before.as_bytes()), "{row} {buffer}");
        }
        let (strict, open) = (client(9), client(u64::MAX));
        let get = |session: &Session| session.get(server.url("/")).timeout(GIVE_UP);
        let copied = get(&strict).send().unwrap().copy_to(&mut std::io::sink());
        assert_eq!(copied.unwrap_err().kind(), &too_long, "{row}");
        assert_eq!(get(&strict).max_wire_body(10).send().unwrap().text().unwrap(), "0123456789", "{row}");
        assert_eq!(get(&open).max_wire_body(9).send().unwrap().bytes().unwrap_err().kind(), &too_long, "{row}");
        assert_eq!(get(&open).max_wire_body(9).send().unwrap().lines().last().unwrap().unwrap_err().kind(), &too_long);
        assert_eq!(strict.connector().unwrap().stats().in_use, 0, "{row}");
        // A response that is not read is not refused.
        drop(get(&strict).send().unwrap());
    }
}

#[cfg(feature = "gzip")]
#[test]
fn coded_bytes_of_the_wire() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&[b'x'; 100_000]).unwrap();
    let coded = encoder.finish().unwrap();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", coded.len());
    let len = coded.len() as u64;
    let response = [head.as_bytes(), &coded].concat();
    let server = Server::with(move |_| answers(&response));
    let get = |most| Session::new().get(server.url("/")).max_wire_body(most).send().unwrap();
    assert_eq!(get(len).bytes().unwrap().len(), 100_000);
    assert_eq!(get(len - 1).bytes().unwrap_err().kind(), &ErrorKind::LimitExceeded(Limit::WireBody));
}

#[test]
fn each_is_held_to_the_byte() {
    let limits = Limits::new;
    let wire: fn(usize) -> Limits = |n| Limits::new().max_wire_body(n as u64);
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
        row(wire, 3, &text, Limit::WireBody, Phase::Body),
        row(wire, 3, &chunked("2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"), Limit::WireBody, Phase::Body),
        row(wire, 3, "HTTP/1.1 200 OK\r\n\r\nabc", Limit::WireBody, Phase::Body),
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
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
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
    let pool = ConnectionPool::builder(server.url("")).limits(limits).build().unwrap();
    let response = pool.get("/").send().unwrap();
    without_hanging(move || drop(response));
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
        let pool = ConnectionPool::builder(server.url("")).limits(limits).build().unwrap();
        for _ in 0..2 {
            drop(pool.get("/").send().unwrap());
        }
        assert_eq!(server.seen.accepted(), connections, "{id}");
    }
}

/// RW-24: dropping a response waits for nothing, whatever a drain may take.
#[test]
fn a_drop_does_not_wait() {
    for time in [Duration::ZERO, Duration::MAX] {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab".to_vec();
        let server = Server::new(vec![vec![Step::Request, Step::Send(head), Step::Hold], answers(ok("next"))]);
        let limits = Limits::new().drain_time(time);
        let pool = ConnectionPool::builder(server.url("")).limits(limits).build().unwrap();
        let response = pool.get("/").send().unwrap();
        without_hanging(move || drop(response));
        assert_eq!(pool.stats().closed(CloseReason::BodyAbandoned), 1, "RW-24 {time:?}");
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next", "RW-24 {time:?}");
    }
}

/// RW-24: a redirect that drips on is not waited for longer than was said, nor one of which nothing more is there.
#[test]
fn a_drain_ends_in_time() {
    let head = b"HTTP/1.1 302 Found\r\nLocation: /\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n".to_vec();
    let drip = Step::Drip(vec![b'x'; 2000], Duration::from_millis(10));
    for (rest, time) in [(drip, Duration::from_millis(100)), (Step::Hold, Duration::ZERO)] {
        let server = Server::new(vec![vec![Step::Request, Step::Send(head.clone()), rest], answers(ok("next"))]);
        let limits = Limits::new().drain_time(time);
        let pool = ConnectionPool::builder(server.url("")).limits(limits).build().unwrap();
        let request = pool.get("/").allow_redirects(true);
        let response = without_hanging(move || request.send().unwrap());
        assert_eq!(response.text().unwrap(), "next", "RW-24 {time:?}");
        assert_eq!(pool.stats().closed(CloseReason::BodyAbandoned), 1, "RW-24 {time:?}");
    }
}

/// RW-01: a server that wants its response read before it reads on. The systems on both sides keep a part of it.
#[test]
fn what_is_taken_in_of_an_early_response() {
    let size = 32 << 20;
    let response = ok(&"y".repeat(size));
    let script = vec![Step::Head, Step::Send(response), Step::Body];
    let send = |limits: Limits, timeout: Timeout| {
        let server = Server::new(vec![script.clone()]);
        let pool = ConnectionPool::builder(server.url("")).limits(limits).timeout(timeout).build().unwrap();
        let response = pool.post("/").data(vec![b'x'; size]).send()?;
        assert!(response.request_body_complete());
        response.bytes()
    };
    let short = Timeout::new().read(Duration::from_millis(500)).total(GIVE_UP);
    for limits in [Limits::new(), Limits::new().early_response(0), Limits::new().early_response(100_000)] {
        let error = send(limits, short).unwrap_err();
        let exceeded = ErrorKind::LimitExceeded(Limit::EarlyResponse);
        assert_eq!((error.kind(), error.phase()), (&exceeded, Phase::Send), "RW-01 {limits:?}");
    }
    for bytes in [size, usize::MAX] {
        let body = send(Limits::new().early_response(bytes), Timeout::from(GIVE_UP)).unwrap();
        assert!(body.len() == size && body.iter().all(|&byte| byte == b'y'), "RW-01 {bytes}");
    }
}

//! The lowest speed of a body.

use std::io::Read;
use std::time::Duration;

use hostpool::{Body, Bound, ConnectionPool, Error, ErrorKind, Phase, Timeout};

use crate::support::{GIVE_UP, Server, Step};

const SHORT: Duration = Duration::from_millis(50);

/// What an error says about the speed.
const TEXT: &str = "the body was slower than min_rate allows: 1000 bytes in 50 ms (";

fn pool(server: &Server, timeout: Timeout) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).timeout(timeout).retries(0).build().unwrap()
}

/// Bodies of each framing that stall, and one that drips: what had come is returned first.
#[test]
fn a_response_that_is_too_slow() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nab";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
    let to_the_end = "HTTP/1.1 200 OK\r\n\r\nab";
    // A byte each millisecond is never silent for long, and is slower than 1,000 bytes in 50 milliseconds.
    let drip = Step::Drip(vec![b'c'; 90_000], Duration::from_millis(1));
    let table = [
        ("length", length, Step::Hold),
        ("chunked", chunked, Step::Hold),
        ("to the end", to_the_end, Step::Hold),
        ("dripping", length, drip.clone()),
        ("dripping to the end", to_the_end, drip),
    ];
    for (row, head, then) in table {
        for buffer in [16, 100_000] {
            let server = Server::new(vec![vec![Step::Request, Step::Send(head.into()), then.clone()]]);
            let pool = pool(&server, Timeout::new().min_rate(1000, SHORT).read(GIVE_UP));
            let mut response = pool.get("/").send().unwrap();
            let (mut read, mut buf) = (Vec::new(), vec![0; buffer]);
            let error = loop {
                match response.read(&mut buf) {
                    Ok(0) => panic!("{row} {buffer}: it ended"),
                    Ok(len) => read.extend_from_slice(&buf[..len]),
                    Err(error) => break error,
                }
            };
            let error = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
            assert_eq!(
                (error.kind(), error.phase()),
                (&ErrorKind::Timeout(Bound::Rate), Phase::Body),
                "{row} {buffer}"
            );
            assert!(read.starts_with(b"ab"), "{row} {buffer}");
            assert!(error.is_timeout() && error.to_string().contains(TEXT), "{row}: {error}");
            drop(response);
            assert_eq!(pool.stats().open, 0, "{row} {buffer}");
        }
    }
}

/// The head has bounds of its own, however long it takes; and a body that is fast enough arrives.
#[test]
fn what_is_fast_enough() {
    let body = vec![b'x'; 3_000_000];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let late = Step::Pause(4 * SHORT);
    let whole = [head.as_bytes(), &body].concat();
    let server = Server::new(vec![vec![Step::Request, late.clone(), Step::Send(whole)]]);
    // The body is in one piece with the head, but for the speed of this machine.
    let timeout = Timeout::new().min_rate(1, GIVE_UP);
    assert_eq!(pool(&server, timeout).get("/").send().unwrap().bytes().unwrap(), body);

    let small = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab".to_vec();
    let server = Server::new(vec![vec![Step::Request, late, Step::Send(small)]]);
    let timeout = Timeout::new().min_rate(u64::MAX, SHORT);
    let response = pool(&server, timeout).post("/").data("text").send().unwrap();
    assert_eq!(response.text().unwrap(), "ab", "only waits in a body count");
}

/// A server that does not read on.
#[test]
fn a_request_that_is_too_slow() {
    let server = Server::new(vec![vec![Step::Head, Step::Hold]]);
    let pool = pool(&server, Timeout::new().min_rate(1000, SHORT).write(GIVE_UP));
    let error = pool.post("/").data(Body::reader(std::io::repeat(7).take(100_000_000))).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Rate), Phase::Send));
    assert!(error.maybe_processed() && error.to_string().starts_with(TEXT), "{error}");
    assert_eq!(pool.stats().open, 0);
    let error = pool.get("/").timeout(Timeout::new().min_rate(1, Duration::ZERO)).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Rate), Phase::Prepare));
}

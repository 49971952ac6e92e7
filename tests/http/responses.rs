//! Reading responses: framing, laziness, and when the connection goes back.

use std::io::Read;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hostpool::{CloseReason, ConnectionPool, ErrorKind, StatusCode, Version, Violation};

use crate::support::{GIVE_UP, Server, Step, answer, answers, eventually, ok};

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).build().unwrap()
}

/// Rows A5.12 and A6: the bytes one by one give the same.
#[test]
fn one_byte_at_a_time() {
    let responses: [(&[u8], &str); 2] = [
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: 1\r\n\r\n", "1"),
    ];
    for (bytes, trailer) in responses {
        let server = Server::new(vec![vec![
            Step::Request,
            Step::Drip(bytes.to_vec(), std::time::Duration::ZERO),
            Step::Request,
            Step::Send(ok("same")),
        ]]);
        let pool = pool(&server);
        let mut response = pool.get("/").send().unwrap();
        let mut body = String::new();
        response.read_to_string(&mut body).unwrap();
        assert_eq!(body, "hello");
        assert_eq!(response.trailers().get("x-t").unwrap_or_default(), trailer);
        assert_eq!(response.headers().get("x-t"), None);
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "same");
    }
}

#[test]
fn the_head() {
    let bytes = "HTTP/1.0 404 Nothing Here\r\nX-A: 1\r\nx-a: 2\r\nX-Fold: a\r\n  b\r\nContent-Length: 2\r\n\r\nno";
    let server = Server::new(vec![answer(bytes)]);
    let pool = pool(&server);
    let response = pool.get("/path?q").send().unwrap();
    assert_eq!((response.status(), response.version()), (StatusCode::NOT_FOUND, Version::HTTP_10));
    assert_eq!((response.reason(), response.ok()), ("Nothing Here", false));
    assert_eq!(response.headers().get_all("X-A").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(response.headers().get("x-fold"), Some("a b"), "RW-37");
    assert_eq!(response.url().as_str(), server.url("/path?q"));
    assert_eq!(response.remote_addr(), Some(server.addr));
    assert_eq!((response.content_length(), response.is_reused()), (Some(2), false));
    assert_eq!(response.text().unwrap(), "no");
}

/// The connection is back before the caller knows that the body is done.
#[test]
fn the_lease_goes_back_by_the_framing() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let answers = [ok(""), ok("hello"), chunked.into()].map(answer).concat();
    let server = Server::new(vec![[answers, vec![Step::UntilClosed]].concat()]);
    let pool = pool(&server);
    let empty = pool.get("/").send().unwrap();
    assert_eq!(pool.stats().idle, 1, "no body: back before send returns");
    let mut length = pool.get("/").send().unwrap();
    assert_eq!(pool.stats().idle, 0);
    let mut buf = [0; 5];
    length.read_exact(&mut buf[..4]).unwrap();
    assert_eq!(pool.stats().idle, 0);
    length.read_exact(&mut buf[4..]).unwrap();
    assert_eq!(pool.stats().idle, 1, "by length: back with the last byte");
    let mut chunks = pool.get("/").send().unwrap();
    chunks.read_exact(&mut buf).unwrap();
    assert_eq!(chunks.read(&mut buf).unwrap(), 0);
    assert_eq!(pool.stats().idle, 1, "chunked: back with the end");
    assert_eq!(pool.stats().created, 1);
    drop((empty, length, chunks));
}

/// Dropping an unread response: kept if the rest is there and small, closed otherwise, and never a wait.
#[test]
fn dropping() {
    let large = "x".repeat(1 << 20);
    let held = vec![Step::Request, Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe".to_vec()), Step::Hold];
    let table: Vec<(&str, Vec<Step>, bool)> = vec![
        ("small and there", answer(ok("small")), true),
        (
            "chunks that are there",
            answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
            true,
        ),
        ("too large", answer(ok(&large)), false),
        ("not there yet", held, false),
        ("chunks without an end", answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), false),
        ("until close", answer("HTTP/1.1 200 OK\r\n\r\nhello"), false),
    ];
    for (id, script, kept) in table {
        let server =
            Server::new(vec![[script, vec![Step::Request, Step::Send(ok("same"))]].concat(), answer(ok("new"))]);
        let pool = pool(&server);
        let response = pool.get("/").send().unwrap();
        drop(response);
        assert_eq!(pool.stats().in_use, 0, "{id}");
        let expected = if kept { "same" } else { "new" };
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), expected, "{id}");
        assert_eq!(pool.stats().closed(CloseReason::BodyAbandoned), u64::from(!kept), "{id}");
    }
}

/// Rows A7.4 and A7.5: half-read responses, dropped or lost in a panic, by many threads.
#[test]
fn half_read_and_thrown_away() {
    let body = "0123456789".repeat(2_000);
    let bytes = ok(&body);
    let server = Server::with(move |_| answers(&bytes));
    let pool = ConnectionPool::builder(server.url("")).limit(4).build().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (pool, body) = (&pool, &body);
            scope.spawn(move || {
                for n in 0..30 {
                    let mut response = pool.get("/").send().unwrap();
                    let mut start = [0; 10];
                    response.read_exact(&mut start).unwrap();
                    assert_eq!(&start, b"0123456789");
                    match (thread + n) % 3 {
                        0 => drop(response),
                        1 => {
                            let lost = std::panic::AssertUnwindSafe(response);
                            let panicked = std::panic::catch_unwind(move || {
                                let _response = lost;
                                std::panic::resume_unwind(Box::new("on purpose"));
                            });
                            assert!(panicked.is_err());
                        }
                        _ => assert_eq!(response.text().unwrap().len(), body.len() - 10),
                    }
                }
            });
        }
    });
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.waiting, stats.open), (0, 0, stats.idle));
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), body);
}

/// Large bodies, in every way of reading.
#[test]
fn large_bodies() {
    let body: String = (0..3_000_000).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    let chunks: Vec<u8> = body
        .as_bytes()
        .chunks(70_001)
        .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())
        .collect();
    let chunked = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &chunks[..], b"0\r\n\r\n"].concat();
    let bytes = [ok(&body), chunked];
    let server = Server::with(move |_| bytes.iter().cycle().take(8).flat_map(answer).collect());
    let pool = pool(&server);
    for size in [0, 100, 16 * 1024, 1 << 20] {
        for _ in 0..2 {
            let mut response = pool.get("/").send().unwrap();
            if size == 0 {
                assert_eq!(response.text().unwrap(), body);
                continue;
            }
            let (mut read, mut buf) = (Vec::new(), vec![0; size]);
            loop {
                match response.read(&mut buf).unwrap() {
                    0 => break,
                    n => read.extend_from_slice(&buf[..n]),
                }
            }
            assert_eq!(read, body.as_bytes(), "in pieces of {size}");
        }
    }
    assert_eq!(server.seen.accepted(), 1);
}

/// A client that is gone closes what is idle; a response that is out keeps working.
#[test]
fn dropping_the_client() {
    let two = vec![
        Step::Request,
        Step::Send(ok("one")),
        Step::Request,
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe".to_vec()),
        Step::Hold,
        Step::Send(b"llo".to_vec()),
        Step::UntilClosed,
    ];
    let server = Server::new(vec![two]);
    let pool = pool(&server);
    pool.get("/").send().unwrap().text().unwrap();
    let response = pool.get("/").send().unwrap();
    drop(pool);
    server.gate.open();
    assert_eq!(response.text().unwrap(), "hello");
    eventually("the close", || server.seen.open.load(Ordering::SeqCst) == 0);
}

/// Interim responses are no answer: the upload goes on behind them.
#[test]
fn interim_responses_to_an_upload() {
    for interim in ["", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"] {
        let script = vec![Step::Bytes(20), Step::Send(interim.into()), Step::Request, Step::Send(ok("stored"))];
        let server = Server::new(vec![script]);
        let request = pool(&server).post("/").data(vec![b'x'; 4 << 20]).timeout(GIVE_UP);
        assert_eq!(request.send().unwrap().text().unwrap(), "stored", "{interim}");
    }
}

#[test]
fn the_length_that_was_announced() {
    let server = Server::new(vec![answer("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")]);
    assert_eq!(pool(&server).head("/").send().unwrap().content_length(), Some(1000));
}

/// The body may hold secrets, and errors are logged: row A18.1. serde's error, which may quote it, is the source.
#[cfg(feature = "json")]
#[test]
fn json_of_another_type() {
    use std::error::Error as _;
    let of = |head: &str, body: &str| {
        let server =
            Server::new(vec![answer(format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))]);
        let error = pool(&server).get("/x?canary").send().unwrap().json::<Vec<u64>>().unwrap_err();
        assert_eq!(
            (error.kind(), error.phase(), error.maybe_processed()),
            (&ErrorKind::Decode, hostpool::Phase::Body, true)
        );
        assert!(!error.to_string().contains("canary") && error.is_decode() && error.is_body(), "{error}");
        let head = error.head().unwrap();
        assert_eq!((head.status(), head.body()), (error.status().unwrap(), body.as_bytes()));
        let text = error.to_string().replace(&server.url(""), "http://h");
        (text, error)
    };
    let serde = |error: &hostpool::Error| {
        let source = error.source().unwrap();
        let source = source.downcast_ref::<serde_json::Error>().expect("serde's own error");
        (source.to_string(), source.line(), source.column())
    };
    let json = "200 OK\r\nContent-Type: application/json";
    let (text, error) = of(json, r#"["canary"]"#);
    let about = "(reading the body, GET http://h/x)";
    assert_eq!(text, format!("decoding failed: the JSON is not of the requested type {about}"));
    let quoted = "invalid type: string \"canary\", expected u64 at line 1 column 9";
    assert_eq!(serde(&error), (quoted.to_owned(), 1, 9));
    // A long text stays bounded, and the error that of serde.
    let (_, error) = of(json, &format!("[\n\"{}\"]", "\u{20ac}".repeat(5000)));
    let (quoted, line, column) = serde(&error);
    assert!(
        quoted.starts_with("invalid type: string \"\u{20ac}") && quoted.ends_with("... at line 2 column 15002"),
        "{quoted}"
    );
    assert!(quoted.len() < 400 && (line, column) == (2, 15002), "{quoted}");
    let (text, error) = of("404 Not Found\r\nContent-Type: text/html; charset=utf-8", "<p>canary</p>");
    let what = "it is not JSON, with status 404 and media type text/html";
    assert_eq!(text, format!("decoding failed: {what} {about}"));
    assert_eq!(serde(&error).0, "expected value at line 1 column 1");
    let (text, _) = of("200 OK", "[1, 2");
    assert_eq!(text, format!("decoding failed: the JSON ends too early, with status 200 and no media type {about}"));
    let (text, error) = of(json, " \r\n");
    assert_eq!(text, format!("decoding failed: the JSON is not of the requested type {about}"));
    assert_eq!(serde(&error).0, "invalid type: null, expected a sequence at line 1 column 4");
}

#[cfg(unix)]
#[test]
fn over_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = listener.accept().unwrap();
        let mut requests = Vec::new();
        for body in ["one", "two"] {
            requests.push(String::from_utf8(crate::support::read_request(&mut stream).unwrap()).unwrap());
            stream.write_all(&ok(body)).unwrap();
        }
        requests
    });
    let url = format!("http+unix://{}", path.to_str().unwrap().replace('/', "%2F"));
    let pool = ConnectionPool::builder(&url).build().unwrap();
    assert_eq!(pool.get("/first").send().unwrap().text().unwrap(), "one");
    assert_eq!(pool.get("/second").send().unwrap().text().unwrap(), "two");
    let requests = server.join().unwrap();
    assert!(requests[0].starts_with("GET /first HTTP/1.1\r\nHost: localhost\r\n"), "{requests:?}");
    assert_eq!(pool.stats().created, 1);
}

/// Whether chunks are read one by one or many in one call, and however they are split: the same data, then the same
/// end or error.
#[test]
fn chunks_by_buffers_of_every_size() {
    let chunks: String = (1..200).map(|n| format!("{:x}\r\n{}\r\n", 7 * n, "d".repeat(7 * n))).collect();
    let data = 7 * (1..200).sum::<usize>();
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let table = [
        ("whole", format!("{chunks}0\r\n\r\n"), None, true),
        ("with a trailer", format!("{chunks}0\r\nT: 1\r\n\r\n"), None, true),
        ("surplus", format!("{chunks}0\r\n\r\nevil"), None, false),
        ("broken", format!("{chunks}xyz\r\n"), Some(ErrorKind::Protocol(Violation::ChunkSize)), false),
        ("cut", chunks.clone(), Some(ErrorKind::incomplete_body(data as u64, None)), false),
    ];
    for (id, body, error, kept) in table {
        for (size, piece) in
            [(100, 1 << 20), (16 * 1024, 1 << 20), (64 * 1024, 1 << 20), (64 * 1024, 1000), (1 << 20, 7)]
        {
            // In small pieces the surplus may come when the connection has been used again.
            let piece = if id == "surplus" { 1 << 20 } else { piece };
            let mut script = vec![Step::Request, Step::Pieces([head, &body].concat().into(), piece)];
            script.extend(if id == "cut" { vec![] } else { answers(ok("next")) });
            let server = Server::new(vec![script, answers(ok("other"))]);
            let pool = ConnectionPool::builder(server.url("")).probe_after(Duration::ZERO).build().unwrap();
            let mut response = pool.get("/").send().unwrap();
            let (mut buf, mut seen) = (vec![0; size], 0);
            let end = loop {
                match response.read(&mut buf) {
                    Ok(0) => break None,
                    Ok(len) => {
                        assert!(buf[..len].iter().all(|&byte| byte == b'd'), "{id}");
                        seen += len;
                    }
                    Err(error) => break hostpool::Error::from_io(&error).map(|error| error.kind().clone()),
                }
            };
            assert_eq!((seen, &end), (data, &error), "{id} by {size}, in pieces of {piece}");
            assert_eq!(response.trailers().get("T").is_some(), id == "with a trailer");
            drop(response);
            let next = pool.get("/").send().unwrap().text().unwrap();
            assert_eq!(next == "next", kept, "{id} by {size}, in pieces of {piece}");
        }
    }
}

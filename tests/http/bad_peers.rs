//! Peers that break HTTP: each fault has its own error, the unit comes back, and nothing hangs.

use std::io::Read;
use std::time::Duration;

use hostpool::{Bound, CloseReason, ConnectionPool, Error, ErrorKind, Limit, Phase, Timeout, Violation};

use crate::support::{PATIENCE, Server, Step, answer, eventually, ok, refusing, within_patience};

/// A fault, and the error that it must give.
struct Row {
    id: &'static str,
    script: Vec<Step>,
    kind: ErrorKind,
    phase: Phase,
}

fn row(id: &'static str, response: impl AsRef<[u8]>, kind: ErrorKind, phase: Phase) -> Row {
    Row { id, script: answer(response), kind, phase }
}

fn head(id: &'static str, response: impl AsRef<[u8]>, violation: Violation) -> Row {
    row(id, response, ErrorKind::Protocol(violation), Phase::Head)
}

/// Fetches and reads once; then the same pool must serve a good request on a new connection.
fn check(row: Row) {
    let Row { id, script, kind, phase } = row;
    let server = Server::with(move |n| if n == 0 { script.clone() } else { answer(ok("good")) });
    let pool = ConnectionPool::builder(&server.url("")).limit(1).timeout(PATIENCE).build().unwrap();
    let (result, pool) = within_patience(move || (pool.get("/").send().and_then(|response| response.bytes()), pool));
    let error = result.expect_err(id);
    assert_eq!((error.kind(), error.phase()), (&kind, phase), "{id}: {error}");
    assert_eq!(error.origin().map(ToString::to_string), Some(server.url("")), "{id}");
    assert!(error.maybe_processed(), "{id}: the server saw the request");
    assert!(error.to_string().len() < 1024, "{id}");
    assert_eq!((pool.stats().open, pool.stats().in_use), (0, 0), "{id}");
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good", "{id}");
    assert_eq!(server.seen.accepted(), 2, "{id}");
}

#[test]
fn heads() {
    use Violation::*;
    let table = vec![
        head(
            "A5.1 two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            ConflictingContentLength,
        ),
        head("A5.1 list", "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!", ConflictingContentLength),
        head("A5 sign", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", ContentLength),
        head("A5 minus", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", ContentLength),
        head("A5 hex", "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello", ContentLength),
        head("A5 overflow", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n", ContentLength),
        head("A5 space", "HTTP/1.1 200 OK\r\nContent-Length: 5 5\r\n\r\nhello", ContentLength),
        head(
            "A5.4 chunked twice",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            TransferEncoding,
        ),
        head(
            "A5.4 chunked first",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
            TransferEncoding,
        ),
        head("A5.4 HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", TransferEncoding),
        head("A5.7 HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", StatusLine),
        head("A5.7 ICY", "ICY 200 OK\r\n\r\n", StatusLine),
        head("A5.7 099", "HTTP/1.1 099 OK\r\n\r\n", StatusCode),
        head("A5.7 999", "HTTP/1.1 999 OK\r\n\r\n", StatusCode),
        head("A5.7 2000", "HTTP/1.1 2000 OK\r\n\r\n", StatusLine),
        head("A5.8 no status line", "<html>hello</html>", StatusLine),
        head("A5.9 fold in framing", "HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\nhello", FoldedFraming),
        head("A5.10 space before colon", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", FieldName),
        head("A5.11 bare CR", "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", FieldValue),
        head("A5.11 NUL", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", FieldValue),
        head("A5.16 upgrade", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", UnexpectedUpgrade),
        head("C45 banner", "SSH-2.0-OpenSSH_9.2\r\n", StatusLine),
        head("C45 TLS alert", b"\x15\x03\x01\x00\x02\x02\x28", StatusLine),
        head("C49 FIN in a line", "HTTP/1.1 200 OK\r\nContent-Le", IncompleteHead),
        head(
            "C48 1xx with a body",
            "HTTP/1.1 103 Early\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n",
            StatusLine,
        ),
    ];
    table.into_iter().for_each(check);
}

#[test]
fn limits() {
    let exceeded = |id, response: String, limit| row(id, response, ErrorKind::LimitExceeded(limit), Phase::Head);
    let fields = |n| (0..n).map(|n| format!("X-{n}: v\r\n")).collect::<String>();
    let table = vec![
        exceeded("A8.1 many fields", format!("HTTP/1.1 200 OK\r\n{}", fields(10_000)), Limit::HeadFields),
        exceeded(
            "A8.1 long lines",
            format!("HTTP/1.1 200 OK\r\n{}", format!("X: {}\r\n", "v".repeat(60_000)).repeat(9)),
            Limit::HeadBytes,
        ),
        exceeded("A8.1 one line", format!("HTTP/1.1 200 OK\r\nX: {}", "v".repeat(100_000)), Limit::LineBytes),
        exceeded("A8.1 status line", format!("HTTP/1.1 200 {}", "v".repeat(10_000)), Limit::LineBytes),
        exceeded("A8.3 a thousand 1xx", "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), Limit::Interim),
    ];
    table.into_iter().for_each(check);
}

#[test]
fn bodies() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = |id, response: String, kind| row(id, response, kind, Phase::Body);
    let violation =
        |id, body: &str, violation| row(id, [chunked, body].concat(), ErrorKind::Protocol(violation), Phase::Body);
    let incomplete = |received, expected| ErrorKind::IncompleteBody { received, expected };
    use Violation::*;
    let table = vec![
        body("C53 half", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".into(), incomplete(5, Some(10))),
        body("C53 nothing", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n".into(), incomplete(0, Some(10))),
        violation("A6.1 size", "g\r\n", ChunkSize),
        violation("A6.1 sign", "+5\r\nhello\r\n0\r\n\r\n", ChunkSize),
        violation("A6.1 0x", "0x5\r\nhello\r\n0\r\n\r\n", ChunkSize),
        violation("A6.1 17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", ChunkSize),
        violation("A6.2 lone LF", "5\nhello\r\n0\r\n\r\n", ChunkEnd),
        violation("A6.2 LF behind data", "5\r\nhello\n0\r\n\r\n", ChunkEnd),
        violation("A6.2 no CRLF", "5\r\nhelloX\r\n0\r\n\r\n", ChunkEnd),
        violation("A6.2 LF in extension", "5;a\nb\r\nhello\r\n0\r\n\r\n", ChunkEnd),
        violation("C64 trailer", "0\r\nX : y\r\n\r\n", Trailer),
        body("A6.3", [chunked, "7FFFFFFFFFFFFFFF\r\n0123456789"].concat(), incomplete(10, None)),
        body("A6.4 before the last chunk", [chunked, "5\r\nhello\r\n"].concat(), incomplete(5, None)),
        body("A6.4 behind the last size", [chunked, "5\r\nhello\r\n0\r\n"].concat(), incomplete(5, None)),
        body("C64 FIN in a trailer", [chunked, "0\r\nX: y"].concat(), incomplete(0, None)),
        body("A6.7", [chunked, "0\r\n", &"X: y\r\n".repeat(1000)].concat(), ErrorKind::LimitExceeded(Limit::Trailers)),
        body(
            "A6.5 extensions",
            [chunked, &format!("1;{}\r\nx\r\n", "e".repeat(1000)).repeat(100)].concat(),
            ErrorKind::LimitExceeded(Limit::ChunkFraming),
        ),
        body(
            "announced too large",
            "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n".into(),
            ErrorKind::LimitExceeded(Limit::Body),
        ),
    ];
    table.into_iter().for_each(check);
}

/// A silent close, or a reset, at every stage.
#[test]
fn connections_that_end() {
    let half = Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_vec());
    let cut = Step::Send(b"HTTP/1.1 200 OK\r\nContent-".to_vec());
    let incomplete = ErrorKind::IncompleteBody { received: 5, expected: Some(10) };
    // The bytes have reached the client before the reset, which would throw them away.
    let reset = || [Step::Pause(Duration::from_millis(200)), Step::Reset].to_vec();
    let table: [(&str, Vec<Step>, ErrorKind, Phase); 4] = [
        ("C39 FIN", vec![], ErrorKind::Disconnected, Phase::Head),
        ("C41 RST", vec![Step::Reset], ErrorKind::Disconnected, Phase::Head),
        ("RST in the head", [vec![cut], reset()].concat(), ErrorKind::Protocol(Violation::IncompleteHead), Phase::Head),
        ("RST in the body", [vec![half], reset()].concat(), incomplete, Phase::Body),
    ];
    for (id, script, kind, phase) in table {
        check(Row { id, script: [vec![Step::Request], script].concat(), kind, phase });
    }
}

/// A reset before anything is read: it may show when the request is sent or when the answer is awaited.
#[test]
fn connections_that_are_reset_at_once() {
    for size in [10, 1 << 20] {
        let server = Server::new(vec![vec![Step::Reset], answer(ok("good"))]);
        let pool = ConnectionPool::builder(&server.url("")).limit(1).timeout(PATIENCE).build().unwrap();
        let error = pool.post("/").data(vec![0; size]).send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Disconnected, "{error}");
        assert!(matches!(error.phase(), Phase::Send | Phase::Head), "{error}");
        assert_eq!(error.origin().map(ToString::to_string), Some(server.url("")));
        assert_eq!(pool.stats().open, 0);
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good");
    }
}

#[test]
fn connections_that_are_refused() {
    let (_held, refusing) = refusing();
    let pool = ConnectionPool::builder(&format!("http://{refusing}")).limit(1).build().unwrap();
    for _ in 0..3 {
        let error = pool.get("/").send().unwrap_err();
        assert_eq!(
            (error.kind(), error.phase(), error.maybe_processed()),
            (&ErrorKind::Connect, Phase::Connect, false)
        );
        assert!(error.is_connect());
    }
    assert_eq!((pool.stats().open, pool.stats().dial_failures), (0, 3));
}

#[test]
fn sockets_that_are_none() {
    let directory = tempfile::tempdir().unwrap();
    let encode = |path: &str| format!("http+unix://{}", path.replace('/', "%2F"));
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let table = [
        ("C13 missing", encode(directory.path().join("none").to_str().unwrap())),
        ("C13 no socket", encode(file.to_str().unwrap())),
        ("C13 too long", encode(&format!("/{}", "a".repeat(200)))),
    ];
    for (id, url) in table {
        let error = ConnectionPool::builder(&url).build().unwrap().get("/").send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Connect, Phase::Connect), "{id}: {error}");
    }
}

#[test]
fn names_without_address() {
    let pool = ConnectionPool::builder("http://does-not-exist.invalid").limit(1).build().unwrap();
    let error = pool.get("/").send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Resolve, Phase::Resolve));
    assert_eq!(pool.stats().open, 0);
}

/// Row C55: after an error a response never answers an end of file.
#[test]
fn an_error_stays_an_error() {
    let server = Server::new(vec![answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")]);
    let pool = ConnectionPool::builder(&server.url("")).build().unwrap();
    let mut response = pool.get("/").send().unwrap();
    let mut buf = [0; 64];
    assert_eq!(response.read(&mut buf).unwrap(), 5);
    for _ in 0..3 {
        let error = response.read(&mut buf).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        let kind = Error::from_io(&error).unwrap().kind();
        assert_eq!(kind, &ErrorKind::IncompleteBody { received: 5, expected: Some(10) });
    }
}

/// A response of just that many bytes.
fn exactly(len: usize, chunked: bool) -> Vec<u8> {
    let build = |body: usize| match chunked {
        true => format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body:08x}\r\n{}\r\n0\r\n\r\n",
            "x".repeat(body)
        ),
        false => format!("HTTP/1.1 200 OK\r\nContent-Length: {body:08}\r\n\r\n{}", "x".repeat(body)),
    };
    let response = build(len - build(0).len());
    assert_eq!(response.len(), len);
    response.into_bytes()
}

/// What follows a response belongs to nobody: rows A5.6, A7.1 and A7.3.
#[test]
fn surplus_is_never_an_answer() {
    let tagged = |tag: &str| ok(tag);
    let table = [
        ("A7.1 a whole second response", "/", [tagged("one"), tagged("evil")].concat()),
        ("A7.3 one byte", "/", [tagged("one"), b"x".to_vec()].concat()),
        (
            "behind chunks",
            "/",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
                .to_vec(),
        ),
        ("a body too long for the read-ahead", "/long", [tagged(&"x".repeat(100_000)), tagged("evil")].concat()),
        ("a response that fills the read-ahead", "/long", [exactly(16 * 1024, false), tagged("evil")].concat()),
        ("chunks that fill the read-ahead", "/long", [exactly(16 * 1024, true), tagged("evil")].concat()),
    ];
    for (id, path, bytes) in table {
        // The connection stays open at the server: only the surplus speaks against it.
        let first = vec![Step::Request, Step::Send(bytes), Step::UntilClosed];
        let server = Server::new(vec![first, answer(ok("good"))]);
        let pool = ConnectionPool::builder(&server.url("")).build().unwrap();
        let body = pool.get(path).send().unwrap().text().unwrap();
        assert!(body == "one" || (path == "/long" && !body.contains("evil")), "{id}");
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good", "{id}");
        assert_eq!(server.seen.accepted(), 2, "{id}");
        assert_eq!(pool.stats().closed(CloseReason::UnexpectedBytes), 1, "{id}");
    }
}

/// Row A5.6: a body where none may be.
#[test]
fn a_body_behind_a_bodyless_response() {
    let server = Server::new(vec![
        vec![
            Step::Request,
            Step::Send([ok(""), b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil".to_vec()].concat()),
            Step::UntilClosed,
        ],
        answer(ok("good")),
    ]);
    let pool = ConnectionPool::builder(&server.url("")).build().unwrap();
    assert_eq!(pool.head("/").send().unwrap().bytes().unwrap(), b"");
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good");
    assert_eq!(server.seen.accepted(), 2);
}

/// On a connection that sits idle the probe sees what came: rows A7.1 and C66.
#[test]
fn what_arrives_on_an_idle_connection_is_seen() {
    let reset = vec![Step::Request, Step::Send(ok("one")), Step::Hold, Step::Reset];
    let table = [
        ("FIN", vec![Step::Request, Step::Send(ok("one")), Step::Hold], CloseReason::PeerClosed),
        ("RST", reset, CloseReason::PeerClosed),
        (
            "response",
            vec![
                Step::Request,
                Step::Send(ok("one")),
                Step::Hold,
                Step::Send(ok("evil")),
                Step::Tell("sent"),
                Step::UntilClosed,
            ],
            CloseReason::UnexpectedBytes,
        ),
        (
            "junk",
            vec![
                Step::Request,
                Step::Send(ok("one")),
                Step::Hold,
                Step::Send(b"junk".to_vec()),
                Step::Tell("sent"),
                Step::UntilClosed,
            ],
            CloseReason::UnexpectedBytes,
        ),
    ];
    for (id, script, reason) in table {
        let told = script.iter().any(|step| matches!(step, Step::Tell(_)));
        let server = Server::new(vec![script, answer(ok("good"))]);
        let pool = ConnectionPool::builder(&server.url("")).probe_after(Duration::ZERO).build().unwrap();
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "one", "{id}");
        server.gate.open();
        match told {
            true => server.wait_for("sent"),
            false => eventually("the close", || server.seen.open.load(std::sync::atomic::Ordering::SeqCst) == 0),
        }
        // A POST: it is the probe that finds out, not a replay.
        assert_eq!(pool.post("/").data("x").send().unwrap().text().unwrap(), "good", "{id}");
        assert_eq!((pool.stats().replayed, pool.stats().closed(reason)), (0, 1), "{id}");
        assert_eq!(server.seen.requests().len(), 2, "{id}");
    }
}

/// A read timeout leaves a late response on the wire: that connection is never used again (row C42).
#[test]
fn a_late_response_goes_to_nobody() {
    let late = vec![Step::Request, Step::Hold, Step::Send(ok("late")), Step::UntilClosed];
    let server = Server::new(vec![late, answer(ok("good"))]);
    let pool = ConnectionPool::builder(&server.url("")).limit(1).build().unwrap();
    let timeout = Timeout::new().read(Duration::from_millis(50));
    let error = pool.get("/").timeout(timeout).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Read), Phase::Head));
    assert!(error.is_timeout());
    server.gate.open();
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good");
}

//! What the peer or the network does.

use std::time::Duration;

use hostpool::{Error, Method, PoolManager, Retry, Timeout};

use crate::support::{Server, Step, answer, refusing};
use crate::{CANARY, Late, Row, check, pool};

/// Pools that cannot connect.
fn nowhere() -> PoolManager {
    PoolManager::builder().dialer(Late).retries(Retry::off()).build().unwrap()
}

#[test]
fn connections() {
    let (_held, address) = refusing();
    let refused = hostpool::get(format!("http://user:{CANARY}@{address}/list?key={CANARY}")).send().unwrap_err();
    let slow = nowhere().request(Method::PUT, "http://slow.example/a?canary-7f3a");
    let slow = slow.timeout(Timeout::new().connect(Duration::from_secs(30))).send().unwrap_err();
    let alert = b"\x15\x03\x01\x00\x02\x02\x46";
    let tls = Server::new(vec![
        answer(alert),
        answer(b"\x16\x03\x03\x00\x02hello, this is TLS\n"),
        answer("SSH-2.0-x\r\n\r\n"),
    ]);
    let mut by_tls = [0; 3].map(|_| pool(&tls).get("/a").send().unwrap_err());
    let looks = "the response does not begin with an HTTP/1.0 or HTTP/1.1 status line: it looks like TLS; is the URL \
                 https rather than http? (waiting for the response, GET http://TLS/a)";
    let other = std::mem::replace(&mut by_tls[2], Error::custom("taken"));
    let [first, second, _] = by_tls;
    let closing = Server::new(vec![vec![Step::Request]]);
    check(
        vec![
            Row::new(
                "nobody listens",
                "connect",
                refused,
                "no connection could be opened (connecting, GET http://ADDR/list)",
            )
            .causes("ADDR: Connection refused (os error 111)"),
            Row::new(
                "a bound",
                "timeout",
                slow,
                "the connect timeout of 30 s passed (connecting, PUT http://slow.example/a)",
            ),
            Row::new("http to a TLS port", "protocol", first, looks),
            Row::new("http to a server that speaks TLS first", "protocol", second, looks),
            Row::new(
                "http to another protocol",
                "protocol",
                other,
                "the response does not begin with an HTTP/1.0 or HTTP/1.1 status line (waiting for the response, GET \
                 http://TLS/a)",
            ),
            Row::new(
                "closed without a response",
                "disconnected",
                pool(&closing).post("/a?canary-7f3a").send().unwrap_err(),
                "the peer closed the connection without a response (waiting for the response, POST http://CLOSING/a)",
            )
            .causes("unexpected end of file"),
        ],
        &[(&address.to_string(), "ADDR"), (&tls.addr.to_string(), "TLS"), (&closing.addr.to_string(), "CLOSING")],
    );
}

/// A bound that passes is named with its value. The dialer says that its time is over, so that nothing is waited for.
#[test]
fn bounds() {
    let server = Server::new(vec![vec![Step::Request, Step::UntilClosed]]);
    let half = Server::with(|_| vec![Step::Request, Step::Send(HALF.to_vec()), Step::UntilClosed]);
    let dialled = |timeout: Timeout| {
        let request = nowhere().get("http://slow.example/a?canary-7f3a").timeout(timeout);
        request.send().unwrap_err()
    };
    let sent = |timeout: Timeout| pool(&server).get("/a?canary-7f3a").timeout(timeout).send().unwrap_err();
    let read = |timeout: Timeout| {
        let response = pool(&half).get("/a?canary-7f3a").timeout(timeout).send().unwrap();
        response.bytes().unwrap_err()
    };
    let (long, short) = (Duration::from_secs(90), Duration::from_millis(20));
    let row = |bound, error, shown| Row::new(bound, "timeout", error, shown);
    let waiting = |bound, error, shown| row(bound, error, shown).causes("timed out");
    check(
        vec![
            row(
                "total",
                dialled(Timeout::new().total(long)),
                "the total timeout of 90 s passed (connecting, GET http://slow.example/a)",
            ),
            row(
                "connect, which is shorter",
                dialled(Timeout::new().total(long).connect(Duration::from_millis(2500))),
                "the connect timeout of 2.5 s passed (connecting, GET http://slow.example/a)",
            ),
            waiting(
                "head",
                sent(Timeout::new().head(short)),
                "the head timeout of 20 ms passed (waiting for the response, GET http://ADDR/a)",
            ),
            waiting(
                "read, in a head",
                sent(Timeout::new().read(short)),
                "the read timeout of 20 ms passed (waiting for the response, GET http://ADDR/a)",
            ),
            waiting(
                "read, in a body",
                read(Timeout::new().read(short)),
                "the read timeout of 20 ms passed (reading the body, GET http://HALF/a)",
            ),
            waiting(
                "min_rate",
                read(Timeout::new().min_rate(1000, short)),
                "the body was slower than min_rate allows: 1000 bytes in 20 ms (reading the body, GET http://HALF/a)",
            ),
        ],
        &[(&server.addr.to_string(), "ADDR"), (&half.addr.to_string(), "HALF")],
    );
}

/// The half of a response.
const HALF: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";

/// What is wrong with a response.
#[test]
fn responses() {
    let row = |mistake, code, answer: &[u8], shown: &str| {
        let server = Server::new(vec![vec![Step::Request, Step::Send(answer.to_vec())]]);
        let request = pool(&server).get("/a?key=canary-7f3a").raise_for_status(true).max_body(100);
        let error = request.send().and_then(|response| response.bytes()).unwrap_err();
        let shown = shown.replace("URL", &format!("GET {}", server.url("/a")));
        Row::new(mistake, code, error, String::leak(shown))
    };
    let long = |name: &str, len: usize| format!("HTTP/1.1 200 OK\r\n{name}{}\r\n\r\n", "x".repeat(len)).into_bytes();
    let begins = "the response does not begin with an HTTP/1.0 or HTTP/1.1 status line";
    check(
        vec![
            row(
                "a status",
                "status",
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone",
                "the status is \
                 404 Not Found (waiting for the response, URL)",
            ),
            row(
                "a body that is cut",
                "incomplete_body",
                HALF,
                "the body ended after 5 of 10 bytes (reading the body, URL)",
            )
            .causes("unexpected end of file"),
            row(
                "two lengths",
                "protocol",
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                "two Content-Lengths differ (waiting for the response, URL)",
            ),
            row(
                "HTTP/2",
                "protocol",
                b"\0\0\x12\x04\0\0\0\0\0\0\x03",
                &format!("{begins}: it looks like HTTP/2, which is not spoken here (waiting for the response, URL)"),
            ),
            row(
                "a long head",
                "limit_exceeded",
                &long("X: ", 70_000),
                "too many bytes of a line (allow more by Limits::line_bytes, status_line_bytes, or Lines::max_len for a \
                 body) (waiting for the response, URL)",
            ),
            row(
                "a large body",
                "limit_exceeded",
                &long("Content-Length: 101\r\nX: ", 1),
                "too many bytes of a body read as a whole (allow more by max_body) (reading the body, URL)",
            ),
            #[cfg(feature = "gzip")]
            row(
                "another coding",
                "decode",
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\nhello, world",
                "decoding failed: it is not gzip data (reading the body, URL)",
            ),
        ],
        &[],
    );
}

#[cfg(feature = "rustls")]
#[test]
fn https_to_a_plain_port() {
    let server = Server::new(vec![vec![Step::Bytes(1), Step::Send(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())]]);
    let url = format!("https://user:canary-7f3a@{}/a?canary-7f3a", server.addr);
    check(
        vec![
            Row::new(
                "https to a plain port",
                "tls",
                hostpool::get(url).timeout(crate::support::GIVE_UP).send().unwrap_err(),
                "TLS failed (in the TLS handshake, GET https://ADDR/a)",
            )
            .causes(
                "the peer does not speak TLS (it began with \"HTTP/1.1 400 Bad Request\\r\\n\\r\\n\"); is the URL http \
                 rather than https?",
            ),
        ],
        &[(&server.addr.to_string(), "ADDR")],
    );
}

#[cfg(feature = "json")]
#[test]
fn json() {
    #[derive(serde::Deserialize)]
    struct Post {
        #[expect(dead_code, reason = "only its name counts")]
        title: String,
    }
    let json = |head: &str, body: &str| {
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len());
        let server = Server::new(vec![crate::support::answers(head + body)]);
        let error = pool(&server).get("/posts/1?canary-7f3a").send().unwrap().json::<Post>().err().unwrap();
        assert_eq!(error.head().unwrap().body(), body.as_bytes());
        assert_eq!(error.status(), error.head().map(|head| head.status()));
        (error, server.addr.to_string())
    };
    let (lacks, first) = json("200 OK\r\nContent-Type: application/json", r#"{"id": 1, "body": "no title"}"#);
    let (page, second) = json("404 Not Found\r\nContent-Type: text/html; charset=utf-8", "<h1>Not found</h1>");
    let what = "decoding failed: ";
    let about = "(reading the body, GET http://ADDR/posts/1)";
    let row =
        |mistake, error, why: &str| Row::new(mistake, "decode", error, String::leak(format!("{what}{why} {about}")));
    check(
        vec![
            row("a field is missing", lacks, "the JSON is not of the requested type")
                .causes("missing field `title` at line 1 column 29"),
            row("a page", page, "it is not JSON, with status 404 and media type text/html")
                .causes("expected value at line 1 column 1"),
        ],
        &[(&first, "ADDR"), (&second, "ADDR")],
    );
}

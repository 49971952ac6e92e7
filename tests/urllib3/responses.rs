//! The response object (RSP).

use std::io::{BufRead, Read};
use std::sync::mpsc;
use std::thread;

use hostpool::{CloseReason, ConnectionPool, Error, ErrorKind, Response, Session, Violation};

use crate::support::{GIVE_UP, Server, Step, answer, answers, eventually, ok, without_hanging};

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap()
}

/// A response whose connection stays open.
fn fetch(method: &str, bytes: impl AsRef<[u8]>) -> (Server, hostpool::Result<Response>) {
    let server = Server::new(vec![[answer(bytes), vec![Step::UntilClosed]].concat()]);
    let response = pool(&server).request(method.parse().unwrap(), "/").allow_redirects(false).send();
    (server, response)
}

/// What the table says that one does with a response, and what it gives, as a text.
type Use = fn(Response) -> String;

type Outcome = Result<&'static str, ErrorKind>;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn by_reads(response: &mut Response, sizes: &[usize]) -> String {
    let reads: Vec<String> = sizes
        .iter()
        .map(|size| {
            let mut buf = vec![0; *size];
            let len = response.read(&mut buf).unwrap();
            text(&buf[..len])
        })
        .collect();
    reads.join("|")
}

fn load(response: &mut Response) -> String {
    text(response.load().unwrap())
}

fn data(response: &Response) -> String {
    response.data().map_or("none".into(), text)
}

fn pieces(mut response: Response, size: usize) -> String {
    let pieces = response
        .chunks(size)
        .map(|piece| piece.map_or_else(|error| format!("{:?}", error.kind()), |piece| text(&piece)));
    pieces.collect::<Vec<_>>().join("|")
}

/// The lines with their ends.
fn raw_lines(response: Response) -> String {
    let mut reader = response.into_buf_reader();
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return lines.join("|");
        }
        lines.push(line);
    }
}

const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: ";

/// Rows RSP-01 to RSP-16 and RSP-28: the body, in every way it is asked for.
#[test]
fn bodies() {
    let foo = &format!("{LENGTH}3\r\n\r\nfoo");
    let empty = &format!("{LENGTH}0\r\n\r\n");
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nf\r\n2\r\noo\r\n0\r\n\r\n";
    let part: Use = |mut response| {
        let read = by_reads(&mut response, &[2]);
        format!("{read}|{}|{}|{}", load(&mut response), load(&mut response), data(&response))
    };
    let loaded: Use = |mut response| {
        let before = data(&response);
        format!("{before}|{}|{}|{}", load(&mut response), data(&response), data(&response))
    };
    let one_by_one: Use = |mut response| by_reads(&mut response, &[0, 1, 2, 9, 9]);
    let whole: Use = |response| text(&response.bytes().unwrap());
    let to_end: Use = |mut response| std::io::read_to_string(&mut response).unwrap();
    let some: Use = |mut response| by_reads(&mut response, &[2, 1, 9]);
    let by_two: Use = |response| pieces(response, 2);
    let by_none: Use = |response| pieces(response, 0);
    let lines: Use = |mut response| response.lines().map(Result::unwrap).collect::<Vec<_>>().join("|");
    let no_size = "InvalidRequest";
    let table: [(&str, &str, &str, Use, &str); 25] = [
        ("RSP-01", "GET", foo, loaded, "none|foo|foo|foo"),
        ("RSP-03", "GET", foo, loaded, "none|foo|foo|foo"),
        ("RSP-03 what was read before is not kept", "GET", foo, part, "fo|o|o|o"),
        ("RSP-04 empty", "GET", empty, loaded, "none|||"),
        ("RSP-04 HEAD", "HEAD", &format!("{LENGTH}3\r\n\r\n"), loaded, "none|||"),
        ("RSP-04 204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", loaded, "none|||"),
        ("RSP-06", "GET", foo, one_by_one, "|f|oo||"),
        ("RSP-07 bytes", "GET", foo, whole, "foo"),
        ("RSP-07 Read", "GET", foo, to_end, "foo"),
        ("RSP-09", "GET", foo, some, "fo|o|"),
        ("RSP-09 no more than one chunk is waited for", "GET", chunks, some, "f|o|o"),
        ("RSP-12", "GET", foo, by_two, "fo|o"),
        ("RSP-12 whatever the chunks", "GET", chunks, by_two, "fo|o"),
        ("RSP-13", "GET", empty, by_two, ""),
        ("RSP-13 nothing at a time", "GET", foo, by_none, no_size),
        ("RSP-28 nothing", "GET", empty, raw_lines, ""),
        ("RSP-28 one end", "GET", &format!("{LENGTH}1\r\n\r\n\n"), raw_lines, "\n"),
        ("RSP-28 three ends", "GET", &format!("{LENGTH}3\r\n\r\n\n\n\n"), raw_lines, "\n|\n|\n"),
        ("RSP-28 two lines", "GET", &format!("{LENGTH}7\r\n\r\nabc\ndef"), raw_lines, "abc\n|def"),
        ("RSP-28 mixed", "GET", &format!("{LENGTH}8\r\n\r\n\n\na\n\nb\r\n"), raw_lines, "\n|\n|a\n|\n|b\r\n"),
        ("RSP-28 without the ends", "GET", &format!("{LENGTH}8\r\n\r\n\n\na\n\nb\r\n"), lines, "||a||b"),
        ("RSP-24", "GET", &format!("{LENGTH}8\r\n\r\nabc\n\ndef"), raw_lines, "abc\n|\n|def"),
        ("RSP-24 until close", "GET", "HTTP/1.0 200 OK\r\n\r\nabc\n\ndef", raw_lines, "abc\n|\n|def"),
        ("RSP-25", "GET", &format!("{LENGTH}6\r\n\r\na\u{fc}\nde"), lines, "a\u{fc}|de"),
        ("RSP-25 until close", "GET", "HTTP/1.0 200 OK\r\n\r\na\u{fc}\nde", lines, "a\u{fc}|de"),
    ];
    for (id, method, response, act, expected) in table {
        let server = Server::new(vec![[answer(response), vec![Step::HalfClose, Step::UntilClosed]].concat()]);
        let response = pool(&server).request(method.parse().unwrap(), "/").send().unwrap();
        assert_eq!(act(response), expected, "{id}");
    }
}

/// Rows RSP-16 to RSP-22, RSP-30 and RSP-34: what the head says.
#[test]
fn heads() {
    let left: Use = |mut response| {
        let before = response.length_remaining();
        let read = response.read(&mut [0; 2]).unwrap();
        format!("{before:?} {:?} {}", response.length_remaining(), response.bytes_read() - read as u64)
    };
    let framing: Use = |response| format!("{:?} {}", response.length_remaining(), response.is_chunked());
    let location: Use = |response| format!("{:?}", response.redirect_location());
    let field: Use = |response| {
        let headers = response.headers();
        ["x-tag", "X-TAG", "X-Tag"].map(|name| headers.get(name).unwrap_or_default()).join("|")
    };
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let moved = |status: u16, location: &str| format!("HTTP/1.1 {status} X\r\n{location}Content-Length: 0\r\n\r\n");
    let to = "Location: http://other.example/a?b#c\r\n";
    let seen = "Some(\"http://other.example/a?b#c\")";
    let length = ErrorKind::Protocol(Violation::ContentLength);
    let lengths = ErrorKind::Protocol(Violation::ConflictingContentLength);
    let table: [(&str, &str, String, Use, Outcome); 22] = [
        ("RSP-16", "GET", "HTTP/1.1 200 OK\r\n\r\nfoo".into(), framing, Ok("None false")),
        ("RSP-16 with one", "GET", format!("{LENGTH}5\r\n\r\nhello"), left, Ok("Some(5) Some(3) 0")),
        ("RSP-18", "GET", both.into(), framing, Ok("None true")),
        ("RSP-18 no bodies: HEAD", "HEAD", format!("{LENGTH}5\r\n\r\n"), framing, Ok("Some(0) false")),
        ("RSP-18 no bodies: 204", "GET", "HTTP/1.1 204 X\r\n\r\n".into(), framing, Ok("Some(0) false")),
        (
            "RSP-18 no bodies: 304",
            "GET",
            "HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n".into(),
            framing,
            Ok("Some(0) false"),
        ),
        ("RSP-19", "GET", format!("{LENGTH}5, 5\r\n\r\nhello"), framing, Ok("Some(5) false")),
        ("RSP-19 lines", "GET", format!("{LENGTH}5\r\nContent-Length: 5\r\n\r\n"), framing, Ok("Some(5) false")),
        ("RSP-19 differ", "GET", format!("{LENGTH}5, 6\r\n\r\nhello"), framing, Err(lengths)),
        ("RSP-19 negative", "GET", format!("{LENGTH}-5\r\n\r\nhello"), framing, Err(length.clone())),
        ("RSP-19 none", "GET", format!("{LENGTH}foo\r\n\r\nhello"), framing, Err(length)),
        ("RSP-30", "GET", format!("{LENGTH}0\r\nX-tAG: a\r\n\r\n"), field, Ok("a|a|a")),
        ("RSP-34", "GET", moved(301, to), location, Ok(seen)),
        ("RSP-34 302", "GET", moved(302, to), location, Ok(seen)),
        ("RSP-34 303", "POST", moved(303, to), location, Ok(seen)),
        ("RSP-34 307", "GET", moved(307, to), location, Ok(seen)),
        ("RSP-34 308", "GET", moved(308, to), location, Ok(seen)),
        ("RSP-34 no Location", "GET", moved(301, ""), location, Ok("None")),
        ("RSP-34 no redirect", "GET", moved(200, to), location, Ok("None")),
        ("RSP-34 300", "GET", moved(300, to), location, Ok("None")),
        ("RSP-34 304", "GET", moved(304, to), location, Ok("None")),
        ("RSP-34 no text", "GET", moved(301, "Location: /\u{fc}\r\n"), location, Ok("Some(\"/\u{fc}\")")),
    ];
    for (id, method, response, act, expected) in table {
        let (_server, response) = fetch(method, response);
        assert_eq!(response.map(act).map_err(|error| error.kind().clone()), expected.map(str::to_owned), "{id}");
    }
}

/// The redirects that were passed on the way to this response. `Response::retries`, row RSP-31, is another thing.
#[test]
fn history() {
    let first = "HTTP/1.1 302 X\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n";
    for (follow, passed) in [(true, 1), (false, 0)] {
        let server = Server::new(vec![[answer(first), answer(ok("there"))].concat()]);
        let response = Session::new().get(server.url("/")).allow_redirects(follow).send().unwrap();
        let statuses: Vec<u16> = response.history().iter().map(|passed| passed.status().as_u16()).collect();
        assert_eq!(statuses, vec![302; passed], "{follow}");
    }
}

/// Row RSP-27: a response that is closed is so for all who ask.
#[test]
fn closed() {
    let (_server, response) = fetch("GET", ok("foo"));
    let mut response = response.unwrap();
    assert!(response.connection().is_some() && response.shutdown_handle().is_some());
    response.close();
    assert!(response.connection().is_none() && response.shutdown_handle().is_none() && response.data().is_none());
    assert!(response.bytes().unwrap_err().is_closed());
}

/// Row RSP-22: what a server sends where no body may be is no body and no answer to the next request.
#[test]
fn bytes_behind_a_response_without_a_body() {
    let (tolerated, unexpected) = (CloseReason::Tolerated, CloseReason::UnexpectedBytes);
    let table = [
        ("CL 5", "Content-Length: 5\r\n", tolerated),
        ("CL 0", "Content-Length: 0\r\n", unexpected),
        ("none", "", unexpected),
    ];
    for (id, lines, reason) in table {
        let bytes = format!("HTTP/1.1 204 No Content\r\n{lines}\r\n{}", text(&ok("evil")));
        let server = Server::new(vec![answer(bytes), answers(ok("next"))]);
        let pool = pool(&server);
        let mut response = pool.get("/").send().unwrap();
        assert_eq!(by_reads(&mut response, &[16]), "", "RSP-22 {id}");
        assert_eq!(pool.stats().closed(reason), 1, "RSP-22 {id}");
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next", "RSP-22 {id}");
    }
}

/// Row RSP-21: the connection ends in front of what was announced; with and without minding it.
#[test]
fn bodies_that_end_early() {
    let gzip = "Content-Encoding: gzip\r\n";
    let fin = || vec![Step::HalfClose, Step::UntilClosed];
    let reset = || vec![Step::Hold, Step::Reset];
    let cut = |received, expected| Err(ErrorKind::incomplete_body(received, expected));
    let length = |lines: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 1337\r\n\r\n{body}");
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let long = "x".repeat(1336);
    let large = format!("{LENGTH}100001\r\n\r\n{}", "x".repeat(100_000));
    let table = [
        ("RSP-21", length("", ""), fin(), cut(0, Some(1337)), Ok(0)),
        ("RSP-21 a part", length("", "hello"), fin(), cut(5, Some(1337)), Ok(5)),
        ("RSP-21 but one", length("", &long), fin(), cut(1336, Some(1337)), Ok(1336)),
        ("RSP-21 large", large, fin(), cut(100_000, Some(100_001)), Ok(100_000)),
        ("RSP-21 whole", format!("{LENGTH}5\r\n\r\nhello"), fin(), Ok(5), Ok(5)),
        ("RSP-21 reset", length("", "hello"), reset(), cut(5, Some(1337)), cut(5, Some(1337))),
        ("RSP-21 chunks", chunks.into(), fin(), cut(5, None), cut(5, None)),
        #[cfg(feature = "gzip")]
        ("RSP-21 coded", length(gzip, "\x1F"), fin(), cut(1, Some(1337)), Err(ErrorKind::Decode)),
        #[cfg(not(feature = "gzip"))]
        ("RSP-21 coded", length(gzip, "\x1F"), fin(), cut(1, Some(1337)), Ok(1)),
    ];
    for (id, response, end, strict, lenient) in table {
        for (enforce, expected) in [(true, strict), (false, lenient)] {
            let server = Server::new(vec![[answer(&response), end.clone()].concat(), answers(ok("next"))]);
            let pool = pool(&server);
            let mut response = pool.get("/").enforce_content_length(enforce).send().unwrap();
            let (mut body, mut buf) = (0, [0; 3]);
            let result = loop {
                // A reset may overtake what was sent before.
                if body == 5 {
                    server.gate.open();
                }
                match response.read(&mut buf) {
                    Ok(0) => break Ok(body),
                    Ok(len) => body += len,
                    Err(error) => break Err(Error::from_io(&error).unwrap().kind().clone()),
                }
            };
            assert_eq!(result, expected, "{id} {enforce}");
            let announced = response.content_length();
            assert_eq!(response.length_remaining(), announced.map(|all| all - response.bytes_read()), "{id} {enforce}");
            assert_eq!((pool.stats().in_use, pool.stats().idle), (0, usize::from(id == "RSP-21 whole")), "{id}");
            assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next", "{id} {enforce}");
        }
    }
}

/// Rows RSP-10, LIFE-17: a read that waits is ended by another thread, whatever delimits the body.
#[test]
fn shut_down_by_another_thread() {
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let table = [
        ("length", format!("{LENGTH}10\r\n\r\nhello")),
        ("large", format!("{LENGTH}100000000\r\n\r\nhello")),
        ("chunks", chunks.to_owned()),
        ("until close", "HTTP/1.1 200 OK\r\n\r\nhello".to_owned()),
    ];
    for (id, response) in table {
        for enforce in [true, false] {
            let server = Server::new(vec![[answer(&response), vec![Step::UntilClosed]].concat(), answers(ok("next"))]);
            // Without a timeout: nothing else ends the wait.
            let pool = ConnectionPool::builder(server.url("")).limit(1).build().unwrap();
            let mut response = pool.get("/").enforce_content_length(enforce).send().unwrap();
            let handle = response.shutdown_handle().unwrap();
            let (tell, told) = mpsc::channel();
            let reader = thread::spawn(move || {
                response.read_exact(&mut [0; 5]).unwrap();
                tell.send(()).unwrap();
                let mut buf = vec![0; 64 * 1024];
                let errors = [(); 2].map(|()| response.read(&mut buf).unwrap_err());
                errors.map(|error| Error::from_io(&error).unwrap().kind().clone())
            });
            told.recv_timeout(GIVE_UP).unwrap();
            let handle = thread::spawn(move || {
                assert!(handle.clone().shutdown());
                handle
            });
            let handle = handle.join().unwrap();
            let kinds = without_hanging(move || reader.join().unwrap());
            assert_eq!(kinds, [ErrorKind::Closed, ErrorKind::Closed], "{id}");
            assert!(!handle.shutdown(), "{id}: it is over");
            assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next", "{id}");
            eventually("the server's side ends", || server.seen.open() == 1);
        }
    }
}

/// Rows RSP-10, LIFE-18: a handle reaches its own response, and never the connection's next user.
#[test]
fn shut_down_too_late() {
    type End = fn(Response);
    let ends: [(&str, End, usize); 5] = [
        ("read", |response| drop(response.bytes().unwrap()), 1),
        ("released", |mut response| response.release(), 1),
        ("dropped", drop, 1),
        ("closed", |mut response| response.close(), 0),
        ("loaded", |mut response| drop(response.load().unwrap().to_vec()), 1),
    ];
    for (id, end, idle) in ends {
        let half = Step::Send(format!("{LENGTH}10\r\n\r\nhello").into());
        let rest = vec![Step::Request, half, Step::Hold, Step::Send("world".into())];
        let script = [answer(ok("first")), rest].concat();
        let server = Server::new(vec![script.clone(), script[2..].to_vec()]);
        let pool = pool(&server);
        let response = pool.get("/").send().unwrap();
        let handle = response.shutdown_handle().unwrap();
        end(response);
        assert_eq!(pool.stats().idle, idle, "{id}");
        assert!(!handle.shutdown(), "{id}: the connection is idle or closed");
        let mut next = pool.get("/").send().unwrap();
        assert_eq!(next.is_reused(), idle == 1, "{id}");
        next.read_exact(&mut [0; 5]).unwrap();
        assert!(!handle.shutdown(), "{id}: it serves another");
        server.gate.open();
        assert_eq!(next.text().unwrap(), "world", "{id}");
    }
}

/// A body that was there already is given out; the connection was shut down, and does not go back to its pool.
#[test]
fn shut_down_before_the_last_read() {
    let server = Server::new(vec![answers(ok("hello"))]);
    let pool = pool(&server);
    for n in 1..=3 {
        let response = pool.post("/").send().unwrap();
        assert!(response.shutdown_handle().unwrap().shutdown());
        assert_eq!(response.text().unwrap(), "hello");
        assert_eq!((pool.stats().idle, pool.stats().created, pool.stats().replayed), (0, n, 0));
    }
}

/// Whoever comes first, reader or handle: a connection that is idle afterwards is a good one.
#[test]
fn shut_down_at_the_same_time() {
    let server = Server::new(vec![answers(ok("hello"))]);
    let pool = pool(&server);
    for _ in 0..300 {
        let response = pool.post("/").send().unwrap();
        let handle = response.shutdown_handle().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| handle.shutdown());
            drop(response.bytes());
        });
        assert_eq!(pool.stats().in_use, 0);
    }
    assert_eq!(pool.stats().replayed, 0);
}

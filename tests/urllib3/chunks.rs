//! Chunked responses (CHK).

use hostpool::{ConnectionPool, ErrorKind, Response, Violation};

use crate::support::{GIVE_UP, Server, Step, answer, answers, ok};

const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap()
}

/// What the first connection answers with, and whether the next request is sent over it, too.
fn fetch<E>(
    method: &str,
    bytes: impl AsRef<[u8]>,
    read: impl FnOnce(Response) -> Result<Vec<String>, E>,
) -> (Result<Vec<String>, E>, bool) {
    let server = Server::new(vec![[answer(bytes), answers(ok("same"))].concat(), answers(ok("other"))]);
    let pool = pool(&server);
    let read = read(pool.request(method.parse().unwrap(), "/").send().unwrap());
    let next = pool.get("/").send().unwrap().text().unwrap();
    (read, next == "same")
}

fn by_wire(most: usize) -> impl FnOnce(Response) -> Result<Vec<String>, String> {
    move |mut response| {
        let pieces = response.wire_chunks(most).map(|piece| piece.map(|piece| String::from_utf8(piece).unwrap()));
        let what = |error: hostpool::Error| error.to_string().split(" (").next().unwrap().to_owned();
        pieces.collect::<Result<_, _>>().map_err(what)
    }
}

/// Rows CHK-03 to CHK-14 as far as one response shows them: the pieces, and whether its connection serves again.
#[test]
fn pieces() {
    let refused = Err("invalid request: the body was not sent in chunks".to_owned());
    let no_size = Err("invalid request: the size of a body's pieces is 0".to_owned());
    let bad_size = Err(Violation::ChunkSize.to_string());
    let two = format!("{HEAD}5\r\nfoooo\r\na\r\nbbbbaaaaar\r\n0\r\n\r\n");
    let pieces = |pieces: &[&str]| Ok(pieces.iter().map(|piece| (*piece).to_owned()).collect());
    let extended = format!("{HEAD}3;name=\"value\"\r\nfoo\r\n3 ; a\r\nbar\r\n0;last\r\nX-Sum: 1\r\n\r\n");
    let table = [
        ("CHK-03", "GET", &*two, 2, pieces(&["fo", "oo", "o", "bb", "bb", "aa", "aa", "ar"]), true),
        ("CHK-03 whole chunks", "GET", &two, 100, pieces(&["foooo", "bbbbaaaaar"]), true),
        ("CHK-03 whole chunks, much room", "GET", &two, usize::MAX, pieces(&["foooo", "bbbbaaaaar"]), true),
        ("CHK-03 nothing at a time", "GET", &two, 0, no_size, true),
        ("CHK-05", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfoo", 2, refused, true),
        ("CHK-08", "GET", &format!("{HEAD}3\r\nfoo\r\nZZZ\r\nbar\r\n0\r\n\r\n"), 9, bad_size, false),
        ("CHK-11", "GET", &extended, 9, pieces(&["foo", "bar"]), true),
        ("CHK-12", "HEAD", HEAD, 9, pieces(&[]), true),
        ("CHK-14", "GET", &format!("{HEAD}3\r\n123\r\n0\r\n\r\n"), 9, pieces(&["123"]), true),
        ("CHK-14 no chunk but the last", "GET", &format!("{HEAD}0\r\n\r\n"), 9, pieces(&[]), true),
    ];
    for (id, method, response, most, expected, kept) in table {
        assert_eq!(fetch(method, response, by_wire(most)), (expected, kept), "{id}");
    }
}

/// Row CHK-06: a body that is in memory has no chunks any more, and is cut as it is asked for.
#[test]
fn loaded() {
    let response = format!("{HEAD}5\r\nfoooo\r\na\r\nbbbbaaaaar\r\n0\r\n\r\n");
    let server = Server::new(vec![answer(response)]);
    let mut response = pool(&server).get("/").send().unwrap();
    response.load().unwrap();
    assert_eq!(by_wire(7)(response).unwrap(), ["foooobb", "bbaaaaa", "r"], "CHK-06");
}

/// Row CHK-09: the connection ends where a chunk should begin, or anywhere before the last one has ended.
#[test]
fn that_end_early() {
    let whole = format!("{HEAD}3\r\nfoo\r\n2\r\nba\r\n0\r\n\r\n");
    for end in HEAD.len()..whole.len() {
        let server = Server::new(vec![answer(&whole[..end]), answers(ok("next"))]);
        let pool = pool(&server);
        let mut response = pool.get("/").send().unwrap();
        let pieces: Vec<_> =
            response.wire_chunks(100).map(|piece| piece.map_err(|error| error.kind().clone())).collect();
        let received = response.bytes_read();
        let cut = ErrorKind::incomplete_body(received, None);
        assert_eq!(pieces.last(), Some(&Err(cut)), "CHK-09 {end}");
        let data: Vec<u8> = pieces.iter().flatten().flatten().copied().collect();
        assert!(b"fooba".starts_with(&data) && data.len() as u64 <= received, "CHK-09 {end}: {pieces:?}");
        assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 0), "CHK-09 {end}");
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next", "CHK-09 {end}");
    }
}

/// Row CHK-03: pieces come as their chunks do, and nothing waits for the next one.
#[test]
fn as_they_come() {
    let large = "x".repeat(40_000);
    let chunks = ["foo".to_owned(), "b".to_owned(), large.clone(), "ar".to_owned()];
    let mut script = vec![Step::Request, Step::Send(HEAD.into())];
    for chunk in &chunks {
        script.extend([Step::Send(format!("{:x}\r\n{chunk}\r\n", chunk.len()).into()), Step::Hold]);
    }
    script.push(Step::Send(b"0\r\n\r\n".into()));
    let server = Server::new(vec![script]);
    let mut response = pool(&server).get("/").send().unwrap();
    let mut pieces = response.wire_chunks(1 << 20);
    for chunk in &chunks {
        assert!(pieces.next().unwrap().unwrap() == chunk.as_bytes());
        server.gate.open();
    }
    assert!(pieces.next().is_none());
    // The same where all of it is there at once, and long enough to be received past the read-ahead.
    let data = chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect::<String>().repeat(20);
    let (pieces, kept) = fetch("GET", format!("{HEAD}{data}0\r\n\r\n"), by_wire(1 << 20));
    assert!(kept && pieces.unwrap() == [chunks.as_slice(); 20].concat());
}

/// Row CHK-02, and what is decoded as it comes.
#[cfg(feature = "gzip")]
#[test]
fn coded() {
    use std::io::Write;

    let body = "chunked".repeat(1000);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body.as_bytes()).unwrap();
    let mut response = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in encoder.finish().unwrap().chunks(2) {
        response.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    response.extend(b"0\r\n\r\n");
    let (pieces, kept) = fetch("GET", &response, by_wire(100));
    let pieces = pieces.unwrap();
    assert!(kept && pieces.concat() == body && pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= 100));
    // What was flushed is there before the rest, also of its chunk.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"first").unwrap();
    encoder.flush().unwrap();
    let first = std::mem::take(encoder.get_mut());
    encoder.write_all(b"second").unwrap();
    let second = encoder.finish().unwrap();
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n";
    let start = format!("{head}\r\n{:x}\r\n", first.len() + second.len());
    let (start, end) = ([start.as_bytes(), &first].concat(), [&second, &b"\r\n0\r\n\r\n"[..]].concat());
    let server = Server::new(vec![vec![Step::Request, Step::Send(start), Step::Hold, Step::Send(end)]]);
    let mut live = pool(&server).get("/").send().unwrap();
    let mut pieces = live.wire_chunks(100);
    assert_eq!(pieces.next().unwrap().unwrap(), b"first");
    server.gate.open();
    assert_eq!(pieces.map(Result::unwrap).collect::<Vec<_>>().concat(), b"second");
    let (whole, kept) = fetch("GET", &response, |response| Ok::<_, ErrorKind>(vec![response.text().unwrap()]));
    assert!(kept && whole.unwrap() == [body], "CHK-02");
}

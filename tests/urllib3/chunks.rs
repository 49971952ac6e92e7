//! Chunked responses (CHK).

use hostpool::{ConnectionPool, ErrorKind, Response, Violation};

use crate::support::{PATIENCE, Server, answer, answers, ok};

const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(&server.url("")).timeout(PATIENCE).build().unwrap()
}

/// What the first connection answers with, and whether the next request is sent over it, too.
fn fetch(
    method: &str,
    bytes: impl AsRef<[u8]>,
    read: impl FnOnce(Response) -> Result<Vec<String>, ErrorKind>,
) -> (Result<Vec<String>, ErrorKind>, bool) {
    let server = Server::new(vec![[answer(bytes), answers(ok("same"))].concat(), answers(ok("other"))]);
    let pool = pool(&server);
    let read = read(pool.request(method.parse().unwrap(), "/").send().unwrap());
    let next = pool.get("/").send().unwrap().text().unwrap();
    (read, next == "same")
}

fn by_wire(most: usize) -> impl FnOnce(Response) -> Result<Vec<String>, ErrorKind> {
    move |mut response| {
        let pieces = response.wire_chunks(most).map(|piece| piece.map(|piece| String::from_utf8(piece).unwrap()));
        pieces.collect::<Result<_, _>>().map_err(|error| error.kind().clone())
    }
}

/// Rows CHK-03 to CHK-14 as far as one response shows them: the pieces, and whether its connection serves again.
#[test]
fn pieces() {
    let refused = Err(ErrorKind::InvalidRequest("the body was not sent in chunks"));
    let no_size = Err(ErrorKind::InvalidRequest("the size of a body's pieces is 0"));
    let bad_size = Err(ErrorKind::Protocol(Violation::ChunkSize));
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

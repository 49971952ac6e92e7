//! Request bodies and their framing (BODY).

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, Write};
use std::time::Duration;

use hostpool::{Body, ConnectionPool, Method, RequestBuilder};

use crate::support::{GIVE_UP, Server, Step, header, ok};

const TEN: &str = "0123456789";

/// What the table says of a request.
type Make = fn(RequestBuilder) -> RequestBuilder;

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).limit(1).timeout(GIVE_UP).probe_after(Duration::MAX).build().unwrap()
}

fn file() -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(TEN.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

/// Gives what is in these, one at a time, and the empty ones as nothing.
fn pieces() -> impl Read + Send {
    Cursor::new("foo").chain(io::empty()).chain(Cursor::new("bar")).chain(Cursor::new("0123456789abcdef"))
}

/// The head, and the bytes behind it as they are on the wire.
fn sent(method: &Method, make: Make, len: usize) -> (String, Vec<u8>) {
    let server = Server::new(vec![vec![Step::Head, Step::Record(len), Step::Send(ok("")), Step::Rest]]);
    let pool = pool(&server);
    make(pool.request(method.clone(), "/")).send().unwrap().bytes().unwrap();
    // Nothing may follow: what would is recorded when the connection is closed.
    drop(pool);
    crate::support::eventually("the script ends", || server.seen.rest().len() == 2);
    assert_eq!(server.seen.rest()[1], b"");
    let head = String::from_utf8(server.seen.heads.lock().unwrap()[0].1.clone()).unwrap();
    (head, server.seen.rest().remove(0))
}

fn count(head: &str, name: &str) -> usize {
    head.lines().filter(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:"))).count()
}

/// Rows BODY-01 to BODY-13: the fields that frame a body, and its bytes.
#[test]
fn framing() {
    let (length, chunked) = (|len| (Some(len), None), (None, Some("chunked")));
    let post: &[Method] = &[Method::POST];
    let all: &[Method] = &[Method::POST, Method::PUT, Method::PATCH];
    let whole = "a\r\n0123456789\r\n0\r\n\r\n";
    let list = "3\r\nfoo\r\n3\r\nbar\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";
    type Fields = (Option<&'static str>, Option<&'static str>);
    let table: [(&str, &[Method], Make, Fields, &str); 21] = [
        ("BODY-01", all, |request| request, length("0"), ""),
        ("BODY-01 no body is meant", &[Method::GET, Method::DELETE], |request| request, (None, None), ""),
        ("BODY-02 a file", all, |request| request.data(file()).chunked(true), chunked, whole),
        ("BODY-02 a reader", all, |request| request.data(Body::reader(Cursor::new(TEN))).chunked(true), chunked, whole),
        ("BODY-02 bytes", all, |request| request.data(TEN.as_bytes()).chunked(true), chunked, whole),
        (
            "BODY-02 by the header",
            post,
            |request| request.data(TEN).header("transfer-encoding", "Chunked"),
            chunked,
            whole,
        ),
        ("BODY-04 bytes", all, |request| request.data(TEN.as_bytes()), length("10"), TEN),
        ("BODY-04 a buffer", all, |request| request.data(Body::seekable(Cursor::new(TEN))), length("10"), TEN),
        ("BODY-04 a file", all, |request| request.data(file()), length("10"), TEN),
        ("BODY-05", all, |request| request.data(TEN).header("Content-Length", "10"), length("10"), TEN),
        ("BODY-05 any case", post, |request| request.data(TEN).header("content-length", "10"), length("10"), TEN),
        (
            "BODY-05 a reader",
            post,
            |request| request.data(Body::reader(Cursor::new(TEN))).header("cONTENT-lENGTH", "10"),
            length("10"),
            TEN,
        ),
        ("BODY-07", all, |request| request.data(Body::reader(pieces())), chunked, list),
        ("BODY-08", post, |request| request.data("\u{fc}\u{20ac}"), length("5"), "\u{fc}\u{20ac}"),
        (
            "BODY-08 in chunks",
            post,
            |request| request.data("\u{fc}\u{20ac}").chunked(true),
            chunked,
            "5\r\n\u{fc}\u{20ac}\r\n0\r\n\r\n",
        ),
        ("BODY-08 bytes", post, |request| request.data(b"\xC3\xBC\0"), length("3"), "\u{fc}\0"),
        // What is not there is not cut into chunks; that it is not is said more shortly.
        ("BODY-10 no body", all, |request| request.chunked(true), length("0"), ""),
        ("BODY-10", all, |request| request.data("").chunked(true), chunked, "0\r\n\r\n"),
        ("BODY-10 a reader", all, |request| request.data(Body::reader(io::empty())), chunked, "0\r\n\r\n"),
        ("BODY-11", post, |request| request.data(TEN).chunked(true), chunked, whole),
        ("BODY-13", post, |request| request.data(TEN).chunked(true).skip_auto_headers(["User-Agent"]), chunked, whole),
    ];
    for (id, methods, make, (length, coding), bytes) in table {
        for method in methods {
            let (head, body) = sent(method, make, bytes.len());
            assert_eq!(String::from_utf8_lossy(&body), bytes, "{id} {method}");
            assert_eq!(header(&head, "Content-Length"), length, "{id} {method}");
            assert_eq!(header(&head, "Transfer-Encoding"), coding, "{id} {method}");
            let lines = ["host", "user-agent", "transfer-encoding", "content-length"].map(|name| count(&head, name));
            let named = usize::from(id != "BODY-13");
            let expected = [1, named, usize::from(coding.is_some()), usize::from(length.is_some())];
            assert_eq!(lines, expected, "{id} {method}");
        }
    }
}

/// Row BODY-14: what is sent again is sent in chunks again, after a redirect and on a fresh connection.
#[test]
fn chunked_again() {
    let chunks = b"4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n0\r\n\r\n";
    let take = || vec![Step::Head, Step::Record(chunks.len())];
    let answer = |bytes: &[u8]| vec![Step::Send(bytes.to_vec())];
    let moved = b"HTTP/1.1 307 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    let first = [vec![Step::Request], answer(&ok("first"))].concat();
    let table = [
        ("redirect", vec![[first.clone(), take(), answer(moved), take(), answer(&ok("again"))].concat()], 0),
        ("stale", vec![[first, take()].concat(), [take(), answer(&ok("again"))].concat()], 1),
    ];
    let make: [(&str, Make); 4] = [
        ("bytes", |request| request.data(TEN).chunk_size(4)),
        ("a file", |request| request.data(file()).chunk_size(4)),
        ("a reader", |request| request.data(Body::reader(Cursor::new(TEN))).chunk_size(4)),
        ("a factory", |request| request.data(Body::factory(|| Ok(Cursor::new(TEN)), None)).chunk_size(4)),
    ];
    for (id, scripts, replayed) in table {
        for (kind, make) in make {
            let server = Server::new(scripts.clone());
            let pool = pool(&server);
            pool.get("/").send().unwrap().bytes().unwrap();
            let response = make(pool.put("/").allow_redirects(true)).send().unwrap();
            assert_eq!(response.text().unwrap(), "again", "{id}, {kind}");
            assert_eq!(server.seen.rest(), [chunks, chunks], "{id}, {kind}");
            let heads = server.seen.heads.lock().unwrap();
            for (_, head) in heads.iter() {
                let head = String::from_utf8_lossy(head);
                let fields = (header(&head, "Transfer-Encoding"), header(&head, "Content-Length"));
                assert_eq!(fields, (Some("chunked"), None), "{id}, {kind}");
            }
            assert_eq!((heads.len(), pool.stats().replayed), (2, replayed), "{id}, {kind}");
        }
    }
}

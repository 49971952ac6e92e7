//! The same bytes in other pieces: rows A5.12, A5.13. Nothing may depend on where a segment ends.

use hostpool::{ErrorKind, Method};

use crate::invariants::{exclusive, settled};
use crate::memory::Memory;
use crate::rows::{fetch, fine, run};
use crate::support::{GIVE_UP, Step};

/// Good and bad, every kind of framing.
const CORPUS: &[&str] = &[
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: 1\r\n\r\n",
    "HTTP/1.0 404 Nothing Here\r\nX-Fold: a\r\n  b\r\nContent-Length: 2\r\n\r\nno",
    "HTTP/1.1 200 OK\r\n\r\nall of this",
    "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
    "HTTP/1.2 999 No\r\nbad\r\n fold\r\nX : y\r\nContent-Length : 2\r\n\r\nno",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n5 \r\nhello\r\n0\r\nbad\r\n f\r\nX: y\r\n z\r\n\r\n",
    "\r\nHTTP/1.1 103 Early\r\nbad\r\n\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/2.0 200 OK\r\n\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n",
];

type Outcome = Result<(u16, Vec<u8>), ErrorKind>;

/// What becomes of these bytes in answer to a request, and of the connection.
fn outcome(pieces: Vec<Step>) -> (Outcome, usize) {
    let memory = Memory::new(vec![[vec![Step::Request], pieces].concat()]);
    let client = hostpool::ConnectionPool::builder("http://memory.example")
        .retries(hostpool::Retry::off())
        .dialer(memory.clone())
        .limit(1);
    let client = client.timeout(GIVE_UP).build().unwrap();
    let result = fetch(client.request(Method::GET, "/"), false).map_err(|error| error.kind().clone());
    settled("A5.12", client.stats());
    (result, client.stats().idle)
}

#[test]
fn at_every_place() {
    let exclusive = exclusive();
    exclusive.row("A5.12", || {
        for text in CORPUS {
            let bytes = text.as_bytes();
            let whole = outcome(vec![Step::Send(bytes.to_vec())]);
            for at in 1..bytes.len() {
                let (start, end) = bytes.split_at(at);
                let split = outcome(vec![Step::Send(start.to_vec()), Step::Send(end.to_vec())]);
                assert_eq!(split, whole, "{text:?} split at {at}");
            }
            for size in [1, 2, 3, 7] {
                assert_eq!(outcome(vec![Step::Pieces(bytes.to_vec(), size)]), whole, "{text:?} in pieces of {size}");
            }
        }
    });
}

/// A5.13: that no byte is looked at twice is asserted by the scanner's own tests (`h1::head`).
#[test]
fn large_heads_byte_by_byte() {
    let fields: String = (0..200).map(|n| format!("X-{n}: {}\r\n", "v".repeat(300))).collect();
    let bytes = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok").into_bytes();
    assert!(bytes.len() > 60 * 1024);
    let mut row = fine("A5.13", "", "ok", true);
    row.script = vec![Step::Request, Step::Pieces(bytes, 1)];
    run(vec![row]);
}

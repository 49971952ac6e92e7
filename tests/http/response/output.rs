//! Pieces, writers and files.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use hostpool::{ConnectionPool, ErrorKind, Limit, PoolManager, Response, StatusCode};

use super::fetch;
use crate::support::{GIVE_UP, Server, Step, answers, ok};

const CUT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";

/// A response that breaks off.
fn cut() -> (Server, Response) {
    let server = Server::new(vec![vec![Step::Request, Step::Send(CUT.into()), Step::HalfClose, Step::UntilClosed]]);
    let pool = ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap();
    let response = pool.get("/").send().unwrap();
    (server, response)
}

/// Rows C13, RSP-12, RSP-13 and DEC-13: pieces are as long as was asked for, whatever the chunks on the wire.
#[test]
fn chunks() {
    let body: String = (0..50_000).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    let chunked: String =
        body.as_bytes().chunks(777).map(|c| format!("{:x}\r\n{}\r\n", c.len(), c.escape_ascii())).collect();
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}0\r\n\r\n");
    for size in [1000, 10_240, 49_999, 50_000, 50_001, 25_000, usize::MAX] {
        for bytes in [ok(&body), chunked.clone().into()] {
            let (_server, mut response) = fetch(bytes);
            let pieces: Vec<_> = response.chunks(size).map(Result::unwrap).collect();
            let expected: Vec<_> = body.as_bytes().chunks(size).collect();
            assert_eq!(pieces, expected, "{size}");
            assert_eq!(response.bytes_read(), 50_000);
        }
    }
    let (_server, mut response) = fetch(ok("foo"));
    assert_eq!(response.chunks(2).map(Result::unwrap).collect::<Vec<_>>(), [&b"fo"[..], b"o"]);
    let (_server, mut response) = fetch(ok(""));
    assert_eq!(response.chunks(2).count(), 0);
    let (_server, mut response) = fetch(ok("foo"));
    let refused: Vec<_> = response.chunks(0).collect();
    assert!(matches!(&refused[..], [Err(error)] if matches!(error.kind(), ErrorKind::InvalidRequest)));
    let (_server, mut response) = cut();
    let pieces: Vec<_> = response.chunks(3).map(|piece| piece.map_err(|error| error.kind().clone())).collect();
    let incomplete = ErrorKind::incomplete_body(5, Some(10));
    assert_eq!(pieces, [Ok(b"hel".to_vec()), Err(incomplete)]);
}

/// Takes so many bytes, and then fails, or panics.
struct Full {
    room: usize,
    taken: Vec<u8>,
    panics: bool,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.room);
        self.room -= len;
        self.taken.extend_from_slice(&bytes[..len]);
        match len {
            0 if self.panics => std::panic::resume_unwind(Box::new("on purpose")),
            0 => Err(io::ErrorKind::StorageFull.into()),
            len => Ok(len),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.room {
            0 => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

/// Row C13: to a writer, with progress; its errors are told from the peer's.
#[test]
fn copy_to() {
    let body = "0123456789".repeat(30_000);
    let (_server, mut response) = fetch(ok(&body));
    let (mut output, mut steps) = (Vec::new(), Vec::new());
    let len = response.copy_to_with(&mut output, |done, total| steps.push((done, total))).unwrap();
    assert!(len == 300_000 && output == body.as_bytes());
    assert!(steps.len() > 1 && steps.is_sorted() && steps.last() == Some(&(300_000, Some(300_000))), "{steps:?}");
    assert!(steps.iter().all(|(_, total)| *total == Some(300_000)));

    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n";
    let (_server, mut response) = fetch(chunked);
    let mut total = Some(0);
    assert_eq!(response.copy_to_with(&mut io::sink(), |_, of| total = of).unwrap(), 3);
    assert_eq!((total, response.trailers().get("t")), (None, Some("1")));

    let (_server, mut response) = cut();
    let (mut output, mut done) = (Vec::new(), 0);
    let error = response.copy_to_with(&mut output, |so_far, _| done = so_far).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::incomplete_body(5, Some(10)));
    assert_eq!((&*output, done), (&b"hello"[..], 5));

    for room in [0, 3, 5] {
        let (_server, mut response) = fetch(ok("hello"));
        let mut full = Full { room, taken: Vec::new(), panics: false };
        let error = response.copy_to(&mut full).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!((error.kind(), source.kind()), (&ErrorKind::Output, io::ErrorKind::StorageFull));
        assert_eq!(full.taken, b"hello"[..room]);
        // A piece is lost, so that the rest is not taken for all of it.
        assert_eq!(response.bytes().unwrap_err().kind(), &ErrorKind::Output);
    }
}

/// A writer that fails or panics leaves the pool as it was.
#[test]
fn a_writer_that_fails_costs_no_connection() {
    for panics in [false, true] {
        let server = Server::with(|_| vec![Step::Forever(crate::support::answer(ok("hello")))]);
        let pool = ConnectionPool::builder(server.url("")).limit(1).timeout(GIVE_UP).build().unwrap();
        for _ in 0..3 {
            let mut response = pool.get("/").send().unwrap();
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                response.copy_to(&mut Full { room: 2, taken: Vec::new(), panics }).is_err()
            }));
            assert_eq!(ended.is_err(), panics);
            assert_eq!(pool.stats().in_use, 0);
        }
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "hello");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Nothing bears the name before it is complete, and nothing else is left behind.
#[test]
fn save_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a file.bin");
    let body = "0123456789".repeat(30_000);
    for text in [&*body, "short", ""] {
        let (_server, mut response) = fetch(ok(text));
        let mut last = 0;
        let len = response.save_to_with(&path, |done, total| {
            assert_eq!(total, Some(text.len() as u64));
            assert!(last == 0 || done > last);
            // What is under the name is still what was there.
            assert_eq!(path.exists(), text != body);
            assert_eq!(names(folder.path()).len(), if text == body { 1 } else { 2 });
            last = done;
        });
        assert_eq!((len.unwrap(), last), (text.len() as u64, text.len() as u64));
        assert!(fs::read(&path).unwrap() == text.as_bytes());
        assert_eq!(names(folder.path()), ["a file.bin"]);
    }
}

/// A download that breaks off, is refused by the disk, or panics, leaves what was there.
#[test]
fn saving_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for before in [None, Some("before")] {
        if let Some(before) = before {
            fs::write(&path, before).unwrap();
        }
        let left = || (fs::read_to_string(&path).ok(), names(folder.path()).len());
        let expected = (before.map(str::to_owned), usize::from(before.is_some()));
        let (_server, mut response) = cut();
        let error = response.save_to(&path).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::incomplete_body(5, Some(10)));
        assert_eq!(left(), expected);

        let (_server, mut response) = fetch(ok("hello"));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = response.save_to_with(&path, |_, _| std::panic::resume_unwind(Box::new("on purpose")));
        }));
        assert!(panicked.is_err());
        assert_eq!(left(), expected);
    }
}

#[test]
fn where_nothing_can_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    fs::write(folder.path().join("file"), "before").unwrap();
    for path in ["folder", "missing/file", "file/below", ".."] {
        let (_server, mut response) = fetch(ok("hello"));
        let error = response.save_to(folder.path().join(path)).unwrap_err();
        assert_eq!((error.kind(), error.maybe_processed()), (&ErrorKind::Output, true), "{path}");
        assert!(std::error::Error::source(&error).unwrap().is::<io::Error>(), "{path}");
        // Known before the body is read, which is still there.
        assert_eq!(response.bytes_read(), 0, "{path}");
        assert_eq!(response.text().unwrap(), "hello", "{path}");
        assert_eq!(names(folder.path()), ["file", "folder"], "{path}");
        assert_eq!(names(&folder.path().join("folder")), [""; 0], "{path}");
    }
    let (_server, mut response) = fetch(ok("hello"));
    assert_eq!(response.save_to("").unwrap_err().kind(), &ErrorKind::Output);
}

/// RW-07: the file that a link leads to is replaced, and the link stays.
#[cfg(unix)]
#[test]
fn a_link_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, "before").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let (_server, mut response) = fetch(ok("hello"));
    response.save_to(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), "hello");
    assert_eq!(names(folder.path()), ["link", "target"]);
}

/// Iterators that own their response leave the function that made them, and give the connection back when the body has
/// ended.
#[test]
fn iterators_that_own_the_response() {
    let server = Server::with(|_| answers(ok("one\ntwo\nthree")));
    let pools = PoolManager::new();
    let lines = |pools: &PoolManager| pools.get(server.url("/")).send().unwrap().into_lines();
    let chunks = |pools: &PoolManager| pools.get(server.url("/")).send().unwrap().into_chunks(4);
    let (mut of_lines, mut of_chunks) = (lines(&pools).max_len(4), chunks(&pools));
    assert_eq!((of_lines.response().status(), of_chunks.response().status()), (StatusCode::OK, StatusCode::OK));
    let read = std::thread::spawn(move || {
        let found: Vec<_> = of_lines.by_ref().map(|line| line.map_err(|error| error.kind().clone())).collect();
        let pieces: Vec<_> = of_chunks.by_ref().map(Result::unwrap).collect();
        assert!(of_lines.next().is_none() && of_chunks.next().is_none());
        (found, pieces)
    });
    let (found, pieces) = read.join().unwrap();
    assert_eq!(found, [Ok("one".into()), Ok("two".into()), Err(ErrorKind::LimitExceeded(Limit::LineBytes))]);
    assert_eq!(pieces, [&b"one\n"[..], b"two\n", b"thre", b"e"]);
    assert_eq!(lines(&pools).map(Result::unwrap).collect::<Vec<_>>(), ["one", "two", "three"]);
    assert_eq!(pools.stats().in_use, 0);
    drop(lines(&pools));
    assert_eq!(pools.stats().in_use, 0);
}

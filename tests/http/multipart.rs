//! Forms with files on the wire, read back by a parser that takes nothing but what RFC 7578 and RFC 2046 say.

use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use hostpool::multipart::{Form, Part};
use hostpool::{Body, Compress, ConnectionPool, ErrorKind, Method, Phase, Session};

use crate::support::{GIVE_UP, Server, Step, answer, answers, eventually, header, ok};

/// A part as a server finds it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Found {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
    /// All other fields, as lines.
    others: Vec<String>,
    content: Vec<u8>,
}

fn found(name: &str, file_name: Option<&str>, content_type: Option<&str>, content: impl AsRef<[u8]>) -> Found {
    Found {
        name: name.into(),
        file_name: file_name.map(str::to_owned),
        content_type: content_type.map(str::to_owned),
        others: Vec::new(),
        content: content.as_ref().to_vec(),
    }
}

/// Head and body of the last request.
fn last(server: &Server) -> (String, Vec<u8>) {
    let request = server.seen.requests.lock().unwrap().last().expect("a request").1.clone();
    let end = request.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    (String::from_utf8(request[..end].to_vec()).unwrap(), request[end..].to_vec())
}

/// The parts of the last request.
fn parts(server: &Server) -> Vec<Found> {
    let (head, body) = last(server);
    let content_type = header(&head, "Content-Type").expect("a Content-Type").to_owned();
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").expect(&content_type);
    parse(boundary.trim_matches('"'), &body)
}

fn parse(boundary: &str, body: &[u8]) -> Vec<Found> {
    let line = format!("--{boundary}");
    // The delimiter is the line with the CRLF in front; the first stands at the very start (RFC 2046, section 5.1.1).
    let body = [b"\r\n", body].concat();
    let delimiter = format!("\r\n{line}");
    let mut rest = body.strip_prefix(delimiter.as_bytes()).expect("the first boundary");
    let mut parts = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix(b"--") {
            assert_eq!(end, b"\r\n", "nothing behind the end");
            return parts;
        }
        rest = rest.strip_prefix(b"\r\n").expect("a line end behind the boundary");
        let end =
            rest.windows(delimiter.len()).position(|bytes| bytes == delimiter.as_bytes()).expect("another boundary");
        parts.push(part(&rest[..end]));
        rest = &rest[end + delimiter.len()..];
    }
}

fn part(bytes: &[u8]) -> Found {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = str::from_utf8(&bytes[..end]).unwrap();
    let mut part = Found { content: bytes[end + 4..].to_vec(), ..Found::default() };
    let mut dispositions = 0;
    for line in head.split("\r\n") {
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
        match line.split_once(": ").expect("a field") {
            ("Content-Disposition", value) => {
                let value = value.strip_prefix("form-data; name=\"").expect(value);
                let (name, rest) = value.split_once('"').expect("the end of the name");
                part.name = name.into();
                part.file_name = rest.strip_prefix("; filename=\"").map(|rest| {
                    let (name, rest) = rest.split_once('"').expect("the end of the file name");
                    assert_eq!(rest, "");
                    name.into()
                });
                assert!(part.file_name.is_some() || rest.is_empty(), "{rest:?}");
                dispositions += 1;
            }
            ("Content-Type", value) => assert!(part.content_type.replace(value.into()).is_none(), "two of them"),
            _ => part.others.push(line.into()),
        }
    }
    assert_eq!(dispositions, 1);
    part
}

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).limit(1).timeout(GIVE_UP).build().unwrap()
}

/// A file of that name with this in it.
fn file(directory: &tempfile::TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = directory.path().join(name);
    File::create(&path).unwrap().write_all(content).unwrap();
    path
}

const BYTES: Option<&str> = Some("application/octet-stream");

#[test]
fn what_a_server_finds() {
    let directory = tempfile::tempdir().unwrap();
    let long = "0123456789".repeat(50_000);
    let csv = file(&directory, "täble.CSV", b"a,b\r\n");
    let plain = file(&directory, "noextension", long.as_bytes());
    let table: Vec<(&str, Form, bool, Vec<Found>)> = vec![
        ("a text", Form::new().text("a", "é\r\n--x"), true, vec![found("a", None, None, "é\r\n--x")]),
        (
            "B80",
            Form::new().file("f", csv).unwrap().file("g", plain).unwrap(),
            true,
            vec![
                found("f", Some("täble.CSV"), Some("text/csv"), "a,b\r\n"),
                found("g", Some("noextension"), BYTES, &long),
            ],
        ),
        (
            "the same name twice, and none",
            Form::new().text("a", "1").text("a", "").text("", "3"),
            true,
            vec![found("a", None, None, "1"), found("a", None, None, ""), found("", None, None, "3")],
        ),
        ("no parts", Form::new(), true, vec![]),
        (
            "bytes",
            Form::new().part("b", Part::bytes([0, 255, 13, 10])).part("j", Part::bytes("{}").file_name("x.json")),
            true,
            vec![found("b", None, BYTES, [0, 255, 13, 10]), found("j", Some("x.json"), Some("application/json"), "{}")],
        ),
        (
            "a type of its own",
            Form::new().part("t", Part::text("<p>").content_type("text/html")).part(
                "i",
                Part::bytes("i")
                    .file_name("a.png")
                    .header("content-type", "image/x-own")
                    .header("X-A", "1")
                    .header("X-A", "2"),
            ),
            true,
            vec![
                found("t", None, Some("text/html"), "<p>"),
                Found {
                    others: vec!["X-A: 1".into(), "X-A: 2".into()],
                    ..found("i", Some("a.png"), Some("image/x-own"), "i")
                },
            ],
        ),
        (
            "a reader",
            Form::new().text("a", "1").part("r", Part::reader(Cursor::new(long.clone()))).text("z", "9"),
            false,
            vec![found("a", None, None, "1"), found("r", None, BYTES, &long), found("z", None, None, "9")],
        ),
        (
            "readers of known length",
            Form::new()
                .part("s", Part::sized(Cursor::new(long.clone()), long.len() as u64))
                .part("k", Part::body(Body::seekable(Cursor::new("seek"))))
                .part("f", Part::body(Body::factory(|| Ok(Cursor::new("make")), 4))),
            true,
            vec![found("s", None, BYTES, &long), found("k", None, BYTES, "seek"), found("f", None, BYTES, "make")],
        ),
        ("B85", Form::new().text("a", "1").boundary("my line:1"), true, vec![found("a", None, None, "1")]),
        ("names in UTF-8", Form::new().text("日本%22", "\\"), true, vec![found("日本%22", None, None, "\\")]),
        (
            "A4.11",
            Form::new().part("a\"b", Part::bytes("x").file_name("a\"; X: y;.txt")),
            true,
            vec![found("a%22b", Some("a%22; X: y;.txt"), Some("text/plain"), "x")],
        ),
    ];
    let server = Server::new(vec![answers(ok("got it"))]);
    let (pool, session) = (pool(&server), Session::new());
    for (id, form, sized, expected) in table {
        let again = form.try_clone();
        pool.post("/").multipart(form).send().expect(id);
        assert_eq!(parts(&server), expected, "{id}");
        let (head, body) = last(&server);
        let length = sized.then(|| body.len().to_string());
        assert_eq!(header(&head, "Content-Length"), length.as_deref(), "{id}");
        assert_eq!(header(&head, "Transfer-Encoding"), if sized { None } else { Some("chunked") }, "{id}");
        if let Some(again) = again {
            session.put(server.url("/")).multipart(again).send().expect(id);
            assert_eq!(parts(&server), expected, "{id}, cloned");
        }
    }
}

#[test]
#[cfg(feature = "charset")]
fn texts_in_other_charsets() {
    let server = Server::new(vec![answers(ok(""))]);
    let form = Form::new()
        .part("a", Part::text("Привет").encoding("koi8-r"))
        .part("b", Part::text("é").encoding("latin1").content_type("text/x-own"));
    pool(&server).post("/").multipart(form).send().unwrap();
    let expected = [
        found("a", None, Some("text/plain; charset=koi8-r"), b"\xf0\xd2\xc9\xd7\xc5\xd4"),
        found("b", None, Some("text/x-own"), b"\xe9"),
    ];
    assert_eq!(parts(&server), expected, "B82");
}

/// Rows B83 and A4.11: what would end a line is refused, with nothing sent.
#[test]
fn what_is_refused() {
    let server = Server::new(vec![answers(ok(""))]);
    let pool = pool(&server);
    let named = |part: Part| Form::new().part("a", part);
    let mut table = vec![
        ("a file name that ends a line", named(Part::bytes("x").file_name("a\"\r\nX: y;.txt"))),
        ("a type that does", named(Part::text("x").content_type("text/plain\r\nX: y"))),
        ("a value that does", named(Part::text("x").header("X", "y\r\nZ: a"))),
        ("a name of a header that does", named(Part::text("x").header("X\r\nY", "y"))),
        ("the form's own field", named(Part::text("x").header("content-disposition", "form-data; name=b"))),
        ("a length", named(Part::text("x").header("Content-Length", "9"))),
        ("a charset for bytes", named(Part::bytes("x").encoding("utf-8"))),
        ("a charset for a reader", named(Part::reader(io::empty()).encoding("utf-8"))),
        ("no such charset", named(Part::text("x").encoding("klingon"))),
        ("a boundary inside", named(Part::text("x\r\n--line\r\n")).boundary("line")),
        ("too long", named(Part::sized(io::empty(), u64::MAX))),
    ];
    for name in ["\r", "\n", "\0", "a\r\nb", "\x0b", "\x7f"] {
        table.push(("a name", Form::new().text(name, "x")));
        table.push(("a file name", named(Part::text("x").file_name(name))));
    }
    for boundary in ["", "a ", "a\r\nb", "ä", "a;b", "a\"b", &"x".repeat(71)] {
        table.push(("a boundary", Form::new().boundary(boundary)));
    }
    for (id, form) in table {
        let error = pool.post("/").multipart(form).send().expect_err(id);
        assert_eq!((error.phase(), error.maybe_processed()), (Phase::Prepare, false), "{id}: {error}");
    }
    let missing = Form::new().file("a", "/nowhere/at/all").unwrap_err();
    assert_eq!((missing.kind(), missing.phase()), (&ErrorKind::BodyRead, Phase::Prepare));
    assert_eq!(pool.post("/").files([("a", "/nowhere/at/all")]).send().unwrap_err().kind(), &ErrorKind::BodyRead);
    assert_eq!(server.seen.accepted(), 0);
    pool.post("/").multipart(Form::new().boundary("x".repeat(70))).send().unwrap();
}

/// Row A17.1: from the system, 128 bits of it.
#[test]
fn boundaries_are_random() {
    let boundary = || Form::new().into_body().unwrap().0;
    let (one, other) = (boundary(), boundary());
    let digits = one.strip_prefix("multipart/form-data; boundary=").unwrap();
    assert!(digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
    assert_ne!(one, other);
}

#[test]
fn files_by_their_paths() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::new(vec![answers(ok(""))]);
    let paths = ["a.txt", "b.zip"].map(|name| file(&directory, name, name.as_bytes()));
    hostpool::post(server.url("/")).files(["one", "two"].into_iter().zip(paths)).send().unwrap();
    let expected = [
        found("one", Some("a.txt"), Some("text/plain"), "a.txt"),
        found("two", Some("b.zip"), Some("application/zip"), "b.zip"),
    ];
    assert_eq!(parts(&server), expected, "BA-05");
}

/// A content type of the caller's is kept: then the boundary has to be, too.
#[test]
fn a_content_type_of_the_callers() {
    let server = Server::new(vec![answers(ok(""))]);
    let form = Form::new().text("a", "1").boundary("line");
    let request = pool(&server).post("/").header("Content-Type", "multipart/related; boundary=line").multipart(form);
    request.send().unwrap();
    let (head, body) = last(&server);
    assert_eq!(header(&head, "Content-Type"), Some("multipart/related; boundary=line"));
    assert_eq!(parse("line", &body), [found("a", None, None, "1")]);
}

/// Gives some bytes, and fails then.
struct Failing(usize);

impl Read for Failing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.0.min(buf.len());
        if len == 0 {
            return Err(io::Error::other("the disk is gone"));
        }
        buf[..len].fill(b'x');
        self.0 -= len;
        Ok(len)
    }
}

/// No server takes what it got for the whole: the connection ends, and the next request has another.
#[test]
fn parts_that_fail_on_the_way() {
    let too = |declared, read| ErrorKind::body_length(declared, read);
    let table = [
        ("a reader", Part::reader(Failing(500_000)), ErrorKind::BodyRead),
        ("of known length", Part::sized(Failing(500_000), 600_000), ErrorKind::BodyRead),
        ("A4.4", Part::sized(io::repeat(1).take(400_000), 500_000), too(500_000, 400_000)),
        ("A4.3", Part::sized(io::repeat(1).take(400_001), 400_000), too(400_000, 400_001)),
    ];
    for (id, part, expected) in table {
        let server = Server::new(vec![answers(ok("fine"))]);
        let pool = pool(&server);
        let form = Form::new().text("a", "1").part("b", part).text("c", "3");
        let error = pool.put("/").multipart(form).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&expected, Phase::Send), "{id}");
        eventually("the end of the connection", || server.seen.open() == 0);
        assert!(server.seen.requests().is_empty(), "{id}: no whole request");
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine", "{id}");
        assert_eq!(server.seen.accepted(), 2, "{id}");
    }
}

fn redirect() -> Vec<u8> {
    b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n".to_vec()
}

/// A form whose parts can all go back is sent again as it was, in any coding.
#[test]
fn forms_that_are_sent_again() {
    let directory = tempfile::tempdir().unwrap();
    let large = file(&directory, "large.bin", &b"0123456789".repeat(40_000));
    let form = || Form::new().text("a", "1").file("f", &large).unwrap().text("z", "2");
    let mut codings = vec![Compress::Off];
    if cfg!(feature = "gzip") {
        codings.push(Compress::Gzip);
    }
    for compress in codings {
        let server = Server::new(vec![[answer(redirect()), answers(ok("there"))].concat()]);
        let request = Session::new().post(server.url("/")).multipart(form()).compress(compress);
        assert_eq!(request.send().unwrap().text().unwrap(), "there");
        let sent: Vec<_> = server.seen.requests.lock().unwrap().iter().map(|(_, bytes)| bytes.clone()).collect();
        assert_eq!(sent.len(), 2);
        let body = |bytes: &[u8]| bytes[bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap()..].to_vec();
        assert!(body(&sent[0]) == body(&sent[1]), "{compress:?}: the same bytes again");
        assert!(body(&sent[0]).len() > 1000);
    }

    // Died with an idle connection.
    let server = Server::new(vec![[answer(ok("first")), vec![Step::Request]].concat(), answer(ok("again"))]);
    let pool = ConnectionPool::builder(server.url("")).limit(1).probe_after(Duration::MAX).build().unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    assert_eq!(pool.request(Method::PUT, "/").multipart(form()).send().unwrap().text().unwrap(), "again");
    assert_eq!((pool.stats().replayed, parts(&server).len()), (1, 3));
}

#[test]
fn a_reader_cannot_go_back() {
    let server = Server::new(vec![[answer(redirect()), answers(ok("there"))].concat()]);
    let form = Form::new().text("a", "1").part("r", Part::reader(io::repeat(1).take(500_000)));
    let error = Session::new().post(server.url("/")).multipart(form).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::UnrewindableBody);
    assert_eq!(server.seen.requests().len(), 1);
    // One that still lies in the buffer can.
    let server = Server::new(vec![[answer(redirect()), answers(ok("there"))].concat()]);
    let form = Form::new().part("r", Part::reader(Cursor::new("short")));
    assert_eq!(Session::new().post(server.url("/")).multipart(form).send().unwrap().text().unwrap(), "there");
    assert_eq!(parts(&server), [found("r", None, BYTES, "short")]);
}

#[test]
fn what_debug_says() {
    let form = Form::new().text("user", "secret").part("r", Part::bytes("secret").header("Authorization", "secret"));
    let text = format!("{form:?}");
    assert!(text.contains("user") && text.contains("6 bytes") && !text.contains("secret"), "{text}");
}

//! What the settings of a request make of its body, and what its head says about it.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostpool::{Body, ConnectionPool, Phase, RequestBuilder, Session, Version};

use crate::support::{GIVE_UP, Server, Step, answer, answers, header, ok, without_hanging};

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).limit(1).timeout(GIVE_UP).build().unwrap()
}

fn server() -> Server {
    Server::new(vec![answers(ok(""))])
}

/// Head and body of the last request.
fn last(server: &Server) -> (String, Vec<u8>) {
    let request = server.seen.requests.lock().unwrap().last().expect("a request").1.clone();
    let end = request.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    (String::from_utf8(request[..end].to_vec()).unwrap(), request[end..].to_vec())
}

/// The values of a field, each line for itself.
fn values(head: &str, name: &str) -> Vec<String> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
}

#[test]
fn what_a_body_is_said_to_be() {
    let (text, bytes) = ("text/plain; charset=utf-8", "application/octet-stream");
    type Make = fn(RequestBuilder) -> RequestBuilder;
    let table: [(&str, Make, &[&str]); 8] = [
        ("B58 a text", |request| request.data("text"), &[text]),
        ("B58", |request| request.data(vec![1, 2]), &[bytes]),
        ("B58 a reader", |request| request.data(Body::reader(Cursor::new("x"))), &[bytes]),
        ("B58 a file", |request| request.data(file()), &[bytes]),
        ("B56", |request| request, &[]),
        ("B61", |request| request.data("text").header("content-type", "a/b"), &["a/b"]),
        ("B59", |request| request.form([("a", "b")]), &["application/x-www-form-urlencoded"]),
        ("skipped", |request| request.data("text").skip_auto_headers(["Content-Type"]), &[]),
    ];
    let server = server();
    let (session, pool) = (Session::new(), pool(&server));
    for (id, make, expected) in table {
        let url = server.url("/");
        for request in [session.post(&*url), hostpool::post(&*url)] {
            make(request).send().expect(id);
            assert_eq!(values(&last(&server).0, "Content-Type"), expected, "{id}");
        }
        make(pool.post("/")).send().expect(id);
        let kept: Vec<_> = expected.iter().copied().filter(|kind| ![text, bytes].contains(kind)).collect();
        assert_eq!(values(&last(&server).0, "Content-Type"), kept, "{id}: a pool");
    }
}

/// A file of one byte, at its start.
fn file() -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"x").unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn queries() {
    let server = server();
    let pool = pool(&server);
    let table = [
        ("B41", pool.get("/").params([("a b", "é")]), "/?a+b=%C3%A9"),
        ("RQ-04 raw", pool.get("/").raw_query("a=b+c&d=%2F"), "/?a=b+c&d=%2F"),
        ("B43", pool.get("/?x=1").raw_query("y").params([("z", "2")]), "/?x=1&y&z=2"),
        ("B44", pool.get("/?x=1").raw_query("").params([("", ""); 0]), "/?x=1"),
        ("B49", pool.get("/p?sig=%2F").raw_query("%zz"), "/p?sig=%2F&%zz"),
        ("what may not be sent", pool.get("/").raw_query("a=b c\r\n#é"), "/?a=b%20c%0D%0A%23%C3%A9"),
        ("before a fragment", pool.get("/#part").raw_query("a"), "/?a"),
    ];
    for (id, request, expected) in table {
        request.send().expect(id);
        assert!(last(&server).0.starts_with(&format!("GET {expected} HTTP/1.1\r\n")), "{id}: {}", last(&server).0);
    }
}

#[test]
#[cfg(feature = "json")]
fn pairs_of_values() {
    use hostpool::ErrorKind;

    #[derive(serde::Serialize)]
    struct Search<'a> {
        q: &'a str,
        page: Option<u32>,
        tag: Vec<&'a str>,
    }
    let server = server();
    let search = Search { q: "a b", page: None, tag: vec!["x", "&"] };
    pool(&server).post("/").params(&search).form(&search).send().unwrap();
    let (head, body) = last(&server);
    assert!(head.starts_with("POST /?q=a+b&tag=x&tag=%26 HTTP/1.1\r\n"), "RQ-04: {head}");
    assert_eq!(
        (&*body, values(&head, "Content-Type")),
        (&b"q=a+b&tag=x&tag=%26"[..], vec!["application/x-www-form-urlencoded".to_owned()])
    );
    let nested = serde_json::json!({"a": {"b": 1}});
    for request in [hostpool::get(server.url("/")).params(&nested), hostpool::get(server.url("/")).form(&nested)] {
        assert!(matches!(request.send().unwrap_err().kind(), ErrorKind::InvalidRequest));
    }
    assert_eq!(server.seen.requests().len(), 1);
}

/// RQ-11, whichever is said first.
#[test]
#[cfg(feature = "charset")]
fn charsets() {
    use hostpool::ErrorKind;

    let server = server();
    let pool = pool(&server);
    let form = "application/x-www-form-urlencoded; charset=koi8-r";
    let table = [
        (pool.post("/").data("да").encoding("koi8-r"), &b"\xc4\xc1"[..], "text/plain; charset=koi8-r"),
        (pool.post("/").encoding("koi8-r").data("да"), b"\xc4\xc1", "text/plain; charset=koi8-r"),
        (pool.post("/").form([("a", "да")]).encoding("koi8-r"), b"a=%C4%C1", form),
        (pool.post("/").encoding("koi8-r").form([("a", "да")]), b"a=%C4%C1", form),
    ];
    for (request, body, content_type) in table {
        request.send().unwrap();
        let (head, sent) = last(&server);
        assert_eq!((&*sent, values(&head, "Content-Type")), (body, vec![content_type.to_owned()]));
    }
    let error = pool.post("/").data("日").encoding("koi8-r").send().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidRequest));
}

#[test]
#[cfg(feature = "gzip")]
fn compressed_bodies() {
    use hostpool::{Compress, ErrorKind};

    fn decoded(coding: &str, bytes: &[u8]) -> String {
        match coding {
            "gzip" => io::read_to_string(flate2::read::GzDecoder::new(bytes)).unwrap(),
            "deflate" => io::read_to_string(flate2::read::ZlibDecoder::new(bytes)).unwrap(),
            _ => String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
    let long = "some text ".repeat(100_000);
    let reader = || Body::reader(Cursor::new("some text ".repeat(100_000)));
    let server = server();
    let session = Session::new();
    let post = || session.post(server.url("/"));
    let named = |coding| post().header("content-encoding", coding);
    let coded = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(long.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let table = [
        ("B74", post().data(reader()).compress(Compress::Deflate), Some("deflate"), false),
        ("B74 bytes", post().data(&long).compress(Compress::Deflate), Some("deflate"), true),
        ("RQ-13", post().data(&long).compress(Compress::Gzip), Some("gzip"), true),
        ("RQ-13 a reader", post().data(reader()).compress(Compress::Gzip), Some("gzip"), false),
        ("RQ-13 in chunks", post().data(&long).compress(Compress::Gzip).chunked(true), Some("gzip"), false),
        ("B77 RW-06", named("gzip").data(coded.clone()), Some("gzip"), true),
        ("B77 RW-06 and compressed", named("gzip").data(&long).compress(Compress::Gzip), Some("gzip"), true),
        ("off", post().data(&long), None, true),
    ];
    for (id, request, coding, sized) in table {
        request.send().expect(id);
        let (head, body) = last(&server);
        assert_eq!(values(&head, "Content-Encoding"), coding.into_iter().collect::<Vec<_>>(), "{id}");
        assert!(decoded(coding.unwrap_or_default(), &body) == long, "{id}");
        assert!(coding.is_none() || body.len() < long.len() / 50, "{id}: {} bytes", body.len());
        let length = sized.then(|| body.len().to_string());
        assert_eq!(header(&head, "Content-Length"), length.as_deref(), "{id}");
        assert_eq!(header(&head, "Transfer-Encoding").is_some(), !sized, "{id}");
    }
    // Without its coding a body would be something else.
    assert!(post().data(&long).compress(Compress::Gzip).skip_auto_headers(["Content-Encoding"]).send().is_err());
    // B76, B79: coded already, and left alone.
    for request in [named("br").data("bytes").compress(Compress::Off), named("br").data("bytes")] {
        request.send().unwrap();
        let (head, body) = last(&server);
        assert_eq!(
            (&*body, header(&head, "Content-Length"), header(&head, "Content-Encoding")),
            (&b"bytes"[..], Some("5"), Some("br"))
        );
    }
    let before = server.seen.requests().len();
    for request in [named("br").data("x").compress(Compress::Gzip), named("gzip").data("x").compress(Compress::Deflate)]
    {
        let error = request.send().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "B79: {error}");
    }
    assert_eq!(server.seen.requests().len(), before);
    // A text is still a text, to those who say what bodies are.
    let session = Session::builder().header("Content-Encoding", "gzip").build().unwrap();
    session.post(server.url("/")).data(&long).compress(Compress::Gzip).send().unwrap();
    let (head, body) = last(&server);
    assert_eq!(header(&head, "Content-Type"), Some("text/plain; charset=utf-8"));
    assert!(decoded("gzip", &body) == long && values(&head, "Content-Encoding") == ["gzip"]);
    session.post(server.url("/")).data(coded.clone()).send().unwrap();
    let (head, body) = last(&server);
    assert!(body == coded && values(&head, "Content-Encoding") == ["gzip"], "B77 RW-06: by the session's headers");
    // Who speaks through a pool sends what is coded already.
    pool(&server).post("/").data("coded").header("Content-Encoding", "br").send().unwrap();
    let (head, body) = last(&server);
    assert_eq!((values(&head, "Content-Encoding"), &*body), (vec!["br".to_owned()], &b"coded"[..]));
}

/// The bytes behind the head, as they are on the wire.
fn raw(request: impl FnOnce(&ConnectionPool) -> RequestBuilder, bytes: usize) -> (String, Vec<u8>) {
    let server = Server::new(vec![vec![Step::Head, Step::Record(bytes), Step::Send(ok(""))]]);
    request(&pool(&server)).send().unwrap();
    let head = server.seen.heads.lock().unwrap()[0].1.clone();
    (String::from_utf8(head).unwrap(), server.seen.rest().remove(0))
}

#[test]
fn chunks() {
    let text = "0123456789";
    let even = b"4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n0\r\n\r\n";
    let whole = b"a\r\n0123456789\r\n0\r\n\r\n";
    type Make = fn(RequestBuilder) -> RequestBuilder;
    let table: [(&str, Make, &[u8]); 6] = [
        ("B71", |request| request.data(Body::reader(Cursor::new("0123456789"))).chunk_size(4), even),
        ("B71 bytes", |request| request.data("0123456789").chunk_size(4), even),
        ("RQ-14", |request| request.data("0123456789").chunked(true), whole),
        ("B70", |request| request.data(Body::reader(Cursor::new("0123456789"))), whole),
        ("B73", |request| request.data("0123456789").header("Transfer-Encoding", "chunked"), whole),
        ("B73 both", |request| request.header("transfer-encoding", "CHUNKED").data("0123456789").chunk_size(4), even),
    ];
    for (id, make, expected) in table {
        let (head, body) = raw(|pool| make(pool.put("/")), expected.len());
        assert_eq!(body.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{id}");
        assert_eq!(values(&head, "Transfer-Encoding"), ["chunked"], "{id}");
        assert_eq!(values(&head, "Content-Length"), Vec::<String>::new(), "{id}");
    }
    let (head, body) = raw(|pool| pool.put("/").data(text).chunked(true).chunked(false), text.len());
    assert_eq!((&*body, header(&head, "Content-Length")), (text.as_bytes(), Some("10")));
}

#[test]
fn chunks_that_cannot_be() {
    let server = server();
    let pool = pool(&server);
    let post = || pool.post("/").data("text");
    let table = [
        ("a size of none", post().chunk_size(0)),
        ("a size beyond a piece", post().chunk_size((128 << 10) + 1)),
        ("HTTP/1.0", post().chunked(true).version(Version::HTTP_10)),
        ("HTTP/1.0, by a header", post().header("Transfer-Encoding", "chunked").version(Version::HTTP_10)),
        ("A4.5", post().header("Transfer-Encoding", "chunked").header("Content-Length", "4")),
        ("A4.5 by a setting", post().chunked(true).header("Content-Length", "4")),
        ("another coding", post().header("Transfer-Encoding", "gzip")),
        ("twice", post().header("Transfer-Encoding", "chunked").header("transfer-encoding", "chunked")),
        ("B86", pool.post("/").data("text").header("Content-Length", "3")),
    ];
    for (id, request) in table {
        let error = request.send().expect_err(id);
        assert_eq!((error.phase(), error.maybe_processed()), (Phase::Prepare, false), "{id}: {error}");
    }
    assert_eq!(server.seen.accepted(), 0);
}

/// What becomes a GET has nothing of the body left; what stays a POST has all of it.
#[test]
fn bodies_and_redirects() {
    let moved =
        |status: u16| format!("HTTP/1.1 {status} Moved\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n").into_bytes();
    for (status, kept) in [(303, false), (307, true)] {
        let server = Server::new(vec![[answer(moved(status)), answers(ok(""))].concat()]);
        let request = Session::new().post(server.url("/")).data("text").chunk_size(3).encoding("utf-8");
        let request = if cfg!(feature = "gzip") { request.compress(hostpool::Compress::Gzip) } else { request };
        request.send().unwrap();
        let requests = server.seen.requests.lock().unwrap();
        let text = |at: usize| String::from_utf8_lossy(&requests[at].1).into_owned();
        let about = ["Content-Type", "Content-Encoding", "Content-Length", "Transfer-Encoding"];
        let fields = |at: usize| about.map(|name| values(&text(at), name));
        assert_eq!(fields(0)[0], ["text/plain; charset=utf-8"]);
        if kept {
            assert_eq!(fields(1), fields(0), "B98");
            let body = |at: usize| text(at).split_once("\r\n\r\n").unwrap().1.to_owned();
            assert_eq!(body(1), body(0), "B98");
        } else {
            assert!(text(1).starts_with("GET /next "), "B95");
            assert_eq!(fields(1), [const { Vec::<String>::new() }; 4], "B95, A1.15");
        }
    }
}

type Log = Arc<Mutex<Vec<(u64, Option<u64>)>>>;

fn log() -> (Log, impl FnMut(u64, Option<u64>) + Send + 'static) {
    let log = Log::default();
    (log.clone(), move |sent, total| log.lock().unwrap().push((sent, total)))
}

#[test]
fn progress() {
    let server = server();
    let pool = pool(&server);
    let long = vec![b'x'; 3 << 20];
    let len = long.len() as u64;
    let table = [
        ("bytes", Body::from(long.clone()), Some(len)),
        ("seekable", Body::seekable(Cursor::new(long.clone())), Some(len)),
        ("chunks", Body::reader(Cursor::new(long.clone())), None),
        ("small", Body::from(vec![b'x'; 3 << 20]), Some(len)),
    ];
    for (id, body, total) in table {
        let (log, told) = log();
        pool.put("/").data(body).on_upload_progress(told).send().unwrap();
        let log = log.lock().unwrap();
        assert_eq!((log.first(), log.last()), (Some(&(0, total)), Some(&(len, total))), "{id}");
        assert!(log.windows(2).all(|pair| pair[0].0 < pair[1].0), "{id}: {log:?}");
    }
    let (log, told) = self::log();
    pool.get("/").on_upload_progress(told).send().unwrap();
    assert!(log.lock().unwrap().is_empty(), "without a body there is nothing to tell");
}

#[test]
fn progress_of_a_replay() {
    let server = Server::new(vec![[answer(ok("first")), vec![Step::Request]].concat(), answer(ok("again"))]);
    let pool = ConnectionPool::builder(server.url("")).limit(1).probe_after(Duration::MAX).build().unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    let (log, told) = log();
    pool.put("/").data("text").on_upload_progress(told).send().unwrap();
    let four = Some(4);
    assert_eq!(*log.lock().unwrap(), [(0, four), (4, four), (0, four), (4, four)]);
}

/// A panic of the caller's goes on to the caller; the unit comes back, and the connection, which has half a request on
/// it, is closed.
#[test]
fn progress_that_panics() {
    let server = Server::new(vec![answers(ok("good"))]);
    let pool = pool(&server);
    for at in [0, 1] {
        pool.get("/").send().unwrap().text().unwrap();
        let body = Body::reader(io::repeat(7).take(1 << 20));
        let request = pool.post("/").data(body).on_upload_progress(move |sent, _| {
            if sent >= at {
                resume_unwind(Box::new("on purpose"));
            }
        });
        let panicked = catch_unwind(AssertUnwindSafe(|| request.send())).unwrap_err();
        assert_eq!(panicked.downcast_ref::<&str>(), Some(&"on purpose"));
        assert_eq!((pool.stats().in_use, pool.stats().waiting), (0, 0), "{at}");
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "good", "{at}");
    }
    assert!(server.seen.requests().iter().all(|request| request.starts_with("GET")), "no whole POST");
}

/// It sends a clone of the request it is told about, in the middle of that.
#[test]
fn progress_that_sends() {
    let server = Server::new(vec![answers(ok("good"))]);
    let inner: Arc<Mutex<Option<RequestBuilder>>> = Arc::default();
    let mine = inner.clone();
    let request = Session::new().post(server.url("/")).data("text").on_upload_progress(move |_, _| {
        if let Some(inner) = mine.lock().unwrap().take() {
            assert_eq!(inner.send().unwrap().text().unwrap(), "good");
        }
    });
    *inner.lock().unwrap() = request.try_clone();
    assert_eq!(without_hanging(move || request.send().unwrap().text().unwrap()), "good");
    assert_eq!(server.seen.requests().len(), 2);
}

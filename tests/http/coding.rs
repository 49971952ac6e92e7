//! Content codings: what is asked for, what is decoded, and what a broken one does to the body and the connection.

use std::io::{Read, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use hostpool::{Bound, CloseReason, ConnectionPool, Error, ErrorKind, Limit, Phase, Response, Session, Violation};

use crate::support::{GIVE_UP, Server, Step, answer, answers, header, ok};

const TEXT: &str = "The pool waits for the host, and the host for the pool; the pool is the host's.";

/// [`TEXT`], by Python's `brotli.compress(text, quality=11, lgwin=22)`.
#[cfg(feature = "brotli")]
const BROTLI: &[u8] = b"\x1B\x4E\x00\xC0\x9C\x09\xBC\x09\xEB\xEA\xC8\x3B\x80\x13\xA6\x2F\x5D\xA8\xCA\x12\x2D\x0D\xAE\
    \xDF\xE6\x40\xD8\x36\xC8\xC9\x0E\x1D\x0F\xB8\xE8\x37\xD2\x1B\xF3\x4A\x25\xD8\x01\x1B\xB3\x69\xB0\xD0\x79\x73\xCA\
    \x98\x49\x8E\x3E\x0B\xA0\x81\xAC\xD2\x50\xD8\x00";

/// The same, by `zstd -3`, with its checksum.
#[cfg(feature = "zstd")]
const ZSTD: &[u8] = b"\x28\xB5\x2F\xFD\x04\x58\xDD\x01\x00\xA4\x02\x54\x68\x65\x20\x70\x6F\x6F\x6C\x20\x77\x61\
    \x69\x74\x73\x20\x66\x6F\x72\x20\x74\x68\x65\x20\x68\x6F\x73\x74\x2C\x20\x61\x6E\x64\x70\x6F\x6F\x6C\x3B\x69\x73\
    \x27\x73\x2E\x05\x00\x46\x15\x6E\x75\x41\x67\x53\x9F\x3A\x20\x8A\xF9\x04\xBC\xB3\x85\xA9";

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn bare_deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// A hundred KiB that compress to about a half.
fn noise() -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"0123456789abcdef"[(state >> 24) as usize % 16]
    };
    (0..100 * 1024).map(|_| next()).collect()
}

/// A response with these header lines, and a length.
fn coded(lines: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn chunked(lines: &str, body: &[u8], size: usize, trailer: &str) -> Vec<u8> {
    let mut response = format!("HTTP/1.1 200 OK\r\n{lines}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(size) {
        response.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    response.extend(format!("0\r\n{trailer}\r\n").into_bytes());
    response
}

const GZIP: &str = "Content-Encoding: gzip\r\n";

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap()
}

/// The one response of a server that closes behind it.
fn fetch(bytes: impl AsRef<[u8]>) -> Result<Response, Error> {
    pool(&Server::new(vec![answer(bytes)])).get("/").send()
}

/// Reads by buffers of this size, to the end or an error that stays.
fn read_by(response: &mut Response, size: usize) -> (Vec<u8>, Option<ErrorKind>) {
    let (mut body, mut buf) = (Vec::new(), vec![0; size]);
    loop {
        match response.read(&mut buf) {
            Ok(0) => return (body, None),
            Ok(len) => body.extend_from_slice(&buf[..len]),
            Err(error) => {
                let kind = Error::from_io(&error).unwrap().kind().clone();
                let again = response.read(&mut buf).unwrap_err();
                assert_eq!(Error::from_io(&again).unwrap().kind(), &kind);
                return (body, Some(kind));
            }
        }
    }
}

/// Rows B133 and A9.7: by every coding and framing, and read in every way; the head stays as it came.
#[test]
fn decoded_as_it_is_read() {
    let text = TEXT.as_bytes();
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("gzip", gzip(text), TEXT),
        ("x-gzip", gzip(text), TEXT),
        ("GZIP", gzip(text), TEXT),
        ("gzip, identity", gzip(text), TEXT),
        ("gzip\r\nContent-Encoding: deflate", zlib(&gzip(text)), TEXT),
        ("gzip, gzip, gzip\r\nContent-Encoding: gzip,gzip", gzip(&gzip(&gzip(&gzip(&gzip(text))))), TEXT),
        ("deflate", zlib(text), TEXT),
        ("deflate", bare_deflate(text), TEXT),
        #[cfg(feature = "brotli")]
        ("br", BROTLI.to_vec(), TEXT),
        #[cfg(feature = "zstd")]
        ("zstd", ZSTD.to_vec(), TEXT),
        ("identity", text.to_vec(), TEXT),
        ("", text.to_vec(), TEXT),
        ("unknown", text.to_vec(), TEXT),
        ("gzip;q=1", text.to_vec(), TEXT),
        ("unknown, other", text.to_vec(), TEXT),
        ("aws-chunked, gzip", gzip(text), TEXT),
    ];
    for (coding, body, expected) in table {
        let lines = format!("Content-Encoding: {coding}\r\n");
        let trailer = "X-T: 1\r\n";
        let framed = [coded(&lines, &body), chunked(&lines, &body, 2, trailer), chunked(&lines, &body, 1000, trailer)];
        for (at, response) in framed.into_iter().enumerate() {
            let server = Server::new(vec![answers(response)]);
            let pool = pool(&server);
            let get = || pool.get("/").send().unwrap();
            let response = get();
            let given = response.headers().get("content-encoding").unwrap_or_default();
            assert!(lines.contains(given), "{coding}");
            assert_eq!(response.content_length(), (at == 0).then_some(body.len() as u64), "{coding}");
            assert_eq!(response.text().unwrap(), expected, "{coding}");
            assert_eq!(get().bytes().unwrap(), expected.as_bytes(), "{coding}");
            for size in [1, 7, 64 * 1024] {
                let mut response = get();
                assert_eq!(read_by(&mut response, size), (expected.into(), None), "{coding} by {size}");
                assert_eq!(response.trailers().contains("x-t"), at > 0, "{coding} by {size}");
                drop(response);
            }
            assert_eq!(pool.stats().created, 1, "{coding}: the connection comes back");
        }
        let until_close = [format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes(), &body].concat();
        assert_eq!(fetch(until_close).unwrap().text().unwrap(), expected, "{coding}");
    }
}

/// Rows CHK-02, DEC-04, DEC-13 and DEC-23: however it arrives, and however little is asked for.
#[test]
fn large_and_in_pieces() {
    let body = noise();
    let data = [gzip(&body[..40_000]), gzip(&body[40_000..])].concat();
    for response in [coded(GZIP, &data), chunked(GZIP, &data, 2, ""), chunked(GZIP, &data, 30_000, "")] {
        let server = Server::new(vec![vec![Step::Forever(vec![Step::Request, Step::Pieces(response, 1777)])]]);
        let pool = pool(&server);
        assert_eq!(pool.get("/").send().unwrap().bytes().unwrap(), body);
        for size in [10_240, 1 << 20] {
            let mut response = pool.get("/").send().unwrap();
            assert_eq!(read_by(&mut response, size), (body.clone(), None));
        }
        assert_eq!(pool.stats().created, 1);
    }
}

#[cfg(feature = "json")]
#[test]
fn json() {
    let response = fetch(coded(GZIP, &gzip(b"[1, 2, 3]"))).unwrap();
    assert_eq!(response.json::<Vec<u32>>().unwrap(), [1, 2, 3]);
}

/// The Accept-Encoding that this request says, and what comes of a body that is coded whatever was said.
fn asked(session: &Session, change: impl Fn(hostpool::RequestBuilder) -> hostpool::RequestBuilder) -> (String, bool) {
    let server = Server::new(vec![answers(coded(GZIP, &gzip(b"foo")))]);
    let body = change(session.get(server.url("/"))).send().unwrap().bytes().unwrap();
    let requests = server.seen.requests();
    assert_eq!(requests[0].to_ascii_lowercase().matches("accept-encoding").count(), 1, "{requests:?}");
    let decoded = body == b"foo";
    assert!(decoded || body == gzip(b"foo"));
    (header(&requests[0], "Accept-Encoding").unwrap().to_owned(), decoded)
}

/// Rows A9.9 and B134: what is asked for, and what is decoded; the switch of the session and that of the request.
#[test]
fn what_is_asked_for() {
    let mut all = "gzip, deflate".to_owned();
    all += if cfg!(feature = "brotli") { ", br" } else { "" };
    all += if cfg!(feature = "zstd") { ", zstd" } else { "" };
    let all = &*all;
    let identity = "identity";
    let on = Session::new();
    let off = Session::builder().decode_content(false).build().unwrap();
    assert_eq!(asked(&on, |request| request), (all.into(), true));
    assert_eq!(asked(&off, |request| request), (identity.into(), false), "B134");
    assert_eq!(asked(&on, |request| request.decode_content(false)), (identity.into(), false));
    assert_eq!(asked(&off, |request| request.decode_content(true)), (all.into(), true));
    let own = |request: hostpool::RequestBuilder| request.header("accept-encoding", "br;q=0.5");
    assert_eq!(asked(&on, own), ("br;q=0.5".into(), true), "one's own is sent once, and gzip is decoded all the same");
    assert_eq!(asked(&off, own), ("br;q=0.5".into(), false));
    assert_eq!(asked(&on, |request| request.header("Range", "bytes=0-99")), (identity.into(), true));
    let mut headers = hostpool::Headers::new();
    headers.append("Accept-Encoding", "gzip").unwrap();
    let session = Session::builder().headers(headers).build().unwrap();
    assert_eq!(asked(&session, |request| request), ("gzip".into(), true));

    let server = Server::new(vec![answers(coded(GZIP, &gzip(b"foo")))]);
    let pool = pool(&server);
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "foo", "A9.9");
    let raw = pool.get("/").decode_content(false).send().unwrap();
    assert_eq!(raw.headers().get("content-encoding"), Some("gzip"));
    assert_eq!(raw.bytes().unwrap(), gzip(b"foo"));
    assert!(server.seen.requests().iter().all(|request| header(request, "Accept-Encoding") == Some(identity)));
}

/// Row A9.8, and bodies that are no coded data although a coding is named.
#[test]
fn no_coded_body() {
    let lines = format!("{GZIP}Content-Length: 100\r\n\r\n");
    let part =
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 3-5/9\r\nContent-Encoding: gzip\r\nContent-Length: 3";
    let table: Vec<(&str, &str, String, &str)> = vec![
        ("HEAD", "HEAD", format!("HTTP/1.1 200 OK\r\n{lines}"), ""),
        ("204", "GET", format!("HTTP/1.1 204 No Content\r\n{GZIP}Content-Length: 0\r\n\r\n"), ""),
        ("304", "GET", format!("HTTP/1.1 304 Not Modified\r\n{lines}"), ""),
        ("HEAD, too many", "HEAD", format!("HTTP/1.1 200 OK\r\nContent-Encoding: {}\r\n\r\n", "gzip,".repeat(6)), ""),
        ("no bytes", "GET", format!("HTTP/1.1 200 OK\r\n{GZIP}Content-Length: 0\r\n\r\n"), ""),
        ("no chunks", "GET", format!("HTTP/1.1 200 OK\r\n{GZIP}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), ""),
        ("a part of it", "GET", format!("{part}\r\n\r\n\x1F\u{8}x"), "\x1F\u{8}x"),
    ];
    for (id, method, response, body) in table {
        let server = Server::new(vec![answers(response)]);
        let pool = pool(&server);
        for _ in 0..2 {
            let response = pool.request(method.parse().unwrap(), "/").send().unwrap();
            assert!(response.headers().get("content-encoding").is_some(), "{id}");
            assert_eq!(response.text().unwrap(), body, "{id}");
        }
        assert_eq!(pool.stats().created, 1, "{id}");
    }
    // Without a length nobody can say whether nothing was meant.
    let error = fetch(format!("HTTP/1.1 200 OK\r\n{GZIP}\r\n")).unwrap().bytes().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Decode);
    // RW-13: what has another transfer coding on it is not the content.
    let transfer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: compress\r\n{GZIP}\r\nx");
    assert_eq!(fetch(transfer).unwrap_err().kind(), &ErrorKind::Protocol(Violation::TransferEncoding));
}

/// Rows A9.2, A9.4, B136, DEC-01, DEC-07, DEC-19 and DEC-26: an error, never a short success, and what becomes of the
/// connection: it serves again only where the framing had come to its end.
#[test]
fn broken_bodies() {
    let (body, data) = (noise(), gzip(&noise()));
    let half = &data[..data.len() / 2];
    let mut changed = data.clone();
    changed[data.len() - 5] ^= 1;
    let decode = ErrorKind::Decode;
    let codings = ErrorKind::LimitExceeded(Limit::Codings);
    let six = format!("{GZIP}Content-Encoding: gzip,gzip,gzip\r\n{GZIP}{GZIP}");
    let until_close = |body: &[u8]| [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", body].concat();
    let incomplete = |response: &[u8]| response[..response.len() - 6].to_vec();
    let cut = ErrorKind::incomplete_body(data.len() as u64 - 6, Some(data.len() as u64));
    let cut_chunks = ErrorKind::incomplete_body(data.len() as u64, None);
    let (failed, ended) = (Some(CloseReason::Failed), Some(CloseReason::NotReusable));
    let table: Vec<(&str, Vec<u8>, ErrorKind, Option<CloseReason>)> = vec![
        ("A9.4 the length ends mid-stream", coded(GZIP, half), decode.clone(), None),
        ("A9.4 the chunks do", chunked(GZIP, half, 5000, ""), decode.clone(), None),
        ("A9.4 the last byte of the data", coded(GZIP, &data[..data.len() - 9]), decode.clone(), None),
        ("RW-52", coded("Content-Encoding: unknown, gzip\r\n", &data), decode.clone(), failed),
        ("the framing breaks off", incomplete(&coded(GZIP, &data)), cut, failed),
        ("behind the data", incomplete(&chunked(GZIP, &data, 5000, "")), cut_chunks, failed),
        ("until close", until_close(half), decode.clone(), ended),
        ("RW-15 until close, the last byte", until_close(&data[..data.len() - 1]), decode.clone(), ended),
        ("checksum", coded(GZIP, &changed), decode.clone(), None),
        ("DEC-07", coded(GZIP, &[b'x'; 20]), decode.clone(), None),
        ("early in a long one", coded(GZIP, &vec![b'x'; 200_000]), decode.clone(), failed),
        ("DEC-01", coded("Content-Encoding: deflate\r\n", b"\xFF\xFF\xFF\xFF"), decode.clone(), None),
        ("much behind the end", coded(GZIP, &[&data[..], &vec![0; 1 << 20]].concat()), decode.clone(), failed),
        ("A9.2", coded(&six, &data), codings, failed),
    ];
    for (id, response, kind, closed) in table {
        let kept = closed.is_none();
        let end = if kept { answer(ok("next")) } else { vec![] };
        let script = [answer(response), end].concat();
        let server = Server::new(vec![script, answers(ok("other"))]);
        let pool = pool(&server);
        let mut response = pool.get("/").send().unwrap();
        let (read, error) = read_by(&mut response, 4096);
        assert_eq!(error, Some(kind.clone()), "{id}");
        assert!(body.starts_with(&read), "{id}");
        drop(response);
        let next = pool.get("/").send().unwrap().text().unwrap();
        assert_eq!(next == "next", kept, "{id}");
        assert_eq!(pool.stats().in_use, 0, "{id}");
        assert!(closed.is_none_or(|reason| pool.stats().closed(reason) == 1), "{id}: {:?}", pool.stats());
    }
}

#[test]
fn an_error_names_what_is_broken() {
    let error = fetch(coded(GZIP, &gzip(b"foo")[..12])).unwrap().bytes().unwrap_err();
    assert_eq!((error.kind(), error.phase(), error.maybe_processed()), (&ErrorKind::Decode, Phase::Body, true));
    assert!(error.to_string().starts_with("decoding failed: the gzip data is cut ("), "{error}");
}

/// Decoded data is given as it comes: nothing waits for more than it takes.
#[test]
fn a_stream_that_flushes() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(b"first").unwrap();
    encoder.flush().unwrap();
    let first = std::mem::take(encoder.get_mut());
    encoder.write_all(b"second").unwrap();
    let rest = encoder.finish().unwrap();
    let length = first.len() + rest.len();
    let head = format!("HTTP/1.1 200 OK\r\n{GZIP}Content-Length: {length}\r\n\r\n");
    let start = Step::Send([head.as_bytes(), &first].concat());
    let server = Server::new(vec![vec![Step::Request, start, Step::Hold, Step::Send(rest)]]);
    let mut response = pool(&server).get("/").send().unwrap();
    let mut buf = [0; 5];
    response.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"first");
    server.gate.open();
    assert_eq!(response.text().unwrap(), "second");
}

/// The connection is back when the coded body has been read, however much of it is still to be decoded.
#[test]
fn the_lease_goes_back_by_the_framing() {
    let server = Server::new(vec![answers(coded(GZIP, &gzip(&vec![b'x'; 1 << 20])))]);
    let pool = pool(&server);
    let mut response = pool.get("/").send().unwrap();
    assert_eq!(pool.stats().in_use, 1);
    response.read_exact(&mut [0; 1]).unwrap();
    assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 1));
    let other = pool.get("/").send().unwrap();
    assert_eq!(response.bytes().unwrap().len(), (1 << 20) - 1);
    assert_eq!(other.bytes().unwrap().len(), 1 << 20);
    assert_eq!(pool.stats().created, 1);
}

/// Rows A9.3 and DEC-16: what is dropped is not decoded. Its rest is broken, and yet the connection comes back.
#[test]
fn dropped_without_decoding() {
    let data = gzip(&noise());
    let broken = [&data[..data.len() / 2], &vec![b'x'; 20_000]].concat();
    let server = Server::new(vec![answers(coded(GZIP, &broken))]);
    let pool = pool(&server);
    for _ in 0..3 {
        let mut response = pool.get("/").send().unwrap();
        response.read_exact(&mut [0; 10]).unwrap();
        drop(response);
    }
    assert_eq!(pool.stats().created, 1);
    // With more to come than is taken off a connection it is closed.
    let bomb = gzip(&vec![0; 1 << 20]).repeat(10_000);
    let server = Server::new(vec![answer(coded(GZIP, &bomb)), answer(ok("next"))]);
    let pool = self::pool(&server);
    let mut response = pool.get("/").send().unwrap();
    response.read_exact(&mut [0; 10]).unwrap();
    drop(response);
    assert_eq!(pool.stats().closed(CloseReason::BodyAbandoned), 1);
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next");
}

/// Row B137: it is the decoded bytes that count, to the byte.
#[test]
fn the_limit_on_a_body_counts_decoded_bytes() {
    let incompressible = [0xA5, 0x00, 0x17, 0x9C];
    let table: Vec<(&str, Vec<u8>, u64, bool)> = vec![
        ("just allowed", gzip(&vec![0; 300_000]), 300_000, true),
        ("one more", gzip(&vec![0; 300_001]), 300_000, false),
        ("longer while it is coded", gzip(&incompressible), 4, true),
        ("a bomb: 10 GB of 10 MB", gzip(&vec![0; 1 << 20]).repeat(10_000), 8 << 20, false),
    ];
    for (id, data, most, fits) in table {
        let server = Server::new(vec![answer(coded(GZIP, &data)), answer(ok("next"))]);
        let pool = pool(&server);
        let result = pool.get("/").max_body(most).send().unwrap().bytes();
        match result {
            Ok(_) => assert!(fits, "{id}"),
            Err(error) => {
                assert!(!fits, "{id}: {error}");
                assert_eq!(error.kind(), &ErrorKind::LimitExceeded(Limit::Body), "{id}");
            }
        }
        assert_eq!(pool.stats().in_use, 0, "{id}");
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next", "{id}");
    }
}

/// A peer that sends and sends, and never a byte of a body, meets the deadline.
#[test]
fn endless_nothing() {
    let head = format!("HTTP/1.1 200 OK\r\n{GZIP}\r\n");
    let members = gzip(b"").repeat(1000);
    let script = vec![Step::Request, Step::Send(head.into()), Step::Forever(vec![Step::Send(members)])];
    let server = Server::new(vec![script]);
    let response = pool(&server).get("/").timeout(Duration::from_millis(300)).send().unwrap();
    assert_eq!(response.bytes().unwrap_err().kind(), &ErrorKind::Timeout(Bound::Total));
}

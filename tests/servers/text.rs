//! Content codings, charsets, JSON, cookies and credentials as servers send them.

#[cfg(feature = "gzip")]
use std::io::{Read, Write};

#[cfg(feature = "gzip")]
use hostpool::Error;
use hostpool::{ConnectionPool, CookieJar, PoolManager, RequestBuilder, Response, Session, Strictness, Url};

use crate::support::{GIVE_UP, Server, answer, answers, header, ok};

/// The response of a server to each kind of client, with the client's name. The server closes afterwards.
fn fetch(bytes: &[u8]) -> Vec<(&'static str, Response)> {
    fetch_by(Strictness::Tolerant, bytes)
}

/// The same with this setting of each request.
fn fetch_by(strictness: Strictness, bytes: &[u8]) -> Vec<(&'static str, Response)> {
    let send = |request: RequestBuilder| request.strictness(strictness).timeout(GIVE_UP).send().unwrap();
    let server = || Server::new(vec![answer(bytes)]);
    let (first, second, third) = (server(), server(), server());
    let session = send(Session::new().get(first.url("/")));
    let pool = send(ConnectionPool::builder(second.url("")).build().unwrap().get("/"));
    let manager = send(PoolManager::new().get(third.url("/")));
    vec![("session", session), ("pool", pool), ("manager", manager)]
}

/// A response with these fields, each with its line end, and a length.
fn with_fields(fields: &[u8], body: &[u8]) -> Vec<u8> {
    let length = format!("Content-Length: {}\r\n\r\n", body.len());
    [b"HTTP/1.1 200 OK\r\n", fields, length.as_bytes(), body].concat()
}

#[cfg(feature = "gzip")]
mod codings {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use hostpool::ErrorKind;

    use super::*;

    const TEXT: &[u8] = b"The pool waits for the host, and the host for the pool; the pool is the host's.";

    /// Writes, flushes, writes the same again and ends. Returns that, and the length of what was flushed.
    fn flushed<W: Write>(mut encoder: W, finish: fn(W) -> std::io::Result<Vec<u8>>) -> (Vec<u8>, usize) {
        encoder.write_all(TEXT).unwrap();
        encoder.flush().unwrap();
        encoder.write_all(TEXT).unwrap();
        let data = finish(encoder).unwrap();
        let marker: &[u8] = &[0, 0, 0xFF, 0xFF];
        let flush = data.windows(4).rposition(|bytes| bytes == marker).unwrap() + marker.len();
        (data, flush)
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn coded(coding: &str, framing: &str, body: &[u8]) -> Vec<u8> {
        let field = format!("Content-Encoding: {coding}\r\n");
        match framing {
            "length" => with_fields(field.as_bytes(), body),
            "chunks" => {
                let head = format!("HTTP/1.1 200 OK\r\n{field}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len());
                [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
            }
            _ => [format!("HTTP/1.1 200 OK\r\n{field}\r\n").as_bytes(), body].concat(),
        }
    }

    /// What it is, its coding, the coded bytes, and the body where the framing is complete.
    type Row<'a> = (&'static str, &'static str, &'a [u8], Option<&'a [u8]>);

    /// RW-15: data that a server flushed and never finished, or without its trailer, is taken where the length or the last
    /// chunk is right. What the close of the connection delimits is not, nor what is cut elsewhere or has a wrong checksum.
    #[test]
    fn codings_without_their_end() {
        let level = Compression::default();
        let (gzip, gzip_flush) = flushed(GzEncoder::new(Vec::new(), level), GzEncoder::finish);
        let (zlib, zlib_flush) = flushed(ZlibEncoder::new(Vec::new(), level), ZlibEncoder::finish);
        let (bare, bare_flush) = flushed(DeflateEncoder::new(Vec::new(), level), DeflateEncoder::finish);
        let twice = TEXT.repeat(2);
        let mut wrong = gzip.clone();
        let crc = wrong.len() - 8;
        wrong[crc] ^= 1;
        let table: Vec<Row<'_>> = vec![
            ("gzip flushed", "gzip", &gzip[..gzip_flush], Some(TEXT)),
            ("gzip without its trailer", "gzip", &gzip[..gzip.len() - 8], Some(&twice)),
            ("gzip with half a trailer", "gzip", &gzip[..gzip.len() - 4], Some(&twice)),
            ("zlib flushed", "deflate", &zlib[..zlib_flush], Some(TEXT)),
            ("zlib without its trailer", "deflate", &zlib[..zlib.len() - 4], Some(&twice)),
            ("zlib with half a trailer", "deflate", &zlib[..zlib.len() - 2], Some(&twice)),
            ("deflate flushed", "deflate", &bare[..bare_flush], Some(TEXT)),
            ("gzip cut in a symbol", "gzip", &gzip[..gzip_flush + 2], None),
            ("gzip cut in the marker", "gzip", &gzip[..gzip_flush - 1], None),
            ("gzip, wrong checksum", "gzip", &wrong, None),
            ("gzip, wrong checksum that is short", "gzip", &wrong[..crc + 4], None),
            ("deflate cut in a symbol", "deflate", &bare[..bare_flush + 2], None),
        ];
        for (row, coding, body, expected) in &table {
            for framing in ["length", "chunks", "close"] {
                for (client, response) in fetch(&coded(coding, framing, body)) {
                    let expected = expected.filter(|_| framing != "close");
                    let bytes = response.bytes();
                    let is_decode = bytes.as_ref().err().is_none_or(|error| error.kind() == &ErrorKind::Decode);
                    assert!(is_decode, "RW-15 {row} by {framing}, {client}: {bytes:?}");
                    assert_eq!(bytes.ok().as_deref(), expected, "RW-15 {row} by {framing}, {client}");
                }
                for (client, response) in fetch_by(Strictness::Strict, &coded(coding, framing, body)) {
                    let error = response.bytes().unwrap_err();
                    assert_eq!(error.kind(), &ErrorKind::Decode, "RW-15 {row} by {framing}, {client}, strict");
                }
            }
        }
    }

    /// RW-15: the connection serves again, and reading in pieces sees the same.
    #[test]
    fn a_connection_after_a_coding_without_its_end() {
        let (data, flush) = flushed(GzEncoder::new(Vec::new(), Compression::default()), GzEncoder::finish);
        let server = Server::new(vec![answers(coded("gzip", "length", &data[..flush]))]);
        let pool = ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap();
        for _ in 0..3 {
            let (mut body, mut piece) = (Vec::new(), [0; 7]);
            let mut response = pool.get("/").send().unwrap();
            loop {
                match response.read(&mut piece).unwrap() {
                    0 => break,
                    len => body.extend_from_slice(&piece[..len]),
                }
            }
            assert_eq!(body, TEXT, "RW-15");
        }
        assert_eq!(server.seen.accepted(), 1, "RW-15");
    }

    /// RW-15: a body that may end before its length proves nothing by that length.
    #[test]
    fn a_length_that_was_not_reached() {
        let (data, flush) = flushed(GzEncoder::new(Vec::new(), Compression::default()), GzEncoder::finish);
        let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n";
        let server = Server::new(vec![answer([&head[..], &data[..flush]].concat())]);
        let pool = ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap();
        let response = pool.get("/").enforce_content_length(false).send().unwrap();
        assert_eq!(response.bytes().unwrap_err().kind(), &ErrorKind::Decode, "RW-15");
    }

    /// RW-52: what is no content coding is skipped; what is unknown beside a known coding is an error with its name.
    #[test]
    fn tokens_that_are_no_coding() {
        let data = gzip(TEXT);
        for coding in [
            "aws-chunked,gzip",
            "gzip, utf-8",
            "none, gzip",
            "binary,gzip",
            "UTF8, x-gzip",
            "gzip, ISO-8859-1",
            "gzip\r\nContent-Encoding: none",
        ] {
            for (client, response) in fetch(&coded(coding, "length", &data)) {
                assert_eq!(response.bytes().unwrap(), TEXT, "RW-52 {coding}, {client}");
            }
        }
        for coding in ["utf-8", "aws-chunked", "none", "binary", "compress", "foo, bar"] {
            for (client, response) in fetch(&coded(coding, "length", TEXT)) {
                assert_eq!(response.bytes().unwrap(), TEXT, "RW-52 {coding} alone, {client}");
            }
        }
        for (coding, name) in [
            ("gzip, compress", "compress"),
            ("foo, gzip", "foo"),
            ("gzip\r\nContent-Encoding: x-secret", "x-secret"),
            ("deflate, gzip;q=1", "gzip;q=1"),
        ] {
            for (client, mut response) in fetch(&coded(coding, "length", &data)) {
                let error = response.read(&mut [0; 10]).unwrap_err();
                let error = Error::from_io(&error).unwrap();
                assert_eq!(error.kind(), &ErrorKind::Decode, "RW-52 {coding}, {client}");
                let why = error.to_string();
                assert!(why.contains(&format!("content coding {name} ")), "RW-52 {coding}, {client}: {why}");
                response.read(&mut [0; 10]).expect_err("the error stays");
            }
        }
    }
}

const GBK: &[u8] = b"Content-Type: text/plain; charset=gbk; name=\"\xB2\xE2\xCA\xD4.txt\"\r\n";

/// RW-50: a byte that is not UTF-8 costs no more than the parameter it stands in.
#[test]
fn fields_with_bytes_of_other_charsets() {
    #[cfg(feature = "charset")]
    for (client, response) in fetch(&with_fields(GBK, b"\xB2\xE2\xCA\xD4")) {
        assert_eq!(response.charset(), Some("gbk"), "RW-50 {client}");
        assert_eq!(response.content_type().unwrap().essence(), "text/plain", "RW-50 {client}");
        assert_eq!(response.text().unwrap(), "\u{6d4b}\u{8bd5}", "RW-50 {client}");
    }
    assert!(!GBK.is_ascii());
    let fields = b"Content-Type: text/plain; name=\"\xE9\"; charset=utf-16le\r\n\
        Link: <next\xE9?a=\xC3\xA9>; rel=next; title=\"\xE9\", <last>; rel=last\r\n\
        Content-Disposition: attachment; filename=\"\xE9.txt\"; title=\"\xC3\xA9\"\r\n";
    for (client, response) in fetch(&with_fields(fields, b"h\0i\0")) {
        let links = response.links();
        let targets: Vec<_> = links.iter().map(|link| link.url().target()).collect();
        assert_eq!(targets, ["/next%E9?a=%C3%A9", "/last"], "RW-50 {client}");
        assert_eq!(links[0].parameter("title"), Some("\u{e9}"), "RW-50 {client}");
        let disposition = response.content_disposition().unwrap();
        assert_eq!(disposition.file_name().as_deref(), Some("\u{e9}.txt"), "RW-50 {client}");
        assert_eq!(disposition.parameter("title"), Some("\u{e9}"), "RW-50 {client}");
        assert_eq!(response.text().unwrap(), "hi", "RW-50 {client}");
    }
}

/// RW-50: the bytes of a Location are percent-encoded, as browsers do.
#[test]
fn a_location_in_latin_1() {
    let head = b"HTTP/1.1 302 Found\r\nLocation: /caf\xE9\r\nContent-Length: 0\r\n\r\n";
    let server = Server::new(vec![[answer(head), answers(ok("there"))].concat()]);
    let response = Session::new().get(server.url("/")).send().unwrap();
    assert_eq!(response.history()[0].headers().get_bytes("location"), Some(&b"/caf\xE9"[..]), "RW-50");
    assert_eq!(response.text().unwrap(), "there", "RW-50");
    assert!(server.seen.requests()[1].starts_with("GET /caf%E9 HTTP/1.1\r\n"), "RW-50");
    let server = Server::new(vec![answer(head)]);
    let response = Session::new().get(server.url("/")).allow_redirects(false).send().unwrap();
    assert_eq!(response.redirect_location().as_deref(), Some("/caf%E9"), "RW-50");
}

#[cfg(feature = "json")]
mod json {
    use hostpool::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    /// RW-53: half a surrogate pair is U+FFFD, in values and keys.
    #[test]
    fn half_a_surrogate_pair() {
        let table = [
            (r#"{"text":"cut \ud83d"}"#, json!({"text": "cut \u{fffd}"})),
            (r#"{"\udc00":["\uDBFF\n", "\ud83d\ude00"]}"#, json!({"\u{fffd}": ["\u{fffd}\n", "\u{1f600}"]})),
            (r#"["\\ud83d", "\\\ud83d", "\ud83d\\"]"#, json!(["\\ud83d", "\\\u{fffd}", "\u{fffd}\\"])),
        ];
        for (body, expected) in table {
            let field = b"Content-Type: application/json\r\n";
            for (client, response) in fetch(&with_fields(field, body.as_bytes())) {
                assert_eq!(response.json::<Value>().unwrap(), expected, "RW-53 {body}, {client}");
            }
            for (client, response) in fetch(&with_fields(field, body.as_bytes())) {
                assert_eq!(response.json_strict::<Value>().unwrap(), expected, "RW-53 {body}, {client}");
            }
            // A parser of the caller's own is given what came.
            for (client, response) in fetch(&with_fields(field, body.as_bytes())) {
                let text = response.json_with(|text| Ok::<_, std::fmt::Error>(text.to_owned())).unwrap();
                assert_eq!(text, body, "RW-53 {client}");
            }
        }
    }

    /// RW-36: bytes that are not text, text that is not JSON, and JSON of another type are told apart.
    #[test]
    fn why_it_is_not_json() {
        let table: [(&[u8], &str, &str); 7] = [
            (b"{\"a\": \"caf\xE9\"}", "it is not UTF-8 at byte 10", ""),
            (b"\xFF\xFEx", "it is not text in its charset", ""),
            (b"<p>canary</p>", "it is not JSON", "expected value at line 1 column 1"),
            (b"[\"\\ud83d\" canary", "it is not JSON", "expected `,` or `]` at line 1 column 11"),
            (b"[1, \"canary", "the JSON ends too early", "EOF while parsing a string at line 1 column 11"),
            (
                b"\"canary\"",
                "the JSON is not of the requested type",
                "invalid type: string \"canary\", expected a sequence at line 1 column 8",
            ),
            (b"\xE9", "it is not UTF-8 at byte 0", ""),
        ];
        for (body, expected, source) in table {
            for (client, response) in fetch(&with_fields(b"", body)) {
                let error = response.json::<Vec<Value>>().unwrap_err();
                assert_eq!(error.kind(), &ErrorKind::Decode, "RW-36 {client}");
                let why = format!("decoding failed: {expected}, with status 200 and no media type (");
                assert!(error.to_string().starts_with(&why), "RW-36 {}, {client}: {error}", body.escape_ascii());
                let found = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                assert_eq!(found, source, "RW-36 {}, {client}", body.escape_ascii());
                let head = error.head().unwrap();
                assert!(body.starts_with(b"\xFF") || head.body() == body, "RW-36 {head:?}");
            }
        }
    }

    /// RW-59: the `;` that servers leave out, and the list that proxies make of two fields; RW-50 in the same field.
    #[test]
    fn types_of_json() {
        let table: [(&[u8], bool); 8] = [
            (b"application/json charset=UTF-8", true),
            (b"application/json, application/json", true),
            (b"application/json; charset=utf-8, application/json; charset=utf-8", true),
            (b"application/problem+json charset=UTF-8", true),
            (b"application/json; name=\"\xE9\"", true),
            (b"application/json, text/html", false),
            (b"text/html, application/json", false),
            (b"application/jsonp charset=UTF-8", false),
        ];
        for (content_type, accepted) in table {
            let field = [b"Content-Type: ", content_type, b"\r\n"].concat();
            for (client, response) in fetch(&with_fields(&field, b"[1]")) {
                let found = response.json_strict::<Vec<u8>>();
                let name = content_type.escape_ascii();
                assert_eq!(found.as_ref().ok(), accepted.then(|| vec![1]).as_ref(), "RW-59 {name}, {client}");
                let kind = found.err().map(|error| error.kind().clone());
                assert!(kind.is_none_or(|kind| kind == ErrorKind::ContentType), "RW-59 {name}, {client}");
            }
        }
    }
}

/// RW-28 and RW-54: names of charsets that other programs know, and those whose text the web gives up.
#[cfg(feature = "charset")]
#[test]
fn names_of_charsets() {
    let table: [(&str, &[u8], &str); 12] = [
        ("latin-1", b"caf\xE9", "caf\u{e9}"),
        ("Latin1", b"caf\xE9", "caf\u{e9}"),
        ("latin_1", b"caf\xE9", "caf\u{e9}"),
        ("ansi", b"\x80", "\u{20ac}"),
        ("cp1252", b"\x80", "\u{20ac}"),
        ("win-1251", b"\xE4\xE0", "\u{434}\u{430}"),
        ("cp932", b"\x83e", "\u{30c6}"),
        ("cp949", b"\xB0\xA1", "\u{ac00}"),
        ("utf_8", b"\xC3\xA9", "\u{e9}"),
        ("iso-2022-kr", b"plain", "plain"),
        ("hz-gb-2312", b"plain", "plain"),
        ("iso-2022-cn", b"plain", "plain"),
    ];
    for (label, body, expected) in table {
        let field = format!("Content-Type: text/plain; charset={label}\r\n");
        for (client, mut response) in fetch(&with_fields(field.as_bytes(), body)) {
            assert_eq!(response.lines().next().unwrap().unwrap(), expected, "RW-28 {label}, {client}");
        }
        for (client, response) in fetch(&with_fields(field.as_bytes(), body)) {
            assert_eq!(response.text().unwrap(), expected, "RW-28 {label}, {client}");
        }
        for (client, response) in fetch(&with_fields(b"", body)) {
            match response.text_with(label) {
                Ok(text) => assert_eq!(text, expected, "RW-28 {label}, {client}"),
                Err(error) => {
                    assert!(matches!(error.kind(), hostpool::ErrorKind::InvalidRequest), "RW-54 {label}, {client}");
                    assert_eq!(body, b"plain", "RW-28 {label}, {client}");
                }
            }
        }
    }
    for (client, response) in fetch(&with_fields(b"", b"plain")) {
        response.text_with("iso-2022-kr").expect_err(client);
    }
}

/// RW-28: a Content-Disposition without a type.
#[test]
fn a_disposition_without_a_type() {
    for (client, response) in fetch(&with_fields(b"Content-Disposition: filename=a.txt\r\n", b"")) {
        let disposition = response.content_disposition().unwrap();
        assert_eq!((disposition.kind(), disposition.is_attachment()), ("", true), "RW-28 {client}");
        assert_eq!(disposition.file_name().as_deref(), Some("a.txt"), "RW-28 {client}");
    }
}

/// RW-55: a target that is broken is left out, and the next one is found; single quotes are quotes.
#[test]
fn links_that_are_broken() {
    let table = [
        (r#"<https://h/v1&gt; rel="latest", </items?page=2>; rel="next""#, "/items?page=2"),
        ("</items?page=2>; rel='next'", "/items?page=2"),
        ("<a b>; rel=next, </items?page=2>; rel='prev next'", "/items?page=2"),
        ("</first>; rel='first'; title='a, b', </items?page=2>; rel=next", "/items?page=2"),
    ];
    for (field, expected) in table {
        for (client, response) in fetch(&with_fields(format!("Link: {field}\r\n").as_bytes(), b"")) {
            let links = response.links();
            let next: Vec<_> =
                links.iter().filter(|link| link.has_rel("next")).map(|link| link.url().target()).collect();
            assert_eq!(next, [expected], "RW-55 {field}, {client}");
        }
    }
}

/// The carriage return at the end of a last line without a line feed is no part of the line.
#[test]
fn the_last_line() {
    for (client, mut response) in fetch(&with_fields(b"", b"one\r\ntwo\r")) {
        let lines: Vec<_> = response.lines().map(Result::unwrap).collect();
        assert_eq!(lines, ["one", "two"], "{client}");
    }
}

fn setting(cookies: &[&str]) -> Vec<u8> {
    let fields: String = cookies.iter().map(|cookie| format!("Set-Cookie: {cookie}\r\n")).collect();
    with_fields(fields.as_bytes(), b"")
}

/// The Cookie field of a second request to a server that sets these cookies.
fn second_request(cookies: &[&str], jar: CookieJar) -> Option<String> {
    let server = Server::new(vec![answers(setting(cookies))]);
    let session = Session::builder().cookie_jar(jar).build().unwrap();
    session.get(server.url("/")).send().unwrap();
    session.get(server.url("/")).send().unwrap();
    header(&server.seen.requests()[1], "Cookie").map(str::to_owned)
}

/// RW-22: cookies of some kilobytes go out together, and `sid` with them.
#[test]
fn large_cookies() {
    let large: Vec<String> = (0..3).map(|n| format!("n{n}={}", "v".repeat(3197))).collect();
    let cookies: Vec<&str> = large.iter().map(String::as_str).chain(["sid=1"]).collect();
    assert_eq!(second_request(&cookies, CookieJar::new()), Some(cookies.join("; ")), "RW-22");
    let jar = CookieJar::builder().max_header_bytes(8192).build();
    assert_eq!(
        second_request(&cookies, jar),
        Some(cookies[1..].join("; ")),
        "RW-22: the least recently used is left out"
    );
}

/// RW-56: Secure cookies of a server on the own machine, and the switch that turns them off.
#[test]
fn secure_cookies_of_the_own_machine() {
    let cookies = ["a=1; Secure", "__Host-b=2; Secure; Path=/", "__Secure-c=3; Secure"];
    let sent = second_request(&cookies, CookieJar::new());
    assert_eq!(sent.as_deref(), Some("a=1; __Host-b=2; __Secure-c=3"), "RW-56");
    assert_eq!(second_request(&cookies, CookieJar::builder().loopback_is_secure(false).build()), None, "RW-56");
}

/// RW-57: a cookie without a name goes back as its value alone.
#[test]
fn a_cookie_without_a_name() {
    assert_eq!(second_request(&["foo"], CookieJar::new()).as_deref(), Some("foo"), "RW-57");
    assert_eq!(second_request(&["=bar; Path=/", "a=b"], CookieJar::new()).as_deref(), Some("bar; a=b"), "RW-57");
    for prefix in ["__Host-a=1; Secure; Path=/a", "=__Host-a=1", "__Secure-a", "=__SECURE-a=1"] {
        assert_eq!(second_request(&[prefix], CookieJar::new()), None, "RW-57 {prefix}");
    }
    let server = Server::new(vec![answer(setting(&["foo"]))]);
    let response = Session::new().get(server.url("/")).send().unwrap();
    let cookie = &response.cookies()[0];
    assert_eq!((&*cookie.name(), &*cookie.value()), ("", "foo"), "RW-57");
    let jar = CookieJar::new();
    jar.set(&Url::parse("http://h/").unwrap(), "foo").unwrap();
    assert_eq!(&*jar.get(&Url::parse("http://h/").unwrap(), "").unwrap().value(), "foo", "RW-57");
}

/// RW-26: a challenge that repeats a parameter is answered, unless the values differ.
#[cfg(feature = "digest-auth")]
#[test]
fn a_challenge_that_repeats_itself() {
    let challenges = [
        ("Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5, realm=\"r\", algorithm=MD5", true),
        ("Digest realm=\"r\", nonce=\"n\", nonce=\"m\"", false),
    ];
    for (challenge, answered) in challenges {
        let refusal =
            format!("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n");
        let server =
            Server::new(vec![[answer(&refusal), answer(ok("in"))].concat(), vec![crate::support::Step::UntilClosed]]);
        let auth = hostpool::DigestAuth::new("user", "pass");
        let session = Session::builder().auth(auth.clone()).build().unwrap();
        let status = session.get(server.url("/")).send().unwrap().status().as_u16();
        assert_eq!(status, if answered { 200 } else { 401 }, "RW-26 {challenge}");
        assert_eq!(server.seen.requests().len(), if answered { 2 } else { 1 }, "RW-26 {challenge}");
    }
}

/// RW-26: a netrc file with a byte order mark, and with words of other programs.
#[test]
fn a_netrc_file_of_another_program() {
    let text = "\u{feff}machine 127.0.0.1 port 80\nlogin Aladdin protocol http password \"open sesame\"\n";
    let server = Server::new(vec![answer(ok("in"))]);
    let session = Session::builder().netrc(hostpool::Netrc::parse(text).unwrap()).build().unwrap();
    session.get(server.url("/")).send().unwrap();
    let requests = server.seen.requests();
    assert_eq!(header(&requests[0], "Authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "RW-26");
}

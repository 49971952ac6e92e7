//! Helpers: headers made from what they mean, waiting, connecting, and errors (UTIL).

use std::error::Error as _;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostpool::AuthEncoding::{self, Latin1, Utf8};
use hostpool::{
    ConnectionPool, DialContext, Dialer, Error, ErrorKind, MakeHeaders, Phase, PoolManager, Probe, Target, TcpDialer,
    Timeout, Transport, Url, Violation, Wait, make_headers,
};

use crate::support::{GIVE_UP, Server, Step, answer, eventually, refusing};

/// What is compiled in, in the order of preference.
fn compiled_in() -> String {
    let all = [("gzip", "gzip"), ("gzip", "deflate"), ("brotli", "br"), ("zstd", "zstd")];
    let on = [("gzip", cfg!(feature = "gzip")), ("brotli", cfg!(feature = "brotli")), ("zstd", cfg!(feature = "zstd"))];
    let is_on = |feature| on.contains(&(feature, true));
    let names: Vec<_> = all.iter().filter(|(feature, _)| is_on(*feature)).map(|(_, name)| *name).collect();
    if names.is_empty() { "identity".to_owned() } else { names.join(", ") }
}

#[test]
fn headers_from_what_they_mean() {
    type Row<'a> = (&'a str, MakeHeaders, &'a [(&'a str, &'a str)]);
    let compiled_in = compiled_in();
    let all = make_headers()
        .disable_cache(true)
        .proxy_basic_auth("b", "q")
        .basic_auth("a", "p")
        .keep_alive(true)
        .user_agent("x/1")
        .accept_encoding(true);
    let table: &[Row<'_>] = &[
        ("nothing", make_headers(), &[]),
        ("UTIL-01 true", make_headers().accept_encoding(true), &[("Accept-Encoding", &compiled_in)]),
        ("UTIL-01 false", make_headers().accept_encoding(true).accept_encoding(false), &[]),
        ("UTIL-01 text", make_headers().accept_encodings(["foo,bar"]), &[("Accept-Encoding", "foo,bar")]),
        ("UTIL-01 list", make_headers().accept_encodings(["foo", "bar"]), &[("Accept-Encoding", "foo, bar")]),
        ("UTIL-01 empty list", make_headers().accept_encodings([""; 0]), &[("Accept-Encoding", "")]),
        ("keep_alive", make_headers().keep_alive(true), &[("Connection", "keep-alive")]),
        ("keep_alive, off", make_headers().keep_alive(true).keep_alive(false), &[]),
        ("user_agent", make_headers().user_agent("banana"), &[("User-Agent", "banana")]),
        ("disable_cache", make_headers().disable_cache(true), &[("Cache-Control", "no-cache")]),
        (
            "all",
            all,
            &[
                ("Accept-Encoding", &compiled_in),
                ("User-Agent", "x/1"),
                ("Connection", "keep-alive"),
                ("Authorization", "Basic YTpw"),
                ("Proxy-Authorization", "Basic Yjpx"),
                ("Cache-Control", "no-cache"),
            ],
        ),
    ];
    for (id, builder, expected) in table {
        let headers = builder.clone().build().unwrap();
        let found: Vec<_> = headers.iter().map(|field| (field.name(), field.value().into_owned())).collect();
        let expected: Vec<_> = expected.iter().map(|(name, value)| (*name, value.to_string())).collect();
        assert_eq!(found, expected, "{id}");
    }
    for wrong in [make_headers().user_agent("a\r\nb: c"), make_headers().accept_encodings(["gzip", "\0"])] {
        assert!(matches!(wrong.build().unwrap_err().kind(), ErrorKind::InvalidHeader(_)));
    }
}

/// Either kind of credentials in each encoding, whatever the other's is.
#[test]
fn credentials() {
    let table: &[(&str, &str, &str, AuthEncoding, Option<&str>)] = &[
        ("UTIL-03", "foo", "bar", Latin1, Some("Basic Zm9vOmJhcg==")),
        ("UTIL-03", "foo", "bar", Utf8, Some("Basic Zm9vOmJhcg==")),
        ("UTIL-03 latin-1", "foo", "b\u{e9}r", Latin1, Some("Basic Zm9vOmLpcg==")),
        ("UTIL-03 utf-8", "foo", "b\u{e9}r", Utf8, Some("Basic Zm9vOmLDqXI=")),
        ("UTIL-03 not in latin-1", "foo", "b\u{20ac}r", Latin1, None),
        ("UTIL-03 in utf-8", "foo", "b\u{20ac}r", Utf8, Some("Basic Zm9vOmLigqxy")),
        ("a colon in the user name", "a:b", "c", Latin1, None),
    ];
    let (field, proxy_field) = ("Authorization", "Proxy-Authorization");
    for &(id, user, password, encoding, expected) in table {
        let other = if encoding == Latin1 { Utf8 } else { Latin1 };
        let of_host =
            make_headers().basic_auth_encoding(encoding).proxy_basic_auth_encoding(other).basic_auth(user, password);
        let of_proxy = make_headers()
            .proxy_basic_auth(user, password)
            .proxy_basic_auth_encoding(encoding)
            .basic_auth_encoding(other);
        for (id, builder, field) in
            [(id.to_owned(), of_host, field), (format!("UTIL-04 as {id}"), of_proxy, proxy_field)]
        {
            assert!(password.len() < 3 || !format!("{builder:?}").contains(password), "{id}");
            match (builder.build(), expected) {
                (Ok(headers), Some(expected)) => {
                    assert_eq!((headers.get(field), headers.len()), (Some(expected), 1), "{id}");
                }
                (Err(error), None) => assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "{id}"),
                (found, _) => panic!("{id}: {found:?}"),
            }
        }
    }
    // One pair, each in its own.
    let both = || make_headers().basic_auth("a", "\u{e9}").proxy_basic_auth("a", "\u{e9}");
    let headers = both().proxy_basic_auth_encoding(Utf8).build().unwrap();
    assert_eq!([headers.get(field), headers.get(proxy_field)], [Some("Basic YTrp"), Some("Basic YTrDqQ==")], "UTIL-04");
    let headers = both().basic_auth_encoding(Utf8).build().unwrap();
    assert_eq!([headers.get(field), headers.get(proxy_field)], [Some("Basic YTrDqQ=="), Some("Basic YTrp")], "UTIL-04");
}

/// What a connection is tried for, with a deadline.
type Trial = fn(&dyn Transport, &Wait<'_>);

/// Tries each connection that it opens, and gives none away.
#[derive(Clone, Debug)]
struct Trying(Trial, Arc<Mutex<usize>>);

impl Dialer for Trying {
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        (self.0)(&*TcpDialer::new().dial(target, context)?, &context.wait());
        *self.1.lock().unwrap() += 1;
        Err(Error::custom("it was tried"))
    }
}

fn receive(transport: &dyn Transport, wait: &Wait<'_>) -> Result<usize, io::ErrorKind> {
    transport.recv(&mut [0; 16], wait).map_err(|error| error.kind())
}

fn send(transport: &dyn Transport, wait: &Wait<'_>, bytes: &[u8]) -> Result<usize, io::ErrorKind> {
    transport.send(&[IoSlice::new(bytes)], wait).map_err(|error| error.kind())
}

/// What can be read from a socket, and written to it, until a deadline.
#[test]
fn waiting() {
    const LATE: Result<usize, io::ErrorKind> = Err(io::ErrorKind::TimedOut);
    let idle: Trial = |socket, wait| {
        assert_eq!((socket.probe(), send(socket, wait, b"x")), (Probe::Quiet, Ok(1)));
        assert_eq!((receive(socket, wait), socket.probe()), (LATE, Probe::Quiet));
    };
    let data: Trial = |socket, wait| {
        eventually("data", || socket.probe() != Probe::Quiet);
        assert_eq!((socket.probe(), receive(socket, wait)), (Probe::Readable, Ok(4)));
    };
    let full: Trial = |socket, wait| {
        let last = (0..100_000).map(|_| send(socket, wait, &[0; 64 * 1024])).find(Result::is_err);
        assert_eq!((last, socket.probe()), (Some(LATE), Probe::Quiet));
    };
    let closed: Trial = |socket, wait| {
        eventually("the end", || socket.probe() != Probe::Quiet);
        assert_eq!((socket.probe(), receive(socket, wait)), (Probe::Dead, Ok(0)));
    };
    let short = Duration::from_millis(50);
    let table = [
        ("UTIL-06 idle", vec![Step::Rest], idle, short),
        ("UTIL-06 data", vec![Step::Send(b"data".into()), Step::Rest], data, GIVE_UP),
        ("UTIL-06 full", vec![Step::Hold], full, short),
        ("UTIL-06 closed", vec![], closed, GIVE_UP),
    ];
    for (id, script, trial, limit) in table {
        let server = Server::new(vec![script]);
        let dialer = Trying(trial, Arc::default());
        let pool = ConnectionPool::builder(server.url("")).dialer(dialer.clone()).build().unwrap();
        let error = pool.get("/").timeout(Timeout::new().connect(limit)).send().unwrap_err();
        assert_eq!((*dialer.1.lock().unwrap(), error.kind()), (1, &ErrorKind::Custom), "{id}: {error}");
    }
}

/// Hosts that no resolver asks anybody for.
#[test]
fn labels() {
    let label = "a".repeat(64);
    let table = [("", None), (".localhost", Some(())), ("...", Some(())), (&*label, Some(()))];
    for (host, is_url) in table {
        let url = format!("http://{host}/");
        assert_eq!(Url::parse(&url).ok().map(drop), is_url, "UTIL-09 {host}");
        let error = PoolManager::new().get(&url).send().unwrap_err();
        match is_url {
            None => assert!(matches!(error.kind(), ErrorKind::InvalidUrl(_)), "UTIL-09 {host}"),
            Some(()) => {
                assert_eq!((error.kind(), error.phase()), (&ErrorKind::Resolve, Phase::Resolve), "UTIL-10 {host}");
                assert!(error.is_connect() && !error.is_timeout() && !error.maybe_processed(), "UTIL-10 {host}");
                assert!(error.source().is_some_and(|cause| cause.is::<io::Error>()), "UTIL-10 {host}");
                assert!(error.to_string().contains(host), "UTIL-10 {error}");
            }
        }
    }
    assert_eq!(Url::parse("http://localhost./").unwrap().host(), "localhost.", "UTIL-09");
    assert_eq!(Url::parse("http://[fe80::1]/").unwrap().host(), "[fe80::1]", "UTIL-09");
    assert_eq!(Url::parse("http://[fe80::1%25lo]/").unwrap().origin().zone(), Some("lo"), "UTIL-09");
}

/// Message, host and cause, also inside an `io::Error`, which is how a reader of a body gets them.
#[test]
fn errors_keep_what_they_say() {
    let (_held, address) = refusing();
    let error = hostpool::get(format!("http://user:canary@{address}/")).send().unwrap_err();
    let check = |error: &Error| {
        let text = error.to_string();
        assert_eq!(error.kind(), &ErrorKind::Connect, "UTIL-12");
        assert!(text.contains(&address.to_string()) && text.contains("no connection"), "UTIL-12 {text}");
        assert_eq!(error.origin().map(|origin| origin.host()), Some("127.0.0.1"), "UTIL-12");
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).expect("a cause");
        assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused, "UTIL-12");
        assert!(!format!("{text} {error:?}").contains("canary"), "UTIL-12 {error:?}");
    };
    check(&error);
    let error = io::Error::from(error);
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "UTIL-12");
    check(Error::from_io(&error).expect("the error inside"));
}

/// The text says what is wrong with a head, and shows nothing of it.
#[test]
fn broken_heads() {
    let table = [
        ("no name", "X-A: 1\r\ncanary\r\n \r\n", Violation::FieldName, "a header name is not a token"),
        ("a space in a name", "canary\0: 1\r\n", Violation::FieldName, "a header name is not a token"),
        ("NUL", "X: canary\0\r\n", Violation::FieldValue, "a header value has a control character"),
        ("a length", "Content-Length: canary\r\n", Violation::ContentLength, "the Content-Length is not a number"),
    ];
    for (id, fields, violation, text) in table {
        let server = Server::new(vec![answer(format!("HTTP/1.1 200 OK\r\n{fields}\r\n"))]);
        let error = hostpool::get(server.url("/")).send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Protocol(violation), "UTIL-13 {id}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(text) && !shown.contains("canary"), "UTIL-13 {id}: {shown}");
        assert!(shown.contains(&server.addr.to_string()), "UTIL-13 {id}: {shown}");
    }
}

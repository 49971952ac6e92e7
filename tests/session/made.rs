//! Responses that a middleware or a hook makes.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex};

use hostpool::{
    Body, Error, ErrorKind, Headers, Method, Next, Request, Response, Result, Session, StatusCode, Url, Version,
};

#[cfg(feature = "gzip")]
use crate::support::answers;
use crate::support::{Server, answer, ok, refusing};
use crate::{line_server, redirect};

/// A cache keeps what a caller of it sees: status, headers and bytes.
#[derive(Clone, Default)]
struct Cache(Arc<Mutex<HashMap<String, Kept>>>);

type Kept = (StatusCode, Headers, Vec<u8>);

#[derive(Clone, Debug, PartialEq)]
struct FromCache;

impl hostpool::Middleware for Cache {
    fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let key = request.url().to_string();
        let kept = self.0.lock().unwrap().get(&key).cloned();
        if let Some((status, headers, body)) = kept {
            return Response::builder().status(status).headers(&headers).body(body).extension(FromCache).build();
        }
        let mut response = next.run(request)?;
        let body = response.take_body()?;
        self.0.lock().unwrap().insert(key, (response.status(), response.headers().clone(), body.clone()));
        response.set_body(body)?;
        Ok(response)
    }
}

#[cfg(feature = "gzip")]
fn gzip(text: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    flate2::read::GzEncoder::new(text, flate2::Compression::fast()).read_to_end(&mut coded).unwrap();
    coded
}

/// The second answer is that of the first, also for a body that was coded, and costs no request.
#[test]
fn a_cache() {
    let text = "text that is worth a coding, ".repeat(50);
    let bodies = [
        ("identity", text.clone().into_bytes()),
        #[cfg(feature = "gzip")]
        ("gzip", gzip(text.as_bytes())),
    ];
    for (coding, body) in bodies {
        let head = format!("Content-Encoding: {coding}\r\nETag: \"7\"\r\nContent-Length: {}", body.len());
        let server = line_server([[format!("HTTP/1.1 200 Fine\r\n{head}\r\n\r\n").as_bytes(), &body].concat()]);
        let session = Session::builder().with_middleware(Cache::default()).build().unwrap();
        for (round, cached) in [false, true, true].into_iter().enumerate() {
            let response = session.get(server.url("/a#part")).send().unwrap();
            assert_eq!(response.extensions().get::<FromCache>().is_some(), cached, "{coding} {round}");
            assert_eq!(response.headers().get("etag"), Some("\"7\""), "{coding} {round}");
            assert_eq!(response.url().as_str(), server.url("/a"), "{coding} {round}");
            assert_eq!(response.content_length(), Some(body.len() as u64), "{coding} {round}");
            assert_eq!(response.text().unwrap(), text, "{coding} {round}");
        }
        assert_eq!(server.seen.requests().len(), 1);
        assert_eq!(session.get(server.url("/b")).send().unwrap().text().unwrap(), text);
        assert_eq!(server.seen.requests().len(), 2);
    }
}

/// The connection of a body that a middleware replaces goes back, whether the body was read or not.
#[test]
fn a_body_that_is_replaced() {
    let server = line_server([ok("hello")]);
    let swap = |request: Request, next: Next<'_>| {
        let mut response = next.run(request)?;
        response.set_body(Body::reader(&b"other text"[..]))?;
        Ok(response)
    };
    let session = Session::builder().middleware(swap).build().unwrap();
    for _ in 0..3 {
        let response = session.get(server.url("/")).send().unwrap();
        assert_eq!((response.content_length(), response.connection()), (Some(5), None));
        assert_eq!(response.text().unwrap(), "other text");
    }
    assert_eq!(server.seen.accepted(), 1);
}

/// A coded body in the place of another is decoded, whether the old body was read or not.
#[test]
#[cfg(feature = "gzip")]
fn a_coded_body_that_takes_the_place_of_another() {
    let server = line_server([ok("hello")]);
    for reads in [false, true] {
        let swap = move |mut response: Response| {
            if reads {
                assert_eq!(response.take_body()?, b"hello");
            }
            response.headers_mut().insert("Content-Encoding", "gzip")?;
            response.set_body(gzip(b"other text"))?;
            response.decode_content(true)?;
            Ok(response)
        };
        let session = Session::builder().on_response(swap).build().unwrap();
        let response = session.get(server.url("/")).send().unwrap();
        assert_eq!(response.text().unwrap(), "other text", "reads: {reads}");
    }
}

/// A body can be taken once, and the head stays. The connection is idle again.
#[test]
fn a_body_that_is_taken() {
    let server = line_server([ok("hello")]);
    let session = Session::new();
    for reads in [0, 2] {
        let mut response = session.get(server.url("/")).send().unwrap();
        response.read_exact(&mut vec![0; reads]).unwrap();
        assert_eq!(response.take_body().unwrap(), &b"hello"[reads..]);
        assert_eq!(response.status(), 200);
        for error in [response.take_body().unwrap_err(), Error::from(response.read(&mut [0]).unwrap_err())] {
            assert!(error.to_string().starts_with("the body was taken") && error.is_closed(), "{error}");
        }
        response.set_body("another").unwrap();
        assert_eq!(response.text().unwrap(), "another");
    }
    assert_eq!(server.seen.accepted(), 1);
}

#[test]
fn a_fallback_without_a_network() {
    let (_listener, address) = refusing();
    let fall_back = |request: Request, next: Next<'_>| match next.run(request) {
        Err(error) if error.is_connect() => Response::builder().status(503).header("X-Stale", "1").body("kept").build(),
        result => result,
    };
    let session = Session::builder().middleware(fall_back).build().unwrap();
    let url = format!("http://{address}/a");
    let response = session.put(&*url).data("x").send().unwrap();
    assert_eq!((response.status().as_u16(), response.url().as_str()), (503, &*url));
    assert_eq!((response.method(), response.remote_addr()), (&Method::PUT, None));
    let error = response.error_for_status().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Status(StatusCode::SERVICE_UNAVAILABLE));
    let head = error.head().unwrap();
    assert_eq!((head.body(), head.url().as_str(), head.reason()), (&b"kept"[..], &*url, "Service Unavailable"));
    // The caller who asked for errors gets one, whoever made the response.
    let error = session.get(&*url).raise_for_status(true).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Status(StatusCode::SERVICE_UNAVAILABLE));
}

/// A stub answers for a server that is not there, also through all that is built on `send`.
#[test]
fn a_stub() {
    let stub = |request: Request, _: Next<'_>| match (request.method().as_str(), request.url().path()) {
        ("POST", "/echo") => {
            let mut request = request;
            let body = std::mem::take(request.body_mut()).into_vec()?;
            Response::builder().status(201).body(body).build()
        }
        ("GET", "/lines") => Response::try_from(http::Response::new("one\ntwo\n")),
        ("GET", "/moved") => Response::builder().status(302).header("Location", "/lines").build(),
        ("GET", "/login") => Response::builder().header("Set-Cookie", "id=7; Path=/").build(),
        _ => Err(Error::custom("no such stub")),
    };
    let session = Session::builder().middleware(stub).build().unwrap();
    let get = |path: &str| session.get(format!("http://stub.example{path}"));
    let echoed = session.post("http://stub.example/echo").data(Body::reader(&b"said"[..])).send().unwrap();
    assert_eq!((echoed.status().as_u16(), echoed.text().unwrap()), (201, "said".to_owned()));
    let mut response = get("/lines").send().unwrap();
    let lines: Vec<_> = response.lines().map(Result::unwrap).collect();
    assert_eq!(lines, ["one", "two"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    assert_eq!(get("/lines").download(&path).unwrap(), 8);
    assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
    // Middleware is around the redirects of a call, so nothing follows this one.
    let moved = get("/moved").send().unwrap();
    assert_eq!((moved.status().as_u16(), moved.redirect_location().as_deref()), (302, Some("/lines")));
    assert!(moved.history().is_empty());
    // No server has set this cookie.
    let login = get("/login").send().unwrap();
    assert_eq!(login.cookie("id").unwrap().value(), "7");
    assert!(session.cookies().unwrap().is_empty());
    let error = get("/other").send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Custom);
}

/// A hook that answers in place of a server keeps what the call did before.
#[test]
fn a_hook_that_answers() {
    let server = line_server([
        redirect(302, "/next"),
        b"HTTP/1.1 404 No\r\nSet-Cookie: of=server\r\nContent-Length: 2\r\n\r\nno".to_vec(),
    ]);
    let session = Session::builder()
        .on_response(|response| match response.status().as_u16() {
            404 => Response::builder().header("Set-Cookie", "of=hook").body("a default").build(),
            _ => Ok(response),
        })
        .build()
        .unwrap();
    let response = session.get(server.url("/")).raise_for_status(true).send().unwrap();
    assert_eq!((response.status().as_u16(), response.history().len()), (200, 1));
    assert_eq!(response.url().as_str(), server.url("/next"));
    assert_eq!(response.text().unwrap(), "a default");
    let url = hostpool::Url::parse(&server.url("/")).unwrap();
    assert_eq!(session.cookies().unwrap().get(&url, "of").unwrap().value(), "server");
    // The connection of the response that it replaced is idle again.
    session.get(server.url("/")).send().unwrap();
    assert_eq!(server.seen.accepted(), 1);
}

/// Each method of a response has an answer for one that was made.
#[test]
fn every_method_has_an_answer() {
    let made = || {
        Response::builder()
            .status(203)
            .version(Version::HTTP_10)
            .header("Content-Type", "text/plain; charset=utf-8")
            .header("Content-Length", "3")
            .header("Transfer-Encoding", "gzip, nonsense")
            .body("three words here")
            .url("http://user:pw@h/a#b")
            .method(Method::PUT)
            .build()
            .unwrap()
    };
    let mut response = made();
    assert_eq!((response.version(), response.reason()), (Version::HTTP_10, "Non Authoritative Information"));
    assert_eq!((response.url().target().as_str(), response.host(), response.method()), ("/a", "h", &Method::PUT));
    assert!(response.connection().is_none() && response.shutdown_handle().is_none() && !response.is_reused());
    assert!(response.request_body_complete() && response.retries().is_none() && response.history().is_empty());
    assert!(response.trailers().is_empty() && response.dropped_lines() == 0 && response.links().is_empty());
    assert_eq!((response.bytes_read(), response.length_remaining()), (0, Some(16)));
    let mut start = [0; 5];
    response.read_exact(&mut start).unwrap();
    assert_eq!((&start, response.bytes_read(), response.length_remaining()), (b"three", 5, Some(11)));
    assert_eq!(response.load().unwrap(), b" words here");
    assert_eq!(response.data(), Some(&b" words here"[..]));
    let pieces: Vec<_> = made().chunks(6).map(Result::unwrap).collect();
    assert_eq!(pieces, [&b"three "[..], b"words ", b"here"]);
    let mut copy = Vec::new();
    assert_eq!(made().copy_to(&mut copy).unwrap(), 16);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(made().save_to(folder.path().join("a")).unwrap(), 16);
    assert!(made().error_for_status_ref().is_ok());
    assert!(!format!("{:?}", made()).contains("pw"));
    for end in [Response::close, Response::release] {
        let mut response = made();
        end(&mut response);
        assert!(response.bytes().unwrap_err().is_closed());
    }
    let mut response = made();
    response.load().unwrap();
    response.close();
    assert_eq!(response.bytes().unwrap(), b"three words here");
    // There and back.
    let there = made().into_http().unwrap();
    assert_eq!(there.extensions().get::<hostpool::Url>().unwrap().target(), "/a");
    let back = Response::try_from(there).unwrap();
    assert_eq!((back.url().target().as_str(), back.status().as_u16()), ("/a", 203));
    assert_eq!(back.text().unwrap(), "three words here");
}

/// A body of a received response becomes that of a made one, with the errors that it has.
#[test]
fn a_body_that_is_passed_on() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello".to_vec();
    let server = Server::new(vec![answer(ok("hello")), answer(ok("hello")), answer(cut)]);
    let session = Session::new();
    let wrapped = || Response::try_from(session.get(server.url("/")).send()?.into_http()?);
    let response = wrapped().unwrap();
    assert_eq!((response.length_remaining(), response.url().as_str()), (Some(5), &*server.url("/")));
    assert_eq!(response.bytes().unwrap(), b"hello");
    let mut closed = wrapped().unwrap();
    closed.close();
    assert!(closed.bytes().unwrap_err().is_closed());
    let error = wrapped().unwrap().bytes().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::incomplete_body(5, Some(9)));
}

/// What the caller's reader does wrong, as an error of a read of the response.
#[test]
fn readers_that_fail() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    let read =
        |body: Body| Response::builder().body(body).build().unwrap().bytes().map_err(|error| error.kind().clone());
    assert_eq!(read(Body::reader(Broken)), Err(ErrorKind::Io));
    assert_eq!(read(Body::sized(&b"abc"[..], 5)), Err(ErrorKind::incomplete_body(3, Some(5))));
    assert_eq!(read(Body::sized(&b"abc"[..], 2)), Err(ErrorKind::body_length(2, 3)));
    assert_eq!(read(Body::sized(&b"abc"[..], 3)), Ok(b"abc".to_vec()));
    assert_eq!(read(Body::empty()), Ok(Vec::new()));
}

/// Whether a coded body is decoded is the caller's choice until the first read, for a received response and a made one.
#[test]
#[cfg(feature = "gzip")]
fn decoding_is_chosen_late() {
    let coded = gzip(b"text");
    let head = |coding: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", coded.len())
    };
    let server = Server::with({
        let answer = [head("gzip").as_bytes(), &coded].concat();
        move |_| answers(answer.clone())
    });
    let unknown = Server::with({
        let answer = [head("gzip, klingon").as_bytes(), &coded].concat();
        move |_| answers(answer.clone())
    });
    let get = |server: &Server| Session::new().get(server.url("/")).send().unwrap();
    let made = || Response::builder().header("Content-Encoding", "gzip").body(coded.clone()).build().unwrap();
    let choose = |mut response: Response, choices: &[bool]| {
        for &choice in choices {
            response.decode_content(choice).unwrap();
        }
        response.bytes()
    };
    for (row, response, choices, decoded) in [
        ("received", get(&server), &[][..], true),
        ("received, off", get(&server), &[false], false),
        ("received, off and on", get(&server), &[false, true], true),
        ("made", made(), &[], false),
        ("made, on", made(), &[true], true),
        ("made, on and off", made(), &[true, false], false),
    ] {
        assert_eq!(choose(response, choices).unwrap(), if decoded { b"text" } else { &coded[..] }, "{row}");
    }
    // A coding that nobody knows is an error until the caller takes the body as it is.
    assert_eq!(choose(get(&unknown), &[]).unwrap_err().kind(), &ErrorKind::Decode);
    assert_eq!(choose(get(&unknown), &[false]).unwrap(), coded);
    assert_eq!(choose(get(&unknown), &[false, true]).unwrap_err().kind(), &ErrorKind::Decode);
    // It is too late after the first read.
    let mut response = get(&server);
    response.read_exact(&mut [0]).unwrap();
    assert!(matches!(response.decode_content(false).unwrap_err().kind(), ErrorKind::InvalidRequest));
    let mut rest = String::new();
    response.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "ext", "the refusal changes nothing");
    let mut response = get(&unknown);
    assert!(response.read(&mut [0]).is_err());
    assert!(response.decode_content(false).is_err(), "the connection is closed");
    assert_eq!(response.bytes().unwrap_err().kind(), &ErrorKind::Decode);
}

/// The URL of a response is given as that of a request is.
#[test]
fn urls_of_every_type() {
    let text = "http://h/a?b";
    let (parsed, uri) = (Url::parse(text).unwrap(), text.parse::<http::Uri>().unwrap());
    let (of_crate, owned) = (url::Url::parse(text).unwrap(), text.to_owned());
    let builder = Response::builder;
    for builder in [
        builder().url(text),
        builder().url(&owned),
        builder().url(&parsed),
        builder().url(parsed.clone()),
        builder().url(&uri),
        builder().url(uri.clone()),
        builder().url(&of_crate),
        builder().url(of_crate.clone()),
        builder().url(owned.clone()),
    ] {
        assert_eq!(builder.build().unwrap().url(), &parsed);
    }
}

#[test]
fn what_cannot_be_built() {
    for status in [0, 42, 100, 101, 199, 1000] {
        let error = Response::builder().status(status).build().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidConfig), "{status}: {error}");
    }
    assert!(Response::builder().status(999).build().is_ok());
    let mut switching = http::Response::new("");
    *switching.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    assert!(Response::try_from(switching).is_err());
    let error = Response::builder().header("X", "a\r\nb").status(42).build().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidHeader(_)), "the first error counts: {error}");
    assert!(matches!(Response::builder().url("no url").build().unwrap_err().kind(), ErrorKind::InvalidUrl(_)));
}

/// A change of the headers shows nothing else, and loses nothing.
#[test]
fn headers_are_changed() {
    let server = line_server([b"HTTP/1.1 200 Very Fine\r\nA: 1\r\nContent-Length: 5\r\nB: 2\r\n\r\nhello".to_vec()]);
    let mut response = Session::new().get(server.url("/")).send().unwrap();
    response.headers_mut().remove("A");
    response.headers_mut().remove("Content-Length");
    response.headers_mut().append("Set-Cookie", "id=7").unwrap();
    assert_eq!(response.reason(), "Very Fine");
    assert_eq!(response.cookie("id").unwrap().value(), "7");
    assert_eq!(response.content_length(), Some(5));
    assert_eq!(response.error_for_status_ref().unwrap().headers().len(), 2);
    assert_eq!(response.text().unwrap(), "hello");
}

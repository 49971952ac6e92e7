//! What a request looks like on the wire, and what is refused before anything is sent.

use hostpool::{ConnectionPool, ErrorKind, Headers, InvalidUrl, Method, Phase, PoolManager, Session, Url};

use crate::support::{Server, Step, answer, answers, header, ok};

fn server() -> Server {
    Server::new(vec![[answer(ok("")), answer(ok("")), vec![Step::UntilClosed]].concat()])
}

#[test]
fn host_first_and_the_target_as_written() {
    let server = server();
    let session = Session::new();
    session.get(server.url("/a%2Fb/../c d?x=1&y=\u{e9}#part")).send().unwrap();
    let request = server.seen.requests().remove(0);
    let expected = format!("GET /a%2Fb/../c%20d?x=1&y=%C3%A9 HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n", server.addr);
    assert!(request.starts_with(&expected), "{request}");
    assert!(header(&request, "User-Agent").unwrap().starts_with("hostpool/"));
    assert_eq!(header(&request, "Content-Length"), None);
    assert_eq!(header(&request, "Connection"), None);
}

/// Row A4.7: methods are case-sensitive (RFC 9110, section 9.1) and sent as they are given.
#[test]
fn methods() {
    let server = Server::new(vec![answers(ok(""))]);
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    for method in ["get", "Get", "M-SEARCH", "!#$%&'*+-.^_`|~"] {
        pool.request(Method::from_bytes(method.as_bytes()).unwrap(), "/x").send().unwrap();
        let requests = server.seen.requests();
        assert!(requests.last().unwrap().starts_with(&format!("{method} /x HTTP/1.1\r\n")), "{requests:?}");
    }
    for method in ["GET /x HTTP/1.1\r\nX: y", "GET ", "G\0T", "", "GE(T"] {
        assert!(Method::from_bytes(method.as_bytes()).is_err(), "{method:?}");
    }
}

#[test]
fn every_verb_of_every_client() {
    let server = Server::with(|_| answers(ok("")));
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let (manager, session, url) = (PoolManager::new(), Session::new(), server.url("/"));
    type Call<'a> = (&'a str, [hostpool::RequestBuilder; 3]);
    let calls: Vec<Call<'_>> = vec![
        ("GET", [pool.get("/"), manager.get(&url), session.get(&url)]),
        ("HEAD", [pool.head("/"), manager.head(&url), session.head(&url)]),
        ("OPTIONS", [pool.options("/"), manager.options(&url), session.options(&url)]),
        ("POST", [pool.post("/"), manager.post(&url), session.post(&url)]),
        ("PUT", [pool.put("/"), manager.put(&url), session.put(&url)]),
        ("PATCH", [pool.patch("/"), manager.patch(&url), session.patch(&url)]),
        ("DELETE", [pool.delete("/"), manager.delete(&url), session.delete(&url)]),
    ];
    for (verb, builders) in calls {
        for builder in builders {
            assert_eq!(builder.send().unwrap().method().as_str(), verb);
            assert!(server.seen.requests().last().unwrap().starts_with(&format!("{verb} / HTTP/1.1\r\n")));
        }
    }
    assert_eq!(server.seen.accepted(), 3);
    let custom = Method::from_bytes(b"PURGE").unwrap();
    session.request(custom, &url).send().unwrap();
    assert!(server.seen.requests().last().unwrap().starts_with("PURGE / "));
}

/// `OPTIONS *` asks for the server itself (RFC 9112, section 3.2.4).
#[test]
fn the_server_as_the_target() {
    let server = Server::with(|_| answers(ok("")));
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let (manager, session, url) = (PoolManager::new(), Session::new(), server.url("/a?b"));
    let line = || server.seen.requests().pop().unwrap().lines().next().unwrap().to_owned();
    for builder in [pool.options("/"), manager.options(&url), session.options(&url)] {
        builder.request_target("*").send().unwrap();
        assert_eq!(line(), "OPTIONS * HTTP/1.1");
    }
    // A pool is a proxy for other hosts: it asks for `*` in its turn.
    pool.options("http://other:81/a?b").assert_same_host(false).request_target("*").send().unwrap();
    assert_eq!(line(), "OPTIONS http://other:81 HTTP/1.1");
    assert_eq!(header(&server.seen.requests().pop().unwrap(), "Host"), Some("other:81"));
    for builder in [
        session.get(&url).request_target("*"),
        session.options(&url).request_target("/a"),
        session.options(&url).request_target(""),
        session.options(&url).request_target("* HTTP/1.1\r\nX: y"),
    ] {
        let error = builder.send().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "{error}");
    }
    assert_eq!(server.seen.accepted(), 3);
}

/// A Location names a resource: the request that follows it asks for that.
#[test]
fn the_server_as_the_target_of_a_redirect() {
    let moved = "HTTP/1.1 307 Temporary Redirect\r\nLocation: /b?c\r\nContent-Length: 0\r\n\r\n";
    let server = Server::new(vec![[answer(moved), answer(ok(""))].concat()]);
    Session::new().options(server.url("/a")).request_target("*").send().unwrap();
    let lines: Vec<_> = server.seen.requests().iter().map(|seen| seen.lines().next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["OPTIONS * HTTP/1.1", "OPTIONS /b?c HTTP/1.1"]);
}

#[test]
fn free_functions_close_behind_themselves() {
    let server = Server::new(vec![vec![Step::Request, Step::Send(ok("hello")), Step::UntilClosed]]);
    for (verb, call) in [
        ("GET", hostpool::get as fn(String) -> _),
        ("HEAD", hostpool::head),
        ("OPTIONS", hostpool::options),
        ("POST", hostpool::post),
        ("PUT", hostpool::put),
        ("PATCH", hostpool::patch),
        ("DELETE", hostpool::delete),
    ] {
        call(server.url("/")).send().unwrap();
        let request = server.seen.requests().pop().unwrap();
        assert!(request.starts_with(verb), "{request}");
        assert_eq!(header(&request, "Connection"), Some("close"), "{verb}");
    }
    assert_eq!(server.seen.accepted(), 7);
}

#[test]
fn bodies() {
    let server = Server::with(|_| answers(ok("")));
    let session = Session::new();
    let post = || session.post(server.url("/?a=1"));
    let body = |request: String| request.split_once("\r\n\r\n").unwrap().1.to_owned();
    let last = || server.seen.requests().pop().unwrap();

    post().data("plain").send().unwrap();
    assert_eq!(header(&last(), "Content-Length"), Some("5"));
    post().send().unwrap();
    assert_eq!(header(&last(), "Content-Length"), Some("0"));
    post().form([("a b", "1&2"), ("\u{fc}", "")]).send().unwrap();
    assert_eq!(header(&last(), "Content-Type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(body(last()), "a+b=1%262&%C3%BC=");
    post().params([("b", "x y"), ("c", "&")]).params([("d", "1")]).send().unwrap();
    assert!(last().starts_with("POST /?a=1&b=x+y&c=%26&d=1 HTTP/1.1\r\n"));
    let large = "x".repeat(1_000_000);
    post().data(large.clone()).send().unwrap();
    assert_eq!(body(last()), large);
}

#[cfg(feature = "json")]
#[test]
fn json_both_ways() {
    let answers = [r#"{"a":[1,2]}"#, " \n", "{"].map(|body| answer(ok(body))).concat();
    let server = Server::new(vec![answers]);
    let session = Session::new();
    let send = |value: &serde_json::Value| session.post(server.url("/")).json(value).send().unwrap();
    let value = serde_json::json!({"a": [1, 2]});
    assert_eq!(send(&value).json::<serde_json::Value>().unwrap(), value);
    let request = server.seen.requests().remove(0);
    assert_eq!(header(&request, "Content-Type"), Some("application/json"));
    assert!(request.ends_with(r#"{"a":[1,2]}"#));
    assert_eq!(send(&value).json::<Option<u8>>().unwrap(), None);
    let error = send(&value).json::<serde_json::Value>().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Decode, Phase::Body));
}

/// The type of a body is the caller's, if he says one, in whatever order.
#[test]
fn one_content_type() {
    let server = Server::with(|_| answers(ok("")));
    let session = Session::new();
    let post = || session.post(server.url("/"));
    for request in [
        post().form([("a", "1")]).header("Content-Type", "x/y"),
        post().header("content-type", "x/y").form([("a", "1")]),
    ] {
        request.send().unwrap();
        let request = server.seen.requests().pop().unwrap().to_ascii_lowercase();
        assert_eq!((request.matches("content-type").count(), header(&request, "Content-Type")), (1, Some("x/y")));
    }
}

#[test]
fn requests_made_before() {
    let server = Server::with(|_| answers(ok("fine")));
    let session = Session::new();
    let request = session.post(server.url("/")).header("X-A", "1").data("body").build().unwrap();
    for response in [session.execute(request.try_clone().unwrap()), PoolManager::new().execute(request)] {
        assert_eq!(response.unwrap().text().unwrap(), "fine");
        let seen = server.seen.requests().pop().unwrap();
        assert!(seen.starts_with("POST / ") && seen.ends_with("\r\n\r\nbody"), "{seen}");
    }
}

#[cfg(unix)]
#[test]
fn a_dialer_of_sockets_wants_a_socket() {
    let pool = ConnectionPool::builder("http://example.com").dialer(hostpool::UnixDialer).build().unwrap();
    assert!(matches!(pool.get("/").send().unwrap_err().kind(), ErrorKind::InvalidConfig));
}

#[test]
fn own_headers() {
    let server = server();
    let mut headers = Headers::new();
    headers.append("X-Session", "1").unwrap();
    headers.append("User-Agent", "me").unwrap();
    let session = Session::builder().headers(headers).build().unwrap();
    session.get(server.url("/")).header("x-SPELLED", "As Given").header("X-Session", "2").send().unwrap();
    let request = server.seen.requests().remove(0);
    assert!(request.contains("\r\nx-SPELLED: As Given\r\nX-Session: 2\r\n"), "{request}");
    assert!(!request.contains("X-Session: 1"), "{request}");
    assert_eq!(header(&request, "user-agent"), Some("me"));
}

/// Nothing reaches the server, and the pool is untouched: rows A4.1 to A4.10 as far as this layer has them.
#[test]
fn refused_before_anything_is_sent() {
    let server = server();
    let session = Session::new();
    let get = || session.get(server.url("/"));
    let with = |name, value| get().header(name, value).send().unwrap_err();
    let url = |text: &str| session.get(text).send().unwrap_err();
    let table = [
        ("CRLF in a value", with("X", "a\r\nY: b")),
        ("LF in a name", with("X\nY", "b")),
        ("empty name", with("", "b")),
        ("A4.3", session.post(server.url("/")).header("Content-Length", "3").data("12345").send().unwrap_err()),
        ("A4.5", get().header("Transfer-Encoding", "chunked").header("Content-Length", "0").send().unwrap_err()),
        ("A4.5 another coding", with("Transfer-Encoding", "gzip, chunked")),
        ("A4.6", get().header("Host", "a").header("Host", "b").send().unwrap_err()),
        ("CONNECT", session.request(Method::CONNECT, server.url("/")).send().unwrap_err()),
        ("no URL", url("not a url")),
        ("scheme", url("gopher://h/")),
        ("no host", url("http:///")),
        ("newline in the host", url("http://a\r\nb/")),
    ];
    for (id, error) in table {
        assert_eq!(error.phase(), Phase::Prepare, "{id}: {error}");
        assert!(!error.maybe_processed(), "{id}");
    }
    assert_eq!(url("gopher://h/").kind(), &ErrorKind::InvalidUrl(InvalidUrl::UnsupportedScheme));
    assert!(Method::from_bytes(b"GET /x HTTP/1.1\r\nX: y").is_err());
    assert_eq!(server.seen.accepted(), 0);
    let mut framing = Headers::new();
    framing.append("Content-Length", "1").unwrap();
    assert!(Session::builder().headers(framing).build().is_err());
}

#[test]
fn a_pool_keeps_to_its_host() {
    let server = server();
    let pool = ConnectionPool::builder(server.url("/")).build().unwrap();
    pool.get(server.url("/whole?url")).send().unwrap();
    assert!(server.seen.requests()[0].starts_with("GET /whole?url "));
    for other in ["http://localhost/", "http://127.0.0.1:1/", "https://127.0.0.1/"] {
        assert_eq!(pool.get(other).send().unwrap_err().kind(), &ErrorKind::HostChanged, "{other}");
    }
    assert!(matches!(pool.get("no-slash").send().unwrap_err().kind(), ErrorKind::InvalidUrl(_)));
}

#[test]
fn urls_of_every_type() {
    let server = Server::with(|_| answers(ok("")));
    let (session, text) = (Session::new(), server.url("/x"));
    let ours = Url::parse(&text).unwrap();
    let theirs = url::Url::parse(&text).unwrap();
    let requests = [
        session.get(&*text),
        session.get(&text),
        session.get(&ours),
        session.get(ours.clone()),
        session.get(&theirs),
        session.get(theirs.clone()),
    ];
    for request in requests {
        assert_eq!(request.send().unwrap().url(), &ours);
    }
}

/// Secrets of a URL are in no text that is made of it: rows A14.5 and A18.1.
#[test]
fn credentials_are_not_shown() {
    let session = Session::new();
    let request = session.get("http://user:canary@127.0.0.1:1/").header("Authorization", "canary");
    let shown = format!("{request:?}");
    let error = request.send().unwrap_err();
    for text in [shown, format!("{error} {error:?} {error:#?}")] {
        assert!(!text.contains("canary"), "{text}");
    }
}

//! What a request looks like when it arrives, and some of what comes back: REQ.

use std::io::{Cursor, Read};

use hostpool::multipart::{Form, Part};
use hostpool::{Body, ConnectionPool, Headers, Method, PoolManager, RequestBuilder, Session, Strictness};

use crate::scripts::{Always, body, line_server, lines, outcome, request_line, values};
use crate::support::{Server, Step, answer, answers, ok};

fn server() -> Server {
    Server::new(vec![answers(ok("done"))])
}

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("/")).build().unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    pairs.iter().for_each(|(name, value)| headers.append(name, value).unwrap());
    headers
}

/// Of the method; what the request is given; its first line, type and body as they arrive. A type that ends in a
/// boundary is compared up to there.
type Sent =
    (&'static str, &'static str, fn(RequestBuilder) -> RequestBuilder, &'static str, &'static str, &'static str);

#[test]
fn fields_and_bodies() {
    let multipart = "multipart/form-data; boundary=";
    let part = "--?\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb c\r\n--?--\r\n";
    let uploaded = "--?\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\u{fc}.txt\"\r\n\
                    Content-Type: text/plain\r\n\r\nI'm in\r\n--?--\r\n";
    let pairs: fn(RequestBuilder) -> RequestBuilder = |request| request.fields([("a", "b c")]);
    let file: fn(RequestBuilder) -> RequestBuilder = |request| {
        request
            .multipart(Form::new().part("f", Part::bytes("I'm in").file_name("\u{fc}.txt").content_type("text/plain")))
    };
    let table: Vec<Sent> = vec![
        ("REQ-01 GET", "GET", pairs, "GET /?x=1&a=b+c", "", ""),
        ("REQ-01 HEAD", "HEAD", pairs, "HEAD /?x=1&a=b+c", "", ""),
        ("REQ-01 DELETE", "DELETE", pairs, "DELETE /?x=1&a=b+c", "", ""),
        ("REQ-01 POST", "POST", pairs, "POST /?x=1", multipart, part),
        ("REQ-01 PATCH", "PATCH", pairs, "PATCH /?x=1", multipart, part),
        ("REQ-01 PUT", "PUT", |request| request.data("raw"), "PUT /?x=1", "", "raw"),
        ("REQ-03", "POST", |request| request.data("test"), "POST /?x=1", "", "test"),
        ("REQ-03 GET", "GET", |request| request.data("test"), "GET /?x=1", "", "test"),
        (
            "REQ-04",
            "POST",
            |request| request.form([("a", "b c"), ("a", "\u{fc}&")]),
            "POST /?x=1",
            "application/x-www-form-urlencoded",
            "a=b+c&a=%C3%BC%26",
        ),
        ("REQ-06", "POST", file, "POST /?x=1", multipart, uploaded),
    ];
    for (row, method, set, line, kind, sent) in table {
        let server =
            Server::new(vec![answers(if method == "HEAD" { "HTTP/1.1 200 OK\r\n\r\n".into() } else { ok("") })]);
        let method: Method = method.parse().unwrap();
        let clients =
            [pool(&server).urlopen(method.clone(), "/?x=1"), PoolManager::new().request(method, server.url("/?x=1"))];
        for request in clients {
            set(request).send().unwrap_or_else(|error| panic!("{row}: {error}"));
            let arrived = server.seen.requests().pop().unwrap();
            assert_eq!(request_line(&arrived), line, "{row}");
            let content_type = values(&arrived, "content-type").pop().unwrap_or_default();
            let boundary = content_type.strip_prefix(multipart).unwrap_or("?").trim_matches('"');
            assert_eq!(content_type.replace(boundary, ""), kind.replace('?', ""), "{row}");
            assert_eq!(body(&arrived), sent.replace('?', boundary), "{row}");
        }
    }
}

#[test]
fn what_is_refused() {
    let server = server();
    let pool = pool(&server);
    let table: Vec<(&str, RequestBuilder)> = vec![
        ("REQ-03 body and fields", pool.post("/").data("x").fields([("a", "b")])),
        #[cfg(feature = "json")]
        ("REQ-28 body, fields", pool.post("/").json(&1).fields([("a", "b")])),
    ];
    for (row, request) in table {
        let refused = outcome(&request.send());
        assert_eq!(refused, "InvalidRequest", "{row}");
    }
    for method in ["GET /", "GET\r", "GET\n", "GET\0", "GET\r\nX: y", ""] {
        assert!(Method::from_bytes(method.as_bytes()).is_err(), "REQ-07 {method:?}");
    }
    assert_eq!(server.seen.accepted(), 0);
}

/// Of the pool or the manager, the target, and what is asked for.
#[test]
fn targets() {
    let table = [
        ("REQ-09", "pool", "/seg/../seg2", "/seg/../seg2"),
        ("REQ-09 dots", "pool", "/./x/..", "/./x/.."),
        ("REQ-33 pool", "pool", "/%20%2F%C3%BC?q=%26", "/%20%2F%C3%BC?q=%26"),
        ("REQ-33 manager", "manager", "/%20%2F%C3%BC?q=%26", "/%20%2F%C3%BC?q=%26"),
        ("REQ-33 not encoded", "manager", "/a b/\u{fc}?q=\u{fc}", "/a%20b/%C3%BC?q=%C3%BC"),
        ("REQ-33 a sign of its own", "manager", "/100%", "/100%"),
        ("REQ-10 fragment", "manager", "/#fragment", "/"),
        ("REQ-10 ?#", "manager", "/?#", "/?"),
        ("REQ-10 #!", "manager", "/#!", "/"),
        ("REQ-10 #!/hash", "manager", "/#!/hash?x=1", "/"),
        ("REQ-10 ?#q", "manager", "/?#q", "/?"),
        ("REQ-10 ??#", "manager", "/??#", "/??"),
        ("REQ-10 ?a=1", "manager", "/?a=1#x", "/?a=1"),
        // Sent as written, where urllib3 makes upper case of it: both are the same (RFC 3986, section 2.1).
        ("REQ-10 %3f", "manager", "/%3f?%3f#x", "/%3f?%3f"),
        ("REQ-10 %3F", "manager", "/%3F?%3F#x", "/%3F?%3F"),
        ("REQ-10 no path", "manager", "?a=1", "/?a=1"),
        // As browsers send them, where urllib3 escapes them.
        ("REQ-10 []", "manager", "/[]?[]#[]", "/[]?[]"),
    ];
    for (row, client, target, expected) in table {
        let server = server();
        let sent = match client {
            "pool" => pool(&server).get(target).send(),
            _ => PoolManager::new().get(server.url(target)).send(),
        };
        assert_eq!(outcome(&sent), "200", "{row}");
        assert_eq!(lines(&server), [format!("GET {expected}")], "{row}");
    }
}

#[test]
fn automatic_fields() {
    let agent = concat!("hostpool/", env!("CARGO_PKG_VERSION"));
    // Of the client, of the request, and what arrives.
    type Fields<'a> = &'a [(&'a str, &'a str)];
    type Row<'a> = (&'a str, Fields<'a>, Fields<'a>, bool, &'a [&'a str]);
    let table: &[Row<'_>] = &[
        ("none", &[], &[], false, &[agent]),
        ("REQ-12", &[], &[("User-Agent", "me")], false, &["me"]),
        ("REQ-12 lower", &[], &[("user-agent", "me")], false, &["me"]),
        ("REQ-12 upper", &[], &[("USER-AGENT", "me")], false, &["me"]),
        ("REQ-12 empty", &[], &[("User-Agent", "")], false, &[""]),
        ("REQ-12 client", &[("uSER-aGENT", "we")], &[], false, &["we"]),
        ("REQ-13 skipped", &[], &[], true, &[]),
        ("REQ-13 skipped, and given", &[], &[("User-Agent", "me")], true, &["me"]),
        ("REQ-13 the request's word counts", &[("User-Agent", "we")], &[("user-agent", "me")], false, &["me"]),
        ("REQ-12 another field", &[("X-A", "1")], &[], false, &[agent]),
    ];
    for (row, client, own, skip, expected) in table {
        let server = server();
        let (client, own) = (headers(client), headers(own));
        let pool = ConnectionPool::builder(server.url("/")).headers(client.clone()).build().unwrap();
        let manager = PoolManager::builder().headers(client.clone()).build().unwrap();
        let target = server.url("/");
        let requests = [pool.post("/"), manager.post(&target), pool.urlopen(Method::POST, "/")];
        for request in requests {
            for chunked in [false, true] {
                let request = request.try_clone().unwrap().data("x").chunked(chunked);
                let request = if own.is_empty() { request } else { request.headers(&own) };
                let request = if *skip { request.skip_auto_headers(["user-agent"]) } else { request };
                request.send().unwrap();
                let arrived = server.seen.requests().pop().unwrap();
                assert_eq!(values(&arrived, "user-agent"), *expected, "{row}, chunked {chunked}");
                assert_eq!(values(&arrived, "transfer-encoding").len(), usize::from(chunked), "{row}");
                assert_eq!(values(&arrived, "host"), [server.addr.to_string()], "REQ-22 {row}");
            }
        }
    }
    let server = server();
    let session = Session::builder().skip_auto_headers(["User-Agent"]).build().unwrap();
    session.get(server.url("/")).send().unwrap();
    assert!(values(&server.seen.requests()[0], "user-agent").is_empty(), "REQ-13 of a client: a session");
}

#[test]
fn hosts() {
    let table = [
        ("REQ-21", "http://localhost.:81/", None, "localhost.:81"),
        ("REQ-22 default", "http://Example.test/", None, "example.test"),
        ("REQ-22", "http://example.test/", Some("other.test"), "other.test"),
        ("REQ-22 with a port", "http://example.test:81/", None, "example.test:81"),
        ("REQ-22 the usual port", "http://example.test:80/", None, "example.test"),
        ("REQ-22 v6", "http://[::1]:81/", None, "[::1]:81"),
    ];
    for (row, url, own, expected) in table {
        let server = server();
        let (dialer, _) = Always::to(&server);
        let request = PoolManager::builder().dialer(dialer).build().unwrap().get(url);
        own.into_iter().fold(request, |request, host| request.header("host", host)).send().unwrap();
        assert_eq!(values(&server.seen.requests()[0], "host"), [expected], "{row}");
    }
}

#[test]
fn ports_that_are_not_named() {
    let table = [("REQ-31 http", "http://example.test/", "http example.test Some(80)")];
    let tls = cfg!(feature = "rustls");
    let https = [("REQ-31 https", "https://example.test/", "https example.test Some(443)")];
    for (row, url, expected) in table.into_iter().chain(https.into_iter().filter(|_| tls)) {
        let server = server();
        let (dialer, asked) = Always::to(&server);
        // What is dialed for https is not encrypted, and so refused after it was asked for.
        let _ = PoolManager::builder().dialer(dialer).retries(0).build().unwrap().get(url).send();
        assert_eq!(*asked.lock().unwrap(), [expected], "{row}");
    }
}

#[test]
fn fields_of_the_caller() {
    // Other clients' maps keep copies of one name together: here they arrive in the order in which they were added.
    let mut many = headers(&[("A", "1"), ("C", "3"), ("B", "2"), ("B", "3"), ("A", "4")]);
    many.append_combined("C", "5").unwrap();
    many.append("C", "6").unwrap();
    let bodies: [fn(RequestBuilder) -> RequestBuilder; 4] = [
        |request| request,
        |request| request.data("bytes"),
        |request| request.data(Body::seekable(Cursor::new("file"))),
        |request| request.data("bytes").chunked(true),
    ];
    let server = server();
    let manager = PoolManager::builder().headers(many.clone()).build().unwrap();
    let before: Vec<_> = many.iter().map(|field| (field.name().to_owned(), field.bytes().to_vec())).collect();
    for (row, set) in ["none", "bytes", "file", "chunks"].into_iter().zip(bodies) {
        for method in [Method::GET, Method::POST] {
            let own = pool(&server).request(method.clone(), "/").headers(&many);
            for request in [own, manager.request(method, server.url("/"))] {
                set(request).send().unwrap();
                let arrived = server.seen.requests().pop().unwrap();
                let ours = arrived.lines().filter(|line| ["A: ", "B: ", "C: "].contains(&line.get(..3).unwrap_or("")));
                let ours: Vec<_> = ours.collect();
                assert_eq!(ours, ["A: 1", "C: 3, 5", "B: 2", "B: 3", "A: 4", "C: 6"], "REQ-19 REQ-24 {row}");
            }
        }
        let after: Vec<_> = many.iter().map(|field| (field.name().to_owned(), field.bytes().to_vec())).collect();
        assert_eq!(after, before, "REQ-15 {row}");
    }
}

#[test]
fn manager_fields_and_one_more() {
    let server = server();
    let common = headers(&[("Cookie", "a=1"), ("Cookie", "b=2")]);
    let manager = PoolManager::builder().headers(common.clone()).build().unwrap();
    let more = common.extended(&headers(&[("Cookie", "c=3")])).unwrap();
    for (row, request, expected) in [
        ("REQ-25", manager.get(server.url("/")).headers(&more), vec!["a=1", "b=2", "c=3"]),
        ("REQ-25 unchanged", manager.get(server.url("/")), vec!["a=1", "b=2"]),
        // A request that has fields of its own has none of its client's.
        ("REQ-25 replaced", manager.get(server.url("/")).header("X-A", "1"), vec![]),
    ] {
        request.send().unwrap();
        let arrived = server.seen.requests().pop().unwrap();
        assert_eq!(values(&arrived, "cookie"), expected, "{row}");
    }
    assert_eq!(common.len(), 2, "REQ-25");
}

#[test]
fn latin_1() {
    let server = Server::new(vec![answers(ok(""))]);
    let mut own = Headers::new();
    own.append("User-Agent", b"Sch\xf6n").unwrap();
    pool(&server).get("/").headers(&own).send().unwrap();
    let arrived = server.seen.requests.lock().unwrap()[0].1.clone();
    assert!(arrived.windows(18).any(|bytes| bytes == b"User-Agent: Sch\xf6n\r"), "REQ-16");
}

#[cfg(feature = "rustls")]
#[test]
fn options_of_tls_without_it() {
    let server = server();
    let tls = crate::tls::Authority::new().trusted();
    let manager = PoolManager::builder().tls(tls).build().unwrap();
    assert_eq!(outcome(&manager.get(server.url("/")).send()), "200", "REQ-27");
}

#[test]
fn one_shot_requests() {
    let server = server();
    for preload in [true, false] {
        let mut response = hostpool::get(server.url("/")).preload_content(preload).send().unwrap();
        assert_eq!(response.connection().is_some(), !preload, "REQ-30 {preload}");
        assert_eq!(response.load().unwrap(), b"done");
        assert!(response.connection().is_none(), "REQ-30 {preload}: what is read is given back");
    }
    let ours = hostpool::request(Method::POST, server.url("/")).data("body").send().unwrap();
    assert_eq!(ours.status(), 200, "REQ-28");
    assert_eq!(body(server.seen.requests().last().unwrap()), "body", "REQ-28");
    hostpool::post(server.url("/")).form([("a", "b")]).data("later").send().unwrap();
    let arrived = server.seen.requests().pop().unwrap();
    assert_eq!(
        (body(&arrived), values(&arrived, "content-type")),
        ("later", vec!["text/plain; charset=utf-8"]),
        "REQ-28"
    );
}

#[test]
fn fields_of_the_answer() {
    let fields = "Z: 1\r\ny-lower: 2\r\nX: 3\r\nY-UPPER: 4\r\nx: 5\r\n";
    let server = line_server([format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n").into_bytes()]);
    let response = pool(&server).get("/").send().unwrap();
    let names: Vec<_> =
        response.headers().iter().map(|field| format!("{}: {}\r\n", field.name(), field.value())).collect();
    assert_eq!(names.concat(), format!("{fields}Content-Length: 0\r\n"), "REQ-18");

    // A line that is no field is left out, unless the client is to be strict.
    let table = [
        ("REQ-37 no name", ": value", 1, None),
        ("REQ-37 no colon", "Broken Header", 1, None),
        ("REQ-37 a space after a name", "Broken : x", 0, Some("x")),
    ];
    for (row, line, dropped, value) in table {
        let lines = format!("HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 0\r\n\r\n");
        let server = Server::new(vec![answer(lines)]);
        let request = || pool(&server).get("/").retries(0);
        let response = request().send().unwrap();
        assert_eq!((response.dropped_lines(), response.headers().get("broken")), (dropped, value), "{row}");
        let refused = outcome(&request().strictness(Strictness::Strict).send());
        assert_eq!(refused, "Protocol(FieldName)", "{row}");
    }
}

#[test]
fn bodies_that_end_where_they_say() {
    let heads = [
        ("REQ-34", "HEAD", "Content-Length: 256\r\n\r\n", &[][..]),
        ("REQ-34 chunked", "HEAD", "Transfer-Encoding: chunked\r\n\r\n", &[]),
        ("REQ-36", "GET", "Content-Length: 12\r\n\r\nHello, world", &["Hello, world"]),
        ("REQ-36 nothing", "GET", "Content-Length: 0\r\n\r\n", &[]),
    ];
    for (row, method, rest, items) in heads {
        let script = vec![Step::Request, Step::Send(format!("HTTP/1.1 200 OK\r\n{rest}").into_bytes())];
        let server = Server::new(vec![[script, vec![Step::UntilClosed]].concat()]);
        let pool = pool(&server);
        let mut response = pool.urlopen(method.parse().unwrap(), "/").preload_content(false).send().unwrap();
        let pieces: Vec<_> = response.chunks(1 << 20).map(|piece| String::from_utf8(piece.unwrap()).unwrap()).collect();
        assert_eq!(pieces, items, "{row}");
        assert_eq!(response.read(&mut [0; 8]).unwrap(), 0, "{row}");
        assert_eq!(pool.stats().idle, 1, "{row}: the connection stays open");
    }
}

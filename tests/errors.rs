//! What the errors say after the mistakes that people make first, in one table.
//!
//! Some texts have those of the system in them, which are Linux's here.
#![cfg(target_os = "linux")]

#[path = "support/mod.rs"]
mod support;

use std::error::Error as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hostpool::multipart::Form;
use hostpool::{
    ConnectionPool, DialContext, Dialer, Error, Method, Netrc, Phase, PoolManager, Result, Retry, Session, Target,
    Timeout, Transport,
};

use crate::support::{GIVE_UP, Server, Step, answer, answers, chain, ok, refusing};

/// Every secret of the table has this in it.
const CANARY: &str = "canary-7f3a";

/// A dialer that is told that its time is over.
#[derive(Debug)]
struct Late;

impl Dialer for Late {
    fn dial(&self, _: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>> {
        Err(context.timed_out(Phase::Connect))
    }
}

struct Row {
    mistake: &'static str,
    code: &'static str,
    error: Error,
    /// The text of the error. `ADDR` stands for the address of a server, `DIR` for the folder.
    shown: &'static str,
    /// The texts of its sources.
    causes: &'static str,
}

impl Row {
    /// Makes a row. The address of the server, or the folder, is replaced in the texts.
    fn new(mistake: &'static str, code: &'static str, error: Error, shown: &'static str) -> Row {
        Row { mistake, code, error, shown, causes: "" }
    }

    fn causes(self, causes: &'static str) -> Row {
        Row { causes, ..self }
    }
}

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).timeout(GIVE_UP).retries(Retry::off()).build().unwrap()
}

/// Checks that each row says what it should, on one line, once in a chain, and without a secret.
fn check(rows: Vec<Row>, replaced: &[(&str, &str)]) {
    let plain = |text: String| replaced.iter().fold(text, |text, (from, to)| text.replace(from, to));
    for Row { mistake, code, error, shown, causes } in rows {
        let expected = if causes.is_empty() { shown.to_owned() } else { format!("{shown}: {causes}") };
        assert_eq!(plain(error.to_string()), shown, "{mistake}");
        assert_eq!(plain(chain(&error)), expected, "{mistake}: the chain");
        assert_eq!((error.code(), error.kind().code()), (code, code), "{mistake}");
        let debugs = [format!("{error:?}"), format!("{error:#?}"), format!("{:#?}", [&error])];
        for text in debugs.iter().chain([&error.to_string(), &chain(&error), &format!("{:?}", error.url())]) {
            assert!(!text.contains(CANARY) && text.len() < 4096, "{mistake}: {text}");
        }
        assert!(!error.to_string().contains(char::is_control), "{mistake}");
        doubles_nothing(mistake, &error);
        assert_eq!(error.method().is_some(), error.url().is_some(), "{mistake}");
    }
}

/// A printer of chains writes no text twice.
fn doubles_nothing(mistake: &str, error: &Error) {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        assert!(texts.iter().all(|above| !above.contains(&text)), "{mistake}: {text:?} is in {texts:?}");
        texts.push(text);
        cause = error.source();
    }
}

#[test]
fn urls() {
    let get = |url: &str| Session::new().get(url).send().unwrap_err();
    let of_pool = |target: &str| {
        ConnectionPool::builder("http://user:canary-7f3a@h:81").build().unwrap().get(target).send().unwrap_err()
    };
    let no_scheme = "invalid URL: no scheme: it does not begin with http://, https:// or http+unix://";
    let secret = format!("http://user:{CANARY}@other/list?key={CANARY}#{CANARY}");
    check(
        vec![
            Row::new(
                "no scheme before a port",
                "invalid_url",
                get("localhost:8080/a?canary-7f3a"),
                "invalid URL: no scheme: write http://localhost:8080",
            ),
            Row::new(
                "no scheme before a name",
                "invalid_url",
                get("api.example/canary-7f3a"),
                "invalid URL: no scheme: write http://api.example",
            ),
            Row::new(
                "no scheme, of a manager",
                "invalid_url",
                PoolManager::new().get("/canary-7f3a").send().unwrap_err(),
                no_scheme,
            ),
            Row::new(
                "no scheme, of a pool's URL",
                "invalid_url",
                ConnectionPool::builder("localhost:80").build().unwrap_err(),
                "invalid URL: no scheme: write http://localhost:80",
            ),
            Row::new(
                "another scheme",
                "invalid_url",
                get("ftp://h/canary-7f3a"),
                "invalid URL: the scheme is not http, https or http+unix",
            ),
            Row::new(
                "a path without a slash",
                "invalid_url",
                of_pool("json?canary-7f3a"),
                "invalid URL: a path begins with /",
            ),
            Row::new(
                "a pool with a path",
                "invalid_config",
                ConnectionPool::builder("http://h/v1?canary-7f3a").build().unwrap_err(),
                "invalid configuration: a pool is for a whole host: the path belongs to each request",
            ),
            Row::new(
                "another host than the pool's",
                "host_changed",
                of_pool(&secret),
                "the URL belongs to another origin than the pool: the pool is for http://h:81 (GET http://other/list)",
            ),
        ],
        &[],
    );
}

#[test]
fn configurations_and_requests() {
    let post = || Session::new().post("http://h/a?key=canary-7f3a");
    let server = Server::with(|_| answers(ok("done")));
    let short = hostpool::Body::sized(&b"canary-7f3a"[..], 99);
    check(
        vec![
            Row::new(
                "a limit of 0",
                "invalid_config",
                PoolManager::builder().total_limit(0).build().unwrap_err(),
                "invalid configuration: a total limit of 0 lets no connection be opened",
            ),
            Row::new(
                "a line end in a header",
                "invalid_header",
                post().header("X-Key", "canary-7f3a\n").build().unwrap_err(),
                "invalid header: the value of header X-Key has a forbidden byte at offset 11 (POST http://h/a)",
            ),
            Row::new(
                "a body that is too short",
                "body_length",
                pool(&server).post("/a?canary-7f3a").data(short).send().unwrap_err(),
                "the request's body ended after 11 of 99 bytes (sending the request, POST http://ADDR/a)",
            ),
            Row::new(
                "a bound of zero",
                "timeout",
                post().timeout(Duration::ZERO).send().unwrap_err(),
                "the total timeout of 0 s passed (POST http://h/a)",
            ),
            Row::new(
                "a hook that refuses",
                "custom",
                Session::builder()
                    .on_request(|_| Err(Error::custom("not on the list")))
                    .build()
                    .unwrap()
                    .get("http://h/a?canary-7f3a")
                    .send()
                    .unwrap_err(),
                "not on the list (GET http://h/a)",
            ),
            Row::new(
                "a middleware that fails",
                "custom",
                Session::builder()
                    .middleware(|_: hostpool::Request, _: hostpool::Next<'_>| {
                        std::fs::read("/no/such/file")?;
                        unreachable!("there is no such file")
                    })
                    .build()
                    .unwrap()
                    .put("http://h/a?canary-7f3a")
                    .send()
                    .unwrap_err(),
                "No such file or directory (os error 2) (PUT http://h/a)",
            ),
        ],
        &[(&server.addr.to_string(), "ADDR")],
    );
}

/// Pools that cannot connect.
fn nowhere() -> PoolManager {
    PoolManager::builder().dialer(Late).retries(Retry::off()).build().unwrap()
}

#[test]
fn connections() {
    let (_held, address) = refusing();
    let refused = hostpool::get(format!("http://user:{CANARY}@{address}/list?key={CANARY}")).send().unwrap_err();
    let slow = nowhere().request(Method::PUT, "http://slow.example/a?canary-7f3a");
    let slow = slow.timeout(Timeout::new().connect(Duration::from_secs(30))).send().unwrap_err();
    let alert = b"\x15\x03\x01\x00\x02\x02\x46";
    let tls = Server::new(vec![
        answer(alert),
        answer(b"\x16\x03\x03\x00\x02hello, this is TLS\n"),
        answer("SSH-2.0-x\r\n\r\n"),
    ]);
    let mut by_tls = [0; 3].map(|_| pool(&tls).get("/a").send().unwrap_err());
    let looks = "the response does not begin with an HTTP/1.0 or HTTP/1.1 status line: it looks like TLS; is the URL \
                 https rather than http? (waiting for the response, GET http://TLS/a)";
    let other = std::mem::replace(&mut by_tls[2], Error::custom("taken"));
    let [first, second, _] = by_tls;
    let closing = Server::new(vec![vec![Step::Request]]);
    check(
        vec![
            Row::new(
                "nobody listens",
                "connect",
                refused,
                "no connection could be opened (connecting, GET http://ADDR/list)",
            )
            .causes("ADDR: Connection refused (os error 111)"),
            Row::new(
                "a bound",
                "timeout",
                slow,
                "the connect timeout of 30 s passed (connecting, PUT http://slow.example/a)",
            ),
            Row::new("http to a TLS port", "protocol", first, looks),
            Row::new("http to a server that speaks TLS first", "protocol", second, looks),
            Row::new(
                "http to another protocol",
                "protocol",
                other,
                "the response does not begin with an HTTP/1.0 or HTTP/1.1 status line (waiting for the response, GET \
                 http://TLS/a)",
            ),
            Row::new(
                "closed without a response",
                "disconnected",
                pool(&closing).post("/a?canary-7f3a").send().unwrap_err(),
                "the peer closed the connection without a response (waiting for the response, POST http://CLOSING/a)",
            )
            .causes("unexpected end of file"),
        ],
        &[(&address.to_string(), "ADDR"), (&tls.addr.to_string(), "TLS"), (&closing.addr.to_string(), "CLOSING")],
    );
}

#[test]
fn use_after_close() {
    let server = Server::with(|_| answers(ok("canary-7f3a")));
    let (session, manager, alone) = (Session::new(), PoolManager::new(), pool(&server));
    let part = manager.connection_from_url(server.url("")).unwrap();
    let mut response = alone.get("/read?canary-7f3a").send().unwrap();
    response.close();
    part.close();
    alone.close();
    session.close();
    let url = server.url("/a?canary-7f3a");
    let of_part = part.get("/a").send().unwrap_err();
    let detached = Session::new();
    detached.detach();
    let over = Session::builder().connector(manager.clone()).build().unwrap();
    manager.close();
    let row = |mistake, error, shown| Row::new(mistake, "closed", error, shown);
    check(
        vec![
            row(
                "a response",
                response.load().unwrap_err(),
                "the response is closed (reading the body, GET http://ADDR/read)",
            ),
            row(
                "a response, again",
                response.text().unwrap_err(),
                "the response is closed (reading the body, GET http://ADDR/read)",
            ),
            row(
                "a pool",
                alone.get("/a?canary-7f3a").send().unwrap_err(),
                "the pool is closed (waiting for the pool, GET http://ADDR/a)",
            ),
            row("a pool of a manager", of_part, "the pool is closed (GET http://ADDR/a)"),
            row("a session", session.get(&url).send().unwrap_err(), "the session is closed (GET http://ADDR/a)"),
            row(
                "a detached session",
                detached.get(&url).send().unwrap_err(),
                "the session is closed (GET http://ADDR/a)",
            ),
            row(
                "a manager",
                manager.get(&url).send().unwrap_err(),
                "the pool manager is closed (waiting for the pool, GET http://ADDR/a)",
            ),
            row(
                "the manager of a session",
                over.get(&url).send().unwrap_err(),
                "the pool manager is closed (waiting for the pool, GET http://ADDR/a)",
            ),
            row(
                "a manager, asked for a pool",
                manager.connection_from_url(&url).unwrap_err(),
                "the pool manager is closed",
            ),
        ],
        &[(&server.addr.to_string(), "ADDR")],
    );
    assert_eq!(server.seen.accepted.load(Ordering::SeqCst), 1);
}

/// A call that waits for a connection that its own thread holds, by a response that it has not read.
#[test]
fn an_unread_response() {
    let server = Server::with(|_| answers(ok(&"canary-7f3a".repeat(100_000))));
    let builder = || ConnectionPool::builder(server.url("")).maxsize(1).block(true).retries(Retry::off());
    let bounded = builder().pool_timeout(Duration::ZERO).build().unwrap();
    let refusing = builder().refuse_self_deadlock(true).build().unwrap();
    let [(_held, late), (held, refused)] = [bounded, refusing].map(|pool| {
        let held = pool.get("/first").send().unwrap();
        (held, pool.get("/second?canary-7f3a").send().unwrap_err())
    });
    let hostpool::ErrorKind::PoolTimeout { waited, .. } = late.kind() else { panic!("{late}") };
    let (waited, id) = (format!("{waited:?}"), format!("connection {}", held.connection().unwrap().id));
    check(
        vec![
            Row::new(
                "a bounded wait",
                "pool_timeout",
                late,
                "no connection came free in WAITED (1 in use, 1 of them held by this thread, 0 more waiting) (waiting for \
                 the pool, GET http://ADDR/second)",
            ),
            Row::new(
                "an unbounded wait",
                "would_deadlock",
                refused,
                "the call would wait for connections that its own thread holds, such as ID: read or drop its responses \
                 first (waiting for the pool, GET http://ADDR/second)",
            ),
        ],
        &[(&server.addr.to_string(), "ADDR"), (&waited, "WAITED"), (&id, "ID")],
    );
}

#[cfg(feature = "json")]
#[test]
fn json() {
    #[derive(serde::Deserialize)]
    struct Post {
        #[expect(dead_code, reason = "only its name counts")]
        title: String,
    }
    let json = |head: &str, body: &str| {
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len());
        let server = Server::new(vec![answers(head + body)]);
        let error = pool(&server).get("/posts/1?canary-7f3a").send().unwrap().json::<Post>().err().unwrap();
        assert_eq!(error.head().unwrap().body(), body.as_bytes());
        assert_eq!(error.status(), error.head().map(|head| head.status()));
        (error, server.addr.to_string())
    };
    let (lacks, first) = json("200 OK\r\nContent-Type: application/json", r#"{"id": 1, "body": "no title"}"#);
    let (page, second) = json("404 Not Found\r\nContent-Type: text/html; charset=utf-8", "<h1>Not found</h1>");
    let what = "decoding failed: ";
    let about = "(reading the body, GET http://ADDR/posts/1)";
    let row =
        |mistake, error, why: &str| Row::new(mistake, "decode", error, String::leak(format!("{what}{why} {about}")));
    check(
        vec![
            row("a field is missing", lacks, "the JSON is not of the requested type")
                .causes("missing field `title` at line 1 column 29"),
            row("a page", page, "it is not JSON, with status 404 and media type text/html")
                .causes("expected value at line 1 column 1"),
        ],
        &[(&first, "ADDR"), (&second, "ADDR")],
    );
}

#[test]
fn files() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none/file");
    let server = Server::with(|_| answers(ok("body")));
    let saved = hostpool::get(server.url("/a?canary-7f3a")).send().unwrap().save_to(&missing).unwrap_err();
    let downloaded = hostpool::get(server.url("/a?canary-7f3a")).download(&missing).unwrap_err();
    let not_found = "No such file or directory (os error 2)";
    let broken = folder.path().join("broken");
    std::fs::write(&broken, "canary-7f3a").unwrap();
    let rows = vec![
        Row::new(
            "Form::file",
            "body_read",
            Form::new().file("a", &missing).unwrap_err(),
            "the request's body could not be read: DIR/none/file",
        )
        .causes(not_found),
        Row::new(
            "save_to",
            "output",
            saved,
            "the output could not be written: DIR/none (reading the body, GET http://ADDR/a)",
        )
        .causes(not_found),
        Row::new("download", "output", downloaded, "the output could not be written: DIR/none (GET http://ADDR/a)")
            .causes(not_found),
        Row::new(
            "Netrc::load",
            "invalid_config",
            Netrc::load(&missing).unwrap_err(),
            "invalid configuration: a netrc file cannot be read: DIR/none/file",
        )
        .causes(not_found),
        #[cfg(feature = "json")]
        Row::new(
            "CookieJar::load",
            "invalid_config",
            hostpool::CookieJar::load(&missing).unwrap_err(),
            "invalid configuration: the file of cookies cannot be read: DIR/none/file",
        )
        .causes(not_found),
        #[cfg(feature = "json")]
        Row::new(
            "CookieJar::load of another file",
            "decode",
            hostpool::CookieJar::load(&broken).unwrap_err(),
            "decoding failed: these are not the cookies of a jar: DIR/broken",
        )
        .causes("expected value at line 1 column 1"),
        #[cfg(feature = "json")]
        Row::new(
            "CookieJar::save",
            "output",
            hostpool::CookieJar::new().save(&missing).unwrap_err(),
            "the output could not be written: DIR/none",
        )
        .causes(not_found),
        #[cfg(feature = "rustls")]
        Row::new(
            "root_file",
            "invalid_config",
            hostpool::TlsConfig::builder().root_file(&missing).build().unwrap_err(),
            "invalid configuration: a file of root certificates cannot be read: DIR/none/file",
        )
        .causes(not_found),
    ];
    check(rows, &[(folder.path().to_str().unwrap(), "DIR"), (&server.addr.to_string(), "ADDR")]);
}

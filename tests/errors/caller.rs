//! What the caller does.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hostpool::multipart::{Form, Part};
use hostpool::{ConnectionPool, Error, Netrc, PoolManager, Retry, Session, Version};

use crate::support::{Server, answers, ok};
use crate::{CANARY, Late, Row, check, pool};

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
                "invalid URL: the scheme is not http, https, http+unix or https+unix",
            ),
            Row::new("a path without a base URL", "invalid_url", get("/canary-7f3a"), no_scheme),
            Row::new(
                "the URL of a Unix socket",
                "invalid_url",
                get("unix:///run/canary-7f3a.sock"),
                "invalid URL: the scheme of a Unix socket is http+unix, and Url::unix writes such a URL",
            ),
            Row::new(
                "three slashes",
                "invalid_url",
                get("http:///canary-7f3a"),
                "invalid URL: the host is missing: it stands after exactly two slashes, as in http://host/path",
            ),
            Row::new(
                "a blank in the host",
                "invalid_url",
                get("http://canary-7f3a example/"),
                "invalid URL: white space, a backslash or a second @ stands before the path",
            ),
            Row::new(
                "a port that is too large",
                "invalid_url",
                get("http://user:canary-7f3a@h:99999/"),
                "invalid URL: the port is not a number from 1 to 65535",
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
fn configurations() {
    let manager = PoolManager::new;
    let row = |mistake, builder: hostpool::SessionBuilder, shown| {
        Row::new(mistake, "invalid_config", builder.build().unwrap_err(), shown)
    };
    let header = |mistake, builder: hostpool::SessionBuilder, shown| {
        Row::new(mistake, "invalid_header", builder.build().unwrap_err(), shown)
    };
    let request = |mistake, builder: hostpool::SessionBuilder, shown| {
        Row::new(mistake, "invalid_request", builder.build().unwrap_err(), shown)
    };
    let new = Session::builder;
    check(
        vec![
            row("a limit of 0", new().limit(0), "invalid configuration: a limit of 0 lets no connection be opened"),
            row(
                "a total limit of 0",
                new().total_limit(0),
                "invalid configuration: a total limit of 0 lets no connection be opened",
            ),
            row(
                "two limits",
                new().limit(4).maxsize(8),
                "invalid configuration: limit sets what maxsize sets too; give one of them",
            ),
            row(
                "a base URL without a slash",
                new().base_url("http://user:canary-7f3a@h/v1#canary-7f3a"),
                "invalid configuration: the path of a base URL ends in a slash: write http://h/v1/",
            ),
            row(
                "a base URL with a query",
                new().base_url("http://h/v1/?key=canary-7f3a"),
                "invalid configuration: a base URL has no query; params of each request add one",
            ),
            row(
                "another version",
                new().version(Version::HTTP_2),
                "invalid configuration: only HTTP/1.0 and HTTP/1.1 are spoken here",
            ),
            row(
                "a path in a trusted origin",
                new().trust_origins(["https://h/canary-7f3a"]),
                "invalid configuration: an origin is a scheme, a host and a port, and nothing after them",
            ),
            row(
                "a connector and a limit",
                new().connector(manager()).limit(3),
                "invalid configuration: the session has a connector and its own limit: give limit to the connector",
            ),
            #[cfg(feature = "rustls")]
            row(
                "a connector and a TLS configuration",
                new().connector(manager()).tls(hostpool::TlsConfig::default()),
                "invalid configuration: the session has a connector and its own tls: give tls to the connector",
            ),
            row(
                "a dialer and a source address",
                new().dialer(Late).source_address(std::net::Ipv4Addr::LOCALHOST),
                "invalid configuration: a dialer opens sockets of its own, which no source address or option reaches",
            ),
            header(
                "a line end in a header",
                new().header("X-Key", "canary-7f3a\n"),
                "invalid header: the value of header X-Key has a forbidden byte at offset 11",
            ),
            header(
                "a blank in a name",
                new().header("X Key", "canary-7f3a"),
                "invalid header: header name \"X Key\" has a byte at offset 1 that no token may have",
            ),
            request(
                "a cookie with a semicolon",
                new().cookies([("a", "canary-7f3a;")]),
                "invalid request: the cookie's value has a semicolon, a control character or a blank at an end",
            ),
            request(
                "a header that is always sent",
                new().skip_auto_headers(["Host"]),
                "invalid request: Host, Content-Length, Transfer-Encoding and Content-Encoding are sent where they are \
                 needed, and cannot be skipped",
            ),
            request(
                "a header that cannot be",
                new().sensitive_headers(["X Key"]),
                "invalid request: a header name is empty or has a byte that names may not have",
            ),
            request(
                "a colon in a login",
                new().auth(("canary-7f3a:", "canary-7f3a")),
                "invalid request: a login for Basic credentials has a colon",
            ),
        ],
        &[],
    );
}

/// What a request cannot be. It is not sent.
#[test]
fn requests() {
    let post = || Session::new().post("http://user:canary-7f3a@h/a?key=canary-7f3a");
    let plain = || Session::new().post("http://h/a?key=canary-7f3a");
    let row = |mistake, code, request: hostpool::RequestBuilder, shown: &str| {
        let shown = String::leak(format!("{shown} (POST http://h/a)"));
        Row::new(mistake, code, request.send().unwrap_err(), shown)
    };
    let request =
        |mistake, request, shown: &str| row(mistake, "invalid_request", request, &format!("invalid request: {shown}"));
    check(
        vec![
            request(
                "two credentials",
                plain().basic_auth("me", "canary-7f3a").header("Authorization", "canary-7f3a"),
                "the request has an Authorization header and other credentials",
            ),
            request(
                "credentials in the URL, too",
                post().bearer_auth("canary-7f3a"),
                "the URL has credentials, and the request has others",
            ),
            request(
                "a token with a line end",
                plain().bearer_auth("canary-7f3a\n"),
                "a bearer token is empty or has a character that RFC 6750 does not allow",
            ),
            request("plain http", plain().https_only(true), "https_only is set, and the URL is not https"),
            request("an empty range", plain().range(5..5), "a range has at least one byte"),
            request(
                "chunks for HTTP/1.0",
                plain().version(Version::HTTP_10).chunked(true).body("canary-7f3a"),
                "HTTP/1.0 has no chunks, and needs a body whose length is known",
            ),
            request(
                "a cookie with a blank in its name",
                plain().cookie("a b", "canary-7f3a"),
                "a cookie's name is empty or has a byte that names may not have",
            ),
            #[cfg(feature = "json")]
            request(
                "a query as a text",
                plain().params("key=canary-7f3a"),
                "the value is not a map, a struct or a sequence of pairs of plain values",
            )
            .causes("it is a single value without a name; raw_query takes an encoded query, and body a text"),
            #[cfg(feature = "json")]
            request(
                "JSON without a text as name",
                plain().json(&std::collections::HashMap::from([((1, 2), CANARY)])),
                "the value has no JSON form",
            )
            .causes("key must be a string"),
            #[cfg(feature = "charset")]
            request(
                "a charset that is not",
                plain().encoding("klingon").body(CANARY),
                "there is no charset named \"klingon\"",
            ),
            row(
                "a length that differs",
                "invalid_header",
                plain().header("Content-Length", 5).body("canary-7f3a"),
                "invalid header: header Content-Length differs from the length of the body",
            ),
        ],
        &[],
    );
}

#[test]
fn requests_that_fail() {
    let post = || Session::new().post("http://h/a?key=canary-7f3a");
    let server = Server::with(|_| answers(ok("done")));
    let short = hostpool::Body::sized(&b"canary-7f3a"[..], 99);
    check(
        vec![
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
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o600)).unwrap();
    let open = folder.path().join("open");
    std::fs::write(&open, "canary-7f3a").unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let rows = vec![
        Row::new(
            "Form::file",
            "body_read",
            Form::new().file("a", &missing).unwrap_err(),
            "the request's body could not be read: DIR/none/file",
        )
        .causes(not_found),
        Row::new(
            "Part::file of a directory",
            "body_read",
            Part::file(folder.path()).unwrap_err(),
            "the request's body could not be read: DIR",
        )
        .causes("is a directory"),
        Row::new(
            "files of a request",
            "body_read",
            hostpool::post("http://h/a?canary-7f3a").files([("a", &missing)]).send().unwrap_err(),
            "the request's body could not be read: DIR/none/file (POST http://h/a)",
        )
        .causes(not_found),
        Row::new(
            "save_to a directory",
            "output",
            hostpool::get(server.url("/a?canary-7f3a")).send().unwrap().save_to(folder.path()).unwrap_err(),
            "the output could not be written: DIR (reading the body, GET http://ADDR/a)",
        )
        .causes("is a directory"),
        Row::new(
            "Netrc::load of a file for all to read",
            "invalid_config",
            Netrc::load(&open).unwrap_err(),
            "invalid configuration: a netrc file may be read or written by others than its owner: chmod 600: DIR/open",
        ),
        Row::new(
            "Netrc::load of another file",
            "invalid_config",
            Netrc::load(&broken).unwrap_err(),
            "invalid configuration: a netrc file is not valid: DIR/broken",
        )
        .causes("line 1: a word outside of an entry"),
        Row::new(
            "CookieJar::load_netscape",
            "invalid_config",
            hostpool::CookieJar::load_netscape(&missing).unwrap_err(),
            "invalid configuration: the file of cookies cannot be read: DIR/none/file",
        )
        .causes(not_found),
        Row::new(
            "CookieJar::load_netscape of another file",
            "decode",
            hostpool::CookieJar::load_netscape(&broken).unwrap_err(),
            "decoding failed: no line is a cookie in the Netscape format: DIR/broken",
        ),
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

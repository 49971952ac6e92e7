//! A hook or a middleware that rewrites requests, and what stays behind when it moves one to another origin.

use std::sync::Mutex;

use hostpool::{
    Auth, Body, ConnectionPool, DigestAuth, ErrorKind, Method, Next, Request, Response, Result, Retry, Session,
    SessionBuilder, Url,
};

use crate::support::{Server, answers, ok};
use crate::{body, line_server, redirect, request_line, values};

/// The ways to run the caller's code around a request.
fn both_ways(
    builder: impl Fn() -> SessionBuilder,
    change: fn(&mut Request) -> Result<()>,
) -> [(&'static str, Session); 2] {
    let middleware = move |mut request: Request, next: Next<'_>| {
        change(&mut request)?;
        next.run(request)
    };
    [
        ("hook", builder().on_request(change).build().unwrap()),
        ("middleware", builder().middleware(middleware).build().unwrap()),
    ]
}

/// Where the header of this name says, if there is one. It is taken off.
fn move_by_header(request: &mut Request) -> Result<()> {
    if let Some(to) = request.headers().get("X-To").map(str::to_owned) {
        request.headers_mut().remove("X-To");
        *request.url_mut() = Url::parse(&to)?;
    }
    Ok(())
}

/// A signature over method, target and body goes into the query, once for each place that a redirect leads to.
#[test]
fn a_signing_hook() {
    let server = line_server([redirect(307, "/next?b=2"), ok("signed")]);
    let sign = |request: &mut Request| {
        let signed = request.url().query().is_some_and(|query| query.contains("sig="));
        if !signed {
            let of_body = request.body_mut().load()?.len();
            let signature = format!("{}{}{of_body}", request.method(), request.url().target().len());
            *request.url_mut() = request.url().append_query(&format!("sig={signature}"))?;
        }
        Ok(())
    };
    let session = Session::builder().on_request(sign).build().unwrap();
    let response = session.put(server.url("/a")).data(Body::reader(&b"four"[..])).basic_auth("u", "p").send().unwrap();
    assert_eq!(response.url().target(), "/next?b=2&sig=PUT94");
    let sent = server.seen.requests();
    assert_eq!(request_line(&sent[0]), "PUT /a?sig=PUT24 HTTP/1.1");
    assert_eq!(request_line(&sent[1]), "PUT /next?b=2&sig=PUT94 HTTP/1.1");
    for request in &sent {
        assert_eq!((body(request), values(request, "Content-Length")), ("four", vec!["4"]));
        assert_eq!(values(request, "Authorization").len(), 1, "the origin is the same");
    }
    // A login in the URL and a fragment are in nobody's way.
    let url = server.url("/a#part").replace("http://", "http://u:p@");
    session.put(url).data("four").send().unwrap();
    let sent = &server.seen.requests()[2..];
    assert_eq!(request_line(&sent[0]), "PUT /a?sig=PUT24 HTTP/1.1");
    for request in sent {
        assert_eq!(values(request, "Authorization"), ["Basic dTpw"]);
    }
}

#[test]
fn the_method_changes() {
    let server = Server::with(|_| answers(ok("")));
    let change = |request: &mut Request| {
        if request.method() == Method::DELETE {
            request.headers_mut().insert("X-HTTP-Method-Override", "DELETE")?;
            *request.method_mut() = Method::POST;
        }
        Ok(())
    };
    for (way, session) in both_ways(Session::builder, change) {
        let response = session.delete(server.url("/a")).send().unwrap();
        assert_eq!(response.method(), Method::POST, "{way}");
        let sent = server.seen.requests().pop().unwrap();
        assert_eq!(request_line(&sent), "POST /a HTTP/1.1", "{way}");
        assert_eq!(values(&sent, "X-HTTP-Method-Override"), ["DELETE"], "{way}");
        // A HEAD has no body to read, whoever has made it one.
        let head = |request: &mut Request| {
            *request.method_mut() = Method::HEAD;
            Ok(())
        };
        for (way, session) in both_ways(Session::builder, head) {
            let announced = Server::with(|_| answers("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"));
            assert_eq!(session.get(announced.url("/")).send().unwrap().bytes().unwrap(), b"", "{way}");
        }
    }
    let connect = |request: &mut Request| {
        *request.method_mut() = Method::CONNECT;
        Ok(())
    };
    for (way, session) in both_ways(Session::builder, connect) {
        let error = session.get(server.url("/a")).send().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "{way}: {error}");
    }
}

/// Credentials, cookies and sensitive headers stay with the origin that the caller named.
#[test]
fn another_origin() {
    let (home, other) = (Server::with(|_| answers(ok("home"))), Server::with(|_| answers(ok("other"))));
    let builder = || {
        Session::builder()
            .auth(("session", "secret"))
            .header("X-Plain", "1")
            .header("X-Api-Key", "of-session")
            .sensitive_headers(["X-Api-Key", "X-Own"])
    };
    let gone = ["Authorization", "Cookie", "X-Api-Key", "X-Own", "Referer", "X-Named", "Proxy-Authorization"];
    for (way, session) in both_ways(builder, move_by_header) {
        let get = |to: &str| {
            let request =
                session.get(home.url("/a")).header("X-To", to).header("X-Own", "1").header("Referer", "http://h/");
            request
                .header("Proxy-Authorization", "p")
                .cookie("id", "7")
                .header("X-Named", "1")
                .sensitive_headers(["X-Named"])
        };
        let (same, moved) = (home.url("/b"), other.url("/b"));
        for (row, request) in [
            ("session's auth", get(&moved)),
            ("own auth", get(&moved).auth(("own", "secret"))),
            ("a bearer", get(&moved).bearer_auth("secret")),
            ("a header", get(&moved).header("Authorization", "Basic c2VjcmV0")),
            ("digest", get(&moved).auth(DigestAuth::new("own", "secret"))),
        ] {
            let response = request.send().unwrap();
            assert_eq!(response.url().as_str(), moved, "{way}: {row}");
            assert_eq!(response.text().unwrap(), "other", "{way}: {row}");
            let sent = other.seen.requests().pop().unwrap();
            for name in gone {
                assert_eq!(values(&sent, name), [""; 0], "{way}: {row}: {name}");
            }
            assert_eq!(values(&sent, "X-Plain"), ["1"], "{way}: {row}");
            assert_eq!(values(&sent, "Host"), [other.addr.to_string()], "{way}: {row}");
        }
        // Within the origin everything goes along.
        get(&same).auth(("own", "secret")).send().unwrap();
        let sent = home.seen.requests().pop().unwrap();
        for name in gone {
            assert_eq!(values(&sent, name).len(), 1, "{way}: {name}");
        }
    }
}

/// What the caller's code sets for the new origin goes there.
#[test]
fn renewed_for_another_origin() {
    let (home, other) = (Server::with(|_| answers(ok(""))), Server::with(|_| answers(ok(""))));
    let with_auth = |request: &mut Request| {
        move_by_header(request)?;
        request.set_auth(Auth::bearer("of-mirror"));
        request.set_cookie("id", "of-mirror")?;
        request.headers_mut().insert("Referer", "http://mirror/")?;
        Ok(())
    };
    let with_header = |request: &mut Request| {
        move_by_header(request)?;
        request.remove_auth();
        request.headers_mut().insert("Authorization", "Bearer of-mirror")?;
        request.set_cookie("id", "of-mirror")?;
        request.headers_mut().insert("Referer", "http://mirror/")?;
        Ok(())
    };
    for change in [with_auth, with_header] {
        for (way, session) in both_ways(|| Session::builder().auth(("session", "secret")), change) {
            let request =
                session.get(home.url("/")).header("X-To", other.url("/")).cookie("old", "1").cookie("id", "1");
            request.header("Referer", "http://home/").bearer_auth("own").send().unwrap();
            let sent = other.seen.requests().pop().unwrap();
            assert_eq!(values(&sent, "Authorization"), ["Bearer of-mirror"], "{way}");
            assert_eq!(values(&sent, "Cookie"), ["id=of-mirror"], "{way}");
            assert_eq!(values(&sent, "Referer"), ["http://mirror/"], "{way}");
        }
    }
    assert_eq!(home.seen.accepted(), 0);
}

/// What a middleware or a hook has set is for the origin that it saw. It stays behind when the next one moves the request.
#[test]
fn moved_by_another_one() {
    let (home, other) = (Server::with(|_| answers(ok(""))), Server::with(|_| answers(ok(""))));
    let sign = |request: &mut Request| {
        if request.url().path() == "/auth" {
            request.set_auth(Auth::bearer("of-home"));
        } else {
            request.headers_mut().insert("Authorization", "Bearer of-home")?;
        }
        request.set_cookie("id", "of-home")?;
        request.headers_mut().insert("X-Api-Key", "of-home")?;
        Ok(())
    };
    let signs = move |mut request: Request, next: Next<'_>| {
        sign(&mut request)?;
        next.run(request)
    };
    let moves = |mut request: Request, next: Next<'_>| {
        move_by_header(&mut request)?;
        next.run(request)
    };
    let builder = || Session::builder().sensitive_headers(["X-Api-Key"]);
    for (way, session) in [
        ("two middlewares", builder().middleware(signs).middleware(moves)),
        ("two hooks", builder().on_request(sign).on_request(move_by_header)),
        ("a middleware and a hook", builder().middleware(signs).on_request(move_by_header)),
    ] {
        let session = session.build().unwrap();
        for path in ["/auth", "/header"] {
            let names = ["Authorization", "Cookie", "X-Api-Key"];
            session.get(home.url(path)).header("X-To", other.url(path)).send().unwrap();
            let sent = other.seen.requests().pop().unwrap();
            assert_eq!(names.map(|name| values(&sent, name).len()), [0; 3], "{way}: {sent}");
            session.get(home.url(path)).send().unwrap();
            let sent = home.seen.requests().pop().unwrap();
            assert_eq!(names.map(|name| values(&sent, name).len()), [1; 3], "{way}: {sent}");
        }
    }
    // The last one knows the new origin, whoever has moved the request before.
    let session = builder().middleware(moves).middleware(signs).build().unwrap();
    session.get(home.url("/auth")).header("X-To", other.url("/auth")).send().unwrap();
    assert_eq!(values(&other.seen.requests().pop().unwrap(), "Authorization"), ["Bearer of-home"]);
}

/// A login in the URL is for the origin of that URL, even if only the host of the URL is changed.
#[test]
fn a_login_in_the_url() {
    let (home, other) = (Server::with(|_| answers(ok(""))), Server::with(|_| answers(ok(""))));
    let with_login = |url: String, login: &str| url.replace("http://", &format!("http://{login}@"));
    // As the crate `url` changes a host.
    let only_the_host = |request: &mut Request| {
        if let Some(to) = request.headers().get("X-To").map(str::to_owned) {
            let mut url = url::Url::from(request.url());
            url.set_port(Url::parse(&to)?.port()).unwrap();
            *request.url_mut() = Url::try_from(&url)?;
        }
        Ok(())
    };
    for (way, session) in both_ways(Session::builder, only_the_host) {
        for login in ["user:secret", "key:", "key", "us^er:s%65cret"] {
            let request = session.get(with_login(home.url("/"), login));
            request.header("X-To", other.url("/")).send().unwrap();
            let sent = other.seen.requests().pop().unwrap();
            assert_eq!(values(&sent, "Authorization"), [""; 0], "{way}: {login}");
            session.get(with_login(home.url("/"), login)).send().unwrap();
            let sent = home.seen.requests().pop().unwrap();
            assert_eq!(values(&sent, "Authorization").len(), 1, "{way}: {login}");
        }
    }
    // Another login is for the new origin.
    for (way, session) in both_ways(Session::builder, move_by_header) {
        let request = session.get(with_login(home.url("/"), "user:secret"));
        request.header("X-To", with_login(other.url("/"), "mirror:secret")).send().unwrap();
        let sent = other.seen.requests().pop().unwrap();
        assert_eq!(values(&sent, "Authorization"), ["Basic bWlycm9yOnNlY3JldA=="], "{way}");
    }
}

/// Nothing comes back when a redirect leads to the first origin again, and a redirect leaves behind what was renewed.
#[test]
fn back_again() {
    let home = Server::with(|_| answers(ok("home")));
    let other = line_server([redirect(302, &home.url("/back"))]);
    let change = |request: &mut Request| {
        let had = request.headers().contains("X-To");
        move_by_header(request)?;
        if had {
            request.set_auth(("mirror", "secret"));
        }
        Ok(())
    };
    for (way, session) in both_ways(|| Session::builder().auth(("session", "secret")), change) {
        let request = session.get(home.url("/")).header("X-To", other.url("/")).auth(("own", "secret"));
        assert_eq!(request.cookie("id", "1").send().unwrap().text().unwrap(), "home", "{way}");
        assert_eq!(values(&other.seen.requests()[0], "Authorization"), ["Basic bWlycm9yOnNlY3JldA=="], "{way}");
        let sent = home.seen.requests().pop().unwrap();
        assert_eq!(request_line(&sent), "GET /back HTTP/1.1", "{way}");
        for name in ["Authorization", "Cookie"] {
            assert_eq!(values(&sent, name), [""; 0], "{way}: {name}");
        }
    }
}

/// A middleware may send the same request to its own origin after it has sent it elsewhere.
#[test]
fn each_run_is_judged_by_itself() {
    let (home, other) = (Server::with(|_| answers(ok("home"))), Server::with(|_| answers(ok("other"))));
    let to = other.url("/");
    let mirror_first = move |request: Request, next: Next<'_>| -> Result<Response> {
        let mut elsewhere = request.try_clone().unwrap();
        *elsewhere.url_mut() = Url::parse(&to)?;
        next.run(elsewhere)?.bytes()?;
        next.run(request)
    };
    let session = Session::builder().middleware(mirror_first).build().unwrap();
    let response = session.get(home.url("/")).basic_auth("u", "p").cookie("id", "1").send().unwrap();
    assert_eq!(response.text().unwrap(), "home");
    for (server, count) in [(&other, 0), (&home, 1)] {
        let sent = server.seen.requests().pop().unwrap();
        assert_eq!((values(&sent, "Authorization").len(), values(&sent, "Cookie").len()), (count, count));
    }
}

/// The pool of one host sends nothing elsewhere.
#[test]
fn the_pool_of_one_host() {
    let (home, other) = (Server::with(|_| answers(ok("home"))), Server::with(|_| answers(ok("other"))));
    let pool = ConnectionPool::builder(home.url("")).build().unwrap();
    let to = Url::parse(&other.url("/")).unwrap();
    let moved = move |mut request: Request, next: Next<'_>| {
        *request.url_mut() = to.clone();
        next.run(request)
    };
    let error = pool.get("/").middleware(moved).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::HostChanged);
    assert!(!error.maybe_processed());
    assert_eq!((home.seen.accepted(), other.seen.accepted()), (0, 0));
    assert_eq!((pool.host(), pool.port()), ("127.0.0.1", Some(home.addr.port())));
}

/// What a middleware reads is what the caller has set, and what it sets holds.
#[test]
fn settings_are_read_and_changed() {
    let server = Server::with(|_| answers(redirect(302, "/next")));
    let seen = Mutex::new(Vec::new());
    let seen = std::sync::Arc::new(seen);
    let notes = seen.clone();
    let stay = move |mut request: Request, next: Next<'_>| {
        notes.lock().unwrap().push(format!(
            "{:?} {:?} {:?} {:?} {:?} {}",
            request.allow_redirects(),
            request.max_redirects(),
            request.max_body(),
            request.decode_content(),
            request.raise_for_status(),
            request.cookies().count(),
        ));
        *request.allow_redirects_mut() = Some(false);
        request.extensions_mut().insert(7_u8);
        let mut response = next.run(request)?;
        response.extensions_mut().insert("seen");
        Ok(response)
    };
    let session = Session::builder().middleware(stay).build().unwrap();
    let plain = session.get(server.url("/")).send().unwrap();
    assert_eq!((plain.status().as_u16(), plain.extensions().get()), (302, Some(&"seen")));
    let request = session.get(server.url("/")).allow_redirects(true).max_redirects(3).max_body(9).cookie("a", "b");
    let set = request.decode_content(false).raise_for_status(true).send().unwrap();
    assert_eq!(set.status(), 302);
    let expected = ["None None None None None 0", "Some(true) Some(3) Some(9) Some(false) Some(true) 1"];
    assert_eq!(*seen.lock().unwrap(), expected);
}

/// Headers that a policy names stay behind, also if a middleware has given the policy.
#[test]
fn a_policy_that_a_middleware_gives() {
    let other = Server::with(|_| answers(ok("")));
    let home = line_server([redirect(302, &other.url("/"))]);
    let policy = |request: &mut Request| {
        let retry = Retry::new(2).remove_headers_on_redirect(["X-Key"]);
        if request.retries().is_none() && retry.allows(request.method()) {
            *request.retries_mut() = Some(retry);
        }
        assert!(!format!("{request:?}").contains("canary"));
        Ok(())
    };
    for (way, session) in both_ways(Session::builder, policy) {
        session.get(home.url("/")).header("X-Key", "canary").send().unwrap();
        assert_eq!(values(&home.seen.requests().pop().unwrap(), "X-Key"), ["canary"], "{way}");
        assert_eq!(values(&other.seen.requests().pop().unwrap(), "X-Key"), [""; 0], "{way}");
    }
}

/// The values of an `http::Request` reach middleware and hooks, on the way of every hop.
#[test]
fn extensions_reach_the_callers_code() {
    #[derive(Clone, Debug, PartialEq)]
    struct Tenant(&'static str);
    let server = line_server([redirect(302, "/next"), ok("")]);
    let tag = |request: &mut Request| {
        let tenant = request.extensions().get::<Tenant>().map_or("none", |tenant| tenant.0);
        request.headers_mut().insert("X-Tenant", tenant)?;
        Ok(())
    };
    for (way, session) in both_ways(Session::builder, tag) {
        let before = server.seen.requests().len();
        let request = http::Request::get(server.url("/")).extension(Tenant("seven")).body(()).unwrap();
        session.execute(request).unwrap().bytes().unwrap();
        let sent = server.seen.requests();
        assert!(sent.len() > before, "{way}");
        assert!(sent[before..].iter().all(|request| values(request, "X-Tenant") == ["seven"]), "{way}");
    }
    let request = http::Request::get("http://h/").extension(Tenant("seven")).body(()).unwrap();
    let request = Request::try_from(request).unwrap().try_clone().unwrap();
    assert_eq!(request.extensions().get(), Some(&Tenant("seven")));
}

//! Redirects from https and to it.

use super::*;
use hostpool::{CookieJar, PoolManager, RequestBuilder, SessionBuilder};

fn redirect(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nSet-Cookie: s=1; Secure\r\nContent-Length: 0\r\n\r\n")
}

fn with_secrets(request: RequestBuilder) -> RequestBuilder {
    request.header("Authorization", "Bearer x").header("Proxy-Authorization", "y").cookie("c", "1")
}

/// Builds a session whose jar takes loopback for what it is in these tests: a host of the network.
fn session(authority: &Authority) -> SessionBuilder {
    let jar = CookieJar::builder().loopback_is_secure(false).build();
    Session::builder().tls(authority.trusted()).cookie_jar(jar)
}

/// Returns whether nothing is there that [`with_secrets`] adds, and no cookie that is Secure.
fn has_no_secrets(request: &str) -> bool {
    let request = request.to_ascii_lowercase();
    !["authorization:", "cookie:", "proxy-authorization:"].iter().any(|name| request.contains(name))
}

#[test]
fn from_https_to_http() {
    struct Case {
        row: &'static str,
        client: fn(SessionBuilder) -> SessionBuilder,
        request: fn(RequestBuilder) -> RequestBuilder,
        followed: bool,
    }
    const CASE: Case = Case { row: "A1.1", client: |session| session, request: |request| request, followed: false };
    let allowing = |session: SessionBuilder| session.allow_downgrade(true);
    let table = [
        CASE,
        Case { row: "A1.1 session", client: allowing, followed: true, ..CASE },
        Case { row: "A1.1 request", request: |request| request.allow_downgrade(true), followed: true, ..CASE },
        Case { row: "A1.1 both", client: allowing, request: |request| request.allow_downgrade(false), ..CASE },
    ];
    for Case { row, client, request, followed } in table {
        let plain = Server::with(|_| answer(ok("plain")));
        let location = redirect(&plain.url("/"));
        let authority = Authority::new();
        let server = TlsServer::new(authority.server(), move |peer| {
            loop {
                peer.request()?;
                peer.send(&location)?;
            }
        });
        let session = client(session(&authority)).build().unwrap();
        let result = with_secrets(request(session.get(server.url()))).timeout(GIVE_UP).send();
        match result {
            Ok(response) => assert_eq!(response.text().unwrap(), "plain", "{row}"),
            Err(error) => {
                assert_eq!((error.kind(), error.maybe_processed()), (&ErrorKind::InvalidRedirect, true), "{row}");
                assert!(error.to_string().contains("it leads from https to http"), "{row}: {error}");
            }
        }
        let requests = plain.seen.requests();
        assert_eq!(requests.len(), usize::from(followed), "{row}");
        assert!(requests.iter().all(|request| has_no_secrets(request)), "{row}: {requests:?}");
    }
}

/// Of one host or not, another scheme is another origin.
#[test]
fn from_http_to_https() {
    let authority = Authority::new();
    let server = TlsServer::new(authority.server(), |peer| {
        peer.request()?;
        peer.send(ok("encrypted"))
    });
    let plain = Server::new(vec![answer(redirect(&server.url()))]);
    let session = session(&authority).build().unwrap();
    let response = with_secrets(session.get(plain.url("/"))).timeout(GIVE_UP).send().unwrap();
    assert_eq!((response.status().as_u16(), response.history().len()), (200, 1), "A1.4 B113");
    let (_, request) = server.seen.requests().remove(0);
    let request = String::from_utf8(request).unwrap();
    assert!(has_no_secrets(&request), "A1.4 B113: {request}");
}

/// The common case of a trusted origin: the server of one host redirects to https.
#[test]
fn trusted_from_http_to_https() {
    let authority = Authority::new();
    let server = TlsServer::new(authority.server(), |peer| {
        peer.request()?;
        peer.send(ok("encrypted"))
    });
    let plain = Server::new(vec![answer(redirect(&server.url()))]);
    let session = session(&authority).trust_origins([server.url()]).build().unwrap();
    with_secrets(session.get(plain.url("/"))).timeout(GIVE_UP).send().unwrap();
    let (_, request) = server.seen.requests().remove(0);
    let request = String::from_utf8(request).unwrap();
    for field in ["Authorization: Bearer x", "Proxy-Authorization: y", "Cookie: c=1"] {
        assert!(request.contains(field), "{request}");
    }
}

/// An https origin does not stand for the http origin of its host; and trust alone follows no downgrade.
#[test]
fn trusted_from_https_to_http() {
    let plain = Server::with(|_| answer(ok("plain")));
    let other_scheme = plain.url("").replace("http:", "https:");
    for (row, trusted, allowed, sent) in [
        ("https is not http", other_scheme, true, Some(false)),
        ("http by name", plain.url(""), true, Some(true)),
        ("http by name, downgrades refused", plain.url(""), false, None),
    ] {
        let (location, before) = (redirect(&plain.url("/")), plain.seen.requests().len());
        let authority = Authority::new();
        let server = TlsServer::new(authority.server(), move |peer| {
            peer.request()?;
            peer.send(&location)
        });
        let session = session(&authority).trust_origins([trusted]).allow_downgrade(allowed).build().unwrap();
        let result = with_secrets(session.get(server.url())).timeout(GIVE_UP).send();
        assert_eq!(result.is_ok(), sent.is_some(), "{row}");
        let requests = plain.seen.requests().split_off(before);
        assert_eq!(requests.first().map(|request| !has_no_secrets(request)), sent, "{row}");
    }
}

/// Nothing goes anywhere but to https: neither the first request, nor one after a redirect, nor one of a hook.
#[test]
fn https_only() {
    let plain = Server::with(|_| answer(ok("plain")));
    let authority = Authority::new();
    let location = redirect(&plain.url("/"));
    let server = TlsServer::new(authority.server(), move |peer| {
        loop {
            let request = peer.request()?;
            peer.send(if path(&request) == "/old" { location.clone().into_bytes() } else { ok("encrypted") })?;
        }
    });
    let strict = || session(&authority).https_only(true).allow_downgrade(true);
    let only = strict().build().unwrap();
    let pools = PoolManager::builder().tls(authority.trusted()).https_only(true).build().unwrap();
    let pool = ConnectionPool::builder(plain.url("")).https_only(true).build().unwrap();
    let open = session(&authority).build().unwrap();
    let table = [
        ("session", only.get(plain.url("/"))),
        ("request", open.get(plain.url("/")).https_only(true)),
        ("manager", pools.get(plain.url("/"))),
        ("pool", pool.get("/")),
        ("socket", only.get("http+unix://%2Fno%2Fsocket/")),
    ];
    for (row, request) in table {
        let error = request.timeout(GIVE_UP).send().unwrap_err();
        assert_eq!((error.kind(), error.maybe_processed()), (&ErrorKind::InvalidRequest, false), "{row}");
        assert!(error.to_string().contains("https_only is set, and the URL is not https"), "{row}: {error}");
    }
    assert_eq!(only.get(server.url()).send().unwrap().text().unwrap(), "encrypted");
    let error = only.get(server.url() + "/old").send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRedirect);
    assert!(error.to_string().contains("it leads from https to http"), "{error}");
    assert_eq!(plain.seen.accepted(), 0);
    assert!(only.get(plain.url("/")).https_only(false).send().is_ok(), "the request's own word");

    let to = plain.url("/");
    let hooked = strict().on_request(move |request| {
        *request = hostpool::Request::new(hostpool::Method::GET, hostpool::Url::parse(&to).unwrap());
        Ok(())
    });
    assert_eq!(hooked.build().unwrap().get(server.url()).send().unwrap_err().kind(), &ErrorKind::InvalidRequest);
    assert_eq!(plain.seen.accepted(), 1);
}

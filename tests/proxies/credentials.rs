//! Credentials for proxies: only they get them, and nothing else.

#[cfg(feature = "digest-auth")]
use std::sync::atomic::{AtomicUsize, Ordering};

use hostpool::{AnyAuth, Auth, ErrorKind, PoolManager, Proxy, Session};

use crate::support::header;
use crate::{Relay, basic, origin};

/// Basic credentials are sent at once, with each request, and not to the server.
#[test]
fn basic_on_each_request() {
    let server = origin("hello");
    let relay = Relay::new(server.addr);
    let session = Session::builder().proxy(relay.with_login("me%40corp:p%23%3Aw")).build().unwrap();
    for _ in 0..2 {
        session.get("http://named.test/").auth(("origin", "secret")).send().unwrap().text().unwrap();
    }
    for head in relay.log.heads() {
        assert_eq!(header(&head, "Proxy-Authorization"), Some(&*basic("me@corp", "p#:w")));
        assert_eq!(header(&head, "Authorization"), Some(&*basic("origin", "secret")));
    }
    assert_eq!(relay.log.accepted(), 1, "aiohttp 2596: also on a connection that is used again");
}

/// A tunnel's credentials stand in its CONNECT alone.
#[test]
fn basic_of_a_tunnel() {
    let server = origin("hello");
    let relay = Relay::new(server.addr);
    let proxy =
        Proxy::parse(&relay.with_login("user:canary")).unwrap().tunnel_http(true).header("X-Team", "7").unwrap();
    let session = Session::builder().proxy(proxy).header("Cookie", "a=1").build().unwrap();
    let url = "http://named.test/a";
    let request = session.get(url).auth(("origin", "secret")).header("Proxy-Authorization", "canary");
    assert_eq!(request.send().unwrap().text().unwrap(), "hello");
    let expected = format!(
        "CONNECT named.test:80 HTTP/1.1\r\nHost: named.test:80\r\nUser-Agent: hostpool/{}\r\n\
         Proxy-Authorization: {}\r\nX-Team: 7\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        basic("user", "canary")
    );
    assert_eq!(relay.log.heads(), [expected], "A2.3");
    let request = &server.seen.requests()[0];
    assert!(request.starts_with("GET /a HTTP/1.1\r\nHost: named.test\r\n"), "{request}");
    let leaked = ["Proxy-Authorization", "X-Team"].map(|name| header(request, name));
    assert_eq!(leaked, [None, None], "A2.1");
    assert_eq!(header(request, "Authorization"), Some(&*basic("origin", "secret")));
}

const CHALLENGE: &str = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM\r\n\
                         Proxy-Authenticate: Digest realm=\"p\", nonce=\"n1\", qop=\"auth\"\r\n\
                         WWW-Authenticate: Basic realm=\"no\"\r\nContent-Length: 4\r\n\r\npage";

/// A3, A6: a challenge over several fields is answered once, and the answer is known to later requests and tunnels.
#[cfg(feature = "digest-auth")]
#[test]
fn digest() {
    for tunnel in [false, true] {
        let server = origin("hello");
        let relay = Relay::refusing(server.addr, |head| {
            let value = header(head, "Proxy-Authorization").unwrap_or_default();
            let is_right = value.starts_with("Digest ") && value.contains("username=\"user\"") && value.contains("n1");
            (!is_right).then(|| CHALLENGE.as_bytes().to_vec())
        });
        let proxy = Proxy::parse(&relay.with_login("user:canary")).unwrap().tunnel_http(tunnel);
        let proxy = proxy.auth(hostpool::DigestAuth::without_login());
        let session = Session::builder().proxy(&proxy).build().unwrap();
        for host in ["one", "two"] {
            let response = session.get(format!("http://{host}.test/")).send().unwrap();
            assert_eq!(response.text().unwrap(), "hello", "tunnel: {tunnel}");
        }
        let heads = relay.log.heads();
        assert_eq!(heads.len(), 3, "one challenge: {heads:#?}");
        assert_eq!(header(&heads[0], "Proxy-Authorization"), None);
        let uri = if tunnel { "uri=\"two.test:80\"" } else { "uri=\"http://two.test/\"" };
        let last = header(&heads[2], "Proxy-Authorization").unwrap();
        assert!(last.contains(uri) && last.contains("nc=00000002"), "{last}");
        assert_eq!(relay.log.connections()[1], 0, "the answer goes over the same connection");
        assert!(!String::from_utf8_lossy(&relay.log.bytes()).contains("canary"));
        assert!(server.seen.requests().iter().all(|request| header(request, "Proxy-Authorization").is_none()));
    }
}

/// A proxy that closes after its challenge is asked again over another connection. Its refusals end.
#[cfg(feature = "digest-auth")]
#[test]
fn digest_over_several_connections() {
    let closing = CHALLENGE.replace("Content-Length", "Connection: close\r\nContent-Length");
    let server = origin("hello");
    for (refusals, expected) in [(1, true), (usize::MAX, false)] {
        let (asked, closing) = (AtomicUsize::new(0), closing.clone());
        let relay = Relay::refusing(server.addr, move |_| {
            (asked.fetch_add(1, Ordering::SeqCst) < refusals).then(|| closing.as_bytes().to_vec())
        });
        let proxy = Proxy::parse(&relay.url()).unwrap().tunnel_http(true);
        let proxy = proxy.auth(hostpool::DigestAuth::new("user", "canary"));
        let result = hostpool::get("http://named.test/").proxy(proxy).send();
        assert_eq!(result.is_ok(), expected);
        assert_eq!(relay.log.connections(), [0, 1]);
        if let Err(error) = result {
            assert_eq!(error.status().unwrap(), 407);
            assert_eq!(error.head().unwrap().body(), b"page");
            assert!(error.to_string().contains("it asks for NTLM, Digest"), "{error}");
        }
    }
}

/// A 407 to a forwarded request is its response, and costs nobody a slot.
#[test]
fn refused_requests() {
    let relay = Relay::refusing(origin("").addr, |_| Some(CHALLENGE.as_bytes().to_vec()));
    let pools = PoolManager::builder().proxy(relay.url()).limit(1).build().unwrap();
    for _ in 0..3 {
        let response = pools.get("http://named.test/").send().unwrap();
        assert_eq!(response.status(), 407);
        assert_eq!(response.text().unwrap(), "page");
    }
    // A4: the error names the schemes.
    let error = pools.get("http://named.test/").raise_for_status(true).send().unwrap_err();
    assert!(error.to_string().contains("407 Proxy Authentication Required: it asks for NTLM, Digest"), "{error}");
    assert_eq!(relay.log.accepted(), 1);
}

/// C5: a 401 is no challenge of a proxy. What is for the server is not sent to it.
#[test]
fn unauthorized_is_no_challenge() {
    let refusal = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
    let relay = Relay::refusing(origin("").addr, |_| Some(refusal.to_vec()));
    let proxy = Proxy::parse(&relay.url()).unwrap().auth(AnyAuth::new("u", "canary").basic_over_http(true));
    let session = Session::builder().proxy(proxy.tunnel_http(true)).auth(AnyAuth::new("o", "canary")).build().unwrap();
    let result = session.get("http://named.test/").send();
    if cfg!(feature = "digest-auth") {
        let error = result.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::ProxyRefused { status: Some(status), .. } if *status == 401),
            "{error}"
        );
        assert_eq!(relay.log.heads().len(), 1);
        assert!(header(&relay.log.heads()[0], "Proxy-Authorization").is_none());
    }
}

/// A2.10: another login of one proxy takes no connection of the first.
#[test]
fn logins_do_not_share_connections() {
    for tunnel in [false, true] {
        let server = origin("hello");
        let relay = Relay::new(server.addr);
        let session = Session::new();
        for (login, headers) in [("a:1", "x"), ("b:1", "x"), ("a:1", "x"), ("a:2", "x"), ("a:1", "y"), ("a:2", "x")] {
            let proxy = Proxy::parse(&relay.with_login(login)).unwrap().tunnel_http(tunnel);
            let proxy = proxy.header("X-Team", headers).unwrap();
            session.get("http://named.test/").proxy(proxy).send().unwrap().text().unwrap();
        }
        assert_eq!(relay.log.accepted(), 4, "tunnel: {tunnel}");
    }
}

/// A bearer token for a proxy.
#[test]
fn tokens() {
    let server = origin("hello");
    let relay = Relay::new(server.addr);
    let proxy = Proxy::parse(&relay.url()).unwrap().auth(Auth::bearer("abc"));
    hostpool::get("http://named.test/").proxy(proxy).send().unwrap();
    assert_eq!(header(&relay.log.heads()[0], "Proxy-Authorization"), Some("Bearer abc"));
    let bad = Proxy::parse(&relay.url()).unwrap().auth(Auth::bearer("a b"));
    assert!(hostpool::get("http://named.test/").proxy(bad).send().is_err());
}

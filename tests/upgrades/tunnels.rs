//! CONNECT by hand, and upgrades through a proxy.

use std::io::{self, Write};

use hostpool::{ErrorKind, Method, Session};

use super::support::{Server, Step, answer, header, ok};

fn by_hand(session: &Session, url: &str, proxy: &Server) -> hostpool::RequestBuilder {
    session.request(Method::CONNECT, url).proxy(proxy.url("").replace("http://", "http://u:p@"))
}

/// The proxy gets the target and its own credentials, and nothing that is for the server.
#[test]
fn a_connect_by_hand() {
    for (url, target) in [
        ("http://mail.example:25", "mail.example:25"),
        ("https://secure.example/path?query", "secure.example:443"),
        ("http://[::1]/", "[::1]:80"),
    ] {
        let opened = b"HTTP/1.1 200 Connection established\r\nContent-Length: 3\r\n\r\n220 ready".to_vec();
        let proxy = Server::new(vec![vec![Step::Request, Step::Send(opened), Step::HalfClose, Step::Rest]]);
        let session = Session::builder().auth(("user", "secret")).cookies([("sid", "1")]).build().unwrap();
        let mut tunnel = by_hand(&session, url, &proxy).send().unwrap().upgrade().unwrap();
        tunnel.write_all(b"HELO").unwrap();
        assert_eq!(io::read_to_string(tunnel).unwrap(), "220 ready");
        let sent = &proxy.seen.requests()[0];
        assert!(sent.starts_with(&format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n")), "{sent}");
        assert_eq!(header(sent, "proxy-authorization"), Some("Basic dTpw"));
        assert!(!sent.to_ascii_lowercase().contains("\r\nauthorization:") && !sent.contains("sid"), "{sent}");
        super::support::eventually("the proxy has read all", || !proxy.seen.rest().is_empty());
        assert_eq!(proxy.seen.rest(), [b"HELO"]);
    }
}

/// Defaults of the client that are for the server do not reach the proxy. Those for the proxy do, and so does what the
/// CONNECT itself is given.
#[test]
fn defaults_of_a_connect_by_hand() {
    let proxy = Server::new(vec![answer("HTTP/1.1 200 OK\r\n\r\n")]);
    let session = Session::builder()
        .headers([("Authorization", "Bearer secret"), ("Cookie", "sid=secret"), ("X-Key", "secret")])
        .headers([("Proxy-Authorization", "Basic own"), ("X-Team", "7")])
        .sensitive_headers(["X-Key"]);
    let session = session.build().unwrap();
    let request = session.request(Method::CONNECT, "http://mail.example:25").proxy(proxy.url(""));
    request.header("X-Own", "1").send().unwrap();
    let sent = &proxy.seen.requests()[0];
    assert!(!sent.contains("secret"), "{sent}");
    for (name, value) in [("proxy-authorization", "Basic own"), ("x-team", "7"), ("x-own", "1")] {
        assert_eq!(header(sent, name), Some(value), "{sent}");
    }
}

/// A 401 of the proxy is no challenge for the credentials of the server.
#[cfg(feature = "digest-auth")]
#[test]
fn a_connect_that_is_challenged() {
    let asks = "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\"\r\n";
    let proxy = Server::new(vec![super::support::answers(format!("{asks}Content-Length: 0\r\n\r\n"))]);
    let session = Session::builder().auth(hostpool::DigestAuth::new("user", "secret")).build().unwrap();
    let request = session.request(Method::CONNECT, "http://mail.example:25").proxy(proxy.url(""));
    assert_eq!(request.send().unwrap().status(), 401);
    assert_eq!(proxy.seen.requests().len(), 1);
}

/// A refusal is a response. No redirect of a proxy is followed.
#[test]
fn a_connect_that_is_refused() {
    for (head, status) in [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403),
        ("HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\nContent-Length: 2\r\n\r\nno", 302),
    ] {
        let proxy = Server::new(vec![answer(head)]);
        let response = by_hand(&Session::new(), "http://mail.example:25", &proxy).send().unwrap();
        assert_eq!(response.status().as_u16(), status);
        let error = response.upgrade().unwrap_err();
        assert_eq!((error.kind(), error.head().unwrap().body()), (&ErrorKind::NotUpgraded, &b"no"[..]));
        assert_eq!(proxy.seen.accepted(), 1);
    }
    let proxy = Server::new(vec![answer(ok(""))]);
    let error = by_hand(&Session::new(), "http://mail.example:25", &proxy).data("body").send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{error}");
    let unix = by_hand(&Session::new(), "http+unix://%2Fsocket/", &proxy).send().unwrap_err();
    assert_eq!(unix.kind(), &ErrorKind::InvalidRequest, "{unix}");
}

/// A proxy that forwards would take the Upgrade for its own, so a tunnel is opened, and the server gets the request.
#[test]
fn an_upgrade_takes_a_tunnel() {
    let steps = [
        Step::Request,
        Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        Step::Request,
        Step::Send(b"HTTP/1.1 101 x\r\nUpgrade: tcp\r\n\r\nraw".to_vec()),
    ];
    let proxy = Server::new(vec![steps.to_vec()]);
    let request = Session::new().get("http://h.example/attach").proxy(proxy.url("")).upgrade_to("tcp");
    let upgraded = request.send().unwrap().upgrade().unwrap();
    assert_eq!(upgraded.connection().tunnel.as_ref().unwrap().status(), 200);
    assert_eq!(io::read_to_string(upgraded).unwrap(), "raw");
    let sent = proxy.seen.requests();
    assert!(sent[0].starts_with("CONNECT h.example:80 HTTP/1.1\r\n"), "{sent:?}");
    assert!(sent[1].starts_with("GET /attach HTTP/1.1\r\nHost: h.example\r\n"), "{sent:?}");
    assert_eq!((header(&sent[0], "upgrade"), header(&sent[1], "upgrade")), (None, Some("tcp")));
}

/// The stream of a 200 that a proxy has forwarded is not that of the server.
#[test]
fn a_raw_200_of_a_proxy() {
    let proxy = Server::new(vec![answer("HTTP/1.1 200 OK\r\n\r\nraw")]);
    let response = Session::new().get("http://h.example/").proxy(proxy.url("")).send().unwrap();
    assert_eq!(response.upgrade().unwrap_err().kind(), &ErrorKind::NotUpgraded);
}

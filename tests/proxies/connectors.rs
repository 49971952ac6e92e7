//! `ProxyConnector`, as users of aiohttp know it: the rows PC.

use std::io::{Read, Write};
use std::time::Duration;

use hostpool::{BasicAuth, ErrorKind, PoolManager, Proxy, ProxyConnector, Session};

use crate::support::header;
use crate::{Relay, basic, lines, origin};

/// PC-01, PC-02, PC-03, PC-06 to PC-08: the proxy and its credentials, given to sessions.
#[test]
fn a_connector_for_sessions() {
    let server = origin("hello");
    let relay = Relay::new(server.addr);
    let auth = BasicAuth::new("user", "secret");
    let connector = ProxyConnector::builder(relay.url()).proxy_auth(auth.clone()).build().unwrap();
    assert_eq!(connector.proxy().to_string(), relay.url());
    assert_eq!(connector.proxy_auth(), Some(&auth));
    let by_url = ProxyConnector::new(relay.with_login("user:secret")).unwrap();
    let found = by_url.proxy_auth().unwrap();
    assert_eq!((found.login(), found.password()), ("user", "secret"));
    assert_eq!(ProxyConnector::new(relay.url()).unwrap().proxy_auth(), None);
    assert!(!format!("{connector:?} {by_url:?}").contains("secret"));
    for connector in [&connector, &by_url] {
        let session = Session::builder().connector(connector).build().unwrap();
        assert_eq!(session.get("http://named.test/a").send().unwrap().text().unwrap(), "hello");
        assert_eq!(hostpool::get("http://named.test/a").connector(connector).send().unwrap().text().unwrap(), "hello");
        assert_eq!(PoolManager::from(connector).get("http://named.test/a").send().unwrap().text().unwrap(), "hello");
    }
    let heads = relay.log.heads();
    assert_eq!(heads.len(), 6);
    for head in heads {
        assert_eq!(lines(&head)[..2], ["GET http://named.test/a HTTP/1.1", "Host: named.test"]);
        assert_eq!(header(&head, "Proxy-Authorization"), Some(&*basic("user", "secret")));
    }
    assert!(server.seen.requests().iter().all(|request| header(request, "Proxy-Authorization").is_none()));
}

/// PC-01: through a tunnel for `https`.
#[cfg(feature = "rustls")]
#[test]
fn tunnels() {
    let authority = crate::tls::Authority::new();
    let leaf = authority.leaf(&[crate::tls::dns("named.test")]);
    let server = crate::tls::TlsServer::new(leaf.server(rustls::ALL_VERSIONS), |peer| {
        peer.request()?;
        peer.send(crate::support::ok("hello"))
    });
    let relay = Relay::new(server.addr);
    let connector = ProxyConnector::builder(relay.with_login("user:secret")).tls(authority.trusted()).build().unwrap();
    let session = Session::builder().connector(&connector).build().unwrap();
    assert_eq!(session.get("https://named.test/").send().unwrap().text().unwrap(), "hello");
    let heads = relay.log.heads();
    assert!(heads[0].starts_with("CONNECT named.test:443 ") && header(&heads[0], "Proxy-Authorization").is_some());
}

/// PC-04, BC-03: each request has a connection of its own, unless the caller wants otherwise.
#[test]
fn force_close() {
    for tunnel in [false, true] {
        for (given, connections) in [(None, 3), (Some(true), 3), (Some(false), 1)] {
            let server = origin("hello");
            let relay = Relay::new(server.addr);
            let proxy = Proxy::parse(&relay.url()).unwrap().tunnel_http(tunnel);
            let builder = ProxyConnector::builder(proxy);
            let builder = given.map_or(builder.clone(), |given| builder.force_close(given));
            let connector = builder.build().unwrap();
            assert_eq!(connector.force_close(), connections > 1);
            let session = Session::builder().connector(&connector).build().unwrap();
            for _ in 0..3 {
                assert_eq!(session.get("http://named.test/").send().unwrap().text().unwrap(), "hello");
            }
            assert_eq!(relay.log.accepted(), connections, "tunnel: {tunnel}, {given:?}");
            let closes = server.seen.requests().iter().all(|head| header(head, "Connection") == Some("close"));
            assert_eq!(closes, connections > 1);
        }
    }
}

/// PC-05: the defaults, and options that are those of a `TcpConnector`.
#[test]
fn options() {
    let connector = ProxyConnector::new("http://proxy.test").unwrap();
    assert_eq!((connector.conn_timeout(), connector.limit()), (None, None));
    assert_eq!(connector.keepalive_timeout(), Some(Duration::from_secs(30)));
    assert!(connector.cookies().is_none() && connector.force_close());
    let builder = || ProxyConnector::builder("http://proxy.test");
    let second = Duration::from_secs(1);
    let connector = builder().force_close(false).keepalive_timeout(second).conn_timeout(second).limit(2);
    let connector = connector.share_cookies(true).build().unwrap();
    assert_eq!((connector.conn_timeout(), connector.limit()), (Some(second), Some(2)));
    assert_eq!((connector.keepalive_timeout(), connector.cookies().is_some()), (Some(second), true));
    assert_eq!(builder().keepalive_timeout(second).build().unwrap_err().kind(), &ErrorKind::InvalidConfig);
    assert_eq!(builder().no_proxy().build().unwrap_err().kind(), &ErrorKind::InvalidConfig);
    assert!(ProxyConnector::new("proxy.test:3128").is_err());
    assert!(builder().proxy_auth(BasicAuth::new("a:b", "")).build().is_err());
}

/// A session's own word about the proxy comes before that of its connector.
#[test]
fn sessions_without_the_proxy() {
    let server = origin("direct");
    let connector = ProxyConnector::new("http://127.0.0.1:1").unwrap();
    let session = Session::builder().connector(&connector).no_proxy().build().unwrap();
    assert_eq!(session.get(server.url("/")).send().unwrap().text().unwrap(), "direct");
    let session = Session::builder().connector(&connector).build().unwrap();
    assert_eq!(session.get(server.url("/")).no_proxy().send().unwrap().text().unwrap(), "direct");
}

/// A connection that the caller holds leads to the server, also where the proxy would forward requests.
#[test]
fn connections() {
    let server = origin("hello");
    let relay = Relay::new(server.addr);
    let connector = ProxyConnector::builder(relay.with_login("user:secret")).limit(1).build().unwrap();
    let mut connection = connector.connect("http://named.test/").unwrap();
    assert_eq!(connection.origin().to_string(), "http://named.test");
    assert!(connection.info().tunnel.as_ref().unwrap().status().is_success());
    connection.write_all(b"GET / HTTP/1.1\r\nHost: named.test\r\n\r\n").unwrap();
    let mut response = [0; 43];
    connection.read_exact(&mut response).unwrap();
    assert!(response.ends_with(b"hello"));
    assert_eq!(connector.pools().stats().in_use, 1);
    drop(connection);
    assert_eq!(connector.pools().stats().open, 0);
    assert!(relay.log.heads()[0].starts_with("CONNECT named.test:80 "));
}

/// U1: a client that leads everything to one socket has no use for a proxy.
#[cfg(unix)]
#[test]
fn a_socket_and_a_proxy() {
    let builder = || PoolManager::builder().unix_socket("/run/app.sock");
    let error = builder().proxy("http://proxy.test").build().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidConfig);
    let error = builder().build().unwrap().get("http://named.test/").proxy("http://proxy.test").send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidConfig);
}

//! The options and attributes of aiohttp's connectors: the rows BC and TC.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hostpool::{
    CloseReason, ErrorKind, Family, Phase, PoolManager, Session, SessionBuilder, TcpConnector, TcpConnectorBuilder,
    Timeout, dialer_fn, resolver_fn,
};

use crate::steady;
use crate::support::{Server, Step, answer, answers, chain, eventually, header, ok};

fn session(connector: &TcpConnector) -> Session {
    Session::builder().connector(connector).build().unwrap()
}

/// A server that closes after each answer, so that each request needs a connection.
fn closing() -> Server {
    Server::new(vec![answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")])
}

/// BC-03, BC-10 to BC-12, TC-09. The defaults as their getters show them.
#[test]
fn defaults() {
    let connector = TcpConnector::new();
    assert_eq!(connector.conn_timeout(), None);
    assert_eq!(connector.keepalive_timeout(), Some(Duration::from_secs(30)));
    assert_eq!(connector.limit(), None);
    assert!(!connector.force_close() && !connector.is_closed());
    assert!(connector.cookies().is_none() && connector.local_addr().is_none());
    assert_eq!((connector.family(), connector.dns_cache()), (Family::Any, false));
}

/// BC-01, BC-02, TC-01. A connector is pools for sessions, for single requests, and for requests of its own.
#[test]
fn what_takes_a_connector() {
    let server = steady();
    let connector = TcpConnector::new();
    let one = session(&connector);
    let other = Session::builder().connector(connector.clone()).build().unwrap();
    let manager = PoolManager::from(&connector);
    for request in [
        one.get(server.url("/")),
        other.get(server.url("/")),
        manager.get(server.url("/")),
        connector.pools().get(server.url("/")),
        Session::new().get(server.url("/")).connector(&connector),
    ] {
        assert_eq!(request.send().unwrap().text().unwrap(), "fine");
    }
    connector.connect(server.url("/")).unwrap().release();
    assert_eq!((server.seen.accepted(), connector.pools().stats().reused), (1, 5));
}

/// BC-04. It bounds the dial of every session, and no wait for the pool.
#[cfg(target_os = "linux")]
#[test]
fn conn_timeout() {
    let dead = crate::support::Swallowing::new();
    let limit = Duration::from_millis(20);
    let patient =
        |connector: &TcpConnector| Session::builder().connector(connector).timeout(Timeout::new()).build().unwrap();
    let connector = TcpConnector::builder().conn_timeout(limit).build().unwrap();
    let error = patient(&connector).get(format!("http://{}/", dead.addr)).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Timeout(hostpool::Bound::Connect), "{error}");

    // Waiting for a connection is another matter. This dialer has no bounds, however slow the machine is.
    let server = steady();
    let address = server.addr;
    let dialer = dialer_fn(move |_, _| Ok(Box::new(std::net::TcpStream::connect(address)?)));
    let connector = TcpConnector::builder().conn_timeout(limit).limit(1).dialer(dialer).build().unwrap();
    let held = connector.connect(server.url("/")).unwrap();
    let (session, url) = (patient(&connector), server.url("/"));
    let call = thread::spawn(move || session.get(url).send().map(|response| response.is_reused()));
    eventually("a wait", || connector.pools().stats().waiting == 1);
    thread::sleep(2 * limit);
    held.release();
    assert!(call.join().unwrap().unwrap());

    for none in [None, Some(Duration::ZERO)] {
        assert_eq!(TcpConnector::builder().conn_timeout(none).build().unwrap().conn_timeout(), None);
    }
}

/// BC-05. How long an idle connection may be used again; zero and `None` are for ever.
#[test]
fn keepalive_timeout() {
    for (limit, reused) in [(Some(Duration::from_nanos(1)), false), (Some(Duration::ZERO), true), (None, true)] {
        let server = steady();
        let connector = TcpConnector::builder().keepalive_timeout(limit).build().unwrap();
        let session = session(&connector);
        session.get(server.url("/")).send().unwrap().text().unwrap();
        assert_eq!(session.get(server.url("/")).send().unwrap().is_reused(), reused, "{limit:?}");
        assert_eq!(connector.keepalive_timeout(), limit.filter(|limit| !limit.is_zero()));
    }
}

/// BC-06, BC-12. The limit is for a host, a port and a scheme.
#[test]
fn limit() {
    let (server, other) = (steady(), steady());
    let connector = TcpConnector::builder().limit(1).build().unwrap();
    assert_eq!(connector.limit(), Some(1));
    let held = connector.connect(server.url("/")).unwrap();
    let session = session(&connector);
    assert_eq!(session.get(other.url("/")).send().unwrap().text().unwrap(), "fine");
    let call = thread::spawn({
        let (session, url) = (session.clone(), server.url("/"));
        move || session.get(url).send().unwrap().text().unwrap()
    });
    eventually("a wait", || connector.pools().stats().waiting == 1);
    held.release();
    assert_eq!(call.join().unwrap(), "fine");
    assert_eq!(server.seen.accepted(), 1);
    assert_eq!(TcpConnector::builder().limit(None).build().unwrap().limit(), None);
    assert!(TcpConnector::builder().limit(0).build().is_err());
}

/// BC-07, BC-16. Sessions of one connector share cookies if it says so, and otherwise not.
#[test]
fn share_cookies() {
    for share in [true, false] {
        let with_cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n";
        let server = Server::with(move |_| answers(with_cookie));
        let connector = TcpConnector::builder().share_cookies(share).build().unwrap();
        session(&connector).get(server.url("/")).send().unwrap();
        session(&connector).get(server.url("/")).send().unwrap();
        let own = Session::builder().connector(&connector).cookie_jar(Default::default()).build().unwrap();
        own.get(server.url("/")).send().unwrap();
        connector.pools().get(server.url("/")).send().unwrap();
        let sent: Vec<_> = server.seen.requests().iter().map(|request| header(request, "cookie").is_some()).collect();
        assert_eq!(sent, [false, share, false, share]);
        assert_eq!(connector.cookies().map(|jar| jar.len()), share.then_some(1));
    }
}

/// BC-08, BC-11. No connection is used again, not even by a caller that waits for one, and the server is told so.
#[test]
fn force_close() {
    let server = Server::with(|_| {
        vec![
            Step::Request,
            Step::Hold,
            Step::Send(ok("fine")),
            Step::Forever(vec![Step::Request, Step::Send(ok("again"))]),
        ]
    });
    let connector = TcpConnector::builder().force_close(true).limit(1).build().unwrap();
    assert!(connector.force_close());
    let session = session(&connector);
    thread::scope(|scope| {
        let calls: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    session.get(server.url("/")).header("Connection", "keep-alive").send().unwrap().text().unwrap()
                })
            })
            .collect();
        eventually("two waits", || connector.pools().stats().waiting == 2);
        (0..3).for_each(|_| server.gate.open());
        calls.into_iter().for_each(|call| assert_eq!(call.join().unwrap(), "fine"));
    });
    assert_eq!(server.seen.accepted(), 3);
    server.gate.open();
    session.get(server.url("/")).send().unwrap().text().unwrap();
    connector.connect(server.url("/")).unwrap().release();
    assert_eq!((connector.pools().stats().reused, connector.pools().stats().idle), (0, 0));
    assert_eq!(connector.pools().stats().closed(CloseReason::NotReusable), 5);
    let fields: Vec<_> =
        server.seen.requests().iter().map(|one| header(one, "connection").unwrap().to_owned()).collect();
    assert_eq!(fields, ["keep-alive", "keep-alive", "keep-alive", "close"]);

    let both = TcpConnector::builder().force_close(true).keepalive_timeout(Duration::from_secs(1)).build();
    assert_eq!(both.unwrap_err().kind(), &ErrorKind::InvalidConfig);
}

/// BC-10, BC-13. A close ends idle connections and those in use, for all sessions, and is done once.
#[test]
fn close() {
    let server =
        Server::with(
            |number| if number == 0 { answers(ok("fine")) } else { vec![Step::Tell("there"), Step::UntilClosed] },
        );
    let connector = TcpConnector::new();
    let session = session(&connector);
    let (mut in_use, idle) = (None, connector.connect(server.url("/")).unwrap());
    in_use.replace(connector.connect(server.url("/")).unwrap());
    idle.release();
    server.wait_for("there");
    assert!(!connector.is_closed());
    connector.close();
    connector.close();
    assert!(connector.is_closed() && session.is_closed());
    let error = in_use.as_mut().unwrap().read(&mut [0; 1]).unwrap_err();
    assert!(hostpool::Error::from_io(&error).unwrap().is_closed(), "{error}");
    drop(in_use);
    eventually("the closes", || server.seen.open() == 0);
    assert!(session.get(server.url("/")).send().unwrap_err().is_closed());
    assert!(connector.connect(server.url("/")).unwrap_err().is_closed());
}

/// TC-07, TC-11. The TLS configuration is the connector's, for every session.
#[cfg(feature = "rustls")]
#[test]
fn ssl_context() {
    let authority = crate::tls::Authority::new();
    let server = crate::tls::TlsServer::new(authority.server(), |peer| {
        peer.request()?;
        peer.send(ok("fine"))
    });
    let connector = TcpConnector::builder().tls(authority.trusted()).build().unwrap();
    assert_eq!(session(&connector).get(server.url()).send().unwrap().text().unwrap(), "fine");
    assert!(format!("{:?}", connector.tls_config()).contains("own roots 1"), "{:?}", connector.tls_config());
    let error = session(&TcpConnector::new()).get(server.url()).send().unwrap_err();
    assert_eq!(error.phase(), hostpool::Phase::Tls, "{error}");
}

#[cfg(feature = "rustls")]
mod verified {
    use super::*;
    use crate::tls::{Authority, TlsServer, dns, ip};
    use hostpool::Fingerprint;

    /// The digest by a suite with SHA-256.
    fn digest(bytes: &[u8]) -> [u8; 32] {
        let provider = rustls::crypto::ring::default_provider();
        let is_sha256 =
            |suite: &&rustls::SupportedCipherSuite| suite.suite() == rustls::CipherSuite::TLS13_AES_128_GCM_SHA256;
        let suite = provider.cipher_suites.iter().find(is_sha256).and_then(|suite| suite.tls13()).unwrap();
        suite.common.hash_provider.hash(bytes).as_ref().try_into().unwrap()
    }

    fn serving(config: rustls::ServerConfig) -> TlsServer {
        TlsServer::new(config, |peer| {
            peer.request()?;
            peer.send(ok("fine"))
        })
    }

    fn answer(connector: &TcpConnector, server: &TlsServer) -> hostpool::Result<String> {
        session(connector).get(server.url()).send()?.text()
    }

    /// TC-02, TC-10, TC-20. Without verification a stranger is accepted. A configuration says it by itself.
    #[test]
    fn verify_ssl() {
        let authority = Authority::new();
        let server = serving(authority.server());
        let (strict, lax) = (TcpConnector::builder().verify_ssl(true), TcpConnector::builder().verify_ssl(false));
        let (strict, lax) = (strict.build().unwrap(), lax.build().unwrap());
        assert!(strict.verify_ssl() && !lax.verify_ssl());
        assert_eq!(answer(&strict, &server).unwrap_err().kind(), &ErrorKind::Tls);
        assert_eq!(answer(&lax, &server).unwrap(), "fine");

        let both = TcpConnector::builder().verify_ssl(false).tls(authority.trusted()).build();
        assert_eq!(both.unwrap_err().kind(), &ErrorKind::InvalidConfig);
        assert!(TcpConnector::builder().verify_ssl(true).tls(authority.trusted()).build().unwrap().verify_ssl());
    }

    /// TC-03, TC-17. The fingerprint is checked beside the chain, in a configuration of the caller's, too.
    #[test]
    fn fingerprint() {
        let authority = Authority::new();
        let leaf = authority.leaf(&[ip("127.0.0.1"), dns("localhost")]);
        let pin = Fingerprint::from(digest(&leaf.der()));
        let server = serving(leaf.server(rustls::ALL_VERSIONS));
        let trusted = || TcpConnector::builder().tls(authority.trusted());
        let right = trusted().fingerprint(pin.clone()).build().unwrap();
        assert_eq!((right.fingerprint(), right.verify_ssl()), (Some(pin.clone()), true));
        assert_eq!(answer(&right, &server).unwrap(), "fine");
        // One of several is enough.
        let either = trusted().fingerprint([7; 32]).fingerprint(pin.clone()).build().unwrap();
        assert_eq!(answer(&either, &server).unwrap(), "fine");
        for (row, refused) in [
            ("another certificate", trusted().fingerprint([7; 32])),
            ("a stranger's", TcpConnector::builder().fingerprint(pin.clone())),
            ("another, not verified", TcpConnector::builder().verify_ssl(false).fingerprint([7; 32])),
        ] {
            let error = answer(&refused.build().unwrap(), &server).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Tls, "{row}");
        }
        let unverified = TcpConnector::builder().verify_ssl(false).fingerprint(pin.clone()).build().unwrap();
        assert_eq!(answer(&unverified, &server).unwrap(), "fine");

        let alone = hostpool::TlsConfig::builder().assert_fingerprint(pin.clone()).build().unwrap();
        for wrong in [TcpConnector::builder().fingerprint("AA:A"), TcpConnector::builder().tls(alone).fingerprint(pin)]
        {
            assert_eq!(wrong.build().unwrap_err().kind(), &ErrorKind::InvalidConfig);
        }
        assert_eq!(TcpConnector::new().fingerprint(), None);
    }
}

/// TC-08. Connections come from the local address, and from its port if it has one.
#[cfg(target_os = "linux")]
#[test]
fn local_addr() {
    use std::net::{SocketAddr, TcpListener};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let ip = Ipv4Addr::new(127, 0, 0, 9);
    // The system gives away no port that somebody else has.
    let free = TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap();
    for source in [SocketAddr::from((ip, 0)), free] {
        let connector = TcpConnector::builder().source_address(source).build().unwrap();
        assert_eq!(connector.local_addr(), Some(source.into()));
        let connection = connector.connect(&url).unwrap();
        let seen = listener.accept().unwrap().1;
        assert_eq!(seen.ip(), ip);
        assert!(source.port() == 0 || seen == source, "{seen} is not {source}");
        drop(connection);
    }
}

/// A connector whose names all have the two addresses of loopback, and how often it was asked for one.
fn named(set: impl Fn(TcpConnectorBuilder) -> TcpConnectorBuilder) -> (TcpConnector, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let resolver = resolver_fn(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(vec![(Ipv6Addr::LOCALHOST, 0).into(), (Ipv4Addr::LOCALHOST, 0).into()])
    });
    (set(TcpConnector::builder().resolver(resolver)).build().unwrap(), asked)
}

/// TC-06, TC-12. Addresses of the other family are not connected to.
#[test]
fn family() {
    let server = steady();
    let url = |host: &str| format!("http://{host}:{}/", server.addr.port());
    let (both, _) = named(|builder| builder);
    let (four, _) = named(|builder| builder.family(Family::V4));
    let (six, _) = named(|builder| builder.family(Family::V6));
    for (connector, expected) in [(&both, Family::Any), (&four, Family::V4), (&six, Family::V6)] {
        assert_eq!(connector.family(), expected);
    }
    let error = session(&six).get(url("127.0.0.1")).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Resolve, Phase::Resolve));
    assert_eq!(session(&four).get(url("[::1]")).send().unwrap_err().kind(), &ErrorKind::Resolve);
    // The server has no address of this family, and another program may have the port there.
    let reached = |connector: &TcpConnector| session(connector).get(url("h.test")).send().map(|answer| answer.text());
    assert_eq!(reached(&four).unwrap().unwrap(), "fine");
    let seen = server.seen.accepted();
    let _ = reached(&six);
    assert_eq!(server.seen.accepted(), seen);
}

/// TC-04, TC-05, TC-13 to TC-16, TC-18, TC-19. The cache is the connector's, for all of its sessions.
#[test]
fn dns_cache() {
    let server = closing();
    let url = |host: &str| format!("http://{host}:{}/", server.addr.port());
    for set in [None, Some(false), Some(true)] {
        let (connector, asked) = named(|builder| match set {
            None => builder.family(Family::V4),
            Some(on) => builder.family(Family::V4).use_dns_cache(on),
        });
        let (one, other) = (session(&connector), session(&connector));
        let ask = |hosts: &[&str]| {
            for host in hosts {
                one.get(url(host)).send().unwrap();
                other.get(url(host)).send().unwrap();
            }
            asked.swap(0, Ordering::SeqCst)
        };
        let known = || connector.cached_hosts().into_keys().collect::<Vec<_>>();
        let on = set == Some(true);
        assert_eq!(connector.dns_cache(), on);
        assert!(known().is_empty());
        assert_eq!(ask(&["a.test", "b.test"]), if on { 2 } else { 4 });
        if !on {
            assert!(known().is_empty());
            continue;
        }
        assert_eq!(connector.cached_hosts()["a.test"], [Ipv6Addr::LOCALHOST.into(), IpAddr::from(Ipv4Addr::LOCALHOST)]);
        assert_eq!(one.cached_hosts(), connector.cached_hosts());
        connector.clear_dns_cache_for("a.test");
        assert_eq!(known(), ["b.test"]);
        assert_eq!(ask(&["a.test", "b.test"]), 1);
        connector.clear_dns_cache();
        assert!(known().is_empty());
        assert_eq!(ask(&["a.test", "b.test"]), 2);
    }
}

/// A session has the connections of its connector, and no settings of its own for them.
#[test]
fn settings_beside_a_connector() {
    let connector = TcpConnector::new();
    type Set = fn(SessionBuilder) -> SessionBuilder;
    let table: [(&str, Set); 8] = [
        ("limit", |builder| builder.limit(1)),
        ("force_close", |builder| builder.force_close(true)),
        ("family", |builder| builder.family(Family::V4)),
        ("use_dns_cache", |builder| builder.use_dns_cache(true)),
        ("source_address", |builder| builder.source_address(Ipv4Addr::LOCALHOST)),
        ("socket_options", |builder| builder.socket_options([])),
        ("tls", |builder| builder.tls(hostpool::TlsConfig::default())),
        ("unix_socket", |builder| builder.unix_socket("/run/app.sock")),
    ];
    for (name, set) in table {
        let error = set(Session::builder().connector(&connector)).build().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidConfig, "{name}");
        assert!(chain(&error).contains(&format!("its own {name}")), "{}", chain(&error));
    }
}

//! The options and attributes of aiohttp's connectors: the rows BC and TC.

use std::io::Read;
use std::thread;
use std::time::Duration;

use hostpool::{CloseReason, ErrorKind, PoolManager, Session, TcpConnector, Timeout, dialer_fn};

use crate::steady;
use crate::support::{Server, Step, answers, eventually, header, ok};

fn session(connector: &TcpConnector) -> Session {
    Session::builder().connector(connector).build().unwrap()
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

/// TC-08. Connections come from the local address.
#[cfg(target_os = "linux")]
#[test]
fn local_addr() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let source = std::net::Ipv4Addr::new(127, 0, 0, 9);
    let connector = TcpConnector::builder().source_address(source).build().unwrap();
    assert_eq!(connector.local_addr(), Some(source.into()));
    let connection = connector.connect(url).unwrap();
    assert_eq!(listener.accept().unwrap().1.ip(), source);
    drop(connection);
}

//! Whom a connection trusts, what it says of itself, and which sessions and connections are shared.

use super::*;
use hostpool::TlsBackend;

#[test]
fn own_roots_from_everywhere() {
    let authority = Authority::new();
    let server = TlsServer::new(authority.server(), echo_path);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let two = format!("# other\n{}\n# ours\n{}", Authority::new().pem(), authority.pem());
    let builder = TlsConfig::builder;
    let table = [
        ("PEM text", builder().root_pem(authority.pem()), true),
        ("PEM text, the second of two", builder().root_pem(two.clone()), true),
        ("DER", builder().root_der(authority.der()), true),
        ("PEM file", builder().root_file(file("ca.pem", two.as_bytes())), true),
        ("DER file", builder().root_file(file("ca.der", &authority.der())), true),
        ("own and the system's", builder().root_pem(authority.pem()).system_roots(true), true),
        // The same name, another key.
        ("another authority", builder().root_pem(Authority::new().pem()), false),
        ("the system's alone", builder().system_roots(true), false),
        (
            "A12.7: another authority and the system's",
            builder().root_pem(Authority::new().pem()).system_roots(true),
            false,
        ),
    ];
    let mut answered = 0;
    for (row, tls, trusted) in table {
        if !cfg!(feature = "__rustls") && row.contains("of two") | row.contains("PEM file") {
            // Of two roots of the same name OpenSSL tries one.
            continue;
        }
        answered += usize::from(trusted);
        let pool = server.pool(&tls.build().unwrap());
        match pool.get("/").send() {
            Ok(response) => assert!(trusted && response.text().unwrap() == "/", "{row}"),
            Err(error) => {
                assert!(!trusted, "{row}: {error}");
                assert_refused(row, &pool, &error, ErrorKind::Tls);
                let fault = error.tls_failure().unwrap().fault();
                // One has the same name and another key.
                assert!(matches!(fault, TlsFault::UntrustedIssuer | TlsFault::BadSignature), "{row}: {fault:?}");
            }
        }
    }
    // A12.1: an identity that one pool trusts is nothing to another.
    let default = ConnectionPool::builder(server.url()).retries(hostpool::Retry::off()).build().unwrap();
    let error = default.get("/").send().unwrap_err();
    assert_refused("default roots", &default, &error, ErrorKind::Tls);
    assert_eq!(server.seen.requests().len(), answered, "of those that trust the server");
}

/// The provider that a program installs for rustls is nothing to this crate: it needs none, and uses none. By itself
/// rustls panics if two are compiled in and none is installed.
#[test]
fn providers_of_the_process() {
    let authority = Authority::new();
    let server = TlsServer::new(authority.server(), echo_path);
    let mut useless = rustls::crypto::ring::default_provider();
    useless.cipher_suites.clear();
    useless.kx_groups.clear();
    for (round, installs) in [false, true].into_iter().enumerate() {
        if installs {
            useless.clone().install_default().expect("no other test installs one");
        }
        for backend in [TlsBackend::RustlsRing, TlsBackend::RustlsAwsLcRs, TlsBackend::NativeTls] {
            if !backend.is_available() {
                continue;
            }
            // Another configuration in each round.
            let roots =
                TlsConfig::builder().backend(backend).root_der(authority.der()).root_der(Authority::new().der());
            let client = authority.leaf(&[dns("client.test")]);
            let roots = roots.client_cert_pem(client.pem()).client_key_pem(client.key_pem());
            assert_eq!(get(&server.pool(&roots.build().unwrap()), "/"), "/", "{backend}, round {round}");
        }
    }
}

/// A host that is no name in TLS is refused by each library, and before a byte has left.
#[test]
fn names_that_cannot_be() {
    let authority = Authority::new();
    let named = [dns("a.test"), dns("*.a.test"), dns("b_1.a.test")];
    let server = TlsServer::new(authority.leaf(&named).server(rustls::ALL_VERSIONS), echo_path);
    let long = format!("https://{}.a.test", vec!["a"; 150].join("."));
    let label = format!("https://{}.a.test", "a".repeat(64));
    for backend in [TlsBackend::RustlsRing, TlsBackend::RustlsAwsLcRs, TlsBackend::NativeTls] {
        if !backend.is_available() {
            continue;
        }
        let tls = TlsConfig::builder().backend(backend).root_pem(authority.pem()).build().unwrap();
        for url in ["https://.a.test", "https://b..a.test", "https://*.a.test", "https://b!.a.test", &long, &label] {
            let row = format!("{backend}, {url}");
            let pool = pool_to(url, &server, Fault::None, &tls);
            let error = pool.get("/").send().unwrap_err();
            assert_refused(&row, &pool, &error, ErrorKind::Tls);
            assert_eq!(error.tls_failure().map(|failure| failure.fault()), Some(TlsFault::InvalidName), "{row}");
        }
        for url in ["https://a.test", "https://a.test.", "https://b-1.a.test", "https://b_1.a.test"] {
            let pool = pool_to(url, &server, Fault::None, &tls);
            assert_eq!(get(&pool, "/"), "/", "{backend}, {url}");
        }
    }
    assert!(server.seen.hellos().len() <= 3 * 4, "no hello of the others");
}

#[test]
fn configurations_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let broken = "-----BEGIN CERTIFICATE-----\n####\n-----END CERTIFICATE-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let builder = TlsConfig::builder;
    let table = [
        ("missing file", builder().root_file(folder.path().join("missing.pem"))),
        ("a folder", builder().root_file(folder.path())),
        ("empty file", builder().root_file(file("empty", ""))),
        ("file of a key", builder().root_file(file("key", &key))),
        ("file of garbage", builder().root_file(file("garbage", "garbage"))),
        ("PEM text without a certificate", builder().root_pem("nothing here")),
        ("PEM text with a key alone", builder().root_pem(key.clone())),
        ("PEM text that is cut", builder().root_pem(&Authority::new().pem()[..100])),
        ("PEM text that is no base64", builder().root_pem(broken)),
        ("PEM text of garbage", builder().root_pem(no_certificate)),
        ("DER of garbage", builder().root_der(*b"garbage")),
        ("empty DER", builder().root_der([])),
        ("one good, one bad", builder().root_der(Authority::new().der()).root_pem("")),
        ("nobody", builder().system_roots(false)),
    ];
    for (row, tls) in table {
        let error = tls.build().expect_err(row);
        assert!(matches!(error.kind(), ErrorKind::InvalidConfig), "{row}: {error}");
        assert_eq!(error.phase(), Phase::Prepare, "{row}");
    }
}

// Names

#[test]
fn names_are_verified() {
    let authority = Authority::new();
    let tls = authority.trusted();
    let table = [
        ("A12.4", "127.0.0.1", vec![ip("127.0.0.1")], true),
        ("A12.4 as a name", "127.0.0.1", vec![dns("127.0.0.1")], false),
        ("another address", "127.0.0.1", vec![ip("127.0.0.2")], false),
        ("A12.4 v6", "[::1]", vec![ip("::1")], true),
        ("A12.4 v6 as a name", "[::1]", vec![dns("localhost")], false),
        ("name", "localhost", vec![dns("localhost")], true),
        ("any case", "LocalHost", vec![dns("LOCALHOST")], true),
        ("one of several", "b.test", vec![ip("127.0.0.1"), dns("a.test"), dns("b.test")], true),
        ("another name", "a.test", vec![dns("b.test")], false),
        ("address for a name", "localhost", vec![ip("127.0.0.1")], false),
        ("absolute name", "a.test.", vec![dns("a.test")], true),
        ("wildcard", "www.a.test", vec![dns("*.a.test")], true),
        ("wildcard without a label", "a.test", vec![dns("*.a.test")], false),
        ("wildcard for two labels", "a.b.a.test", vec![dns("*.a.test")], false),
        ("HOST-04", "xn--bcher-kva.a.test", vec![dns("xn--bcher-kva.a.test")], true),
        ("HOST-04: a wildcard in a label", "xn--bcher-kva.a.test", vec![dns("xn--*.a.test")], false),
        ("HOST-05", "a.b.test", vec![dns("*.*.test")], false),
        ("HOST-05: in one label", "aba.test", vec![dns("*b*.test")], false),
        ("suffix", "evil-a.test", vec![dns("a.test")], false),
        ("common name alone", "localhost", vec![], false),
    ];
    for (row, host, names, accepted) in table {
        let server = TlsServer::new(authority.leaf(&names).server(rustls::ALL_VERSIONS), echo_path);
        let pool = pool_to(&format!("https://{host}"), &server, Fault::None, &tls);
        match pool.get("/").send() {
            Ok(response) => assert!(accepted && response.text().unwrap() == "/", "{row}"),
            Err(error) => {
                assert!(!accepted, "{row}: {error}");
                assert_refused(row, &pool, &error, ErrorKind::Tls);
                assert_eq!(error.tls_failure().unwrap().fault(), TlsFault::WrongName, "{row}: {error}");
            }
        }
    }
}

/// A12.5: the name in the ClientHello.
#[test]
fn what_the_hello_says() {
    let table = [
        ("127.0.0.1", None),
        ("[::1]", None),
        ("localhost", Some("localhost")),
        ("LocalHost", Some("localhost")),
        ("Host.TEST.", Some("host.test")),
        ("B\u{fc}cher.test", Some("xn--bcher-kva.test")),
        ("XN--BCHER-KVA.test", Some("xn--bcher-kva.test")),
    ];
    let authority = Authority::new();
    for (host, server_name) in table {
        let server = TlsServer::new(authority.server(), echo_path);
        let pool = pool_to(&format!("https://{host}"), &server, Fault::None, &authority.trusted());
        // Most of these names are not the server's: the hello has been said by then.
        let _ = pool.get("/").send();
        let hello = Hello { server_name: server_name.map(str::to_owned), alpn: vec!["http/1.1".to_owned()] };
        assert_eq!(server.seen.hellos(), [hello], "{host}");
    }
}

// Versions and sessions

/// Not with OpenSSL by native-tls.
#[cfg(feature = "__rustls")]
#[test]
fn sessions_are_resumed() {
    use HandshakeKind::{Full, Resumed};
    let authority = Authority::new();
    let leaf = authority.leaf(&[ip("127.0.0.1")]);
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        let server = TlsServer::new(leaf.server(versions), |peer| {
            peer.request()?;
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")?;
            peer.close()
        });
        let version = versions[0].version;
        let tls = authority.trusted();
        let pool = server.pool(&tls);
        for kinds in [&[Full][..], &[Full, Resumed], &[Full, Resumed, Resumed]] {
            assert_eq!(get(&pool, "/"), "ok");
            assert_eq!(server.seen.handshakes(), kinds, "{version:?}, one after the other");
        }
        thread::scope(|scope| drop(scope.spawn(|| get(&pool, "/"))));
        assert_eq!(server.seen.handshakes()[3..], [Resumed], "{version:?}, another thread");
        assert_eq!(get(&server.pool(&tls.clone()), "/"), "ok");
        assert_eq!(server.seen.handshakes()[4..], [Resumed], "{version:?}, another pool");
        assert_eq!(get(&server.pool(&authority.trusted()), "/"), "ok");
        assert_eq!(server.seen.handshakes()[5..], [Resumed], "{version:?}, an equal configuration");
        assert_eq!(get(&server.pool(&authority.trusted_otherwise()), "/"), "ok");
        assert_eq!(server.seen.handshakes()[6..], [Full], "{version:?}, another configuration");
        assert_eq!(pool.stats().created, 4);
        let response = pool.get("/").send().unwrap();
        assert_eq!(response.connection().unwrap().tls.unwrap().resumed, Some(true), "{version:?}");
    }
}

/// A12.1: what is trusted by one configuration says nothing to another, and their connections are their own.
#[test]
fn configurations_do_not_mix() {
    let authority = Authority::new();
    let server = TlsServer::new(authority.server(), echo_path);
    let pools = [server.pool(&authority.trusted()), server.pool(&authority.trusted_otherwise())];
    for round in 0..3 {
        for pool in &pools {
            assert_eq!(get(pool, "/"), "/");
        }
        let used = server.seen.requests()[2 * round..].iter().map(|(number, _)| *number).collect::<Vec<_>>();
        assert_eq!(used, [0, 1]);
    }
    assert_eq!(server.seen.handshakes(), [HandshakeKind::Full, HandshakeKind::Full]);
}

// Idle connections

/// A12.9: http and https connections of one port are not each other's.
#[test]
fn http_is_not_https() {
    let authority = Authority::new();
    let tls = TlsServer::new(authority.server(), echo_path);
    let session = Session::builder().tls(authority.trusted()).build().unwrap();
    let url = format!("{}/", tls.url());
    assert_eq!(session.get(&url).send().unwrap().text().unwrap(), "/");
    let plain = session.get(url.replace("https", "http")).send();
    assert!(plain.is_err(), "a TLS server does not answer http");
    assert_eq!(session.get(&url).send().unwrap().text().unwrap(), "/");
    assert_eq!(tls.seen.requests().len(), 2);

    let not_tls = vec![Step::Bytes(1), Step::Send(ok("plain")), Step::UntilClosed];
    let http = Server::new(vec![answer(ok("plain")), not_tls]);
    assert_eq!(session.get(http.url("/")).send().unwrap().text().unwrap(), "plain");
    let error = session.get(format!("https://{}/", http.addr)).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Tls, Phase::Tls));
}

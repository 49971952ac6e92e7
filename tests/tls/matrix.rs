//! Each way in which TLS fails, with the failure that tells it apart, and what is accepted. After a failure no byte of
//! the request has left. Each row runs with each TLS library of the build, unless the library cannot do what the row is
//! about. That native-tls fails is compared, and not the reason, which it does not always tell.

use super::*;
use hostpool::{Fingerprint, Retry, TlsBackend, TlsConfigBuilder, TlsVersion};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, SerialNumber};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tls::{Leaf, clients_of};

const TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
const TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
const BOTH: [&[&SupportedProtocolVersion]; 2] = [TLS12, TLS13];

fn years(from: i32, until: i32) -> impl FnOnce(&mut CertificateParams) {
    move |params| {
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
    }
}

fn authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

fn here() -> [rcgen::SanType; 2] {
    [ip("127.0.0.1"), dns("localhost")]
}

/// The digest by a suite with SHA-256.
fn digest(bytes: &[u8]) -> [u8; 32] {
    let provider = rustls::crypto::ring::default_provider();
    let is_sha256 = |suite: &&rustls::SupportedCipherSuite| {
        suite.tls13().is_some_and(|suite| suite.common.hash_provider.output_len() == 32)
    };
    let suite = provider.cipher_suites.iter().find(is_sha256).and_then(|suite| suite.tls13()).unwrap();
    suite.common.hash_provider.hash(bytes).as_ref().try_into().unwrap()
}

/// Sends a request under a configuration by each TLS library. Returns what became of it.
fn outcomes(row: &str, config: &ServerConfig, builder: &TlsConfigBuilder) -> Vec<(TlsBackend, Option<Error>)> {
    let mut all = Vec::new();
    for backend in [TlsBackend::RustlsRing, TlsBackend::RustlsAwsLcRs, TlsBackend::NativeTls] {
        if !backend.is_available() {
            continue;
        }
        match builder.clone().backend(backend).build() {
            Ok(tls) => all.push((backend, outcome(&format!("{row}, {backend}"), config.clone(), &tls))),
            Err(error) => {
                let lacks = backend == TlsBackend::NativeTls && error.kind() == &ErrorKind::Unsupported;
                let text = error.to_string();
                let what = text.contains("revocation lists") || text.contains("certificate by itself");
                assert!(lacks && what, "{row}, {backend}: {error}");
            }
        }
    }
    all
}

/// Sends a request under a configuration. Returns the failure, if there is one, after checking that nothing of the
/// request left, that the kind and the phase are right, and that nothing is tried again that would fail again.
#[track_caller]
fn outcome(row: &str, config: ServerConfig, tls: &TlsConfig) -> Option<Error> {
    let server = TlsServer::new(config, echo_path);
    let pool = server.builder(tls).retries(Retry::new(2)).build().unwrap();
    let Err(error) = pool.post("/secret").data("secret").send() else {
        assert_eq!(server.seen.requests().len(), 1, "{row}");
        return None;
    };
    assert_eq!(error.kind(), &ErrorKind::Tls, "{row}: {error:?}");
    assert!(!error.maybe_processed(), "{row}: {error:?}");
    assert_eq!(pool.stats().open, 0, "{row}");
    assert_eq!(server.seen.requests(), [], "{row}");
    // TLS 1.3 lets a client send before its certificate is looked at, and only then.
    let of_client = [TlsFault::ClientCertificateRequired, TlsFault::ClientCertificateRefused];
    let is_late = error.tls_failure().is_some_and(|failure| of_client.contains(&failure.fault()));
    assert!(error.phase() == Phase::Tls || is_late, "{row}: {error:?}");
    if error.phase() == Phase::Tls && !is_checked_late(&error) {
        assert_eq!(server.seen.handshakes(), [], "{row}: the server has no keys to read a request by");
    }
    assert_eq!(server.seen.accepted(), 1, "{row}: it would fail again");
    Some(error)
}

/// With native-tls these are compared after the handshake, which has ended for a server of TLS 1.2.
fn is_checked_late(error: &Error) -> bool {
    let late = [TlsFault::PinMismatch, TlsFault::WrongName, TlsFault::UntrustedIssuer];
    TlsBackend::NativeTls.is_available() && error.tls_failure().is_some_and(|failure| late.contains(&failure.fault()))
}

/// Returns the failure of the default library.
#[track_caller]
fn refused(row: &str, config: ServerConfig, builder: TlsConfigBuilder, fault: TlsFault) -> Option<Error> {
    let mut of_default = None;
    for (backend, error) in outcomes(row, &config, &builder) {
        let error = error.unwrap_or_else(|| panic!("{row}, {backend}, is accepted"));
        let found = error.tls_failure().map(|failure| failure.fault());
        if backend != TlsBackend::NativeTls {
            assert_eq!(found, Some(fault), "{row}, {backend}: {}", support::chain(&error));
        }
        assert!(found.is_some_and(|found| found != TlsFault::Other), "{row}, {backend}: {}", support::chain(&error));
        of_default = of_default.or(Some(error).filter(|_| backend != TlsBackend::NativeTls));
    }
    of_default
}

#[track_caller]
fn accepted(row: &str, config: ServerConfig, builder: TlsConfigBuilder) {
    for (backend, error) in outcomes(row, &config, &builder) {
        if let Some(error) = error {
            panic!("{row}, {backend}: {}", support::chain(&error));
        }
    }
}

#[test]
fn certificates_that_are_refused() {
    let root = Authority::new();
    let (trusted, between) = (|| TlsConfig::builder().root_pem(root.pem()), root.intermediate("between"));
    let purpose =
        |params: &mut CertificateParams| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    for versions in BOTH {
        let table = [
            ("expired", root.leaf_with(&here(), years(2001, 2002)), TlsFault::Expired),
            ("not yet valid", root.leaf_with(&here(), years(2901, 2902)), TlsFault::NotYetValid),
            ("for another name", root.leaf(&[dns("a.test"), ip("127.0.0.2")]), TlsFault::WrongName),
            (
                "name in CN alone",
                root.leaf_with(&[], |params| {
                    params.distinguished_name.push(rcgen::DnType::CommonName, "127.0.0.1");
                }),
                TlsFault::WrongName,
            ),
            ("untrusted root", Authority::new().intermediate("x").leaf(&here()), TlsFault::UntrustedIssuer),
            ("self-signed", Leaf::self_signed(&here(), |_| ()), TlsFault::UntrustedIssuer),
            ("self-signed by an authority", Leaf::self_signed(&here(), authority), TlsFault::CaAsServer),
            ("missing intermediate", between.leaf(&here()), TlsFault::UntrustedIssuer),
            ("for clients alone", root.leaf_with(&here(), purpose), TlsFault::WrongPurpose),
            ("another key", root.leaf(&here()).with_another_key(), TlsFault::BadSignature),
        ];
        for (row, leaf, fault) in table {
            let Some(error) = refused(row, leaf.server(versions), trusted(), fault) else { continue };
            let failure = error.tls_failure().unwrap();
            let is_of_chain = fault != TlsFault::BadSignature;
            assert_eq!(failure.chain().first(), Some(&leaf.der()).filter(|_| is_of_chain), "{row}: V5");
            let text = support::chain(&error);
            for debug in ["UnknownIssuer", "Context {", "Expired", "BadDer", "Other("] {
                assert!(!text.contains(debug), "{row}: {text}");
            }
        }
        accepted("whole chain", between.leaf(&here()).with(&between).server(versions), trusted());
        accepted("right", root.leaf(&here()).server(versions), trusted());
    }
}

/// RW-R7, V5 and the times: what an error has to show.
#[cfg(feature = "__rustls")]
#[test]
fn evidence() {
    let root = Authority::new();
    let trusted = || TlsConfig::builder().root_pem(root.pem());
    let between = root.intermediate("the missing one");
    let refused = |config, fault| refused("", config, trusted(), fault).unwrap();
    let error = refused(between.leaf(&here()).server(TLS13), TlsFault::UntrustedIssuer);
    let failure = error.tls_failure().unwrap();
    assert_eq!(failure.missing_issuer(), Some("CN=the missing one"));
    assert_eq!(failure.roots(), Some("1 root of the configuration"));
    assert!(failure.to_string().contains("CN=the missing one"), "{failure}");
    assert!(format!("{error:?}").len() < 3000);

    let other = Authority::new().intermediate("another root").intermediate("x");
    let sent = other.leaf(&here()).with(&other);
    let error = refused(sent.server(TLS13), TlsFault::UntrustedIssuer);
    assert_eq!(error.tls_failure().unwrap().chain(), [sent.der(), other.der()]);
    assert_eq!(error.tls_failure().unwrap().missing_issuer(), Some("CN=another root"));

    let error = refused(root.leaf_with(&here(), years(2001, 2002)).server(TLS13), TlsFault::Expired);
    let (now, end) = error.tls_failure().unwrap().times().unwrap();
    assert_eq!(end, std::time::UNIX_EPOCH + Duration::from_secs(1_009_843_200));
    assert!(now > end);
    let text = error.tls_failure().unwrap().to_string();
    assert!(text.contains("Tue, 01 Jan 2002 00:00:00 GMT") && text.contains("is it right?"), "{text}");

    let error = refused(root.leaf(&[dns("a.test")]).server(TLS13), TlsFault::WrongName);
    let text = error.tls_failure().unwrap().to_string();
    assert!(text.contains("127.0.0.1") && text.contains("a.test") && !text.contains("DnsName"), "{text}");
}

/// W1: everything is accepted where the caller says so, and only what the caller names.
#[test]
fn verification_off() {
    let root = Authority::new();
    let any = || TlsConfig::builder().danger_accept_invalid_certs(true);
    let any_name = || TlsConfig::builder().root_pem(root.pem()).danger_accept_invalid_hostnames(true);
    for versions in BOTH {
        let table = [
            ("expired", root.leaf_with(&here(), years(2001, 2002)), Some(TlsFault::Expired)),
            ("for another name", root.leaf(&[dns("a.test")]), None),
            ("without a name", root.leaf(&[]), None),
            ("self-signed", Leaf::self_signed(&here(), |_| ()), Some(TlsFault::UntrustedIssuer)),
            ("self-signed by an authority", Leaf::self_signed(&here(), authority), Some(TlsFault::CaAsServer)),
            ("another key", root.leaf(&here()).with_another_key(), Some(TlsFault::BadSignature)),
        ];
        for (row, leaf, without_name) in table {
            for builder in [any(), any().root_pem(root.pem())] {
                for (backend, error) in outcomes(row, &leaf.server(versions), &builder) {
                    // OpenSSL verifies the signature of each handshake.
                    let refuses = row == "another key" && backend == TlsBackend::NativeTls;
                    assert_eq!(error.is_some(), refuses, "{row}, {backend}: {error:?}");
                }
            }
            match without_name {
                Some(fault) => drop(refused(row, leaf.server(versions), any_name(), fault)),
                None => accepted(row, leaf.server(versions), any_name()),
            }
        }
    }
}

/// A connection says whether it was verified, and much else.
#[test]
fn facts_about_connections() {
    let root = Authority::new();
    let leaf = root.leaf(&here());
    let trusted = || TlsConfig::builder().root_pem(root.pem());
    let any = || TlsConfig::builder().danger_accept_invalid_certs(true);
    let pin = Fingerprint::from(digest(&leaf.der()));
    let table = [
        ("verified", trusted(), TLS13, TlsVersion::V1_3, true),
        ("TLS 1.2", trusted(), TLS12, TlsVersion::V1_2, true),
        ("not verified", any(), TLS13, TlsVersion::V1_3, false),
        ("by a pin", TlsConfig::builder().assert_fingerprint(pin.clone()), TLS13, TlsVersion::V1_3, true),
        ("by a pin alone", any().fingerprint(pin), TLS13, TlsVersion::V1_3, true),
    ];
    for (row, builder, versions, version, verified) in table {
        let server = TlsServer::new(leaf.server(versions), echo_path);
        let pool = server.pool(&builder.build().unwrap());
        for reused in [false, true] {
            let response = pool.get("/").send().unwrap();
            let connection = response.connection().unwrap();
            let tls = connection.tls.unwrap();
            assert_eq!((tls.version, tls.verified), (Some(version), verified), "{row}");
            assert_eq!(tls.chain, [leaf.der()], "{row}");
            assert_eq!(tls.alpn.as_deref(), Some("http/1.1"), "{row}");
            if cfg!(feature = "__rustls") {
                assert_eq!(tls.resumed, Some(false), "{row}");
                let cipher = tls.cipher.unwrap();
                assert!(cipher.starts_with("TLS_") && !cipher.contains("TLS13"), "{row}: {cipher}");
            }
            assert_eq!((connection.remote, connection.reused), (Some(server.addr), reused), "{row}");
            assert_eq!(connection.local.unwrap().ip(), server.addr.ip(), "{row}");
            response.text().unwrap();
        }
    }
}

/// V1, V2: a certificate that is trusted by itself.
#[test]
fn certificates_that_are_trusted_by_themselves() {
    let root = Authority::new();
    let trust = |leaf: &Leaf| TlsConfig::builder().trusted_certificate_pem(leaf.pem());
    let as_root = |leaf: &Leaf| TlsConfig::builder().root_pem(leaf.pem());
    for versions in BOTH {
        let plain = Leaf::self_signed(&here(), |_| ());
        let of_authority = Leaf::self_signed(&here(), authority);
        let issued = root.leaf(&here());
        for (row, leaf) in [("self-signed", &plain), ("of an authority", &of_authority), ("issued", &issued)] {
            accepted(row, leaf.server(versions), trust(leaf));
            accepted(row, leaf.server(versions), TlsConfig::builder().trusted_certificate_der(leaf.der()));
        }
        // OpenSSL accepts a root that a server uses as its own certificate.
        accepted("as a root", plain.server(versions), as_root(&plain));
        accepted("of an authority as a root", of_authority.server(versions), as_root(&of_authority));

        let other = Leaf::self_signed(&here(), authority);
        refused("another one", other.server(versions), trust(&plain), TlsFault::CaAsServer);
        refused("what it has signed", issued.server(versions), trust(&plain), TlsFault::UntrustedIssuer);
        let old = Leaf::self_signed(&here(), years(2001, 2002));
        refused("expired", old.server(versions), trust(&old), TlsFault::Expired);
        let new = Leaf::self_signed(&here(), years(2901, 2902));
        refused("not yet valid", new.server(versions), trust(&new), TlsFault::NotYetValid);
        let named = Leaf::self_signed(&[dns("a.test")], authority);
        refused("another name", named.server(versions), trust(&named), TlsFault::WrongName);
        accepted("any name", named.server(versions), trust(&named).danger_accept_invalid_hostnames(true));
        let stolen = Leaf::self_signed(&here(), authority);
        let tls = trust(&stolen);
        refused("another key", stolen.with_another_key().server(versions), tls, TlsFault::BadSignature);
    }
}

/// W3, A13: a pin is checked before a byte of the request leaves, and does not replace the key.
#[test]
fn pins() {
    let root = Authority::new();
    let leaf = || root.leaf(&here());
    let trusted = || TlsConfig::builder().root_pem(root.pem());
    for versions in BOTH {
        let server = leaf();
        let right = Fingerprint::from(digest(&server.der()));
        let wrong = Fingerprint::from([7; 32]);
        let of_key = Fingerprint::of_public_key(digest(&server.public_key()));
        let plain = right.to_string();
        let pairs: Vec<_> = plain.as_bytes().chunks(2).map(String::from_utf8_lossy).collect();
        let colons = pairs.join(":").to_uppercase();
        let config = || server.server(versions);

        // They add to the checks.
        accepted("right", config(), trusted().fingerprint(right.clone()));
        accepted("with colons", config(), trusted().fingerprint(&*colons));
        accepted("of the public key", config(), trusted().fingerprint(of_key.clone()));
        accepted("one of two", config(), trusted().fingerprint(wrong.clone()).fingerprint(right.clone()));
        refused("wrong", config(), trusted().fingerprint(wrong.clone()), TlsFault::PinMismatch);
        let tls = trusted().fingerprint(wrong.clone());
        for error in outcomes("wrong", &config(), &tls).into_iter().filter_map(|(_, error)| error) {
            let failure = error.tls_failure().unwrap();
            assert_eq!((failure.fault(), failure.chain()), (TlsFault::PinMismatch, &[server.der()][..]));
            let text = failure.to_string();
            assert!(text.contains(&right.to_string()) && text.contains(&wrong.to_string()), "{text}");
        }
        let of_other_key = Fingerprint::of_public_key([7; 32]);
        refused("of another key", config(), trusted().fingerprint(of_other_key), TlsFault::PinMismatch);
        let unknown = TlsConfig::builder().root_pem(Authority::new().pem()).fingerprint(right.clone());
        refused("right and unknown", config(), unknown, TlsFault::BadSignature);
        let any = || TlsConfig::builder().danger_accept_invalid_certs(true);
        accepted("with verification off", config(), any().fingerprint(right.clone()));
        refused("wrong with verification off", config(), any().fingerprint(wrong.clone()), TlsFault::PinMismatch);

        // They replace the checks.
        let alone = || TlsConfig::builder().assert_fingerprint(right.clone());
        accepted("alone", config(), alone());
        accepted("alone by the key", config(), TlsConfig::builder().assert_fingerprint(of_key));
        refused("wrong alone", config(), TlsConfig::builder().assert_fingerprint(wrong), TlsFault::PinMismatch);
        let old = Leaf::self_signed(&[dns("a.test")], years(2001, 2002));
        let pin = Fingerprint::from(digest(&old.der()));
        accepted("for another name", old.server(versions), TlsConfig::builder().assert_fingerprint(pin.clone()));

        // The certificate is public: whoever shows it has to have its key.
        let stolen = server.with_another_key();
        refused("another key", stolen.server(versions), trusted().fingerprint(right.clone()), TlsFault::BadSignature);
        refused("another key alone", stolen.server(versions), alone(), TlsFault::BadSignature);
        let stolen = old.with_another_key();
        let tls = TlsConfig::builder().assert_fingerprint(pin);
        refused("another key of an old one", stolen.server(versions), tls, TlsFault::BadSignature);
    }
}

/// TLS-13: the name that is checked, and the name that is sent.
#[test]
fn names_in_place_of_the_url() {
    let root = Authority::new();
    let trusted = || TlsConfig::builder().root_pem(root.pem());
    let for_a = root.leaf(&[dns("a.test"), dns("xn--bcher-kva.test"), ip("::1")]);
    let table = [
        ("the URL's", trusted(), false, None),
        ("asserted", trusted().assert_hostname("a.test"), true, None),
        ("asserted, absolute", trusted().assert_hostname("A.test."), true, None),
        ("asserted, IDN", trusted().assert_hostname("b\u{fc}cher.test"), true, None),
        ("asserted, an address", trusted().assert_hostname("::1"), true, None),
        ("asserted, an address in brackets", trusted().assert_hostname("[::1]"), true, None),
        ("asserted, another one", trusted().assert_hostname("b.test"), false, None),
        ("asserted, another address", trusted().assert_hostname("::2"), false, None),
        ("server's", trusted().server_name("a.test"), true, Some("a.test")),
        ("server's, another one", trusted().server_name("b.test"), false, Some("b.test")),
        ("both", trusted().server_name("b.test").assert_hostname("a.test"), true, Some("b.test")),
        ("both, the other way", trusted().server_name("a.test").assert_hostname("b.test"), false, Some("a.test")),
        ("not sent", trusted().server_name("a.test").send_server_name(false), true, None),
    ];
    for (row, builder, right, sent) in table {
        let server = TlsServer::new(for_a.server(TLS13), echo_path);
        let tls = match builder.build() {
            Ok(tls) => tls,
            // native-tls has one name.
            Err(_) if !cfg!(feature = "__rustls") && row.contains("asserted") | row.contains("both") => continue,
            Err(error) => panic!("{row}: {error}"),
        };
        let pool = server.pool(&tls);
        match pool.get("/").send() {
            Ok(_) => assert!(right, "{row}"),
            Err(error) => {
                assert!(!right, "{row}: {}", support::chain(&error));
                assert_eq!(error.tls_failure().unwrap().fault(), TlsFault::WrongName, "{row}");
            }
        }
        assert_eq!(server.seen.hellos()[0].server_name.as_deref(), sent, "{row}");
    }
    for name in ["", "a b", "[a.test]", "[::1", "a/b", "::g", "."] {
        let error = TlsConfig::builder().assert_hostname(name).build().expect_err(name);
        assert_eq!(error.kind(), &ErrorKind::InvalidConfig, "{name}");
    }
}

#[test]
fn versions() {
    use TlsVersion::{V1_0, V1_1, V1_2, V1_3};
    let root = Authority::new();
    let leaf = root.leaf(&here());
    let trusted = || TlsConfig::builder().root_pem(root.pem());
    let all: &[&SupportedProtocolVersion] = rustls::ALL_VERSIONS;
    let table = [
        ("1.2 from 1.2 on", TLS12, trusted(), Some(V1_2)),
        ("both", all, trusted(), Some(V1_3)),
        ("at most 1.2", all, trusted().max_version(V1_2), Some(V1_2)),
        ("at least 1.3", all, trusted().min_version(V1_3), Some(V1_3)),
        ("exactly 1.2", all, trusted().min_version(V1_2).max_version(V1_2), Some(V1_2)),
        ("1.2 alone, at least 1.3", TLS12, trusted().min_version(V1_3), None),
        ("1.3 alone, at most 1.2", TLS13, trusted().max_version(V1_2), None),
    ];
    for (row, versions, builder, expected) in table {
        let config = leaf.server(versions);
        match expected {
            None => drop(refused(row, config, builder, TlsFault::NoSharedVersion)),
            Some(expected) => {
                let server = TlsServer::new(config, echo_path);
                let response = server.pool(&builder.build().unwrap()).get("/").send().unwrap();
                assert_eq!(response.connection().unwrap().tls.unwrap().version, Some(expected), "{row}");
            }
        }
    }
    if cfg!(feature = "__rustls") {
        for builder in [trusted().min_version(V1_0), trusted().min_version(V1_1), trusted().max_version(V1_1)] {
            assert_eq!(builder.build().unwrap_err().kind(), &ErrorKind::Unsupported);
        }
    }
    let error = trusted().min_version(V1_3).max_version(V1_2).build().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidConfig);
}

/// The server speaks another protocol than it is asked for, or than TLS.
#[test]
fn servers_of_other_protocols() {
    let root = Authority::new();
    let mut config = root.leaf(&here()).server(TLS13);
    config.alpn_protocols = vec![b"h2".to_vec()];
    refused("h2 alone", config, TlsConfig::builder().root_pem(root.pem()), TlsFault::NoSharedProtocol);
    for greeting in ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "220 mail ESMTP\r\n"] {
        let server = Server::new(vec![vec![Step::Send(greeting.into()), Step::UntilClosed]]);
        let pool = ConnectionPool::builder(format!("https://{}", server.addr)).retries(Retry::new(2)).build().unwrap();
        let error = pool.get("/").send().unwrap_err();
        assert_eq!(error.tls_failure().map(|failure| failure.fault()), Some(TlsFault::NotTls), "{greeting}");
        assert_eq!(pool.stats().dial_failures, 1, "it would fail again");
    }
}

/// W5: revocation lists and what they mean.
#[test]
fn revocation() {
    let root = Authority::new();
    let serial = |number: u8| {
        move |params: &mut CertificateParams| params.serial_number = Some(SerialNumber::from(vec![number]))
    };
    let trusted = || TlsConfig::builder().root_pem(root.pem());
    let (now, old, newer) = ((2020, 2900), (2001, 2002), (2021, 2900));
    let by = |lists: &[String]| lists.iter().fold(trusted(), |builder, list| builder.revocation_list_pem(list.clone()));
    let list = |serials: &[u8], years| root.revoked(serials, years);
    let unrelated = Authority::new().intermediate("y").revoked(&[5], now);
    for versions in BOTH {
        let config = || root.leaf_with(&here(), serial(5)).server(versions);
        let table = [
            ("listed", by(&[list(&[4, 5], now)]), Some(TlsFault::Revoked)),
            ("not listed", by(&[list(&[4, 6], now)]), None),
            ("an empty list", by(&[list(&[], now)]), None),
            ("lists of other issuers", by(std::slice::from_ref(&unrelated)), None),
            (
                "lists of other issuers, strict",
                by(std::slice::from_ref(&unrelated)).refuse_unknown_revocation(true),
                Some(TlsFault::UnknownRevocation),
            ),
            ("known, strict", by(&[unrelated.clone(), list(&[], now)]).refuse_unknown_revocation(true), None),
            ("expired", by(&[list(&[], old)]), Some(TlsFault::ExpiredRevocationList)),
            ("expired, accepted", by(&[list(&[], old)]).accept_expired_revocation_lists(true), None),
            (
                "expired and listed",
                by(&[list(&[5], old)]).accept_expired_revocation_lists(true),
                Some(TlsFault::Revoked),
            ),
            ("expired before fresh", by(&[list(&[], old), list(&[], now)]), None),
            ("expired before fresh, listed", by(&[list(&[], old), list(&[5], now)]), Some(TlsFault::Revoked)),
            ("fresh before expired, listed", by(&[list(&[], now), list(&[5], old)]), Some(TlsFault::Revoked)),
            ("in the second of two", by(&[list(&[4], newer), list(&[5], now)]), Some(TlsFault::Revoked)),
            ("in one text", by(&[list(&[4], newer) + &list(&[5], now)]), Some(TlsFault::Revoked)),
        ];
        for (row, builder, fault) in table {
            match fault {
                Some(fault) => drop(refused(row, config(), builder, fault)),
                None => accepted(row, config(), builder),
            }
        }
        // The whole chain is looked up, unless the caller says otherwise.
        let between = root.intermediate_with("z", serial(9));
        let chain = || between.leaf(&here()).with(&between).server(versions);
        refused("an issuer", chain(), by(&[list(&[9], now)]), TlsFault::Revoked);
        accepted(
            "an issuer that is not looked up",
            chain(),
            by(&[list(&[9], now)]).check_revocation_of_server_alone(true),
        );
    }
}

/// TLS-28: the server sees why it was refused.
#[test]
fn alerts_that_servers_see() {
    let root = Authority::new();
    let trusted = || TlsConfig::builder().root_pem(root.pem());
    let unknown = Authority::new().intermediate("x").leaf(&here());
    let table = [
        ("expired", root.leaf_with(&here(), years(2001, 2002)), trusted(), "CertificateExpired"),
        ("another name", root.leaf(&[dns("a.test")]), trusted(), "BadCertificate"),
        ("unknown", unknown, trusted(), "UnknownCA"),
        ("another fingerprint", root.leaf(&here()), trusted().fingerprint([7; 32]), "AccessDenied"),
    ];
    for (row, leaf, builder, alert) in table {
        if row == "another fingerprint" && !cfg!(feature = "__rustls") {
            // native-tls is asked to verify nothing more, and has no way to send an alert.
            continue;
        }
        let server = TlsServer::new(leaf.server(TLS13), echo_path);
        server.pool(&builder.build().unwrap()).get("/").send().expect_err(row);
        support::eventually(row, || server.seen.errors().iter().any(|error| error.contains(alert)));
    }
}

/// TLS-27.
#[test]
fn a_body_that_stalls() {
    let root = Authority::new();
    let server = TlsServer::new(root.server(), |peer| {
        peer.request()?;
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")?;
        peer.until_closed()
    });
    let timeout = Timeout::new().read(Duration::from_millis(200));
    let error = server.pool(&root.trusted()).get("/").timeout(timeout).send().unwrap().bytes().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Read), Phase::Body));
}

/// Client certificates: in every form, in any order, and what a server says without one.
#[test]
fn client_certificates() {
    let (root, clients) = (Authority::new(), Authority::new());
    let between = clients.intermediate("between");
    let client = between.leaf(&[dns("client.test")]);
    let trusted = || TlsConfig::builder().root_pem(root.pem());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (own, issuer, top, key) = (client.pem(), between.pem(), clients.pem(), client.key_pem());
    let both = file("both.pem", &format!("{key}{own}{issuer}"));
    let (chain_file, key_file) = (file("chain.pem", &format!("{own}{issuer}")), file("key.pem", &key));
    let other = clients.leaf(&[dns("other.test")]);
    for versions in BOTH {
        let config = || root.leaf(&here()).server_for(versions, Some(clients_of(&clients)));
        let table = [
            ("in order", trusted().client_cert_pem(format!("{own}{issuer}")).client_key_pem(&*key)),
            ("reversed", trusted().client_cert_pem(format!("{issuer}{own}")).client_key_pem(&*key)),
            ("with the root", trusted().client_cert_pem(format!("{top}{issuer}{own}")).client_key_pem(&*key)),
            ("twice", trusted().client_cert_pem(format!("{own}{own}{issuer}{issuer}")).client_key_pem(&*key)),
            (
                "with another one",
                trusted().client_cert_pem(format!("{}{own}{issuer}", other.pem())).client_key_pem(&*key),
            ),
            ("key in the text", trusted().client_cert_pem(format!("{own}{key}{issuer}"))),
            ("one file", trusted().client_cert_file(&both)),
            ("two files", trusted().client_cert_file(&chain_file).client_key_file(&key_file)),
            ("key in DER", trusted().client_cert_file(&chain_file).client_key_der(client.key_der())),
        ];
        for (row, builder) in table {
            let server = TlsServer::new(config(), |peer| {
                peer.request()?;
                let sent = peer.tls.peer_certificates().unwrap_or_default().len().to_string();
                peer.send(ok(&sent))?;
                peer.until_closed()
            });
            let pool = server.pool(&builder.build().unwrap());
            assert_eq!(get(&pool, "/"), "2", "K3: {row}: the certificate and its issuer, once each");
        }
        refused("without one", config(), trusted(), TlsFault::ClientCertificateRequired);
        for without in outcomes("without one", &config(), &trusted()).into_iter().filter_map(|(_, error)| error) {
            let failure = without.tls_failure().unwrap();
            assert_eq!(failure.fault(), TlsFault::ClientCertificateRequired, "{without:?}");
            assert!(failure.to_string().contains("wants a client certificate"), "{without:?}");
        }
        let unknown = Authority::new().leaf(&[dns("client.test")]);
        let builder = trusted().client_cert_pem(unknown.pem()).client_key_pem(unknown.key_pem());
        refused("of an unknown issuer", config(), builder, TlsFault::ClientCertificateRefused);
        let alone = trusted().client_cert_pem(&*own).client_key_pem(&*key);
        refused("TLS-06: without its issuer", config(), alone, TlsFault::ClientCertificateRefused);
    }
}

/// A socket whose third message meets a peer that has answered and reset the connection.
struct Resets(TcpStream, AtomicUsize);

impl Transport for Resets {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        self.0.recv(buf, wait)
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        // The hello, and the end of the handshake.
        if self.1.fetch_add(1, Ordering::SeqCst) < 2 {
            return self.0.send(bufs, wait);
        }
        self.0.peek(&mut [0])?;
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn probe(&self) -> Probe {
        self.0.probe()
    }

    fn abort(&self) {
        self.0.abort();
    }
}

/// In TLS 1.3 the refusal of a client certificate comes after the handshake, and a reset with it. What the server has
/// said is read before the reset is reported.
#[test]
fn a_refusal_before_a_reset() {
    let (root, clients) = (Authority::new(), Authority::new());
    let server = TlsServer::new(root.leaf(&here()).server_for(TLS13, Some(clients_of(&clients))), echo_path);
    let addr = server.addr;
    let dialer = hostpool::dialer_fn(move |_, _| Ok(Box::new(Resets(TcpStream::connect(addr)?, AtomicUsize::new(0)))));
    let dialer = TlsDialer::new(dialer, root.trusted());
    let pool = ConnectionPool::builder(server.url()).dialer(dialer).retries(Retry::new(2)).build().unwrap();
    let error = pool.post("/").data("secret").send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Tls, "{}", support::chain(&error));
    assert_eq!(error.tls_failure().unwrap().fault(), TlsFault::ClientCertificateRequired);
    assert!(!error.maybe_processed() && error.retries().len() <= 1, "{error:?}");
    assert_eq!(server.seen.accepted(), 1);
}

/// Everything that can be known when the configuration is built is an error there.
#[test]
fn settings_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let root = Authority::new();
    let client = root.leaf(&[dns("client.test")]);
    let other = root.leaf(&[dns("other.test")]);
    let (own, key) = (client.pem(), client.key_pem());
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,00\n\nMAA=\n\
               -----END RSA PRIVATE KEY-----\n";
    let builder = || TlsConfig::builder().root_pem(root.pem());
    let list = root.revoked(&[], (2020, 2900));
    let table = [
        ("a key alone", builder().client_key_pem(&*key), "no certificate"),
        ("a password alone", builder().client_key_password("x"), "password"),
        ("a certificate alone", builder().client_cert_pem(&*own), "no private key"),
        ("a certificate without its file", builder().client_cert_file(folder.path().join("missing")), "missing"),
        ("a file of another thing", builder().client_cert_file(file("x.pem", key.as_bytes())), "PRIVATE KEY"),
        ("another key", builder().client_cert_pem(&*own).client_key_pem(other.key_pem()), "does not belong"),
        ("a broken key", builder().client_cert_pem(&*own).client_key_der(vec![0x30, 3, 2, 1, 0]), "private key"),
        ("a key of garbage", builder().client_cert_pem(&*own).client_key_pem("garbage"), "no PEM block"),
        ("K1: encrypted", builder().client_cert_pem(&*own).client_key_pem(encrypted), "encrypted"),
        ("K1: encrypted in the old way", builder().client_cert_pem(&*own).client_key_pem(old), "old way"),
        (
            "a password for an open key",
            builder().client_cert_pem(&*own).client_key_pem(&*key).client_key_password("x"),
            "not encrypted",
        ),
        ("a pin of another length", builder().fingerprint("AA"), "and not 1"),
        ("a pin of an odd length", builder().assert_fingerprint("AA:A"), "hexadecimal digits"),
        ("a pin of 31 bytes", builder().fingerprint(&[0_u8; 31][..]), "31"),
        ("both pins", builder().fingerprint([0; 32]).assert_fingerprint([0; 32]), "set one of them"),
        (
            "a pin and no verification",
            builder().assert_fingerprint([0; 32]).danger_accept_invalid_certs(true),
            "no effect",
        ),
        ("a pin and a name", builder().assert_fingerprint([0; 32]).assert_hostname("a"), "assert_hostname"),
        ("a name and any name", builder().assert_hostname("a.test").danger_accept_invalid_hostnames(true), "no effect"),
        (
            "a name and no verification",
            builder().assert_hostname("a.test").danger_accept_invalid_certs(true),
            "no effect",
        ),
        (
            "lists and no verification",
            builder().revocation_list_pem(&*list).danger_accept_invalid_certs(true),
            "no effect",
        ),
        ("a policy without a list", builder().refuse_unknown_revocation(true), "needs a list"),
        ("a list of another thing", builder().revocation_list_pem(root.pem()), "CERTIFICATE"),
        ("a list of garbage", builder().revocation_list_der(*b"garbage"), "cannot be read"),
        ("a trusted certificate of garbage", builder().trusted_certificate_der(*b"garbage"), "cannot be read"),
        ("a folder that is missing", builder().root_dir(folder.path().join("nowhere")), "nowhere"),
        ("a key log in no folder", builder().key_log_file(folder.path().join("no/keys")), "key log"),
        ("labels", builder().root_pem(encrypted), "ENCRYPTED PRIVATE KEY"),
    ];
    for (row, builder, word) in table {
        let error = builder.build().expect_err(row);
        if row == "a list of garbage" && !cfg!(feature = "__rustls") {
            assert_eq!(error.kind(), &ErrorKind::Unsupported, "{error}");
            continue;
        }
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::InvalidConfig, Phase::Prepare), "{row}: {error}");
        let text = support::chain(&error);
        assert!(text.contains(word), "{row}: {text}");
    }
}

/// TLS-09: a folder of certificates, with links and other files in it.
#[test]
fn folders_of_roots() {
    let (root, other) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    let tls = || TlsConfig::builder().root_dir(folder.path()).build();
    assert_eq!(tls().unwrap_err().kind(), &ErrorKind::InvalidConfig, "an empty folder");
    write("README", b"nothing here");
    write("other.pem", other.pem().as_bytes());
    write("5f1a9d3c.0", root.pem().as_bytes());
    write("again.pem", root.pem().as_bytes());
    write("other.der", &other.der());
    std::fs::create_dir(folder.path().join("private")).unwrap();
    let server = TlsServer::new(root.server(), echo_path);
    assert_eq!(get(&server.pool(&tls().unwrap()), "/"), "/");
    assert_eq!(tls().unwrap(), tls().unwrap());
    write("broken.pem", b"-----BEGIN CERTIFICATE-----\nMAA\n");
    let error = tls().unwrap_err();
    assert!(error.to_string().contains("broken.pem"), "{error}");
}

/// TLS-22: the secrets of each connection, for their owner alone.
#[cfg(feature = "__rustls")]
#[test]
fn key_logs() {
    let root = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let lines = Arc::new(Mutex::new(String::new()));
    let builder = TlsConfig::builder().root_pem(root.pem()).key_log_file(&path).key_log({
        let lines = lines.clone();
        move |line| {
            *lines.lock().unwrap() += &format!("{line}\n");
            panic!("a connection does not end by this");
        }
    });
    let tls = builder.clone().build().unwrap();
    for versions in BOTH {
        let server = TlsServer::new(root.leaf(&here()).server(versions), echo_path);
        assert_eq!(get(&server.pool(&tls), "/"), "/");
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(*lines.lock().unwrap(), text);
    assert_eq!(builder.clone().build().unwrap(), tls, "the same function");
    assert_ne!(builder.key_log(|_| ()).build().unwrap(), tls, "another one");
    for label in ["CLIENT_RANDOM ", "CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "] {
        assert!(text.lines().any(|line| line.starts_with(label) && line.split(' ').count() == 3), "{label}: {text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// Two configurations share connections if no setting differs, and otherwise never.
#[test]
fn which_configurations_share_connections() {
    let root = Authority::new();
    let leaf = root.leaf(&here());
    let server = TlsServer::new(leaf.server(rustls::ALL_VERSIONS), echo_path);
    let folder = tempfile::tempdir().unwrap();
    let base = || TlsConfig::builder().root_pem(root.pem());
    let alone = || TlsConfig::builder();
    let list = root.revoked(&[], (2020, 2900));
    let listed = || base().revocation_list_pem(&*list);
    let pin = Fingerprint::from(digest(&leaf.der()));
    let client = root.leaf(&[dns("client.test")]);
    type Make<'a> = Box<dyn Fn() -> TlsConfigBuilder + 'a>;
    let all = [TlsBackend::RustlsRing, TlsBackend::RustlsAwsLcRs, TlsBackend::NativeTls];
    let is_other = |other: &TlsBackend| *other != TlsBackend::default() && other.is_available();
    // Where there is no other one, this one cannot be built.
    let missing = if cfg!(feature = "native-tls") { TlsBackend::RustlsRing } else { TlsBackend::NativeTls };
    let other = all.into_iter().find(is_other).unwrap_or(missing);
    let settings: Vec<(&str, Make<'_>)> = vec![
        ("roots", Box::new(base)),
        ("more roots", Box::new(|| base().root_pem(Authority::new().pem()))),
        ("the system's roots", Box::new(|| base().system_roots(true))),
        ("a trusted certificate", Box::new(|| alone().trusted_certificate_pem(leaf.pem()))),
        ("verification off", Box::new(|| base().danger_accept_invalid_certs(true))),
        ("any name", Box::new(|| base().danger_accept_invalid_hostnames(true))),
        ("a pin", Box::new(|| base().fingerprint(pin.clone()))),
        ("another pin", Box::new(|| base().fingerprint(pin.clone()).fingerprint([7; 32]))),
        ("a pin alone", Box::new(|| base().assert_fingerprint(pin.clone()))),
        ("a server name", Box::new(|| base().server_name("localhost"))),
        ("an asserted name", Box::new(|| base().assert_hostname("localhost"))),
        ("no name", Box::new(|| base().send_server_name(false))),
        ("a client certificate", Box::new(|| base().client_cert_pem(client.pem()).client_key_pem(client.key_pem()))),
        ("a lowest version", Box::new(|| base().min_version(TlsVersion::V1_2))),
        ("a highest version", Box::new(|| base().max_version(TlsVersion::V1_3))),
        ("a list", Box::new(listed)),
        ("a strict list", Box::new(|| listed().refuse_unknown_revocation(true))),
        ("a patient list", Box::new(|| listed().accept_expired_revocation_lists(true))),
        ("a short list", Box::new(|| listed().check_revocation_of_server_alone(true))),
        ("a key log", Box::new(|| base().key_log_file(folder.path().join("keys")))),
        ("another library", Box::new(|| base().backend(other))),
    ];
    let pools = hostpool::PoolManager::builder().num_pools(None).maxsize(100).retries(Retry::off()).build().unwrap();
    let mut held = Vec::new();
    // Some of them cannot be built without rustls, and one without another library.
    let can_be = |(row, builder): &&(&str, Make<'_>)| match builder().build() {
        Ok(_) => true,
        Err(error) => {
            let lacks = !cfg!(feature = "__rustls") || *row == "another library";
            assert!(lacks && error.kind() == &ErrorKind::Unsupported, "{row}: {error}");
            false
        }
    };
    for (number, (row, builder)) in settings.iter().filter(can_be).enumerate() {
        let context = |tls: TlsConfig| hostpool::PoolContext::new(server.url()).unwrap().tls(tls);
        let one = builder().build().unwrap();
        assert_eq!(get(&pools.connection_from_context(context(one.clone())).unwrap(), "/"), "/", "{row}");
        assert_eq!(server.seen.accepted(), number + 1, "{row}: no other one's connection");
        if *row != "more roots" {
            let again = builder().build().unwrap();
            assert_eq!(again, one, "{row}");
            assert_eq!(get(&pools.connection_from_context(context(again)).unwrap(), "/"), "/", "{row}");
            assert_eq!(server.seen.accepted(), number + 1, "{row}: built anew, and the same");
        }
        held.push(one);
    }
}

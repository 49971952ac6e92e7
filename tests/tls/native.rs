//! native-tls beside rustls: the choice, and what it cannot do.

use super::*;
use hostpool::{TlsBackend, TlsConfigBuilder, TlsVersion};
use tls::Leaf;

fn native() -> TlsConfigBuilder {
    TlsConfig::builder().backend(TlsBackend::NativeTls)
}

/// Who does TLS is chosen for each configuration. A configuration that names the default is the default one.
#[test]
fn the_choice() {
    let authority = Authority::new();
    let server = TlsServer::new(authority.server(), echo_path);
    let mut taken = Vec::new();
    for backend in [TlsBackend::RustlsRing, TlsBackend::RustlsAwsLcRs, TlsBackend::NativeTls] {
        let built = TlsConfig::builder().backend(backend).root_der(authority.der()).build();
        let tls = match built {
            Ok(tls) => tls,
            Err(error) => {
                assert!(!backend.is_available(), "{backend}: {error}");
                assert_eq!(error.kind(), &ErrorKind::Unsupported, "{backend}");
                continue;
            }
        };
        assert_eq!(tls == authority.trusted(), backend == TlsBackend::default(), "{backend}");
        let response = server.pool(&tls).get("/").send().unwrap();
        let info = response.connection().unwrap().tls.unwrap();
        assert_eq!((info.version, info.verified), (Some(TlsVersion::V1_3), true), "{backend}");
        assert_eq!(info.cipher.is_none(), backend == TlsBackend::NativeTls, "{backend}");
        assert!(format!("{tls:?}").contains(&backend.to_string()), "{tls:?}");
        taken.push(tls);
    }
    assert_eq!(server.seen.accepted(), taken.len());
}

/// An option is never without effect.
#[test]
fn what_it_cannot_do() {
    let root = Authority::new();
    let trusted = || native().root_pem(root.pem());
    let leaf = root.leaf(&[ip("127.0.0.1")]);
    let own = Leaf::self_signed(&[ip("127.0.0.1")], |_| ());
    let folder = tempfile::tempdir().unwrap();
    let between = root.intermediate("between");
    let exactly = |leaf: &Leaf| native().trusted_certificate_pem(leaf.pem());
    let table = [
        ("a revocation list", trusted().revocation_list_pem(root.revoked(&[], (2020, 2900))), "revocation"),
        ("a key log", trusted().key_log_file(folder.path().join("keys")), "key log"),
        ("a name to compare", trusted().assert_hostname("a.test"), "server_name"),
        ("one certificate and roots", exactly(&own).root_pem(root.pem()), "beside roots"),
        ("one certificate and the system", exactly(&own).system_roots(true), "beside roots"),
        ("one certificate that is issued", exactly(&leaf), "self-signed"),
        ("a root that is issued", native().root_pem(between.pem()), "self-signed"),
    ];
    for (row, builder, words) in table {
        let error = builder.build().expect_err(row);
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Unsupported, Phase::Prepare), "{row}: {error}");
        assert!(error.to_string().contains(words), "{row}: {error}");
    }
    // It completes the chain.
    assert!(trusted().root_pem(between.pem()).build().is_ok());
    let table = [
        ("a version below the default", trusted().max_version(TlsVersion::V1_1), "set both"),
        // OpenSSL takes it for every name that ends so.
        ("a name that begins with a dot", trusted().server_name(".localhost"), "cannot be a name"),
        ("a name that is too long", trusted().server_name(vec!["a"; 150].join(".")), "a.a.a.a.a"),
        ("a password with a NUL", trusted().client_pkcs12(*b"0", "a\0b"), "NUL"),
    ];
    for (row, builder, words) in table {
        let error = builder.build().expect_err(row);
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::InvalidConfig, Phase::Prepare), "{row}: {error}");
        assert!(error.to_string().contains(words), "{row}: {error}");
    }
    let stranger = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let error = trusted().client_cert_pem(leaf.pem()).client_key_pem(stranger).build().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidConfig, "{error}");
    assert!(error.to_string().contains("does not belong"), "{error}");
}

/// What is trusted by itself, and what the rules after the handshake refuse.
#[test]
fn certificates_by_themselves() {
    let here = [ip("127.0.0.1"), dns("localhost")];
    let root = Authority::new();
    let issued = root.leaf(&here);
    let own = Leaf::self_signed(&here, |_| ());
    let old = Leaf::self_signed(&here, |params| params.not_after = rcgen::date_time_ymd(2002, 1, 1));
    let other = Leaf::self_signed(&[dns("a.test")], |_| ());
    let exactly = |pem: String| native().trusted_certificate_pem(pem);
    let any_name = |pem: String| exactly(pem).danger_accept_invalid_hostnames(true);
    let compared = |name: &str| native().root_pem(root.pem()).send_server_name(false).assert_hostname(name);
    let table = [
        ("self-signed", exactly(own.pem()), &own, None),
        ("another one", exactly(own.pem()), &issued, Some(TlsFault::UntrustedIssuer)),
        ("what it has signed", exactly(root.pem()), &issued, Some(TlsFault::UntrustedIssuer)),
        ("expired", exactly(old.pem()), &old, Some(TlsFault::Expired)),
        ("another name", exactly(other.pem()), &other, Some(TlsFault::WrongName)),
        ("any name", any_name(other.pem()), &other, None),
        ("any name, issued", any_name(issued.pem()), &issued, None),
        ("any name, another one", any_name(own.pem()), &issued, Some(TlsFault::UntrustedIssuer)),
        ("any name, what it has signed", any_name(root.pem()), &issued, Some(TlsFault::UntrustedIssuer)),
        ("any name, expired", any_name(old.pem()), &old, Some(TlsFault::Expired)),
        ("compared", compared("localhost"), &issued, None),
        ("compared with another", compared("a.test"), &issued, Some(TlsFault::WrongName)),
    ];
    for (row, builder, leaf, fault) in table {
        for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
            let server = TlsServer::new(leaf.server(versions), echo_path);
            let pool = server.pool(&builder.clone().build().unwrap());
            let result = pool.get("/").send();
            let found = result.as_ref().err().and_then(|error| error.tls_failure()).map(|failure| failure.fault());
            assert_eq!((result.is_err(), found), (fault.is_some(), fault), "{row}: {result:?}");
            if let Err(error) = result {
                assert_refused(row, &pool, &error, ErrorKind::Tls);
                assert_eq!(server.seen.requests(), [], "{row}");
                if versions[0].version == rustls::ProtocolVersion::TLSv1_3 {
                    // Not even the client's last message of the handshake left.
                    support::eventually("the server sees the end", || !server.seen.errors().is_empty());
                    assert_eq!(server.seen.handshakes(), [], "{row}");
                }
            }
        }
    }
}

/// A common name is no name, although OpenSSL takes it for one.
#[test]
fn common_names() {
    let root = Authority::new();
    let named = |names: &[rcgen::SanType]| {
        root.leaf_with(names, |params| params.distinguished_name.push(rcgen::DnType::CommonName, "localhost"))
    };
    for (row, names, right) in [
        ("alone", vec![], false),
        ("beside an address", vec![ip("127.0.0.1")], false),
        ("beside another name", vec![dns("a.test")], false),
        ("beside the name", vec![dns("localhost"), ip("127.0.0.1")], true),
    ] {
        let server = TlsServer::new(named(&names).server(rustls::ALL_VERSIONS), echo_path);
        let tls = native().root_pem(root.pem()).build().unwrap();
        let pool = pool_to("https://localhost", &server, Fault::None, &tls);
        match pool.get("/").send() {
            Ok(_) => assert!(right, "{row}"),
            Err(error) => {
                assert!(!right, "{row}: {error}");
                assert_refused(row, &pool, &error, ErrorKind::Tls);
                assert_eq!(error.tls_failure().unwrap().fault(), TlsFault::WrongName, "{row}");
            }
        }
    }
}

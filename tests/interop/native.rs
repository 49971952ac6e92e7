//! native-tls with OpenSSL's server: what rustls does not have.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use hostpool::{ErrorKind, Phase, TlsBackend, TlsConfigBuilder, TlsFault, TlsVersion};

use crate::support;
use crate::tls::{Folder, OpenSsl, fault, pool};

fn native(builder: TlsConfigBuilder) -> TlsConfigBuilder {
    builder.backend(TlsBackend::NativeTls)
}

/// The variable that leads a child to the folder of the test.
const FOLDER: &str = "HOSTPOOL_TEST_FOLDER";
const ADDRESS: &str = "HOSTPOOL_TEST_ADDRESS";

/// Runs an ignored test in another process, with a configuration of OpenSSL that has this level of security. Level 0
/// allows everything.
fn child(test: &str, level: u8, folder: &Folder, server: &OpenSsl, more: &[(&str, &str)]) {
    let configuration = format!(
        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMinProtocol = TLSv1\n\
         CipherString = DEFAULT:@SECLEVEL={level}\n"
    );
    std::fs::write(folder.path("openssl.cnf"), configuration).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("native::{test}"), "--ignored", "--nocapture"])
        .env("OPENSSL_CONF", folder.path("openssl.cnf"))
        .env(FOLDER, folder.path(""))
        .env(ADDRESS, server.address.to_string())
        .envs(more.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// TLS 1.0 and 1.1 where the caller and the system allow them. This system's OpenSSL does not without being told.
#[test]
fn old_versions() {
    let Some(folder) = Folder::new() else { return };
    for (option, version) in
        [("-tls1", "TLSv1"), ("-tls1_1", "TLSv1.1"), ("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")]
    {
        let server = folder.server("server", &[option, "-www"]);
        child("a_version", 0, &folder, &server, &[("HOSTPOOL_TEST_VERSION", version)]);
        if option == "-tls1" {
            // Not by default, whatever the system allows.
            let error = pool(server.address, native(folder.trusted())).get("/").send().unwrap_err();
            assert_eq!(fault(&error), Some(TlsFault::NoSharedVersion), "{}", support::chain(&error));
        }
    }
}

#[test]
#[ignore = "the child of another test"]
fn a_version() {
    let Ok(name) = std::env::var("HOSTPOOL_TEST_VERSION") else { return };
    let root = std::path::Path::new(&std::env::var(FOLDER).unwrap()).join("ca.pem");
    let tls = native(hostpool::TlsConfig::builder()).root_file(root).min_version(TlsVersion::V1_0);
    let pool = pool(std::env::var(ADDRESS).unwrap().parse().unwrap(), tls);
    let response = pool.get("/").send().unwrap_or_else(|error| panic!("{}", support::chain(&error)));
    let version = response.connection().unwrap().tls.unwrap().version.unwrap();
    assert_eq!(version.to_string(), if name == "TLSv1" { "TLS 1.0".to_owned() } else { name.replace("TLSv", "TLS ") });
    let page = response.text().unwrap();
    assert!(page.contains(&format!("Protocol  : {name}\n")) || page.contains(&format!("{name}, ")), "{page}");
}

/// What is weak is refused where the system says so, and a server without a certificate by everybody.
#[test]
fn weak_certificates() {
    let Some(folder) = Folder::new() else { return };
    let name = "subjectAltName=IP:127.0.0.1";
    folder.leaf("sha1", "rsa:2048", "ca", name, &["-sha1"]);
    folder.leaf("short", "rsa:1024", "ca", name, &["-sha256"]);
    for version in ["-tls1_2", "-tls1_3"] {
        for name in ["sha1", "short"] {
            let server = folder.server(name, &[version, "-www"]);
            child("a_weak_certificate", 2, &folder, &server, &[]);
        }
    }
    let nobody = folder.server("server", &["-tls1_2", "-nocert", "-cipher", "aNULL:@SECLEVEL=0", "-www"]);
    for builder in [folder.trusted(), folder.trusted().danger_accept_invalid_certs(true)] {
        for builder in [builder.clone(), native(builder)] {
            let error = pool(nobody.address, builder).get("/").send().unwrap_err();
            assert_eq!((error.phase(), error.maybe_processed()), (Phase::Tls, false), "{error}");
            assert_eq!(fault(&error), Some(TlsFault::NoSharedCipher), "{}", support::chain(&error));
        }
    }
}

#[test]
#[ignore = "the child of another test"]
fn a_weak_certificate() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let address = address.parse().unwrap();
    let root = std::path::Path::new(&std::env::var(FOLDER).unwrap()).join("ca.pem");
    let error = pool(address, native(hostpool::TlsConfig::builder()).root_file(root)).get("/").send().unwrap_err();
    assert_eq!((error.phase(), error.maybe_processed()), (Phase::Tls, false), "{error}");
    assert_eq!(fault(&error), Some(TlsFault::UnsupportedAlgorithm), "{}", support::chain(&error));
    let any = native(hostpool::TlsConfig::builder()).danger_accept_invalid_certs(true);
    pool(address, any).get("/").send().unwrap_or_else(|error| panic!("{}", support::chain(&error)));
}

/// The roots of the system are those that its library reads.
#[test]
fn roots_of_the_system() {
    let Some(folder) = Folder::new() else { return };
    let server = folder.server("server", &["-www"]);
    child("the_system", 0, &folder, &server, &[("SSL_CERT_FILE", folder.path("ca.pem").to_str().unwrap())]);
    let untrusted = native(hostpool::TlsConfig::builder());
    let error = pool(server.address, untrusted).get("/").send().unwrap_err();
    assert_eq!(fault(&error), Some(TlsFault::UntrustedIssuer));
}

#[test]
#[ignore = "the child of another test"]
fn the_system() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let tls = native(hostpool::TlsConfig::builder());
    let response = pool(address.parse().unwrap(), tls).get("/").send();
    assert_eq!(response.unwrap_or_else(|error| panic!("{}", support::chain(&error))).status(), 200);
}

/// The client's certificate in every form that `openssl` writes, PKCS #12 among them.
#[test]
fn client_certificates() {
    let Some(folder) = Folder::new() else { return };
    folder.leaf("curve", "ec:P-384", "ca", "extendedKeyUsage=clientAuth", &["-sha256"]);
    folder.run(&["rsa", "-in", "client.key", "-traditional", "-out", "client.pkcs1"]);
    folder.run(&["rsa", "-in", "client.key", "-traditional", "-outform", "DER", "-out", "client.pkcs1.der"]);
    folder.run(&["pkcs8", "-topk8", "-nocrypt", "-in", "client.key", "-outform", "DER", "-out", "client.pkcs8.der"]);
    folder.run(&["ec", "-in", "curve.key", "-out", "curve.sec1"]);
    folder.run(&["x509", "-in", "client.pem", "-outform", "DER", "-out", "client.der"]);
    for name in ["client", "curve"] {
        let (key, pem, p12) = (format!("{name}.key"), format!("{name}.pem"), format!("{name}.p12"));
        let password = ["-passout", "pass:secret", "-out"];
        folder.run(
            &[&["pkcs12", "-export", "-inkey", &key, "-in", &pem, "-certfile", "ca.pem"], &password[..], &[&p12]]
                .concat(),
        );
    }
    let trusted = || native(folder.trusted());
    let by = |certificate: &str, key: &str| {
        trusted().client_cert_file(folder.path(certificate)).client_key_file(folder.path(key))
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let server =
            folder.server("server", &[version, "-www", "-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem"]);
        let table = [
            ("PKCS #8", by("client.pem", "client.key")),
            ("PKCS #1", by("client.pem", "client.pkcs1")),
            ("PKCS #1 in DER", by("client.pem", "client.pkcs1.der")),
            ("all in DER", by("client.der", "client.pkcs8.der")),
            ("a curve", by("curve.pem", "curve.key")),
            ("SEC1", by("curve.pem", "curve.sec1")),
            ("PKCS #12", trusted().client_pkcs12_file(folder.path("client.p12"), "secret")),
            ("PKCS #12 of a curve", trusted().client_pkcs12(folder.read("curve.p12"), "secret")),
        ];
        for (row, tls) in table {
            let page = pool(server.address, tls).get("/").send();
            let page = page.unwrap_or_else(|error| panic!("{row} {version}: {}", support::chain(&error)));
            assert!(page.text().unwrap().contains("Client certificate"), "{row} {version}");
        }
        for method in ["GET", "POST"] {
            let pool = pool(server.address, trusted());
            let error = pool.request(method.parse().unwrap(), "/").data("secret").send().unwrap_err();
            assert_eq!(fault(&error), Some(TlsFault::ClientCertificateRequired), "{version}");
            assert!(!error.maybe_processed(), "{version}: {error:?}");
            assert_eq!(pool.stats().created + pool.stats().dial_failures, 1, "{version}: not tried again");
        }
    }

    let file = |password: &str| trusted().client_pkcs12_file(folder.path("client.p12"), password);
    let wrong = [
        ("a wrong password", file("wrong"), "password"),
        ("PEM", trusted().client_pkcs12_file(folder.path("client.pem"), "secret"), "CERTIFICATE"),
        ("garbage", trusted().client_pkcs12(*b"garbage", "secret"), "cannot be read"),
        ("a missing file", trusted().client_pkcs12_file(folder.path("none.p12"), "secret"), "none.p12"),
        ("a key beside it", file("secret").client_key_file(folder.path("client.key")), "beside"),
    ];
    for (row, tls, words) in wrong {
        let error = tls.build().expect_err(row);
        assert_eq!(error.kind(), &ErrorKind::InvalidConfig, "{row}: {error}");
        let text = support::chain(&error);
        assert!(text.contains(words) && !format!("{error:?}{text}").contains("secret"), "{row}: {text}");
    }
    let error = folder.trusted().client_pkcs12(folder.read("client.p12"), "secret").build().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unsupported, "rustls");
}

/// T1: the server asks for another handshake after the request, to get a client certificate, as IIS does.
#[test]
fn a_server_that_renegotiates() {
    let Some(folder) = Folder::new() else { return };
    let mut server = folder.server("server", &["-tls1_2", "-verify", "1", "-CAfile", "ca.pem"]);
    let tls =
        native(folder.trusted()).client_cert_file(folder.path("client.pem")).client_key_file(folder.path("client.key"));
    let pool = pool(server.address, tls);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| pool.get("/wanted").send());
        server.wait_for("GET /wanted");
        server.stdin.write_all(b"R\n").unwrap();
        server.wait_for("SSL_do_handshake -> 1");
        server.stdin.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        let response = call.join().unwrap().unwrap_or_else(|error| panic!("{}", support::chain(&error)));
        assert_eq!(response.text().unwrap(), "ok");
    });
}

/// The server asks for another handshake while the client sends, and nobody reads what it has sent already.
#[test]
fn a_server_that_renegotiates_in_a_request() {
    const LEN: usize = 3_000_000;
    let Some(folder) = Folder::new() else { return };
    let mut server = folder.server("server", &["-tls1_2", "-naccept", "1"]);
    let pool = pool(server.address, native(folder.trusted()));
    std::thread::scope(|scope| {
        let call = scope.spawn(|| pool.put("/").data(vec![b'~'; LEN]).send());
        // What is not read here fills the pipe, then the sockets.
        let mut buf = vec![0; 1000];
        server.stdout.read_exact(&mut buf).unwrap();
        server.stdin.write_all(b"R\n").unwrap();
        server.stdin.flush().unwrap();
        let mut seen = buf.iter().filter(|byte| **byte == b'~').count();
        while seen < LEN {
            let len = server.stdout.read(&mut buf).unwrap();
            assert!(len > 0, "the server ended");
            seen += buf[..len].iter().filter(|byte| **byte == b'~').count();
        }
        server.stdin.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        let response = call.join().unwrap().unwrap_or_else(|error| panic!("{}", support::chain(&error)));
        assert_eq!(response.text().unwrap(), "ok");
    });
}

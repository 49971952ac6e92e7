//! Certificates that fail, handshakes that break off, and stores that the environment names.

#[cfg(feature = "native-roots")]
use std::process::{Child, Command, Stdio};

use hostpool::{ConnectionPool, ErrorKind, Method, Phase, PoolManager, Retry, Session, TlsConfig};

use super::is_short;
use crate::support::{Server, Step, chain, ok};
#[cfg(feature = "native-roots")]
use crate::tls::ip;
use crate::tls::{Authority, TlsServer, dns};

/// The clients that trust `tls`, each with the retries that the pools have by default.
fn send(number: usize, url: &str, tls: &TlsConfig) -> (&'static str, hostpool::Result<hostpool::Response>) {
    let target = format!("{url}/");
    match number {
        0 => {
            let session = Session::builder().tls(tls.clone()).retries(Retry::default()).build().unwrap();
            ("session", session.get(&target).send())
        }
        1 => ("manager", PoolManager::builder().tls(tls.clone()).build().unwrap().get(&target).send()),
        _ => ("pool", ConnectionPool::builder(url).tls(tls.clone()).build().unwrap().request(Method::GET, "/").send()),
    }
}

#[test]
fn certificates_that_fail_are_asked_for_once() {
    let authority = Authority::new();
    let other_name = authority.leaf(&[dns("other.test")]);
    let table = [
        ("RW-31 nobody trusts it", Authority::new().server()),
        ("RW-31 another name", other_name.server(rustls::ALL_VERSIONS)),
    ];
    for (row, config) in table {
        let server = TlsServer::new(config, |peer| peer.request().map(drop));
        for number in 0..3 {
            let before = server.seen.accepted();
            let (client, response) = send(number, &server.url(), &authority.trusted());
            let error = response.unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Tls, Phase::Tls), "{row}, {client}: {error}");
            assert_eq!(server.seen.accepted() - before, 1, "{row}, {client}");
            assert!(error.retries().is_empty(), "{row}, {client}");
        }
    }
}

/// A failure that may be over is tried again; a decision of the peer is not.
#[test]
fn handshakes_that_break_off() {
    let alert = |code: u8| vec![Step::Bytes(1), Step::Send(vec![0x15, 3, 3, 0, 2, 2, code]), Step::UntilClosed];
    let table = [
        ("RW-31 closed", vec![Step::Bytes(1)], 4),
        ("RW-31 reset", vec![Step::Bytes(1), Step::Reset], 4),
        ("RW-31 cut within a record", vec![Step::Bytes(1), Step::Send(vec![0x16, 3, 3, 0]), Step::HalfClose], 4),
        ("RW-31 handshake_failure", alert(40), 1),
        ("RW-31 unknown_ca", alert(48), 1),
        ("RW-31 access_denied", alert(49), 1),
        ("RW-31 protocol_version", alert(70), 1),
        ("RW-31 unrecognized_name", alert(112), 1),
        ("RW-31 certificate_required", alert(116), 1),
        ("RW-31 internal_error", alert(80), 4),
        ("RW-31 no TLS", vec![Step::Bytes(1), Step::Send(ok("plain")), Step::UntilClosed], 1),
    ];
    let tls = Authority::new().trusted();
    for (row, script, dialled) in table {
        let server = Server::with(move |_| script.clone());
        for number in 0..3 {
            let before = server.seen.accepted();
            let (client, response) = send(number, &format!("https://{}", server.addr), &tls);
            let error = response.unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Tls, Phase::Tls), "{row}, {client}: {error}");
            assert_eq!(server.seen.accepted() - before, dialled, "{row}, {client}: {error}");
        }
    }
}

#[test]
fn a_certificate_of_many_names() {
    let authority = Authority::new();
    let names: Vec<_> = (0..3000).map(|number| dns(&format!("n{number}.test"))).collect();
    let server = TlsServer::new(authority.leaf(&names).server(rustls::ALL_VERSIONS), |peer| peer.request().map(drop));
    for number in 0..3 {
        let (client, response) = send(number, &server.url(), &authority.trusted());
        let error = response.unwrap_err();
        let fault = error.tls_failure().map(|failure| failure.fault());
        assert_eq!(fault, Some(hostpool::TlsFault::WrongName), "RW-36 {client}: {}", chain(&error));
        is_short(client, &error);
    }
}

// The environment belongs to the process: each row is a child of its own.

const URL: &str = "HOSTPOOL_TEST_URL";
const NAMED: &str = "HOSTPOOL_TEST_NAMED";

/// Runs one ignored test of this binary.
#[cfg(feature = "native-roots")]
fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("urls::trust::{test}"), "--ignored", "--nocapture"]);
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").stdout(Stdio::null());
    command
}

#[cfg(feature = "native-roots")]
fn ended_well(row: &str, mut child: Child) {
    assert!(child.wait().unwrap().success(), "{row}");
}

#[cfg(feature = "native-roots")]
#[test]
fn stores_that_the_environment_names() {
    let authority = Authority::new();
    let server = TlsServer::new(authority.leaf(&[ip("127.0.0.1")]).server(rustls::ALL_VERSIONS), |peer| {
        peer.request()?;
        peer.send(ok("fine"))
    });
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        at(name)
    };
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAAAAAAAAAAAAAAAAAAAAAA\n-----END CERTIFICATE-----\n";
    let good = write("good.pem", &authority.pem());
    write("dir/good.pem", &authority.pem());
    write("none/README", "nothing here");
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let (file, dir) = (Some("SSL_CERT_FILE"), Some("SSL_CERT_DIR"));
    let both = std::env::join_paths([at("missing"), at("dir")]).unwrap().into_string().unwrap();
    // SSL_CERT_FILE, SSL_CERT_DIR, and which of them the error names.
    let table = [
        ("RW-05 missing file", Some(at("missing")), None, file),
        ("RW-05 empty file", Some(write("empty.pem", "")), None, file),
        ("RW-05 no certificate in it", Some(write("text.pem", "no certificate")), None, file),
        ("RW-05 one that is none", Some(write("bad.pem", garbage)), None, file),
        ("RW-05 a directory", Some(at("dir")), None, file),
        ("RW-05 empty variable", Some(String::new()), None, file),
        ("RW-05 missing file, good directory", Some(at("missing")), Some(at("dir")), file),
        ("RW-05 missing directory", None, Some(at("missing")), dir),
        ("RW-05 empty directory", None, Some(at("empty")), dir),
        ("RW-05 directory without a certificate", None, Some(at("none")), dir),
        ("RW-05 empty variable of directories", None, Some(String::new()), dir),
        ("RW-05 good file", Some(good.clone()), None, None),
        ("RW-05 good directory", None, Some(at("dir")), None),
        ("RW-05 the second directory", None, Some(both), None),
        ("RW-05 good file, missing directory", Some(good.clone()), Some(at("missing")), None),
        // How the search of directories is turned off.
        ("RW-05 good file, empty directory", Some(good), Some(at("empty")), None),
    ];
    for (row, file, dir, named) in table {
        let before = server.seen.accepted();
        let mut command = child("with_the_store_of_the_environment");
        command.env(URL, server.url()).env(NAMED, named.unwrap_or_default());
        file.map(|file| command.env("SSL_CERT_FILE", file));
        dir.map(|dir| command.env("SSL_CERT_DIR", dir));
        ended_well(row, command.spawn().unwrap());
        let dialled = if named.is_none() { 2 } else { 0 };
        assert_eq!(server.seen.accepted() - before, dialled, "{row}: nobody is connected to in vain");
    }
}

#[test]
#[ignore = "the child of another test"]
fn with_the_store_of_the_environment() {
    let (Ok(url), Ok(named)) = (std::env::var(URL), std::env::var(NAMED)) else { return };
    let with_own = TlsConfig::builder().root_pem(Authority::new().pem()).system_roots(true).build().unwrap();
    for tls in [TlsConfig::default(), with_own] {
        for number in 0..if named.is_empty() { 1 } else { 3 } {
            let (client, response) = send(number, &url, &tls);
            match response {
                Ok(response) => assert_eq!((response.text().unwrap(), &*named), ("fine".to_owned(), ""), "{client}"),
                Err(error) => {
                    assert!(!named.is_empty() && error.to_string().contains(&named), "{client}: {error}");
                    assert!(matches!(error.kind(), ErrorKind::InvalidConfig), "{client}: {error}");
                    assert!(!error.maybe_processed() && error.retries().is_empty(), "{client}: {error}");
                    is_short(client, &error);
                }
            }
        }
    }
}

/// RW-05: a store that could not be read once, for lack of descriptors, is read when it can be.
#[cfg(all(feature = "native-roots", target_os = "linux"))]
#[test]
fn a_store_that_cannot_be_read_for_a_while() {
    let authority = Authority::new();
    let server = TlsServer::new(authority.leaf(&[ip("127.0.0.1")]).server(rustls::ALL_VERSIONS), |peer| {
        peer.request()?;
        peer.send(ok("fine"))
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good.pem");
    std::fs::write(&path, authority.pem()).unwrap();
    for (row, name) in [("a file", "SSL_CERT_FILE"), ("a directory", "SSL_CERT_DIR")] {
        let before = server.seen.accepted();
        let value = if name == "SSL_CERT_FILE" { &*path } else { folder.path() };
        let child = child("with_few_descriptors").env(URL, server.url()).env(NAMED, name).env(name, value).spawn();
        ended_well(row, child.unwrap());
        assert_eq!(server.seen.accepted() - before, 1, "RW-05 {row}");
    }
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "the child of another test"]
fn with_few_descriptors() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let (Ok(url), Ok(named)) = (std::env::var(URL), std::env::var(NAMED)) else { return };
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
    let tls = TlsConfig::default();
    let taken: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    let (client, response) = send(2, &url, &tls);
    let error = response.unwrap_err();
    drop(taken);
    assert_eq!(error.kind(), &ErrorKind::Connect, "{client}: {error}");
    assert!(chain(&error).contains(&std::env::var(named).unwrap()), "{client}: {error}");
    let (client, response) = send(2, &url, &tls);
    assert_eq!(response.unwrap().text().unwrap(), "fine", "{client}");
}

//! Real TLS servers: OpenSSL's, nginx and stunnel; and certificates and keys as the program `openssl` writes them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use hostpool::{ConnectionPool, Error, ErrorKind, Retry, TlsConfig, TlsConfigBuilder, TlsFault, TlsVersion};

use crate::support::{self, GIVE_UP, Server, Step, eventually, ok};
use crate::{Process, free_port, program};

const OPENSSL: [&str; 1] = ["openssl"];
const NGINX: [&str; 3] = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"];
const STUNNEL: [&str; 2] = ["stunnel4", "stunnel"];

/// A folder with certificates and keys that `openssl` has made.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    /// Returns `None` if the program is not installed.
    pub(crate) fn new() -> Option<Folder> {
        program("openssl", &OPENSSL, "version")?;
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.authority("ca", "rsa:2048");
        folder.leaf("server", "rsa:2048", "ca", "subjectAltName=IP:127.0.0.1", &["-sha256"]);
        folder.leaf("client", "rsa:2048", "ca", "extendedKeyUsage=clientAuth", &["-sha256"]);
        Some(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str]) {
        let output = Command::new(OPENSSL[0]).args(arguments).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn key(&self, name: &str, kind: &str) {
        let key = format!("{name}.key");
        match kind.split_once(':').unwrap() {
            ("rsa", bits) => {
                self.run(&[
                    "genpkey",
                    "-algorithm",
                    "RSA",
                    "-pkeyopt",
                    &format!("rsa_keygen_bits:{bits}"),
                    "-out",
                    &key,
                ]);
            }
            (_, curve) => {
                self.run(&[
                    "genpkey",
                    "-algorithm",
                    "EC",
                    "-pkeyopt",
                    &format!("ec_paramgen_curve:{curve}"),
                    "-out",
                    &key,
                ]);
            }
        }
    }

    pub(crate) fn authority(&self, name: &str, kind: &str) {
        self.key(name, kind);
        let (key, pem, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
        self.run(&["req", "-x509", "-key", &key, "-subj", &subject, "-days", "9", "-sha256", "-out", &pem]);
    }

    /// A certificate of the authority, of version 3 if there is an extension.
    pub(crate) fn leaf(&self, name: &str, kind: &str, authority: &str, extension: &str, more: &[&str]) {
        self.key(name, kind);
        let (key, csr, pem) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let (issuer, issuer_key) = (format!("{authority}.pem"), format!("{authority}.key"));
        self.run(&["req", "-new", "-key", &key, "-subj", &format!("/CN={name}"), "-out", &csr]);
        let mut arguments = vec!["x509", "-req", "-in", &csr, "-days", "9", "-out", &pem];
        let extensions = format!("{name}.ext");
        if !extension.is_empty() {
            fs::write(self.path(&extensions), extension).unwrap();
            arguments.extend(["-extfile", &extensions]);
        }
        match authority == name {
            true => arguments.extend(["-signkey", &key]),
            false => arguments.extend(["-CA", &issuer, "-CAkey", &issuer_key, "-CAcreateserial"]),
        }
        arguments.extend(more);
        self.run(&arguments);
    }

    pub(crate) fn trusted(&self) -> TlsConfigBuilder {
        TlsConfig::builder().root_file(self.path("ca.pem"))
    }

    fn with_client(&self) -> TlsConfigBuilder {
        self.trusted().client_cert_file(self.path("client.pem")).client_key_file(self.path("client.key"))
    }

    /// Starts OpenSSL's server with this certificate. Every cipher and key is allowed.
    pub(crate) fn server(&self, name: &str, arguments: &[&str]) -> OpenSsl {
        let address = free_port();
        let mut child = Command::new(OPENSSL[0])
            .args(["s_server", "-accept", &address.to_string(), "-cert", &format!("{name}.pem")])
            .args(["-key", &format!("{name}.key"), "-cipher", "DEFAULT:@SECLEVEL=0"])
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut server = OpenSsl { _process: Process(child), address, stdin, stdout };
        server.wait_for("ACCEPT");
        server
    }
}

/// A running `openssl s_server`.
pub(crate) struct OpenSsl {
    _process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: BufReader<ChildStdout>,
}

impl OpenSsl {
    /// Waits until the server has written this.
    pub(crate) fn wait_for(&mut self, word: &str) {
        let mut line = String::new();
        while self.stdout.read_line(&mut line).unwrap() > 0 {
            if line.contains(word) {
                return;
            }
            line.clear();
        }
        panic!("the server ended without {word}");
    }
}

pub(crate) fn pool(address: SocketAddr, tls: TlsConfigBuilder) -> ConnectionPool {
    let tls = tls.build().unwrap_or_else(|error| panic!("{}", support::chain(&error)));
    ConnectionPool::builder(format!("https://{address}"))
        .tls(tls)
        .timeout(GIVE_UP)
        .retries(Retry::new(2))
        .build()
        .unwrap()
}

#[track_caller]
pub(crate) fn fault(error: &Error) -> Option<TlsFault> {
    assert_eq!(error.kind(), &ErrorKind::Tls, "{}", support::chain(error));
    error.tls_failure().map(|failure| failure.fault())
}

#[test]
fn versions_of_openssl() {
    let Some(folder) = Folder::new() else { return };
    let table = [
        ("-tls1", None),
        ("-tls1_1", None),
        ("-tls1_2", Some((TlsVersion::V1_2, "TLSv1.2"))),
        ("-tls1_3", Some((TlsVersion::V1_3, "TLSv1.3"))),
    ];
    for (option, expected) in table {
        let server = folder.server("server", &[option, "-www"]);
        let pool = pool(server.address, folder.trusted());
        match (pool.get("/").send(), expected) {
            (Ok(response), Some((version, name))) => {
                let tls = response.connection().unwrap().tls.unwrap();
                assert_eq!(tls.version, Some(version), "{option}");
                let page = response.text().unwrap();
                assert!(page.contains(name), "{option}: {page}");
                if version == TlsVersion::V1_3 {
                    assert!(page.contains(&tls.cipher.unwrap()), "the name of the cipher suite: {page}");
                }
            }
            (Err(error), None) => {
                assert_eq!(fault(&error), Some(TlsFault::NoSharedVersion), "{option}");
                assert_eq!(pool.stats().dial_failures, 1, "it would fail again");
            }
            (result, _) => panic!("{option}: {result:?}"),
        }
    }
}

/// W1, V3: what weak and unusual certificates need, and what the error says about them.
#[test]
fn certificates_of_openssl() {
    let Some(folder) = Folder::new() else { return };
    let name = "subjectAltName=IP:127.0.0.1";
    folder.leaf("sha1", "rsa:2048", "ca", name, &["-sha1"]);
    folder.leaf("short", "rsa:1024", "ca", name, &["-sha256"]);
    folder.leaf("old", "rsa:2048", "old", "", &["-sha256"]);
    folder.leaf("p521", "ec:P-521", "ca", name, &["-sha256"]);
    folder.authority("ca521", "ec:P-521");
    folder.leaf("of521", "ec:P-256", "ca521", name, &["-sha512"]);
    folder.authority("self", "ec:P-256");
    let any = || TlsConfig::builder().danger_accept_invalid_certs(true);
    for version in ["-tls1_2", "-tls1_3"] {
        let serve = |name: &str| folder.server(name, &[version, "-www"]);
        for name in ["sha1", "short", "old", "p521", "of521", "self"] {
            let server = serve(name);
            if (name, version) == ("p521", "-tls1_2") {
                // In TLS 1.2 the curves of key exchange bind certificates, too (RFC 8422, section 5.1.1), and ring has
                // no exchange on P-521.
                let error = pool(server.address, any()).get("/").send().expect_err(name);
                assert_eq!(fault(&error), Some(TlsFault::NoSharedCipher), "{version}");
                continue;
            }
            let result = pool(server.address, any()).get("/").send();
            let response = result.unwrap_or_else(|error| panic!("{name} {version}: {}", support::chain(&error)));
            assert!(!response.connection().unwrap().tls.unwrap().verified, "{name}");
        }
        let refused = |name: &str, tls: TlsConfigBuilder| {
            let server = serve(name);
            let error = pool(server.address, tls).get("/").send().expect_err(name);
            assert!(!error.maybe_processed(), "{name}");
            error
        };
        let error = refused("sha1", folder.trusted());
        assert_eq!(fault(&error), Some(TlsFault::UnsupportedAlgorithm), "{version}");
        assert_eq!(error.tls_failure().unwrap().algorithm(), Some(("RSA with SHA-1", "ring")));
        let error = refused("of521", TlsConfig::builder().root_file(folder.path("ca521.pem")));
        assert_eq!(fault(&error), Some(TlsFault::UnsupportedAlgorithm), "{version}");
        let (algorithm, _) = error.tls_failure().unwrap().algorithm().unwrap();
        assert!(algorithm.contains("SHA-512") || algorithm.contains("P-521"), "{algorithm}");
        // The server finds no signature that the client can verify.
        let error = refused("p521", folder.trusted());
        assert_eq!(fault(&error), Some(TlsFault::NoSharedCipher), "{version}");
        assert_eq!(fault(&refused("old", folder.trusted())), Some(TlsFault::InvalidCertificate), "{version}");

        // V1: of version 1, trusted by itself. It has no names.
        let exactly = |name: &str| TlsConfig::builder().trusted_certificate_file(folder.path(&format!("{name}.pem")));
        assert_eq!(fault(&refused("old", exactly("old"))), Some(TlsFault::WrongName), "{version}");
        let server = serve("old");
        let tls = exactly("old").danger_accept_invalid_hostnames(true);
        pool(server.address, tls).get("/").send().unwrap_or_else(|error| panic!("{}", support::chain(&error)));
        // `openssl req -x509` makes a certificate of an authority.
        let server = serve("self");
        let tls = exactly("self").danger_accept_invalid_hostnames(true);
        pool(server.address, tls).get("/").send().unwrap_or_else(|error| panic!("{}", support::chain(&error)));
    }
}

/// TLS-15: the fingerprints that `openssl x509` shows, and the pin of a public key as curl takes it.
#[test]
fn fingerprints_of_openssl() {
    let Some(folder) = Folder::new() else { return };
    let server = folder.server("server", &["-www"]);
    let written = |arguments: &[&str]| {
        let output = Command::new(OPENSSL[0]).args(arguments).current_dir(folder.0.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for digest in ["-md5", "-sha1", "-sha256"] {
        let line = written(&["x509", "-in", "server.pem", "-noout", "-fingerprint", digest]);
        let right = line.trim().rsplit('=').next().unwrap();
        let alone = || TlsConfig::builder().assert_fingerprint(right);
        assert_eq!(pool(server.address, alone()).get("/").send().unwrap().status(), 200, "{line}");
        let added = folder.trusted().fingerprint(right.replace(':', "").to_lowercase());
        assert_eq!(pool(server.address, added).get("/").send().unwrap().status(), 200, "{line}");
        let last = if right.ends_with('0') { "1" } else { "0" };
        let wrong = format!("{}{last}", &right[..right.len() - 1]);
        let error = pool(server.address, folder.trusted().fingerprint(wrong)).get("/").send().unwrap_err();
        assert_eq!(fault(&error), Some(TlsFault::PinMismatch), "{line}");
    }
    fs::write(folder.path("server.pub"), written(&["x509", "-in", "server.pem", "-noout", "-pubkey"])).unwrap();
    folder.run(&["pkey", "-pubin", "-in", "server.pub", "-outform", "DER", "-out", "server.spki"]);
    folder.run(&["dgst", "-sha256", "-binary", "-out", "server.digest", "server.spki"]);
    let base64 = written(&["base64", "-in", "server.digest"]);
    let pin = format!("sha256//{}", base64.trim());
    let by_key = TlsConfig::builder().assert_fingerprint(pin);
    assert_eq!(pool(server.address, by_key).get("/").send().unwrap().status(), 200);
}

/// The client's certificate in every form that `openssl` writes, and what happens without one.
#[test]
fn client_certificates_for_openssl() {
    let Some(folder) = Folder::new() else { return };
    folder.leaf("curve", "ec:P-384", "ca", "extendedKeyUsage=clientAuth", &["-sha256"]);
    folder.run(&["rsa", "-in", "client.key", "-traditional", "-out", "client.pkcs1"]);
    folder.run(&["rsa", "-in", "client.key", "-traditional", "-outform", "DER", "-out", "client.pkcs1.der"]);
    folder.run(&["pkcs8", "-topk8", "-nocrypt", "-in", "client.key", "-outform", "DER", "-out", "client.pkcs8.der"]);
    folder.run(&["ec", "-in", "curve.key", "-out", "curve.sec1"]);
    folder.run(&["ec", "-in", "curve.key", "-outform", "DER", "-out", "curve.sec1.der"]);
    folder.run(&["x509", "-in", "client.pem", "-outform", "DER", "-out", "client.der"]);
    folder.run(&["x509", "-in", "client.pem", "-text", "-addtrust", "clientAuth", "-out", "client.trusted"]);
    // With the parameters of the curve in front, as `openssl ecparam -genkey` writes them.
    let parameters = "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n".as_bytes();
    fs::write(folder.path("curve.both"), [parameters, &folder.read("curve.sec1")].concat()).unwrap();
    let by = |certificate: &str, key: &str| {
        folder.trusted().client_cert_file(folder.path(certificate)).client_key_file(folder.path(key))
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let server =
            folder.server("server", &[version, "-www", "-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem"]);
        let table = [
            ("client.pem", "client.key"),
            ("client.pem", "client.pkcs1"),
            ("client.pem", "client.pkcs1.der"),
            ("client.der", "client.pkcs8.der"),
            ("client.trusted", "client.key"),
            ("curve.pem", "curve.key"),
            ("curve.pem", "curve.sec1"),
            ("curve.pem", "curve.sec1.der"),
            ("curve.pem", "curve.both"),
        ];
        for (certificate, key) in table {
            let page = pool(server.address, by(certificate, key)).get("/").send();
            let page = page.unwrap_or_else(|error| panic!("{certificate} {key} {version}: {}", support::chain(&error)));
            assert!(page.text().unwrap().contains("Client certificate"), "{certificate} {key} {version}");
        }
        for method in ["GET", "POST"] {
            let pool = pool(server.address, folder.trusted());
            let error = pool.request(method.parse().unwrap(), "/").data("secret").send().unwrap_err();
            assert_eq!(fault(&error), Some(TlsFault::ClientCertificateRequired), "{version}");
            assert!(!error.maybe_processed(), "{version}: {error:?}");
            assert_eq!(pool.stats().created + pool.stats().dial_failures, 1, "{version}: not tried again");
        }
    }
}

/// K1: encrypted keys, and what the error says about each.
#[test]
fn encrypted_keys_of_openssl() {
    let Some(folder) = Folder::new() else { return };
    let password = ["-passout", "pass:secret"];
    let encrypt = |out: &str, more: &[&str]| {
        let arguments = [&["pkcs8", "-topk8", "-in", "client.key", "-out", out], more, &password].concat();
        folder.run(&arguments);
    };
    encrypt("aes.key", &["-v2", "aes-256-cbc"]);
    encrypt("scrypt.key", &["-scrypt", "-scrypt_N", "1024"]);
    encrypt("sha1.key", &["-v1", "PBE-SHA1-3DES"]);
    folder.run(&["rsa", "-in", "client.key", "-aes128", "-traditional", "-passout", "pass:secret", "-out", "old.key"]);
    let by = |key: &str, password: Option<&str>| {
        let builder = folder.trusted().client_cert_file(folder.path("client.pem")).client_key_file(folder.path(key));
        match password {
            Some(password) => builder.client_key_password(password),
            None => builder,
        }
        .build()
    };
    for (key, words) in [("aes.key", "no password"), ("scrypt.key", "no password"), ("old.key", "old way")] {
        let error = by(key, None).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains(words) && error.to_string().contains(key), "{error}");
    }
    if !cfg!(feature = "encrypted-keys") {
        assert_eq!(by("aes.key", Some("secret")).unwrap_err().kind(), &ErrorKind::Unsupported);
        return;
    }
    for (key, password, words) in [
        ("aes.key", "wrong", "is wrong"),
        ("scrypt.key", "wrong", "is wrong"),
        ("sha1.key", "secret", "3DES of PKCS #12"),
    ] {
        let error = by(key, Some(password)).unwrap_err();
        assert!(error.to_string().contains(words), "{key}: {error}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
    for key in ["aes.key", "scrypt.key"] {
        let server = folder.server("server", &["-www", "-Verify", "1", "-CAfile", "ca.pem"]);
        let tls = by(key, Some("secret")).unwrap_or_else(|error| panic!("{error}"));
        let pool =
            ConnectionPool::builder(format!("https://{}", server.address)).tls(tls).timeout(GIVE_UP).build().unwrap();
        assert!(pool.get("/").send().unwrap().text().unwrap().contains("Client certificate"), "{key}");
    }
}

/// T1: the server asks for another handshake after the request, as IIS does to get a client certificate.
#[test]
fn a_server_that_renegotiates() {
    let Some(folder) = Folder::new() else { return };
    let mut server = folder.server("server", &["-tls1_2", "-CAfile", "ca.pem"]);
    let pool = pool(server.address, folder.trusted());
    std::thread::scope(|scope| {
        let call = scope.spawn(|| pool.get("/wanted").send().unwrap_err());
        server.wait_for("GET /wanted");
        server.stdin.write_all(b"R\n").unwrap();
        server.stdin.flush().unwrap();
        let error = call.join().unwrap();
        assert_eq!(fault(&error), Some(TlsFault::Renegotiation), "{}", support::chain(&error));
        assert!(error.maybe_processed(), "{error:?}");
        assert!(error.tls_failure().unwrap().to_string().contains("native-tls"));
    });
}

fn start(program: &str, arguments: &[&Path], log: &Path) -> Child {
    let log = fs::File::create(log).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// nginx answers requests without a certificate by itself, and tells the application whose certificate it got.
#[test]
fn nginx_with_client_certificates() {
    let (Some(nginx), Some(folder)) = (program("nginx", &NGINX, "-v"), Folder::new()) else { return };
    let (address, path) = (free_port(), folder.0.path().display().to_string());
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let configuration = format!(
        r#"
daemon off; master_process off; pid {path}/pid; {user}
error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;
    uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
    server {{
        listen {address} ssl;
        ssl_certificate {path}/server.pem; ssl_certificate_key {path}/server.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_client_certificate {path}/ca.pem; ssl_verify_client on;
        location / {{ return 200 "$ssl_client_s_dn over $ssl_protocol"; }}
    }}
}}
"#
    );
    fs::write(folder.path("nginx.conf"), configuration).unwrap();
    let (prefix, file) = (folder.0.path().to_owned(), folder.path("nginx.conf"));
    let arguments: [&Path; 6] = ["-e".as_ref(), "stderr".as_ref(), "-p".as_ref(), &prefix, "-c".as_ref(), &file];
    let _process = Process(start(&nginx, &arguments, &folder.path("log")));
    eventually("the start of nginx", || TcpStream::connect(address).is_ok());
    for (version, name) in [(TlsVersion::V1_2, "TLSv1.2"), (TlsVersion::V1_3, "TLSv1.3")] {
        let exactly = |tls: TlsConfigBuilder| tls.min_version(version).max_version(version);
        let with = pool(address, exactly(folder.with_client()));
        for _ in 0..3 {
            assert_eq!(with.get("/").send().unwrap().text().unwrap(), format!("CN=client over {name}"));
        }
        assert_eq!(with.stats().created, 1);
        let without = pool(address, exactly(folder.trusted())).get("/").send().unwrap();
        assert_eq!(without.status(), 400);
        assert!(without.text().unwrap().contains("No required SSL certificate"));
    }
}

#[test]
fn stunnel_with_client_certificates() {
    let (Some(stunnel), Some(folder)) = (program("stunnel", &STUNNEL, "-version"), Folder::new()) else { return };
    let answers = [vec![Step::Request, Step::Send(ok("behind")), Step::UntilClosed], Vec::new()];
    let behind = Server::new(answers.into_iter().collect());
    let (address, path) = (free_port(), folder.0.path().display().to_string());
    let configuration = format!(
        "foreground = yes\npid =\n[https]\naccept = {address}\nconnect = {}\ncert = {path}/server.pem\n\
         key = {path}/server.key\nCAfile = {path}/ca.pem\nverifyChain = yes\nrequireCert = yes\n",
        behind.addr
    );
    let file = folder.path("stunnel.conf");
    fs::write(&file, configuration).unwrap();
    let log = folder.path("log");
    let _process = Process(start(&stunnel, &[&file], &log));
    let has_started = |text: String| text.contains("Configuration successful");
    eventually("the start of stunnel", || fs::read_to_string(&log).is_ok_and(has_started));
    let error = pool(address, folder.trusted()).get("/").send().unwrap_err();
    assert_eq!(fault(&error), Some(TlsFault::ClientCertificateRequired), "{}", support::chain(&error));
    assert!(!error.maybe_processed());
    let response = pool(address, folder.with_client()).get("/").send().unwrap();
    assert_eq!(response.text().unwrap(), "behind");
    assert_eq!(behind.seen.requests().len(), 1);
}

//! Real proxies: squid, tinyproxy, and stunnel before tinyproxy as a proxy over TLS. The server is nginx.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

#[cfg(feature = "rustls")]
use hostpool::TlsConfig;
use hostpool::{Auth, AuthPeer, AuthRounds, AuthScheme, ErrorKind, Phase, Proxy, Session};

use crate::nginx::{Nginx, nginx};
use crate::support::{GIVE_UP, eventually};
use crate::{Process, free_port, program};

const SQUID: [&str; 2] = ["squid", "/usr/sbin/squid"];
const TINYPROXY: [&str; 2] = ["tinyproxy", "/usr/sbin/tinyproxy"];

/// A running proxy with its files.
pub struct Running {
    _process: Process,
    _directory: tempfile::TempDir,
    address: SocketAddr,
}

impl Running {
    /// The address, with a login.
    pub fn url(&self, login: &str) -> String {
        format!("http://{login}{}", self.address)
    }
}

/// Starts a server of this configuration, and waits until it listens.
fn start(name: &str, program: &str, arguments: &[&str], directory: tempfile::TempDir, address: SocketAddr) -> Running {
    let log = fs::File::create(directory.path().join("log")).unwrap();
    let process = Command::new(program)
        .args(arguments)
        .arg(directory.path().join("conf"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let process = Process(process);
    eventually(&format!("the start of {name}"), || TcpStream::connect(address).is_ok());
    Running { _process: process, _directory: directory, address }
}

/// Starts squid. `rules` say whom it serves.
pub fn squid(rules: impl FnOnce(&Path) -> String) -> Option<Running> {
    let program = program("squid", &SQUID, "-v")?;
    let (directory, address) = (tempfile::tempdir().unwrap(), free_port());
    // It gives up the rights of root, and then reads and writes here.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let path = directory.path();
    let rules = rules(path);
    let configuration = format!(
        "http_port {address}\npid_filename none\ncache_log {path}/cache.log\naccess_log none\ncache deny all\n\
         cache_mem 1 MB\nmax_filedescriptors 1024\nshutdown_lifetime 0 seconds\nvisible_hostname squid.test\n\
         connect_retries 0\nforward_max_tries 1\npinger_enable off\nnetdb_filename none\n{rules}\n",
        path = path.display()
    );
    fs::write(path.join("conf"), configuration).unwrap();
    Some(start("squid", &program, &["-N", "-f"], directory, address))
}

pub const ANYBODY: &str = "http_access allow all";
const KNOWN_ONLY: &str = "acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all";

/// Squid with Basic logins: `user` has the password `p#:w`.
fn squid_with_logins() -> Option<Running> {
    squid(|path| {
        let hash = Command::new("openssl").args(["passwd", "-apr1", "p#:w"]).output().unwrap().stdout;
        fs::write(path.join("logins"), [b"user:", &hash[..]].concat()).unwrap();
        format!(
            "auth_param basic program /usr/lib/squid/basic_ncsa_auth {}/logins\nauth_param basic realm squid\n{KNOWN_ONLY}",
            path.display()
        )
    })
}

pub fn tinyproxy(more: &str) -> Option<Running> {
    let program = program("tinyproxy", &TINYPROXY, "-v")?;
    let (directory, address) = (tempfile::tempdir().unwrap(), free_port());
    let port = address.port();
    let configuration = format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogLevel Error\n{more}\n");
    fs::write(directory.path().join("conf"), configuration).unwrap();
    Some(start("tinyproxy", &program, &["-d", "-c"], directory, address))
}

fn session(nginx: &Nginx, proxy: Proxy) -> Session {
    let builder = Session::builder().proxy(proxy).timeout(GIVE_UP);
    #[cfg(feature = "rustls")]
    let builder = builder.tls(TlsConfig::builder().root_pem(nginx.certificate.as_bytes()).build().unwrap());
    let _ = nginx;
    builder.build().unwrap()
}

/// The URLs of one server: forwarded, and through a tunnel.
fn urls(nginx: &Nginx) -> Vec<String> {
    let mut urls = vec![format!("http://{}", nginx.plain)];
    if cfg!(feature = "rustls") {
        urls.push(format!("https://{}", nginx.tls));
    }
    urls
}

/// What a proxy has to pass: small and large bodies, over connections that are kept.
fn use_it(nginx: &Nginx, proxy: &Proxy, name: &str) {
    for url in urls(nginx) {
        let session = session(nginx, proxy.clone());
        for _ in 0..3 {
            assert_eq!(session.get(format!("{url}/small")).send().unwrap().text().unwrap(), "small", "{name}: {url}");
            assert_eq!(session.get(format!("{url}/empty")).send().unwrap().text().unwrap(), "", "{name}: {url}");
        }
        let large = session.get(format!("{url}/large")).send().unwrap().bytes().unwrap();
        assert_eq!(large.len(), 16 << 20, "{name}: {url}");
        let text = session.get(format!("{url}/text.html")).send().unwrap().text().unwrap();
        assert_eq!(text.len(), 50_000, "{name}: {url}");
        // tinyproxy ends a connection after its response, and may do so as this request leaves. The key allows to repeat it.
        let say = session.post(format!("{url}/say")).header("Idempotency-Key", "say").data("something");
        let said = say.send().unwrap();
        assert_eq!(said.text().unwrap(), "said", "{name}: {url}");
        let missing = session.get(format!("{url}/missing")).send().unwrap();
        assert_eq!(missing.status(), 404, "{name}: {url}");
        assert!(missing.text().unwrap().contains("404"), "{name}: {url}");
        assert_eq!(session.head(format!("{url}/large")).send().unwrap().status(), 200, "{name}: {url}");
        let stats = session.connector().unwrap().stats();
        assert_eq!(stats.in_use, 0, "{name}: {url}");
        if name != "tinyproxy" || url.starts_with("https") {
            assert_eq!(stats.created, 1, "{name}: {url}: one connection, {stats:?}");
        }
    }
    // Tunnels for http.
    let session = session(nginx, proxy.clone().tunnel_http(true));
    let url = format!("http://{}/small", nginx.plain);
    for _ in 0..2 {
        let response = session.get(&url).send().unwrap();
        assert!(response.connection().unwrap().tunnel.unwrap().status().is_success());
        assert_eq!(response.text().unwrap(), "small");
    }
    assert_eq!(session.connector().unwrap().stats().created, 1, "{name}");
}

#[test]
fn squid_passes_everything() {
    let (Some(nginx), Some(squid)) = (nginx(), squid(|_| ANYBODY.to_owned())) else { return };
    use_it(&nginx, &Proxy::parse(&squid.url("")).unwrap(), "squid");
    // What it says about servers that it does not reach: a response of its own, and the error of a tunnel.
    let session = session(&nginx, Proxy::parse(&squid.url("")).unwrap());
    let nobody = free_port();
    let response = session.get(format!("http://{nobody}/")).send().unwrap();
    assert_eq!((response.status().as_u16(), response.headers().contains("X-Squid-Error")), (503, true));
    let error = session.get(format!("http://{nobody}/")).proxy(tunnel(&squid)).send().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::ProxyRefused { status: Some(status), .. } if *status == 503),
        "{error:?}"
    );
    assert_eq!(error.phase(), Phase::Proxy);
    let head = error.head().unwrap();
    assert!(head.headers().get("X-Squid-Error").unwrap().contains("ERR_CONNECT_FAIL"), "{head:?}");
    assert!(head.body().starts_with(b"<!DOCTYPE html"));
}

fn tunnel(proxy: &Running) -> Proxy {
    Proxy::parse(&proxy.url("")).unwrap().tunnel_http(true)
}

#[test]
fn squid_asks_for_a_login() {
    let (Some(nginx), Some(squid)) = (nginx(), squid_with_logins()) else { return };
    use_it(&nginx, &Proxy::parse(&squid.url("user:p%23%3Aw@")).unwrap(), "squid");
    use_it(&nginx, &Proxy::parse(&squid.url("")).unwrap().auth(("user", "p#:w")), "squid");
    let url = format!("http://{}/small", nginx.plain);
    for login in ["", "user:wrong@"] {
        let proxy = Proxy::parse(&squid.url(login)).unwrap();
        let session = session(&nginx, proxy.clone());
        for _ in 0..2 {
            let response = session.get(&url).send().unwrap();
            assert_eq!(response.status(), 407, "{login}");
            response.bytes().unwrap();
        }
        let error = session.get(&url).proxy(proxy.tunnel_http(true)).send().unwrap_err();
        assert_eq!(error.status().unwrap(), 407, "{login}");
        assert!(error.to_string().contains("it asks for Basic"), "{error}");
        assert_eq!(session.connector().unwrap().stats().in_use, 0);
    }
}

/// Digest by squid's own helper: over forwarded requests and tunnels, one challenge each at most.
#[cfg(feature = "digest-auth")]
#[test]
fn squid_asks_for_digest() {
    let squid = squid(|path| {
        fs::write(path.join("logins"), "Mufasa:Circle of Life\n").unwrap();
        format!(
            "auth_param digest program /usr/lib/squid/digest_file_auth {}/logins\nauth_param digest realm squid\n{KNOWN_ONLY}",
            path.display()
        )
    });
    let (Some(nginx), Some(squid)) = (nginx(), squid) else { return };
    let auth = hostpool::DigestAuth::new("Mufasa", "Circle of Life");
    use_it(&nginx, &Proxy::parse(&squid.url("")).unwrap().auth(auth), "squid");
    let wrong = Proxy::parse(&squid.url("")).unwrap().auth(hostpool::DigestAuth::new("Mufasa", "no"));
    let url = format!("http://{}/small", nginx.plain);
    let session = session(&nginx, wrong.clone());
    assert_eq!(session.get(&url).send().unwrap().status(), 407);
    let error = session.get(&url).proxy(wrong.tunnel_http(true)).send().unwrap_err();
    assert!(error.to_string().contains("it asks for Digest"), "{error}");
}

/// NTLM by squid's own helper, which takes any password. It binds each login to its connection.
#[test]
fn squid_asks_for_ntlm() {
    let squid = squid(|_| {
        format!("auth_param ntlm program /usr/lib/squid/ntlm_fake_auth\nauth_param ntlm children 5\n{KNOWN_ONLY}")
    });
    let (Some(nginx), Some(squid)) = (nginx(), squid) else { return };
    use_it(&nginx, &Proxy::parse(&squid.url("")).unwrap().auth(Auth::scheme(Ntlm)), "squid");
    let error = session(&nginx, tunnel(&squid)).get(format!("http://{}/small", nginx.plain)).send().unwrap_err();
    assert!(error.to_string().contains("it asks for NTLM"), "{error}");
}

/// The messages of NTLM, without a password.
struct Ntlm;

impl AuthScheme for Ntlm {
    fn name(&self) -> &'static str {
        "NTLM"
    }

    fn begin(&self, peer: &AuthPeer<'_>) -> hostpool::Result<Box<dyn AuthRounds>> {
        assert!(peer.is_proxy());
        Ok(Box::new(Ntlm))
    }
}

impl AuthRounds for Ntlm {
    fn answer(&mut self, challenge: &str) -> hostpool::Result<Option<String>> {
        let message = if challenge.is_empty() { negotiate() } else { authenticate() };
        Ok(Some(base64(&message)))
    }
}

/// The first message: it asks for Unicode and NTLM.
fn negotiate() -> Vec<u8> {
    [b"NTLMSSP\0\x01\0\0\0\x01\x02\0\0".as_slice(), &[0; 16]].concat()
}

/// The third message: the domain `CORP` and the user `ann`, and no hashes.
fn authenticate() -> Vec<u8> {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (domain, user, machine) = (wide("CORP"), wide("ann"), wide("HERE"));
    let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
    let mut at = 64;
    let mut data = Vec::new();
    for part in [&vec![0; 24], &vec![0; 24], &domain, &user, &machine, &Vec::new()] {
        let len = u16::try_from(part.len()).unwrap().to_le_bytes();
        message.extend([len, len].concat());
        message.extend(u32::to_le_bytes(at));
        at += u32::try_from(part.len()).unwrap();
        data.extend_from_slice(part);
    }
    message.extend([0x01, 0x02, 0, 0]);
    message.extend(data);
    message
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * n) & 63) as usize];
            text.push(if n > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

/// It answers CONNECT as HTTP/1.0, and closes after each forwarded request.
#[test]
fn tinyproxy_passes_everything() {
    let (Some(nginx), Some(open)) = (nginx(), tinyproxy("")) else { return };
    use_it(&nginx, &Proxy::parse(&open.url("")).unwrap(), "tinyproxy");
    let Some(closed) = tinyproxy("BasicAuth user secret") else { return };
    use_it(&nginx, &Proxy::parse(&closed.url("user:secret@")).unwrap(), "tinyproxy");
    let url = format!("http://{}/small", nginx.plain);
    let error = session(&nginx, tunnel(&closed)).get(&url).send().unwrap_err();
    assert_eq!(error.status().unwrap(), 407, "{error}");
    let nobody = format!("http://{}/", free_port());
    let error = session(&nginx, tunnel(&open)).get(&nobody).send().unwrap_err();
    assert!(error.status().unwrap().is_server_error(), "{error}");
}

/// Starts stunnel before another proxy, which makes a proxy over TLS of it. Returns it with its authority.
#[cfg(feature = "rustls")]
pub fn stunnel(proxy: &Running) -> Option<(Running, String)> {
    let program = program("stunnel", &["stunnel4", "stunnel"], "-version")?;
    let (directory, address) = (tempfile::tempdir().unwrap(), free_port());
    let path = directory.path();
    let authority = crate::nginx::write_certificates(path);
    let configuration = format!(
        "foreground = yes\npid =\ndebug = warning\n[proxy]\naccept = {address}\nconnect = {}\n\
         cert = {path}/server.pem\nkey = {path}/server.key\n",
        proxy.address,
        path = path.display()
    );
    fs::write(path.join("conf"), configuration).unwrap();
    Some((start("stunnel", &program, &[], directory, address), authority))
}

/// Each leg has an authority of its own.
#[cfg(feature = "rustls")]
#[test]
fn stunnel_before_tinyproxy() {
    let (Some(nginx), Some(tinyproxy)) = (nginx(), tinyproxy("BasicAuth user secret")) else { return };
    let Some((stunnel, authority)) = stunnel(&tinyproxy) else { return };
    let url = stunnel.url("user:secret@").replace("http:", "https:");
    let tls = TlsConfig::builder().root_pem(authority.as_bytes()).build().unwrap();
    let proxy = Proxy::parse(&url).unwrap().tls(tls);
    use_it(&nginx, &proxy, "tinyproxy");
    // The server's authority is not trusted for the proxy, and the other way round.
    let error = session(&nginx, Proxy::parse(&url).unwrap()).get(urls(&nginx)[1].clone()).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Tls, Phase::Proxy), "{error:?}");
}

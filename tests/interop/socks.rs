//! Real SOCKS proxies: microsocks with and without a login, and dante for all versions. curl as another client of one.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

#[cfg(feature = "rustls")]
use hostpool::TlsConfig;
use hostpool::{ErrorKind, Phase, Proxy, Session};

use crate::nginx::{Nginx, nginx};
use crate::support::{GIVE_UP, Server, Step, eventually, ok, read_head};
use crate::{Process, found, free_port, program};

pub struct Running {
    _process: Process,
    _directory: Option<tempfile::TempDir>,
    address: SocketAddr,
}

impl Running {
    pub fn url(&self, scheme: &str, login: &str) -> String {
        format!("{scheme}://{login}{}", self.address)
    }
}

pub fn microsocks(arguments: &[&str]) -> Option<Running> {
    // It has no option that only prints something.
    let runs = Command::new("microsocks").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    let program = found("microsocks", runs.then(|| "microsocks".to_owned()))?;
    let address = free_port();
    let process = Command::new(program)
        .args(["-i", "127.0.0.1", "-p", &address.port().to_string()])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let process = Process(process);
    eventually("the start of microsocks", || TcpStream::connect(address).is_ok());
    Some(Running { _process: process, _directory: None, address })
}

/// Starts dante, which lets clients connect to this machine, but not to the port `blocked`.
pub fn dante(blocked: u16) -> Option<Running> {
    let program = program("dante", &["danted", "/usr/sbin/danted", "/usr/local/sbin/sockd"], "-v")?;
    let (directory, address) = (tempfile::tempdir().unwrap(), free_port());
    let path = directory.path().join("conf");
    let user =
        if rustix::process::geteuid().is_root() { "user.privileged: root\nuser.unprivileged: root\n" } else { "" };
    let configuration = format!(
        "logoutput: {log}\ninternal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\nexternal: ::1\n{user}\
         clientmethod: none\nsocksmethod: none\ntimeout.connect: 10\n\
         client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}\n\
         socks block {{ from: 0.0.0.0/0 to: 0.0.0.0/0 port = {blocked} }}\n\
         socks pass {{ from: 0.0.0.0/0 to: 127.0.0.0/8 command: connect }}\n\
         socks pass {{ from: 0.0.0.0/0 to: ::1/128 command: connect }}\n\
         socks pass {{ from: 0.0.0.0/0 to: localhost command: connect }}\n",
        log = directory.path().join("log").display(),
        port = address.port(),
    );
    fs::write(&path, configuration).unwrap();
    let process =
        Command::new(program).arg("-f").arg(&path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let process = Process(process);
    eventually("the start of dante", || TcpStream::connect(address).is_ok());
    Some(Running { _process: process, _directory: Some(directory), address })
}

fn session(nginx: &Nginx, proxy: &str) -> Session {
    let builder = Session::builder().proxy(proxy).timeout(GIVE_UP);
    #[cfg(feature = "rustls")]
    let builder = builder.tls(TlsConfig::builder().root_pem(nginx.certificate.as_bytes()).build().unwrap());
    let _ = nginx;
    builder.build().unwrap()
}

/// What a tunnel has to carry: small and large bodies, plain and with TLS, over one connection each.
fn use_it(nginx: &Nginx, proxy: &str) {
    let urls = [format!("http://{}", nginx.plain), format!("https://{}", nginx.tls)];
    for url in &urls[..if cfg!(feature = "rustls") { 2 } else { 1 }] {
        let session = session(nginx, proxy);
        for _ in 0..3 {
            assert_eq!(session.get(format!("{url}/small")).send().unwrap().text().unwrap(), "small", "{proxy} {url}");
        }
        let large = session.get(format!("{url}/large")).send().unwrap().bytes().unwrap();
        assert_eq!(large.len(), 16 << 20, "{proxy} {url}");
        let said = session.post(format!("{url}/say")).data(vec![b'x'; 500_000]).send().unwrap();
        assert_eq!(said.text().unwrap(), "said", "{proxy} {url}");
        let stats = session.connector().unwrap().stats();
        assert_eq!((stats.created, stats.in_use), (1, 0), "{proxy} {url}");
    }
    // A name that the proxy or this machine looks up. dante knows SOCKS4, and not SOCKS4a.
    if proxy.starts_with("socks4a") {
        return;
    }
    let url = format!("http://localhost:{}/small", nginx.plain.port());
    assert_eq!(session(nginx, proxy).get(url).send().unwrap().text().unwrap(), "small", "{proxy}");
}

/// A server that answers once, at an IPv6 address.
fn at_v6() -> SocketAddr {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        read_head(&mut stream)?;
        stream.write_all(&ok("six"))
    });
    address
}

fn refused(error: &hostpool::Error) -> Option<u8> {
    match error.kind() {
        ErrorKind::ProxyRefused { status: None, socks_reply, .. } => *socks_reply,
        _ => panic!("{error:?}"),
    }
}

#[test]
fn microsocks_passes_everything() {
    let (Some(nginx), Some(open)) = (nginx(), microsocks(&[])) else { return };
    for scheme in ["socks5", "socks5h"] {
        use_it(&nginx, &open.url(scheme, ""));
        use_it(&nginx, &open.url(scheme, "user:not@wanted@").replacen("not@", "not%40", 1));
        let session = session(&nginx, &open.url(scheme, ""));
        let text = session.get(format!("http://{}/", at_v6())).send().unwrap().text();
        assert_eq!(text.unwrap(), "six", "{scheme}");
        let error = session.get(format!("http://{}/", free_port())).send().unwrap_err();
        assert_eq!((refused(&error), error.phase()), (Some(5), Phase::Proxy), "{error}");
    }
    let error = session(&nginx, &open.url("socks5h", "")).get("http://nowhere.invalid/").send().unwrap_err();
    assert!(refused(&error).is_some(), "{error}");
}

#[test]
fn microsocks_asks_for_a_login() {
    let Some(closed) = microsocks(&["-u", "user", "-P", "p#:w"]) else { return };
    let Some(nginx) = nginx() else { return };
    use_it(&nginx, &closed.url("socks5h", "user:p%23%3Aw@"));
    use_it(&nginx, &closed.url("socks5", "user:p%23%3Aw@"));
    let url = format!("http://{}/small", nginx.plain);
    for login in ["", "user:wrong@"] {
        let error = session(&nginx, &closed.url("socks5h", login)).get(&url).send().unwrap_err();
        assert_eq!((refused(&error), error.phase()), (None, Phase::Proxy), "{login}: {error}");
        assert!(!format!("{error} {error:?}").contains("wrong"));
    }
    // It takes no client without a login.
    let strict = Proxy::parse(&closed.url("socks5h", "user:p%23%3Aw@")).unwrap().require_auth(true);
    assert_eq!(hostpool::get(&url).proxy(strict).send().unwrap().text().unwrap(), "small");
}

#[test]
fn dante_passes_everything() {
    let blocked = free_port();
    let (Some(nginx), Some(dante)) = (nginx(), dante(blocked.port())) else { return };
    for scheme in ["socks5", "socks5h", "socks4", "socks4a"] {
        use_it(&nginx, &dante.url(scheme, ""));
        let session = session(&nginx, &dante.url(scheme, "me:@"));
        assert!(session.get(format!("http://{}/small", nginx.plain)).send().is_ok(), "{scheme}");
        let of_version = |five| if scheme.starts_with("socks5") { five } else { 91 };
        let error = session.get(format!("http://{blocked}/")).send().unwrap_err();
        assert_eq!(refused(&error), Some(of_version(2)), "{scheme}: {error}");
        let error = session.get(format!("http://{}/", free_port())).send().unwrap_err();
        assert_eq!(refused(&error), Some(of_version(5)), "{scheme}: {error}");
        if scheme.starts_with("socks5") {
            let text = session.get(format!("http://{}/", at_v6())).send().unwrap().text();
            assert_eq!(text.unwrap(), "six", "{scheme}");
        }
    }
}

/// curl sends the same bytes to a SOCKS proxy.
#[test]
fn as_curl() {
    let Some(curl) = program("curl", &["curl"], "--version") else { return };
    let name = "http://named.test:81/";
    let table: [(&str, &str, &str, &[&[u8]]); 7] = [
        ("socks5h", "", name, &[&[5, 0]]),
        ("socks5h", "user:p%23%3Aw@", name, &[&[5, 2], &[1, 0]]),
        ("socks5h", "user:pw@", name, &[&[5, 0]]),
        ("socks5", "", "http://192.0.2.1/", &[&[5, 0]]),
        ("socks5h", "", "http://[2001:db8::1]:81/", &[&[5, 0]]),
        ("socks4a", "me:@", name, &[]),
        ("socks4", "", "http://192.0.2.1/", &[]),
    ];
    for (scheme, login, url, answers) in table {
        let listen = || {
            Server::with({
                let answers: Vec<Vec<u8>> = answers.iter().map(|&answer| answer.to_vec()).collect();
                move |_| {
                    // The lengths of messages differ; what comes until the proxy has to say something is one.
                    let said = answers.iter().flat_map(|answer| [Step::Some, Step::Send(answer.clone())]);
                    said.chain([Step::Some, Step::HalfClose, Step::Rest]).collect()
                }
            })
        };
        let (ours, theirs) = (listen(), listen());
        hostpool::get(url).proxy(format!("{scheme}://{login}{}", ours.addr)).send().unwrap_err();
        let arguments = ["-s", "--socks5-basic", "--proxy"];
        let proxy = format!("{scheme}://{login}{}", theirs.addr);
        let status = Command::new(&curl).args(arguments).args([&proxy, url]).env_clear().status().unwrap();
        assert!(!status.success());
        let said = |server: &Server| {
            eventually("the client closes", || server.seen.open() == 0);
            server.seen.rest().concat()
        };
        assert_eq!(said(&ours).escape_ascii().to_string(), said(&theirs).escape_ascii().to_string(), "{scheme} {url}");
    }
}

//! Unix sockets: by a path for all connections, by URL, with TLS, and at abstract addresses. The rows UC.

use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hostpool::{
    ConnectionPool, ErrorKind, InvalidUrl, PoolContext, PoolManager, Session, SocketOption, UnixConnector, Url,
};
use tempfile::TempDir;

use crate::support::{chain, header, ok, read_request};

/// A server at a Unix socket that answers any number of requests, and says what they were.
struct UnixServer {
    path: PathBuf,
    requests: Arc<Mutex<Vec<(usize, String)>>>,
    _folder: Option<TempDir>,
}

impl UnixServer {
    fn new() -> UnixServer {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.sock");
        let listener = UnixListener::bind(&path).unwrap();
        UnixServer { _folder: Some(folder), ..UnixServer::of(listener, path) }
    }

    fn of(listener: UnixListener, path: PathBuf) -> UnixServer {
        let requests: Arc<Mutex<Vec<(usize, String)>>> = Arc::default();
        let log = requests.clone();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let log = log.clone();
                thread::spawn(move || serve(stream, number, &log));
            }
        });
        UnixServer { path, requests, _folder: None }
    }

    fn requests(&self) -> Vec<(usize, String)> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: UnixStream, number: usize, log: &Mutex<Vec<(usize, String)>>) -> std::io::Result<()> {
    loop {
        let request = read_request(&mut stream)?;
        log.lock().unwrap().push((number, String::from_utf8(request).unwrap()));
        stream.write_all(&ok("fine"))?;
    }
}

/// UC-01 to UC-04. Every URL leads to the socket, under the name that it says.
#[test]
fn a_connector() {
    let server = UnixServer::new();
    let connector = UnixConnector::new(&server.path).unwrap();
    assert_eq!(connector.path(), server.path);
    assert_eq!((connector.conn_timeout(), connector.limit()), (None, None));
    assert_eq!(connector.keepalive_timeout(), Some(Duration::from_secs(30)));
    assert!(!connector.force_close() && connector.cookies().is_none());
    let session = Session::builder().connector(&connector).build().unwrap();
    for url in ["http://docker/a", "http://docker/b", "http://no.such.host.example:81/c"] {
        assert_eq!(session.get(url).send().unwrap().text().unwrap(), "fine", "{url}");
    }
    let socket = Url::unix(&server.path, "/d").unwrap();
    assert_eq!(session.get(socket).send().unwrap().text().unwrap(), "fine");
    let seen = server.requests();
    let hosts: Vec<_> = seen.iter().map(|(number, request)| (*number, header(request, "host").unwrap())).collect();
    assert_eq!(hosts, [(0, "docker"), (0, "docker"), (1, "no.such.host.example:81"), (2, "localhost")]);

    let other = UnixServer::new();
    let error = session.get(Url::unix(&other.path, "/").unwrap()).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{error}");
    session.close();
    assert!(connector.is_closed());
}

/// UC-03. The options of all connectors.
#[test]
fn options_of_a_connector() {
    let server = UnixServer::new();
    let connector =
        UnixConnector::builder(&server.path).force_close(true).limit(1).share_cookies(true).build().unwrap();
    assert!(connector.force_close() && connector.cookies().is_some());
    assert_eq!(connector.limit(), Some(1));
    let session = Session::builder().connector(&connector).build().unwrap();
    for _ in 0..2 {
        session.get("http://h/").send().unwrap().text().unwrap();
    }
    let numbers: Vec<_> = server.requests().iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [0, 1], "each request has a connection of its own");
}

/// Two sockets are two ways of connecting, and a client without one is a third.
#[test]
fn a_socket_is_part_of_the_key() {
    let (one, other) = (UnixServer::new(), UnixServer::new());
    let at = |server: &UnixServer| PoolManager::builder().unix_socket(&server.path).build().unwrap();
    let (first, second) = (at(&one), at(&other));
    for pools in [&first, &second, &first] {
        pools.get("http://h/").send().unwrap().text().unwrap();
    }
    assert_eq!((one.requests().len(), other.requests().len()), (2, 1));
}

/// What can be known when a client is built.
#[test]
fn what_is_refused() {
    let long = format!("/{}", "x".repeat(200));
    let invalid = |path: &str| UnixConnector::new(path).unwrap_err().kind().clone();
    for (path, why) in [
        ("", InvalidUrl::SocketPath),
        ("/a\0b", InvalidUrl::SocketPathNul),
        ("\0", InvalidUrl::SocketPath),
        (&long, InvalidUrl::SocketPathTooLong),
    ] {
        assert_eq!(invalid(path), ErrorKind::InvalidUrl(why), "{path:?}");
    }
    let error = ConnectionPool::builder(format!("http+unix://{}", long.replace('/', "%2F"))).build().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidUrl(InvalidUrl::SocketPathTooLong));
    let builder = || PoolManager::builder().unix_socket("/run/app.sock");
    for (row, built) in [
        ("source address", builder().source_address(Ipv4Addr::LOCALHOST).build()),
        ("options", builder().socket_options([SocketOption::NoDelay(true)]).build()),
        ("factory", builder().socket_factory(|_| std::net::UdpSocket::bind("127.0.0.1:0")).build()),
        ("dialer", builder().dialer(hostpool::TcpDialer::new()).build()),
        ("resolver", builder().resolver(hostpool::SystemResolver).build()),
        ("family", builder().family(hostpool::Family::V4).build()),
        ("addresses", builder().resolve_to("h", Ipv4Addr::LOCALHOST).build()),
        ("filter", builder().address_filter(|_| true).build()),
        ("stagger", builder().connect_stagger(None).build()),
        ("cache", builder().use_dns_cache(true).build()),
    ] {
        assert_eq!(built.unwrap_err().kind(), &ErrorKind::InvalidConfig, "{row}");
    }
    let session = Session::builder().unix_socket("/run/app.sock").build().unwrap();
    let error = session.get("http://h/").resolve_to("h", Ipv4Addr::LOCALHOST).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{error}");
    let context = PoolContext::new("http://h").unwrap().family(hostpool::Family::V4);
    let refused = builder().build().unwrap().connection_from_context(context);
    assert_eq!(refused.unwrap_err().kind(), &ErrorKind::InvalidConfig);
}

/// A server that does not listen yet is no error before a request.
#[test]
fn a_socket_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later.sock");
    let session = Session::builder().unix_socket(&path).build().unwrap();
    let error = session.get("http://h/").send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Connect);
    assert!(chain(&error).contains("No such file"), "{}", chain(&error));
    let server = UnixServer::of(UnixListener::bind(&path).unwrap(), path);
    assert_eq!(session.get("http://h/").send().unwrap().text().unwrap(), "fine");
    assert_eq!(server.requests().len(), 1);
}

/// An address in no folder, by URL and by path.
#[cfg(target_os = "linux")]
#[test]
fn abstract_addresses() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    // The kernel chooses a name that nobody else has.
    let folder = tempfile::tempdir().unwrap();
    let name = format!("hostpool{}", folder.path().to_str().unwrap().replace('/', "-"));
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let path = format!("\0{name}");
    let server = UnixServer::of(listener, PathBuf::from(&path));
    let pool = ConnectionPool::builder(format!("http+unix://%00{name}")).build().unwrap();
    assert_eq!(pool.host(), path);
    assert_eq!(pool.get("/by-url").send().unwrap().text().unwrap(), "fine");
    assert_eq!(ConnectionPool::unix(&path).build().unwrap().get("/by-path").send().unwrap().text().unwrap(), "fine");
    let connector = UnixConnector::new(&path).unwrap();
    assert_eq!(connector.path(), Path::new(&path));
    let session = Session::builder().connector(connector).build().unwrap();
    assert_eq!(session.get("http://h/by-connector").send().unwrap().text().unwrap(), "fine");
    let targets: Vec<_> =
        server.requests().iter().map(|(_, request)| request.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(targets, ["/by-url", "/by-path", "/by-connector"]);
    // The name is not a prefix: a shorter one is another address.
    let shorter = ConnectionPool::unix(&path[..path.len() - 1]).retries(0).build().unwrap();
    assert_eq!(shorter.get("/").send().unwrap_err().kind(), &ErrorKind::Connect);
}

/// HTTPS at a Unix socket. Without a name in the URL the certificate must be for `localhost`.
#[cfg(feature = "rustls")]
mod encrypted {
    use super::*;
    use crate::tls::{Authority, TlsServer, dns};

    /// Passes the bytes of each connection at a Unix socket to a server on loopback, and back.
    fn bridge(path: &Path, server: std::net::SocketAddr) {
        let listener = UnixListener::bind(path).unwrap();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = std::net::TcpStream::connect(server).unwrap();
                let (mut from, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
                let (mut from, mut to) = (far, near);
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        });
    }

    fn serving(authority: &Authority, name: &str) -> TlsServer {
        TlsServer::new(authority.leaf(&[dns(name)]).server(rustls::ALL_VERSIONS), |peer| {
            loop {
                peer.request()?;
                peer.send(ok("fine"))?;
            }
        })
    }

    #[test]
    fn by_url() {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let path = folder.path().join("tls.sock");
        let server = serving(&authority, "localhost");
        bridge(&path, server.addr);
        let url = Url::unix_https(&path, "/status").unwrap();
        let session = Session::builder().tls(authority.trusted()).build().unwrap();
        for reused in [false, true] {
            let response = session.get(&url).send().unwrap();
            let connection = response.connection().unwrap();
            assert_eq!((connection.encrypted, connection.reused), (true, reused));
            assert_eq!(response.text().unwrap(), "fine");
        }
        assert_eq!(server.seen.hellos()[0].server_name.as_deref(), Some("localhost"));
        let request = String::from_utf8(server.seen.requests()[0].1.clone()).unwrap();
        assert!(request.starts_with("GET /status HTTP/1.1\r\nHost: localhost\r\n"), "{request}");

        // The certificate of a stranger is refused, and so is another name.
        let error = Session::new().get(&url).send().unwrap_err();
        assert_eq!(error.phase(), hostpool::Phase::Tls, "{error}");
        let (other, path) = (serving(&authority, "other.example"), folder.path().join("other.sock"));
        bridge(&path, other.addr);
        let error = session.get(Url::unix_https(&path, "/").unwrap()).send().unwrap_err();
        assert_eq!(error.phase(), hostpool::Phase::Tls, "{error}");
        assert!(other.seen.requests().is_empty());
    }

    #[test]
    fn by_a_connector() {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let path = folder.path().join("tls.sock");
        let server = serving(&authority, "api.example");
        bridge(&path, server.addr);
        let connector = UnixConnector::builder(&path).tls(authority.trusted()).build().unwrap();
        let session = Session::builder().connector(connector).build().unwrap();
        assert_eq!(session.get("https://api.example/").send().unwrap().text().unwrap(), "fine");
        assert_eq!(session.get("https://else.example/").send().unwrap_err().phase(), hostpool::Phase::Tls);
        assert_eq!(server.seen.hellos()[0].server_name.as_deref(), Some("api.example"));
    }
}

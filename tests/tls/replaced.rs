//! The TLS configuration of a living client is replaced.

use super::*;
use hostpool::{PoolContext, PoolManager};
use tls::clients_of;

/// A server that wants a client certificate, and answers with the number of the connection. `/slow` has two parts.
fn server(root: &Authority, clients: &Authority, release: mpsc::Receiver<()>) -> TlsServer {
    let config = root.leaf(&[ip("127.0.0.1")]).server_for(rustls::ALL_VERSIONS, Some(clients_of(clients)));
    let release = Mutex::new(release);
    TlsServer::new(config, move |peer| {
        loop {
            let path = path(&peer.request()?);
            let body = format!("{} by {}", peer.number, peer.tls.peer_certificates().unwrap()[0].len());
            if path == "/slow" {
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")?;
                release.lock().unwrap().recv().unwrap();
                peer.send(b"def")?;
            } else {
                peer.send(ok(&body))?;
            }
        }
    })
}

/// K5: new connections use the new certificate, those in use end after their response, and idle ones at once.
#[test]
fn a_client_certificate() {
    let (root, clients) = (Authority::new(), Authority::new());
    let (sender, receiver) = mpsc::channel();
    let server = server(&root, &clients, receiver);
    let certificate = |name: &str| {
        let leaf = clients.leaf(&[dns(name)]);
        let tls = TlsConfig::builder().root_pem(root.pem()).client_cert_pem(leaf.pem()).client_key_pem(leaf.key_pem());
        (tls.build().unwrap(), leaf.der().len())
    };
    let ((first, short), (second, long)) = (certificate("a.test"), certificate("a.name.that.is.much.longer.test"));
    let session = Session::builder().tls(first.clone()).timeout(GIVE_UP).build().unwrap();
    let body = |url: String| session.get(url).send().unwrap().text().unwrap();
    let url = |path: &str| format!("{}{path}", server.url());

    let mut slow = session.get(url("/slow")).send().unwrap();
    assert_eq!(body(url("/")), format!("1 by {short}"));
    assert_eq!(body(url("/")), format!("1 by {short}"));
    session.set_tls(first).unwrap();
    assert_eq!(body(url("/")), format!("1 by {short}"), "the same configuration");

    session.set_tls(second).unwrap();
    let stats = session.connector().unwrap().stats();
    assert_eq!((stats.open, stats.idle), (1, 0), "the idle connection is closed");
    assert_eq!(body(url("/")), format!("2 by {long}"));
    sender.send(()).unwrap();
    let mut text = String::new();
    slow.read_to_string(&mut text).unwrap();
    assert_eq!(text, "abcdef", "a response in progress goes on");
    drop(slow);
    let stats = session.connector().unwrap().stats();
    assert_eq!((stats.open, stats.idle), (1, 1), "and its connection is not kept");
    assert_eq!(body(url("/")), format!("2 by {long}"));
    let second = if cfg!(feature = "__rustls") { HandshakeKind::Resumed } else { HandshakeKind::Full };
    assert_eq!(
        server.seen.handshakes(),
        [HandshakeKind::Full, second, HandshakeKind::Full],
        "K7: no session of another identity is resumed"
    );
}

#[test]
fn the_roots() {
    let (root, other) = (Authority::new(), Authority::new());
    let server = TlsServer::new(root.server(), echo_path);
    let pools = PoolManager::builder().tls(root.trusted()).retries(hostpool::Retry::off()).build().unwrap();
    let taken = pools.connection_from_url(server.url()).unwrap();
    let send = || pools.get(server.url()).send();
    send().unwrap().text().unwrap();
    pools.set_tls(other.trusted()).unwrap();
    assert!(send().unwrap_err().tls_failure().is_some());
    // A pool that was taken before keeps its configuration, and does not lend it to others.
    assert_eq!(get(&taken, "/"), "/");
    assert!(send().unwrap_err().tls_failure().is_some());
    let own = PoolContext::new(server.url()).unwrap().tls(root.trusted());
    assert_eq!(get(&pools.connection_from_context(own).unwrap(), "/"), "/");
    pools.set_tls(root.trusted()).unwrap();
    send().unwrap().text().unwrap();

    let pool = server.pool(&other.trusted());
    assert!(pool.get("/").send().is_err());
    pool.set_tls(root.trusted()).unwrap();
    assert_eq!(get(&pool, "/"), "/");
}

/// Connections without TLS stay, and a dialer has its own TLS.
#[test]
fn what_tls_plays_no_part_in() {
    let root = Authority::new();
    let server = Server::new(vec![vec![
        Step::Request,
        Step::Send(ok("one")),
        Step::Request,
        Step::Send(ok("two")),
        Step::UntilClosed,
    ]]);
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    assert_eq!(get(&pool, "/"), "one");
    pool.set_tls(root.trusted()).unwrap();
    assert_eq!(get(&pool, "/"), "two");
    let dialed = ConnectionPool::builder(server.url("")).dialer(hostpool::TcpDialer::new()).build().unwrap();
    assert_eq!(dialed.set_tls(root.trusted()).unwrap_err().kind(), &ErrorKind::InvalidConfig);
    let part = PoolManager::new().connection_from_url(server.url("")).unwrap();
    assert_eq!(part.set_tls(root.trusted()).unwrap_err().kind(), &ErrorKind::InvalidConfig);
}

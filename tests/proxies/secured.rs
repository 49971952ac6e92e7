//! `https` through proxies, and proxies that are spoken to over TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use hostpool::{ErrorKind, Phase, Proxy, Session, TlsConfig, TlsFault};

use crate::support::{header, ok};
use crate::tls::{Authority, Peer, TlsServer, dns, ip};
use crate::{Relay, basic, lines};

/// A server that answers each request with its own first line.
fn echo(peer: &mut Peer) -> io::Result<()> {
    loop {
        let request = peer.request()?;
        let first = lines(std::str::from_utf8(&request).unwrap())[0].to_owned();
        peer.send(ok(&first))?;
    }
}

pub fn server(authority: &Authority) -> TlsServer {
    TlsServer::new(authority.leaf(&[dns("named.test"), ip("127.0.0.1")]).server(rustls::ALL_VERSIONS), echo)
}

/// The authorities of the tests have one name, so a certificate of another one looks forged.
fn is_untrusted(error: &hostpool::Error) -> bool {
    matches!(error.tls_failure().unwrap().fault(), TlsFault::UntrustedIssuer | TlsFault::BadSignature)
}

/// PRX-01, Proxy 205, A2.1: credentials for the proxy and for the server, each on its own leg, in no spelling elsewhere.
#[test]
fn each_leg_has_its_own_credentials() {
    let authority = Authority::new();
    let server = server(&authority);
    let relay = Relay::new(server.addr);
    let proxy =
        Proxy::parse(&relay.with_login("proxyuser:proxy%25canary")).unwrap().header("X-Team", "teamcanary").unwrap();
    let session = Session::builder().proxy(proxy).tls(authority.trusted()).build().unwrap();
    for _ in 0..2 {
        let request = session.get("https://named.test/a?query=querycanary").auth(("originuser", "origincanary"));
        let text = request.header("Cookie", "a=cookiecanary").send().unwrap().text().unwrap();
        assert_eq!(text, "GET /a?query=querycanary HTTP/1.1");
    }
    let heads = relay.log.heads();
    assert_eq!(heads.len(), 1, "the tunnel is kept");
    assert!(heads[0].starts_with("CONNECT named.test:443 HTTP/1.1\r\nHost: named.test:443\r\n"));
    assert_eq!(header(&heads[0], "Proxy-Authorization"), Some(&*basic("proxyuser", "proxy%canary")));
    let to_proxy = String::from_utf8_lossy(&relay.log.bytes()).into_owned();
    let origin_value = basic("originuser", "origincanary");
    for secret in ["origincanary", "querycanary", "cookiecanary", &origin_value["Basic ".len()..]] {
        assert!(!to_proxy.contains(secret), "{secret}");
    }
    let proxy_value = basic("proxyuser", "proxy%canary");
    for (_, request) in server.seen.requests() {
        let request = String::from_utf8(request).unwrap();
        assert_eq!(header(&request, "Authorization"), Some(&*origin_value));
        for secret in ["proxy%canary", "proxy%25canary", "teamcanary", &proxy_value["Basic ".len()..]] {
            assert!(!request.contains(secret), "{secret}");
        }
    }
}

/// C25, C11, PRX-12: failures of the server's TLS are not the proxy's.
#[test]
fn failures_behind_the_tunnel() {
    let authority = Authority::new();
    let server = server(&authority);
    let relay = Relay::new(server.addr);
    let get = |proxy: &str, tls: TlsConfig| {
        let session = Session::builder().proxy(proxy).tls(tls).build().unwrap();
        session.get("https://named.test/").send().unwrap_err()
    };
    let error = get(&relay.url(), Authority::new().trusted());
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Tls, Phase::Tls));
    assert!(is_untrusted(&error));
    // A page in place of TLS. It may come before the first bytes of the client, too.
    use crate::support::{Server, Step, answer};
    let opened = "HTTP/1.1 200 OK\r\n\r\n";
    let page = Step::Send(b"<html>".to_vec());
    let late = Server::new(vec![[answer(opened), vec![Step::Bytes(5), page, Step::UntilClosed]].concat()]);
    let error = get(&late.url(""), authority.trusted());
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Tls, Phase::Tls));
    let failure = error.tls_failure().unwrap();
    assert_eq!(failure.fault(), TlsFault::NotTls);
    assert!(failure.to_string().contains("it began with \"<html>\""), "{failure}");
    let closed = Server::new(vec![[answer(opened), vec![Step::Bytes(5)]].concat()]);
    let error = get(&closed.url(""), authority.trusted());
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Tls, Phase::Tls), "{error:?}");
    assert!(!error.maybe_processed());
}

/// C23: an `https` proxy that says nothing to the first bytes of TLS ends with the bound on connecting, and is out of reach
/// for a list.
#[test]
fn a_silent_proxy() {
    use crate::support::{Server, Step, without_hanging};
    use std::time::Duration;
    let silent = Server::new(vec![vec![Step::Bytes(5), Step::UntilClosed]]);
    let home = crate::origin("hello");
    let relay = Relay::new(home.addr);
    let [first, second] = [format!("https://{}", silent.addr), relay.url()].map(|url| Proxy::parse(&url).unwrap());
    let request = move |choice: hostpool::ProxyChoice| {
        let short = hostpool::Timeout::new().connect(Duration::from_millis(50));
        let request = hostpool::get("http://named.test/").timeout(short);
        without_hanging(move || request.choose_proxy(move |_| Ok(choice.clone())).send())
    };
    let error = request(hostpool::ProxyChoice::from(&first)).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(hostpool::Bound::Connect), Phase::Proxy));
    assert_eq!(request(hostpool::ProxyChoice::from(first).or(second)).unwrap().text().unwrap(), "hello");
}

/// H1: a URL with the wrong scheme for the proxy.
#[test]
fn the_wrong_scheme_for_a_proxy() {
    use crate::support::{Server, Step};
    let bad = Step::Send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec());
    let plain = Server::new(vec![vec![Step::Bytes(5), bad, Step::UntilClosed]]);
    let secured = TlsServer::new(Authority::new().server(), |_| Ok(()));
    for url in ["http://named.test/", "https://named.test/"] {
        let error = hostpool::get(url).proxy(format!("https://{}", plain.addr)).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Tls, Phase::Proxy), "{url}");
        let failure = error.tls_failure().unwrap();
        assert_eq!(failure.fault(), TlsFault::NotTls, "{url}");
        assert!(
            failure.to_string().contains("HTTP/1.1 400 Bad Request") && failure.to_string().contains("is the URL http")
        );
        // The proxy answers with an alert of TLS, or ends the connection.
        let error = hostpool::get(url).proxy(format!("http://{}", secured.addr)).send().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Protocol(_) | ErrorKind::Disconnected), "{url}: {error:?}");
    }
}

/// H3: a name that replaces that of the server is for the server, and not for the proxy.
#[test]
fn another_name_for_the_server() {
    let (of_proxy, of_server) = (Authority::new(), Authority::new());
    let leaf = of_server.leaf(&[dns("inner.test")]);
    let server = TlsServer::new(leaf.server(rustls::ALL_VERSIONS), echo);
    let proxy = secured_proxy(of_proxy.server(), server.addr);
    let tls = TlsConfig::builder().root_pem(of_server.pem().as_bytes()).server_name("inner.test").build().unwrap();
    let through = Proxy::parse(&proxy.url()).unwrap().tls(of_proxy.trusted());
    let session = Session::builder().proxy(through).tls(tls).build().unwrap();
    assert_eq!(session.get("https://named.test/a").send().unwrap().text().unwrap(), "GET /a HTTP/1.1");
    let names = |leg: &TlsServer| leg.seen.hellos().into_iter().map(|hello| hello.server_name).collect::<Vec<_>>();
    assert_eq!(names(&server), [Some("inner.test".to_owned())]);
    // An address is not sent as a name (RFC 6066, section 3).
    assert_eq!(names(&proxy), [None]);
}

/// A proxy over TLS: it opens tunnels to one address, and answers what it is to forward with the first line.
fn secured_proxy(config: rustls::ServerConfig, home: SocketAddr) -> TlsServer {
    TlsServer::new(config, move |peer| {
        loop {
            let head = String::from_utf8(peer.request()?).map_err(io::Error::other)?;
            if !head.starts_with("CONNECT ") {
                let first = lines(&head)[0].to_owned();
                peer.send(ok(&first))?;
                continue;
            }
            let server = TcpStream::connect(home)?;
            peer.send("HTTP/1.1 200 OK\r\n\r\n")?;
            return splice(peer, server);
        }
    })
}

/// Moves plaintext between a peer and a server until one of them ends.
fn splice(peer: &mut Peer, mut server: TcpStream) -> io::Result<()> {
    let tick = Some(Duration::from_millis(2));
    peer.tcp.set_read_timeout(tick)?;
    server.set_read_timeout(tick)?;
    let mut buf = [0; 16 * 1024];
    let nothing = |error: &io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    loop {
        match peer.read(&mut buf) {
            Ok(0) => return Ok(()),
            Ok(len) => server.write_all(&buf[..len])?,
            Err(error) if nothing(&error) => {}
            Err(error) => return Err(error),
        }
        match server.read(&mut buf) {
            Ok(0) => return Ok(()),
            Ok(len) => peer.send(&buf[..len])?,
            Err(error) if nothing(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The two ends of a connection through a proxy over TLS, each with an authority of its own.
struct Legs {
    of_proxy: Authority,
    of_server: Authority,
    proxy: TlsServer,
    server: TlsServer,
}

impl Legs {
    fn new() -> Legs {
        let (of_proxy, of_server) = (Authority::new(), Authority::new());
        let server = server(&of_server);
        let proxy = secured_proxy(of_proxy.server(), server.addr);
        Legs { of_proxy, of_server, proxy, server }
    }

    fn proxy(&self) -> Proxy {
        Proxy::parse(&self.proxy.url().replace("https://", "https://user:secret@")).unwrap()
    }
}

/// PRX-03, A2.14: TLS inside TLS, each leg verified by its own configuration, with tickets of its own.
#[test]
fn tls_inside_tls() {
    let legs = Legs::new();
    let proxy = legs.proxy().tls(legs.of_proxy.trusted());
    let session = Session::builder().proxy(proxy).tls(legs.of_server.trusted()).build().unwrap();
    for round in 0..2 {
        for _ in 0..2 {
            let response = session.get("https://named.test/a").send().unwrap();
            let connection = response.connection().unwrap();
            // The facts are those of the server.
            let tls = connection.tls.unwrap();
            assert!(connection.encrypted && tls.verified);
            assert_eq!(response.text().unwrap(), "GET /a HTTP/1.1");
        }
        let connects = legs.proxy.seen.requests();
        assert_eq!(connects.len(), round + 1, "the tunnel is kept");
        let connect = String::from_utf8(connects[round].1.clone()).unwrap();
        assert!(connect.starts_with("CONNECT named.test:443 ") && header(&connect, "Proxy-Authorization").is_some());
        session.connector().unwrap().clear();
    }
    for leg in [&legs.proxy, &legs.server] {
        let handshakes = leg.seen.handshakes();
        assert_eq!(handshakes.len(), 2);
        // The second handshake may resume the session of its own leg, and is never refused.
        assert!(leg.seen.errors().iter().all(|error| !error.contains("decrypt")), "{:?}", leg.seen.errors());
    }
    assert!(legs.server.seen.requests().iter().all(|(_, request)| !request.windows(6).any(|part| part == b"Proxy-")));
}

/// A2.9, PRX-25, PRX-43: no configuration stands in for the other.
#[test]
fn each_leg_verifies() {
    let legs = Legs::new();
    let off = || TlsConfig::builder().danger_accept_invalid_certs(true).build().unwrap();
    let (of_proxy, of_server) = (legs.of_proxy.trusted(), legs.of_server.trusted());
    let table = [
        ("both", of_proxy.clone(), of_server.clone(), None),
        ("neither is verified", off(), off(), None),
        ("the proxy by the server's", of_server.clone(), of_server.clone(), Some(Phase::Proxy)),
        ("the proxy, with the server's off", of_server.clone(), off(), Some(Phase::Proxy)),
        ("the server by the proxy's", of_proxy.clone(), of_proxy.clone(), Some(Phase::Tls)),
        ("the server, with the proxy's off", off(), of_proxy.clone(), Some(Phase::Tls)),
    ];
    for (row, for_proxy, for_server, fails_in) in table {
        let session = Session::builder().proxy(legs.proxy().tls(for_proxy)).tls(for_server).build().unwrap();
        let result = session.get("https://named.test/").send();
        assert_eq!(result.as_ref().err().map(|error| error.phase()), fails_in, "{row}");
        if let Err(error) = result {
            assert_eq!(error.kind(), &ErrorKind::Tls, "{row}");
            assert!(is_untrusted(&error), "{row}");
        }
    }
    // The name of the proxy is checked, whatever the server's configuration says.
    let wrong = secured_proxy(legs.of_proxy.leaf(&[dns("other.test")]).server(rustls::ALL_VERSIONS), legs.server.addr);
    let proxy = Proxy::parse(&wrong.url()).unwrap().tls(legs.of_proxy.trusted());
    for url in ["https://named.test/", "http://named.test/"] {
        let session = Session::builder().proxy(&proxy).tls(off()).build().unwrap();
        let error = session.get(url).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Tls, Phase::Proxy), "{url}");
        assert_eq!(error.tls_failure().unwrap().fault(), TlsFault::WrongName, "{url}");
    }
}

/// PRX-06, PRX-19: a proxy over TLS forwards `http`, and `https` if it is asked to.
#[test]
fn forwarding_over_tls() {
    let legs = Legs::new();
    let proxy = legs.proxy().tls(legs.of_proxy.trusted()).header("X-Team", "7").unwrap().forward_https(true);
    // The configuration of the client trusts nobody that is there.
    let session = Session::builder().proxy(proxy).tls(Authority::new().trusted()).build().unwrap();
    for url in ["http://one.test/a", "https://two.test/b"] {
        let response = session.get(url).send().unwrap();
        assert_eq!(response.text().unwrap(), format!("GET {url} HTTP/1.1"));
    }
    let requests = legs.proxy.seen.requests();
    assert_eq!(requests.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 0], "one connection");
    for (_, request) in requests {
        let request = String::from_utf8(request).unwrap();
        assert_eq!(header(&request, "X-Team"), Some("7"));
        assert!(header(&request, "Proxy-Authorization").is_some());
    }
    // Over plain http nothing would be encrypted, so a tunnel is opened.
    let relay = Relay::new(legs.server.addr);
    let proxy = Proxy::parse(&relay.url()).unwrap().forward_https(true);
    let session = Session::builder().proxy(proxy).tls(legs.of_server.trusted()).build().unwrap();
    assert_eq!(session.get("https://named.test/b").send().unwrap().text().unwrap(), "GET /b HTTP/1.1");
    assert!(relay.log.heads()[0].starts_with("CONNECT "));
}

/// The TLS configuration of the proxy is a part of its identity, and a replaced one of the client retires its tunnels.
#[test]
fn configurations_and_pools() {
    let legs = Legs::new();
    let session = Session::builder().tls(legs.of_server.trusted()).build().unwrap();
    let get = |tls: &TlsConfig| {
        let text = session.get("https://named.test/").proxy(legs.proxy().tls(tls.clone())).send().unwrap().text();
        assert_eq!(text.unwrap(), "GET / HTTP/1.1");
        legs.proxy.seen.requests().len()
    };
    let (one, other) = (legs.of_proxy.trusted(), legs.of_proxy.trusted_otherwise());
    assert_eq!([get(&one), get(&other), get(&one), get(&other)], [1, 2, 2, 2]);
    session.set_tls(legs.of_server.trusted_otherwise()).unwrap();
    assert_eq!([get(&one), get(&one)], [3, 3]);
}

/// PRX-12: a redirect from `http` to `https` changes from forwarding to a tunnel.
#[test]
fn redirects_into_a_tunnel() {
    let authority = Authority::new();
    let server = server(&authority);
    let relay = Relay::refusing(server.addr, |head| {
        head.starts_with("GET http://")
            .then(|| b"HTTP/1.1 301 Moved\r\nLocation: https://named.test/b\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    let session = Session::builder().proxy(relay.with_login("u:p")).tls(authority.trusted()).build().unwrap();
    let response = session.get("http://named.test/a").send().unwrap();
    assert_eq!(response.url().to_string(), "https://named.test/b");
    let heads = relay.log.heads();
    assert!(heads[1].starts_with("CONNECT named.test:443 "));
    // F2: the redirect stripped what was for the first server, and the proxy still gets its own.
    assert!(heads.iter().all(|head| header(head, "Proxy-Authorization") == Some("Basic dTpw")));
}

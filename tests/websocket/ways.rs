//! The ways to a WebSocket server: proxies, TLS and Unix sockets.

use hostpool::{ErrorKind, PoolManager, Session};

use super::peers::{Peer, switch};
use super::support::header;

/// A proxy for tunnels that answers the handshake itself, as the server at their end would.
fn proxy() -> Peer {
    Peer::new(|_, head| match head.starts_with("CONNECT ") {
        true => "HTTP/1.1 200 OK\r\n\r\n".into(),
        false => switch(head, ""),
    })
}

/// A `ws` URL takes a tunnel as well: a proxy that forwards would not pass the handshake on.
#[test]
fn through_a_proxy() {
    let proxy = proxy();
    let url = format!("http://u:p@{}", proxy.addr);
    let session = Session::builder().proxy(&*url).build().unwrap();
    let socket = session.ws_connect("ws://chat.example/room").connect().unwrap();
    assert_eq!(socket.connection().unwrap().tunnel.as_ref().unwrap().status(), 200);
    let sent = proxy.log.heads();
    assert!(sent[0].starts_with("CONNECT chat.example:80 HTTP/1.1\r\nHost: chat.example:80\r\n"), "{sent:?}");
    assert_eq!(header(&sent[0], "proxy-authorization"), Some("Basic dTpw"));
    assert!(!sent[0].contains("Sec-WebSocket"), "{sent:?}");
    assert!(sent[1].starts_with("GET /room HTTP/1.1\r\nHost: chat.example\r\n"), "{sent:?}");
    assert_eq!(header(&sent[1], "proxy-authorization"), None);
    // The proxy of one WebSocket.
    let socket = Session::new().ws_connect("ws://chat.example/").proxy(&*url).connect().unwrap();
    assert!(socket.connection().unwrap().tunnel.is_some());
    let peer = Peer::agreeing();
    let socket = session.ws_connect(peer.url("/")).no_proxy().connect().unwrap();
    assert!(socket.connection().unwrap().tunnel.is_none());
    // A refusal is the proxy's.
    let refusing = Peer::new(|_, _| "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno".into());
    let error = Session::new().ws_connect("ws://h.example/").proxy(format!("http://{}", refusing.addr)).connect();
    assert!(matches!(error.unwrap_err().kind(), ErrorKind::ProxyRefused { .. }));
}

/// Through SOCKS, and by the second way of a list.
#[test]
fn through_socks_and_by_a_list() {
    use std::io::{Read, Write};

    let peer = Peer::agreeing();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (addr, server) = (listener.local_addr().unwrap(), peer.addr);
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            // The methods, and a request with a name of 12 bytes.
            let mut asked = [0; 3 + 4 + 1 + 12 + 2];
            client.read_exact(&mut asked[..3]).unwrap();
            client.write_all(&[5, 0]).unwrap();
            client.read_exact(&mut asked[3..]).unwrap();
            assert_eq!(asked[3..], *b"\x05\x01\x00\x03\x0cchat.example\x00\x50");
            client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80]).unwrap();
            let server = std::net::TcpStream::connect(server).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let (mut from, mut to) = (server, client);
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
    });
    let socks = hostpool::Proxy::parse(&format!("socks5h://{addr}")).unwrap();
    let session = Session::builder().proxy(&socks).build().unwrap();
    let socket = session.ws_connect("ws://chat.example/room").connect().unwrap();
    socket.send_str("hello").unwrap();
    let (_kept, nobody) = super::support::refusing();
    let dead = hostpool::Proxy::parse(&format!("http://{nobody}")).unwrap();
    let list = hostpool::ProxyChoice::from(dead).or(socks);
    let session = Session::builder().choose_proxy(move |_| Ok(list.clone())).build().unwrap();
    session.ws_connect("ws://chat.example/room").connect().unwrap();
    let heads = peer.log.heads();
    assert!(heads.len() == 2 && heads.iter().all(|head| head.starts_with("GET /room HTTP/1.1\r\n")), "{heads:?}");
}

/// BA-14: the pools of the caller, whose limit holds.
#[test]
fn by_a_connector() {
    let (peer, pools) = (Peer::agreeing(), PoolManager::builder().limit(1).build().unwrap());
    let socket = hostpool::ws_connect(peer.url("/")).connector(&pools).connect().unwrap();
    assert_eq!(pools.stats().in_use, 1);
    drop(socket);
    assert_eq!(pools.stats().in_use, 0);
    peer.log.wait_until_none_is_open();
}

/// TLS to the server, and to the proxy.
#[cfg(feature = "rustls")]
#[test]
fn over_tls() {
    use std::net::TcpStream;
    use std::sync::Arc;

    let authority = crate::tls::Authority::new();
    let config = Arc::new(authority.server());
    let over_tls = move |stream: TcpStream| {
        rustls::StreamOwned::new(rustls::ServerConnection::new(config.clone()).unwrap(), stream)
    };
    let answer = |_: usize, head: &str| match head.starts_with("CONNECT ") {
        true => "HTTP/1.1 200 OK\r\n\r\n".into(),
        false => switch(head, ""),
    };
    let peer = Peer::over(answer, over_tls);
    let session = Session::builder().tls(authority.trusted()).build().unwrap();
    let socket = session.ws_connect(format!("wss://{}/", peer.addr)).connect().unwrap();
    assert!(socket.connection().unwrap().encrypted);
    drop(socket);
    peer.log.wait_until_none_is_open();
    let proxy = hostpool::Proxy::parse(&format!("https://{}", peer.addr)).unwrap().tls(authority.trusted());
    let socket = Session::new().ws_connect("ws://chat.example/").proxy(proxy).connect().unwrap();
    assert!(socket.connection().unwrap().tunnel.is_some());
    // An untrusted certificate.
    let error = Session::new().ws_connect(format!("wss://{}/", peer.addr)).connect().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Tls);
}

/// The path of the socket stands in place of the host.
#[cfg(unix)]
#[test]
fn over_a_unix_socket() {
    use std::os::unix::net::UnixListener;
    use std::sync::Arc;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ws.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let log = Arc::new(super::peers::Log::default());
    std::thread::spawn({
        let log = log.clone();
        move || {
            for stream in listener.incoming().flatten() {
                let log = log.clone();
                std::thread::spawn(move || log.serve(stream, &|_, head| switch(head, "")));
            }
        }
    });
    let url = hostpool::Url::unix(&path, "/chat").unwrap();
    let session = Session::new();
    let by_text = session.ws_connect(url.as_str().replace("http+unix", "ws+unix")).connect().unwrap();
    let by_url = session.ws_connect(&url).connect().unwrap();
    assert!(!by_text.is_closed() && !by_url.is_closed());
    assert!(log.heads().iter().all(|head| head.starts_with("GET /chat ")), "{:?}", log.heads());
}

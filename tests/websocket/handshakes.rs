//! The opening handshake: what is sent, and what comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hostpool::{Error, ErrorKind, PerMessageDeflate, Session, Url};

use super::peers::{Peer, switch};
use super::support::header;

/// WH5: some servers compare names and values with case. CS-13, WC-01, WC-02, BA-12.
#[test]
fn what_is_sent() {
    let peer = Peer::agreeing();
    let session = Session::builder().header("connection", "keep-alive").header("X-Client", "7").build().unwrap();
    let builder = session.ws_connect(peer.url("/chat?room=1#fragment"));
    let socket = builder.protocols(["a", "b"]).origin("https://page.example").params([("as", "me")]).connect().unwrap();
    assert_eq!(socket.protocol(), None);
    let sent = &peer.log.heads()[0];
    assert!(sent.starts_with(&format!("GET /chat?room=1&as=me HTTP/1.1\r\nHost: {}\r\n", peer.addr)), "{sent}");
    for line in [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: a, b",
        "Origin: https://page.example",
        "X-Client: 7",
    ] {
        assert_eq!(sent.matches(&format!("\r\n{line}\r\n")).count(), 1, "{line}: {sent}");
    }
    assert_eq!(sent.to_ascii_lowercase().matches("\r\nconnection:").count(), 1, "{sent}");
    assert!(!sent.contains("Sec-WebSocket-Extensions") && !sent.contains("Content-Length"), "{sent}");
    let key = header(sent, "Sec-WebSocket-Key").unwrap();
    assert!(sent.contains("\r\nSec-WebSocket-Key: ") && key.len() == 24, "{sent}");
    // Another handshake has another key.
    let other = hostpool::ws_connect(peer.url("/")).connect().unwrap();
    let sent = &peer.log.heads()[1];
    assert_ne!(header(sent, "sec-websocket-key"), Some(key));
    assert!(sent.contains("\r\nConnection: Upgrade\r\n") && !sent.contains("close"), "{sent}");
    drop((socket, other));
    peer.log.wait_until_none_is_open();
}

/// WH3: a port that is the default of the scheme is not sent.
#[test]
fn hosts() {
    let table = [
        ("ws://h.example/", "h.example"),
        ("ws://h.example:80/", "h.example"),
        ("WS://h.example:443/", "h.example:443"),
        ("http://h.example/", "h.example"),
        ("ws://h.example:9000", "h.example:9000"),
    ];
    for (url, host) in table {
        let peer = Peer::agreeing();
        let addr = peer.addr;
        let to_peer = hostpool::dialer_fn(move |_, context| {
            let url = Url::parse(&format!("http://{addr}"))?;
            hostpool::Dialer::dial(&hostpool::TcpDialer::new(), &hostpool::Target::from(&url), context)
        });
        let session = Session::builder().dialer(to_peer).build().unwrap();
        session.ws_connect(url).connect().unwrap();
        assert_eq!(header(&peer.log.heads()[0], "host"), Some(host), "{url}");
    }
}

/// Every form in which a URL can be given, and the base URL.
#[test]
fn urls() {
    let peer = Peer::agreeing();
    let base = format!("http://{}/base/", peer.addr);
    let session = Session::builder().base_url(&*base).build().unwrap();
    let ws = peer.url("/a");
    session.ws_connect("relative").connect().unwrap();
    session.ws_connect(&ws).connect().unwrap();
    session.ws_connect(ws.parse::<hostpool::url::Url>().unwrap()).connect().unwrap();
    session.ws_connect(ws.parse::<hostpool::http::Uri>().unwrap()).connect().unwrap();
    session.ws_connect(Url::parse(&base).unwrap()).connect().unwrap();
    let paths: Vec<_> = peer.log.heads().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(paths, ["/base/relative", "/a", "/a", "/a", "/base/"]);
    for url in ["ftp://h/", "ws:///a", "ws:h", "wss://u@v@w/"] {
        let error = session.ws_connect(url).connect().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidUrl(_)), "{url}: {error}");
    }
    // Other requests do not take the schemes of WebSockets.
    assert!(matches!(session.get(&ws).send().unwrap_err().kind(), ErrorKind::InvalidUrl(_)));
}

/// Rows 229 and 230: the protocol is one of those offered. WC-03, WS-03.
#[test]
fn protocols() {
    let peer = Peer::new(|_, head| {
        let lines = match head.split(' ').nth(1) {
            Some("/second") => "Sec-WebSocket-Protocol: b\r\n",
            Some("/stranger") => "Sec-WebSocket-Protocol: c\r\n",
            _ => "",
        };
        switch(head, lines)
    });
    let connect = |path: &str| hostpool::ws_connect(peer.url(path)).protocols(["a", "b"]);
    assert_eq!(connect("/second").connect().unwrap().protocol(), Some("b"));
    assert_eq!(connect("/none").connect().unwrap().protocol(), None);
    for refused in [connect("/stranger"), connect("/none").require_protocol(true)] {
        assert_eq!(refused.connect().unwrap_err().kind(), &ErrorKind::WebSocketHandshake);
    }
    // By hand, as headers.
    let by_hand = hostpool::ws_connect(peer.url("/second")).header("sec-websocket-protocol", "a, b");
    assert_eq!(by_hand.connect().unwrap().protocol(), Some("b"));
    let sent = peer.log.heads();
    assert!(sent.last().unwrap().contains("\r\nSec-WebSocket-Protocol: a, b\r\n"));
    let before = sent.len();
    for wrong in ["", "a b", "a,b", "a"] {
        let error = hostpool::ws_connect(peer.url("/")).protocols(["a", wrong]).connect().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{wrong}");
    }
    assert_eq!(peer.log.heads().len(), before);
}

/// The fields of the handshake are its own.
#[test]
fn headers_that_are_refused() {
    let peer = Peer::agreeing();
    for name in ["Sec-WebSocket-Key", "sec-websocket-version", "Sec-WebSocket-Extensions", "Sec-WebSocket-Accept"] {
        let error = hostpool::ws_connect(peer.url("/")).header(name, "x").connect().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidHeader(_)), "{name}: {error}");
    }
    assert!(peer.log.heads().is_empty());
}

/// WD1: what is offered, and what comes of an answer.
#[test]
fn extensions() {
    let peer = Peer::new(|_, head| {
        let lines = match head.split(' ').nth(1) {
            Some("/deflate") => "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n",
            Some("/other") => "Sec-WebSocket-Extensions: x-webkit-deflate-frame\r\n",
            Some("/bad") => "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=16\r\n",
            _ => "",
        };
        switch(head, lines)
    });
    let table = [
        ("/none", true, true),
        ("/deflate", true, true),
        ("/other", true, false),
        ("/bad", true, false),
        ("/none", false, true),
        ("/deflate", false, false),
    ];
    for (path, offered, agreed) in table {
        let compress = offered.then(PerMessageDeflate::new);
        let socket = hostpool::ws_connect(peer.url(path)).compress(compress).connect();
        let sent = peer.log.heads().pop().unwrap();
        let offer = offered.then_some("permessage-deflate; client_max_window_bits");
        assert_eq!(header(&sent, "sec-websocket-extensions"), offer);
        match socket {
            Err(error) => {
                assert!(!agreed && *error.kind() == ErrorKind::WebSocketHandshake, "{path} {offered}: {error}")
            }
            Ok(_) => assert!(agreed, "{path} {offered}"),
        }
    }
}

/// The session's cookies and credentials go with the handshake, and cookies of its response are kept. WC-05, BA-15.
#[test]
fn cookies_and_credentials() {
    let peer = Peer::new(|n, head| switch(head, &format!("Set-Cookie: seen={n}\r\n")));
    let session = Session::builder().cookies([("sid", "1")]).build().unwrap();
    session.ws_connect(peer.url("/")).auth(("user", "secret")).cookie("own", "2").connect().unwrap();
    session.ws_connect(peer.url("/").replace("ws://", "ws://url:login@")).connect().unwrap();
    let sent = peer.log.heads();
    let of = |head: &str, name: &str| header(head, name).unwrap_or_default().to_owned();
    assert!(of(&sent[0], "cookie").contains("sid=1") && of(&sent[0], "cookie").contains("own=2"), "{sent:?}");
    assert_eq!(of(&sent[0], "authorization"), hostpool::BasicAuth::new("user", "secret").encode().unwrap());
    assert!(of(&sent[1], "cookie").contains("seen=1"), "{sent:?}");
    assert_eq!(of(&sent[1], "authorization"), hostpool::BasicAuth::new("url", "login").encode().unwrap());
}

/// A challenge is answered, on the same connection where it can be.
#[cfg(feature = "digest-auth")]
#[test]
fn a_digest() {
    let peer = Peer::new(|_, head| match header(head, "authorization") {
        Some(value) if value.starts_with("Digest ") && value.contains("uri=\"/d\"") => switch(head, ""),
        _ => {
            let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
            format!("HTTP/1.1 401 Unauthorized\r\n{challenge}\r\nContent-Length: 0\r\n\r\n")
        }
    });
    hostpool::ws_connect(peer.url("/d")).auth(hostpool::DigestAuth::new("user", "secret")).connect().unwrap();
    assert_eq!(peer.log.heads().len(), 2);
}

/// Row 232: a redirect is followed, also to a `ws` URL; credentials stay with their origin.
#[test]
fn redirects() {
    let to = Peer::agreeing();
    for (status, scheme) in [(301, "ws"), (302, "http"), (303, "ws"), (307, "ws"), (308, "http")] {
        let location = format!("{scheme}://{}/there", to.addr);
        let from =
            Peer::new(move |_, _| format!("HTTP/1.1 {status} x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"));
        let before = to.log.heads().len();
        let socket = hostpool::ws_connect(from.url("/")).basic_auth("user", "secret").connect().unwrap();
        assert_eq!(socket.response().url().to_string(), format!("http://{}/there", to.addr), "{status} {scheme}");
        let sent = to.log.heads().split_off(before);
        assert!(sent[0].starts_with("GET /there ") && sent[0].contains("\r\nUpgrade: websocket\r\n"), "{sent:?}");
        assert_eq!(header(&sent[0], "authorization"), None);
        // Not followed, it is no handshake.
        let error = hostpool::ws_connect(from.url("/")).request(|request| request.allow_redirects(false)).connect();
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.head().unwrap().status().as_u16()), (&ErrorKind::WebSocketHandshake, status));
    }
}

/// CS-13: the hook of the session gets each WebSocket before its caller does.
#[test]
fn hooks() {
    let (peer, seen) = (Peer::agreeing(), Arc::new(AtomicUsize::new(0)));
    let session = Session::builder()
        .on_websocket({
            let seen = seen.clone();
            move |socket| {
                seen.fetch_add(1, Ordering::SeqCst);
                Ok(socket)
            }
        })
        .on_websocket(|socket| match socket.response().url().path() {
            "/refused" => Err(Error::custom("not this one")),
            _ => Ok(socket),
        })
        .build()
        .unwrap();
    let kept = session.ws_connect(peer.url("/")).connect().unwrap();
    let error = session.ws_connect(peer.url("/refused")).connect().unwrap_err();
    assert_eq!((error.to_string().as_str(), seen.load(Ordering::SeqCst)), ("not this one", 2));
    assert_eq!(session.connector().unwrap().stats().in_use, 1);
    drop(kept);
    peer.log.wait_until_none_is_open();
    // The hooks and middleware of requests see the handshake, too.
    let seen = Arc::new(AtomicUsize::new(0));
    let counts = |seen: &Arc<AtomicUsize>| {
        let seen = seen.clone();
        move || seen.fetch_add(1, Ordering::SeqCst)
    };
    let (on_request, on_response) = (counts(&seen), counts(&seen));
    let session = Session::builder()
        .on_request(move |_| {
            on_request();
            Ok(())
        })
        .on_response(move |response| {
            on_response();
            Ok(response)
        })
        .build()
        .unwrap();
    session.ws_connect(peer.url("/")).connect().unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

/// The place in the pool is that of the WebSocket until it ends.
#[test]
fn the_place_in_the_pool() {
    let peer = Peer::agreeing();
    let session = Session::builder().limit(1).build().unwrap();
    let socket = session.ws_connect(peer.url("/")).connect().unwrap();
    assert!(socket.connection().is_some_and(|connection| connection.remote == Some(peer.addr)));
    let busy = session.ws_connect(peer.url("/")).request(|request| request.pool_timeout(std::time::Duration::ZERO));
    assert!(matches!(busy.connect().unwrap_err().kind(), ErrorKind::PoolTimeout { .. }));
    drop(socket);
    session.ws_connect(peer.url("/")).connect().unwrap();
}

//! Handshakes that fail: each has its error, and leaves nothing behind.

use std::time::Duration;

use hostpool::{Bound, CancelToken, ErrorKind, Phase, Session, Timeout, Violation};

use super::peers::Peer;
use super::support::{GIVE_UP, Server, Step, refusing, without_hanging};

fn session() -> Session {
    Session::builder().limit(1).build().unwrap()
}

fn free_again(row: &str, session: &Session) {
    assert_eq!(session.connector().unwrap().stats().in_use, 0, "{row}");
}

/// Row 227, A16.1, WH1 and WH9: any answer is an error of one kind, with its head and the start of its body.
#[test]
fn any_answer() {
    let good = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n";
    let table: [(&str, String, u16, &str); 13] = [
        ("HTTP/1.0", "HTTP/1.0 503 Service Unavailable\r\n\r\nbusy".into(), 503, "busy"),
        ("with a length", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno".into(), 403, "no"),
        ("in chunks", "HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n".into(), 400, "no"),
        ("until the close", "HTTP/1.1 500 x\r\nConnection: close\r\n\r\nno".into(), 500, "no"),
        ("a page", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>".into(), 200, "<html>"),
        ("nothing", "HTTP/1.1 204 No Content\r\n\r\n".into(), 204, ""),
        ("not modified", "HTTP/1.1 304 x\r\n\r\n".into(), 304, ""),
        ("a status of its own", "HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n".into(), 999, ""),
        ("a redirect to nowhere", "HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n".into(), 302, ""),
        ("an upgrade asked for", "HTTP/1.1 426 x\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n".into(), 426, ""),
        ("a wrong key", format!("HTTP/1.1 101 x\r\n{good}\r\n"), 101, ""),
        ("another protocol", "HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n".into(), 101, ""),
        ("no fields", "HTTP/1.1 101 x\r\n\r\n".into(), 101, ""),
    ];
    for (row, answer, status, body) in table {
        let (peer, session) = (Peer::new(move |_, _| answer.clone()), session());
        let error = session.ws_connect(peer.url("/secret?token=canary")).connect().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::WebSocketHandshake, Phase::Head), "{row}: {error}");
        let head = error.head().unwrap_or_else(|| panic!("{row}: a head"));
        assert_eq!((head.status().as_u16(), head.body()), (status, body.as_bytes()), "{row}");
        assert!(error.to_string().contains("GET http://127.0.0.1") && !error.to_string().contains("canary"), "{error}");
        free_again(row, &session);
    }
}

/// A session that makes errors of statuses makes this one all the same.
#[test]
fn a_session_that_raises() {
    let peer = Peer::new(|_, _| "HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n".into());
    let session = Session::builder().raise_for_status(true).build().unwrap();
    assert_eq!(session.ws_connect(peer.url("/")).connect().unwrap_err().kind(), &ErrorKind::WebSocketHandshake);
}

/// WH9: a body that never comes, or never ends, is not waited for.
#[test]
fn bodies_that_do_not_end() {
    let head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 40\r\n\r\n";
    let endless = [b"HTTP/1.1 403 x\r\n\r\n".to_vec(), vec![b'x'; 100_000]].concat();
    let table: [(&str, Vec<Step>, usize); 3] = [
        ("no body", vec![Step::Request, Step::Send(head.to_vec()), Step::UntilClosed], 0),
        ("a part", vec![Step::Request, Step::Send([head, &b"so far"[..]].concat()), Step::UntilClosed], 6),
        (
            "without end",
            vec![Step::Request, Step::Send(endless), Step::Forever(vec![Step::Send(vec![b'x'; 4096])])],
            64 * 1024,
        ),
    ];
    for (row, steps, len) in table {
        let (server, session) = (Server::new(vec![steps]), session());
        let url = server.url("/");
        let error = without_hanging({
            let session = session.clone();
            move || session.ws_connect(url).connect().unwrap_err()
        });
        assert_eq!((error.kind(), error.head().unwrap().body().len()), (&ErrorKind::WebSocketHandshake, len), "{row}");
        free_again(row, &session);
    }
}

/// WH7: a server that stalls, or ends, before the head and inside it. A second try works.
#[test]
fn stalls_and_ends() {
    let late = ErrorKind::Timeout(Bound::Head);
    let cut = ErrorKind::Protocol(Violation::IncompleteHead);
    let table: [(&str, Vec<Step>, ErrorKind); 5] = [
        ("before the head", vec![Step::Request, Step::UntilClosed], late.clone()),
        ("inside the head", vec![Step::Request, Step::Send(b"HTTP/1.1 101 Swi".to_vec()), Step::UntilClosed], late),
        ("it ends", vec![Step::Request], ErrorKind::Disconnected),
        ("it ends inside the head", vec![Step::Request, Step::Send(b"HTTP/1.1 101 Swi".to_vec())], cut),
        ("it resets", vec![Step::Request, Step::Reset], ErrorKind::Disconnected),
    ];
    for (row, steps, expected) in table {
        let (server, session) = (Server::new(vec![steps]), session());
        let url = server.url("/");
        let limit = if expected == ErrorKind::Timeout(Bound::Head) { Duration::from_millis(300) } else { GIVE_UP };
        let connect = {
            let session = session.clone();
            move || session.ws_connect(url).handshake_timeout(Timeout::new().head(limit)).connect().unwrap_err()
        };
        let error = without_hanging(connect);
        assert_eq!((error.kind(), error.phase()), (&expected, Phase::Head), "{row}");
        free_again(row, &session);
        let peer = Peer::agreeing();
        session.ws_connect(peer.url("/")).connect().unwrap();
    }
    let (_socket, nobody) = refusing();
    let error = session().ws_connect(format!("ws://{nobody}/")).connect().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Connect);
}

/// The same inside TLS and before it.
#[cfg(feature = "rustls")]
#[test]
fn stalls_before_and_in_tls() {
    let certain = crate::tls::Authority::new();
    for (row, steps) in [("before TLS", vec![Step::UntilClosed]), ("in TLS", vec![Step::Bytes(5), Step::UntilClosed])] {
        let server = Server::new(vec![steps]);
        let session = Session::builder().tls(certain.trusted()).limit(1).build().unwrap();
        let url = format!("wss://{}/", server.addr);
        let timeout = Timeout::new().tls(Duration::from_millis(300));
        let connect = {
            let session = session.clone();
            move || session.ws_connect(url).handshake_timeout(timeout).connect().unwrap_err()
        };
        let error = without_hanging(connect);
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Tls), Phase::Tls), "{row}");
        free_again(row, &session);
    }
}

/// Another thread ends a handshake that waits.
#[test]
fn a_token() {
    let (server, session) = (Server::new(vec![vec![Step::Request, Step::Tell("asked"), Step::UntilClosed]]), session());
    let token = CancelToken::new();
    let connect = session.ws_connect(server.url("/")).cancel_with(&token);
    let connecting = std::thread::spawn(move || connect.connect().unwrap_err());
    server.wait_for("asked");
    token.cancel();
    assert_eq!(without_hanging(move || connecting.join().unwrap()).kind(), &ErrorKind::Cancelled);
    free_again("cancelled", &session);
}

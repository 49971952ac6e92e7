//! Which responses hand their connection out.

use std::io::{self, Read, Write};

use hostpool::{ErrorKind, Method, PoolManager, Violation};

use super::support::{Server, Step, answer, ok};

fn send(head: &str) -> Server {
    Server::new(vec![vec![Step::Request, Step::Send(head.as_bytes().to_vec()), Step::HalfClose, Step::Rest]])
}

/// UP1: what can be upgraded, and what comes out then.
#[test]
fn responses_that_can_be_upgraded() {
    let table = [
        ("a 101", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nraw", "raw"),
        (
            "Docker's",
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n\
             Upgrade: tcp\r\n\r\nraw",
            "raw",
        ),
        ("with a length, which a 101 has not", "HTTP/1.1 101 x\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\nraw", "raw"),
        ("after an interim response", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 x\r\nUpgrade: tcp\r\n\r\nraw", "raw"),
        ("a raw 200", "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nraw", "raw"),
        ("a raw 200 of HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nraw", "raw"),
    ];
    for (row, head, text) in table {
        let server = send(head);
        let pools = PoolManager::builder().build().unwrap();
        let response = pools.post(server.url("/attach")).upgrade_to("tcp").send().unwrap();
        let status = response.status();
        let mut upgraded = response.upgrade().unwrap_or_else(|error| panic!("{row}: {error}"));
        upgraded.write_all(b"to the server").unwrap();
        let mut raw = String::new();
        upgraded.read_to_string(&mut raw).unwrap();
        assert_eq!((&*raw, upgraded.head().status()), (text, status), "{row}");
        assert_eq!(upgraded.peer_addr(), Some(server.addr), "{row}");
        assert_eq!(upgraded.local_addr(), upgraded.connection().local, "{row}");
        assert!(upgraded.connection().local.is_some() && upgraded.connection().id > 0, "{row}");
        drop(upgraded);
        super::support::eventually("the server has read all", || !server.seen.rest().is_empty());
        assert_eq!(server.seen.rest(), [b"to the server"], "{row}");
    }
}

/// The rest of a raw 200 that the caller has begun to read as a body.
#[test]
fn a_body_that_was_begun() {
    let server = send("HTTP/1.1 200 OK\r\n\r\nfirst and then the rest");
    let mut response = hostpool::get(server.url("/")).send().unwrap();
    let mut first = [0; 6];
    response.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"first ");
    let upgraded = response.upgrade().unwrap();
    assert_eq!(io::read_to_string(upgraded).unwrap(), "and then the rest");
}

#[test]
fn responses_that_cannot_be_upgraded() {
    let table = [
        ("a length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", 200, "no"),
        ("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", 200, "no"),
        ("no body", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("a refusal", "HTTP/1.1 409 Conflict\r\nContent-Length: 11\r\n\r\nnot running", 409, "not running"),
        ("a refusal until the close", "HTTP/1.1 404 Not Found\r\n\r\nno such container", 404, "no such container"),
        ("a redirect that is not followed", "HTTP/1.1 300 x\r\nContent-Length: 0\r\n\r\n", 300, ""),
    ];
    for (row, head, status, body) in table {
        let server = send(head);
        let pools = PoolManager::builder().limit(1).build().unwrap();
        let error = pools.post(server.url("/")).upgrade_to("tcp").send().unwrap().upgrade().unwrap_err();
        assert_eq!((error.kind(), error.code()), (&ErrorKind::NotUpgraded, "not_upgraded"), "{row}");
        let head = error.head().unwrap();
        assert_eq!((head.status().as_u16(), head.body()), (status, body.as_bytes()), "{row}");
        assert_eq!(pools.stats().in_use, 0, "{row}");
        assert!(error.to_string().contains("POST http://127.0.0.1"), "{error}");
    }
    // A response that the caller has made has no connection.
    let made = hostpool::Response::builder().status(200).build().unwrap();
    assert_eq!(made.upgrade().unwrap_err().kind(), &ErrorKind::NotUpgraded);
}

/// A 101 that nobody asked for, and one that comes before the whole request.
#[test]
fn a_101_that_is_refused() {
    let unexpected = ErrorKind::Protocol(Violation::UnexpectedUpgrade);
    let server = send("HTTP/1.1 101 x\r\nUpgrade: tcp\r\n\r\n");
    assert_eq!(hostpool::get(server.url("/")).send().unwrap_err().kind(), &unexpected);

    let early = b"HTTP/1.1 101 x\r\nUpgrade: tcp\r\n\r\n".to_vec();
    let server = Server::new(vec![vec![Step::Head, Step::Send(early), Step::UntilClosed]]);
    let body = hostpool::Body::reader(io::repeat(7).take(64 * 1024 * 1024));
    let error = hostpool::post(server.url("/")).upgrade_to("tcp").body(body).send().unwrap_err();
    assert_eq!(error.kind(), &unexpected);

    // What decides where the next protocol begins is strict.
    let server = send("HTTP/1.1 101 x\r\nno field\r\nUpgrade: tcp\r\n\r\n");
    let error = hostpool::get(server.url("/")).upgrade_to("tcp").send().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Protocol(_)), "{error}");
}

/// The fields by hand do the same, also from the client's defaults.
#[test]
fn the_fields_by_hand() {
    let switch = "HTTP/1.1 101 x\r\nUpgrade: tcp\r\n\r\nraw";
    let server = send(switch);
    let request = hostpool::get(server.url("/")).header("Upgrade", "tcp").header("Connection", "Upgrade");
    assert_eq!(io::read_to_string(request.send().unwrap().upgrade().unwrap()).unwrap(), "raw");

    let server = send(switch);
    let session = hostpool::Session::builder().header("Upgrade", "tcp").build().unwrap();
    assert_eq!(io::read_to_string(session.get(server.url("/")).send().unwrap().upgrade().unwrap()).unwrap(), "raw");

    let server = Server::new(vec![answer(ok(""))]);
    hostpool::get(server.url("/")).upgrade_to("a/1, b").send().unwrap();
    let sent = &server.seen.requests()[0];
    assert!(sent.contains("\r\nConnection: Upgrade\r\nUpgrade: a/1, b\r\n"), "{sent}");
    let error = hostpool::get(server.url("/")).upgrade_to("a\r\nb").send().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidHeader(_)), "{error}");
}

/// Without a proxy there is nobody who opens a tunnel.
#[test]
fn a_connect_without_a_proxy() {
    let error = hostpool::request(Method::CONNECT, "http://127.0.0.1:1/").send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{error}");
}

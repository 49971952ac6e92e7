//! Connections that end while a body is leaving, or in place of the end of a response.

#[cfg(feature = "rustls")]
use std::{net::Shutdown, time::Duration};

#[cfg(feature = "rustls")]
use hostpool::{ConnectionPool, PoolManager, RequestBuilder};
use hostpool::{ErrorKind, Method, Phase, Response, Session};

use super::server::Host;
use super::{Fate, MB, check, hosts};
#[cfg(feature = "rustls")]
use crate::support::read_head;
use crate::support::{GIVE_UP, Server, Step};

/// A response that is cut is not one, however much of the request had left.
#[test]
fn a_part_of_a_response_and_then_the_end() {
    for host in hosts() {
        let session = host.session().build().unwrap();
        let url = format!("{}{}", host.url, host.path("part"));
        let error = session.post(url).data(vec![b'x'; 30 * MB]).send().unwrap_err();
        let expected = ErrorKind::incomplete_body(3, Some(5));
        assert_eq!((error.kind(), error.phase()), (&expected, Phase::Send), "{}", host.name);
        assert_eq!(error.head().map(|head| head.status().as_u16()), Some(200), "{}", host.name);
    }
}

/// Only the end of the connection delimits the body, and a reset is not an end: the body is cut.
#[test]
fn a_body_without_end_and_then_a_reset() {
    for status in ["200 OK", "413 Content Too Large"] {
        let response = format!("HTTP/1.0 {status}\r\n\r\nearly").into_bytes();
        let server = Server::new(vec![vec![Step::Bytes(1000), Step::Send(response)]]);
        let result = Session::new().post(server.url("/")).data(vec![b'x'; 30 * MB]).send();
        let error = result.and_then(Response::text).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::incomplete_body(5, None), "{status}");
    }
}

/// RW-44: whatever the client is doing when the connection ends, the response is read.
#[test]
fn the_answer_of_a_server_that_closes_with_bytes_unread() {
    let host = Host::plain();
    let session = host.session().build().unwrap();
    for round in 0..40 {
        let size = [MB / 2, 4 * MB][round % 2];
        let row = [("closes", Fate::Breaks, None), ("resets", Fate::Breaks, None)][round / 2 % 2];
        check(&host, |path| session.post(format!("{}{path}", host.url)).data(vec![b'x'; size]).send(), row, size);
    }
}

/// RW-16: a TLS stream that ends without close_notify.
#[cfg(feature = "rustls")]
#[test]
fn tls_that_ends_without_a_goodbye() {
    use crate::tls::{Authority, TlsServer};
    let authority = Authority::new();
    let server = TlsServer::new(authority.server(), |peer| {
        let request = peer.request()?;
        let text = String::from_utf8_lossy(&request).into_owned();
        peer.send(match text.split(' ').nth(1).unwrap() {
            "/close" => "HTTP/1.1 200 OK\r\n\r\nhello",
            "/length" => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            _ => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        })?;
        peer.tcp.shutdown(Shutdown::Write)?;
        peer.until_closed()
    });
    let (url, tls) = (server.url(), authority.trusted());
    let request = |client: usize, allow: bool, target: &str| match client {
        0 => {
            let pool = ConnectionPool::builder(&url).tls(tls.clone()).allow_unclean_close(allow).build().unwrap();
            pool.get(target)
        }
        1 => {
            let manager = PoolManager::builder().tls(tls.clone()).allow_unclean_close(allow).build().unwrap();
            manager.get(format!("{url}{target}"))
        }
        _ => {
            let session = Session::builder().tls(tls.clone()).allow_unclean_close(allow).build().unwrap();
            session.get(format!("{url}{target}"))
        }
    };
    let read = |request: RequestBuilder| request.timeout(GIVE_UP).send().and_then(Response::text);
    for client in 0..3 {
        for (target, expected) in [("/close", None), ("/length", Some(9)), ("/chunks", None)] {
            let cut = ErrorKind::incomplete_body(5, expected);
            for (allow, own) in [(false, None), (true, Some(false)), (true, None), (false, Some(true))] {
                let id = format!("RW-16 {client} {target} {allow} {own:?}");
                let request = request(client, allow, target);
                let result = read(own.into_iter().fold(request, RequestBuilder::allow_unclean_close));
                match own.unwrap_or(allow) && target == "/close" {
                    true => assert_eq!(result.as_deref().ok(), Some("hello"), "{id}"),
                    false => assert_eq!(result.unwrap_err().kind(), &cut, "{id}"),
                }
            }
        }
    }
}

/// A TLS stream says itself where it ends, whatever becomes of the connection then. Without close_notify a reset is an
/// error, whatever is allowed.
#[cfg(feature = "rustls")]
#[test]
fn tls_that_ends_and_then_a_reset() {
    use crate::tls::{Authority, TlsServer, without_tickets};
    let authority = Authority::new();
    let server = TlsServer::new(without_tickets(authority.server()), |peer| {
        peer.tcp.set_nodelay(true)?;
        let head = read_head(peer)?;
        let target = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap().to_owned();
        peer.send(format!("HTTP/1.1 {} Answer\r\n\r\nearly", &target[1..4]))?;
        if target.ends_with("ended") {
            peer.goodbye()?;
        }
        socket2::SockRef::from(&peer.tcp).set_linger(Some(Duration::ZERO))
    });
    let session = Session::builder().tls(authority.trusted()).allow_unclean_close(true).timeout(GIVE_UP);
    let session = session.build().unwrap();
    for (target, ended) in [("/200/ended", true), ("/413/ended", true), ("/200", false), ("/413", false)] {
        let request = session.post(format!("{}{target}", server.url())).data(vec![b'x'; 30 * MB]);
        let result = request.send().and_then(Response::text);
        match ended {
            true => assert_eq!(result.as_deref().ok(), Some("early"), "RW-16 {target}: {result:?}"),
            false => {
                let cut = ErrorKind::incomplete_body(5, None);
                assert_eq!(result.unwrap_err().kind(), &cut, "RW-16 {target}");
            }
        }
    }
}

/// RW-16: what a plain connection says by a reset is no end, whatever is allowed.
#[test]
fn a_reset_is_no_unclean_close() {
    let response = b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec();
    let server = Server::new(vec![vec![Step::Bytes(10), Step::Send(response), Step::Tell("sent"), Step::Reset]]);
    let session = Session::builder().allow_unclean_close(true).timeout(GIVE_UP).build().unwrap();
    let result = session.request(Method::GET, server.url("/")).send().and_then(Response::text);
    assert!(matches!(result.unwrap_err().kind(), ErrorKind::IncompleteBody { .. } | ErrorKind::Disconnected), "RW-16");
}

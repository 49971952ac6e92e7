//! Addresses that the caller gives for a host.

use super::*;
use std::net::Ipv4Addr;

use hostpool::{ConnectionPool, ErrorKind, Phase, PoolManager, Session, TcpDialer};

/// A client's addresses: with and without a port, several, and for a host that is an IP address. The Host field stays.
#[test]
fn of_a_client() {
    let server = closing();
    let (_refusing, refused) = support::refusing();
    let port = server.addr.port();
    let session = Session::builder()
        .resolver(Book::default())
        .resolve_to("port.test", server.addr)
        .resolve_to("Bare.test", Ipv4Addr::LOCALHOST)
        .resolve_to("several.test", [refused, server.addr])
        .resolve_to("192.0.2.1", server.addr)
        .resolve_to("again.test", refused)
        .resolve_to("again.test", vec![server.addr])
        .build()
        .unwrap();
    let bare = format!("bare.test:{port}");
    let names = ["port.test", &bare, "several.test", "192.0.2.1", "again.test"];
    for name in names {
        session.get(format!("http://{name}/")).send().unwrap();
    }
    assert_eq!(hosts(&server), names);
    assert_eq!(session.get("http://other.test/").send().unwrap_err().kind(), &ErrorKind::Resolve);
    let none = PoolManager::builder().resolve_to("a.test", [(); 0].map(|()| Ipv4Addr::LOCALHOST)).build().unwrap();
    assert_eq!(none.get("http://a.test/").retries(0).send().unwrap_err().kind(), &ErrorKind::Resolve);
}

/// A request's addresses come before the client's. Requests share a connection if they give the same ones.
#[test]
fn of_a_request() {
    let (own, clients) = (greeting(), greeting());
    let session = Session::builder().resolve_to("a.test", clients.addr).build().unwrap();
    let plain = || session.get("http://a.test/");
    let get = |request: hostpool::RequestBuilder| request.send().unwrap().text().unwrap();
    for _ in 0..2 {
        get(plain());
        get(plain().resolve_to("a.test", own.addr));
        // Of no meaning here, so it changes no connection.
        get(plain().resolve_to("b.test", own.addr));
    }
    assert_eq!((clients.seen.accepted(), clients.seen.requests().len()), (1, 4));
    assert_eq!((own.seen.accepted(), own.seen.requests().len()), (1, 2));
    get(plain().resolve_to("a.test", [own.addr, clients.addr]));
    assert_eq!(own.seen.accepted(), 2, "another list is another key");
    // A request that middleware changes.
    let addr = own.addr;
    get(plain().middleware(move |mut request, next| {
        assert!(request.resolved_to("A.test").is_none());
        request.set_resolve_to("a.test", addr)?;
        assert_eq!(request.resolved_to("A.test").unwrap(), [addr]);
        next.run(request)
    }));
    assert_eq!(own.seen.requests().len(), 4);
}

/// A redirect to another name is looked up there, and one back uses the addresses again.
#[test]
fn redirects() {
    let other = Server::new(vec![redirect_to("http://a.test/back")]);
    let first = Server::new(vec![
        answer("HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: http://other.test/\r\nContent-Length: 0\r\n\r\n"),
        answers(ok("back")),
    ]);
    let book = Book::new([("other.test", vec![other.addr])]);
    let session = Session::builder().resolver(book.clone()).build().unwrap();
    let response = session.get("http://a.test/").resolve_to("a.test", first.addr).send().unwrap();
    assert_eq!(response.text().unwrap(), "back");
    assert_eq!((hosts(&first), hosts(&other)), (vec!["a.test".to_owned(); 2], vec!["other.test".to_owned()]));
    assert_eq!(book.asked(), ["other.test"]);
    // Without the addresses the name is not known: nothing of the call before is left.
    assert_eq!(session.get("http://a.test/").send().unwrap_err().kind(), &ErrorKind::Resolve);
}

/// Addresses of a request that would have no effect, and a host that is none, are errors.
#[test]
fn what_is_refused() {
    let dialed = PoolManager::builder().dialer(TcpDialer::new()).build().unwrap();
    let error = dialed.get("http://a.test/").resolve_to("a.test", Ipv4Addr::LOCALHOST).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::InvalidRequest, Phase::Prepare));
    for host in ["", "a b", "http://a.test", "a.test:80", "a.test/", "u@a.test"] {
        let error = hostpool::get("http://a.test/").resolve_to(host, Ipv4Addr::LOCALHOST).send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidConfig, "{host}");
    }
}

/// A pool for one host takes them, too, and counts the connections together.
#[test]
fn of_a_pool() {
    let (one, other) = (greeting(), greeting());
    let pool = ConnectionPool::builder("http://a.test").resolve_to("a.test", one.addr).limit(1).build().unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    pool.get("/").resolve_to("a.test", other.addr).send().unwrap().text().unwrap();
    assert_eq!((one.seen.accepted(), other.seen.accepted()), (1, 1));
    let stats = pool.stats();
    assert_eq!((stats.open, stats.created), (1, 2), "the limit is for the host");
}

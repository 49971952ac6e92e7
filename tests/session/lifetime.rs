//! How sessions begin and end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hostpool::{ErrorKind, PoolManager, Session, Url};

use crate::support::{Server, answers, eventually, ok};

fn server() -> Server {
    Server::with(|_| answers(ok("there")))
}

fn get(session: &Session, server: &Server) -> hostpool::Result<String> {
    session.get(server.url("/")).send()?.text()
}

#[test]
fn open_and_closed() {
    let server = server();
    let session = Session::new();
    assert!(!session.is_closed() && session.connector().is_some(), "B1");
    get(&session, &server).unwrap();
    let (other, made_before) = (session.clone(), session.get(server.url("/")));
    session.close();
    session.close();
    assert!(session.is_closed() && other.is_closed() && session.connector().is_none(), "B2 CS-20");
    eventually("the idle connection is closed", || server.seen.open() == 0);
    assert_eq!(get(&other, &server).unwrap_err().kind(), &ErrorKind::Closed, "CS-23");
    assert_eq!(made_before.send().unwrap_err().kind(), &ErrorKind::Closed, "CS-23");
    assert!(session.detach().is_none());
}

#[test]
fn detached() {
    let server = server();
    let session = Session::new();
    get(&session, &server).unwrap();
    let connector = session.detach().unwrap();
    assert!(session.is_closed() && session.connector().is_none() && !connector.is_closed(), "B4 CS-24");
    assert!(session.detach().is_none());
    assert!(get(&session, &server).unwrap_err().is_closed(), "B4");
    session.close();
    drop(session);
    assert!(!connector.is_closed(), "B7");
    let other = Session::builder().connector(connector).build().unwrap();
    assert_eq!(get(&other, &server).unwrap(), "there");
    assert_eq!(server.seen.accepted(), 1, "B4: its connection is used on");
}

#[test]
fn a_connector_that_is_closed() {
    let server = server();
    let pools = PoolManager::new();
    let session = Session::builder().connector(pools.clone()).build().unwrap();
    get(&session, &server).unwrap();
    pools.close();
    assert!(session.is_closed() && session.connector().is_none(), "B5");
    assert_eq!(get(&session, &server).unwrap_err().kind(), &ErrorKind::Closed);
}

#[test]
fn ends_of_scopes() {
    let server = server();
    for (row, panics) in [("CS-02", false), ("B8", true)] {
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let session = Session::new();
            get(&session, &server).unwrap();
            assert!(!panics, "in the scope");
        }));
        assert_eq!(unwound.is_err(), panics, "{row}");
        eventually(row, || server.seen.open() == 0);
    }
}

#[test]
fn one_shots() {
    let server = server();
    let url = server.url("/");
    hostpool::get(&url).send().unwrap().text().unwrap();
    hostpool::get(&url).send().unwrap().text().unwrap();
    assert_eq!(server.seen.accepted(), 2, "B23");
    eventually("B23", || server.seen.open() == 0);
    let pools = PoolManager::new();
    for _ in 0..2 {
        let request = hostpool::get(&url).connector(&pools).cookies([("a", "1"), ("b", "2")]);
        request.send().unwrap().text().unwrap();
    }
    assert_eq!(server.seen.accepted(), 3, "BA-06");
    assert!(!pools.is_closed(), "BA-06");
    let last = server.seen.requests().pop().unwrap();
    assert_eq!(crate::values(&last, "Cookie"), ["a=1; b=2"], "BA-04");
    assert!(crate::values(&last, "Connection").is_empty(), "BA-06");
}

#[test]
fn cookies_are_edited_in_place() {
    let server = server();
    let session = Session::builder().cookies([("a", "1")]).build().unwrap();
    let url = Url::parse(&server.url("/")).unwrap();
    session.cookies().unwrap().set(&url, "b=2").unwrap();
    get(&session, &server).unwrap();
    session.clone().cookies().unwrap().clear();
    get(&session, &server).unwrap();
    let requests = server.seen.requests();
    let mut sent: Vec<&str> = crate::values(&requests[0], "Cookie")[0].split("; ").collect();
    sent.sort_unstable();
    assert_eq!(sent, ["a=1", "b=2"], "CS-07 CS-22");
    assert!(crate::values(&requests[1], "Cookie").is_empty(), "CS-22");
}

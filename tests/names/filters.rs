//! Filters of addresses: what they see, and what they keep a request from.

use super::*;
use std::net::{Ipv6Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};

use hostpool::{ErrorKind, Phase, PoolManager, Retry, Session, is_public_address};
use support::chain;

/// Every address is judged, wherever it comes from, and nothing is connected to that is refused. No retry follows.
#[test]
fn whatever_names_the_address() {
    let inside = greeting();
    let book = Book::new([("inside.test", vec![inside.addr])]);
    let pools = PoolManager::builder()
        .resolver(book.clone())
        .resolve_to("given.test", inside.addr)
        .address_filter(is_public_address)
        .build()
        .unwrap();
    let port = inside.addr.port();
    let urls = [
        inside.url("/"),
        format!("http://localhost:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "http://given.test/".to_owned(),
        "http://inside.test/".to_owned(),
    ];
    for url in urls.into_iter().filter(|url| !url.contains("localhost")) {
        let error = pools.get(&url).retries(Retry::new(3)).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::AddressRefused, Phase::Resolve), "{url}");
        assert!(!error.maybe_processed() && error.is_connect(), "{url}");
        assert!(chain(&error).contains("the address filter refuses"), "{}", chain(&error));
    }
    assert_eq!(book.asked().len(), 1, "it is not tried again");
    let own = pools.get(inside.url("/")).resolve_to("127.0.0.1", inside.addr).retries(0).send();
    assert_eq!(own.unwrap_err().kind(), &ErrorKind::AddressRefused);
    assert_eq!(inside.seen.accepted(), 0);
}

/// A redirect leads no further than a request.
#[test]
fn redirects() {
    let inside = greeting();
    let outside = Server::new(vec![redirect_to(&inside.url("/secret"))]);
    let denied = inside.addr;
    let session = Session::builder().address_filter(move |address| address != denied).build().unwrap();
    let error = session.get(outside.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::AddressRefused);
    assert_eq!((outside.seen.requests().len(), inside.seen.accepted()), (1, 0));
}

/// Of several addresses only those that are allowed are tried. The error names the others, too.
#[test]
fn one_of_several() {
    let inside = greeting();
    let (_refusing, refused) = support::refusing();
    let allowed = greeting();
    let denied = inside.addr;
    let book = Book::new([("bad.test", vec![refused, denied]), ("good.test", vec![denied, allowed.addr])]);
    let pools = PoolManager::builder().resolver(book).address_filter(move |at| at != denied).build().unwrap();
    let error = pools.get("http://bad.test/").retries(0).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Connect);
    let text = chain(&error);
    assert!(
        text.contains(&format!("{refused}: ")) && text.contains(&format!("{denied}: the address filter")),
        "{text}"
    );
    assert_eq!(pools.get("http://good.test/").send().unwrap().text().unwrap(), "hello");
    assert_eq!(inside.seen.accepted(), 0);
}

/// The address that was judged is the one that is connected to: a name that leads elsewhere the second time is judged
/// again.
#[test]
fn a_name_that_changes_its_address() {
    let (first, second) = (closing(), greeting());
    let book = Book::new([("a.test", vec![first.addr])]);
    let denied = second.addr;
    let (asked, filter_asked) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let counted = asked.clone();
    let session = Session::builder()
        .resolver(book.clone())
        .address_filter(move |address| {
            counted.fetch_add(1, Ordering::SeqCst);
            filter_asked.fetch_add(1, Ordering::SeqCst);
            address != denied
        })
        .build()
        .unwrap();
    session.get("http://a.test/").send().unwrap();
    assert_eq!((book.asked().len(), asked.load(Ordering::SeqCst)), (1, 1), "one lookup, one judgement");
    book.set("a.test", vec![denied]);
    assert_eq!(session.get("http://a.test/").send().unwrap_err().kind(), &ErrorKind::AddressRefused);
    assert_eq!(second.seen.accepted(), 0);
}

/// An IPv4 address in the clothes of IPv6 is what it is.
#[test]
fn mapped_addresses() {
    let Ok(listener) = TcpListener::bind("[::]:0") else { return };
    let port = listener.local_addr().unwrap().port();
    let mapped = SocketAddr::from((Ipv6Addr::from([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1]), port));
    let session = Session::builder().resolve_to("a.test", mapped).address_filter(is_public_address).build().unwrap();
    assert_eq!(session.get("http://a.test/").send().unwrap_err().kind(), &ErrorKind::AddressRefused);
}

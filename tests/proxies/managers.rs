//! `ProxyManager`, as users of urllib3 know it.

use hostpool::{ErrorKind, InvalidUrl, Proxy, ProxyManager, Session, proxy_from_url};

use crate::support::header;
use crate::{Relay, origin};

#[test]
fn a_manager_of_one_proxy() {
    let server = origin("hello");
    let relay = Relay::new(server.addr);
    let http = proxy_from_url(&relay.with_login("u:p")).unwrap();
    assert_eq!(http.get("http://one.test/").send().unwrap().text().unwrap(), "hello");
    assert_eq!(http.urlopen(hostpool::Method::GET, "http://two.test/").send().unwrap().text().unwrap(), "hello");
    assert_eq!((http.num_pools(), relay.log.accepted()), (1, 1));
    // It is a connector like any other.
    let session = Session::builder().connector(&http).build().unwrap();
    session.get("http://three.test/").send().unwrap().text().unwrap();
    hostpool::get("http://four.test/").connector(&http).send().unwrap().text().unwrap();
    let heads = relay.log.heads();
    let hosts: Vec<_> = heads.iter().map(|head| header(head, "Host").unwrap()).collect();
    assert_eq!(hosts, ["one.test", "two.test", "three.test", "four.test"]);
    assert!(heads.iter().all(|head| header(head, "Proxy-Authorization") == Some("Basic dTpw")));
    assert!(!format!("{http:?}").contains("dTpw"));
}

/// What is for the proxy is sent with the requests of each pool of a manager, too (urllib3 270).
#[test]
fn pools_of_a_manager() {
    let server = origin("hello");
    let relay = Relay::new(server.addr);
    let proxy = Proxy::parse(&relay.with_login("u:p")).unwrap().header("X-Team", "7").unwrap();
    let http = ProxyManager::new(proxy.header("Proxy-Connection", "Keep-Alive").unwrap()).unwrap();
    let pool = http.connection_from_url("http://named.test/a").unwrap();
    assert_eq!(pool.get("/b").send().unwrap().text().unwrap(), "hello");
    let head = &relay.log.heads()[0];
    let expected = [("Proxy-Authorization", "Basic dTpw"), ("X-Team", "7"), ("Proxy-Connection", "Keep-Alive")];
    for (name, value) in expected {
        assert_eq!(header(head, name), Some(value));
    }
}

/// PRX-27, PRX-40.
#[test]
fn urls() {
    for (url, why) in [("localhost:8080", InvalidUrl::NoScheme), ("ftp://p", InvalidUrl::UnsupportedScheme)] {
        assert_eq!(proxy_from_url(url).unwrap_err().kind(), &ErrorKind::InvalidUrl(why));
    }
    assert_eq!(proxy_from_url("https://p").unwrap().proxy().origin().port(), Some(443));
    let error = ProxyManager::builder("http://p").no_proxy().build().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidConfig);
}

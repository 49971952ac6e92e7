//! `ProxyManager`, as users of urllib3 know it.

use hostpool::{ErrorKind, InvalidUrl, ProxyManager, Session, proxy_from_url};

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

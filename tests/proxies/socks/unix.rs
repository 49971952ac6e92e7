//! SOCKS proxies at Unix sockets.

use hostpool::Session;

use super::server::Socks;
use crate::origin;

/// S7: as curl writes it, and with a scheme of its own.
#[test]
fn proxies_at_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socks.sock");
    let server = origin("hello");
    let log = Socks::unix(&path, server.addr);
    let text = path.to_str().unwrap();
    let encoded = text.replace('/', "%2F");
    for url in [format!("socks5h://user:secret@localhost{text}"), format!("socks5h+unix://user:secret@{encoded}")] {
        let session = Session::builder().proxy(url).build().unwrap();
        for _ in 0..2 {
            let response = session.get("http://named.test/").send().unwrap();
            assert_eq!(response.connection().unwrap().remote, None);
            assert_eq!(response.text().unwrap(), "hello");
        }
    }
    assert_eq!(log.places(), ["name named.test:80"; 2]);
    assert_eq!(log.logins()[0], Some(("user".to_owned(), "secret".to_owned())));
}

/// S7: `https` is verified as usual. Addresses are found here for `socks5`, although none is connected to.
#[cfg(feature = "rustls")]
#[test]
fn encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socks.sock");
    let authority = crate::tls::Authority::new();
    let server = crate::secured::server(&authority);
    let log = Socks::unix(&path, server.addr);
    let session = Session::builder().tls(authority.trusted()).resolve_to("named.test", super::ONE).build().unwrap();
    for scheme in ["socks5h", "socks5"] {
        let proxy = format!("{scheme}://localhost{}", path.display());
        let get = || session.get("https://named.test/a").proxy(&*proxy);
        let response = get().send().unwrap();
        let connection = response.connection().unwrap();
        assert_eq!((connection.remote, connection.tls.unwrap().verified), (None, true));
        assert_eq!(response.text().unwrap(), "GET /a HTTP/1.1");
        // A request's own addresses are a part of the key where they count.
        get().resolve_to("named.test", super::TWO).send().unwrap().text().unwrap();
    }
    let addresses = [super::ONE, super::TWO].map(|ip| format!("address {ip}:443"));
    assert_eq!(log.places(), ["name named.test:443", &addresses[0], &addresses[1]]);
    let error = session.get("https://other.test/").proxy(format!("socks5h://localhost{}", path.display())).send();
    assert_eq!(error.unwrap_err().phase(), hostpool::Phase::Tls);
}

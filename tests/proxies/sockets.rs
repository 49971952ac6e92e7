//! Proxies at Unix sockets.

use hostpool::{Proxy, Session};

use crate::support::header;
use crate::{Relay, lines, origin};

#[test]
fn proxies_at_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy.sock");
    let server = origin("hello");
    let log = Relay::unix(&path, server.addr);
    let proxy = Proxy::unix(&path).unwrap().auth(("user", "secret"));
    for tunnel in [false, true] {
        let session = Session::builder().proxy(proxy.clone().tunnel_http(tunnel)).build().unwrap();
        for _ in 0..2 {
            let response = session.get("http://named.test/").send().unwrap();
            assert_eq!(response.connection().unwrap().remote, None);
            assert_eq!(response.text().unwrap(), "hello");
        }
    }
    let heads = log.heads();
    let starts: Vec<_> = heads.iter().map(|head| lines(head)[0]).collect();
    let forwarded = "GET http://named.test/ HTTP/1.1";
    assert_eq!(starts, [forwarded, forwarded, "CONNECT named.test:80 HTTP/1.1"]);
    assert!(heads.iter().all(|head| header(head, "Proxy-Authorization").is_some()));
    assert_eq!(log.accepted(), 2);
}

/// U1: a server at a Unix socket is reached without a proxy.
#[test]
fn servers_at_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    // It takes any target, so it can be the server as well.
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head = crate::support::read_head(&mut stream).unwrap();
        std::io::Write::write_all(&mut stream, &crate::support::ok(lines(&String::from_utf8(head).unwrap())[0]))
            .unwrap();
    });
    let session = Session::builder().proxy("http://127.0.0.1:1").build().unwrap();
    let url = hostpool::Url::unix(&path, "/a").unwrap();
    assert_eq!(session.get(url).send().unwrap().text().unwrap(), "GET /a HTTP/1.1");
}

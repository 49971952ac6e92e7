//! Logins over https.

use super::*;
use hostpool::AnyAuth;

/// A server that offers Basic alone is answered over https without a further word.
#[test]
fn basic_for_any_scheme() {
    let authority = Authority::new();
    let server = TlsServer::new(authority.server(), |peer| {
        loop {
            let request = String::from_utf8_lossy(&peer.request()?).into_owned();
            match request.contains("\r\nAuthorization: Basic YTpi\r\n") {
                true => peer.send(ok("in"))?,
                false => peer.send("HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")?,
            }
        }
    });
    let session = Session::builder().tls(authority.trusted()).auth(AnyAuth::new("a", "b")).build().unwrap();
    for _ in 0..2 {
        assert_eq!(session.get(server.url()).timeout(GIVE_UP).send().unwrap().status(), 200);
    }
    assert_eq!(server.seen.requests().len(), 3, "the second call is not asked");
}

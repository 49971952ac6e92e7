//! Hosts with several addresses, of which some accept connections and then break off the handshake.

use super::*;

/// An address whose server ends the handshake is passed over. Other failures of TLS are not: they say something about
/// the host.
#[test]
fn a_handshake_that_is_cut_off() {
    let authority = Authority::new();
    let good = TlsServer::new(authority.server(), echo_path);
    let hello = || Step::Bytes(5);
    let reset = Server::new(vec![vec![hello(), Step::Reset]]);
    let closed = Server::new(vec![vec![hello(), Step::HalfClose, Step::UntilClosed]]);
    let builder = || Session::builder().tls(authority.trusted());
    let session = builder().resolve_to("localhost", [reset.addr, closed.addr, good.addr]).build().unwrap();
    let response = session.get("https://localhost/a").send().unwrap();
    assert_eq!(response.connection().unwrap().remote, Some(good.addr));
    assert_eq!(response.text().unwrap(), "/a");
    assert_eq!((reset.seen.accepted(), closed.seen.accepted()), (1, 1));
    let stats = session.connector().unwrap().stats();
    assert_eq!((stats.created, stats.dial_failures, stats.open), (1, 0, 1));

    // The failure of the handshake says more than that nobody else can be reached.
    let (_refusing, refused) = support::refusing();
    let session = builder().resolve_to("localhost", [reset.addr, refused]).build().unwrap();
    let error = session.get("https://localhost/").send().unwrap_err();
    assert_eq!((error.kind(), error.phase(), error.maybe_processed()), (&ErrorKind::Tls, Phase::Tls, false));

    // It does not speak TLS, so something is wrong with the host.
    let plain = Server::new(vec![vec![hello(), Step::Send(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())]]);
    let other = Authority::new();
    let unknown = TlsServer::new(other.server(), echo_path);
    for first in [plain.addr, unknown.addr] {
        let before = good.seen.accepted();
        let session = builder().resolve_to("localhost", [first, good.addr]).build().unwrap();
        let error = session.get("https://localhost/").send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Tls, "{error}");
        assert_eq!(good.seen.accepted(), before);
    }
}

/// A handshake that stalls ends by its bound, whatever other addresses there are.
#[test]
fn a_handshake_that_stalls() {
    let authority = Authority::new();
    let good = TlsServer::new(authority.server(), echo_path);
    let stalled = Server::new(vec![vec![Step::UntilClosed]]);
    let session =
        Session::builder().tls(authority.trusted()).resolve_to("localhost", [stalled.addr, good.addr]).build().unwrap();
    let timeout = Timeout::new().tls(Duration::from_millis(100));
    let error = session.get("https://localhost/").timeout(timeout).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Tls), Phase::Tls));
}

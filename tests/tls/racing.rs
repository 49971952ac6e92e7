//! Hosts with several addresses, of which some accept connections and then break off the handshake.

use super::*;
use hostpool::{PoolManager, TcpDialer, TlsBackend, dialer_fn};

/// Clients of these addresses, one for each TLS library of the build and each way to add TLS to a connection.
fn clients(authority: &Authority, addresses: &[SocketAddr]) -> Vec<(String, PoolManager)> {
    let mut all = Vec::new();
    for backend in [TlsBackend::RustlsRing, TlsBackend::RustlsAwsLcRs, TlsBackend::NativeTls] {
        if !backend.is_available() {
            continue;
        }
        let tls = TlsConfig::builder().backend(backend).root_der(authority.der()).build().unwrap();
        let builder = || PoolManager::builder().retries(hostpool::Retry::off());
        let tcp = || TcpDialer::new().resolve_to("localhost", addresses.to_vec()).unwrap();
        let behind: Arc<dyn Dialer> = Arc::new(tcp());
        for (way, manager) in [
            ("the pool", builder().tls(tls.clone()).resolve_to("localhost", addresses.to_vec())),
            ("a dialer", builder().dialer(TlsDialer::new(tcp(), tls.clone()))),
            ("a shared dialer", builder().dialer(TlsDialer::new(behind, tls))),
        ] {
            all.push((format!("{backend} by {way}"), manager.build().unwrap()));
        }
    }
    all
}

/// An address whose server ends the handshake is passed over. Other failures of TLS are not: they say something about
/// the host.
#[test]
fn a_handshake_that_is_cut_off() {
    let authority = Authority::new();
    let good = TlsServer::new(authority.server(), echo_path);
    let hello = || Step::Bytes(5);
    let cut = |how: Vec<Step>| Server::new(vec![how; 9]);
    let reset = cut(vec![hello(), Step::Reset]);
    let closed = cut(vec![hello(), Step::HalfClose, Step::UntilClosed]);
    for (n, (row, client)) in clients(&authority, &[reset.addr, closed.addr, good.addr]).iter().enumerate() {
        let response = client.post("https://localhost/a").send().unwrap_or_else(|error| panic!("{row}: {error:?}"));
        assert_eq!(response.connection().unwrap().remote, Some(good.addr), "{row}");
        assert_eq!(response.text().unwrap(), "/a");
        assert_eq!((reset.seen.accepted(), closed.seen.accepted()), (n + 1, n + 1), "{row}");
        let stats = client.stats();
        assert_eq!((stats.created, stats.dial_failures, stats.open), (1, 0, 1), "{row}");
    }

    // The failure of the handshake says more than that nobody else can be reached.
    let (_refusing, refused) = support::refusing();
    let reset = cut(vec![hello(), Step::Reset]);
    for (row, client) in clients(&authority, &[reset.addr, refused]) {
        let error = client.get("https://localhost/").send().unwrap_err();
        let found = (error.kind(), error.phase(), error.maybe_processed());
        assert_eq!(found, (&ErrorKind::Tls, Phase::Tls, false), "{row}: {error:?}");
    }

    // It does not speak TLS, so something is wrong with the host.
    let plain = cut(vec![hello(), Step::Send(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())]);
    let unknown = TlsServer::new(Authority::new().server(), echo_path);
    let before = good.seen.accepted();
    for first in [plain.addr, unknown.addr] {
        for (row, client) in clients(&authority, &[first, good.addr]) {
            let error = client.get("https://localhost/").send().unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Tls, "{row}: {error}");
            assert!(error.tls_failure().is_some(), "{row}: {error:?}");
        }
    }
    assert_eq!(good.seen.accepted(), before);
}

/// Only what comes first on a connection is begun again, and not what a caller does with it later.
#[test]
fn a_dialer_that_passes_nothing_on() {
    let authority = Authority::new();
    let good = TlsServer::new(authority.server(), echo_path);
    let reset = Server::new(vec![vec![Step::Bytes(5), Step::Reset]]);
    let tcp = TcpDialer::new().resolve_to("localhost", [reset.addr, good.addr]).unwrap();
    let own = dialer_fn(move |target, context| tcp.dial(target, context));
    let client = PoolManager::builder()
        .retries(hostpool::Retry::off())
        .dialer(TlsDialer::new(own, authority.trusted()))
        .build()
        .unwrap();
    let error = client.get("https://localhost/").send().unwrap_err();
    assert_eq!((error.kind(), error.maybe_processed()), (&ErrorKind::Tls, false));
    assert_eq!(good.seen.accepted(), 0);
}

/// A handshake that stalls ends by its bound, whatever other addresses there are.
#[test]
fn a_handshake_that_stalls() {
    let authority = Authority::new();
    let good = TlsServer::new(authority.server(), echo_path);
    let stalled = Server::new(vec![vec![Step::UntilClosed]; 9]);
    for (row, client) in clients(&authority, &[stalled.addr, good.addr]) {
        let timeout = Timeout::new().tls(Duration::from_millis(100));
        let error = client.get("https://localhost/").timeout(timeout).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Tls), Phase::Tls), "{row}");
    }
    assert_eq!(good.seen.accepted(), 0);
}

/// A cancelled call tries no further address, though its socket is shut down in the handshake.
#[test]
fn a_handshake_that_is_cancelled() {
    let authority = Authority::new();
    let good = TlsServer::new(authority.server(), echo_path);
    let stalled = Server::new(vec![vec![Step::Bytes(5), Step::Tell("begun"), Step::UntilClosed]; 9]);
    for (row, client) in clients(&authority, &[stalled.addr, good.addr]) {
        let token = hostpool::CancelToken::new();
        let request = client.get("https://localhost/").cancel_with(&token);
        let call = thread::spawn(move || request.send().map(drop).unwrap_err());
        stalled.wait_for("begun");
        token.cancel();
        let error = without_hanging(move || call.join().unwrap());
        assert!(error.is_cancelled() && !error.maybe_processed(), "{row}: {error:?}");
        assert_eq!(error.phase(), Phase::Tls, "{row}: no other address is tried");
    }
    assert_eq!(good.seen.accepted(), 0);
}

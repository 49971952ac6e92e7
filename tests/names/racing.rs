//! Hosts with several addresses: the first that answers is used.

use super::*;
use std::time::Duration;

use hostpool::{Bound, CancelToken, ErrorKind, Phase, PoolManager, Session, Timeout};
use support::chain;

/// Addresses that refuse are passed over at once. The error names all of them, in their order, and keeps their kind.
#[test]
fn refusals() {
    let server = greeting();
    let ((_one, one), (_other, other)) = (support::refusing(), support::refusing());
    for stagger in [Some(Duration::from_secs(2)), Some(Duration::from_millis(10)), None] {
        let builder = PoolManager::builder().connect_stagger(stagger);
        let pools = builder.resolve_to("a.test", [one, other, server.addr]).resolve_to("b.test", [one, other]);
        let pools = pools.build().unwrap();
        assert_eq!(pools.get("http://a.test/").send().unwrap().text().unwrap(), "hello");
        let error = pools.get("http://b.test/").retries(0).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Connect, Phase::Connect));
        let (text, source) = (chain(&error), std::error::Error::source(&error).unwrap());
        assert!(text.find(&one.to_string()) < text.find(&format!("; {other}")), "{text}");
        let source = source.downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
    }
    assert_eq!(server.seen.accepted(), 3);
}

/// Up to three addresses that do not answer delay the call by the stagger, and not by the connect timeout. Only the
/// winner is used.
#[cfg(target_os = "linux")]
#[test]
fn addresses_that_do_not_answer() {
    let (server, silent) = (greeting(), [(); 3].map(|()| support::Swallowing::new()));
    let session = Session::builder()
        .connect_stagger(Duration::from_millis(20))
        .timeout(Timeout::from(support::GIVE_UP))
        .resolve_to("one.test", [silent[0].addr, server.addr])
        .resolve_to("three.test", [silent[0].addr, silent[1].addr, silent[2].addr, server.addr])
        .build()
        .unwrap();
    for name in ["one.test", "three.test"] {
        let response = session.get(format!("http://{name}/")).send().unwrap();
        assert_eq!(response.connection().unwrap().remote, Some(server.addr));
        assert_eq!(response.text().unwrap(), "hello");
    }
    let stats = session.connector().unwrap().stats();
    assert_eq!((stats.created, stats.dial_failures, server.seen.accepted()), (2, 0, 2));
}

/// The connect timeout ends a race. The error says what each address did until then.
#[cfg(target_os = "linux")]
#[test]
fn the_connect_timeout() {
    let (_refusing, refused) = support::refusing();
    let silent = support::Swallowing::new();
    let pools = PoolManager::builder().resolve_to("a.test", [refused, silent.addr]).build().unwrap();
    let timeout = Timeout::new().connect(Duration::from_secs(1));
    let error = pools.get("http://a.test/").retries(0).timeout(timeout).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Connect), Phase::Connect));
    let text = chain(&error);
    assert!(text.contains(&refused.to_string()) && text.contains(&format!("{}: no answer yet", silent.addr)), "{text}");
}

/// A token ends a race of addresses that do not answer.
#[cfg(target_os = "linux")]
#[test]
fn a_race_that_is_cancelled() {
    let silent = [(); 4].map(|()| support::Swallowing::new());
    let pools = PoolManager::builder()
        .connect_stagger(Duration::from_millis(10))
        .resolve_to("a.test", silent.iter().map(|silent| silent.addr).collect::<Vec<_>>())
        .build()
        .unwrap();
    let token = CancelToken::new();
    let request = pools.get("http://a.test/").cancel_with(&token);
    let call = std::thread::spawn(move || request.send().unwrap_err());
    while pools.stats().dialing == 0 {
        std::thread::yield_now();
    }
    token.cancel();
    assert_eq!(call.join().unwrap().kind(), &ErrorKind::Cancelled);
    let stats = pools.stats();
    assert_eq!((stats.open, stats.dialing), (0, 0));
}

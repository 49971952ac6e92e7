//! TLS handshakes that break off, stall or are none: rows A12.10, C14, C16, C17, C20. What follows a handshake
//! (C19, C20, C63) is in `tests/tls`, which has a TLS server.

use std::time::Duration;

use hostpool::{Bound, ErrorKind, Phase, PoolManager, Timeout};

use crate::invariants::{CANARY, exclusive, presentable, settled, times};
use crate::support::{GIVE_UP, Server, Step, answers, chain, ok};

/// Asks a server that follows the script over TLS; then, with the same unit, a good one without.
fn refused(id: &str, script: Vec<Step>, timeout: Timeout, kind: ErrorKind) -> String {
    let (server, good) = (Server::new(vec![script]), Server::new(vec![answers(ok("good"))]));
    let client = PoolManager::builder()
        .retries(hostpool::Retry::off())
        .limit(1)
        .total_limit(1)
        .pool_timeout(GIVE_UP)
        .build()
        .unwrap();
    let url = format!("https://user:{CANARY}@{}/", server.addr);
    let request = client.get(url).header("X-Id", id).header("X-Secret", CANARY).timeout(timeout);
    let error = request.send().map(drop).expect_err(id);
    assert_eq!((error.kind(), error.phase()), (&kind, Phase::Tls), "{id}: {error}");
    assert_eq!(error.origin().map(ToString::to_string), Some(format!("https://{}", server.addr)), "{id}");
    assert!(!error.maybe_processed() && error.is_connect(), "{id}: {error}");
    presentable(id, &error);
    let stats = client.stats();
    assert_eq!((stats.open, stats.created, stats.dial_failures), (0, 0, 1), "{id}");
    settled(id, stats);
    assert_eq!(client.get(good.url("/")).send().unwrap().text().unwrap(), "good", "{id}");
    assert_eq!(times(&server.seen.requests(), id), 0, "{id}");
    settled(id, client.stats());
    chain(&error)
}

#[test]
fn that_are_broken() {
    let script = |bytes: &[u8], end: Step| vec![Step::Bytes(1), Step::Send(bytes.to_vec()), end];
    let records = |record: &[u8]| record.repeat(100_000);
    let end = || Step::Send(Vec::new());
    let http = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let table = [
        ("C14", script(http, Step::UntilClosed), "does not speak TLS"),
        ("C14 and closes", script(http, end()), "does not speak TLS"),
        ("C14 another protocol", script(b"SSH-2.0-OpenSSH\r\n", Step::UntilClosed), "does not speak TLS"),
        ("C17 end", script(b"", Step::HalfClose), "ended"),
        ("C17 end inside a record", script(&[22, 3, 3, 0, 100, 2, 0], Step::HalfClose), "ended"),
        ("C17 close_notify", script(&[21, 3, 3, 0, 2, 1, 0], Step::HalfClose), "ended"),
        ("C17 close_notify, again and again", script(&records(&[21, 3, 3, 0, 2, 1, 0]), Step::UntilClosed), ""),
        ("C17 RST", script(b"", Step::Reset), ""),
        ("alert", script(&[21, 3, 3, 0, 2, 2, 40], Step::UntilClosed), "(handshake_failure)"),
        ("C20 garbage in a record", script(&[22, 3, 3, 0, 5, 1, 2, 3, 4, 5], Step::UntilClosed), ""),
        ("C20 too large a record", script(&[22, 3, 3, 0xff, 0xff], Step::UntilClosed), ""),
        ("C20 too large a message", script(&[22, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff], Step::UntilClosed), ""),
        ("C20 empty handshake records", script(&records(&[22, 3, 3, 0, 0]), Step::UntilClosed), ""),
        ("C20 empty data records", script(&records(&[23, 3, 3, 0, 0]), Step::UntilClosed), ""),
        ("C20 change_cipher_specs", script(&records(&[20, 3, 3, 0, 1, 1]), Step::UntilClosed), ""),
        ("C20 warnings", script(&records(&[21, 3, 3, 0, 2, 1, 90]), Step::UntilClosed), ""),
    ];
    let exclusive = exclusive();
    for (id, script, said) in table {
        exclusive.row(id, move || {
            let text = refused(id, script, Timeout::from(GIVE_UP), ErrorKind::Tls);
            assert!(text.contains(said), "{id}: {text}");
            assert_eq!(text.contains("http rather than https"), id.starts_with("C14"), "{id}: {text}");
        });
    }
}

/// A handshake that makes no progress ends in time, and costs no processor.
#[test]
fn that_are_slow() {
    let limit = Duration::from_millis(300);
    // The start of a ServerHello.
    let mut drip = vec![22, 3, 3, 0x10, 0, 2, 0, 0x0f, 0xf0, 3, 3];
    drip.resize(1000, 7);
    let silence = vec![Step::Bytes(1), Step::UntilClosed];
    let trickle = vec![Step::Bytes(1), Step::Drip(drip, Duration::from_millis(20))];
    // Nobody vouches for it yet, so rustls takes it for a warning.
    let goodbye = vec![Step::Bytes(1), Step::Send(vec![21, 3, 3, 0, 2, 1, 0]), Step::UntilClosed];
    let connect = Timeout::new().connect(limit);
    let table = [
        ("C16 silence", silence.clone(), connect, Bound::Connect),
        ("C16 trickle", trickle.clone(), connect, Bound::Connect),
        ("C17 close_notify without an end", goodbye, connect, Bound::Connect),
        ("C16 silence, total", silence, Timeout::from(limit), Bound::Total),
        ("C16 trickle, total", trickle, Timeout::from(limit), Bound::Total),
    ];
    let exclusive = exclusive();
    for (id, script, timeout, bound) in table {
        exclusive.row(id, move || {
            let before = processor_time();
            refused(id, script, timeout, ErrorKind::Timeout(bound));
            let spent = processor_time() - before;
            assert!(spent < limit / 2, "{id}: {spent:?}");
        });
    }
}

/// What the thread has used of a processor; zero where the system does not tell.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default())
}

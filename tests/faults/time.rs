//! Slow peers: each bound ends its wait and names itself. Rows A8.4, A8.5, C42, C44, C55, C56, C60, C64, C68.

use std::time::Duration;

use hostpool::{Bound, CloseReason, ErrorKind, Phase, Timeout};

use crate::invariants::{exclusive, settled};
use crate::rows::{Expected, Host, Over, Row, clean, fine, run};
use crate::support::{GIVE_UP, Step, answer, ok};

const SHORT: Duration = Duration::from_millis(220);

fn drip(bytes: &str) -> Vec<Step> {
    vec![Step::Drip(bytes.as_bytes().to_vec(), Duration::from_millis(50)), Step::UntilClosed]
}

fn late(id: &'static str, script: Vec<Step>, timeout: Timeout, bound: Bound, phase: Phase) -> Row {
    let script = [vec![Step::Request], script].concat();
    Row::new(id, script, Expected::Fails(ErrorKind::Timeout(bound), vec![phase]))
        .timeout(timeout, SHORT)
        .closed(CloseReason::Failed)
}

fn send(bytes: &str) -> Vec<Step> {
    vec![Step::Send(bytes.into()), Step::UntilClosed]
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn heads() {
    let silent = || vec![Step::UntilClosed];
    let (total, read) = (Timeout::new().total(SHORT), Timeout::new().read(SHORT));
    let least = Duration::from_millis(20);
    let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(10);
    run(vec![
        late("C42 silence", silent(), read, Bound::Read, Phase::Head),
        late("C42 silence, total", silent(), total, Bound::Total, Phase::Head),
        late("C42 silence, head", silent(), Timeout::new().head(SHORT), Bound::Head, Phase::Head),
        late("C42 the earliest counts", silent(), total.read(GIVE_UP).head(GIVE_UP), Bound::Total, Phase::Head),
        late("C44 dripped head", drip(&HEAD.repeat(3)), total.read(GIVE_UP), Bound::Total, Phase::Head),
        late("C44 bound on the head", drip(&HEAD.repeat(3)), Timeout::new().head(SHORT), Bound::Head, Phase::Head),
        late("A8.4 1xx trickle", drip(&interim), total, Bound::Total, Phase::Head),
        late("below two guards", silent(), Timeout::new(), Bound::Read, Phase::Head)
            .timeout(Timeout::new().read(least), least),
        // The peer has vanished behind a NAT: a used connection is quiet, and so is whoever gets the request.
        late("C68 black hole", silent(), read, Bound::Read, Phase::Head).warm(),
    ]);
}

#[test]
fn bodies() {
    let (total, read) = (Timeout::new().total(SHORT), Timeout::new().read(SHORT));
    let stalled = |start: &str, rest: &str| send(&[start, rest].concat());
    let dripped = [vec![Step::Send(HEAD.into())], drip(&"x".repeat(1000))].concat();
    run(vec![
        late("C55 stalled body", stalled(HEAD, "x"), read, Bound::Read, Phase::Body),
        late("C55 stalled body, total", stalled(HEAD, "x"), total, Bound::Total, Phase::Body),
        late("A8.5 dripped body", dripped.clone(), total.read(GIVE_UP), Bound::Total, Phase::Body),
        late("C56 with a total", dripped, total, Bound::Total, Phase::Body),
        late("C60 stalled chunk", stalled(CHUNKED, "5\r\nhel"), read, Bound::Read, Phase::Body),
        late("C60 before the last chunk", stalled(CHUNKED, "5\r\nhello\r\n"), read, Bound::Read, Phase::Body),
        late("C60 behind the last size", stalled(CHUNKED, "5\r\nhello\r\n0\r\n"), read, Bound::Read, Phase::Body),
        late("C64 stalled trailer", stalled(CHUNKED, "0\r\nX: "), read, Bound::Read, Phase::Body),
        late("until close", stalled("HTTP/1.1 200 OK\r\n\r\n", "x"), read, Bound::Read, Phase::Body),
    ]);
}

/// The bound on the gap between bytes starts again with each byte.
#[test]
fn slow_but_steady() {
    let script = |bytes: &[u8]| vec![Step::Request, Step::Drip(bytes.to_vec(), Duration::from_millis(2))];
    let chunked = [CHUNKED.as_bytes(), b"5\r\nhello\r\n0\r\n\r\n"].concat();
    let timeout = Timeout::new().read(GIVE_UP);
    run(vec![
        Row { script: script(&ok("hello")), timeout, ..fine("C56 no total", "", "hello", true) },
        Row { script: script(&chunked), timeout, ..fine("C56 chunks", "", "hello", true) },
    ]);
}

/// C42: a read timeout leaves a late response on the wire; it is nobody's.
#[test]
fn a_late_response_goes_to_nobody() {
    let exclusive = exclusive();
    for over in [Over::Sockets, Over::Memory] {
        exclusive.row("C42 late", move || {
            let late = vec![Step::Request, Step::Hold, Step::Send(ok("late")), Step::UntilClosed];
            let host = Host::new(over, vec![late, [answer(ok("clean")), vec![Step::UntilClosed]].concat()]);
            let client = host.client().build().unwrap();
            let error = client.get(host.url("/")).timeout(Timeout::new().read(SHORT)).send().unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Read), Phase::Head));
            assert!(error.is_timeout());
            host.open_gate();
            settled("C42 late", client.stats());
            clean("C42 late", &client, &host, "clean");
        });
    }
}

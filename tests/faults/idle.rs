//! What happens to a connection while nobody uses it: rows A7.1, A7.6, C66. Under TLS: `tests/tls/records.rs`.

use std::time::Duration;

use hostpool::CloseReason;

use crate::invariants::{exclusive, settled};
use crate::rows::{Host, Over};
use crate::support::{Step, answer, answers, eventually, ok};

struct Row {
    id: &'static str,
    act: Vec<Step>,
    reason: CloseReason,
}

/// The connection is closed when it is looked at, and the next request never sees it.
#[test]
fn what_arrives_is_seen() {
    let told = |act: Vec<Step>| [act, vec![Step::Tell("sent"), Step::UntilClosed]].concat();
    let row = |id, act, reason| Row { id, act, reason };
    let half_closed = told(vec![Step::HalfClose]);
    let table = [
        row("C66 FIN", vec![], CloseReason::PeerClosed),
        row("C66 FIN of one side", half_closed, CloseReason::PeerClosed),
        row("C66 RST", vec![Step::Reset], CloseReason::PeerClosed),
        row("C66 a response", told(vec![Step::Send(ok("evil"))]), CloseReason::UnexpectedBytes),
        row("C66 a byte", told(vec![Step::Send(b"x".to_vec())]), CloseReason::UnexpectedBytes),
        row("C66 a line end", told(vec![Step::Send(b"\r\n".to_vec())]), CloseReason::UnexpectedBytes),
        row("C66 bytes and FIN", vec![Step::Send(b"junk".to_vec())], CloseReason::UnexpectedBytes),
        row("C66 bytes and FIN, told", told(vec![Step::Send(ok("a")), Step::HalfClose]), CloseReason::UnexpectedBytes),
    ];
    let exclusive = exclusive();
    for Row { id, act, reason } in table {
        for over in [Over::Sockets, Over::Memory] {
            let act = act.clone();
            exclusive.row(&format!("{id} ({over:?})"), move || idle(id, over, act, reason));
        }
    }
}

fn idle(id: &str, over: Over, act: Vec<Step>, reason: CloseReason) {
    let told = act.iter().any(|step| matches!(step, Step::Tell(_)));
    let script = [answer(ok("one")), vec![Step::Hold], act].concat();
    let host = Host::new(over, vec![script, answers(ok("good"))]);
    let client = host.client().probe_after(Duration::ZERO).build().unwrap();
    assert_eq!(client.get(host.url("/")).send().unwrap().text().unwrap(), "one", "{id}");
    settled(id, client.stats());
    host.open_gate();
    match (over, told) {
        (Over::Sockets, true) => host.wait_for("sent"),
        (Over::Sockets, false) => eventually("the close", || host.seen().open() == 0),
        // In memory it happens when somebody looks.
        (_, _) => {}
    }
    // A POST: it is the probe that finds out, not a replay.
    assert_eq!(client.post(host.url("/")).data("x").send().unwrap().text().unwrap(), "good", "{id}");
    let stats = client.stats();
    assert_eq!((stats.replayed, stats.closed(reason), stats.created), (0, 1, 2), "{id}: {stats:?}");
    assert_eq!(host.seen().requests().len(), 2, "{id}");
    settled(id, stats);
}

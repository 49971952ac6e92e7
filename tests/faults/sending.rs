//! Requests that do not get out as a whole: rows C27, C28, C30, C31.

use std::time::Duration;

use hostpool::{Bound, CloseReason, ErrorKind, Method, Phase, Timeout};

use crate::invariants::exclusive;
use crate::rows::{Expected, Host, Over, Row, run};
use crate::support::{Step, answers, ok};

const MIB: usize = 1 << 20;

fn upload(id: &'static str, size: usize, script: Vec<Step>, expected: Expected) -> Row {
    Row { stays: false, ..Row::new(id, script, expected).method(Method::POST).body(vec![b'x'; size]) }
}

/// Without a reader on the other side the error may show when sending or when the answer is awaited.
#[test]
fn connections_that_break() {
    let broken = |id, size, script| {
        let expected = Expected::Fails(ErrorKind::Disconnected, vec![Phase::Send, Phase::Head]);
        Row { processed: None, ..upload(id, size, script, expected) }.closed(CloseReason::Failed)
    };
    let answered = vec![Step::Bytes(1000), Step::Send(refusal()), Step::Reset];
    run(vec![
        broken("C27 RST at once", 10, vec![Step::Reset]),
        broken("C27 RST at once, large", MIB, vec![Step::Reset]),
        broken("C27 RST in the head", 10, vec![Step::Bytes(10), Step::Reset]),
        broken("C27 RST in the body", 8 * MIB, vec![Step::Bytes(300_000), Step::Reset]),
        // Whether a socket keeps bytes that came before a reset is up to the system.
        upload("C27 RST behind an answer", 8 * MIB, answered, refused()).over(&[Over::Memory]),
    ]);
}

fn refusal() -> Vec<u8> {
    b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno".to_vec()
}

fn refused() -> Expected {
    Expected::Answers(413, "no".into(), false)
}

/// An early refusal of an upload is the answer; the rest is not sent, and the connection is not used again. After any
/// other response the rest is sent (RW-01), and a peer that does not read on ends the request by its timeout.
#[test]
fn early_answers() {
    let early = |id, read, rest: &[Step]| {
        let script = [&[Step::Bytes(read), Step::Send(refusal())], rest].concat();
        upload(id, 8 * MIB, script, refused()).closed(CloseReason::NotReusable)
    };
    let fine = |rest: &[Step]| [&[Step::Head, Step::Send(ok("fine"))], rest].concat();
    let limit = Duration::from_millis(250);
    let stuck = Expected::Fails(ErrorKind::Timeout(Bound::Read), vec![Phase::Send]);
    run(vec![
        early("C30 closes", 200_000, &[Step::HalfClose, Step::UntilClosed]),
        early("C30 reads the rest", 200_000, &[Step::UntilClosed]),
        early("C31 reads on no more", 1000, &[Step::Hold]),
        early("C31 before the end of the head", 20, &[Step::Hold]),
        upload("C31 200, reads on", 8 * MIB, fine(&[Step::Body]), Expected::Answers(200, "fine".into(), false))
            .closed(CloseReason::NotReusable),
        upload("C31 200, reads on no more", 32 * MIB, fine(&[Step::Hold]), stuck)
            .timeout(Timeout::new().read(limit), limit)
            .closed(CloseReason::Failed),
    ]);
}

/// A peer that never reads: the send itself has to end.
#[test]
fn peers_that_do_not_read() {
    let limit = Duration::from_millis(250);
    let stuck = |id, timeout: Timeout, bound| {
        let expected = Expected::Fails(ErrorKind::Timeout(bound), vec![Phase::Send]);
        upload(id, 32 * MIB, vec![Step::Hold], expected).timeout(timeout, limit).closed(CloseReason::Failed)
    };
    run(vec![
        stuck("write", Timeout::new().write(limit), Bound::Write),
        stuck("total", Timeout::new().total(limit), Bound::Total),
    ]);
}

/// C28: however few bytes a send takes, the peer gets the same.
#[test]
fn short_writes() {
    let exclusive = exclusive();
    exclusive.row("C28", || {
        let mut seen = Vec::new();
        for over in [Over::Memory, Over::Narrow] {
            let host = Host::new(over, vec![answers(ok("fine"))]);
            let client = host.client().build().unwrap();
            for (method, size) in [(Method::GET, 0), (Method::POST, 0), (Method::POST, 1), (Method::PUT, 3000)] {
                let request = client.request(method, host.url("/p?q")).header("X-Id", "C28").data(vec![b'x'; size]);
                assert_eq!(request.send().unwrap().text().unwrap(), "fine");
            }
            assert_eq!(client.stats().created, 1);
            seen.push(host.seen().requests());
        }
        assert_eq!(seen[0].len(), 4);
        assert_eq!(seen[0], seen[1]);
    });
    drop(exclusive);
    let narrow = |id, size| {
        let row =
            Row::new(id, vec![Step::Request, Step::Send(ok("fine"))], Expected::Answers(200, "fine".into(), true));
        row.method(Method::POST).body(vec![b'x'; size]).over(&[Over::Narrow])
    };
    run(vec![narrow("C28 head", 0), narrow("C28 head and body", 2000)]);
}

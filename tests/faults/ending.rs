//! Connections that end in the middle of an exchange: rows A7.6, A7.7, A7.10, C39, C41.

use std::time::Duration;

use hostpool::{CloseReason, ErrorKind, Method, Phase, Violation};

use crate::rows::{Expected, Row, refused, run};
use crate::support::{Step, answer, ok};

fn lost(id: &'static str, end: Vec<Step>, kind: ErrorKind, phase: Phase) -> Row {
    let script = [vec![Step::Request], end].concat();
    Row::new(id, script, Expected::Fails(kind, vec![phase])).closed(CloseReason::Failed)
}

fn disconnected(id: &'static str, end: Vec<Step>) -> Row {
    lost(id, end, ErrorKind::Disconnected, Phase::Head)
}

fn incomplete_head(id: &'static str, end: Vec<Step>) -> Row {
    lost(id, end, ErrorKind::Protocol(Violation::IncompleteHead), Phase::Head)
}

/// On a new connection nothing is sent again by itself.
#[test]
fn new_connections() {
    let half = Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_vec());
    let chunk = Step::Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec());
    let open_end = Step::Send(b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec());
    let cut = Step::Send(b"HTTP/1.1 200 OK\r\nContent-".to_vec());
    let incomplete = |expected| ErrorKind::incomplete_body(5, expected);
    // The bytes have reached the client before the reset, which may throw them away.
    let reset = |sent| vec![sent, Step::Pause(Duration::from_millis(200)), Step::Reset];
    run(vec![
        disconnected("C39 FIN", vec![]),
        disconnected("C39 FIN of one side", vec![Step::HalfClose, Step::UntilClosed]),
        disconnected("C41 RST", vec![Step::Reset]),
        disconnected("C41 RST, POST", vec![Step::Reset]).method(Method::POST).body("x"),
        incomplete_head("RST in the head", reset(cut)),
        lost("RST in the body", reset(half), incomplete(Some(10)), Phase::Body),
        lost("RST between chunks", reset(chunk), incomplete(None), Phase::Body),
        lost("RST where FIN would be the end", reset(open_end), incomplete(None), Phase::Body),
    ]);
}

/// The server closed a connection while the request was on its way to it: sent again, once, unless that could double
/// something.
#[test]
fn used_connections() {
    let fin = Vec::new;
    let reset = || vec![Step::Reset];
    let interim = || vec![Step::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())];
    let byte = || vec![Step::Send(b"H".to_vec()), Step::Pause(Duration::from_millis(200)), Step::Reset];
    let keyed = again("C39 RST, POST with a key", Method::POST, reset());
    run(vec![
        again("A7.6 FIN, GET", Method::GET, fin()),
        again("C39 FIN, HEAD", Method::HEAD, fin()),
        again("C39 FIN, PUT", Method::PUT, fin()),
        again("C39 FIN, DELETE", Method::DELETE, fin()),
        again("C39 FIN, OPTIONS", Method::OPTIONS, fin()),
        again("A7.7 RST, GET", Method::GET, reset()),
        Row { headers: vec![("Idempotency-Key", "7")], ..keyed },
        disconnected("C39 FIN, POST", fin()).warm().method(Method::POST).body("x"),
        disconnected("C39 FIN, PATCH", fin()).warm().method(Method::PATCH).body("x"),
        disconnected("A7.7 RST, POST", reset()).warm().method(Method::POST).body("x"),
        incomplete_head("A7.10 a byte came", byte()).warm(),
        disconnected("1xx came", interim()).warm(),
    ]);
}

/// Sent a second time, answered by `again`.
fn again(id: &'static str, method: Method, end: Vec<Step>) -> Row {
    let body = if method == Method::HEAD { "" } else { "again" };
    let second = [answer(ok(body)), answer(ok("clean")), vec![Step::UntilClosed]].concat();
    let script = [vec![Step::Request], end].concat();
    let row = Row::new(id, script, Expected::Answers(200, body.into(), true)).warm().method(method);
    Row { stays: false, then: vec![second], replayed: 1, ..row }.closed(CloseReason::PeerClosed)
}

/// RW-17: bytes that begin no response, on a used connection, are the rest of an earlier one.
#[test]
fn leftovers_on_used_connections() {
    let bytes = |bytes: &[u8]| vec![Step::Send(bytes.to_vec()), Step::UntilClosed];
    let leftover = |id, method, end| again(id, method, end).closed(CloseReason::UnexpectedBytes);
    let post = |id, text: &[u8]| {
        refused(id, text, ErrorKind::Protocol(Violation::StatusLine), Phase::Head).warm().method(Method::POST).body("x")
    };
    run(vec![
        leftover("RW-17 a last chunk, GET", Method::GET, bytes(b"0\r\n\r\n")),
        leftover("RW-17 a body, HEAD", Method::HEAD, bytes(b"hello")),
        leftover(
            "RW-17 a body and a response",
            Method::GET,
            bytes(b"helloHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ),
        leftover("RW-17 two blank lines", Method::PUT, bytes(b"\r\n\r\n")),
        leftover("RW-17 a blank line and FIN", Method::GET, vec![Step::Send(b"\r\n".to_vec())]),
        leftover("RW-17 half a blank line and FIN", Method::GET, vec![Step::Send(b"\r".to_vec())]),
        post("RW-17 a last chunk, POST", b"0\r\n\r\n"),
        post("RW-17 after an interim response", b"HTTP/1.1 103 Early\r\n\r\nhello").method(Method::GET).body(""),
        refused("RW-17 not on a new one", "hello", ErrorKind::Protocol(Violation::StatusLine), Phase::Head),
    ]);
}

/// At most once: the connection it is sent again on is new, and when that dies, too, the caller hears of it.
#[test]
fn once() {
    let row = disconnected("C39 the second dies, too", vec![]).warm();
    run(vec![Row { then: vec![vec![Step::Request]], replayed: 1, closed: None, ..row }]);
}

/// A 408 that closes says that an idle connection ends, and is an answer to what must not be sent twice.
#[test]
fn notices() {
    let notice = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec();
    let script = || vec![Step::Send(notice.clone())];
    let post =
        Row::new("408, POST", [vec![Step::Request], script()].concat(), Expected::Answers(408, "".into(), false));
    run(vec![again("408, GET", Method::GET, script()), post.warm().method(Method::POST).body("x")]);
}

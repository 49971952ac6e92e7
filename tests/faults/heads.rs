//! Heads and what they say about framing: rows A5, C45, C46, C48, C49, C52.

use hostpool::{CloseReason, Method, Phase, Violation};

use crate::rows::{Over, Row, bad_head, cut, fine, run};
use crate::support::{Step, ok};

#[test]
fn that_break_http() {
    use Violation::*;
    run(vec![
        bad_head("A5.7 HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", StatusLine),
        bad_head("A5.7 HTTP/1.10", "HTTP/1.10 200 OK\r\n\r\n", StatusLine),
        bad_head("A5.7 lower case", "http/1.1 200 OK\r\n\r\n", StatusLine),
        bad_head("A5.7 ICY", "ICY 200 OK\r\n\r\n", StatusLine),
        bad_head("A5.7 two digits", "HTTP/1.1 20\r\n\r\n", StatusLine),
        bad_head("A5.7 2000", "HTTP/1.1 2000 OK\r\n\r\n", StatusLine),
        bad_head("A5.7 space first", " HTTP/1.1 200 OK\r\n\r\n", StatusLine),
        bad_head("A5.7 two spaces", "HTTP/1.1  200 OK\r\n\r\n", StatusLine),
        bad_head("A5.7 099", "HTTP/1.1 099 OK\r\n\r\n", StatusCode),
        bad_head("A5.7 000", "HTTP/1.1 000 OK\r\n\r\n", StatusCode),
        bad_head("A5.8 no status line", "<html>hello</html>", StatusLine),
        bad_head("A5.8 text", "hello\r\nworld\r\n", StatusLine),
        bad_head("A5.10 space in a name", "HTTP/1.1 200 OK\r\nContent -Length: 5\r\n\r\nhello", FieldName),
        bad_head("A5.11 bare CR", "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", FieldValue),
        bad_head("A5.11 NUL", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", FieldValue),
        bad_head("A5.11 bare CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", StatusLine),
        bad_head("A5.14 two blank lines", "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", StatusLine),
        bad_head("A5.16 upgrade", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", UnexpectedUpgrade),
        bad_head("C45 banner", "SSH-2.0-OpenSSH_9.2\r\n", StatusLine),
        bad_head("C45 TLS alert", b"\x15\x03\x01\x00\x02\x02\x28", StatusLine),
        bad_head("C45 control bytes", b"\x1b[31m\0\xff\xfe\r\n\r\n", StatusLine),
        bad_head(
            "C48 1xx with a body",
            "HTTP/1.1 103 Early\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n",
            StatusLine,
        ),
        bad_head(
            "C48 1xx with chunks",
            "HTTP/1.1 103 Early\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            StatusLine,
        ),
    ]);
}

#[test]
fn that_contradict_themselves() {
    use Violation::*;
    let length = |id, value: &str, violation| {
        bad_head(id, format!("HTTP/1.1 200 OK\r\nContent-Length: {value}\r\n\r\nhello!"), violation)
    };
    let coding = |id, version: &str, value: &str| {
        let head = format!("HTTP/{version} 200 OK\r\nTransfer-Encoding: {value}\r\n\r\n0\r\n\r\n");
        bad_head(id, head, TransferEncoding)
    };
    run(vec![
        length("A5.1 two lengths", "5\r\nContent-Length: 6", ConflictingContentLength),
        length("A5.1 list", "5, 6", ConflictingContentLength),
        length("A5 sign", "+5", ContentLength),
        length("A5 minus", "-5", ContentLength),
        length("A5 hex", "0x5", ContentLength),
        length("A5 overflow", "18446744073709551616", ContentLength),
        length("A5 space", "5 5", ContentLength),
        length("A5.9 fold in framing", "\r\n 5", FoldedFraming),
        coding("A5.4 chunked twice", "1.1", "chunked, gzip, chunked"),
        coding("A5.4 chunked first", "1.1", "chunked, gzip"),
        coding("A5.4 HTTP/1.0", "1.0", "gzip, chunked"),
        coding("RW-13 chunked, identity", "1.1", "chunked, identity"),
        coding("RW-13 another coding", "1.1", "gzip"),
        coding("RW-13 parameters", "1.1", "chunked;q=1"),
    ]);
}

/// Where the connection ends inside the head, or in front of a final one.
#[test]
fn that_break_off() {
    let incomplete =
        |id, head: &str| cut(id, head, hostpool::ErrorKind::Protocol(Violation::IncompleteHead), Phase::Head);
    let without = |id, head: &str| cut(id, head, hostpool::ErrorKind::Disconnected, Phase::Head);
    run(vec![
        incomplete("C49 FIN in the status line", "HTTP/1.1 2"),
        incomplete("C49 FIN in a line", "HTTP/1.1 200 OK\r\nContent-Le"),
        incomplete("C49 FIN behind a line", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"),
        incomplete("C49 FIN in the last line end", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r"),
        without("C49 FIN behind 1xx", "HTTP/1.1 103 Early Hints\r\n\r\n"),
        without("C49 only a blank line", "\r\n"),
    ]);
}

/// A response that is fine, its body, and whether its connection serves the next request.
#[test]
fn that_are_fine() {
    let headless = |id, head: &str, status, method| Row {
        method,
        expected: crate::rows::Expected::Answers(status, String::new(), true),
        ..fine(id, head, "", true)
    };
    let ended = |id, head: &str| Row {
        expected: crate::rows::Expected::Answers(204, String::new(), false),
        ..fine(id, head, "", false).closed(CloseReason::Tolerated)
    };
    let spaced = "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello";
    let twice = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let chunked10 =
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let denied = "HTTP/1.1 999 Request denied\r\nContent-Length: 5\r\n\r\nhello";
    let lengths = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello";
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let interim = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let close = "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 5\r\n\r\nhello";
    let (http10, kept) = ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "Connection: keep-alive\r\n");
    run(vec![
        fine("length", hello, "hello", true),
        fine("length 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", true),
        fine("A5.2 list", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", "hello", true),
        fine("A5.2 lines", lengths, "hello", true),
        fine("A5.3 both", both, "hi", false).closed(CloseReason::Tolerated),
        fine("A5.10 space before colon", spaced, "hello", false).closed(CloseReason::Tolerated),
        fine("A5.4 chunked twice", twice, "hi", false).closed(CloseReason::Tolerated),
        fine("A5.4 HTTP/1.0", chunked10, "hi", false).closed(CloseReason::Tolerated),
        headless("A5.5 HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 200, Method::HEAD),
        headless("A5.5 HEAD chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, Method::HEAD),
        headless("A5.5 204", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, Method::GET),
        ended("RW-17 204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 1000\r\n\r\n"),
        ended("RW-17 204 in chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
        headless("A5.5 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", 304, Method::GET),
        fine("A5.5 1xx", format!("HTTP/1.1 103 Early\r\nContent-Length: 0\r\n\r\n{hello}"), "hello", true),
        fine("RW-17 1xx", format!("HTTP/1.1 103 Early\r\nContent-Length: 1000\r\n\r\n{hello}"), "hello", false)
            .closed(CloseReason::Tolerated),
        fine("A5.7 no reason", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", "hello", true),
        fine("A5.7 empty reason", "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", "hello", true),
        fine("lone LF", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "hello", false).closed(CloseReason::Tolerated),
        fine("A5.14 CRLF first", format!("\r\n{hello}"), "hello", true),
        fine("close said", close, "hello", false).closed(CloseReason::NotReusable),
        fine("A7.16 HTTP/1.0", http10, "hello", false).closed(CloseReason::NotReusable),
        fine("HTTP/1.0 keep-alive", http10.replacen("Content", &format!("{kept}Content"), 1), "hello", true),
        fine("C46 102 and 103", format!("{interim}{hello}"), "hello", true),
        fine("A8.3 100 times 103", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100) + hello, "hello", true),
        Row {
            expected: crate::rows::Expected::Answers(999, "hello".into(), true),
            ..fine("A5.7 999", denied, "", true)
        },
    ]);
}

/// One blank line before a response belongs to nobody, on a used connection too.
#[test]
fn after_another_response() {
    let blank = [b"\r\n".to_vec(), ok("late")].concat();
    run(vec![fine("A5.14 CRLF first, reused", blank, "late", true).warm()]);
}

/// A body where none may be is nobody's answer.
#[test]
fn a_body_behind_a_bodyless_response() {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    let behind =
        |id, bytes: String, method| Row { method, ..fine(id, bytes, "", false) }.closed(CloseReason::UnexpectedBytes);
    let late = vec![Step::Request, Step::Send(head.into()), Step::Send("x".repeat(1000).into())];
    run(vec![
        behind("A5.6 HEAD", format!("{head}{}", "x".repeat(1000)), Method::HEAD),
        behind("A5.6 HEAD and a response", format!("{head}{evil}"), Method::HEAD),
        // Over a socket the second piece may come when the next request has left already.
        Row { script: late, ..behind("A5.6 HEAD, in two pieces", String::new(), Method::HEAD) }.over(&[Over::Memory]),
        behind("behind an empty body", format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{evil}"), Method::GET),
    ]);
}

//! Peers that send more than a limit allows: rows A6.5, A6.7, A8, C51.

use hostpool::{ErrorKind, Limit, Phase};

use crate::rows::{Row, fine, refused, run};

fn exceeded(id: &'static str, response: String, limit: Limit, phase: Phase) -> Row {
    refused(id, response, ErrorKind::LimitExceeded(limit), phase)
}

#[test]
fn of_heads() {
    let head = |id, fields: String, limit| exceeded(id, format!("HTTP/1.1 200 OK\r\n{fields}"), limit, Phase::Head);
    let fields: String = (0..10_000).map(|n| format!("X-{n}: v\r\n")).collect();
    let long = "v".repeat(100_000);
    run(vec![
        head("A8.1 many fields", fields, Limit::HeadFields),
        head("A8.1 long lines", format!("X: {}\r\n", "v".repeat(60_000)).repeat(9), Limit::HeadBytes),
        head("A8.1 one line", format!("X: {long}"), Limit::LineBytes),
        head("A8.1 one name", format!("{long}: v"), Limit::LineBytes),
        head("A8.1 folds", format!("X: a\r\n{}", " b\r\n".repeat(100_000)), Limit::HeadBytes),
        exceeded("A8.1 status line", format!("HTTP/1.1 200 {long}"), Limit::LineBytes, Phase::Head),
        exceeded("A8.3 a thousand 1xx", "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), Limit::Interim, Phase::Head),
    ]);
}

#[test]
fn of_bodies() {
    let chunked = |id, body: String, limit| {
        exceeded(id, format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"), limit, Phase::Body)
    };
    let extensions = format!("1;{}\r\nx\r\n", "e".repeat(1000)).repeat(100);
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n".to_owned();
    run(vec![
        chunked("A6.5 extensions", extensions, Limit::ChunkFraming),
        chunked("A6.5 one extension", format!("1;{}", "e".repeat(100_000)), Limit::ChunkFraming),
        chunked("A6.7 many trailers", format!("0\r\n{}", "X: y\r\n".repeat(1000)), Limit::Trailers),
        chunked("A6.7 one trailer", format!("0\r\nX: {}", "y".repeat(100_000)), Limit::Trailers),
        Row { whole: true, ..exceeded("announced too large", announced, Limit::Body, Phase::Body) },
    ]);
}

/// What is large, and still allowed.
#[test]
fn that_are_kept() {
    let line = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 2\r\n\r\nok", "v".repeat(60_000));
    let fields: String = (0..200).map(|n| format!("X-{n}: v\r\n")).collect();
    let many = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok");
    let tiny = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", "1\r\nx\r\n".repeat(50_000));
    run(vec![
        fine("a long line", line, "ok", true),
        fine("many fields", many, "ok", true),
        fine("chunks of a byte", tiny, &"x".repeat(50_000), true),
    ]);
}

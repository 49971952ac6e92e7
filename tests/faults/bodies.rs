//! Bodies, by length, in chunks and up to the end of the connection: rows A6, A7.1, A7.3, C53, C58, C61, C64.

use hostpool::{CloseReason, ErrorKind, Phase, Violation};

use crate::invariants::exclusive;
use crate::rows::{Host, Over, Row, cut, fine, refused, run};
use crate::support::{answer, answers, ok};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn chunks_that_break_http() {
    use Violation::*;
    let bad =
        |id, body: &str, violation| refused(id, [CHUNKED, body].concat(), ErrorKind::Protocol(violation), Phase::Body);
    run(vec![
        bad("A6.1 size", "g\r\n", ChunkSize),
        bad("A6.1 sign", "+5\r\nhello\r\n0\r\n\r\n", ChunkSize),
        bad("A6.1 0x", "0x5\r\nhello\r\n0\r\n\r\n", ChunkSize),
        bad("A6.1 17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", ChunkSize),
        bad("A6.1 none", "\r\nhello\r\n0\r\n\r\n", ChunkSize),
        bad("A6.2 lone LF", "5\nhello\r\n0\r\n\r\n", ChunkEnd),
        bad("A6.2 LF behind data", "5\r\nhello\n0\r\n\r\n", ChunkEnd),
        bad("A6.2 no CRLF", "5\r\nhelloX\r\n0\r\n\r\n", ChunkEnd),
        bad("A6.2 LF in extension", "5;a\nb\r\nhello\r\n0\r\n\r\n", ChunkEnd),
        bad("C64 LF after a trailer", "0\r\nX: y\n\r\n", Trailer),
        bad("C64 NUL in a trailer", "0\r\n\x01\0garbage\r\n\r\n", Trailer),
        bad("RW-12 digit after a blank", "5 5\r\nhello\r\n0\r\n\r\n", ChunkSize),
        bad("RW-12 blank first", " 5\r\nhello\r\n0\r\n\r\n", ChunkSize),
    ]);
    run(vec![
        fine("C64 trailer", [CHUNKED, "0\r\nX : y\r\n\r\n"].concat(), "", true),
        fine("C64 garbage for a trailer", [CHUNKED, "0\r\n\x01\x02garbage\r\n\r\n"].concat(), "", false)
            .closed(CloseReason::Tolerated),
        fine("RW-12 blanks after the size", [CHUNKED, "5 \t\r\nhello\r\n0  \r\n\r\n"].concat(), "hello", true),
    ]);
}

#[test]
fn that_break_off() {
    let incomplete = |id, response: String, received, expected| {
        cut(id, response, ErrorKind::incomplete_body(received, expected), Phase::Body)
    };
    let chunked = |id, body: &str, received| incomplete(id, [CHUNKED, body].concat(), received, None);
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{}", "x".repeat(500_000));
    run(vec![
        incomplete("C53 half", format!("{length}hello"), 5, Some(10)),
        incomplete("C53 nothing", length.into(), 0, Some(10)),
        incomplete("C53 half of a long one", long, 500_000, Some(1_000_000)),
        chunked("A6.3", "7FFFFFFFFFFFFFFF\r\n0123456789", 10),
        chunked("A6.4 before the last chunk", "5\r\nhello\r\n", 5),
        chunked("A6.4 behind the last size", "5\r\nhello\r\n0\r\n", 5),
        chunked("A6.4 inside the last line end", "5\r\nhello\r\n0\r\n\r", 5),
        chunked("A6.4 inside a chunk", "5\r\nhel", 3),
        chunked("C58 between chunks", "5\r\nhello\r\n5\r\nworld\r\n", 10),
        chunked("C58 inside a size", "5\r\nhello\r\n1", 5),
        chunked("C64 FIN in a trailer", "0\r\nX: y", 0),
        chunked("C64 FIN behind a trailer", "5\r\nhello\r\n0\r\nX: y\r\n", 5),
    ]);
}

/// Rows A9.2 and A9.4, and C53 for a coded body.
#[cfg(feature = "gzip")]
#[test]
fn coded() {
    use hostpool::Limit;
    use std::io::Write;

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all("all of this".repeat(1000).as_bytes()).unwrap();
    let data = encoder.finish().unwrap();
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
    let response = |length, data: &[u8]| [head(length).as_bytes(), data].concat();
    let cut_at = data.len() - 9;
    let kind = ErrorKind::incomplete_body(cut_at as u64, Some(data.len() as u64));
    let mut broken = data.clone();
    broken[data.len() / 2] ^= 0xFF;
    let six = head(1000).replace("gzip", "gzip,gzip,gzip,gzip,gzip,gzip");
    run(vec![
        fine("coded", response(data.len(), &data), &"all of this".repeat(1000), true),
        cut("C53 cut", response(data.len(), &data[..cut_at]), kind, Phase::Body),
        refused("A9.4 broken", response(1000, &broken), ErrorKind::Decode, Phase::Body),
        refused("A9 no coded data", response(1000, b"<html>this is no gzip data"), ErrorKind::Decode, Phase::Body),
        refused("A9.2 six", six, ErrorKind::LimitExceeded(Limit::Codings), Phase::Body),
    ]);
}

#[test]
fn up_to_the_end_of_the_connection() {
    let until_close = |id, head: &str, body: &str| {
        let row = fine(id, [head, body].concat(), body, false).closed(CloseReason::NotReusable);
        Row { stays: false, ..row }
    };
    let long = "x".repeat(200_000);
    run(vec![
        until_close("C61 FIN", "HTTP/1.1 200 OK\r\n\r\n", "all of this"),
        until_close("C61 nothing", "HTTP/1.1 200 OK\r\n\r\n", ""),
        until_close("C61 long", "HTTP/1.1 200 OK\r\n\r\n", &long),
        until_close("C61 HTTP/1.0", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", "all of this"),
        until_close("RW-13 identity", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", "all of this"),
    ]);
}

/// A response of just that many bytes.
fn exactly(len: usize, chunked: bool) -> (String, String) {
    let build = |body: usize| match chunked {
        true => format!("{CHUNKED}{body:08x}\r\n{}\r\n0\r\n\r\n", "x".repeat(body)),
        false => format!("HTTP/1.1 200 OK\r\nContent-Length: {body:08}\r\n\r\n{}", "x".repeat(body)),
    };
    let body = len - build(0).len();
    let response = build(body);
    assert_eq!(response.len(), len);
    (response, "x".repeat(body))
}

/// What follows a response belongs to nobody.
#[test]
fn surplus_is_never_an_answer() {
    let tagged = |tag: &str| String::from_utf8(ok(tag)).unwrap();
    let surplus = |id, first: String, body: &str, behind: String| {
        fine(id, first + &behind, body, false).closed(CloseReason::UnexpectedBytes)
    };
    let chunked = format!("{CHUNKED}3\r\none\r\n0\r\n\r\n");
    let long = "x".repeat(100_000);
    let (length, chunks) = (exactly(16 * 1024, false), exactly(16 * 1024, true));
    run(vec![
        surplus("A7.1 a whole second response", tagged("one"), "one", tagged("evil")),
        surplus("A7.3 one byte", tagged("one"), "one", "x".into()),
        surplus("A7.3 a line end", tagged("one"), "one", "\r\n".into()),
        surplus("A7.1 behind chunks", chunked, "one", tagged("evil")),
        surplus("A7.1 a body too long for the read-ahead", tagged(&long), &long, tagged("evil")),
        surplus("A7.1 a response that fills the read-ahead", length.0, &length.1, tagged("evil")),
        surplus("A7.1 chunks that fill the read-ahead", chunks.0, &chunks.1, tagged("evil")),
    ]);
}

/// Row A6.6: what a trailer says changes nothing that the head has said.
#[test]
fn trailers_are_no_headers() {
    let trailers =
        "Content-Length: 0\r\nTransfer-Encoding: x\r\nSet-Cookie: a=b\r\nAuthorization: c\r\nLocation: /d\r\n";
    let bytes = format!("{CHUNKED}5\r\nhello\r\n0\r\n{trailers}X-Sum: 7\r\n\r\n");
    let exclusive = exclusive();
    for over in [Over::Sockets, Over::Memory] {
        let bytes = bytes.clone();
        exclusive.row("A6.6", move || {
            let host = Host::new(over, vec![[answer(bytes), answers(ok("same"))].concat()]);
            let client = host.client().build().unwrap();
            let mut response = client.get(host.url("/")).send().unwrap();
            let mut body = String::new();
            std::io::Read::read_to_string(&mut response, &mut body).unwrap();
            assert_eq!(body, "hello");
            assert_eq!(response.trailers().get("X-Sum"), Some("7"));
            let names: Vec<_> = response.headers().iter().map(|field| field.name().to_owned()).collect();
            assert_eq!(names, ["Transfer-Encoding"]);
            assert_eq!(response.content_length(), None);
            crate::rows::clean("A6.6", &client, &host, "same");
        });
    }
}

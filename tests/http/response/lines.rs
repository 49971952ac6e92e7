//! Line by line.

use std::io::BufRead;

use hostpool::{ErrorKind, Limit};

use super::{fetch, with_type};
use crate::support::ok;

/// Rows B154, RSP-24, RSP-25 and RSP-28, and the charsets in which a line end is more than one byte.
#[test]
fn lines() {
    let utf16: Vec<u8> = "\u{feff}\u{fc}\n\u{10a0a}\r\nb".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let hundred: String = (0..100).map(|n| format!("line {n}\n")).collect();
    let hundred_lines: Vec<String> = hundred.lines().map(str::to_owned).collect();
    let some = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let table: [(&str, &str, Vec<u8>, Vec<String>); 15] = [
        ("nothing", "", "".into(), vec![]),
        ("one end", "", "\n".into(), some(&[""])),
        ("three ends", "", "\n\n\n".into(), some(&["", "", ""])),
        ("no last end", "", "abc\ndef".into(), some(&["abc", "def"])),
        ("a CR at the end", "", "a\r\nb\r".into(), some(&["a", "b"])),
        ("a CR alone", "", "a\n\r".into(), some(&["a", ""])),
        ("mixed", "", "a\r\n\r\nb\n\r\nc\rd\n\n".into(), some(&["a", "", "b", "", "c\rd", ""])),
        ("a mark", "", "\u{feff}a\nb".into(), some(&["a", "b"])),
        ("a short body", "", "a".into(), some(&["a"])),
        ("a mark alone", "", "\u{feff}".into(), vec![]),
        ("UTF-16", "text/plain; charset=utf-8", utf16, some(&["\u{fc}", "\u{10a0a}", "b"])),
        (
            "UTF-16 by the header",
            "text/plain; charset=utf-16le",
            b"a\0\n\0\x0A\x0Ab\0".into(),
            some(&["a", "\u{a0a}b"]),
        ),
        ("broken", "", b"a\xFF\nb\xE2\x82".into(), some(&["a\u{fffd}", "b\u{fffd}"])),
        ("no such charset", "text/plain; charset=utf-8x", "\u{fc}\n".into(), some(&["\u{fc}"])),
        ("B154", "text/plain", hundred.into(), hundred_lines),
    ];
    for (id, content_type, body, expected) in table {
        if id == "no such charset" && !cfg!(feature = "charset") {
            continue;
        }
        let (_server, mut response) = fetch(with_type(content_type, &body));
        let lines: Vec<_> = response.lines().map(Result::unwrap).collect();
        assert_eq!(lines, expected, "{id}");
        let chunks: Vec<u8> = body.chunks(1).flat_map(|byte| [b"1\r\n", byte, b"\r\n"].concat()).collect();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n");
        let (_server, mut response) = fetch([head.as_bytes(), &chunks, b"0\r\n\r\n"].concat());
        let lines: Vec<_> = response.lines().map(Result::unwrap).collect();
        assert_eq!(lines, expected, "{id}, byte by byte");
    }
}

#[cfg(feature = "charset")]
#[test]
fn lines_of_other_charsets() {
    let table: [(&str, &[u8], &[&str]); 3] = [
        ("shift_jis", b"\x83e\n\x83X\r\n", &["\u{30c6}", "\u{30b9}"]),
        ("iso-2022-jp", b"\x1B$B%F\x1B(B\n\x1B$B%9\x1B(B", &["\u{30c6}", "\u{30b9}"]),
        ("iso-8859-1", b"\xFC\n\xE4", &["\u{fc}", "\u{e4}"]),
    ];
    for (label, body, expected) in table {
        let (_server, mut response) = fetch(with_type(&format!("text/plain; charset={label}"), body));
        assert_eq!(response.lines().map(Result::unwrap).collect::<Vec<_>>(), expected, "{label}");
    }
}

/// A line is bounded to the byte, without its end, and nothing follows one that is too long.
#[test]
fn a_line_is_bounded() {
    let table: [(&str, usize, &[Option<&str>]); 7] = [
        ("aaaa\nbbbb\r\ncccc", 4, &[Some("aaaa"), Some("bbbb"), Some("cccc")]),
        ("aaaaa\nb", 4, &[None]),
        ("a\nbbbbb\r\nc", 4, &[Some("a"), None]),
        ("a\nbbbbb", 4, &[Some("a"), None]),
        ("\u{fc}\u{fc}\n\u{fc}\u{fc}\u{fc}", 4, &[Some("\u{fc}\u{fc}"), None]),
        ("\n\na", 0, &[Some(""), Some(""), None]),
        ("a", usize::MAX, &[Some("a")]),
    ];
    for (body, max, expected) in table {
        let (_server, mut response) = fetch(ok(body));
        let lines: Vec<_> = response.lines().max_len(max).map(Result::ok).collect();
        assert_eq!(lines.iter().map(Option::as_deref).collect::<Vec<_>>(), expected, "{body:?}");
    }
    let long = ["short\n", &"x".repeat(3 << 20), "\nbehind\n"].concat();
    let (_server, mut response) = fetch(ok(&long));
    let mut lines = response.lines();
    assert_eq!(lines.next().unwrap().unwrap(), "short");
    assert_eq!(lines.next().unwrap().unwrap_err().kind(), &ErrorKind::LimitExceeded(Limit::LineBytes));
    assert!(lines.next().is_none());
    let (_server, mut response) = fetch(ok(&long));
    assert_eq!(response.lines().max_len(3 << 20).map(|line| line.unwrap().len()).collect::<Vec<_>>(), [5, 3 << 20, 6]);
}

/// A body that breaks off in a line gives the whole lines, and then the error, never the part.
#[test]
fn a_broken_body() {
    let bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\na\nb\ncc\r\nxyz\r\n";
    let (_server, mut response) = fetch(bytes);
    let lines: Vec<_> = response.lines().map(|line| line.map_err(|error| error.kind().clone())).collect();
    assert_eq!(lines[..2], [Ok("a".to_owned()), Ok("b".to_owned())]);
    assert!(matches!(&lines[2..], [Err(ErrorKind::Protocol(_))]), "{lines:?}");
}

/// Rows C13, RSP-24: behind a buffer, up to a separator.
#[test]
fn buffered() {
    let (_server, response) = fetch(ok("one|two||three"));
    let parts: Vec<_> = response.into_buf_reader().split(b'|').map(Result::unwrap).collect();
    assert_eq!(parts, [&b"one"[..], b"two", b"", b"three"]);
    let (_server, response) = fetch(ok("a\n\nb"));
    assert_eq!(response.into_buf_reader().lines().map(Result::unwrap).collect::<Vec<_>>(), ["a", "", "b"]);
}

//! A strict parser finds what a form was made of.

use std::io::Cursor;

use proptest::prelude::*;

use super::{Form, Part};
use crate::body::{Body, Extent};

/// Name, file name and content of a part.
type Parsed = (String, Option<String>, Vec<u8>);

/// Returns name, file name and content of each part, by a minimal parser that accepts nothing else.
fn parse(boundary: &str, body: &[u8]) -> Option<Vec<Parsed>> {
    let delimiter = format!("\r\n--{boundary}");
    let body = [b"\r\n", body].concat();
    let mut rest = body.strip_prefix(delimiter.as_bytes())?;
    let mut parts = Vec::new();
    while rest != b"--\r\n" {
        rest = rest.strip_prefix(b"\r\n")?;
        let end = memchr::memmem::find(rest, delimiter.as_bytes())?;
        let head = memchr::memmem::find(&rest[..end], b"\r\n\r\n")?;
        let line = str::from_utf8(&rest[..head]).ok()?.lines().next()?;
        let (name, more) = line.strip_prefix("Content-Disposition: form-data; name=\"")?.split_once('"')?;
        let file_name = match more {
            "" => None,
            more => Some(more.strip_prefix("; filename=\"")?.strip_suffix('"')?.to_owned()),
        };
        parts.push((name.to_owned(), file_name, rest[head + 4..end].to_vec()));
        rest = &rest[end + delimiter.len()..];
    }
    Some(parts)
}

/// Returns all that is sent, taken `step` bytes at a time.
fn send(body: &mut Body, step: usize) -> Vec<u8> {
    let (mut out, mut outgoing) = (Vec::new(), body.outgoing());
    loop {
        let piece = outgoing.piece().unwrap();
        let len = piece.len().min(step);
        if len == 0 {
            return out;
        }
        out.extend_from_slice(&piece[..len]);
        outgoing.advance(len);
    }
}

fn unchunked(bytes: &[u8]) -> Vec<u8> {
    let (mut data, mut rest) = (Vec::new(), bytes);
    loop {
        let end = memchr::memmem::find(rest, b"\r\n").unwrap();
        let len = usize::from_str_radix(str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        data.extend_from_slice(&rest[end + 2..][..len]);
        rest = &rest[end + len + 4..];
        if len == 0 {
            return data;
        }
    }
}

fn boundary(content_type: &str) -> &str {
    content_type.strip_prefix("multipart/form-data; boundary=").unwrap()
}

proptest! {
    #[test]
    fn what_went_in_comes_out(
        parts in proptest::collection::vec(
            (any::<String>(), proptest::option::of(any::<String>()), any::<Vec<u8>>(), 0..5_u8, 1..3000_usize), 0..5,
        ),
        step in prop_oneof![1_usize..50, Just(usize::MAX)],
    ) {
        let mut form = Form::new();
        let mut expected = Vec::new();
        for (name, file_name, bytes, kind, copies) in parts {
            let bytes = bytes.repeat(copies);
            expected.push((name.clone(), file_name.clone(), bytes.clone()));
            let length = bytes.len() as u64;
            let part = match kind {
                0 => Part::bytes(bytes),
                1 => Part::sized(Cursor::new(bytes), length),
                2 => Part::body(Body::seekable(Cursor::new(bytes))),
                3 => Part::body(Body::factory(move || Ok(Cursor::new(bytes.clone())), None)),
                _ => Part::body(Body::factory(move || Ok(Cursor::new(bytes.clone())), length)),
            };
            form = form.part(name, match file_name {
                Some(file_name) => part.file_name(file_name),
                None => part,
            });
        }
        let names = expected.iter().flat_map(|(name, file_name, _)| [Some(name), file_name.as_ref()]).flatten();
        let clean = !names.into_iter().any(|name| name.bytes().any(|byte| byte.is_ascii_control()));
        let result = form.into_body();
        prop_assert_eq!(result.is_ok(), clean);
        let Ok((content_type, mut body)) = result else { return Ok(()) };
        body.prepare().unwrap();
        let extent = body.extent();
        let sent = send(&mut body, step);
        let sent = match extent {
            Extent::Length(length) => {
                prop_assert_eq!(sent.len() as u64, length);
                sent
            }
            _ => unchunked(&sent),
        };
        let escaped = |name: String| name.replace('"', "%22");
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(name, file_name, bytes)| (escaped(name), file_name.map(escaped), bytes))
            .collect();
        prop_assert_eq!(parse(boundary(&content_type), &sent), Some(expected));
        if body.can_rewind() {
            body.rewind().unwrap();
            let again = send(&mut body, usize::MAX);
            let again = if let Extent::Length(_) = extent { again } else { unchunked(&again) };
            prop_assert!(again == sent, "the same bytes again");
        }
    }
}

/// Rows B83 and A4.11: a name ends at its quotes.
#[test]
fn names() {
    let table = [
        ("A4.11 quotes", "a\"; filename=\"b", Some("a%22; filename=%22b")),
        ("A4.11", "a\"\r\nX: y;.txt", None),
        ("B83 CR", "a\rb", None),
        ("B83 LF", "a\nb", None),
        ("NUL", "a\0b", None),
        ("UTF-8", "日本 é", Some("日本 é")),
        ("a percent sign", "100%", Some("100%")),
        ("a backslash", "a\\", Some("a\\")),
        ("empty", "", Some("")),
    ];
    for (row, name, expected) in table {
        for of_the_file in [false, true] {
            let form = match of_the_file {
                false => Form::new().text(name, "x"),
                true => Form::new().part("n", Part::text("x").file_name(name)),
            };
            let Ok((content_type, mut body)) = form.into_body() else {
                assert_eq!(expected, None, "{row}");
                continue;
            };
            body.prepare().unwrap();
            let parts = parse(boundary(&content_type), &send(&mut body, 7)).expect(row);
            assert_eq!(parts.len(), 1, "{row}");
            let (name, file_name, _) = parts.into_iter().next().unwrap();
            let found = if of_the_file { file_name.unwrap() } else { name };
            assert_eq!(Some(&*found), expected, "{row}");
        }
    }
}

//! A strict reader of requests: what RFC 9112 lets a client send, and nothing a server would have to guess at.

/// One request as it came.
#[derive(Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) fields: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    /// Bytes of all of it.
    pub(super) len: usize,
}

impl Sent {
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }
}

/// The request at the front of `bytes`, `None` while it is not complete. Panics at what no client may send.
pub(super) fn read(bytes: &[u8]) -> Option<Sent> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut lines = split_lines(&bytes[..head]).into_iter();
    let line = String::from_utf8(lines.next()?.to_vec()).expect("a request line of ASCII");
    let mut parts = line.split(' ');
    let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    assert_eq!((parts.next(), parts.next()), (Some("HTTP/1.1"), None), "{line:?}");
    assert!(is_token(method), "{line:?}");
    assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{line:?}");
    let fields: Vec<_> = lines.map(field).collect();
    let mut sent = Sent { method: method.into(), target: target.into(), fields, body: Vec::new(), len: head + 4 };
    assert_eq!(sent.values("host").count(), 1, "RFC 9112, section 3.2");
    let codings: Vec<_> = sent.values("transfer-encoding").collect();
    if !codings.is_empty() {
        assert_eq!((codings, sent.values("content-length").count()), (vec![&b"chunked"[..]], 0));
        let (body, len) = unchunk(&bytes[head + 4..])?;
        return Some(Sent { body, len: head + 4 + len, ..sent });
    }
    let lengths: Vec<_> = sent.values("content-length").collect();
    assert!(lengths.len() <= 1, "{lengths:?}");
    let digits = lengths.first().copied().unwrap_or(b"0");
    assert!(!digits.is_empty() && digits.iter().all(u8::is_ascii_digit), "{}", digits.escape_ascii());
    let length: usize = String::from_utf8_lossy(digits).parse().expect("a length of a body that was sent");
    sent.body = bytes.get(head + 4..head + 4 + length)?.to_vec();
    sent.len += length;
    Some(sent)
}

/// The data of a chunked body, and how many bytes that body took.
fn unchunk(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut data, mut at) = (Vec::new(), 0);
    loop {
        let digits = bytes[at..].windows(2).position(|two| two == b"\r\n")?;
        let size = String::from_utf8_lossy(&bytes[at..at + digits]);
        assert!(!size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit()), "{size:?}");
        let size = usize::from_str_radix(&size, 16).expect("the size of a chunk that was sent");
        at += digits + 2;
        data.extend_from_slice(bytes.get(at..at + size)?);
        at += size;
        assert!(bytes.get(at..at + 2)? == b"\r\n", "a chunk ends in CRLF");
        at += 2;
        if size == 0 {
            return Some((data, at));
        }
    }
}

fn split_lines(head: &[u8]) -> Vec<&[u8]> {
    let mut lines = vec![head];
    while let Some(at) = lines.last().and_then(|rest| rest.windows(2).position(|two| two == b"\r\n")) {
        let rest = lines.pop().unwrap_or_default();
        lines.extend([&rest[..at], &rest[at + 2..]]);
    }
    lines
}

fn field(line: &[u8]) -> (String, Vec<u8>) {
    let shown = line.escape_ascii();
    let colon = line.iter().position(|&byte| byte == b':').unwrap_or_else(|| panic!("{shown}"));
    let name = String::from_utf8(line[..colon].to_vec()).expect("a name of ASCII");
    let value = line[colon + 1..].trim_ascii();
    assert!(is_token(&name), "{shown}");
    assert!(value.iter().all(|&byte| byte == b'\t' || byte >= b' ' && byte != 0x7F), "{shown}");
    (name, value.to_vec())
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte))
}

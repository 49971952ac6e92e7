//! Response heads: where one ends, what it says, and what it means for the bytes behind it.
//!
//! [`Scanner`] finds the end however the head is split, looking at each byte once, and holds the limits while it waits.
//! [`parse`] then reads the whole head at once. Two leniencies are granted: a line may end in a lone LF
//! (RFC 9112, section 2.2), which costs the connection its reuse, and a field value may be folded
//! (RFC 9112, section 5.2), unless the field decides on framing.

use std::mem::MaybeUninit;

use http::{StatusCode, Version};
use httparse::{ParserConfig, Response, Status};

use super::{Fault, Limits};
use crate::error::{Limit, Violation};
use crate::headers::{Field, Headers, Span, trim};

/// Slots on the stack for the fields of one head; [`Limits::fields`] beyond it has no effect.
const SLOTS: usize = 256;

/// Searches for the end of a head that arrives in pieces.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// No line ends between the start of the current line and here: the search goes on from here.
    seen: usize,
    line_start: usize,
    fields: usize,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Scanner::default()
    }

    /// `buf` is all that has come of this head, from its first byte. Gives the head's length, the blank line included,
    /// once that is there.
    ///
    /// Every error comes at the first byte that leaves no other outcome, so that it does not depend on how the bytes
    /// were split.
    pub(crate) fn advance(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, Fault> {
        loop {
            let line_bytes = if self.line_start == 0 { limits.status_line_bytes } else { limits.line_bytes };
            let line_bound = self.line_start.saturating_add(line_bytes);
            let bound = line_bound.min(limits.head_bytes);
            let line = buf.get(self.line_start..bound.min(buf.len())).unwrap_or_default();
            let known = self.seen - self.line_start;
            self.check_start(line, known, limits)?;
            match memchr::memchr(b'\n', line.get(known..).unwrap_or_default()) {
                Some(at) => {
                    let line = &line[..known + at + 1];
                    self.line_start += line.len();
                    self.seen = self.line_start;
                    if matches!(line, b"\n" | b"\r\n") {
                        return Ok(Some(self.seen));
                    }
                }
                None if buf.len() > bound && line_bound < limits.head_bytes => return Err(Limit::LineBytes.into()),
                None if buf.len() > bound => return Err(Limit::HeadBytes.into()),
                None => {
                    self.seen = self.line_start + line.len();
                    return Ok(None);
                }
            }
        }
    }

    /// The head at the front of `buf`, and its length, once all of it has come.
    pub(crate) fn receive(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<(Head, usize)>, Fault> {
        // Most heads come at once and are shorter than a line may be. Then one pass tells all there is to tell.
        let no_line_is_longer = limits.status_line_bytes.min(limits.line_bytes).min(limits.head_bytes);
        if self.seen == 0
            && !buf.is_empty()
            && let Ok(received) = parse(&buf[..buf.len().min(no_line_is_longer)], limits)
        {
            return Ok(Some(received));
        }
        let Some(len) = self.advance(buf, limits)? else { return Ok(None) };
        *self = Scanner::new();
        parse(&buf[..len], limits).map(Some)
    }

    /// Looks at the first bytes of a line, of which `known` have been looked at before.
    fn check_start(&mut self, line: &[u8], known: usize, limits: &Limits) -> Result<(), Fault> {
        if self.line_start == 0 {
            // Whatever else speaks on this port (SSH, TLS, HTTP/0.9) need not come to a blank line to be told.
            const STARTS: [&[u8]; 2] = [b"HTTP/1.1 ", b"HTTP/1.0 "];
            let len = line.len().min(STARTS[0].len());
            if known < STARTS[0].len() && !STARTS.iter().any(|start| start[..len] == line[..len]) {
                return Err(Violation::StatusLine.into());
            }
        } else if known == 0 && line.first().is_some_and(|byte| !b"\r\n \t".contains(byte)) {
            // A line that begins with white space continues a field; the bytes of the head bound those.
            self.fields += 1;
            if self.fields > limits.head_fields {
                return Err(Limit::HeadFields.into());
            }
        }
        Ok(())
    }
}

/// A response head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    /// Where the reason phrase stands in the bytes of `headers`.
    pub(crate) reason: Span,
    pub(crate) headers: Headers,
    pub(crate) facts: Facts,
}

impl Head {
    /// The reason phrase; empty if there is none or it is not UTF-8.
    pub(crate) fn reason(&self) -> &str {
        self.headers.span(self.reason).and_then(|reason| std::str::from_utf8(reason).ok()).unwrap_or_default()
    }
}

/// What the fields of a head say about the message and its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) content_length: Option<u64>,
    pub(crate) transfer_coding: TransferCoding,
    /// `close` is among the Connection options.
    pub(crate) close: bool,
    /// `keep-alive` is among the Connection options.
    pub(crate) keep_alive: bool,
    /// A line of the head ends in a lone LF.
    pub(crate) bare_lf: bool,
    /// Seconds the peer keeps an idle connection, by its Keep-Alive field.
    pub(crate) keep_alive_timeout: Option<u64>,
    /// Requests the peer will still take on this connection, by its Keep-Alive field.
    pub(crate) keep_alive_max: Option<u64>,
    /// There are cookies to keep.
    pub(crate) set_cookie: bool,
    /// There is a Content-Encoding field.
    pub(crate) content_encoding: bool,
}

/// All Transfer-Encoding fields of a head together.
///
/// This client sends no TE field, so that a peer has no coding to choose but `chunked` (RFC 9112, section 7.4). A lone
/// `chunked` is decoded. A list without it is handed on as it comes, until the connection closes (section 6.3). A
/// violation is every other list: `gzip, chunked`, which would leave a body that nobody decodes; `chunked, gzip` and
/// `chunked, chunked`, which section 6.1 forbids; `chunked` with parameters, which others read as either; `identity`,
/// which RFC 7230 withdrew and which some peers frame by Content-Length, others by the end of the connection; and the
/// empty list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TransferCoding {
    #[default]
    None,
    Chunked,
    /// Codings that only the end of the connection delimits.
    Other,
}

impl TransferCoding {
    fn followed_by(self, coding: &[u8]) -> Result<TransferCoding, Violation> {
        let name = trim(coding.split(|&byte| byte == b';').next().unwrap_or_default());
        let next = match name {
            name if name.eq_ignore_ascii_case(b"identity") => return Err(Violation::TransferEncoding),
            name if !name.eq_ignore_ascii_case(b"chunked") => TransferCoding::Other,
            name if name.len() == coding.len() => TransferCoding::Chunked,
            _ => return Err(Violation::TransferEncoding),
        };
        match (self, next) {
            (TransferCoding::None, next) => Ok(next),
            (TransferCoding::Other, TransferCoding::Other) => Ok(next),
            _ => Err(Violation::TransferEncoding),
        }
    }
}

impl Facts {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        // Lengths tell the five that matter from nearly all others.
        match name.len() {
            10 if name.eq_ignore_ascii_case(b"connection") => self.note_connection(value),
            10 if name.eq_ignore_ascii_case(b"keep-alive") => self.note_keep_alive(value),
            10 if name.eq_ignore_ascii_case(b"set-cookie") => self.set_cookie = true,
            14 if name.eq_ignore_ascii_case(b"content-length") => return self.note_content_length(value),
            16 if name.eq_ignore_ascii_case(b"content-encoding") => self.content_encoding = true,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => return self.note_transfer_encoding(value),
            _ => {}
        }
        Ok(())
    }

    fn note_connection(&mut self, value: &[u8]) {
        for option in elements(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// What is malformed is left out: the field is a hint, and no RFC in force defines it. The smaller of two counts.
    fn note_keep_alive(&mut self, value: &[u8]) {
        for parameter in elements(value) {
            let mut halves = parameter.splitn(2, |&byte| byte == b'=').map(trim);
            let (Some(name), Some(number)) = (halves.next(), halves.next().and_then(decimal)) else { continue };
            let slot = match name {
                name if name.eq_ignore_ascii_case(b"timeout") => &mut self.keep_alive_timeout,
                name if name.eq_ignore_ascii_case(b"max") => &mut self.keep_alive_max,
                _ => continue,
            };
            *slot = Some(slot.map_or(number, |before| before.min(number)));
        }
    }

    /// The same number several times counts as one (RFC 9112, section 6.3).
    fn note_content_length(&mut self, value: &[u8]) -> Result<(), Violation> {
        for element in elements(value) {
            let length = decimal(element).ok_or(Violation::ContentLength)?;
            if *self.content_length.get_or_insert(length) != length {
                return Err(Violation::ConflictingContentLength);
            }
        }
        Ok(())
    }

    fn note_transfer_encoding(&mut self, value: &[u8]) -> Result<(), Violation> {
        // A list may have empty elements (RFC 9110, section 5.6.1), but not only such.
        if elements(value).all(<[u8]>::is_empty) {
            return Err(Violation::TransferEncoding);
        }
        for coding in elements(value).filter(|coding| !coding.is_empty()) {
            self.transfer_coding = self.transfer_coding.followed_by(coding)?;
        }
        Ok(())
    }
}

fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim)
}

/// ASCII digits and nothing else; `str::parse` would take a sign.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Reads a complete head, from the first byte of its status line to its blank line, and says how long it is.
pub(crate) fn parse(head: &[u8], limits: &Limits) -> Result<(Head, usize), Fault> {
    // Spans count in 32 bits.
    if head.len() > limits.head_bytes.min(u32::MAX as usize) {
        return Err(Limit::HeadBytes.into());
    }
    // httparse skips empty lines here. When one is tolerated is for the exchange to say, which knows the connection.
    if !head.starts_with(b"HTTP/") {
        return Err(Violation::StatusLine.into());
    }
    let mut stack = [const { MaybeUninit::uninit() }; SLOTS];
    let mut heap = Vec::new();
    let mut response = Response::new(&mut []);
    let mut config = ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    let slots = match stack.get_mut(..limits.head_fields) {
        Some(slots) => slots,
        None => {
            // As many as there are lines: memory follows what came.
            heap.resize_with(limits.head_fields.min(memchr::memchr_iter(b'\n', head).count()), MaybeUninit::uninit);
            &mut heap[..]
        }
    };
    let head = match config.parse_response_with_uninit_headers(&mut response, head, slots) {
        Ok(Status::Complete(len)) => &head[..len],
        Ok(Status::Partial) => return Err(Violation::IncompleteHead.into()),
        Err(error) => return Err(refusal(error)),
    };
    let code = response.code.filter(|code| (100..=599).contains(code)).ok_or(Violation::StatusCode)?;
    let status = StatusCode::from_u16(code).map_err(|_| Violation::StatusCode)?;
    let version = if response.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };

    let mut bytes = head.to_vec();
    let mut facts = Facts { bare_lf: !head.ends_with(b"\r\n\r\n"), ..Facts::default() };
    // The status line, one line a field, the blank line: what is more is a fold.
    if memchr::memchr_iter(b'\n', head).count() != response.headers.len() + 2 {
        facts.bare_lf |= unfold(head, &mut bytes)?;
    }
    let mut fields = Vec::with_capacity(response.headers.len());
    for header in response.headers.iter() {
        let field = Field { name: span(head, header.name.as_bytes()), value: span(head, header.value), secret: false };
        // The line in front of this one ends in LF, which httparse has seen to.
        facts.bare_lf |= !bytes[..field.name.start as usize].ends_with(b"\r\n");
        facts.note(header.name.as_bytes(), field.value.of(&bytes))?;
        fields.push(field);
    }
    let reason = reason(head);
    let len = head.len();
    Ok((Head { version, status, reason, headers: Headers::from_parts(bytes, fields), facts }, len))
}

fn refusal(error: httparse::Error) -> Fault {
    match error {
        httparse::Error::TooManyHeaders => Limit::HeadFields.into(),
        httparse::Error::HeaderValue => Violation::FieldValue.into(),
        // A CR without LF where a field name or the blank line is due.
        httparse::Error::HeaderName | httparse::Error::NewLine => Violation::FieldName.into(),
        httparse::Error::Version | httparse::Error::Status | httparse::Error::Token => Violation::StatusLine.into(),
    }
}

/// Where `part` stands in `head`, of which it is a slice.
fn span(head: &[u8], part: &[u8]) -> Span {
    let start = part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
    debug_assert!(start.checked_add(part.len()).is_some_and(|end| end <= head.len()));
    Span { start: start as u32, len: part.len() as u32 }
}

/// The reason phrase as it came; httparse withholds one that is not ASCII.
fn reason(head: &[u8]) -> Span {
    let line = &head[..memchr::memchr(b'\n', head).unwrap_or(head.len())];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    span(head, line.get("HTTP/1.1 200 ".len()..).unwrap_or(&line[line.len()..]))
}

/// Puts spaces in place of the line ends of folds (RFC 9112, section 5.2) and says whether one was a lone LF.
///
/// `bytes` is a copy of `head`, in which a line that begins with white space can only be a fold: httparse takes none
/// behind the status line.
fn unfold(head: &[u8], bytes: &mut [u8]) -> Result<bool, Violation> {
    let mut bare_lf = false;
    let mut name: &[u8] = &[];
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', head) {
        let line = &head[start..end];
        if !matches!(line, [b' ' | b'\t', ..]) {
            name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        } else if decides_on_framing(name) {
            return Err(Violation::FoldedFraming);
        } else if let [.., cr, lf] = &mut bytes[..start] {
            *lf = b' ';
            match *cr {
                b'\r' => *cr = b' ',
                _ => bare_lf = true,
            }
        }
        start = end + 1;
    }
    Ok(bare_lf)
}

fn decides_on_framing(name: &[u8]) -> bool {
    [&b"content-length"[..], b"transfer-encoding", b"connection"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;
    use crate::headers::{is_token_byte, is_value_byte};

    /// All that a head says, in a form that compares and prints.
    #[derive(Debug, PartialEq)]
    struct Seen {
        len: usize,
        line: String,
        fields: Vec<(String, String)>,
        facts: Facts,
    }

    fn receive<'a>(pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Result<Option<Seen>, Fault> {
        let mut scanner = Scanner::new();
        let mut buf = Vec::new();
        for piece in pieces {
            buf.extend_from_slice(piece);
            let Some((head, len)) = scanner.receive(&buf, limits)? else {
                // Linear by construction: the next call looks at nothing that this one has looked at.
                assert_eq!(scanner.seen, buf.len());
                continue;
            };
            assert!(len <= limits.head_bytes.min(buf.len()));
            assert!(head.headers.len() <= limits.head_fields);
            for field in head.headers.iter() {
                assert!(!field.name().is_empty() && field.name().bytes().all(is_token_byte), "{field:?}");
                assert!(field.bytes().iter().all(|&byte| is_value_byte(byte)), "{field:?}");
                assert_eq!(trim(field.bytes()), field.bytes(), "{field:?}");
            }
            let line = format!("{:?} {} {}", head.version, head.status.as_u16(), head.reason());
            let fields =
                head.headers.iter().map(|field| (field.name().to_owned(), field.value().into_owned())).collect();
            return Ok(Some(Seen { len, line, fields, facts: head.facts }));
        }
        Ok(None)
    }

    fn at_once(head: &[u8]) -> Result<Option<Seen>, Fault> {
        receive([head].into_iter(), &Limits::default())
    }

    /// Row, head, status line as it is understood, fields.
    type Accepted = (&'static str, &'static [u8], &'static str, &'static [(&'static str, &'static str)]);

    const ACCEPTED: &[Accepted] = &[
        ("plain", b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK", &[("A", "b")]),
        ("1.0", b"HTTP/1.0 404 Not Found\r\n\r\n", "HTTP/1.0 404 Not Found", &[]),
        ("A5.7 no reason", b"HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200 ", &[]),
        ("A5.7 empty reason", b"HTTP/1.1 200 \r\nA: b\r\n\r\n", "HTTP/1.1 200 ", &[("A", "b")]),
        ("lowest", b"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue", &[]),
        ("highest", b"HTTP/1.1 599 x\r\n\r\n", "HTTP/1.1 599 x", &[]),
        ("reason kept", b"HTTP/1.1 200  a\tb \r\n\r\n", "HTTP/1.1 200  a\tb ", &[]),
        ("reason UTF-8", b"HTTP/1.1 200 \xC3\xA9\r\n\r\n", "HTTP/1.1 200 \u{e9}", &[]),
        ("reason not UTF-8", b"HTTP/1.1 200 \xE9\r\n\r\n", "HTTP/1.1 200 ", &[]),
        ("lone LF", b"HTTP/1.1 200 OK\nA: b\nC:d\n\n", "HTTP/1.1 200 OK", &[("A", "b"), ("C", "d")]),
        (
            "white space",
            b"HTTP/1.1 200 OK\r\nA:b\r\nC: \t d e\t \r\n\r\n",
            "HTTP/1.1 200 OK",
            &[("A", "b"), ("C", "d e")],
        ),
        ("tab inside", b"HTTP/1.1 200 OK\r\nA: b\tc\td\r\n\r\n", "HTTP/1.1 200 OK", &[("A", "b\tc\td")]),
        ("empty value", b"HTTP/1.1 200 OK\r\nA:\r\nB: \t\r\n\r\n", "HTTP/1.1 200 OK", &[("A", ""), ("B", "")]),
        ("obs-text", b"HTTP/1.1 200 OK\r\nA: \xE9\r\n\r\n", "HTTP/1.1 200 OK", &[("A", "\u{e9}")]),
        ("token", b"HTTP/1.1 200 OK\r\n!#$%&'*+-.^_`|~9: x\r\n\r\n", "HTTP/1.1 200 OK", &[("!#$%&'*+-.^_`|~9", "x")]),
        (
            "case, order",
            b"HTTP/1.1 200 OK\r\nb: 1\r\nA: 2\r\nB: 3\r\n\r\n",
            "HTTP/1.1 200 OK",
            &[("b", "1"), ("A", "2"), ("B", "3")],
        ),
        (
            "fold",
            b"HTTP/1.1 200 OK\r\nA: b\r\n\tc\r\n d\r\nE: f\r\n\r\n",
            "HTTP/1.1 200 OK",
            &[("A", "b  \tc   d"), ("E", "f")],
        ),
        ("fold first", b"HTTP/1.1 200 OK\r\nA:\r\n b\r\n\r\n", "HTTP/1.1 200 OK", &[("A", "b")]),
        (
            "fold of nothing",
            b"HTTP/1.1 200 OK\r\nA: b\r\n \r\n\t\r\nB:\r\n \r\n\r\n",
            "HTTP/1.1 200 OK",
            &[("A", "b"), ("B", "")],
        ),
        ("fold, lone LF", b"HTTP/1.1 200 OK\r\nA: b\n c\r\n\r\n", "HTTP/1.1 200 OK", &[("A", "b  c")]),
        ("surplus", b"HTTP/1.1 204 x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 204 x", &[]),
    ];

    #[test]
    fn accepted() {
        for (id, head, line, fields) in ACCEPTED {
            let seen = at_once(head).unwrap().unwrap_or_else(|| panic!("{id} has no end"));
            let shown: Vec<_> = seen.fields.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!((&*seen.line, &*shown), (*line, *fields), "{id}");
            assert_eq!(seen.facts.bare_lf, id.contains("lone LF"), "{id}");
        }
    }

    use Violation::*;

    const REFUSED: &[(&str, &[u8], Violation)] = &[
        ("A5.7 2.0", b"HTTP/2.0 200 OK\r\n\r\n", StatusLine),
        ("A5.7 1.10", b"HTTP/1.10 200 OK\r\n\r\n", StatusLine),
        ("A5.7 1.2", b"HTTP/1.2 200 OK\r\n\r\n", StatusLine),
        ("A5.7 lower case", b"http/1.1 200 OK\r\n\r\n", StatusLine),
        ("A5.7 ICY", b"ICY 200 OK\r\n\r\n", StatusLine),
        ("A5.7 20", b"HTTP/1.1 20\r\n\r\n", StatusLine),
        ("A5.7 2000", b"HTTP/1.1 2000\r\n\r\n", StatusLine),
        ("A5.7 two spaces", b"HTTP/1.1  200 OK\r\n\r\n", StatusLine),
        ("A5.7 leading space", b" HTTP/1.1 200 OK\r\n\r\n", StatusLine),
        ("A5.7 099", b"HTTP/1.1 099 x\r\n\r\n", StatusCode),
        ("A5.7 999", b"HTTP/1.1 999 x\r\n\r\n", StatusCode),
        ("A5.7 600", b"HTTP/1.1 600 x\r\n\r\n", StatusCode),
        ("status with sign", b"HTTP/1.1 +20 OK\r\n\r\n", StatusLine),
        ("tab for space", b"HTTP/1.1\t200 OK\r\n\r\n", StatusLine),
        ("control in reason", b"HTTP/1.1 200 a\x00b\r\n\r\n", StatusLine),
        ("bare CR in reason", b"HTTP/1.1 200 a\rb\r\n\r\n", StatusLine),
        ("A5.8", b"<html>hello</html>", StatusLine),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n", StatusLine),
        ("TLS", b"\x16\x03\x01\x02", StatusLine),
        ("A5.14", b"\r\nHTTP/1.1 200 OK\r\n\r\n", StatusLine),
        ("leading LF", b"\nHTTP/1.1 200 OK\r\n\r\n", StatusLine),
        ("A5.11 bare CR", b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", FieldValue),
        ("A5.11 NUL", b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", FieldValue),
        ("DEL", b"HTTP/1.1 200 OK\r\nA: b\x7Fc\r\n\r\n", FieldValue),
        ("control first", b"HTTP/1.1 200 OK\r\nA:\x0Bb\r\n\r\n", FieldValue),
        ("NUL in a fold", b"HTTP/1.1 200 OK\r\nA: b\r\n \0\r\n\r\n", FieldValue),
        ("space before colon", b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", FieldName),
        ("no colon", b"HTTP/1.1 200 OK\r\nA\r\n\r\n", FieldName),
        ("empty name", b"HTTP/1.1 200 OK\r\n: b\r\n\r\n", FieldName),
        ("fold of the status line", b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n", FieldName),
        ("NUL in name", b"HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n", FieldName),
        ("obs-text in name", b"HTTP/1.1 200 OK\r\nA\xE9: b\r\n\r\n", FieldName),
        ("CR for the blank line", b"HTTP/1.1 200 OK\r\n\rA: b\r\n\r\n", FieldName),
        ("folded length", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 5\r\n\r\n", FoldedFraming),
        ("fold in front", b"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length:\r\n 5\r\n\r\n", FoldedFraming),
        ("fold behind", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n \r\nA: b\r\n\r\n", FoldedFraming),
        ("folded options", b"HTTP/1.1 200 OK\nCONNECTION: close,\n\tx\n\n", FoldedFraming),
    ];

    #[test]
    fn refused() {
        for (id, head, expected) in REFUSED {
            assert_eq!(at_once(head), Err(Fault::Violation(*expected)), "{id}");
        }
        // Parsed without the scanner these are refused too, whole or cut.
        for (id, head, _) in REFUSED {
            assert!(parse(head, &Limits::default()).is_err(), "{id}");
        }
        let cut = parse(b"HTTP/1.1 200 OK\r\nA: b\r\n", &Limits::default()).map(|(head, _)| head.status);
        assert_eq!(cut, Err(IncompleteHead.into()));
    }

    #[test]
    fn what_is_no_status_line_is_refused_at_the_first_byte_that_shows_it() {
        for (text, bytes) in
            [("SSH-2.0", 1), ("\r\n", 1), ("HTTQ", 4), ("HTTP/2", 6), ("HTTP/1.10", 9), ("HTTP/1.1\r\n", 9)]
        {
            let text = text.as_bytes();
            assert_eq!(Scanner::new().advance(&text[..bytes - 1], &Limits::default()), Ok(None), "{text:?}");
            assert_eq!(Scanner::new().advance(&text[..bytes], &Limits::default()), Err(StatusLine.into()), "{text:?}");
        }
    }

    fn what_fields_mean(table: &[(&str, &str, Result<Facts, Violation>)]) {
        for (id, lines, expected) in table {
            let head = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n");
            let facts = at_once(head.as_bytes()).map(|seen| seen.unwrap().facts);
            assert_eq!(facts, expected.map_err(Fault::Violation), "{id}");
        }
    }

    #[test]
    fn content_length() {
        let length = |n| Ok(Facts { content_length: Some(n), ..Facts::default() });
        what_fields_mean(&[
            ("none", "A: b\r\nContent-Lengthy: 5\r\nX-Connection: close", Ok(Facts::default())),
            ("length", "cONTENT-lENGTH: 5", length(5)),
            ("zeros", "Content-Length: 0005", length(5)),
            ("largest", "Content-Length: 18446744073709551615", length(u64::MAX)),
            ("A5.2 list", "Content-Length: 5, 5", length(5)),
            ("A5.2 lines", "Content-Length: 5\r\nA: b\r\nContent-Length: 5", length(5)),
            ("A5.2 same number", "Content-Length: 5,05", length(5)),
            ("differing list", "Content-Length: 5, 6", Err(ConflictingContentLength)),
            ("differing lines", "Content-Length: 5\r\nContent-Length: 0", Err(ConflictingContentLength)),
            ("overflow", "Content-Length: 18446744073709551616", Err(ContentLength)),
            ("sign", "Content-Length: +5", Err(ContentLength)),
            ("minus", "Content-Length: -1", Err(ContentLength)),
            ("hexadecimal", "Content-Length: 0x5", Err(ContentLength)),
            ("empty", "Content-Length:", Err(ContentLength)),
            ("empty element", "Content-Length: 5,", Err(ContentLength)),
            ("space inside", "Content-Length: 5 5", Err(ContentLength)),
            ("other digits", "Content-Length: \u{665}", Err(ContentLength)),
            ("fraction", "Content-Length: 5.0", Err(ContentLength)),
        ]);
    }

    #[test]
    fn transfer_encoding() {
        let coding = |transfer_coding| Ok(Facts { transfer_coding, ..Facts::default() });
        let both = Facts { content_length: Some(5), transfer_coding: TransferCoding::Chunked, ..Facts::default() };
        what_fields_mean(&[
            ("chunked", "Transfer-Encoding: chunked", coding(TransferCoding::Chunked)),
            ("chunked, case", "TRANSFER-ENCODING: ChunKed", coding(TransferCoding::Chunked)),
            ("chunked, empty elements", "Transfer-Encoding: , chunked,,", coding(TransferCoding::Chunked)),
            ("gzip", "Transfer-Encoding: gzip", coding(TransferCoding::Other)),
            ("two lines", "Transfer-Encoding: gzip\r\nTransfer-Encoding: x;a=b", coding(TransferCoding::Other)),
            ("xchunked", "Transfer-Encoding: xchunked", coding(TransferCoding::Other)),
            ("A5.3", "Content-Length: 5\r\nTransfer-Encoding: chunked", Ok(both)),
            ("coded twice", "Transfer-Encoding: gzip, chunked", Err(TransferEncoding)),
            ("coded twice, lines", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", Err(TransferEncoding)),
            ("not last", "Transfer-Encoding: chunked, gzip", Err(TransferEncoding)),
            ("twice", "Transfer-Encoding: chunked, chunked", Err(TransferEncoding)),
            ("twice, lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Err(TransferEncoding)),
            ("parameter", "Transfer-Encoding: chunked;a=b", Err(TransferEncoding)),
            ("identity", "Transfer-Encoding: identity", Err(TransferEncoding)),
            ("identity, chunked", "Transfer-Encoding: identity, chunked", Err(TransferEncoding)),
            ("no coding", "Transfer-Encoding:", Err(TransferEncoding)),
            ("only commas", "Transfer-Encoding: , ,", Err(TransferEncoding)),
        ]);
    }

    #[test]
    fn connection_and_keep_alive() {
        let options = |close, keep_alive| Ok(Facts { close, keep_alive, ..Facts::default() });
        let hints =
            |keep_alive_timeout, keep_alive_max| Ok(Facts { keep_alive_timeout, keep_alive_max, ..Facts::default() });
        what_fields_mean(&[
            ("close", "Connection: Close", options(true, false)),
            ("keep-alive", "connection: KEEP-ALIVE", options(false, true)),
            ("list", "Connection: upgrade, keep-alive ,close", options(true, true)),
            ("lines", "Connection: keep-alive\r\nConnection: x\r\nConnection: close", options(true, true)),
            ("other tokens", "Connection: closed, x-close, \"close\"", options(false, false)),
            ("hints", "Keep-Alive: timeout=5, max=100", hints(Some(5), Some(100))),
            ("hints, spelling", "keep-alive: MAX = 7,Timeout=0", hints(Some(0), Some(7))),
            ("hints, twice", "Keep-Alive: timeout=9\r\nKeep-Alive: timeout=5, timeout=8", hints(Some(5), None)),
            ("hints, malformed", "Keep-Alive: timeout, timeout=-1, timeout=5s, max=, =3, x=4", hints(None, None)),
            ("hints, overflow", "Keep-Alive: timeout=18446744073709551616, max=1", hints(None, Some(1))),
        ]);
    }

    #[test]
    fn a_lone_lf_anywhere_is_noticed() {
        let head = b"HTTP/1.1 200 OK\r\nA: b\r\nC:\r\nD: e\r\n f\r\n\r\n";
        assert!(!at_once(head).unwrap().unwrap().facts.bare_lf);
        for at in head.iter().enumerate().filter(|(_, byte)| **byte == b'\r').map(|(at, _)| at) {
            let mut head = head.to_vec();
            head.remove(at);
            assert!(at_once(&head).unwrap().unwrap().facts.bare_lf, "{}", head.escape_ascii());
        }
    }

    fn tight() -> Limits {
        Limits { head_bytes: 96, status_line_bytes: 32, line_bytes: 24, head_fields: 3, ..Limits::default() }
    }

    #[test]
    fn limits() {
        let line = |len: usize| format!("HTTP/1.1 200 {}\r\n", "x".repeat(len - 15));
        let field = |len: usize| format!("A: {}\r\n", "x".repeat(len - 5));
        let end = "\r\n";
        let table: &[(&str, Vec<String>, Option<Limit>)] = &[
            ("all at their limits", vec![line(32), field(24), field(24), field(14), end.into()], None),
            ("status line", vec![line(33)], Some(Limit::LineBytes)),
            ("status line without end", vec![line(48)[..33].into()], Some(Limit::LineBytes)),
            ("field line", vec![line(20), field(25)], Some(Limit::LineBytes)),
            ("field line without end", vec![line(20), field(40)[..25].into()], Some(Limit::LineBytes)),
            ("folds count as lines", vec![line(20), field(24), " x\r\n".into(), "\tx\r\n".into(), end.into()], None),
            ("A8.1 fields", vec![line(20), field(6), field(6), field(6), "B".into()], Some(Limit::HeadFields)),
            ("head", vec![line(32), field(24), field(24), field(15), end.into()], Some(Limit::HeadBytes)),
            ("endless folds", vec![line(20), field(6), " x\r\n".repeat(18)], Some(Limit::HeadBytes)),
        ];
        for (id, parts, expected) in table {
            let result = receive(parts.iter().map(String::as_bytes), &tight());
            match expected {
                None => assert!(matches!(result, Ok(Some(_))), "{id}: {result:?}"),
                Some(limit) => assert_eq!(result, Err(Fault::Limit(*limit)), "{id}"),
            }
        }
        // `parse` holds those of them that memory depends on by itself.
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(SLOTS + 1));
        let wide = Limits { head_fields: usize::MAX, head_bytes: usize::MAX, ..Limits::default() };
        assert_eq!(parse(many.as_bytes(), &wide).map(|(head, _)| head.headers.len()), Ok(SLOTS + 1));
        let one_less = Limits { head_fields: SLOTS, ..wide };
        assert_eq!(parse(many.as_bytes(), &one_less).map(|_| ()), Err(Limit::HeadFields.into()));
        assert_eq!(parse(many.as_bytes(), &tight()).map(|_| ()), Err(Limit::HeadBytes.into()));
        let full = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(SLOTS));
        assert_eq!(at_once(full.as_bytes()).unwrap().unwrap().fields.len(), SLOTS);
    }

    /// Rows A5.12 and A8 "limit missed when split": cut in two at every place, and byte by byte.
    #[test]
    fn no_split_changes_the_outcome() {
        let corpus = ACCEPTED.iter().map(|row| (row.0, row.1)).chain(REFUSED.iter().map(|row| (row.0, row.1)));
        for (id, head) in corpus {
            for limits in [Limits::default(), tight()] {
                let whole = receive([head].into_iter(), &limits);
                for at in 0..head.len() {
                    let (one, other) = head.split_at(at);
                    assert_eq!(receive([one, other].into_iter(), &limits), whole, "{id} cut at {at}");
                }
                assert_eq!(receive(head.chunks(1), &limits), whole, "{id} byte by byte");
            }
        }
    }

    /// Row A5.13. `receive` asserts that no byte is looked at twice.
    #[test]
    fn a_dribbled_head_costs_linear_work() {
        let field = format!("A: {}\r\n", "x".repeat(1019));
        let head = format!("HTTP/1.1 200 OK\r\n{}\r\n", field.repeat(64));
        let seen = receive(head.as_bytes().chunks(1), &Limits::default()).unwrap().unwrap();
        assert_eq!((seen.len, seen.fields.len()), (head.len(), 64));
    }

    #[test]
    fn the_reason_of_changed_headers_is_no_panic() {
        let (mut head, _) = parse(b"HTTP/1.1 200 Fine\r\nA: b\r\n\r\n", &Limits::default()).unwrap();
        assert_eq!(head.reason(), "Fine");
        head.headers.remove("a");
        assert_eq!(head.reason(), "");
    }

    fn fragments() -> impl Strategy<Value = Vec<u8>> {
        let known: &[&[u8]] = &[
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.0 ",
            b"304\n",
            b"Content-Length: ",
            b"5",
            b", ",
            b"Transfer-Encoding:",
            b"chunked",
            b"Connection: close",
            b"Keep-Alive: timeout=5",
            b"\r\n",
            b"\r\n",
            b"\n",
            b"\r",
            b" ",
            b"\t",
            b"A: b\r\n",
            b":",
            b"\0",
            b"\xE9",
        ];
        let fragment = prop_oneof![
            9 => select(known).prop_map(<[u8]>::to_vec),
            1 => prop::collection::vec(any::<u8>(), 0..9),
        ];
        let begun = prop_oneof![4 => Just(&b"HTTP/1.1 200 OK\r\n"[..]), 1 => Just(&b""[..])];
        (begun, prop::collection::vec(fragment, 0..24)).prop_map(|(begun, rest)| [begun, &rest.concat()].concat())
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_have_one_outcome(
            bytes in fragments(), step in 1_usize..9, cut in any::<Index>(), narrow in any::<bool>(),
        ) {
            let limits = if narrow { tight() } else { Limits::default() };
            let whole = receive([&bytes[..]].into_iter(), &limits);
            prop_assert_eq!(&receive(bytes.chunks(step), &limits), &whole);
            let (one, other) = bytes.split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(&receive([one, other].into_iter(), &limits), &whole);
            // By itself the parser takes anything, too; it panics at nothing and needs no scanner to be strict.
            let _ = parse(&bytes, &limits);
        }
    }
}

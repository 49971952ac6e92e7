//! Response heads: their end, their fields, and their meaning for the bytes that follow.
//!
//! [`Scanner`] finds the end of a head, however the head is split. It examines each byte once and enforces the limits
//! while the head arrives. [`parse`] then reads the whole head at once.
//!
//! Both settings of [`Strictness`] accept two exceptions. A line may end in a lone LF (RFC 9112, section 2.2); then the
//! connection is not used again. A field may be folded (RFC 9112, section 5.2), unless it decides on framing. A strict
//! reader refuses a head that breaks another rule. A tolerant reader lets [`Mender`] repair it line by line, and checks
//! the result in the same way.

use std::mem::MaybeUninit;

use http::{Method, StatusCode, Version};
use httparse::{ParserConfig, Response, Status};

use super::mend::{Dropped, Mender};
use super::{Fault, Limits};
use crate::error::{Limit, ResponseHead, Violation};
use crate::headers::{Field, Headers, Span, trim};
use crate::strictness::Strictness;
use crate::urls::Url;

/// The number of fields for which there are slots on the stack. A higher [`Limits::fields`] takes the slots from the
/// heap.
const SLOTS: usize = 256;

/// Searches for the end of a head that arrives in pieces.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// The bytes that have been searched. The current line does not end before this position.
    seen: usize,
    /// The start of the current line.
    line_start: usize,
    fields: usize,
    /// A line that does not begin with white space has arrived after the status line.
    in_fields: bool,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Scanner::default()
    }

    /// Searches `buf`, which holds all bytes of this head that have arrived. Returns the length of the head, with the
    /// blank line, once it is complete.
    ///
    /// Reports an error at the first byte that allows no other result. So the error does not depend on how the bytes
    /// were split.
    pub(crate) fn advance(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        strictness: Strictness,
    ) -> Result<Option<usize>, Fault> {
        loop {
            let line_bytes = if self.line_start == 0 { limits.status_line_bytes } else { limits.line_bytes };
            let line_bound = self.line_start.saturating_add(line_bytes);
            let bound = line_bound.min(limits.head_bytes);
            let line = buf.get(self.line_start..bound.min(buf.len())).unwrap_or_default();
            let known = self.seen - self.line_start;
            self.check_start(line, known, limits, strictness)?;
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

    /// Returns the head at the front of `buf`, and its length, once it is complete.
    pub(crate) fn receive(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        strictness: Strictness,
    ) -> Result<Option<(Head, usize)>, Fault> {
        // Most heads arrive at once and are shorter than one line may be. Then one pass is enough.
        let no_line_is_longer = limits.status_line_bytes.min(limits.line_bytes).min(limits.head_bytes);
        if self.seen == 0
            && !buf.is_empty()
            && let Ok(Some(received)) = read(&buf[..buf.len().min(no_line_is_longer)], limits, strictness)
        {
            return Ok(Some(received));
        }
        let Some(len) = self.advance(buf, limits, strictness)? else { return Ok(None) };
        *self = Scanner::new();
        parse(&buf[..len], limits, strictness).map(Some)
    }

    /// Checks the first bytes of a line, of which `known` were checked before.
    fn check_start(&mut self, line: &[u8], known: usize, limits: &Limits, strictness: Strictness) -> Result<(), Fault> {
        if self.line_start == 0 {
            // Refuse other protocols (SSH, TLS, HTTP/0.9) at once: they may never send a blank line.
            if known < VERSION.len() && !begins_status_line(line, strictness) {
                return Err(Violation::StatusLine.into());
            }
        } else if known == 0
            && let Some(byte) = line.first().filter(|byte| !b"\r\n".contains(byte))
        {
            // A line that begins with white space continues a field. Only the limit on bytes bounds such lines. Before
            // the first field there is no field to continue, so the line counts as a field.
            let is_fold = b" \t".contains(byte);
            self.in_fields |= !is_fold;
            if is_fold && self.in_fields {
                return Ok(());
            }
            self.fields += 1;
            if self.fields > limits.head_fields {
                return Err(Limit::HeadFields.into());
            }
        }
        Ok(())
    }
}

/// The start of a status line.
const VERSION: &[u8] = b"HTTP/1.1 ";

/// The position of the minor version in a status line.
const MINOR: usize = VERSION.len() - 2;

/// Returns whether these bytes, as far as they have arrived, begin a status line. A tolerant reader reads a minor
/// version above 1 as HTTP/1.1 (RFC 9110, section 2.5). A strict reader refuses it.
pub(crate) fn begins_status_line(line: &[u8], strictness: Strictness) -> bool {
    let highest = if strictness.is_strict() { b'1' } else { b'9' };
    line.iter().zip(VERSION).enumerate().all(|(at, (byte, expected))| match at {
        MINOR => (b'0'..=highest).contains(byte),
        _ => byte == expected,
    })
}

/// A response head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) reason: Reason,
    pub(crate) headers: Headers,
    pub(crate) facts: Facts,
    /// The lines that were dropped.
    pub(crate) dropped: Option<Box<Dropped>>,
}

/// Where the reason phrase of a head is.
#[derive(Debug)]
pub(crate) enum Reason {
    /// In the bytes of the fields, as they arrived.
    Received(Span),
    /// Apart from the fields, because the caller made the head or may change its fields.
    Own(Box<str>),
}

impl Head {
    /// Makes a head that no server has sent. Its fields state facts, but they do not frame a body, so a malformed field
    /// about framing is no fault.
    pub(crate) fn made(version: Version, status: StatusCode, reason: Box<str>, headers: Headers) -> Head {
        let mut facts = Facts::default();
        for field in headers.iter() {
            let _ = facts.note(field.name().as_bytes(), field.bytes(), Strictness::Tolerant);
        }
        Head { version, status, reason: Reason::Own(reason), headers, facts, dropped: None }
    }

    /// Returns the reason phrase; empty if there is none or it is not UTF-8.
    pub(crate) fn reason(&self) -> &str {
        match &self.reason {
            Reason::Own(reason) => reason,
            Reason::Received(span) => {
                self.headers.span(*span).and_then(|reason| std::str::from_utf8(reason).ok()).unwrap_or_default()
            }
        }
    }

    /// Returns the fields, to change them. What they said about the framing of the message stays true.
    pub(crate) fn headers_mut(&mut self) -> &mut Headers {
        if let Reason::Received(_) = self.reason {
            // A change of the fields moves their bytes.
            self.reason = Reason::Own(self.reason().into());
        }
        // A cookie may be added.
        self.facts.set_cookie = true;
        &mut self.headers
    }

    /// Returns this head as errors and the history of a response have it: with the request that it answers, and without
    /// a body.
    pub(crate) fn answer_to(&self, method: Method, url: Url, request_body_complete: bool) -> ResponseHead {
        ResponseHead {
            status: self.status,
            version: self.version,
            reason: self.reason().into(),
            method,
            url,
            headers: self.headers.clone(),
            body: Vec::new(),
            request_body_complete,
        }
    }
}

/// The facts about a message and its connection that the fields of a head state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) content_length: Option<u64>,
    pub(crate) transfer_coding: TransferCoding,
    /// `close`, or a misspelling of it, is among the Connection options.
    pub(crate) close: bool,
    /// `keep-alive` is among the Connection options.
    pub(crate) keep_alive: bool,
    /// A line of the head ends in a lone LF.
    pub(crate) bare_lf: bool,
    /// The seconds for which the peer keeps an idle connection, by its Keep-Alive field.
    pub(crate) keep_alive_timeout: Option<u32>,
    /// The number of requests that the peer still takes on this connection, by its Keep-Alive field.
    pub(crate) keep_alive_max: Option<u32>,
    /// There is a Set-Cookie field.
    pub(crate) set_cookie: bool,
    /// There is a Content-Encoding field.
    pub(crate) content_encoding: bool,
    /// The number of lines that were dropped because they are not valid fields.
    pub(crate) dropped_lines: u32,
    /// A field about framing broke a rule and was read nevertheless, or another reader may take a fold for such a
    /// field.
    pub(crate) mended: bool,
    /// The violation for which a strict reader would refuse the head.
    pub(crate) tolerated: Option<Violation>,
}

/// The codings of all Transfer-Encoding fields of a head together.
///
/// This client sends no TE field, so a peer may only use `chunked` (RFC 9112, section 7.4). A lone `chunked` is
/// decoded. These lists are refused:
/// - a list with another coding (`gzip, chunked`), because this client does not decode it; a list without `chunked`
///   only if the response has a body;
/// - a list in which `chunked` is not last (section 6.1);
/// - `chunked` with parameters, because readers differ about it;
/// - the empty list.
///
/// A tolerant reader counts a repeated `chunked` once. It ignores `identity`, which RFC 7230 withdrew: such a response
/// is framed by its Content-Length, or by the end of the connection. A strict reader refuses both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TransferCoding {
    #[default]
    None,
    Chunked,
    /// Codings without `chunked`, which this client does not decode. Only a response without a body may have them.
    Other,
}

impl Facts {
    /// Returns whether a name of this length may state a fact. Nearly all fields end here, by two instructions.
    #[inline]
    fn may_note(name_len: usize) -> bool {
        const LENGTHS: u64 = 1 << 10 | 1 << 14 | 1 << 16 | 1 << 17;
        LENGTHS.wrapping_shr(name_len as u32) & 1 != 0
    }

    /// Takes the facts of one field.
    #[inline(never)]
    fn note(&mut self, name: &[u8], value: &[u8], strictness: Strictness) -> Result<(), Violation> {
        match name.len() {
            10 if is_name(name, b"connection") => self.note_connection(value),
            10 if is_name(name, b"keep-alive") => self.note_keep_alive(value),
            10 if is_name(name, b"set-cookie") => self.set_cookie = true,
            14 if is_name(name, b"content-length") => return self.note_content_length(value),
            16 if is_name(name, b"content-encoding") => self.content_encoding = true,
            17 if is_name(name, b"transfer-encoding") => {
                return self.note_transfer_encoding(value, strictness);
            }
            _ => {}
        }
        Ok(())
    }

    fn note_connection(&mut self, value: &[u8]) {
        for option in elements(value) {
            // Servers that close also send `close;`, `closed` and `"close"`. No other option begins like that.
            let bare = option.strip_prefix(b"\"").or(option.strip_prefix(b"'")).unwrap_or(option);
            self.close |= bare.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"close"));
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Ignores malformed parameters: the field is a hint, and no RFC in force defines it. The smaller of two values
    /// counts.
    fn note_keep_alive(&mut self, value: &[u8]) {
        for parameter in elements(value) {
            let mut halves = parameter.splitn(2, |&byte| byte == b'=').map(trim);
            let (Some(name), Some(number)) = (halves.next(), halves.next().and_then(decimal)) else { continue };
            let slot = match name {
                name if name.eq_ignore_ascii_case(b"timeout") => &mut self.keep_alive_timeout,
                name if name.eq_ignore_ascii_case(b"max") => &mut self.keep_alive_max,
                _ => continue,
            };
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            *slot = Some(slot.map_or(number, |before| before.min(number)));
        }
    }

    fn note_content_length(&mut self, value: &[u8]) -> Result<(), Violation> {
        match decimal(value) {
            Some(length) if self.content_length.is_none() => self.content_length = Some(length),
            _ => self.note_content_lengths(value)?,
        }
        Ok(())
    }

    /// Accepts the same number several times (RFC 9112, section 6.3).
    #[cold]
    fn note_content_lengths(&mut self, value: &[u8]) -> Result<(), Violation> {
        for element in elements(value) {
            let length = decimal(element).ok_or(Violation::ContentLength)?;
            if *self.content_length.get_or_insert(length) != length {
                return Err(Violation::ConflictingContentLength);
            }
        }
        Ok(())
    }

    fn note_transfer_encoding(&mut self, value: &[u8], strictness: Strictness) -> Result<(), Violation> {
        // A list may have empty elements (RFC 9110, section 5.6.1), but not only empty ones.
        if elements(value).all(<[u8]>::is_empty) {
            return Err(Violation::TransferEncoding);
        }
        for coding in elements(value).filter(|coding| !coding.is_empty()) {
            self.note_coding(coding, strictness)?;
        }
        Ok(())
    }

    fn note_coding(&mut self, coding: &[u8], strictness: Strictness) -> Result<(), Violation> {
        let name = trim(coding.split(|&byte| byte == b';').next().unwrap_or_default());
        let has_parameters = name.len() < coding.len();
        let is_identity = name.eq_ignore_ascii_case(b"identity");
        let is_chunked = name.eq_ignore_ascii_case(b"chunked");
        match self.transfer_coding {
            _ if has_parameters && (is_identity || is_chunked) => return Err(Violation::TransferEncoding),
            TransferCoding::None if is_identity => self.tolerate(Violation::TransferEncoding, strictness)?,
            TransferCoding::None if is_chunked => self.transfer_coding = TransferCoding::Chunked,
            TransferCoding::Chunked if is_chunked => self.tolerate(Violation::TransferEncoding, strictness)?,
            TransferCoding::None | TransferCoding::Other if !is_identity && !is_chunked => {
                self.transfer_coding = TransferCoding::Other;
            }
            _ => return Err(Violation::TransferEncoding),
        }
        Ok(())
    }

    /// Accepts a field about framing that breaks a rule; a strict reader refuses it.
    fn tolerate(&mut self, violation: Violation, strictness: Strictness) -> Result<(), Violation> {
        if strictness.is_strict() {
            return Err(violation);
        }
        self.mended = true;
        self.tolerated.get_or_insert(violation);
        Ok(())
    }
}

/// Returns whether a field name is `known`, which has lower-case letters and hyphens only. The length is compared with
/// that of `known` at compile time, so that the bytes are compared all at once.
#[inline]
fn is_name<const N: usize>(name: &[u8], known: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else { return false };
    // A byte of a name with this bit set is a letter in lower case, or was no letter of `known` before.
    let differs = name.iter().zip(known).fold(0, |differs, (byte, known)| differs | ((byte | 0x20) ^ known));
    differs == 0
}

fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim)
}

/// Reads a number of ASCII digits only; `str::parse` would accept a sign.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Reads a complete head, from its status line to its blank line. Returns the head and its length.
pub(crate) fn parse(head: &[u8], limits: &Limits, strictness: Strictness) -> Result<(Head, usize), Fault> {
    let fault = match read(head, limits, strictness) {
        Ok(Some(received)) => return Ok(received),
        Ok(None) => None,
        Err(Fault::Violation(violation)) if !strictness.is_strict() => Some(violation),
        Err(fault) => return Err(fault),
    };
    match fault {
        None | Some(Violation::FieldName | Violation::FieldValue) => {}
        Some(Violation::StatusLine) if begins_status_line(head, strictness) => {}
        Some(violation) => return Err(violation.into()),
    }
    read_mended(head, limits, strictness, fault)
}

/// Reads a head that has folds, or that a strict reader refuses.
#[cold]
fn read_mended(
    head: &[u8],
    limits: &Limits,
    strictness: Strictness,
    fault: Option<Violation>,
) -> Result<(Head, usize), Fault> {
    let mut lines = head.split_inclusive(|&byte| byte == b'\n');
    let mut status_line = lines.next().unwrap_or_default().to_vec();
    if let Some(minor @ b'2'..=b'9') = status_line.get_mut(MINOR) {
        *minor = b'1';
    }
    let mut len = status_line.len();
    let mut mender = Mender::new(strictness, fault.is_none(), status_line);
    for line in lines {
        len += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            mender.out.extend_from_slice(line);
            break;
        }
        mender.push(line)?;
    }
    let fault = fault.or(mender.fault);
    let received = read(&mender.out, limits, strictness)?;
    // The mender leaves no fold. With one, the head could not be read.
    let (mut head, _) = received.ok_or(Violation::FieldName)?;
    head.facts.bare_lf |= mender.bare_lf;
    head.facts.mended |= mender.mended;
    // The limit on fields is far below `u32::MAX`.
    head.facts.dropped_lines = u32::try_from(mender.dropped.lines).unwrap_or(u32::MAX);
    head.facts.tolerated = fault.or(head.facts.tolerated);
    head.dropped = (mender.dropped.lines > 0).then(|| Box::new(mender.dropped));
    Ok((head, len))
}

/// Reads a complete head in which each field is on one line. Returns `None` if a field is folded.
fn read(head: &[u8], limits: &Limits, strictness: Strictness) -> Result<Option<(Head, usize)>, Fault> {
    if head.len() > limits.head_bytes.min(Field::MAX_BUFFER) {
        return Err(Limit::HeadBytes.into());
    }
    // httparse would skip empty lines here. The exchange decides when one is allowed, because it knows the connection.
    if !head.starts_with(b"HTTP/") {
        return Err(Violation::StatusLine.into());
    }
    let mut stack = [const { MaybeUninit::uninit() }; SLOTS];
    let mut heap = Vec::new();
    let mut response = Response::new(&mut []);
    let slots = match stack.get_mut(..limits.head_fields) {
        Some(slots) => slots,
        None => {
            // As many slots as there are lines: memory follows the bytes that arrived.
            heap.resize_with(limits.head_fields.min(memchr::memchr_iter(b'\n', head).count()), MaybeUninit::uninit);
            &mut heap[..]
        }
    };
    let head = match ParserConfig::default().parse_response_with_uninit_headers(&mut response, head, slots) {
        Ok(Status::Complete(len)) => &head[..len],
        Ok(Status::Partial) => return Err(Violation::IncompleteHead.into()),
        Err(error) => return unless_folded(head, limits, error),
    };
    let mut facts = Facts { bare_lf: !head.ends_with(b"\r\n\r\n"), ..Facts::default() };
    let code = response.code.filter(|code| *code >= 100).ok_or(Violation::StatusCode)?;
    if code > 599 {
        // RFC 9110, section 15, treats such a code as a 5xx. Sites that refuse robots send 999.
        facts.tolerated = Some(Violation::StatusCode);
        if strictness.is_strict() {
            return Err(Violation::StatusCode.into());
        }
    }
    let status = StatusCode::from_u16(code).map_err(|_| Violation::StatusCode)?;
    let version = if response.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };

    let (mut bare_lf, mut refused) = (facts.bare_lf, Ok(()));
    let fields = response.headers.iter().map(|header| {
        let name = span(head, header.name.as_bytes());
        // httparse has checked that the line before this one ends in LF.
        bare_lf |= head.get((name.start as usize).wrapping_sub(2)) != Some(&b'\r');
        if Facts::may_note(header.name.len()) && refused.is_ok() {
            refused = facts.note(header.name.as_bytes(), header.value, strictness);
        }
        Field::new(name, span(head, header.value))
    });
    // The number of fields is known, so that the list does not look for room at each.
    let fields: Vec<Field> = fields.collect();
    facts.bare_lf = bare_lf;
    refused?;
    let reason = match response.reason {
        Some(reason) if !reason.is_empty() => span(head, reason.as_bytes()),
        _ => reason(head),
    };
    let reason = Reason::Received(reason);
    let len = head.len();
    let headers = Headers::from_parts(head.to_vec(), fields);
    Ok(Some((Head { version, status, reason, headers, facts, dropped: None }, len)))
}

/// Returns `None` for a head whose fields cannot be read because one is folded, and the refusal of any other head. Folds
/// are so rare that a second pass over the head for them costs less than a look for them in every head.
#[cold]
fn unless_folded(head: &[u8], limits: &Limits, error: httparse::Error) -> Result<Option<(Head, usize)>, Fault> {
    let mut config = ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    let mut slots = Vec::new();
    slots.resize_with(limits.head_fields.min(memchr::memchr_iter(b'\n', head).count()), MaybeUninit::uninit);
    match config.parse_response_with_uninit_headers(&mut Response::new(&mut []), head, &mut slots) {
        // A fold begins with white space, which no name may.
        Ok(Status::Complete(_)) if error == httparse::Error::HeaderName => Ok(None),
        Ok(Status::Complete(_)) => Err(refusal(error)),
        Ok(Status::Partial) => Err(Violation::IncompleteHead.into()),
        Err(error) => Err(refusal(error)),
    }
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

/// Returns the position of `part` in `head`, of which it is a slice.
fn span(head: &[u8], part: &[u8]) -> Span {
    let start = part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
    debug_assert!(start.checked_add(part.len()).is_some_and(|end| end <= head.len()));
    Span { start: start as u32, len: part.len() as u32 }
}

/// Returns the reason phrase as it arrived. httparse does not return one that is not ASCII.
fn reason(head: &[u8]) -> Span {
    let line = &head[..memchr::memchr(b'\n', head).unwrap_or(head.len())];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    span(head, line.get("HTTP/1.1 200 ".len()..).unwrap_or(&line[line.len()..]))
}

#[cfg(test)]
mod tests;

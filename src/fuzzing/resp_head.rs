//! Response heads: the same at every split, within the limits, and what httparse makes of them. A tolerant reader differs
//! only where a strict one refuses, and loses nothing about framing.

use httparse::{ParserConfig, Response, Status};

use super::Limits;
use super::input::{Input, pieces};
use crate::error::{Limit, Violation};
use crate::h1::{Fault, Head, Scanner};
use crate::headers::{is_token_byte, is_value_byte, trim};
use crate::strictness::Strictness::{self, Strict, Tolerant};

/// More than any head may have, so that it is our limit that is reached.
const SLOTS: usize = 300;

type Field = (Vec<u8>, Vec<u8>);

/// All that a head says.
#[derive(Debug, PartialEq)]
struct Seen {
    len: usize,
    version: u8,
    status: u16,
    reason: String,
    fields: Vec<Field>,
    dropped: usize,
    tolerated: bool,
}

pub fn resp_head(data: &[u8]) {
    let mut input = Input::new(data);
    let narrow = input.flag();
    let splits = input.bytes(8);
    let head = input.rest();
    let limits = if narrow { tight() } else { Limits::default() };
    let [strict, tolerant] = [Strict, Tolerant].map(|strictness| {
        let whole = receive(std::iter::once(head), &limits, strictness);
        assert_eq!(receive(pieces(head, splits), &limits, strictness), whole, "split by {splits:?}");
        assert_eq!(receive(head.chunks(1), &limits, strictness), whole, "byte by byte");
        whole
    });
    if !narrow {
        let theirs = httparse(head);
        let why = divergence(head, &strict, &theirs);
        assert!(why.is_some() || agree(&strict, &theirs), "{strict:?} but {theirs:?}");
    }
    match (&strict, &tolerant) {
        (Ok(Some(_)), _) => assert_eq!(tolerant, strict, "what is strictly right"),
        (_, Ok(Some(seen))) => {
            assert!(seen.tolerated && strict.is_err(), "{seen:?} and {strict:?}");
            nothing_about_framing_is_lost(&head[..seen.len], seen);
        }
        (Err(Fault::Limit(_)), _) => assert_eq!(tolerant, strict, "a limit is a limit"),
        _ => {}
    }
}

/// Each line is a field, continues one, or is counted as left out; those that may be about framing are fields.
fn nothing_about_framing_is_lost(head: &[u8], seen: &Seen) {
    let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.next();
    let lines: Vec<&[u8]> = lines.take_while(|line| !line.is_empty()).collect();
    assert!(lines.iter().all(|line| !line.contains(&b'\r') && !line.contains(&0)), "a lone CR or NUL");
    let begun = lines.iter().position(|line| !is_fold(line)).unwrap_or(lines.len());
    let own = lines.iter().enumerate().filter(|(at, line)| *at < begun || !is_fold(line)).map(|(_, line)| *line);
    let name = |line: &[u8]| -> Vec<u8> {
        line.split(|&byte| byte == b':').next().unwrap_or_default().iter().copied().filter(is_token).collect()
    };
    let about_framing = |name: &[u8]| FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing));
    assert_eq!(own.clone().count(), seen.fields.len() + seen.dropped, "{seen:?}");
    let sent = own.filter(|line| about_framing(&name(line))).count();
    assert_eq!(sent, seen.fields.iter().filter(|(name, _)| about_framing(name)).count(), "{seen:?}");
}

const FRAMING: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"connection"];

fn is_fold(line: &[u8]) -> bool {
    matches!(line, [b' ' | b'\t', ..])
}

fn is_token(byte: &u8) -> bool {
    is_token_byte(*byte)
}

fn tight() -> Limits {
    Limits { head_bytes: 96, status_line_bytes: 32, line_bytes: 24, head_fields: 3, ..Limits::default() }
}

fn receive<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    limits: &Limits,
    strictness: Strictness,
) -> Result<Option<Seen>, Fault> {
    let mut scanner = Scanner::new();
    let mut buf = Vec::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        let Some((head, len)) = scanner.receive(&buf, limits, strictness)? else {
            assert!(is_within(&buf, limits), "waits beyond a limit");
            continue;
        };
        assert!(len <= limits.head_bytes.min(buf.len()));
        return Ok(Some(seen(&head, len, limits)));
    }
    Ok(None)
}

/// What has come may still become a head.
fn is_within(buf: &[u8], limits: &Limits) -> bool {
    let mut lines = buf.split_inclusive(|&byte| byte == b'\n');
    let status_line = lines.next().unwrap_or_default();
    let mut begun = false;
    let (fields, folds): (Vec<&[u8]>, Vec<_>) = lines.partition(|line| {
        begun |= !is_fold(line);
        let is_blank = b"\r\n".contains(&line[0]);
        !is_blank && (!begun || !is_fold(line))
    });
    buf.len() <= limits.head_bytes
        && status_line.len() <= limits.status_line_bytes
        && fields.iter().chain(&folds).all(|line| line.len() <= limits.line_bytes)
        && fields.len() <= limits.head_fields
}

fn seen(head: &Head, len: usize, limits: &Limits) -> Seen {
    assert!(head.headers.len() <= limits.head_fields);
    for field in head.headers.iter() {
        assert!(!field.name().is_empty() && field.name().bytes().all(is_token_byte), "{field:?}");
        assert!(field.bytes().iter().all(|&byte| is_value_byte(byte)), "{field:?}");
        assert_eq!(trim(field.bytes()), field.bytes(), "{field:?}");
    }
    Seen {
        len,
        version: u8::from(head.version == http::Version::HTTP_11),
        status: head.status.as_u16(),
        reason: head.reason().to_owned(),
        fields: head.headers.iter().map(|field| (field.name().as_bytes().to_vec(), field.bytes().to_vec())).collect(),
        dropped: head.facts.dropped_lines as usize,
        tolerated: head.facts.tolerated.is_some(),
    }
}

/// The head as httparse reads it, with one space for each fold (RFC 9112, section 5.2).
fn httparse(bytes: &[u8]) -> Result<Option<Seen>, httparse::Error> {
    let mut slots = [httparse::EMPTY_HEADER; SLOTS];
    let mut response = Response::new(&mut slots);
    let mut config = ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    let Status::Complete(len) = config.parse_response(&mut response, bytes)? else { return Ok(None) };
    let unfolded = |value: &[u8]| -> Vec<u8> {
        let lines = value.split(|byte| b"\r\n".contains(byte)).map(trim);
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(&b' ')
    };
    let fields = response.headers.iter().map(|field| (field.name.as_bytes().to_vec(), unfolded(field.value))).collect();
    Ok(Some(Seen {
        len,
        version: response.version.unwrap_or_default(),
        status: response.code.unwrap_or_default(),
        reason: response.reason.unwrap_or_default().to_owned(),
        fields,
        dropped: 0,
        tolerated: false,
    }))
}

fn agree(ours: &Result<Option<Seen>, Fault>, theirs: &Result<Option<Seen>, httparse::Error>) -> bool {
    match (ours, theirs) {
        (Ok(Some(ours)), Ok(Some(theirs))) => {
            // httparse withholds a reason phrase that is not ASCII.
            let reason = theirs.reason.is_empty() || ours.reason == theirs.reason;
            reason
                && (ours.len, ours.version, ours.status) == (theirs.len, theirs.version, theirs.status)
                && ours.fields == theirs.fields
        }
        (Ok(None), Ok(None)) | (Err(_), Err(_)) => true,
        _ => false,
    }
}

/// Every class of disagreement with httparse, and why we differ (row A5.17).
fn divergence(
    head: &[u8],
    ours: &Result<Option<Seen>, Fault>,
    theirs: &Result<Option<Seen>, httparse::Error>,
) -> Option<&'static str> {
    let refused = match ours {
        // A head is parsed once it is all there; what is wrong in its middle is told at its end.
        Ok(None) if theirs.is_err() => return Some("looked at when it is complete"),
        Ok(_) => return None,
        Err(fault) => *fault,
    };
    match refused {
        Fault::Violation(Violation::StatusLine) if head.starts_with(b"\r") || head.starts_with(b"\n") => {
            Some("an empty line in front belongs to no response; the exchange knows where one is tolerated")
        }
        Fault::Violation(Violation::StatusCode) if theirs.as_ref().is_ok_and(is_outside) => {
            Some("RFC 9110, section 15: a status code is between 100 and 599")
        }
        Fault::Violation(Violation::FoldedFraming) if memchr::memmem::find(head, b"\n").is_some() => {
            Some("RFC 9112, section 5.2, lets a fold be refused; where it decides on framing, peers differ on it")
        }
        Fault::Violation(
            Violation::ContentLength | Violation::ConflictingContentLength | Violation::TransferEncoding,
        ) if theirs.is_ok() => Some("httparse does not look at what fields mean (RFC 9112, section 6)"),
        Fault::Limit(Limit::HeadFields | Limit::LineBytes | Limit::HeadBytes) => reaches_limit(head),
        _ => None,
    }
}

fn is_outside(theirs: &Option<Seen>) -> bool {
    theirs.as_ref().is_some_and(|theirs| !(100..600).contains(&theirs.status))
}

/// A limit speaks only where something is as large as that.
fn reaches_limit(head: &[u8]) -> Option<&'static str> {
    let limits = Limits::default();
    let mut lines = head.split_inclusive(|&byte| byte == b'\n');
    let status_line = lines.next().is_some_and(|line| line.len() > limits.status_line_bytes);
    let line = head.split_inclusive(|&byte| byte == b'\n').any(|line| line.len() > limits.line_bytes);
    let fields = head.iter().filter(|&&byte| byte == b'\n').count() > limits.head_fields;
    (status_line || line || fields || head.len() > limits.head_bytes).then_some("httparse has no limits on bytes")
}

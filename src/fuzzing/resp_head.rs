//! Response heads: the same at every split, within the limits, and what httparse makes of them.

use httparse::{ParserConfig, Response, Status};

use super::Limits;
use super::input::{Input, pieces};
use crate::error::{Limit, Violation};
use crate::h1::{Fault, Head, Scanner};
use crate::headers::{is_token_byte, is_value_byte, trim};

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
}

pub fn resp_head(data: &[u8]) {
    let mut input = Input::new(data);
    let narrow = input.flag();
    let splits = input.bytes(8);
    let head = input.rest();
    let limits = if narrow { tight() } else { Limits::default() };
    let whole = receive(std::iter::once(head), &limits);
    assert_eq!(receive(pieces(head, splits), &limits), whole, "split by {splits:?}");
    assert_eq!(receive(head.chunks(1), &limits), whole, "byte by byte");
    if !narrow {
        let theirs = httparse(head);
        let why = divergence(head, &whole, &theirs);
        assert!(why.is_some() || agree(&whole, &theirs), "{whole:?} but {theirs:?}");
    }
}

fn tight() -> Limits {
    Limits { head_bytes: 96, status_line_bytes: 32, line_bytes: 24, head_fields: 3, ..Limits::default() }
}

fn receive<'a>(pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Result<Option<Seen>, Fault> {
    let mut scanner = Scanner::new();
    let mut buf = Vec::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        let Some((head, len)) = scanner.receive(&buf, limits)? else {
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
    let (fields, folds): (Vec<&[u8]>, Vec<_>) = lines.partition(|line| !b"\r\n \t".contains(&line[0]));
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
    }
}

/// The head as httparse reads it, with the line ends of folds as the spaces that RFC 9112, section 5.2, has there.
fn httparse(bytes: &[u8]) -> Result<Option<Seen>, httparse::Error> {
    let mut slots = [httparse::EMPTY_HEADER; SLOTS];
    let mut response = Response::new(&mut slots);
    let mut config = ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    let Status::Complete(len) = config.parse_response(&mut response, bytes)? else { return Ok(None) };
    let unfolded = |value: &[u8]| -> Vec<u8> {
        let spaced: Vec<u8> = value.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte }).collect();
        trim(&spaced).to_vec()
    };
    let fields = response.headers.iter().map(|field| (field.name.as_bytes().to_vec(), unfolded(field.value))).collect();
    Ok(Some(Seen {
        len,
        version: response.version.unwrap_or_default(),
        status: response.code.unwrap_or_default(),
        reason: response.reason.unwrap_or_default().to_owned(),
        fields,
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

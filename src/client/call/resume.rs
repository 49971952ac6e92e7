//! Decides what the answer to a request for the rest of a file is: the rest, the whole, or neither.
//!
//! Servers get this wrong in every way: they send the rest with a 200, the whole with a 206, a part that was not asked
//! for, or the rest of another version. If an answer is not certain, the file is asked for again without a range.

use http::StatusCode;

use crate::date;
use crate::headers::Headers;
use crate::response::Response;
use crate::urls::Url;

/// The age in seconds from which a Last-Modified is a strong validator. A younger one may belong to two versions of one
/// second (RFC 9110, section 8.8.2.2).
const STRONG_AFTER: i64 = 60;

/// The facts about the file on the server that later answers are compared with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RemoteFile {
    /// The URL after all redirects. A validator tells only versions of one resource apart.
    pub(super) url: Option<Url>,
    /// The validator for `If-Range`.
    pub(super) validator: Option<Vec<u8>>,
    /// The length of the file, if it is known.
    pub(super) length: Option<u64>,
}

/// The verdict on the answer to a request for a file or for its rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The bytes that follow those in the file.
    Rest(Part),
    /// The whole file, from its start.
    Whole,
    /// A part that does not continue the file, or no part at all. The whole is asked for at once.
    AskForWhole,
    /// A 200 that may be a part. The whole is asked for, as a retry.
    RetryForWhole,
}

/// The facts that a response states about its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    status: StatusCode,
    /// The range of the Content-Range field.
    part: Option<Part>,
    /// The value of the Content-Length field.
    length: Option<u64>,
    version: Comparison,
}

/// The result of comparing the validator of an answer with that of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    /// The validators are equal.
    Same,
    /// The answer has no validator, and that of the file is a date, which a 206 need not repeat (RFC 9110,
    /// section 15.3.7).
    Unsaid,
    /// The answer has no validator that can be compared.
    Unknown,
    /// A redirect led to another resource, or the answer is coded: neither validators nor lengths can be compared.
    Elsewhere,
    /// The validators differ.
    Changed,
}

/// Judges the answer to a download that has `done` bytes. `asked` says that the request was for the rest, by its range.
pub(super) fn judge(claim: Claim, remote: &RemoteFile, done: u64, asked: bool) -> Answer {
    let same = matches!(claim.version, Comparison::Same | Comparison::Unsaid);
    match claim.status {
        StatusCode::PARTIAL_CONTENT => match claim.part {
            Some(part) if done > 0 && same && part.continues(done, remote) => Answer::Rest(part),
            _ => Answer::AskForWhole,
        },
        StatusCode::RANGE_NOT_SATISFIABLE if done > 0 => Answer::AskForWhole,
        _ => judge_ok(claim, remote, done, asked),
    }
}

/// Judges a 200, or another success that is not a 206.
fn judge_ok(claim: Claim, remote: &RemoteFile, done: u64, asked: bool) -> Answer {
    let Some(part) = claim.part else {
        return if asked { judge_unmarked(claim, remote.length, done) } else { Answer::Whole };
    };
    let fits = claim.length.is_none_or(|length| length == part.end - part.start);
    match part.whole {
        // The whole as a range: some servers send a Content-Range with every answer.
        Some(whole) if claim.length == Some(whole) || fits && part.start == 0 && part.end == whole => Answer::Whole,
        // The same without the length of the whole. Such a range says no more than a Content-Length.
        None if fits && part.start == 0 => {
            let claim = Claim { part: None, length: Some(part.end), ..claim };
            judge_ok(claim, remote, done, asked)
        }
        _ if asked && fits && claim.version == Comparison::Same && part.continues(done, remote) => Answer::Rest(part),
        _ => Answer::RetryForWhole,
    }
}

/// Judges a 200 without Content-Range to a request for the rest.
fn judge_unmarked(claim: Claim, whole: Option<u64>, done: u64) -> Answer {
    let rest = whole.map(|whole| (done, whole)).filter(|(start, end)| start < end);
    let Some(length) = claim.length else { return Answer::RetryForWhole };
    match claim.version {
        // As long as the whole, and so longer than any part.
        Comparison::Same | Comparison::Unsaid | Comparison::Unknown if whole == Some(length) => Answer::Whole,
        // One version has one length, so this is a part. It is the rest if it is as long as the rest.
        Comparison::Same => match rest {
            Some((start, end)) if end - start == length => Answer::Rest(Part { start, end, whole }),
            _ => Answer::RetryForWhole,
        },
        // The condition of If-Range did not hold, so the server has to send the whole (RFC 9110, section 13.1.5).
        // Servers behind a load balancer may give one version two tags, so an answer as long as the rest is doubtful.
        Comparison::Changed if rest.is_none_or(|(start, end)| end - start != length) => Answer::Whole,
        Comparison::Changed | Comparison::Unsaid | Comparison::Unknown | Comparison::Elsewhere => Answer::RetryForWhole,
    }
}

impl RemoteFile {
    /// Returns the facts about the file that this response states.
    pub(super) fn of(response: &Response) -> RemoteFile {
        let headers = response.headers();
        // In a coded body it cannot be told whether a range counts coded or decoded bytes.
        let coded = headers.contains("content-encoding");
        let ranges = headers.get("accept-ranges").is_none_or(|unit| !unit.eq_ignore_ascii_case("none"));
        let validator = (ranges && !coded).then(|| strong_validator(headers)).flatten();
        let part = content_range(headers).filter(|_| !coded);
        let length = match response.status() {
            StatusCode::PARTIAL_CONTENT => part.and_then(|part| part.whole),
            // A response taken for the whole must end where its range ends.
            _ => response.content_length().or(part.map(|part| part.end)),
        };
        RemoteFile { url: Some(response.url().clone()), validator, length }
    }

    /// Returns the facts that the response states about its body.
    pub(super) fn claim(&self, response: &Response) -> Claim {
        let headers = response.headers();
        let version = match self.url.as_ref() {
            Some(url) if url != response.url() => Comparison::Elsewhere,
            // The length of a coded answer counts coded bytes.
            _ if headers.contains("content-encoding") => Comparison::Elsewhere,
            _ => compare(self.validator.as_deref(), headers),
        };
        Claim { status: response.status(), part: content_range(headers), length: response.content_length(), version }
    }
}

/// Compares the validator of the file with that of an answer.
fn compare(validator: Option<&[u8]>, headers: &Headers) -> Comparison {
    let Some(validator) = validator else { return Comparison::Unknown };
    match strong_validator(headers) {
        Some(other) if other == validator => Comparison::Same,
        // Two tags or two dates. A date cannot be compared with a tag.
        Some(other) if other.starts_with(b"\"") == validator.starts_with(b"\"") => Comparison::Changed,
        Some(_) => Comparison::Unknown,
        None if validator.starts_with(b"\"") || headers.contains("etag") || headers.contains("last-modified") => {
            Comparison::Unknown
        }
        None => Comparison::Unsaid,
    }
}

/// Returns a validator that no other version of the resource has: a strong entity tag, or a date that is old enough
/// (RFC 9110, section 13.1.5).
fn strong_validator(headers: &Headers) -> Option<Vec<u8>> {
    if let Some(tag) = headers.get_bytes("etag") {
        return (tag.starts_with(b"\"") && tag.len() > 1 && tag.ends_with(b"\"")).then(|| tag.to_vec());
    }
    let modified = headers.get_bytes("last-modified")?;
    let sent = date::parse(headers.get_bytes("date")?)?;
    (sent - date::parse(modified)? >= STRONG_AFTER).then(|| modified.to_vec())
}

/// A range of bytes, and the length of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    start: u64,
    /// One more than the position of the last byte.
    pub(super) end: u64,
    pub(super) whole: Option<u64>,
}

impl Part {
    /// Returns whether the part begins after `done` bytes of this file, and ends within it.
    fn continues(self, done: u64, remote: &RemoteFile) -> bool {
        let length = match (self.whole, remote.length) {
            (Some(one), Some(other)) => (one == other).then_some(one),
            (one, other) => one.or(other),
        };
        self.start == done && length.is_some_and(|length| self.end <= length)
    }
}

/// Returns the part that a Content-Range such as `bytes 5-9/10` names (RFC 9110, section 14.4).
fn content_range(headers: &Headers) -> Option<Part> {
    let value = headers.get("content-range")?.trim();
    let (unit, range) = value.split_once(' ')?;
    let (span, whole) = range.trim().split_once('/')?;
    let (start, end) = span.split_once('-')?;
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    let (start, end): (u64, u64) = (number(start)?, number(end)?);
    let whole = if whole == "*" { None } else { Some(number(whole)?) };
    let fits = unit.eq_ignore_ascii_case("bytes") && start <= end && whole.is_none_or(|whole| end < whole);
    fits.then_some(Part { start, end: end.checked_add(1)?, whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        fields.iter().for_each(|(name, value)| headers.append(name, value).unwrap());
        headers
    }

    #[test]
    fn parts() {
        let table = [
            ("bytes 5-9/10", Some((5, 10, Some(10)))),
            ("bytes 0-0/1", Some((0, 1, Some(1)))),
            ("BYTES 5-9/*", Some((5, 10, None))),
            ("bytes 0-18446744073709551615/*", None),
            ("bytes 5-9/9", None),
            ("bytes 9-5/10", None),
            ("bytes */10", None),
            ("bytes -5-9/10", None),
            ("bytes +5-9/10", None),
            ("bytes 5-9", None),
            ("lines 5-9/10", None),
            ("bytes 5-99999999999999999999/*", None),
            ("", None),
        ];
        for (value, expected) in table {
            let part = content_range(&headers(&[("Content-Range", value)]));
            assert_eq!(part.map(|part| (part.start, part.end, part.whole)), expected, "{value}");
        }
    }

    #[test]
    fn validators() {
        let date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let old = ("Last-Modified", "Sun, 06 Nov 1994 08:48:37 GMT");
        let young = ("Last-Modified", "Sun, 06 Nov 1994 08:48:38 GMT");
        type Row<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);
        let table: &[Row<'_>] = &[
            (&[("ETag", "\"a\"")], Some("\"a\"")),
            (&[("ETag", "\"\"")], Some("\"\"")),
            (&[("ETag", "W/\"a\"")], None),
            (&[("ETag", "\"")], None),
            (&[("ETag", "a")], None),
            // A weak tag says that there are versions which the date cannot tell apart either.
            (&[("ETag", "W/\"a\""), date, old], None),
            (&[date, old], Some(old.1)),
            (&[date, young], None),
            (&[old], None),
            (&[], None),
        ];
        for (fields, expected) in table {
            let validator = strong_validator(&headers(fields));
            assert_eq!(validator.as_deref(), expected.map(str::as_bytes), "{fields:?}");
        }
    }

    fn part(start: u64, end: u64, whole: impl Into<Option<u64>>) -> Part {
        Part { start, end, whole: whole.into() }
    }

    /// RW-02: a file of ten bytes, five of which are there.
    #[test]
    fn what_an_answer_is() {
        use Answer::{AskForWhole, Rest, RetryForWhole, Whole};
        use Comparison::{Changed, Elsewhere, Same, Unknown, Unsaid};
        let rest = part(5, 10, 10);
        type Row<'a> = (&'a str, u16, Option<Part>, Option<u64>, Comparison, Answer);
        let table: &[Row<'_>] = &[
            ("the rest", 206, Some(rest), Some(5), Same, Rest(rest)),
            ("the rest, of a dated file", 206, Some(rest), Some(5), Unsaid, Rest(rest)),
            ("the rest, of a length unsaid", 206, Some(part(5, 10, None)), None, Same, Rest(part(5, 10, None))),
            ("less than the rest", 206, Some(part(5, 8, 10)), Some(3), Same, Rest(part(5, 8, 10))),
            ("a part that begins before", 206, Some(part(4, 10, 10)), Some(6), Same, AskForWhole),
            ("the whole as a part", 206, Some(part(0, 10, 10)), Some(10), Same, AskForWhole),
            ("a part of something longer", 206, Some(part(5, 11, 11)), Some(6), Same, AskForWhole),
            ("a part beyond the end", 206, Some(part(5, 11, None)), Some(6), Same, AskForWhole),
            ("several parts, or one without a range", 206, None, Some(5), Same, AskForWhole),
            ("a part of another version", 206, Some(rest), Some(5), Changed, AskForWhole),
            ("a part of an unknown version", 206, Some(rest), Some(5), Unknown, AskForWhole),
            ("no such range", 416, None, Some(0), Unknown, AskForWhole),
            ("the whole", 200, None, Some(10), Same, Whole),
            ("the whole, without a validator", 200, None, Some(10), Unknown, Whole),
            ("as long as the whole, of another resource", 200, None, Some(10), Elsewhere, RetryForWhole),
            ("the rest of another resource", 206, Some(rest), Some(5), Elsewhere, AskForWhole),
            ("the whole of another resource, with its range", 200, Some(part(0, 9, 9)), Some(9), Elsewhere, Whole),
            ("the whole, of a dated file", 200, None, Some(10), Unsaid, Whole),
            ("the whole, with a range of its own", 200, Some(part(0, 10, 10)), Some(10), Same, Whole),
            ("the same, of a whole unsaid", 200, Some(part(0, 10, None)), None, Unknown, Whole),
            ("the start with its range", 200, Some(part(0, 5, 10)), Some(5), Same, RetryForWhole),
            ("the start, of a whole unsaid", 200, Some(part(0, 5, None)), None, Unknown, RetryForWhole),
            (
                "the range of the whole, and the length of the rest",
                200,
                Some(part(0, 10, 10)),
                Some(5),
                Same,
                RetryForWhole,
            ),
            ("a wrong range, and a right length", 200, Some(rest), Some(10), Same, Whole),
            ("another version, longer", 200, None, Some(15), Changed, Whole),
            ("another version, of the same length", 200, None, Some(10), Changed, Whole),
            ("a slice with its range", 200, Some(rest), Some(5), Same, Rest(rest)),
            ("a slice with its range, in chunks", 200, Some(rest), None, Same, Rest(rest)),
            ("a slice that begins elsewhere", 200, Some(part(4, 10, 10)), Some(6), Same, RetryForWhole),
            ("a slice of another length than its range", 200, Some(rest), Some(4), Same, RetryForWhole),
            ("a slice with its range, of another version", 200, Some(rest), Some(5), Changed, RetryForWhole),
            ("a slice with its range, of an unknown version", 200, Some(rest), Some(5), Unknown, RetryForWhole),
            ("a slice by its validator", 200, None, Some(5), Same, Rest(rest)),
            ("a slice by its validator, of another length", 200, None, Some(3), Same, RetryForWhole),
            ("as long as the rest, without a validator", 200, None, Some(5), Unknown, RetryForWhole),
            ("as long as the rest, of a dated file", 200, None, Some(5), Unsaid, RetryForWhole),
            ("as long as the rest, with another tag", 200, None, Some(5), Changed, RetryForWhole),
            ("no length", 200, None, None, Same, RetryForWhole),
            ("no length and another tag", 200, None, None, Changed, RetryForWhole),
            ("no length and no tag", 200, None, None, Unknown, RetryForWhole),
            ("another length, without a validator", 200, None, Some(7), Unknown, RetryForWhole),
        ];
        let remote = RemoteFile { length: Some(10), ..RemoteFile::default() };
        for &(row, status, part, length, version, expected) in table {
            let claim = Claim { status: StatusCode::from_u16(status).unwrap(), part, length, version };
            assert_eq!(judge(claim, &remote, 5, true), expected, "{row}");
            // Without a question for the rest a 200 is the whole, unless it says itself that it is not.
            let no_expect = match (status, part) {
                (206 | 416, _) => expected,
                (_, Some(Part { start: 0, whole: None, .. })) => Whole,
                (_, Some(_)) if expected != Whole => RetryForWhole,
                _ => Whole,
            };
            assert_eq!(judge(claim, &remote, 5, false), no_expect, "{row}, not asked for");
        }
        let unknown = RemoteFile::default();
        let claim = |length, version| Claim { status: StatusCode::OK, part: None, length, version };
        for (row, claim, expected) in [
            ("one version", claim(Some(5), Same), RetryForWhole),
            ("another version", claim(Some(5), Changed), Whole),
            ("an unknown version", claim(Some(5), Unknown), RetryForWhole),
        ] {
            assert_eq!(judge(claim, &unknown, 5, true), expected, "{row} of a file whose length is not known");
        }
        let first = Claim { status: StatusCode::PARTIAL_CONTENT, part: Some(part(0, 2, 10)), ..claim(None, Unknown) };
        assert_eq!(judge(first, &unknown, 0, false), AskForWhole, "a part of a file that was asked for as a whole");
    }

    #[test]
    fn versions() {
        let date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let old = "Sun, 06 Nov 1994 08:00:00 GMT";
        type Row<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)], Comparison);
        let table: &[Row<'_>] = &[
            (Some("\"a\""), &[("ETag", "\"a\"")], Comparison::Same),
            (Some("\"a\""), &[("ETag", "\"b\"")], Comparison::Changed),
            (Some("\"a\""), &[("ETag", "W/\"a\"")], Comparison::Unknown),
            (Some("\"a\""), &[], Comparison::Unknown),
            (Some("\"a\""), &[date, ("Last-Modified", old)], Comparison::Unknown),
            (Some(old), &[date, ("Last-Modified", old)], Comparison::Same),
            (Some(old), &[date, ("Last-Modified", "Sun, 06 Nov 1994 08:00:01 GMT")], Comparison::Changed),
            (Some(old), &[("Last-Modified", old)], Comparison::Unknown),
            (Some(old), &[], Comparison::Unsaid),
            (Some(old), &[("ETag", "\"a\"")], Comparison::Unknown),
            (None, &[("ETag", "\"a\"")], Comparison::Unknown),
        ];
        for (validator, fields, expected) in table {
            assert_eq!(compare(validator.map(str::as_bytes), &headers(fields)), *expected, "{validator:?} {fields:?}");
        }
    }
}

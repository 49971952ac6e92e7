//! Saving what a request gets, and going on where it broke off.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use http::{Method, StatusCode};

use super::builder::RequestBuilder;
use super::call;
use super::engine::Engine;
use super::policy::Policy;
use super::request::Request;
use super::tries::Later;
use crate::date;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::headers::Headers;
use crate::response::{Partial, Response};
use crate::retry::{self, Retry};
use crate::time::Deadline;
use crate::url::Url;

/// A date that is no older than this when it is sent may belong to two versions of one second
/// (RFC 9110, section 8.8.2.2).
const STRONG_AFTER: i64 = 60;

impl RequestBuilder {
    /// Sends a `GET` and saves the body as a file, as [`save_to`](crate::Response::save_to) does; says how many bytes
    /// that were.
    ///
    /// A download that breaks off goes on where it was, if there are [retries](Self::retries) for it: the rest is asked
    /// for by its range, on condition that the file on the server is still the same (`Range` and `If-Range`, RFC 9110,
    /// sections 14.2 and 13.1.5). Where that cannot be told, or the server sends all of it, it begins anew. Each such
    /// try counts as one of the kind [`read`](crate::Retry::read). The body is asked for without a content coding, and
    /// one that is coded all the same is saved as it came.
    ///
    /// A status from 400 is an error; the file at `path` stays as it was then, as with any other. Errors as
    /// [`send`](Self::send) and `save_to` do, and if the request is no `GET`, has a body or asks for a range itself.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("hello.txt");
    /// use hostpool::Session;
    ///
    /// let length = Session::new().get(&url).retries(5).download(&path)?;
    /// assert_eq!(length, 5);
    /// # assert_eq!(std::fs::read(&path).unwrap(), b"hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn download(self, path: impl AsRef<Path>) -> Result<u64> {
        let RequestBuilder { engine, policy, request } = self;
        let mut request = request?;
        let deadline = call::begin(&mut request, &policy)?;
        Download::new(&engine, &policy, request, deadline)?.run(path.as_ref())
    }
}

struct Download<'a> {
    engine: &'a Arc<Engine>,
    policy: &'a Policy,
    request: Request,
    deadline: Deadline,
    retry: Option<Retry>,
    /// A server has answered.
    began: bool,
    /// Bytes that are in the file.
    done: u64,
    source: Source,
}

/// What is being downloaded, as far as it matters for going on.
#[derive(Debug, Default, PartialEq, Eq)]
struct Source {
    /// Where it was, behind all redirects: a validator tells versions of one resource apart.
    url: Option<Url>,
    /// What `If-Range` can hold it to.
    validator: Option<Vec<u8>>,
    /// Its length, where it is known.
    length: Option<u64>,
}

impl<'a> Download<'a> {
    fn new(engine: &'a Arc<Engine>, policy: &'a Policy, mut request: Request, deadline: Deadline) -> Result<Self> {
        if request.method != Method::GET || !request.body.is_empty() {
            return Err(Error::request("a download is a GET without a body"));
        }
        if request.headers.contains("range") || request.headers.contains("if-range") {
            return Err(Error::request("a download asks for ranges by itself"));
        }
        if request.decode_content.is_none() {
            request.decode_content = Some(false);
        }
        (request.preload, request.release) = (false, false);
        request.options_mut().raise = Some(false);
        let retry = request.options().and_then(|options| options.retry.clone()).or_else(|| policy.retry.clone());
        Ok(Download { engine, policy, request, deadline, retry, began: false, done: 0, source: Source::default() })
    }

    fn run(mut self, path: &Path) -> Result<u64> {
        let (partial, mut file) = Partial::create(path).map_err(|error| self.output(error))?;
        while let Err(error) = self.fetch(&mut file) {
            self.again_after(error).map_err(|error| self.explain(error))?;
        }
        drop(file);
        partial.complete(path).map_err(|error| self.output(error))?;
        Ok(self.done)
    }

    /// The whole, or what is missing of it.
    fn fetch(&mut self, file: &mut File) -> Result<()> {
        let mut response = self.ask()?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && self.done > 0 {
            // It is shorter now, and so another.
            response.release();
            self.begin_anew(file)?;
            response = self.ask()?;
        }
        let resumes = self.done > 0;
        let mut response = expected(response, resumes)?;
        if !self.goes_on(&response) {
            self.begin_anew(file)?;
            if response.status() == StatusCode::PARTIAL_CONTENT {
                response.release();
                response = expected(self.ask()?, resumes)?;
                // A part that nobody asked for.
                if response.status() == StatusCode::PARTIAL_CONTENT {
                    return Err(response.into_error(ErrorKind::Status(StatusCode::PARTIAL_CONTENT)));
                }
            }
            self.source = Source::of(&response);
        }
        let (before, part) = (self.done, content_range(response.headers()));
        let part = part.filter(|_| response.status() == StatusCode::PARTIAL_CONTENT);
        self.source.length = self.source.length.or(part.and_then(|part| part.whole));
        let done = &mut self.done;
        response.copy_to_with(file, |now, _| *done = before + now)?;
        match part {
            // What its head and its body disagree on is worth nothing.
            Some(Part { end, .. }) if self.done != end => self.source = Source::default(),
            // A server may give less than it was asked for (RFC 9110, section 15.3.7).
            Some(Part { whole, .. }) if whole.or(self.source.length).is_some_and(|whole| self.done < whole) => {}
            _ => return Ok(()),
        }
        let kind = ErrorKind::IncompleteBody { received: self.done, expected: self.source.length };
        Err(Error::new(kind, Phase::Body).with_maybe_processed(true).with_origin(self.request.url.shared_origin()))
    }

    fn ask(&mut self) -> Result<Response> {
        let mut request = self.request.try_clone().ok_or_else(|| Error::request("a download has no body"))?;
        if let (true, Some(validator)) = (self.done > 0, &self.source.validator) {
            request.headers.append("Range", &format!("bytes={}-", self.done))?;
            request.headers.append_bytes("If-Range", validator)?;
        }
        request.options_mut().retry = self.retry.clone();
        let response = call::send(self.engine, self.policy, request, self.deadline)?;
        self.began = true;
        if let Some(retry) = response.retries() {
            // Redirects are no tries of the download.
            self.retry = Some(retry.without_redirects(self.retry.as_ref()));
        }
        Ok(response)
    }

    /// Whether this is the rest of what is in the file.
    fn goes_on(&self, response: &Response) -> bool {
        response.status() == StatusCode::PARTIAL_CONTENT
            && self.done > 0
            && content_range(response.headers()).is_some_and(|Part { start, end, whole }| {
                let length = match (whole, self.source.length) {
                    (Some(one), Some(other)) => (one == other).then_some(one),
                    (one, other) => one.or(other),
                };
                start == self.done && length.is_some_and(|length| end <= length)
            })
            && self.source.is_of(response)
    }

    fn begin_anew(&mut self, file: &mut File) -> Result<()> {
        (self.done, self.source) = (0, Source::default());
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(|error| self.output(error))?;
        Ok(())
    }

    fn again_after(&mut self, error: Error) -> Result<()> {
        // What failed before the body has had its tries.
        if error.phase() != Phase::Body || retry::asks_for_method(&error).is_none() {
            return Err(error);
        }
        let Some(retry) = self.retry.as_ref().filter(|retry| retry.allows(&Method::GET)) else { return Err(error) };
        let later = Later::after_error(retry, &self.request.method, &self.request.url, &error);
        if later.is_too_late(self.deadline) || !later.takes_from_budget() {
            return Err(error.with_retries(later.retry.history().to_vec()));
        }
        later.announce(self.engine, &self.request);
        let Later { retry, wait } = later;
        self.retry = Some(retry.waiting(wait));
        self.engine.pause(&self.policy.reach, wait)
    }

    /// The error that ends the download, with what was tried before.
    fn explain(&self, error: Error) -> Error {
        let tried = self.retry.as_ref().map_or(&[][..], Retry::history);
        let error = if error.retries().is_empty() { error.with_retries(tried.to_vec()) } else { error };
        if self.began { error.with_maybe_processed(true) } else { error }
    }

    fn output(&self, error: io::Error) -> Error {
        Error::new(ErrorKind::Output, Phase::Body)
            .with_source(error)
            .with_maybe_processed(true)
            .with_origin(self.request.url.shared_origin())
    }
}

impl Source {
    fn of(response: &Response) -> Source {
        let headers = response.headers();
        // A part of what is coded cannot be told from a part of what it stands for.
        let coded = headers.contains("content-encoding");
        let ranges = headers.get("accept-ranges").is_none_or(|unit| !unit.eq_ignore_ascii_case("none"));
        let validator = (ranges && !coded).then(|| strong_validator(headers)).flatten();
        let length = match response.status() {
            StatusCode::PARTIAL_CONTENT => content_range(headers).and_then(|part| part.whole),
            _ => response.content_length(),
        };
        Source { url: Some(response.url().clone()), validator, length }
    }

    /// Whether a part that was asked for by the validator is one of this. A date need not be repeated there
    /// (RFC 9110, section 15.3.7), a tag has to be.
    fn is_of(&self, response: &Response) -> bool {
        let Some(validator) = &self.validator else { return false };
        let headers = response.headers();
        let says = strong_validator(headers);
        let silent = !validator.starts_with(b"\"") && !headers.contains("etag") && !headers.contains("last-modified");
        let same = silent || says.as_ref() == Some(validator);
        same && !headers.contains("content-encoding") && self.url.as_ref() == Some(response.url())
    }
}

/// Errors have no file in them. What answers a question for the rest is the rest or the whole.
fn expected(response: Response, resumes: bool) -> Result<Response> {
    let status = response.status();
    let is_file = if resumes { [200, 206].contains(&status.as_u16()) } else { status.is_success() };
    if is_file { Ok(response) } else { Err(response.into_error(ErrorKind::Status(status))) }
}

/// What tells this version of a thing from every other: a strong entity tag, or a date that is old enough
/// (RFC 9110, section 13.1.5).
fn strong_validator(headers: &Headers) -> Option<Vec<u8>> {
    if let Some(tag) = headers.get_bytes("etag") {
        return (tag.starts_with(b"\"") && tag.len() > 1 && tag.ends_with(b"\"")).then(|| tag.to_vec());
    }
    let modified = headers.get_bytes("last-modified")?;
    let sent = date::parse(headers.get_bytes("date")?)?;
    (sent - date::parse(modified)? >= STRONG_AFTER).then(|| modified.to_vec())
}

/// Which bytes of the whole a part has, and how long that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    start: u64,
    /// Behind the last.
    end: u64,
    whole: Option<u64>,
}

/// The part that `bytes 5-9/10` names (RFC 9110, section 14.4).
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
}

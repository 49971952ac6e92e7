//! Saves the body of a response as a file, and continues after an interruption.

use std::io;
use std::path::Path;

use http::{Method, StatusCode};

use super::resume::{self, Answer, Part, RemoteFile};
use super::send::send;
use super::tries::NextTry;
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::files::Partial;
use crate::response::Response;
use crate::retry::{self, Retry};

/// Sends a GET, saves the body as a file, and returns its length in bytes.
pub(in crate::client) fn download(
    terms: Terms<'_>,
    request: &mut Request,
    path: &Path,
    progress: Progress<'_>,
) -> Result<u64> {
    Download::new(terms, request)?.run(path, progress)
}

/// Takes the number of bytes in the file, and how many there will be, if that is known.
type Progress<'a> = &'a mut dyn FnMut(u64, Option<u64>);

/// Holds the state of one download, which may take several calls.
struct Download<'a> {
    client: Terms<'a>,
    request: &'a mut Request,
    retry: Option<Retry>,
    /// Whether a server has answered.
    began: bool,
    /// The number of bytes in the file.
    done: u64,
    /// The facts about the file on the server.
    remote: RemoteFile,
}

impl<'a> Download<'a> {
    fn new(terms: Terms<'a>, request: &'a mut Request) -> Result<Self> {
        if request.method != Method::GET || !request.body.is_empty() {
            return Err(Error::request("a download is a GET without a body"));
        }
        if request.headers.contains("range") || request.headers.contains("if-range") {
            return Err(Error::request("a download asks for ranges by itself"));
        }
        (request.preload, request.release) = (false, false);
        let own = request.options_mut();
        own.decode_content.get_or_insert(false);
        own.raise = Some(false);
        let retry = terms.of(request.options()).retry().cloned();
        Ok(Download { client: terms, request, retry, began: false, done: 0, remote: RemoteFile::default() })
    }

    fn run(mut self, path: &Path, progress: Progress<'_>) -> Result<u64> {
        let mut file = Partial::create(path, None)
            .map_err(|error| self.output(error).with_phase(Phase::Prepare).with_maybe_processed(false))?;
        while let Err(error) = self.fetch(&mut file, progress) {
            self.again_after(error).map_err(|error| self.explain(error))?;
        }
        file.complete().map_err(|error| self.output(error))?;
        Ok(self.done)
    }

    /// Receives the whole file, or the part that is missing.
    fn fetch(&mut self, file: &mut Partial, progress: Progress<'_>) -> Result<()> {
        let (mut response, mut answer) = self.ask()?;
        if answer == Answer::AskForWhole {
            response.throw_away();
            self.begin_anew(file)?;
            (response, answer) = self.ask()?;
        }
        let part = match answer {
            Answer::Rest(part) => Some(part),
            Answer::Whole => {
                self.begin_anew(file)?;
                self.remote = RemoteFile::of(&response);
                None
            }
            // The whole was asked for and a part came, so the server has nothing else to give.
            Answer::AskForWhole => return Err(response.into_error(ErrorKind::Status(StatusCode::PARTIAL_CONTENT))),
            Answer::RetryForWhole => {
                // Without a validator the next try asks for the whole.
                self.remote.validator = None;
                response.throw_away();
                return Err(self.incomplete().because("the server may have sent a part of the file as the whole"));
            }
        };
        self.remote.length = self.remote.length.or(part.and_then(|part| part.whole));
        // The reader of the body has already checked a Content-Length. If the body is decoded, the field counts coded
        // bytes.
        let whole = self.remote.length.filter(|_| response.content_length().is_none());
        let end = part.map(|part| part.end).or(whole);
        let (before, done) = (self.done, &mut self.done);
        let length = self.remote.length;
        let copied = response.copy_to_with(file, |now, left| {
            *done = before + now;
            // A part may be shorter than the rest. In a whole, `length` may count coded bytes that are decoded.
            let total = match part {
                Some(part) => part.whole.or(length),
                None => left.or(whole),
            };
            progress(*done, total);
        });
        if end.is_some_and(|end| self.done > end || copied.is_ok() && self.done < end) {
            // The head and the body contradict each other, so nothing in the head is trusted.
            self.remote = RemoteFile::default();
            return Err(copied.err().unwrap_or_else(|| self.incomplete()));
        }
        copied?;
        match part {
            // A server may send less than was asked for (RFC 9110, section 15.3.7).
            Some(Part { whole, .. }) if whole.or(self.remote.length).is_some_and(|whole| self.done < whole) => {
                Err(self.incomplete())
            }
            _ => Ok(()),
        }
    }

    /// Asks for the rest if some bytes are there and their version is known, otherwise for the whole.
    fn ask(&mut self) -> Result<(Response, Answer)> {
        let mut request = self.request.try_clone().ok_or_else(|| Error::request("a download has no body"))?;
        let validator = self.remote.validator.as_deref().filter(|_| self.done > 0);
        let asked = validator.is_some();
        if let Some(validator) = validator {
            request.headers.append("Range", format!("bytes={}-", self.done))?;
            request.headers.append("If-Range", validator)?;
        }
        request.options_mut().retry = self.retry.clone();
        let response = send(self.client, &mut request)?;
        self.began = true;
        if let Some(retry) = response.retries() {
            // Redirects do not count as tries of the download.
            self.retry = Some(retry.without_redirects(self.retry.as_ref()));
        }
        let answer = resume::judge(self.remote.claim(&response), &self.remote, self.done, asked);
        let response = if answer == Answer::AskForWhole { response } else { expected(response, self.done > 0)? };
        Ok((response, answer))
    }

    /// Empties the file, and forgets the facts about it.
    fn begin_anew(&mut self, file: &mut Partial) -> Result<()> {
        let done = std::mem::take(&mut self.done);
        self.remote = RemoteFile::default();
        match done {
            0 => Ok(()),
            _ => file.begin_anew().map_err(|error| self.output(error)),
        }
    }

    /// Returns the error of a body that broke off.
    fn incomplete(&self) -> Error {
        let kind = ErrorKind::IncompleteBody { received: self.done, expected: self.remote.length };
        Error::new(kind, Phase::Body).with_maybe_processed(true)
    }

    /// Waits for the next try after a failure, or returns the error.
    fn again_after(&mut self, error: Error) -> Result<()> {
        // A failure before the body has already been tried again by its call.
        if error.phase() != Phase::Body || retry::depends_on_method(&error).is_none() {
            return Err(error);
        }
        let Some(retry) = self.retry.as_ref().filter(|retry| retry.allows(&Method::GET)) else { return Err(error) };
        let later = NextTry::after_error(retry, &self.request.method, &self.request.url, &error);
        if later.is_too_late(self.client.until) || !later.takes_from_budget() {
            return Err(error.with_retries(later.retry.history().to_vec()));
        }
        later.announce(&self.client.engine.observer, self.request);
        let NextTry { retry, wait } = later;
        self.retry = Some(retry.waiting(wait));
        self.client.pause(wait)
    }

    /// Adds the earlier tries to the error that ends the download.
    fn explain(&self, error: Error) -> Error {
        let tried = self.retry.as_ref().map_or(&[][..], Retry::history);
        let error = if error.retries().is_empty() { error.with_retries(tried.to_vec()) } else { error };
        if self.began { error.with_maybe_processed(true) } else { error }
    }

    /// Returns the error of a file that cannot be written.
    fn output(&self, error: io::Error) -> Error {
        Error::new(ErrorKind::Output, Phase::Body).with_source(error).with_maybe_processed(true)
    }
}

/// Returns the response, or an error if its status brings no file. Only a 200 or 206 may answer a request for the rest.
fn expected(response: Response, resumes: bool) -> Result<Response> {
    let status = response.status();
    let is_file = if resumes { [200, 206].contains(&status.as_u16()) } else { status.is_success() };
    match response.lacks_content() {
        None if is_file => Ok(response),
        reason => Err(response.into_error(reason.unwrap_or(ErrorKind::Status(status).into()))),
    }
}

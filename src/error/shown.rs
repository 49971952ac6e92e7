//! The text of errors. It is short, whatever the error is about.

use std::fmt::{self, Write as _};

use super::head::ResponseHead;
use super::kind::ErrorKind;
use super::phase::Phase;
use super::{Error, Inner, cause};
use crate::urls::Url;

/// The bytes of the text of a reason, and of the path of a file.
const TEXT: usize = 256;

/// The bytes of a URL or an origin that an error shows. A name has at most 253, but a path has no such bound.
const ADDRESS: usize = 400;

/// The bytes of a method that an error shows. The caller may send any token.
const METHOD: usize = 32;

/// The bytes of the ways that were tried before.
const WAYS: usize = 160;

/// The bytes of an error's `Debug`. There is room for the indentation by an outer value.
const DEBUG: usize = 3000;

impl fmt::Display for Error {
    /// Shows what failed, the phase, the method and the URL without its query, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_what(f)?;
        if self.0.repeats_a_call() {
            return Ok(());
        }
        let phase = match (self.0.phase, &self.0.origin) {
            (Phase::Prepare, _) => None,
            // The proxy is not in the URL of the request.
            (phase @ Phase::Proxy, Some(proxy)) if self.0.request.is_some() => {
                let url = self.0.proxy.as_deref().unwrap_or(proxy.as_str());
                Some(format!("{phase} {}", cause::shortened(format_args!("{url}"), ADDRESS)))
            }
            (phase, _) => Some(phase.to_string()),
        };
        let facts: Vec<String> = phase.into_iter().chain(self.0.before()).chain(self.0.about()).collect();
        if facts.is_empty() { Ok(()) } else { write!(f, " ({})", facts.join(", ")) }
    }
}

impl Inner {
    /// Writes the reason and the file. Their words may come from the peer or the caller.
    fn write_what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reason.kind, &self.source) {
            (ErrorKind::Custom, Some(cause)) => f.write_str(&one_line(format_args!("{cause}"), TEXT))?,
            _ => f.write_str(&one_line(format_args!("{}", self.reason), TEXT))?,
        }
        let Some(file) = &self.file else { return Ok(()) };
        write!(f, ": {}", one_line(format_args!("{}", file.display()), TEXT))
    }

    /// Returns whether the text is that of another error of this crate, which names its own request: middleware may
    /// wrap the error of the call.
    fn repeats_a_call(&self) -> bool {
        let cause = self.source.as_deref().filter(|_| self.reason.kind == ErrorKind::Custom);
        cause.and_then(|cause| cause.downcast_ref::<Error>()).is_some_and(|cause| cause.0.about().is_some())
    }

    /// Returns what became of the ways that were tried before.
    fn before(&self) -> Option<String> {
        let ways = self.failed_ways.iter().map(|error| {
            let way = error.0.origin.as_ref().map_or("the server itself".to_owned(), ToString::to_string);
            format!("{way}: {}", error.0.reason)
        });
        let ways = ways.collect::<Vec<_>>().join("; ");
        (!ways.is_empty()).then(|| one_line(format_args!("after {ways}"), WAYS))
    }

    /// Returns the method and the URL, or the origin.
    fn about(&self) -> Option<String> {
        match (&self.request, &self.origin) {
            (Some(request), _) => {
                let (method, url) = &**request;
                Some(format!("{} {}", cause::shortened(format_args!("{method}"), METHOD), address(url)))
            }
            // The length of a host is not bounded.
            (None, Some(origin)) => Some(cause::shortened(format_args!("{origin}"), ADDRESS)),
            (None, None) => None,
        }
    }
}

/// Returns a URL without credentials, query and fragment.
fn address(url: &Url) -> String {
    one_line(format_args!("{}{}", url.origin(), url.path()), ADDRESS)
}

/// Returns the start of a text with its control characters escaped.
fn one_line(text: fmt::Arguments<'_>, bytes: usize) -> String {
    let text = cause::shortened(text, bytes);
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => line.push(c),
            // Writing to a string does not fail.
            c => drop(write!(line, "{}", c.escape_debug())),
        }
    }
    cause::shortened(format_args!("{line}"), bytes)
}

impl fmt::Debug for Error {
    /// Shows all but the history, in at most 3,000 bytes, whatever the source is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Shown(&self.0);
        f.write_str(&match f.alternate() {
            true => cause::shortened(format_args!("{shown:#?}"), DEBUG),
            false => cause::shortened(format_args!("{shown:?}"), DEBUG),
        })
    }
}

struct Shown<'a>(&'a Inner);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { reason, phase, maybe_processed, source, head, .. } = self.0;
        let mut shown = f.debug_struct("Error");
        shown.field("kind", &reason.kind);
        if let Some(why) = &reason.why {
            shown.field("why", &one_line(format_args!("{why}"), TEXT));
        }
        if let Some(limit) = &reason.limit {
            shown.field("limit", limit);
        }
        if let Some(file) = &self.0.file {
            shown.field("file", &one_line(format_args!("{}", file.display()), TEXT));
        }
        shown.field("phase", phase).field("request", &self.0.about()).field("maybe_processed", maybe_processed);
        shown.field("source", source);
        if !self.0.failed_ways.is_empty() {
            shown.field("failed_ways", &self.0.failed_ways);
        }
        if let Some(head) = head {
            shown.field("head", &ShownHead(head));
        }
        shown.finish()
    }
}

/// The head of a response inside an error, without its fields, whose length the peer decides.
struct ShownHead<'a>(&'a ResponseHead);

impl fmt::Debug for ShownHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.0;
        f.debug_struct("ResponseHead")
            .field("status", &head.status)
            .field("body", &head.body_start())
            .finish_non_exhaustive()
    }
}

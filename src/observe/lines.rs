//! The lines that are written to the log, by the crate `log` (feature `log`) or `tracing` (feature `tracing`).

#[cfg(feature = "native-roots")]
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::time::Duration;

use http::{Method, StatusCode};

use super::events::{Answered, Redirecting, Retrying, WaitsForItself};
#[cfg(any(feature = "log", feature = "tracing"))]
use super::telling::tell_log;
use crate::close_reason::CloseReason;
use crate::error::ErrorKind;
use crate::urls::{Origin, Url};

/// Writes a line to each log that is enabled. The target is the public module, wherever the line is written.
macro_rules! note {
    ($level:ident, $($text:tt)+) => {{
        // This check is the whole cost if nobody logs.
        #[cfg(feature = "log")]
        if ::log::max_level() != ::log::LevelFilter::Off {
            tell_log(|| ::log::$level!(target: "hostpool::observe", $($text)+));
        }
        #[cfg(feature = "tracing")]
        tell_log(|| ::tracing::$level!(target: "hostpool::observe", $($text)+));
        #[cfg(not(any(feature = "log", feature = "tracing")))]
        let _ = ::std::format_args!($($text)+);
    }};
}

/// Logs that a call waits for a connection that its own thread has.
pub(super) fn waits_for_itself(event: &WaitsForItself<'_>) {
    let WaitsForItself { origin, held, certain } = event;
    let which = if *certain { "all" } else { "some" };
    note!(warn, "a call waits for a connection to {origin}; its thread has {which}, as connection {held}");
}

/// Logs that the head of a response has arrived.
#[inline]
pub(super) fn answered(event: &Answered<'_>) {
    let Answered { id, method, url, status } = event;
    note!(debug, "{method} {}{} {} (connection {id})", url.origin(), url.path(), status.as_u16());
}

/// Logs that a request is about to be sent again.
pub(super) fn retrying(event: &Retrying<'_>) {
    let Retrying { origin, method, attempt, wait, cause } = event;
    note!(info, "{method} to {origin} is tried again in {wait:?}, try {attempt}: {cause}");
}

/// Logs that a redirect is about to be followed.
pub(super) fn redirecting(event: &Redirecting<'_>) {
    let Redirecting { from, to, status } = event;
    let (status, [from, to]) = (status.as_u16(), [from, to].map(|url| Shown(url)));
    note!(debug, "{from} redirects to {to} ({status})");
}

/// Logs that a connection was opened.
pub(super) fn opened(id: u64, origin: &Origin, took: Duration) {
    note!(debug, "connection {id} to {origin} opened in {took:?}");
}

/// Logs that a connection could not be opened.
pub(super) fn not_opened(origin: &Origin, took: Duration, kind: &ErrorKind) {
    note!(debug, "no connection to {origin} after {took:?}: {kind:?}");
}

/// Logs that a connection is closed because the pool is full. Also warns, each time that the number of such closes has
/// doubled.
pub(super) fn surplus(id: u64, origin: &Origin, count: u64) {
    if count.is_power_of_two() {
        note!(
            warn,
            "connection pool of {origin} is full: {count} connections were closed that could have been used again"
        );
    }
    note!(debug, "connection pool of {origin} is full: connection {id} is closed");
}

/// Logs that a connection is closed.
pub(super) fn closed(id: u64, origin: &Origin, reason: CloseReason, requests: u64) {
    match reason {
        CloseReason::PeerClosed | CloseReason::UnexpectedBytes => {
            note!(debug, "connection {id} to {origin} was dead after {requests} requests: {reason:?}");
        }
        _ => note!(trace, "connection {id} to {origin} closed after {requests} requests: {reason:?}"),
    }
}

/// Logs that the peer answered and then closed the connection while the body of the request was leaving.
#[cold]
pub(crate) fn cut_short(method: &Method, url: &Url, status: StatusCode) {
    let (url, status) = (Shown(url), status.as_u16());
    note!(warn, "{method} {url}: the peer answered {status} and closed before the whole body was sent");
}

/// Logs that the reaper has no thread. Idle connections are then looked at by their next users only, as without a
/// reaper.
pub(crate) fn no_reaper(error: &io::Error) {
    note!(warn, "no thread for the reaper of idle connections: {error}");
}

/// Logs that a connection is encrypted to nobody knows whom.
#[cfg_attr(not(feature = "__tls"), expect(dead_code))]
pub(crate) fn not_verified(origin: &Origin) {
    note!(warn, "the certificate of {origin} is not verified: anybody on the way can read and change everything");
}

#[cfg(feature = "native-roots")]
thread_local! {
    /// For each store that this thread has read: how many entries were skipped and read, and the first reason.
    static SKIPPED: RefCell<Vec<(usize, usize, String)>> = const { RefCell::new(Vec::new()) };
}

/// Notes that certificates of a store of roots were skipped, with the first reason. It is not logged yet: the store is
/// read under a lock that a request of the logger would wait for.
#[cfg(feature = "native-roots")]
pub(crate) fn skipped_roots(skipped: usize, read: usize, why: &str) {
    let _ = SKIPPED.try_with(|all| all.borrow_mut().push((skipped, read, why.to_owned())));
}

/// Logs what was noted on this thread. Must be called without a lock.
#[cfg(feature = "native-roots")]
pub(crate) fn tell_skipped_roots() {
    for (skipped, read, why) in SKIPPED.try_with(RefCell::take).unwrap_or_default() {
        note!(warn, "{skipped} entries of the store of root certificates were skipped, {read} were read: {why}");
    }
}

/// Logs that the body of a response was accepted although the end of its coding is missing.
pub(crate) fn unfinished_coding(url: &Url) {
    note!(warn, "the coded body of {} ends without the end of its coding", Shown(url));
}

/// Logs the names of cookies that are left out of a request because its Cookie field would be longer than the jar
/// allows.
///
/// Servers choose the names, so the line is bounded: 180 names of 4096 bytes would make a line of a megabyte for each
/// request.
pub(crate) fn left_out_cookies(url: &Url, names: &[Vec<u8>]) {
    const MOST: usize = 16;
    const LONGEST: usize = 64;
    let shown = names.iter().take(MOST).map(|name| name.get(..LONGEST).unwrap_or(name).escape_ascii().to_string());
    let mut shown = shown.collect::<Vec<_>>().join(", ");
    if let more @ 1.. = names.len().saturating_sub(MOST) {
        shown.push_str(&format!(" and {more} more"));
    }
    note!(warn, "cookies left out of a request to {}, which are too many: {shown}", Shown(url));
}

/// Logs that an entry of a list of hosts without a proxy matches nothing. An entry with an `@` is not shown, because it
/// may be a URL with a password.
pub(crate) fn unknown_no_proxy(entry: &str) {
    let shown = if entry.contains('@') { "" } else { entry };
    let start: String = shown.chars().take(60).collect();
    note!(warn, "an entry of NO_PROXY matches nothing: {start:?} is no host, address or range");
}

/// Logs that the scheme of a variable is read as another one.
pub(crate) fn socks_alias(variable: &str) {
    note!(info, "the scheme socks of {variable} is read as socks5h");
}

/// Logs that a word of a netrc file is skipped. The word is not shown: it may be a part of a password.
pub(crate) fn unknown_netrc_word(line: usize) {
    note!(warn, "line {line} of a netrc file has a word that is not known; a value with spaces needs quotes");
}

/// Logs that lines of a response were left out. Their values are not shown: they may be secret.
#[cold]
pub(crate) fn lines_dropped(url: &Url, lines: usize, names: &[Box<str>]) {
    note!(warn, "lines of the response from {} that are no headers were left out: {}", Shown(url), Lines(lines, names));
}

/// The number of lines that were left out, and the names of the first ones.
struct Lines<'a>(usize, &'a [Box<str>]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lines(lines, names) = self;
        for (at, name) in names.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            match name.is_empty() {
                true => write!(f, "{comma}one without a name")?,
                false => write!(f, "{comma}{name}")?,
            }
        }
        match lines - names.len().min(*lines) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A URL without user name, password, query and fragment.
struct Shown<'a>(&'a Url);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.origin(), self.0.path())
    }
}

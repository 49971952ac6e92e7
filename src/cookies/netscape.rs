//! The cookies of a jar in the Netscape format: the `cookies.txt` of curl, wget, browsers' exports and Python's
//! `MozillaCookieJar`.
//!
//! Each line has seven fields with tabs between them: domain, whether hosts below it get the cookie, path, whether the
//! cookie is Secure, the time when it expires, name and value. `#HttpOnly_` before the domain marks an HttpOnly cookie.

use std::path::Path;

use super::cookie::Cookie;
use super::disk;
use super::jar::{CookieJar, now};
use super::place::is_socket;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::headers::trim;

/// The first line. Python refuses a file without it.
const HEADER: &str = "# Netscape HTTP Cookie File\n";

/// The start of hosts that a line cannot hold: a reader takes a dot off the domain, and a line with a dollar sign for a
/// comment.
const NO_HOST: [char; 2] = ['.', '$'];

const HTTP_ONLY: &str = "#HttpOnly_";

/// The meaning of a line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// A comment, or nothing.
    Comment,
    Cookie(Cookie),
    Bad,
}

impl CookieJar {
    /// Returns all cookies that have not expired in the Netscape format, which curl (`-b`, `-c`), wget, yt-dlp and
    /// Python's `MozillaCookieJar` read. Values are in clear text. A session cookie is written with the expiry time 0,
    /// as curl does; Python reads such a line if `load` is called with `ignore_expires=True` and `ignore_discard=True`.
    ///
    /// The format has no place for SameSite, which is lost. It has none for [shared](Self::insert_shared) cookies, for
    /// cookies with a tab in their name, value or path, and for cookies of a host that begins with a dot or a dollar
    /// sign. These are left out. `to_json` keeps all of them.
    ///
    /// ```
    /// use hostpool::{CookieJar, Url};
    ///
    /// let jar = CookieJar::new();
    /// jar.set(&Url::parse("https://www.example.com/")?, "id=a3fWa; Secure; HttpOnly; Path=/; Domain=example.com")?;
    /// let text = String::from_utf8(jar.to_netscape())?;
    /// assert!(text.ends_with("\n#HttpOnly_.example.com\tTRUE\t/\tTRUE\t0\tid\ta3fWa\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "MozillaCookieJar")]
    #[doc(alias = "cookies.txt")]
    pub fn to_netscape(&self) -> Vec<u8> {
        let mut text = HEADER.as_bytes().to_vec();
        self.to_vec().iter().for_each(|cookie| write_line(cookie, &mut text));
        text
    }

    /// Adds the cookies of a text in the Netscape format to this jar. Returns the number of lines that were left out,
    /// because they are not valid or because no server could have set such a cookie. Comments, empty lines and expired
    /// cookies are not counted.
    ///
    /// A line is read as curl reads it: the second field decides whether hosts below the domain get the cookie, whether
    /// the domain begins with a dot or not; an expiry time of 0, or none, makes a session cookie; a missing value is
    /// empty. The first line of the file, which Python asks for, may be missing. Both flags have to be `TRUE` or
    /// `FALSE`. A cookie whose domain is a public suffix becomes host-only.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the text has lines and each of them is not valid: it is something else than a file of
    /// cookies.
    ///
    /// ```
    /// use hostpool::CookieJar;
    ///
    /// let jar = CookieJar::new();
    /// let text = "# Netscape HTTP Cookie File\n.example.com\tTRUE\t/\tTRUE\t0\tid\ta3fWa\nnot a cookie\n";
    /// assert_eq!(jar.add_netscape(text)?, 1);
    /// assert_eq!(jar.len(), 1);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "MozillaCookieJar")]
    #[doc(alias = "cookies.txt")]
    pub fn add_netscape(&self, text: impl AsRef<[u8]>) -> Result<usize> {
        let text = text.as_ref();
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let (mut cookies, mut bad) = (Vec::new(), 0);
        for line in text.split(|&byte| byte == b'\n') {
            match read_line(line.strip_suffix(b"\r").unwrap_or(line)) {
                Line::Comment => {}
                Line::Cookie(cookie) => cookies.push(cookie),
                Line::Bad => bad += 1,
            }
        }
        if cookies.is_empty() && bad > 0 {
            let wrong = ErrorKind::Decode.because("no line is a cookie in the Netscape format");
            return Err(Error::new(wrong, Phase::Prepare));
        }
        let now = now();
        cookies.retain(|cookie| !cookie.is_expired(now));
        let refused = self.change(|store, caps| {
            cookies.into_iter().filter_map(|cookie| store.restore(cookie, now, caps).err()).count()
        });
        Ok(bad + refused)
    }

    /// Writes [`to_netscape`](Self::to_netscape) to a file, which on Unix only its owner may read (mode 0600). The file
    /// is replaced in one step: a reader finds the old cookies or the new ones, and a failure leaves the old ones.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Output`], with the path in the source, if the file cannot be written.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("cookies.txt");
    /// use hostpool::{CookieJar, Url};
    ///
    /// let jar = CookieJar::new();
    /// jar.set(&Url::parse("https://www.example.com/")?, "id=a3fWa; Secure")?;
    /// jar.save_netscape(&path)?;
    ///
    /// assert_eq!(CookieJar::load_netscape(&path)?.to_vec(), jar.to_vec());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn save_netscape(&self, path: impl AsRef<Path>) -> Result<()> {
        disk::write(path.as_ref(), &self.to_netscape())
    }

    /// Returns a jar with the default limits and the cookies of a `cookies.txt` file. Lines that are not valid are left
    /// out; [`add_netscape_file`](Self::add_netscape_file) counts them.
    ///
    /// # Errors
    ///
    /// The same as [`add_netscape_file`](Self::add_netscape_file).
    pub fn load_netscape(path: impl AsRef<Path>) -> Result<CookieJar> {
        let jar = CookieJar::new();
        jar.add_netscape_file(path)?;
        Ok(jar)
    }

    /// Adds the cookies of a `cookies.txt` file to this jar, and returns the number of lines that were left out: see
    /// [`add_netscape`](Self::add_netscape).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`], with the path in the source, if the file cannot be read, and the errors of
    /// [`add_netscape`](Self::add_netscape).
    #[doc(alias = "load_netscape")]
    pub fn add_netscape_file(&self, path: impl AsRef<Path>) -> Result<usize> {
        let path = path.as_ref();
        self.add_netscape(disk::read(path)?).map_err(|error| error.with_file(path))
    }
}

/// Appends the line of a cookie, if the format can hold it.
fn write_line(cookie: &Cookie, text: &mut Vec<u8>) {
    let (Some(domain), Some(path)) = (cookie.domain(), cookie.path()) else { return };
    let fields = [&*cookie.name, &*cookie.value, path.as_bytes()];
    // Otherwise a reader finds another number of fields.
    if fields.iter().any(|field| field.contains(&b'\t')) || domain.starts_with(NO_HOST) {
        return;
    }
    let flag = |set: bool| if set { "TRUE" } else { "FALSE" };
    let (prefix, dot) = (if cookie.http_only { HTTP_ONLY } else { "" }, if cookie.host_only { "" } else { "." });
    let expires = cookie.expires.unwrap_or(0);
    let (below, secure) = (flag(!cookie.host_only), flag(cookie.secure));
    text.extend(format!("{prefix}{dot}{domain}\t{below}\t{path}\t{secure}\t{expires}\t").into_bytes());
    text.extend_from_slice(&cookie.name);
    text.push(b'\t');
    text.extend_from_slice(&cookie.value);
    text.push(b'\n');
}

/// Reads a line without its end. The jar checks the cookie itself.
fn read_line(line: &[u8]) -> Line {
    let (line, http_only) = match line.strip_prefix(HTTP_ONLY.as_bytes()) {
        Some(rest) => (rest, true),
        None => (line, false),
    };
    // Python takes lines that begin with a dollar sign for comments, too.
    if !http_only && matches!(line.trim_ascii_start(), [] | [b'#' | b'$', ..]) {
        return Line::Comment;
    }
    read_cookie(line, http_only).map_or(Line::Bad, Line::Cookie)
}

fn read_cookie(line: &[u8], http_only: bool) -> Option<Cookie> {
    let mut fields = line.split(|&byte| byte == b'\t');
    let mut next = || fields.next();
    let domain = std::str::from_utf8(next()?).ok()?;
    let below = flag(next()?)?;
    let path = std::str::from_utf8(next()?).ok()?;
    let secure = flag(next()?)?;
    let expires = expiry(next()?)?;
    // No cookie has white space at these ends, but files that were edited have.
    let mut cookie = Cookie::new(trim(next()?), trim(next().unwrap_or_default()));
    let domain = Some(domain.strip_prefix('.').unwrap_or(domain)).filter(|domain| !domain.starts_with(NO_HOST))?;
    // The origin of a Unix socket stands in the place of a name. The case of its path counts.
    let is_name = !is_socket(domain);
    cookie.domain = Some(if is_name { domain.to_ascii_lowercase().into() } else { domain.into() });
    cookie.path = Some(path.into());
    (cookie.host_only, cookie.secure, cookie.http_only, cookie.expires) = (!below, secure, http_only, expires);
    next().is_none().then_some(cookie)
}

fn flag(text: &[u8]) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case(b"TRUE") => Some(true),
        _ if text.eq_ignore_ascii_case(b"FALSE") => Some(false),
        _ => None,
    }
}

/// Reads the time when a cookie expires: `Some(None)` for a session cookie. Some exports write fractions of a second.
fn expiry(text: &[u8]) -> Option<Option<i64>> {
    let text = std::str::from_utf8(text).ok()?.trim_ascii();
    if text.is_empty() {
        return Some(None);
    }
    // A float that is too large for an integer becomes the largest one. The jar shortens it.
    let seconds =
        text.parse().ok().or_else(|| text.parse().ok().filter(|time: &f64| !time.is_nan()).map(|time| time as i64))?;
    Some((seconds != 0).then_some(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(line: &str) -> Option<String> {
        match read_line(line.as_bytes()) {
            Line::Cookie(cookie) => {
                let flags = [(!cookie.host_only, "below "), (cookie.secure, "secure "), (cookie.http_only, "http ")];
                let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect();
                let (name, value) = (cookie.name(), cookie.value());
                let (domain, path, expires) = (cookie.domain().unwrap(), cookie.path().unwrap(), cookie.expires);
                Some(format!("{flags}{domain} {path} {expires:?} {name}={value}"))
            }
            Line::Comment => Some("comment".to_owned()),
            Line::Bad => None,
        }
    }

    #[test]
    fn lines() {
        let table = [
            ("a.example\tFALSE\t/\tFALSE\t0\tn\tv", Some("a.example / None n=v")),
            (".a.example\tTRUE\t/p\tTRUE\t1700000000\tn\tv", Some("below secure a.example /p Some(1700000000) n=v")),
            ("a.example\tTRUE\t/\tFALSE\t0\tn\tv", Some("below a.example / None n=v")),
            (".a.example\tFALSE\t/\tFALSE\t0\tn\tv", Some("a.example / None n=v")),
            ("#HttpOnly_.A.example\tTRUE\t/\tFALSE\t0\tn\tv", Some("below http a.example / None n=v")),
            ("a.example\tfalse\t/\ttrue\t\tn\tv", Some("secure a.example / None n=v")),
            ("a.example\tFALSE\t/\tFALSE\t1700000000.75\tn\tv", Some("a.example / Some(1700000000) n=v")),
            ("a.example\tFALSE\t/\tFALSE\t-5\tn\tv", Some("a.example / Some(-5) n=v")),
            (
                "a.example\tFALSE\t/\tFALSE\t99999999999999999999\tn\tv",
                Some("a.example / Some(9223372036854775807) n=v"),
            ),
            ("a.example\tFALSE\t/\tFALSE\t0\tn", Some("a.example / None n=")),
            ("a.example\tFALSE\t/\tFALSE\t0\tn\t", Some("a.example / None n=")),
            ("a.example\tFALSE\t/\tFALSE\t0\t\tv", Some("a.example / None =v")),
            ("a.example\tFALSE\t/\tFALSE\t0\tn\ta=\"b c\"", Some("a.example / None n=a=\"b c\"")),
            ("a.example\tFALSE\t/\tFALSE\t0\t n \t v ", Some("a.example / None n=v")),
            ("http+unix://%2FA.sock\tFALSE\t/\tFALSE\t0\tn\tv", Some("http+unix://%2FA.sock / None n=v")),
            ("", Some("comment")),
            (" \t ", Some("comment")),
            ("# a comment", Some("comment")),
            ("  # a comment", Some("comment")),
            ("$ a comment", Some("comment")),
            ("#HttpOnly a comment", Some("comment")),
            ("#HttpOnly_", None),
            ("a.example FALSE / FALSE 0 n v", None),
            ("a.example\tFALSE\t/\tFALSE\t0", None),
            (".$a.example\tTRUE\t/\tFALSE\t0\tn\tv", None),
            ("..a.example\tTRUE\t/\tFALSE\t0\tn\tv", None),
            ("a.example\tFALSE\t/\tFALSE\t0\tn\tv\tmore", None),
            ("a.example\tyes\t/\tFALSE\t0\tn\tv", None),
            ("a.example\tFALSE\t/\tno\t0\tn\tv", None),
            ("a.example\tFALSE\t/\tFALSE\tsoon\tn\tv", None),
            ("a.example\tFALSE\t/\tFALSE\tNaN\tn\tv", None),
            ("{\"cookies\": []}", None),
        ];
        for (line, expected) in table {
            assert_eq!(cookie(line).as_deref(), expected, "{line:?}");
        }
    }
}

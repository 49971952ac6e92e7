//! The value of a Set-Cookie field, read as RFC 6265bis, section 5.6, says.

use std::time::SystemTime;

use super::cookie::{Cookie, SameSite, seconds};
use super::rules::{MAX_ATTRIBUTE, check_pair, is_cookie_byte};
use crate::date;
use crate::error::{Error, Result};
use crate::headers::trim;

/// The end of a cookie that has to expire at once, in seconds since 1970.
const LONG_AGO: i64 = 0;

impl Cookie {
    /// Reads the value of a Set-Cookie field as RFC 6265bis, section 5.6, says. The reading is lenient: an attribute that
    /// makes no sense is ignored.
    ///
    /// `Max-Age` counts from now, and wins over `Expires`; neither goes beyond 400 days. Whether a certain host may set
    /// such a cookie is not checked. A field without `=` sets a cookie without a name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a field that sets no cookie: one with neither
    /// name nor value, one with no name and a value that begins as a name with a prefix, one with a control character, and
    /// one with more than 4096 bytes of name and value.
    #[doc(alias = "SimpleCookie")]
    pub fn parse(set_cookie: &str) -> Result<Cookie> {
        Cookie::parse_bytes(set_cookie.as_bytes(), SystemTime::now())
    }

    /// Does what [`parse`](Self::parse) does for a field as it was received, at `now`.
    pub(crate) fn parse_bytes(field: &[u8], now: SystemTime) -> Result<Cookie> {
        set_cookie(field, seconds(now)).map_err(Error::request)
    }
}

/// Reads a field at `now`, in seconds since 1970. The error says why the field sets no cookie.
pub(super) fn set_cookie(field: &[u8], now: i64) -> Result<Cookie, &'static str> {
    if !field.iter().all(|&byte| is_cookie_byte(byte)) {
        return Err("the cookie has a control character");
    }
    let mut parts = field.split(|&byte| byte == b';');
    let first = parts.next().unwrap_or_default();
    // Without a `=` the whole part is the value of a cookie without a name.
    let (name, value) = pair(first).unwrap_or((b"", trim(first)));
    check_pair(name, value)?;
    let mut cookie = Cookie::new(name, value);
    let mut max_age = None;
    for part in parts {
        let (attribute, value) = pair(part).unwrap_or((trim(part), b""));
        if value.len() <= MAX_ATTRIBUTE {
            read_attribute(&mut cookie, &mut max_age, attribute, value);
        }
    }
    // Section 5.7: Max-Age decides, wherever it stands.
    if let Some(age) = max_age {
        cookie.expires = Some(if age > 0 { now.saturating_add(age) } else { LONG_AGO });
    }
    cookie.shorten(now);
    Ok(cookie)
}

/// Splits `name=value`, and trims both.
fn pair(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', part)?;
    Some((trim(&part[..at]), trim(&part[at + 1..])))
}

/// Reads one attribute. Of several that make sense the last one counts.
fn read_attribute(cookie: &mut Cookie, max_age: &mut Option<i64>, attribute: &[u8], value: &[u8]) {
    let is = |name: &str| attribute.eq_ignore_ascii_case(name.as_bytes());
    if is("Expires") {
        cookie.expires = date::parse(value).or(cookie.expires);
    } else if is("Max-Age") {
        *max_age = age(value).or(*max_age);
    } else if is("Domain") {
        // An empty Domain is ignored (RFC 6265, section 5.2.3): it must not change what another Domain attribute says.
        if !value.is_empty() {
            let text = String::from_utf8_lossy(value.strip_prefix(b".").unwrap_or(value));
            cookie.domain = Some(text.to_ascii_lowercase().into());
            cookie.host_only = false;
        }
    } else if is("Path") {
        let path = value.starts_with(b"/").then(|| String::from_utf8_lossy(value).into());
        cookie.path = path;
    } else if is("Secure") {
        cookie.secure = true;
    } else if is("HttpOnly") {
        cookie.http_only = true;
    } else if is("SameSite") {
        cookie.same_site = SameSite::parse(value);
    }
}

/// Reads digits after an optional minus. A number that is too large counts as the largest one.
fn age(value: &[u8]) -> Option<i64> {
    let (is_negative, digits) = value.strip_prefix(b"-").map_or((false, value), |digits| (true, digits));
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: i64, digit: &u8| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
    let age = digits.iter().fold(0, add);
    Some(if is_negative { 0 } else { age })
}

//! The value of a Set-Cookie field, read as RFC 6265bis, section 5.6, has it.

use super::cookie::{Cookie, SameSite};
use crate::date;
use crate::headers::trim;

/// Bytes of name and value together; longer cookies are refused whatever a jar allows.
pub(super) const MAX_PAIR: usize = 4096;

/// Longer values of attributes are as if they were not there.
pub(super) const MAX_ATTRIBUTE: usize = 1024;

/// As long as a cookie may last (RFC 6265bis, section 5.5): 400 days.
pub(super) const MAX_LIFE: i64 = 400 * 24 * 60 * 60;

/// When a cookie ends that is meant to be over.
const LONG_AGO: i64 = 0;

/// What a field says at `now`, in seconds since 1970, or why it sets no cookie.
pub(super) fn set_cookie(field: &[u8], now: i64) -> Result<Cookie, &'static str> {
    if !field.iter().all(|&byte| is_cookie_byte(byte)) {
        return Err("the cookie has a control character");
    }
    let mut parts = field.split(|&byte| byte == b';');
    let first = parts.next().unwrap_or_default();
    // Without a `=` all of it is the value of a cookie without a name.
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

/// `name=value`, both trimmed.
fn pair(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', part)?;
    Some((trim(&part[..at]), trim(&part[at + 1..])))
}

/// The last one of each attribute counts, of those that make sense.
fn read_attribute(cookie: &mut Cookie, max_age: &mut Option<i64>, attribute: &[u8], value: &[u8]) {
    let is = |name: &str| attribute.eq_ignore_ascii_case(name.as_bytes());
    if is("Expires") {
        cookie.expires = date::parse(value).or(cookie.expires);
    } else if is("Max-Age") {
        *max_age = age(value).or(*max_age);
    } else if is("Domain") {
        // An empty one is passed over (RFC 6265, section 5.2.3): it must not widen or lift what another one says.
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

/// Digits behind an optional minus; what is longer than a number is as good as the largest.
fn age(value: &[u8]) -> Option<i64> {
    let (is_negative, digits) = value.strip_prefix(b"-").map_or((false, value), |digits| (true, digits));
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: i64, digit: &u8| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
    let age = digits.iter().fold(0, add);
    Some(if is_negative { 0 } else { age })
}

/// Whether a jar may keep this name and value and send it in front of `; `.
pub(super) fn check_pair(name: &[u8], value: &[u8]) -> Result<(), &'static str> {
    if name.is_empty() && value.is_empty() {
        return Err("the cookie has neither a name nor a value");
    }
    // Such a cookie is sent as its value alone, and would pass for one with that prefix (RFC 6265bis, section 5.7).
    if name.is_empty() && PREFIXES.iter().any(|prefix| has_prefix(value, prefix)) {
        return Err("a cookie without a name has a value that begins as a name with a prefix");
    }
    if name.len() + value.len() > MAX_PAIR {
        return Err("the cookie has more than 4096 bytes");
    }
    if !is_plain(name) || !is_plain(value) || name.contains(&b'=') {
        return Err("a byte of the cookie's name or value is forbidden");
    }
    Ok(())
}

/// Names that begin so say that a browser has looked at how the cookie was set (RFC 6265bis, section 4.1.3).
const PREFIXES: [&str; 3] = ["__Secure-", "__Host-", "__Http-"];

/// Servers compare names without case, and so a prefix counts in any (section 5.4).
pub(super) fn has_prefix(text: &[u8], prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// No control character, no `;`, and no white space at the ends: what it is written as it is read as.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|&byte| is_cookie_byte(byte) && byte != b';') && trim(text).len() == text.len()
}

/// Tabs are none of the control characters that are refused (RFC 6265bis, section 5.6).
fn is_cookie_byte(byte: u8) -> bool {
    crate::headers::is_value_byte(byte)
}

//! The rules for every cookie, wherever it comes from: limits, and bytes that are not allowed.

use crate::headers::{is_value_byte, trim};

/// Most bytes of name and value together. A longer cookie is refused, whatever a jar allows.
pub(super) const MAX_PAIR: usize = 4096;

/// Most bytes of an attribute's value. A longer value is ignored.
pub(super) const MAX_ATTRIBUTE: usize = 1024;

/// Most seconds that a cookie lasts (RFC 6265bis, section 5.5): 400 days.
pub(super) const MAX_LIFE: i64 = 400 * 24 * 60 * 60;

/// Names with such a prefix say that a browser has checked how the cookie was set (RFC 6265bis, section 4.1.3).
const PREFIXES: [&str; 3] = ["__Secure-", "__Host-", "__Http-"];

/// Refuses a name and value that a jar must not keep, because they cannot be sent or would be read differently.
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
    if !is_plain(name) || name.contains(&b'=') {
        return Err("the cookie's name has an equals sign, a semicolon, a control character or a blank at an end");
    }
    if !is_plain(value) {
        return Err("the cookie's value has a semicolon, a control character or a blank at an end");
    }
    Ok(())
}

/// Returns whether a name has this prefix. Case does not count, because servers compare names without case (section
/// 5.4).
pub(super) fn has_prefix(text: &[u8], prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Returns whether a text is read as it is written: it has no control character, no `;`, and no white space at an end.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|&byte| is_cookie_byte(byte) && byte != b';') && trim(text).len() == text.len()
}

/// Returns whether a byte is not a control character. A tab is allowed (RFC 6265bis, section 5.6).
pub(super) fn is_cookie_byte(byte: u8) -> bool {
    is_value_byte(byte)
}

//! The `Retry-After` field (RFC 9110, section 10.2.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::date;
use crate::headers::Headers;

/// Returns how long the server asks to wait, counted from `now`. Returns `None` without the field, and if the field is
/// neither a number of seconds nor a date: a server must not be able to fail a call by a malformed field.
pub(crate) fn retry_after(headers: &Headers, now: SystemTime) -> Option<Duration> {
    let value = headers.get_bytes("retry-after")?.trim_ascii();
    if !value.is_empty() && value.iter().all(u8::is_ascii_digit) {
        // A number with too many digits is a long time as well.
        let seconds = std::str::from_utf8(value).ok()?.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds));
    }
    // Every form of a date begins with the name of a day. The reader of dates alone would accept more.
    let at = value.first().filter(|first| first.is_ascii_alphabetic()).and_then(|_| date::parse(value))?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = Duration::from_secs(u64::try_from(at).unwrap_or(0));
    Some(at.saturating_sub(now))
}

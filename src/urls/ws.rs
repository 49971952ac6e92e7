//! URLs of WebSockets (RFC 6455, section 3).

use std::borrow::Cow;

/// The schemes of WebSockets. Each is that of HTTP with its first two letters replaced.
const SCHEMES: [&str; 4] = ["ws:", "wss:", "ws+unix:", "wss+unix:"];

/// Returns the URL by which the handshake of a WebSocket is sent: `http` in place of `ws`. A text with another scheme, and
/// one without, stays as it is.
pub(crate) fn as_http(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim_start();
    let is_at_start = |scheme: &str| {
        trimmed.as_bytes().get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    match SCHEMES.iter().any(|scheme| is_at_start(scheme)) {
        true => Cow::Owned(["http", &trimmed[2..]].concat()),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes() {
        for (text, expected) in [
            ("ws://h/a?b#c", "http://h/a?b#c"),
            (" WSS://h:443/", "httpS://h:443/"),
            ("ws+unix://%2Fs/a", "http+unix://%2Fs/a"),
            ("wss+unix://%2Fs", "https+unix://%2Fs"),
            ("http://h/", "http://h/"),
            ("/ws://h", "/ws://h"),
            ("wsx://h", "wsx://h"),
            ("ws", "ws"),
            ("", ""),
            ("\u{e9}", "\u{e9}"),
        ] {
            assert_eq!(as_http(text), expected);
        }
    }
}

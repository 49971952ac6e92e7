//! Reading a body as JSON.

use super::Response;
use super::charset::{Charset, Order};
use super::status::KEPT;
use crate::error::{Error, ErrorKind, Result};

/// # The body as JSON
impl Response {
    /// Reads the body as JSON, whatever its Content-Type. A blank body reads as `null`.
    ///
    /// The body is read as UTF-8 (RFC 8259, section 8.1), unless a byte order mark, zeros among the first bytes or the
    /// Content-Type show that it is in UTF-16, UTF-32 or another charset.
    ///
    /// Half a surrogate pair (`"cut \ud83d"`) is read as U+FFFD. JavaScript and Python write it when they cut a text.
    ///
    /// # Errors
    ///
    /// Those of [`bytes`](Self::bytes), and [`ErrorKind::Decode`] if the body is not JSON of that type. The error says
    /// whether the body is not text, not JSON, or JSON of another type. Its source is the `serde_json::Error`, which
    /// says what is wrong where. The text of the source may quote the body. The [`head`](Error::head) of the error has
    /// the status, the header fields and the start of the body, converted to UTF-8.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n[1,2,3]");
    /// let numbers: Vec<u32> = hostpool::get(url).send()?.json()?;
    /// assert_eq!(numbers, [1, 2, 3]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "read_json")]
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(mut self) -> Result<T> {
        let text = self.json_text()?;
        let parsed = match serde_json::from_slice(or_null(&text)) {
            Err(error) if error.is_syntax() => {
                let mut repaired = text.clone();
                if surrogates::repair(&mut repaired) { serde_json::from_slice(&repaired) } else { Err(error) }
            }
            parsed => parsed,
        };
        parsed.map_err(|error| {
            if let Err(broken) = std::str::from_utf8(&text) {
                return self.broken_text(Some(broken.valid_up_to()), &text);
            }
            // The text of serde's error quotes the body, which may hold secrets. It stays in the source.
            let what = match error.classify() {
                serde_json::error::Category::Data => "the JSON is not of the requested type",
                serde_json::error::Category::Eof => "the JSON ends too early",
                _ => "it is not JSON",
            };
            self.not_json(what.to_owned(), &text).with_source(bounded(error))
        })
    }

    /// Reads the body as [`json`](Self::json) does if its media type is `application/json` or ends in `+json`.
    ///
    /// Fails with [`ErrorKind::ContentType`] otherwise, also if there is no Content-Type. The [`head`](Error::head) of
    /// the error has the start of the body, which often says why.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>");
    /// use hostpool::ErrorKind;
    ///
    /// let error = hostpool::get(url).send()?.json_strict::<Vec<u32>>().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::ContentType);
    /// assert_eq!(error.head().unwrap().body(), b"<p>");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json_strict<T: serde::de::DeserializeOwned>(self) -> Result<T> {
        let media_type = self.content_type();
        if media_type.as_ref().is_some_and(super::MediaType::is_json) {
            return self.json();
        }
        let found = media_type.map_or("of no media type".to_owned(), |found| found.to_string());
        Err(self.into_error(ErrorKind::ContentType.because(format!("JSON was requested, and the body is {found}"))))
    }

    /// Reads the body as JSON with a parser of your own. The parser is given the text as it came, or `null` for a blank
    /// body.
    ///
    /// # Errors
    ///
    /// Those of [`bytes`](Self::bytes), and [`ErrorKind::Decode`] if the bytes are not valid in their charset or the
    /// parser fails. The error of the parser is the source. The [`head`](Error::head) has the start of the body.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n17");
    /// let number = hostpool::get(url).send()?.json_with(|text| text.parse::<u32>())?;
    /// assert_eq!(number, 17);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "loads")]
    pub fn json_with<T, E>(mut self, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let text = self.json_text()?;
        match std::str::from_utf8(or_null(&text)) {
            Ok(json) => parse(json).map_err(|error| {
                self.not_json("the parser of the JSON failed".to_owned(), &text).with_own_source(error)
            }),
            Err(broken) => Err(self.broken_text(Some(broken.valid_up_to()), &text)),
        }
    }

    /// Returns the body converted to UTF-8, without a byte order mark. A body that claims to be UTF-8 is not checked.
    fn json_text(&mut self) -> Result<Vec<u8>> {
        let mut bytes = self.move_body()?;
        let (charset, mark) = match json_charset(&bytes) {
            Some(found) => found,
            // Without the feature `charset` the other charsets cannot be decoded, but most JSON that names one is
            // ASCII.
            None => (self.named_charset().ok().flatten().unwrap_or(Charset::Utf8), 0),
        };
        bytes.drain(..mark);
        if charset != Charset::Utf8 {
            let (text, sound) = charset.decode(bytes);
            if !sound {
                return Err(self.broken_text(None, text.as_bytes()));
            }
            bytes = text.into_bytes();
        }
        Ok(bytes)
    }

    /// Returns the error for bytes that are not text, with the place of the first one if it is known.
    fn broken_text(&self, at: Option<usize>, text: &[u8]) -> Error {
        let what = match at {
            Some(at) => format!("it is not UTF-8 at byte {at}"),
            None => "it is not text in its charset".to_owned(),
        };
        self.not_json(what, text)
    }

    /// Returns the error for a body that is not what was requested. The status and the media type are named where they
    /// may be the reason: the page of an error is seldom JSON.
    fn not_json(&self, mut what: String, text: &[u8]) -> Error {
        let media_type = self.content_type();
        if !self.status().is_success() || !media_type.as_ref().is_some_and(super::MediaType::is_json) {
            what += &format!(", with status {}", self.status().as_u16());
            match media_type {
                Some(found) => what += &format!(" and media type {}", found.essence()),
                None => what += " and no media type",
            }
        }
        let start = text[..text.len().min(KEPT)].to_vec();
        self.about_body(ErrorKind::Decode.because(what)).with_head(self.to_head(start))
    }
}

/// Returns the text, or `null` for a blank one.
fn or_null(text: &[u8]) -> &[u8] {
    if text.trim_ascii().is_empty() { b"null" } else { text }
}

/// Returns an error of serde with a text of bounded length: it may quote a string of the body. The place of the error
/// stays.
#[cfg(feature = "json")]
fn bounded(error: serde_json::Error) -> serde_json::Error {
    const TEXT: usize = 300;
    match crate::error::shortened(format_args!("{error}"), TEXT) {
        text if text.ends_with("...") => {
            let place = format!(" at line {} column {}", error.line(), error.column());
            serde::de::Error::custom(text + &place)
        }
        _ => error,
    }
}

/// Escapes of half a surrogate pair. A Rust string cannot hold it.
#[cfg(feature = "json")]
mod surrogates {
    /// Replaces each of them by the escape of U+FFFD, which has the same length. Returns whether there was one.
    ///
    /// In JSON a backslash occurs only in strings, and escapes the byte after it.
    pub(super) fn repair(json: &mut [u8]) -> bool {
        let (mut at, mut found) = (0, false);
        while let Some(next) = json.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
            at += next;
            at += match (unit(json, at), unit(json, at + LEN)) {
                (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 2 * LEN,
                (Some(0xD800..=0xDFFF), _) => {
                    json[at..at + LEN].copy_from_slice(b"\\ufffd");
                    found = true;
                    LEN
                }
                (Some(_), _) => LEN,
                (None, _) => 2,
            };
        }
        found
    }

    /// The length of `\u0000`.
    const LEN: usize = 6;

    /// Returns the UTF-16 unit of an escape at this place.
    fn unit(json: &[u8], at: usize) -> Option<u32> {
        let digits = json.get(at..at + LEN)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
    }
}

/// Returns the charset by a byte order mark, with the length of the mark, or by the zeros in the first character, which
/// is ASCII (RFC 4627, section 3). Returns `None` for UTF-8 without a mark.
fn json_charset(bytes: &[u8]) -> Option<(Charset, usize)> {
    use Order::{Big, Little};
    match bytes {
        // Text in UTF-16 could begin with this mark and a NUL, but JSON cannot.
        [0xFF, 0xFE, 0, 0, ..] => Some((Charset::Utf32(Little), 4)),
        [0, 0, 0xFE, 0xFF, ..] => Some((Charset::Utf32(Big), 4)),
        [0, 0, 0, 1..=0xFF, ..] => Some((Charset::Utf32(Big), 0)),
        [1..=0xFF, 0, 0, 0, ..] => Some((Charset::Utf32(Little), 0)),
        [0, 1..=0xFF, ..] => Some((Charset::Utf16(Big), 0)),
        [1..=0xFF, 0, ..] => Some((Charset::Utf16(Little), 0)),
        _ => Charset::of_mark(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row RW-53.
    #[cfg(feature = "json")]
    #[test]
    fn half_a_surrogate_pair() {
        let table = [
            (r#""cut \ud83d""#, Some("cut \u{fffd}")),
            (r#""\uDE00 cut""#, Some("\u{fffd} cut")),
            (r#""\ud83d\ude00""#, None),
            (r#""\ud83d\ude00\ud83d""#, Some("\u{1f600}\u{fffd}")),
            (r#""\ud83d\ud83d\ude00""#, Some("\u{fffd}\u{1f600}")),
            (r#""\ude00\ud83d""#, Some("\u{fffd}\u{fffd}")),
            (r#""\ud83d\n\u0041""#, Some("\u{fffd}\nA")),
            (r#""\\ud83d""#, None),
            (r#""\\\ud83d""#, Some("\\\u{fffd}")),
            (r#""\\\\ud83d\"\ud83d""#, Some("\\\\ud83d\"\u{fffd}")),
            (r#""\u0041\uD7FF\uE000""#, None),
            (r#""\ud83""#, None),
            (r#""\ud83d\u12""#, Some("")),
            ("\"\\", None),
        ];
        for (json, expected) in table {
            let mut bytes = json.as_bytes().to_vec();
            let found = surrogates::repair(&mut bytes);
            assert_eq!((found, bytes.len()), (expected.is_some(), json.len()), "RW-53 {json}");
            let text: Option<String> = serde_json::from_slice(&bytes).ok();
            assert!(expected.is_none_or(|expected| text.is_none_or(|text| text == expected)), "RW-53 {json}");
            assert_eq!(
                found && serde_json::from_slice::<String>(&bytes).is_err(),
                expected == Some(""),
                "RW-53 {json}"
            );
        }
    }

    #[test]
    fn charsets_of_json() {
        use Order::{Big, Little};
        let table: [(&[u8], _); 14] = [
            (b"", None),
            (b"1", None),
            (b"{}", None),
            (b"\xEF\xBB\xBF1", Some((Charset::Utf8, 3))),
            (b"1\0", Some((Charset::Utf16(Little), 0))),
            (b"\x001", Some((Charset::Utf16(Big), 0))),
            (b"\"\0\x2D\x4E\"\0", Some((Charset::Utf16(Little), 0))),
            (b"\xFE\xFF\x001", Some((Charset::Utf16(Big), 2))),
            (b"\xFF\xFE1\0", Some((Charset::Utf16(Little), 2))),
            (b"\xFF\xFE1\0\0\0", Some((Charset::Utf16(Little), 2))),
            (b"\xFF\xFE\0\x001\0\0\0", Some((Charset::Utf32(Little), 4))),
            (b"\0\0\xFE\xFF\0\0\x001", Some((Charset::Utf32(Big), 4))),
            (b"1\0\0\0", Some((Charset::Utf32(Little), 0))),
            (b"\0\0\x001", Some((Charset::Utf32(Big), 0))),
        ];
        for (bytes, expected) in table {
            assert_eq!(json_charset(bytes), expected, "{bytes:?}");
        }
    }
}

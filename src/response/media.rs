//! The media type and the charset that a Content-Type names.

use std::fmt;

use super::Response;
use super::fields::{Parameters, Value, first_word, token};
use crate::headers::{text_of, trim};

/// A media type with its parameters (RFC 9110, section 8.3.1), returned by [`Response::content_type`].
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve(concat!(
/// #     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
/// #     "Content-Type: Text/HTML; Charset=\"UTF-8\"\r\n\r\n",
/// # ));
/// let response = hostpool::get(url).send()?; // Content-Type: Text/HTML; Charset="UTF-8"
/// let media_type = response.content_type().unwrap();
/// assert_eq!(media_type.essence(), "text/html");
/// assert_eq!(media_type.parameter("charset"), Some("UTF-8"));
/// assert!(!media_type.is_json());
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    essence: String,
    slash: usize,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Parses a field. The first `;` may be missing, because some servers leave it out. A list of one type twice is
    /// accepted, because intermediaries combine fields. A list of several types is refused, because none of them can be
    /// relied on.
    pub(crate) fn parse(field: &[u8]) -> Option<MediaType> {
        let (essence, rest) = first_word(field);
        let slash = memchr::memchr(b'/', essence)?;
        let (kind, subtype) = (token(&essence[..slash])?, token(&essence[slash + 1..])?);
        let is_same = |member: &[u8]| first_word(member).0.eq_ignore_ascii_case(essence) || trim(member).is_empty();
        let rest = match trim(rest) {
            [b',', members @ ..] if members.split(|&byte| byte == b',').all(is_same) => b"",
            [b',', ..] => return None,
            parameters => parameters,
        };
        let text = |(name, value): (&[u8], Value<'_>)| {
            (text_of(name).to_ascii_lowercase(), value.without_member(essence).text().into_owned())
        };
        let parameters = Parameters::new(rest).map(text).collect();
        Some(MediaType { slash: kind.len(), essence: format!("{kind}/{subtype}").to_ascii_lowercase(), parameters })
    }

    /// Returns type and subtype in lower case, without the parameters: `text/html`.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// Returns the type in lower case: `text`.
    #[doc(alias = "maintype")]
    pub fn kind(&self) -> &str {
        &self.essence[..self.slash]
    }

    /// Returns the subtype in lower case, with its suffix if it has one: `svg+xml`.
    pub fn subtype(&self) -> &str {
        &self.essence[self.slash + 1..]
    }

    /// Returns the value of a parameter, or the first value if there are several. The case of the name does not matter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns all parameters in order, with names in lower case.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns whether the type is `application/json`, or its subtype ends in `+json` (RFC 6839, section 3.1).
    pub fn is_json(&self) -> bool {
        self.essence == "application/json" || self.subtype().ends_with("+json")
    }
}

impl fmt::Display for MediaType {
    /// Shows the essence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.essence)
    }
}

/// # The type of the body
impl Response {
    /// Returns the media type of the body. Returns `None` if there is no Content-Type, or if it is not a media type.
    ///
    /// See [`MediaType`] for an example.
    pub fn content_type(&self) -> Option<MediaType> {
        self.headers().get_bytes("content-type").and_then(MediaType::parse)
    }

    /// Returns the charset that the Content-Type names, as it is spelled there, whether it is known or not.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve(concat!(
    /// #     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
    /// #     "Content-Type: text/html; charset=UTF-8\r\n\r\n",
    /// # ));
    /// let response = hostpool::get(url).send()?; // Content-Type: text/html; charset=UTF-8
    /// assert_eq!(response.charset(), Some("UTF-8"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "encoding")]
    #[doc(alias = "get_encoding")]
    pub fn charset(&self) -> Option<&str> {
        self.headers().get_bytes("content-type").and_then(charset_of)
    }
}

/// Returns the `charset` parameter of a media type (RFC 9110, section 8.3.2), with or without quotes of either kind,
/// also if the media type itself is not valid.
fn charset_of(content_type: &[u8]) -> Option<&str> {
    let (_, parameters) = first_word(content_type);
    let mut found = Parameters::new(parameters).filter(|(name, _)| name.eq_ignore_ascii_case(b"charset"));
    let (_, value) = found.next()?;
    // A label has no comma: after a comma another value of the field begins.
    let label = value.raw().split(|&byte| byte == b',').next().unwrap_or_default();
    // Single quotes are not quotes by the grammar, but servers send them.
    let label = std::str::from_utf8(label).ok()?.trim_matches(['\'', ' ', '\t']);
    (!label.is_empty()).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The label is found (C7).
    #[test]
    fn charsets() {
        let table = [
            ("text/html", None),
            ("text/html; charset=utf-8", Some("utf-8")),
            ("text/html;a=b;CharSet=\"ISO-8859-1\"", Some("ISO-8859-1")),
            ("text/html; charset = x ", Some("x")),
            ("text/html; charset='utf-8'", Some("utf-8")),
            ("text/html; charset=\"utf-8", Some("utf-8")),
            ("text/html; charset=; charset=x", None),
            ("text/html; charset=\"\"", None),
            ("text/html; charset=a; charset=b", Some("a")),
            ("text/html; x=\"; charset=evil\"; charset=b", Some("b")),
            ("; charset=x", Some("x")),
            ("charset=x", None),
            ("RW-59/a charset=utf-8", Some("utf-8")),
            ("RW-59/a; charset=utf-8, RW-59/a; charset=utf-8", Some("utf-8")),
            ("RW-59/a, RW-59/a; charset=utf-8", Some("utf-8")),
            ("", None),
        ];
        for (content_type, label) in table {
            assert_eq!(charset_of(content_type.as_bytes()), label, "{content_type}");
        }
        let gbk = b"text/plain; charset=gbk; name=\"\xB2\xE2\xCA\xD4.txt\"";
        assert_eq!(charset_of(gbk), Some("gbk"), "RW-50");
        assert_eq!(charset_of(b"text/plain; name=\"\xB2\xE2\"; charset=gbk"), Some("gbk"), "RW-50");
        assert_eq!(charset_of(b"text/plain; charset=\xE9; x=y"), None, "RW-50");
    }

    #[test]
    fn media_types() {
        let table = [
            ("text/html", Some(("text", "html", false))),
            (" Text/HTML ;q=1", Some(("text", "html", false))),
            ("application/json", Some(("application", "json", true))),
            ("APPLICATION/JSON; charset=utf-8", Some(("application", "json", true))),
            ("application/problem+JSON", Some(("application", "problem+json", true))),
            ("image/svg+xml", Some(("image", "svg+xml", false))),
            ("text/json", Some(("text", "json", false))),
            ("application/jsonp", Some(("application", "jsonp", false))),
            ("*/*", Some(("*", "*", false))),
            ("", None),
            ("text", None),
            ("text/", None),
            ("/html", None),
            ("text/html/x", None),
            ("text /html", None),
            ("RW-59/json charset=utf-8", Some(("rw-59", "json", false))),
            ("application/json charset=utf-8", Some(("application", "json", true))),
            ("application/json, application/json", Some(("application", "json", true))),
            ("application/json,Application/JSON; charset=utf-8 ,", Some(("application", "json", true))),
            ("application/json; charset=utf-8, application/json", Some(("application", "json", true))),
            ("text/html, text/plain", None),
            ("application/json, text/html", None),
            (";charset=utf-8", None),
            ("t\u{e9}xt/html", None),
        ];
        for (text, expected) in table {
            let parsed = MediaType::parse(text.as_bytes());
            let found = parsed.as_ref().map(|parsed| (parsed.kind(), parsed.subtype(), parsed.is_json()));
            assert_eq!(found, expected, "{text:?}");
        }
        let parsed = MediaType::parse(b"RW-59/a; charset=utf-8, rw-59/A; charset=b; x=\"1, RW-59/a\"").unwrap();
        assert_eq!(
            parsed.parameters().collect::<Vec<_>>(),
            [("charset", "utf-8"), ("charset", "b"), ("x", "1, RW-59/a")]
        );
        let parsed = MediaType::parse(b"RW-59/a charset=utf-8").unwrap();
        assert_eq!(parsed.parameter("charset"), Some("utf-8"));
        let parsed = MediaType::parse(b"text/plain; charset=gbk; name=\"\xB2\xE2.txt\"").unwrap();
        assert_eq!(
            (parsed.parameter("charset"), parsed.parameter("name")),
            (Some("gbk"), Some("\u{b2}\u{e2}.txt")),
            "RW-50"
        );
        let parsed = MediaType::parse(b"multipart/form-data; Boundary=\"a;b\"; x; boundary=c").unwrap();
        assert_eq!(parsed.parameter("BOUNDARY"), Some("a;b"));
        assert_eq!(parsed.parameters().collect::<Vec<_>>(), [("boundary", "a;b"), ("x", ""), ("boundary", "c")]);
        assert_eq!((parsed.to_string(), parsed.parameter("charset")), ("multipart/form-data".into(), None));
    }
}

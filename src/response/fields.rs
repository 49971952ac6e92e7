//! Parameters behind a field's value: `; name=value; name="value"` (RFC 9110, section 5.6.6).
//!
//! Read as browsers do rather than by the grammar: what is broken is passed over, in time linear in the field's length.

use std::borrow::Cow;

/// Parameters in order, from behind the value they belong to.
#[derive(Clone, Debug)]
pub(super) struct Parameters<'a> {
    rest: &'a str,
    /// Where a list's next member begins: a comma in a Link, and nothing in a field that has one value.
    comma_ends: bool,
}

impl<'a> Parameters<'a> {
    /// `text` begins at the first `;`, or behind it.
    pub(super) fn new(text: &'a str) -> Self {
        Parameters { rest: text, comma_ends: false }
    }

    pub(super) fn of_member(text: &'a str) -> Self {
        Parameters { rest: text, comma_ends: true }
    }

    /// What has not been read; once there are no more parameters that is the next member of the list.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    fn ends(&self, byte: u8) -> bool {
        byte == b';' || (self.comma_ends && byte == b',')
    }

    /// Takes what stands in front of the first byte that is `wanted` or ends a parameter.
    fn take_until(&mut self, wanted: Option<u8>) -> &'a str {
        let len = self.rest.bytes().position(|byte| Some(byte) == wanted || self.ends(byte));
        let (taken, rest) = self.rest.split_at(len.unwrap_or(self.rest.len()));
        self.rest = rest;
        trim(taken)
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.rest = self.rest.trim_start_matches([';', ' ', '\t']);
            if self.rest.is_empty() || (self.comma_ends && self.rest.starts_with(',')) {
                return None;
            }
            let name = self.take_until(Some(b'='));
            let value = match self.rest.strip_prefix('=') {
                None => Value { raw: "", quoted: false },
                Some(rest) => {
                    self.rest = rest.trim_start_matches([' ', '\t']);
                    match self.rest.strip_prefix('"') {
                        None => Value { raw: self.take_until(None), quoted: false },
                        Some(rest) => {
                            let len = quoted_len(rest);
                            self.rest = rest.get(len + 1..).unwrap_or_default();
                            self.take_until(None);
                            Value { raw: &rest[..len], quoted: true }
                        }
                    }
                }
            };
            if !name.is_empty() {
                return Some((name, value));
            }
        }
    }
}

/// A parameter's value, which stood in quotes or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<'a> {
    raw: &'a str,
    quoted: bool,
}

impl<'a> Value<'a> {
    /// What stood there, escapes and all.
    pub(super) fn raw(self) -> &'a str {
        self.raw
    }

    /// The text that is meant.
    pub(super) fn text(self) -> Cow<'a, str> {
        if !self.quoted || !self.raw.contains('\\') {
            return Cow::Borrowed(self.raw);
        }
        let mut text = String::with_capacity(self.raw.len());
        let mut chars = self.raw.chars();
        while let Some(c) = chars.next() {
            text.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
        }
        Cow::Owned(text)
    }

    /// The text of an extended value, `charset'language'percent-encoded` (RFC 8187, section 3.2). `None` if it is not
    /// in UTF-8 or ISO-8859-1, or is broken.
    pub(super) fn extended(self) -> Option<String> {
        let mut parts = self.raw.splitn(3, '\'');
        let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes: Vec<u8> = percent_encoding::percent_decode_str(encoded).collect();
        if charset.eq_ignore_ascii_case("utf-8") {
            return String::from_utf8(bytes).ok();
        }
        charset.eq_ignore_ascii_case("iso-8859-1").then(|| bytes.into_iter().map(char::from).collect())
    }
}

/// Bytes up to the quote that ends a quoted string, or all of them.
fn quoted_len(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
}

/// Without the optional white space around it (RFC 9110, section 5.6.3).
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(crate::headers::is_token_byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters() {
        let table: [(&str, &[(&str, &str)]); 15] = [
            ("", &[]),
            ("; ; ;", &[]),
            ("; a=b", &[("a", "b")]),
            (";a=b;c=d", &[("a", "b"), ("c", "d")]),
            ("; a = b ; c", &[("a", "b"), ("c", "")]),
            ("; a=", &[("a", "")]),
            ("; =b; c=d", &[("c", "d")]),
            ("; a=\"b;c,d\" ; e=f", &[("a", "b;c,d"), ("e", "f")]),
            ("; a=\"b\\\"c\\\\\"; d=e", &[("a", "b\"c\\"), ("d", "e")]),
            ("; a=\"b", &[("a", "b")]),
            ("; a=\"b\\", &[("a", "b\\")]),
            ("; a=\"", &[("a", "")]),
            ("; a=\"b\"junk; c=d", &[("a", "b"), ("c", "d")]),
            ("; a=b c; d=e=f", &[("a", "b c"), ("d", "e=f")]),
            ("; a=b\\c,d", &[("a", "b\\c,d")]),
        ];
        for (text, expected) in table {
            let found: Vec<_> = Parameters::new(text).map(|(name, value)| (name, value.text())).collect();
            let expected: Vec<_> = expected.iter().map(|(name, value)| (*name, Cow::Borrowed(*value))).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn parameters_of_a_list_member() {
        let mut parameters = Parameters::of_member("; a=b, c; d=\"e, f\"");
        assert_eq!(parameters.by_ref().count(), 1);
        assert_eq!(parameters.rest(), ", c; d=\"e, f\"");
    }

    #[test]
    fn extended_values() {
        let table = [
            ("UTF-8''%e2%82%ac%20rates", Some("\u{20ac} rates")),
            ("utf-8'en'a", Some("a")),
            ("iso-8859-1''%A3", Some("\u{a3}")),
            ("UTF-8''%e2%82", None),
            ("UTF-8''%", Some("%")),
            ("UTF-8''a'b", Some("a'b")),
            ("windows-1252''a", None),
            ("UTF-8'a", None),
            ("a", None),
            ("", None),
        ];
        for (raw, expected) in table {
            assert_eq!(Value { raw, quoted: false }.extended().as_deref(), expected, "{raw:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn anything_is_read_to_its_end(text in "[;,=\"\\\\ a\u{e9}'%]{0,40}") {
            let mut parameters = Parameters::new(&text);
            for (name, value) in parameters.by_ref() {
                prop_assert!(!name.is_empty() && value.text().len() <= value.raw().len());
            }
            prop_assert_eq!(parameters.rest(), "");
            let mut parameters = Parameters::of_member(&text);
            let _ = parameters.by_ref().count();
            prop_assert!(parameters.rest().is_empty() || parameters.rest().starts_with(','));
        }
    }
}

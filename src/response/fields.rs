//! Parameters after the value of a field: `; name=value; name="value"` (RFC 9110, section 5.6.6).
//!
//! They are read as browsers do, and not by the grammar: malformed parts are skipped, in time linear in the field's
//! length. Fields are bytes, and each value becomes text by itself, so that a byte in another charset spoils only its
//! own parameter.

use std::borrow::Cow;

use crate::headers::{text_of, trim};

/// The parameters of a field in order.
#[derive(Clone, Debug)]
pub(super) struct Parameters<'a> {
    rest: &'a [u8],
    /// A comma begins the next member of a list, as in a Link field. It is false for a field with one value.
    comma_ends: bool,
}

impl<'a> Parameters<'a> {
    /// Reads a field from its first `;`, or after it.
    pub(super) fn new(field: &'a [u8]) -> Self {
        Parameters { rest: field, comma_ends: false }
    }

    /// Reads the parameters of one member of a list. Single quotes count as quotes: servers write `rel='next'`.
    pub(super) fn of_member(field: &'a [u8]) -> Self {
        Parameters { rest: field, comma_ends: true }
    }

    /// Returns the part that has not been read. After the last parameter it is the next member of the list.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn ends(&self, byte: u8) -> bool {
        byte == b';' || (self.comma_ends && byte == b',')
    }

    /// Takes the bytes before the first byte that is `wanted` or ends a parameter.
    fn take_until(&mut self, wanted: Option<u8>) -> &'a [u8] {
        let len = self.rest.iter().position(|&byte| Some(byte) == wanted || self.ends(byte));
        let (taken, rest) = self.rest.split_at(len.unwrap_or(self.rest.len()));
        self.rest = rest;
        trim(taken)
    }

    fn take_value(&mut self) -> Value<'a> {
        if let Some(rest) = self.rest.strip_prefix(b"\"") {
            let len = quoted_len(rest);
            self.rest = rest.get(len + 1..).unwrap_or_default();
            self.take_until(None);
            return Value { raw: &rest[..len], quoted: true };
        }
        // A single quote without a closing one is an apostrophe.
        if self.comma_ends
            && let Some(rest) = self.rest.strip_prefix(b"'")
            && let Some(len) = memchr::memchr(b'\'', rest)
            && trim_start(&rest[len + 1..]).first().is_none_or(|&byte| self.ends(byte))
        {
            self.rest = &rest[len + 1..];
            self.take_until(None);
            return Value { raw: &rest[..len], quoted: false };
        }
        Value { raw: self.take_until(None), quoted: false }
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let skipped = self.rest.iter().position(|byte| !b"; \t".contains(byte)).unwrap_or(self.rest.len());
            self.rest = &self.rest[skipped..];
            if self.rest.is_empty() || (self.comma_ends && self.rest.starts_with(b",")) {
                return None;
            }
            let name = self.take_until(Some(b'='));
            let value = match self.rest.strip_prefix(b"=") {
                None => Value { raw: b"", quoted: false },
                Some(rest) => {
                    self.rest = trim_start(rest);
                    self.take_value()
                }
            };
            if !name.is_empty() {
                return Some((name, value));
            }
        }
    }
}

/// The value of a parameter, with or without quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<'a> {
    raw: &'a [u8],
    quoted: bool,
}

impl<'a> Value<'a> {
    /// Returns the value as it was sent, with its escapes.
    pub(super) fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Returns the value up to a comma that `member` follows: there the next member begins, in a field that should not
    /// be a list.
    pub(super) fn without_member(self, member: &[u8]) -> Value<'a> {
        let is_member = |&at: &usize| {
            let next = trim_start(&self.raw[at + 1..]);
            next.get(..member.len()).is_some_and(|front| front.eq_ignore_ascii_case(member))
        };
        let end = memchr::memchr_iter(b',', self.raw).find(is_member).filter(|_| !self.quoted);
        Value { raw: trim(&self.raw[..end.unwrap_or(self.raw.len())]), ..self }
    }

    /// Returns the value as text, without escapes.
    pub(super) fn text(self) -> Cow<'a, str> {
        let text = text_of(self.raw);
        if !self.quoted || !text.contains('\\') {
            return text;
        }
        let mut plain = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            plain.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
        }
        Cow::Owned(plain)
    }

    /// Returns the text of an extended value, `charset'language'percent-encoded` (RFC 8187, section 3.2). Returns
    /// `None` if it is malformed, or not in UTF-8 or ISO-8859-1.
    pub(super) fn extended(self) -> Option<String> {
        let mut parts = self.raw.splitn(3, |&byte| byte == b'\'');
        let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes: Vec<u8> = percent_encoding::percent_decode(encoded).collect();
        if charset.eq_ignore_ascii_case(b"utf-8") {
            return String::from_utf8(bytes).ok();
        }
        charset.eq_ignore_ascii_case(b"iso-8859-1").then(|| bytes.into_iter().map(char::from).collect())
    }
}

/// Returns parameters with names in lower case and values as text. The values of names with a `*` are decoded (RFC
/// 8187), and left out if that fails.
pub(super) fn texts<'a>(parameters: impl Iterator<Item = (&'a [u8], Value<'a>)>) -> Vec<(String, String)> {
    let texts = parameters.filter_map(|(name, value)| {
        let text = if name.ends_with(b"*") { value.extended()? } else { value.text().into_owned() };
        Some((text_of(name).to_ascii_lowercase(), text))
    });
    texts.collect()
}

/// Returns the number of bytes before the quote that ends a quoted string. Without such a quote it is all bytes.
fn quoted_len(field: &[u8]) -> usize {
    let mut escaped = false;
    let end = field.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(field.len())
}

fn trim_start(field: &[u8]) -> &[u8] {
    let blanks = field.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
    &field[blanks..]
}

/// Splits a field where its first word ends: at white space, `;` or `,`.
pub(super) fn first_word(field: &[u8]) -> (&[u8], &[u8]) {
    let field = trim(field);
    field.split_at(field.iter().position(|byte| b"; \t,".contains(byte)).unwrap_or(field.len()))
}

/// Returns the field as text if it is a token.
pub(super) fn token(field: &[u8]) -> Option<&str> {
    let is_token = !field.is_empty() && field.iter().all(|&byte| crate::headers::is_token_byte(byte));
    // The bytes of a token are ASCII.
    if is_token { std::str::from_utf8(field).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters() {
        let table: [(&str, &[(&str, &str)]); 17] = [
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
            ("; a='b'", &[("a", "'b'")]),
            (" a=b", &[("a", "b")]),
        ];
        for (text, expected) in table {
            let found: Vec<_> = Parameters::new(text.as_bytes()).map(|(name, value)| (name, value.text())).collect();
            let expected: Vec<_> =
                expected.iter().map(|(name, value)| (name.as_bytes(), Cow::Borrowed(*value))).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn parameters_of_a_list_member() {
        let mut parameters = Parameters::of_member(b"; a=b, c; d=\"e, f\"");
        assert_eq!(parameters.by_ref().count(), 1);
        assert_eq!(parameters.rest(), b", c; d=\"e, f\"");
        for (text, expected) in [
            ("RW-55 ; a='b'", "b"),
            ("RW-55 ; a='b, c; d' ; e=f", "b, c; d"),
            ("RW-55 ; a='b'c", "'b'c"),
            ("RW-55 ; a='b", "'b"),
            ("RW-55 ; a=it's", "it's"),
            ("RW-55 ; a='', b", ""),
        ] {
            let mut parameters = Parameters::of_member(&text.as_bytes()["RW-55 ".len()..]);
            assert_eq!(parameters.next().unwrap().1.text(), expected, "{text}");
        }
    }

    /// Row RW-50: each value is text by itself.
    #[test]
    fn bytes_of_other_charsets() {
        let field = b"; a=\"\xC3\xA4\"; b=\"\xE4;\"; \xFF=c; d=\xB2\xE2\xCA\xD4; e=f";
        let expected = ["a=\u{e4}", "b=\u{e4};", "\u{ff}=c", "d=\u{b2}\u{e2}\u{ca}\u{d4}", "e=f"];
        let found = texts(Parameters::new(field)).into_iter().map(|(name, value)| format!("{name}={value}"));
        assert_eq!(found.collect::<Vec<_>>(), expected, "RW-50");
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
            assert_eq!(Value { raw: raw.as_bytes(), quoted: false }.extended().as_deref(), expected, "{raw:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn anything_is_read_to_its_end(text in "[;,=\"\\\\ a\u{e9}'%]{0,40}") {
            let mut parameters = Parameters::new(text.as_bytes());
            for (name, value) in parameters.by_ref() {
                prop_assert!(!name.is_empty() && value.text().len() <= value.raw().len());
            }
            prop_assert_eq!(parameters.rest(), b"");
            let mut parameters = Parameters::of_member(text.as_bytes());
            let _ = parameters.by_ref().count();
            prop_assert!(parameters.rest().is_empty() || parameters.rest().starts_with(b","));
        }
    }
}

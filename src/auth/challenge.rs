//! Challenges: schemes with their parameters, as WWW-Authenticate lists them (RFC 9110, sections 11.3 and 11.6.1).
//!
//! A comma separates challenges as well as parameters, so only what follows a word tells whether it is a scheme. No
//! byte is read twice: the work is linear in the length of the field.

use std::borrow::Cow;

use crate::headers::is_token_byte;

/// A part of a field, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// A challenge begins.
    Scheme(&'a [u8]),
    /// The argument of the scheme, which is a single word.
    Token68(&'a [u8]),
    /// A parameter of the latest challenge. Quotes and backslashes are removed from the value.
    Param(&'a [u8], Cow<'a, [u8]>),
    /// Something else, up to a comma: the challenge is not valid as a whole.
    Broken,
}

/// The items of one field.
#[derive(Clone, Debug)]
pub(crate) struct Items<'a> {
    rest: &'a [u8],
    /// Whether a scheme was read and something other than a comma follows it.
    argument: bool,
}

impl<'a> Items<'a> {
    pub(crate) fn new(field: &'a [u8]) -> Items<'a> {
        Items { rest: field, argument: false }
    }

    /// Takes as many such bytes as there are.
    fn front(&mut self, is_part: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = self.rest.iter().position(|&byte| !is_part(byte)).unwrap_or(self.rest.len());
        let (front, rest) = self.rest.split_at(len);
        self.rest = rest;
        front
    }

    fn skip_space(&mut self) {
        self.front(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn is_at_end(&self) -> bool {
        matches!(self.rest, [] | [b',', ..])
    }

    /// Takes a single word up to a comma. Its padding tells it from a parameter.
    fn token68(&mut self) -> Option<&'a [u8]> {
        let mut ahead = self.clone();
        let word = ahead.front(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        let padding = ahead.front(|byte| byte == b'=');
        let whole = &self.rest[..word.len() + padding.len()];
        ahead.skip_space();
        if word.is_empty() || !ahead.is_at_end() {
            return None;
        }
        *self = ahead;
        Some(whole)
    }

    /// Takes what follows the name of a parameter.
    fn param(&mut self, name: &'a [u8]) -> Item<'a> {
        self.skip_space();
        let [b'=', rest @ ..] = self.rest else { return self.broken() };
        self.rest = rest;
        self.skip_space();
        if let [b'"', rest @ ..] = self.rest {
            self.rest = rest;
            return match self.quoted() {
                Some(value) => Item::Param(name, value),
                None => self.broken(),
            };
        }
        // The rule demands a token, but cameras and routers leave out the quotes of other values, such as a nonce in
        // Base64.
        match self.front(|byte| !matches!(byte, b',' | b' ' | b'\t' | b'"')) {
            [] => self.broken(),
            value => Item::Param(name, Cow::Borrowed(value)),
        }
    }

    /// Takes the text up to the closing quote. Returns `None` if there is none.
    fn quoted(&mut self) -> Option<Cow<'a, [u8]>> {
        let front = self.front(|byte| byte != b'"' && byte != b'\\');
        let mut value = Cow::Borrowed(front);
        loop {
            match self.rest {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    return Some(value);
                }
                [b'\\', escaped, rest @ ..] => {
                    self.rest = rest;
                    value.to_mut().push(*escaped);
                    let more = self.front(|byte| byte != b'"' && byte != b'\\');
                    value.to_mut().extend_from_slice(more);
                }
                _ => {
                    self.rest = &[];
                    return None;
                }
            }
        }
    }

    /// Skips to the next comma outside quotes.
    fn broken(&mut self) -> Item<'a> {
        loop {
            self.front(|byte| byte != b',' && byte != b'"');
            match self.rest {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    self.quoted();
                }
                _ => return Item::Broken,
            }
        }
    }
}

/// Returns the names of the schemes that the fields offer, each once.
pub(crate) fn schemes<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut names = Vec::new();
    for item in fields.flat_map(Items::new) {
        let Item::Scheme(scheme) = item else { continue };
        let name = String::from_utf8_lossy(scheme).into_owned();
        // The names are shown in an error, and their number is the peer's.
        if !names.contains(&name) && names.len() < 8 {
            names.push(name);
        }
    }
    names
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if std::mem::take(&mut self.argument)
            && let Some(word) = self.token68()
        {
            return Some(Item::Token68(word));
        }
        self.front(|byte| matches!(byte, b' ' | b'\t' | b','));
        if self.rest.is_empty() {
            return None;
        }
        let word = self.front(is_token_byte);
        let before = self.rest.len();
        self.skip_space();
        let spaced = self.rest.len() < before;
        Some(match self.rest {
            _ if word.is_empty() => self.broken(),
            [b'=', ..] => self.param(word),
            [] | [b',', ..] => Item::Scheme(word),
            _ if spaced => {
                self.argument = true;
                Item::Scheme(word)
            }
            _ => self.broken(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(field: &[u8]) -> String {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let items = Items::new(field).map(|item| match item {
            Item::Scheme(name) => format!("[{}]", text(name)),
            Item::Token68(word) => format!("<{}>", text(word)),
            Item::Param(name, value) => format!("{}={}", text(name), text(&value)),
            Item::Broken => "?".to_owned(),
        });
        items.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_fields_say() {
        let table: &[(&str, &[u8], &str)] = &[
            ("one", b"Basic realm=\"x\"", "[Basic] realm=x"),
            ("scheme alone", b"Negotiate", "[Negotiate]"),
            ("token68", b"Negotiate abc+/==", "[Negotiate] <abc+/==>"),
            (
                "RFC 9110 11.6.1",
                b"Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\"",
                "[Basic] realm=simple [Newauth] realm=apps type=1 title=Login to \\\"apps\\\"",
            ),
            ("several", b"A, B x, C y=1 , D", "[A] [B] <x> [C] y=1 [D]"),
            ("empty elements", b", ,A ,, x=1,,", "[A] x=1"),
            ("space round =", b"A x = 1, y\t=\t\"2\"", "[A] x=1 y=2"),
            ("comma in quotes", b"A x=\"1, B y=2\", z=3", "[A] x=1, B y=2 z=3"),
            ("E9 backslash", b"A x=\"a\\\\b\\\"c\\d\", y=1", "[A] x=a\\\\b\\\"cd y=1"),
            ("empty value", b"A x=\"\", y=1", "[A] x= y=1"),
            ("not quoted", b"A x=ab/cd==, y=/a?b", "[A] x=ab/cd== y=/a?b"),
            ("no commas", b"A x=\"1\" y=\"2\"", "[A] x=1 y=2"),
            ("bytes above 0x7f", b"A x=\"\xe9\"", "[A] x=\\xe9"),
            ("parameters alone", b"nextnonce=\"n\", qop=auth", "nextnonce=n qop=auth"),
            ("open quotes", b"A x=\"1, y=2", "[A] ?"),
            ("backslash at the end", b"A x=\"1\\", "[A] ?"),
            ("no value", b"A x=1, y=, z=2", "[A] x=1 ? z=2"),
            ("garbage", b"A x=1, (\"a,b\") , B", "[A] x=1 ? [B]"),
            ("garbage behind a word", b"A/1, B", "? [B]"),
            ("nothing", b"", ""),
        ];
        for (row, field, expected) in table {
            assert_eq!(shown(field), *expected, "{row}");
        }
    }

    /// Each field costs as many steps as it has bytes. If bytes were read again for each comma or quote, this would
    /// take hours.
    #[test]
    fn long_fields() {
        for (row, unit) in [
            ("A11.7 commas", &b","[..]),
            ("A11.7 0xA0", b"\xa0"),
            ("both", b"\xa0,"),
            ("words", b"a "),
            ("open quotes", b"a=\"\\\","),
            ("parameters", b"a=b,"),
            ("padding", b"A a=,"),
            ("schemes", b"A b c,"),
        ] {
            let field = unit.repeat((1 << 20) / unit.len());
            assert!(Items::new(&field).count() <= field.len(), "{row}");
        }
    }
}

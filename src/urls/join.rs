//! Resolves references, as in Location and Link fields, against the URL of the response.

use super::{InvalidUrl, MAX_LEN, Url, is_white_space};

impl Url {
    /// Resolves `reference` against this URL (RFC 3986, section 5.2, and the WHATWG URL standard, which also reads
    /// backslashes as slashes).
    ///
    /// An absolute reference is [parsed](Self::parse) as it is. Of a relative reference the path, the query and the
    /// fragment are kept as they are written, but dot segments in the path are resolved, and bytes that may not be sent
    /// are encoded. The user name and password of this URL stay with its host.
    ///
    /// Fails as [`parse`](Self::parse) does: the same rules hold for an authority after `//`. `http:path` and
    /// `http:/path` at an `http` URL are paths; an empty authority (`///host`, `http:///host`) is refused.
    ///
    /// ```
    /// # use hostpool::Url;
    /// let url = Url::parse("http://example.com/a/b?x=1")?;
    /// assert_eq!(url.join("../c?y='%2f'")?.as_str(), "http://example.com/c?y='%2f'");
    /// assert_eq!(url.join("?y=2")?.as_str(), "http://example.com/a/b?y=2");
    /// assert_eq!(url.join("//example.org/d")?.as_str(), "http://example.org/d");
    /// assert!(url.join("mailto:someone@example.com").is_err());
    /// # Ok::<(), hostpool::InvalidUrl>(())
    /// ```
    #[doc(alias = "urljoin")]
    pub fn join(&self, reference: &str) -> Result<Url, InvalidUrl> {
        if reference.len() > MAX_LEN {
            return Err(InvalidUrl::TooLong);
        }
        let reference = reference.trim_matches(is_white_space);
        if reference.starts_with(|c: char| c.is_ascii_control()) || reference.ends_with(|c: char| c.is_ascii_control())
        {
            return Err(InvalidUrl::ControlCharacter);
        }
        // The standard drops these before anything else, so `/<tab>/host` is `//host`.
        let reference = reference.replace(['\t', '\n', '\r'], "");
        let is_special = !self.origin.kind().is_unix();
        let is_slash = |c: char| c == '/' || c == '\\';
        let relative = match scheme_of(&reference) {
            None => &*reference,
            // `http:path` at an http URL is relative (WHATWG URL standard, scheme state).
            Some((scheme, rest))
                if is_special && scheme.eq_ignore_ascii_case(self.origin.scheme()) && !rest.starts_with("//") =>
            {
                rest
            }
            Some(_) => return Url::parse(&reference),
        };
        if let Some(rest) = relative.strip_prefix(is_slash).and_then(|rest| rest.strip_prefix(is_slash)) {
            // RFC 3986 reads a third slash as the path after an empty host; the URL standard ignores it.
            if is_special && rest.starts_with(is_slash) {
                return Err(InvalidUrl::NoHost);
            }
            return Url::parse(&[self.origin.scheme(), "://", rest].concat());
        }
        self.join_relative(&reference, relative)
    }

    /// Resolves a reference without an authority. `relative` is `reference` without its scheme.
    fn join_relative(&self, reference: &str, relative: &str) -> Result<Url, InvalidUrl> {
        let target = &self.text[..self.fragment_start as usize];
        let front = match relative.as_bytes().first() {
            None | Some(b'#') => target.to_owned(),
            Some(b'?') => target.split('?').next().unwrap_or_default().to_owned(),
            Some(_) => {
                let joined = url::Url::from(self).join(reference).map_err(InvalidUrl::from_parser)?;
                [&self.text[..self.authority_end as usize], joined.path()].concat()
            }
        };
        let behind = relative.find(['?', '#']).unwrap_or(relative.len());
        let text = [&*front, &relative[behind..]].concat();
        if text.len() > MAX_LEN {
            return Err(InvalidUrl::TooLong);
        }
        Ok(self.with_text(text.into()))
    }
}

/// Splits a scheme (RFC 3986, section 3.1) from what follows its colon.
fn scheme_of(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some((scheme, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn references() {
        let base = "http://u:p@h:81/a/b%2fc/d?q=1#f";
        let table = [
            ("", "http://u:p@h:81/a/b%2fc/d?q=1"),
            (" \t\n", "http://u:p@h:81/a/b%2fc/d?q=1"),
            ("#", "http://u:p@h:81/a/b%2fc/d?q=1#"),
            ("#g?h#i", "http://u:p@h:81/a/b%2fc/d?q=1#g?h#i"),
            ("?", "http://u:p@h:81/a/b%2fc/d?"),
            ("?r='\"|&%2f%zz", "http://u:p@h:81/a/b%2fc/d?r='\"|&%2f%zz"),
            ("e", "http://u:p@h:81/a/b%2fc/e"),
            ("e?r#g", "http://u:p@h:81/a/b%2fc/e?r#g"),
            (" e ", "http://u:p@h:81/a/b%2fc/e"),
            ("./e", "http://u:p@h:81/a/b%2fc/e"),
            ("..", "http://u:p@h:81/a/"),
            ("../../../../e", "http://u:p@h:81/e"),
            ("%2E%2e/e", "http://u:p@h:81/a/e"),
            ("./x:y", "http://u:p@h:81/a/b%2fc/x:y"),
            ("1:y", "http://u:p@h:81/a/b%2fc/1:y"),
            ("/e//f;g=[1]~%2F%41", "http://u:p@h:81/e//f;g=[1]~%2F%41"),
            ("/e/../f/.", "http://u:p@h:81/f/"),
            ("/\u{e9} {}", "http://u:p@h:81/%C3%A9%20%7B%7D"),
            ("/a\tb", "http://u:p@h:81/ab"),
            ("\\e\\..\\f", "http://u:p@h:81/f"),
            ("/?\\", "http://u:p@h:81/?\\"),
            ("http:e", "http://u:p@h:81/a/b%2fc/e"),
            ("HTTP:/e", "http://u:p@h:81/e"),
            ("http:x:y?z", "http://u:p@h:81/a/b%2fc/x:y?z"),
            ("http:?r", "http://u:p@h:81/a/b%2fc/d?r"),
            ("//i", "http://i"),
            ("//i:82/j?k#l", "http://i:82/j?k#l"),
            ("/\\i/j", "http://i/j"),
            ("http:\\\\i/j", "http://i/j"),
            ("/\t/i", "http://i"),
            ("http://i/a/../b%2f'\"", "http://i/a/../b%2f'\""),
            ("HTTPS://I:443/", "HTTPS://I:443/"),
        ];
        let base = Url::parse(base).unwrap();
        for (reference, expected) in table {
            let joined = base.join(reference).unwrap_or_else(|error| panic!("{reference:?}: {error}"));
            assert_eq!(joined.as_str(), expected, "{reference:?}");
            let parsed = Url::parse(expected).unwrap();
            assert_eq!((joined.origin(), joined.target()), (parsed.origin(), parsed.target()), "{reference:?}");
            assert_eq!(joined.fragment(), parsed.fragment(), "{reference:?}");
        }
        assert_eq!(base.join("/p q|^\\\u{e9}").unwrap().target(), "/p%20q%7C%5E/%C3%A9");
        // The parts that are kept of the base are kept as they are written.
        let written = Url::parse("http://h/a/../{b}\\c?d").unwrap();
        assert_eq!(written.join("?e").unwrap().as_str(), "http://h/a/../{b}\\c?e");
        assert_eq!(written.join("#f").unwrap().as_str(), "http://h/a/../{b}\\c?d#f");
    }

    #[test]
    fn refused_references() {
        use InvalidUrl::*;
        let table = [
            ("mailto:a@b", UnsupportedScheme),
            ("javascript:alert(1)", UnsupportedScheme),
            ("java\tscript:alert(1)", UnsupportedScheme),
            ("ftp://h/", UnsupportedScheme),
            ("//", NoHost),
            ("/\\", NoHost),
            ("///i/j", NoHost),
            ("\\\\\\/i/j", NoHost),
            ("http:///i", NoHost),
            ("h:2#", NoScheme),
            ("https:i/j", NoHost),
            ("https:/i/j", NoHost),
            ("/a\0", ControlCharacter),
            ("\u{1b}/a", ControlCharacter),
            ("//h:0/", Port),
            ("//h:x/", Port),
            ("//0x7f.1/", NumericHost),
            ("//a@b@c/", Authority),
            ("//a b/", Authority),
            ("//good\\@evil/", Authority),
            ("https:\\\\h/", Authority),
            ("http+unix:x", SocketPath),
        ];
        let base = Url::parse("http://h/a").unwrap();
        for (reference, expected) in table {
            assert_eq!(base.join(reference).map(|url| url.to_string()), Err(expected), "{reference:?}");
        }
        for long in ["a", "/", "?", "#", "//h/"] {
            assert_eq!(base.join(&format!("{long}{}", "a".repeat(MAX_LEN - long.len()))).err(), Some(TooLong));
        }
    }

    #[test]
    fn references_at_a_socket() {
        let table = [
            ("http+unix://%2Frun%2Fa.sock/v1/x?q", "y", "http+unix://%2Frun%2Fa.sock/v1/y", "/v1/y"),
            ("http+unix://%2Frun%2Fa.sock", "y", "http+unix://%2Frun%2Fa.sock/y", "/y"),
            ("http+unix://%2Frun%2Fa.sock/v1", "/y?z", "http+unix://%2Frun%2Fa.sock/y?z", "/y?z"),
            ("http+unix://%2Frun%2Fa.sock/v1", "\\y", "http+unix://%2Frun%2Fa.sock/y", "/y"),
            ("http+unix://%2Frun%2Fa.sock/v1", "//b/y", "http+unix://b/y", "/y"),
            ("http+unix://%2Frun%2Fa.sock/v1", "http://h/y", "http://h/y", "/y"),
        ];
        for (base, reference, text, target) in table {
            let joined = Url::parse(base).unwrap().join(reference).unwrap();
            assert_eq!((joined.as_str(), &*joined.target()), (text, target), "{reference:?}");
        }
        assert_eq!(Url::parse("http+unix://a/v1").unwrap().join("///y"), Err(InvalidUrl::SocketPath));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The `url` crate reads each accepted reference in the same way.
        #[test]
        fn as_the_parser_resolves_them(reference in "(https?:|//|/\\\\|)[/\\\\.:?#ah%2e@ \t\u{e9}]{0,12}") {
            for base in ["http://b/c/./d/e?f#g", "https://u:p@b:81", "http+unix://%2Fs/c/d"] {
                let base = Url::parse(base).unwrap();
                match (base.join(&reference), url::Url::from(&base).join(&reference)) {
                    (Ok(ours), Ok(theirs)) => prop_assert_eq!(url::Url::from(&ours), theirs, "{} at {}", reference, base),
                    (Ok(ours), Err(error)) => prop_assert!(false, "{} at {}: {} and {}", reference, base, ours, error),
                    (Err(error), _) => {
                        let allowed = match error {
                            // A host and a port, without a scheme.
                            InvalidUrl::NoScheme => reference.contains(':'),
                            error => error != InvalidUrl::TooLong,
                        };
                        prop_assert!(allowed, "{} at {}: {}", reference, base, error);
                    }
                }
            }
        }
    }
}

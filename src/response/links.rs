//! Links of a response to other resources (RFC 8288).

use super::Response;
use super::fields::{Parameters, texts};
use crate::headers::trim;
use crate::redirect;
use crate::urls::Url;

/// The most links that are read from one response. Each link may be as long as the URL that it is relative to.
const MOST: usize = 256;

/// A link of a response to another resource, returned by [`Response::links`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    url: Url,
    parameters: Vec<(String, String)>,
}

impl Link {
    /// Returns the target of the link.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the relation types of the link as they are spelled: `next`, `prev`, `stylesheet` and others. Only the
    /// first `rel` counts (RFC 8288, section 3.3).
    pub fn rel(&self) -> impl Iterator<Item = &str> {
        self.parameter("rel").unwrap_or_default().split_ascii_whitespace()
    }

    /// Returns whether the link has this relation type. Case does not matter.
    pub fn has_rel(&self, kind: &str) -> bool {
        self.rel().any(|rel| rel.eq_ignore_ascii_case(kind))
    }

    /// Returns the value of a parameter: `title`, `type`, `hreflang`, `media`, `anchor` and others. The case of the
    /// name does not matter. A name with a `*` is a parameter of its own, and its value is decoded (RFC 8187).
    ///
    /// A link with an `anchor` does not start at this response, but at the resource that the anchor names.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns all parameters in order, with names in lower case.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// # Links
impl Response {
    /// Returns the links of all Link fields in order. Relative links are resolved against the [`url`](Self::url).
    ///
    /// Links that are malformed or that this client cannot use, such as `mailto:`, are left out, and so are all after
    /// the first 256.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve(concat!(
    /// #     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
    /// #     "Link: <?page=3>; rel=\"next\", <?page=9>; rel=last\r\n\r\n",
    /// # ));
    /// let response = hostpool::get(url).send()?; // Link: <?page=3>; rel="next", <?page=9>; rel=last
    /// let next = response.links().into_iter().find(|link| link.has_rel("next")).unwrap();
    /// assert_eq!(next.url().target(), "/?page=3");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn links(&self) -> Vec<Link> {
        let fields = self.headers().values("link").flat_map(|field| Members { rest: field });
        let links = fields.take(MOST).filter_map(|(target, parameters)| {
            let url = self.url().join(&redirect::text(target)).ok()?;
            Some(Link { url, parameters: texts(parameters) })
        });
        links.collect()
    }
}

/// The members of a Link field, each with its target and parameters.
struct Members<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], Parameters<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let skipped = self.rest.iter().position(|byte| !b", \t".contains(byte))?;
            self.rest = &self.rest[skipped..];
            let (target, after) = match self.rest.strip_prefix(b"<") {
                Some(rest) => match target_len(rest) {
                    Ok(len) => (Some(trim(&rest[..len])), &rest[len + 1..]),
                    // The end of this member is not known, so continue at the next target.
                    Err(len) => {
                        let next = memchr::memchr(b'<', &rest[len..])?;
                        self.rest = &rest[len + next..];
                        continue;
                    }
                },
                // Skip text that is not a member, up to the next member.
                None => (None, self.rest),
            };
            let parameters = Parameters::of_member(after);
            let mut end = parameters.clone();
            end.by_ref().for_each(drop);
            self.rest = end.rest();
            if let Some(target) = target {
                return Some((target, parameters));
            }
        }
    }
}

/// Returns the number of bytes before the `>` that ends a target. Fails with the number of bytes before a `<`, a `"` or
/// inner white space, which no target has. Servers that escape a `>` for HTML send such (RFC 3986, appendix C).
fn target_len(field: &[u8]) -> Result<usize, usize> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = field.iter().position(|byte| !is_blank(byte)).unwrap_or(field.len());
    let stop = field[start..].iter().position(|byte| b"<>\" \t".contains(byte)).map_or(field.len(), |at| start + at);
    let end = field[stop..].iter().position(|byte| !is_blank(byte)).map_or(field.len(), |at| stop + at);
    if field.get(end) == Some(&b'>') { Ok(end) } else { Err(end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members() {
        let table: [(&str, &[(&str, &str)]); 23] = [
            ("", &[]),
            (", ,", &[]),
            ("<a>", &[("a", "")]),
            ("<a>; rel=next", &[("a", "next")]),
            ("<a>;rel=\"next last\",<b>;rel=prev", &[("a", "next last"), ("b", "prev")]),
            ("<a,b;c>; title=\"x, <y>; rel=z\"; rel=next", &[("a,b;c", "next")]),
            ("<a>; rel=x; rel=y", &[("a", "x")]),
            ("<>; rel=self", &[("", "self")]),
            ("a; rel=x, <b>; rel=y", &[("b", "y")]),
            ("<a; rel=x", &[]),
            ("<a> junk ; rel=x, <b>", &[("a", "x"), ("b", "")]),
            ("<a>; rel=\"x", &[("a", "x")]),
            ("< a >; REL=x", &[("a", "x")]),
            ("<a>; rel=x,,,<b>; rel=y,", &[("a", "x"), ("b", "y")]),
            ("<h/v1&gt; rel=\"latest\", <h/items?page=2>; rel=\"next\"", &[("h/items?page=2", "next")]),
            ("<a b>; rel=x, <c>; rel=y", &[("c", "y")]),
            ("<a\"b>; rel=x, <c>; rel=y", &[("c", "y")]),
            ("<a<b>; rel=x", &[("b", "x")]),
            ("<a b>, <c d>, <e", &[]),
            ("<a >; rel=x", &[("a", "x")]),
            ("<a>; rel='next'", &[("a", "next")]),
            ("<a>; rel='next', <b>; rel='prev'; title='x, <y>'", &[("a", "next"), ("b", "prev")]),
            ("<a>; title=it's; rel=x, <b>; title='t; rel=y", &[("a", "x"), ("b", "y")]),
        ];
        for (field, expected) in table {
            let found: Vec<_> = Members { rest: field.as_bytes() }
                .map(|(target, mut parameters)| {
                    let rel = parameters.find(|(name, _)| name.eq_ignore_ascii_case(b"rel"));
                    (target, rel.map_or("".into(), |(_, value)| value.text()))
                })
                .collect();
            let expected: Vec<_> = expected.iter().map(|(url, rel)| (url.as_bytes(), (*rel).into())).collect();
            assert_eq!(found, expected, "RW-55 {field}");
        }
        // Each byte is looked at a few times, not once for every member.
        for unit in ["<a ", "<", "<a", "<a>; rel='", "<a>; x=\"", ","] {
            assert!(Members { rest: unit.repeat((1 << 20) / unit.len()).as_bytes() }.count() <= 1 << 20);
        }
    }
}

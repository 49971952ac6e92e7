//! Links of a response to other resources (RFC 8288).

use super::Response;
use super::fields::Parameters;
use crate::url::Url;

/// More links of one response are not looked at: each is as long as the URL it is relative to.
const MOST: usize = 256;

/// A link of a response to another resource, as [`Response::links`] gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    url: Url,
    parameters: Vec<(String, String)>,
}

impl Link {
    /// What it links to.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The types of relation it is of: `next`, `prev`, `stylesheet` and others, as they are spelled. The first `rel`
    /// counts (RFC 8288, section 3.3).
    pub fn rel(&self) -> impl Iterator<Item = &str> {
        self.parameter("rel").unwrap_or_default().split_ascii_whitespace()
    }

    /// Whether it is of that type of relation; case does not matter.
    pub fn has_rel(&self, kind: &str) -> bool {
        self.rel().any(|rel| rel.eq_ignore_ascii_case(kind))
    }

    /// The value of another parameter, by its name in any case: `title`, `type`, `hreflang`, `media`, `anchor`. Names
    /// with a `*` are parameters of their own, decoded (RFC 8187).
    ///
    /// With an `anchor` the link is not one from this response, but from what that names.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All parameters in order, names in lower case.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Response {
    /// The links of all Link fields in order, relative ones resolved against the [`url`](Self::url).
    ///
    /// Those to what is no URL for this client, such as `mailto:`, are left out, and so is what is malformed, and all
    /// behind the first 256.
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
        let fields = self.headers().get_all("link").flat_map(|field| Members { rest: field });
        let links = fields.take(MOST).filter_map(|(target, parameters)| {
            let url = self.url().join(target).ok()?;
            let parameters = parameters.filter_map(|(name, value)| {
                let text = if name.ends_with('*') { value.extended()? } else { value.text().into_owned() };
                Some((name.to_ascii_lowercase(), text))
            });
            Some(Link { url, parameters: parameters.collect() })
        });
        links.collect()
    }
}

/// The members of a Link field: a target, and its parameters.
struct Members<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Parameters<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.rest = self.rest.trim_start_matches([',', ' ', '\t']);
            let (target, behind) = match self.rest.strip_prefix('<') {
                // Without a `>` there is no member in all the rest.
                Some(rest) => rest.split_once('>').map(|(target, behind)| (Some(target), behind))?,
                None if self.rest.is_empty() => return None,
                // What is no member is passed over up to where the next begins.
                None => (None, self.rest),
            };
            let parameters = Parameters::of_member(behind);
            let mut end = parameters.clone();
            end.by_ref().for_each(drop);
            self.rest = end.rest();
            if let Some(target) = target {
                return Some((target, parameters));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members() {
        let table: [(&str, &[(&str, &str)]); 14] = [
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
            ("< a >; REL=x", &[(" a ", "x")]),
            ("<a>; rel=x,,,<b>; rel=y,", &[("a", "x"), ("b", "y")]),
        ];
        for (field, expected) in table {
            let found: Vec<_> = Members { rest: field }
                .map(|(target, mut parameters)| {
                    let rel = parameters.find(|(name, _)| name.eq_ignore_ascii_case("rel"));
                    (target, rel.map_or("".into(), |(_, value)| value.text()))
                })
                .collect();
            assert_eq!(found, expected.iter().map(|(url, rel)| (*url, (*rel).into())).collect::<Vec<_>>(), "{field}");
        }
    }
}

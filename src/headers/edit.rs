//! Changes that depend on the existing fields: defaults, joined values, and merges.

use super::convert::sealed::Name;
use super::{Fault, Field, Headers, IntoHeaderName, IntoHeaderValue, IntoHeaders, InvalidHeader, Span, caseless};

impl Headers {
    /// Makes fields of pairs, in their order, or of any other [`IntoHeaders`]. Fails as [`append`](Self::append) does.
    ///
    /// ```
    /// use hostpool::Headers;
    ///
    /// let headers = Headers::from_pairs([("Accept", "text/html"), ("DNT", "1")])?;
    /// assert_eq!(headers.get("dnt"), Some("1"));
    /// # Ok::<(), hostpool::InvalidHeader>(())
    /// ```
    pub fn from_pairs(pairs: impl IntoHeaders) -> Result<Headers, InvalidHeader> {
        let mut headers = Headers::new();
        headers.append_all(pairs)?;
        Ok(headers)
    }

    /// Appends to the last value of that name after `, `, as one more element of a list (RFC 9110, section 5.6.1).
    /// Without a field of that name it adds one. If one of the values is empty, no comma is added. Do not use it for
    /// `Set-Cookie`, whose values contain commas. Fails as [`append`](Self::append) does; then nothing has changed.
    ///
    /// ```
    /// use hostpool::Headers;
    ///
    /// let mut headers = Headers::new();
    /// headers.append_combined("Accept", "text/html")?;
    /// headers.append_combined("accept", "text/plain")?;
    /// assert_eq!(headers.get("Accept"), Some("text/html, text/plain"));
    /// # Ok::<(), hostpool::InvalidHeader>(())
    /// ```
    #[doc(alias = "add")]
    pub fn append_combined(
        &mut self,
        name: impl IntoHeaderName,
        value: impl IntoHeaderValue,
    ) -> Result<(), InvalidHeader> {
        let mut checked = Headers::new();
        checked.append_pair(&name, &value)?;
        let name = Name::name(&name);
        let Some(place) = self.fields.iter().rposition(|field| self.is_named(field, name)) else {
            return self.append_all(checked);
        };
        let added = checked.get_bytes(name).unwrap_or_default();
        let Span { start, len } = self.fields[place].value();
        let joint = if len == 0 || added.is_empty() { &b""[..] } else { b", " };
        let added = [joint, added].concat();
        if self.bytes.len() + added.len() > Field::MAX_BUFFER {
            return Err(InvalidHeader::new(name, Fault::NoRoom));
        }
        let (end, grown) = (start + len, added.len() as u32);
        self.bytes.splice(end as usize..end as usize, added);
        for (at, field) in self.fields.iter_mut().enumerate() {
            match at == place {
                true => field.grow(grown),
                false => field.shift(end, grown),
            }
        }
        Ok(())
    }

    /// Appends a field unless there is one of that name, and returns whether it did. Fails as [`append`](Self::append)
    /// does.
    ///
    /// ```
    /// use hostpool::Headers;
    ///
    /// let mut headers = Headers::new();
    /// assert!(headers.set_default("Accept", "text/html")?);
    /// assert!(!headers.set_default("accept", "text/plain")?);
    /// assert_eq!(headers.get("Accept"), Some("text/html"));
    /// # Ok::<(), hostpool::InvalidHeader>(())
    /// ```
    #[doc(alias = "setdefault")]
    pub fn set_default(
        &mut self,
        name: impl IntoHeaderName,
        value: impl IntoHeaderValue,
    ) -> Result<bool, InvalidHeader> {
        if self.contains(Name::name(&name)) {
            return Ok(false);
        }
        self.append(name, value).map(|()| true)
    }

    /// Replaces all fields that have a name of `other` by the fields of `other`, which are appended after the others.
    /// Fails if all of them exceed 2 GiB.
    ///
    /// ```
    /// use hostpool::Headers;
    ///
    /// let mut headers = Headers::from_pairs([("Accept", "text/html"), ("DNT", "1")])?;
    /// headers.update(&Headers::from_pairs([("accept", "a/b"), ("Accept", "c/d")])?)?;
    /// assert_eq!(headers.get_all("Accept").collect::<Vec<_>>(), ["a/b", "c/d"]);
    /// assert_eq!(headers.len(), 3);
    /// # Ok::<(), hostpool::InvalidHeader>(())
    /// ```
    pub fn update(&mut self, other: &Headers) -> Result<(), InvalidHeader> {
        let mut names: Vec<&str> = other.iter().map(|field| field.name()).collect();
        names.sort_unstable_by(|a, b| caseless(a, b));
        let mut updated = Headers::new();
        for field in self.iter() {
            if names.binary_search_by(|name| caseless(name, field.name())).is_err() {
                updated.push(field)?;
            }
        }
        updated.append_all(other)?;
        *self = updated;
        Ok(())
    }

    /// Returns these fields, followed by those of `other`. Fails if all of them exceed 2 GiB.
    #[doc(alias = "union")]
    #[doc(alias = "__or__")]
    pub fn extended(&self, other: &Headers) -> Result<Headers, InvalidHeader> {
        let mut headers = self.clone();
        headers.append_all(other)?;
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The edit is in the middle of the buffer. Every other field must stay unchanged.
    #[test]
    fn combining_moves_nothing_else() {
        let all = |headers: &Headers| {
            let text = |field: crate::Header<'_>| format!("{}: {}", field.name(), field.value());
            headers.iter().map(text).collect::<Vec<_>>()
        };
        let lines = ["A: ", "B: 1", "a: 2", "C: ", "D: 3"];
        let table: [(&str, &str, usize, &str); 8] = [
            ("a", "9", 2, "a: 2, 9"),
            ("A", " \t ", 2, "a: 2"),
            ("b", "9", 1, "B: 1, 9"),
            ("c", "9", 3, "C: 9"),
            ("c", "", 3, "C: "),
            ("d", "9, 8", 4, "D: 3, 9, 8"),
            ("e", "9", 5, "e: 9"),
            ("e", "", 5, "e: "),
        ];
        for (name, value, place, line) in table {
            let mut headers = Headers::from_pairs(lines.map(|line| line.split_once(": ").unwrap())).unwrap();
            let mut expected = lines.to_vec();
            match expected.get_mut(place) {
                Some(there) => *there = line,
                None => expected.push(line),
            }
            headers.append_combined(name, value).unwrap();
            assert_eq!(all(&headers), expected, "{name}: {value}");
            assert!(headers.append_combined(name, "a\nb").is_err());
            assert!(headers.append_combined("a b", "a").is_err());
            assert_eq!(all(&headers), expected, "{name}: {value}");
        }
    }

    #[test]
    fn what_was_marked_as_secret_stays_so() {
        let mut marked = http::HeaderValue::from_static("canary");
        marked.set_sensitive(true);
        let map = http::HeaderMap::from_iter([(http::HeaderName::from_static("x-key"), marked)]);
        let mut headers = Headers::from(&map);
        headers.append_combined("X-Key", "canary").unwrap();
        let mut updated = Headers::new();
        updated.update(&headers).unwrap();
        for headers in [&headers, &updated, &updated.extended(&headers).unwrap()] {
            assert!(!format!("{headers:?}").contains("canary"));
            assert_eq!(headers.get("x-key"), Some("canary, canary"));
        }
    }
}

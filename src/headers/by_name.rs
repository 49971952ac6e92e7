//! All fields of a name taken as one list (RFC 9110, section 5.3).

use std::borrow::Cow;

use super::{Header, Headers, caseless};

impl Headers {
    /// Returns all values of that name, joined by `, `; `None` if there is none. Bytes are read as [`Header::value`]
    /// reads them. Do not use it for `Set-Cookie`, whose values contain commas.
    ///
    /// ```
    /// use hostpool::Headers;
    ///
    /// let headers = Headers::from_pairs([("Via", "1.1 a"), ("via", "1.1 b")])?;
    /// assert_eq!(headers.get_combined("Via").as_deref(), Some("1.1 a, 1.1 b"));
    /// assert_eq!(headers.get("Via"), Some("1.1 a"));
    /// # Ok::<(), hostpool::InvalidHeader>(())
    /// ```
    #[doc(alias = "get")]
    #[doc(alias = "__getitem__")]
    pub fn get_combined(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut fields = self.iter().filter(|field| field.name().eq_ignore_ascii_case(name));
        Some(joined(fields.next()?, fields))
    }

    /// Returns every name once, in the order and the spelling of its first field.
    ///
    /// ```
    /// # use hostpool::Headers;
    /// let headers = Headers::from_pairs([("Via", "1.1 a"), ("Server", "s"), ("via", "1.1 b")])?;
    /// assert_eq!(headers.names().collect::<Vec<_>>(), ["Via", "Server"]);
    /// assert_eq!((headers.names().len(), headers.len()), (2, 3));
    /// # Ok::<(), hostpool::InvalidHeader>(())
    /// ```
    #[doc(alias = "keys")]
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.by_name(|first, _| first.name()).into_iter()
    }

    /// Returns every name once, in the order and the spelling of its first field, with its values joined as by
    /// [`get_combined`](Self::get_combined).
    ///
    /// ```
    /// # use hostpool::Headers;
    /// # use std::collections::HashMap;
    /// let headers = Headers::from_pairs([("Via", "1.1 a"), ("Server", "s"), ("via", "1.1 b")])?;
    /// let map: HashMap<_, _> = headers.merged().collect();
    /// assert_eq!(map["Via"], "1.1 a, 1.1 b");
    /// # Ok::<(), hostpool::InvalidHeader>(())
    /// ```
    #[doc(alias = "itermerged")]
    pub fn merged(&self) -> impl ExactSizeIterator<Item = (&str, Cow<'_, str>)> {
        self.by_name(|first, rest| (first.name(), joined(first, rest.iter().map(|(_, field)| *field)))).into_iter()
    }

    /// Returns whether both mean the same: they have the same names, without regard to case and order, and each name
    /// has the same values in the same order, in one field or in several. `==` compares fields, order and spelling.
    ///
    /// ```
    /// # use hostpool::Headers;
    /// let two = Headers::from_pairs([("Via", "1.1 a"), ("Server", "s"), ("via", "1.1 b")])?;
    /// let one = Headers::from_pairs([("server", "s"), ("VIA", "1.1 a, 1.1 b")])?;
    /// assert!(one.same_as(&two) && one != two);
    /// # Ok::<(), hostpool::InvalidHeader>(())
    /// ```
    #[doc(alias = "__eq__")]
    pub fn same_as(&self, other: &Headers) -> bool {
        let said = |headers: &Headers| {
            let mut said = headers.by_name(|first, rest| {
                let values = std::iter::once(first.bytes()).chain(rest.iter().map(|(_, field)| field.bytes()));
                (first.name().to_ascii_lowercase(), values.collect::<Vec<_>>().join(&b", "[..]))
            });
            said.sort_unstable();
            said
        };
        said(self) == said(other)
    }

    /// Returns what `take` makes of the fields of each name: it gets the first field, and the others with their
    /// positions. The order is that of the first fields. It sorts, because a peer may send as many names as the limits
    /// allow.
    fn by_name<'a, T>(&'a self, take: impl Fn(Header<'a>, &[(usize, Header<'a>)]) -> T) -> Vec<T> {
        let mut fields: Vec<_> = self.iter().enumerate().collect();
        fields.sort_by(|(_, a), (_, b)| caseless(a.name(), b.name()));
        let same = |a: &(usize, Header<'a>), b: &(usize, Header<'a>)| a.1.name().eq_ignore_ascii_case(b.1.name());
        let mut runs: Vec<_> = fields.chunk_by(same).filter_map(<[_]>::split_first).collect();
        runs.sort_unstable_by_key(|((place, _), _)| *place);
        runs.into_iter().map(|((_, first), rest)| take(*first, rest)).collect()
    }
}

fn joined<'a>(first: Header<'a>, rest: impl Iterator<Item = Header<'a>>) -> Cow<'a, str> {
    rest.fold(first.value(), |mut joined, field| {
        let text = joined.to_mut();
        text.push_str(", ");
        text.push_str(&field.value());
        joined
    })
}

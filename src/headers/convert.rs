//! The types that header names, values and lists are made from.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Header, Headers, InvalidHeader};

/// A value that can be the name of a header: a text, or an `http::HeaderName`.
///
/// The types are `&str`, `String`, `Cow<str>`, `HeaderName`, and references to them. It cannot be implemented for others.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the name of a header",
    note = "give a text, such as a `&str` or a `String`, or an `http::HeaderName`"
)]
pub trait IntoHeaderName: sealed::Name {}

impl<T: sealed::Name> IntoHeaderName for T {}

/// A value that can be the value of a header: a text, bytes, a number, or an `http::HeaderValue`.
///
/// The types are `&str`, `String`, `Cow<str>`, `&[u8]`, `[u8; N]`, `Vec<u8>`, the integers, `HeaderValue`, and
/// references to them. It cannot be implemented for others.
///
/// A text is sent as ISO-8859-1 (RFC 9110, section 5.5), so a character above U+00FF is refused. Bytes are sent as they
/// are. A value that `http` marks as sensitive keeps its mark.
///
/// ```
/// use hostpool::Headers;
///
/// let mut headers = Headers::new();
/// headers.append("X-Name", "Zoë")?;
/// headers.append("X-Utf8", "日本".as_bytes())?;
/// headers.append("Content-Length", 7)?;
/// assert_eq!(headers.get_bytes("x-name"), Some(&b"Zo\xEB"[..]));
/// assert!(headers.append("X-Name", "日本").is_err());
/// # Ok::<(), hostpool::InvalidHeader>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the value of a header",
    note = "give a text, bytes, a number, or an `http::HeaderValue`",
    note = "`.to_string()` makes a text of anything that can be shown"
)]
pub trait IntoHeaderValue: sealed::Value {}

impl<T: sealed::Value> IntoHeaderValue for T {}

/// A value that is a list of headers: [`Headers`], an `http::HeaderMap`, or pairs of names and values.
///
/// The types are [`Headers`] and `HeaderMap`, references to them, and everything that can be iterated over as pairs, or
/// as references to pairs, of an [`IntoHeaderName`] and an [`IntoHeaderValue`]: arrays, slices, `Vec`, `HashMap`. It
/// cannot be implemented for others.
///
/// ```
/// use hostpool::Headers;
/// use std::collections::HashMap;
///
/// let mut headers = Headers::from_pairs([("Accept", "text/html")])?;
/// headers.append_all(&[("X-Number", 7)])?;
/// headers.append_all(&HashMap::from([("X-Bytes".to_owned(), vec![0xE9])]))?;
/// headers.append_all(http::HeaderMap::new())?;
/// assert_eq!(headers.len(), 3);
/// # Ok::<(), hostpool::InvalidHeader>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of headers",
    note = "give a `hostpool::Headers`, an `http::HeaderMap`, or an array, a `Vec` or a map of pairs of names and values"
)]
pub trait IntoHeaders: sealed::Fields {}

impl<T: sealed::Fields> IntoHeaders for T {}

pub(crate) mod sealed {
    use super::{Cow, Headers, InvalidHeader};

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not the name of a header",
        note = "give a text, such as a `&str` or a `String`, or an `http::HeaderName`"
    )]
    pub trait Name {
        #[doc(hidden)]
        fn name(&self) -> &str;
    }

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not the value of a header",
        note = "give a text, bytes, a number, or an `http::HeaderValue`",
        note = "`.to_string()` makes a text of anything that can be shown"
    )]
    pub trait Value {
        /// Returns the bytes, or the position of the first byte of a character that has no byte in ISO-8859-1.
        #[doc(hidden)]
        fn bytes(&self) -> Result<Cow<'_, [u8]>, usize>;

        /// Returns whether the value is marked as sensitive.
        #[doc(hidden)]
        fn is_secret(&self) -> bool {
            false
        }
    }

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a list of headers",
        note = "give a `hostpool::Headers`, an `http::HeaderMap`, or an array, a `Vec` or a map of pairs of names and values"
    )]
    pub trait Fields {
        #[doc(hidden)]
        fn append_to(self, headers: &mut Headers) -> Result<(), InvalidHeader>;
    }

    pub trait Pair {
        #[doc(hidden)]
        fn append_to(&self, headers: &mut Headers) -> Result<(), InvalidHeader>;
    }
}

impl<T: sealed::Name + ?Sized> sealed::Name for &T {
    fn name(&self) -> &str {
        (**self).name()
    }
}

impl<T: sealed::Value + ?Sized> sealed::Value for &T {
    fn bytes(&self) -> Result<Cow<'_, [u8]>, usize> {
        (**self).bytes()
    }

    fn is_secret(&self) -> bool {
        (**self).is_secret()
    }
}

macro_rules! texts {
    ($($type:ty),*) => {$(
        impl sealed::Name for $type {
            fn name(&self) -> &str {
                self
            }
        }

        impl sealed::Value for $type {
            fn bytes(&self) -> Result<Cow<'_, [u8]>, usize> {
                latin1(self)
            }
        }
    )*};
}

texts!(str, String, Cow<'_, str>);

impl sealed::Name for HeaderName {
    fn name(&self) -> &str {
        self.as_str()
    }
}

impl sealed::Value for HeaderValue {
    fn bytes(&self) -> Result<Cow<'_, [u8]>, usize> {
        Ok(Cow::Borrowed(self.as_bytes()))
    }

    fn is_secret(&self) -> bool {
        self.is_sensitive()
    }
}

impl sealed::Value for [u8] {
    fn bytes(&self) -> Result<Cow<'_, [u8]>, usize> {
        Ok(Cow::Borrowed(self))
    }
}

impl sealed::Value for Vec<u8> {
    fn bytes(&self) -> Result<Cow<'_, [u8]>, usize> {
        Ok(Cow::Borrowed(self))
    }
}

impl<const N: usize> sealed::Value for [u8; N] {
    fn bytes(&self) -> Result<Cow<'_, [u8]>, usize> {
        Ok(Cow::Borrowed(self))
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl sealed::Value for $type {
            fn bytes(&self) -> Result<Cow<'_, [u8]>, usize> {
                Ok(Cow::Owned(self.to_string().into_bytes()))
            }
        }
    )*};
}

numbers!(i8, i16, i32, i64, i128, isize, u16, u32, u64, u128, usize);

/// Returns the text as ISO-8859-1, or the position of the first character above U+00FF.
fn latin1(text: &str) -> Result<Cow<'_, [u8]>, usize> {
    if text.is_ascii() {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    let bytes = text.char_indices().map(|(at, char)| u8::try_from(char).map_err(|_| at));
    bytes.collect::<Result<Vec<u8>, usize>>().map(Cow::Owned)
}

impl<N: sealed::Name, V: sealed::Value> sealed::Pair for (N, V) {
    fn append_to(&self, headers: &mut Headers) -> Result<(), InvalidHeader> {
        headers.append_pair(&self.0, &self.1)
    }
}

impl<P: sealed::Pair> sealed::Pair for &P {
    fn append_to(&self, headers: &mut Headers) -> Result<(), InvalidHeader> {
        (**self).append_to(headers)
    }
}

impl sealed::Pair for Header<'_> {
    fn append_to(&self, headers: &mut Headers) -> Result<(), InvalidHeader> {
        headers.push(*self)
    }
}

impl<I> sealed::Fields for I
where
    I: IntoIterator,
    I::Item: sealed::Pair,
{
    fn append_to(self, headers: &mut Headers) -> Result<(), InvalidHeader> {
        self.into_iter().try_for_each(|pair| sealed::Pair::append_to(&pair, headers))
    }
}

impl sealed::Fields for Headers {
    fn append_to(self, headers: &mut Headers) -> Result<(), InvalidHeader> {
        if headers.is_empty() {
            *headers = self;
            return Ok(());
        }
        sealed::Fields::append_to(&self, headers)
    }
}

impl sealed::Pair for (Option<HeaderName>, HeaderValue) {
    /// Appends an item of `HeaderMap::into_iter`, which names only the first of several values of a name.
    fn append_to(&self, headers: &mut Headers) -> Result<(), InvalidHeader> {
        match &self.0 {
            Some(name) => headers.append_pair(name, &self.1),
            None => {
                let name = headers.iter().next_back().map_or_else(String::new, |field| field.name().to_owned());
                headers.append_pair(&name, &self.1)
            }
        }
    }
}

/// The iterator of [`Headers::iter`].
#[derive(Clone, Debug)]
pub struct HeadersIter<'a> {
    headers: &'a Headers,
    places: std::ops::Range<usize>,
}

impl<'a> HeadersIter<'a> {
    pub(super) fn new(headers: &'a Headers) -> Self {
        HeadersIter { headers, places: 0..headers.len() }
    }
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = Header<'a>;

    #[inline]
    fn next(&mut self) -> Option<Header<'a>> {
        self.places.next().and_then(|place| self.headers.at(place))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }
}

impl DoubleEndedIterator for HeadersIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.places.next_back().and_then(|place| self.headers.at(place))
    }
}

impl ExactSizeIterator for HeadersIter<'_> {}

impl<'a> IntoIterator for &'a Headers {
    type Item = Header<'a>;
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

impl<'a> Extend<Header<'a>> for Headers {
    /// Appends fields of other lists.
    ///
    /// # Panics
    ///
    /// If all of them exceed 2 GiB, as a `Vec` panics that exceeds its capacity.
    /// [`append_all`](Headers::append_all) returns an error instead.
    fn extend<I: IntoIterator<Item = Header<'a>>>(&mut self, fields: I) {
        // Fields of other lists are valid, so only their size can be refused: 2 GiB of headers are a bug of the caller.
        self.append_all(fields).expect("headers of more than 2 GiB");
    }
}

impl<'a> FromIterator<Header<'a>> for Headers {
    /// Makes a list of fields of other lists. Panics as [`extend`](Extend::extend) does.
    ///
    /// ```
    /// use hostpool::Headers;
    ///
    /// let all = Headers::from_pairs([("Accept", "a/b"), ("Cookie", "a=b")])?;
    /// let harmless: Headers = all.iter().filter(|field| field.name() != "Cookie").collect();
    /// assert_eq!(harmless.len(), 1);
    /// # Ok::<(), hostpool::InvalidHeader>(())
    /// ```
    fn from_iter<I: IntoIterator<Item = Header<'a>>>(fields: I) -> Headers {
        let mut headers = Headers::new();
        headers.extend(fields);
        headers
    }
}

impl<N: IntoHeaderName, V: IntoHeaderValue, const LEN: usize> TryFrom<[(N, V); LEN]> for Headers {
    type Error = InvalidHeader;

    /// Makes fields of pairs, as [`from_pairs`](Headers::from_pairs) does.
    ///
    /// ```
    /// use hostpool::Headers;
    ///
    /// let headers = Headers::try_from([("Accept", "a/b"), ("DNT", "1")])?;
    /// assert_eq!(headers.get("dnt"), Some("1"));
    /// # Ok::<(), hostpool::InvalidHeader>(())
    /// ```
    fn try_from(pairs: [(N, V); LEN]) -> Result<Headers, InvalidHeader> {
        Headers::from_pairs(pairs)
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Headers {
        Headers::from(&map)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    #[test]
    fn values_of_every_type() {
        let mut marked = HeaderValue::from_static("canary");
        marked.set_sensitive(true);
        let mut headers = Headers::new();
        let name = HeaderName::from_static("x-name");
        headers.append("A", "text").unwrap();
        headers.append(String::from("A"), String::from("text")).unwrap();
        headers.append(Cow::from("A"), Cow::from("t\u{e9}xt")).unwrap();
        headers.append(&name, &marked).unwrap();
        headers.append(name, marked).unwrap();
        headers.append("A", b"\xFF").unwrap();
        headers.append("A", vec![0xE9_u8]).unwrap();
        headers.append("A", &[0xC3_u8, 0xA9][..]).unwrap();
        headers.append("A", -7).unwrap();
        headers.append("A", u64::MAX).unwrap();
        let values: Vec<&[u8]> = headers.iter().map(|field| field.bytes()).collect();
        let expected: [&[u8]; 10] = [
            b"text",
            b"text",
            b"t\xE9xt",
            b"canary",
            b"canary",
            b"\xFF",
            b"\xE9",
            b"\xC3\xA9",
            b"-7",
            b"18446744073709551615",
        ];
        assert_eq!(values, expected);
        assert!(!format!("{headers:?}").contains("canary"));
        // A text is read back as it was given.
        assert_eq!(headers.iter().nth(2).unwrap().value(), "t\u{e9}xt");
        for (text, offset) in [("日", 0), ("a\u{e9}日", 3), ("\u{100}", 0)] {
            let error = Headers::new().append("A", text).unwrap_err();
            assert!(error.to_string().ends_with(&format!("at offset {offset}")), "{error}");
        }
        assert!(headers.append("A", "a\nb").is_err() && headers.append("A", b"a\nb").is_err());
    }

    #[test]
    fn lists_of_every_type() {
        let pair = ("A".to_owned(), "1".to_owned());
        let list = Headers::from_pairs([("A", "1")]).unwrap();
        let map = HeaderMap::try_from(&list).unwrap();
        let mut twice = HeaderMap::new();
        twice.append("x-a", HeaderValue::from_static("1"));
        twice.append("x-b", HeaderValue::from_static("2"));
        twice.append("x-a", HeaderValue::from_static("3"));
        assert!(Headers::from_pairs(twice.clone()).unwrap().same_as(&Headers::from(&twice)));
        let made = [
            Headers::from_pairs([&pair]),
            Headers::from_pairs([("A", "1")]),
            Headers::from_pairs(vec![pair.clone()]),
            Headers::from_pairs(std::slice::from_ref(&pair)),
            Headers::from_pairs(HashMap::from([pair.clone()])),
            Headers::from_pairs(BTreeMap::from([("A", 1)])),
            Headers::from_pairs(&list),
            Headers::from_pairs(list.clone()),
            Headers::from_pairs(&map),
            Headers::from_pairs(map),
            Headers::from_pairs(list.iter().filter(|field| field.name() == "A")),
            Headers::try_from([pair]),
            Ok(list.iter().collect()),
        ];
        for (place, headers) in made.into_iter().enumerate() {
            assert!(headers.unwrap().same_as(&list), "{place}");
        }
        assert!(Headers::from_pairs([("a b", "1")]).is_err());
        let mut names = Vec::new();
        for field in &list {
            names.push(field.name());
        }
        assert_eq!(names, ["A"]);
        assert_eq!(list.iter().rev().len(), 1);
    }
}

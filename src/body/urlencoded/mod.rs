//! Pairs as `application/x-www-form-urlencoded` (WHATWG URL Standard, section 5), for queries and forms.

mod into_pairs;
#[cfg(feature = "json")]
mod serializer;

pub use into_pairs::IntoPairs;

use super::text::encode as encode_text;
use crate::error::Result;

/// Returns the pairs, percent-encoded in UTF-8.
pub(crate) fn encode<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> String {
    let mut encoder = url::form_urlencoded::Serializer::new(String::new());
    encoder.extend_pairs(pairs);
    encoder.finish()
}

/// Returns what [`encode`] made in the charset of that label, and the name of the charset.
pub(crate) fn recode(encoded: &str, label: &str) -> Result<(String, String)> {
    let (_, charset) = encode_text("", label)?;
    let mut out = String::with_capacity(encoded.len());
    for (name, value) in url::form_urlencoded::parse(encoded.as_bytes()) {
        if !out.is_empty() {
            out.push('&');
        }
        for (before, text) in [("", name), ("=", value)] {
            let (bytes, _) = encode_text(&text, label)?;
            out.push_str(before);
            out.extend(url::form_urlencoded::byte_serialize(&bytes));
        }
    }
    Ok((out, charset))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

    #[test]
    fn pairs_of_texts() {
        let table: [Row<'_>; 4] = [
            ("RQ-04", &[("a", "1"), ("a", "2"), ("b c", "&=+")], "a=1&a=2&b+c=%26%3D%2B"),
            ("B46", &[("é", "日")], "%C3%A9=%E6%97%A5"),
            ("empty ones", &[("", ""), ("a", "")], "=&a="),
            ("none", &[], ""),
        ];
        for (id, pairs, expected) in table {
            let encoded = encode(pairs.iter().copied());
            assert_eq!(encoded, expected, "{id}");
            assert_eq!(recode(&encoded, "utf-8").unwrap().0, expected, "{id}");
        }
    }

    #[test]
    #[cfg(feature = "charset")]
    fn other_charsets() {
        let encoded = encode([("straße", "a b&c"), ("x", "é")]);
        let (latin, charset) = recode(&encoded, "latin1").unwrap();
        assert_eq!((&*latin, &*charset), ("stra%DFe=a+b%26c&x=%E9", "windows-1252"));
        assert!(recode(&encode([("a", "日")]), "latin1").is_err());
        assert!(recode("", "klingon").is_err());
    }
}

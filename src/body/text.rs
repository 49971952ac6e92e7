//! Texts in charsets other than UTF-8.

use crate::error::{Error, Phase, Result};

/// Returns the bytes of a text in the charset of that label (WHATWG Encoding Standard, section 4.2), and the charset's
/// name. Fails if the charset has no bytes for a character, or is one that the web only reads.
#[cfg(feature = "charset")]
pub(crate) fn encode(text: &str, label: &str) -> Result<(Vec<u8>, String)> {
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())
        .ok_or_else(|| Error::request(format!("there is no charset named {label:?}")))?;
    if encoding.output_encoding() != encoding {
        return Err(Error::unsupported("no text is sent in that charset", Phase::Prepare));
    }
    let (bytes, _, lossy) = encoding.encode(text);
    match lossy {
        true => Err(Error::request("the text has a character that its charset does not have")),
        false => Ok((bytes.into_owned(), encoding.name().to_ascii_lowercase())),
    }
}

/// Without the feature `charset` only UTF-8 is known.
#[cfg(not(feature = "charset"))]
pub(crate) fn encode(text: &str, label: &str) -> Result<(Vec<u8>, String)> {
    match &*label.trim().to_ascii_lowercase() {
        "utf-8" | "utf8" => Ok((text.into(), "utf-8".into())),
        _ => {
            let why = "charsets other than UTF-8 need the feature charset";
            Err(Error::unsupported(why, Phase::Prepare))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn utf8_is_always_there() {
        for label in ["utf-8", "UTF8", " utf-8 "] {
            assert_eq!(encode("é", label).unwrap(), ("é".into(), "utf-8".into()));
        }
    }

    #[cfg(feature = "charset")]
    type Row<'a> = (&'a str, &'a str, Result<(&'a [u8], &'a str), ErrorKind>);

    #[test]
    #[cfg(feature = "charset")]
    fn charsets() {
        let refused = || Error::request("").kind().clone();
        let table: [Row<'_>; 8] = [
            ("é", "latin1", Ok((b"\xe9", "windows-1252"))),
            ("Привет", "koi8-r", Ok((b"\xf0\xd2\xc9\xd7\xc5\xd4", "koi8-r"))),
            ("日本", "shift_jis", Ok((b"\x93\xfa\x96\x7b", "shift_jis"))),
            ("", "big5", Ok((b"", "big5"))),
            ("→", "latin1", Err(refused())),
            ("a", "klingon", Err(refused())),
            ("a", "utf-16", Err(ErrorKind::Unsupported)),
            ("a", "replacement", Err(ErrorKind::Unsupported)),
        ];
        for (text, label, expected) in table {
            match (encode(text, label), expected) {
                (Ok((bytes, name)), Ok(expected)) => assert_eq!((&*bytes, &*name), expected, "{label}"),
                (Err(error), Err(kind)) => {
                    assert_eq!(std::mem::discriminant(error.kind()), std::mem::discriminant(&kind), "{label}")
                }
                (result, _) => panic!("{label}: {result:?}"),
            }
        }
    }

    #[test]
    #[cfg(not(feature = "charset"))]
    fn others_need_the_feature() {
        assert!(matches!(encode("é", "latin1").unwrap_err().kind(), ErrorKind::Unsupported));
    }
}

//! The charset of a body, and its text.

use crate::error::Result;

/// The text of `bytes`, in the charset that `content_type` names, else in UTF-8.
#[cfg(feature = "charset")]
pub(super) fn decode(bytes: Vec<u8>, content_type: Option<&str>) -> Result<String> {
    let encoding = content_type
        .and_then(charset_of)
        .and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()))
        .unwrap_or(encoding_rs::UTF_8);
    if encoding == encoding_rs::UTF_8 {
        return Ok(decode_utf8(bytes));
    }
    Ok(encoding.decode(&bytes).0.into_owned())
}

/// Without the charset tables: UTF-8 and its subset are all that can be read.
#[cfg(not(feature = "charset"))]
pub(super) fn decode(bytes: Vec<u8>, content_type: Option<&str>) -> Result<String> {
    use crate::error::{Error, ErrorKind, Phase};
    let known = ["utf-8", "utf8", "us-ascii", "ascii"];
    match content_type.and_then(charset_of) {
        Some(label) if !known.iter().any(|name| label.eq_ignore_ascii_case(name)) => {
            let why = ErrorKind::Unsupported("charsets other than UTF-8 need the feature charset");
            Err(Error::new(why, Phase::Body).with_maybe_processed(true))
        }
        _ => Ok(decode_utf8(bytes)),
    }
}

fn decode_utf8(mut bytes: Vec<u8>) -> String {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// The `charset` parameter of a media type (RFC 9110, section 8.3.2), quoted or not.
fn charset_of(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_is_found() {
        let table = [
            ("text/html", None),
            ("text/html; charset=utf-8", Some("utf-8")),
            ("text/html;a=b;CharSet=\"ISO-8859-1\"", Some("ISO-8859-1")),
            ("text/html; charset = x ", Some("x")),
            ("charset=x", None),
            ("", None),
        ];
        for (content_type, label) in table {
            assert_eq!(charset_of(content_type), label, "{content_type}");
        }
    }

    #[test]
    fn text_is_decoded() {
        assert_eq!(decode(b"\xEF\xBB\xBFa".to_vec(), None).unwrap(), "a");
        assert_eq!(decode(b"a\xFFb".to_vec(), Some("text/plain")).unwrap(), "a\u{FFFD}b");
        assert_eq!(decode("ü".into(), Some("text/plain; charset=utf-8")).unwrap(), "ü");
        let latin = decode(vec![0xFC], Some("text/plain; charset=iso-8859-1"));
        match cfg!(feature = "charset") {
            true => assert_eq!(latin.unwrap(), "ü"),
            false => assert!(latin.is_err()),
        }
    }
}

//! JSON, in whatever charset and with whatever label.

use hostpool::{Error, ErrorKind};

use super::{fetch, with_type};

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Rows RS-20, B142, B143: lenient with labels and blanks, strict with the text.
#[cfg(feature = "json")]
#[test]
fn values() {
    use serde_json::{Value, json};
    let utf32: Vec<u8> = "[\"\u{fc}\"]".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    let table: [(&str, &str, Vec<u8>, Option<Value>); 14] = [
        ("plain", "application/json", "{\"a\":[1,\"\u{fc}\"]}".into(), Some(json!({"a": [1, "\u{fc}"]}))),
        ("B142 empty", "application/json", "".into(), Some(Value::Null)),
        ("B142 blank", "application/json", " \r\n\t".into(), Some(Value::Null)),
        ("B142 a mark alone", "application/json", "\u{feff} ".into(), Some(Value::Null)),
        ("B143 another type", "text/html", "[1]".into(), Some(json!([1]))),
        ("B143 no type", "", "[1]".into(), Some(json!([1]))),
        ("a mark", "", "\u{feff}[1]".into(), Some(json!([1]))),
        ("UTF-16", "", utf16("[\"\u{fc}\u{1F600}\"]"), Some(json!(["\u{fc}\u{1F600}"]))),
        ("UTF-16 with a mark", "application/json; charset=utf-8", utf16("\u{feff}[1]"), Some(json!([1]))),
        ("UTF-32", "", utf32, Some(json!(["\u{fc}"]))),
        ("no such charset", "application/json; charset=klingon", "[\"\u{fc}\"]".into(), Some(json!(["\u{fc}"]))),
        ("broken UTF-8", "", b"[\"\xFF\"]".into(), None),
        ("broken UTF-16", "", b"[\0\"\0\0\xD8\"\0]\0".into(), None),
        ("cut", "application/json", "[1,".into(), None),
    ];
    for (id, content_type, body, expected) in table {
        let (_server, response) = fetch(with_type(content_type, &body));
        let result = response.json::<Value>();
        if let Err(error) = &result {
            assert_eq!((error.kind(), error.maybe_processed()), (&ErrorKind::Decode, true), "{id}");
        }
        assert_eq!(result.ok(), expected, "{id}");
    }
    let (_server, response) = fetch(with_type("application/json; charset=iso-8859-1", b"[\"\xFC\"]"));
    assert_eq!(response.json::<Vec<String>>().ok(), cfg!(feature = "charset").then(|| vec!["\u{fc}".to_owned()]));
}

/// Row B143: on demand the media type has to be right, and the error shows what came instead.
#[cfg(feature = "json")]
#[test]
fn strict() {
    let table = [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("application/problem+json", true),
        ("application/vnd.api+JSON", true),
        ("text/html; charset=utf-8", false),
        ("text/json", false),
        ("application/json-seq", false),
        ("json", false),
        ("", false),
    ];
    for (content_type, accepted) in table {
        let (_server, response) = fetch(with_type(content_type, b"[1]"));
        match response.json_strict::<Vec<u8>>() {
            Ok(numbers) => assert!(accepted && numbers == [1], "{content_type}"),
            Err(error) => {
                assert_eq!((error.kind(), accepted), (&ErrorKind::ContentType, false), "{content_type}");
                let head = error.head().unwrap();
                assert_eq!((head.status().as_u16(), head.body()), (200, &b"[1]"[..]), "{content_type}");
            }
        }
    }
}

/// Row B145: a parser of the caller's is given the text, decoded.
#[test]
fn a_parser_of_the_callers() {
    let table: [(&str, Vec<u8>, &str); 5] = [
        ("application/json", "[\"\u{fc}\"]".into(), "[\"\u{fc}\"]"),
        ("", "\u{feff}[1]".into(), "[1]"),
        ("", utf16("[1]"), "[1]"),
        ("B142", "  ".into(), "null"),
        ("B142", "".into(), "null"),
    ];
    for (content_type, body, expected) in table {
        let (_server, response) = fetch(with_type(content_type, &body));
        assert_eq!(response.json_with(|text| Ok::<_, Error>(text.to_owned())).unwrap(), expected);
    }
    let (_server, response) = fetch(with_type("", b"x"));
    let error = response.json_with(|text| text.parse::<u32>()).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Decode);
    assert!(std::error::Error::source(&error).unwrap().is::<std::num::ParseIntError>());
    let (_server, response) = fetch(with_type("", b"\"\xFF\""));
    let error = response.json_with(|_| -> Result<(), String> { unreachable!() }).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Decode);
}

//! Text, in whatever charset.

use hostpool::ErrorKind;

use super::{fetch, with_type};

/// Rows RS-18, RS-19, B139: a mark, then the header, then UTF-8; names that do not exist count as none.
#[test]
fn the_charset_is_worked_out() {
    let table: [(&str, &str, &[u8], &str); 13] = [
        ("nothing said", "", "gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
        ("utf-8", "text/plain; charset=UTF-8", "gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
        ("empty", "text/plain", b"", ""),
        ("a mark is no text", "", b"\xEF\xBB\xBFa", "a"),
        ("only a mark", "", b"\xFF\xFE", ""),
        ("a second mark is", "", b"\xEF\xBB\xBF\xEF\xBB\xBFa", "\u{feff}a"),
        ("a mark wins over the header", "text/plain; charset=utf-16be", b"\xEF\xBB\xBFa", "a"),
        ("utf-16 by its mark", "text/html; charset=utf-8", b"\xFF\xFEa\0\xFC\0", "a\u{fc}"),
        ("utf-16 by its mark", "", b"\xFE\xFF\0a\0\xFC", "a\u{fc}"),
        ("utf-16 by the header", "text/plain; charset=utf-16le", b"a\0", "a"),
        ("utf-16 cut", "text/plain; charset=utf-16", b"a\0b", "a\u{fffd}"),
        ("quoted", "text/plain; charset=\"utf-8\"", "\u{20ac}".as_bytes(), "\u{20ac}"),
        ("broken", "text/plain; charset=utf-8", b"a\xFFb", "a\u{fffd}b"),
    ];
    for (id, content_type, body, expected) in table {
        let (_server, response) = fetch(with_type(content_type, body));
        assert_eq!(response.text().unwrap(), expected, "{id}");
    }
}

#[cfg(feature = "charset")]
#[test]
fn every_charset_of_the_web() {
    let table: [(&str, &str, &[u8], &str); 9] = [
        ("latin", "text/plain; charset=iso-8859-1", b"\xFC\x80", "\u{fc}\u{20ac}"),
        ("Shift_JIS", "text/plain; charset=shift_jis", b"\x83e\x83X\x83g", "\u{30c6}\u{30b9}\u{30c8}"),
        ("ISO-2022-JP", "text/plain; charset=iso-2022-jp", b"\x1B$B%F%9%H\x1B(B", "\u{30c6}\u{30b9}\u{30c8}"),
        ("koi8", "text/plain; charset=KOI8-R", b"\xC1", "\u{430}"),
        ("single quotes", "text/plain; charset='iso-8859-1'", b"\xFC", "\u{fc}"),
        ("a mark wins over the header", "text/plain; charset=iso-8859-1", b"\xEF\xBB\xBF\xC3\xBC", "\u{fc}"),
        ("B139 no such charset", "text/plain; charset=klingon", "gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
        ("B139 an empty name", "text/plain; charset=\"\"", "gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
        ("B139 nonsense", "text/plain; charset=utf-8,utf-8", "gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
    ];
    for (id, content_type, body, expected) in table {
        let (_server, response) = fetch(with_type(content_type, body));
        assert_eq!(response.text().unwrap(), expected, "{id}");
    }
}

/// Without the tables another charset is an error, no garbage.
#[cfg(not(feature = "charset"))]
#[test]
fn other_charsets_are_refused() {
    for content_type in ["text/plain; charset=iso-8859-1", "text/plain; charset=klingon"] {
        let (_server, response) = fetch(with_type(content_type, b"\xFC"));
        let error = response.text().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported), "{error}");
    }
}

/// Row RS-19: the guess is made where nothing is said and the text is not UTF-8, wherever it begins to be not ASCII.
#[cfg(feature = "charset-detect")]
#[test]
fn a_guess() {
    let russian =
        "\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}, \u{43a}\u{430}\u{43a} \u{434}\u{435}\u{43b}\u{430}? ".repeat(20);
    let (cp1251, ..) = encoding_rs::WINDOWS_1251.encode(&russian);
    let far = [&b"plain ".repeat(10_000)[..], &cp1251].concat();
    let broken = [russian.as_bytes(), b"\xFF"].concat();
    let late = [russian.repeat(100).as_bytes(), b"\xFF"].concat();
    let table: [(&str, &str, &[u8], String); 6] = [
        ("windows-1251", "text/plain", &cp1251, russian.clone()),
        ("B139 an unknown name", "text/plain; charset=klingon", &cp1251, russian.clone()),
        ("behind much ASCII", "", &far, "plain ".repeat(10_000) + &russian),
        ("UTF-8", "", russian.as_bytes(), russian.clone()),
        ("UTF-8 that breaks where nobody looks", "", &late, russian.repeat(100) + "\u{fffd}"),
        ("the header decides", "text/plain; charset=utf-8", &broken, russian.clone() + "\u{fffd}"),
    ];
    for (id, content_type, body, expected) in table {
        let (_server, response) = fetch(with_type(content_type, body));
        assert!(response.text().unwrap() == expected, "{id}");
    }
}

/// Row B140: what the caller says wins over everything; a mark of that charset is still none of the text.
#[test]
fn the_callers_own_charset() {
    let table: [(&str, &str, &[u8], &str); 4] = [
        ("utf-8", "text/plain; charset=utf-16le", b"\xEF\xBB\xBFa\xC3\xBC", "a\u{fc}"),
        ("UTF-16LE", "text/plain; charset=utf-8", b"a\0", "a"),
        ("utf-16be", "", b"\xFE\xFF\0a", "a"),
        ("utf-16le", "", b"\xFE\xFF\0a", "\u{fffe}\u{6100}"),
    ];
    for (label, content_type, body, expected) in table {
        let (_server, response) = fetch(with_type(content_type, body));
        assert_eq!(response.text_with(label).unwrap(), expected, "{label}");
    }
    let (_server, response) = fetch(with_type("text/plain; charset=utf-8", b"\xFC"));
    match response.text_with("latin1") {
        Ok(text) => assert!(cfg!(feature = "charset") && text == "\u{fc}", "{text}"),
        Err(error) => assert!(!cfg!(feature = "charset") && matches!(error.kind(), ErrorKind::Unsupported)),
    }
    for label in ["klingon", "", "utf-8\0"] {
        let (_server, response) = fetch(with_type("", b"a"));
        let error = response.text_with(label).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Unsupported), "{label}: {error}");
    }
}

/// Rows C25 and B139: asked only where neither a mark nor the header says it.
#[test]
fn a_fallback_of_the_callers() {
    let table: [(&str, &str, &[u8], bool, &str); 4] = [
        ("nothing said", "text/plain", b"a\0", true, "a"),
        ("a mark", "", b"\xEF\xBB\xBFa\0", false, "a\0"),
        ("the header", "text/plain; charset=utf-8", b"a\0", false, "a\0"),
        ("no name", "text/plain; charset=", b"a\0", true, "a"),
    ];
    for (id, content_type, body, asked, expected) in table {
        let (_server, response) = fetch(with_type(content_type, body));
        let mut seen = None;
        let text = response.text_or_else(|bytes| {
            seen = Some(bytes.to_vec());
            "utf-16le".to_owned()
        });
        assert_eq!((&*text.unwrap(), seen), (expected, asked.then(|| body.to_vec())), "{id}");
    }
    let (_server, response) = fetch(with_type("", b"a"));
    assert!(response.text_or_else(|_| "klingon".into()).is_err());
}

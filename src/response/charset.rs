//! Character encodings of text.
//!
//! UTF-8, UTF-16 and UTF-32 are decoded here. The feature `charset` has the tables for all others.

use crate::error::{ErrorKind, Reason};

/// A character encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    Utf16(Order),
    /// Only JSON can be in UTF-32: the web has no label for it (WHATWG Encoding Standard, section 4.2).
    Utf32(Order),
    #[cfg(feature = "charset")]
    Other(&'static encoding_rs::Encoding),
}

/// The byte of a unit that comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

impl Charset {
    /// Returns the charset with this label: a name of the WHATWG Encoding Standard, or one that Python, Java or Windows
    /// use.
    ///
    /// The charsets that the standard replaces by a single U+FFFD (`iso-2022-kr`, `hz-gb-2312`) are treated as unknown.
    /// Otherwise their text, which is often ASCII, would be lost.
    #[cfg(feature = "charset")]
    pub(super) fn of_label(label: &str) -> Result<Charset, Reason> {
        let known = |label: &str| encoding_rs::Encoding::for_label_no_replacement(label.as_bytes());
        let encoding = known(label).or_else(|| {
            let plain = plain(label);
            let hyphens = label.replace('_', "-");
            known(&hyphens).or_else(|| known(&plain)).or_else(|| known(alias(&plain)?))
        });
        let none = || ErrorKind::InvalidRequest.because(format!("there is no charset named {label:?}"));
        let encoding = encoding.ok_or_else(none)?;
        Ok(Charset::of_encoding(encoding))
    }

    /// Returns the charset with this label. Other charsets than UTF-8 and UTF-16 need the feature `charset`.
    #[cfg(not(feature = "charset"))]
    pub(super) fn of_label(label: &str) -> Result<Charset, Reason> {
        let plain = plain(label);
        match alias(&plain).map(self::plain).as_deref().unwrap_or(&plain) {
            "utf8" | "unicode11utf8" | "usascii" | "ascii" => Ok(Charset::Utf8),
            "utf16" | "utf16le" => Ok(Charset::Utf16(Order::Little)),
            "utf16be" => Ok(Charset::Utf16(Order::Big)),
            _ => Err(ErrorKind::Unsupported.because("charsets other than UTF-8 and UTF-16 need the feature charset")),
        }
    }

    #[cfg(feature = "charset")]
    pub(super) fn of_encoding(encoding: &'static encoding_rs::Encoding) -> Charset {
        match encoding {
            _ if encoding == encoding_rs::UTF_8 => Charset::Utf8,
            _ if encoding == encoding_rs::UTF_16LE => Charset::Utf16(Order::Little),
            _ if encoding == encoding_rs::UTF_16BE => Charset::Utf16(Order::Big),
            _ => Charset::Other(encoding),
        }
    }

    /// Returns the charset of the byte order mark at the start, and the length of the mark (WHATWG Encoding Standard,
    /// section 6, "BOM sniff").
    pub(super) fn of_mark(bytes: &[u8]) -> Option<(Charset, usize)> {
        match bytes {
            [0xEF, 0xBB, 0xBF, ..] => Some((Charset::Utf8, 3)),
            [0xFE, 0xFF, ..] => Some((Charset::Utf16(Order::Big), 2)),
            [0xFF, 0xFE, ..] => Some((Charset::Utf16(Order::Little), 2)),
            _ => None,
        }
    }

    /// Returns the text of `bytes`, and whether all of them are valid. Bytes that are not valid become U+FFFD.
    pub(super) fn decode(self, bytes: Vec<u8>) -> (String, bool) {
        match self {
            Charset::Utf8 => match String::from_utf8(bytes) {
                Ok(text) => (text, true),
                Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), false),
            },
            _ => self.decode_slice(&bytes),
        }
    }

    fn decode_slice(self, bytes: &[u8]) -> (String, bool) {
        let mut sound = bytes.len().is_multiple_of(self.unit());
        let mut or_replacement = |c: Option<char>| {
            sound &= c.is_some();
            c.unwrap_or(char::REPLACEMENT_CHARACTER)
        };
        let mut text: String = match self {
            Charset::Utf8 => match str::from_utf8(bytes) {
                Ok(text) => return (text.to_owned(), true),
                Err(_) => return (String::from_utf8_lossy(bytes).into_owned(), false),
            },
            Charset::Utf16(order) => {
                let units = bytes.chunks_exact(2).map(|unit| order.u16(unit));
                char::decode_utf16(units).map(|c| or_replacement(c.ok())).collect()
            }
            Charset::Utf32(order) => {
                bytes.chunks_exact(4).map(|unit| or_replacement(char::from_u32(order.u32(unit)))).collect()
            }
            #[cfg(feature = "charset")]
            Charset::Other(encoding) => {
                let (text, malformed) = encoding.decode_without_bom_handling(bytes);
                return (text.into_owned(), !malformed);
            }
        };
        if !bytes.len().is_multiple_of(self.unit()) {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        (text, sound)
    }

    /// Returns the number of bytes of a unit.
    fn unit(self) -> usize {
        match self {
            Charset::Utf16(_) => 2,
            Charset::Utf32(_) => 4,
            _ => 1,
        }
    }

    /// Returns the number of bytes up to the end of the last whole character. The rest may be the start of another one.
    fn whole(self, bytes: &[u8]) -> usize {
        match self {
            Charset::Utf16(order) => {
                let units = bytes.len() - bytes.len() % 2;
                let last = bytes[..units].chunks_exact(2).next_back();
                // The first half of a pair waits for the second.
                units - last.map_or(0, |last| if matches!(order.u16(last), 0xD800..=0xDBFF) { 2 } else { 0 })
            }
            Charset::Utf32(_) => bytes.len() - bytes.len() % 4,
            _ => {
                let tail = &bytes[bytes.len().saturating_sub(3)..];
                let lead = tail.iter().rposition(|&byte| byte >= 0xC0);
                let wants = |lead: u8| 2 + usize::from(lead >= 0xE0) + usize::from(lead >= 0xF0);
                let cut = lead.map(|at| tail.len() - at).filter(|&have| wants(tail[tail.len() - have]) > have);
                bytes.len() - cut.unwrap_or(0)
            }
        }
    }
}

/// Returns a label in lower case, without the signs in which spellings differ.
fn plain(label: &str) -> String {
    label.trim().replace(['-', '_', ' ', '.', ':'], "").to_ascii_lowercase()
}

/// Returns the standard's label for a name that Python, Java, Windows or a database uses, given in its plain form.
/// Names that mean different charsets in different programs are left out.
fn alias(plain: &str) -> Option<&'static str> {
    const ALIASES: [(&str, &str); 44] = [
        ("utf8sig", "utf-8"),
        ("utf8mb4", "utf-8"),
        ("utf8mb3", "utf-8"),
        ("cp65001", "utf-8"),
        ("usascii", "us-ascii"),
        ("ansi", "windows-1252"),
        ("windows1250", "windows-1250"),
        ("windows1251", "windows-1251"),
        ("windows1252", "windows-1252"),
        ("windows1253", "windows-1253"),
        ("windows1254", "windows-1254"),
        ("windows1255", "windows-1255"),
        ("windows1256", "windows-1256"),
        ("windows1257", "windows-1257"),
        ("windows1258", "windows-1258"),
        ("win1250", "windows-1250"),
        ("win1251", "windows-1251"),
        ("win1252", "windows-1252"),
        ("cp874", "windows-874"),
        ("windows874", "windows-874"),
        ("cp932", "shift_jis"),
        ("ms932", "shift_jis"),
        ("windows932", "shift_jis"),
        ("windows31j", "shift_jis"),
        ("mskanji", "shift_jis"),
        ("cp936", "gbk"),
        ("ms936", "gbk"),
        ("windows936", "gbk"),
        ("euccn", "gbk"),
        ("cp949", "euc-kr"),
        ("ms949", "euc-kr"),
        ("uhc", "euc-kr"),
        ("euckr", "euc-kr"),
        ("cp950", "big5"),
        ("ms950", "big5"),
        ("big5hkscs", "big5-hkscs"),
        ("eucjp", "euc-jp"),
        ("ujis", "euc-jp"),
        ("iso2022jp", "iso-2022-jp"),
        ("koi8r", "koi8-r"),
        ("koi8u", "koi8-u"),
        ("latin9", "iso-8859-15"),
        ("latin10", "iso-8859-16"),
        ("macroman", "macintosh"),
    ];
    ALIASES.iter().find(|(name, _)| *name == plain).map(|(_, label)| *label)
}

impl Order {
    fn u16(self, unit: &[u8]) -> u16 {
        let unit = unit.first_chunk().copied().unwrap_or_default();
        match self {
            Order::Big => u16::from_be_bytes(unit),
            Order::Little => u16::from_le_bytes(unit),
        }
    }

    fn u32(self, unit: &[u8]) -> u32 {
        let unit = unit.first_chunk().copied().unwrap_or_default();
        match self {
            Order::Big => u32::from_be_bytes(unit),
            Order::Little => u32::from_le_bytes(unit),
        }
    }
}

/// Returns the most likely charset of a text that names none. It is UTF-8 if the text is valid UTF-8.
///
/// Looks at 16 KiB from the first byte that is not ASCII, because ASCII tells nothing about the charset.
#[cfg(feature = "charset-detect")]
pub(super) fn detect(bytes: &[u8]) -> Charset {
    use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
    const LOOKED_AT: usize = 16 * 1024;
    if str::from_utf8(bytes).is_ok() {
        return Charset::Utf8;
    }
    // The two bytes before that place tell `n.º` in Spanish from Cyrillic.
    let start = encoding_rs::Encoding::ascii_valid_up_to(bytes).saturating_sub(2);
    let end = bytes.len().min(start + LOOKED_AT);
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes[start..end], end == bytes.len());
    // Text whose examined part is valid UTF-8 is taken for UTF-8 that is broken further on.
    Charset::of_encoding(detector.guess(None, Utf8Detection::Allow))
}

#[cfg(not(feature = "charset-detect"))]
pub(super) fn detect(_: &[u8]) -> Charset {
    Charset::Utf8
}

/// Decodes text piece by piece.
pub(super) struct Decoder {
    charset: Charset,
    /// The start of a character whose end has not arrived.
    pending: Vec<u8>,
    #[cfg(feature = "charset")]
    tables: Option<encoding_rs::Decoder>,
}

impl Decoder {
    pub(super) fn new(charset: Charset) -> Decoder {
        Decoder {
            charset,
            pending: Vec::new(),
            #[cfg(feature = "charset")]
            tables: match charset {
                Charset::Other(encoding) => Some(encoding.new_decoder_without_bom_handling()),
                _ => None,
            },
        }
    }

    /// Decodes `bytes` after what is pending, and appends the text. `last` says that no more bytes will come.
    pub(super) fn feed(&mut self, bytes: &[u8], last: bool, text: &mut String) {
        #[cfg(feature = "charset")]
        if let Some(decoder) = &mut self.tables {
            let mut rest = bytes;
            loop {
                text.reserve(decoder.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len()).max(16));
                let (result, read, _) = decoder.decode_to_string(rest, text, last);
                rest = &rest[read..];
                if result == encoding_rs::CoderResult::InputEmpty {
                    return;
                }
            }
        }
        self.pending.extend_from_slice(bytes);
        let whole = if last { self.pending.len() } else { self.charset.whole(&self.pending) };
        text.push_str(&self.charset.decode_slice(&self.pending[..whole]).0);
        self.pending.drain(..whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHARSETS: [Charset; 5] = [
        Charset::Utf8,
        Charset::Utf16(Order::Big),
        Charset::Utf16(Order::Little),
        Charset::Utf32(Order::Big),
        Charset::Utf32(Order::Little),
    ];

    fn encode(charset: Charset, text: &str) -> Vec<u8> {
        match charset {
            Charset::Utf16(Order::Big) => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Charset::Utf16(Order::Little) => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Charset::Utf32(Order::Big) => text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
            Charset::Utf32(Order::Little) => text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
            _ => text.into(),
        }
    }

    #[test]
    fn broken_text() {
        let table: [(Charset, &[u8], &str); 7] = [
            (Charset::Utf8, b"a\xFFb", "a\u{FFFD}b"),
            (Charset::Utf8, b"a\xE2\x82", "a\u{FFFD}"),
            (Charset::Utf16(Order::Little), b"a\0b", "a\u{FFFD}"),
            (Charset::Utf16(Order::Little), b"\x00\xD8a\0", "\u{FFFD}a"),
            (Charset::Utf16(Order::Big), b"\xD8\x00", "\u{FFFD}"),
            (Charset::Utf32(Order::Big), b"\0\0\0a\x7F\xFF\xFF\xFF\0", "a\u{FFFD}\u{FFFD}"),
            (Charset::Utf32(Order::Little), b"\0\xD8\0\0", "\u{FFFD}"),
        ];
        for (charset, bytes, expected) in table {
            assert_eq!(charset.decode(bytes.to_vec()), (expected.to_owned(), false), "{charset:?}");
        }
    }

    #[test]
    fn labels() {
        for label in ["utf-8", "UTF8", " utf-8 ", "utf_8", "UTF_8", "utf-8-sig", "utf8mb4", "us_ascii"] {
            let ascii = cfg!(feature = "charset") && label == "us_ascii";
            assert!(ascii || Charset::of_label(label) == Ok(Charset::Utf8), "{label}");
        }
        assert_eq!(Charset::of_label("utf-16be"), Ok(Charset::Utf16(Order::Big)));
        let tables = cfg!(feature = "charset");
        assert_eq!(Charset::of_label("Shift_JIS").is_ok(), tables);
        for label in
            ["klingon", "iso-2022-kr", "ISO_2022_KR", "hz-gb-2312", "iso-2022-cn", "csiso2022kr", "replacement", ""]
        {
            let unknown = Charset::of_label(label).unwrap_err();
            assert_eq!(matches!(unknown.kind, ErrorKind::InvalidRequest), tables, "RW-54 {label} {unknown:?}");
        }
    }

    /// Row RW-28: names that Python, Java, databases and Windows have for charsets of the standard.
    #[cfg(feature = "charset")]
    #[test]
    fn aliases() {
        let table = [
            (
                "windows-1252",
                "latin-1 latin1 latin_1 ansi cp1252 CP-1252 win-1252 windows_1252 iso8859_1 ISO 8859-1 us_ascii",
            ),
            ("windows-1251", "win-1251 cp1251 windows1251"),
            ("shift_jis", "cp932 CP932 ms932 shift-jis shift_jis ms_kanji windows-31j windows_31j sjis"),
            ("gbk", "cp936 gb2312 gbk gb_2312 euc_cn"),
            ("euc-kr", "cp949 euc_kr euckr uhc ks_c_5601-1987"),
            ("big5", "cp950 big5 big5_hkscs"),
            ("euc-jp", "euc_jp eucjp EUC-JP ujis"),
            ("iso-2022-jp", "iso2022_jp iso-2022-jp"),
            ("iso-8859-15", "latin-9 iso8859_15 iso_8859-15 l9"),
            ("iso-8859-2", "latin-2 latin2 iso_8859_2"),
            ("koi8-r", "koi8_r koi8r"),
            ("macintosh", "mac_roman macintosh"),
            ("windows-874", "cp874 tis-620 iso8859_11"),
            ("gb18030", "gb18030 gb_18030"),
        ];
        for (name, labels) in table {
            let expected = Charset::of_encoding(encoding_rs::Encoding::for_label(name.as_bytes()).unwrap());
            for label in labels.replace("ISO 8859", "ISO@8859").split(' ').map(|label| label.replace('@', " ")) {
                assert_eq!(Charset::of_label(&label), Ok(expected), "RW-28 {label}");
            }
        }
        for label in ["cp437", "cp1", "latin", "win", "mbcs", "utf7", "cp037"] {
            assert!(Charset::of_label(label).is_err(), "{label}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn text_comes_back_however_it_is_split(text in "\\PC{0,12}", size in 1usize..6) {
            for charset in CHARSETS {
                let bytes = encode(charset, &text);
                prop_assert_eq!(&charset.decode(bytes.clone()), &(text.clone(), true));
                prop_assert_eq!(&in_pieces(charset, &bytes, size), &text, "{:?}", charset);
            }
        }

        #[test]
        fn any_bytes_are_the_same_text_however_they_are_split(
            bytes in prop::collection::vec(prop::sample::select(b"\0a\x82\xC3\xD8\xDC\xE2\xF0".to_vec()), 0..12),
            size in 1usize..6,
        ) {
            for charset in CHARSETS {
                let whole = charset.decode(bytes.clone()).0;
                prop_assert_eq!(in_pieces(charset, &bytes, size), whole, "{:?}", charset);
            }
        }
    }

    fn in_pieces(charset: Charset, bytes: &[u8], size: usize) -> String {
        let (mut decoder, mut text) = (Decoder::new(charset), String::new());
        bytes.chunks(size).for_each(|piece| decoder.feed(piece, false, &mut text));
        decoder.feed(b"", true, &mut text);
        text
    }
}

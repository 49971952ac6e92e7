//! The Content-Disposition field: whether a body is to be saved, and under which name (RFC 6266).

use super::Response;
use super::fields::{Parameters, first_word, texts, token};

/// The longest name that common file systems accept, in bytes.
const NAME_MAX: usize = 255;

/// A Content-Disposition, returned by [`Response::content_disposition`].
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve(concat!(
/// #     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
/// #     "Content-Disposition: attachment; filename=\"../x\"; filename*=UTF-8''%e2%82%ac.txt\r\n\r\n",
/// # ));
/// // Content-Disposition: attachment; filename="../x"; filename*=UTF-8''%e2%82%ac.txt
/// let response = hostpool::get(url).send()?;
/// let disposition = response.content_disposition().unwrap();
/// assert!(disposition.is_attachment());
/// assert_eq!(disposition.file_name().as_deref(), Some("€.txt"));
/// assert_eq!(disposition.parameter("filename"), Some("../x")); // as it was sent: not safe
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentDisposition {
    kind: String,
    parameters: Vec<(String, String)>,
}

impl ContentDisposition {
    fn parse(field: &[u8]) -> Option<ContentDisposition> {
        let (word, rest) = first_word(field);
        // Some servers leave the type out: `filename=a.txt`.
        let is_parameter = word.contains(&b'=') || rest.trim_ascii_start().starts_with(b"=");
        let (kind, parameters) = if word.is_empty() || is_parameter { ("", field) } else { (token(word)?, rest) };
        let parameters = texts(Parameters::new(parameters));
        let says_nothing = kind.is_empty() && parameters.is_empty();
        (!says_nothing).then(|| ContentDisposition { kind: kind.to_ascii_lowercase(), parameters })
    }

    /// Returns the type in lower case: `attachment`, `inline` or another. It is empty if the server left it out.
    #[doc(alias = "type")]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns whether the body is to be saved. It is true for unknown types too (RFC 6266, section 4.2), and for a
    /// field without a type.
    pub fn is_attachment(&self) -> bool {
        self.kind != "inline"
    }

    /// Returns the value of a parameter as the server sent it. The case of the name does not matter. A name with a `*`
    /// is a parameter of its own, and its value is decoded (RFC 8187).
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns all parameters in order, with names in lower case.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the name to save the body under, from `filename*` or else from `filename`. It is safe as a single
    /// component of a path on every common system (RFC 6266, section 4.3).
    ///
    /// Only the last component of a path is used. The name has no separators, no control characters, no characters that
    /// change the direction of text, and none that Windows reserves. It is not hidden, not `..` and not the name of a
    /// device, and has at most 255 bytes. Returns `None` if nothing is left. A file with this name may exist.
    #[doc(alias = "filename")]
    pub fn file_name(&self) -> Option<String> {
        ["filename*", "filename"].iter().find_map(|name| safe_name(self.parameter(name)?))
    }
}

/// # The name of a file
impl Response {
    /// Returns whether the server wants the body to be saved, and under which name. Returns `None` if there is no
    /// Content-Disposition, or a malformed one.
    ///
    /// See [`ContentDisposition`] for an example, and [`save_to`](Self::save_to).
    pub fn content_disposition(&self) -> Option<ContentDisposition> {
        // Old servers send names in UTF-8 or ISO-8859-1 without naming the charset.
        self.headers().get_bytes("content-disposition").and_then(ContentDisposition::parse)
    }
}

fn safe_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept = last.chars().filter(|&c| !c.is_control() && !is_invisible(c));
    let name: String = kept.map(|c| if r#"<>:"|?*"#.contains(c) { '_' } else { c }).collect();
    let mut name = trim_end(name.trim_start()).to_owned();
    if name.is_empty() {
        return None;
    }
    if name.starts_with('.') {
        name.replace_range(..1, "_");
    }
    if is_device(&name) {
        name.insert(0, '_');
    }
    Some(shortened(name))
}

/// Removes dots and spaces at the end. Windows drops them, so that `con.` would be `con`.
fn trim_end(name: &str) -> &str {
    name.trim_end_matches(|c: char| c == '.' || c.is_whitespace())
}

/// Returns whether a character cannot be seen, or changes the direction of text, so that `gpj.exe` is shown as
/// `exe.jpg`.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Returns whether Windows takes a name for a device, whatever extension follows.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = |port: &str| {
        let number = stem.strip_prefix(port);
        number.is_some_and(|number| {
            let mut chars = number.chars();
            matches!((chars.next(), chars.next()), (Some('0'..='9' | '\u{b9}' | '\u{b2}' | '\u{b3}'), None))
        })
    };
    ["con", "prn", "aux", "nul", "conin$", "conout$"].contains(&&*stem) || numbered("com") || numbered("lpt")
}

/// Shortens a long name before its extension.
fn shortened(name: String) -> String {
    if name.len() <= NAME_MAX {
        return name;
    }
    let dot = name.rfind('.').filter(|dot| name.len() - dot <= 32).unwrap_or(name.len());
    let (stem, extension) = name.split_at(dot);
    let mut len = NAME_MAX - extension.len();
    while !stem.is_char_boundary(len) {
        len -= 1;
    }
    [trim_end(&stem[..len]), extension].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields() {
        let table = [
            ("inline", Some(("inline", false, None))),
            ("attachment", Some(("attachment", true, None))),
            ("ATTACHMENT; FileName=a.txt", Some(("attachment", true, Some("a.txt")))),
            ("attachment; filename=\"a b.txt\"", Some(("attachment", true, Some("a b.txt")))),
            ("attachment; filename=a b.txt; x=y", Some(("attachment", true, Some("a b.txt")))),
            ("attachment; filename=\"a\\\"b;c.txt\"", Some(("attachment", true, Some("a_b;c.txt")))),
            ("attachment; filename=a; filename=b", Some(("attachment", true, Some("a")))),
            ("attachment; filename=x; filename*=UTF-8''%e2%82%ac", Some(("attachment", true, Some("\u{20ac}")))),
            ("attachment; filename*=UTF-8''%e2%82%ac; filename=x", Some(("attachment", true, Some("\u{20ac}")))),
            ("attachment; filename*=UTF-8''%ff; filename=x", Some(("attachment", true, Some("x")))),
            ("attachment; filename*=koi8-r''%c1; filename=x", Some(("attachment", true, Some("x")))),
            ("attachment; filename*=iso-8859-1''%e9", Some(("attachment", true, Some("\u{e9}")))),
            ("attachment; filename*=UTF-8''..%2f..%2fetc%2fpasswd", Some(("attachment", true, Some("passwd")))),
            ("attachment; filename*=UTF-8''%2e%2e; filename=x", Some(("attachment", true, Some("x")))),
            ("attachment; filename=\"\"", Some(("attachment", true, None))),
            ("x-odd; a=b", Some(("x-odd", true, None))),
            ("form-data; name=a; filename=b", Some(("form-data", true, Some("b")))),
            ("filename=a.txt", Some(("", true, Some("a.txt")))),
            ("filename = a.txt; size=5", Some(("", true, Some("a.txt")))),
            ("filename=\"a b;c.txt\"", Some(("", true, Some("a b;c.txt")))),
            ("filename*=UTF-8''%e2%82%ac", Some(("", true, Some("\u{20ac}")))),
            ("; filename=a", Some(("", true, Some("a")))),
            ("attachment filename=a", Some(("attachment", true, Some("a")))),
            ("; ;", None),
            ("\"attachment\"; filename=a", None),
            ("", None),
        ];
        for (text, expected) in table {
            let parsed = ContentDisposition::parse(text.as_bytes());
            let name = parsed.as_ref().and_then(ContentDisposition::file_name);
            let found = parsed.as_ref().map(|parsed| (parsed.kind(), parsed.is_attachment(), name.as_deref()));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn names_are_safe() {
        let table = [
            ("a.txt", Some("a.txt")),
            ("r\u{e9}sum\u{e9}.pdf", Some("r\u{e9}sum\u{e9}.pdf")),
            ("/etc/passwd", Some("passwd")),
            ("C:\\Windows\\x.dll", Some("x.dll")),
            ("..\\../x", Some("x")),
            ("C:x", Some("C_x")),
            ("x.txt:stream", Some("x.txt_stream")),
            ("a<b>|c?*\"", Some("a_b__c___")),
            ("a\r\n\0\u{7f}\u{85}b", Some("ab")),
            ("a\u{202e}gpj.exe", Some("agpj.exe")),
            ("\u{feff}a\u{200b}", Some("a")),
            (".bashrc", Some("_bashrc")),
            ("...", None),
            ("..", None),
            (".", None),
            ("", None),
            (" \t", None),
            ("a/", None),
            ("x. . ", Some("x")),
            (" .x", Some("_x")),
            ("con", Some("_con")),
            ("CON.tar.gz", Some("_CON.tar.gz")),
            ("con .txt", Some("_con .txt")),
            ("NUL.", Some("_NUL")),
            ("com1.x", Some("_com1.x")),
            ("LPT\u{b2}", Some("_LPT\u{b2}")),
            ("com10", Some("com10")),
            ("console", Some("console")),
            ("conout$", Some("_conout$")),
        ];
        for (name, expected) in table {
            assert_eq!(safe_name(name).as_deref(), expected, "{name:?}");
        }
        assert_eq!(safe_name(&format!("{} {}", "a".repeat(254), "b".repeat(100))).unwrap(), "a".repeat(254));
        let long = safe_name(&format!("{}.tar.gz", "\u{e9}".repeat(500))).unwrap();
        assert!(long.len() > 250 && long.len() <= NAME_MAX && long.ends_with("\u{e9}.gz"), "{long}");
        assert_eq!(safe_name(&"a".repeat(500)).unwrap().len(), NAME_MAX);
        assert_eq!(safe_name(&format!("a.{}", "b".repeat(500))).unwrap().len(), NAME_MAX);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_name_is_one_component(name in "([./\\\\:con1 \u{0}\u{202e}\u{3000}]|\\PC|\\p{Any}){0,300}") {
            if let Some(name) = safe_name(&name) {
                let path = std::path::Path::new(&name);
                prop_assert_eq!(path.components().count(), 1);
                prop_assert_eq!(path.file_name().and_then(|name| name.to_str()), Some(&*name));
                prop_assert!(!name.is_empty() && name.len() <= NAME_MAX && !name.starts_with('.'), "{name:?}");
                prop_assert!(!name.contains(['/', '\\', ':']) && !name.chars().any(char::is_control), "{name:?}");
                prop_assert!(!is_device(&name) && trim_end(&name) == name, "{name:?}");
            }
        }
    }
}

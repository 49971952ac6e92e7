//! What the head says.

use hostpool::{Method, StatusCode, Version};

use super::fetch;

/// Rows RS-03 to RS-08, RS-12, RS-13, B146, B148 and B151.
#[test]
fn accessors() {
    let bytes = b"HTTP/1.1 299 Gr\xFCn\r\nX-A: 1\r\nEmpty:\r\nx-a: 2\r\nX-Raw: \xFC\r\nContent-Length: 2\r\n\r\nok";
    let (server, response) = fetch(bytes);
    assert_eq!((response.version(), response.status()), (Version::HTTP_11, StatusCode::from_u16(299).unwrap()));
    assert_eq!((response.method(), response.reason(), response.ok()), (&Method::GET, "", true));
    assert_eq!((response.host(), response.url().as_str()), ("127.0.0.1", &*server.url("/dir/page?q=1")));
    assert_eq!(response.headers().get_all("X-A").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(response.headers().get("empty"), Some(""));
    let raw: Vec<_> = response.headers().iter().map(|field| (field.name(), field.bytes())).collect();
    let expected: [(&str, &[u8]); 5] =
        [("X-A", b"1"), ("Empty", b""), ("x-a", b"2"), ("X-Raw", b"\xFC"), ("Content-Length", b"2")];
    assert_eq!(raw, expected);
    let (_server, response) = fetch("HTTP/1.0 404 Gr\u{fc}n\r\n\r\n");
    assert_eq!((response.version(), response.reason(), response.ok()), (Version::HTTP_10, "Gr\u{fc}n", false));
    assert_eq!(response.content_length(), None);
}

/// Rows C7, B143: what the Content-Type says, and wrong ones.
#[test]
fn media_types() {
    let table: [(&[u8], Option<&str>, Option<&str>); 6] = [
        (b"Content-Type: Text/HTML; charset=UTF-8", Some("text/html"), Some("UTF-8")),
        (b"Content-Type: text/html\r\nContent-Type: text/plain", Some("text/html"), None),
        (b"Content-Type: nonsense; charset=koi8-r", None, Some("koi8-r")),
        (b"Content-Type:", None, None),
        (b"Content-Type: text/pl\xE4in; charset=x", None, Some("x")),
        (b"X: y", None, None),
    ];
    for (field, essence, charset) in table {
        let (_server, response) = fetch([b"HTTP/1.1 200 OK\r\n", field, b"\r\nContent-Length: 0\r\n\r\n"].concat());
        let row = field.escape_ascii();
        assert_eq!(response.content_type().map(|found| found.to_string()).as_deref(), essence, "{row}");
        assert_eq!(response.charset(), charset, "{row}");
    }
}

/// Row C7: names in every spelling that servers use, as text and as bytes.
#[test]
fn dispositions() {
    let table: [(&[u8], _); 6] = [
        (b"X: y", None),
        (b"Content-Disposition: attachment; filename=\"../../.ssh/id\"", Some(("attachment", Some("id")))),
        (b"Content-Disposition: inline; filename=caf\xE9.txt", Some(("inline", Some("caf\u{e9}.txt")))),
        (b"content-disposition: attachment; filename=\"caf\xC3\xA9\"", Some(("attachment", Some("caf\u{e9}")))),
        (b"Content-Disposition: attachment; filename=..", Some(("attachment", None))),
        (b"Content-Disposition: = ; filename=a", Some(("", Some("a")))),
    ];
    for (field, expected) in table {
        let (_server, response) = fetch([b"HTTP/1.1 200 OK\r\n", field, b"\r\nContent-Length: 0\r\n\r\n"].concat());
        let found = response.content_disposition();
        let found = found.as_ref().map(|found| (found.kind(), found.file_name()));
        let expected = expected.map(|(kind, name): (_, Option<&str>)| (kind, name.map(str::to_owned)));
        assert_eq!(found, expected, "{}", field.escape_ascii());
    }
}

/// Row C7: several links in a field and several fields, resolved against the URL of the response.
#[test]
fn links() {
    let fields = concat!(
        "Link: <next>; rel=\"next\"; title*=UTF-8''%c3%bc, </abs%2F?x='>; REL=\"Prev  last\"\r\n",
        "X: y\r\n",
        "Link: <mailto:a@b>; rel=author, <//other.example:81/x>; rel=cdn; anchor=\"#a\", junk, <?p=2>; rel=p\r\n",
        "link: <>; rel=self, <https://h/a/../b>; rel=abs; rel=ignored, <http://h:0/>; rel=bad\r\n",
    );
    let (server, response) = fetch(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n"));
    let links = response.links();
    let found: Vec<_> = links.iter().map(|link| (link.url().to_string(), link.rel().collect::<Vec<_>>())).collect();
    let at = |path: &str| server.url(path);
    let expected = [
        (at("/dir/next"), vec!["next"]),
        (at("/abs%2F?x='"), vec!["Prev", "last"]),
        ("http://other.example:81/x".to_owned(), vec!["cdn"]),
        (at("/dir/page?p=2"), vec!["p"]),
        (at("/dir/page?q=1"), vec!["self"]),
        ("https://h/a/../b".to_owned(), vec!["abs"]),
    ];
    assert_eq!(found, expected);
    assert_eq!(links[0].parameter("TITLE*"), Some("\u{fc}"));
    assert!(links[1].has_rel("prev") && links[1].has_rel("LAST") && !links[1].has_rel("next"));
    assert_eq!(links[2].parameter("anchor"), Some("#a"));
    let (_server, response) =
        fetch(format!("HTTP/1.1 200 OK\r\nLink: {}\r\nContent-Length: 0\r\n\r\n", "<a>,".repeat(5_000)));
    assert_eq!(response.links().len(), 256);
}

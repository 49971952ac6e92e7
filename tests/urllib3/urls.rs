//! What URLs are made of (URL).
//!
//! A `Url` is absolute; what urllib3 parses without a scheme is a reference here, which [`Url::join`] resolves, or the
//! target of a pool. Paths and queries are not rewritten: a signed URL leaves as it was signed.

use hostpool::{ConnectionPool, ErrorKind, InvalidUrl, Url};

use crate::support::{Server, answers, header, ok};

/// Scheme, credentials, host, port, path, query and fragment.
type Parts<'a> =
    (&'a str, Option<(&'a str, Option<&'a str>)>, &'a str, Option<u16>, &'a str, Option<&'a str>, Option<&'a str>);

fn check(id: &str, url: &Url, expected: Parts<'_>) {
    let (scheme, auth, host, port, path, query, fragment) = expected;
    let found_auth = url.auth();
    let found_auth = found_auth.as_ref().map(|(user, password)| (&**user, password.as_deref()));
    let found = (url.scheme(), found_auth, url.host(), url.port(), url.path(), url.query(), url.fragment());
    assert_eq!(found, (scheme, auth, host, port, path, query, fragment), "{id}");
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    assert_eq!(url.target(), format!("{path}{query}"), "{id}");
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    // A socket's path stands in a URL with its slashes escaped.
    let host = host.replace('/', "%2F");
    assert_eq!(url.netloc(), format!("{host}{port}"), "{id}");
}

#[test]
fn parts() {
    let table: &[(&str, &str, Parts<'_>)] = &[
        ("URL-01", "http://google.com/mail", ("http", None, "google.com", None, "/mail", None, None)),
        ("URL-01", "http://google.com/", ("http", None, "google.com", None, "/", None, None)),
        ("URL-01", "http://google.com", ("http", None, "google.com", None, "/", None, None)),
        ("URL-03", "http://google.com:8000", ("http", None, "google.com", Some(8000), "/", None, None)),
        ("URL-03", "http://google.com:8000/mail/", ("http", None, "google.com", Some(8000), "/mail/", None, None)),
        ("URL-03 the default", "https://google.com:443", ("https", None, "google.com", Some(443), "/", None, None)),
        ("URL-03 zeros", "http://google.com:0080", ("http", None, "google.com", Some(80), "/", None, None)),
        ("URL-03 none behind the colon", "http://google.com:", ("http", None, "google.com", None, "/", None, None)),
        (
            "URL-04",
            "http://user:password@127.0.0.1:1234",
            ("http", Some(("user", Some("password"))), "127.0.0.1", Some(1234), "/", None, None),
        ),
        ("URL-06", "http://173.194.35.7", ("http", None, "173.194.35.7", None, "/", None, None)),
        ("URL-06", "http://173.194.35.7:80/t", ("http", None, "173.194.35.7", Some(80), "/t", None, None)),
        ("URL-09", "HTTP://GOOGLE.COM/Mail?Q#F", ("http", None, "google.com", None, "/Mail", Some("Q"), Some("F"))),
        ("URL-09 IPv6", "http://[::FFFF:AbCd]/", ("http", None, "[::ffff:abcd]", None, "/", None, None)),
        ("URL-15 as browsers", "http://\u{2764}.com", ("http", None, "xn--qei.com", None, "/", None, None)),
        (
            "URL-16 escaped",
            "http://user%40domain.com:password@example.com/~tilde@?@",
            ("http", Some(("user@domain.com", Some("password"))), "example.com", None, "/~tilde@", Some("@"), None),
        ),
        (
            "URL-21",
            "http://google.com/p%5B%5d%20a?q=%C3%a9%2f",
            ("http", None, "google.com", None, "/p%5B%5d%20a", Some("q=%C3%a9%2f"), None),
        ),
        ("URL-24", "http://K\u{f6}nigsg\u{e4}\u{df}chen.de/", KOENIG),
        ("URL-24", "http://例え.テスト/", ("http", None, "xn--r8jz45g.xn--zckzah", None, "/", None, None)),
        ("URL-25", "http://K%C3%B6nigsg%c3%a4%C3%9Fchen.de/", KOENIG),
        ("URL-33", "http://google.com?foo", ("http", None, "google.com", None, "/", Some("foo"), None)),
        ("URL-33 two", "http://google.com/?a?b#c#d", ("http", None, "google.com", None, "/", Some("a?b"), Some("c#d"))),
        (
            "URL-37",
            "http://h/\u{e4}?\u{1F4A9}#\u{e4}",
            ("http", None, "h", None, "/%C3%A4", Some("%F0%9F%92%A9"), Some("\u{e4}")),
        ),
        ("URL-46", "http://h/．．/a", ("http", None, "h", None, "/%EF%BC%8E%EF%BC%8E/a", None, None)),
        (
            "URL-49",
            "http://localhost:8000/?q=HTTP/1.1\r\nHEADER: INJECTED\r\nIgnore:",
            ("http", None, "localhost", Some(8000), "/", Some("q=HTTP/1.1%0D%0AHEADER:%20INJECTED%0D%0AIgnore:"), None),
        ),
        (
            "URL-49 in the path",
            "http://localhost:8000/\r\nHost: x",
            ("http", None, "localhost", Some(8000), "/%0D%0AHost:%20x", None, None),
        ),
        (
            "a socket",
            "http+unix://%2Frun%2Fa.sock/v1?x",
            ("http+unix", None, "/run/a.sock", None, "/v1", Some("x"), None),
        ),
    ];
    for (id, text, expected) in table {
        let url = Url::parse(text).unwrap_or_else(|error| panic!("{id} {text:?}: {error}"));
        assert_eq!((url.as_str(), url.fragment()), (*text, expected.6), "URL-39 {id}");
        check(id, &url, *expected);
        assert!(!format!("{url:?} {url}").contains("password"), "{id}");
    }
}

const KOENIG: Parts<'_> = ("http", None, "xn--knigsgchen-b4a3dun.de", None, "/", None, None);

/// A zone keeps its case, and the host is the address without it.
#[test]
fn zones() {
    for (id, text, host, zone) in [
        ("URL-18", "http://[::1%25]", "[::1]", "25"),
        ("URL-19", "http://[::Ff%etH0]/%ab%Af", "[::ff]", "etH0"),
        ("URL-19 as RFC 6874 writes it", "http://[fe80::1%25eth0]/", "[fe80::1]", "eth0"),
    ] {
        let url = Url::parse(text).unwrap();
        assert_eq!((url.host(), url.origin().zone()), (host, Some(zone)), "{id}");
    }
}

/// Every form of RFC 2732, in the one spelling of RFC 5952.
#[test]
fn ipv6() {
    let table = [
        ("[FEDC:BA98:7654:3210:FEDC:BA98:7654:3210]:80", "[fedc:ba98:7654:3210:fedc:ba98:7654:3210]", Some(80)),
        ("[1080:0:0:0:8:800:200C:417A]", "[1080::8:800:200c:417a]", None),
        ("[3ffe:2a00:100:7031::1]", "[3ffe:2a00:100:7031::1]", None),
        ("[1080::8:800:200C:417A]", "[1080::8:800:200c:417a]", None),
        ("[::192.9.5.5]", "[::c009:505]", None),
        ("[::FFFF:129.144.52.38]:42", "[::ffff:8190:3426]", Some(42)),
        ("[2010:836B:4179::836B:4179]", "[2010:836b:4179::836b:4179]", None),
        ("[::1]:", "[::1]", None),
    ];
    for (authority, host, port) in table {
        for (path, auth) in [("/", None), ("/ipng", None), ("/a:1]", Some(("u", None)))] {
            let user = if auth.is_some() { "u@" } else { "" };
            let url = Url::parse(&format!("http://{user}{authority}{path}")).unwrap();
            check("URL-07", &url, ("http", auth, host, port, path, None, None));
        }
    }
}

#[test]
fn refused() {
    use InvalidUrl::*;
    let table: &[(&str, &str, InvalidUrl)] = &[
        ("URL-06 no scheme", "173.194.35.7", NoScheme),
        ("URL-06 no scheme, a port", "173.194.35.7:80/t", NoScheme),
        ("URL-10", "abOut://eXamPlE.com?info=1", UnsupportedScheme),
        ("URL-12", "http://google.com:foo", Port),
        ("URL-12", "http://google.com:-80", Port),
        ("URL-12", "http://google.com:65536", Port),
        ("URL-12", "http://google.com:\u{b2}\u{b2}", Port),
        ("URL-12 nobody's port", "http://google.com:0", Port),
        ("URL-13", "http://::1/", NoHost),
        ("URL-13", "http://::1:80/", NoHost),
        ("URL-13", "http://[::1", Host),
        ("URL-13", "http://[::1:80/", Host),
        ("URL-15", "http://\u{D7FF}.com", Host),
        ("URL-15", "http://xn--a/", Host),
        ("URL-15", "http://a\u{200D}b.com/", Host),
        ("URL-16", "http://user@domain.com:password@example.com/~tilde@?@", Authority),
        ("URL-18", "http://[::1%]", Host),
        ("URL-19", "http://[::Ff%etH0%Ff]/%ab%Af", Host),
        ("URL-27", "http://%FF%FE.example/", Host),
        ("URL-28", "http://a%20b/", Host),
        ("URL-28", "http://a%2Fb/", Host),
        ("URL-28", "http://a%40b/", Host),
        ("URL-28", "http://a%5Cb/", Host),
        ("URL-28", "http://a%5Bb/", Host),
        ("URL-28", "http://a%5Db/", Host),
        ("URL-28", "http://a%3Ab/", Host),
        ("URL-28", "http://a%3Fb/", Host),
        ("URL-28", "http://a%23b/", Host),
        ("URL-28", "http://a%25b/", Host),
        ("URL-30", "", NoScheme),
        ("URL-31", "/foo?bar=baz#banana?apple/orange", NoScheme),
        ("URL-34", "?", NoScheme),
        ("URL-45", "http://127.0.0.1%0d%0aConnection%3a%20keep-alive", Host),
        ("URL-48", "//google.com/a/b/c", NoScheme),
    ];
    for (id, text, expected) in table {
        assert_eq!(Url::parse(text).map(|url| url.to_string()), Err(*expected), "{id} {text:?}");
        assert!(ConnectionPool::builder(text).build().is_err(), "{id} {text:?}");
    }
}

/// What has no scheme, at a URL, and as the target of a pool.
#[test]
fn references() {
    let fragment = Some("banana?apple/orange");
    let table: &[(&str, &str, Parts<'_>)] = &[
        ("URL-30, URL-40", "", ("http", None, "h", None, "/", None, None)),
        ("URL-31, URL-40", "/", ("http", None, "h", None, "/", None, None)),
        ("URL-31", "/foo", ("http", None, "h", None, "/foo", None, None)),
        ("URL-31, URL-40", "/foo?bar=baz", ("http", None, "h", None, "/foo", Some("bar=baz"), None)),
        ("URL-31", "/foo?bar=baz#banana?apple/orange", ("http", None, "h", None, "/foo", Some("bar=baz"), fragment)),
        ("URL-34, URL-40", "?", ("http", None, "h", None, "/", Some(""), None)),
        ("URL-34, URL-40", "#", ("http", None, "h", None, "/", None, Some(""))),
        ("URL-40", "http://google.com", ("http", None, "google.com", None, "/", None, None)),
        ("URL-48", "//google.com/a/b/c", ("http", None, "google.com", None, "/a/b/c", None, None)),
        ("URL-46", "/．．/a", ("http", None, "h", None, "/%EF%BC%8E%EF%BC%8E/a", None, None)),
    ];
    let pool = ConnectionPool::builder("http://h").build().unwrap();
    for (id, reference, expected) in table {
        check(id, &Url::parse("http://h").unwrap().join(reference).unwrap(), *expected);
        let request = pool.get(reference).build();
        match reference.starts_with(['/', '?']) || reference.is_empty() {
            // A pool knows its host: two slashes are a path.
            true if *id == "URL-48" => assert_eq!(request.unwrap().url().target(), *reference, "{id}"),
            true => check(id, request.unwrap().url(), *expected),
            false => assert!(pool.get(reference).send().is_err(), "{id}"),
        }
    }
    assert_eq!(pool.get("http://google.com").send().unwrap_err().kind(), &ErrorKind::HostChanged, "URL-40");
}

/// As they are written in a URL, since a server may have signed them; resolved in a reference.
#[test]
fn dot_segments() {
    let table = [
        ("/abc/../def", "/def"),
        ("/..", "/"),
        ("/./abc/./def/", "/abc/def/"),
        ("/.", "/"),
        ("/./", "/"),
        ("/abc/./.././d/././e/.././f/./../../ghi", "/ghi"),
    ];
    for (path, resolved) in table {
        assert_eq!(Url::parse(&format!("http://h{path}")).unwrap().path(), path, "URL-36");
        assert_eq!(Url::parse("http://h/x/y").unwrap().join(path).unwrap().path(), resolved, "URL-36");
    }
}

#[test]
fn control_characters() {
    for byte in (0..=0x20).chain([0x7F]) {
        let c = char::from(byte);
        let url = Url::parse(&format!("http://h/a{c}b?c{c}d#e{c}f")).unwrap();
        let escaped = format!("/a%{byte:02X}b?c%{byte:02X}d");
        assert_eq!(url.target(), escaped, "URL-22");
        // It is never sent.
        assert_eq!(url.fragment(), Some(&*format!("e{c}f")), "URL-22");
        let with_user = Url::parse(&format!("http://u{c}v@h/"));
        match byte {
            // Credentials are decoded to bytes; of them every one is Base64.
            0x7F => assert_eq!(with_user.unwrap().auth(), Some(("u\x7Fv".into(), None)), "URL-22"),
            _ => assert_eq!(with_user, Err(InvalidUrl::Authority), "URL-22"),
        }
    }
}

#[test]
fn texts_read_back() {
    for text in [
        "http://google.com/",
        "http://google.com/mail",
        "http://google.com:80",
        "https://google.com/?q=1&r#f",
        "http://[::1]:8080/x",
        "http://u:p@h/",
        "http+unix://%2Frun%2Fa.sock/v1",
    ] {
        let url: Url = text.parse().unwrap();
        assert_eq!((url.as_str(), Url::try_from(text)), (text, Ok(url.clone())), "URL-39");
        assert_eq!(Url::try_from(&url::Url::from(&url)).unwrap().target(), url.target(), "URL-39");
        if let (Ok(uri), true) = (text.parse::<http::Uri>(), url.fragment().is_none()) {
            assert_eq!(Url::try_from(&uri).unwrap().target(), url.target(), "URL-39");
        }
    }
}

/// Credentials, decoded, and as they are sent; with a colon always.
#[test]
fn credentials() {
    type Row<'a> = (&'a str, &'a str, Option<(&'a str, Option<&'a str>)>, Option<&'a str>);
    let table: &[Row<'_>] = &[
        ("URL-42", "foo:bar@", Some(("foo", Some("bar"))), Some("Zm9vOmJhcg==")),
        ("URL-42, URL-43", "foo@", Some(("foo", None)), Some("Zm9vOg==")),
        ("URL-42", "foo:@", Some(("foo", Some(""))), Some("Zm9vOg==")),
        ("URL-42", ":bar@", Some(("", Some("bar"))), Some("OmJhcg==")),
        ("URL-42 a colon", "foo%3Abar:baz@", Some(("foo:bar", Some("baz"))), Some("Zm9vOmJhcjpiYXo=")),
        ("URL-42 at, slash, space", "f%40o:b%2Fa%20r@", Some(("f@o", Some("b/a r"))), Some("ZkBvOmIvYSBy")),
        ("URL-42 more colons", "foo:bar:baz:@", Some(("foo", Some("bar:baz:"))), Some("Zm9vOmJhcjpiYXo6")),
        ("URL-42 no UTF-8", "f%FF@", Some(("f\u{FFFD}", None)), Some("Zv86")),
        ("URL-43 none", "", None, None),
        ("URL-43 nothing", "@", None, None),
    ];
    let server = Server::new(vec![answers(ok(""))]);
    let manager = hostpool::PoolManager::new();
    for (id, userinfo, expected, sent) in table {
        let url = Url::parse(&format!("http://{userinfo}{}/", server.addr)).unwrap();
        let found = url.auth();
        assert_eq!(found.as_ref().map(|(user, password)| (&**user, password.as_deref())), *expected, "{id}");
        assert_eq!(url.authority(), format!("{userinfo}{}", server.addr), "{id}");
        assert_eq!(url.netloc(), server.addr.to_string(), "{id}");
        manager.get(url).send().unwrap();
        let request = server.seen.requests().pop().unwrap();
        let value = sent.map(|sent| format!("Basic {sent}"));
        assert_eq!(header(&request, "Authorization"), value.as_deref(), "{id}");
    }
}

/// A text is looked at in one pass: those of any length are refused or taken at once.
#[test]
fn long_texts() {
    for count in [10_000, 100_000] {
        let expected = if count < 64 * 1024 { InvalidUrl::Authority } else { InvalidUrl::TooLong };
        for host in ["[", "example.com", "[::1]/"] {
            let text = format!("http://{}{host}", "@".repeat(count));
            assert_eq!(Url::parse(&text), Err(expected), "URL-51");
            assert_eq!(Url::parse("http://h").unwrap().join(&text[5..]), Err(expected), "URL-51");
        }
    }
    for part in ["http://h/", "http://h?", "http://h#", "http://u:"] {
        let text = format!("{part}{}", if part.ends_with(':') { ":" } else { "@" }.repeat(60_000));
        let text = if part.ends_with(':') { format!("{text}@h") } else { text };
        let url = Url::parse(&text).unwrap();
        assert_eq!((url.host(), url.as_str().len()), ("h", text.len()), "URL-51");
    }
}

//! Tests of what depends on the time, with a clock of their own, and of what the store holds.

use std::time::SystemTime;

use super::place::{domain_matches, path_matches, site};
use super::{Cookie, CookieJar, CookieRequest, CookieStore};
use crate::urls::Url;

/// 1 January 2020.
const NOW: i64 = 1_577_836_800;
const DAY: i64 = 24 * 60 * 60;
const LIMIT: i64 = NOW + 400 * DAY;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn sent(jar: &CookieJar, to: &str, now: i64) -> String {
    let header = jar.header_at(&CookieRequest::new(&url(to)), now);
    String::from_utf8(header.unwrap_or_default()).unwrap()
}

/// When a cookie with these attributes ends.
#[test]
fn the_end_of_a_cookie() {
    let session = None;
    let over = Some(0);
    let table: &[(&str, &str, Option<i64>)] = &[
        ("A10.7", "", session),
        ("A10.7", "Max-Age=1", Some(NOW + 1)),
        ("A10.7", "Max-Age=0", over),
        ("A10.7", "Max-Age=-1", over),
        ("A10.7", "Max-Age=-99999999999999999999", over),
        ("A10.7", "Max-Age=1e9", session),
        ("B218", "Max-Age=99999999999999999999", Some(LIMIT)),
        ("B218", "Max-Age=9223372036854775807", Some(LIMIT)),
        ("B218", "Max-Age=34560000", Some(LIMIT)),
        ("B218", "Max-Age=34560001", Some(LIMIT)),
        ("A10.7", "Max-Age=0000000000000000000000000060", Some(NOW + 60)),
        ("A10.7", "Max-Age=+5", session),
        ("A10.7", "Max-Age=", session),
        ("A10.7", "Max-Age", session),
        ("A10.7", "Max-Age=-", session),
        ("A10.7", "Max-Age=\"5\"", session),
        ("A10.7", "Max-Age=5 5", session),
        ("A10.7", "Max-Age=\u{0665}", session),
        ("A10.7", "max-AGE \t= 5\t", Some(NOW + 5)),
        ("A10.7", "Max-Age=5; Max-Age=6", Some(NOW + 6)),
        ("A10.7", "Max-Age=5; Max-Age=x", Some(NOW + 5)),
        ("A10.7", "Expires=Wed, 01 Jan 2020 00:01:00 GMT", Some(NOW + 60)),
        ("A10.7", "Expires=Wed, 01-Jan-20 00:01:00 GMT", Some(NOW + 60)),
        ("A10.7", "Expires=Wed Jan  1 00:01:00 2020", Some(NOW + 60)),
        ("A10.7", "Expires=Wed, 01 Jan 1970 00:00:00 GMT", over),
        ("A10.7", "Expires=01 Jan 1601 00:00:00", Some(-11_644_473_600)),
        ("A10.7", "Expires=01 Jan 1600 00:00:00", session),
        ("A10.7", "Expires=31 Dec 9999 23:59:59", Some(LIMIT)),
        ("A10.7", "Expires=01 Jan 99999 00:00:00", session),
        ("A10.7", "Expires=01 Jan 69 00:00:00", Some(LIMIT)),
        ("A10.7", "Expires=01 Jan 70 00:00:00", over),
        ("A10.7", "Expires=99 Jan 2020 00:00:00", session),
        ("A10.7", "Expires=soon", session),
        ("A10.7", "Expires=", session),
        ("A10.7", "Expires=Wed, 01 Jan 2020 00:01:00 GMT; Expires=soon", Some(NOW + 60)),
        ("B217", "Max-Age=5; Expires=Wed, 01 Jan 2020 00:01:00 GMT", Some(NOW + 5)),
        ("B217", "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=5", Some(NOW + 5)),
        ("B217", "Expires=Wed, 01 Jan 2020 00:01:00 GMT; Max-Age=0", over),
        ("B217", "Max-Age=x; Expires=Wed, 01 Jan 2020 00:01:00 GMT", Some(NOW + 60)),
    ];
    for (id, attributes, expected) in table {
        let field = format!("a=b; {attributes}");
        let cookie = super::parse::set_cookie(field.as_bytes(), NOW).unwrap();
        assert_eq!(cookie.expires, *expected, "{id}: {attributes}");
        assert!(cookie.expires().is_some() == expected.is_some(), "{id}: {attributes}");
        let jar = CookieJar::new();
        jar.set_at(&url("http://h/"), field.as_bytes(), NOW).unwrap();
        let is_alive = expected.is_none_or(|end| end > NOW);
        assert_eq!(jar.to_vec_at(NOW).len(), usize::from(is_alive), "{id}: {attributes}");
    }
    // The first and the last time that a clock can show.
    for now in [i64::MIN, 0, i64::MAX] {
        let cookie = super::parse::set_cookie(b"a=b; Max-Age=9999999999", now).unwrap();
        assert!(cookie.expires > Some(now) || now == i64::MAX);
    }
}

#[test]
fn cookies_end() {
    let jar = CookieJar::new();
    let h = url("http://h/");
    jar.set_at(&h, b"a=1; Max-Age=10", NOW).unwrap();
    jar.set_at(&h, b"b=2; Max-Age=20", NOW).unwrap();
    jar.set_at(&h, b"c=3", NOW).unwrap();
    assert_eq!(sent(&jar, "http://h/", NOW + 9), "a=1; b=2; c=3", "B217");
    assert_eq!(sent(&jar, "http://h/", NOW + 10), "b=2; c=3", "B217");
    assert_eq!(jar.to_vec_at(NOW + 10).len(), 2, "B217");
    assert_eq!(sent(&jar, "http://h/", i64::MAX), "c=3", "B217");
    // An expired cookie removes the one of its name, only at its own path.
    jar.set_at(&h, b"b=; Max-Age=0; Path=/x", NOW).unwrap();
    assert_eq!(sent(&jar, "http://h/", NOW), "a=1; b=2; c=3", "B217");
    jar.set_at(&h, b"b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", NOW).unwrap();
    assert_eq!(sent(&jar, "http://h/", NOW), "a=1; c=3", "B217");
    // An expired cookie shadows no other.
    let s = url("https://h/");
    jar.set_at(&s, b"s=1; Secure; Max-Age=10", NOW).unwrap();
    assert!(jar.set_at(&h, b"s=2", NOW + 9).is_err(), "A10.5");
    assert!(jar.set_at(&h, b"s=2", NOW + 10).is_ok(), "A10.5");
    // The real clock is past all these times.
    jar.set_at(&url("http://g/"), b"old=1; Max-Age=1", NOW).unwrap();
    assert_eq!((jar.clear_expired(), jar.len()), (1, 2), "CS-22");
}

#[test]
fn expired_cookies_go_first() {
    let jar = CookieJar::builder().max_per_domain(2).max_cookies(3).build();
    let (g, h) = (url("http://g/"), url("http://h/"));
    jar.set_at(&h, b"a=1", NOW).unwrap();
    jar.set_at(&h, b"b=1; Max-Age=10", NOW).unwrap();
    jar.set_at(&h, b"c=1", NOW + 10).unwrap();
    assert_eq!(sent(&jar, "http://h/", NOW), "a=1; c=1", "A10");
    jar.set_at(&h, b"c=1; Max-Age=10", NOW).unwrap();
    jar.set_at(&g, b"d=1", NOW).unwrap();
    jar.set_at(&g, b"e=1", NOW + 10).unwrap();
    assert_eq!(sent(&jar, "http://h/", NOW), "a=1", "A10");
    assert_eq!(sent(&jar, "http://g/", NOW), "d=1; e=1", "A10");
}

#[test]
fn borders() {
    for (id, host, domain, expected) in [
        ("A10.2", "example.com", "example.com", true),
        ("A10.2", "www.example.com", "example.com", true),
        ("A10.2", "example.com", "ample.com", false),
        ("A10.2", "example.com", "www.example.com", false),
        ("A10.2", "example.com", "", false),
        ("A10.2", "example.com", ".com", false),
        ("A10.3", "127.0.0.1", "0.0.1", false),
        ("A10.3", "127.0.0.1", "127.0.0.1", true),
        ("A10.3", "[::1]", "[::1]", true),
    ] {
        assert_eq!(domain_matches(host, domain), expected, "{id}: {host} {domain}");
    }
    for (id, path, directory, expected) in [
        ("A10.9", "/foo", "/foo", true),
        ("A10.9", "/foo/", "/foo", true),
        ("A10.9", "/foobar", "/foo", false),
        ("A10.9", "/foo", "/foo/", false),
        ("A10.9", "/foo/bar", "/foo/", true),
        ("A10.9", "/", "/", true),
        ("A10.9", "/foo", "/", true),
        ("A10.9", "/", "/foo", false),
    ] {
        assert_eq!(path_matches(path, directory), expected, "{id}: {path} {directory}");
    }
}

/// Hosts of one site are looked up together, and without other sites.
#[test]
fn sites() {
    for host in ["127.0.0.1", "[::1]", "http+unix://a", "localhost", "www.example.com.", "a..b", "com"] {
        assert_eq!(site(host), host);
    }
    let with_list = if cfg!(feature = "cookies") { "example.co.uk" } else { "a.b.example.co.uk" };
    assert_eq!(site("a.b.example.co.uk"), with_list);
}

/// An empty jar is not locked: one that is locked forever still answers.
#[test]
fn an_empty_jar_is_not_locked() {
    let jar = CookieJar::new();
    let h = url("http://h/");
    jar.set_at(&h, b"a=b", NOW).unwrap();
    jar.clear();
    let header = jar.change(|_, _| jar.cookie_header(&CookieRequest::new(&h)));
    assert_eq!(header, None);
}

#[test]
fn a_field_as_received() {
    let cookie = Cookie::parse_bytes(b"\xFF=\xFE; Path=/\xFD", SystemTime::now()).unwrap();
    assert_eq!((cookie.bytes(), cookie.path()), (&b"\xFE"[..], Some("/\u{FFFD}")));
}

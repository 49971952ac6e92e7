//! Which cookies are taken, and where they go.

use hostpool::{CookieJar, CookieRequest, CookieStore, Url};

use super::{sent, url};

const SECURE: &str = "https://h.example.com/";
const PLAIN: &str = "http://h.example.com/";
const H: &str = "http://h/";

/// A row: its name, who sets what, and what goes out to whom.
type Row = (&'static str, &'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

fn run(rows: &[Row]) {
    for (id, set, requests) in rows {
        let jar = CookieJar::new();
        for (from, field) in *set {
            jar.store(&url(from), &mut [field.as_bytes()].into_iter());
        }
        for (to, expected) in *requests {
            assert_eq!(sent(&jar, to), *expected, "{id}: to {to}, after {set:?}");
        }
    }
}

#[test]
#[cfg(feature = "cookies")]
fn domains() {
    run(&[
        ("A10.1", &[("http://a.co.uk/", "x=1; Domain=co.uk")], &[("http://a.co.uk/", ""), ("http://b.co.uk/", "")]),
        ("A10.1", &[("http://a.co.uk/", "x=1; Domain=.co.uk")], &[("http://a.co.uk/", ""), ("http://b.co.uk/", "")]),
        ("A10.1", &[("http://a.co.uk/", "x=1; Domain=co.UK")], &[("http://a.co.uk/", ""), ("http://b.co.uk/", "")]),
        ("A10.1", &[("http://a.co.uk/", "x=1; Domain=co.uk.")], &[("http://a.co.uk/", ""), ("http://b.co.uk./", "")]),
        ("A10.1", &[("http://a.co.uk/", "x=1; Domain=CO.uk")], &[("http://a.co.uk/", ""), ("http://b.co.uk/", "")]),
        ("A10.1", &[("http://a.co.uk./", "x=1; Domain=co.uk.")], &[("http://a.co.uk./", ""), ("http://b.co.uk./", "")]),
        ("A10.1", &[("http://a.co.uk./", "x=1; Domain=a.co.uk.")], &[("http://a.co.uk./", "")]),
        ("A10.1", &[("http://a.co.uk./", "x=1; Domain=a.co.uk")], &[("http://a.co.uk./", ""), ("http://a.co.uk/", "")]),
        ("A10.1", &[("http://a.co.uk./", "x=1")], &[("http://a.co.uk./", "x=1"), ("http://a.co.uk/", "")]),
        ("A10.1", &[("http://a.co.uk/", "x=1; Domain=a.co.uk")], &[("http://b.a.co.uk/", "x=1")]),
        // A suffix that is a host keeps its cookies to itself.
        (
            "A10.1",
            &[("http://github.io/", "x=1; Domain=github.io")],
            &[("http://github.io/", "x=1"), ("http://a.github.io/", "")],
        ),
        (
            "A10.1",
            &[("http://xn--85x722f.xn--55qx5d.cn/", "x=1; Domain=xn--55qx5d.cn")],
            &[("http://xn--85x722f.xn--55qx5d.cn/", ""), ("http://shishi.xn--55qx5d.cn/", "")],
        ),
        ("A10.1", &[("http://食狮.公司.cn/", "x=1; Domain=公司.cn")], &[("http://食狮.公司.cn/", "")]),
        (
            "A10.2",
            &[("http://example.com/", "x=1; Domain=ample.com")],
            &[("http://example.com/", ""), ("http://ample.com/", "")],
        ),
        (
            "A10.2",
            &[("http://ample.com/", "x=1; Domain=ample.com")],
            &[("http://example.com/", ""), ("http://x.ample.com/", "x=1")],
        ),
        (
            "A10.2",
            &[("http://example.com/", "x=1; Domain=.")],
            &[("http://example.com/", ""), ("http://www.example.com/", "")],
        ),
        (
            "B214",
            &[("http://www.example.com/", "x=1; Domain=example.com"), ("http://www.example.com/", "y=2")],
            &[
                ("http://example.com/", "x=1"),
                ("http://www.example.com/", "x=1; y=2"),
                ("http://a.www.example.com/", "x=1"),
                ("http://other.example.com/", "x=1"),
                ("http://example.org/", ""),
            ],
        ),
        // One for the host and one for all below it are two.
        (
            "B214",
            &[("http://example.com/", "x=1"), ("http://example.com/", "x=2; Domain=example.com")],
            &[("http://example.com/", "x=1; x=2"), ("http://www.example.com/", "x=2")],
        ),
        (
            "B220",
            &[("http://example.com/", "x=1; Domain=other.com")],
            &[("http://example.com/", ""), ("http://other.com/", "")],
        ),
        ("B220", &[("http://example.com/", "x=1; Domain=www.example.com")], &[("http://www.example.com/", "")]),
    ]);
}

/// Without a list of suffixes nothing is for more than one host.
#[test]
#[cfg(not(feature = "cookies"))]
fn domains_without_a_list() {
    run(&[
        (
            "A10.1",
            &[("http://a.co.uk/", "x=1; Domain=co.uk")],
            &[("http://a.co.uk/", "x=1"), ("http://b.co.uk/", ""), ("http://co.uk/", "")],
        ),
        (
            "B214",
            &[
                ("http://www.example.com/", "x=1; Domain=example.com"),
                ("http://example.com/", "y=2; Domain=example.com"),
            ],
            &[("http://www.example.com/", "x=1"), ("http://example.com/", "y=2"), ("http://other.example.com/", "")],
        ),
        (
            "B220",
            &[("http://example.com/", "x=1; Domain=other.com")],
            &[("http://example.com/", ""), ("http://other.com/", "")],
        ),
    ]);
}

#[test]
fn addresses_and_other_hosts_without_a_name() {
    run(&[
        (
            "A10.3",
            &[("http://127.0.0.1/", "x=1; Domain=.0.0.1")],
            &[("http://127.0.0.1/", ""), ("http://10.0.0.1/", "")],
        ),
        (
            "A10.3",
            &[("http://127.0.0.1/", "x=1; Domain=127.0.0.1")],
            &[("http://127.0.0.1:81/", "x=1"), ("http://10.0.0.1/", ""), ("http://1.0.0.1/", "")],
        ),
        ("A10.3", &[("http://[::1]/", "x=1; Domain=[::1]")], &[("http://[::1]/", "x=1"), ("http://[::2]/", "")]),
        ("A10.3", &[("http://[::1]/", "x=1; Domain=::1")], &[("http://[::1]/", "")]),
        ("A10.3", &[("http://127.0.0.1/", "x=1")], &[("http://127.0.0.1/", "x=1"), ("http://127.0.0.2/", "")]),
        (
            "A10.3",
            &[("http://localhost/", "x=1; Domain=localhost")],
            &[("http://localhost/", "x=1"), ("http://a.localhost/", "")],
        ),
        // The path of a socket may look like a name.
        (
            "A10",
            &[("http+unix://www.example.com/", "x=1"), ("http+unix://www.example.com/", "y=1; Domain=example.com")],
            &[("http+unix://www.example.com/", "x=1"), ("http://www.example.com/", ""), ("http://example.com/", "")],
        ),
    ]);
    assert!(Url::parse("http://0x7f.1/").is_err(), "A10.3: an address in another spelling is no URL");
    let jar = CookieJar::builder().ip_hosts(false).build();
    assert!(jar.set(&url("http://127.0.0.1/"), "x=1").is_err());
    assert!(jar.set(&url("http://[::1]/"), "x=1").is_err());
    assert!(jar.set(&url("http://localhost/"), "x=1").is_ok());
}

#[test]
fn secure_cookies() {
    run(&[
        ("A10", &[(SECURE, "x=1; Secure")], &[(PLAIN, ""), (SECURE, "x=1"), ("https://h.example.com:8443/", "x=1")]),
        ("A10", &[(PLAIN, "x=1; Secure")], &[(SECURE, "")]),
        (
            "RW-56",
            &[("http://localhost/", "x=1; Secure")],
            &[("http://localhost:81/", "x=1"), ("https://localhost/", "x=1")],
        ),
        (
            "RW-56",
            &[("https://localhost/", "x=1; Secure")],
            &[("http://localhost/", "x=1"), ("https://localhost/", "x=1")],
        ),
        ("RW-56", &[("http://127.9.0.1/", "__Secure-x=1; Secure")], &[("http://127.9.0.1/", "__Secure-x=1")]),
        ("RW-56", &[("http://[::1]/", "__Host-x=1; Secure; Path=/")], &[("http://[::1]/a", "__Host-x=1")]),
        (
            "RW-56",
            &[("http://localhost/", "x=1; Secure"), ("http://localhost/", "x=2")],
            &[("http://localhost/", "x=2")],
        ),
        // Names below `localhost` are this machine for the resolver, too.
        ("RW-56", &[("http://a.localhost/", "x=1; Secure")], &[("http://a.localhost/", "x=1")]),
        ("RW-56", &[("http://localhost./", "__Secure-x=1; Secure")], &[("http://localhost./", "__Secure-x=1")]),
        ("RW-56", &[("http://notlocalhost/", "x=1; Secure")], &[("https://notlocalhost/", "")]),
        ("RW-56", &[("http://128.0.0.1/", "x=1; Secure")], &[("https://128.0.0.1/", "")]),
        ("RW-56", &[("http://[::2]/", "x=1; Secure")], &[("https://[::2]/", "")]),
        ("RW-56", &[("http://localhost.example/", "x=1; Secure")], &[("https://localhost.example/", "")]),
        ("RW-56", &[("http+unix://localhost/", "x=1; Secure")], &[("http+unix://localhost/", "")]),
        (
            "A10.5",
            &[(SECURE, "x=1; Secure; Path=/"), (PLAIN, "x=2; Path=/"), (PLAIN, "x=2; Path=/a")],
            &[("https://h.example.com/a", "x=1"), ("http://h.example.com/a", "")],
        ),
        (
            "A10.5",
            &[(SECURE, "x=1; Secure; Path=/a"), (PLAIN, "x=2; Path=/a/b")],
            &[("https://h.example.com/a/b", "x=1")],
        ),
        // Less specific, it comes behind.
        (
            "A10.5",
            &[(SECURE, "x=1; Secure; Path=/a"), (PLAIN, "x=2; Path=/")],
            &[("https://h.example.com/a", "x=1; x=2")],
        ),
        // Neither ends it.
        ("A10.5", &[(SECURE, "x=1; Secure; Path=/"), (PLAIN, "x=; Max-Age=0; Path=/")], &[(SECURE, "x=1")]),
        // The same site over https may replace it, by one that is not Secure, too.
        ("A10.5", &[(SECURE, "x=1; Secure; Path=/"), (SECURE, "x=2; Path=/")], &[(PLAIN, "x=2")]),
        ("A10.5", &[(SECURE, "x=1; Path=/"), (PLAIN, "x=2; Path=/")], &[(SECURE, "x=2")]),
    ]);
    #[cfg(feature = "cookies")]
    run(&[
        (
            "A10.5",
            &[(SECURE, "x=1; Secure; Path=/"), ("http://evil.example.com/", "x=2; Domain=example.com; Path=/")],
            &[(SECURE, "x=1"), ("http://example.com/", "")],
        ),
        (
            "A10.5",
            &[(SECURE, "x=1; Secure; Path=/; Domain=example.com"), ("http://www.example.com/", "x=2; Path=/")],
            &[("https://www.example.com/", "x=1")],
        ),
    ]);
}

/// Row RW-56: the switch.
#[test]
fn the_own_machine_is_no_exception() {
    let jar = CookieJar::builder().loopback_is_secure(false).build();
    for host in ["http://localhost/", "http://a.localhost/", "http://127.0.0.1/", "http://[::1]/"] {
        assert!(jar.set(&url(host), "x=1; Secure").is_err(), "RW-56 {host}");
        jar.set(&url(&host.replace("http:", "https:")), "x=1; Secure").unwrap();
        assert_eq!(sent(&jar, host), "", "RW-56 {host}");
    }
}

#[test]
fn prefixes() {
    run(&[
        ("A10.6", &[(SECURE, "__Host-x=1; Secure; Path=/")], &[(SECURE, "__Host-x=1")]),
        ("A10.6", &[(SECURE, "__hOST-x=1; Secure; Path=/")], &[(SECURE, "__hOST-x=1")]),
        ("A10.6", &[(SECURE, "__Host-x=1; Secure; Path=/; Domain=h.example.com")], &[(SECURE, "")]),
        ("A10.6", &[(SECURE, "__Host-x=1; Secure; Path=/a")], &[("https://h.example.com/a", "")]),
        ("A10.6", &[(SECURE, "__Host-x=1; Secure")], &[(SECURE, "")]),
        ("A10.6", &[(SECURE, "__Host-x=1; Path=/")], &[(SECURE, "")]),
        ("A10.6", &[(PLAIN, "__Host-x=1; Secure; Path=/")], &[(SECURE, "")]),
        ("A10.6", &[(PLAIN, "__Host-x=1; Path=/")], &[(PLAIN, "")]),
        ("A10.6", &[(SECURE, "__host-x=1; Path=/")], &[(SECURE, "")]),
        ("A10.6", &[(SECURE, "__host-x=1; Secure; Path=/; Domain=example.com")], &[(SECURE, "")]),
        (
            "A10.6",
            &[("https://127.0.0.1/", "__Host-x=1; Secure; Path=/; Domain=127.0.0.1")],
            &[("https://127.0.0.1/", "")],
        ),
        ("A10.6", &[(SECURE, "__Secure-x=1; Secure")], &[(SECURE, "__Secure-x=1")]),
        ("A10.6", &[(SECURE, "__Secure-x=1")], &[(SECURE, "")]),
        ("A10.6", &[(SECURE, "__SECURE-x=1")], &[(SECURE, "")]),
        ("A10.6", &[(PLAIN, "__Secure-x=1; Secure")], &[(SECURE, "")]),
        ("A10.6", &[(PLAIN, "=__Host-x=1")], &[(PLAIN, "")]),
        ("A10.6", &[(PLAIN, "__Host-x")], &[(PLAIN, "")]),
        ("A10.6", &[(PLAIN, " =__secure-x=1")], &[(PLAIN, "")]),
        ("RW-57", &[(PLAIN, "=__Http-x=1"), (SECURE, "__HOST-x; Secure; Path=/")], &[(SECURE, "")]),
        ("A10.6", &[(PLAIN, "__Hostx=1"), (PLAIN, "__Host=1")], &[(PLAIN, "__Hostx=1; __Host=1")]),
    ]);
}

#[test]
fn paths_and_order() {
    let h = "http://h.example.com";
    let at = |path: &str| format!("{h}{path}");
    let jar = CookieJar::new();
    let table: &[(&str, &str, &[&str], &[&str])] = &[
        (
            "A10.9",
            "/foo",
            &["/foo", "/foo/", "/foo/bar", "/foo?x", "/foo/?x"],
            &["/foobar", "/", "/fo", "/foo%2Fbar", "/FOO"],
        ),
        ("A10.9", "/foo/", &["/foo/", "/foo/bar"], &["/foo", "/foobar"]),
        ("B215", "/", &["/", "/foo", "", "?x", "/foo//bar"], &[]),
    ];
    for (id, path, inside, outside) in table {
        jar.set(&url(&at("/")), &format!("x=1; Path={path}")).unwrap();
        inside.iter().for_each(|to| assert_eq!(sent(&jar, &at(to)), "x=1", "{id}: {path} and {to}"));
        outside.iter().for_each(|to| assert_eq!(sent(&jar, &at(to)), "", "{id}: {path} and {to}"));
        jar.clear();
    }
    // The default is the directory that the URL names.
    for (from, path) in [
        ("/a/b", "/a"),
        ("/a/b/", "/a/b"),
        ("/a", "/"),
        ("", "/"),
        ("?/a/b", "/"),
        ("/a/b?/c/d", "/a"),
        ("/a//b", "/a/"),
    ] {
        for attribute in ["", "; Path", "; Path=", "; Path=a", "; Path=\"/c\""] {
            jar.set(&url(&at(from)), &format!("x=1{attribute}")).unwrap();
            assert_eq!(jar.to_vec()[0].path(), Some(path), "A10.9: {from}{attribute}");
            jar.clear();
        }
    }
    run(&[
        (
            "A10.9",
            &[
                ("http://h/", "a=1; Path=/"),
                ("http://h/", "b=2; Path=/x/y"),
                ("http://h/", "c=3; Path=/x"),
                ("http://h/", "d=4; Path=/"),
                ("http://h/", "e=5; Path=/x/y"),
            ],
            &[("http://h/x/y", "b=2; e=5; c=3; a=1; d=4"), ("http://h/x", "c=3; a=1; d=4"), ("http://h/", "a=1; d=4")],
        ),
        // A cookie that is set again keeps its place, and one that was ended does not.
        ("A10.9", &[("http://h/", "a=1"), ("http://h/", "b=2"), ("http://h/", "a=3")], &[("http://h/", "a=3; b=2")]),
        (
            "A10.9",
            &[("http://h/", "a=1"), ("http://h/", "b=2"), ("http://h/", "a=; Max-Age=0"), ("http://h/", "a=3")],
            &[("http://h/", "b=2; a=3")],
        ),
        ("B149", &[("http://h/", "a=1; Path=/"), ("http://h/", "a=2; Path=/x")], &[("http://h/x", "a=2; a=1")]),
    ]);
}

#[test]
fn names_and_values() {
    run(&[
        ("B223", &[(H, "x=\"a b\"")], &[(H, "x=\"a b\"")]),
        ("B223", &[(H, "x=a%20b%3Bc+\\\"é:/?,[]{}")], &[(H, "x=a%20b%3Bc+\\\"é:/?,[]{}")]),
        ("B223", &[(H, "  x y \t= a=b== \t; Path=/")], &[(H, "x y=a=b==")]),
        ("B223", &[(H, "x=a\tb")], &[(H, "x=a\tb")]),
        ("B223", &[(H, "x=")], &[(H, "x=")]),
        ("A10", &[(H, "x=a\x00b")], &[(H, "")]),
        ("A10", &[(H, "x=a\x01b")], &[(H, "")]),
        ("A10", &[(H, "x=a\r\nX: y")], &[(H, "")]),
        ("A10", &[(H, "x\x7F=a")], &[(H, "")]),
        ("A10", &[(H, "x=a; Comment=\x0B")], &[(H, "")]),
        ("A10", &[(H, ""), (H, "="), (H, ";"), (H, " ;Path=/"), (H, "=; a=b")], &[(H, "")]),
        ("RW-57", &[(H, "foo")], &[(H, "foo")]),
        ("RW-57", &[(H, " foo bar ; Path=/")], &[(H, "foo bar")]),
        ("RW-57", &[(H, "=foo")], &[(H, "foo")]),
        ("RW-57", &[(H, "foo="), (H, "foo")], &[(H, "foo=; foo")]),
        ("RW-57", &[(H, "foo"), (H, "x=1"), (H, "bar")], &[(H, "bar; x=1")]),
        ("RW-57", &[(H, "=a=b")], &[(H, "a=b")]),
        ("RW-57", &[(H, "foo"), (H, "; a=b")], &[(H, "foo")]),
        ("RW-57", &[(H, "foo"), (H, "=; Max-Age=0"), (H, "x; Max-Age=0")], &[(H, "")]),
        ("A10", &[(H, "A=1"), (H, "a=2")], &[(H, "A=1; a=2")]),
    ]);
    // Bytes that are no UTF-8 go back as they came.
    let jar = CookieJar::new();
    jar.store(&url(H), &mut [&b"n\xFF=\x80v"[..]].into_iter());
    assert_eq!(jar.cookie_header(&CookieRequest::new(&url(H))).unwrap(), b"n\xFF=\x80v");
    let cookie = &jar.to_vec()[0];
    assert_eq!((&*cookie.name(), &*cookie.value(), cookie.bytes()), ("n\u{FF}", "\u{80}v", &b"\x80v"[..]));
}

//! The rules of the environment, as one table. `docs/parity.md` says where other clients differ.

use proptest::prelude::*;

use super::no_proxy::NoProxy;
use super::variables::Variables;
use super::*;
use crate::error::ErrorKind;
use crate::urls::Scheme;

/// What the variables of a row lead to, for one URL.
#[derive(Clone, Copy, Debug)]
enum To {
    Direct,
    /// Through the proxy that is shown so.
    Via(&'static str),
    /// An error with these words.
    Fails(&'static str),
}

use To::{Direct, Fails, Via};

/// The row, the variables, and URLs with what they lead to. A proxy `P` is `http://proxy.test:3128`.
type Row = (&'static str, &'static [(&'static str, &'static str)], &'static [(&'static str, To)]);

const P: &str = "http://proxy.test:3128";
const THROUGH: To = Via(P);

const VARIABLES: &[Row] = &[
    ("nothing", &[], &[("http://h/", Direct), ("https://h/", Direct)]),
    (
        "one for each scheme",
        &[("http_proxy", "http://a"), ("https_proxy", "http://b")],
        &[("http://h/", Via("http://a")), ("https://h/", Via("http://b"))],
    ),
    ("E3: HTTP_PROXY is not for https", &[("HTTP_PROXY", P)], &[("http://h/", THROUGH), ("https://h/", Direct)]),
    ("HTTPS_PROXY is not for http", &[("HTTPS_PROXY", P)], &[("http://h/", Direct), ("https://h/", THROUGH)]),
    ("ALL_PROXY", &[("ALL_PROXY", P)], &[("http://h/", THROUGH), ("https://h/", THROUGH)]),
    (
        "a variable of the scheme before ALL_PROXY",
        &[("all_proxy", "http://a"), ("HTTP_PROXY", "http://b")],
        &[("http://h/", Via("http://b")), ("https://h/", Via("http://a"))],
    ),
    (
        "E4: lower case first",
        &[("http_proxy", "http://a"), ("HTTP_PROXY", "http://b")],
        &[("http://h/", Via("http://a"))],
    ),
    (
        "lower case first, ALL_PROXY",
        &[("ALL_PROXY", "http://b"), ("all_proxy", "http://a")],
        &[("http://h/", Via("http://a"))],
    ),
    (
        "lower case first, NO_PROXY",
        &[("http_proxy", P), ("no_proxy", "a"), ("NO_PROXY", "b")],
        &[("http://a/", Direct), ("http://b/", THROUGH)],
    ),
    ("A3.6: empty", &[("http_proxy", "")], &[("http://h/", Direct)]),
    ("E2: empty is not set", &[("http_proxy", ""), ("HTTP_PROXY", P)], &[("http://h/", THROUGH)]),
    ("blank is not set", &[("https_proxy", " \t"), ("ALL_PROXY", P)], &[("https://h/", THROUGH)]),
    ("empty NO_PROXY is not set", &[("http_proxy", P), ("no_proxy", ""), ("NO_PROXY", "h")], &[("http://h/", Direct)]),
    ("mixed case is another name", &[("Http_Proxy", P)], &[("http://h/", Direct)]),
    ("A3.4: CGI", &[("REQUEST_METHOD", "GET"), ("HTTP_PROXY", P)], &[("http://h/", Direct)]),
    ("A3.4: CGI, lower case", &[("REQUEST_METHOD", "GET"), ("http_proxy", P)], &[("http://h/", THROUGH)]),
    ("CGI, an empty method", &[("REQUEST_METHOD", ""), ("HTTP_PROXY", P)], &[("http://h/", Direct)]),
    (
        "CGI, the other variables",
        &[("REQUEST_METHOD", "GET"), ("HTTPS_PROXY", P), ("NO_PROXY", "a")],
        &[("https://h/", THROUGH), ("https://a/", Direct)],
    ),
    (
        "CGI, ALL_PROXY",
        &[("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://a"), ("ALL_PROXY", P)],
        &[("http://h/", THROUGH)],
    ),
    ("E5: no scheme, a path", &[("HTTP_PROXY", "proxy.test:3128/")], &[("http://h/", THROUGH)]),
    ("E5: no scheme, no port", &[("http_proxy", "proxy.test")], &[("http://h/", Via("http://proxy.test"))]),
    ("no scheme, an address", &[("http_proxy", "[::1]:3128")], &[("http://h/", Via("http://[::1]:3128"))]),
    ("no scheme, a login", &[("http_proxy", "user:canary@proxy.test:3128")], &[("http://h/", THROUGH)]),
    ("white space around it", &[("http_proxy", " http://proxy.test:3128/a\n")], &[("http://h/", THROUGH)]),
    ("an https proxy", &[("https_proxy", "https://p.test")], &[("https://h/", Via("https://p.test"))]),
    ("SOCKS", &[("all_proxy", "socks5h://p.test:9050")], &[("http://h/", Via("socks5h://p.test:9050"))]),
    ("E1, b7: socks", &[("ALL_PROXY", "socks://127.0.0.1:7890/")], &[("https://h/", Via("socks5h://127.0.0.1:7890"))]),
    (
        "A3.6: a bad port",
        &[("https_proxy", "http://user:canary@h:99999")],
        &[("https://h/", Fails("https_proxy is not the URL of a proxy: the port is not a number from 1 to 65535"))],
    ),
    (
        "E1: a bad scheme",
        &[("ALL_PROXY", "ftp://user:canary@h")],
        &[(
            "https://h/",
            Fails(
                "ALL_PROXY is not the URL of a proxy: the scheme of a proxy is http, https, socks4, socks4a, socks5 or \
             socks5h, not ftp",
            ),
        )],
    ),
    (
        "a scheme with a password",
        &[("HTTP_PROXY", "user:canary@h://x")],
        &[(
            "http://h/",
            Fails(
                "HTTP_PROXY is not the URL of a proxy: the scheme of a proxy is http, https, socks4, socks4a, socks5 or \
             socks5h",
            ),
        )],
    ),
    (
        "two @",
        &[("HTTP_PROXY", "http://user:canary@x@h")],
        &[(
            "http://h/",
            Fails(
                "HTTP_PROXY is not the URL of a proxy: white space, a backslash or a second @ stands before the path",
            ),
        )],
    ),
    (
        "A1: a user with a colon",
        &[("HTTP_PROXY", "http://canary%3Acanary:b@h")],
        &[("http://h/", Fails("HTTP_PROXY is not the URL of a proxy: a login for Basic credentials has a colon"))],
    ),
    (
        "a login of SOCKS that is not UTF-8",
        &[("ALL_PROXY", "socks5://canary:%FF@h")],
        &[("http://h/", Fails("ALL_PROXY is not the URL of a proxy: the login of a SOCKS proxy is not UTF-8"))],
    ),
    (
        "a word",
        &[("HTTP_PROXY", "no proxy, please")],
        &[(
            "http://h/",
            Fails(
                "HTTP_PROXY is not the URL of a proxy: white space, a backslash or a second @ stands before the path",
            ),
        )],
    ),
    (
        "b4: junk that no scheme needs",
        &[("all_proxy", "ftp://h"), ("http_proxy", P), ("https_proxy", P)],
        &[("http://h/", THROUGH)],
    ),
    (
        "U1: a Unix socket",
        &[("all_proxy", P)],
        &[("http+unix://%2Frun%2Fa.sock/", Direct), ("https+unix://%2Frun%2Fa.sock/", Direct)],
    ),
    (
        "E11: this machine",
        &[("all_proxy", P)],
        &[
            ("http://localhost/", Direct),
            ("http://LOCALHOST.:8080/", Direct),
            ("https://a.b.localhost/", Direct),
            ("http://127.0.0.1/", Direct),
            ("http://127.9.9.9:1/", Direct),
            ("http://[::1]/", Direct),
            ("http://[::ffff:127.0.0.1]/", Direct),
            ("http://localhost.test/", THROUGH),
            ("http://notlocalhost/", THROUGH),
            ("http://128.0.0.1/", THROUGH),
            ("http://[::2]/", THROUGH),
            ("http://0.0.0.0/", THROUGH),
        ],
    ),
];

/// The list, and the hosts or URLs that are direct and that are not.
type List = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// What people have set, and what they expected of it.
const REPORTS: &[Row] = &[
    ("httpx#1082", &[("ALL_PROXY", "127.0.0.1:7890")], &[("https://github.com/", Via("http://127.0.0.1:7890"))]),
    ("ngrok#371", &[("http_proxy", "192.168.0.1:808")], &[("http://h/", Via("http://192.168.0.1:808"))]),
    (
        "dotnet/runtime#44799",
        &[("HTTPS_PROXY", "https://192.0.2.7:8443")],
        &[("https://h/", Via("https://192.0.2.7:8443"))],
    ),
    ("ureq#1080", &[("https_proxy", "http://[::1]:1081")], &[("https://h/", Via("http://[::1]:1081"))]),
    (
        "curl#9773",
        &[("http_proxy", P), ("no_proxy", ".domain1,.domain2,127.0.0.1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16")],
        &[("http://10.10.20.1/", Direct), ("http://a.domain2/", Direct), ("http://172.32.0.1/", THROUGH)],
    ),
    ("wget2#147", &[("http_proxy", P), ("no_proxy", "localhost,127.0.0.0/8")], &[("http://127.1.1.1:8080/", Direct)]),
    (
        "kpx#7",
        &[("all_proxy", P), ("NO_PROXY", "10.0.0.0/8,100.64.0.0/10,198.18.0.0/15,::1/128,64:ff9b:1::/48,fc00::/7")],
        &[
            ("http://100.127.255.255/", Direct),
            ("http://198.19.0.1/", Direct),
            ("http://[64:ff9b:1::9]/", Direct),
            ("http://[fdab::1]/", Direct),
            ("http://[64:ff9b::9]/", THROUGH),
            ("http://100.128.0.0/", THROUGH),
        ],
    ),
    (
        "RHDH#709: no lookup, spaces and commas, a port",
        &[("http_proxy", P), ("no_proxy", "1.2.3.4 a.test, b.test:1234")],
        &[
            ("http://1.2.3.4/", Direct),
            ("http://a.test/", Direct),
            ("http://b.test:1234/", Direct),
            ("http://b.test/", THROUGH),
            ("http://localhost.example.com/", THROUGH),
        ],
    ),
    (
        "cypress#4780: localhost stays direct",
        &[("HTTP_PROXY", P), ("NO_PROXY", "some-external-site.net")],
        &[("http://localhost:3000/", Direct), ("http://127.0.0.1:3000/", Direct)],
    ),
    (
        "pyzotero#375: one name of this machine is all",
        &[("HTTP_PROXY", P), ("NO_PROXY", "localhost")],
        &[("http://127.0.0.1:23119/", Direct)],
    ),
    (
        "ureq#1118",
        &[("https_proxy", P), ("no_proxy", "example.com")],
        &[("https://api.example.com/", Direct), ("https://sub.domain.example.com/", Direct)],
    ),
    (
        "uv#2021",
        &[("HTTPS_PROXY", P), ("NO_PROXY", "pypi.intern:8443")],
        &[("https://pypi.intern:8443/simple/", Direct), ("https://pypi.org/simple/", THROUGH)],
    ),
];

const NO_PROXY: &[List] = &[
    ("nothing", "", &[], &["http://h/"]),
    (
        "a name, and all below",
        "example.test",
        &["http://example.test/", "https://a.b.EXAMPLE.test./"],
        &["http://notexample.test/", "http://example.test.com/", "http://test/"],
    ),
    (
        "N1: a dot before",
        ".example.test",
        &["http://example.test/", "http://a.example.test/"],
        &["http://notexample.test/"],
    ),
    (
        "N1: a star before",
        "*.example.test",
        &["http://example.test/", "http://a.example.test/"],
        &["http://notexample.test/", "http://example.test.com/"],
    ),
    ("a dot after, upper case", "EXAMPLE.Test.", &["http://example.test/", "http://a.example.test./"], &[]),
    ("A3.3", "localhost", &["http://localhost./", "http://LOCALHOST/"], &["http://localhost.test/"]),
    ("another spelling", "b\u{fc}cher.test", &["http://xn--bcher-kva.test/", "http://B\u{dc}CHER.test/"], &[]),
    ("a label with an underscore", "_a.test", &["http://_a.test/"], &["http://a.test/"]),
    ("all", "*", &["http://h/", "https://[::1]:1/", "http://10.0.0.1/"], &[]),
    ("all, after others", "a.test, *", &["http://h/"], &[]),
    ("all of a port", "*:8080", &["http://h:8080/", "http://[::1]:8080/"], &["http://h/"]),
    (
        "N7: separators",
        "a.test b.test\tc.test\nd.test,e.test ,, \u{a0}f.test\r\n",
        &["http://a.test/", "http://b.test/", "http://c.test/", "http://d.test/", "http://e.test/", "http://f.test/"],
        &["http://g.test/"],
    ),
    (
        "N2: a port",
        "example.test:8080",
        &["http://example.test:8080/", "https://a.example.test:8080/"],
        &["http://example.test/", "http://example.test:8081/"],
    ),
    (
        "N2: the port of the scheme",
        "a.test:443 b.test:80",
        &["https://a.test/", "http://a.test:443/", "http://b.test/", "https://b.test:80/"],
        &["http://a.test/", "https://b.test/"],
    ),
    (
        "an address",
        "10.1.2.3",
        &["http://10.1.2.3/", "http://10.1.2.3:81/", "http://[::ffff:10.1.2.3]/"],
        &["http://10.1.2.30/", "http://110.1.2.3/", "http://a.10.1.2.3.test/", "http://[::10.1.2.3]/"],
    ),
    (
        "N3: IPv6 by value",
        "::1 2001:DB8::1",
        &["http://[0:0:0:0:0:0:0:1]/", "http://[2001:db8:0:0::1]:81/"],
        &["http://[::2]/", "http://[2001:db8::10]/"],
    ),
    (
        "N3: a mapped address",
        "::ffff:10.1.2.3",
        &["http://10.1.2.3/", "http://[::ffff:a01:203]/"],
        &["http://10.1.2.4/"],
    ),
    (
        "N4: brackets",
        "[::1] [2001:db8::1]:8080 [10.1.2.3]",
        &["http://[::1]:1/", "http://[2001:db8::1]:8080/"],
        &["http://[2001:db8::1]/", "http://10.1.2.3/"],
    ),
    ("an address and a port", "10.1.2.3:8080", &["http://10.1.2.3:8080/"], &["http://10.1.2.3/"]),
    ("colons without brackets are of the address", "::1:8080", &["http://[::1:8080]/"], &["http://[::1]:8080/"]),
    (
        "N6: a range",
        "10.0.0.0/8 192.168.1.77/24",
        &["http://10.255.1.2/", "http://192.168.1.1:81/", "http://[::ffff:10.0.0.1]/"],
        &["http://11.0.0.0/", "http://192.168.2.1/", "http://10.test/"],
    ),
    (
        "a range within a byte",
        "172.16.0.0/12",
        &["http://172.31.255.255/"],
        &["http://172.32.0.0/", "http://172.15.0.0/"],
    ),
    (
        "N4: a range of IPv6",
        "fd00::/8 [2001:db8::]/33",
        &["http://[fd12::1]/", "http://[2001:db8:7fff::]/"],
        &["http://[fe00::1]/", "http://[2001:db8:8000::]/"],
    ),
    (
        "a mapped range",
        "::ffff:10.0.0.0/104",
        &["http://10.1.1.1/", "http://[::ffff:10.1.1.1]/"],
        &["http://11.0.0.0/"],
    ),
    ("all addresses of a family", "0.0.0.0/0", &["http://1.2.3.4/"], &["http://[::1]/", "http://h/"]),
    ("all addresses of IPv6", "::/0", &["http://[fe80::1]/"], &["http://1.2.3.4/", "http://h/"]),
    ("one address as a range", "10.1.2.3/32 ::1/128", &["http://10.1.2.3/", "http://[::1]/"], &["http://10.1.2.2/"]),
    (
        "A3.2: a zone is no name",
        "*.example.test example.test",
        &[],
        &["http://[::1%25.example.test]:80/", "http://[fe80::1%25example.test]/"],
    ),
    (
        "a zone",
        "fe80::1%eth0 [fe80::2%25eth1]:81",
        &["http://[fe80::1%25eth0]/", "http://[fe80::2%25eth1]:81/"],
        &["http://[fe80::1%25eth1]/", "http://[fe80::1]/", "http://[fe80::2%25eth1]/"],
    ),
    ("an address without a zone", "fe80::1", &["http://[fe80::1%25eth0]/", "http://[fe80::1]/"], &[]),
    ("the end of an address is no domain", "2.3 .3", &[], &["http://10.1.2.3/"]),
];

/// Entries that match nothing, and do no harm to the others.
const JUNK: &[&str] = &[
    "10.*",
    "172.17.*",
    "*example.test",
    "a*.test",
    "**",
    "*.",
    ".",
    "..",
    "..example.test",
    "example.test..",
    "example.test:",
    "example.test:0",
    "example.test:70000",
    "example.test:+80",
    "example.test:http",
    "http://example.test",
    "10.0.0.0/33",
    "::/129",
    "10.",
    "192.168.",
    "172.17",
    "*.10",
    "10.0.0.0/",
    "10.0.0.0/+8",
    "10.0.0.0/255.0.0.0",
    "10.0.0.0/8:80",
    "example.test/8",
    "fe80::1%eth0/64",
    "[::1",
    "::1]",
    "[example.test]",
    "[10.1.2.3]",
    "<local>",
    "user:canary@example.test",
    "%",
    "fe80::1%",
];

fn url(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A3, E and N: the one runner of both tables.
#[test]
fn the_environment() {
    for (row, variables, urls) in VARIABLES.iter().chain(REPORTS) {
        let rules = ProxyRules::from_vars(variables.iter().copied());
        let shown = format!("{rules:?} {rules:#?}");
        assert!(!shown.contains("canary"), "{row}: {shown}");
        for (text, expected) in *urls {
            match (&rules, expected) {
                (Ok(rules), Direct) => assert_eq!(rules.proxy_for(&url(text)), None, "{row}: {text}"),
                (Ok(rules), Via(proxy)) => {
                    let found = rules.proxy_for(&url(text)).map(ToString::to_string);
                    assert_eq!(found.as_deref(), Some(*proxy), "{row}: {text}");
                }
                (Err(error), Fails(words)) => {
                    assert_eq!(error.kind(), &ErrorKind::InvalidConfig, "{row}");
                    assert_eq!(error.to_string(), format!("invalid configuration: {words}"), "{row}");
                }
                _ => panic!("{row}: {rules:?}, not {expected:?}"),
            }
        }
    }
    for (row, list, direct, through) in NO_PROXY {
        let rules = ProxyRules::from_vars([("all_proxy", P), ("no_proxy", list)]).unwrap().proxy_loopback(true);
        for (text, is_direct) in direct.iter().map(|url| (url, true)).chain(through.iter().map(|url| (url, false))) {
            assert_eq!(rules.proxy_for(&url(text)).is_none(), is_direct, "{row}: {text}");
        }
    }
}

/// N5: what is no entry matches nothing, and the entries around it still do.
#[test]
fn entries_that_mean_nothing() {
    let hosts = ["example.test", "a.example.test", "10.1.2.3", "172.17.0.1", "[::1]", "[fe80::1]", "h"];
    for junk in JUNK {
        let mut list = NoProxy::default();
        list.add(&format!("before.test,{junk} after.test"));
        assert_eq!(list.unknown(), [Box::from(*junk)], "{junk}");
        assert!(!format!("{list:?}").contains("canary"), "{junk}");
        for host in hosts {
            assert!(!list.matches(url(&format!("http://{host}/")).origin()), "{junk}: {host}");
        }
        for host in ["before.test", "after.test"] {
            assert!(list.matches(url(&format!("http://{host}/")).origin()), "{junk}: {host}");
        }
    }
}

/// Windows does not tell `http_proxy` from `HTTP_PROXY`, so a client of a CGI script chooses both.
#[test]
fn cgi_without_case() {
    let of = |vars: &'static [(&str, &str)], folds_case| {
        let find = |name: &str| {
            let is = |known: &str| if folds_case { known.eq_ignore_ascii_case(name) } else { known == name };
            vars.iter().find(|(known, _)| is(known)).map(|(_, value)| value.into())
        };
        Variables::of(find, folds_case).proxy_of(Scheme::Http).map(|variable| variable.name)
    };
    let cgi = &[("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://a")];
    assert_eq!([of(cgi, true), of(cgi, false)], [None, None]);
    assert_eq!([of(&cgi[1..], true), of(&cgi[1..], false)], [Some("http_proxy"), Some("HTTP_PROXY")]);
}

/// The value of a variable that is not UTF-8 is an error for a proxy, and does no harm in a list.
#[cfg(unix)]
#[test]
fn values_that_are_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let of = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
    let error = ProxyRules::from_vars([("http_proxy", of(b"http://\xff"))]).unwrap_err();
    assert_eq!(error.to_string(), "invalid configuration: http_proxy is not the URL of a proxy: it is not UTF-8");
    let rules = ProxyRules::from_vars([("http_proxy", of(b"http://p")), ("no_proxy", of(b"\xff, h"))]).unwrap();
    assert_eq!(rules.proxy_for(&url("http://h/")), None);
}

/// Rules of code, and what they share with those of variables.
#[test]
fn rules_of_code() {
    let rules = ProxyRules::new().http("http://a").unwrap().all("http://b").unwrap().no_proxy("x").no_proxy("y");
    let shown = |text: &str| rules.proxy_for(&url(text)).map(ToString::to_string);
    assert_eq!(shown("http://localhost/").as_deref(), Some("http://a"), "code knows what it says about this machine");
    assert_eq!(shown("https://h/").as_deref(), Some("http://b"));
    assert_eq!([shown("http://x/"), shown("http://y/"), shown("http+unix://x/")], [None, None, None]);
    assert_eq!(ProxyRules::new().proxy_for(&url("http://h/")), None);
    assert!(ProxyRules::new().https("h:1").is_err(), "a URL of code has a scheme");
    assert!(rules == rules.clone() && rules != rules.clone().proxy_loopback(false));
}

/// What a PAC file returns, as node-pac-proxy-agent, proxy-pac-proxy and px have been shown it.
#[test]
fn results_of_pac_files() {
    let table = [
        ("DIRECT", Some("direct")),
        ("", Some("direct")),
        (" ; ", Some("direct")),
        (
            "PROXY 1.2.3.4:3128; SOCKS 127.0.0.1:9050; DIRECT",
            Some("http://1.2.3.4:3128, socks4://127.0.0.1:9050, direct"),
        ),
        ("proxy a:1;HTTPS b ;\tSOCKS5  c ; SOCKS4 d:2;", Some("http://a:1, https://b, socks5h://c:1080, socks4://d:2")),
        ("HTTP [::1]:3128", Some("http://[::1]:3128")),
        ("DIRECT; PROXY a:1", Some("direct, http://a:1")),
        ("PROXY a:1; b:2", None),
        ("PROXY a:1, PROXY b:2", None),
        ("PROXY", None),
        ("DIRECT a", None),
        ("PROXY a b", None),
        ("PROXY http://a", None),
        ("SOCKS localhost/run/tor.sock", None),
        ("PROXY a:99999", None),
        ("undefined", None),
        ("QUIC canary:1", None),
    ];
    for (text, expected) in table {
        let choice = ProxyChoice::from_pac(text);
        assert_eq!(choice.as_ref().ok().map(ToString::to_string).as_deref(), expected, "{text:?}");
        assert!(!format!("{choice:?}").contains("canary"), "{text:?}");
    }
}

#[test]
fn choices() {
    let proxy = |text: &str| Proxy::parse(text).unwrap();
    let choice = ProxyChoice::from(proxy("http://u:canary@a")).or(proxy("http://b")).or_direct();
    assert_eq!(choice.to_string(), "http://a, http://b, direct");
    assert!(!format!("{choice:?}").contains("canary"));
    assert!(!choice.is_direct() && !ProxyChoice::direct().or(proxy("http://b")).is_direct());
    assert!(ProxyChoice::from(None).is_direct());
    let empty = ProxyChoice::from_iter([] as [Proxy; 0]);
    assert!(!empty.is_direct() && empty.proxy().is_none());
    let ask = |choice: ProxyChoice| ChooseProxy::new(move |_| Ok(choice.clone())).ask(&url("http://h/"));
    assert_eq!(ask(empty).unwrap_err().kind(), &ErrorKind::InvalidConfig);
    assert!(ask(choice).is_ok());
    assert!(ask(proxy("http://h").auth(("a:b", "c")).into()).is_err(), "credentials that cannot be sent");
}

proptest! {
    /// An address is found by every way to write it, and by each range that it is in; no other address is.
    #[test]
    fn addresses_by_value(a: u32, b: u32, bits in 0u8..=32, port in 1u16..) {
        let matches = |list: &str, host: std::net::Ipv4Addr| {
            let mut read = NoProxy::default();
            read.add(list);
            prop_assert_eq!(read.unknown().len(), 0);
            let mapped = host.to_ipv6_mapped();
            let found = [format!("http://{host}:{port}"), format!("https://[{mapped}]:{port}/")];
            let found = found.map(|text| read.matches(url(&text).origin()));
            prop_assert_eq!(found[0], found[1]);
            Ok(found[0])
        };
        let [one, other] = [a, b].map(std::net::Ipv4Addr::from_bits);
        let mapped = one.to_ipv6_mapped();
        for list in [format!("{one}"), format!("{one}:{port}"), format!("{mapped}"), format!("[{mapped}]:{port}")] {
            prop_assert!(matches(&list, one)?);
            prop_assert_eq!(matches(&list, other)?, a == b);
        }
        let same = bits == 0 || (a ^ b) >> (32 - bits) == 0;
        for list in [format!("{one}/{bits}"), format!("{mapped}/{}", 96 + bits)] {
            prop_assert!(matches(&list, one)?);
            prop_assert_eq!(matches(&list, other)?, same);
        }
    }

    /// Ranges of IPv6, against a comparison bit by bit.
    #[test]
    fn ranges_of_ipv6(a: u128, flip in 0u32..128, bits in 0u8..=128) {
        let [one, other] = [a, a ^ (1 << (127 - flip))].map(std::net::Ipv6Addr::from_bits);
        prop_assume!(one.to_ipv4_mapped().is_none() && other.to_ipv4_mapped().is_none());
        let mut list = NoProxy::default();
        list.add(&format!("{one}/{bits}"));
        let [one, other] = [one, other].map(|address| list.matches(url(&format!("http://[{address}]/")).origin()));
        prop_assert!(one);
        prop_assert_eq!(other, u32::from(bits) <= flip);
    }
}

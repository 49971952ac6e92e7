//! Variables about proxies: each entry of NO_PROXY is read as if it were alone, and no error shows a password.

use super::input::Input;
use crate::proxy::{Proxy, ProxyRules};
use crate::urls::Url;

const HOSTS: [&str; 14] = [
    "http://example.test",
    "https://a.example.test",
    "http://notexample.test:8080",
    "https://xn--bcher-kva.test:8443",
    "http://10.1.2.3",
    "https://10.1.2.4:8080",
    "http://192.168.0.1:8080",
    "http://[::1]:8080",
    "http://[::ffff:10.1.2.3]",
    "https://[2001:db8::1]",
    "http://[fe80::1%25eth0]:8080",
    "http://localhost",
    "http://a.localhost.",
    "https://127.0.0.9",
];

/// Parts of entries that mean something.
const PARTS: [&str; 24] = [
    "*",
    "*.",
    ".",
    "example",
    ".test",
    "a",
    "10.1.2.3",
    "10.",
    "1.2.4",
    "/8",
    "/32",
    "/128",
    "/0",
    "::1",
    "::ffff:",
    "[",
    "]",
    ":80",
    ":443",
    ":8080",
    "2001:db8::1",
    "fe80::1",
    "%eth0",
    "b\u{fc}cher",
];

pub fn proxy_env(data: &[u8]) {
    let mut input = Input::new(data);
    match input.flag() {
        true => lists(&mut input),
        false => values(&mut input),
    }
}

fn rules(list: &str) -> ProxyRules {
    let vars = [("all_proxy", "http://p.test"), ("NO_PROXY", list)];
    let rules = ProxyRules::from_vars(vars).unwrap_or_else(|error| panic!("{error}: {list:?}"));
    rules.proxy_loopback(true)
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn lists(input: &mut Input<'_>) {
    let mut entries = Vec::new();
    for _ in 0..input.number(6) {
        let entry = match input.flag() {
            true => (0..input.number(4)).map(|_| input.pick(&PARTS)).collect(),
            false => String::from_utf8_lossy(input.bytes(24)).into_owned(),
        };
        entries.push(entry);
    }
    let mut list = String::new();
    for entry in &entries {
        list += entry;
        list += input.pick(&[",", " ", "\t", "\n", ", ", "\u{3000}"]);
    }
    let whole = rules(&list);
    let each: Vec<ProxyRules> = entries.iter().map(|entry| rules(entry)).collect();
    for host in HOSTS.map(url) {
        let is_direct = |rules: &ProxyRules| rules.proxy_for(&host).is_none();
        assert_eq!(is_direct(&whole), each.iter().any(is_direct), "{list:?}: {host}");
        // The names of interfaces in zones have a case.
        let upper = rules(&list.to_ascii_uppercase());
        assert!(list.contains('%') || is_direct(&whole) == is_direct(&upper), "{list:?}: {host}");
        let star = rules(&format!("{list} *"));
        assert!(is_direct(&star), "{list:?}: {host}");
        // An address is found under its other spelling.
        if let Some(std::net::IpAddr::V4(address)) = host.origin().address() {
            let port = host.origin().port().unwrap_or_default();
            let mapped = url(&format!("{}://[{}]:{port}", host.origin().scheme(), address.to_ipv6_mapped()));
            assert_eq!(is_direct(&whole), whole.proxy_for(&mapped).is_none(), "{list:?}: {mapped}");
        }
        // A port narrows, and never widens.
        for entry in entries.iter().filter(|entry| !entry.contains(|c: char| c == ',' || c.is_whitespace())) {
            if is_direct(&rules(&format!("{entry}:8080"))) && !entry.contains("::") {
                assert_eq!(host.origin().port(), Some(8080), "{entry:?}: {host}");
                assert!(is_direct(&rules(entry)), "{entry:?}: {host}");
            }
        }
    }
}

fn values(input: &mut Input<'_>) {
    let scheme = input.pick(&["", "http://", "https://", "socks5h://", "SOCKS://", "ftp://", "canary@://", "//"]);
    let login = input.pick(&["", "user:canary@", "canary@", "user%3Aname:canary@", "a:canary@canary@"]);
    let host = String::from_utf8_lossy(input.rest());
    let value = format!("{scheme}{login}{host}");
    let read = ProxyRules::from_vars([("https_proxy", &value)]);
    let http = url("http://example.test/");
    let https = url("https://example.test/");
    match &read {
        Ok(rules) => {
            assert_eq!(rules.proxy_for(&http), None, "{value:?}");
            match rules.proxy_for(&https) {
                None => assert_eq!(value.trim(), "", "{value:?}"),
                Some(proxy) => reads_back(&value, proxy),
            }
        }
        Err(error) => {
            let words = error.to_string();
            assert!(words.starts_with("invalid configuration: https_proxy is not the URL of a proxy: "), "{words}");
            assert!(words.len() < 400, "{words}");
        }
    }
    // The host is shown, and the path of a socket.
    if !login.is_empty() && !host.contains("canary") && !host.contains(['@', '/']) {
        assert!(!format!("{read:?} {read:#?}").contains(":canary"), "{value:?}: {read:?}");
    }
}

fn reads_back(value: &str, proxy: &Proxy) {
    let shown = proxy.to_string();
    let again = Proxy::parse(&shown).unwrap_or_else(|error| panic!("{value:?} is shown as {shown:?}: {error}"));
    assert_eq!((again.origin(), again.scheme(), again.to_string()), (proxy.origin(), proxy.scheme(), shown));
}

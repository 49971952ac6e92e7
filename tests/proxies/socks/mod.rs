//! Requests through SOCKS proxies.

mod scripted;
pub(crate) mod server;
#[cfg(unix)]
mod unix;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hostpool::{
    ErrorKind, Phase, PoolManager, Proxy, ProxyManager, Resolver, Retry, Session, proxy_from_url, resolver_fn,
};

use crate::support::{header, refusing};
use crate::{lines, origin};
use server::{Place, Socks};

/// A resolver that knows one answer for all names, and counts.
fn resolving(to: &[IpAddr]) -> (Arc<dyn Resolver>, Arc<AtomicUsize>) {
    let (to, asked) = (to.to_vec(), Arc::new(AtomicUsize::new(0)));
    let counted = asked.clone();
    let resolver = resolver_fn(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        match to.is_empty() {
            true => Err(std::io::ErrorKind::NotFound.into()),
            false => Ok(to.iter().map(|ip| SocketAddr::new(*ip, 0)).collect()),
        }
    });
    (Arc::new(resolver), asked)
}

const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const TWO: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fn six(last: u16) -> IpAddr {
    IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last])
}

/// SOX-03, SOX-04, SOX-10: what each scheme asks for, and that requests are as those to the server itself.
#[test]
fn what_is_asked_for() {
    let v6 = format!("[{}]", six(7));
    let table = [
        ("socks5", "named.test", "address 192.0.2.1:80", 1),
        ("socks5", "192.0.2.9:8080", "address 192.0.2.9:8080", 0),
        ("socks5", &v6, "address [2001:db8::7]:80", 0),
        ("socks5h", "NAMED.test", "name named.test:80", 0),
        ("socks5h", "b\u{fc}cher.test:81", "name xn--bcher-kva.test:81", 0),
        ("socks5h", "localhost", "name localhost:80", 0),
        ("socks5h", "192.0.2.9", "address 192.0.2.9:80", 0),
        ("socks5h", &v6, "address [2001:db8::7]:80", 0),
        ("socks4", "named.test", "address 192.0.2.1:80", 1),
        ("socks4", "192.0.2.9", "address 192.0.2.9:80", 0),
        ("socks4a", "named.test", "name named.test:80", 0),
        ("socks4a", "192.0.2.9", "address 192.0.2.9:80", 0),
    ];
    for (scheme, host, place, lookups) in table {
        let server = origin("hello");
        let socks = Socks::new(server.addr);
        let (resolver, asked) = resolving(&[ONE]);
        let session = Session::builder().proxy(socks.url(scheme)).resolver(resolver).build().unwrap();
        for _ in 0..2 {
            let response = session.get(format!("http://{host}/a?b")).send().unwrap();
            assert_eq!(response.connection().unwrap().remote, Some(socks.addr));
            assert_eq!(response.connection().unwrap().tunnel, None);
            assert_eq!(response.text().unwrap(), "hello");
        }
        assert_eq!(socks.log.places(), [place], "{scheme} {host}: the tunnel is kept");
        assert_eq!(asked.load(Ordering::SeqCst), lookups, "{scheme} {host}");
        let version = if scheme.starts_with("socks5") { 5 } else { 4 };
        assert_eq!(socks.log.asked()[0].version, version);
        for request in server.seen.requests() {
            assert_eq!(lines(&request)[0], "GET /a?b HTTP/1.1");
            let named = place.split(' ').nth(1).unwrap();
            let host = if lookups > 0 { "named.test" } else { named.strip_suffix(":80").unwrap_or(named) };
            assert_eq!(header(&request, "Host"), Some(host));
        }
    }
}

/// S5: no name is looked up here, also in failures, retries and redirects.
#[test]
fn names_that_stay_here() {
    for scheme in ["socks5h", "socks4a"] {
        let server = crate::support::Server::with(|number| match number {
            0 => crate::support::answer(
                "HTTP/1.1 302 Found\r\nLocation: http://other.onion/b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            ),
            _ => crate::support::answers(crate::support::ok("hello")),
        });
        let refusals = AtomicUsize::new(0);
        let socks = Socks::refusing(server.addr, move |place| match place {
            Place::Name(name, _) if name == "gone.onion" => Some(if scheme == "socks5h" { 4 } else { 91 }),
            _ => (refusals.fetch_add(1, Ordering::SeqCst) == 0).then_some(if scheme == "socks5h" { 1 } else { 91 }),
        });
        let (resolver, asked) = resolving(&[ONE]);
        let pools = PoolManager::builder().proxy(socks.url(scheme)).resolver(resolver).build().unwrap();
        let retry = Retry::new(5);
        let response = pools.get("http://abc.onion/a").retries(retry).send().unwrap();
        assert_eq!(response.url().to_string(), "http://other.onion/b");
        let error = pools.get("http://gone.onion/").retries(Retry::new(1)).send().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ProxyRefused { .. }), "{error}");
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{scheme}");
        let expected = ["abc", "abc", "other", "gone", "gone"].map(|name| format!("name {name}.onion:80"));
        assert_eq!(socks.log.places(), expected);
    }
}

/// SOX-07: credentials, from the URL and from values, decoded once; to the proxy alone.
#[test]
fn credentials() {
    let server = origin("hello");
    let socks = Socks::new(server.addr);
    let plain = Proxy::parse(&socks.url("socks5h")).unwrap();
    let pair = |login: &str, password: &str| Some((login.to_owned(), password.to_owned()));
    let table = [
        (Proxy::parse(&socks.with_login("socks5h", "user:pw")).unwrap(), pair("user", "pw")),
        (
            Proxy::parse(&socks.with_login("socks5h", "me%40corp%3A:p%23%3Aw%2540")).unwrap(),
            pair("me@corp:", "p#:w%40"),
        ),
        (plain.clone().auth(("j\u{f6}", "\u{20ac}")), pair("j\u{f6}", "\u{20ac}")),
        (plain.clone().auth(("alice", "")), pair("alice", "")),
        (plain.clone(), None),
        (Proxy::parse(&socks.with_login("socks4a", "me:canary")).unwrap(), pair("me", "")),
        (Proxy::parse(&socks.url("socks4")).unwrap(), None),
    ];
    for (proxy, expected) in table {
        let request = hostpool::get("http://127.0.0.1:1/").proxy(&proxy).auth(("origin", "secret"));
        assert_eq!(request.send().unwrap().text().unwrap(), "hello");
        assert_eq!(socks.log.logins().pop().unwrap(), expected, "{proxy}");
    }
    for request in server.seen.requests() {
        assert!(header(&request, "Authorization").is_some() && header(&request, "Proxy-Authorization").is_none());
    }
    let manager = ProxyManager::new(plain.auth(("a", "b"))).unwrap();
    manager.get("http://named.test/").send().unwrap();
    assert_eq!(socks.log.logins().pop().unwrap(), pair("a", "b"));
}

/// What a SOCKS5 client offers: as curl does, or its login alone.
#[test]
fn what_is_offered() {
    let server = origin("");
    let socks = Socks::new(server.addr);
    let with_login = Proxy::parse(&socks.with_login("socks5h", "a:b")).unwrap();
    let without = Proxy::parse(&socks.url("socks5h")).unwrap();
    for (proxy, expected) in [(without, &[0][..]), (with_login.clone(), &[0, 2]), (with_login.require_auth(true), &[2])]
    {
        hostpool::get("http://named.test/").proxy(proxy).send().unwrap();
        assert_eq!(socks.log.asked().pop().unwrap().offered, expected);
    }
}

/// SOX-06: a proxy that is not there, and each reply that opens no tunnel. Which of them are tried again.
#[test]
fn refusals() {
    let (_kept, address) = refusing();
    let error = hostpool::get("http://named.test/").proxy(format!("socks5h://{address}")).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Connect, Phase::Proxy));

    let table = [
        ("socks5h", 1, "it failed, and does not say how", true),
        ("socks5h", 2, "its rules do not allow this connection", false),
        ("socks5h", 3, "it cannot reach the network of the server", true),
        ("socks5h", 4, "it cannot reach the server", true),
        ("socks5h", 5, "the server refuses the connection", true),
        ("socks5h", 6, "the server did not answer in time", true),
        ("socks5h", 7, "it does not know the command", false),
        ("socks5h", 8, "it does not know this type of address", false),
        ("socks5h", 99, "it failed, with a code that the standard does not have", false),
        ("socks4a", 91, "it refuses the request, or cannot reach the server", true),
        ("socks4a", 92, "it found no identd on this machine", false),
        ("socks4a", 93, "the identd of this machine names another user", false),
    ];
    for (scheme, code, words, again) in table {
        let server = origin("");
        let socks = Socks::refusing(server.addr, move |_| Some(code));
        let pools = PoolManager::builder().proxy(socks.with_login(scheme, "user:canary")).build().unwrap();
        let retry = Retry::new(1);
        let error = pools.post("http://named.test/a?canary").data("canary").retries(retry).send().unwrap_err();
        let kind = error.kind();
        let is_it =
            matches!(kind, ErrorKind::ProxyRefused { status: None, socks_reply: Some(found), .. } if *found == code);
        assert!(is_it, "{kind:?}");
        assert_eq!((error.phase(), error.code(), error.status()), (Phase::Proxy, "proxy_refused", None));
        assert!(error.is_connect() && !error.maybe_processed() && !error.is_timeout());
        let text = error.to_string();
        let start = format!("the proxy refused the tunnel: {words}");
        let version = &scheme[..6].to_uppercase();
        assert!(text.starts_with(&start) && text.contains(version), "{text}");
        assert!(
            text.contains(&format!("(reaching the proxy {}, POST http://named.test/a)", socks.url(scheme))),
            "{text}"
        );
        assert!(!format!("{text} {error:?} {error:#?}").contains("canary"), "{error:?}");
        assert_eq!(socks.log.accepted(), 1 + usize::from(again), "{scheme} {code}");
    }
}

/// The addresses of a name are tried in order, each over a connection of its own.
#[test]
fn several_addresses() {
    let connect = |scheme: &str, found: &[IpAddr], refuse: fn(IpAddr) -> Option<u8>| {
        let server = origin("hello");
        let socks = Socks::refusing(server.addr, move |place| match place {
            Place::Address(address) => refuse(address.ip()),
            Place::Name(..) => panic!("a name"),
        });
        let (resolver, _) = resolving(found);
        let session = Session::builder().proxy(socks.url(scheme)).resolver(resolver).build().unwrap();
        let result = session.get("http://named.test/").send().and_then(|response| response.text());
        (result, socks.log.places())
    };
    let places =
        |ips: &[IpAddr]| ips.iter().map(|ip| format!("address {}", SocketAddr::new(*ip, 80))).collect::<Vec<_>>();

    let (result, asked) = connect("socks5", &[six(1), ONE, TWO], |ip| ip.is_ipv6().then_some(8));
    assert_eq!((result.unwrap(), asked), ("hello".to_owned(), places(&[six(1), ONE])));
    let (result, asked) = connect("socks4", &[six(1), ONE, TWO], |ip| (ip == ONE).then_some(91));
    assert_eq!((result.unwrap(), asked), ("hello".to_owned(), places(&[ONE, TWO])));

    let (result, asked) = connect("socks5", &[six(1), ONE], |ip| Some(if ip.is_ipv6() { 8 } else { 5 }));
    let error = result.unwrap_err();
    assert_eq!(asked, places(&[six(1), ONE]));
    assert!(matches!(error.kind(), ErrorKind::ProxyRefused { socks_reply: Some(5), .. }), "{error}");
    let chain = crate::support::chain(&error);
    assert!(
        chain.contains("[2001:db8::1]:80: it does not know this type")
            && chain.contains("192.0.2.1:80: the server refuses"),
        "{chain}"
    );

    // What is not about the address ends it.
    let (result, asked) = connect("socks5", &[ONE, TWO], |_| Some(7));
    assert_eq!((result.is_err(), asked.len()), (true, 1));
    let (result, asked) = connect("socks4", &[ONE, TWO], |_| Some(93));
    assert_eq!((result.is_err(), asked.len()), (true, 1));
}

/// Names and addresses that cannot be asked for. Nothing is sent.
#[test]
fn what_is_not_asked_for() {
    let server = origin("");
    let socks = Socks::new(server.addr);
    let send = |scheme: &str, host: &str, found: &[IpAddr]| {
        let session = Session::builder().proxy(socks.url(scheme)).resolver(resolving(found).0).build().unwrap();
        session.get(format!("http://{host}/")).send().unwrap_err()
    };
    // A2.17.
    let long = vec!["x".repeat(49); 6].join(".");
    for scheme in ["socks5h", "socks4a"] {
        let error = send(scheme, &long, &[]);
        assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{error}");
        assert!(error.to_string().contains("255 bytes"), "{error}");
    }
    let error = send("socks4", "named.test", &[six(1)]);
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Resolve, Phase::Resolve));
    let error = send("socks4", "[::1]", &[]);
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Resolve, Phase::Resolve));
    let error = send("socks4a", "[::1]", &[]);
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest);
    // A lookup that fails here says where else it could be done.
    for (scheme, remote) in [("socks5", "socks5h"), ("socks4", "socks4a")] {
        let error = send(scheme, "named.test", &[]);
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Resolve, Phase::Resolve));
        assert!(error.to_string().contains(&format!("and {remote} at the proxy")), "{error}");
    }
    assert_eq!(socks.log.accepted(), 0);
    assert!(hostpool::get("http://named.test/").proxy("socks://127.0.0.1").send().is_err());
    let long = "x".repeat(256);
    let proxy = Proxy::parse(&socks.url("socks5h")).unwrap().auth((&*long, "canary"));
    let error = Session::builder().proxy(proxy).build().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest);
    assert!(!format!("{error} {error:?}").contains("canary"));
}

/// SOX-09: the settings of sockets are for the connection to the proxy.
#[test]
#[cfg(target_os = "linux")]
fn source_addresses() {
    let server = origin("");
    let socks = Socks::new(server.addr);
    let from = Ipv4Addr::new(127, 0, 0, 3);
    let session = Session::builder().proxy(socks.url("socks5h")).source_address(from).build().unwrap();
    session.get("http://named.test/").send().unwrap();
    assert_eq!(socks.log.peers(), [IpAddr::V4(from)]);
}

/// Which addresses a filter is asked for: that of the proxy, and those that are found here.
#[test]
fn filters() {
    let server = origin("hello");
    let socks = Socks::new(server.addr);
    let build = |scheme: &str, allows: fn(SocketAddr) -> bool| -> Session {
        let session = Session::builder().proxy(socks.url(scheme)).resolver(resolving(&[ONE, TWO]).0);
        session.address_filter(allows).build().unwrap()
    };
    let not_one: fn(SocketAddr) -> bool = |address| address.ip() != ONE;
    let only_loopback: fn(SocketAddr) -> bool = |address| address.ip().is_loopback();
    for (scheme, allows, host, expected) in [
        ("socks5", not_one, "named.test", Ok("address 192.0.2.2:80")),
        ("socks4", not_one, "named.test", Ok("address 192.0.2.2:80")),
        ("socks5h", not_one, "named.test", Ok("name named.test:80")),
        ("socks5", only_loopback, "named.test", Err(Phase::Resolve)),
        ("socks5h", only_loopback, "192.0.2.1", Err(Phase::Resolve)),
        ("socks4a", only_loopback, "192.0.2.1", Err(Phase::Resolve)),
        ("socks5h", |address| !address.ip().is_loopback(), "named.test", Err(Phase::Proxy)),
    ] {
        let before = socks.log.asked().len();
        let result = build(scheme, allows).get(format!("http://{host}/")).send();
        let asked = socks.log.places().split_off(before);
        match (result, expected) {
            (Ok(_), Ok(place)) => assert_eq!(asked, [place], "{scheme} {host}"),
            (Err(error), Err(phase)) => {
                assert_eq!((error.kind(), error.phase()), (&ErrorKind::AddressRefused, phase), "{scheme} {host}");
                assert!(asked.is_empty());
            }
            (result, _) => panic!("{scheme} {host}: {result:?}"),
        }
    }
}

/// Names that nobody here checks can be refused, whoever would look them up, and in redirects.
#[test]
fn names_that_are_not_checked() {
    let server = crate::support::Server::new(vec![crate::support::answers(
        "HTTP/1.1 302 Found\r\nLocation: http://named.test/b\r\nContent-Length: 0\r\n\r\n",
    )]);
    let socks = Socks::new(server.addr);
    let relay = crate::Relay::new(server.addr);
    for (proxy, refused) in [
        (socks.url("socks5h"), true),
        (socks.url("socks4a"), true),
        (socks.url("socks5"), false),
        (socks.url("socks4"), false),
        (relay.url(), true),
    ] {
        let session = Session::builder().proxy(&*proxy).resolver(resolving(&[ONE]).0).refuse_remote_names(true);
        let session = session.max_redirects(1).build().unwrap();
        let redirected = session.get(server.url("/a")).send().unwrap_err();
        let direct = session.get("http://named.test/").allow_redirects(false).send();
        match refused {
            true => {
                let error = direct.unwrap_err();
                assert_eq!((error.kind(), error.phase()), (&ErrorKind::AddressRefused, Phase::Resolve), "{proxy}");
                assert_eq!(redirected.kind(), &ErrorKind::AddressRefused, "{proxy}");
                assert!(error.to_string().contains("the proxy would look up the name"), "{error}");
            }
            false => {
                assert_eq!(direct.unwrap().status(), 302, "{proxy}");
                assert_eq!(redirected.kind(), &ErrorKind::TooManyRedirects, "{proxy}");
            }
        }
        assert!(
            session
                .get("http://named.test/")
                .allow_redirects(false)
                .resolve_to("named.test", server.addr)
                .no_proxy()
                .send()
                .is_ok()
        );
    }
    assert!(socks.log.places().iter().chain(&relay.log.heads()).all(|asked| !asked.contains("named.test")));
}

/// The addresses that a caller gives for a server count where they are found here, and are a part of the pool's key.
#[test]
fn given_addresses() {
    for (scheme, places, accepted) in [
        ("socks5", ["address 192.0.2.1:80", "address 192.0.2.2:8080"].as_slice(), 2),
        ("socks5h", &["name named.test:80"], 1),
    ] {
        let server = origin("hello");
        let socks = Socks::new(server.addr);
        let session = Session::builder().proxy(socks.url(scheme)).resolve_to("named.test", ONE).build().unwrap();
        for _ in 0..2 {
            session.get("http://named.test/").send().unwrap().text().unwrap();
            let own = session.get("http://named.test/").resolve_to("named.test", SocketAddr::new(TWO, 8080));
            own.send().unwrap().text().unwrap();
        }
        assert_eq!(
            (socks.log.places(), socks.log.accepted()),
            (places.iter().map(|&place| place.to_owned()).collect(), accepted)
        );
    }
}

/// A2.10, and isolation as Tor does it: what another login or another scheme has opened is not shared.
#[test]
fn who_shares_a_tunnel() {
    let server = origin("hello");
    let socks = Socks::new(server.addr);
    let session = Session::new();
    let proxies = [
        socks.with_login("socks5h", "a:1"),
        socks.with_login("socks5h", "b:1"),
        socks.with_login("socks5h", "a:2"),
        socks.url("socks5h"),
        socks.url("socks4a"),
    ];
    for proxy in proxies.iter().chain(&proxies) {
        session.get("http://named.test/").proxy(proxy).send().unwrap().text().unwrap();
    }
    assert_eq!(socks.log.accepted(), proxies.len());
    session.get("http://other.test/").proxy(&proxies[0]).send().unwrap().text().unwrap();
    assert_eq!(socks.log.accepted(), proxies.len() + 1, "each server has tunnels of its own");
    let strict = Proxy::parse(&proxies[0]).unwrap().require_auth(true);
    session.get("http://named.test/").proxy(strict).send().unwrap().text().unwrap();
    assert_eq!(socks.log.accepted(), proxies.len() + 2, "also a tunnel that might have no login");
}

/// Managers, sessions, pools and requests take a SOCKS proxy as any other.
#[test]
fn who_takes_one() {
    let server = origin("hello");
    let socks = Socks::new(server.addr);
    let url = "http://named.test/a";
    let manager = proxy_from_url(&socks.with_login("socks5h", "u:canary")).unwrap();
    assert_eq!(manager.proxy().to_string(), socks.url("socks5h"));
    assert!(!format!("{manager:?} {:?}", manager.proxy()).contains("canary"));
    let read = |request: hostpool::RequestBuilder| request.send().unwrap().text().unwrap();
    let texts = [
        read(manager.get(url)),
        read(manager.connection_from_url(url).unwrap().get("/a")),
        read(Session::builder().proxy(socks.url("socks5h")).build().unwrap().get(url)),
        read(hostpool::get(url).proxy(socks.url("socks4a"))),
    ];
    assert_eq!(texts, ["hello"; 4]);
    let other = origin("direct");
    let direct = manager.get(other.url("/")).no_proxy().send().unwrap();
    assert_eq!(direct.text().unwrap(), "direct");
    assert_eq!(socks.log.places(), vec!["name named.test:80"; 3]);
}

/// SOX-12, H3: TLS with the server inside of the tunnel, by its name.
#[cfg(feature = "rustls")]
#[test]
fn encrypted() {
    let authority = crate::tls::Authority::new();
    let server = crate::secured::server(&authority);
    let (resolver, _) = resolving(&[ONE]);
    for scheme in ["socks5h", "socks5", "socks4a", "socks4"] {
        let socks = Socks::new(server.addr);
        let build =
            || -> hostpool::SessionBuilder { Session::builder().proxy(socks.url(scheme)).resolver(resolver.clone()) };
        let session = build().tls(authority.trusted()).build().unwrap();
        let response = session.get("https://named.test/a").send().unwrap();
        assert!(response.connection().unwrap().tls.unwrap().verified, "{scheme}");
        assert_eq!(response.text().unwrap(), "GET /a HTTP/1.1");
        let place = if scheme.ends_with(['a', 'h']) { "name named.test:443" } else { "address 192.0.2.1:443" };
        assert_eq!(socks.log.places(), [place]);
        // Another name than that of the certificate, and another authority.
        for (url, tls) in [
            ("https://other.test/", authority.trusted()),
            ("https://named.test/", crate::tls::Authority::new().trusted()),
        ] {
            let error = build().tls(tls).build().unwrap().get(url).send().unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Tls, Phase::Tls), "{scheme} {url}");
        }
    }
}

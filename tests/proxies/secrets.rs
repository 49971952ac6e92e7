//! Whose credentials arrive where, byte by byte; and what stands in logs, errors and `Debug`.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt::Debug;
use std::io;
use std::sync::{Mutex, Once};

use hostpool::{CookieJar, Error, PoolManager, Proxy, ProxyChoice, ProxyConnector, Session};

use crate::socks::server::Socks;
use crate::support::{Server, answers, refusing};
use crate::tls::{Authority, TlsServer, dns};
use crate::{Relay, basic, origin};

/// What only proxies may see, in each spelling.
const FOR_PROXY: [&str; 3] = ["proxy%canary", "proxy%25canary", "teamcanary"];

/// What only servers may see of an `https` request.
const FOR_SERVER: [&str; 4] = ["origin%canary", "origin%25canary", "cookiecanary", "bodycanary"];

/// Lines of the log. The other tests of this process write there, too, and have no such secrets.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LINES.lock().unwrap().push(format!("{} {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

/// The secrets with what they are in Base64, as a part of Basic credentials.
fn spellings(secrets: &[&str], login: &str) -> Vec<String> {
    let decoded = secrets[0].replace("%25", "%");
    let basic = basic(login, &decoded);
    secrets.iter().map(|&secret| secret.to_owned()).chain([basic["Basic ".len()..].to_owned()]).collect()
}

#[track_caller]
fn has_none(where_: &str, bytes: &[u8], secrets: &[String]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{where_} has {secret}: {text}");
    }
}

/// Everything that an error shows.
fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {:?}", error.url());
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}

fn debug(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

/// Begins to keep the lines of the log.
fn keep_the_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Logger).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// Lists of ways, and SOCKS: what the last server gets, and what the errors of all ways show.
#[test]
fn lists_and_socks() {
    keep_the_log();
    let of_proxy = spellings(&FOR_PROXY, "proxyuser");
    let server = origin("direct");
    let socks = Socks::new(server.addr);
    let (_one, nobody) = refusing();
    let by = |url: &str, addr| Proxy::parse(&format!("{url}://proxyuser:proxy%25canary@{addr}")).unwrap();
    let dead =
        [by("http", nobody).header("X-Team", "teamcanary").unwrap(), by("socks5", nobody), by("socks4a", nobody)];
    let list = ProxyChoice::from_iter(dead);
    let get = |choice: ProxyChoice| {
        let request = hostpool::get("http://named.test/").resolve_to("named.test", server.addr);
        request.choose_proxy(move |_| Ok(choice.clone()))
    };
    let mut texts = vec![debug(&list)];
    for choice in [list.clone().or_direct(), list.clone().or(by("socks5h", socks.addr))] {
        texts.push(debug(&choice));
        let response = get(choice).send().unwrap();
        texts.push(debug(&response));
    }
    assert_eq!(socks.log.logins(), [Some(("proxyuser".to_owned(), "proxy%canary".to_owned()))]);
    let requests = server.seen.requests();
    assert_eq!(requests.len(), 2);
    requests.iter().for_each(|request| has_none("the server", request.as_bytes(), &of_proxy));
    let refusing_socks = Socks::refusing(server.addr, |_| Some(5));
    for last in [by("http", nobody), by("socks5h", refusing_socks.addr)] {
        let error = get(list.clone().or(last)).send().unwrap_err();
        assert_eq!(error.failed_ways().len(), 3, "{error}");
        texts.extend(error.failed_ways().iter().map(shown));
        texts.push(shown(&error));
    }
    texts.iter().for_each(|text| has_none("a text", text.as_bytes(), &of_proxy));
    LINES.lock().unwrap().iter().for_each(|line| has_none("the log", line.as_bytes(), &of_proxy));
}

/// A2.1, A2.3, A18.1: through tunnels, refused tunnels, forwarded requests, redirects and failures.
#[test]
fn every_byte_on_both_legs() {
    keep_the_log();
    let (of_proxy, of_server) = (spellings(&FOR_PROXY, "proxyuser"), spellings(&FOR_SERVER, "originuser"));
    let all: Vec<String> = of_proxy.iter().chain(&of_server).cloned().collect();
    let authority = Authority::new();
    let server = TlsServer::new(authority.leaf(&[dns("named.test")]).server(rustls::ALL_VERSIONS), |peer| {
        loop {
            let head = String::from_utf8(peer.request()?).map_err(io::Error::other)?;
            peer.send(match head.contains(" /away ") {
                true => b"HTTP/1.1 302 Found\r\nLocation: http://plain.test/\r\nContent-Length: 0\r\n\r\n".to_vec(),
                false => crate::support::ok("hello"),
            })?;
        }
    });
    let relay = Relay::refusing(server.addr, |head| {
        let refuses = head.starts_with("CONNECT refused.test:443 ");
        refuses.then(|| b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    let proxy = Proxy::parse(&relay.with_login("proxyuser:proxy%25canary")).unwrap();
    let proxy = proxy.header("X-Team", "teamcanary").unwrap();
    let session =
        Session::builder().proxy(&proxy).tls(authority.trusted()).cookie_jar(CookieJar::new()).build().unwrap();
    let mut texts = vec![debug(&proxy), debug(&session)];
    let call = |url: &str| {
        let request = session.post(url).auth(("originuser", "origin%canary")).cookie("n", "cookiecanary");
        request.data("bodycanary").build().unwrap()
    };
    for _ in 0..2 {
        let request = call("https://named.test/");
        texts.push(debug(&request));
        let response = session.execute(request).unwrap();
        texts.push(debug(&response));
        texts.push(format!("{:?}", response.connection()));
        assert_eq!(response.text().unwrap(), "hello");
    }
    texts.push(shown(&session.execute(call("https://refused.test/")).unwrap_err()));
    texts.push(shown(&session.execute(call("https://other.test/")).unwrap_err()));
    // What was for a server over TLS does not come to the proxy with a redirect either.
    let plain = origin("plain");
    let forwarding = Server::new(vec![answers(crate::support::ok("forwarded"))]);
    let to_plain = Proxy::parse(&format!("http://proxyuser:proxy%25canary@{}", forwarding.addr)).unwrap();
    let hooked = Session::builder()
        .proxy(&proxy)
        .tls(authority.trusted())
        .allow_downgrade(true)
        .on_request(move |request| match request.url().host() {
            "plain.test" => request.set_proxy(to_plain.clone()),
            _ => Ok(()),
        })
        .build()
        .unwrap();
    let request =
        hooked.get("https://named.test/away").auth(("originuser", "origin%canary")).cookie("n", "cookiecanary");
    assert_eq!(request.send().unwrap().text().unwrap(), "forwarded");
    has_none("the second proxy", forwarding.seen.requests()[0].as_bytes(), &of_server);
    // A server that is reached without the proxy.
    hooked.get(plain.url("/")).no_proxy().send().unwrap();
    has_none("a server without a proxy", plain.seen.requests()[0].as_bytes(), &of_proxy);

    has_none("the proxy", &relay.log.bytes(), &of_server);
    for (_, request) in server.seen.requests() {
        has_none("the server", &request, &of_proxy);
    }
    for text in [
        debug(&PoolManager::builder().proxy(&proxy)),
        debug(&ProxyConnector::new(&proxy).unwrap()),
        shown(&Proxy::parse("http://proxyuser:proxy%25canary@").unwrap_err()),
        shown(&Proxy::parse("ftp://proxyuser:proxy%25canary@h").unwrap_err()),
        shown(&Proxy::parse("proxyuser:proxy%25canary@h:3128").unwrap_err()),
        shown(&hostpool::get("http://named.test/").proxy("http://u:proxy%25canary@proxy.invalid").send().unwrap_err()),
    ] {
        texts.push(text);
    }
    texts.iter().for_each(|text| has_none("a text", text.as_bytes(), &all));
    let lines = LINES.lock().unwrap();
    let targets: BTreeSet<_> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    assert!(lines.iter().any(|line| line.contains("named.test")), "the log is written: {targets:?}");
    lines.iter().for_each(|line| has_none("the log", line.as_bytes(), &all));
}

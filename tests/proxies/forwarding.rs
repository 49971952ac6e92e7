//! `http` URLs that a proxy forwards.

use hostpool::{ConnectionPool, ErrorKind, Phase, PoolManager, Proxy, Retry, Session, Url};

use crate::support::{Server, answer, answers, header, ok, refusing};
use crate::{Relay, lines, origin};

/// PC-01, PRX-16, PRX-39, Proxy 203 and 208: the whole URL, the Host of the server, the headers of the proxy.
#[test]
fn what_the_proxy_gets() {
    let server = origin("hello");
    let relay = Relay::new(server.addr);
    let proxy = Proxy::parse(&relay.url()).unwrap().header("X-Team", "7").unwrap();
    let session = Session::builder().proxy(proxy).user_agent("tests/1").build().unwrap();
    let text = session.get("http://u:p@named.test:8080/a%2Fb?q=1#part").send().unwrap().text().unwrap();
    assert_eq!(text, "hello");
    let head = &relay.log.heads()[0];
    assert_eq!(lines(head)[..2], ["GET http://named.test:8080/a%2Fb?q=1 HTTP/1.1", "Host: named.test:8080"]);
    assert_eq!(header(head, "X-Team"), Some("7"));
    assert_eq!(header(head, "User-Agent"), Some("tests/1"));
    // The login of the URL is for the server, also through a proxy.
    assert_eq!(header(head, "Authorization"), Some("Basic dTpw"));
    assert_eq!(header(head, "Proxy-Authorization"), None);
    session.post("http://named.test:80").header("X-Team", "own").data("body").send().unwrap();
    let head = &relay.log.heads()[1];
    // F1: the port of the scheme stands nowhere. PRX-18: the header of the request comes first.
    assert_eq!(lines(head)[..2], ["POST http://named.test/ HTTP/1.1", "Host: named.test"]);
    assert_eq!(head.matches("X-Team: ").count(), 1);
    assert_eq!(header(head, "X-Team"), Some("own"));
    // F3: the line has the host of the URL, and Host what the caller says.
    session.get("http://named.test/").header("Host", "other.test").send().unwrap();
    assert_eq!(lines(&relay.log.heads()[2])[..2], ["GET http://named.test/ HTTP/1.1", "Host: other.test"]);
}

/// `OPTIONS *` is for the server, and the proxy turns it into that (RFC 9112, section 3.2.4).
#[test]
fn options_of_the_server() {
    let proxy = origin("");
    let session = Session::builder().proxy(proxy.url("")).build().unwrap();
    session.options("http://named.test:81/a").request_target("*").send().unwrap();
    assert!(proxy.seen.requests()[0].starts_with("OPTIONS http://named.test:81 HTTP/1.1\r\nHost: named.test:81\r\n"));
}

/// The request's own proxy comes before that of the session, and that before that of its connector. No proxy is a value.
#[test]
fn whose_proxy_counts() {
    let server = origin("server");
    let [of_pools, of_session, of_request] = [origin("pools"), origin("session"), origin("request")];
    let url = server.url("/");
    let pools = || PoolManager::builder().proxy(of_pools.url("")).build().unwrap();
    let text = |request: hostpool::RequestBuilder| request.send().unwrap().text().unwrap();
    let session = Session::builder().connector(pools()).proxy(of_session.url("")).build().unwrap();
    let plain = Session::builder().connector(pools()).build().unwrap();
    let direct = Session::builder().connector(pools()).no_proxy().build().unwrap();
    let table = [
        ("pools", text(pools().get(&url))),
        ("pools", text(plain.get(&url))),
        ("pools", text(hostpool::get(&url).connector(&pools()))),
        ("session", text(session.get(&url))),
        ("server", text(direct.get(&url))),
        ("request", text(session.get(&url).proxy(of_request.url("")))),
        ("request", text(direct.get(&url).proxy(Url::parse(&of_request.url("")).unwrap()))),
        ("server", text(session.get(&url).no_proxy())),
        ("request", text(hostpool::get(&url).proxy(of_request.url("")))),
        ("session", text(ConnectionPool::builder(&url).proxy(of_session.url("")).build().unwrap().get("/"))),
    ];
    for (row, (expected, found)) in table.iter().enumerate() {
        assert_eq!(expected, found, "row {row}");
    }
}

/// PRX-13 and PRX-15: each hop of a redirect goes through the proxy.
#[test]
fn redirects() {
    let server = origin("done");
    let relay = Relay::refusing(server.addr, |head| {
        head.starts_with("GET http://one.test/")
            .then(|| b"HTTP/1.1 302 Found\r\nLocation: http://two.test/b\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    let pools = PoolManager::builder().proxy(relay.url()).build().unwrap();
    let response = pools.get("http://one.test/a").send().unwrap();
    assert_eq!(response.url().to_string(), "http://two.test/b");
    assert_eq!(response.text().unwrap(), "done");
    let heads = relay.log.heads();
    assert_eq!(lines(&heads[1])[..2], ["GET http://two.test/b HTTP/1.1", "Host: two.test"]);
    assert_eq!(relay.log.connections(), [0, 0], "both over the same connection");
}

/// A2.12: what is for the proxy does not go to a server that is reached without it.
#[test]
fn a_hop_that_leaves_the_proxy() {
    let server = origin("direct");
    let to = server.url("/");
    let proxy =
        Server::new(vec![answers(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"))]);
    let login = format!("http://user:canary@{}", proxy.addr);
    let session = Session::builder()
        .proxy(Proxy::parse(&login).unwrap().header("X-Team", "canary").unwrap())
        .on_request(|request| {
            if request.url().host() == "127.0.0.1" {
                request.set_no_proxy();
            }
            Ok(())
        })
        .build()
        .unwrap();
    assert_eq!(session.get("http://named.test/").send().unwrap().text().unwrap(), "direct");
    assert!(header(&proxy.seen.requests()[0], "Proxy-Authorization").is_some());
    let request = &server.seen.requests()[0];
    assert!(header(request, "Proxy-Authorization").is_none() && header(request, "X-Team").is_none(), "{request}");
    assert!(request.starts_with("GET / HTTP/1.1"), "{request}");
}

/// Credentials are those of the proxy of each hop (aiohttp 12829).
#[test]
fn a_hop_through_another_proxy() {
    let second = origin("second");
    let first =
        Server::new(vec![answers("HTTP/1.1 302 Found\r\nLocation: http://two.test/\r\nContent-Length: 0\r\n\r\n")]);
    let [one, two] = [(&first, "one:canary1@"), (&second, "two:canary2@")]
        .map(|(proxy, login)| format!("http://{login}{}", proxy.addr));
    let session = Session::builder()
        .proxy(one)
        .on_request(move |request| {
            if request.url().host() == "two.test" {
                request.set_proxy(Proxy::parse(&two)?)?;
            }
            Ok(())
        })
        .build()
        .unwrap();
    assert_eq!(session.get("http://one.test/").auth(("o", "canary3")).send().unwrap().text().unwrap(), "second");
    let sent = |proxy: &Server| header(&proxy.seen.requests()[0], "Proxy-Authorization").map(str::to_owned);
    assert_eq!(sent(&first).unwrap(), crate::basic("one", "canary1"));
    assert_eq!(sent(&second).unwrap(), crate::basic("two", "canary2"));
    assert_eq!(header(&second.seen.requests()[0], "Authorization"), None, "that of the first server stays there");
}

/// PRX-09, PRX-10, PRX-22, PRX-25: a failure at the proxy is told from one after it.
#[test]
fn failures() {
    let (_socket, nobody) = refusing();
    for url in ["http://named.test/", "https://named.test/"] {
        let get = |proxy: &str| hostpool::get(url).proxy(proxy).send().unwrap_err();
        let error = get(&format!("http://user:canary@{nobody}"));
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Connect, Phase::Proxy), "{url}");
        assert!(error.is_connect() && !error.maybe_processed());
        assert_eq!(error.origin().unwrap().to_string(), format!("http://{nobody}"));
        assert_eq!(
            error.to_string(),
            format!("no connection could be opened (reaching the proxy http://{nobody}, GET {url})")
        );
        assert!(!format!("{error:?}").contains("canary"));
        let error = get("http://proxy.invalid:3128");
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Resolve, Phase::Proxy), "{url}");
    }
    // The proxy has the request, so it may have been processed.
    let proxy = Server::new(vec![vec![crate::support::Step::Request]]);
    let error = hostpool::post("http://named.test/").data("x").proxy(proxy.url("")).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Disconnected, Phase::Head));
    assert!(error.maybe_processed());
    // PRX-10: a retry tries the proxy again.
    let pools = PoolManager::builder().proxy(format!("http://{nobody}")).retries(Retry::new(2)).build().unwrap();
    assert_eq!(pools.get("http://named.test/").send().unwrap_err().retries().len(), 3);
}

/// PRX-31: a proxy that closes an idle connection, and one that fails once.
#[test]
fn a_proxy_that_closes() {
    let proxy = Server::new(vec![answer(ok("one")), answer(ok("two")), vec![], answer(ok("three"))]);
    let pools = PoolManager::builder().proxy(proxy.url("")).build().unwrap();
    for expected in ["one", "two", "three"] {
        assert_eq!(pools.get("http://named.test/").send().unwrap().text().unwrap(), expected);
    }
    assert_eq!(proxy.seen.accepted(), 4);
}

/// A response that is mended ends a connection to a forwarding proxy, although a direct one would be kept.
#[test]
fn mended_responses() {
    let odd = b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok";
    for (by_proxy, connections) in [(true, 2), (false, 1)] {
        let server = Server::new(vec![answers(odd)]);
        let builder = PoolManager::builder();
        let pools = if by_proxy { builder.proxy(server.url("")) } else { builder }.build().unwrap();
        for _ in 0..2 {
            pools.get(server.url("/")).send().unwrap().text().unwrap();
        }
        assert_eq!(server.seen.accepted(), connections, "by proxy: {by_proxy}");
    }
}

/// A dialer opens the connections of its pool, and a proxy beside it would be ignored.
#[test]
fn dialers() {
    let builder = || PoolManager::builder().dialer(hostpool::TcpDialer::new());
    let error = builder().proxy("http://proxy.test").build().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidConfig);
    let pools = builder().build().unwrap();
    let error = pools.get("http://named.test/").proxy("http://proxy.test").send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidConfig);
}

/// PRX-27, A1: what cannot be a proxy is said where it is given.
#[test]
fn bad_proxies() {
    for proxy in ["localhost:8080", "ftp://p", "http://p:99999", "http://", "http://a%3Ab:c@p"] {
        assert!(Session::builder().proxy(proxy).build().is_err(), "{proxy}");
        assert!(hostpool::get("http://named.test/").proxy(proxy).build().is_err(), "{proxy}");
    }
}

/// An address filter is asked for the address of the proxy, and for addresses in URLs.
#[test]
fn address_filters() {
    let server = origin("hello");
    let relay = Relay::new(server.addr);
    let allowed = relay.addr;
    let builder = || Session::builder().proxy(relay.url());
    let session = builder().address_filter(move |address| address == allowed).build().unwrap();
    assert_eq!(session.get("http://named.test/").send().unwrap().text().unwrap(), "hello");
    for url in ["http://192.0.2.1/", "https://192.0.2.1/"] {
        let error = session.get(url).send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::AddressRefused, "{url}");
    }
    assert_eq!(relay.log.heads().len(), 1);
    // Names may be refused outright, and then nothing is connected to.
    let session =
        builder().address_filter(move |address| address == allowed).refuse_remote_names(true).build().unwrap();
    for url in ["http://named.test/", "https://named.test/"] {
        let error = session.get(url).send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::AddressRefused, "{url}");
        assert!(error.to_string().contains("refuse_remote_names"), "{error}");
    }
    assert_eq!(relay.log.accepted(), 1);
    assert_eq!(session.get(format!("http://{allowed}/")).no_proxy().send().map(drop).unwrap_err().phase(), Phase::Head);
    let session = builder().address_filter(|_| false).build().unwrap();
    let error = session.get("http://named.test/").send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::AddressRefused, Phase::Proxy));
}

/// The addresses that a caller gives for the name of the proxy.
#[test]
fn the_address_of_a_proxy() {
    let proxy = origin("proxy");
    let session =
        Session::builder().proxy("http://proxy.test:3128").resolve_to("proxy.test", proxy.addr).build().unwrap();
    assert_eq!(session.get("http://named.test/").send().unwrap().text().unwrap(), "proxy");
    let request = hostpool::get("http://named.test/").proxy("http://proxy.test").resolve_to("proxy.test", proxy.addr);
    assert_eq!(request.send().unwrap().text().unwrap(), "proxy");
}

//! CONNECT with proxies that follow a script, byte by byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostpool::observe::Dialed;
use hostpool::{
    Bound, ErrorKind, Limit, Limits, Listener, Phase, PoolManager, Proxy, Retry, Session, Timeout, Violation,
};

use crate::origin;
use crate::support::{Server, Step, answer, header, ok};

const OPENED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

fn through(proxy: &Server) -> Proxy {
    Proxy::parse(&proxy.url("")).unwrap().tunnel_http(true)
}

/// The steps of a proxy that opens a tunnel and is the server at its end.
fn opens(head: &str) -> Vec<Step> {
    vec![Step::Request, Step::Send(head.into()), Step::Request, Step::Send(ok("hello"))]
}

/// C1, C3: the head of a tunnel, whole and split at each byte.
#[test]
fn heads_that_open() {
    let heads = [
        OPENED,
        "HTTP/1.0 200 OK\r\nVia: 1.1 tinyproxy\r\n\r\n",
        "HTTP/1.1 201 Created\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ];
    for head in heads {
        let proxy = Server::new(vec![opens(head)]);
        let text = hostpool::get("http://named.test/").proxy(through(&proxy)).send().unwrap().text().unwrap();
        assert_eq!(text, "hello", "{head}");
    }
    let head = "HTTP/1.1 200 OK\r\nVia: 1.1 tinyproxy\r\n\r\n".as_bytes();
    for at in 1..head.len() {
        let (first, rest) = head.split_at(at);
        let steps = vec![
            Step::Request,
            Step::Send(first.to_vec()),
            Step::Tell("half"),
            Step::Hold,
            Step::Send(rest.to_vec()),
            Step::Request,
            Step::Send(ok("hello")),
        ];
        let proxy = Server::new(vec![steps]);
        std::thread::scope(|scope| {
            let call = scope.spawn(|| hostpool::get("http://named.test/").proxy(through(&proxy)).send());
            proxy.wait_for("half");
            // Nothing but the CONNECT has come before the blank line.
            assert_eq!(proxy.seen.requests().len(), 1, "{at}");
            proxy.gate.open();
            assert_eq!(call.join().unwrap().unwrap().text().unwrap(), "hello", "{at}");
        });
    }
}

/// PRX-34, A2.15: names and addresses with their port, in Host too. C9: the User-Agent of the client.
#[test]
fn what_connect_says() {
    let connect = |url: &str, session: &Session, change: fn(Proxy) -> Proxy| {
        let proxy = Server::new(vec![answer("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")]);
        let request = session.get(url).proxy(change(through(&proxy))).header("User-Agent", "request");
        request.header("Cookie", "a=1").send().unwrap_err();
        proxy.seen.requests().remove(0)
    };
    let plain = Session::builder().user_agent("client").build().unwrap();
    let as_it_is: fn(Proxy) -> Proxy = |proxy| proxy;
    for (url, target) in [
        ("https://NAMED.test/a", "named.test:443"),
        ("https://[::1]/", "[::1]:443"),
        ("https://127.0.0.1:8443/", "127.0.0.1:8443"),
        ("http://b\u{fc}cher.test/", "xn--bcher-kva.test:80"),
    ] {
        if cfg!(not(feature = "rustls")) && url.starts_with("https") {
            continue;
        }
        let head = connect(url, &plain, as_it_is);
        assert_eq!(head, format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: client\r\n\r\n"));
    }
    let agent = |session: &Session, change| {
        let head = connect("http://named.test/", session, change);
        header(&head, "User-Agent").map(str::to_owned)
    };
    assert_eq!(agent(&plain, |proxy| proxy.no_user_agent()), None);
    assert_eq!(agent(&plain, |proxy| proxy.header("user-agent", "own").unwrap()).as_deref(), Some("own"));
    let skipping = Session::builder().skip_auto_headers(["User-Agent"]).build().unwrap();
    assert_eq!(agent(&skipping, as_it_is), None);
    let default = agent(&Session::new(), as_it_is).unwrap();
    assert!(default.starts_with("hostpool/"), "{default}");
}

/// PRX-36, Proxy 206, C22, A2.6: a refusal is an error with its response, and its connection is closed.
#[test]
fn refusals() {
    let huge = format!("HTTP/1.1 407 No\r\nContent-Length: 1000000000\r\n\r\n{}", "x".repeat(200_000));
    let table = [
        (
            "HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\nContent-Length: 4\r\n\r\npage",
            403,
            "page",
            "",
        ),
        ("HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n", 501, "", ""),
        ("HTTP/1.0 400 Bad Request\r\n\r\npage", 400, "page", ""),
        ("HTTP/1.1 302 Found\r\nLocation: http://portal.test/\r\nContent-Length: 0\r\n\r\n", 302, "", ""),
        ("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", 407, "", ": it offers no scheme"),
        (
            "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate, NTLM\r\nProxy-Authenticate: Basic realm=a\r\n\
             Content-Length: 0\r\n\r\n",
            407,
            "",
            ": it asks for Negotiate, NTLM, Basic",
        ),
        (&huge, 407, &huge[huge.len() - 65536..], ": it offers no scheme"),
    ];
    for (response, status, body, words) in table {
        let proxy = Server::new(vec![[answer(response), vec![Step::UntilClosed]].concat()]);
        let error = hostpool::post("http://named.test/a?q").data("x").proxy(through(&proxy)).send().unwrap_err();
        let kind = error.kind().clone();
        assert!(matches!(kind, ErrorKind::ProxyRefused { status: Some(found), .. } if found == status), "{kind:?}");
        assert_eq!(
            (error.phase(), error.code(), error.status().unwrap().as_u16()),
            (Phase::Proxy, "proxy_refused", status)
        );
        let head = error.head().unwrap();
        assert_eq!(head.body(), body.as_bytes(), "{status}");
        assert_eq!(head.method(), "CONNECT");
        assert!(!error.maybe_processed() && error.is_connect());
        let text = error.to_string();
        assert!(text.starts_with(&format!("the proxy refused the tunnel with {}", head.status())), "{text}");
        assert!(
            text.contains(&format!("{words} (reaching the proxy {}, POST http://named.test/a)", proxy.url(""))),
            "{text}"
        );
        crate::support::eventually("the connection is closed", || proxy.seen.open() == 0);
        assert_eq!(proxy.seen.requests().len(), 1, "nothing of the request is sent to the proxy");
    }
}

/// A2.4, A2.8, PRX-37, C25: proxies that break the rules.
#[test]
fn broken_proxies() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    let violation = ErrorKind::Protocol;
    let table = [
        ("glued bytes", format!("{OPENED}hello"), violation(Violation::BytesInTunnel)),
        ("a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".into(), violation(Violation::BytesInTunnel)),
        ("garbage", "<html>\r\n\r\n".into(), violation(Violation::StatusLine)),
        ("two digits", "HTTP/1.1 20 OK\r\n\r\n".into(), violation(Violation::StatusLine)),
        ("four digits", "HTTP/1.1 2000 OK\r\n\r\n".into(), violation(Violation::StatusLine)),
        ("a cut head", "HTTP/1.1 200 OK\r\nVia: x".into(), violation(Violation::IncompleteHead)),
        ("nothing", String::new(), ErrorKind::Disconnected),
        ("101", "HTTP/1.1 101 Switching Protocols\r\n\r\n".into(), violation(Violation::UnexpectedUpgrade)),
        ("a mended head", "HTTP/1.1 200 OK\r\nVia : x\r\n\r\n".into(), violation(Violation::FieldName)),
        ("a long line", long, ErrorKind::LimitExceeded(Limit::LineBytes)),
        (
            "interim heads without end",
            "HTTP/1.1 100 Continue\r\n\r\n".repeat(200),
            ErrorKind::LimitExceeded(Limit::Interim),
        ),
    ];
    for (row, response, expected) in table {
        let proxy = Server::new(vec![answer(&response)]);
        let error = hostpool::get("http://named.test/").proxy(through(&proxy)).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&expected, Phase::Proxy), "{row}: {error:?}");
        assert!(!error.maybe_processed(), "{row}");
    }
    let limits = Limits::new().head_bytes(100);
    let session = Session::builder().limits(limits).build().unwrap();
    let proxy = Server::new(vec![answer(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200)))]);
    let error = session.get("http://named.test/").proxy(through(&proxy)).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::LimitExceeded(Limit::HeadBytes), "the limits of the client");
}

/// C23: a proxy that stalls at each byte of its answer ends with the bound on connecting, and with the total.
#[test]
fn stalls() {
    let limit = Duration::from_millis(50);
    let bounds = [(Timeout::new().connect(limit), Bound::Connect), (Timeout::from(limit), Bound::Total)];
    std::thread::scope(|scope| {
        for at in 0..OPENED.len() {
            scope.spawn(move || {
                let (timeout, bound) = bounds[at % 2];
                let proxy = Server::new(vec![vec![Step::Request, Step::Send(OPENED[..at].into()), Step::Hold]]);
                let request = hostpool::get("http://named.test/").proxy(through(&proxy)).timeout(timeout);
                let error = crate::support::without_hanging(move || request.send()).unwrap_err();
                assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Proxy), "{at}");
                assert!(!error.maybe_processed(), "{at}");
            });
        }
    });
    // One byte at a time ends by the bound, too.
    let drip =
        vec![Step::Request, Step::Forever(vec![Step::Drip(b"HTTP/1.1 100 Continue\r\n\r\n".into(), limit / 10)])];
    let proxy = Server::new(vec![drip]);
    let request = hostpool::get("http://named.test/").proxy(through(&proxy)).timeout(limit);
    let error = crate::support::without_hanging(move || request.send()).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Total), Phase::Proxy));
}

/// The refusal of a proxy that stalls in its page is an error within the deadline, with what has come.
#[test]
fn a_refusal_that_stalls() {
    let head = "HTTP/1.1 407 No\r\nContent-Length: 100\r\n\r\nstart";
    let proxy = Server::new(vec![[answer(head), vec![Step::Hold]].concat()]);
    let request = hostpool::get("http://named.test/").proxy(through(&proxy));
    let error = crate::support::without_hanging(move || request.send()).unwrap_err();
    assert_eq!((error.status().unwrap().as_u16(), error.head().unwrap().body()), (407, &b"start"[..]));
}

/// A token and a close of the client end the wait for a tunnel, wherever the proxy stalls.
#[test]
fn cancelled() {
    for at in [0, 1, 8, 15, OPENED.len() - 1] {
        for by_token in [true, false] {
            let steps = vec![Step::Request, Step::Send(OPENED[..at].into()), Step::Tell("asked"), Step::UntilClosed];
            let proxy = Server::new(vec![steps]);
            let (pools, token) = (PoolManager::builder().limit(1).build().unwrap(), hostpool::CancelToken::new());
            let request = pools.get("http://named.test/").proxy(through(&proxy)).cancel_with(&token);
            let call = std::thread::spawn(move || request.send());
            proxy.wait_for("asked");
            if by_token {
                token.cancel()
            } else {
                pools.close()
            }
            let error = call.join().unwrap().unwrap_err();
            assert_eq!((error.is_cancelled(), error.is_closed()), (by_token, !by_token), "{at}: {error:?}");
            assert_eq!((error.phase(), pools.stats().in_use), (Phase::Proxy, 0), "{at}");
        }
    }
}

/// A `Retry` asks a proxy again that cannot now, and not one that does not want to.
#[test]
fn retries() {
    for (status, tries) in [("502 Bad Gateway", 2), ("403 Forbidden", 1), ("407 No", 1)] {
        let refusal = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        let proxy = Server::new(vec![answer(refusal), opens(OPENED)]);
        let pools = PoolManager::builder().proxy(through(&proxy)).retries(Retry::new(3)).build().unwrap();
        let result = pools.post("http://named.test/").data("x").send();
        assert_eq!((result.is_ok(), proxy.seen.accepted()), (tries == 2, tries), "{status}");
    }
}

/// C7: the head of an open tunnel can be read, also on later requests over it.
#[test]
fn the_head_of_a_tunnel() {
    let head = "HTTP/1.1 200 OK\r\nX-Exit: 192.0.2.7\r\n\r\n";
    let steps = [opens(head), vec![Step::Request, Step::Send(ok("again"))]].concat();
    let proxy = Server::new(vec![steps]);
    let exits = Arc::new(Exits::default());
    let session = Session::builder().proxy(through(&proxy)).listener(exits.clone()).build().unwrap();
    for text in ["hello", "again"] {
        let response = session.get("http://named.test/").send().unwrap();
        let tunnel = response.connection().unwrap().tunnel.unwrap();
        assert_eq!((tunnel.status().as_u16(), tunnel.headers().get("X-Exit")), (200, Some("192.0.2.7")));
        assert_eq!(response.text().unwrap(), text);
    }
    let direct = session.get(origin("direct").url("/")).no_proxy().send().unwrap();
    assert_eq!(direct.connection().unwrap().tunnel, None);
    assert_eq!(*exits.0.lock().unwrap(), [Some("192.0.2.7".to_owned()), None], "as an event, too");
}

/// Notes by which heads connections were opened.
#[derive(Default)]
struct Exits(Mutex<Vec<Option<String>>>);

impl Listener for Exits {
    fn dialed(&self, event: &Dialed<'_>) {
        let exit = event.tunnel.map(|head| head.headers().get("X-Exit").unwrap().to_owned());
        self.0.lock().unwrap().push(exit);
    }
}

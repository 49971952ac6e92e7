//! Which proxy a request goes through: rules, the environment, functions, and lists of proxies.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostpool::{
    Body, Bound, CancelToken, ConnectionPool, Error, ErrorKind, Phase, PoolManager, Proxy, ProxyChoice, ProxyRules,
    RequestBuilder, Retry, Session, Timeout, Url,
};

use crate::support::{Server, Step, answer, answers, chain, header, ok, refusing, without_hanging};
use crate::{Relay, basic, origin};

fn text(request: RequestBuilder) -> String {
    request.send().unwrap().text().unwrap()
}

fn proxy(url: &str) -> Proxy {
    Proxy::parse(url).unwrap()
}

/// A host that only a proxy knows, and one that is found without.
const THERE: &str = "http://named.test/";

/// Rules and functions of the request, of its client and of its pools: the first of them holds, whatever its kind is.
#[test]
fn whose_choice_counts() {
    let server = origin("server");
    let [of_pools, of_session, of_request] = [origin("pools"), origin("session"), origin("request")];
    let rules = |of: &Server| ProxyRules::new().all(&*of.url("")).unwrap();
    let function = |of: &Server| {
        let proxy = proxy(&of.url(""));
        move |_: &Url| Ok(ProxyChoice::from(&proxy))
    };
    let url = server.url("/");
    let pools = PoolManager::builder().proxy_rules(rules(&of_pools)).build().unwrap();
    let functions = PoolManager::builder().choose_proxy(function(&of_pools)).build().unwrap();
    let over = |pools: &PoolManager| Session::builder().connector(pools.clone());
    let session = over(&pools).proxy_rules(rules(&of_session)).build().unwrap();
    let other = over(&pools).choose_proxy(function(&of_session)).build().unwrap();
    let direct = over(&pools).no_proxy().build().unwrap();
    let last = Session::builder().proxy_rules(rules(&of_pools)).choose_proxy(function(&of_session)).build().unwrap();
    let pool = ConnectionPool::builder(&url).choose_proxy(function(&of_session)).build().unwrap();
    let table = [
        ("pools", pools.get(&url)),
        ("pools", functions.get(&url)),
        ("pools", over(&functions).build().unwrap().get(&url)),
        ("pools", hostpool::get(&url).connector(&pools)),
        ("session", session.get(&url)),
        ("session", other.get(&url)),
        ("session", last.get(&url)),
        ("session", pool.get("/")),
        ("server", direct.get(&url)),
        ("server", session.get(&url).no_proxy()),
        ("server", other.get(&url).no_proxy()),
        ("request", session.get(&url).proxy_rules(rules(&of_request))),
        ("request", direct.get(&url).choose_proxy(function(&of_request))),
        ("request", session.get(&url).proxy(of_request.url(""))),
        ("server", session.get(&url).proxy_rules(ProxyRules::new())),
        ("server", session.get(&url).proxy_rules(rules(&of_request).no_proxy("127.0.0.0/8"))),
        ("server", session.get(&url).proxy_rules(rules(&of_request).proxy_loopback(false))),
        ("request", session.get(&url).proxy_rules(ProxyRules::new().http(&*of_request.url("")).unwrap())),
        ("server", session.get(&url).proxy_rules(ProxyRules::new().https(&*of_request.url("")).unwrap())),
        ("pools", pools.connection_from_url(&url).unwrap().get("/")),
    ];
    for (row, (expected, request)) in table.into_iter().enumerate() {
        assert_eq!(text(request), expected, "row {row}");
    }
}

/// The choice can be asked for, and is the one that is made.
#[test]
fn asking_for_the_choice() {
    let rules = ProxyRules::from_vars([("HTTP_PROXY", "p.test:3128"), ("NO_PROXY", "direct.test")]).unwrap();
    let session = Session::builder().proxy_rules(rules.clone()).base_url("http://direct.test/").build().unwrap();
    let shown = |url: &str| session.proxy_for(url).unwrap().to_string();
    let urls = [THERE, "https://named.test/", "http://a.direct.test/", "relative", "http+unix://%2Fa/"];
    assert_eq!(urls.map(shown), ["http://p.test:3128", "direct", "direct", "direct", "direct"]);
    let pools = PoolManager::builder().proxy_rules(rules).build().unwrap();
    assert_eq!(pools.proxy_for(THERE).unwrap().to_string(), "http://p.test:3128");
    assert!(PoolManager::new().proxy_for(THERE).unwrap().is_direct());
    assert!(pools.proxy_for("named.test").is_err());
    // What the pools say, and what the session says in its place.
    let over = |builder: hostpool::SessionBuilder| builder.connector(pools.clone()).build().unwrap();
    let asked = |session: Session| session.proxy_for(THERE).unwrap().to_string();
    assert_eq!(asked(over(Session::builder())), "http://p.test:3128");
    assert_eq!(asked(over(Session::builder().no_proxy())), "direct");
    assert_eq!(asked(over(Session::builder().proxy("http://u:canary@q.test"))), "http://q.test");
}

/// A2.12, F2: each hop of a redirect has a choice of its own, and the credentials of its own proxy.
#[test]
fn each_hop_chooses() {
    let direct =
        Server::new(vec![answers("HTTP/1.1 302 Found\r\nLocation: http://two.test/\r\nContent-Length: 0\r\n\r\n")]);
    let to = format!("HTTP/1.1 302 Found\r\nLocation: http://direct.test:{}/\r\n", direct.addr.port());
    let [one, two] = [Server::new(vec![answers(format!("{to}Content-Length: 0\r\n\r\n"))]), origin("done")];
    let urls =
        [("one", &one), ("two", &two)].map(|(login, of)| of.url("").replace("//", &format!("//{login}:canary@")));
    let [by_one, by_two] = urls.each_ref().map(|url| proxy(url));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let hosts = asked.clone();
    let session = Session::builder()
        .resolve_to("direct.test", direct.addr)
        .choose_proxy(move |url| {
            hosts.lock().unwrap().push(url.host().to_owned());
            Ok(match url.host() {
                "one.test" => ProxyChoice::from(&by_one),
                "two.test" => ProxyChoice::from(&by_two),
                _ => ProxyChoice::direct(),
            })
        })
        .build()
        .unwrap();
    assert_eq!(text(session.get("http://one.test/")), "done");
    assert_eq!(*asked.lock().unwrap(), ["one.test", "direct.test", "two.test"]);
    let login = |server: &Server| header(&server.seen.requests()[0], "Proxy-Authorization").map(str::to_owned);
    assert_eq!(login(&one), Some(basic("one", "canary")));
    assert_eq!(login(&direct), None);
    assert_eq!(login(&two), Some(basic("two", "canary")));
    // The same by rules: there and back to one proxy.
    let back = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", "http://back.test/");
    let direct = Server::new(vec![answers(back)]);
    let to = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", direct.url("/"));
    let home = origin("done");
    let relay = Relay::refusing(home.addr, move |head| {
        head.starts_with("GET http://one.test/").then(|| to.clone().into_bytes())
    });
    let vars = [("http_proxy", relay.with_login("u:canary")), ("no_proxy", "127.0.0.1".to_owned())];
    let session = Session::builder().proxy_rules(ProxyRules::from_vars(vars).unwrap()).build().unwrap();
    session.get("http://one.test/").send().unwrap();
    let heads = relay.log.heads();
    let expected = Some(basic("u", "canary"));
    assert!(heads.iter().all(|head| header(head, "Proxy-Authorization") == expected.as_deref()), "{heads:?}");
    assert_eq!(heads.len(), 2);
    assert_eq!(header(&direct.seen.requests()[0], "Proxy-Authorization"), None);
}

/// The next way is tried if nobody can be reached, and the error tells of each.
#[test]
fn lists() {
    let (_one, refusing_one) = refusing();
    let (_two, refusing_two) = refusing();
    let [dead, dead_too] = [refusing_one, refusing_two].map(|addr| proxy(&format!("http://u:canary@{addr}")));
    let home = origin("hello");
    let relay = Relay::new(home.addr);
    let alive = proxy(&relay.url());
    let unknown = proxy("http://proxy.invalid:1");
    let get = |choice: ProxyChoice| hostpool::get(THERE).choose_proxy(move |_| Ok(choice.clone()));
    for tunnel in [false, true] {
        let alive = alive.clone().tunnel_http(tunnel);
        let lists = [
            ProxyChoice::from(&alive).or(dead.clone()),
            ProxyChoice::from(&dead).or(alive.clone()),
            ProxyChoice::from_iter([&dead, &unknown, &dead_too, &alive].map(|proxy| proxy.clone().tunnel_http(tunnel))),
            ProxyChoice::direct().or(alive.clone()),
            ProxyChoice::from(&dead).or_direct().or(alive.clone()),
        ];
        for choice in lists {
            let shown = choice.to_string();
            assert_eq!(text(get(choice).resolve_to("named.test", refusing_two)), "hello", "{shown}");
        }
    }
    let server = origin("direct");
    let last = get(ProxyChoice::from(&dead).or_direct()).resolve_to("named.test", server.addr);
    // The override gives the port, too.
    assert_eq!(text(last), "direct");
    let error = get(ProxyChoice::from(&dead).or(unknown).or(dead_too)).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Connect, Phase::Proxy));
    let failed: Vec<_> = error.failed_ways().iter().map(|error| (error.kind(), error.phase())).collect();
    assert_eq!(failed, [(&ErrorKind::Connect, Phase::Proxy), (&ErrorKind::Resolve, Phase::Proxy)]);
    assert!(!error.maybe_processed() && error.is_connect());
    let shown = format!("{error} {error:?} {error:#?} {}", chain(&error));
    assert!(shown.contains(&format!("after http://{refusing_one}: no connection could be opened; ")), "{shown}");
    assert!(shown.contains("http://proxy.invalid:1: the name lookup failed"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    // A Retry begins with the first way again.
    let pools = PoolManager::builder().retries(Retry::new(1)).build().unwrap();
    let (asked, first) = (Arc::new(AtomicUsize::new(0)), dead.clone());
    let count = asked.clone();
    let error = pools
        .get(THERE)
        .choose_proxy(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(ProxyChoice::from(&first).or(first.clone()))
        })
        .send()
        .unwrap_err();
    assert_eq!((error.retries().len(), error.failed_ways().len(), asked.load(Ordering::SeqCst)), (2, 1, 2));
}

/// A proxy that answers has been reached: no other one is asked, whatever the answer is.
#[test]
fn answers_end_a_list() {
    let cases = [
        ("407", true, "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"),
        ("502", true, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
        ("503", true, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
        ("garbage", true, "<html>\r\n\r\n"),
        ("a part of a head", true, "HTTP/1.1 200 OK\r\nVia: x"),
        ("502 of a forwarded request", false, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
        ("407 of a forwarded request", false, "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"),
        ("a forwarded request without an answer", false, ""),
    ];
    for (row, tunnel, response) in cases {
        let (first, second) = (Server::new(vec![answer(response)]), origin("second"));
        let choice = ProxyChoice::from_iter([&first, &second].map(|of| proxy(&of.url("")).tunnel_http(tunnel)));
        let result = hostpool::post(THERE).data("x").choose_proxy(move |_| Ok(choice.clone())).send();
        match result {
            Ok(response) => assert!(!tunnel && response.status().as_u16() >= 400, "{row}"),
            Err(error) => assert!(error.failed_ways().is_empty() && error.maybe_processed() != tunnel, "{row}"),
        }
        assert_eq!((first.seen.accepted(), second.seen.accepted()), (1, 0), "{row}");
    }
    // A proxy that accepts and says nothing at all is none.
    let home = origin("second");
    let (first, second) = (Server::new(vec![vec![Step::Request]]), Relay::new(home.addr));
    let choice = ProxyChoice::from(proxy(&first.url("")).tunnel_http(true)).or(proxy(&second.url()));
    assert_eq!(text(hostpool::get(THERE).choose_proxy(move |_| Ok(choice.clone()))), "second");
    // An answer after a failure has both.
    let (_socket, nobody) = refusing();
    let refuses = Server::new(vec![answer("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")]);
    let choice = ProxyChoice::from(proxy(&format!("http://{nobody}"))).or(proxy(&refuses.url("")).tunnel_http(true));
    let error = hostpool::get(THERE).choose_proxy(move |_| Ok(choice.clone())).send().unwrap_err();
    assert_eq!((error.status().unwrap().as_u16(), error.failed_ways().len()), (403, 1));
}

/// The bound on connecting is for each way, and the total deadline for all.
#[test]
fn lists_and_time() {
    let silent = || Server::new(vec![vec![Step::Request, Step::UntilClosed]]);
    let home = origin("second");
    let (first, second) = (silent(), Relay::new(home.addr));
    let by_first = proxy(&first.url("")).tunnel_http(true);
    let choice = ProxyChoice::from(&by_first).or(proxy(&second.url()));
    let get = move |timeout: Timeout| {
        let choice = choice.clone();
        hostpool::get(THERE).timeout(timeout).choose_proxy(move |_| Ok(choice.clone()))
    };
    let short = get.clone();
    let answer = without_hanging(move || text(short(Timeout::new().connect(Duration::from_millis(50)))));
    assert_eq!(answer, "second");
    let error = without_hanging(move || get(Timeout::from(Duration::from_millis(50))).send()).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Total), Phase::Proxy));
    assert!(error.failed_ways().is_empty());
    // The total deadline passes at the second way.
    let (_socket, nobody) = refusing();
    let choice = ProxyChoice::from(proxy(&format!("http://{nobody}"))).or(by_first);
    let request = hostpool::get(THERE).timeout(Duration::from_millis(50)).choose_proxy(move |_| Ok(choice.clone()));
    let error = without_hanging(move || request.send()).unwrap_err();
    assert_eq!((error.kind(), error.failed_ways().len()), (&ErrorKind::Timeout(Bound::Total), 1));
}

/// The answer to a challenge goes the way of the challenge: to no other proxy of a function that deals them out in turn, and
/// not to the first one of a list again. A proxy that refuses the answer is not asked for ever.
#[cfg(feature = "digest-auth")]
#[test]
fn challenges() {
    let asks = "HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\"\r\nContent-Length: 0\r\n\r\n";
    let refuses = || Server::new(vec![answers(asks)]);
    let accepts = || Server::new(vec![[answer(asks), answers(ok("let in"))].concat()]);
    let digest = |of: &Server| proxy(&of.url("")).auth(hostpool::DigestAuth::new("u", "p"));
    let turn = |servers: [&Server; 2]| {
        let (proxies, asked) = (servers.map(digest), AtomicUsize::new(0));
        move |_: &Url| Ok(ProxyChoice::from(&proxies[asked.fetch_add(1, Ordering::SeqCst) % 2]))
    };
    let servers = [accepts(), accepts()];
    let session = Session::builder().choose_proxy(turn(servers.each_ref())).build().unwrap();
    for _ in 0..2 {
        assert_eq!(text(session.get(THERE)), "let in");
    }
    assert_eq!(servers.each_ref().map(|server| server.seen.requests().len()), [2, 2]);
    let servers = [refuses(), refuses()];
    let request = hostpool::get(THERE).choose_proxy(turn(servers.each_ref()));
    assert_eq!(without_hanging(move || request.send()).unwrap().status(), 407);
    assert_eq!(servers.each_ref().map(|server| server.seen.requests().len()), [2, 0]);
    let (_socket, nobody) = refusing();
    for (last, status) in [(accepts(), 200), (refuses(), 407)] {
        let choice = ProxyChoice::from(proxy(&format!("http://{nobody}"))).or(digest(&last));
        let request = Session::new().get(THERE).choose_proxy(move |_| Ok(choice.clone()));
        assert_eq!(without_hanging(move || request.send()).unwrap().status(), status);
        assert_eq!(last.seen.requests().len(), 2);
    }
}

/// A proxy that has sent a challenge has answered, also if it takes no second connection.
#[cfg(feature = "digest-auth")]
#[test]
fn a_challenge_ends_a_list() {
    let asks = "HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\"\r\n";
    let closes = answer(format!("{asks}Connection: close\r\nContent-Length: 0\r\n\r\n"));
    let stays = answer(format!("{asks}Content-Length: 0\r\n\r\n"));
    for scripts in
        [vec![closes.clone(), vec![Step::Request]], vec![closes, vec![]], vec![[stays, vec![Step::Request]].concat()]]
    {
        let (first, second, server) = (Server::new(scripts), origin("second"), origin("direct"));
        let digest = proxy(&first.url("")).auth(hostpool::DigestAuth::new("u", "p")).tunnel_http(true);
        let choice = ProxyChoice::from(&digest).or_direct().or(proxy(&second.url("")));
        let request = hostpool::get(THERE).resolve_to("named.test", server.addr);
        let error = request.choose_proxy(move |_| Ok(choice.clone())).send().unwrap_err();
        assert_eq!((error.phase(), error.failed_ways().len()), (Phase::Proxy, 0), "{error}");
        assert_eq!((second.seen.accepted(), server.seen.accepted()), (0, 0), "{error}");
    }
}

/// What a filter says about the server holds for the whole list. What it says about a proxy is about that way alone.
#[test]
fn refused_addresses() {
    let home = origin("hello");
    let relay = Relay::new(home.addr);
    let [by_relay, far] = [proxy(&relay.url()), proxy("http://192.0.2.1:1")];
    let pools = |choice: ProxyChoice| {
        let builder = PoolManager::builder().address_filter(|address| address.ip().is_loopback());
        let builder = builder.resolve_to("named.test", std::net::SocketAddr::from(([192, 0, 2, 2], 80)));
        builder.choose_proxy(move |_| Ok(choice.clone())).build().unwrap()
    };
    let direct = pools(ProxyChoice::direct().or(by_relay.clone()));
    for error in [direct.get(THERE).send().unwrap_err(), direct.connect(THERE).unwrap_err()] {
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::AddressRefused, Phase::Resolve));
        assert!(error.failed_ways().is_empty() && relay.log.accepted() == 0, "{error}");
    }
    // The same where this machine finds the address for a SOCKS proxy, and where the URL has it.
    let by_socks = pools(ProxyChoice::from(proxy("socks5://127.0.0.1:1")).or(by_relay.clone()));
    let by_address = pools(ProxyChoice::from(&by_relay).or(by_relay.clone()));
    for request in [by_socks.get(THERE), by_address.get("http://192.0.2.2/")] {
        assert_eq!(request.send().unwrap_err().kind(), &ErrorKind::AddressRefused);
    }
    assert_eq!(relay.log.accepted(), 0);
    let by_far = pools(ProxyChoice::from(&far).or(by_relay));
    assert_eq!(text(by_far.get(THERE)), "hello");
    assert!(by_far.connect(THERE).is_ok());
}

/// Names that only a proxy would look up are refused on each way that has a proxy.
#[test]
fn refused_names() {
    let (_socket, nobody) = refusing();
    let home = origin("hello");
    let relay = Relay::new(home.addr);
    let by_relay = proxy(&relay.url());
    for (choice, failed) in
        [(ProxyChoice::direct().or(by_relay.clone()), 1), (ProxyChoice::from(&by_relay).or_direct(), 0)]
    {
        let builder = PoolManager::builder().resolve_to("named.test", nobody).refuse_remote_names(true);
        let pools = builder.choose_proxy(move |_| Ok(choice.clone())).build().unwrap();
        for error in [pools.get(THERE).send().unwrap_err(), pools.connect(THERE).unwrap_err()] {
            assert_eq!((error.kind(), error.failed_ways().len()), (&ErrorKind::AddressRefused, failed), "{error}");
        }
    }
    assert_eq!(relay.log.accepted(), 0);
}

/// A CONNECT by hand and a request for another protocol go the ways of a list as well, through tunnels of all of them.
#[test]
fn upgrades_by_a_list() {
    let (_socket, nobody) = refusing();
    let home = Server::new(vec![answer("HTTP/1.1 101 x\r\nUpgrade: tcp\r\n\r\nraw")]);
    let relay = Relay::new(home.addr);
    let choice = ProxyChoice::from(proxy(&format!("http://{nobody}"))).or(proxy(&relay.url()));
    let session = Session::builder().choose_proxy(move |_| Ok(choice.clone())).build().unwrap();
    let upgraded = session.get(THERE).upgrade_to("tcp").send().unwrap().upgrade().unwrap();
    assert_eq!(upgraded.connection().tunnel.as_ref().unwrap().status(), 200);
    let by_hand = session.request(hostpool::Method::CONNECT, THERE).send().unwrap();
    assert_eq!(by_hand.status(), 200);
    let heads = relay.log.heads();
    assert!(heads.len() == 2 && heads.iter().all(|head| head.starts_with("CONNECT named.test:80 ")), "{heads:?}");
}

/// A server that a choice leads to directly does not see what the caller has given for the proxy.
#[test]
fn what_is_for_the_proxy() {
    let server = origin("hello");
    let login = |with: &dyn Fn(RequestBuilder) -> RequestBuilder| {
        let before = server.seen.requests().len();
        let request = hostpool::get(server.url("/")).header("Proxy-Authorization", "Basic canary");
        assert_eq!(text(with(request)), "hello");
        header(&server.seen.requests()[before], "Proxy-Authorization").map(str::to_owned)
    };
    let rules = || ProxyRules::new().all("http://127.0.0.1:1").unwrap().no_proxy("127.0.0.1");
    let (_socket, nobody) = refusing();
    let list = ProxyChoice::from(proxy(&format!("http://{nobody}"))).or_direct();
    assert_eq!(login(&|request| request.proxy_rules(rules())), None);
    let list = move |_: &Url| Ok(list.clone());
    assert_eq!(login(&|request| request.choose_proxy(list.clone())), None);
    // By a default of the client, too.
    let builder = Session::builder().proxy_rules(rules()).header("Proxy-Authorization", "Basic canary");
    let before = server.seen.requests().len();
    assert_eq!(text(builder.build().unwrap().get(server.url("/"))), "hello");
    assert_eq!(header(&server.seen.requests()[before], "Proxy-Authorization"), None);
    // The server may be a proxy that the caller speaks to as one.
    assert_eq!(login(&|request| request).as_deref(), Some("Basic canary"));
    assert_eq!(login(&|request| request.no_proxy()).as_deref(), Some("Basic canary"));
}

/// A connection that is taken for later use goes the same ways.
#[test]
fn connections_without_a_request() {
    let (_socket, nobody) = refusing();
    let home = origin("hello");
    let relay = Relay::new(home.addr);
    let choice = ProxyChoice::from(proxy(&format!("http://{nobody}"))).or(proxy(&relay.url()));
    let pools = PoolManager::builder().choose_proxy(move |_| Ok(choice.clone())).build().unwrap();
    let connection = pools.connect(THERE).unwrap();
    drop(connection);
    assert!(relay.log.heads()[0].starts_with("CONNECT named.test:80 "));
}

/// A cancelled call tries no other way.
#[test]
fn a_cancelled_list() {
    let first = Server::new(vec![vec![Step::Request, Step::Tell("asked"), Step::UntilClosed]]);
    let second = origin("second");
    let choice = ProxyChoice::from(proxy(&first.url("")).tunnel_http(true)).or(proxy(&second.url("")));
    let token = CancelToken::new();
    let request = hostpool::get(THERE).cancel_with(&token).choose_proxy(move |_| Ok(choice.clone()));
    let call = std::thread::spawn(move || request.send());
    first.wait_for("asked");
    token.cancel();
    assert!(call.join().unwrap().unwrap_err().is_cancelled());
    assert_eq!(second.seen.accepted(), 0);
}

/// A body that cannot be read twice goes whole through the second proxy, because the first has got nothing of it.
#[test]
fn bodies_of_a_list() {
    let (_socket, nobody) = refusing();
    let second = origin("second");
    let choice = ProxyChoice::from(proxy(&format!("http://{nobody}"))).or(proxy(&second.url("")));
    let body = Body::reader(std::io::Read::chain(&b"first "[..], &b"second"[..]));
    let request = hostpool::post(THERE).data(body).choose_proxy(move |_| Ok(choice.clone()));
    assert_eq!(text(request), "second");
    assert!(second.seen.requests()[0].contains("first "), "{:?}", second.seen.requests());
    assert!(second.seen.requests()[0].contains("second"));
}

/// A function that fails or panics costs no slot, and nothing is sent.
#[test]
fn functions_that_fail() {
    let server = origin("hello");
    let session = Session::builder().limit(1).total_limit(1).pool_timeout(Duration::ZERO).build().unwrap();
    let url = server.url("/");
    let with = |choose: fn(&Url) -> hostpool::Result<ProxyChoice>| session.get(&url).choose_proxy(choose);
    for _ in 0..3 {
        let error = with(|_| Err(Error::custom("no proxy today"))).send().unwrap_err();
        assert_eq!((error.kind(), error.to_string().contains("no proxy today")), (&ErrorKind::Custom, true), "{error}");
        let error = with(|_| Ok(ProxyChoice::from_iter([] as [Proxy; 0]))).send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidConfig);
        let panics = with(|_| panic!("expected"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panics.send())).is_err());
        assert_eq!(text(session.get(&url)), "hello");
    }
    // On a thread of the client it is an error, as a panic of a hook is.
    let error = session.submit(with(|_| panic!("expected"))).wait().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Panicked);
    assert_eq!((session.connector().unwrap().stats().in_use, server.seen.accepted()), (0, 1));
    // In the second hop, after the response of the first.
    let server = Server::new(vec![answers("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")]);
    let chosen = |url: &Url| if url.path() == "/b" { panic!("expected") } else { Ok(ProxyChoice::direct()) };
    let request = session.get(server.url("/a")).choose_proxy(chosen);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| request.send())).is_err());
    assert_eq!(session.connector().unwrap().stats().in_use, 0);
}

/// U1: nothing is asked about a Unix socket.
#[cfg(unix)]
#[test]
fn unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = crate::support::read_head(&mut stream);
            let _ = std::io::Write::write_all(&mut stream, &ok("socket"));
        }
    });
    let url = Url::unix(&path, "/").unwrap();
    let rules = ProxyRules::new().all("http://127.0.0.1:1").unwrap();
    assert_eq!(text(hostpool::get(&url).proxy_rules(rules)), "socket");
    assert_eq!(text(hostpool::get(&url).choose_proxy(|_| panic!("it is asked"))), "socket");
}

/// A dialer knows of no proxy, so rules beside it are refused as a proxy is.
#[test]
fn dialers() {
    let builder = || PoolManager::builder().dialer(hostpool::TcpDialer::new());
    assert!(builder().proxy_rules(ProxyRules::new()).build().is_err());
    assert!(builder().choose_proxy(|_| Ok(ProxyChoice::direct())).build().is_err());
    assert!(builder().no_proxy().build().is_ok());
    let context = || hostpool::PoolContext::new(THERE).unwrap().dialer(hostpool::TcpDialer::new());
    let of_connector = hostpool::ProxyConnector::new("http://proxy.test").unwrap();
    for pools in [
        PoolManager::builder().proxy("http://proxy.test").build().unwrap(),
        PoolManager::builder().proxy_rules(ProxyRules::new()).build().unwrap(),
        PoolManager::from(&of_connector),
    ] {
        let error = pools.connection_from_context(context()).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("knows of no proxy"), "{error}");
    }
    assert!(PoolManager::builder().no_proxy().build().unwrap().connection_from_context(context()).is_ok());
}

// The environment belongs to the process: each row is a child of its own.

const SERVER: &str = "HOSTPOOL_TEST_SERVER";

/// Runs one ignored test of this binary with these variables, and none else about proxies.
fn child(test: &str, vars: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("choosing::{test}"), "--ignored", "--nocapture"]).stdout(Stdio::null());
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_ascii_uppercase());
    }
    command.env_remove("REQUEST_METHOD").envs(vars.iter().copied());
    assert!(command.status().unwrap().success(), "{test} with {vars:?}");
}

#[test]
fn the_environment() {
    let [server, of_variable, of_code] = [origin("server"), origin("environment"), origin("code")];
    let vars = [
        (SERVER, &*server.addr.to_string()),
        ("CODE", &of_code.url("")),
        ("HTTP_PROXY", &of_variable.addr.to_string()),
        ("no_proxy", "direct.test"),
    ];
    child("by_the_environment", &vars);
    // CGI.
    child("not_by_the_environment", &[&vars[..], &[("REQUEST_METHOD", "GET")]].concat());
    child("not_by_the_environment", &[vars[0], ("HTTP_PROXY", ""), ("http_proxy", " ")]);
    child("with_a_bad_variable", &[("HTTPS_PROXY", "ftp://u:canary@h")]);
}

fn server() -> Option<std::net::SocketAddr> {
    // Nothing where somebody runs all ignored tests.
    std::env::var(SERVER).ok().map(|addr| addr.parse().unwrap())
}

#[test]
#[ignore = "a child of the_environment"]
fn by_the_environment() {
    let Some(server) = server() else { return };
    let code = std::env::var("CODE").unwrap();
    let builder = || {
        let known = Session::builder().resolve_to("named.test", server);
        known.resolve_to("direct.test", server).resolve_to("localhost", server)
    };
    let pools = |trust| PoolManager::builder().resolve_to("named.test", server).trust_env(trust);
    let get = |session: hostpool::Result<Session>| text(session.unwrap().get(THERE));
    let session = builder().trust_env(true).build().unwrap();
    let rules = ProxyRules::from_env().unwrap();
    let over = |pools: hostpool::PoolManagerBuilder, trust| {
        get(Session::builder().connector(pools.build().unwrap()).trust_env(trust).build())
    };
    let table = [
        ("not asked", "server", get(builder().build())),
        ("not asked by a free function", "server", text(hostpool::get(THERE).resolve_to("named.test", server))),
        ("asked, and not", "server", get(builder().trust_env(true).trust_env(false).build())),
        ("asked", "environment", text(session.get(THERE))),
        ("NO_PROXY", "server", text(session.get("http://a.direct.test/").resolve_to("a.direct.test", server))),
        ("loopback", "server", text(session.get("http://localhost/"))),
        ("no proxy of the request", "server", text(session.get(THERE).no_proxy())),
        ("a proxy of the request", "code", text(session.get(THERE).proxy(&*code))),
        ("no proxy of the client", "server", get(builder().no_proxy().trust_env(true).build())),
        ("a proxy of the client", "code", get(builder().trust_env(true).proxy(&*code).build())),
        ("and before it", "code", get(builder().proxy(&*code).trust_env(true).build())),
        ("rules of the client", "server", get(builder().trust_env(true).proxy_rules(ProxyRules::new()).build())),
        ("a function", "server", get(builder().trust_env(true).choose_proxy(|_| Ok(ProxyChoice::direct())).build())),
        ("a manager", "environment", text(pools(true).build().unwrap().get(THERE))),
        ("its sessions", "environment", over(pools(true), false)),
        ("a session over pools", "environment", over(pools(false), true)),
        ("over pools without a proxy", "server", over(pools(false).no_proxy(), true)),
        ("over pools with a proxy", "code", over(pools(false).proxy(&*code), true)),
        ("rules of a request", "environment", text(hostpool::get(THERE).proxy_rules(rules.clone()))),
        ("loopback of a request", "environment", {
            text(hostpool::get("http://localhost/").proxy_rules(rules.proxy_loopback(true)))
        }),
    ];
    for (row, expected, found) in table {
        assert_eq!(found, expected, "{row}");
    }
    let pool = ConnectionPool::builder(THERE).trust_env(true).build().unwrap();
    assert_eq!(text(pool.get("/")), "environment");
    by_connectors(&code, server);
}

/// The environment, and connectors: their own, those of sessions, those of requests, and those that know of no proxy.
fn by_connectors(code: &str, server: std::net::SocketAddr) {
    let tcp = |trust| hostpool::TcpConnector::builder().resolve_to("named.test", server).trust_env(trust);
    let over = |connector: &hostpool::TcpConnector, trust| {
        text(Session::builder().connector(connector).trust_env(trust).build().unwrap().get(THERE))
    };
    let trusting = tcp(true).build().unwrap();
    let with_proxy = PoolManager::builder().proxy(code).build().unwrap();
    let of_no_proxy = PoolManager::builder().no_proxy().resolve_to("named.test", server).build().unwrap();
    let session = Session::builder().trust_env(true).build().unwrap();
    let table = [
        ("a connector", "environment", over(&trusting, false)),
        ("a connector of a request", "environment", text(hostpool::get(THERE).connector(&trusting))),
        ("without it", "server", over(&tcp(false).build().unwrap(), false)),
        ("a session over it", "environment", over(&tcp(false).build().unwrap(), true)),
        ("without a proxy", "server", over(&tcp(true).no_proxy().build().unwrap(), true)),
        ("a request over pools with a proxy", "code", text(session.get(THERE).connector(&with_proxy))),
        ("over pools without one", "server", text(session.get(THERE).connector(&of_no_proxy))),
        ("over pools that do not say", "environment", text(session.get(THERE).connector(&PoolManager::new()))),
        ("and its own word", "server", text(session.get(THERE).no_proxy().connector(&of_no_proxy))),
    ];
    for (row, expected, found) in table {
        assert_eq!(found, expected, "{row}");
    }
    // Pools that reach no proxy.
    let dialer = || hostpool::TcpDialer::new().resolve_to("named.test", server).unwrap();
    let dialing = PoolManager::builder().dialer(dialer()).trust_env(true).build().unwrap();
    assert_eq!(text(dialing.get(THERE)), "server");
    assert_eq!(text(session.get(THERE).connector(&dialing)), "server");
    assert_eq!(
        text(Session::builder().connector(dialing.clone()).trust_env(true).build().unwrap().get(THERE)),
        "server"
    );
    assert_eq!(
        text(ConnectionPool::builder(THERE).dialer(dialer()).trust_env(true).build().unwrap().get("/")),
        "server"
    );
    let context = hostpool::PoolContext::new(THERE).unwrap().dialer(dialer());
    let pools = PoolManager::builder().trust_env(true).build().unwrap();
    assert_eq!(text(pools.connection_from_context(context).unwrap().get("/")), "server");
    #[cfg(unix)]
    {
        let connector = hostpool::UnixConnector::new("/run/a.sock").unwrap();
        let session = Session::builder().connector(&connector).trust_env(true).build().unwrap();
        assert!(session.proxy_for(THERE).unwrap().is_direct());
    }
}

#[test]
#[ignore = "a child of the_environment"]
fn not_by_the_environment() {
    let Some(server) = server() else { return };
    let session = Session::builder().trust_env(true).resolve_to("named.test", server).build().unwrap();
    assert_eq!(text(session.get(THERE)), "server");
}

#[test]
#[ignore = "a child of the_environment"]
fn with_a_bad_variable() {
    if std::env::var("HTTPS_PROXY").is_err() {
        return;
    }
    let expected = "invalid configuration: HTTPS_PROXY is not the URL of a proxy: the scheme of a proxy is http, https, \
                    socks4, socks4a, socks5 or socks5h, not ftp";
    let errors = [
        Session::builder().trust_env(true).build().err(),
        PoolManager::builder().trust_env(true).build().err(),
        ConnectionPool::builder("https://named.test").trust_env(true).build().err(),
        ProxyRules::from_env().err(),
    ];
    for error in errors {
        let error = error.unwrap();
        assert_eq!((error.kind(), &*error.to_string()), (&ErrorKind::InvalidConfig, expected));
        assert!(!format!("{error:?}").contains("canary"));
    }
    // Who does not need the variable, or has said something else, is not bothered.
    #[cfg(unix)]
    assert!(Session::builder().trust_env(true).unix_socket("/run/a.sock").build().is_ok());
    assert!(ConnectionPool::builder("http://named.test").trust_env(true).build().is_ok());
    assert!(Session::builder().trust_env(true).no_proxy().build().is_ok());
    assert!(Session::builder().build().is_ok());
}

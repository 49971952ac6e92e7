//! The builder that all clients share: what each of them does with the same setting.

use std::time::Duration;

use hostpool::{
    ConnectionPool, ErrorKind, Headers, Netrc, PoolContext, PoolManager, Session, SessionBuilder, SocketOption,
    TcpDialer, TlsConfig, Url, Version,
};

use crate::support::{Server, answers, ok};
use crate::values;

/// A session with a connector takes no setting of connections; the error names both.
#[test]
fn a_connector_has_its_own_settings() {
    struct Nobody;
    impl hostpool::Listener for Nobody {}
    let second = Duration::from_secs(1);
    type Set = Box<dyn Fn(SessionBuilder) -> SessionBuilder>;
    let table: [(&str, Set); 17] = [
        ("maxsize", Box::new(|session| session.maxsize(1))),
        ("block", Box::new(|session| session.block(false))),
        ("limit", Box::new(|session| session.limit(1))),
        ("total_limit", Box::new(|session| session.total_limit(1))),
        ("pool_timeout", Box::new(move |session| session.pool_timeout(second))),
        ("max_idle", Box::new(|session| session.max_idle(None))),
        ("idle_timeout", Box::new(move |session| session.idle_timeout(second))),
        ("max_age", Box::new(move |session| session.max_age(second))),
        ("probe_after", Box::new(move |session| session.probe_after(second))),
        ("tls", Box::new(|session| session.tls(TlsConfig::default()))),
        ("source_address", Box::new(|session| session.source_address(std::net::Ipv4Addr::LOCALHOST))),
        ("socket_options", Box::new(|session| session.socket_options([SocketOption::NoDelay(true)]))),
        ("dialer", Box::new(|session| session.dialer(TcpDialer::new()))),
        ("listener", Box::new(|session| session.listener(Nobody))),
        ("reaper", Box::new(move |session| session.reaper(second))),
        ("num_pools", Box::new(|session| session.num_pools(3))),
        ("fork_guard", Box::new(|session| session.fork_guard(true))),
    ];
    for (setting, set) in table {
        assert!(set(Session::builder()).build().is_ok(), "{setting}");
        let error = set(Session::builder().connector(PoolManager::new())).build().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidConfig), "{setting}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(setting) && text.contains("connector"), "{setting}: {text}");
    }
}

/// The limits of a session are those of its own connections.
#[test]
fn a_session_with_limits() {
    let server = Server::with(|_| answers(ok("there")));
    let session = Session::builder().limit(1).pool_timeout(Duration::ZERO).build().unwrap();
    let held = session.get(server.url("/")).send().unwrap();
    let error = session.get(server.url("/")).send().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::PoolTimeout { .. }), "{error}");
    drop(held.text());
    session.get(server.url("/")).send().unwrap();
    let dialed = Session::builder().dialer(TcpDialer::new()).build().unwrap();
    assert_eq!(dialed.get(server.url("/")).send().unwrap().text().unwrap(), "there");
}

/// `headers` of a pool is urllib3's: all or nothing. `header` is for every request, on every client.
#[test]
fn headers_of_each_client() {
    let server = Server::with(|_| answers(ok("there")));
    let url = server.url("/");
    let block = || {
        let mut headers = Headers::new();
        headers.append("X-Block", "1").unwrap();
        headers.append("X-Both", "of the block").unwrap();
        headers
    };
    let pool =
        ConnectionPool::builder(&url).headers(block()).header("X-All", "1").header("X-Both", "2").build().unwrap();
    let manager = PoolManager::builder().headers(block()).header("X-All", "1").header("X-Both", "2").build().unwrap();
    let part = manager.connection_from_url(&url).unwrap();
    let other = manager.connection_from_context(PoolContext::new(&url).unwrap().headers(block())).unwrap();
    let session = Session::builder().headers(block()).header("X-All", "1").header("X-Both", "2").build().unwrap();
    let sent = |request: hostpool::RequestBuilder| {
        request.send().unwrap();
        let request = server.seen.requests().pop().unwrap();
        ["X-Block", "X-All", "X-Both", "X-Own"].map(|name| values(&request, name).join(","))
    };
    let table = [
        ("pool", pool.get("/"), ["1", "1", "2"]),
        ("manager", manager.get(&url), ["1", "1", "2"]),
        ("its pool", part.get("/"), ["1", "1", "2"]),
        ("its context", other.get("/"), ["1", "1", "2"]),
        ("session", session.get(&url), ["1", "1", "of the block,2"]),
    ];
    for (client, request, [block, all, both]) in table {
        let again = request.try_clone().unwrap();
        assert_eq!(sent(request), [block, all, both, ""], "{client}: no header of its own");
        let range = again.try_clone().unwrap().range(1..).user_agent("me").range(2..);
        assert_eq!(sent(range), [block, all, both, ""], "{client}: a range is no header of its own");
        let block = if client == "session" { block } else { "" };
        assert_eq!(sent(again.header("X-Own", "1")), [block, all, both, "1"], "{client}: a header of its own");
    }
    let own = pool.get("/").header("x-all", "own");
    assert_eq!(sent(own)[1], "own");
}

/// A pool takes credentials, and they are for its host.
#[test]
fn credentials_of_a_pool() {
    let server = Server::with(|_| answers(ok("there")));
    let pool = ConnectionPool::builder(server.url("/")).auth(("u", "p")).build().unwrap();
    pool.get("/").send().unwrap();
    assert_eq!(values(&server.seen.requests().pop().unwrap(), "Authorization"), ["Basic dTpw"]);
    let twice = ConnectionPool::builder(server.url("/")).auth(("u", "p")).header("Authorization", "x").build();
    assert!(matches!(twice.unwrap_err().kind(), ErrorKind::InvalidConfig));
}

/// Every text and URL type names the host of a pool, and the target of its requests.
#[test]
fn urls_of_pools() {
    let server = Server::with(|_| answers(ok("there")));
    let text = server.url("");
    let url = Url::parse(&text).unwrap();
    let pool = ConnectionPool::builder(&url).build().unwrap();
    assert_eq!(pool.origin(), ConnectionPool::builder(text.clone()).build().unwrap().origin());
    assert!(
        pool.is_same_host(&url) && pool.is_same_host("/x") && pool.is_same_host(text.trim_start_matches("http://"))
    );
    for request in [pool.get("/items"), pool.get(String::from("/items")), pool.get(url.join("/items").unwrap())] {
        request.send().unwrap();
        assert!(server.seen.requests().pop().unwrap().starts_with("GET /items HTTP/1.1\r\n"));
    }
}

/// A builder can be the start of several clients. An error of a setter is the error of each.
#[test]
fn clones() {
    let builder = Session::builder().header("X-A", "1");
    assert!(builder.clone().build().is_ok() && builder.clone().limit(3).build().is_ok());
    let wrong = builder.header("a b", "1");
    for builder in [wrong.clone(), wrong] {
        assert!(matches!(builder.build().unwrap_err().kind(), ErrorKind::InvalidHeader(_)));
    }
    let pool = ConnectionPool::builder("http://[");
    assert!(matches!(pool.clone().build().unwrap_err().kind(), ErrorKind::InvalidUrl(_)));
}

/// The credentials of a manager are those of the pools that it gives out, unless the URL of the pool has a login.
#[test]
fn credentials_of_a_manager() {
    let server = Server::with(|_| answers(ok("there")));
    let manager = PoolManager::builder().auth(("u", "p")).build().unwrap();
    let own = server.url("/").replace("http://", "http://me:own@");
    let pools = [(server.url("/"), "Basic dTpw"), (own, "Basic bWU6b3du")];
    for (url, expected) in pools {
        manager.connection_from_url(&url).unwrap().get("/").send().unwrap();
        assert_eq!(values(&server.seen.requests().pop().unwrap(), "Authorization"), [expected], "{url}");
    }
}

/// A login of a netrc file does not replace an Authorization of the client, however it was set.
#[test]
fn netrc_and_a_header_of_the_client() {
    let server = Server::with(|_| answers(ok("there")));
    let netrc = || Netrc::parse("default login u password p").unwrap();
    let by_block = PoolManager::builder().headers([("Authorization", "x")]).netrc(netrc()).build().unwrap();
    let by_header = PoolManager::builder().header("Authorization", "x").netrc(netrc()).build().unwrap();
    let sent = |request: hostpool::RequestBuilder| {
        request.send().unwrap();
        values(&server.seen.requests().pop().unwrap(), "Authorization").join(",")
    };
    let url = server.url("/");
    assert_eq!((sent(by_block.get(&url)), sent(by_header.get(&url))), ("x".into(), "x".into()));
    // A request with a header of its own is sent without the block.
    let own = |pools: &PoolManager| pools.get(&url).header("X-Own", "1");
    assert_eq!((sent(own(&by_block)), sent(own(&by_header))), ("Basic dTpw".into(), "x".into()));
}

/// The error of a builder says what is wrong, however often the builder was cloned.
#[test]
fn what_is_wrong() {
    let text = |builder: SessionBuilder| builder.clone().build().unwrap_err().to_string();
    let builder = Session::builder;
    for (error, words) in [
        (text(builder().base_url("http://h/x")), "the path of a base URL ends in a slash"),
        (text(builder().base_url("localhost:8080")), "write http://localhost:8080"),
        (text(builder().version(Version::HTTP_2)), "only HTTP/1.0 and HTTP/1.1"),
        (text(builder().trust_origins(["http://h/x"])), "an origin is a scheme, a host and a port"),
        (text(builder().skip_auto_headers(["host"])), "cannot be skipped"),
        (text(builder().sensitive_headers(["a b"])), "a byte that names may not have"),
        (text(builder().header("a b", "")), "header name \"a b\""),
    ] {
        assert!(error.contains(words), "{error}: {words}");
    }
}

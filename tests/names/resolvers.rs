//! Resolvers of the caller's own, their caches, and zones of IPv6 addresses.

use super::*;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::{Barrier, Condvar};
use std::thread;
use std::time::Duration;

use hostpool::{
    Bound, CancelToken, ConnectionPool, ErrorKind, Family, Phase, PoolContext, PoolManager, Session, TcpDialer,
    Timeout, resolver_fn,
};
use support::chain;

/// The resolver is asked for each new connection, by the name of the URL. The port of the URL is used unless the
/// resolver gives one. IP addresses are not looked up.
#[test]
fn a_resolver_of_ones_own() {
    let server = closing();
    let book = Book::new([("a.test", vec![without_port(&server)]), ("b.test", vec![server.addr])]);
    let session = Session::builder().resolver(book.clone()).build().unwrap();
    let port = server.addr.port();
    for url in [format!("http://A.test:{port}/"), "http://b.test/".to_owned(), format!("http://a.test:{port}/2")] {
        session.get(&url).send().unwrap().bytes().unwrap();
    }
    session.get(server.url("/")).send().unwrap();
    assert_eq!(book.asked(), ["a.test", "b.test", "a.test"]);
    let with_port = |name| format!("{name}:{port}");
    assert_eq!(hosts(&server), [with_port("a.test"), "b.test".to_owned(), with_port("a.test"), with_port("127.0.0.1")]);
}

/// A connection that is kept alive needs no lookup.
#[test]
fn a_connection_that_is_reused() {
    let server = greeting();
    let book = Book::new([("a.test", vec![server.addr])]);
    let pool = ConnectionPool::builder("http://a.test").resolver(book.clone()).build().unwrap();
    (0..3).for_each(|_| drop(pool.get("/").send().unwrap().text().unwrap()));
    assert_eq!((book.asked().len(), server.seen.accepted()), (1, 1));
}

/// Failures have the kind `Resolve`, and tell a name that does not exist apart from a failure that may be over soon.
#[test]
fn failures() {
    let resolver = resolver_fn(|lookup| match lookup.host() {
        "missing.test" => Err(io::ErrorKind::NotFound.into()),
        "empty.test" => Ok(Vec::new()),
        _ => Err(io::Error::other("the name server is down")),
    });
    let pools = PoolManager::builder().resolver(resolver).build().unwrap();
    for (name, kind, text) in [
        ("missing.test", io::ErrorKind::NotFound, "not found"),
        ("empty.test", io::ErrorKind::NotFound, "no address"),
        ("down.test", io::ErrorKind::Other, "the name server is down"),
    ] {
        for timeout in [Timeout::new(), Timeout::from(Duration::from_secs(20))] {
            let error = pools.get(format!("http://{name}/")).retries(0).timeout(timeout).send().unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Resolve, Phase::Resolve), "{name}");
            assert!(chain(&error).contains(text) && chain(&error).contains(name), "{}", chain(&error));
            let source = std::error::Error::source(&error).unwrap().downcast_ref::<io::Error>().unwrap();
            assert_eq!(source.kind(), kind, "{name}");
        }
    }
}

/// Without a cache each connection looks up. With one, a result is used until it is cleared.
#[test]
fn caches() {
    let server = closing();
    let known = || Book::new([("a.test", vec![server.addr]), ("b.test", vec![server.addr])]);
    let get = |session: &Session, name: &str| session.get(format!("http://{name}/")).send().map(drop);
    for (id, set) in [
        ("off", (|builder| builder) as fn(hostpool::SessionBuilder) -> hostpool::SessionBuilder),
        ("off, said", |builder| builder.use_dns_cache(false)),
        ("off, with a time", |builder| builder.use_dns_cache(false).dns_cache_ttl(None)),
        ("no time", |builder| builder.dns_cache_ttl(Duration::ZERO)),
    ] {
        let book = known();
        let session = set(Session::builder().resolver(book.clone())).build().unwrap();
        (0..3).for_each(|_| get(&session, "a.test").unwrap());
        session.clear_dns_cache();
        assert_eq!((book.asked().len(), session.cached_hosts().len()), (3, 0), "{id}");
    }
    let book = known();
    let pools = PoolManager::builder().resolver(book.clone()).use_dns_cache(true).dns_cache_ttl(None).build().unwrap();
    let session = Session::builder().connector(pools.clone()).build().unwrap();
    let asked = |expected: usize| {
        (0..3).for_each(|_| ["a.test", "b.test"].iter().for_each(|name| get(&session, name).unwrap()));
        assert_eq!(book.asked().len(), expected);
    };
    asked(2);
    let address = vec![server.addr.ip()];
    let cached = [("a.test".to_owned(), address.clone()), ("b.test".to_owned(), address)];
    assert_eq!(session.cached_hosts(), cached.into());
    assert_eq!(pools.cached_hosts(), session.cached_hosts());
    pools.clear_dns_cache_for("A.TEST");
    assert_eq!(session.cached_hosts().into_keys().collect::<Vec<_>>(), ["b.test"]);
    asked(3);
    session.clear_dns_cache_for("unknown.test");
    asked(3);
    session.clear_dns_cache();
    asked(5);
}

/// That there is no such name is kept, and other failures are not.
#[test]
fn what_a_cache_keeps_of_failures() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let resolver = resolver_fn({
        let asked = asked.clone();
        move |lookup| {
            asked.lock().unwrap().push(lookup.host().to_owned());
            match lookup.host() {
                "missing.test" => Err(io::ErrorKind::NotFound.into()),
                _ => Err(io::ErrorKind::TimedOut.into()),
            }
        }
    });
    let pools = PoolManager::builder().resolver(resolver).use_dns_cache(true).build().unwrap();
    for name in ["missing.test", "missing.test", "down.test", "down.test"] {
        let error = pools.get(format!("http://{name}/")).retries(0).send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Resolve);
    }
    let asked = asked.lock().unwrap();
    assert!((1..=2).contains(&asked.iter().filter(|name| *name == "missing.test").count()), "kept for a second");
    assert_eq!(asked.iter().filter(|name| *name == "down.test").count(), 2);
}

/// A thousand callers ask for nine names whose servers do not answer, and each ends by its own bound. A name that is
/// there is found meanwhile, by a caller with more patience.
#[test]
fn a_live_name_behind_dead_ones() {
    let server = greeting();
    let (address, hanging) = (server.addr, Arc::new((Mutex::new(true), Condvar::new())));
    let resolver = resolver_fn({
        let hanging = hanging.clone();
        move |lookup| {
            if lookup.host() != "alive.test" {
                drop(hanging.1.wait_while(hanging.0.lock().unwrap(), |hanging| *hanging).unwrap());
            }
            Ok(vec![address])
        }
    });
    let pools = PoolManager::builder().resolver(resolver).num_pools(None).build().unwrap();
    let calls: Vec<_> = (0..1000)
        .map(|n| {
            let request = pools.get(format!("http://dead{}.test/", n % 9)).retries(0);
            let request = request.timeout(Timeout::new().resolve(Duration::from_millis(500)));
            thread::Builder::new().stack_size(256 * 1024).spawn(move || request.send().unwrap_err()).unwrap()
        })
        .collect();
    let alive = pools.get("http://alive.test/").timeout(support::GIVE_UP);
    assert_eq!(alive.send().unwrap().text().unwrap(), "hello");
    for call in calls {
        let error = call.join().unwrap();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Resolve), Phase::Resolve));
    }
    *hanging.0.lock().unwrap() = false;
    hanging.1.notify_all();
}

/// A token ends the wait for a resolver that hangs.
#[test]
fn a_resolver_that_hangs() {
    let (began, release) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let resolver = resolver_fn({
        let (began, release) = (began.clone(), release.clone());
        move |_| {
            began.wait();
            release.wait();
            Err(io::ErrorKind::NotFound.into())
        }
    });
    let pools = PoolManager::builder().resolver(resolver).build().unwrap();
    let token = CancelToken::new();
    let request = pools.get("http://a.test/").cancel_with(&token);
    let call = thread::spawn(move || request.send().unwrap_err());
    began.wait();
    token.cancel();
    let error = call.join().unwrap();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Cancelled, Phase::Resolve));
    release.wait();
}

/// Only addresses of the family are connected to, wherever they come from.
#[test]
fn families() {
    let server = closing();
    let (v4, port) = (server.addr, server.addr.port());
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let book = Book::new([("both.test", vec![v6, v4]), ("six.test", vec![v6])]);
    let builder = || Session::builder().resolver(book.clone()).resolve_to("given.test", [v6, v4]);
    let session = builder().family(Family::V4).build().unwrap();
    for name in ["both.test", "given.test"] {
        session.get(format!("http://{name}/")).send().unwrap();
    }
    for url in ["http://six.test/", "http://[::1]/"] {
        let error = session.get(url).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Resolve, Phase::Resolve), "{url}");
        assert!(chain(&error).contains("no IPv4 address"), "{}", chain(&error));
    }
    let session = builder().family(Family::V6).build().unwrap();
    for url in ["http://both.test/", "http://given.test/"] {
        // Nothing listens there.
        let error = session.get(url).send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Connect, "{url}");
        assert!(!chain(&error).contains("127.0.0.1"), "{}", chain(&error));
    }
    assert_eq!(session.get(server.url("/")).send().unwrap_err().kind(), &ErrorKind::Resolve);
}

/// Settings of a dialer's own: they are given to the dialer, and work there.
#[test]
fn dialers() {
    let server = closing();
    let book = Book::new([("a.test", vec![without_port(&server)])]);
    let tcp = TcpDialer::new().resolver(book.clone()).family(Family::V4).resolve_to("b.test", server.addr).unwrap();
    let tcp = tcp.connect_stagger(Duration::from_millis(10)).unwrap().address_filter(|address| address.port() != 1);
    let pools = PoolManager::builder().dialer(tcp).build().unwrap();
    pools.get(format!("http://a.test:{}/", server.addr.port())).send().unwrap();
    pools.get("http://b.test/").send().unwrap();
    assert_eq!(book.asked(), ["a.test"]);
    let error = pools.get("http://127.0.0.1:1/").send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::AddressRefused);
    assert!(TcpDialer::new().resolve_to("a/b", Ipv4Addr::LOCALHOST).is_err());
    assert!(TcpDialer::new().connect_stagger(Duration::from_secs(3)).is_err());
}

/// What cannot work is an error of `build`.
#[test]
fn settings_that_contradict() {
    let with_dialer = || PoolManager::builder().dialer(TcpDialer::new());
    let refused = [
        with_dialer().resolver(Book::default()).build(),
        with_dialer().family(Family::V4).build(),
        with_dialer().resolve_to("a.test", Ipv4Addr::LOCALHOST).build(),
        with_dialer().address_filter(|_| true).build(),
        with_dialer().connect_stagger(None).build(),
        with_dialer().use_dns_cache(true).build(),
        with_dialer().dns_cache_ttl(None).build(),
        PoolManager::builder().connect_stagger(Duration::from_millis(9)).build(),
        PoolManager::builder().connect_stagger(Duration::from_millis(2001)).build(),
        PoolManager::builder().resolve_to("http://a.test", Ipv4Addr::LOCALHOST).build(),
        PoolManager::builder().resolve_to("a.test:80", Ipv4Addr::LOCALHOST).build(),
    ];
    for (n, result) in refused.into_iter().enumerate() {
        assert_eq!(result.map(drop).unwrap_err().kind(), &ErrorKind::InvalidConfig, "{n}");
    }
    for stagger in [10, 2000].map(Duration::from_millis) {
        assert!(PoolManager::builder().connect_stagger(stagger).build().is_ok());
    }
    let connected = |builder: hostpool::SessionBuilder| {
        builder.connector(PoolManager::new()).build().map(drop).unwrap_err().kind().clone()
    };
    assert_eq!(connected(Session::builder().family(Family::V4)), ErrorKind::InvalidConfig);
    assert_eq!(connected(Session::builder().use_dns_cache(true)), ErrorKind::InvalidConfig);
    let context = PoolContext::new("http://a.test").unwrap().family(Family::V4);
    let manager = with_dialer().build().unwrap();
    assert_eq!(manager.connection_from_context(context).unwrap_err().kind(), &ErrorKind::InvalidConfig);
}

/// A context replaces the manager's settings for its pool, and adds to its filter.
#[test]
fn contexts() {
    let server = greeting();
    let book = Book::new([("a.test", vec![server.addr])]);
    let pools = PoolManager::builder().address_filter(|address| address.port() != 9).build().unwrap();
    let context = || PoolContext::new("http://a.test").unwrap();
    let pool = pools.connection_from_context(context().resolver(book)).unwrap();
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "hello");
    let pool = pools.connection_from_context(context().resolve_to(server.addr)).unwrap();
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "hello");
    assert_eq!(server.seen.accepted(), 2, "they share no connection");
    for context in [
        context().resolve_to(SocketAddr::from(([127, 0, 0, 1], 9))),
        context().resolve_to(server.addr).address_filter(|_| false),
    ] {
        let pool = pools.connection_from_context(context.address_filter(|_| true)).unwrap();
        assert_eq!(pool.get("/").send().unwrap_err().kind(), &ErrorKind::AddressRefused);
    }
    let six = pools.connection_from_context(context().resolve_to(server.addr).family(Family::V6)).unwrap();
    assert_eq!(six.get("/").retries(0).send().unwrap_err().kind(), &ErrorKind::Resolve);
}

/// The zone of an IPv6 address says which interface leads to it. It is not sent.
#[cfg(target_os = "linux")]
#[test]
fn zones() {
    let error = hostpool::get("http://[fe80::1%25nosuchif0]:9/").send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Resolve, Phase::Resolve));
    assert!(chain(&error).contains("no network interface \"nosuchif0\""), "{}", chain(&error));
    // The loopback interface has the number 1, and often no address but ::1.
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = support::read_request(&mut stream).unwrap();
        io::Write::write_all(&mut stream, &ok("hello")).unwrap();
        String::from_utf8(request).unwrap()
    });
    let response = hostpool::get(format!("http://[::1%251]:{port}/")).send().unwrap();
    assert_eq!(response.url().origin().zone(), Some("1"));
    assert_eq!(response.text().unwrap(), "hello");
    assert!(server.join().unwrap().contains(&format!("\r\nHost: [::1]:{port}\r\n")));
}

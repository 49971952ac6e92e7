//! Pools of many hosts: which URLs share one, which options tell two apart, and which are kept. PM and LRU.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hostpool::{ConnectionPool, ErrorKind, Headers, PoolContext, PoolManager, Retry, TcpDialer, Timeout};

use crate::scripts::{Always, lines, outcome, redirect, values};
use crate::support::{Server, Step, answer, answers, ok};

fn server() -> Server {
    Server::new(vec![answers(ok("done"))])
}

fn keeping(pools: usize) -> PoolManager {
    PoolManager::builder().num_pools(pools).build().unwrap()
}

/// The hosts of the pools that are kept, the one used last first.
fn kept(manager: &PoolManager) -> Vec<String> {
    manager.pool_stats().iter().map(|(origin, _)| origin.host().to_owned()).collect()
}

#[test]
fn which_urls_share_a_pool() {
    let table = [
        ("PM-01", "http://localhost:8081/foo", "http://localhost:8081/bar", true),
        ("PM-01 port", "http://localhost:8081/", "http://localhost:8082/", false),
        ("PM-01 host", "http://localhost:8081/", "http://127.0.0.1:8081/", false),
        ("PM-01 scheme", "http://localhost/", "https://localhost/", false),
        ("PM-01 usual port", "http://localhost/", "http://localhost:80/", true),
        ("PM-01 dot", "http://www.python.org/", "http://www.python.org./", false),
        ("PM-07", "http://example.com/", "HTTP://EXAMPLE.COM/", true),
        ("PM-07 userinfo", "http://example.com/", "http://u:p@example.com/", true),
    ];
    for (row, one, other, expected) in table {
        let http = PoolManager::new();
        let (first, second) = (http.connection_from_url(one).unwrap(), http.connection_from_url(other).unwrap());
        assert_eq!(first == second, expected, "{row}");
        assert_eq!(http.num_pools(), if expected { 1 } else { 2 }, "{row}");
        assert!(first == http.connection_from_url(one).unwrap(), "{row}: asked again");
        let elsewhere = PoolManager::new().connection_from_url(one).unwrap();
        assert!(first != elsewhere, "{row}: of another manager");
    }
    let http = PoolManager::new();
    let zoned = ["http://[a::b%zone]", "http://[a::b%25zone]"].map(|url| http.connection_from_url(url).unwrap());
    assert!(zoned[0] == zoned[1], "PM-16");
    assert!(zoned[0] == http.connection_from_host("a::b%zone", 80, "http").unwrap(), "PM-16");
    assert_eq!((zoned[0].origin().host(), zoned[0].origin().zone()), ("[a::b]", Some("zone")), "PM-16");
    let http = PoolManager::new();
    let pool = http.connection_from_url("http://example.com").unwrap();
    let hosts = [("example.com", "http"), ("EXAMPLE.com", "http"), ("example.com", "HTTP"), ("EXAMPLE.COM", "HtTp")];
    for (host, scheme) in hosts {
        assert!(pool == http.connection_from_host(host, 80, scheme).unwrap(), "PM-07 {scheme}://{host}");
        assert!(pool == http.connection_from_host(host, None, scheme).unwrap(), "PM-07 {scheme}://{host}");
        let context = PoolContext::new(format!("{scheme}://{host}")).unwrap();
        assert!(pool == http.connection_from_context(context).unwrap(), "PM-07 {scheme}://{host}");
    }
    assert_eq!(http.num_pools(), 1, "PM-07");
}

#[test]
fn hosts_that_are_none() {
    let http = PoolManager::new();
    let table = [
        ("PM-04", "http://@", "NoHost"),
        ("PM-04 none", "", "NoScheme"),
        ("PM-04 no host", "http://", "NoHost"),
        ("PM-16 no scheme", "[a::b%zone]", "NoScheme"),
        ("PM-18", "http://localhost:0/", "Port"),
        ("PM-21", "google.com/path", "NoScheme"),
        ("PM-21 slashes", "//google.com/path", "NoScheme"),
        ("PM-22", "unknown://host/", "UnsupportedScheme"),
    ];
    for (row, url, expected) in table {
        let expected = format!("InvalidUrl({expected})");
        let pool = http.connection_from_url(url).expect_err(row);
        assert_eq!(format!("{:?}", pool.kind()), expected, "{row}");
        assert_eq!(outcome(&http.get(url).send()), expected, "{row}");
    }
    let hosts = [
        ("PM-04 host", "", "NoHost"),
        ("POOL-12 host", "localhost\n", "Host"),
        ("POOL-12 host, space", "localhost ", "Host"),
        ("POOL-12 v6", "::1\n", "Host"),
        ("POOL-13 host", "foo%zz.example", "Host"),
        ("a path in it", "example.com/path", "Host"),
        ("a query in it", "example.com?x", "Host"),
        ("a fragment in it", "example.com#x", "Host"),
        ("a backslash in it", "example.com\\x", "Host"),
        ("somebody in it", "user@example.com", "Host"),
        ("a port in it", "[::1]:81", "Host"),
        ("a port behind a name", "example.com:81", "Host"),
    ];
    for (row, host, expected) in hosts {
        let refused = http.connection_from_host(host, 80, "http");
        assert_eq!(
            refused.map_err(|error| format!("{:?}", error.kind())),
            Err(format!("InvalidUrl({expected})")),
            "{row}"
        );
    }
    let zero = http.connection_from_host("localhost", 0, "http").unwrap_err();
    assert_eq!(format!("{:?}", zero.kind()), "InvalidUrl(Port)", "PM-18");
    for scheme in ["ftp", "", "http://example.test/?", " http"] {
        let refused = http.connection_from_host("localhost", None, scheme).expect_err(scheme);
        let kind = format!("{:?}", refused.kind());
        assert!(
            ["InvalidUrl(UnsupportedScheme)", "InvalidUrl(NoScheme)"].contains(&&*kind),
            "PM-22 {scheme:?}: {kind}"
        );
    }
    assert!(http.connection_from_host("::1", 81, "http").unwrap().is_same_host("http://[::1]:81"), "PM-16");
    assert_eq!(http.num_pools(), 1, "what is refused leaves no pool");

    let server = Server::new(vec![answer(redirect(302, "gopher://h/"))]);
    let left = http.get(server.url("/")).allow_redirects(false).send().unwrap();
    assert_eq!((left.status().as_u16(), left.headers().get("location")), (302, Some("gopher://h/")), "PM-22");
}

#[test]
fn which_options_tell_pools_apart() {
    let http = PoolManager::new();
    let of = || PoolContext::new("https://example.com").unwrap();
    let mut headers = Headers::new();
    headers.append("X-A", "1").unwrap();
    let dialing = || of().dialer(TcpDialer::new());
    let one = dialing();
    let mut table: Vec<(&str, PoolContext, bool)> = vec![
        ("PM-13 none", of(), true),
        ("PM-13 timeouts", of().timeout(Timeout::new().total(Duration::from_secs(1))), true),
        ("PM-13 retries", of().retries(Retry::off()), true),
        ("PM-13 headers", of().headers(headers), true),
        ("PM-12 a dialer", one.clone(), false),
        ("PM-12 another", dialing(), false),
    ];
    #[cfg(feature = "rustls")]
    let trusted = crate::tls::Authority::new().trusted();
    #[cfg(feature = "rustls")]
    table.extend([
        ("PM-06 ca_certs", of().tls(trusted.clone()), false),
        ("PM-06 others", of().tls(crate::tls::Authority::new().trusted()), false),
    ]);
    let pool = http.connection_from_context(of()).unwrap();
    let mut apart: Vec<ConnectionPool> = Vec::new();
    for (row, context, same) in table.drain(..) {
        let other = http.connection_from_context(context.clone()).unwrap();
        assert_eq!(pool == other, same, "{row}");
        assert!(other == http.connection_from_context(context).unwrap(), "{row}: asked again");
        if !same {
            assert!(!apart.contains(&other), "{row}: each is another");
            apart.push(other);
        }
    }
    assert_eq!(http.num_pools(), 1 + apart.len(), "PM-06");
    assert!(apart[0] == http.connection_from_context(one).unwrap(), "PM-06: the same option, the same pool");
    #[cfg(feature = "rustls")]
    assert!(apart[2] == http.connection_from_context(of().tls(trusted)).unwrap(), "PM-06: the same option");
}

#[test]
fn options_in_place_of_the_managers() {
    let (here, there) = (server(), server());
    let (dialer, asked) = Always::to(&there);
    let mut common = Headers::new();
    common.append("X-Common", "1").unwrap();
    let http = PoolManager::builder().headers(common).retries(0).build().unwrap();
    let url = here.url("/");
    let plain = http.connection_from_url(&url).unwrap();
    let mut own = Headers::new();
    own.append("X-Own", "1").unwrap();
    let context = PoolContext::new(&url).unwrap().dialer(dialer).headers(own);
    let other = http.connection_from_context(context).unwrap();

    other.get("/other").send().unwrap();
    plain.get("/plain").send().unwrap();
    http.get(here.url("/manager")).send().unwrap();
    assert_eq!(asked.lock().unwrap().len(), 1, "PM-12: the dialer is that pool's alone");
    assert_eq!(lines(&there), ["GET /other"], "PM-12");
    assert_eq!(lines(&here), ["GET /plain", "GET /manager"], "PM-12");
    let arrived = &there.seen.requests()[0];
    assert_eq!((values(arrived, "x-own").len(), values(arrived, "x-common").len()), (1, 0), "PM-13: in place of them");
    assert!(here.seen.requests().iter().all(|request| values(request, "x-common") == ["1"]), "PM-13");
    assert_eq!((plain.num_connections(), plain.num_requests()), (1, 2), "the manager asks by the same connections");

    // No timeout, and another number of retries, than the manager has.
    let broken = Server::new(vec![vec![Step::Request]]);
    for (row, context, tries) in [
        ("PM-13 the manager's", PoolContext::new(broken.url("/")).unwrap(), 1),
        ("PM-13 its own", PoolContext::new(broken.url("/")).unwrap().retries(2), 3),
    ] {
        let before = broken.seen.accepted();
        let answered = http.connection_from_context(context).unwrap().get("/").send();
        assert_eq!(outcome(&answered), "Disconnected", "{row}");
        assert_eq!(broken.seen.accepted() - before, tries, "{row}");
    }
}

#[test]
fn which_pools_are_kept() {
    let http = keeping(3);
    let url = |name: &str| format!("http://{name}.test/");
    let table = [
        ("new", "a", vec!["a"]),
        ("LRU-03 more", "b", vec!["b", "a"]),
        ("LRU-03 more", "c", vec!["c", "b", "a"]),
        ("LRU-03 asked for again", "a", vec!["a", "c", "b"]),
        ("LRU-03 again", "a", vec!["a", "c", "b"]),
        ("LRU-03 the oldest goes", "d", vec!["d", "a", "c"]),
        ("LRU-05 one", "c", vec!["c", "d", "a"]),
        ("LRU-05 then the other", "d", vec!["d", "c", "a"]),
        ("LRU-05 goes by that order", "e", vec!["e", "d", "c"]),
        ("LRU-06 one that had gone is new", "a", vec!["a", "e", "d"]),
    ];
    for (row, name, expected) in table {
        http.connection_from_url(url(name)).unwrap();
        let expected: Vec<_> = expected.iter().map(|name| format!("{name}.test")).collect();
        assert_eq!(kept(&http), expected, "{row}");
        assert_eq!(http.num_pools(), expected.len(), "{row}");
        // Looking at all of them is no use of any.
        assert_eq!(kept(&http), expected, "LRU-08 {row}");
    }
    let none = PoolManager::builder().num_pools(0).build();
    assert!(matches!(none.unwrap_err().kind(), ErrorKind::InvalidConfig), "LRU-02");
}

#[test]
fn what_goes_is_closed() {
    let telling = |what| Server::new(vec![[answer(ok("done")), vec![Step::UntilClosed, Step::Tell(what)]].concat()]);
    let (first, second) = (telling("first"), telling("second"));
    let http = keeping(1);
    http.get(first.url("/")).send().unwrap().bytes().unwrap();
    assert_eq!(http.stats().idle, 1);
    http.get(second.url("/")).send().unwrap().bytes().unwrap();
    first.wait_for("first");
    assert_eq!((http.num_pools(), http.stats().idle), (1, 1), "LRU-03: its idle connection goes with it");
    http.clear();
    second.wait_for("second");
    assert_eq!((http.num_pools(), http.stats().open), (0, 0), "PM-03");
    let third = telling("third");
    let again = keeping(1);
    again.get(third.url("/")).send().unwrap().bytes().unwrap();
    drop(again);
    third.wait_for("third");
    assert_eq!(outcome(&http.get(Server::new(vec![answers(ok(""))]).url("/")).send()), "200", "PM-03: it works on");
}

#[test]
fn pools_that_are_held_stay_open() {
    let http = keeping(2);
    let servers: Vec<Server> = (0..3).map(|_| server()).collect();
    let pools: Vec<ConnectionPool> =
        servers.iter().map(|server| http.connection_from_url(server.url("/")).unwrap()).collect();
    let turn = Arc::new(std::sync::Barrier::new(3));
    thread::scope(|scope| {
        for pool in &pools {
            let turn = turn.clone();
            scope.spawn(move || {
                for _ in 0..20 {
                    turn.wait();
                    assert_eq!(outcome(&pool.get("/").send()), "200", "PM-19");
                    assert!(!pool.is_closed(), "PM-19");
                }
            });
        }
    });
    assert!(http.num_pools() <= 2, "PM-19");
    assert!(servers.iter().all(|server| server.seen.requests().len() == 20), "PM-19");
}

#[test]
fn a_pool_that_is_closed() {
    let (one, other) = (server(), server());
    let http = PoolManager::new();
    let pool = http.connection_from_url(one.url("/")).unwrap();
    let twin = http.connection_from_url(one.url("/")).unwrap();
    pool.get("/").send().unwrap().bytes().unwrap();
    http.get(other.url("/")).send().unwrap().bytes().unwrap();
    pool.close();
    assert!(pool.is_closed() && twin.is_closed() && !http.is_closed());
    assert_eq!((outcome(&pool.get("/").send()), outcome(&twin.get("/").send())), ("Closed".into(), "Closed".into()));
    assert_eq!((http.num_pools(), http.stats().idle), (1, 1), "the other one stays");
    // The manager gives another one, and asks by it.
    let fresh = http.connection_from_url(one.url("/")).unwrap();
    assert_eq!(outcome(&fresh.get("/").send()), "200");
    assert_eq!(outcome(&http.get(one.url("/")).send()), "200");
    assert!(!fresh.is_closed());
    http.close();
    assert!(fresh.is_closed() && http.is_closed());
    assert!(http.connection_from_url(one.url("/")).unwrap_err().is_closed());
    assert!(http.get(other.url("/")).send().unwrap_err().is_closed());
}

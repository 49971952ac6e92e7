//! Which requests share connections through proxies, and what the limits count.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hostpool::{PoolManager, Proxy, Session};

use crate::support::{Server, Step, answer, answers, header, ok};
use crate::{Relay, origin};

/// Forwarded requests share the connections to the proxy; each host has tunnels of its own.
#[test]
fn what_is_shared() {
    for (tunnel, connections, pools) in [(false, 1, 1), (true, 2, 2)] {
        let server = origin("hello");
        let relay = Relay::new(server.addr);
        let proxy = Proxy::parse(&relay.url()).unwrap().tunnel_http(tunnel);
        let http = PoolManager::builder().proxy(proxy).build().unwrap();
        for url in ["http://one.test/", "http://two.test/", "http://one.test/"] {
            http.get(url).send().unwrap().text().unwrap();
        }
        assert_eq!((relay.log.accepted(), http.num_pools()), (connections, pools), "tunnel: {tunnel}");
    }
}

/// PRX-21: the pools of forwarded hosts are one, and each still sends to its own host.
#[test]
fn pools_of_a_manager() {
    let server = origin("hello");
    let relay = Relay::new(server.addr);
    let http = PoolManager::builder().proxy(relay.url()).build().unwrap();
    let [one, two] = ["one", "two"].map(|host| http.connection_from_host(&format!("{host}.test"), 80, "http").unwrap());
    assert_eq!(http.num_pools(), 1);
    for pool in [&one, &two] {
        assert_eq!(pool.get("/a").send().unwrap().text().unwrap(), "hello");
    }
    let targets = ["GET http://one.test/a HTTP/1.1", "GET http://two.test/a HTTP/1.1"];
    assert!(relay.log.heads().iter().zip(targets).all(|(head, target)| head.starts_with(target)));
    assert_eq!((relay.log.accepted(), one.origin().to_string()), (1, "http://one.test".to_owned()));
}

/// PRX-33: a tunnel that its server closes is opened anew.
#[test]
fn tunnels_that_end() {
    let opens = |text| [answer("HTTP/1.1 200 OK\r\n\r\n"), answer(text)].concat();
    let closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nfirst".to_vec();
    let proxy = Server::new(vec![opens(closing), opens(ok("second")), opens(ok("third"))]);
    let session = Session::builder().proxy(Proxy::parse(&proxy.url("")).unwrap().tunnel_http(true)).build().unwrap();
    for text in ["first", "second", "third"] {
        assert_eq!(session.get("http://named.test/").send().unwrap().text().unwrap(), text);
    }
    let connects = proxy.seen.requests().iter().filter(|request| request.starts_with("CONNECT ")).count();
    assert_eq!((proxy.seen.accepted(), connects), (3, 3));
}

#[cfg(target_os = "linux")]
/// How many connections to this port of loopback the system has open, at the side that has opened them. The count of a
/// server is behind: it sees a close later than the next connection.
fn open_connections(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let to = format!("0100007F:{port:04X}");
    let open = |line: &&str| {
        let mut words = line.split_whitespace().skip(2);
        words.next() == Some(&*to) && words.next() == Some("01")
    };
    table.lines().filter(open).count()
}

/// Proxy 212: many threads, forwarded requests and tunnels mixed, some refused: never more connections than the limit.
#[cfg(target_os = "linux")]
#[test]
fn limits_through_a_proxy() {
    let server = origin("hello");
    let most = Arc::new(AtomicUsize::new(0));
    let counted = most.clone();
    let relay = Relay::refusing(server.addr, move |head| {
        if let Some(port) = header(head, "User-Agent") {
            counted.fetch_max(open_connections(port.parse().unwrap()), Ordering::SeqCst);
        }
        head.contains("refused.test").then(|| b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    let builder = PoolManager::builder().total_limit(8).retries(0).num_pools(None);
    let http = builder.user_agent(relay.addr.port().to_string()).build().unwrap();
    thread::scope(|scope| {
        for n in 0..64 {
            let (http, relay) = (&http, &relay);
            scope.spawn(move || {
                for round in 0..8 {
                    let proxy = Proxy::parse(&relay.url()).unwrap().tunnel_http((n + round) % 2 == 0);
                    let host = if n % 8 == 7 { "refused".to_owned() } else { format!("h{}", n % 5) };
                    let result = http.get(format!("http://{host}.test/")).proxy(proxy).send();
                    match result {
                        Ok(response) if host != "refused" => assert_eq!(response.text().unwrap(), "hello"),
                        Ok(response) => assert_eq!(response.status(), 502),
                        Err(error) => assert_eq!((error.code(), &*host), ("proxy_refused", "refused")),
                    }
                }
            });
        }
    });
    let most = most.load(Ordering::SeqCst);
    assert!((1..=8).contains(&most), "{most}");
    let stats = http.stats();
    assert_eq!(stats.in_use, 0);
    http.clear();
    relay.log.wait_until_none_is_open();
}

/// P3: refused tunnels leave no socket open.
#[test]
fn refused_tunnels_are_closed() {
    let proxy =
        Server::new(vec![[answer("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), vec![Step::UntilClosed]].concat()]);
    let session = Session::builder().proxy(Proxy::parse(&proxy.url("")).unwrap().tunnel_http(true)).build().unwrap();
    for _ in 0..100 {
        session.get("http://named.test/").send().unwrap_err();
    }
    crate::support::eventually("every connection is closed", || proxy.seen.open() == 0);
    assert_eq!(session.connector().unwrap().stats().in_use, 0);
}

/// P1: ever new logins keep the pools and the connections bounded.
#[test]
fn ever_new_proxies() {
    let server = Server::new(vec![answers(ok("hello"))]);
    let http = PoolManager::builder().num_pools(10).build().unwrap();
    for n in 0..10_000 {
        let proxy = Proxy::parse(&format!("http://session-{n}:secret@{}", server.addr)).unwrap();
        http.get("http://named.test/").proxy(proxy).send().unwrap().text().unwrap();
    }
    assert_eq!(http.num_pools(), 10);
    assert!(http.stats().idle <= 10);
    crate::support::eventually("the connections of evicted pools are closed", || server.seen.open() <= 10);
}

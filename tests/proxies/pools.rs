//! Which requests share connections through proxies, and what the limits count.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use hostpool::observe::{Closed, Dialed, Dialing};
use hostpool::{Listener, PoolManager, Proxy, Session};

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
    let login = proxy.url("").replace("http://", "http://u:p@");
    let session = Session::builder().proxy(Proxy::parse(&login).unwrap().tunnel_http(true)).build().unwrap();
    for text in ["first", "second", "third"] {
        assert_eq!(session.get("http://named.test/").send().unwrap().text().unwrap(), text);
    }
    let is_known = |request: &&String| header(request, "Proxy-Authorization") == Some("Basic dTpw");
    let requests = proxy.seen.requests();
    // Each CONNECT has the credentials, and nothing else has.
    assert!(requests.iter().filter(is_known).all(|request| request.starts_with("CONNECT ")));
    assert_eq!((proxy.seen.accepted(), requests.iter().filter(is_known).count()), (3, 3));
}

/// Counts the connections that are open or being opened, and how many there were at most.
#[derive(Default)]
struct Open(AtomicUsize, AtomicUsize);

impl Listener for Open {
    fn dialing(&self, _: &Dialing<'_>) {
        self.1.fetch_max(self.0.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    }

    fn dialed(&self, event: &Dialed<'_>) {
        if event.error.is_some() {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn closed(&self, _: &Closed<'_>) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Proxy 212: many threads, forwarded requests and tunnels mixed, some refused: never more connections than the limit. The
/// proxy holds the first ones until it has as many as it gets. Later its own count would be behind: it sees a close after
/// the next connection.
#[test]
fn limits_through_a_proxy() {
    let server = origin("hello");
    let gate = Arc::new((Mutex::new(true), Condvar::new()));
    let held = gate.clone();
    let relay = Relay::refusing(server.addr, move |head| {
        let (is_shut, opened) = &*held;
        drop(opened.wait_while(is_shut.lock().unwrap(), |is_shut| *is_shut).unwrap());
        head.contains("refused.test").then(|| b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    let open = Arc::new(Open::default());
    let builder = PoolManager::builder().total_limit(8).retries(0).num_pools(None);
    let http = builder.listener(open.clone()).build().unwrap();
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
        crate::support::eventually("all others wait", || http.stats().waiting == 56 && relay.log.heads().len() == 8);
        assert_eq!(relay.log.accepted(), 8);
        *gate.0.lock().unwrap() = false;
        gate.1.notify_all();
    });
    assert_eq!(open.1.load(Ordering::SeqCst), 8);
    assert_eq!(http.stats().in_use, 0);
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

/// P1 with the defaults of a session, through tunnels: more pools than a full table keeps.
#[test]
fn ever_new_tunnels() {
    let opened = answer("HTTP/1.1 200 OK\r\n\r\n");
    let server = Server::new(vec![[opened, answers(ok("hello"))].concat()]);
    let session = Session::new();
    for n in 0..3_000 {
        let proxy = Proxy::parse(&format!("http://session-{n}:secret@{}", server.addr)).unwrap().tunnel_http(true);
        let url = format!("http://h{}.test/", n % 3);
        assert_eq!(session.get(url).proxy(proxy).send().unwrap().text().unwrap(), "hello");
    }
    let pools = session.connector().unwrap();
    assert!(pools.num_pools() <= 1_100, "{}", pools.num_pools());
    assert!(pools.stats().idle <= 100, "{:?}", pools.stats());
    crate::support::eventually("the connections beyond max_idle are closed", || server.seen.open() <= 100);
}

//! Connections that wait between two requests, and the lookups and dials that open them.

use std::time::Duration;

use hostpool::{
    Bound, CloseReason, ConnectionPool, ErrorKind, Method, Phase, PoolManager, PoolStats, RequestBuilder, Retry,
    Session, Timeout,
};

use crate::support::{GIVE_UP, Server, Step, answer, answers, ok};

#[cfg(target_os = "linux")]
#[path = "idle/children.rs"]
mod children;

/// A client of one of the three kinds.
pub(super) enum Client {
    Session(Session),
    Manager(PoolManager),
    Pool(ConnectionPool),
}

impl Client {
    /// One of each, for a server whose URL begins so.
    pub(super) fn all(url: &str) -> [Client; 3] {
        let pool = ConnectionPool::builder(url).build().unwrap();
        [Client::Session(Session::new()), Client::Manager(PoolManager::new()), Client::Pool(pool)]
    }

    /// The two for several hosts.
    #[cfg(target_os = "linux")]
    pub(super) fn all_hosts() -> [Client; 2] {
        [Client::Session(Session::new()), Client::Manager(PoolManager::new())]
    }

    /// Closes what is idle.
    #[cfg(target_os = "linux")]
    pub(super) fn clear(&self) {
        match self {
            Client::Session(session) => session.connector().unwrap().clear(),
            Client::Manager(manager) => manager.clear(),
            Client::Pool(pool) => pool.clear(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Client::Session(_) => "session",
            Client::Manager(_) => "manager",
            Client::Pool(_) => "pool",
        }
    }

    /// Tried once.
    pub(super) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = match self {
            Client::Session(session) => session.request(method, url),
            Client::Manager(manager) => manager.request(method, url),
            Client::Pool(pool) => pool.request(method, url),
        };
        request.retries(Retry::off())
    }

    pub(super) fn stats(&self) -> PoolStats {
        match self {
            Client::Session(session) => session.connector().unwrap().stats(),
            Client::Manager(manager) => manager.stats(),
            Client::Pool(pool) => pool.stats(),
        }
    }
}

/// RW-04: the server answers without `Connection: close` and closes. No POST goes where its FIN has arrived.
#[test]
fn a_loop_of_posts_to_a_server_that_closes_without_a_word() {
    const POSTS: usize = 100;
    let closes =
        || vec![Step::Request, Step::Send(ok("done")), Step::HalfClose, Step::Tell("closed"), Step::UntilClosed];
    let server = Server::with(move |_| closes());
    for client in Client::all(&server.url("")) {
        let before = server.seen.requests().len();
        for number in 0..POSTS {
            let response = client.request(Method::POST, &server.url("/pay")).data("x").send();
            assert_eq!(response.unwrap().text().unwrap(), "done", "{}: POST {number}", client.name());
            // From here on the FIN is there.
            server.wait_for("closed");
        }
        assert_eq!(server.seen.requests().len() - before, POSTS, "{}", client.name());
        let stats = client.stats();
        assert_eq!((stats.replayed, stats.closed(CloseReason::PeerClosed)), (0, POSTS as u64 - 1), "{}", client.name());
    }
}

/// RW-04: a second response that was sent before the next request is nobody's answer.
#[test]
fn a_surplus_response_is_not_the_next_answer() {
    const ROUNDS: usize = 100;
    let surplus = || {
        vec![
            Step::Request,
            Step::Send(ok("mine")),
            Step::Hold,
            Step::Send(ok("evil")),
            Step::Tell("sent"),
            Step::UntilClosed,
        ]
    };
    let server = Server::with(move |_| surplus());
    for client in Client::all(&server.url("")) {
        for round in 0..ROUNDS {
            let response = client.request(Method::GET, &server.url("/")).send().unwrap();
            assert_eq!(response.text().unwrap(), "mine", "{}: round {round}", client.name());
            server.gate.open();
            server.wait_for("sent");
        }
        let surplus = client.stats().closed(CloseReason::UnexpectedBytes);
        assert_eq!(surplus, ROUNDS as u64 - 1, "{}", client.name());
    }
}

/// RW-04: the gap is there for those who ask for it.
#[test]
fn the_look_can_be_left_out() {
    let script = vec![
        Step::Request,
        Step::Send(ok("mine")),
        Step::Hold,
        Step::Send(ok("old")),
        Step::Tell("sent"),
        Step::UntilClosed,
    ];
    let server = Server::new(vec![script]);
    let pool = ConnectionPool::builder(server.url("")).probe_after(Duration::MAX).build().unwrap();
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "mine");
    server.gate.open();
    server.wait_for("sent");
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "old");
}

/// RW-20: idle connections have a bound of their own in all; the oldest goes, and nobody waits.
#[test]
fn idle_connections_in_all() {
    let servers: Vec<_> = (0..4).map(|_| Server::with(|_| answers(ok("fine")))).collect();
    let session = Session::builder().max_idle(2).build().unwrap();
    let manager = PoolManager::builder().max_idle(2).build().unwrap();
    for client in [Client::Session(session), Client::Manager(manager)] {
        let get = |server: &Server| {
            client.request(Method::GET, &server.url("/")).send().unwrap().text().unwrap();
        };
        for server in &servers {
            get(server);
        }
        let stats = client.stats();
        let counts = (stats.created, stats.idle, stats.open, stats.closed(CloseReason::EvictedForLimit));
        assert_eq!(counts, (4, 2, 2, 2), "{}", client.name());
        // The two newest are there; the oldest of all is not.
        get(&servers[2]);
        get(&servers[3]);
        assert_eq!(client.stats().created, 4, "{}", client.name());
        get(&servers[0]);
        assert_eq!((client.stats().created, client.stats().idle), (5, 2), "{}", client.name());
    }
    let pool = ConnectionPool::builder(servers[0].url("")).max_idle(0).build().unwrap();
    for _ in 0..2 {
        pool.get("/").send().unwrap().text().unwrap();
    }
    assert_eq!((pool.stats().created, pool.stats().open), (2, 0));
    let connector = Session::builder().connector(PoolManager::new());
    assert!(connector.max_idle(5).build().is_err(), "the connector has its own");
}

/// RW-20: connections in use are not idle ones, whatever the bound.
#[test]
fn connections_in_use_do_not_count() {
    let server = Server::with(|_| answers(ok("fine")));
    let session = Session::builder().max_idle(1).build().unwrap();
    let manager = session.connector().unwrap();
    let held: Vec<_> = (0..3).map(|_| session.get(server.url("/")).send().unwrap()).collect();
    let counts = |stats: PoolStats| (stats.in_use, stats.idle, stats.closed(CloseReason::EvictedForLimit));
    assert_eq!(counts(manager.stats()), (3, 0, 0));
    for response in held {
        assert_eq!(response.text().unwrap(), "fine");
    }
    assert_eq!(counts(manager.stats()), (0, 1, 2));
}

/// RW-30: what an origin has done is remembered while the origin is, also after its last connection has closed.
#[test]
fn counters_do_not_start_again() {
    let closing = || b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfine".to_vec();
    let server = Server::with(move |_| answer(closing()));
    let session = Session::new();
    let manager = session.connector().unwrap();
    let bounded = PoolManager::new();
    let unbounded = PoolManager::builder().num_pools(None).build().unwrap();
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    for round in 1..=3 {
        session.get(server.url("/")).send().unwrap().text().unwrap();
        bounded.get(server.url("/")).send().unwrap().text().unwrap();
        unbounded.get(server.url("/")).send().unwrap().text().unwrap();
        pool.get("/").send().unwrap().text().unwrap();
        for (name, manager) in [("session", manager), ("manager", &bounded), ("unbounded manager", &unbounded)] {
            let stats = manager.pool_stats();
            assert_eq!(stats.len(), 1, "{name}");
            let (created, closed) = (stats[0].1.created, stats[0].1.closed(CloseReason::NotReusable));
            assert_eq!((created, closed, stats[0].1.open), (round, round, 0), "{name}");
        }
        assert_eq!(pool.stats().created, round);
    }
    // What is forgotten is forgotten whole.
    manager.clear();
    assert!(manager.pool_stats().is_empty());
    session.get(server.url("/")).send().unwrap().text().unwrap();
    let (_, stats) = manager.pool_stats().remove(0);
    assert_eq!((stats.created, stats.closed(CloseReason::NotReusable), stats.reused), (1, 1, 0));
}

/// A client without `num_pools` forgets origins in the end. A connection that is out then still counts under the limit,
/// and is used again.
#[cfg(target_os = "linux")]
#[test]
fn an_origin_that_is_forgotten_keeps_its_limit() {
    const OTHERS: usize = 1100;
    let server = Server::with(|_| answers(ok("fine")));
    // All of 127/8 is this machine, and nothing listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let one = || PoolManager::builder().num_pools(None).limit(1).build().unwrap();
    let session = Session::builder().connector(one()).build().unwrap();
    for client in [Client::Manager(one()), Client::Session(session)] {
        let get = || client.request(Method::GET, &server.url("/")).timeout(Timeout::new().pool(Duration::ZERO)).send();
        let held = get().unwrap();
        for other in 0..OTHERS {
            let url = format!("http://127.2.{}.{}:{closed}/", other / 250, other % 250 + 1);
            let error = client.request(Method::GET, &url).send().unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Connect, "{url}");
        }
        let error = get().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::PoolTimeout { in_use: 1, .. }), "{}: {error}", client.name());
        assert_eq!(held.text().unwrap(), "fine");
        assert_eq!(get().unwrap().text().unwrap(), "fine", "{}", client.name());
        assert_eq!((client.stats().created, client.stats().reused), (1, 1), "{}", client.name());
    }
}

/// RW-35: a bound that leaves no time fails at once, on a kept connection too, and nothing is sent.
#[test]
fn bounds_of_zero_fail_on_a_kept_connection() {
    let server = Server::with(|_| answers(ok("fine")));
    let (new, zero) = (Timeout::new(), Duration::ZERO);
    let table = [
        (new.read(zero), Bound::Read),
        (new.write(zero), Bound::Write),
        (new.head(zero), Bound::Head),
        (new.connect(zero), Bound::Connect),
        (new.resolve(zero), Bound::Resolve),
        (new.tls(zero), Bound::Tls),
        (new.total(zero), Bound::Total),
    ];
    for client in Client::all(&server.url("")) {
        let get = || client.request(Method::GET, &server.url("/"));
        get().send().unwrap().text().unwrap();
        let before = server.seen.requests().len();
        for (timeout, bound) in table {
            for _ in 0..20 {
                let request = client.request(Method::POST, &server.url("/")).data("x").timeout(timeout);
                // Trying again is of no use.
                let error = request.retries(3).send().unwrap_err();
                let is = (error.kind(), error.phase(), error.maybe_processed(), error.retries().len());
                assert_eq!(is, (&ErrorKind::Timeout(bound), Phase::Prepare, false, 0), "{}: {timeout}", client.name());
            }
        }
        assert_eq!(server.seen.requests().len(), before, "{}", client.name());
        // These mean something else: what is free is taken, and a body is not held back.
        let request = client.request(Method::PUT, &server.url("/")).timeout(new.pool(zero).expect(zero));
        assert_eq!(request.data("x").send().unwrap().text().unwrap(), "fine", "{}", client.name());
        assert_eq!(client.stats().created, 1, "{}", client.name());
    }
}

/// RW-28: a name below `localhost` is this machine, whatever resolvers make of it (RFC 6761, section 6.3).
#[test]
fn names_of_this_machine() {
    let server = Server::with(|_| answers(ok("fine")));
    for host in ["app.localhost", "a.b.localhost", "localhost.", "app.localhost."] {
        let url = format!("http://{host}:{}/", server.addr.port());
        for client in Client::all(&url) {
            for timeout in [Timeout::new(), Timeout::from(GIVE_UP)] {
                let response = client.request(Method::GET, &url).timeout(timeout).send();
                assert_eq!(response.unwrap().text().unwrap(), "fine", "{}: {url}", client.name());
            }
        }
        let sent = server.seen.requests().pop().unwrap();
        assert!(sent.contains(&format!("\r\nHost: {host}:{}\r\n", server.addr.port())), "{sent}");
    }
}

/// RW-28: the certificate is checked against the name, without the dot at its end.
#[cfg(feature = "rustls")]
#[test]
fn certificates_of_this_machine() {
    use crate::tls::{Authority, TlsServer, dns};

    let authority = Authority::new();
    let leaf = authority.leaf(&[dns("app.localhost"), dns("localhost")]);
    let server = TlsServer::new(leaf.server(rustls::ALL_VERSIONS), |peer| {
        loop {
            peer.request()?;
            peer.send(ok("fine"))?;
        }
    });
    let session = Session::builder().tls(authority.trusted()).timeout(GIVE_UP).build().unwrap();
    let get = |host: &str| session.get(format!("https://{host}:{}/", server.addr.port())).retries(Retry::off()).send();
    for host in ["app.localhost", "App.LocalHost", "app.localhost.", "localhost."] {
        assert_eq!(get(host).unwrap().text().unwrap(), "fine", "{host}");
    }
    assert_eq!(get("other.localhost").unwrap_err().kind(), &ErrorKind::Tls);
}

/// A name that is not there is said to be that, and no more than that.
#[test]
fn a_name_that_is_not_there() {
    let error = Session::new().get("http://nowhere.invalid/").timeout(GIVE_UP).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Resolve, Phase::Resolve));
    assert!(!error.to_string().contains("Too many open files"), "{error}");
}

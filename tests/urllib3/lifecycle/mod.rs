//! The life of sockets under a pool (LIFE).

mod bodies;

use std::io::{self, IoSlice};
use std::time::Duration;

use hostpool::{
    Body, ConnectionPool, DialContext, Dialer, ErrorKind, Method, Probe, RequestBuilder, Result, Retry, Target,
    Timeout, Transport, TransportInfo, Wait,
};

use crate::scripts::{Always, Refused, in_turn, line_server, lines, outcome, redirect, reply};
use crate::support::{Server, Step, answer, answers, eventually, ok};

const SOON: Duration = Duration::from_millis(50);

/// What a server does at first, what is asked, how it ends, and connections accepted.
type Failed = (&'static str, &'static str, Vec<Step>, fn(RequestBuilder) -> RequestBuilder, &'static str, usize);

/// Behind each failure all places of the pool are free.
#[test]
fn pools_after_failures() {
    let head_alone = vec![Step::Request, Step::Send(ok("done")[..38].to_vec()), Step::UntilClosed];
    let old = answer("HTTP/0.5 200 OK\r\nContent-Length: 0\r\n\r\n");
    let off: fn(RequestBuilder) -> RequestBuilder = |request| request.retries(Retry::off());
    let hop = in_turn([redirect(303, "/there"), ok("done")]);
    let tls = if cfg!(feature = "rustls") { ("Timeout(Connect)", 1) } else { ("Unsupported", 0) };
    let table: Vec<Failed> = vec![
        ("LIFE-03", "http", vec![Step::Request, Step::UntilClosed], off, "Timeout(Head)", 1),
        ("LIFE-05", "https", vec![Step::Bytes(1), Step::UntilClosed], off, tls.0, tls.1),
        ("LIFE-09", "http", head_alone, off, "Timeout(Read)", 1),
        ("LIFE-11", "http", old, |request| request.retries(Retry::new(1).read(1)), "200", 2),
        ("LIFE-26", "http", hop, |request| request.retries(0).preload_content(false), "TooManyRedirects", 1),
    ];
    for (row, scheme, first, set, expected, accepted) in table {
        let server = Server::new(vec![first, answers(ok("done"))]);
        let url = format!("{scheme}://{}", server.addr);
        let builder = ConnectionPool::builder(&url).maxsize(3).block(true).pool_timeout(Duration::ZERO);
        // The system's store would be read within the bound, before there is a connection.
        #[cfg(feature = "rustls")]
        let builder = builder.tls(crate::tls::Authority::new().trusted());
        let pool = builder.build().unwrap();
        let soon = Timeout::new().connect(SOON).head(SOON).read(SOON);
        let answered = set(pool.urlopen(Method::GET, "/").timeout(soon)).send();
        let said = outcome(&answered);
        assert!(said.starts_with(expected), "{row}: {said}");
        // The server may hear of a connection later than the client gives it up.
        eventually(row, || server.seen.accepted() >= accepted);
        assert_eq!(server.seen.accepted(), accepted, "{row}");
        drop(answered);
        assert_eq!(pool.stats().in_use, 0, "{row}");
        if scheme == "http" {
            three_places(row, &pool);
        }
    }
}

/// Three responses can be out at once, and no fourth.
fn three_places(row: &str, pool: &ConnectionPool) {
    let out: Vec<_> = (0..3).map(|_| pool.get("/").send().unwrap_or_else(|error| panic!("{row}: {error}"))).collect();
    let fourth = pool.get("/").send().unwrap_err();
    assert!(matches!(fourth.kind(), ErrorKind::PoolTimeout { in_use: 3, .. }), "{row}: {fourth}");
    drop(out);
    assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 3), "{row}");
}

#[test]
fn pools_of_hosts_that_do_not_listen() {
    let server = Server::new(vec![answers(ok("done"))]);
    let builder = ConnectionPool::builder(server.url("/")).dialer(Refused::times(1)).maxsize(3).block(true);
    let pool = builder.pool_timeout(Duration::ZERO).build().unwrap();
    let refused = pool.get("/").preload_content(false).release_conn(false).retries(0).send();
    assert_eq!(outcome(&refused), "Connect", "LIFE-02");
    assert_eq!((pool.stats().open, pool.num_connections(), pool.num_requests()), (0, 0, 1), "LIFE-02");
    three_places("LIFE-02", &pool);
}

/// Says that it would block, as no transport should.
#[derive(Debug)]
struct Blocking;

impl Dialer for Blocking {
    fn dial(&self, _: &Target<'_>, _: &DialContext<'_>) -> Result<Box<dyn Transport>> {
        Ok(Box::new(Blocking))
    }
}

impl Transport for Blocking {
    fn recv(&self, _: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn send(&self, bufs: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn probe(&self) -> Probe {
        Probe::Quiet
    }

    fn abort(&self) {}

    fn info(&self) -> TransportInfo {
        TransportInfo::default()
    }
}

#[test]
fn pools_over_transports_that_would_block() {
    let pool = ConnectionPool::builder("http://example.test").dialer(Blocking).maxsize(1).block(true).build().unwrap();
    // No time has run out, and the error says so; it counts as one of reading.
    for (retry, tries) in [(Retry::off(), 1), (Retry::new(5).read(1), 2)] {
        let before = pool.num_requests();
        let answered = pool.get("/").retries(retry).send();
        assert_eq!(outcome(&answered), "Io", "LIFE-06");
        assert!(answered.unwrap_err().maybe_processed(), "LIFE-06");
        assert_eq!((pool.num_requests() - before, pool.stats().open), (tries, 0), "LIFE-06");
    }
}

/// What the server answers, what is asked three times, and how many connections that takes.
type Kept = (&'static str, usize, Vec<u8>, fn(RequestBuilder) -> RequestBuilder, usize);

#[test]
fn pools_keep_what_can_be_kept() {
    let close = || reply(200, "Connection: close\r\n", "done");
    let lazy: fn(RequestBuilder) -> RequestBuilder = |request| request.preload_content(false);
    let table: Vec<Kept> = vec![
        ("LIFE-20", 1, close(), |request| request, 3),
        ("LIFE-20 not read", 1, close(), lazy, 3),
        ("LIFE-21 1", 1, ok("done"), |request| request, 1),
        ("LIFE-21 16", 16, ok("done"), |request| request, 1),
        ("LIFE-21 1, not read", 1, ok("done"), lazy, 1),
        ("LIFE-21 16, not read", 16, ok("done"), lazy, 1),
    ];
    for (row, maxsize, bytes, set, connections) in table {
        let script = if connections == 1 { answers(&bytes) } else { answer(&bytes) };
        let server = Server::new(vec![script]);
        let pool = ConnectionPool::builder(server.url("/")).maxsize(maxsize).block(true).build().unwrap();
        for _ in 0..3 {
            let answered = set(pool.urlopen(Method::GET, "/")).send();
            assert_eq!(outcome(&answered), "200", "{row}");
            drop(answered);
            let stats = pool.stats();
            assert_eq!((stats.in_use, stats.idle), (0, usize::from(connections == 1)), "{row}");
        }
        assert_eq!(server.seen.accepted(), connections, "{row}");
        assert_eq!((pool.num_connections(), pool.num_requests()), (connections as u64, 3), "{row}");
    }
}

#[test]
fn pools_while_a_response_is_out() {
    let server = Server::new(vec![answers(ok("done"))]);
    let pool = ConnectionPool::builder(server.url("/")).maxsize(3).block(true).build().unwrap();
    // Of preloading and releasing; in use and idle while the response is there.
    let table = [
        ("LIFE-23", true, false, (0, 1)),
        ("LIFE-23 unread", false, false, (1, 0)),
        ("LIFE-23 released", false, true, (0, 1)),
    ];
    for (row, preload, release, expected) in table {
        let request = pool.urlopen(Method::GET, "/").preload_content(preload).release_conn(release);
        let response = request.send().unwrap();
        assert_eq!((pool.stats().in_use, pool.stats().idle), expected, "{row}");
        let read = response.bytes().map_err(|error| error.is_closed());
        assert_eq!(read, if release { Err(true) } else { Ok(b"done".to_vec()) }, "{row}");
        assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 1), "{row}");
    }
    assert_eq!(pool.num_connections(), 1);
}

#[test]
fn pools_between_two_tries() {
    let listed = || Retry::new(1).status_forcelist([500]).raise_on_status(false);
    let sorry = || reply(500, "", "sorry");
    let endless = answer("HTTP/1.1 500 Sorry\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno chunk");
    // The first connection, how it ends, and how many connections it took.
    let table = [
        ("LIFE-30", in_turn([sorry(), ok("done")]), "200", 1),
        ("LIFE-30 again", in_turn([sorry()]), "500", 1),
        ("LIFE-32", endless, "200", 2),
        ("LIFE-32 a short one", answer("HTTP/1.1 500 Sorry\r\nContent-Length: 99\r\n\r\nsorry"), "200", 2),
    ];
    for (row, first, expected, accepted) in table {
        let server = Server::new(vec![first, answers(ok("done"))]);
        let pool = ConnectionPool::builder(server.url("/")).maxsize(10).retries(listed()).build().unwrap();
        let response = pool.get("/").send();
        assert_eq!(outcome(&response), expected, "{row}");
        assert_eq!(server.seen.accepted(), accepted, "{row}");
        assert_eq!((pool.num_requests(), lines(&server).len()), (2, 2), "{row}");
        drop(response);
        assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 1), "{row}");
    }
}

#[test]
fn pools_behind_a_redirect_that_fails() {
    let server = line_server([redirect(303, "/there"), ok("done")]);
    let builder = ConnectionPool::builder(server.url("/")).maxsize(2).block(true).pool_timeout(Duration::ZERO);
    let pool = builder.build().unwrap();
    let unread = |retries: u32| pool.get("/").preload_content(false).release_conn(false).retries(retries).send();
    assert_eq!(outcome(&unread(0)), "TooManyRedirects", "LIFE-26");
    assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 1), "LIFE-26");
    let mut response = unread(1).unwrap();
    assert_eq!((response.status().as_u16(), pool.stats().in_use), (200, 1), "LIFE-26");
    response.release();
    assert_eq!((pool.stats().in_use, pool.stats().idle, server.seen.accepted()), (0, 1, 1), "LIFE-26");
}

#[test]
fn pools_of_hosts_in_any_case() {
    let server = Server::new(vec![answers(ok("done"))]);
    let (dialer, asked) = Always::to(&server);
    let pool = ConnectionPool::builder("HTTP://LocalHost:81").dialer(dialer).build().unwrap();
    for target in ["/", "http://localhost:81/", "http://LOCALHOST:81/"] {
        assert_eq!(outcome(&pool.put(target).data(Body::from("x")).send()), "200", "LIFE-39 {target}");
    }
    assert_eq!(*asked.lock().unwrap(), ["http localhost Some(81)"], "LIFE-39");
}

/// What sockets are opened with.
#[cfg(target_os = "linux")]
mod sockets {
    use std::error::Error as _;
    use std::io::{self, Write};
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
    use std::os::fd::BorrowedFd;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    use hostpool::{ConnectionPool, ConnectionPoolBuilder, ErrorKind, Phase, SocketOption, SourceAddress, TcpDialer};

    use crate::support::{GIVE_UP, Server, answers, ok, read_request, refusing, without_hanging};

    /// Whether small segments leave at once, of the one socket of this process that is connected there.
    fn nodelay(peer: SocketAddr) -> bool {
        let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let mut found = files.filter_map(|file| {
            let number = file.file_name().to_str()?.parse().ok()?;
            // SAFETY: it is looked at and not closed. Should somebody close it meanwhile, the calls below fail or tell
            // of another socket, which has another peer.
            let socket = unsafe { BorrowedFd::borrow_raw(number) };
            let socket = socket2::SockRef::from(&socket);
            (socket.peer_addr().ok()?.as_socket()? == peer).then(|| socket.tcp_nodelay().unwrap())
        });
        let on = found.next().expect("the pool keeps its connection");
        assert_eq!(found.next(), None);
        on
    }

    /// What is under TLS is no other socket.
    #[cfg(feature = "rustls")]
    #[test]
    fn encrypted() {
        use crate::tls::{Authority, TlsServer};
        for (row, options, expected) in [("CONN-15", None, true), ("CONN-15 empty", Some([]), false)] {
            let authority = Authority::new();
            let server = TlsServer::new(authority.server(), |peer| {
                peer.request()?;
                peer.send(ok("fine"))?;
                peer.until_closed()
            });
            let builder = server.builder(&authority.trusted());
            let builder = options.into_iter().fold(builder, |builder, options| builder.socket_options(options));
            let pool = builder.build().unwrap();
            assert_eq!(pool.get("/").timeout(GIVE_UP).send().unwrap().text().unwrap(), "fine", "{row}");
            assert_eq!(nodelay(server.addr), expected, "{row}");
        }
    }

    /// LIFE-36: a list replaces the default, and an empty one leaves Nagle's algorithm on.
    #[test]
    fn options() {
        use SocketOption::{NoDelay, ReuseAddress};
        let table: [(&str, Option<&[SocketOption]>, bool); 6] = [
            ("LIFE-36 default", None, true),
            ("LIFE-36 empty", Some(&[]), false),
            ("LIFE-36 off", Some(&[NoDelay(false)]), false),
            ("LIFE-36 on", Some(&[NoDelay(true)]), true),
            ("LIFE-36 another", Some(&[ReuseAddress(true)]), false),
            ("LIFE-36 among others", Some(&[ReuseAddress(true), NoDelay(true)]), true),
        ];
        for (id, options, expected) in table {
            let by_pool: fn(ConnectionPoolBuilder, Vec<SocketOption>) -> ConnectionPoolBuilder =
                |builder, options| builder.socket_options(options);
            for set in [by_pool, |builder, options| builder.dialer(TcpDialer::new().socket_options(options))] {
                let server = Server::new(vec![answers(ok("fine"))]);
                let builder = ConnectionPool::builder(server.url(""));
                let builder = match options {
                    Some(options) => set(builder, options.to_vec()),
                    None => builder,
                };
                let pool = builder.build().unwrap();
                // The first send leaves at once with Nagle's algorithm, too.
                for _ in 0..2 {
                    assert_eq!(pool.get("/").timeout(GIVE_UP).send().unwrap().text().unwrap(), "fine", "{id}");
                }
                assert_eq!(nodelay(server.addr), expected, "{id}");
            }
        }
    }

    /// Answers one request a connection, and tells where it came from.
    fn asking() -> (SocketAddr, Receiver<SocketAddr>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (tell, told) = channel();
        thread::spawn(move || {
            for (mut stream, peer) in std::iter::repeat_with(|| listener.accept()).map_while(io::Result::ok) {
                if tell.send(peer).is_err() || read_request(&mut stream).is_err() {
                    return;
                }
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            }
        });
        (addr, told)
    }

    /// A pool that sets its source itself, and one whose dialer does.
    fn pools(addr: SocketAddr, source: SourceAddress) -> [ConnectionPool; 2] {
        let builder = || ConnectionPool::builder(format!("http://{addr}"));
        let tcp = TcpDialer::new().source_address(source);
        [builder().source_address(source), builder().dialer(tcp)].map(|builder| builder.build().unwrap())
    }

    /// LIFE-38: the server sees the address.
    #[test]
    fn sources() {
        let (addr, told) = asking();
        // Nobody else takes ports of these addresses.
        let free = |ip| TcpListener::bind((Ipv4Addr::from(ip), 0)).unwrap().local_addr().unwrap();
        let (first, second) = (free([127, 36, 0, 3]), free([127, 36, 0, 4]));
        let table: [(&str, [SourceAddress; 2], SocketAddr); 3] = [
            ("LIFE-38", [Ipv4Addr::LOCALHOST.into(); 2], (Ipv4Addr::LOCALHOST, 0).into()),
            ("LIFE-38 another", [Ipv4Addr::new(127, 36, 0, 2).into(); 2], ([127, 36, 0, 2], 0).into()),
            ("LIFE-38 with a port", [first.into(), second.into()], ([127, 36, 0, 0], 1).into()),
        ];
        for (id, sources, expected) in table {
            for (by, source) in sources.into_iter().enumerate() {
                let pool = &pools(addr, source)[by];
                pool.get("/").timeout(GIVE_UP).send().unwrap();
                let seen = told.recv_timeout(GIVE_UP).unwrap();
                match expected.port() {
                    0 => assert_eq!(seen.ip(), expected.ip(), "{id}"),
                    _ => assert_eq!(seen, [first, second][by], "{id}"),
                }
            }
        }
    }

    /// LIFE-38: addresses that are not this machine's, are taken, or are of a family that the server has no address of.
    #[test]
    fn sources_that_cannot_be_had() {
        let (addr, told) = asking();
        let (_held, taken) = refusing();
        let table: [(&str, SourceAddress, io::ErrorKind, &str); 4] = [
            ("LIFE-38 not ours", Ipv4Addr::new(240, 0, 0, 1).into(), io::ErrorKind::AddrNotAvailable, "240.0.0.1"),
            ("LIFE-38 taken", taken.into(), io::ErrorKind::AddrInUse, "127.0.0.1"),
            ("LIFE-38 IPv6", Ipv6Addr::LOCALHOST.into(), io::ErrorKind::AddrNotAvailable, "of the family"),
            (
                "LIFE-38 IPv6, not ours",
                "2001:db8::1".parse::<Ipv6Addr>().unwrap().into(),
                io::ErrorKind::AddrNotAvailable,
                "of the family",
            ),
        ];
        for (id, source, kind, text) in table {
            for pool in pools(addr, source) {
                let request = pool.get("/").timeout(GIVE_UP);
                let error = without_hanging(move || request.send()).expect_err(id);
                assert_eq!((error.kind(), error.phase()), (&ErrorKind::Connect, Phase::Connect), "{id}: {error}");
                assert!(!error.maybe_processed() && crate::support::chain(&error).contains(text), "{id}: {error}");
                let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
                assert_eq!(source.kind(), kind, "{id}");
            }
        }
        assert!(told.try_recv().is_err());
    }
}

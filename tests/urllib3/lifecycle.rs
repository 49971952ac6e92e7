//! The life of sockets under a pool (LIFE).

use std::io::{Cursor, Read};
use std::time::Duration;

use hostpool::{Body, Bound, CloseReason, ConnectionPool, Error, ErrorKind, Response, Timeout};

use crate::support::{PATIENCE, Server, Step, answer, answers, ok};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn bodies_pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(&server.url("")).limit(1).timeout(PATIENCE).build().unwrap()
}

/// Rows LIFE-08, LIFE-12 and LIFE-14: a body that does not come, wherever it stops. The unit is back, and the next
/// request goes over another connection.
#[test]
fn bodies_that_do_not_come() {
    let table = [
        ("LIFE-08", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n".to_owned(), 0),
        ("LIFE-08 until close", "HTTP/1.1 200 OK\r\n\r\n".to_owned(), 0),
        ("LIFE-12", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_owned(), 5),
        ("LIFE-14", CHUNKED.to_owned(), 0),
        ("LIFE-14 behind a chunk", format!("{CHUNKED}5\r\nhello\r\n"), 5),
        ("LIFE-14 inside a chunk", format!("{CHUNKED}9\r\nhello"), 5),
        ("LIFE-14 before the last line end", format!("{CHUNKED}5\r\nhello\r\n0\r\n"), 5),
    ];
    for (id, response, received) in table {
        let server = Server::new(vec![[answer(response), vec![Step::UntilClosed]].concat(), answers(ok("next"))]);
        let pool = bodies_pool(&server);
        let timeout = Timeout::new().read(Duration::from_millis(50));
        let mut response = pool.get("/").timeout(timeout).send().unwrap();
        assert_eq!((pool.stats().in_use, response.status().as_u16()), (1, 200), "{id}");
        let mut body = vec![0; received];
        response.read_exact(&mut body).unwrap();
        for _ in 0..2 {
            let error = response.read(&mut [0; 10]).unwrap_err();
            assert_eq!(Error::from_io(&error).unwrap().kind(), &ErrorKind::Timeout(Bound::Read), "{id}");
            assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{id}");
            assert_eq!((pool.stats().in_use, pool.stats().open), (0, 0), "{id}: the unit is back");
        }
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next", "{id}");
        let stats = pool.stats();
        assert_eq!((stats.created, stats.closed(CloseReason::Failed), stats.replayed), (2, 1, 0), "{id}");
    }
}

/// Row LIFE-15: closing an unread response reaches the peer.
#[test]
fn bodies_that_are_closed() {
    for (id, part) in [("nothing", ""), ("a part", "hello")] {
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{part}");
        let script = [answer(response), vec![Step::Rest, Step::Tell("EOF")]].concat();
        let server = Server::new(vec![script]);
        let pool = bodies_pool(&server);
        let mut response = pool.get("/").send().unwrap();
        response.close();
        server.wait_for("EOF");
        assert_eq!((pool.stats().in_use, pool.stats().open), (0, 0), "LIFE-15 {id}");
        assert_eq!(response.status(), 200, "LIFE-15 {id}");
    }
}

/// Rows LIFE-24, LIFE-27 and LIFE-29: one connection, and one unit, however a body is read.
#[test]
fn bodies_that_are_read() {
    type Read = fn(Response) -> String;
    let twice: Read = |mut response| {
        let first = String::from_utf8(response.load().unwrap().to_vec()).unwrap();
        let second = String::from_utf8(response.load().unwrap().to_vec()).unwrap();
        response.release();
        response.close();
        assert_eq!(response.data(), Some(second.as_bytes()));
        format!("{first}|{second}")
    };
    let parts: Read = |mut response| {
        let mut start = [0; 5];
        response.read_exact(&mut start).unwrap();
        format!("{}|{}", String::from_utf8(start.to_vec()).unwrap(), response.text().unwrap())
    };
    let streamed: Read = |mut response| {
        let pieces: Vec<_> = response.chunks(3).map(|piece| String::from_utf8(piece.unwrap()).unwrap()).collect();
        pieces.join("|")
    };
    let chunks = format!("{CHUNKED}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    let table: [(&str, Vec<u8>, Read, &str); 6] = [
        ("LIFE-24", ok("hello world"), twice, "hello world|hello world"),
        ("LIFE-24 chunks", chunks.clone().into(), twice, "hello world|hello world"),
        ("LIFE-27", ok("hello world"), parts, "hello| world"),
        ("LIFE-27 chunks", chunks.clone().into(), parts, "hello| world"),
        ("LIFE-29", chunks.into(), streamed, "hel|lo |wor|ld"),
        ("LIFE-29 a length", ok("hello world"), streamed, "hel|lo |wor|ld"),
    ];
    for (id, response, read, expected) in table {
        let server = Server::new(vec![answers(response)]);
        let pool = bodies_pool(&server);
        for n in 1..=2 {
            let response = pool.get("/").send().unwrap();
            assert_eq!((pool.stats().in_use, pool.stats().idle), (1, 0), "{id}");
            assert_eq!(read(response), expected, "{id}");
            let stats = pool.stats();
            assert_eq!((stats.in_use, stats.idle, stats.open, stats.created), (0, 1, 1, 1), "{id}");
            assert_eq!(server.seen.requests().len(), n, "{id}");
        }
        assert_eq!(server.seen.accepted(), 1, "{id}");
    }
}

/// Row LIFE-33: the server answers, and ends the connection, before it has read the body.
#[test]
fn bodies_that_are_not_read() {
    const LENGTH: usize = 4 << 20;
    let large = || vec![b'x'; LENGTH];
    type Make = fn(Vec<u8>) -> Body;
    let made: [(&str, Make, bool); 3] = [
        ("plain", |bytes| Body::from(bytes), false),
        ("a reader", |bytes| Body::sized(Cursor::new(bytes), LENGTH as u64), false),
        ("chunked", |bytes| Body::reader(Cursor::new(bytes)), true),
    ];
    let refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nno such".to_vec();
    let mut ends = vec![("half", vec![Step::HalfClose, Step::UntilClosed])];
    // Elsewhere what was received before a reset may be lost.
    if cfg!(target_os = "linux") {
        ends.push(("closed", vec![]));
    }
    for (end, steps) in ends {
        for (kind, make, chunked) in made {
            let server = Server::new(vec![
                [vec![Step::Head, Step::Bytes(100_000), Step::Send(refusal.clone())], steps.clone()].concat(),
                answers(ok("next")),
            ]);
            let pool = bodies_pool(&server);
            let response = pool.post("/").data(make(large())).chunked(chunked).send().unwrap();
            assert_eq!(response.status(), 404, "LIFE-33 {kind}, {end}");
            assert_eq!(response.text().unwrap(), "no such", "LIFE-33 {kind}, {end}");
            assert_eq!(pool.stats().in_use, 0, "LIFE-33 {kind}, {end}");
            assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "next", "LIFE-33 {kind}, {end}");
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

    use crate::support::{PATIENCE, Server, answers, ok, read_request, refusing, within_patience};

    /// Whether small segments leave at once, of the one socket of this process that is connected there.
    fn nodelay(peer: SocketAddr) -> bool {
        let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let mut found = files.filter_map(|file| {
            let number = file.file_name().to_str()?.parse().ok()?;
            // SAFETY: it is looked at and not closed. Should somebody close it meanwhile, the calls below fail or tell of
            // another socket, which has another peer.
            let socket = unsafe { BorrowedFd::borrow_raw(number) };
            let socket = socket2::SockRef::from(&socket);
            (socket.peer_addr().ok()?.as_socket()? == peer).then(|| socket.tcp_nodelay().unwrap())
        });
        let on = found.next().expect("the pool keeps its connection");
        assert_eq!(found.next(), None);
        on
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
                let builder = ConnectionPool::builder(&server.url(""));
                let builder = match options {
                    Some(options) => set(builder, options.to_vec()),
                    None => builder,
                };
                let pool = builder.build().unwrap();
                assert_eq!(pool.get("/").timeout(PATIENCE).send().unwrap().text().unwrap(), "fine", "{id}");
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
        let builder = || ConnectionPool::builder(&format!("http://{addr}"));
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
                pool.get("/").timeout(PATIENCE).send().unwrap();
                let seen = told.recv_timeout(PATIENCE).unwrap();
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
                let request = pool.get("/").timeout(PATIENCE);
                let error = within_patience(move || request.send()).expect_err(id);
                assert_eq!((error.kind(), error.phase()), (&ErrorKind::Connect, Phase::Connect), "{id}: {error}");
                assert!(!error.maybe_processed() && error.to_string().contains(text), "{id}: {error}");
                let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
                assert_eq!(source.kind(), kind, "{id}");
            }
        }
        assert!(told.try_recv().is_err());
    }
}

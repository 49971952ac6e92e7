//! The life of sockets under a pool (LIFE).

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

//! Requests and responses: whole, cut off, too long, early, interrupted.

use super::*;

/// A12.13, C63: the end of the stream, with and without a close_notify.
#[test]
fn truncation() {
    let head = |framing: &str| format!("HTTP/1.1 200 OK\r\n{framing}\r\n");
    let incomplete = |received, expected| Err(ErrorKind::incomplete_body(received, expected));
    let length = head("Content-Length: 5\r\n");
    let chunked = head("Transfer-Encoding: chunked\r\n");
    let close = head("");
    let table = [
        ("(a)", format!("{length}hello"), false, Ok("hello")),
        ("(a) short", format!("{length}hell"), false, incomplete(4, Some(5))),
        ("(a) short, close_notify", format!("{length}hell"), true, incomplete(4, Some(5))),
        ("(b)", format!("{chunked}5\r\nhello\r\n"), false, incomplete(5, None)),
        ("(b) close_notify", format!("{chunked}5\r\nhello\r\n"), true, incomplete(5, None)),
        ("(b) whole", format!("{chunked}5\r\nhello\r\n0\r\n\r\n"), false, Ok("hello")),
        ("(c) C63", format!("{close}hello"), false, incomplete(5, None)),
        ("(c) close_notify", format!("{close}hello"), true, Ok("hello")),
        ("(c) empty", close.clone(), false, incomplete(0, None)),
        ("(c) empty, close_notify", close.clone(), true, Ok("")),
    ];
    for (row, response, goodbye, expected) in table {
        without_hanging(move || {
            let authority = Authority::new();
            let server = TlsServer::new(authority.server(), move |peer| {
                peer.request()?;
                peer.send(&response)?;
                match goodbye {
                    true => peer.close(),
                    false => peer.tcp.shutdown(Shutdown::Write).and_then(|()| peer.until_closed()),
                }
            });
            let pool = server.pool(&authority.trusted());
            let body = pool.get("/").send().and_then(Response::text);
            let outcome = body.as_deref().map_err(|error| error.kind().clone());
            assert_eq!(outcome, expected, "{row}");
            if let Err(error) = body {
                assert_eq!((error.phase(), error.maybe_processed()), (Phase::Body, true), "{row}");
            }
            // A connection that ended is no use to the next request.
            assert_eq!(pool.stats().idle, usize::from(row == "(a)" || row == "(b) whole"), "{row}");
            let _ = pool.get("/").send().expect(row);
            assert_eq!(pool.stats().created, 2, "{row}");
            // Whoever accepts less than was announced does so from the peer alone, not from somebody on the way.
            let lenient = pool.get("/").enforce_content_length(false).send().and_then(Response::text);
            let short = row == "(a) short, close_notify";
            assert_eq!(lenient.as_deref().ok(), if short { Some("hell") } else { expected.ok() }, "{row}");
        });
    }
}

/// A7.1, A7.3: bytes behind a response never become part of the next one.
#[test]
fn surplus() {
    const HEAD: usize = 1000;
    let small = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    // A record that is filled by a body and what is behind it, so that the surplus stays inside rustls.
    let large = |length: usize| {
        let mut response = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nX: ").into_bytes();
        response.resize(HEAD - 4, b'x');
        response.extend(b"\r\n\r\n");
        response.extend(pattern(length));
        response
    };
    let whole = large(MIB);
    let (most, last) = whole.split_at(whole.len() - 10);
    // What is written at once arrives at once if it is small; each inner item is a record, or several if it is large.
    let write = |records: &[&[u8]]| records.iter().map(|record| record.to_vec()).collect::<Vec<_>>();
    let one = |records: &[&[u8]]| vec![vec![records.concat()]];
    let table = [
        ("same record", one(&[small.as_bytes(), evil.as_bytes()]), 64),
        ("same record, one byte", one(&[small.as_bytes(), b"x"]), 64),
        ("record behind it", vec![write(&[small.as_bytes(), evil.as_bytes()])], 64),
        ("no body", one(&[b"HTTP/1.1 204 No Content\r\n\r\n", evil.as_bytes()]), 64),
        ("chunked", one(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", evil.as_bytes()]), 64),
        ("large body, small reads", one(&[&whole, evil.as_bytes()]), 1000),
        ("large body, large reads", one(&[&whole, evil.as_bytes()]), MIB),
        ("large body, record behind it", vec![write(&[most]), write(&[last, evil.as_bytes()])], MIB),
        ("large body, record behind it, small reads", vec![write(&[most]), write(&[last, evil.as_bytes()])], 1000),
        ("body that fills the read-ahead", one(&[&large(16 * 1024 - HEAD), evil.as_bytes()]), 64),
        ("body a byte larger than that", one(&[&large(16 * 1024 - HEAD + 1), evil.as_bytes()]), 64 * 1024),
    ];
    for (row, writes, piece) in table {
        without_hanging(move || {
            let authority = Authority::new();
            let server = TlsServer::new(authority.server(), move |peer| {
                let request = peer.request()?;
                if peer.number > 0 {
                    peer.send(ok(&path(&request)))?;
                    return echo_path(peer);
                }
                for records in &writes {
                    let sealed: Vec<_> = records.iter().flat_map(|record| peer.seal(record)).collect();
                    peer.tcp.write_all(&sealed)?;
                }
                echo_path(peer)
            });
            let pool = server.pool(&authority.trusted());
            let mut response = pool.get("/1").send().unwrap();
            let mut buf = vec![0; piece];
            let mut body = Vec::new();
            loop {
                match response.read(&mut buf).unwrap() {
                    0 => break,
                    len => body.extend_from_slice(&buf[..len]),
                }
            }
            match body.len() {
                0 | 2 => assert!(body == b"ok" || body.is_empty(), "{row}"),
                len => assert!(body == pattern(len), "{row}"),
            }
            for path in ["/2", "/3"] {
                assert_eq!(get(&pool, path), path, "{row}");
            }
            let stats = pool.stats();
            assert_eq!((stats.created, stats.closed(CloseReason::UnexpectedBytes)), (2, 1), "{row}: {stats:?}");
        });
    }
}

// Large bodies

#[test]
fn large_downloads() {
    let authority = Authority::new();
    let body = Arc::new(pattern(8 * MIB));
    let server = TlsServer::new(authority.server(), {
        let body = body.clone();
        move |peer| {
            loop {
                let chunked = path(&peer.request()?) == "/chunked";
                if !chunked {
                    peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()))?;
                    peer.send(&*body)?;
                    continue;
                }
                peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                for chunk in body.chunks(70_001) {
                    let chunk = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
                    peer.send(chunk)?;
                }
                peer.send("0\r\n\r\n")?;
            }
        }
    });
    without_hanging(move || {
        let pool = server.pool(&authority.trusted());
        for path in ["/", "/chunked"] {
            for piece in [100, 4096, 16 * 1024 + 1, 300_000, 16 * MIB] {
                let mut response = pool.get(path).send().unwrap();
                let (mut buf, mut at) = (vec![0; piece], 0);
                loop {
                    let len = response.read(&mut buf).unwrap();
                    if len == 0 {
                        break;
                    }
                    assert!(buf[..len] == body[at..at + len], "{path} in pieces of {piece}: wrong bytes at {at}");
                    at += len;
                }
                assert_eq!(at, body.len(), "{path} in pieces of {piece}");
            }
            assert!(pool.get(path).send().unwrap().bytes().unwrap() == *body);
        }
        assert_eq!(pool.stats().created, 1);
    });
}

#[test]
fn large_uploads() {
    without_hanging(|| {
        let authority = Authority::new();
        let server = TlsServer::new(authority.server(), |peer| {
            loop {
                let request = peer.request()?;
                let start = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
                let intact = request[start..] == pattern(request.len() - start);
                peer.send(ok(&format!("{} {intact}", request.len() - start)))?;
            }
        });
        let pool = server.pool(&authority.trusted());
        // Around the size of a record, of what rustls takes at once, and of what the engine sends at once.
        let sizes = [1, 16_000, 16_384, 65_535, 65_536, 131_071, 131_072, 131_073, 8 * MIB];
        for size in sizes {
            let response = pool.post("/").data(pattern(size)).send().unwrap();
            assert_eq!(response.text().unwrap(), format!("{size} true"));
        }
        assert_eq!(pool.stats().created, 1);
    });
}

/// A7.13, C30, C31: a response that comes before the upload is over.
#[test]
fn early_answers() {
    let answer = |close: &str| format!("HTTP/1.1 413 Content Too Large\r\n{close}Content-Length: 5\r\n\r\nlarge");
    type End = fn(&mut Peer) -> io::Result<()>;
    let table: [(&str, String, End); 4] = [
        ("C30 closes", answer("Connection: close\r\n"), Peer::close),
        ("C30 closes and does not say so", answer(""), Peer::close),
        ("C31 stays, and reads the rest", answer(""), Peer::until_closed),
        ("C31 stays, and reads no more", answer(""), |_| Ok(())),
    ];
    for (row, answer, end) in table {
        without_hanging(move || {
            let authority = Authority::new();
            let (done, waiting) = mpsc::channel::<()>();
            let waiting = Mutex::new(waiting);
            let server = TlsServer::new(authority.server(), move |peer| {
                peer.read_exact(&mut [0; 100_000])?;
                peer.send(&answer)?;
                end(peer)?;
                let _ = waiting.lock().unwrap().recv();
                Ok(())
            });
            let pool = server.pool(&authority.trusted());
            let response = pool.post("/").data(vec![7; 64 * MIB]).send().expect(row);
            assert_eq!(response.status(), 413, "{row}");
            assert_eq!(response.text().unwrap(), "large", "{row}");
            assert_eq!((pool.stats().open, pool.stats().created), (0, 1), "{row}");
            drop(done);
        });
    }
}

/// C27: the connection breaks under the upload, but the answer has been sent.
#[test]
fn an_answer_behind_a_broken_pipe() {
    without_hanging(|| {
        let authority = Authority::new();
        let server = TlsServer::new(authority.server(), |peer| {
            peer.read_exact(&mut [0; 50_000])?;
            peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge")?;
            peer.until_closed()
        });
        let pool = pool_to(&server.url(), &server, Fault::Breaks(100_000), &authority.trusted());
        let response = pool.post("/").data(vec![7; MIB]).send().unwrap();
        assert_eq!(response.status(), 413);
        assert_eq!(response.text().unwrap(), "large");
        assert_eq!(pool.stats().open, 0);
    });
}

/// Input stops a send that finds no room, after rustls has taken the whole request: the rest of it leaves all the same.
#[test]
fn a_request_that_input_interrupts() {
    without_hanging(|| {
        let authority = Authority::new();
        let server = TlsServer::new(without_tickets(authority.server()), |peer| {
            let mut start = [0; 20];
            peer.read_exact(&mut start)?;
            peer.send("HTTP/1.1 103 Early Hints\r\n\r\n")?;
            let rest = read_rest(peer, 40_000)?;
            peer.send(ok(&rest.to_string()))
        });
        // The handshake and the first of three records.
        let pool = pool_to(&server.url(), &server, Fault::Stalls(20_000), &authority.trusted());
        let response = pool.post("/").data(vec![7; 40_000]).send().unwrap();
        assert_eq!(response.text().unwrap(), "40000");
    });
}

/// Reads to the end of a request of which the first line was read; its body, of that length, is all sevens.
fn read_rest(peer: &mut Peer, length: usize) -> io::Result<usize> {
    let mut buf = [0; 4096];
    let mut sevens = 0;
    while sevens < length {
        let len = peer.read(&mut buf)?;
        sevens += buf[..len].iter().filter(|byte| **byte == 7).count();
    }
    Ok(sevens)
}

// Other threads

/// One thread is blocked receiving while another sends, in both orders, with key updates in between.
#[test]
fn one_receives_while_another_sends() {
    #[derive(Debug)]
    struct Duplex(TlsDialer<To>);

    impl Dialer for Duplex {
        fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
            let transport = self.0.dial(target, context)?;
            let sent = pattern(4 * MIB);
            thread::scope(|scope| {
                let receiver = scope.spawn(|| {
                    let mut received = Vec::new();
                    let mut buf = vec![0; 20_000];
                    while received.len() < sent.len() {
                        let len = transport.recv(&mut buf, &context.wait()).unwrap();
                        assert!(len > 0);
                        received.extend_from_slice(&buf[..len]);
                    }
                    received
                });
                // The receiver is blocked by the time this arrives, or about to be.
                let mut at = 0;
                while at < sent.len() {
                    let piece = &sent[at..sent.len().min(at + 50_000)];
                    at += transport.send(&[IoSlice::new(piece)], &context.wait()).unwrap();
                }
                assert!(receiver.join().unwrap() == sent);
            });
            Ok(transport)
        }
    }

    without_hanging(|| {
        let authority = Authority::new();
        let server = TlsServer::new(authority.server(), |peer| {
            let mut buf = vec![0; 100_000];
            let (mut left, mut updates) = (4 * MIB, 0);
            while left > 0 {
                let len = peer.read(&mut buf)?;
                left -= len;
                peer.send(&buf[..len])?;
                // OpenSSL answers each of them, and rustls as a server takes 32 answers without data between them.
                if left.is_multiple_of(7) && updates < 30 {
                    updates += 1;
                    peer.tls.refresh_traffic_keys().map_err(io::Error::other)?;
                }
            }
            echo_path(peer)
        });
        let dialer = Duplex(TlsDialer::new(To::new(&server, Fault::None), authority.trusted()));
        let pool =
            ConnectionPool::builder(server.url()).retries(hostpool::Retry::off()).dialer(dialer).build().unwrap();
        assert_eq!(get(&pool, "/"), "/");
    });
}

/// `close` reaches a thread that is blocked below TLS, wherever it is.
#[test]
fn close_ends_a_blocked_call() {
    for (row, phase) in [("handshake", Phase::Tls), ("head", Phase::Head), ("body", Phase::Body)] {
        without_hanging(move || {
            let authority = Authority::new();
            let (tell, told) = mpsc::channel();
            let tell = Mutex::new(tell);
            let (url, _servers) = match phase {
                Phase::Tls => {
                    let server = Server::new(vec![vec![Step::Bytes(1), Step::Tell("hello"), Step::Pause(GIVE_UP)]]);
                    (format!("https://{}", server.addr), (Some(server), None))
                }
                _ => {
                    let server = TlsServer::new(authority.server(), move |peer| {
                        peer.request()?;
                        if phase == Phase::Body {
                            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")?;
                        }
                        tell.lock().unwrap().send(()).unwrap();
                        peer.until_closed()
                    });
                    (server.url(), (None, Some(server)))
                }
            };
            let session = Session::builder().tls(authority.trusted()).build().unwrap();
            let pools = session.connector().unwrap().clone();
            let call = thread::spawn({
                let session = session.clone();
                move || session.get(&url).send().and_then(Response::bytes)
            });
            match &_servers.0 {
                Some(server) => server.wait_for("hello"),
                None => told.recv().unwrap(),
            }
            // Long enough that the call is blocked; should it not be, the test is only weaker.
            thread::sleep(Duration::from_millis(50));
            session.close();
            let error = call.join().unwrap().expect_err(row);
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Closed, phase), "{row}: {error}");
            assert_eq!(pools.stats().open, 0, "{row}");
        });
    }
}

/// A response that a thread's own destructors drop, before and after those of this crate.
#[test]
fn dropped_with_the_thread() {
    thread_local! {
        static EARLY: RefCell<Option<Response>> = const { RefCell::new(None) };
        static LATE: RefCell<Option<Response>> = const { RefCell::new(None) };
    }
    without_hanging(|| {
        let authority = Authority::new();
        let server = TlsServer::new(authority.server(), |peer| {
            loop {
                peer.request()?;
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n")?;
                peer.send(vec![7; 40_000])?;
            }
        });
        let pool = server.pool(&authority.trusted());
        for cell in [&EARLY, &LATE] {
            let pool = pool.clone();
            let thread = thread::spawn(move || {
                // Touched first, so that its destructor is known before any other, or last.
                EARLY.with(|_| ());
                let response = pool.get("/").send().unwrap();
                cell.with(|cell| *cell.borrow_mut() = Some(response));
            });
            thread.join().unwrap();
        }
        assert_eq!(pool.stats().in_use, 0);
    });
}

/// RFC 8446, section 6: who leaves says so, and why.
#[test]
fn what_the_server_hears_last() {
    let authority = Authority::new();
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let server = TlsServer::new(authority.server(), move |peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")?;
        if peer.number == 0 {
            peer.send(pattern(100_000))?;
        }
        let end = peer.read(&mut [0]).map_err(|error| error.kind());
        tell.lock().unwrap().send(end).unwrap();
        Ok(())
    });
    let pool = server.pool(&authority.trusted());
    assert_eq!(pool.get("/").send().unwrap().bytes().unwrap(), pattern(100_000));
    drop(pool);
    assert_eq!(told.recv_timeout(GIVE_UP), Ok(Ok(0)), "a close_notify for an idle connection");
    drop(server.pool(&authority.trusted()).get("/").send().unwrap());
    assert_eq!(told.recv_timeout(GIVE_UP), Ok(Ok(0)), "a close_notify for a body that nobody reads");
    server.pool(&Authority::new().trusted()).get("/").send().unwrap_err();
    support::eventually("the alert", || !server.seen.errors().is_empty());
    let alert = server.seen.errors().remove(0);
    assert!(alert.contains("fatal alert"), "{alert}");
}

/// LIFE-17: a read that waits is ended by another thread.
#[test]
fn shut_down_by_another_thread() {
    let authority = Authority::new();
    let server = TlsServer::new(authority.server(), |peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")?;
        peer.until_closed()
    });
    // Without a timeout: nothing else ends the wait.
    let pool = ConnectionPool::builder(server.url()).tls(authority.trusted()).build().unwrap();
    let mut response = pool.get("/").send().unwrap();
    response.read_exact(&mut [0; 5]).unwrap();
    let handle = response.shutdown_handle().unwrap();
    let reader = thread::spawn(move || response.bytes().unwrap_err());
    assert!(handle.shutdown());
    assert!(without_hanging(move || reader.join().unwrap()).is_closed());
    assert_eq!((handle.shutdown(), pool.stats().open), (false, 0));
}

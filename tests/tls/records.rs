//! Records that are no data: on idle connections, forged, without end.

use super::*;

/// A7.14, C66: what arrives while a connection is idle, and what becomes of the connection.
#[test]
fn idle_connections() {
    type Act = fn(&mut Peer) -> io::Result<()>;
    let table: [(&str, Act, Option<CloseReason>); 7] = [
        (
            "key update",
            |peer| peer.tls.refresh_traffic_keys().map_err(io::Error::other).and_then(|()| peer.flush()),
            None,
        ),
        (
            "many key updates",
            |peer| {
                (0..20).try_for_each(|_| {
                    peer.tls.refresh_traffic_keys().map_err(io::Error::other)?;
                    peer.flush()
                })
            },
            None,
        ),
        ("close_notify", Peer::goodbye, Some(CloseReason::PeerClosed)),
        ("end without one", |peer| peer.tcp.shutdown(Shutdown::Write), Some(CloseReason::PeerClosed)),
        ("a response to nothing", |peer| peer.send(ok("evil")), Some(CloseReason::UnexpectedBytes)),
        ("garbage", |peer| peer.tcp.write_all(b"garbage"), Some(CloseReason::PeerClosed)),
        (
            "key update and a byte",
            |peer| {
                peer.tls.refresh_traffic_keys().map_err(io::Error::other)?;
                peer.send("x")
            },
            Some(CloseReason::UnexpectedBytes),
        ),
    ];
    for (row, act, closed) in table {
        without_hanging(move || {
            let authority = Authority::new();
            let (tell, told) = mpsc::channel();
            let (go, gate) = mpsc::channel();
            let server = TlsServer::new(authority.server(), {
                let (gate, tell) = (Mutex::new(gate), Mutex::new(tell));
                move |peer| {
                    let request = peer.request()?;
                    peer.send(ok(&path(&request)))?;
                    if peer.number == 0 {
                        gate.lock().unwrap().recv().unwrap();
                        let _ = act(peer);
                        tell.lock().unwrap().send(()).unwrap();
                    }
                    echo_path(peer)
                }
            });
            let to = To::new(&server, Fault::None);
            let pool = pool_by(&server.url(), to.clone(), &authority.trusted());
            assert_eq!(get(&pool, "/1"), "/1", "{row}");
            go.send(()).unwrap();
            told.recv().unwrap();
            to.wait_for_input(0);
            // A POST would not be sent again: what is wrong with the connection is seen before.
            assert_eq!(pool.post("/2").send().unwrap().text().unwrap(), "/2", "{row}");
            assert_eq!(get(&pool, "/3"), "/3", "{row}");
            let stats = pool.stats();
            assert_eq!((stats.created, stats.replayed), (1 + u64::from(closed.is_some()), 0), "{row}: {stats:?}");
            assert!(closed.is_none_or(|reason| stats.closed(reason) == 1), "{row}: {stats:?}");
        });
    }
}

/// A record that is nobody's data, in the same segment as the end of a response, costs nothing.
#[test]
fn a_key_update_behind_a_response() {
    let authority = Authority::new();
    // Plaintext of one record, with 22 bytes to come. rustls takes ciphertext in pieces of 4096 bytes, so that the key
    // update may be left over.
    for length in [500, 4096 - 23, 4096 - 22, 4096 - 21, 8192 - 22, 16_000] {
        let server = TlsServer::new(authority.server(), move |peer| {
            loop {
                peer.request()?;
                let mut response = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX: ".to_vec();
                response.resize(length - 104, b'x');
                response.extend(b"\r\n\r\n");
                response.extend(pattern(100));
                let mut records = peer.seal(&response);
                peer.tls.refresh_traffic_keys().unwrap();
                records.extend(peer.seal(b""));
                peer.tcp.write_all(&records)?;
            }
        });
        let pool = server.pool(&authority.trusted());
        for _ in 0..5 {
            assert_eq!(pool.get("/").send().unwrap().bytes().unwrap(), pattern(100));
        }
        assert_eq!(pool.stats().created, 1, "{length}");
    }
}

// Handshakes that fail

/// Answers a request with what the function makes.
fn forging(make: impl Fn(&mut tls::Forger) -> Vec<u8> + Send + Sync + 'static) -> (TlsServer, ConnectionPool) {
    let authority = Authority::new();
    let server = TlsServer::new(without_tickets(authority.server()), move |peer| {
        peer.request()?;
        let records = make(&mut peer.forge());
        peer.tcp.write_all(&records)?;
        peer.until_closed()
    });
    let pool = server.pool(&authority.trusted());
    (server, pool)
}

/// C19, C20, RSP-33: an alert or a broken record behind the handshake.
#[test]
fn broken_records() {
    const DATA: ContentType = ContentType::ApplicationData;
    type Make = fn(&mut tls::Forger) -> Vec<u8>;
    let table: [(&str, Make, Phase, Option<&str>); 7] = [
        ("C19", |forger| forger.record(ContentType::Alert, &[2, 49]), Phase::Head, None),
        ("C20 garbage", |_| b"garbage, and more of it".to_vec(), Phase::Head, None),
        ("C20 forged", |_| [&[23, 3, 3, 0, 40][..], &[7; 40]].concat(), Phase::Head, None),
        (
            "inside the head",
            |forger| [forger.record(DATA, b"HTTP/1.1 200 OK\r\n"), vec![7; 100]].concat(),
            Phase::Head,
            None,
        ),
        (
            "inside the body",
            |forger| [forger.record(DATA, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), vec![7; 100]].concat(),
            Phase::Body,
            Some("half"),
        ),
        (
            "behind the body",
            |forger| [forger.record(DATA, &ok("whole")), vec![7; 100]].concat(),
            Phase::Body,
            Some("whole"),
        ),
        (
            "alert behind the body",
            |forger| [forger.record(DATA, &ok("whole")), forger.record(ContentType::Alert, &[2, 80])].concat(),
            Phase::Body,
            Some("whole"),
        ),
    ];
    for (row, make, phase, body) in table {
        without_hanging(move || {
            let (_server, pool) = forging(make);
            match (pool.get("/").send(), body) {
                (Ok(mut response), Some(body)) => {
                    // What came in good order is handed out, whatever came behind it.
                    let mut read = vec![0; body.len()];
                    response.read_exact(&mut read).expect(row);
                    assert_eq!(String::from_utf8_lossy(&read), body, "{row}");
                    let rest = response.bytes();
                    match body {
                        "whole" => assert_eq!(rest.unwrap(), b"", "{row}"),
                        _ => {
                            let error = rest.expect_err(row);
                            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Tls, phase), "{row}: {error}");
                            assert!(std::error::Error::source(&error).is_some(), "{row}: RSP-33");
                        }
                    }
                }
                (Err(error), None) => {
                    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Tls, phase), "{row}: {error}");
                    assert!(error.maybe_processed(), "{row}");
                }
                (result, _) => panic!("{row}: {result:?}"),
            }
            assert_eq!((pool.stats().open, pool.stats().created), (0, 1), "{row}");
        });
    }
}

/// C20: empty records without end are refused, and session tickets without end do not hide the end of the time.
#[test]
fn endless_records() {
    // Lifetime, age, nonce, ticket, extensions (RFC 8446, section 4.6.1).
    const TICKET: &[u8] = &[4, 0, 0, 16, 0, 0, 1, 0, 0, 0, 0, 0, 1, 9, 0, 2, 7, 7, 0, 0];
    let total = ErrorKind::Timeout(Bound::Total);
    let table = [
        ("empty", ContentType::ApplicationData, &b""[..], 0, ErrorKind::Tls),
        ("tickets", ContentType::Handshake, TICKET, 0, total.clone()),
        ("tickets during an upload", ContentType::Handshake, TICKET, 64 * MIB, total),
    ];
    for (row, typ, payload, upload, kind) in table {
        without_hanging(move || {
            let authority = Authority::new();
            let server = TlsServer::new(without_tickets(authority.server()), move |peer| {
                peer.read_exact(&mut [0; 16])?;
                let mut forger = peer.forge();
                loop {
                    let records: Vec<_> = (0..500).flat_map(|_| forger.record(typ, payload)).collect();
                    peer.tcp.write_all(&records)?;
                }
            });
            let pool = server.pool(&authority.trusted());
            let error = pool.post("/").data(vec![0; upload]).timeout(Duration::from_secs(1)).send().expect_err(row);
            assert_eq!(error.kind(), &kind, "{row}: {error}");
            assert_eq!(pool.stats().open, 0, "{row}");
        });
    }
}

// Ends

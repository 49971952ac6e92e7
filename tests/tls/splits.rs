//! The same records in other pieces, and ends at every place between them.

use proptest::prelude::*;

use super::*;

/// Receives in pieces that end so many bytes after the last send. What is sent last before a response is its request,
/// so that the places are those of the response's bytes.
#[derive(Clone, Debug)]
struct Cut {
    addr: SocketAddr,
    places: Arc<Mutex<Vec<usize>>>,
}

impl Cut {
    fn pool(server: &TlsServer, authority: &Authority) -> (Cut, ConnectionPool) {
        let cut = Cut { addr: server.addr, places: Arc::default() };
        let dialer = TlsDialer::new(cut.clone(), authority.trusted());
        let pool =
            ConnectionPool::builder(server.url()).retries(hostpool::Retry::off()).dialer(dialer).timeout(GIVE_UP);
        let pool = pool.build().unwrap();
        (cut, pool)
    }

    /// `places` are in order.
    fn at(&self, places: impl IntoIterator<Item = usize>) {
        *self.places.lock().unwrap() = places.into_iter().collect();
    }
}

impl Dialer for Cut {
    fn dial(&self, _: &Target<'_>, _: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        let tcp = TcpStream::connect(self.addr).unwrap();
        Ok(Box::new(Pieces { tcp, at: AtomicUsize::new(0), cut: self.clone() }))
    }
}

#[derive(Debug)]
struct Pieces {
    tcp: TcpStream,
    at: AtomicUsize,
    cut: Cut,
}

impl Transport for Pieces {
    fn recv(&self, buf: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
        let at = self.at.load(Ordering::SeqCst);
        let next = self.cut.places.lock().unwrap().iter().find(|place| **place > at).copied();
        let most = next.map_or(buf.len(), |place| buf.len().min(place - at));
        let len = (&self.tcp).read(&mut buf[..most])?;
        self.at.fetch_add(len, Ordering::SeqCst);
        Ok(len)
    }

    fn send(&self, bufs: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
        self.at.store(0, Ordering::SeqCst);
        (&self.tcp).write(bufs.iter().find(|buf| !buf.is_empty()).map_or(&[], |buf| buf))
    }

    fn probe(&self) -> Probe {
        self.tcp.set_nonblocking(true).unwrap();
        let peeked = self.tcp.peek(&mut [0]);
        self.tcp.set_nonblocking(false).unwrap();
        match peeked {
            Ok(1..) => Probe::Readable,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Probe::Quiet,
            _ => Probe::Dead,
        }
    }

    fn abort(&self) {
        let _ = self.tcp.shutdown(Shutdown::Both);
    }
}

/// A part of what the server sends.
#[derive(Clone, Debug)]
enum Part {
    Data(usize),
    KeyUpdate,
}

/// The head in a record of its own, the parts, and the records that they make.
fn seal(peer: &mut Peer, parts: &[Part]) -> Vec<u8> {
    let length = body(parts).len();
    let mut records = peer.seal(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes());
    let mut at = 0;
    for part in parts {
        match part {
            Part::Data(len) => {
                records.extend(peer.seal(&pattern(at + len)[at..]));
                at += len;
            }
            Part::KeyUpdate => {
                peer.tls.refresh_traffic_keys().unwrap();
                records.extend(peer.seal(b""));
            }
        }
    }
    records
}

fn body(parts: &[Part]) -> Vec<u8> {
    pattern(parts.iter().map(|part| if let Part::Data(len) = part { *len } else { 0 }).sum())
}

/// Reads to the end, by reads of this size.
fn read(pool: &ConnectionPool, room: usize) -> Result<Vec<u8>, (Vec<u8>, ErrorKind)> {
    let mut response = pool.get("/").send().map_err(|error| (Vec::new(), error.kind().clone()))?;
    let (mut got, mut buf) = (Vec::new(), vec![0; room]);
    loop {
        match response.read(&mut buf) {
            Ok(0) => return Ok(got),
            Ok(len) => got.extend_from_slice(&buf[..len]),
            Err(error) => return Err((got, Error::from_io(&error).expect("ours").kind().clone())),
        }
    }
}

/// Answers every request with what `parts` are at that time.
fn serving(config: rustls::ServerConfig, parts: Arc<Mutex<Vec<Part>>>) -> TlsServer {
    TlsServer::new(config, move |peer| {
        loop {
            peer.request()?;
            let records = seal(peer, &parts.lock().unwrap().clone());
            peer.tcp.write_all(&records)?;
        }
    })
}

#[test]
fn records_that_are_cut_at_every_byte() {
    use rustls::version::{TLS12, TLS13};
    let key_update: &[Part] = &[Part::Data(40), Part::KeyUpdate, Part::KeyUpdate, Part::Data(30), Part::KeyUpdate];
    let data: &[Part] = &[Part::Data(40), Part::Data(1), Part::Data(30)];
    for (versions, parts) in [([&TLS13], key_update), ([&TLS13], data), ([&TLS12], data)] {
        without_hanging(move || {
            let authority = Authority::new();
            let config = without_tickets(authority.leaf(&[ip("127.0.0.1")]).server(&versions));
            let server = serving(config, Arc::new(Mutex::new(parts.to_vec())));
            let (cut, pool) = Cut::pool(&server, &authority);
            // More places than there are bytes.
            for place in 1..300 {
                cut.at([place]);
                assert_eq!(read(&pool, 16), Ok(body(parts)), "cut at {place}");
            }
            cut.at(1..300);
            assert_eq!(read(&pool, 4096), Ok(body(parts)), "byte by byte");
            assert_eq!(pool.stats().created, 1);
        });
    }
}

/// Whatever the records are, wherever they are cut, and however the caller reads: the same bytes come, and the
/// connection stays.
#[test]
fn any_records_in_any_pieces() {
    without_hanging(|| {
        let authority = Authority::new();
        let parts = Arc::new(Mutex::new(Vec::new()));
        let server = serving(without_tickets(authority.server()), parts.clone());
        let (cut, pool) = Cut::pool(&server, &authority);
        let part = prop_oneof![
            3 => (1_usize..300).prop_map(Part::Data),
            3 => (16_000_usize..50_000).prop_map(Part::Data),
            2 => Just(Part::KeyUpdate),
        ];
        let lengths = prop_oneof![1_usize..60, 4000_usize..40_000];
        let strategy = (
            prop::collection::vec(part, 0..6),
            prop::collection::vec(lengths, 0..20),
            prop_oneof![1_usize..300, 4000_usize..100_000],
        );
        let config = proptest::test_runner::Config { cases: 64, failure_persistence: None, ..Default::default() };
        let outcome = proptest::test_runner::TestRunner::new(config).run(&strategy, |(script, lengths, room)| {
            *parts.lock().unwrap() = script.clone();
            cut.at(lengths.iter().scan(0, |at, len| {
                *at += len;
                Some(*at)
            }));
            prop_assert!(read(&pool, room) == Ok(body(&script)));
            prop_assert_eq!(pool.stats().created, 1);
            Ok(())
        });
        outcome.unwrap();
    });
}

/// C63: a close_notify in front of each record of a response. What comes after it does not count.
#[test]
fn a_close_notify_at_every_place() {
    type Row = (&'static str, &'static str, [&'static str; 2], [Result<&'static str, ErrorKind>; 3]);
    let incomplete = |received, expected| Err(ErrorKind::incomplete_body(received, expected));
    let table: [Row; 3] = [
        (
            "length",
            "Content-Length: 8\r\n\r\n",
            ["half", "rest"],
            [incomplete(0, Some(8)), incomplete(4, Some(8)), Ok("halfrest")],
        ),
        (
            "chunked",
            "Transfer-Encoding: chunked\r\n\r\n",
            ["4\r\nhalf\r\n", "4\r\nrest\r\n0\r\n\r\n"],
            [incomplete(0, None), incomplete(4, None), Ok("halfrest")],
        ),
        ("close", "Connection: close\r\n\r\n", ["half", "rest"], [Ok(""), Ok("half"), Ok("halfrest")]),
    ];
    for (row, framing, pieces, bodies) in table {
        for (place, more, bytewise) in
            (0..5).flat_map(|place| [(false, false), (true, false), (true, true)].map(|it| (place, it.0, it.1)))
        {
            let bodies = bodies.clone();
            without_hanging(move || {
                let what = format!("{row}, in front of record {place}, more: {more}, byte by byte: {bytewise}");
                let authority = Authority::new();
                let server = TlsServer::new(without_tickets(authority.server()), move |peer| {
                    peer.request()?;
                    let mut records = Vec::new();
                    for (number, text) in ["HTTP/1.1 200 OK\r\n", framing, pieces[0], pieces[1], ""].iter().enumerate()
                    {
                        if number == place {
                            peer.tls.send_close_notify();
                        }
                        if number <= place || more {
                            let text = if number < place || more { text } else { "" };
                            records.extend(peer.seal(text.as_bytes()));
                        }
                    }
                    peer.tcp.write_all(&records)?;
                    peer.until_closed()
                });
                let (cut, pool) = Cut::pool(&server, &authority);
                cut.at(1..if bytewise { 400 } else { 1 });
                let outcome = pool.get("/").send().and_then(Response::text);
                match (place.checked_sub(2), outcome) {
                    (Some(at), outcome) => {
                        assert_eq!(
                            outcome.as_deref().map_err(|error| error.kind()),
                            bodies[at].as_ref().copied(),
                            "{what}"
                        );
                    }
                    (None, Err(error)) => assert_eq!(error.phase(), Phase::Head, "{what}: {error}"),
                    (None, outcome) => panic!("{what}: {outcome:?}"),
                }
                let _ = pool.get("/").send();
                assert_eq!(pool.stats().created, 2, "{what}");
            });
        }
    }
}

/// Tickets between the records of a response, and behind it, are nobody's data.
#[test]
fn tickets_between_records() {
    const TICKET: &[u8] = &[4, 0, 0, 16, 0, 0, 1, 0, 0, 0, 0, 0, 1, 9, 0, 2, 7, 7, 0, 0];
    for (size, room) in [(3, 1), (3, 64), (5000, 100), (16_384, 16_384), (16_384, 65_536)] {
        without_hanging(move || {
            let authority = Authority::new();
            let server = TlsServer::new(without_tickets(authority.server()), move |peer| {
                peer.request()?;
                let mut forger = peer.forge();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 20 * size);
                let body = pattern(20 * size);
                let mut records = forger.record(ContentType::ApplicationData, head.as_bytes());
                for piece in body.chunks(size) {
                    records.extend(forger.record(ContentType::Handshake, TICKET));
                    records.extend(forger.record(ContentType::ApplicationData, piece));
                }
                records.extend(forger.record(ContentType::Handshake, TICKET));
                peer.tcp.write_all(&records)?;
                peer.until_closed()
            });
            let (_, pool) = Cut::pool(&server, &authority);
            assert!(read(&pool, room) == Ok(pattern(20 * size)), "records of {size}, read by {room}");
            assert_eq!(pool.stats().idle, 1, "records of {size}, read by {room}");
        });
    }
}

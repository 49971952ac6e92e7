//! How often a request on a kept connection asks for memory, exactly.
//!
//! The counting allocator is why this target may use `unsafe`.

#[path = "support/alloc.rs"]
mod alloc;
mod support;
#[cfg(feature = "rustls")]
#[path = "support/tls.rs"]
mod tls;

use std::io::{self, IoSlice, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use alloc::{counted, reset_peak};
use hostpool::multipart::{Form, Part};
use hostpool::{
    CancelToken, ConnectionPool, DialContext, Dialer, ErrorKind, PoolManager, Probe, Session, Target, Timeout,
    Transport, Wait,
};
use support::{GIVE_UP, Server, Step, answer, answers, eventually};

/// Calls and bytes of this thread for one run of `work`, after some to warm up: always the same.
fn measure(mut work: impl FnMut()) -> (usize, usize) {
    (0..5).for_each(|_| work());
    let mut seen = Vec::with_capacity(20);
    for _ in 0..20 {
        let before = counted();
        work();
        let after = counted();
        seen.push((after.calls - before.calls, after.bytes - before.bytes));
    }
    assert!(seen.iter().all(|run| *run == seen[0]), "{seen:?}");
    seen[0]
}

fn response(fields: usize, body: &str) -> String {
    let fields: String = (0..fields).map(|n| format!("X-Header-Number-{n}: value of it\r\n")).collect();
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[cfg(feature = "gzip")]
fn gzip(body: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[cfg(feature = "gzip")]
fn coded(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn a_small_get_on_a_kept_connection() {
    let body = "x".repeat(100);
    let server = Server::new(vec![answers(response(7, &body))]);
    let url = server.url("/path");
    let session = Session::new();
    let mut buf = [0; 256];
    let (calls, bytes) = measure(|| {
        let mut response = session.get(&*url).send().unwrap();
        let mut len = 0;
        while let n @ 1.. = response.read(&mut buf[len..]).unwrap() {
            len += n;
        }
        assert_eq!(len, 100);
    });
    // The URL's text, the response head's bytes, the places of its fields, and the state of the response.
    assert_eq!(calls, 4);
    assert!(bytes <= 1032, "{bytes}");
    let (calls, bytes) = measure(|| assert_eq!(session.get(&*url).send().unwrap().bytes().unwrap().len(), 100));
    // The same, and the body.
    assert_eq!(calls, 5);
    assert!(bytes <= 1200, "{bytes}");
}

#[test]
fn timeouts_and_many_fields_cost_no_further_one() {
    let bounds =
        Timeout::new().total(GIVE_UP).pool(GIVE_UP).connect(GIVE_UP).write(GIVE_UP).head(GIVE_UP).read(GIVE_UP);
    for fields in [7, 60] {
        let server = Server::new(vec![answers(response(fields, "small"))]);
        let url = server.url("/path");
        let session = Session::builder().timeout(bounds).build().unwrap();
        let (calls, _) = measure(|| drop(session.get(&*url).send().unwrap().bytes().unwrap()));
        assert_eq!(calls, 5, "{fields} fields");
    }
}

/// One token for every call of a session: no call allocates for it, and none leaves anything with it.
#[test]
fn a_token_costs_no_further_one() {
    let server = Server::new(vec![answers(response(7, "small"))]);
    let (url, session, token) = (server.url("/path"), Session::new(), CancelToken::new());
    let get = || drop(session.get(&*url).cancel_with(&token).send().unwrap().bytes().unwrap());
    let (calls, _) = measure(get);
    assert_eq!(calls, 5);
    let before = counted().live;
    (0..1000).for_each(|_| get());
    assert_eq!(counted().live, before);
}

/// A server in memory. Each `send` is a request, whose answer comes in one piece.
#[derive(Debug, Default)]
struct Memory(AtomicUsize);

const IN_MEMORY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmall";

impl Transport for Memory {
    fn recv(&self, buf: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
        assert_eq!(self.0.swap(0, Ordering::Relaxed), 1, "nothing comes without a request");
        io::copy(&mut &*IN_MEMORY, &mut &mut *buf).map(|len| len as usize)
    }

    fn send(&self, bufs: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn probe(&self) -> Probe {
        Probe::Quiet
    }

    fn abort(&self) {}
}

#[derive(Debug)]
struct InMemory;

impl Dialer for InMemory {
    fn dial(&self, _: &Target<'_>, _: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        Ok(Box::new(Memory::default()))
    }
}

/// Ten thousand hosts in turn, each with its connection: the tables of hosts forget none of them, although other hosts
/// come and go.
#[test]
fn many_hosts_cost_as_much_as_one() {
    const HOSTS: usize = 10_000;
    let manager = PoolManager::builder().num_pools(None).max_idle(HOSTS + 200).dialer(InMemory).build().unwrap();
    let get = |url: &str| {
        let before = counted().calls;
        drop(manager.get(url).send().unwrap().bytes().unwrap());
        counted().calls - before
    };
    let urls: Vec<String> = (0..HOSTS).map(|host| format!("http://host-{host}/")).collect();
    for url in &urls {
        get(url);
    }
    let (one, _) = measure(|| drop(manager.get(&*urls[0]).send().unwrap().bytes().unwrap()));
    for round in 0..2 {
        for (number, url) in urls.iter().enumerate() {
            assert_eq!(get(url), one, "{round}: {url}");
            if number % 100 == 0 {
                get(&format!("http://other-{round}-{number}/"));
            }
        }
    }
}

/// All that a client keeps for a host and its one idle connection, the transport apart.
#[test]
fn an_idle_connection_with_a_host_of_its_own() {
    let manager = PoolManager::builder().num_pools(None).dialer(InMemory).build().unwrap();
    let live = |hosts: std::ops::Range<usize>| {
        for host in hosts {
            let url = format!("http://127.1.{}.{}:8080/", host >> 8, host & 0xff);
            drop(manager.get(url).send().unwrap().bytes().unwrap());
        }
        counted().live
    };
    let (few, many) = (live(0..100), live(100..1000));
    let each = (many - few) / 900;
    assert!(each <= 1024, "{each} bytes");
}

/// A call that waits for a connection costs what one that finds it idle does.
#[test]
fn a_wait_costs_no_further_one() {
    let manager = PoolManager::builder().limit(1).pool_timeout(GIVE_UP).dialer(InMemory).build().unwrap();
    let get = || manager.get("http://host/").send().unwrap();
    // The client gets the buffers of two exchanges: the first gives its own back after its connection.
    let both = ["http://a/", "http://b/"].map(|url| manager.get(url).send().unwrap());
    both.into_iter().for_each(|response| drop(response.bytes().unwrap()));
    let (idle, _) = measure(|| drop(get().bytes().unwrap()));
    let (begin, begins) = mpsc::channel();
    let (end, ends) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            for () in begins {
                let before = counted().calls;
                drop(get().bytes().unwrap());
                end.send(counted().calls - before).unwrap();
            }
        });
        let mut costs = Vec::new();
        for _ in 0..10 {
            let held = get();
            begin.send(()).unwrap();
            eventually("a wait", || manager.stats().waiting == 1);
            drop(held.bytes().unwrap());
            costs.push(ends.recv().unwrap());
        }
        drop(begin);
        // The first wait of a thread makes what later ones use.
        assert!(costs[2..].iter().all(|cost| *cost == idle), "{costs:?}");
    });
    assert_eq!(manager.stats().handed_over, 10);
}

#[test]
fn a_large_body_costs_no_more_than_a_small_one() {
    let chunk = format!("{:x}\r\n{}\r\n", 100_000, "x".repeat(100_000));
    let chunked = |n| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(n));
    let mut calls = Vec::new();
    for bytes in [response(7, "small"), response(7, &"x".repeat(4_000_000)), chunked(1), chunked(40)] {
        let server = Server::new(vec![answers(bytes)]);
        let url = server.url("/path");
        let session = Session::new();
        let mut buf = vec![0; 64 * 1024];
        calls.push(
            measure(|| {
                let mut response = session.get(&*url).send().unwrap();
                while response.read(&mut buf).unwrap() > 0 {}
            })
            .0,
        );
    }
    assert_eq!(calls, [4, 4, 4, 4]);
}

/// Whatever the length, a body goes to a writer through one buffer.
#[test]
fn a_copied_body_costs_one_buffer() {
    for len in [100_000, 4_000_000] {
        let server = Server::new(vec![answers(response(7, &"x".repeat(len)))]);
        let url = server.url("/path");
        let session = Session::new();
        let (calls, bytes) = measure(|| {
            assert_eq!(session.get(&*url).send().unwrap().copy_to(&mut std::io::sink()).unwrap(), len as u64);
        });
        assert_eq!(calls, 5);
        assert!(bytes <= 66 * 1024, "{bytes}");
    }
}

/// Pieces and lines that the caller allows to be long grow with what arrives, and a line that never ends is bounded.
#[test]
fn pieces_and_lines_cost_what_they_hold() {
    let endless = vec![
        Step::Request,
        Step::Send("HTTP/1.1 200 OK\r\n\r\n".into()),
        Step::Forever(vec![Step::Send(b"x".repeat(10_000))]),
    ];
    let server = Server::new(vec![answer(response(7, "small")), endless]);
    let session = Session::builder().timeout(GIVE_UP).build().unwrap();
    reset_peak();
    let before = counted().live;
    let mut small = hostpool::get(server.url("/")).send().unwrap();
    assert_eq!(small.chunks(usize::MAX).next().unwrap().unwrap(), b"small");
    assert!(counted().peak - before < 256 * 1024);
    drop(small);
    reset_peak();
    let before = counted().live;
    let mut long = session.get(server.url("/")).send().unwrap();
    let error = long.lines().next().unwrap().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::LimitExceeded(hostpool::Limit::LineBytes));
    assert!(counted().peak - before < 4 << 20, "{}", counted().peak - before);
}

/// A decoder is used again: a coded body costs the same calls as another one, and its own length.
#[cfg(feature = "gzip")]
#[test]
fn a_coded_body_costs_no_decoder() {
    let server = Server::new(vec![answers(coded(&gzip(&vec![b'x'; 100 * 1024])))]);
    let url = server.url("/path");
    let session = Session::new();
    let mut buf = vec![0; 64 * 1024];
    let (calls, _) = measure(|| {
        let mut response = session.get(&*url).send().unwrap();
        while response.read(&mut buf).unwrap() > 0 {}
    });
    assert_eq!(calls, 4);
}

/// Rows A9.3 and B137: ten GB of ten MB cost no memory, read piece by piece, and no more than was allowed as a whole.
#[cfg(feature = "gzip")]
#[test]
fn bombs_cost_little() {
    let mega = vec![0; 1 << 20];
    let bombs = [gzip(&mega).repeat(10_000), gzip(&gzip(&mega).repeat(10_000))];
    for (bomb, codings) in bombs.iter().zip(["gzip", "gzip, gzip"]) {
        let response = String::from_utf8_lossy(&coded(b"")).replace("gzip", codings);
        let head = response.replace("Content-Length: 0", &format!("Content-Length: {}", bomb.len()));
        let server = Server::new(vec![answer([head.as_bytes(), bomb].concat())]);
        let pool = ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap();
        reset_peak();
        let before = counted().live;
        let mut response = pool.get("/").send().unwrap();
        let mut buf = vec![0; 64 * 1024];
        for _ in 0..100 {
            assert!(response.read(&mut buf).unwrap() > 0, "{codings}");
        }
        drop(response);
        let cost = counted().peak - before;
        assert!(cost < 512 * 1024, "{codings}: {cost}");
        reset_peak();
        let error = pool.get("/").max_body(4 << 20).send().unwrap().bytes().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::LimitExceeded(hostpool::Limit::Body), "{codings}");
        let cost = counted().peak - before;
        assert!(cost < 13 << 20, "{codings}: {cost}");
    }
}

/// However long its parts are, a form costs one buffer.
#[test]
fn a_form_is_streamed() {
    const LEN: u64 = 32 << 20;
    let server = Server::new(vec![vec![Step::Request, Step::Send(response(7, "small").into())]]);
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(LEN).unwrap();
    let form =
        Form::new().file("file", file.path()).unwrap().part("reader", Part::reader(std::io::repeat(7).take(LEN)));
    let session = Session::builder().timeout(GIVE_UP).build().unwrap();
    reset_peak();
    let before = counted().live;
    session.post(server.url("/")).multipart(form).send().unwrap();
    let cost = counted().peak - before;
    assert!(cost <= 256 * 1024, "{cost}");
    let (_, request) = server.seen.requests.lock().unwrap().remove(0);
    assert!(request.len() as u64 > 2 * LEN);
}

/// Rows A6.3, A8.1, A8.3: memory follows what arrives, never what is announced, and is bounded when that has no end.
#[test]
fn hostile_peers_cost_little() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let endless = |start: &str, more: &str| {
        vec![Step::Request, Step::Send(start.into()), Step::Forever(vec![Step::Send(more.repeat(100).into())])]
    };
    let table = [
        ("A6.3 a chunk", answer(format!("{chunked}7FFFFFFFFFFFFFFF\r\n0123456789")), 1 << 20),
        ("a length", answer("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n0123456789"), 1 << 20),
        ("A8.1 fields", endless("HTTP/1.1 200 OK\r\n", "X-n: v\r\n"), 2 << 20),
        ("A8.1 long fields", endless("HTTP/1.1 200 OK\r\n", &format!("X-n: {}\r\n", "v".repeat(10_000))), 2 << 20),
        ("A8.1 one field", endless("HTTP/1.1 200 OK\r\nX: ", "vvvvvvvv"), 2 << 20),
        ("A8.3 interim responses", endless("", "HTTP/1.1 100 Continue\r\n\r\n"), 2 << 20),
        ("A6.7 trailers", endless(&format!("{chunked}0\r\n"), "X: y\r\n"), 2 << 20),
        ("A6.5 extensions", endless(&format!("{chunked}5;"), "extension"), 2 << 20),
    ];
    for (id, script, most) in table {
        let server = Server::new(vec![script]);
        let pool = ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap();
        reset_peak();
        let before = counted().live;
        let error = pool.get("/").send().and_then(|response| response.bytes()).expect_err(id);
        let cost = counted().peak - before;
        assert!(cost < most, "{id}: {cost} bytes for {error}");
        assert!(
            matches!(error.kind(), ErrorKind::IncompleteBody { .. } | ErrorKind::LimitExceeded(_)),
            "{id}: {error}"
        );
    }
}

#[cfg(feature = "rustls")]
mod encrypted {
    use std::io::{self, IoSlice, Write};
    use std::net::{Shutdown, SocketAddr, TcpStream};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use hostpool::{DialContext, Dialer, Probe, Target, TlsDialer, Transport, Wait};

    use super::tls::{Authority, TlsServer, without_tickets};
    use super::*;

    /// The records of a body, which rustls allocates one by one.
    const RECORDS: usize = 64;
    const RECORD: usize = 16 * 1024;

    /// Waits for all of a response before it gives out any of it, so that it always comes in the same pieces.
    #[derive(Clone, Debug)]
    struct Gathering {
        addr: SocketAddr,
        /// The length of the response that is coming, in bytes of ciphertext.
        coming: Arc<AtomicUsize>,
    }

    impl Dialer for Gathering {
        fn dial(&self, _: &Target<'_>, _: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
            let tcp = TcpStream::connect(self.addr).unwrap();
            let held = Mutex::new((vec![0; 2 * RECORDS * RECORD], 0, 0));
            Ok(Box::new(Gathered { tcp, coming: self.coming.clone(), held }))
        }
    }

    #[derive(Debug)]
    struct Gathered {
        tcp: TcpStream,
        coming: Arc<AtomicUsize>,
        /// Bytes, and which of them are left.
        held: Mutex<(Vec<u8>, usize, usize)>,
    }

    impl Transport for Gathered {
        fn recv(&self, buf: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
            let mut held = self.held.lock().unwrap();
            let (bytes, start, end) = &mut *held;
            if start == end {
                (*start, *end) = (0, (&self.tcp).read(bytes)?);
                let coming = self.coming.swap(0, Ordering::SeqCst);
                if coming > 0 {
                    (&self.tcp).read_exact(&mut bytes[*end..coming])?;
                    *end = coming;
                }
            }
            let len = buf.len().min(*end - *start);
            buf[..len].copy_from_slice(&bytes[*start..][..len]);
            *start += len;
            Ok(len)
        }

        fn send(&self, bufs: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
            (&self.tcp).write(bufs.iter().find(|buf| !buf.is_empty()).map_or(&[], |buf| buf))
        }

        fn probe(&self) -> Probe {
            Probe::Quiet
        }

        fn abort(&self) {
            let _ = self.tcp.shutdown(Shutdown::Both);
        }
    }

    #[test]
    fn a_download_over_tls_costs_only_what_rustls_takes() {
        let authority = Authority::new();
        let coming = Arc::new(AtomicUsize::new(0));
        let server = TlsServer::new(without_tickets(authority.server()), {
            let coming = coming.clone();
            move |peer| {
                loop {
                    peer.request()?;
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", RECORDS * RECORD);
                    let records = [peer.seal(head.as_bytes()), peer.seal(&[b'x'; RECORDS * RECORD])].concat();
                    coming.store(records.len(), Ordering::SeqCst);
                    peer.tcp.write_all(&records)?;
                }
            }
        });
        let dialer = TlsDialer::new(Gathering { addr: server.addr, coming }, authority.trusted());
        let pool = ConnectionPool::builder(server.url()).dialer(dialer).timeout(GIVE_UP).build().unwrap();
        let mut most = [0; 65_536];
        for room in [1000, 16 * 1024, 65_536] {
            let (calls, _) = measure(|| {
                let mut response = pool.get("/").send().unwrap();
                let mut len = 0;
                while let n @ 1.. = response.read(&mut most[..room]).unwrap() {
                    len += n;
                }
                assert_eq!(len, RECORDS * RECORD);
            });
            // A record each, and a few for the request and for the buffer in which rustls puts records together.
            assert!(calls <= RECORDS + 16, "{calls} by reads of {room}");
        }
    }
}

/// A round trip over a WebSocket asks for the memory of the message, and for nothing else.
#[cfg(feature = "websocket")]
#[test]
fn a_round_trip_over_a_web_socket() {
    use base64::Engine as _;
    use sha1::Digest as _;
    use std::io::Write;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head = String::from_utf8(support::read_head(&mut stream).unwrap()).unwrap();
        let key = support::header(&head, "sec-websocket-key").unwrap();
        let hash = sha1::Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
        let accept = base64::engine::general_purpose::STANDARD.encode(hash);
        let lines = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
        write!(stream, "{lines}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").unwrap();
        // Each message is one of ten bytes.
        let mut frame = [0; 16];
        while stream.read_exact(&mut frame).is_ok() && frame[0] == 0x82 {
            stream.write_all(&[0x82, 10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
        }
    });
    let socket = hostpool::ws_connect(&url).connect().unwrap();
    let (calls, bytes) = measure(|| {
        socket.send_bytes([7; 10]).unwrap();
        assert_eq!(socket.receive_bytes().unwrap().len(), 10);
    });
    assert_eq!((calls, bytes), (1, 10));
}

//! Many threads, few connections, and a server that does everything wrong now and then.
//!
//! Every request carries an id, and every response must echo it: one wrong id would be somebody else's answer (row
//! A7.19).

mod support;

use std::collections::HashMap;
use std::io::{self, IoSlice, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hostpool::{
    ConnectionPool, ConnectionPoolBuilder, DialContext, Dialer, Error, ErrorKind, Probe, Target, TcpDialer, Transport,
    TransportInfo, Violation, Wait,
};
use support::{GIVE_UP, eventually, header, read_request};

const THREADS: usize = 64;
const LIMIT: usize = 8;
const REQUESTS: usize = 120;

/// What the server does with a request. Each comes up for one request in so many.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Answer,
    Chunked,
    LastAnswer,
    CloseEarly,
    Reset,
    HalfBody,
    Drip,
    /// A whole second response in the segment of a small one.
    SecondResponse,
    /// Bytes that are no response, five milliseconds later.
    LateJunk,
    /// The same, directly after the response.
    Junk,
    IdleNotice,
}

impl Mood {
    /// Without a state of its own, so that a run differs from the next only by the order of the threads.
    fn of(connection: usize, request: usize) -> Mood {
        use Mood::*;
        const BAD: [Mood; 9] =
            [LastAnswer, CloseEarly, Reset, HalfBody, Drip, SecondResponse, LateJunk, Junk, IdleNotice];
        let dice = (connection.wrapping_mul(2_654_435_761) ^ request.wrapping_mul(40_503)) >> 3;
        match dice % 36 {
            bad @ 0..9 => BAD[bad],
            9..18 => Chunked,
            _ => Answer,
        }
    }

    fn keeps_open(self) -> bool {
        matches!(self, Mood::Answer | Mood::Chunked | Mood::Drip | Mood::SecondResponse | Mood::LateJunk | Mood::Junk)
    }
}

struct Chaos {
    url: String,
    /// How often each request came, by its id.
    seen: Arc<Mutex<HashMap<String, usize>>>,
    open: Arc<AtomicUsize>,
}

impl Chaos {
    fn start() -> Chaos {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, open) = (Arc::new(Mutex::new(HashMap::new())), Arc::new(AtomicUsize::new(0)));
        thread::spawn({
            let (seen, open) = (seen.clone(), open.clone());
            move || {
                for (connection, stream) in listener.incoming().flatten().enumerate() {
                    let (seen, open) = (seen.clone(), open.clone());
                    open.fetch_add(1, Ordering::SeqCst);
                    thread::spawn(move || {
                        let _ = serve(stream, connection, &seen);
                        open.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            }
        });
        Chaos { url, seen, open }
    }
}

fn serve(mut stream: TcpStream, connection: usize, seen: &Mutex<HashMap<String, usize>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    for number in 0.. {
        let request = String::from_utf8_lossy(&read_request(&mut stream)?).into_owned();
        let id = header(&request, "X-Id").unwrap_or_default().to_owned();
        *seen.lock().unwrap().entry(id.clone()).or_default() += 1;
        let mood = Mood::of(connection, number);
        act(&mut stream, mood, &id)?;
        if !mood.keeps_open() {
            return Ok(());
        }
    }
    Ok(())
}

fn act(stream: &mut TcpStream, mood: Mood, id: &str) -> io::Result<()> {
    let response = |id: &str, extra: &str| {
        format!("HTTP/1.1 200 OK\r\nX-Id: {id}\r\n{extra}Content-Length: {}\r\n\r\n{id}", id.len()).into_bytes()
    };
    match mood {
        Mood::Answer => stream.write_all(&response(id, "")),
        Mood::LastAnswer => stream.write_all(&response(id, "Connection: close\r\n")),
        Mood::Chunked => {
            let (start, end) = id.split_at(id.len() / 2);
            let head = format!("HTTP/1.1 200 OK\r\nX-Id: {id}\r\nTransfer-Encoding: chunked\r\n\r\n");
            let chunk = |data: &str| format!("{:x}\r\n{data}\r\n", data.len());
            stream.write_all([head, chunk(start), chunk(end), "0\r\n\r\n".into()].concat().as_bytes())
        }
        Mood::CloseEarly => Ok(()),
        Mood::Reset => socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO)),
        Mood::HalfBody => {
            let whole = response(id, "");
            stream.write_all(&whole[..whole.len() - 2])
        }
        Mood::Drip => response(id, "").chunks(7).try_for_each(|piece| {
            thread::sleep(Duration::from_micros(200));
            stream.write_all(piece)
        }),
        Mood::SecondResponse => stream.write_all(&[response(id, ""), response("evil", "")].concat()),
        Mood::LateJunk => {
            stream.write_all(&response(id, ""))?;
            thread::sleep(Duration::from_millis(5));
            stream.write_all(b"these bytes are no response")
        }
        Mood::Junk => {
            stream.write_all(&response(id, ""))?;
            stream.write_all(b"these bytes are no response")
        }
        Mood::IdleNotice => {
            stream.write_all(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        }
    }
}

/// What the server's moods may look like to a caller.
fn is_legal(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Disconnected
            | ErrorKind::IncompleteBody { .. }
            | ErrorKind::Protocol(Violation::StatusLine | Violation::IncompleteHead)
    )
}

/// One request; whether it was answered.
fn request(pool: &ConnectionPool, id: &str, post: bool) -> bool {
    let request = if post { pool.post("/").data("once") } else { pool.get("/") };
    let result = request.header("X-Id", id).timeout(GIVE_UP).send().and_then(|response| {
        let status = response.status();
        let echoed = response.headers().get("X-Id").map(str::to_owned);
        response.text().map(|body| (status, echoed, body))
    });
    match result {
        Ok((status, echoed, body)) if status == 200 => {
            assert_eq!((echoed.as_deref(), body.as_str()), (Some(id), id), "an answer belongs to its request");
            true
        }
        Ok((status, ..)) => {
            assert_eq!(status, 408);
            false
        }
        Err(error) => {
            assert!(is_legal(&error), "{error}");
            false
        }
    }
}

/// The whole storm, and then the balance.
fn storm(build: impl FnOnce(ConnectionPoolBuilder) -> ConnectionPoolBuilder) -> ConnectionPool {
    let server = Chaos::start();
    let pool =
        build(ConnectionPool::builder(&server.url).retries(hostpool::Retry::off()).limit(LIMIT)).build().unwrap();
    let (answered, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                let stats = pool.stats();
                assert!(stats.open <= LIMIT, "{stats:?}");
                thread::yield_now();
            }
        });
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (pool, answered) = (&pool, &answered);
                scope.spawn(move || {
                    for n in 0..REQUESTS {
                        let post = n % 4 == 0;
                        let id = format!("{}-{thread}-{n}", if post { "post" } else { "get" });
                        answered.fetch_add(usize::from(request(pool, &id, post)), Ordering::SeqCst);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        ended.store(true, Ordering::SeqCst);
        watcher.join().unwrap();
    });
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.dialing, stats.waiting), (0, 0, 0), "{stats:?}");
    assert!(stats.open == stats.idle && stats.open <= LIMIT, "{stats:?}");
    assert!(
        answered.load(Ordering::SeqCst) > THREADS * REQUESTS / 2,
        "{} of them answered",
        answered.load(Ordering::SeqCst)
    );
    let seen = server.seen.lock().unwrap();
    for (id, times) in seen.iter() {
        let most = if id.starts_with("post") { 1 } else { 2 };
        assert!(*times <= most, "{id} came {times} times");
    }
    drop(seen);
    eventually("the server's side of the closes", || server.open.load(Ordering::SeqCst) == pool.stats().idle);
    pool
}

#[test]
fn as_it_ships() {
    let pool = storm(|builder| builder);
    let stats = pool.stats();
    assert!(stats.handed_over > 0 && stats.replayed > 0, "{stats:?}");
}

#[test]
fn with_every_connection_probed() {
    storm(|builder| builder.probe_after(Duration::ZERO));
}

/// Counts the connections that are open at the client, to the moment they are closed.
#[derive(Clone, Debug, Default)]
struct Gauge {
    open: Arc<AtomicUsize>,
    peak: Arc<AtomicUsize>,
}

/// The count falls after the inner transport is gone: fields are dropped in this order.
#[derive(Debug)]
struct Counted {
    inner: Box<dyn Transport>,
    _count: Count,
}

#[derive(Debug)]
struct Count(Gauge);

impl Dialer for Gauge {
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>, Error> {
        self.peak.fetch_max(self.open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let count = Count(self.clone());
        Ok(Box::new(Counted { inner: TcpDialer::new().dial(target, context)?, _count: count }))
    }
}

impl Transport for Counted {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        self.inner.recv(buf, wait)
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        self.inner.send(bufs, wait)
    }

    fn probe(&self) -> Probe {
        self.inner.probe()
    }

    fn flush(&self, wait: &Wait<'_>) -> io::Result<bool> {
        self.inner.flush(wait)
    }

    fn has_buffered(&self) -> bool {
        self.inner.has_buffered()
    }

    fn abort(&self) {
        self.inner.abort();
    }

    fn info(&self) -> TransportInfo {
        self.inner.info()
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn counted_at_the_client() {
    let gauge = Gauge::default();
    let pool = storm(|builder| builder.dialer(gauge.clone()));
    assert_eq!(gauge.peak.load(Ordering::SeqCst), LIMIT);
    assert_eq!(gauge.open.load(Ordering::SeqCst), pool.stats().open);
    drop(pool);
    assert_eq!(gauge.open.load(Ordering::SeqCst), 0);
}

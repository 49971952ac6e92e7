//! Requests that died with an idle connection, and what is not forgotten of them. The table of what is sent again is
//! with the other faults (`tests/faults/ending.rs`).

use std::io::{self, Cursor, IoSlice, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hostpool::{
    Body, ConnectionPool, DialContext, Dialer, ErrorKind, Method, Phase, Probe, Target, TcpDialer, Timeout, Transport,
    Wait,
};

use crate::support::{GIVE_UP, Server, Step, answer, header, ok};

/// How the second request on a connection ends, which is the first that is sent on a reused one.
fn scripts(second: Vec<Step>) -> Vec<Vec<Step>> {
    vec![[vec![Step::Request, Step::Send(ok("first")), Step::Request], second].concat(), answer(ok("again"))]
}

/// The replay table by what the body is made of: one that cannot go back is sent once, whatever the method.
#[test]
fn bodies() {
    let long = vec![b'x'; 1 << 20];
    let seekable = |bytes: &[u8]| Body::seekable(Cursor::new(bytes.to_vec()));
    let factory = |bytes: Vec<u8>| Body::factory(move || Ok(Cursor::new(bytes.clone())), None);
    let once = |bytes: &[u8]| Body::reader(Cursor::new(bytes.to_vec()));
    let sized = |bytes: &[u8]| Body::sized(Cursor::new(bytes.to_vec()), bytes.len() as u64);
    let lost = || Err(ErrorKind::Disconnected);
    let table = [
        ("bytes", Method::PUT, Body::from(long.clone()), Ok("again"), 1),
        ("rewindable", Method::PUT, seekable(&long), Ok("again"), 1),
        ("rewindable, POST", Method::POST, seekable(&long), lost(), 0),
        ("factory", Method::PUT, factory(long.clone()), Ok("again"), 1),
        ("one-shot, still in the buffer", Method::PUT, once(b"short"), Ok("again"), 1),
        ("one-shot of known length, in the buffer", Method::PUT, sized(b"short"), Ok("again"), 1),
        ("one-shot in the buffer, POST", Method::POST, once(b"short"), lost(), 0),
        ("one-shot", Method::PUT, once(&long), lost(), 0),
        ("one-shot of known length", Method::DELETE, sized(&long), lost(), 0),
        (
            "cannot go back",
            Method::PUT,
            Body::seekable(OneWay(Cursor::new(long), 0)),
            Err(ErrorKind::UnrewindableBody),
            0,
        ),
    ];
    for (id, method, body, outcome, replayed) in table {
        let server = Server::new(scripts(Vec::new()));
        let pool = ConnectionPool::builder(server.url(""))
            .retries(hostpool::Retry::off())
            .limit(1)
            .probe_after(Duration::MAX)
            .build()
            .unwrap();
        pool.get("/").send().unwrap().text().unwrap();
        let result = pool.request(method, "/").header("X-Id", id).data(body).send();
        let result = result.and_then(|response| response.text()).map_err(|error| {
            assert!(error.maybe_processed(), "{id}");
            error.kind().clone()
        });
        assert_eq!(result, outcome.map(str::to_owned), "{id}");
        let requests = server.seen.requests();
        let sent: Vec<_> = requests.iter().filter(|request| header(request, "X-Id") == Some(id)).collect();
        assert_eq!((sent.len() as u64, pool.stats().replayed), (1 + replayed, replayed), "{id}");
        assert!(sent.iter().all(|again| again == &sent[0]), "{id}: the same bytes again");
        assert_eq!((pool.stats().in_use, pool.stats().waiting), (0, 0), "{id}");
    }
}

/// Tells its position and its length, and then refuses to go anywhere.
struct OneWay(Cursor<Vec<u8>>, usize);

impl Read for OneWay {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Seek for OneWay {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.1 += 1;
        if self.1 > 3 { Err(io::ErrorKind::Unsupported.into()) } else { self.0.seek(to) }
    }
}

/// The transport took nothing: any method is sent again, with any body of which nothing was lost.
#[test]
fn nothing_accepted() {
    let long = vec![b'x'; 1 << 20];
    let table = [
        ("POST, bytes", Body::from(long.clone())),
        ("POST, untouched but for the buffer", Body::reader(Cursor::new(long.clone()))),
        ("POST, rewindable", Body::seekable(Cursor::new(long.clone()))),
    ];
    for (id, body) in table {
        let server = Server::new(vec![answer(ok("first")), answer(ok("again"))]);
        let dialer = DeafOnce(AtomicBool::default());
        let pool = ConnectionPool::builder(server.url(""))
            .retries(hostpool::Retry::off())
            .dialer(dialer)
            .limit(1)
            .build()
            .unwrap();
        pool.get("/").send().unwrap().text().unwrap();
        assert_eq!(pool.post("/").data(body).send().unwrap().text().unwrap(), "again", "{id}");
        let requests = server.seen.requests();
        assert_eq!((requests.len(), pool.stats().replayed), (2, 1), "{id}");
        assert!(requests[1].ends_with(std::str::from_utf8(&long).unwrap()), "{id}");
    }
}

/// The first connection takes one request, and then nothing more.
#[derive(Debug)]
struct DeafOnce(AtomicBool);

#[derive(Debug)]
struct Deaf(Box<dyn Transport>, AtomicBool);

impl Dialer for DeafOnce {
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        let wire = TcpDialer::new().dial(target, context)?;
        Ok(if self.0.swap(true, Ordering::SeqCst) { wire } else { Box::new(Deaf(wire, AtomicBool::default())) })
    }
}

impl Transport for Deaf {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        if self.1.load(Ordering::SeqCst) && wait.deadline().is_some_and(|at| at <= std::time::Instant::now()) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.0.recv(buf, wait)
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        if self.1.swap(true, Ordering::SeqCst) {
            Err(io::ErrorKind::BrokenPipe.into())
        } else {
            self.0.send(bufs, wait)
        }
    }

    fn probe(&self) -> Probe {
        Probe::Quiet
    }

    fn abort(&self) {
        self.0.abort();
    }
}

/// Row C38: whoever waits for a word before it sends its body has sent nothing that could be acted upon.
#[test]
fn while_asking_before_sending() {
    let notice = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let notice = Step::Send(notice.into());
    let table = [
        ("FIN on a reused connection", true, vec![], Ok("again"), 1),
        ("RST on a reused connection", true, vec![Step::Reset], Ok("again"), 1),
        ("408 on a reused connection", true, vec![notice], Ok("again"), 1),
        ("FIN on a new connection", false, vec![], Err(ErrorKind::Disconnected), 0),
        (
            "FIN after the word",
            true,
            vec![Step::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()), Step::Record(4)],
            Err(ErrorKind::Disconnected),
            0,
        ),
        ("FIN after the body", true, vec![Step::Record(4)], Err(ErrorKind::Disconnected), 0),
    ];
    for (id, reused, second, outcome, replayed) in table {
        let before = if reused { answer(ok("first")) } else { vec![] };
        let word = Step::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
        let again = vec![Step::Head, word, Step::Record(4), Step::Send(ok("again"))];
        let server = Server::new(vec![[before, vec![Step::Head], second].concat(), again]);
        let pool = ConnectionPool::builder(server.url(""))
            .retries(hostpool::Retry::off())
            .limit(1)
            .probe_after(Duration::MAX)
            .build()
            .unwrap();
        if reused {
            pool.get("/").send().unwrap().text().unwrap();
        }
        let timeout = Timeout::new().expect(if id.contains("body") { Duration::ZERO } else { GIVE_UP });
        let request = pool.post("/").header("Expect", "100-Continue").data("body").timeout(timeout);
        let started = Instant::now();
        let result = request.send().and_then(|response| response.text()).map_err(|error| {
            // A server that has not seen the body it was promised has nothing to act upon.
            assert_eq!(error.maybe_processed(), id.contains("after"), "{id}");
            error.kind().clone()
        });
        assert_eq!(result, outcome.map(str::to_owned), "{id}");
        assert_eq!(pool.stats().replayed, replayed, "{id}");
        assert!(started.elapsed() < GIVE_UP, "{id}: it is not the end of the wait that lets the body go");
    }
}

/// At most once: the connection it is sent again on is new, and when that dies, too, the caller hears of it.
#[test]
fn once() {
    let server = Server::new(vec![
        vec![Step::Request, Step::Send(ok("first")), Step::Request],
        vec![Step::Request],
        answer(ok("third")),
    ]);
    let pool = ConnectionPool::builder(server.url(""))
        .retries(hostpool::Retry::off())
        .limit(1)
        .probe_after(Duration::MAX)
        .build()
        .unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    let error = pool.get("/").send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Disconnected, Phase::Head));
    assert_eq!((server.seen.accepted(), pool.stats().replayed, pool.stats().open), (2, 1, 0));
}

/// A new connection that dies is no leftover: nothing is sent again by itself.
#[test]
fn not_on_a_new_connection() {
    let server = Server::new(vec![vec![Step::Request], answer(ok("second"))]);
    let pool = ConnectionPool::builder(server.url("")).retries(hostpool::Retry::off()).build().unwrap();
    assert_eq!(pool.get("/").send().unwrap_err().kind(), &ErrorKind::Disconnected);
    assert_eq!(server.seen.accepted(), 1);
}

/// The first attempt may have been processed; that the second found nobody does not change it.
#[test]
fn what_became_of_the_first_attempt_is_not_forgotten() {
    use std::io::Write;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        crate::support::read_request(&mut stream).unwrap();
        stream.write_all(&ok("first")).unwrap();
        crate::support::read_request(&mut stream).unwrap();
        // Bound and no longer listening: nobody else can get the port.
        let socket = socket2::SockRef::from(&listener).try_clone().unwrap();
        socket.shutdown(std::net::Shutdown::Both).unwrap();
        drop(stream);
        socket
    });
    let pool = ConnectionPool::builder(&url).retries(hostpool::Retry::off()).limit(1).build().unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    let error = pool.get("/").send().unwrap_err();
    drop(server.join().unwrap());
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Connect, Phase::Connect));
    assert!(error.maybe_processed());
    assert_eq!((pool.stats().open, pool.stats().replayed), (0, 1));
}

/// Connects once, and gives a connection that is dead from the start for every further dial.
#[derive(Debug, Default)]
struct OnceAlive(std::sync::atomic::AtomicBool);

#[derive(Debug)]
struct Dead;

impl Dialer for OnceAlive {
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        match self.0.swap(true, std::sync::atomic::Ordering::SeqCst) {
            false => TcpDialer::new().dial(target, context),
            true => Ok(Box::new(Dead)),
        }
    }
}

impl Transport for Dead {
    fn recv(&self, _: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }

    fn send(&self, _: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }

    fn probe(&self) -> Probe {
        Probe::Quiet
    }

    fn abort(&self) {}
}

/// The same where the second connection opens, and takes not a byte.
#[test]
fn nor_when_the_second_takes_nothing() {
    let server = Server::new(scripts(Vec::new()));
    let pool = ConnectionPool::builder(server.url(""))
        .retries(hostpool::Retry::off())
        .dialer(OnceAlive::default())
        .limit(1)
        .build()
        .unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    let error = pool.put("/").data("x").send().unwrap_err();
    assert_eq!((server.seen.requests().len(), pool.stats().replayed), (2, 1));
    assert!(error.maybe_processed(), "{error:?}");
}

/// The answer is in hand, and the request cannot be sent again after all.
#[test]
fn a_408_and_a_body_that_cannot_go_back() {
    let notice = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec();
    let server = Server::new(scripts(vec![Step::Send(notice)]));
    let pool = ConnectionPool::builder(server.url(""))
        .retries(hostpool::Retry::off())
        .limit(1)
        .probe_after(Duration::MAX)
        .build()
        .unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    let body = Body::seekable(OneWay(Cursor::new(vec![b'x'; 1 << 20]), 0));
    assert_eq!(pool.put("/").data(body).send().unwrap().status(), 408);
    assert_eq!((pool.stats().replayed, pool.stats().in_use), (0, 0));
}

/// A 408 says that an idle connection ends only where nothing else was said or sent.
#[test]
fn a_408_that_is_an_answer() {
    let notice = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 4\r\n\r\nslow".to_vec();
    let interim = [b"HTTP/1.1 102 Processing\r\n\r\n".to_vec(), notice.clone()].concat();
    let table = [
        ("in the middle of an upload", vec![Step::Bytes(300_000), Step::Send(notice)], 32 << 20),
        ("behind an interim response", vec![Step::Request, Step::Send(interim)], 10),
    ];
    for (id, second, size) in table {
        let first = vec![Step::Request, Step::Send(ok("first"))];
        let server = Server::new(vec![[first, second, vec![Step::UntilClosed]].concat(), answer(ok("again"))]);
        let pool = ConnectionPool::builder(server.url(""))
            .retries(hostpool::Retry::off())
            .limit(1)
            .timeout(GIVE_UP)
            .build()
            .unwrap();
        pool.get("/").send().unwrap().text().unwrap();
        let response = pool.put("/").data(vec![0; size]).send().unwrap();
        assert_eq!((response.status().as_u16(), pool.stats().replayed), (408, 0), "{id}");
    }
}

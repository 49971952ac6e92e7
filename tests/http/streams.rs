//! Requests over streams that have no deadlines of their own, or whose deadlines belong to somebody else.

use std::io::{self, IoSlice, Read, Write, pipe};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hostpool::{
    Body, Bound, ConnectionPool, DialContext, Dialer, ErrorKind, IoTransport, Probe, Target, Timeout, Transport,
    TransportInfo, Wait, dialer_fn,
};

use crate::support::{GIVE_UP, Server, Step, answer, answers, eventually, ok, without_hanging};

/// Each way in which a connected socket can be used as a transport.
type Way = (&'static str, fn(TcpStream) -> io::Result<Box<dyn Transport>>);

fn ways() -> [Way; 7] {
    fn ended(stream: &TcpStream, transport: IoTransport) -> io::Result<Box<dyn Transport>> {
        let (other, info) = (stream.try_clone()?, TransportInfo::new().remote(stream.peer_addr()?));
        Ok(Box::new(transport.with_info(info).on_end(move || drop(other.shutdown(Shutdown::Both)))))
    }
    [
        ("std", |stream| Ok(Box::new(stream))),
        ("std, non-blocking", |stream| {
            stream.set_nonblocking(true)?;
            Ok(Box::new(stream))
        }),
        ("std, with a timeout of its own", |stream| {
            stream.set_read_timeout(Some(Duration::from_millis(1)))?;
            Ok(Box::new(stream))
        }),
        ("a pair", |stream| ended(&stream, IoTransport::new(stream.try_clone()?, stream.try_clone()?))),
        ("a pair, non-blocking", |stream| {
            stream.set_nonblocking(true)?;
            ended(&stream, IoTransport::new(stream.try_clone()?, stream.try_clone()?))
        }),
        ("one stream", |stream| ended(&stream, IoTransport::from_stream(stream.try_clone()?))),
        ("one stream, with a timeout of its own", |stream| {
            stream.set_read_timeout(Some(Duration::from_millis(1)))?;
            ended(&stream, IoTransport::from_stream(stream.try_clone()?))
        }),
    ]
}

fn dialer(server: &Server, make: fn(TcpStream) -> io::Result<Box<dyn Transport>>) -> impl Dialer + use<> {
    let address = server.addr;
    dialer_fn(move |_: &Target<'_>, context: &DialContext<'_>| {
        TcpStream::connect(address).and_then(make).map_err(|error| context.failed(error))
    })
}

/// Connections are used again, large bodies pass, a deadline holds, and the connection of a failed request is closed.
#[test]
fn requests() {
    for (row, make) in ways() {
        let last = vec![Step::Request, Step::UntilClosed];
        let server = Server::new(vec![[answer(ok("a")), answer(ok("b")), last].concat()]);
        let pool = ConnectionPool::builder("http://anywhere").dialer(dialer(&server, make)).build().unwrap();
        let upload = "x".repeat(1 << 20);
        let response = pool.post("/").data(upload.clone()).send().unwrap();
        assert_eq!(response.remote_addr(), Some(server.addr), "{row}");
        assert_eq!(response.text().unwrap(), "a", "{row}");
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "b", "{row}");
        assert_eq!(server.seen.accepted(), 1, "{row}");
        let late = pool.get("/").timeout(Timeout::new().read(Duration::from_millis(20))).retries(0).send().unwrap_err();
        assert_eq!(late.kind(), &ErrorKind::Timeout(Bound::Read), "{row}");
        assert!(server.seen.requests()[0].ends_with(&upload), "{row}");
        eventually(row, || server.seen.open() == 0);
    }
}

/// A large body arrives whole, and so does one that only the end delimits.
#[test]
fn bodies() {
    let body = "0123456789abcdef".repeat(1 << 16);
    for (row, make) in ways() {
        let to_the_end = format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes();
        let server = Server::new(vec![[answer(ok(&body)), vec![Step::Request, Step::Send(to_the_end)]].concat()]);
        let pool = ConnectionPool::builder("http://anywhere").dialer(dialer(&server, make)).build().unwrap();
        for _ in 0..2 {
            assert!(pool.get("/").send().unwrap().text().unwrap() == body, "{row}");
        }
    }
}

/// Another thread ends a call that is blocked without a deadline.
#[test]
fn aborts() {
    for (row, make) in ways() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe".to_vec();
        let server = Server::new(vec![vec![Step::Request, Step::Send(head), Step::UntilClosed]]);
        let pool = ConnectionPool::builder("http://anywhere").dialer(dialer(&server, make)).build().unwrap();
        let mut response = pool.get("/").send().unwrap();
        let handle = response.shutdown_handle().unwrap();
        let error = without_hanging(move || {
            let mut start = [0; 2];
            response.read_exact(&mut start).unwrap();
            assert!(handle.shutdown());
            response.load().unwrap_err()
        });
        assert_eq!(error.kind(), &ErrorKind::Closed, "{row}: {error}");
        eventually(row, || server.seen.open() == 0);
    }
}

/// An early response stops an upload where the transport sees it.
#[test]
fn early_responses() {
    for (row, make) in ways().into_iter().filter(|(row, _)| !row.starts_with("one stream")) {
        let refused = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n".to_vec();
        let server = Server::new(vec![vec![Step::Head, Step::Send(refused), Step::Hold]]);
        let pool = ConnectionPool::builder("http://anywhere").dialer(dialer(&server, make)).build().unwrap();
        let response = pool.post("/").data(Body::reader(io::repeat(0).take(1 << 30))).send();
        let response = response.unwrap();
        assert_eq!((response.status().as_u16(), response.request_body_complete()), (413, false), "{row}");
        server.gate.open();
    }
}

fn soon() -> Wait<'static> {
    Wait::until(Instant::now() + Duration::from_millis(10))
}

fn late() -> Wait<'static> {
    Wait::until(Instant::now() + GIVE_UP)
}

fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.unwrap_err().kind()
}

/// A deadline loses no byte: what arrives later is received later.
#[test]
fn deadlines_of_a_reader() {
    let (reader, mut theirs) = pipe().unwrap();
    let transport = IoTransport::new(reader, io::sink());
    let mut buf = [0; 8];
    assert_eq!(kind(transport.recv(&mut buf, &soon())), io::ErrorKind::TimedOut);
    assert_eq!(transport.probe(), Probe::Quiet);
    assert_eq!(kind(transport.recv(&mut buf, &Wait::cancelled())), io::ErrorKind::ConnectionAborted);
    theirs.write_all(b"hello").unwrap();
    eventually("the bytes are read ahead", || transport.probe() == Probe::Readable);
    assert!(transport.has_buffered());
    assert_eq!(transport.recv(&mut buf[..2], &late()).unwrap(), 2);
    assert_eq!(transport.recv(&mut buf[2..], &late()).unwrap(), 3);
    assert_eq!(&buf[..5], b"hello");
    assert_eq!((transport.probe(), transport.has_buffered()), (Probe::Quiet, false));
    drop(theirs);
    eventually("the end is seen", || transport.probe() == Probe::Dead);
    assert_eq!(transport.recv(&mut buf, &late()).unwrap(), 0);
    transport.abort();
    assert_eq!(kind(transport.recv(&mut buf, &late())), io::ErrorKind::ConnectionAborted);
}

/// A writer that takes nothing holds bytes back, and no more than two buffers of them.
#[test]
fn deadlines_of_a_writer() {
    let (mut theirs, writer) = pipe().unwrap();
    let (input, mut answers) = pipe().unwrap();
    let transport = IoTransport::new(input, writer);
    let piece = vec![b'x'; 1 << 20];
    let mut accepted = 0;
    let full = loop {
        match transport.send(&[IoSlice::new(&piece[..10]), IoSlice::new(&piece)], &soon()) {
            Ok(len) => {
                assert!(len > 0);
                accepted += len;
            }
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(full, io::ErrorKind::TimedOut);
    assert_eq!(kind(transport.flush(&soon())), io::ErrorKind::TimedOut);
    assert!(transport.has_buffered());
    answers.write_all(b"!").unwrap();
    // There is room once more if the thread that writes was slow. The input ends the wait for more.
    loop {
        match transport.send(&[IoSlice::new(&piece)], &late().watch_input(true)).unwrap() {
            0 => break,
            len => accepted += len,
        }
    }
    // The pipe of the system holds 64 KiB; Linux lets a program ask for more, which nobody does here.
    assert!(accepted <= 3 * 64 * 1024, "{accepted}");
    assert!(!transport.flush(&late().watch_input(true)).unwrap());
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).map(|_| all.len())
    });
    while !transport.flush(&late()).unwrap() {}
    assert_eq!(transport.recv(&mut [0; 8], &late()).unwrap(), 1);
    assert!(!transport.has_buffered());
    drop(transport);
    assert_eq!(reader.join().unwrap().unwrap(), accepted, "the writer is dropped with the transport");
}

/// Tells how often it is read, and when it is dropped.
struct Endless(Arc<AtomicUsize>, Sender<&'static str>);

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.fetch_add(buf.len(), Ordering::SeqCst);
        buf.fill(b'x');
        Ok(buf.len())
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.1.send("dropped");
    }
}

/// A peer that never stops costs two buffers.
#[test]
fn what_is_read_ahead_is_bounded() {
    let (read, (tell, told)) = (Arc::new(AtomicUsize::new(0)), channel());
    let transport = IoTransport::new(Endless(read.clone(), tell), io::sink());
    let mut buf = [0; 1000];
    for n in 1..=200 {
        let len = transport.recv(&mut buf, &late()).unwrap();
        assert!(len > 0);
        let ahead = read.load(Ordering::SeqCst) as i64 - n * 1000;
        assert!(ahead <= 48 * 1024, "{ahead}");
    }
    drop(transport);
    assert_eq!(told.recv_timeout(GIVE_UP), Ok("dropped"));
}

/// Blocks until it is told to go on.
struct Blocked(Receiver<()>, Sender<&'static str>);

impl Read for Blocked {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        let _ = self.1.send("read");
        let _ = self.0.recv();
        Ok(0)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let _ = self.1.send("dropped");
    }
}

/// No thread is left: a blocked one ends when `on_end` makes its read return.
#[test]
fn threads_end() {
    for aborts in [false, true] {
        let ((release, released), (tell, told)) = (channel(), channel());
        let ends = Arc::new(AtomicUsize::new(0));
        let count = ends.clone();
        let transport = IoTransport::new(Blocked(released, tell), io::sink()).on_end(move || {
            count.fetch_add(1, Ordering::SeqCst);
            drop(release);
        });
        assert_eq!(kind(transport.recv(&mut [0; 8], &soon())), io::ErrorKind::TimedOut);
        assert_eq!(told.recv_timeout(GIVE_UP), Ok("read"));
        if aborts {
            transport.abort();
            transport.abort();
            assert_eq!(kind(transport.recv(&mut [0; 8], &late())), io::ErrorKind::ConnectionAborted);
            assert_eq!(transport.probe(), Probe::Dead);
        }
        drop(transport);
        assert_eq!(told.recv_timeout(GIVE_UP), Ok("dropped"));
        assert_eq!(ends.load(Ordering::SeqCst), 1);
    }
    // A transport that was not used has no threads, and drops what it was given.
    let ((_release, released), (tell, told)) = (channel(), channel());
    drop(IoTransport::new(Blocked(released, tell), io::sink()));
    assert_eq!(told.try_recv(), Ok("dropped"));
}

impl Write for Blocked {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A blocked write may still succeed after the call that gave up, so its request is not sent again by itself.
#[test]
fn a_request_whose_write_is_blocked() {
    let dials = Arc::new(AtomicUsize::new(0));
    let count = dials.clone();
    let (tell, _told) = channel();
    let tell = Mutex::new(tell);
    let dialer = dialer_fn(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        let ((release, released), tell) = (channel(), tell.lock().unwrap().clone());
        let (input, theirs) = pipe().unwrap();
        let transport = IoTransport::new(input, Blocked(released, tell));
        Ok(Box::new(transport.on_end(move || drop((release, theirs)))))
    });
    let pool = ConnectionPool::builder("http://anywhere").dialer(dialer).build().unwrap();
    let bound = Timeout::new().write(Duration::from_millis(20));
    let error = pool.post("/").data("hello").timeout(bound).retries(2).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Write), "{error}");
    assert!(error.maybe_processed());
    assert_eq!(dials.load(Ordering::SeqCst), 1);
}

/// Returns from a write only after the answer was read.
struct Slow(TcpStream, Receiver<()>);

impl Write for Slow {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write_all(buf)?;
        let _ = self.1.recv();
        // The caller hears of the answer first.
        thread::sleep(Duration::from_millis(20));
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tells of each read once the transport has its bytes: when it reads again.
struct Told<R>(R, Sender<()>, bool);

impl<R: Read> Read for Told<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.2, true) {
            let _ = self.1.send(());
        }
        self.0.read(buf)
    }
}

/// Is answered, and fails after the answer was read.
struct Fails(io::PipeWriter, Receiver<()>);

impl Write for Fails {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.0.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")?;
        let _ = self.1.recv();
        // The caller hears of the answer first.
        thread::sleep(Duration::from_millis(20));
        Err(io::Error::other("the channel is closed"))
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The peer may answer a request before the write of its last bytes has returned. The whole request was sent then, and
/// the connection is used again.
#[test]
fn an_answer_before_the_write_returns() {
    let is_whole = || {
        let server = Server::new(vec![answers(ok("a"))]);
        let address = server.addr;
        let dialer = dialer_fn(move |_, context| {
            let stream = TcpStream::connect(address).map_err(|error| context.failed(error))?;
            let (read, was_read) = channel();
            let [reader, end] = [(); 2].map(|()| stream.try_clone().expect("a descriptor"));
            let transport = IoTransport::new(Told(reader, read, false), Slow(stream, was_read));
            Ok(Box::new(transport.on_end(move || drop(end.shutdown(Shutdown::Both)))))
        });
        let pool = ConnectionPool::builder("http://anywhere").dialer(dialer).build().unwrap();
        (0..2).all(|_| pool.get("/").send().unwrap().request_body_complete()) && server.seen.accepted() == 1
    };
    // The transport waits 200 ms for the write. A loaded machine may be late, but not each time.
    assert!((0..20).any(|_| is_whole()));
}

/// A response that has arrived is not lost to a write that fails after it.
#[test]
fn an_answer_before_the_write_fails() {
    let dialer = dialer_fn(move |_, context| {
        let (input, answers) = pipe().map_err(|error| context.failed(error))?;
        let (tell, told) = channel();
        Ok(Box::new(IoTransport::new(Told(input, tell, false), Fails(answers, told))))
    });
    let pool = ConnectionPool::builder("http://anywhere").dialer(dialer).build().unwrap();
    let response = pool.post("/").data("hello").retries(0).send().unwrap();
    assert_eq!(response.status(), 413);
}

/// Does what its function says at each read or write.
struct By(fn(usize) -> io::Result<usize>);

impl Read for By {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (self.0)(buf.len())
    }
}

impl Write for By {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (self.0)(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Code of the caller's that fails, panics or lies is an error of the operation.
#[test]
fn code_that_fails() {
    type Call = fn(usize) -> io::Result<usize>;
    let table: [(&str, Call, io::ErrorKind); 3] = [
        ("fails", |_| Err(io::ErrorKind::ConnectionReset.into()), io::ErrorKind::ConnectionReset),
        ("panics", |_| panic!("on purpose"), io::ErrorKind::Other),
        ("lies", |len| Ok(len + 1), io::ErrorKind::Other),
    ];
    for (row, call, expected) in table {
        for transport in [IoTransport::new(By(call), By(call)), IoTransport::from_stream(By(call))] {
            for _ in 0..2 {
                assert_eq!(kind(transport.recv(&mut [0; 8], &late())), expected, "{row}");
            }
            let sent = transport.send(&[IoSlice::new(b"data")], &late()).and_then(|_| transport.flush(&late()));
            assert_eq!(kind(sent), expected, "{row}");
            assert_eq!(transport.probe(), Probe::Dead, "{row}");
        }
    }
    let full = IoTransport::new(io::empty(), By(|_| Ok(0)));
    full.send(&[IoSlice::new(b"data")], &late()).unwrap();
    assert_eq!(kind(full.flush(&late())), io::ErrorKind::WriteZero);
}

/// A signal and a stream that would block are no errors.
#[test]
fn calls_that_are_made_again() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let stream = By(|len| match CALLS.fetch_add(1, Ordering::SeqCst) % 4 {
        0 => Err(io::ErrorKind::Interrupted.into()),
        1 => Err(io::ErrorKind::WouldBlock.into()),
        2 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(len.min(3)),
    });
    let transport = IoTransport::from_stream(stream);
    assert_eq!(transport.send(&[IoSlice::new(b"da"), IoSlice::new(b"ta")], &late()).unwrap(), 4);
    assert!(transport.flush(&late()).unwrap());
    assert_eq!(transport.recv(&mut [0; 8], &late()).unwrap(), 3);
}

/// The end of the client reaches a handshake that waits on a transport which nothing else knows yet.
#[cfg(feature = "rustls")]
#[test]
fn aborts_of_a_handshake() {
    use hostpool::{PoolManager, TlsConfig, TlsDialer};

    for (row, make) in ways() {
        let server = Server::new(vec![vec![Step::Bytes(1), Step::Tell("began"), Step::UntilClosed]]);
        let dialer = TlsDialer::new(dialer(&server, make), TlsConfig::default());
        let pools = PoolManager::builder().dialer(dialer).build().unwrap();
        let other = pools.clone();
        let call = thread::spawn(move || other.get("https://anywhere").retries(0).send().unwrap_err());
        server.wait_for("began");
        pools.close();
        let error = without_hanging(move || call.join().unwrap());
        assert_eq!(error.kind(), &ErrorKind::Closed, "{row}: {error}");
    }
}

//! Servers for tests: on loopback, scripted byte by byte.
//!
//! Each test binary uses a part of this.
#![allow(dead_code)]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits before it fails. Nothing takes this long unless it hangs.
pub const GIVE_UP: Duration = Duration::from_secs(20);

/// Returns an error as programs print it: its text and those of its sources.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What a server does with one connection, in order. At the end of the script it closes.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads one request: head, and body by Content-Length or chunks. The end of the connection ends the script.
    Request,
    /// Reads the head of a request, as a server does that was asked for 100 Continue.
    Head,
    /// Reads the body that belongs to the head which was read before.
    Body,
    /// Reads just so many bytes of a request, and leaves the rest.
    Bytes(usize),
    /// Reads just so many bytes, and records them apart from the requests.
    Record(usize),
    /// The same with all that comes until the client closes.
    Rest,
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes in pieces of that size, each by a write of its own.
    Pieces(Vec<u8>, usize),
    /// Sends these bytes one by one, that far apart.
    Drip(Vec<u8>, Duration),
    /// Waits.
    Pause(Duration),
    /// Waits until the test lets go of the server's [`Gate`].
    Hold,
    /// Tells the test that this point is reached.
    Tell(&'static str),
    /// Ends our side of the stream, and leaves the other open.
    HalfClose,
    /// Closes with a reset in place of a FIN.
    Reset,
    /// Waits until the client closes.
    UntilClosed,
    /// Does these steps again and again.
    Forever(Vec<Step>),
}

/// Steps for the common case: a request, and these bytes as the answer.
pub fn answer(bytes: impl AsRef<[u8]>) -> Vec<Step> {
    vec![Step::Request, Step::Send(bytes.as_ref().to_vec())]
}

/// Answers any number of requests.
pub fn answers(bytes: impl AsRef<[u8]>) -> Vec<Step> {
    vec![Step::Forever(answer(bytes))]
}

/// A response with a Content-Length.
pub fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// What a server saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub accepted: AtomicUsize,
    pub open: AtomicUsize,
    pub peak: AtomicUsize,
    /// Whole requests with the number of their connection: heads as they came, bodies without their chunks.
    pub requests: Mutex<Vec<(usize, Vec<u8>)>>,
    /// Heads that were read alone.
    pub heads: Mutex<Vec<(usize, Vec<u8>)>>,
    /// What `Record` and `Rest` read.
    pub rest: Mutex<Vec<Vec<u8>>>,
}

impl Seen {
    pub fn enter(&self) -> usize {
        self.peak.fetch_max(self.open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        self.accepted.fetch_add(1, Ordering::SeqCst)
    }

    pub fn leave(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    /// What was recorded apart from the requests.
    pub fn rest(&self) -> Vec<Vec<u8>> {
        self.rest.lock().unwrap().clone()
    }

    /// Whole requests so far, as text.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|(_, request)| String::from_utf8_lossy(request).into_owned()).collect()
    }
}

/// Lets scripts at a `Hold` go on. Once it is shut, every wait of a script ends.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<Passes>, Condvar)>);

#[derive(Debug, Default)]
struct Passes {
    left: usize,
    shut: bool,
}

impl Gate {
    /// Lets one `Hold` pass, now or later.
    pub fn open(&self) {
        self.0.0.lock().unwrap().left += 1;
        self.0.1.notify_all();
    }

    /// Whether a `Hold` may pass; it has then.
    pub fn try_pass(&self) -> bool {
        let mut passes = self.0.0.lock().unwrap();
        let open = passes.left > 0;
        passes.left -= usize::from(open);
        open
    }

    fn shut(&self) {
        self.0.0.lock().unwrap().shut = true;
        self.0.1.notify_all();
    }

    fn pass(&self) -> io::Result<()> {
        let mut passes = self.0.0.lock().unwrap();
        loop {
            if passes.shut {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if passes.left > 0 {
                passes.left -= 1;
                return Ok(());
            }
            passes = self.0.1.wait(passes).unwrap();
        }
    }

    fn pause(&self, time: Duration) -> io::Result<()> {
        let passes = self.0.0.lock().unwrap();
        match self.0.1.wait_timeout_while(passes, time, |passes| !passes.shut).unwrap().1.timed_out() {
            true => Ok(()),
            false => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

/// A server whose nth connection follows the nth script, and the last script from then on.
///
/// Dropping it ends its scripts, and closes its sockets soon after.
pub struct Server {
    pub addr: SocketAddr,
    pub seen: Arc<Seen>,
    pub gate: Gate,
    told: Mutex<mpsc::Receiver<&'static str>>,
    ending: Arc<AtomicBool>,
    /// Owned by the scripts alone: a second owner would keep a socket open that its script has closed.
    streams: Arc<Mutex<Vec<Weak<TcpStream>>>>,
}

impl Server {
    pub fn new(scripts: Vec<Vec<Step>>) -> Server {
        Server::with(nth(scripts))
    }

    /// A server that asks for the script of each connection by its number.
    pub fn with(script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (seen, gate, ending) = (Arc::new(Seen::default()), Gate::default(), Arc::new(AtomicBool::new(false)));
        let streams: Arc<Mutex<Vec<Weak<TcpStream>>>> = Arc::default();
        let (tell, told) = mpsc::channel();
        thread::spawn({
            let (seen, gate, ending, streams) = (seen.clone(), gate.clone(), ending.clone(), streams.clone());
            move || {
                for stream in listener.incoming().flatten() {
                    let stream = Arc::new(stream);
                    let mut streams = streams.lock().unwrap();
                    streams.retain(|stream| stream.strong_count() > 0);
                    streams.push(Arc::downgrade(&stream));
                    drop(streams);
                    if ending.load(Ordering::SeqCst) {
                        return;
                    }
                    let number = seen.enter();
                    let steps = script(number);
                    let (seen, gate, tell) = (seen.clone(), gate.clone(), tell.clone());
                    thread::spawn(move || {
                        let mut connection = Scripted { stream: Some(stream), number, head: None, seen, gate, tell };
                        let _ = connection.run(steps);
                        let seen = connection.seen.clone();
                        drop(connection);
                        seen.leave();
                    });
                }
            }
        });
        Server { addr, seen, gate, told: Mutex::new(told), ending, streams }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Waits for the next `Tell` of any script.
    pub fn wait_for(&self, what: &str) {
        assert_eq!(self.told.lock().unwrap().recv_timeout(GIVE_UP), Ok(what));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        self.gate.shut();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.addr);
        for stream in self.streams.lock().unwrap().iter().filter_map(Weak::upgrade) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// The script of the nth connection: the nth, and the last one from then on.
pub fn nth(scripts: Vec<Vec<Step>>) -> impl Fn(usize) -> Vec<Step> + Send + Sync + 'static {
    move |n| scripts.get(n).or(scripts.last()).cloned().unwrap_or_default()
}

struct Scripted {
    stream: Option<Arc<TcpStream>>,
    number: usize,
    head: Option<Vec<u8>>,
    seen: Arc<Seen>,
    gate: Gate,
    tell: mpsc::Sender<&'static str>,
}

impl Scripted {
    fn run(&mut self, steps: Vec<Step>) -> io::Result<()> {
        for step in steps {
            match step {
                Step::Forever(steps) => loop {
                    self.run(steps.clone())?;
                },
                Step::Hold => self.gate.pass()?,
                Step::Pause(time) => self.gate.pause(time)?,
                Step::Tell(what) => drop(self.tell.send(what)),
                step => self.on_the_wire(step)?,
            }
        }
        Ok(())
    }

    fn on_the_wire(&mut self, step: Step) -> io::Result<()> {
        let Some(mut stream) = self.stream.as_deref() else { return Ok(()) };
        match step {
            Step::Request => {
                let request = read_request(&mut stream)?;
                self.seen.requests.lock().unwrap().push((self.number, request));
            }
            Step::Head => {
                let head = read_head(&mut stream)?;
                self.seen.heads.lock().unwrap().push((self.number, head.clone()));
                self.head = Some(head);
            }
            Step::Body => {
                let mut request = self.head.take().unwrap_or_default();
                request.extend(read_body(&mut stream, &request)?);
                self.seen.requests.lock().unwrap().push((self.number, request));
            }
            Step::Bytes(len) => stream.read_exact(&mut vec![0; len])?,
            Step::Record(len) => {
                let mut bytes = vec![0; len];
                stream.read_exact(&mut bytes)?;
                self.seen.rest.lock().unwrap().push(bytes);
            }
            Step::Rest => {
                let mut bytes = Vec::new();
                let read = stream.read_to_end(&mut bytes);
                self.seen.rest.lock().unwrap().push(bytes);
                read?;
            }
            Step::Send(bytes) => stream.write_all(&bytes)?,
            Step::Pieces(bytes, size) => {
                stream.set_nodelay(true)?;
                bytes.chunks(size).try_for_each(|piece| stream.write_all(piece))?;
            }
            Step::Drip(bytes, apart) => {
                stream.set_nodelay(true)?;
                for byte in bytes {
                    stream.write_all(&[byte])?;
                    self.gate.pause(apart)?;
                }
            }
            Step::HalfClose => stream.shutdown(Shutdown::Write)?,
            Step::Reset => {
                socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
                self.stream = None;
            }
            Step::UntilClosed => {
                let mut rest = [0; 4096];
                while stream.read(&mut rest)? > 0 {}
            }
            Step::Forever(_) | Step::Hold | Step::Pause(_) | Step::Tell(_) => {}
        }
        Ok(())
    }
}

/// Reads one request: up to the blank line, and its body by Content-Length or chunks, which are taken off.
pub fn read_request(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut request = read_head(stream)?;
    request.extend(read_body(stream, &request)?);
    Ok(request)
}

pub fn read_head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read_byte(stream)?);
    }
    Ok(head)
}

/// Reads the body that a head announces, without what frames it.
pub fn read_body(stream: &mut impl Read, head: &[u8]) -> io::Result<Vec<u8>> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = |name: &str| header(&head, name).map(str::to_owned);
    if value("transfer-encoding").is_some_and(|coding| coding.ends_with("chunked")) {
        return read_chunks(stream);
    }
    let length = value("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(body)
}

/// Strictly: what is no chunk is an error, so that a test sees it.
fn read_chunks(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = read_line(stream)?;
        let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
        if size == 0 {
            while !read_line(stream)?.is_empty() {}
            return Ok(body);
        }
        let start = body.len();
        body.resize(start + size, 0);
        stream.read_exact(&mut body[start..])?;
        if !read_line(stream)?.is_empty() {
            return Err(io::Error::other("no line end behind a chunk"));
        }
    }
}

fn read_line(stream: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(read_byte(stream)?);
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).map_err(io::Error::other)
}

fn read_byte(stream: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0; 1];
    stream.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// The value of a header of a request read by [`read_request`].
pub fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.split("\r\n").skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// An address that refuses connections for as long as the socket is kept, which nobody else can bind meanwhile.
pub fn refusing() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// An address that answers no SYN for as long as this is kept: connecting to it hangs until its bound.
#[cfg(target_os = "linux")]
pub struct Swallowing {
    pub addr: SocketAddr,
    listener: socket2::Socket,
    filling: Vec<io::Result<TcpStream>>,
}

#[cfg(target_os = "linux")]
impl Swallowing {
    /// A listener whose backlog is full.
    pub fn new() -> Swallowing {
        let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let addr = listener.local_addr().unwrap().as_socket().unwrap();
        let full = Duration::from_millis(100);
        let filling: Vec<_> = (0..4).map(|_| TcpStream::connect_timeout(&addr, full)).collect();
        assert!(filling.last().unwrap().is_err(), "the backlog is full");
        Swallowing { addr, listener, filling }
    }

    /// Closes the connections that filled the backlog, and returns the listener, which answers from now on.
    pub fn wake(self) -> TcpListener {
        drop(self.filling);
        self.listener.into()
    }
}

/// The number of descriptors this process has open.
#[cfg(target_os = "linux")]
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The threads of this process.
#[cfg(target_os = "linux")]
pub fn threads() -> std::collections::BTreeSet<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.flatten().map(|task| task.file_name().to_string_lossy().into_owned()).collect()
}

/// Waits until `condition` holds: for what another thread is about to do, and that sends no event.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < GIVE_UP, "{what} did not happen");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs `work` in a thread and fails the test if it hangs.
pub fn without_hanging<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let worker = thread::spawn(move || drop(done.send(work())));
    match result.recv_timeout(GIVE_UP) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(worker.join().unwrap_err()),
    }
}

//! Servers for tests: on loopback, scripted byte by byte.
//!
//! Each test binary uses a part of this.
#![allow(dead_code)]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Nothing in a test takes this long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a server does with one connection, in order. At the end of the script it closes.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads one request: head, and body by Content-Length or chunks. The end of the connection ends the script.
    Request,
    /// Reads the head of a request, and leaves its body.
    Head,
    /// Reads at least so many bytes of a request, and leaves the rest.
    Bytes(usize),
    /// Reads just so many bytes, and records them apart from the requests.
    Record(usize),
    /// The same with all that comes until the client closes.
    Rest,
    /// Sends these bytes.
    Send(Vec<u8>),
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
    /// Whole requests, as they came, with the number of their connection.
    pub requests: Mutex<Vec<(usize, Vec<u8>)>>,
    /// What `Record` and `Rest` read.
    pub rest: Mutex<Vec<Vec<u8>>>,
}

impl Seen {
    fn enter(&self) -> usize {
        self.peak.fetch_max(self.open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        self.accepted.fetch_add(1, Ordering::SeqCst)
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

/// Lets scripts at a `Hold` go on.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<usize>, std::sync::Condvar)>);

impl Gate {
    /// Lets one `Hold` pass, now or later.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() += 1;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let mut passes = self.0.0.lock().unwrap();
        while *passes == 0 {
            passes = self.0.1.wait(passes).unwrap();
        }
        *passes -= 1;
    }
}

/// A server whose nth connection follows the nth script, and the last script from then on.
pub struct Server {
    pub addr: SocketAddr,
    pub seen: Arc<Seen>,
    pub gate: Gate,
    told: Mutex<mpsc::Receiver<&'static str>>,
}

impl Server {
    pub fn new(scripts: Vec<Vec<Step>>) -> Server {
        Server::with(move |n| scripts.get(n).or(scripts.last()).cloned().unwrap_or_default())
    }

    /// A server that asks for the script of each connection by its number.
    pub fn with(script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let gate = Gate::default();
        let (tell, told) = mpsc::channel();
        thread::spawn({
            let (seen, gate) = (seen.clone(), gate.clone());
            move || {
                for stream in listener.incoming().flatten() {
                    let number = seen.enter();
                    let steps = script(number);
                    let (seen, gate, tell) = (seen.clone(), gate.clone(), tell.clone());
                    thread::spawn(move || {
                        let mut connection = Scripted { stream: Some(stream), number, seen, gate, tell };
                        let _ = connection.run(steps);
                        let seen = connection.seen.clone();
                        drop(connection);
                        seen.open.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            }
        });
        Server { addr, seen, gate, told: Mutex::new(told) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Waits for the next `Tell` of any script.
    pub fn wait_for(&self, what: &str) {
        assert_eq!(self.told.lock().unwrap().recv_timeout(PATIENCE), Ok(what));
    }
}

struct Scripted {
    stream: Option<TcpStream>,
    number: usize,
    seen: Arc<Seen>,
    gate: Gate,
    tell: mpsc::Sender<&'static str>,
}

impl Scripted {
    fn run(&mut self, steps: Vec<Step>) -> io::Result<()> {
        for step in steps {
            let Some(stream) = &mut self.stream else { return Ok(()) };
            match step {
                Step::Request => {
                    let request = read_request(stream)?;
                    self.seen.requests.lock().unwrap().push((self.number, request));
                }
                Step::Head => drop(read_head(stream)?),
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
                Step::Drip(bytes, apart) => {
                    stream.set_nodelay(true)?;
                    for byte in bytes {
                        stream.write_all(&[byte])?;
                        thread::sleep(apart);
                    }
                }
                Step::Pause(time) => thread::sleep(time),
                Step::Hold => self.gate.pass(),
                Step::Tell(what) => drop(self.tell.send(what)),
                Step::HalfClose => stream.shutdown(Shutdown::Write)?,
                Step::Reset => {
                    let socket = socket2::SockRef::from(&*stream);
                    socket.set_linger(Some(Duration::ZERO))?;
                    self.stream = None;
                }
                Step::Forever(steps) => loop {
                    self.run(steps.clone())?;
                },
                Step::UntilClosed => {
                    let mut rest = [0; 4096];
                    while stream.read(&mut rest)? > 0 {}
                }
            }
        }
        Ok(())
    }
}

/// Reads up to the blank line.
fn read_head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

/// Reads one request: up to the blank line, and as much as its Content-Length says, or the data of its chunks.
pub fn read_request(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut request = read_head(stream)?;
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim));
    if field("transfer-encoding") == Some("chunked") {
        read_chunks(stream, &mut request)?;
        return Ok(request);
    }
    let mut body = vec![0; field("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body)?;
    request.extend(body);
    Ok(request)
}

fn read_chunks(stream: &mut impl Read, data: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let mut line = Vec::new();
        let mut byte = [0; 1];
        while !line.ends_with(b"\r\n") {
            stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim_end(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk)?;
        assert!(chunk.ends_with(b"\r\n"), "a chunk ends in CRLF");
        data.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return Ok(());
        }
    }
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

/// The number of descriptors this process has open.
#[cfg(target_os = "linux")]
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Waits until `condition` holds: for what another thread is about to do, and that sends no event.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "{what} did not happen");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs `work` in a thread and fails the test if it hangs.
pub fn within_patience<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || drop(done.send(work())));
    result.recv_timeout(PATIENCE).expect("the call ends, without a panic, within the patience of the test")
}

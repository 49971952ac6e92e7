//! A proxy for tests: it forwards `http`, opens tunnels, and keeps all that clients send to it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::{read_body, read_head};

/// What the proxy answers in place of doing what it is asked. It is given the head.
type Refusal = dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync;

#[derive(Default)]
pub struct Log {
    /// The heads of requests to the proxy, with the number of their connection.
    heads: Mutex<Vec<(usize, String)>>,
    /// Every byte that clients have sent to it, tunnels included.
    bytes: Mutex<Vec<u8>>,
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl Log {
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().iter().map(|(_, head)| head.clone()).collect()
    }

    /// The connection of each head.
    pub fn connections(&self) -> Vec<usize> {
        self.heads.lock().unwrap().iter().map(|(number, _)| *number).collect()
    }

    #[cfg(any(feature = "rustls", feature = "digest-auth"))]
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Waits until every connection is closed.
    pub fn wait_until_none_is_open(&self) {
        crate::support::eventually("the proxy has no open connection", || self.open.load(Ordering::SeqCst) == 0);
    }
}

/// A stream with two ends that can be used by two threads.
pub trait Duplex: Read + Write + Send + Sized + 'static {
    fn twin(&self) -> io::Result<Self>;
    fn end(&self);
}

impl Duplex for TcpStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

#[cfg(unix)]
impl Duplex for UnixStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

/// A running proxy. It serves until the process ends.
pub struct Relay {
    pub addr: SocketAddr,
    pub log: Arc<Log>,
}

impl Relay {
    /// A proxy that does what it is asked. Hosts that are not addresses are all at `home`.
    pub fn new(home: SocketAddr) -> Relay {
        Relay::refusing(home, |_| None)
    }

    /// A proxy that asks before what it answers.
    pub fn refusing(home: SocketAddr, refusal: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (addr, log) = (listener.local_addr().unwrap(), Arc::new(Log::default()));
        let (served, refusal): (_, Arc<Refusal>) = (log.clone(), Arc::new(refusal));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                begin(client, home, &served, &refusal);
            }
        });
        Relay { addr, log }
    }

    /// The same at a Unix socket.
    #[cfg(unix)]
    pub fn unix(path: &std::path::Path, home: SocketAddr) -> Arc<Log> {
        let (listener, log) = (UnixListener::bind(path).unwrap(), Arc::new(Log::default()));
        let (served, refusal): (_, Arc<Refusal>) = (log.clone(), Arc::new(|_: &str| None));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                begin(client, home, &served, &refusal);
            }
        });
        log
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn with_login(&self, login: &str) -> String {
        format!("http://{login}@{}", self.addr)
    }
}

fn begin<S: Duplex>(client: S, home: SocketAddr, log: &Arc<Log>, refusal: &Arc<Refusal>) {
    let number = log.accepted.fetch_add(1, Ordering::SeqCst);
    log.open.fetch_add(1, Ordering::SeqCst);
    let (log, refusal) = (log.clone(), refusal.clone());
    thread::spawn(move || {
        let _ = serve(client, number, home, &log, &*refusal);
        log.open.fetch_sub(1, Ordering::SeqCst);
    });
}

fn serve<S: Duplex>(client: S, number: usize, home: SocketAddr, log: &Arc<Log>, refusal: &Refusal) -> io::Result<()> {
    let mut client = Recorded(client, log.clone());
    loop {
        let head = String::from_utf8(read_head(&mut client)?).map_err(io::Error::other)?;
        log.heads.lock().unwrap().push((number, head.clone()));
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let refused = refusal(&head);
        if let Some(answer) = refused {
            read_body(&mut client, head.as_bytes())?;
            client.0.write_all(&answer)?;
            let is_over = String::from_utf8_lossy(&answer).to_ascii_lowercase().contains("connection: close");
            if is_over {
                return Ok(());
            }
            continue;
        }
        if method == "CONNECT" {
            let server = TcpStream::connect(address(target, home))?;
            client.0.write_all(b"HTTP/1.1 200 Connection established\r\nX-Exit: 192.0.2.7\r\n\r\n")?;
            return pump(client, server);
        }
        forward(&mut client, &head, target, home)?;
    }
}

/// The address of a host and port.
fn address(authority: &str, home: SocketAddr) -> SocketAddr {
    authority.parse().unwrap_or(home)
}

/// Sends a request on in origin form, and its response back.
fn forward<S: Duplex>(client: &mut Recorded<S>, head: &str, target: &str, home: SocketAddr) -> io::Result<()> {
    let rest = target.strip_prefix("http://").or(target.strip_prefix("https://")).ok_or(io::ErrorKind::InvalidData)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut server = TcpStream::connect(address(authority, home))?;
    let body = read_body(client, head.as_bytes())?;
    let passed: String = head.split_inclusive("\r\n").skip(1).filter(|line| !line.starts_with("Proxy-")).collect();
    write!(server, "{} {path} HTTP/1.1\r\n{passed}", head.split(' ').next().unwrap_or_default())?;
    server.write_all(&body)?;
    let answer = read_head(&mut server)?;
    let body = read_body(&mut server, &answer)?;
    client.0.write_all(&[answer, body].concat())
}

/// Moves bytes in both directions until one of them ends.
fn pump<S: Duplex>(mut client: Recorded<S>, server: TcpStream) -> io::Result<()> {
    let (mut back, mut from) = (client.0.twin()?, server.try_clone()?);
    let answers = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut back);
        back.end();
    });
    let _ = io::copy(&mut client, &mut &server);
    server.end();
    let _ = answers.join();
    Ok(())
}

/// Keeps what is read.
struct Recorded<S>(S, Arc<Log>);

impl<S: Read> Read for Recorded<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read(buf)?;
        self.1.bytes.lock().unwrap().extend_from_slice(&buf[..len]);
        Ok(len)
    }
}

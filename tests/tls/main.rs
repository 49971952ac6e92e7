//! https against TLS servers of the tests' own, honest and hostile: certificates, names, sessions, records, ends.
#![cfg(feature = "__tls")]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tls.rs"]
mod tls;

#[cfg(feature = "digest-auth")]
mod logins;
mod matrix;
#[cfg(feature = "native-tls")]
mod native;
mod racing;
mod reaping;
mod records;
mod redirects;
mod replaced;
mod slow;
mod splits;
mod transfers;
mod trust;

use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use hostpool::{
    Bound, CloseReason, ConnectionPool, DialContext, Dialer, Error, ErrorKind, Phase, Probe, Response, Session, Target,
    Timeout, TlsConfig, TlsDialer, TlsFault, Transport, TransportInfo, Wait,
};
use rustls::{ContentType, HandshakeKind};
use support::{GIVE_UP, Server, Step, answer, ok, without_hanging};
use tls::{Authority, Hello, Peer, TlsServer, dns, ip, without_tickets};

const MIB: usize = 1024 * 1024;

/// Answers every request with its own path.
fn echo_path(peer: &mut Peer) -> io::Result<()> {
    loop {
        let path = path(&peer.request()?);
        peer.send(ok(&path))?;
    }
}

fn path(request: &[u8]) -> String {
    String::from_utf8_lossy(request).split(' ').nth(1).unwrap_or_default().to_owned()
}

/// Bytes of which no two stretches look alike.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn get(pool: &ConnectionPool, path: &str) -> String {
    pool.get(path).send().unwrap().text().unwrap()
}

/// No connection came of it, nothing of the request left, and the pool's unit is back.
#[track_caller]
fn assert_refused(row: &str, pool: &ConnectionPool, error: &Error, kind: ErrorKind) {
    assert_eq!(error.kind(), &kind, "{row}: {error}");
    assert_eq!(error.phase(), Phase::Tls, "{row}: {error}");
    assert_eq!(error.origin(), Some(pool.origin()), "{row}: {error}");
    assert!(!error.maybe_processed() && error.is_connect(), "{row}: {error}");
    let stats = pool.stats();
    assert_eq!((stats.open, stats.created, stats.dial_failures), (0, 0, 1), "{row}");
}

/// Connects to one address, whatever the target; with what a test may do to the stream.
#[derive(Clone, Debug)]
struct To {
    addr: SocketAddr,
    fault: Fault,
    /// The client's sockets.
    opened: Arc<Mutex<Vec<TcpStream>>>,
}

impl To {
    fn new(server: &TlsServer, fault: Fault) -> To {
        To { addr: server.addr, fault, opened: Arc::default() }
    }

    /// Waits until something has arrived at the nth socket.
    fn wait_for_input(&self, n: usize) {
        let socket = self.opened.lock().unwrap()[n].try_clone().unwrap();
        socket.set_read_timeout(None).unwrap();
        socket.peek(&mut [0]).unwrap();
    }
}

#[derive(Clone, Debug)]
enum Fault {
    None,
    /// Takes so many bytes, and fails from then on. What arrives is not seen before it is received.
    Breaks(usize),
    /// Takes so many bytes, and then none before input has come.
    Stalls(usize),
}

impl Dialer for To {
    fn dial(&self, _: &Target<'_>, _: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        let tcp = TcpStream::connect(self.addr).unwrap();
        self.opened.lock().unwrap().push(tcp.try_clone().unwrap());
        Ok(Box::new(Plain {
            tcp,
            fault: self.fault.clone(),
            taken: AtomicUsize::new(0),
            stalled: AtomicBool::new(false),
        }))
    }
}

#[derive(Debug)]
struct Plain {
    tcp: TcpStream,
    fault: Fault,
    taken: AtomicUsize,
    stalled: AtomicBool,
}

impl Transport for Plain {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        let left = wait.deadline().map(|at| at.saturating_duration_since(std::time::Instant::now()));
        self.tcp.set_read_timeout(left.map(|left| left.max(Duration::from_millis(1))))?;
        match (&self.tcp).read(buf) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(io::ErrorKind::TimedOut.into()),
            result => result,
        }
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        let taken = self.taken.load(Ordering::SeqCst);
        let most = match self.fault {
            Fault::None => usize::MAX,
            Fault::Breaks(at) if taken == at => return Err(io::ErrorKind::BrokenPipe.into()),
            Fault::Stalls(at) if taken == at && !self.stalled.swap(true, Ordering::SeqCst) => {
                assert!(wait.watches_input(), "a stalled send would never end");
                self.tcp.set_read_timeout(None)?;
                self.tcp.peek(&mut [0])?;
                return Ok(0);
            }
            Fault::Stalls(at) if taken >= at => usize::MAX,
            Fault::Breaks(at) | Fault::Stalls(at) => at - taken,
        };
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        let sent = (&self.tcp).write(&first[..first.len().min(most)])?;
        self.taken.fetch_add(sent, Ordering::SeqCst);
        Ok(sent)
    }

    fn probe(&self) -> Probe {
        if matches!(self.fault, Fault::Breaks(_)) {
            return Probe::Quiet;
        }
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

    fn info(&self) -> TransportInfo {
        TransportInfo::default()
    }
}

/// A pool for `url` whose connections lead to this server.
fn pool_to(url: &str, server: &TlsServer, fault: Fault, tls: &TlsConfig) -> ConnectionPool {
    pool_by(url, To::new(server, fault), tls)
}

fn pool_by(url: &str, to: To, tls: &TlsConfig) -> ConnectionPool {
    let dialer = TlsDialer::new(to, tls.clone());
    ConnectionPool::builder(url)
        .retries(hostpool::Retry::off())
        .dialer(dialer)
        .probe_after(Duration::ZERO)
        .build()
        .unwrap()
}

// Whom to trust

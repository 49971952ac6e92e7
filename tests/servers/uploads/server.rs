//! A server that does with a request what its path says, and reports how much of the body it got.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use hostpool::{Session, SessionBuilder};

use crate::support::{GIVE_UP, header, read_body, read_head};

/// The server's end of a connection, whatever it runs over.
trait Peer: Read {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Ends the direction to the client.
    fn end(&mut self) -> io::Result<()>;

    /// The socket below, where it can be reset.
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }
}

impl Peer for TcpStream {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

#[cfg(unix)]
impl Peer for std::os::unix::net::UnixStream {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

#[cfg(feature = "rustls")]
impl Peer for crate::tls::Peer {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(256 * 1024).try_for_each(|piece| self.send(piece))
    }

    fn end(&mut self) -> io::Result<()> {
        self.goodbye()?;
        self.tcp.shutdown(Shutdown::Write)
    }

    fn tcp(&self) -> Option<&TcpStream> {
        Some(&self.tcp)
    }
}

/// The server's record of one request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    /// The path, which no two requests have in common.
    pub(super) path: String,
    pub(super) method: String,
    /// The length of the body, if all of it came.
    pub(super) whole: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Reports {
    list: Mutex<Vec<Report>>,
    added: Condvar,
    /// Bytes of bodies read in lockstep.
    pub(super) read: AtomicUsize,
}

impl Reports {
    fn add(&self, report: Report) {
        self.list.lock().unwrap().push(report);
        self.added.notify_all();
    }

    /// Waits for the report on the request with this path.
    pub(super) fn of(&self, path: &str) -> Report {
        let list = self.list.lock().unwrap();
        let found = |list: &[Report]| list.iter().find(|report| report.path == path).cloned();
        let (list, _) = self.added.wait_timeout_while(list, GIVE_UP, |list| found(list).is_none()).unwrap();
        found(&list).unwrap_or_else(|| panic!("no request for {path}"))
    }
}

/// Answers requests as their paths say, `/<number>/<what>`, as long as they come whole.
fn serve(peer: &mut impl Peer, reports: &Reports) -> io::Result<()> {
    // What waits for an acknowledgement would be lost with a reset.
    peer.tcp().map_or(Ok(()), |tcp| tcp.set_nodelay(true))?;
    while serve_one(peer, reports)? {}
    Ok(())
}

/// False if the connection ends.
fn serve_one(peer: &mut impl Peer, reports: &Reports) -> io::Result<bool> {
    let head = read_head(peer)?;
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut line = text.split(' ');
    let (method, path) = (line.next().unwrap().to_owned(), line.next().unwrap().to_owned());
    let (number, what) = path[1..].split_once('/').unwrap();
    let early = |head: &str| format!("HTTP/1.1 {head}\r\nContent-Length: 5\r\n\r\nearly").into_bytes();
    let redirect = |status: &str| early(&format!("{status}\r\nLocation: /{number}/late"));
    let report = |whole| reports.add(Report { path: path.clone(), method: method.clone(), whole });
    let mut after = Vec::new();
    match what {
        "200" => peer.put(&early("200 OK"))?,
        "200-close" | "closes" | "resets" => peer.put(&early("200 OK\r\nConnection: close"))?,
        "200-old" => peer.put(&[b"HTTP/1.0 ", &early("200 OK")[9..]].concat())?,
        "200-ends" => {
            peer.put(b"HTTP/1.0 200 OK\r\n\r\nearly")?;
            peer.end()?;
        }
        "200-chunks" => {
            peer.put(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nea\r\n")?;
            after = b"3\r\nrly\r\n0\r\n\r\n".to_vec();
        }
        "100-200" => peer.put(&[&b"HTTP/1.1 100 Continue\r\n\r\n"[..], &early("200 OK")].concat())?,
        "part" => peer.put(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\near")?,
        "302" | "303" | "307" | "308" => peer.put(&redirect(what))?,
        "401" | "413" | "503" => peer.put(&early(what))?,
        "900000" | "1100000" => {
            peer.put(format!("HTTP/1.1 200 OK\r\nContent-Length: {what}\r\n\r\n").as_bytes())?;
            peer.put(&vec![b'y'; what.parse().unwrap()])?;
        }
        "echo" => return echo(peer, &text).map(|()| false),
        "lockstep" => {
            peer.put(&early("200 OK"))?;
            return lockstep(peer, &text, reports).map(|()| false);
        }
        _ => after = early("200 OK"),
    }
    if ["closes", "resets", "part"].contains(&what) {
        report(None);
        // Where there is a body a part of it stays unread, and the close is a reset.
        if header(&text, "Content-Length") != Some("0") {
            peer.read_exact(&mut [0])?;
        }
        if let Some(tcp) = peer.tcp().filter(|_| what == "resets") {
            socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO))?;
        }
        return Ok(false);
    }
    let body = read_body(peer, &head);
    report(body.as_ref().ok().map(Vec::len));
    peer.put(&after)?;
    Ok(body.is_ok() && !["200-close", "200-old", "200-ends"].contains(&what))
}

/// Sends back what comes, and waits for the client to take it.
fn echo(peer: &mut impl Peer, head: &str) -> io::Result<()> {
    let mut left: usize = header(head, "Content-Length").unwrap().parse().unwrap();
    peer.put(format!("HTTP/1.1 200 OK\r\nContent-Length: {left}\r\n\r\n").as_bytes())?;
    let mut buf = vec![0; 64 * 1024];
    while left > 0 {
        let len = peer.read(&mut buf)?;
        if len == 0 {
            return Ok(());
        }
        peer.put(&buf[..len])?;
        left -= len;
    }
    while peer.read(&mut buf)? > 0 {}
    Ok(())
}

/// Tells of each piece as it comes.
fn lockstep(peer: &mut impl Peer, head: &str, reports: &Reports) -> io::Result<()> {
    struct Counted<'a, P>(&'a mut P, &'a AtomicUsize);
    impl<P: Read> Read for Counted<'_, P> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let len = self.0.read(buf)?;
            self.1.fetch_add(len, Ordering::SeqCst);
            Ok(len)
        }
    }
    let body = read_body(&mut Counted(peer, &reports.read), head.as_bytes())?;
    let path = head.split(' ').nth(1).unwrap().to_owned();
    reports.add(Report { path, method: "POST".into(), whole: Some(body.len()) });
    while peer.read(&mut [0; 1024])? > 0 {}
    Ok(())
}

/// A server over one kind of transport, and how a session comes to it.
pub(super) struct Host {
    pub(super) name: &'static str,
    pub(super) url: String,
    pub(super) reports: Arc<Reports>,
    numbers: AtomicUsize,
    configure: Box<dyn Fn(SessionBuilder) -> SessionBuilder>,
    _directory: Option<tempfile::TempDir>,
}

impl Host {
    fn new(name: &'static str, url: String, reports: Arc<Reports>) -> Host {
        let configure = Box::new(|builder| builder);
        Host { name, url, reports, numbers: AtomicUsize::new(0), configure, _directory: None }
    }

    pub(super) fn plain() -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // The unread part of an echo stays small.
        let socket = socket2::SockRef::from(&listener);
        socket.set_recv_buffer_size(256 * 1024).unwrap();
        socket.set_send_buffer_size(256 * 1024).unwrap();
        let (url, reports) = (format!("http://{}", listener.local_addr().unwrap()), Arc::new(Reports::default()));
        serve_all(move || listener.accept().map(|(stream, _)| stream), &reports);
        Host::new("plain", url, reports)
    }

    #[cfg(unix)]
    pub(super) fn unix() -> Host {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let url = format!("http+unix://{}", path.to_str().unwrap().replace('/', "%2F"));
        let reports = Arc::new(Reports::default());
        serve_all(move || listener.accept().map(|(stream, _)| stream), &reports);
        Host { _directory: Some(directory), ..Host::new("unix", url, reports) }
    }

    #[cfg(feature = "rustls")]
    pub(super) fn tls() -> Host {
        use crate::tls::{Authority, TlsServer};
        let authority = Authority::new();
        let reports = Arc::new(Reports::default());
        let server = TlsServer::new(authority.server(), {
            let reports = reports.clone();
            move |peer| serve(peer, &reports)
        });
        let tls = authority.trusted();
        let configure = Box::new(move |builder: SessionBuilder| builder.tls(tls.clone()));
        Host { configure, ..Host::new("tls", server.url(), reports) }
    }

    /// A path that no other request has.
    pub(super) fn path(&self, what: &str) -> String {
        format!("/{}/{what}", self.numbers.fetch_add(1, Ordering::SeqCst))
    }

    pub(super) fn session(&self) -> SessionBuilder {
        (self.configure)(Session::builder().timeout(GIVE_UP))
    }
}

fn serve_all<P: Peer + Send + 'static>(accept: impl Fn() -> io::Result<P> + Send + 'static, reports: &Arc<Reports>) {
    let reports = reports.clone();
    thread::spawn(move || {
        while let Ok(mut peer) = accept() {
            let reports = reports.clone();
            thread::spawn(move || serve(&mut peer, &reports));
        }
    });
}

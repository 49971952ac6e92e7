//! Peers that take a request slowly, or not to its end: the bound on writing means the same as without TLS.

use super::*;
use std::time::Instant;

/// Has room for so many bytes, and then for so many more every 20 milliseconds.
#[derive(Clone, Copy, Debug)]
struct Narrow {
    room: usize,
    each_tick: usize,
}

#[derive(Debug)]
struct NarrowStream {
    inner: Box<dyn Transport>,
    room: AtomicUsize,
    each_tick: usize,
}

impl Dialer for Narrow {
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        let inner = hostpool::TcpDialer::new().dial(target, context)?;
        Ok(Box::new(NarrowStream { inner, room: AtomicUsize::new(self.room), each_tick: self.each_tick }))
    }
}

impl Transport for NarrowStream {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        self.inner.recv(buf, wait)
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        while self.room.load(Ordering::SeqCst) == 0 {
            if wait.watches_input() && self.inner.probe() != Probe::Quiet {
                return Ok(0);
            }
            if wait.deadline().is_some_and(|at| at <= Instant::now()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_millis(20));
            self.room.fetch_add(self.each_tick, Ordering::SeqCst);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty()).expect("something is sent");
        let most = first.len().min(self.room.load(Ordering::SeqCst));
        let sent = self.inner.send(&[IoSlice::new(&first[..most])], wait)?;
        self.room.fetch_sub(sent, Ordering::SeqCst);
        Ok(sent)
    }

    fn probe(&self) -> Probe {
        self.inner.probe()
    }

    fn abort(&self) {
        self.inner.abort();
    }
}

fn pool(server: &TlsServer, authority: &Authority, narrow: Narrow) -> ConnectionPool {
    let dialer = TlsDialer::new(narrow, authority.trusted());
    ConnectionPool::builder(server.url()).retries(hostpool::Retry::off()).dialer(dialer).limit(1).build().unwrap()
}

/// Whatever the size of the body: one that rustls takes in at once, and one that it does not.
#[test]
fn a_peer_that_stops_reading() {
    let authority = Authority::new();
    let server = TlsServer::new(without_tickets(authority.server()), |peer| {
        peer.read_exact(&mut [0; 20])?;
        peer.until_closed()
    });
    let timeout = Timeout::new().write(Duration::from_millis(300)).read(GIVE_UP);
    for size in [40_000, 400_000] {
        let pool = pool(&server, &authority, Narrow { room: 20_000, each_tick: 0 });
        let request = pool.post("/").data(vec![7; size]).timeout(timeout);
        let error = without_hanging(move || request.send()).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Write), Phase::Send), "{size}");
        assert!(error.is_timeout() && error.maybe_processed());
        assert_eq!(pool.stats().open, 0, "{size}: with part of a request inside");
    }
}

/// The bound is on the gap between bytes that are accepted, not on the whole.
#[test]
fn a_peer_that_reads_slowly() {
    let authority = Authority::new();
    let server = TlsServer::new(without_tickets(authority.server()), |peer| {
        peer.request()?;
        peer.send(ok("fine"))
    });
    let pool = pool(&server, &authority, Narrow { room: 5_000, each_tick: 1_000 });
    let timeout = Timeout::new().write(Duration::from_millis(500)).read(GIVE_UP);
    let request = pool.post("/").data(vec![7; 100_000]).timeout(timeout);
    assert_eq!(request.send().unwrap().text().unwrap(), "fine");
}

/// An answer before the end of a request that does not get out: the answer counts, and the connection is not used
/// again.
#[test]
fn an_answer_to_part_of_a_request() {
    let authority = Authority::new();
    let server = TlsServer::new(without_tickets(authority.server()), |peer| {
        if peer.number > 0 {
            return echo_path(peer);
        }
        peer.read_exact(&mut [0; 20])?;
        peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nearly")?;
        peer.until_closed()
    });
    let pool = pool(&server, &authority, Narrow { room: 20_000, each_tick: 0 });
    let response = pool.post("/").data(vec![7; 40_000]).timeout(GIVE_UP).send().unwrap();
    assert_eq!(response.text().unwrap(), "early");
    assert_eq!(pool.stats().open, 0);
    assert_eq!(get(&pool, "/second"), "/second");
}

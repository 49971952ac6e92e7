//! Transports in memory, for one thread: nothing blocks, and every call is counted.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::dial::{DialContext, Dialer, Target};
use crate::error::{Phase, Result};
use crate::net::transport::{Probe, Transport, TransportInfo, Wait};

/// The other end of a connection.
pub(super) trait Peer: Send {
    /// How many of so many bytes it looks at in one call: a large body has not to be copied for each.
    fn room(&self, offered: usize) -> usize {
        offered
    }

    /// Takes bytes from the front and says how many; 0 only if `watched`, with input waiting.
    fn send(&mut self, bytes: &[u8], watched: bool) -> io::Result<usize>;

    /// What comes next; an error where nothing does, as nobody could wait for it.
    fn recv(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    fn probe(&mut self) -> Probe;
}

/// Hands out transports to scripted peers, in order, and refuses further ones.
pub(super) struct Net<P>(Arc<Shared<P>>);

struct Shared<P> {
    coming: Mutex<VecDeque<P>>,
    /// All that were dialed, open or closed.
    dialed: Mutex<Vec<Arc<Mutex<P>>>>,
    alive: AtomicUsize,
    calls: AtomicUsize,
    moved: AtomicUsize,
    operations: AtomicUsize,
}

impl<P: Peer> Net<P> {
    pub(super) fn new(peers: impl IntoIterator<Item = P>) -> Self {
        Net(Arc::new(Shared {
            coming: Mutex::new(peers.into_iter().collect()),
            dialed: Mutex::default(),
            alive: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            moved: AtomicUsize::new(0),
            operations: AtomicUsize::new(1),
        }))
    }

    /// The client is asked for something, and may call its transports a few more times.
    pub(super) fn begin(&self) {
        self.0.operations.fetch_add(1, Relaxed);
    }

    /// Transports that have not been dropped.
    pub(super) fn alive(&self) -> usize {
        self.0.alive.load(Relaxed)
    }

    pub(super) fn peers(&self) -> Vec<Arc<Mutex<P>>> {
        lock(&self.0.dialed).clone()
    }

    /// The next connection.
    pub(super) fn open(&self) -> Option<Line<P>> {
        let peer = Arc::new(Mutex::new(lock(&self.0.coming).pop_front()?));
        lock(&self.0.dialed).push(peer.clone());
        self.0.alive.fetch_add(1, Relaxed);
        Some(Line { peer, net: self.clone() })
    }

    /// Work is linear in the bytes that moved; a client that spins goes past any such bound.
    fn count(&self) {
        let calls = self.0.calls.fetch_add(1, Relaxed);
        let bound = 64 * self.0.operations.load(Relaxed) + 8 * self.0.moved.load(Relaxed);
        assert!(calls <= bound, "{calls} calls of transports");
    }

    fn moved(&self, result: io::Result<usize>) -> io::Result<usize> {
        if let Ok(len) = result {
            self.0.moved.fetch_add(len, Relaxed);
        }
        result
    }
}

impl<P> Clone for Net<P> {
    fn clone(&self) -> Self {
        Net(Arc::clone(&self.0))
    }
}

impl<P> fmt::Debug for Net<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Net")
    }
}

impl<P: Peer + 'static> Dialer for Net<P> {
    fn dial(&self, _: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>> {
        match self.open() {
            Some(line) => Ok(Box::new(line)),
            None => Err(context.timed_out(Phase::Connect)),
        }
    }
}

pub(super) struct Line<P> {
    peer: Arc<Mutex<P>>,
    net: Net<P>,
}

impl<P> fmt::Debug for Line<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl<P: Peer> Transport for Line<P> {
    fn recv(&self, buf: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
        assert!(!buf.is_empty(), "an empty buffer would look like the end");
        self.net.count();
        self.net.moved(lock(&self.peer).recv(buf))
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        self.net.count();
        let offered = bufs.iter().map(|buf| buf.len()).sum();
        assert!(offered > 0, "nothing to send");
        let mut peer = lock(&self.peer);
        let room = peer.room(offered).min(offered);
        let mut bytes = Vec::with_capacity(room);
        for buf in bufs {
            bytes.extend_from_slice(&buf[..buf.len().min(room - bytes.len())]);
        }
        self.net.moved(peer.send(&bytes, wait.watches_input()))
    }

    fn probe(&self) -> Probe {
        self.net.count();
        lock(&self.peer).probe()
    }

    fn abort(&self) {}

    fn info(&self) -> TransportInfo {
        TransportInfo::default()
    }
}

impl<P> Drop for Line<P> {
    fn drop(&mut self) {
        self.net.0.alive.fetch_sub(1, Relaxed);
    }
}

/// What a peer has to say, in the segments it says it in.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    segments: VecDeque<Vec<u8>>,
    taken: usize,
    end: Option<End>,
    /// Somebody has been told that there is nothing, or nothing more.
    told: bool,
}

/// How a peer falls silent for good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Eof,
    Reset,
}

impl Outbox {
    /// Nothing is said behind an end.
    pub(super) fn push(&mut self, segment: &[u8]) {
        if self.end.is_none() && !segment.is_empty() {
            // It was only asked whether there was anything yet.
            self.told = false;
            self.segments.push_back(segment.to_vec());
        }
    }

    pub(super) fn end(&mut self, end: End) {
        self.end.get_or_insert(end);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whoever was told so does not come back.
    pub(super) fn has_told(&self) -> bool {
        self.told
    }

    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    pub(super) fn recv(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(segment) = self.segments.front() else {
            self.told = true;
            return match self.end {
                None => Err(io::ErrorKind::TimedOut.into()),
                Some(End::Eof) => Ok(0),
                Some(End::Reset) => Err(io::ErrorKind::ConnectionReset.into()),
            };
        };
        let rest = &segment[self.taken..];
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.taken += len;
        if self.taken == segment.len() {
            self.segments.pop_front();
            self.taken = 0;
        }
        Ok(len)
    }

    pub(super) fn probe(&self) -> Probe {
        match (self.is_empty(), self.end) {
            (false, _) => Probe::Readable,
            (true, Some(_)) => Probe::Dead,
            (true, None) => Probe::Quiet,
        }
    }
}

/// A panic under a lock has been reported already.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

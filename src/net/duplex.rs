//! A connection that carries bytes of another protocol than HTTP, in both directions at once.
//!
//! One thread may be blocked in receiving while another sends: nothing is locked while bytes move. Each operation holds
//! the connection alive until it ends, so the connection is closed by the last of them.

use std::fmt;
use std::io::{self, IoSlice};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::abort::{AbortCause, AbortCell};
use super::transport::{Probe, Transport, Wait};
use crate::error::{Bound, Error, ErrorKind, Phase, Reason, Result};
use crate::sync::Mutex;
use crate::time::{Deadline, Until};

/// The phase of all its errors.
const PHASE: Phase = Phase::Upgraded;

/// An open connection. Its drop closes it.
pub(crate) trait Link: Send + Sync {
    fn transport(&self) -> &dyn Transport;

    /// Returns what ends the current use of the connection.
    fn cell(&self) -> &Arc<AbortCell>;

    /// Returns whether all below the transport is this crate's own. Then a token ends a wait and leaves the connection
    /// as it is. Otherwise it has to end the connection.
    fn is_own(&self) -> bool;
}

/// A connection in both directions.
///
/// - **One receiver at a time**: [`receive`](Self::receive), [`send_or_input`](Self::send_or_input) and
///   [`has_input`](Self::has_input) belong to it. **One sender at a time**: all other operations that send. The two may be
///   two threads, and neither waits for the other. The users of this type have the locks for this.
/// - Any thread may call [`close`](Self::close) at any time.
/// - A receive that failed by its deadline or its token has taken nothing, and may be repeated. A send that failed so has
///   sent nothing of its bytes.
/// - Bytes that a TLS library has taken count as sent. If they could not leave in time, the next operation in either
///   direction sends them first, and the receiver is woken for it.
pub(crate) struct Duplex {
    /// `None` once it is closed. Operations that go on keep it open until they end.
    link: Mutex<Option<Arc<dyn Link>>>,
    /// What arrived with the head of the response. Only the receiver takes it.
    first: Mutex<First>,
    has_first: AtomicBool,
}

#[derive(Default)]
struct First {
    bytes: Vec<u8>,
    taken: usize,
}

impl Duplex {
    /// Makes a connection of which `first` has been received already.
    pub(crate) fn new(link: Arc<dyn Link>, first: Vec<u8>) -> Duplex {
        let has_first = AtomicBool::new(!first.is_empty());
        Duplex { link: Mutex::new(Some(link)), first: Mutex::new(First { bytes: first, taken: 0 }), has_first }
    }

    /// Makes a connection of a transport that belongs to no pool.
    #[cfg(test)]
    pub(crate) fn over(transport: Box<dyn Transport>) -> Duplex {
        Duplex::alone(transport, false)
    }

    /// Makes a connection of a socket, with all that sockets of this crate have.
    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    pub(crate) fn of(socket: std::net::TcpStream) -> Duplex {
        use super::transport::GUARD;
        socket.set_read_timeout(Some(GUARD)).unwrap();
        socket.set_write_timeout(Some(GUARD)).unwrap();
        let socket = Arc::new(super::stream::Socket::new(socket.into()));
        Duplex::alone(Box::new(super::stream::Stream::new(socket, None)), true)
    }

    /// Makes it look as if a fork had copied it.
    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    pub(crate) fn inherit(&self) {
        self.link().unwrap().cell().begin_dial(crate::process::Home::elsewhere());
    }

    #[cfg(test)]
    fn alone(transport: Box<dyn Transport>, is_own: bool) -> Duplex {
        let cell = Arc::new(AbortCell::new());
        let alone = Arc::new(Alone { transport, cell, is_own });
        let interrupt: Arc<dyn super::abort::Interrupt> = alone.clone();
        alone.cell.register(Arc::downgrade(&interrupt));
        Duplex::new(alone, Vec::new())
    }

    /// Receives at least one byte, or returns 0 at the orderly end: the peer has ended its direction.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Timeout`], [`ErrorKind::Cancelled`]: nothing is lost, and the next receive goes on.
    /// - [`ErrorKind::Closed`] after [`close`](Self::close), and when the client is closed.
    /// - [`ErrorKind::Disconnected`] for an end that is not orderly, also a TLS stream without close_notify.
    /// - [`ErrorKind::Tls`], [`ErrorKind::Io`].
    pub(crate) fn receive(&self, buf: &mut [u8], until: Until<'_>) -> Result<usize> {
        loop {
            if let Some(len) = self.receive_or_wake(buf, until)? {
                return Ok(len);
            }
        }
    }

    /// Receives as [`receive`](Self::receive) does, and returns `None` if [`wake`](Self::wake) ends it, or has been called
    /// before it. Nothing is lost then.
    ///
    /// # Errors
    ///
    /// Fails as [`receive`](Self::receive) does.
    pub(crate) fn receive_or_wake(&self, buf: &mut [u8], until: Until<'_>) -> Result<Option<usize>> {
        let link = self.link()?;
        if buf.is_empty() {
            return Ok(Some(0));
        }
        if link.cell().waker().take() {
            return Ok(None);
        }
        if let Some(len) = self.take_first(buf) {
            return Ok(Some(len));
        }
        let received =
            operate(&*link, until, |wait| match link.transport().recv(buf, &Wait { is_receive: true, ..*wait }) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted && link.cell().waker().take() => Ok(None),
                received => received.map(Some),
            })?;
        // An abort looks like the end of the stream.
        match received {
            Some(0) if link.cell().is_aborted() => Err(Error::new(ended_by(&link), PHASE)),
            received => Ok(received),
        }
    }

    /// Ends the receive that another thread is blocked in, or else the next one. It takes up to a tenth of a second where
    /// that receive has just begun, and over a standard socket of the caller's. Another transport of the caller's does not
    /// hear it: there the receive goes on.
    pub(crate) fn wake(&self) {
        if let Ok(link) = self.link() {
            link.cell().waker().wake();
        }
    }

    /// Returns whether a receive would return at once. Does not block.
    pub(crate) fn has_input(&self) -> bool {
        match self.link() {
            Ok(link) => self.has_first.load(Ordering::Acquire) || link.transport().probe() != Probe::Quiet,
            Err(_) => true,
        }
    }

    /// Sends at least one byte from the front of `bufs`, and returns how many. Waits for room.
    ///
    /// # Errors
    ///
    /// Fails as [`receive`](Self::receive) does. None of these bytes was sent then.
    pub(crate) fn send(&self, bufs: &[IoSlice<'_>], until: Until<'_>) -> Result<usize> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Ok(0);
        }
        let link = self.link()?;
        until.check(PHASE)?;
        let sent = operate(&*link, until, |wait| {
            loop {
                match link.transport().send(bufs, wait)? {
                    // Earlier bytes are not sent whole yet.
                    0 => in_time(wait)?,
                    len => return Ok(len),
                }
            }
        });
        if until.is_fired() || until.is_past() {
            hand_over(&*link);
        }
        sent
    }

    /// Sends from the front of `bufs` what fits now, and returns how much that was: 0 if there is no room. Never waits.
    ///
    /// # Errors
    ///
    /// Fails as [`receive`](Self::receive) does, but for the timeout.
    pub(crate) fn send_now(&self, bufs: &[IoSlice<'_>]) -> Result<usize> {
        let link = self.link()?;
        let at_once = at_once();
        let wait = wait_of(&*link, at_once);
        match link.transport().send(bufs, &wait) {
            Ok(len) => {
                hand_over(&*link);
                Ok(len)
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut && !wait.is_cancelled() => {
                hand_over(&*link);
                Ok(0)
            }
            Err(error) => Err(failure(error, &wait, &*link)),
        }
    }

    /// Waits for room or for input, whichever comes first. Sends what fits and returns how much that was, or returns 0 if
    /// input has come. Only for the receiver, with the right to send.
    ///
    /// # Errors
    ///
    /// Fails as [`receive`](Self::receive) does.
    pub(crate) fn send_or_input(&self, bufs: &[IoSlice<'_>], until: Until<'_>) -> Result<usize> {
        let link = self.link()?;
        if self.has_first.load(Ordering::Acquire) {
            return Ok(0);
        }
        operate(&*link, until, |wait| {
            link.transport().send(bufs, &Wait { watch_input: true, poll_first: true, ..*wait })
        })
    }

    /// Waits until all bytes that were sent have left for the system. Plain sockets never hold bytes back.
    ///
    /// # Errors
    ///
    /// Fails as [`receive`](Self::receive) does.
    pub(crate) fn flush(&self, until: Until<'_>) -> Result<()> {
        while !self.flush_some(until)? {
            until.check(PHASE)?;
        }
        Ok(())
    }

    /// Waits as [`flush`](Self::flush) does, but returns false if only a part of the bytes has left at the deadline.
    ///
    /// # Errors
    ///
    /// Fails as [`receive`](Self::receive) does.
    pub(crate) fn flush_some(&self, until: Until<'_>) -> Result<bool> {
        let link = self.link()?;
        let flushed = operate(&*link, until, |wait| link.transport().flush(wait));
        if !matches!(flushed, Ok(true)) {
            hand_over(&*link);
        }
        flushed
    }

    /// Returns whether [`wake`](Self::wake) ends a receive that blocks.
    pub(crate) fn can_wake(&self) -> bool {
        self.link.lock().as_ref().is_none_or(|link| link.is_own())
    }

    /// Ends the direction to the peer, after all that was sent: by a FIN, or by a close_notify where TLS is on top. The
    /// peer's bytes can still be received. A second call does nothing.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Unsupported`] if a transport of the caller's cannot end one direction alone.
    /// - The errors of [`receive`](Self::receive).
    pub(crate) fn shutdown_write(&self, until: Until<'_>) -> Result<()> {
        let link = self.link()?;
        let ended = operate(&*link, until, |wait| link.transport().close_write(wait));
        if ended.is_err() {
            hand_over(&*link);
        }
        ended
    }

    /// Closes the connection, and wakes the threads that are blocked in it. Sends a close_notify if that needs no waiting.
    /// The slot in the pool is free when those threads have returned, at once without them.
    pub(crate) fn close(&self) {
        let Some(link) = self.link.lock().take() else { return };
        if !link.cell().is_inherited() {
            let wait = wait_of(&*link, at_once());
            if link.transport().info().encrypted {
                let _ = link.transport().close_write(&wait);
            }
            link.cell().handle().abort();
        }
        drop(link);
    }

    /// Returns whether [`close`](Self::close) was called, or the client has ended the connection.
    pub(crate) fn is_closed(&self) -> bool {
        self.link.lock().as_ref().is_none_or(|link| link.cell().is_aborted())
    }

    /// Returns whether this process inherited the connection: its parent still uses it, and no byte may be sent.
    pub(crate) fn is_inherited(&self) -> bool {
        self.link.lock().as_ref().is_some_and(|link| link.cell().is_inherited())
    }

    fn link(&self) -> Result<Arc<dyn Link>> {
        self.link.lock().clone().ok_or_else(|| Error::new(closed(), PHASE))
    }

    fn take_first(&self, buf: &mut [u8]) -> Option<usize> {
        if !self.has_first.load(Ordering::Acquire) {
            return None;
        }
        let mut first = self.first.lock();
        let left = &first.bytes[first.taken..];
        let len = left.len().min(buf.len());
        buf[..len].copy_from_slice(&left[..len]);
        first.taken += len;
        if first.taken == first.bytes.len() {
            drop(mem::take(&mut *first));
            self.has_first.store(false, Ordering::Release);
        }
        (len > 0).then_some(len)
    }
}

impl Drop for Duplex {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Duplex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Duplex").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// Runs one operation under `until`, so that a fire of the token ends it.
fn operate<T>(link: &dyn Link, until: Until<'_>, run: impl FnOnce(&Wait<'_>) -> io::Result<T>) -> Result<T> {
    let wait = wait_of(link, until);
    // Without a signal the token has to end the connection.
    let _registered = if wait.wakes { None } else { until.register(|| link.cell().blocked()) };
    run(&wait).map_err(|error| failure(error, &wait, link))
}

/// Leaves to the receiver the bytes that a TLS library has taken and that do not fit now. A receiver that sleeps sees
/// only input, so it is woken: its receive sends them first.
fn hand_over(link: &dyn Link) {
    if !matches!(link.transport().flush(&wait_of(link, at_once())), Ok(true)) {
        link.cell().waker().wake();
    }
}

fn wait_of<'a>(link: &'a dyn Link, until: Until<'a>) -> Wait<'a> {
    let wakes = link.is_own() && until.token().is_none_or(|token| token.signal().is_ok());
    Wait { wakes, duplex: true, ..Wait::of(until, link.cell()) }
}

fn failure(error: io::Error, wait: &Wait<'_>, link: &dyn Link) -> Error {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    if let Some(ended) = wait.ended(PHASE, closed) {
        return ended.with_effect(error);
    }
    let kind = match error.kind() {
        io::ErrorKind::TimedOut if wait.until.is_past() => return wait.until.timed_out(PHASE).with_source(error),
        io::ErrorKind::InvalidData if link.transport().info().encrypted => ErrorKind::Tls,
        io::ErrorKind::Unsupported => ErrorKind::Unsupported,
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof => ErrorKind::Disconnected,
        _ => ErrorKind::Io,
    };
    Error::new(kind, PHASE).with_source(error)
}

/// Returns why the connection was aborted.
fn ended_by(link: &Arc<dyn Link>) -> Reason {
    match link.cell().abort_cause() {
        Some(AbortCause::Cancelled) => Reason::all_cancelled(),
        _ => closed(),
    }
}

fn closed() -> Reason {
    ErrorKind::Closed.because("the connection is closed")
}

/// Fails if the wait is over.
fn in_time(wait: &Wait<'_>) -> io::Result<()> {
    match wait.is_cancelled() {
        true => Err(io::ErrorKind::ConnectionAborted.into()),
        false if wait.until.is_past() => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(()),
    }
}

fn at_once() -> Until<'static> {
    Deadline::after(Instant::now(), Some(Duration::ZERO), Bound::Total).into()
}

/// A transport that belongs to no pool.
#[cfg(test)]
struct Alone {
    transport: Box<dyn Transport>,
    cell: Arc<AbortCell>,
    is_own: bool,
}

#[cfg(test)]
impl super::abort::Interrupt for Alone {
    fn interrupt(&self) {
        self.transport.abort();
    }
}

#[cfg(test)]
impl Link for Alone {
    fn transport(&self) -> &dyn Transport {
        &*self.transport
    }

    fn cell(&self) -> &Arc<AbortCell> {
        &self.cell
    }

    fn is_own(&self) -> bool {
        self.is_own
    }
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use crate::cancel::CancelToken;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc;
    use std::thread;

    /// Nothing takes so long unless it hangs.
    const LONG: Duration = Duration::from_secs(20);

    fn pair() -> (Duplex, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // Small, so that little is sent until there is no room.
        socket2::SockRef::from(&socket).set_send_buffer_size(16 * 1024).unwrap();
        (Duplex::of(socket), listener.accept().unwrap().0)
    }

    fn within(limit: Duration) -> Until<'static> {
        Deadline::after(Instant::now(), Some(limit), Bound::Read).into()
    }

    /// Sends until there is no room, and returns how much that was.
    fn fill(duplex: &Duplex) -> usize {
        let (piece, mut sent) = (vec![7; 64 * 1024], 0);
        loop {
            match duplex.send_now(&[IoSlice::new(&piece)]).unwrap() {
                0 => return sent,
                len => sent += len,
            }
        }
    }

    /// A wake ends one receive, whether it comes before or while it waits, and takes nothing.
    #[test]
    fn a_wake_ends_one_receive() {
        let (duplex, mut peer) = pair();
        let mut buf = [0; 8];
        for _ in 0..2 {
            duplex.wake();
            duplex.wake();
            assert_eq!(duplex.receive_or_wake(&mut buf, within(LONG)).unwrap(), None);
            let error = duplex.receive_or_wake(&mut buf, within(Duration::ZERO)).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Read));
        }
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let (duplex, mut buf) = (&duplex, [0; 8]);
            scope.spawn(move || {
                for _ in 0..50 {
                    tell.send(duplex.receive_or_wake(&mut buf, within(LONG)).unwrap()).unwrap();
                }
            });
            for round in 0..50 {
                // Some rounds find it in a plain receive, and some in a poll.
                thread::sleep(Duration::from_millis(round % 5 * 40));
                duplex.wake();
                assert_eq!(told.recv_timeout(LONG).unwrap(), None);
            }
        });
        peer.write_all(b"data").unwrap();
        assert_eq!(duplex.receive(&mut buf, within(LONG)).unwrap(), 4);
    }

    /// Nothing waits for room that should not, and room or input ends a wait for both.
    #[test]
    fn room_and_input() {
        let (duplex, mut peer) = pair();
        let mut sent = fill(&duplex);
        assert!(sent > 0);
        let rest = [IoSlice::new(b"rest")];
        // The system may still find some room.
        let late = loop {
            match duplex.send_or_input(&rest, within(Duration::ZERO)) {
                Ok(len) => sent += len,
                Err(late) => break late,
            }
        };
        assert_eq!(late.kind(), &ErrorKind::Timeout(Bound::Read));
        peer.write_all(b"x").unwrap();
        loop {
            match duplex.send_or_input(&rest, within(LONG)).unwrap() {
                0 => break,
                len => sent += len,
            }
        }
        assert!(duplex.has_input());
        assert_eq!(duplex.receive(&mut [0; 8], within(LONG)).unwrap(), 1);
        assert!(!duplex.has_input());
        thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let mut all = Vec::new();
                peer.read_to_end(&mut all).unwrap();
                all
            });
            for mut bytes in [&b"rest"[..], b" and more"] {
                while !bytes.is_empty() {
                    let sent = duplex.send(&[IoSlice::new(bytes)], within(LONG)).unwrap();
                    bytes = &bytes[sent..];
                }
            }
            duplex.flush(within(LONG)).unwrap();
            duplex.shutdown_write(within(LONG)).unwrap();
            let all = reader.join().unwrap();
            assert!(all.len() == sent + 13 && all.ends_with(b"rest and more"));
        });
    }

    /// A token of each operation ends it, and the connection goes on.
    #[test]
    fn tokens() {
        let (duplex, mut peer) = pair();
        let sent = fill(&duplex);
        let (one, other) = (CancelToken::new(), CancelToken::new());
        let more = std::sync::atomic::AtomicUsize::new(0);
        thread::scope(|scope| {
            let receiver = scope.spawn(|| duplex.receive(&mut [0; 8], Until::NEVER.with_token(&one)).unwrap_err());
            let sender = scope.spawn(|| {
                loop {
                    match duplex.send(&[IoSlice::new(b"x")], Until::NEVER.with_token(&other)) {
                        Ok(len) => more.fetch_add(len, Ordering::SeqCst),
                        Err(error) => return error,
                    };
                }
            });
            other.cancel();
            assert_eq!(sender.join().unwrap().kind(), &ErrorKind::Cancelled);
            one.cancel();
            assert_eq!(receiver.join().unwrap().kind(), &ErrorKind::Cancelled);
        });
        // What has arrived is taken, although the token has fired.
        peer.write_all(b"data").unwrap();
        while !duplex.has_input() {
            thread::yield_now();
        }
        assert_eq!(duplex.receive(&mut [0; 8], Until::NEVER.with_token(&one)).unwrap(), 4);
        // A wait that came after the fire has added the token's signal, once.
        assert!(one.registered().0 <= 1);
        drop(duplex);
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), sent + more.into_inner());
    }

    /// A transport of the caller's is ended by a token, because nothing else reaches it.
    #[test]
    fn a_token_and_a_transport_of_the_caller() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let duplex = Duplex::over(Box::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap()));
        let (_peer, token) = (listener.accept().unwrap(), CancelToken::new());
        thread::scope(|scope| {
            let receiver = scope.spawn(|| duplex.receive(&mut [0; 8], Until::NEVER.with_token(&token)).unwrap_err());
            token.cancel();
            assert_eq!(receiver.join().unwrap().kind(), &ErrorKind::Cancelled);
        });
        assert!(duplex.is_closed() || duplex.receive(&mut [0; 8], Until::NEVER.with_token(&token)).is_err());
    }

    /// A library that has taken bytes and has no room for them: whoever sent them, a receiver that sleeps is woken, and
    /// sends them.
    #[test]
    fn bytes_that_were_taken_and_have_not_left() {
        let duplex = Duplex::alone(Box::new(Keeping), true);
        let bytes = [IoSlice::new(b"bytes")];
        let woken = || duplex.link().unwrap().cell().waker().take();
        assert_eq!(duplex.send_now(&bytes).unwrap(), 5);
        assert!(woken() && !woken());
        assert_eq!(duplex.send(&bytes, within(Duration::from_millis(1))).unwrap(), 5);
        assert!(woken());
        assert!(duplex.flush(within(Duration::ZERO)).is_err() && woken());
        assert!(duplex.shutdown_write(within(Duration::ZERO)).is_err() && woken());
    }

    /// Takes all bytes, and keeps them.
    #[derive(Debug)]
    struct Keeping;

    impl Transport for Keeping {
        fn recv(&self, _: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
            Err(io::ErrorKind::TimedOut.into())
        }

        fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
            // A library returns at the deadline, as it has taken the bytes.
            while !wait.until.is_past() {
                thread::yield_now();
            }
            Ok(bufs.iter().map(|buf| buf.len()).sum())
        }

        fn flush(&self, _: &Wait<'_>) -> io::Result<bool> {
            Err(io::ErrorKind::TimedOut.into())
        }

        fn probe(&self) -> Probe {
            Probe::Quiet
        }

        fn close_write(&self, _: &Wait<'_>) -> io::Result<()> {
            Err(io::ErrorKind::TimedOut.into())
        }

        fn abort(&self) {}
    }
}

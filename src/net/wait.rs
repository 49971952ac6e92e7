//! The one place that blocks on sockets.
//!
//! Sockets are blocking, with one constant timeout on each direction (`SO_RCVTIMEO`, `SO_SNDTIMEO`), the guard. It is
//! set before connecting and never changed, so that no deadline is ever state of a connection. A response that arrives
//! within the guard costs one system call.
//!
//! `poll` waits for the exact rest when the guard ends without a response, or when less than two guards are left. Its
//! timer is exact; that of the socket may be late by up to a second. An interrupted call is repeated with the time that
//! is left then, because profilers send hundreds of signals a second.
//!
//! On Windows the timeouts of a socket do not work like this. Sockets are non-blocking there, and only `poll` waits.

use std::io::{self, IoSlice, IoSliceMut};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
#[cfg(unix)]
use rustix::net::{RecvAncillaryBuffer, SendAncillaryBuffer, recvmsg, sendmsg};
use rustix::net::{RecvFlags, SendFlags, recv as sys_recv, send as sys_send};

use super::abort::AbortCell;
use super::probe::Probe;
use super::transport::{GUARD, Wait, has_time};
use super::waker::Waker;

/// Whether a plain call ends by itself after the guard.
const GUARDED: bool = cfg!(unix);

#[cfg(unix)]
const RECV_NOW: RecvFlags = RecvFlags::DONTWAIT;
#[cfg(not(unix))]
const RECV_NOW: RecvFlags = RecvFlags::empty();

/// Keeps a send to a closed connection from raising SIGPIPE: the program around this crate may have restored the
/// default action of that signal. Apple's systems have a socket option for this, which socket2 sets. Windows has no
/// such signal.
#[cfg(all(unix, not(target_vendor = "apple")))]
const SEND: SendFlags = SendFlags::NOSIGNAL;
#[cfg(any(not(unix), target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::empty();

#[cfg(unix)]
const SEND_NOW: SendFlags = SEND.union(SendFlags::DONTWAIT);
#[cfg(not(unix))]
const SEND_NOW: SendFlags = SEND;

/// The event by which `poll` tells that the peer has closed, even if unread bytes are left. Systems without it tell
/// that only after the bytes are read.
#[cfg(all(any(target_os = "linux", target_os = "android"), not(any(target_arch = "sparc", target_arch = "sparc64"))))]
const PEER_CLOSED: PollFlags = PollFlags::RDHUP;
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(any(target_arch = "sparc", target_arch = "sparc64"))
)))]
const PEER_CLOSED: PollFlags = PollFlags::empty();

/// Receives into `buf`; 0 is the end of the stream.
pub(crate) fn recv(socket: impl AsFd, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
    recv_by(socket.as_fd(), wait, |socket, flags| Ok(sys_recv(socket, &mut *buf, flags)?.0))
}

/// Receives as `recv` does, into `bufs` one after the other. Windows has no such call: there only one is filled.
pub(crate) fn recv_scattered(socket: impl AsFd, bufs: &mut [IoSliceMut<'_>], wait: &Wait<'_>) -> io::Result<usize> {
    #[cfg(unix)]
    return recv_by(socket.as_fd(), wait, |socket, flags| {
        Ok(recvmsg(socket, bufs, &mut RecvAncillaryBuffer::default(), flags)?.bytes)
    });
    #[cfg(not(unix))]
    match bufs.iter_mut().find(|buf| !buf.is_empty()) {
        Some(buf) => recv(socket, buf, wait),
        None => Ok(0),
    }
}

/// Receives as `recv` does from a socket whose timeouts and mode are not known. Looks for a cancelled wait at each guard,
/// because no abort may reach the socket, and for a wake.
pub(crate) fn recv_unguarded(socket: impl AsFd, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
    let socket = socket.as_fd();
    loop {
        while ready_within(socket, PollFlags::IN, wait, Some(GUARD))?.is_none() {
            if wait.is_receive && wait.abort.is_some_and(|cell| cell.waker().is_woken()) {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        match sys_recv(socket, &mut *buf, RECV_NOW) {
            Ok((len, _)) => return Ok(len),
            Err(error) => passing(error)?,
        }
    }
}

/// Sends as `send` does to a socket whose timeouts and mode are not known. Looks for a cancelled wait at each guard.
pub(crate) fn send_unguarded(socket: impl AsFd, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
    let socket = socket.as_fd();
    loop {
        let events = loop {
            if let Some(events) = ready_within(socket, interest(wait), wait, Some(GUARD))? {
                break events;
            }
        };
        match send_some(socket, bufs, SEND_NOW) {
            Ok(len) => return Ok(len),
            Err(error) => passing(error)?,
        }
        if wait.watch_input && events.contains(PollFlags::IN) {
            return Ok(0);
        }
    }
}

/// Returns the events that a send waits for.
fn interest(wait: &Wait<'_>) -> PollFlags {
    if wait.watch_input { PollFlags::OUT | PollFlags::IN } else { PollFlags::OUT }
}

#[inline]
fn recv_by(
    socket: BorrowedFd<'_>,
    wait: &Wait<'_>,
    mut recv: impl FnMut(BorrowedFd<'_>, RecvFlags) -> Result<usize, Errno>,
) -> io::Result<usize> {
    if has_signal(wait) {
        // What has arrived is taken, also after a fire.
        match recv(socket, RECV_NOW) {
            Ok(len) => return Ok(len),
            Err(error) => passing(error)?,
        }
    } else if may_block(wait) {
        match recv(socket, RecvFlags::empty()) {
            Ok(len) => return Ok(len),
            Err(error) => passing(error)?,
        }
        wait.until.tick();
    }
    loop {
        ready(socket, PollFlags::IN, wait)?;
        match recv(socket, RECV_NOW) {
            Ok(len) => return Ok(len),
            Err(error) => passing(error)?,
        }
    }
}

/// Sends from the front of `bufs`. Returns 0 only if `wait` watches the input, and input arrived while there was no
/// room.
pub(crate) fn send(socket: impl AsFd, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
    let socket = socket.as_fd();
    if !wait.poll_first && has_signal(wait) {
        // Linux reports room only once a third of the buffer is free; a send takes what there is. After a fire nothing
        // is sent any more.
        if !wait.is_cancelled() {
            match send_some(socket, bufs, SEND_NOW) {
                Ok(len) => return Ok(len),
                Err(error) => passing(error)?,
            }
        }
    } else if !wait.poll_first && may_block(wait) {
        match send_some(socket, bufs, SEND) {
            Ok(len) => return Ok(len),
            Err(error) => passing(error)?,
        }
        wait.until.tick();
    }
    loop {
        let events = ready(socket, interest(wait), wait)?;
        match send_some(socket, bufs, SEND_NOW) {
            Ok(len) => return Ok(len),
            Err(error) => passing(error)?,
        }
        if wait.watch_input && events.contains(PollFlags::IN) {
            return Ok(0);
        }
    }
}

fn send_some(socket: impl AsFd, bufs: &[IoSlice<'_>], flags: SendFlags) -> Result<usize, Errno> {
    let socket = socket.as_fd();
    #[cfg(unix)]
    if bufs.len() > 1 {
        return sendmsg(socket, bufs, &mut SendAncillaryBuffer::default(), flags);
    }
    // A send may be partial: without a call for several buffers, send the first one alone.
    let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| &**buf);
    sys_send(socket, first, flags)
}

/// Waits for one of the events in `interest`, for an error or for the end of the stream, until the deadline.
pub(crate) fn ready(socket: impl AsFd, interest: PollFlags, wait: &Wait<'_>) -> io::Result<PollFlags> {
    let socket = socket.as_fd();
    loop {
        if let Some(events) = ready_within(socket, interest, wait, wait.until.slice())? {
            return Ok(events);
        }
    }
}

/// Waits as `ready` does, but returns `None` after `slice` at the latest, and after a signal. The caller's check has run
/// then.
pub(crate) fn ready_within(
    socket: impl AsFd,
    interest: PollFlags,
    wait: &Wait<'_>,
    slice: Option<Duration>,
) -> io::Result<Option<PollFlags>> {
    if wait.is_cancelled() {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    let left = wait.until.remaining(Instant::now());
    let limit = [left, slice].into_iter().flatten().min();
    if wait.wakes {
        return ready_or_woken(socket.as_fd(), interest, wait, limit);
    }
    let mut fds = [PollFd::new(&socket, interest)];
    match poll(&mut fds, limit.map(timespec).as_ref()) {
        Ok(0) if left.is_some_and(|left| left.is_zero()) || wait.until.is_past() => Err(io::ErrorKind::TimedOut.into()),
        Ok(0) | Err(Errno::INTR) => {
            wait.until.tick();
            Ok(None)
        }
        Ok(_) => Ok(Some(fds[0].revents())),
        Err(error) => Err(error.into()),
    }
}

/// Waits as `ready_within` does, and ends when the token fires, or when a wake ends the receive.
#[cold]
fn ready_or_woken(
    socket: BorrowedFd<'_>,
    interest: PollFlags,
    wait: &Wait<'_>,
    limit: Option<Duration>,
) -> io::Result<Option<PollFlags>> {
    let fired = wait.until.token().map(|token| token.signal()).transpose()?;
    let waker = wait.abort.filter(|_| wait.is_receive).map(AbortCell::waker);
    let woken = waker.map(Waker::signal).transpose()?;
    // What came before the signals were there has left them as they are.
    if wait.is_cancelled() {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    if waker.is_some_and(Waker::is_woken) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    let mut fds = vec![PollFd::new(&socket, interest)];
    fds.extend([fired, woken].into_iter().flatten().map(|signal| PollFd::new(signal, PollFlags::IN)));
    match poll(&mut fds, limit.map(timespec).as_ref()) {
        Ok(_) if !fds[0].revents().is_empty() => Ok(Some(fds[0].revents())),
        // The wait begins anew, and asks the marks. They tell which signal it was; that of a wake may come after its mark
        // was taken.
        Ok(1..) => {
            if let Some(woken) = woken {
                woken.take();
            }
            Ok(None)
        }
        Ok(0) if wait.until.is_past() => Err(io::ErrorKind::TimedOut.into()),
        Ok(_) | Err(Errno::INTR) => {
            wait.until.tick();
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Waits as `ready_within` does for several sockets that connect. Returns the places of those that have a result, in
/// order.
pub(crate) fn any_connected(sockets: &[impl AsFd], wait: &Wait<'_>, slice: Duration) -> io::Result<Vec<usize>> {
    if wait.is_cancelled() {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    let left = wait.until.remaining(Instant::now());
    let limit = [left, wait.until.slice()].into_iter().flatten().fold(slice, Duration::min);
    let sockets: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
    let mut fds: Vec<_> = sockets.iter().map(|socket| PollFd::new(socket, PollFlags::OUT)).collect();
    match poll(&mut fds, Some(&timespec(limit))) {
        Ok(0) if left.is_some_and(|left| left.is_zero()) || wait.until.is_past() => Err(io::ErrorKind::TimedOut.into()),
        Ok(0) | Err(Errno::INTR) => {
            wait.until.tick();
            Ok(Vec::new())
        }
        Ok(_) => Ok((0..fds.len()).filter(|at| !fds[*at].revents().is_empty()).collect()),
        Err(error) => Err(error.into()),
    }
}

/// Returns whether a fire of the token wakes the wait by the token's signal.
#[inline]
fn has_signal(wait: &Wait<'_>) -> bool {
    wait.wakes && wait.until.token().is_some()
}

fn timespec(limit: Duration) -> Timespec {
    // Wait a day at a time: some systems refuse longer waits. The caller then looks at its deadline again.
    let limit = limit.min(Duration::from_secs(24 * 60 * 60));
    Timespec { tv_sec: limit.as_secs() as _, tv_nsec: limit.subsec_nanos() as _ }
}

/// Returns whether a plain call may block: it ends by itself, and well before the deadline.
fn may_block(wait: &Wait<'_>) -> bool {
    GUARDED && (wait.has_time || wait.until.at().is_none_or(|at| has_time(Instant::now(), at)))
}

/// Accepts an error that only means "try again": the guard ended, or a signal came. Returns every other error.
fn passing(error: Errno) -> io::Result<()> {
    match error {
        Errno::AGAIN | Errno::INTR => Ok(()),
        #[allow(unreachable_patterns, reason = "the same number as AGAIN on most systems")]
        Errno::WOULDBLOCK => Ok(()),
        error => Err(error.into()),
    }
}

/// Returns whether the peer has closed or reset the connection, even if unread bytes are left.
pub(crate) fn has_ended(socket: impl AsFd) -> bool {
    let socket = socket.as_fd();
    let mut asked = [PollFd::new(&socket, PEER_CLOSED)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ended = PEER_CLOSED | PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    match poll(&mut asked, Some(&now)) {
        Ok(found) if found > 0 && asked[0].revents().intersects(ended) => true,
        _ => probe(socket) == Probe::Dead,
    }
}

/// Returns whether a receive would return at once, with bytes, the end or an error. Leaves the error in the socket,
/// while `probe` takes it.
pub(crate) fn is_readable(socket: impl AsFd) -> bool {
    let socket = socket.as_fd();
    let mut asked = [PollFd::new(&socket, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut asked, Some(&now)), Ok(1..))
}

/// Returns the state of the socket by one call that does not block and leaves all bytes in the socket. It takes a
/// pending error: systems report a reset once.
pub(crate) fn probe(socket: impl AsFd) -> Probe {
    let socket = socket.as_fd();
    let mut byte = [0; 1];
    loop {
        return match sys_recv(socket, &mut byte, RECV_NOW | RecvFlags::PEEK) {
            Ok((0, _)) => Probe::Dead,
            Ok(_) => Probe::Readable,
            Err(Errno::INTR) => continue,
            Err(error) if passing(error).is_ok() => Probe::Quiet,
            Err(_) => Probe::Dead,
        };
    }
}

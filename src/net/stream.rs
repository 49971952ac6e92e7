//! TCP and Unix sockets as a [`Transport`].

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

#[cfg(unix)]
use rustix::fd::{AsFd, BorrowedFd};
#[cfg(windows)]
use std::os::windows::io::{AsSocket, BorrowedSocket};

use super::abort::{AbortCell, Interrupt, Look};
use super::probe::Probe;
use super::transport::{Transport, TransportInfo, Wait};
use super::wait;

/// A connected socket as a transport.
///
/// The socket is shared, so that an abort and a look can reach it. It is closed when its last owner drops it. That is
/// the stream, except while an abort or a look holds it for a moment.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Arc<Socket>,
    remote: Option<SocketAddr>,
}

/// A socket of the system.
#[derive(Debug)]
pub(crate) struct Socket(pub(crate) socket2::Socket, Nagle);

/// Whether Nagle's algorithm still has to be switched off. Most connections of a server that closes after each response
/// send once, and save the call.
#[derive(Debug)]
struct Nagle(AtomicU8);

/// The socket's options are as its pool wants them.
const SETTLED: u8 = 0;
const BEFORE_FIRST_SEND: u8 = 1;
const BEFORE_SECOND_SEND: u8 = 2;

/// The largest first send before which Nagle's algorithm may be on. Any send buffer takes it whole.
const SMALL: usize = 4096;

impl Nagle {
    /// Whether a first send leaves at once with Nagle's algorithm, too. Linux holds a segment back only while an earlier
    /// small one is not acknowledged; other systems do so while anything is not acknowledged.
    const MAY_WAIT: bool = cfg!(any(target_os = "linux", target_os = "android"));

    #[cold]
    fn before_send(&self, socket: &socket2::Socket, bufs: &[IoSlice<'_>]) {
        let is_first = self.0.load(Ordering::Relaxed) == BEFORE_FIRST_SEND;
        if is_first && bufs.iter().map(|buf| buf.len()).sum::<usize>() <= SMALL {
            return self.0.store(BEFORE_SECOND_SEND, Ordering::Relaxed);
        }
        self.0.store(SETTLED, Ordering::Relaxed);
        // Fails only for what is no TCP socket. The send meets any other error.
        let _ = socket.set_tcp_nodelay(true);
    }
}

impl Interrupt for Socket {
    fn interrupt(&self) {
        // An error means that the socket is not connected. Then no thread is blocked in it either.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Look for Socket {
    fn probe(&self) -> Probe {
        wait::probe(self)
    }

    fn has_ended(&self) -> bool {
        wait::has_ended(self)
    }
}

#[cfg(unix)]
impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(windows)]
impl AsSocket for Socket {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.0.as_socket()
    }
}

impl Stream {
    pub(crate) fn new(socket: Arc<Socket>, remote: Option<SocketAddr>) -> Stream {
        Stream { socket, remote }
    }

    /// Returns the address of the peer.
    #[inline]
    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Returns whether a receive would return at once. Leaves bytes and a pending error in the socket.
    pub(crate) fn is_readable(&self) -> bool {
        wait::is_readable(&*self.socket)
    }

    /// Receives into `bufs`, one after the other.
    pub(crate) fn recv_scattered(&self, bufs: &mut [IoSliceMut<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        wait::recv_scattered(&*self.socket, bufs, wait)
    }
}

impl Socket {
    pub(crate) fn new(socket: socket2::Socket) -> Socket {
        Socket(socket, Nagle(AtomicU8::new(SETTLED)))
    }

    /// Switches Nagle's algorithm off, at the latest before the second send: the first one leaves at once in any case.
    pub(crate) fn send_at_once(&mut self) -> io::Result<()> {
        if Nagle::MAY_WAIT {
            *self.1.0.get_mut() = BEFORE_FIRST_SEND;
            return Ok(());
        }
        self.0.set_tcp_nodelay(true)
    }

    /// Lets an abort of `cell` shut this socket down.
    pub(crate) fn register(self: &Arc<Self>, cell: &AbortCell) {
        let socket: Arc<dyn Look> = self.clone();
        cell.register_socket(Arc::downgrade(&socket));
    }
}

impl Transport for Stream {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        wait::recv(&*self.socket, buf, wait)
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        let Socket(socket, nagle) = &*self.socket;
        if nagle.0.load(Ordering::Relaxed) != SETTLED {
            nagle.before_send(socket, bufs);
        }
        wait::send(&*self.socket, bufs, wait)
    }

    fn probe(&self) -> Probe {
        wait::probe(&*self.socket)
    }

    fn close_write(&self, _: &Wait<'_>) -> io::Result<()> {
        self.socket.0.shutdown(Shutdown::Write)
    }

    fn abort(&self) {
        self.socket.interrupt();
    }

    fn info(&self) -> TransportInfo {
        let local = self.socket.0.local_addr().ok().and_then(|address| address.as_socket());
        TransportInfo { remote: self.remote, local, ..TransportInfo::new() }
    }
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use crate::process::Home;

    /// The first send leaves at once in any case, unless it may be larger than the send buffer.
    #[cfg(target_os = "linux")]
    #[test]
    fn when_nagles_algorithm_is_switched_off() {
        use crate::time::Until;

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let wait = Wait { until: Until::NEVER, abort: None, watch_input: false, poll_first: false, has_time: false };
        for (row, sends_at_once, sizes, expected) in [
            ("small sends", true, [100, 100], [false, true]),
            ("the largest small one", true, [SMALL, 0], [false, true]),
            ("a large first one", true, [SMALL + 1, 0], [true, true]),
            ("not asked for", false, [SMALL + 1, 100], [false, false]),
        ] {
            let mut socket = Socket::new(std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap().into());
            let _peer = listener.accept().unwrap();
            if sends_at_once {
                socket.send_at_once().unwrap();
            }
            let stream = Stream::new(Arc::new(socket), None);
            let seen = sizes.map(|size| {
                let bytes = vec![0; size];
                let halves = bytes.split_at(size / 2);
                stream.send(&[IoSlice::new(halves.0), IoSlice::new(halves.1)], &wait).unwrap();
                stream.socket.0.tcp_nodelay().unwrap()
            });
            assert_eq!(seen, expected, "{row}");
        }
    }

    /// The cell looks at the last of several sockets that were opened one after the other, and at no socket where
    /// several are open.
    #[test]
    fn the_socket_that_is_looked_at() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || {
            let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (Arc::new(Socket::new(stream.into())), listener.accept().unwrap().0)
        };
        for (keeps_first, expected) in [(false, Probe::Dead), (true, Probe::Quiet)] {
            let cell = AbortCell::new();
            let [(first, _peer), (second, ended)] = [connect(), connect()];
            first.register(&cell);
            let kept = keeps_first.then_some(first);
            second.register(&cell);
            drop(ended);
            while wait::probe(&*second) == Probe::Quiet {
                std::thread::yield_now();
            }
            assert_eq!(cell.look(), expected, "keeps the first: {keeps_first}");
            cell.begin_dial(Home::here());
            assert_eq!(cell.look(), Probe::Quiet);
            second.register(&cell);
            assert_eq!(cell.look(), Probe::Dead);
            drop(kept);
        }
    }
}

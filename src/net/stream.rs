//! TCP and Unix sockets as a [`Transport`].

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

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
pub(crate) struct Socket(pub(crate) socket2::Socket);

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
        wait::send(&*self.socket, bufs, wait)
    }

    fn probe(&self) -> Probe {
        wait::probe(&*self.socket)
    }

    fn abort(&self) {
        self.socket.interrupt();
    }

    fn info(&self) -> TransportInfo {
        TransportInfo { remote: self.remote, encrypted: false }
    }
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use crate::process::Home;

    /// The cell looks at the last of several sockets that were opened one after the other, and at no socket where
    /// several are open.
    #[test]
    fn the_socket_that_is_looked_at() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || {
            let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (Arc::new(Socket(stream.into())), listener.accept().unwrap().0)
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

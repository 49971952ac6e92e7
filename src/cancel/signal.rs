//! A descriptor that a token makes readable when it fires.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Blocked;

#[cfg(unix)]
use rustix::fd::{AsFd, BorrowedFd};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
#[cfg(windows)]
use std::{
    net::UdpSocket,
    os::windows::io::{AsSocket, BorrowedSocket},
};

/// Becomes readable when its token fires, and stays so. A wait that polls it beside its socket ends with the fire, and
/// the connection stays as it is.
///
/// Nothing is read from it, so any number of waits may poll it at once, and a fire before the wait is not lost.
pub(crate) struct Signal {
    #[cfg(unix)]
    ends: (UnixStream, UnixStream),
    #[cfg(windows)]
    socket: UdpSocket,
    given: AtomicBool,
}

impl Signal {
    #[cfg(unix)]
    pub(super) fn new() -> io::Result<Arc<Signal>> {
        Ok(Arc::new(Signal { ends: UnixStream::pair()?, given: AtomicBool::new(false) }))
    }

    /// A socket that is connected to itself takes no datagram of anybody else.
    #[cfg(windows)]
    pub(super) fn new() -> io::Result<Arc<Signal>> {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.connect(socket.local_addr()?)?;
        Ok(Arc::new(Signal { socket, given: AtomicBool::new(false) }))
    }

    /// Makes it readable. An error means that no wait can be polling it.
    #[cfg(unix)]
    fn give(&self) {
        // The end of the stream is seen by each poll.
        let _ = self.ends.0.shutdown(std::net::Shutdown::Both);
    }

    #[cfg(windows)]
    fn give(&self) {
        let _ = self.socket.send(&[0]);
    }
}

impl Blocked for Signal {
    fn cancel(&self, _: u64) {
        if !self.given.swap(true, Ordering::Relaxed) {
            self.give();
        }
    }
}

#[cfg(unix)]
impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ends.1.as_fd()
    }
}

#[cfg(windows)]
impl AsSocket for Signal {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.socket.as_socket()
    }
}

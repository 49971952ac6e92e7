//! A descriptor that one thread makes readable to end the wait of another.

use std::io;

#[cfg(unix)]
use rustix::fd::{AsFd, BorrowedFd};
#[cfg(windows)]
use std::os::windows::io::{AsSocket, BorrowedSocket};

#[cfg(any(target_os = "linux", target_os = "android"))]
type Ends = rustix::fd::OwnedFd;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
type Ends = (std::os::unix::net::UnixStream, std::os::unix::net::UnixStream);
#[cfg(windows)]
type Ends = std::net::UdpSocket;

/// Becomes readable when it is given. A wait that polls it beside its socket ends then, and the socket stays as it is.
///
/// A wait only looks at it, so any number of waits may poll it at once, and one that is given before the wait is not
/// lost.
#[derive(Debug)]
pub(crate) struct Signal(Ends);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Signal {
    pub(crate) fn new() -> io::Result<Signal> {
        use rustix::event::{EventfdFlags, eventfd};
        Ok(Signal(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Makes it readable. It is not full before it was given 2^64 times.
    pub(crate) fn give(&self) {
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Makes it no longer readable.
    pub(crate) fn take(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
impl Signal {
    pub(crate) fn new() -> io::Result<Signal> {
        let ends = std::os::unix::net::UnixStream::pair()?;
        ends.0.set_nonblocking(true)?;
        ends.1.set_nonblocking(true)?;
        Ok(Signal(ends))
    }

    /// Makes it readable. A full one is readable already.
    pub(crate) fn give(&self) {
        let _ = io::Write::write(&mut &self.0.0, &[0]);
    }

    /// Makes it no longer readable.
    pub(crate) fn take(&self) {
        while matches!(io::Read::read(&mut &self.0.1, &mut [0; 64]), Ok(1..)) {}
    }
}

#[cfg(windows)]
impl Signal {
    /// A socket that is connected to itself takes no datagram of anybody else.
    pub(crate) fn new() -> io::Result<Signal> {
        let socket = std::net::UdpSocket::bind(("127.0.0.1", 0))?;
        socket.connect(socket.local_addr()?)?;
        socket.set_nonblocking(true)?;
        Ok(Signal(socket))
    }

    /// Makes it readable. A full one is readable already.
    pub(crate) fn give(&self) {
        let _ = self.0.send(&[0]);
    }

    /// Makes it no longer readable.
    pub(crate) fn take(&self) {
        while self.0.recv(&mut [0; 8]).is_ok() {}
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.1.as_fd()
    }
}

#[cfg(windows)]
impl AsSocket for Signal {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.0.as_socket()
    }
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    #[test]
    fn it_is_readable_until_it_is_taken() {
        let signal = Signal::new().unwrap();
        let is_readable = || {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            poll(&mut [PollFd::new(&signal, PollFlags::IN)], Some(&now)).unwrap() == 1
        };
        assert!(!is_readable());
        signal.take();
        signal.give();
        signal.give();
        assert!(is_readable() && is_readable());
        signal.take();
        assert!(!is_readable());
        signal.give();
        assert!(is_readable());
    }
}

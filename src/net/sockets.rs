//! The sockets of the standard library as a [`Transport`].

use std::io::{self, IoSlice};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;

use super::probe::Probe;
use super::transport::{Transport, TransportInfo, Wait};
use super::wait;

/// Makes a socket of the standard library a transport. Its owner may have set any timeouts and either mode, and `&self`
/// leaves them as they are, so each call waits by `poll` and then does what does not block.
macro_rules! transport {
    ($socket:ty, $doc:literal, $info:expr) => {
        #[doc = $doc]
        impl Transport for $socket {
            fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
                unblocked(self)?;
                wait::recv_unguarded(self, buf, wait)
            }

            fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
                unblocked(self)?;
                wait::send_unguarded(self, bufs, wait)
            }

            fn probe(&self) -> Probe {
                if unblocked(self).is_err() {
                    return Probe::Dead;
                }
                wait::probe(self)
            }

            fn close_write(&self, _: &Wait<'_>) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }

            fn abort(&self) {
                // An error means that the socket is not connected. Then no thread is blocked in it either.
                let _ = self.shutdown(Shutdown::Both);
            }

            fn info(&self) -> TransportInfo {
                $info(self)
            }
        }
    };
}

transport!(
    TcpStream,
    "A connected socket, as a dialer of your own may return it. Its timeouts and its mode, blocking or not, play no part: \
     the bounds of the request hold. On Windows it is made non-blocking. Nagle's algorithm is on unless \
     [`set_nodelay`](std::net::TcpStream::set_nodelay) turns it off; [`TcpDialer`](crate::TcpDialer) does that by \
     default, and saves a system call for each receive.",
    |socket: &TcpStream| TransportInfo {
        remote: socket.peer_addr().ok(),
        local: socket.local_addr().ok(),
        ..TransportInfo::new()
    }
);

#[cfg(unix)]
transport!(
    UnixStream,
    "A connected socket, as a dialer of your own may return it. Its timeouts and its mode, blocking or not, play no part: \
     the bounds of the request hold.",
    |_| TransportInfo::new()
);

/// Unix has a flag for a call that does not block.
#[cfg(unix)]
fn unblocked<S>(_: &S) -> io::Result<()> {
    Ok(())
}

/// Windows has no flag for a call that does not block, only a mode of the socket.
#[cfg(not(unix))]
fn unblocked(socket: &TcpStream) -> io::Result<()> {
    socket.set_nonblocking(true)
}

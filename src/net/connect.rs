//! Opening sockets.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use socket2::Domain;

use super::options::SocketConfig;
use super::stream::{Socket, Stream};
use super::transport::Wait;
use super::wait::{GUARD, ready_within};

/// No system assigns ports below this by itself (FreeBSD begins here, others higher).
const FIRST_EPHEMERAL: u16 = 10_000;

/// The time for which an address that belongs to another host is taken for one. A host can be given a new address.
const FOREIGN_FOR: Duration = Duration::from_secs(1);

/// A socket that connects to one address.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    socket: Arc<Socket>,
    address: SocketAddr,
    sockets: &'a SocketConfig,
    began: Instant,
    /// The socket does not block. It has to before it is used.
    is_non_blocking: bool,
}

/// How far an attempt is.
pub(super) enum Started {
    Connected,
    /// The system goes on connecting.
    GoesOn,
}

impl<'a> Attempt<'a> {
    /// Opens a socket for an address, with its options and the guard.
    pub(super) fn open(address: SocketAddr, sockets: &'a SocketConfig, now: Instant) -> io::Result<Attempt<'a>> {
        let mut socket = Socket::new(sockets.open(&address)?);
        if sockets.only_sends_at_once() {
            socket.send_at_once()?;
            sockets.bind(&socket.0)?;
        } else {
            sockets.apply(&socket.0, Domain::for_address(address))?;
        }
        Ok(Attempt { socket: guarded(socket)?, address, sockets, began: now, is_non_blocking: false })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    /// Connects, and waits for the result.
    pub(super) fn connect(self, wait: &Wait<'_>) -> io::Result<Stream> {
        registered(&self.socket, wait);
        connect(&self.socket, &self.address, wait, Interrupted::GoesOn)?;
        self.check_peer()?;
        Ok(Stream::new(self.socket, Some(self.address)))
    }

    /// Begins to connect. Waits for the result for the time of the guard if it `may_block`, and not at all otherwise.
    pub(super) fn start(&mut self, may_block: bool) -> io::Result<Started> {
        if cfg!(unix) && !may_block {
            self.socket.0.set_nonblocking(true)?;
            self.is_non_blocking = true;
        }
        match rustix::net::connect(&self.socket, &self.address) {
            Ok(()) => self.check_peer().map(|()| Started::Connected),
            Err(Errno::INPROGRESS | Errno::INTR | Errno::ALREADY) => Ok(Started::GoesOn),
            // Windows reports INPROGRESS like this.
            #[cfg(windows)]
            Err(Errno::WOULDBLOCK) => Ok(Started::GoesOn),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the result of an attempt that went on, after `poll` has told that there is one.
    pub(super) fn result(&self) -> io::Result<()> {
        match self.socket.0.take_error()? {
            None => self.check_peer(),
            Some(error) => Err(error),
        }
    }

    /// Returns the connected socket as a stream, which an abort of the call shuts down.
    pub(super) fn into_stream(self, wait: &Wait<'_>) -> io::Result<Stream> {
        if self.is_non_blocking {
            self.socket.0.set_nonblocking(false)?;
        }
        registered(&self.socket, wait);
        Ok(Stream::new(self.socket, Some(self.address)))
    }

    /// Fails if the socket is connected to itself.
    fn check_peer(&self) -> io::Result<()> {
        let Attempt { socket, address, sockets, began, .. } = self;
        // The caller's options may route a socket in another way than those of other clients on this thread.
        let has_own_options = **sockets != SocketConfig::new() && address.port() >= FIRST_EPHEMERAL;
        if (has_own_options || may_be_itself(address, *began)) && is_itself(socket, address, sockets, *began) {
            let why = "nobody listens there: the socket was connected to itself";
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, why));
        }
        Ok(())
    }
}

thread_local! {
    /// The last address at which a socket of this thread was connected to another host, and when that was.
    static FOREIGN: Cell<Option<(IpAddr, Instant)>> = const { Cell::new(None) };
}

/// Returns whether a socket that was connected to this address may be connected to itself. The system may give a socket
/// that connects to a closed port of its own host that same port. Then both sides open at once (RFC 9293, section 3.5),
/// and the socket receives what it sends.
fn may_be_itself(address: &SocketAddr, now: Instant) -> bool {
    let is_foreign = |(ip, seen): (IpAddr, Instant)| ip == address.ip() && now.duration_since(seen) < FOREIGN_FOR;
    address.port() >= FIRST_EPHEMERAL && !FOREIGN.get().is_some_and(is_foreign)
}

/// Returns whether a socket is connected to itself. One system call. Notes an address that is another host's: the system
/// did not choose it as the socket's own.
fn is_itself(socket: &Socket, address: &SocketAddr, sockets: &SocketConfig, now: Instant) -> bool {
    let local = socket.0.local_addr().ok().and_then(|local| local.as_socket());
    let Some(local) = local else { return false };
    let (ip, any) = (address.ip(), address.ip().is_unspecified());
    if local.ip() != ip && !any && !ip.is_loopback() && *sockets == SocketConfig::new() {
        FOREIGN.set(Some((ip, now)));
    }
    // Some systems connect to their own host by the unspecified address.
    local == *address || (any && local.port() == address.port())
}

/// Connects to the Unix socket at a path, or at an abstract address, which begins with a NUL. Waits until the deadline if the backlog is full.
#[cfg(unix)]
pub(crate) fn unix(path: &str, wait: &Wait<'_>) -> io::Result<Stream> {
    let address = match path.strip_prefix('\0') {
        None => rustix::net::SocketAddrUnix::new(path)?,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some(name) => rustix::net::SocketAddrUnix::new_abstract_name(name.as_bytes())?,
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        Some(_) => return Err(io::ErrorKind::Unsupported.into()),
    };
    let socket = guarded(Socket::new(socket2::Socket::new(Domain::UNIX, socket2::Type::STREAM, None)?))?;
    registered(&socket, wait);
    connect(&socket, &address, wait, Interrupted::BeginsAgain)?;
    Ok(Stream::new(socket, None))
}

/// Sets the guard, before the first blocking call.
fn guarded(socket: Socket) -> io::Result<Arc<Socket>> {
    if cfg!(unix) {
        socket.0.set_read_timeout(Some(GUARD))?;
        socket.0.set_write_timeout(Some(GUARD))?;
    } else {
        socket.0.set_nonblocking(true)?;
    }
    Ok(Arc::new(socket))
}

/// Registers the socket for aborts of the call.
fn registered(socket: &Arc<Socket>, wait: &Wait<'_>) {
    if let Some(cell) = wait.abort {
        socket.register(cell);
    }
}

/// The effect of a signal on a blocking `connect`.
#[derive(Clone, Copy, PartialEq)]
enum Interrupted {
    /// A TCP socket: the kernel goes on connecting.
    GoesOn,
    /// A Unix socket that waited for room in the backlog: nothing has begun.
    BeginsAgain,
}

fn connect(
    socket: &Arc<Socket>,
    address: &impl SocketAddrArg,
    wait: &Wait<'_>,
    interrupted: Interrupted,
) -> io::Result<()> {
    loop {
        if wait.is_cancelled() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if wait.until.is_past() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match rustix::net::connect(socket, address) {
            Ok(()) => return Ok(()),
            // The backlog of a Unix socket is full, or a signal came: nothing has begun.
            Err(Errno::AGAIN | Errno::INTR) if interrupted == Interrupted::BeginsAgain => wait.until.tick(),
            // The guard timed out, or a signal came.
            Err(Errno::INPROGRESS | Errno::INTR | Errno::ALREADY) => {
                wait.until.tick();
                break;
            }
            // Windows reports INPROGRESS like this.
            #[cfg(windows)]
            Err(Errno::WOULDBLOCK) => break,
            Err(error) => return Err(error.into()),
        }
    }
    // The wait is in slices of the guard, because a shutdown of a socket that is still connecting may wake nobody.
    while ready_within(socket, PollFlags::OUT, wait, Some(GUARD))?.is_none() {}
    match socket.0.take_error()? {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use socket2::Type;
    use std::net::TcpListener;

    fn free() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    /// Row C11 of the fault matrix. The kernel is made to choose the port that is dialed.
    #[test]
    fn nobody_talks_to_himself() {
        let wait = Wait::new();
        let address = free();
        let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&address.into()).unwrap();
        let socket = guarded(Socket::new(socket)).unwrap();
        connect(&socket, &address, &wait, Interrupted::GoesOn).unwrap();
        let now = Instant::now();
        assert!(may_be_itself(&address, now) && is_itself(&socket, &address, &SocketConfig::new(), now));

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, sockets) = (listener.local_addr().unwrap(), SocketConfig::new());
        Attempt::open(address, &sockets, now).unwrap().connect(&wait).unwrap();
    }

    /// A socket is asked for its address only where it may be the address that was dialed.
    #[test]
    fn where_a_socket_may_be_connected_to_itself() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wait = Wait::new();
        let connected = || {
            let socket = Socket::new(socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap());
            let socket = guarded(socket).unwrap();
            connect(&socket, &listener.local_addr().unwrap(), &wait, Interrupted::GoesOn).unwrap();
            socket
        };
        let sources = [None, Some(std::net::Ipv4Addr::LOCALHOST.into())];
        let [any, bound] = sources.map(|source| SocketConfig { source, ..SocketConfig::new() });
        let now = Instant::now();
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (other, third) = (at("192.0.2.1:40000"), at("192.0.2.2:40000"));
        for (row, dialed, sockets, asked) in [
            ("this machine", at("127.0.0.2:40000"), &any, true),
            ("this machine by the unspecified address", at("0.0.0.0:40000"), &any, true),
            ("a source address of the caller's", other, &bound, true),
            ("another host", other, &any, false),
        ] {
            FOREIGN.set(None);
            assert!(may_be_itself(&dialed, now), "{row}");
            assert!(!is_itself(&connected(), &dialed, sockets, now), "{row}");
            assert_eq!(may_be_itself(&dialed, now), asked, "{row}");
        }
        assert!(may_be_itself(&third, now) && may_be_itself(&other, now + FOREIGN_FOR));
        assert!(!may_be_itself(&at("127.0.0.1:8080"), now), "the system gives no socket this port");
    }
}

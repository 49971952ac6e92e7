//! Options of a TCP socket, set before it connects.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::error::{Error, Phase, Result};

/// An option of TCP sockets, set before they connect.
///
/// By default sockets have [`NoDelay(true)`](Self::NoDelay) only. On Linux it is then set before the second write, which
/// is the first that Nagle's algorithm could delay. A list of options replaces the default: it should
/// contain `NoDelay(true)` unless Nagle's algorithm is wanted. Options are set in the order of the list.
///
/// # Errors
/// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) from `build` for an option that this system does not have.
/// - [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) from `build` for a value that no system accepts.
/// - [`ErrorKind::Connect`](crate::ErrorKind::Connect) from a request if the system refuses the option; the source names
///   it.
///
/// ```
/// use hostpool::{PoolManager, SocketOption};
/// use std::time::Duration;
///
/// let keep_alive = SocketOption::KeepAlive { idle: Some(Duration::from_secs(60)), interval: None, retries: None };
/// let pools = PoolManager::builder().socket_options([SocketOption::NoDelay(true), keep_alive]).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "socket_options")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketOption {
    /// Whether small segments leave at once, and not only when earlier bytes are acknowledged. Without it a request in
    /// two writes can wait 40 ms for the peer's delayed acknowledgement.
    #[doc(alias = "TCP_NODELAY")]
    NoDelay(bool),
    /// Asks a silent peer whether it is still there, and ends the connection if it is not. A value of `None` is left to
    /// the system. The system counts whole seconds: fractions are rounded up.
    #[doc(alias = "SO_KEEPALIVE")]
    KeepAlive {
        /// How long the connection is silent before the first question.
        #[doc(alias = "TCP_KEEPIDLE")]
        idle: Option<Duration>,
        /// How long after one question the next one follows.
        #[doc(alias = "TCP_KEEPINTVL")]
        interval: Option<Duration>,
        /// How many questions without an answer end the connection.
        #[doc(alias = "TCP_KEEPCNT")]
        retries: Option<u32>,
    },
    /// Bytes that the system receives in advance. It may take the number as a hint, and bounds it.
    #[doc(alias = "SO_RCVBUF")]
    ReceiveBuffer(usize),
    /// Bytes that the system takes for sending. It may take the number as a hint, and bounds it.
    #[doc(alias = "SO_SNDBUF")]
    SendBuffer(usize),
    /// Whether the port of the source address may be bound while the system remembers earlier connections from it.
    #[doc(alias = "SO_REUSEADDR")]
    ReuseAddress(bool),
    /// The byte that asks routers for a treatment: the type of service of IPv4 (RFC 791, section 3.1), and the traffic
    /// class of IPv6.
    #[doc(alias = "IP_TOS")]
    #[doc(alias = "IPV6_TCLASS")]
    TypeOfService(u32),
    /// The network interface that packets pass, by its name. Linux and Android only.
    #[doc(alias = "SO_BINDTODEVICE")]
    #[doc(alias = "interface")]
    BindDevice(String),
    /// The mark that routing and filters see on packets. Setting it needs the right to administer the network.
    /// Linux and Android only.
    #[doc(alias = "SO_MARK")]
    Mark(u32),
    /// How long sent bytes may stay unacknowledged before the connection ends. Zero leaves it to the system. Linux
    /// and Android only.
    #[doc(alias = "TCP_USER_TIMEOUT")]
    UserTimeout(Duration),
}

impl SocketOption {
    fn set(&self, socket: &Socket, domain: Domain) -> io::Result<()> {
        // The system takes an int, and would read a larger number as a negative one.
        let bounded = |size: usize| size.min(i32::MAX as usize);
        match self {
            SocketOption::NoDelay(on) => socket.set_tcp_nodelay(*on),
            SocketOption::KeepAlive { idle, interval, retries } => keep_alive(socket, *idle, *interval, *retries),
            SocketOption::ReceiveBuffer(size) => socket.set_recv_buffer_size(bounded(*size)),
            SocketOption::SendBuffer(size) => socket.set_send_buffer_size(bounded(*size)),
            SocketOption::ReuseAddress(on) => socket.set_reuse_address(*on),
            SocketOption::TypeOfService(value) if domain == Domain::IPV6 => traffic_class(socket, *value),
            SocketOption::TypeOfService(value) => service_type(socket, *value),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            SocketOption::BindDevice(name) => socket.bind_device(Some(name.as_bytes())),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            SocketOption::Mark(mark) => socket.set_mark(*mark),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            SocketOption::UserTimeout(limit) => socket.set_tcp_user_timeout(Some(*limit)),
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            SocketOption::BindDevice(_) | SocketOption::Mark(_) | SocketOption::UserTimeout(_) => Err(unsupported()),
        }
    }

    /// Refuses an option that this system does not have, and a value that no system accepts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) and
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig).
    fn check(&self) -> Result<()> {
        let has_linux = cfg!(any(target_os = "linux", target_os = "android"));
        let is_zero = |time: &Option<Duration>| time.is_some_and(|time| time.is_zero());
        let lacking = match self {
            SocketOption::KeepAlive { idle, interval, retries } => {
                if is_zero(idle) || is_zero(interval) || *retries == Some(0) {
                    return Err(Error::config("SocketOption::KeepAlive has a time or a number of zero"));
                }
                (!HAS_KEEP_ALIVE_DETAILS && (interval.is_some() || retries.is_some()))
                    .then_some("this system does not have the interval and retries of SocketOption::KeepAlive")
            }
            SocketOption::TypeOfService(_) => {
                (!HAS_SERVICE_TYPE).then_some("this system does not have SocketOption::TypeOfService")
            }
            SocketOption::BindDevice(name) => {
                // The system takes 15 bytes and a NUL, and unbinds the socket for an empty name.
                if name.is_empty() || name.len() > 15 || name.contains('\0') {
                    return Err(Error::config("the name in SocketOption::BindDevice has 1 to 15 bytes, without a NUL"));
                }
                (!has_linux).then_some("this system does not have SocketOption::BindDevice")
            }
            SocketOption::Mark(_) => (!has_linux).then_some("this system does not have SocketOption::Mark"),
            SocketOption::UserTimeout(_) => {
                (!has_linux).then_some("this system does not have SocketOption::UserTimeout")
            }
            SocketOption::NoDelay(_)
            | SocketOption::ReceiveBuffer(_)
            | SocketOption::SendBuffer(_)
            | SocketOption::ReuseAddress(_) => None,
        };
        lacking.map_or(Ok(()), |what| Err(Error::unsupported(what, Phase::Prepare)))
    }
}

/// Whether the system can be told when it repeats its questions, and how often.
const HAS_KEEP_ALIVE_DETAILS: bool =
    cfg!(not(any(target_os = "openbsd", target_os = "haiku", target_os = "solaris", target_os = "redox")));

const HAS_SERVICE_TYPE: bool = cfg!(not(any(
    target_os = "fuchsia",
    target_os = "haiku",
    target_os = "illumos",
    target_os = "redox",
    target_os = "solaris"
)));

/// Refuses options that this system does not have, and values that no system accepts.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) and
/// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig).
pub(crate) fn check(options: &[SocketOption]) -> Result<()> {
    options.iter().try_for_each(SocketOption::check)
}

/// A socket of the system, as its owner holds it: the descriptor of Unix.
#[cfg(unix)]
pub(crate) use std::os::fd::OwnedFd as OwnedSocket;
/// A socket of the system, as its owner holds it.
#[cfg(windows)]
pub(crate) use std::os::windows::io::OwnedSocket;

/// A function that makes the socket for an address.
type Make = dyn Fn(&SocketAddr) -> io::Result<OwnedSocket> + Send + Sync;

/// A function of the caller that makes the socket for an address.
#[derive(Clone)]
pub(crate) struct SocketFactory(Arc<Make>);

// What a panic in the caller's function leaves behind is the caller's.
impl UnwindSafe for SocketFactory {}
impl RefUnwindSafe for SocketFactory {}

impl SocketFactory {
    pub(crate) fn new<S: Into<OwnedSocket>>(
        factory: impl Fn(&SocketAddr) -> io::Result<S> + Send + Sync + 'static,
    ) -> SocketFactory {
        SocketFactory(Arc::new(move |address| factory(address).map(Into::into)))
    }

    /// Makes the socket for an address. It blocks, and no program that is started inherits it.
    pub(crate) fn make(&self, address: &SocketAddr) -> io::Result<Socket> {
        let made = (self.0)(address).map_err(|error| of(error, format_args!("the socket factory")))?;
        let socket = Socket::from(made);
        #[cfg(unix)]
        {
            socket.set_nonblocking(false)?;
            socket.set_cloexec(true)?;
        }
        Ok(socket)
    }
}

impl PartialEq for SocketFactory {
    /// Returns whether both are the same function. Two closures of one place in the code are not.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SocketFactory {}

impl fmt::Debug for SocketFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SocketFactory")
    }
}

fn keep_alive(
    socket: &Socket,
    idle: Option<Duration>,
    interval: Option<Duration>,
    retries: Option<u32>,
) -> io::Result<()> {
    let seconds = |time: Duration| Duration::from_secs(time.as_secs().saturating_add((time.subsec_nanos() > 0).into()));
    let mut wanted = TcpKeepalive::new();
    if let Some(idle) = idle {
        wanted = wanted.with_time(seconds(idle));
    }
    #[cfg(not(any(target_os = "openbsd", target_os = "haiku", target_os = "solaris", target_os = "redox")))]
    {
        if let Some(interval) = interval {
            wanted = wanted.with_interval(seconds(interval));
        }
        if let Some(retries) = retries {
            wanted = wanted.with_retries(retries);
        }
    }
    #[cfg(any(target_os = "openbsd", target_os = "haiku", target_os = "solaris", target_os = "redox"))]
    if interval.is_some() || retries.is_some() {
        return Err(unsupported());
    }
    socket.set_tcp_keepalive(&wanted)
}

#[cfg(not(any(
    target_os = "fuchsia",
    target_os = "haiku",
    target_os = "illumos",
    target_os = "redox",
    target_os = "solaris"
)))]
fn service_type(socket: &Socket, value: u32) -> io::Result<()> {
    socket.set_tos_v4(value)
}

#[cfg(any(
    target_os = "fuchsia",
    target_os = "haiku",
    target_os = "illumos",
    target_os = "redox",
    target_os = "solaris"
))]
fn service_type(_: &Socket, _: u32) -> io::Result<()> {
    Err(unsupported())
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
fn traffic_class(socket: &Socket, value: u32) -> io::Result<()> {
    socket.set_tclass_v6(value)
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
)))]
fn traffic_class(_: &Socket, _: u32) -> io::Result<()> {
    Err(unsupported())
}

#[allow(dead_code, reason = "some systems know every option")]
fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this system does not know it")
}

/// The address that connections come from: an address of this machine, with or without a port.
///
/// Port 0, which an [`IpAddr`] implies, is any free port. With another port there can be only one connection to a
/// server at a time, and none for some minutes after its end, unless [`SocketOption::ReuseAddress`] is set.
///
/// ```
/// use hostpool::SourceAddress;
/// use std::net::{Ipv4Addr, SocketAddr};
///
/// let any_port = SourceAddress::from(Ipv4Addr::LOCALHOST);
/// assert_eq!(any_port, SocketAddr::from(([127, 0, 0, 1], 0)).into());
/// assert_eq!(any_port.to_string(), "127.0.0.1:0");
/// ```
#[doc(alias = "source_address")]
#[doc(alias = "local_addr")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceAddress(SocketAddr);

macro_rules! sources {
    ($($kind:ty => |$address:ident| $source:expr,)+) => {$(
        impl From<$kind> for SourceAddress {
            fn from($address: $kind) -> Self {
                SourceAddress($source)
            }
        }
    )+};
}

sources! {
    IpAddr => |address| SocketAddr::new(address, 0),
    Ipv4Addr => |address| SocketAddr::new(address.into(), 0),
    Ipv6Addr => |address| SocketAddr::new(address.into(), 0),
    SocketAddr => |address| address,
    SocketAddrV4 => |address| address.into(),
    SocketAddrV6 => |address| address.into(),
}

impl fmt::Display for SourceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The settings of all TCP sockets of a pool or dialer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketConfig {
    pub(crate) source: Option<SourceAddress>,
    pub(crate) options: Cow<'static, [SocketOption]>,
    /// Makes the sockets, in place of the system's default.
    pub(crate) factory: Option<SocketFactory>,
}

impl SocketConfig {
    /// Returns the default. Head and body leave in one segment or in large ones, so Nagle's algorithm could only delay:
    /// with delayed acknowledgements it costs 40 ms a request.
    pub(crate) const fn new() -> SocketConfig {
        SocketConfig { source: None, options: Cow::Borrowed(&[SocketOption::NoDelay(true)]), factory: None }
    }

    /// Returns whether a socket with this source can connect to the address.
    pub(crate) fn reaches(&self, address: &SocketAddr) -> bool {
        self.source.is_none_or(|source| source.0.is_ipv4() == address.is_ipv4())
    }

    /// Returns whether all sockets come from one port.
    pub(crate) fn has_fixed_port(&self) -> bool {
        self.source.is_some_and(|source| source.0.port() != 0)
    }

    /// Returns whether `NoDelay(true)` is the only option.
    pub(crate) fn only_sends_at_once(&self) -> bool {
        *self.options == [SocketOption::NoDelay(true)]
    }

    /// Makes the socket for an address: by the caller's function if there is one.
    pub(crate) fn open(&self, address: &SocketAddr) -> io::Result<Socket> {
        match &self.factory {
            Some(factory) => factory.make(address),
            None => Socket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP)),
        }
    }

    /// Sets the options, and binds the socket to its source.
    pub(crate) fn apply(&self, socket: &Socket, domain: Domain) -> io::Result<()> {
        for option in &*self.options {
            option.set(socket, domain).map_err(|error| of(error, format_args!("the socket option {option:?}")))?;
        }
        self.bind(socket)
    }

    /// Binds the socket to its source.
    pub(crate) fn bind(&self, socket: &Socket) -> io::Result<()> {
        if let Some(source) = self.source {
            let bound = socket.bind(&source.0.into());
            bound.map_err(|error| of(error, format_args!("the source address {source}")))?;
        }
        Ok(())
    }
}

impl Default for SocketConfig {
    fn default() -> Self {
        SocketConfig::new()
    }
}

fn of(error: io::Error, what: fmt::Arguments<'_>) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn applied(domain: Domain, config: &SocketConfig) -> io::Result<Socket> {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).unwrap();
        config.apply(&socket, domain).map(|()| socket)
    }

    fn with(options: &[SocketOption]) -> SocketConfig {
        SocketConfig { options: options.to_vec().into(), ..SocketConfig::new() }
    }

    fn from(source: impl Into<SourceAddress>) -> SocketConfig {
        SocketConfig { source: Some(source.into()), ..SocketConfig::new() }
    }

    fn keep_alive(idle: Option<Duration>, interval: Option<Duration>, retries: Option<u32>) -> SocketOption {
        SocketOption::KeepAlive { idle, interval, retries }
    }

    /// Each option, and what the socket reports after it is set.
    #[cfg(target_os = "linux")]
    #[test]
    fn options_are_set() {
        use SocketOption::*;
        let (v4, v6) = (Domain::IPV4, Domain::IPV6);
        let seconds = Duration::from_secs;
        let millis = Duration::from_millis;
        let all = keep_alive(Some(millis(31_001)), Some(seconds(7)), Some(3));
        let nothing = keep_alive(None, None, None);
        type Look = fn(&Socket) -> io::Result<u64>;
        let idle: Look = |socket| socket.tcp_keepalive_time().map(|time| time.as_secs());
        let interval: Look = |socket| socket.tcp_keepalive_interval().map(|time| time.as_secs());
        let table: [(&str, Domain, &[SocketOption], Look, u64); 17] = [
            ("default", v4, &SocketConfig::new().options, |socket| socket.tcp_nodelay().map(u64::from), 1),
            ("default over IPv6", v6, &SocketConfig::new().options, |socket| socket.tcp_nodelay().map(u64::from), 1),
            ("empty list", v4, &[], |socket| socket.tcp_nodelay().map(u64::from), 0),
            ("off", v4, &[NoDelay(false)], |socket| socket.tcp_nodelay().map(u64::from), 0),
            ("the last counts", v4, &[NoDelay(true), NoDelay(false)], |socket| socket.tcp_nodelay().map(u64::from), 0),
            ("another", v4, &[ReuseAddress(true)], |socket| socket.tcp_nodelay().map(u64::from), 0),
            ("reuse", v4, &[ReuseAddress(true)], |socket| socket.reuse_address().map(u64::from), 1),
            ("keep alive", v4, &[nothing], |socket| socket.keepalive().map(u64::from), 1),
            ("idle", v4, std::slice::from_ref(&all), idle, 32),
            ("interval", v4, std::slice::from_ref(&all), interval, 7),
            ("retries", v6, std::slice::from_ref(&all), |socket| socket.tcp_keepalive_retries().map(u64::from), 3),
            // The system doubles the size.
            (
                "send buffer",
                v4,
                &[SendBuffer(16_384)],
                |socket| socket.send_buffer_size().map(|size| size as u64),
                32_768,
            ),
            (
                "receive",
                v4,
                &[ReceiveBuffer(16_384)],
                |socket| socket.recv_buffer_size().map(|size| size as u64),
                32_768,
            ),
            ("IPv4", v4, &[TypeOfService(0x10)], |socket| socket.tos_v4().map(u64::from), 0x10),
            ("IPv6", v6, &[TypeOfService(0x10)], |socket| socket.tclass_v6().map(u64::from), 0x10),
            (
                "user timeout",
                v4,
                &[UserTimeout(seconds(9))],
                |socket| socket.tcp_user_timeout().map(|limit| limit.map_or(0, |limit| limit.as_secs())),
                9,
            ),
            (
                "device",
                v4,
                &[BindDevice("lo".to_owned())],
                |socket| socket.device().map(|name| u64::from(name.as_deref() == Some(b"lo"))),
                1,
            ),
        ];
        for (id, domain, options, look, expected) in table {
            let socket = applied(domain, &with(options)).unwrap();
            assert_eq!(look(&socket).unwrap(), expected, "{id}");
        }
        // Without the right to administer the network the option is refused.
        match applied(v4, &with(&[Mark(7)])) {
            Ok(socket) => assert_eq!(socket.mark().unwrap(), 7),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}"),
        }
    }

    /// The error names the option that the system refuses, and keeps the kind.
    #[test]
    fn what_is_refused() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut table = vec![
            ("no address of ours", from(Ipv4Addr::new(240, 0, 0, 1)), "240.0.0.1:0", io::ErrorKind::AddrNotAvailable),
            ("taken", from(taken.local_addr().unwrap()), "127.0.0.1:", io::ErrorKind::AddrInUse),
        ];
        if cfg!(target_os = "linux") {
            let zero = with(&[keep_alive(Some(Duration::ZERO), None, None)]);
            table.push(("idle for no time", zero, "KeepAlive", io::ErrorKind::InvalidInput));
        }
        for (id, config, named, kind) in table {
            let error = applied(Domain::IPV4, &config).unwrap_err();
            assert_eq!(error.kind(), kind, "{id}");
            assert!(error.to_string().contains(named), "{id}: {error}");
        }
    }

    /// What can be known without a socket is found when a client is built.
    #[test]
    fn what_is_refused_at_once() {
        let second = Some(Duration::from_secs(1));
        let device = |name: &str| SocketOption::BindDevice(name.to_owned());
        let on_linux =
            if cfg!(any(target_os = "linux", target_os = "android")) { None } else { Some(ErrorKind::Unsupported) };
        let table = [
            (SocketOption::NoDelay(true), None),
            (keep_alive(second, None, None), None),
            (keep_alive(Some(Duration::ZERO), None, None), Some(ErrorKind::InvalidConfig)),
            (keep_alive(None, Some(Duration::ZERO), None), Some(ErrorKind::InvalidConfig)),
            (keep_alive(None, None, Some(0)), Some(ErrorKind::InvalidConfig)),
            (device(""), Some(ErrorKind::InvalidConfig)),
            (device("a-name-of-sixteen"), Some(ErrorKind::InvalidConfig)),
            (device("a\0"), Some(ErrorKind::InvalidConfig)),
            (device("lo"), on_linux.clone()),
            (SocketOption::Mark(1), on_linux.clone()),
            (SocketOption::UserTimeout(Duration::from_secs(1)), on_linux),
        ];
        for (option, expected) in table {
            let refused = check(&[SocketOption::ReuseAddress(true), option.clone()]).err();
            assert_eq!(refused.as_ref().map(Error::kind), expected.as_ref(), "{option:?}");
        }
    }

    #[test]
    fn sources() {
        let table = [
            ("192.0.2.1", SourceAddress::from(Ipv4Addr::new(240, 0, 0, 1)), "240.0.0.1:0", true, false),
            ("IpAddr", IpAddr::from([192, 0, 2, 1]).into(), "192.0.2.1:0", true, false),
            ("IPv6", Ipv6Addr::LOCALHOST.into(), "[::1]:0", false, true),
            ("v4 with a port", SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7).into(), "127.0.0.1:7", true, false),
            ("v6 with a port", SocketAddrV6::new(Ipv6Addr::LOCALHOST, 7, 0, 0).into(), "[::1]:7", false, true),
            ("either with a port", SocketAddr::from(([127, 0, 0, 1], 7)).into(), "127.0.0.1:7", true, false),
        ];
        let (v4, v6) = (SocketAddr::from(([127, 0, 0, 1], 80)), SocketAddr::from((Ipv6Addr::LOCALHOST, 80)));
        for (id, source, text, reaches_v4, reaches_v6) in table {
            assert_eq!(source.to_string(), text, "{id}");
            let config = from(source);
            assert_eq!((config.reaches(&v4), config.reaches(&v6)), (reaches_v4, reaches_v6), "{id}");
        }
        assert!(SocketConfig::new().reaches(&v4) && SocketConfig::new().reaches(&v6));
    }
}

//! Opening a transport to a target, along a route.

mod proxied;
mod route;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cancel::{OnCancel, Run};
use crate::error::{Bound, Error, ErrorKind, Phase, ResponseHead, Result};
use crate::exchange::{Common, Wire};
use crate::net::abort::{AbortCell, Interrupt};
use crate::net::connect;
use crate::net::names::{Addresses, Family, IntoAddresses, Resolver, shared_resolver};
use crate::net::options::{self, OwnedSocket, SocketFactory, SocketOption, SourceAddress};
use crate::net::race::Winner;
use crate::net::stream::Stream;
use crate::net::tcp::{TcpConfig, checked_stagger};
use crate::net::transport::{Transport, Wait};
use crate::shared;
use crate::strictness::Strictness;
use crate::time::{Timeout, Until};
use crate::tls::TlsConfig;
use crate::urls::{Origin, Url};

pub(crate) use route::{Route, Via};

/// Opens the connections of a pool, for example over another network, to a peer in memory, or with another TLS library.
///
/// A closure becomes a dialer by [`dialer_fn`]. It returns a [`TcpStream`](std::net::TcpStream) or a `UnixStream` of std
/// as it is, any reader and writer in an [`IoTransport`](crate::IoTransport), or a [`Transport`] of its own.
///
/// A transport for an `https` target must be encrypted, and its [`TransportInfo`](crate::TransportInfo) must say so.
/// [`TlsDialer`] does this over another dialer.
///
/// ```
/// use hostpool::{ConnectionPool, DialContext, Dialer, Probe, Target, Transport, Wait};
/// use std::io::{self, IoSlice, Read};
/// use std::sync::Mutex;
///
/// /// A peer that has always the same answer.
/// #[derive(Debug)]
/// struct Canned(Mutex<&'static [u8]>);
///
/// impl Transport for Canned {
///     fn recv(&self, buf: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
///         self.0.lock().unwrap().read(buf)
///     }
///     fn send(&self, bufs: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
///         Ok(bufs.iter().map(|buf| buf.len()).sum())
///     }
///     fn probe(&self) -> Probe {
///         Probe::Dead
///     }
///     fn abort(&self) {}
/// }
///
/// #[derive(Debug)]
/// struct Memory;
///
/// impl Dialer for Memory {
///     fn dial(&self, _: &Target<'_>, _: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
///         let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
///         Ok(Box::new(Canned(Mutex::new(answer))))
///     }
/// }
///
/// let pool = ConnectionPool::builder("http://anywhere").dialer(Memory).build()?;
/// assert_eq!(pool.get("/").send()?.text()?, "hello");
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "BaseConnector")]
#[doc(alias = "ConnectionCls")]
#[doc(alias = "_create_connection")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a dialer",
    note = "`hostpool::dialer_fn` makes a dialer of a function or a closure"
)]
pub trait Dialer: Send + Sync {
    /// Opens a connection before the deadline of the context.
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>>;
}

impl fmt::Debug for dyn Dialer + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Dialer")
    }
}

/// Passes each call on to the dialer that the pointer leads to.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<D: Dialer + ?Sized> Dialer for $pointer {
            fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>> {
                (**self).dial(target, context)
            }
        }
    )*};
}

forward!(&D, Box<D>, Arc<D>);

/// Shares a dialer. An `Arc<dyn Dialer>` is not wrapped again, so that it stays the same dialer wherever it is given.
pub(crate) fn shared_dialer<D: Dialer + 'static>(dialer: D) -> Arc<dyn Dialer> {
    shared::already::<Arc<dyn Dialer>>(&dialer).unwrap_or_else(|| Arc::new(dialer))
}

/// Makes a [`Dialer`] of a function or a closure. The types of a closure's arguments are inferred.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// use hostpool::{ConnectionPool, Dialer, Target, TcpDialer, Url, dialer_fn};
///
/// // Whatever the URL says, connect to this server.
/// let server = Url::parse(&url)?;
/// let dialer = dialer_fn(move |_, context| TcpDialer::new().dial(&Target::from(&server), context));
/// let pool = ConnectionPool::builder("http://example.com").dialer(dialer).build()?;
/// assert_eq!(pool.get("/").send()?.text()?, "hello");
/// # Ok::<(), hostpool::Error>(())
/// ```
pub fn dialer_fn<F>(function: F) -> DialerFn<F>
where
    F: Fn(&Target<'_>, &DialContext<'_>) -> Result<Box<dyn Transport>> + Send + Sync,
{
    DialerFn(function)
}

/// A function as a [`Dialer`]: the value of [`dialer_fn`].
#[derive(Clone, Copy)]
pub struct DialerFn<F>(F);

impl<F> Dialer for DialerFn<F>
where
    F: Fn(&Target<'_>, &DialContext<'_>) -> Result<Box<dyn Transport>> + Send + Sync,
{
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>> {
        self.0(target, context)
    }
}

impl<F> fmt::Debug for DialerFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DialerFn")
    }
}

/// The server that a connection is opened for, and the way to it.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    origin: &'a Origin,
}

impl<'a> Target<'a> {
    pub(crate) fn new(route: &'a Route) -> Self {
        Target { origin: route.origin() }
    }

    /// Returns the scheme, host and port.
    pub fn origin(&self) -> &'a Origin {
        self.origin
    }

    /// Returns whether the connection must be encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.origin.kind().is_encrypted()
    }
}

impl<'a> From<&'a Url> for Target<'a> {
    /// Returns the server of this URL as a target. A dialer may pass it to another dialer in place of its own target,
    /// to connect elsewhere.
    ///
    /// ```
    /// use hostpool::{DialContext, Dialer, Target, TcpDialer, Transport, Url};
    ///
    /// /// Sends everybody to the server of one URL, under the name they asked for.
    /// #[derive(Debug)]
    /// struct Always(Url);
    ///
    /// impl Dialer for Always {
    ///     fn dial(&self, _: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
    ///         TcpDialer::new().dial(&Target::from(&self.0), context)
    ///     }
    /// }
    /// ```
    fn from(url: &'a Url) -> Self {
        Target { origin: url.origin() }
    }
}

/// The time that a dial may take, and the handle that can end it.
///
/// Each phase of a dial can have a bound of its own. A dialer looks up names with [`for_resolve`](Self::for_resolve),
/// and does a TLS handshake with [`for_tls`](Self::for_tls).
#[derive(Clone, Copy, Debug)]
pub struct DialContext<'a> {
    until: Until<'a>,
    resolve: Option<Duration>,
    tls: Option<Duration>,
    cell: Option<&'a AbortCell>,
}

impl DialContext<'static> {
    /// Returns the context of a dial that begins now, for tests of your own dialer and for dials outside of a request.
    /// The bounds `total`, `connect`, `resolve` and `tls` apply. Within a request the client makes the context.
    ///
    /// ```
    /// use hostpool::{DialContext, Dialer, Target, TcpDialer, Timeout, Transport, Url, Wait};
    /// use std::io::IoSlice;
    /// use std::time::Duration;
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let url = Url::parse(&format!("http://{}", listener.local_addr()?))?;
    /// let context = DialContext::new(Timeout::new().connect(Duration::from_secs(5)));
    /// let transport = TcpDialer::new().dial(&Target::from(&url), &context)?;
    /// assert_eq!(transport.send(&[IoSlice::new(b"hello")], &Wait::new())?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(timeout: impl Into<Timeout>) -> DialContext<'static> {
        let timeout = timeout.into();
        let until = Until::from(timeout.deadline()).or_within(timeout.connect, Bound::Connect);
        DialContext { until, resolve: timeout.resolve, tls: timeout.tls, cell: None }
    }
}

impl<'a> DialContext<'a> {
    /// Returns the context of a dial that begins now, for a call that ends at `until`.
    pub(crate) fn begin(until: Until<'a>, timeout: &Timeout, cell: &'a AbortCell) -> Self {
        let until = until.or_within(timeout.connect, Bound::Connect);
        DialContext { until, resolve: timeout.resolve, tls: timeout.tls, cell: Some(cell) }
    }

    /// Returns the time by which the dial must end, or `None` if there is no bound.
    pub fn deadline(&self) -> Option<Instant> {
        self.until.at()
    }

    /// Returns whether the deadline has passed.
    pub(crate) fn is_past(&self) -> bool {
        self.until.is_past()
    }

    /// Returns whether the dial has to end: its call was cancelled, or its client closed. A dialer that waits by itself
    /// asks this after it wakes, and returns [`failed`](Self::failed).
    ///
    /// ```
    /// use hostpool::{DialContext, Timeout};
    ///
    /// assert!(!DialContext::new(Timeout::new()).is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.wait().is_cancelled()
    }

    /// Runs a function when the dial has to end, on the thread that ends it: another thread cancels its call or closes
    /// its client. If that has happened already, the function runs at once. Dropping the returned value takes the
    /// function back, and so does the next one that is given, or a socket that this crate opens for the dial.
    ///
    /// It is for a dialer that waits for something of its own. It should only wake that wait. A panic of it is ignored.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// # let url = format!("http://{}/", listener.local_addr().unwrap());
    /// use hostpool::{CancelToken, PoolManager, dialer_fn};
    /// use std::io;
    /// use std::sync::mpsc::channel;
    /// use std::thread;
    ///
    /// // Waits for something that never comes.
    /// let dialer = dialer_fn(|_, context| {
    ///     let (wake, woken) = channel::<()>();
    ///     let on_cancel = context.on_cancel(move || drop(wake));
    ///     let _ = woken.recv();
    ///     drop(on_cancel);
    ///     Err(context.failed(io::ErrorKind::ConnectionAborted.into()))
    /// });
    /// let (pools, token) = (PoolManager::builder().dialer(dialer).build()?, CancelToken::new());
    /// let request = pools.get(&url).cancel_with(&token);
    /// let call = thread::spawn(move || request.send());
    /// token.cancel();
    /// assert!(call.join().unwrap().unwrap_err().is_cancelled());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn on_cancel(&self, run: impl FnOnce() + Send + 'static) -> OnCancel {
        let run = Run::new(run);
        if let Some(cell) = self.cell {
            let interrupt: Arc<dyn Interrupt> = run.clone();
            cell.register(Arc::downgrade(&interrupt));
        }
        // A token that fired before the dial was registered with it does not reach the cell.
        if self.is_cancelled() {
            run.run();
        }
        OnCancel::keep(run)
    }

    /// Returns the bounds for operations of a [`Transport`] that belong to the dial.
    pub fn wait(&self) -> Wait<'a> {
        Wait { until: self.until, abort: self.cell, ..Wait::new() }
    }

    /// Returns the error for a deadline that has passed.
    pub fn timed_out(&self, phase: Phase) -> Error {
        self.until.timed_out(phase)
    }

    /// Returns the error of a dial that could not connect: [`ErrorKind::Timeout`] if the deadline has passed,
    /// [`ErrorKind::Cancelled`] or [`ErrorKind::Closed`] if the call was cancelled or the client closed meanwhile, otherwise [`ErrorKind::Connect`] with `error` as its
    /// source. A [`Retry`](crate::Retry) tries again after such an error, because nothing was sent.
    ///
    /// ```
    /// use hostpool::{ConnectionPool, Error, ErrorKind, Timeout, dialer_fn};
    /// use std::net::{SocketAddr, TcpStream};
    /// use std::time::{Duration, Instant};
    ///
    /// // A port where nobody listens.
    /// let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    /// let dialer = dialer_fn(move |_, context| {
    ///     let left = context.deadline().map(|at| at.saturating_duration_since(Instant::now()));
    ///     let stream = match left {
    ///         Some(left) if left.is_zero() => Err(std::io::ErrorKind::TimedOut.into()),
    ///         Some(left) => TcpStream::connect_timeout(&nobody, left),
    ///         None => TcpStream::connect(nobody),
    ///     };
    ///     Ok(Box::new(stream.map_err(|error| context.failed(error))?))
    /// });
    /// let pool = ConnectionPool::builder("http://anywhere").dialer(dialer).build()?;
    /// let error = pool.get("/").timeout(Duration::from_secs(5)).retries(0).send().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Connect);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn failed(&self, error: io::Error) -> Error {
        self.wait().failure(error, ErrorKind::Connect, Phase::Connect)
    }

    /// Returns the context of the name lookup, which begins now. [`Timeout::resolve`] bounds it too.
    ///
    /// ```
    /// use hostpool::{DialContext, Dialer, Phase, Target, TcpDialer, Transport, Url};
    /// use std::sync::mpsc::{Receiver, RecvTimeoutError};
    /// use std::sync::Mutex;
    /// use std::time::Instant;
    ///
    /// /// Connects to the servers that somebody else names.
    /// #[derive(Debug)]
    /// struct Named(Mutex<Receiver<Url>>);
    ///
    /// impl Dialer for Named {
    ///     fn dial(&self, _: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
    ///         let lookup = context.for_resolve();
    ///         let names = self.0.lock().unwrap();
    ///         let name = match lookup.deadline() {
    ///             Some(at) => names.recv_timeout(at.saturating_duration_since(Instant::now())),
    ///             None => names.recv().map_err(RecvTimeoutError::from),
    ///         };
    ///         match name {
    ///             Ok(url) => TcpDialer::new().dial(&Target::from(&url), context),
    ///             Err(RecvTimeoutError::Timeout) => Err(lookup.timed_out(Phase::Resolve)),
    ///             Err(error) => Err(hostpool::Error::custom(error)),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn for_resolve(&self) -> DialContext<'a> {
        DialContext { until: self.until.or_within(self.resolve, Bound::Resolve), ..*self }
    }

    /// Returns the context of the TLS handshake, which begins now. [`Timeout::tls`] bounds it too.
    pub fn for_tls(&self) -> DialContext<'a> {
        DialContext { until: self.until.or_within(self.tls, Bound::Tls), ..*self }
    }
}

/// Connects over TCP, to the address of the host that answers first.
///
/// ```
/// use hostpool::{ConnectionPool, TcpDialer, TlsConfig, TlsDialer};
/// use std::net::Ipv4Addr;
///
/// let tcp = TcpDialer::new().source_address(Ipv4Addr::LOCALHOST);
/// let dialer = TlsDialer::new(tcp, TlsConfig::default());
/// let pool = ConnectionPool::builder("https://localhost:8443").dialer(dialer).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TcpDialer {
    config: TcpConfig,
}

// Nothing here changes once it is set.
impl UnwindSafe for TcpDialer {}
impl RefUnwindSafe for TcpDialer {}

impl TcpDialer {
    /// Returns the dialer that a pool uses by default.
    pub const fn new() -> TcpDialer {
        TcpDialer { config: TcpConfig::new() }
    }

    /// Sets the local address of connections. Addresses of a host that are of the other family are not tried.
    pub fn source_address(mut self, address: impl Into<SourceAddress>) -> TcpDialer {
        self.config.sockets.source = Some(address.into());
        self
    }

    /// Sets the options of sockets. The default is [`SocketOption::NoDelay(true)`](SocketOption::NoDelay) alone. There is
    /// no `build`, so an option that this system does not have fails the dial.
    pub fn socket_options(mut self, options: impl IntoIterator<Item = SocketOption>) -> TcpDialer {
        self.config.sockets.options = options.into_iter().collect();
        self
    }

    /// Sets a function that makes the sockets: see [`ClientBuilder::socket_factory`](crate::ClientBuilder::socket_factory).
    pub fn socket_factory<S: Into<OwnedSocket>>(
        mut self,
        factory: impl Fn(&SocketAddr) -> io::Result<S> + Send + Sync + 'static,
    ) -> TcpDialer {
        self.config.sockets.factory = Some(SocketFactory::new(factory));
        self
    }

    /// Sets what looks up names: see [`ClientBuilder::resolver`](crate::ClientBuilder::resolver).
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> TcpDialer {
        self.config.names.resolver = Some(shared_resolver(resolver));
        self
    }

    /// Sets the family of addresses that are connected to: see [`ClientBuilder::family`](crate::ClientBuilder::family).
    pub fn family(mut self, family: Family) -> TcpDialer {
        self.config.names.family = family;
        self
    }

    /// Sets the addresses of a host: see [`ClientBuilder::resolve_to`](crate::ClientBuilder::resolve_to).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] if `host` is not a name or an IP address alone.
    pub fn resolve_to(mut self, host: &str, addresses: impl IntoAddresses) -> Result<TcpDialer> {
        self.config.names.overrides.set(host, addresses)?;
        Ok(self)
    }

    /// Adds a function that must allow each address before it is connected to: see
    /// [`ClientBuilder::address_filter`](crate::ClientBuilder::address_filter).
    pub fn address_filter(mut self, allows: impl Fn(SocketAddr) -> bool + Send + Sync + 'static) -> TcpDialer {
        self.config.names.filters.add(allows);
        self
    }

    /// Sets how long an address has no answer before the next one is tried, too: see
    /// [`ClientBuilder::connect_stagger`](crate::ClientBuilder::connect_stagger).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] for less than 10 milliseconds or more than 2 seconds.
    pub fn connect_stagger(mut self, stagger: impl Into<Option<Duration>>) -> Result<TcpDialer> {
        self.config.stagger = checked_stagger(stagger.into())?;
        Ok(self)
    }
}

impl Dialer for TcpDialer {
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>> {
        options::check(&self.config.sockets.options)?;
        let winner = self.config.connect(target.origin, &context.for_resolve().wait(), &context.wait())?;
        Ok(Box::new(winner.stream))
    }
}

/// Connects to the Unix socket that an `http+unix` URL names. For `https+unix` a [`TlsDialer`] around it adds TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnixDialer;

impl UnixDialer {
    #[cfg(unix)]
    fn open(&self, target: &Target<'_>, context: &DialContext<'_>) -> Result<Stream> {
        if !target.origin.kind().is_unix() {
            return Err(Error::config("UnixDialer is for http+unix URLs, which name a socket"));
        }
        unix(target.origin.host(), context)
    }

    #[cfg(not(unix))]
    fn open(&self, _: &Target<'_>, context: &DialContext<'_>) -> Result<Stream> {
        unix("", context)
    }
}

#[cfg(unix)]
fn unix(path: &str, context: &DialContext<'_>) -> Result<Stream> {
    let wait = context.wait();
    connect::unix(path, &wait).map_err(|error| wait.failure(error, ErrorKind::Connect, Phase::Connect))
}

#[cfg(not(unix))]
fn unix(_: &str, _: &DialContext<'_>) -> Result<Stream> {
    Err(Error::unsupported("this system has no Unix sockets", Phase::Connect))
}

impl Dialer for UnixDialer {
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>> {
        Ok(Box::new(self.open(target, context)?))
    }
}

/// Adds TLS to the connections of another dialer, for targets that must be encrypted.
///
/// ```
/// use hostpool::{ConnectionPool, TcpDialer, TlsConfig, TlsDialer};
///
/// let dialer = TlsDialer::new(TcpDialer::new(), TlsConfig::default());
/// let pool = ConnectionPool::builder("https://example.com").dialer(dialer).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TlsDialer<D> {
    inner: D,
    tls: TlsConfig,
}

impl<D: Dialer> TlsDialer<D> {
    /// Returns a dialer that encrypts the connections of `inner`.
    pub fn new(inner: D, tls: TlsConfig) -> Self {
        TlsDialer { inner, tls }
    }
}

impl<D: Dialer> Dialer for TlsDialer<D> {
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>> {
        if !target.is_encrypted() {
            return self.inner.dial(target, context);
        }
        self.tls.check()?;
        let inner = self.inner.dial(target, context)?;
        self.tls.wrap(inner, target.origin, &context.for_tls().wait())
    }
}

/// What a dial needs besides its route and its bounds.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) tls: &'a TlsConfig,
    pub(crate) tcp: &'a TcpConfig,
    /// The path of the Unix socket that all connections lead to.
    pub(crate) socket: Option<&'a str>,
    pub(crate) cell: &'a Arc<AbortCell>,
    /// The memory for the exchange with a proxy, and the limits on what it may send.
    pub(crate) common: &'a Common,
    /// How strictly a refusal is read. A response that opens a tunnel is read strictly.
    pub(crate) strictness: Strictness,
    /// The User-Agent that a proxy is told.
    pub(crate) user_agent: Option<&'a [u8]>,
}

/// Opens a connection along a route, for a pool without a dialer.
pub(crate) fn open(route: &Route, means: &Means<'_>, context: &DialContext<'_>) -> Result<Opened> {
    match route.via() {
        Via::Direct | Via::Unix => Ok(direct(&Target::new(route), means, context)?.into()),
        Via::Forward(_) | Via::Tunnel(_) if means.socket.is_some() => {
            Err(Error::config("the client connects to one Unix socket, and reaches no proxy"))
        }
        Via::Forward(proxy) => Ok(proxied::reach(proxy, means, context)?.into()),
        Via::Tunnel(proxy) => proxied::tunnel(proxy, route.origin(), means, context),
    }
}

/// A connection that was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) wire: Wire,
    /// The response by which a proxy opened the tunnel.
    pub(crate) tunnel: Option<Arc<ResponseHead>>,
}

impl From<Wire> for Opened {
    fn from(wire: Wire) -> Opened {
        Opened { wire, tunnel: None }
    }
}

/// Opens a connection to a server, or to a proxy: to the Unix socket of the client if there is one, and otherwise to
/// where the target says. A plain socket is used without a virtual call.
fn direct(target: &Target<'_>, means: &Means<'_>, context: &DialContext<'_>) -> Result<Wire> {
    let Means { tls, tcp, socket, cell, .. } = *means;
    if target.is_encrypted() {
        tls.check()?;
    }
    let stream = match (target.origin.kind().is_unix(), socket) {
        (false, None) => {
            let winner = tcp.connect(target.origin, &context.for_resolve().wait(), &context.wait())?;
            return match target.is_encrypted() {
                false => Ok(Wire::Stream(winner.stream)),
                true => encrypted(target, winner, tls, tcp, context).map(|transport| Wire::of(transport, cell)),
            };
        }
        (true, Some(path)) if path != target.origin.host() => {
            return Err(Error::request("the client connects to one Unix socket, and the URL names another"));
        }
        (false, Some(path)) => unix(path, context)?,
        (true, _) => UnixDialer.open(target, context)?,
    };
    match target.is_encrypted() {
        false => Ok(Wire::Stream(stream)),
        true => Ok(Wire::of(tls.wrap(Box::new(stream), target.origin, &context.for_tls().wait())?, cell)),
    }
}

/// Begins TLS with the winner of a race. If its server ends the connection during the handshake, the addresses that are
/// left are tried, under the same deadline: a load balancer may accept connections for a server that is down. Nothing of
/// a request has left by then.
fn encrypted(
    target: &Target<'_>,
    mut winner: Winner,
    tls: &TlsConfig,
    tcp: &TcpConfig,
    context: &DialContext<'_>,
) -> Result<Box<dyn Transport>> {
    loop {
        let Winner { stream, rest } = winner;
        let cut = match tls.wrap(Box::new(stream), target.origin, &context.for_tls().wait()) {
            Err(error) if !rest.is_empty() && is_cut(&error) => error,
            result => return result,
        };
        let rest = Addresses { usable: rest, refused: Vec::new() };
        winner = match tcp.connect_to(&rest, &context.wait()) {
            Ok(winner) => winner,
            // The first failure says more than that no other address can be reached.
            Err(error) if *error.kind() == ErrorKind::Connect => return Err(cut),
            Err(error) => return Err(error),
        };
    }
}

/// Returns whether the peer ended the connection, by a reset or otherwise.
fn is_cut(error: &Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    if *error.kind() != ErrorKind::Tls {
        return false;
    }
    let mut cause = error.cause().map(|cause| cause as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;

    /// Each phase is under its own bound and under those of the whole; the earliest gives its name.
    #[test]
    fn the_bounds_of_the_phases() {
        let at = Duration::from_secs;
        let table = [
            (Timeout::new(), [None, None, None]),
            (Timeout::new().resolve(at(1)), [None, Some(Bound::Resolve), None]),
            (Timeout::new().tls(at(1)), [None, None, Some(Bound::Tls)]),
            (
                Timeout::new().connect(at(5)).resolve(at(1)).tls(at(9)),
                [Some(Bound::Connect), Some(Bound::Resolve), Some(Bound::Connect)],
            ),
            (
                Timeout::from(at(2)).connect(at(5)).resolve(at(1)).tls(at(3)),
                [Some(Bound::Total), Some(Bound::Resolve), Some(Bound::Total)],
            ),
        ];
        let cell = AbortCell::new();
        for (timeout, expected) in table {
            let context = DialContext::begin(timeout.deadline().into(), &timeout, &cell);
            for (context, bound) in [context, context.for_resolve(), context.for_tls()].into_iter().zip(expected) {
                assert_eq!(context.deadline().is_some(), bound.is_some(), "{timeout}");
                assert_eq!(context.wait().deadline(), context.deadline(), "{timeout}");
                if let Some(bound) = bound {
                    assert_eq!(context.timed_out(Phase::Tls).kind(), &ErrorKind::Timeout(bound), "{timeout}");
                }
            }
        }
    }
}

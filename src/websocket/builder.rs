//! Opens a WebSocket.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use super::deflate::PerMessageDeflate;
use super::handshake::{self, Agreement, Key, Offer};
use super::settings::{Opened, Settings};
use super::socket::WebSocket;
use crate::auth::Auth;
use crate::body::urlencoded::IntoPairs;
use crate::cancel::CancelToken;
use crate::client::{Connector, RequestBuilder};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::headers::{IntoHeaderName, IntoHeaderValue, IntoHeaders};
use crate::net::names::IntoAddresses;
use crate::proxy::Proxy;
use crate::response::Taken;
use crate::time::Timeout;

/// A function of the caller's that is given each new WebSocket.
type Hook = Arc<dyn Fn(WebSocket) -> Result<WebSocket> + Send + Sync>;

/// The functions of a client, in their order.
#[derive(Clone, Default)]
pub(crate) struct Hooks(Vec<Hook>);

// As for the other hooks of a client: a panic of one leaves the list as it is.
impl UnwindSafe for Hooks {}
impl RefUnwindSafe for Hooks {}

impl Hooks {
    pub(crate) const fn new() -> Hooks {
        Hooks(Vec::new())
    }

    pub(crate) fn push(&mut self, hook: impl Fn(WebSocket) -> Result<WebSocket> + Send + Sync + 'static) {
        self.0.push(Arc::new(hook));
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hooks", self.0.len())
    }
}

/// Builds a WebSocket: returned by [`Session::ws_connect`](crate::Session::ws_connect) and
/// [`ws_connect`](crate::ws_connect). Nothing is sent before [`connect`](Self::connect).
///
/// The handshake is an ordinary `GET` of the session. Its connection is opened as any other, through the same proxy, with
/// the same TLS configuration or over a Unix socket, and counts for the same limits until the WebSocket is closed. Cookies,
/// credentials and default headers are sent, cookies of the response are stored, and redirects are followed. Through an
/// HTTP proxy it takes a tunnel.
///
/// | for | methods |
/// |---|---|
/// | the handshake | [`protocols`](Self::protocols), [`origin`](Self::origin), [`header`](Self::header), [`params`](Self::params), [`auth`](Self::auth), [`cookie`](Self::cookie), [`proxy`](Self::proxy), [`request`](Self::request) |
/// | time | [`handshake_timeout`](Self::handshake_timeout), [`close_timeout`](Self::close_timeout), [`receive_timeout`](Self::receive_timeout), [`send_timeout`](Self::send_timeout), [`heartbeat`](Self::heartbeat) |
/// | control frames | [`autoclose`](Self::autoclose), [`autoping`](Self::autoping) |
/// | messages | [`compress`](Self::compress), [`max_msg_size`](Self::max_msg_size), [`max_frame_size`](Self::max_frame_size) |
///
/// A method that is given something wrong does not fail at once: [`connect`](Self::connect) returns the first such error.
///
/// ```no_run
/// use hostpool::Session;
/// use std::time::Duration;
///
/// let session = Session::new();
/// let socket = session
///     .ws_connect("wss://chat.example/rooms/7")
///     .protocols(["chat.v2", "chat.v1"])
///     .heartbeat(Duration::from_secs(30))
///     .connect()?;
/// println!("the server speaks {:?}", socket.protocol());
/// # Ok::<(), hostpool::Error>(())
/// ```
#[must_use = "nothing is sent before `connect` is called"]
pub struct WebSocketBuilder {
    request: RequestBuilder,
    protocols: Vec<String>,
    needs_protocol: bool,
    settings: Settings,
    hooks: Arc<Hooks>,
}

/// # The handshake
impl WebSocketBuilder {
    pub(crate) fn new(request: RequestBuilder, hooks: Arc<Hooks>) -> WebSocketBuilder {
        let (protocols, settings) = (Vec::new(), Settings::default());
        WebSocketBuilder { request, protocols, needs_protocol: false, settings, hooks }
    }

    /// Offers these subprotocols, the preferred first. The server may choose one, and
    /// [`WebSocket::protocol`] returns it. Choosing none is no error: see [`require_protocol`](Self::require_protocol).
    /// Later calls add to the list.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a name that is not a token, or is given twice.
    #[doc(alias = "subprotocols")]
    pub fn protocols<P: AsRef<str>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        for protocol in protocols {
            let protocol = protocol.as_ref();
            if !handshake::is_protocol(protocol) {
                return self.fail("the name of a subprotocol is empty or has a byte that it may not have");
            }
            if self.protocols.iter().any(|other| other == protocol) {
                return self.fail("a subprotocol is given twice");
            }
            self.protocols.push(protocol.to_owned());
        }
        self
    }

    /// Sets whether the handshake fails if the server chooses none of the [`protocols`](Self::protocols). Default: no.
    pub fn require_protocol(mut self, require: bool) -> Self {
        self.needs_protocol = require;
        self
    }

    /// Sets the field `Origin`, by which a server tells pages of a browser apart. Other programs need not send it, but
    /// some servers ask for it.
    pub fn origin(self, origin: impl IntoHeaderValue) -> Self {
        self.header("Origin", origin)
    }

    /// Adds a header: see [`RequestBuilder::header`]. The fields of the handshake itself cannot be set by it, except
    /// `Sec-WebSocket-Protocol`, which counts as [`protocols`](Self::protocols).
    pub fn header(self, name: impl IntoHeaderName, value: impl IntoHeaderValue) -> Self {
        self.request(|request| request.header(name, value))
    }

    /// Adds headers: see [`RequestBuilder::headers`].
    pub fn headers(self, headers: impl IntoHeaders) -> Self {
        self.request(|request| request.headers(headers))
    }

    /// Adds pairs to the query of the URL: see [`RequestBuilder::params`].
    #[doc(alias = "query")]
    pub fn params(self, pairs: impl IntoPairs) -> Self {
        self.request(|request| request.params(pairs))
    }

    /// Sets the credentials: see [`RequestBuilder::auth`].
    pub fn auth(self, auth: impl Into<Auth>) -> Self {
        self.request(|request| request.auth(auth))
    }

    /// Sets a user name and a password: see [`RequestBuilder::basic_auth`].
    pub fn basic_auth(self, login: &str, password: &str) -> Self {
        self.request(|request| request.basic_auth(login, password))
    }

    /// Sets a bearer token: see [`RequestBuilder::bearer_auth`].
    pub fn bearer_auth(self, token: impl AsRef<str>) -> Self {
        self.request(|request| request.bearer_auth(token))
    }

    /// Adds a cookie: see [`RequestBuilder::cookie`].
    pub fn cookie(self, name: &str, value: &str) -> Self {
        self.request(|request| request.cookie(name, value))
    }

    /// Sets the proxy: see [`RequestBuilder::proxy`]. The WebSocket takes a tunnel, also for a `ws` URL.
    pub fn proxy<P: TryInto<Proxy>>(self, proxy: P) -> Self
    where
        Error: From<P::Error>,
    {
        self.request(|request| request.proxy(proxy))
    }

    /// Uses no proxy: see [`RequestBuilder::no_proxy`].
    pub fn no_proxy(self) -> Self {
        self.request(RequestBuilder::no_proxy)
    }

    /// Sets the pools whose connections are used: see [`RequestBuilder::connector`].
    pub fn connector(self, connector: &impl Connector) -> Self {
        self.request(|request| request.connector(connector))
    }

    /// Sets the addresses of a host: see [`RequestBuilder::resolve_to`].
    pub fn resolve_to(self, host: &str, addresses: impl IntoAddresses) -> Self {
        self.request(|request| request.resolve_to(host, addresses))
    }

    /// Changes the request of the handshake in any other way that a [`RequestBuilder`] has.
    ///
    /// ```no_run
    /// use hostpool::Session;
    ///
    /// let builder = Session::new().ws_connect("wss://chat.example/");
    /// let socket = builder.request(|request| request.max_redirects(1).user_agent("chat/1.0")).connect()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn request(mut self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        self.request = change(self.request);
        self
    }

    /// Sets the token that ends the handshake, and later each wait of the WebSocket, from another thread: see
    /// [`RequestBuilder::cancel_with`].
    pub fn cancel_with(self, token: &CancelToken) -> Self {
        self.request(|request| request.cancel_with(token))
    }

    /// Sets the bounds on the handshake: see [`RequestBuilder::timeout`]. A `Duration` bounds the whole of it. They end
    /// with the response. Default: those of the session.
    #[doc(alias = "open_timeout")]
    #[doc(alias = "handshakeTimeout")]
    pub fn handshake_timeout(self, timeout: impl Into<Timeout>) -> Self {
        self.request(|request| request.timeout(timeout))
    }

    fn fail(self, why: &'static str) -> Self {
        self.request(|request| request.failing(Error::request(why)))
    }
}

/// # Time
impl WebSocketBuilder {
    /// Sets how long the closing handshake may take, from the call of `close`, or
    /// from the drop of one half, on. Default: 10 seconds.
    pub fn close_timeout(mut self, limit: Duration) -> Self {
        self.settings.close_timeout = limit;
        self
    }

    /// Does the same as [`close_timeout`](Self::close_timeout): it is what aiohttp's `timeout` bounds.
    pub fn timeout(self, limit: Duration) -> Self {
        self.close_timeout(limit)
    }

    /// Sets how long a receive may wait for a message. `None` is the default, and waits without bound. A receive that
    /// timed out has lost nothing, and may be repeated.
    pub fn receive_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.receive_timeout = limit.into();
        self
    }

    /// Sets how long a send may wait for room. `None` is the default, and waits without bound. A send that timed out
    /// inside a frame ends the WebSocket.
    pub fn send_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.send_timeout = limit.into();
        self
    }

    /// Sets how long the server may be silent before it gets a ping. The WebSocket ends with an error if nothing comes
    /// within the same time again. `None` is the default, and sends no pings.
    ///
    /// Any byte that comes counts, and so does a send that has waited for room: a large message may leave slowly. A send
    /// that returns at once does not count, because the system also takes bytes for a server that is gone.
    ///
    /// No thread runs for it: a thread that waits in a receive does it, so a WebSocket needs a reader.
    #[doc(alias = "ping_interval")]
    #[doc(alias = "keepalive")]
    pub fn heartbeat(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.settings.heartbeat = interval.into();
        self
    }
}

/// # Frames and messages
impl WebSocketBuilder {
    /// Sets whether a close of the server is answered without the caller. Default: yes.
    pub fn autoclose(mut self, autoclose: bool) -> Self {
        self.settings.autoclose = autoclose;
        self
    }

    /// Sets whether a ping of the server is answered without the caller. Default: yes.
    pub fn autoping(mut self, autoping: bool) -> Self {
        self.settings.autoping = autoping;
        self
    }

    /// Offers the server to compress messages: [`PerMessageDeflate`]. `None` is the default, and offers nothing.
    ///
    /// ```no_run
    /// use hostpool::{PerMessageDeflate, Session};
    ///
    /// let builder = Session::new().ws_connect("wss://chat.example/");
    /// let socket = builder.compress(PerMessageDeflate::new()).connect()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "perMessageDeflate")]
    pub fn compress(mut self, compress: impl Into<Option<PerMessageDeflate>>) -> Self {
        self.settings.deflate = compress.into();
        self
    }

    /// Sets the largest message that is received, in bytes after decompression. 0 means no limit. Its frames may have the
    /// same size, unless [`max_frame_size`](Self::max_frame_size) sets another. Default: 64 MiB, in frames of up to 16 MiB.
    #[doc(alias = "max_size")]
    #[doc(alias = "max_payload")]
    pub fn max_msg_size(mut self, bytes: u64) -> Self {
        self.settings.max_message = Some(limit(bytes));
        self
    }

    /// Sets the largest frame that is received, in bytes as its head announces them. 0 means no limit.
    pub fn max_frame_size(mut self, bytes: u64) -> Self {
        self.settings.max_frame = Some(limit(bytes));
        self
    }
}

/// Returns the limit that a caller names: 0 means none.
fn limit(bytes: u64) -> u64 {
    if bytes == 0 { u64::MAX } else { bytes }
}

impl WebSocketBuilder {
    /// Sends the handshake, checks the response, and returns the WebSocket.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::WebSocketHandshake`](crate::ErrorKind::WebSocketHandshake) if the server does not agree, whatever it
    ///   answers. [`Error::head`](crate::Error::head) has the response, with the start of its body as far as it comes
    ///   within [`Limits::drain_time`](crate::Limits::drain_time). Its connection is closed then, or back in its pool.
    /// - The errors of [`RequestBuilder::send`].
    /// - The errors of [`on_websocket`](crate::SessionBuilder::on_websocket).
    pub fn connect(self) -> Result<WebSocket> {
        let WebSocketBuilder { request, mut protocols, needs_protocol, settings, hooks } = self;
        let key = Key::new().map_err(|error| Error::new(ErrorKind::Io, Phase::Prepare).with_source(error))?;
        let extensions = settings.deflate.map(|deflate| deflate.offer());
        let request =
            request.handshake(|headers| handshake::write(headers, &key, &mut protocols, extensions.as_deref()));
        let response = request.send()?;
        let offer = Offer { key: &key, protocols: &protocols, needs_protocol, compression: settings.deflate.as_ref() };
        let Agreement { protocol, compression: agreed } = match handshake::check(&response.to_head(Vec::new()), &offer)
        {
            Ok(agreement) => agreement,
            Err(why) => {
                let error = response.into_error(ErrorKind::WebSocketHandshake.because(why));
                return Err(error.with_phase(Phase::Head));
            }
        };
        let Taken { stream, head, connection, token } = response.take_connection(ErrorKind::WebSocketHandshake)?;
        let (url, connection) = (head.url().clone(), Some(connection));
        let socket = WebSocket::open(stream, Opened { settings, url, protocol, agreed, token, head, connection });
        hooks.0.iter().try_fold(socket, |socket, hook| hook(socket))
    }
}

impl fmt::Debug for WebSocketBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketBuilder")
            .field("request", &self.request)
            .field("protocols", &self.protocols)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

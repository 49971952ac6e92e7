//! A proxy as a value: where it is, how it is spoken to, and what only it is told.
//!
//! Nothing here opens a connection. `dial` opens tunnels, and the client forwards requests.

mod choice;
mod credentials;
pub(crate) mod socks;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::panic::RefUnwindSafe;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use crate::auth::{Auth, BasicAuth, Kind, Userinfo};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::headers::{Headers, IntoHeaderName, IntoHeaderValue, IntoHeaders, InvalidHeader};
use crate::tls::TlsConfig;
use crate::urls::{InvalidUrl, Origin, Scheme, Url, hint};

pub(crate) use choice::{ChooseProxy, Setting};
pub use choice::{ProxyChoice, ProxyRules};
pub(crate) use credentials::{Credentials, PROXY_AUTHORIZATION};

/// A proxy: its address, its credentials, and what else only it is told.
///
/// | scheme | `http` URLs | `https` URLs |
/// |---|---|---|
/// | `http`, `https`, `http+unix` | are sent to the proxy, which forwards them | through a tunnel (CONNECT) |
/// | `socks4`, `socks5` | through a tunnel, to an address that is looked up here | the same |
/// | `socks4a`, `socks5h` | through a tunnel, to a name that the proxy looks up | the same |
///
/// These are the schemes of curl and requests. `socks` alone is not one of them: curl means SOCKS4 by it, and the desktops
/// that write it mean SOCKS5.
///
/// Of an `https` request the proxy learns host and port, and nothing else. An `https` proxy is spoken to over TLS, and a
/// tunnel through it has TLS of its own inside: each has a configuration, and checks a certificate. With `+unix` after
/// its name (`http+unix`, `socks5h+unix`) a scheme is that of a proxy at a Unix socket: see [`unix`](Self::unix).
///
/// User name and password of the URL are sent to the proxy as Basic credentials, or in the handshake of SOCKS, and never
/// to a server. They are decoded once. SOCKS has them in UTF-8, each of at most 255 bytes, and SOCKS4 has the user name
/// alone, as its user id. A SOCKS5 proxy may take them or not, unless [`require_auth`](Self::require_auth) is set.
///
/// Through `socks4` and `socks5` the addresses of a server are tried in order, and
/// [`resolver`](crate::ClientBuilder::resolver), [`resolve_to`](crate::ClientBuilder::resolve_to),
/// [`family`](crate::ClientBuilder::family) and [`address_filter`](crate::ClientBuilder::address_filter) hold for them.
/// SOCKS4 has no IPv6. Through `socks4a` and `socks5h` nothing about the server is looked up here, so names of `.onion`
/// get no further than the proxy.
///
/// A proxy never changes once it is made: each method returns another one. Two requests share connections only if their
/// proxies are equal, with credentials, headers and TLS configuration.
///
/// ```
/// use hostpool::{Proxy, Session};
///
/// let proxy = Proxy::parse("http://proxy.example:3128")?.auth(("me@corp", "p#:w")).header("X-Team", "7")?;
/// assert_eq!(proxy.to_string(), "http://proxy.example:3128");
/// let session = Session::builder().proxy(proxy).build()?;
///
/// // Tor. Each user name gets a circuit of its own, and connections of its own.
/// let tor = Proxy::parse("socks5h://127.0.0.1:9050")?;
/// let session = Session::builder().proxy(tor.auth(("alice", ""))).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "proxies")]
#[doc(alias = "proxy_url")]
#[doc(alias = "socks")]
#[doc(alias = "SocksProxy")]
#[derive(Clone)]
#[must_use]
pub struct Proxy(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    scheme: ProxyScheme,
    /// The server that connections are opened to. That of a SOCKS proxy has the scheme `http`.
    server: Arc<Origin>,
    auth: Option<Auth>,
    headers: Headers,
    tls: TlsConfig,
    /// The CONNECT of a tunnel has no User-Agent but one of `headers`.
    no_user_agent: bool,
    tunnel_http: bool,
    forward_https: bool,
    /// A SOCKS5 proxy has to take the credentials.
    require_auth: bool,
    /// The hash of the address and the login.
    hash: u64,
}

// Nothing in it changes, but for what its Digest credentials know about servers, which is behind a lock.
impl RefUnwindSafe for Inner {}

/// The schemes of proxies, for errors.
const SCHEMES: &str = "http, https, socks4, socks4a, socks5 or socks5h";

/// The protocol that a proxy is spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ProxyScheme {
    Http,
    Https,
    Socks4,
    /// SOCKS4, with names that the proxy looks up.
    Socks4a,
    Socks5,
    /// SOCKS5, with names that the proxy looks up.
    Socks5h,
}

impl ProxyScheme {
    const ALL: [ProxyScheme; 6] = {
        use ProxyScheme::{Http, Https, Socks4, Socks4a, Socks5, Socks5h};
        [Http, Https, Socks4, Socks4a, Socks5, Socks5h]
    };

    /// Returns the scheme of this name, and whether the proxy is at a Unix socket.
    fn of(name: &str) -> Option<(ProxyScheme, bool)> {
        let (name, is_unix) = match name.len().checked_sub(5).and_then(|at| name.split_at_checked(at)) {
            Some((name, suffix)) if suffix.eq_ignore_ascii_case("+unix") => (name, true),
            _ => (name, false),
        };
        let scheme = ProxyScheme::ALL.into_iter().find(|scheme| name.eq_ignore_ascii_case(scheme.as_str()))?;
        // Nobody speaks TLS over a Unix socket, and no certificate would name the socket.
        (scheme != ProxyScheme::Https || !is_unix).then_some((scheme, is_unix))
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ProxyScheme::Http => "http",
            ProxyScheme::Https => "https",
            ProxyScheme::Socks4 => "socks4",
            ProxyScheme::Socks4a => "socks4a",
            ProxyScheme::Socks5 => "socks5",
            ProxyScheme::Socks5h => "socks5h",
        }
    }

    pub(crate) fn is_socks(self) -> bool {
        !matches!(self, ProxyScheme::Http | ProxyScheme::Https)
    }
}

impl Proxy {
    /// Makes a proxy of its URL, such as `http://host:port`, `socks5h://host:port` or
    /// `http+unix://%2Fpath%2Fof.sock`, with user name and password where it wants them. Without a port it is 80 for
    /// `http`, 443 for `https`, and 1080 for SOCKS. A path is ignored, but that of a SOCKS proxy at `localhost` is the
    /// path of a Unix socket, as curl writes it: `socks5h://localhost/run/tor.sock`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidUrl`] for a URL without a scheme or with another one, and [`ErrorKind::InvalidRequest`] for a
    /// user name that Basic credentials cannot carry: one with a colon. SOCKS can carry that one, and at most 255 bytes.
    ///
    /// ```
    /// use hostpool::Proxy;
    ///
    /// assert!(Proxy::parse("https://user:secret@proxy.example").is_ok());
    /// let error = Proxy::parse("localhost:3128").unwrap_err();
    /// assert_eq!(error.to_string(), "invalid URL: no scheme: write http://localhost:3128");
    /// ```
    #[doc(alias = "proxy_from_url")]
    pub fn parse(url: &str) -> Result<Proxy> {
        let url = url.trim();
        let Some((name, rest)) = url.split_once("://") else {
            return Err(invalid(url, InvalidUrl::NoScheme));
        };
        let Some((scheme, is_unix)) = ProxyScheme::of(name) else {
            let why = if name.is_empty() { InvalidUrl::NoScheme } else { InvalidUrl::UnsupportedScheme };
            return Err(invalid(url, why));
        };
        // The URL of a socket has no place for a login.
        let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
        // A path may have an @.
        let login = authority.rsplit_once('@').map(|(login, _)| login);
        let place = login.map_or(rest, |login| &rest[login.len() + 1..]);
        let socket = if is_unix { Some(Url::parse(&format!("http+unix://{place}"))) } else { None };
        let socket = socket.or_else(|| scheme.is_socks().then(|| socket_at_localhost(place)).flatten());
        let (parsed, login) = match (socket, scheme) {
            (Some(socket), _) => (socket, login.map(str::to_owned)),
            (None, _) => {
                let parsed = if scheme.is_socks() { socks_url(rest) } else { Url::parse(url) };
                let login = parsed.as_ref().ok().and_then(|url| url.userinfo().map(str::to_owned));
                (parsed, login)
            }
        };
        let parsed = parsed.map_err(|why| invalid(rest, why))?;
        let login = login.filter(|login| !matches!(&**login, "" | ":"));
        if scheme.is_socks() && login.as_deref().is_some_and(|login| !Userinfo::parse(login).is_utf8()) {
            return Err(Error::request("the login of a SOCKS proxy is not UTF-8"));
        }
        let auth = login.as_deref().map(Auth::of_userinfo);
        let proxy = Proxy::new(scheme, parsed.shared_origin().clone(), auth);
        proxy.check()?;
        Ok(proxy)
    }

    /// Makes an HTTP proxy that listens at a Unix socket.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidUrl`] as [`Url::unix`].
    ///
    /// ```
    /// use hostpool::Proxy;
    ///
    /// let proxy = Proxy::unix("/run/proxy.sock")?;
    /// assert_eq!(proxy.to_string(), "http+unix://%2Frun%2Fproxy.sock");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn unix(path: impl AsRef<Path>) -> Result<Proxy> {
        Ok(Proxy::new(ProxyScheme::Http, Url::unix(path, "")?.shared_origin().clone(), None))
    }

    fn new(scheme: ProxyScheme, server: Arc<Origin>, auth: Option<Auth>) -> Proxy {
        let inner = Inner {
            scheme,
            server,
            auth,
            headers: Headers::new(),
            tls: TlsConfig::default(),
            no_user_agent: false,
            tunnel_http: false,
            forward_https: false,
            require_auth: false,
            hash: 0,
        };
        Proxy(Arc::new(inner)).with(|_| ())
    }

    /// Returns this proxy with a change.
    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Proxy {
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let inner = Arc::make_mut(&mut self.0);
        change(inner);
        let login = match inner.auth.as_ref().map(Auth::kind) {
            None => "",
            Some(Kind::Basic(basic)) => basic.login(),
            Some(Kind::Bearer(token)) => token,
            Some(Kind::Digest(digest)) => digest.login(),
            Some(Kind::Scheme(scheme)) => scheme.name(),
        };
        inner.hash = KEYS.hash_one((inner.scheme, &*inner.server, login));
        self
    }

    /// Sets the credentials for the proxy, in place of those of its URL: a login and a password, a
    /// [`BasicAuth`], a [`DigestAuth`](crate::DigestAuth), an [`AnyAuth`](crate::AnyAuth), a bearer token, or a
    /// [scheme of several rounds](Auth::scheme) such as NTLM.
    ///
    /// Basic credentials and tokens are sent at once, in Proxy-Authorization. Digest waits for the challenge, a 407, and
    /// is then sent ahead; all tunnels and requests through clones of this proxy share what it has learned. Digest
    /// credentials [without a login](crate::DigestAuth::without_login) take that of the URL.
    ///
    /// ```
    /// use hostpool::{DigestAuth, Proxy};
    ///
    /// let proxy = Proxy::parse("http://proxy.example:3128")?.auth(DigestAuth::new("Mufasa", "Circle of Life"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "proxy_auth")]
    #[doc(alias = "HTTPProxyAuth")]
    pub fn auth(self, auth: impl Into<Auth>) -> Proxy {
        let auth = auth.into();
        self.with(|inner| {
            let url = inner.auth.take();
            inner.auth = Some(match (auth.kind(), url.as_ref().map(Auth::kind)) {
                (Kind::Digest(digest), Some(Kind::Basic(url))) if !digest.has_login() => {
                    digest.of(url.login(), url.password()).into()
                }
                _ => auth,
            });
        })
    }

    /// Adds a header that the proxy gets: with each CONNECT, and with each request that it forwards. A forwarded request
    /// that has a header of this name is sent with its own alone. No server gets it through a tunnel. Some proxies keep a
    /// connection for NTLM only if they get `Proxy-Connection: Keep-Alive`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidHeader`] if it cannot be sent, and for Host and for fields that frame a message.
    /// [`ErrorKind::InvalidConfig`] for a SOCKS proxy, which has no headers.
    ///
    /// ```
    /// use hostpool::Proxy;
    ///
    /// let proxy = Proxy::parse("http://proxy.example:3128")?.header("X-Team", "7")?;
    /// assert!(proxy.header("Host", "other.example").is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "proxy_headers")]
    pub fn header(self, name: impl IntoHeaderName, value: impl IntoHeaderValue) -> Result<Proxy> {
        let mut headers = self.0.headers.clone();
        headers.append(name, value)?;
        self.with_headers(headers)
    }

    /// Replaces the headers that the proxy gets: see [`header`](Self::header).
    ///
    /// # Errors
    ///
    /// Those of [`header`](Self::header).
    ///
    /// ```
    /// use hostpool::Proxy;
    ///
    /// let proxy = Proxy::parse("http://proxy.example:3128")?.headers([("X-Team", "7"), ("X-Zone", "eu")])?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "proxy_headers")]
    pub fn headers(self, headers: impl IntoHeaders) -> Result<Proxy> {
        self.with_headers(Headers::from_pairs(headers)?)
    }

    fn with_headers(self, headers: Headers) -> Result<Proxy> {
        if self.0.scheme.is_socks() && !headers.is_empty() {
            return Err(Error::config("a SOCKS proxy gets no headers"));
        }
        let framing = ["host", "content-length", "transfer-encoding", "connection"];
        match headers.iter().find(|field| framing.iter().any(|name| field.name().eq_ignore_ascii_case(name))) {
            Some(field) => Err(InvalidHeader::reserved(field.name(), "is the client's own, also to a proxy").into()),
            None => Ok(self.with(|inner| inner.headers = headers)),
        }
    }

    /// Sets the TLS configuration of connections to an `https` proxy. Default: [`TlsConfig::default`], whatever that of
    /// the client is. It plays no part in TLS with servers, and their configuration none in TLS with the proxy.
    ///
    /// ```
    /// use hostpool::{Proxy, TlsConfig};
    ///
    /// let proxy = Proxy::parse("https://proxy.example")?.tls(TlsConfig::default());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "proxy_ssl_context")]
    #[doc(alias = "proxy_assert_hostname")]
    #[doc(alias = "proxy_assert_fingerprint")]
    pub fn tls(self, tls: TlsConfig) -> Proxy {
        self.with(|inner| inner.tls = tls)
    }

    /// Leaves the User-Agent out of CONNECT. By default CONNECT has that of the client, because some proxies let only
    /// known ones pass; a [`header`](Self::header) of this name replaces it.
    ///
    /// ```
    /// use hostpool::Proxy;
    ///
    /// let proxy = Proxy::parse("http://proxy.example:3128")?.no_user_agent();
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn no_user_agent(self) -> Proxy {
        self.with(|inner| inner.no_user_agent = true)
    }

    /// Sets whether `http` URLs go through a tunnel, too, in place of being forwarded. Default: no. The proxy then does
    /// not see the requests, and each host has connections of its own.
    ///
    /// ```
    /// use hostpool::{Proxy, Session};
    ///
    /// let proxy = Proxy::parse("http://proxy.example:3128")?.tunnel_http(true);
    /// let session = Session::builder().proxy(proxy).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "proxytunnel")]
    pub fn tunnel_http(self, tunnel: bool) -> Proxy {
        self.with(|inner| inner.tunnel_http = tunnel)
    }

    /// Sets whether an `https` proxy forwards `https` URLs, too. Default: no. The proxy then reads and writes the whole
    /// traffic, with all credentials, and it alone verifies the servers. Other proxies open tunnels all the same, because
    /// nothing would be encrypted on the way to them.
    ///
    /// ```
    /// use hostpool::{Proxy, Session};
    ///
    /// let proxy = Proxy::parse("https://proxy.example")?.forward_https(true);
    /// let session = Session::builder().proxy(proxy).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "use_forwarding_for_https")]
    pub fn forward_https(self, forward: bool) -> Proxy {
        self.with(|inner| inner.forward_https = forward)
    }

    /// Sets whether a SOCKS5 proxy has to take the credentials. Default: no. It is offered to go on without them, as curl
    /// does, and many proxies that ask for none choose that. With this setting such a proxy fails with
    /// [`ErrorKind::ProxyRefused`], so that no request leaves under nobody's name.
    ///
    /// A client is not built with this setting for a proxy that is not SOCKS5 or has no credentials.
    ///
    /// ```
    /// use hostpool::{Proxy, Session};
    ///
    /// let proxy = Proxy::parse("socks5h://user:secret@proxy.example")?.require_auth(true);
    /// let session = Session::builder().proxy(proxy).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "socks5_auth")]
    pub fn require_auth(self, require: bool) -> Proxy {
        self.with(|inner| inner.require_auth = require)
    }

    /// Returns `http`, `https`, `socks4`, `socks4a`, `socks5` or `socks5h`.
    ///
    /// ```
    /// use hostpool::Proxy;
    ///
    /// let proxy = Proxy::parse("https://proxy.example")?;
    /// assert_eq!((proxy.scheme(), proxy.origin().port()), ("https", Some(443)));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn scheme(&self) -> &'static str {
        self.0.scheme.as_str()
    }

    /// Returns the server that connections are opened to. For a SOCKS proxy its scheme says nothing.
    pub fn origin(&self) -> &Origin {
        &self.0.server
    }

    /// Returns the Basic credentials, if the proxy has such.
    ///
    /// ```
    /// use hostpool::Proxy;
    ///
    /// let proxy = Proxy::parse("http://me%40corp:p%23%3Aw@proxy:3128")?;
    /// let auth = proxy.basic_auth().unwrap();
    /// assert_eq!((auth.login(), auth.password()), ("me@corp", "p#:w"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn basic_auth(&self) -> Option<&BasicAuth> {
        match self.0.auth.as_ref()?.kind() {
            Kind::Basic(basic) => Some(basic),
            _ => None,
        }
    }

    /// Refuses credentials that can never be sent.
    pub(crate) fn check(&self) -> Result<()> {
        if self.0.scheme.is_socks() {
            return self.check_socks();
        }
        if self.0.require_auth {
            return Err(Error::config("require_auth is for SOCKS5 proxies"));
        }
        self.0.auth.as_ref().map_or(Ok(()), Auth::check)
    }
}

/// Returns the error of a URL that is not that of a proxy.
fn invalid(url: &str, why: InvalidUrl) -> Error {
    let name = url.split("://").next().unwrap_or(url);
    match (why, hint(url, why)) {
        (InvalidUrl::UnsupportedScheme, _) if name.eq_ignore_ascii_case("socks") => Error::from(why)
            .because("socks is SOCKS4 to curl and SOCKS5 to others: write socks4, socks4a, socks5 or socks5h"),
        (InvalidUrl::UnsupportedScheme, _) => Error::from(why).because(format!("the scheme of a proxy is {SCHEMES}")),
        (_, Some(hint)) => Error::from(why).because(hint),
        (_, None) => Error::from(why),
    }
}

/// Returns the socket of a SOCKS proxy that is written as curl writes it: as a path at `localhost`.
fn socket_at_localhost(place: &str) -> Option<Result<Url, InvalidUrl>> {
    let (host, path) = place.split_at(place.find('/')?);
    let is_path = host.eq_ignore_ascii_case("localhost") && path.len() > 1;
    is_path.then(|| Url::unix(path, ""))
}

/// Returns the address of a SOCKS proxy as a URL. `rest` is what follows its scheme.
fn socks_url(rest: &str) -> Result<Url, InvalidUrl> {
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let host = authority.rsplit('@').next().unwrap_or(authority);
    // Only an address in brackets has further colons.
    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
    Url::parse(&format!("http://{authority}{}", if has_port { "" } else { ":1080" }))
}

/// What the rest of the crate asks.
impl Proxy {
    pub(crate) fn server(&self) -> &Arc<Origin> {
        &self.0.server
    }

    pub(crate) fn kind(&self) -> ProxyScheme {
        self.0.scheme
    }

    pub(crate) fn credentials(&self) -> Option<&Auth> {
        self.0.auth.as_ref()
    }

    /// Returns whether its credentials are those of a connection, by a scheme of several rounds.
    pub(crate) fn has_scheme(&self) -> bool {
        matches!(self.0.auth.as_ref().map(Auth::kind), Some(Kind::Scheme(_)))
    }

    pub(crate) fn fields(&self) -> &Headers {
        &self.0.headers
    }

    pub(crate) fn tls_config(&self) -> &TlsConfig {
        &self.0.tls
    }

    /// Returns whether the proxy is told the User-Agent of the client.
    pub(crate) fn is_told_the_user_agent(&self) -> bool {
        !self.0.no_user_agent && !self.0.headers.contains("user-agent")
    }

    /// Returns whether the proxy looks up the names of servers. Otherwise this machine does.
    pub(crate) fn looks_up_names(&self) -> bool {
        !matches!(self.0.scheme, ProxyScheme::Socks4 | ProxyScheme::Socks5)
    }

    /// Returns whether requests to this origin are sent to the proxy itself. Otherwise they go through a tunnel.
    pub(crate) fn forwards(&self, origin: &Origin) -> bool {
        if self.0.scheme.is_socks() {
            return false;
        }
        match origin.kind() {
            Scheme::Http => !self.0.tunnel_http,
            Scheme::Https => self.0.forward_https && self.0.scheme == ProxyScheme::Https,
            Scheme::HttpUnix | Scheme::HttpsUnix => false,
        }
    }

    /// Returns a hash of the address and the login, with a key of this process.
    pub(crate) fn hash(&self) -> u64 {
        self.0.hash
    }
}

impl PartialEq for Proxy {
    /// Returns whether both are one proxy with the same credentials, headers and settings, so that requests through them
    /// share connections.
    fn eq(&self, other: &Proxy) -> bool {
        if Arc::ptr_eq(&self.0, &other.0) {
            return true;
        }
        // Taken apart field by field: an option without a decision on its place in the key does not compile.
        let Inner { scheme, server, auth, headers, tls, no_user_agent, tunnel_http, forward_https, require_auth, hash } =
            &*self.0;
        let other = &*other.0;
        let same_auth = match (auth, &other.auth) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is_same(other),
            _ => false,
        };
        let flags = [*no_user_agent, *tunnel_http, *forward_https, *require_auth];
        *hash == other.hash
            && *scheme == other.scheme
            && *server == other.server
            && same_auth
            && headers == &other.headers
            && *tls == other.tls
            && flags == [other.no_user_agent, other.tunnel_http, other.forward_https, other.require_auth]
    }
}

impl Eq for Proxy {}

impl fmt::Display for Proxy {
    /// Shows the URL without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.0.server.as_str();
        match server.split_once("://") {
            Some(("http+unix", path)) => write!(f, "{}+unix://{path}", self.scheme()),
            // The address of a SOCKS proxy is kept as one of the scheme http, which hides port 80.
            Some(_) if self.0.scheme.is_socks() => {
                write!(f, "{}://{}:{}", self.scheme(), self.0.server.host(), self.0.server.port().unwrap_or_default())
            }
            Some((_, authority)) => write!(f, "{}://{authority}", self.scheme()),
            None => f.write_str(server),
        }
    }
}

impl fmt::Debug for Proxy {
    /// Hides the password and the values of the headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.headers.iter().map(|field| field.name()).collect();
        f.debug_struct("Proxy")
            .field("url", &format_args!("{self}"))
            .field("auth", &self.0.auth)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

impl std::str::FromStr for Proxy {
    type Err = Error;

    fn from_str(url: &str) -> Result<Proxy> {
        Proxy::parse(url)
    }
}

/// Makes a proxy of the URL in a value.
macro_rules! urls {
    ($($type:ty: |$value:ident| $text:expr;)*) => {$(
        impl TryFrom<$type> for Proxy {
            type Error = Error;

            fn try_from($value: $type) -> Result<Proxy> {
                Proxy::parse($text)
            }
        }
    )*};
}

urls! {
    &str: |text| text;
    String: |text| &text;
    &String: |text| text;
    Url: |url| url.as_str();
    &Url: |url| url.as_str();
}

impl From<&Proxy> for Proxy {
    fn from(proxy: &Proxy) -> Proxy {
        proxy.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DigestAuth, ErrorKind};

    #[test]
    fn urls_of_proxies() {
        let table = [
            ("PRX-40", "http://h", Ok("http://h")),
            ("PRX-40 https", "https://h:443/", Ok("https://h")),
            ("another port", "https://H:3128", Ok("https://h:3128")),
            ("PRX-28", "http://[::1]:3128", Ok("http://[::1]:3128")),
            ("a path is dropped", " http://h:3128/a ", Ok("http://h:3128")),
            ("Unix", "http+unix://%2Frun%2Fp.sock", Ok("http+unix://%2Frun%2Fp.sock")),
            ("SOCKS", "socks5h://h", Ok("socks5h://h:1080")),
            ("SOCKS port", "SOCKS4a://[::1]:9050/", Ok("socks4a://[::1]:9050")),
            ("SOCKS at port 80", "socks5://u:p@h:80", Ok("socks5://h:80")),
            ("SOCKS Unix", "socks5h+unix://%2Frun%2Ftor.sock", Ok("socks5h+unix://%2Frun%2Ftor.sock")),
            ("S7 as curl", "socks5h://localhost/run/tor.sock", Ok("socks5h+unix://%2Frun%2Ftor.sock")),
            ("S7 and an @", "socks5h://localhost/run/a@b.sock", Ok("socks5h+unix://%2Frun%2Fa%40b.sock")),
            ("TLS over Unix", "https+unix://%2Fs", Err(InvalidUrl::UnsupportedScheme)),
            ("credentials are not shown", "http://u:canary@h", Ok("http://h")),
            ("PRX-27", "localhost:8080", Err(InvalidUrl::NoScheme)),
            ("PRX-27 no scheme", "//h:3128", Err(InvalidUrl::NoScheme)),
            ("PRX-27 ftp", "ftp://h", Err(InvalidUrl::UnsupportedScheme)),
            ("b7", "socks://h", Err(InvalidUrl::UnsupportedScheme)),
            ("port", "http://h:99999", Err(InvalidUrl::Port)),
            ("nothing", "", Err(InvalidUrl::NoScheme)),
        ];
        for (row, url, expected) in table {
            let proxy = Proxy::parse(url);
            let kind = proxy.as_ref().map(ToString::to_string).map_err(|error| error.kind().clone());
            assert_eq!(kind, expected.map(str::to_owned).map_err(ErrorKind::InvalidUrl), "{row}");
            assert!(!format!("{proxy:?} {proxy:#?}").contains("canary"), "{row}");
        }
        let words = Proxy::parse("ftp://h").unwrap_err().to_string();
        assert_eq!(words, "invalid URL: the scheme of a proxy is http, https, socks4, socks4a, socks5 or socks5h");
    }

    #[test]
    fn credentials_of_urls() {
        let table = [
            ("A1", "http://me%40corp:p%23%3Aw@h", Some(("me@corp", "p#:w"))),
            ("a lone percent sign", "http://a%:b%2@h", Some(("a%", "b%2"))),
            ("not encoded again", "http://a=b;c:d=e@h", Some(("a=b;c", "d=e"))),
            ("decoded once", "http://a%2540:b@h", Some(("a%40", "b"))),
            ("no password", "http://a@h", Some(("a", ""))),
            ("nothing", "http://:@h", None),
            ("SOCKS", "socks5://a:b@h", Some(("a", "b"))),
            ("SOCKS Unix", "socks5://a:b@localhost/run/tor.sock", Some(("a", "b"))),
            ("SOCKS Unix and an @", "socks5://a:b@localhost/run/a@b.sock", Some(("a", "b"))),
            ("Unix", "http+unix://a:b@%2Fp.sock", Some(("a", "b"))),
        ];
        for (row, url, expected) in table {
            let proxy = Proxy::parse(url).unwrap();
            assert_eq!(proxy.basic_auth().map(|auth| (auth.login(), auth.password())), expected, "{row}");
        }
        assert!(Proxy::parse("http://a%3Ab:c@h").is_err(), "A1: a user with a colon");
    }

    #[test]
    fn equal_proxies() {
        let new = || Proxy::parse("http://h:3128").unwrap();
        let table = [
            ("the same", new(), true),
            ("another spelling", Proxy::parse("http://H:3128/").unwrap(), true),
            ("port", Proxy::parse("http://h:3129").unwrap(), false),
            ("scheme", Proxy::parse("https://h:3128").unwrap(), false),
            ("login", new().auth(("a", "b")), false),
            ("digest", new().auth(DigestAuth::new("a", "b")), false),
            ("header", new().header("A", "b").unwrap(), false),
            ("tls", new().tls(TlsConfig::distinct()), false),
            ("user agent", new().no_user_agent(), false),
            ("tunnel", new().tunnel_http(true), false),
            ("forward", new().forward_https(true), false),
        ];
        for (row, other, expected) in &table {
            assert_eq!(new() == *other, *expected, "{row}");
            assert!(!expected || new().hash() == other.hash(), "{row}");
        }
        let with = |password| new().auth(("a", password));
        assert!(with("b") == with("b") && with("b") != with("c"));
        let with = |password| new().auth(DigestAuth::new("a", password));
        assert!(with("b") == with("b") && with("b") != with("c"));
    }

    #[test]
    fn fields_that_a_proxy_cannot_have() {
        for name in ["Host", "content-length", "Transfer-Encoding", "Connection", "a b"] {
            assert!(Proxy::parse("http://h").unwrap().header(name, "1").is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_forwarded() {
        let (http, https, unix) = ("http://h/", "https://h/", "http+unix://s/");
        let forwards = |proxy: &Proxy, url| proxy.forwards(Url::parse(url).unwrap().origin());
        let table = [
            ("http://p", false, false, [true, false, false]),
            ("http://p", true, false, [false, false, false]),
            ("http://p", false, true, [true, false, false]),
            ("https://p", false, false, [true, false, false]),
            ("https://p", false, true, [true, true, false]),
            ("socks5://p", false, true, [false, false, false]),
        ];
        for (proxy, tunnel, forward, expected) in table {
            let proxy = Proxy::parse(proxy).unwrap().tunnel_http(tunnel).forward_https(forward);
            assert_eq!([http, https, unix].map(|url| forwards(&proxy, url)), expected, "{proxy} {tunnel} {forward}");
        }
    }
}

//! The key of a connection, and a connection as the pool keeps it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::RefUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::pooled::{Pooled, Watch, verdict};
use super::types::Key;
use crate::auth::SharedScheme;
use crate::close_reason::CloseReason;
use crate::dial::{Dialer, Route};
use crate::error::ResponseHead;
use crate::exchange::Wire;
use crate::net::abort::OwnCell;
use crate::net::tcp::TcpConfig;
use crate::net::transport::Transport;
use crate::observe::{Observer, Record, WaitsForItself};
use crate::time::Stamp;
use crate::tls::TlsConfig;
use crate::urls::Origin;

/// Everything that changes what a connection is.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionConfig {
    pub(crate) tls: TlsConfig,
    pub(crate) dialer: Option<Arc<dyn Dialer>>,
    /// The settings of connections over TCP that are opened without a dialer.
    pub(crate) tcp: TcpConfig,
    /// The scheme by which requests authenticate connections. It counts for all of them, also over a dialer's.
    pub(crate) scheme: Option<SharedScheme>,
    /// The path of the Unix socket that all connections without a dialer lead to.
    pub(crate) socket: Option<Arc<str>>,
}

impl ConnectionConfig {
    /// Returns whether it opens the same connections along this route.
    fn is_same_for(&self, other: &Self, route: &Route) -> bool {
        // Taken apart field by field: an option without a decision on its place in the key does not compile.
        let ConnectionConfig { tls, dialer, tcp, scheme, socket } = self;
        let same_dialer = match (dialer, &other.dialer) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        let same_socket = dialer.is_some() || *socket == other.socket;
        let is_tcp = !route.is_over_socket() && socket.is_none();
        let same_way = !is_tcp || tcp.is_same_for(&other.tcp, route.dialed().host());
        let found = route.found_for_proxy();
        let same_names = found.is_none_or(|origin| tcp.names.are_same_for(&other.tcp.names, origin.host()));
        let same_tcp = dialer.is_some() || same_way && same_names;
        let same_tls = !route.is_encrypted() || tls.id() == other.tls.id();
        same_dialer && same_socket && same_tcp && same_tls && *scheme == other.scheme
    }
}

/// Two requests share connections only if their keys are equal.
///
/// | request | key |
/// |---|---|
/// | `http://h/`, `http://H:80/a` | the same: host and port are normalised by the URL |
/// | `http://h/`, `http://h:81/` | another origin |
/// | `http://h:443/`, `https://h/` | another scheme, and so another endpoint |
/// | `https://h/` with two TLS configurations | the same endpoint, another key |
/// | `http://h/` with two TLS configurations | the same: TLS plays no part in it |
/// | `http://h/` with two source addresses or lists of socket options | the same endpoint, another key |
/// | `http://h/` with two resolvers, families, address filters, or lists of addresses for `h` | the same endpoint, another key |
/// | `http://h/` with two lists of addresses for another host, staggers or caches of lookups | the same |
/// | `http://h/` with and without a scheme that authenticates connections | the same endpoint, another key |
/// | `http+unix://h` with the same | the same: a Unix socket has none of these |
/// | `http://h/` over two Unix sockets | the same endpoint, another key |
/// | `http://h/` with the same and one dialer | the same: a dialer opens sockets of its own |
/// | `http://h/`, `http://other/` that one proxy forwards | the same: both are sent to the proxy |
/// | `https://h/`, `https://other/` through one proxy | two tunnels |
/// | `https://h/` direct and through a proxy | the same endpoint, another key |
/// | the same through two proxies, or two logins of one | another key |
/// | the same through `socks5` with two resolvers, or lists of addresses for `h` | the same endpoint, another key |
/// | the same through `socks5h` with two lists of addresses for `h` | the same: the proxy finds `h` |
#[derive(Clone)]
pub(crate) struct PoolKey(Arc<KeyData>);

struct KeyData {
    route: Route,
    config: Arc<ConnectionConfig>,
}

// A key does not change.
impl RefUnwindSafe for KeyData {}

impl PoolKey {
    pub(crate) fn new(route: Route, config: &Arc<ConnectionConfig>) -> PoolKey {
        PoolKey(Arc::new(KeyData { route, config: config.clone() }))
    }

    pub(crate) fn downgrade(&self) -> WeakPoolKey {
        WeakPoolKey(Arc::downgrade(&self.0))
    }

    /// Returns whether its connections are those that this configuration opens along this route.
    #[inline]
    pub(crate) fn is_for(&self, route: &Route, config: &Arc<ConnectionConfig>) -> bool {
        let KeyData { route: ours, config: our_config } = &*self.0;
        ours == route && (Arc::ptr_eq(our_config, config) || our_config.is_same_for(config, route))
    }

    pub(crate) fn route(&self) -> &Route {
        &self.0.route
    }

    pub(crate) fn config(&self) -> &ConnectionConfig {
        &self.0.config
    }

    pub(crate) fn origin(&self) -> &Arc<Origin> {
        self.0.route.origin()
    }
}

/// A key that does not keep its data alive.
#[derive(Debug)]
pub(crate) struct WeakPoolKey(Weak<KeyData>);

impl WeakPoolKey {
    pub(crate) fn upgrade(&self) -> Option<PoolKey> {
        self.0.upgrade().map(PoolKey)
    }
}

impl PartialEq for PoolKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.is_for(&other.0.route, &other.0.config)
    }
}

impl Eq for PoolKey {}

impl Hash for PoolKey {
    /// The hashes of the origin and of the proxy: other keys of one origin are few.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.origin().hash(state);
        if let Some(proxy) = self.0.route.proxy() {
            state.write_u64(proxy.hash());
        }
    }
}

impl fmt::Debug for PoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin())
    }
}

impl Key for PoolKey {
    /// Scheme, host and port.
    type Endpoint = Arc<Origin>;

    fn endpoint(&self) -> Arc<Origin> {
        self.0.route.endpoint().clone()
    }
}

/// A connection as the pool keeps it. Its drop closes it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) wire: Wire,
    pub(crate) cell: OwnCell,
    /// The response by which a proxy opened the tunnel.
    pub(crate) tunnel: Option<Arc<ResponseHead>>,
    /// The last field: its drop tells of the close, which has happened by then.
    pub(crate) record: Record,
}

impl Pooled for Box<Connection> {
    fn probe(&self) -> Result<(), CloseReason> {
        verdict(self.wire.probe())
    }

    fn begin_use(&mut self, since: Option<Stamp>) {
        self.record.begin_use(since);
    }

    fn end_use(&mut self) -> bool {
        let usable = self.cell.next_use();
        self.record.end_use();
        usable
    }

    fn is_aborted(&self) -> bool {
        self.cell.is_aborted()
    }

    fn ends(&mut self, reason: CloseReason) {
        self.record.ends(reason);
    }

    fn report_surplus(&self, count: u64) {
        self.record.report_surplus(count);
    }
}

impl Watch<PoolKey> for Observer {
    fn waiting(&self, key: &PoolKey) {
        self.waiting(key.origin());
    }

    fn waited(&self, key: &PoolKey, waited: Duration, granted: bool) {
        self.waited(key.origin(), waited, granted);
    }

    fn waits_for_itself(&self, key: &PoolKey, held: u64, certain: bool) {
        self.waits_for_itself(&WaitsForItself { origin: key.origin(), held, certain });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{AuthPeer, AuthRounds, AuthScheme};
    use crate::error::{Error, Result};
    use crate::net::names::{Cache, Family, Filters, Names, Overrides, Resolver, SystemResolver};
    use crate::net::options::{SocketConfig, SocketFactory, SocketOption};
    use crate::urls::Url;
    use std::net::Ipv4Addr;

    fn by(url: &str, config: ConnectionConfig) -> PoolKey {
        PoolKey::new(Route::to(Url::parse(url).unwrap().shared_origin()), &Arc::new(config))
    }

    /// One row for each line of the table above.
    #[test]
    fn which_requests_share_connections() {
        let (one, other) = (TlsConfig::default(), TlsConfig::distinct());
        let config = |tls: &TlsConfig| ConnectionConfig { tls: tls.clone(), ..ConnectionConfig::default() };
        let key = |url: &str, tls: &TlsConfig| by(url, config(tls));
        let source =
            |address: [u8; 4]| SocketConfig { source: Some(Ipv4Addr::from(address).into()), ..SocketConfig::new() };
        let options =
            |options: &[SocketOption]| SocketConfig { options: options.to_vec().into(), ..SocketConfig::new() };
        let with = |sockets| ConnectionConfig { tcp: TcpConfig { sockets, ..TcpConfig::new() }, ..config(&one) };
        let socket = |url: &str, sockets| by(url, with(sockets));
        let dialer: Arc<dyn Dialer> = Arc::new(crate::TcpDialer::new());
        let dialed = |url: &str, sockets| by(url, ConnectionConfig { dialer: Some(dialer.clone()), ..with(sockets) });
        let default = SocketConfig::new;
        let table = [
            (key("http://h/", &one), key("http://H:80/a", &one), true, true),
            (key("http://h/", &one), key("http://h:81/", &one), false, false),
            (key("http://h:443/", &one), key("https://h/", &one), false, false),
            (key("https://h/", &one), key("https://h/", &other), false, true),
            (key("http://h/", &one), key("http://h/", &other), true, true),
            (key("https://h/", &one), key("https://h/", &one.clone()), true, true),
            (socket("http://h/", source([127, 0, 0, 1])), socket("http://h/", source([127, 0, 0, 2])), false, true),
            (socket("https://h/", source([127, 0, 0, 1])), socket("https://h/", default()), false, true),
            (socket("http://h/", source([127, 0, 0, 1])), socket("http://h/", source([127, 0, 0, 1])), true, true),
            (socket("http://h/", options(&[])), socket("http://h/", default()), false, true),
            (socket("http://h/", options(&[SocketOption::NoDelay(true)])), socket("http://h/", default()), true, true),
            (socket("http+unix://h", options(&[])), socket("http+unix://h", default()), true, true),
            (dialed("http://h/", options(&[])), dialed("http://h/", default()), true, true),
            (dialed("http://h/", default()), socket("http://h/", default()), false, true),
        ];
        let by = |proxy: &str, url: &str, tls: &TlsConfig| {
            let proxy = crate::Proxy::parse(proxy).unwrap();
            PoolKey::new(Route::through(&proxy, Url::parse(url).unwrap().shared_origin()), &Arc::new(config(tls)))
        };
        let proxied = [
            (by("http://p", "http://h/", &one), by("http://p", "http://other/", &one), true, true),
            (by("http://p", "http://h/", &one), by("http://p", "http://h/", &other), true, true),
            (by("https://p", "http://h/", &one), by("https://p", "http://h/", &other), true, true),
            (by("http://p", "https://h/", &one), by("http://p", "https://h/", &one), true, true),
            (by("http://p", "https://h/", &one), by("http://p", "https://h/", &other), false, true),
            (by("http://p", "https://h/", &one), by("http://p", "https://other/", &one), false, false),
            (by("http://p", "https://h/", &one), by("http://q", "https://h/", &one), false, true),
            (by("http://u:1@p", "https://h/", &one), by("http://u:2@p", "https://h/", &one), false, true),
            (by("http://u@p", "http://h/", &one), by("http://v@p", "http://h/", &one), false, true),
            (by("http://p", "https://h/", &one), key("https://h/", &one), false, true),
            (by("http://p", "http://h/", &one), key("http://p/", &one), false, true),
        ];
        for (a, b, same_key, same_endpoint) in table.into_iter().chain(proxied) {
            assert_eq!(a == b, same_key, "{a:?} {b:?}");
            assert_eq!(a.endpoint() == b.endpoint(), same_endpoint, "{a:?} {b:?}");
        }
    }

    /// The addresses of a server separate its tunnels where they are found here, also through a proxy at a Unix socket.
    #[test]
    fn names_of_tunnels() {
        let key = |proxy: &str, host: &str, last: u8| {
            let mut config = ConnectionConfig::default();
            config.tcp.names.overrides.set(host, Ipv4Addr::new(192, 0, 2, last)).unwrap();
            let proxy = crate::Proxy::parse(proxy).unwrap();
            let url = Url::parse("http://h/").unwrap();
            PoolKey::new(Route::through(&proxy, url.shared_origin()), &Arc::new(config))
        };
        for (proxy, host, separates) in [
            ("socks5://p", "h", true),
            ("socks4://p", "h", true),
            ("socks5://p", "p", true),
            ("socks5://p", "other", false),
            ("socks5h://p", "h", false),
            ("socks4a://p", "h", false),
            ("socks5h://p", "p", true),
            ("socks5+unix://%2Fs", "h", true),
            ("socks5h+unix://%2Fs", "h", false),
        ] {
            let [one, other] = [1, 2].map(|last| key(proxy, host, last));
            assert_eq!(one != other, separates, "{proxy} {host}");
            assert!(one == key(proxy, host, 1) && one.endpoint() == other.endpoint());
        }
    }

    /// Returns two configurations for each field of a struct: that of `$base` with one value in the field, and with
    /// another. The struct is taken apart: a field without two values does not compile.
    macro_rules! each_field {
        ($base:expr, $type:ident { $($field:ident: $one:expr, $other:expr;)* }) => {{
            let base = $base;
            let $type { $($field: _),* } = &base;
            vec![$((
                stringify!($field),
                $type { $field: $one, ..base.clone() },
                $type { $field: $other, ..base.clone() },
            )),*]
        }};
    }

    /// An option, and two values of it.
    type Option2<T> = (&'static str, T, T);

    fn names() -> Vec<Option2<Names>> {
        let resolver = || -> Option<Arc<dyn Resolver>> { Some(Arc::new(SystemResolver)) };
        let overrides = |last| {
            let mut overrides = Overrides::new();
            overrides.set("h", Ipv4Addr::new(192, 0, 2, last)).unwrap();
            overrides
        };
        let filters = || {
            let mut filters = Filters::new();
            filters.add(|_| true);
            filters
        };
        let cache = || Some(Arc::new(Cache::new(None)));
        each_field!(Names::new(), Names {
            resolver: resolver(), resolver();
            family: Family::V4, Family::V6;
            overrides: overrides(1), overrides(2);
            filters: filters(), filters();
            cache: cache(), cache();
            refuses_remote: true, true;
        })
    }

    fn sockets() -> Vec<Option2<SocketConfig>> {
        let factory = || Some(SocketFactory::new(|_| Err::<std::net::TcpStream, _>(std::io::ErrorKind::Other.into())));
        each_field!(SocketConfig::new(), SocketConfig {
            source: Some(Ipv4Addr::new(127, 0, 0, 1).into()), Some(Ipv4Addr::new(127, 0, 0, 2).into());
            options: vec![SocketOption::SendBuffer(1)].into(), vec![SocketOption::SendBuffer(2)].into();
            factory: factory(), factory();
        })
    }

    /// Returns two configurations for each option of connections, which differ in that option alone. A field that is a
    /// struct of options is taken apart, too. Those of TLS follow in another test.
    fn each_option() -> Vec<Option2<ConnectionConfig>> {
        let base = TcpConfig::new();
        let mut tcp = each_field!(base.clone(), TcpConfig {
            sockets: SocketConfig::new(), SocketConfig::new();
            names: Names::new(), Names::new();
            stagger: None, Some(Duration::from_secs(1));
        });
        tcp.retain(|(field, ..)| !["sockets", "names"].contains(field));
        let with = |sockets| TcpConfig { sockets, ..base.clone() };
        tcp.extend(sockets().into_iter().map(|(field, one, other)| (field, with(one), with(other))));
        let with = |names| TcpConfig { names, ..base.clone() };
        tcp.extend(names().into_iter().map(|(field, one, other)| (field, with(one), with(other))));

        let dialer = || -> Option<Arc<dyn Dialer>> { Some(Arc::new(crate::TcpDialer::new())) };
        let scheme = || Some(SharedScheme::new(NoScheme));
        let base = ConnectionConfig::default();
        let mut all = each_field!(base.clone(), ConnectionConfig {
            tls: TlsConfig::distinct(), TlsConfig::distinct();
            dialer: dialer(), dialer();
            tcp: TcpConfig::new(), TcpConfig::new();
            scheme: scheme(), scheme();
            socket: Some("/one".into()), Some("/other".into());
        });
        all.retain(|(field, ..)| *field != "tcp");
        let with = |tcp| ConnectionConfig { tcp, ..base.clone() };
        all.extend(tcp.into_iter().map(|(field, one, other)| (field, with(one), with(other))));
        all
    }

    /// Two configurations that differ in one option never share a connection along a route that the option changes, and
    /// equal ones share.
    #[test]
    fn each_option_separates() {
        let default = ConnectionConfig::default();
        for (option, one, other) in each_option() {
            for url in ["http://h/", "https://h/", "http://other/", "http+unix://h/", "https+unix://h/"] {
                let separates = match option {
                    "tls" => url.starts_with("https"),
                    "dialer" | "scheme" | "socket" => true,
                    // The addresses of `h` alone are given.
                    "overrides" => url.ends_with("//h/") && !url.contains("+unix"),
                    // They change how soon there is a connection, or whether, and not what it is.
                    "cache" | "stagger" | "refuses_remote" => false,
                    _ => !url.contains("+unix"),
                };
                let id = format!("{option} for {url}");
                let key = |config: &ConnectionConfig| by(url, config.clone());
                assert!(key(&one) == key(&one), "{id}: the same twice");
                for (a, b) in [(&one, &other), (&other, &one), (&one, &default), (&default, &other)] {
                    assert_eq!(key(a) != key(b), separates, "{id}: {a:?} {b:?}");
                    // The limit of a host holds for all of its keys.
                    assert_eq!(key(a).endpoint(), key(b).endpoint(), "{id}");
                }
            }
        }
    }

    /// The same through proxies. The options of connections are for the connection to the proxy, but TLS is for the
    /// server at the end of a tunnel.
    #[test]
    fn each_option_separates_through_proxies() {
        for (option, one, other) in each_option() {
            for (proxy, url) in
                [("http://h", "http://x/"), ("https://h", "https://x/"), ("http+unix://h", "https://x/")]
            {
                let over_socket = proxy.contains("+unix");
                let separates = match option {
                    "tls" => url.starts_with("https"),
                    "dialer" | "scheme" | "socket" => true,
                    "cache" | "stagger" | "refuses_remote" => false,
                    _ => !over_socket,
                };
                let proxy = crate::Proxy::parse(proxy).unwrap();
                let route = Route::through(&proxy, Url::parse(url).unwrap().shared_origin());
                let key = |config: &ConnectionConfig| PoolKey::new(route.clone(), &Arc::new(config.clone()));
                assert!(key(&one) == key(&one), "{option} for {url} by {proxy}: the same twice");
                assert_eq!(key(&one) != key(&other), separates, "{option} for {url} by {proxy}");
            }
        }
    }

    struct NoScheme;

    impl AuthScheme for NoScheme {
        fn name(&self) -> &'static str {
            "None"
        }

        fn begin(&self, _: &AuthPeer<'_>) -> Result<Box<dyn AuthRounds>> {
            Err(Error::config("no rounds"))
        }
    }

    /// Each setting of TLS separates encrypted connections, and no others. Equal settings make one configuration.
    #[test]
    fn each_option_of_tls_separates() {
        let (all, again) = (TlsConfig::each_option(), TlsConfig::each_option());
        for url in ["http://h/", "https://h/", "http+unix://h/", "https+unix://h/"] {
            let key = |tls: &TlsConfig| by(url, ConnectionConfig { tls: tls.clone(), ..ConnectionConfig::default() });
            for (n, (option, one)) in all.iter().enumerate() {
                for (m, (other_option, other)) in again.iter().enumerate() {
                    // Two files and two functions for keys are never the same.
                    let by_identity = ["a key log", "a function for keys", "another function"].contains(option);
                    let same = !url.starts_with("https") || n == m && !by_identity;
                    assert_eq!(key(one) == key(other), same, "{option}, {other_option} for {url}");
                }
            }
        }
    }
}

//! The key of a connection, and a connection as the pool keeps it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::RefUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::pooled::{Pooled, Watch, verdict};
use super::types::Key;
use crate::close_reason::CloseReason;
use crate::dial::{Dialer, Route};
use crate::error::ResponseHead;
use crate::exchange::Wire;
use crate::net::abort::AbortCell;
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
}

impl ConnectionConfig {
    /// Returns whether it opens the same connections along this route.
    fn is_same_for(&self, other: &Self, route: &Route) -> bool {
        // Taken apart field by field: an option without a decision on its place in the key does not compile.
        let ConnectionConfig { tls, dialer, tcp } = self;
        let same_dialer = match (dialer, &other.dialer) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        let is_tcp = dialer.is_none() && !route.is_over_socket();
        let same_tcp = !is_tcp || tcp.is_same_for(&other.tcp, route.dialed().host());
        same_dialer && same_tcp && (!route.is_encrypted() || tls.id() == other.tls.id())
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
/// | `http+unix://h` with the same | the same: a Unix socket has none of these |
/// | `http://h/` with the same and one dialer | the same: a dialer opens sockets of its own |
/// | `http://h/`, `http://other/` that one proxy forwards | the same: both are sent to the proxy |
/// | `https://h/`, `https://other/` through one proxy | two tunnels |
/// | `https://h/` direct and through a proxy | the same endpoint, another key |
/// | the same through two proxies, or two logins of one | another key |
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
    pub(crate) cell: Arc<AbortCell>,
    /// The response by which a proxy opened the tunnel.
    pub(crate) tunnel: Option<Arc<ResponseHead>>,
    /// No dialer of the caller's opened it, so every transport in it is this crate's.
    pub(crate) is_own: bool,
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
    use crate::net::names::{Cache, Family, Names, Overrides, Resolver, SystemResolver};
    use crate::net::options::{SocketConfig, SocketOption};
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

    /// Each setting of connections over TCP, set in one way and in another. What changes connections separates them,
    /// and the same setting twice does not.
    #[test]
    fn settings_of_tcp() {
        let resolver: [Arc<dyn Resolver>; 2] = [Arc::new(SystemResolver), Arc::new(SystemResolver)];
        let overrides = |host: &str, last: u8| {
            let mut overrides = Overrides::new();
            overrides.set(host, Ipv4Addr::new(192, 0, 2, last)).unwrap();
            overrides
        };
        let filters = |_| {
            let mut filters = crate::net::names::Filters::new();
            filters.add(|_| true);
            filters
        };
        let filters = [filters(0), filters(1)];
        let names = |names: Names| TcpConfig { names, ..TcpConfig::new() };
        let sockets = |sockets: SocketConfig| TcpConfig { sockets, ..TcpConfig::new() };
        type Set<'a> = Box<dyn Fn(usize) -> TcpConfig + 'a>;
        let table: [(&str, bool, Set<'_>); 9] = [
            (
                "source",
                true,
                Box::new(|n| {
                    let source = Some(Ipv4Addr::new(127, 0, 0, n as u8 + 1).into());
                    sockets(SocketConfig { source, ..SocketConfig::new() })
                }),
            ),
            (
                "options",
                true,
                Box::new(|n| {
                    let options = vec![SocketOption::ReceiveBuffer(n + 1)].into();
                    sockets(SocketConfig { options, ..SocketConfig::new() })
                }),
            ),
            ("resolver", true, Box::new(|n| names(Names { resolver: Some(resolver[n].clone()), ..Names::new() }))),
            ("family", true, Box::new(|n| names(Names { family: [Family::V4, Family::V6][n], ..Names::new() }))),
            ("overrides", true, Box::new(|n| names(Names { overrides: overrides("h", n as u8), ..Names::new() }))),
            ("filters", true, Box::new(|n| names(Names { filters: filters[n].clone(), ..Names::new() }))),
            (
                "overrides of another host",
                false,
                Box::new(|n| names(Names { overrides: overrides("other", n as u8), ..Names::new() })),
            ),
            ("cache", false, Box::new(|_| names(Names { cache: Some(Arc::new(Cache::new(None))), ..Names::new() }))),
            (
                "stagger",
                false,
                Box::new(|n| TcpConfig { stagger: Some(Duration::from_secs(n as u64)), ..TcpConfig::new() }),
            ),
        ];
        for (id, separates, set) in table {
            let key = |url: &str, tcp| by(url, ConnectionConfig { tcp, ..ConnectionConfig::default() });
            for url in ["http://h/", "https://h/"] {
                assert!(key(url, set(0)) == key(url, set(0)), "{id}: the same twice");
                assert_eq!(key(url, set(0)) != key(url, set(1)), separates, "{id}: two values");
                assert_eq!(key(url, set(0)) != key(url, TcpConfig::new()), separates, "{id}: the default");
            }
            assert!(key("http+unix://h", set(0)) == key("http+unix://h", set(1)), "{id}: a Unix socket");
        }
    }
}

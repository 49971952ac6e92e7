//! What connections are filed under.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::gate::Pooled;
use super::parts::Key;
use super::stats::CloseReason;
use crate::dial::Dialer;
use crate::exchange::Wire;
use crate::net::abort::AbortCell;
use crate::net::transport::{Probe, Transport};
use crate::tls::TlsConfig;
use crate::url::{Origin, Scheme};

/// Everything that changes what a connection is.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionConfig {
    pub(crate) tls: TlsConfig,
    pub(crate) dialer: Option<Arc<dyn Dialer>>,
}

impl ConnectionConfig {
    /// Whether it makes the same connections to an origin of this kind.
    fn is_same_for(&self, other: &Self, scheme: Scheme) -> bool {
        // Taken apart field by field: an option without a decision on its place in the key does not compile.
        let ConnectionConfig { tls, dialer } = self;
        let same_dialer = match (dialer, &other.dialer) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        same_dialer && (scheme != Scheme::Https || tls.id() == other.tls.id())
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
#[derive(Clone)]
pub(crate) struct PoolKey(Arc<Parts>);

struct Parts {
    origin: Arc<Origin>,
    config: Arc<ConnectionConfig>,
}

impl PoolKey {
    pub(crate) fn new(origin: &Arc<Origin>, config: &Arc<ConnectionConfig>) -> PoolKey {
        PoolKey(Arc::new(Parts { origin: origin.clone(), config: config.clone() }))
    }

    /// Whether its connections are those that this configuration makes.
    #[inline]
    pub(crate) fn connects_by(&self, config: &Arc<ConnectionConfig>) -> bool {
        Arc::ptr_eq(&self.0.config, config) || self.0.config.is_same_for(config, self.0.origin.kind())
    }

    pub(crate) fn config(&self) -> &ConnectionConfig {
        &self.0.config
    }

    pub(crate) fn origin(&self) -> &Arc<Origin> {
        &self.0.origin
    }
}

impl PartialEq for PoolKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.origin == other.0.origin && self.connects_by(&other.0.config))
    }
}

impl Eq for PoolKey {}

impl Hash for PoolKey {
    /// The origin's hash alone: keys of one origin are few.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.origin.hash(state);
    }
}

impl fmt::Debug for PoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.origin)
    }
}

impl Key for PoolKey {
    /// Scheme, host and port.
    type Endpoint = Arc<Origin>;

    fn endpoint(&self) -> Arc<Origin> {
        self.0.origin.clone()
    }
}

/// A connection as the pool has it. Closing it is dropping it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) wire: Wire,
    pub(crate) cell: Arc<AbortCell>,
}

impl Pooled for Box<Connection> {
    fn probe(&self) -> Result<(), CloseReason> {
        match self.wire.probe() {
            Probe::Quiet => Ok(()),
            Probe::Readable => Err(CloseReason::UnexpectedBytes),
            Probe::Dead => Err(CloseReason::PeerClosed),
        }
    }

    fn end_use(&self) {
        self.cell.next_use();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::Url;

    /// One row for each line of the table above.
    #[test]
    fn which_requests_share_connections() {
        let config = |tls: &TlsConfig| Arc::new(ConnectionConfig { tls: tls.clone(), dialer: None });
        let (one, other) = (TlsConfig::default(), TlsConfig::distinct());
        let key = |url: &str, tls: &TlsConfig| PoolKey::new(Url::parse(url).unwrap().shared_origin(), &config(tls));
        let table = [
            (key("http://h/", &one), key("http://H:80/a", &one), true, true),
            (key("http://h/", &one), key("http://h:81/", &one), false, false),
            (key("http://h:443/", &one), key("https://h/", &one), false, false),
            (key("https://h/", &one), key("https://h/", &other), false, true),
            (key("http://h/", &one), key("http://h/", &other), true, true),
            (key("https://h/", &one), key("https://h/", &one.clone()), true, true),
        ];
        for (a, b, same_key, same_endpoint) in table {
            assert_eq!(a == b, same_key, "{a:?} {b:?}");
            assert_eq!(a.endpoint() == b.endpoint(), same_endpoint, "{a:?} {b:?}");
        }
    }
}

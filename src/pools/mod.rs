//! Pools as users of urllib3 know them: [`ConnectionPool`] for one host, [`PoolManager`] for all hosts.

mod builder;
mod connection_pool;
mod context;
mod manager;
mod options;
mod parallel;

pub(crate) use builder::sealed;
pub use builder::{Client, ClientBuilder, ManyHosts};
pub use connection_pool::{ConnectionPool, ConnectionPoolBuilder};
pub use context::PoolContext;
pub use manager::{PoolManager, PoolManagerBuilder};
pub(crate) use options::{PoolOptions, dns_cache, verbs};
pub(crate) use parallel::parallel;

use crate::client::sealed::Sealed;
use crate::client::{Following, IntoUrl, Policy};
use crate::error::Result;
use crate::retry::Retry;
use crate::urls::Origins;

/// Builds a pool for the host of `url`, with the defaults. [`ConnectionPool::builder`] has the options.
///
/// ```
/// let pool = hostpool::connection_from_url("http://example.com/any/path")?;
/// assert_eq!(pool.origin().to_string(), "http://example.com");
/// # Ok::<(), hostpool::Error>(())
/// ```
pub fn connection_from_url(url: impl IntoUrl) -> Result<ConnectionPool> {
    ConnectionPool::builder_for(Sealed::into_url(url, &Origins::default(), None)).build()
}

/// Returns the default policy of the requests of all pools.
fn policy() -> Policy {
    Policy {
        following: Following { follow: true, counted: true, ..Following::default() },
        retry: Some(Retry::default()),
        ..Policy::default()
    }
}

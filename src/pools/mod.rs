//! Pools as users of urllib3 know them: [`ConnectionPool`] for one host, [`PoolManager`] for all hosts.

mod connection_pool;
mod context;
mod manager;
mod options;

pub use connection_pool::{ConnectionPool, ConnectionPoolBuilder};
pub use context::PoolContext;
pub use manager::{PoolManager, PoolManagerBuilder};
pub(crate) use options::{PoolOptions, verbs};

use crate::client::{Following, Head, Policy};
use crate::error::Result;
use crate::retry::Retry;

/// Builds a pool for the host of `url`, with the defaults. [`ConnectionPool::builder`] has the options.
///
/// ```
/// let pool = hostpool::connection_from_url("http://example.com/any/path")?;
/// assert_eq!(pool.origin().to_string(), "http://example.com");
/// # Ok::<(), hostpool::Error>(())
/// ```
pub fn connection_from_url(url: &str) -> Result<ConnectionPool> {
    ConnectionPool::builder(url).build()
}

/// Returns the default policy of the requests of all pools.
fn policy() -> Policy {
    Policy {
        head: Head { replaced: true, ..Head::default() },
        following: Following { follow: true, counted: true, ..Following::default() },
        retry: Some(Retry::default()),
        ..Policy::default()
    }
}

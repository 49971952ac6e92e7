//! Pools as urllib3's users know them: [`ConnectionPool`] for one host, [`PoolManager`] for all.

mod connection_pool;
mod manager;
mod options;

pub use connection_pool::{ConnectionPool, ConnectionPoolBuilder};
pub use manager::{PoolManager, PoolManagerBuilder};
pub(crate) use options::{PoolOptions, verbs};

use crate::client::Policy;
use crate::retry::Retry;

/// What the requests of all pools have in common.
fn policy() -> Policy {
    Policy {
        follow: true,
        counts_redirects: true,
        retry: Some(Retry::default()),
        replaces_headers: true,
        ..Policy::default()
    }
}

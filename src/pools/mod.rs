//! Pools as urllib3's users know them: [`ConnectionPool`] for one host, [`PoolManager`] for all.

mod connection_pool;
mod manager;
mod options;

pub use connection_pool::{ConnectionPool, ConnectionPoolBuilder};
pub use manager::{PoolManager, PoolManagerBuilder};
pub(crate) use options::{PoolOptions, verbs};

//! Bounded connection pools: which caller gets a connection, which opens one, which waits.

mod arena;
pub(crate) mod core;
pub(crate) mod gate;
pub(crate) mod key;
pub(crate) mod pooled;
mod reaper;
pub(crate) mod registry;
mod spare;
pub(crate) mod stats;
pub(crate) mod types;

pub(crate) type PoolGate = gate::Gate<key::PoolKey, Box<key::Connection>>;
pub(crate) type PoolLease = gate::Lease<key::PoolKey, Box<key::Connection>>;
pub(crate) type PoolPin = gate::Pin<key::PoolKey, Box<key::Connection>>;
pub(crate) type PoolPermit = gate::Permit<key::PoolKey, Box<key::Connection>>;

#[cfg(all(test, any(hostpool_loom, hostpool_shuttle)))]
mod gate_models;
#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod gate_tests;

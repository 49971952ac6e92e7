//! The one engine behind `Session` and the pools: checkout, dial, exchange, replay.

mod builder;
mod encode;
mod engine;
mod replay;
mod request;
mod send;

pub(crate) use builder::sealed;
pub use builder::{IntoUrl, RequestBuilder};
pub(crate) use encode::check_policy;
pub(crate) use engine::{Engine, EngineConfig, Policy};
pub use request::Request;

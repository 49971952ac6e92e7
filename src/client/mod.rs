//! The one engine behind `Session` and the pools: checkout, dial, exchange, replay.

mod encode;
mod engine;
mod replay;
mod request;
mod send;

pub(crate) use encode::check_policy;
pub(crate) use engine::{Engine, EngineConfig, Policy};
pub(crate) use request::sealed;
pub use request::{IntoUrl, Request, RequestBuilder};

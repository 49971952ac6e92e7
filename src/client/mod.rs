//! The one engine behind `Session` and the pools: checkout, dial, exchange, replay.

mod bodies;
mod builder;
mod call;
mod credentials;
mod download;
mod encode;
mod engine;
mod into_request;
mod journey;
mod middleware;
mod options;
mod policy;
mod registry;
mod replay;
mod request;
mod resume;
mod send;
mod settings;
mod shape;
mod tries;
mod urlencoded;
mod urlopen;

pub(crate) use builder::sealed;
pub use builder::{Connector, IntoUrl, RequestBuilder};
pub(crate) use engine::{Engine, EngineConfig, Reach};
pub use into_request::IntoRequest;
pub(crate) use into_request::sealed as executable;
pub use middleware::{Middleware, Next};
pub(crate) use options::{names, skipped};
pub(crate) use policy::{Fields, Policy, Redirects};
pub use request::Request;

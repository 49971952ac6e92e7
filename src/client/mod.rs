//! Builds and sends requests. One engine sends them for `Session` and for the pools.
//!
//! Each module uses only those after it: `builder`, `call`, `hop`, `checkout`, `connection`, `terms`, `policy`, `settings`, `options`,
//! `middleware`, `request`, `engine`, `reach`. There is one exception: a `Request` holds its `Options`, which hold middleware, which
//! takes a `Request`.

mod builder;
mod call;
mod checkout;
mod connection;
mod engine;
mod hop;
mod middleware;
mod options;
mod policy;
mod reach;
mod request;
mod settings;
mod terms;

pub(crate) use builder::{Base, Calls, has_pools, sealed, trusted};
pub use builder::{Connector, IntoRequest, IntoUrl, RequestBuilder};
pub use connection::Connection;
pub(crate) use engine::{Engine, EngineConfig};
pub(crate) use middleware::shared as shared_middleware;
pub use middleware::{Middleware, MiddlewareFn, Next, middleware_fn};
pub(crate) use options::{check_names, check_skipped};
pub(crate) use policy::{Following, Head, Identity, Policy};
pub(crate) use reach::Reach;
pub use request::Request;

//! A blocking, thread-safe HTTP/1.1 client for programs that have threads and no async runtime.
//!
//! Connections live in per-host pools with hard limits: at a limit callers wait in line, first come, first served, for
//! as long as they say. No runtime is needed; the crate works inside one, too. No thread is started but for name
//! lookups under a bound, at most eight, which leave when they are idle.
//!
//! A client belongs to the process that made it: make clients after a `fork`. A child that drops or closes its copy of a
//! client leaves its parent's connections alone, but a request that it sends on one of them mixes their responses.
//!
//! - [`ConnectionPool`] is the pool of one host, [`PoolManager`] that of many, as in urllib3.
//! - [`Session`] is a client with defaults of its own, as in aiohttp or requests.
//! - [`get`] and its siblings are for a single request.
//!
//! ```
//! # // A server for the example.
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//! # std::thread::spawn(move || {
//! #     use std::io::{Read, Write};
//! #     let (mut stream, _) = listener.accept().unwrap();
//! #     stream.read(&mut [0; 4096]).unwrap();
//! #     stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
//! # });
//! # let url = format!("http://{address}");
//! use hostpool::ConnectionPool;
//! use std::time::Duration;
//!
//! // At most 8 connections to this host, ever; whoever finds them busy waits for at most two seconds.
//! let pool = ConnectionPool::builder(&url)
//!     .maxsize(8)
//!     .block(true)
//!     .pool_timeout(Duration::from_secs(2))
//!     .build()?;
//!
//! let response = pool.get("/").timeout(Duration::from_secs(10)).send()?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.text()?, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! | feature | default | what for |
//! |---|---|---|
//! | `rustls` | yes | `https`, by rustls with ring |
//! | `native-roots` | yes | trust the system's certificates |
//! | `webpki-roots` | yes | trust the bundled Mozilla set where the system has none |
//! | `gzip` | yes | the content codings gzip and deflate |
//! | `brotli`, `zstd` | no | the content codings br and zstd, of responses |
//! | `charset` | yes | [`Response::text`] in every charset of the web |
//! | `json` | yes | `RequestBuilder::json`, `Response::json`, a `CookieJar` as JSON |
//! | `cookies` | yes | the public suffix list, without which cookies are for single hosts only |
//! | `digest-auth` | yes | the hashes of [`DigestAuth`] |
//! | `log`, `tracing` | `log` | lines for the crates of these names, and none without a logger: see [`observe`] |
//! | `charset-detect` | no | a guess at the charset of a text that does not name it |

// docs.rs sets `docsrs`, and has the compiler that this needs: rustdoc then says which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(missing_debug_implementations, rust_2018_idioms)]

// The map of the modules. A line uses only the lines below it. On one line, a module uses only those to its left.
//
// fuzzing        the fuzz targets, each over one layer; built for tests and for fuzzing
// session        Session, the free functions
// pools          ConnectionPool, PoolManager, PoolContext
// client         builder > call > hop > terms > policy > settings/options/middleware/request > engine > reach
// response       Response: body reader, decoding, charset, JSON, files
// pool           registry > key > gate > reaper > core > pooled > types > stats
// dial           Dialer, Route: opens a Transport to a Target along a route
// exchange       one request and one response over one Transport; knows no pool
// tls            TlsConfig, rustls over any Transport
// net            Transport, the one place that waits, abort, connect, resolve
// make_headers   urllib3's function of this name
// h1 coding body multipart redirect retry auth cookies    no sockets and no clock: bytes and values in, decisions out
// observe        Listener, events, the lines of the log
// close_reason error time workers    what every layer above needs to fail, to wait and to say why
// sync shared contain process random date limits strictness values headers url files    the ground

mod auth;
mod body;
mod client;
mod close_reason;
mod coding;
mod contain;
mod cookies;
mod date;
mod dial;
mod error;
mod exchange;
mod files;
#[cfg(fuzzing)]
#[doc(hidden)]
#[allow(missing_docs)]
pub mod fuzzing;
#[cfg(all(test, not(any(fuzzing, hostpool_loom, hostpool_shuttle))))]
mod fuzzing;
mod h1;
mod headers;
mod limits;
mod make_headers;
pub mod multipart;
mod net;
pub mod observe;
mod pool;
mod pools;
mod process;
mod random;
mod redirect;
mod response;
mod retry;
mod session;
mod shared;
mod strictness;
mod sync;
mod time;
mod tls;
mod url;
mod values;
mod workers;

pub use auth::{AnyAuth, Auth, AuthEncoding, BasicAuth, DigestAuth, Netrc};
pub use body::urlencoded::IntoPairs;
pub use body::{Body, Compress};
pub use client::{
    Connector, IntoRequest, IntoUrl, Middleware, MiddlewareFn, Next, Request, RequestBuilder, middleware_fn,
};
pub use close_reason::CloseReason;
pub use cookies::{
    Cookie, CookieBuilder, CookieJar, CookieJarBuilder, CookieRequest, CookieStore, NoCookies, SameSite,
};
pub use dial::{DialContext, Dialer, DialerFn, Target, TcpDialer, TlsDialer, UnixDialer, dialer_fn};
pub use error::{Attempt, Bound, Error, ErrorKind, Limit, Phase, ResponseHead, Result, RetryCause, Violation};
pub use headers::{Header, Headers, HeadersIter, IntoHeaderName, IntoHeaderValue, IntoHeaders, InvalidHeader};
pub use http::{Method, StatusCode, Version};
pub use limits::Limits;
pub use make_headers::{MakeHeaders, make_headers};
pub use net::io_transport::IoTransport;
pub use net::options::{SocketOption, SourceAddress};
pub use net::transport::{Probe, Transport, TransportInfo, Wait};
pub use observe::Listener;
pub use pool::stats::PoolStats;
pub use pools::{
    Client, ClientBuilder, ConnectionPool, ConnectionPoolBuilder, ManyHosts, PoolContext, PoolManager,
    PoolManagerBuilder, connection_from_url,
};
pub use redirect::{RedirectAction, RedirectHop};
pub use response::{
    Chunks, ConnectionInfo, ContentDisposition, Lines, Link, MediaType, Response, ResponseBody, ResponseBuilder,
    ShutdownHandle,
};
pub use retry::{Jitter, Retry, RetryBudget, RetryCount, RetryCounts, RetrySettings};
pub use session::{Session, SessionBuilder, delete, get, head, options, patch, post, put, request};
pub use strictness::Strictness;
pub use time::Timeout;
pub use tls::{TlsConfig, TlsConfigBuilder};
pub use url::{InvalidUrl, Origin, Url};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

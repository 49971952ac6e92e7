//! A blocking, thread-safe HTTP/1.1 client for programs that have threads and no async runtime.
//!
//! Connections live in per-host pools with hard limits: at a limit callers wait in line, first come, first served, for
//! as long as they say. No runtime is needed; the crate works inside one, too. No thread is started but for name
//! lookups under a bound, at most eight, for [`submit`](Session::submit) and [`batch`](Session::batch), at most sixteen
//! a client, and for what asks for one by name. Threads leave when they are idle.
//!
//! ```no_run
//! let text = hostpool::get("https://www.example.com/").send()?.text()?;
//! # Ok::<(), hostpool::Error>(())
//! ```
//!
//! A [`Session`] is a client for many requests, from any number of threads. It has defaults of its own, and keeps
//! connections and cookies, as in aiohttp or requests:
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let server = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
//! use hostpool::Session;
//! use std::time::Duration;
//!
//! let session = Session::builder()
//!     .base_url("http://api.example/v1/")
//!     # .base_url(&server)
//!     .user_agent("books/1.0")
//!     .limit(8)
//!     .timeout(Duration::from_secs(30))
//!     .build()?;
//!
//! let response = session.get("greeting").params([("to", "you")]).send()?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.text()?, "hello");
//! # Ok::<(), hostpool::Error>(())
//! ```
//!
//! A [`ConnectionPool`] holds the connections to one host, and a [`PoolManager`] those to many, as in urllib3. This
//! program starts a server of its own, and can be copied as it is:
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpListener;
//! use std::time::Duration;
//!
//! use hostpool::ConnectionPool;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let url = format!("http://{}", listener.local_addr()?);
//!     std::thread::spawn(move || {
//!         let (mut stream, _) = listener.accept()?;
//!         stream.read(&mut [0; 4096])?;
//!         stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
//!     });
//!
//!     // Never more than 8 connections to this host.
//!     // A caller that finds all of them busy waits for up to two seconds.
//!     let pool = ConnectionPool::builder(&url)
//!         .limit(8)
//!         .pool_timeout(Duration::from_secs(2))
//!         .build()?;
//!     let response = pool.get("/").timeout(Duration::from_secs(10)).send()?;
//!     assert_eq!(response.text()?, "hello");
//!     Ok(())
//! }
//! ```
//!
//! A status such as 404 is a response, not an error, unless the caller says so
//! ([`Response::error_for_status`], [`ClientBuilder::raise_for_status`]). An [`Error`] says what failed, in which phase,
//! for which method and URL, and whether the server may have processed the request. Its text has no query and no
//! credentials:
//!
//! ```
//! // Nobody listens there.
//! let error = hostpool::get("http://127.0.0.1:1/list?key=secret").send().unwrap_err();
//! assert_eq!(error.to_string(), "no connection could be opened (connecting, GET http://127.0.0.1:1/list)");
//! assert!(error.is_connect() && !error.maybe_processed());
//! ```
//!
//! Without a [`Timeout`] of its own a session waits 30 seconds for a connection and 60 seconds for the next byte, and has
//! no bound on a whole call; the pools have no bounds at all. The builder has a [table](ClientBuilder) of all defaults.
//!
//! A client belongs to the process that made it: make clients after a `fork`. A child that drops or closes its copy of a
//! client leaves its parent's connections alone, but a request that it sends on one of them mixes their responses.
//!
//! # What is where?
//!
//! [`recipes`] shows daily tasks one by one, and what the names of requests, urllib3, aiohttp, ureq and reqwest are here.
//!
//! | for | there is |
//! |---|---|
//! | one request | [`get`], [`head`], [`post`], [`put`], [`patch`], [`delete`], [`options`], [`request`] |
//! | clients | [`Session`], [`ConnectionPool`], [`PoolManager`], all built by a [`ClientBuilder`] |
//! | connections for many sessions | [`TcpConnector`], [`ProxyConnector`], [`UnixConnector`] |
//! | requests | [`RequestBuilder`], [`Request`]; arguments of any type: [`IntoUrl`], [`IntoPairs`], [`IntoHeaders`] |
//! | bodies | [`Body`], [`Compress`], [`multipart::Form`], [`multipart::Part`] |
//! | responses | [`Response`], [`Lines`], [`Chunks`], [`MediaType`], [`Link`]; made by a [`ResponseBuilder`] |
//! | headers, URLs | [`Headers`], [`make_headers`], [`Url`], [`Origin`] |
//! | time, stopping | [`Timeout`], [`CancelToken`] |
//! | many requests at once | [`Session::batch`], [`Batch`]; one on another thread: [`Session::submit`], [`Pending`] |
//! | failures | [`Error`], [`ErrorKind`], [`Phase`], [`ResponseHead`] |
//! | another try | [`Retry`], [`RetryBudget`], [`Attempt`] |
//! | redirects | [`RedirectHop`], [`RedirectAction`] |
//! | credentials | [`BasicAuth`], [`DigestAuth`], [`AnyAuth`], [`Auth::bearer`], [`AuthScheme`], [`Netrc`] |
//! | cookies | [`CookieJar`], [`Cookie`], [`CookieStore`] |
//! | what runs around a call | [`Middleware`], [`Next`], [`ClientBuilder::on_request`] |
//! | what happens inside | [`Listener`], [`observe`], [`PoolStats`], [`ConnectionInfo`] |
//! | what a server may send | [`Limits`], [`Strictness`], [`Violation`] |
//! | proxies | [`Proxy`], [`ProxyManager`], [`ClientBuilder::proxy`] |
//! | WebSockets | `Session::ws_connect`, `ws_connect`, `WebSocket`, `WebSocketBuilder`, `Message`, `PerMessageDeflate` |
//! | TLS | [`TlsConfig`], [`TlsConfigBuilder`], [`Fingerprint`], [`TlsVersion`], [`TlsInfo`], [`TlsFailure`] |
//! | sockets | [`SocketOption`], [`SourceAddress`] |
//! | connections of your own | [`Dialer`], [`Transport`], [`IoTransport`] |
//! | a connection of a pool, as a stream | [`Connection`] |
//! | types of other crates | the crates [`http`] and [`url`], as `hostpool::http` and `hostpool::url` |
//!
//! # Features
//!
//! | feature | default | what for |
//! |---|---|---|
//! | `rustls` | yes | `https`, by rustls with ring |
//! | `encrypted-keys` | no | client keys with a password |
//! | `native-roots` | yes | trust the system's certificates |
//! | `webpki-roots` | yes | trust the bundled Mozilla set where the system has none |
//! | `gzip` | yes | the content codings gzip and deflate |
//! | `brotli`, `zstd` | no | the content codings br and zstd, of responses |
//! | `charset` | yes | [`Response::text`] in every charset of the web |
//! | `json` | yes | `RequestBuilder::json`, `Response::json`, a `CookieJar` as JSON |
//! | `cookies` | yes | the public suffix list, without which cookies are for single hosts only |
//! | `digest-auth` | yes | the hashes of [`DigestAuth`] |
//! | `websocket` | yes | `WebSocket`, with the frames of the crate `tungstenite` |
//! | `log`, `tracing` | `log` | lines for the crates of these names, and none without a logger: see [`observe`] |
//! | `serde` | no | [`Url`], [`Timeout`], [`Limits`] and [`Retry`] in configuration files and protocols: see their `Deserialize` |
//! | `charset-detect` | no | a guess at the charset of a text that does not name it |

// docs.rs sets `docsrs`, and has the compiler that this needs: rustdoc then says which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(missing_debug_implementations, rust_2018_idioms)]

// The map of the modules. A line uses only the lines below it. On one line, a module uses only those to its left.
//
// recipes        documentation: daily tasks, one by one
// fuzzing        the fuzz targets, each over one layer; built for tests and for fuzzing
// session        Session, the free functions
// websocket      builder > handshake/halves > socket > closing > receiving > sending > core > reader/wire > state/decoder > frame
// connectors     TcpConnector, ProxyConnector, UnixConnector: presets of a PoolManager
// pools          ConnectionPool, PoolManager, ProxyManager, PoolContext
// parallel       Pending, Batch: requests on threads of their client
// client         builder > call > hop > checkout > connection > terms > policy > settings/options/middleware/request > engine > reach
// response       Response: body reader, decoding, charset, JSON, files
// pool           registry > key > gate > reaper > core > pooled > types > stats
// dial           Dialer, Route: opens a Transport to a Target along a route
// exchange       one request and one response over one Transport; knows no pool
// proxy          Proxy: where it is, and what only it is told
// tls            TlsConfig, rustls over any Transport
// net            Transport, the one place that waits, abort, names and their lookups, the race of addresses
// make_headers   urllib3's function of this name
// h1 coding body multipart redirect retry auth cookies    no sockets and no clock: bytes and values in, decisions out
// observe        Listener, events, the lines of the log
// close_reason error cancel time workers    what every layer above needs to fail, to wait and to say why
// sync signal shared contain process random date notation limits strictness values headers urls files    the ground

mod auth;
mod body;
mod cancel;
mod client;
mod close_reason;
mod coding;
mod connectors;
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
#[cfg(feature = "serde")]
mod notation;
pub mod observe;
mod parallel;
mod pool;
mod pools;
mod process;
mod proxy;
mod random;
pub mod recipes;
mod redirect;
mod response;
mod retry;
mod session;
mod shared;
mod signal;
mod strictness;
mod sync;
mod time;
// Without a TLS library nothing reads what a configuration holds.
#[cfg_attr(not(feature = "rustls"), allow(dead_code))]
mod tls;
mod urls;
mod values;
#[cfg(feature = "websocket")]
mod websocket;
mod workers;

pub use auth::{AnyAuth, Auth, AuthEncoding, AuthPeer, AuthRounds, AuthScheme, BasicAuth, DigestAuth, Netrc};
pub use body::urlencoded::IntoPairs;
pub use body::{Body, Compress};
pub use cancel::{CancelToken, OnCancel};
pub use client::{
    Connection, Connector, IntoRequest, IntoUrl, Middleware, MiddlewareFn, Next, Request, RequestBuilder, middleware_fn,
};
pub use close_reason::CloseReason;
pub use connectors::{
    ProxyConnector, ProxyConnectorBuilder, TcpConnector, TcpConnectorBuilder, UnixConnector, UnixConnectorBuilder,
};
pub use cookies::{
    Cookie, CookieBuilder, CookieJar, CookieJarBuilder, CookieRequest, CookieStore, NoCookies, SameSite,
};
pub use dial::{DialContext, Dialer, DialerFn, Target, TcpDialer, TlsDialer, UnixDialer, dialer_fn};
pub use error::{
    Attempt, Bound, Error, ErrorKind, Limit, Phase, ResponseHead, Result, RetryCause, TlsFailure, TlsFault, Violation,
};
pub use headers::{Header, Headers, HeadersIter, IntoHeaderName, IntoHeaderValue, IntoHeaders, InvalidHeader};
/// The crate `http`, in the version whose types this crate takes and returns. A program that uses it needs no dependency
/// of its own.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let server = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// use hostpool::http::{HeaderMap, HeaderValue, header};
/// use hostpool::url::Url;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(header::ACCEPT, HeaderValue::from_static("text/plain"));
/// let base = Url::parse("http://api.example/v1/")?;
/// # let base = Url::parse(&server)?;
/// let response = hostpool::get(base.join("greeting")?).headers(headers).send()?;
/// assert_eq!(response.text()?, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub use http;
pub use http::{Method, StatusCode, Version};
pub use limits::Limits;
pub use make_headers::{MakeHeaders, make_headers};
pub use net::io_transport::IoTransport;
pub use net::names::{
    Family, IntoAddresses, Lookup, Resolver, ResolverFn, SystemResolver, is_public_address, resolver_fn,
};
pub use net::options::{SocketOption, SourceAddress};
pub use net::tls_info::{TlsInfo, TlsVersion};
pub use net::transport::{Probe, Transport, TransportInfo, Wait};
pub use observe::Listener;
pub use parallel::{Batch, Pending};
pub use pool::stats::PoolStats;
pub use pools::{
    Client, ClientBuilder, ConnectionPool, ConnectionPoolBuilder, ManyHosts, PoolContext, PoolManager,
    PoolManagerBuilder, ProxyManager, ProxyManagerBuilder, connection_from_url, proxy_from_url,
};
pub use proxy::Proxy;
pub use redirect::{RedirectAction, RedirectHop};
pub use response::{
    Chunks, ConnectionInfo, ContentDisposition, Lines, Link, MediaType, Response, ResponseBody, ResponseBuilder,
    ShutdownHandle, Upgraded, UpgradedReader, UpgradedWriter,
};
pub use retry::{IntoStatus, Jitter, Retry, RetryBudget, RetryCount, RetryCounts, RetrySettings};
#[cfg(feature = "websocket")]
pub use session::ws_connect;
pub use session::{Session, SessionBuilder, delete, get, head, options, patch, post, put, request};
pub use strictness::Strictness;
pub use time::{Timeout, TimeoutSettings};
pub use tls::{Fingerprint, TlsConfig, TlsConfigBuilder};
/// The crate `url`, in the version whose types this crate takes and returns: an [`IntoUrl`].
pub use url;
pub use urls::{InvalidUrl, Origin, Url};
#[cfg(feature = "websocket")]
pub use websocket::{
    CloseFrame, IntoMessages, Message, Messages, PerMessageDeflate, WebSocket, WebSocketBuilder, WebSocketReceiver,
    WebSocketSender,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

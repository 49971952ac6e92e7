//! TLS: an immutable configuration, and streams over any transport.

#[cfg(feature = "__tls")]
mod alerts;
mod backend;
#[cfg(feature = "__tls")]
mod backlog;
mod builder;
#[cfg(feature = "native-tls")]
mod by_native_tls;
#[cfg(feature = "__rustls")]
mod by_rustls;
mod certificates;
mod client_cert;
mod config;
// Evidence for failures comes from rustls alone.
#[cfg_attr(not(feature = "__rustls"), allow(dead_code))]
mod der;
mod identity;
// Only rustls has the secrets.
#[cfg_attr(not(feature = "__rustls"), allow(dead_code))]
mod key_log;
mod libraries;
mod pem;
mod pins;
#[cfg(feature = "__tls")]
mod session;
mod settings;
#[cfg(feature = "__tls")]
mod stream;
#[cfg(all(test, feature = "rustls", hostpool_shuttle, not(hostpool_loom)))]
mod stream_models;

pub use backend::TlsBackend;
pub use builder::TlsConfigBuilder;
pub use config::TlsConfig;
pub use pins::Fingerprint;

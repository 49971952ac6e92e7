//! TLS: an immutable configuration, and streams over any transport.

#[cfg(feature = "rustls")]
mod backlog;
mod builder;
#[cfg(feature = "rustls")]
mod by_rustls;
mod certificates;
mod client_cert;
mod config;
mod der;
mod identity;
mod key_log;
mod pem;
mod pins;
#[cfg(feature = "rustls")]
mod session;
mod settings;
#[cfg(feature = "rustls")]
mod stream;
#[cfg(all(test, feature = "rustls", hostpool_shuttle, not(hostpool_loom)))]
mod stream_models;

pub use builder::TlsConfigBuilder;
pub use config::TlsConfig;
pub use pins::Fingerprint;

//! The builder that all clients share.
//!
//! Each setting is one method, for every client that has it. The clients differ in their defaults and in a few methods
//! of their own.

mod connections;
mod names;
mod redirects;
mod requests;

use std::fmt;

use super::PoolOptions;
use crate::client::Policy;
use crate::error::{Error, Phase, Reason, Result};

/// Builds a client: a [`ConnectionPool`](crate::ConnectionPool), a [`PoolManager`](crate::PoolManager) or a
/// [`Session`](crate::Session). Each has a name for its builder:
/// [`ConnectionPoolBuilder`](crate::ConnectionPoolBuilder), [`PoolManagerBuilder`](crate::PoolManagerBuilder),
/// [`SessionBuilder`](crate::SessionBuilder). A [`TcpConnector`](crate::TcpConnector) and a
/// [`UnixConnector`](crate::UnixConnector) have the settings of connections, with the defaults of a `Session`.
///
/// A method that is given something wrong does not fail at once. [`build`](Self::build) returns the first such error.
///
/// Clients differ in these defaults:
///
/// | setting | `Session` | `PoolManager` | `ConnectionPool` |
/// |---|---|---|---|
/// | [`maxsize`](Self::maxsize): idle connections to a host | no limit | 10 | 10 |
/// | [`max_idle`](Self::max_idle): idle connections in total | 100 | no limit | no limit |
/// | [`idle_timeout`](Self::idle_timeout) | 30 s | 60 s | 60 s |
/// | [`num_pools`](Self::num_pools) | no limit | 10 | - |
/// | [`timeout`](Self::timeout) | connect 30 s, read 60 s | none | none |
/// | [`retries`](Self::retries) | none | 3, redirects included | 3, redirects included |
/// | a `POST` that gets a 301 or 302 continues as | `GET` | `POST` | `POST` |
/// | [`headers`](Self::headers) are sent with | every request | requests without headers | requests without headers |
/// | asks for content codings | yes | no | no |
/// | keeps cookies | yes | no | no |
///
/// ```
/// use hostpool::Session;
/// use std::time::Duration;
///
/// let builder = Session::builder().limit(4).timeout(Duration::from_secs(10));
/// let (one, other) = (builder.clone().build()?, builder.header("X-Client", "7").build()?);
/// # Ok::<(), hostpool::Error>(())
/// ```
#[must_use = "a builder does nothing until it builds"]
pub struct ClientBuilder<C: sealed::Client> {
    pub(crate) options: PoolOptions,
    pub(crate) policy: Policy,
    /// The settings that only this client has.
    pub(crate) own: C::Own,
    /// The reason of the first error of a setter. An error cannot be cloned, but its reason can.
    wrong: Option<Reason>,
}

/// A client that sends requests: [`ConnectionPool`](crate::ConnectionPool), [`PoolManager`](crate::PoolManager) and
/// [`Session`](crate::Session). It cannot be implemented for other types.
pub trait Client: sealed::Client {}

/// A client or connector for any number of hosts: [`PoolManager`](crate::PoolManager), [`Session`](crate::Session),
/// [`TcpConnector`](crate::TcpConnector) and [`UnixConnector`](crate::UnixConnector). It cannot be implemented for other
/// types.
pub trait ManyHosts: sealed::Client {}

pub(crate) mod sealed {
    use std::fmt::Debug;

    use super::{ClientBuilder, Result};

    pub trait Client: Sized {
        /// The settings that only this client has.
        #[doc(hidden)]
        type Own: Clone + Debug;

        /// Whether a request that has headers of its own is sent without those of `headers`, as in urllib3.
        #[doc(hidden)]
        const REPLACES_HEADERS: bool;

        #[doc(hidden)]
        fn build(builder: ClientBuilder<Self>) -> Result<Self>;
    }
}

impl<C: sealed::Client> ClientBuilder<C> {
    pub(crate) fn new(options: PoolOptions, policy: Policy, own: C::Own) -> Self {
        ClientBuilder { options, policy, own, wrong: None }
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// The first error of the methods that were called before, and
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if settings contradict each other.
    pub fn build(mut self) -> Result<C> {
        if let Some(wrong) = self.wrong {
            return Err(Error::new(wrong, Phase::Prepare));
        }
        self.policy.check()?;
        C::build(self)
    }

    /// Changes the builder, unless there was an error before.
    pub(crate) fn try_set(mut self, set: impl FnOnce(&mut Self) -> Result<()>) -> Self {
        if self.wrong.is_none() {
            self.wrong = set(&mut self).err().map(|error| error.reason().clone());
        }
        self
    }
}

impl<C: sealed::Client> Clone for ClientBuilder<C> {
    fn clone(&self) -> Self {
        ClientBuilder {
            options: self.options.clone(),
            policy: self.policy.clone(),
            own: self.own.clone(),
            wrong: self.wrong.clone(),
        }
    }
}

impl<C: sealed::Client> fmt::Debug for ClientBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("options", &self.options)
            .field("policy", &self.policy)
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

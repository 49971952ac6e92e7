//! What is shared by all requests of a client: the pool, its configuration, what is known about origins.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Version;

use super::middleware::Hooks;
use super::registry::{Found, Registry};
use super::request::ShownHeaders;
use crate::auth::{Auth, Netrc};
use crate::cookies::CookieStore;
use crate::dial::{self, DialContext, Target};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::exchange::{Common, Wire};
use crate::headers::Headers;
use crate::net::abort::AbortCell;
use crate::net::transport::Transport;
use crate::observe::Observer;
use crate::pool::gate::{Gate, Watch};
use crate::pool::key::{Connection, ConnectionConfig, PoolKey};
use crate::pool::parts::Settings;
use crate::pool::{PoolGate, PoolLease, PoolPermit};
use crate::redirect;
use crate::retry::Retry;
use crate::time::{Deadline, Timeout};
use crate::url::{Origin, Origins, Url};

/// What an engine is built from.
#[derive(Clone, Debug)]
pub(crate) struct EngineConfig {
    pub(crate) settings: Settings,
    pub(crate) probe_after: Duration,
    pub(crate) pool_timeout: Option<Duration>,
    pub(crate) connection: ConnectionConfig,
    pub(crate) num_pools: Option<usize>,
    pub(crate) observer: Observer,
}

/// How the requests of one kind of client differ from those of another.
#[derive(Clone, Default)]
pub(crate) struct Policy {
    /// Sent with every request that does not have a field of the same name.
    pub(crate) headers: Headers,
    pub(crate) timeout: Timeout,
    pub(crate) common: Arc<Common>,
    /// The `Accept: */*` that a Session sends.
    pub(crate) accept: bool,
    /// The codings that can be decoded are asked for, as a Session does.
    pub(crate) ask_coded: bool,
    /// Coded bodies are handed out as they come.
    pub(crate) keep_coded: bool,
    /// A body that nobody said anything about is said to be a text or bytes.
    pub(crate) content_type: bool,
    /// Every connection is closed after its request.
    pub(crate) close: bool,
    /// Fields that are not added by themselves.
    pub(crate) skip: Vec<Box<str>>,
    pub(crate) cookies: Option<Arc<dyn CookieStore>>,
    pub(crate) auth: Option<Auth>,
    /// Where there is no `auth`.
    pub(crate) netrc: Option<Netrc>,
    /// Whether redirects are followed, and how many in place of the usual.
    pub(crate) follow: bool,
    pub(crate) max_redirects: Option<u32>,
    pub(crate) rules: redirect::Rules,
    /// Fields that do not follow a redirect to another origin, besides those that say who the caller is.
    pub(crate) sensitive: Vec<Box<str>>,
    /// Redirects count as retries, and their limit is the policy's for those.
    pub(crate) counts_redirects: bool,
    /// What is tried again, but for the silent replay.
    pub(crate) retry: Option<Retry>,
    /// A request with headers of its own is sent without the client's.
    pub(crate) replaces_headers: bool,
    /// A caller's Content-Encoding asks for its coding.
    pub(crate) compresses: bool,
    /// In place of the engine's way of connecting.
    pub(crate) connection: Option<Arc<ConnectionConfig>>,
    /// The client is a pool of this origin.
    pub(crate) home: Option<Arc<Origin>>,
    /// A status from 400 is an error.
    pub(crate) raise: bool,
    /// A request that dies with an idle connection is not sent again.
    pub(crate) no_replay: bool,
    pub(crate) hooks: Hooks,
    /// In place of HTTP/1.1.
    pub(crate) version: Option<Version>,
    /// What relative URLs are resolved against.
    pub(crate) base_url: Option<Url>,
    /// The client has let go of its pools.
    pub(crate) detached: Arc<AtomicBool>,
}

impl Policy {
    /// Whether it is of one pool, by itself, which was closed. Of a session that was detached what had begun goes on.
    pub(crate) fn is_closed_pool(&self) -> bool {
        self.home.is_some() && self.detached.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field(
                "headers",
                &ShownHeaders(
                    &self.headers,
                    [&self.sensitive, self.retry.as_ref().map_or(&[], |retry| retry.sensitive())],
                ),
            )
            .field("timeout", &self.timeout)
            .field("auth", &self.auth)
            .field("cookies", &self.cookies)
            .field("hooks", &self.hooks)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) gate: Arc<PoolGate>,
    pub(crate) origins: Origins,
    pub(crate) pool_timeout: Option<Duration>,
    pub(crate) connection: Arc<ConnectionConfig>,
    pub(crate) registry: Registry,
    pub(crate) observer: Observer,
}

impl Engine {
    pub(crate) fn new(config: EngineConfig) -> Arc<Engine> {
        let observer = config.observer;
        let watch: Box<dyn Watch<PoolKey>> = Box::new(observer.clone());
        Arc::new(Engine {
            gate: Gate::new(config.settings, config.probe_after, Some(watch)),
            origins: Origins::default(),
            pool_timeout: config.pool_timeout,
            connection: Arc::new(config.connection),
            registry: Registry::new(config.num_pools),
            observer,
        })
    }

    /// The pool of an origin, by the policy's way of connecting.
    #[inline]
    pub(crate) fn key(&self, origin: &Arc<Origin>, policy: &Policy) -> PoolKey {
        let config = policy.connection.as_ref().unwrap_or(&self.connection);
        // A pool that was given out by itself comes back as what it was.
        let closed = || policy.connection.as_ref().map(|_| policy.detached.clone());
        self.registry.known(origin, config).unwrap_or_else(|| self.pool(origin, config, closed()).0)
    }

    /// The same, with what says that this pool was closed. A pool that has to go for it loses what is idle.
    #[cold]
    pub(crate) fn pool(
        &self,
        origin: &Arc<Origin>,
        config: &Arc<ConnectionConfig>,
        closed: Option<Arc<AtomicBool>>,
    ) -> (PoolKey, Arc<AtomicBool>) {
        let Found { key, closed, retired } = self.registry.pool(origin, config, closed, |key| self.gate.pin(key));
        if let Some(retired) = retired {
            self.gate.retire(&retired.key);
        }
        (key, closed)
    }

    /// Opens the connection a permit stands for. On failure the permit's unit goes to the next in line.
    pub(crate) fn open(
        &self,
        permit: PoolPermit,
        key: &PoolKey,
        deadline: Deadline,
        timeout: &Timeout,
    ) -> Result<PoolLease> {
        let cell = permit.abort_cell();
        let dial = self.observer.dialing(key.origin());
        match self.dial(&cell, key, deadline, timeout) {
            Ok(wire) => {
                let record = dial.opened();
                cell.name(record.id());
                Ok(permit.opened(Box::new(Connection { wire, cell, record })))
            }
            Err(error) => {
                dial.failed(&error);
                Err(error)
            }
        }
    }

    fn dial(&self, cell: &Arc<AbortCell>, key: &PoolKey, deadline: Deadline, timeout: &Timeout) -> Result<Wire> {
        let (context, config) = (DialContext::new(deadline, timeout, cell), key.config());
        let target = Target::new(key.origin());
        let wire = match &config.dialer {
            None => dial::direct(&target, &config.tls, &config.sockets, &context)?,
            Some(dialer) => {
                let wire = Wire::of(dialer.dial(&target, &context)?, cell);
                if target.is_encrypted() && !wire.info().encrypted {
                    return Err(Error::new(ErrorKind::Tls, Phase::Tls)
                        .with_source("the dialer gave a connection that is not encrypted for an https URL"));
                }
                wire
            }
        };
        if context.wait().is_cancelled() {
            return Err(Error::new(ErrorKind::Closed, Phase::Connect));
        }
        Ok(wire)
    }
}

impl Drop for Engine {
    /// The last clone of the client is gone: what is idle is closed. What is out goes on, and is closed when it comes
    /// back.
    fn drop(&mut self) {
        self.gate.close(false);
    }
}

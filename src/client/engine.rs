//! The state that all requests of a client share: the pools, their configuration, and the known origins.

use std::panic::RefUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::reach::Reach;
use crate::cookies::CookieJar;
use crate::dial::{self, DialContext, Means, Opened, OtherWays, Route, Target};
use crate::error::{Bound, Error, ErrorKind, Phase, Reason, Result, TlsFailure, TlsFault};
use crate::exchange::{Common, Wire};
use crate::net::abort::{AbortCell, OwnCell};
use crate::net::descriptors;
use crate::net::names::Cache;
use crate::net::transport::Transport;
use crate::observe::Observer;
use crate::pool::gate::{Gate, Refused};
use crate::pool::key::{Connection, ConnectionConfig, PoolKey};
use crate::pool::pooled::Watch;
use crate::pool::registry::{Found, Registry, Standing};
use crate::pool::types::Settings;
use crate::pool::{PoolGate, PoolLease, PoolPermit};
use crate::process::{Home, Slot};
use crate::proxy::{ProxyChoice, Setting};
use crate::strictness::Strictness;
use crate::sync::RwLock;
use crate::time::{Timeout, Until};
use crate::tls::TlsConfig;
use crate::urls::{Origin, Origins, Url};
use crate::workers::Workers;

/// How long a worker thread waits for another request before it ends.
const IDLE_WORKER_LIFE: Duration = Duration::from_secs(10);

/// The settings that an engine is built from.
#[derive(Clone, Debug, Default)]
pub(crate) struct EngineConfig {
    pub(crate) settings: Settings,
    pub(crate) probe_after: Duration,
    pub(crate) pool_timeout: Option<Duration>,
    pub(crate) connection: ConnectionConfig,
    pub(crate) num_pools: Option<usize>,
    pub(crate) observer: Observer,
    pub(crate) fork_guard: bool,
    pub(crate) workers: usize,
    pub(crate) proxy: Option<Setting>,
    /// No connection is used again.
    pub(crate) force_close: bool,
    /// Bounds the opening of a connection, whatever client asks for it.
    pub(crate) conn_timeout: Option<Duration>,
    /// The jar of the sessions that use this engine and have no jar of their own.
    pub(crate) shared_jar: Option<CookieJar>,
}

/// What a call wants of the connection that is opened for it.
#[derive(Clone, Copy)]
pub(crate) struct Dialing<'a> {
    pub(crate) until: Until<'a>,
    pub(crate) timeout: &'a Timeout,
    pub(crate) common: &'a Common,
    pub(crate) strictness: Strictness,
    /// The User-Agent that a proxy is told.
    pub(crate) user_agent: Option<&'a [u8]>,
}

/// Holds the state that all requests of a client share.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) gate: Arc<PoolGate>,
    pub(crate) origins: Origins,
    pub(crate) pool_timeout: Option<Duration>,
    /// The settings of connections that the client was built with.
    connection: Arc<ConnectionConfig>,
    /// Set once other settings have taken their place.
    is_replaced: AtomicBool,
    /// The settings in their place.
    replacement: RwLock<Option<Arc<ConnectionConfig>>>,
    pub(crate) registry: Registry,
    pub(crate) observer: Observer,
    pub(crate) force_close: bool,
    pub(crate) conn_timeout: Option<Duration>,
    pub(crate) shared_jar: Option<CookieJar>,
    /// How often all calls were cancelled.
    cancelled: AtomicU64,
    /// The proxy of requests whose client says nothing about it.
    proxy: Option<Setting>,
    /// The process that made the engine, if each request checks it.
    guard: Option<Home>,
    /// The threads for requests that are submitted. They start when they are needed.
    workers: Slot<Workers>,
    worker_limit: usize,
}

// A panic leaves it whole, as it does the gate, and nothing else in it changes by the caller's code.
impl RefUnwindSafe for Engine {}

impl Engine {
    pub(crate) fn new(config: EngineConfig) -> Arc<Engine> {
        let observer = config.observer;
        let watch: Box<dyn Watch<PoolKey>> = Box::new(observer.clone());
        Arc::new(Engine {
            gate: Gate::new(config.settings, config.probe_after, Some(watch)),
            origins: Origins::default(),
            pool_timeout: config.pool_timeout,
            connection: Arc::new(config.connection),
            is_replaced: AtomicBool::new(false),
            replacement: RwLock::new(None),
            registry: Registry::new(config.num_pools),
            observer,
            force_close: config.force_close,
            conn_timeout: config.conn_timeout,
            shared_jar: config.shared_jar,
            cancelled: AtomicU64::new(0),
            proxy: config.proxy,
            guard: config.fork_guard.then(Home::here),
            workers: Slot::new(),
            worker_limit: config.workers,
        })
    }

    /// Fails if another process made this engine, and [`fork_guard`](crate::ClientBuilder::fork_guard) is on. The lock of
    /// the pool is not touched: a thread that only the parent has may hold it.
    #[inline]
    pub(super) fn check_process(&self) -> Result<()> {
        match self.guard {
            Some(home) if !home.is_here() => {
                Err(Error::config("the client was made before a fork, by another process"))
            }
            _ => Ok(()),
        }
    }

    /// Returns the threads for requests that are submitted.
    pub(crate) fn workers(&self) -> Workers {
        let thread = || thread::Builder::new().name("hostpool-worker".to_owned());
        self.workers.get_or(|| Workers::new(thread, self.worker_limit, IDLE_WORKER_LIFE))
    }

    /// Uses the connection settings that a client with this reach has now.
    #[inline(always)]
    pub(super) fn with_config<T>(&self, reach: &Reach, run: impl FnOnce(&Arc<ConnectionConfig>) -> T) -> T {
        let replacement;
        let config = match &reach.connection {
            Some(config) => config,
            None if self.is_replaced.load(Ordering::Acquire) => {
                replacement = self.connection();
                &replacement
            }
            None => &self.connection,
        };
        run(config)
    }

    /// Returns the cache of name lookups, if there is one.
    pub(crate) fn lookups(&self) -> Option<&Cache> {
        self.connection.tcp.names.cache.as_deref()
    }

    /// Returns the way to an origin for a request to a URL, and the ways that are tried if nothing can be reached by it.
    /// `setting` is what the request or its client says about a proxy.
    ///
    /// # Errors
    ///
    /// Those of [`Setting::choose`].
    #[inline(always)]
    pub(crate) fn route(&self, setting: Option<&Setting>, origin: &Arc<Origin>, url: &Url) -> Result<Ways> {
        match setting.or(self.proxy.as_ref()) {
            None | Some(Setting::Direct) => Ok((Route::to(origin), None)),
            Some(Setting::One(proxy)) => Ok((Route::through(proxy, origin), None)),
            Some(setting) => choose(setting, origin, url),
        }
    }

    /// Returns the choice for a URL, for the caller to look at.
    pub(crate) fn proxy_for(&self, setting: Option<&Setting>, url: &Url) -> Result<ProxyChoice> {
        setting.or(self.proxy.as_ref()).map_or_else(|| Ok(ProxyChoice::direct()), |setting| setting.choose(url))
    }

    /// Returns whether a function of the caller's chooses the proxy.
    pub(super) fn asks_for_proxy(&self, setting: Option<&Setting>) -> bool {
        matches!(setting.or(self.proxy.as_ref()), Some(Setting::Function(_)))
    }

    /// Returns whether a client of these pools may go by the environment. It may not if code has said which proxy is used,
    /// or if the environment was read already, and where no connection goes through a proxy.
    pub(crate) fn takes_environment(&self) -> bool {
        self.proxy.is_none() && self.connection.dialer.is_none() && self.connection.socket.is_none()
    }

    /// Returns whether requests with this setting may go through a proxy, although not each of them does.
    pub(crate) fn may_use_proxy(&self, setting: Option<&Setting>) -> bool {
        setting.or(self.proxy.as_ref()).is_some_and(|setting| !setting.is_direct())
    }

    /// Returns the settings of connections that a client without settings of its own uses now.
    #[cold]
    pub(crate) fn connection(&self) -> Arc<ConnectionConfig> {
        self.replacement.read().as_ref().unwrap_or(&self.connection).clone()
    }

    /// Replaces the TLS configuration. Connections of the old one are not used again: idle ones are closed here, and
    /// those in use when they come back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] if a dialer opens the connections.
    pub(crate) fn set_tls(&self, tls: TlsConfig) -> Result<()> {
        if self.connection.dialer.is_some() {
            return Err(Error::config("a dialer does TLS by itself, so its configuration cannot be replaced here"));
        }
        let mut replacement = self.replacement.write();
        let old = replacement.as_ref().unwrap_or(&self.connection).clone();
        if old.tls == tls {
            return Ok(());
        }
        *replacement = Some(Arc::new(ConnectionConfig { tls, ..ConnectionConfig::clone(&old) }));
        self.is_replaced.store(true, Ordering::Release);
        drop(replacement);
        for retired in self.registry.take_encrypted(&old) {
            self.gate.retire(&retired.key);
        }
        Ok(())
    }

    /// Returns the key of the route's pool, which may be a new one.
    #[inline(always)]
    pub(super) fn key(&self, route: &Route, config: &Arc<ConnectionConfig>) -> PoolKey {
        // Nearly all requests find their pool, and a pool that is found is not changed.
        match self.registry.known(route, config) {
            Some(key) => key,
            None => self.pool(route, config).0,
        }
    }

    /// Returns the key of the route's pool, and the flag that is set when this pool is closed. A new pool may retire
    /// the least recently used one, whose idle connections are closed here.
    #[cold]
    pub(crate) fn pool(&self, route: &Route, config: &Arc<ConnectionConfig>) -> (PoolKey, Arc<Standing>) {
        let Found { key, closed, retired } = self.registry.pool(route, config, &self.gate);
        if let Some(retired) = retired {
            self.gate.retire(&retired.key);
        }
        (key, closed)
    }

    /// Ends all calls that have begun.
    pub(crate) fn cancel_all(&self) {
        // A call that is between two waits finds this before its next one.
        self.cancelled.fetch_add(1, Ordering::SeqCst);
        self.gate.cancel_all(None);
    }

    /// Returns how often all calls that have this reach were cancelled.
    #[inline]
    pub(super) fn cancelled(&self, reach: &Reach) -> u64 {
        let of_pool = reach.standing.as_ref().map_or(0, |standing| standing.cancelled());
        self.cancelled.load(Ordering::Acquire).wrapping_add(of_pool)
    }

    /// Sleeps between two tries.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] if the client is closed during the sleep, and [`ErrorKind::Cancelled`] if the call is
    /// cancelled.
    pub(super) fn pause(&self, reach: &Reach, wait: Duration, until: Until<'_>, begun: u64) -> Result<()> {
        if wait.is_zero() {
            return Ok(());
        }
        // A wait that the clock cannot represent ends the call at once.
        let ends = until.or_within(Some(wait), Bound::Total).at();
        let parked = match ends {
            Some(ends) => {
                let stays = || !reach.is_closed_pool() && self.cancelled(reach) == begun;
                self.gate.park_while(ends, until, stays)
            }
            None => Err(Refused::Closed),
        };
        if parked.is_ok() {
            return Ok(());
        }
        let all = if self.cancelled(reach) == begun { reach.closed() } else { Reason::all_cancelled() };
        Err(until.cancelled(Phase::Backoff).unwrap_or_else(|| Error::new(all, Phase::Backoff)))
    }

    /// Opens the connection that the permit allows. If that fails, the slot of the permit goes to the next waiter.
    pub(crate) fn open(&self, mut permit: PoolPermit, key: &PoolKey, dialing: &Dialing<'_>) -> Result<PoolLease> {
        let cell = OwnCell::new(permit.begin_dial());
        let dial = self.observer.dialing(key.origin());
        cell.name(dial.id());
        let registered = dialing.until.register(|| cell.blocked());
        let dialed = self.dial(&cell, key, dialing);
        drop(registered);
        match dialed {
            Ok(Opened { wire, tunnel }) => {
                let record = dial.opened(tunnel.as_deref());
                if key.config().dialer.is_none() {
                    cell.set_own();
                }
                Ok(permit.opened(Box::new(Connection { wire, cell, tunnel, record })))
            }
            Err(error) => {
                dial.failed(&error);
                Err(error)
            }
        }
    }

    /// Dials. While the process lacks file descriptors, it closes the oldest idle connection and dials again.
    fn dial(&self, cell: &Arc<AbortCell>, key: &PoolKey, dialing: &Dialing<'_>) -> Result<Opened> {
        let until = dialing.until.or_within(self.conn_timeout, Bound::Connect);
        let context = DialContext::begin(until, dialing.timeout, cell);
        loop {
            match Engine::dial_once(&context, cell, key, dialing) {
                // An idle connection is worth less than this call. Its phases go on under the same bounds.
                Err(error) if descriptors::are_lacking_for(&error) && !error.ends_call() && !context.is_past() => {
                    if !self.gate.close_oldest_idle() {
                        return Err(error);
                    }
                }
                result => return result,
            }
        }
    }

    fn dial_once(
        context: &DialContext<'_>,
        cell: &Arc<AbortCell>,
        key: &PoolKey,
        dialing: &Dialing<'_>,
    ) -> Result<Opened> {
        let (config, target) = (key.config(), Target::new(key.route()));
        let opened = match &config.dialer {
            None => {
                let Dialing { common, strictness, user_agent, .. } = *dialing;
                let (tls, tcp, socket) = (&config.tls, &config.tcp, config.socket.as_deref());
                let means = Means { tls, tcp, socket, cell, common, strictness, user_agent };
                dial::open(key.route(), &means, context)?
            }
            Some(_) if key.route().proxy().is_some() => {
                return Err(Error::config("a dialer opens connections by itself, and knows of no proxy"));
            }
            Some(dialer) => {
                let wire = Wire::of(dialer.dial(&target, context)?, cell);
                if target.is_encrypted() && !wire.info().encrypted {
                    let why = "the dialer gave a connection that is not encrypted for an https URL";
                    return Err(Error::new(ErrorKind::Tls, Phase::Tls).with_source(TlsFailure::new(
                        TlsFault::NotEncrypted,
                        why,
                        true,
                    )));
                }
                wire.into()
            }
        };
        let closed = || ErrorKind::Closed.because("the pool was closed during the call");
        // A request is not written to a connection whose call has ended.
        context.wait().ended(Phase::Connect, closed).map_or(Ok(opened), Err)
    }
}

/// The way to an origin, and those that are tried if nothing can be reached by it.
pub(crate) type Ways = (Route, Option<Box<OtherWays>>);

/// Returns the ways that rules or a function choose.
#[cold]
fn choose(setting: &Setting, origin: &Arc<Origin>, url: &Url) -> Result<Ways> {
    // The pool of one host sends the requests for all others to it.
    let choice = match url.shared_origin() == origin {
        true => setting.choose(url)?,
        false => setting.choose(&url.at(origin)?)?,
    };
    Route::chosen(choice, origin).ok_or_else(|| Error::config("the choice of a proxy is empty"))
}

impl Drop for Engine {
    /// Closes the idle connections, because the last clone of the client is gone. Connections in use go on; each is
    /// closed when it is returned. Idle worker threads end.
    fn drop(&mut self) {
        self.gate.close(false);
        if let Some(workers) = self.workers.take() {
            workers.end();
        }
    }
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;

    /// Idle workers do not wait for the end of their life.
    #[test]
    fn the_workers_end_with_the_client() {
        let engine = Engine::new(EngineConfig { workers: 4, ..EngineConfig::default() });
        let workers = engine.workers();
        assert!(workers.limit() == 4 && !workers.is_over());
        drop(engine);
        assert!(workers.is_over());
    }
}

//! The connections that a client may use, and whether it may still use them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{ErrorKind, Reason};
use crate::pool::key::ConnectionConfig;
use crate::pool::registry::Standing;
use crate::urls::Origin;

/// Says which connections a client may use, and whether it may still use them.
#[derive(Clone, Default)]
pub(crate) struct Reach {
    /// Replaces the connection settings of the engine.
    pub(crate) connection: Option<Arc<ConnectionConfig>>,
    /// The origin of the pool, if the client is one `ConnectionPool`.
    pub(crate) home: Option<Arc<Origin>>,
    /// Set when the session is closed or detached. The session begins no further call; calls that have begun go on.
    pub(crate) session_detached: Arc<AtomicBool>,
    /// What was done to the pool, if the client is one pool of a `PoolManager`. After a close, calls that have begun end
    /// at their next request.
    pub(crate) standing: Option<Arc<Standing>>,
}

impl Reach {
    /// Returns whether the pool of the client was closed.
    pub(crate) fn is_closed_pool(&self) -> bool {
        self.standing.as_ref().is_some_and(|standing| standing.is_closed())
    }

    /// Returns the reason of a call that the client does not begin or go on with: it says what was closed.
    #[cold]
    pub(crate) fn closed(&self) -> Reason {
        ErrorKind::Closed.because(match (self.session_detached.load(Ordering::Relaxed), &self.home) {
            (true, _) => "the session is closed",
            (false, Some(_)) => "the pool is closed",
            (false, None) => "the pool manager is closed",
        })
    }

    /// Returns whether the client begins no further call.
    pub(crate) fn is_closed(&self) -> bool {
        self.session_detached.load(Ordering::Relaxed) || self.is_closed_pool()
    }
}

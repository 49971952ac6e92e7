//! The gate's requirements of a connection, and the watch that it tells about waits.

use std::time::Duration;

use crate::close_reason::CloseReason;
use crate::net::transport::Probe;
use crate::time::Stamp;

/// A connection, as the gate uses it. Its drop closes it.
pub(crate) trait Pooled: Send + 'static {
    /// Returns whether the idle connection may carry a request; if not, why. Must not block.
    fn probe(&self) -> Result<(), CloseReason>;

    /// Notes that a caller got the connection. `since` is the time at which it came back from its last use; `None` for
    /// a new connection.
    fn begin_use(&mut self, since: Option<Stamp>);

    /// Ends this use, so that an abort of this use cannot hit the next one. Returns false if it was aborted: the
    /// connection must not be used again.
    #[must_use]
    fn end_use(&mut self) -> bool;

    /// Returns whether the connection was aborted while nobody used it, as an end of all calls may do that meets it on
    /// its way into the pool.
    fn is_aborted(&self) -> bool;

    /// Notes why the connection is about to be closed.
    fn ends(&mut self, reason: CloseReason);

    /// Reports that the connection is closed because the pool is full. `count` is the number of such closes of its key
    /// so far, this one included.
    fn report_surplus(&self, count: u64);
}

/// Is told about waits. Called without the lock.
pub(crate) trait Watch<K>: Send + Sync {
    fn waiting(&self, key: &K);
    fn waited(&self, key: &K, waited: Duration, granted: bool);

    /// A caller is about to wait without bound although its thread has connection `held`, for which it waits among
    /// others. `certain` if the thread has all of them.
    fn waits_for_itself(&self, key: &K, held: u64, certain: bool);
}

/// Returns whether an idle connection with this probe is kept; if not, why.
pub(super) fn verdict(probe: Probe) -> Result<(), CloseReason> {
    match probe {
        Probe::Quiet => Ok(()),
        Probe::Readable => Err(CloseReason::UnexpectedBytes),
        Probe::Dead => Err(CloseReason::PeerClosed),
    }
}

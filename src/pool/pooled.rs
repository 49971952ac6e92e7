//! What the gate asks of a connection, and whom it tells of waits.

use std::time::Duration;

use crate::close_reason::CloseReason;
use crate::net::transport::Probe;
use crate::time::Stamp;

/// What the gate asks of a connection; closing it is its `Drop`.
pub(crate) trait Pooled: Send + 'static {
    /// Whether a request may be sent on it after it sat idle; if not, why. Must not block.
    fn probe(&self) -> Result<(), CloseReason>;

    /// A caller has it now, and had come back from its last at that time; `None` for a new one.
    fn begin_use(&mut self, since: Option<Stamp>);

    /// Tells apart this use of the connection from the next, so that an abort of this one cannot hit that.
    fn end_use(&mut self);

    /// It is about to be closed, for that reason.
    fn ends(&mut self, reason: CloseReason);

    /// It is closed because the pool is full, as were so many of its key so far, this one included.
    fn report_surplus(&self, count: u64);
}

/// Is told who waits. Called without the lock.
pub(crate) trait Watch<K>: Send + Sync {
    fn waiting(&self, key: &K);
    fn waited(&self, key: &K, waited: Duration, granted: bool);

    /// A caller is about to wait without bound, while its thread has a connection of those it waits for; `certain` if
    /// it has them all.
    fn waits_for_itself(&self, key: &K, held: u64, certain: bool);
}

/// What becomes of an idle connection that looks like this.
pub(super) fn verdict(probe: Probe) -> Result<(), CloseReason> {
    match probe {
        Probe::Quiet => Ok(()),
        Probe::Readable => Err(CloseReason::UnexpectedBytes),
        Probe::Dead => Err(CloseReason::PeerClosed),
    }
}

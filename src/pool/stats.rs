//! The state of a pool and its counts.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use crate::close_reason::CloseReason;

/// The state of a pool and its counts since it was built.
///
/// ```
/// # use hostpool::ConnectionPool;
/// let pool = ConnectionPool::builder("http://127.0.0.1:1").build()?;
/// assert!(pool.get("/").retries(0).send().is_err());
/// let stats = pool.stats();
/// assert_eq!((stats.open, stats.created, stats.dial_failures), (0, 0, 1));
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Connections that are open, being opened or being closed.
    pub open: usize,
    /// Connections that are idle. `open` includes them.
    pub idle: usize,
    /// Connections that a request or a response uses, and those that are being closed. `open` includes them.
    pub in_use: usize,
    /// Connections that are being opened. `open` includes them.
    pub dialing: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
    /// Connections opened.
    #[doc(alias = "num_connections")]
    pub created: u64,
    /// Times a connection was used again, hand-overs included.
    pub reused: u64,
    /// Times a connection went from one caller directly to the next in the queue.
    pub handed_over: u64,
    /// Requests sent a second time because the idle connection they were sent on had died.
    pub replayed: u64,
    /// Attempts to open a connection that failed.
    pub dial_failures: u64,
    /// Callers that gave up waiting.
    pub timeouts: u64,
    /// The time that all callers together spent in the queue.
    pub waited_total: Duration,
    /// The longest time one caller spent in the queue.
    pub waited_max: Duration,
    pub(super) closed: Closed,
}

/// Connections closed, by reason.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Closed([u64; CloseReason::ALL.len()]);

impl fmt::Debug for Closed {
    /// Shows the reasons that occurred.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = CloseReason::ALL.iter().zip(self.0);
        f.debug_map().entries(counts.filter(|(_, count)| *count > 0)).finish()
    }
}

impl PoolStats {
    /// Returns the number of connections closed for this reason.
    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.closed.0[reason as usize]
    }

    pub(crate) fn count_closed(&mut self, reason: CloseReason) {
        self.closed.0[reason as usize] += 1;
    }

    pub(crate) fn count_wait(&mut self, waited: Duration) {
        self.waited_total = self.waited_total.saturating_add(waited);
        self.waited_max = self.waited_max.max(waited);
    }
}

/// The counts of one key. Those of a connection that is opened and used again are here. The others are made with the
/// first of them, because they are large and most keys of a client with many hosts have none.
#[derive(Debug, Default)]
pub(super) struct KeyCounts {
    pub(super) created: u64,
    pub(super) reused: u64,
    others: Option<Box<PoolStats>>,
    shown: Shown,
}

impl KeyCounts {
    pub(super) fn others(&mut self) -> &mut PoolStats {
        self.others.get_or_insert_default()
    }

    pub(super) fn closed(&self, reason: CloseReason) -> u64 {
        self.others.as_ref().map_or(0, |others| others.closed(reason))
    }

    pub(super) fn stats(&self) -> PoolStats {
        let others = self.others.as_deref().copied().unwrap_or_default();
        self.shown.of(PoolStats { created: self.created, reused: self.reused, ..others })
    }
}

/// The highest `reused` that was reported. A connection counts as reused when it is given out, and no longer if the
/// look at it finds it dead. A reader in between must not see the count fall.
#[derive(Debug, Default)]
pub(super) struct Shown(Cell<u64>);

impl Shown {
    pub(super) fn of(&self, stats: PoolStats) -> PoolStats {
        self.0.set(self.0.get().max(stats.reused));
        PoolStats { reused: self.0.get(), ..stats }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_count() {
        for (number, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
            let mut stats = PoolStats::default();
            stats.count_closed(reason);
            assert_eq!(stats.closed(reason), 1);
            assert!(format!("{stats:?}").ends_with(&format!("closed: {{{reason:?}: 1}} }}")));
        }
    }
}

//! How long a call waits between two tries.

use std::time::Duration;

use crate::error::{Attempt, RetryCause};

/// How chance changes the wait between two tries. Without chance it is `factor * 2^n`.
///
/// Clients that failed together and wait equally long fail together again. With [`Added`](Jitter::Added) the first
/// retry still comes at once; with the others it waits, too.
///
/// ```
/// use hostpool::{Jitter, Retry};
/// use std::time::Duration;
///
/// let retry = Retry::new(5).backoff_factor(Duration::from_millis(100)).jitter(Jitter::Decorrelated);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Jitter {
    /// Chance changes nothing.
    #[default]
    None,
    /// Adds a time between zero and this, as urllib3's `backoff_jitter` does.
    Added(Duration),
    /// Takes a time between zero and the whole wait.
    Full,
    /// Takes a time between half of the wait and the whole.
    Equal,
    /// Takes a time between the factor and three times the wait before, whatever the number of tries. The waits of two
    /// clients soon have nothing in common.
    Decorrelated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backoff {
    pub(super) factor: Duration,
    pub(super) max: Duration,
    pub(super) jitter: Jitter,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { factor: Duration::ZERO, max: Duration::from_secs(120), jitter: Jitter::None }
    }
}

impl Backoff {
    /// Returns the wait after these tries. `chance` is any number.
    pub(super) fn wait(&self, history: &[Attempt], chance: u64) -> Duration {
        let run = history.iter().rev().take_while(|past| !matches!(past.cause, RetryCause::Redirect { .. })).count();
        // A `Duration` cannot hold more doublings than this.
        let doublings = u32::try_from(run).unwrap_or(u32::MAX).saturating_sub(1).min(63);
        let base = scale(self.factor, 1 << doublings);
        let wait = match self.jitter {
            _ if run == 0 => Duration::ZERO,
            Jitter::None | Jitter::Added(_) if run == 1 => Duration::ZERO,
            Jitter::None => base,
            Jitter::Added(most) => base.saturating_add(part(most, chance)),
            Jitter::Full => part(base.min(self.max), chance),
            Jitter::Equal => {
                let half = base.min(self.max) / 2;
                half + part(half, chance)
            }
            Jitter::Decorrelated => {
                // The last try has no wait yet, because it is computed here. The one before has.
                let before = history.iter().rev().nth(1).filter(|_| run > 1).map_or(self.factor, |past| past.waited);
                let most = before.max(self.factor).saturating_mul(3);
                self.factor.saturating_add(part(most.saturating_sub(self.factor), chance))
            }
        };
        wait.min(self.max)
    }
}

fn scale(duration: Duration, by: u64) -> Duration {
    let nanos = duration.as_nanos().saturating_mul(u128::from(by));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Returns a time between zero and `most`.
fn part(most: Duration, chance: u64) -> Duration {
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    // The upper half of the product is below `nanos + 1`, and as evenly distributed as `chance`.
    let share = ((u128::from(nanos) + 1) * u128::from(chance)) >> 64;
    Duration::from_nanos(u64::try_from(share).unwrap_or(nanos))
}

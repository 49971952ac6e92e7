//! How long is waited between two tries.

use std::time::Duration;

use crate::error::{Attempt, RetryCause};

/// How chance changes the wait between two tries, which without it is `factor * 2^n`.
///
/// Clients that failed together and wait equally long fail together again. With [`Added`](Jitter::Added) the first
/// retry comes at once all the same; with the others it waits, too.
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
    /// Not at all.
    #[default]
    None,
    /// Adds between nothing and this, as urllib3's `backoff_jitter` does.
    Added(Duration),
    /// Between nothing and all of the wait.
    Full,
    /// Between half of the wait and all of it.
    Equal,
    /// Between the factor and three times the wait before, whatever the number of tries: the waits of two clients soon
    /// have nothing in common.
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
    /// The wait after these tries; `chance` is any number.
    pub(super) fn wait(&self, history: &[Attempt], chance: u64) -> Duration {
        let run = history.iter().rev().take_while(|past| !matches!(past.cause, RetryCause::Redirect { .. })).count();
        // The doublings that a `Duration` holds are fewer.
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
                // The wait after the last try is what is being found; that after the one before is known.
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

/// Between nothing and all of it.
fn part(most: Duration, chance: u64) -> Duration {
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    // The upper half of the product is below `nanos + 1`, and as evenly spread as chance is.
    let share = ((u128::from(nanos) + 1) * u128::from(chance)) >> 64;
    Duration::from_nanos(u64::try_from(share).unwrap_or(nanos))
}

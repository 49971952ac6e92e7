//! A bound on retries that many requests share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Limits the retries of all requests of a client together, so that they cannot multiply the load on a server that
/// fails.
///
/// A budget is a bucket of retries that is full at first. Each retry takes one out. Each call puts a part of one in, a
/// tenth by default. While the bucket is empty nothing is tried again, and a call ends as if its retries were used up:
/// during an outage a client sends a tenth more than its calls, and not four times as much. Redirects take nothing.
///
/// Clones share the bucket.
///
/// ```
/// use hostpool::{PoolManager, Retry, RetryBudget};
///
/// let budget = RetryBudget::new(20);
/// let http = PoolManager::builder().retries(Retry::new(3).budget(&budget)).build()?;
/// assert_eq!(budget.left(), 20);
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone)]
pub struct RetryBudget(Arc<Bucket>);

struct Bucket {
    /// The content, in hundredths of a retry.
    tokens: AtomicU64,
    most: u64,
    deposit: u64,
}

const RETRY: u64 = 100;

impl RetryBudget {
    /// Makes a full bucket of this many retries. Each call puts a tenth of one in.
    pub fn new(retries: u32) -> RetryBudget {
        let most = u64::from(retries) * RETRY;
        RetryBudget(Arc::new(Bucket { tokens: AtomicU64::new(most), most, deposit: RETRY / 10 }))
    }

    /// Makes a full bucket of the same size that gains this many retries for every hundred calls. It is not shared with
    /// `self`.
    pub fn per_hundred_calls(self, retries: u32) -> RetryBudget {
        let most = self.0.most;
        RetryBudget(Arc::new(Bucket { tokens: AtomicU64::new(most), most, deposit: u64::from(retries) }))
    }

    /// Returns how many retries the bucket holds.
    pub fn left(&self) -> u32 {
        u32::try_from(self.0.tokens.load(Ordering::Relaxed) / RETRY).unwrap_or(u32::MAX)
    }

    /// Notes that a call has begun.
    pub(crate) fn deposit(&self) {
        let Bucket { tokens, most, deposit } = &*self.0;
        let _ = tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |there| {
            (there < *most).then(|| there.saturating_add(*deposit).min(*most))
        });
    }

    /// Takes a retry out, if there is one.
    pub(crate) fn take(&self) -> bool {
        let taken = self.0.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |there| there.checked_sub(RETRY));
        taken.is_ok()
    }
}

impl From<&RetryBudget> for RetryBudget {
    /// Returns the same budget.
    fn from(budget: &RetryBudget) -> RetryBudget {
        budget.clone()
    }
}

impl From<Arc<RetryBudget>> for RetryBudget {
    /// Returns the same budget.
    fn from(budget: Arc<RetryBudget>) -> RetryBudget {
        (*budget).clone()
    }
}

impl From<&Arc<RetryBudget>> for RetryBudget {
    /// Returns the same budget.
    fn from(budget: &Arc<RetryBudget>) -> RetryBudget {
        (**budget).clone()
    }
}

impl PartialEq for RetryBudget {
    /// Returns whether both share a bucket.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for RetryBudget {}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RetryBudget({} of {})", self.left(), self.0.most / RETRY)
    }
}

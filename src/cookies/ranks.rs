//! The order in which cookies of a full jar are removed, without a look at all of them.
//!
//! Look-ups use cookies while they share the jar, and cookies are removed in many ways. Neither updates the order here.
//! Therefore a cookie is compared with its rank when its turn comes, and all ranks are made again when most of them are
//! stale.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Ranks of cookies by last use and by end. The earliest come out first.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    by_use: BinaryHeap<Reverse<Rank<u64>>>,
    by_end: BinaryHeap<Reverse<Rank<i64>>>,
}

/// The rank of one state of one cookie.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank<K> {
    pub(super) key: K,
    pub(super) version: u64,
    pub(super) site: Arc<str>,
    pub(super) order: Order,
}

/// The place of a cookie in its site: the length of its path, and the tick of its first set. The longest path comes
/// first, and among equals the oldest.
pub(super) type Order = (Reverse<usize>, u64);

/// One state of one cookie: when it was used last, and when it expires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) version: u64,
    pub(super) used: u64,
    pub(super) ends: Option<i64>,
    pub(super) order: Order,
}

impl Ranks {
    pub(super) fn add(&mut self, site: &Arc<str>, standing: Standing) {
        self.add_use(site, standing);
        if let Some(key) = standing.ends {
            let Standing { version, order, .. } = standing;
            self.by_end.push(Reverse(Rank { key, version, site: site.clone(), order }));
        }
    }

    /// Ranks a cookie by its last use only.
    pub(super) fn add_use(&mut self, site: &Arc<str>, standing: Standing) {
        let Standing { version, used: key, order, .. } = standing;
        self.by_use.push(Reverse(Rank { key, version, site: site.clone(), order }));
    }

    /// Takes out the cookie that expires first, if it has expired.
    pub(super) fn expired(&mut self, now: i64) -> Option<Rank<i64>> {
        let has_come = self.by_end.peek().is_some_and(|Reverse(first)| first.key <= now);
        if has_come { self.by_end.pop().map(|Reverse(first)| first) } else { None }
    }

    /// Takes out the cookie that was the least recently used when it was ranked.
    pub(super) fn least_used(&mut self) -> Option<Rank<u64>> {
        self.by_use.pop().map(|Reverse(first)| first)
    }

    /// Returns whether most ranks are of cookies that are gone, where `kept` cookies are left.
    pub(super) fn are_stale(&self, kept: usize) -> bool {
        self.by_use.len().max(self.by_end.len()) > 2 * kept + 64
    }
}

//! The table of the pools of a client. Each route and each way of connecting has a pool of its own. A table with a
//! limit retires the least recently used pool first.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::contain::drop_contained;
use crate::dial::Route;
use crate::pool::key::{ConnectionConfig, PoolKey, WeakPoolKey};
use crate::pool::types::Prehashed;
use crate::pool::{PoolGate, PoolPin};
use crate::sync::RwLock;
use crate::url::Origin;

/// The fewest pools at which a table without a limit is searched for unused ones. It is enough for the working set of a
/// crawler. Each pool costs about a kilobyte, including the counts that its pin keeps.
const MIN_SWEEP: usize = 1024;

/// The fewest origins at which the pools that are set aside are searched for unused ones.
const MIN_ASIDE_SWEEP: usize = 64;

/// Finds the pool for a route and a way of connecting, and adds it if it is new.
#[derive(Debug)]
pub(crate) struct Registry {
    /// The most pools in the table. Without a limit a pool is forgotten only if it is not in use.
    limit: Option<usize>,
    /// Gives each use of a pool a number, by which the least recently used pool is found.
    clock: AtomicU64,
    pools: RwLock<Pools>,
}

/// The content of the table, under its lock.
#[derive(Debug)]
struct Pools {
    /// The pools by their origin. Few origins have more than one way of connecting.
    by_origin: HashMap<Arc<Origin>, Vec<Entry>, BuildHasherDefault<Prehashed>>,
    /// The number of pools in the table.
    len: usize,
    /// The number of pools at which a table without a limit is searched for unused ones.
    sweep_at: usize,
    /// Pools that are no longer in the table, but that a caller may still hold. A pool that is asked for again comes
    /// back as the same pool.
    aside: HashMap<Arc<Origin>, Vec<Aside>, BuildHasherDefault<Prehashed>>,
    /// The number of origins in `aside` at which it is searched for pools that no caller holds.
    sweep_aside_at: usize,
}

/// A pool that is set aside. The table does not keep it alive.
#[derive(Debug)]
struct Aside {
    key: WeakPoolKey,
    closed: Weak<AtomicBool>,
}

/// A pool in the table. It may be the last owner of a caller's dialer, so it is dropped outside of the lock.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: PoolKey,
    /// The number of the last use.
    used: AtomicU64,
    /// Set when the pool is closed. Every handle of this one pool shares the flag.
    closed: Arc<AtomicBool>,
    /// Keeps the counts of the pool as long as the pool is in the table.
    _pin: PoolPin,
}

/// A pool that was asked for, and the pool that was retired to make room for it.
pub(crate) struct Found {
    pub(crate) key: PoolKey,
    pub(crate) closed: Arc<AtomicBool>,
    pub(crate) retired: Option<Entry>,
}

impl Registry {
    pub(crate) fn new(limit: Option<usize>) -> Registry {
        let pools = Pools {
            by_origin: HashMap::default(),
            len: 0,
            sweep_at: MIN_SWEEP,
            aside: HashMap::default(),
            sweep_aside_at: 0,
        };
        Registry { limit, clock: AtomicU64::new(0), pools: RwLock::new(pools) }
    }

    /// Returns the key of a pool in the table, and counts that as a use.
    #[inline]
    pub(crate) fn known(&self, route: &Route, config: &Arc<ConnectionConfig>) -> Option<PoolKey> {
        let pools = self.pools.read();
        let entry = pools.find(route, config)?;
        self.touch(entry);
        Some(entry.key.clone())
    }

    /// Returns the pool, which may be a new one. Another pool may be retired for it.
    pub(crate) fn pool(&self, route: &Route, config: &Arc<ConnectionConfig>, gate: &Arc<PoolGate>) -> Found {
        let mut pools = self.pools.write();
        if let Some(entry) = pools.find(route, config) {
            self.touch(entry);
            return Found { key: entry.key.clone(), closed: entry.closed.clone(), retired: None };
        }
        let retired = self.limit.filter(|&limit| pools.len >= limit).and_then(|_| pools.take_oldest());
        let forgotten = (self.limit.is_none() && pools.len >= pools.sweep_at).then(|| pools.take_unused(gate));
        let mut seen = Vec::new();
        let out = pools.take_aside(route, config, &mut seen);
        let (key, closed) = out.unwrap_or_else(|| (PoolKey::new(route.clone(), config), Arc::default()));
        let entry = Entry { key: key.clone(), used: AtomicU64::new(0), closed: closed.clone(), _pin: gate.pin(&key) };
        self.touch(&entry);
        pools.by_origin.entry(route.origin().clone()).or_default().push(entry);
        pools.len += 1;
        drop(pools);
        drop_contained(forgotten.into_iter().flatten());
        drop_contained(seen);
        Found { key, closed, retired }
    }

    /// Counts a use. Only a table with a limit needs the order of uses.
    fn touch(&self, entry: &Entry) {
        if self.limit.is_some() {
            entry.used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Forgets this pool and runs `close`, unless another pool has taken its place. Returns what `close` returns, or
    /// `None` if it did not run. The next caller that asks for the pool gets a new one, and only after `close` has run,
    /// because `close` runs under the lock.
    pub(crate) fn close<R>(&self, key: &PoolKey, closed: &Arc<AtomicBool>, close: impl FnOnce() -> R) -> Option<R> {
        let mut pools = self.pools.write();
        closed.store(true, Ordering::Relaxed);
        let known = pools.by_origin.get(key.origin()).into_iter().flatten();
        let is_known = known.filter(|entry| entry.key == *key).any(|entry| Arc::ptr_eq(&entry.closed, closed));
        let entry = is_known.then(|| pools.remove(key)).flatten();
        let aside = pools.aside.get_mut(key.origin()).and_then(|aside| {
            let place = aside.iter().position(|aside| aside.closed.as_ptr() == Arc::as_ptr(closed))?;
            Some(aside.swap_remove(place))
        });
        let result = (entry.is_some() || aside.is_some()).then(close);
        drop(pools);
        drop_contained(entry);
        result
    }

    /// Forgets all pools.
    pub(crate) fn clear(&self) {
        let pools = self.pools.write().take_all();
        drop_contained(pools);
    }

    /// Returns the keys of all pools in the table, the last used first.
    pub(crate) fn keys(&self) -> Vec<PoolKey> {
        let pools = self.pools.read();
        let mut entries: Vec<_> = pools.by_origin.values().flatten().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.used.load(Ordering::Relaxed)));
        entries.into_iter().map(|entry| entry.key.clone()).collect()
    }

    /// Returns the number of pools in the table.
    pub(crate) fn len(&self) -> usize {
        self.pools.read().len
    }
}

impl Pools {
    #[inline]
    fn find(&self, route: &Route, config: &Arc<ConnectionConfig>) -> Option<&Entry> {
        self.by_origin.get(route.origin())?.iter().find(|entry| entry.key.is_for(route, config))
    }

    /// Removes a pool from the table.
    fn remove(&mut self, key: &PoolKey) -> Option<Entry> {
        let entries = self.by_origin.get_mut(key.origin())?;
        let entry = entries.swap_remove(entries.iter().position(|entry| entry.key == *key)?);
        self.len -= 1;
        if entries.is_empty() {
            self.by_origin.remove(key.origin());
        }
        Some(entry)
    }

    /// Removes the least recently used pool, and sets it aside. It looks at all pools, which are as many as the limit.
    /// This happens only when a pool is new, and connecting costs more.
    fn take_oldest(&mut self) -> Option<Entry> {
        let entries = self.by_origin.values().flatten();
        let oldest = entries.min_by_key(|entry| entry.used.load(Ordering::Relaxed))?.key.clone();
        let entry = self.remove(&oldest)?;
        self.put_aside(&entry);
        Some(entry)
    }

    /// Removes the pools that have no connection, no permit, no waiter and no other pin, and sets them aside.
    fn take_unused(&mut self, gate: &PoolGate) -> Vec<Entry> {
        let mut unused = Vec::new();
        self.by_origin.retain(|_, entries| {
            unused.extend(entries.extract_if(.., |entry| !gate.is_used(&entry.key)));
            !entries.is_empty()
        });
        self.len -= unused.len();
        // The next search comes when the number of pools has doubled, so each pool costs the same.
        self.sweep_at = MIN_SWEEP.max(2 * self.len);
        unused.iter().for_each(|entry| self.put_aside(entry));
        unused
    }

    /// Removes all pools, and sets them aside.
    fn take_all(&mut self) -> Vec<Entry> {
        let all: Vec<_> = mem::take(&mut self.by_origin).into_values().flatten().collect();
        self.len = 0;
        all.iter().for_each(|entry| self.put_aside(entry));
        all
    }

    /// Sets a removed pool aside, unless no caller holds it.
    fn put_aside(&mut self, entry: &Entry) {
        if Arc::strong_count(&entry.closed) == 1 {
            return;
        }
        // The next search comes when the number of origins has doubled, so each pool costs the same.
        if self.aside.len() > self.sweep_aside_at {
            self.aside.retain(|_, aside| {
                aside.retain(|aside| aside.closed.strong_count() > 0);
                !aside.is_empty()
            });
            self.sweep_aside_at = MIN_ASIDE_SWEEP.max(2 * self.aside.len());
        }
        let aside = Aside { key: entry.key.downgrade(), closed: Arc::downgrade(&entry.closed) };
        self.aside.entry(entry.key.origin().clone()).or_default().push(aside);
    }

    /// Returns the pool if it was set aside, and takes it back. `seen` is given all keys that were looked at: this may
    /// have become their last owner, so the caller drops them outside of the lock.
    fn take_aside(
        &mut self,
        route: &Route,
        config: &Arc<ConnectionConfig>,
        seen: &mut Vec<PoolKey>,
    ) -> Option<(PoolKey, Arc<AtomicBool>)> {
        let aside = self.aside.get_mut(route.origin())?;
        let mut found = None;
        aside.retain(|aside| {
            let Some(closed) = aside.closed.upgrade() else { return false };
            let Some(key) = aside.key.upgrade() else { return false };
            seen.push(key.clone());
            let is_this = key.is_for(route, config);
            if is_this {
                found = Some((key, closed));
            }
            !is_this
        });
        if aside.is_empty() {
            self.aside.remove(route.origin());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::gate::Gate;
    use crate::pool::types::Settings;
    use crate::tls::TlsConfig;
    use crate::url::Url;

    fn route(name: &str) -> Route {
        Route::to(Url::parse(&format!("https://{name}/")).unwrap().shared_origin())
    }

    fn config() -> Arc<ConnectionConfig> {
        Arc::new(ConnectionConfig { tls: TlsConfig::distinct(), ..ConnectionConfig::default() })
    }

    fn pool(registry: &Registry, name: &str, config: &Arc<ConnectionConfig>) -> Found {
        let gate = Gate::new(Settings::default(), std::time::Duration::ZERO, None);
        registry.pool(&route(name), config, &gate)
    }

    fn names(registry: &Registry) -> Vec<String> {
        registry.keys().iter().map(|key| key.origin().host().to_owned()).collect()
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let (registry, config) = (Registry::new(Some(2)), config());
        let get = |name: &str| {
            let retired = match registry.known(&route(name), &config) {
                Some(_) => None,
                None => pool(&registry, name, &config).retired,
            };
            retired.map(|entry| entry.key.origin().host().to_owned())
        };
        let table = [
            ("new", "a", None, vec!["a"]),
            ("another", "b", None, vec!["b", "a"]),
            ("LRU-03 asked for again", "a", None, vec!["a", "b"]),
            ("LRU-05 the older goes", "c", Some("b"), vec!["c", "a"]),
            ("the other", "d", Some("a"), vec!["d", "c"]),
            ("and comes back", "b", Some("c"), vec!["b", "d"]),
        ];
        for (row, name, retired, left) in table {
            assert_eq!(get(name).as_deref(), retired, "{row}");
            assert_eq!(names(&registry), left, "{row}");
            assert_eq!(registry.len(), left.len(), "{row}");
        }
        let b = pool(&registry, "b", &config);
        assert!(registry.close(&b.key, &Arc::default(), || ()).is_none(), "another by that name");
        assert!(registry.close(&b.key, &b.closed, || ()).is_some());
        assert!(registry.known(&route("b"), &config).is_none(), "LRU-06");
        registry.clear();
        assert_eq!((registry.len(), names(&registry)), (0, vec![]), "PM-03");
    }

    #[test]
    fn ways_of_connecting_are_apart() {
        let (registry, one, other) = (Registry::new(Some(10)), config(), config());
        let first = pool(&registry, "h", &one);
        let second = pool(&registry, "h", &other);
        assert!(first.key != second.key && !Arc::ptr_eq(&first.closed, &second.closed), "PM-06");
        let again = pool(&registry, "h", &one);
        assert!(again.key == first.key && Arc::ptr_eq(&again.closed, &first.closed), "PM-06");
        assert_eq!(registry.len(), 2);
        assert!(registry.close(&first.key, &first.closed, || ()).is_some());
        assert!(registry.known(&route("h"), &one).is_none());
        assert!(registry.known(&route("h"), &other).is_some());
    }

    #[test]
    fn without_a_limit_the_table_stays_small() {
        let (registry, config) = (Registry::new(None), config());
        for number in 0..MIN_SWEEP + 10 {
            assert!(pool(&registry, &format!("h{number}"), &config).retired.is_none());
        }
        assert_eq!(registry.len(), 10);
    }

    /// A pool that a caller holds stays the same after the table has forgotten it, until it is closed.
    #[test]
    fn pools_that_are_out() {
        type Way = (&'static str, Option<usize>, fn(&Registry));
        let ways: [Way; 3] = [
            ("the oldest", Some(1), |registry| drop(pool(registry, "other", &config()))),
            ("all", Some(9), |registry| registry.clear()),
            ("too many", None, |registry| {
                let config = config();
                (0..MIN_SWEEP).for_each(|number| drop(pool(registry, &format!("h{number}"), &config)));
            }),
        ];
        for (row, limit, forget) in ways {
            let (registry, config) = (Registry::new(limit), config());
            let out = pool(&registry, "h", &config);
            forget(&registry);
            assert!(registry.known(&route("h"), &config).is_none(), "{row}");
            let again = pool(&registry, "h", &config);
            assert!(Arc::ptr_eq(&again.closed, &out.closed), "{row}");
            forget(&registry);
            assert!(registry.close(&out.key, &out.closed, || ()).is_some(), "{row}");
            let another = pool(&registry, "h", &config);
            assert!(!Arc::ptr_eq(&another.closed, &out.closed), "{row}");
            assert!(registry.close(&out.key, &out.closed, || ()).is_none(), "{row}");
            assert!(registry.close(&another.key, &another.closed, || ()).is_some(), "{row}");
        }
    }

    #[test]
    fn what_nobody_has_is_not_remembered() {
        let (registry, config) = (Registry::new(Some(1)), config());
        let kept: Vec<_> = (0..10).map(|number| pool(&registry, &format!("kept{number}"), &config)).collect();
        for number in 0..1000 {
            let out = pool(&registry, &format!("h{number}"), &config);
            drop(pool(&registry, "next", &config));
            drop(out);
        }
        let pools = registry.pools.read();
        assert!(pools.aside.len() <= MIN_ASIDE_SWEEP + 1, "{}", pools.aside.len());
        assert!(kept.iter().all(|kept| pools.aside.contains_key(kept.key.origin())));
    }
}

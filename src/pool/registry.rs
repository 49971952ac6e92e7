//! The table of the pools of a client. Each route and each way of connecting has a pool of its own. A table with a
//! limit retires the least recently used pool first.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::contain::drop_contained;
use crate::dial::Route;
use crate::pool::arena::{Arena, Id, Link, Linked, List};
use crate::pool::key::{ConnectionConfig, PoolKey, WeakPoolKey};
use crate::pool::types::Prehashed;
use crate::pool::{PoolGate, PoolPin};
use crate::sync::RwLock;
use crate::urls::Origin;

/// What was done to one pool of a manager, for all of its users.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    closed: AtomicBool,
    /// How often all calls of the pool were cancelled.
    cancelled: AtomicU64,
}

impl Standing {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Returns how often all calls of the pool were cancelled.
    pub(crate) fn cancelled(&self) -> u64 {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Notes that all calls of the pool are cancelled.
    pub(crate) fn cancel(&self) {
        self.cancelled.fetch_add(1, Ordering::SeqCst);
    }
}

/// The number of pools from which on a table without a limit forgets unused ones. It is enough for the working set of a
/// crawler. Each pool costs about a kilobyte, including the counts that its pin keeps.
const FULL: usize = 1024;

/// The number of pools that a new one looks at in a full table. Each pool costs the same, and a table whose pools are
/// in use has at most half as many others.
const LOOKS: usize = 3;

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
    entries: Arena<Entry>,
    /// The newest pool of each origin. It leads to the others, which few origins have.
    by_origin: HashMap<Arc<Origin>, Id, BuildHasherDefault<Prehashed>>,
    /// All pools, in the order in which a full table looks at them.
    turns: List<0>,
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
    closed: Weak<Standing>,
}

/// A pool in the table. It may be the last owner of a caller's dialer, so it is dropped outside of the lock.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: PoolKey,
    /// The number of the last use.
    used: AtomicU64,
    /// Set when the pool is closed. Every handle of this one pool shares the flag.
    closed: Arc<Standing>,
    /// Keeps the counts of the pool as long as the pool is in the table.
    _pin: PoolPin,
    /// The next older pool of the same origin.
    next: Option<Id>,
    link: Link,
}

impl Linked for Entry {
    fn link(&mut self, _: usize) -> &mut Link {
        &mut self.link
    }

    fn link_ref(&self, _: usize) -> &Link {
        &self.link
    }
}

/// A pool that was asked for, and the pool that was retired to make room for it.
pub(crate) struct Found {
    pub(crate) key: PoolKey,
    pub(crate) closed: Arc<Standing>,
    pub(crate) retired: Option<Entry>,
}

impl Registry {
    pub(crate) fn new(limit: Option<usize>) -> Registry {
        let pools = Pools {
            entries: Arena::new(),
            by_origin: HashMap::default(),
            turns: List::new(),
            aside: HashMap::default(),
            sweep_aside_at: 0,
        };
        Registry { limit, clock: AtomicU64::new(0), pools: RwLock::new(pools) }
    }

    /// Returns the key of a pool in the table, and counts that as a use.
    #[inline(always)]
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
        let (mut retired, mut unused) = (None, [const { None }; LOOKS]);
        match self.limit {
            Some(limit) if pools.len() >= limit => retired = pools.take_oldest(),
            Some(_) => {}
            None => unused = pools.take_unused(gate),
        }
        let mut seen = Vec::new();
        let out = pools.take_aside(route, config, &mut seen);
        let (key, closed) = out.unwrap_or_else(|| (PoolKey::new(route.clone(), config), Arc::default()));
        let entry = Entry {
            key: key.clone(),
            used: AtomicU64::new(0),
            closed: closed.clone(),
            _pin: gate.pin(&key),
            next: None,
            link: Link::UNLINKED,
        };
        self.touch(&entry);
        pools.insert(entry);
        drop(pools);
        drop_contained(unused.into_iter().flatten());
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
    pub(crate) fn close<R>(&self, key: &PoolKey, closed: &Arc<Standing>, close: impl FnOnce() -> R) -> Option<R> {
        let mut pools = self.pools.write();
        closed.closed.store(true, Ordering::Relaxed);
        let is_this = |entry: &Entry| Arc::ptr_eq(&entry.closed, closed) && entry.key == *key;
        let known = pools.of(key.origin()).find(|(_, entry)| is_this(entry)).map(|(id, _)| id);
        let entry = known.and_then(|id| pools.remove(id));
        let aside = pools.aside.get_mut(key.origin()).and_then(|aside| {
            let place = aside.iter().position(|aside| aside.closed.as_ptr() == Arc::as_ptr(closed))?;
            Some(aside.swap_remove(place))
        });
        let result = (entry.is_some() || aside.is_some()).then(close);
        drop(pools);
        drop_contained(entry);
        result
    }

    /// Removes the pools of encrypted connections that have these settings, and sets them aside.
    pub(crate) fn take_encrypted(&self, config: &Arc<ConnectionConfig>) -> Vec<Entry> {
        let mut pools = self.pools.write();
        let is_old = |key: &PoolKey| key.route().is_encrypted() && key.is_for(key.route(), config);
        let old: Vec<Id> = pools.entries.iter().filter(|(_, entry)| is_old(&entry.key)).map(|(id, _)| id).collect();
        let taken: Vec<Entry> = old.into_iter().filter_map(|id| pools.remove(id)).collect();
        taken.iter().for_each(|entry| pools.put_aside(entry));
        taken
    }

    /// Forgets all pools.
    pub(crate) fn clear(&self) {
        let pools = self.pools.write().take_all();
        drop_contained(pools);
    }

    /// Returns the keys of all pools in the table, the last used first.
    pub(crate) fn keys(&self) -> Vec<PoolKey> {
        let pools = self.pools.read();
        let mut entries: Vec<_> = pools.entries.iter().map(|(_, entry)| entry).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.used.load(Ordering::Relaxed)));
        entries.into_iter().map(|entry| entry.key.clone()).collect()
    }

    /// Returns the number of pools in the table.
    pub(crate) fn len(&self) -> usize {
        self.pools.read().len()
    }
}

impl Pools {
    fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the pools of an origin.
    #[inline]
    fn of(&self, origin: &Arc<Origin>) -> impl Iterator<Item = (Id, &Entry)> {
        let entry = |id: Id| (id, &self.entries[id]);
        let first = self.by_origin.get(origin).copied().map(entry);
        std::iter::successors(first, move |(_, before)| before.next.map(entry))
    }

    #[inline]
    fn find(&self, route: &Route, config: &Arc<ConnectionConfig>) -> Option<&Entry> {
        self.of(route.origin()).map(|(_, entry)| entry).find(|entry| entry.key.is_for(route, config))
    }

    /// Adds a pool that is not in the table.
    fn insert(&mut self, mut entry: Entry) {
        let origin = entry.key.origin().clone();
        entry.next = self.by_origin.get(&origin).copied();
        let id = self.entries.insert(entry);
        self.turns.push(&mut self.entries, id);
        self.by_origin.insert(origin, id);
    }

    /// Removes a pool from the table.
    fn remove(&mut self, id: Id) -> Option<Entry> {
        let newer =
            self.of(self.entries[id].key.origin()).map(|(other, _)| other).take_while(|&other| other != id).last();
        self.turns.unlink(&mut self.entries, id);
        let entry = self.entries.remove(id)?;
        match (newer, entry.next) {
            (Some(newer), next) => self.entries[newer].next = next,
            (None, Some(next)) => *self.by_origin.get_mut(entry.key.origin())? = next,
            (None, None) => drop(self.by_origin.remove(entry.key.origin())),
        }
        Some(entry)
    }

    /// Removes the least recently used pool, and sets it aside. It looks at all pools, which are as many as the limit.
    /// This happens only when a pool is new, and connecting costs more.
    fn take_oldest(&mut self) -> Option<Entry> {
        let (oldest, _) = self.entries.iter().min_by_key(|(_, entry)| entry.used.load(Ordering::Relaxed))?;
        let entry = self.remove(oldest)?;
        self.put_aside(&entry);
        Some(entry)
    }

    /// Looks at the next pools of a full table. Removes those that have no connection, no permit, no waiter and no other
    /// pin, and sets them aside.
    fn take_unused(&mut self, gate: &PoolGate) -> [Option<Entry>; LOOKS] {
        [(); LOOKS].map(|()| {
            let next = self.turns.oldest().filter(|_| self.len() >= FULL)?;
            if gate.is_used(&self.entries[next].key) {
                self.turns.unlink(&mut self.entries, next);
                self.turns.push(&mut self.entries, next);
                return None;
            }
            let entry = self.remove(next)?;
            self.put_aside(&entry);
            Some(entry)
        })
    }

    /// Removes all pools, and sets them aside.
    fn take_all(&mut self) -> Vec<Entry> {
        self.by_origin.clear();
        let all: Vec<_> = std::iter::from_fn(|| {
            let id = self.turns.oldest()?;
            self.turns.unlink(&mut self.entries, id);
            self.entries.remove(id)
        })
        .collect();
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
    ) -> Option<(PoolKey, Arc<Standing>)> {
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
    use crate::urls::Url;

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
        for number in 0..FULL + 10 {
            assert!(pool(&registry, &format!("h{number}"), &config).retired.is_none());
        }
        assert_eq!(registry.len(), FULL);
        assert!(registry.known(&route("h9"), &config).is_none());
        assert!(registry.known(&route("h10"), &config).is_some());
    }

    /// Pools that are in use stay, and do not keep others in the table.
    #[test]
    fn what_is_in_use_is_not_forgotten() {
        let (registry, config) = (Registry::new(None), config());
        let gate = Gate::new(Settings::default(), std::time::Duration::ZERO, None);
        let pool = |number: usize| registry.pool(&route(&format!("h{number}")), &config, &gate).key;
        let used: Vec<_> = (0..2 * FULL).map(|number| gate.pin(&pool(number))).collect();
        (0..4 * FULL).for_each(|number| drop(pool(2 * FULL + number)));
        for number in 0..2 * FULL {
            assert!(registry.known(&route(&format!("h{number}")), &config).is_some(), "{number}");
        }
        assert!(registry.len() <= 3 * FULL + 1, "{}", registry.len());
        drop(used);
        (0..2 * FULL).for_each(|number| drop(pool(8 * FULL + number)));
        assert_eq!(registry.len(), FULL);
    }

    /// Pools of one origin are found and removed each by itself, in any order.
    #[test]
    fn pools_of_one_origin() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let registry = Registry::new(None);
            let configs = [(); 3].map(|()| config());
            let found = configs.each_ref().map(|config| pool(&registry, "h", config));
            let mut left = vec![0, 1, 2];
            for closed in order {
                assert!(registry.close(&found[closed].key, &found[closed].closed, || ()).is_some());
                left.retain(|&number| number != closed);
                for (number, config) in configs.iter().enumerate() {
                    let known = registry.known(&route("h"), config);
                    assert_eq!(known.is_some(), left.contains(&number), "{order:?}");
                    assert!(known.is_none_or(|key| key == found[number].key), "{order:?}");
                }
                assert_eq!(registry.len(), left.len());
            }
            assert!(registry.pools.read().by_origin.is_empty());
        }
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
                (0..FULL).for_each(|number| drop(pool(registry, &format!("h{number}"), &config)));
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

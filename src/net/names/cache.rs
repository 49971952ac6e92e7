//! The results of lookups, for some time.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::resolver::{Family, Resolver};
use crate::sync::Mutex;

/// The number of names that a cache keeps.
const MOST: usize = 1000;

/// The longest time for which a name is known not to exist. A new name should not be missed for long.
const LONGEST_WITHOUT: Duration = Duration::from_secs(1);

/// The result of a lookup, which all share that waited for it. The ports are those of the resolver.
pub(super) type Found = Result<Arc<[SocketAddr]>, Failure>;

/// The error of a lookup, for each call that shares it.
#[derive(Clone, Debug)]
pub(super) struct Failure(Arc<io::Error>);

/// What a lookup is for. Calls with equal keys share it.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) resolver: Option<Arc<dyn Resolver>>,
    pub(super) host: Arc<str>,
    pub(super) family: Family,
}

/// Keeps results for their time.
#[derive(Debug)]
pub(crate) struct Cache {
    /// `None` keeps results until they are cleared, or there are too many.
    life: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// How often the cache was cleared. A lookup that began before does not fill it again.
    cleared: u64,
    next: u64,
}

#[derive(Debug)]
struct Entry {
    found: Found,
    ends: Option<Instant>,
    /// The place in the order in which results came.
    place: u64,
}

impl Failure {
    /// Returns the error of one call. It has the kind, the code and the text of the one that is shared.
    pub(super) fn error(&self) -> io::Error {
        match self.0.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.0.kind(), self.clone()),
        }
    }

    fn is_no_such_name(&self) -> bool {
        self.0.kind() == io::ErrorKind::NotFound
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure(Arc::new(error))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl Key {
    /// Returns the address of the resolver, which the key keeps alive. The system's has none.
    fn identity(&self) -> *const () {
        self.resolver.as_ref().map_or(std::ptr::null(), |resolver| Arc::as_ptr(resolver).cast())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity() && self.family == other.family && self.host == other.host
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.host.hash(state);
        self.family.hash(state);
        self.identity().hash(state);
    }
}

impl Cache {
    pub(crate) fn new(life: Option<Duration>) -> Cache {
        Cache { life, state: Mutex::default() }
    }

    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<Found> {
        let state = self.state.lock();
        let entry = state.entries.get(key)?;
        entry.is_live(now).then(|| entry.found.clone())
    }

    /// Returns how often the cache was cleared.
    pub(super) fn cleared(&self) -> u64 {
        self.state.lock().cleared
    }

    /// Keeps the result of a lookup, unless it failed for a reason that may be over soon, or the cache was cleared since
    /// it began.
    pub(super) fn put(&self, key: &Key, found: &Found, cleared: u64, now: Instant) {
        let life = match found {
            Ok(_) => self.life,
            Err(failure) if failure.is_no_such_name() => {
                Some(self.life.unwrap_or(LONGEST_WITHOUT).min(LONGEST_WITHOUT))
            }
            Err(_) => return,
        };
        // A time that the clock cannot represent never comes.
        let ends = life.and_then(|life| now.checked_add(life));
        let mut state = self.state.lock();
        if state.cleared != cleared {
            return;
        }
        let place = state.next;
        state.next += 1;
        let mut dropped = Vec::new();
        if state.entries.len() >= MOST && !state.entries.contains_key(key) {
            dropped.extend(state.entries.extract_if(|_, entry| !entry.is_live(now)));
            if dropped.is_empty() {
                let oldest = state.entries.iter().min_by_key(|(_, entry)| entry.place).map(|(key, _)| key.clone());
                dropped.extend(oldest.and_then(|oldest| state.entries.remove_entry(&oldest)));
            }
        }
        let entry = Entry { found: found.clone(), ends, place };
        let before = state.entries.insert(key.clone(), entry);
        drop(state);
        // A resolver of the caller's may go with its last key.
        drop((dropped, before));
    }

    /// Removes every result.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock();
        state.cleared += 1;
        let dropped = std::mem::take(&mut state.entries);
        drop(state);
        drop(dropped);
    }

    /// Removes the results for this host.
    pub(crate) fn clear_host(&self, host: &str) {
        let mut state = self.state.lock();
        state.cleared += 1;
        let dropped: Vec<_> = state.entries.extract_if(|key, _| *key.host == *host).collect();
        drop(state);
        drop(dropped);
    }

    /// Returns the hosts whose addresses are kept, and the addresses.
    pub(crate) fn hosts(&self, now: Instant) -> BTreeMap<String, Vec<IpAddr>> {
        let state = self.state.lock();
        let mut hosts: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
        for (key, entry) in state.entries.iter().filter(|(_, entry)| entry.is_live(now)) {
            let Ok(addresses) = &entry.found else { continue };
            let known = hosts.entry(key.host.to_string()).or_default();
            for address in addresses.iter().map(SocketAddr::ip) {
                if !known.contains(&address) {
                    known.push(address);
                }
            }
        }
        hosts
    }
}

impl Entry {
    fn is_live(&self, now: Instant) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;

    fn key(host: &str) -> Key {
        Key { resolver: None, host: host.into(), family: Family::Any }
    }

    fn found(last: u8) -> Found {
        Ok([SocketAddr::from(([192, 0, 2, last], 0))].into())
    }

    fn failed(kind: io::ErrorKind) -> Found {
        Err(Failure::from(io::Error::from(kind)))
    }

    /// An entry ends after its time, however often it is used. Only "no such name" is kept of the failures.
    #[test]
    fn how_long_results_are_kept() {
        let start = Instant::now();
        let minute = Duration::from_secs(60);
        let table = [
            ("found", Some(minute), found(1), Some(minute)),
            ("found, shortly", Some(Duration::from_millis(5)), found(1), Some(Duration::from_millis(5))),
            ("found, for ever", None, found(1), None),
            ("found, longer than the clock", Some(Duration::MAX), found(1), None),
            ("no such name", Some(minute), failed(io::ErrorKind::NotFound), Some(LONGEST_WITHOUT)),
            ("no such name, for ever", None, failed(io::ErrorKind::NotFound), Some(LONGEST_WITHOUT)),
            ("not kept", Some(Duration::ZERO), found(1), Some(Duration::ZERO)),
            ("temporary", Some(minute), failed(io::ErrorKind::Other), Some(Duration::ZERO)),
            ("late", Some(minute), failed(io::ErrorKind::TimedOut), Some(Duration::ZERO)),
        ];
        for (id, life, result, kept) in table {
            let cache = Cache::new(life);
            cache.put(&key("h"), &result, 0, start);
            let is_there = |after| cache.get(&key("h"), start + after).is_some();
            match kept {
                Some(Duration::ZERO) => assert!(!is_there(Duration::ZERO), "{id}"),
                Some(kept) => {
                    let just = kept - Duration::from_nanos(1);
                    assert!(is_there(Duration::ZERO) && is_there(just) && is_there(just) && !is_there(kept), "{id}");
                }
                None => assert!(is_there(1000 * minute), "{id}"),
            }
        }
    }

    #[test]
    fn a_full_cache() {
        let now = Instant::now();
        let cache = Cache::new(Some(Duration::from_secs(60)));
        for n in 0..MOST + 10 {
            cache.put(&key(&n.to_string()), &found(1), 0, now);
        }
        let is_there = |n: usize, now| cache.get(&key(&n.to_string()), now).is_some();
        assert_eq!(cache.state.lock().entries.len(), MOST);
        assert!(!is_there(0, now) && !is_there(9, now) && is_there(10, now) && is_there(MOST + 9, now));
        let later = now + Duration::from_secs(60);
        cache.put(&key("new"), &found(1), 0, later);
        assert_eq!(cache.state.lock().entries.len(), 1, "entries that have ended go first");
    }

    #[test]
    fn clearing() {
        let now = Instant::now();
        let cache = Cache::new(None);
        let names = || cache.hosts(now).into_keys().collect::<Vec<_>>();
        for host in ["a", "b", "c"] {
            cache.put(&key(host), &found(1), 0, now);
        }
        cache.put(&key("missing"), &failed(io::ErrorKind::NotFound), 0, now);
        let other_family = Key { family: Family::V4, ..key("b") };
        cache.put(&other_family, &found(2), 0, now);
        assert_eq!(cache.hosts(now)["b"].len(), 2);
        cache.clear_host("b");
        assert_eq!(names(), ["a", "c"]);
        // This lookup began before the cache was cleared.
        cache.put(&key("b"), &found(1), 0, now);
        assert_eq!(names(), ["a", "c"]);
        cache.put(&key("b"), &found(1), cache.cleared(), now);
        assert_eq!(names(), ["a", "b", "c"]);
        cache.clear();
        assert!(names().is_empty() && cache.get(&key("missing"), now).is_none());
    }
}

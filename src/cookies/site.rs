//! The cookies of one site, in the order of sending: the longest path first, and among equals the oldest.
//!
//! Most sites have a few cookies, which are searched one by one. A jar may allow a site thousands, so a large site has
//! an index: what a new cookie costs does not grow with the number of the others.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use super::cookie::Cookie;
use super::place;
use super::ranks::{Order, Standing};

/// The number of cookies from which on a site has an index. A site of a jar with default limits has none.
const LARGE: usize = 256;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) cookie: Cookie,
    /// The tick of the first set, which overwriting keeps.
    pub(super) created: u64,
    /// A number that no other state of any cookie has.
    pub(super) version: u64,
    /// The tick of the last use. Look-ups set it while they share the store.
    pub(super) used: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct Site {
    #[expect(clippy::vec_box, reason = "a cookie that comes or goes moves all after it, and an entry is large")]
    entries: Vec<Box<Entry>>,
    index: Option<Box<Index>>,
}

/// Where the cookies of a large site are.
#[derive(Debug, Default)]
struct Index {
    keys: RandomState,
    /// By the hash of the name.
    names: BTreeSet<(u64, Order)>,
    ends: BTreeSet<(i64, Order)>,
    /// The order in which cookies are removed, each with its version. A cookie that was used or removed meanwhile is
    /// found when its turn comes, as in [`Ranks`](super::ranks::Ranks).
    uses: BinaryHeap<Reverse<(bool, u64, Order, u64)>>,
}

impl Entry {
    pub(super) fn new(cookie: Cookie, tick: u64) -> Entry {
        Entry { cookie, created: tick, version: tick, used: AtomicU64::new(tick) }
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn standing(&self) -> Standing {
        Standing { version: self.version, used: self.used(), ends: self.cookie.expires, order: self.order() }
    }

    fn order(&self) -> Order {
        (Reverse(path(&self.cookie).len()), self.created)
    }

    fn rank(&self) -> Reverse<(bool, u64, Order, u64)> {
        Reverse((self.cookie.secure, self.used(), self.order(), self.version))
    }
}

impl Site {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|entry| &**entry)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn remove_expired(&mut self, now: i64) {
        match &mut self.index {
            None => self.entries.retain(|entry| !entry.cookie.is_expired(now)),
            Some(_) => {
                let first = |site: &Site| site.index.as_ref()?.ends.first().filter(|(end, _)| *end <= now).copied();
                while let Some(at) = first(self).and_then(|(_, order)| self.at(order)) {
                    self.remove(at);
                }
            }
        }
    }

    /// Returns whether a cookie that is not Secure would overwrite a Secure one or be taken for it.
    pub(super) fn is_shadowed(&self, cookie: &Cookie) -> bool {
        self.named(&cookie.name).any(|at| shadows(cookie, &self.entries[at].cookie))
    }

    /// Puts the cookie in its place, or in the place of the cookie that it overwrites. Returns the entry that is there
    /// now; an expired cookie has none. `tick` is the tick of this set.
    pub(super) fn file(&mut self, cookie: Cookie, now: i64, tick: impl FnOnce() -> u64) -> Option<&Entry> {
        let is_same = |other: &Cookie| {
            other.name == cookie.name
                && other.domain == cookie.domain
                && other.host_only == cookie.host_only
                && other.path == cookie.path
        };
        let known = self.named(&cookie.name).find(|&at| is_same(&self.entries[at].cookie));
        let known = known.map(|at| self.remove(at));
        if cookie.is_expired(now) {
            return None;
        }
        let new = Entry::new(cookie, tick());
        let entry = Entry { created: known.map_or(new.created, |known| known.created), ..new };
        let at = self.entries.partition_point(|other| other.order() < entry.order());
        self.entries.insert(at, Box::new(entry));
        match &mut self.index {
            Some(index) => index.add(&self.entries[at]),
            None if self.entries.len() >= LARGE => self.index(),
            None => {}
        }
        self.tidy();
        self.entries.get(at).map(|entry| &**entry)
    }

    /// Removes a cookie: first those that are not Secure, and among equals the least recently used one (RFC 6265bis,
    /// section 5.7, at the end).
    pub(super) fn evict(&mut self) {
        let first = match &mut self.index {
            None => {
                self.iter().enumerate().min_by_key(|(_, entry)| (entry.cookie.secure, entry.used())).map(|(at, _)| at)
            }
            Some(_) => self.first_ranked(),
        };
        if let Some(at) = first {
            self.remove(at);
        }
    }

    fn first_ranked(&mut self) -> Option<usize> {
        loop {
            let Reverse((_, used, order, version)) = self.index.as_mut()?.uses.pop()?;
            let Some(at) = self.at(order).filter(|&at| self.entries[at].version == version) else { continue };
            if self.entries[at].used() == used {
                return Some(at);
            }
            let rank = self.entries[at].rank();
            self.index.as_mut()?.uses.push(rank);
        }
    }

    /// Returns the cookie in this place, if it is in this state.
    pub(super) fn find(&self, order: Order, version: u64) -> Option<(usize, &Entry)> {
        let at = self.at(order)?;
        Some((at, &*self.entries[at])).filter(|(_, entry)| entry.version == version)
    }

    fn at(&self, order: Order) -> Option<usize> {
        self.entries.binary_search_by_key(&order, |entry| entry.order()).ok()
    }

    /// Returns where the cookies of this name are. A large site may have others of the same hash among them.
    fn named(&self, name: &[u8]) -> impl Iterator<Item = usize> {
        let hash = self.index.as_ref().map(|index| index.keys.hash_one(name));
        let known = self.index.as_ref().zip(hash).map(|(index, hash)| index.names.range((hash, FIRST)..=(hash, LAST)));
        let known = known.into_iter().flatten().filter_map(|&(_, order)| self.at(order));
        let all = if hash.is_none() { 0..self.entries.len() } else { 0..0 };
        known.chain(all)
    }

    pub(super) fn remove(&mut self, at: usize) -> Entry {
        let entry = self.entries.remove(at);
        if let Some(index) = &mut self.index {
            index.remove(&entry);
        }
        *entry
    }

    pub(super) fn retain(&mut self, wanted: impl Fn(&Entry) -> bool) {
        let before = self.len();
        self.entries.retain(|entry| wanted(entry));
        if self.len() < before {
            self.index = None;
        }
        if self.len() >= LARGE && self.index.is_none() {
            self.index();
        }
    }

    fn index(&mut self) {
        let mut index = Box::<Index>::default();
        self.entries.iter().for_each(|entry| index.add(entry));
        self.index = Some(index);
    }

    /// Ranks all cookies again if most ranks are of cookies that are gone.
    fn tidy(&mut self) {
        if let Some(index) = &mut self.index
            && index.uses.len() > 2 * self.entries.len() + 64
        {
            index.uses = self.entries.iter().map(|entry| entry.rank()).collect();
        }
    }
}

const FIRST: Order = (Reverse(usize::MAX), 0);
const LAST: Order = (Reverse(0), u64::MAX);

impl Index {
    fn add(&mut self, entry: &Entry) {
        self.names.insert((self.keys.hash_one(&*entry.cookie.name), entry.order()));
        self.ends.extend(entry.cookie.expires.map(|end| (end, entry.order())));
        self.uses.push(entry.rank());
    }

    fn remove(&mut self, entry: &Entry) {
        self.names.remove(&(self.keys.hash_one(&*entry.cookie.name), entry.order()));
        if let Some(end) = entry.cookie.expires {
            self.ends.remove(&(end, entry.order()));
        }
    }
}

/// Returns the domain. Every cookie of a site has one.
pub(super) fn domain(cookie: &Cookie) -> &str {
    cookie.domain.as_deref().unwrap_or_default()
}

pub(super) fn path(cookie: &Cookie) -> &str {
    cookie.path.as_deref().unwrap_or("/")
}

/// Returns whether `new`, which is not Secure, would overwrite `old` or be taken for it.
fn shadows(new: &Cookie, old: &Cookie) -> bool {
    let (new_domain, old_domain) = (domain(new), domain(old));
    old.secure
        && old.name == new.name
        && (place::domain_matches(new_domain, old_domain) || place::domain_matches(old_domain, new_domain))
        && place::path_matches(path(new), path(old))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(site: &Site) -> Vec<(Box<[u8]>, u64, u64)> {
        site.iter().map(|entry| (entry.cookie.name.clone(), entry.version, entry.used())).collect()
    }

    /// A site with an index does what one without does.
    #[test]
    fn an_index_changes_nothing() {
        let (mut plain, mut indexed) = (Site::default(), Site::default());
        indexed.index();
        let mut state = 1_u32;
        let mut draw = |most: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % most
        };
        for now in 0..20_000 {
            let cookie = Cookie {
                domain: Some("h".into()),
                path: Some(["/", "/a", "/b", "/longer"][draw(4) as usize].into()),
                secure: draw(3) == 0,
                expires: (draw(2) == 0).then(|| now + i64::from(draw(200))),
                ..Cookie::new(format!("n{}", draw(40)).as_bytes(), b"v")
            };
            let modulus = u64::from(draw(5) + 2);
            let both = [&mut plain, &mut indexed];
            match draw(8) {
                // Several cookies are used at once, as by a request.
                0 => both.map(|site| {
                    let used = site.iter().filter(|entry| entry.version % modulus == 0);
                    used.for_each(|entry| entry.used.store(now as u64, Ordering::Relaxed));
                }),
                1 => both.map(|site| site.remove_expired(now)),
                2 => both.map(|site| site.evict()),
                _ => both.map(|site| {
                    assert!(site.file(cookie.clone(), now, || now as u64).is_some() != cookie.is_expired(now))
                }),
            };
            assert_eq!(contents(&plain), contents(&indexed), "{now}");
            assert_eq!(plain.is_shadowed(&cookie), indexed.is_shadowed(&cookie), "{now}");
            let index = indexed.index.as_ref().unwrap();
            assert!(plain.index.is_none() && plain.len() < LARGE);
            assert_eq!(index.names.len(), plain.len(), "{now}");
            assert!(index.uses.len() <= 2 * 4 * 40 + 65, "{now}: most are of cookies that are gone");
        }
    }

    #[test]
    fn a_large_site_has_an_index() {
        let mut site = Site::default();
        for tick in 0..LARGE as u64 {
            assert!(site.index.is_none());
            site.file(Cookie::new(tick.to_string().as_bytes(), b"v"), 0, || tick);
        }
        assert_eq!(site.index.as_ref().unwrap().uses.len(), LARGE);
        site.retain(|entry| entry.version > 0);
        assert!(site.index.is_none());
        site.file(Cookie::new(b"0", b"v"), 0, || LARGE as u64);
        assert!(site.index.is_some());
    }
}

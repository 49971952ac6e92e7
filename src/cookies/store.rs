//! What a jar holds: the storage model and the retrieval algorithm of RFC 6265bis, sections 5.7 and 5.8.
//!
//! Cookies are filed under the site they belong to, the registrable domain or a host that has none, so that a request
//! looks at those of its own site alone. Within a site they stand in the order they are sent in: the longest path
//! first, and among equals the oldest. No lock and no clock here: the time is an argument, in seconds since 1970, and
//! what was used last is told by counting.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cookie::Cookie;
use super::parse::{self, MAX_ATTRIBUTE};
use super::place::{self, Place, Reach};

/// How much a jar holds and sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    pub(crate) cookie_bytes: usize,
    pub(crate) per_domain: usize,
    pub(crate) total: usize,
    pub(crate) sent: usize,
    pub(crate) header_bytes: usize,
    pub(crate) ip_hosts: bool,
}

impl Caps {
    pub(crate) const DEFAULT: Caps = Caps {
        cookie_bytes: parse::MAX_PAIR,
        per_domain: 180,
        total: 3000,
        sent: 150,
        header_bytes: 8192,
        ip_hosts: true,
    };
}

#[derive(Debug)]
struct Entry {
    cookie: Cookie,
    /// Kept when the cookie is overwritten.
    created: u64,
    /// No other state of any cookie has the same.
    version: u64,
    /// Set by look-ups, which share the store.
    used: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct Store {
    sites: HashMap<Box<str>, Vec<Entry>>,
    /// In the order they were given in; not counted against the caps, for they are the caller's own.
    shared: Vec<Entry>,
    /// Cookies of all sites, expired ones included.
    filed: usize,
    /// Counts changes and look-ups.
    ticks: AtomicU64,
}

impl Store {
    /// Cookies that are there, expired ones included.
    pub(super) fn len(&self) -> usize {
        self.filed + self.shared.len()
    }

    /// Takes a cookie as the host of `place` sets it; one that is over removes what it stands for.
    pub(super) fn set(&mut self, cookie: Cookie, place: Place<'_>, now: i64, caps: &Caps) -> Result<(), &'static str> {
        let cookie = admit(cookie, place, now, caps)?;
        self.put(cookie, place.is_secure, now, caps)
    }

    /// Takes a cookie as a jar once held it.
    #[cfg_attr(not(feature = "json"), expect(dead_code, reason = "for a jar in a file"))]
    pub(super) fn restore(&mut self, mut cookie: Cookie, now: i64, caps: &Caps) -> Result<(), &'static str> {
        if cookie.domain.is_none() {
            return self.share(&cookie.name, &cookie.value);
        }
        recheck(&mut cookie, now, caps)?;
        self.put(cookie, true, now, caps)
    }

    fn put(&mut self, cookie: Cookie, is_secure: bool, now: i64, caps: &Caps) -> Result<(), &'static str> {
        let site: Box<str> = place::site(domain(&cookie)).into();
        let entries = self.sites.entry(site.clone()).or_default();
        let before = entries.len();
        entries.retain(|entry| !entry.cookie.is_expired(now));
        let outcome = match is_secure || cookie.secure || !entries.iter().any(|entry| shadows(&cookie, &entry.cookie)) {
            true => {
                file(entries, cookie, now, &self.ticks);
                Ok(())
            }
            // Section 5.7: whoever rewrites plain http must not be able to fix a session of the https site.
            false => Err("the cookie would stand in for a Secure one, and does not come over https"),
        };
        if entries.len() > caps.per_domain {
            evict(entries);
        }
        let after = entries.len();
        if after == 0 {
            self.sites.remove(&site);
        }
        self.filed = self.filed + after - before;
        if self.filed > caps.total {
            self.evict_from_all(now, caps);
        }
        outcome
    }

    /// Expired cookies of all sites, and then whichever was used least lately.
    fn evict_from_all(&mut self, now: i64, caps: &Caps) {
        self.remove(|_, cookie| cookie.domain.is_some() && cookie.is_expired(now));
        while self.filed > caps.total {
            let used = |(_, entries): &(_, &Vec<Entry>)| entries.iter().map(Entry::used).min();
            let Some(site) = self.sites.iter().min_by_key(used).map(|(site, _)| site.clone()) else { return };
            let Some(entries) = self.sites.get_mut(&site) else { return };
            remove_first(entries, |entry| entry.used());
            self.filed -= 1;
            if entries.is_empty() {
                self.sites.remove(&site);
            }
        }
    }

    /// Takes a cookie for every host that the caller names.
    pub(super) fn share(&mut self, name: &[u8], value: &[u8]) -> Result<(), &'static str> {
        parse::check_pair(name, value)?;
        let cookie = Cookie { host_only: false, ..Cookie::new(name, value) };
        let tick = next(&self.ticks);
        match self.shared.iter_mut().find(|entry| entry.cookie.name == cookie.name) {
            Some(entry) => (entry.cookie, entry.version) = (cookie, tick),
            None => self.shared.push(Entry::new(cookie, tick)),
        }
        Ok(())
    }

    /// What a request to `place` carries, in order and within the caps. A shared cookie gives way to one of the same
    /// name that the host has set: that is the newer word.
    fn chosen<'a>(
        &'a self,
        place: Place<'a>,
        with_shared: bool,
        now: i64,
        caps: &Caps,
    ) -> impl Iterator<Item = &'a Entry> {
        let entries = match self.sites.is_empty() {
            true => &[][..],
            false => self.sites.get(place::site(place.host)).map_or(&[][..], |entries| entries),
        };
        let own =
            move || entries.iter().filter(move |entry| belongs(&entry.cookie, place) && !entry.cookie.is_expired(now));
        let shared = if with_shared { &self.shared[..] } else { &[] };
        let shared = shared.iter().filter(move |entry| own().all(|other| other.cookie.name != entry.cookie.name));
        let (mut bytes, most) = (0, caps.header_bytes);
        own().chain(shared).take(caps.sent).take_while(move |entry| {
            bytes += entry.size();
            // The last one has no separator behind it.
            bytes <= most.saturating_add(SEPARATOR.len())
        })
    }

    /// The value of the Cookie field.
    pub(super) fn header(&self, place: Place<'_>, with_shared: bool, now: i64, caps: &Caps) -> Option<Vec<u8>> {
        let size: usize = self.chosen(place, with_shared, now, caps).map(Entry::size).sum();
        let size = size.checked_sub(SEPARATOR.len())?;
        let tick = next(&self.ticks);
        let mut header = Vec::with_capacity(size);
        for entry in self.chosen(place, with_shared, now, caps) {
            entry.used.store(tick, Ordering::Relaxed);
            if !header.is_empty() {
                header.extend_from_slice(SEPARATOR);
            }
            header.extend_from_slice(&entry.cookie.name);
            header.push(b'=');
            header.extend_from_slice(&entry.cookie.value);
        }
        Some(header)
    }

    /// What [`header`](Self::header) would hold.
    pub(super) fn matching<'a>(&'a self, place: Place<'a>, now: i64, caps: &Caps) -> impl Iterator<Item = &'a Cookie> {
        self.chosen(place, true, now, caps).map(|entry| &entry.cookie)
    }

    /// All that are not over, the oldest first, each with its version.
    pub(super) fn all(&self, now: i64) -> Vec<(u64, Cookie)> {
        let mut all: Vec<&Entry> =
            self.sites.values().flatten().chain(&self.shared).filter(|entry| !entry.cookie.is_expired(now)).collect();
        all.sort_unstable_by_key(|entry| entry.created);
        all.into_iter().map(|entry| (entry.version, entry.cookie.clone())).collect()
    }

    pub(super) fn count(&self, now: i64) -> usize {
        self.sites.values().flatten().chain(&self.shared).filter(|entry| !entry.cookie.is_expired(now)).count()
    }

    /// Removes what is `unwanted`, by version and cookie, and says how many that were.
    pub(super) fn remove(&mut self, unwanted: impl Fn(u64, &Cookie) -> bool) -> usize {
        let before = self.len();
        let wanted = |entry: &Entry| !unwanted(entry.version, &entry.cookie);
        self.shared.retain(wanted);
        self.sites.retain(|_, entries| {
            entries.retain(wanted);
            !entries.is_empty()
        });
        self.filed = self.sites.values().map(Vec::len).sum();
        before - self.len()
    }
}

const SEPARATOR: &[u8] = b"; ";

impl Entry {
    fn new(cookie: Cookie, tick: u64) -> Entry {
        Entry { cookie, created: tick, version: tick, used: AtomicU64::new(tick) }
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// In a header, with a separator.
    fn size(&self) -> usize {
        self.cookie.name.len() + 1 + self.cookie.value.len() + SEPARATOR.len()
    }
}

/// Later than all before.
fn next(ticks: &AtomicU64) -> u64 {
    ticks.fetch_add(1, Ordering::Relaxed)
}

/// Cookies of a site have a domain and a path.
fn domain(cookie: &Cookie) -> &str {
    cookie.domain.as_deref().unwrap_or_default()
}

fn path(cookie: &Cookie) -> &str {
    cookie.path.as_deref().unwrap_or("/")
}

/// The cookie as the host of `place` may set it, with everything filled in.
fn admit(mut cookie: Cookie, place: Place<'_>, now: i64, caps: &Caps) -> Result<Cookie, &'static str> {
    parse::check_pair(&cookie.name, &cookie.value)?;
    if !caps.ip_hosts && !place::is_name(place.host) {
        return Err("the host has no name, and this jar takes cookies from names alone");
    }
    let names_domain = !cookie.host_only;
    match cookie.domain.take().filter(|_| names_domain) {
        None => cookie.domain = Some(place.host.into()),
        Some(domain) => {
            match place::reach(place.host, &domain) {
                Reach::Domain => {}
                Reach::HostOnly => cookie.host_only = true,
                Reach::Refused(why) => return Err(why),
            }
            cookie.domain = Some(if cookie.host_only { place.host.into() } else { domain });
        }
    }
    if cookie.secure && !place.is_secure {
        return Err("the cookie is Secure, and does not come over https");
    }
    let names_path = cookie.path.is_some();
    if !names_path {
        cookie.path = Some(place.default_path().into());
    }
    if has_prefix(&cookie, "__Host-") && (names_domain || !names_path) {
        return Err("a cookie with the prefix __Host- has a Domain, or no Path");
    }
    check(&cookie, caps)?;
    cookie.shorten(now);
    Ok(cookie)
}

/// What holds for each cookie that a jar keeps for a host.
fn check(cookie: &Cookie, caps: &Caps) -> Result<(), &'static str> {
    if cookie.name.len() + cookie.value.len() > caps.cookie_bytes {
        return Err("the cookie has more bytes than the jar takes");
    }
    // Those of a URL may be longer than those of a field.
    if domain(cookie).len() > MAX_ATTRIBUTE || path(cookie).len() > MAX_ATTRIBUTE {
        return Err("the cookie's domain or path has more than 1024 bytes");
    }
    if has_prefix(cookie, "__Secure-") && !cookie.secure {
        return Err("a cookie with the prefix __Secure- is not Secure");
    }
    if has_prefix(cookie, "__Host-") && !(cookie.secure && cookie.host_only && path(cookie) == "/") {
        return Err("a cookie with the prefix __Host- is not Secure, not for one host alone, or not for the path /");
    }
    Ok(())
}

/// Servers compare names without case, and so a prefix counts in any (section 5.4).
fn has_prefix(cookie: &Cookie, prefix: &str) -> bool {
    cookie.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// A cookie out of a file is looked at again: the file may have been edited, and the list of suffixes is another one.
fn recheck(cookie: &mut Cookie, now: i64, caps: &Caps) -> Result<(), &'static str> {
    parse::check_pair(&cookie.name, &cookie.value)?;
    check(cookie, caps)?;
    let domain = domain(cookie);
    if !place::is_host(domain) || !path(cookie).starts_with('/') {
        return Err("the cookie's domain or path is none");
    }
    if !cookie.host_only {
        cookie.host_only = place::reach(domain, domain) != Reach::Domain;
    }
    cookie.shorten(now);
    Ok(())
}

/// Whether `new`, without Secure, would be taken for `old` or overwrite it.
fn shadows(new: &Cookie, old: &Cookie) -> bool {
    let (new_domain, old_domain) = (domain(new), domain(old));
    old.secure
        && old.name == new.name
        && (place::domain_matches(new_domain, old_domain) || place::domain_matches(old_domain, new_domain))
        && place::path_matches(path(new), path(old))
}

/// Puts the cookie in its place, or in that of the one it overwrites.
fn file(entries: &mut Vec<Entry>, cookie: Cookie, now: i64, ticks: &AtomicU64) {
    let is_same = |other: &Cookie| {
        other.name == cookie.name
            && other.domain == cookie.domain
            && other.host_only == cookie.host_only
            && other.path == cookie.path
    };
    let known = entries.iter().position(|entry| is_same(&entry.cookie));
    let is_over = cookie.is_expired(now);
    match known {
        Some(at) if is_over => drop(entries.remove(at)),
        None if is_over => {}
        Some(at) => {
            let created = entries[at].created;
            entries[at] = Entry { created, ..Entry::new(cookie, next(ticks)) };
        }
        None => {
            let entry = Entry::new(cookie, next(ticks));
            let order = |entry: &Entry| (Reverse(path(&entry.cookie).len()), entry.created);
            let at = entries.partition_point(|other| order(other) < order(&entry));
            entries.insert(at, entry);
        }
    }
}

/// Cookies that are not Secure go first, and of those the one used least lately (section 5.7, at the end).
fn evict(entries: &mut Vec<Entry>) {
    remove_first(entries, |entry| (entry.cookie.secure, entry.used()));
}

fn remove_first<K: Ord>(entries: &mut Vec<Entry>, key: impl Fn(&Entry) -> K) {
    if let Some((at, _)) = entries.iter().enumerate().min_by_key(|(_, entry)| key(entry)) {
        entries.remove(at);
    }
}

fn belongs(cookie: &Cookie, place: Place<'_>) -> bool {
    let domain = domain(cookie);
    let is_here = if cookie.host_only { place.host == domain } else { place::domain_matches(place.host, domain) };
    is_here && (place.is_secure || !cookie.secure) && place::path_matches(place.path, path(cookie))
}

//! The cookies of a jar: the storage model and the retrieval algorithm of RFC 6265bis, sections 5.7 and 5.8.
//!
//! Cookies are stored by site, which is the registrable domain or a host without one, so that a request looks only at
//! the cookies of its own site. There is no lock and no clock here: the time is an argument, in seconds since 1970, and a counter
//! tells what was used last.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cookie::Cookie;
use super::place::{self, Place, Reach};
use super::ranks::{Order, Ranks};
use super::rules::{self, MAX_ATTRIBUTE};
use super::site::{Entry, Site, domain, path};
use crate::urls::Url;

/// The limits of a jar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    pub(crate) cookie_bytes: usize,
    pub(crate) per_domain: usize,
    pub(crate) total: usize,
    pub(crate) sent: usize,
    pub(crate) header_bytes: usize,
    pub(crate) ip_hosts: bool,
    pub(crate) loopback_is_secure: bool,
}

impl Caps {
    pub(crate) const DEFAULT: Caps = Caps {
        cookie_bytes: rules::MAX_PAIR,
        per_domain: 180,
        total: 3000,
        sent: 150,
        header_bytes: 32 * 1024,
        ip_hosts: true,
        loopback_is_secure: true,
    };

    pub(super) fn place<'a>(&self, url: &'a Url) -> Place<'a> {
        Place::of(url, self.loopback_is_secure)
    }
}

#[derive(Debug, Default)]
pub(super) struct Store {
    sites: HashMap<Arc<str>, Site>,
    /// The order in which cookies of all sites are removed.
    ranks: Ranks,
    /// Cookies for every host, in the order of insertion. They do not count against the caps, because they are the
    /// caller's own.
    shared: Vec<Entry>,
    /// The number of cookies of all sites, including expired ones.
    filed: usize,
    /// Counts changes and look-ups.
    ticks: AtomicU64,
}

impl Store {
    /// Returns the number of cookies, including expired ones.
    pub(super) fn len(&self) -> usize {
        self.filed + self.shared.len()
    }

    /// Takes a cookie as the host of `place` sets it. An expired cookie removes the one that it would overwrite.
    pub(super) fn set(&mut self, cookie: Cookie, place: Place<'_>, now: i64, caps: &Caps) -> Result<(), &'static str> {
        let cookie = admit(cookie, place, now, caps)?;
        self.put(cookie, place.is_secure, now, caps)
    }

    /// Takes a cookie that a jar once held.
    pub(super) fn restore(&mut self, mut cookie: Cookie, now: i64, caps: &Caps) -> Result<(), &'static str> {
        if cookie.domain.is_none() {
            return self.share(&cookie.name, &cookie.value);
        }
        recheck(&mut cookie, now, caps)?;
        self.put(cookie, true, now, caps)
    }

    fn put(&mut self, cookie: Cookie, is_secure: bool, now: i64, caps: &Caps) -> Result<(), &'static str> {
        let site = place::site(domain(&cookie));
        let site = self.sites.get_key_value(site).map_or_else(|| site.into(), |(site, _)| site.clone());
        let cookies = self.sites.entry(site.clone()).or_default();
        let before = cookies.len();
        cookies.remove_expired(now);
        let outcome = match is_secure || cookie.secure || !cookies.is_shadowed(&cookie) {
            true => {
                if let Some(new) = cookies.file(cookie, now, || next(&self.ticks)) {
                    self.ranks.add(&site, new.standing());
                }
                Ok(())
            }
            // Section 5.7: an attacker who rewrites plain http must not be able to fix a session of the https site.
            false => Err("the cookie would stand in for a Secure one, and does not come over https"),
        };
        if cookies.len() > caps.per_domain {
            cookies.evict();
        }
        let after = cookies.len();
        if after == 0 {
            self.sites.remove(&site);
        }
        self.filed = self.filed + after - before;
        if self.filed > caps.total {
            self.evict_from_all(now, caps);
        }
        if self.ranks.are_stale(self.filed) {
            self.rank_again();
        }
        outcome
    }

    /// Removes expired cookies of all sites, and then the least recently used ones.
    fn evict_from_all(&mut self, now: i64, caps: &Caps) {
        while let Some(over) = self.ranks.expired(now) {
            self.remove_ranked(&over.site, over.order, over.version, |entry| entry.cookie.is_expired(now));
        }
        while self.filed > caps.total {
            let Some(first) = self.ranks.least_used() else { return };
            self.remove_ranked(&first.site, first.order, first.version, |entry| entry.used() <= first.key);
        }
    }

    /// Removes the cookie of that version if it still has to go. A cookie that was used meanwhile is ranked again.
    fn remove_ranked(&mut self, site: &Arc<str>, order: Order, version: u64, has_to_go: impl Fn(&Entry) -> bool) {
        let Some(cookies) = self.sites.get_mut(site) else { return };
        let Some((at, entry)) = cookies.find(order, version) else { return };
        if !has_to_go(entry) {
            return self.ranks.add_use(site, entry.standing());
        }
        cookies.remove(at);
        self.filed -= 1;
        if cookies.len() == 0 {
            self.sites.remove(site);
        }
    }

    fn rank_again(&mut self) {
        self.ranks = Ranks::default();
        for (site, cookies) in &self.sites {
            cookies.iter().for_each(|entry| self.ranks.add(site, entry.standing()));
        }
    }

    /// Takes a cookie for every host that the caller names.
    pub(super) fn share(&mut self, name: &[u8], value: &[u8]) -> Result<(), &'static str> {
        rules::check_pair(name, value)?;
        let cookie = Cookie { host_only: false, ..Cookie::new(name, value) };
        let tick = next(&self.ticks);
        match self.shared.iter_mut().find(|entry| entry.cookie.name == cookie.name) {
            Some(entry) => (entry.cookie, entry.version) = (cookie, tick),
            None => self.shared.push(Entry::new(cookie, tick)),
        }
        Ok(())
    }

    /// Returns the cookies for a request to `place`, in order. A shared cookie is left out if the host has set a cookie
    /// of the same name, because that one is newer.
    fn candidates<'a>(&'a self, place: Place<'a>, with_shared: bool, now: i64) -> impl Iterator<Item = &'a Entry> {
        let site = if self.sites.is_empty() { None } else { self.sites.get(place::site(place.host)) };
        let here = move |entry: &&Entry| belongs(&entry.cookie, place) && !entry.cookie.is_expired(now);
        let own = move || site.into_iter().flat_map(Site::iter).filter(here);
        let shared = if with_shared { &self.shared[..] } else { &[] };
        let shared = shared.iter().filter(move |entry| own().all(|other| other.cookie.name != entry.cookie.name));
        own().chain(shared)
    }

    /// Returns the value of the Cookie field, and the names of the cookies that the caps leave no room for.
    pub(super) fn header(
        &self,
        place: Place<'_>,
        with_shared: bool,
        now: i64,
        caps: &Caps,
    ) -> (Option<Vec<u8>>, Vec<Vec<u8>>) {
        let candidates = || self.candidates(place, with_shared, now);
        let excess = Excess::of(candidates, caps);
        let sent = || candidates().filter(|entry| !excess.has(entry));
        let left_out = match excess.is_nothing() {
            true => Vec::new(),
            false => candidates().filter(|entry| excess.has(entry)).map(|entry| entry.cookie.name.to_vec()).collect(),
        };
        let Some(size) = excess.left.checked_sub(SEPARATOR.len()) else { return (None, left_out) };
        let tick = next(&self.ticks);
        let mut header = Vec::with_capacity(size);
        for entry in sent() {
            entry.used.store(tick, Ordering::Relaxed);
            if !header.is_empty() {
                header.extend_from_slice(SEPARATOR);
            }
            header.extend_from_slice(&entry.cookie.name);
            // Without a name the value is sent alone (section 5.8.3).
            if !entry.cookie.name.is_empty() {
                header.push(b'=');
            }
            header.extend_from_slice(&entry.cookie.value);
        }
        (Some(header), left_out)
    }

    /// Returns the cookies that [`header`](Self::header) would send.
    pub(super) fn matching<'a>(&'a self, place: Place<'a>, now: i64, caps: &Caps) -> impl Iterator<Item = &'a Cookie> {
        let candidates = move || self.candidates(place, true, now);
        let excess = Excess::of(candidates, caps);
        candidates().filter(move |entry| !excess.has(entry)).map(|entry| &entry.cookie)
    }

    /// Returns all cookies that have not expired, the oldest first, each with its version.
    pub(super) fn all(&self, now: i64) -> Vec<(u64, Cookie)> {
        self.entries(now).into_iter().map(|entry| (entry.version, entry.cookie.clone())).collect()
    }

    fn entries(&self, now: i64) -> Vec<&Entry> {
        let mut all: Vec<&Entry> = self
            .sites
            .values()
            .flat_map(Site::iter)
            .chain(&self.shared)
            .filter(|entry| !entry.cookie.is_expired(now))
            .collect();
        all.sort_unstable_by_key(|entry| entry.created);
        all
    }

    /// Returns when each cookie of [`all`](Self::all) was used last.
    #[cfg(any(test, fuzzing))]
    pub(super) fn uses(&self, now: i64) -> Vec<u64> {
        self.entries(now).into_iter().map(Entry::used).collect()
    }

    pub(super) fn count(&self, now: i64) -> usize {
        self.sites
            .values()
            .flat_map(Site::iter)
            .chain(&self.shared)
            .filter(|entry| !entry.cookie.is_expired(now))
            .count()
    }

    /// Removes the cookies that are `unwanted`, by version and cookie, and returns their number.
    pub(super) fn remove(&mut self, unwanted: impl Fn(u64, &Cookie) -> bool) -> usize {
        let before = self.len();
        let wanted = |entry: &Entry| !unwanted(entry.version, &entry.cookie);
        self.shared.retain(wanted);
        self.sites.retain(|_, cookies| {
            cookies.retain(wanted);
            cookies.len() > 0
        });
        self.filed = self.sites.values().map(Site::len).sum();
        if self.ranks.are_stale(self.filed) {
            self.rank_again();
        }
        before - self.len()
    }
}

const SEPARATOR: &[u8] = b"; ";

/// Returns the number of bytes of a cookie in a header, with a separator.
fn sent_bytes(entry: &Entry) -> usize {
    let name = entry.cookie.name.len();
    name + usize::from(name > 0) + entry.cookie.value.len() + SEPARATOR.len()
}

/// The cookies of a request that the Cookie field has no room for.
struct Excess {
    /// Their versions, in order.
    versions: Vec<u64>,
    /// Bytes of all other cookies, with a separator each.
    left: usize,
}

impl Excess {
    /// Selects the least recently used cookie, among equals the newest, until the rest fits. A cookie that is too long
    /// by itself is always selected, and first.
    fn of<'a, I: Iterator<Item = &'a Entry>>(candidates: impl Fn() -> I, caps: &Caps) -> Excess {
        // The last cookie has no separator after it.
        let most = caps.header_bytes.saturating_add(SEPARATOR.len());
        let (count, size) = candidates().fold((0, 0), |(count, size), entry| (count + 1, size + sent_bytes(entry)));
        if count <= caps.sent && size <= most {
            return Excess { versions: Vec::new(), left: size };
        }
        let (mut all, mut excess): (Vec<&Entry>, Vec<&Entry>) =
            candidates().partition(|entry| sent_bytes(entry) <= most);
        all.sort_unstable_by_key(|entry| (Reverse(entry.used()), entry.created));
        let (mut left, mut fitting) = (0, 0);
        for entry in all.iter().take(caps.sent) {
            if left + sent_bytes(entry) > most {
                break;
            }
            left += sent_bytes(entry);
            fitting += 1;
        }
        excess.extend(all.drain(fitting..));
        let mut versions: Vec<u64> = excess.into_iter().map(|entry| entry.version).collect();
        versions.sort_unstable();
        Excess { versions, left }
    }

    fn is_nothing(&self) -> bool {
        self.versions.is_empty()
    }

    fn has(&self, entry: &Entry) -> bool {
        !self.is_nothing() && self.versions.binary_search(&entry.version).is_ok()
    }
}

/// Returns a tick that is later than all before.
fn next(ticks: &AtomicU64) -> u64 {
    ticks.fetch_add(1, Ordering::Relaxed)
}

/// Returns the cookie as the host of `place` may set it, with domain and path filled in.
fn admit(mut cookie: Cookie, place: Place<'_>, now: i64, caps: &Caps) -> Result<Cookie, &'static str> {
    rules::check_pair(&cookie.name, &cookie.value)?;
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

/// Checks what holds for each cookie that a jar keeps for a host.
fn check(cookie: &Cookie, caps: &Caps) -> Result<(), &'static str> {
    if cookie.name.len() + cookie.value.len() > caps.cookie_bytes {
        return Err("the cookie has more bytes than the jar takes");
    }
    // The domain and path of a URL may be longer than an attribute.
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

fn has_prefix(cookie: &Cookie, prefix: &str) -> bool {
    rules::has_prefix(&cookie.name, prefix)
}

/// Checks a cookie from a file: the file may have been edited, and the list of public suffixes may have changed.
fn recheck(cookie: &mut Cookie, now: i64, caps: &Caps) -> Result<(), &'static str> {
    rules::check_pair(&cookie.name, &cookie.value)?;
    check(cookie, caps)?;
    let domain = domain(cookie);
    let path = path(cookie);
    if !place::is_host(domain) || !path.starts_with('/') || !path.bytes().all(rules::is_cookie_byte) {
        return Err("the cookie's domain or path is none");
    }
    if !cookie.host_only {
        cookie.host_only = place::reach(domain, domain) != Reach::Domain;
    }
    cookie.shorten(now);
    Ok(())
}

fn belongs(cookie: &Cookie, place: Place<'_>) -> bool {
    let domain = domain(cookie);
    let is_here = if cookie.host_only { place.host == domain } else { place::domain_matches(place.host, domain) };
    is_here && (place.is_secure || !cookie.secure) && place::path_matches(place.path, path(cookie))
}

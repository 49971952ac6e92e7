//! The jar: a store with a lock and a clock.

use std::collections::HashSet;
use std::fmt;
use std::panic::RefUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use super::cookie::{Cookie, seconds};
use super::cookie_store::{CookieRequest, CookieStore};
use super::parse;
use super::place::domain_matches;
use super::store::{Caps, Store};
use crate::error::{Error, Result};
use crate::observe;
use crate::sync::RwLock;
use crate::urls::Url;

/// Keeps cookies and sends them where they belong, as RFC 6265bis says. Clones are the same jar, and any number of
/// threads may use and edit it.
///
/// A cookie goes to the host that set it. If it has a Domain attribute, it goes to that domain and every host below it.
/// A cookie of an IP address, of a name with one label, or of a public suffix (`github.io`) goes to that host only.
/// Without the feature `cookies` there is no list of public suffixes, and every cookie stays with its host. The host is
/// that of the URL: a Host header changes nothing.
///
/// Secure cookies are set and sent over `https`, and over plain http to this machine (`localhost`, names below it,
/// 127.0.0.0/8 and `[::1]`), as browsers do; [`loopback_is_secure`](CookieJarBuilder::loopback_is_secure) turns the
/// latter off. SameSite restricts nothing, because no page can make a program send requests.
///
/// The cookies that servers may leave here are bounded, see [`CookieJarBuilder`]. A cookie of a response that breaks a
/// rule is ignored without an error; [`set`](Self::set) returns the reason.
///
/// ```
/// use hostpool::{CookieJar, CookieRequest, CookieStore, Url};
///
/// let jar = CookieJar::new();
/// let url = Url::parse("https://www.example.com/account/login")?;
/// jar.set(&url, "id=a3fWa; Path=/account; Secure")?;
///
/// let request = Url::parse("https://www.example.com/account/items")?;
/// assert_eq!(jar.cookie_header(&CookieRequest::new(&request)).as_deref(), Some(&b"id=a3fWa"[..]));
/// let other = Url::parse("https://example.com/account/items")?;
/// assert_eq!(jar.cookie_header(&CookieRequest::new(&other)), None);
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone)]
pub struct CookieJar(Arc<Inner>);

struct Inner {
    caps: Caps,
    /// The number of cookies in the store. Most requests of most programs meet an empty jar, and this check is all that
    /// they pay for.
    kept: AtomicUsize,
    store: RwLock<Store>,
}

// A panic leaves it whole: none of the caller's code runs while the lock is held.
impl RefUnwindSafe for Inner {}

/// Builds a [`CookieJar`].
///
/// | limit | default | on |
/// |---|---|---|
/// | [`max_cookie_bytes`](Self::max_cookie_bytes) | 4096 | name and value of a cookie |
/// | [`max_per_domain`](Self::max_per_domain) | 180 | cookies of one registrable domain |
/// | [`max_cookies`](Self::max_cookies) | 3000 | cookies in all |
/// | [`max_sent`](Self::max_sent) | 150 | cookies in one request |
/// | [`max_header_bytes`](Self::max_header_bytes) | 32 KiB | the Cookie field of one request |
///
/// Beyond a limit on the cookies that are kept, cookies are removed in the order of RFC 6265bis, section 5.7: first
/// expired ones, then, within a domain, those that are not Secure, then the least recently used one. Beyond a limit on
/// what is sent, the least recently used cookies are left out, and their names are logged; the order of the rest is
/// unchanged.
#[derive(Clone, Debug)]
#[must_use = "nothing is made before `build`"]
pub struct CookieJarBuilder {
    caps: Caps,
}

impl CookieJarBuilder {
    /// Sets the limit on the bytes of name and value together, at most 4096. A larger cookie is refused.
    pub fn max_cookie_bytes(mut self, bytes: usize) -> Self {
        self.caps.cookie_bytes = bytes;
        self
    }

    /// Sets the limit on the cookies of one registrable domain, so that a site cannot push out the cookies of others.
    pub fn max_per_domain(mut self, cookies: usize) -> Self {
        self.caps.per_domain = cookies;
        self
    }

    /// Sets the limit on all cookies.
    pub fn max_cookies(mut self, cookies: usize) -> Self {
        self.caps.total = cookies;
        self
    }

    /// Sets the limit on the cookies in one request. The least recently used ones are left out.
    pub fn max_sent(mut self, cookies: usize) -> Self {
        self.caps.sent = cookies;
        self
    }

    /// Sets the limit on the bytes of the Cookie field of one request. The default is 32 KiB; few servers take more
    /// than 8 to 16 KiB. The least recently used cookies are left out, and a cookie that is longer by itself is never
    /// sent.
    pub fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.caps.header_bytes = bytes;
        self
    }

    /// Sets whether hosts without a name, which are IP addresses and Unix sockets, may set cookies, each for itself
    /// only. On by default.
    #[doc(alias = "unsafe")]
    pub fn ip_hosts(mut self, allowed: bool) -> Self {
        self.caps.ip_hosts = allowed;
        self
    }

    /// Sets whether plain http to `localhost`, names below it, 127.0.0.0/8 and `[::1]` may set and get Secure cookies,
    /// including those with the prefixes `__Secure-` and `__Host-`. On by default, as in browsers: the bytes do not
    /// leave this machine. Turn it off if other users of this machine may listen on its ports.
    ///
    /// ```
    /// use hostpool::{CookieJar, Url};
    ///
    /// let url = Url::parse("http://127.0.0.1:8080/")?;
    /// assert!(CookieJar::new().set(&url, "id=7; Secure").is_ok());
    /// let strict = CookieJar::builder().loopback_is_secure(false).build();
    /// assert!(strict.set(&url, "id=7; Secure").is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn loopback_is_secure(mut self, secure: bool) -> Self {
        self.caps.loopback_is_secure = secure;
        self
    }

    /// Builds an empty jar.
    pub fn build(self) -> CookieJar {
        CookieJar(Arc::new(Inner { caps: self.caps, kept: AtomicUsize::new(0), store: RwLock::new(Store::default()) }))
    }
}

impl CookieJar {
    /// Returns an empty jar with the default limits.
    pub fn new() -> CookieJar {
        CookieJar::builder().build()
    }

    /// Returns a builder for a jar with other limits.
    pub fn builder() -> CookieJarBuilder {
        CookieJarBuilder { caps: Caps::DEFAULT }
    }

    /// Takes a cookie as if the server of `url` had sent it in a Set-Cookie field. An expired cookie removes the cookie
    /// that it would overwrite.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest), with the rule that the cookie breaks.
    #[doc(alias = "update_cookies")]
    pub fn set(&self, url: &Url, set_cookie: &str) -> Result<()> {
        self.set_at(url, set_cookie.as_bytes(), now()).map_err(Error::request)
    }

    /// Does what [`set`](Self::set) does, at this time.
    pub(crate) fn set_at(&self, url: &Url, set_cookie: &[u8], now: i64) -> Result<(), &'static str> {
        let cookie = parse::set_cookie(set_cookie, now)?;
        self.change(|store, caps| store.set(cookie, caps.place(url), now, caps))
    }

    /// Takes a cookie as if the server of `url` had set it. Fails as [`set`](Self::set) does.
    #[doc(alias = "update_cookies")]
    pub fn insert(&self, url: &Url, cookie: Cookie) -> Result<()> {
        self.change(|store, caps| store.set(cookie, caps.place(url), now(), caps)).map_err(Error::request)
    }

    /// Takes a cookie of the caller's own for every host that the caller names. All requests carry it, except those
    /// that a redirect leads to another origin. A cookie of the same name that a host has set for itself replaces it
    /// for that host. It is sent after all other cookies.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a name or value that
    /// [`CookieBuilder::build`](crate::CookieBuilder::build) refuses.
    pub fn insert_shared(&self, name: &str, value: &str) -> Result<()> {
        self.change(|store, _| store.share(name.as_bytes(), value.as_bytes())).map_err(Error::request)
    }

    /// Returns the first cookie of that name that a request for `url` would carry.
    pub fn get(&self, url: &Url, name: &str) -> Option<Cookie> {
        let Inner { caps, store, .. } = &*self.0;
        let store = store.read();
        store.matching(caps.place(url), now(), caps).find(|cookie| &*cookie.name == name.as_bytes()).cloned()
    }

    /// Returns all cookies that a request for `url` would carry, in order.
    #[doc(alias = "filter_cookies")]
    pub fn cookies_for(&self, url: &Url) -> Vec<Cookie> {
        let Inner { caps, store, .. } = &*self.0;
        store.read().matching(caps.place(url), now(), caps).cloned().collect()
    }

    /// Returns all present cookies, the oldest first.
    #[doc(alias = "iter")]
    pub fn to_vec(&self) -> Vec<Cookie> {
        self.to_vec_at(now())
    }

    pub(crate) fn to_vec_at(&self, now: i64) -> Vec<Cookie> {
        self.0.store.read().all(now).into_iter().map(|(_, cookie)| cookie).collect()
    }

    /// Returns the number of cookies.
    pub fn len(&self) -> usize {
        self.0.store.read().count(now())
    }

    /// Returns whether there is no cookie.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes the cookies of that name with exactly this domain and path, and returns their number. A host's own
    /// cookie and one for the hosts below it are two.
    pub fn remove(&self, domain: &str, path: &str, name: &str) -> usize {
        self.remove_all(|_, cookie| {
            &*cookie.name == name.as_bytes()
                && cookie.path() == Some(path)
                && cookie.domain().is_some_and(|known| known.eq_ignore_ascii_case(domain))
        })
    }

    /// Removes all cookies, including shared ones.
    pub fn clear(&self) {
        self.remove_all(|_, _| true);
    }

    /// Removes the cookies of `domain` and of all hosts below it, and returns their number.
    pub fn clear_domain(&self, domain: &str) -> usize {
        let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
        self.remove_all(|_, cookie| cookie.domain().is_some_and(|known| domain_matches(known, &domain)))
    }

    /// Removes the expired cookies, which are not sent in any case, and returns their number.
    pub fn clear_expired(&self) -> usize {
        let now = now();
        self.remove_all(|_, cookie| cookie.is_expired(now))
    }

    /// Keeps the cookies for which `predicate` is true. It runs without a lock, so that it may use the jar. A cookie
    /// that is set again meanwhile stays.
    #[doc(alias = "clear")]
    pub fn retain(&self, mut predicate: impl FnMut(&Cookie) -> bool) {
        let mut unwanted = self.0.store.read().all(now());
        unwanted.retain(|(_, cookie)| !predicate(cookie));
        let versions: HashSet<u64> = unwanted.into_iter().map(|(version, _)| version).collect();
        self.remove_all(|version, _| versions.contains(&version));
    }

    fn remove_all(&self, unwanted: impl Fn(u64, &Cookie) -> bool) -> usize {
        self.change(|store, _| store.remove(unwanted))
    }

    /// Does what [`CookieStore::cookie_header`] does, at this time.
    pub(crate) fn header_at(&self, request: &CookieRequest<'_>, now: i64) -> Option<Vec<u8>> {
        let Inner { caps, store, .. } = &*self.0;
        let place = caps.place(request.url());
        let (header, left_out) = store.read().header(place, !request.is_cross_origin(), now, caps);
        // The jar is not locked here, because a logger may use it.
        if !left_out.is_empty() {
            observe::left_out_cookies(request.url(), &left_out);
        }
        header
    }

    /// Returns when each cookie of [`to_vec`](Self::to_vec) was used last, in ticks of the jar.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn uses_at(&self, now: i64) -> Vec<u64> {
        self.0.store.read().uses(now)
    }

    pub(super) fn change<T>(&self, act: impl FnOnce(&mut Store, &Caps) -> T) -> T {
        let Inner { caps, kept, store } = &*self.0;
        let mut store = store.write();
        let result = act(&mut store, caps);
        kept.store(store.len(), Ordering::Relaxed);
        result
    }
}

pub(super) fn now() -> i64 {
    seconds(SystemTime::now())
}

impl CookieStore for CookieJar {
    fn store(&self, url: &Url, set_cookie: &mut dyn Iterator<Item = &[u8]>) {
        let now = now();
        for field in set_cookie {
            // A cookie that breaks a rule is ignored, as RFC 6265bis says.
            let _ = self.set_at(url, field, now);
        }
    }

    fn cookie_header(&self, request: &CookieRequest<'_>) -> Option<Vec<u8>> {
        if self.0.kept.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.header_at(request, now())
    }
}

impl Default for CookieJar {
    fn default() -> Self {
        CookieJar::new()
    }
}

impl fmt::Debug for CookieJar {
    /// Shows how many cookies there are; [`to_vec`](CookieJar::to_vec) shows them without their values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieJar").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl IntoIterator for &CookieJar {
    type Item = Cookie;
    type IntoIter = std::vec::IntoIter<Cookie>;

    /// Returns all present cookies, the oldest first.
    fn into_iter(self) -> Self::IntoIter {
        self.to_vec().into_iter()
    }
}

//! One cookie, as a Set-Cookie field or a caller describes it.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::rules;
use crate::date::ImfDate;
use crate::error::{Error, Result};
use crate::headers::text_of;

/// A cookie: its name and value, and the attributes that decide where it is sent.
///
/// A cookie that was read from a Set-Cookie field has the attributes of that field. In a cookie from a jar the domain
/// and path are filled in. `Debug` does not show the value.
///
/// ```
/// use hostpool::{Cookie, SameSite};
///
/// let cookie = Cookie::parse("id=a3fWa; Path=/; Secure; HttpOnly; SameSite=Lax")?;
/// assert_eq!((&*cookie.name(), &*cookie.value()), ("id", "a3fWa"));
/// assert_eq!((cookie.domain(), cookie.path()), (None, Some("/")));
/// assert!(cookie.secure() && cookie.http_only() && cookie.host_only());
/// assert_eq!(cookie.same_site(), Some(SameSite::Lax));
/// assert!(!format!("{cookie:?}").contains("a3fWa"));
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "Morsel")]
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    pub(super) name: Box<[u8]>,
    pub(super) value: Box<[u8]>,
    /// In lower case, without a leading dot.
    pub(super) domain: Option<Box<str>>,
    /// Begins with a slash.
    pub(super) path: Option<Box<str>>,
    /// Seconds since 1970.
    pub(super) expires: Option<i64>,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) host_only: bool,
    pub(super) same_site: Option<SameSite>,
}

/// The SameSite attribute (RFC 6265bis, section 5.6.7). It is kept and returned, and restricts nothing: the attribute
/// is about pages that make a browser send requests, and a program has no pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SameSite {
    /// Only for requests of the same site.
    Strict,
    /// For requests of the same site, and for following a link to it.
    Lax,
    /// For all requests.
    None,
}

impl SameSite {
    const ALL: [SameSite; 3] = [SameSite::Strict, SameSite::Lax, SameSite::None];

    /// Returns the name of the value in a field.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        }
    }

    pub(super) fn parse(text: &[u8]) -> Option<SameSite> {
        Self::ALL.into_iter().find(|known| text.eq_ignore_ascii_case(known.as_str().as_bytes()))
    }
}

impl Cookie {
    /// Builds a cookie for [`CookieJar::insert`](crate::CookieJar::insert).
    ///
    /// ```
    /// use hostpool::{Cookie, CookieJar, Url};
    /// use std::time::Duration;
    ///
    /// let cookie = Cookie::builder("session", "38afes7a8").max_age(Duration::from_secs(3600)).path("/").build()?;
    /// let jar = CookieJar::new();
    /// jar.insert(&Url::parse("https://app.example.com/")?, cookie)?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn builder(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> CookieBuilder {
        CookieBuilder { cookie: Cookie::new(name.as_ref(), value.as_ref()), domain: None, path: None }
    }

    /// Makes a cookie without attributes. Nothing is checked.
    pub(super) fn new(name: &[u8], value: &[u8]) -> Cookie {
        Cookie {
            name: name.into(),
            value: value.into(),
            domain: None,
            path: None,
            expires: None,
            secure: false,
            http_only: false,
            host_only: true,
            same_site: None,
        }
    }

    /// Returns the name: as UTF-8 if it is valid, otherwise each byte as ISO-8859-1. Empty for a cookie without a name,
    /// which is sent as its value alone (RFC 6265bis, section 5.8.3).
    #[doc(alias = "key")]
    pub fn name(&self) -> Cow<'_, str> {
        text_of(&self.name)
    }

    /// Returns the value as text: as UTF-8 if it is valid, otherwise each byte as ISO-8859-1. Quotation marks are part
    /// of it, and nothing is decoded.
    pub fn value(&self) -> Cow<'_, str> {
        text_of(&self.value)
    }

    /// Returns the bytes of the value, as they are sent.
    pub fn bytes(&self) -> &[u8] {
        &self.value
    }

    /// Returns the domain in lower case, without a leading dot: the Domain attribute, or, for a cookie from a jar, the
    /// host that set it. Returns `None` for a cookie that was read without a Domain attribute, and for a cookie of
    /// [`CookieJar::insert_shared`](crate::CookieJar::insert_shared). For an `http+unix` URL the host is the whole
    /// origin.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// Returns the Path attribute, or, for a cookie from a jar, the path that it applies to.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Returns when the cookie expires. `None` for a session cookie, which lasts as long as its jar.
    #[doc(alias = "max_age")]
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires.map(|expires| {
            let distance = Duration::from_secs(expires.unsigned_abs());
            let time = if expires < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
            time.unwrap_or(UNIX_EPOCH)
        })
    }

    /// Returns whether the cookie is only for `https`, and for plain http to this machine if the jar allows it.
    pub fn secure(&self) -> bool {
        self.secure
    }

    /// Returns whether the cookie is hidden from scripts of a page. A program has no such scripts.
    #[doc(alias = "httponly")]
    pub fn http_only(&self) -> bool {
        self.http_only
    }

    /// Returns whether the cookie is only for the host that set it, and not for names below that host.
    pub fn host_only(&self) -> bool {
        self.host_only
    }

    /// Returns the SameSite attribute, if there is one with a known value.
    pub fn same_site(&self) -> Option<SameSite> {
        self.same_site
    }

    /// Limits the life of the cookie to the longest that is allowed.
    pub(super) fn shorten(&mut self, now: i64) {
        self.expires = self.expires.map(|expires| expires.min(now.saturating_add(rules::MAX_LIFE)));
    }

    pub(super) fn is_expired(&self, now: i64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// Returns the seconds since 1970, rounded down.
pub(super) fn seconds(time: SystemTime) -> i64 {
    let whole = |since: Duration| i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookie({}=***", self.name.escape_ascii())?;
        if let (Some(domain), false) = (&self.domain, self.host_only) {
            write!(f, "; Domain={}", domain.escape_debug())?;
        }
        if let (Some(host), true) = (&self.domain, self.host_only) {
            write!(f, "; of {}", host.escape_debug())?;
        }
        if let Some(path) = &self.path {
            write!(f, "; Path={}", path.escape_debug())?;
        }
        if let Some(expires) = self.expires {
            write!(f, "; Expires={}", ImfDate(expires))?;
        }
        let flags = [(self.secure, "; Secure"), (self.http_only, "; HttpOnly")];
        flags.iter().filter(|(is_set, _)| *is_set).try_for_each(|(_, text)| f.write_str(text))?;
        if let Some(same_site) = self.same_site {
            write!(f, "; SameSite={}", same_site.as_str())?;
        }
        f.write_str(")")
    }
}

/// Builds a [`Cookie`]. Without attributes it is a session cookie for the host that it is set for, and for the
/// directory of the URL's path.
#[derive(Clone, Debug)]
#[must_use = "nothing is made before `build`"]
pub struct CookieBuilder {
    cookie: Cookie,
    domain: Option<String>,
    path: Option<String>,
}

impl CookieBuilder {
    /// Sends the cookie to `domain` and to every host below it.
    pub fn domain(self, domain: &str) -> Self {
        CookieBuilder { domain: Some(domain.into()), ..self }
    }

    /// Sends the cookie for this path and the paths below it. The path begins with a slash.
    pub fn path(self, path: &str) -> Self {
        CookieBuilder { path: Some(path.into()), ..self }
    }

    /// Ends the cookie at `time`. A jar keeps no cookie for longer than 400 days (RFC 6265bis, section 5.5).
    pub fn expires(mut self, time: SystemTime) -> Self {
        self.cookie.expires = Some(seconds(time));
        self
    }

    /// Ends the cookie that long from now, and after 400 days at the latest.
    pub fn max_age(mut self, age: Duration) -> Self {
        let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX).min(rules::MAX_LIFE);
        self.cookie.expires = Some(seconds(SystemTime::now()).saturating_add(age));
        self
    }

    /// Sets whether the cookie is only for `https`.
    pub fn secure(mut self, secure: bool) -> Self {
        self.cookie.secure = secure;
        self
    }

    /// Sets whether the cookie is hidden from scripts.
    #[doc(alias = "httponly")]
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.cookie.http_only = http_only;
        self
    }

    /// Sets the SameSite attribute.
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.cookie.same_site = Some(same_site);
        self
    }

    /// Builds the cookie.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if no Set-Cookie field could set such a cookie:
    /// it has neither name nor value, `=` in the name, `;` or a control character anywhere, white space at an end, a
    /// path without a leading slash, or an empty domain.
    pub fn build(self) -> Result<Cookie> {
        let mut cookie = self.cookie;
        rules::check_pair(&cookie.name, &cookie.value).map_err(Error::request)?;
        if let Some(path) = self.path {
            if !path.starts_with('/') || !rules::is_plain(path.as_bytes()) {
                return Err(Error::request(
                    "the cookie's path does not begin with a slash, or a byte of it is forbidden",
                ));
            }
            cookie.path = Some(path.into());
        }
        if let Some(domain) = self.domain {
            let domain = domain.strip_prefix('.').unwrap_or(&domain).to_ascii_lowercase();
            if domain.is_empty() || !rules::is_plain(domain.as_bytes()) {
                return Err(Error::request("the cookie's domain is empty, or a byte of it is forbidden"));
            }
            cookie.domain = Some(domain.into());
            cookie.host_only = false;
        }
        Ok(cookie)
    }
}

//! The ways that a request may take, in their order.

use std::fmt;

use crate::error::{Error, Result};
use crate::proxy::Proxy;

/// The ways that a request may take: without a proxy, through one, or several that are tried in their order.
///
/// A function given to [`choose_proxy`](crate::ClientBuilder::choose_proxy) returns one, and
/// [`Session::proxy_for`](crate::Session::proxy_for) tells the one of a URL. The next way is tried if no connection can
/// be opened to the proxy. Once the proxy has answered, its answer holds.
///
/// ```
/// use hostpool::{Proxy, ProxyChoice};
///
/// let [one, two] = ["http://one.example:3128", "http://two.example:3128"].map(Proxy::parse);
/// let choice = ProxyChoice::from(one?).or(two?).or_direct();
/// assert_eq!(choice.to_string(), "http://one.example:3128, http://two.example:3128, direct");
/// assert_eq!(choice.proxies().count(), 2);
/// assert!(ProxyChoice::direct().is_direct());
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "PAC")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ProxyChoice {
    /// `None` is the way without a proxy.
    ways: Vec<Option<Proxy>>,
}

impl ProxyChoice {
    /// Returns the choice of no proxy.
    ///
    /// ```
    /// assert_eq!(hostpool::ProxyChoice::direct().to_string(), "direct");
    /// ```
    pub fn direct() -> ProxyChoice {
        ProxyChoice { ways: vec![None] }
    }

    /// Reads what the function `FindProxyForURL` of a PAC file returns, such as `PROXY one:3128; SOCKS5 two:1080; DIRECT`.
    /// This crate runs no PAC files: an engine for JavaScript does, in a function given to
    /// [`choose_proxy`](crate::ClientBuilder::choose_proxy).
    ///
    /// | word | proxy |
    /// |---|---|
    /// | `DIRECT` | none |
    /// | `PROXY`, `HTTP` | `http` |
    /// | `HTTPS` | `https` |
    /// | `SOCKS`, `SOCKS4` | `socks4` |
    /// | `SOCKS5` | `socks5h` |
    ///
    /// An empty text is `DIRECT`, as for browsers.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if any part of the text is not one of them. Browsers
    /// pass over such a part, and may then send a request without a proxy.
    ///
    /// ```
    /// use hostpool::ProxyChoice;
    ///
    /// let choice = ProxyChoice::from_pac("PROXY one.example:3128; DIRECT")?;
    /// assert_eq!(choice.to_string(), "http://one.example:3128, direct");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "FindProxyForURL")]
    pub fn from_pac(text: &str) -> Result<ProxyChoice> {
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        let ways = parts.map(way_of_pac).collect::<Result<Vec<_>>>()?;
        Ok(if ways.is_empty() { ProxyChoice::direct() } else { ProxyChoice { ways } })
    }

    /// Adds a proxy that is tried if none of the ways before it can be reached.
    ///
    /// ```
    /// use hostpool::{Proxy, ProxyChoice};
    ///
    /// let choice = ProxyChoice::direct().or(Proxy::parse("http://proxy.example:3128")?);
    /// assert_eq!(choice.to_string(), "direct, http://proxy.example:3128");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn or(mut self, proxy: Proxy) -> ProxyChoice {
        self.ways.push(Some(proxy));
        self
    }

    /// Adds that the server itself is tried if none of the ways before can be reached.
    ///
    /// ```
    /// use hostpool::{Proxy, ProxyChoice};
    ///
    /// let choice = ProxyChoice::from(Proxy::parse("http://proxy.example:3128")?).or_direct();
    /// assert_eq!(choice.to_string(), "http://proxy.example:3128, direct");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn or_direct(mut self) -> ProxyChoice {
        self.ways.push(None);
        self
    }

    /// Returns whether no proxy is used, also not as a second choice.
    ///
    /// ```
    /// let session = hostpool::Session::new();
    /// assert!(session.proxy_for("http://example.com/")?.is_direct());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn is_direct(&self) -> bool {
        !self.ways.is_empty() && self.proxies().next().is_none()
    }

    /// Returns the proxy that is tried first. `None` if that is the server itself.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder().proxy("http://proxy.example:3128").build()?;
    /// let choice = session.proxy_for("http://example.com/")?;
    /// assert_eq!(choice.proxy().unwrap().origin().port(), Some(3128));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn proxy(&self) -> Option<&Proxy> {
        self.ways.first()?.as_ref()
    }

    /// Returns the ways in the order in which they are tried. `None` is the server itself.
    ///
    /// ```
    /// use hostpool::{Proxy, ProxyChoice};
    ///
    /// let choice = ProxyChoice::from(Proxy::parse("http://proxy.example:3128")?).or_direct();
    /// assert_eq!(choice.ways().map(|way| way.is_some()).collect::<Vec<_>>(), [true, false]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn ways(&self) -> impl Iterator<Item = Option<&Proxy>> {
        self.ways.iter().map(Option::as_ref)
    }

    /// Returns the proxies in the order in which they are tried.
    ///
    /// ```
    /// assert_eq!(hostpool::ProxyChoice::direct().proxies().count(), 0);
    /// ```
    pub fn proxies(&self) -> impl Iterator<Item = &Proxy> {
        self.ways.iter().flatten()
    }

    pub(crate) fn into_ways(self) -> std::vec::IntoIter<Option<Proxy>> {
        self.ways.into_iter()
    }
}

/// Reads one part of what a PAC file returns.
fn way_of_pac(part: &str) -> Result<Option<Proxy>> {
    let unusable = || Error::config("a part of the result of a PAC file is not DIRECT, or a word and a host");
    let mut words = part.split_whitespace();
    let (word, host) = (words.next().unwrap_or_default().to_ascii_uppercase(), words.next());
    let scheme = match &*word {
        "DIRECT" if host.is_none() => return Ok(None),
        "PROXY" | "HTTP" => "http",
        "HTTPS" => "https",
        "SOCKS" | "SOCKS4" => "socks4",
        "SOCKS5" => "socks5h",
        _ => return Err(unusable()),
    };
    // A path would be one of a socket for SOCKS.
    let host = host.filter(|host| !host.contains('/') && words.next().is_none()).ok_or_else(unusable)?;
    Proxy::parse(&format!("{scheme}://{host}")).map(Some).map_err(|_| unusable())
}

impl From<Proxy> for ProxyChoice {
    fn from(proxy: Proxy) -> ProxyChoice {
        ProxyChoice { ways: vec![Some(proxy)] }
    }
}

impl From<&Proxy> for ProxyChoice {
    fn from(proxy: &Proxy) -> ProxyChoice {
        proxy.clone().into()
    }
}

impl From<Option<Proxy>> for ProxyChoice {
    fn from(proxy: Option<Proxy>) -> ProxyChoice {
        ProxyChoice { ways: vec![proxy] }
    }
}

/// A list of proxies. `None` is the way without one. A request fails if the list is empty.
impl FromIterator<Option<Proxy>> for ProxyChoice {
    fn from_iter<I: IntoIterator<Item = Option<Proxy>>>(ways: I) -> ProxyChoice {
        ProxyChoice { ways: ways.into_iter().collect() }
    }
}

/// A list of proxies. A request fails if it is empty.
impl FromIterator<Proxy> for ProxyChoice {
    fn from_iter<I: IntoIterator<Item = Proxy>>(proxies: I) -> ProxyChoice {
        proxies.into_iter().map(Some).collect()
    }
}

impl fmt::Display for ProxyChoice {
    /// Shows the URLs of the proxies, without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, way) in self.ways.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            match way {
                Some(proxy) => write!(f, "{separator}{proxy}")?,
                None => write!(f, "{separator}direct")?,
            }
        }
        Ok(())
    }
}

//! A proxy for each scheme, and the hosts that are reached without one.

use std::env;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use super::list::ProxyChoice;
use super::no_proxy::{NoProxy, is_loopback};
use super::variables::{self, Variables};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::observe;
use crate::proxy::Proxy;
use crate::urls::{Origin, Scheme, Url};

/// A proxy for each scheme, and the hosts that are reached without one: what the variables of an environment say, or
/// what a program says in their place.
///
/// | variable | for |
/// |---|---|
/// | `http_proxy`, `HTTP_PROXY` | `http` URLs |
/// | `https_proxy`, `HTTPS_PROXY` | `https` URLs |
/// | `all_proxy`, `ALL_PROXY` | the URLs of a scheme that has no variable of its own |
/// | `no_proxy`, `NO_PROXY` | hosts that are reached without a proxy: see [`no_proxy`](Self::no_proxy) |
///
/// - The name in lower case comes first. A variable that is empty counts as not set.
/// - `HTTP_PROXY` is ignored if there is a `REQUEST_METHOD`. Then the program is a CGI script, and the variable has what a
///   client sent in a field named Proxy. Windows does not tell upper from lower case, and there `http_proxy` is ignored,
///   too.
/// - The value is the URL of a [`Proxy`]. Without a scheme it is one of `http`. A path is ignored. `socks://`, which some
///   desktops write, is `socks5h://`.
/// - A value that is not the URL of a proxy is an error that names the variable. Nothing is sent without a proxy in its
///   place.
/// - `localhost`, names below it, 127.0.0.0/8 and `::1` are reached without a proxy: see
///   [`proxy_loopback`](Self::proxy_loopback).
/// - A Unix socket is reached without a proxy.
///
/// The environment is the only source. Settings of the system, such as the registry of Windows, the network settings of
/// macOS, those of a desktop, or a PAC file, are not read. A function given to
/// [`choose_proxy`](crate::ClientBuilder::choose_proxy) can ask for them.
///
/// ```
/// use hostpool::{ProxyRules, Session};
///
/// let rules = ProxyRules::from_vars([
///     ("HTTPS_PROXY", "http://user:secret@proxy.example:3128"),
///     ("NO_PROXY", "intern.example, 10.0.0.0/8"),
/// ])?;
/// let session = Session::builder().proxy_rules(rules).build()?;
/// assert_eq!(session.proxy_for("https://example.com/")?.to_string(), "http://proxy.example:3128");
/// for url in ["http://example.com/", "https://db.intern.example/", "https://10.1.2.3/", "https://localhost/"] {
///     assert!(session.proxy_for(url)?.is_direct());
/// }
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "NoProxy")]
#[doc(alias = "HTTP_PROXY")]
#[doc(alias = "HTTPS_PROXY")]
#[doc(alias = "ALL_PROXY")]
#[doc(alias = "NO_PROXY")]
#[doc(alias = "getproxies")]
#[doc(alias = "proxies")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ProxyRules {
    http: Option<Proxy>,
    https: Option<Proxy>,
    /// The proxy of schemes without one of their own.
    all: Option<Proxy>,
    // A list may be long, and the rules are cloned with the settings of a client.
    no_proxy: Arc<NoProxy>,
    /// Whether hosts that are this machine are reached through a proxy, too.
    loopback: bool,
}

impl ProxyRules {
    /// Returns rules without a proxy, to be filled by code. They know nothing of the environment, and a proxy is used for
    /// hosts of this machine, too.
    ///
    /// ```
    /// use hostpool::{Proxy, ProxyRules, Session};
    ///
    /// let rules = ProxyRules::new()
    ///     .http("http://proxy.example:3128")?
    ///     .https(Proxy::parse("http://proxy.example:3128")?.header("X-Team", "7")?)?
    ///     .no_proxy("localhost, .intern.example");
    /// let session = Session::builder().proxy_rules(rules).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "empty")]
    pub fn new() -> ProxyRules {
        ProxyRules { http: None, https: None, all: None, no_proxy: Arc::default(), loopback: true }
    }

    /// Reads the variables of the environment, now. Later changes of the environment have no effect on the returned rules.
    ///
    /// A client reads them by itself if [`trust_env`](crate::ClientBuilder::trust_env) is set.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] if the value of a variable is not the URL of a proxy. The error names the variable, and
    /// does not show its value. A variable that no scheme needs is not looked at, and entries of `NO_PROXY` never fail.
    ///
    /// ```
    /// use hostpool::{ProxyRules, Session};
    ///
    /// let rules = ProxyRules::from_env()?.no_proxy("metadata.example").proxy_loopback(true);
    /// let session = Session::builder().proxy_rules(rules).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "getproxies_environment")]
    #[doc(alias = "try_from_env")]
    pub fn from_env() -> Result<ProxyRules> {
        ProxyRules::of_environment(true, true)
    }

    /// Reads the environment for a client that sends requests of these schemes. This is the one place that reads these
    /// variables.
    pub(crate) fn of_environment(http: bool, https: bool) -> Result<ProxyRules> {
        let variables = Variables::of(|name| env::var_os(name), cfg!(windows));
        ProxyRules::of(&variables, http, https)
    }

    /// Reads the rules from these variables, in place of those of the environment. Their names are those of the variables,
    /// in upper or lower case. Others have no effect, except `REQUEST_METHOD`. Of two variables with the same name the last
    /// one counts.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    ///
    /// ```
    /// use hostpool::ProxyRules;
    ///
    /// assert!(ProxyRules::from_vars([("all_proxy", "socks5h://127.0.0.1:9050")]).is_ok());
    /// let error = ProxyRules::from_vars([("HTTPS_PROXY", "ftp://user:secret@proxy.example")]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "invalid configuration: HTTPS_PROXY is not the URL of a proxy: the scheme of a proxy is http, https, socks4, \
    ///      socks4a, socks5 or socks5h, not ftp",
    /// );
    /// ```
    #[doc(alias = "Config")]
    pub fn from_vars<N: AsRef<str>, V: AsRef<OsStr>>(vars: impl IntoIterator<Item = (N, V)>) -> Result<ProxyRules> {
        let known: Vec<(N, V)> = vars.into_iter().collect();
        let find = |name: &str| {
            let found = known.iter().rev().find(|(known, _)| known.as_ref() == name);
            found.map(|(_, value)| OsString::from(value))
        };
        ProxyRules::of(&Variables::of(find, false), true, true)
    }

    fn of(variables: &Variables, http: bool, https: bool) -> Result<ProxyRules> {
        let proxy = |scheme, is_asked| {
            let given = variables.proxy_of(scheme).filter(|_| is_asked);
            given.map(variables::proxy).transpose()
        };
        let rules = ProxyRules {
            http: proxy(Scheme::Http, http)?,
            https: proxy(Scheme::Https, https)?,
            loopback: false,
            ..ProxyRules::new()
        };
        Ok(rules.no_proxy(&variables.no_proxy))
    }

    /// Sets the proxy of `http` URLs.
    ///
    /// # Errors
    ///
    /// Those of [`Proxy::parse`].
    ///
    /// ```
    /// use hostpool::{ProxyRules, Url};
    ///
    /// let rules = ProxyRules::new().http("http://proxy.example:3128")?;
    /// assert!(rules.proxy_for(&Url::parse("http://example.com/")?).is_some());
    /// assert!(rules.proxy_for(&Url::parse("https://example.com/")?).is_none());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn http<P: TryInto<Proxy>>(self, proxy: P) -> Result<ProxyRules>
    where
        Error: From<P::Error>,
    {
        Ok(ProxyRules { http: Some(checked(proxy)?), ..self })
    }

    /// Sets the proxy of `https` URLs.
    ///
    /// # Errors
    ///
    /// Those of [`Proxy::parse`].
    ///
    /// ```
    /// use hostpool::ProxyRules;
    ///
    /// let rules = ProxyRules::new().https("http://proxy.example:3128")?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn https<P: TryInto<Proxy>>(self, proxy: P) -> Result<ProxyRules>
    where
        Error: From<P::Error>,
    {
        Ok(ProxyRules { https: Some(checked(proxy)?), ..self })
    }

    /// Sets the proxy of the URLs whose scheme has no proxy of its own.
    ///
    /// # Errors
    ///
    /// Those of [`Proxy::parse`].
    ///
    /// ```
    /// use hostpool::{ProxyRules, Url};
    ///
    /// let rules = ProxyRules::new().all("http://proxy.example:3128")?.no_proxy("example.com:443");
    /// assert!(rules.proxy_for(&Url::parse("http://example.com/")?).is_some());
    /// assert!(rules.proxy_for(&Url::parse("https://example.com/")?).is_none());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn all<P: TryInto<Proxy>>(self, proxy: P) -> Result<ProxyRules>
    where
        Error: From<P::Error>,
    {
        Ok(ProxyRules { all: Some(checked(proxy)?), ..self })
    }

    /// Adds hosts that are reached without a proxy, as in `NO_PROXY`. Commas and white space separate them.
    ///
    /// | entry | names |
    /// |---|---|
    /// | `example.com`, `.example.com`, `*.example.com` | this host, and all hosts below it |
    /// | `10.1.2.3`, `::1`, `[::1]` | this address, however the URL writes it |
    /// | `10.0.0.0/8`, `fd00::/8` | the addresses of this range |
    /// | `*` | all hosts |
    ///
    /// Each but a range may have a port at its end, and then is for this port alone; a URL without a port has that of its
    /// scheme. An IPv6 address with a port stands in brackets. An IPv4 address and the IPv6 address that stands for it
    /// (`::ffff:10.1.2.3`) are the same.
    ///
    /// No name is looked up, so `10.0.0.0/8` is for URLs with such an address. Other entries, such as `10.*`, match
    /// nothing, and are logged once.
    ///
    /// ```
    /// use hostpool::{ProxyRules, Url};
    ///
    /// let rules = ProxyRules::new().all("http://proxy.example")?.no_proxy("example.com, 10.0.0.0/8 [::1]:8080");
    /// for url in ["http://example.com/", "https://www.EXAMPLE.com./", "http://10.1.2.3/", "http://[0:0::1]:8080/"] {
    ///     assert!(rules.proxy_for(&Url::parse(url)?).is_none());
    /// }
    /// for url in ["http://notexample.com/", "http://11.1.2.3/", "http://[::1]/"] {
    ///     assert!(rules.proxy_for(&Url::parse(url)?).is_some());
    /// }
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "noproxy")]
    #[doc(alias = "proxy_bypass")]
    pub fn no_proxy(mut self, list: &str) -> ProxyRules {
        let no_proxy = Arc::make_mut(&mut self.no_proxy);
        let known = no_proxy.unknown().len();
        no_proxy.add(list);
        no_proxy.unknown()[known..].iter().for_each(|entry| observe::unknown_no_proxy(entry));
        self
    }

    /// Sets whether hosts of this machine are reached through a proxy: `localhost`, names below it, 127.0.0.0/8 and `::1`.
    ///
    /// Default: no for rules from variables, because a proxy of the network cannot reach this machine by these names, and
    /// would reach itself. Yes for rules from code.
    ///
    /// ```
    /// use hostpool::{ProxyRules, Url};
    ///
    /// let rules = ProxyRules::from_vars([("http_proxy", "http://proxy.example")])?;
    /// let url = Url::parse("http://localhost:8080/")?;
    /// assert!(rules.proxy_for(&url).is_none());
    /// assert!(rules.proxy_loopback(true).proxy_for(&url).is_some());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn proxy_loopback(self, proxy: bool) -> ProxyRules {
        ProxyRules { loopback: proxy, ..self }
    }

    /// Returns the proxy for a URL, or `None` if it is reached without one.
    ///
    /// ```
    /// use hostpool::{ProxyRules, Url};
    ///
    /// let rules = ProxyRules::from_vars([("HTTP_PROXY", "proxy.example:3128")])?;
    /// let proxy = rules.proxy_for(&Url::parse("http://example.com/")?).unwrap();
    /// assert_eq!(proxy.to_string(), "http://proxy.example:3128");
    /// // HTTP_PROXY is not for https.
    /// assert!(rules.proxy_for(&Url::parse("https://example.com/")?).is_none());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "select_proxy")]
    pub fn proxy_for(&self, url: &Url) -> Option<&Proxy> {
        self.proxy_of(url.origin())
    }

    pub(super) fn proxy_of(&self, origin: &Origin) -> Option<&Proxy> {
        let own = match origin.kind() {
            Scheme::Http => &self.http,
            Scheme::Https => &self.https,
            Scheme::HttpUnix | Scheme::HttpsUnix => return None,
        };
        let proxy = own.as_ref().or(self.all.as_ref())?;
        let is_direct = !self.loopback && is_loopback(origin) || self.no_proxy.matches(origin);
        (!is_direct).then_some(proxy)
    }

    pub(super) fn choose(&self, origin: &Origin) -> ProxyChoice {
        self.proxy_of(origin).cloned().into()
    }
}

impl Default for ProxyRules {
    fn default() -> Self {
        ProxyRules::new()
    }
}

/// Makes a proxy of what the caller gave for one.
fn checked<P: TryInto<Proxy>>(proxy: P) -> Result<Proxy>
where
    Error: From<P::Error>,
{
    let proxy = proxy.try_into()?;
    proxy.check()?;
    Ok(proxy)
}

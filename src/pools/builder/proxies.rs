//! Which proxy the requests of a client go through.

use std::sync::Arc;

use super::{ClientBuilder, sealed};
use crate::error::{Error, Result};
use crate::proxy::{ChooseProxy, ProxyChoice, ProxyRules, Setting};
use crate::urls::Url;

/// # Proxies by URL
///
/// One of [`proxy`](Self::proxy), [`no_proxy`](Self::no_proxy), [`proxy_rules`](Self::proxy_rules) and
/// [`choose_proxy`](Self::choose_proxy) holds: the last one that was called. Each of them comes before the environment. A
/// request may have one of its own, which comes before that of its client. Each redirect is decided anew.
///
/// ```
/// use hostpool::{ProxyRules, Session};
///
/// let session = Session::builder().trust_env(true).build()?;
/// let rules = ProxyRules::new().all("http://proxy.example:3128")?.no_proxy("intern.example");
/// let session = Session::builder().proxy_rules(rules).build()?;
/// assert!(session.proxy_for("http://db.intern.example/")?.is_direct());
/// # Ok::<(), hostpool::Error>(())
/// ```
impl<C: sealed::Client> ClientBuilder<C> {
    /// Sets whether the variables `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` of the environment choose the
    /// proxy, by the rules of [`ProxyRules`]. Default: no. It is about proxies alone; a netrc file is read by
    /// [`netrc`](Self::netrc).
    ///
    /// The environment is read once, by [`build`](Self::build). A client that is built later reads it again. Whatever code
    /// says about the proxy switches the environment off: [`proxy`](Self::proxy), [`no_proxy`](Self::no_proxy),
    /// [`proxy_rules`](Self::proxy_rules) and [`choose_proxy`](Self::choose_proxy), also those of the
    /// [connector](Self::connector) of a session. A client with a [`dialer`](Self::dialer) or a
    /// [`unix_socket`](Self::unix_socket) reaches no proxy, and a session over such a connector does not either: they do
    /// not read it.
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) fails with [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if a variable is set
    /// and its value is not the URL of a proxy. The error names the variable. Variables that a
    /// [`ConnectionPool`](crate::ConnectionPool) does not need, because its host has another scheme, are not looked at.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder().trust_env(true).build()?;
    /// println!("{}", session.proxy_for("https://www.example.com/")?);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "HTTP_PROXY")]
    #[doc(alias = "HTTPS_PROXY")]
    #[doc(alias = "ALL_PROXY")]
    #[doc(alias = "NO_PROXY")]
    #[doc(alias = "proxy_from_env")]
    #[doc(alias = "try_proxy_from_env")]
    pub fn trust_env(mut self, trust: bool) -> Self {
        self.options.trust_env = trust;
        self
    }

    /// Chooses the proxy by [`ProxyRules`]: one for each scheme, and a list of hosts that are reached without one.
    ///
    /// ```
    /// use hostpool::{ProxyRules, Session};
    ///
    /// let rules = ProxyRules::from_vars([("http_proxy", "http://proxy.example:3128"), ("no_proxy", "intern.example")])?;
    /// let session = Session::builder().proxy_rules(rules).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "proxies")]
    #[doc(alias = "NoProxy")]
    pub fn proxy_rules(self, rules: ProxyRules) -> Self {
        self.choosing(Setting::Rules(Arc::new(rules)))
    }

    /// Chooses the proxy by a function, which is given the URL of each request, also of those after redirects. It returns a
    /// [`ProxyChoice`]: no proxy, a proxy, or a list of ways that are tried in their order, as a PAC file does.
    ///
    /// The next way of a list is tried if no connection can be opened to the proxy, or to the server where the way is
    /// direct: its name has no address, nothing listens, or the connection is cut. A proxy that answers ends the list,
    /// whatever its answer is, and so do a certificate that is not valid and an
    /// [`address_filter`](Self::address_filter) that refuses the server. [`Timeout::connect`](crate::Timeout::connect)
    /// bounds each way, and [`Timeout::total`](crate::Timeout::total) all of them together. The error of the last way has
    /// those of the others: [`Error::failed_ways`]. Each request begins with the first way.
    ///
    /// The function runs on the thread of the call, which holds no connection at that time. If it waits, the call waits for
    /// it. Its error is the error of the call, and a panic goes on to the caller. It is not asked about Unix sockets.
    ///
    /// ```
    /// use hostpool::{Proxy, ProxyChoice, Session};
    ///
    /// let [near, far] = ["http://near.example:3128", "http://far.example:3128"].map(Proxy::parse);
    /// let (near, far) = (near?, far?);
    /// let session = Session::builder()
    ///     .choose_proxy(move |url| match url.host() {
    ///         "intern.example" => Ok(ProxyChoice::direct()),
    ///         _ => Ok(ProxyChoice::from(&near).or(far.clone())),
    ///     })
    ///     .build()?;
    /// assert!(session.proxy_for("https://intern.example/")?.is_direct());
    /// assert_eq!(session.proxy_for("https://example.com/")?.proxies().count(), 2);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "PAC")]
    #[doc(alias = "proxy_custom")]
    #[doc(alias = "FindProxyForURL")]
    pub fn choose_proxy(self, choose: impl Fn(&Url) -> Result<ProxyChoice> + Send + Sync + 'static) -> Self {
        self.choosing(Setting::Function(ChooseProxy::new(choose)))
    }

    fn choosing(mut self, setting: Setting) -> Self {
        self.policy.proxy = Some(setting.clone());
        self.options.proxy = Some(setting);
        self
    }

    /// Reads the environment if it is asked for, and nothing in the code says which proxy to use. `http` and `https` say
    /// which schemes the client serves.
    pub(crate) fn read_environment(&mut self, http: bool, https: bool) -> Result<(), Error> {
        // A dialer, and a socket that all connections are opened to, know of no proxy.
        let reaches_proxies = self.options.unix_socket.is_none() && self.options.dialer.is_none();
        if self.options.trust_env && self.policy.proxy.is_none() && reaches_proxies {
            let setting = Setting::Rules(Arc::new(ProxyRules::of_environment(http, https)?));
            self.policy.proxy = Some(setting.clone());
            self.policy.proxy_of_env = true;
            self.options.proxy = Some(setting);
        }
        Ok(())
    }
}

//! Settings of redirects, for requests that have none of their own.

use super::{Client, ClientBuilder, ManyHosts};
use crate::client::{IntoUrl, check_names, trusted};
use crate::redirect::{RedirectAction, RedirectHop, RedirectWhen, Rewrite};

/// # Redirects
impl<C: Client> ClientBuilder<C> {
    /// Sets whether redirects are followed. On by default: see
    /// [`RequestBuilder::allow_redirects`](crate::RequestBuilder::allow_redirects).
    pub fn allow_redirects(mut self, follow: bool) -> Self {
        self.policy.following.follow = follow;
        self
    }

    /// Sets how many redirects are followed: see
    /// [`RequestBuilder::max_redirects`](crate::RequestBuilder::max_redirects).
    pub fn max_redirects(mut self, max: u32) -> Self {
        self.policy.following.max = Some(max);
        self
    }

    /// Sets a function that decides about each redirect that all other rules allow: see
    /// [`RequestBuilder::redirect_when`](crate::RequestBuilder::redirect_when).
    ///
    /// ```
    /// use hostpool::{RedirectAction, Session};
    ///
    /// // Refuses every host that is not on the list.
    /// let session = Session::builder()
    ///     .redirect_when(|hop| match hop.to().origin().host() {
    ///         "api.example" | "files.example" => RedirectAction::Follow,
    ///         _ => RedirectAction::Refuse,
    ///     })
    ///     .build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "redirect_policy")]
    pub fn redirect_when(
        mut self,
        decide: impl Fn(&RedirectHop<'_>) -> RedirectAction + Send + Sync + 'static,
    ) -> Self {
        self.policy.following.when = Some(RedirectWhen::new(decide));
        self
    }

    /// Sets whether a `POST` stays a `POST` after a 301 or 302. By default it becomes a `GET` in a
    /// [`Session`](crate::Session), as in browsers, and stays a `POST` in pools, as in urllib3: see
    /// [`RequestBuilder::keep_method`](crate::RequestBuilder::keep_method).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder().keep_method(true).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "post301")]
    #[doc(alias = "post302")]
    pub fn keep_method(mut self, keep: bool) -> Self {
        self.policy.following.rules.rewrite = Rewrite::keeping(keep);
        self
    }

    /// Sets whether all requests, also those that redirects lead to, may only be for `https` URLs. Off by default: see
    /// [`RequestBuilder::https_only`](crate::RequestBuilder::https_only).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder().https_only(true).build()?;
    /// assert!(session.get("http://example.com/").send().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn https_only(mut self, only: bool) -> Self {
        self.policy.following.https_only = only;
        self
    }

    /// Sets whether a redirect from `https` to `http` is followed. Off by default.
    pub fn allow_downgrade(mut self, allow: bool) -> Self {
        self.policy.following.rules.downgrade = allow;
        self
    }

    /// Sets the origins that the credentials of requests and of the client may follow a redirect to. None by default:
    /// see [`RequestBuilder::trust_origins`](crate::RequestBuilder::trust_origins), which replaces it for one request.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder()
    ///     .auth(("Aladdin", "open sesame"))
    ///     .trust_origins(["https://api.example", "https://files.example:8443"])
    ///     .build()?;
    /// assert!(Session::builder().trust_origins(["https://api.example/v1"]).build().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "redirect_auth_headers")]
    #[doc(alias = "location_trusted")]
    pub fn trust_origins<U: IntoUrl>(self, origins: impl IntoIterator<Item = U>) -> Self {
        self.try_set(|builder| {
            builder.policy.following.trusted = Some(trusted(origins)?);
            Ok(())
        })
    }

    /// Adds to the headers that are not sent to another origin after a redirect.
    pub fn sensitive_headers<N: AsRef<str>>(self, sensitive: impl IntoIterator<Item = N>) -> Self {
        self.try_set(|builder| {
            builder.policy.following.sensitive.extend(check_names(sensitive)?);
            Ok(())
        })
    }
}

/// # Many hosts
impl<C: Client + ManyHosts> ClientBuilder<C> {
    /// Sets whether a redirect from a Unix socket to a host on the network is followed. Off by default: see
    /// [`RequestBuilder::follow_off_socket`](crate::RequestBuilder::follow_off_socket).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let session = Session::builder().follow_off_socket(true).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn follow_off_socket(mut self, follow: bool) -> Self {
        self.policy.following.rules.off_socket = follow;
        self
    }
}

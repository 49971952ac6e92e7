//! Setters of a [`RequestBuilder`] for all but its URL, headers and body.

use std::sync::Arc;

use http::Version;

use super::RequestBuilder;
use super::into_url::{IntoUrl, trusted};
use crate::auth::{AnyAuth, Auth, BasicAuth};
use crate::client::middleware::{Middleware, Next, middleware_fn, shared};
use crate::client::options::{self, Options};
use crate::client::request::Request;
use crate::error::{Error, Result};
use crate::proxy::{ChooseProxy, Proxy, ProxyChoice, ProxyRules, Setting};
use crate::redirect::{RedirectAction, RedirectHop, RedirectWhen, Rewrite};
use crate::response::Response;
use crate::strictness::Strictness;
use crate::urls::Url;

/// # Settings
impl RequestBuilder {
    /// Sets whether redirects are followed. Default: yes, except for [`Session::head`](crate::Session::head). A
    /// [`PoolManager`](crate::PoolManager) counts redirects by its [`Retry`](crate::Retry). A
    /// [`ConnectionPool`](crate::ConnectionPool) follows only redirects within its host.
    ///
    /// 301, 302, 303, 307 and 308 are followed (RFC 9110, section 15.4). After a 303 the request becomes a `GET`
    /// without a body. After a 301 or 302 a `POST` becomes a `GET` in a session and in the free functions, as in
    /// browsers and in aiohttp. The pools send it again as a `POST`, as urllib3 does; [`keep_method`](Self::keep_method)
    /// decides otherwise. In all other cases method and body stay the same. A redirect with an empty `Location` is not
    /// followed: it is the response.
    ///
    /// A redirect to another origin (scheme, host or port) removes `Authorization`, `Cookie`, `Proxy-Authorization`,
    /// `Host`, `Origin` and `Referer`, the [cookies](Self::cookie) and the credentials of the request, and all
    /// [sensitive headers](Self::sensitive_headers). They do not come back on a later hop. They stay for origins that are
    /// [trusted](Self::trust_origins).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::get(&url).allow_redirects(false).send()?;
    /// assert_eq!(response.headers().get("Location"), Some("/again"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "redirect")]
    pub fn allow_redirects(self, follow: bool) -> Self {
        self.set(|options| options.follow = Some(follow))
    }

    /// Sets how many redirects are followed. Default: 10 for a session, and 50 for the pools, whose
    /// [`Retry`](crate::Retry) usually allows fewer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooManyRedirects`](crate::ErrorKind::TooManyRedirects) if there is one more, with the
    /// [history](crate::Error::history) and the [head](crate::Error::head) of the last response. With 0 the first
    /// redirect is an error.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::ErrorKind;
    ///
    /// let error = hostpool::get(&url).max_redirects(3).send().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::TooManyRedirects);
    /// assert_eq!(error.history().len(), 3);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn max_redirects(self, max: u32) -> Self {
        self.set(|options| options.max_redirects = Some(max))
    }

    /// Sets a function that decides about each redirect: follow it, return its response, or refuse it. It is asked once
    /// for each redirect, after all other rules: a redirect that [`max_redirects`](Self::max_redirects),
    /// [`Retry`](crate::Retry) or a rule for https, Unix sockets or other schemes refuses is refused without a question.
    /// Without a function all of the others are followed. The function of a request replaces that of its client.
    ///
    /// The credentials of the request stay with their origin, whatever the function answers: see
    /// [`allow_redirects`](Self::allow_redirects).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRedirect`](crate::ErrorKind::InvalidRedirect) after [`RedirectAction::Refuse`], with the
    /// [head](crate::Error::head) of the redirect and the [history](crate::Error::history) before it.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::RedirectAction;
    ///
    /// // Sends a redirect to another host.
    /// let request = hostpool::get(&url).redirect_when(|hop| match hop.is_cross_origin() {
    ///     true => RedirectAction::Stop,
    ///     false => RedirectAction::Follow,
    /// });
    /// let response = request.send()?;
    /// assert_eq!(response.status(), 302);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "redirect_policy")]
    #[doc(alias = "Policy")]
    pub fn redirect_when(self, decide: impl Fn(&RedirectHop<'_>) -> RedirectAction + Send + Sync + 'static) -> Self {
        self.set(|options| options.redirect_when = Some(RedirectWhen::new(decide)))
    }

    /// Sets the origins that the credentials of this request may follow a redirect to: `Authorization`, `Cookie` and
    /// `Proxy-Authorization`, all [sensitive headers](Self::sensitive_headers), the [cookies](Self::cookie), and the
    /// login of the request, of its URL, of its client and of a [netrc](crate::SessionBuilder::netrc). An origin is a
    /// scheme, a host and a port, written as a URL without a path. The list replaces that of the client. Default: none,
    /// so that all of this stays at its origin: see [`allow_redirects`](Self::allow_redirects).
    ///
    /// Each part of an origin counts: `https://example.com` does not trust `http://example.com`. To trust an `http`
    /// origin does not make the client follow a redirect from `https` to it: that takes
    /// [`allow_downgrade`](Self::allow_downgrade), too. The credentials are lost for the rest of the call as soon as a
    /// redirect leads to an origin that is neither on the list nor that of the request, even if a later redirect leads
    /// back: that origin could have sent the call wherever it wants. A login in a `Location` goes to no other origin.
    /// `Host`, `Origin` and `Referer` never follow.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidUrl`](crate::ErrorKind::InvalidUrl) if an origin is not a URL.
    /// - [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if an origin has more than scheme, host and port.
    ///
    /// ```no_run
    /// # use hostpool::Session;
    /// // The server redirects to https.
    /// let request = Session::new().get("http://api.example/").bearer_auth("mF_9.B5f-4.1JqM");
    /// let response = request.trust_origins(["https://api.example"]).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "redirect_auth_headers")]
    #[doc(alias = "location_trusted")]
    #[doc(alias = "unrestricted_auth")]
    pub fn trust_origins<U: IntoUrl>(self, origins: impl IntoIterator<Item = U>) -> Self {
        self.try_set(|options| {
            options.trusted = Some(trusted(origins)?);
            Ok(())
        })
    }

    /// Sets whether a redirect from `https` to `http` is followed. Default: no; such a redirect is then
    /// [`ErrorKind::InvalidRedirect`](crate::ErrorKind::InvalidRedirect), because anybody on the way could read the
    /// rest of the call.
    ///
    /// ```
    /// let request = hostpool::get("https://example.com/").allow_downgrade(true);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn allow_downgrade(self, allow: bool) -> Self {
        self.set(|options| options.downgrade = Some(allow))
    }

    /// Sets whether a `POST` stays a `POST`, with its body, after a 301 or 302. Default: no in a session and in the free
    /// functions, which send a `GET` as browsers do, and yes in the pools, as in urllib3. RFC 9110, sections 15.4.2 and
    /// 15.4.3, allows both.
    ///
    /// After a 303 the request becomes a `GET` in any case, and after a 307 or 308 no method changes. Other methods than
    /// `POST` stay the same after a 301 or 302.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::Session;
    ///
    /// let request = Session::new().post(&url).data("text").keep_method(true).max_redirects(1);
    /// assert_eq!(request.send().unwrap_err().head().unwrap().method(), "POST");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "post301")]
    #[doc(alias = "post302")]
    #[doc(alias = "strict_redirects")]
    pub fn keep_method(self, keep: bool) -> Self {
        self.set(|options| options.rewrite = Some(Rewrite::keeping(keep)))
    }

    /// Sets whether this request, and each request that a redirect leads to, may only be for an `https` URL. Default: the
    /// client's setting, which is no unless it was changed. Unix sockets are refused as well.
    /// [`allow_downgrade`](Self::allow_downgrade) has no effect then.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest), before a connection is opened, if the URL is
    ///   not `https`. Hooks and middleware that change the URL come first.
    /// - [`ErrorKind::InvalidRedirect`](crate::ErrorKind::InvalidRedirect) if a redirect leads from `https` to `http`.
    ///
    /// ```
    /// use hostpool::ErrorKind;
    ///
    /// let error = hostpool::get("http://example.com/").https_only(true).send().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::InvalidRequest);
    /// assert!(error.to_string().contains("https_only is set, and the URL is not https"));
    /// ```
    pub fn https_only(self, only: bool) -> Self {
        self.set(|options| options.https_only = Some(only))
    }

    /// Sets whether a redirect from a Unix socket to a host of the network is followed. Default: no; such a redirect is
    /// then [`ErrorKind::InvalidRedirect`](crate::ErrorKind::InvalidRedirect), because somebody else may listen there.
    ///
    /// A `Location` with the host and port of the `Host` field that was sent, `localhost` by default, always stays on
    /// the socket.
    ///
    /// ```no_run
    /// # use hostpool::Session;
    /// let request = Session::new().get("http+unix://%2Frun%2Fapp.sock/login");
    /// let response = request.follow_off_socket(true).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn follow_off_socket(self, follow: bool) -> Self {
        self.set(|options| options.off_socket = Some(follow))
    }

    /// Adds headers that a redirect to another origin removes, such as `X-Api-Key`. It also removes every header whose
    /// value the `http` crate's [`HeaderValue`](http::HeaderValue) marks as sensitive.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if a name is not a token.
    ///
    /// ```no_run
    /// # use hostpool::Session;
    /// let session = Session::new();
    /// session
    ///     .get("https://api.example/")
    ///     .header("X-Api-Key", "secret")
    ///     .sensitive_headers(["X-Api-Key"])
    ///     .send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "remove_headers_on_redirect")]
    pub fn sensitive_headers<N: AsRef<str>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.try_set(|options| {
            options.sensitive.extend(options::check_names(names)?);
            Ok(())
        })
    }

    /// Sets headers that the client does not add by itself: `User-Agent`, `Accept`, `Accept-Encoding`, `Content-Type`,
    /// `Connection`. Case does not matter. The names are added to those of the client.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if a name is not a token, or is `Host`,
    /// `Content-Length`, `Transfer-Encoding` or `Content-Encoding`, which are sent where they are needed.
    ///
    /// ```no_run
    /// let response = hostpool::get("http://example.com/").skip_auto_headers(["User-Agent"]).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn skip_auto_headers<N: AsRef<str>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.try_set(|options| {
            options.skip.extend(options::check_skipped(names)?);
            Ok(())
        })
    }

    /// Adds a cookie to this request. It is sent in addition to those of the client's jar, and replaces one of the same
    /// name. It is sent unchanged, follows redirects within the origin, and is not stored. If the request or its client
    /// has a `Cookie` header, only that header is sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the name is not a token, or if the value has
    /// a semicolon or a control character.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let response = hostpool::get(&url).cookie("theme", "dark").send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn cookie(self, name: &str, value: &str) -> Self {
        self.cookies([(name, value)])
    }

    /// Adds several cookies, each as [`cookie`](Self::cookie) does.
    ///
    /// ```no_run
    /// let response = hostpool::get("http://example.com/").cookies([("theme", "dark"), ("lang", "en")]).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn cookies<N: AsRef<str>, V: AsRef<str>>(self, pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        self.try_set(|options| {
            for (name, value) in pairs {
                options.cookies.push(options::cookie(name.as_ref(), value.as_ref())?);
            }
            Ok(())
        })
    }

    /// Sets the credentials of this request. They replace the client's credentials and its `Authorization` header. They
    /// follow redirects within the origin, and are sent to no other origin. A [`DigestAuth`](crate::DigestAuth) without
    /// a login takes the login of the session's [netrc](crate::SessionBuilder::netrc).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, if the request also
    /// has an `Authorization` header or credentials in its URL, or if the credentials cannot be encoded.
    ///
    /// ```no_run
    /// use hostpool::{BasicAuth, Session};
    ///
    /// let session = Session::new();
    /// session.get("https://api.example/").auth(BasicAuth::new("Aladdin", "open sesame")).send()?;
    /// session.get("https://api.example/").auth(("Aladdin", "open sesame")).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn auth(self, auth: impl Into<Auth>) -> Self {
        self.set(|options| options.auth = Some(auth.into()))
    }

    /// Asks the server to change to another protocol on this connection (RFC 9110, section 7.8): sets the fields
    /// `Connection: Upgrade` and `Upgrade`. If the server agrees, [`Response::upgrade`] returns the connection. It answers
    /// in HTTP otherwise.
    ///
    /// Through an HTTP proxy the request takes a tunnel, also for an `http` URL, because a proxy that forwards takes the
    /// field for its own. The timeouts of the request end with the head of a 101.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidHeader`](crate::ErrorKind::InvalidHeader) if the name cannot be the value of a header.
    ///
    /// ```no_run
    /// use hostpool::{Session, Url};
    /// use std::io::Write;
    ///
    /// let url = Url::unix("/run/docker.sock", "/v1.47/containers/shell/attach?stream=1&stdin=1&stdout=1")?;
    /// let mut attached = Session::new().post(url).upgrade_to("tcp").send()?.upgrade()?;
    /// attached.write_all(b"echo hello\n")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn upgrade_to(self, protocol: &str) -> Self {
        self.change(|request| {
            request.options_mut().tunnels = true;
            request.headers.insert("Connection", "Upgrade")?;
            request.headers.insert("Upgrade", protocol)?;
            Ok(())
        })
    }

    /// Sets the proxy of this request, and of its redirects: a [`Proxy`], or its URL. It comes before that of the client.
    /// A Unix socket is reached without it.
    ///
    /// ```no_run
    /// let response = hostpool::get("https://api.example/").proxy("http://proxy.example:3128").send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn proxy<P: TryInto<Proxy>>(self, proxy: P) -> Self
    where
        Error: From<P::Error>,
    {
        self.try_set(|options| {
            let proxy = proxy.try_into()?;
            proxy.check()?;
            options.proxy = Some(Setting::One(proxy));
            Ok(())
        })
    }

    /// Sends this request and its redirects without a proxy, whatever its client says.
    ///
    /// ```no_run
    /// let session = hostpool::Session::builder().proxy("http://proxy.example:3128").build()?;
    /// let response = session.get("http://169.254.169.254/latest/meta-data/").no_proxy().send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "noproxy")]
    pub fn no_proxy(self) -> Self {
        self.set(|options| options.proxy = Some(Setting::Direct))
    }

    /// Chooses the proxy of this request and of each of its redirects by [`ProxyRules`], in place of what its client says.
    ///
    /// ```no_run
    /// use hostpool::ProxyRules;
    ///
    /// // The free functions do not look at the environment by themselves.
    /// let response = hostpool::get("https://api.example/").proxy_rules(ProxyRules::from_env()?).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "proxies")]
    #[doc(alias = "trust_env")]
    pub fn proxy_rules(self, rules: ProxyRules) -> Self {
        self.set(|options| options.proxy = Some(Setting::Rules(Arc::new(rules))))
    }

    /// Chooses the proxy of this request and of each of its redirects by a function, in place of what its client says: see
    /// [`ClientBuilder::choose_proxy`](crate::ClientBuilder::choose_proxy).
    ///
    /// ```no_run
    /// use hostpool::{Proxy, ProxyChoice};
    ///
    /// let [near, far] = ["http://near.example:3128", "http://far.example:3128"].map(Proxy::parse);
    /// let choice = ProxyChoice::from(near?).or(far?);
    /// let response = hostpool::get("https://api.example/").choose_proxy(move |_| Ok(choice.clone())).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn choose_proxy(self, choose: impl Fn(&Url) -> Result<ProxyChoice> + Send + Sync + 'static) -> Self {
        self.set(|options| options.proxy = Some(Setting::Function(ChooseProxy::new(choose))))
    }

    /// Sets a login and a password for this request, which are sent as [`BasicAuth`] does: see [`auth`](Self::auth).
    /// A login without a password is [`BasicAuth::login_only`], given to `auth`.
    ///
    /// ```no_run
    /// let response = hostpool::get("https://api.example/").basic_auth("Aladdin", "open sesame").send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn basic_auth(self, login: &str, password: &str) -> Self {
        self.auth(BasicAuth::new(login, password))
    }

    /// Sets a login and a password for this request, which are sent as the server asks for them: by Digest where it is
    /// offered, otherwise as Basic credentials, but not over plain `http`. See [`AnyAuth`] and [`auth`](Self::auth).
    ///
    /// ```no_run
    /// let response = hostpool::get("https://api.example/").any_auth("Aladdin", "open sesame").send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "anyauth")]
    pub fn any_auth(self, login: &str, password: &str) -> Self {
        self.auth(AnyAuth::new(login, password))
    }

    /// Sets a token for this request, which is sent as [`Auth::bearer`] does: see [`auth`](Self::auth).
    ///
    /// ```no_run
    /// let response = hostpool::get("https://api.example/").bearer_auth("mF_9.B5f-4.1JqM").send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn bearer_auth(self, token: impl AsRef<str>) -> Self {
        self.auth(Auth::bearer(token))
    }

    /// Sets the HTTP version of the request: 1.1 or 1.0. Default: that of the session, which is 1.1 unless it was
    /// changed. An HTTP/1.0 request has no chunks, and asks the server to keep the connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for any other version.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::Version;
    ///
    /// let response = hostpool::get(&url).version(Version::HTTP_10).send()?;
    /// assert!(hostpool::get(&url).version(Version::HTTP_2).send().is_err());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn version(self, version: Version) -> Self {
        self.change(|request| match version {
            Version::HTTP_10 | Version::HTTP_11 => {
                request.version = version;
                Ok(())
            }
            _ => Err(Error::request("only HTTP/1.0 and HTTP/1.1 are spoken here")),
        })
    }

    /// Sets the target of the request line in place of the path and query of the URL: `*` asks for the server itself
    /// (`OPTIONS *`, RFC 9112, section 3.2.4). A redirect is followed to the path of its `Location`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for any other target, because a path belongs in
    /// the URL. When the request is sent, the same error if its method is not `OPTIONS`.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::Session;
    ///
    /// let response = Session::new().options(&url).request_target("*").send()?;
    /// assert_eq!(response.headers().get("allow"), Some("GET, HEAD"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn request_target(self, target: &str) -> Self {
        self.try_set(|options| match target {
            "*" => {
                options.server_wide = true;
                Ok(())
            }
            _ => Err(Error::request("a request target can only be *; a path belongs in the URL")),
        })
    }

    /// Sets whether a body that neither a length nor chunks delimit is read until the server closes the connection.
    /// Default: yes. With `false` such a body counts as empty, and its connection is closed.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\n\r\nwho knows how much more");
    /// let response = hostpool::get(&url).read_until_eof(false).send()?;
    /// assert_eq!(response.bytes()?, b"");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn read_until_eof(self, read: bool) -> Self {
        self.set(|options| options.no_body_until_close = !read)
    }

    /// Sets whether a body that ends before its `Content-Length` is
    /// [`ErrorKind::IncompleteBody`](crate::ErrorKind::IncompleteBody). Default: yes.
    ///
    /// With `false`, the bytes that came before the server closed are the whole body, and the connection is closed.
    /// Such a body cannot be told from one that was cut on its way. Use it only for servers that are known to announce
    /// too much, and for data that says itself where it ends.
    /// [`Response::length_remaining`](crate::Response::length_remaining) says how many bytes did not come.
    ///
    /// Other ends are errors all the same: a connection that is reset, a TLS stream that its peer did not end, chunks
    /// without the last one, and compressed data that is cut.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// # let url = format!("http://{}/", listener.local_addr().unwrap());
    /// # std::thread::spawn(move || {
    /// #     use std::io::{Read, Write};
    /// #     let (mut stream, _) = listener.accept().unwrap();
    /// #     let _ = stream.read(&mut [0; 4096]);
    /// #     let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    /// # });
    /// // Says "Content-Length: 10", sends "hello", and closes.
    /// let mut response = hostpool::get(url).enforce_content_length(false).send()?;
    /// assert_eq!(response.load()?, b"hello");
    /// assert_eq!(response.length_remaining(), Some(5));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn enforce_content_length(self, enforce: bool) -> Self {
        self.set(|options| options.early_end = !enforce)
    }

    /// Sets how strictly the response is read: see [`Strictness`]. Default: the client's setting.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nX-Name : blank\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{ErrorKind, Strictness, Violation};
    ///
    /// // Sends "X-Name : blank", with a blank before the colon.
    /// assert_eq!(hostpool::get(&url).send()?.headers().get("X-Name"), Some("blank"));
    /// let error = hostpool::get(&url).strictness(Strictness::Strict).send().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Protocol(Violation::FieldName));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn strictness(self, strictness: Strictness) -> Self {
        self.set(|options| options.strictness = Some(strictness))
    }

    /// Sets whether a TLS stream may end without `close_notify` if only the end of the connection delimits the body.
    /// Default: the client's setting, which is no unless it was changed. Such a body is then
    /// [`ErrorKind::IncompleteBody`](crate::ErrorKind::IncompleteBody), because anybody on the way can cut a
    /// connection, and nothing else says where the body ends (RFC 8446, section 6.1).
    ///
    /// Some servers close without `close_notify`, against the RFC. A body with a `Content-Length` or in chunks is not
    /// affected: it fails all the same if its length or last chunk is missing. A reset connection is an error, too.
    ///
    /// ```no_run
    /// let text = hostpool::get("https://old.example/").allow_unclean_close(true).send()?.text()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "close_notify")]
    #[doc(alias = "suppress_ragged_eofs")]
    pub fn allow_unclean_close(self, allow: bool) -> Self {
        self.set(|options| options.unclean_close = Some(allow))
    }

    /// Sets whether a status from 400 on is an error, as [`error_for_status`](crate::Response::error_for_status)
    /// returns it. Default: the client's setting, which is no unless it was changed. A middleware can
    /// [change it](Request::raise_for_status_mut) for the request that it passes on.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    /// let error = hostpool::get(&url).raise_for_status(true).send().unwrap_err();
    /// assert_eq!(error.head().unwrap().status(), 404);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "error_for_status")]
    #[doc(alias = "http_status_as_error")]
    pub fn raise_for_status(self, raise: bool) -> Self {
        self.set(|options| options.raise = Some(raise))
    }

    /// Sets whether a request is sent once more on a fresh connection if the server closes the idle connection that it
    /// was sent on. Default: yes. This is only done if it cannot duplicate anything: no byte had left, the method is
    /// idempotent, or there is an `Idempotency-Key`.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// // The caller decides itself what to do when the server has closed the connection.
    /// let response = hostpool::get(&url).retry_stale(false).send()?;
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn retry_stale(self, retry: bool) -> Self {
        self.set(|options| options.replay = Some(retry))
    }

    /// Adds a function or a closure around this request: see [`Middleware`]. It runs inside the client's middleware, and
    /// inside the middleware that was added to this request before. [`without_middleware`](Self::without_middleware)
    /// leaves the client's out.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::Session;
    ///
    /// let request = Session::new().get(&url).middleware(|request, next| {
    ///     let asked = format!("{} {}", request.method(), request.url());
    ///     let response = next.run(request)?;
    ///     eprintln!("{asked}: {}", response.status());
    ///     Ok(response)
    /// });
    /// assert_eq!(request.send()?.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "middlewares")]
    pub fn middleware<F>(self, function: F) -> Self
    where
        F: Fn(Request, Next<'_>) -> Result<Response> + Send + Sync + 'static,
    {
        self.with_middleware(middleware_fn(function))
    }

    /// Adds a value of any type that implements [`Middleware`] around this request, as [`middleware`](Self::middleware)
    /// adds a function. An `Arc<dyn Middleware>` or a `Box<dyn Middleware>` is such a value.
    ///
    /// ```
    /// use hostpool::{Middleware, Session, middleware_fn};
    /// use std::sync::Arc;
    ///
    /// let shared: Arc<dyn Middleware> = Arc::new(middleware_fn(|request, next| next.run(request)));
    /// let session = Session::new();
    /// let first = session.get("http://example.com/1").with_middleware(shared.clone());
    /// let second = session.get("http://example.com/2").with_middleware(shared);
    /// ```
    pub fn with_middleware(self, middleware: impl Middleware + 'static) -> Self {
        self.set(|options| options.middleware.push(shared(middleware)))
    }

    /// Leaves out the client's middleware, and the middleware that was added to this request before. Middleware that is
    /// added after this runs. A middleware that sends a request by its own client uses this, so that it does not run
    /// again for that request.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{Error, Session};
    ///
    /// let session = Session::builder().middleware(|_, _| Err(Error::custom("offline"))).build()?;
    /// assert!(session.get(&url).send().is_err());
    /// // What aiohttp writes as `middlewares=()`.
    /// assert_eq!(session.get(&url).without_middleware().send()?.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "middlewares")]
    pub fn without_middleware(self) -> Self {
        self.set(|options| {
            options.middleware.clear();
            options.without_middleware = true;
        })
    }

    /// Changes the request's own settings.
    pub(super) fn set(self, set: impl FnOnce(&mut Options)) -> Self {
        self.try_set(|options| {
            set(options);
            Ok(())
        })
    }

    /// Changes the request's own settings, or records the error.
    pub(super) fn try_set(self, set: impl FnOnce(&mut Options) -> Result<()>) -> Self {
        self.change(|request| set(request.options_mut()))
    }
}

//! Setters of a [`RequestBuilder`] for all but its URL, headers and body.

use http::Version;

use super::RequestBuilder;
use crate::auth::{Auth, BasicAuth};
use crate::client::middleware::{Middleware, Next, middleware_fn, shared};
use crate::client::options::{self, Options};
use crate::client::request::Request;
use crate::error::{Error, Result};
use crate::response::Response;
use crate::strictness::Strictness;

impl RequestBuilder {
    /// Sets whether redirects are followed. Default: yes, except for [`Session::head`](crate::Session::head). A
    /// [`PoolManager`](crate::PoolManager) counts redirects by its [`Retry`](crate::Retry). A
    /// [`ConnectionPool`](crate::ConnectionPool) follows only redirects within its host.
    ///
    /// 301, 302, 303, 307 and 308 are followed (RFC 9110, section 15.4). After a 303 the request becomes a `GET`
    /// without a body. After a 301 or 302 a `POST` becomes a `GET` in a session and in the free functions, as in
    /// browsers and in aiohttp. The pools send it again as a `POST`, as urllib3 does. In all other cases method and
    /// body stay the same. A redirect with an empty `Location` is not followed: it is the response.
    ///
    /// A redirect to another origin (scheme, host or port) removes `Authorization`, `Cookie`, `Proxy-Authorization`,
    /// `Host`, `Origin` and `Referer`, the [cookies](Self::cookie) and the credentials of the request, and all
    /// [sensitive headers](Self::sensitive_headers). They do not come back on a later hop.
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

    /// Sets whether a redirect from `https` to `http` is followed. Default: no; such a redirect is then
    /// [`ErrorKind::InvalidRedirect`](crate::ErrorKind::InvalidRedirect), because anybody on the way could read the
    /// rest of the call.
    pub fn allow_downgrade(self, allow: bool) -> Self {
        self.set(|options| options.downgrade = Some(allow))
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

    /// Sets a login and a password for this request, which are sent as [`BasicAuth`] does: see [`auth`](Self::auth).
    ///
    /// ```no_run
    /// let response = hostpool::get("https://api.example/").basic_auth("Aladdin", "open sesame").send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn basic_auth(self, login: &str, password: &str) -> Self {
        self.auth(BasicAuth::new(login, password))
    }

    /// Sets a token for this request, which is sent as [`Auth::bearer`] does: see [`auth`](Self::auth).
    ///
    /// ```no_run
    /// let response = hostpool::get("https://api.example/").bearer_auth("mF_9.B5f-4.1JqM").send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn bearer_auth(self, token: &str) -> Self {
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
    /// returns it. Default: the client's setting, which is no unless it was changed.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    /// let error = hostpool::get(&url).raise_for_status(true).send().unwrap_err();
    /// assert_eq!(error.head().unwrap().status(), 404);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn raise_for_status(self, raise: bool) -> Self {
        self.set(|options| options.raise = Some(raise))
    }

    /// Sets whether a request is sent once more on a fresh connection if the server closes the idle connection that it
    /// was sent on. Default: yes. This is only done if it cannot duplicate anything: no byte had left, the method is
    /// idempotent, or there is an `Idempotency-Key`.
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

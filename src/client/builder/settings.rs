//! How a request is sent: the settings of a [`RequestBuilder`] beside its URL, headers and body.

use std::sync::Arc;

use http::Version;

use super::RequestBuilder;
use crate::auth::{Auth, BasicAuth};
use crate::client::middleware::Middleware;
use crate::client::options::{self, Options};
use crate::error::{Error, Result};
use crate::strictness::Strictness;

impl RequestBuilder {
    /// Sets whether redirects are followed. All clients follow them by default; only
    /// [`Session::head`](crate::Session::head) does not. A [`PoolManager`](crate::PoolManager) counts them by its
    /// [`Retry`](crate::Retry), and a [`ConnectionPool`](crate::ConnectionPool) follows those within its host.
    ///
    /// 301, 302, 303, 307 and 308 are followed (RFC 9110, section 15.4). After a 303 the request becomes a `GET` without
    /// a body. After a 301 or 302 a `POST` becomes a `GET` in a session and in the free functions, as in browsers and in
    /// aiohttp; the pools send it again as a `POST`, as urllib3 does. Else method and body are sent again. A redirect
    /// with an empty `Location` is returned. At another origin (scheme, host or port) the request
    /// goes on without `Authorization`, `Cookie`, `Proxy-Authorization`, `Host`, `Origin` and `Referer`, without
    /// [cookies](Self::cookie) and credentials of its own, and without [sensitive headers](Self::sensitive_headers),
    /// and does not get them back on a later hop.
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

    /// How many redirects are followed, 10 unless said otherwise. One more is
    /// [`ErrorKind::TooManyRedirects`](crate::ErrorKind::TooManyRedirects), with the [history](crate::Error::history)
    /// and the last response's [head](crate::Error::head); with 0 the first is.
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

    /// Whether a redirect from `https` to `http` is followed. Off by default: who listens on the way would see the
    /// rest.
    pub fn allow_downgrade(self, allow: bool) -> Self {
        self.set(|options| options.downgrade = Some(allow))
    }

    /// Sets whether a redirect from a Unix socket to a host of the network is followed. Off by default: such a redirect
    /// is [`ErrorKind::InvalidRedirect`](crate::ErrorKind::InvalidRedirect), because somebody else may listen there.
    ///
    /// A `Location` whose host and port are those of the `Host` field that was sent, `localhost` by default, stays on
    /// the socket in any case.
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

    /// Further headers that do not follow a redirect to another origin, such as `X-Api-Key`. A value that the `http`
    /// crate's [`HeaderValue`](http::HeaderValue) marks as sensitive does not, either.
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
            options.sensitive.extend(options::names(names)?);
            Ok(())
        })
    }

    /// Headers that are not added by themselves: `User-Agent`, `Accept`, `Accept-Encoding`, `Content-Type`,
    /// `Connection`. Names are compared without case, and those of the client count, too.
    ///
    /// `Host`, `Content-Length`, `Transfer-Encoding` and `Content-Encoding` are sent where they are needed: naming one
    /// here is [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
    ///
    /// ```no_run
    /// let response = hostpool::get("http://example.com/").skip_auto_headers(["User-Agent"]).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn skip_auto_headers<N: AsRef<str>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.try_set(|options| {
            options.skip.extend(options::skipped(names)?);
            Ok(())
        })
    }

    /// A cookie for this request, beside those of the client's jar and in place of one of the same name. It is sent as
    /// it is, follows redirects within the origin, and is not kept. Where the request or its client has a `Cookie`
    /// header, that one stands alone.
    ///
    /// Errors if the name is no token, or the value has a semicolon or a control character.
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

    /// Several of them.
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

    /// Credentials for this request, in place of the client's, its `Authorization` header included. They follow
    /// redirects within the origin, and go to no other. A [`DigestAuth`](crate::DigestAuth) without a login takes that
    /// of the session's [netrc](crate::SessionBuilder::netrc).
    ///
    /// `send` errors with [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, if
    /// the request has an `Authorization` header or its URL has credentials besides, or if they cannot be encoded.
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

    /// A login and a password for this request, as [`BasicAuth`] sends them: see [`auth`](Self::auth).
    ///
    /// ```no_run
    /// let response = hostpool::get("https://api.example/").basic_auth("Aladdin", "open sesame").send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn basic_auth(self, login: &str, password: &str) -> Self {
        self.auth(BasicAuth::new(login, password))
    }

    /// A token for this request, as [`Auth::bearer`] sends it: see [`auth`](Self::auth).
    ///
    /// ```no_run
    /// let response = hostpool::get("https://api.example/").bearer_auth("mF_9.B5f-4.1JqM").send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn bearer_auth(self, token: &str) -> Self {
        self.auth(Auth::bearer(token))
    }

    /// The version of HTTP the request is sent in: 1.1 by default, or 1.0, which has no chunks and asks for the
    /// connection to be kept. Others are refused.
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
    /// (`OPTIONS *`, RFC 9112, section 3.2.4). A redirect is followed to the path of its Location.
    ///
    /// # Errors
    ///
    /// Fails with [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for every other target, because a
    /// path belongs in the URL, and on sending if the method is not `OPTIONS`.
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

    /// Whether a body that neither a length nor chunks delimit is read until the server closes. It is by default;
    /// without that such a body counts as none, and its connection is closed.
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

    /// Whether a body that ends before its `Content-Length` is an error,
    /// [`ErrorKind::IncompleteBody`](crate::ErrorKind::IncompleteBody). It is by default.
    ///
    /// Without that, what came before the server closed counts as the whole body, and the connection is closed. Nobody
    /// can tell it from a body that was cut on its way: this is for servers that are known to announce too much, and
    /// for data that says itself where it ends. [`Response::length_remaining`](crate::Response::length_remaining) says
    /// how much did not come. A connection that is reset, a TLS stream that was not ended by its peer, chunks without
    /// the last one, and compressed data that is cut are errors all the same.
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

    /// Sets how strictly the response is read, in place of the client's setting: see [`Strictness`].
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

    /// Accepts the end of a TLS stream without `close_notify` as the end of a body that only the end of the connection
    /// delimits. Off by default: such a body fails with [`ErrorKind::IncompleteBody`](crate::ErrorKind::IncompleteBody),
    /// because anybody on the way can cut a connection, and nothing else says where the body ends (RFC 8446,
    /// section 6.1).
    ///
    /// Some servers close without it, whatever the RFC says. A body with a `Content-Length` or in chunks is not
    /// affected: where its length or last chunk is missing it fails all the same. A reset connection is an error, too.
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

    /// Whether a status from 400 is an error, as [`error_for_status`](crate::Response::error_for_status) makes it.
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

    /// Whether a request that dies with an idle connection, as servers close them, is sent once more on a fresh one. It
    /// is by default, where that can double nothing: if no byte had left, or the method is idempotent, or there is an
    /// `Idempotency-Key`.
    pub fn retry_stale(self, retry: bool) -> Self {
        self.set(|options| options.replay = Some(retry))
    }

    /// Middleware for this request, in place of the client's; an empty list runs none.
    ///
    /// ```no_run
    /// use hostpool::{Middleware, Next, Request, Session};
    ///
    /// let session = Session::new();
    /// let log = |request: Request, next: Next<'_>| {
    ///     eprintln!("{} {}", request.method(), request.url());
    ///     next.run(request)
    /// };
    /// session.get("http://example.com/").middleware([log]).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "middlewares")]
    pub fn middleware<M: Middleware + 'static>(self, list: impl IntoIterator<Item = M>) -> Self {
        self.set(|options| options.middleware = Some(list.into_iter().map(|one| Arc::new(one) as _).collect()))
    }

    pub(super) fn set(self, set: impl FnOnce(&mut Options)) -> Self {
        self.try_set(|options| {
            set(options);
            Ok(())
        })
    }

    pub(super) fn try_set(self, set: impl FnOnce(&mut Options) -> Result<()>) -> Self {
        self.change(|request| set(request.options_mut()))
    }
}

//! The headers that requests have most often, made from what they mean.

use crate::auth::{AuthEncoding, BasicAuth};
use crate::coding;
use crate::error::Result;
use crate::headers::Headers;

/// Headers from what they mean, as urllib3's function of that name makes them; nothing is set unless it is asked for.
///
/// ```
/// use hostpool::make_headers;
///
/// let headers = make_headers().keep_alive(true).user_agent("crawler/1.0").basic_auth("user", "secret").build()?;
/// assert_eq!(headers.get("Connection"), Some("keep-alive"));
/// assert_eq!(headers.get("User-Agent"), Some("crawler/1.0"));
/// assert!(headers.get("Authorization").is_some_and(|value| value.starts_with("Basic ")));
/// # Ok::<(), hostpool::Error>(())
/// ```
pub fn make_headers() -> MakeHeaders {
    MakeHeaders::default()
}

/// Makes [`Headers`]: see [`make_headers`].
#[derive(Clone, Debug, Default)]
#[must_use = "no headers are made before `build` is called"]
pub struct MakeHeaders {
    keep_alive: bool,
    accept_encoding: Option<String>,
    user_agent: Option<String>,
    /// Their `Debug` shows no password.
    auth: Option<BasicAuth>,
    auth_encoding: AuthEncoding,
    proxy_auth: Option<BasicAuth>,
    proxy_auth_encoding: AuthEncoding,
    disable_cache: bool,
}

impl MakeHeaders {
    /// The same as [`make_headers`].
    pub fn new() -> MakeHeaders {
        MakeHeaders::default()
    }

    /// `Connection: keep-alive`, which HTTP/1.1 means without it.
    pub fn keep_alive(mut self, keep: bool) -> Self {
        self.keep_alive = keep;
        self
    }

    /// Asks for the content codings that are compiled in, such as `Accept-Encoding: gzip, deflate`. A
    /// [`Session`](crate::Session) does so by itself.
    pub fn accept_encoding(mut self, ask: bool) -> Self {
        self.accept_encoding = ask.then(|| coding::ACCEPTED.to_owned());
        self
    }

    /// Asks for these content codings, joined by `, `; a list of one is sent as it is.
    ///
    /// ```
    /// # use hostpool::make_headers;
    /// let headers = make_headers().accept_encodings(["br", "gzip;q=0.5"]).build()?;
    /// assert_eq!(headers.get("Accept-Encoding"), Some("br, gzip;q=0.5"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "accept_encoding")]
    pub fn accept_encodings<C: AsRef<str>>(mut self, codings: impl IntoIterator<Item = C>) -> Self {
        let joined = codings.into_iter().fold(None, |joined: Option<String>, coding| match joined {
            None => Some(coding.as_ref().to_owned()),
            Some(joined) => Some(joined + ", " + coding.as_ref()),
        });
        self.accept_encoding = Some(joined.unwrap_or_default());
        self
    }

    /// `User-Agent`, in place of the client's own.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// `Authorization` with Basic credentials (RFC 7617), as [`RequestBuilder::auth`](crate::RequestBuilder::auth)
    /// sends them without a header of one's own.
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.auth = Some(BasicAuth::new(user, password));
        self
    }

    /// What [`basic_auth`](Self::basic_auth) is encoded in: ISO-8859-1 by default.
    pub fn basic_auth_encoding(mut self, encoding: AuthEncoding) -> Self {
        self.auth_encoding = encoding;
        self
    }

    /// `Proxy-Authorization` with Basic credentials, for a proxy.
    pub fn proxy_basic_auth(mut self, user: &str, password: &str) -> Self {
        self.proxy_auth = Some(BasicAuth::new(user, password));
        self
    }

    /// What [`proxy_basic_auth`](Self::proxy_basic_auth) is encoded in: ISO-8859-1 by default.
    pub fn proxy_basic_auth_encoding(mut self, encoding: AuthEncoding) -> Self {
        self.proxy_auth_encoding = encoding;
        self
    }

    /// `Cache-Control: no-cache`.
    pub fn disable_cache(mut self, disable: bool) -> Self {
        self.disable_cache = disable;
        self
    }

    /// The headers. Errors if a value cannot be sent, and for credentials that [`BasicAuth::encode`] refuses, such as
    /// those with characters that their encoding lacks.
    pub fn build(self) -> Result<Headers> {
        let auth = self.auth.map(|auth| auth.encoding(self.auth_encoding).encode()).transpose()?;
        let proxy_auth = self.proxy_auth.map(|auth| auth.encoding(self.proxy_auth_encoding).encode()).transpose()?;
        let fields = [
            ("Accept-Encoding", self.accept_encoding),
            ("User-Agent", self.user_agent),
            ("Connection", self.keep_alive.then(|| "keep-alive".to_owned())),
            ("Authorization", auth),
            ("Proxy-Authorization", proxy_auth),
            ("Cache-Control", self.disable_cache.then(|| "no-cache".to_owned())),
        ];
        Ok(Headers::from_pairs(fields.into_iter().filter_map(|(name, value)| Some((name, value?))))?)
    }
}

//! Building the most common request headers from their meaning.

use crate::auth::{AuthEncoding, BasicAuth};
use crate::coding;
use crate::error::Result;
use crate::headers::Headers;

/// Returns a builder of common request headers, like urllib3's function of this name. No header is set unless a method
/// asks for it.
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

/// Builds [`Headers`]: see [`make_headers`].
#[derive(Clone, Debug, Default)]
#[must_use = "no headers are made before `build` is called"]
pub struct MakeHeaders {
    keep_alive: bool,
    accept_encoding: Option<String>,
    user_agent: Option<String>,
    /// The `Debug` of credentials hides the password.
    auth: Option<BasicAuth>,
    auth_encoding: AuthEncoding,
    proxy_auth: Option<BasicAuth>,
    proxy_auth_encoding: AuthEncoding,
    disable_cache: bool,
}

impl MakeHeaders {
    /// Sets `Connection: keep-alive`, which is the default of HTTP/1.1.
    pub fn keep_alive(mut self, keep: bool) -> Self {
        self.keep_alive = keep;
        self
    }

    /// Sets `Accept-Encoding` to the content codings that are compiled in, such as `gzip, deflate`. A
    /// [`Session`](crate::Session) does so by default.
    pub fn accept_encoding(mut self, ask: bool) -> Self {
        self.accept_encoding = ask.then(|| coding::ACCEPTED.to_owned());
        self
    }

    /// Sets `Accept-Encoding` to these content codings, joined by `, `. A list of one is sent as it is.
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

    /// Sets `User-Agent`, in place of the client's own.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// Sets `Authorization` with Basic credentials (RFC 7617). [`RequestBuilder::auth`](crate::RequestBuilder::auth)
    /// sends the same without a header.
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.auth = Some(BasicAuth::new(user, password));
        self
    }

    /// Sets the encoding of [`basic_auth`](Self::basic_auth), ISO-8859-1 by default.
    pub fn basic_auth_encoding(mut self, encoding: AuthEncoding) -> Self {
        self.auth_encoding = encoding;
        self
    }

    /// Sets `Proxy-Authorization` with Basic credentials, for a proxy.
    pub fn proxy_basic_auth(mut self, user: &str, password: &str) -> Self {
        self.proxy_auth = Some(BasicAuth::new(user, password));
        self
    }

    /// Sets the encoding of [`proxy_basic_auth`](Self::proxy_basic_auth), ISO-8859-1 by default.
    pub fn proxy_basic_auth_encoding(mut self, encoding: AuthEncoding) -> Self {
        self.proxy_auth_encoding = encoding;
        self
    }

    /// Sets `Cache-Control: no-cache`.
    pub fn disable_cache(mut self, disable: bool) -> Self {
        self.disable_cache = disable;
        self
    }

    /// Builds the headers. Fails if a value cannot be sent, or if [`BasicAuth::encode`] refuses the credentials, for
    /// example because their encoding lacks a character.
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

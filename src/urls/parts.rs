//! The named parts of a URL.

use percent_encoding::percent_decode_str;

use super::{InvalidUrl, Url, split_userinfo};

impl Url {
    /// Returns `http`, `https`, `http+unix` or `https+unix`.
    pub fn scheme(&self) -> &'static str {
        self.origin.scheme()
    }

    /// Returns the host in lower case. A name with non-ASCII letters is in Punycode, and an IPv6 address in brackets.
    /// For `http+unix` and `https+unix` it is the path of the socket.
    #[doc(alias = "hostname")]
    pub fn host(&self) -> &str {
        self.origin.host()
    }

    /// Returns the port, if one is written: [`Origin::port`](crate::Origin::port) is the port that is connected to.
    ///
    /// ```
    /// use hostpool::Url;
    ///
    /// assert_eq!(Url::parse("http://example.com:80/")?.port(), Some(80));
    /// let url = Url::parse("http://example.com/")?;
    /// assert_eq!((url.port(), url.origin().port()), (None, Some(80)));
    /// # Ok::<(), hostpool::InvalidUrl>(())
    /// ```
    pub fn port(&self) -> Option<u16> {
        let host_and_port = self.host_and_port();
        let (_, port) = host_and_port.rsplit_once(':').filter(|_| !host_and_port.ends_with(']'))?;
        if port.is_empty() { None } else { self.origin.port() }
    }

    /// Returns the text between the slashes and the path as it was written, including credentials.
    pub fn authority(&self) -> &str {
        self.text[..self.authority_end as usize].split_once("://").map_or("", |(_, authority)| authority)
    }

    /// Returns the authority without credentials: the host, and the port if one is written.
    ///
    /// ```
    /// use hostpool::Url;
    ///
    /// let url = Url::parse("http://user:secret@Example.com:8080/")?;
    /// assert_eq!(url.netloc(), "example.com:8080");
    /// assert_eq!(url.authority(), "user:secret@Example.com:8080");
    /// # Ok::<(), hostpool::InvalidUrl>(())
    /// ```
    pub fn netloc(&self) -> String {
        match (self.origin.kind(), self.port()) {
            (scheme, _) if scheme.is_unix() => self.authority().to_owned(),
            (_, None) => self.host().to_owned(),
            (_, Some(port)) => format!("{}:{port}", self.host()),
        }
    }

    /// Returns the user name and the password before the host, percent-decoded. Bytes that are not UTF-8 become U+FFFD.
    /// The password is `None` if no colon is written. `Display` and `Debug` of a URL show neither.
    ///
    /// ```
    /// use hostpool::Url;
    ///
    /// let url = Url::parse("http://me%40home:p%3Aw@example.com/")?;
    /// assert_eq!(url.auth(), Some(("me@home".into(), Some("p:w".into()))));
    /// assert_eq!(url.to_string(), "http://example.com/");
    /// # Ok::<(), hostpool::InvalidUrl>(())
    /// ```
    #[doc(alias = "auth_decoded")]
    #[doc(alias = "userinfo")]
    pub fn auth(&self) -> Option<(String, Option<String>)> {
        let decoded = |part| percent_decode_str(part).decode_utf8_lossy().into_owned();
        match self.userinfo()? {
            "" | ":" => None,
            userinfo => Some(match userinfo.split_once(':') {
                Some((user, password)) => (decoded(user), Some(decoded(password))),
                None => (decoded(userinfo), None),
            }),
        }
    }

    /// Returns user name and password before the host, still percent-encoded.
    #[inline(always)]
    pub(crate) fn userinfo(&self) -> Option<&str> {
        if self.has_userinfo { self.written_userinfo() } else { None }
    }

    #[cold]
    fn written_userinfo(&self) -> Option<&str> {
        split_userinfo(self.authority()).ok()?.0
    }

    fn host_and_port(&self) -> &str {
        split_userinfo(self.authority()).map_or("", |(_, host_and_port)| host_and_port)
    }

    /// Returns the path as it is sent, without the query; `/` if none is written. Dot segments and percent-escapes are
    /// not changed: [`join`](Self::join) resolves dot segments.
    ///
    /// ```
    /// use hostpool::Url;
    ///
    /// let url = Url::parse("http://example.com/a/../b%2fé?q")?;
    /// assert_eq!(url.path(), "/a/../b%2f%C3%A9");
    /// # Ok::<(), hostpool::InvalidUrl>(())
    /// ```
    pub fn path(&self) -> &str {
        let target = self.sent_target();
        match target.split_once('?').map_or(target, |(path, _)| path) {
            "" => "/",
            path => path,
        }
    }

    /// Returns the query as it is sent, without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.sent_target().split_once('?').map(|(_, query)| query)
    }

    /// Returns this URL with a text that is already encoded added to its query, after the existing text and before the
    /// fragment. A login in the URL is kept. Only characters that are not allowed in a query are encoded when it is sent,
    /// such as spaces and `#`.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl::TooLong`] if the result has more than 64 KiB.
    ///
    /// ```
    /// use hostpool::Url;
    ///
    /// let url = Url::parse("http://user:pw@example.com/a?b=1#part")?;
    /// let signed = url.append_query("sig=a%2Fb")?;
    /// assert_eq!(signed.target(), "/a?b=1&sig=a%2Fb");
    /// assert_eq!(signed.as_str(), "http://user:pw@example.com/a?b=1&sig=a%2Fb#part");
    /// # Ok::<(), hostpool::InvalidUrl>(())
    /// ```
    #[doc(alias = "update_query")]
    #[doc(alias = "extend_query")]
    #[doc(alias = "query_pairs_mut")]
    pub fn append_query(&self, query: &str) -> Result<Url, InvalidUrl> {
        match query {
            "" => Ok(self.clone()),
            // A `#` would end the query.
            query if query.contains('#') => self.with_query(&query.replace('#', "%23")),
            query => self.with_query(query),
        }
    }

    /// Returns the text after the `#` as it was written, which is never sent.
    pub fn fragment(&self) -> Option<&str> {
        self.text.get(self.fragment_start as usize + 1..)
    }
}

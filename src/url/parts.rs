//! The parts of a URL, each by its name.

use percent_encoding::percent_decode_str;

use super::{Scheme, Url, split_userinfo};

impl Url {
    /// `http`, `https` or `http+unix`.
    pub fn scheme(&self) -> &'static str {
        self.origin.scheme()
    }

    /// The host in lower case, a name with other letters than ASCII in Punycode; an IPv6 address stands in brackets;
    /// for `http+unix` the path of the socket.
    #[doc(alias = "hostname")]
    pub fn host(&self) -> &str {
        self.origin.host()
    }

    /// The port, where one is written: see [`Origin::port`](crate::Origin::port) for the one that is connected to.
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

    /// What stands between the slashes and the path as it was written, with the credentials it may hold.
    pub fn authority(&self) -> &str {
        self.text[..self.authority_end as usize].split_once("://").map_or("", |(_, authority)| authority)
    }

    /// The authority without credentials: the host, and the port where one is written.
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
            (Scheme::HttpUnix, _) => self.authority().to_owned(),
            (_, None) => self.host().to_owned(),
            (_, Some(port)) => format!("{}:{port}", self.host()),
        }
    }

    /// The user name and the password in front of the host, percent-decoded; what is no UTF-8 in them becomes U+FFFD.
    /// The password is `None` where no colon is written. `Display` and `Debug` of a URL show neither.
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

    /// User name and password in front of the host, still percent-encoded.
    pub(crate) fn userinfo(&self) -> Option<&str> {
        let authority = &self.text[..self.authority_end as usize];
        // No URL of most programs has any: the scan for that byte is all they pay.
        memchr::memchr(b'@', authority.as_bytes())?;
        split_userinfo(self.authority()).ok()?.0
    }

    fn host_and_port(&self) -> &str {
        split_userinfo(self.authority()).map_or("", |(_, host_and_port)| host_and_port)
    }

    /// The path as it is sent, without the query; `/` where none is written. Dot segments and percent-escapes are left
    /// as they are: [`join`](Self::join) resolves the former.
    ///
    /// ```
    /// use hostpool::Url;
    ///
    /// let url = Url::parse("http://example.com/a/../b%2fé?q")?;
    /// assert_eq!(url.path(), "/a/../b%2f%C3%A9");
    /// # Ok::<(), hostpool::InvalidUrl>(())
    /// ```
    pub fn path(&self) -> &str {
        let target = self.sent();
        match target.split_once('?').map_or(target, |(path, _)| path) {
            "" => "/",
            path => path,
        }
    }

    /// The query as it is sent, without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.sent().split_once('?').map(|(_, query)| query)
    }

    /// What follows the `#` as it was written, which is never sent.
    pub fn fragment(&self) -> Option<&str> {
        self.text.get(self.fragment_start as usize + 1..)
    }
}

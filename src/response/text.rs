//! Reading a body as text.

use super::charset::{Charset, detect};
use super::source::Source;
use super::{Lines, Response};
use crate::error::{ErrorKind, Reason, Result};

/// # The body as text
impl Response {
    /// Reads the body as text. Bytes that are not valid in its charset become U+FFFD.
    ///
    /// The charset is the first of these that applies:
    ///
    /// - the charset of a byte order mark, as in browsers (WHATWG Encoding Standard, section 6); the mark is not part
    ///   of the text;
    /// - the charset that the Content-Type names, if it is known;
    /// - UTF-8, if the body is valid UTF-8;
    /// - with the feature `charset-detect`, the most likely one;
    /// - UTF-8.
    ///
    /// Fails as [`bytes`](Self::bytes) does, and without the feature `charset` with [`ErrorKind::Unsupported`] if the
    /// Content-Type names another charset than UTF-8, UTF-16 or ASCII.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ngrüße");
    /// assert_eq!(hostpool::get(url).send()?.text()?, "grüße");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "read_to_string")]
    pub fn text(self) -> Result<String> {
        self.text_of(|bytes| Ok(detect(bytes)))
    }

    /// Reads the body as text in the charset with this label, whatever the Content-Type and the first bytes say.
    ///
    /// Fails as [`bytes`](Self::bytes) does, and with [`ErrorKind::InvalidRequest`] if there is no charset with this
    /// label. Without the feature `charset` it fails with [`ErrorKind::Unsupported`] for other charsets than UTF-8,
    /// UTF-16 and ASCII.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nh\0i\0");
    /// assert_eq!(hostpool::get(url).send()?.text_with("utf-16le")?, "hi");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "text_with_charset")]
    #[doc(alias = "text")]
    pub fn text_with(mut self, label: &str) -> Result<String> {
        let charset = Charset::of_label(label).map_err(|reason| self.about_body(reason))?;
        let mut bytes = self.move_body()?;
        // A byte order mark of the same charset is not part of the text.
        if let Some((_, len)) = Charset::of_mark(&bytes).filter(|(marked, _)| *marked == charset) {
            bytes.drain(..len);
        }
        Ok(charset.decode(bytes).0)
    }

    /// Reads the body as [`text`](Self::text) does. If neither a byte order mark nor the Content-Type names the
    /// charset, `fallback` is called with the bytes and returns its label.
    ///
    /// Fails as [`text_with`](Self::text_with) does.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nh\0i\0");
    /// let text = hostpool::get(url).send()?.text_or_else(|bytes| match bytes {
    ///     [_, 0, ..] => "utf-16le".into(),
    ///     _ => "utf-8".into(),
    /// })?;
    /// assert_eq!(text, "hi");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "fallback_charset_resolver")]
    pub fn text_or_else(self, fallback: impl FnOnce(&[u8]) -> String) -> Result<String> {
        self.text_of(|bytes| Charset::of_label(&fallback(bytes)))
    }

    /// Returns the text in the charset of the mark or of the Content-Type, or else in the one that `unsaid` returns.
    fn text_of(mut self, unsaid: impl FnOnce(&[u8]) -> Result<Charset, Reason>) -> Result<String> {
        let mut bytes = self.move_body()?;
        let charset = match Charset::of_mark(&bytes) {
            Some((charset, len)) => {
                bytes.drain(..len);
                Ok(charset)
            }
            None => self.named_charset().and_then(|named| named.map_or_else(|| unsaid(&bytes), Ok)),
        };
        let charset = charset.map_err(|reason| self.about_body(reason))?;
        Ok(charset.decode(bytes).0)
    }

    /// Returns the charset that the Content-Type names. A name that is not known is ignored (WHATWG Encoding Standard,
    /// section 4.2), because servers invent names.
    pub(super) fn named_charset(&self) -> Result<Option<Charset>, Reason> {
        match self.charset().map(Charset::of_label) {
            None | Some(Err(Reason { kind: ErrorKind::InvalidRequest, .. })) => Ok(None),
            Some(charset) => charset.map(Some),
        }
    }

    /// Returns the lines of the rest of the body as text, without their ends: LF, CRLF, or a CR at the end of a last
    /// line without LF. Each line is decoded as it comes.
    ///
    /// The charset is that of [`text`](Self::text) without detection: UTF-8 if none is named. A line of more than 1 MiB
    /// of text fails with [`ErrorKind::LimitExceeded`]; [`Lines::max_len`] sets another bound. After an error there is
    /// no further line. The iterator reads ahead, and lines that it has not returned are lost for the response.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none\r\n\ntwo");
    /// let mut response = hostpool::get(url).send()?;
    /// let lines = response.lines().collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(lines, ["one", "", "two"]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "iter_lines")]
    #[doc(alias = "readline")]
    pub fn lines(&mut self) -> Lines<'_> {
        Lines::new(Source::Lent(self))
    }

    /// Returns the same lines, by an iterator that owns the response: a function can return it.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none\r\n\ntwo");
    /// use hostpool::{Lines, Result};
    ///
    /// fn words(url: &str) -> Result<impl Iterator<Item = Result<String>> + Send + 'static> {
    ///     let lines: Lines<'static> = hostpool::get(url).send()?.into_lines();
    ///     Ok(lines.filter(|line| line.as_ref().map_or(true, |line| !line.is_empty())))
    /// }
    ///
    /// assert_eq!(words(&url)?.collect::<Result<Vec<_>>>()?, ["one", "two"]);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "iter_lines")]
    pub fn into_lines(self) -> Lines<'static> {
        Lines::new(Source::Own(self))
    }
}

//! A body as text.

use super::charset::{Charset, detect};
use super::{Lines, Response};
use crate::error::{ErrorKind, Result};

impl Response {
    /// Reads the body as text. What is no text in its charset becomes U+FFFD.
    ///
    /// The charset is, in this order: that of a byte order mark (as browsers do it, WHATWG Encoding Standard, section
    /// 6), which is no part of the text; the one that the Content-Type names, if there is one of that name; UTF-8, if
    /// the body is that; with the feature `charset-detect` what it most likely is; and UTF-8.
    ///
    /// Errors as [`bytes`](Self::bytes) does, and without the feature `charset` with [`ErrorKind::Unsupported`] if the
    /// Content-Type names another charset than UTF-8, UTF-16 or ASCII.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ngrüße");
    /// assert_eq!(hostpool::get(url).send()?.text()?, "grüße");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn text(self) -> Result<String> {
        self.text_of(|bytes| Ok(detect(bytes)))
    }

    /// Reads the body as text in a charset of your own choice, whatever the Content-Type and the first bytes say.
    ///
    /// Errors as [`bytes`](Self::bytes) does, and with [`ErrorKind::InvalidRequest`] if there is no charset of that
    /// name; without the feature `charset` with [`ErrorKind::Unsupported`] if it is another than UTF-8, UTF-16 and
    /// ASCII.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nh\0i\0");
    /// assert_eq!(hostpool::get(url).send()?.text_with("utf-16le")?, "hi");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "text")]
    pub fn text_with(mut self, label: &str) -> Result<String> {
        let charset = Charset::of_label(label).map_err(|kind| self.about_body(kind))?;
        let mut bytes = self.take_body()?;
        // The mark of that very charset is none of the text.
        if let Some((_, len)) = Charset::of_mark(&bytes).filter(|(marked, _)| *marked == charset) {
            bytes.drain(..len);
        }
        Ok(charset.decode(bytes).0)
    }

    /// Reads the body as [`text`](Self::text) does, but where neither a byte order mark nor the Content-Type says the
    /// charset, `fallback` names it by the bytes.
    ///
    /// Errors as [`text_with`](Self::text_with) does.
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

    /// The text in the charset that is said, or else in the one of `unsaid`.
    fn text_of(mut self, unsaid: impl FnOnce(&[u8]) -> Result<Charset, ErrorKind>) -> Result<String> {
        let mut bytes = self.take_body()?;
        let charset = match Charset::of_mark(&bytes) {
            Some((charset, len)) => {
                bytes.drain(..len);
                Ok(charset)
            }
            None => self.named_charset().and_then(|named| named.map_or_else(|| unsaid(&bytes), Ok)),
        };
        let charset = charset.map_err(|kind| self.about_body(kind))?;
        Ok(charset.decode(bytes).0)
    }

    /// What the Content-Type names; nothing, if there is no charset of that name (WHATWG Encoding Standard, section
    /// 4.2): servers invent names.
    pub(super) fn named_charset(&self) -> Result<Option<Charset>, ErrorKind> {
        match self.charset().map(Charset::of_label) {
            None | Some(Err(ErrorKind::InvalidRequest(_))) => Ok(None),
            Some(charset) => charset.map(Some),
        }
    }

    /// The lines of what is left of the body, as text, without their ends: LF or CRLF, and
    /// the CR at the end of a last line without LF. Each is decoded as it comes.
    ///
    /// The charset is as [`text`](Self::text) has it, but nothing is guessed: UTF-8 unless said otherwise. A line of
    /// more than 1 MiB of text is [`ErrorKind::LimitExceeded`]; [`Lines::max_len`] sets another bound. After an error
    /// there is no further line. The iterator reads ahead: what it has not given out is not left in the response.
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
        Lines::new(self)
    }
}

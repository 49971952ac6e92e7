//! The redirects and retries before a response, and the target of its own redirect.

use std::borrow::Cow;

use super::Response;
use super::parts::Past;
use crate::error::ResponseHead;
use crate::h1::Head;
use crate::redirect;
use crate::retry::Retry;

/// # What led to the response
impl Response {
    /// Adds the redirects and the retries of the call to the response.
    pub(crate) fn after(mut self, history: Vec<ResponseHead>, retries: Option<Box<Retry>>) -> Response {
        if !history.is_empty() || retries.is_some() {
            self.inner.parts.about.past = Some(Box::new(Past { history, retries }));
        }
        self
    }

    pub(crate) fn head(&self) -> &Head {
        &self.inner.parts.head
    }

    /// Returns what is left of the [`Retry`] policy of this call, with the tries before this response in its
    /// [history](Retry::history). Returns `None` if there was no retry.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::PoolManager::new().get(url).send()?;
    /// assert!(response.retries().is_none());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn retries(&self) -> Option<&Retry> {
        self.inner.parts.about.past.as_ref()?.retries.as_deref()
    }

    /// Returns the redirects that were followed before this response, the first one first, without their bodies.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::get(url).send()?;
    /// for passed in response.history() {
    ///     println!("{} {}", passed.status(), passed.url());
    /// }
    /// assert!(response.history().is_empty()); // it was no redirect
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn history(&self) -> &[ResponseHead] {
        self.inner.parts.about.history()
    }

    /// Returns the target of a redirect, as its first `Location` spells it. Returns `None` if the status is not 301,
    /// 302, 303, 307 or 308, and if there is no Location or only an empty one. In a Location that is not UTF-8 the
    /// bytes above 0x7F are percent-encoded, as when the redirect is followed.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::get(url).allow_redirects(false).send()?;
    /// assert_eq!(response.redirect_location().as_deref(), Some("/again"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "get_redirect_location")]
    #[doc(alias = "is_redirect")]
    pub fn redirect_location(&self) -> Option<Cow<'_, str>> {
        let location =
            redirect::is_redirect(self.status()).then(|| redirect::locations(self.headers()).next()).flatten()?;
        Some(match std::str::from_utf8(location) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(redirect::text(location)),
        })
    }
}

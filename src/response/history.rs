//! What led to this response, and where it leads.

use std::borrow::Cow;

use super::Response;
use crate::error::ResponseHead;
use crate::redirect;
use crate::retry::Retry;

impl Response {
    /// The same at the end of a call that came this way.
    pub(crate) fn after(self, history: Vec<ResponseHead>, retries: Option<Box<Retry>>) -> Response {
        let mut response = self;
        (response.parts.about.history, response.parts.about.retries) = (history, retries);
        response
    }

    /// What is left of the [`Retry`] policy of this call, and the tries before this response in its
    /// [history](Retry::history); `None` if nothing was tried again.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::PoolManager::new().get(url).send()?;
    /// assert!(response.retries().is_none());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn retries(&self) -> Option<&Retry> {
        self.parts.about.retries.as_deref()
    }

    /// The redirects that were followed to get here, the first one first; without their bodies.
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
        &self.parts.about.history
    }

    /// Where a redirect leads, as its first `Location` says it: `None` if the status is none of 301, 302, 303, 307 and
    /// 308, and if there is no Location, or an empty one. Of one that is not UTF-8 the bytes above 0x7F are
    /// percent-encoded, as they are where the redirect is followed.
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

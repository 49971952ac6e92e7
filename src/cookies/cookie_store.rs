//! The trait that a session keeps its cookies by, and the store without cookies.

use std::fmt;
use std::sync::Arc;

use crate::shared;
use crate::urls::Url;

/// Keeps the cookies of a session: a [`CookieJar`](crate::CookieJar), [`NoCookies`], or a type of the caller's own.
///
/// It is called from all threads that use the session, and again for each redirect.
///
/// ```
/// use hostpool::{CookieJar, CookieRequest, CookieStore, Url};
///
/// /// Takes no cookies from anybody, and sends those it was made with.
/// #[derive(Debug)]
/// struct ReadOnly(CookieJar);
///
/// impl CookieStore for ReadOnly {
///     fn store(&self, _: &Url, _: &mut dyn Iterator<Item = &[u8]>) {}
///
///     fn cookie_header(&self, request: &CookieRequest<'_>) -> Option<Vec<u8>> {
///         self.0.cookie_header(request)
///     }
/// }
/// ```
#[doc(alias = "AbstractCookieJar")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not keep cookies",
    note = "give a `hostpool::CookieJar`, `hostpool::NoCookies`, or a type that implements `CookieStore`"
)]
pub trait CookieStore: Send + Sync {
    /// Takes the values of the Set-Cookie fields of a response to a request for `url`, in order.
    #[doc(alias = "update_cookies")]
    fn store(&self, url: &Url, set_cookie: &mut dyn Iterator<Item = &[u8]>);

    /// Returns the value of the Cookie field of a request, or `None` for no such field. If the value has a byte that no
    /// header may have, the request is not sent.
    #[doc(alias = "filter_cookies")]
    fn cookie_header(&self, request: &CookieRequest<'_>) -> Option<Vec<u8>>;
}

impl fmt::Debug for dyn CookieStore + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn CookieStore")
    }
}

/// Passes each call on to the store that the pointer leads to.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<S: CookieStore + ?Sized> CookieStore for $pointer {
            fn store(&self, url: &Url, set_cookie: &mut dyn Iterator<Item = &[u8]>) {
                (**self).store(url, set_cookie);
            }

            fn cookie_header(&self, request: &CookieRequest<'_>) -> Option<Vec<u8>> {
                (**self).cookie_header(request)
            }
        }
    )*};
}

forward!(&S, Box<S>, Arc<S>);

/// Shares a store. An `Arc<dyn CookieStore>` is not wrapped again.
pub(crate) fn shared_store<S: CookieStore + 'static>(store: S) -> Arc<dyn CookieStore> {
    shared::already::<Arc<dyn CookieStore>>(&store).unwrap_or_else(|| Arc::new(store))
}

/// The request that a [`CookieStore`] gives cookies for.
#[derive(Clone, Copy, Debug)]
pub struct CookieRequest<'a> {
    url: &'a Url,
    is_cross_origin: bool,
}

impl<'a> CookieRequest<'a> {
    /// Describes a request for `url`, which the caller named.
    pub fn new(url: &'a Url) -> Self {
        CookieRequest { url, is_cross_origin: false }
    }

    /// Sets whether a redirect from another origin than the caller named led here.
    pub fn cross_origin(self, is_cross_origin: bool) -> Self {
        CookieRequest { is_cross_origin, ..self }
    }

    /// Returns the URL of the request. Cookies follow this URL, whatever its Host header says.
    pub fn url(&self) -> &'a Url {
        self.url
    }

    /// Returns whether a redirect from another origin than the caller named led here. Cookies that the caller meant for
    /// the named origin must not be sent then.
    pub fn is_cross_origin(&self) -> bool {
        self.is_cross_origin
    }
}

/// Keeps no cookies and sends none.
#[doc(alias = "DummyCookieJar")]
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCookies;

impl CookieStore for NoCookies {
    fn store(&self, _url: &Url, _set_cookie: &mut dyn Iterator<Item = &[u8]>) {}

    fn cookie_header(&self, _request: &CookieRequest<'_>) -> Option<Vec<u8>> {
        None
    }
}

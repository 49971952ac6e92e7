//! The types that can be given as the URL of a request.

use std::sync::Arc;

use crate::client::options::{Trusted, only_origin};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::urls::{InvalidUrl, Origin, Origins, Url, as_http};

/// A value that can be the URL of a request.
///
/// It is implemented for these types, and cannot be implemented for others:
///
/// | type | meaning |
/// |---|---|
/// | `&str`, `&&str`, `String`, `&String`, `Cow<str>`, `&Cow<str>` | the text of a URL; relative to the base URL if the client has one |
/// | [`Url`], `&Url` | a parsed URL, used as it is |
/// | [`url::Url`], `&url::Url` | a URL of the crate `url` |
/// | [`http::Uri`], `&http::Uri` | a URI of the crate `http`; without a scheme it is relative to the base URL, as a text is |
///
/// [`Url::unix`] makes the URL of a Unix socket from its path.
///
/// ```
/// use hostpool::{Session, Url};
///
/// let session = Session::builder().base_url("http://example.com/v1/").build()?;
/// let asked = |url: &str, request: hostpool::RequestBuilder| {
///     assert_eq!(request.build().unwrap().url(), &Url::parse(url).unwrap());
/// };
/// asked("http://example.com/v1/users", session.get("users"));
/// asked("http://other.example/", session.get(Url::parse("http://other.example/")?));
/// asked("http://other.example/", session.get(url::Url::parse("http://other.example/")?));
/// asked("http://other.example/a", session.get(http::Uri::from_static("http://other.example/a")));
/// asked("http://example.com/users", session.get(&http::Uri::from_static("/users")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a URL",
    note = "give a `&str`, a `String`, a `hostpool::Url`, a `url::Url`, an `http::Uri`, or a reference to one of these",
    note = "`Url::unix` makes the URL of a Unix socket from its path"
)]
pub trait IntoUrl: sealed::Sealed {}

impl<T: sealed::Sealed> IntoUrl for T {}

/// Returns the origins that a caller names as trusted.
pub(crate) fn trusted<U: IntoUrl>(origins: impl IntoIterator<Item = U>) -> Result<Trusted> {
    let known = Origins::default();
    origins.into_iter().map(|origin| only_origin(&sealed::Sealed::into_url(origin, &known, None)?)).collect()
}

pub(crate) mod sealed {
    use std::borrow::Cow;

    use super::{Arc, Error, ErrorKind, InvalidUrl, Origin, Origins, Phase, Result, Url, as_http};

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a URL",
        note = "give a `&str`, a `String`, a `hostpool::Url`, a `url::Url`, an `http::Uri`, or a reference to one of these",
        note = "`Url::unix` makes the URL of a Unix socket from its path"
    )]
    pub trait Sealed {
        /// Returns the URL. A text without a scheme is joined to `base`. An origin in `known` is not parsed again.
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "the trait cannot be named outside")]
        fn into_url(self, known: &Origins, base: Option<&Url>) -> Result<Url>;

        /// Returns the URL as [`into_url`](Self::into_url) does. A text may have a scheme of WebSockets.
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "the trait cannot be named outside")]
        fn into_ws_url(self, known: &Origins, base: Option<&Url>) -> Result<Url>;

        /// Returns the URL of a request at this origin. A text that is no more than a path and a query is one there.
        #[doc(hidden)]
        fn into_target(self, origin: &Arc<Origin>) -> Result<Url>;

        /// Returns the URL as [`into_target`](Self::into_target) does. A text without a scheme is taken for `http`.
        #[doc(hidden)]
        fn into_guess(self, origin: &Arc<Origin>) -> Result<Url>;
    }

    fn of_target(text: &str, origin: &Arc<Origin>) -> Result<Url, InvalidUrl> {
        match text.is_empty() || text.starts_with(['/', '?']) {
            true => Url::with_target(origin, text),
            false => Url::parse(text),
        }
    }

    /// Returns the error for a text that is neither a path nor a URL.
    fn no_target(text: &str, why: InvalidUrl) -> Error {
        match why {
            // A colon tells a host and a port from a path.
            InvalidUrl::NoScheme if !text.contains(':') => {
                Error::new(ErrorKind::InvalidUrl(why).because("a path begins with /"), Phase::Prepare)
            }
            why => Error::url_text(text, why),
        }
    }

    macro_rules! by_text {
        ($($type:ty),*) => {$(
            #[allow(private_interfaces, reason = "the trait cannot be named outside")]
            impl Sealed for $type {
                fn into_url(self, known: &Origins, base: Option<&Url>) -> Result<Url> {
                    let url = match (known.url(self.as_ref()), base) {
                        (Err(InvalidUrl::NoScheme), Some(base)) => base.join(self.as_ref()),
                        (url, _) => url,
                    };
                    url.map_err(|why| Error::url_text(self.as_ref(), why))
                }

                fn into_ws_url(self, known: &Origins, base: Option<&Url>) -> Result<Url> {
                    as_http(self.as_ref()).into_url(known, base)
                }

                fn into_target(self, origin: &Arc<Origin>) -> Result<Url> {
                    of_target(self.as_ref(), origin).map_err(|why| no_target(self.as_ref(), why))
                }

                fn into_guess(self, origin: &Arc<Origin>) -> Result<Url> {
                    let text: &str = self.as_ref();
                    Ok(match of_target(text, origin) {
                        Err(InvalidUrl::NoScheme) => Url::parse(&format!("http://{text}"))?,
                        url => url?,
                    })
                }
            }
        )*};
    }

    by_text!(&str, &&str, String, &String, Cow<'_, str>, &Cow<'_, str>, url::Url, &url::Url);

    macro_rules! by_its_text {
        ($($type:ty),*) => {$(
            #[allow(private_interfaces, reason = "the trait cannot be named outside")]
            impl Sealed for $type {
                fn into_url(self, known: &Origins, base: Option<&Url>) -> Result<Url> {
                    self.to_string().into_url(known, base)
                }

                fn into_ws_url(self, known: &Origins, base: Option<&Url>) -> Result<Url> {
                    self.to_string().into_ws_url(known, base)
                }

                fn into_target(self, origin: &Arc<Origin>) -> Result<Url> {
                    self.to_string().into_target(origin)
                }

                fn into_guess(self, origin: &Arc<Origin>) -> Result<Url> {
                    self.to_string().into_guess(origin)
                }
            }
        )*};
    }

    by_its_text!(http::Uri, &http::Uri);

    #[allow(private_interfaces, reason = "the trait cannot be named outside")]
    impl Sealed for Url {
        fn into_url(self, _: &Origins, _: Option<&Url>) -> Result<Url> {
            Ok(self)
        }

        fn into_ws_url(self, _: &Origins, _: Option<&Url>) -> Result<Url> {
            Ok(self)
        }

        fn into_target(self, _: &Arc<Origin>) -> Result<Url> {
            Ok(self)
        }

        fn into_guess(self, _: &Arc<Origin>) -> Result<Url> {
            Ok(self)
        }
    }

    #[allow(private_interfaces, reason = "the trait cannot be named outside")]
    impl Sealed for &Url {
        fn into_url(self, _: &Origins, _: Option<&Url>) -> Result<Url> {
            Ok(self.clone())
        }

        fn into_ws_url(self, _: &Origins, _: Option<&Url>) -> Result<Url> {
            Ok(self.clone())
        }

        fn into_target(self, _: &Arc<Origin>) -> Result<Url> {
            Ok(self.clone())
        }

        fn into_guess(self, _: &Arc<Origin>) -> Result<Url> {
            Ok(self.clone())
        }
    }
}

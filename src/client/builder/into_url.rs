//! The types that can be given as the URL of a request.

use std::sync::Arc;

use crate::client::options::{Trusted, only_origin};
use crate::error::Result;
use crate::url::{InvalidUrl, Origin, Origins, Url};

/// A value that can be the URL of a request: a text, a [`Url`], or a `url::Url`.
pub trait IntoUrl: sealed::Sealed {}

impl<T: sealed::Sealed> IntoUrl for T {}

/// Returns the origins that a caller names as trusted.
pub(crate) fn trusted<U: IntoUrl>(origins: impl IntoIterator<Item = U>) -> Result<Trusted> {
    let known = Origins::default();
    origins.into_iter().map(|origin| only_origin(&sealed::Sealed::into_url(origin, &known, None)?)).collect()
}

pub(crate) mod sealed {
    use std::borrow::Cow;

    use super::{Arc, InvalidUrl, Origin, Origins, Url};

    pub trait Sealed {
        /// Returns the URL. A text without a scheme is joined to `base`. An origin in `known` is not parsed again.
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "the trait cannot be named outside")]
        fn into_url(self, known: &Origins, base: Option<&Url>) -> Result<Url, InvalidUrl>;

        /// Returns the URL of a request at this origin. A text that is no more than a path and a query is one there.
        #[doc(hidden)]
        fn into_target(self, origin: &Arc<Origin>) -> Result<Url, InvalidUrl>;

        /// Returns the URL as [`into_target`](Self::into_target) does. A text without a scheme is taken for `http`.
        #[doc(hidden)]
        fn into_guess(self, origin: &Arc<Origin>) -> Result<Url, InvalidUrl>;
    }

    fn of_target(text: &str, origin: &Arc<Origin>) -> Result<Url, InvalidUrl> {
        match text.is_empty() || text.starts_with(['/', '?']) {
            true => Url::with_target(origin, text),
            false => Url::parse(text),
        }
    }

    macro_rules! by_text {
        ($($type:ty),*) => {$(
            #[allow(private_interfaces, reason = "the trait cannot be named outside")]
            impl Sealed for $type {
                fn into_url(self, known: &Origins, base: Option<&Url>) -> Result<Url, InvalidUrl> {
                    match (known.url(self.as_ref()), base) {
                        (Err(InvalidUrl::NoScheme), Some(base)) => base.join(self.as_ref()),
                        (url, _) => url,
                    }
                }

                fn into_target(self, origin: &Arc<Origin>) -> Result<Url, InvalidUrl> {
                    of_target(self.as_ref(), origin)
                }

                fn into_guess(self, origin: &Arc<Origin>) -> Result<Url, InvalidUrl> {
                    let text: &str = self.as_ref();
                    match of_target(text, origin) {
                        Err(InvalidUrl::NoScheme) => Url::parse(&format!("http://{text}")),
                        url => url,
                    }
                }
            }
        )*};
    }

    by_text!(&str, &&str, String, &String, Cow<'_, str>, &Cow<'_, str>, url::Url, &url::Url);

    #[allow(private_interfaces, reason = "the trait cannot be named outside")]
    impl Sealed for Url {
        fn into_url(self, _: &Origins, _: Option<&Url>) -> Result<Url, InvalidUrl> {
            Ok(self)
        }

        fn into_target(self, _: &Arc<Origin>) -> Result<Url, InvalidUrl> {
            Ok(self)
        }

        fn into_guess(self, _: &Arc<Origin>) -> Result<Url, InvalidUrl> {
            Ok(self)
        }
    }

    #[allow(private_interfaces, reason = "the trait cannot be named outside")]
    impl Sealed for &Url {
        fn into_url(self, _: &Origins, _: Option<&Url>) -> Result<Url, InvalidUrl> {
            Ok(self.clone())
        }

        fn into_target(self, _: &Arc<Origin>) -> Result<Url, InvalidUrl> {
            Ok(self.clone())
        }

        fn into_guess(self, _: &Arc<Origin>) -> Result<Url, InvalidUrl> {
            Ok(self.clone())
        }
    }
}

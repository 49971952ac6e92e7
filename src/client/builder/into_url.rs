//! The types that can be given as the URL of a request.

use crate::client::options::{Trusted, only_origin};
use crate::error::Result;
use crate::url::{InvalidUrl, Origins, Url};

/// A value that can be the URL of a request: a text, a [`Url`], or a `url::Url`.
pub trait IntoUrl: sealed::Sealed {}

impl<T: sealed::Sealed> IntoUrl for T {}

/// Returns the origins that a caller names as trusted.
pub(crate) fn trusted<U: IntoUrl>(origins: impl IntoIterator<Item = U>) -> Result<Trusted> {
    let known = Origins::default();
    origins.into_iter().map(|origin| only_origin(&sealed::Sealed::into_url(origin, &known, None)?)).collect()
}

pub(crate) mod sealed {
    use super::{InvalidUrl, Origins, Url};

    pub trait Sealed {
        /// Returns the URL. A text without a scheme is joined to `base`. An origin in `known` is not parsed again.
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "the trait cannot be named outside")]
        fn into_url(self, known: &Origins, base: Option<&Url>) -> Result<Url, InvalidUrl>;
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
            }
        )*};
    }

    by_text!(&str, String, &String, url::Url, &url::Url);

    #[allow(private_interfaces, reason = "the trait cannot be named outside")]
    impl Sealed for Url {
        fn into_url(self, _: &Origins, _: Option<&Url>) -> Result<Url, InvalidUrl> {
            Ok(self)
        }
    }

    #[allow(private_interfaces, reason = "the trait cannot be named outside")]
    impl Sealed for &Url {
        fn into_url(self, _: &Origins, _: Option<&Url>) -> Result<Url, InvalidUrl> {
            Ok(self.clone())
        }
    }
}

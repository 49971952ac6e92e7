//! A login and a password for the strongest scheme that a server offers.

use std::fmt;

use super::digest::{DigestAuth, Fallback};
use super::{Auth, Kind};

/// A login and a password that are sent in the strongest way that the server asks for: as
/// [`DigestAuth`](crate::DigestAuth) does where the server offers Digest, and otherwise as
/// [`BasicAuth`](crate::BasicAuth).
///
/// The first request carries no credentials. The challenge of the server, a 401, is answered once:
///
/// - A challenge for Digest is answered if it can be, also if the server offers Basic beside it.
/// - A challenge for Basic alone is answered over `https` and over a Unix socket. Over plain `http` everybody on the way
///   can read the password, and can leave out the offer of Digest. There it is answered only if
///   [`basic_over_http`](Self::basic_over_http) permits it.
/// - If there is no such challenge, or if the answer is refused, the 401 is the response.
///
/// Later requests to the same scheme, host and port carry what the server accepted. A redirect to another origin gets
/// nothing, unless the caller [trusts](crate::RequestBuilder::trust_origins) that origin.
///
/// Basic credentials are sent in ISO-8859-1, and in UTF-8 if the challenge says so or if another encoding lacks a
/// character. Without the feature `digest-auth` each request with these credentials fails with
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), because Digest could not be preferred.
///
/// ```
/// use hostpool::{AnyAuth, Session};
///
/// let auth = AnyAuth::new("Aladdin", "open sesame").basic_over_http(true);
/// # #[cfg(feature = "digest-auth")]
/// let session = Session::builder().auth(auth).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "anyauth")]
#[derive(Clone)]
#[must_use]
pub struct AnyAuth {
    login: Box<str>,
    password: Box<str>,
    basic: Fallback,
}

impl AnyAuth {
    /// Takes a login and its password.
    pub fn new(login: &str, password: &str) -> AnyAuth {
        AnyAuth { login: login.into(), password: password.into(), basic: Fallback::InPrivate }
    }

    /// Sets whether a challenge for Basic credentials is answered over plain `http`. Default: no.
    pub fn basic_over_http(self, allow: bool) -> AnyAuth {
        AnyAuth { basic: if allow { Fallback::Everywhere } else { Fallback::InPrivate }, ..self }
    }
}

impl From<AnyAuth> for Auth {
    /// Takes the credentials. Clones of the result share what they know about servers.
    fn from(any: AnyAuth) -> Auth {
        Auth(Kind::Digest(DigestAuth::with(Some(&any.login), &any.password, any.basic)))
    }
}

impl fmt::Debug for AnyAuth {
    /// Hides the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyAuth({:?}, ***)", self.login)
    }
}

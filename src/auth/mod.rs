//! Credentials, and the field values that carry them (RFC 9110, section 11).
//!
//! Nothing here knows requests or clients. The client decides which credentials go where.

mod any;
mod basic;
pub(crate) mod challenge;
mod digest;
mod netrc;
mod rounds;

use std::fmt;

pub use any::AnyAuth;
pub(crate) use basic::Userinfo;
pub use basic::{AuthEncoding, BasicAuth};
pub use digest::DigestAuth;
pub(crate) use digest::{Asked, Asker, Dialogue};
pub use netrc::Netrc;
pub use rounds::{AuthPeer, AuthRounds, AuthScheme};
pub(crate) use rounds::{Heard, Rounds, SharedScheme};

use crate::error::{Error, Result};

/// Credentials of any kind, as [`RequestBuilder::auth`](crate::RequestBuilder::auth) and
/// [`SessionBuilder::auth`](crate::SessionBuilder::auth) take them: a [`BasicAuth`], a login with its password, a
/// [`DigestAuth`], an [`AnyAuth`], a [bearer token](Self::bearer), or a [scheme of several rounds](Self::scheme).
///
/// ```
/// use hostpool::{Auth, BasicAuth, Session};
///
/// let session = Session::builder().auth(("Aladdin", "open sesame")).build()?;
/// let session = Session::builder().auth(BasicAuth::login_only("Aladdin")).build()?;
/// let session = Session::builder().auth(Auth::bearer("mF_9.B5f-4.1JqM")).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone)]
pub struct Auth(Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Basic(BasicAuth),
    Bearer(Box<str>),
    Digest(DigestAuth),
    /// A scheme of several rounds, by code of the caller's.
    Scheme(SharedScheme),
}

impl Auth {
    /// Takes a token of RFC 6750, as OAuth 2.0 issues them. A token that is not a `b64token` of section 2.1 is refused
    /// where it is used, for example an empty one or one with a line end.
    #[doc(alias = "token")]
    pub fn bearer(token: impl AsRef<str>) -> Auth {
        Auth(Kind::Bearer(token.as_ref().into()))
    }

    /// Takes a scheme of several rounds on one connection, such as NTLM: see [`AuthScheme`]. Clones of the result are the
    /// same credentials, and share connections; another call makes others.
    pub fn scheme(scheme: impl AuthScheme + 'static) -> Auth {
        Auth(Kind::Scheme(SharedScheme::new(scheme)))
    }

    /// Returns the login of a URL as Basic credentials, with the same bytes as a request to that URL sends.
    pub(crate) fn of_userinfo(userinfo: &str) -> Auth {
        Auth(Kind::Basic(Userinfo::parse(userinfo).into_basic()))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    /// Returns whether both are the same credentials, whatever they know about servers.
    pub(crate) fn is_same(&self, other: &Auth) -> bool {
        match (&self.0, &other.0) {
            (Kind::Basic(one), Kind::Basic(other)) => one == other,
            (Kind::Bearer(one), Kind::Bearer(other)) => one == other,
            (Kind::Digest(one), Kind::Digest(other)) => one.is_equal(other),
            (Kind::Scheme(one), Kind::Scheme(other)) => one == other,
            _ => false,
        }
    }

    /// Refuses credentials that can never be sent.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.0 {
            Kind::Basic(basic) => basic.encode().map(drop),
            Kind::Bearer(token) => bearer(token).map(drop),
            Kind::Digest(digest) => digest.check(),
            Kind::Scheme(scheme) => scheme.check(),
        }
    }
}

/// Returns the value of the Authorization field (RFC 6750, section 2.1).
pub(crate) fn bearer(token: &str) -> Result<String> {
    let text = token.trim_end_matches('=');
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)) {
        return Err(Error::request("a bearer token is empty or has a character that RFC 6750 does not allow"));
    }
    Ok(format!("Bearer {token}"))
}

impl From<BasicAuth> for Auth {
    fn from(basic: BasicAuth) -> Auth {
        Auth(Kind::Basic(basic))
    }
}

impl From<&BasicAuth> for Auth {
    fn from(basic: &BasicAuth) -> Auth {
        Auth::from(basic.clone())
    }
}

impl From<DigestAuth> for Auth {
    fn from(digest: DigestAuth) -> Auth {
        Auth(Kind::Digest(digest))
    }
}

impl From<&DigestAuth> for Auth {
    /// Takes the same credentials, with what they know about servers.
    fn from(digest: &DigestAuth) -> Auth {
        Auth::from(digest.clone())
    }
}

impl From<(&str, &str)> for Auth {
    /// Takes a login and a password as [`BasicAuth`].
    fn from((login, password): (&str, &str)) -> Auth {
        Auth::from(BasicAuth::new(login, password))
    }
}

impl fmt::Debug for Auth {
    /// Hides the password and the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Basic(basic) => basic.fmt(f),
            Kind::Bearer(_) => f.write_str("Bearer(***)"),
            Kind::Digest(digest) => digest.fmt(f),
            Kind::Scheme(scheme) => scheme.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens() {
        let table = [
            ("RFC 6750 2.1", "mF_9.B5f-4.1JqM", true),
            ("padded", "AbCdEf09~+/==", true),
            ("empty", "", false),
            ("only padding", "==", false),
            ("padding inside", "canary=b", false),
            ("space", "canary a", false),
            ("line end", "abc\n", false),
            ("injection", "abc\r\nX-Evil: 1", false),
            ("comma", "a,b", false),
            ("not ASCII", "\u{e9}", false),
        ];
        for (row, token, expected) in table {
            let auth = Auth::bearer(token);
            assert_eq!(auth.check().is_ok(), expected, "{row}");
            match bearer(token) {
                Ok(value) => assert_eq!(value, format!("Bearer {token}"), "{row}"),
                Err(error) => assert!(!expected && !format!("{error} {error:?}").contains("canary"), "{row}"),
            }
            assert!(!format!("{auth:?}").contains("mF_9"), "{row}");
        }
    }

    #[test]
    fn conversions() {
        let pair = Auth::from(("Aladdin", "canary"));
        assert!(matches!(pair.kind(), Kind::Basic(basic) if *basic == BasicAuth::new("Aladdin", "canary")));
        assert!(!format!("{pair:?}").contains("canary"));
        assert!(Auth::from(&BasicAuth::new("a:b", "c")).check().is_err(), "B254");
    }
}

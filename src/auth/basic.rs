//! Basic credentials (RFC 7617).

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::challenge::{Item, Items};
use crate::error::{Error, Result};

/// A login and a password, which are sent in Base64 (RFC 7617): over plain `http` everyone on the way can read them.
///
/// ```
/// use hostpool::{AuthEncoding, BasicAuth};
///
/// let auth = BasicAuth::new("Aladdin", "open sesame");
/// assert_eq!(auth.encode()?, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
/// assert_eq!(BasicAuth::decode("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")?, auth);
/// assert!(!format!("{auth:?}").contains("sesame"));
///
/// let auth = BasicAuth::new("user", "5 €");
/// assert!(auth.encode().is_err()); // ISO-8859-1 has no such character
/// assert!(auth.encoding(AuthEncoding::Utf8).encode().is_ok());
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct BasicAuth {
    login: Box<str>,
    password: Box<str>,
    encoding: AuthEncoding,
}

/// Returns the encoding in which these fields ask for Basic credentials (RFC 7617, section 2.1), or `None` if they do
/// not ask for them. Some servers leave out the realm.
pub(super) fn offered<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Option<AuthEncoding> {
    let (mut found, mut is_basic) = (None, false);
    for item in fields.flat_map(Items::new) {
        match item {
            Item::Scheme(scheme) => {
                is_basic = scheme.eq_ignore_ascii_case(b"basic");
                if is_basic {
                    found.get_or_insert(AuthEncoding::Latin1);
                }
            }
            Item::Param(name, value) if is_basic => {
                if name.eq_ignore_ascii_case(b"charset") && value.eq_ignore_ascii_case(b"utf-8") {
                    found = Some(AuthEncoding::Utf8);
                }
            }
            Item::Param(..) | Item::Token68(_) | Item::Broken => {}
        }
    }
    found
}

/// The encoding of the characters of a login and a password.
///
/// RFC 7617 leaves the encoding to the server (section 2.1). Plain ASCII is the same in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthEncoding {
    /// ISO-8859-1, as in aiohttp and old servers.
    #[default]
    Latin1,
    /// UTF-8, as in browsers and in servers that send `charset="UTF-8"`.
    Utf8,
}

impl BasicAuth {
    /// Takes a login and its password, in ISO-8859-1 unless [`encoding`](Self::encoding) sets another.
    pub fn new(login: &str, password: &str) -> BasicAuth {
        BasicAuth { login: login.into(), password: password.into(), encoding: AuthEncoding::default() }
    }

    /// Takes a login with an empty password, as some APIs expect their keys.
    pub fn login_only(login: &str) -> BasicAuth {
        BasicAuth::new(login, "")
    }

    /// Sets the encoding.
    pub fn encoding(mut self, encoding: AuthEncoding) -> BasicAuth {
        self.encoding = encoding;
        self
    }

    /// Returns the value of the Authorization field.
    ///
    /// Fails if the login has a colon, which would end it, if there is a control character (RFC 7617, section 2), or if
    /// the encoding does not have a character.
    pub fn encode(&self) -> Result<String> {
        let Ok(text) = self.userpass() else {
            return Err(Error::request("ISO-8859-1 cannot carry the login or the password: see AuthEncoding::Utf8"));
        };
        if self.login.contains(':') {
            return Err(Error::request("a login for Basic credentials has a colon"));
        }
        if self.login.chars().chain(self.password.chars()).any(char::is_control) {
            return Err(Error::request("a login or a password has a control character"));
        }
        Ok(value_of(&text))
    }

    fn userpass(&self) -> Result<Vec<u8>, std::num::TryFromIntError> {
        let text = [&*self.login, ":", &*self.password].concat();
        match self.encoding {
            AuthEncoding::Utf8 => Ok(text.into_bytes()),
            AuthEncoding::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c))).collect(),
        }
    }

    /// Reads the credentials in the value of an Authorization field. They are read as UTF-8 if they are valid, and
    /// otherwise as ISO-8859-1; [`encode`](Self::encode) returns the same bytes again.
    ///
    /// Fails if the scheme is not Basic, or if what follows is not Base64, has no colon, or has a control character.
    pub fn decode(value: &str) -> Result<BasicAuth> {
        BasicAuth::parse(value).ok_or_else(|| Error::request("the value has no Basic credentials"))
    }

    fn parse(value: &str) -> Option<BasicAuth> {
        let (scheme, encoded) = value.trim_ascii().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let bytes = BASE64_STANDARD.decode(encoded.trim_ascii_start()).ok()?;
        let (text, encoding) = match String::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => (text, AuthEncoding::Latin1),
            Ok(text) => (text, AuthEncoding::Utf8),
            Err(error) => (error.into_bytes().into_iter().map(char::from).collect(), AuthEncoding::Latin1),
        };
        let (login, password) = text.split_once(':')?;
        let none_of_control = !text.contains(char::is_control);
        none_of_control.then(|| BasicAuth::new(login, password).encoding(encoding))
    }

    /// Returns the login.
    #[doc(alias = "username")]
    pub fn login(&self) -> &str {
        &self.login
    }

    /// Returns the password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Returns the encoding of both.
    pub fn charset(&self) -> AuthEncoding {
        self.encoding
    }
}

/// The login and the password in a URL, decoded.
pub(crate) struct Userinfo {
    pub(crate) login: Vec<u8>,
    /// `None` if no colon is written.
    pub(crate) password: Option<Vec<u8>>,
}

impl Userinfo {
    pub(crate) fn parse(userinfo: &str) -> Userinfo {
        let decoded = |part| percent_encoding::percent_decode_str(part).collect::<Vec<u8>>();
        match userinfo.split_once(':') {
            Some((login, password)) => Userinfo { login: decoded(login), password: Some(decoded(password)) },
            None => Userinfo { login: decoded(userinfo), password: None },
        }
    }

    /// Returns both as text. Bytes that are not UTF-8 are read as ISO-8859-1.
    pub(crate) fn text(&self) -> (String, String) {
        let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
        };
        (text(&self.login), text(self.password.as_deref().unwrap_or_default()))
    }

    /// Returns whether both are UTF-8.
    pub(crate) fn is_utf8(&self) -> bool {
        [&*self.login, self.password.as_deref().unwrap_or_default()]
            .into_iter()
            .all(|part| str::from_utf8(part).is_ok())
    }

    /// Returns the value of the field, with the bytes as they are.
    pub(crate) fn basic(&self) -> String {
        value_of(&[&*self.login, b":", self.password.as_deref().unwrap_or_default()].concat())
    }

    /// Returns credentials that are sent as the same bytes.
    pub(crate) fn into_basic(self) -> BasicAuth {
        let password = self.password.unwrap_or_default();
        match (std::str::from_utf8(&self.login), std::str::from_utf8(&password)) {
            (Ok(login), Ok(password)) => BasicAuth::new(login, password).encoding(AuthEncoding::Utf8),
            _ => {
                let [login, password] = [&self.login, &password]
                    .map(|bytes| bytes.iter().map(|&byte| char::from(byte)).collect::<String>());
                BasicAuth::new(&login, &password)
            }
        }
    }
}

/// Returns the value of the field for a login, a colon and a password in any encoding.
fn value_of(userpass: &[u8]) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(userpass))
}

impl fmt::Debug for BasicAuth {
    /// Hides the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicAuth")
            .field("login", &self.login)
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use AuthEncoding::{Latin1, Utf8};

    #[test]
    fn encoded() {
        let table = [
            ("AU-01 RFC 7617 2", "Aladdin", "open sesame", Latin1, Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
            ("RFC 7617 2.1", "test", "123\u{a3}", Utf8, Some("Basic dGVzdDoxMjPCow==")),
            ("B253 the same in latin1", "test", "123\u{a3}", Latin1, Some("Basic dGVzdDoxMjOj")),
            ("AU-02", "user", "", Latin1, Some("Basic dXNlcjo=")),
            ("nothing at all", "", "", Latin1, Some("Basic Og==")),
            ("colons in the password", "a", "b:c", Latin1, Some("Basic YTpiOmM=")),
            ("B253 not in latin1", "test", "5 \u{20ac}", Latin1, None),
            ("AU-03", "test", "5 \u{20ac}", Utf8, Some("Basic dGVzdDo1IOKCrA==")),
            ("B254", "a:b", "c", Latin1, None),
            ("B254 in UTF-8", "a:b", "c", Utf8, None),
            ("line end in the login", "a\r\nb", "c", Latin1, None),
            ("NUL in the password", "a", "b\0c", Utf8, None),
            ("DEL", "a", "\x7f", Latin1, None),
            ("C1", "a", "\u{85}", Latin1, None),
        ];
        for (row, login, password, encoding, expected) in table {
            let auth = BasicAuth::new(login, password).encoding(encoding);
            assert_eq!(auth.encode().ok().as_deref(), expected, "{row}");
            let Some(value) = expected else { continue };
            let decoded = BasicAuth::decode(value).unwrap();
            assert_eq!((decoded.login(), decoded.password()), (login, password), "AU-06 {row}");
            assert_eq!(decoded.encode().unwrap(), value, "AU-06 {row}");
        }
        assert_eq!(BasicAuth::login_only("user"), BasicAuth::new("user", ""), "AU-02");
    }

    #[test]
    fn decoded() {
        let refused = [
            ("no scheme", "dXNlcjo="),
            ("another scheme", "Bearer dXNlcjo="),
            ("no Base64", "Basic dXNlcjo"),
            ("garbage", "Basic ___"),
            ("no colon", "Basic dXNlcg=="),
            ("control character", "Basic YTpiCg=="),
            ("nothing", ""),
            ("scheme alone", "Basic"),
            ("empty", "Basic "),
        ];
        for (row, value) in refused {
            let error = BasicAuth::decode(value).unwrap_err().to_string();
            assert!(value.len() < 9 || !error.contains(&value[6..]), "{row}");
        }
        for value in ["basic dXNlcjo=", "BASIC dXNlcjo=", " Basic  dXNlcjo= "] {
            assert_eq!(BasicAuth::decode(value).unwrap(), BasicAuth::login_only("user"), "{value}");
        }
        assert_eq!(BasicAuth::decode("Basic dGVzdDoxMjOj").unwrap().charset(), Latin1);
        assert_eq!(BasicAuth::decode("Basic dGVzdDoxMjPCow==").unwrap().charset(), Utf8);
    }

    #[test]
    fn no_password_is_shown() {
        let auth = BasicAuth::new("user", "canary");
        assert!(!format!("{auth:?} {auth:#?}").contains("canary"));
        for auth in [BasicAuth::new("a:b", "canary"), BasicAuth::new("a", "canary\n"), BasicAuth::new("a", "canary€")]
        {
            assert!(!format!("{0} {0:?}", auth.encode().unwrap_err()).contains("canary"));
        }
    }
}

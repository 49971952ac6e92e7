//! The credentials of each request of a call.
//!
//! Those in the URL come first, then the request's, then the client's. Credentials of a URL are for its origin. All
//! others are for the origin that the caller named, and for no other that a redirect leads to.

use std::sync::Arc;

use crate::auth::{self, Asked, Auth, Dialogue, DigestAuth, Kind, Netrc, Userinfo};
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::dial::Route;
use crate::error::{Error, Result};
use crate::h1::Head;
use crate::random;
use crate::url::Origin;

const FIELD: &str = "authorization";

/// The credentials of one call.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// The login of a URL that a redirect led away from. It goes with other URLs of that origin, too.
    inherited: Option<Login>,
    /// The origin that the caller named.
    home: Option<Arc<Origin>>,
    /// The dialogue of digest credentials with one origin.
    dialogue: Option<Dialogue>,
    /// The last request was sent with credentials of the dialogue, or without any before its first challenge.
    spoke: bool,
}

/// The scheme that a login is used by.
#[derive(Clone, Debug)]
enum Login {
    /// The value of the Authorization field.
    Sent(Secret),
    Digest(DigestAuth),
}

#[derive(Clone)]
struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Credentials {
    /// Returns the value of the Authorization field for a request without one. It replaces the client's field.
    pub(super) fn value(&mut self, request: &Request, terms: Terms<'_>, crossed: bool) -> Result<Option<Vec<u8>>> {
        if self.home.is_none() && terms.own_auth().is_some() {
            check(request)?;
        }
        self.spoke = false;
        let (auth, userinfo) = (terms.auth(), userinfo(request));
        if auth.is_none() && terms.netrc().is_none() && userinfo.is_none() && self.inherited.is_none() {
            return Ok(None);
        }
        let origin = request.url.shared_origin();
        let home = self.home.get_or_insert_with(|| origin.clone());
        let at_home = !crossed && home == origin;
        // The path of a Unix socket is not a host.
        let netrc = terms.netrc().filter(|_| at_home && origin.port().is_some());
        if let Some(userinfo) = userinfo {
            self.inherited = Some(of_url(userinfo, origin, netrc, digest(auth))?);
        }
        if let Some(login) = self.inherited.clone() {
            return self.by(&login, request);
        }
        if !at_home || request.headers.contains(FIELD) {
            return Ok(None);
        }
        match terms.auth_at(origin).map(Auth::kind) {
            Some(Kind::Basic(basic)) => Ok(Some(basic.encode()?.into_bytes())),
            Some(Kind::Bearer(token)) => Ok(Some(auth::bearer(token)?.into_bytes())),
            Some(Kind::Digest(digest)) if digest.has_login() => self.speak(digest, request),
            Some(Kind::Digest(digest)) => match netrc.and_then(|netrc| netrc.lookup(origin.host(), None)) {
                Some(found) => self.speak(&digest.of(found.login(), found.password()), request),
                None => Ok(None),
            },
            None if terms.head().headers.contains(FIELD) => Ok(None),
            None => {
                let found = netrc.and_then(|netrc| netrc.lookup(origin.host(), None));
                found.map(|basic| Ok(basic.encode()?.into_bytes())).transpose()
            }
        }
    }

    fn by(&mut self, login: &Login, request: &Request) -> Result<Option<Vec<u8>>> {
        match login {
            Login::Sent(Secret(value)) => Ok(Some(value.clone())),
            Login::Digest(_) if request.headers.contains(FIELD) => Ok(None),
            Login::Digest(digest) => self.speak(digest, request),
        }
    }

    fn speak(&mut self, digest: &DigestAuth, request: &Request) -> Result<Option<Vec<u8>>> {
        self.spoke = true;
        let mut target = Vec::new();
        request.target_on(&Route::to(request.url.shared_origin())).write(&mut target);
        let asked = Asked { method: request.method.as_str(), target: &target, body: request.body.as_bytes() };
        let origin = request.url.shared_origin();
        let dialogue = match self.dialogue.take().filter(|dialogue| dialogue.is_of(digest, origin)) {
            Some(dialogue) => self.dialogue.insert(dialogue),
            None => self.dialogue.insert(Dialogue::new(digest, origin)),
        };
        dialogue.say(&asked, &random::fill)
    }

    /// Reads the server's challenge. Returns whether the request is to be sent again with an answer to it.
    pub(super) fn answer(&mut self, request: &Request, head: &Head) -> bool {
        match &mut self.dialogue {
            Some(dialogue) if self.spoke => {
                dialogue.hear(head.status, &head.headers, request.body.as_bytes().is_some())
            }
            _ => false,
        }
    }

    /// Forgets the login of a URL, which is for its origin.
    pub(super) fn forget_inherited(&mut self) {
        self.inherited = None;
    }

    /// Ends the exchange of challenges for this URL: a redirect leads to another.
    pub(super) fn leave(&mut self) {
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.leave();
        }
    }
}

/// Refuses a request with two credentials, of which one would be ignored.
fn check(request: &Request) -> Result<()> {
    if request.headers.contains(FIELD) {
        return Err(Error::request("it has an Authorization header, and credentials besides"));
    }
    match userinfo(request) {
        Some(_) => Err(Error::request("its URL has credentials, and it has others besides")),
        None => Ok(()),
    }
}

fn userinfo(request: &Request) -> Option<&str> {
    request.url.userinfo().filter(|userinfo| !matches!(*userinfo, "" | ":"))
}

/// Returns the digest credentials by which a client uses its logins.
fn digest(auth: Option<&Auth>) -> Option<&DigestAuth> {
    match auth.map(Auth::kind) {
        Some(Kind::Digest(digest)) => Some(digest),
        _ => None,
    }
}

/// Returns the login that stands in the URL, for `digest` where the client has that, else as Basic credentials
/// (RFC 7617). The password may be in a file.
fn of_url(userinfo: &str, origin: &Origin, netrc: Option<&Netrc>, digest: Option<&DigestAuth>) -> Result<Login> {
    let written = Userinfo::parse(userinfo);
    let found = match (&written, netrc) {
        (Userinfo { login, password: None }, Some(netrc)) => {
            std::str::from_utf8(login).ok().and_then(|login| netrc.lookup(origin.host(), Some(login)))
        }
        _ => None,
    };
    Ok(match (digest, found) {
        (Some(digest), Some(found)) => Login::Digest(digest.of(found.login(), found.password())),
        (Some(digest), None) => {
            let (login, password) = written.text();
            Login::Digest(digest.of(&login, &password))
        }
        (None, Some(found)) => Login::Sent(Secret(found.encode()?.into_bytes())),
        (None, None) => Login::Sent(Secret(written.basic().into_bytes())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::Url;
    use http::Method;

    #[test]
    fn the_credentials_of_a_url() {
        let table = [
            ("http://h/", None),
            ("http://@h/", None),
            ("http://:@h/", None),
            ("http://Aladdin:open%20sesame@h/", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
            ("http://user@h/", Some("Basic dXNlcjo=")),
            ("http://a:b:c@h/", Some("Basic YTpiOmM=")),
        ];
        for (url, expected) in table {
            let request = Request::new(Method::GET, Url::parse(url).unwrap());
            let login = userinfo(&request).map(|userinfo| of_url(userinfo, request.url.origin(), None, None).unwrap());
            let value = login.map(|login| match login {
                Login::Sent(Secret(value)) => String::from_utf8(value).unwrap(),
                Login::Digest(_) => panic!("{url}"),
            });
            assert_eq!(value.as_deref(), expected, "{url}");
        }
    }
}

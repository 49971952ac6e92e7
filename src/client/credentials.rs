//! Who the caller is: which credentials go with which request of a call.
//!
//! What stands in the URL comes first, then what the request has, then what the client has. All but the URL's own is
//! for the origin that the caller named, and for no other that a redirect leads to.

use std::sync::Arc;

use super::policy::Policy;
use super::request::Request;
use crate::auth::{self, Asked, Auth, Dialogue, DigestAuth, Kind, Netrc, Userinfo};
use crate::dial::Route;
use crate::error::{Error, Result};
use crate::h1::Head;
use crate::random;
use crate::url::Origin;

const FIELD: &str = "authorization";

/// The credentials of one call.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// Those of the URL that a redirect has left: its origin's other URLs are asked with them, too.
    inherited: Option<Login>,
    /// Whom the caller named.
    home: Option<Arc<Origin>>,
    /// The dialogues of digest credentials, at one origin.
    dialogue: Option<Dialogue>,
    /// The last request was for the dialogue to speak in.
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
    /// The value of the Authorization field, should the request have none of its own. It takes the place of the
    /// client's.
    pub(super) fn value(&mut self, request: &Request, policy: &Policy, crossed: bool) -> Result<Option<Vec<u8>>> {
        let own = request.options().and_then(|options| options.auth.as_ref());
        if self.home.is_none() && own.is_some() {
            check(request)?;
        }
        self.spoke = false;
        let (auth, userinfo) = (own.or(policy.auth.as_ref()), userinfo(request));
        if auth.is_none() && policy.netrc.is_none() && userinfo.is_none() && self.inherited.is_none() {
            return Ok(None);
        }
        let origin = request.url.shared_origin();
        let home = self.home.get_or_insert_with(|| origin.clone());
        let at_home = !crossed && home == origin;
        // A Unix socket's path is no host.
        let netrc = policy.netrc.as_ref().filter(|_| at_home && origin.port().is_some());
        if let Some(userinfo) = userinfo {
            self.inherited = Some(of_url(userinfo, origin, netrc, digest(auth))?);
        }
        if let Some(login) = self.inherited.clone() {
            return self.by(&login, request);
        }
        if !at_home || request.headers.contains(FIELD) {
            return Ok(None);
        }
        // The login of a pool's URL is for the pool's host, whatever else is sent through the pool.
        let is_abroad = own.is_none() && policy.reach.home.as_ref().is_some_and(|home| home != origin);
        match auth.filter(|_| !is_abroad).map(Auth::kind) {
            Some(Kind::Basic(basic)) => Ok(Some(basic.encode()?.into_bytes())),
            Some(Kind::Bearer(token)) => Ok(Some(auth::bearer(token)?.into_bytes())),
            Some(Kind::Digest(digest)) if digest.has_login() => self.speak(digest, request),
            Some(Kind::Digest(digest)) => match netrc.and_then(|netrc| netrc.lookup(origin.host(), None)) {
                Some(found) => self.speak(&digest.of(found.login(), found.password()), request),
                None => Ok(None),
            },
            None if policy.fields.headers.contains(FIELD) => Ok(None),
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

    /// Takes in what the server says of them. Whether the request is worth sending again.
    pub(super) fn answer(&mut self, request: &Request, head: &Head) -> bool {
        match &mut self.dialogue {
            Some(dialogue) if self.spoke => {
                dialogue.hear(head.status, &head.headers, request.body.as_bytes().is_some())
            }
            _ => false,
        }
    }

    /// A redirect leads on from this request.
    pub(super) fn leave(&mut self, cross_origin: bool) {
        if cross_origin {
            self.inherited = None;
        }
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.leave();
        }
    }
}

/// Of two credentials for one request none is taken silently.
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

/// Returns the digest credentials that a client uses logins by.
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

//! Chooses the credentials of each request of a call.
//!
//! Credentials in the URL come first, then the request's, then the client's, then those of a netrc file. Credentials of
//! a URL are sent only to its origin. All others are sent only to the origin that the caller named, and not to another
//! that a redirect, a middleware or a hook leads to. Origins that the caller trusts get both after a redirect, but not the
//! credentials of a Location. Credentials that a middleware or a hook sets after a move are for the new origin.

use std::sync::Arc;

use crate::auth::{self, Asked, Asker, Auth, Dialogue, DigestAuth, Heard, Kind, Netrc, Rounds, SharedScheme, Userinfo};
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::dial::Route;
use crate::error::{Error, Result};
use crate::random;
use crate::urls::{Origin, Url};

const AUTHORIZATION: &str = "authorization";

/// Holds the credentials of one call.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// The login of the last URL that had one. It is also sent with later URLs of the same origin.
    inherited: Option<Login>,
    /// The last URL with a login was a Location, and not the caller's.
    of_location: bool,
    /// The origin that the caller named. Set by the first request that has credentials to choose from.
    home: Option<Arc<Origin>>,
    /// The exchange of digest challenges and answers with one origin.
    dialogue: Option<Dialogue>,
    /// The dialogue was asked for the credentials of the last request. Before the first challenge it has none to give.
    used_dialogue: bool,
    /// The rounds of a scheme with one origin.
    rounds: Option<Box<Rounds>>,
    /// The credentials of the last request are those of the rounds.
    used_rounds: bool,
}

/// A login from a URL, in the scheme by which it is sent.
#[derive(Clone, Debug)]
enum Login {
    /// The value of the Authorization field.
    Sent(Secret),
    Digest(DigestAuth),
}

/// A value that `Debug` hides.
#[derive(Clone)]
struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Credentials {
    /// Returns the value of the Authorization field that the call adds, if it adds one. This field replaces a field of
    /// the client. `crossed` says that a redirect, a middleware or a hook has led to an origin that the caller neither
    /// named nor trusts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the request has two credentials, or if they
    /// cannot be encoded.
    pub(super) fn value(&mut self, request: &Request, terms: Terms<'_>, crossed: bool) -> Result<Option<Vec<u8>>> {
        if self.home.is_none() && terms.own_auth().is_some() {
            refuse_two_credentials(request)?;
        }
        (self.used_dialogue, self.used_rounds) = (false, false);
        let (auth, userinfo) = (terms.auth(), userinfo(request));
        if auth.is_none() && terms.netrc().is_none() && userinfo.is_none() && self.inherited.is_none() {
            return Ok(None);
        }
        let origin = request.url.shared_origin();
        let home = self.home.get_or_insert_with(|| origin.clone());
        let at_home = !crossed && (home == origin || terms.trusts(origin));
        // The path of a Unix socket is not a host, so no netrc entry is for it.
        let netrc = terms.netrc().filter(|_| at_home && origin.port().is_some());
        if let Some(userinfo) = userinfo {
            self.inherited = Some(login_of_url(userinfo, origin, netrc, digest_of_client(auth))?);
        }
        if let Some(login) = self.inherited.clone() {
            return self.login_value(&login, request);
        }
        // A hook that has moved the request may have set credentials for the new origin.
        let sent = if at_home { terms.auth_at(origin) } else { terms.own_auth() };
        if !at_home && sent.is_none() || request.headers.contains(AUTHORIZATION) {
            return Ok(None);
        }
        match sent.map(Auth::kind) {
            Some(Kind::Basic(basic)) => Ok(Some(basic.encode()?.into_bytes())),
            Some(Kind::Bearer(token)) => Ok(Some(auth::bearer(token)?.into_bytes())),
            Some(Kind::Scheme(scheme)) => self.rounds_value(scheme, origin),
            Some(Kind::Digest(digest)) if digest.has_login() => self.digest_value(digest, request),
            Some(Kind::Digest(digest)) => match netrc.and_then(|netrc| netrc.lookup(origin.host(), None)) {
                Some(found) => self.digest_value(&digest.of(found.login(), found.password()), request),
                None => Ok(None),
            },
            None if terms.has_default(request, AUTHORIZATION) => Ok(None),
            None => {
                let found = netrc.and_then(|netrc| netrc.lookup(origin.host(), None));
                found.map(|basic| Ok(basic.encode()?.into_bytes())).transpose()
            }
        }
    }

    /// Returns the value for a login from a URL.
    fn login_value(&mut self, login: &Login, request: &Request) -> Result<Option<Vec<u8>>> {
        match login {
            Login::Sent(Secret(value)) => Ok(Some(value.clone())),
            Login::Digest(_) if request.headers.contains(AUTHORIZATION) => Ok(None),
            Login::Digest(digest) => self.digest_value(digest, request),
        }
    }

    /// Returns the value that the dialogue with the origin gives. A dialogue with another origin or login is dropped.
    fn digest_value(&mut self, digest: &DigestAuth, request: &Request) -> Result<Option<Vec<u8>>> {
        self.used_dialogue = true;
        let mut target = Vec::new();
        request.target_on(&Route::to(request.url.shared_origin())).write(&mut target);
        let asked = Asked { method: request.method.as_str(), target: &target, body: request.body.as_bytes() };
        let origin = request.url.shared_origin();
        let dialogue = match self.dialogue.take().filter(|dialogue| dialogue.is_of(digest, origin)) {
            Some(dialogue) => self.dialogue.insert(dialogue),
            None => self.dialogue.insert(Dialogue::new(digest, Asker::Server, origin)),
        };
        dialogue.say(&asked, &random::fill)
    }

    /// Returns the value of the next round with the origin. Rounds with another origin or by another scheme are dropped.
    fn rounds_value(&mut self, scheme: &SharedScheme, origin: &Arc<Origin>) -> Result<Option<Vec<u8>>> {
        scheme.check()?;
        self.used_rounds = true;
        let rounds = match self.rounds.take().filter(|rounds| rounds.is_of(scheme, origin)) {
            Some(rounds) => self.rounds.insert(rounds),
            None => self.rounds.insert(Box::new(Rounds::new(scheme, Asker::Server, origin))),
        };
        Ok(rounds.say())
    }

    /// Notes that the credentials are not sent with the last request.
    pub(super) fn stay_silent(&mut self) {
        (self.used_dialogue, self.used_rounds) = (false, false);
    }

    /// Returns whether the last request has credentials that may be asked for again.
    #[inline]
    pub(super) fn may_be_asked(&self) -> bool {
        self.used_dialogue || self.used_rounds
    }

    /// Returns the scheme that authenticates the connection of the last request.
    pub(super) fn scheme(&self) -> Option<&SharedScheme> {
        self.rounds.as_ref().filter(|_| self.used_rounds).map(|rounds| rounds.scheme())
    }

    /// Returns whether the last request only opens the rounds of a scheme.
    pub(super) fn is_opening(&self) -> bool {
        self.used_rounds && self.rounds.as_ref().is_some_and(|rounds| rounds.is_opening())
    }

    /// Reads a challenge in the response, and returns whether the request is to be sent again with an answer to it.
    pub(super) fn answer(&mut self, heard: &Heard<'_>, has_bytes: bool) -> Result<bool> {
        if let Some(rounds) = self.rounds.as_mut().filter(|_| self.used_rounds) {
            return rounds.hear(heard);
        }
        let dialogue = self.dialogue.as_mut().filter(|_| self.used_dialogue);
        Ok(dialogue.is_some_and(|dialogue| dialogue.hear(heard.status, heard.headers, has_bytes)))
    }

    /// Forgets the login of a URL, because it is only for the origin of that URL. A login of the caller's own URL goes
    /// to an origin that the caller trusts, too.
    pub(super) fn leave_origin(&mut self, trusted: bool) {
        if !trusted || self.of_location {
            self.inherited = None;
        }
    }

    /// Ends the exchange of challenges for this URL, because a redirect leads to another URL.
    pub(super) fn leave(&mut self, from: &Url, to: &Url) {
        // A relative Location has the login of the URL before it.
        self.of_location |= to.userinfo().is_some() && to.userinfo() != from.userinfo();
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.leave();
        }
        self.leave_rounds();
    }

    /// Lets the rounds of a scheme begin anew.
    pub(super) fn leave_rounds(&mut self) {
        if let Some(rounds) = &mut self.rounds {
            rounds.leave();
        }
    }
}

/// Refuses a request with two credentials, because one of them would be ignored.
fn refuse_two_credentials(request: &Request) -> Result<()> {
    if request.headers.contains(AUTHORIZATION) {
        return Err(Error::request("the request has an Authorization header and other credentials"));
    }
    match userinfo(request) {
        Some(_) => Err(Error::request("the URL has credentials, and the request has others")),
        None => Ok(()),
    }
}

/// Returns the user name and password of the URL, if there are any.
fn userinfo(request: &Request) -> Option<&str> {
    request.url.userinfo().filter(|userinfo| !matches!(*userinfo, "" | ":"))
}

/// Returns the digest credentials, if the client uses its logins by Digest.
fn digest_of_client(auth: Option<&Auth>) -> Option<&DigestAuth> {
    match auth.map(Auth::kind) {
        Some(Kind::Digest(digest)) => Some(digest),
        _ => None,
    }
}

/// Returns the login of the URL: for `digest` if the client has that, otherwise as Basic credentials (RFC 7617). A
/// password that the URL lacks may come from the netrc file.
fn login_of_url(userinfo: &str, origin: &Origin, netrc: Option<&Netrc>, digest: Option<&DigestAuth>) -> Result<Login> {
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
            let login =
                userinfo(&request).map(|userinfo| login_of_url(userinfo, request.url.origin(), None, None).unwrap());
            let value = login.map(|login| match login {
                Login::Sent(Secret(value)) => String::from_utf8(value).unwrap(),
                Login::Digest(_) => panic!("{url}"),
            });
            assert_eq!(value.as_deref(), expected, "{url}");
        }
    }
}

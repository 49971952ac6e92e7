//! Who the caller is: which credentials go with which request of a call.
//!
//! What stands in the URL comes first, then what the request has, then what the client has. All but the URL's own is
//! for the origin that the caller named, and for no other that a redirect leads to.

use std::sync::Arc;

use super::policy::Policy;
use super::request::Request;
use crate::auth::{self, Asked, Auth, Dialogue, Kind, Netrc, value_of};
use crate::error::{Error, Result};
use crate::h1::Head;
use crate::random;
use crate::url::Origin;

const FIELD: &str = "authorization";

/// The credentials of one call.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// Those of the URL that a redirect has left: its origin's other URLs are asked with them, too.
    inherited: Option<Vec<u8>>,
    /// Whom the caller named.
    home: Option<Arc<Origin>>,
    /// What is said and heard by digest credentials at home.
    dialogue: Option<Dialogue>,
    /// The last request was for the dialogue to speak in.
    spoke: bool,
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
        if auth.is_none() && policy.netrc.is_none() && userinfo.is_none() {
            return Ok(self.inherited.clone());
        }
        let origin = request.url.shared_origin();
        let home = self.home.get_or_insert_with(|| origin.clone());
        let at_home = !crossed && home == origin;
        // A Unix socket's path is no host.
        let netrc = policy.netrc.as_ref().filter(|_| at_home && origin.port().is_some());
        if let Some(userinfo) = userinfo {
            self.inherited = Some(of_url(userinfo, origin, netrc)?.into_bytes());
        }
        if self.inherited.is_some() {
            return Ok(self.inherited.clone());
        }
        if !at_home || request.headers.contains(FIELD) {
            return Ok(None);
        }
        match (auth, netrc) {
            (Some(auth), _) => self.of(auth, request),
            (None, Some(netrc)) if !policy.fields.headers.contains(FIELD) => {
                let found = netrc.lookup(origin.host(), None);
                found.map(|basic| Ok(basic.encode()?.into_bytes())).transpose()
            }
            _ => Ok(None),
        }
    }

    fn of(&mut self, auth: &Auth, request: &Request) -> Result<Option<Vec<u8>>> {
        match auth.kind() {
            Kind::Basic(basic) => Ok(Some(basic.encode()?.into_bytes())),
            Kind::Bearer(token) => Ok(Some(auth::bearer(token)?.into_bytes())),
            Kind::Digest(digest) => {
                self.spoke = true;
                let mut target = Vec::new();
                request.url.write_target(&mut target);
                let asked = Asked { method: request.method.as_str(), target: &target, body: request.body.as_bytes() };
                let origin = request.url.shared_origin();
                self.dialogue.get_or_insert_with(|| Dialogue::new(digest, origin)).say(&asked, &random::fill)
            }
        }
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

/// The user name and password that stand in the URL, as Basic credentials (RFC 7617). The password may be in a file.
fn of_url(userinfo: &str, origin: &Origin, netrc: Option<&Netrc>) -> Result<String> {
    let decoded = |part| percent_encoding::percent_decode_str(part).collect::<Vec<u8>>();
    let (login, password) = match userinfo.split_once(':') {
        Some((login, password)) => (decoded(login), decoded(password)),
        None => (decoded(userinfo), Vec::new()),
    };
    if !userinfo.contains(':')
        && let (Some(netrc), Ok(login)) = (netrc, std::str::from_utf8(&login))
        && let Some(found) = netrc.lookup(origin.host(), Some(login))
    {
        return found.encode();
    }
    Ok(value_of(&[login, b":".to_vec(), password].concat()))
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
            let value = userinfo(&request).map(|userinfo| of_url(userinfo, request.url.origin(), None).unwrap());
            assert_eq!(value.as_deref(), expected, "{url}");
        }
    }
}

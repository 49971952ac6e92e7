//! Who the caller is: which credentials go with which request of a call.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::engine::Policy;
use super::request::Request;
use crate::error::Result;
use crate::h1::Head;

/// The credentials of one call.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// Those of the URL that a redirect has left: its origin's other URLs are asked with them, too.
    inherited: Option<Vec<u8>>,
}

impl Credentials {
    /// The value of the Authorization field, should the headers have none.
    pub(super) fn value(&mut self, request: &Request, policy: &Policy, crossed: bool) -> Result<Option<Vec<u8>>> {
        let _ = (policy, crossed);
        if let Some(own) = of_url(request) {
            return Ok(Some(own));
        }
        Ok(self.inherited.clone())
    }

    /// Takes in what the server says of them. Whether the request is worth sending again.
    pub(super) fn answer(&mut self, _: &Request, _: &Policy, _: &Head) -> bool {
        false
    }

    /// A redirect leads on from this request.
    pub(super) fn leave(&mut self, request: &Request, cross_origin: bool) {
        match of_url(request) {
            _ if cross_origin => self.inherited = None,
            None => {}
            own => self.inherited = own,
        }
    }
}

/// The user name and password that stand in the URL, as Basic credentials (RFC 7617).
fn of_url(request: &Request) -> Option<Vec<u8>> {
    let userinfo = request.url.userinfo().filter(|userinfo| !matches!(*userinfo, "" | ":"))?;
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decoded = |part| percent_encoding::percent_decode_str(part).collect::<Vec<u8>>();
    let credentials = [decoded(user), b":".to_vec(), decoded(password)].concat();
    Some(format!("Basic {}", BASE64_STANDARD.encode(credentials)).into_bytes())
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
            assert_eq!(of_url(&request).as_deref(), expected.map(str::as_bytes), "{url}");
        }
    }
}

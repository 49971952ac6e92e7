//! The credentials for a proxy, of one call or of one dial.

use http::StatusCode;

use super::Proxy;
use crate::auth::{self, Asked, Asker, Auth, Dialogue, Kind};
use crate::error::Result;
use crate::headers::Headers;
use crate::random;

/// The field that carries credentials to a proxy (RFC 9110, section 11.7.2).
pub(crate) const PROXY_AUTHORIZATION: &str = "Proxy-Authorization";

/// The challenges and answers between one call, or one dial, and one proxy.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) proxy: Proxy,
    /// The exchange of Digest challenges and answers.
    dialogue: Option<Dialogue>,
}

impl Credentials {
    pub(crate) fn new(proxy: &Proxy) -> Credentials {
        let dialogue = match proxy.credentials().map(Auth::kind) {
            Some(Kind::Digest(digest)) => Some(Dialogue::new(digest, Asker::Proxy, proxy.server())),
            _ => None,
        };
        Credentials { proxy: proxy.clone(), dialogue }
    }

    /// Returns the value of the Proxy-Authorization field of the next request. Basic credentials and tokens are sent at
    /// once; Digest waits for a challenge.
    pub(crate) fn value(&mut self, asked: &Asked<'_>) -> Result<Option<Vec<u8>>> {
        if let Some(dialogue) = &mut self.dialogue {
            return dialogue.say(asked, &random::fill);
        }
        match self.proxy.credentials().map(Auth::kind) {
            Some(Kind::Basic(basic)) => Ok(Some(basic.encode()?.into_bytes())),
            Some(Kind::Bearer(token)) => Ok(Some(auth::bearer(token)?.into_bytes())),
            Some(Kind::Digest(_)) | None => Ok(None),
        }
    }

    /// Reads a challenge of the proxy, and returns whether the request is to be sent again with an answer to it. A 401 is
    /// no challenge of a proxy.
    pub(crate) fn answer(&mut self, status: StatusCode, headers: &Headers, has_bytes: bool) -> bool {
        self.dialogue.as_mut().is_some_and(|dialogue| dialogue.hear(status, headers, has_bytes))
    }

    /// Prepares for a request to another URL, whose challenge is answered as the first one was.
    pub(crate) fn leave(&mut self) {
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.leave();
        }
    }
}

//! The credentials for a proxy, of one call or of one dial.

use super::Proxy;
use crate::auth::{self, Asked, Asker, Auth, Dialogue, Heard, Kind, Rounds};
use crate::error::Result;
use crate::random;

/// The field that carries credentials to a proxy (RFC 9110, section 11.7.2).
pub(crate) const PROXY_AUTHORIZATION: &str = "Proxy-Authorization";

/// The challenges and answers between one call, or one dial, and one proxy.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) proxy: Proxy,
    /// The exchange of Digest challenges and answers.
    dialogue: Option<Dialogue>,
    /// The rounds of a scheme on one connection.
    rounds: Option<Rounds>,
}

impl Credentials {
    pub(crate) fn new(proxy: &Proxy) -> Credentials {
        let (mut dialogue, mut rounds) = (None, None);
        match proxy.credentials().map(Auth::kind) {
            Some(Kind::Digest(digest)) => dialogue = Some(Dialogue::new(digest, Asker::Proxy, proxy.server())),
            Some(Kind::Scheme(scheme)) => rounds = Some(Rounds::new(scheme, Asker::Proxy, proxy.server())),
            Some(Kind::Basic(_) | Kind::Bearer(_)) | None => {}
        }
        Credentials { proxy: proxy.clone(), dialogue, rounds }
    }

    /// Returns the value of the Proxy-Authorization field of the next request. Basic credentials and tokens are sent at
    /// once; Digest and schemes of several rounds wait for a challenge.
    pub(crate) fn value(&mut self, asked: &Asked<'_>) -> Result<Option<Vec<u8>>> {
        if let Some(dialogue) = &mut self.dialogue {
            return dialogue.say(asked, &random::fill);
        }
        match self.proxy.credentials().map(Auth::kind) {
            Some(Kind::Basic(basic)) => Ok(Some(basic.encode()?.into_bytes())),
            Some(Kind::Bearer(token)) => Ok(Some(auth::bearer(token)?.into_bytes())),
            Some(Kind::Scheme(scheme)) => {
                scheme.check()?;
                Ok(self.rounds.as_mut().and_then(Rounds::say))
            }
            Some(Kind::Digest(_)) | None => Ok(None),
        }
    }

    /// Reads a challenge of the proxy, and returns whether the request is to be sent again with an answer to it. A 401 is
    /// no challenge of a proxy.
    pub(crate) fn answer(&mut self, heard: &Heard<'_>, has_bytes: bool) -> Result<bool> {
        if let Some(rounds) = &mut self.rounds {
            return rounds.hear(heard);
        }
        let hear = |dialogue: &mut Dialogue| dialogue.hear(heard.status, heard.headers, has_bytes);
        Ok(self.dialogue.as_mut().is_some_and(hear))
    }

    /// Returns whether the next request only opens the rounds of a scheme, and is not worth its body.
    pub(crate) fn is_opening(&self) -> bool {
        self.rounds.as_ref().is_some_and(Rounds::is_opening)
    }

    /// Prepares for a request to another URL, whose challenge is answered as the first one was.
    pub(crate) fn leave(&mut self) {
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.leave();
        }
        self.leave_rounds();
    }

    /// Lets the rounds of a scheme begin anew.
    pub(crate) fn leave_rounds(&mut self) {
        if let Some(rounds) = &mut self.rounds {
            rounds.leave();
        }
    }
}

//! Answers to challenges (RFC 7616, section 3.4).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use super::challenge::{Challenge, Qop};

/// All bytes but the `attr-char` of RFC 8187, section 3.2.1.
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The parts of a request that its digest is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    /// The target as the request line has it.
    pub(crate) target: &'a [u8],
    /// The body, if its bytes are in memory.
    pub(crate) body: Option<&'a [u8]>,
}

/// The values that are kept from one challenge to the next.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) challenge: Challenge,
    /// The nonce of the challenge, or the one that the server has sent since.
    pub(super) nonce: Box<[u8]>,
    /// The cnonce of a session's key. It is sent with all requests of the session, so that a server that makes the key
    /// again for each request finds the same key.
    pub(super) cnonce: Option<Box<str>>,
}

/// The login that answers.
#[derive(Clone, Copy)]
pub(super) struct Login<'a> {
    pub(super) login: &'a str,
    pub(super) password: &'a str,
}

impl Session {
    /// Returns the value of the Authorization field for the `count`th request with this nonce. Returns `None` if the
    /// request lacks what the server asks for, or if no hashes are compiled in.
    pub(super) fn answer(&self, who: Login<'_>, asked: &Asked<'_>, count: u32, cnonce: &str) -> Option<Vec<u8>> {
        let Challenge { realm, hash, .. } = &self.challenge;
        let qop = self.challenge.qops.choose(asked.body.is_some())?;
        let key = self.key(who, cnonce)?;
        let count = format!("{count:08x}");
        let name = match qop {
            Qop::None => None,
            Qop::Auth => Some("auth"),
            Qop::AuthInt => Some("auth-int"),
        };
        let what = match qop {
            Qop::AuthInt => {
                let body = hash.of(&[asked.body?])?;
                hash.of(&[asked.method.as_bytes(), asked.target, body.as_bytes()])?
            }
            _ => hash.of(&[asked.method.as_bytes(), asked.target])?,
        };
        let response = match name {
            None => hash.of(&[key.as_bytes(), &self.nonce, what.as_bytes()])?,
            Some(name) => {
                let [count, cnonce, name] = [&*count, cnonce, name].map(str::as_bytes);
                hash.of(&[key.as_bytes(), &self.nonce, count, cnonce, name, what.as_bytes()])?
            }
        };
        let mut out = Fields(b"Digest ".to_vec());
        self.name(&mut out, who)?;
        out.quoted("realm", realm);
        out.quoted("nonce", &self.nonce);
        out.quoted("uri", asked.target);
        if let Some(algorithm) = &self.challenge.algorithm {
            out.plain("algorithm", algorithm);
        }
        if let Some(name) = name {
            out.plain("qop", name.as_bytes());
            out.plain("nc", count.as_bytes());
        }
        // Without the cnonce no server could make the key of a session.
        if name.is_some() || self.challenge.session {
            out.quoted("cnonce", cnonce.as_bytes());
        }
        out.quoted("response", response.as_bytes());
        if let Some(opaque) = &self.challenge.opaque {
            out.quoted("opaque", opaque);
        }
        if self.challenge.userhash {
            out.plain("userhash", b"true");
        }
        Some(out.0)
    }

    /// Returns H(A1) of section 3.4.2.
    fn key(&self, Login { login, password }: Login<'_>, cnonce: &str) -> Option<String> {
        let Challenge { realm, hash, session, nonce, .. } = &self.challenge;
        let secret = hash.of(&[login.as_bytes(), realm, password.as_bytes()])?;
        match session {
            true => hash.of(&[secret.as_bytes(), nonce, cnonce.as_bytes()]),
            false => Some(secret),
        }
    }

    fn name(&self, out: &mut Fields, Login { login, .. }: Login<'_>) -> Option<()> {
        let Challenge { realm, hash, userhash, utf8, .. } = &self.challenge;
        if *userhash {
            out.quoted("username", hash.of(&[login.as_bytes(), realm])?.as_bytes());
        } else if login.is_ascii() || !utf8 {
            // A server that sends no charset does not know the extended notation either.
            out.quoted("username", login.as_bytes());
        } else {
            let name = format!("UTF-8''{}", percent_encoding::utf8_percent_encode(login, EXTENDED));
            out.plain("username*", name.as_bytes());
        }
        Some(())
    }
}

/// Parameters, separated by commas.
struct Fields(Vec<u8>);

impl Fields {
    fn name(&mut self, name: &str) {
        if self.0.last() != Some(&b' ') {
            self.0.extend_from_slice(b", ");
        }
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
    }

    fn plain(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.0.extend_from_slice(value);
    }

    fn quoted(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.0.push(b'"');
        for &byte in value {
            if matches!(byte, b'"' | b'\\') {
                self.0.push(b'\\');
            }
            self.0.push(byte);
        }
        self.0.push(b'"');
    }
}

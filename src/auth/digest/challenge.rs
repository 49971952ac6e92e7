//! Challenges of Digest servers (RFC 7616, section 3.3).

use std::borrow::Cow;

use super::hash::Hash;
use crate::auth::challenge::{Item, Items};
use crate::headers::is_value_byte;

/// A longer challenge is not answered, because it is kept and most of it is sent back with each request.
const MAX_LEN: usize = 4096;

/// A challenge that can be answered, if the request has what `qop` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) realm: Box<[u8]>,
    pub(super) nonce: Box<[u8]>,
    pub(super) opaque: Option<Box<[u8]>>,
    pub(super) domain: Box<[u8]>,
    pub(super) hash: Hash,
    /// Whether the key is made once a challenge, from its nonce and the first cnonce (section 3.4.2).
    pub(super) session: bool,
    /// The algorithm as the server spells it; RFC 2069 has none.
    pub(super) algorithm: Option<Box<[u8]>>,
    pub(super) qops: Qops,
    pub(super) stale: bool,
    pub(super) userhash: bool,
    pub(super) utf8: bool,
}

/// The known kinds of protection that the server offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Qops {
    /// The server names none, as in RFC 2069.
    none: bool,
    auth: bool,
    auth_int: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Qop {
    None,
    Auth,
    AuthInt,
}

impl Qops {
    fn parse(value: Option<&[u8]>) -> Qops {
        let words = value.unwrap_or_default().split(|byte| b", \t".contains(byte)).filter(|word| !word.is_empty());
        let mut qops = Qops { none: true, ..Qops::default() };
        for word in words {
            qops.none = false;
            qops.auth |= word.eq_ignore_ascii_case(b"auth");
            qops.auth_int |= word.eq_ignore_ascii_case(b"auth-int");
        }
        qops
    }

    /// Chooses a protection. The body is hashed only if the server takes nothing less and its bytes are known.
    pub(super) fn choose(self, has_bytes: bool) -> Option<Qop> {
        match self {
            Qops { none: true, .. } => Some(Qop::None),
            Qops { auth: true, .. } => Some(Qop::Auth),
            Qops { auth_int: true, .. } if has_bytes => Some(Qop::AuthInt),
            _ => None,
        }
    }
}

const NAMES: [&str; 9] = ["realm", "nonce", "opaque", "domain", "algorithm", "qop", "stale", "userhash", "charset"];

/// The parameters of a challenge that is read now.
#[derive(Default)]
struct Draft<'a> {
    values: [Option<Cow<'a, [u8]>>; NAMES.len()],
    broken: bool,
}

impl<'a> Draft<'a> {
    fn set(&mut self, name: &[u8], value: Cow<'a, [u8]>) {
        let Some(n) = NAMES.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes())) else { return };
        // Each parameter may occur once (RFC 9110, section 11.2). Servers that combine fields repeat some, so only a
        // different value makes the challenge ambiguous.
        let slot = &mut self.values[n];
        self.broken |= slot.as_ref().is_some_and(|known| *known != value);
        *slot = Some(value);
    }

    fn finish(self) -> Option<Challenge> {
        let len: usize = self.values.iter().flatten().map(|value| value.len()).sum();
        let is_text = self.values.iter().flatten().flat_map(|value| value.iter()).all(|&byte| is_value_byte(byte));
        if self.broken || len > MAX_LEN || !is_text {
            return None;
        }
        let [realm, nonce, opaque, domain, algorithm, qop, stale, userhash, charset] = self.values;
        let owned = |value: Cow<'_, [u8]>| Box::from(value.into_owned());
        let is = |value: Option<Cow<'_, [u8]>>, word: &str| {
            value.is_some_and(|value| value.eq_ignore_ascii_case(word.as_bytes()))
        };
        let (hash, session) = algorithm.as_deref().map_or(Some((Hash::Md5, false)), hash_of)?;
        Some(Challenge {
            realm: owned(realm?),
            nonce: owned(nonce?),
            opaque: opaque.map(owned),
            domain: domain.map(owned).unwrap_or_default(),
            hash,
            session,
            algorithm: algorithm.map(owned),
            qops: Qops::parse(qop.as_deref()),
            stale: is(stale, "true"),
            userhash: is(userhash, "true"),
            utf8: is(charset, "utf-8"),
        })
    }
}

fn hash_of(algorithm: &[u8]) -> Option<(Hash, bool)> {
    let name = algorithm.to_ascii_lowercase();
    let (name, session) = name.strip_suffix(b"-sess").map_or((&name[..], false), |name| (name, true));
    let hash = match name {
        b"md5" => Hash::Md5,
        b"sha-256" => Hash::Sha256,
        b"sha-512-256" => Hash::Sha512Trunc,
        _ => return None,
    };
    Some((hash, session))
}

/// Returns the strongest challenge of a response that can be answered, and the first of several.
pub(super) fn strongest<'a>(fields: impl Iterator<Item = &'a [u8]>, has_bytes: bool) -> Option<Challenge> {
    let mut best: Option<Challenge> = None;
    let mut consider = |draft: Option<Draft<'_>>| {
        let Some(challenge) = draft.and_then(Draft::finish) else { return };
        let better = best.as_ref().is_none_or(|best| challenge.hash > best.hash);
        if better && challenge.qops.choose(has_bytes).is_some() {
            best = Some(challenge);
        }
    };
    for field in fields {
        let mut draft: Option<Draft<'_>> = None;
        for item in Items::new(field) {
            match (item, &mut draft) {
                (Item::Scheme(name), draft) => {
                    consider(draft.take());
                    *draft = name.eq_ignore_ascii_case(b"digest").then(Draft::default);
                }
                (Item::Param(name, value), Some(draft)) => draft.set(name, value),
                (Item::Broken | Item::Token68(_), Some(draft)) => draft.broken = true,
                (_, None) => {}
            }
        }
        consider(draft);
    }
    best
}

/// Returns the next nonce that the server asks for (RFC 7616, section 3.5).
pub(super) fn next_nonce<'a>(mut fields: impl Iterator<Item = &'a [u8]>) -> Option<Box<[u8]>> {
    let value = fields.by_ref().flat_map(Items::new).find_map(|item| match item {
        Item::Param(name, value) if name.eq_ignore_ascii_case(b"nextnonce") => Some(value),
        _ => None,
    })?;
    let fits = !value.is_empty() && value.len() <= MAX_LEN && value.iter().all(|&byte| is_value_byte(byte));
    fits.then(|| Box::from(value.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the hash, whether it is a session, and the nonce.
    fn chosen(fields: &[&str], has_bytes: bool) -> Option<(Hash, bool, String)> {
        let challenge = strongest(fields.iter().map(|field| field.as_bytes()), has_bytes)?;
        Some((challenge.hash, challenge.session, String::from_utf8(challenge.nonce.into()).unwrap()))
    }

    #[test]
    fn which_is_answered() {
        let (md5, sha256, sha512) = (Hash::Md5, Hash::Sha256, Hash::Sha512Trunc);
        /// Row, fields, and hash, session and realm of the chosen challenge.
        type Row = (&'static str, &'static [&'static str], Option<(Hash, bool, &'static str)>);
        let table: &[Row] = &[
            ("RFC 2069", &["Digest realm=\"r\", nonce=\"n\""], Some((md5, false, "n"))),
            ("MD5-sess", &["digest REALM=r, nonce=n, algorithm=md5-SESS"], Some((md5, true, "n"))),
            ("SHA-256", &["Digest realm=r, nonce=n, algorithm=\"SHA-256\""], Some((sha256, false, "n"))),
            ("SHA-256-sess", &["Digest realm=r, nonce=n, algorithm=SHA-256-sess"], Some((sha256, true, "n"))),
            ("SHA-512-256", &["Digest realm=r, nonce=n, algorithm=sha-512-256"], Some((sha512, false, "n"))),
            ("SHA-512-256-sess", &["Digest realm=r, nonce=n, algorithm=SHA-512-256-sess"], Some((sha512, true, "n"))),
            ("unknown", &["Digest realm=r, nonce=n, algorithm=SHA3-256"], None),
            (
                "strongest first, in one field",
                &["Digest realm=r, nonce=1, Basic realm=x, Digest realm=r, nonce=2, algorithm=SHA-256, \
                      Digest realm=r, nonce=3, algorithm=MD5"],
                Some((sha256, false, "2")),
            ),
            (
                "strongest first, in several",
                &["Digest realm=r, nonce=1", "Digest realm=r, nonce=2, algorithm=SHA-512-256", "Negotiate abc="],
                Some((sha512, false, "2")),
            ),
            ("the first of equals", &["Digest realm=r, nonce=1", "Digest realm=r, nonce=2"], Some((md5, false, "1"))),
            (
                "unknown are passed over",
                &[
                    "Digest realm=r, nonce=1, algorithm=X",
                    "Digest realm=r, nonce=2, qop=\"auth-conf\"",
                    "Digest realm=r, nonce=3",
                ],
                Some((md5, false, "3")),
            ),
            ("no realm", &["Digest nonce=n"], None),
            ("no nonce", &["Digest realm=r"], None),
            ("nonce of the next field", &["Digest realm=r", "nonce=n"], None),
            ("twice", &["Digest realm=r, realm=s, nonce=n"], None),
            (
                "RW-26 twice the same",
                &["Digest realm=\"r\", nonce=n, realm=r, algorithm=MD5, algorithm=MD5"],
                Some((md5, false, "n")),
            ),
            ("broken", &["Digest realm=r, nonce=n, ("], None),
            ("no list", &["Digest abc"], None),
            ("another scheme", &["Basic realm=r, nonce=n"], None),
            ("empty qop", &["Digest realm=r, nonce=n, qop=\"\""], Some((md5, false, "n"))),
            ("nothing", &[], None),
        ];
        for (row, fields, expected) in table {
            let expected = expected.map(|(hash, session, nonce)| (hash, session, nonce.to_owned()));
            assert_eq!(chosen(fields, true), expected, "{row}");
        }
        let long = format!("Digest realm=r, nonce={}", "n".repeat(MAX_LEN));
        assert_eq!(chosen(&[&long], true), None);
        assert_eq!(chosen(&["Digest realm=r, nonce=\"\r\n\""], true), None);
        assert_eq!(chosen(&[&",".repeat(1 << 16), &"\u{a0}".repeat(1 << 16)], true), None, "A11.7");
    }

    #[test]
    fn what_is_protected() {
        let table = [
            ("auth", Some(Qop::Auth), Some(Qop::Auth)),
            ("auth-int", Some(Qop::AuthInt), None),
            ("auth-int,auth", Some(Qop::Auth), Some(Qop::Auth)),
            ("AUTH-INT auth-conf", Some(Qop::AuthInt), None),
            ("auth-conf", None, None),
            ("", Some(Qop::None), Some(Qop::None)),
            (" , ", Some(Qop::None), Some(Qop::None)),
        ];
        for (value, with_bytes, without) in table {
            let qops = Qops::parse(Some(value.as_bytes()));
            assert_eq!((qops.choose(true), qops.choose(false)), (with_bytes, without), "{value:?}");
        }
        assert_eq!(Qops::parse(None).choose(false), Some(Qop::None));
        // A stronger challenge that needs the body loses to one that does not.
        let fields =
            ["Digest realm=r, nonce=1, qop=\"auth-int\", algorithm=SHA-256", "Digest realm=r, nonce=2, qop=\"auth\""];
        assert_eq!(chosen(&fields, true).unwrap().2, "1");
        assert_eq!(chosen(&fields, false).unwrap().2, "2");
    }

    #[test]
    fn flags() {
        let parsed =
            |text: &str| strongest([format!("Digest realm=r, nonce=n, {text}").as_bytes()].into_iter(), true).unwrap();
        for (text, expected) in [
            ("stale=TRUE, userhash=true, charset=utf-8", (true, true, true)),
            ("stale=\"true\", userhash=\"true\", charset=\"UTF-8\"", (true, true, true)),
            ("stale=false, userhash=no, charset=latin1", (false, false, false)),
            ("x=1", (false, false, false)),
        ] {
            let challenge = parsed(text);
            assert_eq!((challenge.stale, challenge.userhash, challenge.utf8), expected, "{text}");
        }
    }

    #[test]
    fn next_nonces() {
        let long = format!("nextnonce={}", "n".repeat(MAX_LEN + 1));
        let table: [(&[&str], Option<&str>); 6] = [
            (&["nextnonce=\"a\\\"b\", qop=auth"], Some("a\"b")),
            (&["rspauth=\"x\"", "NextNonce=y"], Some("y")),
            (&["nextnonce=\"\""], None),
            (&["rspauth=\"nextnonce=x\""], None),
            (&[&long], None),
            (&[], None),
        ];
        for (fields, expected) in table {
            let found = next_nonce(fields.iter().map(|field| field.as_bytes()));
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{fields:?}");
        }
    }
}

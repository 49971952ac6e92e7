//! Digest credentials (RFC 7616, and RFC 2617 and RFC 2069 for older servers).

mod answer;
mod challenge;
mod hash;
#[cfg(all(test, feature = "digest-auth"))]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::panic::RefUnwindSafe;
use std::sync::Arc;

use http::StatusCode;

use super::basic::{self, AuthEncoding, BasicAuth};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::headers::Headers;
use crate::sync::Mutex;
use crate::urls::{Origin, Scheme, Url};

pub(crate) use answer::Asked;
use answer::{Login, Session};
use challenge::Challenge;

/// A login and a password that are never sent: the server gets hashes of them (RFC 7616).
///
/// The first request carries no credentials, and the server's challenge is answered once. Later requests to the same
/// scheme, host and port carry an answer at once, as far as the server's `domain` reaches. Clones share what they know
/// about servers, which is kept for each origin by itself. A redirect to another origin is never answered.
///
/// MD5, SHA-256 and SHA-512-256 are supported, with `-sess` or without, and the strongest offer is taken. The
/// protection `auth` is supported, and `auth-int` if the server insists and the body is made of bytes. A challenge that
/// needs something else, or that comes again after the answer, is the response. So is the challenge to a request whose
/// body cannot be sent again.
///
/// Without the feature `digest-auth` each request with these credentials fails with
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
///
/// ```
/// use hostpool::{DigestAuth, Session};
///
/// let auth = DigestAuth::new("Mufasa", "Circle of Life");
/// # #[cfg(feature = "digest-auth")]
/// let session = Session::builder().auth(auth).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "DigestAuthMiddleware")]
#[doc(alias = "HTTPDigestAuth")]
#[derive(Clone)]
#[must_use]
pub struct DigestAuth(Arc<Inner>);

struct Inner {
    /// `None` means the login of the URL or of netrc.
    login: Option<Box<str>>,
    password: Box<str>,
    places: Mutex<HashMap<Arc<Origin>, Place>>,
    /// Credentials for logins of URLs and of netrc, the most recently used first.
    others: Mutex<VecDeque<DigestAuth>>,
    basic: Fallback,
}

// A panic leaves it whole: none of the caller's code runs while a lock is held.
impl RefUnwindSafe for Inner {}

/// Says where a challenge for Basic credentials is answered. A challenge for Digest that can be answered comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fallback {
    #[default]
    Never,
    /// Not over plain `http`.
    InPrivate,
    Everywhere,
}

impl Fallback {
    fn allows(self, origin: &Origin) -> bool {
        match self {
            Fallback::Never => false,
            // The bytes of a Unix socket do not leave this machine.
            Fallback::InPrivate => origin.kind() != Scheme::Http,
            Fallback::Everywhere => true,
        }
    }
}

/// The facts that are known about one origin.
#[derive(Default)]
struct Place {
    /// The session that the server accepted last.
    session: Option<Arc<Session>>,
    /// The nonces that were used last, and how often. A nonce that comes back is counted on.
    nonces: VecDeque<(Box<[u8]>, u32)>,
    /// The encoding of the Basic credentials that the server accepted last. `None` if there is a session.
    basic: Option<AuthEncoding>,
}

/// Fills a slice with unpredictable bytes.
pub(crate) type Random<'a> = &'a dyn Fn(&mut [u8]) -> io::Result<()>;

impl DigestAuth {
    /// Most origins that are remembered, which is more than a program logs in to. A full table is cleared.
    const PLACES: usize = 128;

    /// Most nonces that are remembered for an origin, for threads that each got a nonce of their own.
    const NONCES: usize = 64;

    /// Most logins of URLs and of netrc that are remembered. For a forgotten login the server asks again.
    const OTHERS: usize = 16;

    /// Takes a login and its password, both hashed in UTF-8.
    pub fn new(login: &str, password: &str) -> DigestAuth {
        DigestAuth::with(Some(login), password, Fallback::Never)
    }

    /// Returns credentials without a login: those of the URL or of [netrc](crate::SessionBuilder::netrc) answer the
    /// server's challenge, and are never sent as Basic credentials. Without a login the challenge is the response.
    ///
    /// ```
    /// use hostpool::{DigestAuth, Netrc, Session};
    ///
    /// let netrc = Netrc::parse("machine api.example login Mufasa password \"Circle of Life\"")?;
    /// # #[cfg(feature = "digest-auth")]
    /// let session = Session::builder().auth(DigestAuth::without_login()).netrc(netrc).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn without_login() -> DigestAuth {
        DigestAuth::with(None, "", Fallback::Never)
    }

    pub(super) fn with(login: Option<&str>, password: &str, basic: Fallback) -> DigestAuth {
        let (places, others) = (Mutex::default(), Mutex::default());
        DigestAuth(Arc::new(Inner { login: login.map(Into::into), password: password.into(), places, others, basic }))
    }

    /// Returns the login; empty for credentials [without](Self::without_login).
    #[doc(alias = "username")]
    pub fn login(&self) -> &str {
        self.0.login.as_deref().unwrap_or_default()
    }

    pub(crate) fn has_login(&self) -> bool {
        self.0.login.is_some()
    }

    fn is_same(&self, login: &str, password: &str) -> bool {
        self.0.login.as_deref() == Some(login) && *self.0.password == *password
    }

    /// Returns whether both have the same login and password, and answer the same challenges.
    pub(crate) fn is_equal(&self, other: &DigestAuth) -> bool {
        let [ours, theirs] = [&self.0, &other.0];
        ours.login == theirs.login && ours.password == theirs.password && ours.basic == theirs.basic
    }

    /// Returns these credentials with another login. What is known about servers is kept for each login by itself, so
    /// that later calls need no challenge.
    pub(crate) fn of(&self, login: &str, password: &str) -> DigestAuth {
        if self.is_same(login, password) {
            return self.clone();
        }
        let mut others = self.0.others.lock();
        let known = others.iter().position(|known| known.is_same(login, password));
        let found = known.and_then(|place| others.remove(place));
        let other = found.unwrap_or_else(|| DigestAuth::with(Some(login), password, self.0.basic));
        others.push_front(other.clone());
        others.truncate(Self::OTHERS);
        other
    }

    /// Returns the value of the Authorization field with Basic credentials, if Basic can carry the login and the password.
    fn basic_value(&self, encoding: AuthEncoding) -> Option<Vec<u8>> {
        let basic = BasicAuth::new(self.login(), &self.0.password).encoding(encoding);
        basic.encode().ok().map(String::into_bytes)
    }

    /// Returns the encoding for Basic credentials: the one that the server offers, or UTF-8 if that has a character
    /// which the other has not. `None` if Basic cannot carry the login and the password.
    fn basic_encoding(&self, offered: AuthEncoding) -> Option<AuthEncoding> {
        [offered, AuthEncoding::Utf8].into_iter().find(|&encoding| self.basic_value(encoding).is_some())
    }

    /// Refuses credentials that can never be sent.
    pub(crate) fn check(&self) -> Result<()> {
        if !hash::COMPILED_IN {
            return Err(Error::unsupported("Digest needs the feature digest-auth", Phase::Prepare));
        }
        match self.login().contains(char::is_control) {
            true => Err(Error::request("a login has a control character")),
            false => Ok(()),
        }
    }

    /// Returns the session that the next request to this target can use without a challenge.
    fn session(&self, origin: &Arc<Origin>, asker: Asker, target: &[u8]) -> Option<Arc<Session>> {
        let places = self.0.places.lock();
        let session = places.get(origin)?.session.clone()?;
        drop(places);
        // The space of a proxy is all that it serves (RFC 7616, section 3.3).
        (asker == Asker::Proxy || covers(&session.challenge.domain, origin, target)).then_some(session)
    }

    /// Counts one more use of this nonce, and returns the count. Returns `None` if the nonce cannot be used again.
    fn count(&self, origin: &Arc<Origin>, nonce: &[u8]) -> Option<u32> {
        let mut places = self.0.places.lock();
        let nonces = &mut place(&mut places, origin).nonces;
        if let Some((_, count)) = nonces.iter_mut().find(|(known, _)| **known == *nonce) {
            *count = count.checked_add(1)?;
            return Some(*count);
        }
        if nonces.len() >= Self::NONCES {
            nonces.pop_front();
        }
        nonces.push_back((nonce.into(), 1));
        Some(1)
    }

    fn keep(&self, origin: &Arc<Origin>, session: Arc<Session>) {
        // The origin is missing if the table was full and was cleared. Then the server asks once more.
        if let Some(place) = self.0.places.lock().get_mut(origin) {
            (place.session, place.basic) = (Some(session), None);
        }
    }

    /// Returns the encoding of the Basic credentials that the next request to this origin sends without a challenge.
    fn basic(&self, origin: &Arc<Origin>) -> Option<AuthEncoding> {
        match self.0.basic {
            Fallback::Never => None,
            _ => self.0.places.lock().get(origin)?.basic,
        }
    }

    /// Notes that the server accepted Basic credentials in this encoding, or that it refused them.
    fn note_basic(&self, origin: &Arc<Origin>, accepted: Option<AuthEncoding>) {
        place(&mut self.0.places.lock(), origin).basic = accepted;
    }

    /// Forgets a nonce that the server refused.
    fn forget(&self, origin: &Arc<Origin>, nonce: &[u8]) {
        if let Some(place) = self.0.places.lock().get_mut(origin)
            && place.session.as_ref().is_some_and(|session| *session.nonce == *nonce)
        {
            place.session = None;
        }
    }
}

/// Returns what is known about an origin, to change it.
fn place<'a>(places: &'a mut HashMap<Arc<Origin>, Place>, origin: &Arc<Origin>) -> &'a mut Place {
    if places.len() >= DigestAuth::PLACES && !places.contains_key(origin) {
        places.clear();
    }
    places.entry(origin.clone()).or_default()
}

/// Returns whether a target is in the protection space that a `domain` lists (RFC 7616, section 3.3). No list means the
/// whole origin. Entries for other origins are ignored, because a server cannot speak for others.
fn covers(domain: &[u8], origin: &Origin, target: &[u8]) -> bool {
    let under = |space: &[u8]| {
        let rest = target.strip_prefix(space);
        rest.is_some_and(|rest| space.ends_with(b"/") || matches!(rest, [] | [b'/' | b'?', ..]))
    };
    let mut spaces = domain.split(u8::is_ascii_whitespace).filter(|space| !space.is_empty()).peekable();
    let is_here = |space: &[u8]| {
        let url = std::str::from_utf8(space).ok().and_then(|space| Url::parse(space).ok());
        url.is_some_and(|url| url.origin() == origin && under(url.target().as_bytes()))
    };
    spaces.peek().is_none()
        || spaces.any(|space| match space.starts_with(b"/") && !space.starts_with(b"//") {
            true => under(space),
            false => is_here(space),
        })
}

/// A challenge that can be answered.
#[derive(Debug)]
enum Answerable {
    Digest(Challenge),
    Basic(AuthEncoding),
}

/// The server or proxy that asks for the credentials, with its status and fields (RFC 9110, section 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Server,
    Proxy,
}

impl Asker {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Asker::Server => StatusCode::UNAUTHORIZED,
            Asker::Proxy => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        }
    }

    /// Returns the name of the field with the challenges.
    pub(crate) fn challenges(self) -> &'static str {
        match self {
            Asker::Server => "www-authenticate",
            Asker::Proxy => "proxy-authenticate",
        }
    }

    /// Returns the name of the field with the next nonce.
    fn info(self) -> &'static str {
        match self {
            Asker::Server => "authentication-info",
            Asker::Proxy => "proxy-authentication-info",
        }
    }
}

/// The challenges and answers of one call with these credentials. It belongs to one origin.
#[derive(Debug)]
pub(crate) struct Dialogue {
    auth: DigestAuth,
    asker: Asker,
    origin: Arc<Origin>,
    /// The challenge that the next request answers.
    asked: Option<Answerable>,
    /// The session of the last request, and whether that request answered a challenge.
    said: Option<(Arc<Session>, bool)>,
    /// The encoding of the Basic credentials of the last request.
    said_basic: Option<AuthEncoding>,
    /// How many challenges were answered for this URL.
    answers: u32,
}

impl Dialogue {
    /// Begins a dialogue with a server or a proxy at this origin.
    pub(crate) fn new(auth: &DigestAuth, asker: Asker, origin: &Arc<Origin>) -> Dialogue {
        let (auth, origin) = (auth.clone(), origin.clone());
        Dialogue { auth, asker, origin, asked: None, said: None, said_basic: None, answers: 0 }
    }

    /// Returns whether it belongs to this login at this origin. Logins are compared by value: other logins may have
    /// pushed this one out of the table, and the answers of a call are counted all the same.
    pub(crate) fn is_of(&self, auth: &DigestAuth, origin: &Arc<Origin>) -> bool {
        self.auth.is_equal(auth) && self.origin == *origin
    }

    /// Returns the value of the Authorization field of the next request, if it has one.
    pub(crate) fn say(&mut self, asked: &Asked<'_>, random: Random<'_>) -> Result<Option<Vec<u8>>> {
        self.auth.check()?;
        (self.said, self.said_basic) = (None, None);
        let answers = self.asked.is_some();
        let session = match self.asked.take() {
            Some(Answerable::Digest(challenge)) => Some(Arc::new(begin(challenge, random)?)),
            Some(Answerable::Basic(encoding)) => return Ok(self.say_basic(encoding)),
            None => match self.auth.basic(&self.origin) {
                Some(encoding) => return Ok(self.say_basic(encoding)),
                None => self.auth.session(&self.origin, self.asker, asked.target),
            },
        };
        let has_bytes = asked.body.is_some();
        let Some(session) = session.filter(|session| session.challenge.qops.choose(has_bytes).is_some()) else {
            return Ok(None);
        };
        let Some(count) = self.auth.count(&self.origin, &session.nonce) else { return Ok(None) };
        let drawn;
        let cnonce = match &session.cnonce {
            Some(cnonce) => cnonce,
            None => {
                drawn = cnonce(random)?;
                &drawn
            }
        };
        let who = Login { login: self.auth.login(), password: &self.auth.0.password };
        let value = session.answer(who, asked, count, cnonce);
        self.said = value.is_some().then_some((session, answers));
        Ok(value)
    }

    /// Returns the value of the Authorization field with Basic credentials.
    fn say_basic(&mut self, encoding: AuthEncoding) -> Option<Vec<u8>> {
        let value = self.auth.basic_value(encoding)?;
        self.said_basic = Some(encoding);
        Some(value)
    }

    /// Takes the server's response to the last request. Returns whether to send the request again with an answer.
    ///
    /// Each URL gets one answer, and one more if the server only wants a fresh nonce.
    pub(crate) fn hear(&mut self, status: StatusCode, headers: &Headers, has_bytes: bool) -> bool {
        let (said, said_basic) = (self.said.take(), self.said_basic.take());
        if said_basic.is_some() {
            self.auth.note_basic(&self.origin, said_basic.filter(|_| status != self.asker.status()));
        }
        if status != self.asker.status() {
            if let Some((session, answered)) = said {
                self.accepted(session, answered, headers);
            }
            return false;
        }
        if let Some((session, _)) = said {
            self.auth.forget(&self.origin, &session.nonce);
        }
        let Some(challenge) = challenge::strongest(headers.values(self.asker.challenges()), has_bytes) else {
            return said_basic.is_none() && self.hear_basic(headers);
        };
        if self.answers > u32::from(challenge.stale) {
            return false;
        }
        self.answers += 1;
        self.asked = Some(Answerable::Digest(challenge));
        true
    }

    /// Takes a refusal without a challenge for Digest. Returns whether to send the request again with Basic credentials.
    fn hear_basic(&mut self, headers: &Headers) -> bool {
        if self.answers > 0 || !self.auth.0.basic.allows(&self.origin) {
            return false;
        }
        let offered = basic::offered(headers.values(self.asker.challenges()));
        let encoding = offered.and_then(|offered| self.auth.basic_encoding(offered));
        self.answers += u32::from(encoding.is_some());
        self.asked = encoding.map(Answerable::Basic);
        self.asked.is_some()
    }

    fn accepted(&self, session: Arc<Session>, answered: bool, headers: &Headers) {
        match challenge::next_nonce(headers.values(self.asker.info())) {
            Some(nonce) => self.auth.keep(&self.origin, Arc::new(Session { nonce, ..Session::clone(&session) })),
            None if answered => self.auth.keep(&self.origin, session),
            None => {}
        }
    }

    /// Prepares for a request to another URL.
    pub(crate) fn leave(&mut self) {
        self.answers = 0;
        self.asked = None;
    }
}

fn begin(challenge: Challenge, random: Random<'_>) -> Result<Session> {
    let cnonce = if challenge.session { Some(cnonce(random)?) } else { None };
    Ok(Session { nonce: challenge.nonce.clone(), challenge, cnonce })
}

/// Draws a cnonce of 128 bits.
fn cnonce(random: Random<'_>) -> Result<Box<str>> {
    let mut bytes = [0; 16];
    random(&mut bytes).map_err(|error| Error::new(ErrorKind::Io, Phase::Prepare).with_source(error))?;
    Ok(hex(&bytes).into())
}

fn hex(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default());
    bytes.iter().flat_map(digits).collect()
}

impl fmt::Debug for DigestAuth {
    /// Hides the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestAuth").field("login", &self.login()).finish_non_exhaustive()
    }
}

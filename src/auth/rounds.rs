//! Schemes that authenticate a connection, in several rounds: NTLM and Negotiate (RFC 4559).

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use http::StatusCode;

use super::challenge::{Item, Items};
use super::digest::Asker;
use crate::error::{Error, Result};
use crate::headers::{Headers, is_token_byte};
use crate::urls::Origin;

/// A scheme of several rounds, such as NTLM and Negotiate, by code of your own: over SSPI, GSS-API, or a crate for NTLM.
/// [`Auth::scheme`](super::Auth::scheme) makes credentials of it, for servers and for proxies.
///
/// The first request carries nothing. Each 401 of the server (407 of a proxy) that offers the scheme leads to one more
/// round, over the same connection: the client keeps it between the rounds, and no other request gets it meanwhile. At
/// most eight rounds are begun for one URL. A server that then still refuses has the last word: its 401 is the response.
///
/// Such a scheme may authenticate the connection and not the request. So connections of requests with these credentials
/// are used only for requests with the same credentials: those of clones of one [`Auth`](super::Auth).
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// use hostpool::{Auth, AuthPeer, AuthRounds, AuthScheme, Result, Session};
///
/// /// Asks the system for each message.
/// struct Negotiate;
///
/// struct Context;
///
/// impl AuthScheme for Negotiate {
///     fn name(&self) -> &str {
///         "Negotiate"
///     }
///     fn begin(&self, peer: &AuthPeer<'_>) -> Result<Box<dyn AuthRounds>> {
///         let _service = format!("HTTP/{}", peer.origin().host());
///         Ok(Box::new(Context))
///     }
/// }
///
/// impl AuthRounds for Context {
///     fn answer(&mut self, _challenge: &str) -> Result<Option<String>> {
///         Ok(Some("YII=".to_owned()))
///     }
/// }
///
/// let session = Session::builder().auth(Auth::scheme(Negotiate)).build()?;
/// assert_eq!(session.get(&url).send()?.text()?, "hello");
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "AuthBase")]
#[doc(alias = "NTLM")]
#[doc(alias = "HttpNtlmAuth")]
#[doc(alias = "Negotiate")]
#[doc(alias = "SPNEGO")]
#[doc(alias = "Kerberos")]
#[doc(alias = "HTTPKerberosAuth")]
pub trait AuthScheme: Send + Sync {
    /// Returns the name by which servers offer the scheme, such as `NTLM`. Case does not matter.
    fn name(&self) -> &str;

    /// Begins the rounds on one connection.
    ///
    /// # Errors
    ///
    /// An error ends the call, and is its error.
    fn begin(&self, peer: &AuthPeer<'_>) -> Result<Box<dyn AuthRounds>>;
}

/// The rounds of an [`AuthScheme`] on one connection.
pub trait AuthRounds: Send {
    /// Takes the server's challenge, and returns the answer to it. Both are what follows the name of the scheme, without
    /// it; the first challenge is often empty. `None` gives up, so that the refusal is the response.
    ///
    /// # Errors
    ///
    /// An error ends the call, and is its error.
    fn answer(&mut self, challenge: &str) -> Result<Option<String>>;

    /// Returns whether the last answer only asks for another challenge, as the first message of NTLM does. Then the
    /// request is sent without its body, which the server would refuse. Default: no.
    fn is_opening(&self) -> bool {
        false
    }

    /// Takes the response that ends the rounds, because it is no challenge. `last` is what it says about the scheme: with
    /// it some servers prove who they are. By default it is ignored.
    ///
    /// # Errors
    ///
    /// An error ends the call, and is its error.
    fn finish(&mut self, last: Option<&str>) -> Result<()> {
        let _ = last;
        Ok(())
    }
}

/// The peer that an [`AuthScheme`] speaks with.
#[derive(Clone, Copy, Debug)]
pub struct AuthPeer<'a> {
    origin: &'a Origin,
    asker: Asker,
    certificate: Option<&'a [u8]>,
}

impl<'a> AuthPeer<'a> {
    /// Returns the server, or the proxy.
    pub fn origin(&self) -> &'a Origin {
        self.origin
    }

    /// Returns whether a proxy asks for the credentials.
    pub fn is_proxy(&self) -> bool {
        self.asker == Asker::Proxy
    }

    /// Returns the certificate of the peer in DER, if the connection with it is encrypted. Servers with extended
    /// protection want a hash of it (`tls-server-end-point` of RFC 5929).
    #[doc(alias = "channel_binding")]
    pub fn certificate(&self) -> Option<&'a [u8]> {
        self.certificate
    }
}

/// A scheme that is shared. It equals its clones, and nothing else.
#[derive(Clone)]
pub(crate) struct SharedScheme(Arc<dyn AuthScheme>);

// A scheme changes only its own state. After a panic it is asked again only for other connections.
impl UnwindSafe for SharedScheme {}
impl RefUnwindSafe for SharedScheme {}

impl SharedScheme {
    pub(crate) fn new(scheme: impl AuthScheme + 'static) -> SharedScheme {
        SharedScheme(Arc::new(scheme))
    }

    /// Returns the name.
    pub(crate) fn name(&self) -> &str {
        self.0.name()
    }

    /// Refuses a name that no field can carry.
    pub(crate) fn check(&self) -> Result<()> {
        match self.name().is_empty() || !self.name().bytes().all(is_token_byte) {
            true => Err(Error::request("the name of an authentication scheme is not a token")),
            false => Ok(()),
        }
    }
}

impl PartialEq for SharedScheme {
    fn eq(&self, other: &SharedScheme) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for SharedScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(***)", self.name())
    }
}

/// The most answers for one URL. Every known scheme needs fewer.
const MOST: u32 = 8;

/// The rounds of one call, or of one dial, with one server or proxy.
pub(crate) struct Rounds {
    scheme: SharedScheme,
    asker: Asker,
    origin: Arc<Origin>,
    /// The rounds on the connection of the last response.
    open: Option<Box<dyn AuthRounds>>,
    /// The value of the field of the next request.
    next: Option<Vec<u8>>,
    /// How many challenges were answered for this URL.
    answers: u32,
}

/// The answer of a peer, as far as the rounds need it.
#[derive(Clone, Copy)]
pub(crate) struct Heard<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a Headers,
    /// The certificate of the peer.
    pub(crate) certificate: Option<&'a [u8]>,
    /// The next request can go over the same connection.
    pub(crate) keeps: bool,
}

impl Rounds {
    pub(crate) fn new(scheme: &SharedScheme, asker: Asker, origin: &Arc<Origin>) -> Rounds {
        let (scheme, origin) = (scheme.clone(), origin.clone());
        Rounds { scheme, asker, origin, open: None, next: None, answers: 0 }
    }

    /// Returns whether they are those of this scheme at this origin.
    pub(crate) fn is_of(&self, scheme: &SharedScheme, origin: &Arc<Origin>) -> bool {
        self.scheme == *scheme && self.origin == *origin
    }

    pub(crate) fn scheme(&self) -> &SharedScheme {
        &self.scheme
    }

    /// Returns the value of the field with the credentials of the next request, if it has one.
    pub(crate) fn say(&mut self) -> Option<Vec<u8>> {
        self.next.take()
    }

    /// Returns whether the last answer only opens the rounds, so that its request is not worth a body.
    pub(crate) fn is_opening(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.is_opening())
    }

    /// Takes the response to the last request. Returns whether to send the request again with another answer.
    pub(crate) fn hear(&mut self, heard: &Heard<'_>) -> Result<bool> {
        let challenge = challenge(heard.headers.values(self.asker.challenges()), self.scheme.name());
        let open = self.open.take();
        if heard.status != self.asker.status() {
            // It is nothing to the scheme if it has not been asked.
            return open.map_or(Ok(()), |mut open| open.finish(challenge.as_deref())).map(|()| false);
        }
        let Some(challenge) = challenge.filter(|_| self.answers < MOST) else { return Ok(false) };
        let mut open = match open {
            // The scheme without a challenge refuses what was said, and a closed connection ends the rounds.
            Some(_) if challenge.is_empty() || !heard.keeps => return Ok(false),
            Some(open) => open,
            None if self.answers > 0 => return Ok(false),
            None => self.scheme.0.begin(&AuthPeer {
                origin: &self.origin,
                asker: self.asker,
                certificate: heard.certificate,
            })?,
        };
        let Some(answer) = open.answer(&challenge)? else { return Ok(false) };
        self.next = Some(value(self.scheme.name(), &answer)?);
        self.open = Some(open);
        self.answers += 1;
        Ok(true)
    }

    /// Ends the rounds for this URL, because a redirect leads to another URL.
    pub(crate) fn leave(&mut self) {
        (self.open, self.next, self.answers) = (None, None, 0);
    }
}

impl fmt::Debug for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rounds").field("scheme", &self.scheme).field("answers", &self.answers).finish_non_exhaustive()
    }
}

/// Returns what the fields say after the name of this scheme; empty if that is all. `None` if they do not name it.
fn challenge<'a>(fields: impl Iterator<Item = &'a [u8]>, scheme: &str) -> Option<String> {
    let mut items = fields.flat_map(Items::new).skip_while(|item| match item {
        Item::Scheme(name) => !name.eq_ignore_ascii_case(scheme.as_bytes()),
        _ => true,
    });
    items.next()?;
    Some(match items.next() {
        Some(Item::Token68(word)) => String::from_utf8_lossy(word).into_owned(),
        _ => String::new(),
    })
}

/// Returns the value of the field with the credentials.
fn value(scheme: &str, answer: &str) -> Result<Vec<u8>> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    match answer.bytes().all(is_plain) && !answer.is_empty() {
        true => Ok(format!("{scheme} {answer}").into_bytes()),
        false => {
            Err(Error::request("the answer of an authentication scheme is not a token68 (RFC 9110, section 11.2)"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::urls::Url;
    use std::sync::Mutex;

    #[test]
    fn challenges_of_a_scheme() {
        let table: [(&[&str], Option<&str>); 8] = [
            (&["NTLM"], Some("")),
            (&["ntlm TlRM"], Some("TlRM")),
            (&["Basic realm=\"a, NTLM b\"", "NTLM TlRM=="], Some("TlRM==")),
            (&["Negotiate, NTLM TlRM, Basic realm=x"], Some("TlRM")),
            (&["NTLM, Basic abc"], Some("")),
            (&["NTLM realm=x"], Some("")),
            (&["Negotiate"], None),
            (&[], None),
        ];
        for (fields, expected) in table {
            let found = challenge(fields.iter().map(|field| field.as_bytes()), "NTLM");
            assert_eq!(found.as_deref(), expected, "{fields:?}");
        }
    }

    /// Answers `a`, `b`, `c`, and notes what it hears.
    #[derive(Clone, Default)]
    struct Script(Arc<Mutex<Vec<String>>>);

    impl AuthScheme for Script {
        fn name(&self) -> &'static str {
            "Script"
        }

        fn begin(&self, peer: &AuthPeer<'_>) -> Result<Box<dyn AuthRounds>> {
            self.0.lock().unwrap().push(format!("begin {} {}", peer.origin(), peer.is_proxy()));
            Ok(Box::new(Said(self.clone(), 0)))
        }
    }

    struct Said(Script, u8);

    impl AuthRounds for Said {
        fn answer(&mut self, challenge: &str) -> Result<Option<String>> {
            self.0.0.lock().unwrap().push(format!("challenge {challenge}"));
            self.1 += 1;
            Ok((challenge != "end").then(|| char::from(b'a' + self.1 - 1).to_string()))
        }

        fn is_opening(&self) -> bool {
            self.1 == 1
        }

        fn finish(&mut self, last: Option<&str>) -> Result<()> {
            self.0.0.lock().unwrap().push(format!("finish {last:?}"));
            Ok(())
        }
    }

    fn hear(rounds: &mut Rounds, status: u16, field: &str, keeps: bool) -> Option<String> {
        let name = if rounds.asker == Asker::Proxy { "Proxy-Authenticate" } else { "WWW-Authenticate" };
        let headers = Headers::from_pairs([(name, field)]).unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        let again = rounds.hear(&Heard { status, headers: &headers, certificate: None, keeps }).unwrap();
        let said = rounds.say().map(|value| String::from_utf8(value).unwrap());
        assert_eq!(again, said.is_some());
        said
    }

    fn begun(asker: Asker) -> (Rounds, Script) {
        let script = Script::default();
        let url = Url::parse("http://h/").unwrap();
        (Rounds::new(&SharedScheme::new(script.clone()), asker, url.shared_origin()), script)
    }

    #[test]
    fn several_rounds() {
        for (asker, status) in [(Asker::Server, 401), (Asker::Proxy, 407)] {
            let (mut rounds, script) = begun(asker);
            assert_eq!(hear(&mut rounds, status, "Script", false).as_deref(), Some("Script a"), "the first may close");
            assert_eq!(hear(&mut rounds, status, "Script x", true).as_deref(), Some("Script b"));
            assert_eq!(hear(&mut rounds, status, "Script y", true).as_deref(), Some("Script c"));
            assert_eq!(hear(&mut rounds, 200, "Script z", true), None);
            let begin = format!("begin http://h {}", asker == Asker::Proxy);
            let heard = [&*begin, "challenge ", "challenge x", "challenge y", "finish Some(\"z\")"];
            assert_eq!(*script.0.lock().unwrap(), heard);
            // A refusal after that is the response, but for another URL the rounds begin again.
            assert_eq!(hear(&mut rounds, status, "Script", true), None);
            rounds.leave();
            assert_eq!(hear(&mut rounds, status, "Script", true).as_deref(), Some("Script a"));
        }
    }

    #[test]
    fn what_ends_the_rounds() {
        let table: [(&str, u16, &str, bool); 5] = [
            ("a refusal", 401, "Script", true),
            ("a closed connection", 401, "Script x", false),
            ("another scheme", 401, "Basic realm=x", true),
            ("the scheme gives up", 401, "Script end", true),
            ("another status", 407, "Script x", true),
        ];
        for (row, status, field, keeps) in table {
            let (mut rounds, _) = begun(Asker::Server);
            hear(&mut rounds, 401, "Script", true).unwrap();
            assert_eq!(hear(&mut rounds, status, field, keeps), None, "{row}");
            assert_eq!(hear(&mut rounds, 401, "Script x", true), None, "{row}: and it stays so");
        }
        let (mut rounds, _) = begun(Asker::Server);
        let answers = (0..100).take_while(|_| hear(&mut rounds, 401, "Script x", true).is_some()).count();
        assert_eq!(answers, 8, "no endless rounds");
    }

    #[test]
    fn what_cannot_be_sent() {
        for answer in ["", "a b", "a\r\nX: y", "\u{e9}"] {
            assert!(value("NTLM", answer).is_err(), "{answer:?}");
        }
        assert_eq!(value("NTLM", "TlRM+/==").unwrap(), b"NTLM TlRM+/==");
        let (rounds, _) = begun(Asker::Server);
        assert_eq!(format!("{rounds:?}"), "Rounds { scheme: Script(***), answers: 0, .. }");
    }
}

//! The handshakes of SOCKS4, SOCKS4a and SOCKS5 (RFC 1928, RFC 1929), without I/O: bytes in, bytes out, and a verdict.

mod refusal;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{Proxy, ProxyScheme};
use crate::auth::{Auth, Kind};
use crate::error::{Error, Result};

pub(crate) use refusal::Refusal;

/// The most bytes of a name, a login or a password: SOCKS5 writes their lengths in one byte.
const LONGEST: usize = 255;

/// The most bytes of one message of a proxy: a SOCKS5 reply with a name of 255 bytes.
pub(crate) const LONGEST_MESSAGE: usize = 4 + 1 + LONGEST + 2;

/// The server that a proxy is asked to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    Address(SocketAddr),
    /// A name that the proxy looks up, and a port.
    Name(&'a str, u16),
}

/// A login and a password.
#[derive(Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) login: &'a str,
    pub(crate) password: &'a str,
}

/// What SOCKS cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsendable {
    Name,
    NulInName,
    Login,
    Password,
    NulInLogin,
    V6,
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unsendable::Name => "the name of the host is empty or longer than the 255 bytes that SOCKS can carry",
            Unsendable::NulInName => "the name of the host has a NUL, which would end it in SOCKS4a",
            Unsendable::Login => "the login is longer than the 255 bytes that SOCKS can carry",
            Unsendable::Password => "the password is longer than the 255 bytes that SOCKS can carry",
            Unsendable::NulInLogin => "the user id has a NUL, which would end it in SOCKS4",
            Unsendable::V6 => "SOCKS4 cannot carry an IPv6 address; SOCKS5 can",
        })
    }
}

/// One handshake. What it has to say is sent, and what the proxy answers is given to it, in pieces of any size, until it
/// wants nothing more.
pub(crate) struct Handshake {
    awaits: Awaits,
    /// Whether the proxy may take no credentials.
    without_login: bool,
    /// The message with the login and the password, until it is sent.
    login: Option<Vec<u8>>,
    request: Vec<u8>,
    /// What is to be sent now.
    out: Vec<u8>,
    /// The bytes of the message that has not ended.
    heard: Vec<u8>,
}

/// The message that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    /// The method of authentication that a SOCKS5 proxy chooses (RFC 1928, section 3).
    Method,
    /// The verdict about the login (RFC 1929, section 2).
    Login,
    /// The SOCKS5 reply (RFC 1928, section 6).
    Reply5,
    /// The SOCKS4 reply.
    Reply4,
    /// None: the tunnel is open.
    Nothing,
}

const NO_LOGIN: u8 = 0;
const LOGIN: u8 = 2;
const NO_METHOD: u8 = 0xFF;
const CONNECT: u8 = 1;

impl Handshake {
    /// Begins a SOCKS5 handshake (RFC 1928). With a login the proxy may still choose to take none, unless it is required
    /// to.
    pub(crate) fn socks5(place: Place<'_>, login: Option<Login<'_>>, required: bool) -> Result<Handshake, Unsendable> {
        let mut request = vec![5, CONNECT, 0];
        let port = match place {
            Place::Address(address) => {
                match address.ip() {
                    IpAddr::V4(ip) => request.extend([&[1][..], &ip.octets()].concat()),
                    IpAddr::V6(ip) => request.extend([&[4][..], &ip.octets()].concat()),
                }
                address.port()
            }
            Place::Name(name, port) => {
                request.push(3);
                push_counted(&mut request, name).filter(|_| !name.is_empty()).ok_or(Unsendable::Name)?;
                port
            }
        };
        request.extend(port.to_be_bytes());
        let login = login.map(login_message).transpose()?;
        let out = match (&login, required) {
            (None, _) => vec![5, 1, NO_LOGIN],
            (Some(_), false) => vec![5, 2, NO_LOGIN, LOGIN],
            (Some(_), true) => vec![5, 1, LOGIN],
        };
        let without_login = login.is_none() || !required;
        Ok(Handshake { awaits: Awaits::Method, without_login, login, request, out, heard: Vec::new() })
    }

    /// Begins a SOCKS4 handshake, or one of SOCKS4a where the place is a name. Of the login only the user id is sent.
    pub(crate) fn socks4(place: Place<'_>, user: &str) -> Result<Handshake, Unsendable> {
        check_user(user)?;
        let (ip, port, name) = match place {
            Place::Address(SocketAddr::V4(address)) => (address.ip().octets(), address.port(), None),
            Place::Address(SocketAddr::V6(_)) => return Err(Unsendable::V6),
            Place::Name(name, port) => {
                // A NUL would end the name, and the rest would be read as the first bytes of the tunnel.
                match name {
                    _ if name.is_empty() || name.len() > LONGEST => return Err(Unsendable::Name),
                    _ if name.contains('\0') => return Err(Unsendable::NulInName),
                    // An address of 0.0.0.x says that a name follows.
                    _ => ([0, 0, 0, 1], port, Some(name)),
                }
            }
        };
        let mut out = vec![4, CONNECT];
        out.extend(port.to_be_bytes());
        out.extend(ip);
        for text in [Some(user), name].into_iter().flatten() {
            out.extend(text.as_bytes());
            out.push(0);
        }
        let (awaits, request, heard) = (Awaits::Reply4, Vec::new(), Vec::new());
        Ok(Handshake { awaits, without_login: true, login: None, request, out, heard })
    }

    /// Returns what is to be sent before the proxy says more. It is returned once.
    pub(crate) fn say(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Returns how many bytes the proxy sends at least before this program has to send, or before the tunnel is open.
    /// Zero means that it is open.
    pub(crate) fn wants(&self) -> usize {
        let whole = match (self.awaits, &self.heard[..]) {
            (Awaits::Nothing, _) => 0,
            (Awaits::Method | Awaits::Login, _) => 2,
            (Awaits::Reply4, _) => 8,
            // The fifth byte is the length of a name.
            (Awaits::Reply5, &[_, _, _, kind, first, ..]) => reply_len(kind, first),
            (Awaits::Reply5, _) => 5,
        };
        whole.saturating_sub(self.heard.len())
    }

    /// Hears bytes of the proxy, and returns how many of them belong to the handshake. The verdict is the same in
    /// whatever pieces they come.
    ///
    /// # Errors
    ///
    /// A refusal of the proxy, and bytes that are not SOCKS, at the byte that says it: some proxies end the connection
    /// after that, in the middle of their reply.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.awaits == Awaits::Nothing {
                return Ok(at);
            }
            self.heard.push(byte);
            self.judge()?;
            if self.wants() == 0 {
                self.heard.clear();
                self.go_on();
            }
        }
        Ok(bytes.len())
    }

    /// Returns what the proxy had to say next, for an error that says where it broke off.
    pub(crate) fn awaited(&self) -> &'static str {
        match self.awaits {
            Awaits::Method => "its choice of a method of authentication",
            Awaits::Login => "its verdict on the login",
            Awaits::Reply4 | Awaits::Reply5 | Awaits::Nothing => "its reply",
        }
    }

    /// Returns whether the proxy was asked for the tunnel, and has not replied.
    pub(crate) fn has_asked(&self) -> bool {
        matches!(self.awaits, Awaits::Reply4 | Awaits::Reply5)
    }

    /// Judges the byte that was heard last.
    fn judge(&mut self) -> Result<(), Refusal> {
        match (self.awaits, &self.heard[..]) {
            (Awaits::Method | Awaits::Reply5, &[first]) if first != 5 => Err(Refusal::Version { wanted: 5, first }),
            (Awaits::Method, &[_, NO_METHOD]) => Err(Refusal::NoMethod { with_login: self.login.is_some() }),
            (Awaits::Method, &[_, method]) => self.choose(method),
            // The first byte is the version of this exchange, 1. Some proxies send 5, and curl ignores it.
            (Awaits::Login, &[_, verdict]) if verdict != 0 => Err(Refusal::Login),
            (Awaits::Reply5, &[_, code]) if code != 0 => Err(Refusal::Reply { version: 5, code }),
            (Awaits::Reply5, &[_, _, _, kind]) if !matches!(kind, 1 | 3 | 4) => Err(Refusal::AddressType(kind)),
            (Awaits::Reply4, &[first]) if first != 0 => Err(Refusal::Version { wanted: 4, first }),
            (Awaits::Reply4, &[_, code]) if code != 90 => Err(Refusal::Reply { version: 4, code }),
            _ => Ok(()),
        }
    }

    /// Takes the method of authentication that the proxy has chosen.
    fn choose(&mut self, method: u8) -> Result<(), Refusal> {
        match (method, &self.login) {
            (NO_LOGIN, _) if self.without_login => self.login = None,
            (LOGIN, Some(_)) => {}
            _ => return Err(Refusal::Method(method)),
        }
        Ok(())
    }

    /// Goes on after a whole message.
    fn go_on(&mut self) {
        self.awaits = match (self.awaits, self.login.take()) {
            (Awaits::Method, Some(login)) => {
                self.out.extend(login);
                Awaits::Login
            }
            (Awaits::Method | Awaits::Login, _) => {
                self.out.append(&mut self.request);
                Awaits::Reply5
            }
            (Awaits::Reply4 | Awaits::Reply5 | Awaits::Nothing, _) => Awaits::Nothing,
        };
    }
}

/// Returns the length of a SOCKS5 reply with an address of this type. The address that the proxy has bound is of no use
/// for a tunnel, and is passed over. It may be a name, also an empty one.
fn reply_len(kind: u8, first: u8) -> usize {
    let address = match kind {
        1 => 4,
        4 => 16,
        _ => 1 + usize::from(first),
    };
    4 + address + 2
}

/// Writes a text after its length.
fn push_counted(out: &mut Vec<u8>, text: &str) -> Option<()> {
    out.push(u8::try_from(text.len()).ok()?);
    out.extend(text.as_bytes());
    Some(())
}

/// Returns the message with a login and a password (RFC 1929, section 2).
fn login_message(Login { login, password }: Login<'_>) -> Result<Vec<u8>, Unsendable> {
    let mut out = vec![1];
    push_counted(&mut out, login).ok_or(Unsendable::Login)?;
    push_counted(&mut out, password).ok_or(Unsendable::Password)?;
    Ok(out)
}

fn check_user(user: &str) -> Result<(), Unsendable> {
    match user {
        _ if user.len() > LONGEST => Err(Unsendable::Login),
        _ if user.contains('\0') => Err(Unsendable::NulInLogin),
        _ => Ok(()),
    }
}

impl ProxyScheme {
    /// Returns whether the proxy can connect to IPv6 addresses.
    pub(crate) fn takes_v6(self) -> bool {
        !matches!(self, ProxyScheme::Socks4 | ProxyScheme::Socks4a)
    }
}

impl Proxy {
    /// Begins the handshake for a tunnel to this place.
    pub(crate) fn handshake(&self, place: Place<'_>) -> Result<Handshake, Unsendable> {
        let login = self.login();
        match self.kind() {
            ProxyScheme::Socks4 | ProxyScheme::Socks4a => {
                Handshake::socks4(place, login.map_or("", |login| login.login))
            }
            _ => Handshake::socks5(place, login, self.0.require_auth),
        }
    }

    fn login(&self) -> Option<Login<'_>> {
        match self.credentials().map(Auth::kind) {
            Some(Kind::Basic(basic)) => Some(Login { login: basic.login(), password: basic.password() }),
            _ => None,
        }
    }

    /// Refuses what a SOCKS proxy cannot be told.
    pub(super) fn check_socks(&self) -> Result<()> {
        let is_4 = !self.kind().takes_v6();
        match (self.credentials().map(Auth::kind), self.login()) {
            (Some(_), None) => Err(Error::config("SOCKS knows a login and a password: it has no Digest and no tokens")),
            (None, _) if self.0.require_auth => Err(Error::config("require_auth is set, and the proxy has no login")),
            (_, Some(_)) if is_4 && self.0.require_auth => {
                Err(Error::config("require_auth is set, and SOCKS4 has no authentication"))
            }
            (_, Some(login)) => {
                let sendable = if is_4 { check_user(login.login) } else { login_message(login).map(drop) };
                sendable.map_err(|why| Error::request(why.to_string()))
            }
            (None, None) => Ok(()),
        }
    }
}

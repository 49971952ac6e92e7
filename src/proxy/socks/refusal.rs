//! Why a SOCKS proxy opens no tunnel.

use std::fmt;

/// The reason for which a handshake opens no tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A message does not begin as one of the wanted version.
    Version { wanted: u8, first: u8 },
    /// The proxy has chosen a method of authentication that was not offered.
    Method(u8),
    /// The proxy accepts no method of authentication that was offered.
    NoMethod { with_login: bool },
    /// The proxy does not accept the login.
    Login,
    /// The reply has this code in place of that of an open tunnel.
    Reply { version: u8, code: u8 },
    /// The reply has an address of a type that SOCKS5 does not have.
    AddressType(u8),
}

impl Refusal {
    /// Returns whether the proxy has broken the protocol, in place of refusing the tunnel.
    pub(crate) fn is_violation(self) -> bool {
        matches!(self, Refusal::Version { .. } | Refusal::Method(_) | Refusal::AddressType(_))
    }

    /// Returns the code of the reply.
    pub(crate) fn code(self) -> Option<u8> {
        match self {
            Refusal::Reply { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Returns whether another address of the server may be reached all the same. The rules of a proxy may be about
    /// addresses, and a proxy may know IPv4 alone.
    pub(crate) fn is_about_the_address(self) -> bool {
        matches!(self, Refusal::Reply { version: 5, code: 1..=6 | 8 } | Refusal::Reply { version: 4, code: 91 })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Refusal::Version { first: b'H', .. } => f.write_str("it speaks HTTP, so the scheme of its URL is http"),
            Refusal::Version { wanted: 4, first: 5 } => f.write_str("it speaks SOCKS5"),
            Refusal::Version { wanted: 5, first: 0 | 4 } => f.write_str("it speaks SOCKS4"),
            Refusal::Version { first, .. } => write!(f, "it begins with the byte {first:#04x}"),
            Refusal::Method(method) => {
                write!(f, "it chooses the method of authentication {method}, which was not offered")
            }
            Refusal::NoMethod { with_login: false } => f.write_str("it wants a login"),
            Refusal::NoMethod { with_login: true } => f.write_str("it does not accept a login and a password"),
            Refusal::Login => f.write_str("it does not accept this login and password"),
            Refusal::Reply { version: 4, code } => write!(f, "{} (SOCKS4 reply {code})", words_of_4(code)),
            // Codes above the standard's are written as Tor does.
            Refusal::Reply { code: code @ 9.., .. } => write!(f, "{} (SOCKS5 reply {code:#04x})", words_of_5(code)),
            Refusal::Reply { code, .. } => write!(f, "{} (SOCKS5 reply {code})", words_of_5(code)),
            Refusal::AddressType(kind) => write!(f, "it sends an address of the unknown type {kind}"),
        }
    }
}

/// Returns the meaning of a code (RFC 1928, section 6; from 0xf0 on Tor's, proposal 304).
fn words_of_5(code: u8) -> &'static str {
    match code {
        1 => "it failed, and does not say how",
        2 => "its rules do not allow this connection",
        3 => "it cannot reach the network of the server",
        4 => "it cannot reach the server",
        5 => "the server refuses the connection",
        6 => "the server did not answer in time",
        7 => "it does not know the command",
        8 => "it does not know this type of address",
        0xF0 => "the onion service was not found",
        0xF1 => "the descriptor of the onion service is not valid",
        0xF2 => "the introduction to the onion service failed",
        0xF3 => "the rendezvous with the onion service failed",
        0xF4 => "the onion service wants client authorization",
        0xF5 => "the client authorization for the onion service is wrong",
        0xF6 => "the address of the onion service is not valid",
        0xF7 => "the introduction to the onion service took too long",
        _ => "it failed, with a code that the standard does not have",
    }
}

fn words_of_4(code: u8) -> &'static str {
    match code {
        91 => "it refuses the request, or cannot reach the server",
        92 => "it found no identd on this machine, which it wants to ask for the user",
        93 => "the identd of this machine names another user than the request",
        _ => "it failed, with a code that the protocol does not have",
    }
}

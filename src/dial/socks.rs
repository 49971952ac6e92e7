//! Tunnels through SOCKS proxies.

use std::fmt::Write as _;
use std::io::{self, IoSlice};
use std::net::SocketAddr;

use super::proxied::{at, reach};
use super::{DialContext, Means};
use crate::error::{Error, ErrorKind, Phase, Result, Violation};
use crate::exchange::{Wire, is_end};
use crate::net::transport::{Probe, Transport, Wait};
use crate::proxy::Proxy;
use crate::proxy::socks::{Handshake, LONGEST_MESSAGE, Place, Refusal};
use crate::urls::Origin;

/// Opens a tunnel to a server.
pub(super) fn tunnel(proxy: &Proxy, origin: &Origin, means: &Means<'_>, context: &DialContext<'_>) -> Result<Wire> {
    let port = origin.port().unwrap_or_default();
    let place = match (proxy.looks_up_names(), origin.address()) {
        (false, _) => return in_turn(proxy, &addresses(proxy, origin, means, context)?, means, context),
        (true, Some(ip)) => Place::Address(SocketAddr::new(ip, port)),
        (true, None) => Place::Name(origin.host(), port),
    };
    open(proxy, place, means, context).map_err(|failed| failed.error)
}

/// Finds the addresses of a server for a proxy that looks up no names.
fn addresses(proxy: &Proxy, origin: &Origin, means: &Means<'_>, context: &DialContext<'_>) -> Result<Vec<SocketAddr>> {
    let lookup = context.for_resolve().wait();
    let found = means.tcp.names.addresses(origin, &lookup).map_err(|error| match error.kind() {
        // Most users of such a name mean the scheme by which the proxy looks it up.
        ErrorKind::Resolve => {
            let scheme = proxy.scheme();
            let remote = if proxy.kind().takes_v6() { "socks5h" } else { "socks4a" };
            error.because(format!("{scheme} finds addresses here, and {remote} at the proxy"))
        }
        _ => error,
    })?;
    let usable: Vec<_> = found.usable.into_iter().filter(|found| found.is_ipv4() || proxy.kind().takes_v6()).collect();
    match usable.is_empty() {
        false => Ok(usable),
        true => {
            let why =
                io::Error::new(io::ErrorKind::NotFound, "the host has no IPv4 address, and SOCKS4 takes no other");
            Err(Error::new(ErrorKind::Resolve, Phase::Resolve).with_source(why))
        }
    }
}

/// Asks for a tunnel to one address after the other, each over a connection of its own: a proxy closes one whose request
/// has failed. The error is that of the last one, and its source names all that were tried.
fn in_turn(proxy: &Proxy, addresses: &[SocketAddr], means: &Means<'_>, context: &DialContext<'_>) -> Result<Wire> {
    let (mut tried, mut has_replied) = (String::new(), false);
    let mut addresses = addresses.iter().peekable();
    loop {
        let Some(address) = addresses.next() else {
            // There is at least one.
            return Err(at(proxy, Error::new(ErrorKind::Connect, Phase::Proxy)));
        };
        let Failed { error, verdict } = match open(proxy, Place::Address(*address), means, context) {
            Ok(wire) => return Ok(wire),
            Err(failed) => failed,
        };
        let error = if has_replied { error.after_an_answer() } else { error };
        let Some(verdict) = verdict else { return Err(error) };
        has_replied |= matches!(verdict, Verdict::Refused(_));
        let separator = if tried.is_empty() { "" } else { "; " };
        // Writing to a string does not fail.
        let _ = match verdict {
            Verdict::Refused(refusal) => write!(tried, "{separator}{address}: {refusal}"),
            Verdict::Ended => write!(tried, "{separator}{address}: the proxy ended the connection"),
        };
        if addresses.peek().is_none() || !verdict.is_about_the_address() {
            return Err(error.with_source(io::Error::other(tried)));
        }
    }
}

/// A handshake that opened no tunnel.
struct Failed {
    error: Error,
    /// What the proxy has done, if it has done something.
    verdict: Option<Verdict>,
}

#[derive(Clone, Copy)]
enum Verdict {
    Refused(Refusal),
    /// It has ended the connection in place of a reply, as some do that cannot connect or do not know IPv6.
    Ended,
}

impl Verdict {
    fn is_about_the_address(self) -> bool {
        match self {
            Verdict::Refused(refusal) => refusal.is_about_the_address(),
            Verdict::Ended => true,
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed { error, verdict: None }
    }
}

/// Opens a connection to the proxy, and asks it for a tunnel to this place. What cannot be asked for opens none.
fn open(proxy: &Proxy, place: Place<'_>, means: &Means<'_>, context: &DialContext<'_>) -> Result<Wire, Failed> {
    let handshake = proxy.handshake(place).map_err(|why| Error::request(why.to_string()))?;
    let wire = reach(proxy, means, context)?;
    match over(&wire, handshake, &context.wait()) {
        Ok(()) => Ok(wire),
        Err(failed) => Err(Failed { error: at(proxy, failed.error), ..failed }),
    }
}

/// Does the handshake over this connection. It takes no byte after the reply of the proxy.
fn over(wire: &Wire, mut handshake: Handshake, wait: &Wait<'_>) -> Result<(), Failed> {
    let mut bytes = [0; LONGEST_MESSAGE];
    loop {
        send(wire, &handshake.say(), wait)?;
        let wanted = handshake.wants();
        if wanted == 0 {
            break;
        }
        let read = match wire.recv(&mut bytes[..wanted], wait) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            result => result,
        };
        let read = read.map_err(|error| ended(error, &handshake, wait))?;
        handshake.hear(&bytes[..read]).map_err(refused)?;
    }
    // What came before the first byte of ours cannot be an answer to it.
    match wire.probe() {
        Probe::Readable => Err(Error::violation(Violation::BytesInTunnel, Phase::Proxy).into()),
        _ => Ok(()),
    }
}

fn send(wire: &Wire, mut bytes: &[u8], wait: &Wait<'_>) -> Result<()> {
    while !bytes.is_empty() {
        let sent = wire.send(&[IoSlice::new(bytes)], wait).map_err(|error| failure(error, wait))?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

/// Returns the failure of a connection on which the proxy says nothing more.
fn ended(error: io::Error, handshake: &Handshake, wait: &Wait<'_>) -> Failed {
    let error = failure(error, wait);
    // A connection that this program has shut down ends in the same way.
    if *error.kind() != ErrorKind::Disconnected || error.ends_call() {
        return error.into();
    }
    let verdict = handshake.has_asked().then_some(Verdict::Ended);
    Failed { error: error.because(format!("it ended before {}", handshake.awaited())), verdict }
}

fn failure(error: io::Error, wait: &Wait<'_>) -> Error {
    let kind = if is_end(&error) { ErrorKind::Disconnected } else { ErrorKind::Io };
    wait.failure(error, kind, Phase::Proxy)
}

fn refused(refusal: Refusal) -> Failed {
    let kind = match refusal.is_violation() {
        true => ErrorKind::Protocol(Violation::SocksMessage),
        false => ErrorKind::ProxyRefused { status: None, socks_reply: refusal.code() },
    };
    let error = Error::new(kind.because(refusal.to_string()), Phase::Proxy);
    Failed { error, verdict: Some(Verdict::Refused(refusal)) }
}

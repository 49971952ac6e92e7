//! Connections through a proxy: to the proxy itself, and through a tunnel that it opens (RFC 9110, section 9.3.6).

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode, Version};

use super::{DialContext, Means, Target, direct};
use crate::auth::{Asked, Heard, challenge};
use crate::body::Outgoing;
use crate::error::{Bound, Error, ErrorKind, Phase, ResponseHead, Result, Violation};
use crate::exchange::{BodyReader, Bounds, Buffers, Exchange, Io, Received, Rules, Trace, Wire};
use crate::h1::{RequestTarget, encode};
use crate::net::transport::{Probe, Transport};
use crate::proxy::{Credentials, PROXY_AUTHORIZATION, Proxy};
use crate::time::Timeout;
use crate::urls::{Origin, Url};

/// The most bytes of a refusal's body that its error keeps, and that are read to use the connection again.
const KEPT: usize = 64 * 1024;

/// The least time for the body of a refusal. It is enough for what has arrived.
const AT_ONCE: Duration = Duration::from_millis(1);

/// The exchange with a proxy has the bounds of the dial alone.
static NO_BOUNDS: Timeout = Timeout::new();

/// Opens a connection to a proxy.
pub(super) fn reach(proxy: &Proxy, means: &Means<'_>, context: &DialContext<'_>) -> Result<Wire> {
    let of_proxy = Means { tls: proxy.tls_config(), ..*means };
    direct(&Target { origin: proxy.server() }, &of_proxy, context).map_err(|error| at(proxy, error))
}

/// Opens a tunnel to a server. Returns it, and the head of the response that opened it.
pub(super) fn tunnel(
    proxy: &Proxy,
    origin: &Arc<Origin>,
    means: &Means<'_>,
    context: &DialContext<'_>,
) -> Result<(Wire, ResponseHead)> {
    let mut asking = Asking { credentials: Credentials::new(proxy), origin, means, context, has_heard: false };
    loop {
        let wire = reach(proxy, means, context).map_err(|error| asking.failure(error))?;
        // The answer to a challenge takes another connection if the proxy has closed this one.
        if let Some(head) = asking.over(&wire).map_err(|error| asking.failure(at(proxy, error)))? {
            return Ok((wire, head));
        }
    }
}

/// Names the proxy in an error that is about it, and not about the server.
pub(super) fn at(proxy: &Proxy, error: Error) -> Error {
    let error = error.with_phase(Phase::Proxy).with_origin(proxy.server());
    match proxy.kind().is_socks() {
        // Its origin is one of the scheme http.
        true => error.with_proxy(proxy.to_string()),
        false => error,
    }
}

/// The request for a tunnel. It may take several rounds: two answers to challenges of Digest at most, and eight of other
/// schemes.
struct Asking<'a> {
    credentials: Credentials,
    origin: &'a Arc<Origin>,
    means: &'a Means<'a>,
    context: &'a DialContext<'a>,
    /// The proxy has sent a challenge.
    has_heard: bool,
}

impl Asking<'_> {
    /// Returns the error with what is known of the proxy: it can be reached if it has sent a challenge.
    fn failure(&self, error: Error) -> Error {
        if self.has_heard { error.after_an_answer() } else { error }
    }

    /// Asks over this connection. Returns the head that opened the tunnel, or `None` if the connection is to be replaced
    /// before the next round.
    fn over(&mut self, wire: &Wire) -> Result<Option<ResponseHead>> {
        loop {
            let mut buffers = self.means.common.buffers.take();
            let round = self.round(wire, &mut buffers);
            self.means.common.buffers.put(buffers);
            match round? {
                Round::Opened(head) => return Ok(Some(head)),
                Round::Again { same_connection: true } => {}
                Round::Again { same_connection: false } => return Ok(None),
            }
        }
    }

    /// Sends one CONNECT, and reads the response to it.
    fn round(&mut self, wire: &Wire, buffers: &mut Buffers) -> Result<Round> {
        self.write(&mut buffers.out)?;
        let Means { common, strictness, cell, .. } = *self.means;
        let mut trace = Trace::default();
        let bounds = Bounds { until: self.context.until, timeout: &NO_BOUNDS, cell };
        let mut exchange = Exchange::new(wire, buffers, &common.limits, strictness, bounds, false, &mut trace);
        let rules = Rules { expects: false, resends: &|_| false, unclean_close: false };
        let received = exchange.run(&Method::CONNECT, Outgoing::Bytes(&[]), &rules)?;
        let (status, headers) = (received.head.status, &received.head.headers);
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::violation(Violation::UnexpectedUpgrade, Phase::Proxy));
        }
        let certificate = wire.info().tls.and_then(|tls| tls.chain.into_iter().next());
        let heard = Heard { status, headers, certificate: certificate.as_deref(), keeps: received.reusable };
        let again = self.credentials.answer(&heard, true)?;
        if status.is_success() {
            // What came before the first byte of ours cannot be an answer to it.
            let is_empty = buffers.is_empty() && wire.probe() != Probe::Readable;
            return match is_empty {
                true => Ok(Round::Opened(self.answer(&received, Vec::new())?)),
                false => Err(Error::violation(Violation::BytesInTunnel, Phase::Proxy)),
            };
        }
        let (body, is_whole) = self.read(&received, wire, buffers);
        match again {
            true => {
                self.has_heard = true;
                Ok(Round::Again { same_connection: is_whole && received.reusable })
            }
            false => Err(self.refusal(&received, body)?),
        }
    }

    /// Writes the CONNECT. Its Host is its target, and it has nothing of the request that waits for the tunnel.
    fn write(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let target = RequestTarget::Authority(self.origin);
        let mut host = Vec::new();
        target.write(&mut host);
        let asked = Asked { method: "CONNECT", target: &host, body: Some(b"") };
        let authorization = self.credentials.value(&asked)?;
        let proxy = &self.credentials.proxy;
        encode::request_line(out, &Method::CONNECT, target, Version::HTTP_11);
        encode::field(out, "Host", &host);
        if let Some(agent) = self.means.user_agent.filter(|_| proxy.is_told_the_user_agent()) {
            encode::field(out, "User-Agent", agent);
        }
        let given = proxy.fields().contains(PROXY_AUTHORIZATION);
        if let Some(value) = authorization.filter(|_| !given) {
            encode::field(out, PROXY_AUTHORIZATION, &value);
        }
        proxy.fields().iter().for_each(|field| encode::field(out, field.name(), field.bytes()));
        encode::end(out);
        Ok(())
    }

    /// Reads the start of the body of a refusal, within the time for bodies that nobody asked for. Returns it, and
    /// whether it is whole and nothing follows it.
    fn read(&self, received: &Received, wire: &Wire, buffers: &mut Buffers) -> (Vec<u8>, bool) {
        let limits = &self.means.common.limits;
        let until = self.context.until.or_within(Some(limits.drain_time.max(AT_ONCE)), Bound::Total);
        let mut reader = BodyReader::new(received.framing, self.means.strictness);
        let mut io =
            Io { wire, buffers, limits, until, read: None, cell: self.means.cell, registered: OnceCell::new() };
        let (mut body, mut len) = (Vec::new(), 0);
        while len < KEPT && !reader.is_done() {
            if len == body.len() {
                body.resize((len * 2).clamp(4 * 1024, KEPT), 0);
            }
            match reader.read(&mut io, &mut body[len..]) {
                Ok(0) | Err(_) => break,
                Ok(read) => len += read,
            }
        }
        body.truncate(len);
        let is_whole = reader.is_done() && reader.leftover(wire, io.buffers) == Probe::Quiet;
        (body, is_whole)
    }

    /// Returns the response of the proxy as errors and the connection keep it.
    fn answer(&self, received: &Received, body: Vec<u8>) -> Result<ResponseHead> {
        let url = Url::with_target(self.origin, "")?;
        Ok(ResponseHead { body, ..received.head.answer_to(Method::CONNECT, url, true) })
    }

    /// Returns the error of a tunnel that the proxy has refused. A 407 names the schemes that it offers.
    fn refusal(&self, received: &Received, body: Vec<u8>) -> Result<Error> {
        let status = received.head.status;
        let error = Error::new(ErrorKind::ProxyRefused { status: Some(status), socks_reply: None }, Phase::Proxy);
        let error = error.with_head(self.answer(received, body)?);
        if status != StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Ok(error);
        }
        let schemes = challenge::schemes(received.head.headers.values("proxy-authenticate"));
        Ok(error.because(match schemes.is_empty() {
            true => "it offers no scheme".to_owned(),
            false => format!("it asks for {}", schemes.join(", ")),
        }))
    }
}

/// The result of one CONNECT.
enum Round {
    Opened(ResponseHead),
    /// The proxy has asked for credentials.
    Again {
        same_connection: bool,
    },
}

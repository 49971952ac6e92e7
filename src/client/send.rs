//! The way of one request: checkout, dial, exchange, and at most one silent replay.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

use super::encode::{self, Sent};
use super::engine::{Engine, Policy};
use super::replay::{self, Attempt, End};
use super::request::Request;
use crate::error::{Bound, Error, ErrorKind, Phase, Result};
use crate::exchange::{Bounds, Buffers, Exchange, Received, Trace};
use crate::pool::PoolLease;
use crate::pool::gate::{Checked, Refused};
use crate::pool::key::PoolKey;
use crate::pool::stats::CloseReason;
use crate::response::{Parts, Response};
use crate::time::{Deadline, Timeout};

pub(super) fn send(engine: &Arc<Engine>, policy: &Policy, mut request: Request) -> Result<Response> {
    match Hop::new(engine, policy, &mut request).and_then(Hop::run) {
        Ok(answered) => Ok(response(answered, policy, request)),
        Err(error) => Err(error.with_origin(request.url.shared_origin())),
    }
}

/// One request on its way, over as many connections as that takes: one, or one more if the first was a leftover.
struct Hop<'a> {
    engine: &'a Arc<Engine>,
    policy: &'a Policy,
    request: &'a mut Request,
    key: PoolKey,
    deadline: Deadline,
}

/// A response's head, and the connection that its body is to be read from.
struct Answered {
    received: Received,
    sent: Sent,
    lease: PoolLease,
    buffers: Buffers,
    deadline: Deadline,
}

/// An exchange that gave no response.
struct Failed {
    error: Error,
    trace: Trace,
}

impl<'a> Hop<'a> {
    fn new(engine: &'a Arc<Engine>, policy: &'a Policy, request: &'a mut Request) -> Result<Self> {
        let timeout = request.timeout.as_ref().unwrap_or(&policy.timeout);
        let deadline = Deadline::NEVER.or_within(timeout.total, Bound::Total);
        encode::prepare(request)?;
        let key = engine.key(request.url.shared_origin());
        Ok(Hop { engine, policy, request, key, deadline })
    }

    fn timeout(&self) -> &Timeout {
        self.request.timeout.as_ref().unwrap_or(&self.policy.timeout)
    }

    fn run(mut self) -> Result<Answered> {
        self.prime()?;
        let mut lease = self.checkout()?;
        // Bytes of the request have left, by this attempt or the one before.
        let mut left = false;
        loop {
            let mut buffers = self.policy.common.buffers.take();
            let sent = encode::head(&mut buffers.out, self.request, self.policy);
            let failed = match self.exchange(&lease, &mut buffers, sent) {
                Ok((received, trace)) => {
                    let end = if is_idle_notice(&received) { End::IdleNotice } else { End::Other };
                    let again = replay::decide(&self.attempt(&lease, sent, trace, end));
                    // An answer in hand is worth more than a body that turns out to go back nowhere.
                    if !again || self.request.body.rewind().is_err() {
                        return Ok(Answered { received, sent, lease, buffers, deadline: self.deadline });
                    }
                    left = true;
                    None
                }
                Err(Failed { error, trace }) => {
                    // Of a body that was promised and not sent a server makes nothing, unless it says so.
                    left |= trace.accepted > 0 && (!trace.withheld || trace.received > 0);
                    let again = replay::decide(&self.attempt(&lease, sent, trace, end_of(&error, trace)));
                    (!again).then_some(error)
                }
            };
            self.policy.common.buffers.put(buffers);
            if let Some(error) = failed {
                lease.discard(CloseReason::Failed);
                return Err(error.with_maybe_processed(left));
            }
            lease = self.renew(lease).map_err(|error| error.with_maybe_processed(left))?;
        }
    }

    /// The request is sent again: the body goes back to its start, and a fresh connection takes the place of the dead.
    fn renew(&mut self, lease: PoolLease) -> Result<PoolLease> {
        if let Err(error) = self.request.body.rewind() {
            lease.discard(CloseReason::PeerClosed);
            return Err(Error::new(ErrorKind::UnrewindableBody, Phase::Send).with_source(error));
        }
        self.engine.gate.count_replay();
        let permit = lease.renew(CloseReason::PeerClosed);
        self.prime()?;
        self.engine.open(permit, &self.key, self.deadline, self.timeout().connect)
    }

    /// A reader's first piece is read before there is a connection: what a server says to an idle one meanwhile is seen
    /// when it is looked at. Other bodies take no time, and what is past by then is seen when they are sent.
    fn prime(&mut self) -> Result<()> {
        if self.request.body.as_bytes().is_some() {
            return Ok(());
        }
        if !self.request.expect {
            self.request.body.prime()?;
        }
        match self.deadline.is_past() {
            true => Err(Error::new(ErrorKind::Timeout(self.deadline.bound()), Phase::Send)),
            false => Ok(()),
        }
    }

    fn attempt(&self, lease: &PoolLease, sent: Sent, trace: Trace, end: End) -> Attempt<'_> {
        Attempt {
            method: &self.request.method,
            keyed: sent.keyed,
            reused: lease.is_reused(),
            sent: trace.accepted > 0,
            withheld: trace.withheld,
            rewindable: self.request.body.can_rewind(),
            end,
        }
    }

    fn checkout(&self) -> Result<PoolLease> {
        let patience = self.timeout().pool.or(self.engine.pool_timeout);
        let deadline = self.deadline.or_within(patience, Bound::Pool);
        match self.engine.gate.checkout(&self.key, deadline) {
            Ok(Checked::Lease(lease)) => Ok(lease),
            Ok(Checked::Permit(permit)) => self.engine.open(permit, &self.key, self.deadline, self.timeout().connect),
            Err(Refused::Closed) => Err(Error::new(ErrorKind::Closed, Phase::Pool)),
            Err(Refused::TimedOut { bound: Bound::Pool, waited, in_use, queued }) => {
                Err(Error::new(ErrorKind::PoolTimeout { waited, in_use, queued }, Phase::Pool))
            }
            Err(Refused::TimedOut { bound, .. }) => Err(Error::new(ErrorKind::Timeout(bound), Phase::Pool)),
        }
    }

    fn exchange(&mut self, lease: &PoolLease, buffers: &mut Buffers, sent: Sent) -> Result<(Received, Trace), Failed> {
        let connection = lease.conn();
        let Request { method, body, timeout, .. } = &mut *self.request;
        let timeout = timeout.as_ref().unwrap_or(&self.policy.timeout);
        let bounds = Bounds { deadline: self.deadline, timeout, cell: &connection.cell };
        let limits = &self.policy.common.limits;
        let mut exchange = Exchange::new(&connection.wire, buffers, limits, bounds, lease.is_reused());
        let result = exchange.run(method, body.outgoing(), sent.expects);
        let trace = exchange.trace();
        match result {
            Ok(received) => Ok((received, trace)),
            Err(error) => Err(Failed { error, trace }),
        }
    }
}

fn response(answered: Answered, policy: &Policy, request: Request) -> Response {
    let Answered { received: Received { head, framing, reusable, .. }, sent, lease, buffers, deadline } = answered;
    // The caller's reader may panic as it is dropped; while there is no response yet the lease gives itself back.
    drop(request.body);
    let facts = head.facts;
    let common = Arc::clone(&policy.common);
    Response::new(Parts {
        head,
        framing,
        reusable: reusable && !sent.close && facts.keep_alive_max != Some(0),
        keep_until: facts.keep_alive_timeout.and_then(keep_until),
        read: request.timeout.as_ref().unwrap_or(&policy.timeout).read,
        max_body: request.max_body.unwrap_or(common.limits.max_body),
        method: request.method,
        url: request.url,
        lease,
        buffers,
        common,
        deadline,
    })
}

/// A 408 that closes, and nothing else came. On a connection that had been idle it means that the server gave up
/// waiting for a request before this one came (RFC 9110, section 15.5.9).
fn is_idle_notice(received: &Received) -> bool {
    received.plain && received.head.status == StatusCode::REQUEST_TIMEOUT && received.head.facts.close
}

fn end_of(error: &Error, trace: Trace) -> End {
    match error.kind() {
        ErrorKind::Disconnected if trace.received == 0 => End::Closed,
        _ => End::Other,
    }
}

/// A second earlier than the server's own word, or half of a single one: a request on its way when the server closes
/// would be lost.
fn keep_until(seconds: u64) -> Option<Instant> {
    let kept = match seconds {
        0 | 1 => Duration::from_millis(500 * seconds),
        _ => Duration::from_secs(seconds - 1),
    };
    Instant::now().checked_add(kept)
}

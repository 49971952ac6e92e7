//! Sends one request to one server: checkout, dial, exchange, and at most one silent replay.

mod head;
mod prepare;
mod replay;
mod reply;
mod shape;

pub(super) use head::{HopFields, LeftOut, ProxyFields, host, sends};
pub(super) use reply::Reply;

use head::SentHead;
use prepare::prepare;
use replay::{FailedExchange, FailureEnd};
use reply::is_idle_notice;

use std::cell::Cell;
use std::time::Duration;

use http::Method;

use super::checkout::checkout;
use super::request::Request;
use super::terms::Terms;
use crate::body::Body;
use crate::close_reason::CloseReason;
use crate::dial::Route;
use crate::error::ResponseHead;
use crate::error::{Error, ErrorKind, Phase, Result, Violation};
use crate::exchange::{Bounds, Buffers, Exchange, Received, Rules as ExchangeRules, Trace, Upload};
use crate::h1::{Framing, Head};
use crate::observe;
use crate::pool::PoolLease;
use crate::pool::key::PoolKey;
use crate::redirect::{self, Decision, RedirectAction, RedirectHop, Redirected, Rules};

/// One request to one server. It is sent over one connection, or over a second one if the first was closed while it was
/// idle.
pub(super) struct Hop<'a> {
    terms: Terms<'a>,
    request: &'a mut Request,
    fields: &'a HopFields,
    key: PoolKey,
    /// The redirects that are followed. `None` if none is followed, or if there is no body to send again.
    resends: Option<Resends<'a>>,
    /// The request is a further round on the connection of the last one. On another connection it means nothing.
    goes_on: bool,
    /// The answer of the caller's function about a redirect that came while the body left.
    asked: Cell<Option<RedirectAction>>,
    /// How far the last exchange came.
    trace: Trace,
}

/// The redirects that a call follows next.
#[derive(Clone, Copy)]
pub(in crate::client) struct Resends<'a> {
    pub(in crate::client) rules: Rules,
    /// The responses of the redirects that the call has followed.
    pub(in crate::client) history: &'a [ResponseHead],
}

impl<'a> Hop<'a> {
    /// Checks the request, and finds the pool that sends it.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidHeader`] and [`ErrorKind::InvalidRequest`] for a request that cannot be sent.
    /// - [`ErrorKind::Timeout`] for a bound of zero.
    #[inline(always)]
    pub(super) fn check(terms: Terms<'_>, request: &mut Request, fields: &HopFields, route: &Route) -> Result<PoolKey> {
        prepare(request, route, terms)?;
        // A bound of zero always fails here. Otherwise the request would pass or fail by chance over a reused
        // connection.
        if let Some(bound) = terms.timeout().passed() {
            return Err(Error::timeout(bound, Some(Duration::ZERO), Phase::Prepare));
        }
        terms.key(route, fields.scheme.as_ref())
    }

    /// Returns the hop of a request that was checked. It is made in place: it has a kilobyte.
    #[inline(always)]
    pub(super) fn new(
        terms: Terms<'a>,
        request: &'a mut Request,
        fields: &'a HopFields,
        key: PoolKey,
        resends: Option<Resends<'a>>,
    ) -> Self {
        let (asked, trace) = (Cell::new(None), Trace::default());
        Hop { terms, request, fields, key, resends, goes_on: false, asked, trace }
    }

    /// Sends the request, and returns the reply. `kept` is the connection of the round before this one.
    pub(super) fn run(&mut self, kept: Option<Box<PoolLease>>) -> Result<Reply> {
        self.prime()?;
        self.goes_on = kept.is_some();
        let mut lease = match kept {
            None => checkout(self.terms, &self.key)?,
            Some(kept) => *kept,
        };
        // Whether bytes of the request have left, in this exchange or the one before.
        let mut has_left = false;
        let mut reason = CloseReason::PeerClosed;
        let pool = &self.terms.common().buffers;
        loop {
            let mut buffers = pool.take();
            let target = self.request.target_on(self.key.route());
            let sent = head::write(&mut buffers.out, target, self.request, self.terms, self.fields);
            let mut body = std::mem::take(&mut self.request.body);
            let result = self.exchange(&mut body, &lease, &mut buffers, sent);
            self.request.body = body;
            let failed = match result {
                Ok(ref received) if self.is_unasked(received) => {
                    has_left = true;
                    Some(Error::violation(Violation::UnexpectedUpgrade, Phase::Head))
                }
                Ok(ref received) => {
                    let end = if is_idle_notice(received) { FailureEnd::IdleNotice } else { FailureEnd::Other };
                    let again = self.may_replay(&lease, sent, end);
                    // If the body cannot be rewound, the 408 is the response.
                    if !again || self.restart().is_err() {
                        self.report(&lease, received);
                        // The head is moved only here, because a move of it costs 30 instructions.
                        return result.map(|received| {
                            let reply =
                                Reply::new(self.terms, self.request, sent, received, lease, buffers, self.fields);
                            Reply { asked: self.asked.take(), ..reply }
                        });
                    }
                    has_left = true;
                    None
                }
                Err(error) => {
                    let error = self.with_answer(error);
                    let trace = &self.trace;
                    // A server that still waits for the body after its 100-continue does not act on the request, unless
                    // it has sent something.
                    has_left |=
                        trace.accepted > 0 && (!trace.withheld || trace.received > 0) && !error.is_unprocessed();
                    let end = end_of(&error, trace);
                    if trace.stale && trace.received > 0 {
                        reason = CloseReason::UnexpectedBytes;
                    }
                    let again = self.may_replay(&lease, sent, end);
                    if again { self.restart().err() } else { Some(error) }
                }
            };
            pool.put(buffers);
            if let Some(error) = failed {
                lease.discard(CloseReason::Failed);
                return Err(error.with_maybe_processed(has_left));
            }
            lease = self.renew(lease, reason).map_err(|error| error.with_maybe_processed(has_left))?;
        }
    }

    /// Returns whether the reply is a 101 although the request has not asked for another protocol.
    #[inline]
    fn is_unasked(&self, received: &Received) -> bool {
        let asks = || self.request.method == Method::CONNECT && received.head.status.is_success();
        received.framing == Framing::Upgrade
            && !(asks() || head::sends(self.terms, self.request, self.fields.left_out, "upgrade"))
    }

    /// Reports the reply to the observer and to the log.
    fn report(&self, lease: &PoolLease, received: &Received) {
        let Received { head, upload, .. } = received;
        let (id, Request { method, url, .. }) = (lease.conn().record.id(), &*self.request);
        self.terms.engine.observer.answered(&observe::Answered { id, method, url, status: head.status });
        if let Some(dropped) = &head.dropped {
            observe::lines_dropped(url, dropped.lines, &dropped.names);
        }
        if *upload == Upload::Closed {
            observe::cut_short(method, url, head.status);
        }
    }

    /// Rewinds the body for the replay.
    fn restart(&mut self) -> Result<()> {
        self.request.rewind()?;
        self.prime()
    }

    /// Closes the dead connection, and opens another in its slot.
    fn renew(&self, lease: PoolLease, reason: CloseReason) -> Result<PoolLease> {
        let engine = self.terms.engine;
        engine.gate.count_replay(&self.key);
        let permit = lease.renew(reason);
        engine.open(permit, &self.key, &self.terms.dialing())
    }

    /// Reads the first piece of a reader before a connection is taken. The read may be slow, and a server may close an
    /// idle connection or send something on it meanwhile. The look at the connection sees that, because it comes after
    /// the read. Other bodies take no time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] if the deadline passes during the read, and the errors of the reader.
    fn prime(&mut self) -> Result<()> {
        if self.request.body.as_bytes().is_some() {
            return Ok(());
        }
        // A body that the server is asked about may never be sent, so it is not read yet.
        if !self.request.expect || self.fields.left_out.no_expect {
            self.request.body.prime()?;
        }
        let until = self.terms.until;
        match until.is_past() {
            true => Err(until.timed_out(Phase::Send)),
            false => Ok(()),
        }
    }

    /// Returns whether the request is silently sent again after this exchange.
    fn may_replay(&self, lease: &PoolLease, sent: SentHead, end: FailureEnd) -> bool {
        let failed = FailedExchange {
            method: &self.request.method,
            keyed: sent.keyed,
            reused: lease.is_reused(),
            sent: self.trace.accepted > 0,
            withheld: self.trace.withheld,
            rewindable: self.request.body.can_rewind(),
            end,
        };
        self.terms.replays() && !self.goes_on && replay::may_replay(&failed)
    }

    /// Sends the request over the connection, and receives the head of the response. The body is apart from the request,
    /// because it is sent while the request is borrowed.
    #[inline(always)]
    fn exchange(
        &mut self,
        body: &mut Body,
        lease: &PoolLease,
        buffers: &mut Buffers,
        sent: SentHead,
    ) -> Result<Received> {
        let (connection, terms, fields) = (lease.conn(), self.terms, self.fields);
        let request = &*self.request;
        let bounds = Bounds { until: terms.until, timeout: terms.timeout(), cell: &connection.cell };
        let (limits, reading) = (&terms.common().limits, terms.reading());
        self.trace = Trace::default();
        let (wire, trace) = (&connection.wire, &mut self.trace);
        let mut exchange = Exchange::new(wire, buffers, limits, reading.strictness, bounds, lease.is_reused(), trace);
        let resends = |head: &Head| {
            self.resends.is_some_and(|next| {
                let host = head::host(request, terms, fields);
                let redirected = Redirected { method: &request.method, url: &request.url, host };
                match redirect::decide(redirected, head.status, &head.headers, next.rules) {
                    Decision::Follow(plan) if !plan.to_get => {
                        let (from, method, history) = (&request.url, &request.method, next.history);
                        let hop =
                            RedirectHop { status: head.status, from, to: &plan.url, method, to_get: false, history };
                        let action = redirect::ask(terms.redirect_when(), &hop);
                        self.asked.set(Some(action));
                        action == RedirectAction::Follow
                    }
                    _ => false,
                }
            })
        };
        let rules = ExchangeRules { expects: sent.expects, resends: &resends, unclean_close: reading.unclean_close };
        // Until the head has arrived. What comes after registers for itself.
        let _registered = terms.until.token().map(|token| connection.cell.cancellable_by(token));
        exchange.run(&request.method, body.outgoing(), &rules)
    }

    /// Adds to the error of an exchange the head of the response that it is about, if a head had arrived.
    #[cold]
    fn with_answer(&mut self, error: Error) -> Error {
        let Some(head) = self.trace.answer.take() else { return error };
        let (method, url) = (self.request.method.clone(), self.request.url.clone().without_fragment());
        error.with_head(head.answer_to(method, url, false))
    }
}

/// Returns how a failed exchange ended.
fn end_of(error: &Error, trace: &Trace) -> FailureEnd {
    match error.kind() {
        _ if error.ends_call() => FailureEnd::Other,
        ErrorKind::Disconnected if trace.received == 0 || trace.stale => FailureEnd::Closed,
        ErrorKind::Protocol(Violation::StatusLine) if trace.stale => FailureEnd::Closed,
        _ => FailureEnd::Other,
    }
}

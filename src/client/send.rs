//! The way of one request to one server: checkout, dial, exchange, and at most one silent replay.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};

use super::encode::{self, Extra, Sent};
use super::engine::Engine;
use super::policy::Policy;
use super::replay::{self, Attempt, End};
use super::request::Request;
use crate::dial::Route;
use crate::error::{Bound, Error, ErrorKind, Phase, ResponseHead, Result, Violation};
use crate::exchange::{Bounds, Buffers, Exchange, Received, Rules as ExchangeRules, Trace, Upload};
use crate::h1::{Framing, Head};
use crate::observe;
use crate::pool::PoolLease;
use crate::pool::gate::{Checked, Refused};
use crate::pool::key::PoolKey;
use crate::pool::stats::CloseReason;
use crate::redirect::{self, Redirected};
use crate::response::{Parts, Response};
use crate::retry::Retry;
use crate::strictness::Strictness;
use crate::time::{Deadline, Stamp, Timeout, Until};
use crate::url::Url;

/// One request on its way, over as many connections as that takes: one, or one more if the first was a leftover.
pub(super) struct Hop<'a> {
    engine: &'a Arc<Engine>,
    policy: &'a Policy,
    request: &'a mut Request,
    extra: &'a Extra,
    key: PoolKey,
    until: Until<'a>,
    /// The rules by which a redirect is followed; `None` if none is, or there is no body to take along.
    resends: Option<redirect::Rules>,
}

/// A response's head, and the connection that its body is to be read from.
pub(super) struct Answered {
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
    pub(super) fn new(
        engine: &'a Arc<Engine>,
        policy: &'a Policy,
        request: &'a mut Request,
        until: Until<'a>,
        extra: &'a Extra,
        resends: Option<redirect::Rules>,
    ) -> Result<Self> {
        encode::prepare(request, policy)?;
        // By a kept connection such a request would pass or fail by chance.
        if let Some(bound) = request.timeout.as_ref().unwrap_or(&policy.timeout).passed() {
            return Err(Error::new(ErrorKind::Timeout(bound), Phase::Prepare));
        }
        // A pool of one host goes there, whatever the URL names.
        let home = policy.reach.home.as_ref().unwrap_or(request.url.shared_origin());
        let key = engine.key(&Route::to(home), &policy.reach);
        Ok(Hop { engine, policy, request, extra, key, until, resends })
    }

    fn timeout(&self) -> &Timeout {
        self.request.timeout.as_ref().unwrap_or(&self.policy.timeout)
    }

    pub(super) fn run(mut self) -> Result<Answered> {
        self.prime()?;
        let mut lease = self.checkout()?;
        // Bytes of the request have left, by this attempt or the one before.
        let mut left = false;
        let mut reason = CloseReason::PeerClosed;
        loop {
            let mut buffers = self.policy.common.buffers.take();
            let target = self.request.target_on(self.key.route());
            let sent = encode::head(&mut buffers.out, target, self.request, self.policy, self.extra);
            let failed = match self.exchange(&lease, &mut buffers, sent) {
                Ok((received, trace)) => {
                    let end = if is_idle_notice(&received) { End::IdleNotice } else { End::Other };
                    let again = self.may_replay() && replay::decide(&self.attempt(&lease, sent, trace, end));
                    // An answer in hand is worth more than a body that turns out to go back nowhere.
                    if !again || self.restart().is_err() {
                        self.tell(&lease, &received);
                        return Ok(Answered { received, sent, lease, buffers, deadline: self.until.deadline() });
                    }
                    left = true;
                    None
                }
                Err(Failed { error, trace }) => {
                    // Of a body that was promised and not sent a server makes nothing, unless it says so.
                    left |= trace.accepted > 0 && (!trace.withheld || trace.received > 0);
                    let end = end_of(&error, trace);
                    if trace.stale && trace.received > 0 {
                        reason = CloseReason::UnexpectedBytes;
                    }
                    let again = self.may_replay() && replay::decide(&self.attempt(&lease, sent, trace, end));
                    if again { self.restart().err() } else { Some(error) }
                }
            };
            self.policy.common.buffers.put(buffers);
            if let Some(error) = failed {
                lease.discard(CloseReason::Failed);
                return Err(error.with_maybe_processed(left));
            }
            lease = self.renew(lease, reason).map_err(|error| error.with_maybe_processed(left))?;
        }
    }

    fn tell(&self, lease: &PoolLease, received: &Received) {
        let Received { head, upload, .. } = received;
        let (id, Request { method, url, .. }) = (lease.conn().record.id(), &*self.request);
        self.engine.observer.answered(&observe::Answered { id, method, url, status: head.status });
        if let Some(dropped) = &head.dropped {
            observe::lines_dropped(url, dropped.lines, &dropped.names);
        }
        if *upload == Upload::Closed {
            observe::cut_short(method, url, head.status);
        }
    }

    /// The body goes back to its start.
    fn restart(&mut self) -> Result<()> {
        let rewound = self.request.body.rewind();
        rewound.map_err(|error| Error::new(ErrorKind::UnrewindableBody, Phase::Send).with_own_source(error))?;
        self.prime()
    }

    /// The request is sent again: a fresh connection takes the place of the dead one.
    fn renew(&self, lease: PoolLease, reason: CloseReason) -> Result<PoolLease> {
        self.engine.gate.count_replay(&self.key);
        let permit = lease.renew(reason);
        self.engine.open(permit, &self.key, self.until, self.timeout())
    }

    /// A reader's first piece is read before there is a connection: what a server says to an idle one meanwhile is seen
    /// when it is looked at. Other bodies take no time, and what is past by then is seen when they are sent.
    fn prime(&mut self) -> Result<()> {
        if self.request.body.as_bytes().is_some() {
            return Ok(());
        }
        if !self.request.expect || self.extra.unasked {
            self.request.body.prime()?;
        }
        match self.until.is_past() {
            true => Err(Error::new(ErrorKind::Timeout(self.until.bound()), Phase::Send)),
            false => Ok(()),
        }
    }

    fn may_replay(&self) -> bool {
        self.request.options().and_then(|options| options.replay).unwrap_or(!self.policy.no_replay)
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
        let own = self.request.options().and_then(|options| options.pool_timeout);
        let patience = own.or(self.timeout().pool).or(self.engine.pool_timeout);
        let until = self.until.or_within(patience, Bound::Pool);
        match self.engine.gate.checkout(&self.key, until) {
            Ok(Checked::Lease(lease)) => Ok(lease),
            Ok(Checked::Permit(permit)) if self.policy.reach.is_closed_pool() => {
                drop(permit);
                Err(Error::new(ErrorKind::Closed, Phase::Pool))
            }
            Ok(Checked::Permit(permit)) => {
                // The pool may have been retired while this call waited; what it opens belongs to one that is known.
                self.engine.key(self.key.route(), &self.policy.reach);
                self.engine.open(permit, &self.key, self.until, self.timeout())
            }
            Err(Refused::Closed) => Err(Error::new(ErrorKind::Closed, Phase::Pool)),
            Err(Refused::TimedOut { bound: Bound::Pool, waited, in_use, queued }) => {
                Err(Error::new(ErrorKind::PoolTimeout { waited, in_use, queued }, Phase::Pool))
            }
            Err(Refused::WouldDeadlock { held }) => Err(Error::new(ErrorKind::WouldDeadlock { held }, Phase::Pool)),
            Err(Refused::TimedOut { bound, .. }) => Err(Error::new(ErrorKind::Timeout(bound), Phase::Pool)),
        }
    }

    fn exchange(&mut self, lease: &PoolLease, buffers: &mut Buffers, sent: Sent) -> Result<(Received, Trace), Failed> {
        let connection = lease.conn();
        let unclean_close = self.policy.allows_unclean_close(self.request);
        let strictness = self.policy.strictness(self.request);
        // Out of the request, which others are shown meanwhile.
        let mut body = std::mem::take(&mut self.request.body);
        let (request, policy, extra) = (&*self.request, self.policy, self.extra);
        let bounds = Bounds { until: self.until, timeout: self.timeout(), cell: &connection.cell };
        let limits = &policy.common.limits;
        let mut exchange = Exchange::new(&connection.wire, buffers, limits, strictness, bounds, lease.is_reused());
        let resends = |head: &Head| {
            let Some(rules) = self.resends else { return false };
            let host = encode::host(request, policy, extra);
            let redirected = Redirected { method: &request.method, url: &request.url, host };
            redirect::decide(redirected, head.status, &head.headers, rules).keeps_body()
        };
        let rules = ExchangeRules { expects: sent.expects, resends: &resends, unclean_close };
        let result = exchange.run(&request.method, body.outgoing(), &rules);
        let trace = exchange.trace();
        let result = result.map(|received| (received, trace)).map_err(|error| {
            let about = |head: Box<Head>| {
                let (method, url) = (request.method.clone(), request.url.clone().without_fragment());
                ResponseHead::new(&head, method, url, false)
            };
            let error = match exchange.take_answer() {
                None => error,
                Some(head) => error.with_head(about(head)),
            };
            Failed { error, trace }
        });
        self.request.body = body;
        result
    }
}

/// What a response has to know of its request.
pub(super) struct Subject {
    method: Method,
    url: Url,
    read: Option<Duration>,
    max_body: Option<u64>,
    strictness: Strictness,
    /// Coded bodies are decoded.
    decode: bool,
    /// A body that only the end of the connection delimits is not read.
    no_body_until_close: bool,
    /// A body may end before its Content-Length.
    may_end_early: bool,
    /// The end of a TLS stream may be unclean.
    unclean_close: bool,
}

impl Subject {
    /// Of a request that is no longer needed.
    pub(super) fn of(request: Request, policy: &Policy) -> Subject {
        let (read, no_body_until_close, may_end_early) = Subject::options(&request, policy);
        let unclean_close = policy.allows_unclean_close(&request);
        let (max_body, decode, strictness) = (request.max_body, policy.decodes(&request), policy.strictness(&request));
        let (method, url) = (request.method, request.url.without_fragment());
        Subject { method, url, read, max_body, strictness, decode, no_body_until_close, may_end_early, unclean_close }
    }

    /// Of one that goes on.
    pub(super) fn about(request: &Request, policy: &Policy) -> Subject {
        let (read, no_body_until_close, may_end_early) = Subject::options(request, policy);
        let unclean_close = policy.allows_unclean_close(request);
        let (max_body, decode, strictness) = (request.max_body, policy.decodes(request), policy.strictness(request));
        let (method, url) = (request.method.clone(), request.url.clone().without_fragment());
        Subject { method, url, read, max_body, strictness, decode, no_body_until_close, may_end_early, unclean_close }
    }

    fn options(request: &Request, policy: &Policy) -> (Option<Duration>, bool, bool) {
        let read = request.timeout.as_ref().unwrap_or(&policy.timeout).read;
        let no_body_until_close = request.options().is_some_and(|options| options.no_body_until_close);
        let may_end_early = request.options().is_some_and(|options| options.may_end_early);
        (read, no_body_until_close, may_end_early)
    }
}

impl Answered {
    pub(super) fn head(&self) -> &Head {
        &self.received.head
    }

    /// Returns whether the request asked for a 100.
    pub(super) fn expected(&self) -> bool {
        self.sent.expects
    }

    pub(super) fn response(
        self,
        policy: &Policy,
        subject: Subject,
        history: Vec<ResponseHead>,
        retries: Option<Box<Retry>>,
    ) -> Response {
        let Answered { received, sent, lease, buffers, deadline } = self;
        let Received { head, framing, reusable, tolerated, upload, ending, .. } = received;
        let Subject {
            method,
            url,
            read,
            max_body,
            strictness,
            decode,
            no_body_until_close,
            may_end_early,
            unclean_close,
        } = subject;
        let facts = head.facts;
        let common = Arc::clone(&policy.common);
        let unread = no_body_until_close && framing == Framing::UntilClose;
        Response::new(Parts {
            head,
            framing: if unread { Framing::Empty } else { framing },
            reusable: reusable && !unread && !sent.close && facts.keep_alive_max != Some(0),
            tolerated: tolerated && !unread && !sent.close,
            keep_until: facts.keep_alive_timeout.and_then(keep_until),
            read,
            max_body: max_body.unwrap_or(common.limits.max_body),
            strictness,
            decode,
            may_end_early,
            unclean_close,
            ending,
            request_body_complete: upload == Upload::Whole,
            method,
            url,
            history,
            retries,
            lease,
            buffers,
            common,
            deadline,
        })
    }
}

/// A 408 that closes, and nothing else came. On a connection that had been idle it means that the server gave up
/// waiting for a request before this one came (RFC 9110, section 15.5.9).
fn is_idle_notice(received: &Received) -> bool {
    received.plain && received.head.status == StatusCode::REQUEST_TIMEOUT && received.head.facts.close
}

fn end_of(error: &Error, trace: Trace) -> End {
    match error.kind() {
        ErrorKind::Disconnected if trace.received == 0 || trace.stale => End::Closed,
        ErrorKind::Protocol(Violation::StatusLine) if trace.stale => End::Closed,
        _ => End::Other,
    }
}

/// A second earlier than the server's own word, or half of a single one: a request on its way when the server closes
/// would be lost.
fn keep_until(seconds: u32) -> Option<Stamp> {
    let kept = match seconds {
        0 | 1 => Duration::from_millis(500 * u64::from(seconds)),
        _ => Duration::from_secs(u64::from(seconds) - 1),
    };
    Stamp::now().checked_add(kept)
}

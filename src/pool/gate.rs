//! One mutex around the core: lock, decide, unlock, act.
//!
//! Everything that may take long or run foreign code, such as the look at a connection or its close, happens after the
//! lock is released. A [`Lease`] or a [`Permit`] owns each unit that is given out, and gives it back when it is
//! dropped, whatever happened in between.

use std::fmt;
use std::marker::PhantomData;
use std::panic::RefUnwindSafe;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::core::{Checkout, Core, Grant, Holding, Idle, PinId, Pressure, Settle, Ticket, Turn, UnitId, Victim};
use super::pooled::{Pooled, Watch, verdict};
use super::reaper::Reaper;
use super::spare::Spare;
use super::stats::PoolStats;
use super::types::{CoreTypes, Ending, Key, OWN_WAIT, Settings};
use crate::cancel::Blocked;
use crate::close_reason::CloseReason;
use crate::contain::{contain, drop_contained};
use crate::error::Bound;
use crate::net::abort::AbortCell;
use crate::observe::is_telling;
use crate::process::Home;
use crate::sync::{Condvar, Mutex, thread_number, wait_until};
use crate::time::{Deadline, Stamp, Until};

/// The types of a core inside a gate.
pub(super) struct GateTypes<K, C>(PhantomData<(K, C)>);

impl<K: Key, C> CoreTypes for GateTypes<K, C> {
    type Key = K;
    type Conn = C;
    type Abort = Arc<AbortCell>;
    type Waker = Arc<Condvar>;
}

pub(crate) struct Gate<K: Key, C> {
    core: Mutex<Core<GateTypes<K, C>>>,
    /// Wakes callers that sleep between two tries. They are in no queue.
    parked: Condvar,
    pub(crate) settings: Settings,
    probe_after: Duration,
    watch: Option<Box<dyn Watch<K>>>,
    reaper: Option<Reaper>,
    /// The process that dialed last.
    home: AtomicU32,
}

// A panic leaves it whole: none of the caller's code runs while the lock is held, and each slot comes back.
impl<K: Key, C> RefUnwindSafe for Gate<K, C> {}

/// The result of a checkout: an open connection, or the right to open one.
pub(crate) enum Checked<K: Key, C: Pooled> {
    Lease(Lease<K, C>),
    Permit(Permit<K, C>),
}

/// Why a checkout fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Closed,
    /// Another thread has ended the call.
    Cancelled,
    /// The bound on waiting passed.
    TimedOut {
        bound: Bound,
        waited: Duration,
        in_use: usize,
        held_here: usize,
        queued: usize,
    },
    /// The caller's own thread holds every connection that the call waits for. `held` is the number of one of them.
    WouldDeadlock {
        held: u64,
    },
}

impl<K: Key, C> Gate<K, C> {
    /// Runs `act` on the core, and drops the keys that it forgets after the lock is released. A key can be the last
    /// owner of the user's dialer, whose drop is foreign code.
    fn locked<R>(&self, act: impl FnOnce(&mut Core<GateTypes<K, C>>) -> R) -> R {
        let (result, forgotten) = {
            let mut core = self.core.lock();
            (act(&mut core), core.take_forgotten())
        };
        if !forgotten.is_empty() {
            // The caller still has to act on the result, even if a drop panics.
            drop_contained(forgotten);
        }
        result
    }
}

impl<K: Key, C: Pooled> Gate<K, C> {
    pub(crate) fn new(settings: Settings, probe_after: Duration, watch: Option<Box<dyn Watch<K>>>) -> Arc<Self> {
        let (core, parked) = (Mutex::new(Core::new(settings)), Condvar::new());
        let reaper = settings.reap_every.map(Reaper::new);
        let home = Home::here().stored();
        Arc::new(Gate { core, parked, settings, probe_after, watch, reaper, home })
    }

    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    pub(super) fn reaper(&self) -> Option<&Reaper> {
        self.reaper.as_ref()
    }

    /// Returns a connection or a permit for `key`. Waits in the queue for it until the deadline.
    #[cfg(test)]
    pub(crate) fn checkout(self: &Arc<Self>, key: &K, until: Until<'_>) -> Result<Checked<K, C>, Refused> {
        self.checkout_within(key, until, None)
    }

    /// Returns a connection or a permit for `key`. Waits in the queue for it until the deadline, and no longer than
    /// `limit`.
    pub(crate) fn checkout_within(
        self: &Arc<Self>,
        key: &K,
        until: Until<'_>,
        limit: Option<Duration>,
    ) -> Result<Checked<K, C>, Refused> {
        let now = Stamp::now();
        let idle = self.core.lock().reuse(key, now, thread_number());
        match idle {
            Some(idle) => {
                let (lease, suspect) = self.lease(idle);
                match self.look(&lease, suspect, now) {
                    Ok(()) => Ok(lease.begin()),
                    Err(reason) => Ok(self.probe(self.replace(lease, reason, now), now)),
                }
            }
            None => self.open_or_wait(key, until.or_within(limit, Bound::Pool), now),
        }
    }

    /// Returns whether a connection that came back at `since` is used without a look at it.
    pub(super) fn is_trusted(&self, since: Stamp, suspect: bool, now: Stamp) -> bool {
        // The connection may have come back after the clock was read. No time has passed then.
        !suspect && now.saturating_since(since) < self.probe_after
    }

    #[cold]
    fn open_or_wait(self: &Arc<Self>, key: &K, until: Until<'_>, now: Stamp) -> Result<Checked<K, C>, Refused> {
        let started = Instant::now();
        // A listener does not wait: the call that it is told of may have the connection it would wait for.
        let at_once = Deadline::after(started, Some(Duration::ZERO), Bound::Pool);
        let until = if is_telling() { until.with_deadline(at_once) } else { until };
        let spare = Spare::default();
        let (abort, waker) = (|| spare.abort(), || spare.waker().clone());
        let thread = thread_number();
        let (checkout, victims, own) = self.locked(|core| {
            let (checkout, victims) = core.checkout(key, now, thread, abort, waker);
            let own = match &checkout {
                // A wait with a deadline ends by itself.
                Checkout::Queued(ticket) if until.at().is_none() => core.held_by(*ticket, thread, Duration::ZERO),
                _ => None,
            };
            (checkout, victims, own)
        });
        let (held, now) = match checkout {
            Checkout::Granted(grant) => (self.hold(grant), now),
            Checkout::Closed => return Err(Refused::Closed),
            // Idle time is measured from here, because the wait may have been long.
            Checkout::Queued(ticket) => (self.queue(key, ticket, spare.waker(), until, started, own)?, Stamp::now()),
        };
        // The victims are closed before the grant is used: a permit may stand for the slot of one of them.
        if victims.iter().any(Option::is_some) {
            self.close_victims(victims.into_iter().flatten());
        }
        Ok(self.probe(held, now))
    }

    fn queue(
        self: &Arc<Self>,
        key: &K,
        ticket: Ticket,
        parker: &Condvar,
        until: Until<'_>,
        started: Instant,
        own: Option<Holding<Arc<AbortCell>>>,
    ) -> Result<Held<K, C>, Refused> {
        if let Some(watch) = &self.watch {
            watch.waiting(key);
            if let Some(Holding { one: Some(cell), alone_for, .. }) = &own {
                watch.waits_for_itself(key, cell.connection(), alone_for.is_some());
            }
        }
        // The grant has its owner before foreign code runs.
        let place = until.token().map(|_| Arc::new(Place { gate: Arc::downgrade(self), ticket }));
        let registered = place.as_ref().and_then(|place| {
            until.register(|| {
                let place: Weak<dyn Blocked> = Arc::<Place<K, C>>::downgrade(place);
                (place, 0)
            })
        });
        let waited = self.wait(key, ticket, parker, until, started, own);
        let held = waited.map(|grant| self.hold(grant));
        drop(registered);
        if let Some(watch) = &self.watch {
            watch.waited(key, started.elapsed(), held.is_ok());
        }
        held
    }

    fn wait(
        &self,
        key: &K,
        ticket: Ticket,
        parker: &Condvar,
        until: Until<'_>,
        started: Instant,
        own: Option<Holding<Arc<AbortCell>>>,
    ) -> Result<Grant<C>, Refused> {
        let thread = thread_number();
        let (mut refused, mut ask_at) = self.own_wait(own, started);
        let mut core = self.core.lock();
        // A refused or cancelled wait ends at once, unless its turn has come already.
        let mut timed_out = refused.is_some() || until.is_fired();
        loop {
            // If the turn comes while the wait times out, `cancel` returns the grant.
            let (now, idle_now) = (Instant::now(), Stamp::now());
            let turn =
                if timed_out { core.cancel(ticket, idle_now, thread) } else { core.turn(ticket, idle_now, thread) };
            let waited = now.saturating_duration_since(started);
            match turn {
                Turn::Waiting => {}
                Turn::Granted(grant) => {
                    core.count_wait(key, waited, false);
                    return Ok(grant);
                }
                Turn::Closed => return Err(Refused::Closed),
                Turn::Cancelled => {
                    // Only a wait that ended by itself is a timeout, and counted as one.
                    let cancelled = !timed_out || until.is_fired();
                    core.count_wait(key, waited, refused.is_none() && !cancelled && !is_telling());
                    if let Some(held) = refused {
                        return Err(Refused::WouldDeadlock { held });
                    }
                    if cancelled {
                        return Err(Refused::Cancelled);
                    }
                    let Pressure { in_use, held_here, queued } = core.pressure(key, thread);
                    return Err(Refused::TimedOut { bound: until.bound(), waited, in_use, held_here, queued });
                }
            }
            // A wait with a deadline ends by itself, and is not asked about its own thread.
            let ask = ask_at.filter(|_| until.at().is_none());
            let Some(at) = until.slice_end().into_iter().chain(ask).min() else {
                parker.wait(&mut core);
                continue;
            };
            if !wait_until(parker, &mut core, at) {
                continue;
            }
            if until.slice().is_some() {
                drop(core);
                until.tick();
                core = self.core.lock();
            }
            timed_out = until.at() == Some(at) || until.is_fired();
            let now = Instant::now();
            if ask.is_some_and(|ask| until.slice().is_none() || ask <= now) {
                let own = core.held_by(ticket, thread, now.saturating_duration_since(started));
                (refused, ask_at) = self.own_wait(own, now);
                timed_out |= refused.is_some();
            }
        }
    }

    /// Decides about a wait without a bound, by what the caller's own thread holds. Returns the number of a connection
    /// of the thread if the wait is refused, and the time to ask again.
    fn own_wait(&self, own: Option<Holding<Arc<AbortCell>>>, now: Instant) -> (Option<u64>, Option<Instant>) {
        let (Some(Holding { one, alone_for, any: true }), Some(limit)) = (own, self.settings.own_wait) else {
            return (None, None);
        };
        let refused = one.filter(|_| alone_for.is_some_and(|time| time >= limit)).map(|cell| cell.connection());
        // Another thread wakes this one when it releases a connection for it, and not when it touches one.
        let every = if limit.is_zero() { OWN_WAIT } else { limit };
        (refused, now.checked_add(every))
    }

    fn hold(self: &Arc<Self>, grant: Grant<C>) -> Held<K, C> {
        match grant {
            Grant::Permit { unit } => Held::Permit(Permit { unit: self.own(unit, Ending::Unused) }),
            Grant::Conn(idle) => {
                let (lease, suspect) = self.lease(idle);
                Held::Lease(lease, suspect)
            }
        }
    }

    fn lease(self: &Arc<Self>, idle: Idle<C>) -> (Lease<K, C>, bool) {
        let Idle { unit, conn, since, suspect } = idle;
        let unit = self.own(unit, Ending::Closed(CloseReason::Failed));
        (Lease { conn, since: Some(since), unit }, suspect)
    }

    fn own(self: &Arc<Self>, id: UnitId, ending: Ending) -> Unit<K, C> {
        Unit { gate: Arc::clone(self), id: Some(id), ending }
    }

    /// Looks at a connection that was idle. Replaces a dead one, of which the caller learns nothing.
    fn probe(self: &Arc<Self>, mut held: Held<K, C>, now: Stamp) -> Checked<K, C> {
        loop {
            let (lease, suspect) = match held {
                Held::Permit(permit) => return Checked::Permit(permit),
                Held::Lease(lease, suspect) => (lease, suspect),
            };
            held = match self.look(&lease, suspect, now) {
                Ok(()) => return lease.begin(),
                Err(reason) => self.replace(lease, reason, now),
            };
        }
    }

    /// Looks at a connection that was idle, unless it is trusted.
    #[inline]
    fn look(&self, lease: &Lease<K, C>, suspect: bool, now: Stamp) -> Result<(), CloseReason> {
        match self.is_trusted(lease.since.unwrap_or(now), suspect, now) {
            // Its shutdown may still be on its way.
            _ if lease.conn.is_aborted() => Err(CloseReason::BodyAbandoned),
            true => Ok(()),
            false => lease.conn.probe(),
        }
    }

    /// Closes a dead connection. Returns what takes its place.
    #[cold]
    fn replace(self: &Arc<Self>, lease: Lease<K, C>, reason: CloseReason, now: Stamp) -> Held<K, C> {
        let since = lease.since.unwrap_or(now);
        let mut unit = lease.close(reason);
        let Some(id) = unit.id.take() else { return Held::Permit(Permit { unit }) };
        let (grant, victim) = self.locked(|core| core.replace_dead(id, since, reason, now));
        let held = self.hold(grant);
        self.close_victims(victim);
        held
    }

    /// Closes connections and settles their units. If one close panics, the others follow all the same.
    pub(super) fn close_victims(&self, victims: impl IntoIterator<Item = Victim<C>>) {
        for victim in victims {
            // The panic of a user's transport must not reach an unrelated caller who closes its connection.
            contain(|| self.close_victim(victim));
        }
    }

    /// Closes a connection and settles its unit. Does the same with each further connection that has to be closed then.
    fn close_victim(&self, victim: Victim<C>) {
        let mut next = Some(victim);
        while let Some(Victim { mut conn, reason, settle }) = next {
            // The guard is dropped after the connection, even if the close panics, so the unit comes back in any case.
            let guard = SettleGuard { gate: self, settle: Some(settle) };
            conn.ends(reason);
            drop(conn);
            next = guard.settle();
        }
    }

    #[cold]
    fn close_refused(&self, victim: Victim<C>, surplus: u64) {
        // A user who wants no idle connections is not told that there is no room for them.
        if victim.reason == CloseReason::PoolFull && self.settings.idle_limit != Some(0) {
            victim.conn.report_surplus(surplus);
        }
        self.close_victims([victim]);
    }

    /// Sleeps until `ends`, as a call does between two tries. Fails at once if the gate is closed or the token of
    /// `until` fires, and as soon as `stays` returns false.
    ///
    /// `stays` is called under the lock: at the beginning, and again when a key is closed. The state that it reads must
    /// change before the key is closed.
    pub(crate) fn park_while(
        self: &Arc<Self>,
        ends: Instant,
        until: Until<'_>,
        stays: impl Fn() -> bool,
    ) -> Result<(), Refused> {
        let _registered = until.register(|| {
            let gate: Weak<dyn Blocked> = Arc::<Self>::downgrade(self);
            (gate, 0)
        });
        let mut core = self.core.lock();
        loop {
            if until.is_fired() {
                return Err(Refused::Cancelled);
            }
            if core.is_closed() || !stays() {
                return Err(Refused::Closed);
            }
            if Instant::now() >= ends {
                return Ok(());
            }
            let slice = until.slice().and_then(|slice| Instant::now().checked_add(slice));
            let at = slice.map_or(ends, |slice| slice.min(ends));
            if wait_until(&self.parked, &mut core, at) && slice.is_some() {
                drop(core);
                until.tick();
                core = self.core.lock();
            }
        }
    }

    /// Refuses all later callers and closes idle connections. With `abort`, also ends every running call.
    pub(crate) fn close(&self, abort: bool) {
        let (victims, running) = {
            let mut core = self.core.lock();
            let victims = core.close();
            let running: Vec<_> =
                if abort { core.aborts(None).iter().map(|cell| cell.handle()).collect() } else { Vec::new() };
            (victims, running)
        };
        self.parked.notify_all();
        if let Some(reaper) = &self.reaper {
            reaper.end();
        }
        for handle in running {
            // A user's transport may panic. The other calls are ended all the same.
            contain(|| handle.abort());
        }
        self.close_victims(victims);
    }

    /// Ends all waits and all running calls; with a key, those for it. Later callers are served.
    pub(crate) fn cancel_all(&self, key: Option<&K>) {
        let running: Vec<_> = {
            let mut core = self.core.lock();
            core.interrupt_all(key);
            core.aborts(key).iter().map(|cell| cell.handle()).collect()
        };
        self.parked.notify_all();
        for handle in running {
            contain(|| handle.cancel());
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.core.lock().is_closed()
    }

    /// Closes idle connections now, and those in use when they come back.
    pub(crate) fn retire_idle(&self) {
        let victims = self.core.lock().retire_idle();
        self.close_victims(victims);
    }

    /// Closes the connection that has been idle for longest, because its descriptor is needed. Its slot is free when
    /// this returns. Returns false if no connection is idle.
    pub(crate) fn close_oldest_idle(&self) -> bool {
        let victim = self.core.lock().evict_oldest(CloseReason::OutOfDescriptors);
        let found = victim.is_some();
        self.close_victims(victim);
        found
    }

    /// Leaves the parent's connections to it, in a child of `fork` before the child's first dial. Here they are closed,
    /// idle ones now and the others when they come back; in the parent they stay open. The parent's reaper thread does
    /// not exist here either.
    #[cold]
    fn leave_parent(&self, dialing: UnitId) {
        let victims = self.core.lock().retire_all_but(dialing);
        if let Some(reaper) = &self.reaper {
            reaper.stops();
        }
        self.close_victims(victims);
    }

    /// Closes idle connections that have expired or that the peer has closed. Returns false if no connection is open
    /// any more.
    ///
    /// Sockets are looked at without the lock. A connection found closed is taken out only if it was not used
    /// meanwhile.
    fn reap(&self) -> bool {
        let (expired, idle) = {
            let mut core = self.core.lock();
            if core.is_empty() {
                self.reaper.as_ref().inspect(|reaper| reaper.stops());
                return false;
            }
            (core.expire(Stamp::now()), core.seen_idle())
        };
        self.close_victims(expired);
        let dead: Vec<_> =
            idle.into_iter().filter_map(|(unit, cell)| Some((unit, verdict(cell.look()).err()?))).collect();
        if dead.is_empty() {
            return true;
        }
        let victims: Vec<_> = {
            let mut core = self.core.lock();
            dead.into_iter().filter_map(|(unit, reason)| core.evict_if_unused(unit, reason)).collect()
        };
        self.close_victims(victims);
        true
    }

    /// Retires one key: closes its idle connections now, and those in use when they come back. A connection counts for
    /// its endpoint until it is closed.
    pub(crate) fn retire(&self, key: &K) {
        let victims = self.core.lock().retire(key);
        self.close_victims(victims);
    }

    /// Retires a key and fails all calls that wait for it. Later calls are served. The returned closure closes the idle
    /// connections; it must be called without locks.
    #[must_use = "what was idle is closed by calling it"]
    pub(crate) fn close_key(&self, key: &K) -> impl FnOnce() + use<'_, K, C> {
        let victims = self.core.lock().close_key(key);
        self.parked.notify_all();
        move || self.close_victims(victims)
    }

    pub(crate) fn count_replay(&self, key: &K) {
        self.core.lock().count_replay(key);
    }

    pub(crate) fn stats(&self) -> PoolStats {
        self.core.lock().stats()
    }

    /// Returns the state of one key, and its counts since it was pinned.
    pub(crate) fn stats_of(&self, key: &K) -> PoolStats {
        self.core.lock().stats_of(key)
    }

    /// Pins a key: its counts are kept even while none of its connections is open.
    pub(crate) fn pin(self: &Arc<Self>, key: &K) -> Pin<K, C> {
        let id = self.core.lock().pin(key);
        Pin { gate: Arc::clone(self), id }
    }

    /// Returns whether the key has a connection, a permit, a waiter, or another pin beside one.
    pub(crate) fn is_used(&self, key: &K) -> bool {
        self.core.lock().is_used(key)
    }

    #[cfg(test)]
    pub(crate) fn audit(&self) {
        self.core.lock().audit();
    }

    /// Ends the oldest wait, as a cancelled call does.
    #[cfg(test)]
    pub(crate) fn interrupt_oldest(&self) {
        let mut core = self.core.lock();
        if let Some(ticket) = core.oldest_ticket() {
            core.interrupt(ticket);
        }
    }
}

/// A call that sleeps between two tries is blocked in its gate.
impl<K: Key, C: Pooled> Blocked for Gate<K, C> {
    fn cancel(&self, _: u64) {
        // A sleeper that has asked its token before it fired waits by the time that the lock is free.
        drop(self.core.lock());
        self.parked.notify_all();
    }
}

/// A place in the queue, as what a token ends.
struct Place<K: Key, C> {
    gate: Weak<Gate<K, C>>,
    ticket: Ticket,
}

impl<K: Key, C: Pooled> Blocked for Place<K, C> {
    fn cancel(&self, _: u64) {
        if let Some(gate) = self.gate.upgrade() {
            gate.core.lock().interrupt(self.ticket);
        }
    }
}

/// Keeps a key pinned until it is dropped.
pub(crate) struct Pin<K: Key, C> {
    gate: Arc<Gate<K, C>>,
    id: PinId,
}

impl<K: Key, C> fmt::Debug for Pin<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({:?})", self.id)
    }
}

impl<K: Key, C> Drop for Pin<K, C> {
    fn drop(&mut self) {
        self.gate.locked(|core| core.unpin(self.id));
    }
}

impl<K: Key, C> fmt::Debug for Gate<K, C> {
    /// Writes one line: `open 2/10 (at most 4 an endpoint), idle 1, in use 1, waiting 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stats, closed) = {
            let core = self.core.lock();
            (core.stats(), core.is_closed())
        };
        write!(f, "open {}", stats.open)?;
        match (self.settings.open_limit, self.settings.total_limit) {
            (None, None) => {}
            (Some(limit), None) => write!(f, " (at most {limit} an endpoint)")?,
            (None, Some(total)) => write!(f, "/{total}")?,
            (Some(limit), Some(total)) => write!(f, "/{total} (at most {limit} an endpoint)")?,
        }
        write!(f, ", idle {}, in use {}, waiting {}", stats.idle, stats.in_use, stats.waiting)?;
        if stats.dialing > 0 {
            write!(f, ", dialing {}", stats.dialing)?;
        }
        f.write_str(if closed { ", closed" } else { "" })
    }
}

enum Held<K: Key, C: Pooled> {
    Lease(Lease<K, C>, bool),
    Permit(Permit<K, C>),
}

/// The owner of one unit. Ends it when dropped.
struct Unit<K: Key, C: Pooled> {
    gate: Arc<Gate<K, C>>,
    /// `None` once the unit has another owner.
    id: Option<UnitId>,
    /// The ending to note if the unit is dropped now.
    ending: Ending,
}

impl<K: Key, C: Pooled> Unit<K, C> {
    #[cold]
    fn end(&self, id: UnitId) {
        let victim = self.gate.locked(|core| core.discard(id, self.ending));
        self.gate.close_victims(victim);
    }
}

impl<K: Key, C: Pooled> Drop for Unit<K, C> {
    #[inline]
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.end(id);
        }
    }
}

/// Settles the unit of a victim, at the latest when it is dropped.
struct SettleGuard<'a, K: Key, C: Pooled> {
    gate: &'a Gate<K, C>,
    settle: Option<Settle>,
}

impl<K: Key, C: Pooled> SettleGuard<'_, K, C> {
    fn settle(mut self) -> Option<Victim<C>> {
        self.settle.take().and_then(|settle| self.gate.locked(|core| core.settle(settle)))
    }
}

impl<K: Key, C: Pooled> Drop for SettleGuard<'_, K, C> {
    fn drop(&mut self) {
        let next = self.settle.take().and_then(|settle| self.gate.locked(|core| core.settle(settle)));
        self.gate.close_victims(next);
    }
}

/// The only owner of a connection in use.
///
/// A lease that is dropped without [`give_back`](Lease::give_back) closes the connection and then gives its unit back.
/// Fields are dropped in this order, also while unwinding.
pub(crate) struct Lease<K: Key, C: Pooled> {
    conn: C,
    /// The time at which the connection came back from its last use. `None` for a new one.
    since: Option<Stamp>,
    unit: Unit<K, C>,
}

impl<K: Key, C: Pooled> Lease<K, C> {
    pub(crate) fn conn(&self) -> &C {
        &self.conn
    }

    /// Returns whether the connection has carried a request before.
    pub(crate) fn is_reused(&self) -> bool {
        self.since.is_some()
    }

    fn begin(mut self) -> Checked<K, C> {
        self.conn.begin_use(self.since);
        Checked::Lease(self)
    }

    /// Gives a connection back that was not used, because its call was cancelled.
    pub(crate) fn put_back(self) {
        let keep_until = self.unit.id.and_then(|id| self.unit.gate.core.lock().expires(id));
        self.give_back(keep_until);
    }

    /// Gives the connection back to the pool, or to the oldest waiter. Closes it if this use of it was aborted, or if the
    /// pool does not keep it.
    pub(crate) fn give_back(mut self, keep_until: Option<Stamp>) {
        // This comes first. If it panics, the lease is still whole, and its drop gives the unit back.
        if !self.conn.end_use() {
            return self.discard(CloseReason::BodyAbandoned);
        }
        let Lease { conn, mut unit, .. } = self;
        let Some(id) = unit.id.take() else { return };
        let now = Stamp::now();
        let kept = {
            let mut core = unit.gate.core.lock();
            core.checkin(id, conn, now, keep_until).map_err(|victim| (core.surplus(id), victim))
        };
        match kept {
            Ok(None) => {}
            Ok(Some(oldest)) => unit.gate.close_victims([oldest]),
            Err((surplus, victim)) => unit.gate.close_refused(victim, surplus),
        }
    }

    /// Closes the connection for this reason, and gives its unit back.
    pub(crate) fn discard(mut self, reason: CloseReason) {
        self.unit.ending = Ending::Closed(reason);
        self.conn.ends(reason);
    }

    /// Takes the connection out of the pool, and gives its unit back. The caller sees to it that no abort reaches the
    /// connection any more.
    pub(crate) fn detach(mut self) -> C {
        self.unit.ending = Ending::Closed(CloseReason::Detached);
        self.conn.ends(CloseReason::Detached);
        let Lease { conn, unit, .. } = self;
        drop(unit);
        conn
    }

    /// Closes the connection and keeps its unit, to open another connection in it.
    pub(crate) fn renew(mut self, reason: CloseReason) -> Permit<K, C> {
        self.unit.ending = Ending::Closed(reason);
        let since = self.since;
        let mut unit = self.close(reason);
        if let Some(id) = unit.id {
            let since = since.unwrap_or_else(Stamp::now);
            unit.gate.core.lock().renew(id, since, reason);
        }
        unit.ending = Ending::Unused;
        Permit { unit }
    }

    fn close(self, reason: CloseReason) -> Unit<K, C> {
        // If the drop of the connection panics, unwinding drops the unit and so gives it back.
        let Lease { mut conn, unit, .. } = self;
        conn.ends(reason);
        drop(conn);
        unit
    }
}

/// The right to open one connection. If it is dropped unused, its unit goes to the next waiter.
pub(crate) struct Permit<K: Key, C: Pooled> {
    unit: Unit<K, C>,
}

impl<K: Key, C: Pooled> Permit<K, C> {
    /// Notes that a dial begins. Returns the cell by which the dial, and later the connection, can be interrupted.
    pub(crate) fn begin_dial(&mut self) -> Arc<AbortCell> {
        self.unit.ending = Ending::DialFailed;
        let (gate, home) = (&self.unit.gate, Home::here());
        if let Some(id) = self.unit.id
            && home.replaces(&gate.home)
        {
            gate.leave_parent(id);
        }
        let cell = match self.unit.id {
            Some(id) => gate.core.lock().abort_of(id),
            None => Arc::new(AbortCell::new()),
        };
        cell.begin_dial(home);
        cell
    }

    /// Makes the permit a lease of the open connection.
    pub(crate) fn opened(mut self, conn: C) -> Lease<K, C> {
        if let Some(id) = self.unit.id {
            let gate = &self.unit.gate;
            let mut core = gate.core.lock();
            core.opened(id, Stamp::now());
            // From now on there may be an idle connection for the reaper to look at.
            let begins = gate.reaper.as_ref().filter(|reaper| !core.is_closed() && reaper.begins());
            drop(core);
            if let Some(reaper) = begins {
                let gate = Arc::downgrade(gate);
                // A user's transport may panic while it is closed. Its unit is given back all the same.
                reaper.start(move || gate.upgrade().is_some_and(|gate| contain(|| gate.reap()) != Some(false)));
            }
        }
        self.unit.ending = Ending::Closed(CloseReason::Failed);
        let mut lease = Lease { conn, since: None, unit: self.unit };
        lease.conn.begin_use(None);
        lease
    }
}

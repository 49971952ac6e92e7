//! One mutex round the core: lock, decide, unlock, act.
//!
//! Everything that can take long or run foreign code (probing, closing, waking up to a grant) happens with the lock
//! released. A unit given out is owned by a [`Lease`] or a [`Permit`], and comes back when that is dropped, whatever
//! happened in between.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::LocalKey;
use std::time::{Duration, Instant};

use super::core::{Checkout, Core, Grant, Idle, PinId, Settle, Ticket, Turn, UnitId, Victim};
use super::pooled::{Pooled, Watch, verdict};
use super::reaper::Reaper;
use super::stats::PoolStats;
use super::types::{CoreTypes, Ending, Key, Settings, Wake};
use crate::close_reason::CloseReason;
use crate::contain::{contain, drop_contained};
use crate::error::Bound;
use crate::net::abort::AbortCell;
use crate::observe::is_telling;
use crate::process::Home;
use crate::sync::{Condvar, Mutex, wait_until};
use crate::time::{Deadline, Stamp, Until};

/// The number of the caller's thread, from 1.
fn this_thread() -> u64 {
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }
    match NUMBER.get() {
        0 => new_number(&NUMBER),
        number => number,
    }
}

#[cold]
fn new_number(number: &'static LocalKey<Cell<u64>>) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    number.set(NEXT.fetch_add(1, Ordering::Relaxed));
    number.get()
}

pub(super) struct GateTypes<K, C>(PhantomData<(K, C)>);

impl<K: Key, C> CoreTypes for GateTypes<K, C> {
    type Key = K;
    type Conn = C;
    type Abort = Arc<AbortCell>;
    type Waker = Arc<Condvar>;
}

impl Wake for Arc<Condvar> {
    fn wake(&self) {
        self.notify_one();
    }
}

pub(crate) struct Gate<K: Key, C> {
    core: Mutex<Core<GateTypes<K, C>>>,
    /// Who sleeps until a time, in no queue.
    parked: Condvar,
    settings: Settings,
    probe_after: Duration,
    watch: Option<Box<dyn Watch<K>>>,
    reaper: Option<Reaper>,
    /// The process that dialed last.
    home: AtomicU32,
}

/// What a checkout gives: a connection that is open, or the right to open one.
pub(crate) enum Checked<K: Key, C: Pooled> {
    Lease(Lease<K, C>),
    Permit(Permit<K, C>),
}

/// Why a checkout gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Closed,
    /// The bound on waiting passed.
    TimedOut {
        bound: Bound,
        waited: Duration,
        in_use: usize,
        queued: usize,
    },
    /// All that it would wait for is held by its own thread, this connection among it.
    WouldDeadlock {
        held: u64,
    },
}

impl<K: Key, C> Gate<K, C> {
    /// For what may forget a key: a key can be the last owner of a caller's dialer, whose drop is foreign code.
    fn locked<R>(&self, act: impl FnOnce(&mut Core<GateTypes<K, C>>) -> R) -> R {
        let (result, forgotten) = {
            let mut core = self.core.lock();
            (act(&mut core), core.take_forgotten())
        };
        if !forgotten.is_empty() {
            // Even if that panics, what was decided is still to be done.
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

    /// A connection or a permit for `key`; waits in line for it until the deadline.
    pub(crate) fn checkout(self: &Arc<Self>, key: &K, until: Until<'_>) -> Result<Checked<K, C>, Refused> {
        let now = Stamp::now();
        let idle = self.core.lock().reuse(key, now, this_thread());
        match idle {
            Some(idle) if self.is_trusted(idle.since, idle.suspect, now) => Ok(self.lease(idle).0.begin()),
            Some(idle) => Ok(self.probe(self.hold(Grant::Conn(idle)), now)),
            None => self.open_or_wait(key, until, now),
        }
    }

    /// Whether a connection that came back at `since` is used without a look at it.
    pub(super) fn is_trusted(&self, since: Stamp, suspect: bool, now: Stamp) -> bool {
        // It may have come back after the clock was read: then no time has passed.
        !suspect && now.saturating_since(since) < self.probe_after
    }

    #[cold]
    fn open_or_wait(self: &Arc<Self>, key: &K, until: Until<'_>, now: Stamp) -> Result<Checked<K, C>, Refused> {
        let started = Instant::now();
        // What a listener waits for may be in the hands of the call that it was told by.
        let at_once = Deadline::after(started, Some(Duration::ZERO), Bound::Pool);
        let until = if is_telling() { until.with_deadline(at_once) } else { until };
        let parker = OnceCell::new();
        let waker = || Arc::clone(parker.get_or_init(|| Arc::new(Condvar::new())));
        let abort = || Arc::new(AbortCell::new());
        let thread = this_thread();
        let (checkout, victims, own) = self.locked(|core| {
            let (checkout, victims) = core.checkout(key, now, thread, abort, waker);
            let own = match &checkout {
                // A wait with a bound ends by itself.
                Checkout::Queued(ticket) if until.at().is_none() => core.held_by(*ticket, thread),
                _ => None,
            };
            (checkout, victims, own)
        });
        let (held, now) = match checkout {
            Checkout::Granted(grant) => (self.hold(grant), now),
            Checkout::Closed => return Err(Refused::Closed),
            // How long a connection has been idle counts from here on: the wait may have been long.
            Checkout::Queued(ticket) => (self.queue(key, ticket, &waker(), until, started, own)?, Stamp::now()),
        };
        // Before the grant is used: a permit may stand for the place of one of these.
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
        own: Option<(Arc<AbortCell>, bool)>,
    ) -> Result<Held<K, C>, Refused> {
        if let Some(watch) = &self.watch {
            watch.waiting(key);
        }
        let deadlock = own.and_then(|(own, certain)| self.deadlock(key, own.connection(), certain));
        let waited = self.wait(key, ticket, parker, until, started, deadlock.is_some());
        // Before anything foreign runs.
        let held = waited.map(|grant| self.hold(grant));
        if let Some(watch) = &self.watch {
            watch.waited(key, started.elapsed(), held.is_ok());
        }
        match (held, deadlock) {
            (Err(Refused::TimedOut { .. }), Some(held)) => Err(Refused::WouldDeadlock { held }),
            (held, _) => held,
        }
    }

    /// Warns of a wait without bound for what the caller's own thread has. Answers it if the wait is not to be.
    fn deadlock(&self, key: &K, held: u64, certain: bool) -> Option<u64> {
        if let Some(watch) = &self.watch {
            watch.waits_for_itself(key, held, certain);
        }
        (certain && self.settings.refuse_self_deadlock).then_some(held)
    }

    fn wait(
        &self,
        key: &K,
        ticket: Ticket,
        parker: &Condvar,
        until: Until<'_>,
        started: Instant,
        refused: bool,
    ) -> Result<Grant<C>, Refused> {
        let thread = this_thread();
        let mut core = self.core.lock();
        // A wait that must not be is over before it begins, unless its turn has come.
        let mut timed_out = refused;
        loop {
            // The wait that times out while its turn comes takes the turn: `cancel` answers with the grant.
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
                    // Who must not wait has not given up waiting.
                    core.count_wait(key, waited, !refused && !is_telling());
                    let (in_use, queued) = core.pressure(key);
                    return Err(Refused::TimedOut { bound: until.bound(), waited, in_use, queued });
                }
            }
            match until.at() {
                Some(at) => timed_out = wait_until(parker, &mut core, at),
                None => parker.wait(&mut core),
            }
        }
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

    /// Looks at a connection that sat idle; a dead one is replaced without the caller's notice.
    fn probe(self: &Arc<Self>, mut held: Held<K, C>, now: Stamp) -> Checked<K, C> {
        loop {
            let (lease, suspect) = match held {
                Held::Permit(permit) => return Checked::Permit(permit),
                Held::Lease(lease, suspect) => (lease, suspect),
            };
            if self.is_trusted(lease.since.unwrap_or(now), suspect, now) {
                return lease.begin();
            }
            let Err(reason) = lease.conn.probe() else { return lease.begin() };
            let since = lease.since.unwrap_or(now);
            let mut unit = lease.close(reason);
            let Some(id) = unit.id.take() else { return Checked::Permit(Permit { unit }) };
            let (grant, victim) = self.locked(|core| core.replace_dead(id, since, reason, now));
            held = self.hold(grant);
            self.close_victims(victim);
        }
    }

    /// Closes connections and settles their units, all of them also when closing one panics.
    pub(super) fn close_victims(&self, victims: impl IntoIterator<Item = Victim<C>>) {
        for victim in victims {
            // What a transport of the caller's panics with is not for whoever happens to close it.
            contain(|| self.close_victim(victim));
        }
    }

    /// Closes a connection, then settles its unit; and so on with what that frees.
    fn close_victim(&self, victim: Victim<C>) {
        let mut next = Some(victim);
        while let Some(Victim { mut conn, reason, settle }) = next {
            // Dropped after the connection, also when closing that panics: the unit comes back all the same.
            let guard = SettleGuard { gate: self, settle: Some(settle) };
            conn.ends(reason);
            drop(conn);
            next = guard.settle();
        }
    }

    #[cold]
    fn close_refused(&self, victim: Victim<C>, surplus: u64) {
        // Who wants none kept needs no telling that there is no room.
        if victim.reason == CloseReason::PoolFull && self.settings.idle_limit != Some(0) {
            victim.conn.report_surplus(surplus);
        }
        self.close_victims([victim]);
    }

    /// Sleeps until then, as a call does between two tries; not for one moment in a gate that is closed, and as long as
    /// `stays` says so. It is asked under the lock, and once more when a key is closed: what it reads has to change
    /// before that.
    pub(crate) fn park_while(&self, until: Instant, stays: impl Fn() -> bool) -> Result<(), Refused> {
        let mut core = self.core.lock();
        let mut timed_out = false;
        loop {
            if core.is_closed() || !stays() {
                return Err(Refused::Closed);
            }
            if timed_out || Instant::now() >= until {
                return Ok(());
            }
            timed_out = wait_until(&self.parked, &mut core, until);
        }
    }

    /// Refuses all that comes and closes what is idle. With `abort` also ends every call that is running.
    pub(crate) fn close(&self, abort: bool) {
        let (victims, running) = {
            let mut core = self.core.lock();
            let victims = core.close();
            let running: Vec<_> =
                if abort { core.aborts().iter().map(|cell| cell.handle()).collect() } else { Vec::new() };
            (victims, running)
        };
        self.parked.notify_all();
        if let Some(reaper) = &self.reaper {
            reaper.end();
        }
        for handle in running {
            // A transport of the caller's may panic; the others are to be reached all the same.
            contain(|| handle.abort());
        }
        self.close_victims(victims);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.core.lock().is_closed()
    }

    /// Closes what is idle now, and what is in use once it comes back.
    pub(crate) fn retire_idle(&self) {
        let victims = self.core.lock().retire_idle();
        self.close_victims(victims);
    }

    /// Closes the connection that has been idle for longest, whose descriptor is needed. Its slot is back when this
    /// returns; false if there is no idle connection.
    pub(crate) fn close_oldest_idle(&self) -> bool {
        let victim = self.core.lock().evict_oldest(CloseReason::OutOfDescriptors);
        let found = victim.is_some();
        self.close_victims(victim);
        found
    }

    /// In a child of `fork`, before its first dial: the connections of the parent are closed here, where they are idle
    /// now or once they come back, and stay open there. The parent's reaper is not here either.
    #[cold]
    fn leave_parent(&self, dialing: UnitId) {
        let victims = self.core.lock().retire_all_but(dialing);
        if let Some(reaper) = &self.reaper {
            reaper.stops();
        }
        self.close_victims(victims);
    }

    /// Closes idle connections that have expired or that the peer has closed. Returns false if nothing is open any more.
    ///
    /// Sockets are looked at without the lock. A connection found closed is taken out only if it was not used meanwhile.
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

    /// The same for one key. What is closed later still counts for its endpoint until then.
    pub(crate) fn retire(&self, key: &K) {
        let victims = self.core.lock().retire(key);
        self.close_victims(victims);
    }

    /// Retires a key, and fails all that wait for it. Who comes later is served again. What this gives is to be called
    /// without locks: it closes what was idle.
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

    /// How one key stands, and what it has done since it was pinned.
    pub(crate) fn stats_of(&self, key: &K) -> PoolStats {
        self.core.lock().stats_of(key)
    }

    /// Keeps a key's counts, also while nothing of it is open.
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

    /// Ends the wait of whoever has queued for longest, as a cancelled call does.
    #[cfg(test)]
    pub(crate) fn interrupt_oldest(&self) {
        let mut core = self.core.lock();
        if let Some(ticket) = core.oldest_ticket() {
            core.interrupt(ticket);
        }
    }
}

/// Has a key remembered while it lives.
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
    /// One line: `open 2/10 (at most 4 an endpoint), idle 1, in use 1, waiting 0`.
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

/// Owner of one unit; ends it when dropped.
struct Unit<K: Key, C: Pooled> {
    gate: Arc<Gate<K, C>>,
    /// Taken out when the unit goes somewhere else than to its end.
    id: Option<UnitId>,
    /// What became of it, should it be dropped now.
    ending: Ending,
}

impl<K: Key, C: Pooled> Drop for Unit<K, C> {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let victim = self.gate.locked(|core| core.discard(id, self.ending));
        self.gate.close_victims(victim);
    }
}

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
/// Dropped without [`give_back`](Lease::give_back) the connection is closed, and then its unit given back: fields are
/// dropped in this order, also while unwinding.
pub(crate) struct Lease<K: Key, C: Pooled> {
    conn: C,
    /// When the connection had come back from its last use; `None` for a new one.
    since: Option<Stamp>,
    unit: Unit<K, C>,
}

impl<K: Key, C: Pooled> Lease<K, C> {
    pub(crate) fn conn(&self) -> &C {
        &self.conn
    }

    /// Whether the connection has carried a request before.
    pub(crate) fn is_reused(&self) -> bool {
        self.since.is_some()
    }

    fn begin(mut self) -> Checked<K, C> {
        self.conn.begin_use(self.since);
        Checked::Lease(self)
    }

    /// Returns the connection to the pool, or to the next in line. Closed where the pool does not keep it.
    pub(crate) fn give_back(mut self, keep_until: Option<Stamp>) {
        // First of all: should it panic, the lease is still whole, and its drop gives the unit back.
        self.conn.end_use();
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

    /// Closes the connection for that reason, and gives its unit back.
    pub(crate) fn discard(mut self, reason: CloseReason) {
        self.unit.ending = Ending::Closed(reason);
        self.conn.ends(reason);
    }

    /// Closes the connection and keeps its unit, to open another in its place.
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
        // Unwinding out of the connection's drop still drops the unit, and so gives it back.
        let Lease { mut conn, unit, .. } = self;
        conn.ends(reason);
        drop(conn);
        unit
    }
}

/// The right to open one connection. Dropped unused, its unit goes to the next in line.
pub(crate) struct Permit<K: Key, C: Pooled> {
    unit: Unit<K, C>,
}

impl<K: Key, C: Pooled> Permit<K, C> {
    /// From here on there is a dial. The cell is that by which it, and later the connection, can be interrupted.
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

    /// The connection is open.
    pub(crate) fn opened(mut self, conn: C) -> Lease<K, C> {
        if let Some(id) = self.unit.id {
            let gate = &self.unit.gate;
            let mut core = gate.core.lock();
            core.opened(id, Stamp::now());
            // There may be something idle from now on.
            let begins = gate.reaper.as_ref().filter(|reaper| !core.is_closed() && reaper.begins());
            drop(core);
            if let Some(reaper) = begins {
                let gate = Arc::downgrade(gate);
                // A transport of the caller's may panic while it is closed. Its unit is given back all the same.
                reaper.start(move || gate.upgrade().is_some_and(|gate| contain(|| gate.reap()) != Some(false)));
            }
        }
        self.unit.ending = Ending::Closed(CloseReason::Failed);
        let mut lease = Lease { conn, since: None, unit: self.unit };
        lease.conn.begin_use(None);
        lease
    }
}

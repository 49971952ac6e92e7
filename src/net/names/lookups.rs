//! Lookups that callers share, on threads whose number is bounded.
//!
//! A lookup can be neither interrupted nor given a deadline. A caller that has one waits for a lookup on another thread,
//! and stops waiting at its deadline. Eight lookups that somebody waits for have a place at once, and further ones wait
//! for a place. A lookup that everybody has left keeps its thread, but gives its place away: otherwise eight names whose
//! servers do not answer would stop all others. At most eight are without a place.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::cache::{Cache, Found, Key};
use super::resolver::{Lookup, Resolver, SystemResolver};
use crate::contain::{contain, drop_contained};
use crate::net::abort::Interrupt;
use crate::net::transport::Wait;
use crate::process::PerProcess;
use crate::sync::standing::Mutex;
use crate::workers::{Answer, Work, Workers};

/// Lookups that somebody waits for and that run at once. Each may hang as long as the system's resolver waits, which is
/// half a minute and more.
pub(super) const PLACES: usize = 8;

/// Lookups that nobody waits for and that have given their place away.
pub(super) const LEFT: usize = 8;

/// How long an idle thread waits for another lookup before it ends.
const IDLE_THREAD_LIFE: Duration = Duration::from_secs(3);

/// A child of `fork` has none of these threads, whatever its copy of the value counts.
static LOOKUPS: PerProcess<Lookups> = PerProcess::new(|| Lookups::new(thread));

pub(super) fn thread() -> thread::Builder {
    thread::Builder::new().name("hostpool-lookup".to_owned())
}

/// The lookups that run or wait for a place.
#[derive(Clone)]
pub(super) struct Lookups(Arc<Shared>);

struct Shared {
    workers: Workers,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lookups: HashMap<Key, Running>,
    /// Lookups that wait for a place, first come, first served.
    queue: BTreeMap<u64, Key>,
    next: u64,
    /// Lookups with a place.
    placed: usize,
    /// Lookups with a place that nobody waits for.
    forsaken: usize,
    /// Lookups that have given their place away.
    displaced: usize,
}

/// A lookup that has no result yet.
struct Running {
    stage: Stage,
    waiters: BTreeMap<u64, Arc<Waiter>>,
    /// The caches that get the result, and how often each had been cleared when the lookup began.
    caches: Vec<(Arc<Cache>, u64)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// It waits for a place, under this number.
    Queued(u64),
    Placed,
    /// It runs on, and nobody waited for it.
    Displaced,
    /// It runs on the thread of a caller without a bound, and needs no place.
    OfCaller,
}

/// The place where a caller waits for the end of a lookup.
type Waiter = Answer<End>;

enum End {
    Found(Found),
    /// All threads hang in lookups that nobody waits for.
    Busy,
    /// The resolver panicked. The first caller goes on with its panic.
    Panicked(Box<dyn Any + Send>),
}

/// What remains to be done after the lock is released.
#[derive(Default)]
struct After {
    start: Vec<Key>,
    wake: Vec<(Arc<Waiter>, End)>,
    /// Keys may hold the last clone of a resolver, and caches the last keys.
    dropped: Vec<(Key, Option<Running>)>,
}

/// Returns the addresses of a host, in the order of the resolver.
pub(super) fn find(key: &Key, cache: Option<&Arc<Cache>>, wait: &Wait<'_>) -> io::Result<Arc<[SocketAddr]>> {
    if let Some(found) = cache.and_then(|cache| cache.get(key, Instant::now())) {
        return found.map_err(|failure| failure.error());
    }
    LOOKUPS.get().find(key, cache, wait)
}

impl Lookups {
    pub(super) fn new(thread: fn() -> thread::Builder) -> Lookups {
        let workers = Workers::new(thread, PLACES + LEFT, IDLE_THREAD_LIFE);
        Lookups(Arc::new(Shared { workers, state: Mutex::default() }))
    }

    /// Joins the lookup of this key, or begins one.
    pub(super) fn find(&self, key: &Key, cache: Option<&Arc<Cache>>, wait: &Wait<'_>) -> io::Result<Arc<[SocketAddr]>> {
        if wait.until.is_past() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if wait.is_cancelled() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let is_bounded = wait.until.at().is_some() || wait.until.token().is_some();
        let cache = cache.map(|cache| (cache, cache.cleared()));
        let waiter = Arc::new(Waiter::new());
        let mut state = self.0.state.lock();
        let id = state.number();
        let begin = if let Some(running) = state.lookups.get_mut(key) {
            let was_forsaken = running.stage == Stage::Placed && running.waiters.is_empty();
            running.join(id, &waiter, cache);
            // A caller without a bound need not wait for a place.
            let queued = match running.stage {
                Stage::Queued(number) if !is_bounded => Some(number),
                _ => None,
            };
            if queued.is_some() {
                running.stage = Stage::OfCaller;
            }
            state.forsaken -= usize::from(was_forsaken);
            queued.map(|number| {
                state.queue.remove(&number);
                Stage::OfCaller
            })
        } else {
            let stage = match state.placed < PLACES {
                _ if !is_bounded => Stage::OfCaller,
                true => Stage::Placed,
                false if state.is_stuck() => return Err(busy()),
                false => Stage::Queued(id),
            };
            state.add(key, stage).join(id, &waiter, cache);
            Some(stage)
        };
        drop(state);
        match begin {
            Some(Stage::OfCaller) => self.run(key),
            Some(Stage::Placed) => self.start(key.clone()),
            _ => {}
        }
        if let Some(cell) = wait.abort {
            let interrupt: Arc<dyn Interrupt> = waiter.clone();
            cell.register(Arc::downgrade(&interrupt));
        }
        match waiter.wait(wait.until) {
            // A lookup on the caller's own thread may have taken too long.
            Some(End::Found(Ok(_))) if wait.until.is_past() => Err(io::ErrorKind::TimedOut.into()),
            Some(End::Found(found)) => found.map_err(|failure| failure.error()),
            Some(End::Busy) => Err(busy()),
            Some(End::Panicked(payload)) => panic::resume_unwind(payload),
            None => {
                let was_queued = self.leave(key, id);
                Err(match was_queued {
                    _ if wait.is_cancelled() => io::ErrorKind::ConnectionAborted.into(),
                    true => io::Error::new(io::ErrorKind::TimedOut, "all threads for name lookups were busy"),
                    false => io::ErrorKind::TimedOut.into(),
                })
            }
        }
    }

    /// Ends a caller's wait. Returns whether the lookup still waited for a place.
    fn leave(&self, key: &Key, id: u64) -> bool {
        let mut after = After::default();
        let mut state = self.0.state.lock();
        let Some(running) = state.lookups.get_mut(key) else { return false };
        // This may be a later lookup of the same key.
        if running.waiters.remove(&id).is_none() {
            return false;
        }
        let (stage, is_last) = (running.stage, running.waiters.is_empty());
        match stage {
            Stage::Queued(number) if is_last => {
                after.dropped.extend(state.queue.remove(&number).map(|key| (key, None)));
                after.dropped.extend(state.lookups.remove_entry(key).map(|(key, running)| (key, Some(running))));
            }
            Stage::Placed if is_last => {
                state.forsaken += 1;
                state.settle(&mut after);
            }
            _ => {}
        }
        drop(state);
        self.go_on(after);
        matches!(stage, Stage::Queued(_))
    }

    fn go_on(&self, after: After) {
        after.start.into_iter().for_each(|key| self.start(key));
        for (waiter, end) in after.wake {
            // Nobody waits for this panic. The hook has reported it.
            if let Some(End::Panicked(payload)) = waiter.give(end) {
                mem::forget(payload);
            }
        }
        drop_contained(after.dropped);
    }

    /// Gives a lookup that has a place to a thread. If the system gives none, the caller's thread does the lookup.
    fn start(&self, key: Key) {
        let lookups = self.clone();
        self.0.workers.give([Box::new(move || lookups.run(&key)) as Box<dyn Work>]);
    }

    /// Does a lookup, and gives its result to all who wait for it and to their caches.
    fn run(&self, key: &Key) {
        let result = panic::catch_unwind(AssertUnwindSafe(|| {
            let lookup = Lookup::new(&key.host).family(key.family);
            match &key.resolver {
                Some(resolver) => resolver.resolve(&lookup),
                None => SystemResolver.resolve(&lookup),
            }
        }));
        let (found, mut payload): (Found, _) = match result {
            Ok(Ok(addresses)) => (Ok(addresses.into()), None),
            Ok(Err(error)) => (Err(error.into()), None),
            Err(payload) => (Err(io::Error::other("the resolver panicked").into()), Some(payload)),
        };
        let mut after = After::default();
        let mut state = self.0.state.lock();
        let ended = state.lookups.remove_entry(key);
        if let Some((_, running)) = &ended {
            match running.stage {
                Stage::Placed => {
                    state.placed -= 1;
                    state.forsaken -= usize::from(running.waiters.is_empty());
                }
                Stage::Displaced => state.displaced -= 1,
                Stage::Queued(_) | Stage::OfCaller => {}
            }
        }
        state.settle(&mut after);
        drop(state);
        if let Some((key, mut running)) = ended {
            let now = Instant::now();
            for (cache, cleared) in &running.caches {
                // A resolver of the caller's may go with a result that no longer has room.
                contain(|| cache.put(&key, &found, *cleared, now));
            }
            for waiter in mem::take(&mut running.waiters).into_values() {
                let end = payload.take().map_or_else(|| End::Found(found.clone()), End::Panicked);
                after.wake.push((waiter, end));
            }
            after.dropped.push((key, Some(running)));
        }
        mem::forget(payload);
        self.go_on(after);
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn add(&mut self, key: &Key, stage: Stage) -> &mut Running {
        match stage {
            Stage::Placed => self.placed += 1,
            Stage::Queued(number) => drop(self.queue.insert(number, key.clone())),
            Stage::Displaced | Stage::OfCaller => {}
        }
        let running = Running { stage, waiters: BTreeMap::new(), caches: Vec::new() };
        self.lookups.entry(key.clone()).insert_entry(running).into_mut()
    }

    /// Returns whether no lookup can get a place until a hanging one ends.
    fn is_stuck(&self) -> bool {
        self.forsaken == PLACES && self.displaced == LEFT
    }

    /// Takes the place of lookups that nobody waits for, and gives places to those that wait for one. If all threads
    /// hang, these fail.
    fn settle(&mut self, after: &mut After) {
        let State { lookups, forsaken, displaced, placed, .. } = self;
        let mut left =
            lookups.values_mut().filter(|running| running.stage == Stage::Placed && running.waiters.is_empty());
        while *forsaken > 0 && *displaced < LEFT {
            let Some(running) = left.next() else { break };
            running.stage = Stage::Displaced;
            (*forsaken, *displaced, *placed) = (*forsaken - 1, *displaced + 1, *placed - 1);
        }
        while self.placed < PLACES
            && let Some((_, key)) = self.queue.pop_first()
        {
            if let Some(running) = self.lookups.get_mut(&key) {
                running.stage = Stage::Placed;
                self.placed += 1;
            }
            after.start.push(key);
        }
        if self.is_stuck() {
            for key in mem::take(&mut self.queue).into_values() {
                let ended = self.lookups.remove_entry(&key);
                after.dropped.push((key, None));
                let Some((key, mut running)) = ended else { continue };
                let waiters = mem::take(&mut running.waiters);
                after.wake.extend(waiters.into_values().map(|waiter| (waiter, End::Busy)));
                after.dropped.push((key, Some(running)));
            }
        }
    }
}

impl Running {
    fn join(&mut self, id: u64, waiter: &Arc<Waiter>, cache: Option<(&Arc<Cache>, u64)>) {
        self.waiters.insert(id, waiter.clone());
        if let Some((cache, cleared)) = cache
            && !self.caches.iter().any(|(known, _)| Arc::ptr_eq(known, cache))
        {
            self.caches.push((cache.clone(), cleared));
        }
    }
}

impl<T: Send> Interrupt for Answer<T> {
    fn interrupt(&self) {
        Answer::interrupt(self);
    }
}

fn busy() -> io::Error {
    let why = "all threads for name lookups are busy with names whose servers do not answer";
    io::Error::new(io::ErrorKind::ResourceBusy, why)
}

/// What tests look at.
#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
impl Lookups {
    pub(super) fn threads(&self) -> usize {
        self.0.workers.threads()
    }

    /// Returns how many callers wait for this lookup.
    pub(super) fn waiters(&self, key: &Key) -> usize {
        self.0.state.lock().lookups.get(key).map_or(0, |running| running.waiters.len())
    }

    /// Returns whether no lookup of this key runs or waits.
    pub(super) fn is_idle(&self, key: &Key) -> bool {
        !self.0.state.lock().lookups.contains_key(key)
    }

    /// Returns how many lookups are queued, have a place, have a place that nobody needs, and have lost theirs.
    pub(super) fn counts(&self) -> (usize, usize, usize, usize) {
        let state = self.0.state.lock();
        (state.queue.len(), state.placed, state.forsaken, state.displaced)
    }
}

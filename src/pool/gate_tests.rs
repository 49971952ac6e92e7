//! The gate under ordinary threads and the real clock.
//!
//! No wait is without end: a wake-up that is lost fails a test instead of hanging it.

mod own_waits;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::core::script::NO_LIMITS;
use super::gate::{Checked, Gate, Lease, Permit, Refused};
use super::pooled::{Pooled, Watch};
use super::stats::PoolStats;
use super::types::Settings;
use crate::close_reason::CloseReason;
use crate::error::Bound;
use crate::net::abort::AbortCell;
use crate::sync::thread_number;
use crate::time::{Stamp, Until};

type Key = (u8, u8);
type Pool = Arc<Gate<Key, Socket>>;

const X1: Key = (0, 1);
const X2: Key = (0, 2);
const Y1: Key = (1, 1);
const Z1: Key = (2, 1);

/// How many sockets are open, and were at most.
#[derive(Default)]
struct Sockets {
    open: AtomicUsize,
    peak: AtomicUsize,
}

struct Socket {
    sockets: Arc<Sockets>,
    dead: Cell<bool>,
    panics_on_drop: Cell<bool>,
    panics_on_return: Cell<bool>,
    aborted: Arc<AtomicBool>,
}

impl Socket {
    fn open(sockets: &Arc<Sockets>) -> Socket {
        let open = sockets.open.fetch_add(1, Ordering::SeqCst) + 1;
        sockets.peak.fetch_max(open, Ordering::SeqCst);
        let [dead, panics_on_drop, panics_on_return] = [(); 3].map(|()| Cell::new(false));
        Socket { sockets: Arc::clone(sockets), dead, panics_on_drop, panics_on_return, aborted: Arc::default() }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.sockets.open.fetch_sub(1, Ordering::SeqCst);
        if self.panics_on_drop.get() {
            unwind();
        }
    }
}

impl Pooled for Socket {
    fn probe(&self) -> Result<(), CloseReason> {
        if self.dead.get() { Err(CloseReason::PeerClosed) } else { Ok(()) }
    }

    fn begin_use(&mut self, _: Option<Stamp>) {}

    fn ends(&mut self, _: CloseReason) {}

    fn report_surplus(&self, _: u64) {}

    fn end_use(&mut self) -> bool {
        if self.panics_on_return.get() {
            unwind();
        }
        !self.is_aborted()
    }

    fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::SeqCst)
    }
}

/// Panics without a message on the terminal.
fn unwind() {
    resume_unwind(Box::new("on purpose"));
}

fn unwinds(act: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(act)).is_err());
}

fn open_limit(limit: usize) -> Settings {
    Settings { open_limit: Some(limit), ..NO_LIMITS }
}

fn total_limit(limit: usize) -> Settings {
    Settings { total_limit: Some(limit), ..NO_LIMITS }
}

fn within(limit: Duration) -> Until<'static> {
    Until::NEVER.or_within(Some(limit), Bound::Pool)
}

/// Longer than any wait that ends as it should.
const GIVE_UP: Duration = Duration::from_secs(10);

fn soon() -> Until<'static> {
    within(GIVE_UP)
}

fn permit(pool: &Pool, key: Key) -> Permit<Key, Socket> {
    match pool.checkout(&key, soon()) {
        Ok(Checked::Permit(permit)) => permit,
        Ok(Checked::Lease(_)) => panic!("a lease instead of a permit"),
        Err(refused) => panic!("{refused:?}"),
    }
}

fn lease(pool: &Pool, key: Key, sockets: &Arc<Sockets>) -> Lease<Key, Socket> {
    match pool.checkout(&key, soon()) {
        Ok(Checked::Permit(permit)) => permit.opened(Socket::open(sockets)),
        Ok(Checked::Lease(lease)) => lease,
        Err(refused) => panic!("{refused:?}"),
    }
}

fn wait_for(what: impl Fn() -> bool) {
    let deadline = soon();
    while !what() {
        assert!(!deadline.is_past(), "it never came");
        thread::yield_now();
    }
}

/// Nothing is in use and nobody waits; what idles can be closed.
fn assert_all_back(pool: &Pool, sockets: &Sockets) {
    pool.audit();
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.dialing, stats.waiting), (0, 0, 0));
    assert!(stats.waited_max < GIVE_UP, "a wake-up was lost");
    pool.retire_idle();
    pool.audit();
    assert_eq!((pool.stats().open, sockets.open.load(Ordering::SeqCst)), (0, 0));
}

/// Small random numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One use of the pool that can end in any way.
fn visit(pool: &Pool, keys: &[Key], sockets: &Arc<Sockets>, dice: &mut Dice) {
    let key = keys[dice.roll(keys.len() as u64) as usize];
    let deadline = if dice.roll(8) == 0 { within(Duration::from_micros(dice.roll(1000))) } else { soon() };
    let lease = match pool.checkout(&key, deadline) {
        Err(Refused::TimedOut { waited, .. }) => return assert!(waited < GIVE_UP, "a wake-up was lost"),
        Err(Refused::Cancelled) => return,
        Err(refused) => panic!("{refused:?}"),
        Ok(Checked::Permit(_)) if dice.roll(8) == 0 => return,
        Ok(Checked::Permit(permit)) => permit.opened(Socket::open(sockets)),
        Ok(Checked::Lease(lease)) => lease,
    };
    thread::sleep(Duration::from_micros(dice.roll(200)));
    match dice.roll(16) {
        0 => lease.discard(CloseReason::NotReusable),
        1 => lease.renew(CloseReason::Failed).opened(Socket::open(sockets)).give_back(None),
        2 => unwinds(move || {
            let _lease = lease;
            unwind();
        }),
        3 => {
            lease.conn().dead.set(true);
            lease.give_back(None);
        }
        _ => lease.give_back(None),
    }
}

#[test]
fn many_threads_share_few_connections() {
    let few_idle = Settings { max_idle: Some(2), ..total_limit(8) };
    let table =
        [(open_limit(8), &[X1, X1, X2][..]), (total_limit(8), &[X1, X1, X2, Y1]), (few_idle, &[X1, X1, X2, Y1])];
    for (settings, keys) in table {
        let (pool, sockets) = (Gate::new(settings, Duration::ZERO, None), Arc::new(Sockets::default()));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    pool.interrupt_oldest();
                    // As a dial does that finds no descriptor.
                    pool.close_oldest_idle();
                    pool.audit();
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let visitors: Vec<_> = (0..64)
                .map(|seed| {
                    let (pool, sockets) = (&pool, &sockets);
                    scope.spawn(move || {
                        let mut dice = Dice(seed);
                        (0..40).for_each(|_| visit(pool, keys, sockets, &mut dice));
                    })
                })
                .collect();
            let outcomes: Vec<_> = visitors.into_iter().map(|visitor| visitor.join()).collect();
            done.store(true, Ordering::SeqCst);
            assert!(outcomes.iter().all(Result::is_ok));
        });
        assert_eq!(sockets.peak.load(Ordering::SeqCst), 8);
        assert_all_back(&pool, &sockets);
    }
}

/// A connection may come back while the caller that gets it is on its way to the lock.
#[test]
fn who_trusts_nothing_looks_at_what_came_back_just_now() {
    let now = Stamp::at(Duration::from_secs(9));
    let later = Stamp::at(Duration::from_secs(10));
    let table = [
        ("never", Duration::ZERO, now, false),
        ("never, also what came back meanwhile", Duration::ZERO, later, false),
        ("in time", Duration::from_secs(1), now, true),
        ("meanwhile", Duration::from_secs(1), later, true),
        ("always", Duration::MAX, now, true),
    ];
    for (row, probe_after, since, expected) in table {
        let pool: Pool = Gate::new(NO_LIMITS, probe_after, None);
        assert_eq!(pool.is_trusted(since, false, now), expected, "{row}");
        assert!(!pool.is_trusted(since, true, now), "{row}");
    }
}

#[test]
fn threads_are_served_in_turn() {
    const THREADS: usize = 56;
    let (pool, sockets) = (Gate::new(open_limit(8), Duration::MAX, None), Arc::new(Sockets::default()));
    let held: Vec<_> = (0..7).map(|_| lease(&pool, X1, &sockets)).collect();
    let (give, served) = mpsc::channel();
    let mut last = lease(&pool, X1, &sockets);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (pool, sockets, give) = (&pool, &sockets, give.clone());
            scope.spawn(move || {
                for _ in 0..2 {
                    // The receiver gives the connection back once this thread waits again.
                    give.send((number, lease(pool, X1, sockets))).expect("the receiver waits for every visit");
                }
            });
            wait_for(|| pool.stats().waiting == number + 1);
        }
        for turn in 0..2 * THREADS {
            last.give_back(None);
            let (number, lease) = served.recv_timeout(GIVE_UP).expect("a released connection is handed over");
            assert_eq!(number, turn % THREADS, "turn {turn}");
            let waiting = THREADS.min(2 * THREADS - 1 - turn);
            wait_for(|| pool.stats().waiting == waiting);
            last = lease;
        }
        last.give_back(None);
    });
    drop(held);
    assert!(sockets.peak.load(Ordering::SeqCst) <= 8);
    assert_all_back(&pool, &sockets);
}

#[test]
fn who_waits_for_the_total_is_served_by_age() {
    let (pool, sockets) = (Gate::new(total_limit(1), Duration::MAX, None), Arc::new(Sockets::default()));
    let first = lease(&pool, X1, &sockets);
    let served = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (number, key) in [Y1, Z1, X2, Y1].into_iter().enumerate() {
            let (pool, sockets, served) = (&pool, &sockets, &served);
            scope.spawn(move || {
                let lease = lease(pool, key, sockets);
                served.lock().expect("no thread panics").push(number);
                drop(lease);
            });
            wait_for(|| pool.stats().waiting == number + 1);
        }
        drop(first);
    });
    assert_eq!(served.into_inner().expect("no thread panics"), [0, 1, 2, 3]);
    assert_all_back(&pool, &sockets);
}

#[test]
fn no_time_to_wait_is_a_try() {
    let (pool, sockets) = (Gate::new(open_limit(1), Duration::MAX, None), Arc::new(Sockets::default()));
    let first = lease(&pool, X1, &sockets);
    let refused = pool.checkout(&X1, within(Duration::ZERO)).err();
    let Some(Refused::TimedOut { bound: Bound::Pool, waited, in_use: 1, held_here: 1, queued: 0 }) = refused else {
        panic!("{refused:?}")
    };
    assert!(waited < Duration::from_secs(5));
    assert_eq!((pool.stats().timeouts, pool.stats().waited_max), (1, waited));
    first.give_back(None);
    let Ok(Checked::Lease(again)) = pool.checkout(&X1, within(Duration::ZERO)) else { panic!("it is free") };
    assert!(again.is_reused());
    drop(again);
    assert_all_back(&pool, &sockets);
}

#[test]
fn a_wait_ends_at_its_deadline() {
    let (pool, sockets) = (Gate::new(open_limit(1), Duration::MAX, None), Arc::new(Sockets::default()));
    let first = lease(&pool, X1, &sockets);
    let limit = Duration::from_millis(30);
    match pool.checkout(&X1, within(limit)).err() {
        Some(Refused::TimedOut { waited, .. }) => assert!(waited >= limit),
        other => panic!("{other:?}"),
    }
    drop(first);
    assert_all_back(&pool, &sockets);
}

#[test]
fn closing_wakes_who_waits() {
    let (pool, sockets) = (Gate::new(open_limit(1), Duration::MAX, None), Arc::new(Sockets::default()));
    let first = lease(&pool, X1, &sockets);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| pool.checkout(&X1, soon()).err());
        wait_for(|| pool.stats().waiting == 1);
        let closed = Instant::now();
        pool.close(false);
        assert_eq!(waiter.join().expect("no thread panics"), Some(Refused::Closed));
        assert!(closed.elapsed() < GIVE_UP / 2, "nobody was woken");
    });
    assert_eq!(pool.checkout(&Y1, soon()).err(), Some(Refused::Closed));
    first.give_back(None);
    assert_eq!(pool.stats().closed(CloseReason::PoolClosed), 1);
    assert_all_back(&pool, &sockets);
}

#[test]
fn a_sleep_ends_at_its_time_or_when_the_pool_is_closed() {
    type End = fn(&Pool, &AtomicBool);
    let ends: [(&str, End, bool); 3] = [
        ("the pool", |pool, _| pool.close(false), true),
        ("its key", |pool, stays| close_key(pool, stays), true),
        ("nothing", |_, _| (), false),
    ];
    for (what, end, is_closed) in ends {
        let (pool, stays, asked) =
            (Gate::<Key, Socket>::new(NO_LIMITS, Duration::MAX, None), AtomicBool::new(true), AtomicBool::new(false));
        let until = Instant::now() + if is_closed { GIVE_UP } else { Duration::from_millis(20) };
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                pool.park_while(until, Until::NEVER, || {
                    asked.store(true, Ordering::SeqCst);
                    stays.load(Ordering::SeqCst)
                })
            });
            wait_for(|| asked.load(Ordering::SeqCst));
            end(&pool, &stays);
            let outcome = sleeper.join().expect("no thread panics");
            assert_eq!(outcome, if is_closed { Err(Refused::Closed) } else { Ok(()) }, "{what}");
        });
        assert_eq!(Instant::now() < until, is_closed, "{what}");
        assert_eq!(
            pool.park_while(Instant::now() - Duration::from_secs(1), Until::NEVER, || true).is_err(),
            pool.is_closed(),
            "{what}"
        );
    }
}

fn close_key(pool: &Pool, stays: &AtomicBool) {
    stays.store(false, Ordering::SeqCst);
    pool.close_key(&X1)();
}

#[test]
fn a_pin_keeps_the_counts_of_its_key() {
    let (pool, sockets) = (Gate::new(NO_LIMITS, Duration::MAX, None), Arc::new(Sockets::default()));
    let pin = pool.pin(&X1);
    for key in [X1, X2] {
        lease(&pool, key, &sockets).discard(CloseReason::NotReusable);
    }
    pool.count_replay(&X1);
    pool.count_replay(&X2);
    let counts = [X1, X2].map(|key| pool.stats_of(&key)).map(|stats| (stats.created, stats.replayed));
    assert_eq!(counts, [(1, 1), (0, 0)]);
    assert_eq!((pool.stats().created, pool.stats().replayed), (2, 2));
    drop(pin);
    assert_eq!(pool.stats_of(&X1), PoolStats::default());
    assert_all_back(&pool, &sockets);
}

#[test]
fn a_wait_counts_for_its_key() {
    let (pool, sockets) = (Gate::new(open_limit(1), Duration::MAX, None), Arc::new(Sockets::default()));
    let first = lease(&pool, X1, &sockets);
    let pin = pool.pin(&X2);
    for key in [X1, X2] {
        assert!(pool.checkout(&key, within(Duration::ZERO)).is_err());
        assert_eq!(pool.stats_of(&key).timeouts, 1);
    }
    assert_eq!(pool.stats().timeouts, 2);
    drop((first, pin));
    assert_all_back(&pool, &sockets);
}

#[test]
fn retiring_a_key_closes_its_own_connections() {
    let (pool, sockets) = (Gate::new(NO_LIMITS, Duration::MAX, None), Arc::new(Sockets::default()));
    let leases = [X1, X2, X1].map(|key| lease(&pool, key, &sockets));
    let [idle, other, used] = leases;
    idle.give_back(None);
    other.give_back(None);
    pool.retire(&X1);
    assert_eq!(sockets.open.load(Ordering::SeqCst), 2);
    used.give_back(None);
    assert_eq!((pool.stats().idle, pool.stats().closed(CloseReason::Retired)), (1, 2));
    assert_all_back(&pool, &sockets);
}

#[test]
fn a_reaper_is_there_while_something_is_open() {
    let timeout = Some(Duration::from_millis(1));
    let settings = Settings { idle_timeout: timeout, reap_every: Some(Duration::from_millis(5)), ..NO_LIMITS };
    let (pool, sockets) = (Gate::new(settings, Duration::MAX, None), Arc::new(Sockets::default()));
    let is_running = || pool.reaper().is_some_and(|reaper| reaper.is_running());
    for panics in [false, true, false] {
        assert!(!is_running());
        let [first, second] = [X1, Y1].map(|key| lease(&pool, key, &sockets));
        assert!(is_running());
        first.conn().panics_on_drop.set(panics);
        first.give_back(None);
        wait_for(|| pool.stats().open == 1);
        // It goes on looking while nothing is idle: what is in use may come to be.
        let looks = || pool.reaper().map_or(0, |reaper| reaper.looks());
        let before = looks();
        wait_for(|| looks() > before + 2);
        assert!(is_running());
        second.give_back(None);
        wait_for(|| pool.stats().open == 0 && !is_running());
    }
    assert_eq!(pool.stats().closed(CloseReason::IdleTimeout), 6);
    // One that would look in an hour ends with the pool, and does not hold it.
    let settings = Settings { reap_every: Some(Duration::MAX), ..NO_LIMITS };
    let pool = Gate::new(settings, Duration::MAX, None);
    lease(&pool, X1, &sockets).give_back(None);
    pool.close(false);
    wait_for(|| !pool.reaper().is_some_and(|reaper| reaper.is_running()));
    let kept = Arc::downgrade(&pool);
    drop(pool);
    wait_for(|| kept.strong_count() == 0);
}

#[test]
fn closing_can_reach_into_calls_that_run() {
    for abort in [false, true] {
        let (pool, sockets) = (Gate::new(NO_LIMITS, Duration::MAX, None), Arc::new(Sockets::default()));
        let [mut idle, mut used, mut dialed] = [X1, X2, Y1].map(|key| permit(&pool, key));
        let cells = [&mut idle, &mut used, &mut dialed].map(Permit::begin_dial);
        idle.opened(Socket::open(&sockets)).give_back(None);
        let used = used.opened(Socket::open(&sockets));
        pool.close(abort);
        assert_eq!(cells.map(|cell| cell.is_aborted()), [false, abort, abort]);
        drop((used, dialed));
        assert_all_back(&pool, &sockets);
    }
}

#[test]
fn a_unit_comes_back_however_its_owner_ends() {
    type Act = fn(Lease<Key, Socket>, &Arc<Sockets>);
    let acts: [(&str, Act); 9] = [
        ("dropped", |lease, _| drop(lease)),
        ("discarded", |lease, _| lease.discard(CloseReason::BodyAbandoned)),
        ("given back", |lease, _| lease.give_back(None)),
        ("renewed and not dialed", |lease, _| drop(lease.renew(CloseReason::Failed))),
        ("renewed and dialed in vain", |lease, _| drop(lease.renew(CloseReason::Failed).begin_dial())),
        ("dropped while unwinding", |lease, _| {
            unwinds(move || {
                let _lease = lease;
                unwind();
            });
        }),
        ("closing panics", |lease, _| {
            lease.conn().panics_on_drop.set(true);
            unwinds(move || drop(lease));
        }),
        ("renewing panics", |lease, _| {
            lease.conn().panics_on_drop.set(true);
            unwinds(move || drop(lease.renew(CloseReason::Failed)));
        }),
        ("the return panics", |lease, _| {
            lease.conn().panics_on_return.set(true);
            unwinds(move || lease.give_back(None));
        }),
    ];
    for (how, act) in acts {
        let (pool, sockets) = (Gate::new(open_limit(1), Duration::MAX, None), Arc::new(Sockets::default()));
        act(lease(&pool, X1, &sockets), &sockets);
        assert!(pool.checkout(&X1, within(Duration::ZERO)).is_ok(), "{how}");
        assert_eq!(pool.stats().dial_failures, u64::from(how.ends_with("dialed in vain")), "{how}");
        assert_all_back(&pool, &sockets);
    }
}

#[test]
fn all_units_come_back_when_closing_some_of_many_panics() {
    for act in [|pool: &Pool| pool.retire_idle(), |pool: &Pool| pool.close(false)] {
        let (pool, sockets) = (Gate::new(NO_LIMITS, Duration::MAX, None), Arc::new(Sockets::default()));
        let leases = [X1, X1, Y1].map(|key| lease(&pool, key, &sockets));
        leases[..2].iter().for_each(|lease| lease.conn().panics_on_drop.set(true));
        leases.into_iter().for_each(|lease| lease.give_back(None));
        // The panics are not the caller's, and two of them do not end the process.
        act(&pool);
        assert_eq!(pool.stats().open, 0);
        assert_all_back(&pool, &sockets);
    }
}

#[test]
fn a_stolen_connection_is_closed_before_its_place_is_used() {
    for panics in [false, true] {
        let (pool, sockets) = (Gate::new(total_limit(1), Duration::MAX, None), Arc::new(Sockets::default()));
        let first = lease(&pool, X1, &sockets);
        first.conn().panics_on_drop.set(panics);
        first.give_back(None);
        let permit = permit(&pool, Y1);
        assert_eq!(sockets.open.load(Ordering::SeqCst), 0);
        drop(permit);
        assert_all_back(&pool, &sockets);
    }
}

#[test]
fn a_dead_connection_is_replaced_without_notice() {
    let (pool, sockets) = (Gate::new(open_limit(2), Duration::ZERO, None), Arc::new(Sockets::default()));
    let [alive, dead] = [X1, X1].map(|key| lease(&pool, key, &sockets));
    dead.conn().dead.set(true);
    alive.give_back(None);
    dead.give_back(None);
    let again = lease(&pool, X1, &sockets);
    assert!(again.is_reused() && !again.conn().dead.get());
    assert_eq!(pool.stats().closed(CloseReason::PeerClosed), 1);
    again.conn().dead.set(true);
    again.give_back(None);
    drop(permit(&pool, X1));
    assert_eq!((pool.stats().closed(CloseReason::PeerClosed), pool.stats().reused), (2, 1));
    assert_all_back(&pool, &sockets);
}

/// An end of all calls may meet a connection in use, or on its way into the pool. No look shows that, because the
/// shutdown comes after the mark.
#[test]
fn an_aborted_connection_is_not_used_again() {
    for probe_after in [Duration::ZERO, Duration::MAX] {
        let (pool, sockets) = (Gate::new(open_limit(1), probe_after, None), Arc::new(Sockets::default()));
        let used = lease(&pool, X1, &sockets);
        used.conn().aborted.store(true, Ordering::SeqCst);
        used.give_back(None);
        assert_eq!((pool.stats().open, pool.stats().closed(CloseReason::BodyAbandoned)), (0, 1));
        let idle = lease(&pool, X1, &sockets);
        let aborted = idle.conn().aborted.clone();
        idle.give_back(None);
        aborted.store(true, Ordering::SeqCst);
        drop(permit(&pool, X1));
        assert_eq!(pool.stats().closed(CloseReason::BodyAbandoned), 2);
        assert_all_back(&pool, &sockets);
    }
}

#[test]
fn a_connection_handed_over_is_probed_by_the_clock_of_its_arrival() {
    // Older than this is whatever has come through another thread.
    let (pool, sockets) = (Gate::new(open_limit(1), Duration::from_nanos(1), None), Arc::new(Sockets::default()));
    let first = lease(&pool, X1, &sockets);
    first.conn().dead.set(true);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| drop(permit(&pool, X1)));
        wait_for(|| pool.stats().waiting == 1);
        first.give_back(None);
        waiter.join().expect("the dead connection is not given out");
    });
    assert_all_back(&pool, &sockets);
}

#[test]
fn debug_says_how_things_stand_in_one_line() {
    let both = Settings { total_limit: Some(10), ..open_limit(4) };
    for (settings, text) in [
        (NO_LIMITS, "open 3, idle 1, in use 1, waiting 0, dialing 1"),
        (open_limit(4), "open 3 (at most 4 an endpoint), idle 1, in use 1, waiting 0, dialing 1"),
        (total_limit(10), "open 3/10, idle 1, in use 1, waiting 0, dialing 1"),
        (both, "open 3/10 (at most 4 an endpoint), idle 1, in use 1, waiting 0, dialing 1"),
    ] {
        let (pool, sockets) = (Gate::new(settings, Duration::MAX, None), Arc::new(Sockets::default()));
        let leases = [X1, Y1].map(|key| lease(&pool, key, &sockets));
        let dial = permit(&pool, X2);
        let [used, idle] = leases;
        idle.give_back(None);
        assert_eq!(format!("{pool:?}"), text);
        drop((used, dial));
        pool.close(false);
        let limits = text.trim_start_matches("open 3").split_once(", idle").expect("a line of that form").0;
        assert_eq!(format!("{pool:?}"), format!("open 0{limits}, idle 0, in use 0, waiting 0, closed"));
    }
}

/// One checkout and one return, over and over, for counting: see `docs/performance.md`.
#[test]
#[ignore = "counts nothing by itself"]
fn pairs() {
    let pairs = std::env::var("HOSTPOOL_PAIRS").ok().and_then(|pairs| pairs.parse().ok()).unwrap_or(1000);
    let pool: Pool = Gate::new(Settings { open_limit: Some(8), idle_limit: Some(8), ..NO_LIMITS }, Duration::MAX, None);
    let sockets = Arc::default();
    for _ in 0..pairs {
        match pool.checkout(&X1, Until::NEVER) {
            Ok(Checked::Lease(lease)) => lease.give_back(None),
            Ok(Checked::Permit(permit)) => permit.opened(Socket::open(&sockets)).give_back(None),
            Err(refused) => panic!("{refused:?}"),
        }
    }
    assert_eq!(pool.stats().created, 1);
}

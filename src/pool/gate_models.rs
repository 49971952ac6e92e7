//! The gate under loom, which tries every interleaving (those of up to so many preemptions where
//! `LOOM_MAX_PREEMPTIONS` says so), and under shuttle, which tries many of more threads.
//!
//! ```text
//! RUSTFLAGS="--cfg hostpool_loom" cargo test --lib --release pool::gate_models
//! RUSTFLAGS="--cfg hostpool_shuttle" cargo test --lib --release pool::gate_models
//! ```
//!
//! What runs is the gate that ships. Its connections count themselves from the dial to the end of their drop, and fail
//! the model the moment more are open than the limits allow. Every scenario ends with all units back. No checker fires
//! a timed wait: where a turn comes just as the wait times out is modelled by `wait_until`, which then says both, and a
//! wait whose turn does not come is one that another thread interrupts.

mod tokens;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

#[cfg(hostpool_loom)]
use loom as checker;
#[cfg(not(hostpool_loom))]
use shuttle as checker;

use checker::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use checker::thread::{self, JoinHandle};

use super::gate::{Checked, Gate, Lease, Permit, Refused};
use super::pooled::Pooled;
use super::types::Settings;
use crate::cancel::CancelToken;
use crate::close_reason::CloseReason;
use crate::error::Bound;
use crate::net::abort::AbortCell;
use crate::sync::thread_number;
use crate::time::{Stamp, Until};

type Key = (u8, u8);

const X1: Key = (0, 1);
const X2: Key = (0, 2);
const Y1: Key = (1, 1);
const Z1: Key = (2, 1);

/// Open sockets, eight bits for each endpoint. One number, so that a checker has one place more to switch at.
struct Sockets {
    open: AtomicUsize,
    settings: Settings,
}

impl Sockets {
    fn assert_within_limits(&self, open: usize) {
        let each = [0, 1, 2].map(|endpoint| open >> (8 * endpoint) & 0xff);
        let total = each.iter().sum::<usize>();
        assert!(self.settings.total_limit.is_none_or(|limit| total <= limit), "{total} sockets in all");
        assert!(each.iter().all(|&one| self.settings.open_limit.is_none_or(|limit| one <= limit)), "sockets: {each:?}");
    }
}

struct Socket {
    sockets: Arc<Sockets>,
    one: usize,
    dead: Cell<bool>,
}

impl Socket {
    fn open(sockets: &Arc<Sockets>, endpoint: u8) -> Socket {
        let one = 1 << (8 * endpoint);
        let open = sockets.open.fetch_add(one, Ordering::SeqCst) + one;
        sockets.assert_within_limits(open);
        Socket { sockets: Arc::clone(sockets), one, dead: Cell::new(false) }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.sockets.open.fetch_sub(self.one, Ordering::SeqCst);
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
        true
    }

    fn is_aborted(&self) -> bool {
        false
    }
}

/// How a visitor leaves.
#[derive(Clone, Copy, PartialEq)]
enum End {
    GiveBack,
    Discard,
    /// The dial fails where there is one, the exchange where there is none.
    Fail,
    Renew,
}

use End::{Discard, Fail, GiveBack, Renew};

#[derive(Clone)]
struct World {
    gate: Arc<Gate<Key, Socket>>,
    sockets: Arc<Sockets>,
    until: Until<'static>,
    token: Option<CancelToken>,
}

impl World {
    /// No limit is 0.
    fn new(open_limit: usize, total_limit: usize) -> World {
        let limit = |limit| (limit > 0).then_some(limit);
        let (open_limit, total_limit) = (limit(open_limit), limit(total_limit));
        World::with(Settings { open_limit, total_limit, ..Settings::default() })
    }

    fn with(settings: Settings) -> World {
        let sockets = Arc::new(Sockets { open: AtomicUsize::new(0), settings });
        // Every connection is probed, so that no decision hangs on the clock.
        World { gate: Gate::new(settings, Duration::ZERO, None), sockets, until: Until::NEVER, token: None }
    }

    /// Waits have a bound, which passes just as they end.
    fn hurried(self) -> World {
        World { until: Until::NEVER.or_within(Some(Duration::from_secs(3600)), Bound::Pool), ..self }
    }

    /// The same pool, for calls that have this token.
    fn under(&self, token: &CancelToken) -> World {
        World { token: Some(token.clone()), ..self.clone() }
    }

    /// A thread waits this long for itself.
    fn patient(self, own_wait: Duration) -> World {
        World::with(Settings { own_wait: Some(own_wait), ..self.sockets.settings })
    }

    fn permit(&self, key: Key) -> Permit<Key, Socket> {
        match self.gate.checkout(&key, Until::NEVER) {
            Ok(Checked::Permit(permit)) => permit,
            _ => panic!("no permit"),
        }
    }

    fn lease(&self, key: Key) -> Lease<Key, Socket> {
        self.permit(key).opened(Socket::open(&self.sockets, key.0))
    }

    /// A lease, and the cell by which a read notes its thread.
    fn response(&self, key: Key) -> (Lease<Key, Socket>, Arc<AbortCell>) {
        let mut permit = self.permit(key);
        let cell = permit.begin_dial();
        (permit.opened(Socket::open(&self.sockets, key.0)), cell)
    }

    /// Waits in line, uses what comes, and leaves.
    fn visit(&self, key: Key, end: End) -> Result<(), Refused> {
        let until = Until::new(self.until.deadline(), self.token.as_ref());
        let lease = match self.gate.checkout(&key, until)? {
            Checked::Permit(_) if end == Fail => return Ok(()),
            Checked::Permit(permit) => permit.opened(Socket::open(&self.sockets, key.0)),
            Checked::Lease(lease) => lease,
        };
        match end {
            GiveBack => lease.give_back(None),
            Discard => lease.discard(CloseReason::NotReusable),
            Fail => drop(lease),
            Renew => {
                let permit = lease.renew(CloseReason::Failed);
                permit.opened(Socket::open(&self.sockets, key.0)).give_back(None);
            }
        }
        Ok(())
    }

    fn visitor(&self, key: Key, end: End) -> JoinHandle<Result<(), Refused>> {
        let world = self.clone();
        thread::spawn(move || world.visit(key, end))
    }

    fn spawn(&self, act: fn(&Gate<Key, Socket>)) -> JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || act(&world.gate))
    }

    /// All have left: nothing is in use, and what idles can be closed.
    fn end(self) {
        self.gate.audit();
        let stats = self.gate.stats();
        assert_eq!((stats.in_use, stats.dialing, stats.waiting), (0, 0, 0));
        self.gate.retire_idle();
        self.gate.audit();
        assert_eq!(self.gate.stats().open, 0);
        assert_eq!(self.sockets.open.load(Ordering::SeqCst), 0);
    }
}

fn served(visitor: JoinHandle<Result<(), Refused>>) {
    assert_eq!(visitor.join().expect("no thread panics"), Ok(()));
}

fn served_or_closed(visitor: JoinHandle<Result<(), Refused>>) {
    let outcome = visitor.join().expect("no thread panics");
    assert!(matches!(outcome, Ok(()) | Err(Refused::Closed)), "{outcome:?}");
}

fn served_or_ended(visitor: JoinHandle<Result<(), Refused>>) {
    let outcome = visitor.join().expect("no thread panics");
    assert!(matches!(outcome, Ok(()) | Err(Refused::TimedOut { .. } | Refused::Cancelled)), "{outcome:?}");
}

#[cfg(hostpool_loom)]
fn check(scenario: fn()) {
    loom::model(scenario);
}

#[cfg(not(hostpool_loom))]
fn check(scenario: fn()) {
    shuttle::check_random(scenario, iterations(3000));
    shuttle::check_pct(scenario, iterations(3000), 3);
}

#[cfg(not(hostpool_loom))]
fn iterations(short: usize) -> usize {
    let long = std::env::var("HOSTPOOL_MODEL_ITERATIONS").ok();
    long.map_or(short, |text| text.parse().expect("HOSTPOOL_MODEL_ITERATIONS is a number"))
}

#[test]
fn a_hand_over_and_a_close() {
    check(|| {
        let world = World::new(1, 0);
        let lease = world.lease(X1);
        let waiter = world.visitor(X1, GiveBack);
        let closer = world.spawn(|gate| gate.close(false));
        lease.give_back(None);
        served_or_closed(waiter);
        closer.join().expect("no thread panics");
        assert!(world.gate.is_closed());
        world.end();
    });
}

#[test]
fn a_hand_over_and_a_cancel() {
    check(|| {
        let world = World::new(1, 0).hurried();
        let lease = world.lease(X1);
        let waiter = world.visitor(X1, GiveBack);
        let canceller = world.spawn(|gate| gate.interrupt_oldest());
        lease.give_back(None);
        served_or_ended(waiter);
        canceller.join().expect("no thread panics");
        world.end();
    });
}

#[test]
fn a_discard_and_a_cancel() {
    check(|| {
        let world = World::new(1, 0).hurried();
        let lease = world.lease(X1);
        let waiter = world.visitor(X1, Discard);
        let canceller = world.spawn(|gate| gate.interrupt_oldest());
        lease.discard(CloseReason::NotReusable);
        served_or_ended(waiter);
        canceller.join().expect("no thread panics");
        world.end();
    });
}

#[test]
fn a_place_that_goes_to_another_endpoint_and_a_cancel() {
    check(|| {
        let world = World::new(0, 1).hurried();
        let lease = world.lease(X1);
        let waiter = world.visitor(Y1, GiveBack);
        let canceller = world.spawn(|gate| gate.interrupt_oldest());
        lease.give_back(None);
        served_or_ended(waiter);
        canceller.join().expect("no thread panics");
        world.end();
    });
}

#[test]
fn a_steal_and_a_connection_that_comes_back() {
    check(|| {
        let world = World::new(0, 1);
        let lease = world.lease(X1);
        let waiters = [world.visitor(Y1, GiveBack), world.visitor(X1, GiveBack)];
        lease.give_back(None);
        waiters.into_iter().for_each(served);
        world.end();
    });
}

#[test]
fn one_comes_to_be_held_back_by_the_total_while_another_idles() {
    check(|| {
        let world = World::new(1, 2);
        let (first, second) = (world.lease(X1), world.lease(Y1));
        first.give_back(None);
        second.give_back(None);
        let visitor = world.visitor(X2, GiveBack);
        // Takes the place of the one for x, and stays.
        let lease = world.lease(Z1);
        served(visitor);
        drop(lease);
        world.end();
    });
}

#[test]
fn a_stolen_connection_counts_for_its_endpoint_until_it_is_closed() {
    check(|| {
        let world = World::new(1, 1);
        world.lease(X1).give_back(None);
        let visitors = [world.visitor(Y1, Discard), world.visitor(X1, GiveBack)];
        assert_eq!(world.visit(X2, GiveBack), Ok(()));
        visitors.into_iter().for_each(served);
        world.end();
    });
}

#[test]
fn a_dial_fails_while_others_queue() {
    check(|| {
        let world = World::new(1, 0);
        let permit = world.permit(X1);
        let waiters = [world.visitor(X1, Fail), world.visitor(X1, GiveBack)];
        drop(permit);
        waiters.into_iter().for_each(served);
        world.end();
    });
}

#[test]
fn a_close_with_a_lease_out_and_a_waiter_queued() {
    check(|| {
        let world = World::new(1, 0);
        let lease = world.lease(X1);
        let waiter = world.visitor(X1, GiveBack);
        world.gate.close(true);
        lease.give_back(None);
        assert_eq!(waiter.join().expect("no thread panics"), Err(Refused::Closed));
        world.end();
    });
}

#[test]
fn a_dead_connection_and_a_waiter() {
    check(|| {
        let world = World::new(1, 0);
        let lease = world.lease(X1);
        lease.conn().dead.set(true);
        lease.give_back(None);
        let visitors = [world.visitor(X1, GiveBack), world.visitor(X1, Discard)];
        assert_eq!(world.visit(X2, GiveBack), Ok(()));
        visitors.into_iter().for_each(served);
        world.end();
    });
}

#[test]
fn dead_connections_and_another_endpoint() {
    check(|| {
        let world = World::new(2, 2);
        let leases = [world.lease(X1), world.lease(X1)];
        for lease in leases {
            lease.conn().dead.set(true);
            lease.give_back(None);
        }
        let visitors = [world.visitor(X1, GiveBack), world.visitor(Y1, GiveBack)];
        visitors.into_iter().for_each(served);
        world.end();
    });
}

#[test]
fn a_pool_is_retired_while_a_lease_is_out() {
    check(|| {
        let world = World::new(1, 0);
        let lease = world.lease(X1);
        let waiter = world.visitor(X1, GiveBack);
        let retirer = world.spawn(|gate| gate.retire_idle());
        lease.give_back(None);
        served(waiter);
        retirer.join().expect("no thread panics");
        world.end();
    });
}

#[test]
fn a_key_is_retired_while_a_lease_is_out_and_its_successor_waits() {
    check(|| {
        let world = World::new(1, 0);
        let lease = world.lease(X1);
        let successor = world.visitor(X1, GiveBack);
        let retirer = world.spawn(|gate| gate.retire(&X1));
        lease.give_back(None);
        served(successor);
        retirer.join().expect("no thread panics");
        assert_eq!(world.visit(X1, GiveBack), Ok(()));
        world.end();
    });
}

#[test]
fn a_hand_over_and_a_key_that_is_closed() {
    check(|| {
        let world = World::new(1, 0);
        let lease = world.lease(X1);
        let waiter = world.visitor(X1, GiveBack);
        let closer = world.spawn(|gate| gate.close_key(&X1)());
        lease.give_back(None);
        served_or_closed(waiter);
        closer.join().expect("no thread panics");
        // The next is served again.
        assert_eq!(world.visit(X1, GiveBack), Ok(()));
        world.end();
    });
}

#[test]
fn one_sleeps_while_the_pool_is_closed() {
    check(|| {
        let world = World::new(1, 0).hurried();
        let until = world.until.at().expect("a wait with a bound");
        let sleepers: Vec<_> = (0..2)
            .map(|_| world.clone())
            .map(|world| {
                thread::spawn(move || {
                    assert_eq!(world.gate.park_while(until, Until::NEVER, || true), Err(Refused::Closed))
                })
            })
            .collect();
        world.gate.close(false);
        sleepers.into_iter().for_each(|sleeper| sleeper.join().expect("no thread panics"));
        world.end();
    });
}

#[test]
fn one_sleeps_while_its_key_is_closed() {
    check(|| {
        let world = World::new(1, 0).hurried();
        let (until, open) = (world.until.at().expect("a wait with a bound"), Arc::new(AtomicBool::new(true)));
        let sleeper = {
            let (world, open) = (world.clone(), Arc::clone(&open));
            thread::spawn(move || world.gate.park_while(until, Until::NEVER, || open.load(Ordering::SeqCst)))
        };
        open.store(false, Ordering::SeqCst);
        world.gate.close_key(&X1)();
        assert_eq!(sleeper.join().expect("no thread panics"), Err(Refused::Closed));
        world.end();
    });
}

#[test]
fn another_key_of_the_endpoint_and_a_newcomer() {
    check(|| {
        let world = World::new(1, 0);
        let lease = world.lease(X1);
        let visitors = [world.visitor(X2, GiveBack), world.visitor(X1, Discard)];
        lease.give_back(None);
        visitors.into_iter().for_each(served);
        world.end();
    });
}

#[test]
fn a_connection_is_renewed_while_others_queue() {
    check(|| {
        let world = World::new(1, 0);
        world.lease(X1).give_back(None);
        let visitors = [world.visitor(X1, Renew), world.visitor(X1, Renew)];
        visitors.into_iter().for_each(served);
        world.end();
    });
}

/// The caller's own thread took the only connection, and another reads from it. The wait ends with the turn, and the
/// limit on the wait passes at the same time.
#[test]
fn a_response_that_another_thread_reads() {
    check(|| {
        let world = World::new(1, 0).patient(Duration::from_nanos(1));
        let (lease, cell) = world.response(X1);
        let reader = thread::spawn(move || {
            cell.touch(thread_number());
            lease.give_back(None);
        });
        let waiter = world.visitor(X1, GiveBack);
        assert_eq!(world.visit(X1, GiveBack), Ok(()));
        served(waiter);
        reader.join().expect("no thread panics");
        world.end();
    });
}

/// A wait for the caller's own thread is refused at once, while another thread begins to read and gives back. It is not
/// refused once the other thread has read.
#[test]
fn a_refused_wait_and_a_response_that_another_thread_reads() {
    check(|| {
        let world = World::new(1, 0).patient(Duration::ZERO);
        let (lease, cell) = world.response(X1);
        let touched = Arc::new(AtomicBool::new(false));
        let reader = {
            let touched = Arc::clone(&touched);
            thread::spawn(move || {
                cell.touch(thread_number());
                touched.store(true, Ordering::SeqCst);
                lease.give_back(None);
            })
        };
        let waiter = world.visitor(X1, GiveBack);
        let was_touched = touched.load(Ordering::SeqCst);
        match world.visit(X1, GiveBack) {
            Ok(()) => {}
            Err(Refused::WouldDeadlock { .. }) => assert!(!was_touched, "the reader had the connection"),
            other => panic!("{other:?}"),
        }
        served(waiter);
        reader.join().expect("no thread panics");
        world.end();
    });
}

/// A thread that holds the only connection is refused, wherever it stands in the queue. A waiter of another thread is
/// not, and is served when the connection comes back.
#[test]
fn a_refused_wait_and_one_that_is_not() {
    check(|| {
        let world = World::new(0, 1).patient(Duration::ZERO);
        let lease = world.lease(X1);
        let waiter = world.visitor(Y1, GiveBack);
        assert!(matches!(world.visit(X1, GiveBack), Err(Refused::WouldDeadlock { .. })));
        lease.give_back(None);
        served(waiter);
        world.end();
    });
}

/// Six threads, two visits each, three endpoints with two keys, everything that can happen to a connection.
#[cfg(not(hostpool_loom))]
mod crowd {
    use super::*;
    use shuttle::rand::{Rng, thread_rng};

    fn crowd(open_limit: usize, total_limit: usize, interrupted: bool) {
        let mut world = World::new(open_limit, total_limit);
        if interrupted {
            world = world.hurried();
        }
        let visitors: Vec<_> =
            (0..6).map(|_| world.clone()).map(|world| thread::spawn(move || visits(&world))).collect();
        if interrupted {
            (0..3).for_each(|_| world.gate.interrupt_oldest());
            world.gate.retire_idle();
        }
        visitors.into_iter().for_each(|visitor| visitor.join().expect("no thread panics"));
        world.end();
    }

    fn visits(world: &World) {
        for _ in 0..2 {
            let mut random = thread_rng();
            let key = (random.gen_range(0..3), random.gen_range(1..3));
            let end = [GiveBack, GiveBack, GiveBack, Discard, Fail, Renew][random.gen_range(0..6)];
            let outcome = world.visit(key, end);
            world.gate.audit();
            assert!(matches!(outcome, Ok(()) | Err(Refused::TimedOut { .. } | Refused::Cancelled)), "{outcome:?}");
        }
    }

    fn check_both(scenario: fn()) {
        shuttle::check_random(scenario, iterations(20_000));
        shuttle::check_pct(scenario, iterations(20_000), 3);
    }

    #[test]
    fn under_both_limits() {
        check_both(|| crowd(1, 2, false));
        check_both(|| crowd(2, 3, false));
    }

    #[test]
    fn under_one_limit() {
        check_both(|| crowd(0, 2, false));
        check_both(|| crowd(1, 0, false));
    }

    #[test]
    fn with_waits_that_end_early() {
        check_both(|| crowd(1, 2, true));
        check_both(|| crowd(0, 1, true));
    }
}

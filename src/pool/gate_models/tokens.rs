//! A token that fires while its call waits, gets its turn, gives back, or sleeps.

use super::*;
use crate::net::abort::Interrupt;

fn fire(token: &CancelToken) -> JoinHandle<()> {
    let token = token.clone();
    thread::spawn(move || token.cancel())
}

fn ends(thread: JoinHandle<()>) {
    thread.join().expect("no thread panics");
}

fn served_or_cancelled(visitor: JoinHandle<Result<(), Refused>>) {
    let outcome = visitor.join().expect("no thread panics");
    assert!(matches!(outcome, Ok(()) | Err(Refused::Cancelled)), "{outcome:?}");
}

/// Nothing else wakes this waiter: a fire that it misses hangs the model.
#[test]
fn a_fire_wakes_the_waiter() {
    check(|| {
        let (world, token) = (World::new(1, 0), CancelToken::new());
        let lease = world.lease(X1);
        let waiter = world.under(&token).visitor(X1, GiveBack);
        let firing = fire(&token);
        assert_eq!(waiter.join().expect("no thread panics"), Err(Refused::Cancelled));
        ends(firing);
        lease.give_back(None);
        assert_eq!(token.registered().0, 0);
        world.end();
    });
}

/// A connection that is handed over in the moment of the fire goes on to the next in line.
#[test]
fn a_fire_and_a_hand_over() {
    check(|| {
        let (world, token) = (World::new(1, 0), CancelToken::new());
        let lease = world.lease(X1);
        let first = world.under(&token).visitor(X1, GiveBack);
        let second = world.visitor(X1, GiveBack);
        let firing = fire(&token);
        lease.give_back(None);
        served_or_cancelled(first);
        served(second);
        ends(firing);
        world.end();
    });
}

/// The same with a permit, which another call's failure gives out.
#[test]
fn a_fire_and_a_place_that_comes_free() {
    check(|| {
        let (world, token) = (World::new(0, 1), CancelToken::new());
        let lease = world.lease(X1);
        let waiter = world.under(&token).visitor(Y1, Fail);
        let firing = fire(&token);
        lease.discard(CloseReason::NotReusable);
        served_or_cancelled(waiter);
        ends(firing);
        world.end();
    });
}

#[test]
fn a_fire_and_a_close() {
    check(|| {
        let (world, token) = (World::new(1, 0), CancelToken::new());
        let lease = world.lease(X1);
        let waiter = world.under(&token).visitor(X1, GiveBack);
        let firing = fire(&token);
        let closer = world.spawn(|gate| gate.close(false));
        lease.give_back(None);
        let outcome = waiter.join().expect("no thread panics");
        assert!(matches!(outcome, Ok(()) | Err(Refused::Cancelled | Refused::Closed)), "{outcome:?}");
        ends(firing);
        ends(closer);
        world.end();
    });
}

/// All calls are cancelled while one waits and one comes back. The pool goes on.
#[test]
fn all_are_cancelled() {
    check(|| {
        let world = World::new(1, 0);
        let lease = world.lease(X1);
        let waiter = world.visitor(X1, GiveBack);
        let canceller = world.spawn(|gate| gate.cancel_all(None));
        lease.give_back(None);
        served_or_cancelled(waiter);
        ends(canceller);
        assert_eq!(world.visit(X1, GiveBack), Ok(()));
        world.end();
    });
}

#[test]
fn a_fire_and_a_sleeper() {
    check(|| {
        let (world, token) = (World::new(1, 0).hurried(), CancelToken::new());
        let at = world.until.at().expect("a wait with a bound");
        let sleeper = {
            let world = world.under(&token);
            thread::spawn(move || {
                let until = Until::new(world.until.deadline(), world.token.as_ref());
                world.gate.park_while(at, until, || true)
            })
        };
        token.cancel();
        assert_eq!(sleeper.join().expect("no thread panics"), Err(Refused::Cancelled));
        world.end();
    });
}

/// A socket that is not the fired call's.
struct Next(AtomicBool);

impl Interrupt for Next {
    fn interrupt(&self) {
        assert!(!self.0.load(Ordering::SeqCst), "the next user was hit");
    }
}

/// A connection over that socket, which may be used by one call after another.
fn connection() -> (Arc<Next>, Arc<AbortCell>) {
    let (socket, cell) = (Arc::new(Next(AtomicBool::new(false))), Arc::new(AbortCell::new()));
    let interrupt: Arc<dyn Interrupt> = socket.clone();
    cell.register(Arc::downgrade(&interrupt));
    (socket, cell)
}

/// The call ends its registration, then its use. From then on the connection is another call's.
macro_rules! used_by_another {
    (|$token:ident, $cell:ident| $register:expr) => {
        check(|| {
            let ($token, (socket, $cell)) = (CancelToken::new(), connection());
            let registered = $register;
            let firing = fire(&$token);
            drop(registered);
            // A connection whose use was aborted has no next user.
            if $cell.next_use() {
                socket.0.store(true, Ordering::SeqCst);
                ends(firing);
                assert!(!$cell.is_aborted());
            }
        })
    };
}

#[test]
fn a_fire_never_reaches_the_next_use() {
    used_by_another!(|token, cell| {
        let (blocked, generation) = cell.blocked();
        token.register(blocked, generation)
    });
}

/// The same with a place in the list that stays.
#[test]
fn a_fire_never_reaches_the_use_after_a_kept_place() {
    used_by_another!(|token, cell| cell.cancellable_by(&token));
}

/// A fire that comes while the connection goes from its call to one of another token ends the first call or none.
#[test]
fn a_fire_never_reaches_the_call_of_another_token() {
    check(|| {
        let (token, other, (socket, cell)) = (CancelToken::new(), CancelToken::new(), connection());
        let registered = cell.cancellable_by(&token);
        let firing = fire(&token);
        drop(registered);
        if cell.next_use() {
            socket.0.store(true, Ordering::SeqCst);
            let registered = cell.cancellable_by(&other);
            ends(firing);
            drop(registered);
            assert!(!cell.is_aborted());
            assert_eq!((token.registered().0, other.registered().0), (0, 1));
        }
    });
}

/// The second call has the token of the first, which is registered already. It finds that the token has fired, or is
/// ended by the fire.
#[test]
fn a_fire_reaches_the_next_call_of_its_token() {
    check(|| {
        let (token, (_socket, cell)) = (CancelToken::new(), connection());
        drop(cell.cancellable_by(&token));
        assert!(cell.next_use());
        let firing = fire(&token);
        let registered = cell.cancellable_by(&token);
        let has_fired = token.has_fired();
        ends(firing);
        assert!(has_fired || cell.is_aborted());
        drop(registered);
    });
}

/// A child that is made while its parent fires has fired by then, or does so with it.
#[test]
fn a_fire_and_a_child() {
    check(|| {
        let token = CancelToken::new();
        let firing = fire(&token);
        let child = token.child();
        ends(firing);
        assert!(child.is_cancelled());
    });
}

/// Six threads, half of them under a token that fires in between.
#[cfg(not(hostpool_loom))]
#[test]
fn a_crowd() {
    fn crowd(open_limit: usize, total_limit: usize) {
        let (world, token) = (World::new(open_limit, total_limit), CancelToken::new());
        let visitors: Vec<_> = (0..6)
            .map(|n| if n % 2 == 0 { world.under(&token) } else { world.clone() })
            .map(|world| {
                thread::spawn(move || {
                    for key in [X1, Y1, X2] {
                        let outcome = world.visit(key, GiveBack);
                        world.gate.audit();
                        assert!(outcome == Ok(()) || world.token.is_some() && outcome == Err(Refused::Cancelled));
                    }
                })
            })
            .collect();
        token.cancel();
        visitors.into_iter().for_each(ends);
        assert_eq!(token.registered().0, 0);
        world.end();
    }
    for scenario in [|| crowd(1, 2), || crowd(0, 1)] {
        shuttle::check_random(scenario, iterations(10_000));
        shuttle::check_pct(scenario, iterations(10_000), 3);
    }
}

//! The turn under shuttle: no wake is lost, and no two threads have it at once.
//!
//! ```text
//! RUSTFLAGS="--cfg hostpool_shuttle" cargo test --lib --release net::turn
//! ```

use std::sync::Arc;

use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::thread::{self, JoinHandle};

use super::turn::Turn;
use crate::cancel::CancelToken;
use crate::error::Phase;
use crate::time::Until;

fn check(model: fn()) {
    shuttle::check_random(model, 20_000);
    shuttle::check_pct(model, 20_000, 3);
}

/// Who has the turn.
struct World {
    turn: Arc<Turn>,
    is_taken: AtomicBool,
}

impl World {
    fn new() -> Arc<World> {
        Arc::new(World { turn: Turn::new(), is_taken: AtomicBool::new(false) })
    }

    /// Takes the turn and gives it back. Returns false if the token ended the wait for it.
    fn visit(&self, until: Until<'_>) -> bool {
        let Ok(taken) = self.turn.take(until, Phase::Upgraded) else { return false };
        assert!(!self.is_taken.swap(true, Ordering::SeqCst), "two threads have the turn");
        thread::yield_now();
        self.is_taken.store(false, Ordering::SeqCst);
        drop(taken);
        true
    }

    fn visitor(self: &Arc<Self>) -> JoinHandle<bool> {
        let world = self.clone();
        thread::spawn(move || world.visit(Until::NEVER))
    }
}

fn joined(thread: JoinHandle<bool>) -> bool {
    thread.join().expect("no thread panics")
}

/// Each of several threads gets it, one after another.
#[test]
fn everybody_gets_the_turn() {
    check(|| {
        let world = World::new();
        let visitors = [world.visitor(), world.visitor()];
        assert!(world.visit(Until::NEVER));
        assert!(visitors.into_iter().all(joined));
    });
}

/// Nothing else wakes this waiter: a fire that it misses hangs the model.
#[test]
fn a_fire_wakes_the_waiter() {
    check(|| {
        let (world, token) = (World::new(), CancelToken::new());
        let taken = world.turn.take(Until::NEVER, Phase::Upgraded).expect("the turn is free");
        let waiter = {
            let (world, token) = (world.clone(), token.clone());
            thread::spawn(move || world.visit(Until::NEVER.with_token(&token)))
        };
        let firing = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        assert!(!joined(waiter));
        firing.join().expect("no thread panics");
        drop(taken);
        assert_eq!(token.registered().0, 0);
        assert!(world.visit(Until::NEVER));
    });
}

/// A turn that comes free in the moment of the fire is not lost: the other waiter gets it.
#[test]
fn a_fire_and_a_free_turn() {
    check(|| {
        let (world, token) = (World::new(), CancelToken::new());
        let taken = world.turn.take(Until::NEVER, Phase::Upgraded).expect("the turn is free");
        let cancelled = {
            let (world, token) = (world.clone(), token.clone());
            thread::spawn(move || world.visit(Until::NEVER.with_token(&token)))
        };
        let other = world.visitor();
        token.cancel();
        drop(taken);
        joined(cancelled);
        assert!(joined(other));
    });
}

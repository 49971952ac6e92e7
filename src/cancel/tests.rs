//! The list of a token, and its family.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::error::Bound;

/// Notes the generations that were ended.
#[derive(Default)]
struct Noted(AtomicU64);

impl Blocked for Noted {
    fn cancel(&self, generation: u64) {
        self.0.fetch_or(1 << generation, Ordering::SeqCst);
    }
}

fn blocked(noted: &Arc<Noted>) -> std::sync::Weak<dyn Blocked> {
    Arc::<Noted>::downgrade(noted) as std::sync::Weak<dyn Blocked>
}

/// Only those that wait now are woken, each once.
#[test]
fn who_is_woken() {
    let (token, noted, gone) = (CancelToken::new(), Arc::new(Noted::default()), Arc::new(Noted::default()));
    let first = token.register(blocked(&noted), 0);
    let second = token.register(blocked(&noted), 1);
    let _gone = token.register(blocked(&gone), 7);
    drop((first, gone));
    let third = token.register(blocked(&noted), 2);
    token.cancel();
    assert_eq!(noted.0.load(Ordering::SeqCst), 0b110);
    noted.0.store(0, Ordering::SeqCst);
    token.cancel();
    assert_eq!(noted.0.load(Ordering::SeqCst), 0, "a token fires once");
    // What registers later asks the token itself. Its place is its own, whatever came before.
    let late = token.register(blocked(&noted), 3);
    drop((second, third));
    assert_eq!(token.registered().0, 1);
    drop(late);
    assert_eq!(token.registered().0, 0);
}

/// A wait that panics as it is woken keeps no other from being woken.
#[test]
fn a_panic_is_contained() {
    struct Bomb;

    impl Blocked for Bomb {
        fn cancel(&self, _: u64) {
            panic!("as it is woken");
        }
    }

    let (token, noted, bomb) = (CancelToken::new(), Arc::new(Noted::default()), Arc::new(Bomb));
    let _before = token.register(Arc::<Bomb>::downgrade(&bomb), 0);
    let _after = token.register(blocked(&noted), 0);
    let _run = token.on_cancel(|| panic!("of the caller"));
    token.cancel();
    assert_eq!(noted.0.load(Ordering::SeqCst), 1);
    let _late = token.on_cancel(|| panic!("of the caller, at once"));
}

/// A million calls, up to sixteen of them at once, and children that come and go.
#[test]
fn memory_stays_flat() {
    let (token, noted) = (CancelToken::new(), Arc::new(Noted::default()));
    let mut held = Vec::new();
    for n in 0..1_000_000 {
        held.push(token.register(blocked(&noted), 0));
        if held.len() > 16 {
            held.swap_remove(n % 16);
        }
        if n % 100 == 0 {
            drop((token.child(), token.on_cancel(|| ())));
        }
    }
    let (registered, room) = token.registered();
    assert_eq!(registered, 16);
    assert!(room < 100, "{room}");
    drop(held);
    assert_eq!(token.registered().0, 0);
    assert_eq!(Arc::weak_count(&noted), 0);
}

#[test]
fn families() {
    let (one, other) = (CancelToken::new(), CancelToken::new());
    let both = CancelToken::any_of([&one, &other]);
    let (child, grandchild) = (both.child(), both.child().child());
    child.cancel();
    assert_eq!(
        [&one, &other, &both, &child, &grandchild].map(CancelToken::is_cancelled),
        [false, false, false, true, false]
    );
    other.cancel();
    assert_eq!(
        [&one, &other, &both, &child, &grandchild].map(CancelToken::is_cancelled),
        [false, true, true, true, true]
    );
    assert!(other.child().is_cancelled() && CancelToken::any_of([&one, &other]).is_cancelled());
    assert!(!CancelToken::any_of([]).is_cancelled());
    // A parent that only its children hold still reaches them.
    let root = CancelToken::new();
    let leaf = root.child().child().child();
    root.cancel();
    assert!(leaf.is_cancelled());
}

/// Each token is the child of the one before it, as in a loop that narrows its deadline step by step. Neither the fire
/// nor the drop goes down such a line on the stack.
#[test]
fn a_long_line_of_children() {
    for fires in [true, false] {
        let (first, noted) = (CancelToken::new(), Arc::new(Noted::default()));
        let mut last = first.child();
        for _ in 0..100_000 {
            last = last.child();
        }
        let registered = last.register(blocked(&noted), 1);
        if fires {
            first.cancel();
        }
        assert_eq!((last.is_cancelled(), noted.0.load(Ordering::SeqCst)), (fires, u64::from(fires) << 1));
        drop(registered);
        drop(last);
        assert_eq!(first.registered().0, 0);
    }
}

#[test]
fn deadlines() {
    let (soon, late) = (Duration::from_secs(5), Duration::from_secs(50));
    let now = Instant::now();
    let parent = CancelToken::with_deadline(now + soon);
    assert_eq!(parent.child().deadline(), Some(now + soon));
    assert_eq!(parent.child_with_timeout(late).deadline(), Some(now + soon));
    assert!(parent.child_with_timeout(Duration::ZERO).is_cancelled() && !parent.is_cancelled());
    assert_eq!(CancelToken::with_timeout(Duration::MAX).deadline(), None);
    assert_eq!(CancelToken::any_of([&CancelToken::new(), &parent]).deadline(), Some(now + soon));
    let passed = CancelToken::with_deadline(now);
    assert!(passed.is_cancelled() && !passed.has_fired() && passed.child().is_cancelled());
}

/// The token's deadline, the total and the bound of a phase: the earliest is named, and at the same time the token's.
#[test]
fn who_ends_a_wait() {
    use crate::time::{Deadline, Timeout, Until};
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let by = |at, bound| Deadline::by(now + at * second, bound);
    for (token, total, bound) in [(2, 1, Bound::Total), (1, 2, Bound::Token), (1, 1, Bound::Token)] {
        let found = by(token, Bound::Token).earlier(by(total, Bound::Total));
        assert_eq!(found.bound(), bound);
    }
    let token = CancelToken::with_deadline(now);
    let until = Until::begin(&Timeout::from(Duration::ZERO), Some(&token));
    assert_eq!(until.check(Phase::Send).unwrap_err().kind(), &ErrorKind::Timeout(Bound::Token));
    token.cancel();
    let error = until.check(Phase::Send).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Cancelled, Phase::Send));
    assert!(until.cancelled(Phase::Body).is_some() && Until::NEVER.cancelled(Phase::Body).is_none());
}

/// The error of a check is that of its call, once; then the call was cancelled. A panic goes on where the error is
/// made.
#[test]
fn checks() {
    let fails = Check::new(|| Err(Error::custom("enough")));
    let outer = CancelToken::new();
    let token = CancelToken::of_call(Some(&outer), &fails);
    assert!(token.has_check() && !outer.has_check() && !token.is(&outer));
    token.tick();
    assert!(token.is_cancelled() && !outer.is_cancelled());
    let error = token.error(Phase::Head);
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Custom, Phase::Head));
    assert_eq!(error.to_string(), "enough (waiting for the response)");
    assert_eq!(token.error(Phase::Body).kind(), &ErrorKind::Cancelled);

    let token = CancelToken::of_call(None, &Check::new(|| panic!("of the check")));
    token.tick();
    let panicked = panic::catch_unwind(AssertUnwindSafe(|| token.error(Phase::Pool))).unwrap_err();
    assert_eq!(panicked.downcast_ref(), Some(&"of the check"));

    let token = CancelToken::of_call(Some(&outer), &Check::new(|| Ok(())));
    token.tick();
    assert!(!token.is_cancelled());
    outer.cancel();
    assert!(token.is_cancelled());
}

/// A reader and a writer of one connection may both run the check, and both get an answer. The first one counts.
#[test]
fn two_answers_of_a_check() {
    let (own, runs) = (Arc::new(std::sync::OnceLock::<CancelToken>::new()), AtomicU64::new(0));
    let of_call = own.clone();
    let token = CancelToken::of_call(
        None,
        &Check::new(move || {
            let run = runs.fetch_add(1, Ordering::SeqCst);
            if run == 0 {
                // As another thread does meanwhile.
                of_call.get().unwrap().tick();
            }
            Err(Error::custom(if run == 0 { "late" } else { "first" }))
        }),
    );
    own.set(token.clone()).unwrap();
    token.tick();
    assert!(token.error(Phase::Head).to_string().starts_with("first"));
}

/// A connection that is closed leaves the list of its token, and waits for it without a lock of the pool.
#[test]
fn the_pool_goes_on_while_a_connection_leaves() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        // Until the client closes.
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    });
    let (pools, token) = (crate::PoolManager::new(), CancelToken::new());
    pools.get(url).cancel_with(&token).send().unwrap().bytes().unwrap();
    assert_eq!(token.registered().0, 1);
    let list = token.hold();
    let closer = thread::spawn({
        let pools = pools.clone();
        move || pools.clear()
    });
    server.join().unwrap();
    // The closer waits for the list now, or is about to.
    let (tell, told) = channel();
    thread::spawn(move || {
        for _ in 0..1000 {
            pools.stats();
            thread::yield_now();
        }
        tell.send(())
    });
    let goes_on = told.recv_timeout(Duration::from_secs(20));
    drop(list);
    closer.join().unwrap();
    assert_eq!((goes_on, token.registered().0), (Ok(()), 0));
}

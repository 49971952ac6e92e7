//! Callers that wait for a connection that their own thread holds.

use super::*;

/// Notes down who waits for itself, and whether it is certain.
struct Selves(Arc<Mutex<Vec<(u64, bool)>>>);

impl Watch<Key> for Selves {
    fn waiting(&self, _: &Key) {}

    fn waited(&self, _: &Key, _: Duration, _: bool) {}

    fn waits_for_itself(&self, _: &Key, held: u64, certain: bool) {
        self.0.lock().expect("no thread panics").push((held, certain));
    }
}

#[test]
fn who_would_wait_for_itself_is_warned_or_refused() {
    for (limit, refuse) in [(1, true), (2, true), (2, false)] {
        let own_wait = refuse.then_some(Duration::ZERO);
        let settings = Settings { own_wait, ..open_limit(limit) };
        let warned = Arc::<Mutex<_>>::default();
        let pool = Gate::new(settings, Duration::MAX, Some(Box::new(Selves(warned.clone()))));
        let sockets = Arc::new(Sockets::default());
        let mut own = permit(&pool, X1);
        own.begin_dial().name(7);
        let own = own.opened(Socket::open(&sockets));
        if limit == 2 {
            let other = thread::scope(|scope| scope.spawn(|| lease(&pool, X1, &sockets)).join().expect("a lease"));
            thread::scope(|scope| {
                scope.spawn(|| {
                    wait_for(|| !warned.lock().expect("no thread panics").is_empty());
                    other.give_back(None);
                });
                let Ok(Checked::Lease(second)) = pool.checkout(&X1, Until::NEVER) else { panic!("it came free") };
                drop(second);
            });
            assert_eq!(warned.lock().expect("no thread panics").drain(..).collect::<Vec<_>>(), [(7, false)]);
        } else {
            let refused = pool.checkout(&X1, Until::NEVER).err();
            assert_eq!(refused, Some(Refused::WouldDeadlock { held: 7 }));
            assert_eq!(pool.stats().timeouts, 0, "nobody waited");
            assert_eq!(warned.lock().expect("no thread panics").drain(..).collect::<Vec<_>>(), [(7, true)]);
        }
        // A wait with a bound ends by itself.
        let held: Vec<_> = (1..limit).map(|_| lease(&pool, X1, &sockets)).collect();
        assert!(matches!(pool.checkout(&X1, within(Duration::ZERO)).err(), Some(Refused::TimedOut { .. })));
        assert!(warned.lock().expect("no thread panics").is_empty());
        drop((own, held));
        assert_all_back(&pool, &sockets);
    }
}

/// Longer than a wait for the caller's own thread.
const TOO_LONG: Duration = Duration::from_millis(50);

fn own_wait(limit: Duration, settings: Settings) -> Settings {
    Settings { own_wait: Some(limit), ..settings }
}

/// Waits without a bound, as the pool sees it. A wait that does not end is interrupted, and then fails its test.
fn checkout_unbounded(pool: &Pool, key: Key) -> Result<Checked<Key, Socket>, Refused> {
    let (give, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if ended.recv_timeout(GIVE_UP) == Err(mpsc::RecvTimeoutError::Timeout) {
                pool.interrupt_oldest();
            }
        });
        let checked = pool.checkout(&key, Until::NEVER);
        drop(give);
        checked
    })
}

/// Returns a lease, and the cell by which a read notes its thread.
fn read_by(pool: &Pool, key: Key, sockets: &Arc<Sockets>) -> (Lease<Key, Socket>, Arc<AbortCell>) {
    let mut permit = permit(pool, key);
    let cell = permit.begin_dial();
    (permit.opened(Socket::open(sockets)), cell)
}

#[test]
fn who_waits_for_itself_too_long_is_refused() {
    let brief = Duration::from_millis(10);
    let rows = [
        ("the endpoint", open_limit(2), [X1, X2], X1),
        ("the total limit", total_limit(2), [X1, Y1], Z1),
        (
            "the total limit, with a limit of the endpoint",
            Settings { total_limit: Some(2), ..open_limit(2) },
            [X1, Y1],
            X2,
        ),
    ];
    for (row, settings, held, key) in rows {
        let warned = Arc::<Mutex<_>>::default();
        let watch = Selves(warned.clone());
        let pool = Gate::new(own_wait(brief, settings), Duration::MAX, Some(Box::new(watch)));
        let sockets = Arc::new(Sockets::default());
        let held = held.map(|key| read_by(&pool, key, &sockets));
        held[0].1.name(7);
        assert_eq!(checkout_unbounded(&pool, key).err(), Some(Refused::WouldDeadlock { held: 7 }), "{row}");
        let stats = pool.stats();
        assert!(stats.waited_max >= brief && stats.timeouts == 0 && stats.waiting == 0, "{row}: {stats:?}");
        assert_eq!(warned.lock().expect("no thread panics").drain(..).collect::<Vec<_>>(), [(7, true)], "{row}");
        // A wait with a bound ends by itself, also if the bound is longer.
        match pool.checkout(&key, within(TOO_LONG)).err() {
            Some(Refused::TimedOut { waited, in_use: 2, held_here: 2, .. }) => assert!(waited >= TOO_LONG, "{row}"),
            other => panic!("{row}: {other:?}"),
        }
        // Another thread has read since.
        held[1].1.touch(u64::MAX);
        match pool.checkout(&key, within(Duration::ZERO)).err() {
            Some(Refused::TimedOut { in_use: 2, held_here: 1, .. }) => {}
            other => panic!("{row}: {other:?}"),
        }
        drop(held);
        assert_all_back(&pool, &sockets);
    }
}

/// A connection that goes to another thread comes back, however long that takes.
#[test]
fn who_waits_for_another_thread_is_not_refused() {
    let brief = Duration::from_millis(1);
    let rows = [
        ("another thread has read", open_limit(1), brief, X1),
        ("another thread has read, and the total limit", total_limit(1), brief, Y1),
        ("released in time without a read", open_limit(1), GIVE_UP, X1),
        ("no limit on the wait", open_limit(1), Duration::MAX, X1),
    ];
    for (row, settings, limit, key) in rows {
        let never = limit == Duration::MAX;
        let settings = if never { settings } else { own_wait(limit, settings) };
        let (pool, sockets) = (Gate::new(settings, Duration::MAX, None), Arc::new(Sockets::default()));
        let (lease, cell) = read_by(&pool, X1, &sockets);
        let (give, taken) = mpsc::channel();
        thread::scope(|scope| {
            let pool = &pool;
            scope.spawn(move || {
                if limit == brief {
                    cell.touch(thread_number());
                }
                give.send(()).expect("the receiver waits");
                wait_for(|| pool.stats().waiting == 1);
                if never || limit == brief {
                    // The wait is longer than the limit, and this thread only reads now and then.
                    thread::sleep(TOO_LONG);
                }
                lease.give_back(None);
            });
            taken.recv_timeout(GIVE_UP).expect("the other thread has the lease");
            assert!(checkout_unbounded(pool, key).is_ok(), "{row}");
        });
        assert_all_back(&pool, &sockets);
    }
}

/// A caller that holds nothing never asks again. One that holds another connection does, and one of its own thread that
/// is not awaited does not count.
#[test]
fn who_holds_nothing_of_what_it_waits_for_is_not_refused() {
    let settings = own_wait(Duration::from_millis(1), open_limit(1));
    for own in [None, Some(Y1)] {
        let (pool, sockets) = (Gate::new(settings, Duration::MAX, None), Arc::new(Sockets::default()));
        let own = own.map(|key| lease(&pool, key, &sockets));
        let (give, taken) = mpsc::channel();
        thread::scope(|scope| {
            let (pool, sockets) = (&pool, &sockets);
            scope.spawn(move || {
                let lease = lease(pool, X1, sockets);
                give.send(()).expect("the receiver waits");
                wait_for(|| pool.stats().waiting == 1);
                thread::sleep(TOO_LONG);
                lease.give_back(None);
            });
            taken.recv_timeout(GIVE_UP).expect("the other thread has the lease");
            assert!(checkout_unbounded(pool, X1).is_ok());
        });
        drop(own);
        assert_all_back(&pool, &sockets);
    }
}

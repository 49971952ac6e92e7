//! Tests of shared lookups, with scripted resolvers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::cache::{Cache, Key};
use super::lookups::{LEFT, Lookups, PLACES, thread as lookup_thread};
use super::resolver::{Family, Lookup, Resolver, resolver_fn};
use crate::cancel::CancelToken;
use crate::error::{Bound, ErrorKind, Phase, Result};
use crate::net::abort::AbortCell;
use crate::net::transport::Wait;
use crate::sync::Mutex;
use crate::time::{Timeout, Until};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);
const FOUND: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

type Addresses = io::Result<Vec<SocketAddr>>;

fn lookups() -> Lookups {
    Lookups::new(lookup_thread)
}

fn key(resolver: &Arc<dyn Resolver>, host: &str) -> Key {
    Key { resolver: Some(resolver.clone()), host: host.into(), family: Family::Any }
}

fn resolver(resolve: impl Fn(&str) -> Addresses + Send + Sync + 'static) -> Arc<dyn Resolver> {
    Arc::new(resolver_fn(move |lookup: &Lookup<'_>| resolve(lookup.host())))
}

fn found() -> Arc<dyn Resolver> {
    resolver(|_| Ok(vec![FOUND]))
}

/// Looks up as a dial does, with the bound of lookups and the total.
fn by(lookups: &Lookups, key: &Key, timeout: Timeout) -> Result<()> {
    under(lookups, key, timeout, &AbortCell::new())
}

fn under(lookups: &Lookups, key: &Key, timeout: Timeout, cell: &AbortCell) -> Result<()> {
    let wait = Wait::of(timeout.deadline().or_within(timeout.resolve, Bound::Resolve).into(), cell);
    let found = lookups.find(key, None, &wait);
    let found = found.map_err(|error| wait.failure(error, ErrorKind::Resolve, Phase::Resolve))?;
    assert_eq!(*found, [FOUND]);
    Ok(())
}

/// A resolver whose lookups hang until the test releases them by name, and report when they begin.
struct Hanging {
    began: Receiver<String>,
    held: Arc<Mutex<Held>>,
    resolver: Arc<dyn Resolver>,
}

/// The names of lookups that hang, and what ends them.
type Held = Vec<(String, Sender<()>)>;

impl Hanging {
    fn new() -> Hanging {
        let (tell, began) = channel();
        let held: Arc<Mutex<Held>> = Arc::default();
        let (all, tell) = (held.clone(), Mutex::new(tell));
        let resolver = resolver(move |host| {
            let (release, released) = channel();
            all.lock().push((host.to_owned(), release));
            let _ = tell.lock().send(host.to_owned());
            let _ = released.recv();
            Ok(vec![FOUND])
        });
        Hanging { began, held, resolver }
    }

    fn key(&self, host: impl ToString) -> Key {
        key(&self.resolver, &host.to_string())
    }

    fn wait(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.began.recv_timeout(LONG).unwrap()).collect()
    }

    fn release(&self, host: &str) {
        self.held.lock().retain(|(held, _)| held != host);
    }
}

/// Calls on a thread of its own, and waits until it waits.
fn call(lookups: &Lookups, key: &Key, timeout: Timeout, cell: &Arc<AbortCell>) -> Receiver<Result<()>> {
    let (tell, told) = channel();
    let waiters = lookups.waiters(key);
    let (calling, key_of_call, cell) = (lookups.clone(), key.clone(), cell.clone());
    thread::spawn(move || tell.send(under(&calling, &key_of_call, timeout, &cell)));
    until(|| lookups.waiters(key) > waiters);
    told
}

fn until(ready: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !ready() {
        assert!(Instant::now() < end, "it did not happen");
        thread::yield_now();
    }
}

fn cell() -> Arc<AbortCell> {
    Arc::new(AbortCell::new())
}

/// The results of lookups that return, and the threads they run in.
#[test]
fn answers() {
    let bounded = Timeout::from(LONG);
    type Answer = fn() -> Addresses;
    let table: [(&str, Answer, Timeout, Option<ErrorKind>); 4] = [
        ("found", || Ok(vec![FOUND]), bounded, None),
        ("no bound", || Ok(vec![FOUND]), Timeout::new(), None),
        ("failed", || Err(io::Error::other("no such name")), bounded, Some(ErrorKind::Resolve)),
        // The resolver's own timeout is not a bound of the request.
        ("late", || Err(io::ErrorKind::TimedOut.into()), bounded, Some(ErrorKind::Resolve)),
    ];
    for (id, answer, timeout, expected) in table {
        let (tell, told) = channel();
        let tell = Mutex::new(tell);
        let resolver = resolver(move |host| {
            tell.lock().send((host.to_owned(), thread::current().id())).unwrap();
            answer()
        });
        let result = by(&lookups(), &key(&resolver, "name"), timeout);
        assert_eq!(result.err().map(|error| error.kind().clone()), expected, "{id}");
        let (host, thread) = told.recv().unwrap();
        assert_eq!(host, "name", "{id}");
        assert_eq!(thread == thread::current().id(), timeout == Timeout::new(), "{id}");
    }
}

/// RW-61: without a thread the lookup runs on the caller's own, and a deadline that has passed by then counts.
#[cfg(target_pointer_width = "64")]
#[test]
fn no_thread_to_be_had() {
    let lookups = Lookups::new(|| thread::Builder::new().stack_size(1 << 62));
    let here = thread::current().id();
    let own = resolver(move |_| {
        assert_eq!(thread::current().id(), here);
        Ok(vec![FOUND])
    });
    by(&lookups, &key(&own, "name"), Timeout::from(LONG)).unwrap();
    let late = resolver(|_| {
        thread::sleep(2 * SHORT);
        Ok(vec![FOUND])
    });
    let error = by(&lookups, &key(&late, "name"), Timeout::from(LONG).resolve(SHORT)).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Resolve), Phase::Resolve));
}

/// The error names the bound that ended the wait. A bound of zero begins no lookup.
#[test]
fn deadlines() {
    let table = [
        ("resolve", Timeout::new().resolve(SHORT), Bound::Resolve, 1),
        ("resolve in total", Timeout::from(LONG).resolve(SHORT), Bound::Resolve, 1),
        ("total", Timeout::from(SHORT).resolve(LONG), Bound::Total, 1),
        ("resolve of zero", Timeout::from(LONG).resolve(Duration::ZERO), Bound::Resolve, 0),
        ("total of zero", Timeout::from(Duration::ZERO), Bound::Total, 0),
    ];
    for (id, timeout, bound, threads) in table {
        let (hanging, lookups) = (Hanging::new(), lookups());
        let error = by(&lookups, &hanging.key("name"), timeout).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Resolve), "{id}");
        assert_eq!(lookups.threads(), threads, "{id}");
    }
}

/// Calls that need the same name at the same time share one lookup and its result, be it good or bad, and on whatever
/// thread it runs. A later call looks up again.
#[test]
fn sharing() {
    for of_caller in [false, true] {
        let hanging = Hanging::new();
        let (lookups, key) = (lookups(), hanging.key("name"));
        let first = match of_caller {
            true => call(&lookups, &key, Timeout::new(), &cell()),
            false => call(&lookups, &key, Timeout::from(LONG), &cell()),
        };
        hanging.wait(1);
        let others = [(); 20].map(|()| call(&lookups, &key, Timeout::from(LONG), &cell()));
        hanging.release("name");
        for told in others.iter().chain([&first]) {
            told.recv_timeout(LONG).unwrap().unwrap();
        }
        assert!(hanging.began.try_recv().is_err());
        assert_eq!(lookups.threads(), usize::from(!of_caller));
        let again = call(&lookups, &key, Timeout::from(LONG), &cell());
        hanging.wait(1);
        hanging.release("name");
        again.recv_timeout(LONG).unwrap().unwrap();
    }
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let failing = resolver(move |_| {
        let _ = released.lock().recv();
        Err(io::Error::from_raw_os_error(24))
    });
    let (lookups, key) = (lookups(), key(&failing, "name"));
    let calls = [(); 3].map(|()| call(&lookups, &key, Timeout::from(LONG), &cell()));
    drop(release);
    for told in calls {
        let error = told.recv_timeout(LONG).unwrap().unwrap_err();
        let source = std::error::Error::source(&error).unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.raw_os_error(), Some(24));
    }
}

/// Another resolver, name or family is another lookup.
#[test]
fn what_is_not_shared() {
    let (hanging, other, lookups) = (Hanging::new(), Hanging::new(), lookups());
    let v4 = Key { family: Family::V4, ..hanging.key("name") };
    let keys = [hanging.key("name"), v4, hanging.key("other"), other.key("name")];
    let calls = keys.map(|key| call(&lookups, &key, Timeout::from(LONG), &cell()));
    hanging.wait(3);
    other.wait(1);
    ["name", "other"].into_iter().for_each(|host| hanging.release(host));
    other.release("name");
    calls.iter().for_each(|told| told.recv_timeout(LONG).unwrap().unwrap());
}

/// An abort ends the wait while the lookup runs, while it is queued, and before it begins. The lookup itself goes on,
/// and others may still share it.
#[test]
fn aborts() {
    let closed = |result: Result<()>| {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Closed, Phase::Resolve), "{error}");
    };
    // The bound is longer than the test waits, so only the abort can end the wait.
    let later = Timeout::from(100 * LONG);
    let (hanging, lookups) = (Hanging::new(), lookups());
    let (one, other) = (cell(), cell());
    let key = hanging.key("name");
    let running = [&one, &other].map(|cell| call(&lookups, &key, later, cell));
    hanging.wait(1);
    one.handle().abort();
    closed(running[0].recv_timeout(LONG).unwrap());
    closed(under(&lookups, &self::key(&found(), "a"), later, &one));
    closed(under(&lookups, &self::key(&found(), "a"), Timeout::new(), &one));
    hanging.release("name");
    running[1].recv_timeout(LONG).unwrap().unwrap();

    let held: Vec<_> = (0..PLACES).map(|n| call(&lookups, &hanging.key(n), later, &cell())).collect();
    hanging.wait(PLACES);
    let queued_cell = cell();
    let queued = call(&lookups, &hanging.key("queued"), later, &queued_cell);
    queued_cell.handle().abort();
    closed(queued.recv_timeout(LONG).unwrap());
    (0..PLACES).for_each(|n| hanging.release(&n.to_string()));
    held.iter().for_each(|told| told.recv_timeout(LONG).unwrap().unwrap());
    assert!(hanging.began.try_recv().is_err(), "the queued lookup never began");
}

/// A token makes a lookup without a bound run on a thread of the crate, and ends the wait for it. A token that has
/// fired begins none.
#[test]
fn tokens() {
    let lookups = lookups();
    let call = |key: Key, token: &CancelToken| {
        let (tell, told) = channel();
        let (lookups, token) = (lookups.clone(), token.clone());
        thread::spawn(move || {
            let cell = cell();
            let until = Until::begin(&Timeout::new(), Some(&token));
            let _registered = until.register(|| cell.blocked());
            let wait = Wait::of(until, &cell);
            let found = lookups.find(&key, None, &wait);
            tell.send(found.map_err(|error| wait.failure(error, ErrorKind::Resolve, Phase::Resolve)))
        });
        told
    };
    let (hanging, token) = (Hanging::new(), CancelToken::new());
    let running = call(hanging.key("name"), &token);
    hanging.wait(1);
    token.cancel();
    let never = resolver(|_| unreachable!("it has fired"));
    for told in [running, call(key(&never, "name"), &token)] {
        let error = told.recv_timeout(LONG).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Cancelled, Phase::Resolve), "{error}");
    }
    let found = call(key(&found(), "name"), &CancelToken::new()).recv_timeout(LONG).unwrap();
    assert_eq!(*found.unwrap(), [FOUND]);
}

/// Eight lookups run at once, and the ninth waits for one of them, under its own bound. A lookup that everybody has left
/// gives its place away, and keeps its thread.
#[test]
fn places() {
    let (hanging, lookups) = (Hanging::new(), lookups());
    let cells: Vec<_> = (0..PLACES).map(|_| cell()).collect();
    let held: Vec<_> = (0..PLACES).map(|n| call(&lookups, &hanging.key(n), Timeout::from(LONG), &cells[n])).collect();
    hanging.wait(PLACES);
    for (timeout, bound) in
        [(Timeout::from(LONG).resolve(SHORT), Bound::Resolve), (Timeout::from(SHORT).resolve(LONG), Bound::Total)]
    {
        let error = by(&lookups, &hanging.key("ninth"), timeout).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Resolve));
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("busy"), "{error}");
        assert_eq!(lookups.threads(), PLACES);
    }
    // A caller without a bound does not wait for a place, and takes the others along.
    let shared = key(&found(), "shared");
    let waits = call(&lookups, &shared, Timeout::from(LONG), &cell());
    by(&lookups, &shared, Timeout::new()).unwrap();
    waits.recv_timeout(LONG).unwrap().unwrap();
    let ninth = call(&lookups, &key(&found(), "ninth"), Timeout::from(LONG), &cell());
    let tenth = call(&lookups, &hanging.key("tenth"), Timeout::from(LONG), &cell());
    cells[0].handle().abort();
    assert!(held[0].recv_timeout(LONG).unwrap().is_err());
    ninth.recv_timeout(LONG).unwrap().unwrap();
    // First come, first served; the ninth has made room for the tenth.
    assert_eq!(hanging.wait(1), ["tenth"]);
    // Somebody who comes back to the lookup that was left shares it.
    let back = call(&lookups, &hanging.key(0), Timeout::from(LONG), &cell());
    hanging.release("0");
    back.recv_timeout(LONG).unwrap().unwrap();
    (1..PLACES).for_each(|n| hanging.release(&n.to_string()));
    hanging.release("tenth");
    held[1..].iter().chain([&tenth]).for_each(|told| told.recv_timeout(LONG).unwrap().unwrap());
    assert!(lookups.threads() <= PLACES + LEFT);
}

/// Name servers that never answer cost sixteen threads at most. When all hang, a lookup fails at once, also one that
/// waits for a place; it may be the client's own fault, so its error says so. A lookup that ends makes room again.
#[test]
fn when_all_threads_hang() {
    let (hanging, lookups) = (Hanging::new(), lookups());
    let leave = |range: std::ops::Range<usize>| {
        let cells: Vec<_> = range.clone().map(|_| cell()).collect();
        let calls: Vec<_> = range
            .clone()
            .zip(&cells)
            .map(|(n, cell)| call(&lookups, &hanging.key(n), Timeout::from(100 * LONG), cell))
            .collect();
        hanging.wait(range.len());
        (cells, calls)
    };
    let abandon = |(cells, calls): (Vec<Arc<AbortCell>>, Vec<Receiver<Result<()>>>)| {
        cells.iter().for_each(|cell| assert!(cell.handle().abort()));
        calls.iter().for_each(|told| assert!(told.recv_timeout(LONG).unwrap().is_err()));
    };
    abandon(leave(0..PLACES));
    let second = leave(PLACES..PLACES + LEFT);
    assert_eq!(lookups.threads(), PLACES + LEFT);
    let waits = call(&lookups, &key(&found(), "waits"), Timeout::from(100 * LONG), &cell());
    abandon(second);
    let at_once = by(&lookups, &key(&found(), "at once"), Timeout::from(100 * LONG));
    for result in [waits.recv_timeout(LONG).unwrap(), at_once] {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Resolve, Phase::Resolve));
        let source = std::error::Error::source(&error).unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::ResourceBusy, "{error}");
    }
    assert_eq!(lookups.threads(), PLACES + LEFT);
    // Without a bound the caller's thread does the lookup.
    by(&lookups, &key(&found(), "own thread"), Timeout::new()).unwrap();
    hanging.release("3");
    until(|| lookups.is_idle(&hanging.key(3)));
    by(&lookups, &key(&found(), "again"), Timeout::from(LONG)).unwrap();
    (0..PLACES + LEFT).for_each(|n| hanging.release(&n.to_string()));
    until(|| (0..PLACES + LEFT).all(|n| lookups.is_idle(&hanging.key(n))));
    by(&lookups, &key(&found(), "once more"), Timeout::from(LONG)).unwrap();
}

/// A thousand callers ask for nine names whose servers do not answer, and stop waiting. A name that is there is found
/// meanwhile, by a caller with more patience.
#[test]
fn a_live_name_behind_dead_ones() {
    const CALLERS: usize = 1000;
    let (hanging, lookups) = (Hanging::new(), lookups());
    let impatient = Timeout::from(Duration::from_millis(500));
    let calls: Vec<_> = (0..CALLERS)
        .map(|n| {
            let (lookups, key) = (lookups.clone(), hanging.key(n % 9));
            thread::Builder::new().stack_size(128 * 1024).spawn(move || by(&lookups, &key, impatient)).unwrap()
        })
        .collect();
    hanging.wait(PLACES);
    by(&lookups, &key(&found(), "alive"), Timeout::from(LONG)).unwrap();
    for call in calls {
        let error = call.join().unwrap().unwrap_err();
        assert!(error.is_timeout(), "{error}");
    }
    assert!(lookups.threads() <= PLACES + LEFT);
}

/// The first caller goes on with the panic of its resolver. The others get an error, and so do all after it.
#[test]
fn a_panic_is_a_callers() {
    for timeout in [Timeout::from(LONG), Timeout::new()] {
        let lookups = lookups();
        let (release, released) = channel::<()>();
        let released = Mutex::new(released);
        let key = key(
            &resolver(move |_| {
                let _ = released.lock().recv();
                panic!("in the lookup")
            }),
            "name",
        );
        let first = thread::spawn({
            let (lookups, key) = (lookups.clone(), key.clone());
            move || panic::catch_unwind(AssertUnwindSafe(|| by(&lookups, &key, timeout)))
        });
        until(|| lookups.waiters(&key) == 1);
        let second = call(&lookups, &key, Timeout::from(LONG), &cell());
        drop(release);
        let payload = first.join().unwrap().unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"in the lookup"));
        let error = second.recv_timeout(LONG).unwrap().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Resolve);
        by(&lookups, &self::key(&found(), "name"), Timeout::from(LONG)).unwrap();
    }
}

/// A result goes to the cache of each call that shared the lookup, even if all have left it.
#[test]
fn results_of_lookups_that_were_left() {
    let (hanging, lookups) = (Hanging::new(), lookups());
    let caches = [(); 2].map(|()| Arc::new(Cache::new(Some(LONG))));
    let key = hanging.key("name");
    for cache in &caches {
        let cell = AbortCell::new();
        let wait = Wait::of(Timeout::from(SHORT).deadline().into(), &cell);
        assert_eq!(lookups.find(&key, Some(cache), &wait).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
    hanging.release("name");
    for cache in &caches {
        until(|| cache.get(&key, Instant::now()).is_some());
    }
}

/// Many threads join, leave and end lookups at random. Each gets a result, and no place is lost.
#[test]
fn many_at_once() {
    let lookups = lookups();
    let turn = Arc::new(AtomicUsize::new(0));
    let resolver = {
        let turn = turn.clone();
        resolver(move |_| {
            if turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
                thread::sleep(Duration::from_millis(1));
            }
            Ok(vec![FOUND])
        })
    };
    thread::scope(|scope| {
        for n in 0..32 {
            let (lookups, resolver) = (&lookups, &resolver);
            scope.spawn(move || {
                for turn in 0..100 {
                    let key = key(resolver, &((n * 7 + turn) % 20).to_string());
                    let limit = if turn % 2 == 0 { LONG } else { Duration::from_micros(50 * turn) };
                    match by(lookups, &key, Timeout::from(limit)) {
                        Ok(()) => {}
                        Err(error) => assert!(error.is_timeout() && limit < LONG, "{error}"),
                    }
                }
            });
        }
    });
    until(|| (0..20).all(|n| lookups.is_idle(&key(&resolver, &n.to_string()))));
    assert_eq!(lookups.counts(), (0, 0, 0, 0));
    assert!(lookups.threads() <= PLACES + LEFT);
}

/// The last key of a cache may hold the last clone of a resolver, whose drop may look a name up.
#[test]
fn a_cache_that_goes_with_a_lookup() {
    #[derive(Debug)]
    struct LooksUp(Box<dyn std::any::Any + Send + Sync>, Sender<usize>);
    impl Resolver for LooksUp {
        fn resolve(&self, _: &Lookup<'_>) -> Addresses {
            Ok(vec![FOUND])
        }
    }
    impl Drop for LooksUp {
        fn drop(&mut self) {
            // Takes the lock of all lookups.
            let waiters = self.0.downcast_ref::<Lookups>().map(|lookups| lookups.waiters(&key(&found(), "other")));
            let _ = self.1.send(waiters.unwrap_or(usize::MAX));
        }
    }
    let (lookups, hanging) = (lookups(), Hanging::new());
    let (tell, told) = channel();
    let asks: Arc<dyn Resolver> = Arc::new(LooksUp(Box::new(lookups.clone()), tell));
    let cache = Arc::new(Cache::new(None));
    lookups.find(&key(&asks, "kept"), Some(&cache), &Wait::new()).unwrap();
    drop(asks);
    // All places are taken, so the next lookup waits for one, with two callers. The first one has the cache.
    let cells: Vec<_> = (0..PLACES + 2).map(|_| Arc::new(AbortCell::new())).collect();
    for (n, cell) in cells.iter().take(PLACES).enumerate() {
        call(&lookups, &hanging.key(n), Timeout::from(LONG), cell);
    }
    hanging.wait(PLACES);
    let queued = hanging.key("queued");
    let waits = |count: usize| {
        let (lookups, queued) = (lookups.clone(), queued.clone());
        until(move || lookups.waiters(&queued) == count);
    };
    let first = {
        let (lookups, queued, cell) = (lookups.clone(), queued.clone(), cells[PLACES].clone());
        thread::spawn(move || {
            let until = Timeout::from(LONG).deadline().into();
            lookups.find(&queued, Some(&cache), &Wait::of(until, &cell)).map(drop).unwrap_err()
        })
    };
    waits(1);
    let second = call(&lookups, &queued, Timeout::from(LONG), &cells[PLACES + 1]);
    cells[PLACES].handle().abort();
    first.join().unwrap();
    // The lookup alone has the cache now, and goes with its last caller.
    cells[PLACES + 1].handle().abort();
    assert_eq!(told.recv_timeout(LONG), Ok(0));
    assert!(second.recv_timeout(LONG).unwrap().is_err());
    (0..PLACES).for_each(|n| hanging.release(&n.to_string()));
}

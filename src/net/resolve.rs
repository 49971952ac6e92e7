//! Looks up names by the system's resolver.
//!
//! A lookup can be neither interrupted nor bounded. So a lookup with a deadline runs in another thread, and the caller
//! stops waiting for it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::abort::Interrupt;
use super::descriptors;
use super::transport::Wait;
use crate::process::PerProcess;
use crate::urls::{self, Origin};
use crate::workers::{Answer, Unanswered, Workers};

/// Most threads. Each may hang as long as the system's resolver waits, which is half a minute and more.
const THREADS: usize = 8;

/// How long an idle thread waits for another lookup before it ends.
const IDLE_THREAD_LIFE: Duration = Duration::from_secs(3);

/// A child of `fork` has none of these threads, whatever its copy of the value counts.
static WORKERS: PerProcess<Workers> = PerProcess::new(|| Workers::new(thread, THREADS, IDLE_THREAD_LIFE));

fn thread() -> thread::Builder {
    thread::Builder::new().name("hostpool-lookup".to_owned())
}

/// The order of RFC 6724, in which resolvers return the addresses of `localhost`.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)];

type Addresses = io::Result<Vec<SocketAddr>>;

/// Returns the addresses of a host, in the order in which they are to be tried. An IP literal needs no lookup. Without
/// a deadline and a token the lookup runs on the caller's thread, and an abort is noticed when it returns.
pub(crate) fn addresses(origin: &Origin, wait: &Wait<'_>) -> Addresses {
    addresses_by(system, || WORKERS.get(), origin, wait)
}

fn system(host: &str, port: u16) -> Addresses {
    descriptors::lookup(|| (host, port).to_socket_addrs().map(Iterator::collect))
}

fn addresses_by(
    lookup: impl FnOnce(&str, u16) -> Addresses + Send + 'static,
    workers: impl FnOnce() -> Workers,
    origin: &Origin,
    wait: &Wait<'_>,
) -> Addresses {
    let port = origin.port().unwrap_or_default();
    if let Some(address) = origin.address() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if urls::is_own_name(origin.host()) {
        return Ok(LOOPBACK.map(|address| SocketAddr::new(address, port)).to_vec());
    }
    let addresses = if wait.until.at().is_none() && wait.until.token().is_none() {
        lookup(origin.host(), port)?
    } else {
        elsewhere(lookup, workers, origin.host().to_owned(), port, wait)?
    };
    if wait.is_cancelled() {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
    }
    Ok(addresses)
}

/// Runs a lookup in another thread, for as long as `wait` allows. If no thread can be started, it runs in the caller's
/// own.
fn elsewhere(
    lookup: impl FnOnce(&str, u16) -> Addresses + Send + 'static,
    workers: impl FnOnce() -> Workers,
    host: String,
    port: u16,
    wait: &Wait<'_>,
) -> Addresses {
    if wait.until.is_past() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    if wait.is_cancelled() {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    let job = workers().start(move || lookup(&host, port));
    let answer: Arc<dyn Interrupt> = job.answer().clone();
    if let Some(cell) = wait.abort {
        cell.register(Arc::downgrade(&answer));
    }
    let found = job.wait(wait.until).unwrap_or_else(|far| {
        Err(match far {
            Unanswered::Begun => io::ErrorKind::TimedOut.into(),
            Unanswered::Queued => io::Error::new(io::ErrorKind::TimedOut, "all threads for name lookups were busy"),
        })
    });
    // A lookup on the caller's own thread may have taken too long.
    if found.is_ok() && wait.until.is_past() { Err(io::ErrorKind::TimedOut.into()) } else { found }
}

impl<T: Send> Interrupt for Answer<T> {
    fn interrupt(&self) {
        Answer::interrupt(self);
    }
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use crate::cancel::CancelToken;
    use crate::error::{Bound, ErrorKind, Phase, Result};
    use crate::net::abort::AbortCell;
    use crate::time::{Deadline, Timeout, Until};
    use crate::urls::Url;
    use std::sync::mpsc::{Receiver, Sender, channel};

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(50);
    const FOUND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80);

    type Lookup = Box<dyn FnOnce(&str, u16) -> Addresses + Send>;

    fn workers() -> Workers {
        Workers::new(thread, THREADS, LONG)
    }

    /// Looks up as a dial does, with the bound of lookups and the total.
    fn by(
        lookup: impl FnOnce(&str, u16) -> Addresses + Send + 'static,
        workers: &Workers,
        timeout: Timeout,
    ) -> Result<()> {
        under(lookup, workers, timeout, &Arc::new(AbortCell::new()))
    }

    fn under(
        lookup: impl FnOnce(&str, u16) -> Addresses + Send + 'static,
        workers: &Workers,
        timeout: Timeout,
        cell: &AbortCell,
    ) -> Result<()> {
        let url = Url::parse("http://name.invalid/").unwrap();
        let wait = Wait::of(timeout.deadline().or_within(timeout.resolve, Bound::Resolve).into(), cell);
        let found = addresses_by(lookup, || workers.clone(), url.origin(), &wait);
        let found = found.map_err(|error| wait.failure(error, ErrorKind::Resolve, Phase::Resolve))?;
        assert_eq!(found, [FOUND]);
        Ok(())
    }

    /// Lookups that hang until the other end is dropped, and report when they begin.
    struct Hanging {
        began: Sender<()>,
        beginnings: Receiver<()>,
    }

    impl Hanging {
        fn new() -> Hanging {
            let (began, beginnings) = channel();
            Hanging { began, beginnings }
        }

        fn lookup(&self) -> (Sender<()>, impl FnOnce(&str, u16) -> Addresses + Send + 'static) {
            let (release, released) = channel();
            let began = self.began.clone();
            let lookup = move |_: &str, _| {
                let _ = began.send(());
                let _ = released.recv();
                Ok(vec![FOUND])
            };
            (release, lookup)
        }

        fn wait(&self, count: usize) {
            (0..count).for_each(|_| self.beginnings.recv_timeout(LONG).unwrap());
        }
    }

    /// The results of lookups that return, and the threads they run in.
    #[test]
    fn answers() {
        let bounded = Timeout::from(LONG);
        type Answer = fn(&str, u16) -> Addresses;
        let table: [(&str, Answer, Timeout, Option<ErrorKind>); 5] = [
            ("found", |_, port| Ok(vec![(Ipv4Addr::LOCALHOST, port).into()]), bounded, None),
            ("no bound", |_, port| Ok(vec![(Ipv4Addr::LOCALHOST, port).into()]), Timeout::new(), None),
            ("nothing", |_, _| Ok(Vec::new()), bounded, Some(ErrorKind::Resolve)),
            ("failed", |_, _| Err(io::Error::other("no such name")), bounded, Some(ErrorKind::Resolve)),
            // The resolver's own timeout is not a bound of the request.
            ("late", |_, _| Err(io::ErrorKind::TimedOut.into()), bounded, Some(ErrorKind::Resolve)),
        ];
        for (id, lookup, timeout, expected) in table {
            let (tell, told) = channel();
            let lookup = move |host: &str, port| {
                tell.send((host.to_owned(), thread::current().id())).unwrap();
                lookup(host, port)
            };
            let result = by(lookup, &workers(), timeout);
            assert_eq!(result.err().map(|error| error.kind().clone()), expected, "{id}");
            let (host, thread) = told.recv().unwrap();
            assert_eq!(host, "name.invalid", "{id}");
            assert_eq!(thread == thread::current().id(), timeout == Timeout::new(), "{id}");
        }
    }

    #[test]
    fn an_address_is_not_looked_up() {
        let (cell, workers) = (AbortCell::new(), workers());
        for (text, expected) in [("http://192.0.2.1:8/", "192.0.2.1:8"), ("http://[2001:db8::1]/", "[2001:db8::1]:80")]
        {
            for deadline in [Deadline::NEVER, Timeout::from(LONG).deadline()] {
                let url = Url::parse(text).unwrap();
                let lookup = |_: &str, _| unreachable!("it is an address");
                let found =
                    addresses_by(lookup, || workers.clone(), url.origin(), &Wait::of(deadline.into(), &cell)).unwrap();
                assert_eq!(found, [expected.parse().unwrap()]);
            }
        }
        assert_eq!(workers.threads(), 0);
    }

    /// RW-28: names below `localhost` are this machine, and no resolver is asked.
    #[test]
    fn names_of_this_machine() {
        let (cell, workers) = (AbortCell::new(), workers());
        let found = |text: &str, lookup: Lookup| {
            let url = Url::parse(text).unwrap();
            addresses_by(lookup, || workers.clone(), url.origin(), &Wait::of(Until::NEVER, &cell))
        };
        for text in
            ["http://a.localhost:8/", "http://A.b.LocalHost:8/", "http://localhost.:8/", "http://a.localhost.:8/"]
        {
            let never: Lookup = Box::new(|_, _| unreachable!("it is this machine"));
            assert_eq!(found(text, never).unwrap(), ["[::1]:8", "127.0.0.1:8"].map(|at| at.parse().unwrap()), "{text}");
        }
        let long = format!("http://{}.localhost/", "a".repeat(64));
        let others =
            ["http://localhost/", "http://notlocalhost/", "http://localhost.example/", "http://a.localhost.b/"];
        for text in others.into_iter().chain(["http://.localhost/", "http://a..localhost/", &long]) {
            let other: Lookup = Box::new(|_, _| Ok(vec![FOUND]));
            assert_eq!(found(text, other).unwrap(), [FOUND], "{text}");
        }
    }

    /// RW-61: without a thread the lookup runs on the caller's own, and a deadline that has passed by then counts.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn no_thread_to_be_had() {
        let workers = Workers::new(|| thread::Builder::new().stack_size(1 << 62), THREADS, LONG);
        let here = thread::current().id();
        let lookup = move |_: &str, _| {
            assert_eq!(thread::current().id(), here);
            Ok(vec![FOUND])
        };
        by(lookup, &workers, Timeout::from(LONG)).unwrap();
        let late = |_: &str, _| {
            thread::sleep(2 * SHORT);
            Ok(vec![FOUND])
        };
        let error = by(late, &workers, Timeout::from(LONG).resolve(SHORT)).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Resolve), Phase::Resolve));
    }

    /// The error names the bound that ended the wait. A bound of zero begins no lookup.
    #[test]
    fn deadlines() {
        let hanging = Hanging::new();
        let table = [
            ("resolve", Timeout::new().resolve(SHORT), Bound::Resolve, 1),
            ("resolve in total", Timeout::from(LONG).resolve(SHORT), Bound::Resolve, 1),
            ("total", Timeout::from(SHORT).resolve(LONG), Bound::Total, 1),
            ("resolve of zero", Timeout::from(LONG).resolve(Duration::ZERO), Bound::Resolve, 0),
            ("total of zero", Timeout::from(Duration::ZERO), Bound::Total, 0),
        ];
        for (id, timeout, bound, threads) in table {
            let workers = workers();
            let (_held, lookup) = hanging.lookup();
            let error = by(lookup, &workers, timeout).unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Resolve), "{id}");
            assert_eq!(workers.threads(), threads, "{id}");
        }
    }

    /// An abort ends the wait while the lookup runs, while it is queued, and before it begins. The lookup itself goes
    /// on, and its thread is free when it ends.
    #[test]
    fn aborts() {
        let workers = Workers::new(thread, 1, LONG);
        let closed = |result: Result<()>| {
            let error = result.unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Closed, Phase::Resolve), "{error}");
        };
        // The bound is longer than the test waits, so only the abort can end the wait.
        let later = Timeout::from(100 * LONG);
        let call = |lookup: Lookup, cell: &Arc<AbortCell>| {
            let (tell, told) = channel();
            let (workers, cell) = (workers.clone(), cell.clone());
            thread::spawn(move || tell.send(under(lookup, &workers, later, &cell)));
            told
        };
        let found = |_: &str, _: u16| Ok(vec![FOUND]);
        let hanging = Hanging::new();
        let (held, lookup) = hanging.lookup();
        let cell = Arc::new(AbortCell::new());
        let running = call(Box::new(lookup), &cell);
        hanging.wait(1);
        cell.handle().abort();
        closed(running.recv_timeout(LONG).unwrap());
        closed(under(found, &workers, later, &cell));
        closed(under(found, &workers, Timeout::new(), &cell));

        let cell = Arc::new(AbortCell::new());
        let queued = call(Box::new(found), &cell);
        while workers.queued() == 0 {
            thread::yield_now();
        }
        cell.handle().abort();
        closed(queued.recv_timeout(LONG).unwrap());
        assert_eq!((workers.threads(), workers.queued()), (1, 0));
        drop(held);
        by(|_, _| Ok(vec![FOUND]), &workers, Timeout::from(LONG)).unwrap();
    }

    /// A token makes a lookup without a bound run on a thread of the crate, and ends the wait for it. A token that has
    /// fired begins none.
    #[test]
    fn tokens() {
        let workers = Workers::new(thread, 1, LONG);
        let call = |lookup: Lookup, token: &CancelToken| {
            let (tell, told) = channel();
            let (workers, token) = (workers.clone(), token.clone());
            thread::spawn(move || {
                let (cell, url) = (Arc::new(AbortCell::new()), Url::parse("http://name.invalid/").unwrap());
                let until = Until::begin(&Timeout::new(), Some(&token));
                let _registered = until.register(|| cell.blocked());
                let wait = Wait::of(until, &cell);
                let found = addresses_by(lookup, || workers, url.origin(), &wait);
                tell.send(found.map_err(|error| wait.failure(error, ErrorKind::Resolve, Phase::Resolve)))
            });
            told
        };
        let cancelled = |result: Result<Vec<SocketAddr>>| {
            let error = result.unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Cancelled, Phase::Resolve), "{error}");
        };
        let (hanging, token) = (Hanging::new(), CancelToken::new());
        let (held, lookup) = hanging.lookup();
        let running = call(Box::new(lookup), &token);
        hanging.wait(1);
        let queued = call(Box::new(|_, _| unreachable!("it is not begun")), &token);
        while workers.queued() == 0 {
            thread::yield_now();
        }
        token.cancel();
        cancelled(running.recv_timeout(LONG).unwrap());
        cancelled(queued.recv_timeout(LONG).unwrap());
        cancelled(call(Box::new(|_, _| unreachable!("it has fired")), &token).recv_timeout(LONG).unwrap());
        drop(held);
        let found = call(Box::new(|_, _| Ok(vec![FOUND])), &CancelToken::new()).recv_timeout(LONG).unwrap();
        assert_eq!(found.unwrap(), [FOUND]);
        assert_eq!((workers.threads(), workers.queued()), (1, 0));
    }

    /// Eight lookups run at once. The ninth waits for one of them, under its own bound.
    #[test]
    fn eight_at_once() {
        let hanging = Hanging::new();
        let workers = workers();
        thread::scope(|scope| {
            let mut held = Vec::new();
            let calls: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (release, lookup) = hanging.lookup();
                    held.push(release);
                    let workers = &workers;
                    scope.spawn(move || by(lookup, workers, Timeout::from(LONG)))
                })
                .collect();
            hanging.wait(THREADS);
            for (timeout, bound) in [
                (Timeout::from(LONG).resolve(SHORT), Bound::Resolve),
                (Timeout::from(SHORT).resolve(LONG), Bound::Total),
            ] {
                let error = by(|_, _| unreachable!("it is not begun"), &workers, timeout).unwrap_err();
                assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Resolve));
                assert!(std::error::Error::source(&error).unwrap().to_string().contains("busy"), "{error}");
                assert_eq!((workers.threads(), workers.queued()), (THREADS, 0));
            }
            let ninth = scope.spawn(|| by(|_, _| Ok(vec![FOUND]), &workers, Timeout::from(LONG)));
            while workers.queued() == 0 {
                thread::yield_now();
            }
            held.pop();
            ninth.join().unwrap().unwrap();
            drop(held);
            assert!(calls.into_iter().all(|call| call.join().unwrap().is_ok()));
        });
        assert_eq!(workers.threads(), THREADS);
    }

    #[test]
    fn a_panic_is_the_callers() {
        let workers = Workers::new(thread, 1, LONG);
        let call = || by(|_, _| panic!("in the lookup"), &workers, Timeout::from(LONG));
        let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"in the lookup"));
        by(|_, _| Ok(vec![FOUND]), &workers, Timeout::from(LONG)).unwrap();
        assert_eq!(workers.threads(), 1);
    }
}

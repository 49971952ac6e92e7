//! Code of the caller's that runs while a call ends: transports, dialers, functions of `on_cancel`, checks.

use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use hostpool::observe::Dialing;
use hostpool::{
    Bound, CancelToken, ConnectionPool, Error, ErrorKind, IoTransport, Listener, Phase, PoolManager, Probe,
    RequestBuilder, Retry, Session, Timeout, Transport, Wait, dialer_fn,
};

use crate::support::{GIVE_UP, Server, Step, answer, eventually, ok, refusing, without_hanging};

/// How another thread ends a call.
type End = fn(&CancelToken, &PoolManager);

const ENDS: [(&str, End); 3] =
    [("token", |token, _| token.cancel()), ("all", |_, pool| pool.cancel_all()), ("close", |_, pool| pool.close())];

/// A transport with a state under a lock, and a condition variable. Each wait asks under that lock whether it is
/// cancelled.
#[derive(Debug, Default)]
struct Locking {
    ended: Mutex<bool>,
    changed: Condvar,
    waits: AtomicBool,
    aborts: AtomicBool,
}

impl Transport for Locking {
    fn recv(&self, _: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        let mut ended = self.ended.lock().unwrap();
        self.waits.store(true, Ordering::SeqCst);
        // From here on the other thread waits for the lock.
        while !self.aborts.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        loop {
            if *ended || wait.is_cancelled() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            ended = self.changed.wait(ended).unwrap();
        }
    }

    fn send(&self, bufs: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn probe(&self) -> Probe {
        Probe::Quiet
    }

    fn abort(&self) {
        self.aborts.store(true, Ordering::SeqCst);
        *self.ended.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

/// The abort waits for the transport's lock, under which the transport asks whether it is cancelled.
#[test]
fn a_transport_that_asks_under_its_lock() {
    for (row, end) in ENDS {
        let transport = Arc::new(Locking::default());
        let given = transport.clone();
        let dialer = dialer_fn(move |_, _| Ok(Box::new(given.clone())));
        let pool = PoolManager::builder().dialer(dialer).retries(0).build().unwrap();
        let token = CancelToken::new();
        let request = pool.get("http://anywhere/").cancel_with(&token);
        let call = thread::spawn(move || request.send());
        eventually("the call waits", || transport.waits.load(Ordering::SeqCst));
        let error = without_hanging(move || {
            end(&token, &pool);
            call.join().unwrap().unwrap_err()
        });
        assert!(error.is_cancelled() || error.is_closed(), "{row}: {error}");
    }
}

/// What the caller does while the crate tells it that a call ends.
type Act = fn(&CancelToken, &PoolManager);

const ACTS: [(&str, Act); 4] = [
    ("fires its token", |token, _| token.cancel()),
    ("cancels all", |_, pool| pool.cancel_all()),
    ("looks at the pool", |_, pool| drop((pool.stats(), format!("{pool:?}")))),
    ("closes the pool", |_, pool| pool.close()),
];

/// A function of a dialer's `on_cancel` may use the token and the pool of its call.
#[test]
fn on_cancel_of_a_dial() {
    for (end_row, end) in ENDS {
        for (row, act) in ACTS {
            let (token, shared) = (CancelToken::new(), Arc::new(Mutex::new(None::<PoolManager>)));
            let (tell, told) = channel();
            let (fired, known) = (token.clone(), shared.clone());
            let dialer = dialer_fn(move |_, context| {
                let (wake, woken) = channel::<()>();
                let (token, pool) = (fired.clone(), known.lock().unwrap().clone().unwrap());
                let on_cancel = context.on_cancel(move || {
                    act(&token, &pool);
                    drop(wake);
                });
                tell.send(()).unwrap();
                let _ = woken.recv();
                drop(on_cancel);
                Err(context.failed(io::ErrorKind::ConnectionAborted.into()))
            });
            let pool = PoolManager::builder().dialer(dialer).retries(0).build().unwrap();
            *shared.lock().unwrap() = Some(pool.clone());
            let request = pool.get("http://anywhere/").cancel_with(&token);
            let call = thread::spawn(move || request.send());
            told.recv().unwrap();
            let error = without_hanging(move || {
                end(&token, &pool);
                call.join().unwrap().unwrap_err()
            });
            assert!(error.is_cancelled() || error.is_closed(), "{end_row}, {row}: {error}");
            shared.lock().unwrap().take();
        }
    }
}

/// The same for `on_end` of a stream.
#[test]
fn on_end_of_a_stream() {
    for (end_row, end) in ENDS {
        for (row, act) in ACTS {
            let (token, shared) = (CancelToken::new(), Arc::new(Mutex::new(None::<PoolManager>)));
            let (fired, known) = (token.clone(), shared.clone());
            let dialer = dialer_fn(move |_, _| {
                let (reader, writer) = io::pipe().map_err(Error::custom)?;
                let (token, pool) = (fired.clone(), known.lock().unwrap().clone().unwrap());
                let stream = IoTransport::new(reader, io::sink()).on_end(move || {
                    act(&token, &pool);
                    drop(writer);
                });
                Ok(Box::new(stream))
            });
            let pool = PoolManager::builder().dialer(dialer).retries(0).build().unwrap();
            *shared.lock().unwrap() = Some(pool.clone());
            let request = pool.get("http://anywhere/").cancel_with(&token);
            let call = thread::spawn(move || request.send());
            eventually("the call waits", || pool.stats().in_use == 1);
            let error = without_hanging(move || {
                end(&token, &pool);
                call.join().unwrap().unwrap_err()
            });
            assert!(error.is_cancelled() || error.is_closed(), "{end_row}, {row}: {error}");
            shared.lock().unwrap().take();
        }
    }
}

/// Fires its token as a dial begins.
struct Fires(CancelToken);

impl Listener for Fires {
    fn dialing(&self, _: &Dialing<'_>) {
        self.0.cancel();
    }
}

/// The token fires after the call has asked it last, and before the dial is registered with it.
#[test]
fn a_fire_just_before_the_dial() {
    let dialer = dialer_fn(|_, context| {
        let (wake, woken) = channel::<()>();
        let on_cancel = context.on_cancel(move || drop(wake));
        let _ = woken.recv();
        drop(on_cancel);
        Err(context.failed(io::ErrorKind::ConnectionAborted.into()))
    });
    let token = CancelToken::new();
    let pool = PoolManager::builder().dialer(dialer).listener(Fires(token.clone())).build().unwrap();
    let request = pool.get("http://anywhere/").cancel_with(&token);
    let error = without_hanging(move || request.send()).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Cancelled, Phase::Connect), "{error}");
}

/// The check ends the call, whatever kind of error it gives: here those of a server that it asks whether to go on. None
/// of them counts as a failure of the call, which would be tried again, sent again, or would send its body unasked.
#[test]
fn a_check_that_fails_as_a_call_does() {
    let (_closed, refused) = refusing();
    let (closes, silent) = (Server::with(|_| vec![Step::Request]), Server::with(|_| vec![Step::UntilClosed]));
    let short = Duration::from_millis(50);
    type With = fn(RequestBuilder) -> RequestBuilder;
    let table: [(&str, String, Duration, ErrorKind, With); 3] = [
        ("tried again", format!("http://{refused}/go-on"), GIVE_UP, ErrorKind::Connect, |request| request),
        ("sent again", closes.url("/go-on"), GIVE_UP, ErrorKind::Disconnected, |request| request.retries(0)),
        ("unasked", silent.url("/go-on"), short, ErrorKind::Timeout(Bound::Total), |request| {
            request.data("a body").expect100(true).timeout(Timeout::new().expect(GIVE_UP))
        }),
    ];
    for (row, url, limit, kind, with) in table {
        let server = Server::with(|_| {
            let head = vec![Step::Head, Step::Hold];
            [answer(ok("first")), head].concat()
        });
        let pool = ConnectionPool::builder(server.url("")).retries(Retry::new(3)).build().unwrap();
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "first");
        let control = Session::new();
        let request =
            with(pool.put("/")).check_with(move || control.get(&url).retries(0).timeout(limit).send().map(drop));
        let error = without_hanging(move || request.send()).unwrap_err();
        assert_eq!(error.kind(), &kind, "{row}: {error:?}");
        assert_eq!(error.url().unwrap().path(), "/go-on", "{row}: {error}");
        assert_eq!((server.seen.accepted(), pool.stats().open), (1, 0), "{row}");
    }
}

/// A check runs without a lock, so it may itself do what ends the call.
#[test]
fn a_check_that_ends_its_call() {
    let busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 60\r\n\r\n";
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    let silent = vec![Step::Request, Step::UntilClosed];
    let table = [
        ("head", silent.clone()),
        ("body", [answer(half), silent.clone()].concat()),
        ("back-off", [answer(busy), silent.clone()].concat()),
        ("queue", silent),
    ];
    for (act_row, act) in ACTS.into_iter().filter(|(row, _)| *row != "looks at the pool") {
        for (row, script) in table.clone() {
            let server = Server::new(vec![script]);
            let pool = PoolManager::builder().limit(1).build().unwrap();
            let held = (row == "queue").then(|| {
                let request = pool.get(server.url("/")).retries(0);
                let held = thread::spawn(move || request.send());
                eventually("the connection is in use", || pool.stats().in_use == 1);
                held
            });
            let (token, used) = (CancelToken::new(), pool.clone());
            let fired = token.clone();
            let check = move || {
                act(&fired, &used);
                Ok(())
            };
            let request = pool.get(server.url("/")).retries(Retry::new(1).status_forcelist([503]));
            let request = request.cancel_with(&token).check_with(check);
            let error = without_hanging(move || request.send()?.bytes()).unwrap_err();
            assert!(error.is_cancelled() || error.is_closed(), "{act_row}, {row}: {error:?}");
            token.cancel();
            pool.close();
            held.map(|held| held.join().unwrap().unwrap_err());
        }
    }
}

/// Takes some bytes, and is closed then.
struct Closing {
    left: usize,
    closed: Arc<AtomicBool>,
}

impl io::Write for Closing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.left);
        self.left -= len;
        if len > 0 {
            return Ok(len);
        }
        self.closed.store(true, Ordering::SeqCst);
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The peer takes no more of the request, and may still answer, or send the rest of its answer. A token that fires then
/// is the end of the call, and not the failed send.
#[test]
fn after_a_send_that_failed() {
    let half = &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"[..];
    for (row, answer) in [("no answer", &b""[..]), ("half an answer", half)] {
        let closed = Arc::new(AtomicBool::new(false));
        let is_closed = closed.clone();
        let dialer = dialer_fn(move |_, _| {
            let (reader, mut writer) = io::pipe().map_err(Error::custom)?;
            io::Write::write_all(&mut writer, answer).map_err(Error::custom)?;
            let stream = IoTransport::new(reader, Closing { left: 200_000, closed: closed.clone() });
            // Nothing more comes, and the pipe stays open.
            Ok(Box::new(stream.on_end(move || drop(writer))))
        });
        let (pool, token) = (PoolManager::builder().dialer(dialer).build().unwrap(), CancelToken::new());
        let (fired, ticks) = (token.clone(), AtomicUsize::new(0));
        let request = pool.put("http://anywhere/").data(vec![0; 1_000_000]).retries(0).cancel_with(&token);
        // At the second tick the call waits for the peer.
        let request = request.check_with(move || {
            if is_closed.load(Ordering::SeqCst) && ticks.fetch_add(1, Ordering::SeqCst) == 1 {
                fired.cancel();
            }
            Ok(())
        });
        let error = without_hanging(move || request.send()).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Cancelled, "{row}: {error:?}");
    }
}

/// A check runs in a wait, and a drop is none. So a response can be dropped while its thread panics.
#[test]
fn a_response_that_is_dropped() {
    let server = Server::with(|_| [answer(ok("first")), answer(ok("rest is late"))].concat());
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec();
    let late = Server::with(move |_| vec![Step::Request, Step::Send(head.clone()), Step::UntilClosed]);
    for (row, server, open) in [("whole", &server, 1), ("half", &late, 0)] {
        let pool = ConnectionPool::builder(server.url("")).retries(0).build().unwrap();
        let (armed, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (is_armed, counted) = (armed.clone(), looks.clone());
        let check = move || {
            if is_armed.load(Ordering::SeqCst) {
                counted.fetch_add(1, Ordering::SeqCst);
                panic!("of the check")
            }
            Ok(())
        };
        let response = pool.get("/").check_with(check).send().unwrap();
        armed.store(true, Ordering::SeqCst);
        // Long enough that a check is due.
        thread::sleep(Duration::from_millis(110));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _held = response;
            panic!("of the caller")
        }));
        assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"of the caller"), "{row}");
        assert_eq!((looks.load(Ordering::SeqCst), pool.stats().open), (0, open), "{row}");
    }
}

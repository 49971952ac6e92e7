//! Tests about a whole process: its descriptors, its threads, and its children. Each test is a child: this binary,
//! run again.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, getrlimit, kill_process, setrlimit, waitpid};

use super::*;
use crate::support::eventually;

const CHILD: &str = "HOSTPOOL_TEST_CHILD";

/// Runs one ignored test of this binary, by itself.
fn child(test: &str, set: &[(&str, String)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("idle::children::{test}"), "--ignored", "--nocapture"]);
    command.env(CHILD, "1").envs(set.iter().map(|(name, value)| (name, value)));
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > 6 * GIVE_UP {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(1));
    }
    assert!(child.wait().unwrap().success(), "{test}");
}

/// False where somebody runs all ignored tests.
fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

fn limit_descriptors(most: u64) {
    let limit = Rlimit { current: Some(most), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// Takes every descriptor that is left.
fn take_descriptors() -> Vec<std::fs::File> {
    let mut taken = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
    }
    taken
}

fn is_lack(error: &hostpool::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error())) {
            return true;
        }
        source = error.source();
    }
    false
}

/// A server on every address of this machine, which answers each request on a thread of its connection.
fn everywhere() -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let serve = move || {
                let mut request = [0; 4096];
                while stream.read(&mut request).is_ok_and(|len| len > 0) {
                    if stream.write_all(&ok("fine")).is_err() {
                        return;
                    }
                }
            };
            thread::Builder::new().stack_size(64 * 1024).spawn(serve).unwrap();
        }
    });
    port
}

/// RW-20: more hosts than the process may have descriptors, and every connection is kept. This process has the other
/// ends, and many systems give it 1,024: the child has fewer.
#[test]
fn more_hosts_than_descriptors() {
    let port = everywhere().to_string();
    for client in ["session", "manager", "manager of all", "session of all"] {
        child(
            "visits_many_hosts",
            &[("HOSTPOOL_TEST_PORT", port.clone()), ("HOSTPOOL_TEST_CLIENT", client.to_owned())],
        );
    }
}

#[test]
#[ignore = "the child of another test"]
fn visits_many_hosts() {
    const HOSTS: usize = 400;
    if !is_child() {
        return;
    }
    let [port, kind] = ["HOSTPOOL_TEST_PORT", "HOSTPOOL_TEST_CLIENT"].map(|name| std::env::var(name).unwrap());
    limit_descriptors(256);
    let all = || PoolManager::builder().num_pools(None).build().unwrap();
    let client = match kind.as_str() {
        "session" => Client::Session(Session::new()),
        "manager" => Client::Manager(PoolManager::new()),
        "manager of all" => Client::Manager(all()),
        _ => Client::Session(Session::builder().connector(all()).build().unwrap()),
    };
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                loop {
                    let host = next.fetch_add(1, Ordering::Relaxed);
                    if host >= HOSTS {
                        return;
                    }
                    let url = format!("http://127.1.{}.{}:{port}/", host / 250, host % 250 + 1);
                    let response = client.request(Method::GET, &url).timeout(GIVE_UP).send();
                    assert_eq!(response.unwrap().text().unwrap(), "fine", "{kind}: host {host}");
                }
            });
        }
    });
    let stats = client.stats();
    let lacks = stats.closed(CloseReason::OutOfDescriptors);
    assert_eq!((stats.created, stats.dial_failures, stats.in_use), (HOSTS as u64, 0, 0), "{kind}: {stats:?}");
    match kind.as_str() {
        "session" => assert_eq!((stats.idle, lacks), (100, 0), "{kind}: {stats:?}"),
        // It keeps the pools of ten hosts, and nothing of those that had to go while they were dialed.
        "manager" => assert!(stats.idle <= 10 && lacks == 0, "{kind}: {stats:?}"),
        _ => assert!(stats.idle > 100 && stats.idle < 256 && lacks > 100, "{kind}: {stats:?}"),
    }
}

/// RW-20, RW-43: without a descriptor a lookup and a dial take that of an idle connection; where none is idle they say
/// what is missing.
#[test]
fn without_descriptors() {
    let [server, other] = ["fine", "other"].map(|text| Server::with(move |_| answers(ok(text))));
    let port = |server: &Server| server.addr.port().to_string();
    child("finds_no_descriptor", &[("HOSTPOOL_TEST_PORT", port(&server)), ("HOSTPOOL_TEST_OTHER", port(&other))]);
}

#[test]
#[ignore = "the child of another test"]
fn finds_no_descriptor() {
    if !is_child() {
        return;
    }
    let [port, other] = ["HOSTPOOL_TEST_PORT", "HOSTPOOL_TEST_OTHER"].map(|name| std::env::var(name).unwrap());
    limit_descriptors(256);
    let other = format!("http://127.0.0.1:{other}/");
    for url in [format!("http://localhost:{port}/"), format!("http://127.0.0.1:{port}/")] {
        for client in Client::all_hosts() {
            // A bounded lookup is one of another thread.
            for timeout in [Timeout::new(), Timeout::from(GIVE_UP)] {
                let get = |url: &str| client.request(Method::GET, url).timeout(timeout).send();
                let taken = take_descriptors();
                let error = get(&url).unwrap_err();
                assert!(is_lack(&error), "{url}: {error}");
                assert!(!error.to_string().contains("no address"), "{url}: {error}");
                assert_eq!(client.stats().open, 0, "{url}");
                drop(taken);
                assert_eq!(get(&other).unwrap().text().unwrap(), "other");
                let before = client.stats().closed(CloseReason::OutOfDescriptors);
                let taken = take_descriptors();
                assert_eq!(get(&url).unwrap().text().unwrap(), "fine", "{url}");
                assert_eq!(client.stats().closed(CloseReason::OutOfDescriptors), before + 1, "{url}");
                drop(taken);
                client.clear();
            }
        }
    }
}

/// RW-20: the store of root certificates is read with the descriptor of an idle connection. Where none is idle the lack
/// is the cause, and the request may be tried again.
#[cfg(all(feature = "native-roots", feature = "rustls"))]
#[test]
fn a_store_without_descriptors() {
    use crate::tls::{Authority, TlsServer};

    let authority = Authority::new();
    let server = TlsServer::new(authority.server(), |peer| {
        loop {
            peer.request()?;
            peer.send(ok("fine"))?;
        }
    });
    let plain = Server::with(|_| answers(ok("plain")));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.pem");
    std::fs::write(&path, authority.pem()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    for (file, dir) in [(path, ""), (String::new(), folder.path().to_str().unwrap())] {
        let (name, value) = if dir.is_empty() { ("SSL_CERT_FILE", file) } else { ("SSL_CERT_DIR", dir.to_owned()) };
        let urls = [("HOSTPOOL_TEST_URL", server.url()), ("HOSTPOOL_TEST_OTHER", plain.url("/"))];
        child("reads_the_store", &[&urls[..], &[(name, value)]].concat());
    }
}

#[cfg(all(feature = "native-roots", feature = "rustls"))]
#[test]
#[ignore = "the child of another test"]
fn reads_the_store() {
    if !is_child() {
        return;
    }
    let [url, plain] = ["HOSTPOOL_TEST_URL", "HOSTPOOL_TEST_OTHER"].map(|name| std::env::var(name).unwrap());
    limit_descriptors(256);
    for client in Client::all_hosts() {
        let taken = take_descriptors();
        // The first of them reads the store, which the whole process shares.
        let error = client.request(Method::GET, &url).timeout(GIVE_UP).send().unwrap_err();
        assert!(is_lack(&error) && error.kind() == &ErrorKind::Connect, "{error:?}");
        drop(taken);
    }
    for client in Client::all_hosts() {
        let held: Vec<_> = (0..9).map(|_| client.request(Method::GET, &plain).send().unwrap()).collect();
        held.into_iter().for_each(|response| assert_eq!(response.text().unwrap(), "plain"));
        let _taken = take_descriptors();
        let response = client.request(Method::GET, &url).timeout(GIVE_UP).send();
        assert_eq!(response.unwrap().text().unwrap(), "fine", "{}", client.name());
        assert!(client.stats().closed(CloseReason::OutOfDescriptors) > 0, "{}", client.name());
    }
}

/// RW-61: where the system gives no thread, a lookup under a bound runs on the caller's own.
#[test]
fn without_threads() {
    let server = Server::with(|_| answers(ok("fine")));
    // No system has room for such a stack. The harness does without a thread, too.
    let stack = ("RUST_MIN_STACK", (1u64 << 62).to_string());
    child("starts_no_thread", &[stack, ("HOSTPOOL_TEST_PORT", server.addr.port().to_string())]);
    assert_eq!(server.seen.requests().len(), 3 + 4);
}

#[test]
#[ignore = "the child of another test"]
fn starts_no_thread() {
    if !is_child() {
        return;
    }
    assert!(thread::Builder::new().spawn(|| ()).is_err(), "there are threads");
    let url = format!("http://localhost:{}/", std::env::var("HOSTPOOL_TEST_PORT").unwrap());
    for client in Client::all(&url) {
        let response = client.request(Method::GET, &url).timeout(GIVE_UP).send();
        assert_eq!(response.unwrap().text().unwrap(), "fine", "{}", client.name());
    }
    // C79: so is a request that is submitted, and a batch.
    let session = Session::new();
    assert_eq!(session.submit(session.get(&url)).wait().unwrap().text().unwrap(), "fine");
    let batch = session.batch((0..3).map(|_| session.get(&url)));
    assert_eq!(batch.filter(|(_, result)| result.as_ref().is_ok_and(|fine| fine.data() == Some(b"fine"))).count(), 3);
}

mod forks {
    use super::*;

    unsafe extern "C" {
        fn fork() -> i32;
        fn _exit(code: i32) -> !;
    }

    /// Runs this in a child of `fork`, which must end well.
    fn in_a_fork(row: &str, work: impl FnOnce()) {
        // SAFETY: the child runs this thread alone. What it does is under test, and it leaves without destructors.
        let pid = unsafe { fork() };
        if pid == 0 {
            // One that hangs goes with its parent: nobody else would end it.
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
            let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_ok();
            // SAFETY: it has no preconditions.
            unsafe { _exit(i32::from(!worked)) };
        }
        let pid = Pid::from_raw(pid).expect("fork failed");
        let started = Instant::now();
        let status = loop {
            if let Some((_, status)) = waitpid(Some(pid), WaitOptions::NOHANG).unwrap() {
                break status;
            }
            if started.elapsed() > 2 * GIVE_UP {
                kill_process(pid, Signal::KILL).unwrap();
                panic!("{row}: the child hangs");
            }
            thread::sleep(Duration::from_millis(1));
        };
        assert_eq!(status.exit_status(), Some(0), "{row}");
    }

    macro_rules! children {
        ($($test:ident runs $child:ident: $what:literal;)+) => {$(
            #[doc = $what]
            #[test]
            fn $test() {
                child(concat!("forks::", stringify!($child)), &[]);
            }
        )+};
    }

    children! {
        a_lookup_after_a_fork runs looks_up: "RW-42: a lookup under a bound, after one in the parent.";
        what_the_parent_has runs leaves_the_parents: "RW-42: a child closes its copies, and the parent goes on.";
        a_dial_after_a_fork runs dials: "RW-42: before its first dial a child lets go of what it inherited.";
        workers_after_a_fork runs submits: "RW-42: nobody waits for workers of the parent, and a child has its own.";
        a_guard_against_forks runs is_refused: "RW-42: a guarded client sends nothing from a child.";
    }

    /// RW-42: a fork while another thread reads the store of root certificates; the child reads its own.
    #[cfg(all(feature = "native-roots", feature = "rustls"))]
    #[test]
    fn a_store_that_is_being_read() {
        use crate::tls::{Authority, TlsServer};

        let authority = Authority::new();
        let server = TlsServer::new(authority.server(), |peer| {
            peer.request()?;
            peer.send(ok("fine"))
        });
        let folder = tempfile::tempdir().unwrap();
        let [pem, pipe] = ["store.pem", "pipe"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        std::fs::write(&pem, authority.pem()).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let set = [("SSL_CERT_FILE", pipe), ("HOSTPOOL_TEST_STORE", pem), ("HOSTPOOL_TEST_URL", server.url())];
        child("forks::reads_its_own_store", &set);
    }

    #[cfg(all(feature = "native-roots", feature = "rustls"))]
    #[test]
    #[ignore = "the child of another test"]
    fn reads_its_own_store() {
        if !is_child() {
            return;
        }
        let [pipe, store, url] =
            ["SSL_CERT_FILE", "HOSTPOOL_TEST_STORE", "HOSTPOOL_TEST_URL"].map(|name| std::env::var(name).unwrap());
        let get = || Session::new().get(&url).timeout(GIVE_UP).retries(Retry::off()).send();
        thread::scope(|scope| {
            let reads = scope.spawn(get);
            // Opens once the other end is: from then on that thread reads, until this end is closed.
            let writer = std::fs::File::options().write(true).open(&pipe).unwrap();
            in_a_fork("child", || {
                // SAFETY: the child has this thread alone.
                unsafe { std::env::set_var("SSL_CERT_FILE", &store) };
                assert_eq!(get().unwrap().text().unwrap(), "fine");
            });
            drop(writer);
            let error = reads.join().unwrap().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::InvalidConfig), "{error}");
        });
    }

    #[test]
    #[ignore = "the child of another test"]
    fn looks_up() {
        if !is_child() {
            return;
        }
        let server = Server::with(|_| answers(ok("fine")));
        let url = format!("http://localhost:{}/", server.addr.port());
        let get = |timeout: Duration| {
            let response = Session::new().get(&url).timeout(timeout).send();
            assert_eq!(response.unwrap().text().unwrap(), "fine");
            let response = hostpool::get(&url).timeout(timeout).send();
            assert_eq!(response.unwrap().text().unwrap(), "fine");
        };
        get(GIVE_UP);
        // The thread of that lookup is idle now, and would be for seconds.
        in_a_fork("child", || {
            get(GIVE_UP);
            get(GIVE_UP);
            in_a_fork("grandchild", || get(GIVE_UP));
        });
        get(GIVE_UP);
    }

    #[test]
    #[ignore = "the child of another test"]
    fn submits() {
        if !is_child() {
            return;
        }
        let held = vec![Step::Request, Step::Hold, Step::Send(ok("held"))];
        let server = Server::new(vec![held.clone(), held, answers(ok("fine"))]);
        let session = Session::builder().workers(1).build().unwrap();
        let (other, idle) = (Session::new(), Session::new());
        let mut running = Some(session.submit(session.get(server.url("/"))));
        let mut queued = Some(session.submit(session.get(server.url("/"))));
        eventually("the request", || server.seen.requests().len() == 1);
        let mut batch = other.batch((0..3).map(|_| other.get(server.url("/"))).take(2)).width(1).as_completed();
        let refused = idle.submit(idle.get("http://127.0.0.1:1/")).wait().unwrap_err();
        assert!(refused.is_connect());
        thread::scope(|scope| {
            let batch = scope.spawn(|| {
                let (_, first) = batch.next().unwrap();
                assert_eq!(first.unwrap().text().unwrap(), "held");
                batch
            });
            eventually("the request", || server.seen.requests().len() == 2);
            in_a_fork("child", || {
                for inherited in [&mut running, &mut queued] {
                    let inherited = inherited.take().unwrap();
                    inherited.cancel();
                    for result in [inherited.try_get(), inherited.wait_timeout(GIVE_UP), Some(inherited.wait())] {
                        let error = result.unwrap().unwrap_err();
                        assert!(matches!(error.kind(), ErrorKind::InvalidConfig), "{error}");
                    }
                }
                // The worker of the parent has no request, and is not there.
                for session in [&idle, &Session::new()] {
                    let pending = session.submit(session.get(server.url("/")));
                    assert_eq!(pending.wait().unwrap().text().unwrap(), "fine");
                }
            });
            server.gate.open();
            server.gate.open();
            let mut batch = batch.join().unwrap();
            assert_eq!(running.take().unwrap().wait().unwrap().text().unwrap(), "held");
            assert_eq!(queued.take().unwrap().wait().unwrap().text().unwrap(), "fine");
            // A child has none of the requests of a batch either.
            in_a_fork("a batch", || {
                let (place, result) = batch.next().unwrap();
                let error = result.unwrap_err();
                assert!(place == 1 && matches!(error.kind(), ErrorKind::InvalidConfig), "{error}");
            });
            assert_eq!(batch.next().unwrap().1.unwrap().text().unwrap(), "fine");
            // Nor the results that have come.
            let before = server.seen.requests().len();
            let mut batch = other.batch((0..24).map(|_| other.get(server.url("/")))).width(12).read_with(Ok);
            assert!(batch.next().unwrap().1.is_ok());
            eventually("the requests", || server.seen.requests().len() == before + 12);
            assert!(batch.next().unwrap().1.is_ok());
            in_a_fork("results", || {
                let errors = batch.by_ref().map(|(_, result)| result.unwrap_err());
                assert_eq!(errors.filter(|error| matches!(error.kind(), ErrorKind::InvalidConfig)).count(), 22);
            });
            assert!(batch.all(|(_, result)| result.unwrap().text().unwrap() == "fine"));
        });
    }

    #[test]
    #[ignore = "the child of another test"]
    fn is_refused() {
        if !is_child() {
            return;
        }
        let server = Server::with(|_| answers(ok("fine")));
        let session = Session::builder().fork_guard(true).limit(1).build().unwrap();
        let get = || session.get(server.url("/")).send();
        assert_eq!(get().unwrap().text().unwrap(), "fine");
        in_a_fork("child", || {
            let error = get().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::InvalidConfig) && !error.maybe_processed(), "{error}");
        });
        assert_eq!(get().unwrap().text().unwrap(), "fine");
        assert_eq!((session.connector().unwrap().stats().created, server.seen.requests().len()), (1, 2));
    }

    #[test]
    #[ignore = "the child of another test"]
    fn leaves_the_parents() {
        if !is_child() {
            return;
        }
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n".to_vec();
        let script = vec![
            Step::Request,
            Step::Send(head),
            Step::Hold,
            Step::Send(b"hello".to_vec()),
            Step::Tell("half"),
            Step::Hold,
            Step::Send(b"world".to_vec()),
            Step::Forever(answer(ok("next"))),
        ];
        type Leave = fn(&Session, &mut Option<hostpool::Response>);
        let ways: [(&str, Leave); 3] = [
            ("drop", |_, response| drop(response.take())),
            ("abort", |_, response| assert!(!response.as_ref().unwrap().shutdown_handle().unwrap().shutdown())),
            ("close", |session, _| session.close()),
        ];
        for (way, leave) in ways {
            let server = Server::new(vec![script.clone()]);
            let session = Session::builder().timeout(GIVE_UP).build().unwrap();
            let mut response = Some(session.get(server.url("/")).send().unwrap());
            server.gate.open();
            server.wait_for("half");
            in_a_fork(way, || leave(&session, &mut response));
            server.gate.open();
            let text = response.unwrap().text();
            assert_eq!(text.unwrap(), "helloworld", "{way}");
            assert_eq!(session.get(server.url("/")).send().unwrap().text().unwrap(), "next", "{way}");
            assert_eq!(session.connector().unwrap().stats().created, 1, "{way}");
        }
        #[cfg(feature = "rustls")]
        kept_under_tls();
    }

    /// No close_notify ends a connection that the parent has kept.
    #[cfg(feature = "rustls")]
    fn kept_under_tls() {
        use crate::tls::{Authority, TlsServer};

        let authority = Authority::new();
        let server = TlsServer::new(authority.server(), |peer| {
            loop {
                peer.request()?;
                peer.send(ok("fine"))?;
            }
        });
        let pool = server.builder(&authority.trusted()).timeout(GIVE_UP).build().unwrap();
        let get = || assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
        get();
        in_a_fork("TLS", || pool.close());
        get();
        assert_eq!((pool.stats().created, server.seen.errors()), (1, Vec::new()));
    }

    #[test]
    #[ignore = "the child of another test"]
    fn dials() {
        if !is_child() {
            return;
        }
        let [one, other] = [(); 2].map(|()| Server::with(|_| answers(ok("fine"))));
        let manager = PoolManager::builder().reaper(Duration::from_secs(60)).build().unwrap();
        let get = |server: &Server| {
            assert_eq!(manager.get(server.url("/")).timeout(GIVE_UP).send().unwrap().text().unwrap(), "fine");
        };
        get(&one);
        in_a_fork("child", || {
            get(&other);
            let stats = manager.stats();
            assert_eq!((stats.idle, stats.closed(CloseReason::Retired)), (1, 1), "{stats:?}");
            get(&other);
            get(&one);
            assert_eq!(manager.stats().created, 3);
        });
        get(&one);
        assert_eq!((manager.stats().created, manager.stats().idle), (1, 1));
        eventually("the child's ends", || other.seen.open() == 0);
    }
}
